/* call.h - what calls by name have in common: parameters and tensors with their tables, edges in the order of a file.
 *
 * Attention variants and layers of graph neural networks are rows of tables. Their parameters come as text (as on the
 * command line), their tensors as DLPack, both by the names that the tables give them.
 */
#ifndef GRAPHATTN_CALL_H
#define GRAPHATTN_CALL_H

#include <graphattn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ga_parameter_type {
    GA_PARAMETER_BOOL, /* 0, 1, false, true */
    GA_PARAMETER_INT,
    GA_PARAMETER_REAL,
    GA_PARAMETER_WORD,     /* one of words */
    GA_PARAMETER_INT_LIST, /* joined by commas, inside a pattern string by x */
    GA_PARAMETER_TEXT      /* not empty */
} ga_parameter_type;

typedef struct ga_parameter {
    const char *name; /* NULL ends a list */
    ga_parameter_type type;
    const char *initial; /* default as text; NULL = none ("required" or "absent", see required) */
    const char *range;   /* for people: ">= 1", "0 = off, else > 0" */
    const char *help;    /* one line */
    const char *const *words;
    double least, most; /* of INT, REAL and lists; least > most = no limit, INFINITY = none on that side */
    bool above;         /* the value must be greater than least */
    bool required;
} ga_parameter;

typedef struct ga_tensor_slot {
    const char *name;  /* NULL ends a list */
    const char *shape; /* for people: "(H|1, Nq, Nk)" */
    const char *help;
    bool optional, differentiable;
} ga_tensor_slot;

typedef struct ga_named_text {
    const char *name, *value;
} ga_named_text;
typedef struct ga_named_tensor {
    const char *name;
    DLTensor *tensor;
} ga_named_tensor;

/* Edges in an order of their own, which tensors over edges follow: query queries[e] sees key keys[e]; a message goes
 * from the key, the source, to the query, the target. Borrowed. */
typedef struct ga_edge_rows {
    const char *name; /* of the file, for messages */
    int64_t count;
    const int64_t *keys, *queries;
    const int64_t *lines;  /* numbers of their lines, for messages; NULL = none */
    const double *weights; /* NULL = 1 each; for layers */
} ga_edge_rows;

#ifdef __cplusplus
}
#endif

#endif
