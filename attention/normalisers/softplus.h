/* softplus.h - the variant softplus, on which softplus-reweight builds. */
#ifndef GA_ATTENTION_SOFTPLUS_H
#define GA_ATTENTION_SOFTPLUS_H

#include "attention/plan.h"

#define GA__NORMALISE_QK \
    { \
        "normalise_qk", GA_PARAMETER_BOOL, "1", NULL, \
            "l2-normalise q and k; scale then defaults to 1, else 1/sqrt(d)", GA__ANY \
    }
#define GA__LENGTH_SCALE \
    { \
        "length_scale", GA_PARAMETER_BOOL, "1", NULL, "factor ln d ln n_i", GA__ANY \
    }

/* Cosine scores, or scaled dot products without normalise_qk. */
ga_status ga__softplus_plan(ga__job *run);

#endif
