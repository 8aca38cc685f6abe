/* traffic.c - inputs to the device, outputs from it, and the memory of a call. */
#include "config.h"

#include <string.h>

#include "lib/engine/device/traffic.h"

enum { ALIGNED = 256, LEAST_CHUNK = 1 << 20 };

/* ---- the workspace ---- */

/* Under AddressSanitizer, on the emulated device, what a call was not given is forbidden to it. */
static void forbid(const ga__traffic *traffic, char *memory, int64_t bytes, bool forbidden)
{
    if (traffic->table->forbid && bytes > 0) {
        traffic->table->forbid(memory, (size_t)bytes, forbidden);
    }
}

static int64_t held(const ga__workspace *w)
{
    int64_t sum = 0;
    for (int i = 0; i < w->chunks; i++) {
        sum += w->chunk[i].size;
    }
    return sum;
}

static ga_status add_chunk(ga__traffic *traffic, int64_t bytes)
{
    ga_status status = GA_OK;
    ga__workspace *w = &traffic->device->workspace;
    /* as much again as there is, so that few pieces are ever needed */
    int64_t size = ga__max(ga__max(bytes, held(w)), LEAST_CHUNK);
    if (w->chunks == GA__DEVICE_CHUNKS) {
        return ga__fail(traffic->context, GA_LIMIT, "%s: too many pieces of memory on the device",
                        traffic->what);
    }
    GA_TRY(ga__device_new(traffic->context, size, &w->chunk[w->chunks].memory));
    w->chunk[w->chunks].size = size;
    w->chunk[w->chunks].used = 0;
    forbid(traffic, w->chunk[w->chunks].memory, size, true);
    w->chunks++;
done:
    return status;
}

ga_status ga__traffic_scratch(ga__traffic *traffic, int64_t bytes, void *pointer)
{
    ga_status status = GA_OK;
    ga__workspace *w = &traffic->device->workspace;
    int64_t room = 0;
    if (bytes < 0 || !ga__add(ga__max(bytes, 1), 2 * ALIGNED - 1, &room)) {
        return ga__fail(traffic->context, GA_OVERFLOW, "%s: a size does not fit", traffic->what);
    }
    /* under the sanitizer a gap follows, into which nobody may reach */
    room = (traffic->table->forbid ? room : room - ALIGNED) / ALIGNED * ALIGNED;
    int at = 0;
    while (at < w->chunks && w->chunk[at].size - w->chunk[at].used < room) {
        at++;
    }
    if (at == w->chunks) {
        if (w->of_caller) {
            return ga__fail(traffic->context, GA_LIMIT,
                            "%s: the workspace of %lld bytes is too small: at least %lld are needed",
                            traffic->what, (long long)w->chunk[0].size, (long long)(w->chunk[0].used + room));
        }
        GA_TRY(add_chunk(traffic, room));
    }
    char *memory = w->chunk[at].memory + w->chunk[at].used;
    w->chunk[at].used += room;
    forbid(traffic, memory, bytes, false);
    memcpy(pointer, &memory, sizeof memory);
done:
    return status;
}

/* Several pieces become one of their size. */
static ga_status merge_chunks(ga__traffic *traffic)
{
    ga__workspace *w = &traffic->device->workspace;
    if (w->chunks > 1) {
        int64_t size = held(w);
        ga__workspace_end(traffic->device); /* waits for what may still use it */
        return add_chunk(traffic, size);
    }
    return GA_OK;
}

/* ---- a call ---- */

ga_status ga__traffic_open(ga_context *context, const char *what, ga__traffic *traffic)
{
    ga_status status = GA_OK;
    ga__device *device = ga__device_of(context);
    *traffic = (ga__traffic){ .context = context, .what = what };
    if (!device || device->in_use) {
        return ga__fail(context, GA_INTERNAL, "%s: a traffic within a traffic", what);
    }
    GA_TRY(ga__device_enter(context, device));
    traffic->table = device->table;
    traffic->stream = device->stream;
    traffic->device = device;
    GA_TRY(merge_chunks(traffic));
    device->in_use = true;
    for (int i = 0; i < device->workspace.chunks; i++) {
        device->workspace.chunk[i].used = 0;
        forbid(traffic, device->workspace.chunk[i].memory, device->workspace.chunk[i].size, true);
    }
done:
    if (status != GA_OK) {
        traffic->device = NULL;
    }
    return status;
}

ga_status ga__traffic_check(ga__traffic *traffic, int error)
{
    return ga__device_check(traffic->context, traffic->device, traffic->what, 0, error);
}

static ga_status upload(ga__traffic *traffic, void *memory, const void *data, int64_t bytes)
{
    if (bytes == 0) {
        return GA_OK;
    }
    return ga__traffic_check(traffic, traffic->table->upload(memory, data, (size_t)bytes, traffic->stream));
}

ga_status ga__traffic_in(ga__traffic *traffic, const void *data, int64_t bytes, bool on_device, void *pointer)
{
    ga_status status = GA_OK;
    const void *at = data;
    void *memory = NULL;
    if (data && !on_device) {
        GA_TRY(ga__traffic_scratch(traffic, bytes, &memory));
        GA_TRY(upload(traffic, memory, data, bytes));
        at = memory;
    }
    memcpy(pointer, &at, sizeof at);
done:
    return status;
}

ga_status ga__traffic_out(ga__traffic *traffic, void *data, int64_t bytes, bool on_device, void *pointer)
{
    ga_status status = GA_OK;
    void *memory = data;
    if (data && !on_device) {
        if (traffic->outs == GA__TRAFFIC_OUTPUTS) {
            return ga__fail(traffic->context, GA_INTERNAL, "%s: too many outputs", traffic->what);
        }
        GA_TRY(ga__traffic_scratch(traffic, bytes, &memory));
        traffic->out[traffic->outs].host = data;
        traffic->out[traffic->outs].memory = memory;
        traffic->out[traffic->outs].bytes = bytes;
        traffic->outs++;
    }
    memcpy(pointer, &memory, sizeof memory);
done:
    return status;
}

/* Bytes from the first to the last element. The view's extents and strides were checked when it was read. */
static int64_t span_of(const ga__view *view)
{
    if (view->batch == 0 || view->heads == 0 || view->rows == 0 || view->columns == 0) {
        return 0;
    }
    const char *first = ga__view_row(view, 0, 0, 0);
    const char *last = ga__view_row(view, view->batch - 1, view->heads - 1, view->rows - 1);
    return (last - first) + view->columns * ga__type_size(view->type);
}

ga_status ga__traffic_in_view(ga__traffic *traffic, const ga__view *view, void *pointer)
{
    if (view->stride_batch < 0 || view->stride_head < 0 || view->stride_row < 0) {
        return ga__fail(traffic->context, GA_UNSUPPORTED, "%s: strides below 0 are not for devices",
                        traffic->what);
    }
    return ga__traffic_in(traffic, view->data, span_of(view), view->on_device, pointer);
}

ga_status ga__traffic_in_matrix(ga__traffic *traffic, const ga__view *view, ga__device_matrix *matrix)
{
    *matrix = (ga__device_matrix){ .type = (int)view->type,
                                   .stride_batch = view->stride_batch,
                                   .stride_head = view->stride_head,
                                   .stride_row = view->stride_row };
    return ga__traffic_in_view(traffic, view, &matrix->data);
}

ga_status ga__traffic_out_view(ga__traffic *traffic, const ga__view *view, void *pointer)
{
    return ga__traffic_out(traffic, view->data, span_of(view), view->on_device, pointer);
}

ga_status ga__traffic_clear(ga__traffic *traffic, void *memory, int64_t bytes)
{
    if (bytes == 0) {
        return GA_OK;
    }
    return ga__traffic_check(traffic, traffic->table->clear(memory, (size_t)bytes, traffic->stream));
}

ga_status ga__traffic_keep(ga__traffic *traffic, const void *data, int64_t bytes, void *pointer)
{
    ga_status status = GA_OK;
    void *memory = NULL;
    GA_TRY(ga__device_new(traffic->context, bytes, &memory));
    GA_TRY(upload(traffic, memory, data, bytes));
    memcpy(pointer, &memory, sizeof memory);
    memory = NULL;
done:
    ga__device_free(traffic->context, ga__device_id(traffic->context), memory);
    return status;
}

static ga_status bring_outputs(ga__traffic *traffic)
{
    ga_status status = GA_OK;
    for (int i = 0; i < traffic->outs; i++) {
        if (traffic->out[i].bytes > 0) {
            GA_TRY(ga__traffic_check(
                traffic, traffic->table->download(traffic->out[i].host, traffic->out[i].memory,
                                                  (size_t)traffic->out[i].bytes, traffic->stream)));
        }
    }
    if (traffic->outs > 0) {
        GA_TRY(ga__traffic_check(traffic, traffic->table->synchronise(traffic->stream)));
    }
done:
    return status;
}

ga_status ga__traffic_close(ga__traffic *traffic, ga_status status)
{
    if (!traffic->device) {
        return status;
    }
    if (status == GA_OK) {
        status = bring_outputs(traffic);
    }
    traffic->device->in_use = false;
    traffic->device = NULL;
    return status;
}
