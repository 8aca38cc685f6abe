/* merge.c - two partial results over disjoint keys joined (attention-static sections 0.4 and 23). */
#include "config.h"

#include "attention/blocks.h"

static const ga_tensor_slot tensors[] = {
    { "o_a", "(B, H, N, Dv)", "result over some of the keys", .optional = false },
    { "lse_a", "(B, H, N)", "its log of the sum of exponentials, -inf where empty", .optional = false },
    { "o_b", "(B, H, N, Dv)", "result over the other keys", .optional = false },
    { "lse_b", "(B, H, N)", "likewise", .optional = false },
    { .name = NULL },
};

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    const DLTensor *o_a = ga__block_tensor(run, "o_a"), *lse_a = ga__block_tensor(run, "lse_a");
    DLTensor *o = NULL, *lse = NULL, *spare = NULL;
    const int64_t rows[] = { ga__axis_from_last(o_a, 3), ga__axis_from_last(o_a, 2),
                             ga__axis_from_last(o_a, 1), ga__axis_from_last(o_a, 0) };
    GA_TRY(ga__block_fits(run, "lse_a", 3, rows));
    GA_TRY(ga__block_fits(run, "o_b", 4, rows));
    GA_TRY(ga__block_fits(run, "lse_b", 3, rows));
    if (ga__block_wants(run, "o")) {
        GA_TRY(ga__block_output_make(run, "o", o_a->ndim, o_a->shape, &o));
    } else { /* ga_merge writes it in any case */
        GA_TRY(ga_tensor_create(run->context, run->working, o_a->ndim, o_a->shape, &spare));
    }
    if (ga__block_wants(run, "lse")) {
        GA_TRY(ga__block_output_make(run, "lse", lse_a->ndim, lse_a->shape, &lse));
    }
    status = ga_merge(run->context, o_a, lse_a, ga__block_tensor(run, "o_b"), ga__block_tensor(run, "lse_b"),
                      o ? o : spare, lse);
done:
    ga_tensor_destroy(run->context, spare);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__block_merge = {
    .name = "merge",
    .summary = "joins two partial attention results over disjoint keys",
    .source = "split softmax, as used by NATTEN, S2-Attention and Radial Attention",
    .plan = "weighted sum of every row",
    .outputs = "o, lse",
    .tensors = tensors,
    .ops = &ops,
};
