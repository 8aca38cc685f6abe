/* scan_space.h - what one worker keeps for the forward pass. Part of the bodies. */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_SPACE_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_SPACE_H

#include "lib/engine/scan_attention/scan.h"

#define GW (2 * VF)
_Static_assert(sizeof(uintptr_t) <= 2 * sizeof(float), "places for addresses");

/* Tokens a block of scan_block.h. */
#define BLOCK 4

/* A block's query rows of one head: A_ij at 4 i + j for j <= i, with all factors in it, and T_ji at 4 i + j for
 * j > i; what rows of q S are multiplied by; rows that are 0 as their sum is. */
typedef struct block_head {
    float pair[BLOCK * BLOCK], row[BLOCK], dead[BLOCK];
} block_head;

typedef struct scan_space {
    int64_t dp; /* d rounded up to 16 */
    float *state, *z;
    float *factor, *local, *total; /* exp g of a token; products since the block's and the chunk's start */
    float *shift, *drift;          /* expm1 g of a token and of the sum since the chunk's start */
    float *keep, *rest;
    double gamma; /* the state times gamma is S */
    int kind;     /* what the update of the chunk does to the state */
    float age[4]; /* one number: product of the factors since each token of the block, else 1 */
    float *one_factor, *one_shift; /* by token, when one number serves all channels */
    float *q, *k, *read;           /* rows as above: q exp G, k exp(G_last - G), k exp G */
    float *a, *t, *beta, *divisor;
    float *u, *out, *bonus, *own; /* own: bonus * k of the token at hand */
    uintptr_t *line,
        *ahead;         /* lines of memory to prefetch, one a row and group; those of the group at hand */
    int64_t *line_step; /* bytes from a token to the next, by line */
    int64_t line_token; /* the token that the lines stand for */
    int64_t lines, most_lines;

    block_head *head;            /* one a query head of the key/value head */
    float weight[BLOCK * BLOCK]; /* what the sums of products are multiplied by to become pair */
    /* a number a channel: exp g of four tokens; keys decayed to the end of the block; sum of g since a channel's
     * state was last multiplied, in two parts, and its exp, in front of the block and behind it */
    float *factors, *ends, *sum, *sum_low, *gammas, *gammas_next;
} scan_space;

static bool carve(const ga__scan_plan *p, scan_space *s, char *base, int64_t *bytes)
{
    int64_t dp, at[20] = { 0 }, n = 0, last = 0;
    int64_t chunk = (p->chunk + 3) & ~(int64_t)3, numbers = (p->chunk + 15) & ~(int64_t)15, rows = 0;
    if (!ga__add(p->d, 15, &dp) || !ga__mul(chunk, ga__max(p->ratio, 1), &rows)) {
        return false;
    }
    dp = ga__max(dp & ~(int64_t)15, 16);
    const int64_t shapes[][2] = { { dp, p->columns },
                                  { 1, dp },
                                  { 1, dp },
                                  { 1, dp },
                                  { 1, dp },
                                  { rows + 4, dp },
                                  { chunk, dp },
                                  { p->delta ? chunk : 0, dp },
                                  { rows, chunk },
                                  { chunk, chunk },
                                  { 1, chunk },
                                  { 1, rows + 4 },
                                  { chunk, p->columns },
                                  { rows + 4, p->columns },
                                  { 1, dp },
                                  { 5, dp },
                                  { 2, numbers },
                                  { p->d, p->columns / GW * 4 },
                                  { ga__max(p->ratio, 1), sizeof(block_head) / sizeof(float) },
                                  { p->decay_kind == GA__DECAY_VECTOR ? 3 * BLOCK : 0, dp } };
    for (; n < (int64_t)(sizeof shapes / sizeof *shapes); n++) {
        at[n] = last;
        if (!ga__scan_carve(&last, shapes[n][0], shapes[n][1], sizeof(float))) {
            return false;
        }
    }
    *bytes = ga__max(last, 64);
    if (s) {
        float **all[] = { &s->state, &s->z,    &s->factor, &s->local, &s->total,     &s->q,
                          &s->k,     &s->read, &s->a,      &s->t,     &s->beta,      &s->divisor,
                          &s->u,     &s->out,  &s->bonus,  &s->shift, &s->one_factor };
        s->dp = dp;
        for (int64_t i = 0; i < 17; i++) {
            *all[i] = (float *)(void *)(base + at[i]);
        }
        s->most_lines = p->d * (p->columns / GW);
        s->line = (uintptr_t *)(void *)(base + at[17]);
        s->line_step = (int64_t *)(void *)(s->line + s->most_lines);
        s->drift = s->shift + dp;
        s->keep = s->drift + dp;
        s->rest = s->keep + dp;
        s->own = s->rest + dp;
        s->one_shift = s->one_factor + numbers;
        s->head = (block_head *)(void *)(base + at[18]);
        s->factors = (float *)(void *)(base + at[19]);
        s->ends = s->factors + BLOCK * dp;
        s->sum = s->ends + BLOCK * dp;
        s->sum_low = s->sum + dp;
        s->gammas = s->sum_low + dp;
        s->gammas_next = s->gammas + dp;
    }
    return true;
}

static bool forward_space(const ga__scan_plan *plan, int64_t *bytes)
{
    return carve(plan, NULL, NULL, bytes);
}

/* What happens to the state before new keys are added: nothing; one factor; a row of factors. */
enum { DECAY_NOT, DECAY_TIMES, DECAY_ROW };

#endif
