/* softmax.c - the normaliser softmax: w = exp(s) / sum exp(s). */
#include "config.h"

#include "attention/plan.h"

const ga__normaliser_entry ga__softmax_row = { .name = "softmax", .kind = GA_SOFTMAX };
