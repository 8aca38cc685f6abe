/* hip.c - tree search for the best key blocks by representatives, HiP (attention-dynamic A2).
 *
 * Keys lo .. hi - 1 are searched: lo = min(sinks, Nk), hi = Nk or, causal, the end of the query block less the window.
 * They are cut into nb units of block_k keys and these into kk = max(1, floor(top_k / block_k)) groups. In every round
 * each group splits into two, every half is judged by the largest q.k of one unit of it, and the kk best halves go on,
 * until they are single units: 2 kk scores a round, log2(nb / kk) rounds. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/selector.h"
#include "lib/base/workers.h"
#include "lib/engine/gemm/gemm.h"
#include "lib/engine/top_k/top_k.h"
#include "lib/engine/units/units.h"

enum representative { CENTER, FIRST };
static const char *const representative_words[] = { "center", "first", NULL };

static const ga_parameter parameters[] = {
    { "top_k", GA_PARAMETER_INT, "512", ">= 1", "keys kept by the search", GA__FROM(1) },
    { "block_q", GA_PARAMETER_INT, "64", ">= 1", "queries that share a list", GA__FROM(1) },
    { "stride_q", GA_PARAMETER_INT, "2", ">= 1", "every so many queries of a block judge", GA__FROM(1) },
    { "block_k", GA_PARAMETER_INT, "2", ">= 1", "keys of a unit", GA__FROM(1) },
    { "stride_k", GA_PARAMETER_INT, "1", ">= 1", "every so many keys of a unit are judged", GA__FROM(1) },
    { "sinks", GA_PARAMETER_INT, "16", ">= 0", "first keys, always kept", GA__FROM(0) },
    { "window", GA_PARAMETER_INT, "256", ">= 0", "last keys, always kept when causal", GA__FROM(0) },
    { "representative", GA_PARAMETER_WORD, "center", NULL, "the unit that stands for a range",
      representative_words, GA__ANY },
    { .name = NULL },
};

enum {
    CHUNK = 256,
    KEYS = 2048,
    SKINNY = 4
}; /* halves and keys that are scored at a time; rows too few for a product */

/* Units [first, last). */
typedef struct range {
    int64_t first, last;
} range;

typedef struct search {
    ga__selecting *s;
    const ga__gemm_kernels *gemm;
    const ga__units_kernels *units;
    const ga__top_k_kernels *top;
    int64_t block_q, stride_q, block_k, stride_k, lo, window,
        groups; /* groups: kk, at most the units there are */
    enum representative representative;
    int64_t lists, next;
    int64_t rows, keys; /* of a query block and of a unit that are judged, at most */
    int64_t chunk;      /* halves that are scored at a time */
    int64_t size;
    int64_t *counts; /* owned */
    int32_t *kept;   /* owned: groups for every list */
    int status;
} search;

/* What a worker searches with; one block of memory. */
typedef struct room {
    range *ranges, *halves; /* groups, 2 groups */
    int32_t *best;
    char *q, *k;            /* (rows, dim), (chunk * keys, dim) */
    char *products, *most;  /* (rows, chunk * keys), (chunk * keys) */
    char *scores, *scratch; /* (2 groups), of choosing and of the product */
    char *gemm;
    int64_t rows, *position; /* of the queries that judge */
    int64_t *key;            /* (chunk * keys) */
    const void **place;      /* (chunk * keys): where the rows are, when they are read there */
    bool direct;
    char *memory; /* owned */
} room;

/* ---- rooms ---- */

static ga__gemm product_of(const search *h, int64_t rows, int64_t keys)
{
    int64_t dim = h->s->dim;
    return (ga__gemm){ .transpose_b = true,
                       .wide = h->s->wide,
                       .alpha = 1,
                       .m = rows,
                       .n = keys,
                       .k = dim,
                       .lda = dim,
                       .ldb = dim,
                       .ldc = keys };
}

static ga_status room_make(const search *h, room *r)
{
    ga_status status = GA_OK;
    int64_t keys = h->chunk * h->keys, dim = h->s->dim, size = h->size, at = 0;
    ga__gemm g = product_of(h, h->rows, keys);
    const struct {
        void *to;
        int64_t count, size;
    } parts[] = { { &r->ranges, h->groups, sizeof(range) },
                  { &r->halves, 2 * h->groups, sizeof(range) },
                  { &r->best, 2 * h->groups, sizeof(int32_t) },
                  { &r->q, h->rows * dim, size },
                  { &r->k, keys * dim, size },
                  { &r->products, h->rows * keys, size },
                  { &r->most, keys, size },
                  { &r->scores, 2 * h->groups, size },
                  { &r->scratch, h->groups, size },
                  { &r->gemm, ga__gemm_scratch(&g, GA__GEMM_ROWS), size },
                  { &r->position, h->rows, sizeof(int64_t) },
                  { &r->key, keys, sizeof(int64_t) },
                  { &r->place, keys, sizeof(void *) } };
    *r = (room){ .memory = NULL };
    for (int pass = 0; pass < 2; pass++) {
        at = 0;
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            if (pass == 1) {
                char *place = r->memory + at;
                memcpy(parts[i].to, &place, sizeof place);
            }
            at += (parts[i].count * parts[i].size + 63) / 64 * 64;
        }
        if (pass == 0) {
            GA_TRY(GA_NEW(h->s->context, at, &r->memory));
        }
    }
done:
    return status;
}

/* ---- scores ---- */

static void load_queries(const search *h, room *r, int64_t batch, int64_t head, int64_t first, int64_t last)
{
    r->rows = 0;
    for (int64_t i = first; i < last; i += h->stride_q) {
        char *to = r->q + r->rows * h->s->dim * h->size;
        r->position[r->rows++] = h->s->causal ? ga__position(h->s, i) : h->s->keys;
        if (h->s->wide) {
            ga__view_load_f64(&h->s->q, batch, head, i, (double *)(void *)to);
        } else {
            ga__view_load_f32(&h->s->q, batch, head, i, (float *)(void *)to);
        }
    }
    r->direct = r->rows <= SKINNY && ga__keys_direct(&h->s->k, h->s->wide);
}

/* Judged keys of a unit, or where they are, into the room from place `at` on; returns the place behind them. */
static int64_t load_unit(const search *h, room *r, int64_t batch, int64_t kv_head, int64_t unit, int64_t hi,
                         int64_t at)
{
    int64_t first = h->lo + unit * h->block_k, last = first + ga__min(h->block_k, hi - first);
    for (int64_t j = first; j < last; j += h->stride_k) {
        if (r->direct) {
            r->place[at] = ga__keys_row(&h->s->k, batch, kv_head, j);
        } else {
            ga__keys_load(h->s->context, h->s->wide, &h->s->k, batch, kv_head, j, 1,
                          r->k + at * h->s->dim * h->size);
        }
        r->key[at++] = j;
    }
    return at;
}

static double number(const search *h, const char *numbers, int64_t i)
{
    return h->s->wide ? ((const double *)(const void *)numbers)[i]
                      : (double)((const float *)(const void *)numbers)[i];
}

static void set_number(const search *h, char *numbers, int64_t i, double value)
{
    if (h->s->wide) {
        ((double *)(void *)numbers)[i] = value;
    } else {
        ((float *)(void *)numbers)[i] = (float)value;
    }
}

/* most_j = the largest product of key j with a query that sees it; -inf when none does. Keys ascend. */
static void best_products(const search *h, room *r, int64_t keys)
{
    ga__gemm g = product_of(h, r->rows, keys);
    if (r->direct) {
        h->units->dots_at[g.wide](g.m, g.n, g.k, r->q, r->place, h->s->k.view.type, r->products, keys);
    } else if (r->rows <= SKINNY || g.k == 0) {
        h->units->dots[g.wide](g.m, g.n, g.k, r->q, r->k, r->products, keys);
    } else {
        for (int64_t row = 0; row < g.m; row += GA__GEMM_ROWS) {
            for (int64_t column = 0; column < g.n; column += GA__GEMM_COLUMNS) {
                ga__block block = { row, ga__min(g.m, row + GA__GEMM_ROWS), column,
                                    ga__min(g.n, column + GA__GEMM_COLUMNS) };
                h->gemm->block[g.wide](&g, &block, r->q, r->k, r->products, r->gemm);
            }
        }
    }
    for (int64_t j = 0; j < keys; j++) {
        set_number(h, r->most, j, -INFINITY);
    }
    for (int64_t row = 0; row < r->rows; row++) {
        int64_t seen = 0, end = keys;
        while (seen < end) {
            int64_t middle = seen + (end - seen) / 2;
            if (r->key[middle] <= r->position[row]) {
                seen = middle + 1;
            } else {
                end = middle;
            }
        }
        h->units->most[g.wide](seen, r->products + row * keys * h->size, r->most);
    }
}

static int64_t representative_of(const search *h, range x)
{
    return h->representative == FIRST ? x.first : (x.first + x.last - 1) / 2;
}

/* Scores of halves; NaN where no query sees a judged key. */
static void score_halves(const search *h, room *r, int64_t batch, int64_t kv_head, int64_t hi, int64_t count)
{
    int64_t end[CHUNK];
    for (int64_t from = 0; from < count; from += h->chunk) {
        int64_t some = ga__min(h->chunk, count - from), keys = 0;
        for (int64_t i = 0; i < some; i++) {
            int64_t unit = representative_of(h, r->halves[from + i]);
            end[i] = keys = load_unit(h, r, batch, kv_head, unit, hi, keys);
        }
        best_products(h, r, keys);
        for (int64_t i = 0, j = 0; i < some; i++) {
            double score = -INFINITY;
            for (; j < end[i]; j++) {
                score = fmax(score, number(h, r->most, j));
            }
            set_number(h, r->scores, from + i, score > -INFINITY ? score : NAN);
        }
    }
}

/* ---- the search ---- */

/* Splits `count` ranges; returns the number of halves that are not empty. */
static int64_t split(room *r, int64_t count)
{
    int64_t halves = 0;
    for (int64_t g = 0; g < count; g++) {
        range x = r->ranges[g];
        int64_t middle = (x.first + x.last + 1) / 2;
        r->halves[halves++] = (range){ x.first, middle };
        if (middle < x.last) {
            r->halves[halves++] = (range){ middle, x.last };
        }
    }
    return halves;
}

static bool is_wide(const room *r, int64_t count)
{
    for (int64_t g = 0; g < count; g++) {
        if (r->ranges[g].last - r->ranges[g].first > 1) {
            return true;
        }
    }
    return false;
}

/* Units of `units` that are kept, ascending, into kept; returns their number. */
static int64_t search_units(const search *h, room *r, int64_t batch, int64_t head, int64_t hi, int64_t units,
                            int32_t *kept)
{
    int64_t count = ga__min(units, h->groups), kv_head = head / h->s->group;
    bool wide = h->s->wide;
    for (int64_t g = 0; g < count; g++) {
        __extension__ typedef __int128 product;
        r->ranges[g] =
            (range){ (int64_t)((product)units * g / count), (int64_t)((product)units * (g + 1) / count) };
    }
    while (is_wide(r, count)) {
        int64_t halves = split(r, count);
        score_halves(h, r, batch, kv_head, hi, halves);
        count = h->top->select[wide](r->scores, wide ? GA__F64 : GA__F32, halves, ga__min(h->groups, halves),
                                     r->best, r->scratch);
        for (int64_t g = 0; g < count; g++) {
            r->ranges[g] = r->halves[r->best[g]];
        }
    }
    for (int64_t g = 0; g < count; g++) {
        kept[g] = (int32_t)r->ranges[g].first;
    }
    return count;
}

static int64_t units_of(const search *h, int64_t last, int64_t *hi)
{
    const ga__selecting *s = h->s;
    int64_t end = s->causal ? last + s->keys - s->queries : s->keys;
    *hi = s->causal ? ga__max(h->lo, h->window < end ? end - h->window : 0) : s->keys;
    return (*hi - h->lo) / h->block_k + ((*hi - h->lo) % h->block_k != 0);
}

static void search_worker(void *user, int worker)
{
    search *h = user;
    ga_status status = GA_OK;
    const ga__selecting *s = h->s;
    room r;
    (void)worker;
    GA_TRY(room_make(h, &r));
    for (int64_t w; (w = ga__claim(&h->next)) < s->batch * s->heads * h->lists &&
                    !ga__stopped(s->context, &h->status);) {
        int64_t line = w / h->lists, first = w % h->lists * h->block_q, hi;
        int64_t last = first + ga__min(h->block_q, s->queries - first), units = units_of(h, last, &hi);
        load_queries(h, &r, line / s->heads, line % s->heads, first, last);
        h->counts[w] =
            search_units(h, &r, line / s->heads, line % s->heads, hi, units, h->kept + w * h->groups);
    }
done:
    ga_free(s->context, r.memory);
    ga__note_status(&h->status, status);
}

/* Sizes of the search, by the problem alone. */
static ga_status plan(search *h, int64_t top_k)
{
    ga_status status = GA_OK;
    const ga__selecting *s = h->s;
    int64_t queries = ga__min(h->block_q, s->queries), keys = ga__max(s->keys - h->lo, 0), kept = 0;
    h->lists = s->queries / h->block_q + (s->queries % h->block_q != 0);
    h->groups = ga__min(ga__max(top_k / h->block_k, 1), ga__max(keys / h->block_k + 1, 1));
    h->stride_q = ga__min(h->stride_q, ga__max(queries, 1));
    h->rows = queries / h->stride_q + (queries % h->stride_q != 0);
    h->keys = ga__max(ga__min(h->block_k, keys), 1);
    h->stride_k = ga__min(h->stride_k, h->keys);
    h->keys = h->keys / h->stride_k + (h->keys % h->stride_k != 0);
    h->chunk = ga__max(ga__min(CHUNK, KEYS / h->keys), 1);
    h->size = s->wide ? sizeof(double) : sizeof(float);
    if (!ga__mul(s->batch * s->heads * h->lists, h->groups, &kept)) {
        return ga__fail(s->context, GA_OVERFLOW, "hip: too many lists");
    }
    GA_TRY(GA_NEW_ZERO(s->context, s->batch * s->heads * h->lists, &h->counts));
    status = GA_NEW(s->context, kept, &h->kept);
done:
    return status;
}

/* Two halves of every group in each of log2(units / groups) rounds, at most. */
static void predict(const search *h)
{
    double lists = (double)(h->s->batch * h->s->heads * h->lists), groups = (double)h->groups;
    double units = (double)ga__max(h->s->keys - h->lo, 0) / (double)h->block_k;
    double halves = units > groups ? lists * 2 * groups * ceil(log2(units / groups)) : 0;
    h->s->flops += halves * (double)(h->rows * h->keys) * 2 * (double)h->s->dim;
    h->s->bytes += halves * (double)(h->keys * h->s->dim * h->size);
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    ga_selection *made = NULL;
    search h = { .s = s,
                 .gemm = GA__CHOOSE(s->context, ga__gemm),
                 .units = GA__CHOOSE(s->context, ga__units),
                 .top = GA__CHOOSE(s->context, ga__top_k),
                 .block_q = ga__part_value(s->part, "block_q")->integer,
                 .stride_q = ga__part_value(s->part, "stride_q")->integer,
                 .block_k = ga__part_value(s->part, "block_k")->integer,
                 .stride_k = ga__part_value(s->part, "stride_k")->integer,
                 .window = ga__part_value(s->part, "window")->integer,
                 .representative = (enum representative)ga__part_value(s->part, "representative")->integer };
    h.lo = ga__min(ga__part_value(s->part, "sinks")->integer, s->keys);
    GA_TRY(plan(&h, ga__part_value(s->part, "top_k")->integer));
    predict(&h);
    ga__workers(s->context, ga__threads_for(s->context, s->batch * s->heads * h.lists), search_worker, &h);
    GA_TRY(ga__noted_status(&h.status));
    GA_TRY(ga__selection_new(s, s->heads, h.block_q, h.block_q, &made));
    made->unit = ga__min(h.block_k, ga__max(s->keys, 1));
    made->origin = h.lo;
    made->sinks = h.lo;
    made->window = ga__min(h.window, s->keys);
    ga__selection_adopt(made, h.counts, &h.kept, h.groups);
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    ga_free(s->context, h.counts);
    ga_free(s->context, h.kept);
    return status;
}

/* ---- the variant ---- */

/* Units by their first keys. */
static ga_status output(ga__job *run, const char *name, DLTensor **out)
{
    const ga_selection *s = run->selection;
    const int64_t shape[] = { s->batch, s->heads, s->lists };
    if (strcmp(name, "selected") != 0) {
        return ga__selected_output(run, name, out);
    }
    return ga__lists_tensor(run->context, s->offsets, s->units, s->origin, s->unit, 3, shape, out);
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    if (ga__part_value(&run->own, "block_q")->integer != 1) {
        return ga__fail(run->context, GA_INVALID,
                        "hip: the queries of a block choose together; decode with block_q=1");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .normaliser = &ga__softmax_row,
                                     .plan = ga__selected_plan,
                                     .forward = ga__selected_forward,
                                     .backward = ga__selected_backward,
                                     .output = output,
                                     .select = select_keys,
                                     .decode = decode };

const ga_variant ga__hip_variant = {
    .name = "hip",
    .summary = "tree search for the best key blocks by representatives",
    .source = "HiP, 2406.09827",
    .family = "dynamic",
    .plan =
        "selector: units of keys by halving, beside sinks and a window; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .prefix = GA_PREFIX_BLOCK, .unit = "block_q", .apart_unit = "block_q" },
    .ops = &ops,
};
