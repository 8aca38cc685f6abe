/* check_batches.c - mini-batches: what each method promises, by definition. */
#include "config.h"

#include "tests/unit/sampling/check_batches.h"

static const char *const direction_words[] = { "out", "in", "both" };

static void all_nodes(int64_t *seeds)
{
    for (int64_t v = 0; v < NODES; v++) {
        seeds[v] = (v * 37) % NODES;
    }
}

/* Rows of a target, and the place of the first of them; sources are neighbours, ascending. */
static int64_t rows_of(const ga_graph *g, ga__direction direction, const ga_batch *b,
                       const ga_batch_layer *layer, int64_t target, int64_t *first, bool repeats)
{
    int64_t count = 0;
    for (int64_t e = 0; e < layer->edges; e++) {
        if (layer->targets[e] != target) {
            continue;
        }
        int64_t u = b->nodes[layer->sources[e]], before = count ? b->nodes[layer->sources[e - 1]] : -1;
        *first = count ? *first : e;
        ck_assert(near_by(g, direction, u, b->nodes[target]));
        ck_assert_int_eq(e, *first + count);
        ck_assert(u > before || (repeats && u == before));
        count++;
    }
    return count;
}

static void nodes_differ(const ga_graph *g, const ga_batch *b)
{
    bool seen[NODES] = { false };
    for (int64_t i = 0; i < b->node_count; i++) {
        ck_assert(b->nodes[i] >= 0 && b->nodes[i] < g->nodes && !seen[b->nodes[i]]);
        seen[b->nodes[i]] = true;
    }
}

/* How many nodes are in the batch behind layer i: all up to the last source of it. */
static int64_t nodes_behind(const ga_batch_layer *layer, int64_t before)
{
    int64_t count = before;
    for (int64_t e = 0; e < layer->edges; e++) {
        count = layer->sources[e] >= count ? layer->sources[e] + 1 : count;
    }
    return count;
}

/* ---- fanout, vrgcn ---- */

static void check_fanout(const ga_graph *g, ga__direction direction, const ga_batch *b, int64_t seeds,
                         const int64_t *fanout, int layers, bool replace)
{
    int64_t targets = seeds;
    nodes_differ(g, b);
    for (int i = 0; i < layers; i++) {
        const ga_batch_layer *layer = &b->layers[i];
        int64_t total = 0;
        ck_assert_int_eq(layer->number, i + 1);
        for (int64_t t = 0; t < targets; t++) {
            int64_t d = degree_of(g, direction, b->nodes[t]), f = fanout[i], first = 0;
            int64_t most = f < 0 ? d : replace ? (d ? f : 0) : ga__min(f, d);
            int64_t found = rows_of(g, direction, b, layer, t, &first, replace);
            ck_assert_int_eq(found, most);
            for (int64_t e = first; e < first + found; e++) {
                ck_assert_double_eq_tol(layer->weights[e], (double)d / (double)found, 1e-12);
            }
            total += found;
        }
        ck_assert_int_eq(total, layer->edges);
        targets = nodes_behind(layer, targets);
    }
}

START_TEST(fanouts)
{
    static const int64_t lists[][2] = { { 4, 3 }, { 1, -1 }, { 100, 2 } };
    static const char *const texts[] = { "fanout=4,3", "fanout=1,-1", "fanout=100,2" };
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(2);
    all_nodes(seeds);
    for (int kept_loops = 0; kept_loops < 2; kept_loops++) {
        ga_graph *graph = mixed_graph(context, kept_loops ? GA_LOOPS_KEEP : GA_LOOPS_DROP,
                                      kept_loops ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE);
        for (int i = 0; i < 3 * 3 * 2; i++) {
            ga__direction direction = (ga__direction)(i % 3);
            char text[128];
            snprintf(text, sizeof text, "%s direction=%s replace=%d", texts[i / 3 % 3],
                     direction_words[direction], i / 9);
            ga_batches *all = opened(context, graph, "fanout", text, 9, seeds, NODES);
            ck_assert_int_eq(ga_batches_count(all), 8);
            for (int64_t n = 0; n < 8; n++) {
                const ga_batch *b = next_of(context, all);
                ck_assert_int_eq(b->number, n);
                ck_assert_int_eq(b->nodes[0], seeds[9 * n]);
                check_fanout(graph, direction, b, n == 7 ? 7 : 9, lists[i / 3 % 3], 2, i / 9);
            }
            ck_assert_ptr_null(next_of(context, all));
            ga_batches_destroy(context, all);
        }
        ga_graph_destroy(context, graph);
    }
    done_with(context);
}
END_TEST

START_TEST(history)
{
    static const int64_t fanout[] = { 2, 2 };
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(1);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    ga_batches *all = opened(context, graph, "vrgcn", "", 5, seeds, NODES);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        const ga_batch_layer *layer = &b->layers[2];
        check_fanout(graph, GA__IN, b, 5, fanout, 2, false);
        ck_assert_int_eq(b->layer_count, 3);
        ck_assert_int_eq(layer->number, 0);
        int64_t targets = nodes_behind(&b->layers[0], 5), total = 0, first = 0;
        for (int64_t t = 0; t < targets; t++) {
            int64_t d = degree_of(graph, GA__IN, b->nodes[t]);
            ck_assert_int_eq(rows_of(graph, GA__IN, b, layer, t, &first, false), d);
            ck_assert(d == 0 || fabs(layer->weights[first] * (double)d - 1) < 1e-12);
            total += d;
        }
        ck_assert_int_eq(total, layer->edges);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- labor: who is kept for a target of degree d is kept for all of no larger degree, in all layers ---- */

START_TEST(shared_neighbours)
{
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    ga_batches *all = opened(context, graph, "labor", "fanout=3,3", 10, seeds, NODES);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        double most_kept[NODES] = { 0 }; /* largest degree for which a node is kept */
        int64_t targets = 10, first = 0;
        nodes_differ(graph, b);
        for (int pass = 0; pass < 2; pass++) {
            targets = 10;
            for (int i = 0; i < 2; i++) {
                const ga_batch_layer *layer = &b->layers[i];
                for (int64_t t = 0; t < targets; t++) {
                    int64_t v = b->nodes[t], d = degree_of(graph, GA__IN, v);
                    int64_t rows = rows_of(graph, GA__IN, b, layer, t, &first, false), found = 0;
                    for (int64_t e = first; e < first + rows; e++) {
                        double *most = &most_kept[b->nodes[layer->sources[e]]];
                        *most = pass ? *most : fmax(*most, (double)d);
                        ck_assert_double_eq_tol(layer->weights[e], fmax(1, (double)d / 3), 1e-12);
                    }
                    for (int64_t u = 0; u < NODES; u++) {
                        found += near_by(graph, GA__IN, u, v) && (d <= 3 || most_kept[u] >= (double)d);
                    }
                    ck_assert(pass == 0 || rows == found);
                }
                targets = nodes_behind(layer, targets);
            }
        }
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- ladies, fastgcn: P and laws by definition ---- */

typedef struct dense {
    double p[NODES][NODES], column[NODES], total; /* p[v][u]; squared norms over the targets */
} dense;

static void define(const ga_graph *g, ga__direction direction, bool sym, const ga_batch *b, int64_t targets,
                   dense *m)
{
    double degree[NODES];
    memset(m, 0, sizeof *m);
    for (int64_t v = 0; v < NODES; v++) {
        degree[v] = (double)degree_of(g, sym ? GA__BOTH : direction, v);
    }
    for (int64_t v = 0; v < NODES; v++) {
        for (int64_t u = 0; u < NODES; u++) {
            bool link = near_by(g, sym ? GA__BOTH : direction, u, v) || (sym && u == v);
            m->p[v][u] = !link ? 0 : sym ? 1 / sqrt((degree[v] + 1) * (degree[u] + 1)) : 1 / degree[v];
        }
    }
    for (int64_t t = 0; t < targets; t++) {
        for (int64_t u = 0; u < NODES; u++) {
            m->column[u] += pow(m->p[b ? b->nodes[t] : t][u], 2);
        }
    }
    for (int64_t u = 0; u < NODES; u++) {
        m->total += m->column[u];
    }
}

static void check_ladies(const dense *m, const ga_batch *b, const ga_batch_layer *layer, int64_t targets,
                         int64_t size)
{
    bool drawn[NODES] = { false };
    int64_t count = 0, candidates = 0, at = 0;
    for (int64_t e = 0; e < layer->edges; e++) {
        drawn[b->nodes[layer->sources[e]]] = true;
    }
    for (int64_t u = 0; u < NODES; u++) {
        count += drawn[u];
        candidates += m->column[u] > 0;
    }
    ck_assert_int_eq(count, ga__min(size, candidates));
    for (int64_t t = 0; t < targets; t++) {
        double sum = 0;
        for (int64_t u = 0; u < NODES; u++) {
            sum += drawn[u] ? m->p[b->nodes[t]][u] / m->column[u] * (m->column[u] > 0) : 0;
        }
        for (int64_t u = 0; u < NODES; u++) {
            if (drawn[u] && m->p[b->nodes[t]][u] > 0) {
                ck_assert_int_lt(at, layer->edges);
                ck_assert_int_eq(layer->targets[at], t);
                ck_assert_int_eq(b->nodes[layer->sources[at]], u);
                ck_assert_double_eq_tol(layer->weights[at], m->p[b->nodes[t]][u] / m->column[u] / sum, 1e-9);
                at++;
            }
        }
    }
    ck_assert_int_eq(at, layer->edges);
}

static void check_fastgcn(const dense *m, const ga_batch *b, const ga_batch_layer *layer, int64_t targets,
                          int64_t size)
{
    int64_t draws[NODES] = { 0 }, most = 0, rows[NODES] = { 0 };
    for (int64_t e = 0; e < layer->edges; e++) { /* as often for every target */
        int64_t u = b->nodes[layer->sources[e]], v = b->nodes[layer->targets[e]];
        ck_assert_double_eq_tol(layer->weights[e], m->p[v][u] * m->total / m->column[u] / (double)size, 1e-9);
        rows[u]++;
    }
    for (int64_t u = 0; u < NODES; u++) {
        int64_t linked = 0;
        for (int64_t t = 0; t < targets; t++) {
            linked += m->p[b->nodes[t]][u] > 0;
        }
        ck_assert(linked > 0 ? rows[u] % linked == 0 : rows[u] == 0);
        draws[u] = linked ? rows[u] / linked : 0;
        most += draws[u];
    }
    ck_assert_int_le(most, size);
    ck_assert(targets < NODES || most == size);
}

static void check_important(ga_context *context, const ga_graph *g, ga__direction direction, bool sym,
                            bool ladies)
{
    int64_t seeds[NODES], sizes[] = { 8, 5 };
    char text[128];
    double *law = NULL;
    int64_t count = 0;
    dense m;
    all_nodes(seeds);
    snprintf(text, sizeof text, "layer_size=8,5 norm=%s direction=%s", sym ? "sym" : "row",
             direction_words[direction]);
    ga_batches *all = opened(context, g, ladies ? "ladies" : "fastgcn", text, 10, seeds, NODES);
    test_ok(context, ga_batches_probabilities(context, all, &law, &count));
    ck_assert_int_eq(count, NODES);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        int64_t targets = 10;
        for (int i = 0; i < 2; i++) {
            define(g, direction, sym, ladies ? b : NULL, ladies ? targets : NODES, &m);
            for (int64_t u = 0; i == 0 && b->number == 0 && u < NODES; u++) {
                ck_assert_double_eq_tol(law[u], m.column[u] / m.total, 1e-12);
            }
            (ladies ? check_ladies : check_fastgcn)(&m, b, &b->layers[i], targets, sizes[i]);
            targets = nodes_behind(&b->layers[i], targets);
        }
    }
    ga_free(context, law);
    ga_batches_destroy(context, all);
}

START_TEST(importance)
{
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (int i = 0; i < 12; i++) {
        check_important(context, graph, (ga__direction)(i % 3), i / 3 % 2, i / 6);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- induced methods ---- */

static void check_induced(const ga_graph *g, ga__direction direction, const ga_batch *b, bool ones)
{
    ck_assert_int_eq(b->layer_count, 1);
    ck_assert_int_eq(b->layers[0].number, 0);
    int64_t at = 0;
    for (int64_t i = 0; i < b->node_count; i++) {
        ck_assert(i == 0 || b->nodes[i] > b->nodes[i - 1]);
        for (int64_t j = 0; j < b->node_count; j++) {
            if (near_by(g, direction, b->nodes[j], b->nodes[i])) {
                ck_assert_int_lt(at, b->layers[0].edges);
                ck_assert_int_eq(b->layers[0].sources[at], j);
                ck_assert_int_eq(b->layers[0].targets[at], i);
                ck_assert(ones ? b->layers[0].weights[at] == 1 : b->layers[0].weights[at] >= 1);
                at++;
            }
        }
    }
    ck_assert_int_eq(at, b->layers[0].edges);
}

START_TEST(induced)
{
    static const char *const names[] = { "saint_node", "saint_edge", "saint_walk",
                                         "saint_mrw",  "cluster",    "shadow" };
    static const int64_t most[] = { 25, 30, 36, 20, NODES, NODES };
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    for (int i = 0; i < 18; i++) {
        char text[128];
        int m = i / 3;
        snprintf(text, sizeof text, "direction=%s %s", direction_words[i % 3], small_parameters(names[m]));
        ga_batches *all = opened(context, graph, names[m], text, 10, seeds, NODES);
        ck_assert_int_eq(ga_batches_count(all), m == 4 ? 5 : 7);
        for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
            check_induced(graph, (ga__direction)(i % 3), b, m >= 4);
            ck_assert_int_le(b->node_count, most[m]);
            ck_assert(m != 3 || b->node_count == 20);
            ck_assert_int_eq(b->norms != NULL, m < 4);
            for (int64_t j = 0; b->norms && j < b->node_count; j++) {
                ck_assert(b->norms[j] > 0 && b->norms[j] <= 1);
            }
        }
        ga_batches_destroy(context, all);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* With a budget that meets every node in every run nothing is left to be undone. */
START_TEST(all_of_the_graph)
{
    int64_t seed = 0;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_batches *all = opened(context, graph, "saint_mrw", "budget=1000000 walkers=2 coverage=3", 0, &seed, 1);
    const ga_batch *b = next_of(context, all);
    ck_assert_int_ge(b->node_count, 60);
    for (int64_t i = 0; i < b->node_count; i++) {
        ck_assert(b->norms[i] == 1 && degree_of(graph, GA__BOTH, b->nodes[i]) > 0);
    }
    check_induced(graph, GA__IN, b, true);
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

START_TEST(whole_surroundings)
{
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    all_nodes(seeds);
    ga_batches *all = opened(context, graph, "shadow", "fanout=-1 depth=3 direction=out", 1, seeds, NODES);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        bool in[NODES] = { false }, next[NODES];
        in[seeds[b->number]] = true;
        for (int round = 0; round < 3; round++) {
            memcpy(next, in, sizeof in);
            for (int64_t v = 0; v < NODES; v++) {
                for (int64_t u = 0; in[v] && u < NODES; u++) {
                    next[u] |= near_by(graph, GA__OUT, u, v);
                }
            }
            memcpy(in, next, sizeof in);
        }
        int64_t count = 0;
        for (int64_t v = 0; v < NODES; v++) {
            ck_assert(!in[v] || (count < b->node_count && b->nodes[count] == v));
            count += in[v];
        }
        ck_assert_int_eq(count, b->node_count);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- cluster ---- */

START_TEST(given_parts)
{
    int64_t parts[NODES], found[NODES] = { 0 };
    words c;
    ga_batches *all = NULL;
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    for (int64_t v = 0; v < NODES; v++) {
        parts[v] = v % 7 == 6 ? INT64_C(1) << 40 : 3 * (v % 7); /* seven parts */
    }
    words_of(&c, "parts_per_batch=3", 0);
    c.options.parts = parts;
    test_ok(context, ga_batches_create(context, graph, "cluster", &c.options, NULL, 0, &all));
    ck_assert_int_eq(ga_batches_count(all), 3);
    for (const ga_batch *b; (b = next_of(context, all)) != NULL;) {
        bool in[7] = { false };
        int64_t count = 0;
        for (int64_t i = 0; i < b->node_count; i++) {
            found[b->nodes[i]]++;
            in[b->nodes[i] % 7] = true;
        }
        for (int i = 0; i < 7; i++) {
            count += in[i];
        }
        ck_assert_int_eq(count, b->number == 2 ? 1 : 3);
        ck_assert_int_eq(b->node_count, 10 * count);
        check_induced(graph, GA__IN, b, true);
    }
    for (int64_t v = 0; v < NODES; v++) {
        ck_assert_int_eq(found[v], 1);
    }
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- ppr by its definition ---- */

static void scores_by_definition(const ga_graph *g, int64_t seed, double alpha, double *x)
{
    double now[NODES] = { 0 }, next[NODES];
    memset(x, 0, NODES * sizeof *x);
    now[seed] = 1;
    for (int step = 0; step < 600; step++) {
        memset(next, 0, sizeof next);
        for (int64_t v = 0; v < NODES; v++) {
            double d = (double)degree_of(g, GA__IN, v);
            x[v] += alpha * now[v];
            for (int64_t u = 0; u < NODES && now[v] > 0; u++) {
                next[u] += near_by(g, GA__IN, u, v) ? (1 - alpha) * now[v] / d : 0;
            }
        }
        memcpy(now, next, sizeof now);
    }
}

START_TEST(scores)
{
    int64_t seeds[] = { 3, 55, 61, 69, 20, 3, 0 };
    ga_context *context = test_threads_context(2);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_COLLAPSE);
    ga_batches *all = opened(context, graph, "ppr", "top_k=6 epsilon=1e-15 alpha=0.2", 0, seeds, 7);
    const ga_batch *b = next_of(context, all);
    const ga_batch_layer *layer = &b->layers[0];
    int64_t at = 0;
    for (int64_t t = 0; t < 6; t++) { /* node 3 counts once */
        double x[NODES];
        scores_by_definition(graph, b->nodes[t], 0.2, x);
        for (int64_t rank = 0; rank < 6; rank++) {
            int64_t best = 0;
            for (int64_t u = 1; u < NODES; u++) { /* agreeing to 9 decimals: the lower one */
                best = nearbyint(x[u] * 1e9) > nearbyint(x[best] * 1e9) ? u : best;
            }
            if (nearbyint(x[best] * 1e9) == 0) {
                break;
            }
            ck_assert_int_lt(at, layer->edges);
            ck_assert_int_eq(layer->targets[at], t);
            ck_assert_int_eq(b->nodes[layer->sources[at]], best);
            ck_assert_double_eq_tol(layer->weights[at], x[best], 1e-11);
            x[best] = 0;
            at++;
        }
    }
    ck_assert_int_eq(at, layer->edges);
    ga_batches_destroy(context, all);
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

/* ---- weights of edges ---- */

static double weight_of_link(const ga_graph *g, ga__direction direction, int64_t u, int64_t v)
{
    double sum = 0;
    for (int turn = 0; turn < 2; turn++) {
        int64_t from = turn ? v : u, to = turn ? u : v;
        for (int64_t e = g->out_offsets[from]; e < g->out_offsets[from + 1]; e++) {
            bool along = direction == GA__BOTH || (direction == GA__IN) == (turn == 0);
            sum += along && g->out_targets[e] == to ? (double)g->weights[e] : 0;
        }
    }
    return sum;
}

START_TEST(edge_weights)
{
    int64_t seeds[NODES];
    ga_context *context = test_threads_context(1);
    ga_graph *graph = mixed_graph(context, GA_LOOPS_DROP, GA_MULTI_KEEP);
    all_nodes(seeds);
    for (int i = 0; i < 3; i++) {
        char plain[64], weighted[64];
        snprintf(plain, sizeof plain, "direction=%s", direction_words[i]);
        snprintf(weighted, sizeof weighted, "weights=edge direction=%s", direction_words[i]);
        ga_batches *a = opened(context, graph, "fanout", plain, 10, seeds, NODES);
        ga_batches *w = opened(context, graph, "fanout", weighted, 10, seeds, NODES);
        for (const ga_batch *b; (b = next_of(context, a)) != NULL;) {
            const ga_batch *c = next_of(context, w);
            ck_assert_int_eq(b->layers[1].edges, c->layers[1].edges);
            for (int64_t e = 0; e < b->layers[1].edges; e++) {
                double factor = weight_of_link(graph, (ga__direction)i, b->nodes[b->layers[1].sources[e]],
                                               b->nodes[b->layers[1].targets[e]]);
                ck_assert_double_eq_tol(c->layers[1].weights[e], b->layers[1].weights[e] * factor, 1e-9);
            }
        }
        ga_batches_destroy(context, a);
        ga_batches_destroy(context, w);
    }
    ga_graph_destroy(context, graph);
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batches");
    TCase *test = tcase_create("methods");
    tcase_set_timeout(test, 600);
    tcase_add_test(test, fanouts);
    tcase_add_test(test, history);
    tcase_add_test(test, shared_neighbours);
    tcase_add_test(test, importance);
    tcase_add_test(test, induced);
    tcase_add_test(test, all_of_the_graph);
    tcase_add_test(test, whole_surroundings);
    tcase_add_test(test, given_parts);
    tcase_add_test(test, scores);
    tcase_add_test(test, edge_weights);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
