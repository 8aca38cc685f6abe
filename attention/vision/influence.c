/* influence.c - change of the loss when an entry of the map is removed and its row made to sum to 1 again, in first order
 * (attention-static section 11): E_ij = -A_ij (g_ij - sum_n g_in A_in) / (1 - A_ij + eps), -A_ij g_ij where A_ij = 1. */
#include "config.h"

#include <math.h>

#include "attention/blocks.h"

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "0", "0 = no sums", "side of the cells that are summed", GA__FROM(0) },
    { "eps", GA_PARAMETER_REAL, "0", ">= 0", "added to 1 - A", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "map", "(B, H, Nq, Nk)", "attention map", .optional = false },
    { "grad_map", "(B, H, Nq, Nk)", "gradient of the loss by the map", .optional = false },
    { .name = NULL },
};

typedef struct influence {
    ga__view map, grad;
    double eps;
    int64_t block, rows, columns; /* of a matrix of blocks */
    DLTensor *out, *blocks;       /* may be NULL */
    double *sum, *most;           /* of every strip: of |E| */
} influence;

static void row_influence(const influence *f, int64_t b, int64_t h, int64_t row, double *a, double *g)
{
    double along = 0;
    ga__view_load_f64(&f->map, b, h, row, a);
    ga__view_load_f64(&f->grad, b, h, row, g);
    for (int64_t j = 0; j < f->map.columns; j++) {
        along += g[j] * a[j];
    }
    for (int64_t j = 0; j < f->map.columns; j++) {
        double rest = 1 - a[j];
        a[j] = rest == 0 ? -a[j] * g[j] : -a[j] * (g[j] - along) / (rest + f->eps);
    }
}

/* A strip: the rows of one row of blocks, of one head. */
static void do_strip(void *user, int64_t unit, double *room)
{
    const influence *f = user;
    int64_t matrix = unit / f->rows, b = matrix / f->map.heads, h = matrix % f->map.heads, n = f->map.columns;
    int64_t first = unit % f->rows * f->block, last = ga__min(first + f->block, f->map.rows);
    double *e = room, *sums = room + 2 * n, sum = 0, most = 0;
    for (int64_t c = 0; c < f->columns; c++) {
        sums[c] = 0;
    }
    for (int64_t row = first; row < last; row++) {
        row_influence(f, b, h, row, e, room + n);
        for (int64_t j = 0; j < n; j++) {
            if (f->out) {
                ga__set_element(f->out, (matrix * f->map.rows + row) * n + j, e[j]);
            }
            sums[j / f->block] += fabs(e[j]);
            most = fabs(e[j]) > most || isnan(e[j]) ? fabs(e[j]) : most;
        }
    }
    for (int64_t c = 0; c < f->columns; c++) {
        sum += sums[c];
        if (f->blocks) {
            ga__set_element(f->blocks, unit * f->columns + c, sums[c]);
        }
    }
    f->sum[unit] = sum;
    f->most[unit] = most;
}

static ga_status open_maps(ga__block_run *run, influence *f)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(run->context, "map", ga__block_given(run, "map"), true, &f->map));
    GA_TRY(ga__view_of(run->context, "grad_map", ga__block_given(run, "grad_map"), true, &f->grad));
    GA_TRY(ga__view_expect(run->context, "grad_map", &f->grad, f->map.batch, f->map.heads, f->map.rows,
                           f->map.columns));
    f->eps = ga__block_real(run, "eps");
    f->block = ga__block_integer(run, "block");
    if (ga__block_wants(run, "blocks") && f->block == 0) {
        GA_TRY(ga__part_refuse(&run->part, "block", ">= 1 for the output blocks"));
    }
    /* without sums a strip is some rows */
    f->block = ga__min(f->block ? f->block : 16, ga__max(ga__max(f->map.rows, f->map.columns), 1));
    f->rows = (f->map.rows + f->block - 1) / f->block;
    f->columns = (f->map.columns + f->block - 1) / f->block;
done:
    return status;
}

static void report(ga__block_run *run, const influence *f, int64_t strips)
{
    double sum = 0, most = 0;
    for (int64_t i = 0; i < strips; i++) {
        sum += f->sum[i];
        most = f->most[i] > most || isnan(f->most[i]) ? f->most[i] : most;
    }
    ga__report_integer(run, "maps", f->map.batch * f->map.heads);
    ga__report_integer(run, "queries", f->map.rows);
    ga__report_integer(run, "keys", f->map.columns);
    ga__report_real(run, "influence_sum", sum);
    ga__report_real(run, "influence_max", most);
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    influence f = { .eps = 0 };
    GA_TRY(open_maps(run, &f));
    const int64_t shape[] = { f.map.batch, f.map.heads, f.map.rows, f.map.columns };
    const int64_t of_blocks[] = { f.map.batch, f.map.heads, f.rows, f.columns };
    int64_t strips = f.map.batch * f.map.heads * f.rows;
    if (ga__block_wants(run, "influence")) {
        GA_TRY(ga__block_output_make(run, "influence", 4, shape, &f.out));
    }
    if (ga__block_wants(run, "blocks")) {
        GA_TRY(ga__block_output_make(run, "blocks", 4, of_blocks, &f.blocks));
    }
    GA_TRY(GA_NEW(run->context, strips, &f.sum));
    GA_TRY(GA_NEW(run->context, strips, &f.most));
    GA_TRY(ga__units(run->context, strips, 2 * f.map.columns + f.columns, do_strip, &f));
    report(run, &f, strips);
done:
    ga_free(run->context, f.sum);
    ga_free(run->context, f.most);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_influence = {
    .name = "influence",
    .summary = "first-order loss change when an attention entry is removed",
    .source = "MoA, 2406.14909",
    .plan = "elementwise on a map and its gradient, sums over blocks",
    .outputs = "influence, blocks",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
