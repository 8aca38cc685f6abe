/* check_emulator.cc - the wrappers of kernel.h on the emulator against their definitions; bugs that it has to find. */
#include <check.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lib/engine/device/kernel.h"

/* from lib/engine/view.h, which is C */
extern "C" {
float ga__from_bf16(uint16_t bits);
uint16_t ga__to_bf16(float value);
float ga__from_f16(uint16_t bits);
uint16_t ga__to_f16(float value);
}

enum { SCHEDULES = 16 };

static void use_schedule(int number)
{
    static const ga__emulator_order orders[] = { GA__ORDER_FORWARD, GA__ORDER_REVERSE, GA__ORDER_SHUFFLED,
                                                 GA__ORDER_SHUFFLED };
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
    is.order = orders[number & 3];
    is.seed = (uint64_t)(number & 3);
    is.eager = number & 4;
    is.greedy = number & 8;
    is.threads = 1 + (number & 1);
    ga__emulator_set(&is);
}

static void use_plain()
{
    use_schedule(0);
}

static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)*state * 0x1p-31f;
}

/* ---- shuffles, votes, atomics ---- */

__global__ void shuffle_all(int width, int *out)
{
    int lane = (int)threadIdx.x, *at = out + (blockIdx.x * 32 + threadIdx.x) * 6;
    at[0] = __shfl_sync(GA__FULL_WARP, lane * 3, (lane + 5) * 7, width);
    at[1] = __shfl_xor_sync(GA__FULL_WARP, lane * 3, 5, width);
    at[2] = __shfl_down_sync(GA__FULL_WARP, lane * 3, 3u, width);
    at[3] = __shfl_up_sync(GA__FULL_WARP, lane * 3, 3u, width);
    at[4] = (int)__ballot_sync(GA__FULL_WARP, lane % 3 == 0);
    at[5] = (int)__match_any_sync(GA__FULL_WARP, lane % 5);
}

/* The PTX manual's definition of shfl.sync. */
static int shuffled(int kind, int lane, int width)
{
    int first = lane & ~(width - 1), last = first + width - 1, from = lane;
    switch (kind) {
    case 0: from = first + ((lane + 5) * 7) % width; break;
    case 1: from = (lane ^ 5) <= last ? lane ^ 5 : lane; break;
    case 2: from = lane + 3 <= last ? lane + 3 : lane; break;
    default: from = lane - 3 >= first ? lane - 3 : lane; break;
    }
    return from * 3;
}

START_TEST(shuffles)
{
    std::vector<int> out(3 * 32 * 6);
    for (int s = 0; s < SCHEDULES; s++) {
        for (int width = 2; width <= 32; width *= 2) {
            use_schedule(s);
            out.assign(out.size(), -1);
            ck_assert_int_eq(GA__LAUNCH(shuffle_all, 3, 32, 0, nullptr, width, out.data()), 0);
            for (int i = 0; i < 3 * 32; i++) {
                int lane = i % 32;
                unsigned same = 0;
                for (int k = 0; k < 32; k++) {
                    same |= (unsigned)(k % 5 == lane % 5) << k;
                }
                for (int kind = 0; kind < 4; kind++) {
                    ck_assert_int_eq(out[(size_t)(i * 6 + kind)], shuffled(kind, lane, width));
                }
                ck_assert_uint_eq((unsigned)out[(size_t)(i * 6 + 4)], 0x49249249u);
                ck_assert_uint_eq((unsigned)out[(size_t)(i * 6 + 5)], same);
            }
        }
    }
}
END_TEST

/* Halves of a warp go their own ways, with masks of their own. */
__global__ void halves(int *out)
{
    int lane = (int)threadIdx.x;
    int got = lane < 16 ? __shfl_xor_sync(0x0000ffffu, lane, 1) : __shfl_xor_sync(0xffff0000u, lane, 2);
    __syncwarp();
    out[lane] = got + 100 * __syncthreads_count(lane % 4 == 0) + 10000 * __syncthreads_or(lane == 31) +
                100000 * __syncthreads_and(lane < 31);
}

__global__ void atomics(int *numbers, unsigned long long *wide)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(&numbers[0], i);
    atomicMax(&numbers[1], i * 7 % 1000);
    atomicMin(&numbers[2], i * 7 % 1000 - 500);
    atomicOr(&numbers[3], 1 << (i % 20));
    atomicSub(&numbers[4], 2);
    atomicCAS(&wide[i % 8], ~0ull, (unsigned long long)(i % 8) + 1);
    atomicAdd(&wide[8], 1ull);
}

START_TEST(votes_and_atomics)
{
    for (int s = 0; s < SCHEDULES; s++) {
        int out[32], numbers[5] = { 0, -1, 1000, 0, 0 }, sum = 0;
        unsigned long long wide[9];
        use_schedule(s);
        ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 0, nullptr, &out[0]), 0);
        for (int i = 0; i < 32; i++) {
            ck_assert_int_eq(out[i], (i ^ (i < 16 ? 1 : 2)) + 800 + 10000);
        }
        memset(wide, 0xff, sizeof wide);
        wide[8] = 0;
        ck_assert_int_eq(GA__LAUNCH(atomics, 5, 96, 0, nullptr, &numbers[0], &wide[0]), 0);
        int most = 0;
        for (int i = 0; i < 480; i++) {
            sum += i;
            most = std::max(most, i * 7 % 1000);
        }
        ck_assert_int_eq(numbers[0], sum);
        ck_assert_int_eq(numbers[1], most);
        ck_assert_int_eq(numbers[2], -500);
        ck_assert_int_eq(numbers[3], (1 << 20) - 1);
        ck_assert_int_eq(numbers[4], -960);
        for (int i = 0; i < 8; i++) {
            ck_assert_uint_eq(wide[i], (unsigned long long)i + 1);
        }
        ck_assert_uint_eq(wide[8], 480);
    }
}
END_TEST

__global__ void where_am_i(int *out)
{
    unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] = (int)(block * 1000 + thread);
    if (threadIdx.x == 0) {
        return; /* who leaves early counts as arrived */
    }
    __syncthreads();
}

START_TEST(indices)
{
    std::vector<int> out((size_t)(3 * 2 * 4) * (7 * 3 * 2));
    ck_assert_int_eq(GA__LAUNCH(where_am_i, dim3(3, 2, 4), dim3(7, 3, 2), 0, nullptr, out.data()), 0);
    for (size_t i = 0; i < out.size(); i++) {
        ck_assert_int_eq(out[i], (int)(i / 42 * 1000 + i % 42));
    }
}
END_TEST

/* ---- 16-bit formats ---- */

START_TEST(formats)
{
    uint32_t state = 5;
    for (unsigned i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i;
        float f = ga__half_to_float(bits), b = ga__bf16_to_float(bits);
        ck_assert(f == ga__from_f16(bits) || (std::isnan(f) && std::isnan(ga__from_f16(bits))));
        ck_assert(b == ga__from_bf16(bits) || (std::isnan(b) && std::isnan(ga__from_bf16(bits))));
        if (!std::isnan(f)) {
            ck_assert_uint_eq(ga__float_to_half(f), bits);
        }
    }
    for (int i = 0; i < 300000; i++) {
        (void)noise(&state);
        float value = __uint_as_float(i % 3 ? state : 0x33000000u + state % 0x14800000u);
        if (!std::isnan(value)) {
            ck_assert_uint_eq(ga__float_to_half(value), ga__to_f16(value));
            ck_assert_uint_eq(ga__float_to_bf16(value), ga__to_bf16(value));
        }
    }
    ck_assert_uint_eq(ga__pack_bf16(1.0f, -2.0f), 0xc0003f80u);
    ck_assert_uint_eq(ga__pack_f16(1.0f, -2.0f), 0xc0003c00u);
}
END_TEST

/* ---- matrices ---- */

/* C (16 x 8) = A (16 x 16) B: operands through shared memory, B by rows (trans) or by columns. */
template <bool HALF, bool TRANSPOSED>
__global__ void one_product(const uint16_t *a, const uint16_t *b, float *c)
{
    enum { PITCH = 24 };
    GA__SHARED(uint16_t, sa);
    uint16_t *sb = sa + 16 * PITCH;
    int lane = (int)threadIdx.x;
    for (int i = lane; i < 32; i += 32) {
        ga__cp_async16(sa + i / 2 * PITCH + i % 2 * 8, a + i * 8);
    }
    if (TRANSPOSED) { /* b (16 x 8) */
        if (lane < 16) {
            ga__cp_async16(sb + lane * PITCH, b + lane * 8);
        }
    } else if (lane < 16) { /* b (8 x 16) */
        ga__cp_async16(sb + lane / 2 * PITCH + lane % 2 * 8, b + lane * 8);
    }
    ga__cp_commit();
    ga__cp_wait<0>();
    __syncwarp();
    unsigned fa[4], fb[4];
    float d[4] = { 0, 0, 0, 0 };
    ga__ldmatrix_x4(fa, sa + (lane & 15) * PITCH + (lane >> 4) * 8);
    if (TRANSPOSED) {
        ga__ldmatrix_x4_trans(fb, sb + (lane & 15) * PITCH);
    } else {
        ga__ldmatrix_x4(fb, sb + (lane & 7) * PITCH + (lane >> 3 & 1) * 8);
    }
    if (HALF) {
        ga__mma_f16(d, fa, fb[0], fb[1]);
    } else {
        ga__mma_bf16(d, fa, fb[0], fb[1]);
    }
    for (int i = 0; i < 4; i++) {
        c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
    }
}

template <bool HALF, bool TRANSPOSED> static void check_product()
{
    alignas(16) uint16_t a[256], b[128];
    float c[128];
    uint32_t state = 11;
    for (int i = 0; i < 256; i++) {
        a[i] = HALF ? ga__to_f16(noise(&state)) : ga__to_bf16(noise(&state));
    }
    for (int i = 0; i < 128; i++) {
        b[i] = HALF ? ga__to_f16(noise(&state)) : ga__to_bf16(noise(&state));
    }
    auto value = [](uint16_t x) { return (double)(HALF ? ga__from_f16(x) : ga__from_bf16(x)); };
    auto kernel = one_product<HALF, TRANSPOSED>;
    for (int s = 0; s < SCHEDULES; s++) {
        use_schedule(s);
        int error = GA__LAUNCH(kernel, 1, 32, 4096, nullptr, &a[0], &b[0], &c[0]);
        ck_assert_msg(error == 0, "%s", ga__emulator_words(error));
        for (int i = 0; i < 128; i++) {
            double sum = 0;
            for (int k = 0; k < 16; k++) {
                sum += value(a[i / 8 * 16 + k]) * value(TRANSPOSED ? b[k * 8 + i % 8] : b[i % 8 * 16 + k]);
            }
            ck_assert_msg(std::fabs(c[i] - sum) < 1e-5, "element %d: %g, not %g", i, (double)c[i], sum);
        }
    }
}

START_TEST(products)
{
    check_product<false, false>();
    check_product<false, true>();
    check_product<true, false>();
    check_product<true, true>();
}
END_TEST

/* ---- planted bugs ---- */

enum bug { NONE, NO_FIRST_BARRIER, NO_LAST_BARRIER, NO_WAIT, LATE_WAIT, NO_COMMIT };

/* Sums of the rows of x (rows x 128) through two stages of shared memory, as the attention kernels fetch their tiles:
 * each of 64 threads copies its part, and sums what others have copied. */
template <bug BUG> __global__ void pipeline(int rows, const float *x, float *sums)
{
    GA__SHARED(float, traffic);
    int me = (int)threadIdx.x;
    auto fetch = [&](int row) {
        if (me < 32) {
            ga__cp_async16(traffic + row % 2 * 128 + me * 4, x + row * 128 + me * 4);
        }
        if (BUG != NO_COMMIT) {
            ga__cp_commit();
        }
    };
    float sum = 0;
    fetch(0);
    for (int row = 0; row < rows; row++) {
        if (row + 1 < rows) {
            fetch(row + 1);
            if (BUG == LATE_WAIT) {
                ga__cp_wait<2>();
            } else if (BUG != NO_WAIT) {
                ga__cp_wait<1>();
            }
        } else {
            ga__cp_wait<0>();
        }
        if (BUG != NO_FIRST_BARRIER) {
            __syncthreads();
        }
        sum += traffic[row % 2 * 128 + (127 - me)] + traffic[row % 2 * 128 + 63 - me];
        if (BUG != NO_LAST_BARRIER) {
            __syncthreads();
        }
    }
    sums[me] = sum;
}

/* In how many schedules the result is wrong or an error is reported. */
template <bug BUG> static int schedules_that_fail()
{
    enum { ROWS = 9 };
    alignas(16) static float x[ROWS * 128];
    int failing = 0;
    for (int i = 0; i < ROWS * 128; i++) {
        x[i] = (float)(i * 37 % 101);
    }
    auto kernel = pipeline<BUG>;
    for (int s = 0; s < SCHEDULES; s++) {
        float sums[64];
        use_schedule(s);
        bool good = GA__LAUNCH(kernel, 1, 64, 1024, nullptr, (int)ROWS, &x[0], &sums[0]) == 0;
        for (int i = 0; i < 64; i++) {
            float sum = 0;
            for (int row = 0; row < ROWS; row++) {
                sum += x[row * 128 + 127 - i] + x[row * 128 + 63 - i];
            }
            good = good && sums[i] == sum;
        }
        failing += !good;
    }
    return failing;
}

START_TEST(bugs)
{
    ck_assert_int_eq(schedules_that_fail<NONE>(), 0);
    ck_assert_int_gt(schedules_that_fail<NO_FIRST_BARRIER>(), 0);
    ck_assert_int_gt(schedules_that_fail<NO_LAST_BARRIER>(), 0);
    ck_assert_int_gt(schedules_that_fail<NO_WAIT>(), 0);
    ck_assert_int_gt(schedules_that_fail<LATE_WAIT>(), 0);
    ck_assert_int_gt(schedules_that_fail<NO_COMMIT>(), 0);
}
END_TEST

/* ---- faults ---- */

__global__ void shuffle_after_exit()
{
    if (threadIdx.x == 3) {
        return;
    }
    (void)__shfl_sync(GA__FULL_WARP, 1, 0);
}
__global__ void not_in_mask()
{
    (void)__shfl_sync(0xfffeu, 1, 1);
}
__global__ void mixed_operations()
{
    if (threadIdx.x < 16) {
        __syncwarp();
    } else {
        (void)__ballot_sync(GA__FULL_WARP, 1);
    }
}
__global__ void barrier_and_warp()
{
    if (threadIdx.x < 16) {
        __syncthreads();
    } else {
        __syncwarp();
    }
}
__global__ void crooked_copy(const float *x)
{
    GA__SHARED(float, s);
    ga__cp_async16(s + 1, x);
    ga__cp_commit();
    ga__cp_wait<0>();
}
__global__ void forgotten_copy(const float *x)
{
    GA__SHARED(float, s);
    ga__cp_async16(s + threadIdx.x * 4, x);
    ga__cp_commit();
}
__global__ void crooked_matrix()
{
    GA__SHARED(uint16_t, s);
    unsigned r[4];
    ga__ldmatrix_x4(r, s + threadIdx.x * 4);
}

static void expect_fault(int error, const char *words)
{
    ck_assert_int_eq(error, GA__EMULATOR_FAULT);
    ck_assert_msg(strstr(ga__emulator_words(error), words) != nullptr, "\"%s\" lacks \"%s\"",
                  ga__emulator_words(error), words);
    ck_assert(strstr(ga__emulator_words(error), "(block ") != nullptr);
    /* sticky until the settings are made anew */
    ck_assert_int_eq(ga__emulator_call(GA__CALL_COPY), GA__EMULATOR_FAULT);
    use_plain();
    ck_assert_int_eq(ga__emulator_call(GA__CALL_COPY), 0);
}

START_TEST(faults)
{
    alignas(16) static float x[4];
    const float *p = x;
    use_plain();
    expect_fault(GA__LAUNCH(shuffle_after_exit, 1, 32, 0, nullptr), "deadlock");
    expect_fault(GA__LAUNCH(not_in_mask, 1, 32, 0, nullptr), "a lane is not in the mask that it gives");
    expect_fault(GA__LAUNCH(mixed_operations, 1, 32, 0, nullptr), "call different operations");
    expect_fault(GA__LAUNCH(barrier_and_warp, 1, 32, 0, nullptr), "waits in __sync");
    expect_fault(GA__LAUNCH(crooked_copy, 1, 32, 1024, nullptr, p), "not aligned to 16 bytes");
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
    ga__emulator_set(&is);
    expect_fault(GA__LAUNCH(forgotten_copy, 4, 32, 1024, nullptr, p), "before its cp.async was waited for");
    expect_fault(GA__LAUNCH(crooked_matrix, 1, 32, 1024, nullptr), "ldmatrix: a row is not aligned");
    /* and the emulator goes on working afterwards */
    int out[32];
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 0, nullptr, &out[0]), 0);
}
END_TEST

START_TEST(launches)
{
    int out[32];
    use_plain();
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 1025, 0, nullptr, &out[0]), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 0, 0, nullptr, &out[0]), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(GA__LAUNCH(halves, 0, 32, 0, nullptr, &out[0]), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(GA__LAUNCH(halves, dim3(1, 65536), 32, 0, nullptr, &out[0]), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 1 << 20, nullptr, &out[0]), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(ga__allow_shared(halves, 1 << 20), GA__EMULATOR_CONFIGURATION);
    ck_assert_int_eq(ga__allow_shared(halves, 100 << 10), 0);
    ck_assert_str_eq(ga__emulator_words(GA__EMULATOR_CONFIGURATION), "invalid configuration argument");
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
    is.fail_kinds = GA__CALL_LAUNCH;
    is.fail_at = 1;
    ga__emulator_set(&is);
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 0, nullptr, &out[0]), 0);
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 0, nullptr, &out[0]), GA__EMULATOR_INVALID);
    ck_assert_int_eq(GA__LAUNCH(halves, 1, 32, 0, nullptr, &out[0]), 0);
    ck_assert_int_eq((int)ga__emulator_calls(), 3);
    use_plain();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("emulator");
    TCase *tests = tcase_create("emulator");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, shuffles);
    tcase_add_test(tests, votes_and_atomics);
    tcase_add_test(tests, indices);
    tcase_add_test(tests, formats);
    tcase_add_test(tests, products);
    tcase_add_test(tests, bugs);
    tcase_add_test(tests, faults);
    tcase_add_test(tests, launches);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
