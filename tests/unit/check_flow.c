/* check_flow.c - maximum flow and minimum-cost flow against their definitions. */
#include "config.h"

#include "check_graph.h"
#include "sampling/flow/flow.h"

enum { MOST_NODES = 12, MOST_ARCS = 64, MOST_SEGMENTS = 256 };

typedef struct problem {
    ga__network network;
    ga__costs costs;
    int32_t tail[MOST_ARCS], head[MOST_ARCS];
    int64_t first[MOST_ARCS + 1], width[MOST_SEGMENTS], slope[MOST_SEGMENTS];
    int64_t capacity[MOST_ARCS], start[MOST_ARCS], flow[MOST_ARCS];
} problem;

static int64_t draw(ga__random *r, int64_t bound)
{
    return (int64_t)ga__random_below(r, (uint64_t)bound);
}

/* Loops, parallel arcs, empty segments, arcs without segments and nodes without arcs all occur. */
static void random_problem(problem *p, ga__random *r, int64_t nodes, int64_t arcs, int64_t width,
                           int64_t slope)
{
    int64_t segments = 0;
    p->network = (ga__network){ .nodes = (int32_t)nodes, .arcs = arcs, .tail = p->tail, .head = p->head };
    p->costs = (ga__costs){ .first = p->first, .width = p->width, .slope = p->slope };
    p->first[0] = 0;
    for (int64_t a = 0; a < arcs; a++) {
        p->tail[a] = (int32_t)draw(r, nodes);
        p->head[a] = (int32_t)draw(r, nodes);
        int64_t steep = draw(r, 2 * slope + 1) - slope, count = draw(r, 5);
        p->capacity[a] = 0;
        for (int64_t i = 0; i < count; i++, segments++) {
            p->width[segments] = draw(r, width);
            p->slope[segments] = steep;
            p->capacity[a] += p->width[segments];
            steep += draw(r, slope);
        }
        p->first[a + 1] = segments;
        p->start[a] = p->flow[a] = draw(r, p->capacity[a] + 1);
    }
}

static void check_same_excess(const problem *p)
{
    int64_t excess[MOST_NODES] = { 0 };
    for (int64_t a = 0; a < p->network.arcs; a++) {
        ck_assert_int_ge(p->flow[a], 0);
        ck_assert_int_le(p->flow[a], p->capacity[a]);
        excess[p->tail[a]] += p->flow[a] - p->start[a];
        excess[p->head[a]] -= p->flow[a] - p->start[a];
    }
    for (int32_t v = 0; v < p->network.nodes; v++) {
        ck_assert_int_eq(excess[v], 0);
    }
}

static int64_t cost_of(const problem *p, const int64_t *flow)
{
    int64_t cost = 0;
    for (int64_t a = 0; a < p->network.arcs; a++) {
        int64_t rest = flow[a];
        for (int64_t i = p->first[a]; i < p->first[a + 1]; i++) {
            int64_t units = ga__min(rest, p->width[i]);
            cost += units * p->slope[i];
            rest -= units;
        }
    }
    return cost;
}

/* Slope of one unit more (or of the last unit), false where there is none. */
static bool slope_at(const problem *p, int64_t a, bool more, int64_t *slope)
{
    int64_t at = 0, unit = p->flow[a] - !more;
    for (int64_t i = p->first[a]; i < p->first[a + 1]; at += p->width[i++]) {
        if (unit >= at && unit < at + p->width[i]) {
            *slope = p->slope[i];
            return true;
        }
    }
    return false;
}

/* No cycle of the residual network has a negative cost: Bellman and Ford's potentials settle. */
static bool is_cheapest(const problem *p)
{
    int64_t potential[MOST_NODES] = { 0 }, slope;
    bool changed = true;
    for (int32_t round = 0; changed && round <= p->network.nodes; round++) {
        changed = false;
        for (int64_t a = 0; a < p->network.arcs; a++) {
            int64_t *t = &potential[p->tail[a]], *h = &potential[p->head[a]];
            if (slope_at(p, a, true, &slope) && *t + slope < *h) {
                *h = *t + slope;
                changed = true;
            }
            if (slope_at(p, a, false, &slope) && *h - slope < *t) {
                *t = *h - slope;
                changed = true;
            }
        }
    }
    return !changed;
}

static void solve(ga_context *context, problem *p)
{
    ga__flow_report report = { 0 };
    ck_assert_int_eq(ga__min_cost_flow(context, &p->network, &p->costs, 0, p->flow, &report), GA_OK);
    ck_assert(!report.stopped);
    check_same_excess(p);
    ck_assert(is_cheapest(p));
}

START_TEST(random_networks_have_no_negative_cycle_left)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 5000; i++) {
        ga__random r = ga__random_at(1, GA__RANDOM_TEST, i);
        problem p;
        random_problem(&p, &r, 1 + draw(&r, MOST_NODES), draw(&r, MOST_ARCS), 1 + draw(&r, 5),
                       1 + draw(&r, 12));
        solve(context, &p);
    }
    done_with(context);
}
END_TEST

/* Counts through all flows of a tiny network. */
static int64_t cheapest_by_counting(problem *p)
{
    int64_t kept[MOST_ARCS], best = INT64_MAX;
    memcpy(kept, p->flow, sizeof kept);
    memset(p->flow, 0, sizeof p->flow);
    for (bool more = true; more;) {
        int64_t excess[MOST_NODES] = { 0 };
        bool same = true;
        for (int64_t a = 0; a < p->network.arcs; a++) {
            excess[p->tail[a]] += p->flow[a] - p->start[a];
            excess[p->head[a]] -= p->flow[a] - p->start[a];
        }
        for (int32_t v = 0; v < p->network.nodes; v++) {
            same = same && excess[v] == 0;
        }
        best = same ? ga__min(best, cost_of(p, p->flow)) : best;
        more = false;
        for (int64_t a = 0; a < p->network.arcs && !more; a++) {
            more = p->flow[a] < p->capacity[a];
            p->flow[a] = more ? p->flow[a] + 1 : 0;
        }
    }
    memcpy(p->flow, kept, sizeof kept);
    return best;
}

START_TEST(tiny_networks_reach_the_least_cost_of_all_flows)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 300; i++) {
        ga__random r = ga__random_at(2, GA__RANDOM_TEST, i);
        problem p;
        random_problem(&p, &r, 1 + draw(&r, 4), draw(&r, 6), 3, 6);
        int64_t best = cheapest_by_counting(&p);
        solve(context, &p);
        ck_assert_int_eq(cost_of(&p, p.flow), best);
    }
    done_with(context);
}
END_TEST

START_TEST(degenerate_transport_ends)
{
    ga_context *context = plain_context(1);
    problem p = { .network = { .nodes = 12, .arcs = 36, .tail = p.tail, .head = p.head },
                  .costs = { .first = p.first, .width = p.width, .slope = p.slope } };
    for (int64_t a = 0; a < 36; a++) {
        p.tail[a] = (int32_t)(a / 6);
        p.head[a] = (int32_t)(6 + a % 6);
        p.first[a] = a;
        p.width[a] = p.capacity[a] = 1;
        p.slope[a] =
            -(a / 6) * (a % 6); /* best: the diagonal; every vertex of the assignment is degenerate */
        p.start[a] = p.flow[a] = (a / 6 + a % 6) == 5;
    }
    p.first[36] = 36;
    solve(context, &p);
    for (int64_t a = 0; a < 36; a++) {
        ck_assert_int_eq(p.flow[a], a / 6 == a % 6);
    }
    done_with(context);
}
END_TEST

/* Two nodes joined by two arcs; one unit too much for the expensive one. */
static problem two_arcs(int64_t width, int64_t slope)
{
    problem p = { .tail = { 0, 0 },
                  .head = { 1, 1 },
                  .first = { 0, 1, 2 },
                  .width = { width, width },
                  .slope = { slope, -slope },
                  .capacity = { width, width },
                  .start = { width, 0 },
                  .flow = { width, 0 } };
    return p;
}

static ga_status solve_two(ga_context *context, problem *p, double deadline, ga__flow_report *report)
{
    p->network = (ga__network){ .nodes = 2, .arcs = 2, .tail = p->tail, .head = p->head };
    p->costs = (ga__costs){ .first = p->first, .width = p->width, .slope = p->slope };
    return ga__min_cost_flow(context, &p->network, &p->costs, deadline, p->flow, report);
}

START_TEST(huge_values_are_exact_or_refused)
{
    ga_context *context = plain_context(1);
    problem p = two_arcs(INT64_C(1) << 40, 1 << 20);
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_OK);
    ck_assert_int_eq(p.flow[0], 0);
    ck_assert_int_eq(p.flow[1], INT64_C(1) << 40);
    p = two_arcs(4, INT64_C(1) << 56);
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_OK);
    ck_assert_int_eq(p.flow[1], 4);
    p = two_arcs(INT64_C(1) << 40, INT64_C(1) << 30); /* the cost */
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_OVERFLOW);
    ck_assert_int_eq(p.flow[0], INT64_C(1) << 40);
    p = two_arcs(1, INT64_C(1) << 60); /* the potentials */
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_OVERFLOW);
    p = two_arcs(INT64_MAX, 0); /* the widths */
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_OVERFLOW);
    done_with(context);
}
END_TEST

START_TEST(a_deadline_gone_by_leaves_a_feasible_flow)
{
    ga_context *context = plain_context(1);
    ga__flow_report report = { 0 };
    problem p = two_arcs(5, 3);
    ck_assert_int_eq(solve_two(context, &p, ga__now() - 1, &report), GA_OK);
    ck_assert(report.stopped);
    ck_assert_int_eq(p.flow[0] + p.flow[1], 5);
    ck_assert_int_eq(solve_two(context, &p, ga__now() + 3600, &report), GA_OK);
    ck_assert(!report.stopped);
    ck_assert_int_eq(p.flow[1], 5);
    done_with(context);
}
END_TEST

static int say_stop(void *user)
{
    return ++*(int *)user > 0;
}

START_TEST(cancelling_leaves_the_flow_alone)
{
    ga_context *context = plain_context(1);
    int asked = 0;
    problem p = two_arcs(5, 3);
    ga_context_set_cancel(context, say_stop, &asked);
    ck_assert_int_eq(solve_two(context, &p, 0, NULL), GA_CANCELLED);
    ck_assert_int_ge(asked, 1);
    ck_assert_int_eq(p.flow[0], 5);
    done_with(context);
}
END_TEST

START_TEST(nothing_to_do)
{
    ga_context *context = plain_context(1);
    problem p = { .first = { 0 } };
    p.network = (ga__network){ .nodes = 0, .arcs = 0, .tail = p.tail, .head = p.head };
    p.costs = (ga__costs){ .first = p.first, .width = p.width, .slope = p.slope };
    solve(context, &p);
    p.network.nodes = 5;
    solve(context, &p);
    int64_t value = -1;
    ck_assert_int_eq(ga__max_flow(context, &p.network, p.capacity, 0, 4, p.flow, &value), GA_OK);
    ck_assert_int_eq(value, 0);
    done_with(context);
}
END_TEST

/* The least capacity of all cuts between the first and the last node. */
static int64_t least_cut(const problem *p)
{
    int64_t least = INT64_MAX;
    int32_t last = p->network.nodes - 1;
    for (uint32_t set = 1; set < 1U << last; set += 2) {
        int64_t cut = 0;
        for (int64_t a = 0; a < p->network.arcs; a++) {
            cut += (set >> p->tail[a] & 1) && !(set >> p->head[a] & 1) ? p->capacity[a] : 0;
        }
        least = ga__min(least, cut);
    }
    return least;
}

static void check_value(const problem *p, int64_t value)
{
    int64_t excess[MOST_NODES] = { 0 };
    for (int64_t a = 0; a < p->network.arcs; a++) {
        ck_assert_int_ge(p->flow[a], 0);
        ck_assert_int_le(p->flow[a], p->capacity[a]);
        excess[p->tail[a]] += p->flow[a];
        excess[p->head[a]] -= p->flow[a];
    }
    ck_assert_int_eq(excess[0], value);
    for (int32_t v = 1; v < p->network.nodes - 1; v++) {
        ck_assert_int_eq(excess[v], 0);
    }
}

START_TEST(maximum_flow_is_the_least_cut)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 3000; i++) {
        ga__random r = ga__random_at(3, GA__RANDOM_TEST, i);
        problem p;
        int64_t value = -1;
        random_problem(&p, &r, 2 + draw(&r, 8), draw(&r, 40), 1 + draw(&r, 9), 1);
        memset(p.flow, 0, sizeof p.flow);
        int32_t sink = p.network.nodes - 1;
        ck_assert_int_eq(ga__max_flow(context, &p.network, p.capacity, 0, sink, p.flow, &value), GA_OK);
        check_value(&p, value);
        ck_assert_int_eq(value, least_cut(&p));
        /* From the flow of smaller capacities on: the same value. */
        for (int64_t a = 0; a < p.network.arcs; a++) {
            p.capacity[a] += draw(&r, 3);
        }
        ck_assert_int_eq(ga__max_flow(context, &p.network, p.capacity, 0, sink, p.flow, &value), GA_OK);
        check_value(&p, value);
        ck_assert_int_eq(value, least_cut(&p));
    }
    done_with(context);
}
END_TEST

/* Rows and columns between source and sink; the sink must be out of the residual network's reach. */
START_TEST(large_maximum_flow_leaves_no_way)
{
    enum { ROWS = 200, COLUMNS = 300, ARCS = ROWS * COLUMNS + ROWS + COLUMNS };
    ga_context *context = plain_context(1);
    int32_t *tail = malloc(ARCS * sizeof *tail), *head = malloc(ARCS * sizeof *head);
    int64_t *capacity = malloc(ARCS * sizeof *capacity), *flow = calloc(ARCS, sizeof *flow), value;
    ga__random r = ga__random_at(4, GA__RANDOM_TEST, 0);
    int32_t source = ROWS + COLUMNS, sink = source + 1, arcs = 0;
    for (int32_t v = 0; v < ROWS + COLUMNS; v++, arcs++) {
        tail[arcs] = v < ROWS ? source : v;
        head[arcs] = v < ROWS ? v : sink;
        capacity[arcs] = draw(&r, 400);
    }
    for (int32_t c = 0; c < ROWS * COLUMNS; c++, arcs++) {
        tail[arcs] = c / COLUMNS;
        head[arcs] = ROWS + c % COLUMNS;
        capacity[arcs] = draw(&r, 3) ? 0 : draw(&r, 9);
    }
    ga__network n = { .nodes = sink + 1, .arcs = arcs, .tail = tail, .head = head };
    ck_assert_int_eq(ga__max_flow(context, &n, capacity, source, sink, flow, &value), GA_OK);
    bool reached[ROWS + COLUMNS + 2] = { 0 }, changed = true;
    reached[source] = true;
    while (changed) {
        changed = false;
        for (int32_t a = 0; a < arcs; a++) {
            bool forth = reached[tail[a]] && flow[a] < capacity[a], back = reached[head[a]] && flow[a] > 0;
            if ((forth && !reached[head[a]]) || (back && !reached[tail[a]])) {
                reached[head[a]] = reached[tail[a]] = changed = true;
            }
        }
    }
    ck_assert(!reached[sink]);
    int64_t out = 0;
    for (int32_t a = 0; a < ROWS; a++) {
        out += flow[a];
    }
    ck_assert_int_eq(out, value);
    free(tail);
    free(head);
    free(capacity);
    free(flow);
    done_with(context);
}
END_TEST

START_TEST(no_memory)
{
    ga__random r = ga__random_at(5, GA__RANDOM_TEST, 0);
    problem p;
    random_problem(&p, &r, 10, 60, 5, 5);
    for (int once = 0; once < 2; once++) {
        ga_status cheap = GA_NOMEM, most = GA_NOMEM;
        for (int64_t k = 0; cheap != GA_OK || most != GA_OK; k++) {
            meter m = { .fail_at = -1, .once = once };
            ga_context *context = metered_context(&m);
            m.calls = 0;
            m.fail_at = k;
            memcpy(p.flow, p.start, sizeof p.flow);
            cheap = ga__min_cost_flow(context, &p.network, &p.costs, 0, p.flow, NULL);
            ck_assert(cheap == GA_OK ||
                      (cheap == GA_NOMEM && memcmp(p.flow, p.start, 60 * sizeof *p.flow) == 0));
            int64_t flow[MOST_ARCS] = { 0 }, none[MOST_ARCS] = { 0 }, value = -1;
            m.calls = 0;
            most = ga__max_flow(context, &p.network, p.capacity, 0, 9, flow, &value);
            ck_assert(most == GA_OK ||
                      (most == GA_NOMEM && value == -1 && memcmp(flow, none, sizeof flow) == 0));
            m.fail_at = -1;
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(k, 100);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *tests = tcase_create("flow");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, random_networks_have_no_negative_cycle_left);
    tcase_add_test(tests, tiny_networks_reach_the_least_cost_of_all_flows);
    tcase_add_test(tests, degenerate_transport_ends);
    tcase_add_test(tests, huge_values_are_exact_or_refused);
    tcase_add_test(tests, a_deadline_gone_by_leaves_a_feasible_flow);
    tcase_add_test(tests, cancelling_leaves_the_flow_alone);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, maximum_flow_is_the_least_cut);
    tcase_add_test(tests, large_maximum_flow_leaves_no_way);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
