/* gab_write.c - .gab files. */
#include "config.h"

#include <string.h>

#include "graph/gab.h"
#include "graph/write.h"

static ga_status write_sections(ga__writing *w, const ga__gab_header *header, const void *const *data)
{
    enum { PIECE = 1 << 24 };
    static const char zeros[GA__GAB_ALIGN];
    ga_status status = GA_OK;
    GA_TRY(ga__output_write(w->context, w->output, header, sizeof *header));
    for (uint32_t i = 0; i < header->sections; i++) {
        const ga__gab_section *s = &header->section[i];
        int64_t length = (int64_t)s->length;
        for (int64_t at = 0; at < length; at += PIECE) {
            GA_TRY(ga__check(w->context));
            GA_TRY(ga__output_write(w->context, w->output, (const char *)data[s->kind] + at,
                                    ga__min(PIECE, length - at)));
            ga__progress(w->context, "writing", (int64_t)s->offset + at, 0);
        }
        GA_TRY(ga__output_write(w->context, w->output, zeros,
                                (GA__GAB_ALIGN - length % GA__GAB_ALIGN) % GA__GAB_ALIGN));
    }
done:
    return status;
}

ga_status ga__write_gab(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    ga__gab_header header = { .magic = { 'G', 'A', 'B', '1' },
                              .version = GA__GAB_VERSION,
                              .nodes = (uint64_t)g->nodes,
                              .edges = (uint64_t)g->edges };
    const void *data[GA__GAB_KINDS + 1] = { NULL };
    ga__csr_result made = { 0 };
    const int64_t *in_offsets;
    const uint32_t *in_sources;
    int64_t size;
    if (!ga__gab_possible()) {
        GA_TRY(ga__fail(w->context, GA_UNSUPPORTED, "%s: .gab files need a little-endian machine", w->path));
    }
    data[GA__GAB_OUT_OFFSETS] = g->out_offsets;
    data[GA__GAB_OUT_TARGETS] = g->out_targets;
    data[GA__GAB_WEIGHT_VALUES] = g->weights;
    data[GA__GAB_NODE_IDS] = g->ids;
    header.flags = (w->options->in_edges ? (uint64_t)GA__GAB_IN : 0) |
                   (g->weights ? (uint64_t)GA__GAB_WEIGHTS : 0) | (g->ids ? (uint64_t)GA__GAB_IDS : 0);
    if (w->options->in_edges) {
        GA_TRY(ga__writing_transpose(w, &made, &in_offsets, &in_sources));
        data[GA__GAB_IN_OFFSETS] = in_offsets;
        data[GA__GAB_IN_SOURCES] = in_sources;
    }
    if (!ga__gab_plan(&header, &size)) {
        GA_TRY(ga__fail(w->context, GA_OVERFLOW, "%s: the graph is too large for a file", w->path));
    }
    for (uint32_t i = 0; i < header.sections; i++) {
        GA_TRY(ga__crc32c_parallel(w->context, data[header.section[i].kind],
                                   (int64_t)header.section[i].length, &header.section[i].crc));
    }
    header.crc = ga__gab_header_crc(&header);
    status = write_sections(w, &header, data);
done:
    ga_free(w->context, made.offsets);
    ga_free(w->context, made.targets);
    return status;
}
