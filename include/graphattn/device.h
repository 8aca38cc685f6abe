/* device.h - running operators on a GPU.
 *
 * A context works on the CPU until ga_context_set_device. Afterwards the operators on graphs and patterns run on the
 * device (sums, dots and attention along edges, attention over tiles, linear recurrences, merging, the largest k,
 * counting of degree matrices) or are refused (gradients of recurrences, many of attention): of every tensor that lies
 * on the host a copy is made on the device for the call, and outputs on the host are copied back; tensors that lie on
 * the context's device are used where they are. What a device cannot do is GA_UNSUPPORTED and says so; nothing is
 * computed on the CPU instead. The steps of the host program around the operators (dense products, rows, plans,
 * reading and sampling of graphs) always run on the CPU and take tensors on the host only. Lists of edges lie on the
 * host and are copied for each call; ga_graph_to_device keeps those of a graph on the device.
 *
 * Kernels stand in plug-ins, found in the folder of $GRAPHATTN_PLUGIN_DIR (an absolute path) or else in the library's
 * own folder: graphattn-cuda.so, and graphattn-emulated.so, the same kernels on the CPU, slowly, for tests; it is not
 * installed. A plug-in stays loaded until the process ends. f32, bf16 and f16 tensors; f64 is GA_UNSUPPORTED.
 *
 * A tensor on a device is a DLTensor of device type kDLCUDA, or kDLExtDev for the emulated device, with the index of
 * the device, its data aligned to 16 bytes. With all tensors of a call on the device the call returns before the work is
 * done: ga_stream_sync waits for it. After GA_DEVICE_FAILED from a kernel that went wrong or a device that is lost, every
 * later call of the context on that device fails with the same words; data on the host are intact, those on the device
 * are not. Another context of the same process will not fare better on CUDA; one on the CPU is not affected.
 */
#ifndef GRAPHATTN_DEVICE_H
#define GRAPHATTN_DEVICE_H

#include <graphattn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ga_device_kind { GA_DEVICE_CPU = 0, GA_DEVICE_CUDA, GA_DEVICE_EMULATED } ga_device_kind;

/* "cpu", "cuda", "emulated". */
GA_API const char *ga_device_name(ga_device_kind kind);

typedef struct ga_device_facts {
    char name[128];
    int compute_capability; /* major * 10 + minor; 0 = emulated */
    int multiprocessors;
    int64_t memory, shared_memory; /* bytes: of the device, of a block at most */
} ga_device_facts;

/* How many devices of that kind there are; 1 CPU. GA_UNSUPPORTED without its plug-in or without a driver, with the
 * words of the run-time library. */
GA_API ga_status ga_device_count(ga_context *context, ga_device_kind kind, int *count);
/* Facts of a device that is not the CPU. */
GA_API ga_status ga_device_facts_of(ga_context *context, ga_device_kind kind, int index,
                                    ga_device_facts *facts);

/* Where later calls run. Waits for what is under way on the device before and frees the context's memory on it.
 * GA_UNSUPPORTED: there is no plug-in, no driver or no device; GA_INVALID: no device of that index. The context then
 * stays where it was. */
GA_API ga_status ga_context_set_device(ga_context *context, ga_device_kind kind, int index);
/* index may be NULL. */
GA_API ga_device_kind ga_context_device(const ga_context *context, int *index);

/* The stream (cudaStream_t) of later calls, kept until another one is set; NULL = the default stream. Waits for what is
 * under way on the one before. Nothing on the CPU. */
GA_API ga_status ga_context_set_stream(ga_context *context, void *stream);
/* Memory of the device for what a call needs beside its tensors: size bytes, aligned to 256, kept until it is replaced
 * or the device is set. Without it, or after NULL, the context allocates as much as it needs and keeps it. A call that
 * needs more than size is GA_LIMIT, with a size that is known to be needed. GA_INVALID on the CPU. */
GA_API ga_status ga_context_set_workspace(ga_context *context, void *memory, int64_t size);
/* Waits until everything that was started is done. Nothing on the CPU. */
GA_API ga_status ga_stream_sync(ga_context *context);

/* A C-contiguous copy on the context's device, or on the host. Returns owned (ga_tensor_destroy, by a context that has
 * the device). The tensor may be strided when it lies on the host, and must be C-contiguous on a device. */
GA_API ga_status ga_tensor_to_device(ga_context *context, const DLTensor *tensor, DLTensor **out);
GA_API ga_status ga_tensor_to_host(ga_context *context, const DLTensor *tensor, DLTensor **out);

#ifdef __cplusplus
}
#endif

#endif
