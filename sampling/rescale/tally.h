/* tally.h - growing lists of matrix cells. */
#ifndef GA_SAMPLING_TALLY_H
#define GA_SAMPLING_TALLY_H

#include "sampling/matrices.h"

typedef struct ga__tally {
    int64_t count, room;
    int32_t *row, *column;
    int64_t *entry;
} ga__tally;

/* Adds a cell; the same cell may be added again until the list is sorted. */
ga_status ga__tally_add(ga_context *context, ga__tally *tally, int64_t row, int64_t column, int64_t entry);
ga_status ga__tally_reserve(ga_context *context, ga__tally *tally, int64_t room);
/* Sorts by (row, column) and sums up equal cells; all indices are below rows and columns. */
ga_status ga__tally_sort(ga_context *context, ga__tally *tally, int64_t rows, int64_t columns);
/* Rows become columns; sorted again. */
ga_status ga__tally_transpose(ga_context *context, ga__tally *tally, int64_t rows, int64_t columns);
/* Cells of row r of a sorted list: first[r] .. first[r + 1] - 1. first has rows + 1 places. */
void ga__tally_rows(const ga__tally *tally, int64_t rows, int64_t *first);
void ga__tally_clear(ga_context *context, ga__tally *tally);

#endif
