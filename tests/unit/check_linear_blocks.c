/* check_linear_blocks.c - the blocks norm and local-concentration: closed numbers, laws, gradients, refusals, memory. */
#include "config.h"

#include "tests/unit/check_linear.h"

enum { MOST = 9 };

/* One call: tensors and parameters by name, NULL ends both. */
typedef struct block_case {
    const char *block;
    ga_named_text set[3];
    struct {
        const char *name;
        array values;
    } tensors[MOST];
    array grad_y; /* data NULL: none */
} block_case;

static void case_free(block_case *c)
{
    for (int i = 0; i < MOST; i++) {
        array_free(&c->tensors[i].values);
    }
    array_free(&c->grad_y);
}

static ga_status run_case(ga_context *context, const block_case *c, ga_named_tensor *wanted, int64_t count)
{
    ga_status status = GA_OK;
    ga_block_call call = GA_BLOCK_CALL_INIT;
    ga_named_tensor tensors[MOST];
    DLTensor *grad = NULL;
    while (call.parameter_count < 3 && c->set[call.parameter_count].name) {
        call.parameter_count++;
    }
    for (; status == GA_OK && call.tensor_count < MOST && c->tensors[call.tensor_count].name;) {
        const array *a = &c->tensors[call.tensor_count].values;
        DLTensor *t = NULL;
        status = ga_tensor_create(context, f64, a->ndim, a->shape, &t);
        if (status == GA_OK) {
            memcpy(t->data, a->data, (size_t)array_count(a) * sizeof(double));
            tensors[call.tensor_count] = (ga_named_tensor){ c->tensors[call.tensor_count].name, t };
            call.tensor_count++;
        }
    }
    if (status == GA_OK && c->grad_y.data) {
        status = ga_tensor_create(context, f64, c->grad_y.ndim, c->grad_y.shape, &grad);
    }
    if (grad) {
        memcpy(grad->data, c->grad_y.data, (size_t)array_count(&c->grad_y) * sizeof(double));
    }
    call.parameters = c->set;
    call.tensors = tensors;
    call.grad_y = grad;
    call.f64 = true;
    status = status == GA_OK ? ga_block_run(context, c->block, &call, wanted, count) : status;
    for (int64_t i = 0; i < call.tensor_count; i++) {
        ga_tensor_destroy(context, tensors[i].tensor);
    }
    ga_tensor_destroy(context, grad);
    return status;
}

static DLTensor *block_output(ga_context *context, const block_case *c, const char *name)
{
    ga_named_tensor wanted = { name, NULL };
    test_ok(context, run_case(context, c, &wanted, 1));
    return wanted.tensor;
}

static array *add(block_case *c, const char *name, int ndim, const int64_t *shape, double shift,
                  uint64_t seed)
{
    int i = 0;
    uint64_t state = seed * 1237 + 1;
    while (c->tensors[i].name) {
        i++;
    }
    c->tensors[i].name = name;
    c->tensors[i].values = array_random(ndim, shape, &state);
    for (int64_t j = 0; j < array_count(&c->tensors[i].values); j++) {
        c->tensors[i].values.data[j] += shift;
    }
    return &c->tensors[i].values;
}

/* ---- norm ---- */

static const char *const kinds[] = { "srms", "rms", "layer", "group" };
enum { ROWS = 21, C = 6 };

static block_case norm_case(int kind, bool gradient)
{
    static const int64_t shape[] = { 3, 7, C }, columns = C;
    uint64_t state = 9;
    block_case c = { .block = "norm", .set = { { "kind", kinds[kind] } } };
    if (kind == 3) {
        c.set[1] = (ga_named_text){ "groups", "2" };
    }
    add(&c, "x", 3, shape, 0, 1);
    if (kind > 0) {
        add(&c, "weight", 1, &columns, 0.5, 2);
    }
    if (kind > 1) {
        add(&c, "bias", 1, &columns, 0, 3);
    }
    if (gradient) {
        c.grad_y = array_random(3, shape, &state);
    }
    return c;
}

/* By its formula, one slice after another. */
START_TEST(norm_by_definition)
{
    ga_context *context = test_threads_context(2);
    block_case c = norm_case(_i, false);
    DLTensor *y = block_output(context, &c, "y");
    int64_t slice = _i == 3 ? C / 2 : C;
    double eps = _i < 2 ? 1e-6 : 1e-5;
    const double *x = c.tensors[0].values.data;
    for (int64_t i = 0; i < ROWS * C; i++) {
        const double *first = x + i / slice * slice;
        double mean = 0, square = 0;
        for (int64_t j = 0; j < slice; j++) {
            mean += _i < 2 ? 0 : first[j] / (double)slice;
        }
        for (int64_t j = 0; j < slice; j++) {
            square += (first[j] - mean) * (first[j] - mean) / (double)slice;
        }
        double want = (x[i] - mean) / sqrt(square + eps);
        want *= _i > 0 ? c.tensors[1].values.data[i % C] : 1;
        want += _i > 1 ? c.tensors[2].values.data[i % C] : 0;
        close_to(kinds[_i], "y", value_at(y, i), want, 1e-12, 1e-13);
    }
    ga_tensor_destroy(context, y);
    case_free(&c);
    test_context_done(context, NULL);
}
END_TEST

static double loss(ga_context *context, const block_case *c)
{
    DLTensor *y = block_output(context, c, "y");
    double sum = 0;
    for (int64_t i = 0; i < count_of(y); i++) {
        sum += value_at(y, i) * c->grad_y.data[i];
    }
    ga_tensor_destroy(context, y);
    return sum;
}

START_TEST(norm_gradients)
{
    static const char *const names[] = { "grad_x", "grad_weight", "grad_bias" };
    ga_context *context = test_threads_context(2);
    block_case c = norm_case(_i, true);
    for (int which = 0; which < 3 && c.tensors[which].name; which++) {
        DLTensor *grad = block_output(context, &c, names[which]);
        double *at = c.tensors[which].values.data;
        for (int64_t i = 0; i < count_of(grad); i += which ? 1 : 5) {
            const double h = 1e-5, middle = at[i];
            at[i] = middle + h;
            double up = loss(context, &c);
            at[i] = middle - h;
            double down = loss(context, &c);
            at[i] = middle;
            close_to(kinds[_i], names[which], value_at(grad, i), (up - down) / (2 * h), 1e-6, 1e-8);
        }
        ga_tensor_destroy(context, grad);
    }
    case_free(&c);
    test_context_done(context, NULL);
}
END_TEST

/* SRMS(c x) = sign(c) SRMS(x) but for eps; the row of the fixture (spec card 16). */
START_TEST(srms_laws)
{
    static const double closed[] = { 1.339952, 0.712367, -0.399651, -1.239893 };
    static const int64_t shape[] = { 1, 4 };
    ga_context *context = test_threads_context(1);
    block_case c = norm_case(0, false), more = norm_case(0, false),
               fixed = { .block = "norm", .set = { { "kind", "srms" } } };
    for (int64_t i = 0; i < ROWS * C; i++) {
        more.tensors[0].values.data[i] *= -300;
    }
    c.set[1] = more.set[1] = (ga_named_text){ "eps", "1e-300" };
    DLTensor *y = block_output(context, &c, "y"), *z = block_output(context, &more, "y");
    for (int64_t i = 0; i < count_of(y); i++) {
        close_to("srms", "of c x", value_at(z, i), -value_at(y, i), 1e-12, 0);
    }
    double *x = add(&fixed, "x", 2, shape, 0, 1)->data;
    for (int i = 0; i < 4; i++) {
        x[i] = sin(1 + 0.37 * 2 * (i + 1) + 0.11 * i);
    }
    DLTensor *known = block_output(context, &fixed, "y");
    for (int i = 0; i < 4; i++) {
        close_to("srms", "closed", value_at(known, i), closed[i], 0, 6e-7);
    }
    ga_tensor_destroy(context, y);
    ga_tensor_destroy(context, z);
    ga_tensor_destroy(context, known);
    case_free(&c);
    case_free(&more);
    case_free(&fixed);
    test_context_done(context, NULL);
}
END_TEST

static void refused(ga_context *context, block_case *c, const char *words)
{
    ga_named_tensor wanted = { "y", NULL };
    test_status(context, run_case(context, c, &wanted, 1), GA_INVALID);
    test_error_has(context, words);
    case_free(c);
}

START_TEST(norm_refuses)
{
    static const int64_t columns = C, other = C + 1;
    ga_context *context = test_threads_context(1);
    block_case c = norm_case(0, false);
    add(&c, "weight", 1, &columns, 0, 1);
    refused(context, &c, "kind=srms takes no weight");
    c = norm_case(1, false);
    add(&c, "bias", 1, &columns, 0, 1);
    refused(context, &c, "kind=rms takes no bias");
    c = norm_case(1, false);
    c.set[1] = (ga_named_text){ "groups", "2" };
    refused(context, &c, "kind=rms takes no groups");
    c = norm_case(3, false);
    c.set[1] = (ga_named_text){ "groups", "4" };
    refused(context, &c, "a divisor of the 6 columns of x");
    c = norm_case(0, false);
    c.set[0].value = "layer";
    add(&c, "weight", 1, &other, 0, 1);
    refused(context, &c, "weight: shape (7), expected (6)");
    test_context_done(context, NULL);
}
END_TEST

/* ---- local-concentration ---- */

enum { Y = 3, X = 4, CHANNELS = 2, R = 5 };

static block_case image_case(void)
{
    static const int64_t x[] = { 2, Y * X, CHANNELS }, w[] = { CHANNELS, R, R }, w2[] = { CHANNELS, 3, 3 };
    static const int64_t channels = CHANNELS;
    block_case c = { .block = "local-concentration", .set = { { "shape", "3,4" } } };
    add(&c, "x", 3, x, 0, 1);
    add(&c, "weight1", 3, w, 0, 2);
    add(&c, "bias1", 1, &channels, 0, 3);
    add(&c, "weight2", 3, w2, 0, 4);
    add(&c, "bn_weight", 1, &channels, 0, 6);
    add(&c, "bn_bias", 1, &channels, 0, 7);
    add(&c, "bn_mean", 1, &channels, 0, 8);
    add(&c, "bn_var", 1, &channels, 2, 9);
    return c;
}

/* x (b, pixel, channel) through a kernel of side r, zero outside. */
static double filtered(const double *x, const double *w, int r, int b, int i, int j, int c)
{
    double sum = 0;
    for (int a = 0; a < r; a++) {
        for (int d = 0; d < r; d++) {
            int y = i + a - r / 2, z = j + d - r / 2;
            bool inside = y >= 0 && y < Y && z >= 0 && z < X;
            sum += inside ? w[(c * r + a) * r + d] * x[((b * Y + y) * X + z) * CHANNELS + c] : 0;
        }
    }
    return sum;
}

START_TEST(image_by_definition)
{
    ga_context *context = test_threads_context(3);
    block_case c = image_case();
    const double *in[MOST];
    double middle[2 * Y * X * CHANNELS];
    for (int i = 0; i < 8; i++) {
        in[i] = c.tensors[i].values.data;
    }
    DLTensor *y = block_output(context, &c, "y");
    for (int i = 0; i < 2 * Y * X * CHANNELS; i++) {
        int ch = i % CHANNELS, at = i / CHANNELS;
        double u = filtered(in[0], in[1], R, at / (X * Y), at / X % Y, at % X, ch) + in[2][ch];
        u = 0.5 * u * (1 + erf(u / sqrt(2)));
        middle[i] = (u - in[6][ch]) / sqrt(in[7][ch] + 1e-5) * in[4][ch] + in[5][ch];
    }
    for (int i = 0; i < 2 * Y * X * CHANNELS; i++) {
        int at = i / CHANNELS;
        double want = filtered(middle, in[3], 3, at / (X * Y), at / X % Y, at % X, i % CHANNELS);
        close_to("local-concentration", "y", value_at(y, i), want, 1e-12, 1e-12);
    }
    ga_tensor_destroy(context, y);
    case_free(&c);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(image_refuses)
{
    static const int64_t even[] = { CHANNELS, 4, 4 }, flat[] = { CHANNELS, 3, 5 };
    ga_context *context = test_threads_context(1);
    block_case c = image_case();
    c.set[0].value = "4,4";
    refused(context, &c, "Y,X with Y*X = 12 tokens");
    c = image_case();
    c.set[0].value = "3,4,1";
    refused(context, &c, "Y,X with Y*X = 12 tokens");
    c = image_case();
    c.set[0].name = NULL;
    refused(context, &c, "shape");
    c = image_case();
    array_free(&c.tensors[3].values);
    c.tensors[3].values = array_make(3, even);
    refused(context, &c, "weight2: 4 x 4, expected an odd size");
    c = image_case();
    array_free(&c.tensors[1].values);
    c.tensors[1].values = array_make(3, flat);
    refused(context, &c, "weight1: shape (2, 3, 5), expected (2, 5, 5)");
    c = image_case();
    c.tensors[7].name = NULL;
    array_free(&c.tensors[7].values);
    refused(context, &c, "local-concentration needs bn_var");
    test_context_done(context, NULL);
}
END_TEST

/* ---- both ---- */

static ga_status memory_body(ga_context *context, void *user)
{
    const block_case *c = user;
    ga_named_tensor wanted[] = { { "y", NULL }, { "grad_x", NULL }, { "grad_weight", NULL } };
    ga_status status = run_case(context, c, wanted, c->grad_y.data ? 3 : 1);
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    block_case c = _i < 3 ? norm_case(_i + 1, true) : image_case();
    ck_assert_int_gt(test_each_allocation(memory_body, &c, 2), 5);
    case_free(&c);
}
END_TEST

START_TEST(threads_change_nothing)
{
    ga_context *context = test_threads_context(1);
    block_case c = _i < 4 ? norm_case(_i, true) : image_case();
    const char *name = _i == 0 ? "grad_x" : _i < 4 ? "grad_weight" : "y";
    DLTensor *one = block_output(context, &c, name);
    for (int threads = 2; threads <= 7; threads += 5) {
        test_set_threads(context, threads);
        DLTensor *more = block_output(context, &c, name);
        ck_assert_mem_eq(more->data, one->data, (size_t)count_of(one) * sizeof(double));
        ga_tensor_destroy(context, more);
    }
    ga_tensor_destroy(context, one);
    case_free(&c);
    test_context_done(context, NULL);
}
END_TEST

/* No rows; no columns. */
START_TEST(nothing_to_do)
{
    static const int64_t shapes[][2] = { { 0, 4 }, { 3, 0 }, { 0, 0 } };
    ga_context *context = test_threads_context(1);
    for (int i = 0; i < 3; i++) {
        block_case c = { .block = "norm", .set = { { "kind", kinds[_i] } } };
        add(&c, "x", 2, shapes[i], 0, 1);
        c.grad_y = array_make(2, shapes[i]);
        DLTensor *y = block_output(context, &c, "y"), *dx = block_output(context, &c, "grad_x");
        ck_assert_int_eq(count_of(y) + count_of(dx), 0);
        ga_tensor_destroy(context, y);
        ga_tensor_destroy(context, dx);
        case_free(&c);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear_blocks");
    TCase *all = tcase_create("linear_blocks");
    tcase_set_timeout(all, 0);
    tcase_add_loop_test(all, norm_by_definition, 0, 4);
    tcase_add_loop_test(all, norm_gradients, 0, 4);
    tcase_add_test(all, srms_laws);
    tcase_add_test(all, norm_refuses);
    tcase_add_test(all, image_by_definition);
    tcase_add_test(all, image_refuses);
    tcase_add_loop_test(all, memory_may_end_anywhere, 0, 4);
    tcase_add_loop_test(all, threads_change_nothing, 0, 5);
    tcase_add_loop_test(all, nothing_to_do, 0, 4);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
