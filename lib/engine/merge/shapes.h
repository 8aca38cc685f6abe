/* shapes.h - sizes of results to be joined, for the test and the benchmark. */
#ifndef GA_LIB_ENGINE_MERGE_SHAPES_H
#define GA_LIB_ENGINE_MERGE_SHAPES_H

#include <stdint.h>

/* (batch, heads, rows, width) */
static const int64_t ga__merge_shapes[][4] = {
    { 1, 1, 1, 1 },  { 1, 2, 5, 3 },    { 2, 3, 7, 16 }, { 1, 1, 33, 17 },
    { 2, 2, 9, 64 }, { 1, 4, 50, 100 }, { 1, 1, 4, 0 },  { 2, 0, 4, 8 },
};
enum { GA__MERGE_SHAPES = sizeof ga__merge_shapes / sizeof *ga__merge_shapes };

#endif
