/* check_classical.c - classical samplers: sizes, subgraphs, ids, weights, threads, parameters, failures. */
#include "config.h"

#include "check_classical.h"

enum { NODES = 90 };

/* Several components, nodes without edges, ids far apart, weights: nodes 0-39 random, 40-59 a directed ring, 60-79 pairs,
 * of which every second one goes both ways, 80-89 isolated. */
static ga_graph *split_graph(ga_context *context, ga_loops loops, ga_multi multi)
{
    uint32_t s[400], t[400];
    uint64_t ids[NODES];
    int64_t edges = 0;
    luck = 11;
    for (; edges < 200; edges++) {
        s[edges] = (uint32_t)lucky(lucky(40) + 1);
        t[edges] = (uint32_t)lucky(lucky(40) + 1);
    }
    for (uint32_t v = 40; v < 60; v++, edges++) {
        s[edges] = v;
        t[edges] = v == 59 ? 40 : v + 1;
    }
    for (uint32_t v = 60; v < 80; v += 2, edges++) {
        s[edges] = v;
        t[edges] = v + 1;
        if (v % 4 == 0) {
            edges++;
            s[edges] = v + 1;
            t[edges] = v;
        }
    }
    for (uint64_t v = 0; v < NODES; v++) {
        ids[v] = v * v * 1000003 + 5;
    }
    ga_graph *graph = NULL;
    ck_assert_int_eq(ga_graph_from_edges(context, NODES, edges, s, t, ids, loops, multi, &graph), GA_OK);
    ck_assert_int_eq(GA_NEW(context, graph->edges, &graph->weights), GA_OK);
    for (int64_t e = 0; e < graph->edges; e++) {
        graph->weights[e] = 0.5f + (float)e;
    }
    return graph;
}

static int64_t rounded_share(double ratio, int64_t all)
{
    return (int64_t)floor(ratio * (double)all + 0.5);
}

/* Rows of the sample are parts of rows of the original, with their weights; returns its edges between sampled nodes. */
static int64_t check_subgraph(const ga_graph *graph, const ga_graph *sample, const int64_t *donors)
{
    int64_t wrong = 0, between = 0;
    for (int64_t i = 0; i < sample->nodes; i++) {
        ck_assert(i == 0 || donors[i] > donors[i - 1]);
        ck_assert_uint_eq(sample->ids ? sample->ids[i] : (uint64_t)i, graph->ids[donors[i]]);
        int64_t at = graph->out_offsets[donors[i]], end = graph->out_offsets[donors[i] + 1];
        for (int64_t e = sample->out_offsets[i]; e < sample->out_offsets[i + 1]; e++, at++) {
            while (at < end && (graph->out_targets[at] != donors[sample->out_targets[e]] ||
                                graph->weights[at] != sample->weights[e])) {
                at++;
            }
            wrong += at >= end;
        }
        for (int64_t e = graph->out_offsets[donors[i]]; e < end; e++) {
            for (int64_t j = 0; j < sample->nodes; j++) {
                between += donors[j] == graph->out_targets[e];
            }
        }
    }
    ck_assert_int_eq(wrong, 0);
    return between;
}

static void check_one(ga_context *context, const ga_graph *graph, const char *method, const char *parameters,
                      double ratio)
{
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    bool edges = counts_edges(method), induced = !edges && !strstr(parameters, "induced=0");
    induced &= strcmp(method, "pies") != 0 && strcmp(method, "diffusion_tree") != 0;
    call_of(&c, method, parameters);
    c.options.rescale.ratio = ratio;
    must_sample(context, graph, &c, &sample, &donors);
    int64_t between = check_subgraph(graph, sample, donors);
    ck_assert_msg(edges ? sample->edges == rounded_share(ratio, graph->edges)
                        : sample->nodes == rounded_share(ratio, graph->nodes),
                  "%s %g: %lld nodes, %lld edges", method, ratio, (long long)sample->nodes,
                  (long long)sample->edges);
    if (induced) {
        ck_assert_msg(sample->edges == between, "%s %g: %lld edges of %lld between the nodes", method, ratio,
                      (long long)sample->edges, (long long)between);
    }
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
}

typedef void (*method_fn)(ga_context *context, const ga_graph *graph, const ga_method_info *method);

static void each_method(ga_context *context, const ga_graph *graph, method_fn body)
{
    int count = 0, classical = 0;
    const ga_method_info *methods = ga_sample_methods(&count);
    for (int i = 0; i < count; i++) {
        if (methods[i].sampler) {
            body(context, graph, &methods[i]);
            classical++;
        }
    }
    ck_assert_int_ge(classical, 29);
}

static void sizes_of(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    static const double ratios[] = { 0.001, 0.02, 0.3, 0.5, 0.77, 0.98, 1 };
    for (int i = 0; i < 7; i++) {
        for (uint64_t seed = 1; seed < 4; seed++) {
            ga_context_set_seed(context, seed);
            check_one(context, graph, method->name, "direction=both", ratios[i]);
            check_one(context, graph, method->name, "direction=out", ratios[i]);
            check_one(context, graph, method->name, "direction=in induced=0", ratios[i]);
        }
    }
}

START_TEST(sizes)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = split_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    each_method(context, graph, sizes_of);
    ga_graph_destroy(context, graph);
    graph = split_graph(context, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    each_method(context, graph, sizes_of);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(other_parameters)
{
    static const char *const modes[] = { "edgeball", "hubball", "fireball", "coreball", "firecoreball" };
    ga_context *context = plain_context(2);
    ga_graph *graph = split_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (int i = 0; i < 5; i++) {
        char text[64];
        snprintf(text, sizeof text, "mode=%s probability=%g induced=%d", modes[i], 0.1 + 0.2 * i, i % 2);
        check_one(context, graph, "spikyball", text, 0.6);
    }
    check_one(context, graph, "forest_fire", "forward=0.5 backward=0.9", 0.6);
    check_one(context, graph, "forest_fire", "forward=0.9 backward=0.9 induced=0", 0.6);
    check_one(context, graph, "frontier", "walkers=1", 0.9);
    check_one(context, graph, "frontier", "walkers=77 direction=in", 0.9);
    check_one(context, graph, "directed_frontier", "walkers=3 jump_weight=0", 0.9);
    check_one(context, graph, "jump_walk", "jump=0", 0.9);
    check_one(context, graph, "jump_walk", "jump=1", 0.9);
    check_one(context, graph, "hybrid_edge", "probability=0", 0.9);
    check_one(context, graph, "snowball", "fanout=1", 0.9);
    check_one(context, graph, "ppr", "alpha=1", 0.9);
    check_one(context, graph, "degree", "side=in", 0.9);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- the same for any number of threads and with every kind of set ---- */

static void same_sample(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    call c;
    ga_graph *one = NULL, *other = NULL;
    call_of(&c, method->name, "");
    c.options.rescale.ratio = 0.4;
    ck_assert_int_eq(ga_context_set_threads(context, 1), GA_OK);
    must_sample(context, graph, &c, &one, NULL);
    for (int threads = 2; threads <= 7; threads += threads == 3 ? 4 : 1) {
        ck_assert_int_eq(ga_context_set_threads(context, threads), GA_OK);
        must_sample(context, graph, &c, &other, NULL);
        same_graph(one, other);
        ga_graph_destroy(context, other);
    }
    ga_graph_destroy(context, one);
}

START_TEST(threads)
{
    ga_context *context = plain_context(1);
    luck = 5;
    ga_graph *graph = skewed_graph(context, 3000, 20000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    each_method(context, graph, same_sample);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* A few nodes of a large graph: sets are tables. */
static void few_nodes(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL, wrong = 0, between = 0;
    call_of(&c, method->name, "");
    c.options.rescale.nodes = 100;
    if (counts_edges(method->name)) {
        c.options.rescale = (ga_rescale_options){ .ratio = 100.0 / (double)graph->edges };
    }
    must_sample(context, graph, &c, &sample, &donors);
    ck_assert_int_eq(counts_edges(method->name) ? sample->edges : sample->nodes, 100);
    for (int64_t i = 0; i < sample->nodes; i++) {
        wrong += i > 0 && donors[i] <= donors[i - 1];
        for (int64_t e = sample->out_offsets[i]; e < sample->out_offsets[i + 1]; e++) {
            wrong += !has_edge(graph, donors[i], donors[sample->out_targets[e]]);
        }
        for (int64_t j = 0; j < sample->nodes; j++) {
            between += has_edge(graph, donors[i], donors[j]);
        }
    }
    ck_assert_int_eq(wrong, 0);
    if (strcmp(method->name, "bfs") == 0) {
        ck_assert_int_eq(sample->edges, between);
        ck_assert_int_gt(between, 0);
    }
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
}

START_TEST(large_graph)
{
    enum { LARGE = 200000 };
    ga_context *context = plain_context(2);
    uint32_t *s = malloc(LARGE * 4), *t = malloc(LARGE * 4);
    for (uint32_t i = 0; i < LARGE; i++) { /* a tree, and edges back to its first nodes */
        s[i] = i;
        t[i] = i % 3 ? i / 2 : i % 1000;
    }
    ga_graph *graph = graph_of(context, LARGE, LARGE, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    each_method(context, graph, few_nodes);
    ga_graph_destroy(context, graph);
    free(s);
    free(t);
    done_with(context);
}
END_TEST

START_TEST(sets)
{
    ga_context *context = plain_context(1);
    for (int dense = 0; dense < 2; dense++) {
        ga__set set;
        int64_t list[300], limit = 1 << 20;
        char *by_hand = calloc((size_t)limit, 1);
        ck_assert_int_eq(ga__set_open(context, limit, dense ? limit : 10, &set), GA_OK);
        ck_assert_int_eq(set.bits != NULL, dense);
        for (int i = 0; i < 300; i++) {
            int64_t x = (int64_t)lucky(1000) * 997;
            bool fresh;
            ck_assert_int_eq(ga__set_has(&set, x), by_hand[x]);
            ck_assert_int_eq(ga__set_add(&set, x, &fresh), GA_OK);
            ck_assert_int_eq(fresh, !by_hand[x]);
            by_hand[x] = 1;
        }
        ga__set_list(&set, list);
        int64_t count = 0;
        for (int64_t x = 0; x < limit; x++) {
            if (by_hand[x]) {
                ck_assert_int_eq(list[count++], x);
            }
        }
        ck_assert_int_eq(count, set.count);
        ga__set_clear(context, &set);
        free(by_hand);
    }
    done_with(context);
}
END_TEST

/* ---- used edges ---- */

static int64_t root_of(int64_t *up, int64_t v)
{
    while (up[v] != v) {
        v = up[v] = up[up[v]];
    }
    return v;
}

/* Edges that brought nodes in make a forest: one edge less than nodes for every start. */
START_TEST(used_edges_are_forests)
{
    static const char *const trees[] = {
        "bfs", "dfs", "snowball", "diffusion_tree", "loop_erased_walk", "forest_fire"
    };
    ga_context *context = plain_context(2);
    luck = 3;
    ga_graph *graph = skewed_graph(context, 500, 3000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        call c;
        ga_graph *sample = NULL;
        int64_t up[500];
        call_of(&c, trees[i], "induced=false");
        c.options.rescale.nodes = 150;
        must_sample(context, graph, &c, &sample, NULL);
        for (int64_t v = 0; v < 150; v++) {
            up[v] = v;
        }
        for (int64_t v = 0; v < 150; v++) {
            for (int64_t e = sample->out_offsets[v]; e < sample->out_offsets[v + 1]; e++) {
                int64_t a = root_of(up, v), b = root_of(up, sample->out_targets[e]);
                ck_assert_msg(a != b, "%s: a cycle", trees[i]);
                up[a] = b;
            }
        }
        ck_assert_int_gt(sample->edges, 75);
        ga_graph_destroy(context, sample);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- expansion and ppr by their definitions ---- */

static bool is_neighbour(const ga_graph *g, int64_t u, int64_t v)
{
    return u != v && (has_edge(g, u, v) || has_edge(g, v, u));
}

static void expand_by_definition(const ga_graph *g, bool *in, int64_t wanted)
{
    for (int64_t count = 1; count < wanted; count++) {
        int64_t best = -1, most = -1;
        bool near[64] = { false };
        for (int64_t u = 0; u < g->nodes; u++) {
            for (int64_t v = 0; v < g->nodes; v++) {
                near[v] |= in[u] && is_neighbour(g, u, v);
            }
        }
        for (int64_t v = 0; v < g->nodes; v++) {
            int64_t gain = 0;
            for (int64_t w = 0; w < g->nodes; w++) {
                gain += is_neighbour(g, v, w) && !in[w] && !near[w];
            }
            if (near[v] && !in[v] && gain > most) {
                most = gain;
                best = v;
            }
        }
        ck_assert_int_ge(best, 0);
        in[best] = true;
    }
}

START_TEST(expansion_by_definition)
{
    ga_context *context = plain_context(2);
    luck = 21;
    for (int round = 0; round < 30; round++) {
        uint32_t s[160], t[160];
        for (uint32_t i = 0; i < 160; i++) { /* connected */
            s[i] = i < 59 ? i + 1 : (uint32_t)lucky(60);
            t[i] = i < 59 ? (uint32_t)lucky(i + 1) : (uint32_t)lucky(60);
        }
        ga_graph *graph = graph_of(context, 60, round % 2 ? 160 : 80, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        ga_graph *sample = NULL;
        int64_t *donors = NULL;
        bool in[64] = { [7] = true };
        call c;
        call_of(&c, "expansion", "start=7");
        c.options.rescale.nodes = 5 + round;
        must_sample(context, graph, &c, &sample, &donors);
        expand_by_definition(graph, in, 5 + round);
        for (int64_t i = 0; i < sample->nodes; i++) {
            ck_assert(in[donors[i]]);
        }
        ga_free(context, donors);
        ga_graph_destroy(context, sample);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* x = alpha s + (1 - alpha) (P^T x, mass without a way on back to s), out-neighbours. */
static void ppr_by_definition(const ga_graph *g, const double *start, double alpha, double *x)
{
    double next[64];
    memcpy(x, start, (size_t)g->nodes * sizeof *x);
    for (int step = 0; step < 1000; step++) {
        double lost = 0;
        memset(next, 0, sizeof next);
        for (int64_t v = 0; v < g->nodes; v++) {
            int64_t degree = out_degree(g, v);
            lost += degree ? 0 : x[v];
            for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
                next[g->out_targets[e]] += (1 - alpha) * x[v] / (double)degree;
            }
        }
        for (int64_t v = 0; v < g->nodes; v++) {
            x[v] = next[v] + (alpha + (1 - alpha) * lost) * start[v];
        }
    }
}

START_TEST(ppr_by_scores)
{
    ga_context *context = plain_context(2);
    luck = 77;
    for (int round = 0; round < 20; round++) {
        ga_graph *graph = skewed_graph(context, 40, 120, GA_LOOPS_DROP, GA_MULTI_COLLAPSE), *sample = NULL;
        int64_t *donors = NULL, reached = 0;
        double start[64] = { [1] = 0.5, [3] = 0.5 }, x[64], least = 1;
        bool in[64] = { false };
        call c;
        ppr_by_definition(graph, start, 0.2, x);
        for (int64_t v = 0; v < 40; v++) {
            reached += x[v] > 0;
        }
        call_of(&c, "ppr", "start=1,3 direction=out alpha=0.2");
        c.options.rescale.nodes = ga__min(10, reached);
        must_sample(context, graph, &c, &sample, &donors);
        for (int64_t i = 0; i < sample->nodes; i++) {
            in[donors[i]] = true;
            least = fmin(least, x[donors[i]]);
        }
        for (int64_t v = 0; v < 40; v++) {
            ck_assert(in[v] || x[v] <= least * (1 + 1e-8));
        }
        ga_free(context, donors);
        ga_graph_destroy(context, sample);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- ids, start, size ---- */

START_TEST(renumbered)
{
    ga_context *context = plain_context(2);
    ga_graph *graph = split_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE), *sample = NULL, *plain = NULL;
    int64_t *donors = NULL;
    call c;
    call_of(&c, "random_walk", "start=5,1000008 induced=1"); /* nodes 0 and 1 */
    c.options.rescale.ratio = 0.3;
    must_sample(context, graph, &c, &plain, &donors);
    ck_assert_ptr_nonnull(plain->ids);
    ck_assert_int_eq(donors[0], 0);
    ga_free(context, donors);
    c.options.renumber = true;
    must_sample(context, graph, &c, &sample, &donors);
    ck_assert_ptr_null(sample->ids);
    ck_assert_int_eq(sample->edges, plain->edges);
    ck_assert_int_eq(memcmp(sample->out_targets, plain->out_targets, (size_t)plain->edges * 4), 0);
    for (int64_t i = 0; i < sample->nodes; i++) {
        ck_assert_uint_eq(plain->ids[i], graph->ids[donors[i]]);
    }
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
    ga_graph_destroy(context, plain);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static void refused(ga_context *context, const ga_graph *graph, const char *method, const char *parameters,
                    double ratio, const char *words)
{
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    call_of(&c, method, parameters);
    c.options.rescale.ratio = ratio;
    ck_assert_int_eq(ga_sample(context, graph, &c.options, &sample, &donors, NULL), GA_INVALID);
    ck_assert_msg(strstr(ga_context_error(context), words) != NULL, "\"%s\" lacks \"%s\"",
                  ga_context_error(context), words);
    ck_assert_ptr_null(sample);
    ck_assert_ptr_null(donors);
}

START_TEST(wrong_parameters)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = split_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    refused(context, graph, "node", "alpha=1", 0.5, "node has no parameter 'alpha'");
    refused(context, graph, "jdm", "alpha=1", 0.5, "jdm has no parameter 'alpha'");
    refused(context, graph, "edge", "start=5", 0.5, "edge has no parameter 'start'");
    refused(context, graph, "pagerank", "alpha=1", 0.5, "pagerank: alpha=1: expected a number, [0, 1)");
    refused(context, graph, "forest_fire", "forward=1", 0.5, "forward=1: expected a number, [0, 1)");
    refused(context, graph, "restart_walk", "restart=-0.1", 0.5, "restart=-0.1: expected a number, [0, 1)");
    refused(context, graph, "metropolis_walk", "alpha=nan", 0.5, "alpha=nan: expected a number, >= 0");
    refused(context, graph, "snowball", "fanout=0", 0.5, "fanout=0: expected an integer, >= 1");
    refused(context, graph, "spikyball", "probability=0", 0.5, "probability=0: expected a number, (0, 1]");
    refused(context, graph, "spikyball", "mode=ball", 0.5, "mode=ball: expected edgeball|hubball|fireball");
    refused(context, graph, "degree", "side=left", 0.5, "side=left: expected total|in|out");
    refused(context, graph, "pies", "induced=1", 0.5, "pies: induced=1: expected 0");
    refused(context, graph, "bfs", "start=5,x", 0.5, "start=5,x: expected node ids");
    refused(context, graph, "bfs", "start=99999999999999999999", 0.5, "expected node ids");
    refused(context, graph, "bfs", "start=6", 0.5, "the graph has no node 6");
    refused(context, graph, "bfs", "", 1.2, "a sample of 108 nodes, the graph has 90");
    refused(context, graph, "bfs", "", -1, "expected 0 or more");
    refused(context, graph, "bfs", "", NAN, "expected 0 or more");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Edges 0 to 3 in another order: the first one fills the sample, later ones of the same number are the same edge. */
START_TEST(streams)
{
    static const uint32_t s[] = { 0, 2, 4, 6 }, t[] = { 1, 3, 5, 7 };
    const int64_t order[] = { 2, 2, 2 }, wrong[] = { 2, 4 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 8, 4, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE), *sample = NULL;
    int64_t *donors = NULL;
    call c;
    call_of(&c, "pies", "");
    c.options.rescale.nodes = 2;
    c.options.stream = order;
    c.options.stream_count = 3;
    must_sample(context, graph, &c, &sample, &donors);
    ck_assert_int_eq(sample->nodes, 2);
    ck_assert_int_eq(sample->edges, 1);
    ck_assert(donors[0] == 4 && donors[1] == 5);
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
    sample = NULL;
    c.options.stream = wrong;
    c.options.stream_count = 2;
    ck_assert_int_eq(ga_sample(context, graph, &c.options, &sample, NULL, NULL), GA_INVALID);
    ck_assert_ptr_null(sample);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

static void of_nothing(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    call_of(&c, method->name, "");
    c.options.rescale.ratio = 1;
    must_sample(context, graph, &c, &sample, &donors);
    ck_assert_int_eq(sample->nodes, counts_edges(method->name) ? 0 : graph->nodes);
    ck_assert_int_eq(sample->edges, 0);
    ga_free(context, donors);
    ga_graph_destroy(context, sample);
}

START_TEST(graphs_without_edges)
{
    ga_context *context = plain_context(2);
    for (int64_t nodes = 0; nodes < 5; nodes++) {
        ga_graph *graph = graph_of(context, nodes, 0, NULL, NULL, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
        each_method(context, graph, of_nothing);
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

/* ---- failures ---- */

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

static void stopped(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    call_of(&c, method->name, "");
    c.options.rescale.ratio = 0.9;
    ck_assert_msg(ga_sample(context, graph, &c.options, &sample, &donors, NULL) == GA_CANCELLED, "%s",
                  method->name);
    ck_assert_ptr_null(sample);
    ck_assert_ptr_null(donors);
}

START_TEST(cancelled)
{
    ga_context *context = plain_context(2);
    luck = 9;
    ga_graph *graph = skewed_graph(context, 10000, 30000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_context_set_cancel(context, stop_now, NULL);
    each_method(context, graph, stopped);
    ga_context_set_cancel(context, NULL, NULL);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

typedef struct starving {
    const ga_graph *graph;
    const char *method, *parameters;
} starving;

static ga_status starved_sample(ga_context *context, void *user)
{
    starving *s = user;
    call c;
    ga_graph *sample = NULL;
    int64_t *donors = NULL;
    call_of(&c, s->method, s->parameters);
    c.options.rescale.ratio = 0.7;
    ga_status status = ga_sample(context, s->graph, &c.options, &sample, &donors, NULL);
    ck_assert_int_eq(status != GA_OK, sample == NULL);
    ck_assert_int_eq(status != GA_OK, donors == NULL);
    ga_graph_destroy(context, sample);
    ga_free(context, donors);
    return status;
}

static void starve_method(ga_context *context, const ga_graph *graph, const ga_method_info *method)
{
    (void)context;
    starving s = { graph, method->name, "" };
    starve(starved_sample, &s);
    s.parameters = "direction=out induced=0";
    starve(starved_sample, &s);
}

START_TEST(out_of_memory)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = split_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    each_method(context, graph, starve_method);
    starving s = { graph, "bfs", "start=5,1000008" };
    starve(starved_sample, &s);
    s = (starving){ graph, "spikyball", "induced=0 mode=coreball" };
    starve(starved_sample, &s);
    s = (starving){ graph, "forest_fire", "backward=0.5" };
    starve(starved_sample, &s);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classical");
    TCase *all = tcase_create("classical");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, sizes);
    tcase_add_test(all, other_parameters);
    tcase_add_test(all, threads);
    tcase_add_test(all, large_graph);
    tcase_add_test(all, sets);
    tcase_add_test(all, used_edges_are_forests);
    tcase_add_test(all, expansion_by_definition);
    tcase_add_test(all, ppr_by_scores);
    tcase_add_test(all, renumbered);
    tcase_add_test(all, wrong_parameters);
    tcase_add_test(all, streams);
    tcase_add_test(all, graphs_without_edges);
    tcase_add_test(all, cancelled);
    tcase_add_test(all, out_of_memory);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
