/* layer.h - one run of a layer: its inputs by name, the graph that messages take, gradients; for the files of gnn/.
 *
 * A layer is a file that defines one ga_layer with its ga__layer_ops, and its row in layers.c. Matrices are tensors of
 * the run's working type (f32 or f64); everything that a layer makes on the way belongs to the run.
 */
#ifndef GA_GNN_LAYER_H
#define GA_GNN_LAYER_H

#include <graphattn/engine.h>
#include <graphattn/gnn.h>

#include "gnn/messages.h"
#include "lib/base/base.h"
#include "lib/tensor/parameters.h"

/* An input by name. */
typedef struct ga__input_slot {
    const char *name;
    bool differentiable, wanted; /* wanted: its gradient */
    const DLTensor *given;
    const DLTensor *tensor; /* in the working type: given, or made */
    DLTensor *made;         /* owned */
    DLTensor *grad;         /* owned by a call by name, else borrowed; NULL = not wanted */
} ga__input_slot;

/* Sparse features: their rows as edges from columns to rows, what the transpose needs, and their entries. Borrowed. */
typedef struct ga__sparse_input {
    ga_edges edges;           /* targets = rows, sources = columns */
    ga_transposed transposed; /* of edges */
    const DLTensor *values;   /* (entries) f32; NULL = 1 each */
} ga__sparse_input;

/* Of what stands in front of a layer: dense = f(what went into it). The slope follows from f's value: relu' is 1 above 0,
 * elu' is 1 above 0 and value + 1 below. */
typedef enum ga__activation { GA__ACTIVATION_NONE, GA__ACTIVATION_RELU, GA__ACTIVATION_ELU } ga__activation;

/* What a layer works on: dropout(x), where x is dense or sparse. */
typedef struct ga__layer_input {
    const DLTensor *dense; /* (nodes, F); NULL when sparse */
    const ga__sparse_input *sparse;
    ga_keep keep;              /* of the elements of dense, or of the stored entries of sparse */
    ga__activation activation; /* that gave dense: the gradient is that of what went into it */
} ga__layer_input;

/* Dropout inside a layer while training; rate 0 = none. Bits come from ga_keep_draw(seed, stream of the site). */
typedef struct ga__layer_noise {
    uint64_t seed;
    int64_t epoch, layer; /* epoch counts steps of the optimiser */
    double weight_rate;   /* attention weights: gat, gatv2, transformer */
    double value_rate;    /* summed values: gat */
    double step_rate;     /* entries of the propagation, anew in every step: appnp */
} ga__layer_noise;
/* Streams: (epoch * 2^16 + layer * 2^6 + site) with sites of which GA__SITE_STEP + t is step t of a propagation. */
typedef enum ga__site { GA__SITE_INPUT, GA__SITE_WEIGHTS, GA__SITE_VALUES, GA__SITE_STEP } ga__site;
uint64_t ga__noise_stream(int64_t epoch, int64_t layer, int site);
enum { GA__NOISE_SITES = 1 << 6 };

/* A matrix of a run that the next run uses again. */
typedef struct ga__temp_place {
    DLTensor tensor;
    int64_t shape[2];
    int64_t bytes; /* that its data have room for */
} ga__temp_place;

/* A layer with its inputs. A call by name opens, runs and closes it; a model opens it once and runs it in every epoch,
 * on graphs and features that may change from run to run (batches). */
typedef struct ga__layer_run {
    ga_context *context;
    const ga_layer *layer;
    ga__part part; /* parameters */
    DLDataType working;
    ga__input_slot *slots;
    int64_t slot_count, slot_room;
    /* of this run */
    const ga__messages *graph;    /* borrowed; NULL for layers without a graph */
    const ga__layer_input *input; /* borrowed until the backward pass is over */
    const ga__layer_noise *noise; /* NULL = not training */
    int64_t nodes, width;         /* of the input */
    const DLTensor *x; /* the input as a plain matrix, dropout applied; NULL where the layer takes its input
                                     * through ga__linear alone (ops->linear_input) */
    bool want_map;
    bool forward_only;      /* set before a forward pass: no backward pass follows, nothing is kept for it */
    DLTensor *y, *map;      /* owned; map by edges (count, heads) */
    int64_t y_bytes;        /* that the data of y have room for */
    DLTensor *grad_y;       /* NULL = forward only; the backward pass may overwrite it */
    DLTensor *grad_x;       /* NULL = not wanted; may be input->dense itself where ops->linear_input */
    ga__temp_place **temps; /* owned; the same ones are used again by the next run */
    int64_t temp_count, temp_room, temp_next;
    void
        *state; /* of the layer, zeroed before every forward pass: what its backward keeps from its forward */
} ga__layer_run;

typedef struct ga__layer_ops {
    size_t state;      /* bytes */
    bool edge_weights; /* knows weights of edges */
    bool linear_input; /* asks for its input through ga__linear and ga__linear_backward alone */
    /* Makes run->y, and run->map where want_map. */
    ga_status (*forward)(ga__layer_run *run);
    /* Fills the gradients that ga__grad gives, and grad_x; after forward. */
    ga_status (*backward)(ga__layer_run *run);
} ga__layer_ops;

/* ---- running a layer (run.c) ---- */

/* parameters are read; nothing is bound. f64: the working type. Closed by ga__layer_close whatever it returns. */
ga_status ga__layer_open(ga_context *context, const ga_layer *layer, const ga_named_text *parameters,
                         int64_t count, bool f64, ga__layer_run *run);
/* Binds a tensor and the place of its gradient (NULL = not wanted), both borrowed; a tensor of another type than the
 * working one is converted. GA_INVALID for a name that the layer does not know. name must stay. */
ga_status ga__layer_bind(ga__layer_run *run, const char *name, const DLTensor *tensor, DLTensor *grad);
/* run->y, which stays until the next forward pass. input, graph and noise must stay until the backward pass is over. */
ga_status ga__layer_forward(ga__layer_run *run, const ga__layer_input *input, const ga__messages *graph,
                            const ga__layer_noise *noise);
/* Fills the bound gradients and, unless NULL, grad_x with the gradient of what went into the input's activation
 * (dropout and activation included). grad_y (as y) may be overwritten. */
ga_status ga__layer_backward(ga__layer_run *run, DLTensor *grad_y, DLTensor *grad_x);
void ga__layer_close(ga__layer_run *run);
/* The row of the table of tensors that this name belongs to, the slot that is bound to it; NULL for none. */
const ga_tensor_slot *ga__layer_row(const ga_layer *layer, const char *name);
ga__input_slot *ga__layer_slot(const ga__layer_run *run, const char *name);
/* *tensor: given, or a copy in *made (freed before, owned) in the working type with contiguous rows. */
ga_status ga__layer_convert(ga__layer_run *run, const char *name, const DLTensor *given, DLTensor **made,
                            const DLTensor **tensor);

/* ---- parameters ---- */

/* Rows of the parameter tables. */
#define GA__SELF_LOOPS(initial_value) \
    { \
        .name = "self_loops", .type = GA_PARAMETER_WORD, .initial = (initial_value), \
        .words = ga__loop_words, GA__ANY, \
        .help = "edges from a node to itself: as they are, inserted where a node has none, removed" \
    }
#define GA__DUPLICATES \
    { \
        .name = "duplicates", .type = GA_PARAMETER_WORD, .initial = "drop", .words = ga__duplicate_words, \
        GA__ANY, \
        .help = "edges that stand more than once: the first, all, or one with the sum of their weights" \
    }
#define GA__HEADS \
    { \
        .name = "heads", .type = GA_PARAMETER_INT, .initial = "1", .range = ">= 1", GA__WITHIN(1, 1 << 20), \
        .help = "attention heads" \
    }
#define GA__CONCAT \
    { \
        .name = "concat", .type = GA_PARAMETER_BOOL, .initial = "true", GA__ANY, \
        .help = "heads one behind the other; false: their mean" \
    }
/* Zero is not refused: LeakyReLU is then ReLU. The largest number below 1 is the bound that excludes 1. */
#define GA__NEGATIVE_SLOPE \
    { \
        .name = "negative_slope", .type = GA_PARAMETER_REAL, .initial = "0.2", .range = "from 0, below 1", \
        GA__WITHIN(0, 0x1.fffffffffffffp-1), .help = "slope of LeakyReLU below 0" \
    }
#define GA__ALPHA_SIDE \
    { \
        .name = "alpha_side", .type = GA_PARAMETER_WORD, .initial = "destination", .words = ga__side_words, \
        GA__ANY, .help = "whose alpha scales an edge; source: as in the authors' code" \
    }
#define GA__GUARD \
    { \
        .name = "guard", .type = GA_PARAMETER_WORD, .initial = "zero", .words = ga__guard_words, GA__ANY, \
        .help = "edges of equal ends: by rule, or eps added to every length" \
    }
#define GA__POSITIVE(name_, initial_value, what) \
    { \
        .name = (name_), .type = GA_PARAMETER_REAL, .initial = (initial_value), .range = "> 0", \
        GA__ABOVE(0), .help = what \
    }
extern const char *const ga__loop_words[], *const ga__duplicate_words[], *const ga__side_words[],
                                                                             *const ga__guard_words[];

static inline int64_t ga__integer(const ga__layer_run *run, const char *name)
{
    return ga__part_value(&run->part, name)->integer;
}
static inline double ga__real(const ga__layer_run *run, const char *name)
{
    return ga__part_value(&run->part, name)->real;
}

/* ---- tensors (tensors.c) ---- */

/* NULL when it was not given. */
const DLTensor *ga__tensor(const ga__layer_run *run, const char *name);
/* Where its gradient goes; NULL when it is not wanted. */
DLTensor *ga__grad(const ga__layer_run *run, const char *name);
/* GA_INVALID "NAME: shape (..), expected (..)" unless its axes are these; -1 accepts any, missing leading axes are 1.
 * An input that was not given fits. */
ga_status ga__fits(ga__layer_run *run, const char *name, int count, const int64_t *axes);
/* Columns of its last axis. */
int64_t ga__columns(const DLTensor *tensor);
/* A matrix of the working type, uninitialised; the run keeps it. */
ga_status ga__temp(ga__layer_run *run, int64_t rows, int64_t columns, DLTensor **out);
/* The same of another type. */
ga_status ga__temp_of(ga__layer_run *run, DLDataType type, int64_t rows, int64_t columns, DLTensor **out);
/* The same with one axis. */
ga_status ga__temp_numbers(ga__layer_run *run, DLDataType type, int64_t count, DLTensor **out);
/* Rows first .. first + rows - 1 of a contiguous matrix; the data stay where they are. */
DLTensor ga__part_of_rows(const DLTensor *matrix, int64_t first, int64_t rows, int64_t shape[2]);
/* run->y, (nodes, columns). */
ga_status ga__make_y(ga__layer_run *run, int64_t columns);
/* run->map, (edges, heads), where it is wanted. */
ga_status ga__make_map(ga__layer_run *run, int64_t heads);
/* GA_INVALID unless grad_y has the shape of y. */
ga_status ga__check_grad_y(ga__layer_run *run);

/* ---- rows of matrices (rows.c) ---- */

enum { GA__ROW_TENSORS = 6 };

/* For every row: fn gets the rows of in[] and leaves those of out[], all in double precision; what it adds to sums
 * (sum_count numbers) is added up over the rows in an order that does not depend on threads. An out[] may be an in[]. */
typedef void (*ga__row_fn)(const void *user, int64_t row, double *const *in, double *const *out,
                           double *sums);
typedef struct ga__row_work {
    ga__row_fn fn;
    const void *user;
    const DLTensor *in[GA__ROW_TENSORS];
    DLTensor *out[GA__ROW_TENSORS];
    int64_t rows, sum_count;
    double *sums; /* set */
} ga__row_work;
ga_status ga__each_row(ga_context *context, ga__row_work *work);

/* y = a x + b y; y may hold anything when b is 0. */
ga_status ga__axpby(ga_context *context, double a, const DLTensor *x, double b, DLTensor *y);
/* Adds a row of numbers to every row. */
ga_status ga__add_row(ga_context *context, const DLTensor *row, DLTensor *y);
/* out (as many numbers as x has columns) = factor times the sum of the rows. */
ga_status ga__sum_rows(ga_context *context, double factor, const DLTensor *x, DLTensor *out);
/* *sum = the sum of the products of all elements. */
ga_status ga__dot(ga_context *context, const DLTensor *a, const DLTensor *b, double *sum);
/* Copies numbers into a tensor of as many. */
ga_status ga__store(ga_context *context, const double *numbers, DLTensor *out);
ga_status ga__fill_zero(ga_context *context, DLTensor *out);

/* ---- dense maps (dense.c) ---- */

/* *z = x W + b with the inputs of these names; W (columns of x, any), b as many as W has columns, optional. */
ga_status ga__linear(ga__layer_run *run, const DLTensor *x, const char *weight, const char *bias,
                     DLTensor **z);
/* grad W = x' dz, grad b = sum of the rows of dz where they are wanted; dx = beta dx + dz W', dx may be NULL. */
ga_status ga__linear_backward(ga__layer_run *run, const DLTensor *x, const DLTensor *dz, const char *weight,
                              const char *bias, double beta, DLTensor *dx);

/* A dense map of the run's input. */
typedef struct ga__map {
    const char *weight, *bias; /* bias may be NULL */
    DLTensor *z;               /* z = input W + b, or z += input W + b */
    bool add;
    const DLTensor *dz;
} ga__map;
/* GA_INVALID unless W has as many rows as the input has columns; *columns (may be NULL) = those of W. */
ga_status ga__map_check(ga__layer_run *run, const char *weight, const char *bias, int64_t *columns);
/* All maps; dropout is applied to blocks of rows, or to the stored entries of sparse input. */
ga_status ga__map_input(ga__layer_run *run, const ga__map *maps, int count);
/* Gradients of the weights and biases of all maps, and grad_x where it is wanted: the sum over the maps, dropout and
 * activation included. grad_x may be the input itself: a block of rows is replaced when its share of grad W is there. */
ga_status ga__map_input_backward(ga__layer_run *run, const ga__map *maps, int count);
/* *x: dropout(input) as a plain matrix: the input itself, or made. */
ga_status ga__input_matrix(ga__layer_run *run, const DLTensor **x);
/* grad_x from the gradient of dropout(input): dropout, and the slope of the activation. from may be grad_x. */
ga_status ga__input_gradient(ga__layer_run *run, const DLTensor *from);
/* *room: grad_x, or a matrix beside it where grad_x is the input itself; NULL where it is not wanted. */
ga_status ga__input_gradient_room(ga__layer_run *run, DLTensor **room);

/* ---- dropout (noise.c) ---- */

/* Bits of this site for so many elements; none (bits NULL) when not training or rate is 0. The run keeps them. */
ga_status ga__noise_draw(ga__layer_run *run, int site, double rate, int64_t elements, ga_keep *keep);
/* The same into room of ga_keep_words(elements) words. */
ga_status ga__noise_redraw(const ga__layer_run *run, int site, double rate, int64_t elements, uint32_t *bits,
                           ga_keep *keep);
/* to = from where kept, scaled, else 0; as many elements as there are bits; to may be from. */
ga_status ga__noise_apply(ga_context *context, const ga_keep *keep, const DLTensor *from, DLTensor *to);

/* ---- heads (heads.c) ---- */

/* *o: where (nodes, heads * width) of attention goes: y itself, or a matrix whose heads y will be the mean of. */
ga_status ga__heads_room(ga__layer_run *run, int64_t heads, bool concat, DLTensor *y, DLTensor **o);
/* y = the mean of the heads of o unless o is y, plus the bias of this name if it was given. */
ga_status ga__join_heads(ga__layer_run *run, const DLTensor *o, int64_t heads, const char *bias, DLTensor *y);
/* *grad_o: grad_y itself or every head's share of it; the gradient of the bias. */
ga_status ga__split_heads(ga__layer_run *run, const DLTensor *grad_y, int64_t heads, bool concat,
                          const char *bias, const DLTensor **grad_o);

/* ---- features of edges (edge_terms.c) ---- */

/* From rows of the file to edges: an edge has the row of its line, an inserted loop the mean of the rows of the other
 * incoming edges of its node, 0 without any. */
ga_status ga__lines_to_edges(ga__layer_run *run, const DLTensor *lines, DLTensor *edges);
/* Its transpose: what edges give back to their lines; changes edges. */
ga_status ga__edges_to_lines(ga__layer_run *run, DLTensor *edges, DLTensor *lines);
/* edge_features, weight_edge (and att_edge): all or none, with shapes that fit. */
ga_status ga__check_edge_tensors(ga__layer_run *run, int64_t columns, const char *att, bool *given);

/* Message passing on edges that carry terms of their own: every edge brings its own key and value. */
typedef struct ga__carried {
    DLTensor *lines, *term, *k, *v; /* (rows of edges, K) and (count, K); all is owned by the run */
    ga_edges edges;
    ga_transposed transposed;
} ga__carried;
/* k_e = k_source + term_e; v_e = v_source, plus term_e where in_value. term = edge_features weight_edge. */
ga_status ga__carry(ga__layer_run *run, const DLTensor *k, const DLTensor *v, bool in_value,
                    ga__carried *carried);
/* From dk, dv by edges: grad_k, grad_v by nodes, and the gradients of edge_features and weight_edge; changes dk, dv. */
ga_status ga__carry_backward(ga__layer_run *run, const ga__carried *carried, bool in_value, DLTensor *dk,
                             DLTensor *dv, DLTensor *grad_k, DLTensor *grad_v);

/* ---- symmetric normalisation (propagate.c) ---- */

/* c_e = w_e s_source s_target, s = D^-1/2 of the weighted in-degree, 0 where D <= 0. Both belong to the graph. */
typedef struct ga__propagation {
    const DLTensor *c;    /* (count) */
    const double *degree; /* (nodes) */
} ga__propagation;
ga_status ga__propagation_make(ga__layer_run *run, ga__propagation *p);
/* y = C x. */
ga_status ga__propagate(ga__layer_run *run, const ga__propagation *p, const DLTensor *x, DLTensor *y);
/* dx = C' dy; where x is not NULL, dc (count) = <dy_target, x_source>. dx may be NULL. */
ga_status ga__propagate_backward(ga__layer_run *run, const ga__propagation *p, const DLTensor *dy,
                                 DLTensor *dx, const DLTensor *x, DLTensor *dc);
/* The gradient of edge_weight from g_e, the gradient of c_e: w_e acts on c_e itself and on D of its target. */
ga_status ga__propagation_weights(ga__layer_run *run, const ga__propagation *p, const DLTensor *g);

/* ---- the layers ---- */

extern const ga_layer ga__layer_gcn, ga__layer_sage, ga__layer_gat, ga__layer_gatv2, ga__layer_transformer,
    ga__layer_agnn, ga__layer_appnp, ga__layer_gprgnn, ga__layer_pgnn, ga__layer_mlp;

#endif
