/* paged_forward.c - attention problems of few queries that are better off without packing. */
#include "config.h"

#include "lib/engine/paged_attention/paged.h"

enum { FEW_ROWS = 8, LEAST_KEYS = 256, IN_CACHES = 2 << 20 /* bytes */ };

static bool is_plain(const ga__attention *a, const ga_attention_result *result)
{
    const ga_post *post = a->problem->post;
    bool terms = a->bias.data || a->table.data || a->edge_bias.data || a->slopes.data || ga__has_columns(a);
    return a->normaliser.kind == GA_SOFTMAX && !terms && a->softcap <= 0 && !a->head_scale.data &&
           !result->statistics && !result->map && !(post && post->form != GA_POST_NONE) && !a->pattern->real;
}

/* What the caches hold is better packed, but for a row or two; memory is read faster as it lies. Plain C converts 16-bit
 * numbers slowly: once, not once a row. */
bool ga__paged_suits(const ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    int64_t rows = a->queries * a->group;
    bool narrow = a->k.type != GA__F32 || a->v.type != GA__F32;
    double bytes =
        (double)(a->batch * a->kv_heads) * (double)a->keys * (double)(a->dim + a->dim_v) * (narrow ? 2 : 4);
    if (!is_plain(a, result) || rows > FEW_ROWS || a->keys < LEAST_KEYS ||
        (narrow && ga_context_backend(context) == GA_BACKEND_SCALAR)) {
        return false;
    }
    return rows <= 2 || bytes >= IN_CACHES;
}

ga_status ga__paged_forward(ga_context *context, const ga__attention *a, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga__paged p = { .q = a->q,
                    .k = ga__keys_of_view(&a->k),
                    .v = ga__keys_of_view(&a->v),
                    .pattern = a->pattern,
                    .scale = a->scale };
    GA_TRY(ga__view_of(context, "o", result->o, true, &p.o));
    GA_TRY(ga__view_of(context, "lse", result->lse, true, &p.lse));
    status = ga__paged_attend(context, &p);
done:
    return status;
}
