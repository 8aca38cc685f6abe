/* tile_classes.c - a post step by classes of keys in one pass: every class has values and sums of its own. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

static int64_t blocks_of(const ga__tiles *tiles)
{
    return (tiles->a->places + GA__TILE - 1) / GA__TILE;
}

static void label_slice(const ga__tiles *tiles, const int32_t *classes, uint64_t *label)
{
    const ga__attention *a = tiles->a;
    for (int64_t place = 0; place < a->places; place++) {
        int64_t key = a->pattern->real ? a->pattern->real[place] : place;
        int64_t class = key < 0 ? tiles->classes - 1 : classes[key];
        label[place / GA__TILE * tiles->classes + class] |= UINT64_C(1) << place % GA__TILE;
    }
}

ga_status ga__tile_labels_make(ga__tiles *tiles)
{
    ga_status status = GA_OK;
    const ga__attention *a = tiles->a;
    const ga_post *post = tiles->classwise;
    bool others = a->pattern->real && a->places > a->keys;
    int64_t batches = post->class_stride_batch != 0 ? a->batch : 1;
    int64_t heads = post->class_stride_head != 0 ? a->heads : 1, each = 0, count = 0;
    tiles->classes = (int)post->class_count + others;
    tiles->stride_acc = tiles->classes * (tiles->stride_v + GA__LANES);
    if (!ga__mul(blocks_of(tiles), tiles->classes, &each) || !ga__mul(batches * heads, each, &count)) {
        GA_TRY(ga__fail(tiles->context, GA_OVERFLOW, "post: too many labels"));
    }
    GA_TRY(GA_NEW_ZERO(tiles->context, count, &tiles->label));
    for (int64_t slice = 0; slice < batches * heads; slice++) {
        label_slice(tiles, ga__post_classes(post, slice / heads, slice % heads), tiles->label + slice * each);
    }
done:
    return status;
}

void ga__tile_labels(const ga__tile_item *item, int64_t row, int rows, int64_t place, const uint64_t **label)
{
    const ga__tiles *tiles = item->tiles;
    const ga_post *post = tiles->classwise;
    int64_t heads = post->class_stride_head != 0 ? tiles->a->heads : 1;
    for (int i = 0; i < rows; i++) {
        int64_t batch = post->class_stride_batch != 0 ? item->batch : 0;
        int64_t head = post->class_stride_head != 0 ? ga__tile_head(item, row + i) : 0;
        int64_t block = (batch * heads + head) * blocks_of(tiles) + place / GA__TILE;
        label[i] = tiles->label + block * tiles->classes;
    }
}

void ga__tile_fold(const ga__tile_item *item, int64_t r, double inverse)
{
    const ga__tiles *tiles = item->tiles;
    const ga_post *post = tiles->classwise;
    float *acc = item->room->acc + r * tiles->stride_acc;
    const float *sums = acc + tiles->classes * tiles->stride_v;
    double mass[8], factors[9];
    for (int c = 0; c < tiles->classes; c++) {
        factors[c] = 1;
        if (c < post->class_count) {
            mass[c] = tiles->ops->total(sums + c * GA__LANES) * inverse;
        }
    }
    post->factors(post->user, item->batch, ga__tile_head(item, r), ga__tile_query(item, r), mass, factors);
    for (int64_t at = 0; at < tiles->stride_v; at++) {
        float sum = 0;
        for (int c = 0; c < tiles->classes; c++) {
            sum += (float)factors[c] * acc[c * tiles->stride_v + at];
        }
        acc[at] = sum;
    }
}
