/* traffic.h - the traffic of one call on a device: inputs up, outputs down, memory in between.
 *
 *     ga__traffic traffic;
 *     GA_TRY(ga__traffic_open(context, "spmm", &traffic));    before done: only one traffic of a context is open at a time
 *     GA_TRY(ga__traffic_in(&traffic, data, bytes, on_device, &args.x));
 *     ...
 *     GA_TRY(ga__traffic_check(&traffic, traffic.table->spmm(&args, traffic.stream)));
 *   done:
 *     return ga__traffic_close(&traffic, status);
 *
 * (after a failure of ga__traffic_open nothing is open, and ga__traffic_close passes the status on). With all tensors on the
 * device nothing is allocated once the workspace is large enough, and nothing is waited for.
 */
#ifndef GA_LIB_ENGINE_DEVICE_TRAFFIC_H
#define GA_LIB_ENGINE_DEVICE_TRAFFIC_H

#include "lib/engine/device/device.h"
#include "lib/engine/device/matrix.h"
#include "lib/engine/view.h"

enum { GA__TRAFFIC_OUTPUTS = 24 };

typedef struct ga__traffic {
    ga_context *context;
    ga__device *device; /* NULL = not open */
    const ga__device_table *table;
    void *stream;
    const char *what; /* the operator, for messages */
    struct {
        void *host;
        const void *memory;
        int64_t bytes;
    } out[GA__TRAFFIC_OUTPUTS];
    int outs;
} ga__traffic;

ga_status ga__traffic_open(ga_context *context, const char *what, ga__traffic *traffic);
/* Where bytes of data can be read on the device, into *(const void **)pointer: data itself when on_device, else a copy.
 * NULL data gives NULL. */
ga_status ga__traffic_in(ga__traffic *traffic, const void *data, int64_t bytes, bool on_device,
                         void *pointer);
/* Where an output is to be written; what is there at first is undefined. Copied to data when the traffic is closed, unless
 * that lies on the device. */
ga_status ga__traffic_out(ga__traffic *traffic, void *data, int64_t bytes, bool on_device, void *pointer);
/* The same with a view: everything from its first to its last element. Strides stay as they are. */
ga_status ga__traffic_in_view(ga__traffic *traffic, const ga__view *view, void *pointer);
ga_status ga__traffic_out_view(ga__traffic *traffic, const ga__view *view, void *pointer);
/* The same as kernels take rows; an empty view gives no data. */
ga_status ga__traffic_in_matrix(ga__traffic *traffic, const ga__view *view, ga__device_matrix *matrix);
/* Undefined memory, aligned to 256 bytes, until the traffic is closed. */
ga_status ga__traffic_scratch(ga__traffic *traffic, int64_t bytes, void *pointer);
ga_status ga__traffic_clear(ga__traffic *traffic, void *memory, int64_t bytes);
/* A copy of host data in device memory that outlives the call; returns owned (ga__device_free). */
ga_status ga__traffic_keep(ga__traffic *traffic, const void *data, int64_t bytes, void *pointer);
/* What a launch came to. */
ga_status ga__traffic_check(ga__traffic *traffic, int error);
/* After success copies outputs to the host and waits for them, if there are any there. Returns status, or what failed. */
ga_status ga__traffic_close(ga__traffic *traffic, ga_status status);

#endif
