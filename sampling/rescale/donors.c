/* donors.c - which original nodes the sample's nodes come from. */
#include "config.h"

#include <string.h>

#include "sampling/rescale/plan.h"

static bool has(const uint64_t *bits, int64_t i)
{
    return bits[i >> 6] >> (i & 63) & 1;
}

/* Sets `take` of `size` bits, every set of that size being equally likely (Floyd's sampling). */
static void draw(ga__random *random, uint64_t *bits, int64_t size, int64_t take)
{
    memset(bits, 0, (size_t)(size / 64 + 1) * sizeof *bits);
    for (int64_t j = size - take; j < size; j++) {
        int64_t pick = (int64_t)ga__random_below(random, (uint64_t)j + 1);
        pick = has(bits, pick) ? j : pick;
        bits[pick >> 6] |= UINT64_C(1) << (pick & 63);
    }
}

/* Copies of every original node: a whole number for all of the cell, one more for those that are drawn. */
static void count_copies(uint64_t seed, const ga__cells *dcm, int64_t c, const ga__cell_nodes *nodes,
                         int64_t wanted, uint64_t *bits, int64_t *copies, int32_t *cell_of)
{
    int64_t size = dcm->entry[c], each = wanted / size, rest = wanted % size;
    bool inverse = rest > size / 2;
    ga__random random = ga__random_at(seed, GA__RANDOM_DONORS, (uint64_t)c);
    draw(&random, bits, size, inverse ? size - rest : rest);
    for (int64_t i = 0; i < size; i++) {
        uint32_t v = nodes->node[nodes->first[c] + i];
        copies[v] = each + (has(bits, i) != inverse);
        cell_of[v] = (int32_t)c;
    }
}

static ga_status draw_from_nodes(ga_context *context, ga__draft *draft, const ga__cell_nodes *nodes,
                                 const int64_t *entry)
{
    ga_status status = GA_OK;
    const ga__cells *dcm = &draft->base->dcm;
    uint64_t *bits = NULL, seed = ga_context_seed(context);
    int64_t *copies = NULL, largest = 0, at = 0;
    int32_t *cell_of = NULL;
    for (int64_t c = 0; c < dcm->count; c++) {
        largest = ga__max(largest, dcm->entry[c]);
    }
    GA_TRY(GA_NEW(context, draft->nodes, &draft->donor));
    GA_TRY(GA_NEW(context, largest / 64 + 1, &bits));
    GA_TRY(GA_NEW(context, dcm->total, &copies));
    GA_TRY(GA_NEW(context, dcm->total, &cell_of));
    for (int64_t c = 0; c < dcm->count; c++) {
        GA_TRY(ga__check(context));
        count_copies(seed, dcm, c, nodes, entry[c], bits, copies, cell_of);
    }
    for (int64_t v = 0; v < dcm->total; v++) {
        for (int64_t i = 0; i < copies[v]; i++) {
            draft->donor[at] = v;
            draft->cell[at++] = cell_of[v];
        }
    }
done:
    ga_free(context, bits);
    ga_free(context, copies);
    ga_free(context, cell_of);
    return status;
}

ga_status ga__draw_donors(ga_context *context, ga__draft *draft, const ga__cell_nodes *nodes,
                          const int64_t *entry)
{
    ga_status status = GA_OK;
    const ga_matrices *base = draft->base;
    int64_t at = 0;
    GA_TRY(GA_NEW(context, draft->nodes, &draft->cell));
    GA_TRY(GA_NEW(context, draft->nodes, &draft->out));
    GA_TRY(GA_NEW(context, draft->nodes, &draft->in));
    if (nodes) {
        GA_TRY(draw_from_nodes(context, draft, nodes, entry));
    } else {
        for (int64_t c = 0; c < base->dcm.count; c++) {
            for (int64_t i = 0; i < entry[c]; i++) {
                draft->cell[at++] = (int32_t)c;
            }
        }
    }
    for (int64_t i = 0; i < draft->nodes; i++) {
        draft->out[i] = base->out.degree[base->dcm.column[draft->cell[i]]];
        draft->in[i] = base->in.degree[base->dcm.row[draft->cell[i]]];
    }
done:
    return status;
}
