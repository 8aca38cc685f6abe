/* decode.h - how a variant is fed one token at a time; for its file and decode.c. */
#ifndef GA_ATTENTION_DECODE_H
#define GA_ATTENTION_DECODE_H

#include "attention/plan.h"

typedef enum ga__decode_kind {
    GA__DECODE_STATE,  /* the state goes from call to call, with the tokens since it was taken */
    GA__DECODE_KEYS,   /* a query with all keys so far */
    GA__DECODE_PREFIX, /* all tokens so far; the last row counts */
} ga__decode_kind;

enum { GA__DECODE_SET = 2 };

/* What ga__variant_ops.decode fills in, for a call whose tensors were taken. Without that function a variant that carries
 * a state is decoded by it, token by token, and another one by keys. */
struct ga__decode {
    ga__decode_kind kind;
    int64_t unit;                      /* STATE: it is taken after so many tokens */
    ga_named_text set[GA__DECODE_SET]; /* parameters instead of the caller's */
    char text[GA__DECODE_SET][32];     /* their values */
    int set_count;
    const char *tensor;  /* static: a tensor of the caller that is replaced; NULL = none */
    DLTensor *made;      /* owned: its replacement */
    bool tokens_of_keys; /* an axis "tokens" in the table runs along the keys, not the queries */
};

/* Sets a parameter of every call. */
void ga__decode_set(ga__decode *how, const char *name, double value);

#endif
