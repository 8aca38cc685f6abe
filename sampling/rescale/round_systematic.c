/* round_systematic.c - systematic rounding: every n/n'-th node of a list that runs through the cells like a snake. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "sampling/rescale/round_laminar.h"

enum { OFFSETS = 8 };

typedef struct row {
    int64_t label, first, end; /* its cells */
} row;

static int by_label(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->label != y->label) {
        return x->label < y->label ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

/* The cells label by label, in-degrees ascending, out-degrees ascending and descending by turns. */
static ga_status snake(ga_context *context, const ga_matrices *original, int64_t *list)
{
    ga_status status = GA_OK;
    const ga__cells *dcm = &original->dcm;
    row *rows = NULL;
    int64_t count = 0, at = 0;
    GA_TRY(GA_NEW(context, dcm->count, &rows));
    for (int64_t c = 0; c < dcm->count; c++) {
        if (c == 0 || dcm->row[c] != dcm->row[c - 1]) {
            rows[count++] =
                (row){ .label = original->in.label ? original->in.label[dcm->row[c]] : 0, .first = c };
        }
        rows[count - 1].end = c + 1;
    }
    if (original->in.label) {
        qsort(rows, (size_t)count, sizeof *rows, by_label);
    }
    for (int64_t i = 0, turn = 0; i < count; i++, turn++) {
        turn = i > 0 && rows[i].label != rows[i - 1].label ? 0 : turn;
        for (int64_t c = rows[i].first; c < rows[i].end; c++) {
            list[at++] = turn & 1 ? rows[i].end - 1 - (c - rows[i].first) : c;
        }
    }
done:
    ga_free(context, rows);
    return status;
}

/* floor(offset/n + cum n'/n) at the end of every cell, less that of the cell before. With the offset uniform in
 * 0 .. n - 1 every node is drawn with probability n'/n exactly. */
static void draw(const ga_matrices *original, const int64_t *list, int64_t wanted, uint64_t offset,
                 int64_t *entry)
{
    const ga__cells *dcm = &original->dcm;
    unsigned __int128 sum = offset;
    int64_t before = 0;
    for (int64_t i = 0; i < dcm->count; i++) {
        int64_t c = list[i];
        sum += (unsigned __int128)dcm->entry[c] * (uint64_t)wanted;
        int64_t here = (int64_t)(sum / (uint64_t)dcm->total);
        entry[c] = here - before;
        before = here;
    }
}

/* Of eight offsets the one with the smallest |delta|; the first one as it comes without steering, since a choice would
 * make some nodes a little likelier than others. */
ga_status ga__round_systematic(ga_context *context, const ga_matrices *original,
                               const ga__round_options *options, int64_t *entry)
{
    ga_status status = GA_OK;
    int64_t *list = NULL, *trial = NULL, least = INT64_MAX, cells = original->dcm.count;
    GA_TRY(GA_NEW(context, cells, &list));
    GA_TRY(GA_NEW(context, cells, &trial));
    GA_TRY(snake(context, original, list));
    for (uint64_t i = 0; i < (options->steer ? OFFSETS : 1); i++) {
        ga__random stream = ga__random_at(ga_context_seed(context), GA__RANDOM_OFFSET, i);
        draw(original, list, options->nodes, ga__random_below(&stream, (uint64_t)original->dcm.total), trial);
        ga__mass mass = ga__mass_of(original, options->degree_cap, trial);
        int64_t delta = mass.in < mass.out ? mass.out - mass.in : mass.in - mass.out;
        if (delta < least) {
            least = delta;
            memcpy(entry, trial, sizeof *entry * (size_t)cells);
        }
    }
done:
    ga_free(context, list);
    ga_free(context, trial);
    return status;
}
