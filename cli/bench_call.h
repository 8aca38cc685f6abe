/* bench_call.h - a call of a variant that carries a state, on numbers that suit it. */
#ifndef GA_CLI_BENCH_CALL_H
#define GA_CLI_BENCH_CALL_H

#include "cli/bench.h"

enum { BENCH_TENSORS = 3 };

/* A causal call on one batch; what it points to is inside it. */
typedef struct bench_call {
    const char *variant;
    ga_attend_call call;
    ga_named_tensor tensors[BENCH_TENSORS + 1]; /* room for an initial state */
    ga_named_text texts[2];                     /* room for a start */
    DLTensor *own[3];                           /* q, k, v */
} bench_call;

/* True for the variants of the linear family that carry a state. */
bool bench_carries_state(const ga_variant *variant);
/* Tensors of (1, heads, tokens, --dim); bench_call_close frees them, also after a failure. */
ga_status bench_call_open(bench *b, const char *variant, int64_t heads, int64_t tokens, bench_call *c);
void bench_call_close(bench *b, bench_call *c);
/* The output and, where state is not NULL, the state, which is returned owned. */
ga_status bench_call_run(bench *b, const bench_call *c, DLTensor **state);

#endif
