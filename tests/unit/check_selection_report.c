/* check_selection_report.c - what ga_selection_report says, once more from maps; refusals; memory of choosing, reporting and
 * attending. */
#include "config.h"

#include "tests/unit/check_probe.h"

static ga_context *context;

static void make_context(void)
{
    context = test_threads_context(2);
}

static void drop_context(void)
{
    ga_context_destroy(context);
}

static void set_vertical(call *c)
{
    call_set(c, "columns", "6");
    call_set(c, "slashes", "6");
    call_set(c, "probe", "8");
    call_set(c, "sinks", "1");
    call_set(c, "window", "2");
}

static double figure(const ga_report *report, const char *name)
{
    for (int i = 0; i < report->count; i++) {
        if (strcmp(report->rows[i].name, name) == 0) {
            return report->rows[i].is_integer ? (double)report->rows[i].integer : report->rows[i].real;
        }
    }
    ck_abort_msg("no figure %s", name);
    return 0;
}

/* Mass and recall once more from the maps. */
/* What the report must say, from the maps of 4 heads, 30 queries, 40 keys. */
typedef struct want {
    double mass, least, pairs, recall;
} want;

static want from_maps(const DLTensor *kept, const DLTensor *all)
{
    want w = { .least = 1 };
    for (int64_t row = 0; row < 120; row++) {
        double sum = 0, hits = 0, n = 0;
        for (int64_t j = 0; j < 40; j++) {
            bool in = value_at(kept, row * 40 + j) > 0;
            sum += in ? value_at(all, row * 40 + j) : 0;
            n += in;
        }
        for (int64_t j = 0; j < 40; j++) { /* among the n largest: fewer than n are larger */
            double larger = 0;
            for (int64_t i = 0; i < 40; i++) {
                larger += value_at(all, row * 40 + i) > value_at(all, row * 40 + j);
            }
            hits += value_at(kept, row * 40 + j) > 0 && larger < n;
        }
        w.mass += sum / 120;
        w.least = fmin(w.least, sum);
        w.pairs += n;
        w.recall += hits / n / 120;
    }
    return w;
}

START_TEST(report_by_maps)
{
    for (int t = 0; t < 2; t++) {
        call c;
        ga_selection *selection = NULL;
        ga_report report;
        double most = t ? 1e-5 : 1e-12;
        call_open(context, &c, "vertical-slash", t ? type_f32 : type_f64, 2, 2, 1, 30, 40, 8, 5);
        set_vertical(&c);
        DLTensor *kept = output(context, &c, "map");
        c.variant = "full";
        c.call.parameter_count = 0;
        DLTensor *all = output(context, &c, "map");
        want w = from_maps(kept, all);
        c.variant = "vertical-slash";
        set_vertical(&c);
        test_ok(context, ga_select(context, c.variant, &c.call, &selection));
        test_ok(context, ga_selection_report(context, c.variant, &c.call, selection, &report));
        ck_assert_double_eq_tol(figure(&report, "mass_mean"), w.mass, most);
        ck_assert_double_eq_tol(figure(&report, "mass_least"), w.least, most);
        ck_assert_double_eq_tol(figure(&report, "recall_mean"), w.recall, 1e-12);
        ck_assert_double_eq(figure(&report, "recall_rows"), 120);
        ck_assert_double_eq(figure(&report, "pairs"), w.pairs);
        ck_assert_double_eq(figure(&report, "visible_pairs"), 4 * (30 * 10 + 30 * 31 / 2));
        ck_assert_double_eq(figure(&report, "density"), w.pairs / (4 * (30 * 10 + 30 * 31 / 2)));
        ck_assert_double_eq(figure(&report, "attend_flops"), w.pairs * (2 * 13 + 3));
        ck_assert(figure(&report, "select_flops") > 0 && figure(&report, "select_seconds") > 0);
        ck_assert(figure(&report, "attend_bytes") <= figure(&report, "dense_bytes"));
        ga_selection_destroy(context, selection);
        ga_tensor_destroy(context, kept);
        ga_tensor_destroy(context, all);
        call_close(context, &c);
    }
}
END_TEST

START_TEST(refused_elsewhere)
{
    call c;
    ga_selection *selection = NULL;
    ga_report report;
    ga_named_tensor wanted = { "o", NULL };
    call_open(context, &c, "vertical-slash", type_f32, 1, 1, 1, 10, 10, 4, 4);
    test_status(context, ga_select(context, "full", &c.call, &selection), GA_INVALID);
    test_error_has(context, "full does not select keys");
    test_status(context, ga_attend_decode(context, "vertical-slash", &c.call, &wanted, 1), GA_INVALID);
    test_error_has(context, "the last rows of all choose");
    test_ok(context, ga_select(context, "vertical-slash", &c.call, &selection));
    test_status(context, ga_selection_report(context, "full", &c.call, selection, &report), GA_INVALID);
    selection->queries--;
    test_status(context, ga_selection_report(context, "vertical-slash", &c.call, selection, &report),
                GA_INVALID);
    test_error_has(context, "selection of 1 x 1 heads, 9 queries");
    ga_selection_destroy(context, selection);
    call_close(context, &c);
}
END_TEST

static ga_status select_and_report(ga_context *some, void *user)
{
    call *c = user;
    ga_selection *selection = NULL;
    ga_report report;
    ga_named_tensor wanted[] = { { "o", NULL }, { c->variant[0] == 'v' ? "columns" : "selected", NULL } };
    ga_status status = ga_select(some, c->variant, &c->call, &selection);
    if (status == GA_OK) {
        status = ga_selection_report(some, c->variant, &c->call, selection, &report);
    }
    if (status == GA_OK) {
        status = ga_attend(some, c->variant, &c->call, wanted, 2);
    }
    ga_tensor_destroy(some, wanted[0].tensor);
    ga_tensor_destroy(some, wanted[1].tensor);
    ga_selection_destroy(some, selection);
    return status;
}

START_TEST(memory)
{
    static const char *const variants[] = { "vertical-slash", "flexprefill", "snapkv", "ada-snapkv" };
    for (int t = 0; t < 4; t++) {
        call c;
        call_open(context, &c, variants[t], type_f32, 1, 2, 1, 20, 20, 4, 4);
        if (t == 0) {
            set_vertical(&c);
        } else if (t == 1) {
            call_set(&c, "block", "3");
            call_set(&c, "min_budget", "1");
        } else {
            call_set(&c, "budget", "6");
            call_set(&c, "window", "2");
        }
        ck_assert_int_gt(test_each_allocation(select_and_report, &c, 1), 10);
        ck_assert_int_gt(test_each_allocation(select_and_report, &c, 3), 10);
        call_close(context, &c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selection report");
    TCase *all = tcase_create("selection report");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, make_context, drop_context);
    tcase_add_test(all, report_by_maps);
    tcase_add_test(all, refused_elsewhere);
    tcase_add_test(all, memory);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
