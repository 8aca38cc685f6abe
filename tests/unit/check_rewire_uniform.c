/* check_rewire_uniform.c - all realisations come out equally often: chi-square on spaces small enough to list. */
#include "config.h"

#include <math.h>

#include "tests/unit/check_rewire.h"

enum { NODES = 4, PLACES = NODES * (NODES - 1), GRAPHS = 1 << PLACES };

/* Bit b of a graph on four nodes: its edge. */
static void edge_of(int bit, uint32_t *source, uint32_t *target)
{
    *source = (uint32_t)(bit / (NODES - 1));
    *target = (uint32_t)(bit % (NODES - 1));
    *target += *target >= *source;
}

/* Standard normal deviate of a chi-square value (Wilson and Hilferty). */
static double deviate(double x, double freedom)
{
    return (cbrt(x / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
}

static const double LIMIT = 3.72; /* p = 1e-4 */

/* Degrees of all nodes, and the JDM; two graphs belong to one space if these are equal. */
typedef struct space {
    unsigned char out[NODES], in[NODES], jdm[NODES][NODES];
} space;

static space space_of(unsigned graph, ga_preserve preserve)
{
    space s = { .out = { 0 } };
    uint32_t u, v;
    for (int bit = 0; bit < PLACES; bit++) {
        edge_of(bit, &u, &v);
        s.out[u] = (unsigned char)(s.out[u] + (graph >> bit & 1));
        s.in[v] = (unsigned char)(s.in[v] + (graph >> bit & 1));
    }
    for (int bit = 0; preserve == GA_PRESERVE_JDM && bit < PLACES; bit++) {
        edge_of(bit, &u, &v);
        unsigned char *cell = &s.jdm[s.out[u]][s.in[v]];
        *cell = (unsigned char)(*cell + (graph >> bit & 1));
    }
    return s;
}

static ga_graph *graph_from_bits(ga_context *context, unsigned bits)
{
    uint32_t pair[PLACES][2];
    int64_t edges = 0;
    for (int bit = 0; bit < PLACES; bit++) {
        if (bits >> bit & 1) {
            edge_of(bit, &pair[edges][0], &pair[edges][1]);
            edges++;
        }
    }
    return graph_of(context, NODES, edges, (const uint32_t(*)[2])pair);
}

static unsigned bits_of(const ga_graph *graph)
{
    ga_csr rows = ga_graph_out(graph);
    unsigned bits = 0;
    for (int64_t v = 0; v < rows.rows; v++) {
        for (int64_t e = rows.offsets[v]; e < rows.offsets[v + 1]; e++) {
            int64_t target = rows.targets[e];
            bits |= 1u << (v * (NODES - 1) + target - (target > v));
        }
    }
    return bits;
}

/* As large graphs are rewired: classes are cut into groups of about one node. */
static unsigned rewire_in_pieces(ga_context *context, const ga_graph *graph, const ga_rewire_options *o)
{
    ga__rewiring r = { .context = context, .options = o, .graph = graph, .cut = 1 };
    unsigned bits = 0;
    test_ok(context, ga__rewiring_setup(&r));
    test_ok(context, ga__randomise(&r, (int64_t)o->swaps_per_edge * r.edges));
    for (int64_t e = 0; e < r.edges; e++) {
        unsigned source = r.slot[e].source, target = r.slot[e].target;
        bits |= 1u << (source * (NODES - 1) + target - (target > source));
    }
    ga__rewiring_clear(&r);
    return bits;
}

/* Runs with many seeds; returns the deviate. */
static double try_space(ga_context *context, unsigned start, int size, const space *law,
                        const ga_rewire_options *o, bool pieces)
{
    static int count[GRAPHS];
    ga_graph *graph = graph_from_bits(context, start);
    int runs = 60 * size + 300;
    double x = 0, each = (double)runs / size;
    memset(count, 0, sizeof count);
    for (int seed = 1; seed <= runs; seed++) {
        ga_graph *made = NULL;
        ga_context_set_seed(context, (uint64_t)seed);
        if (pieces) {
            count[rewire_in_pieces(context, graph, o)]++;
            continue;
        }
        test_ok(context, ga_rewire(context, graph, o, &made, NULL));
        count[bits_of(made)]++;
        ga_graph_destroy(context, made);
    }
    for (unsigned g = 0; g < GRAPHS; g++) {
        space s = space_of(g, o->preserve);
        if (memcmp(&s, law, sizeof s) == 0) {
            x += (count[g] - each) * (count[g] - each) / each;
        } else {
            ck_assert_int_eq(count[g], 0);
        }
    }
    ga_graph_destroy(context, graph);
    return deviate(x, size - 1);
}

static void try_spaces(ga_preserve preserve, int wanted, int step, bool pieces)
{
    ga_context *context = test_threads_context(1);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    int tried = 0;
    o.preserve = preserve;
    o.swaps_per_edge = pieces ? 600 : 100; /* many groups of one node, in which nothing moves */
    for (unsigned start = 37; tried < wanted; start = (start + (unsigned)step) % GRAPHS) {
        space law = space_of(start, preserve);
        int size = 0;
        for (unsigned g = 0; g < GRAPHS; g++) {
            space s = space_of(g, preserve);
            size += memcmp(&s, &law, sizeof s) == 0;
        }
        if (size > 1 && size <= 24) {
            double z = try_space(context, start, size, &law, &o, pieces);
            ck_assert_msg(z < LIMIT, "graph %x of %d: deviate %g", start, size, z);
            tried++;
        }
    }
    test_context_done(context, NULL);
}

START_TEST(uniform_with_the_matrices)
{
    try_spaces(GA_PRESERVE_JDM, 14, 611, false);
}
END_TEST

START_TEST(uniform_with_the_degrees)
{
    try_spaces(GA_PRESERVE_DEGREES, 8, 977, false);
}
END_TEST

START_TEST(uniform_in_pieces)
{
    try_spaces(GA_PRESERVE_JDM, 8, 611, true);
    try_spaces(GA_PRESERVE_DEGREES, 4, 977, true);
}
END_TEST

/* Two graphs, a swap apart: always swapping would lead to the same one for all seeds. */
START_TEST(no_going_round)
{
    enum { RUNS = 400 };
    static const uint32_t pair[][2] = { { 0, 2 }, { 1, 3 } };
    ga_context *context = test_threads_context(1);
    ga_graph *graph = graph_of(context, NODES, 2, pair);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    int same = 0;
    o.triples = 0;
    for (int seed = 1; seed <= RUNS; seed++) {
        ga_graph *made = NULL;
        ga_context_set_seed(context, (uint64_t)seed);
        test_ok(context, ga_rewire(context, graph, &o, &made, NULL));
        same += bits_of(made) == bits_of(graph);
        ga_graph_destroy(context, made);
    }
    ck_assert_msg(abs(same - RUNS / 2) < 4 * 10, "%d of %d", same, RUNS); /* four standard deviations */
    ga_graph_destroy(context, graph);
    test_context_done(context, NULL);
}
END_TEST

/* ---- the golden spaces: doubles cannot connect most of them ---- */

enum { LISTED = 8, LONGEST = 16 };

typedef struct edges {
    int count;
    uint32_t pair[LONGEST][2];
} edges;

static int read_pairs(const char *path, const char *form, edges *list)
{
    FILE *file = fopen(path, "r");
    char line[512];
    int lists = 0, used;
    unsigned u, v;
    ck_assert_ptr_nonnull(file);
    list[0].count = 0;
    while (fgets(line, sizeof line, file)) {
        const char *at = line;
        bool one_list = form[2] != '-';
        edges *to = &list[one_list ? 0 : lists];
        to->count = one_list ? to->count : 0;
        while (line[0] != '#' && sscanf(at, form, &u, &v, &used) == 2) {
            ck_assert_int_lt(to->count, LONGEST);
            to->pair[to->count][0] = u;
            to->pair[to->count++][1] = v;
            at += used;
        }
        lists += !one_list && to->count > 0;
        ck_assert_int_lt(lists, LISTED);
    }
    fclose(file);
    return lists;
}

static bool equal(const ga_graph *graph, const edges *list)
{
    ga_csr rows = ga_graph_out(graph);
    int found = 0;
    for (int i = 0; i < list->count; i++) {
        for (int64_t e = rows.offsets[list->pair[i][0]]; e < rows.offsets[list->pair[i][0] + 1]; e++) {
            found += rows.targets[e] == list->pair[i][1];
        }
    }
    return found == list->count && rows.nonzeros == found;
}

static void try_golden(ga_context *context, const char *graph_path, const char *list_path)
{
    edges start, listed[LISTED];
    int count[LISTED] = { 0 };
    (void)read_pairs(graph_path, "%u %u%n", &start);
    int size = read_pairs(list_path, "%u-%u%n", listed), runs = 400 * size;
    uint32_t most = 0;
    for (int i = 0; i < start.count; i++) {
        most = (uint32_t)ga__max(most, ga__max(start.pair[i][0], start.pair[i][1]));
    }
    ga_graph *graph = graph_of(context, most + 1, start.count, (const uint32_t(*)[2])start.pair);
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.swaps_per_edge = 100;
    for (int seed = 1; seed <= runs; seed++) {
        ga_graph *made = NULL;
        int which = 0;
        ga_context_set_seed(context, (uint64_t)seed);
        test_ok(context, ga_rewire(context, graph, &o, &made, NULL));
        while (which < size && !equal(made, &listed[which])) {
            which++;
        }
        ck_assert_int_lt(which, size);
        count[which]++;
        ga_graph_destroy(context, made);
    }
    double x = 0;
    for (int i = 0; i < size; i++) {
        x += (count[i] - 400.0) * (count[i] - 400.0) / 400;
    }
    ck_assert_msg(deviate(x, size - 1) < LIMIT, "%s: chi-square %g of %d", graph_path, x, size);
    ga_graph_destroy(context, graph);
}

START_TEST(golden_spaces)
{
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 7; i++) {
        char name[2][128], paths[2][512];
        for (int k = 0; k < 2; k++) {
            snprintf(name[k], sizeof name[k], "golden/sampling/rewire-space-%d/%s", i,
                     k ? "realisations.txt" : "graph.txt");
            const char *path = test_shared(name[k]);
            if (!path) {
                printf("check_rewire_uniform: %s is missing, not tested\n", name[k]);
                goto done;
            }
            snprintf(paths[k], sizeof paths[k], "%s", path);
        }
        try_golden(context, paths[0], paths[1]);
    }
done:
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rewire uniform");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, uniform_with_the_matrices);
    tcase_add_test(test, uniform_with_the_degrees);
    tcase_add_test(test, uniform_in_pieces);
    tcase_add_test(test, no_going_round);
    tcase_add_test(test, golden_spaces);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
