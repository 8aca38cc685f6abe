/* matrices_count.c - both degree matrices of a graph: degrees to classes, nodes to DCM cells, edges to JDM cells. */
#include "config.h"

#include <string.h>

#include "graph/graph.h"
#include "lib/base/workers.h"
#include "sampling/matrices.h"

void ga__counted_clear(ga_context *context, ga__counted *counted)
{
    ga_matrices_destroy(context, counted->matrices);
    ga_free(context, counted->out_class);
    ga_free(context, counted->in_class);
    ga_free(context, counted->first);
    ga_free(context, counted->node);
    *counted = (ga__counted){ 0 };
}

/* Classes of all nodes; the class arrays hold degrees before. */
static ga_status find_classes(ga_context *context, const ga_graph *graph, const ga__device_edges *edges,
                              const int64_t *labels, ga__counted *c)
{
    ga_status status = GA_OK;
    int64_t nodes = graph->nodes;
    GA_TRY(GA_NEW(context, nodes, &c->out_class));
    GA_TRY(GA_NEW(context, nodes, &c->in_class));
    ga__advise_large(c->out_class, nodes * (int64_t)sizeof *c->out_class);
    ga__advise_large(c->in_class, nodes * (int64_t)sizeof *c->in_class);
    uint32_t *out = (uint32_t *)c->out_class, *in = (uint32_t *)c->in_class;
    GA_TRY(ga_graph_degrees(context, graph, out, edges ? NULL : in));
    if (edges) {
        GA_TRY(ga__count_targets(context, edges, in));
        GA_TRY(ga__degrees_check(context, graph, in));
    }
    GA_TRY(ga__classes_of(context, nodes, out, labels, &c->matrices->out, c->out_class));
    GA_TRY(ga__classes_of(context, nodes, in, labels, &c->matrices->in, c->in_class));
done:
    return status;
}

/* ---- DCM ---- */

/* Where the out-class changes within each in-class of the sorted nodes, a cell starts. */
typedef struct bounds {
    ga_context *context;
    ga__counted *counted;
    const int64_t *row_first; /* of in-classes in counted->node */
    int64_t *cells;           /* of each in-class, then where they start */
    int64_t rows, next;
    bool filling;
    int status;
} bounds;

static void bound_row(bounds *b, int64_t row)
{
    const ga__counted *c = b->counted;
    ga__cells *dcm = &c->matrices->dcm;
    int64_t cell = b->filling ? b->cells[row] : 0;
    int32_t previous = -1;
    for (int64_t i = b->row_first[row]; i < b->row_first[row + 1]; i++) {
        int32_t class_ = c->out_class[c->node[i]];
        if (class_ == previous) {
            continue;
        }
        previous = class_;
        if (b->filling) {
            c->first[cell] = i;
            dcm->row[cell] = (int32_t)row;
            dcm->column[cell] = class_;
        }
        cell++;
    }
    if (!b->filling) {
        b->cells[row + 1] = cell;
    }
}

static void bounds_worker(void *user, int worker)
{
    bounds *b = user;
    (void)worker;
    for (int64_t row; (row = ga__claim(&b->next)) < b->rows && !ga__stopped(b->context, &b->status);) {
        bound_row(b, row);
    }
}

static ga_status find_bounds(bounds *b)
{
    b->next = 0;
    ga__workers(b->context, ga__threads_for(b->context, b->counted->matrices->dcm.total / 4096 + 1),
                bounds_worker, b);
    return ga__noted_status(&b->status);
}

static ga_status list_cells(ga_context *context, ga__counted *c, const int64_t *row_first, int64_t nodes)
{
    ga_status status = GA_OK;
    ga__cells *dcm = &c->matrices->dcm;
    bounds b = { .context = context, .counted = c, .row_first = row_first, .rows = c->matrices->in.count };
    GA_TRY(GA_NEW(context, b.rows + 1, &b.cells));
    dcm->total = nodes;
    GA_TRY(find_bounds(&b));
    GA_TRY(ga__prefix_sum(context, b.cells, b.rows));
    int64_t cells = b.cells[b.rows];
    GA_TRY(ga__cells_new(context, cells, dcm));
    dcm->total = nodes;
    GA_TRY(GA_NEW(context, cells + 1, &c->first));
    b.filling = true;
    GA_TRY(find_bounds(&b));
    c->first[cells] = nodes;
    for (int64_t cell = 0; cell < cells; cell++) {
        dcm->entry[cell] = c->first[cell + 1] - c->first[cell];
    }
done:
    ga_free(context, b.cells);
    return status;
}

/* The nodes in by_out, sorted by out-class, to cells. */
static ga_status count_dcm(ga_context *context, ga__counted *c, int64_t nodes, const uint32_t *by_out)
{
    ga_status status = GA_OK;
    int64_t *row_first = NULL;
    GA_TRY(GA_NEW(context, c->matrices->in.count + 1, &row_first));
    GA_TRY(GA_NEW(context, nodes, &c->node));
    GA_TRY(ga__sort_by_class(context, nodes, by_out, c->in_class, c->matrices->in.count, c->node, row_first));
    GA_TRY(list_cells(context, c, row_first, nodes));
done:
    ga_free(context, row_first);
    return status;
}

/* ---- both ---- */

/* The edges on the context's device; NULL on the CPU. brought: takes a copy made for this call. */
static ga_status find_edges(ga_context *context, const ga_graph *graph, ga__device_edges *brought,
                            const ga__device_edges **edges)
{
    ga_status status = GA_OK;
    int device = ga__device_id(context);
    *edges = device == 0 ? NULL : graph->on_device.device == device ? &graph->on_device : brought;
    if (*edges == brought) {
        status =
            ga__device_edges_bring(context, graph->nodes, graph->out_offsets, graph->out_targets, brought);
    }
    return status;
}

ga_status ga__matrices_count(ga_context *context, const ga_graph *graph, const int64_t *labels,
                             ga__counted *counted)
{
    ga_status status = GA_OK;
    ga__counted c = { 0 };
    ga__device_edges brought = { 0 };
    const ga__device_edges *edges = NULL;
    uint32_t *by_out = NULL;
    int64_t *first = NULL;
    int threads = 1;
    GA_TRY(GA_NEW_ZERO(context, 1, &c.matrices));
    ga_matrices *m = c.matrices;
    GA_TRY(find_edges(context, graph, &brought, &edges));
    GA_TRY(find_classes(context, graph, edges, labels, &c));
    GA_TRY(GA_NEW(context, graph->nodes, &by_out));
    ga__advise_large(by_out, graph->nodes * (int64_t)sizeof *by_out);
    GA_TRY(GA_NEW(context, m->out.count + 1, &first));
    GA_TRY(ga__sort_by_class(context, graph->nodes, NULL, c.out_class, m->out.count, by_out, first));
    ga__edge_classes classes = { graph, m->out.count, m->in.count, c.out_class, c.in_class, by_out, first };
    if (edges) {
        GA_TRY(ga__jdm_on_device(context, edges, &classes, &m->jdm));
    } else if (ga__jdm_table_fits(context, &classes, &threads)) {
        GA_TRY(ga__jdm_by_table(context, &classes, threads, &m->jdm));
    } else {
        GA_TRY(ga__jdm_by_rows(context, &classes, &m->jdm));
    }
    GA_TRY(count_dcm(context, &c, graph->nodes, by_out));
    *counted = c;
    c = (ga__counted){ 0 };
done:
    ga__device_edges_free(context, &brought);
    ga_free(context, by_out);
    ga_free(context, first);
    ga__counted_clear(context, &c);
    return status;
}

ga_status ga_matrices_count(ga_context *context, const ga_graph *graph, const int64_t *labels,
                            ga_matrices **matrices)
{
    ga_status status = GA_OK;
    ga__counted counted = { 0 };
    ga__begin(context);
    GA_TRY(ga__matrices_count(context, graph, labels, &counted));
    *matrices = counted.matrices;
    counted.matrices = NULL;
done:
    ga__counted_clear(context, &counted);
    return status;
}
