/* drop.c - edges that no graph within the degrees can hold are taken off the nodes. */
#include "config.h"

#include <stdlib.h>

#include "sampling/rescale/plan.h"

/* What the flow leaves of every class's stubs. */
static void stubs_left(const ga__stage *stage, const ga__tally *flow, int64_t *row_left, int64_t *column_left)
{
    for (int64_t k = 0; k < stage->out.count; k++) {
        row_left[k] = stage->out.stubs[k];
    }
    for (int64_t l = 0; l < stage->in.count; l++) {
        column_left[l] = stage->in.stubs[l];
    }
    for (int64_t i = 0; i < flow->count; i++) {
        row_left[flow->row[i]] -= flow->entry[i];
        column_left[flow->column[i]] -= flow->entry[i];
    }
}

static ga_status record(ga_context *context, ga_rescale_report *report, int64_t out, int64_t in,
                        int64_t edges)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < report->dropped_classes; i++) {
        if (report->dropped_edges[i].out_degree == out && report->dropped_edges[i].in_degree == in) {
            report->dropped_edges[i].edges += edges;
            return GA_OK;
        }
    }
    GA_TRY(ga__resize(context, report->dropped_classes, report->dropped_classes + 1,
                      sizeof *report->dropped_edges, &report->dropped_edges));
    report->dropped_edges[report->dropped_classes++] = (ga_dropped){ out, in, edges };
done:
    return status;
}

/* Lost out-stubs and in-stubs are paired in order of class, so that every lost edge has both ends. */
static ga_status record_losses(ga_context *context, const ga__stage *stage, const int64_t *row_left,
                               const int64_t *column_left, ga_rescale_report *report)
{
    ga_status status = GA_OK;
    int64_t k = 0, l = 0, row = stage->out.count ? row_left[0] : 0,
            column = stage->in.count ? column_left[0] : 0;
    while (k < stage->out.count && l < stage->in.count) {
        int64_t both = ga__min(row, column);
        if (both > 0) {
            GA_TRY(record(context, report, stage->out.degree[k], stage->in.degree[l], both));
            report->dropped += both;
        }
        row -= both;
        column -= both;
        if (row == 0) {
            row = ++k < stage->out.count ? row_left[k] : 0;
        } else {
            column = ++l < stage->in.count ? column_left[l] : 0;
        }
    }
done:
    return status;
}

/* A node of a class that not all nodes can give the same of. */
typedef struct giver {
    int32_t class;
    int64_t other, node; /* degree on the other side */
} giver;

static int by_other_degree(const void *a, const void *b)
{
    const giver *x = a, *y = b;
    if (x->class != y->class) {
        return x->class < y->class ? -1 : 1;
    }
    if (x->other != y->other) {
        return x->other > y->other ? -1 : 1;
    }
    return x->node < y->node ? -1 : 1;
}

/* One more each of the nodes that are largest on the other side: there the cells are full, and such a node has
 * a place less in them than the others of its class, that of its loop. */
static ga_status take_rest(ga_context *context, const int32_t *class_of, int64_t nodes, const int64_t *other,
                           int64_t *left, int64_t *degree)
{
    ga_status status = GA_OK;
    giver *list = NULL;
    int64_t count = 0;
    for (int64_t i = 0; i < nodes; i++) {
        count += left[class_of[i]] > 0;
    }
    GA_TRY(GA_NEW(context, count, &list));
    count = 0;
    for (int64_t i = 0; i < nodes; i++) {
        if (left[class_of[i]] > 0) {
            list[count++] = (giver){ class_of[i], other[i], i };
        }
    }
    if (count > 0) {
        qsort(list, (size_t)count, sizeof *list, by_other_degree);
    }
    for (int64_t i = 0; i < count; i++) {
        degree[list[i].node] -= left[list[i].class] > 0;
        left[list[i].class] -= left[list[i].class] > 0;
    }
done:
    ga_free(context, list);
    return status;
}

/* Every node of a class gives the same, some one more. */
static ga_status take_off(ga_context *context, const ga__side *side, const int32_t *class_of, int64_t nodes,
                          const int64_t *other, int64_t *left, int64_t *degree)
{
    for (int64_t i = 0; i < nodes; i++) {
        degree[i] -= left[class_of[i]] / side->size[class_of[i]];
    }
    for (int64_t c = 0; c < side->count; c++) {
        left[c] = side->size[c] > 0 ? left[c] % side->size[c] : 0;
    }
    return take_rest(context, class_of, nodes, other, left, degree);
}

ga_status ga__drop(ga_context *context, ga__draft *draft, ga__stage *stage, const ga__tally *flow)
{
    ga_status status = GA_OK;
    int64_t *row_left = NULL, *column_left = NULL;
    GA_TRY(GA_NEW(context, stage->out.count, &row_left));
    GA_TRY(GA_NEW(context, stage->in.count, &column_left));
    stubs_left(stage, flow, row_left, column_left);
    GA_TRY(record_losses(context, stage, row_left, column_left, draft->report));
    GA_TRY(take_off(context, &stage->out, stage->node_out, draft->nodes, draft->in, row_left, draft->out));
    GA_TRY(take_off(context, &stage->in, stage->node_in, draft->nodes, draft->out, column_left, draft->in));
done:
    ga_free(context, row_left);
    ga_free(context, column_left);
    return status;
}
