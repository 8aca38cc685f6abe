/* radial.h - video tokens of f frames of T each, then text: what the two forms of radial share. */
#ifndef GA_ATTENTION_PATTERNS_RADIAL_H
#define GA_ATTENTION_PATTERNS_RADIAL_H

#include "attention/plan.h"

typedef struct ga__radial {
    int64_t frames, tokens; /* f, T */
    int64_t count;          /* N */
    bool sink;
    int64_t block, thin; /* of the block form */
    double decay, near;
} ga__radial;

/* The block form's map, (nb, nb), of the right size; cleared by the callee. */
ga_status ga__radial_blocks(ga_context *context, const ga__radial *r, int64_t blocks, uint8_t *map);

#endif
