/* probe.h - a call of `attend probe`, for its two ways of computing. */
#ifndef GA_ATTENTION_VISION_PROBE_H
#define GA_ATTENTION_VISION_PROBE_H

#include "attention/plan.h"
#include "attention/vision/segments.h"

/* Groups of tokens: batch entries or segments. */
typedef struct ga__probe {
    ga_context *context;
    int64_t groups, probes, tokens, dim, width; /* width: c */
    double scale;
    bool segmented;
    ga__segments segments; /* owned */
    int64_t *ids;          /* owned: segment of every token */
    ga__view q, x, v, w;   /* v or w without data */
    ga__view o, lse;       /* forward */
    ga__view grad, dq, dx, dv, dw;
    double *kept;  /* owned: (groups, probes): lse, delta */
    double *along; /* owned: (groups, probes, D): u_m, with w alone */
} ga__probe;

/* True when the tiles can compute the call: f32, nothing empty. */
bool ga__probe_suits_tiles(const ga__job *run, const ga__probe *p);
/* Fills o and lse. */
ga_status ga__probe_tiles(const ga__probe *p);
/* Fills the gradients that are wanted. */
ga_status ga__probe_tiles_backward(const ga__probe *p);

#endif
