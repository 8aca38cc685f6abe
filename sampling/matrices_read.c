/* matrices_read.c - the files of `jdm` and `dcm`. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "graph/lines.h"
#include "graph/text_in.h"
#include "sampling/matrices.h"

/* A line: the class of the row, that of the column, the entry. */
typedef struct row {
    int64_t degree[2], label[2];
    int64_t entry, line;
} row;

typedef struct rows {
    row *row;
    int64_t count, room;
    bool labelled;
} rows;

/* How the columns of a file are laid out. */
typedef struct layout {
    const char *name;
    int plain, labelled; /* columns */
} layout;

static const layout jdm_layout = { "jdm", 3, 5 }, dcm_layout = { "dcm", 3, 4 };

/* ---- numbers ---- */

static bool to_number(const unsigned char *at, const unsigned char *end, bool signed_, int64_t *value)
{
    return (signed_ || (at < end && *at != '-')) && ga__parse_i64(at, end, value);
}

/* Puts the numbers of a line where they belong. A negative entry is for ga_matrices_check to report. */
static bool take_column(const layout *l, int columns, int column, const unsigned char *at,
                        const unsigned char *end, row *r)
{
    if (column + 1 == columns) {
        return to_number(at, end, true, &r->entry);
    }
    if (columns == l->plain) {
        return to_number(at, end, false, &r->degree[column]);
    }
    if (columns == 5) { /* out_degree, source_label, in_degree, target_label */
        int64_t *to = column % 2 ? r->label : r->degree;
        return to_number(at, end, column % 2 == 1, &to[column / 2]);
    }
    if (column == 2) { /* in_degree, out_degree, label */
        bool right = to_number(at, end, true, &r->label[0]);
        r->label[1] = r->label[0];
        return right;
    }
    return to_number(at, end, false, &r->degree[column]);
}

/* ---- lines ---- */

static bool blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

static int count_columns(const unsigned char *at, const unsigned char *end)
{
    int columns = 0;
    while (at < end && columns < 8) {
        while (at < end && blank(*at)) {
            at++;
        }
        columns += at < end;
        while (at < end && !blank(*at)) {
            at++;
        }
    }
    return columns;
}

typedef struct parsing {
    ga_context *context;
    const layout *layout;
    const char *file;
    int columns; /* of the lines so far, 0 = none yet */
} parsing;

static ga_status wrong_columns(const parsing *p, int64_t line, int columns)
{
    const layout *l = p->layout;
    if (p->columns) {
        return ga__fail(p->context, GA_FORMAT, "%s:%lld: C0 %s line %lld: %d columns, expected %d as before",
                        p->file, (long long)line, l->name, (long long)line, columns, p->columns);
    }
    return ga__fail(p->context, GA_FORMAT,
                    "%s:%lld: C0 %s line %lld: %d columns, expected %d, or %d with labels", p->file,
                    (long long)line, l->name, (long long)line, columns, l->plain, l->labelled);
}

static ga_status parse_row(parsing *p, const unsigned char *at, const unsigned char *end, row *r)
{
    const layout *l = p->layout;
    int columns = count_columns(at, end);
    if ((columns != l->plain && columns != l->labelled) || (p->columns && columns != p->columns)) {
        return wrong_columns(p, r->line, columns);
    }
    p->columns = columns;
    for (int column = 0; column < columns; column++) {
        while (at < end && blank(*at)) {
            at++;
        }
        const unsigned char *stop = at;
        while (stop < end && !blank(*stop)) {
            stop++;
        }
        if (!take_column(l, columns, column, at, stop, r)) {
            char found[64];
            ga__quote(found, sizeof found, at, end);
            return ga__fail(
                p->context, GA_FORMAT,
                "%s:%lld: C0 %s line %lld: found %s in column %d, expected a whole number below 2^63",
                p->file, (long long)r->line, l->name, (long long)r->line, found, column + 1);
        }
        at = stop;
    }
    return GA_OK;
}

static ga_status add_row(ga_context *context, rows *all, const row *r)
{
    ga_status status = GA_OK;
    if (all->count == all->room) {
        int64_t room = all->room ? 2 * all->room : 256;
        GA_TRY(ga__resize(context, all->count, room, sizeof *all->row, &all->row));
        all->room = room;
    }
    all->row[all->count++] = *r;
done:
    return status;
}

static ga_status parse_lines(parsing *p, ga__text_in *text, rows *all)
{
    ga_status status = GA_OK;
    const unsigned char *line = NULL;
    for (;;) {
        int64_t size;
        row r = { .line = text->line };
        GA_TRY(ga__text_in_line(text, &line, &size));
        if (size < 0) {
            break;
        }
        if (r.line == 1 && size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
            line += 3;
            size -= 3;
        }
        if (count_columns(line, line + size) == 0 || line[0] == '#') {
            continue;
        }
        GA_TRY(parse_row(p, line, line + size, &r));
        GA_TRY(add_row(p->context, all, &r));
    }
done:
    return status;
}

/* ---- order ---- */

static int compare_cells(const row *a, const row *b)
{
    for (int side = 0; side < 2; side++) {
        if (a->degree[side] != b->degree[side]) {
            return a->degree[side] < b->degree[side] ? -1 : 1;
        }
        if (a->label[side] != b->label[side]) {
            return a->label[side] < b->label[side] ? -1 : 1;
        }
    }
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int order = compare_cells(x, y);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static void sort_rows(rows *all)
{
    for (int64_t i = 1; i < all->count; i++) {
        if (compare_rows(&all->row[i - 1], &all->row[i]) > 0) {
            qsort(all->row, (size_t)all->count, sizeof *all->row, compare_rows);
            return;
        }
    }
}

/* The first line that names a cell again, 0 if none does. */
static int64_t repeated_line(const rows *all)
{
    int64_t line = 0;
    for (int64_t i = 1; i < all->count; i++) {
        if (compare_cells(&all->row[i - 1], &all->row[i]) == 0 && (!line || all->row[i].line < line)) {
            line = all->row[i].line;
        }
    }
    return line;
}

static ga_status check_sum(const parsing *p, const rows *all)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < all->count; i++) {
        int64_t entry = all->row[i].entry;
        if (entry == INT64_MIN || !ga__add(sum, entry < 0 ? -entry : entry, &sum)) {
            return ga__fail(p->context, GA_OVERFLOW,
                            "%s: C0 %s line %lld: the entries sum to more than 2^63 - 1", p->file,
                            p->layout->name, (long long)all->row[i].line);
        }
    }
    return GA_OK;
}

static ga_status read_rows(ga_context *context, const char *path, const layout *l, rows *all)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    ga__text_in text = { 0 };
    GA_TRY(ga__input_open(context, path, false, &input));
    GA_TRY(ga__text_in_open(context, input, &text));
    parsing p = { .context = context, .layout = l, .file = ga__input_name(input) };
    status = parse_lines(&p, &text, all);
    sort_rows(all);
    int64_t again = repeated_line(all);
    if (again &&
        (status == GA_OK || status == GA_FORMAT)) { /* it stands before any line that could not be read */
        ga__begin(context);
        status = ga__fail(context, GA_FORMAT, "%s:%lld: C0 %s line %lld: this cell stands in the file before",
                          p.file, (long long)again, l->name, (long long)again);
    }
    GA_TRY(status);
    GA_TRY(check_sum(&p, all));
    all->labelled = p.columns == l->labelled && l->labelled != l->plain;
done:
    if (text.buffer) {
        ga__text_in_close(&text);
    }
    ga__input_close(context, input);
    return status;
}

/* ---- matrices ---- */

typedef struct name {
    int64_t degree, label;
} name;

static int compare_names(const void *a, const void *b)
{
    const name *x = a, *y = b;
    if (x->degree != y->degree) {
        return x->degree < y->degree ? -1 : 1;
    }
    return (x->label > y->label) - (x->label < y->label);
}

static int64_t gather(const rows *all, int side, name *names)
{
    int64_t count = 0;
    for (int64_t i = 0; i < all->count; i++) {
        name n = { all->row[i].degree[side], all->row[i].label[side] };
        if (all->row[i].entry != 0 && (count == 0 || compare_names(&names[count - 1], &n) != 0)) {
            names[count++] = n;
        }
    }
    return count;
}

/* Classes of one side: those in column side_j of the JDM's rows and side_d of the DCM's. */
static ga_status find_names(ga_context *context, const rows *jdm, int side_j, const rows *dcm, int side_d,
                            name **names, int64_t *count)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, jdm->count + dcm->count, names));
    int64_t listed = gather(jdm, side_j, *names);
    listed += gather(dcm, side_d, *names + listed);
    qsort(*names, (size_t)listed, sizeof **names, compare_names);
    *count = 0;
    for (int64_t i = 0; i < listed; i++) {
        if (*count == 0 || compare_names(&(*names)[*count - 1], &(*names)[i]) != 0) {
            (*names)[(*count)++] = (*names)[i];
        }
    }
    if (*count > INT32_MAX) {
        status = ga__fail(context, GA_UNSUPPORTED, "%lld classes, more than 2^31 - 1", (long long)*count);
    }
done:
    return status;
}

static void fill_classes(ga__classes *classes, const name *names)
{
    for (int64_t i = 0; i < classes->count; i++) {
        classes->degree[i] = names[i].degree;
        if (classes->label) {
            classes->label[i] = names[i].label;
        }
    }
}

static int64_t count_cells(const rows *all)
{
    int64_t cells = 0;
    for (int64_t i = 0; i < all->count; i++) {
        cells += all->row[i].entry != 0;
    }
    return cells;
}

static void fill_cells(const rows *all, const ga__classes *row_classes, const ga__classes *column_classes,
                       ga__cells *cells)
{
    int64_t c = 0;
    for (int64_t i = 0; i < all->count; i++) {
        const row *r = &all->row[i];
        if (r->entry != 0) {
            cells->row[c] = (int32_t)ga__class_at(row_classes, r->degree[0], r->label[0]);
            cells->column[c] = (int32_t)ga__class_at(column_classes, r->degree[1], r->label[1]);
            cells->entry[c++] = r->entry;
            cells->total += r->entry;
        }
    }
}

static ga_status check_labels(ga_context *context, const rows *jdm, const rows *dcm)
{
    if (jdm->count && dcm->count && jdm->labelled != dcm->labelled) {
        return ga__fail(context, GA_INVALID,
                        "the %s has labels and the %s has none: expected both or neither",
                        jdm->labelled ? "jdm" : "dcm", jdm->labelled ? "dcm" : "jdm");
    }
    return GA_OK;
}

ga_status ga_matrices_read(ga_context *context, const char *jdm_path, const char *dcm_path,
                           ga_matrices **matrices)
{
    ga_status status = GA_OK;
    rows jdm = { 0 }, dcm = { 0 };
    name *out = NULL, *in = NULL;
    int64_t outs = 0, ins = 0;
    ga_matrices *made = NULL;
    ga__begin(context);
    if (jdm_path) {
        GA_TRY(read_rows(context, jdm_path, &jdm_layout, &jdm));
    }
    if (dcm_path) {
        GA_TRY(read_rows(context, dcm_path, &dcm_layout, &dcm));
    }
    GA_TRY(check_labels(context, &jdm, &dcm));
    GA_TRY(find_names(context, &jdm, 0, &dcm, 1, &out, &outs));
    GA_TRY(find_names(context, &jdm, 1, &dcm, 0, &in, &ins));
    GA_TRY(ga__matrices_new(context, outs, ins, jdm.labelled || dcm.labelled, count_cells(&dcm),
                            count_cells(&jdm), &made));
    fill_classes(&made->out, out);
    fill_classes(&made->in, in);
    fill_cells(&dcm, &made->in, &made->out, &made->dcm);
    fill_cells(&jdm, &made->out, &made->in, &made->jdm);
    *matrices = made;
done:
    ga_free(context, jdm.row);
    ga_free(context, dcm.row);
    ga_free(context, out);
    ga_free(context, in);
    return status;
}
