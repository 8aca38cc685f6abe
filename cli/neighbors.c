/* neighbors.c - graphattn neighbors: mini-batches of a graph for training. */
#include "config.h"

#include <string.h>

#include "cli/neighbors.h"
#include "cli/sample_methods.h"

/* A parameter's name is that of its option with "_" for "-". */
#define OF_METHOD(member) AT(of_method.member)
#define OF_BATCHES(member) AT(of_batches.member)
static const option rows[] = {
    { "method", 0, OPTION_TEXT, OF_BATCHES(method), "NAME", .help = "how batches are made" },
    { "list-methods", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the methods with their parameters and end" },
    { "seeds", 0, OPTION_TEXT, OF_BATCHES(seeds), "FILE",
      .help = "nodes whose neighbours are wanted, one a line (cluster needs none)" },
    { "batch", 0, OPTION_INTEGER, OF_BATCHES(batch), "B", .help = "seeds of a batch (default: all)",
      .low = 1 },
    { "return", 0, OPTION_LIST, AT(returned), "probabilities=FILE",
      .help = "ladies, fastgcn, saint_node, saint_edge: what is drawn how likely, as .npy" },
    { "parts-file", 0, OPTION_TEXT, OF_BATCHES(parts_file), "FILE",
      .help = "cluster: the number of each node's part, in the order of ids" },
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where the rows go (default: -); a name in .gab gives one file for each batch" },
    { 0 }
};
const option_group neighbors_options = { "Batches", rows };

static const option parameters[] = {
    { "alpha", 0, OPTION_TEXT, OF_METHOD(alpha), "X",
      .help = "ppr: probability of returning to the seed (default: 0.15)" },
    { "budget", 0, OPTION_TEXT, OF_BATCHES(budget), "N",
      .help = "saint_node: draws of nodes (default: 6000); saint_edge: of edges (default: 4000); saint_mrw: "
              "nodes of a batch (default: 6000)" },
    { "coverage", 0, OPTION_TEXT, OF_BATCHES(coverage), "N",
      .help = "saint_*: runs from which weights and norms are counted (default: 50)" },
    { "depth", 0, OPTION_TEXT, OF_BATCHES(depth), "N", .help = "shadow: rounds (default: 2)" },
    { "direction", 0, OPTION_TEXT, OF_METHOD(direction), "out|in|both",
      .help = "neighbours of a node: ends of its outgoing edges, of incoming ones, or both (default: in)" },
    { "epsilon", 0, OPTION_TEXT, OF_BATCHES(epsilon), "X",
      .help = "ppr: what may rest at a node, for each of its neighbours (default: 1e-7)" },
    { "fanout", 0, OPTION_TEXT, OF_METHOD(fanout), "LIST",
      .help =
          "fanout, labor, vrgcn, shadow: neighbours of a target, layer by layer, joined by commas, -1 for "
          "all (default: 15,10; vrgcn 2,2; shadow 10,5)" },
    { "layer-size", 0, OPTION_TEXT, OF_BATCHES(layer_size), "LIST",
      .help = "ladies, fastgcn: nodes drawn for a layer, layer by layer (default: 512)" },
    { "length", 0, OPTION_TEXT, OF_BATCHES(length), "N", .help = "saint_walk: steps of a walk (default: 2)" },
    { "norm", 0, OPTION_TEXT, OF_BATCHES(norm), "row|sym",
      .help = "ladies, fastgcn: how the rows of the adjacency are normalised (default: row)" },
    { "parts", 0, OPTION_TEXT, OF_BATCHES(parts), "K", .help = "cluster: parts of the graph (default: 50)" },
    { "parts-per-batch", 0, OPTION_TEXT, OF_BATCHES(parts_per_batch), "Q",
      .help = "cluster: parts that make a batch (default: 1)" },
    { "replace", 0, OPTION_TRUTH, OF_BATCHES(replace), .help = "fanout: draw with replacement" },
    { "roots", 0, OPTION_TEXT, OF_BATCHES(roots), "N", .help = "saint_walk: walks (default: 3000)" },
    { "top-k", 0, OPTION_TEXT, OF_BATCHES(top_k), "K", .help = "ppr: sources of a seed (default: 32)" },
    { "walkers", 0, OPTION_TEXT, OF_METHOD(walkers), "N",
      .help = "saint_mrw: number of walkers (default: 300)" },
    { "weights", 0, OPTION_TEXT, OF_BATCHES(weights), "none|edge",
      .help = "edge: weights are multiplied by those of the graph's edges (default: none)" },
    { 0 }
};
const option_group batch_options = { "Parameters of methods", parameters };

/* ---- what is asked for ---- */

static const char *method_at(const void *user, int i)
{
    int count;
    const ga_batch_method *methods = ga_batch_methods(&count);
    (void)user;
    return i < count ? methods[i].name : NULL;
}

static int check_name(const session *s)
{
    const char *wanted = s->is.of_batches.method;
    if (!wanted) {
        return usage_error(s, "needs --method; --list-methods lists them");
    }
    if (!ga_batch_method_find(wanted)) {
        const char *near = nearest_word(wanted, method_at, NULL);
        return near ? usage_error(s, "unknown method \"%s\"; did you mean %s?", wanted, near)
                    : usage_error(s, "no method \"%s\"; --list-methods lists them", wanted);
    }
    bool cluster = strcmp(wanted, "cluster") == 0;
    if (!s->is.of_batches.seeds && !cluster) {
        return usage_error(s, "--method %s needs --seeds", wanted);
    }
    if (s->is.of_batches.parts_file && !cluster) {
        return usage_error(s, "--parts-file is for --method cluster, not for %s", wanted);
    }
    return 0;
}

const char *law_path(const session *s)
{
    const char *path = NULL;
    for (int i = 0; i < s->is.returned.count; i++) {
        (void)split_pair(s->is.returned.words[i], &path);
    }
    return path;
}

static int check_returned(const session *s)
{
    static const char name[] = "probabilities=";
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *word = s->is.returned.words[i];
        if (strncmp(word, name, sizeof name - 1) != 0 || !word[sizeof name - 1]) {
            return usage_error(s, "--return: found \"%s\", expected probabilities=FILE", word);
        }
        if (i > 0) {
            return usage_error(s, "--return: probabilities are wanted twice");
        }
    }
    return 0;
}

static bool by_file(const session *s)
{
    const char *dot = strrchr(s->is.output, '.');
    return dot && strcmp(dot, ".gab") == 0;
}

int neighbors_check(session *s)
{
    if (s->is.list_methods) {
        return 0;
    }
    int bad = check_name(s);
    bad = bad ? bad : check_returned(s);
    reads(s, input_path(s));
    reads(s, s->is.of_batches.seeds);
    reads(s, s->is.of_batches.parts_file);
    writes(s, by_file(s) ? NULL : s->is.output);
    writes(s, law_path(s));
    return bad;
}

/* The name that the tables have for an option. */
static const char *parameter_name(const char *option_name)
{
    int count;
    const ga_batch_method *methods = ga_batch_methods(&count);
    for (int i = 0; i < count; i++) {
        for (const ga_parameter *p = methods[i].parameters; p->name; p++) {
            size_t at = 0;
            while (p->name[at] && (p->name[at] == '_' ? '-' : p->name[at]) == option_name[at]) {
                at++;
            }
            if (!p->name[at] && !option_name[at]) {
                return p->name;
            }
        }
    }
    return option_name;
}

enum { PARAMETERS = sizeof parameters / sizeof *parameters };

static int64_t given_parameters(const session *s, ga_named_text *given)
{
    int64_t count = 0;
    for (const option *o = parameters; o->name; o++) {
        const char *value = *(const char *const *)(const void *)((const char *)&s->is + o->at);
        if (value) {
            given[count++] = (ga_named_text){ parameter_name(o->name), value };
        }
    }
    return count;
}

/* ---- what is read ---- */

static ga_status read_seeds(session *s, neighbors_job *j)
{
    ga_status status = GA_OK;
    const char *path = s->is.of_batches.seeds;
    if (!path) {
        goto done;
    }
    GA_TRY(ga_integers_read(s->context, path, &j->seeds, &j->seed_count));
    for (int64_t i = 0; i < j->seed_count; i++) {
        int64_t id = j->seeds[i];
        if (id < 0 || !find_id(j->graph, (uint64_t)id, &j->seeds[i])) {
            GA_TRY(complain(s, GA_FORMAT, "%s: the graph has no node %lld", path, (long long)id));
        }
    }
done:
    return status;
}

static ga_status read_parts(session *s, neighbors_job *j)
{
    ga_status status = GA_OK;
    const char *path = s->is.of_batches.parts_file;
    int64_t count = 0, nodes = ga_graph_nodes(j->graph);
    if (!path) {
        goto done;
    }
    GA_TRY(ga_integers_read(s->context, path, &j->parts, &count));
    if (count != nodes) {
        GA_TRY(complain(s, GA_FORMAT, "%s: %lld parts, expected one for each of the %lld nodes", path,
                        (long long)count, (long long)nodes));
    }
done:
    return status;
}

static ga_status prepare(session *s, neighbors_job *j)
{
    ga_status status = GA_OK;
    ga_batch_options o = GA_BATCH_OPTIONS_INIT;
    ga_named_text given[PARAMETERS];
    o.batch = s->is.of_batches.batch;
    o.parameters = given;
    o.parameter_count = given_parameters(s, given);
    status = ga_batches_check(s->context, s->is.of_batches.method, &o);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    const char *weights = s->is.of_batches.weights;
    s->is.weights = weights && strcmp(weights, "edge") == 0;
    GA_TRY(read_graph(s, &j->graph, NULL, NULL));
    GA_TRY(read_seeds(s, j));
    GA_TRY(read_parts(s, j));
    o.parts = j->parts;
    GA_TRY(ga__set_open(s->context, ga_graph_nodes(j->graph), 0, &j->told));
    status = ga_batches_create(s->context, j->graph, s->is.of_batches.method, &o, j->seeds, j->seed_count,
                               &j->batches);
done:
    return status;
}

/* ---- the rest ---- */

static ga_status write_law(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const neighbors_job *j = user;
    double *law = NULL;
    int64_t count = 0;
    const char *at;
    GA_TRY(ga_batches_probabilities(s->context, j->batches, &law, &count));
    GA_TRY(place(s, path, &at));
    DLTensor tensor = { .data = law, .device = { kDLCPU, 0 }, .ndim = 1, .shape = &count };
    tensor.dtype = (DLDataType){ kDLFloat, 64, 1 };
    status = ga_npy_write(s->context, &tensor, at);
done:
    ga_free(s->context, law);
    return status;
}

static ga_status list_batch_methods(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    int count;
    const ga_batch_method *methods = ga_batch_methods(&count);
    GA_TRY(ga__output_open(s->context, "-", false, &out));
    for (int i = 0; i < count; i++) {
        GA_TRY(ga__output_print(s->context, out, "%s\t%s\n", methods[i].name, methods[i].summary));
        GA_TRY(print_tables(s, methods[i].name, methods[i].parameters, NULL, out));
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

ga_status neighbors_run(session *s)
{
    ga_status status = GA_OK;
    neighbors_job j = { .graph = NULL };
    writer writers[] = { { law_path(s), write_law }, { by_file(s) ? NULL : s->is.output, write_rows } };
    if (s->is.list_methods) {
        return list_batch_methods(s);
    }
    GA_TRY(prepare(s, &j));
    if (by_file(s)) {
        GA_TRY(stage_batches(s, &j));
    }
    GA_TRY(write_all(s, writers, sizeof writers / sizeof *writers, &j));
    status = commit_batches(s, &j);
done:
    drop_batches(s, &j);
    ga_batches_destroy(s->context, j.batches);
    ga__set_clear(s->context, &j.told);
    ga_free(s->context, j.seeds);
    ga_free(s->context, j.parts);
    ga_graph_destroy(s->context, j.graph);
    return status;
}
