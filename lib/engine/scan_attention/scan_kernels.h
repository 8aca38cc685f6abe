/* scan_kernels.h - linear recurrences, token by token, the state in registers.
 *
 * A block carries COLUMNS columns at most of the state of a key/value head; columns never meet. LANES lanes of a warp hold the
 * rows of a column in turn, so that what a token multiplies with all rows is summed by shuffles, in a fixed order, and
 * threads wait for each other only when the next tokens are brought to shared memory. The column of ones of a normalised
 * recurrence is carried by every lane beside its own. A decay near 1 is 1 + rest, as elsewhere: keep S + (rest S + k u').
 */
#ifndef GA_LIB_ENGINE_SCAN_KERNELS_H
#define GA_LIB_ENGINE_SCAN_KERNELS_H

#include "lib/engine/device/kernel.h"
#include "lib/engine/scan_attention/scan_device.h"

namespace ga__scan
{

typedef ga__scan_forward_launch_args arguments;
enum { COLUMNS = GA__DEVICE_SCAN_COLUMNS, TOKENS = 16, SHARED = 44 << 10 };
enum { DECAY_NONE = 0, DECAY_HEAD, DECAY_TOKEN, DECAY_VECTOR }; /* of ga__scan_decay */

/* What a block works on. */
struct work {
    int64_t batch, group, column; /* column: the first of the block */
    int slice;
};

/* Tokens in shared memory, rows padded by zeros to ROWS. */
template <int ROWS> struct room {
    float *q, *k, *v, *keep, *rest, *beta; /* (tokens, ratio, ROWS), (tokens, ROWS), (tokens, COLUMNS), ... */
    int decays;                            /* of a token */
};

template <int ROWS> __device__ __forceinline__ room<ROWS> carve(const arguments &a, float *shared, int tokens)
{
    room<ROWS> r;
    r.decays = a.decay_kind == DECAY_VECTOR ? ROWS : 1;
    r.q = shared;
    r.k = r.q + tokens * a.ratio * ROWS;
    r.v = r.k + tokens * ROWS;
    r.keep = r.v + tokens * COLUMNS;
    r.rest = r.keep + tokens * r.decays;
    r.beta = r.rest + tokens * r.decays;
    return r;
}

__device__ __forceinline__ float at(const ga__device_matrix &m, int64_t batch, int64_t head, int64_t row,
                                    int64_t column)
{
    return ga__element(m.data, m.type,
                       batch * m.stride_batch + head * m.stride_head + row * m.stride_row + column);
}

/* Queries first .. first + count - 1 of all heads of the group, scaled; those that are not there are left out. */
template <int ROWS>
__device__ void bring_queries(const arguments &a, const work &w, const room<ROWS> &r, int64_t first,
                              int count)
{
    for (int64_t i = threadIdx.x; i < count * a.ratio * ROWS; i += blockDim.x) {
        int64_t row = first + i / ROWS / a.ratio, head = w.group * a.ratio + i / ROWS % a.ratio, c = i % ROWS;
        if (row >= 0 && row < a.queries) {
            r.q[i] = c < a.d ? a.scale * at(a.q, w.batch, head, row, c) : 0.0f;
        }
    }
}

/* A log decay above 0 makes NaN of the state. */
__device__ __forceinline__ void split_decay(float log, float &keep, float &rest)
{
    float factor = log < -100.0f ? 0.0f : expf(log);
    keep = factor > 0.5f ? 1.0f : 0.0f;
    rest = log > 0 ? NAN : factor > 0.5f ? expm1f(log) : factor;
}

template <int ROWS>
__device__ void bring_keys(const arguments &a, const work &w, const room<ROWS> &r, int64_t first, int count)
{
    for (int i = threadIdx.x; i < count * ROWS; i += blockDim.x) {
        int64_t t = first + i / ROWS, c = i % ROWS;
        r.k[i] = c < a.d ? at(a.k, w.batch, w.group, t, c) : 0.0f;
        if (a.decay_kind == DECAY_VECTOR) {
            split_decay(c < a.d ? at(a.decay, w.batch, w.group, t, c) : 0.0f, r.keep[i], r.rest[i]);
        }
    }
    for (int i = threadIdx.x; i < count * COLUMNS; i += blockDim.x) {
        int64_t t = first + i / COLUMNS, c = w.column + i % COLUMNS;
        r.v[i] = c < a.e ? at(a.v, w.batch, w.group, t, c) : 0.0f;
    }
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        int64_t t = first + i;
        r.beta[i] = a.delta ? at(a.beta, 0, w.batch, w.group, t) : 1.0f;
        if (a.decay_kind != DECAY_VECTOR) {
            float log = a.decay_kind == DECAY_HEAD    ? at(a.decay, 0, 0, 0, w.group)
                        : a.decay_kind == DECAY_TOKEN ? at(a.decay, w.batch, w.group, t, 0)
                                                      : 0.0f;
            split_decay(log, r.keep[i], r.rest[i]);
        }
    }
}

/* The state that a lane holds: row first + LANES i of each of its columns, the last of which is that of ones. */
template <int LANES, int EACH, int OWN, bool ONES> struct state {
    enum { ALL = OWN + ONES };
    float s[ALL][EACH];
    int first;
    int64_t column[OWN];
};

/* Sums over the lanes that share columns; all of them get it. */
template <int LANES, int N> __device__ __forceinline__ void sum_lanes(float (&x)[N])
{
    GA__UNROLL(8)
    for (int i = 0; i < N; i++) {
        for (int o = 32 / LANES; o < 32; o *= 2) {
            x[i] += __shfl_xor_sync(GA__FULL_WARP, x[i], o);
        }
    }
}

template <int LANES, int EACH, int OWN, bool ONES>
__device__ __forceinline__ void start(const arguments &a, const work &w, state<LANES, EACH, OWN, ONES> &st)
{
    enum { WIDE = 32 / LANES }; /* columns of a warp, side by side */
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    st.first = lane / WIDE;
    GA__UNROLL(8)
    for (int x = 0; x < OWN; x++) {
        st.column[x] = w.column + (warp * OWN + x) * WIDE + lane % WIDE;
    }
    GA__UNROLL(8)
    for (int x = 0; x < OWN + ONES; x++) {
        int64_t column = x < OWN ? st.column[x < OWN ? x : 0] : a.e;
        GA__UNROLL(64)
        for (int i = 0; i < EACH; i++) {
            int64_t row = st.first + LANES * i;
            bool there = a.initial.data && row < a.d && (x < OWN ? column < a.e : true);
            st.s[x][i] = there ? at(a.initial, w.batch, w.group, row, column) : 0.0f;
        }
    }
}

template <int LANES, int EACH, int OWN, bool ONES>
__device__ __forceinline__ void update(const arguments &a, const room<LANES * EACH> &r, int token,
                                       state<LANES, EACH, OWN, ONES> &st, int64_t column)
{
    enum { ALL = OWN + ONES, ROWS = LANES * EACH };
    const float *k = r.k + token * ROWS + st.first;
    const float *keep = r.keep + token * r.decays, *rest = r.rest + token * r.decays;
    bool own = a.decay_kind == DECAY_VECTOR;
    float u[ALL];
    GA__UNROLL(8)
    for (int x = 0; x < ALL; x++) {
        u[x] = x < OWN ? r.v[token * COLUMNS + (st.column[x < OWN ? x : 0] - column)] : 1.0f;
    }
    if (a.delta) {
        float seen[ALL] = { 0 };
        GA__UNROLL(64)
        for (int i = 0; i < EACH; i++) {
            int c = own ? st.first + LANES * i : 0;
            float by = k[LANES * i] * (keep[c] + rest[c]);
            GA__UNROLL(8)
            for (int x = 0; x < ALL; x++) {
                seen[x] += by * st.s[x][i];
            }
        }
        sum_lanes<LANES>(seen);
        GA__UNROLL(8)
        for (int x = 0; x < ALL; x++) {
            u[x] = r.beta[token] * (u[x] - seen[x]);
        }
    }
    GA__UNROLL(64)
    for (int i = 0; i < EACH; i++) {
        int c = own ? st.first + LANES * i : 0;
        float kept = keep[c], left = rest[c], by = k[LANES * i];
        GA__UNROLL(8)
        for (int x = 0; x < ALL; x++) {
            st.s[x][i] = kept * st.s[x][i] + (left * st.s[x][i] + by * u[x]);
        }
    }
}

/* Query `row` of every head of the group reads the state, and with a bonus the token besides. */
template <int LANES, int EACH, int OWN, bool ONES>
__device__ __forceinline__ void read(const arguments &a, const work &w, const room<LANES * EACH> &r,
                                     int token, int64_t row, bool bonus,
                                     const state<LANES, EACH, OWN, ONES> &st)
{
    enum { ALL = OWN + ONES, ROWS = LANES * EACH };
    if (!a.o || row < 0 || row >= a.queries) {
        return;
    }
    for (int64_t h = 0; h < a.ratio; h++) {
        const float *q = r.q + (token * a.ratio + h) * ROWS + st.first;
        float sum[ALL + 1] = { 0 }; /* the last one: of the bonus */
        GA__UNROLL(64)
        for (int i = 0; i < EACH; i++) {
            GA__UNROLL(8)
            for (int x = 0; x < ALL; x++) {
                sum[x] += q[LANES * i] * st.s[x][i];
            }
        }
        for (int i = 0; bonus && i < EACH; i++) {
            int64_t c = st.first + LANES * i;
            sum[ALL] += c < a.d ? q[LANES * i] * at(a.bonus, 0, 0, w.group, c) * r.k[token * ROWS + c] : 0.0f;
        }
        sum_lanes<LANES>(sum);
        float whole = ONES ? sum[ALL - 1] + sum[ALL] : 1.0f;
        bool dead = ONES && fabsf(whole) <= a.eps;
        float *o = a.o + ((w.batch * a.heads + w.group * a.ratio + h) * a.queries + row) * a.e;
        GA__UNROLL(8)
        for (int x = 0; x < OWN; x++) {
            int64_t column = st.column[x];
            if (st.first == 0 && column < a.e) {
                float v = bonus ? sum[ALL] * r.v[token * COLUMNS + (column - w.column)] : 0.0f;
                o[column] = dead ? 0.0f : (sum[x] + v) / whole;
            }
        }
    }
}

template <int LANES, int EACH, int OWN, bool ONES>
__device__ __forceinline__ void keep_state(const arguments &a, const work &w,
                                           const state<LANES, EACH, OWN, ONES> &st)
{
    float *to = a.state + (w.batch * a.groups + w.group) * a.d * (a.e + ONES);
    bool ones = ONES && w.slice == 0 && threadIdx.x / 32 == 0 && threadIdx.x % (32 / LANES) == 0;
    GA__UNROLL(64)
    for (int i = 0; i < EACH; i++) {
        int64_t row = st.first + LANES * i;
        GA__UNROLL(8)
        for (int x = 0; x < OWN; x++) {
            if (row < a.d && st.column[x] < a.e) {
                to[row * (a.e + ONES) + st.column[x]] = st.s[x][i];
            }
        }
        if (ones && row < a.d) {
            to[row * (a.e + ONES) + a.e] = st.s[OWN + ONES - 1][i];
        }
    }
}

/* Queries first .. last - 1 all read the state as it is. */
template <int LANES, int EACH, int OWN, bool ONES>
__device__ __forceinline__ void read_all(const arguments &a, const work &w, const room<LANES * EACH> &r,
                                         int tokens, int64_t first, int64_t last,
                                         const state<LANES, EACH, OWN, ONES> &st)
{
    for (; a.o && first < last; first += tokens) {
        int count = (int)(last - first < tokens ? last - first : tokens);
        __syncthreads();
        bring_queries(a, w, r, first, count);
        __syncthreads();
        for (int j = 0; j < count; j++) {
            read(a, w, r, j, first + j, false, st);
        }
    }
}

/* Columns of a block, COLUMNS at most. */
__host__ __device__ constexpr int columns_of(int warps, int lanes, int own)
{
    return warps * (32 / lanes) * own;
}

static __host__ __device__ inline int64_t slices_of(int64_t e, int columns)
{
    return e > columns ? (e + columns - 1) / columns : 1;
}

template <int WARPS, int LANES, int EACH, int OWN, bool ONES>
__global__ void __launch_bounds__(WARPS * 32, 1) scan(const arguments a, int tokens)
{
    GA__SHARED(float, shared);
    constexpr int columns = columns_of(WARPS, LANES, OWN);
    int64_t slices = slices_of(a.e, columns), offset = a.keys - a.queries;
    work w = { blockIdx.x / slices / a.groups, blockIdx.x / slices % a.groups, blockIdx.x % slices * columns,
               (int)(blockIdx.x % slices) };
    room<LANES *EACH> r = carve<LANES * EACH>(a, shared, tokens);
    state<LANES, EACH, OWN, ONES> st;
    start(a, w, st);
    if (a.causal) {
        read_all(a, w, r, tokens, 0, -offset < a.queries ? -offset : a.queries, st);
    }
    for (int64_t t = 0; t < a.keys; t += tokens) {
        int count = (int)(a.keys - t < tokens ? a.keys - t : tokens);
        __syncthreads();
        bring_keys(a, w, r, t, count);
        if (a.causal && a.o) {
            bring_queries(a, w, r, t - offset, count);
        }
        __syncthreads();
        for (int j = 0; j < count; j++) {
            if (a.causal && a.bonus.data) {
                read(a, w, r, j, t + j - offset, true, st);
            }
            update(a, r, j, st, w.column);
            if (a.causal && !a.bonus.data) {
                read(a, w, r, j, t + j - offset, false, st);
            }
        }
    }
    if (!a.causal) {
        read_all(a, w, r, tokens, 0, a.queries, st);
    }
    if (a.state) {
        keep_state(a, w, st);
    }
}

template <int WARPS, int LANES, int EACH, int OWN, bool ONES>
static int launch(const arguments &a, void *stream)
{
    int64_t slices = slices_of(a.e, columns_of(WARPS, LANES, OWN)), token = ga__scan_device_token(&a);
    int64_t fit = (int64_t)SHARED / token;
    int tokens = fit < 1 ? 1 : fit < TOKENS ? (int)fit : (int)TOKENS;
    auto kernel = scan<WARPS, LANES, EACH, OWN, ONES>;
    int error = ga__allow_shared(kernel, (size_t)(tokens * token));
    return error ? error
                 : GA__LAUNCH(kernel, (unsigned)(a.batch * a.groups * slices), WARPS * 32,
                              (size_t)(tokens * token), stream, a, tokens);
}

template <int WARPS, int LANES, int EACH, int OWN> static int choose(const arguments &a, void *stream)
{
    static_assert(columns_of(WARPS, LANES, OWN) <= COLUMNS, "columns in shared memory");
    return a.normalise ? launch<WARPS, LANES, EACH, OWN, true>(a, stream)
                       : launch<WARPS, LANES, EACH, OWN, false>(a, stream);
}

} // namespace ga__scan

int ga__scan_forward_launch(const ga__scan_forward_launch_args *args, void *stream)
{
    switch (ga__scan_device_rows(args->d)) {
    case 32: return ga__scan::choose<4, 8, 4, 2>(*args, stream);
    case 64: return ga__scan::choose<4, 8, 8, 2>(*args, stream);
    case 128: return ga__scan::choose<4, 8, 16, 2>(*args, stream);
    case 256: return ga__scan::choose<8, 8, 32, 1>(*args, stream);
    default: return ga__scan::choose<8, 32, 16, 2>(*args, stream);
    }
}

#endif
