/* ssm.h - state-space recurrences (attention-linear card 14): what their files share. */
#ifndef GA_ATTENTION_LINEAR_SSM_H
#define GA_ATTENTION_LINEAR_SSM_H

#include "attention/linear/rows.h"

enum { GA__SSM_S6, GA__SSM_RG_LRU, GA__SSM_QLSTM, GA__SSM_REVERSED };
enum {
    GA__SSM_DELTA,
    GA__SSM_A_LOG,
    GA__SSM_SKIP,
    GA__SSM_LOG_A,
    GA__SSM_RECURRENCE,
    GA__SSM_INPUT,
    GA__SSM_FORGET,
    GA__SSM_OUTPUT,
    GA__SSM_ALPHA,
    GA__SSM_INITIAL,
    GA__SSM_TENSORS
};

/* One call. Views without data: not given, or not wanted. */
typedef struct ga__ssm {
    const ga__job *run;
    int form;
    bool softplus;
    double c;
    int64_t n, e, length;
    ga__view q, k, u, o, state, up;
    ga__view in[GA__SSM_TENSORS], grad[GA__SSM_TENSORS], dq, dk, du;
} ga__ssm;

/* Index into an axis that may be 1. */
static inline int64_t ga__ssm_shared(int64_t extent, int64_t i)
{
    return extent == 1 ? 0 : i;
}

static inline int64_t ga__ssm_head_of(const ga__ssm *s, const ga__view *view, int64_t h)
{
    return h / (s->run->heads / view->heads);
}

static inline double ga__ssm_skip_of(const ga__ssm *s, int64_t h, int64_t c)
{
    return s->in[GA__SSM_SKIP].data ? ga__view_get(&s->in[GA__SSM_SKIP], 0, 0, h, c) : 0;
}

/* Form s6 in single precision, where all channels of a head decay alike: h is the state of a linear recurrence with keys
 * delta k and log decays -delta A. Sets *done, or leaves everything as it is where that does not hold. initial: its slot,
 * or -1. */
ga_status ga__ssm_scan(ga__job *run, const ga__ssm *s, int initial, DLTensor *state, bool *done);

#endif
