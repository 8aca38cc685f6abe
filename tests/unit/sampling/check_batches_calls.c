/* check_batches_calls.c - mini-batches: what is refused, failing memory, empty graphs, threads, going back, batches as graphs. */
#include "config.h"

#include "tests/unit/sampling/check_batches.h"

#define HUGE "9000000000000000000"

static const ga_batch_method *method_number(int i)
{
    int count;
    const ga_batch_method *methods = ga_batch_methods(&count);
    ck_assert_int_eq(count, METHODS);
    return &methods[i];
}

static void all_nodes(int64_t *seeds)
{
    for (int64_t v = 0; v < NODES; v++) {
        seeds[v] = (v * 37) % NODES;
    }
}

static kept keep_all(ga_context *context, ga_batches *all)
{
    kept k = { 0 };
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        keep_batch(&k, b);
    }
    return k;
}

/* ---- refused ---- */

START_TEST(refusals)
{
    static const struct {
        const char *method, *parameters, *words;
        int64_t batch;
    } cases[] = {
        { "neighbours", "", "no method \"neighbours\"", 0 },
        { "", "", "no method \"\"", 0 },
        { "fanout", "fanouts=2", "fanout has no parameter 'fanouts'", 0 },
        { "fanout", "fanout=0", "fanout: fanout=0: expected -1 for all neighbours, or 1 and more", 0 },
        { "labor", "fanout=3,0,2", "expected -1 for all neighbours", 0 },
        { "shadow", "fanout=-2", "shadow: fanout=-2: expected", 0 },
        { "fanout", "fanout=1,1,1,1,1,1,1,1,1", "fanout=1,1,1,1,1,1,1,1,1: expected", 0 },
        { "fanout", "fanout=", "fanout: fanout=: expected", 0 },
        { "fanout", "direction=up", "direction=up: expected out|in|both", 0 },
        { "labor", "replace=1", "labor has no parameter 'replace'", 0 },
        { "ladies", "layer_size=0", "ladies: layer_size=0: expected", 0 },
        { "ladies", "norm=column", "norm=column: expected row|sym", 0 },
        { "saint_node", "budget=0", "saint_node: budget=0: expected", 0 },
        { "saint_node", "budget=99999999999999999999", "budget=99999999999999999999: expected", 0 },
        { "saint_walk", "length=-1", "saint_walk: length=-1: expected", 0 },
        { "saint_mrw", "coverage=0", "saint_mrw: coverage=0: expected", 0 },
        { "cluster", "parts=0", "cluster: parts=0: expected", 0 },
        { "ppr", "alpha=0", "ppr: alpha=0: expected a number, (0, 1]", 0 },
        { "ppr", "epsilon=nan", "ppr: epsilon=nan: expected", 0 },
        { "ppr", "weights=edge", "ppr has no parameter 'weights'", 0 },
        { "fanout", "", "batches of -1 seeds, expected 1 or more, or 0 for all", -1 },
    };
    int64_t seed = 3;
    ga_context *context = test_threads_context(1);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        words c;
        ga_batches *all = NULL;
        words_of(&c, cases[i].parameters, cases[i].batch);
        test_status(context, ga_batches_check(context, cases[i].method, &c.options), GA_INVALID);
        test_error_has(context, cases[i].words);
        test_status(context, ga_batches_create(context, graph, cases[i].method, &c.options, &seed, 1, &all),
                    GA_INVALID);
        test_error_has(context, cases[i].words);
        ck_assert_ptr_null(all);
    }
    test_status(context, ga_batches_check(context, NULL, &(ga_batch_options)GA_BATCH_OPTIONS_INIT),
                GA_INVALID);
    ck_assert_ptr_null(ga_batch_method_find(NULL));
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(bad_seeds_and_parts)
{
    static const int64_t bad[] = { -1, NODES, INT64_MAX, INT64_MIN, INT64_C(1) << 32 };
    int64_t parts[NODES] = { 0 }, seeds[] = { 1, 0, 2 };
    words c;
    ga_batches *all = NULL;
    ga_context *context = test_threads_context(1);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    words_of(&c, "", 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        seeds[1] = bad[i];
        test_status(context, ga_batches_create(context, graph, "fanout", &c.options, seeds, 3, &all),
                    GA_INVALID);
        test_error_has(context, "seed 1: node ");
    }
    test_status(context, ga_batches_create(context, graph, "fanout", &c.options, seeds, -1, &all),
                GA_INVALID);
    c.options.parts = parts;
    test_status(context, ga_batches_create(context, graph, "shadow", &c.options, seeds, 1, &all), GA_INVALID);
    test_error_has(context, "shadow takes no parts, cluster does");
    parts[7] = -1;
    test_status(context, ga_batches_create(context, graph, "cluster", &c.options, NULL, 0, &all), GA_INVALID);
    test_error_has(context, "cluster: node 7 has part -1, expected 0 or more");
    ck_assert_ptr_null(all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- sizes far above what there is mean all there is, or are refused as too much ---- */

START_TEST(large_parameters)
{
    static const char *const cases[][3] = {
        { "fanout", "fanout=" HUGE, "fanout=-1" },
        { "fanout", "fanout=-1," HUGE, "fanout=-1,-1" },
        { "labor", "fanout=" HUGE, "fanout=-1" },
        { "vrgcn", "fanout=" HUGE, "fanout=-1" },
        { "ladies", "layer_size=" HUGE, "layer_size=70" },
        { "saint_mrw", "walkers=3 coverage=2 budget=" HUGE, "walkers=3 coverage=2 budget=70" },
        { "cluster", "parts=" HUGE, "parts=70" },
        { "cluster", "parts=70 parts_per_batch=" HUGE, "parts=7 parts_per_batch=7" },
        { "shadow", "depth=1 fanout=" HUGE, "depth=1 fanout=-1" },
        { "ppr", "top_k=" HUGE, "top_k=70" },
    };
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ga_batches *a = opened(context, graph, cases[i][0], cases[i][1], INT64_MAX, seeds, NODES);
        ga_batches *b = opened(context, graph, cases[i][0], cases[i][2], 0, seeds, NODES);
        kept x = keep_all(context, a), y = keep_all(context, b);
        same_kept(&x, &y, cases[i][1]);
        ck_assert_int_gt(x.count, NODES);
        free(x.numbers);
        free(y.numbers);
        ga_batches_destroy(context, a);
        ga_batches_destroy(context, b);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(too_much)
{
    int64_t seed = 1;
    const ga_batch *batch;
    words c;
    ga_batches *all = NULL;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    words_of(&c, "walkers=" HUGE, 0); /* the number of leaves of a tree overflowed */
    test_status(context, ga_batches_create(context, graph, "saint_mrw", &c.options, &seed, 1, &all),
                GA_OVERFLOW);
    ck_assert_ptr_null(all);
    all = opened(context, graph, "fanout", "replace=1 fanout=" HUGE, 0, &seed, 1);
    test_status(context, ga_batches_next(context, all, &batch), GA_OVERFLOW);
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- being asked to stop ---- */

static int stop_after(void *user)
{
    int *left = user;
    return __atomic_sub_fetch(left, 1, __ATOMIC_RELAXED) < 0;
}

START_TEST(what_never_ends_can_be_stopped)
{
    static const char *const cases[][2] = {
        { "fastgcn", "layer_size=" HUGE },
        { "saint_node", "budget=" HUGE },
        { "saint_edge", "budget=" HUGE },
        { "saint_walk", "roots=" HUGE },
        { "saint_walk", "length=" HUGE " direction=both" },
        { "saint_walk", "roots=1 length=1 coverage=" HUGE },
        { "shadow", "fanout=1 depth=" HUGE },
    };
    int64_t seed = 1;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int left = 40;
        words c;
        const ga_batch *batch;
        ga_batches *all = NULL;
        words_of(&c, cases[i][1], 0);
        ga_context_set_cancel(context, stop_after, &left);
        ga_status status = ga_batches_create(context, graph, cases[i][0], &c.options, &seed, 1, &all);
        if (status == GA_OK) {
            status = ga_batches_next(context, all, &batch);
        }
        ck_assert_msg(status == GA_CANCELLED, "%s %s: %s", cases[i][0], cases[i][1], ga_status_name(status));
        ga_batches_destroy(context, all);
    }
    ga_context_set_cancel(context, NULL, NULL);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static int always(void *user)
{
    (void)user;
    return 1;
}

START_TEST(goes_on_after_a_failure)
{
    int64_t seeds[NODES];
    const ga_batch *batch = NULL;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    for (int i = 0; i < METHODS; i++) {
        const char *name = method_number(i)->name;
        kept whole, after = { 0 };
        ga_batches *all = opened(context, graph, name, small_parameters(name), 9, seeds, NODES);
        whole = keep_all(context, all);
        test_ok(context, ga_batches_seek(context, all, 0));
        keep_batch(&after, next_of(context, all));
        ga_context_set_cancel(context, always, NULL);
        do {
            ga_status status = ga_batches_next(context, all, &batch);
            if (status != GA_OK) {
                ck_assert_int_eq(status, GA_CANCELLED);
                break;
            }
            keep_batch(&after, batch); /* it was made before */
        } while (batch);
        ga_context_set_cancel(context, NULL, NULL);
        for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
            keep_batch(&after, b);
        }
        same_kept(&whole, &after, name);
        free(whole.numbers);
        free(after.numbers);
        ga_batches_destroy(context, all);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- memory ---- */

typedef struct memory {
    const ga_graph *graph;
    const ga_batch_method *method;
} memory;

static ga_status everything(ga_context *context, void *user)
{
    const memory *m = user;
    static const int64_t seeds[] = { 3, 1, 4, 15, 9, 2, 6 };
    ga_status status = GA_OK;
    ga_batches *all = NULL;
    ga_graph *made = NULL;
    double *law = NULL;
    int64_t count;
    const ga_batch *batch;
    words c;
    words_of(&c, small_parameters(m->method->name), 4);
    GA_TRY(ga_batches_create(context, m->graph, m->method->name, &c.options, seeds, 7, &all));
    if (m->method->maker->law) {
        GA_TRY(ga_batches_probabilities(context, all, &law, &count));
    }
    GA_TRY(ga_batches_next(context, all, &batch));
    GA_TRY(ga_batch_graph(context, m->graph, batch, &made));
    GA_TRY(ga_batches_next(context, all, &batch));
done:
    ck_assert(status == GA_OK || !made || made->nodes > 0);
    ga_free(context, law);
    ga_graph_destroy(context, made);
    ga_batches_destroy(context, all);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    ga_context *context = test_threads_context(1);
    memory m = { mixed_graph(context, GA_LOOPS_KEEP, GA_MULTI_KEEP), method_number(_i) };
    ck_assert_int_gt(test_each_allocation(everything, &m, 2), 8);
    ga_graph_destroy(context, (ga_graph *)(uintptr_t)m.graph);
    done_with(context);
}
END_TEST

/* ---- nothing there ---- */

START_TEST(empty_graphs)
{
    static const int64_t seeds[] = { 0, 2, 1, 2 };
    ga_context *context = test_threads_context(2);
    ga_graph *none = graph_of(context, 0, 0, NULL, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_graph *bare = graph_of(context, 3, 0, NULL, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (int i = 0; i < METHODS; i++) {
        const ga_batch_method *m = method_number(i);
        const char *parameters = strcmp(m->name, "cluster") == 0 ? "parts=2" : "";
        double *law = NULL;
        int64_t count = -1;
        ga_batches *all = opened(context, none, m->name, parameters, 2, NULL, 0);
        ck_assert_int_eq(ga_batches_count(all), 0);
        ck_assert_ptr_null(next_of(context, all));
        if (m->maker->law) {
            test_ok(context, ga_batches_probabilities(context, all, &law, &count));
            ck_assert_int_eq(count, 0);
            ga_free(context, law);
        }
        ga_batches_destroy(context, all);
        all = opened(context, bare, m->name, parameters, 2, seeds, 4);
        ck_assert_int_eq(ga_batches_count(all), 2);
        for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
            bool saint = strncmp(m->name, "saint", 5) == 0, walk = strcmp(m->name, "saint_walk") == 0;
            for (int64_t l = 0; l < b->layer_count; l++) { /* of ppr a seed itself has its score */
                ck_assert_int_eq(b->layers[l].edges, strcmp(m->name, "ppr") ? 0 : b->node_count);
            }
            ck_assert(walk ? b->node_count == 3 : saint ? b->node_count == 0 : b->node_count >= 1);
            ga_graph *made = NULL;
            test_ok(context, ga_batch_graph(context, bare, b, &made));
            ck_assert_int_eq(made->nodes, b->node_count);
            ga_graph_destroy(context, made);
        }
        ga_batches_destroy(context, all);
    }
    ga_graph_destroy(context, none);
    ga_graph_destroy(context, bare);
    done_with(context);
}
END_TEST

/* ---- the same batches by any number of threads, in any order, whatever the other batches are ---- */

START_TEST(any_threads)
{
    int64_t seeds[NODES];
    kept first = { 0 };
    const char *name = method_number(_i)->name;
    all_nodes(seeds);
    for (int threads = 1; threads <= 7; threads += 3) {
        ga_context *context = test_threads_context(threads);
        ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_batches *all = opened(context, graph, name, small_parameters(name), 6, seeds, NODES);
        kept k = keep_all(context, all);
        if (threads == 1) {
            first = k;
        } else {
            same_kept(&first, &k, name);
            free(k.numbers);
        }
        ga_batches_destroy(context, all);
        ga_graph_destroy(context, graph);
        done_with(context);
    }
    free(first.numbers);
}
END_TEST

START_TEST(seeking)
{
    int64_t seeds[NODES];
    const char *name = method_number(_i)->name;
    ga_context *context = test_threads_context(3);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    ga_batches *all = opened(context, graph, name, small_parameters(name), 10, seeds, NODES);
    int64_t count = ga_batches_count(all);
    kept each[16] = { { 0 } };
    ck_assert(count > 4 && count <= 16);
    for (int64_t i = 0; i < count; i++) {
        keep_batch(&each[i], next_of(context, all));
    }
    for (int64_t i = 0; i < 3 * count; i++) {
        int64_t number = i * 5 % count; /* forwards and backwards */
        kept again = { 0 };
        test_ok(context, ga_batches_seek(context, all, number));
        const ga_batch *b = next_of(context, all);
        ck_assert_int_eq(b->number, number);
        keep_batch(&again, b);
        same_kept(&each[number], &again, name);
        free(again.numbers);
    }
    test_ok(context, ga_batches_seek(context, all, count));
    ck_assert_ptr_null(next_of(context, all));
    test_status(context, ga_batches_seek(context, all, count + 1), GA_INVALID);
    test_status(context, ga_batches_seek(context, all, -1), GA_INVALID);
    test_error_has(context, "batch -1, there are ");
    for (int64_t i = 0; i < count; i++) {
        free(each[i].numbers);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* A batch does not depend on the seeds of others. */
START_TEST(other_batches)
{
    int64_t seeds[NODES], others[NODES];
    const char *name = method_number(_i)->name;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    for (int64_t i = 0; i < NODES; i++) {
        others[i] = i / 10 == 3 ? seeds[i] : i % 4;
    }
    ga_batches *a = opened(context, graph, name, small_parameters(name), 10, seeds, NODES);
    ga_batches *b = opened(context, graph, name, small_parameters(name), 10, others, NODES);
    kept x = { 0 }, y = { 0 };
    test_ok(context, ga_batches_seek(context, a, 3));
    test_ok(context, ga_batches_seek(context, b, 3));
    keep_batch(&x, next_of(context, a));
    keep_batch(&y, next_of(context, b));
    same_kept(&x, &y, name);
    free(x.numbers);
    free(y.numbers);
    ga_batches_destroy(context, a);
    ga_batches_destroy(context, b);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(seeds_that_stand_twice)
{
    static const int64_t seeds[] = { 5, 2, 5, 5, 2, 8 };
    ga_context *context = test_threads_context(1);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_batches *all = opened(context, graph, "fanout", "fanout=1", 5, seeds, 6);
    const ga_batch *b = next_of(context, all);
    ck_assert_int_eq(b->nodes[0], 5);
    ck_assert_int_eq(b->nodes[1], 2);
    for (int64_t e = 0; e < b->layers[0].edges; e++) {
        ck_assert_int_lt(b->layers[0].targets[e], 2);
    }
    ck_assert_int_eq(ga_batches_count(all), 2);
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- probabilities ---- */

START_TEST(who_has_probabilities)
{
    static const int64_t seeds[] = { 5, 2 };
    const ga_batch_method *m = method_number(_i);
    double *law = NULL, sum = 0;
    int64_t count = 0;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_batches *all = opened(context, graph, m->name, small_parameters(m->name), 0, seeds, 2);
    if (!m->maker->law) {
        test_status(context, ga_batches_probabilities(context, all, &law, &count), GA_UNSUPPORTED);
        test_error_has(context, "ladies, fastgcn, saint_node and saint_edge have them");
        ck_assert_ptr_null(law);
    } else { /* and they change nothing */
        kept before = { 0 }, after = { 0 };
        keep_batch(&before, next_of(context, all));
        test_ok(context, ga_batches_probabilities(context, all, &law, &count));
        ck_assert_int_eq(count, strcmp(m->name, "saint_edge") == 0 ? graph->edges : NODES);
        for (int64_t i = 0; i < count; i++) {
            ck_assert(law[i] >= 0 && law[i] <= 1);
            sum += law[i];
        }
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        test_ok(context, ga_batches_seek(context, all, 0));
        keep_batch(&after, next_of(context, all));
        same_kept(&before, &after, m->name);
        free(before.numbers);
        free(after.numbers);
        ga_free(context, law);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- a batch as a graph ---- */

/* Every row of a layer that counts is an edge with its weight; as many as there are edges. */
START_TEST(as_a_graph)
{
    int64_t seeds[NODES];
    const char *name = method_number(_i)->name;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    ga_batches *all = opened(context, graph, name, small_parameters(name), 20, seeds, NODES);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        ga_graph *made = NULL;
        int64_t rows = 0;
        test_ok(context, ga_batch_graph(context, graph, b, &made));
        ck_assert_int_eq(made->nodes, b->node_count);
        bool *used = calloc((size_t)made->edges + 1, sizeof *used);
        for (int64_t l = 0; l < b->layer_count; l++) {
            const ga_batch_layer *layer = &b->layers[l];
            bool history = strcmp(name, "vrgcn") == 0 && layer->number == 0;
            for (int64_t r = 0; r < layer->edges && !history; r++, rows++) {
                int64_t u = -1, v = -1, e;
                for (int64_t i = 0; i < made->nodes; i++) {
                    ck_assert(i == 0 || made->ids[i] > made->ids[i - 1]);
                    u = made->ids[i] == graph->ids[b->nodes[layer->sources[r]]] ? i : u;
                    v = made->ids[i] == graph->ids[b->nodes[layer->targets[r]]] ? i : v;
                }
                ck_assert(u >= 0 && v >= 0);
                for (e = made->out_offsets[u]; e < made->out_offsets[u + 1];
                     e++) { /* equal ones in the order of rows */
                    if (made->out_targets[e] == v && !used[e]) {
                        break;
                    }
                }
                ck_assert_int_lt(e, made->out_offsets[u + 1]);
                ck_assert(made->weights[e] == (float)layer->weights[r]);
                used[e] = true;
            }
        }
        ck_assert_int_eq(rows, made->edges);
        free(used);
        ga_graph_destroy(context, made);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batches: calls");
    TCase *test = tcase_create("calls");
    tcase_set_timeout(test, 600);
    tcase_add_test(test, refusals);
    tcase_add_test(test, bad_seeds_and_parts);
    tcase_add_test(test, large_parameters);
    tcase_add_test(test, too_much);
    tcase_add_test(test, what_never_ends_can_be_stopped);
    tcase_add_test(test, goes_on_after_a_failure);
    tcase_add_loop_test(test, memory_may_end_anywhere, 0, METHODS);
    tcase_add_test(test, empty_graphs);
    tcase_add_loop_test(test, any_threads, 0, METHODS);
    tcase_add_loop_test(test, seeking, 0, METHODS);
    tcase_add_loop_test(test, other_batches, 0, METHODS);
    tcase_add_test(test, seeds_that_stand_twice);
    tcase_add_loop_test(test, who_has_probabilities, 0, METHODS);
    tcase_add_loop_test(test, as_a_graph, 0, METHODS);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
