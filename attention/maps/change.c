/* change.c - flags as inputs and outputs of their own, for variants that change a map. */
#include "config.h"

#include "attention/maps/change.h"

ga_status ga__flags(ga__job *run, const char *name, int count, const int64_t *dims, ga__view *view)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, name);
    *view = (ga__view){ .data = NULL };
    if (slot < 0) {
        return GA_OK;
    }
    GA_TRY(ga__slot_fits(run, slot, false, count, dims));
    GA_TRY(ga__view_of(run->context, name, run->slots[slot].given, false, view));
    if (view->type <= GA__F64) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: integers expected", name));
    }
done:
    return status;
}

ga_status ga__change_output(ga__job *run, const char *name, const DLDataType *type, int ndim,
                            const int64_t *shape, DLTensor **out)
{
    if (run->note_count >= GA__GIVEN) {
        return ga__fail(run->context, GA_INTERNAL, "%s: too many outputs", run->variant->name);
    }
    ga_status status = ga_tensor_create(run->context, type ? *type : run->working, ndim, shape, out);
    if (status == GA_OK) {
        run->note[run->note_count++] = (ga_named_tensor){ name, *out };
    }
    return status;
}

ga_status ga__change_take(ga__job *run, const char *name, DLTensor **out)
{
    *out = ga__note_take(run, name);
    return *out ? GA_OK : ga__fail(run->context, GA_INTERNAL, "%s: no %s", run->variant->name, name);
}
