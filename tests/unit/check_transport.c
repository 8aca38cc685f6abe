/* check_transport.c - the quick way near the cheapest flow of a transport problem. */
#include "config.h"

#include "check_graph.h"
#include "sampling/flow/flow.h"

enum { MOST_NODES = 100, MOST_ARCS = 2500, SEGMENTS = 3 };

typedef struct table {
    ga__network network;
    ga__costs costs;
    int32_t rows;
    int32_t tail[MOST_ARCS], head[MOST_ARCS];
    int64_t first[MOST_ARCS + 1], width[SEGMENTS * MOST_ARCS], slope[SEGMENTS * MOST_ARCS];
    int64_t feasible[MOST_ARCS], flow[MOST_ARCS];
    int64_t stubs[MOST_NODES], price[MOST_NODES];
    int64_t steepest;
} table;

static int64_t draw(ga__random *r, int64_t bound)
{
    return (int64_t)ga__random_below(r, (uint64_t)bound);
}

/* One cell in `sparse` is missing. Rows and columns have the sums of some flow, so there is one. */
static void random_table(table *t, ga__random *r, int32_t rows, int32_t columns, int64_t width, int64_t slope,
                         int64_t sparse)
{
    int64_t arcs = 0, segments = 0;
    memset(t->stubs, 0, sizeof t->stubs);
    t->steepest = 0;
    t->first[0] = 0;
    for (int32_t cell = 0; cell < rows * columns; cell++) {
        if (draw(r, sparse) == 0) {
            continue;
        }
        int64_t steep = draw(r, 2 * slope + 1) - slope, count = 1 + draw(r, SEGMENTS), capacity = 0;
        for (int64_t i = 0; i < count; i++, segments++) {
            t->width[segments] = 1 + draw(r, width);
            t->slope[segments] = steep;
            t->steepest = ga__max(t->steepest, steep < 0 ? -steep : steep);
            capacity += t->width[segments];
            steep += draw(r, slope);
        }
        t->tail[arcs] = cell / columns;
        t->head[arcs] = rows + cell % columns;
        t->feasible[arcs] = draw(r, 2) * draw(r, capacity + 1);
        t->stubs[t->tail[arcs]] += t->feasible[arcs];
        t->stubs[t->head[arcs]] += t->feasible[arcs];
        t->first[++arcs] = segments;
    }
    t->rows = rows;
    t->network = (ga__network){ .nodes = rows + columns, .arcs = arcs, .tail = t->tail, .head = t->head };
    t->costs = (ga__costs){ .first = t->first, .width = t->width, .slope = t->slope };
}

static ga_status come_near(ga_context *context, table *t, double deadline, bool *found)
{
    return ga__near_transport(context, &t->network, &t->costs, t->rows, t->stubs, deadline, t->flow, t->price,
                              found);
}

static int64_t cost_of(const table *t, const int64_t *flow)
{
    int64_t cost = 0;
    for (int64_t a = 0; a < t->network.arcs; a++) {
        int64_t rest = flow[a];
        for (int64_t i = t->first[a]; i < t->first[a + 1]; i++) {
            int64_t units = ga__min(rest, t->width[i]);
            cost += units * t->slope[i];
            rest -= units;
        }
        ck_assert_int_eq(rest, 0);
    }
    return cost;
}

static void check_sums(const table *t)
{
    int64_t sum[MOST_NODES] = { 0 };
    for (int64_t a = 0; a < t->network.arcs; a++) {
        ck_assert_int_ge(t->flow[a], 0);
        sum[t->tail[a]] += t->flow[a];
        sum[t->head[a]] += t->flow[a];
    }
    for (int32_t v = 0; v < t->network.nodes; v++) {
        ck_assert_int_eq(sum[v], t->stubs[v]);
    }
}

/* Slopes beside the flow of every arc contradict the prices by no more than a hundredth of the steepest slope. */
static void check_prices(const table *t)
{
    int64_t slack = t->steepest / 100 + 66;
    for (int64_t a = 0; a < t->network.arcs; a++) {
        int64_t at = 0, worth = t->price[t->head[a]] - t->price[t->tail[a]];
        for (int64_t i = t->first[a]; i < t->first[a + 1]; at += t->width[i++]) {
            if (t->flow[a] < at + t->width[i]) {
                ck_assert_int_ge(t->slope[i] - worth, -slack);
            }
            if (t->flow[a] > at) {
                ck_assert_int_ge(worth - t->slope[i], -slack);
            }
        }
    }
}

static void check_near(ga_context *context, table *t)
{
    bool found = false;
    ck_assert_int_eq(come_near(context, t, 0, &found), GA_OK);
    ck_assert(found);
    check_sums(t);
    check_prices(t);
    ck_assert_int_eq(ga__min_cost_flow(context, &t->network, &t->costs, 0, t->flow, NULL), GA_OK);
    check_sums(t);
    int64_t best = cost_of(t, t->flow);
    ck_assert_int_eq(ga__min_cost_flow(context, &t->network, &t->costs, 0, t->feasible, NULL), GA_OK);
    ck_assert_int_eq(cost_of(t, t->feasible), best);
}

START_TEST(small_tables)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 3000; i++) {
        ga__random r = ga__random_at(1, GA__RANDOM_TEST, i);
        table t;
        random_table(&t, &r, 1 + (int32_t)draw(&r, 6), 1 + (int32_t)draw(&r, 6), 1 + draw(&r, 5),
                     1 + draw(&r, 1 << draw(&r, 24)), 2 + draw(&r, 9));
        check_near(context, &t);
    }
    done_with(context);
}
END_TEST

START_TEST(large_tables)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 40; i++) {
        ga__random r = ga__random_at(2, GA__RANDOM_TEST, i);
        table t;
        random_table(&t, &r, 20 + (int32_t)draw(&r, 30), 20 + (int32_t)draw(&r, 30), 1 + draw(&r, 1000),
                     1 + draw(&r, 1 << draw(&r, 24)), 2 + draw(&r, 9));
        check_near(context, &t);
    }
    done_with(context);
}
END_TEST

START_TEST(the_same_result_every_time)
{
    table one, two;
    for (int threads = 1; threads <= 2; threads++) {
        ga_context *context = plain_context(threads);
        ga__random r = ga__random_at(3, GA__RANDOM_TEST, 0);
        table *t = threads == 1 ? &one : &two;
        bool found;
        random_table(t, &r, 30, 40, 9, 1 << 20, 9);
        ck_assert_int_eq(come_near(context, t, 0, &found), GA_OK);
        done_with(context);
    }
    ck_assert_mem_eq(one.flow, two.flow, (size_t)one.network.arcs * sizeof *one.flow);
    ck_assert_mem_eq(one.price, two.price, (size_t)one.network.nodes * sizeof *one.price);
}
END_TEST

static int say_stop(void *user)
{
    return ++*(int *)user > 0;
}

/* More than the cells hold; no time; told to stop: nothing is written. */
START_TEST(what_cannot_be_done_leaves_the_flow_alone)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(4, GA__RANDOM_TEST, 0);
    table t;
    bool found = true;
    int asked = 0;
    random_table(&t, &r, 10, 12, 3, 1000, 9);
    memset(t.flow, 0x55, sizeof t.flow);
    t.stubs[3] += 1000;
    t.stubs[10] += 1000;
    ck_assert_int_eq(come_near(context, &t, 0, &found), GA_OK);
    ck_assert(!found);
    t.stubs[3] -= 1000;
    t.stubs[10] -= 1000;
    found = true;
    ck_assert_int_eq(come_near(context, &t, ga__now() - 1, &found), GA_OK);
    ck_assert(!found);
    ga_context_set_cancel(context, say_stop, &asked);
    ck_assert_int_eq(come_near(context, &t, 0, &found), GA_CANCELLED);
    ga_context_set_cancel(context, NULL, NULL);
    for (int64_t a = 0; a < t.network.arcs; a++) {
        ck_assert_int_eq(t.flow[a], INT64_C(0x5555555555555555));
    }
    ck_assert_int_eq(come_near(context, &t, ga__now() + 3600, &found), GA_OK);
    ck_assert(found);
    check_sums(&t);
    done_with(context);
}
END_TEST

START_TEST(nothing_to_send)
{
    ga_context *context = plain_context(1);
    static table t;
    bool found = false;
    t.network = (ga__network){ .tail = t.tail, .head = t.head };
    t.costs = (ga__costs){ .first = t.first, .width = t.width, .slope = t.slope };
    ck_assert_int_eq(come_near(context, &t, 0, &found), GA_OK);
    ck_assert(found);
    t.network.nodes = 5;
    t.rows = 2;
    found = false;
    ck_assert_int_eq(come_near(context, &t, 0, &found), GA_OK);
    ck_assert(found);
    done_with(context);
}
END_TEST

START_TEST(no_memory)
{
    ga__random r = ga__random_at(5, GA__RANDOM_TEST, 0);
    table t;
    random_table(&t, &r, 10, 10, 5, 1000, 9);
    for (int once = 0; once < 2; once++) {
        ga_status status = GA_NOMEM;
        for (int64_t k = 0; status != GA_OK; k++) {
            meter m = { .fail_at = -1, .once = once };
            ga_context *context = metered_context(&m);
            bool found = false;
            m.calls = 0;
            m.fail_at = k;
            status = come_near(context, &t, 0, &found);
            ck_assert(status == GA_OK ? found : status == GA_NOMEM && !found);
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
    Suite *suite = suite_create("transport");
    TCase *tests = tcase_create("transport");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, small_tables);
    tcase_add_test(tests, large_tables);
    tcase_add_test(tests, the_same_result_every_time);
    tcase_add_test(tests, what_cannot_be_done_leaves_the_flow_alone);
    tcase_add_test(tests, nothing_to_send);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
