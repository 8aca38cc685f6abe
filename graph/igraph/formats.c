/* formats.c - graph files that igraph reads and writes. */
#include "config.h"

#include <inttypes.h>

#include "graph/igraph/guard.h"
#include "graph/igraph/watch.h"

/* ---- reading ---- */

typedef struct reading {
    FILE *in;
    ga_format format;
    igraph_t graph;
} reading;

static igraph_error_t read_file(void *of)
{
    reading *r = of;
    switch (r->format) {
    case GA_FORMAT_GRAPHML: return igraph_read_graph_graphml(&r->graph, r->in, 0);
    case GA_FORMAT_GML: return igraph_read_graph_gml(&r->graph, r->in);
    case GA_FORMAT_PAJEK: return igraph_read_graph_pajek(&r->graph, r->in);
    case GA_FORMAT_NCOL:
        return igraph_read_graph_ncol(&r->graph, r->in, NULL, true, IGRAPH_ADD_WEIGHTS_IF_PRESENT,
                                      IGRAPH_DIRECTED);
    case GA_FORMAT_LGL:
        return igraph_read_graph_lgl(&r->graph, r->in, true, IGRAPH_ADD_WEIGHTS_IF_PRESENT, IGRAPH_DIRECTED);
    default: IGRAPH_ERROR("this format can be written only", IGRAPH_UNIMPLEMENTED);
    }
}

/* What igraph has not said itself is said for it: the watch's cause of an early end, its note, igraph's warning. */
static ga_status take_words(ga_status status, const ga__watch *watch, ga_foreign_graph *found)
{
    if (watch && watch->status != GA_OK) {
        snprintf(found->message, sizeof found->message, "%s", watch->message);
        return watch->status;
    }
    if (status == GA_OK && !found->message[0] && watch) {
        snprintf(found->message, sizeof found->message, "%s", watch->message);
    }
    if (status == GA_OK && !found->message[0] && ga__igraph_warning()[0]) {
        snprintf(found->message, sizeof found->message, "igraph: %s", ga__igraph_warning());
    }
    return status;
}

static ga_status read_watched(ga_context *context, reading *r, const ga__watch *watch, bool weights,
                              ga_foreign_graph *found)
{
    ga__igraph_guard guard;
    ga__igraph_enter(&guard);
    ga_status status = ga__igraph_status(ga__igraph_call(read_file, r));
    if (status == GA_OK) {
        status = watch && watch->status != GA_OK ? watch->status
                                                 : ga__igraph_take(context, &r->graph, true, weights, found);
        igraph_destroy(&r->graph);
    } else {
        status = status == GA_INVALID ? GA_FORMAT : status;
        snprintf(found->message, sizeof found->message, "igraph: %s", ga__igraph_text());
    }
    status = take_words(status, watch, found);
    ga__igraph_leave(&guard);
    return status;
}

static ga_status no_stream(ga_foreign_graph *found)
{
    snprintf(found->message, sizeof found->message, "no memory for a stream");
    return GA_NOMEM;
}

static ga_status read_graphml(ga_context *context, FILE *in, bool weights, ga_foreign_graph *found)
{
    ga__graphml_watch watch;
    reading r = { .format = GA_FORMAT_GRAPHML, .in = ga__graphml_open(&watch, in) };
    if (!r.in) {
        return no_stream(found);
    }
    ga_status status = read_watched(context, &r, &watch.base, weights, found);
    fclose(r.in);
    return status;
}

static ga_status read_pajek(ga_context *context, FILE *in, const ga_read_options *options,
                            ga_foreign_graph *found)
{
    ga__pajek_watch watch;
    reading r = { .format = GA_FORMAT_PAJEK, .in = ga__pajek_open(&watch, context, options, in) };
    ga_status status =
        r.in ? read_watched(context, &r, &watch.base, options->weights, found) : no_stream(found);
    if (r.in) {
        fclose(r.in);
    }
    ga__pajek_end(&watch);
    return status;
}

static ga_status read_format(ga_context *context, FILE *in, ga_format format, const ga_read_options *options,
                             ga_foreign_graph *found)
{
    *found = (ga_foreign_graph){ 0 };
    if (format == GA_FORMAT_GRAPHML) {
        return read_graphml(context, in, options->weights, found);
    }
    if (format == GA_FORMAT_PAJEK) {
        return read_pajek(context, in, options, found);
    }
    reading r = { .format = format, .in = in };
    return read_watched(context, &r, NULL, options->weights, found);
}

/* ---- writing ---- */

typedef struct writing {
    FILE *out;
    ga_format format;
    const ga_graph *graph;
    int64_t left_out; /* nodes that the format cannot hold */
} writing;

/* GML has numbers of 32 bits as ids; larger ids stand in the names alone. */
static igraph_error_t write_gml(const writing *w, const igraph_t *made)
{
    const uint64_t *ids = ga_graph_ids(w->graph);
    igraph_vector_t numbers;
    IGRAPH_CHECK(igraph_vector_init(&numbers, igraph_vcount(made)));
    IGRAPH_FINALLY(igraph_vector_destroy, &numbers);
    for (int64_t v = 0; v < igraph_vcount(made); v++) {
        VECTOR(numbers)[v] = ids && ids[igraph_vcount(made) - 1] <= INT32_MAX ? (double)ids[v] : (double)v;
    }
    IGRAPH_CHECK(igraph_write_graph_gml(made, w->out, IGRAPH_WRITE_GML_DEFAULT_SW, &numbers, "libgraphattn"));
    igraph_vector_destroy(&numbers);
    IGRAPH_FINALLY_CLEAN(1);
    return IGRAPH_SUCCESS;
}

/* Nodes without an edge are in no line of the file. */
static igraph_error_t write_ncol(writing *w, const igraph_t *made, const char *weight)
{
    igraph_vector_int_t degrees;
    IGRAPH_CHECK(igraph_vector_int_init(&degrees, 0));
    IGRAPH_FINALLY(igraph_vector_int_destroy, &degrees);
    IGRAPH_CHECK(igraph_degree(made, &degrees, igraph_vss_all(), IGRAPH_ALL, IGRAPH_LOOPS));
    for (int64_t v = 0; v < igraph_vcount(made); v++) {
        w->left_out += VECTOR(degrees)[v] == 0;
    }
    igraph_vector_int_destroy(&degrees);
    IGRAPH_FINALLY_CLEAN(1);
    return igraph_write_graph_ncol(made, w->out, "name", weight);
}

static igraph_error_t write_made(writing *w, const igraph_t *made)
{
    const char *weight = ga_graph_out(w->graph).weights ? "weight" : NULL;
    switch (w->format) {
    case GA_FORMAT_GRAPHML: return igraph_write_graph_graphml(made, w->out, false);
    case GA_FORMAT_GML: return write_gml(w, made);
    case GA_FORMAT_PAJEK: return igraph_write_graph_pajek(made, w->out);
    case GA_FORMAT_NCOL: return write_ncol(w, made, weight);
    case GA_FORMAT_LEDA: return igraph_write_graph_leda(made, w->out, "name", weight);
    default: IGRAPH_ERROR("this format cannot be written", IGRAPH_UNIMPLEMENTED);
    }
}

static igraph_error_t write_file(void *of)
{
    writing *w = of;
    igraph_t made;
    /* Pajek's writer looks for "id", the others for "name". */
    IGRAPH_CHECK(ga__igraph_make(w->graph, w->format == GA_FORMAT_PAJEK ? "id" : "name", true, &made));
    IGRAPH_FINALLY(igraph_destroy, &made);
    IGRAPH_CHECK(write_made(w, &made));
    igraph_destroy(&made);
    IGRAPH_FINALLY_CLEAN(1);
    return IGRAPH_SUCCESS;
}

/* LGL: by ourselves, since igraph 0.10.2 writes it without giving the memory of the names back. */
static igraph_error_t write_lgl(void *of)
{
    const writing *w = of;
    ga_csr out = ga_graph_out(w->graph);
    const uint64_t *ids = ga_graph_ids(w->graph);
    for (int64_t v = 0; v < out.rows; v++) {
        fprintf(w->out, "# %" PRIu64 "\n", ids ? ids[v] : (uint64_t)v);
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            fprintf(w->out, "%" PRIu64, ids ? ids[out.targets[e]] : (uint64_t)out.targets[e]);
            if (out.weights) {
                fprintf(w->out, " %.9g", (double)out.weights[e]);
            }
            putc('\n', w->out);
        }
    }
    return ferror(w->out) ? IGRAPH_EFILE : IGRAPH_SUCCESS;
}

static ga_status write_format(ga_context *context, FILE *out, ga_format format, const ga_graph *graph,
                              char *message)
{
    ga__igraph_guard guard;
    writing w = { out, format, graph, 0 };
    (void)context;
    ga__igraph_enter(&guard);
    ga_status status =
        ga__igraph_status(ga__igraph_call(format == GA_FORMAT_LGL ? write_lgl : write_file, &w));
    if (status != GA_OK) {
        snprintf(message, 512, "igraph: %s", ga__igraph_text());
    } else if (w.left_out > 0) {
        snprintf(message, 512,
                 "%" PRId64 " nodes without an edge are left out, the format has no place for them",
                 w.left_out);
    }
    ga__igraph_leave(&guard);
    return status;
}

const ga_foreign_formats *ga_igraph_formats(void)
{
    static const ga_foreign_formats formats = { read_format, write_format };
    return &formats;
}
