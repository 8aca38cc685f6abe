/* peer_ggml.c - ggml's flash attention on the CPU, f32 keys and values.
 *   peer_ggml THREADS TOKENS HEADS DIM WINDOW RUNS     prints "full|causal|window SECONDS", the best of the runs */
#include <ggml-cpu.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* window 0: no mask; a window of n keys is the causal mask. */
static struct ggml_tensor *mask_of(struct ggml_context *c, long n, long window)
{
    if (window == 0) {
        return NULL;
    }
    struct ggml_tensor *mask = ggml_new_tensor_2d(c, GGML_TYPE_F16, n, n);
    ggml_fp16_t hidden = ggml_fp32_to_fp16(-INFINITY), seen = ggml_fp32_to_fp16(0);
    for (long i = 0; i < n; i++) {
        for (long j = 0; j < n; j++) {
            ((ggml_fp16_t *)mask->data)[i * n + j] = j <= i && j > i - window ? seen : hidden;
        }
    }
    return mask;
}

static double attention(int threads, long n, long h, long d, long window, int runs)
{
    struct ggml_init_params room = { (size_t)(n * d * h) * 32 + (size_t)(n * n) * 4 + ((size_t)64 << 20),
                                     NULL, false };
    struct ggml_context *c = ggml_init(room);
    struct ggml_tensor *t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = ggml_new_tensor_4d(c, GGML_TYPE_F32, d, n, h, 1);
        for (long e = 0; e < n * d * h; e++) {
            ((float *)t[i]->data)[e] = (float)((e * 2654435761u >> 8) & 0xffff) / 65536.0f - 0.5f;
        }
    }
    struct ggml_tensor *out =
        ggml_flash_attn_ext(c, t[0], t[1], t[2], mask_of(c, n, window), 1 / sqrtf((float)d), 0, 0);
    struct ggml_cgraph *graph = ggml_new_graph(c);
    ggml_build_forward_expand(graph, out);
    struct ggml_cplan plan = ggml_graph_plan(graph, threads, NULL);
    plan.work_data = malloc(plan.work_size + 64);
    double best = 1e30;
    for (int r = 0; r < runs + 1; r++) {
        double start = now();
        ggml_graph_compute(graph, &plan);
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    free(plan.work_data);
    ggml_free(c);
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        return 2;
    }
    int threads = atoi(argv[1]), runs = atoi(argv[6]);
    long n = atol(argv[2]), h = atol(argv[3]), d = atol(argv[4]), w = atol(argv[5]);
    printf("full %.6f\n", attention(threads, n, h, d, 0, runs));
    printf("causal %.6f\n", attention(threads, n, h, d, n, runs));
    printf("window %.6f\n", attention(threads, n, h, d, w, runs));
    return 0;
}
