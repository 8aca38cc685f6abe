/* check_edges.h - problems of message passing in double precision, and what they come to by the formulas. */
#ifndef TESTS_CHECK_EDGES_H
#define TESTS_CHECK_EDGES_H

#include <math.h>

#include <graphattn/engine.h>

#include "tests/unit/support.h"

enum { NET_TENSORS = 13 };
typedef enum net_name {
    NET_Q,
    NET_K,
    NET_V,
    NET_L,
    NET_R,
    NET_ATT,
    NET_ATT_SOURCE,
    NET_ATT_TARGET,
    NET_BIAS,
    NET_MASK,
    NET_WEIGHT,
    NET_TARGET_SCALE,
    NET_SOURCE_SCALE
} net_name;

typedef enum net_type { NET_F32, NET_F64, NET_BF16, NET_F16 } net_type;

/* Values are exact in f32 (in bf16 and f16 where type says so). */
typedef struct net {
    ga_edges edges;
    ga_transposed transposed;
    ga_edge_score score;
    ga_normaliser normaliser;
    int64_t heads, width, width_v;
    double scale, slope, p, guard;
    bool shared;       /* v is k */
    bool no_mask;      /* without edge scale */
    bool bare;         /* neither the map nor, but for the p-Laplacian, sums are asked for */
    bool maps;         /* additive, as many targets as sources: l and r depend on v through two maps */
    bool in_place;     /* the gradient of v replaces v */
    double drop[2];    /* rates of dropout: of weights, of values */
    bool keep_all;     /* bits at rate 0, too */
    uint32_t *keep[2]; /* its bits, NULL = none */
    int bias_axes;     /* 0 = none, 1 = (count), 2 = (count, heads) */
    double *tensor[NET_TENSORS]; /* NULL = not there */
    double *grad_y, *grad_sums;
} net;

typedef struct net_result {
    double *y, *lse, *sums, *map;
} net_result;

typedef struct net_slopes {
    double *of[NET_TENSORS];
    double p;
} net_slopes;

/* A graph with a row of `hub` edges, empty rows, loops and repeated edges. */
void net_init(net *n, int64_t targets, int64_t sources, int64_t hub, uint64_t seed);
/* Fills the tensors that the formula takes. */
void net_fill(net *n, ga_edge_score score, ga_normaliser_kind kind, int64_t heads, int64_t width,
              int64_t width_v);
/* Rounds what is stored in 16 bits. */
void net_round(net *n, net_type type);
void net_drop(net *n);
int64_t net_rows(const net *n, net_name name);
int64_t net_columns(const net *n, net_name name);

/* By the formulas, one edge after the other. */
void net_plain(const net *n, net_result *result);
void net_result_drop(net_result *result);
/* By the library; features stored as type, all else and the outputs f32, or f64 throughout. given: what the backward pass
 * gets of the forward pass. */
enum { NET_NOTHING = 0, NET_Y_AND_LSE = 1, NET_LSE = 2 };
ga_status net_forward(ga_context *context, const net *n, net_type type, int64_t hub, net_result *result);
ga_status net_backward(ga_context *context, const net *n, net_type type, int64_t hub, int given,
                       net_slopes *slopes);
void net_slopes_drop(net_slopes *slopes);

/* |a - b| <= absolute + relative max(|a|, |b|), or both not numbers, or equal. */
bool net_near(double a, double b, double absolute, double relative);

/* Of check_edges_family.c. */
TCase *edges_family(void);

#endif
