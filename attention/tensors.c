/* tensors.c - the tensors of a call: by name, in the working type, handed to the engine. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "attention/plan.h"
#include "lib/engine/pattern/planning.h"
#include "lib/tensor/tensor.h"

/* Where a tensor and its gradient stand in the engine's structs; 0 where there is none (no member stands there). */
static const struct {
    size_t attention, scan;
} members[GA__MEMBERS] = {
    [GA__BIAS] = { offsetof(ga_attention, score.bias), 0 },
    [GA__TABLE] = { offsetof(ga_attention, score.table), 0 },
    [GA__EDGE_BIAS] = { offsetof(ga_attention, score.edge_bias), 0 },
    [GA__SLOPES] = { offsetof(ga_attention, score.slopes), 0 },
    [GA__ETA_LOGITS] = { offsetof(ga_attention, normaliser.eta_logits), 0 },
    [GA__K_EXTRA] = { offsetof(ga_attention, k_extra), 0 },
    [GA__V_EXTRA] = { offsetof(ga_attention, v_extra), 0 },
    [GA__GHOST_K] = { offsetof(ga_attention, ghost_k), 0 },
    [GA__GHOST_V] = { offsetof(ga_attention, ghost_v), 0 },
    [GA__HEAD_SCALE] = { offsetof(ga_attention, head_scale), 0 },
    [GA__COLUMN_BIAS] = { offsetof(ga_attention, score.column_bias), 0 },
    [GA__COLUMN_FACTOR] = { offsetof(ga_attention, score.column_factor), 0 },
    [GA__COLUMN_GAIN] = { offsetof(ga_attention, score.column_gain), 0 },
    [GA__LOG_DECAY] = { 0, offsetof(ga_scan, log_decay) },
    [GA__BETA] = { 0, offsetof(ga_scan, beta) },
    [GA__BONUS] = { 0, offsetof(ga_scan, bonus) },
    [GA__INITIAL_STATE] = { 0, offsetof(ga_scan, initial_state) },
};

DLTensor *ga__note_take(ga__job *run, const char *name)
{
    DLTensor *tensor = NULL;
    for (int i = 0; i < run->note_count && !tensor; i++) {
        if (strcmp(run->note[i].name, name) == 0) {
            tensor = run->note[i].tensor;
            run->note[i].tensor = NULL;
        }
    }
    return tensor;
}

int ga__slot_find(const ga__job *run, const char *name)
{
    for (int i = 0; i < run->slot_count; i++) {
        if (strcmp(run->slots[i].name, name) == 0 && run->slots[i].given) {
            return i;
        }
    }
    return -1;
}

/* "(2|1, 5, *)" */
static void write_shape(char *text, size_t size, bool shared, int count, const int64_t *dims)
{
    size_t used = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < count && used < size; i++) {
        const char *comma = i ? ", " : "", *one = shared && i == 0 && dims[0] != 1 ? "|1" : "";
        used += (size_t)(dims[i] < 0 ? snprintf(text + used, size - used, "%s*%s", comma, one)
                                     : snprintf(text + used, size - used, "%s%lld%s", comma,
                                                (long long)dims[i], one));
    }
    if (used < size) {
        snprintf(text + used, size - used, ")");
    }
}

ga_status ga__slot_fits(ga__job *run, int slot, bool shared, int count, const int64_t *dims)
{
    const DLTensor *t = run->slots[slot].given;
    int missing = count - t->ndim;
    bool fits = missing >= 0;
    for (int i = 0; fits && i < count; i++) {
        int64_t found = i < missing ? 1 : t->shape[i - missing];
        fits = dims[i] < 0 || found == dims[i] || (shared && i == 0 && found == 1);
    }
    if (!fits) {
        char found[128], wanted[128];
        write_shape(found, sizeof found, false, t->ndim, t->shape);
        write_shape(wanted, sizeof wanted, shared, count, dims);
        return ga__fail(run->context, GA_INVALID, "%s: shape %s, expected %s", run->slots[slot].name, found,
                        wanted);
    }
    return GA_OK;
}

ga_status ga__bind(ga__job *run, ga__member member, const char *name, bool shared, int count,
                   const int64_t *dims)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, name);
    if (slot < 0) {
        goto done;
    }
    GA_TRY(ga__slot_fits(run, slot, shared, count, dims));
    run->bound[member] = slot;
    ga__member_set(run, member, run->slots[slot].tensor);
done:
    return status;
}

void ga__member_set(ga__job *run, ga__member member, const DLTensor *tensor)
{
    if (members[member].attention) {
        memcpy((char *)&run->problem + members[member].attention, &tensor, sizeof tensor);
    } else {
        memcpy((char *)&run->scan + members[member].scan, &tensor, sizeof tensor);
    }
}

void ga__bind_parameter(ga__job *run, ga__member member, const char *name)
{
    run->bound[member] = run->slot_count;
    run->slots[run->slot_count++] = (ga__slot){ .name = name, .differentiable = true };
}

ga_status ga__bind_made(ga__job *run, ga__member member, const char *name, DLTensor *made)
{
    if (run->slot_count >= GA__SLOTS) {
        ga_tensor_destroy(run->context, made);
        return ga__fail(run->context, GA_INTERNAL, "%s: too many tensors", run->variant->name);
    }
    run->bound[member] = run->slot_count;
    run->slots[run->slot_count++] = (ga__slot){ .name = name, .tensor = made, .made = made };
    ga__member_set(run, member, made);
    return GA_OK;
}

int ga__slot_make(ga__job *run, const char *name, DLTensor *tensor)
{
    run->slots[run->slot_count] = (ga__slot){ .name = name, .tensor = tensor, .made = tensor };
    return run->slot_count++;
}

ga_status ga__bind_pattern_table(ga__job *run)
{
    int64_t dims[4] = { run->heads };
    int axes = ga__pattern_table(run->pattern, dims + 1);
    if (ga__slot_find(run, "bias") >= 0 && axes == 0) {
        return ga__fail(run->context, GA_LIMIT, "bias: the grid is too large for a relative table");
    }
    return ga__bind(run, GA__TABLE, "bias", true, axes + 1, dims);
}

int64_t ga__view_get_integer(const ga__view *view, int64_t head, int64_t row, int64_t column)
{
    const void *at = ga__view_row(view, 0, head, row);
    switch (view->type) {
    case GA__I64: return ((const int64_t *)at)[column];
    case GA__I32: return ((const int32_t *)at)[column];
    default: return ((const uint8_t *)at)[column];
    }
}

ga_status ga__tensor_new(ga__job *run, int ndim, const int64_t *shape, DLTensor **out)
{
    return ga_tensor_create(run->context, run->working, ndim, shape, out);
}
