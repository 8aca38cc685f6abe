/* check_parts.c - any number of partial results joined: the function, the block and its gradients. */
#include "config.h"

#include <graphattn/attention.h>

#include "tests/unit/check_products.h"

enum { PARTS = 5, ROWS = 6, WIDTH = 4 };

/* Stacked parts (PARTS, 1, 2, 3, WIDTH); every third lse is -inf, row 4 is empty everywhere. */
static void make_parts(ga_context *context, DLDataType type, DLTensor **o, DLTensor **lse)
{
    const int64_t shape[] = { PARTS, 1, 2, 3, WIDTH };
    uint64_t state = 21;
    *o = tensor_new(context, type, 5, shape);
    *lse = tensor_new(context, type, 4, shape);
    for (int64_t i = 0; i < PARTS * ROWS; i++) {
        bool empty = i % 3 == 1 || i % ROWS == 4;
        set(*lse, i, empty ? -INFINITY : 3 * noise(&state));
        for (int64_t c = 0; c < WIDTH; c++) {
            set(*o, i * WIDTH + c, empty ? 0 : noise(&state));
        }
    }
}

/* By the definition. */
static double joined(const DLTensor *o, const DLTensor *lse, int64_t row, int64_t column, double *of_lse)
{
    double z = 0, sum = 0;
    for (int64_t p = 0; p < PARTS; p++) {
        double w = exp(get(lse, p * ROWS + row));
        z += w;
        sum += w * get(o, (p * ROWS + row) * WIDTH + column);
    }
    *of_lse = log(z);
    return z > 0 ? sum / z : 0;
}

START_TEST(parts_are_joined_by_the_definition)
{
    const DLDataType types[] = { f32, f64 };
    static const int threads[] = { 1, 3 };
    const int64_t shape[] = { 1, 2, 3, WIDTH };
    ga_context *context = test_threads_context(1);
    for (int t = 0; t < 2; t++) {
        DLTensor *o, *lse, *to_o = tensor_new(context, types[t], 4, shape),
                           *to_lse = tensor_new(context, types[t], 3, shape);
        make_parts(context, types[t], &o, &lse);
        test_set_threads(context, threads[t]);
        test_ok(context, ga_merge_parts(context, o, lse, to_o, to_lse));
        for (int64_t i = 0; i < ROWS * WIDTH; i++) {
            double of_lse, want = joined(o, lse, i / WIDTH, i % WIDTH, &of_lse), close = t ? 1e-14 : 3e-7;
            expect(fabs(get(to_o, i) - want) <= close, "element %lld: %g, not %g", (long long)i, get(to_o, i),
                   want);
            expect(get(to_lse, i / WIDTH) == of_lse || fabs(get(to_lse, i / WIDTH) - of_lse) <= 4 * close,
                   "lse of row %lld", (long long)(i / WIDTH));
        }
        set(lse, 0, NAN);
        test_ok(context, ga_merge_parts(context, o, lse, to_o, NULL));
        expect(isnan(get(to_o, 0)) && !isnan(get(to_o, WIDTH)), "what is no number");
        DLTensor *all[] = { o, lse, to_o, to_lse };
        for (int i = 0; i < 4; i++) {
            ga_tensor_destroy(context, all[i]);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(refused_arguments)
{
    const int64_t shape[] = { 1, 2, 3, WIDTH }, other[] = { 2, 1, 3, WIDTH };
    ga_context *context = test_threads_context(1);
    DLTensor *o, *lse, *to_o = tensor_new(context, f32, 4, shape),
                       *wrong = tensor_new(context, f32, 4, other);
    make_parts(context, f32, &o, &lse);
    test_status(context, ga_merge_parts(context, o, o, to_o, NULL), GA_INVALID);
    test_status(context, ga_merge_parts(context, o, lse, wrong, NULL), GA_INVALID);
    test_status(context, ga_merge_parts(context, o, lse, to_o, to_o), GA_INVALID);
    test_status(context, ga_merge_parts(context, NULL, lse, to_o, NULL), GA_INVALID);
    test_status(context, ga_merge_parts(context, to_o, lse, to_o, NULL), GA_INVALID);
    DLTensor *all[] = { o, lse, to_o, wrong };
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- the block ---- */

/* sum(o * grad_o) of the block; with gradients where wanted has more than o. */
static double value_of(ga_context *context, const ga_block_call *call, const DLTensor *grad,
                       ga_named_tensor *wanted, int64_t count)
{
    double sum = 0;
    test_ok(context, ga_block_run(context, "merge-partials", call, wanted, count));
    for (int64_t i = 0; i < count_of(grad); i++) {
        sum += get(grad, i) * get(wanted[0].tensor, i);
    }
    ga_tensor_destroy(context, wanted[0].tensor);
    return sum;
}

START_TEST(gradients_are_slopes)
{
    const int64_t shape[] = { 1, 2, 3, WIDTH };
    ga_context *context = test_threads_context(2);
    DLTensor *in[2], *grad = tensor_new(context, f64, 4, shape);
    uint64_t state = 4;
    make_parts(context, f64, &in[0], &in[1]);
    for (int64_t i = 0; i < count_of(grad); i++) {
        set(grad, i, noise(&state));
    }
    ga_named_tensor tensors[] = { { "o", in[0] }, { "lse", in[1] } };
    ga_named_tensor wanted[] = { { "o", NULL }, { "grad_o", NULL }, { "grad_lse", NULL } };
    ga_block_call call = GA_BLOCK_CALL_INIT;
    call.tensors = tensors;
    call.tensor_count = 2;
    call.f64 = true;
    call.grad_y = grad;
    (void)value_of(context, &call, grad, wanted, 3);
    call.grad_y = NULL;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < count_of(in[side]); i++) {
            double at = get(in[side], i), found = get(wanted[1 + side].tensor, i), step = 1e-5;
            if (at == -INFINITY) {
                expect(found == 0, "gradient of an empty part");
                continue;
            }
            ga_named_tensor out = { "o", NULL };
            set(in[side], i, at + step);
            double above = value_of(context, &call, grad, &out, 1);
            set(in[side], i, at - step);
            double slope = (above - value_of(context, &call, grad, &out, 1)) / (2 * step);
            set(in[side], i, at);
            expect(fabs(slope - found) < 1e-8, "%s %lld: %g, not %g", tensors[side].name, (long long)i, found,
                   slope);
        }
    }
    DLTensor *all[] = { in[0], in[1], grad, wanted[1].tensor, wanted[2].tensor };
    for (int i = 0; i < 5; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- out of memory ---- */

static ga_status everything(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    DLTensor **in = user;
    ga_named_tensor tensors[] = { { "o", in[0] }, { "lse", in[1] } };
    ga_named_tensor wanted[] = { { "lse", NULL }, { "grad_o", NULL }, { "grad_lse", NULL } };
    ga_block_call call = GA_BLOCK_CALL_INIT;
    call.tensors = tensors;
    call.tensor_count = 2;
    call.grad_y = in[2];
    GA_TRY(ga_block_run(context, "merge-partials", &call, wanted, 3));
done:
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(gives_back_what_it_took)
{
    const int64_t shape[] = { 1, 2, 3, WIDTH };
    ga_context *context = test_threads_context(1);
    DLTensor *in[3];
    make_parts(context, f64, &in[0], &in[1]);
    in[2] = tensor_new(context, f64, 4, shape);
    memset(in[2]->data, 0, ROWS * WIDTH * 8);
    ck_assert_int_ge(test_each_allocation(everything, in, 2), 6);
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, in[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(parts, 300);
    tcase_add_test(parts, parts_are_joined_by_the_definition);
    tcase_add_test(parts, refused_arguments);
    tcase_add_test(parts, gradients_are_slopes);
    tcase_add_test(parts, gives_back_what_it_took);
    suite_add_tcase(suite, parts);
    return test_run(suite);
}
