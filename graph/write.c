/* write.c - which format a file is to have, and what the writers share. */
#include "config.h"

#include "graph/write.h"

#include <string.h>
#include <sys/stat.h>

#include "graph/read.h"

static ga_status (*writer_of(ga_format format))(ga__writing *w)
{
    switch (format) {
    case GA_FORMAT_AUTO:
    case GA_FORMAT_TEXT: return ga__write_text;
    case GA_FORMAT_MTX: return ga__write_mtx;
    case GA_FORMAT_METIS: return ga__write_metis;
    case GA_FORMAT_SG: return ga__write_sg;
    case GA_FORMAT_GAB: return ga__write_gab;
    case GA_FORMAT_GRAPHML:
    case GA_FORMAT_GML:
    case GA_FORMAT_PAJEK:
    case GA_FORMAT_NCOL:
    case GA_FORMAT_LGL:
    case GA_FORMAT_LEDA: return ga__write_foreign;
    }
    return NULL;
}

ga_status ga__writing_transpose(ga__writing *w, ga__csr_result *made, const int64_t **offsets,
                                const uint32_t **sources)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    *offsets = g->in_offsets;
    *sources = g->in_sources;
    if (!g->in_offsets) {
        ga__rows rows = { g->nodes, g->out_offsets, g->out_targets, NULL, true, false };
        ga__edge_source source = ga__rows_source(&rows);
        ga__csr_policy policy = { GA_LOOPS_KEEP, GA_MULTI_KEEP, false, NULL };
        GA_TRY(ga__csr_build(w->context, g->nodes, &source, &policy, made));
        *offsets = made->offsets;
        *sources = made->targets;
    }
done:
    return status;
}

static bool is_own_file(const ga_graph *graph, const char *path)
{
    struct stat file;
    return (graph->file_device || graph->file_inode) && strcmp(path, "-") != 0 && stat(path, &file) == 0 &&
           (uint64_t)file.st_dev == graph->file_device && (uint64_t)file.st_ino == graph->file_inode;
}

ga_status ga_graph_write(ga_context *context, const ga_graph *graph, const char *path,
                         const ga_write_options *options)
{
    static const ga_write_options defaults = GA_WRITE_OPTIONS_INIT;
    ga_status status = GA_OK;
    ga__writing w = { context, graph, path, options ? options : &defaults, NULL, GA_FORMAT_AUTO };
    ga__begin(context);
    ga_format format = w.options->format ? w.options->format : ga__format_of_suffix(path);
    ga_status (*write)(ga__writing *) = writer_of(format);
    w.format = format;
    if (!write) {
        GA_TRY(ga__fail(context, GA_INVALID, "unknown format %d", (int)format));
    }
    if (!w.options->in_place && is_own_file(graph, path)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "%s: is the file that the graph was read from (--in-place to replace it)", path));
    }
    GA_TRY(ga__output_open(context, path, true, &w.output));
    GA_TRY(write(&w));
    status = ga__output_commit(context, w.output);
    w.output = NULL;
done:
    ga__output_abort(context, w.output);
    return status;
}
