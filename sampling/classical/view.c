/* view.c - the neighbours of nodes in one direction or in both. */
#include "config.h"

#include "sampling/classical/view.h"

#include <string.h>

enum {
    TRIES = 32,        /* draws before the list is made */
    CHECK = 1 << 22,   /* edges between two questions whether to stop */
    LEAST_ROOM = 1024, /* of a list */
};

/* ---- life ---- */

static ga_status look_for_loops(ga__view *view)
{
    ga_status status = GA_OK;
    const ga_graph *g = view->graph;
    int64_t next = CHECK;
    bool simple = true;
    for (int64_t v = 0; v < g->nodes && simple; v++) {
        int64_t before = -1;
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            simple &= g->out_targets[e] != v && g->out_targets[e] != before;
            before = g->out_targets[e];
        }
        if (g->out_offsets[v] >= next) {
            GA_TRY(ga__check(view->context));
            next = g->out_offsets[v] + CHECK;
        }
    }
    view->simple = simple;
done:
    return status;
}

ga_status ga__view_transpose(ga__view *view)
{
    ga_csr in;
    if (view->transpose.in_offsets) {
        return GA_OK;
    }
    if (view->graph->in_offsets) {
        view->transpose.in_offsets = view->graph->in_offsets;
        view->transpose.in_sources = view->graph->in_sources;
        return GA_OK;
    }
    view->transpose = *view->graph; /* borrows the edges to make a transpose of its own */
    view->transpose.weights = NULL;
    view->transpose.in_weights = NULL;
    view->transpose.in_sources = NULL;
    ga_status status = ga_graph_in(view->context, &view->transpose, &in);
    if (status != GA_OK) {
        view->transpose.in_offsets = NULL;
    }
    return status;
}

ga_status ga__view_open(ga_context *context, const ga_graph *graph, ga__direction direction, ga__view *view)
{
    ga_status status = GA_OK;
    *view = (ga__view){
        .context = context, .graph = graph, .direction = direction, .degrees = { .context = context }
    };
    GA_TRY(look_for_loops(view));
    if (direction != GA__OUT) {
        GA_TRY(ga__view_transpose(view));
    }
done:
    return status;
}

void ga__view_clear(ga__view *view)
{
    if (view->graph && view->transpose.in_offsets && view->transpose.in_offsets != view->graph->in_offsets) {
        ga_free(view->context, view->transpose.in_offsets);
        ga_free(view->context, view->transpose.in_sources);
    }
    if (view->context) {
        ga__table_clear(&view->degrees);
    }
    *view = (ga__view){ .graph = NULL };
}

/* ---- rows ---- */

typedef struct row {
    const uint32_t *nodes;
    int64_t count;
} row;

static row out_row(const ga__view *view, uint32_t v)
{
    return (row){ view->graph->out_targets + view->graph->out_offsets[v], ga__out_degree(view->graph, v) };
}

static row in_row(const ga__view *view, uint32_t v)
{
    return (row){ view->transpose.in_sources + view->transpose.in_offsets[v], ga__in_degree(view, v) };
}

int64_t ga__lower_bound(const uint32_t *nodes, int64_t count, uint32_t x)
{
    int64_t low = 0;
    while (count > 0) {
        int64_t half = count / 2;
        if (nodes[low + half] < x) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

static bool row_has(row r, uint32_t x)
{
    int64_t at = ga__lower_bound(r.nodes, r.count, x);
    return at < r.count && r.nodes[at] == x;
}

/* ---- lists ---- */

static ga_status make_room(ga__view *view, ga__list *list, int64_t count)
{
    ga_status status = GA_OK;
    if (count > list->room) {
        int64_t room = ga__max(LEAST_ROOM, count + count / 2);
        GA_TRY(ga__resize(view->context, list->room, room, sizeof *list->buffer, &list->buffer));
        list->room = room;
    }
done:
    return status;
}

/* The union of two ascending rows without v and repetitions. */
static int64_t merge(row a, row b, uint32_t v, uint32_t *to)
{
    int64_t i = 0, j = 0, count = 0;
    while (i < a.count || j < b.count) {
        uint32_t x = j == b.count || (i < a.count && a.nodes[i] < b.nodes[j]) ? a.nodes[i++] : b.nodes[j++];
        if (x != v && (count == 0 || to[count - 1] != x)) {
            to[count++] = x;
        }
    }
    return count;
}

/* Whether the row alone is the list. */
static bool is_row(const ga__view *view, ga__direction direction, uint32_t v, row *r)
{
    row none = { NULL, 0 };
    *r = direction == GA__OUT ? out_row(view, v) : direction == GA__IN ? in_row(view, v) : none;
    return view->simple && direction != GA__BOTH;
}

ga_status ga__view_copy(ga__view *view, uint32_t v, ga__direction direction, ga__list *list)
{
    ga_status status = GA_OK;
    row a, none = { NULL, 0 };
    bool plain = is_row(view, direction, v, &a);
    row b = direction == GA__BOTH ? in_row(view, v) : none;
    a = direction == GA__BOTH ? out_row(view, v) : a;
    GA_TRY(make_room(view, list, a.count + b.count));
    list->nodes = list->buffer;
    list->count = plain ? a.count : merge(a, b, v, list->buffer);
    if (plain && a.count > 0) {
        memcpy(list->buffer, a.nodes, (size_t)a.count * sizeof *list->buffer);
    }
done:
    return status;
}

ga_status ga__view_list_of(ga__view *view, uint32_t v, ga__direction direction, ga__list *list)
{
    row r;
    if (is_row(view, direction, v, &r)) {
        list->nodes = r.nodes;
        list->count = r.count;
        return GA_OK;
    }
    return ga__view_copy(view, v, direction, list);
}

ga_status ga__view_list(ga__view *view, uint32_t v, ga__list *list)
{
    return ga__view_list_of(view, v, view->direction, list);
}

void ga__list_clear(ga_context *context, ga__list *list)
{
    ga_free(context, list->buffer);
    *list = (ga__list){ .nodes = NULL };
}

/* ---- degrees ---- */

static int64_t count_union(row a, row b, uint32_t v)
{
    int64_t i = 0, j = 0, count = 0, before = -1;
    while (i < a.count || j < b.count) {
        uint32_t x = j == b.count || (i < a.count && a.nodes[i] < b.nodes[j]) ? a.nodes[i++] : b.nodes[j++];
        count += x != v && x != before;
        before = x;
    }
    return count;
}

ga_status ga__view_degree(ga__view *view, uint32_t v, int64_t *degree)
{
    ga_status status = GA_OK;
    row r, none = { NULL, 0 };
    int64_t *known;
    if (is_row(view, view->direction, v, &r)) {
        *degree = r.count;
        goto done;
    }
    GA_TRY(ga__table_at(&view->degrees, v, -1, &known));
    if (*known < 0) {
        bool both = view->direction == GA__BOTH;
        *known = both ? count_union(out_row(view, v), in_row(view, v), v) : count_union(r, none, v);
    }
    *degree = *known;
done:
    return status;
}

/* ---- one of them ---- */

/* Place i of the outgoing row followed by the incoming one: a neighbour at the first of the places that it has. */
static bool first_place(row a, row b, int64_t i, uint32_t v, uint32_t *w)
{
    row r = i < a.count ? a : b;
    int64_t at = i < a.count ? i : i - a.count;
    *w = r.nodes[at];
    return *w != v && (at == 0 || r.nodes[at - 1] != *w) && (i < a.count || !row_has(a, *w));
}

ga_status ga__view_draw(ga__view *view, ga__random *random, uint32_t v, uint32_t *w, bool *found)
{
    ga_status status = GA_OK;
    row none = { NULL, 0 };
    row a = view->direction == GA__IN ? none : out_row(view, v);
    row b = view->direction == GA__OUT ? none : in_row(view, v);
    ga__list list = { .nodes = NULL };
    *found = a.count + b.count > 0;
    for (int i = 0; i < TRIES && *found; i++) {
        if (first_place(a, b, (int64_t)ga__random_below(random, (uint64_t)(a.count + b.count)), v, w)) {
            return GA_OK;
        }
    }
    if (*found) {
        GA_TRY(ga__view_list(view, v, &list));
        *found = list.count > 0;
        *w = *found ? list.nodes[ga__random_below(random, (uint64_t)list.count)] : v;
    }
done:
    ga__list_clear(view->context, &list);
    return status;
}

int64_t ga__view_edge(const ga__view *view, uint32_t v, uint32_t w)
{
    const int64_t *offsets = view->graph->out_offsets;
    row r = out_row(view, v);
    if (view->direction != GA__IN) {
        int64_t at = ga__lower_bound(r.nodes, r.count, w);
        if (at < r.count && r.nodes[at] == w) {
            return offsets[v] + at;
        }
    }
    r = out_row(view, w);
    return offsets[w] + ga__lower_bound(r.nodes, r.count, v);
}
