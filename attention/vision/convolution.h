/* convolution.h - 3 x 3 convolutions of images, zero padding 1, as dense products. */
#ifndef GA_ATTENTION_VISION_CONVOLUTION_H
#define GA_ATTENTION_VISION_CONVOLUTION_H

#include "attention/blocks.h"

typedef struct ga__image {
    int64_t images, height, width;
} ga__image;

/* y (images, out, H, W) = w (out, in, 3, 3) * x (images, in, H, W) + b (out), cross-correlation. All of the working type
 * and in C order. */
ga_status ga__convolve(ga__block_run *run, ga__image size, const DLTensor *x, const DLTensor *w,
                       const DLTensor *b, DLTensor *y);
/* From dy the gradients of x, w and b; each may be NULL. */
ga_status ga__convolve_backward(ga__block_run *run, ga__image size, const DLTensor *x, const DLTensor *w,
                                const DLTensor *dy, DLTensor *dx, DLTensor *dw, DLTensor *db);

#endif
