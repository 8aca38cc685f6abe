/* carve_mask.c - from a picture of scores to the components that stand out. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/maps/carve.h"

ga__carve_place ga__carve_source(int64_t at, int64_t pixels, int64_t n)
{
    double place = ((double)at + 0.5) * (double)n / (double)pixels - 0.5;
    place = place < 0 ? 0 : place > (double)(n - 1) ? (double)(n - 1) : place;
    int64_t low = (int64_t)floor(place);
    return (ga__carve_place){ low, ga__min(low + 1, n - 1), place - (double)low };
}

enum { OUT = -2, UNSEEN = -1 };

/* Marks everything that is connected with a pixel as component number `label`; returns the sum of its scores. */
static double fill(const ga__carve_mask *m, const double *score, int64_t *labels, int64_t *stack,
                   int64_t start, int64_t label)
{
    int64_t width = m->size[1], count = m->size[0] * width, depth = 0;
    double sum = 0;
    stack[depth++] = start;
    labels[start] = label;
    while (depth > 0) {
        int64_t at = stack[--depth], x = at % width;
        const int64_t around[] = { at - width, x > 0 ? at - 1 : -1, x + 1 < width ? at + 1 : -1, at + width };
        sum += score[at];
        for (int i = 0; i < 4; i++) {
            if (around[i] >= 0 && around[i] < count && labels[around[i]] == UNSEEN) {
                labels[around[i]] = label;
                stack[depth++] = around[i];
            }
        }
    }
    return sum;
}

/* Which components are kept: the first ones of the order. */
static void choose(ga__carve_mask *m, ga__ranked *order, const double *sums, uint8_t *chosen)
{
    int64_t most = m->components ? m->components : ga__max(3, (int64_t)floor(m->keep * (double)m->found));
    m->components = ga__min(most, m->found);
    ga__rank_falling(sums, m->found, order);
    for (int64_t i = 0; i < m->components; i++) {
        chosen[order[i].index] = 1;
    }
}

static void mark(ga__carve_mask *m, const int64_t *labels, const uint8_t *chosen)
{
    int64_t *box = m->box, width = m->size[1];
    bool any = false;
    for (int64_t i = 0; i < m->size[0] * width; i++) {
        int64_t y = i / width, x = i % width;
        m->kept[i] = labels[i] >= 0 && chosen[labels[i]];
        if (!m->kept[i]) {
            continue;
        }
        box[0] = any ? ga__min(box[0], y) : y;
        box[1] = any ? ga__min(box[1], x) : x;
        box[2] = any ? ga__max(box[2], y + 1) : y + 1;
        box[3] = any ? ga__max(box[3], x + 1) : x + 1;
        any = true;
    }
}

ga_status ga__carve_components(ga_context *context, const double *score, ga__carve_mask *m)
{
    ga_status status = GA_OK;
    int64_t count = m->size[0] * m->size[1], *labels = NULL, *stack = NULL;
    double *sums = NULL; /* first the sorted scores, then of the components */
    ga__ranked *order = NULL;
    uint8_t *chosen = NULL;
    GA_TRY(GA_NEW_ZERO(context, count, &m->kept));
    GA_TRY(GA_NEW(context, count, &labels));
    GA_TRY(GA_NEW(context, count, &stack));
    GA_TRY(GA_NEW(context, count, &sums));
    GA_TRY(GA_NEW(context, count, &order));
    GA_TRY(GA_NEW_ZERO(context, count, &chosen));
    memcpy(sums, score, (size_t)count * sizeof *sums);
    ga__sort_rising(sums, count);
    m->threshold = ga__quantile(sums, count, 1 - m->keep);
    for (int64_t i = 0; i < count; i++) {
        labels[i] = score[i] >= m->threshold ? UNSEEN : OUT;
    }
    m->found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (labels[i] == UNSEEN) {
            sums[m->found] = fill(m, score, labels, stack, i, m->found);
            m->found++;
        }
    }
    choose(m, order, sums, chosen);
    mark(m, labels, chosen);
done:
    ga_free(context, labels);
    ga_free(context, stack);
    ga_free(context, sums);
    ga_free(context, order);
    ga_free(context, chosen);
    return status;
}
