/* generate_other.c - Erdos-Renyi graphs, block models, preferential attachment, lattices. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "graph/generate.h"

ga_status ga__generate_er(ga_context *context, const ga_generate_options *o, int64_t *nodes,
                          ga__csr_result *result)
{
    ga__family all = { GA__PAIRS_ALL, (uint64_t)*nodes, 1 };
    if ((uint64_t)o->edges > ga__family_size(&all)) {
        return ga__fail(context, GA_INVALID, "er: %lld edges, %lld nodes have at most %llu",
                        (long long)o->edges, (long long)*nodes, (unsigned long long)ga__family_size(&all));
    }
    return ga__uniform_rows(context, &all, o->edges, ga_context_seed(context), result);
}

/* ---- block model ---- */

static ga_status merge_rows(ga_context *context, int64_t nodes, const ga__csr_result *a,
                            const ga__csr_result *b, ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__csr_result made = { .edges = a->edges + b->edges };
    int64_t count = 0;
    GA_TRY(GA_NEW(context, nodes + 1, &made.offsets));
    GA_TRY(GA_NEW(context, made.edges, &made.targets));
    made.offsets[0] = 0;
    for (int64_t v = 0; v < nodes; v++) {
        int64_t i = a->offsets[v], j = b->offsets[v];
        if (v % (1 << 16) == 0) {
            GA_TRY(ga__check(context));
        }
        while (i < a->offsets[v + 1] || j < b->offsets[v + 1]) {
            bool first = j == b->offsets[v + 1] || (i < a->offsets[v + 1] && a->targets[i] < b->targets[j]);
            made.targets[count++] = first ? a->targets[i++] : b->targets[j++];
        }
        made.offsets[v + 1] = count;
    }
    *result = made;
    made = (ga__csr_result){ 0 };
done:
    ga__csr_result_clear(context, &made);
    return status;
}

ga_status ga__generate_sbm(ga_context *context, const ga_generate_options *o, int64_t *nodes,
                           ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__csr_result in = { 0 }, out = { 0 };
    if (o->blocks < 1 || (o->blocks > *nodes && *nodes > 0) || !(o->mixing >= 0 && o->mixing <= 1)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "sbm: %lld blocks of %lld nodes and mixing %g, expected 1 to %lld blocks and "
                        "mixing from 0 to 1",
                        (long long)o->blocks, (long long)*nodes, o->mixing, (long long)*nodes));
    }
    ga__family inside = { GA__PAIRS_INSIDE, (uint64_t)*nodes, (uint64_t)o->blocks };
    ga__family between = { GA__PAIRS_BETWEEN, (uint64_t)*nodes, (uint64_t)o->blocks };
    int64_t leaving = (int64_t)floor(o->mixing * (double)o->edges + 0.5), staying = o->edges - leaving;
    if (leaving > o->edges || (uint64_t)leaving > ga__family_size(&between) ||
        (uint64_t)staying > ga__family_size(&inside)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "sbm: %lld edges inside blocks of at most %llu, %lld between them of at "
                        "most %llu",
                        (long long)staying, (unsigned long long)ga__family_size(&inside), (long long)leaving,
                        (unsigned long long)ga__family_size(&between)));
    }
    uint64_t seed = ga_context_seed(context);
    GA_TRY(ga__uniform_rows(context, &inside, staying, seed, &in));
    GA_TRY(ga__uniform_rows(context, &between, leaving, seed, &out));
    GA_TRY(merge_rows(context, *nodes, &in, &out, result));
done:
    ga__csr_result_clear(context, &in);
    ga__csr_result_clear(context, &out);
    return status;
}

/* ---- preferential attachment ---- */

/* Node v points to min(v, each) different earlier nodes; an end of a uniformly chosen earlier edge is a node with
 * probability proportional to its degree. */
static ga_status attach(ga_context *context, int64_t nodes, int64_t each, ga__pair *pairs)
{
    ga_status status = GA_OK;
    uint32_t *chosen_by = NULL;
    int64_t count = 0;
    ga__random random = ga__random_at(ga_context_seed(context), GA__RANDOM_GENERATE, 0);
    GA_TRY(GA_NEW_ZERO(context, nodes, &chosen_by));
    for (int64_t v = 1; v < nodes; v++) {
        int64_t before = count;
        if (v % 1024 == 0) {
            GA_TRY(ga__check(context));
        }
        while (count - before < ga__min(v, each)) {
            int64_t taken = count - before;
            uint32_t target = (uint32_t)taken;
            if (v > each) {
                uint64_t end = ga__random_below(&random, 2 * (uint64_t)before);
                target = end & 1 ? pairs[end >> 1].target : pairs[end >> 1].source;
            }
            if (chosen_by[target] != (uint32_t)v) {
                chosen_by[target] = (uint32_t)v;
                pairs[count++] = (ga__pair){ (uint32_t)v, target };
            }
        }
    }
done:
    ga_free(context, chosen_by);
    return status;
}

ga_status ga__generate_ba(ga_context *context, const ga_generate_options *o, int64_t *nodes,
                          ga__csr_result *result)
{
    ga_status status = GA_OK;
    ga__pair *pairs = NULL;
    int64_t each = *nodes > 0 ? ga__max(1, o->edges / *nodes) : 1, count;
    if (*nodes < 1 || each >= ga__max(*nodes, 2)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "ba: %lld edges for each of %lld nodes, expected at least one node more than "
                        "edges a node",
                        (long long)each, (long long)*nodes));
    }
    if (!ga__mul(each, *nodes, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "ba: %lld edges for each of %lld nodes", (long long)each,
                        (long long)*nodes));
    }
    count = *nodes == 1 ? 0 : count - each * (each + 1) / 2;
    GA_TRY(GA_NEW(context, count, &pairs));
    GA_TRY(attach(context, *nodes, each, pairs));
    ga__csr_result made = { .edges = count };
    GA_TRY(ga__pairs_to_csr(context, *nodes, count, pairs, &made.offsets, &made.targets));
    *result = made;
done:
    ga_free(context, pairs);
    return status;
}

/* ---- lattices ---- */

enum { GRID_BLOCK = 1 << 12 }; /* nodes */

typedef struct lattice {
    int64_t nodes, rows, columns; /* the last row may be short */
    bool torus;
} lattice;

/* One step along a side of `size` places; -1 when it leaves. */
static int64_t step(int64_t at, int64_t by, int64_t size, bool torus)
{
    int64_t to = at + by;
    if (to >= 0 && to < size) {
        return to;
    }
    return torus ? (to + size) % size : -1;
}

static int64_t grid_block(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    static const int way[4][2] = { { -1, 0 }, { 0, -1 }, { 0, 1 }, { 1, 0 } };
    const lattice *l = user;
    int64_t end = ga__min(l->nodes, (block + 1) * GRID_BLOCK), count = 0;
    (void)weights;
    for (int64_t v = block * GRID_BLOCK; v < end; v++) {
        for (int i = 0; i < 4; i++) {
            int64_t row = step(v / l->columns, way[i][0], l->rows, l->torus);
            int64_t column = step(v % l->columns, way[i][1], l->columns, l->torus);
            int64_t target = row * l->columns + column;
            if (row >= 0 && column >= 0 && target < l->nodes) {
                keys[count++] = (uint64_t)v << bits | (uint64_t)target;
            }
        }
    }
    return count;
}

static ga_status lay_out(ga_context *context, const ga_generate_options *o, lattice *l)
{
    l->nodes = o->nodes;
    l->rows = o->rows;
    l->columns = o->columns;
    l->torus = o->torus;
    if (o->rows < 0 || o->columns < 0) {
        return ga__fail(context, GA_INVALID, "grid: %lld rows and %lld columns", (long long)o->rows,
                        (long long)o->columns);
    }
    if (o->rows > 0 && o->columns > 0) {
        if (!ga__mul(o->rows, o->columns, &l->nodes) || l->nodes > INT64_C(4294967296) ||
            (o->nodes > 0 && o->nodes != l->nodes)) {
            return ga__fail(context, GA_INVALID, "grid: %lld rows and %lld columns for %lld nodes",
                            (long long)o->rows, (long long)o->columns, (long long)o->nodes);
        }
        return GA_OK;
    }
    int64_t side = (int64_t)sqrt((double)l->nodes);
    side += (side + 1) * (side + 1) <= l->nodes;
    side -= side * side > l->nodes;
    if (o->rows > 0 || o->columns > 0) {
        side = ga__max(o->rows, o->columns);
    } else if (l->torus) { /* must be full: the divisor nearest to the root */
        while (side > 1 && l->nodes % side != 0) {
            side--;
        }
    }
    side = ga__max(side, 1);
    if ((l->torus || o->rows > 0) && l->nodes % side != 0) {
        return ga__fail(context, GA_INVALID, "grid: %lld nodes cannot fill lines of %lld",
                        (long long)l->nodes, (long long)side);
    }
    int64_t other = (l->nodes + side - 1) / side;
    l->columns = ga__max(1, o->columns > 0 ? side : other);
    l->rows = (l->nodes + l->columns - 1) / l->columns;
    return GA_OK;
}

ga_status ga__generate_grid(ga_context *context, const ga_generate_options *o, int64_t *nodes,
                            ga__csr_result *result)
{
    lattice l;
    ga_status status = lay_out(context, o, &l);
    if (status != GA_OK) {
        return status;
    }
    ga__edge_source source = { .blocks = (l.nodes + GRID_BLOCK - 1) / GRID_BLOCK,
                               .edges = 4 * l.nodes,
                               .widest = 4 * GRID_BLOCK,
                               .largest_id = l.nodes > 0 ? (uint32_t)(l.nodes - 1) : 0,
                               .block = grid_block,
                               .user = &l };
    ga__csr_policy policy = { GA_LOOPS_DROP, GA_MULTI_COLLAPSE, false, NULL };
    *nodes = l.nodes;
    return ga__csr_build(context, l.nodes, &source, &policy, result);
}
