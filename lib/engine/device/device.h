/* device.h - the device of a context, as operators see it. */
#ifndef GA_LIB_ENGINE_DEVICE_DEVICE_H
#define GA_LIB_ENGINE_DEVICE_DEVICE_H

#include <graphattn/device.h>

#include "lib/base/base.h"
#include "lib/engine/device/table.h"

enum { GA__DEVICE_CHUNKS = 16 };

/* Memory for one call at a time. More pieces are added while a call runs; they become one before the next. */
typedef struct ga__workspace {
    struct {
        char *memory;
        int64_t size, used;
    } chunk[GA__DEVICE_CHUNKS];
    int chunks;
    bool of_caller; /* chunk 0 alone, and it is not ours */
} ga__workspace;

typedef struct ga__device {
    const ga__device_table *table;
    ga_device_kind kind;
    int index;
    void *stream;
    ga__workspace workspace;
    bool in_use; /* by a traffic */
    int dead;    /* the error that broke it; 0 = none */
    char dead_words[512];
} ga__device;

/* NULL when the context works on the CPU. */
ga__device *ga__device_of(const ga_context *context);
/* Tells the devices of this process apart; 0 = the CPU. For what is kept with an object and belongs to a device. */
int ga__device_id(const ga_context *context);
/* True for a tensor on the context's device. */
bool ga__on_device(const ga_context *context, const DLTensor *tensor);

/* The plug-in of that kind, loaded when it is not yet; stays until the process ends. */
ga_status ga__device_load(ga_context *context, ga_device_kind kind, const ga__device_table **table);

/* GA_OK for error 0, else a failure with what and the words of the run-time library; remembers an error that broke the
 * device. bytes: of an allocation, 0 = none. */
ga_status ga__device_check(ga_context *context, ga__device *device, const char *what, int64_t bytes,
                           int error);
/* GA_DEVICE_FAILED when it is broken; makes it the thread's current one otherwise. */
ga_status ga__device_enter(ga_context *context, ga__device *device);

/* GA_OK on the CPU, else GA_UNSUPPORTED "NAME: the cuda device cannot WHAT yet": what = "return maps". */
ga_status ga__device_refuse(ga_context *context, const char *name, const char *what);

/* Device memory that outlives a call: bytes into *(void **)pointer. Freed by ga__device_free, which accepts NULL, by any
 * context that has the device id it was made under. */
ga_status ga__device_new(ga_context *context, int64_t bytes, void *pointer);
void ga__device_free(ga_context *context, int device_id, void *memory);

/* Frees what the context allocated itself. */
void ga__workspace_end(ga__device *device);

#endif
