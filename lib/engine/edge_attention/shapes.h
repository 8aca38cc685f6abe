/* shapes.h - heads and widths of features for tests and timings. */
#ifndef GA_LIB_ENGINE_EDGE_SHAPES_H
#define GA_LIB_ENGINE_EDGE_SHAPES_H

typedef struct ga__edge_shape {
    int heads, width;
} ga__edge_shape;

static const ga__edge_shape ga__edge_shapes[] = { { 1, 1 },  { 1, 5 },  { 1, 16 }, { 1, 64 }, { 3, 1 },
                                                  { 3, 8 },  { 3, 17 }, { 4, 5 },  { 4, 8 },  { 4, 16 },
                                                  { 4, 64 }, { 8, 1 },  { 8, 8 },  { 8, 16 }, { 8, 17 } };

#endif
