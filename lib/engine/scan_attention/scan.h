/* scan.h - linear recurrences: what the checks hand to the bodies.
 *
 * Per key/value head a state S (d x e) is carried along the tokens. A body works off items that share
 * nothing: (batch, head, columns of the state), since the columns of S never meet.
 */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_H

#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef enum ga__scan_decay {
    GA__DECAY_NONE = 0,
    GA__DECAY_HEAD,  /* view (1, 1, 1, G) */
    GA__DECAY_TOKEN, /* view (B, G, keys, 1) */
    GA__DECAY_VECTOR /* view (B, G, keys, d) */
} ga__scan_decay;

/* Below this log decay the factor is 0: a reset. */
#define GA__SCAN_RESET (-100.0)
/* Tokens a chunk at most. */
#define GA__SCAN_CHUNK 256
/* Items are multiples of so many columns. */
#define GA__SCAN_COLUMNS 32

typedef struct ga__scan_plan {
    ga__view q, k, v, decay, beta, bonus, initial;
    ga__view o, state; /* without data: not wanted */
    int64_t batch, heads, groups, queries, keys, d, e;
    int64_t ratio; /* query heads of a key/value head */
    int64_t width; /* columns of the state: e, + 1 when normalised */
    ga__scan_decay decay_kind;
    bool delta, causal, normalise;
    double eps, scale;

    int64_t chunk;   /* tokens a chunk */
    int64_t columns; /* columns an item, a multiple of GA__SCAN_COLUMNS */

    /* backward pass; views without data: not wanted */
    ga__view grad_o, grad_state;
    ga__view grad_q, grad_k, grad_v, grad_decay, grad_beta, grad_bonus, grad_initial;
    int64_t tiles;      /* of columns; when there are several, grad_q, k, decay and beta hold one part each */
    double *part_decay; /* (tiles, B, G): per-head decay, before the sum over the batch */
    double *part_bonus; /* (tiles, B, G, d) */
    int64_t segment;    /* tokens between kept states */
} ga__scan_plan;

/* Bytes of one worker's space, a multiple of 64; false when they do not fit. */
typedef bool (*ga__scan_space)(const ga__scan_plan *plan, int64_t *bytes);
/* Works off one item; stops early when ga__stopped says so. */
typedef void (*ga__scan_item)(const ga__scan_plan *plan, int64_t item, void *space, ga_context *context,
                              int *shared);

struct ga__scan_op {
    ga__scan_space forward_space, backward_space;
    ga__scan_item forward, backward;
};

/* Double precision, the plain recurrence; items are (batch, head) here: columns must cover e. */
extern const struct ga__scan_op ga__scan_reference;
extern const struct ga__scan_op ga__scan_scalar;
#ifdef HAVE_AVX2
extern const struct ga__scan_op ga__scan_avx2;
#endif
#ifdef HAVE_AVX512
extern const struct ga__scan_op ga__scan_avx512;
#endif

/* Reads and checks everything; sets *wide when an input is f64. */
ga_status ga__scan_check(ga_context *context, const ga_scan *problem, ga__scan_plan *plan, bool *wide);
/* A checked problem with its outputs on the context's device. */
ga_status ga__scan_forward_on_device(ga_context *context, const ga__scan_plan *plan, bool wide);
/* The outputs of the forward and of the backward pass. */
ga_status ga__scan_check_outputs(ga_context *context, ga__scan_plan *plan, const DLTensor *o,
                                 const DLTensor *state);
ga_status ga__scan_check_gradients(ga_context *context, ga__scan_plan *plan,
                                   const ga_scan_gradients *gradients, bool *wide);
/* GA_INVALID with the place of the first log decay above 0. Bodies that meet one note GA_INVALID without a
 * message. */
ga_status ga__scan_refuse_growth(ga_context *context, const ga__scan_plan *plan);

/* The first query that a key's token is read by: token t is read by query t - offset where that is not
 * negative. */
static inline int64_t ga__scan_offset(const ga__scan_plan *plan)
{
    return plan->keys - plan->queries;
}

/* Advances *at by the bytes of count elements, rounded up to 64; false when that does not fit. */
static inline bool ga__scan_carve(int64_t *at, int64_t rows, int64_t columns, int64_t size)
{
    int64_t bytes;
    return ga__mul(rows, columns, &bytes) && ga__mul(bytes, size, &bytes) && ga__add(bytes, 63, &bytes) &&
           ga__add(*at, bytes & ~(int64_t)63, at);
}

#endif
