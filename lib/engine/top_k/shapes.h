/* shapes.h - rows to select from, for the test and the benchmark. */
#ifndef GA_LIB_ENGINE_TOP_K_SHAPES_H
#define GA_LIB_ENGINE_TOP_K_SHAPES_H

#include <stdint.h>

typedef struct ga__top_k_shape {
    int64_t rows, n, k;
} ga__top_k_shape;

static const ga__top_k_shape ga__top_k_shapes[] = {
    { 3, 1, 1 },       { 4, 5, 3 },     { 4, 5, 5 },    { 4, 5, 9 },     { 7, 16, 1 },
    { 7, 17, 4 },      { 9, 64, 8 },    { 5, 100, 99 }, { 6, 1000, 16 }, { 3, 5000, 64 },
    { 2, 4097, 2048 }, { 200, 300, 7 }, { 3, 10, 0 },   { 3, 0, 4 },
};
enum { GA__TOP_K_SHAPES = sizeof ga__top_k_shapes / sizeof *ga__top_k_shapes };

#endif
