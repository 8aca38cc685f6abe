/* shapes.h - heads and widths for edge dots, on the graphs of spmm. */
#ifndef GA_LIB_ENGINE_SDDMM_SHAPES_H
#define GA_LIB_ENGINE_SDDMM_SHAPES_H

#include "lib/engine/spmm/shapes.h"

typedef struct ga__dot_shape {
    int64_t heads, width;
} ga__dot_shape;

static const ga__dot_shape ga__dot_shapes[] = {
    { 1, 1 },   { 1, 3 },  { 1, 16 }, { 1, 17 }, { 1, 64 }, { 1, 100 },
    { 1, 256 }, { 4, 16 }, { 3, 5 },  { 8, 33 }, { 2, 0 },
};
enum { GA__DOT_SHAPES = sizeof ga__dot_shapes / sizeof *ga__dot_shapes };

#endif
