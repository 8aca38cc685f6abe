/* cluster.c - unions of parts of the graph (Chiang et al., Cluster-GCN, KDD 2019). */
#include "config.h"

#include <stdlib.h>

#include "sampling/batches/batches.h"

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* ---- the parts ---- */

/* Numbers in any range to 0, 1, ... in the same order. */
static ga_status renumber(ga_batches *all, const int64_t *given, int64_t *part)
{
    ga_status status = GA_OK;
    int64_t n = all->graph->nodes, *distinct = NULL, count = 0;
    GA_TRY(GA_NEW(all->context, n, &distinct));
    for (int64_t v = 0; v < n; v++) {
        if (given[v] < 0) {
            GA_TRY(ga__fail(all->context, GA_INVALID, "cluster: node %lld has part %lld, expected 0 or more",
                            (long long)v, (long long)given[v]));
        }
        distinct[v] = given[v];
    }
    if (n > 0) {
        qsort(distinct, (size_t)n, sizeof *distinct, ascending);
    }
    for (int64_t v = 0; v < n; v++) {
        if (v == 0 || distinct[v] != distinct[count - 1]) {
            distinct[count++] = distinct[v];
        }
    }
    for (int64_t v = 0; v < n; v++) {
        part[v] =
            (int64_t *)bsearch(&given[v], distinct, (size_t)count, sizeof *distinct, ascending) - distinct;
    }
    all->parts = count;
done:
    ga_free(all->context, distinct);
    return status;
}

static ga_status find_parts(ga_batches *all, int64_t *part)
{
    if (all->given_parts) {
        return renumber(all, all->given_parts, part);
    }
    all->parts = ga__min(ga__batch_integer(all, "parts"), all->graph->nodes);
    return all->parts > 0 ? ga_graph_partition(all->context, all->graph, all->parts, part, NULL) : GA_OK;
}

/* Nodes by part, ascending in each. */
static ga_status sort_by_part(ga_batches *all, const int64_t *part)
{
    ga_status status = GA_OK;
    int64_t n = all->graph->nodes;
    GA_TRY(GA_NEW_ZERO(all->context, all->parts + 2, &all->part_begin));
    GA_TRY(GA_NEW(all->context, n, &all->part_nodes));
    for (int64_t v = 0; v < n; v++) {
        all->part_begin[part[v] + 2]++;
    }
    for (int64_t i = 1; i <= all->parts; i++) {
        all->part_begin[i + 1] += all->part_begin[i];
    }
    for (int64_t v = 0; v < n;
         v++) { /* part_begin[i + 1] is where the next of part i goes, and ends as its end */
        all->part_nodes[all->part_begin[part[v] + 1]++] = (uint32_t)v;
    }
done:
    return status;
}

static ga_status draw_order(ga_batches *all)
{
    ga_status status = GA_OK;
    ga__random stream = ga__batch_stream(ga__batch_key(all, GA__RANDOM_BATCH_RUN, 0, 0), 0);
    GA_TRY(GA_NEW(all->context, all->parts, &all->part_order));
    for (int64_t i = 0; i < all->parts; i++) { /* each new one goes to a uniform place */
        int64_t at = (int64_t)ga__random_below(&stream, (uint64_t)i + 1);
        all->part_order[i] = all->part_order[at];
        all->part_order[at] = (uint32_t)i;
    }
done:
    return status;
}

static ga_status open_cluster(ga_batches *all)
{
    ga_status status = GA_OK;
    int64_t *part = NULL;
    GA_TRY(GA_NEW(all->context, all->graph->nodes, &part));
    GA_TRY(find_parts(all, part));
    GA_TRY(sort_by_part(all, part));
    GA_TRY(draw_order(all));
    all->parts_per_batch = ga__batch_integer(all, "parts_per_batch");
    all->count = all->parts / all->parts_per_batch + (all->parts % all->parts_per_batch > 0);
done:
    ga_free(all->context, part);
    return status;
}

static ga_status make_cluster(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    int64_t first = number * all->parts_per_batch; /* below all->parts */
    int64_t end = first + ga__min(all->parts_per_batch, all->parts - first);
    uint32_t place;
    for (int64_t i = first; i < end; i++) {
        uint32_t part = all->part_order[i];
        for (int64_t j = all->part_begin[part]; j < all->part_begin[part + 1]; j++) {
            GA_TRY(ga__batch_place(w, all->part_nodes[j], &place));
        }
    }
    status = ga__batch_induce(w, NULL);
done:
    return status;
}
const struct ga__batch_maker ga__cluster_batches = { open_cluster, make_cluster, NULL };
