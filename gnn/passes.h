/* passes.h - passes over the rows of contiguous matrices of one working type, on several threads where that is worth it.
 * Results do not depend on the number of threads. Tensors of one axis are matrices of one column. */
#ifndef GA_GNN_PASSES_H
#define GA_GNN_PASSES_H

#include "gnn/layer.h"

/* Element 0 of a contiguous tensor. */
static inline void *ga__data_of(const DLTensor *tensor)
{
    return (char *)tensor->data + tensor->byte_offset;
}

/* to = from where kept, scaled, else 0. first: bit of the first element, a multiple of 32. from NULL = 1 everywhere. */
ga_status ga__pass_drop(ga_context *context, const ga_keep *keep, int64_t first, const DLTensor *from,
                        DLTensor *to);
/* grad = slope(value) where kept(from), scaled; keep->bits NULL: kept as it is. value may be grad. */
ga_status ga__pass_finish(ga_context *context, const ga_keep *keep, int64_t first, ga__activation activation,
                          const DLTensor *value, const DLTensor *from, DLTensor *grad);
ga_status ga__pass_relu(ga_context *context, const DLTensor *x, DLTensor *y);
/* out_i = f_i x_i + g_i y_i, plus out_i where add; y and g may be NULL. f, g: as many numbers as rows. */
ga_status ga__pass_mix(ga_context *context, const DLTensor *f, const DLTensor *x, const DLTensor *g,
                       const DLTensor *y, bool add, DLTensor *out);
/* out_i = <a_i, b_i>. */
ga_status ga__pass_dots(ga_context *context, const DLTensor *a, const DLTensor *b, double *out);
ga_status ga__pass_mean_heads(ga_context *context, int64_t heads, const DLTensor *o, DLTensor *y);
ga_status ga__pass_share_heads(ga_context *context, int64_t heads, const DLTensor *g, DLTensor *o);
/* l_ih = <z_ih, a_h>, r_ih = <z_ih, b_h> + shift_h; a, b (heads, width), shift (heads) or NULL. */
ga_status ga__pass_scores(ga_context *context, const DLTensor *z, const DLTensor *a, const DLTensor *b,
                          const DLTensor *shift, DLTensor *l, DLTensor *r);

#endif
