/* check_realize.c - construction: the matrices come back exactly, without loops and repetitions. */
#include "config.h"

#include "check_sampling.h"
#include "sampling/realize/realize.h"

/* Builds a graph from the matrices of another and counts it. */
static void there_and_back(ga_context *context, const ga_graph *graph, const int64_t *labels, ga_loops loops,
                           ga_multi multi)
{
    ga_matrices *m = NULL, *again = NULL;
    ga_graph *made = NULL;
    int64_t *taken = NULL;
    ga_realize_options options = { loops, multi };
    ck_assert_int_eq(ga_matrices_count(context, graph, labels, &m), GA_OK);
    ck_assert_msg(ga_realize(context, m, &options, &made, &taken) == GA_OK, "%s", ga_context_error(context));
    ck_assert_int_eq(!taken, !labels);
    ck_assert_int_eq(ga_matrices_count(context, made, taken, &again), GA_OK);
    same_matrices(m, again);
    if (multi != GA_MULTI_KEEP && loops != GA_LOOPS_KEEP) {
        ck_assert(is_simple(made));
    }
    ga_free(context, taken);
    ga_matrices_destroy(context, m);
    ga_matrices_destroy(context, again);
    ga_graph_destroy(context, made);
}

/* The digraph on n nodes whose possible edges are the bits. */
static void try_bits(ga_context *context, int n, uint64_t bits)
{
    uint32_t t[64];
    int64_t offsets[9] = { 0 };
    int edges = 0;
    for (int u = 0, bit = 0; u < n; u++) {
        for (int v = 0; v < n; v++) {
            if (u != v && bits >> bit++ & 1) {
                t[edges++] = (uint32_t)v;
            }
        }
        offsets[u + 1] = edges;
    }
    ga_graph graph = { .nodes = n, .edges = edges, .out_offsets = offsets, .out_targets = t };
    there_and_back(context, &graph, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
}

START_TEST(small_digraphs)
{
    ga_context *context = plain_context(1);
    for (int n = 1; n <= 4; n++) {
        for (uint64_t bits = 0; bits < UINT64_C(1) << n * (n - 1); bits++) {
            try_bits(context, n, bits);
        }
    }
    for (uint64_t bits = 0; bits < 1 << 20; bits += 37) {
        ga_context_set_seed(context, bits);
        try_bits(context, 5, bits);
    }
    done_with(context);
}
END_TEST

/* Dense graphs: nearly every place is taken, so loops are hard to place elsewhere. */
START_TEST(dense_digraphs)
{
    ga_context *context = plain_context(1);
    for (int round = 0; round < 2000; round++) {
        int64_t nodes = 2 + (int64_t)lucky(39), missing = (int64_t)lucky(8), edges = 0;
        uint32_t s[1600], t[1600];
        bool thin = round % 2 == 1;
        uint64_t density = 1 + lucky(100);
        for (uint32_t u = 0; u < nodes; u++) {
            for (uint32_t v = 0; v < nodes; v++) {
                bool out = thin ? lucky(100) >= density : missing > 0 && lucky((uint64_t)(nodes * nodes)) < 8;
                missing -= out;
                if (u != v && !out) {
                    s[edges] = u;
                    t[edges++] = v;
                }
            }
        }
        ga_context_set_seed(context, (uint64_t)round);
        ga_graph *graph = graph_of(context, nodes, edges, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        there_and_back(context, graph, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* A few nodes are whole classes, so that a repair must give a loop's target to another node. */
START_TEST(hubs_alone_in_their_class)
{
    ga_context *context = plain_context(1);
    for (int round = 0; round < 3000; round++) {
        int64_t nodes = 4 + (int64_t)lucky(12), edges = 0;
        uint32_t s[400], t[400];
        for (uint32_t u = 0; u < nodes; u++) {
            for (uint32_t v = 0; v < nodes; v++) {
                if (u != v && lucky((uint64_t)(2 * nodes)) >= u + lucky((uint64_t)v + 1)) {
                    s[edges] = u;
                    t[edges++] = v;
                }
            }
        }
        ga_context_set_seed(context, (uint64_t)round);
        ga_graph *graph = graph_of(context, nodes, edges, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        there_and_back(context, graph, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

START_TEST(loops_and_repetitions)
{
    ga_context *context = plain_context(1);
    for (int round = 0; round < 1000; round++) {
        int64_t nodes = 1 + (int64_t)lucky(30), edges = (int64_t)lucky(300);
        ga_context_set_seed(context, (uint64_t)round);
        for (int policy = 1; policy < 4; policy++) {
            ga_loops loops = policy & 1 ? GA_LOOPS_KEEP : GA_LOOPS_DROP;
            ga_multi multi = policy & 2 ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
            ga_graph *graph = skewed_graph(context, nodes, edges, loops, multi);
            there_and_back(context, graph, NULL, loops, multi);
            ga_graph_destroy(context, graph);
        }
    }
    done_with(context);
}
END_TEST

/* With repeated edges loops go where they can, and are told of where they cannot. */
START_TEST(loops_with_repetitions)
{
    static const struct {
        const char *jdm, *dcm;
        bool stay;
    } cases[] = {
        { "2 2 8\n", "2 2 4\n", false },
        { "3 3 6\n", "3 3 2\n", false },
        { "2 2 2\n", "2 2 1\n", true },
        { "2 4 4\n", "4 2 1\n0 2 1\n", true },
        { "1 9 1\n9 1 1\n9 9 8\n", "9 9 1\n1 1 1\n", true },
    };
    ga_context *context = plain_context(1);
    make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (uint64_t seed = 1; seed < 20; seed++) {
            ga_matrices *m = NULL, *again = NULL;
            ga_graph *graph = NULL;
            ga_realize_options options = { GA_LOOPS_DROP, GA_MULTI_KEEP };
            ga_context_set_seed(context, seed);
            told[0] = '\0';
            ck_assert_int_eq(
                ga_matrices_read(context, text_file("jdm", cases[i].jdm), text_file("dcm", cases[i].dcm), &m),
                GA_OK);
            ck_assert_int_eq(ga_realize(context, m, &options, &graph, NULL), GA_OK);
            ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &again), GA_OK);
            same_matrices(m, again);
            ck_assert_msg(has_loop(graph) == cases[i].stay, "case %zu", i);
            ck_assert_int_eq(strncmp(told, "warning: loops stay", 19) == 0, cases[i].stay);
            ga_graph_destroy(context, graph);
            ga_matrices_destroy(context, m);
            ga_matrices_destroy(context, again);
        }
    }
    remove_folder();
    done_with(context);
}
END_TEST

START_TEST(labels)
{
    ga_context *context = plain_context(1);
    for (int round = 0; round < 500; round++) {
        int64_t nodes = 1 + (int64_t)lucky(60), values[60];
        for (int64_t v = 0; v < nodes; v++) {
            values[v] = (int64_t)lucky(1 + (uint64_t)round % 5) - 1;
        }
        ga_context_set_seed(context, (uint64_t)round);
        ga_graph *graph = skewed_graph(context, nodes, (int64_t)lucky(900), GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        there_and_back(context, graph, values, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- threads, order, seeds ---- */

static ga_graph *large(ga_context *context, ga_matrices **m)
{
    luck = 42;
    ga_graph *graph = skewed_graph(context, 30000, 500000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, m), GA_OK);
    return graph;
}

START_TEST(same_for_any_threads)
{
    const int threads[] = { 1, 2, 3, 7 };
    ga_context *first = plain_context(1);
    ga_matrices *m = NULL, *again = NULL;
    ga_realize_options options = GA_REALIZE_OPTIONS_INIT;
    ga_graph *graph = large(first, &m), *one = NULL;
    for (int i = 0; i < 4; i++) {
        ga_context *context = plain_context(threads[i]);
        ga_graph *made = NULL;
        ck_assert_int_eq(ga_realize(context, m, &options, i ? &made : &one, NULL), GA_OK);
        if (i) {
            same_graph(one, made);
            ga_graph_destroy(context, made);
            done_with(context);
        } else {
            ck_assert(is_simple(one));
            ck_assert_int_eq(ga_matrices_count(context, one, NULL, &again), GA_OK);
            same_matrices(m, again);
            ga_matrices_destroy(context, again);
            ga_context_set_seed(context, 2);
            ck_assert_int_eq(ga_realize(context, m, &options, &made, NULL), GA_OK);
            ck_assert_int_ne(memcmp(one->out_targets, made->out_targets, (size_t)one->edges * 4), 0);
            ga_graph_destroy(context, made);
            ga_context_set_seed(context, 1);
            ck_assert_int_eq(ga_realize(context, m, &options, &made, NULL), GA_OK);
            same_graph(one, made);
            ga_graph_destroy(context, made);
            ga_graph *kept = one; /* outlives the context that made it: memory is the system's */
            one = NULL;
            ck_assert_int_eq(ga_realize(first, m, &options, &one, NULL), GA_OK);
            same_graph(one, kept);
            ga_graph_destroy(context, kept);
            done_with(context);
        }
    }
    ga_graph_destroy(first, one);
    ga_graph_destroy(first, graph);
    ga_matrices_destroy(first, m);
    done_with(first);
}
END_TEST

START_TEST(nodes_in_order_of_cells)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = skewed_graph(context, 50, 300, GA_LOOPS_DROP, GA_MULTI_COLLAPSE), *made = NULL;
    ga_matrices *m = NULL;
    ga_realize_options options = GA_REALIZE_OPTIONS_INIT;
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ck_assert_int_eq(ga_realize(context, m, &options, &made, NULL), GA_OK);
    int64_t *in = in_degrees(made), v = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        for (int64_t i = 0; i < m->dcm.entry[c]; i++, v++) {
            ck_assert_int_eq(in[v], m->in.degree[m->dcm.row[c]]);
            ck_assert_int_eq(out_degree(made, v), m->out.degree[m->dcm.column[c]]);
        }
    }
    ck_assert_int_eq(v, made->nodes);
    free(in);
    ga_graph_destroy(context, made);
    ga_graph_destroy(context, graph);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

/* ---- refusals and other ends ---- */

START_TEST(refused)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = NULL;
    ga_graph *graph = NULL;
    int64_t *taken = (int64_t *)&m;
    ga_realize_options options = GA_REALIZE_OPTIONS_INIT;
    make_folder();
    ck_assert_int_eq(ga_matrices_read(context, text_file("jdm", "1 1 1\n"), text_file("dcm", "1 1 1\n"), &m),
                     GA_OK);
    ck_assert_int_eq(ga_realize(context, m, &options, &graph, &taken), GA_INFEASIBLE);
    ck_assert_ptr_null(graph);
    ck_assert_ptr_eq(taken, &m);
    ck_assert_str_eq(ga_context_error(context), "C2 cell 1 1: 1 edge, room for 0");
    ga_matrices_destroy(context, m);
    ck_assert_int_eq(ga_matrices_read(context, NULL, text_file("dcm", "0 0 5000000000\n"), &m), GA_OK);
    ck_assert_int_eq(ga_realize(context, m, &options, &graph, NULL), GA_UNSUPPORTED);
    ga_matrices_destroy(context, m);
    ck_assert_int_eq(ga_matrices_read(context, NULL, text_file("dcm", "0 0 3\n"), &m), GA_OK);
    ck_assert_int_eq(ga_realize(context, m, &options, &graph, NULL), GA_OK);
    ck_assert_int_eq(graph->nodes, 3);
    ck_assert_int_eq(graph->edges, 0);
    ga_graph_destroy(context, graph);
    ga_matrices_destroy(context, m);
    remove_folder();
    done_with(context);
}
END_TEST

typedef struct starved {
    const ga_matrices *m;
    ga_realize_options options;
} starved;

static ga_status starved_realize(ga_context *context, void *user)
{
    const starved *s = user;
    ga_graph *graph = NULL;
    int64_t *taken = NULL;
    ga_status status = ga_realize(context, s->m, &s->options, &graph, &taken);
    ck_assert_int_eq(status != GA_OK, graph == NULL);
    ck_assert(status == GA_OK || !taken);
    ga_graph_destroy(context, graph);
    ga_free(context, taken);
    return status;
}

START_TEST(out_of_memory)
{
    ga_context *context = plain_context(1);
    int64_t values[40];
    for (int64_t v = 0; v < 40; v++) {
        values[v] = v % 2;
    }
    for (int multi = 0; multi < 2; multi++) {
        starved s = { NULL, { GA_LOOPS_DROP, multi ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE } };
        ga_matrices *m = NULL;
        ga_graph *graph = skewed_graph(context, 40, 2500, GA_LOOPS_DROP, s.options.multi);
        ck_assert_int_eq(ga_matrices_count(context, graph, values, &m), GA_OK);
        s.m = m;
        starve(starved_realize, &s);
        ga_matrices_destroy(context, m);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

static int stop_at_once(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_context *context = plain_context(2);
    ga_matrices *m = NULL;
    ga_graph *graph = skewed_graph(context, 30, 200, GA_LOOPS_DROP, GA_MULTI_COLLAPSE), *made = NULL;
    ga_realize_options options = GA_REALIZE_OPTIONS_INIT;
    ck_assert_int_eq(ga_matrices_count(context, graph, NULL, &m), GA_OK);
    ga_context_set_cancel(context, stop_at_once, NULL);
    ck_assert_int_eq(ga_realize(context, m, &options, &made, NULL), GA_CANCELLED);
    ck_assert_ptr_null(made);
    ga_graph_destroy(context, graph);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("realize");
    TCase *exact = tcase_create("exact"), *rest = tcase_create("rest");
    tcase_set_timeout(exact, 120);
    tcase_add_test(exact, small_digraphs);
    tcase_add_test(exact, dense_digraphs);
    tcase_add_test(exact, hubs_alone_in_their_class);
    tcase_add_test(exact, loops_and_repetitions);
    tcase_add_test(exact, loops_with_repetitions);
    tcase_add_test(exact, labels);
    tcase_add_test(rest, same_for_any_threads);
    tcase_add_test(rest, nodes_in_order_of_cells);
    tcase_add_test(rest, refused);
    tcase_add_test(rest, out_of_memory);
    tcase_add_test(rest, cancelled);
    suite_add_tcase(suite, exact);
    suite_add_tcase(suite, rest);
    return run_suite(suite);
}
