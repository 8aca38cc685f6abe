/* shapes.h - sizes of dense products that the test and the benchmark walk. */
#ifndef GA_LIB_ENGINE_GEMM_SHAPES_H
#define GA_LIB_ENGINE_GEMM_SHAPES_H

#include <stdint.h>

typedef struct ga__gemm_shape {
    int64_t m, n, k;
} ga__gemm_shape;

static const ga__gemm_shape ga__gemm_shapes[] = {
    { 1, 1, 1 },    { 1, 64, 16 },   { 5, 7, 3 },      { 6, 64, 32 },     { 7, 65, 33 },     { 17, 3, 300 },
    { 64, 64, 64 }, { 100, 1, 50 },  { 250, 520, 11 }, { 31, 100, 600 },  { 0, 4, 4 },       { 4, 0, 4 },
    { 4, 4, 0 },    { 1, 200, 256 }, { 500, 16, 100 }, { 384, 384, 384 }, { 401, 130, 500 }, { 3, 5, 33000 },
};
enum { GA__GEMM_SHAPES = sizeof ga__gemm_shapes / sizeof *ga__gemm_shapes };

#endif
