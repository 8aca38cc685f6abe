/* check_costs.c - cost models by their formulas, passes of cascades, the cost of a variant at a size. */
#include "config.h"

#include <jansson.h>
#include <math.h>

#include <graphattn/attention.h>

#include "attention/cost/cascade.h"
#include "tests/unit/support.h"

static ga_context *context;

enum { MOST = 16 };

typedef struct call {
    const char *name;
    ga_named_text parameters[MOST];
    int count;
    bool causal;
    char text[256]; /* of parameters that are set together */
    ga_report report;
} call;

static ga_status run_in(ga_context *in, call *c)
{
    ga_block_call given = GA_BLOCK_CALL_INIT;
    given.parameters = c->parameters;
    given.parameter_count = c->count;
    given.causal = c->causal;
    return ga_cost_run(in, c->name, &given, NULL, 0, &c->report);
}

static void set(call *c, const char *name, const char *value)
{
    for (int i = 0; i < c->count; i++) {
        if (strcmp(c->parameters[i].name, name) == 0) {
            c->parameters[i].value = value;
            return;
        }
    }
    c->parameters[c->count++] = (ga_named_text){ name, value };
}

/* "name=value name=value" in place. */
static void set_all(call *c, char *text)
{
    for (char *pair = strtok(text, " "); pair; pair = strtok(NULL, " ")) {
        char *equals = strchr(pair, '=');
        *equals = '\0';
        set(c, pair, equals + 1);
    }
}

static double got(const call *c, const char *name)
{
    for (int i = 0; i < c->report.count; i++) {
        if (strcmp(c->report.rows[i].name, name) == 0) {
            return c->report.rows[i].real;
        }
    }
    ck_abort_msg("%s has no %s", c->name, name);
    return 0;
}

static void expect(const call *c, const char *name, double value)
{
    ck_assert_msg(fabs(got(c, name) - value) <= 1e-9 * fabs(value), "%s: %s is %.12g, expected %.12g",
                  c->name, name, got(c, name), value);
}

static void refused(call *c, const char *words)
{
    test_status(context, run_in(context, c), GA_INVALID);
    test_error_has(context, words);
    ck_assert_int_eq(c->report.count, 0);
}

/* ---- kinetics: Qwen3-8B, prompt of 512 (card A7) ---- */

static void kinetics(call *c, const char *more)
{
    *c = (call){ .name = "kinetics" };
    snprintf(c->text, sizeof c->text,
             "parameters=8.19e9 heads=32 kv_heads=8 dim=128 layers=36 prompt=512 generated=1024 %s", more);
    set_all(c, c->text);
}

START_TEST(generation_costs_what_the_formulas_say)
{
    call c;
    const char *block = "mode=block window=64 block=16 top_k=60";
    static const struct {
        const char *generated;
        double attention, share; /* of block top-k in dense, as they are published */
    } table[] = { { "1024", 5.2, 0.92 }, { "8192", 23.5, 0.28 }, { "32768", 86, 0.10 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        kinetics(&c, "");
        set(&c, "generated", table[i].generated);
        test_ok(context, run_in(context, &c));
        double dense = got(&c, "eflops"), out = strtod(table[i].generated, NULL), d = 2.0 * 8 * 128 * 36;
        expect(&c, "compute", 2 * 8.19e9 * out + 4 * d * (2 * 512 * out + out * out));
        expect(&c, "memory", d * (2 * 512 * out + out * out));
        ck_assert_double_eq_tol(got(&c, "attention_over_parameters"), table[i].attention, 0.6);
        kinetics(&c, block);
        set(&c, "generated", table[i].generated);
        test_ok(context, run_in(context, &c));
        ck_assert_double_eq_tol(got(&c, "eflops") / dense, table[i].share, 0.006);
    }
}
END_TEST

/* Tokens attended to, by counting; the formula treats steps as a line, which is half a token a step off. */
static double counted(double budget, double prompt, int64_t generated)
{
    double sum = 0;
    for (int64_t t = 0; t < generated; t++) {
        sum += fmin(budget, prompt + (double)t + 0.5);
    }
    return sum;
}

START_TEST(the_budget_fills_up)
{
    static const struct {
        const char *top_k, *generated;
    } table[] = { { "60", "4096" }, { "60", "300" }, { "200", "1000" }, { "8", "777" } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call c;
        kinetics(&c, "mode=block window=64 block=16");
        set(&c, "top_k", table[i].top_k);
        set(&c, "generated", table[i].generated);
        test_ok(context, run_in(context, &c));
        double out = strtod(table[i].generated, NULL), d = 2.0 * 8 * 128 * 36;
        double scores = d / 2 * (2 * 512 + out) * out / 16;
        double t = counted(64 + 16 * strtod(table[i].top_k, NULL), 512, (int64_t)out);
        ck_assert_double_eq_tol(got(&c, "memory") / (2 * d * t + scores), 1, 1e-4);
    }
}
END_TEST

/* ---- sparse-frontier ---- */

START_TEST(density_scales_the_pairs_alone)
{
    call c = { .name = "sparse-frontier" };
    char model[] = "model_dim=3584 heads=28 kv_heads=4 dim=128 layers=28 mlp_dim=18944 vocabulary=152064 "
                   "length=16384 batch=1";
    set_all(&c, model);
    test_ok(context, run_in(context, &c));
    double dense = got(&c, "prefill_flops"), pairs = got(&c, "attention_flops");
    expect(&c, "attention_flops", 28.0 * 28 * 16384 * 16384 * 515);
    expect(&c, "prefill_speedup", 1);
    ck_assert_double_eq_tol(got(&c, "kv_share"), 0.06, 0.005); /* published: 6 % at 16k, one sequence */
    set(&c, "density", "0.2");
    test_ok(context, run_in(context, &c));
    expect(&c, "prefill_flops", dense - 0.8 * pairs);
    expect(&c, "attention_share", 0.2 * pairs / (dense - 0.8 * pairs));
    set(&c, "density", "0");
    test_ok(context, run_in(context, &c));
    ck_assert_double_eq(got(&c, "decode_kv"), 0);
    set(&c, "kv_heads", "5");
    refused(&c, "kv_heads=5: expected a divisor of the 28 heads");
    set(&c, "density", "1.5");
    refused(&c, "density=1.5");
    c.count--;
    c.name = "kinetics";
    refused(&c, "kinetics has no parameter 'model_dim'");
}
END_TEST

/* ---- efficiency-length ---- */

static ga_status crossing(ga_context *in, int64_t count, const double *lengths, const double *vanilla,
                          const double *method, double *length)
{
    const char *const names[] = { "lengths", "vanilla", "method" };
    const double *const values[] = { lengths, vanilla, method };
    ga_named_tensor tensors[3], wanted = { "length", NULL };
    ga_block_call given = GA_BLOCK_CALL_INIT;
    ga_status status = GA_OK;
    int64_t made = 0;
    for (; made < 3 && status == GA_OK; made += status == GA_OK) {
        tensors[made].name = names[made];
        status = ga_tensor_create(in, (DLDataType){ kDLFloat, 64, 1 }, 1, &count, &tensors[made].tensor);
        if (status == GA_OK) {
            memcpy(tensors[made].tensor->data, values[made], (size_t)count * sizeof(double));
        }
    }
    given.tensors = tensors;
    given.tensor_count = 3;
    status = status == GA_OK ? ga_cost_run(in, "efficiency-length", &given, &wanted, 1, NULL) : status;
    if (status == GA_OK) {
        ck_assert_int_eq(wanted.tensor->ndim, 0);
        ck_assert_int_eq(wanted.tensor->dtype.bits, 64);
        *length = *(const double *)wanted.tensor->data;
    }
    ga_tensor_destroy(in, wanted.tensor);
    while (made-- > 0) {
        ga_tensor_destroy(in, tensors[made].tensor);
    }
    return status;
}

START_TEST(larger_crossing)
{
    const double lengths[] = { 100, 200, 400, 800, 1600 };
    double vanilla[5], method[5], length;
    /* (L - 300) (L - 700) / 1000 above the line 2 L + 5 */
    for (int i = 0; i < 5; i++) {
        method[i] = 2 * lengths[i] + 5;
        vanilla[i] = method[i] + (lengths[i] - 300) * (lengths[i] - 700) / 1000;
    }
    test_ok(context, crossing(context, 5, lengths, vanilla, method, &length));
    ck_assert_double_eq_tol(length, 700, 1e-7);
    for (int i = 0; i < 5; i++) {
        vanilla[i] = method[i] + lengths[i] * lengths[i] + 1;
    }
    test_ok(context, crossing(context, 5, lengths, vanilla, method, &length));
    ck_assert(isnan(length));
    const double two[] = { 100, 200, 100, 200, 200 };
    test_status(context, crossing(context, 5, two, vanilla, method, &length), GA_INVALID);
    test_error_has(context, "at least three different");
    test_status(context, crossing(context, 1, lengths, vanilla, method, &length), GA_INVALID);
    test_status(context, crossing(context, 0, lengths, vanilla, method, &length), GA_INVALID);
}
END_TEST

static ga_status crossing_once(ga_context *in, void *user)
{
    const double lengths[] = { 1, 2, 3 }, vanilla[] = { 1, 4, 9 }, method[] = { 2, 3, 4 };
    double length;
    (void)user;
    return crossing(in, 3, lengths, vanilla, method, &length);
}

static ga_status variant_once(ga_context *in, void *user)
{
    return run_in(in, user);
}

START_TEST(memory_may_end)
{
    call c = { .name = "variant" };
    char size[] = "variant=window queries=100 keys=100 dim=16 window=9 flops_per_second=1 bytes_per_second=1";
    set_all(&c, size);
    ck_assert_int_ge(test_each_allocation(variant_once, &c, 2), 2);
    ck_assert_int_ge(test_each_allocation(crossing_once, NULL, 1), 2);
}
END_TEST

/* ---- passes ---- */

START_TEST(passes_are_as_they_are_written)
{
    const char *path = test_shared("golden/attention-dynamic/passes.json"), *name;
    json_error_t error;
    json_t *entry;
    int tried = 0;
    if (!path) {
        printf("no golden/attention-dynamic/passes.json: passes are not compared\n");
        return;
    }
    json_t *all = json_load_file(path, 0, &error), *plans = json_object_get(all, "plans");
    ck_assert_msg(json_is_object(plans), "%s: %s", path, error.text);
    json_object_foreach(plans, name, entry)
    {
        static const char *const ranks[] = { "keys", "queries", "units" };
        call c = { .name = "passes" };
        set(&c, "variant", name);
        test_ok(context, run_in(context, &c));
        for (int i = 0; i < 3; i++) {
            double expected = (double)json_integer_value(json_object_get(entry, ranks[i]));
            ck_assert_msg(got(&c, ranks[i]) == expected, "%s: %g passes over %s, expected %g", name,
                          got(&c, ranks[i]), ranks[i], expected);
        }
        tried++;
    }
    ck_assert_int_ge(tried, 70);
    json_decref(all);
}
END_TEST

START_TEST(every_variant_has_a_plan)
{
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        ck_assert_msg(ga__plan_find((*v)->name) != NULL, "%s has no cascade", (*v)->name);
    }
    for (const ga__plan *p = ga__plans; p->name; p++) {
        ga__passes passes;
        ga__ranks ranks = { 8, 2, 8, 4, 2, 3, 3, 2, 1, 1 };
        test_ok(context, ga__analyse(context, p, &ranks, &passes));
        ck_assert_ptr_eq(ga__plan_find(p->name), p);
        ck_assert(passes.live >= 0 && passes.moved > 0 && passes.operations > 0);
    }
}
END_TEST

/* One pass needs no memory that grows with the keys; three hold rows of the map. */
START_TEST(one_pass_holds_no_row)
{
    static const struct {
        const char *name;
        bool grows;
    } table[] = { { "full", false }, { "var", false },    { "landmark", true }, { "stable", true },
                  { "naive", true }, { "var-map", true }, { "act", true } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call c = { .name = "passes" };
        set(&c, "variant", table[i].name);
        set(&c, "length", "1024");
        test_ok(context, run_in(context, &c));
        double small = got(&c, "live_words"), moved = got(&c, "words_moved");
        set(&c, "length", "2048");
        test_ok(context, run_in(context, &c));
        if (strcmp(table[i].name, "landmark") != 0) { /* it holds a row of blocks */
            ck_assert_msg((got(&c, "live_words") > 1.5 * small) == table[i].grows, "%s: %g words, then %g",
                          table[i].name, small, got(&c, "live_words"));
        }
        ck_assert(got(&c, "words_moved") > 1.9 * moved);
    }
}
END_TEST

/* A rule that is broken shows: the recurrence that is left out of the streaming cascade costs a pass. */
START_TEST(recurrences_save_passes)
{
    const ga__einsum rows[] = { { .name = "S", .ranks = "pm" },
                                { "M", "p", { "S" }, .work = 1 },
                                { "W", "pm", { "S", "M" }, .work = 1 },
                                { "Z", "p", { "W" }, .work = 1 },
                                { .name = NULL } };
    ga__einsum streaming[5];
    ga__plan plan = { "rows", rows, false };
    ga__ranks ranks = { 1, 1, 10, 1, 1, 1, 1, 1, 1, 1 };
    ga__passes passes;
    test_ok(context, ga__analyse(context, &plan, &ranks, &passes));
    ck_assert_int_eq(passes.keys, 2);
    memcpy(streaming, rows, sizeof rows);
    streaming[2].iterative = streaming[3].iterative = "m";
    plan.einsums = streaming;
    test_ok(context, ga__analyse(context, &plan, &ranks, &passes));
    ck_assert_int_eq(passes.keys, 1);
    streaming[3].reads[0] = "X";
    test_status(context, ga__analyse(context, &plan, &ranks, &passes), GA_INTERNAL);
}
END_TEST

/* ---- fused or not ---- */

/* One pass over everything or none: what the table of part C says of every plan and every form of a post step. */
START_TEST(fused_is_refused_where_a_pass_is_missing)
{
    static const struct {
        const char *variant, *post, *words; /* NULL = one pass */
    } table[] = {
        { "full", "none", NULL },
        { "full", "classwise", NULL },
        { "window", "classwise", NULL },
        { "var", "none", NULL },
        { "dara", "none", NULL },
        { "naive-deferred", "none", NULL },
        { "full", "row", "fused=1: expected 0: full with post=row needs 4 passes over keys, 1 over queries" },
        { "full", "full", "full with post=full needs 4 passes over keys, 2 over queries" },
        { "act", "none", "fused=1: expected 0: act needs 3 passes over keys, 2 over queries, 1 over units" },
        { "var-map", "none", "needs 4 passes over keys" },
        { "quest", "none", "quest needs 2 passes over keys, 1 over queries, 2 over units" },
        { "quest", "row", "post=row: expected none with quest" },
        { "var", "classwise", "post=classwise: expected none with var, which is not plain softmax" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        call c = { .name = "passes" };
        set(&c, "variant", table[i].variant);
        set(&c, "post", table[i].post);
        set(&c, "fused", "1");
        if (table[i].words) {
            refused(&c, table[i].words);
        } else {
            test_ok(context, run_in(context, &c));
            expect(&c, "keys", 1);
            expect(&c, "queries", 1);
        }
    }
}
END_TEST

static void keep_weights(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                         double *factors)
{
    (void)user, (void)batch, (void)head, (void)query, (void)mass, (void)factors;
}

static void keep_row(void *user, int64_t batch, int64_t head, int64_t query, int64_t count,
                     const int64_t *keys, double *weights)
{
    (void)user, (void)batch, (void)head, (void)query, (void)count, (void)keys, (void)weights;
}

static void keep_map(void *user, int64_t batch, int64_t head, int64_t queries, int64_t keys, double *map)
{
    (void)user, (void)batch, (void)head, (void)queries, (void)keys, (void)map;
}

/* The streaming kernels take exactly the post steps that the analyser gives one pass, and both are bound by the form. */
START_TEST(kernels_refuse_what_the_analyser_refuses)
{
    static const char *const forms[] = { "none", "classwise", "row", "full" };
    static const int32_t classes[] = { 0, 1, 0, 1 };
    static const int64_t shape[] = { 1, 1, 4, 4 };
    const DLDataType f32 = { kDLFloat, 32, 1 };
    ga_pattern *pattern = NULL;
    DLTensor *x = NULL, *o = NULL;
    test_ok(context, ga_tensor_create(context, f32, 4, shape, &x));
    test_ok(context, ga_tensor_create(context, f32, 4, shape, &o));
    memset(x->data, 0, 64);
    test_ok(context, ga_pattern_full(context, 4, 4, false, &pattern));
    for (int form = GA_POST_NONE; form <= GA_POST_FULL; form++) {
        const ga_post post = { .form = (ga_post_form)form,
                               .classes = classes,
                               .class_count = 2,
                               .factors = keep_weights,
                               .row = keep_row,
                               .full = keep_map,
                               .full_limit = 1 << 20 };
        const ga_attention_result result = { .o = o };
        ga_attention problem = GA_ATTENTION_INIT;
        call c = { .name = "passes" };
        problem.q = problem.k = problem.v = x;
        problem.pattern = pattern;
        problem.post = &post;
        set(&c, "variant", "full");
        set(&c, "post", forms[form]);
        set(&c, "fused", "1");
        ga_status by_kernel = ga_attention_forward(context, &problem, GA_FAMILY_TILES, &result, NULL);
        ga_status by_analyser = run_in(context, &c);
        ck_assert_msg((by_kernel == GA_OK) == (by_analyser == GA_OK), "post %s: %s and %s", forms[form],
                      ga_status_name(by_kernel), ga_status_name(by_analyser));
        ck_assert_int_eq(by_analyser == GA_OK, form <= GA_POST_CLASSWISE);
        test_ok(context, ga_attention_forward(context, &problem, GA_FAMILY_AUTO, &result, NULL));
    }
    ga_pattern_destroy(context, pattern);
    ga_tensor_destroy(context, x);
    ga_tensor_destroy(context, o);
}
END_TEST

START_TEST(unknown_plans_are_refused)
{
    call c = { .name = "passes" };
    refused(&c, "passes needs variant");
    set(&c, "variant", "nothing");
    refused(&c, "variant=nothing: expected the name of a variant");
    set(&c, "variant", "");
    refused(&c, "variant=: expected a name");
    c.name = "pass";
    refused(&c, "no cost 'pass'");
    c = (call){ .name = "passes", .causal = true };
    refused(&c, "passes takes no causal mask");
}
END_TEST

/* ---- variant ---- */

START_TEST(pairs_are_counted)
{
    call c = { .name = "variant" };
    char size[] = "variant=full queries=256 keys=256 heads=4 kv_heads=2 dim=16 dim_v=8 batch=3 "
                  "flops_per_second=1e9 bytes_per_second=1e12";
    set_all(&c, size);
    test_ok(context, run_in(context, &c));
    double ends = 3 * 4 * 256 * 8.0; /* one division an element of o */
    expect(&c, "flops", 3 * 4 * 256.0 * 256 * (2 * 16 + 2 * 8 + 3) + ends);
    expect(&c, "bytes", 4 * 3 * 256.0 * (4 * (16 + 8) + 2 * (16 + 8)));
    expect(&c, "density", 1);
    expect(&c, "tile_density", 1);
    expect(&c, "passes", 1);
    expect(&c, "seconds", got(&c, "flops") / 1e9);
    c.causal = true;
    test_ok(context, run_in(context, &c));
    expect(&c, "density", 257.0 / 512);
    expect(&c, "tile_density", 10.0 / 16);
    set(&c, "variant", "window");
    set(&c, "left", "1");
    set(&c, "right", "0");
    test_ok(context, run_in(context, &c));
    expect(&c, "density", (2 * 256 - 1.0) / 256 / 256);
    expect(&c, "tile_density", 7.0 / 16);
    set(&c, "bytes_per_second", "1");
    test_ok(context, run_in(context, &c));
    expect(&c, "seconds", got(&c, "bytes"));
}
END_TEST

START_TEST(what_is_not_known_is_said)
{
    call c = { .name = "variant" };
    char size[] =
        "variant=vertical-slash queries=64 keys=64 dim=16 flops_per_second=1e9 bytes_per_second=1e9";
    set_all(&c, size);
    refused(&c, "chooses its keys by the data");
    set(&c, "density", "0.25");
    test_ok(context, run_in(context, &c));
    expect(&c, "density", 0.25);
    ck_assert(isnan(got(&c, "tile_density")));
    expect(&c, "passes", 3);
    c.parameters[c.count - 1] = (ga_named_text){ "window", "3" };
    set(&c, "variant", "full");
    refused(&c, "full has no parameter 'window'");
    set(&c, "variant", "fool");
    refused(&c, "variant=fool: expected the name of a variant");
    c.count--;
    set(&c, "variant", "linear");
    test_ok(context, run_in(context, &c));
    ck_assert(isnan(got(&c, "density")));
    set(&c, "heads", "3");
    set(&c, "kv_heads", "2");
    refused(&c, "kv_heads=2: expected a divisor");
}
END_TEST

/* The machine is measured where nothing is said. */
START_TEST(speeds_are_measured)
{
    call c = { .name = "variant" };
    char size[] = "variant=full queries=1024 keys=1024 dim=64";
    set_all(&c, size);
    test_ok(context, run_in(context, &c));
    ck_assert(got(&c, "seconds") > 0);
    ck_assert(got(&c, "flops") / got(&c, "seconds") < 1e15);
}
END_TEST

static void setup(void)
{
    context = test_threads_context(2);
}

static void teardown(void)
{
    ga_context_destroy(context);
}

int main(void)
{
    Suite *suite = suite_create("costs");
    TCase *all = tcase_create("costs");
    tcase_set_timeout(all, 0);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, generation_costs_what_the_formulas_say);
    tcase_add_test(all, the_budget_fills_up);
    tcase_add_test(all, density_scales_the_pairs_alone);
    tcase_add_test(all, larger_crossing);
    tcase_add_test(all, memory_may_end);
    tcase_add_test(all, passes_are_as_they_are_written);
    tcase_add_test(all, every_variant_has_a_plan);
    tcase_add_test(all, one_pass_holds_no_row);
    tcase_add_test(all, recurrences_save_passes);
    tcase_add_test(all, fused_is_refused_where_a_pass_is_missing);
    tcase_add_test(all, kernels_refuse_what_the_analyser_refuses);
    tcase_add_test(all, unknown_plans_are_refused);
    tcase_add_test(all, pairs_are_counted);
    tcase_add_test(all, what_is_not_known_is_said);
    tcase_add_test(all, speeds_are_measured);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
