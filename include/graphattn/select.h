/* select.h - selectors: which keys a query attends to, decided from queries and keys.
 *
 * A selector is a variant of the registry that chooses (GA_SELECTS among what it can do): the same name, parameters and
 * tensors serve ga_attend, which attends to what was chosen, and ga_select, which hands out the choice itself.
 */
#ifndef GRAPHATTN_SELECT_H
#define GRAPHATTN_SELECT_H

#include <graphattn/attention.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The choice of a variant that selects; of the call q, k, parameters, tensors, causal and scale are read, v may be NULL.
 * Of landmark the choice is the ordinary keys of the blocks, which have all the weight; attention over them is grouped.
 * Returns owned (ga_selection_destroy). GA_INVALID for variants that do not select, and as ga_attend. */
GA_API ga_status ga_select(ga_context *context, const char *variant, const ga_attend_call *call,
                           ga_selection **selection);

/* What a selection keeps, and what it costs, for the call that it was made for (v NULL: the keys are summed); rows of the
 * report, over all batch entries and query heads:
 *   pairs, visible_pairs       of a query and a key: kept, and seen without a selection; density = their ratio
 *   mass_mean, mass_least      softmax weight that full attention gives to the kept keys, over the rows that see keys
 *   recall_mean, recall_least, recall_rows   share of the n keys with the largest scores that are among the n kept ones, over so
 *                              many rows, evenly spaced: at most 64 of a head
 *   select_flops, select_bytes, attend_flops, attend_bytes, dense_flops, dense_bytes   predicted: of choosing, of attention over
 *                              what was chosen, of attention over everything. A pair is 2 d + 2 e + 3 operations; q, o and every
 *                              key and value that is seen by some query of a key head count once as traffic
 *   select_seconds, attend_seconds, dense_seconds   measured here, once
 * Needs memory for a few rows, not for a map. As ga_select. */
GA_API ga_status ga_selection_report(ga_context *context, const char *variant, const ga_attend_call *call,
                                     const ga_selection *selection, ga_report *report);

/* Positions of blocks that landmark attention retrieved, for a rotary embedding behind the retrieval ("stingy"): pick r, of
 * `count` ascending ones out of `blocks` blocks of block + 1 slots, starts at (r + 1) (block + 1) when it is one of the newest
 * top_k blocks, else at r (block + 1). GA_INVALID for picks that do not ascend. */
GA_API ga_status ga_landmark_positions(ga_context *context, int64_t block, int64_t top_k, int64_t blocks,
                                       const int64_t *picks, int64_t count, int64_t *positions);

#ifdef __cplusplus
}
#endif

#endif
