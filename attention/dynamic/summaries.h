/* summaries.h - summaries of units of keys (lib/engine/units), which a selector makes, or a session keeps.
 *
 * Unit u of a (batch, key/value head) is the keys u * unit and the unit - 1 behind it, as far as they exist. The summary
 * of the last one is open: appended keys are taken into it, in O(dim) each, and give the bits that making all summaries
 * again would give.
 */
#ifndef GA_ATTENTION_SUMMARIES_H
#define GA_ATTENTION_SUMMARIES_H

#include "attention/plan.h"
#include "lib/engine/keys.h"

typedef enum ga__summary {
    GA__SUMMARY_NONE = 0,
    GA__SUMMARY_SUMS,  /* dim numbers: the sum of the keys, ga__summaries_size of them */
    GA__SUMMARY_BOUNDS /* 2 dim numbers: largest, then smallest value of every channel */
} ga__summary;

struct ga__summaries {
    ga__summary kind;
    bool wide; /* made and read in double precision */
    ga__type
        type; /* of rows: f64 or f32; bounds of 16-bit keys have the type of the keys, which loses nothing */
    int64_t batch, heads, dim, width, unit;
    int64_t keys; /* that were taken in */
    int64_t room; /* units that a line of rows has memory for */
    char *rows;   /* owned: (batch, heads, room, width) */
};

/* Of all rows of keys. Returns owned. */
ga_status ga__summaries_make(ga_context *context, const ga__keys *keys, ga__summary kind, int64_t unit,
                             bool wide, ga__summaries **out);
/* Takes in the rows of keys behind those that were taken in before, which must be unchanged. After a failure nothing has
 * changed. */
ga_status ga__summaries_append(ga_context *context, const ga__keys *keys, ga__summaries *summaries);
/* Accepts NULL. */
void ga__summaries_free(ga_context *context, ga__summaries *summaries);

/* What selecting->summaries has, if it is of that kind and unit and covers the keys; else made, and returned owned in
 * *own. */
ga_status ga__summaries_for(const ga__selecting *selecting, ga__summary kind, int64_t unit,
                            const ga__summaries **use, ga__summaries **own);

/* Units of n keys. */
static inline int64_t ga__units_of(int64_t keys, int64_t unit)
{
    return keys / unit + (keys % unit != 0);
}

/* Keys of a unit that exist. */
static inline int64_t ga__summaries_size(const ga__summaries *s, int64_t unit)
{
    return ga__min(s->unit, s->keys - unit * s->unit);
}

static inline void *ga__summaries_row(const ga__summaries *s, int64_t batch, int64_t head, int64_t unit)
{
    int64_t row = (batch * s->heads + head) * s->room + unit;
    return s->rows + row * s->width * ga__type_size(s->type);
}

/* The rows as keys are: by (batch, head, unit). */
static inline ga__keys ga__summaries_rows(const ga__summaries *s)
{
    ga__view view = { .data = s->rows,
                      .type = s->type,
                      .batch = s->batch,
                      .heads = s->heads,
                      .rows = s->room,
                      .columns = s->width,
                      .stride_batch = s->heads * s->room * s->width,
                      .stride_head = s->room * s->width,
                      .stride_row = s->width };
    return ga__keys_of_view(&view);
}

#endif
