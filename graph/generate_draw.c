/* generate_draw.c - exact numbers of distinct random pairs. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "graph/generate.h"
#include "lib/base/workers.h"

void ga__csr_result_clear(ga_context *context, ga__csr_result *result)
{
    ga_free(context, result->offsets);
    ga_free(context, result->targets);
    ga_free(context, result->weights);
    *result = (ga__csr_result){ 0 };
}

/* ---- families of pairs ---- */

/* The first `longer` blocks have one node more than `size`. */
typedef struct layout {
    uint64_t size, longer, in_longer; /* nodes in the longer blocks */
} layout;

static layout layout_of(const ga__family *f)
{
    uint64_t size = f->nodes / f->blocks, longer = f->nodes % f->blocks;
    return (layout){ size, longer, longer * (size + 1) };
}

uint64_t ga__family_size(const ga__family *f)
{
    if (f->nodes < 2) {
        return 0;
    }
    uint64_t all = f->nodes * (f->nodes - 1), inside;
    if (f->kind == GA__PAIRS_ALL) {
        return all;
    }
    layout l = layout_of(f);
    inside =
        l.longer * (l.size + 1) * l.size + (l.size > 0 ? (f->blocks - l.longer) * l.size * (l.size - 1) : 0);
    return f->kind == GA__PAIRS_INSIDE ? inside : all - inside;
}

/* The block of a node: its first node and the one behind its last. */
static void block_of(const ga__family *f, uint64_t node, uint64_t *begin, uint64_t *end)
{
    layout l = layout_of(f);
    if (node < l.in_longer) {
        *begin = node / (l.size + 1) * (l.size + 1);
        *end = *begin + l.size + 1;
    } else {
        *begin = l.in_longer + (node - l.in_longer) / l.size * l.size;
        *end = *begin + l.size;
    }
}

/* Pair number v of a family in which every one of the nodes from `first` on has `each` partners. */
static void split_number(uint64_t v, uint64_t first, uint64_t each, uint64_t *source, uint64_t *partner)
{
    *source = first + v / each;
    *partner = v % each;
}

static ga__pair pair_at(const ga__family *f, uint64_t v)
{
    uint64_t source, partner, begin, end;
    if (f->kind == GA__PAIRS_ALL) {
        split_number(v, 0, f->nodes - 1, &source, &partner);
        partner += partner >= source;
        return (ga__pair){ (uint32_t)source, (uint32_t)partner };
    }
    layout l = layout_of(f);
    bool inside = f->kind == GA__PAIRS_INSIDE;
    uint64_t each = inside ? l.size : f->nodes - l.size - 1, longer = l.in_longer * each;
    if (v < longer) {
        split_number(v, 0, each, &source, &partner);
    } else {
        split_number(v - longer, l.in_longer, inside ? each - 1 : each + 1, &source, &partner);
    }
    block_of(f, source, &begin, &end);
    if (inside) {
        partner += begin;
        partner += partner >= source;
    } else {
        partner += partner >= begin ? end - begin : 0;
    }
    return (ga__pair){ (uint32_t)source, (uint32_t)partner };
}

/* Draws inside and between blocks go together in one graph and must not depend on each other. */
static ga__purpose purpose_of(const ga__family *family)
{
    return family->kind == GA__PAIRS_BETWEEN ? GA__RANDOM_BLOCKS : GA__RANDOM_GENERATE;
}

ga__pair ga__family_draw(const ga__family *family, uint64_t seed, ga__purpose purpose, uint64_t index)
{
    uint64_t size = ga__family_size(family), words[2], limit = (0 - size) % size;
    for (uint32_t block = 0;; block++) { /* multiply and shift, without bias (Lemire 2019) */
        ga__random_block(seed, purpose, index, block, words);
        for (int i = 0; i < 2; i++) {
            unsigned __int128 product = (unsigned __int128)words[i] * size;
            if ((uint64_t)product >= limit) {
                return pair_at(family, (uint64_t)(product >> 64));
            }
        }
    }
}

/* ---- drawing ---- */

enum { DRAW_BLOCK = 1 << 13 };

/* Drawing costs more than memory: every pair is drawn once, though a source of edges is asked twice. */
typedef struct draws {
    ga_context *context;
    const ga__drawing *d;
    uint64_t *keys;
    int64_t count;
    int bits;
    int64_t next;
    int status;
} draws;

static void draw_worker(void *user, int worker)
{
    draws *s = user;
    const ga__drawing *d = s->d;
    const ga__purpose purpose = purpose_of(&d->family);
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&s->next)) * DRAW_BLOCK < s->count && !ga__stopped(s->context, &s->status);) {
        int64_t end = ga__min(s->count, (b + 1) * DRAW_BLOCK);
        for (int64_t i = b * DRAW_BLOCK; i < end; i++) {
            uint64_t index = (uint64_t)i;
            ga__pair pair = d->draw && index < d->models_draws
                                ? d->draw(d, index)
                                : ga__family_draw(&d->family, d->seed, purpose, index);
            s->keys[i] = (uint64_t)pair.source << s->bits | pair.target;
        }
        ga__progress(s->context, "drawing", end, s->count);
    }
}

static int64_t drawn_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const draws *s = user;
    int64_t begin = block * DRAW_BLOCK, count = ga__min(DRAW_BLOCK, s->count - begin);
    (void)bits;
    (void)weights;
    memcpy(keys, s->keys + begin, (size_t)count * sizeof *keys);
    return count;
}

ga_status ga__draw_rows(ga_context *context, const ga__drawing *d, int64_t count, bool raw,
                        ga__csr_result *result)
{
    ga_status status = GA_OK;
    int64_t nodes = (int64_t)d->family.nodes, blocks = (count + DRAW_BLOCK - 1) / DRAW_BLOCK;
    draws s = { .context = context, .d = d, .count = count };
    ga__edge_source source = { .blocks = blocks,
                               .edges = count,
                               .widest = DRAW_BLOCK,
                               .largest_id = nodes > 0 ? (uint32_t)(nodes - 1) : 0,
                               .block = drawn_block,
                               .user = &s };
    ga__csr_policy policy = { raw ? GA_LOOPS_KEEP : GA_LOOPS_DROP, raw ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE,
                              false, NULL };
    s.bits = ga__bits(source.largest_id);
    GA_TRY(GA_NEW(context, count, &s.keys));
    ga__advise_large(s.keys, count * (int64_t)sizeof *s.keys);
    ga__workers(context, ga__threads_for(context, blocks), draw_worker, &s);
    GA_TRY(ga__noted_status(&s.status));
    status = ga__csr_build(context, nodes, &source, &policy, result);
done:
    ga_free(context, s.keys);
    return status;
}

/* ---- removing ---- */

static inline uint64_t priority(uint64_t seed, uint64_t source, uint64_t target)
{
    uint64_t x = (source << 32 | target) + seed * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x = (x ^ x >> 31) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static void sift(uint64_t *heap, int64_t count, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && heap[child + 1] > heap[child];
        if (heap[at] >= heap[child]) {
            return;
        }
        uint64_t value = heap[at];
        heap[at] = heap[child];
        heap[child] = value;
    }
}

/* The `surplus` smallest priorities, in a heap with the largest of them on top. */
static ga_status smallest_priorities(ga_context *context, int64_t nodes, uint64_t seed, int64_t surplus,
                                     const ga__csr_result *rows, uint64_t *heap)
{
    ga_status status = GA_OK;
    int64_t count = 0;
    for (int64_t v = 0; v < nodes; v++) {
        if (v % (1 << 16) == 0) {
            GA_TRY(ga__check(context));
        }
        for (int64_t e = rows->offsets[v]; e < rows->offsets[v + 1]; e++) {
            uint64_t p = priority(seed, (uint64_t)v, rows->targets[e]);
            if (count < surplus) {
                heap[count++] = p;
                for (int64_t at = count / 2; count == surplus && at-- > 0;) {
                    sift(heap, count, at);
                }
            } else if (p < heap[0]) {
                heap[0] = p;
                sift(heap, count, 0);
            }
        }
    }
done:
    return status;
}

ga_status ga__thin_rows(ga_context *context, int64_t nodes, int64_t edges, uint64_t seed,
                        ga__csr_result *result)
{
    ga_status status = GA_OK;
    int64_t surplus = result->edges - edges, kept = 0, begin = 0, removed = 0;
    uint64_t *heap = NULL;
    if (surplus <= 0) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(context, surplus, &heap));
    GA_TRY(smallest_priorities(context, nodes, seed, surplus, result, heap));
    for (int64_t v = 0; v < nodes; v++) {
        int64_t end = result->offsets[v + 1];
        for (int64_t e = begin; e < end; e++) {
            if (removed < surplus && priority(seed, (uint64_t)v, result->targets[e]) <= heap[0]) {
                removed++;
            } else {
                result->targets[kept++] = result->targets[e];
            }
        }
        begin = end;
        result->offsets[v + 1] = kept;
    }
    result->edges = kept;
done:
    ga_free(context, heap);
    return status;
}

/* ---- filling ---- */

/* Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S) over the absent pairs in order. */
typedef struct filling {
    const ga__csr_result *from;
    ga__random random;
    uint64_t absent, wanted;
    int64_t *offsets;
    uint32_t *targets;
    int64_t edges;
} filling;

static void fill_row(filling *f, uint64_t row, const uint64_t range[4])
{
    int64_t e = f->from->offsets[row], end = f->from->offsets[row + 1];
    for (int part = 0; part < 4; part += 2) {
        for (uint64_t target = range[part]; target < range[part + 1]; target++) {
            if (e < end && f->from->targets[e] == target) {
                f->targets[f->edges++] = f->from->targets[e++];
            } else if (target != row) {
                if (f->wanted > 0 && ga__random_below(&f->random, f->absent) < f->wanted) {
                    f->targets[f->edges++] = (uint32_t)target;
                    f->wanted--;
                }
                f->absent--;
            }
        }
    }
    f->offsets[row + 1] = f->edges;
}

static void ranges_of(const ga__family *family, uint64_t row, uint64_t range[4])
{
    uint64_t begin = 0, end = 0;
    if (family->kind != GA__PAIRS_ALL) {
        block_of(family, row, &begin, &end);
    }
    bool inside = family->kind == GA__PAIRS_INSIDE;
    range[0] = inside ? begin : 0;
    range[1] = inside ? end : begin;
    range[2] = end;
    range[3] = inside ? end : family->nodes;
}

ga_status ga__fill_rows(ga_context *context, const ga__family *family, int64_t edges, uint64_t seed,
                        ga__csr_result *result)
{
    ga_status status = GA_OK;
    int64_t nodes = (int64_t)family->nodes;
    filling f = { .from = result,
                  .random = ga__random_at(seed, purpose_of(family), UINT64_MAX),
                  .absent = ga__family_size(family) - (uint64_t)result->edges,
                  .wanted = (uint64_t)(edges - result->edges) };
    GA_TRY(GA_NEW(context, nodes + 1, &f.offsets));
    GA_TRY(GA_NEW(context, edges, &f.targets));
    f.offsets[0] = 0;
    for (int64_t row = 0; row < nodes; row++) {
        uint64_t range[4];
        GA_TRY(ga__check(context));
        ranges_of(family, (uint64_t)row, range);
        fill_row(&f, (uint64_t)row, range);
    }
    ga__csr_result_clear(context, result);
    *result = (ga__csr_result){ .offsets = f.offsets, .targets = f.targets, .edges = edges };
    f.offsets = NULL;
    f.targets = NULL;
done:
    ga_free(context, f.offsets);
    ga_free(context, f.targets);
    return status;
}

/* ---- uniform ---- */

static ga_status no_rows(ga_context *context, int64_t nodes, ga__csr_result *result)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL;
    uint32_t *targets = NULL;
    GA_TRY(GA_NEW_ZERO(context, nodes + 1, &offsets));
    GA_TRY(GA_NEW(context, 0, &targets));
    *result = (ga__csr_result){ .offsets = offsets, .targets = targets };
    offsets = NULL;
done:
    ga_free(context, offsets);
    return status;
}

ga_status ga__uniform_rows(ga_context *context, const ga__family *family, int64_t edges, uint64_t seed,
                           ga__csr_result *result)
{
    ga_status status = GA_OK;
    double size = (double)ga__family_size(family), wanted = (double)edges;
    ga__csr_result rows = { 0 };
    if (wanted > size / 4 || edges == 0) {
        GA_TRY(no_rows(context, (int64_t)family->nodes, &rows));
        if (edges > 0) {
            GA_TRY(ga__fill_rows(context, family, edges, seed, &rows));
        }
    } else {
        /* D draws leave size (1 - exp(-D / size)) distinct pairs; which of them are too many is decided by a hash
         * that knows nothing of the draws, so every set of pairs stays equally likely */
        double mean = -size * log1p(-wanted / size);
        ga__drawing d = { .seed = seed, .family = *family };
        int64_t count = (int64_t)(mean + 5 * sqrt(mean)) + 16;
        for (;;) {
            GA_TRY(ga__draw_rows(context, &d, count, false, &rows));
            if (rows.edges >= edges) {
                break;
            }
            ga__csr_result_clear(context, &rows);
            count += count / 8 + 16;
        }
        GA_TRY(ga__thin_rows(context, (int64_t)family->nodes, edges, seed, &rows));
    }
    *result = rows;
    rows = (ga__csr_result){ 0 };
done:
    ga__csr_result_clear(context, &rows);
    return status;
}
