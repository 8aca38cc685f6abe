/* scan_ahead.h - which lines of memory to prefetch. Part of the bodies.
 *
 * Rows fill a page within a few tokens, where the processor's own prefetching ends, and prefetches in one burst would
 * wait for each other: the sweeps over the state issue one a row. Addresses are numbers here, since those behind the
 * last token belong to nothing; a prefetch of such a one does nothing.
 */
#ifndef GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_AHEAD_H
#define GA_LIB_ENGINE_SCAN_ATTENTION_SCAN_AHEAD_H

#include "lib/engine/scan_attention/scan_chunk.h"

/* The lines of `count` columns from column `first` on of the rows of a chunk, of which row `row` is token 0's. */
static void note_rows(const ga__scan_plan *p, scan_space *s, const ga__view *view, int64_t b, int64_t h,
                      int64_t row, int64_t first, int64_t count)
{
    int64_t size = view->type == GA__F64 ? 8 : view->type == GA__F32 ? 4 : 2, step = view->stride_row * size;
    uintptr_t at = (uintptr_t)ga__view_row(view, b, h, 0) + (uintptr_t)(row * step + first * size);
    for (int64_t i = 0; i < p->chunk; i++, at += (uintptr_t)step) {
        for (int64_t c = 0; c < count * size && s->lines < s->most_lines; c += 64) {
            s->line_step[s->lines] = step;
            s->line[s->lines++] = at + (uintptr_t)c;
        }
    }
}

/* What the tokens behind bring, for a chunk that starts with token 0. */
static void note_lines(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t first, int64_t count)
{
    enum { AHEAD = 8 };
    s->lines = s->line_token = 0;
    note_rows(p, s, &p->k, x->b, x->g, AHEAD, 0, p->d);
    note_rows(p, s, &p->v, x->b, x->g, AHEAD, first, count);
    if (p->decay_kind == GA__DECAY_VECTOR) {
        note_rows(p, s, &p->decay, x->b, x->g, AHEAD, 0, p->d);
    }
    for (int64_t r = 0; r < p->ratio && p->o.data && p->causal; r++) {
        int64_t row = AHEAD - ga__scan_offset(p), h = x->g * p->ratio + r;
        note_rows(p, s, &p->q, x->b, h, row, 0, p->d);
        note_rows(p, s, &p->o, x->b, h, row, first, count);
    }
    for (int64_t i = s->lines; i < s->most_lines; i++) {
        s->line_step[i] = 0;
        s->line[i] = (uintptr_t)s->state;
    }
}

/* The lines of the chunk that starts with token t. */
static void move_lines(scan_space *s, int64_t t)
{
    uintptr_t *restrict line = s->line;
    const int64_t *restrict step = s->line_step, by = t - s->line_token, count = s->lines;
    for (int64_t i = 0; i < count; i++) {
        line[i] += (uintptr_t)(by * step[i]);
    }
    s->line_token = t;
}

#endif
