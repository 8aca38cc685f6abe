/* tally.c - growing lists of matrix cells. */
#include "config.h"

#include "sampling/rescale/tally.h"

#include <string.h>

ga_status ga__tally_reserve(ga_context *context, ga__tally *tally, int64_t room)
{
    ga_status status = GA_OK;
    if (room <= tally->room) {
        return GA_OK;
    }
    GA_TRY(ga__resize(context, tally->count, room, sizeof *tally->row, &tally->row));
    GA_TRY(ga__resize(context, tally->count, room, sizeof *tally->column, &tally->column));
    GA_TRY(ga__resize(context, tally->count, room, sizeof *tally->entry, &tally->entry));
    tally->room = room;
done:
    return status;
}

ga_status ga__tally_add(ga_context *context, ga__tally *tally, int64_t row, int64_t column, int64_t entry)
{
    ga_status status = GA_OK;
    if (tally->count == tally->room) {
        GA_TRY(ga__tally_reserve(context, tally, 64 + tally->room + tally->room / 2));
    }
    tally->row[tally->count] = (int32_t)row;
    tally->column[tally->count] = (int32_t)column;
    tally->entry[tally->count++] = entry;
done:
    return status;
}

void ga__tally_clear(ga_context *context, ga__tally *tally)
{
    ga_free(context, tally->row);
    ga_free(context, tally->column);
    ga_free(context, tally->entry);
    *tally = (ga__tally){ 0 };
}

static bool is_sorted(const ga__tally *t)
{
    for (int64_t i = 1; i < t->count; i++) {
        if (t->row[i] < t->row[i - 1] || (t->row[i] == t->row[i - 1] && t->column[i] <= t->column[i - 1])) {
            return false;
        }
    }
    return true;
}

/* One stable counting pass by key, from one list to another of the same length. */
static void pass(const ga__tally *from, ga__tally *to, const int32_t *key, int64_t keys, int64_t *next)
{
    memset(next, 0, (size_t)(keys + 1) * sizeof *next);
    for (int64_t i = 0; i < from->count; i++) {
        next[key[i] + 1]++;
    }
    for (int64_t k = 0; k < keys; k++) {
        next[k + 1] += next[k];
    }
    for (int64_t i = 0; i < from->count; i++) {
        int64_t at = next[key[i]]++;
        to->row[at] = from->row[i];
        to->column[at] = from->column[i];
        to->entry[at] = from->entry[i];
    }
}

static void merge_equal(ga__tally *t)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < t->count; i++) {
        if (kept > 0 && t->row[kept - 1] == t->row[i] && t->column[kept - 1] == t->column[i]) {
            t->entry[kept - 1] += t->entry[i];
            continue;
        }
        t->row[kept] = t->row[i];
        t->column[kept] = t->column[i];
        t->entry[kept++] = t->entry[i];
    }
    t->count = kept;
}

ga_status ga__tally_sort(ga_context *context, ga__tally *tally, int64_t rows, int64_t columns)
{
    ga_status status = GA_OK;
    ga__tally other = { 0 };
    int64_t *next = NULL;
    if (is_sorted(tally)) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(context, ga__max(rows, columns) + 1, &next));
    GA_TRY(ga__tally_reserve(context, &other, tally->count));
    pass(tally, &other, tally->column, columns, next);
    other.count = tally->count;
    pass(&other, tally, other.row, rows, next);
    merge_equal(tally);
done:
    ga__tally_clear(context, &other);
    ga_free(context, next);
    return status;
}

ga_status ga__tally_transpose(ga_context *context, ga__tally *tally, int64_t rows, int64_t columns)
{
    int32_t *row = tally->row;
    tally->row = tally->column;
    tally->column = row;
    return ga__tally_sort(context, tally, columns, rows);
}

void ga__tally_rows(const ga__tally *tally, int64_t rows, int64_t *first)
{
    int64_t at = 0;
    for (int64_t r = 0; r < rows; r++) {
        first[r] = at;
        while (at < tally->count && tally->row[at] == r) {
            at++;
        }
    }
    first[rows] = at;
}
