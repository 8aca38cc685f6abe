/* dhsa.c - chunks of keys, chunk means, a budget of tokens for every query block, DHSA (attention-dynamic A3).
 *
 * kappa_c = mean of the keys of chunk c, times sqrt(n_c) unless chunk_norm=mean; q_b = sum of the block's queries /
 * sqrt(rows); select=shared takes both as means over their heads. A block keeps its most recent `window` keys and fills its
 * budget with the keys before them whose chunk has the largest q_b . kappa_c (ties: the lower key). */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/choose.h"
#include "attention/dynamic/dhsa.h"
#include "lib/base/workers.h"
#include "lib/engine/units/units.h"

enum norm { NORM_SQRT, NORM_MEAN };
enum sharing { SHARED, HEAD };
static const char *const norm_words[] = { "sqrt", "mean", NULL };
static const char *const sharing_words[] = { "shared", "head", NULL };

static const ga_parameter parameters[] = {
    { "block_q", GA_PARAMETER_INT, "64", ">= 1", "queries that share a list", GA__FROM(1) },
    { "budget", GA_PARAMETER_INT, "1024", ">= 1", "keys of a query block", GA__FROM(1) },
    { "window", GA_PARAMETER_INT, "64", ">= 0", "most recent keys, within the budget", GA__FROM(0) },
    { "chunk_norm", GA_PARAMETER_WORD, "sqrt", NULL, "scaling of chunk means", norm_words, GA__ANY },
    { "select", GA_PARAMETER_WORD, "shared", NULL, "one list for all heads or each", sharing_words, GA__ANY },
    { "boundary_window", GA_PARAMETER_INT, "4", ">= 1", "half width of the teacher", GA__FROM(1) },
    { "nms", GA_PARAMETER_INT, "8", ">= 1", "least distance of cuts", GA__FROM(1) },
    { "theta", GA_PARAMETER_REAL, "1.1", ">= 1", "least mass ratio of a cut", GA__FROM(1) },
    { "chunks", GA_PARAMETER_INT, "0", ">= 0", "most chunks; 0: no cap", GA__FROM(0) },
    { "probe_stride", GA_PARAMETER_INT, "1", ">= 1", "the teacher uses every so many rows", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "boundaries", "(chunks+1) integer", "0 .. Nk ascending; without it the teacher decides",
      .optional = true },
    { .name = NULL },
};

typedef struct rule {
    ga__cuts cuts;
    int64_t budget, window;
    enum norm norm;
    bool shared;
} rule;

/* ---- means of chunks ---- */

typedef struct averaging {
    ga__selecting *s;
    const rule *r;
    const ga__units_kernels *kernels;
    ga__summaries *means;
    int64_t next;
    int status;
} averaging;

/* Rows of one type that kernels take, `count` from key j on, into `sums`. */
static void add_keys(const averaging *a, int64_t batch, int64_t head, int64_t j, int64_t end, void *buffer,
                     void *sums)
{
    const ga__selecting *s = a->s;
    const ga__keys *k = &s->k;
    bool direct = (k->view.type == GA__F64) == s->wide;
    while (j < end) {
        int64_t rows = direct ? ga__min(end - j, ga__keys_together(k, j)) : 1;
        if (direct) {
            a->kernels->add[s->wide](rows, s->dim, ga__keys_stride(k), ga__keys_row(k, batch, head, j),
                                     k->view.type, sums);
        } else if (s->wide) {
            ga__keys_load_f64(k, batch, head, j, 1, buffer);
            a->kernels->add[1](1, s->dim, s->dim, buffer, GA__F64, sums);
        } else {
            ga__keys_load_f32(k, batch, head, j, 1, buffer);
            a->kernels->add[0](1, s->dim, s->dim, buffer, GA__F32, sums);
        }
        j += rows;
    }
}

static void average_chunk(const averaging *a, int64_t batch, int64_t head, int64_t chunk, void *buffer)
{
    const ga__selecting *s = a->s;
    const int64_t *cut = ga__cuts_of(&a->r->cuts, batch) + chunk;
    void *mean = ga__summaries_row(a->means, batch, head, chunk);
    int64_t first = a->r->shared ? 0 : head, last = a->r->shared ? s->kv_heads : head + 1;
    double size = (double)(cut[1] - cut[0]);
    double share = 1 / ((a->r->norm == NORM_SQRT ? sqrt(size) : size) * (double)(last - first));
    memset(mean, 0, (size_t)s->dim * (s->wide ? sizeof(double) : sizeof(float)));
    for (int64_t h = first; h < last; h++) {
        add_keys(a, batch, h, cut[0], cut[1], buffer, mean);
    }
    for (int64_t i = 0; i < s->dim; i++) {
        if (s->wide) {
            ((double *)mean)[i] *= share;
        } else {
            ((float *)mean)[i] *= (float)share;
        }
    }
}

static void average_worker(void *user, int worker)
{
    enum { CHUNKS = 64 };
    averaging *a = user;
    ga_status status = GA_OK;
    const ga__summaries *x = a->means;
    int64_t pieces = ga__units_of(x->room, CHUNKS);
    double *buffer = NULL;
    (void)worker;
    GA_TRY(GA_NEW(a->s->context, x->dim, &buffer));
    for (int64_t w; (w = ga__claim(&a->next)) < x->batch * x->heads * pieces;) {
        int64_t line = w / pieces, batch = line / x->heads, first = w % pieces * CHUNKS;
        int64_t last = ga__min(first + CHUNKS, a->r->cuts.chunks[batch]);
        for (int64_t c = first; c < last; c++) {
            average_chunk(a, batch, line % x->heads, c, buffer);
        }
    }
done:
    ga_free(a->s->context, buffer);
    ga__note_status(&a->status, status);
}

/* Means as rows of summaries whose units are chunks. Returns owned. */
static ga_status make_means(ga__selecting *s, const rule *r, ga__summaries **out)
{
    ga_status status = GA_OK;
    ga__summaries *x = NULL;
    int64_t room = 1, bytes = 0;
    averaging a = { .s = s, .r = r, .kernels = GA__CHOOSE(s->context, ga__units) };
    for (int64_t b = 0; b < s->batch; b++) {
        room = ga__max(room, r->cuts.chunks[b]);
    }
    GA_TRY(GA_NEW_ZERO(s->context, 1, &x));
    *x = (ga__summaries){ .kind = GA__SUMMARY_SUMS,
                          .wide = s->wide,
                          .type = s->wide ? GA__F64 : GA__F32,
                          .batch = s->batch,
                          .heads = r->shared ? ga__min(s->kv_heads, 1) : s->kv_heads,
                          .dim = s->dim,
                          .width = s->dim,
                          .unit = 1,
                          .keys = s->keys,
                          .room = room };
    if (!ga__mul(x->batch * x->heads * room, s->dim * (s->wide ? 8 : 4), &bytes)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "dhsa: too many chunks"));
    }
    GA_TRY(GA_NEW(s->context, bytes, &x->rows));
    a.means = x;
    ga__workers(s->context, ga__threads_for(s->context, x->batch * x->heads * ga__units_of(room, 64)),
                average_worker, &a);
    GA_TRY(ga__noted_status(&a.status));
    *out = x;
    x = NULL;
done:
    ga__summaries_free(s->context, x);
    return status;
}

/* ---- choosing ---- */

static void prepare(const ga__choosing *c, int64_t batch, int64_t head, int64_t list, int64_t row, void *to)
{
    const rule *r = c->user;
    int64_t first = r->shared ? 0 : head, last = r->shared ? c->s->heads : head + 1;
    int64_t queries = ga__list_last(c, list) - ga__list_first(c, list);
    (void)row;
    ga__sum_queries(c, batch, first, last, list, 1 / (sqrt((double)queries) * (double)(last - first)), to);
}

static int64_t reach(const ga__choosing *c, int64_t batch, int64_t list)
{
    const rule *r = c->user;
    (void)list;
    return r->cuts.chunks[batch];
}

typedef struct ranked {
    double score;
    int64_t chunk;
} ranked;

/* By falling score, then by place. */
static int compare_ranked(const void *a_, const void *b_)
{
    const ranked *a = a_, *b = b_;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

/* take[c] = keys of chunk c that are kept, of those before `before`, `fill` in all; the first ones of a chunk. */
static void fill_budget(const ga__choosing *c, const ga__scored *x, int64_t before, int64_t fill,
                        int64_t *take, ranked *order)
{
    const rule *r = c->user;
    const int64_t *cut = ga__cuts_of(&r->cuts, x->batch);
    int64_t count = 0;
    for (int64_t u = 0; u < x->reach; u++) {
        double score = c->s->wide ? ((const double *)x->scores)[u] : (double)((const float *)x->scores)[u];
        take[u] = 0;
        if (cut[u] < before && !isnan(score)) {
            order[count++] = (ranked){ score, u };
        }
    }
    if (count > 0) {
        qsort(order, (size_t)count, sizeof *order, compare_ranked);
    }
    for (int64_t i = 0; i < count && fill > 0; i++) {
        int64_t u = order[i].chunk;
        take[u] = ga__min(fill, ga__min(cut[u + 1], before) - cut[u]);
        fill -= take[u];
    }
}

static int64_t keep(const ga__choosing *c, const ga__scored *x)
{
    const rule *r = c->user;
    const ga__selecting *s = c->s;
    const int64_t *cut = ga__cuts_of(&r->cuts, x->batch);
    int64_t position = ga__position(s, ga__list_last(c, x->list) - 1), count = 0;
    int64_t end = s->causal ? ga__min(ga__max(position + 1, 0), s->keys) : s->keys;
    int64_t recent = ga__max(end - ga__min(r->window, r->budget), 0);
    int64_t *take = (int64_t *)(void *)x->scratch;
    fill_budget(c, x, recent, r->budget - (end - recent), take, (ranked *)(void *)(take + c->units));
    for (int64_t u = 0; u < x->reach; u++) {
        for (int64_t j = 0; j < take[u]; j++) {
            x->units[count++] = (int32_t)(cut[u] + j);
        }
    }
    for (int64_t j = recent; j < end; j++) {
        x->units[count++] = (int32_t)j;
    }
    return count;
}

static ga_status note_boundaries(ga__selecting *s, const ga__cuts *cuts)
{
    static const DLDataType i32 = { kDLInt, 32, 1 };
    ga_status status = GA_OK;
    DLTensor *note = NULL;
    int64_t width = 0;
    for (int64_t b = 0; b < s->batch; b++) {
        width = ga__max(width, cuts->chunks[b] + 1);
    }
    GA_TRY(ga__note_new(s, "boundaries", i32, 2, (int64_t[]){ s->batch, width }, &note));
    for (int64_t i = 0; i < s->batch * width; i++) {
        int64_t b = i / width, c = i % width;
        ((int32_t *)note->data)[i] = c <= cuts->chunks[b] ? (int32_t)ga__cuts_of(cuts, b)[c] : -1;
    }
done:
    return status;
}

static ga_status select_keys(ga__selecting *s, ga_selection **selection)
{
    ga_status status = GA_OK;
    ga__summaries *means = NULL;
    rule r = { .budget = ga__part_value(s->part, "budget")->integer,
               .window = ga__part_value(s->part, "window")->integer,
               .norm = (enum norm)ga__part_value(s->part, "chunk_norm")->integer,
               .shared = ga__part_value(s->part, "select")->integer == SHARED };
    ga__choosing c = { .s = s,
                       .user = &r,
                       .heads = r.shared ? ga__min(s->heads, 1) : s->heads,
                       .block_query = ga__part_value(s->part, "block_q")->integer,
                       .rows = 1,
                       .most = ga__min(r.budget, s->keys),
                       .prepare = prepare,
                       .reach = reach,
                       .keep = keep };
    GA_TRY(ga__cuts_make(s, &r.cuts));
    GA_TRY(make_means(s, &r, &means));
    c.summaries = means;
    c.units = means->room;
    c.scratch = 3 * means->room;
    if (!r.cuts.given) {
        GA_TRY(note_boundaries(s, &r.cuts));
    }
    GA_TRY(ga__choose_units(&c, selection));
    (*selection)->window = s->causal ? 1 : 0;
done:
    ga__cuts_free(s->context, &r.cuts);
    ga__summaries_free(s->context, means);
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    return ga__fail(run->context, GA_INVALID,
                    "dhsa cannot be decoded token by token: chunks are cut over all keys");
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .decode = decode };

const ga_variant ga__dhsa_variant = {
    .name = "dhsa",
    .summary = "chunks of keys, and a budget of tokens for every query block",
    .source = "DHSA, 2510.24606",
    .family = "dynamic",
    .plan = "selector: tokens of the best chunks of a query block; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected, boundaries",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_SELECTS,
    .causality = { .prefix = GA_PREFIX_SUPPORT, .apart_unit = "block_q" },
    .ops = &ops,
};
