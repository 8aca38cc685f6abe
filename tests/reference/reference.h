/* reference.h - every variant once more, from its formula, in double precision and the plainest C.
 *
 * A fixture knows how to set up a small problem for a variant (parameters, tensors, graph) and what the result is by
 * definition: which keys are visible, what is added to a score, how scores become weights. The tests walk the registry
 * and look for the fixture of every row.
 */
#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H

#include <graphattn/attention.h>

enum { REFERENCE_TENSORS = 16, REFERENCE_PARAMETERS = 8, REFERENCE_AXES = 4 };

/* A dense array of doubles, in C order. */
typedef struct array {
    int ndim;
    int64_t shape[REFERENCE_AXES];
    double *data;
} array;

typedef struct reference_tensor {
    const char *name;
    array values;
    DLDataType
        dtype; /* what the variant is given: f32 or f64 of the run, or this one when its bits are not 0 */
} reference_tensor;

typedef struct fixture fixture;

typedef struct problem {
    const fixture *fixture;
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
    bool causal;
    bool forward_only;                  /* this form has no gradients */
    bool rows_together, heads_together; /* rows, or heads, choose their keys together */
    double scale;                       /* NAN: the variant's default */
    array q, k, v, grad_o;
    ga_named_text parameters[REFERENCE_PARAMETERS];
    int parameter_count;
    char text[REFERENCE_PARAMETERS][32]; /* values that are made up */
    reference_tensor tensors[REFERENCE_TENSORS];
    int tensor_count;
    int64_t edges; /* of the graph; -1 = none */
    uint32_t *edge_source, *edge_target;
} problem;

struct fixture {
    const char *name;
    /* Adds parameters and tensors to a problem whose sizes and q, k, v are set. seed varies them. */
    void (*make)(problem *p, uint64_t seed);
    /* The same with a window, a block map, a graph so wide that everything is visible; NULL = there is no such thing. */
    void (*make_dense)(problem *p);
    bool (*visible)(const problem *p, int64_t head, int64_t query,
                    int64_t key); /* without --causal; NULL = all */
    /* Marks the keys that the queries of a head see, (queries, keys), zero before; without --causal. NULL = visible. */
    void (*mask)(const problem *p, int64_t batch, int64_t head, bool *seen);
    double (*bias)(const problem *p, int64_t head, int64_t query, int64_t key); /* NULL = 0 */
    /* What is added where it depends on the batch; NULL = 0. */
    double (*term)(const problem *p, int64_t batch, int64_t head, int64_t query, int64_t key);
    /* Scores of the n visible keys of a row to weights; keys_total = Nk. NULL = softmax. */
    void (*weights)(const problem *p, int64_t n, double *scores);
    /* A whole result, for what is no weighted sum by these steps; NULL = by the steps. */
    void (*run)(const problem *p, array *o);
    bool by_position;   /* queries before the first key see nothing, causal or not */
    bool any_queries;   /* queries and keys may differ in number */
    bool permutes;      /* renaming the tokens renames the result */
    bool token_graph;   /* takes the graph of the problem */
    bool query_tensors; /* some of its tensors have a row for every query or token */
    bool map_alone;     /* o is not its map times v */
    bool one_head;      /* takes one head alone */
    bool causal_only;   /* refused without --causal */
};

/* Ended by a row without name. */
extern const fixture fixtures[], linear_fixtures[], static_fixtures[], titans_fixtures[],
    laplacian_fixtures[], vision_fixtures[], maps_fixtures[], select_fixtures[], session_fixtures[],
    probe_fixtures[], landmark_fixtures[];
const fixture *find_fixture(const char *name);

/* Numbers in (-1, 1), the same for the same seed. */
double reference_draw(uint64_t *state);
array array_make(int ndim, const int64_t *shape);
array array_random(int ndim, const int64_t *shape, uint64_t *state);
void array_free(array *a);
int64_t array_count(const array *a);
/* Element (b, h, i, c) of four axes. */
double *array_at(const array *a, int64_t b, int64_t h, int64_t i, int64_t c);

/* Sizes set, q, k, v and grad_o random, the fixture's make called. */
void problem_make(problem *p, const fixture *f, int64_t batch, int64_t heads, int64_t kv_heads,
                  int64_t queries, int64_t keys, int64_t dim, int64_t dim_v, bool causal, uint64_t seed);
void problem_free(problem *p);
void problem_set(problem *p, const char *name, const char *value);
void problem_set_number(problem *p, const char *name, double value);
const char *problem_text(const problem *p, const char *name, const char *otherwise);
double problem_number(const problem *p, const char *name, double otherwise);
/* Returns the new tensor's values, zero. */
array *problem_tensor(problem *p, const char *name, int ndim, const int64_t *shape);
const array *problem_find(const problem *p, const char *name);
/* A parameter as a whole number, 0 when it is not set; whether it is set to that word. */
int64_t problem_integer(const problem *p, const char *name);
bool problem_is(const problem *p, const char *name, const char *value);
/* Place of a query on the line of the keys. */
int64_t problem_position(const problem *p, int64_t query);
/* The scaled dot product of a query and a key. */
double problem_score(const problem *p, int64_t b, int64_t h, int64_t i, int64_t j);
/* Marks the k largest of n that are not marked; ties: the lower index. */
void reference_best(int64_t n, const double *x, int64_t k, bool *marked);
/* Zeros, to be freed. */
double *reference_numbers(int64_t n);
bool *reference_marks(int64_t n);

/* o (B, H, Nq, e); lse and map (B, H, Nq[, Nk]) may be NULL. By the definition, in O(N^2). */
void reference_attend(const problem *p, array *o, array *lse, array *map);

#endif
