/* calibrate.h - one p-Laplacian step over an attention map, forward and backward.
 *
 * P = softmax(scale Q K^T) is a graph from nodes F^v (keys) to nodes F^q (queries); A is P, averaged to `pool` columns
 * or without its diagonal. With r = sqrt(A + eps) and c = 2 mu / p:
 *
 *   V_ij = r_ij (F^v_j - F^q_i) + eps,  t = |V|,  Abar = A t^(p-2),  alpha_i = 1 / (sum_j Abar_ij + c)
 *   F+_i = alpha_i (sum_j Abar_ij F^v_j + c F^q_i)
 *
 * Work is cut into units, a slab of query rows of one head, by the sizes alone. A unit goes through its rows in
 * blocks; of the map there are never more than the rows of a block. Sums over queries are kept by unit and added in
 * order.
 */
#ifndef GA_ATTENTION_CALIBRATE_H
#define GA_ATTENTION_CALIBRATE_H

#include "lib/engine/gemm/gemm.h"
#include "lib/engine/isa.h"
#include "lib/engine/view.h"

typedef struct ga__calibration {
    ga__view q, k; /* (B, H, Nq, d), (B, G, Nk, d) */
    ga__view nodes_q,
        nodes_v; /* F^q (B, H, Nq, e), F^v (B, H or G, Nk, e) of any strides; self: F^q is not read */
    bool self, causal, source_term, mask_diagonal;
    bool wide;    /* compute in double precision */
    int64_t pool; /* columns that A is averaged to; 0 = none */
    double scale, p, mu, eps;
    /* Wanted where there is data. */
    ga__view out, lse;                       /* F+ (B, H, Nq, e); (1, B, H, Nq) */
    ga__view grad;                           /* of F+ */
    ga__view d_q, d_k, d_nodes_q, d_nodes_v; /* like q, k, nodes_q, nodes_v */
    bool want_dp;
    double d_p, d_c; /* backward: sums over everything, d_p without what comes through c */
} ga__calibration;

/* Fills out and lse. A row that sees no key gives zeros. */
ga_status ga__calibrate(ga_context *context, ga__calibration *calibration);
/* Fills the gradients that are wanted. */
ga_status ga__calibrate_back(ga_context *context, ga__calibration *calibration);

/* ---- between calibrate.c and the kernels ---- */

enum { GA__LANES = 32 }; /* nodes side by side in a packed panel; rows of work arrays are multiples of it */

/* Arrays of a worker; counts in elements of the precision that is computed in. A block has `rows` rows. */
typedef enum ga__work {
    GA__WORK_KEYS,   /* (Nk, d) */
    GA__WORK_NODES,  /* (nodes, pitch): F^v, pooled */
    GA__WORK_PANELS, /* F^v turned: GA__LANES nodes a panel, (panels, e, GA__LANES) */
    GA__WORK_Q,      /* (rows, d) */
    GA__WORK_FQ,     /* (rows, pitch) */
    GA__WORK_MAP,    /* (rows, ld): P */
    GA__WORK_A,      /* these (rows, ld) */
    GA__WORK_ROOT,
    GA__WORK_SQUARE, /* t^2 */
    GA__WORK_WEIGHT, /* t^(p-2) */
    GA__WORK_BAR,
    GA__WORK_OUT,   /* (rows, pitch): F+ */
    GA__WORK_ALPHA, /* (rows) */
    GA__WORK_GEMM,
    GA__WORK_ALONG, /* from here on backward only: (rows, ld) */
    GA__WORK_DOTS,  /* (rows, ld) */
    GA__WORK_D_MAP, /* (rows, ld) where there are pooled columns */
    GA__WORK_G,     /* (rows, pitch) */
    GA__WORK_D_FQ,  /* (rows, pitch) */
    GA__WORK_D_Q,   /* (rows, d) */
    GA__WORKS
} ga__work;

typedef struct ga__cut {
    bool pooled;
    int64_t nodes;        /* columns of A: pool or Nk */
    int64_t width, pitch; /* e; that of a row of nodes */
    int64_t ld;           /* of a row of P or A */
    int64_t rows;         /* of a block, a multiple of 4 */
    int64_t slabs, slab;  /* units a head; rows a unit */
    int64_t units;        /* B H slabs */
    int64_t at[GA__WORKS], workspace;
    int64_t partial_k, partial_v; /* of a unit: (Nk, d) and (nodes, pitch) */
} ga__cut;

typedef struct ga__calibrate_kernels {
    /* Rows of one unit. */
    void (*forward)(const ga__calibration *c, const ga__cut *cut, const ga__gemm_kernels *gemm, int64_t unit,
                    void *workspace);
    /* sums[0 .. 1]: of d_p and d_c. partial_k and partial_v are overwritten. */
    void (*backward)(const ga__calibration *c, const ga__cut *cut, const ga__gemm_kernels *gemm, int64_t unit,
                     void *workspace, void *partial_k, void *partial_v, double *sums);
    /* Row j of head `head` of d_k, or of d_nodes_v when nodes: the partial sums of its units in order. */
    void (*gather)(const ga__calibration *c, const ga__cut *cut, bool nodes, const void *partials, int64_t b,
                   int64_t head, int64_t j, void *room);
} ga__calibrate_kernels; /* one for each precision: [0] f32, [1] f64 */

extern const ga__calibrate_kernels ga__calibrate_scalar[2], ga__calibrate_avx2[2], ga__calibrate_avx512[2];

/* Keys of pooled column t: [*first, *end). */
static inline void ga__pool_window(int64_t t, int64_t pool, int64_t keys, int64_t *first, int64_t *end)
{
    *first = t * keys / pool;
    *end = ((t + 1) * keys + pool - 1) / pool;
}

#endif
