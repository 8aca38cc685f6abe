/* view.c - tensors as the kernels see them; the 16-bit formats. */
#include "config.h"

#include "lib/engine/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/engine/device/device.h"

static const int type_size[] = { 4, 2, 2, 8, 4, 8, 1 };
static const char *const type_names[] = { "f32", "bf16", "f16", "f64", "i32", "i64", "u8" };

/* ---- reading descriptors ---- */

static bool read_type(DLDataType dtype, ga__type *type)
{
    static const struct {
        int code, bits;
        ga__type type;
    } known[] = {
        { kDLFloat, 32, GA__F32 }, { kDLBfloat, 16, GA__BF16 }, { kDLFloat, 16, GA__F16 },
        { kDLFloat, 64, GA__F64 }, { kDLInt, 32, GA__I32 },     { kDLInt, 64, GA__I64 },
        { kDLUInt, 8, GA__U8 },    { GA_DL_BOOL, 8, GA__U8 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (dtype.lanes == 1 && dtype.code == known[i].code && dtype.bits == known[i].bits) {
            *type = known[i].type;
            return true;
        }
    }
    return false;
}

static bool is_floating(ga__type type)
{
    return type <= GA__F64;
}

/* Extents and strides, last axis last; missing leading axes are 1. */
static ga_status read_axes(ga_context *context, const char *name, const DLTensor *tensor, int size,
                           int64_t extent[4], int64_t stride[4])
{
    int ndim = tensor->ndim;
    int64_t reach = size;
    if (ndim < 0 || ndim > 4 || (ndim > 0 && !tensor->shape)) {
        return ga__fail(context, GA_INVALID, "%s: 0 to 4 axes expected, not %d", name, ndim);
    }
    for (int i = 0; i < 4; i++) {
        extent[i] = 1;
        stride[i] = 0;
    }
    for (int i = ndim - 1, at = 3; i >= 0; i--, at--) {
        if (tensor->shape[i] < 0) {
            return ga__fail(context, GA_INVALID, "%s: axis %d has a negative extent: %lld", name, i,
                            (long long)tensor->shape[i]);
        }
        extent[at] = tensor->shape[i];
        stride[at] = tensor->strides ? tensor->strides[i] : reach / size;
        if (!ga__mul(reach, ga__max(extent[at], 1), &reach)) {
            return ga__fail(context, GA_OVERFLOW, "%s: the product of the extents is too large", name);
        }
        int64_t span = 0;
        if (!ga__mul(stride[at], extent[at], &span) || !ga__mul(span, size, &span)) {
            return ga__fail(context, GA_OVERFLOW, "%s: the stride of axis %d is too large", name, i);
        }
    }
    if (extent[3] > 1 && stride[3] != 1) {
        return ga__fail(context, GA_INVALID, "%s: the last axis must be contiguous, its stride is %lld", name,
                        (long long)stride[3]);
    }
    return GA_OK;
}

static ga_status check_place(ga_context *context, const char *name, const DLTensor *tensor, bool anywhere,
                             bool *on_device)
{
    *on_device = tensor->device.device_type != kDLCPU;
    if (!*on_device || (anywhere && ga__on_device(context, tensor))) {
        return GA_OK;
    }
    if (!anywhere || !ga__device_of(context)) {
        return ga__fail(context, GA_UNSUPPORTED, "%s: the tensor is not on the CPU", name);
    }
    return ga__fail(context, GA_UNSUPPORTED, "%s: the tensor lies on another device than the context's",
                    name);
}

static ga_status read_view(ga_context *context, const char *name, const DLTensor *tensor, bool floating,
                           bool anywhere, ga__view *view)
{
    static char nowhere; /* stands for the data of a tensor without elements */
    int64_t extent[4], stride[4];
    ga__type type = GA__F32;
    bool on_device = false;
    ga_status status = GA_OK;
    *view = (ga__view){ 0 };
    if (!tensor) {
        return GA_OK;
    }
    if ((status = check_place(context, name, tensor, anywhere, &on_device)) != GA_OK) {
        return status;
    }
    if (!read_type(tensor->dtype, &type)) {
        return ga__fail(context, GA_UNSUPPORTED,
                        "%s: element type (code %d, %d bits, %d lanes) is not supported", name,
                        tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes);
    }
    if (floating && !is_floating(type)) {
        return ga__fail(context, GA_INVALID, "%s: f32, f64, bf16 or f16 expected, not %s", name,
                        type_names[type]);
    }
    status = read_axes(context, name, tensor, type_size[type], extent, stride);
    if (status != GA_OK) {
        return status;
    }
    bool empty = extent[0] == 0 || extent[1] == 0 || extent[2] == 0 || extent[3] == 0;
    if (!tensor->data && !empty) {
        return ga__fail(context, GA_INVALID, "%s: the tensor has no data", name);
    }
    *view = (ga__view){
        .data = empty ? &nowhere : (char *)tensor->data + tensor->byte_offset,
        .type = type,
        .batch = extent[0],
        .heads = extent[1],
        .rows = extent[2],
        .columns = extent[3],
        .stride_batch = stride[0],
        .stride_head = stride[1],
        .stride_row = stride[2],
        .on_device = on_device,
    };
    return GA_OK;
}

ga_status ga__view_of(ga_context *context, const char *name, const DLTensor *tensor, bool floating,
                      ga__view *view)
{
    return read_view(context, name, tensor, floating, false, view);
}

ga_status ga__view_anywhere(ga_context *context, const char *name, const DLTensor *tensor, bool floating,
                            ga__view *view)
{
    return read_view(context, name, tensor, floating, true, view);
}

int ga__type_size(ga__type type)
{
    return type_size[type];
}

/* The extents without leading ones that were not asked for, "(2, 4, 8)"; -1 as "*". */
static void write_shape(char *text, size_t size, const int64_t extent[4])
{
    size_t at = 0;
    int first = 0;
    while (first < 3 && extent[first] == 1) {
        first++;
    }
    for (int i = first; i < 4 && at < size; i++) {
        const char *before = i == first ? "(" : ", ", *after = i == 3 ? ")" : "";
        int wrote = extent[i] < 0
                        ? snprintf(text + at, size - at, "%s*%s", before, after)
                        : snprintf(text + at, size - at, "%s%lld%s", before, (long long)extent[i], after);
        at += wrote > 0 ? (size_t)wrote : size;
    }
}

ga_status ga__view_expect(ga_context *context, const char *name, const ga__view *view, int64_t batch,
                          int64_t heads, int64_t rows, int64_t columns)
{
    int64_t found[] = { view->batch, view->heads, view->rows, view->columns };
    int64_t wanted[] = { batch, heads, rows, columns };
    char text[2][96];
    if (!view->data) {
        write_shape(text[1], sizeof text[1], wanted);
        return ga__fail(context, GA_INVALID, "%s: missing, shape %s expected", name, text[1]);
    }
    for (int i = 0; i < 4; i++) {
        if (wanted[i] >= 0 && wanted[i] != found[i]) {
            write_shape(text[0], sizeof text[0], found);
            write_shape(text[1], sizeof text[1], wanted);
            return ga__fail(context, GA_INVALID, "%s: shape %s, expected %s", name, text[0], text[1]);
        }
    }
    return GA_OK;
}

ga_status ga__view_output(ga_context *context, const char *name, const ga__view *view, ga__type a, ga__type b)
{
    int64_t row = view->columns, head = row * view->rows, batch = head * view->heads;
    if (view->type != a && view->type != b) {
        return a == b ? ga__fail(context, GA_INVALID, "%s: element type %s expected, not %s", name,
                                 type_names[a], type_names[view->type])
                      : ga__fail(context, GA_INVALID, "%s: element type %s or %s expected, not %s", name,
                                 type_names[a], type_names[b], type_names[view->type]);
    }
    if ((view->rows > 1 && view->stride_row != row) || (view->heads > 1 && view->stride_head != head) ||
        (view->batch > 1 && view->stride_batch != batch)) {
        if (batch * view->batch != 0) {
            return ga__fail(context, GA_INVALID, "%s: an output must be C-contiguous", name);
        }
    }
    return GA_OK;
}

/* ---- bf16 and f16 ---- */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float ga__from_bf16(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t ga__to_bf16(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40); /* quiet, or its payload could be rounded away */
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

float ga__from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31) {
        return float_of(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent == 0) {
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t ga__to_f16(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff));
    }
    if (size >= 0x477ff000u) { /* 65520, halfway between the largest number and 2^16 */
        return (uint16_t)(sign | 0x7c00);
    }
    if (size < 0x38800000u) { /* below 2^-14: adding 1/2 rounds to multiples of 2^-24 */
        return (uint16_t)(sign | (bits_of(float_of(size) + 0.5f) - bits_of(0.5f)));
    }
    return (uint16_t)(sign | ((size + 0xfffu + (size >> 13 & 1) - (112u << 23)) >> 13));
}

/* To single precision, an inexact result with its last bit set: rounding that to a shorter format gives
 * what rounding value itself would have given. */
static float to_odd(double value)
{
    float near = (float)value;
    uint32_t bits = bits_of(near);
    if ((double)near != value && !isnan(value) && (bits & 1) == 0) {
        return float_of(fabs((double)near) > fabs(value) ? bits - 1 : bits + 1);
    }
    return near;
}

/* ---- elements and rows ---- */

static double get(const void *row, ga__type type, int64_t column)
{
    switch (type) {
    case GA__F32: return (double)((const float *)row)[column];
    case GA__BF16: return (double)ga__from_bf16(((const uint16_t *)row)[column]);
    case GA__F16: return (double)ga__from_f16(((const uint16_t *)row)[column]);
    case GA__F64: return ((const double *)row)[column];
    case GA__I32: return ((const int32_t *)row)[column];
    case GA__I64: return (double)((const int64_t *)row)[column];
    case GA__U8: break;
    }
    return ((const uint8_t *)row)[column];
}

static void set(void *row, ga__type type, int64_t column, double value)
{
    switch (type) {
    case GA__F32: ((float *)row)[column] = (float)value; break;
    case GA__BF16: ((uint16_t *)row)[column] = ga__to_bf16(to_odd(value)); break;
    case GA__F16: ((uint16_t *)row)[column] = ga__to_f16(to_odd(value)); break;
    case GA__F64: ((double *)row)[column] = value; break;
    case GA__I32: ((int32_t *)row)[column] = (int32_t)value; break;
    case GA__I64: ((int64_t *)row)[column] = (int64_t)value; break;
    case GA__U8: ((uint8_t *)row)[column] = (uint8_t)value; break;
    }
}

double ga__view_get(const ga__view *view, int64_t batch, int64_t head, int64_t row, int64_t column)
{
    return get(ga__view_row(view, batch, head, row), view->type, column);
}

void ga__view_set(const ga__view *view, int64_t batch, int64_t head, int64_t row, int64_t column,
                  double value)
{
    set(ga__view_row(view, batch, head, row), view->type, column, value);
}

void ga__view_load_f64(const ga__view *view, int64_t batch, int64_t head, int64_t row, double *out)
{
    const void *from = ga__view_row(view, batch, head, row);
    if (view->type == GA__F64) {
        memcpy(out, from, (size_t)view->columns * sizeof *out);
        return;
    }
    for (int64_t c = 0; c < view->columns; c++) {
        out[c] = get(from, view->type, c);
    }
}

void ga__view_load_f32(const ga__view *view, int64_t batch, int64_t head, int64_t row, float *out)
{
    const void *from = ga__view_row(view, batch, head, row);
    if (view->type == GA__F32) {
        memcpy(out, from, (size_t)view->columns * sizeof *out);
        return;
    }
    for (int64_t c = 0; c < view->columns; c++) {
        out[c] = (float)get(from, view->type, c);
    }
}

void ga__view_store_f64(const ga__view *view, int64_t batch, int64_t head, int64_t row, const double *values)
{
    void *to = ga__view_row(view, batch, head, row);
    for (int64_t c = 0; c < view->columns; c++) {
        set(to, view->type, c, values[c]);
    }
}

void ga__view_store_f32(const ga__view *view, int64_t batch, int64_t head, int64_t row, const float *values)
{
    void *to = ga__view_row(view, batch, head, row);
    for (int64_t c = 0; c < view->columns; c++) {
        set(to, view->type, c, (double)values[c]);
    }
}

ga_status ga__tensor_cast(ga_context *context, const char *name, const DLTensor *tensor, DLDataType type,
                          DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    double *row = NULL;
    ga__view from, to;
    GA_TRY(ga__view_of(context, name, tensor, true, &from));
    GA_TRY(ga_tensor_create(context, type, tensor->ndim, tensor->shape, &made));
    GA_TRY(ga__view_of(context, name, made, true, &to));
    GA_TRY(GA_NEW(context, from.columns, &row));
    for (int64_t b = 0; b < from.batch; b++) {
        for (int64_t h = 0; h < from.heads; h++) {
            for (int64_t r = 0; r < from.rows; r++) {
                ga__view_load_f64(&from, b, h, r, row);
                ga__view_store_f64(&to, b, h, r, row);
            }
        }
    }
    *out = made;
    made = NULL;
done:
    ga_free(context, row);
    ga_tensor_destroy(context, made);
    return status;
}
