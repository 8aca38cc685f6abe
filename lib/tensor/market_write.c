/* market_write.c - sparse matrices to Matrix Market coordinate files. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <graphattn/tensor.h>

#include "lib/base/base.h"

enum { NUMBER = 64 };

/* The fewest digits, at least 6, that give the same float; in the C locale. */
static int format_value(char *text, float value)
{
    for (int digits = 6; digits < 9; digits++) {
        double back = 0;
        int size = snprintf(text, NUMBER, "%.*g", digits, (double)value);
        for (int i = 0; i < size; i++) {
            if ((text[i] < '0' || text[i] > '9') && !strchr("e-+", text[i])) {
                text[i] = '.'; /* what the locale has for a point */
            }
        }
        if (ga__parse_double(text, size, &back) && (float)back == value) {
            return size;
        }
    }
    return ga__format_double(text, (double)value);
}

static ga_status write_row(ga_context *context, ga__output *output, const ga_sparse *s, int64_t row)
{
    ga_status status = GA_OK;
    char text[NUMBER + 48];
    for (int64_t i = s->offsets[row]; i < s->offsets[row + 1]; i++) {
        int size = ga__format_u64(text, (uint64_t)row + 1);
        text[size++] = ' ';
        size += ga__format_u64(text + size, (uint64_t)s->indices[i] + 1);
        if (s->values) {
            text[size++] = ' ';
            size += s->integers ? snprintf(text + size, NUMBER, "%.0f", (double)s->values[i])
                                : format_value(text + size, s->values[i]);
        }
        text[size++] = '\n';
        GA_TRY(ga__output_write(context, output, text, size));
    }
done:
    return status;
}

static ga_status check_matrix(ga_context *context, const ga_sparse *s, const char *path)
{
    if (s->rows < 0 || s->columns < 0 || !s->offsets || s->offsets[0] != 0) {
        return ga__fail(context, GA_INVALID, "%s: a matrix without rows", path);
    }
    for (int64_t row = 0; row < s->rows; row++) {
        if (s->offsets[row + 1] < s->offsets[row]) {
            return ga__fail(context, GA_INVALID, "%s: row %lld has less than no entries", path,
                            (long long)row);
        }
        for (int64_t i = s->offsets[row]; i < s->offsets[row + 1]; i++) {
            bool ascends = i == s->offsets[row] || s->indices[i - 1] < s->indices[i];
            if (!ascends || s->indices[i] >= s->columns) {
                return ga__fail(
                    context, GA_INVALID,
                    "%s: row %lld has column %lld behind %lld, expected ascending ones below %lld", path,
                    (long long)row, (long long)s->indices[i],
                    i == s->offsets[row] ? -1LL : (long long)s->indices[i - 1], (long long)s->columns);
            }
            if (s->values && s->integers && truncf(s->values[i]) != s->values[i]) {
                return ga__fail(context, GA_INVALID, "%s: row %lld, column %lld is %g, expected an integer",
                                path, (long long)row, (long long)s->indices[i], (double)s->values[i]);
            }
            if (s->values && !isfinite(s->values[i])) {
                return ga__fail(context, GA_INVALID, "%s: row %lld, column %lld is not finite", path,
                                (long long)row, (long long)s->indices[i]);
            }
        }
    }
    return GA_OK;
}

ga_status ga_market_write(ga_context *context, const ga_sparse *matrix, const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    ga__begin(context);
    GA_TRY(check_matrix(context, matrix, path));
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(ga__output_print(
        context, output, "%%%%MatrixMarket matrix coordinate %s general\n%lld %lld %lld\n",
        !matrix->values    ? "pattern"
        : matrix->integers ? "integer"
                           : "real",
        (long long)matrix->rows, (long long)matrix->columns, (long long)matrix->offsets[matrix->rows]));
    for (int64_t row = 0; row < matrix->rows; row++) {
        GA_TRY(write_row(context, output, matrix, row));
        if (row % 1024 == 0) {
            GA_TRY(ga__check(context));
        }
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}
