/* check_graph_build.c - edges to rows against a plain reference, the transpose, degrees. */
#include "config.h"

#include "check_graph.h"

#include "lib/base/workers.h"

/* ---- the reference: sort, then apply the policies by their definitions ---- */

typedef struct edge {
    uint64_t source, target;
    float weight;
    int64_t order;
} edge;

static int by_ends(const void *left, const void *right)
{
    const edge *a = left, *b = right;
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    if (a->target != b->target) {
        return a->target < b->target ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

typedef struct reference {
    edge *edges;
    int64_t count, loops, duplicates;
    bool refused;
} reference;

/* Sorts edges in place. */
static reference refer(edge *edges, int64_t count, ga_loops loops, ga_multi multi)
{
    reference r = { .edges = malloc(((size_t)count + 1) * sizeof(edge)) };
    qsort(edges, (size_t)count, sizeof *edges, by_ends);
    for (int64_t i = 0, end; i < count; i = end) {
        double sum = 0;
        bool loop = edges[i].source == edges[i].target;
        for (end = i;
             end < count && edges[end].source == edges[i].source && edges[end].target == edges[i].target;
             end++) {
            sum += (double)edges[end].weight;
        }
        r.loops += loop;
        r.duplicates += loop ? 0 : end - i - 1;
        r.refused = r.refused || (loop && loops == GA_LOOPS_ERROR) ||
                    (end - i > 1 && multi == GA_MULTI_ERROR && (!loop || loops == GA_LOOPS_KEEP));
        if (loop && loops != GA_LOOPS_KEEP) {
            continue;
        }
        for (int64_t j = i; j < (multi == GA_MULTI_KEEP ? end : i + 1); j++) {
            r.edges[r.count] = edges[j];
            r.edges[r.count++].weight = multi == GA_MULTI_KEEP ? edges[j].weight : (float)sum;
        }
    }
    return r;
}

/* Few assertions: each writes to a file. */
static void same_as(const ga_csr *rows, const uint64_t *ids, const reference *r)
{
    ck_assert_int_eq(rows->nonzeros, r->count);
    ck_assert_int_eq(rows->offsets[0], 0);
    ck_assert_int_eq(rows->offsets[rows->rows], r->count);
    for (int64_t v = 0, e = 0; v < rows->rows; v++) {
        if (rows->offsets[v] > rows->offsets[v + 1]) {
            ck_abort_msg("row %lld ends before it begins", (long long)v);
        }
        for (; e < rows->offsets[v + 1]; e++) {
            uint64_t source = ids ? ids[v] : (uint64_t)v,
                     target = ids ? ids[rows->targets[e]] : rows->targets[e];
            if (source != r->edges[e].source || target != r->edges[e].target ||
                (rows->weights && rows->weights[e] != r->edges[e].weight)) {
                ck_abort_msg("edge %lld is %llu -> %llu, expected %llu -> %llu", (long long)e,
                             (unsigned long long)source, (unsigned long long)target,
                             (unsigned long long)r->edges[e].source, (unsigned long long)r->edges[e].target);
            }
        }
    }
}

/* ---- random edges of several kinds ---- */

typedef enum kind { EVEN, SKEWED, STAR_OUT, STAR_IN, ONE_EDGE, KINDS } kind;

static edge random_edge(ga__random *random, kind k, uint64_t nodes)
{
    uint64_t a = ga__random_below(random, nodes), b = ga__random_below(random, nodes);
    if (k == SKEWED) {
        a = ga__random_below(random, ga__random_below(random, a + 1) + 1);
        b = ga__random_below(random, b + 1);
    }
    a = k == STAR_OUT || k == ONE_EDGE ? nodes / 3 : a;
    b = k == STAR_IN || k == ONE_EDGE ? nodes - 1 : b;
    return (edge){ a, b, (float)ga__random_below(random, 64) / 4, 0 };
}

static edge *random_edges(kind k, int64_t count, uint64_t nodes)
{
    ga__random random = ga__random_at(11, GA__RANDOM_TEST, (uint64_t)k);
    edge *edges = malloc(((size_t)count + 1) * sizeof *edges);
    for (int64_t i = 0; i < count; i++) {
        edges[i] = random_edge(&random, k, nodes);
        edges[i].order = i;
    }
    return edges;
}

typedef struct edge_arrays {
    const edge *edges;
    int64_t count;
} edge_arrays;

enum { PART = 1000 };

static int64_t part_of_edges(void *user, int64_t block, int bits, uint64_t *keys, float *weights)
{
    const edge_arrays *a = user;
    int64_t begin = block * PART, count = ga__min(PART, a->count - begin);
    for (int64_t i = 0; i < count; i++) {
        keys[i] = a->edges[begin + i].source << bits | a->edges[begin + i].target;
        if (weights) {
            weights[i] = a->edges[begin + i].weight;
        }
    }
    return count;
}

static ga_status build(ga_context *context, const edge *edges, int64_t count, int64_t nodes, ga_loops loops,
                       ga_multi multi, bool weights, ga__csr_result *result)
{
    edge_arrays a = { edges, count };
    ga__edge_source source = { .blocks = (count + PART - 1) / PART,
                               .edges = count,
                               .widest = PART,
                               .largest_id = nodes > 0 ? (uint32_t)(nodes - 1) : 0,
                               .block = part_of_edges,
                               .user = &a };
    ga__csr_policy policy = { loops, multi, weights, NULL };
    return ga__csr_build(context, nodes, &source, &policy, result);
}

static void free_result(ga_context *context, ga__csr_result *result)
{
    ga_free(context, result->offsets);
    ga_free(context, result->targets);
    ga_free(context, result->weights);
    *result = (ga__csr_result){ 0 };
}

static void check_policies(kind k, int64_t count, int64_t nodes)
{
    static const int threads[] = { 1, 2, 3, 7 };
    edge *edges = random_edges(k, count, (uint64_t)nodes),
         *sorted = malloc(((size_t)count + 1) * sizeof *sorted);
    for (int policy = 0; policy<9; policy += count> 50000 ? 4 : 1) { /* the large ones: drop, keep, refuse */
        ga_loops loops = (ga_loops)(policy % 3);
        ga_multi multi = (ga_multi)(policy / 3);
        memcpy(sorted, edges, (size_t)count * sizeof *edges);
        reference r = refer(sorted, count, loops, multi);
        for (int i = 0; i < 8; i++) {
            ga_context *context = plain_context(threads[i % 4]);
            ga__csr_result result = { 0 };
            ck_assert_int_eq(build(context, edges, count, nodes, loops, multi, i >= 4, &result), GA_OK);
            ck_assert_int_eq(result.listed, count);
            ck_assert_int_eq(result.refused, r.refused);
            if (!r.refused) {
                ga_csr rows = { nodes, result.edges, result.offsets, result.targets, result.weights };
                ck_assert_int_eq(result.loops, r.loops);
                ck_assert_int_eq(result.duplicates, r.duplicates);
                ck_assert_int_eq(result.weights != NULL, i >= 4);
                same_as(&rows, NULL, &r);
            }
            free_result(context, &result);
            done_with(context);
        }
        free(r.edges);
    }
    free(edges);
    free(sorted);
}

/* The edge that a policy refuses is the first in order, for any number of threads. */
START_TEST(refuses_the_first)
{
    for (int threads = 1; threads < 6; threads++) {
        ga_context *context = plain_context(threads);
        edge *edges = random_edges(EVEN, 300000, 1000);
        ga__csr_result result = { 0 };
        ck_assert_int_eq(
            build(context, edges, 300000, 1000, GA_LOOPS_ERROR, GA_MULTI_COLLAPSE, false, &result), GA_OK);
        ck_assert(result.refused && result.refused_loop);
        uint32_t least = UINT32_MAX;
        for (int64_t i = 0; i < 300000; i++) {
            least = edges[i].source == edges[i].target && edges[i].source < least ? (uint32_t)edges[i].source
                                                                                  : least;
        }
        ck_assert_uint_eq(result.source, least);
        ck_assert_uint_eq(result.target, least);
        ck_assert_ptr_null(result.offsets);
        free(edges);
        done_with(context);
    }
}
END_TEST

START_TEST(builds)
{
    static const struct {
        int64_t count, nodes;
    } sizes[] = { { 0, 0 },      { 0, 5 },     { 1, 1 },         { 39, 7 },        { 41, 7 },
                  { 5000, 300 }, { 40000, 5 }, { 70000, 70000 }, { 150000, 3000 }, { 140000, 300000 } };
    if (sizes[_i / KINDS].nodes > 0 || sizes[_i / KINDS].count == 0) {
        check_policies((kind)(_i % KINDS), sizes[_i / KINDS].count, sizes[_i / KINDS].nodes);
    }
}
END_TEST

/* Ids near the end of 32 bits: keys use all 64 bits. */
START_TEST(widest_keys)
{
    enum { COUNT = 200000 };
    edge *edges = random_edges(EVEN, COUNT, UINT64_C(4294967296)), *sorted = malloc(COUNT * sizeof *edges);
    edges[7] = (edge){ UINT32_MAX, UINT32_MAX - 1, 1, 7 };
    edges[8] = (edge){ 0, 0, 1, 8 };
    memcpy(sorted, edges, COUNT * sizeof *edges);
    reference r = refer(sorted, COUNT, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    char *text = malloc(COUNT * 24);
    size_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        at += (size_t)sprintf(text + at, "%llu %llu\n", (unsigned long long)edges[i].source,
                              (unsigned long long)edges[i].target);
    }
    const char *path = file_of("wide.txt", text, at);
    for (int threads = 1; threads < 4; threads++) {
        ga_context *context = plain_context(threads);
        ga_graph *graph = NULL;
        ga_read_options o = GA_READ_OPTIONS_INIT;
        o.loops = GA_LOOPS_KEEP;
        o.multi = GA_MULTI_KEEP;
        ck_assert_int_eq(ga_graph_read(context, path, &o, &graph, NULL), GA_OK);
        ga_csr out = ga_graph_out(graph);
        same_as(&out, ga_graph_ids(graph), &r);
        ga_graph_destroy(context, graph);
        done_with(context);
    }
    free(text);
    free(r.edges);
    free(sorted);
    free(edges);
}
END_TEST

/* ---- graphs ---- */

static void split_ends(const edge *edges, int64_t count, uint32_t **sources, uint32_t **targets)
{
    *sources = malloc(((size_t)count + 1) * 4);
    *targets = malloc(((size_t)count + 1) * 4);
    for (int64_t i = 0; i < count; i++) {
        (*sources)[i] = (uint32_t)edges[i].source;
        (*targets)[i] = (uint32_t)edges[i].target;
    }
}

START_TEST(transposes_and_counts)
{
    static const int64_t sizes[][2] = { { 0, 4 }, { 3000, 50 }, { 200000, 1000 }, { 300000, 200000 } };
    int64_t count = sizes[_i / KINDS][0], nodes = sizes[_i / KINDS][1];
    edge *edges = random_edges((kind)(_i % KINDS), count, (uint64_t)nodes);
    uint32_t *sources, *targets;
    split_ends(edges, count, &sources, &targets);
    for (int threads = 1; threads <= 5; threads += 2) {
        ga_context *context = plain_context(threads);
        ga_graph *graph = NULL;
        ck_assert_int_eq(ga_graph_from_edges(context, nodes, count, sources, targets, NULL, GA_LOOPS_KEEP,
                                             GA_MULTI_KEEP, &graph),
                         GA_OK);
        uint32_t *degrees = calloc((size_t)nodes * 4, 4), *out = degrees + nodes, *in = out + nodes,
                 *again = in + nodes;
        for (int64_t i = 0; i < count; i++) {
            degrees[sources[i]]++;
        }
        ck_assert_int_eq(ga_graph_degrees(context, graph, out, in), GA_OK);
        ck_assert_int_eq(memcmp(degrees, out, (size_t)nodes * 4), 0);
        memset(degrees, 0, (size_t)nodes * 4);
        for (int64_t i = 0; i < count; i++) {
            degrees[targets[i]]++;
        }
        ck_assert_int_eq(memcmp(degrees, in, (size_t)nodes * 4), 0);
        edge *turned = malloc(((size_t)count + 1) * sizeof *turned);
        for (int64_t i = 0; i < count; i++) {
            turned[i] = (edge){ targets[i], sources[i], 0, i };
        }
        reference r = refer(turned, count, GA_LOOPS_KEEP, GA_MULTI_KEEP);
        ga_csr rows, second;
        ck_assert_int_eq(ga_graph_in(context, graph, &rows), GA_OK);
        same_as(&rows, NULL, &r);
        ck_assert_int_eq(ga_graph_in(context, graph, &second), GA_OK);
        ck_assert_ptr_eq(rows.targets, second.targets);
        ck_assert_int_eq(ga_graph_degrees(context, graph, NULL, again), GA_OK);
        ck_assert_int_eq(memcmp(in, again, (size_t)nodes * 4), 0);
        free(r.edges);
        free(turned);
        free(degrees);
        ga_graph_destroy(context, graph);
        done_with(context);
    }
    free(sources);
    free(targets);
    free(edges);
}
END_TEST

START_TEST(arguments)
{
    ga_context *context = plain_context(1);
    ga_graph *graph = NULL;
    static const uint32_t ends[] = { 0, 1, 2 };
    static const uint64_t ids[] = { 4, 4, 9 }, plain[] = { 0, 1, 2 };
    ck_assert_int_eq(ga_graph_from_edges(context, 2, 3, ends, ends, NULL, 0, 0, &graph), GA_INVALID);
    ck_assert_ptr_nonnull(strstr(ga_context_error(context), "edge 2 is 2 -> 2"));
    ck_assert_int_eq(ga_graph_from_edges(context, 3, 3, ends, ends, ids, 0, 0, &graph), GA_INVALID);
    ck_assert_int_eq(ga_graph_from_edges(context, -1, 0, ends, ends, NULL, 0, 0, &graph), GA_INVALID);
    ck_assert_int_eq(ga_graph_from_edges(context, 3, -1, ends, ends, NULL, 0, 0, &graph), GA_INVALID);
    ck_assert_int_eq(ga_graph_from_edges(context, INT64_C(1) << 33, 0, ends, ends, NULL, 0, 0, &graph),
                     GA_INVALID);
    ck_assert_int_eq(ga_graph_from_edges(context, 3, 3, ends, ends, NULL, GA_LOOPS_ERROR, 0, &graph),
                     GA_FORMAT);
    ck_assert_ptr_null(graph);
    ck_assert_int_eq(ga_graph_from_edges(context, 3, 3, ends, ends, plain, GA_LOOPS_KEEP, 0, &graph), GA_OK);
    ck_assert_ptr_null(ga_graph_ids(graph));
    ck_assert_int_eq(ga_graph_edges(graph), 3);
    ga_graph_destroy(context, graph);
    ga_graph_destroy(context, NULL);
    done_with(context);
}
END_TEST

/* A made-up view with degrees beyond 32 bits: no array of that length is needed to see it. */
START_TEST(degrees_beyond_32_bits)
{
    int64_t offsets[] = { 0, INT64_C(4294967295), INT64_C(4294967295) + INT64_C(4294967296) };
    ga_graph graph = { .nodes = 2, .edges = offsets[2], .out_offsets = offsets };
    uint32_t degrees[2];
    ga_context *context = plain_context(2);
    ck_assert_int_eq(ga_graph_degrees(context, &graph, degrees, NULL), GA_UNSUPPORTED);
    offsets[2]--;
    ck_assert_int_eq(ga_graph_degrees(context, &graph, degrees, NULL), GA_OK);
    ck_assert_uint_eq(degrees[1], UINT32_MAX);
    done_with(context);
}
END_TEST

START_TEST(pairs_to_rows)
{
    enum { COUNT = 100000, NODES = 777 };
    edge *edges = random_edges(SKEWED, COUNT, NODES);
    ga__pair *pairs = malloc(COUNT * sizeof *pairs);
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = (ga__pair){ (uint32_t)edges[i].source, (uint32_t)edges[i].target };
    }
    reference r = refer(edges, COUNT, GA_LOOPS_KEEP, GA_MULTI_KEEP);
    ga_context *context = plain_context(3);
    int64_t *offsets = NULL;
    uint32_t *targets = NULL;
    ck_assert_int_eq(ga__pairs_to_csr(context, NODES, COUNT, pairs, &offsets, &targets), GA_OK);
    ga_csr rows = { NODES, COUNT, offsets, targets, NULL };
    same_as(&rows, NULL, &r);
    ga_free(context, offsets);
    ga_free(context, targets);
    done_with(context);
    free(pairs);
    free(r.edges);
    free(edges);
}
END_TEST

START_TEST(prefix_sums)
{
    static const int64_t sizes[] = { 0, 1, 65535, 65536, 65537, 300001 };
    for (int i = 0; i < 6; i++) {
        ga_context *context = plain_context(3);
        int64_t *offsets = malloc(((size_t)sizes[i] + 1) * 8), sum = 0;
        for (int64_t v = 0; v < sizes[i]; v++) {
            offsets[v + 1] = v * 7 % 13;
        }
        offsets[0] = -99;
        ck_assert_int_eq(ga__prefix_sum(context, offsets, sizes[i]), GA_OK);
        bool right = true;
        for (int64_t v = 0; v <= sizes[i]; v++) {
            right = right && offsets[v] == sum;
            sum += v * 7 % 13;
        }
        ck_assert(right);
        free(offsets);
        done_with(context);
    }
}
END_TEST

/* ---- failing ---- */

/* Small enough for many tries, large enough to be split (and, with one source, split again). */
START_TEST(allocation_failures)
{
    enum { COUNT = 150000 };
    edge *edges = random_edges(_i < 2 ? EVEN : STAR_OUT, COUNT, 100000);
    uint32_t *sources, *targets;
    split_ends(edges, COUNT, &sources, &targets);
    for (int once = 0; once < 2; once++) {
        ga_status status = GA_NOMEM;
        for (int64_t k = 0; status != GA_OK; k++) {
            meter m = { .fail_at = k, .once = once };
            ga_context *context = metered_context(&m);
            ck_assert_int_eq(ga_context_set_threads(context, 3), GA_OK);
            ga_graph *graph = NULL;
            m.calls = 0;
            status = _i % 2 == 0
                         ? ga_graph_from_edges(context, 100000, COUNT, sources, targets, NULL, 0, 0, &graph)
                         : GA_OK;
            if (_i % 2 == 1) { /* the transpose */
                m.fail_at = -1;
                ck_assert_int_eq(
                    ga_graph_from_edges(context, 100000, COUNT, sources, targets, NULL, 0, 0, &graph), GA_OK);
                ga_csr in = { -1, -1, NULL, NULL, NULL };
                uint32_t *degrees = malloc(100000 * 4);
                m.fail_at = m.calls + k;
                status = ga_graph_degrees(context, graph, NULL, degrees);
                if (status == GA_OK) {
                    status = ga_graph_in(context, graph, &in);
                }
                ck_assert((status == GA_OK) == (in.rows == 100000));
                free(degrees);
            } else {
                ck_assert((status == GA_OK) == (graph != NULL));
            }
            ck_assert(status == GA_OK || status == GA_NOMEM);
            ga_graph_destroy(context, graph);
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(k, 1000);
        }
    }
    free(sources);
    free(targets);
    free(edges);
}
END_TEST

START_TEST(memory_limit)
{
    enum { COUNT = 200000 };
    edge *edges = random_edges(EVEN, COUNT, 1000);
    uint32_t *sources, *targets;
    split_ends(edges, COUNT, &sources, &targets);
    bool refused = false, done = false;
    for (int64_t limit = 1 << 16; !done; limit *= 2) {
        ga_context *context = plain_context(2);
        ga_graph *graph = NULL;
        int64_t peak;
        ga_context_set_memory_limit(context, limit);
        ga_status status = ga_graph_from_edges(context, 1000, COUNT, sources, targets, NULL, 0, 0, &graph);
        ga_context_memory(context, NULL, &peak);
        ck_assert_int_le(peak, limit);
        ck_assert(status == GA_OK || status == GA_LIMIT);
        refused = refused || status == GA_LIMIT;
        done = status == GA_OK;
        ga_graph_destroy(context, graph);
        done_with(context);
        ck_assert_int_lt(limit, 1 << 28);
    }
    ck_assert(refused);
    free(sources);
    free(targets);
    free(edges);
}
END_TEST

static int64_t asked, stop_at;
static int stop_later(void *user)
{
    (void)user;
    return __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) > stop_at;
}

START_TEST(cancels)
{
    enum { COUNT = 300000 };
    edge *edges = random_edges(EVEN, COUNT, 100000);
    ga_status status = GA_CANCELLED;
    for (stop_at = 0; status != GA_OK; stop_at += 7) {
        ga_context *context = plain_context(3);
        ga__csr_result result = { 0 };
        asked = 0;
        ga_context_set_cancel(context, stop_later, NULL);
        status = build(context, edges, COUNT, 100000, GA_LOOPS_DROP, GA_MULTI_COLLAPSE, false, &result);
        ck_assert(status == GA_OK || status == GA_CANCELLED);
        ck_assert((status == GA_OK) == (result.offsets != NULL));
        free_result(context, &result);
        done_with(context);
    }
    ck_assert_int_gt(stop_at, 100);
    free(edges);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("building rows");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 0);
    tcase_add_unchecked_fixture(all, make_folder, remove_folder);
    tcase_add_loop_test(all, builds, 0, 10 * KINDS);
    tcase_add_test(all, refuses_the_first);
    tcase_add_test(all, widest_keys);
    tcase_add_loop_test(all, transposes_and_counts, 0, 4 * KINDS);
    tcase_add_test(all, arguments);
    tcase_add_test(all, degrees_beyond_32_bits);
    tcase_add_test(all, pairs_to_rows);
    tcase_add_test(all, prefix_sums);
    tcase_add_loop_test(all, allocation_failures, 0, 4);
    tcase_add_test(all, memory_limit);
    tcase_add_test(all, cancels);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
