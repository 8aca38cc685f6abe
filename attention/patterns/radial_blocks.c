/* radial_blocks.c - the block form of radial: masks of frame pairs, cut to blocks (attention-static section 9). */
#include "config.h"

#include <string.h>

#include "attention/patterns/radial.h"

static int bit_length(int64_t x)
{
    int bits = 0;
    for (; x > 0; x >>= 1) {
        bits++;
    }
    return bits;
}

/* Elements (r, c) of a frame pair are on iff |r - c| <= W; -1: the pair is dropped. */
static int64_t band(const ga__radial *r, int64_t i, int64_t j)
{
    int64_t distance = i < j ? j - i : i - j;
    int g = bit_length(distance);
    double most = ldexp(1, bit_length(r->tokens)), share = ldexp(most, -g);
    if (r->sink && j == 0) {
        return r->tokens;
    }
    if (share < (double)r->thin && fmod((double)distance, floor((double)r->thin / share)) != 0) {
        return -1;
    }
    double width = distance == 0   ? (double)r->tokens
                   : distance == 1 ? r->near * (double)r->tokens
                                   : fmax(r->decay * share, (double)r->block);
    return width < (double)r->tokens ? (int64_t)width : r->tokens;
}

/* Rows first .. last - 1 of column c that are within the band. */
static int64_t rows_on(int64_t first, int64_t last, int64_t c, int64_t width)
{
    return ga__max(ga__min(last, c + width + 1) - ga__max(first, c - width), 0);
}

/* A block is on iff 5 n_many > 3 n_any, n_any its columns with a row on, n_many those with more than b / 3. */
static bool is_on(const ga__radial *r, int64_t width, const int64_t row[2], const int64_t column[2])
{
    int64_t any = 0, many = 0;
    for (int64_t c = column[0]; c < column[1]; c++) {
        int64_t rows = rows_on(row[0], row[1], c, width);
        any += rows > 0;
        many += 3 * rows > r->block;
    }
    return 5 * many > 3 * any;
}

/* Elements of a frame that lie in its u-th block, when it starts `offset` elements into the first one. */
static void cut(const ga__radial *r, int64_t u, int64_t offset, int64_t range[2])
{
    range[0] = ga__max(u * r->block - offset, 0);
    range[1] = ga__min((u + 1) * r->block - offset, r->tokens);
}

static void add_pair(const ga__radial *r, int64_t i, int64_t j, int64_t blocks, uint8_t *map)
{
    int64_t b = r->block, width = band(r, i, j), side = (r->tokens + b - 1) / b;
    int64_t at_row = i * r->tokens, at_column = j * r->tokens, row[2], column[2];
    for (int64_t u = 0; width >= 0 && u < side && at_row / b + u < blocks; u++) {
        cut(r, u, at_row % b, row);
        for (int64_t v = 0; v < side && at_column / b + v < blocks; v++) {
            cut(r, v, at_column % b, column);
            if (is_on(r, width, row, column)) {
                map[(at_row / b + u) * blocks + at_column / b + v] = 1;
            }
        }
    }
}

ga_status ga__radial_blocks(ga_context *context, const ga__radial *r, int64_t blocks, uint8_t *map)
{
    ga_status status = GA_OK;
    int64_t video = r->frames * r->tokens / r->block;
    memset(map, 0, (size_t)(blocks * blocks));
    for (int64_t i = 0; i < r->frames; i++) {
        GA_TRY(ga__check(context));
        for (int64_t j = 0; j < r->frames; j++) {
            add_pair(r, i, j, blocks, map);
        }
    }
    for (int64_t u = 0; u < blocks; u++) {
        for (int64_t v = u < video ? video : 0; v < blocks; v++) {
            map[u * blocks + v] = 1;
        }
    }
done:
    return status;
}
