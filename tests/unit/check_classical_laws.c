/* check_classical_laws.c - the laws of classical samplers on tiny graphs, against probabilities found by enumeration. */
#include "config.h"

#include "check_classical.h"
#include "check_law.h"

enum { RUNS = 6000 };

static int edge_number(const ga_graph *g, int64_t u, int64_t v)
{
    for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
        if (g->out_targets[e] == v) {
            return (int)e;
        }
    }
    ck_abort_msg("no edge %d %d", (int)u, (int)v);
}

/* Draws RUNS samples; outcomes are sets of nodes, or of edges. */
static void draw_law(ga_context *context, const ga_graph *graph, const char *method, const char *parameters,
                     int64_t size, bool of_edges, law *l)
{
    call c;
    call_of(&c, method, parameters);
    c.options.rescale.nodes = size;
    if (counts_edges(method)) {
        c.options.rescale = (ga_rescale_options){ .ratio = (double)size / (double)graph->edges };
    }
    memset(l->found, 0, sizeof l->found);
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        ga_graph *sample = NULL;
        int64_t *donors = NULL;
        unsigned set = 0;
        ga_context_set_seed(context, seed);
        must_sample(context, graph, &c, &sample, &donors);
        for (int64_t i = 0; i < sample->nodes; i++) {
            set |= of_edges ? 0 : 1u << donors[i];
            for (int64_t e = sample->out_offsets[i]; of_edges && e < sample->out_offsets[i + 1]; e++) {
                set |= 1u << edge_number(graph, donors[i], donors[sample->out_targets[e]]);
            }
        }
        l->found[set]++;
        ga_free(context, donors);
        ga_graph_destroy(context, sample);
    }
}

static void node_law(ga_context *context, const ga_graph *graph, const char *method, const char *parameters,
                     int64_t size, law *l)
{
    draw_law(context, graph, method, parameters, size, false, l);
    check_law(l, RUNS, method);
}

/* ---- the graph: 0 to 4 are connected, 5 is isolated where there are six nodes ---- */

static const uint32_t from[] = { 0, 0, 0, 1, 2, 3, 4 }, to[] = { 1, 2, 3, 0, 3, 4, 0 };
enum { EDGES = 7 };

static ga_graph *small_graph(ga_context *context, int64_t nodes)
{
    return graph_of(context, nodes, EDGES, from, to, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
}

typedef enum sense { BOTH_WAYS, OUTWARD } sense;

static bool linked(const ga_graph *g, sense s, int64_t u, int64_t v)
{
    return u != v && (has_edge(g, u, v) || (s == BOTH_WAYS && has_edge(g, v, u)));
}

static int64_t links(const ga_graph *g, sense s, int64_t u)
{
    int64_t count = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        count += linked(g, s, u, v);
    }
    return count;
}

/* ---- two nodes: a uniform one, then another by weights; without any weight a uniform one ---- */

typedef double (*weight_fn)(const ga_graph *g, int64_t v, int64_t w);

static void pairs(const ga_graph *g, weight_fn weight, law *l)
{
    memset(l->expected, 0, sizeof l->expected);
    for (int64_t v = 0; v < g->nodes; v++) {
        double sum = 0;
        for (int64_t w = 0; w < g->nodes; w++) {
            sum += v == w ? 0 : weight(g, v, w);
        }
        for (int64_t w = 0; w < g->nodes; w++) {
            if (v != w) {
                double p = sum > 0 ? weight(g, v, w) / sum : 1 / (double)(g->nodes - 1);
                l->expected[1u << v | 1u << w] += p / (double)g->nodes;
            }
        }
    }
}

static double any(const ga_graph *g, int64_t v, int64_t w)
{
    (void)g;
    (void)v;
    (void)w;
    return 1;
}

static double neighbour(const ga_graph *g, int64_t v, int64_t w)
{
    return linked(g, BOTH_WAYS, v, w);
}

static double out_neighbour(const ga_graph *g, int64_t v, int64_t w)
{
    return linked(g, OUTWARD, v, w);
}

static double in_neighbour(const ga_graph *g, int64_t v, int64_t w)
{
    return linked(g, OUTWARD, w, v);
}

/* jump = 0.4 */
static double jumped(const ga_graph *g, int64_t v, int64_t w)
{
    double d = (double)links(g, BOTH_WAYS, v);
    return d > 0 ? 0.4 / (double)g->nodes + 0.6 * neighbour(g, v, w) / d : 1;
}

static double accepted(const ga_graph *g, int64_t v, int64_t w)
{
    double ratio = (double)links(g, BOTH_WAYS, v) / (double)links(g, BOTH_WAYS, w);
    return linked(g, BOTH_WAYS, v, w) ? fmin(1, ratio) : 0;
}

static double accepted_squared(const ga_graph *g, int64_t v, int64_t w)
{
    double p = accepted(g, v, w);
    return p * p;
}

static double uncommon(const ga_graph *g, int64_t v, int64_t w)
{
    double common = 0, least = (double)ga__min(links(g, BOTH_WAYS, v), links(g, BOTH_WAYS, w));
    for (int64_t x = 0; x < g->nodes; x++) {
        common += linked(g, BOTH_WAYS, v, x) && linked(g, BOTH_WAYS, w, x);
    }
    return linked(g, BOTH_WAYS, v, w) ? 1 - common / least : 0;
}

/* forward = 0.6: with probability 0.6 one out-neighbour or more burn; else, or where there is none, a new seed. */
static double burned(const ga_graph *g, int64_t v, int64_t w)
{
    double d = (double)links(g, OUTWARD, v), other = 1 / (double)(g->nodes - 1);
    return d > 0 ? 0.6 * out_neighbour(g, v, w) / d + 0.4 * other : other;
}

/* forward = 0.6, backward = 0.5: in-neighbours with p = 0.3. */
static double burned_back(const ga_graph *g, int64_t v, int64_t w)
{
    double d = (double)links(g, OUTWARD, v), in = 0, other = 1 / (double)(g->nodes - 1);
    for (int64_t u = 0; u < g->nodes; u++) {
        in += in_neighbour(g, v, u);
    }
    double p = d > 0 ? 0.6 : 0, back = in > 0 ? 0.3 : 0;
    return (d > 0 ? p * out_neighbour(g, v, w) / d : 0) +
           (1 - p) * ((in > 0 ? back * in_neighbour(g, v, w) / in : 0) + (1 - back) * other);
}

static double widest(const ga_graph *g, int64_t v, int64_t w)
{
    int64_t most = -1, best = -1;
    for (int64_t x = 0; x < g->nodes; x++) {
        int64_t gain = 0;
        for (int64_t y = 0; y < g->nodes; y++) {
            gain += linked(g, BOTH_WAYS, x, y) && y != v && !linked(g, BOTH_WAYS, v, y);
        }
        if (linked(g, BOTH_WAYS, v, x) && gain > most) {
            most = gain;
            best = x;
        }
    }
    return best == w;
}

START_TEST(two_nodes)
{
    static const struct {
        const char *method, *parameters;
        weight_fn weight;
    } cases[] = {
        { "node", "", any },
        { "node_neighbour", "", neighbour },
        { "random_walk", "", neighbour },
        { "random_walk", "direction=out", out_neighbour },
        { "random_walk", "direction=in", in_neighbour },
        { "restart_walk", "restart=0.5", neighbour },
        { "jump_walk", "jump=0.4", jumped },
        { "metropolis_walk", "", accepted },
        { "metropolis_walk", "alpha=2", accepted_squared },
        { "non_backtracking_walk", "", neighbour },
        { "circulated_walk", "", neighbour },
        { "common_neighbour_walk", "", uncommon },
        { "forest_fire", "forward=0.6", burned },
        { "forest_fire", "forward=0.6 backward=0.5", burned_back },
        { "forest_fire", "forward=0 direction=in", any },
        { "snowball", "", neighbour },
        { "bfs", "direction=out", out_neighbour },
        { "dfs", "", neighbour },
        { "spikyball", "mode=hubball", neighbour },
        { "expansion", "", widest },
        { "diffusion", "", neighbour },
        { "diffusion_tree", "direction=in", in_neighbour },
    };
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        law l;
        pairs(graph, cases[i].weight, &l);
        node_law(context, graph, cases[i].method, cases[i].parameters, 2, &l);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- three nodes: the third by weights that depend on the first two in order ---- */

typedef double (*third_fn)(const ga_graph *g, int64_t v, int64_t w, int64_t x);

static void triples(const ga_graph *g, third_fn third, law *l)
{
    memset(l->expected, 0, sizeof l->expected);
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t w = 0; w < g->nodes; w++) {
            double sum = 0, n = (double)g->nodes;
            double p = linked(g, BOTH_WAYS, v, w) ? 1 / (n * (double)links(g, BOTH_WAYS, v)) : 0;
            for (int64_t x = 0; x < g->nodes; x++) {
                sum += x == v || x == w ? 0 : third(g, v, w, x);
            }
            for (int64_t x = 0; x < g->nodes; x++) {
                if (x != v && x != w && p > 0) {
                    double q = sum > 0 ? third(g, v, w, x) / sum : 1 / (n - 2);
                    l->expected[1u << v | 1u << w | 1u << x] += p * q;
                }
            }
        }
    }
}

/* From the last one alone. */
static double of_last(const ga_graph *g, int64_t v, int64_t w, int64_t x)
{
    (void)v;
    return linked(g, BOTH_WAYS, w, x);
}

static double of_both(const ga_graph *g, int64_t v, int64_t w, int64_t x)
{
    return linked(g, BOTH_WAYS, v, x) + linked(g, BOTH_WAYS, w, x);
}

static double of_both_by_degree(const ga_graph *g, int64_t v, int64_t w, int64_t x)
{
    return linked(g, BOTH_WAYS, v, x) / (double)links(g, BOTH_WAYS, v) +
           linked(g, BOTH_WAYS, w, x) / (double)links(g, BOTH_WAYS, w);
}

/* Onward from w, or where that is a dead end back to v and on to another of its neighbours. */
static double onward(const ga_graph *g, int64_t v, int64_t w, int64_t x)
{
    return links(g, BOTH_WAYS, w) > 1 ? linked(g, BOTH_WAYS, w, x) : linked(g, BOTH_WAYS, v, x);
}

/* A uniform member, then a uniform neighbour, until that is new. */
static double of_any(const ga_graph *g, int64_t v, int64_t w, int64_t x)
{
    return of_both_by_degree(g, v, w, x);
}

START_TEST(three_nodes)
{
    static const struct {
        const char *method, *parameters;
        third_fn third;
    } cases[] = {
        { "snowball", "fanout=1", of_last },
        { "spikyball", "mode=edgeball probability=0.01", of_last },
        { "spikyball", "mode=fireball probability=0.01", of_last },
        { "spikyball", "mode=coreball probability=0.01", of_both },
        { "spikyball", "mode=firecoreball probability=0.01", of_both_by_degree },
        { "non_backtracking_walk", "", onward },
        { "diffusion", "", of_any },
    };
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        law l;
        triples(graph, cases[i].third, &l);
        node_law(context, graph, cases[i].method, cases[i].parameters, 3, &l);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* 3 - 0 - 1 - 2 from 0. To 1 with 1/2, then on to 2 with 1/2; from there back to 0 with 1/2, and again to 1 with 1/2, where
 * it is now the turn of 2: 3/8 for 0 1 2. A plain walk comes to 1/3. */
START_TEST(circulated_walk_takes_turns)
{
    static const uint32_t s[] = { 0, 1, 0 }, t[] = { 1, 2, 3 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 4, 3, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    law l;
    memset(l.expected, 0, sizeof l.expected);
    l.expected[1 << 0 | 1 << 1 | 1 << 2] = 3.0 / 8;
    l.expected[1 << 0 | 1 << 1 | 1 << 3] = 5.0 / 8;
    node_law(context, graph, "circulated_walk", "start=0", 3, &l);
    l.expected[1 << 0 | 1 << 1 | 1 << 2] = 1.0 / 3;
    l.expected[1 << 0 | 1 << 1 | 1 << 3] = 2.0 / 3;
    node_law(context, graph, "random_walk", "start=0", 3, &l);
    /* without turning back but in the dead end 3 */
    l.expected[1 << 0 | 1 << 1 | 1 << 2] = l.expected[1 << 0 | 1 << 1 | 1 << 3] = 1.0 / 2;
    node_law(context, graph, "non_backtracking_walk", "start=0", 3, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- other nodes ---- */

START_TEST(degree_and_ties)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 6);
    law l;
    double weight[6] = { 0 };
    memset(l.expected, 0, sizeof l.expected);
    for (int i = 0; i < EDGES; i++) {
        weight[from[i]]++;
        weight[to[i]]++;
        l.expected[1u << from[i] | 1u << to[i]] += 1.0 / EDGES;
    }
    node_law(context, graph, "ties", "", 2, &l);
    memset(l.expected, 0, sizeof l.expected);
    for (int v = 0; v < 6; v++) {
        for (int w = 0; w < 6; w++) {
            if (v != w) {
                l.expected[1u << v | 1u << w] +=
                    weight[v] / (2 * EDGES) * weight[w] / (2 * EDGES - weight[v]);
            }
        }
    }
    node_law(context, graph, "degree", "", 2, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* A square: between opposite corners both ways are equally likely. */
START_TEST(shortest_paths)
{
    static const uint32_t s[] = { 0, 1, 2, 3 }, t[] = { 1, 2, 3, 0 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 4, 4, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    law l;
    memset(l.expected, 0, sizeof l.expected);
    for (int v = 0; v < 4; v++) { /* the first two nodes of a path are neighbours */
        l.expected[1u << v | 1u << (v + 1) % 4] = 0.25;
    }
    node_law(context, graph, "shortest_path", "", 2, &l);
    /* along the edges the path from 0 to 3 is 0 1 2 3: every start and length is as likely */
    node_law(context, graph, "shortest_path", "direction=out", 2, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* By definition, two members, with probability p so far: edge e is next, and of its ends `end` (2: both are done). */
static void pass_on(law *l, int e, int end, bool considered, const uint32_t member[2], unsigned kept,
                    double p)
{
    if (e == EDGES) {
        l->expected[kept] += p;
        return;
    }
    uint32_t v = end == 0 ? from[e] : to[e];
    bool in = member[0] == v || member[1] == v;
    if (end == 2) {
        bool both =
            (member[0] == from[e] || member[1] == from[e]) && (member[0] == to[e] || member[1] == to[e]);
        unsigned now = kept | (both ? 1u << e : 0);
        double chance = 1 / (e + 2.0); /* m_s = 1, and the next edge is the (e + 2)-th */
        pass_on(l, e + 1, 0, true, member, now, p * chance);
        pass_on(l, e + 1, 0, false, member, now, p * (1 - chance));
    } else if (in || !considered) {
        pass_on(l, e, end + 1, considered, member, kept, p);
    } else {
        for (int i = 0; i < 2; i++) { /* in the place of member i, whose edges go */
            uint32_t other[2] = { member[0], member[1] };
            unsigned left = kept;
            for (int f = 0; f < EDGES; f++) {
                left &= from[f] == member[i] || to[f] == member[i] ? ~(1u << f) : ~0u;
            }
            other[i] = v;
            pass_on(l, e, end + 1, considered, other, left, p / 2);
        }
    }
}

START_TEST(pies)
{
    const uint32_t first[2] = { 0, 1 }; /* edge 0 > 1 fills the sample */
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 5);
    law l;
    memset(l.expected, 0, sizeof l.expected);
    pass_on(&l, 0, 2, false, first, 0, 1);
    draw_law(context, graph, "pies", "", 2, true, &l);
    check_law(&l, RUNS, "pies");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* Wilson: uniform over the spanning trees, here the 8 of a square with a diagonal. */
START_TEST(loop_erased_walks_make_uniform_trees)
{
    static const uint32_t s[] = { 0, 1, 2, 3, 0 }, t[] = { 1, 2, 3, 0, 2 };
    ga_context *context = plain_context(1);
    ga_graph *graph = graph_of(context, 4, 5, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    law l;
    memset(l.expected, 0, sizeof l.expected);
    /* rows: 0 1, 0 2, 1 2, 2 3, 3 0 are the edges 0 to 4; triangles 0 1 2 and 1 3 4 are no trees */
    for (unsigned set = 0; set < 32; set++) {
        bool tree = __builtin_popcount(set) == 3 && (set & 7) != 7 && (set & 26) != 26;
        l.expected[set] = tree ? 1.0 / 8 : 0;
    }
    draw_law(context, graph, "loop_erased_walk", "induced=0", 4, true, &l);
    check_law(&l, RUNS, "loop_erased_walk");
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- edges ---- */

/* The edge behind a step from v to w in the undirected view. */
static int step_edge(const ga_graph *g, int64_t v, int64_t w)
{
    return has_edge(g, v, w) ? edge_number(g, v, w) : edge_number(g, w, v);
}

/* p[e]: of a single draw; two by successive draws without replacement. */
static void two_edges(const double *p, law *l)
{
    memset(l->expected, 0, sizeof l->expected);
    for (int a = 0; a < EDGES; a++) {
        for (int b = 0; b < EDGES; b++) {
            if (a != b) {
                l->expected[1u << a | 1u << b] += p[a] * p[b] / (1 - p[a]);
            }
        }
    }
}

static void edge_law(ga_context *context, const ga_graph *graph, const char *method, const char *parameters,
                     int64_t size, law *l)
{
    draw_law(context, graph, method, parameters, size, true, l);
    check_law(l, RUNS, method);
}

START_TEST(edges)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 6);
    law l;
    double p[EDGES], degree[6] = { 0 };
    for (int e = 0; e < EDGES; e++) {
        degree[from[e]]++;
        degree[to[e]]++;
        p[e] = 1.0 / EDGES;
    }
    two_edges(p, &l);
    edge_law(context, graph, "edge", "", 2, &l);
    for (int e = 0; e < EDGES; e++) { /* the edges stand in the order of the rows */
        p[e] = (1 / degree[from[e]] + 1 / degree[to[e]]) / 5;
    }
    two_edges(p, &l);
    edge_law(context, graph, "node_edge", "", 2, &l);
    for (int e = 0; e < EDGES; e++) {
        p[e] = 0.3 * p[e] + 0.7 / EDGES;
    }
    two_edges(p, &l);
    edge_law(context, graph, "hybrid_edge", "probability=0.3", 2, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* All edges but one where the last ones are hardly ever drawn: between hubs of 1000, 1000 and 3000 leaves. The draws end
 * in a choice by keys. The edge that is left out is one of those two, with probabilities that are each other's weights. */
START_TEST(rare_edges)
{
    enum { LEAVES = 5000, HUBS = 3, ROUNDS = 400 };
    static uint32_t s[LEAVES + 2], t[LEAVES + 2];
    ga_context *context = plain_context(1);
    for (uint32_t i = 0; i < LEAVES; i++) {
        s[i] = i < 1000 ? 0 : i < 2000 ? 1 : 2;
        t[i] = HUBS + i;
    }
    s[LEAVES] = 0;
    t[LEAVES] = 1;
    s[LEAVES + 1] = 1;
    t[LEAVES + 1] = 2;
    ga_graph *graph = graph_of(context, LEAVES + HUBS, LEAVES + 2, s, t, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    call c;
    call_of(&c, "node_edge", "");
    c.options.rescale.ratio = (LEAVES + 1.0) / (LEAVES + 2.0);
    double first = 1.0 / 1001 + 1.0 / 1002, second = 1.0 / 1002 + 1.0 / 3001, p = second / (first + second);
    int64_t without_first = 0, without_second = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        ga_graph *sample = NULL;
        int64_t *donors = NULL;
        ga_context_set_seed(context, seed);
        must_sample(context, graph, &c, &sample, &donors);
        ck_assert_int_eq(sample->edges, LEAVES + 1);
        without_first += sample->nodes == LEAVES + HUBS && !has_edge(sample, 0, 1);
        without_second += sample->nodes == LEAVES + HUBS && !has_edge(sample, 1, 2);
        ga_free(context, donors);
        ga_graph_destroy(context, sample);
    }
    ck_assert_int_ge(without_first + without_second, ROUNDS - 5);
    double error = fabs((double)without_first / ROUNDS - p);
    ck_assert_msg(error < 5 * sqrt(p * (1 - p) / ROUNDS), "%lld of %d without the first edge, expected %g",
                  (long long)without_first, ROUNDS, p);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(frontiers)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = small_graph(context, 5);
    law l;
    double sum = 0;
    memset(l.expected, 0, sizeof l.expected);
    for (int64_t a = 0; a < 5; a++) {
        for (int64_t b = 0; b < 5; b++) {
            double total = (double)(links(graph, BOTH_WAYS, a) + links(graph, BOTH_WAYS, b));
            for (int64_t w = 0; w < 5; w++) { /* d / total, then 1 / d */
                if (linked(graph, BOTH_WAYS, a, w)) {
                    l.expected[1u << step_edge(graph, a, w)] += 1 / (25 * total);
                }
                if (linked(graph, BOTH_WAYS, b, w)) {
                    l.expected[1u << step_edge(graph, b, w)] += 1 / (25 * total);
                }
            }
        }
    }
    edge_law(context, graph, "frontier", "walkers=2", 1, &l);
    ga_graph_destroy(context, graph);
    /* one walker that jumps with probability b / (b + d): it steps from v with weight d / (b + d) */
    graph = small_graph(context, 6);
    memset(l.expected, 0, sizeof l.expected);
    for (int64_t v = 0; v < 6; v++) {
        double d = (double)links(graph, BOTH_WAYS, v);
        sum += d / (2 + d);
        for (int64_t w = 0; w < 6; w++) {
            if (linked(graph, BOTH_WAYS, v, w)) {
                l.expected[1u << step_edge(graph, v, w)] += 1 / (2 + d);
            }
        }
    }
    for (int i = 0; i < SETS; i++) {
        l.expected[i] /= sum;
    }
    edge_law(context, graph, "directed_frontier", "walkers=1 jump_weight=2", 1, &l);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classical laws");
    TCase *all = tcase_create("laws");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, two_nodes);
    tcase_add_test(all, three_nodes);
    tcase_add_test(all, circulated_walk_takes_turns);
    tcase_add_test(all, degree_and_ties);
    tcase_add_test(all, shortest_paths);
    tcase_add_test(all, pies);
    tcase_add_test(all, loop_erased_walks_make_uniform_trees);
    tcase_add_test(all, edges);
    tcase_add_test(all, rare_edges);
    tcase_add_test(all, frontiers);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
