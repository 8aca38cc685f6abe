/* region_tiles.c - regions in single precision, on the engine.
 *
 * Regions that keep the same tokens, and have none of their own, give a pixel the same: one dense problem serves the
 * pixels of all of them, and its output counts as often as regions of it contain the pixel. The logarithm of the gates is
 * the bias. */
#include "config.h"

#include "attention/vision/region.h"

#include <stdlib.h>
#include <string.h>

#include "attention/vision/slab.h"

enum { MOST_CELLS = 1 << 22 }; /* of what a block of pixels needs, where more than one pixel fits */

/* A region and a mark that is equal where the kept tokens are. */
typedef struct region {
    uint64_t mark;
    int64_t number;
} region;

typedef struct tiles {
    ga__job *run;
    const ga__region *t;
    int64_t regions, most; /* most: tokens of a problem */
    region *order;         /* owned: all regions, equal ones side by side */
    int64_t *tokens;       /* owned: the kept ones of a problem */
    int64_t *times;        /* owned: how often every pixel is in the problem; all 0 between problems */
    int64_t *pixels;       /* owned: those of the problem */
    void *k, *v;           /* owned: (1|B, G, tokens, .): kept tokens, then the region's own */
    float *gates;          /* owned: (cells, tokens): logarithms */
    int64_t rows;          /* pixels of a block */
    void *q;               /* owned: (B, H, rows, D) */
    float *bias, *o;       /* owned: (rows, tokens), (B, H, rows, Dv) */
} tiles;

static void close_tiles(tiles *w)
{
    ga_context *context = w->run->context;
    void *const all[] = {
        w->order, w->tokens, w->times, w->pixels, w->k, w->v, w->gates, w->q, w->bias, w->o
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_free(context, all[i]);
    }
}

/* ---- regions that keep the same ---- */

static int compare(const void *a, const void *b)
{
    const region *x = a, *y = b;
    return x->mark != y->mark ? (x->mark > y->mark ? 1 : -1)
                              : (x->number > y->number) - (x->number < y->number);
}

static void sort_regions(const tiles *w)
{
    const ga__screen *s = w->t->s;
    for (int64_t i = 0; i < w->regions; i++) {
        uint64_t mark = w->t->own > 0 ? (uint64_t)i : 14695981039346656037u; /* FNV-1a */
        for (int64_t c = 0; c < s->tokens && w->t->own == 0; c++) {
            mark = (mark ^ s->kept[i * s->tokens + c]) * 1099511628211u;
        }
        w->order[i] = (region){ mark, i };
    }
    qsort(w->order, (size_t)w->regions, sizeof *w->order, compare);
}

/* Regions from the first that belong to one problem. */
static int64_t equal_regions(const tiles *w, int64_t first)
{
    const ga__screen *s = w->t->s;
    const uint8_t *kept = s->kept + w->order[first].number * s->tokens;
    int64_t last = first + 1;
    while (last < w->regions && w->t->own == 0 &&
           memcmp(kept, s->kept + w->order[last].number * s->tokens, (size_t)s->tokens) == 0) {
        last++;
    }
    return last - first;
}

/* ---- a problem ---- */

/* Fills pixels and times; the number of pixels. */
static int64_t list_pixels(const tiles *w, int64_t first, int64_t regions)
{
    const ga__screen *s = w->t->s;
    int64_t count = 0;
    for (int64_t i = first; i < first + regions; i++) {
        int64_t top = s->starts[0][w->order[i].number / s->count[1]];
        int64_t left = s->starts[1][w->order[i].number % s->count[1]];
        for (int64_t y = top; y < top + s->side[0]; y++) {
            for (int64_t x = left; x < left + s->side[1]; x++) {
                if (w->times[y * s->shape[1] + x]++ == 0) {
                    w->pixels[count++] = y * s->shape[1] + x;
                }
            }
        }
    }
    return count;
}

/* Kept tokens; their number. */
static int64_t list_tokens(const tiles *w, int64_t number)
{
    const ga__screen *s = w->t->s;
    int64_t count = 0;
    for (int64_t c = 0; c < s->tokens; c++) {
        if (s->kept[number * s->tokens + c]) {
            w->tokens[count++] = c;
        }
    }
    return count;
}

/* The tokens of a problem, in C order: kept ones of every batch entry, then the region's own. */
static void gather_tokens(const tiles *w, const ga__view *from, const ga__view *own, int64_t number,
                          int64_t kept, void *to)
{
    int64_t all = kept + w->t->own, row = from->columns * ga__slab_size(from->type);
    ga__slab_gather(from, 0, from->batch, kept, w->tokens, all, to);
    for (int64_t b = 0; b < from->batch && w->t->own > 0; b++) {
        char *at = (char *)to + (b * from->heads * all + kept) * row;
        ga__slab_gather(own, number, 1, w->t->own, NULL, all, at);
    }
}

static void fill_gates(const tiles *w, int64_t kept, int64_t all)
{
    const ga__screen *s = w->t->s;
    int64_t cells = s->low[0] * s->low[1];
    for (int64_t j = 0; j < all; j++) {
        for (int64_t i = 0; i < cells; i++) {
            double gate = j < kept ? s->gate[w->tokens[j] * cells + i] : 1;
            w->gates[i * all + j] = j < kept ? (float)log(gate > s->eps ? gate : s->eps) : 0;
        }
    }
}

/* ---- a block of pixels ---- */

/* q and bias of the pixels. */
static void gather_pixels(const tiles *w, const int64_t *pixels, int64_t count, int64_t tokens)
{
    const ga__screen *s = w->t->s;
    ga__slab_gather(&w->t->q, 0, w->t->q.batch, count, pixels, count, w->q);
    for (int64_t i = 0; i < count; i++) {
        int64_t y = pixels[i] / s->shape[1], x = pixels[i] % s->shape[1];
        int64_t cell = s->cell[0][y] * s->low[1] + s->cell[1][x];
        memcpy(w->bias + i * tokens, w->gates + cell * tokens, (size_t)tokens * sizeof *w->bias);
    }
}

static void add_pixels(const tiles *w, const int64_t *pixels, int64_t count)
{
    const ga__view *o = &w->t->o;
    for (int64_t slice = 0; slice < o->batch * o->heads; slice++) {
        for (int64_t i = 0; i < count; i++) {
            const float *from = w->o + (slice * count + i) * o->columns;
            float *to = ga__view_row(o, slice / o->heads, slice % o->heads, pixels[i]);
            float times = (float)w->times[pixels[i]];
            for (int64_t c = 0; c < o->columns; c++) {
                to[c] += times * from[c];
            }
        }
    }
}

static ga_status attend_pixels(const tiles *w, const int64_t *pixels, int64_t count, int64_t tokens)
{
    ga_status status = GA_OK;
    const ga__region *t = w->t;
    ga_attention problem = GA_ATTENTION_INIT;
    ga_pattern *pattern = NULL;
    ga__slab q, k, v, bias, o;
    ga__slab_over_type(&q, w->q, t->q.type, (const int64_t[]){ t->q.batch, t->q.heads, count, t->q.columns });
    ga__slab_over_type(&k, w->k, t->k.type,
                       (const int64_t[]){ t->k.batch, t->k.heads, tokens, t->k.columns });
    ga__slab_over_type(&v, w->v, t->v.type,
                       (const int64_t[]){ t->v.batch, t->v.heads, tokens, t->v.columns });
    ga__slab_over(&bias, w->bias, (const int64_t[]){ 1, 1, count, tokens });
    ga__slab_over(&o, w->o, (const int64_t[]){ t->o.batch, t->o.heads, count, t->o.columns });
    gather_pixels(w, pixels, count, tokens);
    GA_TRY(ga_pattern_full(w->run->context, count, tokens, false, &pattern));
    problem.q = &q.tensor;
    problem.k = &k.tensor;
    problem.v = &v.tensor;
    problem.pattern = pattern;
    problem.score.scale = t->scale;
    problem.score.bias = &bias.tensor;
    GA_TRY(ga_attention_forward(w->run->context, &problem, GA_FAMILY_AUTO,
                                &(ga_attention_result){ .o = &o.tensor }, NULL));
    add_pixels(w, pixels, count);
done:
    ga_pattern_destroy(w->run->context, pattern);
    return status;
}

static ga_status attend_regions(const tiles *w, int64_t first, int64_t regions)
{
    ga_status status = GA_OK;
    int64_t number = w->order[first].number, pixels = list_pixels(w, first, regions);
    int64_t kept = list_tokens(w, number), tokens = kept + w->t->own;
    if (tokens > 0) {
        gather_tokens(w, &w->t->k, &w->t->k_region, number, kept, w->k);
        gather_tokens(w, &w->t->v, &w->t->v_region, number, kept, w->v);
        fill_gates(w, kept, tokens);
    }
    for (int64_t i = 0; i < pixels && tokens > 0; i += w->rows) {
        GA_TRY(attend_pixels(w, w->pixels + i, ga__min(w->rows, pixels - i), tokens));
    }
    for (int64_t i = 0; i < pixels; i++) {
        w->times[w->pixels[i]] = 0;
    }
done:
    return status;
}

/* ---- the call ---- */

static ga_status new_bytes(ga_context *context, const ga__view *like, int64_t rows, void **out)
{
    int64_t size = 0;
    if (!ga__mul(like->batch * like->heads * like->columns, rows, &size)) {
        return ga__fail(context, GA_OVERFLOW, "region: too many tokens");
    }
    return ga_alloc(context, ga__max(size, 1), (size_t)ga__slab_size(like->type), out);
}

static ga_status open_tiles(tiles *w)
{
    ga_status status = GA_OK;
    const ga__region *t = w->t;
    const ga__screen *s = t->s;
    ga_context *context = w->run->context;
    int64_t cells = 0, pixels = w->run->queries;
    int64_t wide = ga__max(w->most, t->q.batch * t->q.heads * ga__max(t->q.columns, t->v.columns));
    w->rows = ga__min(pixels, ga__max(MOST_CELLS / wide, 1));
    if (!ga__mul(s->low[0] * s->low[1], w->most, &cells)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "region: too many tokens"));
    }
    GA_TRY(GA_NEW(context, w->regions, &w->order));
    GA_TRY(GA_NEW(context, s->tokens + 1, &w->tokens));
    GA_TRY(GA_NEW_ZERO(context, pixels, &w->times));
    GA_TRY(GA_NEW(context, pixels, &w->pixels));
    GA_TRY(new_bytes(context, &t->k, w->most, &w->k));
    GA_TRY(new_bytes(context, &t->v, w->most, &w->v));
    GA_TRY(GA_NEW(context, cells, &w->gates));
    GA_TRY(new_bytes(context, &t->q, w->rows, &w->q));
    GA_TRY(GA_NEW(context, w->rows * w->most, &w->bias));
    status = GA_NEW(context, t->o.batch * t->o.heads * w->rows * t->o.columns, &w->o);
done:
    return status;
}

static void divide_by_covering(const ga__region *t)
{
    const ga__screen *s = t->s;
    for (int64_t slice = 0; slice < t->o.batch * t->o.heads; slice++) {
        for (int64_t i = 0; i < t->o.rows; i++) {
            float *o = ga__view_row(&t->o, slice / t->o.heads, slice % t->o.heads, i);
            float share = 1 / (float)ga__region_covering(s, i / s->shape[1], i % s->shape[1]);
            for (int64_t c = 0; c < t->o.columns; c++) {
                o[c] *= share;
            }
        }
    }
}

ga_status ga__region_tiles(ga__job *run, const ga__region *t)
{
    ga_status status = GA_OK;
    tiles w = {
        .run = run, .t = t, .regions = t->s->count[0] * t->s->count[1], .most = t->s->tokens + t->own
    };
    memset(t->o.data, 0,
           (size_t)(t->o.batch * t->o.heads * t->o.rows * t->o.columns) * sizeof(float)); /* C order */
    GA_TRY(open_tiles(&w));
    sort_regions(&w);
    for (int64_t i = 0, some = 0; i < w.regions; i += some) {
        GA_TRY(ga__check(run->context));
        some = equal_regions(&w, i);
        GA_TRY(attend_regions(&w, i, some));
    }
    divide_by_covering(t);
done:
    close_tiles(&w);
    return status;
}
