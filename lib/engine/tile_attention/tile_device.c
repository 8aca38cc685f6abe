/* tile_device.c - attention by tiles on the context's device: what it takes, and the problem brought there. */
#include "config.h"

#include "lib/engine/tile_attention/tile_device_call.h"
#include "lib/engine/tile_attention/tile_device_lists.h"
#include "lib/engine/tile_attention/tile_terms.h"

/* Parts of a list: from so few thread blocks on, of so many blocks of places at least. */
enum { ENOUGH_BLOCKS = 264, PART_BLOCKS = 8, MOST_SPLITS = 64 };

/* ---- what is refused ---- */

static const char *cannot(const ga__attention *a, const ga_attention_result *result)
{
    const ga_post *post = a->problem->post;
    ga_normaliser_kind kind = a->normaliser.kind;
    if (a->q.type >= GA__F64 || a->k.type >= GA__F64 || a->v.type >= GA__F64) {
        return "compute in f64";
    }
    if (a->edge_bias.data) {
        return "add an edge bias";
    }
    if (result->map) {
        return "give maps";
    }
    if (result->statistics) {
        return "give statistics of rows";
    }
    if (post && post->form != GA_POST_NONE) {
        return "run post steps";
    }
    if (kind == GA_SOFTPLUS_REWEIGHT || kind == GA_INLINE) {
        return kind == GA_INLINE ? "compute inline weights" : "compute softplus-reweight weights";
    }
    if (ga__max(a->dim, a->dim_v) > GA__DEVICE_TILE_WIDTH) {
        return "take heads of more than 256 columns";
    }
    return NULL;
}

static ga_status read_outputs(ga__tile_call *c, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(c->context, "o", result->o, true, &c->o));
    GA_TRY(ga__view_anywhere(c->context, "lse", result->lse, true, &c->lse));
    if (c->o.type == GA__F64 || c->lse.type == GA__F64) {
        GA_TRY(ga__device_refuse(c->context, "attention", "give f64"));
    }
    if (c->a->bias.type >= GA__F64) {
        GA_TRY(ga__device_refuse(c->context, "attention", "read a bias in f64"));
    }
done:
    return status;
}

/* ---- numbers by row and by head ---- */

/* The row constants of sigmoid and of softplus; a row that sees nothing has none. */
static ga_status find_constants(ga__tile_call *c)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    ga_normaliser_kind kind = a->normaliser.kind;
    int64_t count = a->pattern->heads * a->queries;
    float **to = kind == GA_SIGMOID ? &c->shift : kind == GA_SOFTPLUS ? &c->factor : NULL;
    if (!to) {
        return status;
    }
    GA_TRY(GA_NEW_ZERO(c->context, count, to));
    for (int64_t i = 0; i < count; i++) {
        int64_t n = ga__pattern_length(a->pattern, i / a->queries, i % a->queries);
        if (n > 0) {
            (*to)[i] = (float)(to == &c->shift ? ga__row_shift(a, n) : ga__row_factor(a, n));
        }
    }
done:
    return status;
}

static ga_status find_eta(ga__tile_call *c)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    int64_t count = a->batch * a->heads * a->queries;
    if (a->normaliser.kind != GA_NORM_ATTENTION) {
        return status;
    }
    GA_TRY(GA_NEW(c->context, count, &c->eta));
    for (int64_t i = 0; i < count; i++) {
        int64_t slice = i / a->queries;
        c->eta[i] = (float)ga__row_eta(a, slice / a->heads, slice % a->heads, i % a->queries);
    }
done:
    return status;
}

/* The rows of a view on the host as f32, one behind the other. */
static ga_status flatten(ga_context *context, const ga__view *view, float **out)
{
    ga_status status = GA_OK;
    if (!view->data) {
        return status;
    }
    GA_TRY(GA_NEW(context, view->rows * view->columns, out));
    for (int64_t i = 0; i < view->rows; i++) {
        ga__view_load_f32(view, 0, 0, i, *out + i * view->columns);
    }
done:
    return status;
}

ga_status ga__tile_call_prepare(ga__tile_call *c)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    GA_TRY(find_constants(c));
    GA_TRY(find_eta(c));
    GA_TRY(flatten(c->context, &a->head_scale, &c->head_scale));
    GA_TRY(flatten(c->context, &a->slopes, &c->slopes));
    GA_TRY(flatten(c->context, &a->table, &c->table));
    GA_TRY(ga__tile_terms_pack(c->context, a, &c->terms));
    GA_TRY(ga__tile_listing_make(c->context, a->pattern, &c->listing));
done:
    return status;
}

void ga__tile_call_release(ga__tile_call *c)
{
    float *all[] = { c->shift, c->factor, c->eta, c->head_scale, c->slopes, c->table };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_free(c->context, all[i]);
    }
    ga__tile_terms_free(c->context, &c->terms);
    ga__tile_listing_free(c->context, &c->listing);
}

/* ---- to the device ---- */

static ga_status bring_floats(ga__traffic *t, const float *data, int64_t count, const float **out)
{
    return ga__traffic_in(t, data, count * (int64_t)sizeof *data, false, out);
}

static bool is_aligned(const ga__device_matrix *m, int64_t columns)
{
    int64_t unit = 16 / ga__type_size((ga__type)m->type);
    return (uintptr_t)m->data % 16 == 0 && columns % unit == 0 && m->stride_batch % unit == 0 &&
           m->stride_head % unit == 0 && m->stride_row % unit == 0;
}

/* A term of keys, packed by (batch|1, heads|1, place). */
static ga_status bring_term(ga__traffic *t, const ga__tile_packed_terms *terms, const ga__view *term,
                            const float *packed, const float **out, int64_t step[2])
{
    step[0] = term->heads == 1 ? 0 : term->rows * terms->places;
    step[1] = term->rows == 1 ? 0 : terms->places;
    return bring_floats(t, packed, packed ? term->heads * term->rows * terms->places : 0, out);
}

static ga_status bring_dress(const ga__tile_call *c, ga__traffic *t, ga__tile_dress *d)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    const ga_pattern *p = a->pattern;
    bool table = a->table.data;
    *d = (ga__tile_dress){ .softcap = (float)a->softcap,
                           .bias_type = (int)a->bias.type,
                           .bias_stride_head = a->bias.heads == 1 ? 0 : a->bias.stride_head,
                           .bias_stride_row = a->bias.stride_row,
                           .table_stride_head = a->table.rows == 1 ? 0 : a->table.columns,
                           .cells = p->cells,
                           .origin = p->origin,
                           .shift = a->shift,
                           .gain_from = a->problem->score.gain_from };
    GA_TRY(ga__traffic_in_view(t, &a->bias, &d->bias));
    GA_TRY(bring_floats(t, c->table, a->table.rows * a->table.columns, &d->table));
    GA_TRY(bring_floats(t, c->slopes, a->heads, &d->slopes));
    GA_TRY(ga__traffic_in(t, table ? p->query_cell : NULL, a->queries * (int64_t)sizeof *p->query_cell, false,
                          &d->query_cell));
    GA_TRY(ga__traffic_in(t, table ? p->key_cell : NULL, a->places * (int64_t)sizeof *p->key_cell, false,
                          &d->key_cell));
    GA_TRY(ga__traffic_in(t, p->real, a->places * (int64_t)sizeof *p->real, false, &d->real));
    GA_TRY(bring_term(t, &c->terms, &a->column_bias, c->terms.bias, &d->column_bias, d->bias_step));
    GA_TRY(bring_term(t, &c->terms, &a->column_factor, c->terms.factor, &d->column_factor, d->factor_step));
    GA_TRY(bring_term(t, &c->terms, &a->column_gain, c->terms.gain, &d->column_gain, d->gain_step));
done:
    return status;
}

ga_status ga__tile_call_bring(const ga__tile_call *c, ga__traffic *t, ga__tile_forward_launch_args *args)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    int64_t rows = a->pattern->heads * a->queries;
    GA_TRY(ga__tile_listing_in(t, &c->listing, &args->lists));
    GA_TRY(ga__traffic_in_matrix(t, &a->q, &args->q));
    GA_TRY(ga__traffic_in_matrix(t, &a->k, &args->k));
    GA_TRY(ga__traffic_in_matrix(t, &a->v, &args->v));
    args->aligned =
        is_aligned(&args->q, a->dim) && is_aligned(&args->k, a->dim) && is_aligned(&args->v, a->dim_v);
    GA_TRY(bring_floats(t, c->shift, rows, &args->shift));
    GA_TRY(bring_floats(t, c->factor, rows, &args->factor));
    GA_TRY(bring_floats(t, c->eta, a->batch * a->heads * a->queries, &args->eta));
    GA_TRY(bring_floats(t, c->head_scale, a->heads, &args->head_scale));
    args->dressed = a->softcap > 0 || a->bias.data || a->table.data || a->slopes.data || ga__has_columns(a);
    if (args->dressed) {
        GA_TRY(bring_dress(c, t, &args->dress));
    }
done:
    return status;
}

/* Few blocks of queries with long lists, as in decoding, are cut so that the device has enough to do. Depends on the problem
 * alone, so that sums do not depend on the device. */
static int64_t count_splits(const ga__attention *a, const ga__tile_listing *l)
{
    int64_t blocks = a->batch * a->heads * l->blocks, longest = 0;
    for (int64_t i = 0; i < l->heads * l->blocks; i++) {
        longest = ga__max(longest, l->offsets[i + 1] - l->offsets[i]);
    }
    int64_t wanted = ga__min(ENOUGH_BLOCKS / blocks, longest / PART_BLOCKS);
    return ga__max(1, ga__min(wanted, MOST_SPLITS));
}

static ga_status make_outputs(const ga__tile_call *c, ga__traffic *t, ga__tile_forward_launch_args *args)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    int64_t parts = 0, bytes = 0, blocks = 0;
    args->splits = count_splits(a, &c->listing);
    args->o_type = (int)c->o.type;
    if (!ga__mul(a->batch * a->heads, c->listing.blocks * args->splits, &blocks) || blocks > INT32_MAX) {
        GA_TRY(ga__fail(c->context, GA_LIMIT, "attention: too many blocks of queries for a device"));
    }
    GA_TRY(ga__traffic_out_view(t, &c->o, &args->o));
    GA_TRY(ga__traffic_out_view(t, &c->lse, &args->lse));
    if (args->splits > 1) {
        parts = a->batch * a->heads * a->queries * args->splits;
        if (!ga__mul(parts, a->dim_v * (int64_t)sizeof(float), &bytes)) {
            GA_TRY(ga__fail(c->context, GA_OVERFLOW, "attention: parts of rows: too many"));
        }
        GA_TRY(ga__traffic_scratch(t, bytes, &args->part_o));
        GA_TRY(ga__traffic_scratch(t, parts * 2 * (int64_t)sizeof(float), &args->part_stat));
    }
done:
    return status;
}

ga__tile_forward_launch_args ga__tile_call_args(const ga__tile_call *c)
{
    const ga__attention *a = c->a;
    return (ga__tile_forward_launch_args){ .batch = a->batch,
                                           .heads = a->heads,
                                           .group = a->group,
                                           .queries = a->queries,
                                           .places = a->places,
                                           .dim = a->dim,
                                           .dim_v = a->dim_v,
                                           .kind = (int)a->normaliser.kind,
                                           .scale = (float)a->scale,
                                           .eps = (float)a->normaliser.eps };
}

static ga_status launch(const ga__tile_call *c)
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__tile_forward_launch_args args = ga__tile_call_args(c);
    if ((status = ga__traffic_open(c->context, "attention", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__tile_call_bring(c, &traffic, &args));
    GA_TRY(make_outputs(c, &traffic, &args));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->tile_forward(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}

ga_status ga__tiles_forward_on_device(ga_context *context, const ga__attention *a,
                                      const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga__tile_call c = { .context = context, .a = a };
    const char *why = cannot(a, result);
    if (why) {
        return ga__device_refuse(context, "attention", why);
    }
    GA_TRY(read_outputs(&c, result));
    if (a->batch == 0 || a->heads == 0 || a->queries == 0 || (!c.o.data && !c.lse.data)) {
        goto done;
    }
    GA_TRY(ga__tile_call_prepare(&c));
    GA_TRY(launch(&c));
done:
    ga__tile_call_release(&c);
    return status;
}
