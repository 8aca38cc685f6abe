/* summaries.c - summaries of units of keys, made and extended. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/selector.h"
#include "attention/dynamic/summaries.h"
#include "lib/base/workers.h"
#include "lib/engine/units/units.h"

enum { KEYS = 4096 }; /* of a piece of work, about */

/* Keys from .. keys->view.rows - 1 taken in, in pieces of `units` units. */
typedef struct adding {
    const ga__units_kernels *kernels;
    const ga__keys *keys;
    ga__summaries *s;
    int64_t from, first_unit, units, pieces, next;
    char *memory;   /* owned: of every worker, a key and a summary in the precision of the call */
    int64_t number; /* bytes of a number there */
} adding;

static bool is_narrow(const ga__summaries *s)
{
    return s->type == GA__F16 || s->type == GA__BF16;
}

static void open_unit(const ga__summaries *s, void *row)
{
    for (int64_t c = 0; c < s->width; c++) {
        double value = s->kind == GA__SUMMARY_SUMS ? 0 : c < s->dim ? -INFINITY : INFINITY;
        if (s->wide) {
            ((double *)row)[c] = value;
        } else {
            ((float *)row)[c] = (float)value;
        }
    }
}

static void take_rows(const adding *a, int64_t rows, int64_t stride, const void *x, ga__type type, void *to)
{
    const ga__summaries *s = a->s;
    if (s->kind == GA__SUMMARY_SUMS) {
        a->kernels->add[s->wide](rows, s->dim, stride, x, type, to);
    } else {
        a->kernels->bound[s->wide](rows, s->dim, stride, x, type, to);
    }
}

/* Keys from .. to - 1 of a line into one summary. */
static void take_keys(const adding *a, int64_t line, int64_t from, int64_t to, void *row, void *into)
{
    const ga__summaries *s = a->s;
    const ga__keys *k = a->keys;
    int64_t batch = line / s->heads, head = line % s->heads;
    bool direct = (k->view.type == GA__F64) == s->wide;
    while (from < to) {
        int64_t rows = direct ? ga__min(to - from, ga__keys_together(k, from)) : 1;
        if (direct) {
            take_rows(a, rows, ga__keys_stride(k), ga__keys_row(k, batch, head, from), k->view.type, into);
        } else if (s->wide) {
            ga__keys_load_f64(k, batch, head, from, 1, row);
            take_rows(a, 1, s->dim, row, GA__F64, into);
        } else {
            ga__keys_load_f32(k, batch, head, from, 1, row);
            take_rows(a, 1, s->dim, row, GA__F32, into);
        }
        from += rows;
    }
}

static void add_worker(void *user, int worker)
{
    adding *a = user;
    const ga__summaries *s = a->s;
    int64_t lines = s->batch * s->heads, all = ga__units_of(a->keys->view.rows, s->unit);
    char *row = a->memory + worker * (s->dim + s->width) * a->number, *open = row + s->dim * a->number;
    for (int64_t w; (w = ga__claim(&a->next)) < lines * a->pieces;) {
        int64_t line = w / a->pieces, first = a->first_unit + w % a->pieces * a->units;
        for (int64_t u = first; u < ga__min(first + a->units, all); u++) {
            void *held = ga__summaries_row(s, line / s->heads, line % s->heads, u);
            void *into = is_narrow(s) ? open : held;
            int64_t from = ga__max(u * s->unit, a->from);
            if (from == u * s->unit) {
                open_unit(s, into);
            } else if (is_narrow(s)) {
                a->kernels->widen(1, s->width, s->width, held, s->type, into);
            }
            take_keys(a, line, from, ga__min((u + 1) * s->unit, a->keys->view.rows), row, into);
            if (is_narrow(s)) {
                a->kernels->narrow(s->width, into, s->type, held);
            }
        }
    }
}

/* Room for so many units in every line. */
static ga_status reserve(ga_context *context, ga__summaries *s, int64_t units)
{
    ga_status status = GA_OK;
    int64_t lines = s->batch * s->heads, room = s->room > 0 ? ga__max(2 * s->room, units) : units;
    int64_t line = 0, bytes = 0, size = ga__type_size(s->type), old = s->room * s->width * size;
    char *rows = NULL;
    if (units <= s->room) {
        return GA_OK;
    }
    if (!ga__mul(room, s->width * size, &line) || !ga__mul(lines, line, &bytes)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "summaries: too many units"));
    }
    GA_TRY(GA_NEW(context, bytes, &rows));
    for (int64_t i = 0; i < lines && old > 0; i++) {
        memcpy(rows + i * line, s->rows + i * old, (size_t)old);
    }
    ga_free(context, s->rows);
    s->rows = rows;
    s->room = room;
done:
    return status;
}

ga_status ga__summaries_append(ga_context *context, const ga__keys *keys, ga__summaries *s)
{
    ga_status status = GA_OK;
    int64_t all = ga__units_of(keys->view.rows, s->unit), lines = s->batch * s->heads;
    adding a = { .kernels = GA__CHOOSE(context, ga__units), .keys = keys, .s = s, .from = s->keys };
    a.first_unit = s->keys / s->unit;
    a.units = ga__max(KEYS / s->unit, 1);
    a.pieces = ga__units_of(ga__max(all - a.first_unit, 0), a.units);
    int threads = ga__threads_for(context, lines * a.pieces);
    GA_TRY(reserve(context, s, all));
    a.number = s->wide ? sizeof(double) : sizeof(float);
    GA_TRY(GA_NEW(context, threads * (s->dim + s->width) * a.number, &a.memory));
    ga__workers(context, threads, add_worker, &a);
    s->keys = keys->view.rows;
done:
    ga_free(context, a.memory);
    return status;
}

ga_status ga__summaries_make(ga_context *context, const ga__keys *keys, ga__summary kind, int64_t unit,
                             bool wide, ga__summaries **out)
{
    ga_status status = GA_OK;
    const ga__view *v = &keys->view;
    bool narrow = kind == GA__SUMMARY_BOUNDS && !wide && (v->type == GA__F16 || v->type == GA__BF16);
    ga__summaries *s = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &s));
    *s = (ga__summaries){ .kind = kind,
                          .wide = wide,
                          .type = wide     ? GA__F64
                                  : narrow ? v->type
                                           : GA__F32,
                          .batch = v->batch,
                          .heads = v->heads,
                          .dim = v->columns,
                          .width = kind == GA__SUMMARY_BOUNDS ? 2 * v->columns : v->columns,
                          .unit = unit };
    GA_TRY(ga__summaries_append(context, keys, s));
    *out = s;
    s = NULL;
done:
    ga__summaries_free(context, s);
    return status;
}

void ga__summaries_free(ga_context *context, ga__summaries *summaries)
{
    if (summaries != NULL) {
        ga_free(context, summaries->rows);
        ga_free(context, summaries);
    }
}

ga_status ga__summaries_for(const ga__selecting *selecting, ga__summary kind, int64_t unit,
                            const ga__summaries **use, ga__summaries **own)
{
    ga_status status = GA_OK;
    const ga__summaries *kept = selecting->summaries;
    if (kept && kept->kind == kind && kept->unit == unit && kept->wide == selecting->wide &&
        kept->keys == selecting->keys) {
        *use = kept;
        return GA_OK;
    }
    GA_TRY(ga__summaries_make(selecting->context, &selecting->k, kind, unit, selecting->wide, own));
    *use = *own;
done:
    return status;
}
