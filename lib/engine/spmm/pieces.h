/* pieces.h - how edges are split into work: by edges and rows, from the graph alone. For the CPU and for devices. */
#ifndef GA_LIB_ENGINE_SPMM_PIECES_H
#define GA_LIB_ENGINE_SPMM_PIECES_H

#include <stdint.h>

/* Rows [row, end_row) whole, their edges [first, last), slot -1; or a chunk of the edges of one hub row, whose result
 * goes to a slot of its own. No row of a piece has more than GA__CHUNK edges in it. */
typedef struct ga__piece {
    int64_t row, end_row, first, last, slot;
} ga__piece;

/* A row that was cut: the slots of its chunks, in order. */
typedef struct ga__hub {
    int64_t row, first_slot, slots;
} ga__hub;

enum { GA__CHUNK = 2048 };

#endif
