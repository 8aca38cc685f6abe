/* outputs.c - checks of what attention is asked to fill. */
#include "config.h"

#include "lib/engine/attention/places.h"

/* Shape, layout and type of an output; four: f32, f64, bf16 or f16, else f32 or f64. */
static ga_status check_output(ga_context *context, const char *name, const DLTensor *tensor,
                              const int64_t shape[4], bool four)
{
    ga_status status = GA_OK;
    ga__view view;
    if (!tensor) {
        return GA_OK;
    }
    GA_TRY(ga__view_anywhere(context, name, tensor, true, &view));
    GA_TRY(ga__view_expect(context, name, &view, shape[0], shape[1], shape[2], shape[3]));
    bool shorter = four && (view.type == GA__BF16 || view.type == GA__F16);
    GA_TRY(ga__view_output(context, name, &view, shorter ? GA__BF16 : GA__F32, shorter ? GA__F16 : GA__F64));
done:
    return status;
}

static ga_status check_indices(ga_context *context, const char *name, const DLTensor *tensor,
                               const int64_t shape[4])
{
    ga_status status = GA_OK;
    ga__view view;
    if (!tensor) {
        return GA_OK;
    }
    GA_TRY(ga__view_of(context, name, tensor, false, &view));
    GA_TRY(ga__view_expect(context, name, &view, shape[0], shape[1], shape[2], shape[3]));
    GA_TRY(ga__view_output(context, name, &view, GA__I32, GA__I32));
done:
    return status;
}

static ga_status check_statistics(ga_context *context, const ga__attention *a, const ga_row_statistics *s)
{
    ga_status status = GA_OK;
    const int64_t row[] = { 1, a->batch, a->heads, a->queries };
    const int64_t classes[] = { a->batch, a->heads, a->queries, s->class_count };
    const int64_t columns[] = { 1, a->batch, a->heads, a->keys };
    const int64_t top[] = { a->batch, a->heads, a->queries, s->top_k };
    GA_TRY(check_output(context, "entropy", s->entropy, row, false));
    GA_TRY(check_indices(context, "argmax", s->argmax, row));
    GA_TRY(check_output(context, "max", s->max, row, false));
    if (s->class_mass) {
        if (s->class_count < 1) {
            GA_TRY(ga__fail(context, GA_INVALID, "class_mass: at least one class expected, not %lld",
                            (long long)s->class_count));
        }
        GA_TRY(ga__attention_check_classes(context, "class_mass", a, s->classes, s->class_count));
        GA_TRY(check_output(context, "class_mass", s->class_mass, classes, false));
    }
    GA_TRY(check_output(context, "column_sum", s->column_sum, columns, false));
    if ((s->top_indices || s->top_weights) && s->top_k < 1) {
        GA_TRY(ga__fail(context, GA_INVALID, "top_k: at least 1 expected, not %lld", (long long)s->top_k));
    }
    GA_TRY(check_indices(context, "top_indices", s->top_indices, top));
    GA_TRY(check_output(context, "top_weights", s->top_weights, top, false));
done:
    return status;
}

ga_status ga__attention_check_result(ga_context *context, const ga__attention *a,
                                     const ga_attention_result *result)
{
    ga_status status = GA_OK;
    const int64_t o[] = { a->batch, a->heads, a->queries, a->dim_v },
                  row[] = { 1, a->batch, a->heads, a->queries };
    const int64_t map[] = { a->batch, a->heads, a->queries, a->keys };
    GA_TRY(check_output(context, "o", result->o, o, true));
    if (result->lse && a->normaliser.kind != GA_SOFTMAX) {
        GA_TRY(ga__fail(context, GA_INVALID, "normaliser %s has no lse",
                        ga__normaliser_name(a->normaliser.kind)));
    }
    GA_TRY(check_output(context, "lse", result->lse, row, false));
    GA_TRY(check_output(context, "map", result->map, map, false));
    if (result->statistics) {
        GA_TRY(check_statistics(context, a, result->statistics));
    }
done:
    return status;
}

/* ---- gradients ---- */

/* given: the input that the gradient belongs to is there. */
typedef struct wanted {
    const char *name;
    const DLTensor *tensor;
    bool given;
    int64_t shape[4];
} wanted;

static ga_status check_wanted(ga_context *context, const wanted *w, int count)
{
    ga_status status = GA_OK;
    for (int i = 0; i < count; i++) {
        if (w[i].tensor && !w[i].given) {
            GA_TRY(ga__fail(context, GA_INVALID, "%s: the problem has no such input", w[i].name));
        }
        GA_TRY(check_output(context, w[i].name, w[i].tensor, w[i].shape, false));
    }
done:
    return status;
}

static ga_status check_table(ga_context *context, const ga__attention *a, const DLTensor *table)
{
    ga_status status = GA_OK;
    ga__view view, plain;
    if (!table) {
        return GA_OK;
    }
    if (!a->table.data) {
        GA_TRY(ga__fail(context, GA_INVALID, "gradient of table: the problem has no such input"));
    }
    GA_TRY(ga__attention_table_view(context, "gradient of table", a, table, &view));
    GA_TRY(ga__view_expect(context, "gradient of table", &view, 1, 1, a->table.rows, a->table.columns));
    GA_TRY(ga__view_of(context, "gradient of table", table, true, &plain));
    GA_TRY(ga__view_output(context, "gradient of table", &plain, GA__F32, GA__F64));
done:
    return status;
}

static ga_status check_given(ga_context *context, const ga__attention *a, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__view_anywhere(context, "grad_o", g->grad_o, true, &view));
    GA_TRY(ga__view_expect(context, "grad_o", &view, a->batch, a->heads, a->queries, a->dim_v));
    GA_TRY(ga__view_anywhere(context, "o", g->o, true, &view));
    if (g->o) {
        GA_TRY(ga__view_expect(context, "o", &view, a->batch, a->heads, a->queries, a->dim_v));
    }
    GA_TRY(ga__view_anywhere(context, "lse", g->lse, true, &view));
    if (g->lse) {
        GA_TRY(ga__view_expect(context, "lse", &view, 1, a->batch, a->heads, a->queries));
    }
done:
    return status;
}

ga_status ga__attention_check_gradients(ga_context *context, const ga__attention *a,
                                        const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    const ga_attention *p = a->problem;
    const int64_t extra = a->pattern->extra, group = a->given_kv_heads;
    const wanted list[] = {
        { "gradient of q", g->q, true, { a->batch, a->heads, a->queries, a->dim } },
        { "gradient of k", g->k, true, { a->batch, group, a->keys, a->dim } },
        { "gradient of v", g->v, true, { a->batch, group, a->keys, a->dim_v } },
        { "gradient of bias", g->bias, p->score.bias, { 1, a->bias.heads, a->queries, a->keys } },
        { "gradient of edge_bias",
          g->edge_bias,
          p->score.edge_bias,
          { 1, 1, a->edge_bias.rows, a->edge_bias.columns } },
        { "gradient of slopes", g->slopes, p->score.slopes, { 1, 1, 1, a->heads } },
        { "gradient of sigmoid_bias", g->sigmoid_bias, a->normaliser.kind == GA_SIGMOID, { 1, 1, 1, 1 } },
        { "gradient of eta_logits",
          g->eta_logits,
          p->normaliser.eta_logits,
          { 1, a->batch, a->heads, a->queries } },
        { "gradient of k_extra", g->k_extra, p->k_extra, { a->batch, group, extra, a->dim } },
        { "gradient of v_extra", g->v_extra, p->v_extra, { a->batch, group, extra, a->dim_v } },
        { "gradient of ghost_k", g->ghost_k, p->ghost_k, { 1, 1, a->heads, a->dim } },
        { "gradient of ghost_v", g->ghost_v, p->ghost_v, { 1, 1, a->heads, a->dim_v } },
        { "gradient of head_scale", g->head_scale, p->head_scale, { 1, 1, 1, a->heads } },
        { "gradient of column_bias",
          g->column_bias,
          p->score.column_bias,
          { 1, a->column_bias.heads, a->column_bias.rows, a->keys } },
        { "gradient of column_factor",
          g->column_factor,
          p->score.column_factor,
          { 1, a->column_factor.heads, a->column_factor.rows, a->keys } },
    };
    GA_TRY(check_given(context, a, g));
    GA_TRY(check_wanted(context, list, (int)(sizeof list / sizeof *list)));
    GA_TRY(check_table(context, a, g->table));
done:
    return status;
}

ga_status ga__statistics_open(ga_context *context, const ga_row_statistics *asked, ga__statistics *s)
{
    ga_status status = GA_OK;
    *s = (ga__statistics){ .wanted = asked };
    if (!asked) {
        return GA_OK;
    }
    GA_TRY(ga__view_of(context, "entropy", asked->entropy, true, &s->entropy));
    GA_TRY(ga__view_of(context, "argmax", asked->argmax, false, &s->argmax));
    GA_TRY(ga__view_of(context, "max", asked->max, true, &s->max));
    GA_TRY(ga__view_of(context, "class_mass", asked->class_mass, true, &s->class_mass));
    GA_TRY(ga__view_of(context, "column_sum", asked->column_sum, true, &s->column_sum));
    GA_TRY(ga__view_of(context, "top_indices", asked->top_indices, false, &s->top_indices));
    GA_TRY(ga__view_of(context, "top_weights", asked->top_weights, true, &s->top_weights));
done:
    return status;
}
