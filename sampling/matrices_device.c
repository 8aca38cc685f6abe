/* matrices_device.c - edges to the cells of the JDM, counted on a device by a table of all cells, in parts if need be. */
#include "config.h"

#include "graph/graph.h"
#include "sampling/matrices.h"

enum { TABLE_CELLS = 1 << 26, PARTS = 64 }; /* of a part; parts: each goes over all edges */

static uint64_t count_at(const ga__pair_counts *part, int64_t i)
{
    return part->wide ? ((const uint64_t *)part->counts)[i] : ((const uint32_t *)part->counts)[i];
}

/* The cells of a part behind those before it. */
static ga_status append(ga_context *context, const ga__pair_counts *part, ga__cells *cells)
{
    ga_status status = GA_OK;
    int64_t all = part->classes * part->columns, more = 0, at = cells->count;
    for (int64_t i = 0; i < all; i++) {
        more += count_at(part, i) != 0;
    }
    GA_TRY(ga__resize(context, at, at + more, sizeof *cells->row, &cells->row));
    GA_TRY(ga__resize(context, at, at + more, sizeof *cells->column, &cells->column));
    GA_TRY(ga__resize(context, at, at + more, sizeof *cells->entry, &cells->entry));
    for (int64_t i = 0; i < all; i++) {
        if (count_at(part, i) != 0) {
            cells->row[at] = (int32_t)(part->first + i / part->columns);
            cells->column[at] = (int32_t)(i % part->columns);
            cells->entry[at++] = (int64_t)count_at(part, i);
        }
    }
    cells->count = at;
done:
    return status;
}

ga_status ga__jdm_on_device(ga_context *context, const ga__device_edges *edges,
                            const ga__edge_classes *classes, ga__cells *cells)
{
    ga_status status = GA_OK;
    int64_t rows = classes->out_classes, columns = classes->in_classes;
    int64_t each = ga__min(rows, ga__max(1, TABLE_CELLS / ga__max(1, columns)));
    ga__pair_counts part = { .row_class = classes->out_class,
                             .column_class = classes->in_class,
                             .columns = columns,
                             .wide = edges->count > UINT32_MAX };
    if (rows > PARTS * each) {
        GA_TRY(ga__device_refuse(context, "jdm", "count edges between so many classes"));
    }
    GA_TRY(ga_alloc(context, each * columns, part.wide ? 8 : 4, &part.counts));
    for (part.first = 0; part.first < rows; part.first += each) {
        part.classes = ga__min(each, rows - part.first);
        GA_TRY(ga__count_pairs(context, edges, &part));
        GA_TRY(append(context, &part, cells));
        ga__progress(context, "counting", part.first, rows);
        GA_TRY(ga__check(context));
    }
    cells->total = edges->count;
done:
    ga_free(context, part.counts);
    return status;
}
