/* sample.c - graphattn sample: matrices, rescaling, realisation and random swaps in one, or a selection of nodes. */
#include "config.h"

#include "cli/carry.h"
#include "cli/sample_methods.h"

static const option rows[] = {
    { "method", 0, OPTION_TEXT, AT(method), "NAME", .help = "how to sample (default: jdm)" },
    { "list-methods", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the methods with their parameters and end" },
    { "edges", 0, OPTION_INTEGER, AT(edges), "M",
      .help = "wanted number of edges, in place of --ratio: the ratio is M over the graph's edges",
      .low = 1 },
    { "map", 0, OPTION_TEXT, AT(map), "FILE",
      .help = "for every node of the sample the original node that it stands for" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "deviations and their bounds, as rows name and value" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON" },
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE",
      .help = "one integer for every node, in the order of ids; jdm: edges between labels are scaled, too" },
    { "out-labels", 0, OPTION_TEXT, AT(out_labels), "FILE",
      .help = "where the labels of the sample's nodes go" },
    { "features", 0, OPTION_TEXT, AT(features), "FILE",
      .help = "features of every node, in the order of ids: .npy or Matrix Market" },
    { "out-features", 0, OPTION_TEXT, AT(out_features), "FILE",
      .help = "where the features of the sample's nodes go, in the same format" },
    { "keep-ids", 0, OPTION_SWITCH, AT(keep_ids),
      .help = "jdm: nodes keep the ids of those that they stand for" },
    { "renumber", 0, OPTION_SWITCH, AT(renumber),
      .help = "nodes get the ids 0, 1, 2, ... in ascending order of their own (jdm: always)" },
    { "weights", 0, OPTION_SWITCH, AT(weights), .help = "keep weights (third column); not with jdm" },
    { 0 }
};
const option_group sample_options = { "Sample", rows };

int sample_check(session *s)
{
    const settings *is = &s->is;
    if (is->list_methods) {
        return 0;
    }
    int bad = check_size(s);
    if (!bad) {
        bad = check_method(s);
    }
    if (bad) {
        return bad;
    }
    if (is->keep_ids && is->ratio > 1) {
        return usage_error(s, "--keep-ids needs a ratio of at most 1");
    }
    if (is->out_labels && !is->labels) {
        return usage_error(s, "--out-labels needs --labels");
    }
    if (!is->out_features != !is->features) {
        return usage_error(s, is->features ? "--features needs --out-features"
                                           : "--out-features needs --features");
    }
    reads(s, input_path(s));
    reads(s, is->labels);
    reads(s, is->features);
    writes(s, is->output);
    writes(s, is->map);
    writes(s, is->out_labels);
    writes(s, is->out_features);
    writes(s, is->report);
    bad = check_target(s);
    return bad ? bad : check_graph_output(s);
}

typedef struct job {
    ga_graph *graph, *sample;
    int64_t *labels, *donors, *stream;
    feature_rows features;
    ga_sample_report report;
} job;

static ga_status write_sample(session *s, const void *user, const char *path)
{
    return write_graph(s, ((const job *)user)->sample, path);
}

static ga_status write_report(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_sample_report_write(s->context, &j->report, s->is.json, at) : status;
}

static ga_status write_map(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const char *at;
    ga__output *output = NULL;
    const uint64_t *ids = ga_graph_ids(j->sample), *originals = ga_graph_ids(j->graph);
    int64_t nodes = ga_graph_nodes(j->sample);
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__output_open(s->context, at, true, &output));
    GA_TRY(ga__output_print(s->context, output, "#sample_id\toriginal_id\n"));
    for (int64_t v = 0; v < nodes; v++) {
        char text[48];
        int size = ga__format_u64(text, ids ? ids[v] : (uint64_t)v);
        text[size++] = '\t';
        size += ga__format_u64(text + size, originals ? originals[j->donors[v]] : (uint64_t)j->donors[v]);
        text[size++] = '\n';
        GA_TRY(ga__output_write(s->context, output, text, size));
    }
    status = ga__output_commit(s->context, output);
    output = NULL;
done:
    ga__output_abort(s->context, output);
    return status;
}

static ga_status write_labels(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const char *at;
    int64_t *labels = NULL, nodes = ga_graph_nodes(j->sample);
    GA_TRY(GA_NEW(s->context, nodes, &labels));
    for (int64_t v = 0; v < nodes; v++) {
        labels[v] = j->labels[j->donors[v]];
    }
    GA_TRY(place(s, path, &at));
    status = ga_integers_write(s->context, at, labels, nodes);
done:
    ga_free(s->context, labels);
    return status;
}

static ga_status write_features(session *s, const void *user, const char *path)
{
    const job *j = user;
    return write_feature_rows(s, &j->features, j->donors, ga_graph_nodes(j->sample), path);
}

/* Method and parameters are looked at before anything is read. */
static ga_status check_first(session *s, const ga_sample_options *options)
{
    ga_status status = ga_sample_check(s->context, options);
    s->wrong_usage = status == GA_INVALID;
    return status;
}

static ga_status draw(session *s, job *j)
{
    ga_status status = GA_OK;
    ga_sample_options o = GA_SAMPLE_OPTIONS_INIT;
    ga_named_text given[METHOD_PARAMETERS];
    ga_read_report found;
    o.method = s->is.method;
    o.rescale = rescale_settings(s);
    o.rewire = rewire_settings(s, 0);
    o.keep_ids = s->is.keep_ids;
    o.renumber = s->is.renumber;
    o.parameters = given;
    o.parameter_count = method_parameters(s, given);
    GA_TRY(check_first(s, &o));
    GA_TRY(read_graph(s, &j->graph, &found, &j->labels));
    GA_TRY(read_stream(s, j->graph, found.format, &j->stream, &o.stream_count));
    o.stream = j->stream;
    GA_TRY(read_feature_rows(s, j->graph, &j->features));
    if (s->is.edges >= 0) {
        int64_t edges = ga_graph_edges(j->graph);
        if (edges == 0) {
            GA_TRY(complain(s, GA_INVALID, "--edges %lld: the graph has no edges", (long long)s->is.edges));
        }
        o.rescale.ratio = (double)s->is.edges / (double)edges;
    }
    o.labels = j->labels;
    /* the figures of the report take time of their own */
    status = ga_sample(s->context, j->graph, &o, &j->sample, &j->donors, s->is.report ? &j->report : NULL);
done:
    return status;
}

ga_status sample_run(session *s)
{
    ga_status status = GA_OK;
    job j = { .graph = NULL };
    writer writers[] = { { s->is.output, write_sample },
                         { s->is.map, write_map },
                         { s->is.out_labels, write_labels },
                         { s->is.out_features, write_features },
                         { s->is.report, write_report } };
    if (s->is.list_methods) {
        return list_methods(s);
    }
    GA_TRY(draw(s, &j));
    status = write_all(s, writers, sizeof writers / sizeof *writers, &j);
done:
    ga_sample_report_clear(s->context, &j.report);
    free_feature_rows(s, &j.features);
    ga_free(s->context, j.donors);
    ga_free(s->context, j.stream);
    ga_free(s->context, j.labels);
    ga_graph_destroy(s->context, j.sample);
    ga_graph_destroy(s->context, j.graph);
    return status;
}
