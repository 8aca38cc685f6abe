/* limits.c - measuring memory, arithmetic and gathered rows on the context's threads. */
#include "config.h"

#include "lib/engine/limits/limits.h"

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/spmm/spmm.h"

#ifdef HAVE_AVX512BF16
#include <immintrin.h>
#endif

enum { REPETITIONS = 5, CHUNK = 1 << 16, ALIGN = 64, ROWS = 256 };

typedef enum measure { READ, COPY, TRIAD, FMA, BF16, GATHER } measure;

typedef struct run {
    ga_context *context;
    const ga__limits_kernels *kernels;
    measure kind;
    bool streaming;
    float *a, *b, *c;
    const ga_edges *edges;
    int64_t width, ahead; /* of a gather */
    int64_t count, chunks, next;
    double operations; /* of one worker */
    int status;
    float sink; /* keeps results alive */
} run;

enum { ROUNDS = 1 << 21 };

#ifdef HAVE_AVX512BF16
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static float dot_all(int64_t rounds,
                                                                                     double *operations)
{
    enum { SUMS = 12 };
    __m512 sum[SUMS];
    __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f803f80);
#pragma GCC unroll 12
    for (int k = 0; k < SUMS; k++) {
        sum[k] = _mm512_set1_ps((float)k);
    }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int k = 0; k < SUMS; k++) {
            sum[k] = _mm512_dpbf16_ps(sum[k], x, x);
        }
        __asm__ volatile("" ::: "memory");
    }
#pragma GCC unroll 12
    for (int k = 1; k < SUMS; k++) {
        sum[0] = _mm512_add_ps(sum[0], sum[k]);
    }
    *operations = 64.0 * SUMS * (double)rounds;
    return _mm512_reduce_add_ps(sum[0]);
}
#else
static float dot_all(int64_t rounds, double *operations)
{
    (void)rounds;
    *operations = 0;
    return 0;
}
#endif

static void memory_chunk(run *r, int64_t chunk)
{
    int64_t from = chunk * CHUNK, to = ga__min(r->count, from + CHUNK);
    switch (r->kind) {
    case COPY: r->kernels->copy(r->a, r->b, from, to, r->streaming); break;
    case TRIAD: r->kernels->triad(r->a, r->b, r->c, from, to, r->streaming); break;
    default: {
        float sum = r->kernels->read(r->a, from, to);
        __atomic_store(&r->sink, &sum, __ATOMIC_RELAXED);
    }
    }
}

static void worker(void *user, int number)
{
    run *r = user;
    (void)number;
    for (int64_t w; (w = ga__claim(&r->next)) < r->chunks && !ga__stopped(r->context, &r->status);) {
        if (r->kind == GATHER) {
            const ga_edges *e = r->edges;
            r->kernels->gather(e, r->a, r->b, r->width, r->ahead, w * ROWS,
                               ga__min(e->targets, (w + 1) * ROWS));
        } else if (r->kind >= FMA) {
            double operations = 0;
            float sum = r->kind == FMA ? r->kernels->fma(ROUNDS, &operations) : dot_all(ROUNDS, &operations);
            __atomic_store(&r->sink, &sum, __ATOMIC_RELAXED);
            __atomic_store(&r->operations, &operations, __ATOMIC_RELAXED);
        } else {
            memory_chunk(r, w);
        }
    }
}

/* Shortest time of a whole pass; the first also touches the pages. */
static ga_status best_of(run *r, double *seconds)
{
    int threads = ga__threads_for(r->context, r->chunks);
    for (int i = 0; i < REPETITIONS; i++) {
        r->next = 0;
        double start = ga__now();
        ga__workers(r->context, threads, worker, r);
        double took = ga__now() - start;
        *seconds = i == 0 || took < *seconds ? took : *seconds;
        if (ga__noted_status(&r->status) != GA_OK) {
            break;
        }
    }
    return ga__noted_status(&r->status);
}

/* arrays: that many of `bytes`, all of them counted. */
static ga_status memory_limit(ga_context *context, measure kind, bool streaming, int arrays, int64_t bytes,
                              double *bytes_per_second)
{
    ga_status status = GA_OK;
    double seconds = 0;
    float *blocks[3] = { NULL, NULL, NULL };
    run r = {
        .context = context, .kernels = GA__CHOOSE(context, ga__limits), .kind = kind, .streaming = streaming
    };
    ga__begin(context);
    if (bytes < ALIGN * (int64_t)sizeof(float)) {
        status = ga__fail(context, GA_INVALID, "bytes: at least %d expected, not %lld",
                          ALIGN * (int)sizeof(float), (long long)bytes);
        goto done;
    }
    r.count = bytes / (int64_t)sizeof(float) / ALIGN * ALIGN;
    r.chunks = (r.count + CHUNK - 1) / CHUNK;
    for (int i = 0; i < arrays; i++) {
        GA_TRY(GA_NEW(context, r.count, &blocks[i]));
        ga__advise_large(blocks[i], r.count * (int64_t)sizeof(float));
        for (int64_t k = 0; k < r.count; k++) {
            blocks[i][k] = 1;
        }
    }
    r.a = blocks[0];
    r.b = blocks[1];
    r.c = blocks[2];
    GA_TRY(best_of(&r, &seconds));
    *bytes_per_second = (double)arrays * (double)r.count * sizeof(float) / seconds;
done:
    for (int i = 0; i < 3; i++) {
        ga_free(context, blocks[i]);
    }
    return status;
}

ga_status ga__limit_read(ga_context *context, int64_t bytes, double *bytes_per_second)
{
    return memory_limit(context, READ, false, 1, bytes, bytes_per_second);
}

ga_status ga__limit_copy(ga_context *context, int64_t bytes, bool streaming, double *bytes_per_second)
{
    return memory_limit(context, COPY, streaming, 2, bytes, bytes_per_second);
}

ga_status ga__limit_triad(ga_context *context, int64_t bytes, bool streaming, double *bytes_per_second)
{
    return memory_limit(context, TRIAD, streaming, 3, bytes, bytes_per_second);
}

/* Several shares for every thread, so that all have work to the end. */
static ga_status arithmetic_limit(ga_context *context, measure kind, double *operations_per_second)
{
    double seconds = 0;
    run r = { .context = context, .kernels = GA__CHOOSE(context, ga__limits), .kind = kind };
    r.chunks = 4 * (int64_t)ga__threads(context);
    ga_status status = best_of(&r, &seconds);
    if (status == GA_OK) {
        *operations_per_second = r.operations * (double)r.chunks / seconds;
    }
    return status;
}

ga_status ga__limit_fma(ga_context *context, double *operations_per_second)
{
    ga__begin(context);
    return arithmetic_limit(context, FMA, operations_per_second);
}

ga_status ga__limit_bf16(ga_context *context, double *operations_per_second)
{
    ga__begin(context);
    if (!ga__machine_has_bf16() || ga_context_backend(context) != GA_BACKEND_AVX512) {
        return ga__fail(context, GA_UNSUPPORTED, "no instructions for dot products of bf16");
    }
    return arithmetic_limit(context, BF16, operations_per_second);
}

/* With and without fetching ahead; the better one counts. */
ga_status ga__limit_gather(ga_context *context, const ga_edges *edges, int64_t width,
                           double *bytes_per_second)
{
    ga_status status = GA_OK;
    int64_t in = 0, out = 0;
    double seconds[2] = { 0, 0 };
    ga__split split = { 0 };
    run r = { .context = context,
              .kernels = GA__CHOOSE(context, ga__limits),
              .kind = GATHER,
              .edges = edges,
              .width = width };
    ga__begin(context);
    GA_TRY(ga__edges_check(context, edges));
    if (width < 1 || !ga__mul(edges->sources_count, width, &in) || !ga__mul(edges->targets, width, &out)) {
        status = ga__fail(context, width < 1 ? GA_INVALID : GA_OVERFLOW, "width: %lld", (long long)width);
        goto done;
    }
    GA_TRY(
        ga__split_edges(context, "edges", edges->targets, edges->count, edges->offsets, &split)); /* checks */
    GA_TRY(GA_NEW(context, in, &r.a));
    GA_TRY(GA_NEW(context, out, &r.b));
    ga__advise_large(r.a, in * (int64_t)sizeof *r.a);
    ga__advise_large(r.b, out * (int64_t)sizeof *r.b);
    for (int64_t i = 0; i < in; i++) {
        r.a[i] = (float)(i & 7);
    }
    r.chunks = (edges->targets + ROWS - 1) / ROWS;
    for (int i = 0; i < 2; i++) {
        r.ahead = 16 * i;
        GA_TRY(best_of(&r, &seconds[i]));
    }
    double best = seconds[0] < seconds[1] ? seconds[0] : seconds[1];
    *bytes_per_second = best > 0 ? (double)sizeof *r.a * (double)width * (double)edges->count / best : 0;
done:
    ga_free(context, r.a);
    ga_free(context, r.b);
    ga__split_free(context, &split);
    return status;
}
