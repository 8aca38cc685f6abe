/* rows.h - attention row by row in double precision: what the files of the family share. */
#ifndef GA_LIB_ENGINE_ATTENTION_ROWS_H
#define GA_LIB_ENGINE_ATTENTION_ROWS_H

#include "lib/engine/attention/attention.h"

/* Inner loops, one table per instruction set. */
typedef struct ga__rows_kernels {
    double (*dot_f64)(const double *a, const double *b, int64_t n);
    double (*dot_f32)(const double *a, const float *b, int64_t n);
    void (*add_f64)(double factor, const double *x, double *y, int64_t n); /* y += factor x */
    void (*add_f32)(double factor, const float *x, double *y, int64_t n);
} ga__rows_kernels;
extern const ga__rows_kernels ga__rows_kernels_scalar, ga__rows_kernels_avx2, ga__rows_kernels_avx512;

/* The row that a thread works on. Arrays over the places that the query sees have `count` entries,
 * ascending. */
typedef struct ga__row {
    int64_t batch, head, kv_head, query;
    int64_t count, n; /* places; n of the formulas: real and extra keys */
    ga__run *runs;
    int64_t *place, *key;            /* key: scratch of post steps */
    double *score, *slope;           /* s, and ds / d(scale <q, k>) */
    double *bare;                    /* ds / d(factor of the key), where there are such */
    double *weight;                  /* w */
    double *share, *rest;            /* P and y of softplus-reweight */
    double *grad;                    /* dL/dw, then dL/ds */
    double *q, *out;                 /* dim; dim_v */
    double *wide;                    /* a row of k or v, converted */
    int64_t *heap;                   /* top_k */
    double total, most, power_total; /* of the normaliser: sum of a; max y; sum of (y / max y)^power */
    double lse;
    double factor, eta;    /* c_i; 1 / eta_i */
    double mean, grad_eta; /* of backward: sum w D; gradient of the logit */
    double *block;         /* owns the doubles */
} ga__row;

typedef struct ga__rows {
    ga_context *context;
    const ga__attention *a;
    const ga__rows_kernels *kernels;
    int64_t longest; /* count of any row at most */
    int threads;
    ga__row *row; /* one per thread */
    int64_t next;
    int status;
} ga__rows;

/* Room for so many threads as are worth starting for items; top_k is the size of the heaps. ga__rows_close
 * is due in every case. */
ga_status ga__rows_open(ga_context *context, const ga__attention *a, int64_t items, int64_t top_k,
                        ga__rows *rows);
void ga__rows_close(ga__rows *rows);

/* Key of a place, below 0 for ghosts and extra keys. */
static inline int64_t ga__rows_key(const ga__attention *a, int64_t place)
{
    return a->pattern->real ? a->pattern->real[place] : place;
}
/* Splits of the queries of one slice that have sums of their own: depends on the problem alone. */
int64_t ga__rows_splits(int64_t slices, int64_t queries);

/* Places, scores and weights of a row. */
void ga__row_weights(const ga__rows *rows, ga__row *row, int64_t batch, int64_t head, int64_t query);
/* grad from dL/dw to dL/ds; sets mean and grad_eta. */
void ga__row_backward(const ga__rows *rows, ga__row *row);
/* <x, row of the view>, and y += factor * row of the view. */
double ga__row_dot(const ga__rows *rows, const ga__row *row, const ga__view *view, int64_t place,
                   const double *x);
void ga__row_add(const ga__rows *rows, const ga__row *row, const ga__view *view, int64_t place, double factor,
                 double *y);
/* Entry of an explicit pattern in the caller's order: number t of the row. */
int64_t ga__row_edge(const ga__attention *a, const ga__row *row, int64_t t);

/* columns: sums of the weights of a key, added to; NULL when not asked for. */
void ga__rows_statistics_row(const ga__rows *rows, ga__row *row, const ga__statistics *s, double *columns);

/* The post steps that work on one row. */
void ga__rows_post_row(const ga__rows *rows, ga__row *row, const ga_post *post);
/* The post step that wants whole maps: computes o and map; statistics are done by then. */
ga_status ga__rows_post_full(ga_context *context, const ga__attention *a, const ga_attention_result *result);

/* o += sum of w v over the real keys, or over the others, or both. */
typedef enum ga__which { GA__EVERY_PLACE, GA__REAL_PLACES, GA__OTHER_PLACES } ga__which;
void ga__rows_output(const ga__rows *rows, ga__row *row, ga__which which, double *out);
/* Multiplies by head_scale and stores. */
void ga__rows_store(const ga__attention *a, const ga__view *o, int64_t batch, int64_t head, int64_t query,
                    double *out);

ga_status ga__rows_backward(ga_context *context, const ga__attention *a,
                            const ga_attention_gradients *gradients);

#endif
