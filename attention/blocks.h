/* blocks.h - one run of a block or an analysis: its inputs by name, its outputs, gradients; for the files of attention/.
 *
 * A block is a file that defines one ga_block with its ga__block_ops, and its row in blocks.c. What it computes with is
 * of the run's working type (f32 or f64), in C order; everything that it makes on the way belongs to the run.
 */
#ifndef GA_ATTENTION_BLOCKS_H
#define GA_ATTENTION_BLOCKS_H

#include <graphattn/attention.h>

#include "lib/base/base.h"
#include "lib/engine/view.h"
#include "lib/tensor/parameters.h"

enum { GA__BLOCK_TENSORS = 24, GA__BLOCK_OUTPUTS = 16, GA__BLOCK_TEMPS = 48 };

/* An input by name. */
typedef struct ga__block_input {
    const char *name;
    bool differentiable;
    const DLTensor *given;
    const DLTensor *tensor; /* of floating type: in the working type and C order, given or made; else given */
    DLTensor *made, *grad;  /* owned */
} ga__block_input;

typedef struct ga__block_output {
    const char *name;
    DLTensor *tensor; /* owned */
} ga__block_output;

typedef struct ga__block_run {
    ga_context *context;
    const ga_block *block;
    const ga_block_call *call;
    ga__part part; /* parameters */
    DLDataType working;
    ga__block_input inputs[GA__BLOCK_TENSORS];
    int input_count;
    ga__block_output outputs[GA__BLOCK_OUTPUTS]; /* those that are wanted, and y */
    int output_count;
    const DLTensor *grad_y;           /* in the working type and C order; NULL = forward only */
    DLTensor *grad_y_made;            /* owned */
    DLTensor *temps[GA__BLOCK_TEMPS]; /* owned */
    int temp_count;
    void *state; /* of the block, zeroed: what its backward keeps from its forward */
    ga_report *report;
} ga__block_run;

typedef struct ga__block_ops {
    size_t state; /* bytes */
    bool causal;  /* reads call->causal; a call that sets it is refused by the others */
    /* Parameters that are not in its table are left to it: it finds them in call->parameters. */
    bool more_parameters;
    /* Makes the outputs that are wanted, and y where grad_y is there. */
    ga_status (*forward)(ga__block_run *run);
    /* Fills the gradients that ga__block_grad gives; after forward. NULL: there are none. */
    ga_status (*backward)(ga__block_run *run);
    const char *upstream; /* the output that grad_y belongs to; NULL = "y" */
} ga__block_ops;

/* ---- parameters ---- */

static inline int64_t ga__block_integer(const ga__block_run *run, const char *name)
{
    return ga__part_value(&run->part, name)->integer;
}
static inline double ga__block_real(const ga__block_run *run, const char *name)
{
    return ga__part_value(&run->part, name)->real;
}

/* ---- tensors (blocks_tensors.c) ---- */

/* NULL when it was not given. */
const DLTensor *ga__block_tensor(const ga__block_run *run, const char *name);
/* As it was given, in any type. */
const DLTensor *ga__block_given(const ga__block_run *run, const char *name);
/* Where its gradient goes; NULL when it is not wanted. */
DLTensor *ga__block_grad(const ga__block_run *run, const char *name);
/* GA_INVALID "NAME: shape (..), expected (..)" unless its axes are these; -1 accepts any, missing leading axes are 1.
 * An input that was not given fits. */
ga_status ga__block_fits(ga__block_run *run, const char *name, int count, const int64_t *axes);
/* GA_INVALID unless all of these inputs were given, or none; *any tells which. names ends with NULL. */
ga_status ga__block_together(ga__block_run *run, const char *const *names, bool *any);
/* The numbers of an integer input with one axis of that length. Returns an owned array (ga_free). */
ga_status ga__block_integers(ga__block_run *run, const char *name, int64_t count, int64_t **out);
/* Axis number `axis` from the last, 0; 1 for one that is missing. */
int64_t ga__axis_from_last(const DLTensor *tensor, int axis);

/* True when it is wanted, or needed for the backward pass. */
bool ga__block_wants(const ga__block_run *run, const char *name);
/* An output that ga__block_wants, uninitialised, in the working type or another one. */
ga_status ga__block_output_make(ga__block_run *run, const char *name, int ndim, const int64_t *shape,
                                DLTensor **out);
ga_status ga__block_output_of(ga__block_run *run, const char *name, DLDataType type, int ndim,
                              const int64_t *shape, DLTensor **out);
extern const DLDataType ga__type_i64;
/* A matrix of the working type, uninitialised; the run keeps it. */
ga_status ga__block_temp(ga__block_run *run, int64_t rows, int64_t columns, DLTensor **out);

/* The elements of a tensor in C order as a matrix of so many rows; shape is the caller's room. The product must be
 * theirs. */
DLTensor ga__as_matrix(const DLTensor *tensor, int64_t rows, int64_t columns, int64_t shape[2]);
/* Rows first .. first + rows - 1 of a matrix in C order. */
DLTensor ga__some_rows(const DLTensor *matrix, int64_t first, int64_t rows, int64_t shape[2]);
/* Element i of a tensor of the working type in C order. */
static inline double ga__element(const DLTensor *tensor, int64_t i)
{
    const char *data = (const char *)tensor->data + tensor->byte_offset;
    return tensor->dtype.bits == 64 ? ((const double *)(const void *)data)[i]
                                    : (double)((const float *)(const void *)data)[i];
}
static inline void ga__set_element(const DLTensor *tensor, int64_t i, double value)
{
    char *data = (char *)tensor->data + tensor->byte_offset;
    if (tensor->dtype.bits == 64) {
        ((double *)(void *)data)[i] = value;
    } else {
        ((float *)(void *)data)[i] = (float)value;
    }
}

/* Adds a row to the report, if one is wanted. */
void ga__report_real(ga__block_run *run, const char *name, double value);
void ga__report_integer(ga__block_run *run, const char *name, int64_t value);

/* ---- units of work on several threads (blocks_units.c) ---- */

/* Calls body for the units 0 .. count - 1; room has space for `room` numbers and is the thread's own. */
typedef void (*ga__unit_fn)(void *user, int64_t unit, double *room);
ga_status ga__units(ga_context *context, int64_t count, int64_t room, ga__unit_fn body, void *user);
/* Calls body for ranges of rows; what it adds to sums (`width` numbers, zero at first) is added up in the order of the
 * ranges, which do not depend on threads, and stands in sums at the end. Costs a copy of sums for every range. */
typedef void (*ga__range_fn)(void *user, int64_t first, int64_t last, double *sums, double *room);
ga_status ga__sum_ranges(ga_context *context, int64_t rows, int64_t width, int64_t room, ga__range_fn body,
                         void *user, double *sums);
/* Copies numbers into a tensor of the working type in C order. */
void ga__store_numbers(const double *numbers, int64_t count, const DLTensor *out);

/* ---- layer norm of rows: y = w (x - mean) / sqrt(var + eps) + b ---- */

/* n numbers: z the normalised row, y; returns 1 / sqrt(var + eps). z may be x. */
double ga__layer_norm(int64_t n, double eps, const double *x, double *z);
/* dx from the gradient dz of z; dx may be dz. */
void ga__layer_norm_back(int64_t n, double inverse, const double *z, const double *dz, double *dx);

/* ---- the rows of the tables ---- */

extern const ga_block ga__block_channel_attention, ga__block_kan, ga__block_td_norm, ga__block_multires_fuse,
    ga__block_partition, ga__block_merge, ga__block_merge_partials, ga__block_object_code, ga__block_norm,
    ga__block_local_concentration;
extern const ga_block ga__analysis_influence, ga__analysis_moa_plan;
extern const ga_block ga__analysis_row_stats, ga__analysis_statistics;
extern const ga_block ga__analysis_sinks, ga__analysis_vhd, ga__analysis_cls_streams, ga__analysis_carve,
    ga__analysis_retrieval_score, ga__analysis_attention_influence;
extern const ga_block ga__cost_kinetics, ga__cost_sparse_frontier, ga__cost_efficiency_length,
    ga__cost_passes, ga__cost_variant;

#endif
