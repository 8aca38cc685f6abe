/* gather.c - gathered rows on several threads; rows that were cut are put together in order. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/engine/device/device.h"
#include "lib/engine/spmm/spmm.h"

/* Results of the chunks of hub rows, (slots, columns). */
typedef struct run {
    ga_context *context;
    const ga__gather_kernels *kernels;
    const ga__gather *gather;
    ga__split split;
    void *slots;
    int64_t *slot_edges; /* of max */
    char *scratch;       /* of all workers */
    int64_t columns, size, next;
    int status;
} run;

static int64_t scratch_bytes(const run *r)
{
    return GA__CHUNK * r->gather->heads * r->size;
}

static void piece_worker(void *user, int worker)
{
    run *r = user;
    int wide = r->gather->x_type == GA__F64;
    void *scratch = r->scratch + worker * scratch_bytes(r);
    for (int64_t p; (p = ga__claim(&r->next)) < r->split.count && !ga__stopped(r->context, &r->status);) {
        const ga__piece *piece = &r->split.pieces[p];
        bool cut = piece->slot >= 0;
        int64_t at = (cut ? piece->slot : piece->row) * r->columns;
        void *out = (char *)(cut ? r->slots : r->gather->y) + at * r->size;
        if (r->gather->max) {
            int64_t *edges = cut ? r->slot_edges : r->gather->argmax;
            r->kernels->max[wide](r->gather, piece, out, edges ? edges + at : NULL, scratch);
        } else {
            r->kernels->sum[wide](r->gather, piece, out, scratch);
        }
    }
}

static void sum_slots(const run *r, const ga__hub *hub)
{
    const ga__gather *g = r->gather;
    double scale = g->mean ? 1.0 / (double)(g->offsets[hub->row + 1] - g->offsets[hub->row]) : 1;
    for (int64_t c = 0; c < r->columns; c++) {
        double sum = 0;
        for (int64_t s = hub->first_slot; s < hub->first_slot + hub->slots; s++) {
            sum += r->size == 8 ? ((const double *)r->slots)[s * r->columns + c]
                                : (double)((const float *)r->slots)[s * r->columns + c];
        }
        if (r->size == 8) {
            ((double *)g->y)[hub->row * r->columns + c] = sum * scale;
        } else {
            ((float *)g->y)[hub->row * r->columns + c] = (float)(sum * scale);
        }
    }
}

/* The first of the largest, where equal ones are told apart by source, then by edge. */
static void max_slots(const run *r, const ga__hub *hub)
{
    const ga__gather *g = r->gather;
    for (int64_t c = 0; c < r->columns; c++) {
        double best = 0;
        int64_t edge = -1;
        for (int64_t s = hub->first_slot; s < hub->first_slot + hub->slots; s++) {
            int64_t at = s * r->columns + c, e = r->slot_edges[at];
            double value =
                r->size == 8 ? ((const double *)r->slots)[at] : (double)((const float *)r->slots)[at];
            if (edge < 0 || value > best || (isnan(value) && !isnan(best)) ||
                (value == best && g->ids[e] < g->ids[edge])) {
                best = value;
                edge = e;
            }
        }
        if (r->size == 8) {
            ((double *)g->y)[hub->row * r->columns + c] = best;
        } else {
            ((float *)g->y)[hub->row * r->columns + c] = (float)best;
        }
        if (g->argmax) {
            g->argmax[hub->row * r->columns + c] = edge;
        }
    }
}

static void hub_worker(void *user, int worker)
{
    run *r = user;
    (void)worker;
    for (int64_t h; (h = ga__claim(&r->next)) < r->split.hub_count && !ga__stopped(r->context, &r->status);) {
        if (r->gather->max) {
            max_slots(r, &r->split.hubs[h]);
        } else {
            sum_slots(r, &r->split.hubs[h]);
        }
    }
}

/* Worth going past the caches: more than they hold, and every row starts on a vector. */
static bool worth_streaming(const ga__gather *g, int64_t size)
{
    int64_t bytes = 0;
    return (g->width * size) % 64 == 0 && (uintptr_t)g->y % 64 == 0 &&
           ga__mul(g->rows, g->heads * g->width, &bytes) && bytes > (8 << 20) / size;
}

ga_status ga__gather_run(ga_context *context, const char *name, ga__gather *gather)
{
    ga_status status = GA_OK;
    int64_t slot_elements = 0, threads = 0, scratch = 0;
    run r = { .context = context,
              .kernels = GA__CHOOSE(context, ga__gather),
              .gather = gather,
              .columns = gather->heads * gather->width,
              .size = gather->x_type == GA__F64 ? 8 : 4 };
    GA_TRY(ga__split_edges(context, name, gather->rows, gather->count, gather->offsets, &r.split));
    if (r.columns == 0) {
        goto done;
    }
    if (ga__device_of(context)) {
        GA_TRY(ga__gather_on_device(context, name, gather, &r.split));
        goto done;
    }
    gather->stream = worth_streaming(gather, r.size);
    threads = ga__threads_for(context, r.split.count);
    if (!ga__mul(r.split.slots, r.columns, &slot_elements) ||
        !ga__mul(gather->heads, GA__CHUNK * r.size, &scratch) || !ga__mul(scratch, threads, &scratch)) {
        status = ga__fail(context, GA_OVERFLOW, "%s: too many columns", name);
        goto done;
    }
    GA_TRY(ga_alloc(context, slot_elements, (size_t)r.size, &r.slots));
    if (gather->max) {
        GA_TRY(GA_NEW(context, slot_elements, &r.slot_edges));
    }
    GA_TRY(GA_NEW(context, scratch, &r.scratch));
    ga__workers(context, (int)threads, piece_worker, &r);
    GA_TRY(ga__noted_status(&r.status));
    r.next = 0;
    ga__workers(context, ga__threads_for(context, r.split.hub_count), hub_worker, &r);
    status = ga__noted_status(&r.status);
done:
    ga_free(context, r.slots);
    ga_free(context, r.slot_edges);
    ga_free(context, r.scratch);
    ga__split_free(context, &r.split);
    return status;
}
