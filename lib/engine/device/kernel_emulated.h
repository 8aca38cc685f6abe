/* kernel_emulated.h - CUDA's names and the wrappers of kernel.h for a C++17 compiler, on the emulator. */
#ifndef GA_LIB_ENGINE_DEVICE_KERNEL_EMULATED_H
#define GA_LIB_ENGINE_DEVICE_KERNEL_EMULATED_H

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/engine/device/emulator.h"

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static thread_local /* one block at a time on a thread of the system */
#define __constant__ static
#define __align__(n) alignas(n)

#define threadIdx (ga__emulator::now->current->thread)
#define blockIdx (ga__emulator::now->index)
#define blockDim (ga__emulator::now->threads)
#define gridDim (ga__emulator::now->blocks)
#define warpSize 32

#define GA__LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
    ((void)(stream), ga__emulator::launch((kernel), (grid), (block), (shared_bytes), ##__VA_ARGS__))
#define GA__SHARED(T, name) T *name = reinterpret_cast<T *>(ga__emulator::now->shared)

#define GA__UNROLL(n) GA__PRAGMA(GCC unroll n)

template <class K> inline int ga__allow_shared(K, size_t bytes)
{
    return bytes > 232448 ? GA__EMULATOR_CONFIGURATION : GA__EMULATOR_OK;
}

/* ---- vectors ---- */

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
static inline float4 make_float4(float x, float y, float z, float w)
{
    return { x, y, z, w };
}
static inline int4 make_int4(int x, int y, int z, int w)
{
    return { x, y, z, w };
}
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return { x, y, z, w };
}
static inline float2 make_float2(float x, float y)
{
    return { x, y };
}
static inline int2 make_int2(int x, int y)
{
    return { x, y };
}
static inline uint2 make_uint2(unsigned x, unsigned y)
{
    return { x, y };
}

/* ---- barriers, shuffles, votes ---- */

inline void __syncthreads()
{
    ga__emulator::barrier("__syncthreads", false);
}
inline int __syncthreads_count(int predicate)
{
    return ga__emulator::barrier("__syncthreads_count", predicate != 0);
}
inline int __syncthreads_or(int predicate)
{
    return ga__emulator::barrier("__syncthreads_or", predicate != 0) > 0;
}
inline int __syncthreads_and(int predicate)
{
    return ga__emulator::barrier("__syncthreads_and", predicate == 0) == 0;
}
inline void __syncwarp(unsigned mask = ~0u)
{
    ga__emulator::meet(ga__emulator::sync, "__syncwarp", mask, nullptr, nullptr, 0);
}
inline void __threadfence()
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline void __threadfence_block()
{
}

namespace ga__emulator
{
/* parameter: the lane to read from; one outside the mask gives the lane's own value. */
template <class T> void exchange(meeting &m)
{
    for (int i = 0; i < 32; i++) {
        if (m.mask >> i & 1) {
            int from = m.mask >> m.parameter[i] & 1 ? m.parameter[i] : i;
            memcpy(m.out[i], m.in[from], sizeof(T));
        }
    }
}
template <class T> T shuffle(unsigned mask, T value, int from)
{
    T result;
    meet(exchange<T>, "shuffle", mask, &value, &result, from);
    return result;
}
inline int lane()
{
    return now->current->number & 31;
}
} // namespace ga__emulator

template <class T> T __shfl_sync(unsigned mask, T value, int from, int width = 32)
{
    int group = ga__emulator::lane() & ~(width - 1);
    return ga__emulator::shuffle(mask, value, group | (from & (width - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    int lane = ga__emulator::lane(), from = lane ^ bits;
    return ga__emulator::shuffle(mask, value, from <= (lane | (width - 1)) ? from & 31 : lane);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    int lane = ga__emulator::lane(), from = lane + (int)by;
    return ga__emulator::shuffle(mask, value, from <= (lane | (width - 1)) ? from : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    int lane = ga__emulator::lane(), from = lane - (int)by;
    return ga__emulator::shuffle(mask, value, from >= (lane & ~(width - 1)) ? from : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    unsigned result;
    ga__emulator::meet(ga__emulator::ballot, "ballot", mask, nullptr, &result, predicate);
    return result;
}
inline int __any_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) != 0;
}
inline int __all_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) == mask;
}

namespace ga__emulator
{
template <class T> void match(meeting &m)
{
    for (int i = 0; i < 32; i++) {
        if (m.mask >> i & 1) {
            unsigned same = 0;
            for (int k = 0; k < 32; k++) {
                same |= (unsigned)((m.mask >> k & 1) && memcmp(m.in[i], m.in[k], sizeof(T)) == 0) << k;
            }
            *(unsigned *)m.out[i] = same;
        }
    }
}
} // namespace ga__emulator

template <class T> unsigned __match_any_sync(unsigned mask, T value)
{
    unsigned result;
    ga__emulator::meet(ga__emulator::match<T>, "match", mask, &value, &result, 0);
    return result;
}

/* ---- integers ---- */

using std::max;
using std::min;
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x)
{
    return __builtin_popcountll(x);
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}
template <class T> T __ldg(const T *p)
{
    return *p;
}

/* Sums of floats would depend on the schedule: there are none. */
template <class T> T atomicAdd(T *p, T value)
{
    static_assert(std::is_integral<T>::value, "atomic sums of floats are not deterministic");
    return __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
}
template <class T> T atomicSub(T *p, T value)
{
    static_assert(std::is_integral<T>::value, "atomic sums of floats are not deterministic");
    return __atomic_fetch_sub(p, value, __ATOMIC_RELAXED);
}
template <class T> T atomicOr(T *p, T value)
{
    return __atomic_fetch_or(p, value, __ATOMIC_RELAXED);
}
template <class T> T atomicAnd(T *p, T value)
{
    return __atomic_fetch_and(p, value, __ATOMIC_RELAXED);
}
template <class T> T atomicExch(T *p, T value)
{
    return __atomic_exchange_n(p, value, __ATOMIC_RELAXED);
}
template <class T> T atomicCAS(T *p, T expected, T value)
{
    __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}
template <class T> T atomicMax(T *p, T value)
{
    T found = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (found < value &&
           !__atomic_compare_exchange_n(p, &found, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return found;
}
template <class T> T atomicMin(T *p, T value)
{
    T found = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (found > value &&
           !__atomic_compare_exchange_n(p, &found, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return found;
}

/* ---- floating point ---- */

inline unsigned __float_as_uint(float x)
{
    unsigned u;
    memcpy(&u, &x, sizeof u);
    return u;
}
inline float __uint_as_float(unsigned u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
inline int __float_as_int(float x)
{
    return (int)__float_as_uint(x);
}
inline float __int_as_float(int i)
{
    return __uint_as_float((unsigned)i);
}
inline float __expf(float x)
{
    return expf(x);
}
inline float __logf(float x)
{
    return logf(x);
}
inline float __fdividef(float a, float b)
{
    return a / b;
}
inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
inline float __fmul_rn(float a, float b)
{
    return a * b;
}
inline float __fadd_rn(float a, float b)
{
    return a + b;
}
inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}
inline float ga__exp2(float x)
{
    return exp2f(x);
}
inline float ga__log2(float x)
{
    return log2f(x);
}
inline float ga__tanh(float x)
{
    return tanhf(x);
}

inline float ga__bf16_to_float(uint16_t bits)
{
    return __uint_as_float((unsigned)bits << 16);
}
inline uint16_t ga__float_to_bf16(float value)
{
    unsigned u = __float_as_uint(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
        return 0x7fff;
    }
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
inline float ga__half_to_float(uint16_t bits)
{
    return ga__emulator::from_half(bits);
}
inline uint16_t ga__float_to_half(float value)
{
    return ga__emulator::to_half(value);
}
inline unsigned ga__pack_bf16(float lo, float hi)
{
    return ga__float_to_bf16(lo) | (unsigned)ga__float_to_bf16(hi) << 16;
}
inline unsigned ga__pack_f16(float lo, float hi)
{
    return ga__float_to_half(lo) | (unsigned)ga__float_to_half(hi) << 16;
}

/* ---- asynchronous copies, tensor cores ---- */

inline void ga__cp_async16(void *shared, const void *global)
{
    ga__emulator::copy_16(shared, global);
}
inline void ga__cp_commit()
{
    ga__emulator::commit();
}
template <int N> void ga__cp_wait()
{
    ga__emulator::wait(N);
}
inline void ga__ldmatrix_x4(unsigned r[4], const void *p)
{
    ga__emulator::meet(ga__emulator::load_matrices, "ldmatrix", ~0u, p, r, 0);
}
inline void ga__ldmatrix_x4_trans(unsigned r[4], const void *p)
{
    ga__emulator::meet(ga__emulator::load_matrices_transposed, "ldmatrix.trans", ~0u, p, r, 0);
}
inline void ga__mma_bf16(float d[4], const unsigned a[4], unsigned b0, unsigned b1)
{
    unsigned in[] = { a[0], a[1], a[2], a[3], b0, b1 };
    ga__emulator::meet(ga__emulator::multiply_bf16, "mma", ~0u, in, d, 0);
}
inline void ga__mma_f16(float d[4], const unsigned a[4], unsigned b0, unsigned b1)
{
    unsigned in[] = { a[0], a[1], a[2], a[3], b0, b1 };
    ga__emulator::meet(ga__emulator::multiply_f16, "mma", ~0u, in, d, 0);
}

#endif
