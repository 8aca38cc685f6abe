/* made.c - a batch in the making: its nodes, their places, its rows. */
#include "config.h"

#include <stdlib.h>

#include "sampling/batches/batches.h"

enum {
    LEAST_ROOM = 256,
    DENSE = 16,      /* a table takes at least that many numbers for every member */
    CHECK = 1 << 12, /* targets between two questions whether to stop */
};

ga_status ga__batch_reserve(ga_context *context, int64_t wanted, size_t size, int64_t *room, void *array)
{
    ga_status status = GA_OK;
    if (wanted > *room) {
        int64_t more = ga__max(LEAST_ROOM, ga__max(wanted, *room + *room / 2));
        GA_TRY(ga__resize(context, *room, more, size, array));
        *room = more;
    }
done:
    return status;
}

/* ---- life ---- */

void ga__batch_begin(ga__batch_worker *w, int64_t number)
{
    ga__made *m = w->made;
    m->batch = (ga_batch){ .number = number };
    m->node_count = 0;
    m->edges = 0;
}

static void forget_places(ga__batch_worker *w)
{
    for (int64_t i = 0; w->places.dense && i < w->made->node_count; i++) {
        w->places.dense[w->made->nodes[i]] = 0;
    }
    if (!w->places.dense) {
        ga__table_clear(&w->places.table);
    }
}

void ga__batch_end(ga__batch_worker *w)
{
    ga__made *m = w->made;
    m->batch.node_count = m->node_count;
    m->batch.nodes = m->nodes;
    m->batch.layers = m->layers;
    for (int64_t i = 0; i < m->batch.layer_count; i++) {
        ga_batch_layer *layer = &m->layers[i];
        int64_t end = i + 1 < m->batch.layer_count ? m->begin[i + 1] : m->edges;
        layer->edges = end - m->begin[i];
        layer->sources = layer->edges > 0 ? m->sources + m->begin[i] : NULL;
        layer->targets = layer->edges > 0 ? m->targets + m->begin[i] : NULL;
        layer->weights = layer->edges > 0 ? m->weights + m->begin[i] : NULL;
    }
    forget_places(w);
}

void ga__made_clear(ga_context *context, ga__made *m)
{
    ga_free(context, m->nodes);
    ga_free(context, m->sources);
    ga_free(context, m->targets);
    ga_free(context, m->weights);
    ga_free(context, m->norms);
    *m = (ga__made){ .nodes = NULL };
}

/* ---- nodes ---- */

static ga_status make_dense(ga__batch_worker *w)
{
    ga_status status = GA_OK;
    ga__places *p = &w->places;
    GA_TRY(GA_NEW_ZERO(w->context, p->limit, &p->dense));
    for (int64_t i = 0; i < w->made->node_count; i++) {
        p->dense[w->made->nodes[i]] = (uint32_t)i + 1;
    }
    ga__table_clear(&p->table);
done:
    return status;
}

/* Place of a node, which is `fresh` when it is new. */
static ga_status find_place(ga__places *p, uint32_t v, int64_t fresh, uint32_t *place)
{
    ga_status status = GA_OK;
    int64_t *at;
    if (p->dense) {
        p->dense[v] = p->dense[v] ? p->dense[v] : (uint32_t)fresh + 1;
        *place = p->dense[v] - 1;
        goto done;
    }
    GA_TRY(ga__table_at(&p->table, v, fresh, &at));
    *place = (uint32_t)*at;
done:
    return status;
}

ga_status ga__batch_place(ga__batch_worker *w, uint32_t v, uint32_t *place)
{
    ga_status status = GA_OK;
    ga__made *m = w->made;
    GA_TRY(ga__batch_reserve(w->context, m->node_count + 1, sizeof *m->nodes, &m->node_room, &m->nodes));
    if (!w->places.dense && m->node_count * DENSE >= w->places.limit) {
        GA_TRY(make_dense(w));
    }
    GA_TRY(find_place(&w->places, v, m->node_count, place));
    if (*place == m->node_count) {
        m->nodes[m->node_count++] = v;
    }
done:
    return status;
}

/* False when the node is not in the batch. */
static bool known_place(const ga__places *p, uint32_t v, uint32_t *place)
{
    const int64_t *at = p->dense ? NULL : ga__table_find(&p->table, v);
    *place = p->dense ? p->dense[v] - 1 : at ? (uint32_t)*at : 0;
    return p->dense ? p->dense[v] != 0 : at != NULL;
}

ga_status ga__batch_seeds(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    int64_t end = ga__min(all->seed_count, (number + 1) * all->size);
    uint32_t place;
    for (int64_t i = number * all->size; i < end; i++) {
        GA_TRY(ga__batch_place(w, all->seeds[i], &place));
    }
done:
    return status;
}

ga_status ga__batch_near(ga__batch_worker *w, uint32_t v)
{
    ga_status status = GA_OK;
    if (++w->rows % CHECK == 0) {
        GA_TRY(ga__check(w->context));
    }
    status = ga__view_list(&w->view, v, &w->near);
done:
    return status;
}

/* ---- rows ---- */

void ga__batch_layer(ga__batch_worker *w, int64_t number)
{
    ga__made *m = w->made;
    m->begin[m->batch.layer_count] = m->edges;
    m->layers[m->batch.layer_count++] = (ga_batch_layer){ .number = number };
}

static double weight_between(const ga_graph *graph, uint32_t u, uint32_t v)
{
    const uint32_t *row = graph->out_targets + graph->out_offsets[u];
    int64_t count = ga__out_degree(graph, u);
    double sum = 0;
    for (int64_t i = ga__lower_bound(row, count, v); i < count && row[i] == v; i++) {
        sum += graph->weights ? graph->weights[graph->out_offsets[u] + i] : 1;
    }
    return sum;
}

/* Of all edges behind a link from target to source. */
static double link_weight(const ga__view *view, uint32_t source, uint32_t target)
{
    double along = view->direction == GA__OUT ? 0 : weight_between(view->graph, source, target);
    return along + (view->direction == GA__IN ? 0 : weight_between(view->graph, target, source));
}

/* All three arrays have the room, or the batch fails. */
static ga_status make_room(ga_context *context, ga__made *m)
{
    ga_status status = GA_OK;
    int64_t rooms[3] = { m->edge_room, m->edge_room, m->edge_room };
    GA_TRY(ga__batch_reserve(context, m->edges + 1, sizeof *m->sources, &rooms[0], &m->sources));
    GA_TRY(ga__batch_reserve(context, m->edges + 1, sizeof *m->targets, &rooms[1], &m->targets));
    GA_TRY(ga__batch_reserve(context, m->edges + 1, sizeof *m->weights, &rooms[2], &m->weights));
    m->edge_room = rooms[0];
done:
    return status;
}

ga_status ga__batch_row(ga__batch_worker *w, uint32_t source, uint32_t target_place, double weight)
{
    ga_status status = GA_OK;
    ga__made *m = w->made;
    uint32_t place;
    if (m->edges == m->edge_room) {
        GA_TRY(make_room(w->context, m));
    }
    GA_TRY(ga__batch_place(w, source, &place));
    if (w->all->edge_weights) {
        weight *= link_weight(&w->view, source, (uint32_t)m->nodes[target_place]);
    }
    m->sources[m->edges] = place;
    m->targets[m->edges] = target_place;
    m->weights[m->edges++] = weight;
done:
    return status;
}

/* ---- induced edges ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static ga_status sort_nodes(ga__batch_worker *w)
{
    ga_status status = GA_OK;
    ga__made *m = w->made;
    uint32_t place;
    int64_t count = m->node_count;
    forget_places(w);
    if (count > 0) {
        qsort(m->nodes, (size_t)count, sizeof *m->nodes, ascending);
    }
    m->node_count = 0;
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(ga__batch_place(w, (uint32_t)m->nodes[i], &place));
    }
done:
    return status;
}

ga_status ga__batch_induce(ga__batch_worker *w, ga__weight_fn weight)
{
    ga_status status = GA_OK;
    ga__made *m = w->made;
    GA_TRY(sort_nodes(w));
    ga__batch_layer(w, 0);
    for (int64_t i = 0; i < m->node_count; i++) {
        uint32_t v = (uint32_t)m->nodes[i], place;
        GA_TRY(ga__batch_near(w, v));
        for (int64_t j = 0; j < w->near.count; j++) {
            uint32_t u = w->near.nodes[j];
            if (known_place(&w->places, u, &place)) {
                GA_TRY(ga__batch_row(w, u, (uint32_t)i, weight ? weight(w->all, u, v) : 1));
            }
        }
    }
done:
    return status;
}
