/* matrices_write.c - degree matrices as tab-separated lines. */
#include "config.h"

#include <stdlib.h>

#include "sampling/matrices.h"

enum { MOST_COLUMNS = 5 };

/* A line of numbers, written in ascending order. */
typedef struct line {
    int64_t number[MOST_COLUMNS];
} line;

static int compare_lines(const void *a, const void *b)
{
    const line *x = a, *y = b;
    for (int i = 0; i < MOST_COLUMNS; i++) {
        if (x->number[i] != y->number[i]) {
            return x->number[i] < y->number[i] ? -1 : 1;
        }
    }
    return 0;
}

static int put_number(char *text, int64_t value)
{
    int sign = value < 0;
    text[0] = '-';
    return sign + ga__format_u64(text + sign, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static ga_status write_lines(ga_context *context, const char *path, const char *header, const line *lines,
                             int64_t count, int columns)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(ga__output_print(context, output, "%s", header));
    for (int64_t i = 0; i < count; i++) {
        char text[MOST_COLUMNS * 24];
        int at = 0;
        for (int column = 0; column < columns; column++) {
            at += put_number(text + at, lines[i].number[column]);
            text[at++] = column + 1 == columns ? '\n' : '\t';
        }
        GA_TRY(ga__output_write(context, output, text, at));
        if (i % (1 << 16) == 0) {
            GA_TRY(ga__check(context));
        }
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}

static line jdm_line(const ga_matrix_view *v, int64_t cell)
{
    int64_t out = v->row[cell], in = v->column[cell];
    if (!v->row_label) {
        return (line){ { v->row_degree[out], v->column_degree[in], v->count[cell] } };
    }
    return (line){ { v->row_degree[out], v->row_label[out], v->column_degree[in], v->column_label[in],
                     v->count[cell] } };
}

static line dcm_line(const ga_matrix_view *v, int64_t cell)
{
    int64_t in = v->row[cell], out = v->column[cell];
    if (!v->row_label) {
        return (line){ { v->row_degree[in], v->column_degree[out], v->count[cell] } };
    }
    return (line){ { v->row_degree[in], v->column_degree[out], v->column_label[out], v->count[cell] } };
}

ga_status ga_jdm_write(ga_context *context, const ga_matrices *matrices, const char *path)
{
    ga_status status = GA_OK;
    ga_matrix_view v = ga_matrices_jdm(matrices);
    line *lines = NULL;
    ga__begin(context);
    GA_TRY(GA_NEW(context, v.cells, &lines));
    for (int64_t c = 0; c < v.cells; c++) {
        lines[c] = jdm_line(&v, c);
    }
    status = v.row_label
                 ? write_lines(context, path, "#out_degree\tsource_label\tin_degree\ttarget_label\tedges\n",
                               lines, v.cells, 5)
                 : write_lines(context, path, "#out_degree\tin_degree\tedges\n", lines, v.cells, 3);
done:
    ga_free(context, lines);
    return status;
}

ga_status ga_dcm_write(ga_context *context, const ga_matrices *matrices, const char *path)
{
    ga_status status = GA_OK;
    ga_matrix_view v = ga_matrices_dcm(matrices);
    line *lines = NULL;
    ga__begin(context);
    GA_TRY(GA_NEW(context, v.cells, &lines));
    for (int64_t c = 0; c < v.cells; c++) {
        lines[c] = dcm_line(&v, c);
    }
    if (v.row_label) { /* cells come by (in-degree, label), lines by (in-degree, out-degree, label) */
        qsort(lines, (size_t)v.cells, sizeof *lines, compare_lines);
        status = write_lines(context, path, "#in_degree\tout_degree\tlabel\tnodes\n", lines, v.cells, 4);
    } else {
        status = write_lines(context, path, "#in_degree\tout_degree\tnodes\n", lines, v.cells, 3);
    }
done:
    ga_free(context, lines);
    return status;
}
