/* layer.c - graphattn layer: one layer of a graph neural network, forward or backward. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "graph", 0, OPTION_TEXT, AT(graph), "FILE", .help = "edges src<TAB>dst, ids are rows of the features" },
    { "features", 0, OPTION_TEXT, AT(features), "FILE", .help = "features of the nodes (n, F), as .npy" },
    { "undirected", 0, OPTION_SWITCH, AT(undirected),
      .help = "every line is two edges, one in each direction" },
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE", .help = "a parameter of the layer; may be repeated" },
    { "tensor", 0, OPTION_LIST, AT(tensor), "NAME=FILE",
      .help = "a weight or another input of the layer, as .npy; may be repeated" },
    GRAD_OUTPUT_ROW,
    PRECISION_ROW,
    BACKEND_ROW,
    { "list", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the layers, their parameters and tensors, or those of NAME" },
    { 0 }
};
const option_group layer_options = { "Layer", rows };

static const option result_rows[] = {
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where y goes, as .npy (default: -, standard output)" },
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "another output: map, grad_features, grad_NAME of a tensor; may be repeated" },
    { 0 }
};
const option_group layer_result_options = { "Result", result_rows };

/* ---- usage ---- */

static const char *layer_at(const void *user, int i)
{
    const ga_layer *const *layers = user;
    return layers[i] ? layers[i]->name : NULL;
}

static int check_layer(const session *s)
{
    const char *name = s->operands[0];
    if (s->operand_count == 0 || ga_layer_find(name)) {
        return 0;
    }
    const char *near = nearest_word(name, layer_at, ga_layers());
    if (near) {
        return usage_error(s, "no layer '%s'; did you mean %s?", name, near);
    }
    return usage_error(s, "no layer '%s'; 'graphattn layer --list' lists them", name);
}

static int check_needs(const session *s)
{
    if (s->operand_count == 0) {
        return usage_error(s, "needs the name of a layer; --list lists them");
    }
    if (!s->is.features) {
        return usage_error(s, "needs --features");
    }
    if (!s->is.graph && ga_layer_find(s->operands[0])->takes_graph) {
        return usage_error(s, "needs --graph");
    }
    if (s->is.tensor.count > FILES - 4 || s->is.returned.count > FILES - 2) {
        return usage_error(s, "too many files");
    }
    return 0;
}

int layer_check(session *s)
{
    int bad = check_layer(s);
    if (!bad && s->is.list_methods) {
        writes(s, s->is.output);
        return 0;
    }
    bad = bad ? bad : check_needs(s);
    bad = bad ? bad : check_pairs(s, "--set", &s->is.set);
    bad = bad ? bad : check_pairs(s, "--tensor", &s->is.tensor);
    bad = bad ? bad : check_pairs(s, "--return", &s->is.returned);
    bad = bad ? bad : check_backend(s);
    if (bad) {
        return bad;
    }
    reads(s, s->is.graph);
    reads(s, s->is.features);
    reads(s, s->is.grad_output);
    for (int i = 0; i < s->is.tensor.count; i++) {
        const char *path;
        (void)split_pair(s->is.tensor.words[i], &path);
        reads(s, path);
    }
    writes_outputs(s);
    return 0;
}

/* ---- the list ---- */

static ga_status list_layer(session *s, const ga_layer *layer, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "%s\tlayer\t%s\t\t\t\t%s\n", layer->name, layer->name,
                            layer->summary));
    GA_TRY(print_tables(s, layer->name, layer->parameters, layer->tensors, out));
done:
    return status;
}

static ga_status list_layers(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *at;
    const ga_layer *one = s->operand_count ? ga_layer_find(s->operands[0]) : NULL;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &out));
    GA_TRY(ga__output_print(s->context, out, "#layer\tkind\tname\ttype\tdefault\trange\tmeaning\n"));
    for (const ga_layer *const *layer = ga_layers(); *layer; layer++) {
        if (!one || one == *layer) {
            GA_TRY(list_layer(s, *layer, out));
        }
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- a run ---- */

ga_status layer_run(session *s)
{
    ga_status status = GA_OK;
    ga_layer_call call = GA_LAYER_CALL_INIT;
    named_inputs named = { 0 };
    edge_file file = { .graph = NULL };
    DLTensor *features = NULL, *grad = NULL;
    ga_named_tensor *wanted = NULL;
    if (s->is.list_methods) {
        return list_layers(s);
    }
    GA_TRY(set_backend(s));
    GA_TRY(read_named(s, &named));
    GA_TRY(read_tensor(s, s->is.features, &features));
    GA_TRY(read_tensor(s, s->is.grad_output, &grad));
    if (s->is.graph && ga_layer_find(s->operands[0])->takes_graph) {
        GA_TRY(read_graph_edges(s, s->is.graph, &file));
        call.edges = &file.rows;
    }
    call.features = features;
    call.undirected = s->is.undirected;
    call.parameters = named.parameters;
    call.parameter_count = named.parameter_count;
    call.tensors = named.tensors;
    call.tensor_count = named.tensor_count;
    call.grad_y = grad;
    call.f64 = s->is.precision == PRECISION_F64;
    GA_TRY(name_outputs(s, "y", &wanted));
    status = ga_layer_run(s->context, s->operands[0], &call, wanted, s->is.returned.count + 1);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    GA_TRY(write_outputs(s, wanted));
done:
    free_outputs(s, wanted);
    free_named(s, &named);
    free_edges(s, &file);
    ga_tensor_destroy(s->context, features);
    ga_tensor_destroy(s->context, grad);
    return status;
}
