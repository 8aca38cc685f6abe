/* graphs.c - reading and writing the graphs of a command by its settings. */
#include "config.h"

#include <string.h>

#include "cli/session.h"
#ifdef HAVE_IGRAPH
#include <graphattn/igraph.h>
#endif
#include "graph/read.h"

const char *input_path(const session *s)
{
    return s->operand_count > 0 ? s->operands[0] : "-";
}

static ga_read_options read_settings(const session *s)
{
    ga_read_options o = GA_READ_OPTIONS_INIT;
    o.format = (ga_format)s->is.from;
    o.loops = (ga_loops)s->is.loops;
    o.multi = (ga_multi)s->is.multi;
    o.nodes = s->is.nodes;
    o.undirected = s->is.undirected;
    o.strict = s->is.strict;
    o.ignore_columns = s->is.ignore_columns;
    o.allow_nonfinite = s->is.allow_nonfinite;
    o.dense_ids = s->is.dense_ids;
    o.weights = s->is.weights;
    o.max_nodes = s->is.max_nodes;
    o.max_edges = s->is.max_edges;
    return o;
}

void know_formats(session *s)
{
#ifdef HAVE_IGRAPH
    ga_context_set_foreign_formats(s->context, ga_igraph_formats());
#else
    (void)s;
#endif
}

const char *formats_library(void)
{
#ifdef HAVE_IGRAPH
    return IGRAPH_VERSION;
#else
    return "no";
#endif
}

int check_graph_output(const session *s)
{
    static const char *const others[] = { "dot", "png", "svg", "pdf", "npy", "json",
                                          "zip", "xz",  "zst", "bz2", NULL };
    const char *dot = strrchr(s->is.output, '.');
    for (int i = 0; dot && !s->is.to && others[i]; i++) {
        if (strcmp(dot + 1, others[i]) == 0) {
            return usage_error(
                s,
                "%s: .%s cannot be written; suffixes are .txt .mtx .graph .sg .gab .graphml .gml .net .ncol .lgl .leda, or use --to",
                s->is.output, others[i]);
        }
    }
    return 0;
}

/* One line for what differs between the file and the graph. */
static void tell_counts(session *s, const char *path, const ga_read_report *report)
{
    char text[128] = "";
    size_t used = 0;
    if (report->loops > 0) {
        used = (size_t)snprintf(text, sizeof text, "%lld %s %s", (long long)report->loops,
                                report->loops == 1 ? "loop" : "loops",
                                s->is.loops == GA_LOOPS_KEEP ? "kept" : "dropped");
    }
    if (report->duplicates > 0) {
        snprintf(text + used, sizeof text - used, "%s%lld repeated %s %s", used ? ", " : "",
                 (long long)report->duplicates, report->duplicates == 1 ? "edge" : "edges",
                 s->is.multi == GA_MULTI_KEEP ? "kept" : "collapsed");
    }
    if (text[0]) {
        ga__tell(s->context, GA_NOTE, "%s: %s", strcmp(path, "-") == 0 ? "standard input" : path, text);
    }
}

static ga_status read_labels(session *s, const ga_graph *graph, int64_t **labels)
{
    ga_status status = GA_OK;
    int64_t *values = NULL, count = 0;
    if (!s->is.labels) {
        goto done;
    }
    GA_TRY(ga_integers_read(s->context, s->is.labels, &values, &count));
    if (count != ga_graph_nodes(graph)) {
        GA_TRY(complain(s, GA_FORMAT, "%s: %lld labels, expected one for each of the %lld nodes",
                        s->is.labels, (long long)count, (long long)ga_graph_nodes(graph)));
    }
    *labels = values;
    values = NULL;
done:
    ga_free(s->context, values);
    return status;
}

ga_status read_graph_at(session *s, const char *path, ga_graph **graph, ga_read_report *report)
{
    ga_read_report found = { .declared_nodes = -1 };
    ga_read_options options = read_settings(s);
    ga_status status = ga_graph_read(s->context, path, &options, graph, &found);
    if (status == GA_OK) {
        tell_counts(s, path, &found);
        s->nodes = ga_graph_nodes(*graph);
        s->edges = ga_graph_edges(*graph);
        if (report) {
            *report = found;
        }
    }
    return status;
}

ga_status read_graph(session *s, ga_graph **graph, ga_read_report *report, int64_t **labels)
{
    ga_status status = GA_OK;
    ga_graph *read = NULL;
    GA_TRY(read_graph_at(s, input_path(s), &read, report));
    if (labels) {
        GA_TRY(read_labels(s, read, labels));
    }
    *graph = read;
    read = NULL;
done:
    ga_graph_destroy(s->context, read);
    return status;
}

ga_status write_graph(session *s, const ga_graph *graph, const char *path)
{
    ga_status status = GA_OK;
    ga_write_options options = GA_WRITE_OPTIONS_INIT;
    const char *at = path;
    options.format = s->is.to ? (ga_format)s->is.to : ga__format_of_suffix(path);
    options.format =
        options.format ? options.format : GA_FORMAT_TEXT; /* not by the suffix of a staged name */
    options.in_edges = s->is.in_edges;
    options.in_place = s->is.in_place;
    GA_TRY(place(s, path, &at));
    GA_TRY(ga_graph_write(s->context, graph, at, &options));
    s->nodes = ga_graph_nodes(graph);
    s->edges = ga_graph_edges(graph);
done:
    return status;
}

ga_status write_all(session *s, const writer *writers, int count, const void *job)
{
    ga_status status = GA_OK;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < count; i++) {
            const char *path = writers[i].path;
            if (path && is_standard(path) == (turn == 1)) {
                GA_TRY(writers[i].write(s, job, path));
            }
        }
    }
done:
    return status;
}
