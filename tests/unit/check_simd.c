/* check_simd.c - the vectors of every instruction set against libm and plain C. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/engine/view.h"
#include "tests/unit/check_simd.h"
#include "tests/unit/support.h"

/* Check notes every assertion that holds; loops over many numbers tell about failures alone. */
#define expect(holds, ...) \
    do { \
        if (!(holds)) { \
            ck_abort_msg(__VA_ARGS__); \
        } \
    } while (0)

static int probes(const simd_probe *list[3])
{
    int count = 0;
    list[count++] = &simd_probe_scalar;
#ifdef HAVE_AVX2
    if (ga_backend_available(GA_BACKEND_AVX2)) {
        list[count++] = &simd_probe_avx2;
    }
#endif
#ifdef HAVE_AVX512
    if (ga_backend_available(GA_BACKEND_AVX512)) {
        list[count++] = &simd_probe_avx512;
    }
#endif
    return count;
}

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- functions of one argument ---- */

static double exact(simd_unary which, double x)
{
    switch (which) {
    case SIMD_EXP2: return exp2(x);
    case SIMD_EXP: return exp(x);
    case SIMD_SIGMOID: return x > 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
    case SIMD_SOFTPLUS: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case SIMD_TANH: return tanh(x);
    case SIMD_LOG1P: return log1p(x);
    case SIMD_ROUND: return rint(x);
    case SIMD_ABS: return fabs(x);
    default: return sqrt(x);
    }
}

/* Largest relative error, where results are denormal in units of the least normal number. */
static void check_range(const simd_probe *p, simd_unary which, double from, double to, int count,
                        double bound)
{
    float x[SIMD_MOST], y[SIMD_MOST];
    for (int i = 0; i < count; i += p->lanes) {
        for (int l = 0; l < p->lanes; l++) {
            x[l] = (float)(from + (to - from) * (i + l) / count);
        }
        p->unary(which, x, y);
        for (int l = 0; l < p->lanes; l++) {
            double wanted = exact(which, (double)x[l]), scale = fmax(fabs(wanted), 0x1p-126);
            if (fabs(wanted) > (double)FLT_MAX) {
                expect(y[l] > FLT_MAX || wanted < (double)FLT_MAX * (1 + 1e-6), "%s %d: f(%.9g) = %.9g",
                       p->name, which, (double)x[l], (double)y[l]);
                continue;
            }
            expect(fabs((double)y[l] - wanted) <= bound * scale, "%s, function %d: f(%.9g) = %.9g, not %.9g",
                   p->name, which, (double)x[l], (double)y[l], wanted);
        }
    }
}

START_TEST(functions)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        check_range(p[i], SIMD_EXP2, -1, 1, 40000, 2.5e-7);
        check_range(p[i], SIMD_EXP2, -160, 127.999, 80000, 2.5e-7);
        check_range(p[i], SIMD_EXP, -1, 1, 40000, 2.5e-7);
        check_range(p[i], SIMD_EXP, -120, 88.72, 80000, 2.5e-7);
        check_range(p[i], SIMD_EXP, 88.73, 500, 2000, 0);
        check_range(p[i], SIMD_SIGMOID, -87, 120, 80000, 5e-7);
        check_range(p[i], SIMD_SOFTPLUS, -87, 120, 80000, 5e-7);
        check_range(p[i], SIMD_SOFTPLUS, -1, 1, 40000, 5e-7);
        check_range(p[i], SIMD_TANH, -12, 12, 80000, 3e-7);
        check_range(p[i], SIMD_TANH, -1e-3, 1e-3, 8000, 3e-7);
        check_range(p[i], SIMD_LOG1P, 0, 1, 80000, 3e-7);
        check_range(p[i], SIMD_LOG1P, 0, 1e-6, 2000, 3e-7);
        check_range(p[i], SIMD_ROUND, -5, 5, 4001, 0);
        check_range(p[i], SIMD_ROUND, -9e6, 9e6, 40000, 0);
        check_range(p[i], SIMD_ROUND, 4194303, 4194313, 4096, 0);
        check_range(p[i], SIMD_ROUND, 1e9, 3e38, 4000, 0);
        check_range(p[i], SIMD_ABS, -9, 9, 4000, 0);
        check_range(p[i], SIMD_SQRT, 0, 1e5, 4000, 6e-8);
    }
}
END_TEST

/* Arguments far out, each alone in its lane: none may disturb its neighbours. */
START_TEST(extremes)
{
    static const struct {
        simd_unary which;
        float x, y;
    } cases[] = {
        { SIMD_EXP2, -INFINITY, 0 },
        { SIMD_EXP2, INFINITY, INFINITY },
        { SIMD_EXP2, -1e30f, 0 },
        { SIMD_EXP2, 1e30f, INFINITY },
        { SIMD_EXP2, 128, INFINITY },
        { SIMD_EXP2, -149, 0x1p-149f },
        { SIMD_EXP2, -151, 0 },
        { SIMD_EXP2, 0, 1 },
        { SIMD_EXP2, NAN, NAN },
        { SIMD_EXP, -INFINITY, 0 },
        { SIMD_EXP, INFINITY, INFINITY },
        { SIMD_EXP, -1e30f, 0 },
        { SIMD_EXP, -FLT_MAX, 0 },
        { SIMD_EXP, FLT_MAX, INFINITY },
        { SIMD_EXP, 1e10f, INFINITY },
        { SIMD_EXP, -104, 0 },
        { SIMD_EXP, -1e4f, 0 },
        { SIMD_EXP, 0, 1 },
        { SIMD_EXP, NAN, NAN },
        { SIMD_SIGMOID, -INFINITY, 0 },
        { SIMD_SIGMOID, INFINITY, 1 },
        { SIMD_SIGMOID, -1e30f, 0 },
        { SIMD_SIGMOID, 1e30f, 1 },
        { SIMD_SIGMOID, 0, 0.5f },
        { SIMD_SIGMOID, NAN, NAN },
        { SIMD_SOFTPLUS, -INFINITY, 0 },
        { SIMD_SOFTPLUS, INFINITY, INFINITY },
        { SIMD_SOFTPLUS, -1e30f, 0 },
        { SIMD_SOFTPLUS, 1e30f, 1e30f },
        { SIMD_SOFTPLUS, NAN, NAN },
        { SIMD_TANH, -INFINITY, -1 },
        { SIMD_TANH, INFINITY, 1 },
        { SIMD_TANH, -1e30f, -1 },
        { SIMD_TANH, 1e30f, 1 },
        { SIMD_TANH, 0, 0 },
        { SIMD_TANH, 1e-30f, 1e-30f },
        { SIMD_TANH, NAN, NAN },
        { SIMD_LOG1P, 0, 0 },
        { SIMD_ROUND, 0.5f, 0 },
        { SIMD_ROUND, 1.5f, 2 },
        { SIMD_ROUND, 2.5f, 2 },
        { SIMD_ROUND, -0.3f, -0.0f },
        { SIMD_ROUND, 4194305.5f, 4194306 },
        { SIMD_ROUND, INFINITY, INFINITY },
        { SIMD_ROUND, -INFINITY, -INFINITY },
        { SIMD_ROUND, NAN, NAN },
        { SIMD_ABS, -0.0f, 0 },
        { SIMD_ABS, -INFINITY, INFINITY },
    };
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            for (int at = 0; at < p[i]->lanes; at++) {
                float x[SIMD_MOST], y[SIMD_MOST], quiet[SIMD_MOST];
                for (int l = 0; l < p[i]->lanes; l++) {
                    x[l] = 0.25f;
                }
                p[i]->unary(cases[c].which, x, quiet);
                x[at] = cases[c].x;
                p[i]->unary(cases[c].which, x, y);
                expect(same_bits(y[at], cases[c].y), "%s, function %d: f(%g) = %g, not %g", p[i]->name,
                       cases[c].which, (double)x[at], (double)y[at], (double)cases[c].y);
                for (int l = 0; l < p[i]->lanes; l++) {
                    expect(l == at || same_bits(y[l], quiet[l]), "%s", p[i]->name);
                }
            }
        }
    }
}
END_TEST

/* ---- arithmetic, masks, sums ---- */

static float some(int i)
{
    static const float list[] = { 0,      -0.0f,    1,         -1, 3.5f, 1e30f, -1e30f,
                                  1e-30f, INFINITY, -INFINITY, 7,  NAN,  0.1f };
    return list[i % (int)(sizeof list / sizeof *list)];
}

static float plain(simd_binary which, float a, float b)
{
    switch (which) {
    case SIMD_ADD: return a + b;
    case SIMD_SUB: return a - b;
    case SIMD_MUL: return a * b;
    case SIMD_DIV: return a / b;
    case SIMD_MIN: return a < b ? a : b; /* b where one is not a number */
    default: return a > b ? a : b;
    }
}

START_TEST(arithmetic)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        for (int shift = 0; shift < 13; shift++) {
            float a[SIMD_MOST], b[SIMD_MOST], c[SIMD_MOST], y[SIMD_MOST];
            for (int l = 0; l < p[i]->lanes; l++) {
                a[l] = some(l);
                b[l] = some(l + shift);
                c[l] = some(3 * l + 1);
            }
            for (int which = 0; which < SIMD_LDEXP; which++) {
                p[i]->binary((simd_binary)which, a, b, y);
                for (int l = 0; l < p[i]->lanes; l++) {
                    expect(same_bits(y[l], plain((simd_binary)which, a[l], b[l])), "%s: %d of %g, %g is %g",
                           p[i]->name, which, (double)a[l], (double)b[l], (double)y[l]);
                }
            }
            uint32_t found[3] = { p[i]->compare(0, a, b), p[i]->compare(1, a, b), p[i]->compare(2, a, b) };
            for (int l = 0; l < p[i]->lanes; l++) {
                expect((found[0] >> l & 1) == (a[l] > b[l]), "%s", p[i]->name);
                expect((found[1] >> l & 1) == (a[l] >= b[l]), "%s", p[i]->name);
                expect((found[2] >> l & 1) == (a[l] == b[l]), "%s", p[i]->name);
            }
            for (int minus = 0; minus < 2; minus++) {
                p[i]->fused(minus, a, b, c, y);
                for (int l = 0; l < p[i]->lanes; l++) {
                    double product = (double)a[l] * (double)b[l];
                    float once = (float)((double)c[l] + (minus ? -product : product)), ab = a[l] * b[l];
                    expect(same_bits(y[l], once) || y[l] == once ||
                               same_bits(y[l], c[l] + (minus ? -ab : ab)),
                           "%s: fma %g, %g, %g is %g", p[i]->name, (double)a[l], (double)b[l], (double)c[l],
                           (double)y[l]);
                }
            }
        }
    }
}
END_TEST

START_TEST(powers_of_two)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        for (int n = -420; n <= 420; n += 4) {
            float v[SIMD_MOST], e[SIMD_MOST], y[SIMD_MOST];
            for (int l = 0; l < p[i]->lanes; l++) {
                v[l] = l % 2 ? -1.25f : 1.75f;
                e[l] = (float)(n + l % 4);
            }
            e[p[i]->lanes - 1] = n < 0 ? -INFINITY : INFINITY;
            p[i]->binary(SIMD_LDEXP, v, e, y);
            for (int l = 0; l < p[i]->lanes; l++) {
                float wanted = ldexpf(v[l], e[l] > 1000 ? 1000 : e[l] < -1000 ? -1000 : (int)e[l]);
                expect(same_bits(y[l], wanted), "%s: %g 2^%g is %g", p[i]->name, (double)v[l], (double)e[l],
                       (double)y[l]);
            }
        }
    }
}
END_TEST

START_TEST(masks)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        uint32_t all = (1u << p[i]->lanes) - 1;
        float a[SIMD_MOST], b[SIMD_MOST], y[SIMD_MOST];
        for (int l = 0; l < p[i]->lanes; l++) {
            a[l] = l == 2 ? NAN : (float)l;
            b[l] = l == 1 ? NAN : (float)(100 + l);
        }
        for (uint32_t n = 0; n <= (uint32_t)p[i]->lanes; n++) {
            expect((p[i]->mask(0, n, 0)) == ((1u << n) - 1), "%s", p[i]->name);
        }
        for (uint32_t w = 0; w <= all; w += w < 300 ? 1 : 97) {
            uint32_t v = w * 2654435761u & all;
            expect((p[i]->mask(1, w, 0)) == (w), "%s", p[i]->name);
            expect((p[i]->mask(2, w, v)) == (w & v), "%s", p[i]->name);
            expect((p[i]->mask(3, w, 0)) == (~w & all), "%s", p[i]->name);
            p[i]->pick(w, a, b, y);
            for (int l = 0; l < p[i]->lanes; l++) {
                expect(same_bits(y[l], w >> l & 1 ? a[l] : b[l]), "%s", p[i]->name);
            }
        }
    }
}
END_TEST

START_TEST(reductions)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        for (int at = 0; at < p[i]->lanes; at++) {
            float x[SIMD_MOST];
            double sum = 0, a[SIMD_MOST / 2], b[SIMD_MOST / 2], wanted = 0;
            for (int l = 0; l < p[i]->lanes; l++) {
                x[l] = l == at ? -1 : -5 - (float)l;
                sum += (double)x[l];
            }
            expect(p[i]->reduce(0, x) == (float)sum, "%s", p[i]->name);
            expect(p[i]->reduce(1, x) == -1, "%s", p[i]->name);
            for (int l = 0; l < p[i]->lanes / 2; l++) {
                a[l] = l + 0.5;
                b[l] = at - 2 * l;
                wanted += 3 * a[l] + a[l] * b[l];
            }
            expect(p[i]->sum_f64(a, b, 3) == wanted, "%s", p[i]->name);
        }
    }
}
END_TEST

/* ---- memory ---- */

/* The last bytes in front of a page that may not be touched, and the first behind one. */
typedef struct edge {
    char *pages, *end, *start;
} edge;

static edge edge_make(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    edge e = { .pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
    ck_assert(e.pages != MAP_FAILED);
    ck_assert(mprotect(e.pages, page, PROT_NONE) == 0 && mprotect(e.pages + 2 * page, page, PROT_NONE) == 0);
    e.start = e.pages + page;
    e.end = e.pages + 2 * page;
    return e;
}

static void edge_free(edge e)
{
    munmap(e.pages, 3 * (size_t)sysconf(_SC_PAGESIZE));
}

static const size_t sizes[] = { 4, 2, 2, 8 };

static double element(simd_format format, const void *p, int i)
{
    switch (format) {
    case SIMD_F32: return (double)((const float *)p)[i];
    case SIMD_BF16: return (double)ga__from_bf16(((const uint16_t *)p)[i]);
    case SIMD_F16: return (double)ga__from_f16(((const uint16_t *)p)[i]);
    default: return ((const double *)p)[i];
    }
}

static double lane(simd_format format, const void *vector, int i)
{
    return format == SIMD_F64 ? ((const double *)vector)[i] : (double)((const float *)vector)[i];
}

START_TEST(parts_of_vectors)
{
    const simd_probe *p[3];
    int count = probes(p);
    edge e = edge_make();
    for (int i = 0; i < count; i++) {
        for (int f = SIMD_F32; f <= SIMD_F64; f++) {
            simd_format format = (simd_format)f;
            int lanes = format == SIMD_F64 ? p[i]->lanes / 2 : p[i]->lanes;
            for (int n = -1; n <= lanes; n++) {
                size_t bytes = (size_t)(n < 0 ? lanes : n) * sizes[format],
                       whole = (size_t)lanes * sizes[format];
                for (int at_end = 0; at_end < 2; at_end++) {
                    char *at = at_end ? e.end - bytes : e.start;
                    float values[2 * SIMD_MOST];
                    for (int l = 0; l < lanes; l++) {
                        if (format == SIMD_F64) {
                            ((double *)values)[l] = 1.5 + l;
                        } else {
                            values[l] = 1.5f + (float)l;
                        }
                    }
                    memset(e.start, 0x55, whole + 64);
                    memset(e.end - whole - 64, 0x55, whole + 64);
                    p[i]->store(format, at, values, n);
                    char *beside = at_end ? at - 16 : at + bytes;
                    for (int b = 0; b < 16; b++) {
                        expect((beside[b]) == (0x55), "%s", p[i]->name);
                    }
                    float back[2 * SIMD_MOST];
                    p[i]->load(format, at, n, back);
                    for (int l = 0; l < lanes; l++) {
                        bool inside = n < 0 || l < n;
                        expect(lane(format, back, l) == (inside ? 1.5 + l : 0), "%s", p[i]->name);
                        expect(!inside || element(format, at, l) == 1.5 + l, "%s", p[i]->name);
                    }
                }
            }
        }
    }
    edge_free(e);
}
END_TEST

START_TEST(whole_vectors)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        float x[SIMD_MOST], y[SIMD_MOST];
        uint16_t half[SIMD_MOST] = { 0 };
        float *aligned = aligned_alloc(64, 64);
        double *wide = (double *)aligned, in[SIMD_MOST / 2];
        for (int l = 0; l < p[i]->lanes; l++) {
            x[l] = (float)l - 3;
            half[l] = ga__to_bf16((float)l);
            in[l / 2] = l + 0.125;
        }
        p[i]->store(SIMD_F32, aligned, x, -2);
        expect((memcmp(aligned, x, (size_t)p[i]->lanes * sizeof *x)) == (0), "%s", p[i]->name);
        p[i]->load(SIMD_F32, x, -2, y);
        expect((memcmp(y, x, (size_t)p[i]->lanes * sizeof *x)) == (0), "%s", p[i]->name);
        p[i]->load(SIMD_BF16, half, -2, y);
        for (int l = 0; l < p[i]->lanes; l++) {
            expect(y[l] == (float)l, "%s", p[i]->name);
            half[l] = ga__to_f16((float)l);
        }
        p[i]->load(SIMD_F16, half, -2, y);
        for (int l = 0; l < p[i]->lanes; l++) {
            expect(y[l] == (float)l, "%s", p[i]->name);
        }
        p[i]->store(SIMD_F64, wide, in, -2);
        expect((memcmp(wide, in, (size_t)p[i]->lanes / 2 * sizeof *in)) == (0), "%s", p[i]->name);
        free(aligned);
    }
}
END_TEST

/* Every 16-bit pattern read, and single precision numbers of all sizes rounded, as view.c does it. */
START_TEST(sixteen_bits)
{
    const simd_probe *p[3];
    int count = probes(p);
    for (int i = 0; i < count; i++) {
        for (int f = SIMD_BF16; f <= SIMD_F16; f++) {
            simd_format format = (simd_format)f;
            int lanes = p[i]->lanes;
            uint16_t half[SIMD_MOST];
            float x[SIMD_MOST];
            for (uint32_t bits = 0; bits < 65536; bits += (uint32_t)lanes) {
                for (int l = 0; l < lanes; l++) {
                    half[l] = (uint16_t)(bits + (uint32_t)l);
                }
                p[i]->load(format, half, -1, x);
                for (int l = 0; l < lanes; l++) {
                    float wanted = format == SIMD_BF16 ? ga__from_bf16(half[l]) : ga__from_f16(half[l]);
                    expect(same_bits(x[l], wanted), "%s", p[i]->name);
                }
            }
            for (uint32_t step = 0; step < 400000; step += (uint32_t)lanes) {
                for (int l = 0; l < lanes; l++) {
                    /* odd multiples wander through all exponents; every fourth is halfway between two results */
                    uint32_t bits = (step + (uint32_t)l) * 2654435769u;
                    uint32_t place = format == SIMD_BF16 ? 0x8000u : 0x1000u;
                    x[l] = from_bits(l % 4 ? bits : (bits & ~(2 * place - 1)) | place);
                }
                p[i]->store(format, half, x, -1);
                for (int l = 0; l < lanes; l++) {
                    uint16_t wanted = format == SIMD_BF16 ? ga__to_bf16(x[l]) : ga__to_f16(x[l]);
                    expect(half[l] == wanted, "%s, format %d: %a becomes %04x, not %04x", p[i]->name, f,
                           (double)x[l], half[l], wanted);
                }
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("simd");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, functions);
    tcase_add_test(test, extremes);
    tcase_add_test(test, arithmetic);
    tcase_add_test(test, powers_of_two);
    tcase_add_test(test, masks);
    tcase_add_test(test, reductions);
    tcase_add_test(test, parts_of_vectors);
    tcase_add_test(test, whole_vectors);
    tcase_add_test(test, sixteen_bits);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
