/* check_round.c - stage 1: the bounds of laminar rounding by their definition, least distances by counting. */
#include "config.h"

#include <math.h>

#include "check_graph.h"
#include "sampling/rescale/round.h"

enum { MOST_CELLS = 512 };

static int64_t draw(ga__random *r, int64_t bound)
{
    return (int64_t)ga__random_below(r, (uint64_t)bound);
}

/* A random DCM: every class of the given numbers, some without nodes. Labels 0, 1, 2 by turns when wanted. */
static ga_matrices *random_matrices(ga_context *context, ga__random *r, int64_t in, int64_t out, int64_t most,
                                    bool labelled)
{
    ga_matrices *m = NULL;
    ck_assert_int_eq(ga__matrices_new(context, out, in, labelled, in * out, 0, &m), GA_OK);
    int64_t labels = labelled ? 3 : 1, degree_in = 0, degree_out = 0;
    for (int64_t i = 0; i < in; i++) {
        degree_in += i % labels == 0 ? 1 + draw(r, 1 + i * i) : 0;
        m->in.degree[i] = degree_in - 1;
    }
    for (int64_t i = 0; i < out; i++) {
        degree_out += i % labels == 0 ? 1 + draw(r, 1 + i * i) : 0;
        m->out.degree[i] = degree_out - 1;
    }
    for (int64_t i = 0; labelled && i < ga__max(in, out); i++) {
        if (i < in) {
            m->in.label[i] = i % 3;
        }
        if (i < out) {
            m->out.label[i] = i % 3;
        }
    }
    m->dcm.count = m->dcm.total = 0;
    for (int64_t i = 0; i < in * out; i++) {
        bool fits = !labelled || m->in.label[i / out] == m->out.label[i % out];
        if (fits && draw(r, 3)) {
            int64_t c = m->dcm.count++;
            m->dcm.row[c] = (int32_t)(i / out);
            m->dcm.column[c] = (int32_t)(i % out);
            m->dcm.entry[c] = 1 + draw(r, draw(r, 4) ? 2 : most);
            m->dcm.total += m->dcm.entry[c];
        }
    }
    return m;
}

/* Ratio p/q, so that floors and ceilings are exact. */
typedef struct fraction {
    int64_t p, q;
} fraction;

static void check_interval(fraction f, int64_t original, int64_t rounded)
{
    ck_assert_int_ge(rounded, f.p * original / f.q);
    ck_assert_int_le(rounded, (f.p * original + f.q - 1) / f.q);
}

/* label: NULL, or the classes' labels; prefixes are then those within a label. */
static void check_side(fraction f, const ga__cells *dcm, const int32_t *class, int64_t classes,
                       const int64_t *label, const int64_t *entry)
{
    int64_t original[64] = { 0 }, rounded[64] = { 0 };
    for (int64_t c = 0; c < dcm->count; c++) {
        original[class[c]] += dcm->entry[c];
        rounded[class[c]] += entry[c];
    }
    int64_t before[3] = { 0 }, after[3] = { 0 };
    for (int64_t i = 0; i < classes; i++) {
        int64_t y = label ? label[i] : 0;
        check_interval(f, original[i], rounded[i]);
        before[y] += original[i];
        after[y] += rounded[i];
        check_interval(f, before[y], after[y]);
    }
}

static void check_laminar(const ga_matrices *m, fraction f, int64_t nodes, const int64_t *entry)
{
    int64_t total = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        check_interval(f, m->dcm.entry[c], entry[c]);
        total += entry[c];
    }
    ck_assert_int_eq(total, nodes);
    check_side(f, &m->dcm, m->dcm.row, m->in.count, NULL, entry);
    check_side(f, &m->dcm, m->dcm.column, m->out.count, m->out.label, entry);
}

static int64_t wanted_nodes(const ga_matrices *m, fraction f)
{
    return (2 * f.p * m->dcm.total + f.q) / (2 * f.q);
}

static ga__round_options options_for(const ga_matrices *m, fraction f, bool steer)
{
    int64_t nodes = wanted_nodes(m, f);
    return (ga__round_options){ .nodes = nodes,
                                .ratio = (double)f.p / (double)f.q,
                                .rounding = GA_ROUNDING_LAMINAR,
                                .steer = steer,
                                .degree_cap = ga__max(nodes - 1, 0) };
}

static double l1_of(const ga_matrices *m, fraction f, const int64_t *entry)
{
    double sum = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        sum += fabs((double)(entry[c] * f.q - f.p * m->dcm.entry[c])) / (double)f.q;
    }
    return sum;
}

/* Edges missing or too many on both sides. */
static double missed(const ga_matrices *m, const ga__round_options *o, const int64_t *entry)
{
    double in = 0, out = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        int64_t degree_in = m->in.degree[m->dcm.row[c]], degree_out = m->out.degree[m->dcm.column[c]];
        in += (double)(entry[c] * ga__min(degree_in, o->degree_cap)) -
              o->ratio * (double)(m->dcm.entry[c] * degree_in);
        out += (double)(entry[c] * ga__min(degree_out, o->degree_cap)) -
               o->ratio * (double)(m->dcm.entry[c] * degree_out);
    }
    return fabs(in) + fabs(out);
}

static const fraction ratios[] = { { 1, 2 },    { 1, 3 },      { 3, 10 }, { 1, 10 }, { 7, 10 },
                                   { 1, 100 },  { 999, 1000 }, { 5, 2 },  { 13, 7 }, { 1, 100000 },
                                   { 49, 100 }, { 101, 100 },  { 29, 10 } };
enum { RATIOS = sizeof ratios / sizeof *ratios };

START_TEST(every_bound_holds)
{
    ga_context *context = plain_context(1);
    double steered = 0, plain = 0;
    for (uint64_t i = 0; i < 1500; i++) {
        ga__random r = ga__random_at(1, GA__RANDOM_TEST, i);
        ga_matrices *m = random_matrices(context, &r, 1 + draw(&r, 14), 1 + draw(&r, 14), 1000, i % 5 == 0);
        fraction f = ratios[i % RATIOS];
        int64_t entry[MOST_CELLS];
        for (int steer = 0; steer < 2; steer++) {
            ga__round_options o = options_for(m, f, steer);
            double l1 = -1;
            ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, NULL), GA_OK);
            check_laminar(m, f, o.nodes, entry);
            ck_assert_double_eq_tol(l1, l1_of(m, f, entry), 1e-9 * (1 + l1));
            *(steer ? &steered : &plain) += missed(m, &o, entry);
        }
        ga_matrices_destroy(context, m);
    }
    ck_assert_double_lt(steered, 0.9 * plain);
    done_with(context);
}
END_TEST

/* Edges that can be placed beside a cut, less half of all. */
static double worth_of(const ga_matrices *m, const ga__cut *cut, int64_t cap, const int64_t *entry)
{
    double sum = 0;
    for (int64_t c = 0; c < m->dcm.count; c++) {
        int64_t in = ga__min(m->in.degree[m->dcm.row[c]], cap),
                out = ga__min(m->out.degree[m->dcm.column[c]], cap);
        sum += (double)entry[c] *
               (2 * (double)(ga__min(in, cut->in) + ga__min(out, cut->out)) - 0.5 * (double)(in + out));
    }
    return sum;
}

START_TEST(a_cut_gets_more_edges_placed)
{
    ga_context *context = plain_context(1);
    double plain = 0, better = 0;
    for (uint64_t i = 0; i < 300; i++) {
        ga__random r = ga__random_at(12, GA__RANDOM_TEST, i);
        ga_matrices *m = random_matrices(context, &r, 3 + draw(&r, 12), 3 + draw(&r, 12), 30, i % 5 == 0);
        fraction f = { 3, 10 };
        ga__round_options o = options_for(m, f, true);
        ga__cut cut = { 1 + draw(&r, o.degree_cap + 1), 1 + draw(&r, o.degree_cap + 1) };
        int64_t entry[MOST_CELLS];
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
        plain += worth_of(m, &cut, o.degree_cap, entry);
        o.cut = &cut;
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
        check_laminar(m, f, o.nodes, entry);
        better += worth_of(m, &cut, o.degree_cap, entry);
        ga_matrices_destroy(context, m);
    }
    ck_assert_double_gt(better, plain);
    done_with(context);
}
END_TEST

/* Goes through all choices of floor or ceiling. */
static double least_by_counting(const ga_matrices *m, fraction f, int64_t nodes)
{
    double best = INFINITY;
    for (uint32_t choice = 0; choice < 1U << m->dcm.count; choice++) {
        int64_t entry[16], total = 0, in[16] = { 0 }, out[16] = { 0 }, sum_in[16] = { 0 },
                           sum_out[16] = { 0 };
        for (int64_t c = 0; c < m->dcm.count; c++) {
            entry[c] = f.p * m->dcm.entry[c] / f.q + (choice >> c & 1);
            total += entry[c];
            in[m->dcm.row[c]] += entry[c];
            out[m->dcm.column[c]] += entry[c];
            sum_in[m->dcm.row[c]] += m->dcm.entry[c];
            sum_out[m->dcm.column[c]] += m->dcm.entry[c];
        }
        bool fits = total == nodes;
        for (int side = 0; side < 2; side++) {
            const int64_t *now = side ? out : in, *then = side ? sum_out : sum_in;
            for (int64_t i = 0, a = 0, b = 0; i < (side ? m->out.count : m->in.count); i++) {
                a += now[i];
                b += then[i];
                fits = fits && now[i] * f.q > f.p * then[i] - f.q && now[i] * f.q < f.p * then[i] + f.q &&
                       a * f.q > f.p * b - f.q && a * f.q < f.p * b + f.q;
            }
        }
        for (int64_t c = 0; c < m->dcm.count; c++) {
            fits = fits && entry[c] * f.q < f.p * m->dcm.entry[c] + f.q;
        }
        best = fits ? fmin(best, l1_of(m, f, entry)) : best;
    }
    return best;
}

START_TEST(least_distance_of_all_roundings)
{
    ga_context *context = plain_context(1);
    for (uint64_t i = 0; i < 400; i++) {
        ga__random r = ga__random_at(2, GA__RANDOM_TEST, i);
        ga_matrices *m = random_matrices(context, &r, 1 + draw(&r, 4), 1 + draw(&r, 3), 20, false);
        fraction f = ratios[i % RATIOS];
        ga__round_options o = options_for(m, f, false);
        int64_t entry[MOST_CELLS];
        double l1 = -1;
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, NULL), GA_OK);
        ck_assert_double_eq_tol(l1, least_by_counting(m, f, o.nodes), 1e-9);
        ga_matrices_destroy(context, m);
    }
    done_with(context);
}
END_TEST

START_TEST(whole_ratios_multiply)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(3, GA__RANDOM_TEST, 0);
    ga_matrices *m = random_matrices(context, &r, 8, 9, 100, false);
    for (int64_t ratio = 1; ratio < 5; ratio++) {
        for (int rounding = 0; rounding < 2; rounding++) {
            ga__round_options o = options_for(m, (fraction){ ratio, 1 }, true);
            int64_t entry[MOST_CELLS];
            double l1 = -1;
            o.rounding = rounding ? GA_ROUNDING_SYSTEMATIC : GA_ROUNDING_LAMINAR;
            ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, NULL), GA_OK);
            ck_assert(l1 == 0);
            for (int64_t c = 0; c < m->dcm.count; c++) {
                ck_assert_int_eq(entry[c], ratio * m->dcm.entry[c]);
            }
        }
    }
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(no_nodes_and_one_node)
{
    ga_context *context = plain_context(1);
    ga_matrices *m = NULL;
    int64_t entry[4] = { 7, 7, 7, 7 }, pivots = -1;
    double l1 = -1;
    ck_assert_int_eq(ga__matrices_new(context, 0, 0, false, 0, 0, &m), GA_OK);
    ga__round_options o = options_for(m, (fraction){ 1, 2 }, true);
    ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, &pivots), GA_OK);
    ck_assert(l1 == 0 && pivots == 0);
    o.nodes = 1;
    ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, &pivots), GA_INFEASIBLE);
    ga_matrices_destroy(context, m);
    ga__random r = ga__random_at(4, GA__RANDOM_TEST, 0);
    m = random_matrices(context, &r, 1, 2, 1, false);
    for (int64_t nodes = 0; nodes < 2; nodes++) {
        int64_t cells[MOST_CELLS];
        fraction f = { 1 + nodes, 2 * m->dcm.total + 1 };
        o = options_for(m, f, true);
        ck_assert_int_eq(o.nodes, nodes);
        ck_assert_int_eq(ga__round_dcm(context, m, &o, cells, &l1, &pivots), GA_OK);
        check_laminar(m, f, nodes, cells);
    }
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(seed_decides_and_threads_do_not)
{
    int64_t entry[3][MOST_CELLS] = { 0 };
    for (int i = 0; i < 3; i++) {
        ga_context *context = plain_context(1 + i);
        ga__random r = ga__random_at(5, GA__RANDOM_TEST, 0);
        ga_matrices *m = random_matrices(context, &r, 20, 20, 2, false);
        ga_context_set_seed(context, i < 2 ? 1 : 77);
        ga__round_options o = options_for(m, (fraction){ 1, 2 }, false);
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry[i], NULL, NULL), GA_OK);
        ga_matrices_destroy(context, m);
        done_with(context);
    }
    ck_assert_int_eq(memcmp(entry[0], entry[1], sizeof *entry), 0);
    ck_assert_int_ne(memcmp(entry[0], entry[2], sizeof *entry), 0);
}
END_TEST

START_TEST(huge_counts_are_refused)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(6, GA__RANDOM_TEST, 0);
    ga_matrices *m = random_matrices(context, &r, 2, 2, 1, false);
    int64_t entry[MOST_CELLS];
    m->dcm.total += (INT64_C(1) << 61) - m->dcm.entry[0];
    m->dcm.entry[0] = INT64_C(1) << 61;
    ga__round_options o = { .nodes = 1, .ratio = 0.5, .steer = true, .degree_cap = 0 };
    ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OVERFLOW);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(huge_degrees_are_no_trouble)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(11, GA__RANDOM_TEST, 0);
    ga_matrices *m = random_matrices(context, &r, 12, 12, 3, false);
    fraction f = { 3, 10 };
    int64_t entry[MOST_CELLS];
    for (int bits = 30; bits < 54; bits += 4) {
        m->in.degree[11] = m->out.degree[11] = INT64_C(1) << bits;
        for (int steer = 0; steer < 2; steer++) {
            ga__round_options o = options_for(m, f, steer);
            o.degree_cap = INT64_MAX;
            ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
            check_laminar(m, f, o.nodes, entry);
        }
    }
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

/* Large counts and an awkward ratio: shares are exact, not those of a product of doubles. */
START_TEST(large_counts_are_exact)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(7, GA__RANDOM_TEST, 0);
    ga_matrices *m = random_matrices(context, &r, 12, 12, INT64_C(1) << 40, false);
    fraction f = { 1, 3 };
    int64_t entry[MOST_CELLS];
    for (int steer = 0; steer < 2; steer++) {
        ga__round_options o = options_for(m, f, steer);
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
        check_laminar(m, f, o.nodes, entry);
    }
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

/* Labels keep their shares, in-degree prefixes within a label too. */
static void check_label_prefixes(const ga_matrices *m, const ga__round_options *o, const int64_t *entry)
{
    for (int64_t label = 0; label < 3; label++) {
        int64_t original = 0, rounded = 0;
        for (int64_t c = 0; c < m->dcm.count; c++) {
            if (!m->in.label || m->in.label[m->dcm.row[c]] == label) {
                original += m->dcm.entry[c];
                rounded += entry[c];
            }
        }
        double share = (double)o->nodes / (double)m->dcm.total * (double)original;
        ck_assert_double_lt(fabs((double)rounded - share), 1);
    }
}

START_TEST(systematic_draws_every_node_alike)
{
    enum { RUNS = 4000 };
    ga_context *context = plain_context(1);
    for (int labelled = 0; labelled < 2; labelled++) {
        ga__random r = ga__random_at(8, GA__RANDOM_TEST, (uint64_t)labelled);
        ga_matrices *m = random_matrices(context, &r, 9, 9, 6, labelled);
        ga__round_options o = options_for(m, (fraction){ 3, 10 }, false);
        double p = (double)o.nodes / (double)m->dcm.total;
        int64_t sum[MOST_CELLS] = { 0 }, entry[MOST_CELLS];
        o.rounding = GA_ROUNDING_SYSTEMATIC;
        for (uint64_t seed = 1; seed <= RUNS; seed++) {
            int64_t total = 0;
            ga_context_set_seed(context, seed);
            ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
            for (int64_t c = 0; c < m->dcm.count; c++) {
                ck_assert_double_lt(fabs((double)entry[c] - p * (double)m->dcm.entry[c]), 1);
                sum[c] += entry[c];
                total += entry[c];
            }
            ck_assert_int_eq(total, o.nodes);
            check_label_prefixes(m, &o, entry);
        }
        for (int64_t c = 0; c < m->dcm.count; c++) {
            double mean = (double)sum[c] / RUNS, share = p * (double)m->dcm.entry[c],
                   part = share - floor(share);
            ck_assert_double_lt(fabs(mean - share), 4.5 * sqrt(part * (1 - part) / RUNS) + 1e-9);
        }
        ga_matrices_destroy(context, m);
    }
    done_with(context);
}
END_TEST

START_TEST(systematic_takes_the_most_even_offset)
{
    ga_context *context = plain_context(1);
    ga__random r = ga__random_at(9, GA__RANDOM_TEST, 0);
    ga_matrices *m = random_matrices(context, &r, 12, 12, 6, false);
    int64_t delta[2] = { 0 };
    for (uint64_t seed = 1; seed <= 50; seed++) {
        ga_context_set_seed(context, seed);
        for (int steer = 0; steer < 2; steer++) {
            int64_t entry[MOST_CELLS], sum = 0;
            ga__round_options o = options_for(m, (fraction){ 1, 5 }, steer);
            o.rounding = GA_ROUNDING_SYSTEMATIC;
            ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, NULL, NULL), GA_OK);
            for (int64_t c = 0; c < m->dcm.count; c++) {
                sum += entry[c] * (ga__min(m->in.degree[m->dcm.row[c]], o.degree_cap) -
                                   ga__min(m->out.degree[m->dcm.column[c]], o.degree_cap));
            }
            delta[steer] += sum < 0 ? -sum : sum;
        }
    }
    ck_assert_int_lt(2 * delta[1], delta[0]);
    ga_matrices_destroy(context, m);
    done_with(context);
}
END_TEST

START_TEST(no_memory)
{
    for (int way = 0; way < 6; way++) {
        ga_status status = GA_NOMEM;
        for (int64_t k = 0; status != GA_OK; k++) {
            meter m = { .fail_at = -1, .once = way & 1 };
            ga_context *context = metered_context(&m);
            ga__random r = ga__random_at(10, GA__RANDOM_TEST, 0);
            ga_matrices *matrices = random_matrices(context, &r, 10, 10, 6, way & 1);
            ga__round_options o = options_for(matrices, (fraction){ 3, 10 }, way / 2 == 1);
            o.rounding = way / 2 == 2 ? GA_ROUNDING_SYSTEMATIC : GA_ROUNDING_LAMINAR;
            int64_t entry[MOST_CELLS] = { 0 }, pivots = -1;
            double l1 = -1;
            m.calls = 0;
            m.fail_at = k;
            status = ga__round_dcm(context, matrices, &o, entry, &l1, &pivots);
            m.fail_at = -1;
            if (status != GA_OK) {
                ck_assert_int_eq(status, GA_NOMEM);
                ck_assert(l1 == -1 && pivots == -1);
                for (int64_t c = 0; c < matrices->dcm.count; c++) {
                    ck_assert_int_eq(entry[c], 0);
                }
            }
            ga_matrices_destroy(context, matrices);
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            ck_assert_int_lt(k, 200);
        }
    }
}
END_TEST

/* L1 of golden/sampling/rescale-laminar-N, whose degree matrices are read from the shared folder. */
START_TEST(golden_distances)
{
    static const struct {
        fraction ratio;
        double l1;
    } expected[] = { { { 1, 2 }, 5.0 }, { { 3, 10 }, 4.6 }, { { 1, 10 }, 3.2 } };
    const char *shared = getenv("GRAPHATTN_SHARED");
    if (!shared) {
        printf("skipped: golden_distances needs GRAPHATTN_SHARED\n");
        return;
    }
    ga_context *context = plain_context(1);
    for (int i = 0; i < 3; i++) {
        char path[1024];
        ga_matrices *m = NULL;
        int64_t entry[MOST_CELLS];
        double l1 = -1;
        snprintf(path, sizeof path, "%s/golden/sampling/rescale-laminar-%d/dcm.tsv", shared, i);
        if (access(path, R_OK) != 0) {
            printf("skipped: no %s\n", path);
            continue;
        }
        ck_assert_int_eq(ga_matrices_read(context, NULL, path, &m), GA_OK);
        ga__round_options o = options_for(m, expected[i].ratio, false);
        ck_assert_int_eq(ga__round_dcm(context, m, &o, entry, &l1, NULL), GA_OK);
        ck_assert_double_eq_tol(l1, expected[i].l1, 1e-9);
        check_laminar(m, expected[i].ratio, o.nodes, entry);
        ga_matrices_destroy(context, m);
    }
    done_with(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("round");
    TCase *tests = tcase_create("round");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_bound_holds);
    tcase_add_test(tests, a_cut_gets_more_edges_placed);
    tcase_add_test(tests, least_distance_of_all_roundings);
    tcase_add_test(tests, whole_ratios_multiply);
    tcase_add_test(tests, no_nodes_and_one_node);
    tcase_add_test(tests, seed_decides_and_threads_do_not);
    tcase_add_test(tests, huge_counts_are_refused);
    tcase_add_test(tests, huge_degrees_are_no_trouble);
    tcase_add_test(tests, large_counts_are_exact);
    tcase_add_test(tests, systematic_draws_every_node_alike);
    tcase_add_test(tests, systematic_takes_the_most_even_offset);
    tcase_add_test(tests, no_memory);
    tcase_add_test(tests, golden_distances);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
