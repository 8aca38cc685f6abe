/* spmm_backward.c - gradients of ga_spmm.
 *
 * With y_i = c_i sum_e w_e x_s(e), c_i = 1 or 1 / n_i: dx_j = sum over the edges e of j of c_t(e) w_e dy_t(e), a gather
 * by source; dw_e = c_t(e) <dy_t(e), x_s(e)>, dots of rows. A maximum passes the gradient of an element to the edge that
 * gave it.
 */
#include "config.h"

#include <string.h>

#include "lib/engine/device/device.h"
#include "lib/engine/sddmm/sddmm.h"
#include "lib/engine/spmm/spmm.h"

typedef struct tensors {
    ga__view weights, x, argmax, grad_y, grad_x, grad_weights;
} tensors;

typedef struct problem {
    const ga_edges *edges;
    const ga_transposed *transposed;
    ga_reduce reduce;
} problem;

static ga_status read_gradients(ga_context *context, const problem *p, tensors *t)
{
    ga_status status = GA_OK;
    int64_t columns = t->grad_y.columns;
    ga__type type = t->grad_y.type;
    if (t->grad_x.data) {
        GA_TRY(ga__view_expect(context, "grad_x", &t->grad_x, 1, 1, p->edges->sources_count, columns));
        GA_TRY(ga__view_output(context, "grad_x", &t->grad_x, type, type));
        if (!p->transposed || !p->transposed->offsets) {
            status = ga__fail(context, GA_INVALID, "transposed: needed for grad_x");
            goto done;
        }
    }
    if (t->grad_weights.data) {
        GA_TRY(ga__view_expect(context, "x", &t->x, 1, 1, p->edges->sources_count, columns));
        GA_TRY(ga__view_output(context, "grad_weights", &t->grad_weights, GA__F32, GA__F64));
        if ((t->x.type == GA__F64) != (type == GA__F64)) {
            status = ga__fail(context, GA_INVALID, "x: f64 goes with a grad_y of f64 alone");
            goto done;
        }
    }
    if (p->reduce == GA_MAX) {
        GA_TRY(ga__view_expect(context, "argmax", &t->argmax, 1, 1, p->edges->targets, columns));
        GA_TRY(ga__view_output(context, "argmax", &t->argmax, GA__I64, GA__I64));
    }
done:
    return status;
}

static ga_status read_tensors(ga_context *context, const problem *p, const DLTensor *weights,
                              const DLTensor *x, const DLTensor *argmax, const DLTensor *grad_y,
                              const DLTensor *grad_x, const DLTensor *grad_weights, tensors *t)
{
    ga_status status = GA_OK;
    GA_TRY(ga__edges_check(context, p->edges));
    if (p->reduce != GA_SUM && p->reduce != GA_MEAN && p->reduce != GA_MAX) {
        status = ga__fail(context, GA_INVALID, "reduce: sum, mean or max expected, not %d", (int)p->reduce);
        goto done;
    }
    GA_TRY(ga__edge_values(context, "weights", weights, p->edges->count, 1, &t->weights));
    GA_TRY(ga__edge_values(context, "grad_weights", grad_weights, p->edges->count, 1, &t->grad_weights));
    GA_TRY(ga__view_anywhere(context, "x", x, true, &t->x));
    GA_TRY(ga__view_anywhere(context, "argmax", argmax, false, &t->argmax));
    GA_TRY(ga__view_anywhere(context, "grad_x", grad_x, true, &t->grad_x));
    GA_TRY(ga__view_anywhere(context, "grad_y", grad_y, true, &t->grad_y));
    GA_TRY(ga__view_expect(context, "grad_y", &t->grad_y, 1, 1, p->edges->targets, -1));
    if (t->grad_y.type != GA__F32 && t->grad_y.type != GA__F64) {
        status = ga__fail(context, GA_INVALID, "grad_y: f32 or f64 expected");
        goto done;
    }
    status = read_gradients(context, p, t);
done:
    return status;
}

/* ---- sums and means ---- */

static ga_status rows_of_sources(ga_context *context, const problem *p, const tensors *t)
{
    ga__gather gather = {
        .rows = p->edges->sources_count,
        .count = p->edges->count,
        .offsets = p->transposed->offsets,
        .ids = p->transposed->targets,
        .heads = 1,
        .width = t->grad_y.columns,
        .x = t->grad_y.data,
        .x_rows = t->grad_y.rows,
        .x_type = t->grad_y.type,
        .x_stride = t->grad_y.stride_row,
        .weights = t->weights.data,
        .weights_type = t->weights.type,
        .weight_stride = t->weights.stride_row,
        .edge = p->transposed->edge,
        .degrees = p->reduce == GA_MEAN ? p->edges->offsets : NULL,
        .y = t->grad_x.data,
        .chosen = p->reduce == GA_MAX ? t->argmax.data : NULL,
        .chosen_on_device = t->argmax.on_device,
        .x_on_device = t->grad_y.on_device,
        .weights_on_device = t->weights.on_device,
        .y_on_device = t->grad_x.on_device,
    };
    return ga__gather_run(context, "transposed", &gather);
}

static ga_status dots_of_edges(ga_context *context, const problem *p, const tensors *t)
{
    ga__dots dots = {
        .edges = p->edges,
        .heads = 1,
        .width = t->grad_y.columns,
        .a = &t->grad_y,
        .b = &t->x,
        .mean = p->reduce == GA_MEAN,
        .s = &t->grad_weights,
        .chosen = p->reduce == GA_MAX ? &t->argmax : NULL,
    };
    return ga__dots_run(context, &dots);
}

/* ---- maxima: by source for grad_x, by target for grad_weights, so that every element has one writer ---- */

typedef struct passing {
    ga_context *context;
    const problem *problem;
    const tensors *tensors;
    const ga__piece *pieces;
    int64_t count, next, columns;
    double *sums; /* a row for every worker */
    int status;
} passing;

static void pass_to_source(const passing *s, int64_t j, double *sum)
{
    const ga_transposed *by_source = s->problem->transposed;
    const tensors *t = s->tensors;
    memset(sum, 0, (size_t)s->columns * sizeof *sum);
    for (int64_t place = by_source->offsets[j]; place < by_source->offsets[j + 1]; place++) {
        int64_t i = by_source->targets[place], edge = by_source->edge[place];
        double w = t->weights.data ? ga__view_get(&t->weights, 0, 0, edge, 0) : 1;
        const int64_t *argmax = ga__view_row(&t->argmax, 0, 0, i);
        for (int64_t c = 0; c < s->columns; c++) {
            if (argmax[c] == edge) {
                sum[c] += w * ga__view_get(&t->grad_y, 0, 0, i, c);
            }
        }
    }
    ga__view_store_f64(&t->grad_x, 0, 0, j, sum);
}

static void source_worker(void *user, int worker)
{
    passing *s = user;
    for (int64_t p; (p = ga__claim(&s->next)) < s->count && !ga__stopped(s->context, &s->status);) {
        const ga__piece *piece = &s->pieces[p];
        if (piece->slot >= 0 && piece->first != s->problem->transposed->offsets[piece->row]) {
            continue; /* the first chunk of a row stands for all of it */
        }
        for (int64_t j = piece->row; j < piece->end_row; j++) {
            pass_to_source(s, j, s->sums + worker * s->columns);
        }
    }
}

static void pass_to_weights(const passing *s, int64_t i)
{
    const tensors *t = s->tensors;
    const int64_t *offsets = s->problem->edges->offsets, *argmax = ga__view_row(&t->argmax, 0, 0, i);
    for (int64_t e = offsets[i]; e < offsets[i + 1]; e++) {
        ga__view_set(&t->grad_weights, 0, 0, e, 0, 0);
    }
    for (int64_t c = 0; c < s->columns; c++) {
        int64_t e = argmax[c];
        if (e >= offsets[i] && e < offsets[i + 1]) {
            double x = ga__view_get(&t->x, 0, 0, s->problem->edges->sources[e], c);
            double before = ga__view_get(&t->grad_weights, 0, 0, e, 0);
            ga__view_set(&t->grad_weights, 0, 0, e, 0, before + ga__view_get(&t->grad_y, 0, 0, i, c) * x);
        }
    }
}

static void target_worker(void *user, int worker)
{
    passing *s = user;
    (void)worker;
    for (int64_t p; (p = ga__claim(&s->next)) < s->count && !ga__stopped(s->context, &s->status);) {
        const ga__piece *piece = &s->pieces[p];
        if (piece->slot >= 0 && piece->first != s->problem->edges->offsets[piece->row]) {
            continue;
        }
        for (int64_t i = piece->row; i < piece->end_row; i++) {
            pass_to_weights(s, i);
        }
    }
}

static ga_status pass_maxima(ga_context *context, const problem *p, const tensors *t, bool to_sources)
{
    ga_status status = GA_OK;
    ga__split split = { 0 };
    passing s = { .context = context, .problem = p, .tensors = t, .columns = t->grad_y.columns };
    int64_t room = 0;
    if (to_sources) {
        GA_TRY(ga__split_edges(context, "transposed", p->edges->sources_count, p->edges->count,
                               p->transposed->offsets, &split));
    } else {
        GA_TRY(
            ga__split_edges(context, "edges", p->edges->targets, p->edges->count, p->edges->offsets, &split));
    }
    int threads = ga__threads_for(context, split.count);
    s.pieces = split.pieces;
    s.count = split.count;
    if (!ga__mul(s.columns, threads, &room)) {
        status = ga__fail(context, GA_OVERFLOW, "grad_y: too many columns");
        goto done;
    }
    GA_TRY(GA_NEW(context, to_sources ? room : 0, &s.sums));
    ga__workers(context, threads, to_sources ? source_worker : target_worker, &s);
    status = ga__noted_status(&s.status);
done:
    ga_free(context, s.sums);
    ga__split_free(context, &split);
    return status;
}

ga_status ga_spmm_backward(ga_context *context, const ga_edges *edges, const ga_transposed *transposed,
                           const DLTensor *weights, const DLTensor *x, ga_reduce reduce,
                           const DLTensor *argmax, const DLTensor *grad_y, DLTensor *grad_x,
                           DLTensor *grad_weights)
{
    ga_status status = GA_OK;
    problem p = { edges, transposed, reduce };
    tensors t;
    ga__begin(context);
    GA_TRY(read_tensors(context, &p, weights, x, argmax, grad_y, grad_x, grad_weights, &t));
    bool pass = reduce == GA_MAX && !ga__device_of(context); /* a device picks them from sums */
    if (grad_x) {
        GA_TRY(pass ? pass_maxima(context, &p, &t, true) : rows_of_sources(context, &p, &t));
    }
    if (grad_weights) {
        GA_TRY(pass ? pass_maxima(context, &p, &t, false) : dots_of_edges(context, &p, &t));
    }
done:
    return status;
}
