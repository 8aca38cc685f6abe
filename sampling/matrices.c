/* matrices.c - degree matrices: their life, what they hold, where the log2 blocks of the JDM get too dense. */
#include "config.h"

#include "sampling/matrices.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

ga_status ga__cells_new(ga_context *context, int64_t count, ga__cells *cells)
{
    ga_status status = GA_OK;
    ga__cells made = { .count = count };
    GA_TRY(GA_NEW(context, count, &made.row));
    GA_TRY(GA_NEW(context, count, &made.column));
    GA_TRY(GA_NEW(context, count, &made.entry));
    *cells = made;
    made = (ga__cells){ 0 };
done:
    ga__cells_clear(context, &made);
    return status;
}

void ga__cells_clear(ga_context *context, ga__cells *cells)
{
    ga_free(context, cells->row);
    ga_free(context, cells->column);
    ga_free(context, cells->entry);
    *cells = (ga__cells){ 0 };
}

static ga_status classes_new(ga_context *context, int64_t count, bool labelled, ga__classes *classes)
{
    ga_status status = GA_OK;
    classes->count = count;
    GA_TRY(GA_NEW_ZERO(context, count, &classes->degree));
    if (labelled) {
        GA_TRY(GA_NEW_ZERO(context, count, &classes->label));
    }
done:
    return status;
}

void ga__classes_clear(ga_context *context, ga__classes *classes)
{
    ga_free(context, classes->degree);
    ga_free(context, classes->label);
    *classes = (ga__classes){ 0 };
}

ga_status ga__matrices_new(ga_context *context, int64_t out_classes, int64_t in_classes, bool labelled,
                           int64_t dcm_cells, int64_t jdm_cells, ga_matrices **matrices)
{
    ga_status status = GA_OK;
    ga_matrices *made = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &made));
    GA_TRY(classes_new(context, out_classes, labelled, &made->out));
    GA_TRY(classes_new(context, in_classes, labelled, &made->in));
    GA_TRY(ga__cells_new(context, dcm_cells, &made->dcm));
    GA_TRY(ga__cells_new(context, jdm_cells, &made->jdm));
    *matrices = made;
    made = NULL;
done:
    ga_matrices_destroy(context, made);
    return status;
}

void ga_matrices_destroy(ga_context *context, ga_matrices *matrices)
{
    if (!matrices) {
        return;
    }
    ga__classes_clear(context, &matrices->out);
    ga__classes_clear(context, &matrices->in);
    ga__cells_clear(context, &matrices->dcm);
    ga__cells_clear(context, &matrices->jdm);
    ga_free(context, matrices);
}

/* ---- contents ---- */

static ga_matrix_view view(const ga__classes *rows, const ga__classes *columns, const ga__cells *cells)
{
    return (ga_matrix_view){ rows->count,  columns->count, cells->count,    cells->total,
                             rows->degree, rows->label,    columns->degree, columns->label,
                             cells->row,   cells->column,  cells->entry };
}

ga_matrix_view ga_matrices_jdm(const ga_matrices *matrices)
{
    return view(&matrices->out, &matrices->in, &matrices->jdm);
}

ga_matrix_view ga_matrices_dcm(const ga_matrices *matrices)
{
    return view(&matrices->in, &matrices->out, &matrices->dcm);
}

void ga__class_sizes(const ga_matrices *matrices, int64_t *out_size, int64_t *in_size)
{
    const ga__cells *dcm = &matrices->dcm;
    for (int64_t k = 0; k < matrices->out.count; k++) {
        out_size[k] = 0;
    }
    for (int64_t l = 0; l < matrices->in.count; l++) {
        in_size[l] = 0;
    }
    for (int64_t c = 0; c < dcm->count; c++) {
        in_size[dcm->row[c]] += dcm->entry[c];
        out_size[dcm->column[c]] += dcm->entry[c];
    }
}

int64_t ga__dcm_at(const ga_matrices *matrices, int32_t in_class, int32_t out_class)
{
    const ga__cells *dcm = &matrices->dcm;
    int64_t low = 0, high = dcm->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (dcm->row[middle] < in_class ||
            (dcm->row[middle] == in_class && dcm->column[middle] < out_class)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < dcm->count && dcm->row[low] == in_class && dcm->column[low] == out_class;
    return there ? dcm->entry[low] : 0;
}

const char *ga__class_name(const ga__classes *classes, int64_t class_, char *text)
{
    if (classes->label) {
        snprintf(text, 48, "%lld,%lld", (long long)classes->degree[class_],
                 (long long)classes->label[class_]);
    } else {
        snprintf(text, 48, "%lld", (long long)classes->degree[class_]);
    }
    return text;
}

int64_t ga__class_at(const ga__classes *classes, int64_t degree, int64_t label)
{
    int64_t low = 0, high = classes->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, d = classes->degree[middle];
        if (d < degree || (d == degree && classes->label && classes->label[middle] < label)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < classes->count && classes->degree[low] == degree &&
                 (!classes->label || classes->label[low] == label);
    return there ? low : -1;
}

/* ---- r_min ---- */

enum { BINS = 65 };

/* Block sums of both matrices and of the class sizes over log2 bins of degrees. */
typedef struct blocks {
    double edges[BINS][BINS], both[BINS][BINS], out[BINS], in[BINS];
} blocks;

static void add_up(const ga_matrices *m, blocks *b)
{
    for (int64_t c = 0; c < m->dcm.count; c++) {
        int in = ga__log2_bin(m->in.degree[m->dcm.row[c]]),
            out = ga__log2_bin(m->out.degree[m->dcm.column[c]]);
        b->both[out][in] += (double)m->dcm.entry[c];
        b->out[out] += (double)m->dcm.entry[c];
        b->in[in] += (double)m->dcm.entry[c];
    }
    for (int64_t c = 0; c < m->jdm.count; c++) {
        int out = ga__log2_bin(m->out.degree[m->jdm.row[c]]),
            in = ga__log2_bin(m->in.degree[m->jdm.column[c]]);
        b->edges[out][in] += (double)m->jdm.entry[c];
    }
}

/* A block may keep r J edges only if r >= (J + D) / (N+ N-). */
typedef struct need {
    double ratio, edges;
} need;

static int larger_first(const void *a, const void *b)
{
    double x = ((const need *)a)->ratio, y = ((const need *)b)->ratio;
    return (x < y) - (x > y);
}

ga_status ga__count_edge_classes(ga_context *context, const ga_matrices *matrices, int64_t *out_classes,
                                 int64_t *in_classes)
{
    ga_status status = GA_OK;
    const ga__cells *jdm = &matrices->jdm;
    bool *seen = NULL;
    GA_TRY(GA_NEW_ZERO(context, matrices->in.count, &seen));
    *out_classes = *in_classes = 0;
    for (int64_t i = 0; i < jdm->count; i++) {
        *out_classes += i == 0 || jdm->row[i] != jdm->row[i - 1];
        *in_classes += !seen[jdm->column[i]];
        seen[jdm->column[i]] = true;
    }
done:
    ga_free(context, seen);
    return status;
}

/* The smallest ratio with at most `share` edges in blocks that need more. */
static double smallest(const need *needs, int64_t count, double share)
{
    double above = 0, ratio = 0;
    for (int64_t i = 0; i < count && above <= share; i++) {
        ratio = needs[i].ratio;
        above += needs[i].edges;
    }
    return ratio;
}

ga_status ga_matrices_r_min(ga_context *context, const ga_matrices *matrices, ga_r_min *r_min)
{
    ga_status status = GA_OK;
    blocks *b = NULL;
    need *needs = NULL;
    int64_t count = 0;
    double total = (double)matrices->jdm.total;
    ga__begin(context);
    GA_TRY(GA_NEW_ZERO(context, 1, &b));
    GA_TRY(GA_NEW(context, BINS * BINS, &needs));
    add_up(matrices, b);
    for (int k = 0; k < BINS; k++) {
        for (int l = 0; l < BINS; l++) {
            double room = b->out[k] * b->in[l];
            if (b->edges[k][l] > 0 && room > 0) {
                needs[count++] = (need){ (b->edges[k][l] + b->both[k][l]) / room, b->edges[k][l] };
            }
        }
    }
    qsort(needs, (size_t)count, sizeof *needs, larger_first);
    *r_min = (ga_r_min){ smallest(needs, count, 0), smallest(needs, count, 0.01 * total),
                         smallest(needs, count, 0.05 * total) };
done:
    ga_free(context, b);
    ga_free(context, needs);
    return status;
}
