/* rows.h - what the linear variants share: bodies over rows, parameters of every scan, the epilogue. */
#ifndef GA_ATTENTION_ROWS_H
#define GA_ATTENTION_ROWS_H

#include "attention/plan.h"

#define GA__CHUNK \
    { \
        "chunk", GA_PARAMETER_INT, "0", ">= 0", "tokens a chunk; speed only, 0 = automatic", GA__FROM(0) \
    }

/* Calls body for every (batch, head, row), on several threads; room has space for `room` numbers and is the thread's
 * own. */
typedef void (*ga__row_body)(void *user, int64_t b, int64_t h, int64_t r, double *room);
ga_status ga__rows(ga__job *run, int64_t batch, int64_t heads, int64_t rows, int64_t room, ga__row_body body,
                   void *user);

/* Rows of slot get a column of ones behind them. */
ga__step ga__step_ones(int slot);

/* View of the tensor of a slot; without data for -1. */
ga_status ga__slot_view(ga__job *run, int slot, ga__view *view);
/* Its gradient; without data when none is wanted. */
ga_status ga__slot_grad_view(ga__job *run, int slot, ga__view *view);
/* The same, set to zero: for what is added to. */
ga_status ga__slot_grad_zero(ga__job *run, int slot, ga__view *view);
/* Slot of a tensor that must have these axes if it was given, else -1. */
ga_status ga__slot_shaped(ga__job *run, const char *name, int count, const int64_t *dims, int *slot);
/* Adds value to one element. */
void ga__view_add(const ga__view *view, int64_t b, int64_t h, int64_t r, int64_t c, double value);

/* Forward: the rows of the step's slot through body into rows of another width, at out. Backward: x is a row of what the
 * step got, y of the gradient of what it made, out that of x. scratch: numbers of room. Shapes keep their other axes. */
typedef void (*ga__map_body)(const void *user, int64_t b, int64_t h, int64_t r, const double *x,
                             const double *y, double *out, double *room);
ga_status ga__map_forward(ga__job *run, ga__step *step, int64_t columns, int64_t scratch, ga__map_body body,
                          const void *user);
ga_status ga__map_backward(ga__job *run, const ga__step *step, int64_t scratch, ga__map_body body,
                           const void *user);

/* Binds "log_decay" (B, G, Nk, 1 or d), if it was given. */
ga_status ga__bind_token_decay(ga__job *run);

/* Plan of the delta rule, with decay where it is given (gated_delta.c). */
ga_status ga__delta_plan(ga__job *run);

double ga__logistic(double x);
double ga__softplus(double x);

/* ---- the epilogue o <- norm(o) * act(gate) of recurrent variants (attention-linear 0.7) ---- */

typedef enum ga__norm { GA__NORM_NONE, GA__NORM_RMS, GA__NORM_SRMS, GA__NORM_LAYER } ga__norm;
extern const char *const ga__norm_words[], *const ga__norm_scope_words[], *const ga__gate_words[];

#define GA__EPILOGUE_PARAMETERS \
    { "norm", GA_PARAMETER_WORD, "none", NULL, "norm of the output", ga__norm_words, GA__ANY }, \
        { "norm_scope", \
          GA_PARAMETER_WORD, \
          "head", \
          NULL, \
          "e columns of a head, or all H*e of a token", \
          ga__norm_scope_words, \
          GA__ANY }, \
        { "norm_eps", GA_PARAMETER_REAL, NULL, "> 0", "eps of that norm: 1e-6, layer 1e-5", GA__ABOVE(0) }, \
    { \
        "gate_activation", GA_PARAMETER_WORD, "none", NULL, "applied to gate", ga__gate_words, GA__ANY \
    }
#define GA__EPILOGUE_TENSORS \
    { "gate", "(B, H, Nq, e)", "gate branch, multiplies the normed output", .optional = true, \
      .differentiable = true }, \
        { "norm_weight", "(H*e)", "weight of rms and layer", .optional = true, .differentiable = true }, \
    { \
        "norm_bias", "(H*e)", "bias of layer", .optional = true, .differentiable = true \
    }
/* Adds the step, if there is anything to do. */
ga_status ga__epilogue(ga__job *run);

/* y = norm(x) without weight and bias, of n numbers; returns the factor r. y may be x. */
double ga__norm_row(ga__norm norm, double eps, int64_t n, const double *x, double *y);
/* dx from dy and the normalised y; dx may be dy. */
void ga__norm_row_back(ga__norm norm, double r, int64_t n, const double *y, const double *dy, double *dx);

#endif
