/* peer_graphblas.c - sparse times dense by SuiteSparse:GraphBLAS.
 *   peer_graphblas THREADS GRAPH WIDTH RUNS     prints the best seconds. GRAPH: i64 n, i64 m, i64 offsets, i32 columns */
#include <GraphBLAS.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *room(size_t bytes)
{
    void *block = malloc(bytes);
    if (!block) {
        exit(1);
    }
    return block;
}

int main(int argc, char **argv)
{
    int64_t n = 0, m = 0;
    FILE *file = argc == 5 ? fopen(argv[2], "rb") : NULL;
    if (!file || fread(&n, 8, 1, file) != 1 || fread(&m, 8, 1, file) != 1) {
        return 2;
    }
    GrB_Index *offsets = room((size_t)(n + 1) * 8), *columns = room((size_t)m * 8),
              *rows = room((size_t)m * 8);
    int32_t *narrow = room((size_t)m * 4);
    float *ones = room((size_t)m * 4);
    if (fread(offsets, 8, (size_t)n + 1, file) != (size_t)n + 1 ||
        fread(narrow, 4, (size_t)m, file) != (size_t)m) {
        return 2;
    }
    for (int64_t i = 0; i < n; i++) {
        for (GrB_Index e = offsets[i]; e < offsets[i + 1]; e++) {
            rows[e] = (GrB_Index)i;
            columns[e] = (GrB_Index)narrow[e];
            ones[e] = 1;
        }
    }
    size_t width = (size_t)atol(argv[3]), bytes = (size_t)n * width * 4;
    GrB_Matrix a, x, y;
    GrB_init(GrB_NONBLOCKING);
    GxB_Global_Option_set(GxB_NTHREADS, atoi(argv[1]));
    GrB_Matrix_new(&a, GrB_FP32, (GrB_Index)n, (GrB_Index)n);
    GrB_Matrix_build_FP32(a, rows, columns, ones, (GrB_Index)m, GrB_PLUS_FP32);
    GrB_Matrix_wait(a, GrB_MATERIALIZE);
    GrB_Matrix_new(&x, GrB_FP32, (GrB_Index)n, width);
    GrB_Matrix_new(&y, GrB_FP32, (GrB_Index)n, width);
    float *values = room(bytes); /* values that differ: of equal ones GraphBLAS keeps a single copy */
    for (size_t i = 0; i < (size_t)n * width; i++) {
        values[i] = (float)(i & 7);
    }
    void *packed = values;
    if (GxB_Matrix_pack_FullR(x, &packed, bytes, 0, NULL) != GrB_SUCCESS) {
        return 1;
    }
    double best = 1e30;
    for (int r = 0; r < atoi(argv[4]); r++) {
        double start = now();
        GrB_mxm(y, NULL, NULL, GxB_PLUS_TIMES_FP32, a, x, NULL);
        GrB_Matrix_wait(y, GrB_MATERIALIZE);
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    printf("%.6f\n", best);
    return 0;
}
