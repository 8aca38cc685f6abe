/* realize.c - a graph with given matrices. */
#include "config.h"

#include "sampling/realize/realize.h"

/* Nodes cell by cell of the DCM: their classes, and labels if there are any. */
static void list_nodes(const ga_matrices *m, int32_t *out_class, int32_t *in_class, int64_t *labels)
{
    int64_t v = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        for (int64_t i = 0; i < m->dcm.entry[c]; i++, v++) {
            in_class[v] = m->dcm.row[c];
            out_class[v] = m->dcm.column[c];
            if (labels) {
                labels[v] = m->in.label[m->dcm.row[c]];
            }
        }
    }
}

static ga_status check_size(ga_context *context, const ga_matrices *m)
{
    if (m->dcm.total > INT64_C(4294967296)) {
        return ga__fail(context, GA_UNSUPPORTED, "the DCM has %lld nodes, more than the 2^32 of a graph",
                        (long long)m->dcm.total);
    }
    return GA_OK;
}

ga_status ga_realize(ga_context *context, const ga_matrices *matrices, const ga_realize_options *options,
                     ga_graph **graph, int64_t **labels)
{
    ga_status status = GA_OK;
    int64_t nodes = matrices->dcm.total, *made_labels = NULL;
    int32_t *out_class = NULL, *in_class = NULL;
    ga_graph *made = NULL;
    GA_TRY(ga_matrices_check(context, matrices, options->loops, options->multi, NULL, NULL));
    GA_TRY(check_size(context, matrices));
    GA_TRY(GA_NEW(context, nodes, &out_class));
    GA_TRY(GA_NEW(context, nodes, &in_class));
    if (labels && matrices->in.label) {
        GA_TRY(GA_NEW(context, nodes, &made_labels));
    }
    list_nodes(matrices, out_class, in_class, made_labels);
    GA_TRY(
        ga__construct(context, matrices, nodes, out_class, in_class, options->loops, options->multi, &made));
    *graph = made;
    if (labels) {
        *labels = made_labels;
        made_labels = NULL;
    }
done:
    ga_free(context, out_class);
    ga_free(context, in_class);
    ga_free(context, made_labels);
    return status;
}
