/* merge_partials.c - stacked results over disjoint keys joined (attention-dynamic A9).
 *
 * o = sum_p w_p o_p / W, w_p = e^(lse_p - m), W = sum w_p. With g the gradient of o: do_p = (w_p / W) g and
 * dlse_p = (w_p / W) <g, o_p - o>; both are 0 for a part that saw no key. */
#include "config.h"

#include <math.h>

#include "attention/blocks.h"

static const ga_tensor_slot tensors[] = {
    { "o", "(P, ..., dv)", "partial outputs", .optional = false, .differentiable = true },
    { "lse", "(P, ...)", "their log of the sum of exponentials; -inf: empty", .optional = false,
      .differentiable = true },
    { .name = NULL },
};

static ga_status check_axes(ga__block_run *run, const DLTensor *o, const DLTensor *lse)
{
    bool fits = o->ndim >= 2 && lse->ndim == o->ndim - 1;
    for (int i = 0; fits && i < lse->ndim; i++) {
        fits = lse->shape[i] == o->shape[i];
    }
    return fits ? GA_OK
                : ga__fail(run->context, GA_INVALID,
                           "lse: expected the axes of o without the last one, o (P, ..., dv)");
}

/* Of the tensors of a run: P parts of `rows` rows of `width` numbers. */
typedef struct sizes {
    int64_t parts, rows, width;
} sizes;

static sizes sizes_of(const DLTensor *o)
{
    sizes n = { o->shape[0], 1, o->shape[o->ndim - 1] };
    for (int i = 1; i < o->ndim - 1; i++) {
        n.rows *= o->shape[i];
    }
    return n;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    const DLTensor *o = ga__block_tensor(run, "o"), *lse = ga__block_tensor(run, "lse");
    DLTensor *to_o = NULL, *to_lse = NULL, *spare = NULL;
    GA_TRY(check_axes(run, o, lse));
    if (ga__block_wants(run, "o")) {
        GA_TRY(ga__block_output_make(run, "o", o->ndim - 1, o->shape + 1, &to_o));
    } else { /* ga_merge_parts writes it in any case */
        GA_TRY(ga_tensor_create(run->context, run->working, o->ndim - 1, o->shape + 1, &spare));
    }
    if (ga__block_wants(run, "lse")) {
        GA_TRY(ga__block_output_make(run, "lse", lse->ndim - 1, lse->shape + 1, &to_lse));
    }
    status = ga_merge_parts(run->context, o, lse, to_o ? to_o : spare, to_lse);
done:
    ga_tensor_destroy(run->context, spare);
    return status;
}

/* w_p / W of a row, in place of lse_p. */
static void shares_of(const DLTensor *lse, sizes n, int64_t row, double *share)
{
    double m = -INFINITY, sum = 0;
    for (int64_t p = 0; p < n.parts; p++) {
        share[p] = ga__element(lse, p * n.rows + row);
        m = share[p] > m ? share[p] : m;
    }
    for (int64_t p = 0; p < n.parts; p++) {
        share[p] = share[p] == -INFINITY ? 0 : exp(share[p] - m);
        sum += share[p];
    }
    for (int64_t p = 0; p < n.parts && sum != 0; p++) {
        share[p] /= sum;
    }
}

/* <g, o_p - o> from <g, o_p>, o being the sum of the shares. */
static void row_back(const ga__block_run *run, sizes n, int64_t row, double *share, double *product)
{
    const DLTensor *o = ga__block_tensor(run, "o"), *g = run->grad_y;
    DLTensor *grad_o = ga__block_grad(run, "o"), *grad_lse = ga__block_grad(run, "lse");
    double mean = 0;
    shares_of(ga__block_tensor(run, "lse"), n, row, share);
    for (int64_t p = 0; p < n.parts; p++) {
        product[p] = 0;
        for (int64_t c = 0; c < n.width && share[p] != 0; c++) {
            product[p] +=
                ga__element(g, row * n.width + c) * ga__element(o, (p * n.rows + row) * n.width + c);
        }
        mean += share[p] * product[p];
        for (int64_t c = 0; c < n.width && grad_o; c++) {
            ga__set_element(grad_o, (p * n.rows + row) * n.width + c,
                            share[p] * ga__element(g, row * n.width + c));
        }
    }
    for (int64_t p = 0; p < n.parts && grad_lse; p++) {
        ga__set_element(grad_lse, p * n.rows + row, share[p] * (product[p] - mean));
    }
}

typedef struct back {
    const ga__block_run *run;
    sizes n;
} back;

static void back_unit(void *user, int64_t unit, double *room)
{
    const back *b = user;
    row_back(b->run, b->n, unit, room, room + b->n.parts);
}

static ga_status backward(ga__block_run *run)
{
    back b = { run, sizes_of(ga__block_tensor(run, "o")) };
    return ga__units(run->context, b.n.rows, 2 * b.n.parts, back_unit, &b);
}

static const ga__block_ops ops = { .forward = forward, .backward = backward, .upstream = "o" };

const ga_block ga__block_merge_partials = {
    .name = "merge-partials",
    .summary = "joins any number of partial attention results over disjoint keys",
    .source = "A Unified View of Long-Sequence Models, distributed attention, 2302.06218",
    .plan = "weighted sum of every row over the parts",
    .outputs = "o, lse",
    .tensors = tensors,
    .ops = &ops,
};
