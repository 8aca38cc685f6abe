/* backward_terms.c - terms of keys in the tiles' backward pass: where a tile finds them, and their gradients. */
#include "config.h"

#include "lib/engine/tile_attention/backward_item.h"

static ga_status make_sums(const ga__back *back, bool wanted, double **sums)
{
    const ga__attention *a = back->a;
    int64_t count = 0;
    if (!wanted) {
        return GA_OK;
    }
    if (!ga__mul(a->batch * a->heads, back->chunks, &count) || !ga__mul(count, a->places, &count)) {
        return ga__fail(back->context, GA_OVERFLOW, "gradients of terms of keys: too large");
    }
    return GA_NEW_ZERO(back->context, count, sums);
}

ga_status ga__back_terms_make(ga__back *back, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(back->context, "gradient of column_bias", g->column_bias, true, &back->column_bias));
    GA_TRY(ga__view_of(back->context, "gradient of column_factor", g->column_factor, true,
                       &back->column_factor));
    GA_TRY(ga__tile_terms_pack(back->context, back->a, &back->terms));
    GA_TRY(make_sums(back, g->column_bias, &back->bias_sums));
    GA_TRY(make_sums(back, g->column_factor, &back->factor_sums));
done:
    return status;
}

void ga__back_terms_free(ga__back *back)
{
    ga__tile_terms_free(back->context, &back->terms);
    ga_free(back->context, back->bias_sums);
    ga_free(back->context, back->factor_sums);
}

void ga__back_terms_aim(const ga__back_part *part, ga__back_tile *tile)
{
    const ga__back *back = part->back;
    const ga__attention *a = back->a;
    const ga__tile_packed_terms *from = &back->terms;
    tile->key_bias = ga__tile_term(from, &a->column_bias, from->bias, part->batch, tile->head, tile->place);
    tile->key_factor =
        ga__tile_term(from, &a->column_factor, from->factor, part->batch, tile->head, tile->place);
    tile->key_gain = ga__tile_term(from, &a->column_gain, from->gain, part->batch, tile->head, tile->place);
    tile->gain_row = a->problem->score.gain_from - tile->query;
    tile->bias_sums = back->bias_sums ? part->room->bias_sums : NULL;
    tile->factor_sums = back->factor_sums ? part->room->factor_sums : NULL;
}

static void add(double *to, const float *from, int64_t count)
{
    for (int64_t j = 0; j < count; j++) {
        to[j] += (double)from[j];
    }
}

void ga__back_terms_add(const ga__back_part *part, const ga__back_tile *tile)
{
    const ga__back *back = part->back;
    const ga__attention *a = back->a;
    int64_t number = (part->batch * a->kv_heads + part->kv) * back->chunks + part->chunk;
    int64_t at = (number * a->group + tile->head - part->kv * a->group) * a->places + tile->place;
    if (tile->bias_sums) {
        add(back->bias_sums + at, tile->bias_sums, tile->places);
    }
    if (tile->factor_sums) {
        add(back->factor_sums + at, tile->factor_sums, tile->places);
    }
}

/* One (batch, head) at a place, over the chunks in order. */
static double sum_chunks(const ga__back *back, const double *sums, int64_t batch, int64_t head, int64_t place)
{
    const ga__attention *a = back->a;
    int64_t slice = batch * a->kv_heads + head / a->group, member = head % a->group;
    double sum = 0;
    for (int64_t chunk = 0; chunk < back->chunks; chunk++) {
        sum += sums[((slice * back->chunks + chunk) * a->group + member) * a->places + place];
    }
    return sum;
}

static void store_place(const ga__back *back, const double *sums, const ga__view *view, int64_t b, int64_t h,
                        int64_t place, int64_t key)
{
    const ga__attention *a = back->a;
    int64_t last_b = view->heads == 1 ? a->batch : b + 1, last_h = view->rows == 1 ? a->heads : h + 1;
    double sum = 0;
    for (int64_t batch = b; batch < last_b; batch++) {
        for (int64_t head = h; head < last_h; head++) {
            sum += sum_chunks(back, sums, batch, head, place);
        }
    }
    ga__view_set(view, 0, b, h, key, sum);
}

static void store(const ga__back *back, const double *sums, const ga__view *view)
{
    const ga__attention *a = back->a;
    for (int64_t slice = 0; sums && slice < view->heads * view->rows; slice++) {
        for (int64_t place = 0; place < a->places; place++) {
            int64_t key = a->pattern->real ? a->pattern->real[place] : place;
            if (key >= 0) {
                store_place(back, sums, view, slice / view->rows, slice % view->rows, place, key);
            }
        }
    }
}

void ga__back_terms_store(const ga__back *back)
{
    store(back, back->bias_sums, &back->column_bias);
    store(back, back->factor_sums, &back->column_factor);
}
