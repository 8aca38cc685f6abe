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

/* A sparse matrix by rows: row i has values[offsets[i]] .. values[offsets[i + 1] - 1] in the columns indices[], which
 * ascend and do not repeat. */
typedef struct ga_sparse {
    int64_t rows, columns;
    int64_t *offsets;  /* rows + 1 */
    uint32_t *indices; /* offsets[rows] */
    float *values;     /* NULL: every stored entry is 1 */
    bool integers;     /* the file's field is integer: values are written as such */
} ga_sparse;
/* Reads a Matrix Market coordinate file (general; pattern, integer or real), gzip recognised, path "-" standard input.
 * Entries may stand in any order; one that stands twice, an index outside the header's, a value that is not finite or
 * a count that is not the header's is GA_FORMAT with the line. Returns owned arrays (ga_sparse_clear). */
GA_API ga_status ga_market_read(ga_context *context, const char *path, ga_sparse *matrix);
/* Writes one, rows ascending: pattern without values, integer, else real, shortest decimals that read back; .gz by suffix;
 * whole or not at all. */
GA_API ga_status ga_market_write(ga_context *context, const ga_sparse *matrix, const char *path);
/* Frees the arrays and empties it. */
GA_API void ga_sparse_clear(ga_context *context, ga_sparse *matrix);

/* A safetensors file: named tensors and a map of strings. Reading checks the header (at most 100 MB, plain JSON of
 * bounded depth, no name twice), every range against dtype, shape, its neighbours and the file. */
typedef struct ga_safetensors ga_safetensors;
/* path "-" is standard input; gzip is recognised. Returns owned. GA_FORMAT names the file, and the tensor where there is
 * one. */
GA_API ga_status ga_safetensors_read(ga_context *context, const char *path, ga_safetensors **file);
/* Accepts NULL. */
GA_API void ga_safetensors_destroy(ga_context *context, ga_safetensors *file);
GA_API int64_t ga_safetensors_count(const ga_safetensors *file);
/* Name and tensor number i in the order of the file. Borrowed until the file is destroyed. */
GA_API const char *ga_safetensors_name(const ga_safetensors *file, int64_t i);
GA_API const DLTensor *ga_safetensors_at(const ga_safetensors *file, int64_t i);
/* NULL (no message) when there is none of that name. */
GA_API const DLTensor *ga_safetensors_find(const ga_safetensors *file, const char *name);
/* Value of a key of __metadata__; NULL when there is none. */
GA_API const char *ga_safetensors_metadata(const ga_safetensors *file, const char *key);

typedef struct ga_metadata {
    const char *key, *value; /* UTF-8 */
} ga_metadata;
/* Writes count tensors, names unique, in the given order, whole or not at all. metadata may be NULL. */
GA_API ga_status ga_safetensors_write(ga_context *context, const char *path, int64_t count,
                                      const char *const *names, const DLTensor *const *tensors,
                                      int64_t metadata_count, const ga_metadata *metadata);

#ifdef __cplusplus
}
#endif

#endif
