/* device.c - the device of a context: choosing it, its stream and memory, its errors. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/context.h"
#include "lib/engine/device/device.h"

enum { DEVICES_OF_A_KIND = 1 << 16 };

const char *ga_device_name(ga_device_kind kind)
{
    switch (kind) {
    case GA_DEVICE_CPU: return "cpu";
    case GA_DEVICE_CUDA: return "cuda";
    case GA_DEVICE_EMULATED: return "emulated";
    }
    return "unknown device";
}

ga__device *ga__device_of(const ga_context *context)
{
    return context->device;
}

int ga__device_id(const ga_context *context)
{
    const ga__device *device = context->device;
    return device ? (int)device->kind * DEVICES_OF_A_KIND + device->index : 0;
}

bool ga__on_device(const ga_context *context, const DLTensor *tensor)
{
    const ga__device *device = context->device;
    if (!device || tensor->device.device_id != device->index) {
        return false;
    }
    return device->kind == GA_DEVICE_CUDA ? tensor->device.device_type == kDLCUDA
                                          : tensor->device.device_type == kDLExtDev;
}

/* ---- errors ---- */

/* Numbers of CUDA's run-time library. */
enum { NO_MEMORY = 2, OLD_DRIVER = 35, NO_DEVICE = 100, NO_IMAGE = 209 };

static ga_status status_of(int error)
{
    switch (error) {
    case NO_MEMORY: return GA_NOMEM;
    case OLD_DRIVER:
    case NO_DEVICE:
    case NO_IMAGE: return GA_UNSUPPORTED;
    default: return GA_DEVICE_FAILED;
    }
}

static ga_status refuse_dead(ga_context *context, const ga__device *device)
{
    return ga__fail(context, GA_DEVICE_FAILED, "%s:%d can no longer be used in this process: %s",
                    ga_device_name(device->kind), device->index, device->dead_words);
}

ga_status ga__device_check(ga_context *context, ga__device *device, const char *what, int64_t bytes,
                           int error)
{
    const ga__device_table *table = device->table;
    if (error == 0) {
        return GA_OK;
    }
    if (device->dead) {
        return refuse_dead(context, device);
    }
    if (table->is_sticky(error)) {
        device->dead = error;
        (void)snprintf(device->dead_words, sizeof device->dead_words, "%s: %s", what, table->words(error));
        return ga__fail(context, GA_DEVICE_FAILED, "%s:%d: %s", ga_device_name(device->kind), device->index,
                        device->dead_words);
    }
    if (bytes > 0) {
        return ga__fail(context, status_of(error), "%s:%d: %s: %s (%lld bytes were asked for)",
                        ga_device_name(device->kind), device->index, what, table->words(error),
                        (long long)bytes);
    }
    return ga__fail(context, status_of(error), "%s:%d: %s: %s", ga_device_name(device->kind), device->index,
                    what, table->words(error));
}

ga_status ga__device_refuse(ga_context *context, const char *name, const char *what)
{
    const ga__device *device = context->device;
    if (!device) {
        return GA_OK;
    }
    return ga__fail(context, GA_UNSUPPORTED, "%s: the %s device cannot %s yet", name,
                    ga_device_name(device->kind), what);
}

ga_status ga__device_enter(ga_context *context, ga__device *device)
{
    if (device->dead) {
        return refuse_dead(context, device);
    }
    return ga__device_check(context, device, "selecting the device", 0, device->table->use(device->index));
}

/* ---- memory ---- */

ga_status ga__device_new(ga_context *context, int64_t bytes, void *pointer)
{
    ga_status status = GA_OK;
    ga__device *device = context->device;
    void *memory = NULL;
    GA_TRY(ga__device_enter(context, device));
    GA_TRY(ga__device_check(context, device, "memory", ga__max(bytes, 1),
                            device->table->allocate((size_t)ga__max(bytes, 1), &memory)));
    memcpy(pointer, &memory, sizeof memory);
done:
    return status;
}

void ga__device_free(ga_context *context, int device_id, void *memory)
{
    const ga__device_table *table = NULL;
    if (memory && device_id != 0 &&
        ga__device_load(context, (ga_device_kind)(device_id / DEVICES_OF_A_KIND), &table) == GA_OK) {
        (void)table->use(device_id % DEVICES_OF_A_KIND);
        (void)table->release(memory);
    }
}

void ga__workspace_end(ga__device *device)
{
    ga__workspace *w = &device->workspace;
    if (!w->of_caller) {
        for (int i = 0; i < w->chunks; i++) {
            if (device->table->forbid) {
                device->table->forbid(w->chunk[i].memory, (size_t)w->chunk[i].size, 0);
            }
            (void)device->table->release(w->chunk[i].memory);
        }
    }
    *w = (ga__workspace){ 0 };
}

/* ---- choosing ---- */

/* For ga_tensor_destroy, which stands below the engine. */
static void release_tensor(ga_context *context, int type, int number, void *memory)
{
    ga_device_kind kind = type == kDLCUDA ? GA_DEVICE_CUDA : GA_DEVICE_EMULATED;
    ga__device_free(context, (int)kind * DEVICES_OF_A_KIND + number, memory);
}

/* When the context ends or goes elsewhere. */
static void leave(ga_context *context)
{
    ga__device *device = context->device;
    if (device) {
        (void)device->table->use(device->index);
        if (!device->dead) {
            (void)device->table->synchronise(device->stream);
        }
        ga__workspace_end(device);
        ga_free(context, device);
        context->device = NULL;
    }
}

ga_status ga_device_count(ga_context *context, ga_device_kind kind, int *count)
{
    ga_status status = GA_OK;
    const ga__device_table *table = NULL;
    int error = 0, found = 1;
    ga__begin(context);
    if (kind != GA_DEVICE_CPU && kind != GA_DEVICE_CUDA && kind != GA_DEVICE_EMULATED) {
        GA_TRY(ga__fail(context, GA_INVALID, "device: cpu, cuda or emulated expected, not %d", (int)kind));
    }
    if (kind != GA_DEVICE_CPU) {
        GA_TRY(ga__device_load(context, kind, &table));
        if ((error = table->count(&found)) != 0) {
            GA_TRY(ga__fail(context, GA_UNSUPPORTED, "%s: %s", ga_device_name(kind), table->words(error)));
        }
    }
    *count = found;
done:
    return status;
}

static ga_status check_index(ga_context *context, ga_device_kind kind, int index)
{
    ga_status status = GA_OK;
    int count = 0;
    GA_TRY(ga_device_count(context, kind, &count));
    if (count == 0) {
        status = ga__fail(context, GA_UNSUPPORTED, "%s: there is no such device", ga_device_name(kind));
    } else if (index < 0 || index >= count) {
        status = ga__fail(context, GA_INVALID, "%s:%d: there is no such device, their number is %d",
                          ga_device_name(kind), index, count);
    }
done:
    return status;
}

ga_status ga_device_facts_of(ga_context *context, ga_device_kind kind, int index, ga_device_facts *facts)
{
    ga_status status = GA_OK;
    const ga__device_table *table = NULL;
    ga_device_facts found = { "", 0, 0, 0, 0 };
    GA_TRY(check_index(context, kind, index));
    if (kind == GA_DEVICE_CPU) {
        GA_TRY(ga__fail(context, GA_INVALID, "device: facts of the CPU are not kept here"));
    }
    GA_TRY(ga__device_load(context, kind, &table));
    int error = table->facts(index, &found);
    if (error != 0) {
        GA_TRY(ga__fail(context, status_of(error), "%s:%d: %s", ga_device_name(kind), index,
                        table->words(error)));
    }
    *facts = found;
done:
    return status;
}

ga_status ga_context_set_device(ga_context *context, ga_device_kind kind, int index)
{
    ga_status status = GA_OK;
    ga__device *made = NULL;
    GA_TRY(check_index(context, kind, index));
    if (kind != GA_DEVICE_CPU) {
        GA_TRY(GA_NEW_ZERO(context, 1, &made));
        made->kind = kind;
        made->index = index;
        GA_TRY(ga__device_load(context, kind, &made->table));
        GA_TRY(ga__device_enter(context, made));
    }
    leave(context);
    context->device = made;
    context->device_end = leave;
    context->device_release = release_tensor;
    made = NULL;
done:
    ga_free(context, made);
    return status;
}

ga_device_kind ga_context_device(const ga_context *context, int *index)
{
    const ga__device *device = context->device;
    if (index) {
        *index = device ? device->index : 0;
    }
    return device ? device->kind : GA_DEVICE_CPU;
}

static ga_status wait_for(ga_context *context, ga__device *device)
{
    ga_status status = GA_OK;
    GA_TRY(ga__device_enter(context, device));
    status = ga__device_check(context, device, "waiting for the device", 0,
                              device->table->synchronise(device->stream));
done:
    return status;
}

ga_status ga_stream_sync(ga_context *context)
{
    ga__begin(context);
    return context->device ? wait_for(context, context->device) : GA_OK;
}

ga_status ga_context_set_stream(ga_context *context, void *stream)
{
    ga_status status = GA_OK;
    ga__device *device = context->device;
    ga__begin(context);
    if (device && device->stream != stream) {
        GA_TRY(wait_for(context, device));
        device->stream = stream;
    }
done:
    return status;
}

ga_status ga_context_set_workspace(ga_context *context, void *memory, int64_t size)
{
    ga_status status = GA_OK;
    ga__device *device = context->device;
    ga__begin(context);
    if (!device) {
        GA_TRY(ga__fail(context, GA_INVALID, "workspace: the context works on the CPU"));
    }
    if (memory && (size <= 0 || (uintptr_t)memory % 256 != 0)) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "workspace: a size above 0 and memory aligned to 256 bytes expected"));
    }
    GA_TRY(wait_for(context, device));
    ga__workspace_end(device);
    if (memory) {
        device->workspace.chunk[0].memory = memory;
        device->workspace.chunk[0].size = size;
        device->workspace.chunks = 1;
        device->workspace.of_caller = true;
    }
done:
    return status;
}
