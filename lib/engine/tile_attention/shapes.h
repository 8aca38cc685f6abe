/* shapes.h - problems that the tests and the benchmark of tile attention walk over. */
#ifndef GA_LIB_ENGINE_TILE_SHAPES_H
#define GA_LIB_ENGINE_TILE_SHAPES_H

#include <stdint.h>

typedef struct ga__tile_shape {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
} ga__tile_shape;

/* Sizes around the borders of strips, blocks and vectors, one key or query, grouped heads, dim_v apart from dim. */
static const ga__tile_shape ga__tile_shapes[] = {
    { 1, 1, 1, 1, 1, 1, 1 },        { 1, 2, 1, 5, 63, 3, 7 },     { 2, 4, 2, 63, 64, 16, 16 },
    { 1, 2, 2, 64, 65, 40, 24 },    { 1, 3, 1, 65, 130, 64, 80 }, { 1, 2, 1, 130, 130, 80, 64 },
    { 1, 1, 1, 257, 257, 128, 16 }, { 1, 4, 1, 1, 257, 64, 128 }, { 1, 1, 1, 257, 5, 16, 3 },
    { 1, 1, 1, 7, 2100, 16, 8 },
};
enum { GA__TILE_SHAPES = sizeof ga__tile_shapes / sizeof *ga__tile_shapes };

#endif
