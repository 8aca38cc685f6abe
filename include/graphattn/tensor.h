/* tensor.h - dense arrays: DLPack descriptors, NumPy files. */
#ifndef GRAPHATTN_TENSOR_H
#define GRAPHATTN_TENSOR_H

#include <dlpack/dlpack.h>
#include <graphattn/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* DLPack's later code for booleans, one byte each; older headers lack it. */
#define GA_DL_BOOL 6

/* Makes a CPU tensor in C order with uninitialised data. dtype as DLPack has it (f16 f32 f64 bf16 i32 i64 u8
 * bool). Returns owned; free with ga_tensor_destroy. GA_INVALID for a negative extent, GA_OVERFLOW, GA_NOMEM. */
GA_API ga_status ga_tensor_create(ga_context *context, DLDataType dtype, int ndim, const int64_t *shape,
                                  DLTensor **out);
GA_API void ga_tensor_destroy(ga_context *context, DLTensor *tensor);

/* Reads a NumPy .npy file, versions 1-3, C or Fortran order (converted), little-endian or big-endian (converted);
 * dtypes f2 f4 f8 i4 i8 u1 b1, and u2 as bf16 when u2_is_bf16. Object and other dtypes are GA_UNSUPPORTED, a broken
 * header or short data GA_FORMAT. path "-" is standard input; gzip is recognised. Returns owned. */
GA_API ga_status ga_npy_read(ga_context *context, const char *path, bool u2_is_bf16, DLTensor **out);

/* Writes a C-contiguous or strided CPU tensor as .npy version 1 (3 if the header needs it), whole or not at all. */
GA_API ga_status ga_npy_write(ga_context *context, const DLTensor *tensor, const char *path);

#ifdef __cplusplus
}
#endif

#endif
