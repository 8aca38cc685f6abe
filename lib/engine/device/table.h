/* table.h - what a device plug-in offers: memory, copies, and one launch function for each operator.
 *
 * A plug-in is a shared object with one exported function, ga__device_query. Two exist: graphattn-cuda.so for NVIDIA
 * GPUs, and graphattn-emulated.so, the same kernels compiled for the CPU, for tests. Nothing here names a CUDA type: a
 * stream is a void *. Functions that return int give 0 or an error number of the run-time library, whose text words()
 * knows. Launch functions are asynchronous on the stream, allocate nothing and wait for nothing; all pointers in the
 * launch structs point to device memory, 16-byte aligned where not said otherwise.
 */
#ifndef GA_LIB_ENGINE_DEVICE_TABLE_H
#define GA_LIB_ENGINE_DEVICE_TABLE_H

#include <graphattn/device.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { GA__DEVICE_ABI = 1 };

/* One line an operator: OP(spmm) stands for
 *     int ga__spmm_launch(const ga__spmm_launch_args *args, void *stream);
 * declared in the operator's folder (spmm_device.h) with C linkage, and for the member spmm of the table. */
#define GA__DEVICE_OPERATORS(OP) \
    OP(gather) \
    OP(dots) \
    OP(edge_forward) \
    OP(edge_slopes) \
    OP(edge_sums) \
    OP(edge_pairs) \
    OP(edge_columns) \
    OP(edge_rows) \
    OP(tile_forward) \
    OP(tile_backward) \
    OP(top_k) \
    OP(merge) \
    OP(scan_forward) \
    OP(count_targets) \
    OP(count_pairs)

#define GA__DEVICE_FORWARD(op) struct ga__##op##_launch_args;
GA__DEVICE_OPERATORS(GA__DEVICE_FORWARD)
#undef GA__DEVICE_FORWARD

struct ga__emulator_settings;

typedef struct ga__device_table {
    uint32_t abi, size; /* GA__DEVICE_ABI, sizeof(ga__device_table) */
    const char *name;   /* "cuda", "emulated" */

    const char *(*words)(int error);
    int (*count)(int *devices);
    int (*facts)(int device, ga_device_facts *facts);
    int (*use)(int device); /* for the calling thread */
    /* 0 = that error concerned one call; otherwise nothing can be done with the device any more in this process. */
    int (*is_sticky)(int error);
    int (*allocate)(size_t bytes, void **memory); /* aligned to 256 bytes */
    int (*release)(void *memory);
    int (*upload)(void *to, const void *from, size_t bytes, void *stream);
    int (*download)(void *to, const void *from, size_t bytes, void *stream);
    int (*copy)(void *to, const void *from, size_t bytes, void *stream);
    int (*clear)(void *memory, size_t bytes, void *stream); /* to zero bytes */
    int (*synchronise)(void *stream);

    /* NULL but in the emulated plug-in: how it runs, and the calls that it counted (emulator.h); makes accesses to
     * part of the memory an error that AddressSanitizer reports, or allows them again after filling it with NaN. */
    void (*emulate)(const struct ga__emulator_settings *settings);
    int64_t (*calls)(void);
    void (*forbid)(void *memory, size_t bytes, int forbidden);

#define GA__DEVICE_MEMBER(op) int (*op)(const struct ga__##op##_launch_args *args, void *stream);
    GA__DEVICE_OPERATORS(GA__DEVICE_MEMBER)
#undef GA__DEVICE_MEMBER
} ga__device_table;

/* NULL when the plug-in does not know this version. */
typedef const ga__device_table *(*ga__device_query_fn)(uint32_t abi);

#ifdef __cplusplus
}
#endif

#endif
