/* adapter.h - the dense maps around a calibrated attention map, forward and backward.
 *
 * Tokens are rows of matrices (batch tokens, width), their heads side by side. Nodes: F = (concat heads) w_out w_down,
 * split into heads of R/H. Behind the calibration, with h = concat(P V) w_out: o = h + (gelu(h w_gate) F+) w_up. Every
 * map adds its bias, where there is one. What the backward pass needs again is kept in slots of the run.
 */
#ifndef GA_ATTENTION_ADAPTER_H
#define GA_ATTENTION_ADAPTER_H

#include "attention/plan.h"

typedef enum ga__dense { GA__W_OUT, GA__W_DOWN, GA__W_GATE, GA__W_UP, GA__DENSE } ga__dense;

typedef struct ga__adapter {
    bool nodes, up;                         /* w_out and w_down are there; w_gate and w_up too */
    int weight[GA__DENSE], bias[GA__DENSE]; /* slots; -1 = none */
    int64_t model, reduced;                 /* M, R */
    int hidden[2], node[2]; /* slots of (tokens, M) and (tokens, R), of [0] values, [1] queries; -1 = none */
    int values, h, plus, gate; /* slots of P V, h, F+ and h w_gate + b_gate; -1 = none */
} ga__adapter;

/* Finds the tensors, checks what goes together and the shapes. */
ga_status ga__adapter_plan(ga__job *run, ga__adapter *adapter);

/* A matrix (batch tokens, heads width) seen as (batch, heads, tokens, width). */
ga__view ga__adapter_heads(const ga__job *run, const DLTensor *matrix, int64_t tokens, int64_t width);
/* A new slot with a matrix of the working type. */
ga_status ga__adapter_matrix(ga__job *run, const char *name, int64_t rows, int64_t columns, int *slot);

/* Makes the nodes of x: which = 0 values, 1 queries. */
ga_status ga__adapter_nodes(ga__job *run, ga__adapter *adapter, int which, const DLTensor *x);
/* From the gradient of the nodes to those of the maps, which are added to, and of x, likewise (slot). */
ga_status ga__adapter_nodes_back(ga__job *run, const ga__adapter *adapter, int which, const DLTensor *x,
                                 const DLTensor *d_nodes, int slot);

/* o from P V and F+, which stand in their slots. Rows that see no key give zeros. */
ga_status ga__adapter_up(ga__job *run, ga__adapter *adapter, DLTensor *o);
/* From the gradient of o, which is changed, to those of F+ (tokens, R), of P V (B, H, Nq, e), and of the maps. */
ga_status ga__adapter_up_back(ga__job *run, const ga__adapter *adapter, DLTensor *grad, DLTensor *d_plus,
                              DLTensor *d_values);

#endif
