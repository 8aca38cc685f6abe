/* slab.h - parts of a tensor, and arrays, as tensors that the engine takes. */
#ifndef GA_ATTENTION_VISION_SLAB_H
#define GA_ATTENTION_VISION_SLAB_H

#include "lib/engine/view.h"

/* Borrows the data. The descriptor points into the struct: it is not to be copied. */
typedef struct ga__slab {
    DLTensor tensor;
    int64_t shape[4], strides[4];
} ga__slab;

/* All of a view. */
void ga__slab_open(ga__slab *slab, const ga__view *view);
/* count rows of one axis (0 = batch) from the first. */
void ga__slab_cut(ga__slab *slab, int axis, int64_t first, int64_t count);
/* An axis of extent 1 becomes count times the same. */
void ga__slab_repeat(ga__slab *slab, int axis, int64_t count);
/* An array in C order, of f32 and of another type. */
void ga__slab_over(ga__slab *slab, float *data, const int64_t shape[4]);
void ga__slab_over_type(ga__slab *slab, void *data, ga__type type, const int64_t shape[4]);
/* Bytes of an element. */
int64_t ga__slab_size(ga__type type);

/* Rows order[0 .. count - 1], or the first count with order NULL, of every (batch, head) of from in [first_batch,
 * first_batch + batches), one after another, a head `room` rows behind the one before. Bytes are copied as they are. */
void ga__slab_gather(const ga__view *from, int64_t first_batch, int64_t batches, int64_t count,
                     const int64_t *order, int64_t room, void *to);

#endif
