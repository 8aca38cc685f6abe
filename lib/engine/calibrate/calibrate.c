/* calibrate.c - one p-Laplacian step: sizes, units on several threads, sums of units. */
#include "config.h"

#include "lib/engine/calibrate/calibrate.h"

#include <string.h>

#include "lib/base/workers.h"

enum {
    MAP_ELEMENTS = 1 << 17, /* of a block of rows: its arrays stay in the second or third cache */
    MOST_ROWS = 64,
    UNITS = 64,         /* wanted at least, forward: work for several threads where there are few heads */
    UNITS_BACKWARD = 16 /* fewer, since each keeps sums of its own */
};

typedef struct job {
    ga_context *context;
    ga__calibration *c;
    ga__cut cut;
    const ga__calibrate_kernels *kernels;
    const ga__gemm_kernels *gemm;
    void *partial_k, *partial_v; /* NULL: forward */
    double *sums;
    bool nodes; /* what is gathered */
    int64_t gathered, next;
    int failed;
} job;

/* ---- sizes ---- */

static ga_status too_large(ga_context *context)
{
    return ga__fail(context, GA_OVERFLOW, "q, k, v: too large");
}

/* Places of the arrays of a worker. */
static ga_status place(ga_context *context, const ga__calibration *c, bool backward, ga__cut *cut)
{
    int64_t map = 0, row = 0, at = 0, d = c->q.columns, panels = 0, keys = 0, nodes = 0;
    if (!ga__mul(cut->rows, cut->ld, &map) || !ga__mul(cut->rows, cut->pitch, &row) ||
        !ga__mul(cut->nodes + GA__LANES, cut->width, &panels) || !ga__mul(c->k.rows, d, &keys) ||
        !ga__mul(cut->nodes, cut->pitch, &nodes)) {
        return too_large(context);
    }
    const int64_t gemm = (GA__GEMM_ROWS + GA__GEMM_COLUMNS + GA__LANES) * GA__GEMM_DEPTH;
    const int64_t sizes[GA__WORKS] = {
        [GA__WORK_KEYS] = keys,
        [GA__WORK_NODES] = nodes,
        [GA__WORK_PANELS] = panels,
        [GA__WORK_Q] = cut->rows * d,
        [GA__WORK_FQ] = row,
        [GA__WORK_MAP] = map,
        [GA__WORK_A] = map,
        [GA__WORK_ROOT] = map,
        [GA__WORK_SQUARE] = map,
        [GA__WORK_WEIGHT] = map,
        [GA__WORK_BAR] = map,
        [GA__WORK_OUT] = row,
        [GA__WORK_ALPHA] = cut->rows,
        [GA__WORK_GEMM] = gemm,
        [GA__WORK_ALONG] = map,
        [GA__WORK_DOTS] = map,
        [GA__WORK_D_MAP] = cut->pooled ? map : 0,
        [GA__WORK_G] = row,
        [GA__WORK_D_FQ] = row,
        [GA__WORK_D_Q] = cut->rows * d,
    };
    for (int w = 0; w < (backward ? GA__WORKS : GA__WORK_ALONG); w++) {
        cut->at[w] = at;
        if (!ga__add(at, (sizes[w] + GA__LANES - 1) / GA__LANES * GA__LANES, &at)) {
            return too_large(context);
        }
    }
    cut->workspace = at;
    cut->partial_k = keys;
    cut->partial_v = nodes;
    return GA_OK;
}

static int64_t rounded(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static ga_status cut_of(ga_context *context, const ga__calibration *c, bool backward, ga__cut *cut)
{
    ga_status status = GA_OK;
    int64_t keys = c->k.rows, heads = 0, wanted = backward ? UNITS_BACKWARD : UNITS;
    if (!ga__mul(c->q.batch, c->q.heads, &heads) || keys > INT64_MAX / 64) {
        return too_large(context);
    }
    *cut = (ga__cut){ .pooled = c->pool > 0 && c->pool < keys, .width = c->nodes_v.columns };
    cut->nodes = cut->pooled ? c->pool : keys;
    cut->pitch = rounded(cut->width, GA__LANES);
    cut->ld = rounded(keys, GA__LANES) + GA__LANES; /* rows a power of two apart would crowd the caches */
    cut->rows = ga__max(4, ga__min(MOST_ROWS, MAP_ELEMENTS / cut->ld / 4 * 4));
    int64_t blocks = rounded(c->q.rows, cut->rows) / cut->rows;
    cut->slabs = ga__min(blocks, rounded(wanted, ga__max(heads, 1)) / ga__max(heads, 1));
    cut->slab = blocks == 0 ? 0 : rounded(blocks, cut->slabs) / cut->slabs * cut->rows;
    cut->units = heads * cut->slabs;
    status = place(context, c, backward, cut);
    return status;
}

static ga_status job_open(ga_context *context, ga__calibration *c, bool backward, job *j)
{
    const ga__calibrate_kernels *kernels = *GA__CHOOSE(context, ga__calibrate);
    *j = (job){ .context = context,
                .c = c,
                .kernels = &kernels[c->wide],
                .gemm = GA__CHOOSE(context, ga__gemm),
                .failed = GA_OK };
    return cut_of(context, c, backward, &j->cut);
}

static size_t element(const job *j)
{
    return j->c->wide ? sizeof(double) : sizeof(float);
}

/* ---- units ---- */

static void run_unit(job *j, int64_t unit, void *workspace)
{
    if (!j->sums) {
        j->kernels->forward(j->c, &j->cut, j->gemm, unit, workspace);
        return;
    }
    size_t size = element(j);
    j->kernels->backward(j->c, &j->cut, j->gemm, unit, workspace,
                         (char *)j->partial_k + (size_t)(unit * j->cut.partial_k) * size,
                         (char *)j->partial_v + (size_t)(unit * j->cut.partial_v) * size, j->sums + 2 * unit);
}

static void work(void *user, int worker)
{
    job *j = user;
    void *workspace = NULL;
    (void)worker;
    ga__note_status(&j->failed, ga_alloc(j->context, j->cut.workspace, element(j), &workspace));
    while (!ga__stopped(j->context, &j->failed)) {
        int64_t unit = ga__claim(&j->next);
        if (unit >= j->cut.units) {
            break;
        }
        run_unit(j, unit, workspace);
    }
    ga_free(j->context, workspace);
}

static ga_status run_job(job *j, ga__worker_fn body, int64_t items)
{
    j->next = 0;
    ga__workers(j->context, ga__threads_for(j->context, items), body, j);
    ga_status status = ga__noted_status(&j->failed);
    return status == GA_CANCELLED ? ga__check(j->context) : status;
}

ga_status ga__calibrate(ga_context *context, ga__calibration *c)
{
    ga_status status = GA_OK;
    job j;
    GA_TRY(job_open(context, c, false, &j));
    status = run_job(&j, work, j.cut.units);
done:
    return status;
}

/* ---- sums of units ---- */

enum { ROWS_A_CLAIM = 64 };

static void gather(void *user, int worker)
{
    job *j = user;
    const ga__view *to = j->nodes ? &j->c->d_nodes_v : &j->c->d_k;
    void *room = NULL;
    (void)worker;
    ga__note_status(&j->failed, ga_alloc(j->context, to->columns, element(j), &room));
    while (!ga__stopped(j->context, &j->failed)) {
        int64_t first = ga__claim(&j->next) * ROWS_A_CLAIM;
        if (first >= j->gathered) {
            break;
        }
        for (int64_t i = first; i < ga__min(first + ROWS_A_CLAIM, j->gathered); i++) {
            j->kernels->gather(j->c, &j->cut, j->nodes, j->nodes ? j->partial_v : j->partial_k,
                               i / to->rows / to->heads, i / to->rows % to->heads, i % to->rows, room);
        }
    }
    ga_free(j->context, room);
}

static ga_status gather_all(job *j, bool nodes)
{
    const ga__view *to = nodes ? &j->c->d_nodes_v : &j->c->d_k;
    if (!to->data) {
        return GA_OK;
    }
    j->nodes = nodes;
    j->gathered = to->batch * to->heads * to->rows;
    return run_job(j, gather, j->gathered / ROWS_A_CLAIM + 1);
}

ga_status ga__calibrate_back(ga_context *context, ga__calibration *c)
{
    ga_status status = GA_OK;
    int64_t size_k = 0, size_v = 0;
    job j;
    GA_TRY(job_open(context, c, true, &j));
    if (!ga__mul(j.cut.units, j.cut.partial_k, &size_k) || !ga__mul(j.cut.units, j.cut.partial_v, &size_v)) {
        GA_TRY(too_large(context));
    }
    GA_TRY(ga_alloc(context, size_k, element(&j), &j.partial_k));
    GA_TRY(ga_alloc(context, size_v, element(&j), &j.partial_v));
    GA_TRY(GA_NEW_ZERO(context, 2 * j.cut.units + 1, &j.sums));
    GA_TRY(run_job(&j, work, j.cut.units));
    GA_TRY(gather_all(&j, true));
    GA_TRY(gather_all(&j, false));
    c->d_p = c->d_c = 0;
    for (int64_t u = 0; u < j.cut.units; u++) {
        c->d_p += j.sums[2 * u];
        c->d_c += j.sums[2 * u + 1];
    }
done:
    ga_free(context, j.partial_k);
    ga_free(context, j.partial_v);
    ga_free(context, j.sums);
    return status;
}
