/* anderson.h - Anderson's acceleration of x <- g(x): fewer steps, each a few passes over vectors longer.
 *
 * The next point is not the image g(x) but that mixture of it with the images of a few steps before whose residuals
 * g(x) - x, mixed alike, come to the least norm (Anderson 1965; Walker and Ni, Anderson acceleration for fixed-point
 * iterations, 2011, section 2). Where g is affine, as for PageRank, that is GMRES cut short.
 */
#ifndef GA_SAMPLING_CLASSICAL_ANDERSON_H
#define GA_SAMPLING_CLASSICAL_ANDERSON_H

#include "lib/base/base.h"

enum { GA__ANDERSON_DEPTH = 2 };

typedef struct ga__anderson {
    ga_context *context;
    int64_t count;
    /* Differences from one step to the next of residuals and of images; in the slot `newest`, those of the last step
     * themselves until the next comes. */
    double *residual[GA__ANDERSON_DEPTH], *image[GA__ANDERSON_DEPTH];
    double products[GA__ANDERSON_DEPTH][GA__ANDERSON_DEPTH]; /* of the differences of residuals */
    double *partial;                                         /* sums of every block of elements */
    int newest, steps;
} ga__anderson;

/* For vectors of `count` elements. To be closed also after a failure. */
ga_status ga__anderson_open(ga_context *context, int64_t count, ga__anderson *a);
/* x = the next point; image is that of x. The same bits for any number of threads. */
ga_status ga__anderson_next(ga__anderson *a, double *x, const double *image);
void ga__anderson_close(ga__anderson *a);

#endif
