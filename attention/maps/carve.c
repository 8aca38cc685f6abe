/* carve.c - contrast of the maps of a question and of a general instruction: where the question looks (card B5).
 *
 * With a the mean over heads of a last-row map over the image span, C = a^Q / (a^G + lambda_eff) for every step and
 * layer, lambda_eff = lambda + lambda_relative mean(a^G); S = sum_t w_t sum_l of C, resized (bilinear, half-pixel
 * centres). Cells with S >= the (1 - keep) quantile form 4-connected components; those of the largest sums are the mask.
 * What divides 0 by 0 is NaN, and then nothing is kept. */
#include "config.h"

#include <math.h>

#include "attention/maps/carve.h"

static const char *const times[] = { "all", "first", "last", NULL };
enum { ALL, FIRST, LAST };

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "rows,columns", "grid of the tokens", GA__FROM(1),
      .required = true },
    { "out_shape", GA_PARAMETER_INT_LIST, NULL, "rows,columns", "size of the picture; default: shape",
      GA__WITHIN(1, 1 << 20) },
    { "lambda", GA_PARAMETER_REAL, "1e-8", ">= 0", "added to the general map", GA__FROM(0) },
    { "lambda_relative", GA_PARAMETER_REAL, "0", ">= 0", "the same as a share of its mean", GA__FROM(0) },
    { "keep", GA_PARAMETER_REAL, "0.2", "0..1", "share of cells above the threshold", GA__WITHIN(0, 1) },
    { "time", GA_PARAMETER_WORD, "all", NULL, "steps used; of all of them later ones weigh more", times,
      GA__ANY },
    { "components", GA_PARAMETER_INT, "0", "0 = max(3, floor(keep*found))", "components kept", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "question", "(T, L, H, n)", "last-row maps over the image span", .optional = false },
    { "general", "(T', L, H, n)", "last-row maps of the general instruction", .optional = false },
    { .name = NULL },
};

typedef struct carve {
    ga__view question, general;
    int64_t steps, layers, cells; /* T, L, n */
    int64_t grid[2], size[2];     /* of the tokens, of the picture */
    double lambda, relative;
    double *contrast; /* (T, L, n) */
    double *entropy;  /* (T, L) */
    double *score;    /* (size) */
} carve;

/* ---- contrast and entropy of a step and layer ---- */

static void mean_of_heads(const ga__view *maps, int64_t step, int64_t layer, double *row, double *mean)
{
    for (int64_t i = 0; i < maps->columns; i++) {
        mean[i] = 0;
    }
    for (int64_t h = 0; h < maps->rows; h++) {
        ga__view_load_f64(maps, step, layer, h, row);
        for (int64_t i = 0; i < maps->columns; i++) {
            mean[i] += row[i];
        }
    }
    for (int64_t i = 0; i < maps->columns; i++) {
        mean[i] /= (double)maps->rows;
    }
}

/* Of a normalised to sum 1, 0 ln 0 = 0; NaN where the sum is 0. */
static double entropy_of(const double *a, int64_t n)
{
    double sum = 0, entropy = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i];
    }
    for (int64_t i = 0; i < n; i++) {
        double share = a[i] / sum;
        entropy -= share == 0 ? 0 : share * log(share);
    }
    return entropy;
}

static void do_layer(void *user, int64_t unit, double *room)
{
    const carve *c = user;
    int64_t step = unit / c->layers, layer = unit % c->layers, n = c->cells;
    double *question = room, *general = room + n, *contrast = c->contrast + unit * n, mean = 0;
    mean_of_heads(&c->question, step, layer, contrast, question);
    mean_of_heads(&c->general, step, layer, contrast, general);
    for (int64_t i = 0; i < n; i++) {
        mean += general[i] / (double)n;
    }
    double lambda = c->lambda + c->relative * mean;
    for (int64_t i = 0; i < n; i++) {
        contrast[i] = question[i] / (general[i] + lambda);
    }
    c->entropy[unit] = entropy_of(question, n);
}

/* ---- the score ---- */

/* Adds weight times the resized grid. */
static void add_resized(const carve *c, const double *grid, double weight)
{
    for (int64_t y = 0; y < c->size[0]; y++) {
        ga__carve_place down = ga__carve_source(y, c->size[0], c->grid[0]);
        for (int64_t x = 0; x < c->size[1]; x++) {
            ga__carve_place right = ga__carve_source(x, c->size[1], c->grid[1]);
            const double *above = grid + down.low * c->grid[1], *below = grid + down.high * c->grid[1];
            double top = above[right.low] + (above[right.high] - above[right.low]) * right.share;
            double bottom = below[right.low] + (below[right.high] - below[right.low]) * right.share;
            c->score[y * c->size[1] + x] += weight * (top + (bottom - top) * down.share);
        }
    }
}

static ga_status sum_up(ga__block_run *run, const carve *c)
{
    ga_status status = GA_OK;
    int64_t time = ga__block_integer(run, "time");
    int64_t first = time == LAST ? c->steps - 1 : 0, last = time == FIRST ? ga__min(c->steps, 1) : c->steps;
    for (int64_t t = ga__max(first, 0); t < last; t++) {
        for (int64_t l = 0; l < c->layers; l++) {
            GA_TRY(ga__check(run->context));
            add_resized(c, c->contrast + (t * c->layers + l) * c->cells, (double)(t - first + 1));
        }
    }
done:
    return status;
}

/* ---- a run ---- */

static ga_status take_sides(ga__block_run *run, const char *name, int64_t sides[2])
{
    const ga__value *value = ga__part_value(&run->part, name);
    if (value->given && value->count != 2) {
        return ga__part_refuse(&run->part, name, "2 numbers, rows,columns");
    }
    for (int i = 0; value->given && i < 2; i++) {
        sides[i] = value->list[i];
    }
    return GA_OK;
}

static ga_status open_maps(ga__block_run *run, carve *c)
{
    ga_status status = GA_OK;
    int64_t cells = 0;
    GA_TRY(take_sides(run, "shape", c->grid));
    c->size[0] = c->grid[0];
    c->size[1] = c->grid[1];
    GA_TRY(take_sides(run, "out_shape", c->size));
    GA_TRY(ga__maps_view(run, "question", &c->question));
    GA_TRY(ga__maps_view(run, "general", &c->general));
    GA_TRY(ga__view_expect(run->context, "general", &c->general, -1, c->question.heads, c->question.rows,
                           c->question.columns));
    if (!ga__mul(c->grid[0], c->grid[1], &cells) || cells != c->question.columns) {
        GA_TRY(ga__part_refuse(&run->part, "shape", "a product of %lld, the tokens of question",
                               (long long)c->question.columns));
    }
    if (c->question.rows == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "question: no head, expected 1 or more"));
    }
    c->steps = ga__min(c->question.batch, c->general.batch);
    c->layers = c->question.heads;
    c->cells = cells;
    c->lambda = ga__block_real(run, "lambda");
    c->relative = ga__block_real(run, "lambda_relative");
done:
    return status;
}

static ga_status write_maps(ga__block_run *run, const carve *c)
{
    ga_status status = GA_OK;
    DLTensor *out = NULL;
    const int64_t contrast[] = { c->steps, c->layers, c->cells };
    GA_TRY(ga__maps_output(run, "contrast", NULL, 3, contrast, &out));
    if (out) {
        ga__store_numbers(c->contrast, c->steps * c->layers * c->cells, out);
    }
    GA_TRY(ga__maps_output(run, "score", NULL, 2, c->size, &out));
    if (out) {
        ga__store_numbers(c->score, c->size[0] * c->size[1], out);
    }
    GA_TRY(ga__maps_output(run, "entropy", NULL, 1, contrast, &out));
    for (int64_t t = 0; out && t < c->steps; t++) {
        double mean = 0;
        for (int64_t l = 0; l < c->layers; l++) {
            mean += c->entropy[t * c->layers + l];
        }
        ga__set_element(out, t, mean / (double)c->layers);
    }
done:
    return status;
}

static ga_status write_mask(ga__block_run *run, const ga__carve_mask *m)
{
    static const char *const sides[] = { "y0", "x0", "y1", "x1" };
    ga_status status = GA_OK;
    DLTensor *out = NULL;
    int64_t kept = 0;
    GA_TRY(ga__maps_output(run, "threshold", NULL, 0, NULL, &out));
    if (out) {
        ga__set_element(out, 0, m->threshold);
    }
    GA_TRY(ga__maps_output(run, "mask", &ga__type_u8, 2, m->size, &out));
    for (int64_t i = 0; i < m->size[0] * m->size[1]; i++) {
        kept += m->kept[i];
        if (out) {
            ga__u8_of(out)[i] = m->kept[i];
        }
    }
    GA_TRY(ga__maps_output(run, "box", &ga__type_i32, 1, (const int64_t[]){ 4 }, &out));
    ga__report_real(run, "threshold", m->threshold);
    ga__report_integer(run, "components", m->found);
    ga__report_integer(run, "components_kept", m->components);
    ga__report_integer(run, "cells_kept", kept);
    for (int i = 0; i < 4; i++) {
        if (out) {
            ga__i32_of(out)[i] = (int32_t)m->box[i];
        }
        ga__report_integer(run, sides[i], m->box[i]);
    }
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    carve c = { .contrast = NULL };
    ga__carve_mask m = { .keep = ga__block_real(run, "keep"),
                         .components = ga__block_integer(run, "components") };
    int64_t layers = 0, room = 0, pixels = 0;
    GA_TRY(open_maps(run, &c));
    if (!ga__mul(c.steps, c.layers, &layers) || !ga__mul(layers, c.cells, &room) ||
        !ga__mul(c.size[0], c.size[1], &pixels)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "carve: too many cells"));
    }
    GA_TRY(GA_NEW(run->context, room, &c.contrast));
    GA_TRY(GA_NEW(run->context, layers, &c.entropy));
    GA_TRY(GA_NEW_ZERO(run->context, pixels, &c.score));
    GA_TRY(ga__units(run->context, layers, 2 * c.cells, do_layer, &c));
    GA_TRY(sum_up(run, &c));
    m.size[0] = c.size[0];
    m.size[1] = c.size[1];
    GA_TRY(ga__carve_components(run->context, c.score, &m));
    ga__report_integer(run, "steps", c.steps);
    GA_TRY(write_maps(run, &c));
    GA_TRY(write_mask(run, &m));
done:
    ga_free(run->context, m.kept);
    ga_free(run->context, c.contrast);
    ga_free(run->context, c.entropy);
    ga_free(run->context, c.score);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_carve = {
    .name = "carve",
    .summary = "contrast of two maps: score, mask, box, entropy",
    .source = "CARVE, 2509.06461",
    .plan = "quotient of maps, bilinear resize, quantile, components",
    .outputs = "contrast, score, threshold, mask, box, entropy",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
