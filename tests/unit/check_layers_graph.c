/* check_layers_graph.c - the graph that messages take: every policy against its definition, lean graphs, adopted arrays,
 * numbers of a graph, threads, memory. */
#include "config.h"

#include <math.h>

#include "gnn/messages.h"
#include "tests/unit/support.h"

enum { POLICIES = 18 };

typedef struct drawn {
    int64_t n, lines;
    int64_t *keys, *queries;
    double *weights;
    ga_edge_rows rows;
} drawn;

/* Check tells about every assertion, which takes its time. */
#define EXPECT(what) \
    do { \
        if (!(what)) { \
            ck_abort_msg("%s", #what); \
        } \
    } while (0)

static ga_context *context;

static void setup(void)
{
    context = test_threads_context(2);
}

static void teardown(void)
{
    ga_context_destroy(context);
}

static ga__policy policy_at(int i)
{
    return (ga__policy){ .undirected = i % 2,
                         .duplicates = (ga__duplicate_policy)(i / 2 % 3),
                         .loops = (ga__loop_policy)(i / 6 % 3),
                         .lines = true };
}

/* Every seventh line is a loop, every fifth repeats another one. */
static void draw(drawn *d, int64_t n, int64_t lines, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_TEST, 4);
    *d = (drawn){ .n = n, .lines = lines };
    d->keys = calloc((size_t)lines + 1, sizeof *d->keys);
    d->queries = calloc((size_t)lines + 1, sizeof *d->queries);
    d->weights = calloc((size_t)lines + 1, sizeof *d->weights);
    for (int64_t i = 0; i < lines; i++) {
        d->keys[i] = (int64_t)ga__random_below(&random, (uint64_t)n);
        d->queries[i] = i % 7 == 3 ? d->keys[i] : (int64_t)ga__random_below(&random, (uint64_t)n);
        if (i % 5 == 4) {
            int64_t other = (int64_t)ga__random_below(&random, (uint64_t)i);
            d->keys[i] = d->keys[other];
            d->queries[i] = d->queries[other];
        }
        d->weights[i] = 0.25 + ga__random_unit(&random);
    }
    d->rows = (ga_edge_rows){ .name = "drawn", .count = lines, .keys = d->keys, .queries = d->queries };
}

static void drawn_free(drawn *d)
{
    free(d->keys);
    free(d->queries);
    free(d->weights);
}

/* ---- the definition ---- */

typedef struct arc {
    int64_t source, target, arc, line;
} arc;

static int by_place(const void *a_, const void *b_)
{
    const arc *a = a_, *b = b_;
    int64_t order[] = { a->target - b->target, a->source - b->source, a->arc - b->arc };
    for (int i = 0; i < 3; i++) {
        if (order[i]) {
            return order[i] < 0 ? -1 : 1;
        }
    }
    return 0;
}

/* Arcs in order, inserted loops among them with line -1 and the largest number of an arc. */
static int64_t list_arcs(const drawn *d, const ga__policy *policy, arc *list)
{
    int64_t count = 0, each = policy->undirected ? 2 : 1;
    bool *loop = calloc((size_t)d->n + 1, sizeof *loop);
    for (int64_t i = 0; i < d->lines; i++) {
        loop[d->keys[i]] |= d->keys[i] == d->queries[i];
        list[count++] = (arc){ d->keys[i], d->queries[i], each * i, i };
        if (policy->undirected) {
            list[count++] = (arc){ d->queries[i], d->keys[i], 2 * i + 1, i };
        }
    }
    for (int64_t i = 0; policy->loops == GA__LOOPS_ADD && i < d->n; i++) {
        if (!loop[i]) {
            list[count++] = (arc){ i, i, INT64_MAX, -1 };
        }
    }
    free(loop);
    qsort(list, (size_t)count, sizeof *list, by_place);
    return count;
}

static void check_graph(const drawn *d, const ga__policy *policy, const double *weights,
                        const ga__messages *m)
{
    arc *list = calloc((size_t)(2 * d->lines + d->n) + 1, sizeof *list);
    double *sums = calloc((size_t)m->edges.count + 1, sizeof *sums);
    int64_t count = list_arcs(d, policy, list), edge = -1, loops = 0;
    for (int64_t i = 0; i < count; i++) {
        const arc *a = &list[i];
        bool gone = policy->loops == GA__LOOPS_REMOVE && a->source == a->target;
        bool again = i > 0 && list[i - 1].source == a->source && list[i - 1].target == a->target &&
                     policy->duplicates != GA__DUPLICATES_KEEP;
        double weight = a->line < 0 || !weights ? 1 : weights[a->line];
        if (!gone && !again) {
            edge++;
            EXPECT(edge < m->edges.count);
            EXPECT(m->sources[edge] == a->source);
            EXPECT(m->offsets[a->target] <= edge && edge < m->offsets[a->target + 1]);
            EXPECT(!m->edge_line || m->edge_line[edge] == a->line);
            EXPECT(!m->loop_edge || a->line >= 0 || m->loop_edge[loops] == edge);
            loops += a->line < 0;
            sums[edge] = weight;
        } else if (!gone && policy->duplicates == GA__DUPLICATES_SUM) {
            sums[edge] += weight;
        }
        if (m->arc_edge && a->line >= 0) {
            bool added = !gone && (!again || policy->duplicates == GA__DUPLICATES_SUM);
            EXPECT(m->arc_edge[a->arc] == (added ? edge : -1));
        }
    }
    EXPECT(edge + 1 == m->edges.count);
    EXPECT(!m->loop_edge || loops == m->loops);
    for (int64_t e = 0; e < m->edges.count; e++) {
        EXPECT(m->weights ? m->weights[e] == sums[e] : sums[e] == 1);
    }
    free(sums);
    free(list);
}

static void check_transposed(const ga__messages *m)
{
    int64_t seen = 0;
    for (int64_t j = 0; j < m->edges.sources_count; j++) {
        for (int64_t at = m->transposed.offsets[j]; at < m->transposed.offsets[j + 1]; at++, seen++) {
            int64_t e = m->transposed.edge[at], i = m->transposed.targets[at];
            EXPECT(m->sources[e] == j);
            EXPECT(m->offsets[i] <= e && e < m->offsets[i + 1]);
        }
    }
    EXPECT(seen == m->edges.count);
}

START_TEST(policies_are_what_they_say)
{
    static const int64_t sizes[][2] = { { 1, 0 }, { 1, 3 }, { 12, 60 }, { 300, 900 }, { 3000, 90000 } };
    ga__policy policy = policy_at(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        drawn d;
        draw(&d, sizes[s][0], sizes[s][1], 3);
        for (int form = 0; form < 4; form++) {
            ga__messages m;
            const double *weights = form & 1 ? d.weights : NULL;
            policy.lines = form & 2;
            test_ok(context, ga__messages_make(context, &d.rows, weights, d.n, &policy, &m));
            ck_assert_int_eq(m.edge_line != NULL, policy.lines);
            ck_assert_int_eq(m.arc_edge != NULL, policy.lines);
            check_graph(&d, &policy, weights, &m);
            check_transposed(&m);
            ga__messages_free(context, &m);
        }
        drawn_free(&d);
    }
}
END_TEST

START_TEST(threads_do_not_matter)
{
    static const int threads[] = { 1, 2, 3, 7 };
    ga__policy policy = policy_at(_i);
    drawn d;
    ga__messages first, m;
    draw(&d, 5000, 100000, 5);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        test_set_threads(context, threads[t]);
        test_ok(context, ga__messages_make(context, &d.rows, d.weights, d.n, &policy, t ? &m : &first));
        if (t > 0) {
            size_t count = (size_t)m.edges.count;
            ck_assert_int_eq(m.edges.count, first.edges.count);
            ck_assert_mem_eq(m.sources, first.sources, count * sizeof *m.sources);
            ck_assert_mem_eq(m.weights, first.weights, count * sizeof *m.weights);
            ck_assert_mem_eq(m.offsets, first.offsets, (size_t)(d.n + 1) * sizeof *m.offsets);
            ck_assert_mem_eq(m.edge_line, first.edge_line, count * sizeof *m.edge_line);
            ck_assert_mem_eq(m.arc_edge, first.arc_edge, (size_t)m.arcs * sizeof *m.arc_edge);
            ga__messages_free(context, &m);
        }
    }
    ga__messages_free(context, &first);
    drawn_free(&d);
}
END_TEST

/* Arrays in order become the graph that they came from; its numbers are those of its definition. */
START_TEST(adopted_arrays_are_a_graph)
{
    drawn d;
    ga__messages m, adopted;
    ga__policy policy = policy_at(_i);
    draw(&d, 400, 3000, 6);
    test_ok(context, ga__messages_make(context, &d.rows, d.weights, d.n, &policy, &m));
    int64_t *offsets = NULL;
    uint32_t *sources = NULL;
    double *weights = NULL;
    test_ok(context, GA_NEW(context, d.n + 1, &offsets));
    test_ok(context, GA_NEW(context, m.edges.count, &sources));
    test_ok(context, GA_NEW(context, m.edges.count, &weights));
    memcpy(offsets, m.offsets, (size_t)(d.n + 1) * sizeof *offsets);
    memcpy(sources, m.sources, (size_t)m.edges.count * sizeof *sources);
    memcpy(weights, m.weights, (size_t)m.edges.count * sizeof *weights);
    test_ok(context, ga__messages_adopt(context, d.n, offsets, sources, weights, &adopted));
    ck_assert_int_eq(adopted.edges.count, m.edges.count);
    ck_assert_int_eq(adopted.edges.targets, d.n);
    check_transposed(&adopted);
    const double *degrees = NULL;
    const DLTensor *scales, *coefficients, *given, *again;
    test_ok(context, ga__graph_numbers_of(context, &adopted, GA__GRAPH_COEFFICIENTS, true, &coefficients));
    test_ok(context, ga__graph_numbers_of(context, &adopted, GA__GRAPH_SCALES, false, &scales));
    test_ok(context, ga__graph_numbers_of(context, &adopted, GA__GRAPH_WEIGHTS, true, &given));
    test_ok(context, ga__graph_numbers_of(context, &adopted, GA__GRAPH_COEFFICIENTS, true, &again));
    test_ok(context, ga__graph_degrees(context, &adopted, &degrees));
    ck_assert_ptr_eq(coefficients, again);
    for (int64_t i = 0; i < d.n; i++) {
        double sum = 0;
        for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; e++) {
            sum += m.weights[e];
        }
        EXPECT(degrees[i] == sum);
        EXPECT(((const float *)scales->data)[i] == (float)(sum > 0 ? 1 / sqrt(sum) : 0));
    }
    for (int64_t i = 0; i < d.n; i++) {
        for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; e++) {
            double from = degrees[m.sources[e]], to = degrees[i];
            double expected = from > 0 && to > 0 ? m.weights[e] / sqrt(from) / sqrt(to) : 0;
            EXPECT(fabs(((const double *)coefficients->data)[e] - expected) <= 1e-15);
            EXPECT(((const double *)given->data)[e] == m.weights[e]);
        }
    }
    ga__messages_free(context, &adopted);
    ga__messages_free(context, &m);
    drawn_free(&d);
}
END_TEST

START_TEST(wrong_ids_are_named)
{
    static const int64_t lines[] = { 5, 6, 8, 9 };
    int64_t keys[] = { 0, 1, 2, 4 }, queries[] = { 1, 3, 0, 9 };
    ga_edge_rows rows = { .name = "four", .count = 4, .keys = keys, .queries = queries };
    ga__policy policy = policy_at(0);
    ga__messages m;
    ga__begin(context);
    test_status(context, ga__messages_make(context, &rows, NULL, 3, &policy, &m), GA_INVALID);
    test_error_has(context, "four: edge 1: node 3, expected below 3");
    ga__messages_free(context, &m);
    rows.lines = lines;
    ga__begin(context);
    test_status(context, ga__messages_make(context, &rows, NULL, 4, &policy, &m), GA_INVALID);
    test_error_has(context, "four:9: node 4");
    ga__messages_free(context, &m);
    keys[0] = -2;
    ga__begin(context);
    test_status(context, ga__messages_make(context, &rows, NULL, 40, &policy, &m), GA_INVALID);
    test_error_has(context, "four:5: node -2");
    ga__messages_free(context, &m);
    rows.keys = NULL;
    ga__begin(context);
    test_status(context, ga__messages_make(context, &rows, NULL, 40, &policy, &m), GA_INVALID);
    ga__messages_free(context, &m);
    rows.count = -1;
    ga__begin(context);
    test_status(context, ga__messages_make(context, &rows, NULL, 40, &policy, &m), GA_INVALID);
    ga__messages_free(context, &m);
}
END_TEST

static ga_status memory_body(ga_context *with, void *user)
{
    const drawn *d = user;
    ga_status status = GA_OK;
    const DLTensor *numbers = NULL;
    ga__policy policy = policy_at(9);
    ga__messages m, adopted = { .lines = 0 };
    int64_t *offsets = NULL;
    uint32_t *sources = NULL;
    GA_TRY(ga__messages_make(with, &d->rows, d->weights, d->n, &policy, &m));
    GA_TRY(ga__graph_numbers_of(with, &m, GA__GRAPH_COEFFICIENTS, false, &numbers));
    GA_TRY(GA_NEW_ZERO(with, 3, &offsets));
    GA_TRY(GA_NEW_ZERO(with, 0, &sources));
    status = ga__messages_adopt(with, 2, offsets, sources, NULL, &adopted);
    offsets = NULL;
    sources = NULL;
done:
    ga_free(with, offsets);
    ga_free(with, sources);
    ga__messages_free(with, &adopted);
    ga__messages_free(with, &m);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    drawn d;
    draw(&d, 10, 30, 2);
    ck_assert_int_gt(test_each_allocation(memory_body, &d, 2), 15);
    drawn_free(&d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graphs of layers");
    TCase *tests = tcase_create("graphs");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, policies_are_what_they_say, 0, POLICIES);
    tcase_add_loop_test(tests, threads_do_not_matter, 0, POLICIES);
    tcase_add_loop_test(tests, adopted_arrays_are_a_graph, 3, 6); /* sums, keep: pairs may stand twice */
    tcase_add_test(tests, wrong_ids_are_named);
    tcase_add_test(tests, memory_may_end_anywhere);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
