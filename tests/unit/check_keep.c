/* check_keep.c - dropout bits against Random123, one element after the other. */
#include "config.h"

#include <math.h>

#include <Random123/philox.h>

#include <graphattn/engine.h>

#include "lib/engine/keep/keep.h"
#include "tests/unit/support.h"

static const ga_backend backends[] = { GA_BACKEND_SCALAR, GA_BACKEND_AVX2, GA_BACKEND_AVX512 };

/* Number of element i. */
static uint32_t number(uint64_t seed, uint64_t stream, uint64_t i)
{
    uint64_t at = i / 4;
    philox4x32_ctr_t c = { { (uint32_t)at, (uint32_t)(at >> 32), (uint32_t)stream,
                             (uint32_t)(stream >> 32) } };
    philox4x32_key_t k = { { (uint32_t)seed, (uint32_t)(seed >> 32) } };
    return philox4x32(c, k).v[i % 4];
}

static uint32_t *room(int64_t elements)
{
    uint32_t *bits =
        malloc((size_t)ga_keep_words(elements) * sizeof *bits); /* no word more: sanitizers see it */
    ck_assert_ptr_nonnull(bits);
    memset(bits, 0xa5, (size_t)ga_keep_words(elements) * sizeof *bits);
    return bits;
}

static void compare(uint64_t seed, uint64_t stream, int64_t elements, double rate, const uint32_t *bits)
{
    for (int64_t i = 0; i < 32 * ga_keep_words(elements); i++) {
        bool expected = i < elements && number(seed, stream, (uint64_t)i) >= rate * 0x1p32;
        if (ga__kept(bits, i) != expected) {
            ck_abort_msg("element %d of %d at rate %g: %d", (int)i, (int)elements, rate, !expected);
        }
    }
}

START_TEST(test_numbers)
{
    static const int64_t sizes[] = { 0, 1, 31, 32, 33, 64, 257, 5000 };
    static const double rates[] = { 0, 1e-11, 0.25, 0.6, 1 - 0x1p-31, 1 - 0x1p-40 };
    static const uint64_t keys[][2] = {
        { 0, 0 }, { 7, 1 }, { UINT64_MAX, UINT64_MAX - 3 }, { 1ULL << 40, 5ULL << 33 }
    };
    if (!ga_backend_available(backends[_i])) {
        return;
    }
    ga_context *context = test_threads_context(1);
    test_ok(context, ga_context_set_backend(context, backends[_i]));
    for (int k = 0; k < 4; k++) {
        for (int r = 0; r < 6; r++) {
            for (int s = 0; s < 8; s++) {
                uint32_t *bits = room(sizes[s]);
                test_ok(context, ga_keep_draw(context, keys[k][0], keys[k][1], sizes[s], rates[r], bits));
                compare(keys[k][0], keys[k][1], sizes[s], rates[r], bits);
                free(bits);
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* Far out the counter carries into its second word. */
START_TEST(test_large_counter)
{
    static const ga__keep_ops *const ops[] = { &ga__keep_ops_scalar,
#ifdef HAVE_AVX2
                                               &ga__keep_ops_avx2,
#endif
#ifdef HAVE_AVX512
                                               &ga__keep_ops_avx512
#endif
    };
    enum { WORDS = 4 };
    int64_t first = ((int64_t)1 << 29) - 2;
    uint32_t bits[WORDS];
    for (int b = 0; b < (int)(sizeof ops / sizeof *ops); b++) {
        if (!ga_backend_available(backends[b])) {
            continue;
        }
        ops[b]->draw(11, 12, first, first + WORDS, 1U << 30, bits);
        for (int64_t i = 0; i < 32 * WORDS; i++) {
            bool expected = number(11, 12, (uint64_t)(32 * first + i)) > 1U << 30;
            ck_assert_int_eq(ga__kept(bits, i), expected);
        }
    }
}
END_TEST

START_TEST(test_threads)
{
    static const int threads[] = { 1, 2, 3, 7 };
    int64_t elements = 32 * 20000 + 5, words = ga_keep_words(elements);
    uint32_t *first = room(elements), *bits = room(elements);
    for (int i = 0; i < 4; i++) {
        for (int b = 0; b < 3; b++) {
            ga_context *context = test_threads_context(threads[i]);
            if (ga_backend_available(backends[b])) {
                test_ok(context, ga_context_set_backend(context, backends[b]));
                test_ok(context, ga_keep_draw(context, 3, 4, elements, 0.6, i + b ? bits : first));
                ck_assert(i + b == 0 || memcmp(bits, first, (size_t)words * sizeof *bits) == 0);
            }
            test_context_done(context, NULL);
        }
    }
    compare(3, 4, elements, 0.6, first);
    double kept = 0;
    for (int64_t i = 0; i < elements; i++) {
        kept += ga__kept(first, i);
    }
    /* Six standard deviations. */
    ck_assert(fabs(kept - 0.4 * (double)elements) < 6 * sqrt(0.24 * (double)elements));
    free(first);
    free(bits);
}
END_TEST

START_TEST(test_reading)
{
    uint32_t bits[6] = { 0 };
    for (int i = 0; i < 128; i += 3) {
        bits[i / 32] |= 1U << i % 32;
    }
    for (int64_t at = 0; at < 128; at++) {
        uint64_t word = ga__keep_from(bits, at);
        for (int i = 0; i < 33; i++) {
            ck_assert_int_eq((int)(word >> i & 1), at + i < 128 && (at + i) % 3 == 0);
        }
    }
}
END_TEST

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(test_refused)
{
    ga_context *context = test_threads_context(2);
    uint32_t bits[8];
    ck_assert_int_eq(ga_keep_words(0), 2);
    ck_assert_int_eq(ga_keep_words(32), 3);
    ck_assert_int_eq(ga_keep_words(33), 4);
    test_status(context, ga_keep_draw(context, 1, 2, 32, 1, bits), GA_INVALID);
    test_error_has(context, "rate");
    test_status(context, ga_keep_draw(context, 1, 2, 32, -0.1, bits), GA_INVALID);
    test_status(context, ga_keep_draw(context, 1, 2, 32, NAN, bits), GA_INVALID);
    test_status(context, ga_keep_draw(context, 1, 2, -1, 0.5, bits), GA_INVALID);
    test_status(context, ga_keep_draw(context, 1, 2, 32, 0.5, NULL), GA_INVALID);
    ga_context_set_cancel(context, stop, NULL);
    test_status(context, ga_keep_draw(context, 1, 2, 32, 0.5, bits), GA_CANCELLED);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keep");
    TCase *keep = tcase_create("keep");
    tcase_add_loop_test(keep, test_numbers, 0, 3);
    tcase_add_test(keep, test_large_counter);
    tcase_add_test(keep, test_threads);
    tcase_add_test(keep, test_reading);
    tcase_add_test(keep, test_refused);
    suite_add_tcase(suite, keep);
    return test_run(suite);
}
