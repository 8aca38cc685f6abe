/* round_network.c - the network of laminar rounding and a first rounding in it. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "sampling/rescale/round_laminar.h"

ga__share ga__share_of(double ratio, int64_t count, bool exact)
{
    int exponent;
    int64_t mantissa = (int64_t)ldexp(frexp(ratio, &exponent), 53);
    int shift = 53 - exponent;
    unsigned __int128 product = (unsigned __int128)mantissa * (uint64_t)count;
    ga__share s = { 0 };
    if (shift <= 0) {
        s.low = (int64_t)(product << -shift);
        return s;
    }
    if (shift >= 127) { /* far below one */
        s.fraction = ratio * (double)count;
    } else {
        s.low = (int64_t)(product >> shift);
        s.fraction = (double)(product & (((unsigned __int128)1 << shift) - 1)) * ldexp(1, -shift);
    }
    double error = exact ? 0 : ratio * (double)count * 0x1p-51;
    if (s.fraction >= 1 || 1 - s.fraction <= error) { /* the conversion to double may have given 1 */
        s = (ga__share){ .low = s.low + 1 };
    } else if (s.fraction <= error) {
        s.fraction = 0;
    }
    return s;
}

void ga__laminar_free(ga__laminar *l)
{
    ga__simplex_free(&l->simplex);
    ga_free(l->context, l->cell_of);
    ga_free(l->context, l->cost);
    ga_free(l->context, l->tail);
    ga_free(l->context, l->head);
    ga_free(l->context, l->capacity);
    ga_free(l->context, l->flow);
    ga_free(l->context, l->slope);
    ga_free(l->context, l->first);
    ga_free(l->context, l->excess);
    ga_free(l->context, l->low);
}

static ga_status allocate(ga__laminar *l)
{
    ga_status status = GA_OK;
    int64_t cells = l->original->dcm.count;
    int64_t nodes = 2 * (l->original->in.count + l->original->out.count) + 1, arcs = cells + 2 * nodes;
    if (nodes > INT32_MAX - 2) {
        GA_TRY(ga__fail(l->context, GA_OVERFLOW, "rounding: too many classes"));
    }
    l->network.nodes = (int32_t)nodes;
    GA_TRY(GA_NEW(l->context, cells, &l->cell_of));
    GA_TRY(GA_NEW(l->context, cells, &l->cost));
    GA_TRY(GA_NEW(l->context, arcs, &l->tail));
    GA_TRY(GA_NEW(l->context, arcs, &l->head));
    GA_TRY(GA_NEW(l->context, arcs, &l->capacity));
    GA_TRY(GA_NEW_ZERO(l->context, arcs, &l->flow));
    GA_TRY(GA_NEW_ZERO(l->context, arcs, &l->slope));
    GA_TRY(GA_NEW(l->context, arcs + 1, &l->first));
    GA_TRY(GA_NEW_ZERO(l->context, nodes, &l->excess));
    GA_TRY(GA_NEW(l->context, cells, &l->low));
done:
    return status;
}

/* An arc that takes low or low + 1 units. */
static void add_arc(ga__laminar *l, int64_t tail, int64_t head, ga__share share)
{
    int64_t a = l->network.arcs++;
    l->tail[a] = (int32_t)tail;
    l->head[a] = (int32_t)head;
    l->capacity[a] = share.fraction > 0;
    l->excess[tail] -= share.low;
    l->excess[head] += share.low;
}

static void add_cells(ga__laminar *l)
{
    const ga__cells *dcm = &l->original->dcm;
    int64_t row = l->original->in.count, column = 2 * row;
    for (int64_t c = 0; c < dcm->count; c++) {
        ga__share share = ga__share_of(l->options->ratio, dcm->entry[c], l->exact);
        l->low[c] = share.low;
        if (share.fraction > 0) {
            l->cost[l->cell_arcs] = 1 - 2 * share.fraction;
            l->cell_of[l->cell_arcs++] = c;
            add_arc(l, row + dcm->row[c], column + dcm->column[c], share);
        } else {
            l->excess[row + dcm->row[c]] -= share.low;
            l->excess[column + dcm->column[c]] += share.low;
        }
    }
}

/* The chain of one side: prefix i is node chain + i, class i node branch + i. source: the side that units come from.
 * size is the classes' sizes. */
static void add_chain(ga__laminar *l, int64_t chain, int64_t branch, int64_t count, const int64_t *size,
                      bool source)
{
    int64_t prefix = 0;
    for (int64_t i = 0; i < count; i++) {
        ga__share share = ga__share_of(l->options->ratio, size[i], l->exact);
        add_arc(l, source ? chain + i : branch + i, source ? branch + i : chain + i, share);
        if (i > 0) {
            share = ga__share_of(l->options->ratio, prefix, l->exact);
            add_arc(l, source ? chain + i : chain + i - 1, source ? chain + i - 1 : chain + i, share);
        }
        prefix += size[i];
    }
    if (count > 0) {
        l->excess[chain + count - 1] += source ? l->options->nodes : -l->options->nodes;
    }
}

typedef struct labelled {
    int64_t label, class;
} labelled;

static int by_label(const void *a, const void *b)
{
    const labelled *x = a, *y = b;
    int order = (x->label > y->label) - (x->label < y->label);
    return order ? order : (x->class > y->class) - (x->class < y->class);
}

/* The receiving side of labelled matrices: a chain for every label, all of which end in the node `root`. */
static ga_status add_label_chains(ga__laminar *l, int64_t chain, int64_t branch, const ga__classes *classes,
                                  const int64_t *size, int64_t root)
{
    ga_status status = GA_OK;
    labelled *list = NULL;
    int64_t prefix = 0;
    GA_TRY(GA_NEW(l->context, classes->count, &list));
    for (int64_t i = 0; i < classes->count; i++) {
        list[i] = (labelled){ classes->label[i], i };
    }
    qsort(list, (size_t)classes->count, sizeof *list, by_label);
    for (int64_t i = 0; i < classes->count; i++) {
        int64_t c = list[i].class;
        bool last = i + 1 == classes->count || list[i + 1].label != list[i].label;
        add_arc(l, branch + c, chain + i, ga__share_of(l->options->ratio, size[c], l->exact));
        prefix += size[c];
        add_arc(l, chain + i, last ? root : chain + i + 1, ga__share_of(l->options->ratio, prefix, l->exact));
        prefix = last ? 0 : prefix;
    }
    l->excess[root] -= l->options->nodes;
done:
    ga_free(l->context, list);
    return status;
}

static ga_status add_chains(ga__laminar *l)
{
    ga_status status = GA_OK;
    int64_t in = l->original->in.count, out = l->original->out.count;
    int64_t *out_size = NULL, *in_size = NULL;
    GA_TRY(GA_NEW(l->context, out, &out_size));
    GA_TRY(GA_NEW(l->context, in, &in_size));
    ga__class_sizes(l->original, out_size, in_size);
    add_chain(l, 0, in, in, in_size, true);
    if (l->original->out.label) {
        GA_TRY(add_label_chains(l, 2 * in + out, 2 * in, &l->original->out, out_size, 2 * (in + out)));
    } else {
        add_chain(l, 2 * in + out, 2 * in, out, out_size, false);
    }
done:
    ga_free(l->context, out_size);
    ga_free(l->context, in_size);
    return status;
}

/* A flow that settles the excess of every node, with a source and a sink of its own. */
static ga_status find_flow(ga__laminar *l)
{
    ga_status status = GA_OK;
    ga__network helped = {
        .nodes = l->network.nodes + 2, .arcs = l->network.arcs, .tail = l->tail, .head = l->head
    };
    int32_t source = l->network.nodes, sink = source + 1;
    int64_t wanted = 0, value;
    for (int32_t v = 0; v < l->network.nodes; v++) {
        if (l->excess[v] != 0) {
            bool gives = l->excess[v] > 0;
            l->tail[helped.arcs] = gives ? source : v;
            l->head[helped.arcs] = gives ? v : sink;
            l->capacity[helped.arcs++] = gives ? l->excess[v] : -l->excess[v];
            wanted += gives ? l->excess[v] : 0;
        }
    }
    GA_TRY(ga__max_flow(l->context, &helped, l->capacity, source, sink, l->flow, &value));
    if (value != wanted) {
        GA_TRY(ga__fail(l->context, GA_INFEASIBLE, "rounding: %lld nodes cannot be placed within the bounds",
                        (long long)(wanted - value)));
    }
done:
    return status;
}

ga_status ga__laminar_build(ga__laminar *l)
{
    ga_status status = GA_OK;
    GA_TRY(allocate(l));
    add_cells(l);
    GA_TRY(add_chains(l));
    l->network.tail = l->tail;
    l->network.head = l->head;
    GA_TRY(find_flow(l));
    for (int64_t a = 0; a <= l->network.arcs; a++) {
        l->first[a] = a;
    }
    l->costs = (ga__costs){ .first = l->first, .width = l->capacity, .slope = l->slope };
    l->simplex = (ga__simplex){ .context = l->context, .network = &l->network, .costs = &l->costs };
    GA_TRY(ga__simplex_start(&l->simplex, l->flow));
done:
    return status;
}
