/* check_graph_generate.c - the models: exact counts, simple graphs, laws, equal for any number of threads. */
#include "config.h"

#include "check_graph.h"

#include <math.h>

typedef ga_generate_options options;

static ga_graph *generate(ga_context *context, const options *o)
{
    ga_graph *graph = NULL;
    ga_status status = ga_graph_generate(context, o, &graph);
    ck_assert_msg(status == GA_OK, "%s: %s", o->model, ga_context_error(context));
    return graph;
}

static ga_context *seeded(int threads, uint64_t seed)
{
    ga_context *context = plain_context(threads);
    ga_context_set_seed(context, seed);
    return context;
}

static bool is_simple(const ga_graph *graph)
{
    ga_csr out = ga_graph_out(graph);
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            if (out.targets[e] == v || (e > out.offsets[v] && out.targets[e] <= out.targets[e - 1]) ||
                out.targets[e] >= out.rows) {
                return false;
            }
        }
    }
    return true;
}

/* ---- exact counts, simple, any number of threads ---- */

static const options models[] = {
    { "rmat", 1024, 8000, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 1000, 8000, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 20000, 300000, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 70000, 100000, .25, .25, .25, false, 4, .1, 0, 0, false },
    { "rmat", 64, 64 * 63, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 64, 3000, .9, .05, .05, false, 4, .1, 0, 0, false },
    { "rmat", 64, 500, 1, 0, 0, false, 4, .1, 0, 0, false },
    { "rmat", 2, 2, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 1, 0, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "rmat", 0, 0, .57, .19, .19, false, 4, .1, 0, 0, false },
    { "er", 0, 0, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 1, 0, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 50, 50 * 49, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 50, 50 * 49 - 1, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 300, 20000, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 300, 30000, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "er", 1000000, 100000, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "sbm", 402, 6000, 0, 0, 0, false, 4, .1, 0, 0, false },
    { "sbm", 10, 20, 0, 0, 0, false, 10, 1, 0, 0, false },
    { "sbm", 10, 90, 0, 0, 0, false, 1, 0, 0, 0, false },
    { "sbm", 7, 18, 0, 0, 0, false, 3, 1, 0, 0, false },
    { "sbm", 50000, 200000, 0, 0, 0, false, 100, .25, 0, 0, false },
};

static void expect_model(const options *o, int64_t nodes, int64_t edges)
{
    ga_context *context = seeded(1, 1);
    ga_graph *first = generate(context, o);
    ck_assert_int_eq(ga_graph_nodes(first), nodes);
    ck_assert_int_eq(ga_graph_edges(first), edges);
    ck_assert_ptr_null(ga_graph_ids(first));
    ck_assert(is_simple(first));
    for (int threads = 2; threads <= 7; threads += 5) {
        ck_assert_int_eq(ga_context_set_threads(context, threads), GA_OK);
        ga_graph *other = generate(context, o);
        same_graph(first, other);
        ga_graph_destroy(context, other);
    }
    ga_graph_destroy(context, first);
    done_with(context);
}

START_TEST(counts)
{
    expect_model(&models[_i], models[_i].nodes, models[_i].edges);
}
END_TEST

START_TEST(seeds_differ)
{
    static const char *const names[] = { "rmat", "er", "ba", "sbm" };
    for (int i = 0; i < 4; i++) {
        options o = GA_GENERATE_OPTIONS_INIT;
        o.model = names[i];
        o.nodes = 512;
        o.edges = 3000;
        ga_context *a = seeded(1, 1), *b = seeded(1, 2);
        ga_graph *first = generate(a, &o), *second = generate(b, &o);
        ck_assert_int_ne(memcmp(first->out_targets, second->out_targets, (size_t)first->edges * 4), 0);
        ga_graph_destroy(a, first);
        ga_graph_destroy(b, second);
        done_with(a);
        done_with(b);
    }
}
END_TEST

/* ---- laws ---- */

static double sum_of_squares(const uint32_t *degrees, int64_t nodes)
{
    double sum = 0;
    for (int64_t v = 0; v < nodes; v++) {
        sum += (double)degrees[v] * degrees[v];
    }
    return sum;
}

/* Raw draws: a node of k ones among s bits is a source with probability (c + d)^k (a + b)^(s - k), so that the sum of
 * squared out-degrees is m + m (m - 1) ((a + b)^2 + (c + d)^2)^s on average; loops come with (a + d)^s. */
START_TEST(rmat_law)
{
    enum { SCALE = 9, NODES = 1 << SCALE, EDGES = 200000 };
    options o = { "rmat", NODES, EDGES, .5, .3, .1, true, 4, .1, 0, 0, false };
    ga_context *context = seeded(2, 5);
    ga_graph *graph = generate(context, &o);
    ck_assert_int_eq(ga_graph_edges(graph), EDGES);
    static uint32_t out[NODES], in[NODES];
    ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
    double pairs = (double)EDGES * (EDGES - 1);
    double wanted_out = EDGES + pairs * pow(.8 * .8 + .2 * .2, SCALE), got_out = sum_of_squares(out, NODES);
    double wanted_in = EDGES + pairs * pow(.6 * .6 + .4 * .4, SCALE), got_in = sum_of_squares(in, NODES);
    ck_assert_msg(fabs(got_out / wanted_out - 1) < .05, "%g, expected %g", got_out, wanted_out);
    ck_assert_msg(fabs(got_in / wanted_in - 1) < .05, "%g, expected %g", got_in, wanted_in);
    double loops = 0, wanted = EDGES * pow(.6, SCALE);
    for (int64_t v = 0; v < NODES; v++) {
        for (int64_t e = graph->out_offsets[v]; e < graph->out_offsets[v + 1]; e++) {
            loops += graph->out_targets[e] == v;
        }
    }
    ck_assert_msg(fabs(loops - wanted) < 5 * sqrt(wanted), "%g loops, expected %g", loops, wanted);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Which set of edges a small graph has, as a number: base nodes^2. */
static uint64_t name_of_graph(const ga_graph *graph)
{
    uint64_t name = 0, base = (uint64_t)(graph->nodes * graph->nodes);
    for (int64_t v = 0; v < graph->nodes; v++) {
        for (int64_t e = graph->out_offsets[v]; e < graph->out_offsets[v + 1]; e++) {
            name = name * base + (uint64_t)v * (uint64_t)graph->nodes + graph->out_targets[e];
        }
    }
    return name;
}

/* Every graph of the space comes up, and equally often: chi-square below its mean plus five deviations. */
static void expect_uniform(const options *o, int space)
{
    enum { MOST = 1000, EACH = 60 };
    static uint64_t names[MOST];
    static int seen[MOST];
    int found = 0;
    ga_context *context = seeded(1, 1);
    for (int run = 0; run < EACH * space; run++) {
        ga_context_set_seed(context, (uint64_t)run + 1);
        ga_graph *graph = generate(context, o);
        uint64_t name = name_of_graph(graph);
        int i = 0;
        while (i < found && names[i] != name) {
            i++;
        }
        if (i == found) {
            ck_assert_msg(found < space, "%s: more than %d graphs", o->model, space);
            names[found] = name;
            seen[found++] = 0;
        }
        seen[i]++;
        ga_graph_destroy(context, graph);
    }
    double sum = 0;
    ck_assert_int_eq(found, space);
    for (int i = 0; i < found; i++) {
        sum += (seen[i] - EACH) * (double)(seen[i] - EACH) / EACH;
    }
    ck_assert_msg(sum < space - 1 + 5 * sqrt(2.0 * (space - 1)), "%s: chi-square %g of %d graphs", o->model,
                  sum, space);
    ck_assert_msg(sum > space - 1 - 5 * sqrt(2.0 * (space - 1)), "%s: chi-square %g of %d graphs: too even",
                  o->model, sum, space);
    done_with(context);
}

START_TEST(uniform)
{
    static const struct {
        options o;
        int space;
    } cases[] = {
        { { "er", 4, 3, 0, 0, 0, false, 4, .1, 0, 0, false }, 220 }, /* drawn and thinned */
        { { "er", 6, 2, 0, 0, 0, false, 4, .1, 0, 0, false }, 435 },
        { { "er", 3, 4, 0, 0, 0, false, 4, .1, 0, 0, false }, 15 },  /* filled */
        { { "sbm", 4, 2, 0, 0, 0, false, 2, .5, 0, 0, false }, 32 }, /* 4 inside, 8 between */
        { { "sbm", 5, 2, 0, 0, 0, false, 2, .5, 0, 0, false },
          96 }, /* blocks of 3 and 2: 8 inside, 12 between */
        { { "rmat", 4, 2, .25, .25, .25, false, 4, .1, 0, 0, false }, 66 },
    };
    expect_uniform(&cases[_i].o, cases[_i].space);
}
END_TEST

START_TEST(blocks)
{
    enum { NODES = 402, BLOCKS = 4 };
    static const int begin[BLOCKS + 1] = { 0, 101, 202, 302, 402 };
    options o = { "sbm", NODES, 6000, 0, 0, 0, false, BLOCKS, .1, 0, 0, false };
    ga_context *context = seeded(2, 3);
    ga_graph *graph = generate(context, &o);
    int64_t between = 0, cells[BLOCKS][BLOCKS] = { { 0 } };
    for (int v = 0, b = 0; v < NODES; v++) {
        b += v == begin[b + 1];
        for (int64_t e = graph->out_offsets[v]; e < graph->out_offsets[v + 1]; e++) {
            int t = 0;
            while ((int)graph->out_targets[e] >= begin[t + 1]) {
                t++;
            }
            cells[b][t]++;
            between += b != t;
        }
    }
    ck_assert_int_eq(between, 600);
    for (int a = 0; a < BLOCKS; a++) {
        for (int b = 0; b < BLOCKS; b++) {
            double wanted = a == b ? 5400 / 4.0 : 600 / 12.0;
            ck_assert_msg(fabs((double)cells[a][b] - wanted) < 5 * sqrt(wanted) + 30, "%d -> %d: %lld", a, b,
                          (long long)cells[a][b]);
        }
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Half of the nodes of a Barabasi-Albert graph with 2 edges a node are never pointed at: 2 / (2 + 2); with uniform
 * attachment it would be a third. The largest degree grows as the root of n. */
START_TEST(preferential)
{
    enum { NODES = 20000 };
    options o = { "ba", NODES, 2 * NODES, 0, 0, 0, false, 4, .1, 0, 0, false };
    ga_context *context = seeded(2, 9);
    ga_graph *graph = generate(context, &o);
    static uint32_t out[NODES], in[NODES];
    int64_t none = 0, largest = 0;
    bool right = true;
    expect_model(&o, NODES, 2 * NODES - 3);
    ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
    for (int64_t v = 0; v < NODES; v++) {
        right = right && out[v] == (v < 2 ? v : 2);
        none += in[v] == 0;
        largest = ga__max(largest, in[v]);
        for (int64_t e = graph->out_offsets[v]; e < graph->out_offsets[v + 1]; e++) {
            right = right && graph->out_targets[e] < v;
        }
    }
    ck_assert(right);
    ck_assert_msg(fabs((double)none / NODES - .5) < .02, "%lld nodes nobody points at", (long long)none);
    ck_assert_msg(largest > 100 && largest < 3000, "largest in-degree %lld", (long long)largest);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static void expect_grid(int64_t nodes, int64_t rows, int64_t columns, bool torus, int64_t all, int64_t edges)
{
    options o = { "grid", nodes, 0, 0, 0, 0, false, 4, .1, rows, columns, torus };
    expect_model(&o, all, edges);
}

START_TEST(grids)
{
    expect_grid(0, 3, 4, false, 12, 34);
    expect_grid(12, 3, 4, true, 12, 48);
    expect_grid(0, 2, 5, true, 10, 30); /* up and down are the same neighbour */
    expect_grid(0, 1, 5, true, 5, 10);
    expect_grid(0, 1, 1, true, 1, 0);
    expect_grid(9, 0, 0, false, 9, 24);
    expect_grid(10, 0, 0, false, 10, 26);
    expect_grid(12, 0, 4, false, 12, 34);
    expect_grid(12, 3, 0, false, 12, 34);
    expect_grid(7, 0, 0, true, 7, 14);
    expect_grid(0, 0, 0, false, 0, 0);
    expect_grid(0, 200, 300, true, 60000, 240000);
    options o = { "grid", 0, 0, 0, 0, 0, false, 4, .1, 2, 3, false };
    ga_context *context = plain_context(1);
    ga_graph *graph = generate(context, &o);
    ck_assert_str_eq(edges_of(graph), "0>1 0>3 1>0 1>2 1>4 2>1 2>5 3>0 3>4 4>1 4>3 4>5 5>2 5>4");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- refusals ---- */

START_TEST(refuses)
{
    static const struct {
        options o;
        const char *message;
    } bad[] = {
        { { "erdos", 5, 2, 0, 0, 0, false, 4, .1, 0, 0, false }, "unknown model \"erdos\"" },
        { { NULL, 5, 2, 0, 0, 0, false, 4, .1, 0, 0, false }, "unknown model" },
        { { "er", -1, 2, 0, 0, 0, false, 4, .1, 0, 0, false }, "-1 nodes" },
        { { "er", 5, -2, 0, 0, 0, false, 4, .1, 0, 0, false }, "-2 edges" },
        { { "er", INT64_C(1) << 33, 2, 0, 0, 0, false, 4, .1, 0, 0, false }, "2^32 nodes" },
        { { "er", 5, 21, 0, 0, 0, false, 4, .1, 0, 0, false }, "at most 20" },
        { { "er", 1, 1, 0, 0, 0, false, 4, .1, 0, 0, false }, "at most 0" },
        { { "rmat", 5, 21, .57, .19, .19, false, 4, .1, 0, 0, false }, "at most 20" },
        { { "rmat", 5, 2, .57, .4, .19, false, 4, .1, 0, 0, false }, "probabilities" },
        { { "rmat", 5, 2, -.1, .4, .19, false, 4, .1, 0, 0, false }, "probabilities" },
        { { "rmat", 5, 2, NAN, .4, .19, false, 4, .1, 0, 0, false }, "probabilities" },
        { { "rmat", 0, 2, .57, .19, .19, true, 4, .1, 0, 0, false }, "without nodes" },
        { { "ba", 0, 0, 0, 0, 0, false, 4, .1, 0, 0, false }, "ba:" },
        { { "ba", 4, 16, 0, 0, 0, false, 4, .1, 0, 0, false }, "ba: 4 edges for each of 4" },
        { { "sbm", 5, 2, 0, 0, 0, false, 0, .1, 0, 0, false }, "0 blocks" },
        { { "sbm", 5, 2, 0, 0, 0, false, 6, .1, 0, 0, false }, "6 blocks" },
        { { "sbm", 5, 2, 0, 0, 0, false, 2, 1.1, 0, 0, false }, "mixing 1.1" },
        { { "sbm", 5, 2, 0, 0, 0, false, 2, NAN, 0, 0, false }, "mixing" },
        { { "sbm", 4, 6, 0, 0, 0, false, 2, 0, 0, 0, false }, "at most 4" },
        { { "grid", 7, 0, 0, 0, 0, false, 4, .1, 2, 3, false }, "2 rows and 3 columns for 7" },
        { { "grid", 7, 0, 0, 0, 0, false, 4, .1, 2, 0, false }, "cannot fill" },
        { { "grid", 0, 0, 0, 0, 0, false, 4, .1, -2, 3, false }, "-2 rows" },
        { { "grid", 0, 0, 0, 0, 0, false, 4, .1, INT64_C(1) << 40, INT64_C(1) << 40, false }, "rows" },
    };
    ga_context *context = plain_context(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ga_graph *graph = NULL;
        ck_assert_msg(ga_graph_generate(context, &bad[i].o, &graph) == GA_INVALID, "case %zu", i);
        ck_assert_msg(strstr(ga_context_error(context), bad[i].message) != NULL, "case %zu: %s", i,
                      ga_context_error(context));
        ck_assert_ptr_null(graph);
    }
    int count = 0;
    const ga_generator_info *info = ga_generate_models(&count);
    ck_assert_int_eq(count, 5);
    ck_assert_ptr_null(info[count].name);
    done_with(context);
}
END_TEST

START_TEST(allocation_failures)
{
    static const options small[] = {
        { "rmat", 500, 3000, .57, .19, .19, false, 4, .1, 0, 0, false },
        { "rmat", 50, 2000, .57, .19, .19, false, 4, .1, 0, 0, false },
        { "er", 500, 3000, 0, 0, 0, false, 4, .1, 0, 0, false },
        { "er", 50, 2000, 0, 0, 0, false, 4, .1, 0, 0, false },
        { "ba", 500, 3000, 0, 0, 0, false, 4, .1, 0, 0, false },
        { "sbm", 500, 3000, 0, 0, 0, false, 4, .1, 0, 0, false },
        { "grid", 500, 0, 0, 0, 0, false, 4, .1, 0, 0, false },
    };
    for (int once = 0; once < 2; once++) {
        ga_status status = GA_NOMEM;
        for (int64_t k = 0; status != GA_OK; k++) {
            meter m = { .fail_at = k, .once = once };
            ga_context *context = metered_context(&m);
            ga_graph *graph = NULL;
            m.calls = 0;
            status = ga_graph_generate(context, &small[_i], &graph);
            ck_assert(status == GA_OK || status == GA_NOMEM);
            ck_assert((status == GA_OK) == (graph != NULL));
            ga_graph_destroy(context, graph);
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(k, 500);
        }
    }
}
END_TEST

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancels)
{
    static const char *const names[] = { "rmat", "er", "ba", "sbm", "grid" };
    for (int i = 0; i < 5; i++) {
        options o = GA_GENERATE_OPTIONS_INIT;
        ga_graph *graph = NULL;
        ga_context *context = plain_context(2);
        o.model = names[i];
        o.nodes = 100000;
        o.edges = 200000;
        ga_context_set_cancel(context, stop_now, NULL);
        ck_assert_int_eq(ga_graph_generate(context, &o, &graph), GA_CANCELLED);
        done_with(context);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generating");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, counts, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(all, seeds_differ);
    tcase_add_test(all, rmat_law);
    tcase_add_loop_test(all, uniform, 0, 6);
    tcase_add_test(all, blocks);
    tcase_add_test(all, preferential);
    tcase_add_test(all, grids);
    tcase_add_test(all, refuses);
    tcase_add_loop_test(all, allocation_failures, 0, 7);
    tcase_add_test(all, cancels);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
