/* gat.c - one layer of graph attention over a graph of any format: gat GRAPH WIDTH HEADS OUTPUT.npy
 *
 * The features of a node are the logarithms of its degrees. The layer's weights are drawn, as those of a network that was
 * not trained yet; from Python, C or the command the same call takes trained ones.
 *
 * cc gat.c $(pkg-config --cflags --libs libgraphattn) -lm -o gat
 */
#include <graphattn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const DLDataType f32 = { kDLFloat, 32, 1 };

/* The edges of the graph as the layer wants them: a message goes from the source, the key, to the target. */
static ga_status list_edges(ga_context *context, const ga_graph *graph, ga_edge_rows *rows, int64_t **ends)
{
    ga_csr out = ga_graph_out(graph);
    ga_status status = ga_alloc(context, 2 * out.nonzeros, sizeof **ends, ends);
    if (status == GA_OK) {
        int64_t *keys = *ends, *queries = *ends + out.nonzeros;
        for (int64_t node = 0; node < out.rows; node++) {
            for (int64_t e = out.offsets[node]; e < out.offsets[node + 1]; e++) {
                keys[e] = node;
                queries[e] = out.targets[e];
            }
        }
        *rows =
            (ga_edge_rows){ .name = "the graph", .count = out.nonzeros, .keys = keys, .queries = queries };
    }
    return status;
}

static ga_status degree_features(ga_context *context, const ga_graph *graph, DLTensor **features)
{
    int64_t nodes = ga_graph_nodes(graph), shape[2] = { nodes, 2 };
    uint32_t *degrees = NULL;
    ga_status status = ga_alloc(context, 2 * nodes, sizeof *degrees, &degrees);
    if (status == GA_OK) {
        status = ga_graph_degrees(context, graph, degrees, degrees + nodes);
    }
    if (status == GA_OK) {
        status = ga_tensor_create(context, f32, 2, shape, features);
    }
    if (status == GA_OK) {
        float *x = (*features)->data;
        for (int64_t i = 0; i < nodes; i++) {
            x[2 * i] = log1pf((float)degrees[i]);
            x[2 * i + 1] = log1pf((float)degrees[nodes + i]);
        }
    }
    ga_free(context, degrees);
    return status;
}

/* A small matrix of weights, the same every time. */
static ga_status weights(ga_context *context, int64_t rows, int64_t columns, DLTensor **tensor)
{
    int64_t shape[2] = { rows, columns };
    ga_status status = ga_tensor_create(context, f32, 2, shape, tensor);
    for (int64_t i = 0; status == GA_OK && i < rows * columns; i++) {
        ((float *)(*tensor)->data)[i] = sinf(1.7f * (float)(i + 1)) / sqrtf((float)rows);
    }
    return status;
}

static ga_status run_layer(ga_context *context, const ga_edge_rows *rows, const DLTensor *features,
                           int64_t width, int64_t heads, const char *path)
{
    char count[32];
    DLTensor *w = NULL, *to = NULL, *from = NULL;
    ga_named_tensor wanted = { "y", NULL };
    ga_status status = weights(context, features->shape[1], heads * width, &w);
    if (status == GA_OK) {
        status = weights(context, heads, width, &from);
    }
    if (status == GA_OK) {
        status = weights(context, heads, width, &to);
    }
    if (status == GA_OK) {
        snprintf(count, sizeof count, "%lld", (long long)heads);
        ga_named_text parameters[] = { { "heads", count } };
        ga_named_tensor tensors[] = { { "weight", w }, { "att_src", from }, { "att_dst", to } };
        ga_layer_call call = GA_LAYER_CALL_INIT;
        call.features = features;
        call.edges = rows;
        call.parameters = parameters;
        call.parameter_count = 1;
        call.tensors = tensors;
        call.tensor_count = 3;
        status = ga_layer_run(context, "gat", &call, &wanted, 1);
    }
    if (status == GA_OK) {
        status = ga_npy_write(context, wanted.tensor, path);
    }
    if (status == GA_OK) {
        printf("%lld nodes, %lld edges: %lld heads of %lld channels each\n", (long long)features->shape[0],
               (long long)rows->count, (long long)heads, (long long)width);
    }
    ga_tensor_destroy(context, wanted.tensor);
    ga_tensor_destroy(context, to);
    ga_tensor_destroy(context, from);
    ga_tensor_destroy(context, w);
    return status;
}

static ga_status gat(ga_context *context, char **argument)
{
    ga_graph *graph = NULL;
    ga_edge_rows rows;
    int64_t *ends = NULL;
    DLTensor *features = NULL;
    ga_status status = ga_graph_read(context, argument[1], NULL, &graph, NULL);
    if (status == GA_OK) {
        status = list_edges(context, graph, &rows, &ends);
    }
    if (status == GA_OK) {
        status = degree_features(context, graph, &features);
    }
    if (status == GA_OK) {
        status = run_layer(context, &rows, features, atoll(argument[2]), atoll(argument[3]), argument[4]);
    }
    ga_tensor_destroy(context, features);
    ga_free(context, ends);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    if (argc != 5) {
        fprintf(stderr, "usage: gat GRAPH WIDTH HEADS OUTPUT.npy\n");
        return 2;
    }
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "gat: out of memory\n");
        return 1;
    }
    ga_status status = gat(context, argv);
    if (status != GA_OK) {
        fprintf(stderr, "gat: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
