/* check_rescale.h - what the rescaling tests share: matrices as sums over cells, counted the plain way. */
#ifndef CHECK_RESCALE_H
#define CHECK_RESCALE_H

#include <math.h>

#include "check_graph.h"
#include "sampling/rescale/rescale.h"

/* Entry of a matrix at (degree, degree), labels summed up; cell by cell. */
static inline int64_t entry_at(const ga_matrix_view *m, int64_t row, int64_t column)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < m->cells; i++) {
        if (m->row_degree[m->row[i]] == row && m->column_degree[m->column[i]] == column) {
            sum += m->count[i];
        }
    }
    return sum;
}

/* Same entry by binary search, for matrices without labels. */
static inline int64_t cell_at(const ga_matrix_view *m, int64_t row, int64_t column)
{
    int64_t low = 0, high = m->cells;
    while (low < high) {
        int64_t middle = (low + high) / 2, r = m->row_degree[m->row[middle]];
        if (r < row || (r == row && m->column_degree[m->column[middle]] < column)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found =
        low < m->cells && m->row_degree[m->row[low]] == row && m->column_degree[m->column[low]] == column;
    return found ? m->count[low] : 0;
}

/* Sum of abs(b - ratio a) without labels. */
static inline double plain_l1(ga_matrix_view a, ga_matrix_view b, double ratio)
{
    double sum = 0;
    for (int64_t i = 0; i < a.cells; i++) {
        sum += fabs((double)cell_at(&b, a.row_degree[a.row[i]], a.column_degree[a.column[i]]) -
                    ratio * (double)a.count[i]);
    }
    for (int64_t i = 0; i < b.cells; i++) {
        if (cell_at(&a, b.row_degree[b.row[i]], b.column_degree[b.column[i]]) == 0) {
            sum += (double)b.count[i];
        }
    }
    return sum;
}

/* max |F - F'| over degrees of one side, counted degree by degree. */
static inline double plain_ks(ga_matrix_view a, ga_matrix_view b, bool out)
{
    double worst = 0;
    ga_matrix_view views[2] = { a, b };
    for (int v = 0; v < 2; v++) {
        const int64_t *degrees = out ? views[v].column_degree : views[v].row_degree;
        for (int64_t c = 0; c < (out ? views[v].columns : views[v].rows); c++) {
            double share[2] = { 0, 0 };
            for (int w = 0; w < 2; w++) {
                const ga_matrix_view *m = &views[w];
                for (int64_t i = 0; i < m->cells; i++) {
                    int64_t degree = out ? m->column_degree[m->column[i]] : m->row_degree[m->row[i]];
                    share[w] += degree <= degrees[c] ? (double)m->count[i] / (double)m->total : 0;
                }
            }
            worst = fmax(worst, fabs(share[0] - share[1]));
        }
    }
    return worst;
}

/* All that every result must be: realisable, with a report that can be counted again. */
static inline void check_result(ga_context *context, const ga_matrices *before, const ga_matrices *after,
                                const ga_rescale_options *options, double ratio,
                                const ga_rescale_report *report)
{
    ck_assert_msg(ga_matrices_check(context, after, options->loops, options->multi, NULL, NULL) == GA_OK,
                  "%s", ga_context_error(context));
    ga_matrix_view j = ga_matrices_jdm(before), d = ga_matrices_dcm(before);
    ga_matrix_view j2 = ga_matrices_jdm(after), d2 = ga_matrices_dcm(after);
    ck_assert_int_eq(report->nodes, d2.total);
    ck_assert_int_eq(report->edges, j2.total);
    int64_t lost = 0;
    for (int64_t i = 0; i < report->dropped_classes; i++) {
        ck_assert_int_gt(report->dropped_edges[i].edges, 0);
        lost += report->dropped_edges[i].edges;
    }
    ck_assert_int_eq(lost, report->dropped);
    ck_assert(report->jdm_l1 >= report->jdm_l1_bound - 1e-6);
    if (!options->target_dcm) {
        ck_assert(report->ks_in <= report->ks_bound + 1e-9);
        ck_assert(report->ks_bound_in_only || report->ks_out <= report->ks_bound + 1e-9);
    }
    ck_assert(fabs(report->ks_in - plain_ks(d, d2, false)) < 1e-9);
    ck_assert(fabs(report->ks_out - plain_ks(d, d2, true)) < 1e-9);
    if (!j.row_label) {
        ck_assert(fabs(report->jdm_l1 - plain_l1(j, j2, ratio)) < 1e-6);
        ck_assert(fabs(report->dcm_l1 - plain_l1(d, d2, ratio)) < 1e-6);
    }
}

#endif
