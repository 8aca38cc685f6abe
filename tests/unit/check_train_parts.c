/* check_train_parts.c - what training is made of: splits as NumPy draws them, losses and metrics by their definitions, steps of
 * Adam, learning rates. */
#include "config.h"

#include "lib/base/mersenne.h"
#include "tests/unit/check_train.h"

static ga_context *context;

static void open_all(void)
{
    context = test_threads_context(2);
}

static void close_all(void)
{
    test_context_done(context, NULL);
}

/* ---- splits: vectors of numpy.random.RandomState ---- */

static void expect_list(const int64_t *found, int64_t count, const int64_t *expected, size_t expected_count)
{
    ck_assert_int_eq(count, (int64_t)expected_count);
    for (int64_t i = 0; i < count; i++) {
        ck_assert_msg(found[i] == expected[i], "[%lld]: %lld, expected %lld", (long long)i,
                      (long long)found[i], (long long)expected[i]);
    }
}
#define EXPECT_LIST(found, count, ...) \
    do { \
        const int64_t expected_list[] = { __VA_ARGS__ }; \
        expect_list(found, count, expected_list, sizeof expected_list / sizeof *expected_list); \
    } while (0)

START_TEST(permutations_of_numpy)
{
    enum { CORA = 2708 };
    static int64_t list[CORA];
    ga__mersenne stream;
    ga__mersenne_seed(&stream, 2021);
    static const int64_t sizes[] = { 10, 7, 1, 20 };
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < sizes[k]; i++) {
            list[i] = i;
        }
        ga__mersenne_shuffle(&stream, list, sizes[k]);
        if (k == 0) {
            EXPECT_LIST(list, 10, 6, 7, 2, 3, 9, 8, 0, 1, 5, 4);
        } else if (k == 1) {
            EXPECT_LIST(list, 7, 1, 3, 2, 4, 0, 6, 5);
        } else if (k == 3) {
            EXPECT_LIST(list, 8, 15, 18, 11, 4, 9, 8, 13, 3);
        }
    }
    ga__mersenne_seed(&stream, 2021);
    int64_t sum = 0;
    for (int64_t i = 0; i < CORA; i++) {
        list[i] = i;
    }
    ga__mersenne_shuffle(&stream, list, CORA);
    for (int64_t i = 0; i < CORA; i++) {
        sum += list[i] * (i + 1);
    }
    EXPECT_LIST(list, 8, 682, 1049, 511, 406, 1443, 1418, 1119, 772);
    EXPECT_LIST(list + CORA - 4, 4, 2669, 1152, 2105, 1140);
    ck_assert_int_eq(sum, INT64_C(4920355152));
    ga__mersenne_seed(&stream, 0);
    ck_assert_uint_eq(ga__mersenne_next(&stream), UINT32_C(2357136044));
}
END_TEST

static const int64_t split_labels[] = { 0, 1, -1, 2, 0, 1, 2, 0, 0, 1, -1, 2, 1, 0, 2, 2, 0, 1, 0, 0 };

START_TEST(splits_of_numpy)
{
    ga_split s = GA_SPLIT_INIT;
    test_ok(context, ga_split_draw(context, GA_SPLIT_RANDOM, 0.5, 0.25, 7, split_labels, 20, &s));
    EXPECT_LIST(s.train, s.train_count, 0, 1, 3, 6, 9, 12, 14, 16, 18);
    EXPECT_LIST(s.val, s.val_count, 8, 13, 15, 19);
    EXPECT_LIST(s.test, s.test_count, 4, 5, 7, 11, 17);
    ga_split_clear(context, &s);
    ck_assert_ptr_null(s.train);
    test_ok(context, ga_split_draw(context, GA_SPLIT_BALANCED, 0.5, 0.2, 7, split_labels, 20, &s));
    EXPECT_LIST(s.train, s.train_count, 0, 6, 7, 9, 12, 14, 15, 16, 17);
    EXPECT_LIST(s.val, s.val_count, 3, 5, 18);
    EXPECT_LIST(s.test, s.test_count, 1, 4, 8, 11, 13, 19);
    ga_split_clear(context, &s);
    test_ok(context, ga_split_draw(context, GA_SPLIT_RANDOM, 1, 0, 1, split_labels, 20, &s));
    ck_assert_int_eq(s.train_count, 18);
    ck_assert_int_eq(s.val_count + s.test_count, 0);
    ga_split_clear(context, &s);
}
END_TEST

/* Texas: a class of one node is wholly tested. */
START_TEST(small_classes_are_tested)
{
    static const int64_t sizes[] = { 33, 1, 18, 101, 30 };
    int64_t labels[183], at = 0, rare = 0;
    ga_split s = GA_SPLIT_INIT;
    for (int c = 0; c < 5; c++) {
        for (int64_t i = 0; i < sizes[c]; i++) {
            labels[at++] = c;
        }
    }
    test_ok(context, ga_split_draw(context, GA_SPLIT_BALANCED, 0.6, 0.2, 2021, labels, 183, &s));
    ck_assert_int_eq(s.train_count, 3 * 21);
    ck_assert_int_eq(s.val_count, 3 * 7);
    ck_assert_int_eq(s.test_count, 99);
    for (int64_t i = 0; i < s.test_count; i++) {
        rare += labels[s.test[i]] == 1 || labels[s.test[i]] == 2;
    }
    ck_assert_int_eq(rare, 19);
    ga_split_clear(context, &s);
}
END_TEST

START_TEST(splits_that_cannot_be)
{
    const int64_t none[] = { -1, -1 };
    ga_split s = GA_SPLIT_INIT;
    static const double bad[][2] = { { 0, 0 },     { -1, 0 },  { 0.5, -0.1 },
                                     { 0.7, 0.4 }, { NAN, 0 }, { 0.1, NAN } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_status(context,
                    ga_split_draw(context, GA_SPLIT_RANDOM, bad[i][0], bad[i][1], 1, split_labels, 20, &s),
                    GA_INVALID);
        test_error_has(context, "expected more than 0, and together at most 1");
    }
    test_status(context, ga_split_draw(context, GA_SPLIT_RANDOM, 0.5, 0, 1, none, 2, &s), GA_INVALID);
    test_error_has(context, "has no training nodes");
    test_status(context, ga_split_draw(context, GA_SPLIT_BALANCED, 0.01, 0, 1, split_labels, 20, &s),
                GA_INVALID);
    test_error_has(context, "has no training nodes");
    ck_assert_ptr_null(s.train);
}
END_TEST

/* ---- losses ---- */

enum { ROWS = 700 };
typedef struct table {
    int64_t classes, shape[2], labels[ROWS], nodes[ROWS], count;
    float *x, *g;
    uint8_t *targets;
    DLTensor logits, grad;
} table;

static void table_make(table *t, int64_t classes, double size)
{
    memset(t, 0, sizeof *t);
    t->classes = classes;
    t->shape[0] = ROWS;
    t->shape[1] = classes;
    t->x = planted_room((size_t)(ROWS * classes) * sizeof(float));
    t->g = planted_room((size_t)(ROWS * classes) * sizeof(float));
    t->targets = planted_room((size_t)(ROWS * classes));
    for (int64_t i = 0; i < ROWS; i++) {
        t->labels[i] = (int64_t)(planted_unit((uint64_t)(5000000 + i)) * (double)classes);
        for (int64_t c = 0; c < classes; c++) {
            t->x[i * classes + c] = (float)(size * (2 * planted_unit((uint64_t)(i * classes + c)) - 1));
            t->g[i * classes + c] = 777; /* must be overwritten everywhere */
            t->targets[i * classes + c] = planted_unit((uint64_t)(9000000 + i * classes + c)) < 0.3;
        }
        if (i % 3 != 1) {
            t->nodes[t->count++] = i;
        }
    }
    t->logits = matrix_of(t->x, t->shape);
    t->grad = matrix_of(t->g, t->shape);
}

static void table_free(table *t)
{
    free(t->x);
    free(t->g);
    free(t->targets);
}

/* In double precision, by the definition. Returns the mean loss; expected gradient in `to`. */
static double loss_by_definition(const table *t, bool several, double *to)
{
    double sum = 0, terms = (double)t->count * (several ? (double)t->classes : 1);
    for (int64_t i = 0; i < ROWS * t->classes; i++) {
        to[i] = 0;
    }
    for (int64_t k = 0; k < t->count; k++) {
        const float *x = t->x + t->nodes[k] * t->classes;
        double *g = to + t->nodes[k] * t->classes, all = 0, most = -INFINITY;
        for (int64_t c = 0; c < t->classes; c++) {
            most = fmax(most, (double)x[c]);
        }
        for (int64_t c = 0; c < t->classes; c++) {
            all += exp((double)x[c] - most);
        }
        for (int64_t c = 0; c < t->classes; c++) {
            double target = t->targets[t->nodes[k] * t->classes + c], z = (double)x[c];
            if (several) {
                sum += fmax(z, 0) - z * target + log1p(exp(-fabs(z)));
                g[c] = (1 / (1 + exp(-z)) - target) / terms;
            } else {
                g[c] = (exp(z - most) / all - (c == t->labels[t->nodes[k]])) / terms;
            }
        }
        sum += several ? 0 : log(all) + most - (double)x[t->labels[t->nodes[k]]];
    }
    return sum / terms;
}

START_TEST(losses_by_definition)
{
    static const int64_t classes[] = { 1, 2, 7, 16, 33, 100 };
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++) {
        for (int several = 0; several < 2; several++) {
            for (int b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
                table t;
                double loss = 0, alone = 0;
                if (!ga_backend_available((ga_backend)b)) {
                    continue;
                }
                test_ok(context, ga_context_set_backend(context, (ga_backend)b));
                table_make(&t, classes[k], k % 2 ? 300 : 4);
                double *g = planted_room((size_t)(ROWS * t.classes) * sizeof(double));
                double expected = loss_by_definition(&t, several, g);
                ga__truth truth = { several ? NULL : t.labels, several ? t.targets : NULL };
                ga__nodes nodes = { t.nodes, t.count };
                test_ok(context, ga__loss(context, &t.logits, &truth, &nodes, &loss, &t.grad));
                test_ok(context, ga__loss(context, &t.logits, &truth, &nodes, &alone, NULL));
                ck_assert(loss == alone);
                ck_assert_msg(fabs(loss - expected) <= 1e-6 * (1 + expected), "loss %.9g, expected %.9g",
                              loss, expected);
                for (int64_t i = 0; i < ROWS * t.classes; i++) {
                    double most = 1.0 / (double)t.count;
                    ck_assert_msg(fabs((double)t.g[i] - g[i]) <= 1e-6 * most, "[%lld] %.9g, expected %.9g",
                                  (long long)i, (double)t.g[i], g[i]);
                }
                free(g);
                table_free(&t);
            }
        }
    }
    test_ok(context, ga_context_set_backend(context, GA_BACKEND_AUTO));
}
END_TEST

/* ---- metrics ---- */

START_TEST(metrics_by_hand)
{
    /* truth 0 0 1 1 2 2; found 0 1 1 1 0 0; class 3 is nowhere */
    float x[] = { 5, 1, 1, 1, 1, 5, 1, 1, 0, 9, 9, 0, -2, -1, -3, -9, 7, 7, 7, 7, 3, 1, 2, 3 };
    int64_t labels[] = { 0, 0, 1, 1, 2, 2, -1 }, shape[] = { 6, 4 }, nodes[] = { 0, 1, 2, 3, 4, 5 };
    DLTensor logits = matrix_of(x, shape);
    ga_node_data data = GA_NODE_DATA_INIT;
    ga_scores s;
    data.labels = labels;
    test_ok(context, ga_score_logits(context, &logits, &data, nodes, 6, &s));
    ck_assert_double_eq_tol(s.accuracy, 3.0 / 6, 1e-15);
    /* F1: class 0: 1 right, 2 wrong, 1 missed: 2/5; class 1: 2, 1, 0: 4/5; class 2: 0 */
    ck_assert_double_eq_tol(s.f1, (0.4 + 0.8 + 0) / 3, 1e-15);
    ck_assert(isnan(s.auc));
    test_ok(context, ga_score_logits(context, &logits, &data, nodes, 0, &s));
    ck_assert(isnan(s.accuracy) && isnan(s.f1) && isnan(s.auc) && isnan(s.loss));
    labels[2] = -1;
    test_status(context, ga_score_logits(context, &logits, &data, nodes, 6, &s), GA_INVALID);
    test_error_has(context, "node 2 has no label");
    labels[2] = 4;
    test_status(context, ga_score_logits(context, &logits, &data, nodes, 6, &s), GA_INVALID);
    test_error_has(context, "logits: 4 columns, there are 5 classes");
    labels[2] = 1;
    nodes[5] = 6;
    test_status(context, ga_score_logits(context, &logits, &data, nodes, 6, &s), GA_INVALID);
    test_error_has(context, "node 6, expected below 6");
}
END_TEST

START_TEST(area_with_ties)
{
    /* scores x1 - x0: 1 2 2 2 3 4; positive: 2 (one of the three), 3, 4: pairs won: against {1, 2, 2}: 2: 1 + 1/2 + 1/2;
     * 3: 3; 4: 3: 8 of 9 */
    float x[] = { 0, 1, 0, 2, 1, 3, -1, 1, 0, 3, 0, 4 };
    int64_t labels[] = { 0, 0, 0, 1, 1, 1 }, shape[] = { 6, 2 }, nodes[] = { 0, 1, 2, 3, 4, 5 };
    DLTensor logits = matrix_of(x, shape);
    ga_node_data data = GA_NODE_DATA_INIT;
    ga_scores s;
    data.labels = labels;
    test_ok(context, ga_score_logits(context, &logits, &data, nodes, 6, &s));
    ck_assert_double_eq_tol(s.auc, 8.0 / 9, 1e-15);
    test_ok(context, ga_score_logits(context, &logits, &data, nodes, 3, &s));
    ck_assert(isnan(s.auc)); /* one class alone */
}
END_TEST

START_TEST(metrics_of_several_labels)
{
    float x[] = { 1, -1, -2, 2, 3, -1, -1, 4, -5, 0, -1, -3 };
    uint8_t marks[] = { 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0 };
    int64_t shape[] = { 4, 3 }, nodes[] = { 0, 1, 2, 3 };
    DLTensor logits = matrix_of(x, shape), targets = matrix_of(x, shape);
    ga_node_data data = GA_NODE_DATA_INIT;
    ga_scores s;
    targets.data = marks;
    targets.dtype = (DLDataType){ kDLUInt, 8, 1 };
    data.targets = &targets;
    test_ok(context, ga_score_logits(context, &logits, &data, nodes, 4, &s));
    ck_assert_double_eq_tol(s.accuracy, 10.0 / 12,
                            1e-15); /* wrong: (1, 1) found, (3, 0) not: 0 is not above 0 */
    /* class 0: 2 right, 1 missed: 4/5; class 1: 1 right, 1 wrong: 2/3; class 2 is nowhere */
    ck_assert_double_eq_tol(s.f1, (0.8 + 2.0 / 3) / 2, 1e-15);
    /* class 0: positives 1 2 0 over -1: 1; class 1: positive 4 over all: 1; class 2 has one kind */
    ck_assert_double_eq_tol(s.auc, 1, 1e-15);
}
END_TEST

/* ---- Adam ---- */

static const char *const steps[] = { "weight_decay=0 lr=0.1",
                                     "weight_decay=0.3 lr=0.01",
                                     "weight_decay=0.3 lr=0.01 decay=first",
                                     "weight_decay=0.3 lr=0.05 optimiser=adamw",
                                     "weight_decay=0 lr=0.02 clip=0.5",
                                     "weight_decay=0.1 lr=0.02 clip=1e9" };

START_TEST(steps_of_adam_by_definition)
{
    ga_model *model = model_of(context, "gprgnn", steps[_i], 300, 5);
    ga__weights *w = &model->weights;
    ga__optimiser o;
    double *m = planted_room((size_t)w->numbers * sizeof(double)),
           *v = planted_room((size_t)w->numbers * sizeof(double)),
           *x = planted_room((size_t)w->numbers * sizeof(double));
    test_ok(context, ga__optimiser_open(context, model, &o));
    for (int64_t i = 0; i < w->numbers; i++) {
        x[i] = (double)w->values[i];
    }
    double decay = ga__model_real(model, "weight_decay"), lr = ga__model_real(model, "lr"),
           clip = ga__model_real(model, "clip");
    bool first = ga__model_integer(model, "decay") == GA__DECAY_FIRST,
         decoupled = ga__model_integer(model, "optimiser") == GA__OPTIMISER_ADAMW;
    for (int t = 1; t <= 5; t++) {
        double norm = 0;
        for (int64_t k = 0; k < w->count; k++) {
            for (int64_t i = w->list[k].first; i < w->list[k].first + w->list[k].count; i++) {
                double u = planted_unit((uint64_t)(t * 1000000 + i)); /* away from 0, where digits go */
                w->grads[i] = (float)(u < 0.4 ? -0.5 - u : u);
                norm += (double)w->grads[i] * (double)w->grads[i];
            }
        }
        test_ok(context, ga__optimiser_step(context, &o, model, lr / t));
        double scale = clip > 0 && sqrt(norm) > clip ? clip / sqrt(norm) : 1, rate = lr / t;
        for (int64_t k = 0; k < w->count; k++) {
            bool decays = w->list[k].decays && (!first || k == 0);
            for (int64_t i = w->list[k].first; i < w->list[k].first + w->list[k].count; i++) {
                double g = (double)w->grads[i] * scale + (decays && !decoupled ? decay * x[i] : 0);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                x[i] *= decays && decoupled ? 1 - rate * decay : 1;
                x[i] -= rate * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
                ck_assert_msg(fabs((double)w->values[i] - x[i]) <= 2e-5 * rate + 1e-6 * fabs(x[i]),
                              "step %d, %s: %.9g, expected %.9g", t, w->list[k].name, (double)w->values[i],
                              x[i]);
            }
        }
    }
    ck_assert_int_eq(o.steps, 5);
    ga__optimiser_close(context, &o);
    ga_model_destroy(context, model);
    free(m);
    free(v);
    free(x);
}
END_TEST

/* One large step against everything. Returns how many weights have a bound, and how many are not trained. */
static void step_down(const char *name, const char *parameters, int64_t *bounded, int64_t *fixed)
{
    ga_model *model = model_of(context, name, parameters, 6, 2);
    ga__weights *w = &model->weights;
    ga__optimiser o;
    float before[4096];
    test_ok(context, ga__optimiser_open(context, model, &o));
    ck_assert_int_le(w->numbers, 4096);
    memcpy(before, w->values, (size_t)w->numbers * sizeof(float));
    for (int64_t i = 0; i < w->numbers; i++) {
        w->grads[i] = 1;
    }
    test_ok(context, ga__optimiser_step(context, &o, model, 50));
    for (int64_t k = 0; k < w->count; k++) {
        bool has_bound = w->list[k].least > -INFINITY;
        *bounded += has_bound;
        *fixed += w->list[k].fixed;
        for (int64_t i = w->list[k].first; i < w->list[k].first + w->list[k].count; i++) {
            if (w->list[k].fixed) {
                ck_assert(w->values[i] == before[i]);
            } else if (has_bound) {
                ck_assert(w->values[i] == (float)w->list[k].least);
            } else {
                ck_assert(w->values[i] < before[i] - 40);
            }
        }
    }
    ga__optimiser_close(context, &o);
    ga_model_destroy(context, model);
}

START_TEST(bounds_and_fixed_numbers_hold)
{
    int64_t bounded = 0, fixed = 0;
    step_down("pgnn", "train_p=true train_mu=true weight_decay=0", &bounded, &fixed);
    ck_assert_int_eq(bounded, 2);
    step_down("gcn", "norm=batch weight_decay=0", &bounded, &fixed);
    ck_assert_int_eq(bounded, 2);
    ck_assert_int_eq(fixed, 2);
}
END_TEST

START_TEST(learning_rates)
{
    static const struct {
        const char *parameters;
        int64_t epoch;
        double rate;
    } cases[] = {
        { "lr=0.4", 1, 0.4 },
        { "lr=0.4 warmup=4", 1, 0.1 },
        { "lr=0.4 warmup=4", 4, 0.4 },
        { "lr=0.4 warmup=4", 9, 0.4 },
        { "lr=0.4 schedule=linear epochs=10", 1, 0.4 },
        { "lr=0.4 schedule=linear epochs=10", 10, 0.04 },
        { "lr=0.4 schedule=linear epochs=14 warmup=4", 9, 0.24 },
        { "lr=0.4 schedule=cosine epochs=4", 3, 0.2 },
        { "lr=0.4 schedule=cosine epochs=4", 1, 0.4 },
        { "lr=0.4 schedule=step step_epochs=3 step_factor=0.1", 3, 0.4 },
        { "lr=0.4 schedule=step step_epochs=3 step_factor=0.1", 4, 0.04 },
        { "lr=0.4 schedule=step step_epochs=3 step_factor=0.1", 7, 0.004 },
        { "lr=0.4 schedule=cosine epochs=3 warmup=9", 3, 0.4 * 3 / 9 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ga_model *model = model_of(context, "mlp", cases[i].parameters, 3, 2);
        ck_assert_double_eq_tol(ga__learning_rate(model, cases[i].epoch), cases[i].rate, 1e-15);
        ga_model_destroy(context, model);
    }
}
END_TEST

/* ---- memory ---- */

static ga_status draw_and_score(ga_context *its, void *user)
{
    table *t = user;
    ga_split s = GA_SPLIT_INIT;
    ga_scores scores;
    ga_node_data data = GA_NODE_DATA_INIT;
    data.labels = t->labels;
    ga_status status = ga_split_draw(its, GA_SPLIT_BALANCED, 0.5, 0.2, 7, t->labels, ROWS, &s);
    if (status == GA_OK) {
        status = ga_score_logits(its, &t->logits, &data, s.test, s.test_count, &scores);
    }
    ga_split_clear(its, &s);
    return status;
}

START_TEST(memory_runs_out)
{
    table t;
    table_make(&t, 2, 1);
    ck_assert_int_gt(test_each_allocation(draw_and_score, &t, 2), 5);
    table_free(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_parts");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, permutations_of_numpy);
    tcase_add_test(all, splits_of_numpy);
    tcase_add_test(all, small_classes_are_tested);
    tcase_add_test(all, splits_that_cannot_be);
    tcase_add_test(all, losses_by_definition);
    tcase_add_test(all, metrics_by_hand);
    tcase_add_test(all, area_with_ties);
    tcase_add_test(all, metrics_of_several_labels);
    tcase_add_loop_test(all, steps_of_adam_by_definition, 0, (int)(sizeof steps / sizeof *steps));
    tcase_add_test(all, bounds_and_fixed_numbers_hold);
    tcase_add_test(all, learning_rates);
    tcase_add_test(all, memory_runs_out);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
