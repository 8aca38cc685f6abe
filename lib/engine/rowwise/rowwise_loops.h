/* rowwise_loops.h - the passes of rowwise.h for one `real` (see simd_real.h). */
#define NAME(x) GA__REALNAME(x)

/* Lanes of sums that run side by side. */
#define SUMS 16

static void NAME(combine)(int64_t count, double a, const void *x_, double b, void *y_)
{
    const real *x = x_, f = (real)a, g = (real)b;
    real *y = y_;
    if (b == 0) {
        for (int64_t i = 0; i < count; i++) {
            y[i] = f * x[i];
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = f * x[i] + g * y[i];
    }
}

static void NAME(add_row)(int64_t rows, int64_t columns, const void *row_, void *y_)
{
    const real *restrict row = row_;
    for (int64_t r = 0; r < rows; r++) {
        real *restrict y = (real *)y_ + r * columns;
        for (int64_t c = 0; c < columns; c++) {
            y[c] += row[c];
        }
    }
}

static void NAME(sum_rows)(int64_t rows, int64_t columns, const void *x_, double *restrict sums)
{
    for (int64_t r = 0; r < rows; r++) {
        const real *restrict x = (const real *)x_ + r * columns;
        for (int64_t c = 0; c < columns; c++) {
            sums[c] += (double)x[c];
        }
    }
}

static double NAME(dot)(int64_t count, const void *a_, const void *b_)
{
    const real *restrict a = a_, *restrict b = b_;
    double sums[SUMS] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + SUMS <= count; i += SUMS) {
        for (int k = 0; k < SUMS; k++) {
            sums[k] += (double)a[i + k] * (double)b[i + k];
        }
    }
    for (; i < count; i++) {
        sums[i % SUMS] += (double)a[i] * (double)b[i];
    }
    for (int k = 0; k < SUMS; k++) {
        sum += sums[k];
    }
    return sum;
}

static void NAME(row_dots)(int64_t rows, int64_t columns, const void *a, const void *b, double *out)
{
    for (int64_t r = 0; r < rows; r++) {
        out[r] = NAME(dot)(columns, (const real *)a + r * columns, (const real *)b + r * columns);
    }
}

static void NAME(mix)(int64_t rows, int64_t columns, const void *f_, const void *x_, const void *g_,
                      const void *y_, bool add, void *out_)
{
    const real *f = f_, *g = g_;
    for (int64_t r = 0; r < rows; r++) {
        const real *x = (const real *)x_ + r * columns, *y = y_ ? (const real *)y_ + r * columns : NULL;
        real *out = (real *)out_ + r * columns, fr = f[r], gr = y ? g[r] : 0;
        if (!y && !add) {
            for (int64_t c = 0; c < columns; c++) {
                out[c] = fr * x[c];
            }
        } else if (!y) {
            for (int64_t c = 0; c < columns; c++) {
                out[c] = out[c] + fr * x[c];
            }
        } else {
            real keep = add ? 1 : 0;
            for (int64_t c = 0; c < columns; c++) {
                real sum = fr * x[c] + gr * y[c];
                out[c] = add ? keep * out[c] + sum : sum;
            }
        }
    }
}

static void NAME(mean_heads)(int64_t rows, int64_t heads, int64_t width, const void *o_, void *y_)
{
    real share = 1 / (real)heads;
    for (int64_t r = 0; r < rows; r++) {
        const real *restrict o = (const real *)o_ + r * heads * width;
        real *restrict y = (real *)y_ + r * width;
        for (int64_t c = 0; c < width; c++) {
            y[c] = o[c];
        }
        for (int64_t h = 1; h < heads; h++) {
            for (int64_t c = 0; c < width; c++) {
                y[c] += o[h * width + c];
            }
        }
        for (int64_t c = 0; c < width; c++) {
            y[c] *= share;
        }
    }
}

static void NAME(share_heads)(int64_t rows, int64_t heads, int64_t width, const void *g_, void *o_)
{
    real share = 1 / (real)heads;
    for (int64_t r = 0; r < rows; r++) {
        const real *restrict g = (const real *)g_ + r * width;
        real *restrict o = (real *)o_ + r * heads * width;
        for (int64_t h = 0; h < heads; h++) {
            for (int64_t c = 0; c < width; c++) {
                o[h * width + c] = g[c] * share;
            }
        }
    }
}

static void NAME(scores)(int64_t rows, int64_t heads, int64_t width, const void *z_, const void *a_,
                         const void *shift_, void *out_)
{
    const real *z = z_, *shift = shift_;
    real *out = out_;
    for (int64_t r = 0; r < rows; r++) {
        const real *a = a_;
        for (int64_t h = 0; h < heads; h++, a += width, z += width) {
            vr sum = vr_zero();
            int64_t c = 0;
            for (; c + VR <= width; c += VR) {
                sum = vr_fma(vr_load(z + c), vr_load(a + c), sum);
            }
            if (c < width) {
                int rest = (int)(width - c);
                sum = vr_fma(vr_load_n(z + c, rest), vr_load_n(a + c, rest), sum);
            }
            *out++ = vr_sum(sum) + (shift ? shift[h] : 0);
        }
    }
}

static void NAME(drop)(int64_t count, const uint32_t *bits, double scale_, const void *x_, void *y_)
{
    const real *x = x_, scale = (real)scale_;
    real *y = y_;
    for (int64_t first = 0; first < count; first += 32) {
        uint32_t word = bits[first / 32];
        int n = (int)ga__min(32, count - first);
        if (!x) {
            for (int k = 0; k < n; k++) {
                y[first + k] = word >> k & 1 ? scale : 0;
            }
        } else if (n == 32) {
            for (int k = 0; k < 32; k++) {
                real value = x[first + k] * scale;
                y[first + k] = word >> k & 1 ? value : 0;
            }
        } else {
            for (int k = 0; k < n; k++) {
                y[first + k] = word >> k & 1 ? x[first + k] * scale : 0;
            }
        }
    }
}

static void NAME(slope)(int64_t count, bool elu, const void *value_, const void *g_, void *out_)
{
    const real *value = value_, *g = g_;
    real *out = out_;
    if (elu) {
        for (int64_t i = 0; i < count; i++) {
            real v = value[i];
            out[i] = g[i] * (v > 0 ? 1 : v + 1);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        real kept = g[i];
        out[i] = value[i] > 0 ? kept : 0;
    }
}

static void NAME(relu)(int64_t count, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    for (int64_t i = 0; i < count; i++) {
        real v = x[i];
        y[i] = v <= 0 ? 0 : v;
    }
}

#undef NAME
#undef SUMS
