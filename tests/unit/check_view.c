/* check_view.c - tensors as the kernels see them, and the 16-bit formats. */
#include "config.h"

#include <float.h>
#include <math.h>

#include "lib/engine/view.h"
#include "support.h"

/* Asserting writes to Check's file, so in long loops only a failure does. */
#define require(condition, bits) \
    do { \
        if (!(condition)) { \
            ck_abort_msg("%s: bits %x (line %d)", #condition, (unsigned)(bits), __LINE__); \
        } \
    } while (0)

/* ---- 16-bit formats, against their definitions ---- */

/* Value of a format with so many fraction bits and an exponent of 15 - fraction bits. */
static double meaning(unsigned bits, int fraction_bits)
{
    int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
    unsigned exponent = bits >> fraction_bits & ((1u << exponent_bits) - 1);
    unsigned fraction = bits & ((1u << fraction_bits) - 1);
    double sign = bits >> 15 ? -1 : 1;
    if (exponent == (1u << exponent_bits) - 1) {
        return fraction ? NAN : sign * INFINITY;
    }
    double whole = exponent ? 1 + ldexp(fraction, -fraction_bits) : ldexp(fraction, 1 - fraction_bits);
    return sign * ldexp(whole, (int)exponent - bias);
}

typedef struct format {
    int fraction_bits;
    float (*from)(uint16_t);
    uint16_t (*to)(float);
    ga__type type;
} format;
static const format formats[] = { { 7, ga__from_bf16, ga__to_bf16, GA__BF16 },
                                  { 10, ga__from_f16, ga__to_f16, GA__F16 } };

static uint16_t round_f64(const format *f, double value)
{
    uint16_t bits = 0;
    ga__view view = { .data = &bits, .type = f->type, .batch = 1, .heads = 1, .rows = 1, .columns = 1 };
    ga__view_set(&view, 0, 0, 0, 0, value);
    return bits;
}

START_TEST(every_pattern)
{
    const format *f = &formats[_i];
    for (unsigned bits = 0; bits < 65536; bits++) {
        double wanted = meaning(bits, f->fraction_bits);
        float found = f->from((uint16_t)bits);
        if (isnan(wanted)) {
            require(isnan(found) && isnan(f->from(f->to(found))) &&
                        isnan(f->from(round_f64(f, (double)found))),
                    bits);
            continue;
        }
        require((double)found == wanted && !signbit(found) == !signbit(wanted), bits);
        require(f->to(found) == bits, bits);
        require(round_f64(f, wanted) == bits, bits);
    }
}
END_TEST

/* Halfway between two neighbours, and just beside it. */
START_TEST(every_rounding)
{
    const format *f = &formats[_i];
    unsigned infinite = (unsigned)f->to(INFINITY);
    for (unsigned bits = 0; bits < infinite; bits++) {
        double low = meaning(bits, f->fraction_bits),
               step = low - (bits ? meaning(bits - 1, f->fraction_bits) : 0);
        double high = bits + 1 < infinite ? meaning(bits + 1, f->fraction_bits) : low + step,
               half = (low + high) / 2;
        unsigned even = bits & 1 ? bits + 1 : bits;
        float single = (float)half;
        if ((double)single == half) {
            require(f->to(single) == even, bits);
            require(f->to(nextafterf(single, 0)) == bits, bits);
            require(f->to(nextafterf(single, INFINITY)) == (bits + 1), bits);
            require(f->to(-single) == (even | 0x8000), bits);
            require(f->to(-nextafterf(single, INFINITY)) == ((bits + 1) | 0x8000), bits);
        }
        require(round_f64(f, half) == even, bits);
        require(round_f64(f, nextafter(half, 0)) == bits, bits); /* single precision would say halfway */
        require(round_f64(f, -nextafter(half, INFINITY)) == ((bits + 1) | 0x8000), bits);
    }
    ck_assert_uint_eq(f->to(FLT_MAX), infinite);
    ck_assert_uint_eq(round_f64(f, 1e300), infinite);
    ck_assert_uint_eq(round_f64(f, -1e-300), 0x8000);
    ck_assert_uint_eq(f->to(-INFINITY), infinite | 0x8000);
}
END_TEST

/* ---- views ---- */

static ga_context *context;

static void setup(void)
{
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
}

static void teardown(void)
{
    test_context_done(context, NULL);
}

static DLTensor tensor_of(void *data, uint8_t code, uint8_t bits, int ndim, int64_t *shape, int64_t *strides)
{
    return (DLTensor){ .data = data,
                       .device = { kDLCPU, 0 },
                       .ndim = ndim,
                       .dtype = { code, bits, 1 },
                       .shape = shape,
                       .strides = strides };
}

START_TEST(axes)
{
    double data[120];
    int64_t shape[] = { 2, 3, 4, 5 };
    for (int i = 0; i < 120; i++) {
        data[i] = i;
    }
    ga__view view;
    for (int ndim = 0; ndim <= 4; ndim++) {
        DLTensor tensor = tensor_of(data, kDLFloat, 64, ndim, shape + 4 - ndim, NULL);
        test_ok(context, ga__view_of(context, "x", &tensor, true, &view));
        test_ok(context, ga__view_expect(context, "x", &view, ndim > 3 ? 2 : 1, ndim > 2 ? 3 : 1,
                                         ndim > 1 ? 4 : 1, ndim > 0 ? 5 : 1));
        test_ok(context, ga__view_output(context, "x", &view, GA__F32, GA__F64));
    }
    ck_assert_double_eq(ga__view_get(&view, 1, 2, 3, 4), 119);
    ck_assert_ptr_eq(ga__view_row(&view, 1, 0, 2), data + 70);
    int64_t strides[] = { 4, 8, 40, 1 }, turned[] = { 2, 3, 2, 4 }; /* heads inside tokens, and an offset */
    DLTensor tensor = tensor_of(data, kDLFloat, 64, 4, turned, strides);
    tensor.byte_offset = 16;
    test_ok(context, ga__view_of(context, "x", &tensor, true, &view));
    ck_assert_double_eq(ga__view_get(&view, 1, 2, 1, 3), 2 + 4 + 16 + 40 + 3);
    test_status(context, ga__view_output(context, "x", &view, GA__F64, GA__F64), GA_INVALID);
    test_error_has(context, "x: an output must be C-contiguous");
}
END_TEST

START_TEST(nothing_and_empty)
{
    ga__view view;
    int64_t shape[] = { 3, 0, 4 }, strides[] = { 7, 9, 1 };
    test_ok(context, ga__view_of(context, "x", NULL, true, &view));
    ck_assert_ptr_null(view.data);
    test_status(context, ga__view_expect(context, "x", &view, 1, 2, 3, -1), GA_INVALID);
    test_error_has(context, "x: missing, shape (2, 3, *) expected");
    DLTensor tensor = tensor_of(NULL, kDLFloat, 32, 3, shape, strides);
    test_ok(context, ga__view_of(context, "x", &tensor, true, &view));
    ck_assert_ptr_nonnull(view.data);
    test_ok(context, ga__view_output(context, "x", &view, GA__F32, GA__F32));
}
END_TEST

static void refuse(const DLTensor *tensor, ga_status status, const char *words)
{
    ga__view view;
    ga__begin(context);
    test_status(context, ga__view_of(context, "bias", tensor, true, &view), status);
    test_error_has(context, words);
    ck_assert_ptr_null(view.data);
}

START_TEST(refused)
{
    float data[64] = { 0 };
    int64_t shape[] = { 1, 2, 2, 2, 2 }, strides[] = { 16, 8, 4, 2, 2 }, huge[] = { INT64_MAX / 2, 3, 1, 2 };
    int64_t far[] = { INT64_MAX / 2, 1, 1, 1 };
    DLTensor tensor = tensor_of(data, kDLFloat, 32, 5, shape, NULL);
    refuse(&tensor, GA_INVALID, "bias: 0 to 4 axes expected, not 5");
    tensor = tensor_of(data, kDLFloat, 32, 3, shape + 1, strides + 2);
    refuse(&tensor, GA_INVALID, "bias: the last axis must be contiguous, its stride is 2");
    tensor = tensor_of(NULL, kDLFloat, 32, 3, shape + 1, NULL);
    refuse(&tensor, GA_INVALID, "bias: the tensor has no data");
    tensor = tensor_of(data, kDLFloat, 8, 3, shape + 1, NULL);
    refuse(&tensor, GA_UNSUPPORTED, "bias: element type (code 2, 8 bits, 1 lanes) is not supported");
    tensor = tensor_of(data, kDLInt, 32, 3, shape + 1, NULL);
    refuse(&tensor, GA_INVALID, "bias: f32, f64, bf16 or f16 expected, not i32");
    tensor = tensor_of(data, kDLFloat, 32, 4, huge, NULL);
    refuse(&tensor, GA_OVERFLOW, "bias: the product of the extents is too large");
    tensor = tensor_of(data, kDLFloat, 32, 4, shape + 1, far);
    refuse(&tensor, GA_OVERFLOW, "bias: the stride of axis 0 is too large");
    tensor.device.device_type = kDLCUDA;
    refuse(&tensor, GA_UNSUPPORTED, "bias: the tensor is not on the CPU");
    shape[1] = -2;
    tensor = tensor_of(data, kDLFloat, 32, 3, shape + 1, NULL);
    refuse(&tensor, GA_INVALID, "bias: axis 0 has a negative extent: -2");
}
END_TEST

START_TEST(wrong_shape_or_type)
{
    float data[6] = { 0 };
    int64_t shape[] = { 2, 3 };
    ga__view view;
    DLTensor tensor = tensor_of(data, kDLFloat, 32, 2, shape, NULL);
    test_ok(context, ga__view_of(context, "o", &tensor, true, &view));
    test_status(context, ga__view_expect(context, "o", &view, 1, 1, 2, 4), GA_INVALID);
    test_error_has(context, "o: shape (2, 3), expected (2, 4)");
    ga__begin(context);
    test_status(context, ga__view_output(context, "o", &view, GA__BF16, GA__F16), GA_INVALID);
    test_error_has(context, "o: element type bf16 or f16 expected, not f32");
    ga__begin(context);
    test_status(context, ga__view_output(context, "o", &view, GA__I32, GA__I32), GA_INVALID);
    test_error_has(context, "o: element type i32 expected, not f32");
}
END_TEST

/* Rows of every type in double and single precision, there and back. */
START_TEST(rows)
{
    static const struct {
        uint8_t code, bits;
    } types[] = { { kDLFloat, 32 }, { kDLBfloat, 16 }, { kDLFloat, 16 }, { kDLFloat, 64 },
                  { kDLInt, 32 },   { kDLInt, 64 },    { kDLUInt, 8 },   { GA_DL_BOOL, 8 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        int64_t data[16] = { 0 }, shape[] = { 3, 4 };
        const double in[] = { 1, 0, 96, 5 };
        const float in32[] = { 7, 2, 0, 64 };
        double out[4];
        float out32[4];
        ga__view view;
        DLTensor tensor = tensor_of(data, types[i].code, types[i].bits, 2, shape, NULL);
        test_ok(context, ga__view_of(context, "x", &tensor, false, &view));
        ga__view_store_f64(&view, 0, 0, 1, in);
        ga__view_store_f32(&view, 0, 0, 2, in32);
        ga__view_load_f64(&view, 0, 0, 2, out);
        ga__view_load_f32(&view, 0, 0, 1, out32);
        for (int c = 0; c < 4; c++) {
            ck_assert_double_eq(out[c], (double)in32[c]);
            ck_assert_double_eq((double)out32[c], in[c]);
            ck_assert_double_eq(ga__view_get(&view, 0, 0, 0, c), 0);
            ck_assert_double_eq(ga__view_get(&view, 0, 0, 1, c), in[c]);
        }
        ga__view_set(&view, 0, 0, 0, 3, 3);
        ck_assert_double_eq(ga__view_get(&view, 0, 0, 0, 3), 3);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("view");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_pattern, 0, 2);
    tcase_add_loop_test(tests, every_rounding, 0, 2);
    tcase_add_test(tests, axes);
    tcase_add_test(tests, nothing_and_empty);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, wrong_shape_or_type);
    tcase_add_test(tests, rows);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
