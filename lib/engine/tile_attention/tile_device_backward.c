/* tile_device_backward.c - gradients of attention by tiles on the context's device. */
#include "config.h"

#include "lib/engine/tile_attention/tile_device_call.h"

/* ---- what is refused ---- */

static const char *cannot(const ga__attention *a, const ga_attention_gradients *g)
{
    ga_normaliser_kind kind = a->normaliser.kind;
    const DLTensor *others[] = { g->bias,       g->table,       g->edge_bias,    g->slopes,  g->sigmoid_bias,
                                 g->eta_logits, g->k_extra,     g->v_extra,      g->ghost_k, g->ghost_v,
                                 g->head_scale, g->column_bias, g->column_factor };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (others[i]) {
            return "give gradients but those of q, k and v";
        }
    }
    if (a->q.type >= GA__F64 || a->k.type >= GA__F64 || a->v.type >= GA__F64 || a->bias.type >= GA__F64) {
        return "compute in f64";
    }
    if (a->edge_bias.data) {
        return "add an edge bias";
    }
    if (kind != GA_SOFTMAX && kind != GA_SIGMOID && kind != GA_IDENTITY) {
        return "give gradients but of softmax, sigmoid and identity";
    }
    if (a->softcap > 0 || a->column_factor.data || a->column_gain.data || a->head_scale.data) {
        return "give gradients through softcap, factors and gains";
    }
    if (a->places != a->keys || a->pattern->real || a->given_kv_heads * a->group != a->heads) {
        return "give gradients of extra keys and ghosts";
    }
    if (ga__max(a->dim, a->dim_v) > GA__DEVICE_TILE_WIDTH) {
        return "take heads of more than 256 columns";
    }
    return NULL;
}

/* ---- lists by places ---- */

static ga_status transpose(ga_context *context, const ga__tile_listing *l, int64_t tiles,
                           ga__tile_listing *to)
{
    ga_status status = GA_OK;
    int64_t *at = NULL, rows = l->heads * tiles;
    *to = (ga__tile_listing){ .heads = l->heads, .blocks = tiles, .count = l->count };
    GA_TRY(GA_NEW_ZERO(context, rows + 1, &to->offsets));
    GA_TRY(GA_NEW(context, rows, &at));
    GA_TRY(GA_NEW(context, l->count, &to->place));
    GA_TRY(GA_NEW(context, l->count, &to->mask));
    for (int64_t row = 0; row < l->heads * l->blocks; row++) {
        for (int64_t i = l->offsets[row]; i < l->offsets[row + 1]; i++) {
            to->offsets[row / l->blocks * tiles + l->place[i] / GA__DEVICE_TILE + 1]++;
        }
    }
    for (int64_t row = 0; row < rows; row++) {
        to->offsets[row + 1] += to->offsets[row];
        at[row] = to->offsets[row];
    }
    for (int64_t row = 0; row < l->heads * l->blocks; row++) {
        for (int64_t i = l->offsets[row]; i < l->offsets[row + 1]; i++) {
            int64_t j = at[row / l->blocks * tiles + l->place[i] / GA__DEVICE_TILE]++;
            to->place[j] = (int32_t)(row % l->blocks * GA__DEVICE_TILE);
            to->mask[j] = l->mask[i];
        }
    }
done:
    ga_free(context, at);
    return status;
}

/* ---- the call ---- */

static ga_status read_gradient(ga_context *context, const DLTensor *tensor, ga__view *view)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(context, "gradient", tensor, true, view));
    if (view->data && view->type == GA__F64) {
        GA_TRY(ga__device_refuse(context, "attention", "give gradients in f64"));
    }
done:
    return status;
}

static ga_status make_room(const ga__tile_call *c, ga__traffic *t, ga__tile_backward_launch_args *args)
{
    ga_status status = GA_OK;
    const ga__attention *a = c->a;
    int64_t rows = a->batch * a->heads * a->queries, bytes = 0;
    args->forward.splits = 1;
    args->forward.o_type = (int)GA__F32;
    if (!ga__mul(rows, a->dim_v * (int64_t)sizeof(float), &bytes)) {
        return ga__fail(c->context, GA_OVERFLOW, "attention: too many rows");
    }
    if (a->normaliser.kind == GA_SOFTMAX) {
        GA_TRY(ga__traffic_scratch(t, bytes, &args->forward.o));
        GA_TRY(ga__traffic_scratch(t, rows * (int64_t)sizeof(float), &args->forward.lse));
        GA_TRY(ga__traffic_scratch(t, rows * (int64_t)sizeof(float), &args->dots));
    }
done:
    return status;
}

static ga_status launch(const ga__tile_call *c, const ga__tile_listing *places, const ga__view *grad_o,
                        const ga__view grad[3])
{
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__tile_backward_launch_args args = { .forward = ga__tile_call_args(c) };
    if ((status = ga__traffic_open(c->context, "attention", &traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__tile_call_bring(c, &traffic, &args.forward));
    GA_TRY(ga__tile_listing_in(&traffic, places, &args.places));
    GA_TRY(ga__traffic_in_matrix(&traffic, grad_o, &args.grad_o));
    GA_TRY(make_room(c, &traffic, &args));
    GA_TRY(ga__traffic_out_view(&traffic, &grad[0], &args.grad_q));
    GA_TRY(ga__traffic_out_view(&traffic, &grad[1], &args.grad_k));
    GA_TRY(ga__traffic_out_view(&traffic, &grad[2], &args.grad_v));
    GA_TRY(ga__traffic_check(&traffic, traffic.table->tile_backward(&args, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}

ga_status ga__tiles_backward_on_device(ga_context *context, const ga__attention *a,
                                       const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    ga__tile_call c = { .context = context, .a = a };
    ga__tile_listing places = { 0 };
    ga__view grad_o, grad[3];
    int64_t tiles = (a->places + GA__DEVICE_TILE - 1) / GA__DEVICE_TILE, blocks = 0;
    const char *why = cannot(a, g);
    if (why) {
        return ga__device_refuse(context, "attention", why);
    }
    GA_TRY(ga__view_anywhere(context, "grad_o", g->grad_o, true, &grad_o));
    if (grad_o.type == GA__F64) {
        GA_TRY(ga__device_refuse(context, "attention", "read gradients in f64"));
    }
    const DLTensor *wanted[] = { g->q, g->k, g->v };
    for (int i = 0; i < 3; i++) {
        GA_TRY(read_gradient(context, wanted[i], &grad[i]));
    }
    if (a->batch == 0 || a->heads == 0) {
        goto done;
    }
    GA_TRY(ga__tile_call_prepare(&c));
    if (!ga__mul(a->batch * a->heads, ga__max(tiles, c.listing.blocks), &blocks) || blocks > INT32_MAX) {
        GA_TRY(ga__fail(context, GA_LIMIT, "attention: too many blocks for a device"));
    }
    GA_TRY(transpose(context, &c.listing, tiles, &places));
    GA_TRY(launch(&c, &places, &grad_o, grad));
done:
    ga__tile_call_release(&c);
    ga__tile_listing_free(context, &places);
    return status;
}
