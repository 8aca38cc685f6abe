/* plan.h - from a variant and a call to a problem of the engine; for the files of attention/.
 *
 * A run holds everything of one call. It is opened (parameters and tensors resolved against the tables), planned (the
 * pattern, the normaliser and the variant's own function fill in the problem and the steps around it) and carried out.
 * A variant is a file that defines one ga_variant with its ga__variant_ops, and its row in registry.c.
 */
#ifndef GA_ATTENTION_PLAN_H
#define GA_ATTENTION_PLAN_H

#include <graphattn/attention.h>

#include "lib/base/base.h"
#include "lib/engine/view.h"
#include "lib/tensor/parameters.h"

typedef struct ga__job ga__job;
typedef struct ga__variant_ops ga__variant_ops;
typedef struct ga__decode ga__decode;
typedef struct ga__selecting ga__selecting; /* dynamic/selector.h */
typedef struct ga__summaries ga__summaries;

enum { GA__SLOTS = 24, GA__STEPS = 8, GA__GIVEN = 8 };

/* ---- tensors ---- */

/* An input of the call by name. */
typedef struct ga__slot {
    const char *name;
    bool differentiable;
    bool needed;            /* its gradient is wanted, by the caller or by a step */
    const DLTensor *given;  /* NULL: absent, or a parameter that has a gradient */
    const DLTensor *tensor; /* what steps and engine read: given, or made */
    DLTensor *made;         /* owned: in the working type */
    DLTensor *grad;         /* owned */
    DLTensor *grad_more;    /* owned: what a step behind the engine adds to grad in the end */
} ga__slot;

enum { GA__Q, GA__K, GA__V }; /* the first three slots */

/* Tensors that the engine takes beside q, k, v. */
typedef enum ga__member {
    GA__BIAS,
    GA__TABLE,
    GA__EDGE_BIAS,
    GA__SLOPES,
    GA__SIGMOID_BIAS,
    GA__ETA_LOGITS,
    GA__K_EXTRA,
    GA__V_EXTRA,
    GA__GHOST_K,
    GA__GHOST_V,
    GA__HEAD_SCALE,
    GA__COLUMN_BIAS,
    GA__COLUMN_FACTOR,
    GA__COLUMN_GAIN,
    GA__LOG_DECAY,
    GA__BETA,
    GA__BONUS,
    GA__INITIAL_STATE,
    GA__MEMBERS
} ga__member;

/* Takes the note of that name out of the run; NULL when there is none. */
DLTensor *ga__note_take(ga__job *run, const char *name);
/* Index of an input that was given; -1 when it was not. */
int ga__slot_find(const ga__job *run, const char *name);
/* GA_INVALID "NAME: shape (..), expected (..)" unless its axes are dims; -1 accepts any, missing leading axes are 1.
 * shared: the first may be 1. */
ga_status ga__slot_fits(ga__job *run, int slot, bool shared, int count, const int64_t *dims);
/* Puts a tensor that was not given into a slot of its own, as a default, and takes it over. Returns the slot. */
int ga__slot_make(ga__job *run, const char *name, DLTensor *tensor);
/* Hands an input to the engine, if it was given, after ga__slot_fits. */
ga_status ga__bind(ga__job *run, ga__member member, const char *name, bool shared, int count,
                   const int64_t *dims);
/* Puts a tensor into its place in the engine's structs. */
void ga__member_set(ga__job *run, ga__member member, const DLTensor *tensor);
/* A number that has a gradient under that name, without being a tensor. */
void ga__bind_parameter(ga__job *run, ga__member member, const char *name);
/* Hands the engine a tensor that the plan made, and takes it over; it has no gradient. */
ga_status ga__bind_made(ga__job *run, ga__member member, const char *name, DLTensor *made);
/* Binds "bias" (H|1, Nq, Nk). */
ga_status ga__bind_dense_bias(ga__job *run);
/* One element of an integer view with at most three axes. */
int64_t ga__view_get_integer(const ga__view *view, int64_t head, int64_t row, int64_t column);
/* The grid of the parameter "shape", one axis without it; its product is the number of tokens. */
ga_status ga__grid_shape(ga__job *run, const ga__part *part, int64_t tokens, int *axes, int64_t shape[3]);
/* Binds "bias" to the relative table of the pattern that was made. */
ga_status ga__bind_pattern_table(ga__job *run);
/* The parameter "shape" with its help, for rows on a grid. */
#define GA__SHAPE(must) \
    { \
        "shape", GA_PARAMETER_INT_LIST, NULL, "1..3 axes, each >= 1", \
            "grid of the tokens, its product their number" must, GA__FROM(1) \
    }
/* Uninitialised, in the working type. */
ga_status ga__tensor_new(ga__job *run, int ndim, const int64_t *shape, DLTensor **out);

/* ---- steps around the engine ---- */

/* Before the engine a step replaces the tensor of a slot; behind it, it changes run->o. The backward pass turns the
 * gradient of what it made into that of what it got: slots[slot].grad, or run->grad_o; NULL for steps without one. */
typedef struct ga__step ga__step;
struct ga__step {
    ga_status (*forward)(ga__job *run, ga__step *step);
    ga_status (*backward)(ga__job *run, ga__step *step);
    int slot;                    /* what it changes, or what it takes the factors from */
    int kind;                    /* of its own */
    double gain, more;           /* of its own */
    const void *user;            /* of its own, static */
    int extra_count, extra[4];   /* more slots that it reads, -1 = none; it gives their gradients too */
    void *data;                  /* owned (ga_free): of its own; NULL = none */
    DLTensor *before;            /* owned: what it replaced */
    const DLTensor *before_view; /* before, or a tensor of the caller */
};
void ga__step_before(ga__job *run, ga__step step);
void ga__step_behind(ga__job *run, ga__step step);
/* For the forward function of a step: puts result, which it takes over, in the place of the slot's tensor. */
void ga__step_replace(ga__job *run, ga__step *step, DLTensor *result);

/* Likewise behind the engine, in the place of o. */
void ga__step_replace_o(ga__job *run, ga__step *step, DLTensor *result);
/* For the backward function: puts result, which it takes over, in the place of the slot's gradient. */
void ga__step_replace_grad(ga__job *run, const ga__step *step, DLTensor *result);

/* Rows of slot become x / max(|x|, 1e-12). */
ga__step ga__step_normalise(int slot);
/* Feature maps, elementwise. */
typedef enum ga__feature {
    GA__ELU1,
    GA__RELU,
    GA__SILU,
    GA__LEAKY_RELU,
    GA__EXP, /* exp(gain x) */
    GA__IDENTITY_FEATURE
} ga__feature;
extern const char *const ga__feature_words[];
ga__step ga__step_feature(int slot, ga__feature feature, double gain);
/* Terms of a score as products: rows of a slot become [gain x, more], where fill writes the `width` values of more for
 * row (b, h, r) with the values x; may run on several threads. The backward half leaves gain times the gradient of x
 * and hands out that of the whole row, or destroys it when rows is NULL. */
typedef void (*ga__fill_fn)(const void *user, int64_t b, int64_t h, int64_t r, const double *x, double *more);
ga_status ga__widen(ga__job *run, ga__step *step, int64_t width, ga__fill_fn fill, const void *user);
ga_status ga__widen_back(ga__job *run, ga__step *step, DLTensor **rows);
/* o becomes o * factor, factor (H, e) in a slot. */
ga__step ga__step_channel_scale(int slot);

/* ---- patterns and normalisers by name ---- */

typedef struct ga__pattern_entry {
    const char *name;
    const ga_parameter *parameters; /* that --pattern takes */
    const ga_tensor_slot *tensors;  /* that it needs */
    unsigned can;                   /* GA_CAN_CAUSAL, GA_CAN_CROSS, GA_ALWAYS_CAUSAL */
    bool takes_graph;
    /* Fills run->pattern. part has its parameters: the variant, or what --pattern said. */
    ga_status (*make)(ga__job *run, const ga__part *part);
} ga__pattern_entry;

typedef struct ga__normaliser_entry {
    const char *name;
    const ga_parameter *parameters;
    const ga_tensor_slot *tensors;
    ga_normaliser_kind kind;
    /* Fills run->problem.normaliser, whose kind is set; NULL: nothing to fill. */
    ga_status (*make)(ga__job *run, const ga__part *part);
} ga__normaliser_entry;

/* OWN: the variant computes by itself. */
typedef enum ga__engine { GA__ENGINE_ATTENTION, GA__ENGINE_SCAN, GA__ENGINE_OWN } ga__engine;

/* What a variant with its own engine fills beside run->o, which may be NULL. */
typedef struct ga__own_outputs {
    DLTensor *lse, *map; /* NULL = not wanted */
    DLTensor *state;     /* made by the variant when it is wanted */
    bool want_state;
} ga__own_outputs;

struct ga__variant_ops {
    ga__engine engine;
    const ga__pattern_entry *pattern;       /* of its own; NULL for scans */
    const ga__normaliser_entry *normaliser; /* of its own; NULL for scans */
    /* Score, tensors, steps, default of run->scale; NULL: scaled dot products. */
    ga_status (*plan)(ga__job *run);
    bool softmax_only; /* of --normaliser */
    /* Instead of the usual sizes from q, k, v; NULL = those. */
    ga_status (*measure)(ga__job *run);
    /* OWN: reads scan.q, scan.k, scan.v and the slots; fills run->o and the outputs, and the gradients of the slots. */
    ga_status (*own_forward)(ga__job *run, ga__own_outputs *outputs);
    ga_status (*own_backward)(ga__job *run);
    /* SCAN: replaces *state by the state that is handed out; fills a map. NULL = as it is; no map. */
    ga_status (*state)(ga__job *run, DLTensor **state);
    ga_status (*map)(ga__job *run, DLTensor *map);
    /* Instead of ga_attention_forward and _backward of run->problem; NULL: these. */
    ga_status (*forward)(ga__job *run, const ga_attention_result *result);
    ga_status (*backward)(ga__job *run, const ga_attention_gradients *gradients);
    /* Makes an output that only this variant has, after the forward pass. NULL: there are none. */
    ga_status (*output)(ga__job *run, const char *name, DLTensor **out);
    /* Which keys are attended to, decided from q and k (dynamic/selector.h). Returns owned. NULL: all of the pattern. */
    ga_status (*select)(ga__selecting *selecting, ga_selection **selection);
    /* The ga__summary (dynamic/summaries.h) of units of the parameter "block" that select reads, which a session keeps from
     * step to step; 0 = none. */
    int summaries;
    /* How a call is fed one token at a time (decode.h). NULL: by the state if it carries one, else by its keys. */
    ga_status (*decode)(ga__job *run, ga__decode *how);
};

/* NULL (no message) for an unknown name. */
const ga__pattern_entry *ga__pattern_find(const char *name);
const ga__normaliser_entry *ga__normaliser_find(const char *name);
/* The tables, ended by NULL. */
extern const ga__pattern_entry *const ga__patterns[];
extern const ga__normaliser_entry *const ga__normalisers[];

extern const ga__pattern_entry ga__pattern_full_row, ga__window_row, ga__neighborhood_row,
    ga__block_sparse_row, ga__graph_row, ga__dina_row, ga__halo_row, ga__maxvit_block_row,
    ga__maxvit_grid_row, ga__shifted_window_row, ga__overlap_window_row, ga__inward_window_row,
    ga__radial_row, ga__s2_row, ga__moa_row, ga__saliency_local_row;
extern const ga__normaliser_entry ga__softmax_row, ga__sigmoid_row, ga__softplus_row,
    ga__softplus_reweight_row, ga__relu_l1_row, ga__norm_attention_row;

/* ---- a run ---- */

struct ga__job {
    ga_context *context;
    const ga_variant *variant;
    const ga_attend_call *call;
    const ga__pattern_entry *pattern_row;
    const ga__normaliser_entry *normaliser_row;
    ga__part own, pattern_part, normaliser_part;    /* the latter two: of the call's strings */
    const ga__part *pattern_from, *normaliser_from; /* whose values count */
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
    int64_t o_heads,
        o_dim; /* of o, set by the plan of a variant with an o of its own shape; 0 = heads, dim_v */
    bool causal;
    double scale;       /* NAN until planned */
    DLDataType working; /* f32 or f64 */
    ga__slot slots[GA__SLOTS];
    int slot_count;
    int bound[GA__MEMBERS];            /* slot, -1 = none */
    ga_pattern *pattern;               /* owned */
    ga_selection *selection;           /* owned: of variants that select */
    double select_flops, select_bytes; /* that the choice was predicted to take */
    ga_named_tensor note[GA__GIVEN];   /* owned: what they say beside it */
    int note_count;
    int64_t *
        edge_order; /* owned: place in the caller's order of every entry of an explicit pattern; NULL = same */
    int64_t edge_count;
    ga_attention problem;
    ga_scan scan;
    ga__step before[GA__STEPS], behind[GA__STEPS];
    int before_count, behind_count;
    DLTensor *rounded[3]; /* owned: q, k, v in bf16 */
    DLTensor *o, *grad_o; /* owned: as the steps behind the engine see them */
    ga__engine engine;
};

/* Finds the variant, resolves parameters and strings, and checks what goes together. The run is to be closed in any
 * case. */
ga_status ga__job_open(ga_context *context, const char *variant, const ga_attend_call *call, ga__job *run);
void ga__job_close(ga__job *run);
/* Sizes from q, k, v. */
ga_status ga__job_measure(ga__job *run);
/* Takes the extra tensors; where only the pattern is wanted, the others are left out. */
ga_status ga__job_take_tensors(ga__job *run, bool pattern_only);
/* Makes run->pattern. */
ga_status ga__job_pattern(ga__job *run);
/* The rest of the plan. */
ga_status ga__job_plan(ga__job *run);

#endif
