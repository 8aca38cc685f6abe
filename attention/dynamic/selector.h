/* selector.h - which keys a query attends to, decided from the data; for the files of attention/dynamic.
 *
 * A selector is the `select` function of a variant: from queries and keys to lists of units (ga_selection). The same
 * function serves `attend`, `ga_select` and a decoding session, where the keys lie in the pages of a cache and summaries
 * of them may have been kept from one step to the next.
 */
#ifndef GA_ATTENTION_SELECTOR_H
#define GA_ATTENTION_SELECTOR_H

#include <graphattn/select.h>
#include <graphattn/session.h>

#include "attention/plan.h"
#include "lib/engine/keys.h"

enum { GA__NOTES = 4 };

/* What a selector reads, and what it says beside the lists. */
struct ga__selecting {
    ga_context *context;
    const ga__part *part; /* parameters */
    const ga__job *run;   /* extra tensors by name; NULL in a session, which has none */
    /* Of a session: positions of the slots of head `cache_head`, which serve all heads of k. NULL = slots are positions. */
    const ga_cache *cache;
    int64_t cache_head;
    ga__view q;                                                /* (batch, heads, queries, dim) */
    ga__keys k;                                                /* (batch, kv_heads, keys, dim) */
    int64_t batch, heads, kv_heads, group, queries, keys, dim; /* group = heads / kv_heads */
    bool causal, wide;                                         /* wide: scores in double precision */
    double scale;
    ga__summaries *summaries; /* of the units of k, kept by a session; NULL = made when needed */
    double flops, bytes;      /* predicted cost of choosing, which the selector sets */
    /* Owned: outputs that only this selector has, made when it has them. */
    ga_named_tensor note[GA__NOTES];
    int note_count;
};

/* Position of query i on the line of the keys. */
static inline int64_t ga__position(const ga__selecting *s, int64_t query)
{
    return query + s->keys - s->queries;
}

/* An empty selection of these sizes without units: lists of block_query queries (the first of first_block) for so many
 * heads, offsets zero. The selector fills offsets and units by one of the next two. Returns owned. */
ga_status ga__selection_new(const ga__selecting *s, int64_t heads, int64_t block_query, int64_t first_block,
                            ga_selection **out);
/* Takes over lists that were filled list by list: list i has counts[i] units at units + i * most. Several threads may have
 * filled them. */
ga_status ga__selection_pack(ga_context *context, ga_selection *selection, const int64_t *counts,
                             const int32_t *units, int64_t most);
/* The same where units is an owned array, which becomes the selection's. */
void ga__selection_adopt(ga_selection *selection, const int64_t *counts, int32_t **units, int64_t most);
/* A note of that name; the tensor is uninitialised and belongs to the selecting. */
ga_status ga__note_new(ga__selecting *s, const char *name, DLDataType type, int ndim, const int64_t *shape,
                       DLTensor **out);
/* Lists as an i32 tensor, padded with -1 to the longest: axes (leading ..., width), `rows` lists in all; entry
 * units[i] becomes add + factor * units[i]. Returns owned. */
ga_status ga__lists_tensor(ga_context *context, const int64_t *offsets, const int32_t *units, int64_t add,
                           int64_t factor, int leading, const int64_t *shape, DLTensor **out);

/* ---- a selector as a variant: `.plan`, `.forward`, `.backward` of its ops ---- */

/* q, k and sizes of the run, whose tensors were taken. */
ga_status ga__selecting_open(ga__job *run, ga__selecting *s);
/* ga__job_plan, and run->selection in any case. */
ga_status ga__job_select(ga__job *run);
/* Runs ops->select on q and k of the call and keeps the selection in the run. */
ga_status ga__selected_plan(ga__job *run);
/* Attention over what was selected, entry by entry of the batch. */
ga_status ga__selected_forward(ga__job *run, const ga_attention_result *result);
ga_status ga__selected_backward(ga__job *run, const ga_attention_gradients *gradients);
/* "selected" (B, heads, lists, W) as unit numbers, and the notes by name. */
ga_status ga__selected_output(ga__job *run, const char *name, DLTensor **out);

#define GA__SELECTOR_OPS(function) \
    .normaliser = &ga__softmax_row, .plan = ga__selected_plan, .forward = ga__selected_forward, \
    .backward = ga__selected_backward, .output = ga__selected_output, .select = (function)

#endif
