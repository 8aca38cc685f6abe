/* tile_terms.c - terms of keys in a score, packed by place for tiles. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

static ga_status pack(ga_context *context, const ga__attention *a, const ga__view *term, double otherwise,
                      int64_t places, float **out)
{
    ga_status status = GA_OK;
    const int32_t *real = a->pattern->real;
    int64_t slices = term->heads * term->rows, count = 0;
    if (!term->data) {
        return GA_OK;
    }
    if (!ga__mul(slices, places, &count)) {
        return ga__fail(context, GA_OVERFLOW, "terms of keys: too many");
    }
    GA_TRY(GA_NEW(context, count, out));
    for (int64_t slice = 0; slice < slices; slice++) {
        float *to = *out + slice * places;
        for (int64_t place = 0; place < places; place++) {
            int64_t key = place >= a->places ? -1 : real ? real[place] : place;
            to[place] = (float)(key < 0 ? otherwise
                                        : ga__view_get(term, 0, slice / term->rows, slice % term->rows, key));
        }
    }
done:
    return status;
}

ga_status ga__tile_terms_pack(ga_context *context, const ga__attention *a, ga__tile_packed_terms *terms)
{
    ga_status status = GA_OK;
    terms->places = (a->places + GA__TILE - 1) / GA__TILE * GA__TILE;
    GA_TRY(pack(context, a, &a->column_bias, 0, terms->places, &terms->bias));
    GA_TRY(pack(context, a, &a->column_factor, 1, terms->places, &terms->factor));
    GA_TRY(pack(context, a, &a->column_gain, 0, terms->places, &terms->gain));
done:
    return status;
}

void ga__tile_terms_free(ga_context *context, ga__tile_packed_terms *terms)
{
    ga_free(context, terms->bias);
    ga_free(context, terms->factor);
    ga_free(context, terms->gain);
}

void ga__tile_terms_at(const ga__tile_item *item, int64_t row, int rows, int64_t place, ga__tile_terms *terms)
{
    const ga__attention *a = item->tiles->a;
    const ga__tile_packed_terms *from = &item->tiles->terms;
    for (int i = 0; i < rows; i++) {
        int64_t head = ga__tile_head(item, row + i);
        bool gains = ga__tile_query(item, row + i) >= a->problem->score.gain_from;
        terms->bias[i] = ga__tile_term(from, &a->column_bias, from->bias, item->batch, head, place);
        terms->factor[i] = ga__tile_term(from, &a->column_factor, from->factor, item->batch, head, place);
        terms->gain[i] =
            gains ? ga__tile_term(from, &a->column_gain, from->gain, item->batch, head, place) : NULL;
    }
}
