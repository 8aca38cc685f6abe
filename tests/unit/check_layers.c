/* check_layers.c - layers of graph neural networks: gradients against differences, identities, the graph policy, threads,
 * precision, refusals, memory. */
#include "config.h"

#include "tests/unit/check_layers.h"

/* ---- gradients ---- */

static void compare_gradient(problem *p, DLTensor *input, const char *name, const results *r)
{
    char full[48];
    const double step = 1e-5;
    snprintf(full, sizeof full, "grad_%s", name);
    DLTensor *grad = result(r, full);
    ck_assert_int_eq(grad->ndim, input->ndim);
    for (int64_t i = 0; i < count_of(input); i++) {
        double *x = &numbers_of(input)[i], kept = *x;
        *x = kept + step;
        double more = loss(p);
        *x = kept - step;
        double less = loss(p);
        *x = kept;
        double found = numbers_of(grad)[i], expected = (more - less) / (2 * step);
        ck_assert_msg(fabs(found - expected) <= 2e-7 * (1 + fabs(expected)),
                      "%s %s[%lld]: %.12g, differences %.12g", p->of->layer, full, (long long)i, found,
                      expected);
    }
}

START_TEST(gradients_are_differences)
{
    problem p;
    results r;
    problem_make(&p, &fixtures[_i], 9, 31, 3);
    with_gradient(&p);
    run(&p, &r);
    compare_gradient(&p, p.features, "features", &r);
    for (int64_t i = 0; i < p.call.tensor_count; i++) {
        if (differentiable(p.of, p.tensors[i].name)) {
            compare_gradient(&p, p.tensors[i].tensor, p.tensors[i].name, &r);
        }
    }
    results_free(context, &r);
    problem_free(&p);
}
END_TEST

/* ---- single precision, threads ---- */

START_TEST(single_precision_is_near)
{
    problem p;
    results wide, narrow;
    problem_make(&p, &fixtures[_i], 40, 300, 4);
    with_gradient(&p);
    run(&p, &wide);
    p.call.f64 = false;
    for (int b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
        if (!ga_backend_available((ga_backend)b)) {
            continue;
        }
        test_ok(context, ga_context_set_backend(context, (ga_backend)b));
        run(&p, &narrow);
        for (int64_t i = 0; i < narrow.count; i++) {
            const float *got = narrow.of[i].tensor->data;
            const double *expected = wide.of[i].tensor->data;
            double size = 0;
            ck_assert_int_eq(narrow.of[i].tensor->dtype.bits, 32);
            for (int64_t k = 0; k < count_of(wide.of[i].tensor); k++) {
                size = fmax(size, fabs(expected[k]));
            }
            for (int64_t k = 0; k < count_of(wide.of[i].tensor); k++) {
                ck_assert_msg(fabs((double)got[k] - expected[k]) <= 1e-4 * (1 + size),
                              "%s %s[%lld]: %g, double %g", p.of->layer, narrow.of[i].name, (long long)k,
                              (double)got[k], expected[k]);
            }
        }
        results_free(context, &narrow);
    }
    results_free(context, &wide);
    problem_free(&p);
}
END_TEST

START_TEST(threads_give_the_same_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    problem p;
    results first, again;
    problem_make(&p, &fixtures[_i], 700, 9000, 6);
    with_gradient(&p);
    for (int wide = 0; wide < 2; wide++) {
        p.call.f64 = wide;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            test_set_threads(context, threads[t]);
            run(&p, t == 0 ? &first : &again);
            for (int64_t i = 0; t > 0 && i < first.count; i++) {
                size_t bytes = (size_t)count_of(first.of[i].tensor) * (wide ? 8 : 4);
                ck_assert_msg(memcmp(first.of[i].tensor->data, again.of[i].tensor->data, bytes) == 0,
                              "%s: %s with %d threads, %d bits", p.of->layer, first.of[i].name, threads[t],
                              wide ? 64 : 32);
            }
            if (t > 0) {
                results_free(context, &again);
            }
        }
        results_free(context, &first);
    }
    problem_free(&p);
}
END_TEST

/* ---- identities ---- */

static void expect_equal(const DLTensor *a, const DLTensor *b, double tolerance)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    for (int64_t i = 0; i < count_of(a); i++) {
        double x = numbers_of(a)[i], y = numbers_of(b)[i];
        ck_assert_msg(fabs(x - y) <= tolerance * (1 + fabs(y)), "[%lld] %.15g, %.15g", (long long)i, x, y);
    }
}

/* The same problem with another fixture; compares y and the gradient of the features. */
static void expect_alike(problem *p, const fixture *a, const fixture *b, double tolerance)
{
    results ra, rb;
    ga_layer_call call = p->call;
    const fixture *const both[] = { a, b };
    results *const to[] = { &ra, &rb };
    for (int i = 0; i < 2; i++) {
        p->of = both[i];
        p->call.parameters = both[i]->parameters;
        p->call.parameter_count = 0;
        while (p->call.parameter_count < PARAMETERS && both[i]->parameters[p->call.parameter_count].name) {
            p->call.parameter_count++;
        }
        run(p, to[i]);
        p->call = call;
    }
    expect_equal(result(&ra, "y"), result(&rb, "y"), tolerance);
    expect_equal(result(&ra, "grad_features"), result(&rb, "grad_features"), tolerance);
    results_free(context, &ra);
    results_free(context, &rb);
}

START_TEST(appnp_is_gprgnn_with_its_coefficients)
{
    static const fixture appnp = { "appnp", { { "k", "3" }, { "alpha", "0.25" } }, { { 0 } }, false };
    static const fixture gprgnn = { "gprgnn", { { 0 } }, { { "gamma", 0, 4 } }, false };
    problem p;
    results a, b;
    problem_make(&p, &gprgnn, 12, 50, 8);
    for (int t = 0; t < 4; t++) {
        numbers_of(p.tensors[0].tensor)[t] = (t < 3 ? 0.25 : 1) * pow(0.75, t);
    }
    with_gradient(&p);
    run(&p, &b);
    p.of = &appnp;
    p.call.parameters = appnp.parameters;
    p.call.parameter_count = 2;
    p.call.tensor_count = 0;
    run(&p, &a);
    expect_equal(result(&a, "y"), result(&b, "y"), 1e-13);
    expect_equal(result(&a, "grad_features"), result(&b, "grad_features"), 1e-13);
    results_free(context, &a);
    results_free(context, &b);
    problem_free(&p);
}
END_TEST

/* Where every node has incoming edges: appnp without loops at teleport mu / (1 + mu). */
START_TEST(pgnn_of_two_is_appnp)
{
    static const fixture pgnn = { "pgnn", { { "k", "3" }, { "mu", "0.25" } }, { { 0 } }, false };
    static const fixture source = {
        "pgnn", { { "k", "3" }, { "mu", "0.25" }, { "alpha_side", "source" } }, { { 0 } }, false
    };
    static const fixture appnp = {
        "appnp", { { "k", "3" }, { "alpha", "0.2" }, { "self_loops", "keep" } }, { { 0 } }, false
    };
    problem p;
    problem_make(&p, &pgnn, 12, 60, 9);
    for (int64_t i = 0; i < p.n; i++) {
        p.queries[i] = i;
    }
    with_gradient(&p);
    expect_alike(&p, &pgnn, &appnp, 1e-12);
    expect_alike(&p, &pgnn, &source, 1e-12);
    problem_free(&p);
}
END_TEST

START_TEST(softmax_does_not_see_the_bias_of_keys)
{
    problem p;
    results r;
    problem_make(&p, &fixtures[10], 9, 31, 3);
    ck_assert_str_eq(p.of->layer, "transformer");
    with_gradient(&p);
    run(&p, &r);
    const DLTensor *grad = result(&r, "grad_bias_key");
    for (int64_t i = 0; i < count_of(grad); i++) {
        ck_assert_double_le(fabs(numbers_of(grad)[i]), 1e-14);
    }
    results_free(context, &r);
    problem_free(&p);
}
END_TEST

START_TEST(numbers_of_nodes_do_not_matter)
{
    problem p, q;
    results a, b;
    problem_make(&p, &fixtures[_i], 12, 50, 11);
    problem_make(&q, &fixtures[_i], 12, 50, 11);
    for (int64_t i = 0; i < q.lines; i++) {
        q.keys[i] = (q.keys[i] * 5 + 3) % 12;
        q.queries[i] = (q.queries[i] * 5 + 3) % 12;
    }
    for (int64_t i = 0; i < q.n; i++) {
        memcpy(numbers_of(q.features) + (i * 5 + 3) % 12 * F, numbers_of(p.features) + i * F,
               F * sizeof(double));
    }
    run(&p, &a);
    run(&q, &b);
    int64_t columns = result(&a, "y")->shape[1];
    for (int64_t i = 0; i < p.n; i++) {
        for (int64_t c = 0; c < columns; c++) {
            double x = numbers_of(result(&a, "y"))[i * columns + c];
            double y = numbers_of(result(&b, "y"))[(i * 5 + 3) % 12 * columns + c];
            ck_assert_double_le(fabs(x - y), 1e-12 * (1 + fabs(x)));
        }
    }
    results_free(context, &a);
    results_free(context, &b);
    problem_free(&p);
    problem_free(&q);
}
END_TEST

/* ---- the graph policy ---- */

static const fixture plain_gcn = { "gcn", { { 0 } }, { { "weight", F, 3 } }, false };

static void expect_same_y(problem *p, const ga_edge_rows *edges, bool undirected,
                          const ga_named_text *parameters, int64_t count)
{
    results a, b;
    ga_layer_call call = p->call;
    run(p, &a);
    p->call.edges = edges;
    p->call.undirected = undirected;
    p->call.parameters = parameters;
    p->call.parameter_count = count;
    run(p, &b);
    p->call = call;
    expect_equal(result(&a, "y"), result(&b, "y"), 1e-13);
    results_free(context, &a);
    results_free(context, &b);
}

START_TEST(policies_are_other_lists)
{
    static const ga_named_text keep[] = { { "self_loops", "keep" } };
    static const ga_named_text sum[] = { { "duplicates", "sum" } }, all[] = { { "duplicates", "keep" } };
    static const ga_named_text removed[] = { { "self_loops", "remove" } };
    int64_t keys[80], queries[80], count = 0;
    bool loop[12] = { false };
    problem p;
    problem_make(&p, &plain_gcn, 12, 34, 21);
    /* by hand: the first of each pair, then loops where there are none */
    for (int64_t i = 0; i < p.lines; i++) {
        bool seen = false;
        for (int64_t j = 0; j < count; j++) {
            seen = seen || (keys[j] == p.keys[i] && queries[j] == p.queries[i]);
        }
        if (!seen) {
            keys[count] = p.keys[i];
            queries[count++] = p.queries[i];
            loop[p.keys[i]] |= p.keys[i] == p.queries[i];
        }
    }
    int64_t lines = count;
    ck_assert_int_lt(lines, p.lines);
    for (int64_t i = 0; i < p.n; i++) {
        if (!loop[i]) {
            keys[count] = queries[count] = i;
            count++;
        }
    }
    ck_assert_int_lt(count, lines + p.n);
    ga_edge_rows edges = { .name = "by hand", .count = count, .keys = keys, .queries = queries };
    expect_same_y(&p, &edges, false, keep, 1);
    /* without loops */
    int64_t left = 0;
    for (int64_t i = 0; i < count; i++) {
        if (keys[i] != queries[i]) {
            keys[left] = keys[i];
            queries[left++] = queries[i];
        }
    }
    edges.count = left;
    p.call.parameters = removed;
    p.call.parameter_count = 1;
    expect_same_y(&p, &edges, false, keep, 1);
    /* two lines of weight 1 are one of weight 2 */
    p.call.parameters = sum;
    expect_same_y(&p, &p.edges, false, all, 1);
    problem_free(&p);
}
END_TEST

START_TEST(undirected_is_both_directions)
{
    int64_t keys[60], queries[60];
    problem p;
    problem_make(&p, &plain_gcn, 12, 30, 22);
    for (int64_t i = 0; i < 30; i++) {
        keys[2 * i] = queries[2 * i + 1] = p.keys[i];
        queries[2 * i] = keys[2 * i + 1] = p.queries[i];
    }
    ga_edge_rows both = { .name = "both", .count = 60, .keys = keys, .queries = queries };
    p.call.undirected = true;
    expect_same_y(&p, &both, false, NULL, 0);
    problem_free(&p);
}
END_TEST

/* Rows of the map: lines in their order, then inserted loops by node; each node's weights sum to 1. */
START_TEST(map_follows_the_lines)
{
    static const fixture agnn = { "agnn", { { 0 } }, { { "beta", 0, 1 } }, false };
    static const int64_t keys[] = { 2, 0, 2, 1, 3 }, queries[] = { 0, 1, 0, 1, 2 };
    problem p;
    results r;
    problem_make(&p, &agnn, 5, 3, 1);
    p.edges = (ga_edge_rows){ .name = "five", .count = 5, .keys = keys, .queries = queries };
    numbers_of(p.tensors[0].tensor)[0] = 0; /* all weights of a node alike */
    run(&p, &r);
    /* loops of 0, 2, 3, 4; line 2 repeats line 0 */
    static const double expected[] = { 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0.5, 1, 1 };
    const DLTensor *map = result(&r, "map");
    ck_assert_int_eq(map->shape[0], 9);
    ck_assert_int_eq(map->shape[1], 1);
    for (int i = 0; i < 9; i++) {
        ck_assert_double_eq_tol(numbers_of(map)[i], expected[i], 1e-15);
    }
    results_free(context, &r);
    problem_free(&p);
}
END_TEST

/* Without incoming edges: the bias alone; without nodes, edges or columns: nothing, but no failure. */
START_TEST(empty_things_are_legal)
{
    static const int64_t sizes[][2] = { { 4, 0 }, { 0, 0 } };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        problem p;
        results r;
        problem_make(&p, &fixtures[_i], 12, 0, 2);
        p.n = sizes[s][0];
        p.features->shape[0] = p.n;
        with_gradient(&p);
        run(&p, &r);
        for (int64_t i = 0; i < r.count; i++) {
            for (int64_t k = 0; k < count_of(r.of[i].tensor); k++) {
                ck_assert(isfinite(numbers_of(r.of[i].tensor)[k]));
            }
        }
        results_free(context, &r);
        problem_free(&p);
    }
}
END_TEST

/* ---- refusals ---- */

static void expect_refusal(problem *p, const char *words)
{
    ga_named_tensor y = { "y", NULL };
    test_status(context, ga_layer_run(context, p->of->layer, &p->call, &y, 1), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(y.tensor);
}

START_TEST(wrong_parameters_are_refused)
{
    static const struct {
        int fixture;
        ga_named_text parameter;
        const char *words;
    } wrong[] = {
        { 0, { "k", "2" }, "gcn has no parameter 'k'" },
        { 0, { "self_loops", "maybe" }, "self_loops=maybe: expected keep|add|remove" },
        { 3, { "duplicates", "sum" }, "duplicates=sum: expected drop or keep" },
        { 6, { "heads", "0" }, "heads=0: expected an integer, >= 1" },
        { 6, { "heads", "4" }, "heads=4: expected a divisor of the 6 columns of weight" },
        { 6, { "negative_slope", "1" }, "negative_slope=1" },
        { 8, { "heads", "5" }, "columns of weight_src" },
        { 10, { "gate", "false" }, "weight_gate: expected with gate=true alone" },
        { 12, { "gate", "true" }, "gate needs weight_skip and weight_gate" },
        { 12, { "heads", "3" }, "columns of weight_query" },
        { 14, { "alpha", "1.5" }, "alpha=1.5" },
        { 14, { "k", "-1" }, "k=-1" },
        { 16, { "p", "0" }, "p=0" },
        { 16, { "guard_eps", "0" }, "guard_eps=0" },
    };
    problem p;
    problem_make(&p, &fixtures[wrong[_i].fixture], 9, 20, 1);
    p.call.parameters = &wrong[_i].parameter;
    p.call.parameter_count = 1;
    expect_refusal(&p, wrong[_i].words);
    problem_free(&p);
}
END_TEST
enum { WRONG_PARAMETERS = 14 };

START_TEST(every_tensor_of_another_shape_is_refused)
{
    problem p;
    problem_make(&p, &fixtures[_i], 9, 20, 1);
    for (int64_t i = 0; i < p.call.tensor_count; i++) {
        DLTensor *kept = p.tensors[i].tensor;
        int64_t rows = kept->ndim > 1 ? kept->shape[0] : 0, columns = kept->shape[kept->ndim - 1];
        if (strcmp(p.tensors[i].name, "gamma") == 0) {
            continue;
        }
        p.tensors[i].tensor = tensor_of(kept->ndim, rows + 1, columns + 1);
        for (int64_t k = 0; k < count_of(p.tensors[i].tensor); k++) {
            numbers_of(p.tensors[i].tensor)[k] = 1;
        }
        ga_named_tensor y = { "y", NULL };
        test_status(context, ga_layer_run(context, p.of->layer, &p.call, &y, 1), GA_INVALID);
        test_error_has(context, "expected");
        ga_tensor_destroy(context, p.tensors[i].tensor);
        p.tensors[i].tensor = kept;
    }
    problem_free(&p);
}
END_TEST

START_TEST(needed_tensors_are_missed)
{
    const ga_layer *layer = ga_layer_find(fixtures[_i].layer);
    problem p;
    problem_make(&p, &fixtures[_i], 9, 20, 1);
    for (int64_t i = 0; i < p.call.tensor_count; i++) {
        for (const ga_tensor_slot *t = layer->tensors; t->name; t++) {
            ga_named_tensor kept = p.tensors[i];
            if (t->optional || strcmp(t->name, kept.name) != 0) {
                continue;
            }
            char words[64];
            snprintf(words, sizeof words, "%s needs %s", layer->name, kept.name);
            p.tensors[i] = p.tensors[p.call.tensor_count - 1];
            p.call.tensor_count--;
            expect_refusal(&p, words);
            p.call.tensor_count++;
            p.tensors[i] = kept;
        }
    }
    problem_free(&p);
}
END_TEST

START_TEST(wrong_calls_are_refused)
{
    problem p;
    ga_named_tensor out = { "y", NULL }, twice[] = { { "y", NULL }, { "y", NULL } };
    problem_make(&p, &fixtures[0], 9, 20, 1);
    test_status(context, ga_layer_run(context, "gnc", &p.call, &out, 1), GA_INVALID);
    test_error_has(context, "no layer 'gnc'");
    test_status(context, ga_layer_run(context, NULL, &p.call, &out, 1), GA_INVALID);
    test_status(context, ga_layer_run(context, "gcn", NULL, &out, 1), GA_INVALID);
    test_status(context, ga_layer_run(context, "gcn", &p.call, twice, 2), GA_INVALID);
    test_error_has(context, "wanted twice");
    const struct {
        const char *name, *words;
    } outputs[] = { { "map", "gcn has no output 'map'; its outputs are y and grad_NAME" },
                    { "grad_weight", "grad_weight needs the gradient of y" },
                    { "grad_nothing", "gcn has no gradient of 'nothing'" },
                    { "z", "gcn has no output 'z'" } };
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        out.name = outputs[i].name;
        test_status(context, ga_layer_run(context, "gcn", &p.call, &out, 1), GA_INVALID);
        test_error_has(context, outputs[i].words);
    }
    out.name = "grad_bias";
    p.tensors[1].name = "edge_weight"; /* of 3 entries */
    p.call.tensor_count = 2;
    expect_refusal(&p, "edge_weight: shape (3), expected (20)");
    p.tensors[1].name = "weight";
    expect_refusal(&p, "weight is given twice");
    p.tensors[1].name = "gewicht";
    expect_refusal(&p, "gcn has no tensor 'gewicht'");
    p.tensors[1].name = "bias";
    p.call.edges = NULL;
    expect_refusal(&p, "gcn needs a graph");
    p.call.edges = &p.edges;
    p.keys[4] = 9;
    expect_refusal(&p, "graph.txt:6: node 9, expected below 9, the rows of features");
    p.keys[4] = -1;
    expect_refusal(&p, "graph.txt:6: node -1");
    p.keys[4] = 1;
    p.call.grad_y = p.features;
    expect_refusal(&p, "grad_y: shape (9, 5), expected (9, 3)");
    p.call.grad_y = NULL;
    p.call.features = p.tensors[1].tensor;
    expect_refusal(&p, "features: 1 axes, expected 2");
    p.call.features = NULL;
    expect_refusal(&p, "features: missing");
    problem_free(&p);
}
END_TEST

/* ---- memory ---- */

static ga_status memory_body(ga_context *with, void *user)
{
    const problem *p = user;
    results r;
    want_all(p, &r);
    ga_status status = ga_layer_run(with, p->of->layer, &p->call, r.of, r.count);
    for (int64_t i = 0; status != GA_OK && i < r.count; i++) {
        ck_assert_ptr_null(r.of[i].tensor);
    }
    results_free(with, &r);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    problem p;
    problem_make(&p, &fixtures[_i], 6, 12, 3);
    with_gradient(&p);
    p.call.f64 = false;
    ck_assert_int_gt(test_each_allocation(memory_body, &p, 2), 5);
    problem_free(&p);
}
END_TEST

/* ---- the table ---- */

START_TEST(table_is_complete)
{
    int count = 0;
    for (const ga_layer *const *at = ga_layers(); *at; at++, count++) {
        const ga_layer *layer = *at;
        bool tried = false;
        ck_assert_ptr_eq(ga_layer_find(layer->name), layer);
        ck_assert(*layer->summary && *layer->source && *layer->plan && *layer->outputs);
        for (const ga_layer *const *other = ga_layers(); other != at; other++) {
            ck_assert_str_ne((*other)->name, layer->name);
        }
        for (const ga_parameter *p = layer->parameters; p && p->name; p++) {
            ck_assert_msg(p->help && *p->help && p->initial, "%s %s", layer->name, p->name);
        }
        for (const ga_tensor_slot *t = layer->tensors; t && t->name; t++) {
            ck_assert_msg(t->help && *t->help && t->shape && *t->shape, "%s %s", layer->name, t->name);
        }
        for (int i = 0; i < FIXTURES; i++) {
            tried = tried || strcmp(fixtures[i].layer, layer->name) == 0;
        }
        ck_assert_msg(tried, "no fixture of %s", layer->name);
    }
    ck_assert_int_eq(count, 10);
    ck_assert_ptr_null(ga_layer_find("none"));
    ck_assert_ptr_null(ga_layer_find(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers");
    TCase *tests = tcase_create("layers");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, gradients_are_differences, 0, FIXTURES);
    tcase_add_loop_test(tests, single_precision_is_near, 0, FIXTURES);
    tcase_add_loop_test(tests, threads_give_the_same_bits, 0, FIXTURES);
    tcase_add_test(tests, appnp_is_gprgnn_with_its_coefficients);
    tcase_add_test(tests, pgnn_of_two_is_appnp);
    tcase_add_test(tests, softmax_does_not_see_the_bias_of_keys);
    tcase_add_loop_test(tests, numbers_of_nodes_do_not_matter, 0, FIXTURES);
    tcase_add_test(tests, policies_are_other_lists);
    tcase_add_test(tests, undirected_is_both_directions);
    tcase_add_test(tests, map_follows_the_lines);
    tcase_add_loop_test(tests, empty_things_are_legal, 0, FIXTURES);
    tcase_add_loop_test(tests, wrong_parameters_are_refused, 0, WRONG_PARAMETERS);
    tcase_add_loop_test(tests, every_tensor_of_another_shape_is_refused, 0, FIXTURES);
    tcase_add_loop_test(tests, needed_tensors_are_missed, 0, FIXTURES);
    tcase_add_test(tests, wrong_calls_are_refused);
    tcase_add_loop_test(tests, memory_may_end_anywhere, 0, FIXTURES);
    tcase_add_test(tests, table_is_complete);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
