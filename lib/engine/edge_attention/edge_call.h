/* edge_call.h - what the two directions of message passing share: copies in single precision and the run of a problem. */
#ifndef GA_LIB_ENGINE_EDGE_CALL_H
#define GA_LIB_ENGINE_EDGE_CALL_H

#include "lib/base/workers.h"
#include "lib/engine/edge_attention/edge.h"

/* Single-precision copies and scratch of a call. */
typedef struct ga__edge_call {
    ga_context *context;
    ga__edge_problem problem;
    ga__edge_run run; /* forward: own rows are targets */
    float *owned[24];
    int owned_count;
} ga__edge_call;

/* Room for rows of numbers, freed with the call. */
ga_status ga__edge_take(ga__edge_call *c, int64_t rows, int64_t columns, float **out);
void ga__edge_release(ga__edge_call *c);
/* The tensor as contiguous f32: its own data or a copy; NULL for none. */
ga_status ga__edge_flat(ga__edge_call *c, const ga__view *view, const float **out);
/* Two views of the same numbers, or of as many rows as both have. */
bool ga__edge_same_rows(const ga__view *a, const ga__view *b);
/* The run of the problem, as far as both directions have it in common. */
ga_status ga__edge_prepare(ga__edge_call *c);
/* datt has att_size numbers, see ga__edge_pass; NULL: not wanted. */
ga_status ga__edge_run_pass(ga__edge_call *c, const ga__edge_run *run, ga__edge_mode mode, int64_t hub,
                            double *datt, int64_t att_size, double *totals);

/* The call on the context's device; wide: something is f64. */
ga_status ga__edge_forward_on_device(ga__edge_call *c, const ga__edge_outputs *out, bool wide);
ga_status ga__edge_backward_on_device(ga__edge_call *c, const ga_transposed *transposed,
                                      const ga__edge_slopes *s, bool wide);

#endif
