/* maps.h - what analyses of attention maps share: types of their outputs, order of scores, quantiles. */
#ifndef GA_ATTENTION_MAPS_H
#define GA_ATTENTION_MAPS_H

#include "attention/blocks.h"

/* Masks are u8, indices and ranks i32. */
extern const DLDataType ga__type_u8, ga__type_i32;

static inline uint8_t *ga__u8_of(const DLTensor *tensor)
{
    return (uint8_t *)tensor->data + tensor->byte_offset;
}
static inline int32_t *ga__i32_of(const DLTensor *tensor)
{
    return (int32_t *)(void *)((char *)tensor->data + tensor->byte_offset);
}

/* An output when it is wanted, else *out is NULL. type NULL = the working type. */
ga_status ga__maps_output(ga__block_run *run, const char *name, const DLDataType *type, int ndim,
                          const int64_t *shape, DLTensor **out);
/* *view from a floating input as it was given, which must be there; or one without data. */
ga_status ga__maps_view(ga__block_run *run, const char *name, ga__view *view);

/* Order of numbers by falling value, NaN last, ties by lower index. */
typedef struct ga__ranked {
    double value;
    int64_t index;
} ga__ranked;
/* Fills and sorts n of them. */
void ga__rank_falling(const double *values, int64_t n, ga__ranked *order);
/* Sorts numbers ascending, NaN last. */
void ga__sort_rising(double *values, int64_t n);
/* The quantile q of n >= 1 sorted numbers, linearly between neighbours: at q (n - 1); NaN when there is one. */
double ga__quantile(const double *sorted, int64_t n, double q);
/* Mean and population deviation together, and a little more: of two numbers the larger is exactly there, and no outlier. */
double ga__outlier_level(const double *values, int64_t n);

#endif
