/* resolve.c - an attention problem checked: shapes, types, and what goes together. */
#include "config.h"

#include <math.h>

#include "lib/engine/attention/places.h"

static ga_status read_qkv(ga_context *context, const ga_attention *problem, ga__attention *a)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(context, "q", problem->q, true, &a->q));
    GA_TRY(ga__view_anywhere(context, "k", problem->k, true, &a->k));
    GA_TRY(ga__view_anywhere(context, "v", problem->v, true, &a->v));
    GA_TRY(ga__view_expect(context, "q", &a->q, -1, -1, -1, -1));
    GA_TRY(ga__view_expect(context, "k", &a->k, a->q.batch, -1, -1, a->q.columns));
    GA_TRY(ga__view_expect(context, "v", &a->v, a->q.batch, a->k.heads, a->k.rows, -1));
    a->batch = a->q.batch;
    a->heads = a->q.heads;
    a->kv_heads = a->given_kv_heads = a->k.heads;
    a->queries = a->q.rows;
    a->keys = a->k.rows;
    a->dim = a->q.columns;
    a->dim_v = a->v.columns;
    a->shift = a->keys - a->queries;
    a->wide = a->q.type == GA__F64 || a->k.type == GA__F64 || a->v.type == GA__F64;
    if (a->heads > 0 && (a->kv_heads == 0 || a->heads % a->kv_heads != 0)) {
        GA_TRY(ga__fail(context, GA_INVALID, "k: its %lld heads must divide the %lld heads of q",
                        (long long)a->kv_heads, (long long)a->heads));
    }
    a->group = a->kv_heads > 0 ? a->heads / a->kv_heads : 1;
done:
    return status;
}

static ga_status check_pattern(ga_context *context, ga__attention *a)
{
    const ga_pattern *p = a->pattern;
    if (p->queries != a->queries || p->keys != a->keys) {
        return ga__fail(context, GA_INVALID,
                        "pattern: made for %lld queries and %lld keys, q and k have %lld and %lld",
                        (long long)p->queries, (long long)p->keys, (long long)a->queries, (long long)a->keys);
    }
    if (p->heads != 1 && p->heads != a->heads) {
        return ga__fail(context, GA_INVALID, "pattern: made for %lld heads, q has %lld", (long long)p->heads,
                        (long long)a->heads);
    }
    a->places = p->places;
    return GA_OK;
}

ga_status ga__attention_table_view(ga_context *context, const char *name, const ga__attention *a,
                                   const DLTensor *table, ga__view *view)
{
    const ga_pattern *p = a->pattern;
    *view = (ga__view){ 0 };
    if (!table) {
        return GA_OK;
    }
    if (!p->query_cell) {
        return ga__fail(context, GA_INVALID, "%s: this pattern has no relative table", name);
    }
    ga_status status = ga__view_of(context, name, table, true, view);
    if (status != GA_OK) {
        return status;
    }
    int64_t found[] = { view->batch, view->heads, view->rows, view->columns }, wanted[] = { 1, 1, 1, 1 };
    for (int i = 0; i < p->table_axes; i++) {
        wanted[4 - p->table_axes + i] = p->table_shape[i];
    }
    int head = 3 - p->table_axes;
    wanted[head] = found[head] == 1 ? 1 : a->heads;
    status = ga__view_expect(context, name, view, wanted[0], wanted[1], wanted[2], wanted[3]);
    if (status != GA_OK) {
        return status;
    }
    const int64_t strides[] = { view->stride_batch, view->stride_head, view->stride_row, 1 };
    int64_t step = 1;
    for (int i = 3; i > head; i--) {
        if (wanted[i] > 1 && strides[i] != step) {
            return ga__fail(context, GA_INVALID, "%s: the cells of a head must be contiguous", name);
        }
        step *= wanted[i];
    }
    view->stride_row = strides[head];
    view->batch = view->heads = 1;
    view->rows = wanted[head];
    view->columns = step;
    return GA_OK;
}

static ga_status read_column(ga_context *context, const char *name, const ga__attention *a,
                             const DLTensor *term, ga__view *view)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(context, name, term, true, view));
    if (term) {
        GA_TRY(ga__view_expect(context, name, view, 1, view->heads == 1 ? 1 : a->batch,
                               view->rows == 1 ? 1 : a->heads, a->keys));
    }
done:
    return status;
}

static ga_status read_score(ga_context *context, const ga_score *score, ga__attention *a)
{
    ga_status status = GA_OK;
    if (!isfinite(score->scale)) {
        GA_TRY(ga__fail(context, GA_INVALID, "scale: a finite number expected, not %g", score->scale));
    }
    if (!isfinite(score->softcap) || score->softcap < 0) {
        GA_TRY(ga__fail(context, GA_INVALID, "softcap: 0 or a positive number expected, not %g",
                        score->softcap));
    }
    a->scale = score->scale;
    a->softcap = score->softcap;
    GA_TRY(ga__view_anywhere(context, "bias", score->bias, true, &a->bias));
    if (score->bias) {
        GA_TRY(ga__view_expect(context, "bias", &a->bias, 1, a->bias.heads == 1 ? 1 : a->heads, a->queries,
                               a->keys));
    }
    GA_TRY(ga__attention_table_view(context, "table", a, score->table, &a->table));
    GA_TRY(ga__view_of(context, "edge_bias", score->edge_bias, true, &a->edge_bias));
    if (score->edge_bias && a->pattern->source != GA__SOURCE_EXPLICIT) {
        GA_TRY(
            ga__fail(context, GA_INVALID, "edge_bias: only explicit patterns have edges to give a bias to"));
    }
    if (score->edge_bias) {
        GA_TRY(ga__view_expect(context, "edge_bias", &a->edge_bias, 1, 1,
                               a->edge_bias.rows == 1 ? 1 : a->heads, a->pattern->given));
    }
    GA_TRY(ga__view_of(context, "slopes", score->slopes, true, &a->slopes));
    if (score->slopes) {
        GA_TRY(ga__view_expect(context, "slopes", &a->slopes, 1, 1, 1, a->heads));
    }
    GA_TRY(read_column(context, "column_bias", a, score->column_bias, &a->column_bias));
    GA_TRY(read_column(context, "column_factor", a, score->column_factor, &a->column_factor));
    GA_TRY(read_column(context, "column_gain", a, score->column_gain, &a->column_gain));
done:
    return status;
}

static ga_status check_constants(ga_context *context, const ga_normaliser *n)
{
    const char *name = ga__normaliser_name(n->kind);
    if (n->kind == GA_SIGMOID && (!isfinite(n->bias) || (unsigned)n->bias_mode > GA_BIAS_FIXED)) {
        return ga__fail(context, GA_INVALID,
                        "normaliser %s: bias must be finite and bias_mode one of its names", name);
    }
    if (n->kind == GA_SOFTPLUS_REWEIGHT &&
        (!(n->power > 0) || !isfinite(n->power) || !isfinite(n->offset) || n->free_rows < 0)) {
        return ga__fail(context, GA_INVALID,
                        "normaliser %s: power > 0, a finite offset and free_rows >= 0 expected", name);
    }
    if ((n->kind == GA_SOFTPLUS_REWEIGHT || n->kind == GA_RELU_L1) && (!(n->eps >= 0) || !isfinite(n->eps))) {
        return ga__fail(context, GA_INVALID, "normaliser %s: eps >= 0 expected, not %g", name, n->eps);
    }
    return GA_OK;
}

static ga_status read_normaliser(ga_context *context, const ga_normaliser *n, ga__attention *a)
{
    ga_status status = GA_OK;
    if ((unsigned)n->kind > GA_P_LAPLACIAN) {
        GA_TRY(ga__fail(context, GA_INVALID, "normaliser: no kind %d", (int)n->kind));
    }
    if (n->kind == GA_P_LAPLACIAN) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "normaliser p-laplacian: only the edge kernels have it"));
    }
    GA_TRY(check_constants(context, n));
    a->normaliser = *n;
    bool wants = n->kind == GA_NORM_ATTENTION;
    if (wants != (n->eta_logits != NULL)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        wants ? "normaliser norm-attention needs eta_logits"
                              : "eta_logits: normaliser %s has none",
                        ga__normaliser_name(n->kind)));
    }
    if (wants) {
        if ((unsigned)n->eta > GA_ETA_SIGMOID) {
            GA_TRY(ga__fail(context, GA_INVALID, "normaliser norm-attention: no eta %d", (int)n->eta));
        }
        GA_TRY(ga__view_of(context, "eta_logits", n->eta_logits, true, &a->eta));
        GA_TRY(ga__view_expect(context, "eta_logits", &a->eta, 1, a->batch, a->heads, a->queries));
    }
    if (n->kind != GA_SOFTMAX) {
        bool own = ga__attention_ghost_tensors(a->pattern);
        if (own || a->pattern->ghosts) {
            GA_TRY(ga__fail(context, GA_INVALID, "border=%s needs softmax", own ? "bias" : "ghost"));
        }
    }
done:
    return status;
}

ga_status ga__attention_check_classes(ga_context *context, const char *name, const ga__attention *a,
                                      const int32_t *classes, int64_t count)
{
    if (!classes && a->keys > 0) {
        return ga__fail(context, GA_INVALID, "%s: classes expected, one label for every key", name);
    }
    for (int64_t j = 0; j < a->keys; j++) {
        if (classes[j] < 0 || classes[j] >= count) {
            return ga__fail(context, GA_INVALID, "%s: the class of key %lld is %d, not within 0 .. %lld",
                            name, (long long)j, classes[j], (long long)count - 1);
        }
    }
    return GA_OK;
}

static ga_status check_post_classes(ga_context *context, const ga_post *post, const ga__attention *a)
{
    ga_status status = GA_OK;
    int64_t batches = post->class_stride_batch != 0 ? a->batch : 1;
    int64_t heads = post->class_stride_head != 0 ? a->heads : 1;
    for (int64_t i = 0; i < batches * heads; i++) {
        const int32_t *classes = post->classes ? ga__post_classes(post, i / heads, i % heads) : NULL;
        GA_TRY(ga__attention_check_classes(context, "post", a, classes, post->class_count));
    }
done:
    return status;
}

static ga_status check_post(ga_context *context, const ga_post *post, const ga__attention *a)
{
    if (!post) {
        return GA_OK;
    }
    bool lacks = (post->form == GA_POST_CLASSWISE && !post->factors) ||
                 (post->form == GA_POST_ROW && !post->row) || (post->form == GA_POST_FULL && !post->full);
    if ((unsigned)post->form > GA_POST_FULL || lacks) {
        return ga__fail(context, GA_INVALID, "post: form %d without its callback", (int)post->form);
    }
    if (post->form == GA_POST_CLASSWISE) {
        if (post->class_count < 1 || post->class_count > 8) {
            return ga__fail(context, GA_INVALID, "post: 1 to 8 classes expected, not %lld",
                            (long long)post->class_count);
        }
        return check_post_classes(context, post, a);
    }
    return GA_OK;
}

ga_status ga__attention_resolve(ga_context *context, const ga_attention *problem, ga__attention *a)
{
    ga_status status = GA_OK;
    *a = (ga__attention){ .problem = problem };
    if (!problem || !problem->pattern) {
        return ga__fail(context, GA_INVALID, "%s: missing", problem ? "pattern" : "problem");
    }
    a->pattern = problem->pattern;
    GA_TRY(read_qkv(context, problem, a));
    GA_TRY(check_pattern(context, a));
    GA_TRY(read_score(context, &problem->score, a));
    GA_TRY(read_normaliser(context, &problem->normaliser, a));
    GA_TRY(ga__view_of(context, "head_scale", problem->head_scale, true, &a->head_scale));
    if (problem->head_scale) {
        GA_TRY(ga__view_expect(context, "head_scale", &a->head_scale, 1, 1, 1, a->heads));
    }
    GA_TRY(check_post(context, problem->post, a));
    GA_TRY(ga__attention_pad(context, a));
done:
    if (status != GA_OK) {
        ga__attention_release(context, a);
    }
    return status;
}

void ga__attention_release(ga_context *context, ga__attention *a)
{
    ga_free(context, a->padded_k);
    ga_free(context, a->padded_v);
    a->padded_k = a->padded_v = NULL;
}
