/* scan.c - linear recurrences: which body runs, in which pieces. */
#include "config.h"

#include "lib/engine/device/device.h"
#include "lib/engine/scan_attention/scan.h"

#include <math.h>

typedef struct scan_job {
    const ga__scan_plan *plan;
    ga__scan_item item;
    ga_context *context;
    char *space;
    int64_t space_bytes, items, next;
    int status;
} scan_job;

static void work(void *user, int worker)
{
    scan_job *job = user;
    char *space = job->space + worker * job->space_bytes;
    for (;;) {
        int64_t item = ga__claim(&job->next);
        if (item >= job->items || ga__stopped(job->context, &job->status)) {
            break;
        }
        job->item(job->plan, item, space, job->context, &job->status);
    }
}

static ga_status run(ga_context *context, const ga__scan_plan *plan, ga__scan_space space, ga__scan_item item,
                     int64_t items)
{
    ga_status status = GA_OK;
    int threads = ga__threads_for(context, items);
    int64_t bytes = 0;
    scan_job job = { .plan = plan, .item = item, .context = context, .items = items };
    if (items == 0) {
        goto done;
    }
    if (!space(plan, &job.space_bytes) || !ga__mul(job.space_bytes, threads, &bytes)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "scan: a state of %lld x %lld is too large", (long long)plan->d,
                        (long long)plan->width));
    }
    GA_TRY(ga_alloc(context, bytes, 1, &job.space));
    ga__workers(context, threads, work, &job);
    status = ga__noted_status(&job.status);
    if (status == GA_INVALID) {
        (void)ga__scan_refuse_growth(context, plan);
    } else if (status == GA_CANCELLED) {
        (void)ga__fail(context, status, "cancelled");
    }
done:
    ga_free(context, job.space);
    return status;
}

static const struct ga__scan_op *choose(ga_context *context, bool wide)
{
    return wide ? &ga__scan_reference : GA__CHOOSE(context, ga__scan);
}

/* ---- forward ---- */

/* Without a matrix engine chunks do more products than the recurrence, so what decides is how often the state goes
 * through the caches, what the decays cost and how much of it fits into registers; for four tokens all of it does
 * (scan_block.h). Speed over one token a sweep, AVX-512, d = e, no decay / a number a channel / delta rule:
 *   tokens   4                8                16               32               64
 *   d = 64   1.7 / 2.3 / 1.8  1.5 / 1.8 / 1.5  1.3 / 1.7 / 1.4  1.2 / 1.5 / 1.2  1.0 / 1.2 / 0.8
 *   d = 128  1.8 / 2.4 / 1.9  1.7 / 2.0 / 1.7  1.6 / 2.0 / 1.6  1.5 / 1.9 / 1.4  1.3 / 1.6 / 1.2
 *   d = 256  1.8 / 2.5 / 1.9  1.7 / 2.2 / 1.7  1.7 / 2.2 / 1.7  1.6 / 2.1 / 1.6  1.4 / 1.9 / 1.3 */
static int64_t chunk_of(const ga_scan *problem, const ga__scan_plan *plan)
{
    static const int64_t chunked = 16, blocked = 4;
    int64_t chunk = blocked;
    if (problem->form == GA_SCAN_RECURRENT || plan->keys == 1) {
        chunk = 1;
    } else if (problem->form == GA_SCAN_CHUNKED) {
        chunk = problem->chunk > 0 ? problem->chunk : chunked;
    } else if (!plan->causal) {
        chunk = chunked;
    }
    return ga__min(ga__min(chunk, ga__max(plan->keys, 1)), GA__SCAN_CHUNK);
}

static int64_t tiles_of(const ga__scan_plan *plan)
{
    return ga__max(1, (plan->e + plan->columns - 1) / plan->columns);
}

/* All columns of a head in one item unless that leaves threads without work. Columns never meet, so that
 * the cut shows in no result. */
static int64_t columns_of(const ga_context *context, const ga__scan_plan *plan)
{
    int64_t whole = ga__max(1, (plan->e + GA__SCAN_COLUMNS - 1) / GA__SCAN_COLUMNS);
    int64_t threads = ga__threads(context), heads = plan->batch * plan->groups, parts = 1;
    while (parts < whole && heads * parts < 2 * threads && heads * parts % threads != 0) {
        parts++;
    }
    return (whole + parts - 1) / parts * GA__SCAN_COLUMNS;
}

ga_status ga_scan_forward(ga_context *context, const ga_scan *problem, DLTensor *o, DLTensor *state)
{
    ga__begin(context);
    ga_status status = GA_OK;
    ga__scan_plan plan;
    bool wide = false;
    GA_TRY(ga__scan_check(context, problem, &plan, &wide));
    GA_TRY(ga__scan_check_outputs(context, &plan, o, state));
    bool device = ga__device_of(context);
    if (!plan.decay.on_device && (device || plan.decay_kind == GA__DECAY_HEAD || (!o && !state))) {
        GA_TRY(ga__scan_refuse_growth(context, &plan));
    }
    if (!o && !state) {
        goto done;
    }
    if (device) {
        status = ga__scan_forward_on_device(context, &plan, wide);
        goto done;
    }
    plan.chunk = chunk_of(problem, &plan);
    plan.columns = wide ? ga__max(plan.e, 1) : columns_of(context, &plan);
    const struct ga__scan_op *op = choose(context, wide);
    GA_TRY(run(context, &plan, op->forward_space, op->forward, plan.batch * plan.groups * tiles_of(&plan)));
done:
    return status;
}

/* ---- backward ---- */

static void sum_small_parts(const ga__scan_plan *plan)
{
    int64_t parts = plan->tiles * plan->batch, width = plan->groups * plan->d;
    for (int64_t g = 0; plan->grad_decay.data && plan->decay_kind == GA__DECAY_HEAD && g < plan->groups;
         g++) {
        double sum = 0;
        for (int64_t b = 0; b < parts; b++) {
            sum += plan->part_decay[b * plan->groups + g];
        }
        ga__view_set(&plan->grad_decay, 0, 0, 0, g, sum);
    }
    for (int64_t at = 0; plan->grad_bonus.data && at < width; at++) {
        double sum = 0;
        for (int64_t b = 0; b < parts; b++) {
            sum += plan->part_bonus[b * width + at];
        }
        ga__view_set(&plan->grad_bonus, 0, 0, at / plan->d, at % plan->d, sum);
    }
}

/* A gradient that is a sum over tiles: where it goes and one part a tile. */
typedef struct split_gradient {
    ga__view out;
    float *parts;
    int64_t tiles, next;
} split_gradient;

/* The view becomes one of the parts. Nothing when it is not wanted. */
static ga_status split_view(ga_context *context, int64_t tiles, ga__view *view, split_gradient *split)
{
    ga_status status = GA_OK;
    int64_t rows = 0, count = 0;
    *split = (split_gradient){ .out = *view, .tiles = tiles };
    if (!view->data) {
        goto done;
    }
    if (!ga__mul(view->batch * view->heads, view->rows, &rows) || !ga__mul(rows, view->columns, &count) ||
        !ga__mul(count, tiles, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "scan: the parts of a gradient are too large"));
    }
    GA_TRY(GA_NEW(context, count, &split->parts));
    *view = (ga__view){ .data = split->parts,
                        .batch = view->batch,
                        .heads = view->heads,
                        .rows = view->rows,
                        .columns = view->columns,
                        .stride_batch = view->heads * view->rows * view->columns,
                        .stride_head = view->rows * view->columns,
                        .stride_row = view->columns };
done:
    return status;
}

/* out is contiguous. Blocks of elements; tiles in order. */
static void sum_tiles(void *user, int worker)
{
    enum { BLOCK = 1 << 14 };
    split_gradient *split = user;
    const ga__view *out = &split->out;
    int64_t count = out->batch * out->heads * out->rows * out->columns, at;
    (void)worker;
    while ((at = ga__claim(&split->next) * BLOCK) < count) {
        for (int64_t i = at; i < ga__min(at + BLOCK, count); i++) {
            float sum = split->parts[i];
            for (int64_t tile = 1; tile < split->tiles; tile++) {
                sum += split->parts[tile * count + i];
            }
            if (out->type == GA__F64) {
                ((double *)out->data)[i] = (double)sum;
            } else {
                ((float *)out->data)[i] = sum;
            }
        }
    }
}

/* Columns of an item of the backward pass. Cut only where there are few heads, by the shape alone: the cut
 * shows in the rounding of the sums. */
static int64_t reverse_columns(const ga__scan_plan *plan, bool wide)
{
    static const int64_t few = 4, column = 64;
    int64_t heads = plan->batch * plan->groups;
    if (wide || plan->normalise || heads >= few || plan->e <= GA__SCAN_COLUMNS) {
        return ga__max(plan->e, 1);
    }
    return heads == 1 && plan->e < 2 * column ? GA__SCAN_COLUMNS : column;
}

static ga_status run_backward(ga_context *context, ga__scan_plan *plan, bool wide)
{
    ga_status status = GA_OK;
    enum { SPLIT = 4 };
    split_gradient split[SPLIT] = { 0 };
    ga__view *views[SPLIT] = { &plan->grad_q, &plan->grad_k, &plan->grad_beta, &plan->grad_decay };
    ga__view decay = plan->grad_decay;
    const struct ga__scan_op *op = choose(context, wide);
    int last = plan->decay_kind == GA__DECAY_HEAD ? SPLIT - 1 : SPLIT;
    for (int i = 0; i < last && plan->tiles > 1; i++) {
        GA_TRY(split_view(context, plan->tiles, views[i], &split[i]));
    }
    GA_TRY(run(context, plan, op->backward_space, op->backward, plan->batch * plan->groups * plan->tiles));
    for (int i = 0; i < last; i++) {
        if (split[i].parts) {
            ga__workers(context, ga__threads(context), sum_tiles, &split[i]);
        }
    }
    plan->grad_decay = decay;
    sum_small_parts(plan);
done:
    for (int i = 0; i < SPLIT; i++) {
        ga_free(context, split[i].parts);
    }
    return status;
}

ga_status ga_scan_backward(ga_context *context, const ga_scan *problem, const ga_scan_gradients *gradients)
{
    ga__begin(context);
    ga_status status = GA_OK;
    ga__scan_plan plan = { .part_decay = NULL };
    bool wide = false;
    GA_TRY(ga__scan_check(context, problem, &plan, &wide));
    GA_TRY(ga__scan_check_gradients(context, &plan, gradients, &wide));
    GA_TRY(ga__device_refuse(context, "scan", "compute gradients"));
    if (plan.decay_kind == GA__DECAY_HEAD) {
        GA_TRY(ga__scan_refuse_growth(context, &plan));
    }
    /* about sqrt(N) states are kept */
    plan.segment = ga__max(1, (int64_t)ceil(sqrt((double)plan.keys)));
    plan.columns = reverse_columns(&plan, wide);
    plan.tiles = tiles_of(&plan);
    int64_t parts = plan.batch * plan.groups * plan.tiles, bonuses = 0;
    if (!ga__mul(parts, plan.d, &bonuses)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "bonus: %lld parts of width %lld", (long long)parts,
                        (long long)plan.d));
    }
    GA_TRY(GA_NEW_ZERO(context, parts, &plan.part_decay));
    if (plan.bonus.data) {
        GA_TRY(GA_NEW_ZERO(context, bonuses, &plan.part_bonus));
    }
    GA_TRY(run_backward(context, &plan, wide));
done:
    ga_free(context, plan.part_decay);
    ga_free(context, plan.part_bonus);
    return status;
}
