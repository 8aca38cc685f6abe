/* blocks.h - block patterns by position: query i stands at p = i + Nk - Nq, in block floor(p / b); where Nk - Nq is no
 * multiple of b, rows are grouped so that no group lies in two blocks. */
#ifndef GA_ATTENTION_PATTERNS_BLOCKS_H
#define GA_ATTENTION_PATTERNS_BLOCKS_H

#include "attention/plan.h"

typedef struct ga__position_blocks {
    int64_t side;  /* b */
    int64_t group; /* rows of the pattern's blocks; divides b and the shift */
    int64_t shift;
} ga__position_blocks;

static inline ga__position_blocks ga__position_blocks_of(const ga__job *run, int64_t side)
{
    int64_t shift = run->keys - run->queries, a = side, b = shift < 0 ? -shift : shift;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (ga__position_blocks){ side, a, shift };
}

/* First position of a group of rows and its block; false when it stands before the first key. */
static inline bool ga__position_block(const ga__position_blocks *blocks, int64_t row, int64_t *position,
                                      int64_t *block)
{
    *position = row * blocks->group + blocks->shift;
    *block = *position / blocks->side;
    return *position >= 0;
}

static inline ga_status ga__position_pattern(ga__job *run, const ga__position_blocks *blocks, int64_t heads,
                                             ga_block_fn visible, void *user)
{
    return ga_pattern_blocks(run->context, heads, run->queries, run->keys, blocks->group, blocks->side,
                             visible, user, run->causal, &run->pattern);
}

#endif
