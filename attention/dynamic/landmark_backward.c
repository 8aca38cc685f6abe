/* landmark_backward.c - gradients of landmark attention; weights are computed again.
 *
 * t_j = dO . v_j, mean = sum_j W_j t_j, inner_c = sum of u_j t_j over block c:
 *   own j:                  dS_j = W_j (t_j - mean)
 *   ordinary j of block c:  dS_j = W_j (t_j - inner_c)
 *   landmark of block c:    dS   = a_c (inner_c - mean)
 * dq = scale dS k, dk_j = scale sum dS_j q, dv_j = sum W_j dO. Tiles of a KV head are shared out to `parts` sums of dk and dv,
 * which are added in order. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/landmark_tile.h"
#include "attention/linear/rows.h"

enum { PARTS = 16 }; /* that all KV heads together are worth */

typedef struct backward {
    ga__landmark_call call;
    ga__view grad, dq, dk, dv; /* without data: not wanted */
    int64_t parts;             /* of a KV head */
    char *sums;                /* owned: (batch, kv_heads, parts, keys, dim + dim_v) */
    int64_t next;
    int failed;
} backward;

/* Where a part adds up the gradient of all keys; values: behind it. */
static char *sums_of(const backward *b, int64_t line, int64_t part, bool values)
{
    const ga__job *run = b->call.run;
    int64_t at = (line * b->parts + part) * run->keys * (run->dim + run->dim_v);
    return b->sums + (at + (values ? run->keys * run->dim : 0)) * b->call.size;
}

/* ---- a row ---- */

static double dot(const ga__landmark_tile *tile, const char *a, const char *b, int64_t first, int64_t n)
{
    const ga__landmark_call *call = tile->call;
    return call->rowwise->dot[call->wide](n, a + first * call->size, b + first * call->size);
}

static void set_number(const ga__landmark_tile *tile, char *row, int64_t j, double value)
{
    if (tile->call->wide) {
        ((double *)(void *)row)[j] = value;
    } else {
        ((float *)(void *)row)[j] = (float)value;
    }
}

static void lower(const ga__landmark_tile *tile, const char *s, char *t, int64_t first, int64_t n,
                  double mean)
{
    const ga__landmark_call *call = tile->call;
    call->grouped->slope[call->wide](n, mean, s + first * call->size, t + first * call->size);
}

/* t becomes dS. Keys of the spans that the row does not see have t = 0, since their weight is. */
static void slope_row(const ga__landmark_tile *tile, int64_t row)
{
    const ga__landmarks *m = &tile->call->m;
    const int32_t *blocks = tile->blocks + row * m->count;
    const double *mass = tile->mass + row * (m->count + 1);
    int64_t at = row * tile->call->run->keys * tile->call->size;
    const char *s = tile->s + at;
    char *t = tile->t + at;
    ga__span own = ga__landmark_own(tile, row);
    int64_t n = ga__max(own.last - own.first, 0);
    double mean = dot(tile, s, t, own.first, n);
    for (int64_t i = 0; i < tile->counts[row]; i++) {
        int64_t first = m->first[blocks[i]], length = m->mark[blocks[i]] - first;
        mean += dot(tile, s, t, first, length);
    }
    for (int64_t i = 0; i < tile->span_count; i++) { /* what has no weight; own and blocks follow */
        for (int64_t j = tile->spans[i].first; j < tile->spans[i].last; j++) {
            bool none = tile->call->wide ? ((const double *)(const void *)s)[j] == 0
                                         : ((const float *)(const void *)s)[j] == 0;
            if (none) {
                set_number(tile, t, j, 0);
            }
        }
    }
    lower(tile, s, t, own.first, n, mean);
    for (int64_t i = 0; i < tile->counts[row]; i++) {
        int64_t first = m->first[blocks[i]], mark = m->mark[blocks[i]];
        double product = dot(tile, s, t, first, mark - first), inner = mass[i] == 0 ? 0 : product / mass[i];
        lower(tile, s, t, first, mark - first, inner);
        set_number(tile, t, mark, product - mass[i] * mean);
    }
}

/* ---- a tile ---- */

static ga__landmark_product over_span(const ga__landmark_tile *tile, ga__span span, const char *a)
{
    const ga__landmark_call *call = tile->call;
    return (ga__landmark_product){ .alpha = 1,
                                   .beta = 1,
                                   .m = tile->rows,
                                   .k = span.last - span.first,
                                   .a = a + span.first * call->size,
                                   .lda = call->run->keys };
}

/* c (span, width) += alpha matrix' x, x (rows, width); pairs without weight are left out when careful. */
static void add_turned(const ga__landmark_tile *tile, ga__span span, const char *matrix, double alpha,
                       const char *x, int64_t width, char *c)
{
    const ga__landmark_call *call = tile->call;
    ga__landmark_product p = over_span(tile, span, matrix);
    p.transpose_a = true;
    p.alpha = alpha;
    p.m = span.last - span.first;
    p.n = width;
    p.k = tile->rows;
    p.b = x;
    p.ldb = width;
    p.c = c + span.first * width * call->size;
    p.ldc = width;
    if (!call->careful) {
        ga__landmark_multiply(tile, &p);
        return;
    }
    for (int64_t r = 0; r < tile->rows; r++) {
        for (int64_t j = 0; j < p.m; j++) {
            int64_t at = r * call->run->keys + span.first + j;
            double w = call->wide ? ((const double *)(const void *)matrix)[at]
                                  : (double)((const float *)(const void *)matrix)[at];
            if (w != 0) {
                call->rowwise->combine[call->wide](width, alpha * w, x + r * width * call->size, 1,
                                                   (char *)p.c + j * width * call->size);
            }
        }
    }
}

/* dq (rows, dim) += scale dS k. */
static void add_queries(const ga__landmark_tile *tile, ga__span span)
{
    const ga__landmark_call *call = tile->call;
    int64_t dim = call->run->dim;
    ga__landmark_product p = over_span(tile, span, tile->t);
    p.alpha = call->run->scale;
    p.n = dim;
    p.b = ga__view_row(&call->k, tile->batch, tile->head / call->s.group, span.first);
    p.ldb = call->k.stride_row;
    p.c = tile->o;
    p.ldc = dim;
    if (!call->careful) {
        ga__landmark_multiply(tile, &p);
        return;
    }
    for (int64_t r = 0; r < tile->rows; r++) {
        for (int64_t j = span.first; j < span.last; j++) {
            int64_t at = r * call->run->keys + j;
            double w = call->wide ? ((const double *)(const void *)tile->t)[at]
                                  : (double)((const float *)(const void *)tile->t)[at];
            if (w != 0) {
                call->rowwise->combine[call->wide](
                    dim, p.alpha * w, ga__view_row(&call->k, tile->batch, tile->head / call->s.group, j), 1,
                    tile->o + r * dim * call->size);
            }
        }
    }
}

/* t = dO v', and dO of the tile's rows behind dq in tile->o. */
static void start(const backward *b, ga__landmark_tile *tile, char *grad)
{
    const ga__landmark_call *call = tile->call;
    int64_t width = call->run->dim_v;
    memset(tile->o, 0, (size_t)(tile->rows * call->run->dim * call->size));
    for (int64_t r = 0; r < tile->rows; r++) {
        memcpy(grad + r * width * call->size,
               ga__view_row(&b->grad, tile->batch, tile->head, tile->query + r),
               (size_t)(width * call->size));
    }
    for (int64_t i = 0; i < tile->span_count; i++) {
        ga__span span = tile->spans[i];
        ga__landmark_multiply(
            tile, &(ga__landmark_product){
                      .transpose_b = true,
                      .alpha = 1,
                      .m = tile->rows,
                      .n = span.last - span.first,
                      .k = width,
                      .a = grad,
                      .lda = width,
                      .b = ga__view_row(&call->v, tile->batch, tile->head / call->s.group, span.first),
                      .ldb = call->v.stride_row,
                      .c = tile->t + span.first * call->size,
                      .ldc = call->run->keys });
    }
}

static void run_tile(const backward *b, ga__landmark_tile *tile, int64_t line, int64_t part)
{
    const ga__landmark_call *call = tile->call;
    int64_t dim = call->run->dim, width = call->run->dim_v;
    char *grad = tile->o + GA__LANDMARK_ROWS * dim * call->size;
    start(b, tile, grad);
    for (int64_t r = 0; r < tile->rows; r++) {
        slope_row(tile, r);
    }
    for (int64_t i = 0; i < tile->span_count; i++) {
        ga__span span = tile->spans[i];
        if (b->dq.data && dim > 0) {
            add_queries(tile, span);
        }
        if (b->dk.data && dim > 0) {
            add_turned(tile, span, tile->t, call->run->scale, tile->q, dim, sums_of(b, line, part, false));
        }
        if (b->dv.data && width > 0) {
            add_turned(tile, span, tile->s, 1, grad, width, sums_of(b, line, part, true));
        }
    }
    for (int64_t r = 0; r < tile->rows && b->dq.data; r++) {
        memcpy(ga__view_row(&b->dq, tile->batch, tile->head, tile->query + r), tile->o + r * dim * call->size,
               (size_t)(dim * call->size));
    }
}

static void work(void *user, int worker)
{
    backward *b = user;
    const ga__job *run = b->call.run;
    ga__landmark_tile tile;
    int64_t units = run->batch * run->kv_heads * b->parts;
    (void)worker;
    ga__note_status(&b->failed, ga__landmark_tile_make(&b->call, true, &tile));
    while (!ga__stopped(run->context, &b->failed)) {
        int64_t unit = ga__claim(&b->next), line = unit / b->parts, part = unit % b->parts;
        if (unit >= units) {
            break;
        }
        for (int64_t n = part; n < b->call.s.group * b->call.tiles; n += b->parts) {
            int64_t head = line % run->kv_heads * b->call.s.group + n / b->call.tiles;
            ga__landmark_weigh(&tile, line / run->kv_heads, head, n % b->call.tiles);
            run_tile(b, &tile, line, part);
        }
    }
    ga__landmark_tile_free(&tile);
}

/* ---- all tiles ---- */

static void join(const backward *b, const ga__view *to, bool values)
{
    const ga__job *run = b->call.run;
    int64_t width = values ? run->dim_v : run->dim;
    for (int64_t line = 0; line < run->batch * run->kv_heads && to->data; line++) {
        for (int64_t part = 0; part < b->parts; part++) {
            b->call.rowwise->combine[b->call.wide](
                run->keys * width, 1, sums_of(b, line, part, values), part > 0,
                ga__view_row(to, line / run->kv_heads, line % run->kv_heads, 0));
        }
    }
}

static ga_status open_backward(ga__job *run, backward *b)
{
    ga_status status = GA_OK;
    int64_t lines = run->batch * run->kv_heads, size = 0;
    GA_TRY(ga__landmark_open(run, &b->call));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &b->grad));
    GA_TRY(ga__slot_grad_view(run, GA__Q, &b->dq));
    GA_TRY(ga__slot_grad_view(run, GA__K, &b->dk));
    GA_TRY(ga__slot_grad_view(run, GA__V, &b->dv));
    b->parts = ga__max(ga__min(PARTS / ga__max(lines, 1), b->call.s.group * b->call.tiles), 1);
    if (!ga__mul(lines * b->parts, run->keys, &size) || !ga__mul(size, run->dim + run->dim_v, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "landmark: too many keys"));
    }
    GA_TRY(ga__alloc_zero(run->context, size, (size_t)b->call.size, &b->sums));
done:
    return status;
}

ga_status ga__landmark_backward(ga__job *run)
{
    ga_status status = GA_OK;
    backward b = { .next = 0 };
    GA_TRY(open_backward(run, &b));
    ga__workers(run->context, ga__threads_for(run->context, run->batch * run->kv_heads * b.parts), work, &b);
    status = ga__noted_status(&b.failed);
    GA_TRY(status == GA_CANCELLED ? ga__check(run->context) : status);
    join(&b, &b.dk, false);
    join(&b, &b.dv, true);
done:
    ga_free(run->context, b.sums);
    ga__landmark_close(&b.call);
    return status;
}
