/* units_loops.h - the kernels of units.h for one `real` (see simd_real.h). */
#define NAME(x) GA__REALNAME(x)
#if GA__REAL == 64
#define LARGER larger_f64
#define SMALLER smaller_f64
#else
#define LARGER larger_f32
#define SMALLER smaller_f32
#endif

enum { NAME(STRIP) = 4 }; /* vectors that are summed side by side */

/* n lanes of x from element `at` on. */
GA__INLINE vr NAME(lanes)(const void *x, int64_t at, ga__type type, int n)
{
#if GA__REAL == 64
    (void)type;
    return n == VR ? vr_load((const double *)x + at) : vr_load_n((const double *)x + at, n);
#else
    return n == VR ? vf_loads(x, at, type) : vf_loads_n(x, at, type, n);
#endif
}

GA__INLINE vr NAME(some)(const real *x, int n)
{
    return n == VR ? vr_load(x) : vr_load_n(x, n);
}

GA__INLINE void NAME(put)(real *x, vr v, int n)
{
    if (n == VR) {
        vr_store(x, v);
    } else {
        vr_store_n(x, v, n);
    }
}

/* ---- summaries ---- */

/* `vectors` vectors of n lanes from column c on. */
GA__INLINE void NAME(add_strip)(int vectors, int n, int64_t c, int64_t rows, int64_t stride, const void *x,
                                ga__type type, real *sums)
{
    vr sum[NAME(STRIP)];
    for (int i = 0; i < vectors; i++) {
        sum[i] = NAME(some)(sums + c + i * VR, n);
    }
    for (int64_t r = 0; r < rows; r++) {
        for (int i = 0; i < vectors; i++) {
            sum[i] = vr_add(sum[i], NAME(lanes)(x, r * stride + c + i * VR, type, n));
        }
    }
    for (int i = 0; i < vectors; i++) {
        NAME(put)(sums + c + i * VR, sum[i], n);
    }
}

GA__INLINE void NAME(bound_strip)(int vectors, int n, int64_t c, int64_t rows, int64_t columns,
                                  int64_t stride, const void *x, ga__type type, real *bounds)
{
    vr most[NAME(STRIP)], least[NAME(STRIP)];
    for (int i = 0; i < vectors; i++) {
        most[i] = NAME(some)(bounds + c + i * VR, n);
        least[i] = NAME(some)(bounds + columns + c + i * VR, n);
    }
    for (int64_t r = 0; r < rows; r++) {
        for (int i = 0; i < vectors; i++) {
            vr v = NAME(lanes)(x, r * stride + c + i * VR, type, n);
            most[i] = LARGER(v, most[i]);
            least[i] = SMALLER(v, least[i]);
        }
    }
    for (int i = 0; i < vectors; i++) {
        NAME(put)(bounds + c + i * VR, most[i], n);
        NAME(put)(bounds + columns + c + i * VR, least[i], n);
    }
}

GA__INLINE void NAME(add_typed)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                                real *sums)
{
    int64_t c = 0;
    for (; c + NAME(STRIP) * VR <= columns; c += NAME(STRIP) * VR) {
        NAME(add_strip)(NAME(STRIP), VR, c, rows, stride, x, type, sums);
    }
    for (; c + VR <= columns; c += VR) {
        NAME(add_strip)(1, VR, c, rows, stride, x, type, sums);
    }
    if (c < columns) {
        NAME(add_strip)(1, (int)(columns - c), c, rows, stride, x, type, sums);
    }
}

GA__INLINE void NAME(bound_typed)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                                  real *bounds)
{
    int64_t c = 0;
    for (; c + NAME(STRIP) * VR <= columns; c += NAME(STRIP) * VR) {
        NAME(bound_strip)(NAME(STRIP), VR, c, rows, columns, stride, x, type, bounds);
    }
    for (; c + VR <= columns; c += VR) {
        NAME(bound_strip)(1, VR, c, rows, columns, stride, x, type, bounds);
    }
    if (c < columns) {
        NAME(bound_strip)(1, (int)(columns - c), c, rows, columns, stride, x, type, bounds);
    }
}

static void NAME(add)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type, void *sums)
{
    switch (type) {
    case GA__BF16: NAME(add_typed)(rows, columns, stride, x, GA__BF16, sums); break;
    case GA__F16: NAME(add_typed)(rows, columns, stride, x, GA__F16, sums); break;
    default: NAME(add_typed)(rows, columns, stride, x, GA__F32, sums); break;
    }
}

static void NAME(bound)(int64_t rows, int64_t columns, int64_t stride, const void *x, ga__type type,
                        void *bounds)
{
    switch (type) {
    case GA__BF16: NAME(bound_typed)(rows, columns, stride, x, GA__BF16, bounds); break;
    case GA__F16: NAME(bound_typed)(rows, columns, stride, x, GA__F16, bounds); break;
    default: NAME(bound_typed)(rows, columns, stride, x, GA__F32, bounds); break;
    }
}

/* ---- scores ---- */

/* A tile of so many rows and units; every number has one sum of its own. */
GA__INLINE void NAME(dot_tile)(int rows, int units, int64_t columns, const real *a, const void *const *x,
                               ga__type type, real *out, int64_t ld)
{
    vr sum[4][2];
    int64_t c = 0;
    for (int i = 0; i < rows * units; i++) {
        sum[i / units][i % units] = vr_zero();
    }
    for (; c + VR <= columns; c += VR) {
        for (int u = 0; u < units; u++) {
            vr v = NAME(lanes)(x[u], c, type, VR);
            for (int i = 0; i < rows; i++) {
                sum[i][u] = vr_fma(vr_load(a + i * columns + c), v, sum[i][u]);
            }
        }
    }
    if (c < columns) {
        int n = (int)(columns - c);
        for (int u = 0; u < units; u++) {
            vr v = NAME(lanes)(x[u], c, type, n);
            for (int i = 0; i < rows; i++) {
                sum[i][u] = vr_fma(vr_load_n(a + i * columns + c, n), v, sum[i][u]);
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int u = 0; u < units; u++) {
            out[i * ld + u] = vr_sum(sum[i][u]);
        }
    }
}

/* One or two units against all rows. */
GA__INLINE void NAME(dot_units)(int64_t rows, int units, int64_t columns, const real *a, const void *const *x,
                                ga__type type, real *out, int64_t ld)
{
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        NAME(dot_tile)(4, units, columns, a + i * columns, x, type, out + i * ld, ld);
    }
    a += i * columns;
    out += i * ld;
    switch (rows - i) {
    case 3: NAME(dot_tile)(3, units, columns, a, x, type, out, ld); break;
    case 2: NAME(dot_tile)(2, units, columns, a, x, type, out, ld); break;
    case 1: NAME(dot_tile)(1, units, columns, a, x, type, out, ld); break;
    default: break;
    }
}

/* Ahead of its use: rows that lie apart are found by no guess of the machine's. */
GA__INLINE void NAME(fetch)(const void *row, int64_t bytes)
{
    for (int64_t i = 0; i < bytes; i += 64) {
        __builtin_prefetch((const char *)row + i);
    }
}

GA__INLINE void NAME(dots_typed)(int64_t rows, int64_t units, int64_t columns, const real *a,
                                 const void *const *x, ga__type type, real *out, int64_t ld)
{
    enum { AHEAD = 16 };
    int64_t bytes = columns * (type == GA__F64 ? 8 : type == GA__F32 ? 4 : 2), u = 0;
    for (; u + 2 <= units; u += 2) {
        for (int64_t i = u + AHEAD; i < ga__min(u + AHEAD + 2, units); i++) {
            NAME(fetch)(x[i], bytes);
        }
        NAME(dot_units)(rows, 2, columns, a, x + u, type, out + u, ld);
    }
    if (u < units) {
        NAME(dot_units)(rows, 1, columns, a, x + u, type, out + u, ld);
    }
}

static void NAME(dots_at)(int64_t rows, int64_t units, int64_t columns, const void *a, const void *const *x,
                          ga__type type, void *out, int64_t ld)
{
    switch (type) {
#if GA__REAL == 32
    case GA__BF16: NAME(dots_typed)(rows, units, columns, a, x, GA__BF16, out, ld); break;
    case GA__F16: NAME(dots_typed)(rows, units, columns, a, x, GA__F16, out, ld); break;
    default: NAME(dots_typed)(rows, units, columns, a, x, GA__F32, out, ld); break;
#else
    default: NAME(dots_typed)(rows, units, columns, a, x, GA__F64, out, ld); break;
#endif
    }
}

static void NAME(dots)(int64_t rows, int64_t units, int64_t columns, const void *a, const void *x_,
                       void *out_, int64_t ld)
{
    const ga__type type = GA__REAL == 64 ? GA__F64 : GA__F32;
    const real *x = x_;
    real *out = out_;
    int64_t u = 0;
    for (; u + 2 <= units; u += 2) {
        const void *at[] = { x + u * columns, x + (u + 1) * columns };
        NAME(dot_units)(rows, 2, columns, a, at, type, out + u, ld);
    }
    if (u < units) {
        const void *at[] = { x + u * columns };
        NAME(dot_units)(rows, 1, columns, a, at, type, out + u, ld);
    }
}

static void NAME(most)(int64_t count, const void *x_, void *most_)
{
    const real *x = x_;
    real *most = most_;
    for (int64_t i = 0; i < count; i += VR) {
        int n = (int)ga__min(VR, count - i);
        NAME(put)(most + i, LARGER(NAME(some)(x + i, n), NAME(some)(most + i, n)), n);
    }
}

#undef NAME
#undef LARGER
#undef SMALLER
