/* region.h - which tokens the regions of `attend region` keep, for its two ways of computing. */
#ifndef GA_ATTENTION_VISION_REGION_H
#define GA_ATTENTION_VISION_REGION_H

#include "attention/plan.h"

typedef struct ga__screen {
    int64_t shape[2], side[2], count[2], low[2], tokens, sinks;
    int64_t *starts[2]; /* owned: count[a] first rows or columns of regions */
    int64_t *cell[2];   /* owned: row or column of the map under every row or column of pixels */
    double *gate;       /* owned: (tokens, low[0] * low[1]) */
    uint8_t *kept;      /* owned: (regions, tokens) */
    double eps;
} ga__screen;

typedef struct ga__region {
    const ga__screen *s;
    int64_t group, own; /* own: tokens of a region */
    double scale;
    ga__view q, k, v, k_region, v_region, o;
} ga__region;

/* Regions that contain a pixel; at least 1. */
int64_t ga__region_covering(const ga__screen *s, int64_t y, int64_t x);
/* Fills o in single precision. */
ga_status ga__region_tiles(ga__job *run, const ga__region *t);

#endif
