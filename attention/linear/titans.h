/* titans.h - a memory that learns while it reads (attention-linear card 13): what its files share.
 *
 * A memory is a small net with weights M and momenta S of the same size. Linear: M is (d, e), M(x) = x M. mlp: W1 (f, d),
 * then W2 (e, f), M(x) = W2 silu(W1 x). All numbers are double precision, row-major. */
#ifndef GA_ATTENTION_TITANS_H
#define GA_ATTENTION_TITANS_H

#include "attention/linear/rows.h"
#include "lib/engine/scan_attention/memory.h"

typedef struct ga__memory {
    const ga__memory_kernels *kernels; /* of the context's instruction set */
    int64_t d, e, f;                   /* f = 0: linear */
    int64_t size;                      /* numbers of M */
    int64_t chunk;                     /* tokens with one frozen gradient */
    double *m, *s;                     /* borrowed: weights, momenta */
    double *frozen; /* borrowed: weights at the start of the chunk; m itself in chunks of one token */
    double *room;   /* borrowed: ga__memory_room() numbers */
} ga__memory;

/* Sets all but the kernels. False when it does not fit. */
bool ga__memory_size(ga__memory *memory, int64_t d, int64_t e, int64_t f, int64_t chunk);
int64_t ga__memory_room(const ga__memory *memory);
/* y (e) = M(x), x (d). */
void ga__memory_read(const ga__memory *memory, const double *x, double *y);
/* Token `place` of its run: S <- eta S - theta grad |M_frozen(k) - v|^2, M <- (1 - alpha) M + S. */
void ga__memory_learn(ga__memory *memory, int64_t place, const double *k, const double *v, double theta,
                      double eta, double alpha);

enum { GA__TITANS_MEMORY, GA__TITANS_MAC, GA__TITANS_MAG, GA__TITANS_MAL };
enum { GA__MIX_SIGMOID, GA__MIX_PRODUCT, GA__MIX_NORM };
/* Projections of a head, (e, d) or (e, e). */
enum { GA__WRITE_Q, GA__WRITE_K, GA__WRITE_V, GA__MEMORY_K, GA__MEMORY_V, GA__PROJECTIONS };

/* One call. Views without data: not given, or not wanted. */
typedef struct ga__titans {
    const ga__job *run;
    int mode, mix;
    int64_t length, d, e, f, group;
    int64_t chunk, window, segment, persistent; /* persistent: leading keys */
    ga__view q, k, v, theta, eta, alpha, w1, w2, initial, prefix_k, prefix_v, projection[GA__PROJECTIONS];
    ga__view o, state;
    ga__view up, dq, dk, dv, d_theta, d_eta, d_alpha;
    ga__memory memory; /* sizes alone */
} ga__titans;

/* The memory of head (b, h) at the start, in ga__titans_memory_numbers() numbers at room. */
ga__memory ga__titans_start(const ga__titans *t, int64_t b, int64_t h, double *room);
/* GA_OVERFLOW when a head needs too much. */
ga_status ga__titans_memory_numbers(const ga__titans *t, int64_t *count);
/* Adds a * b to *sum; false when it does not fit. */
bool ga__add_product(int64_t *sum, int64_t a, int64_t b);
/* Token i of a head, from the views. */
void ga__titans_learn(const ga__titans *t, ga__memory *memory, int64_t b, int64_t h, int64_t i, int64_t place,
                      const double *k, const double *v);

/* The modes with attention: the numbers that a head needs beside its memory, and a head carried out. */
ga_status ga__titans_mode_numbers(const ga__titans *t, int64_t *count);
void ga__titans_mode_head(const ga__titans *t, int64_t b, int64_t h, ga__memory *memory, double *room);

/* Gradients of mode memory with the linear memory. */
ga_status ga__titans_backward(ga__job *run, ga__titans *t);

#endif
