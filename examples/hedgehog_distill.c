/* hedgehog_distill.c - softmax heads become linear ones: hedgehog_distill Q.npy K.npy V.npy [STEPS [W_Q.npy W_K.npy]]
 *
 * Trains the maps w_q and w_k of the variant hedgehog on the heads' queries and keys (B, H, N, d), all heads at once: Adam on
 * the distillation loss, from the identity. Prints the loss, its floor (the entropy of the softmax), and how far the outputs
 * are from those of the softmax, before and behind. W_Q and W_K are for `graphattn attend hedgehog --tensor w_q=W_Q.npy`.
 *
 * cc hedgehog_distill.c $(pkg-config --cflags --libs libgraphattn) -lm -o hedgehog_distill
 */
#include <graphattn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call) \
    do { \
        if ((status = (call)) != GA_OK) { \
            goto done; \
        } \
    } while (0)

enum { MAPS = 2 }; /* w_q, w_k */
static const char *const names[MAPS] = { "w_q", "w_k" }, *const slopes[MAPS] = { "distill_w_q",
                                                                                 "distill_w_k" };

typedef struct map {
    DLTensor *w, *mean, *square; /* the map; Adam's running means of its gradient and of the square */
} map;

typedef struct training {
    ga_context *context;
    DLTensor *q, *k, *v;
    map maps[MAPS];
    double loss;
} training;

static int64_t count_of(const DLTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->ndim; i++) {
        count *= t->shape[i];
    }
    return count;
}

static ga_status new_map(training *t, const DLTensor *x, map *m)
{
    ga_status status = GA_OK;
    const DLDataType f64 = { kDLFloat, 64, 1 };
    const int64_t d = x->shape[x->ndim - 1], shape[] = { x->ndim > 2 ? x->shape[x->ndim - 3] : 1, d, d };
    DLTensor **const all[] = { &m->w, &m->mean, &m->square };
    for (int i = 0; i < 3; i++) {
        TRY(ga_tensor_create(t->context, f64, 3, shape, all[i]));
        memset((*all[i])->data, 0, (size_t)count_of(*all[i]) * sizeof(double));
    }
    for (int64_t i = 0; i < shape[0] * d; i++) {
        ((double *)m->w->data)[i * d + i % d] = 1;
    }
done:
    return status;
}

/* Outputs of a variant, causal and in double precision; the maps are given to hedgehog. */
static ga_status attend(training *t, const char *variant, int maps, ga_named_tensor *wanted, int64_t count)
{
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    const ga_named_tensor tensors[] = { { names[0], t->maps[0].w }, { names[1], t->maps[1].w } };
    call.q = t->q;
    call.k = t->k;
    call.v = t->v;
    call.tensors = tensors;
    call.tensor_count = maps;
    call.causal = true;
    call.f64 = true;
    return ga_attend(t->context, variant, &call, wanted, count);
}

/* One step down the gradient. */
static void adam(map *m, const DLTensor *gradient, int step)
{
    const double rate = 0.02, keep = 0.9, keep_square = 0.999, *g = gradient->data;
    double *w = m->w->data, *mean = m->mean->data, *square = m->square->data;
    for (int64_t i = 0; i < count_of(gradient); i++) {
        mean[i] = keep * mean[i] + (1 - keep) * g[i];
        square[i] = keep_square * square[i] + (1 - keep_square) * g[i] * g[i];
        double size = sqrt(square[i] / (1 - pow(keep_square, step)));
        w[i] -= rate * mean[i] / (1 - pow(keep, step)) / (size + 1e-8);
    }
}

static ga_status train(training *t, int steps)
{
    ga_status status = GA_OK;
    for (int step = 0; status == GA_OK && step <= steps; step++) {
        ga_named_tensor wanted[] = { { "distill", NULL }, { slopes[0], NULL }, { slopes[1], NULL } };
        int last = step == steps;
        status = attend(t, "hedgehog", MAPS, wanted, last ? 1 : 3);
        if (status == GA_OK) {
            t->loss = ((double *)wanted[0].tensor->data)[0];
            if (step % 50 == 0 || last) {
                printf("step %d\t%.6f\n", step, t->loss);
            }
        }
        for (int i = 0; status == GA_OK && i < MAPS && !last; i++) {
            adam(&t->maps[i], wanted[i + 1].tensor, step + 1);
        }
        for (int i = 0; i < 3; i++) {
            ga_tensor_destroy(t->context, wanted[i].tensor);
        }
    }
    return status;
}

/* |o - softmax| / |softmax| over all heads. */
static ga_status distance(training *t, double *out)
{
    ga_status status = GA_OK;
    ga_named_tensor soft = { "o", NULL }, linear = { "o", NULL };
    double apart = 0, size = 0;
    TRY(attend(t, "full", 0, &soft, 1));
    TRY(attend(t, "hedgehog", MAPS, &linear, 1));
    for (int64_t i = 0; i < count_of(soft.tensor); i++) {
        double a = ((double *)soft.tensor->data)[i], b = ((double *)linear.tensor->data)[i];
        apart += (a - b) * (a - b);
        size += a * a;
    }
    *out = sqrt(apart / size);
done:
    ga_tensor_destroy(t->context, soft.tensor);
    ga_tensor_destroy(t->context, linear.tensor);
    return status;
}

/* Mean entropy of the rows: no loss is below it. */
static ga_status entropy(training *t, double *out)
{
    ga_named_tensor wanted = { "entropy", NULL };
    ga_status status = attend(t, "full", 0, &wanted, 1);
    for (int64_t i = 0; status == GA_OK && i < count_of(wanted.tensor); i++) {
        *out += ((double *)wanted.tensor->data)[i] / (double)count_of(wanted.tensor);
    }
    ga_tensor_destroy(t->context, wanted.tensor);
    return status;
}

static ga_status convert(training *t, int argc, char **argv)
{
    ga_status status = GA_OK;
    double before = 0, behind = 0, least = 0;
    TRY(ga_npy_read(t->context, argv[1], false, &t->q));
    TRY(ga_npy_read(t->context, argv[2], false, &t->k));
    TRY(ga_npy_read(t->context, argv[3], false, &t->v));
    TRY(new_map(t, t->q, &t->maps[0]));
    TRY(new_map(t, t->k, &t->maps[1]));
    TRY(entropy(t, &least));
    TRY(distance(t, &before));
    TRY(train(t, argc > 4 ? atoi(argv[4]) : 200));
    TRY(distance(t, &behind));
    printf("floor\t%.6f\nerror before\t%.6f\nerror behind\t%.6f\n", least, before, behind);
    for (int i = 0; i < MAPS && argc > 6; i++) {
        TRY(ga_npy_write(t->context, t->maps[i].w, argv[5 + i]));
    }
done:
    return status;
}

int main(int argc, char **argv)
{
    training t = { NULL };
    if (argc < 4 || argc == 6 || argc > 7 || ga_context_create(&t.context) != GA_OK) {
        fprintf(stderr, "usage: hedgehog_distill Q.npy K.npy V.npy [STEPS [W_Q.npy W_K.npy]]\n");
        return 2;
    }
    ga_status status = convert(&t, argc, argv);
    if (status != GA_OK) {
        fprintf(stderr, "hedgehog_distill: %s: %s\n", ga_status_name(status), ga_context_error(t.context));
    }
    for (int i = 0; i < MAPS; i++) {
        ga_tensor_destroy(t.context, t.maps[i].w);
        ga_tensor_destroy(t.context, t.maps[i].mean);
        ga_tensor_destroy(t.context, t.maps[i].square);
    }
    ga_tensor_destroy(t.context, t.q);
    ga_tensor_destroy(t.context, t.k);
    ga_tensor_destroy(t.context, t.v);
    ga_context_destroy(t.context);
    return status != GA_OK;
}
