/* data.c - a graph, features and labels on their way into a model: checked, normalised, in single precision. */
#include "config.h"

#include <math.h>

#include "gnn/train.h"
#include "lib/engine/view.h"

static const DLDataType f32 = { .code = kDLFloat, .bits = 32, .lanes = 1 };

/* ---- shapes and labels ---- */

ga_status ga__data_shape(ga_context *context, const ga_node_data *data, int64_t *nodes, int64_t *columns)
{
    if (!data || (data->features != NULL) == (data->sparse != NULL)) {
        return ga__fail(context, GA_INVALID, "features: %s, expected dense or sparse ones",
                        data && data->features ? "both dense and sparse" : "none");
    }
    if (data->features && data->features->ndim != 2) {
        return ga__fail(context, GA_INVALID, "features: %d axes, expected (nodes, columns)",
                        (int)data->features->ndim);
    }
    *nodes = data->features ? data->features->shape[0] : data->sparse->rows;
    *columns = data->features ? data->features->shape[1] : data->sparse->columns;
    if (*nodes < 1 || *columns < 1) {
        return ga__fail(context, GA_INVALID, "features: %lld rows and %lld columns, expected at least 1 each",
                        (long long)*nodes, (long long)*columns);
    }
    return GA_OK;
}

ga_status ga__count_classes(ga_context *context, const int64_t *labels, int64_t nodes, int64_t *classes)
{
    enum { MOST = 1 << 20 };
    int64_t largest = -1;
    for (int64_t i = 0; i < nodes; i++) {
        if (labels[i] < -1 || labels[i] >= MOST) {
            return ga__fail(context, GA_INVALID, "labels: node %lld has %lld, expected -1 (unknown) to %d",
                            (long long)i, (long long)labels[i], MOST - 1);
        }
        largest = ga__max(largest, labels[i]);
    }
    *classes = largest + 1;
    return GA_OK;
}

static ga_status check_targets(ga_context *context, const DLTensor *targets, int64_t nodes, ga__truth *truth)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(context, "targets", targets, false, &view));
    if (targets->ndim != 2 || targets->shape[0] != nodes || view.type != GA__U8 ||
        (view.rows > 1 && view.stride_row != view.columns)) {
        GA_TRY(ga__fail(
            context, GA_INVALID,
            "targets: %d axes and %lld rows, expected a contiguous u8 or bool tensor (%lld, classes)",
            (int)targets->ndim, targets->ndim > 0 ? (long long)targets->shape[0] : 0, (long long)nodes));
    }
    truth->targets = view.data;
    for (int64_t i = 0; i < nodes * view.columns; i++) {
        if (truth->targets[i] > 1) {
            GA_TRY(ga__fail(context, GA_INVALID, "targets: node %lld, class %lld has %d, expected 0 or 1",
                            (long long)(i / view.columns), (long long)(i % view.columns), truth->targets[i]));
        }
    }
done:
    return status;
}

ga_status ga__data_truth(ga_context *context, const ga_node_data *data, int64_t nodes, ga__truth *truth,
                         int64_t *classes)
{
    ga_status status = GA_OK;
    *truth = (ga__truth){ .labels = data->labels };
    if ((data->labels != NULL) == (data->targets != NULL)) {
        GA_TRY(ga__fail(context, GA_INVALID, "labels and targets: %s, expected one of them",
                        data->labels ? "both" : "none"));
    }
    if (data->labels) {
        GA_TRY(ga__count_classes(context, data->labels, nodes, classes));
    } else {
        GA_TRY(check_targets(context, data->targets, nodes, truth));
        *classes = data->targets->shape[1];
    }
    if (*classes < 1) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: no node has a class", data->labels ? "labels" : "targets"));
    }
done:
    return status;
}

/* ---- features ---- */

/* What a row is divided by; 1 for one that stays as it is. */
static double divisor(const float *row, int64_t count, int64_t normalise)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += normalise == GA__NORMALISE_L2 ? (double)row[i] * (double)row[i] : (double)row[i];
    }
    sum = normalise == GA__NORMALISE_L2 ? sqrt(sum) : sum;
    return sum == 0 ? 1 : sum;
}

/* A row of sum 0 stays as it is. */
static void divide_row(const float *from, float *to, int64_t count, int64_t normalise)
{
    double by = normalise == GA__NORMALISE_NONE ? 1 : divisor(from, count, normalise);
    for (int64_t i = 0; i < count; i++) {
        to[i] = (float)((double)from[i] / by);
    }
}

static ga_status not_finite(ga_context *context, int64_t row, int64_t column, double value)
{
    return ga__fail(context, GA_INVALID,
                    "features: row %lld, column %lld: %g is not finite in single precision", (long long)row,
                    (long long)column, value);
}

/* One number that is not finite spoils its row when that is normalised; column is the first that came out so. */
static ga_status bad_row(ga_context *context, const ga__view *view, int64_t row, int64_t column)
{
    for (int64_t c = 0; c < view->columns; c++) {
        if (!isfinite((float)ga__view_get(view, 0, 0, row, c))) {
            column = c;
            break;
        }
    }
    return not_finite(context, row, column, ga__view_get(view, 0, 0, row, column));
}

static ga_status prepare_dense(ga_context *context, const DLTensor *features, int64_t normalise,
                               ga__prepared *out)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_of(context, "features", features, true, &view));
    bool as_it_is = view.type == GA__F32 && (view.rows == 1 || view.stride_row == view.columns);
    if (as_it_is) {
        out->borrowed_shape[0] = view.rows;
        out->borrowed_shape[1] = view.columns;
        out->borrowed = (DLTensor){ .data = view.data,
                                    .device = { .device_type = kDLCPU },
                                    .ndim = 2,
                                    .dtype = f32,
                                    .shape = out->borrowed_shape };
    } else {
        GA_TRY(ga__tensor_cast(context, "features", features, f32, &out->dense));
    }
    const float *from = as_it_is ? view.data : out->dense->data;
    if (normalise != GA__NORMALISE_NONE) {
        if (!out->dense) {
            GA_TRY(ga_tensor_create(context, f32, 2, out->borrowed_shape, &out->dense));
        }
        for (int64_t row = 0; row < view.rows; row++) {
            divide_row(from + row * view.columns, (float *)out->dense->data + row * view.columns,
                       view.columns, normalise);
        }
    }
    const float *made = out->dense ? out->dense->data : from;
    for (int64_t i = 0; i < view.rows * view.columns; i++) {
        if (!isfinite(made[i])) {
            GA_TRY(bad_row(context, &view, i / view.columns, i % view.columns));
        }
    }
    out->data.dense = out->dense ? out->dense : &out->borrowed;
done:
    return status;
}

static ga_status check_sparse(ga_context *context, const ga_sparse *s)
{
    if (!s->offsets || s->offsets[0] != 0) {
        return ga__fail(context, GA_INVALID, "features: sparse rows that do not begin with 0");
    }
    for (int64_t row = 0; row < s->rows; row++) {
        if (s->offsets[row + 1] < s->offsets[row]) {
            return ga__fail(context, GA_INVALID, "features: row %lld has less than no entries",
                            (long long)row);
        }
        for (int64_t i = s->offsets[row]; i < s->offsets[row + 1]; i++) {
            if (s->values && !isfinite(s->values[i])) {
                return not_finite(context, row, s->indices[i], (double)s->values[i]);
            }
            if (s->indices[i] >= s->columns || (i > s->offsets[row] && s->indices[i] <= s->indices[i - 1])) {
                return ga__fail(context, GA_INVALID,
                                "features: row %lld, column %lld, expected ascending ones below %lld",
                                (long long)row, (long long)s->indices[i], (long long)s->columns);
            }
        }
    }
    return GA_OK;
}

static double count_divisor(int64_t count, int64_t normalise)
{
    double entries = count > 0 ? (double)count : 1;
    return normalise == GA__NORMALISE_L2 ? sqrt(entries) : entries;
}

/* Values of sparse rows; without any every entry is 1. */
static ga_status prepare_values(ga_context *context, const ga_sparse *s, int64_t normalise, ga__prepared *out)
{
    ga_status status = GA_OK;
    const int64_t entries = s->offsets[s->rows];
    if (normalise == GA__NORMALISE_NONE && !s->values) {
        return GA_OK;
    }
    GA_TRY(ga_tensor_create(context, f32, 1, &entries, &out->values));
    float *to = out->values->data;
    for (int64_t row = 0; row < s->rows; row++) {
        int64_t from = s->offsets[row], count = s->offsets[row + 1] - from;
        if (s->values) {
            divide_row(s->values + from, to + from, count, normalise);
        }
        for (int64_t i = from; i < from + count; i++) {
            to[i] = s->values ? to[i] : (float)(1 / count_divisor(count, normalise));
            if (!isfinite(to[i])) {
                GA_TRY(not_finite(context, row, s->indices[i], (double)s->values[i]));
            }
        }
    }
    out->sparse.values = out->values;
done:
    return status;
}

static ga_status prepare_sparse(ga_context *context, const ga_sparse *s, int64_t normalise, ga__prepared *out)
{
    ga_status status = GA_OK;
    GA_TRY(check_sparse(context, s));
    out->sparse.edges = (ga_edges){ s->rows, s->columns, s->offsets[s->rows], s->offsets, s->indices };
    GA_TRY(prepare_values(context, s, normalise, out));
    GA_TRY(ga_edges_transpose(context, &out->sparse.edges, &out->sparse.transposed));
    out->data.sparse = &out->sparse;
done:
    return status;
}

/* ---- the graph ---- */

bool ga__model_weighs(const ga_model *model)
{
    for (int64_t i = 0; i < model->stage_count; i++) {
        if (model->stages[i].layer->takes_graph && model->stages[i].layer->ops->edge_weights) {
            return true;
        }
    }
    return false;
}

static ga_status check_weights(ga_context *context, const ga_edge_rows *edges)
{
    for (int64_t i = 0; i < edges->count; i++) {
        if (!isfinite(edges->weights[i])) {
            return ga__fail(context, GA_INVALID, "%s: the weight of edge %lld is not finite",
                            edges->name ? edges->name : "edges", (long long)i);
        }
    }
    return GA_OK;
}

static ga_status prepare_graph(ga_context *context, const ga_model *model, const ga_node_data *data,
                               ga__prepared *out)
{
    ga_status status = GA_OK;
    const double *weights = NULL;
    if (!data->edges) {
        GA_TRY(ga__fail(context, GA_INVALID, "model %s needs a graph", model->info->name));
    }
    if (ga__model_weighs(model) && data->edges->weights) {
        weights = data->edges->weights;
        GA_TRY(check_weights(context, data->edges));
    }
    ga__policy policy = ga__model_policy(model, data->undirected);
    GA_TRY(ga__messages_make(context, data->edges, weights, out->data.nodes, &policy, &out->messages));
    out->data.graph = &out->messages;
    if (data->edges_read) {
        data->edges_read(data->user);
    }
done:
    return status;
}

ga_status ga__prepare(ga_context *context, const ga_model *model, const ga_node_data *data, ga__prepared *out)
{
    ga_status status = GA_OK;
    int64_t columns = 0, normalise = ga__model_integer(model, "normalise");
    *out = (ga__prepared){ .dense = NULL };
    GA_TRY(ga__data_shape(context, data, &out->data.nodes, &columns));
    if (columns != model->features) {
        GA_TRY(ga__fail(context, GA_INVALID, "features: %lld columns, the model takes %lld",
                        (long long)columns, (long long)model->features));
    }
    GA_TRY(data->features ? prepare_dense(context, data->features, normalise, out)
                          : prepare_sparse(context, data->sparse, normalise, out));
    if (model->info->takes_graph) {
        GA_TRY(prepare_graph(context, model, data, out));
    }
done:
    return status;
}

void ga__prepared_close(ga_context *context, ga__prepared *prepared)
{
    ga_transposed_destroy(context, &prepared->sparse.transposed);
    ga__messages_free(context, &prepared->messages);
    ga_tensor_destroy(context, prepared->dense);
    ga_tensor_destroy(context, prepared->values);
    *prepared = (ga__prepared){ .dense = NULL };
}
