/* matrices_jdm.c - edges to the cells of the JDM. */
#include "config.h"

#include <string.h>

#include "graph/csr.h"
#include "graph/graph.h"
#include "lib/base/workers.h"
#include "sampling/matrices.h"

#define ELEMENT uint32_t
#define KEY(e) ((uint64_t)(e))
#include "graph/csr_sort.h"
#undef ELEMENT
#undef KEY

/* ---- by a table of all cells ---- */

enum {
    EDGES_BLOCK = 1 << 16,
    TABLE_BYTES = 16 << 20, /* all tables together: this much, or a byte for each edge */
    TABLE_CLASSES = 1 << 16 /* columns are kept as 16 bits */
};

/* Each thread counts into a table of its own with 32-bit counters; the tables are added up row by row. */
typedef struct table {
    ga_context *context;
    const ga__edge_classes *classes;
    uint16_t *column;  /* in-class of every node */
    uint32_t **counts; /* of each worker; NULL: it did not work */
    uint32_t *room;
    int64_t *row_cells;
    ga__cells *cells;
    int64_t next;
    int threads, status;
} table;

bool ga__jdm_table_fits(const ga_context *context, const ga__edge_classes *classes, int *threads)
{
    int64_t edges = classes->graph->edges, size = 0;
    int wanted = ga__threads_for(context, (edges + EDGES_BLOCK - 1) / EDGES_BLOCK);
    if (!ga__mul(classes->out_classes, classes->in_classes * 4, &size) || edges > UINT32_MAX ||
        classes->in_classes > TABLE_CLASSES) {
        return false;
    }
    int64_t budget = ga__min(ga__max(TABLE_BYTES, edges), ga__memory_left(context) / 2);
    *threads = (int)ga__min(wanted, budget / ga__max(1, size));
    return *threads >= 1 && *threads * 2 >= wanted;
}

static void narrow_worker(void *user, int worker)
{
    table *t = user;
    int64_t nodes = t->classes->graph->nodes;
    (void)worker;
    for (int64_t b;
         (b = ga__claim(&t->next)) * EDGES_BLOCK < nodes && !ga__stopped(t->context, &t->status);) {
        int64_t end = ga__min(nodes, (b + 1) * EDGES_BLOCK);
        for (int64_t v = b * EDGES_BLOCK; v < end; v++) {
            t->column[v] = (uint16_t)t->classes->in_class[v];
        }
    }
}

static void count_edges(const table *t, uint32_t *counts, int64_t edge, int64_t end)
{
    const int64_t *offsets = t->classes->graph->out_offsets;
    const uint32_t *targets = t->classes->graph->out_targets;
    for (int64_t source = ga__row_of(offsets, t->classes->graph->nodes, edge); edge < end; source++) {
        uint32_t *row = counts + t->classes->out_class[source] * t->classes->in_classes;
        for (int64_t stop = ga__min(end, offsets[source + 1]); edge < stop; edge++) {
            row[t->column[targets[edge]]]++;
        }
    }
}

static void table_worker(void *user, int worker)
{
    table *t = user;
    int64_t edges = t->classes->graph->edges, size = t->classes->out_classes * t->classes->in_classes;
    uint32_t *counts = t->room + worker * size;
    memset(counts, 0, (size_t)size * sizeof *counts);
    t->counts[worker] = counts;
    for (int64_t b;
         (b = ga__claim(&t->next)) * EDGES_BLOCK < edges && !ga__stopped(t->context, &t->status);) {
        count_edges(t, counts, b * EDGES_BLOCK, ga__min(edges, (b + 1) * EDGES_BLOCK));
        ga__progress(t->context, "counting", b * EDGES_BLOCK, edges);
    }
}

/* Sums of a row into the first table (worker 0 always works), and the number of its cells. */
static void add_worker(void *user, int worker)
{
    table *t = user;
    int64_t width = t->classes->in_classes;
    (void)worker;
    for (int64_t row; (row = ga__claim(&t->next)) < t->classes->out_classes;) {
        uint32_t *sums = t->counts[0] + row * width;
        for (int other = 1; other < t->threads; other++) {
            for (int64_t l = 0; t->counts[other] && l < width; l++) {
                sums[l] += t->counts[other][row * width + l];
            }
        }
        int64_t cells = 0;
        for (int64_t l = 0; l < width; l++) {
            cells += sums[l] != 0;
        }
        t->row_cells[row + 1] = cells;
    }
}

static void list_worker(void *user, int worker)
{
    table *t = user;
    int64_t width = t->classes->in_classes;
    (void)worker;
    for (int64_t row; (row = ga__claim(&t->next)) < t->classes->out_classes;) {
        const uint32_t *sums = t->counts[0] + row * width;
        int64_t cell = t->row_cells[row];
        for (int64_t l = 0; cell < t->row_cells[row + 1]; l++) {
            if (sums[l]) {
                t->cells->row[cell] = (int32_t)row;
                t->cells->column[cell] = (int32_t)l;
                t->cells->entry[cell++] = sums[l];
            }
        }
    }
}

static ga_status run(table *t, ga__worker_fn body)
{
    t->next = 0;
    ga__workers(t->context, t->threads, body, t);
    return ga__noted_status(&t->status);
}

ga_status ga__jdm_by_table(ga_context *context, const ga__edge_classes *classes, int threads,
                           ga__cells *cells)
{
    ga_status status = GA_OK;
    int64_t size = classes->out_classes * classes->in_classes;
    table t = { .context = context, .classes = classes, .threads = threads, .cells = cells };
    GA_TRY(GA_NEW(context, classes->graph->nodes, &t.column));
    GA_TRY(GA_NEW_ZERO(context, threads, &t.counts));
    GA_TRY(GA_NEW(context, threads * size, &t.room));
    GA_TRY(GA_NEW(context, classes->out_classes + 1, &t.row_cells));
    GA_TRY(run(&t, narrow_worker));
    GA_TRY(run(&t, table_worker));
    GA_TRY(run(&t, add_worker));
    GA_TRY(ga__prefix_sum(context, t.row_cells, classes->out_classes));
    GA_TRY(ga__cells_new(context, t.row_cells[classes->out_classes], cells));
    GA_TRY(run(&t, list_worker));
    cells->total = classes->graph->edges;
done:
    ga_free(context, t.column);
    ga_free(context, t.counts);
    ga_free(context, t.room);
    ga_free(context, t.row_cells);
    return status;
}

/* ---- by rows ---- */

/* A worker takes an out-class, counts the targets of its nodes over all in-classes, and appends the cells to its own
 * list. */
typedef struct list {
    int64_t *counts;   /* of every in-class */
    uint32_t *touched; /* in-classes with a count, twice the room for sorting */
    int64_t count, room;
    int32_t *column;
    int64_t *entry;
} list;

typedef struct by_rows {
    ga_context *context;
    const ga__edge_classes *classes;
    list *lists;
    int32_t *owner;          /* of every row: whose list */
    int64_t *at, *row_cells; /* where in it, how many; row_cells become where they start in the result */
    ga__cells *cells;
    int64_t next;
    int threads, status;
} by_rows;

static ga_status list_open(ga_context *context, int64_t classes, list *l)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW_ZERO(context, classes, &l->counts));
    GA_TRY(GA_NEW(context, 2 * classes, &l->touched));
done:
    return status;
}

static void list_close(ga_context *context, list *l)
{
    ga_free(context, l->counts);
    ga_free(context, l->touched);
    ga_free(context, l->column);
    ga_free(context, l->entry);
}

static ga_status list_room(ga_context *context, list *l, int64_t more)
{
    ga_status status = GA_OK;
    if (l->count + more > l->room) {
        int64_t room = ga__max(1024, ga__max(l->count + more, l->room + l->room / 2));
        GA_TRY(ga__resize(context, l->count, room, sizeof *l->column, &l->column));
        GA_TRY(ga__resize(context, l->count, room, sizeof *l->entry, &l->entry));
        l->room = room;
    }
done:
    return status;
}

/* Counts of one row; returns the number of in-classes touched. */
static int64_t count_row(by_rows *b, int64_t row, list *l)
{
    const ga_graph *graph = b->classes->graph;
    int64_t touched = 0;
    for (int64_t i = b->classes->first[row]; i < b->classes->first[row + 1]; i++) {
        uint32_t source = b->classes->by_out[i];
        for (int64_t e = graph->out_offsets[source]; e < graph->out_offsets[source + 1]; e++) {
            int32_t column = b->classes->in_class[graph->out_targets[e]];
            if (l->counts[column]++ == 0) {
                l->touched[touched++] = (uint32_t)column;
            }
        }
        if (i % 1024 == 0 && ga__stopped(b->context, &b->status)) {
            break;
        }
    }
    return touched;
}

static ga_status append_row(by_rows *b, int64_t row, int worker, list *l, int64_t touched)
{
    ga_status status = GA_OK;
    GA_TRY(list_room(b->context, l, touched));
    b->owner[row] = worker;
    b->at[row] = l->count;
    b->row_cells[row + 1] = touched;
    const uint32_t *sorted = sort_unit(l->touched, touched, l->touched + b->classes->in_classes);
    for (int64_t i = 0; i < touched; i++) {
        l->column[l->count] = (int32_t)sorted[i];
        l->entry[l->count++] = l->counts[sorted[i]];
        l->counts[sorted[i]] = 0;
    }
done:
    return status;
}

static void rows_worker(void *user, int worker)
{
    by_rows *b = user;
    list *l = &b->lists[worker];
    ga_status status = list_open(b->context, b->classes->in_classes, l);
    for (int64_t row; status == GA_OK && (row = ga__claim(&b->next)) < b->classes->out_classes &&
                      !ga__stopped(b->context, &b->status);) {
        int64_t touched = count_row(b, row, l);
        status = append_row(b, row, worker, l, touched);
        ga__progress(b->context, "counting", row, b->classes->out_classes);
    }
    ga__note_status(&b->status, status);
}

static void join(const by_rows *b)
{
    for (int64_t row = 0; row < b->classes->out_classes; row++) {
        const list *l = &b->lists[b->owner[row]];
        int64_t to = b->row_cells[row], count = b->row_cells[row + 1] - to;
        memcpy(b->cells->column + to, l->column + b->at[row], (size_t)count * sizeof *l->column);
        memcpy(b->cells->entry + to, l->entry + b->at[row], (size_t)count * sizeof *l->entry);
        for (int64_t i = 0; i < count; i++) {
            b->cells->row[to + i] = (int32_t)row;
        }
    }
}

ga_status ga__jdm_by_rows(ga_context *context, const ga__edge_classes *classes, ga__cells *cells)
{
    ga_status status = GA_OK;
    int64_t rows = classes->out_classes;
    by_rows b = { .context = context, .classes = classes, .cells = cells };
    b.threads = ga__threads_for(context, ga__min(rows, classes->graph->edges / 4096 + 1));
    GA_TRY(GA_NEW_ZERO(context, b.threads, &b.lists));
    GA_TRY(GA_NEW(context, rows, &b.owner));
    GA_TRY(GA_NEW(context, rows, &b.at));
    GA_TRY(GA_NEW(context, rows + 1, &b.row_cells));
    ga__workers(context, b.threads, rows_worker, &b);
    GA_TRY(ga__noted_status(&b.status));
    GA_TRY(ga__prefix_sum(context, b.row_cells, rows));
    GA_TRY(ga__cells_new(context, b.row_cells[rows], cells));
    join(&b);
    cells->total = classes->graph->edges;
done:
    for (int i = 0; b.lists && i < b.threads; i++) {
        list_close(context, &b.lists[i]);
    }
    ga_free(context, b.lists);
    ga_free(context, b.owner);
    ga_free(context, b.at);
    ga_free(context, b.row_cells);
    return status;
}
