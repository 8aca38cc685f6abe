/* matrices_check.c - the conditions for a graph with given matrices: C0 no negative entries, C1 sums, C2 caps. */
#include "config.h"

#include <stdio.h>

#include "sampling/matrices.h"

typedef __int128 wide;

typedef struct checking {
    ga_context *context;
    const ga_matrices *m;
    ga_loops loops;
    ga_multi multi;
    ga_violation_fn report;
    void *user;
    int64_t *out_size, *in_size, *row_sum, *column_sum;
    ga_status status; /* GA_INFEASIBLE after the first violation */
    bool stop;
} checking;

/* Decimal digits of a number that may not fit 64 bits. */
static const char *digits(wide value, char text[48])
{
    char *at = text + 47;
    bool negative = value < 0;
    *at = '\0';
    do {
        int digit = (int)(value % 10);
        *--at = (char)('0' + (digit < 0 ? -digit : digit));
        value /= 10;
    } while (value);
    if (negative) {
        *--at = '-';
    }
    return at;
}

static void violated(checking *c, const char *text)
{
    if (c->status == GA_OK) {
        c->status = ga__fail(c->context, GA_INFEASIBLE, "%s", text);
    }
    c->stop = !c->report || c->report(c->user, text) != 0;
}

/* ---- C0 ---- */

static void check_signs(checking *c, const char *name, const ga__classes *rows, const ga__classes *columns,
                        const ga__cells *cells)
{
    char row[48], column[48], text[200];
    for (int64_t i = 0; i < cells->count && !c->stop; i++) {
        if (cells->entry[i] < 0) {
            snprintf(text, sizeof text, "C0 %s cell %s %s: %lld is negative", name,
                     ga__class_name(rows, cells->row[i], row),
                     ga__class_name(columns, cells->column[i], column), (long long)cells->entry[i]);
            violated(c, text);
        }
    }
}

/* ---- C1 ---- */

static void check_sum(checking *c, const char *line, const char *direction, const ga__classes *classes,
                      int64_t i, int64_t sum, int64_t size)
{
    char name[48], needs[48], text[240];
    wide needed = (wide)classes->degree[i] * size;
    if (needed != sum) {
        snprintf(text, sizeof text, "C1 %s %s: %lld edge%s, %lld node%s of %s-degree %s need%s %s", line,
                 ga__class_name(classes, i, name), (long long)sum, sum == 1 ? "" : "s", (long long)size,
                 size == 1 ? "" : "s", direction, name, size == 1 ? "s" : "", digits(needed, needs));
        violated(c, text);
    }
}

static void check_sums(checking *c)
{
    for (int64_t i = 0; i < c->m->jdm.count; i++) {
        c->row_sum[c->m->jdm.row[i]] += c->m->jdm.entry[i];
        c->column_sum[c->m->jdm.column[i]] += c->m->jdm.entry[i];
    }
    for (int64_t k = 0; k < c->m->out.count && !c->stop; k++) {
        check_sum(c, "row", "out", &c->m->out, k, c->row_sum[k], c->out_size[k]);
    }
    for (int64_t l = 0; l < c->m->in.count && !c->stop; l++) {
        check_sum(c, "column", "in", &c->m->in, l, c->column_sum[l], c->in_size[l]);
    }
}

/* ---- C2 ---- */

static void check_caps(checking *c)
{
    char row[48], column[48], cap[48], text[240];
    for (int64_t i = 0; i < c->m->jdm.count && !c->stop; i++) {
        int32_t k = c->m->jdm.row[i], l = c->m->jdm.column[i];
        wide room = (wide)c->out_size[k] * c->in_size[l];
        if (c->loops != GA_LOOPS_KEEP) {
            room -= ga__dcm_at(c->m, l, k);
        }
        if (c->m->jdm.entry[i] > room) {
            snprintf(text, sizeof text, "C2 cell %s %s: %lld edge%s, room for %s",
                     ga__class_name(&c->m->out, k, row), ga__class_name(&c->m->in, l, column),
                     (long long)c->m->jdm.entry[i], c->m->jdm.entry[i] == 1 ? "" : "s", digits(room, cap));
            violated(c, text);
        }
    }
}

ga_status ga_matrices_check(ga_context *context, const ga_matrices *matrices, ga_loops loops, ga_multi multi,
                            ga_violation_fn report, void *user)
{
    ga_status status = GA_OK;
    checking c = {
        .context = context, .m = matrices, .loops = loops, .multi = multi, .report = report, .user = user
    };
    ga__begin(context);
    GA_TRY(GA_NEW(context, matrices->out.count, &c.out_size));
    GA_TRY(GA_NEW(context, matrices->in.count, &c.in_size));
    GA_TRY(GA_NEW_ZERO(context, matrices->out.count, &c.row_sum));
    GA_TRY(GA_NEW_ZERO(context, matrices->in.count, &c.column_sum));
    ga__class_sizes(matrices, c.out_size, c.in_size);
    check_signs(&c, "jdm", &matrices->out, &matrices->in, &matrices->jdm);
    check_signs(&c, "dcm", &matrices->in, &matrices->out, &matrices->dcm);
    if (!c.stop) {
        check_sums(&c);
    }
    if (multi != GA_MULTI_KEEP && !c.stop) {
        check_caps(&c);
    }
    status = c.status;
done:
    ga_free(context, c.out_size);
    ga_free(context, c.in_size);
    ga_free(context, c.row_sum);
    ga_free(context, c.column_sum);
    return status;
}
