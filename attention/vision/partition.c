/* partition.c - an image cut into tiles: resized size, boxes, places, token offsets (attention-static section 22).
 *
 * c = min(ceil(longer / S), G); the longer side becomes S c, the shorter one max(floor(S c shorter / longer), 1) rounded
 * up to S times at most G. The thumbnail of the whole comes first; a single tile is the whole once more. */
#include "config.h"

#include "attention/blocks.h"

#define LIMIT GA__WITHIN(1, 1 << 30)
static const ga_parameter parameters[] = {
    { "width", GA_PARAMETER_INT, NULL, ">= 1", "pixels", LIMIT, .required = true },
    { "height", GA_PARAMETER_INT, NULL, ">= 1", "pixels", LIMIT, .required = true },
    { "tile", GA_PARAMETER_INT, "336", ">= 1", "side of a tile, S", LIMIT },
    { "max_side", GA_PARAMETER_INT, "3", ">= 1", "tiles a side at most, G", GA__WITHIN(1, 1 << 15) },
    { "tokens_per_tile", GA_PARAMETER_INT, "576", ">= 1", "tokens of a tile, p", LIMIT },
    { "merge", GA_PARAMETER_INT, "4", ">= 1", "tokens joined in the tiles", LIMIT },
    { .name = NULL },
};

typedef struct layout {
    int64_t tile, columns, rows, tiles, whole_tokens, tile_tokens;
    int64_t size[2];
} layout;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static ga_status lay_out(ga__block_run *run, layout *l)
{
    int64_t width = ga__block_integer(run, "width"), height = ga__block_integer(run, "height");
    int64_t most = ga__block_integer(run, "max_side"), product = 0;
    bool tall = height >= width;
    int64_t longer = tall ? height : width, shorter = tall ? width : height;
    l->tile = ga__block_integer(run, "tile");
    int64_t along = ga__min(ceil_div(longer, l->tile), most);
    if (!ga__mul(l->tile * along, shorter, &product)) {
        return ga__fail(run->context, GA_OVERFLOW, "partition: the image is too large");
    }
    int64_t across = ga__min(ceil_div(ga__max(product / longer, 1), l->tile), most);
    l->columns = tall ? across : along;
    l->rows = tall ? along : across;
    l->tiles = l->columns * l->rows;
    l->size[0] = l->tile * l->columns;
    l->size[1] = l->tile * l->rows;
    l->whole_tokens = ga__block_integer(run, "tokens_per_tile") + 1;
    l->tile_tokens = ga__block_integer(run, "tokens_per_tile") / ga__block_integer(run, "merge") + 1;
    return GA_OK;
}

/* ---- the outputs ---- */

static void fill_size(const layout *l, int64_t *out)
{
    out[0] = l->size[0];
    out[1] = l->size[1];
}

static void fill_grid(const layout *l, int64_t *out)
{
    out[0] = l->columns;
    out[1] = l->rows;
}

/* x0 y0 x1 y1 */
static void fill_boxes(const layout *l, int64_t *out)
{
    for (int64_t i = 0; i <= l->tiles; i++, out += 4) {
        int64_t column = i ? (i - 1) % l->columns : 0, row = i ? (i - 1) / l->columns : 0;
        out[0] = column * l->tile;
        out[1] = row * l->tile;
        out[2] = i ? out[0] + l->tile : l->size[0];
        out[3] = i ? out[1] + l->tile : l->size[1];
    }
}

static void fill_index(const layout *l, int64_t *out)
{
    for (int64_t i = 0; i <= l->tiles; i++, out += 2) {
        out[0] = i ? (i - 1) / l->columns + 1 : 0;
        out[1] = i ? (i - 1) % l->columns + 1 : 0;
    }
}

static void fill_offsets(const layout *l, int64_t *out)
{
    out[0] = 0;
    for (int64_t i = 0; i <= l->tiles; i++) {
        out[i + 1] = out[i] + (i ? l->tile_tokens : l->whole_tokens);
    }
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    layout l = { 0 };
    GA_TRY(lay_out(run, &l));
    const struct {
        const char *name;
        void (*fill)(const layout *l, int64_t *out);
        int axes;
        int64_t shape[2];
    } outputs[] = { { "size", fill_size, 1, { 2, 0 } },
                    { "grid", fill_grid, 1, { 2, 0 } },
                    { "boxes", fill_boxes, 2, { l.tiles + 1, 4 } },
                    { "index", fill_index, 2, { l.tiles + 1, 2 } },
                    { "offsets", fill_offsets, 1, { l.tiles + 2, 0 } } };
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        DLTensor *out = NULL;
        if (ga__block_wants(run, outputs[i].name)) {
            GA_TRY(ga__block_output_of(run, outputs[i].name, ga__type_i64, outputs[i].axes, outputs[i].shape,
                                       &out));
            outputs[i].fill(&l, out->data);
        }
    }
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__block_partition = {
    .name = "partition",
    .summary = "resized size, grid of tiles, boxes and token offsets for an image size",
    .source = "AdaptVision, 2408.16986",
    .plan = "integers only",
    .outputs = "size, grid, boxes, index, offsets",
    .parameters = parameters,
    .ops = &ops,
};
