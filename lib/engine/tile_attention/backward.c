/* backward.c - gradients of attention by tiles: what is asked for, the threads, the sums over their parts. */
#include "config.h"

#include "lib/engine/tile_attention/backward.h"

#include <math.h>
#include <string.h>

#include "lib/engine/isa.h"
#include "lib/engine/tile_attention/backward_item.h"

static bool is_f64(const DLTensor *tensor)
{
    return tensor && tensor->dtype.code == kDLFloat && tensor->dtype.bits == 64;
}

const char *ga__tiles_can_backward(const ga__attention *a, const ga_attention_gradients *gradients)
{
    if (a->wide || a->k.type == GA__F64 || a->v.type == GA__F64 || is_f64(gradients->grad_o)) {
        return "compute in double precision";
    }
    if (a->edge_bias.data || gradients->edge_bias) {
        return "add a bias per edge";
    }
    if (gradients->head_scale) {
        return "give the gradient of head_scale";
    }
    if (a->problem->post && a->problem->post->form != GA_POST_NONE) {
        return "differentiate a post step";
    }
    if (a->normaliser.kind == GA_P_LAPLACIAN) {
        return "compute the p-Laplacian";
    }
    return NULL;
}

/* ---- what is asked for ---- */

/* Shapes and types are checked already. */
static ga_status read_views(ga__back *back, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    ga_context *context = back->context;
    const ga__attention *a = back->a;
    bool given = g->o && g->lse && a->normaliser.kind == GA_SOFTMAX;
    GA_TRY(ga__view_of(context, "grad_o", g->grad_o, true, &back->grad_o));
    GA_TRY(ga__view_of(context, "o", given ? g->o : NULL, true, &back->o));
    GA_TRY(ga__view_of(context, "lse", given ? g->lse : NULL, true, &back->lse));
    GA_TRY(ga__view_of(context, "gradient of q", g->q, true, &back->q));
    GA_TRY(ga__view_of(context, "gradient of k", g->k, true, &back->k));
    GA_TRY(ga__view_of(context, "gradient of v", g->v, true, &back->v));
    GA_TRY(ga__view_of(context, "gradient of bias", g->bias, true, &back->bias));
    GA_TRY(ga__view_of(context, "gradient of slopes", g->slopes, true, &back->slopes));
    GA_TRY(ga__view_of(context, "gradient of sigmoid_bias", g->sigmoid_bias, true, &back->sigmoid_bias));
    GA_TRY(ga__view_of(context, "gradient of eta_logits", g->eta_logits, true, &back->eta));
    GA_TRY(ga__attention_table_view(context, "gradient of table", a, g->table, &back->table));
    back->want_k = g->k || g->k_extra || g->ghost_k;
    back->want_v = g->v || g->v_extra || g->ghost_v;
    back->want_raw = g->bias || g->table || g->slopes || g->sigmoid_bias;
done:
    return status;
}

static int64_t padded(int64_t width)
{
    return ga__max(1, (width + GA__BACK_ALIGN - 1) / GA__BACK_ALIGN) * GA__BACK_ALIGN;
}

static void choose_sweeps(ga__back *back)
{
    switch (back->a->normaliser.kind) {
    case GA_SOFTMAX: back->first_sweep = !back->o.data; break;
    case GA_SIGMOID:
    case GA_IDENTITY: break;
    case GA_NORM_ATTENTION: back->first_sweep = back->eta.data != NULL; break;
    default: back->first_sweep = true; break;
    }
    back->second_sweep = back->a->normaliser.kind == GA_SOFTPLUS_REWEIGHT;
}

/* ---- memory ---- */

static ga_status new_rows(const ga__back *back, int64_t rows, int64_t width, float **out)
{
    int64_t count = 0;
    if (!ga__mul(rows, back->a->batch, &count) || !ga__mul(count, width, &count)) {
        return ga__fail(back->context, GA_OVERFLOW, "gradients of k and v: too large");
    }
    ga_status status = GA_NEW(back->context, count, out);
    ga__advise_large(status == GA_OK ? *out : NULL, count * (int64_t)sizeof **out);
    return status;
}

static ga_status make_sums(ga__back *back)
{
    const ga__attention *a = back->a;
    int64_t count = 0, parts = 0;
    back->cells = back->table.data ? a->table.columns : 0;
    back->table_rows = a->table.rows == 1 ? 1 : a->group;
    if (!ga__mul(back->table_rows, back->cells, &count) || !ga__add(count, a->group + 1, &count) ||
        !ga__mul(a->batch * a->kv_heads, back->chunks, &parts) || !ga__mul(parts, count, &parts)) {
        return ga__fail(back->context, GA_OVERFLOW, "gradient of table: too large");
    }
    back->sums_per_part = count;
    return GA_NEW_ZERO(back->context, parts, &back->sums);
}

static ga_status make_parts(ga__back *back, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    const ga__attention *a = back->a;
    if (back->want_k) {
        GA_TRY(new_rows(back, back->rows_per_batch, back->stride, &back->part_k));
    }
    if (back->want_v) {
        GA_TRY(new_rows(back, back->rows_per_batch, back->stride_v, &back->part_v));
    }
    if (a->pattern->real && back->want_k) {
        GA_TRY(new_rows(back, a->kv_heads * a->places, a->dim, &back->places_k));
    }
    if (a->pattern->real && back->want_v) {
        GA_TRY(new_rows(back, a->kv_heads * a->places, a->dim_v, &back->places_v));
    }
    if (back->want_raw) {
        GA_TRY(make_sums(back));
    }
    GA_TRY(ga__back_terms_make(back, g));
done:
    return status;
}

/* ---- threads ---- */

typedef struct crew {
    ga__back *back;
    ga__back_room *rooms;
    int64_t slices, items; /* items: slices times chunks */
} crew;

static void clear_bias_rows(const ga__back *back, int64_t first_head, int64_t heads, int64_t chunk)
{
    int64_t first = chunk * ga__back_chunk_rows(back);
    int64_t rows = ga__min(ga__back_chunk_rows(back), back->a->queries - first);
    size_t size = back->bias.type == GA__F64 ? sizeof(double) : sizeof(float);
    for (int64_t h = 0; h < heads; h++) {
        for (int64_t i = 0; i < rows; i++) {
            memset(ga__view_row(&back->bias, 0, first_head + h, first + i), 0, (size_t)back->a->keys * size);
        }
    }
}

/* What adds to the same rows of the bias belongs to one item, which goes through it in order. */
static void run_with_bias(ga__back *back, ga__back_room *room, int64_t kv, int64_t chunk)
{
    const ga__attention *a = back->a;
    bool shared = back->bias.heads == 1;
    int64_t last = shared ? a->kv_heads : kv + 1;
    clear_bias_rows(back, shared ? 0 : kv * a->group, shared ? 1 : a->group, chunk);
    for (int64_t b = 0; b < a->batch; b++) {
        for (int64_t at = kv; at < last && !ga__stopped(back->context, &back->status); at++) {
            ga__back_part_run(back, room, b, at, chunk);
        }
    }
}

/* The last chunks first: under causal patterns they have most to do. */
static void run_worker(void *user, int worker)
{
    crew *c = user;
    ga__back *back = c->back;
    for (int64_t item;
         (item = ga__claim(&back->next)) < c->items && !ga__stopped(back->context, &back->status);) {
        int64_t slice = item % c->slices, chunk = back->chunks - 1 - item / c->slices;
        if (back->bias.data) {
            run_with_bias(back, &c->rooms[worker], slice, chunk);
        } else {
            ga__back_part_run(back, &c->rooms[worker], slice / back->a->kv_heads, slice % back->a->kv_heads,
                              chunk);
        }
    }
}

static ga_status run_parts(ga__back *back)
{
    ga_status status = GA_OK;
    const ga__attention *a = back->a;
    int64_t joined = back->bias.heads == 1 ? ga__min(a->kv_heads, 1) : a->kv_heads;
    crew c = { .back = back, .slices = back->bias.data ? joined : a->batch * a->kv_heads };
    c.items = c.slices * back->chunks;
    int threads = ga__threads_for(back->context, c.items);
    GA_TRY(GA_NEW_ZERO(back->context, threads, &c.rooms));
    for (int i = 0; i < threads && c.items > 0; i++) {
        GA_TRY(ga__back_room_make(back, &c.rooms[i]));
    }
    ga__workers(back->context, threads, run_worker, &c);
    status = ga__noted_status(&back->status);
done:
    for (int i = 0; c.rooms && i < threads; i++) {
        ga__back_room_free(back, &c.rooms[i]);
    }
    ga_free(back->context, c.rooms);
    return status;
}

/* ---- sums over the parts ---- */

typedef struct summing {
    ga__back *back;
    float *row; /* the wider stride, for each thread */
    int64_t next, blocks;
} summing;

static void add_row(float *restrict sum, const float *restrict row, int64_t stride)
{
    for (int64_t c = 0; c < stride; c += GA__BACK_ALIGN) {
        for (int64_t i = 0; i < GA__BACK_ALIGN; i++) {
            sum[c + i] += row[c + i];
        }
    }
}

/* One place of a (batch, key/value head) over the chunks that see it, in order. */
static void sum_place(const ga__back *back, const float *parts, int64_t stride, int64_t b, int64_t kv,
                      int64_t place, float *sum)
{
    memset(sum, 0, (size_t)stride * sizeof *sum);
    for (int64_t chunk = 0; chunk < back->chunks; chunk++) {
        int64_t slot = kv * back->chunks + chunk, block = place / GA__BACK;
        const ga__back_range *range = &back->range[slot];
        if (block < range->first || block >= range->last) {
            continue;
        }
        int64_t row = b * back->rows_per_batch + back->start[slot] + place - range->first * GA__BACK;
        add_row(sum, parts + row * stride, stride);
    }
}

static void put_place(const ga__back *back, const ga__view *view, float *places, int64_t width, int64_t b,
                      int64_t kv, int64_t place, const float *sum)
{
    if (places) {
        memcpy(places + ((b * back->a->kv_heads + kv) * back->a->places + place) * width, sum,
               (size_t)width * sizeof *sum);
    } else {
        ga__back_store(view, b, kv, place, sum);
    }
}

static void sum_worker(void *user, int worker)
{
    summing *s = user;
    ga__back *back = s->back;
    const ga__attention *a = back->a;
    float *row = s->row + worker * ga__max(back->stride, back->stride_v);
    int64_t items = a->batch * a->kv_heads * s->blocks;
    for (int64_t item; (item = ga__claim(&s->next)) < items && !ga__stopped(back->context, &back->status);) {
        int64_t slice = item / s->blocks, b = slice / a->kv_heads, kv = slice % a->kv_heads;
        int64_t first = item % s->blocks * GA__BACK, last = ga__min(first + GA__BACK, a->places);
        for (int64_t place = first; place < last; place++) {
            if (back->want_k) {
                sum_place(back, back->part_k, back->stride, b, kv, place, row);
                put_place(back, &back->k, back->places_k, a->dim, b, kv, place, row);
            }
            if (back->want_v) {
                sum_place(back, back->part_v, back->stride_v, b, kv, place, row);
                put_place(back, &back->v, back->places_v, a->dim_v, b, kv, place, row);
            }
        }
    }
}

static ga_status sum_places(ga__back *back, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    const ga__attention *a = back->a;
    summing s = { .back = back, .blocks = (a->places + GA__BACK - 1) / GA__BACK };
    int threads = ga__threads_for(back->context, a->batch * a->kv_heads * s.blocks);
    if (!back->want_k && !back->want_v) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(back->context, threads * ga__max(back->stride, back->stride_v), &s.row));
    ga__workers(back->context, threads, sum_worker, &s);
    GA_TRY(ga__noted_status(&back->status));
    if (a->pattern->real) {
        GA_TRY(ga__attention_scatter_places(back->context, a, back->places_k, back->places_v, g));
    }
done:
    ga_free(back->context, s.row);
    return status;
}

static const double *sums_of(const ga__back *back, int64_t b, int64_t kv, int64_t chunk)
{
    return back->sums + ((b * back->a->kv_heads + kv) * back->chunks + chunk) * back->sums_per_part;
}

/* Sum over the parts of the heads [first, last) of key/values. */
static double sum_parts(const ga__back *back, int64_t first, int64_t last, int64_t at)
{
    double sum = 0;
    for (int64_t b = 0; b < back->a->batch; b++) {
        for (int64_t kv = first; kv < last; kv++) {
            for (int64_t chunk = 0; chunk < back->chunks; chunk++) {
                sum += sums_of(back, b, kv, chunk)[at];
            }
        }
    }
    return sum;
}

static void sum_scalars(const ga__back *back)
{
    const ga__attention *a = back->a;
    int64_t behind = back->table_rows * back->cells;
    if (back->sigmoid_bias.data) {
        ga__view_set(&back->sigmoid_bias, 0, 0, 0, 0, sum_parts(back, 0, a->kv_heads, behind + a->group));
    }
    for (int64_t h = 0; back->slopes.data && h < a->heads; h++) {
        int64_t kv = h / a->group;
        ga__view_set(&back->slopes, 0, 0, 0, h, sum_parts(back, kv, kv + 1, behind + h % a->group));
    }
    for (int64_t row = 0; back->table.data && row < back->table.rows; row++) {
        bool shared = back->table.rows == 1;
        int64_t kv = shared ? 0 : row / a->group, last = shared ? a->kv_heads : kv + 1;
        int64_t from = back->table_rows == 1 ? 0 : row % a->group * back->cells;
        for (int64_t cell = 0; cell < back->cells; cell++) {
            ga__view_set(&back->table, 0, 0, row, cell, sum_parts(back, kv, last, from + cell));
        }
    }
}

static void release(ga__back *back)
{
    void *blocks[] = { back->block_range, back->range,    back->start,    back->part_k,
                       back->part_v,      back->places_k, back->places_v, back->sums };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(back->context, blocks[i]);
    }
    ga__back_terms_free(back);
}

ga_status ga__tiles_backward(ga_context *context, const ga__attention *a,
                             const ga_attention_gradients *gradients)
{
    ga_status status = GA_OK;
    ga__back back = { .context = context, .a = a, .ops = GA__CHOOSE(context, ga__back_ops) };
    back.stride = padded(a->dim);
    back.stride_v = padded(a->dim_v);
    GA_TRY(read_views(&back, gradients));
    choose_sweeps(&back);
    GA_TRY(ga__back_plan(&back));
    GA_TRY(make_parts(&back, gradients));
    GA_TRY(run_parts(&back));
    GA_TRY(sum_places(&back, gradients));
    if (back.want_raw) {
        sum_scalars(&back);
    }
    ga__back_terms_store(&back);
done:
    release(&back);
    return status;
}
