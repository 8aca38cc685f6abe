/* selector.c - what selectors have in common: making selections, notes, lists as tensors. */
#include "config.h"

#include <string.h>

#include "attention/dynamic/selector.h"

ga_status ga__selection_new(const ga__selecting *s, int64_t heads, int64_t block_query, int64_t first_block,
                            ga_selection **out)
{
    ga_status status = GA_OK;
    ga_selection *made = NULL;
    int64_t lists = 0;
    GA_TRY(GA_NEW_ZERO(s->context, 1, &made));
    made->batch = s->batch;
    made->heads = heads;
    made->query_heads = s->heads;
    made->queries = s->queries;
    made->keys = made->open_from = s->keys;
    made->causal = s->causal;
    made->block_query = block_query;
    made->first_block = first_block;
    made->unit = 1;
    if (s->queries > 0) {
        int64_t behind = ga__max(s->queries - first_block, 0);
        made->lists = 1 + behind / block_query + (behind % block_query != 0);
    }
    if (!ga__mul(s->batch * heads, made->lists, &lists)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "selection: too many lists"));
    }
    GA_TRY(GA_NEW_ZERO(s->context, lists + 1, &made->offsets));
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    return status;
}

ga_status ga__selection_pack(ga_context *context, ga_selection *selection, const int64_t *counts,
                             const int32_t *units, int64_t most)
{
    ga_status status = GA_OK;
    int64_t lists = selection->batch * selection->heads * selection->lists;
    for (int64_t i = 0; i < lists; i++) {
        selection->offsets[i + 1] = selection->offsets[i] + counts[i];
    }
    GA_TRY(GA_NEW(context, selection->offsets[lists], &selection->units));
    for (int64_t i = 0; i < lists; i++) {
        memcpy(selection->units + selection->offsets[i], units + i * most, (size_t)counts[i] * sizeof *units);
    }
done:
    return status;
}

void ga__selection_adopt(ga_selection *selection, const int64_t *counts, int32_t **units, int64_t most)
{
    int64_t lists = selection->batch * selection->heads * selection->lists, *offsets = selection->offsets;
    for (int64_t i = 0; i < lists; i++) {
        offsets[i + 1] = offsets[i] + counts[i];
        memmove(*units + offsets[i], *units + i * most, (size_t)counts[i] * sizeof **units);
    }
    selection->units = *units;
    *units = NULL;
}

ga_status ga__note_new(ga__selecting *s, const char *name, DLDataType type, int ndim, const int64_t *shape,
                       DLTensor **out)
{
    ga_status status = GA_OK;
    GA_TRY(ga_tensor_create(s->context, type, ndim, shape, out));
    s->note[s->note_count++] = (ga_named_tensor){ name, *out };
done:
    return status;
}

ga_status ga__lists_tensor(ga_context *context, const int64_t *offsets, const int32_t *units, int64_t add,
                           int64_t factor, int leading, const int64_t *shape, DLTensor **out)
{
    static const DLDataType i32 = { kDLInt, 32, 1 };
    ga_status status = GA_OK;
    int64_t axes[5] = { 0 }, lists = 1, width = 0;
    memcpy(axes, shape, (size_t)leading * sizeof *axes);
    for (int i = 0; i < leading; i++) {
        lists *= shape[i];
    }
    for (int64_t i = 0; i < lists; i++) {
        width = ga__max(width, offsets[i + 1] - offsets[i]);
    }
    axes[leading] = width;
    GA_TRY(ga_tensor_create(context, i32, leading + 1, axes, out));
    int32_t *to = (*out)->data;
    for (int64_t i = 0; i < lists; i++) {
        int64_t count = offsets[i + 1] - offsets[i];
        for (int64_t c = 0; c < width; c++) {
            *to++ = c < count ? (int32_t)(add + factor * units[offsets[i] + c]) : -1;
        }
    }
done:
    return status;
}
