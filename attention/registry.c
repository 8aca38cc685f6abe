/* registry.c - the tables: variants, and the patterns and normalisers that can be named. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"

extern const ga_variant ga__full_variant, ga__window_variant, ga__neighborhood_variant,
    ga__block_sparse_variant, ga__graph_variant, ga__dina_variant, ga__halo_variant, ga__maxvit_block_variant,
    ga__maxvit_grid_variant, ga__shifted_window_variant, ga__overlap_window_variant,
    ga__inward_window_variant, ga__radial_variant, ga__s2_variant, ga__moa_variant,
    ga__saliency_local_variant, ga__sigmoid_variant, ga__softplus_variant, ga__softplus_reweight_variant,
    ga__linear_variant, ga__norm_attention_variant, ga__retention_variant, ga__gla_variant, ga__delta_variant,
    ga__gated_delta_variant, ga__lightning_variant, ga__selective_variant, ga__gated_variant,
    ga__hedgehog_variant, ga__l2vit_variant, ga__inline_variant, ga__mala_variant, ga__based_variant,
    ga__ssm_variant, ga__rat_variant, ga__p_adapter_variant, ga__region_variant, ga__object_variant,
    ga__probe_variant, ga__titans_variant, ga__landmark_variant, ga__vertical_slash_variant,
    ga__flexprefill_variant, ga__snapkv_variant, ga__ada_snapkv_variant, ga__quest_variant,
    ga__block_topk_variant, ga__hip_variant, ga__dhsa_variant, ga__split_kv_variant, ga__recycled_variant;

extern const ga_variant ga__var_variant, ga__act_variant, ga__paint_variant, ga__dara_variant,
    ga__vhr_variant, ga__head_mask_variant;

static const ga_variant *const variants[] = {
    &ga__full_variant,
    &ga__window_variant,
    &ga__neighborhood_variant,
    &ga__block_sparse_variant,
    &ga__graph_variant,
    &ga__dina_variant,
    &ga__halo_variant,
    &ga__maxvit_block_variant,
    &ga__maxvit_grid_variant,
    &ga__shifted_window_variant,
    &ga__overlap_window_variant,
    &ga__inward_window_variant,
    &ga__radial_variant,
    &ga__s2_variant,
    &ga__moa_variant,
    &ga__region_variant,
    &ga__saliency_local_variant,
    &ga__object_variant,
    &ga__probe_variant,
    &ga__sigmoid_variant,
    &ga__softplus_variant,
    &ga__softplus_reweight_variant,
    &ga__linear_variant,
    &ga__norm_attention_variant,
    &ga__retention_variant,
    &ga__gla_variant,
    &ga__delta_variant,
    &ga__gated_delta_variant,
    &ga__lightning_variant,
    &ga__selective_variant,
    &ga__gated_variant,
    &ga__hedgehog_variant,
    &ga__l2vit_variant,
    &ga__inline_variant,
    &ga__mala_variant,
    &ga__based_variant,
    &ga__ssm_variant,
    &ga__rat_variant,
    &ga__p_adapter_variant,
    &ga__titans_variant,
    &ga__landmark_variant,
    &ga__vertical_slash_variant,
    &ga__flexprefill_variant,
    &ga__snapkv_variant,
    &ga__ada_snapkv_variant,
    &ga__quest_variant,
    &ga__block_topk_variant,
    &ga__split_kv_variant,
    &ga__recycled_variant,
    &ga__hip_variant,
    &ga__dhsa_variant,
    &ga__var_variant,
    &ga__act_variant,
    &ga__paint_variant,
    &ga__dara_variant,
    &ga__vhr_variant,
    &ga__head_mask_variant,
    NULL,
};

const ga__pattern_entry *const ga__patterns[] = {
    &ga__pattern_full_row,
    &ga__window_row,
    &ga__neighborhood_row,
    &ga__block_sparse_row,
    &ga__graph_row,
    &ga__radial_row,
    &ga__s2_row,
    &ga__moa_row,
    &ga__dina_row,
    &ga__maxvit_block_row,
    &ga__maxvit_grid_row,
    &ga__shifted_window_row,
    &ga__inward_window_row,
    &ga__halo_row,
    NULL,
};

const ga__normaliser_entry *const ga__normalisers[] = {
    &ga__softmax_row,
    &ga__sigmoid_row,
    &ga__softplus_row,
    &ga__softplus_reweight_row,
    &ga__relu_l1_row,
    &ga__norm_attention_row,
    NULL,
};

const ga_variant *const *ga_variants(void)
{
    return variants;
}

const ga_variant *ga_variant_find(const char *name)
{
    for (int i = 0; name && variants[i]; i++) {
        if (strcmp(variants[i]->name, name) == 0) {
            return variants[i];
        }
    }
    return NULL;
}

const ga__pattern_entry *ga__pattern_find(const char *name)
{
    for (int i = 0; ga__patterns[i]; i++) {
        if (strcmp(ga__patterns[i]->name, name) == 0) {
            return ga__patterns[i];
        }
    }
    return NULL;
}

const ga__normaliser_entry *ga__normaliser_find(const char *name)
{
    for (int i = 0; ga__normalisers[i]; i++) {
        if (strcmp(ga__normalisers[i]->name, name) == 0) {
            return ga__normalisers[i];
        }
    }
    return NULL;
}

ga_cab ga_variant_cab(const ga_variant *v)
{
    static const char *const prefixes[] = {
        [GA_PREFIX_ROW] = "row", [GA_PREFIX_BLOCK] = "block", [GA_PREFIX_SUPPORT] = "support"
    };
    const ga_causality *c = &v->causality;
    bool plain = !(v->can & GA_ALWAYS_CAUSAL) && !c->needs_causal;
    ga_cab cab = { .self = plain && c->sets != GA_SETS_TWO,
                   .causal_self = (v->can & (GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL)) && c->sets != GA_SETS_TWO,
                   .cross = plain && v->can & GA_CAN_CROSS && c->sets != GA_SETS_ONE };
    if (cab.cross) {
        cab.causal_cross = c->rows == GA_ROWS_APART     ? GA_CAB_YES
                           : c->rows == GA_ROWS_UNKNOWN ? GA_CAB_UNKNOWN
                                                        : GA_CAB_NO;
        cab.cross_unit = cab.causal_cross == GA_CAB_YES ? c->apart_unit : NULL;
    }
    if (cab.causal_self) {
        cab.prefix = prefixes[c->prefix];
        cab.unit = c->prefix == GA_PREFIX_BLOCK ? c->unit : NULL;
    }
    return cab;
}
