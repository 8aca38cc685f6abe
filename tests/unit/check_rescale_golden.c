/* check_rescale_golden.c - the rescaling cases of the shared golden tree, through the library. */
#include "config.h"

#include <dirent.h>

#include "check_rescale.h"

typedef struct golden {
    char folder[600], text[8192];
} golden;

static double number(const golden *g, const char *name, double missing)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(g->text, key);
    return at ? strtod(at + strlen(key), NULL) : missing;
}

/* The path of an input, or NULL. */
static const char *input(const golden *g, const char *name, char path[1200])
{
    char key[64], file[300];
    snprintf(key, sizeof key, "\"%s\": \"", name);
    const char *at = strstr(g->text, key);
    if (!at || sscanf(at + strlen(key), "%299[^\"]", file) != 1) {
        return NULL;
    }
    snprintf(path, 1200, "%s/%s", g->folder, file);
    return path;
}

static bool near(double got, double want)
{
    return fabs(got - want) <= 1e-6 + 1e-5 * fabs(want);
}

typedef struct run {
    ga_matrices *result;
    ga_rescale_report report;
} run;

static run rescale(ga_context *context, const golden *g, const ga_matrices *original, ga_rescale_options o)
{
    run r = { 0 };
    ck_assert_msg(ga_rescale(context, original, &o, &r.result, &r.report) == GA_OK, "%s: %s", g->folder,
                  ga_context_error(context));
    check_result(context, original, r.result, &o, o.ratio, &r.report);
    return r;
}

static void end(ga_context *context, run *r)
{
    ga_matrices_destroy(context, r->result);
    ga_rescale_report_clear(context, &r->report);
}

static double plain_blend(ga_matrix_view j, ga_matrix_view m, ga_matrix_view x, double ratio, double lambda)
{
    double sum = 0;
    for (int64_t i = 0; i < x.cells; i++) {
        int64_t row = x.row_degree[x.row[i]], column = x.column_degree[x.column[i]];
        sum += 2 * fmin((double)x.count[i], ratio * (double)cell_at(&j, row, column)) +
               lambda * (double)ga__min(x.count[i], cell_at(&m, row, column));
    }
    return sum;
}

static void check_target(ga_context *context, const golden *g, const ga_matrices *original,
                         ga_rescale_options o)
{
    char path[1200];
    ga_matrices *target = NULL, *plan = NULL;
    ck_assert_int_eq(ga_matrices_read(context, NULL, input(g, "target_dcm", path), &target), GA_OK);
    if (input(g, "plan_jdm", path)) {
        ck_assert_int_eq(ga_matrices_read(context, path, NULL, &plan), GA_OK);
    }
    o.target_dcm = target;
    o.plan_jdm = plan;
    for (int objective = GA_OBJECTIVE_BLEND; objective <= GA_OBJECTIVE_QUANTILE; objective++) {
        o.objective = (ga_objective)objective;
        run r = rescale(context, g, original, o);
        double l1 = plain_l1(ga_matrices_jdm(original), ga_matrices_jdm(r.result), o.ratio);
        ck_assert_int_eq(r.report.nodes, (int64_t)number(g, "nodes", -1));
        ck_assert_msg(r.report.edges == (int64_t)number(g, "edges", -1) &&
                          r.report.dropped == (int64_t)number(g, "dropped", -1),
                      "%s: %lld edges, %lld dropped", g->folder, (long long)r.report.edges,
                      (long long)r.report.dropped);
        double bound = number(g, "l1_lower_bound", r.report.jdm_l1_bound);
        ck_assert_msg(near(r.report.jdm_l1_bound, bound), "%s: bound %g for %g", g->folder,
                      r.report.jdm_l1_bound, bound);
        double least = number(g, "l1_min", l1);
        ck_assert_msg(objective != GA_OBJECTIVE_L1 || near(l1, least), "%s: l1 %g for %g", g->folder, l1,
                      least);
        if (plan) {
            ga_matrix_view m = ga_matrices_jdm(plan);
            double value =
                plain_blend(ga_matrices_jdm(original), m, ga_matrices_jdm(r.result), o.ratio, o.lambda);
            double most = number(g, "blend_max", -1);
            ck_assert_msg(objective != GA_OBJECTIVE_BLEND ||
                              (near(value, most) && near(value, r.report.objective_value)),
                          "%s: blend %g for %g", g->folder, value, most);
            ck_assert(objective != GA_OBJECTIVE_QUANTILE || plain_l1(m, ga_matrices_jdm(r.result), 1) == 0);
        }
        end(context, &r);
    }
    ga_matrices_destroy(context, target);
    ga_matrices_destroy(context, plan);
}

static void check_whole(ga_context *context, const golden *g, const ga_matrices *original,
                        ga_rescale_options o)
{
    run r = rescale(context, g, original, o);
    o.objective = GA_OBJECTIVE_QUANTILE;
    run q = rescale(context, g, original, o);
    const char *at = strstr(g->text, "\"check\": \"nodes_equal\"");
    const char *value = at ? strstr(at, "\"value\": ") : NULL;
    ck_assert(!value || r.report.nodes == atoll(value + 9));
    ck_assert(r.report.jdm_l1 <= q.report.jdm_l1 + 1e-6);
    end(context, &r);
    end(context, &q);
}

static void check_case(ga_context *context, const golden *g)
{
    char jdm[1200], dcm[1200];
    ga_matrices *original = NULL;
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    ck_assert(input(g, "jdm", jdm) && input(g, "dcm", dcm));
    ck_assert_int_eq(ga_matrices_read(context, jdm, dcm, &original), GA_OK);
    o.ratio = number(g, "ratio", 0);
    o.lambda = number(g, "lambda", 0.2);
    o.steer = !strstr(g->text, "\"steer\": false");
    if (strstr(g->text, "\"target_dcm\"")) {
        check_target(context, g, original, o);
    } else if (strstr(g->text, "\"dcm_l1_min\"")) {
        run r = rescale(context, g, original, o);
        double least = number(g, "dcm_l1_min", -1);
        ck_assert_msg(near(r.report.dcm_l1_rounding, least), "%s: %g for %g", g->folder,
                      r.report.dcm_l1_rounding, least);
        end(context, &r);
    } else {
        check_whole(context, g, original, o);
    }
    ga_matrices_destroy(context, original);
}

static bool load(golden *g, const char *shared, const char *name)
{
    char path[1200];
    snprintf(g->folder, sizeof g->folder, "%.300s/golden/sampling/%.200s", shared, name);
    snprintf(path, sizeof path, "%s/case.json", g->folder);
    FILE *file = fopen(path, "r");
    if (!file) {
        return false;
    }
    g->text[fread(g->text, 1, sizeof g->text - 1, file)] = 0;
    fclose(file);
    return true;
}

static const char *shared_folder(void)
{
    const char *shared = getenv("GRAPHATTN_SHARED");
    return shared ? shared : "../shared";
}

START_TEST(all_cases)
{
    char tree[600];
    golden g;
    int cases = 0;
    snprintf(tree, sizeof tree, "%.300s/golden/sampling", shared_folder());
    DIR *found = opendir(tree);
    ck_assert_ptr_nonnull(found);
    meter m = { .fail_at = -1 };
    ga_context *context = metered_context(&m);
    for (struct dirent *entry; (entry = readdir(found));) {
        if (strncmp(entry->d_name, "rescale-", 8) == 0 && load(&g, shared_folder(), entry->d_name)) {
            check_case(context, &g);
            cases++;
        }
    }
    closedir(found);
    ga_context_destroy(context);
    ck_assert_int_eq(m.blocks, 0);
    ck_assert_int_ge(cases, 18);
}
END_TEST

int main(void)
{
    golden g;
    if (!load(&g, shared_folder(), "rescale-0")) {
        fprintf(stderr, "no golden cases at %s: skipped\n", shared_folder());
        return 77;
    }
    Suite *suite = suite_create("rescale_golden");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, all_cases);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
