/* halo.c - blocks of queries that share a window with a halo (attention-static section 5).
 *
 * On an axis a query at y = stride y' lies in block Y = floor(y / b) and sees the places Y b - h .. Y b + b + h - 1, or,
 * centred, y - h .. y + h. The relative term r <q, sum_a R_a[k_a - y_a + h + M - 1]>, M = b + 2 h, is a product of
 * further columns: no window has two places with equal k mod (places of a window), so that q has a column for each
 * remainder and axis, with <q, R_a[.]>, and a key has 1 in that of its own. Ghosts have such keys too. */
#include "config.h"

#include <string.h>

#include "attention/plan.h"
#include "lib/base/workers.h"
#include "lib/engine/pattern/planning.h"

enum { AXES = 3 };
static const char *const borders[] = { "ghost", "clip", NULL };

#define COMMON \
    GA__SHAPE(", of the keys; default: one axis"), \
        { "block", GA_PARAMETER_INT_LIST, "8", ">= 1", "block side b", GA__FROM(1) }, \
        { "halo", GA_PARAMETER_INT_LIST, "3", ">= 0", "halo h; window M = b + 2h", GA__FROM(0) }, \
        { "query_stride", GA_PARAMETER_INT_LIST, "1", "divides block", "queries only every so many places", \
          GA__FROM(1) }, \
    { \
        "centred", GA_PARAMETER_BOOL, "0", NULL, "keep only keys within h of the query", GA__ANY \
    }
static const ga_parameter parameters[] = {
    COMMON,
    { "border", GA_PARAMETER_WORD, "ghost", NULL, "places outside the grid", borders, GA__ANY },
    { "rel_scaled", GA_PARAMETER_BOOL, "0", NULL, "scale the relative term too", GA__ANY },
    { .name = NULL },
};
static const ga_parameter pattern_parameters[] = { COMMON, { .name = NULL } };

static const ga_tensor_slot tensors[] = {
    { "rel_0", "(2M-1, D)", "relative vectors of axis 0, shared by heads; all axes or none", .optional = true,
      .differentiable = true },
    { "rel_1", "(2M-1, D)", "of axis 1", .optional = true, .differentiable = true },
    { "rel_2", "(2M-1, D)", "of axis 2", .optional = true, .differentiable = true },
    { .name = NULL },
};
static const char *const rel_names[AXES] = { "rel_0", "rel_1", "rel_2" };

/* ---- the pattern ---- */

typedef struct layout {
    int axes;
    int64_t shape[AXES], block[AXES], halo[AXES], stride[AXES]; /* shape of the keys, stride of the queries */
    int64_t queries[AXES];
    bool centred, ghosts;
} layout;

static ga_status check_queries(ga__job *run, const ga__part *part, const layout *l)
{
    int64_t product = 1;
    bool strided = false;
    for (int i = 0; i < l->axes; i++) {
        product *= l->queries[i];
        strided = strided || l->stride[i] > 1;
    }
    if (product != run->queries && !strided) {
        return ga__fail(run->context, GA_INVALID, "%s%s needs as many queries as keys", part->kind,
                        part->name);
    }
    if (product != run->queries) {
        return ga__fail(run->context, GA_INVALID, "%s%s: query_stride leaves %lld queries, input has %lld",
                        part->kind, part->name, (long long)product, (long long)run->queries);
    }
    return GA_OK;
}

static ga_status read_layout(ga__job *run, const ga__part *part, layout *l)
{
    ga_status status = GA_OK;
    const ga__value *border = ga__part_value(part, "border");
    *l = (layout){ .axes = 1 };
    l->centred = ga__part_value(part, "centred")->integer;
    l->ghosts = border->given && border->integer == 0;
    GA_TRY(ga__grid_shape(run, part, run->keys, &l->axes, l->shape));
    GA_TRY(ga__part_axes(part, "block", l->axes, l->block));
    GA_TRY(ga__part_axes(part, "halo", l->axes, l->halo));
    GA_TRY(ga__part_axes(part, "query_stride", l->axes, l->stride));
    for (int i = 0; i < l->axes; i++) {
        if (l->block[i] > INT32_MAX / 8 || l->halo[i] > INT32_MAX / 8) {
            GA_TRY(ga__part_refuse(part, l->halo[i] > INT32_MAX / 8 ? "halo" : "block", "at most %d",
                                   INT32_MAX / 8));
        }
        if (l->block[i] % l->stride[i] != 0) {
            GA_TRY(ga__part_refuse(part, "query_stride", "a divisor of the block: %lld does not divide %lld",
                                   (long long)l->stride[i], (long long)l->block[i]));
        }
        l->queries[i] = l->shape[i] / l->stride[i] + (l->shape[i] % l->stride[i] != 0);
    }
    status = check_queries(run, part, l);
done:
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    layout l;
    GA_TRY(read_layout(run, part, &l));
    o.axes = l.axes;
    for (int i = 0; i < l.axes; i++) {
        ga_axis *axis = &o.axis[i];
        axis->rule = GA_AXIS_HALO;
        axis->query_length = l.queries[i];
        axis->key_length = l.shape[i];
        axis->stride = l.centred ? 1 : l.block[i];
        axis->dilation = l.stride[i];
        axis->left = axis->right = l.halo[i];
        axis->border = l.ghosts ? GA_BORDER_GHOST : GA_BORDER_CLIP;
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__halo_row = {
    .name = "halo", .parameters = pattern_parameters, .can = GA_CAN_CROSS, .make = make
};

/* ---- the relative term ---- */

typedef struct relative {
    layout l;
    double factor;                     /* r */
    int64_t dim, columns;              /* of q itself; more */
    int64_t first[AXES], places[AXES]; /* columns of an axis */
    int64_t cells[AXES];               /* 2 M - 1 */
    double *vectors[AXES];             /* (cells, dim), owned */
} relative;

static void measure(const layout *l, relative *r)
{
    r->l = *l;
    r->columns = 0;
    for (int a = 0; a < l->axes; a++) {
        r->first[a] = r->columns;
        r->places[a] = (l->centred ? 1 : l->block[a]) + 2 * l->halo[a];
        r->cells[a] = 2 * (l->block[a] + 2 * l->halo[a]) - 1;
        r->columns += r->places[a];
    }
}

static int64_t remainder_of(int64_t x, int64_t modulus)
{
    return (x % modulus + modulus) % modulus;
}

static void coordinates(int axes, const int64_t *shape, int64_t token, int64_t y[AXES])
{
    for (int a = axes - 1; a >= 0; a--) {
        y[a] = token % shape[a];
        token /= shape[a];
    }
}

/* Walks the places of a query's window on an axis: column and cell of place t. */
static void place_of(const relative *r, int axis, int64_t y, int64_t t, int64_t *column, int64_t *cell)
{
    int64_t b = r->l.block[axis], h = r->l.halo[axis], k = (r->l.centred ? y : y / b * b) - h + t;
    *column = r->first[axis] + remainder_of(k, r->places[axis]);
    *cell = k - y + h + b + 2 * h - 1;
}

static void fill_query(const void *user, int64_t b, int64_t h, int64_t i, const double *x, double *more)
{
    const relative *r = user;
    int64_t y[AXES], column, cell;
    (void)b, (void)h;
    coordinates(r->l.axes, r->l.queries, i, y);
    for (int a = 0; a < r->l.axes; a++) {
        for (int64_t t = 0; t < r->places[a]; t++) {
            place_of(r, a, y[a] * r->l.stride[a], t, &column, &cell);
            const double *vector = r->vectors[a] + cell * r->dim;
            double dot = 0;
            for (int64_t c = 0; c < r->dim; c++) {
                dot += x[c] * vector[c];
            }
            more[column] = r->factor * dot;
        }
    }
}

static void fill_columns(const relative *r, const int64_t k[AXES], double *more)
{
    memset(more, 0, (size_t)r->columns * sizeof *more);
    for (int a = 0; a < r->l.axes; a++) {
        more[r->first[a] + remainder_of(k[a], r->places[a])] = 1;
    }
}

static void fill_key(const void *user, int64_t b, int64_t h, int64_t j, const double *x, double *more)
{
    const relative *r = user;
    int64_t k[AXES];
    (void)b, (void)h, (void)x;
    coordinates(r->l.axes, r->l.shape, j, k);
    fill_columns(r, k, more);
}

static void relative_free(ga_context *context, relative *r)
{
    for (int a = 0; a < AXES; a++) {
        ga_free(context, r->vectors[a]);
    }
}

/* relative_free is due in any case. */
static ga_status relative_of(ga__job *run, relative *r)
{
    ga_status status = GA_OK;
    layout l;
    *r = (relative){ .factor = 1, .dim = run->dim };
    GA_TRY(read_layout(run, &run->own, &l));
    measure(&l, r);
    for (int a = 0; a < l.axes; a++) {
        ga__view view;
        int64_t size = 0;
        const ga__slot *slot = &run->slots[ga__slot_find(run, rel_names[a])];
        GA_TRY(ga__view_of(run->context, slot->name, slot->tensor, true, &view));
        GA_TRY(ga__mul(view.rows, view.columns, &size) ? GA_OK : GA_OVERFLOW);
        GA_TRY(GA_NEW(run->context, size, &r->vectors[a]));
        for (int64_t cell = 0; cell < view.rows; cell++) {
            ga__view_load_f64(&view, 0, 0, cell, r->vectors[a] + cell * r->dim);
        }
    }
done:
    return status;
}

static ga_status query_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    relative r;
    GA_TRY(relative_of(run, &r));
    r.factor = ga__part_value(&run->own, "rel_scaled")->integer ? step->gain : 1;
    for (int a = 0; a < r.l.axes; a++) {
        /* their gradients come out of that of q */
        run->slots[GA__Q].needed |= run->slots[ga__slot_find(run, rel_names[a])].needed;
    }
    status = ga__widen(run, step, r.columns, fill_query, &r);
done:
    relative_free(run->context, &r);
    return status;
}

static ga_status key_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    relative r = { .dim = run->dim };
    layout l;
    GA_TRY(read_layout(run, &run->own, &l));
    measure(&l, &r);
    status = ga__widen(run, step, r.columns, fill_key, &r);
done:
    return status;
}

static ga_status key_backward(ga__job *run, ga__step *step)
{
    return ga__widen_back(run, step, NULL);
}

/* ---- gradients: with w the further columns of q, dq += r sum_t dw_t R[t] and dR[t] += r dw_t q ---- */

typedef struct back_job {
    ga__job *run;
    const relative *r;
    ga__view q, rows, grad; /* q itself, the gradient of its wide rows, that of q */
    double *sums;           /* of every slice: the cells of all axes, dim each */
    int64_t cells;
    int64_t next;
    int failed;
} back_job;

static void back_row(const back_job *job, int64_t b, int64_t h, int64_t i, double *room)
{
    const relative *r = job->r;
    double *q = room, *dq = q + r->dim, *wide = dq + r->dim;
    double *sums = job->sums + (b * job->q.heads + h) * job->cells * r->dim;
    int64_t y[AXES], column, cell;
    ga__view_load_f64(&job->q, b, h, i, q);
    ga__view_load_f64(&job->grad, b, h, i, dq);
    ga__view_load_f64(&job->rows, b, h, i, wide);
    coordinates(r->l.axes, r->l.queries, i, y);
    for (int a = 0; a < r->l.axes; a++) {
        for (int64_t t = 0; t < r->places[a]; t++) {
            place_of(r, a, y[a] * r->l.stride[a], t, &column, &cell);
            double dw = r->factor * wide[r->dim + column];
            const double *vector = r->vectors[a] + cell * r->dim;
            for (int64_t c = 0; c < r->dim; c++) {
                dq[c] += dw * vector[c];
                sums[cell * r->dim + c] += dw * q[c];
            }
        }
        sums += r->cells[a] * r->dim;
    }
    ga__view_store_f64(&job->grad, b, h, i, dq);
}

static void back_slices(void *user, int worker)
{
    back_job *job = user;
    double *room = NULL;
    int64_t slices = job->q.batch * job->q.heads;
    (void)worker;
    ga__note_status(&job->failed, GA_NEW(job->run->context, 3 * job->r->dim + job->r->columns, &room));
    while (!ga__stopped(job->run->context, &job->failed)) {
        int64_t slice = ga__claim(&job->next);
        if (slice >= slices) {
            break;
        }
        for (int64_t i = 0; i < job->q.rows; i++) {
            back_row(job, slice / job->q.heads, slice % job->q.heads, i, room);
        }
    }
    ga_free(job->run->context, room);
}

/* The slices' sums, in their order, into the gradients that are wanted. */
static ga_status store_vectors(ga__job *run, const back_job *job)
{
    ga_status status = GA_OK;
    const relative *r = job->r;
    int64_t slices = job->q.batch * job->q.heads, before = 0;
    for (int a = 0; a < r->l.axes; before += r->cells[a++]) {
        DLTensor *grad = run->slots[ga__slot_find(run, rel_names[a])].grad;
        ga__view to;
        if (!grad) {
            continue;
        }
        GA_TRY(ga__view_of(run->context, rel_names[a], grad, true, &to));
        for (int64_t e = 0; e < r->cells[a] * r->dim; e++) {
            double sum = 0;
            for (int64_t s = 0; s < slices; s++) {
                sum += job->sums[(s * job->cells + before) * r->dim + e];
            }
            ga__view_set(&to, 0, 0, e / r->dim, e % r->dim, sum);
        }
    }
done:
    return status;
}

static ga_status query_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *rows = NULL;
    relative r;
    back_job job = { .run = run, .r = &r };
    int64_t size = 0;
    GA_TRY(relative_of(run, &r));
    r.factor = ga__part_value(&run->own, "rel_scaled")->integer ? step->gain : 1;
    GA_TRY(ga__widen_back(run, step, &rows));
    GA_TRY(ga__view_of(run->context, "q", step->before_view, true, &job.q));
    GA_TRY(ga__view_of(run->context, "grad_q", rows, true, &job.rows));
    GA_TRY(ga__view_of(run->context, "grad_q", run->slots[GA__Q].grad, true, &job.grad));
    for (int a = 0; a < r.l.axes; a++) {
        job.cells += r.cells[a];
    }
    if (!ga__mul(job.q.batch * job.q.heads, job.cells, &size) || !ga__mul(size, r.dim, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "gradients of the relative vectors: too many"));
    }
    GA_TRY(GA_NEW_ZERO(run->context, size, &job.sums));
    ga__workers(run->context, ga__threads_for(run->context, job.q.batch * job.q.heads), back_slices, &job);
    status = ga__noted_status(&job.failed);
    if (status == GA_CANCELLED) {
        status = ga__check(run->context);
    }
    GA_TRY(status);
    status = store_vectors(run, &job);
done:
    ga_free(run->context, job.sums);
    ga_tensor_destroy(run->context, rows);
    relative_free(run->context, &r);
    return status;
}

/* ---- ghosts: a key for every place of the padded grid ---- */

static ga_status bind_ghosts(ga__job *run, const layout *l)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    relative r = { .dim = run->dim };
    int64_t before[AXES], padded[AXES], product = 1, k[AXES];
    double *row = NULL;
    ga__view to;
    measure(l, &r);
    for (int a = 0; a < l->axes; a++) {
        int64_t y = (l->queries[a] - 1) * l->stride[a], b = l->block[a];
        int64_t last = l->centred ? y + 1 : y / b * b + b;
        before[a] = l->halo[a];
        padded[a] = l->shape[a] + l->halo[a] + ga__max(last + l->halo[a] - l->shape[a], 0);
        product *= padded[a];
    }
    if (product != ga__pattern_places(run->pattern)) {
        GA_TRY(ga__fail(run->context, GA_INTERNAL, "halo: places of the padded grid"));
    }
    GA_TRY(ga__tensor_new(run, 2, (const int64_t[]){ product, run->dim + r.columns }, &made));
    GA_TRY(ga__view_of(run->context, "ghosts", made, true, &to));
    GA_TRY(GA_NEW_ZERO(run->context, run->dim + r.columns, &row));
    for (int64_t p = 0; p < product; p++) {
        coordinates(l->axes, padded, p, k);
        for (int a = 0; a < l->axes; a++) {
            k[a] -= before[a];
        }
        fill_columns(&r, k, row + run->dim);
        ga__view_store_f64(&to, 0, 0, p, row);
    }
    status = ga__bind_made(run, GA__GHOST_K, "ghosts", made);
    made = NULL;
done:
    ga_free(run->context, row);
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status check_vectors(ga__job *run, const layout *l, bool *given)
{
    ga_status status = GA_OK;
    *given = ga__slot_find(run, rel_names[0]) >= 0;
    for (int a = 0; a < AXES; a++) {
        int slot = ga__slot_find(run, rel_names[a]);
        if (slot >= 0 && a >= l->axes) {
            GA_TRY(
                ga__fail(run->context, GA_INVALID, "halo: %s: the grid has %d axes", rel_names[a], l->axes));
        }
        if (a < l->axes && (slot >= 0) != *given) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "halo needs relative vectors of every axis, or none"));
        }
        if (slot >= 0) {
            int64_t cells = 2 * (l->block[a] + 2 * l->halo[a]) - 1;
            GA_TRY(ga__slot_fits(run, slot, false, 2, (const int64_t[]){ cells, run->dim }));
        }
    }
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    bool given = false;
    layout l;
    GA_TRY(read_layout(run, &run->own, &l));
    GA_TRY(check_vectors(run, &l, &given));
    if (!given) {
        goto done;
    }
    double scale = !isnan(run->scale) ? run->scale : run->dim > 0 ? 1 / sqrt((double)run->dim) : 1;
    run->scale = 1;
    run->problem.normaliser.length_dim = run->dim;
    ga__step_before(run, (ga__step){ query_forward, query_backward, .slot = GA__Q, .gain = scale });
    ga__step_before(run, (ga__step){ key_forward, key_backward, .slot = GA__K, .gain = 1 });
    if (ga__pattern_has_ghosts(run->pattern)) {
        status = bind_ghosts(run, &l);
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__halo_row, .normaliser = &ga__softmax_row, .plan = plan };

const ga_variant ga__halo_variant = {
    .name = "halo",
    .summary = "blocks of queries that share a window with a halo, relative vectors, query downsampling",
    .source = "HaloNet, 2103.12731",
    .family = "static",
    .plan =
        "pattern: product of block windows; score: scaled dot + <q, R_0[.] + R_1[.]>; normaliser: softmax "
        "including ghosts",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .causality = { .sets = GA_SETS_ONE },
    .ops = &ops,
};
