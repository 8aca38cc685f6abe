/* kernel.h - the only header that a kernel's source includes: CUDA under nvcc, the emulator otherwise.
 *
 * Kernels are C++17 in X_kernels.h, included by X_cuda.cu and by X_emulated.cc. CUDA's own names (threadIdx,
 * __syncthreads, __shfl_xor_sync, atomicAdd on integers, float4, ...) are there on both sides. PTX stands in
 * kernel_cuda.h and nowhere else, each instruction in a wrapper with a twin in kernel_emulated.h:
 *
 *   GA__LAUNCH(kernel, grid, block, shared_bytes, stream, ...)  launches; its value is an error number, 0 = launched.
 *       A kernel with commas in its template arguments is put in a variable first: auto k = body<A, B>.
 *   ga__allow_shared(kernel, bytes)  before a launch with more than 48 KiB of shared memory; an error number
 *   GA__SHARED(T, name)          T *name = the dynamic shared memory of the block, aligned to 128 bytes
 *   ga__cp_async16(shared, global), ga__cp_commit(), ga__cp_wait<N>()   asynchronous copies of 16 aligned bytes
 *   ga__ldmatrix_x4(r, p), ga__ldmatrix_x4_trans(r, p)   four 8x8 matrices of 16-bit elements from shared memory
 *   ga__mma_bf16(d, a, b0, b1), ga__mma_f16              m16n8k16, d (f32) += a b
 *   ga__pack_bf16(lo, hi), ga__pack_f16(lo, hi)          two floats as a pair, rounded to nearest even
 *   ga__bf16_to_float, ga__float_to_bf16, ga__half_to_float, ga__float_to_half   16-bit patterns as uint16_t
 *   ga__exp2, ga__log2, ga__tanh   the fast instructions: relative errors of about 2^-22, 2^-22, 2^-11
 *   GA__UNROLL(n)                before a loop
 *   ga__element(data, type, at)  number `at` of an array of f32, bf16 or f16 (ga__type), as a float
 *   GA__FULL_WARP, ga__warp_sum(v), ga__warp_max(v)      every lane gets the result; fixed order
 */
#ifndef GA_LIB_ENGINE_DEVICE_KERNEL_H
#define GA_LIB_ENGINE_DEVICE_KERNEL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GA__FULL_WARP 0xffffffffu
#define GA__PRAGMA(words) _Pragma(#words)

#ifdef __CUDACC__
#include "lib/engine/device/kernel_cuda.h"
#else
#include "lib/engine/device/kernel_emulated.h"
#endif

template <class T> __device__ __forceinline__ T ga__warp_sum(T value)
{
    for (int o = 16; o; o >>= 1) {
        value += __shfl_xor_sync(GA__FULL_WARP, value, o);
    }
    return value;
}

__device__ __forceinline__ float ga__warp_max(float value)
{
    for (int o = 16; o; o >>= 1) {
        value = fmaxf(value, __shfl_xor_sync(GA__FULL_WARP, value, o));
    }
    return value;
}

__device__ __forceinline__ float ga__element(const void *data, int type, int64_t at)
{
    return type == 0   ? static_cast<const float *>(data)[at]
           : type == 1 ? ga__bf16_to_float(static_cast<const uint16_t *>(data)[at])
                       : ga__half_to_float(static_cast<const uint16_t *>(data)[at]);
}

#endif
