/* split.c - edges cut into pieces of work; checks of graphs given as lists. */
#include "config.h"

#include "lib/engine/spmm/spmm.h"

/* Edges and rows of a piece: some 2 MB of gathered rows at 64 columns. */
enum { PIECE = 8192 };

ga_status ga__edges_check(ga_context *context, const ga_edges *edges)
{
    if (!edges) {
        return ga__fail(context, GA_INVALID, "edges: missing");
    }
    if (edges->targets < 0 || edges->sources_count < 0 || edges->count < 0 ||
        edges->sources_count > (int64_t)UINT32_MAX + 1 || edges->targets == INT64_MAX) {
        return ga__fail(context, GA_INVALID, "edges: %lld targets, %lld sources, %lld edges",
                        (long long)edges->targets, (long long)edges->sources_count, (long long)edges->count);
    }
    if (!edges->offsets || (edges->count > 0 && !edges->sources)) {
        return ga__fail(context, GA_INVALID, "edges: %s missing", edges->offsets ? "sources" : "offsets");
    }
    if (edges->count > 0 && edges->sources_count == 0) {
        return ga__fail(context, GA_INVALID, "edges: %lld edges, but no sources", (long long)edges->count);
    }
    return GA_OK;
}

enum { CHECK_UNIT = 1 << 16 };

typedef struct id_check {
    const uint32_t *ids;
    int64_t count, bound, next, units;
    int64_t bad; /* an edge, -1 for none */
} id_check;

static void check_ids(void *user, int worker)
{
    id_check *c = user;
    (void)worker;
    for (int64_t u; (u = ga__claim(&c->next)) < c->units;) {
        int64_t first = u * CHECK_UNIT, last = ga__min(c->count, first + CHECK_UNIT);
        uint32_t most = 0;
        for (int64_t e = first; e < last; e++) {
            most = c->ids[e] > most ? c->ids[e] : most;
        }
        if (most >= c->bound) {
            int64_t at = first;
            while (c->ids[at] < c->bound) {
                at++;
            }
            __atomic_store_n(&c->bad, at, __ATOMIC_RELAXED);
        }
    }
}

ga_status ga__ids_check(ga_context *context, const char *name, const uint32_t *ids, int64_t count,
                        int64_t bound)
{
    id_check c = { ids, count, bound, 0, (count + CHECK_UNIT - 1) / CHECK_UNIT, -1 };
    ga__workers(context, ga__threads_for(context, c.units), check_ids, &c);
    return c.bad < 0 ? GA_OK
                     : ga__fail(context, GA_INVALID, "%s: source %lld of %lld sources", name,
                                (long long)ids[c.bad], (long long)bound);
}

ga_status ga__edge_values(ga_context *context, const char *name, const DLTensor *tensor, int64_t count,
                          int64_t heads, ga__view *view)
{
    ga_status status = ga__view_anywhere(context, name, tensor, true, view);
    if (status != GA_OK || !tensor) {
        return status;
    }
    if (tensor->ndim == 1 && heads == 1) {
        view->rows = view->columns;
        view->columns = view->stride_row = 1;
    }
    if (view->type != GA__F32 && view->type != GA__F64) {
        return ga__fail(context, GA_INVALID, "%s: f32 or f64 expected", name);
    }
    return ga__view_expect(context, name, view, 1, 1, count, heads);
}

static void close_piece(ga__split *split, ga__piece *open, int64_t row, int64_t edge)
{
    if (row > open->row) {
        open->end_row = row;
        open->last = edge;
        split->pieces[split->count++] = *open;
    }
}

static void add_hub(ga__split *split, int64_t row, int64_t first, int64_t last)
{
    ga__hub *hub = &split->hubs[split->hub_count++];
    *hub = (ga__hub){ row, split->slots, 0 };
    for (int64_t e = first; e < last; e += GA__CHUNK) {
        split->pieces[split->count++] =
            (ga__piece){ row, row + 1, e, ga__min(last, e + GA__CHUNK), split->slots++ };
        hub->slots++;
    }
}

ga_status ga__split_edges(ga_context *context, const char *name, int64_t rows, int64_t count,
                          const int64_t *offsets, ga__split *split)
{
    ga_status status = GA_OK;
    ga__piece open = { 0, 0, 0, 0, -1 };
    int64_t most_hubs = count / (GA__CHUNK + 1), most = 0;
    *split = (ga__split){ 0 };
    if (offsets[0] != 0 || offsets[rows] != count) {
        return ga__fail(context, GA_INVALID, "%s: offsets run from %lld to %lld, not from 0 to %lld", name,
                        (long long)offsets[0], (long long)offsets[rows], (long long)count);
    }
    /* full pieces, the last one, those cut short by a hub, and chunks */
    if (!ga__add(rows, count, &most)) {
        return ga__fail(context, GA_OVERFLOW, "%s: too many rows and edges", name);
    }
    most = most / PIECE + 1 + most_hubs + count / GA__CHUNK + most_hubs;
    GA_TRY(GA_NEW(context, most, &split->pieces));
    GA_TRY(GA_NEW(context, most_hubs, &split->hubs));
    for (int64_t i = 0; i < rows; i++) {
        int64_t from = offsets[i], to = offsets[i + 1];
        if (to < from || to > count) {
            status = ga__fail(context, GA_INVALID, "%s: offsets of row %lld are %lld and %lld", name,
                              (long long)i, (long long)from, (long long)to);
            goto done;
        }
        if (to - from > GA__CHUNK) {
            close_piece(split, &open, i, from);
            add_hub(split, i, from, to);
            open = (ga__piece){ i + 1, 0, to, 0, -1 };
        } else if (i + 1 - open.row + to - open.first >= PIECE) {
            close_piece(split, &open, i + 1, to);
            open = (ga__piece){ i + 1, 0, to, 0, -1 };
        }
    }
    close_piece(split, &open, rows, count);
done:
    if (status != GA_OK) {
        ga__split_free(context, split);
    }
    return status;
}

void ga__split_free(ga_context *context, ga__split *split)
{
    ga_free(context, split->pieces);
    ga_free(context, split->hubs);
    *split = (ga__split){ 0 };
}
