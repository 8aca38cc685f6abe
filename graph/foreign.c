/* foreign.c - formats that another library reads and writes: streams for it, and graphs of what it found. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "graph/facts.h"
#include "graph/write.h"
#include "lib/base/context.h"

const ga_foreign_formats *ga__foreign_formats(const ga_context *context)
{
    return context->foreign_formats;
}

void ga_context_set_foreign_formats(ga_context *context, const ga_foreign_formats *formats)
{
    context->foreign_formats = formats;
}

static ga_status missing(ga_context *context, const char *name, ga_format format)
{
    return ga__fail(context, GA_UNSUPPORTED, "%s: %s needs libgraphattn-igraph, which this program has not",
                    name, ga_format_name(format));
}

/* ---- streams over our inputs and outputs ---- */

typedef struct stream {
    ga_context *context;
    ga__input *input;
    ga__output *output;
    int64_t bytes;
    ga_status status; /* the first failure */
} stream;

static ssize_t read_stream(void *user, char *buffer, size_t size)
{
    stream *s = user;
    int64_t got = 0;
    ga_status status = ga__check(s->context);
    status = status == GA_OK ? ga__input_read(s->context, s->input, buffer, (int64_t)size, &got) : status;
    if (status != GA_OK) { /* the end for the reader, which may not bear an error (igraph's scanners abort) */
        s->status = s->status == GA_OK ? status : s->status;
        return 0;
    }
    s->bytes += got;
    return got;
}

static ssize_t write_stream(void *user, const char *data, size_t size)
{
    stream *s = user;
    ga_status status = ga__check(s->context);
    status = status == GA_OK ? ga__output_write(s->context, s->output, data, (int64_t)size) : status;
    if (status != GA_OK) {
        s->status = s->status == GA_OK ? status : s->status;
        errno = EIO;
        return 0;
    }
    return (ssize_t)size;
}

/* ---- reading ---- */

static void clear(ga_context *context, ga_foreign_graph *found)
{
    ga_free(context, found->sources);
    ga_free(context, found->targets);
    ga_free(context, found->weights);
    ga_free(context, found->ids);
}

static ga_status check_weights(const ga__reading *r, const ga_foreign_graph *found)
{
    bool look = found->weights && r->options->weights && !r->options->allow_nonfinite;
    for (int64_t e = 0; look && e < found->edges; e++) {
        if (!isfinite(found->weights[e])) {
            return ga__fail(r->context, GA_FORMAT,
                            "%s: edge %lld of %lld has no finite weight (--allow-nonfinite)", r->name,
                            (long long)e + 1, (long long)found->edges);
        }
    }
    return GA_OK;
}

ga_status ga__read_foreign(ga__reading *r)
{
    ga_status status = GA_OK;
    const ga_foreign_formats *formats = ga__foreign_formats(r->context);
    stream s = { .context = r->context, .input = r->input };
    ga_foreign_graph found = { 0 };
    ga_graph *raw = NULL;
    FILE *in = NULL;
    if (!formats) {
        GA_TRY(missing(r->context, r->name, r->report.format));
    }
    in = fopencookie(&s, "r", (cookie_io_functions_t){ .read = read_stream });
    if (!in) {
        GA_TRY(ga__fail(r->context, GA_NOMEM, "%s: no memory for a stream", r->name));
    }
    status = formats->read(r->context, in, r->report.format, r->options, &found);
    status = s.status != GA_OK ? s.status : status; /* the cause is a failure to read */
    if (status != GA_OK) {
        GA_TRY(ga__fail(r->context, status, "%s: %s", r->name, found.message));
    }
    if (found.message[0]) {
        ga__tell(r->context, GA_NOTE, "%s: %s", r->name, found.message);
    }
    r->report.bytes = s.bytes;
    GA_TRY(ga__reading_limits(r, found.nodes, found.edges));
    GA_TRY(check_weights(r, &found));
    GA_TRY(ga_graph_from_weighted_edges(r->context, found.nodes, found.edges, found.sources, found.targets,
                                        r->options->weights ? found.weights : NULL, found.undirected,
                                        found.ids, GA_LOOPS_KEEP, GA_MULTI_KEEP, &raw));
    status = ga__reading_take(r, raw);
done:
    if (in) {
        fclose(in);
    }
    clear(r->context, &found);
    return status;
}

/* ---- writing ---- */

ga_status ga__write_foreign(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_foreign_formats *formats = ga__foreign_formats(w->context);
    char message[512] = "";
    stream s = { .context = w->context, .output = w->output };
    if (!formats) {
        return missing(w->context, w->path, w->format);
    }
    FILE *out = fopencookie(&s, "w", (cookie_io_functions_t){ .write = write_stream });
    if (!out) {
        return ga__fail(w->context, GA_NOMEM, "%s: no memory for a stream", w->path);
    }
    status = formats->write(w->context, out, w->format, w->graph, message);
    bool flushed = fclose(out) == 0;
    if (s.status == GA_OK && status != GA_OK) {
        return ga__fail(w->context, status, "%s: %s", w->path, message);
    }
    if (s.status == GA_OK && flushed && message[0]) {
        ga__tell(w->context, GA_NOTE, "%s: %s", w->path, message);
    }
    return s.status == GA_OK && !flushed ? ga__fail(w->context, GA_IO, "%s: cannot be written", w->path)
                                         : s.status;
}
