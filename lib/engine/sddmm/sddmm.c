/* sddmm.c - ga_sddmm and its gradients, which are gathers with the gradients of the scores as weights. */
#include "config.h"

#include "lib/engine/device/device.h"
#include "lib/engine/sddmm/sddmm.h"

typedef struct run {
    ga_context *context;
    const ga__dots_kernels *kernels;
    const ga__dots *dots;
    ga__split split;
    char *scratch;
    int64_t scratch_bytes, next;
    int status;
} run;

static void piece_worker(void *user, int worker)
{
    run *r = user;
    int wide = r->dots->a->type == GA__F64;
    for (int64_t p; (p = ga__claim(&r->next)) < r->split.count && !ga__stopped(r->context, &r->status);) {
        r->kernels->dots[wide](r->dots, &r->split.pieces[p], r->scratch + worker * r->scratch_bytes);
    }
}

ga_status ga__dots_run(ga_context *context, const ga__dots *dots)
{
    ga_status status = GA_OK;
    const ga_edges *edges = dots->edges;
    int64_t scratch = 0;
    run r = { .context = context, .kernels = GA__CHOOSE(context, ga__dots), .dots = dots };
    GA_TRY(ga__split_edges(context, "edges", edges->targets, edges->count, edges->offsets, &r.split));
    if (ga__device_of(context)) {
        GA_TRY(ga__dots_on_device(context, dots, &r.split));
        goto done;
    }
    int threads = ga__threads_for(context, r.split.count);
    if (!ga__mul(dots->heads * dots->width, sizeof(double), &r.scratch_bytes) ||
        !ga__mul(r.scratch_bytes, threads, &scratch)) {
        status = ga__fail(context, GA_OVERFLOW, "a: too many columns");
        goto done;
    }
    GA_TRY(GA_NEW(context, scratch, &r.scratch));
    ga__workers(context, threads, piece_worker, &r);
    status = ga__noted_status(&r.status);
done:
    ga_free(context, r.scratch);
    ga__split_free(context, &r.split);
    return status;
}

/* a (targets, heads * width) and b (sources, heads * width), both of f64 or neither. */
static ga_status read_rows(ga_context *context, const ga_edges *edges, int64_t heads, const DLTensor *a,
                           const DLTensor *b, ga__view *rows)
{
    ga_status status = GA_OK;
    GA_TRY(ga__edges_check(context, edges));
    if (heads < 1) {
        status = ga__fail(context, GA_INVALID, "heads: at least 1 expected, not %lld", (long long)heads);
        goto done;
    }
    GA_TRY(ga__view_anywhere(context, "a", a, true, &rows[0]));
    GA_TRY(ga__view_expect(context, "a", &rows[0], 1, 1, edges->targets, -1));
    GA_TRY(ga__view_anywhere(context, "b", b, true, &rows[1]));
    GA_TRY(ga__view_expect(context, "b", &rows[1], 1, 1, edges->sources_count, rows[0].columns));
    if (rows[0].columns % heads != 0) {
        status = ga__fail(context, GA_INVALID, "a: %lld columns are no multiple of %lld heads",
                          (long long)rows[0].columns, (long long)heads);
    } else if ((rows[0].type == GA__F64) != (rows[1].type == GA__F64)) {
        status = ga__fail(context, GA_INVALID, "b: f64 goes with an a of f64 alone");
    }
done:
    return status;
}

ga_status ga_sddmm(ga_context *context, const ga_edges *edges, int64_t heads, const DLTensor *a,
                   const DLTensor *b, DLTensor *s)
{
    ga_status status = GA_OK;
    ga__view rows[2], scores;
    ga__begin(context);
    GA_TRY(read_rows(context, edges, heads, a, b, rows));
    GA_TRY(ga__edge_values(context, "s", s, edges->count, heads, &scores));
    GA_TRY(ga__view_expect(context, "s", &scores, 1, 1, edges->count, heads));
    GA_TRY(ga__view_output(context, "s", &scores, GA__F32, GA__F64));
    ga__dots dots = { .edges = edges,
                      .heads = heads,
                      .width = rows[0].columns / heads,
                      .a = &rows[0],
                      .b = &rows[1],
                      .s = &scores };
    status = ga__dots_run(context, &dots);
done:
    return status;
}

/* Rows of x gathered with the gradients of the scores as weights, by target or, with transposed, by source. */
static ga_status gather(ga_context *context, const ga_edges *edges, const ga_transposed *transposed,
                        int64_t heads, const ga__view *x, const ga__view *grad_s, const char *name,
                        DLTensor *grad)
{
    ga_status status = GA_OK;
    ga__view out;
    int64_t rows = transposed ? edges->sources_count : edges->targets;
    ga__type type = x->type == GA__F64 ? GA__F64 : GA__F32;
    GA_TRY(ga__view_anywhere(context, name, grad, true, &out));
    GA_TRY(ga__view_expect(context, name, &out, 1, 1, rows, x->columns));
    GA_TRY(ga__view_output(context, name, &out, type, type));
    ga__gather g = {
        .rows = rows,
        .count = edges->count,
        .offsets = transposed ? transposed->offsets : edges->offsets,
        .ids = transposed ? transposed->targets : edges->sources,
        .heads = heads,
        .width = x->columns / heads,
        .x = x->data,
        .x_rows = x->rows,
        .x_type = x->type,
        .x_stride = x->stride_row,
        .weights = grad_s->data,
        .weights_type = grad_s->type,
        .weight_stride = grad_s->stride_row,
        .edge = transposed ? transposed->edge : NULL,
        .y = out.data,
        .x_on_device = x->on_device,
        .weights_on_device = grad_s->on_device,
        .y_on_device = out.on_device,
    };
    status = ga__gather_run(context, transposed ? "transposed" : "edges", &g);
done:
    return status;
}

ga_status ga_sddmm_backward(ga_context *context, const ga_edges *edges, const ga_transposed *transposed,
                            int64_t heads, const DLTensor *a, const DLTensor *b, const DLTensor *grad_s,
                            DLTensor *grad_a, DLTensor *grad_b)
{
    ga_status status = GA_OK;
    ga__view rows[2], scores;
    ga__begin(context);
    GA_TRY(read_rows(context, edges, heads, a, b, rows));
    GA_TRY(ga__edge_values(context, "grad_s", grad_s, edges->count, heads, &scores));
    GA_TRY(ga__view_expect(context, "grad_s", &scores, 1, 1, edges->count, heads));
    if (grad_b && (!transposed || !transposed->offsets)) {
        status = ga__fail(context, GA_INVALID, "transposed: needed for grad_b");
        goto done;
    }
    if (grad_a) {
        GA_TRY(gather(context, edges, NULL, heads, &rows[1], &scores, "grad_a", grad_a));
    }
    if (grad_b) {
        GA_TRY(gather(context, edges, transposed, heads, &rows[0], &scores, "grad_b", grad_b));
    }
done:
    return status;
}
