/* cost.h - what the cost models share: an output that is one number. */
#ifndef GA_ATTENTION_COST_H
#define GA_ATTENTION_COST_H

#include "attention/blocks.h"

/* A row of the report and, when it is wanted, a tensor without axes. */
ga_status ga__cost_real(ga__block_run *run, const char *name, double value);
ga_status ga__cost_integer(ga__block_run *run, const char *name, int64_t value);
/* Refuses heads that are no multiple of kv_heads. */
ga_status ga__cost_heads(ga__block_run *run);

#endif
