/* shapes.h - graphs and widths that tests and benchmarks of edge operators walk. */
#ifndef GA_LIB_ENGINE_SPMM_SHAPES_H
#define GA_LIB_ENGINE_SPMM_SHAPES_H

#include <stdint.h>

/* targets, sources, edges drawn at random; so many of them go to target 1 (a hub); targets without edges at the end. */
typedef struct ga__edge_shape {
    int64_t targets, sources, edges, hub, isolated;
} ga__edge_shape;

static const ga__edge_shape ga__edge_shapes[] = {
    { 1, 1, 0, 0, 1 },      { 1, 1, 1, 0, 0 },         { 3, 5, 9, 0, 1 },
    { 40, 40, 200, 60, 7 }, { 9, 300, 7000, 6500, 2 }, { 700, 500, 3000, 0, 100 },
};
enum { GA__EDGE_SHAPES = sizeof ga__edge_shapes / sizeof *ga__edge_shapes };

static const int64_t ga__widths[] = { 1, 3, 16, 17, 64, 100, 256, 300 };
enum { GA__WIDTHS = sizeof ga__widths / sizeof *ga__widths };

#endif
