/* flexprefill.c - blocks by covered mass, and a divergence test for query-aware heads (attention-dynamic A6.3).
 *
 * Blocks are counted by position. From the last rows: vert, slash = column and diagonal means of P, bv, bs = their sums by
 * blocks, cover(x, m) = numbers of x, largest first, whose sum exceeds m. A head is query-aware when
 * sqrt(JS(softmax(mean q . mean k * scale), bv)) < tau.
 *
 * The method is one of prefill, and where it comes from decoding is dense. In a session the queries of a step are the last
 * block of queries: the tiles of their rows are chosen by the same rule, from these rows alone, as they are when the same
 * rows end a prefill. Short is then a matter of the keys, since a step is always short of queries. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/probe_rows.h"
#include "attention/dynamic/summaries.h"

static const ga_parameter parameters[] = {
    { "gamma", GA_PARAMETER_REAL, "0.9", "0..1", "mass to cover", GA__WITHIN(0, 1) },
    { "tau", GA_PARAMETER_REAL, "0.1", "0..0.833", "divergence below which a head is query-aware",
      GA__WITHIN(0, 0.833) },
    { "block", GA_PARAMETER_INT, "128", ">= 1", "block", GA__FROM(1) },
    { "min_budget", GA_PARAMETER_INT, "512", ">= 1", "least keys", GA__FROM(1) },
    { "max_budget", GA_PARAMETER_INT, "0", ">= 0", "most keys; 0: no cap", GA__FROM(0) },
    { .name = NULL },
};

typedef struct choice {
    ga__selecting *s;
    double gamma, tau;
    int64_t block, least, most;       /* least, most: blocks */
    int64_t lists, first, key_blocks; /* first: number of the first query block, may be negative */
    uint8_t *tiles;                   /* owned: (batch, heads, lists, key blocks) */
    double *distance;                 /* owned: (batch, heads) */
    uint8_t *aware;
} choice;

/* Memory of one head. */
typedef struct scratch {
    double *sums, *sorted, *keys, *blocks, *guess, *query, *map, *rest;
    int32_t *list;
} scratch;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t values_of(const choice *c)
{
    int64_t n = c->s->keys, blocks = c->key_blocks;
    return 2 * n + blocks * (c->s->dim + 2) + c->s->dim + 3 * c->lists * blocks;
}

static scratch split(const choice *c, const ga__probe_room *room)
{
    int64_t n = c->s->keys, blocks = c->key_blocks;
    scratch x = { .sums = ga__probe_values(room), .list = ga__probe_numbers(room) };
    x.sorted = x.sums + n;
    x.keys = x.sorted + n;
    x.blocks = x.keys + blocks * c->s->dim;
    x.guess = x.blocks + blocks;
    x.query = x.guess + blocks;
    x.map = x.query + c->s->dim;
    x.rest = x.map + c->lists * blocks; /* twice that many */
    return x;
}

/* ---- means of blocks ---- */

static void pool_keys(const choice *c, const scratch *x, int64_t batch, int64_t head)
{
    int64_t d = c->s->dim;
    double *row = x->query;
    if (c->s->summaries) { /* of a session, sums of these blocks */
        for (int64_t u = 0; u < c->key_blocks; u++) {
            const float *sum = ga__summaries_row(c->s->summaries, 0, head / c->s->group, u);
            for (int64_t i = 0; i < d; i++) {
                x->keys[u * d + i] = (double)sum[i] / (double)ga__summaries_size(c->s->summaries, u);
            }
        }
        return;
    }
    memset(x->keys, 0, (size_t)(c->key_blocks * d) * sizeof *x->keys);
    for (int64_t j = 0; j < c->s->keys; j++) {
        double *mean = x->keys + j / c->block * d;
        double share = 1 / (double)ga__min(c->block, c->s->keys - j / c->block * c->block);
        ga__keys_load_f64(&c->s->k, batch, head / c->s->group, j, 1, row);
        for (int64_t i = 0; i < d; i++) {
            mean[i] += share * row[i];
        }
    }
}

/* x->query = mean of the queries [first, last); row: room for one. */
static void pool_queries(const choice *c, const scratch *x, int64_t batch, int64_t head, int64_t first,
                         int64_t last, double *row)
{
    int64_t d = c->s->dim;
    memset(x->query, 0, (size_t)d * sizeof *x->query);
    for (int64_t i = first; i < last; i++) {
        ga__view_load_f64(&c->s->q, batch, head, i, row);
        for (int64_t k = 0; k < d; k++) {
            x->query[k] += row[k] / (double)(last - first);
        }
    }
}

/* out = softmax of x->query . pooled key over the first n blocks. */
static void guess(const choice *c, const scratch *x, int64_t n, double *out)
{
    double most = -INFINITY, sum = 0;
    for (int64_t u = 0; u < n; u++) {
        out[u] = 0;
        for (int64_t i = 0; i < c->s->dim; i++) {
            out[u] += x->query[i] * x->keys[u * c->s->dim + i];
        }
        out[u] *= c->s->scale;
        most = out[u] > most ? out[u] : most;
    }
    for (int64_t u = 0; u < n; u++) {
        out[u] = exp(out[u] - most);
        sum += out[u];
    }
    for (int64_t u = 0; u < n; u++) {
        out[u] /= sum;
    }
}

/* Half of a Kullback-Leibler divergence from the mean of the two. */
static double half_divergence(double p, double mean)
{
    return p > 0 ? 0.5 * p * log(p / mean) : p - p; /* NaN stays */
}

static double distance(int64_t n, const double *p, const double *q)
{
    double sum = 0;
    for (int64_t u = 0; u < n; u++) {
        double mean = 0.5 * (p[u] + q[u]);
        sum += half_divergence(p[u], mean) + half_divergence(q[u], mean);
    }
    return sqrt(sum > 0 || isnan(sum) ? sum : 0);
}

/* ---- a head ---- */

static void sum_blocks(const choice *c, const scratch *x)
{
    memset(x->blocks, 0, (size_t)c->key_blocks * sizeof *x->blocks);
    for (int64_t j = 0; j < c->s->keys; j++) {
        x->blocks[j / c->block] += x->sums[j];
    }
}

static void scale_sums(const choice *c, const scratch *x, int64_t rows)
{
    for (int64_t j = 0; j < c->s->keys; j++) {
        x->sums[j] /= (double)rows;
    }
}

/* Blocks that the mass of x->sums asks for. */
static int64_t blocks_to_cover(const choice *c, const scratch *x)
{
    if (c->least >= c->most) { /* whatever it takes */
        return c->most;
    }
    int64_t count = ga__probe_cover(x->sums, c->s->keys, c->gamma, x->sorted) / c->block + 1;
    return ga__min(ga__max(count, c->least), c->most);
}

/* Marks the best `count` blocks: columns, or diagonals by distance. */
static void mark(const choice *c, const ga__probe_room *room, const scratch *x, int64_t count, bool diagonal,
                 uint8_t *tiles)
{
    int64_t found = ga__probe_best(room, x->blocks, c->key_blocks, count, x->list, x->rest);
    for (int64_t l = 0; l < c->lists; l++) {
        for (int64_t i = 0; i < found; i++) {
            int64_t b = c->first + l, u = diagonal ? b - x->list[i] : x->list[i];
            if (u >= 0 && u <= b) {
                tiles[l * c->key_blocks + u] = 1;
            }
        }
    }
}

/* Tiles of the pooled map, largest first, until they have gamma times the mass. */
static void mark_aware(const choice *c, const ga__probe_room *room, const scratch *x, int64_t batch,
                       int64_t head, uint8_t *tiles)
{
    int64_t off = c->s->keys - c->s->queries, count = 0, rows = 0;
    for (int64_t l = ga__max(-c->first, 0); l < c->lists; l++, rows++) {
        int64_t b = c->first + l, first = ga__max(b * c->block - off, 0);
        int64_t last = ga__min((b + 1) * c->block - off, c->s->queries);
        pool_queries(c, x, batch, head, first, last, x->rest);
        guess(c, x, b + 1, x->map + count);
        count += b + 1;
    }
    int64_t kept = ga__probe_cover(x->map, count, c->gamma * (double)rows, x->rest);
    kept = ga__probe_best(room, x->map, count, kept, x->list, x->rest);
    int64_t l = ga__max(-c->first, 0), from = 0;
    for (int64_t i = 0; i < kept; i++) {
        while (x->list[i] - from > c->first + l) {
            from += c->first + l + 1;
            l++;
        }
        tiles[l * c->key_blocks + x->list[i] - from] = 1;
    }
}

static void judge(void *user, ga__probe_room *room, int64_t batch, int64_t head)
{
    const choice *c = user;
    scratch x = split(c, room);
    int64_t at = batch * c->s->heads + head, rows = ga__min(c->block, c->s->queries);
    uint8_t *tiles = c->tiles + at * c->lists * c->key_blocks;
    ga__probe_rows(room, batch, head);
    memset(x.sums, 0, (size_t)c->s->keys * sizeof *x.sums);
    ga__probe_add_columns(room, x.sums);
    scale_sums(c, &x, rows);
    sum_blocks(c, &x);
    pool_keys(c, &x, batch, head);
    pool_queries(c, &x, batch, head, c->s->queries - rows, c->s->queries, x.rest);
    guess(c, &x, c->key_blocks, x.guess);
    c->distance[at] = distance(c->key_blocks, x.guess, x.blocks);
    c->aware[at] = c->distance[at] < c->tau;
    mark(c, room, &x, c->aware[at] ? c->least : blocks_to_cover(c, &x), false, tiles);
    ga__probe_diagonals(room, x.sums);
    scale_sums(c, &x, rows);
    sum_blocks(c, &x);
    mark(c, room, &x, c->aware[at] ? c->least : blocks_to_cover(c, &x), true, tiles);
    if (c->aware[at]) {
        mark_aware(c, room, &x, batch, head, tiles);
    }
}

/* ---- all heads ---- */

static ga_status judge_all(choice *c)
{
    int64_t rows = ga__min(c->block, c->s->queries);
    ga__probe p = { .s = c->s,
                    .heads = c->s->heads,
                    .first = c->s->queries - rows,
                    .rows = rows,
                    .width = c->s->keys,
                    .values = ga__max(values_of(c), 1) + c->s->dim + c->key_blocks,
                    .numbers = ga__max(c->lists, 1) * c->key_blocks,
                    .body = judge,
                    .user = c };
    ga__probe_cost(c->s, rows, c->s->keys);
    return ga__probe_run(&p);
}

/* Block 0 and the block of the row itself, or all lower ones. */
static void mark_always(const choice *c, bool dense)
{
    for (int64_t i = 0; i < c->s->batch * c->s->heads * c->lists; i++) {
        int64_t b = c->first + i % c->lists;
        for (int64_t u = 0; u <= b; u++) {
            c->tiles[i * c->key_blocks + u] |= dense || u == 0 || u == b;
        }
    }
}

static ga_status pack(const choice *c, ga_selection *selection)
{
    ga_status status = GA_OK;
    int64_t lists = c->s->batch * c->s->heads * c->lists, at = 0;
    for (int64_t i = 0; i < lists; i++) {
        selection->offsets[i + 1] = selection->offsets[i];
        for (int64_t u = 0; u < c->key_blocks; u++) {
            selection->offsets[i + 1] += c->tiles[i * c->key_blocks + u];
        }
    }
    GA_TRY(GA_NEW(c->s->context, lists > 0 ? selection->offsets[lists] : 0, &selection->units));
    for (int64_t i = 0; i < lists * c->key_blocks; i++) {
        if (c->tiles[i]) {
            selection->units[at++] = (int32_t)(i % c->key_blocks);
        }
    }
    selection->unit = c->block;
done:
    return status;
}

static ga_status note(const choice *c)
{
    static const DLDataType u8 = { kDLUInt, 8, 1 };
    ga_status status = GA_OK;
    ga__selecting *s = c->s;
    DLDataType real = { kDLFloat, s->wide ? 64 : 32, 1 };
    const int64_t shape[] = { s->batch, s->heads };
    DLTensor *aware = NULL, *distances = NULL;
    GA_TRY(ga__note_new(s, "query_aware", u8, 2, shape, &aware));
    GA_TRY(ga__note_new(s, "distance", real, 2, shape, &distances));
    for (int64_t i = 0; i < s->batch * s->heads; i++) {
        ((uint8_t *)aware->data)[i] = c->aware[i];
        if (s->wide) {
            ((double *)distances->data)[i] = c->distance[i];
        } else {
            ((float *)distances->data)[i] = (float)c->distance[i];
        }
    }
done:
    return status;
}

static ga_status open_choice(ga__selecting *s, choice *c)
{
    ga_status status = GA_OK;
    int64_t block = ga__part_value(s->part, "block")->integer, off = s->keys - s->queries, size = 0;
    int64_t least = ga__part_value(s->part, "min_budget")->integer,
            most = ga__part_value(s->part, "max_budget")->integer;
    *c = (choice){ .s = s,
                   .gamma = ga__part_value(s->part, "gamma")->real,
                   .tau = ga__part_value(s->part, "tau")->real,
                   .block = block,
                   .first = floor_div(off, block) };
    if (!s->causal) {
        GA_TRY(ga__fail(s->context, GA_INVALID, "flexprefill counts diagonals: needs --causal"));
    }
    c->key_blocks = s->keys / block + (s->keys % block != 0);
    c->lists = s->queries > 0 ? floor_div(s->keys - 1, block) - c->first + 1 : 0;
    c->least = (least - 1) / block + 1;
    c->most = most > 0 ? (most - 1) / block + 1 : c->key_blocks;
    if (!ga__mul(c->lists, c->key_blocks, &size) || size > INT32_MAX ||
        !ga__mul(size, s->batch * s->heads, &size)) {
        GA_TRY(ga__fail(s->context, GA_LIMIT, "flexprefill: %lld x %lld blocks, expected fewer than 2^31",
                        (long long)c->lists, (long long)c->key_blocks));
    }
    GA_TRY(GA_NEW_ZERO(s->context, size, &c->tiles));
    GA_TRY(GA_NEW_ZERO(s->context, s->batch * s->heads, &c->distance));
    GA_TRY(GA_NEW_ZERO(s->context, s->batch * s->heads, &c->aware));
done:
    return status;
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    ga_selection *made = NULL;
    choice c;
    GA_TRY(open_choice(s, &c));
    int64_t least = ga__part_value(s->part, "min_budget")->integer;
    int64_t length = s->run ? s->queries : s->keys; /* a session has no run */
    bool dense = (length - 1) / 2 < c.block || length <= least || s->keys == 0;
    if (!dense) {
        GA_TRY(judge_all(&c));
    }
    mark_always(&c, dense);
    GA_TRY(note(&c));
    GA_TRY(ga__selection_new(s, s->heads, c.block, (c.first + 1) * c.block - (s->keys - s->queries), &made));
    GA_TRY(pack(&c, made));
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    ga_free(s->context, c.tiles);
    ga_free(s->context, c.distance);
    ga_free(s->context, c.aware);
    return status;
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    (void)how;
    return ga__fail(
        run->context, GA_INVALID,
        "flexprefill cannot be decoded token by token: the last rows of all choose for every row");
}

static const ga__variant_ops ops = { GA__SELECTOR_OPS(select_keys), .summaries = GA__SUMMARY_SUMS,
                                     .decode = decode };

const ga_variant ga__flexprefill_variant = {
    .name = "flexprefill",
    .summary = "key blocks by covered mass, query-aware heads by a divergence test",
    .source = "FlexPrefill, as studied by The Sparse Frontier, 2504.17768",
    .family = "dynamic",
    .plan =
        "selector: blocks per head and query block, from its last rows; score: scaled dot; normaliser: softmax",
    .outputs = "o, lse, map, selected, query_aware, distance",
    .parameters = parameters,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_SELECTS,
    .causality = { .prefix = GA_PREFIX_SUPPORT, .needs_causal = true },
    .ops = &ops,
};
