/* node_data.c - a graph with features, labels and lists of nodes, for the commands that train and apply models. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/node_data.h"
#include "cli/session.h"

/* Labels above are a sign of another file. */
enum { MOST_CLASSES = 1 << 16 };

/* ---- features ---- */

static ga_status read_features(session *s, node_inputs *in)
{
    ga_status status = GA_OK;
    bool market = false;
    const char *path = s->is.features;
    GA_TRY(is_market(s, path, &market));
    if (market) {
        GA_TRY(ga_market_read(s->context, path, &in->sparse));
        in->nodes = in->sparse.rows;
        in->data.sparse = &in->sparse;
    } else {
        GA_TRY(read_tensor(s, path, &in->dense));
        if (in->dense->ndim != 2) {
            GA_TRY(complain(s, GA_FORMAT, "%s: %d axes, expected 2: nodes, columns", path,
                            (int)in->dense->ndim));
        }
        in->nodes = in->dense->shape[0];
        in->data.features = in->dense;
    }
    if ((market ? in->sparse.columns : in->dense->shape[1]) < 1) {
        GA_TRY(complain(s, GA_FORMAT, "%s: %lld rows of 0 columns, expected at least 1", path,
                        (long long)in->nodes));
    }
done:
    return status;
}

/* ---- labels ---- */

static ga_status check_rows(session *s, const char *path, const char *what, int64_t found, int64_t nodes)
{
    if (found == nodes) {
        return GA_OK;
    }
    return complain(s, GA_FORMAT, "%s: %lld %s, expected %lld, the rows of %s", path, (long long)found, what,
                    (long long)nodes, s->is.features);
}

static ga_status read_targets(session *s, node_inputs *in)
{
    ga_status status = GA_OK;
    const char *path = s->is.labels;
    GA_TRY(read_tensor(s, path, &in->targets));
    const DLTensor *t = in->targets;
    bool bytes = t->dtype.bits == 8 && (t->dtype.code == kDLUInt || t->dtype.code == GA_DL_BOOL);
    if (t->ndim != 2 || !bytes) {
        GA_TRY(complain(s, GA_FORMAT, "%s: expected a table (nodes, classes) of type u1 or b1", path));
    }
    GA_TRY(check_rows(s, path, "rows", t->shape[0], in->nodes));
    in->data.targets = t;
done:
    return status;
}

static ga_status read_labels(session *s, node_inputs *in)
{
    ga_status status = GA_OK;
    const char *path = s->is.labels;
    int64_t count = 0;
    bool table = false;
    GA_TRY(begins_with(s, path, "\x93NUMPY", &table));
    if (table) {
        return read_targets(s, in);
    }
    GA_TRY(ga_integers_read(s->context, path, &in->labels, &count));
    GA_TRY(check_rows(s, path, "labels", count, in->nodes));
    for (int64_t i = 0; i < count; i++) {
        if (in->labels[i] < -1 || in->labels[i] >= MOST_CLASSES) {
            GA_TRY(complain(s, GA_FORMAT, "%s: label %lld of node %lld, expected -1 (none) to %d", path,
                            (long long)in->labels[i], (long long)i, MOST_CLASSES - 1));
        }
    }
    in->data.labels = in->labels;
done:
    return status;
}

/* ---- lists of nodes ---- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

ga_status read_node_list(session *s, const char *path, int64_t nodes, int64_t **list, int64_t *count)
{
    ga_status status = GA_OK;
    if (!path) {
        return GA_OK;
    }
    GA_TRY(ga_integers_read(s->context, path, list, count));
    qsort(*list, (size_t)*count, sizeof **list, by_value);
    for (int64_t i = 0; i < *count; i++) {
        long long node = (long long)(*list)[i];
        if (node < 0 || node >= nodes) {
            GA_TRY(complain(s, GA_FORMAT, "%s: node %lld, expected 0 to %lld", path, node,
                            (long long)nodes - 1));
        }
        if (i > 0 && (*list)[i] == (*list)[i - 1]) {
            GA_TRY(complain(s, GA_FORMAT, "%s: node %lld stands there twice", path, node));
        }
    }
done:
    return status;
}

/* ---- all of it ---- */

void reads_node_data(session *s)
{
    if (s->operand_count) {
        reads(s, s->operands[0]);
    }
    reads(s, s->is.features);
    reads(s, s->is.labels);
}

static void drop_edges(void *user)
{
    node_inputs *in = user;
    free_edges(in->session, &in->edges);
    in->edges = (edge_file){ .graph = NULL };
}

ga_status read_node_data(session *s, node_inputs *in)
{
    ga_status status = GA_OK;
    *in = (node_inputs){ .session = s, .data = GA_NODE_DATA_INIT };
    in->data.edges_read = drop_edges;
    in->data.user = in;
    in->data.undirected = s->is.undirected;
    GA_TRY(read_features(s, in));
    if (s->is.labels) {
        GA_TRY(read_labels(s, in));
    }
    if (s->operand_count) {
        GA_TRY(read_graph_edges(s, s->operands[0], &in->edges));
        in->data.edges = &in->edges.rows;
    }
done:
    return status;
}

void free_node_data(session *s, node_inputs *in)
{
    free_edges(s, &in->edges);
    ga_tensor_destroy(s->context, in->dense);
    ga_sparse_clear(s->context, &in->sparse);
    ga_free(s->context, in->labels);
    ga_tensor_destroy(s->context, in->targets);
}
