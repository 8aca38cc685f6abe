/* shapes.h - the recurrences that tests and benchmarks walk. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SHAPES_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SHAPES_H

#include <stdint.h>

typedef struct ga__scan_shape {
    int64_t batch, heads, groups, queries, keys, d, e;
} ga__scan_shape;

/* Small ones, ragged in every extent. */
static const ga__scan_shape ga__scan_small[] = {
    { 1, 1, 1, 1, 1, 1, 1 },    { 1, 2, 1, 3, 3, 4, 3 },   { 2, 2, 2, 17, 17, 5, 7 },
    { 1, 4, 2, 5, 21, 16, 33 }, { 1, 3, 1, 9, 4, 8, 31 },  { 2, 6, 2, 40, 40, 17, 65 },
    { 1, 1, 1, 1, 50, 33, 12 }, { 1, 5, 1, 19, 19, 3, 2 },
};

/* What is timed. */
static const ga__scan_shape ga__scan_large[] = {
    { 1, 4, 4, 4096, 4096, 64, 64 },
    { 1, 4, 4, 2048, 2048, 128, 128 },
    { 1, 1, 1, 1024, 1024, 256, 256 },
};

#define GA__SCAN_COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

#endif
