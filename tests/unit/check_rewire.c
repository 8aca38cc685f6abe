/* check_rewire.c - rewiring: what must stay stays, decisions are those of one swap after the other. */
#include "config.h"

#include <math.h>

#include "tests/unit/check_rewire.h"

/* ---- what must stay ---- */

/* Sorted (out-degree, label, in-degree, label) of all edges. */
typedef struct cell {
    int64_t out, source_label, in, target_label;
} cell;

static int compare_cells(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(cell));
}

static cell *cells_of(ga_context *context, const ga_graph *graph, const int64_t *labels)
{
    int64_t n = ga_graph_nodes(graph), m = ga_graph_edges(graph), at = 0;
    uint32_t *out = calloc((size_t)n + 1, 4), *in = calloc((size_t)n + 1, 4);
    cell *cells = calloc((size_t)m + 1, sizeof *cells);
    ga_csr rows = ga_graph_out(graph);
    test_ok(context, ga_graph_degrees(context, graph, out, in));
    for (int64_t v = 0; v < n; v++) {
        for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
            uint32_t w = rows.targets[e];
            cells[at++] = (cell){ out[v], labels ? labels[v] : 0, in[w], labels ? labels[w] : 0 };
        }
    }
    qsort(cells, (size_t)m, sizeof *cells, compare_cells);
    free(out);
    free(in);
    return cells;
}

static void check_kept(ga_context *context, const ga_graph *a, const ga_graph *b, ga_preserve preserve,
                       const int64_t *labels)
{
    int64_t n = ga_graph_nodes(a), m = ga_graph_edges(a);
    uint32_t *degree = calloc(4 * (size_t)n + 4, 4);
    ga_csr rows = ga_graph_out(b);
    ck_assert_int_eq(ga_graph_nodes(b), n);
    ck_assert_int_eq(ga_graph_edges(b), m);
    test_ok(context, ga_graph_degrees(context, a, degree, degree + n));
    test_ok(context, ga_graph_degrees(context, b, degree + 2 * n, degree + 3 * n));
    ck_assert_int_eq(memcmp(degree, degree + 2 * n, 8 * (size_t)n), 0);
    for (int64_t v = 0; v < n; v++) {
        for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
            ck_assert_int_ne(rows.targets[e], v);
            ck_assert(e == rows.offsets[v] || rows.targets[e - 1] < rows.targets[e]);
        }
    }
    if (preserve == GA_PRESERVE_JDM) {
        cell *before = cells_of(context, a, labels), *after = cells_of(context, b, labels);
        ck_assert_int_eq(memcmp(before, after, (size_t)m * sizeof *before), 0);
        free(before);
        free(after);
    }
    free(degree);
}

static bool same_edges(const ga_graph *a, const ga_graph *b)
{
    return memcmp(ga_graph_out(a).targets, ga_graph_out(b).targets, (size_t)ga_graph_edges(a) * 4) == 0;
}

static ga_rewire_report rewire_and_check(ga_context *context, const ga_graph *graph,
                                         const ga_rewire_options *options, ga_graph **kept)
{
    ga_graph *made = NULL;
    ga_rewire_report report;
    test_ok(context, ga_rewire(context, graph, options, &made, &report));
    check_kept(context, graph, made, options->preserve,
               options->preserve == GA_PRESERVE_JDM ? options->labels : NULL);
    ck_assert_int_le(report.accepted, report.attempts);
    if (kept) {
        *kept = made;
    } else {
        ga_graph_destroy(context, made);
    }
    return report;
}

START_TEST(keeps_degrees_and_matrices)
{
    ga_context *context = test_threads_context(2);
    ga_graph *graph = random_graph(context, 1, 3000, 40000, 2);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    for (int kind = 0; kind < 3; kind++) {
        o.preserve = kind == 1 ? GA_PRESERVE_DEGREES : GA_PRESERVE_JDM;
        o.triples = kind == 2 ? 0.5 : 0.05;
        o.swaps_per_edge = kind == 0 ? 30 : 8;
        ga_rewire_report report = rewire_and_check(context, graph, &o, NULL);
        int64_t wanted = (int64_t)floor(o.swaps_per_edge * (double)ga_graph_edges(graph) + 0.5);
        ck_assert_int_eq(report.attempts, wanted);
        ck_assert(report.acceptance > 0.2 && report.changed_edges > 0.5);
        ck_assert(isnan(report.reciprocity) && isnan(report.transitivity_before));
    }
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(keeps_label_matrices)
{
    ga_context *context = test_threads_context(3);
    ga_graph *graph = random_graph(context, 2, 2000, 30000, 2);
    int64_t labels[2000];
    for (int i = 0; i < 2000; i++) {
        labels[i] = i * 7 % 5 - 1;
    }
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.labels = labels;
    ga_rewire_report report = rewire_and_check(context, graph, &o, NULL);
    ck_assert(report.changed_edges > 0.3);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(keeps_ids)
{
    ga_context *context = test_threads_context(1);
    const uint32_t source[] = { 0, 1, 2 }, target[] = { 1, 2, 0 };
    const uint64_t ids[] = { 5, 70, 900 };
    ga_graph *graph = NULL, *made = NULL;
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    test_ok(context, ga_graph_from_edges(context, 3, 3, source, target, ids, GA_LOOPS_DROP, GA_MULTI_COLLAPSE,
                                         &graph));
    rewire_and_check(context, graph, &o, &made);
    ck_assert_int_eq(memcmp(ga_graph_ids(made), ids, sizeof ids), 0);
    ga_graph_destroy(context, graph);
    ga_graph_destroy(context, made);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(real_graphs)
{
    static const struct {
        const char *path;
        double acceptance, slack;
    } graphs[] = { { "data/graphs/wiki-Vote.txt.gz", 0.63, 0.03 },
                   { "data/graphs/p2p-Gnutella31.txt.gz", 0.99, 0.01 } };
    for (int g = 0; g < 2; g++) {
        const char *path = test_shared(graphs[g].path);
        if (!path) {
            printf("check_rewire: %s is missing, not tested\n", graphs[g].path);
            continue;
        }
        ga_context *context = test_threads_context(2);
        ga_graph *graph = NULL, *made[2] = { NULL, NULL };
        ga_read_options read = GA_READ_OPTIONS_INIT;
        ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
        test_ok(context, ga_graph_read(context, path, &read, &graph, NULL));
        for (int i = 0; i < 2; i++) {
            test_set_threads(context, i + 1);
            ga_rewire_report report = rewire_and_check(context, graph, &o, &made[i]);
            ck_assert_double_eq_tol(report.acceptance, graphs[g].acceptance, graphs[g].slack);
        }
        ck_assert(same_edges(made[0], made[1]));
        ga_graph_destroy(context, graph);
        ga_graph_destroy(context, made[0]);
        ga_graph_destroy(context, made[1]);
        test_context_done(context, NULL);
    }
}
END_TEST

/* ---- one after the other ---- */

/* A graph of few nodes as a table of all pairs. */
static void fill_table(const ga__rewiring *r, unsigned char *table)
{
    memset(table, 0, (size_t)(r->nodes * r->nodes));
    for (int64_t e = 0; e < r->edges; e++) {
        unsigned char *place = &table[r->slot[e].source * r->nodes + r->slot[e].target];
        ck_assert_int_eq(*place, 0);
        *place = 1;
    }
}

/* Every group has all edges of its nodes, and one class. */
static void check_groups(const ga__rewiring *r, bool by_target, bool one_class)
{
    const ga__side *side = by_target ? &r->in : &r->out;
    int64_t *group_of = calloc((size_t)r->nodes, sizeof *group_of);
    ck_assert_int_eq(r->edge[0], 0);
    ck_assert_int_eq(r->edge[r->groups], r->edges);
    for (int64_t g = 0; g < r->groups; g++) {
        for (int64_t e = r->edge[g]; e < r->edge[g + 1]; e++) {
            uint32_t v = by_target ? r->slot[e].target : r->slot[e].source;
            ck_assert(group_of[v] == 0 || group_of[v] == g + 1);
            group_of[v] = g + 1;
            ck_assert(!one_class || ga__slot_class(r, side, by_target, e) ==
                                        ga__slot_class(r, side, by_target, r->edge[g]));
        }
    }
    free(group_of);
}

static bool plain_swap(const ga__rewiring *r, unsigned char *table, ga__pair *e, ga__pair *f)
{
    int64_t n = r->nodes, a = e->source, b = e->target, x = f->source, y = f->target;
    if (a == x || b == y || a == y || x == b || table[a * n + y] || table[x * n + b]) {
        return false;
    }
    table[a * n + b] = table[x * n + y] = 0;
    table[a * n + y] = table[x * n + b] = 1;
    e->target = (uint32_t)y;
    f->target = (uint32_t)b;
    return true;
}

/* The same swaps on the table. */
static int64_t plainly(ga__rewiring *r, ga__desk *desk, unsigned char *table, uint64_t number, int64_t start,
                       int64_t count)
{
    int64_t accepted = 0;
    ga__pair *slot = malloc((size_t)r->edges * sizeof *slot + 8);
    memcpy(slot, r->slot, (size_t)r->edges * sizeof *slot);
    for (int64_t g = 0; g < r->groups; g++) {
        int64_t from = r->edge[g], edges = r->edge[g + 1] - from;
        ga__desk_shuffle(desk, r->seed, ga__group_stream(number, g), slot + from, edges);
        for (int round = 0; round < 2; round++) { /* pairs from the start on, then those round the end */
            for (int64_t i = 0; i < ga__group_pairs(r, number, g, edges); i++) {
                int64_t pair = r->pair[g] + i + round * r->pair[r->groups];
                if (pair >= start && pair < start + count) {
                    accepted += plain_swap(r, table, &slot[from + 2 * i], &slot[from + 2 * i + 1]);
                }
            }
        }
    }
    free(slot);
    return accepted;
}

static void compare_supersteps(ga__rewiring *r)
{
    int64_t places = r->nodes * r->nodes, expected = 0;
    unsigned char *table = calloc((size_t)places + 1, 1), *after = calloc((size_t)places + 1, 1);
    int status = GA_OK;
    ga__desk desk = { .context = r->context, .status = &status };
    fill_table(r, table);
    for (uint64_t s = 0; s < 10; s++) {
        test_ok(r->context, ga__deal(r, s % 2, s));
        check_groups(r, s % 2, true);
        int64_t pairs = r->pair[r->groups], start = (int64_t)s * 31 % pairs,
                count = s < 6 ? pairs : pairs / 2;
        expected += plainly(r, &desk, table, s, start, count);
        test_ok(r->context, ga__superstep(r, s, start, count));
        ck_assert_int_eq(r->report.accepted, expected);
        fill_table(r, after);
        ck_assert_int_eq(memcmp(table, after, (size_t)places), 0);
        test_ok(r->context, ga__deal_mixed(r, s % 2, s));
        check_groups(r, s % 2, false);
    }
    free(table);
    free(after);
}

static void compare_on(ga_context *context, ga_graph *graph, ga_preserve preserve, int threads, int64_t cut)
{
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.preserve = preserve;
    ga__rewiring r = { .context = context, .options = &o, .graph = graph, .cut = cut };
    test_ok(context, ga__rewiring_setup(&r));
    ga_free(context, r.desk); /* several, although the graph is small */
    ga_free(context, r.counters);
    r.threads = threads;
    r.blocks = 2 * threads - 1;
    test_ok(context, GA_NEW_ZERO(context, threads, &r.desk));
    test_ok(context, GA_NEW(context, r.blocks * (r.edges + r.out.count + r.in.count + 1), &r.counters));
    compare_supersteps(&r);
    ga__rewiring_clear(&r);
}

START_TEST(decisions_are_sequential)
{
    ga_context *context = test_threads_context(1);
    for (uint64_t seed = 0; seed < 60; seed++) {
        int64_t n = 5 + (int64_t)(seed * 13 % 60), m = n * (n - 1) * (int64_t)(1 + seed % 5) / 4;
        ga_graph *graph = random_graph(context, 100 + seed, n, m, 1 + (int)(seed % 3));
        ga_preserve preserve = seed % 4 == 3 ? GA_PRESERVE_DEGREES : GA_PRESERVE_JDM;
        ga_context_set_seed(context, seed);
        compare_on(context, graph, preserve, 1, 0);
        compare_on(context, graph, preserve, 1, 8);
        compare_on(context, graph, preserve, 2 + (int)(seed % 2), 20);
        ga_graph_destroy(context, graph);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Keys come and go; the set is as full as it may be, so that some live far from home. */
START_TEST(set_of_edges)
{
    enum { MOST = 300, NODES = 40, STEPS = 20000 };
    static bool table[NODES * NODES];
    ga_context *context = test_threads_context(1);
    ga__edge_set set;
    ga__random random = ga__random_at(7, GA__RANDOM_TEST, 0);
    int count = 0;
    memset(table, 0, sizeof table);
    test_ok(context, ga__edge_set_create(context, MOST, &set));
    for (int step = 0; step < STEPS; step++) {
        uint32_t u = (uint32_t)ga__random_below(&random, NODES),
                 v = (uint32_t)ga__random_below(&random, NODES);
        uint64_t key = ga__edge_key(u, v);
        bool *there = &table[u * NODES + v];
        ck_assert(key == 0 || ga__edge_set_has(&set, key) == *there);
        if (key != 0 && *there) {
            ga__edge_set_remove(&set, key);
        } else if (key != 0 && count < MOST) {
            ga__edge_set_insert(&set, key);
        } else {
            continue;
        }
        *there = !*there;
        count += *there ? 1 : -1;
    }
    ga__edge_set_destroy(context, &set);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(threads_agree)
{
    static const int threads[] = { 1, 2, 3, 7 };
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    for (int kind = 0; kind < 2; kind++) {
        ga_graph *made[4] = { NULL }, *graph = NULL;
        ga_context *context = test_threads_context(1);
        o.swaps_per_edge = 3.3;
        o.preserve = kind == 1 ? GA_PRESERVE_DEGREES : GA_PRESERVE_JDM;
        graph = random_graph(context, 5, 900, 60000, 2);
        ck_assert_int_gt(ga_graph_edges(graph), 1 << 14);
        for (int i = 0; i < 4; i++) {
            test_set_threads(context, threads[i]);
            rewire_and_check(context, graph, &o, &made[i]);
            ck_assert(same_edges(made[0], made[i]));
        }
        ck_assert(!same_edges(graph, made[0]));
        for (int i = 0; i < 4; i++) {
            ga_graph_destroy(context, made[i]);
        }
        ga_graph_destroy(context, graph);
        test_context_done(context, NULL);
    }
}
END_TEST

/* ---- targets ---- */

static double plain_reciprocity(const ga_graph *graph)
{
    int64_t n = ga_graph_nodes(graph), both = 0;
    unsigned char *table = calloc((size_t)(n * n), 1);
    ga_csr rows = ga_graph_out(graph);
    for (int64_t v = 0; v < n; v++) {
        for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
            table[v * n + rows.targets[e]] = 1;
        }
    }
    for (int64_t i = 0; i < n * n; i++) {
        both += table[i] && table[i % n * n + i / n];
    }
    free(table);
    return (double)both / (double)rows.nonzeros;
}

static double plain_transitivity(const ga_graph *graph)
{
    int64_t n = ga_graph_nodes(graph);
    double closed = 0, wedges = 0;
    unsigned char *table = calloc((size_t)(n * n), 1);
    ga_csr rows = ga_graph_out(graph);
    for (int64_t v = 0; v < n; v++) {
        for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
            table[v * n + rows.targets[e]] = table[rows.targets[e] * n + v] = 1;
        }
    }
    for (int64_t v = 0; v < n; v++) {
        for (int64_t a = 0; a < n; a++) {
            for (int64_t b = a + 1; table[v * n + a] && b < n; b++) {
                wedges += table[v * n + b];
                closed += table[v * n + b] && table[a * n + b];
            }
        }
    }
    free(table);
    return closed / wedges;
}

START_TEST(targets_are_approached)
{
    static const struct {
        double reciprocity, transitivity;
    } goals[] = { { 0.3, -1 }, { 0, -1 }, { -1, 0.15 }, { -1, 0.02 }, { 0.2, 0.12 } };
    ga_context *context = test_threads_context(2);
    ga_graph *graph = random_graph(context, 8, 300, 2500, 1);
    for (int i = 0; i < 5; i++) {
        ga_graph *made = NULL;
        ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
        o.swaps_per_edge = 20;
        o.target_reciprocity = goals[i].reciprocity;
        o.target_transitivity = goals[i].transitivity;
        ga_rewire_report report = rewire_and_check(context, graph, &o, &made);
        if (goals[i].reciprocity >= 0) {
            ck_assert_double_eq_tol(report.reciprocity_before, plain_reciprocity(graph), 1e-12);
            ck_assert_double_eq_tol(report.reciprocity, plain_reciprocity(made), 1e-12);
            ck_assert(fabs(report.reciprocity - goals[i].reciprocity) <
                      0.5 * fabs(report.reciprocity_before - goals[i].reciprocity));
        }
        if (goals[i].transitivity >= 0) {
            ck_assert_double_eq_tol(report.transitivity_before >= 0 ? report.transitivity : -1,
                                    plain_transitivity(made), 1e-12);
            ck_assert(fabs(report.transitivity - goals[i].transitivity) <
                      0.7 * fabs(plain_transitivity(graph) - goals[i].transitivity));
        }
        ga_graph_destroy(context, made);
    }
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* ---- edges of what is possible ---- */

START_TEST(stuck_graphs_end)
{
    ga_context *context = test_threads_context(1);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    for (int nodes = 0; nodes < 9; nodes++) {
        for (int kind = 0; kind < 4; kind++) { /* complete, star out, star in, a single edge */
            uint32_t source[80], target[80];
            int64_t edges = 0;
            for (int u = 0; u < nodes; u++) {
                for (int v = 0; v < nodes; v++) {
                    if (u != v && (kind == 0 || (kind == 1 && u == 0) || (kind == 2 && v == 0) ||
                                   (kind == 3 && u + v == 1 && u == 0))) {
                        source[edges] = (uint32_t)u;
                        target[edges++] = (uint32_t)v;
                    }
                }
            }
            ga_graph *graph = NULL, *made = NULL;
            test_ok(context, ga_graph_from_edges(context, nodes, edges, source, target, NULL, GA_LOOPS_DROP,
                                                 GA_MULTI_COLLAPSE, &graph));
            for (int targets = 0; targets < 2; targets++) {
                o.target_reciprocity = o.target_transitivity = targets ? 0.5 : -1;
                for (int preserve = 0; preserve < 2; preserve++) {
                    o.preserve = preserve ? GA_PRESERVE_DEGREES : GA_PRESERVE_JDM;
                    ga_rewire_report report = rewire_and_check(context, graph, &o, &made);
                    ck_assert(same_edges(graph, made));
                    ck_assert(targets || report.attempts == 10 * edges);
                    ga_graph_destroy(context, made);
                }
            }
            ga_graph_destroy(context, graph);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(refused_arguments)
{
    static const uint32_t loop[][2] = { { 0, 1 }, { 2, 2 } }, twice[][2] = { { 0, 1 }, { 0, 1 }, { 1, 2 } };
    ga_context *context = test_threads_context(1);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    ga_graph *untouched = (ga_graph *)8, *made = untouched;
    ga_graph *graph = graph_of(context, 3, 2, loop);
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_INVALID);
    test_error_has(context, "loop 2 -> 2");
    ga_graph_destroy(context, graph);
    graph = graph_of(context, 3, 3, twice);
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_INVALID);
    test_error_has(context, "repeated edge 0 -> 1");
    ga_graph_destroy(context, graph);
    graph = graph_of(context, 3, 1, twice);
    o.swaps_per_edge = -1;
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_INVALID);
    o.swaps_per_edge = 1e19;
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_OVERFLOW);
    o = (ga_rewire_options)GA_REWIRE_OPTIONS_INIT;
    o.triples = 1.5;
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_INVALID);
    o = (ga_rewire_options)GA_REWIRE_OPTIONS_INIT;
    o.target_reciprocity = 2;
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_INVALID);
    ck_assert_ptr_eq(made, untouched);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

static int stop_after(void *user)
{
    int *left = user;
    return __atomic_sub_fetch(left, 1, __ATOMIC_RELAXED) < 0;
}

START_TEST(can_be_cancelled)
{
    ga_context *context = test_threads_context(2);
    ga_graph *graph = random_graph(context, 3, 2000, 30000, 1), *made = NULL;
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.swaps_per_edge = 1e6;
    int left = 200;
    ga_context_set_cancel(context, stop_after, &left);
    test_status(context, ga_rewire(context, graph, &o, &made, NULL), GA_CANCELLED);
    ck_assert_ptr_null(made);
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

typedef struct memory_case {
    int kind;
} memory_case;

static ga_status rewire_once(ga_context *context, void *user)
{
    const memory_case *c = user;
    const uint32_t source[] = { 0, 1, 2, 3, 4, 5, 0, 2 }, target[] = { 1, 2, 3, 4, 5, 0, 3, 5 };
    const uint64_t ids[] = { 1, 2, 3, 4, 5, 9 };
    const int64_t labels[] = { 0, 1, 0, 1, 0, 1 };
    ga_graph *graph = NULL, *made = NULL;
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.labels = c->kind == 1 ? labels : NULL;
    o.target_reciprocity = o.target_transitivity = c->kind == 2 ? 0.5 : -1;
    ga_status status =
        ga_graph_from_edges(context, 6, 8, source, target, ids, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, &graph);
    if (status == GA_OK) {
        status = ga_rewire(context, graph, &o, &made, NULL);
        ck_assert(status == GA_OK || made == NULL);
    }
    ga_graph_destroy(context, made);
    ga_graph_destroy(context, graph);
    return status;
}

START_TEST(memory_runs_out)
{
    for (int kind = 0; kind < 3; kind++) {
        memory_case c = { kind };
        ck_assert_int_gt(test_each_allocation(rewire_once, &c, 1), 10);
    }
}
END_TEST

START_TEST(report_rows)
{
    ga_context *context = test_threads_context(1);
    ga_rewire_report report = { .attempts = 100,
                                .accepted = 63,
                                .acceptance = 0.63,
                                .reciprocity = 0.5,
                                .reciprocity_before = NAN,
                                .transitivity = NAN,
                                .transitivity_before = NAN };
    test_folder_make();
    for (int json = 0; json < 2; json++) {
        ga__sheet sheet;
        const char *path = test_path("report");
        test_ok(context, ga__sheet_open(context, path, json, &sheet));
        test_ok(context, ga__rewire_report_rows(&sheet, &report));
        test_ok(context, ga__sheet_close(&sheet));
        char *text = test_slurp(path, NULL);
        ck_assert_ptr_nonnull(strstr(text, json ? "\"swap_attempts\": 100" : "swap_attempts\t100\n"));
        ck_assert_ptr_nonnull(strstr(text, json ? "\"swap_acceptance\": 0.63" : "swap_acceptance\t0.63\n"));
        ck_assert_ptr_nonnull(
            strstr(text, json ? "\"reciprocity_before\": null" : "reciprocity_before\tnan\n"));
        ck_assert_int_eq(strncmp(text, json ? "{\n \"" : "#name\tvalue\n", json ? 4 : 12), 0);
        free(text);
    }
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rewire");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, keeps_degrees_and_matrices);
    tcase_add_test(test, keeps_label_matrices);
    tcase_add_test(test, keeps_ids);
    tcase_add_test(test, real_graphs);
    tcase_add_test(test, decisions_are_sequential);
    tcase_add_test(test, set_of_edges);
    tcase_add_test(test, threads_agree);
    tcase_add_test(test, targets_are_approached);
    tcase_add_test(test, stuck_graphs_end);
    tcase_add_test(test, refused_arguments);
    tcase_add_test(test, can_be_cancelled);
    tcase_add_test(test, memory_runs_out);
    tcase_add_test(test, report_rows);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
