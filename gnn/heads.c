/* heads.c - what stands behind attention: heads side by side or their mean, and the bias. */
#include "config.h"

#include "gnn/layer.h"
#include "gnn/passes.h"

ga_status ga__heads_room(ga__layer_run *run, int64_t heads, bool concat, DLTensor *y, DLTensor **o)
{
    *o = y;
    return concat || heads == 1 ? GA_OK : ga__temp(run, run->nodes, heads * y->shape[1], o);
}

ga_status ga__join_heads(ga__layer_run *run, const DLTensor *o, int64_t heads, const char *bias, DLTensor *y)
{
    ga_status status = GA_OK;
    const DLTensor *b = bias ? ga__tensor(run, bias) : NULL;
    const int64_t columns = y->shape[1];
    GA_TRY(bias ? ga__fits(run, bias, 1, &columns) : GA_OK);
    if (o != y) {
        GA_TRY(ga__pass_mean_heads(run->context, heads, o, y));
    }
    if (b) {
        GA_TRY(ga__add_row(run->context, b, y));
    }
done:
    return status;
}

ga_status ga__split_heads(ga__layer_run *run, const DLTensor *grad_y, int64_t heads, bool concat,
                          const char *bias, const DLTensor **grad_o)
{
    ga_status status = GA_OK;
    DLTensor *db = bias ? ga__grad(run, bias) : NULL, *share = NULL;
    if (db) {
        GA_TRY(ga__sum_rows(run->context, 1, grad_y, db));
    }
    *grad_o = grad_y;
    if (!concat && heads > 1) {
        GA_TRY(ga__temp(run, run->nodes, heads * grad_y->shape[1], &share));
        GA_TRY(ga__pass_share_heads(run->context, heads, grad_y, share));
        *grad_o = share;
    }
done:
    return status;
}
