/* max_flow.c - maximum flow by blocking flows on level graphs (Dinic), without recursion. */
#include "config.h"

#include <string.h>

#include "sampling/flow/flow.h"

enum { CHECK_EVERY = 1 << 14 };

/* Arc a is edge 2a forwards and edge 2a + 1 backwards; room[e] is what edge e can still take. */
typedef struct dinic {
    ga_context *context;
    const ga__network *network;
    int32_t source, sink;
    int64_t *room;     /* 2 * arcs */
    int64_t *first;    /* nodes + 1: places of a node's edges below */
    uint32_t *edge;    /* by tail */
    int32_t *to;       /* head of edge[place] */
    int64_t *current;  /* nodes: first place not yet used up in this phase */
    int32_t *distance; /* nodes: edges to the sink, -1 = it cannot be reached */
    int32_t *queue;    /* nodes; the search's queue, then the path's nodes */
    int64_t *path;     /* nodes: the path's places */
} dinic;

static void free_all(dinic *d)
{
    ga_free(d->context, d->room);
    ga_free(d->context, d->first);
    ga_free(d->context, d->edge);
    ga_free(d->context, d->to);
    ga_free(d->context, d->current);
    ga_free(d->context, d->distance);
    ga_free(d->context, d->queue);
    ga_free(d->context, d->path);
}

static ga_status allocate(dinic *d)
{
    ga_status status = GA_OK;
    int64_t nodes = d->network->nodes, arcs = d->network->arcs;
    GA_TRY(GA_NEW(d->context, 2 * arcs, &d->room));
    GA_TRY(GA_NEW_ZERO(d->context, nodes + 1, &d->first));
    GA_TRY(GA_NEW(d->context, 2 * arcs, &d->edge));
    GA_TRY(GA_NEW(d->context, 2 * arcs, &d->to));
    GA_TRY(GA_NEW(d->context, nodes, &d->current));
    GA_TRY(GA_NEW(d->context, nodes, &d->distance));
    GA_TRY(GA_NEW(d->context, nodes, &d->queue));
    GA_TRY(GA_NEW(d->context, nodes, &d->path));
done:
    return status;
}

/* Edges grouped by their tail; loops can carry nothing from the source to the sink and are left out. */
static void group(dinic *d)
{
    const ga__network *n = d->network;
    for (int64_t a = 0; a < n->arcs; a++) {
        if (n->tail[a] != n->head[a]) {
            d->first[n->tail[a]]++;
            d->first[n->head[a]]++;
        }
    }
    int64_t sum = 0;
    for (int64_t v = 0; v <= n->nodes; v++) {
        int64_t count = d->first[v];
        d->first[v] = sum;
        if (v < n->nodes) {
            d->current[v] = sum;
        }
        sum += count;
    }
    for (int64_t a = 0; a < n->arcs; a++) {
        int32_t tail = n->tail[a], head = n->head[a];
        if (tail != head) {
            int64_t place = d->current[tail]++, back = d->current[head]++;
            d->edge[place] = (uint32_t)(2 * a);
            d->to[place] = head;
            d->edge[back] = (uint32_t)(2 * a + 1);
            d->to[back] = tail;
        }
    }
}

/* Distances to the sink over edges with room, as far as the source's; false when the source is cut off. */
static bool label(dinic *d)
{
    memset(d->distance, -1, sizeof *d->distance * (size_t)d->network->nodes);
    int32_t count = 0;
    d->queue[count++] = d->sink;
    d->distance[d->sink] = 0;
    for (int32_t i = 0; i < count && d->distance[d->source] < 0; i++) {
        int32_t v = d->queue[i];
        for (int64_t p = d->first[v]; p < d->first[v + 1]; p++) {
            int32_t w = d->to[p];
            if (d->distance[w] < 0 && d->room[d->edge[p] ^ 1] > 0) {
                d->distance[w] = d->distance[v] + 1;
                d->queue[count++] = w;
            }
        }
    }
    memcpy(d->current, d->first, sizeof *d->current * (size_t)d->network->nodes);
    return d->distance[d->source] >= 0;
}

/* Sends what the path of the given length can take; returns the number of edges before the first full one. */
static int32_t augment(dinic *d, int32_t length)
{
    int64_t amount = INT64_MAX;
    for (int32_t i = 0; i < length; i++) {
        amount = ga__min(amount, d->room[d->edge[d->path[i]]]);
    }
    int32_t full = length;
    for (int32_t i = length; i-- > 0;) {
        uint32_t e = d->edge[d->path[i]];
        d->room[e] -= amount;
        d->room[e ^ 1] += amount;
        full = d->room[e] ? full : i;
    }
    return full;
}

/* From the end v of the path one edge on; false when no edge of v leads closer to the sink any more. */
static bool advance(dinic *d, int32_t v, int32_t length)
{
    int64_t end = d->first[v + 1], p = d->current[v];
    int32_t closer = d->distance[v] - 1;
    while (p < end && (d->distance[d->to[p]] != closer || d->room[d->edge[p]] == 0)) {
        p++;
    }
    d->current[v] = p;
    if (p == end) {
        return false;
    }
    d->path[length] = p;
    d->queue[length] = v;
    return true;
}

/* A blocking flow: every path of shortest length loses an edge. queue[i] is the tail of path[i]. */
static ga_status block(dinic *d)
{
    ga_status status = GA_OK;
    int32_t v = d->source, length = 0;
    for (int64_t step = 1;; step++) {
        if (step % CHECK_EVERY == 0) {
            GA_TRY(ga__check(d->context));
        }
        if (v == d->sink) {
            length = augment(d, length);
            v = d->queue[length];
        } else if (advance(d, v, length)) {
            v = d->to[d->path[length++]];
        } else if (v == d->source) {
            break;
        } else {
            v = d->queue[--length];
            d->current[v]++;
        }
    }
done:
    return status;
}

static ga_status set_rooms(dinic *d, const int64_t *capacity, const int64_t *flow)
{
    for (int64_t a = 0; a < d->network->arcs; a++) {
        if (flow[a] < 0 || flow[a] > capacity[a]) {
            return ga__fail(d->context, GA_INTERNAL, "maximum flow: arc %lld starts with %lld of %lld units",
                            (long long)a, (long long)flow[a], (long long)capacity[a]);
        }
        d->room[2 * a] = capacity[a] - flow[a];
        d->room[2 * a + 1] = flow[a];
    }
    return GA_OK;
}

/* What leaves the source less what comes back. */
static ga_status net_value(const dinic *d, int64_t *value)
{
    int64_t sum = 0;
    for (int64_t p = d->first[d->source]; p < d->first[d->source + 1]; p++) {
        uint32_t e = d->edge[p];
        int64_t units = d->room[e | 1];
        if (__builtin_add_overflow(sum, e & 1 ? -units : units, &sum)) {
            return ga__fail(d->context, GA_OVERFLOW, "maximum flow: its value needs more than 63 bits");
        }
    }
    *value = sum;
    return GA_OK;
}

ga_status ga__max_flow(ga_context *context, const ga__network *network, const int64_t *capacity,
                       int32_t source, int32_t sink, int64_t *flow, int64_t *value)
{
    ga_status status = GA_OK;
    int64_t sum = 0;
    dinic d = { .context = context, .network = network, .source = source, .sink = sink };
    if (network->arcs > INT32_MAX) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "maximum flow: %lld arcs, more than 2^31 - 1",
                        (long long)network->arcs));
    }
    GA_TRY(allocate(&d));
    GA_TRY(set_rooms(&d, capacity, flow));
    group(&d);
    while (source != sink && label(&d)) {
        GA_TRY(ga__check(context));
        GA_TRY(block(&d));
    }
    GA_TRY(net_value(&d, &sum));
    for (int64_t a = 0; a < network->arcs; a++) {
        flow[a] = d.room[2 * a + 1];
    }
    *value = sum;
done:
    free_all(&d);
    return status;
}
