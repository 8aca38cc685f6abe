/* transport_start.c - the table of a transport problem, and first prices for it. */
#include "config.h"

#include <string.h>

#include "sampling/flow/transport.h"

enum { LEVELS = 64, SWEEPS = 2, MOST_BITS = 14 };

void ga__transport_free(ga__transport *t)
{
    ga_free(t->context, t->slope);
    ga_free(t->context, t->cost[0]);
    ga_free(t->context, t->cost[1]);
    ga_free(t->context, t->arc);
    ga_free(t->context, t->at);
    ga_free(t->context, t->price);
    ga_free(t->context, t->excess);
    ga_free(t->context, t->distance);
    ga_free(t->context, t->place);
    ga_free(t->context, t->heap);
    ga_free(t->context, t->current);
    ga_free(t->context, t->path);
}

static ga_status allocate(ga__transport *t)
{
    ga_status status = GA_OK;
    int64_t arcs = t->network->arcs, cells;
    if (!ga__mul(t->rows, t->columns, &cells)) {
        return ga__fail(t->context, GA_OVERFLOW, "transport problem: too many cells");
    }
    GA_TRY(GA_NEW(t->context, t->costs->first[arcs], &t->slope));
    GA_TRY(GA_NEW(t->context, cells, &t->cost[0]));
    GA_TRY(GA_NEW(t->context, cells, &t->cost[1]));
    GA_TRY(GA_NEW(t->context, cells, &t->arc));
    GA_TRY(GA_NEW(t->context, arcs, &t->at));
    GA_TRY(GA_NEW_ZERO(t->context, t->nodes, &t->price));
    GA_TRY(GA_NEW(t->context, t->nodes, &t->excess));
    GA_TRY(GA_NEW(t->context, t->nodes, &t->distance));
    GA_TRY(GA_NEW(t->context, t->nodes, &t->place));
    GA_TRY(GA_NEW(t->context, t->nodes, &t->heap));
    GA_TRY(GA_NEW(t->context, t->nodes, &t->current));
    GA_TRY(GA_NEW(t->context, t->nodes + 1, &t->path));
done:
    return status;
}

/* Slopes of at most MOST_BITS bits, fewer where that times the nodes would come near the range of prices. */
static void cut_slopes(ga__transport *t)
{
    int64_t steepest = 0, segments = t->costs->first[t->network->arcs], bits = MOST_BITS;
    for (int64_t s = 0; s < segments; s++) {
        int64_t slope = t->costs->slope[s];
        steepest = ga__max(steepest, slope < 0 ? -slope : slope);
    }
    while (bits > 0 && (int64_t)t->nodes << bits > GA__PRICE_RANGE / 8) {
        bits--;
    }
    for (t->cut = 0; steepest >> t->cut >> bits > 0;) {
        t->cut++;
    }
    for (int64_t s = 0; s < segments; s++) {
        t->slope[s] = (int32_t)(t->costs->slope[s] >> t->cut);
    }
}

void ga__transport_rest(ga__transport *t, int64_t arc)
{
    const ga__costs *c = t->costs;
    int64_t s = t->at[arc].segment, row = t->network->tail[arc], column = t->network->head[arc] - t->rows;
    int64_t below = t->at[arc].inside > 0 ? s : s - 1;
    t->cost[0][row * t->columns + column] = s < c->first[arc + 1] ? t->slope[s] : GA__NO_WAY;
    t->cost[1][column * t->rows + row] = below >= c->first[arc] ? -t->slope[below] : GA__NO_WAY;
}

/* All arcs without flow. */
ga_status ga__transport_setup(ga__transport *t)
{
    ga_status status = GA_OK;
    GA_TRY(allocate(t));
    cut_slopes(t);
    int64_t cells = (int64_t)t->rows * t->columns;
    for (int64_t i = 0; i < cells; i++) {
        t->cost[0][i] = t->cost[1][i] = GA__NO_WAY;
        t->arc[i] = -1;
    }
    for (int64_t a = 0; a < t->network->arcs; a++) {
        int64_t row = t->network->tail[a], column = t->network->head[a] - t->rows;
        t->arc[row * t->columns + column] = (int32_t)a;
        t->at[a] = (ga__flow_at){ .segment = t->costs->first[a] };
        ga__transport_rest(t, a);
    }
done:
    return status;
}

/* ---- prices ---- */

/* Histograms of what units are worth, one for every node of a side: coordinate descent on the dual problem. A
 * node's price is what its last stub earns when it serves the dearest units first. */
typedef struct market {
    int32_t top, bottom; /* range of values */
    int step;            /* a level is 2^step wide; level 0 is the dearest */
    int64_t *width;      /* LEVELS a node */
} market;

static void count_units(const ga__transport *t, market *m, bool rows)
{
    const int32_t *other = rows ? t->network->head : t->network->tail,
                  *own = rows ? t->network->tail : t->network->head;
    memset(m->width, 0, (size_t)t->nodes * LEVELS * sizeof *m->width);
    for (int64_t a = 0; a < t->network->arcs; a++) {
        int64_t *width = m->width + (int64_t)own[a] * LEVELS, stubs = t->stubs[own[a]];
        int32_t paid = rows ? t->price[other[a]] : -t->price[other[a]];
        for (int64_t s = t->costs->first[a]; s < t->costs->first[a + 1]; s++) {
            int32_t worth = paid - t->slope[s];
            worth = worth > m->top ? m->top : worth < m->bottom ? m->bottom : worth;
            width[(m->top - worth) >> m->step] += ga__min(stubs, t->costs->width[s]);
        }
    }
}

static void set_prices(ga__transport *t, const market *m, bool rows)
{
    for (int32_t v = rows ? 0 : t->rows; v < (rows ? t->rows : t->nodes); v++) {
        const int64_t *width = m->width + (int64_t)v * LEVELS;
        int64_t stubs = t->stubs[v];
        int32_t level = 0;
        while (level < LEVELS - 1 && width[level] <= stubs) {
            stubs -= width[level++];
        }
        int32_t worth = m->top - (level << m->step) - (1 << m->step) / 2;
        t->price[v] = rows ? worth : -worth;
    }
}

ga_status ga__transport_prices(ga__transport *t)
{
    ga_status status = GA_OK;
    market m = { 0 };
    int32_t most = 1;
    for (int64_t s = 0; s < t->costs->first[t->network->arcs]; s++) {
        int32_t slope = t->slope[s];
        most = slope > most ? slope : -slope > most ? -slope : most;
    }
    m.top = 2 * most;
    m.bottom = -2 * most;
    while ((m.top - m.bottom) >> m.step >= LEVELS) {
        m.step++;
    }
    GA_TRY(ga_alloc(t->context, t->nodes, LEVELS * sizeof *m.width, &m.width));
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        GA_TRY(ga__check(t->context));
        count_units(t, &m, false);
        set_prices(t, &m, false);
        count_units(t, &m, true);
        set_prices(t, &m, true);
    }
done:
    ga_free(t->context, m.width);
    return status;
}
