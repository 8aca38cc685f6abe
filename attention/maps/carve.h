/* carve.h - the parts of the analysis carve: where a pixel lies on a smaller grid, the components of a picture. */
#ifndef GA_ATTENTION_MAPS_CARVE_H
#define GA_ATTENTION_MAPS_CARVE_H

#include "attention/maps/maps.h"

/* Between which two of n cells a pixel lies, and how far behind the first. */
typedef struct ga__carve_place {
    int64_t low, high;
    double share;
} ga__carve_place;
/* Pixel number `at` of `pixels` on n cells: half-pixel centres, clamped to [0, n - 1]. */
ga__carve_place ga__carve_source(int64_t at, int64_t pixels, int64_t n);

typedef struct ga__carve_mask {
    int64_t size[2];    /* rows, columns */
    double keep;        /* share of the pixels at or above the threshold */
    int64_t components; /* how many to keep, 0 = max(3, floor(keep found)); then how many were kept */
    double threshold;   /* the (1 - keep) quantile */
    int64_t found;      /* components */
    uint8_t *kept;      /* owned (ga_free): the mask */
    int64_t box[4];     /* y0, x0, y1, x1, half open; 0 where nothing is kept */
} ga__carve_mask;
/* Fills it from the scores of the pixels. Components are 4-connected, numbered by their first pixel in raster order;
 * those of the largest sums are kept, ties to the first. */
ga_status ga__carve_components(ga_context *context, const double *score, ga__carve_mask *mask);

#endif
