/* bench_dense.c - timing attention on sequences, recurrences and matrix products. */
#include "config.h"

#include "cli/bench.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, bf16 = { kDLBfloat, 16, 1 };

typedef struct attention_job {
    DLTensor *q, *k, *v, *o, *grad, *lse, *grad_q, *grad_k, *grad_v;
    ga_pattern *pattern;
    ga_attention problem;
} attention_job;

static void attention_free(bench *b, attention_job *job)
{
    DLTensor *all[] = { job->q,   job->k,      job->v,      job->o,     job->grad,
                        job->lse, job->grad_q, job->grad_k, job->grad_v };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_tensor_destroy(b->s->context, all[i]);
    }
    ga_pattern_destroy(b->s->context, job->pattern);
}

static ga_status attention_make(bench *b, DLDataType dtype, attention_job *job)
{
    ga_status status = GA_OK;
    const settings *is = &b->s->is;
    const int64_t shape[] = { 1, is->bench_heads, is->bench_tokens, is->bench_dim };
    GA_TRY(bench_tensor(b, dtype, 4, shape, &job->q));
    GA_TRY(bench_tensor(b, dtype, 4, shape, &job->k));
    GA_TRY(bench_tensor(b, dtype, 4, shape, &job->v));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->o));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->grad));
    GA_TRY(bench_tensor(b, f32, 3, shape, &job->lse));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->grad_q));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->grad_k));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->grad_v));
    job->problem = (ga_attention)GA_ATTENTION_INIT;
    job->problem.q = job->q;
    job->problem.k = job->k;
    job->problem.v = job->v;
    job->problem.score.scale = 1 / sqrt((double)is->bench_dim);
done:
    return status;
}

static ga_status attention_forward(bench *b, void *user)
{
    attention_job *job = user;
    ga_attention_result result = { .o = job->o, .lse = job->lse };
    return ga_attention_forward(b->s->context, &job->problem, GA_FAMILY_TILES, &result, NULL);
}

static ga_status attention_backward(bench *b, void *user)
{
    attention_job *job = user;
    ga_attention_gradients gradients = { .grad_o = job->grad,
                                         .o = job->o,
                                         .lse = job->lse,
                                         .q = job->grad_q,
                                         .k = job->grad_k,
                                         .v = job->grad_v };
    return ga_attention_backward(b->s->context, &job->problem, GA_FAMILY_TILES, &gradients, NULL);
}

/* Which keys: all, those before, a window of those before. */
typedef enum visible { FULL, CAUSAL, WINDOW } visible;

static ga_status set_pattern(bench *b, attention_job *job, visible which, char *detail, size_t room)
{
    static const char *const names[] = { "full", "causal", "window" };
    const settings *is = &b->s->is;
    int64_t n = is->bench_tokens, w = ga__min(is->bench_window, n);
    int size = snprintf(detail, room, "%s N=%lld H=%lld D=%lld", names[which], (long long)n,
                        (long long)is->bench_heads, (long long)is->bench_dim);
    if (which == WINDOW && size > 0 && (size_t)size < room) {
        snprintf(detail + size, room - (size_t)size, " W=%lld", (long long)w);
    }
    ga_pattern_destroy(b->s->context, job->pattern);
    job->pattern = NULL;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = which != FULL };
    o.axis[0].query_length = o.axis[0].key_length = n;
    if (which == WINDOW) {
        o.axis[0].rule = GA_AXIS_SPAN;
        o.axis[0].left = w - 1;
        o.axis[0].right = 0;
    }
    ga_status status = ga_pattern_product(b->s->context, &o, &job->pattern);
    job->problem.pattern = job->pattern;
    return status;
}

/* Useful operations: two products of 2 D each for every visible pair; backward five products. */
static double pair_work(const attention_job *job, const settings *is, double products)
{
    return products * 2 * (double)is->bench_dim * (double)is->bench_heads *
           (double)ga_pattern_nonzeros(job->pattern, 0);
}

static ga_status time_attention(bench *b, const char *task, DLDataType dtype, bool backward, double limit)
{
    ga_status status = GA_OK;
    attention_job job = { NULL };
    char detail[128];
    GA_TRY(attention_make(b, dtype, &job));
    for (visible which = FULL; which <= WINDOW; which++) {
        GA_TRY(set_pattern(b, &job, which, detail, sizeof detail));
        if (backward) {
            GA_TRY(attention_forward(b, &job)); /* o and lse of this pattern */
        }
        GA_TRY(bench_time(b, task, detail, backward ? attention_backward : attention_forward, &job,
                          pair_work(&job, &b->s->is, backward ? 5 : 2), "GFLOP/s", limit / 1e9));
    }
done:
    attention_free(b, &job);
    return status;
}

ga_status bench_attention(bench *b)
{
    return time_attention(b, "attention", f32, false, b->fma);
}

ga_status bench_attention_backward(bench *b)
{
    return time_attention(b, "attention-backward", f32, true, b->fma);
}

ga_status bench_bf16(bench *b)
{
    return time_attention(b, "bf16", bf16, false, b->bf16 > 0 ? b->bf16 : b->fma);
}

/* ---- recurrences ---- */

typedef struct scan_job {
    DLTensor *q, *k, *v, *o, *decay, *beta;
    ga_scan problem;
} scan_job;

static ga_status scan_forward(bench *b, void *user)
{
    scan_job *job = user;
    return ga_scan_forward(b->s->context, &job->problem, job->o, NULL);
}

/* What a state goes through beside its update. Operations a token and head, in D^2: update and read 4, and what the delta
 * rule reads first 2. */
static const struct {
    const char *task, *detail;
    int64_t decays; /* columns of the decay: none, one number, D = -1 */
    bool delta;
    double work;
} scan_kinds[] = { { "scan", "recurrence", 0, false, 4 },
                   { "scan-token", "recurrence, a decay a token", 1, false, 4 },
                   { "scan-channel", "recurrence, a decay a channel", -1, false, 4 },
                   { "scan-delta", "delta rule", 0, true, 6 } };

static ga_status scan_make(bench *b, int kind, const int64_t shape[4], scan_job *job)
{
    ga_status status = GA_OK;
    int64_t width = scan_kinds[kind].decays < 0 ? shape[3] : scan_kinds[kind].decays;
    const int64_t decays[] = { 1, shape[1], shape[2], width };
    job->problem = (ga_scan)GA_SCAN_INIT;
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->q));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->k));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->v));
    GA_TRY(bench_tensor(b, f32, 4, shape, &job->o));
    if (width > 0) {
        GA_TRY(bench_tensor(b, f32, 4, decays, &job->decay));
    }
    for (int64_t i = 0; i < shape[1] * shape[2] * width; i++) {
        float *at = (float *)job->decay->data + i;
        *at = 0.1f * (*at - 1); /* -0.2 .. 0 */
    }
    if (scan_kinds[kind].delta) { /* steps that shrink the state at most: |k|^2 <= D */
        GA_TRY(bench_tensor(b, f32, 3, shape, &job->beta));
        for (int64_t i = 0; i < shape[1] * shape[2]; i++) {
            ((float *)job->beta->data)[i] = 1 / (float)shape[3];
        }
        job->problem.rule = GA_SCAN_DELTA;
    }
    job->problem.q = job->q;
    job->problem.k = job->k;
    job->problem.v = job->v;
    job->problem.log_decay = job->decay;
    job->problem.beta = job->beta;
    job->problem.scale = 1e-3;
done:
    return status;
}

static ga_status time_scan(bench *b, int kind, int64_t tokens)
{
    ga_status status = GA_OK;
    const settings *is = &b->s->is;
    const int64_t shape[] = { 1, is->bench_heads, tokens, is->bench_dim };
    scan_job job = { NULL };
    char detail[128];
    GA_TRY(scan_make(b, kind, shape, &job));
    snprintf(detail, sizeof detail, "%s N=%lld H=%lld D=%lld", scan_kinds[kind].detail, (long long)tokens,
             (long long)shape[1], (long long)shape[3]);
    status =
        bench_time(b, scan_kinds[kind].task, detail, scan_forward, &job,
                   scan_kinds[kind].work * (double)shape[1] * (double)tokens * (double)(shape[3] * shape[3]),
                   "GFLOP/s", b->fma / 1e9);
done:
    ga_tensor_destroy(b->s->context, job.q);
    ga_tensor_destroy(b->s->context, job.k);
    ga_tensor_destroy(b->s->context, job.v);
    ga_tensor_destroy(b->s->context, job.o);
    ga_tensor_destroy(b->s->context, job.decay);
    ga_tensor_destroy(b->s->context, job.beta);
    return status;
}

/* Without decay at three lengths, the others at the first of them. */
ga_status bench_scan(bench *b)
{
    ga_status status = GA_OK;
    int64_t least = b->s->is.bench_tokens;
    for (int64_t tokens = least; status == GA_OK && tokens <= 16 * least; tokens *= 4) {
        status = time_scan(b, 0, tokens);
    }
    for (int kind = 1; status == GA_OK && kind < (int)(sizeof scan_kinds / sizeof *scan_kinds); kind++) {
        status = time_scan(b, kind, least);
    }
    return status;
}

/* ---- matrix products ---- */

typedef struct gemm_job {
    DLTensor *x, *y, *z;
} gemm_job;

static ga_status multiply(bench *b, void *user)
{
    gemm_job *job = user;
    return ga_gemm(b->s->context, false, false, 1, job->x, job->y, 0, job->z);
}

ga_status bench_gemm(bench *b)
{
    static const int64_t sizes[] = { 16, 64, 256, 1024, 2048 };
    ga_status status = GA_OK;
    gemm_job job = { NULL, NULL, NULL };
    for (size_t i = 0; status == GA_OK && i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        char detail[64];
        snprintf(detail, sizeof detail, "%lld x %lld x %lld", (long long)n, (long long)n, (long long)n);
        GA_TRY(bench_tensor(b, f32, 2, (int64_t[]){ n, n }, &job.x));
        GA_TRY(bench_tensor(b, f32, 2, (int64_t[]){ n, n }, &job.y));
        GA_TRY(bench_tensor(b, f32, 2, (int64_t[]){ n, n }, &job.z));
        GA_TRY(bench_time(b, "gemm", detail, multiply, &job, 2.0 * (double)n * (double)(n * n), "GFLOP/s",
                          b->fma / 1e9));
done:
        ga_tensor_destroy(b->s->context, job.x);
        ga_tensor_destroy(b->s->context, job.y);
        ga_tensor_destroy(b->s->context, job.z);
        job = (gemm_job){ NULL, NULL, NULL };
    }
    return status;
}
