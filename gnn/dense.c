/* dense.c - z = x W + b and its gradients. */
#include "config.h"

#include "gnn/layer.h"

ga_status ga__linear(ga__layer_run *run, const DLTensor *x, const char *weight, const char *bias,
                     DLTensor **z)
{
    ga_status status = GA_OK;
    const DLTensor *w = ga__tensor(run, weight), *b = bias ? ga__tensor(run, bias) : NULL;
    const int64_t of_weight[] = { x->shape[1], -1 }, of_bias[] = { w->ndim ? ga__columns(w) : 1 };
    GA_TRY(ga__fits(run, weight, 2, of_weight));
    GA_TRY(bias ? ga__fits(run, bias, 1, of_bias) : GA_OK);
    GA_TRY(ga__temp(run, x->shape[0], ga__columns(w), z));
    GA_TRY(ga_gemm(run->context, false, false, 1, x, w, 0, *z));
    if (b) {
        GA_TRY(ga__add_row(run->context, b, *z));
    }
done:
    return status;
}

ga_status ga__linear_backward(ga__layer_run *run, const DLTensor *x, const DLTensor *dz, const char *weight,
                              const char *bias, double beta, DLTensor *dx)
{
    ga_status status = GA_OK;
    DLTensor *dw = ga__grad(run, weight), *db = bias ? ga__grad(run, bias) : NULL;
    if (dw) {
        GA_TRY(ga_gemm(run->context, true, false, 1, x, dz, 0, dw));
    }
    if (db) {
        GA_TRY(ga__sum_rows(run->context, 1, dz, db));
    }
    if (dx) {
        GA_TRY(ga_gemm(run->context, false, true, 1, dz, ga__tensor(run, weight), beta, dx));
    }
done:
    return status;
}
