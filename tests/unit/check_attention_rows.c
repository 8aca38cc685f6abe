/* check_attention_rows.c - attention by rows against the formulas: every pattern, normaliser and bias;
 * statistics, post steps, element types, empty rows, NaN. */
#include "config.h"

#include "check_attention_outputs.h"

static ga_context *context;

static void setup(void)
{
    context = test_threads_context(1);
}

static void teardown(void)
{
    test_context_done(context, NULL);
}

/* ---- against the formulas ---- */

static void check_top(const sample *s, const outputs *out, int64_t row, const double *map)
{
    bool taken[MOST_COLUMNS] = { false };
    int64_t count = 0;
    for (; count < TOP; count++) {
        int64_t best = -1;
        for (int64_t j = 0; j < s->keys; j++) {
            if (!taken[j] && map[j] > 0 && (best < 0 || map[j] > map[best])) {
                best = j;
            }
        }
        if (best < 0) {
            break;
        }
        taken[best] = true;
    }
    const int32_t *found = out->top_indices + row * TOP;
    const double *weights = out->top_weights.data + row * TOP;
    int64_t at = 0;
    for (int64_t j = 0; j < s->keys; j++) {
        if (taken[j]) {
            ck_assert_int_eq(found[at], j);
            ck_assert_double_eq(weights[at++], map[j]);
        }
    }
    for (; at < TOP; at++) {
        ck_assert_int_eq(found[at], -1);
        ck_assert_double_eq(weights[at], 0);
    }
}

static void check_statistics(const sample *s, const outputs *out, int64_t row, int64_t h, int64_t i)
{
    const double *map = out->map.data + row * s->keys;
    double entropy = 0, most = -INFINITY, mass[CLASSES] = { 0 };
    int64_t argmax = -1;
    for (int64_t j = 0; j < s->keys; j++) {
        entropy -= map[j] > 0 ? map[j] * log(map[j]) : 0;
        mass[labels[j]] += map[j];
        if (s->sees[h][i][j] && map[j] > most) {
            most = map[j];
            argmax = j;
        }
    }
    assert_near(out->entropy.data[row], entropy, 1e-12);
    ck_assert_int_eq(out->argmax[row], argmax);
    ck_assert_double_eq(out->max.data[row], argmax < 0 ? 0 : most);
    for (int c = 0; c < CLASSES; c++) {
        assert_near(out->class_mass.data[row * CLASSES + c], mass[c], 1e-12);
    }
    check_top(s, out, row, map);
}

static void check_columns(const sample *s, const outputs *out)
{
    for (int64_t slice = 0; slice < s->batch * s->heads; slice++) {
        for (int64_t j = 0; j < s->keys; j++) {
            double sum = 0;
            for (int64_t i = 0; i < s->queries; i++) {
                sum += out->map.data[(slice * s->queries + i) * s->keys + j];
            }
            assert_near(out->column_sum.data[slice * s->keys + j], sum, 1e-12);
        }
    }
}

static void check_forward(const sample *s, const outputs *out)
{
    for (int64_t row = 0; row < s->batch * s->heads * s->queries; row++) {
        int64_t b = row / s->queries / s->heads, h = row / s->queries % s->heads, i = row % s->queries;
        double w[MOST_COLUMNS], o[8], lse = formula_row(s, b, h, i, w);
        formula_output(s, b, h, w, o);
        for (int64_t j = 0; j < s->keys; j++) {
            assert_near(out->map.data[row * s->keys + j], w[j], 1e-11);
        }
        for (int64_t x = 0; x < s->dim_v; x++) {
            assert_near(out->o.data[row * s->dim_v + x], o[x], 1e-11);
        }
        if (out->result.lse) {
            assert_near(out->lse.data[row], lse, 1e-12);
        }
        check_statistics(s, out, row, h, i);
    }
    check_columns(s, out);
}

START_TEST(every_combination)
{
    static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };
    for (int kind = 0; kind <= LONG; kind++) {
        for (int flavour = 0; flavour < 3; flavour++) {
            sample s;
            outputs out;
            if (!sample_make(context, (shape_kind)kind, (ga_normaliser_kind)_i, flavour, &s)) {
                continue;
            }
            outputs_make(&s, &out);
            for (int b = 0; b < 3; b++) {
                if (!ga_backend_available(backends[b])) {
                    continue;
                }
                ga_family used = GA_FAMILY_AUTO;
                test_ok(context, ga_context_set_backend(context, backends[b]));
                test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_AUTO,
                                                      &out.result, &used));
                ck_assert_int_eq(used, GA_FAMILY_ROWS);
                check_forward(&s, &out);
            }
            outputs_done(&out);
            sample_done(context, &s);
        }
    }
}
END_TEST

/* ---- the closed fixture of attention-linear 0.6: f(a; i, c) = sin(a + 0.37 i (c + 1) + 0.11 c) ---- */

static array closed_array(double a, int64_t width)
{
    array x = array_make(4, 1, 1, 6, width);
    for (int64_t i = 0; i < 6; i++) {
        for (int64_t c = 0; c < width; c++) {
            x.data[i * width + c] = sin(a + 0.37 * (double)i * (double)(c + 1) + 0.11 * (double)c);
        }
    }
    return x;
}

static void unit_rows(array *x)
{
    for (int64_t i = 0; i < x->shape[2]; i++) {
        double *row = x->data + i * x->shape[3], sum = 0;
        for (int64_t c = 0; c < x->shape[3]; c++) {
            sum += row[c] * row[c];
        }
        for (int64_t c = 0; c < x->shape[3]; c++) {
            row[c] /= sqrt(sum);
        }
    }
}

typedef struct closed {
    ga_normaliser_kind kind;
    bool causal, unit;
    double scale, power, sum, squares;
} closed;
static const closed closed_cases[] = {
    { GA_SOFTMAX, true, false, 0.5, 0, -5.343407041, 3.277973860 },
    { GA_SIGMOID, false, false, 0.5, 0, -5.391553400, 2.664654825 },
    { GA_SIGMOID, true, false, 0.5, 0, -4.356703582, 2.198489749 },
    { GA_SOFTPLUS, true, true, 1, 0, -5.560009802, 3.748892827 },
    { GA_SOFTPLUS_REWEIGHT, true, true, 1, 1, -5.886801958, 5.731919417 },
    { GA_SOFTPLUS_REWEIGHT, true, true, 1, 3, -5.946937111, 6.331170122 },
    { GA_SOFTPLUS_REWEIGHT, true, true, 1, 15, -5.513023468, 6.618733871 },
    { GA_NORM_ATTENTION, true, false, 1, 0, -8.286730118, 34.517923448 },
    { GA_INLINE, false, false, 1, 0, -6.087942470, 89.340449464 },
    { GA_INLINE, false, false, 0.5 / 6, 0, -5.522299688, 2.844566327 },
};

START_TEST(closed_fixture)
{
    const closed *c = &closed_cases[_i];
    array q = closed_array(1, 4), k = closed_array(2, 4), v = closed_array(3, 3),
          eta = array_make(3, 1, 1, 6, 0);
    array o = array_make(4, 1, 1, 6, 3);
    ga_attention problem = GA_ATTENTION_INIT;
    ga_pattern *pattern = NULL;
    double sum = 0, squares = 0;
    if (c->unit) {
        unit_rows(&q);
        unit_rows(&k);
    }
    for (int i = 0; i < 6; i++) {
        eta.data[i] = sin(14 + 0.37 * i);
    }
    test_ok(context, ga_pattern_full(context, 6, 6, c->causal, &pattern));
    problem.q = tensor_of(&q);
    problem.k = tensor_of(&k);
    problem.v = tensor_of(&v);
    problem.pattern = pattern;
    problem.score.scale = c->scale;
    problem.normaliser.kind = c->kind;
    problem.normaliser.power = c->power > 0 ? c->power : 15;
    problem.normaliser.eta_logits = c->kind == GA_NORM_ATTENTION ? tensor_of(&eta) : NULL;
    test_ok(context, ga_attention_forward(context, &problem, GA_FAMILY_ROWS,
                                          &(ga_attention_result){ .o = tensor_of(&o) }, NULL));
    for (int i = 0; i < 18; i++) {
        sum += o.data[i];
        squares += o.data[i] * o.data[i];
    }
    ck_assert_double_eq_tol(sum, c->sum, 1.1e-9);
    ck_assert_double_eq_tol(squares, c->squares, 1.1e-9);
    ga_pattern_destroy(context, pattern);
    free(q.data);
    free(k.data);
    free(v.data);
    free(eta.data);
    free(o.data);
}
END_TEST

/* ---- element types and strides ---- */

static array converted(const array *x, uint8_t code, uint8_t bits)
{
    array y = *x;
    y.tensor.dtype = (DLDataType){ code, bits, 1 };
    y.data = calloc((size_t)x->count + 1, sizeof *y.data);
    ck_assert_ptr_nonnull(y.data);
    return y;
}

/* x rounded to a shorter type, there and in x itself. */
static array shortened(array *x, uint8_t code, uint8_t bits)
{
    array y = converted(x, code, bits);
    ga__view from, to;
    test_ok(context, ga__view_of(context, "from", tensor_of(x), true, &from));
    test_ok(context, ga__view_of(context, "to", tensor_of(&y), true, &to));
    for (int64_t row = 0; row < from.batch * from.heads * from.rows; row++) {
        int64_t b = row / from.rows / from.heads, h = row / from.rows % from.heads, r = row % from.rows;
        for (int64_t c = 0; c < from.columns; c++) {
            ga__view_set(&to, b, h, r, c, ga__view_get(&from, b, h, r, c));
            ga__view_set(&from, b, h, r, c, ga__view_get(&to, b, h, r, c));
        }
    }
    return y;
}

/* Every output type holds what the double-precision output rounds to; short inputs count as their values. */
START_TEST(element_types)
{
    static const uint8_t types[][2] = { { kDLFloat, 32 }, { kDLBfloat, 16 }, { kDLFloat, 16 } };
    const uint8_t *type = types[_i];
    for (int kind = 0; kind < SHAPES; kind++) {
        sample s;
        ck_assert(sample_make(context, (shape_kind)kind, GA_SOFTMAX, 1, &s));
        array *const inputs[] = {
            &s.q, &s.k, &s.v, &s.bias, &s.k_extra, &s.ghost_v, &s.slopes, &s.head_scale
        };
        const size_t count = sizeof inputs / sizeof *inputs;
        array kept[sizeof inputs / sizeof *inputs],
            wide = array_make(4, s.batch, s.heads, s.queries, s.dim_v);
        array other[sizeof inputs / sizeof *inputs], narrow = converted(&wide, type[0], type[1]);
        for (size_t i = 0; i < count; i++) {
            other[i] = inputs[i]->data ? shortened(inputs[i], type[0], type[1]) : *inputs[i];
        }
        ga_attention_result result = { .o = tensor_of(&wide) };
        test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &result, NULL));
        for (size_t i = 0; i < count; i++) {
            kept[i] = *inputs[i];
            *inputs[i] = other[i];
        }
        result.o = tensor_of(&narrow);
        test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &result, NULL));
        array rounded = shortened(&wide, type[0], type[1]);
        ck_assert_mem_eq(rounded.data, narrow.data, (size_t)wide.count * type[1] / 8);
        for (size_t i = 0; i < count; i++) {
            if (kept[i].data) {
                free(inputs[i]->data);
            }
            *inputs[i] = kept[i];
        }
        free(wide.data);
        free(narrow.data);
        free(rounded.data);
        sample_done(context, &s);
    }
}
END_TEST

/* (batch, tokens, heads, dim) in memory, read through strides. */
START_TEST(strided)
{
    sample s;
    outputs out;
    ck_assert(sample_make(context, WINDOW, GA_SOFTMAX, 1, &s));
    array *const inputs[] = { &s.q, &s.k, &s.v, &s.k_extra };
    int64_t strides[4][4];
    for (int x = 0; x < 4; x++) {
        int64_t *shape = inputs[x]->shape, heads = shape[1], tokens = shape[2], width = shape[3];
        double *turned = malloc((size_t)inputs[x]->count * sizeof *turned);
        ck_assert_ptr_nonnull(turned);
        memcpy(strides[x], (int64_t[]){ heads * tokens * width, width, heads * width, 1 }, sizeof strides[x]);
        for (int64_t at = 0; at < inputs[x]->count; at++) {
            int64_t c = at % width, t = at / width % tokens, h = at / width / tokens % heads;
            int64_t b = at / width / tokens / heads;
            turned[b * strides[x][0] + h * strides[x][1] + t * strides[x][2] + c] = inputs[x]->data[at];
        }
        inputs[x]->tensor.strides = strides[x];
        double *plain = inputs[x]->data;
        inputs[x]->data = turned;
        (void)sample_problem(&s);
        outputs_make(&s, &out);
        test_ok(context, ga_attention_forward(context, &s.problem, GA_FAMILY_ROWS, &out.result, NULL));
        inputs[x]->data = plain;
        inputs[x]->tensor.strides = NULL;
        check_forward(&s, &out);
        free(turned);
        outputs_done(&out);
    }
    sample_done(context, &s);
}
END_TEST

/* ---- properties ---- */

/* Softmax over all keys = the merged results over two disjoint lists of keys. */
START_TEST(parts_merge)
{
    sample s;
    outputs whole, part[2];
    ck_assert(sample_make(context, LISTS, GA_SOFTMAX, 0, &s));
    outputs_make(&s, &whole);
    test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &whole.result, NULL));
    for (int side = 0; side < 2; side++) {
        int64_t offsets[17] = { 0 }, indices[256], count = 0;
        for (int64_t i = 0; i < s.queries; i++) {
            for (int64_t j = 0; j < s.keys; j++) {
                if (s.sees[0][i][j] && (j < 3) == (side == 0)) {
                    indices[count++] = j;
                }
            }
            offsets[i + 1] = count;
        }
        ga_pattern *pattern = NULL;
        test_ok(context,
                ga_pattern_csr(context, s.queries, s.keys, offsets, indices, false, false, &pattern));
        s.problem.pattern = pattern;
        outputs_make(&s, &part[side]);
        test_ok(context, ga_attention_forward(context, &s.problem, GA_FAMILY_ROWS, &part[side].result, NULL));
        ga_pattern_destroy(context, pattern);
    }
    for (int64_t row = 0; row < whole.lse.count; row++) {
        double lse[] = { part[0].lse.data[row], part[1].lse.data[row] }, most = fmax(lse[0], lse[1]);
        double a = exp(lse[0] - most), b = exp(lse[1] - most);
        bool empty = most == -INFINITY;
        assert_near(whole.lse.data[row], empty ? most : most + log(a + b), 1e-13);
        for (int64_t x = 0; x < s.dim_v; x++) {
            int64_t at = row * s.dim_v + x;
            double merged = (a * part[0].o.data[at] + b * part[1].o.data[at]) / (a + b);
            assert_near(whole.o.data[at], empty ? 0 : merged, 1e-13);
        }
    }
    outputs_done(&whole);
    outputs_done(&part[0]);
    outputs_done(&part[1]);
    sample_done(context, &s);
}
END_TEST

/* Keys in another order, with their values: the same output. */
START_TEST(keys_permuted)
{
    sample s;
    outputs before, after;
    ck_assert(sample_make(context, FULL, (ga_normaliser_kind)_i, 0, &s));
    outputs_make(&s, &before);
    outputs_make(&s, &after);
    test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &before.result, NULL));
    array *const both[] = { &s.k, &s.v };
    for (int x = 0; x < 2; x++) {
        int64_t width = both[x]->shape[3];
        double *copy = malloc((size_t)both[x]->count * sizeof *copy);
        ck_assert_ptr_nonnull(copy);
        for (int64_t row = 0; row < s.batch * s.groups * s.keys; row++) {
            int64_t from = row / s.keys * s.keys + (row % s.keys * 5 + 2) % s.keys;
            memcpy(copy + row * width, both[x]->data + from * width, (size_t)width * sizeof *copy);
        }
        free(both[x]->data);
        both[x]->data = copy;
    }
    test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &after.result, NULL));
    for (int64_t at = 0; at < before.o.count; at++) {
        assert_near(after.o.data[at], before.o.data[at], 1e-12);
    }
    outputs_done(&before);
    outputs_done(&after);
    sample_done(context, &s);
}
END_TEST

/* A query that is not a number, and one that -inf hides everything from: no other row changes. */
START_TEST(rows_are_alone)
{
    for (int kind = 0; kind < NORMALISERS; kind++) {
        sample s;
        outputs before, after;
        ck_assert(sample_make(context, FULL, (ga_normaliser_kind)kind, 1, &s));
        outputs_make(&s, &before);
        outputs_make(&s, &after);
        test_ok(context,
                ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &before.result, NULL));
        s.q.data[3 * s.dim + 1] = NAN;
        bool hides = kind != GA_NORM_ATTENTION && kind != GA_IDENTITY && kind != GA_INLINE;
        for (int64_t j = 0; hides && j < s.keys; j++) {
            s.bias.data[1 * s.keys + j] = -INFINITY;
        }
        test_ok(context, ga_attention_forward(context, &s.problem, GA_FAMILY_ROWS, &after.result, NULL));
        for (int64_t row = 0; row < s.batch * s.heads * s.queries; row++) {
            bool blind = hides && row / s.queries % s.heads == 0 && row % s.queries == 1;
            for (int64_t x = 0; x < s.dim_v; x++) {
                double found = after.o.data[row * s.dim_v + x];
                if (row == 3) {
                    ck_assert(isnan(found));
                } else {
                    ck_assert_double_eq(found, blind ? 0 : before.o.data[row * s.dim_v + x]);
                }
            }
            if (blind && kind == GA_SOFTMAX) {
                ck_assert(after.lse.data[row] == -INFINITY);
            }
        }
        ck_assert_int_eq(after.argmax[3], -1);
        ck_assert(isnan(after.max.data[3]));
        ck_assert_int_eq(after.top_indices[3 * TOP], -1);
        outputs_done(&before);
        outputs_done(&after);
        sample_done(context, &s);
    }
}
END_TEST

/* Scores far outside the range of exp; softplus weights far below that of y^power. */
START_TEST(extreme_scores)
{
    for (int kind = 0; kind < NORMALISERS; kind++) {
        sample s;
        outputs out;
        ck_assert(sample_make(context, FULL, (ga_normaliser_kind)kind, 0, &s));
        s.problem.score.scale = 1e4;
        s.problem.normaliser.power = 400;
        outputs_make(&s, &out);
        test_ok(context,
                ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &out.result, NULL));
        for (int64_t at = 0; at < out.map.count; at++) {
            ck_assert_msg(isfinite(out.map.data[at]), "normaliser %d", kind);
        }
        for (int64_t at = 0; kind == GA_SOFTMAX && at < out.lse.count; at++) {
            ck_assert(isfinite(out.lse.data[at]));
        }
        outputs_done(&out);
        sample_done(context, &s);
    }
}
END_TEST

/* Equal scores: softplus-reweight has nothing above the mean; the others spread evenly; ties go to lower
 * keys. */
START_TEST(equal_scores)
{
    sample s;
    outputs out;
    ga_normaliser_kind kind = _i == 0 ? GA_SOFTPLUS_REWEIGHT : GA_SOFTMAX;
    ck_assert(sample_make(context, FULL, kind, 0, &s));
    s.problem.score.scale = 0;
    outputs_make(&s, &out);
    test_ok(context, ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &out.result, NULL));
    for (int64_t row = 0; row < out.max.count; row++) {
        assert_near(out.max.data[row], _i == 0 ? 0 : 1.0 / (double)s.keys, 1e-15);
        ck_assert_int_eq(out.argmax[row], 0);
        for (int t = 0; t < TOP; t++) {
            ck_assert_int_eq(out.top_indices[row * TOP + t], _i == 0 ? -1 : t);
        }
    }
    outputs_done(&out);
    sample_done(context, &s);
}
END_TEST

/* ---- post steps ---- */

static void change_by_hand(ga_post_form form, const sample *s, int64_t b, int64_t h, int64_t i, double *w)
{
    double mass[CLASSES] = { 0 }, factors[CLASSES];
    for (int64_t j = 0; j < s->keys; j++) {
        mass[labels[j]] += w[j];
    }
    class_factors(NULL, b, h, i, mass, factors);
    for (int64_t j = 0; j < s->keys; j++) {
        if (form == GA_POST_CLASSWISE) {
            w[j] *= factors[labels[j]];
        } else if (form == GA_POST_ROW && s->sees[h][i][j]) {
            w[j] = w[j] * w[j] + 0.01 * (double)(j + b + h * i);
        } else if (form == GA_POST_FULL) {
            w[j] = 2 * w[j] + 0.001 * (double)(i * s->keys + j + b + h);
        }
    }
}

/* o and map come after the step, statistics and lse before it. */
START_TEST(post_steps)
{
    for (int kind = 0; kind < SHAPES; kind++) {
        sample s;
        outputs out, plain;
        ga_post post = { .form = (ga_post_form)_i,
                         .classes = labels,
                         .class_count = CLASSES,
                         .factors = class_factors,
                         .row = change_row,
                         .full = change_map,
                         .full_limit = 10000 };
        ck_assert(sample_make(context, (shape_kind)kind, GA_SOFTMAX, 1, &s));
        outputs_make(&s, &out);
        outputs_make(&s, &plain);
        test_ok(context,
                ga_attention_forward(context, sample_problem(&s), GA_FAMILY_ROWS, &plain.result, NULL));
        s.problem.post = &post;
        test_ok(context, ga_attention_forward(context, &s.problem, GA_FAMILY_AUTO, &out.result, NULL));
        for (int64_t row = 0; row < s.batch * s.heads * s.queries; row++) {
            int64_t b = row / s.queries / s.heads, h = row / s.queries % s.heads, i = row % s.queries;
            double w[MOST_COLUMNS], o[8];
            (void)formula_row(&s, b, h, i, w);
            change_by_hand(post.form, &s, b, h, i, w);
            formula_output(&s, b, h, w, o);
            for (int64_t j = 0; j < s.keys; j++) {
                assert_near(out.map.data[row * s.keys + j], w[j], 1e-12);
            }
            for (int64_t x = 0; x < s.dim_v; x++) {
                assert_near(out.o.data[row * s.dim_v + x], o[x], 1e-12);
            }
        }
        ck_assert_mem_eq(out.lse.data, plain.lse.data, (size_t)out.lse.count * sizeof(double));
        ck_assert_mem_eq(out.column_sum.data, plain.column_sum.data,
                         (size_t)out.column_sum.count * sizeof(double));
        ck_assert_mem_eq(out.top_indices, plain.top_indices, (size_t)out.top_weights.count * sizeof(int32_t));
        post.full_limit = s.queries * s.keys * 8 - 1;
        test_status(context, ga_attention_forward(context, &s.problem, GA_FAMILY_ROWS, &out.result, NULL),
                    post.form == GA_POST_FULL ? GA_LIMIT : GA_OK);
        outputs_done(&out);
        outputs_done(&plain);
        sample_done(context, &s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attention by rows");
    TCase *tests = tcase_create("rows");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_combination, 0, NORMALISERS);
    tcase_add_loop_test(tests, closed_fixture, 0, (int)(sizeof closed_cases / sizeof *closed_cases));
    tcase_add_loop_test(tests, element_types, 0, 3);
    tcase_add_test(tests, strided);
    tcase_add_test(tests, parts_merge);
    tcase_add_loop_test(tests, keys_permuted, 0, NORMALISERS);
    tcase_add_test(tests, rows_are_alone);
    tcase_add_test(tests, extreme_scores);
    tcase_add_loop_test(tests, equal_scores, 0, 2);
    tcase_add_loop_test(tests, post_steps, GA_POST_CLASSWISE, GA_POST_FULL + 1);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
