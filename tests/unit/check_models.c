/* check_models.c - models of graph neural networks: the table, saved tensors, first weights, refusals. */
#include "config.h"

#include "tests/unit/check_models.h"

/* ---- the table ---- */

START_TEST(table_is_complete)
{
    int count = 0;
    for (const ga_model_info *const *at = ga_models(); *at; at++, count++) {
        const ga_model_info *info = *at;
        bool tried = false;
        ck_assert_ptr_eq(ga_model_find(info->name), info);
        ck_assert(*info->summary && *info->source && *info->shape);
        for (int i = 0; i < FIXTURES; i++) {
            tried = tried || strcmp(fixtures[i].model, info->name) == 0;
        }
        ck_assert_msg(tried, "no test of %s", info->name);
        for (const ga_parameter *p = info->parameters; p->name; p++) {
            ck_assert_msg(p->help && *p->help && p->initial, "%s %s", info->name, p->name);
            for (const ga_parameter *q = info->parameters; q != p; q++) {
                ck_assert_msg(strcmp(p->name, q->name) != 0, "%s %s twice", info->name, p->name);
            }
        }
        for (const ga_tensor_slot *t = info->tensors; t->name; t++) {
            ck_assert_msg(t->help && *t->help && t->shape && *t->shape, "%s %s", info->name, t->name);
        }
    }
    ck_assert_int_eq(count, 10);
    ck_assert_ptr_null(ga_model_find("gatt"));
    ck_assert_ptr_null(ga_model_find(NULL));
}
END_TEST

/* The defaults of the design's table. */
START_TEST(defaults_are_those_of_the_design)
{
    static const struct {
        const char *model, *name, *value;
    } defaults[] = {
        { "gcn", "hidden", "16" },
        { "gcn", "dropout", "0.5" },
        { "gcn", "lr", "0.01" },
        { "gcn", "weight_decay", "5e-4" },
        { "gcn", "layers", "2" },
        { "gcn", "patience", "100" },
        { "gcn", "epochs", "1000" },
        { "gcn", "select", "both" },
        { "gcn", "normalise", "rows" },
        { "gcn", "self_loops", "add" },
        { "gcn", "duplicates", "drop" },
        { "gcn", "decay", "all" },
        { "gcn", "init", "glorot" },
        { "gcn", "output", "layer" },
        { "gcn", "residual", "false" },
        { "gcn", "norm", "none" },
        { "gcn", "metric", "accuracy" },
        { "sage", "hidden", "64" },
        { "sage", "aggregator", "mean" },
        { "sage", "self_loops", "keep" },
        { "gat", "hidden", "8" },
        { "gat", "heads", "8" },
        { "gat", "heads_out", "1" },
        { "gat", "dropout", "0.6" },
        { "gat", "attn_dropout", "0.6" },
        { "gat", "lr", "0.005" },
        { "gat", "epochs", "100000" },
        { "gat", "negative_slope", "0.2" },
        { "gat", "self_loops", "add" },
        { "gatv2", "hidden", "8" },
        { "gatv2", "heads", "8" },
        { "gatv2", "dropout", "0.6" },
        { "gatv2", "attn_dropout", "0.6" },
        { "gatv2", "lr", "0.005" },
        { "gatv2", "epochs", "1000" },
        { "gatv2", "share_weights", "false" },
        { "gatv2", "self_loops", "add" },
        { "transformer", "hidden", "16" },
        { "transformer", "heads", "2" },
        { "transformer", "attn_dropout", "0.5" },
        { "transformer", "gate", "false" },
        { "transformer", "self_loops", "keep" },
        { "agnn", "hidden", "16" },
        { "agnn", "layers", "2" },
        { "agnn", "self_loops", "add" },
        { "appnp", "hidden", "64" },
        { "appnp", "weight_decay", "5e-3" },
        { "appnp", "decay", "first" },
        { "appnp", "k", "10" },
        { "appnp", "alpha", "0.1" },
        { "appnp", "prop_dropout", "0.5" },
        { "appnp", "self_loops", "add" },
        { "gprgnn", "hidden", "64" },
        { "gprgnn", "k", "10" },
        { "gprgnn", "alpha", "0.1" },
        { "gprgnn", "gamma_init", "ppr" },
        { "gprgnn", "prop_dropout", "0.5" },
        { "gprgnn", "decay", "all" },
        { "pgnn", "hidden", "16" },
        { "pgnn", "patience", "0" },
        { "pgnn", "select", "accuracy" },
        { "pgnn", "normalise", "none" },
        { "pgnn", "init", "uniform" },
        { "pgnn", "p", "2" },
        { "pgnn", "mu", "0.1" },
        { "pgnn", "k", "4" },
        { "pgnn", "alpha_side", "destination" },
        { "pgnn", "guard", "zero" },
        { "pgnn", "train_p", "false" },
        { "pgnn", "train_mu", "false" },
        { "pgnn", "self_loops", "keep" },
        { "mlp", "hidden", "64" },
        { "mlp", "layers", "2" },
        { "mlp", "lr", "0.01" },
    };
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        ga_model *model = NULL;
        test_ok(context,
                ga__model_make(context, ga_model_find(defaults[i].model), NULL, 0, F, C, false, 1, &model));
        const char *found = ga_model_parameter(model, defaults[i].name);
        ck_assert_msg(found && strcmp(found, defaults[i].value) == 0, "%s %s: %s, expected %s",
                      defaults[i].model, defaults[i].name, found ? found : "none", defaults[i].value);
        ga_model_destroy(context, model);
    }
}
END_TEST

/* ---- tensors ---- */

/* "layers.12.bias" stands in the table as "layers.I.bias". */
static bool in_table(const ga_model_info *info, const char *name)
{
    char general[64];
    const char *rest = strncmp(name, "layers.", 7) == 0 ? strchr(name + 7, '.') : NULL;
    snprintf(general, sizeof general, "%s%s", rest ? "layers.I" : name, rest ? rest : "");
    for (const ga_tensor_slot *t = info->tensors; t->name; t++) {
        if (strcmp(t->name, general) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(tensors_are_those_of_the_design)
{
    const fixture *of = &fixtures[_i];
    ga_model *model = NULL;
    int64_t count = 0;
    test_ok(context, make_model(context, of, 1, &model));
    for (; count < TENSORS && of->tensors[count].name; count++) {
        ga__weight *w = weight_of(model, of->tensors[count].name);
        int64_t rows = of->tensors[count].rows, columns = of->tensors[count].columns;
        ck_assert_msg(w->ndim == (rows ? 2 : 1) && w->shape[0] == (rows ? rows : columns) &&
                          (!rows || w->shape[1] == columns),
                      "%s %s: (%lld, %lld)", of->model, w->name, (long long)w->shape[0],
                      (long long)w->shape[1]);
        ck_assert_msg(in_table(model->info, w->name), "%s %s is not in the table", of->model, w->name);
        ck_assert_int_eq(w->tensor.ndim, w->ndim);
        ck_assert_ptr_eq(w->tensor.data, model->weights.values + w->first);
        ck_assert_int_eq(w->first % 16, 0);
    }
    ck_assert_int_eq(model->weights.count, count);
    ck_assert_ptr_nonnull(strstr(model->weights.list[0].name, "weight"));
    ga_model_destroy(context, model);
}
END_TEST

START_TEST(only_gamma_p_and_mu_do_not_decay)
{
    ga_model *model = NULL;
    test_ok(context, make_model(context, &fixtures[_i], 1, &model));
    for (int64_t i = 0; i < model->weights.count; i++) {
        const ga__weight *w = &model->weights.list[i];
        const char *dot = strrchr(w->name, '.'), *last = dot ? dot + 1 : w->name;
        bool special = !strcmp(last, "gamma") || !strcmp(last, "p") || !strcmp(last, "mu");
        bool statistic = !strcmp(last, "norm_mean") || !strcmp(last, "norm_variance");
        ck_assert_msg(w->decays == !(special || statistic), "%s", w->name);
        ck_assert_msg(w->fixed == statistic, "%s", w->name);
        ck_assert_msg((w->least > 0) == (special && strcmp(last, "gamma") != 0), "%s", w->name);
    }
    ga_model_destroy(context, model);
}
END_TEST

/* ---- first weights ---- */

/* Largest and smallest number stand near the ends of the interval, and nothing lies outside. */
static void expect_within(const ga_model *model, const ga__weight *w, double limit)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < w->count; i++) {
        least = fmin(least, (double)model->weights.values[w->first + i]);
        most = fmax(most, (double)model->weights.values[w->first + i]);
    }
    ck_assert_msg(least >= -limit * (1 + 1e-6) && most <= limit * (1 + 1e-6), "%s: %g to %g, limit %g",
                  w->name, least, most, limit);
    ck_assert_msg(w->count < 200 || (least <= -0.95 * limit && most >= 0.95 * limit),
                  "%s: %g to %g, limit %g", w->name, least, most, limit);
}

static ga_model *made(const char *name, const ga_named_text *parameters, int64_t count, uint64_t seed)
{
    ga_model *model = NULL;
    test_ok(context,
            ga__model_make(context, ga_model_find(name), parameters, count, 50, C, false, seed, &model));
    return model;
}

START_TEST(weights_start_by_glorot)
{
    static const ga_named_text wide[] = { { "hidden", "40" } };
    ga_model *model = made("gat", wide, 1, 3);
    expect_within(model, weight_of(model, "layers.0.weight"), sqrt(6.0 / (50 + 320)));
    expect_within(model, weight_of(model, "layers.0.att_src"), sqrt(6.0 / 41));
    expect_within(model, weight_of(model, "layers.1.att_dst"), sqrt(6.0 / 4));
    expect_within(model, weight_of(model, "layers.0.bias"), 0);
    ga_model_destroy(context, model);
    model = made("agnn", NULL, 0, 3);
    ck_assert_double_eq((double)model->weights.values[weight_of(model, "layers.1.beta")->first], 1);
    ga_model_destroy(context, model);
}
END_TEST

START_TEST(weights_start_uniform)
{
    static const ga_named_text uniform[] = { { "hidden", "400" }, { "train_p", "true" }, { "p", "1.25" } };
    ga_model *model = made("pgnn", uniform, 3, 3);
    expect_within(model, weight_of(model, "input.weight"), 1 / sqrt(50));
    expect_within(model, weight_of(model, "input.bias"), 1 / sqrt(50));
    expect_within(model, weight_of(model, "layers.0.weight"), 1 / sqrt(400));
    expect_within(model, weight_of(model, "layers.0.bias"), 1 / sqrt(400));
    ck_assert_double_eq((double)model->weights.values[weight_of(model, "layers.0.p")->first], 1.25);
    ga_model_destroy(context, model);
}
END_TEST

START_TEST(first_weights_follow_the_seed)
{
    ga_model *a = made("gcn", NULL, 0, 3), *b = made("gcn", NULL, 0, 3), *c = made("gcn", NULL, 0, 4);
    int64_t first = weight_of(a, "layers.0.weight")->first, second = weight_of(a, "layers.1.weight")->first;
    size_t bytes = (size_t)a->weights.numbers * sizeof(float);
    ck_assert_int_eq(memcmp(a->weights.values, b->weights.values, bytes), 0);
    ck_assert_int_ne(memcmp(a->weights.values, c->weights.values, bytes), 0);
    ck_assert_double_ne((double)a->weights.values[first], (double)a->weights.values[first + 1]);
    /* another draw, not the same one scaled */
    double ratio = (double)a->weights.values[second] / (double)a->weights.values[first];
    ck_assert_double_ge(
        fabs((double)a->weights.values[second + 1] / (double)a->weights.values[first + 1] / ratio - 1), 1e-3);
    ga_model_destroy(context, a);
    ga_model_destroy(context, b);
    ga_model_destroy(context, c);
}
END_TEST

START_TEST(gamma_starts_by_its_rule)
{
    static const char *const kinds[] = { "ppr", "nppr", "random", "sgc" };
    static const double expected[][3] = {
        { 0.25, 0.1875, 0.5625 }, { 1 / 1.3125, 0.25 / 1.3125, 0.0625 / 1.3125 }, { 0 }, { 0, 0, 1 }
    };
    const ga_named_text parameters[] = { { "k", "2" }, { "alpha", "0.25" }, { "gamma_init", kinds[_i] } };
    ga_model *model = made("gprgnn", parameters, 3, 5);
    const float *gamma = model->weights.values + weight_of(model, "gamma")->first;
    double sum = 0;
    for (int t = 0; t < 3; t++) {
        sum += fabs((double)gamma[t]);
        if (_i != 2) {
            ck_assert_double_eq_tol((double)gamma[t], expected[_i][t], 1e-7);
        }
    }
    ck_assert_double_eq_tol(sum, 1, 1e-6);
    ga_model_destroy(context, model);
}
END_TEST

/* ---- refusals and accessors ---- */

START_TEST(wrong_parameters_are_refused)
{
    static const struct {
        const char *model;
        ga_named_text parameter;
        const char *words;
    } wrong[] = {
        { "gcn", { "heads", "2" }, "model gcn has no parameter 'heads'" },
        { "gcn", { "hidden", "0" }, "hidden=0: expected an integer, >= 1" },
        { "gcn", { "layers", "0" }, "layers=0" },
        { "gcn", { "layers", "1001" }, "layers=1001" },
        { "gat", { "duplicates", "sum" }, "duplicates=sum: expected drop or keep" },
        { "agnn", { "duplicates", "sum" }, "duplicates=sum: expected drop or keep" },
        { "gat", { "dropout", "1" }, "dropout=1: expected a number, from 0, below 1" },
        { "gat", { "heads_out", "0" }, "heads_out=0" },
        { "sage", { "aggregator", "median" }, "aggregator=median: expected mean|sum|max" },
        { "appnp", { "alpha", "1.1" }, "alpha=1.1" },
        { "gprgnn", { "gamma_init", "ones" }, "gamma_init=ones: expected ppr|nppr|random|sgc" },
        { "pgnn", { "p", "0" }, "p=0" },
        { "pgnn", { "mu", "-1" }, "mu=-1" },
        { "mlp", { "self_loops", "add" }, "model mlp has no parameter 'self_loops'" },
        { "mlp", { "norm", "instance" }, "norm=instance: expected none|layer|batch" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ga_model *model = NULL;
        ga__begin(context);
        test_status(context,
                    ga__model_make(context, ga_model_find(wrong[i].model), &wrong[i].parameter, 1, F, C,
                                   false, 1, &model),
                    GA_INVALID);
        test_error_has(context, wrong[i].words);
        ck_assert_ptr_null(model);
    }
}
END_TEST

START_TEST(wrong_sizes_are_refused)
{
    static const ga_named_text huge[] = { { "hidden", "1048576" }, { "heads", "1048576" } };
    ga_model *model = NULL;
    test_status(context, ga__model_make(context, ga_model_find("gcn"), NULL, 0, 0, C, false, 1, &model),
                GA_INVALID);
    test_error_has(context, "0 features");
    ga__begin(context);
    test_status(context, ga__model_make(context, ga_model_find("gcn"), NULL, 0, F, 0, false, 1, &model),
                GA_INVALID);
    test_status(context, ga__model_make(context, ga_model_find("gat"), huge, 2, F, C, false, 1, &model),
                GA_OVERFLOW);
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(models_tell_what_they_are)
{
    static const ga_named_text given[] = { { "hidden", "12" }, { "residual", "1" } };
    ga_model *model = NULL;
    test_ok(context, ga__model_make(context, ga_model_find("gcn"), given, 2, F, C, true, 1, &model));
    ck_assert_str_eq(ga_model_kind(model)->name, "gcn");
    ck_assert_int_eq(ga_model_features(model), F);
    ck_assert_int_eq(ga_model_classes(model), C);
    ck_assert(ga_model_multilabel(model));
    ck_assert_str_eq(ga_model_parameter(model, "hidden"), "12");
    ck_assert_str_eq(ga_model_parameter(model, "residual"), "true");
    ck_assert_ptr_null(ga_model_parameter(model, "heads"));
    ck_assert_ptr_null(ga_model_parameter(model, NULL));
    ga__policy policy = ga__model_policy(model, true);
    ck_assert(policy.undirected && policy.loops == GA__LOOPS_ADD && policy.duplicates == GA__DUPLICATES_DROP);
    ga_model_destroy(context, model);
    ga_model_destroy(context, NULL);
}
END_TEST

/* ---- memory ---- */

static ga_status make_body(ga_context *with, void *user)
{
    ga_model *model = NULL;
    ga_status status = make_model(with, user, 1, &model);
    ck_assert((status == GA_OK) == (model != NULL));
    ga_model_destroy(with, model);
    return status;
}

START_TEST(memory_may_end_while_a_model_is_made)
{
    fixture of = fixtures[_i];
    ck_assert_int_gt(test_each_allocation(make_body, &of, 1), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("models");
    TCase *tests = tcase_create("models");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, table_is_complete);
    tcase_add_test(tests, defaults_are_those_of_the_design);
    tcase_add_loop_test(tests, tensors_are_those_of_the_design, 0, FIXTURES);
    tcase_add_loop_test(tests, only_gamma_p_and_mu_do_not_decay, 0, FIXTURES);
    tcase_add_test(tests, weights_start_by_glorot);
    tcase_add_test(tests, weights_start_uniform);
    tcase_add_test(tests, first_weights_follow_the_seed);
    tcase_add_loop_test(tests, gamma_starts_by_its_rule, 0, 4);
    tcase_add_test(tests, wrong_parameters_are_refused);
    tcase_add_test(tests, wrong_sizes_are_refused);
    tcase_add_test(tests, models_tell_what_they_are);
    tcase_add_loop_test(tests, memory_may_end_while_a_model_is_made, 0, FIXTURES);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
