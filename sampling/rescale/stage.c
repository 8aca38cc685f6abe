/* stage.c - classes and DCM of the sample as its nodes stand. */
#include "config.h"

#include <stdlib.h>

#include "sampling/rescale/plan.h"

typedef struct pair {
    int64_t degree, label;
} pair;

static int compare_pairs(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    int by_degree = (x->degree > y->degree) - (x->degree < y->degree);
    return by_degree ? by_degree : (x->label > y->label) - (x->label < y->label);
}

/* One side of the draft: a node's class of the base and its degree. */
typedef struct half {
    const ga__draft *draft;
    const ga__classes *classes;
    const int32_t *of_cell;
    const int64_t *degree;
} half;

static half half_of(const ga__draft *draft, bool out)
{
    const ga_matrices *base = draft->base;
    return out ? (half){ draft, &base->out, base->dcm.column, draft->out }
               : (half){ draft, &base->in, base->dcm.row, draft->in };
}

static int32_t base_class(const half *h, int64_t node)
{
    return h->of_cell[h->draft->cell[node]];
}

static pair pair_of(const half *h, int64_t node)
{
    int32_t c = base_class(h, node);
    return (pair){ h->degree[node], h->classes->label ? h->classes->label[c] : 0 };
}

static bool moved(const half *h, int64_t node)
{
    return h->degree[node] != h->classes->degree[base_class(h, node)];
}

/* The (degree, label) pairs that occur: those of used classes, and those of moved nodes one by one. */
static ga_status collect_pairs(ga_context *context, const half *h, pair **pairs, int64_t *count)
{
    ga_status status = GA_OK;
    bool *used = NULL;
    int64_t moves = 0, found = 0;
    GA_TRY(GA_NEW_ZERO(context, h->classes->count, &used));
    for (int64_t i = 0; i < h->draft->nodes; i++) {
        moves += moved(h, i);
    }
    GA_TRY(GA_NEW(context, h->classes->count + moves, pairs));
    for (int64_t i = 0; i < h->draft->nodes; i++) {
        bool first = !used[base_class(h, i)];
        if (moved(h, i) || first) {
            (*pairs)[found++] = pair_of(h, i);
            used[base_class(h, i)] |= !moved(h, i);
        }
    }
    *count = found;
done:
    ga_free(context, used);
    return status;
}

static ga_status side_new(ga_context *context, int64_t count, bool labels, ga__side *side)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, count, &side->degree));
    GA_TRY(GA_NEW_ZERO(context, count, &side->size));
    GA_TRY(GA_NEW_ZERO(context, count, &side->stubs));
    if (labels) {
        GA_TRY(GA_NEW(context, count, &side->label));
    }
done:
    return status;
}

static ga_status find_classes(ga_context *context, const half *h, ga__side *side)
{
    ga_status status = GA_OK;
    pair *pairs = NULL;
    int64_t count = 0, kept = 0;
    GA_TRY(collect_pairs(context, h, &pairs, &count));
    qsort(pairs, (size_t)count, sizeof *pairs, compare_pairs);
    for (int64_t i = 0; i < count; i++) {
        if (kept == 0 || compare_pairs(&pairs[kept - 1], &pairs[i]) != 0) {
            pairs[kept++] = pairs[i];
        }
    }
    GA_TRY(side_new(context, kept, h->classes->label != NULL, side));
    side->count = kept;
    for (int64_t i = 0; i < kept; i++) {
        side->degree[i] = pairs[i].degree;
        if (side->label) {
            side->label[i] = pairs[i].label;
        }
    }
done:
    ga_free(context, pairs);
    return status;
}

int32_t ga__side_find(const ga__side *side, int64_t degree, int64_t label)
{
    int64_t low = 0, high = side->count;
    pair wanted = { degree, side->label ? label : 0 };
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        pair here = { side->degree[middle], side->label ? side->label[middle] : 0 };
        if (compare_pairs(&here, &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found =
        low < side->count && side->degree[low] == degree && (!side->label || side->label[low] == label);
    return found ? (int32_t)low : -1;
}

void ga__side_map(const ga__side *side, const ga__classes *classes, int32_t *rank)
{
    for (int64_t c = 0; c < classes->count; c++) {
        rank[c] = ga__side_find(side, classes->degree[c], classes->label ? classes->label[c] : 0);
    }
}

static ga_status rank_nodes(ga_context *context, const half *h, ga__side *side, int32_t **ranks)
{
    ga_status status = GA_OK;
    int32_t *map = NULL;
    GA_TRY(GA_NEW(context, h->classes->count, &map));
    GA_TRY(GA_NEW(context, h->draft->nodes, ranks));
    ga__side_map(side, h->classes, map);
    for (int64_t i = 0; i < h->draft->nodes; i++) {
        pair p = pair_of(h, i);
        int32_t rank = moved(h, i) ? ga__side_find(side, p.degree, p.label) : map[base_class(h, i)];
        (*ranks)[i] = rank;
        side->size[rank]++;
    }
    for (int64_t c = 0; c < side->count; c++) {
        if (!ga__mul(side->degree[c], side->size[c], &side->stubs[c])) {
            status = ga__fail(context, GA_OVERFLOW, "the sample would have more than 2^63 edges");
            goto done;
        }
    }
done:
    ga_free(context, map);
    return status;
}

/* DCM cells: unmoved nodes are counted by cell of the base first, which leaves little to sort. */
static ga_status count_cells(ga_context *context, const ga__draft *draft, ga__stage *stage)
{
    ga_status status = GA_OK;
    half out = half_of(draft, true), in = half_of(draft, false);
    int64_t *size = NULL, *witness = NULL;
    GA_TRY(GA_NEW_ZERO(context, draft->base->dcm.count, &size));
    GA_TRY(GA_NEW(context, draft->base->dcm.count, &witness));
    for (int64_t i = 0; i < draft->nodes; i++) {
        if (moved(&out, i) || moved(&in, i)) {
            GA_TRY(ga__tally_add(context, &stage->dcm, stage->node_in[i], stage->node_out[i], 1));
            GA_TRY(ga__tally_add(context, &stage->donors, stage->node_out[i], base_class(&out, i), 1));
        } else {
            size[draft->cell[i]]++;
            witness[draft->cell[i]] = i;
        }
    }
    for (int64_t c = 0; c < draft->base->dcm.count; c++) {
        if (size[c] > 0) {
            int64_t i = witness[c];
            GA_TRY(ga__tally_add(context, &stage->dcm, stage->node_in[i], stage->node_out[i], size[c]));
            GA_TRY(ga__tally_add(context, &stage->donors, stage->node_out[i], base_class(&out, i), size[c]));
        }
    }
    GA_TRY(ga__tally_sort(context, &stage->dcm, stage->in.count, stage->out.count));
    GA_TRY(ga__tally_sort(context, &stage->donors, stage->out.count, draft->base->out.count));
done:
    ga_free(context, size);
    ga_free(context, witness);
    return status;
}

ga_status ga__stage_count(ga_context *context, const ga__draft *draft, ga__stage *stage)
{
    ga_status status = GA_OK;
    half out = half_of(draft, true), in = half_of(draft, false);
    stage->loops = draft->options->loops;
    stage->multi = draft->options->multi;
    GA_TRY(find_classes(context, &out, &stage->out));
    GA_TRY(find_classes(context, &in, &stage->in));
    GA_TRY(rank_nodes(context, &out, &stage->out, &stage->node_out));
    GA_TRY(rank_nodes(context, &in, &stage->in, &stage->node_in));
    GA_TRY(count_cells(context, draft, stage));
    GA_TRY(ga__tally_reserve(context, &stage->both, stage->dcm.count));
    for (int64_t i = 0; i < stage->dcm.count; i++) {
        GA_TRY(ga__tally_add(context, &stage->both, stage->dcm.row[i], stage->dcm.column[i],
                             stage->dcm.entry[i]));
    }
    GA_TRY(ga__tally_transpose(context, &stage->both, stage->in.count, stage->out.count));
    GA_TRY(GA_NEW(context, stage->out.count + 1, &stage->both_first));
    ga__tally_rows(&stage->both, stage->out.count, stage->both_first);
    for (int64_t k = 0; k < stage->out.count; k++) {
        if (!ga__add(stage->edges, stage->out.stubs[k], &stage->edges)) {
            status = ga__fail(context, GA_OVERFLOW, "the sample would have more than 2^63 edges");
            goto done;
        }
    }
done:
    return status;
}

static void side_clear(ga_context *context, ga__side *side)
{
    ga_free(context, side->degree);
    ga_free(context, side->label);
    ga_free(context, side->size);
    ga_free(context, side->stubs);
}

void ga__stage_clear(ga_context *context, ga__stage *stage)
{
    side_clear(context, &stage->out);
    side_clear(context, &stage->in);
    ga__tally_clear(context, &stage->dcm);
    ga__tally_clear(context, &stage->both);
    ga__tally_clear(context, &stage->donors);
    ga__tally_clear(context, &stage->jdm);
    ga_free(context, stage->both_first);
    ga_free(context, stage->node_out);
    ga_free(context, stage->node_in);
    *stage = (ga__stage){ 0 };
}

void ga__stage_caps(const ga__stage *stage, int64_t k, int64_t *room)
{
    bool free_of_caps = stage->multi == GA_MULTI_KEEP;
    for (int64_t l = 0; l < stage->in.count; l++) {
        int64_t pairs, most = ga__min(stage->out.stubs[k], stage->in.stubs[l]);
        bool fits = ga__mul(stage->out.size[k], stage->in.size[l], &pairs);
        room[l] = free_of_caps || !fits ? most : pairs;
    }
    if (!free_of_caps && stage->loops != GA_LOOPS_KEEP) {
        for (int64_t i = stage->both_first[k]; i < stage->both_first[k + 1]; i++) {
            room[stage->both.column[i]] -= stage->both.entry[i];
        }
    }
    for (int64_t l = 0; l < stage->in.count; l++) {
        room[l] = ga__max(0, ga__min(room[l], ga__min(stage->out.stubs[k], stage->in.stubs[l])));
    }
}
