/* transport.c - a flow near the cheapest one of a dense transport problem, by cost scaling.
 *
 * For e = 2^shift, smaller and smaller: every arc is set to where its reduced costs are at least 0, which leaves
 * excesses at some nodes and lacks at others. Then, until there are none: shortest ways from all excesses, in steps of
 * e, change the prices such that the ways have reduced costs in [-e, 0), and flow is sent along arcs of that kind. They
 * form no cycle, as the reduced costs of old ones stay and new ones lead further away.
 */
#include "config.h"

#include "sampling/flow/simplex.h"
#include "sampling/flow/transport.h"

enum { BLOCK = 16, FIRST_SHIFT = 8, LAST_SHIFT = 6, SHIFT_STEP = 2, CHECK_EVERY = 64 };
enum { UNSEEN = -1, SETTLED = -2 };

/* ---- flow ---- */

static int64_t room(const ga__transport *t, int64_t a, bool more)
{
    int64_t s = t->at[a].segment;
    if (more) {
        return t->costs->width[s] - t->at[a].inside;
    }
    return t->at[a].inside > 0 ? t->at[a].inside : t->costs->width[s - 1];
}

/* No more than the segment has room for. */
static void change(ga__transport *t, int64_t a, int64_t units, bool more)
{
    if (more) {
        t->at[a].inside += units;
        if (t->at[a].inside == t->costs->width[t->at[a].segment]) {
            t->at[a].segment++;
            t->at[a].inside = 0;
        }
    } else {
        if (t->at[a].inside == 0) {
            t->at[a].inside = t->costs->width[--t->at[a].segment];
        }
        t->at[a].inside -= units;
    }
    ga__transport_rest(t, a);
}

/* Where the arc's flow ends when a unit is worth `worth`; units of that very value stay as they are. */
static void settle(ga__transport *t, int64_t a, int32_t worth)
{
    int64_t first = t->costs->first[a], end = t->costs->first[a + 1], s = t->at[a].segment,
            inside = t->at[a].inside;
    while (s < end && t->slope[s] < worth) {
        s++;
        inside = 0;
    }
    if (s < end && t->slope[s] > worth) {
        inside = 0;
    }
    while (inside == 0 && s > first && t->slope[s - 1] > worth) {
        s--;
    }
    if (s != t->at[a].segment || inside != t->at[a].inside) {
        t->at[a].segment = s;
        t->at[a].inside = inside;
        ga__transport_rest(t, a);
    }
}

/* Every arc to where the prices want it. */
static void saturate(ga__transport *t)
{
    for (int32_t v = 0; v < t->nodes; v++) {
        t->excess[v] = v < t->rows ? t->stubs[v] : -t->stubs[v];
    }
    for (int64_t a = 0; a < t->network->arcs; a++) {
        int32_t row = t->network->tail[a], head = t->network->head[a];
        settle(t, a, t->price[head] - t->price[row]);
        int64_t flow = t->at[a].inside;
        for (int64_t s = t->costs->first[a]; s < t->at[a].segment; s++) {
            flow += t->costs->width[s];
        }
        t->excess[row] -= flow;
        t->excess[head] += flow;
    }
}

/* ---- shortest ways ---- */

static void sift_up(ga__transport *t, int32_t i)
{
    int32_t v = t->heap[i], distance = t->distance[v];
    while (i > 0 && t->distance[t->heap[(i - 1) / 2]] > distance) {
        t->heap[i] = t->heap[(i - 1) / 2];
        t->place[t->heap[i]] = i;
        i = (i - 1) / 2;
    }
    t->heap[i] = v;
    t->place[v] = i;
}

static void sift_down(ga__transport *t)
{
    int32_t v = t->heap[0], distance = t->distance[v], i = 0;
    for (int32_t next = 1; next < t->heap_count; next = 2 * i + 1) {
        next += next + 1 < t->heap_count && t->distance[t->heap[next + 1]] < t->distance[t->heap[next]];
        if (t->distance[t->heap[next]] >= distance) {
            break;
        }
        t->heap[i] = t->heap[next];
        t->place[t->heap[i]] = i;
        i = next;
    }
    t->heap[i] = v;
    t->place[v] = i;
}

static void reach(ga__transport *t, int32_t v, int32_t distance)
{
    t->distance[v] = distance;
    if (t->place[v] == UNSEEN) {
        t->place[v] = t->heap_count;
        t->heap[t->heap_count++] = v;
    }
    sift_up(t, t->place[v]);
}

static int32_t take_nearest(ga__transport *t)
{
    int32_t v = t->heap[0];
    t->heap[0] = t->heap[--t->heap_count];
    if (t->heap_count > 0) {
        sift_down(t);
    }
    t->place[v] = SETTLED;
    return v;
}

/* Looks at a block of cells at once: most of them lead nowhere new. */
static void spread(ga__transport *t, int32_t v)
{
    int32_t first, count, base = t->price[v], from = t->distance[v] + 1, shift = t->shift;
    const int32_t *cost = ga__transport_row(t, v, &first, &count);
    const int32_t *price = t->price + first, *distance = t->distance + first;
    for (int32_t i = 0; i < count; i += BLOCK) {
        int32_t end = count - i < BLOCK ? count : i + BLOCK, any = 0;
        if (end - i == BLOCK) {
            for (int32_t j = 0; j < BLOCK; j++) {
                any |= from + ((cost[i + j] + base - price[i + j]) >> shift) < distance[i + j];
            }
        } else {
            any = 1;
        }
        for (int32_t j = any ? i : end; j < end; j++) {
            int32_t there = from + ((cost[j] + base - price[j]) >> shift);
            if (there < distance[j]) {
                reach(t, first + j, there);
            }
        }
    }
}

/* Only differences count: prices come back around 0. False when they leave their range all the same. */
static bool centre(ga__transport *t)
{
    int64_t sum = 0;
    bool fits = true;
    for (int32_t v = 0; v < t->nodes; v++) {
        sum += t->price[v];
    }
    int32_t mean = (int32_t)(sum / ga__max(1, t->nodes));
    for (int32_t v = 0; v < t->nodes; v++) {
        t->price[v] -= mean;
        fits = fits && t->price[v] < GA__PRICE_RANGE && t->price[v] > -GA__PRICE_RANGE;
    }
    return fits;
}

/* From all excesses until every lack is reached; moves the prices. False when no lack can be reached, or the prices
 * leave their range. */
static bool reprice(ga__transport *t)
{
    int32_t lacks = 0, last = 0, found = 0;
    t->heap_count = 0;
    for (int32_t v = 0; v < t->nodes; v++) {
        t->distance[v] = (GA__NO_WAY / 2) >> t->shift;
        t->place[v] = UNSEEN;
        lacks += t->excess[v] < 0;
    }
    for (int32_t v = 0; v < t->nodes; v++) {
        if (t->excess[v] > 0) {
            reach(t, v, 0);
        }
    }
    while (found < lacks && t->heap_count > 0) {
        int32_t v = take_nearest(t);
        last = t->distance[v];
        found += t->excess[v] < 0;
        if (found < lacks) {
            spread(t, v);
        }
    }
    for (int32_t v = 0; v < t->nodes; v++) {
        t->price[v] += (t->place[v] == SETTLED ? t->distance[v] : last) << t->shift;
    }
    return found > 0 && centre(t);
}

/* ---- sending ---- */

static bool any_negative(const int32_t *cost, const int32_t *price, int32_t base)
{
    int32_t any = 0;
    for (int32_t j = 0; j < BLOCK; j++) {
        any |= cost[j] + base - price[j];
    }
    return any < 0;
}

/* The next arc of v with a negative reduced cost, from current[v] on; false when there is none. */
static bool find_way(ga__transport *t, int32_t v, int32_t *next)
{
    int32_t first, count, base = t->price[v], i = t->current[v];
    const int32_t *cost = ga__transport_row(t, v, &first, &count), *price = t->price + first;
    while (i + BLOCK <= count && !any_negative(cost + i, price + i, base)) {
        i += BLOCK;
    }
    while (i < count && cost[i] + base - price[i] >= 0) {
        i++;
    }
    t->current[v] = i;
    *next = first + i;
    return i < count;
}

static int64_t arc_between(const ga__transport *t, int32_t v, int32_t w)
{
    return v < t->rows ? t->arc[(int64_t)v * t->columns + w - t->rows]
                       : t->arc[(int64_t)w * t->columns + v - t->rows];
}

/* Along the path of `length` arcs, from its excess to its lack. */
static void send(ga__transport *t, int32_t length)
{
    int32_t *path = t->path;
    int64_t units = ga__min(t->excess[path[0]], -t->excess[path[length]]);
    for (int32_t i = 0; i < length; i++) {
        units = ga__min(units, room(t, arc_between(t, path[i], path[i + 1]), path[i] < t->rows));
    }
    for (int32_t i = 0; i < length; i++) {
        change(t, arc_between(t, path[i], path[i + 1]), units, path[i] < t->rows);
    }
    t->excess[path[0]] -= units;
    t->excess[path[length]] += units;
}

/* Depth first from an excess; false when no way is left. */
static bool send_from(ga__transport *t, int32_t v)
{
    int32_t length = 0, next;
    t->path[0] = v;
    while (t->excess[v] >= 0) {
        if (find_way(t, v, &next)) {
            t->path[++length] = v = next;
        } else if (length == 0) {
            return false;
        } else {
            v = t->path[--length];
            t->current[v]++;
        }
    }
    send(t, length);
    return true;
}

static ga_status send_all(ga__transport *t)
{
    ga_status status = GA_OK;
    for (int32_t v = 0; v < t->nodes; v++) {
        t->current[v] = 0;
    }
    for (int32_t v = 0; v < t->nodes; v++) {
        if (v % CHECK_EVERY == 0) {
            GA_TRY(ga__check(t->context));
        }
        while (t->excess[v] > 0 && send_from(t, v)) {
        }
    }
done:
    return status;
}

static bool balanced(const ga__transport *t)
{
    int32_t v = 0;
    while (v < t->nodes && t->excess[v] <= 0) {
        v++;
    }
    return v == t->nodes;
}

/* To a 2^shift-optimal flow; *going turns false when there is none or no time for it. */
static ga_status refine(ga__transport *t, double deadline, bool *going)
{
    ga_status status = GA_OK;
    saturate(t);
    while (*going && !balanced(t)) {
        *going = !(deadline > 0 && ga__now() >= deadline) && reprice(t);
        if (*going) {
            GA_TRY(send_all(t));
        }
    }
done:
    return status;
}

/* False when a price does not fit. */
static bool put_result(const ga__transport *t, int64_t *flow, int64_t *price)
{
    int64_t most = GA__FAR >> (t->cut + 2);
    for (int32_t v = 0; v < t->nodes; v++) {
        if (t->price[v] > most || t->price[v] < -most) {
            return false;
        }
    }
    for (int32_t v = 0; v < t->nodes; v++) {
        price[v] = t->price[v] * (INT64_C(1) << t->cut);
    }
    for (int64_t a = 0; a < t->network->arcs; a++) {
        flow[a] = t->at[a].inside;
        for (int64_t s = t->costs->first[a]; s < t->at[a].segment; s++) {
            flow[a] += t->costs->width[s];
        }
    }
    return true;
}

ga_status ga__near_transport(ga_context *context, const ga__network *network, const ga__costs *costs,
                             int32_t rows, const int64_t *stubs, double deadline, int64_t *flow,
                             int64_t *price, bool *found)
{
    ga_status status = GA_OK;
    bool going = true;
    ga__transport t = { .context = context, .network = network, .costs = costs, .stubs = stubs };
    t.rows = rows;
    t.nodes = network->nodes;
    t.columns = network->nodes - rows;
    GA_TRY(ga__transport_setup(&t));
    GA_TRY(ga__transport_prices(&t));
    for (t.shift = FIRST_SHIFT; going && t.shift >= LAST_SHIFT; t.shift -= SHIFT_STEP) {
        GA_TRY(refine(&t, deadline, &going));
    }
    *found = going && put_result(&t, flow, price);
done:
    ga__transport_free(&t);
    return status;
}
