/* paged.c - few queries over many keys: items on several threads, then every set's items joined in order. */
#include "config.h"

#include "lib/engine/paged_attention/paged.h"

#include <math.h>
#include <string.h>

#include "lib/engine/paged_attention/paged_sets.h"

/* What a worker has for itself. */
typedef struct room {
    float *q, *s, *scores; /* (ROWS, stride_q), (ROWS, TILE), (ROWS, ITEM) or NULL */
    const void **k, **v;   /* (ITEM) */
    uint8_t *tokens;       /* (ITEM) */
    double *row;           /* (dim_v) */
} room;

typedef struct run {
    ga_context *context;
    const ga__paged *problem;
    const ga__paged_kernels *kernels;
    ga__paged_sets sets;
    int64_t stride_q, stride_v, rows; /* rows: of the largest set */
    float *m, *z, *acc;               /* owned: (items, rows), (items, rows), (items, rows, stride_v) */
    room *rooms;                      /* owned */
    int64_t next;
    int status;
} run;

static int64_t padded(int64_t n)
{
    return (n + 15) / 16 * 16;
}

/* ---- an item ---- */

static void load_queries(const run *r, const ga__paged_set *set, float *q)
{
    const ga__paged *p = r->problem;
    int rows = set->heads * (int)p->q.rows;
    for (int row = 0; row < rows; row++) {
        float *to = q + row * r->stride_q;
        ga__view_load_f32(&p->q, set->batch, set->head + row % set->heads, row / set->heads, to);
        for (int64_t c = 0; c < p->q.columns; c++) {
            to[c] *= (float)p->scale;
        }
        memset(to + p->q.columns, 0, (size_t)(r->stride_q - p->q.columns) * sizeof *to);
    }
}

/* The rows of an item's keys; true when every token sees all of them. */
static bool gather(const run *r, const ga__paged_cut *cut, const ga__paged_set *set, const room *own)
{
    const ga__paged *p = r->problem;
    const ga__paged_segment *segment = r->sets.segments + cut->segment;
    uint32_t all = (1u << p->q.rows) - 1, common = all;
    int32_t offset = cut->offset;
    for (int32_t done = 0; done < cut->count; segment++, offset = 0) {
        int32_t take = (int32_t)ga__min(segment->last - segment->first - offset, cut->count - done);
        ga__keys_point(&p->k, set->batch, set->kv, segment->first + offset, take, own->k + done);
        ga__keys_point(&p->v, set->batch, set->kv, segment->first + offset, take, own->v + done);
        memset(own->tokens + done, (int)segment->tokens, (size_t)take);
        common &= segment->tokens;
        done += take;
    }
    return common == all;
}

/* The scores of an item, to their places: all items before it have GA__PAGED_ITEM keys. */
static void spread_scores(const run *r, int64_t number, const ga__paged_set *set, const room *own)
{
    const ga__paged *p = r->problem;
    int64_t first = (number - set->item) * GA__PAGED_ITEM;
    for (int row = 0; row < set->heads; row++) {
        memcpy(p->scores + (set->batch * p->q.heads + set->head + row) * p->score_stride + first,
               own->scores + row * GA__PAGED_ITEM, (size_t)r->sets.cuts[number].count * sizeof *own->scores);
    }
}

static void run_item(const run *r, int64_t number, const room *own)
{
    const ga__paged *p = r->problem;
    const ga__paged_cut *cut = &r->sets.cuts[number];
    const ga__paged_set *set = &r->sets.sets[cut->set];
    bool all = gather(r, cut, set, own);
    load_queries(r, set, own->q);
    ga__paged_item item = { .rows = set->heads * (int)p->q.rows,
                            .heads = set->heads,
                            .count = cut->count,
                            .dim = p->q.columns,
                            .dim_v = p->v.view.columns,
                            .stride_q = r->stride_q,
                            .stride_v = r->stride_v,
                            .type_k = p->k.view.type,
                            .type_v = p->v.view.type,
                            .q = own->q,
                            .k = own->k,
                            .v = own->v,
                            .tokens = all ? NULL : own->tokens,
                            .s = own->s,
                            .scores = own->scores,
                            .m = r->m + number * r->rows,
                            .z = r->z + number * r->rows,
                            .acc = r->acc + number * r->rows * r->stride_v };
    r->kernels->run(&item);
    if (own->scores) {
        spread_scores(r, number, set, own);
    }
}

static void item_worker(void *user, int worker)
{
    run *r = user;
    for (int64_t i; (i = ga__claim(&r->next)) < r->sets.cut_count && !ga__stopped(r->context, &r->status);) {
        run_item(r, i, &r->rooms[worker]);
    }
}

/* ---- joining ---- */

/* m = max m_i, z = sum z_i e^(m_i - m), o = sum acc_i e^(m_i - m) / z; what saw no key has m = -inf and z = 0, what saw
 * no number has z = NaN. */
static void join_row(const run *r, const ga__paged_set *set, int row, double *sum)
{
    const ga__paged *p = r->problem;
    int64_t dim = p->v.view.columns, head = set->head + row % set->heads, token = row / set->heads;
    double m = -INFINITY, z = 0;
    for (int64_t i = set->item; i < set->item + set->items; i++) {
        m = fmax(m, (double)r->m[i * r->rows + row]);
    }
    memset(sum, 0, (size_t)dim * sizeof *sum);
    for (int64_t i = set->item; i < set->item + set->items; i++) {
        double own_m = (double)r->m[i * r->rows + row], own_z = (double)r->z[i * r->rows + row];
        const float *acc = r->acc + (i * r->rows + row) * r->stride_v;
        if (own_z == 0) {
            continue;
        }
        double w = own_m == m ? 1 : exp(own_m - m);
        z += isnan(own_z) ? own_z : w * own_z;
        for (int64_t c = 0; c < dim; c++) {
            sum[c] += w * (double)acc[c];
        }
    }
    for (int64_t c = 0; c < dim && z != 0; c++) {
        sum[c] /= z;
    }
    if (p->o.data) {
        ga__view_store_f64(&p->o, set->batch, head, token, sum);
    }
    if (p->lse.data) {
        ga__view_set(&p->lse, 0, set->batch, head, token, z == 0 ? -INFINITY : m + log(z));
    }
}

static void join_worker(void *user, int worker)
{
    run *r = user;
    for (int64_t i; (i = ga__claim(&r->next)) < r->sets.set_count && !ga__stopped(r->context, &r->status);) {
        const ga__paged_set *set = &r->sets.sets[i];
        for (int row = 0; row < set->heads * (int)r->problem->q.rows; row++) {
            join_row(r, set, row, r->rooms[worker].row);
        }
    }
}

/* ---- the call ---- */

static ga_status make_room(const run *r, room *own)
{
    ga_status status = GA_OK;
    const ga__paged *p = r->problem;
    GA_TRY(GA_NEW(r->context, GA__PAGED_ROWS * r->stride_q, &own->q));
    GA_TRY(GA_NEW(r->context, GA__PAGED_ROWS * GA__PAGED_TILE, &own->s));
    GA_TRY(GA_NEW(r->context, GA__PAGED_ITEM, &own->k));
    GA_TRY(GA_NEW(r->context, GA__PAGED_ITEM, &own->v));
    GA_TRY(GA_NEW(r->context, GA__PAGED_ITEM, &own->tokens));
    GA_TRY(GA_NEW(r->context, p->v.view.columns, &own->row));
    if (p->scores) {
        GA_TRY(GA_NEW(r->context, GA__PAGED_ROWS * GA__PAGED_ITEM, &own->scores));
    }
done:
    return status;
}

static void free_room(ga_context *context, room *own)
{
    ga_free(context, own->q);
    ga_free(context, own->s);
    ga_free(context, own->k);
    ga_free(context, own->v);
    ga_free(context, own->tokens);
    ga_free(context, own->row);
    ga_free(context, own->scores);
}

/* Results of the items. */
static ga_status make_parts(run *r)
{
    ga_status status = GA_OK;
    int64_t rows = 0, size = 0;
    for (int64_t i = 0; i < r->sets.set_count; i++) {
        r->rows = ga__max(r->rows, r->sets.sets[i].heads * r->problem->q.rows);
    }
    if (!ga__mul(r->sets.cut_count, r->rows, &rows) || !ga__mul(rows, r->stride_v, &size)) {
        GA_TRY(ga__fail(r->context, GA_OVERFLOW, "attention: too many parts"));
    }
    GA_TRY(GA_NEW(r->context, rows, &r->m));
    GA_TRY(GA_NEW(r->context, rows, &r->z));
    GA_TRY(GA_NEW(r->context, size, &r->acc));
done:
    return status;
}

ga_status ga__paged_attend(ga_context *context, const ga__paged *problem)
{
    ga_status status = GA_OK;
    run r = { .context = context,
              .problem = problem,
              .kernels = GA__CHOOSE(context, ga__paged),
              .stride_q = padded(problem->q.columns),
              .stride_v = padded(problem->v.view.columns) };
    int threads = 0;
    if (problem->q.batch == 0 || problem->q.heads == 0 || problem->q.rows == 0) {
        return GA_OK;
    }
    GA_TRY(ga__paged_sets_make(context, problem, &r.sets));
    GA_TRY(make_parts(&r));
    threads = ga__threads_for(context, ga__max(r.sets.cut_count, r.sets.set_count));
    GA_TRY(GA_NEW_ZERO(context, threads, &r.rooms));
    for (int i = 0; i < threads; i++) {
        GA_TRY(make_room(&r, &r.rooms[i]));
    }
    ga__workers(context, threads, item_worker, &r);
    GA_TRY(ga__noted_status(&r.status));
    r.next = 0;
    ga__workers(context, threads, join_worker, &r);
    status = ga__noted_status(&r.status);
done:
    for (int i = 0; i < threads && r.rooms; i++) {
        free_room(context, &r.rooms[i]);
    }
    ga_free(context, r.rooms);
    ga_free(context, r.m);
    ga_free(context, r.z);
    ga_free(context, r.acc);
    ga__paged_sets_free(context, &r.sets);
    return status;
}
