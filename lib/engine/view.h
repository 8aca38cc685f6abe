/* view.h - a tensor as the kernels see it: batch, heads, rows, columns, the last axis contiguous. */
#ifndef GA_LIB_ENGINE_VIEW_H
#define GA_LIB_ENGINE_VIEW_H

#include <graphattn/engine.h>

#include "lib/base/base.h"

typedef enum ga__type { GA__F32 = 0, GA__BF16, GA__F16, GA__F64, GA__I32, GA__I64, GA__U8 } ga__type;

/* A view without data (data NULL) stands for a tensor that was not given. Strides in elements. */
typedef struct ga__view {
    void *data;
    ga__type type;
    int64_t batch, heads, rows, columns;
    int64_t stride_batch, stride_head, stride_row;
    bool on_device; /* data is an address of the context's device */
} ga__view;

/* Reads a tensor of at most four axes, missing leading ones taken as 1; NULL gives an empty view. Refuses what is not on
 * the CPU, an unknown type, a last axis that is not contiguous, extents below 0, with a message that starts with name.
 * floating: only f32, f64, bf16, f16. */
ga_status ga__view_of(ga_context *context, const char *name, const DLTensor *tensor, bool floating,
                      ga__view *view);
/* The same, and a tensor that lies on the context's device is taken too: for what is handed to the device unread. */
ga_status ga__view_anywhere(ga_context *context, const char *name, const DLTensor *tensor, bool floating,
                            ga__view *view);
/* Bytes of an element. */
int ga__type_size(ga__type type);
/* GA_INVALID with a message "NAME: shape (..), expected (..)" unless the extents are these; -1 accepts any. */
ga_status ga__view_expect(ga_context *context, const char *name, const ga__view *view, int64_t batch,
                          int64_t heads, int64_t rows, int64_t columns);
/* GA_INVALID unless the view is C-contiguous and of type a or b. */
ga_status ga__view_output(ga_context *context, const char *name, const ga__view *view, ga__type a,
                          ga__type b);

/* First element of a row, as bytes. */
static inline void *ga__view_row(const ga__view *view, int64_t batch, int64_t head, int64_t row)
{
    static const int size[] = { 4, 2, 2, 8, 4, 8, 1 };
    int64_t at = batch * view->stride_batch + head * view->stride_head + row * view->stride_row;
    return (char *)view->data + at * size[view->type];
}

/* One floating element; for everything that is not hot. */
double ga__view_get(const ga__view *view, int64_t batch, int64_t head, int64_t row, int64_t column);
/* Rounds to the view's type (nearest, ties to even). */
void ga__view_set(const ga__view *view, int64_t batch, int64_t head, int64_t row, int64_t column,
                  double value);
/* A row of `columns` elements in double or single precision. */
void ga__view_load_f64(const ga__view *view, int64_t batch, int64_t head, int64_t row, double *out);
void ga__view_load_f32(const ga__view *view, int64_t batch, int64_t head, int64_t row, float *out);
void ga__view_store_f64(const ga__view *view, int64_t batch, int64_t head, int64_t row, const double *values);
void ga__view_store_f32(const ga__view *view, int64_t batch, int64_t head, int64_t row, const float *values);

/* bf16 and f16, to nearest even; NaN stays NaN, too large becomes infinite. */
float ga__from_bf16(uint16_t bits);
uint16_t ga__to_bf16(float value);
float ga__from_f16(uint16_t bits);
uint16_t ga__to_f16(float value);

/* A copy of tensor in another type, C order. Returns owned. */
ga_status ga__tensor_cast(ga_context *context, const char *name, const DLTensor *tensor, DLDataType type,
                          DLTensor **out);

#endif
