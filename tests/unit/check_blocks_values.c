/* check_blocks_values.c - what blocks compute: published numbers, identities, definitions. */
#include "config.h"

#include <graphattn.h>
#include <math.h>

#include "tests/unit/support.h"

static ga_context *context;
static const DLDataType wide = { .code = kDLFloat, .bits = 64, .lanes = 1 };

enum { MOST = 10 };

/* Tensors of a call, filled by the test. */
typedef struct call {
    ga_named_tensor tensors[MOST];
    ga_named_text parameters[MOST];
    ga_block_call call;
} call;

static double *add(call *c, const char *name, int ndim, const int64_t *shape)
{
    DLTensor *tensor = NULL;
    int64_t count = 1;
    test_ok(context, ga_tensor_create(context, wide, ndim, shape, &tensor));
    for (int i = 0; i < ndim; i++) {
        count *= shape[i];
    }
    memset(tensor->data, 0, (size_t)count * sizeof(double));
    c->tensors[c->call.tensor_count++] = (ga_named_tensor){ name, tensor };
    return tensor->data;
}

static void set(call *c, const char *name, const char *value)
{
    c->parameters[c->call.parameter_count++] = (ga_named_text){ name, value };
}

static call start(void)
{
    call c = { .call = GA_BLOCK_CALL_INIT };
    c.call.f64 = true;
    return c;
}

static DLTensor *run(call *c, const char *block, const char *name)
{
    ga_named_tensor out = { name, NULL };
    c->call.tensors = c->tensors;
    c->call.parameters = c->parameters;
    test_ok(context, ga_block_run(context, block, &c->call, &out, 1));
    return out.tensor;
}

static void finish(call *c)
{
    for (int64_t i = 0; i < c->call.tensor_count; i++) {
        ga_tensor_destroy(context, c->tensors[i].tensor);
    }
}

static double number(int64_t i, double t)
{
    return sin(1 + 0.37 * (double)i + 1.7 * t);
}

static double *add_numbers(call *c, const char *name, int ndim, const int64_t *shape, double t)
{
    double *data = add(c, name, ndim, shape);
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) {
        count *= shape[i];
    }
    for (int64_t i = 0; i < count; i++) {
        data[i] = number(i, t);
    }
    return data;
}

/* ---- channel-attention ---- */

START_TEST(gate_of_nothing_is_a_half)
{
    call c = start();
    const double *x = add_numbers(&c, "x", 4, (int64_t[]){ 2, 3, 2, 2 }, 1);
    add_numbers(&c, "w1", 2, (int64_t[]){ 2, 3 }, 2);
    add(&c, "b1", 1, (int64_t[]){ 2 });
    add(&c, "w2", 2, (int64_t[]){ 3, 2 });
    add(&c, "b2", 1, (int64_t[]){ 3 });
    DLTensor *y = run(&c, "channel-attention", "y");
    for (int i = 0; i < 24; i++) {
        ck_assert_double_eq_tol(((double *)y->data)[i], x[i] / 2, 1e-15);
    }
    ga_tensor_destroy(context, y);
    finish(&c);
}
END_TEST

/* A segment is an image whose pixels are its rows. */
START_TEST(segments_are_images)
{
    enum { C = 3, P = 4 };
    call rows = start(), image = start();
    double *x = add_numbers(&rows, "x", 2, (int64_t[]){ 2 * P, C }, 1);
    double *planes = add(&image, "x", 4, (int64_t[]){ 2, C, 2, P / 2 });
    int64_t ids[2 * P], count = 2 * P;
    for (int i = 0; i < 2 * P; i++) {
        ids[i] = i % 2;
        for (int k = 0; k < C; k++) {
            planes[(i % 2 * C + k) * P + i / 2] = x[i * C + k];
        }
    }
    DLTensor segments = {
        .data = ids, .device = { kDLCPU, 0 }, .ndim = 1, .dtype = { kDLInt, 64, 1 }, .shape = &count
    };
    call *const both[] = { &rows, &image };
    for (int i = 0; i < 2; i++) {
        add_numbers(both[i], "w1", 2, (int64_t[]){ 2, C }, 2);
        add_numbers(both[i], "b1", 1, (int64_t[]){ 2 }, 3);
        add_numbers(both[i], "w2", 2, (int64_t[]){ C, 2 }, 4);
        add_numbers(both[i], "b2", 1, (int64_t[]){ C }, 5);
    }
    rows.tensors[rows.call.tensor_count++] = (ga_named_tensor){ "segments", &segments };
    DLTensor *a = run(&rows, "channel-attention", "gate"), *b = run(&image, "channel-attention", "gate");
    for (int i = 0; i < 2 * C; i++) {
        ck_assert_double_eq_tol(((double *)a->data)[i], ((double *)b->data)[i], 1e-14);
    }
    rows.call.tensor_count--;
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    finish(&rows);
    finish(&image);
}
END_TEST

static double gelu(double x)
{
    return x * 0.5 * (1 + erf(x / sqrt(2)));
}

/* o (out, H, W) = w * x + b by its definition, one image. */
static void convolve(int in, int out, int h, int w, const double *x, const double *weight, const double *b,
                     double *o)
{
    for (int k = 0; k < out; k++) {
        for (int p = 0; p < h * w; p++) {
            double sum = b[k];
            for (int t = 0; t < in * 9; t++) {
                int y = p / w + t % 9 / 3 - 1, z = p % w + t % 3 - 1;
                if (y >= 0 && y < h && z >= 0 && z < w) {
                    sum += weight[k * in * 9 + t] * x[(t / 9 * h + y) * w + z];
                }
            }
            o[k * h * w + p] = sum;
        }
    }
}

/* With W2 = 0 and b2 = 0 the block is half of the convolutions. */
START_TEST(convolutions_by_definition)
{
    enum { C = 2, M = 3, Y = 3, X = 4 };
    call c = start();
    const double *x = add_numbers(&c, "x", 4, (int64_t[]){ 1, C, Y, X }, 1);
    add(&c, "w1", 2, (int64_t[]){ 1, C });
    add(&c, "b1", 1, (int64_t[]){ 1 });
    add(&c, "w2", 2, (int64_t[]){ C, 1 });
    add(&c, "b2", 1, (int64_t[]){ C });
    const double *w1 = add_numbers(&c, "conv1_w", 4, (int64_t[]){ M, C, 3, 3 }, 2);
    const double *b1 = add_numbers(&c, "conv1_b", 1, (int64_t[]){ M }, 3);
    const double *w2 = add_numbers(&c, "conv2_w", 4, (int64_t[]){ C, M, 3, 3 }, 4);
    const double *b2 = add_numbers(&c, "conv2_b", 1, (int64_t[]){ C }, 5);
    double middle[M * Y * X], o[C * Y * X];
    convolve(C, M, Y, X, x, w1, b1, middle);
    for (int i = 0; i < M * Y * X; i++) {
        middle[i] = gelu(middle[i]);
    }
    convolve(M, C, Y, X, middle, w2, b2, o);
    DLTensor *y = run(&c, "channel-attention", "y");
    for (int i = 0; i < C * Y * X; i++) {
        ck_assert_double_eq_tol(((double *)y->data)[i], o[i] / 2, 1e-13);
    }
    ga_tensor_destroy(context, y);
    finish(&c);
}
END_TEST

/* ---- kan: bumps at s = 0 ---- */

START_TEST(bumps_have_the_published_values)
{
    static const double phi[] = { 0.000022, 0.000695, 0.021937, 0.511071,
                                  0.511071, 0.021937, 0.000695, 0.000022 };
    call c = start();
    double *x = add(&c, "x", 2, (int64_t[]){ 1, 3 });
    add(&c, "ln1_w", 1, (int64_t[]){ 3 });
    add(&c, "ln1_b", 1, (int64_t[]){ 3 });
    double *w = add(&c, "w1", 2, (int64_t[]){ 24, 24 });
    for (int i = 0; i < 24; i++) {
        w[25 * i] = 1;
        x[i % 3] = 7;
    }
    DLTensor *y = run(&c, "kan", "y");
    for (int i = 0; i < 24; i++) {
        ck_assert_double_eq_tol(((double *)y->data)[i], phi[i % 8], 5e-7);
    }
    ga_tensor_destroy(context, y);
    finish(&c);
}
END_TEST

/* So wide that the expansion is made for 32 rows at a time: sums over 70 rows are those over 1 + 69. */
static void wide_gradients(int64_t first, int64_t rows, double *sums)
{
    enum { C = 2, G = 16384 };
    static const char *const names[] = { "grad_w1", "grad_ln1_w", "grad_ln1_b" };
    call c = start();
    double *x = add(&c, "x", 2, (int64_t[]){ rows, C });
    add_numbers(&c, "ln1_w", 1, (int64_t[]){ C }, 1);
    add_numbers(&c, "ln1_b", 1, (int64_t[]){ C }, 2);
    add_numbers(&c, "w1", 2, (int64_t[]){ 1, C * G }, 3);
    double *grad = add(&c, "grad", 2, (int64_t[]){ rows, 1 });
    c.call.grad_y = c.tensors[--c.call.tensor_count].tensor;
    set(&c, "grids", "16384");
    for (int64_t i = 0; i < rows; i++) {
        x[C * i] = number(first + i, 4);
        x[C * i + 1] = number(first + i, 5);
        grad[i] = number(first + i, 6);
    }
    for (int i = 0; i < 3; i++) {
        DLTensor *out = run(&c, "kan", names[i]);
        for (int k = 0; k < 2; k++) {
            *sums++ += ((double *)out->data)[i == 0 ? k * G + G / 2 : k];
        }
        ga_tensor_destroy(context, out);
    }
    ga_tensor_destroy(context, (DLTensor *)c.call.grad_y);
    finish(&c);
}

START_TEST(parts_of_an_expansion_add_up)
{
    double all[6] = { 0 }, parts[6] = { 0 };
    wide_gradients(0, 70, all);
    wide_gradients(0, 1, parts);
    wide_gradients(1, 69, parts);
    for (int i = 0; i < 6; i++) {
        ck_assert(all[i] != 0);
        ck_assert_double_eq_tol(all[i], parts[i], 1e-9 * (1 + fabs(all[i])));
    }
}
END_TEST

/* ---- td-norm ---- */

static double scale_at(double log_snr, double theta0, double theta1, const char *mode, double x)
{
    static const char *const names[] = { "gamma0", "gamma1", "gamma_a", "gamma_c" };
    const double values[] = { theta0, theta1, 1, 0 };
    call c = start();
    double *row = add(&c, "x", 3, (int64_t[]){ 1, 1, 2 });
    row[0] = x;
    row[1] = -x;
    *add(&c, "log_snr", 1, (int64_t[]){ 1 }) = log_snr;
    for (int i = 0; i < 4; i++) {
        double *p = add(&c, names[i], 1, (int64_t[]){ 2 });
        p[0] = p[1] = values[i];
    }
    set(&c, "mode", mode);
    DLTensor *y = run(&c, "td-norm", "y");
    double first = ((double *)y->data)[0];
    ga_tensor_destroy(context, y);
    finish(&c);
    return first;
}

/* Rows (x, -x) have the norm (1, -1), but for eps. */
START_TEST(scale_moves_with_time)
{
    ck_assert_double_eq_tol(scale_at(4, 2, 1, "rms", 1e6), 1.7310586, 1e-7);
    ck_assert_double_eq_tol(scale_at(0, 2, 1, "rms", 1e6), 1.5, 1e-7);
    ck_assert_double_eq_tol(scale_at(4, 2, 1, "ln", 1e6), 1.7310586, 1e-7);
    ck_assert_double_eq_tol(scale_at(1000, 2, 1, "ln", 1e6), 2, 1e-7);
    ck_assert_double_eq_tol(scale_at(-1000, 2, 1, "ln", 1e6), 1, 1e-7);
    ck_assert_double_eq_tol(scale_at(3, 1, 1, "ln", 1), 1 / sqrt(1 + 1e-5), 1e-14);
    ck_assert_double_eq_tol(scale_at(3, 1, 1, "rms", 1), 1 / (1 + 1e-8), 1e-14);
}
END_TEST

/* ---- multires-fuse ---- */

static void norm(int n, double *x)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) {
        mean += x[i] / n;
    }
    for (int i = 0; i < n; i++) {
        square += (x[i] - mean) * (x[i] - mean) / n;
    }
    for (int i = 0; i < n; i++) {
        x[i] = (x[i] - mean) / sqrt(square + 1e-5);
    }
}

START_TEST(pixels_read_their_token)
{
    enum { H = 2, W = 3, R = 2, D = 3, C = 4, P = H * W * R * R };
    call c = start();
    const double *x = add_numbers(&c, "x", 3, (int64_t[]){ 1, P, D }, 1);
    const double *low = add_numbers(&c, "low", 3, (int64_t[]){ 1, H * W, C }, 2);
    const double *w1 = add_numbers(&c, "ln1_w", 1, (int64_t[]){ C }, 3);
    const double *b1 = add_numbers(&c, "ln1_b", 1, (int64_t[]){ C }, 4);
    const double *w = add_numbers(&c, "w", 2, (int64_t[]){ D * R * R, C }, 5);
    const double *b = add_numbers(&c, "b", 1, (int64_t[]){ D * R * R }, 6);
    const double *w2 = add_numbers(&c, "ln2_w", 1, (int64_t[]){ D }, 7);
    const double *b2 = add_numbers(&c, "ln2_b", 1, (int64_t[]){ D }, 8);
    set(&c, "shape", "2,3");
    DLTensor *y = run(&c, "multires-fuse", "y");
    for (int p = 0; p < P; p++) {
        int row = p / (W * R), column = p % (W * R), token = row / R * W + column / R;
        double z[C], out[D];
        memcpy(z, low + token * C, sizeof z);
        norm(C, z);
        for (int k = 0; k < D; k++) {
            int from = (row % R * R + column % R) * D + k;
            out[k] = b[from];
            for (int i = 0; i < C; i++) {
                out[k] += w[from * C + i] * (z[i] * w1[i] + b1[i]);
            }
        }
        norm(D, out);
        for (int k = 0; k < D; k++) {
            ck_assert_double_eq_tol(((double *)y->data)[p * D + k], x[p * D + k] + out[k] * w2[k] + b2[k],
                                    1e-12);
        }
    }
    ga_tensor_destroy(context, y);
    finish(&c);
}
END_TEST

/* ---- partition ---- */

START_TEST(images_are_laid_out)
{
    static const struct {
        const char *width, *height;
        int64_t size[2], grid[2], tokens;
    } images[] = { { "640", "480", { 672, 672 }, { 2, 2 }, 577 + 4 * 145 },
                   { "1920", "1080", { 1008, 672 }, { 3, 2 }, 577 + 6 * 145 },
                   { "3000", "500", { 1008, 336 }, { 3, 1 }, 577 + 3 * 145 },
                   { "337", "337", { 672, 672 }, { 2, 2 }, 577 + 4 * 145 },
                   { "1008", "1008", { 1008, 1008 }, { 3, 3 }, 1882 },
                   { "1", "1073741824", { 336, 1008 }, { 1, 3 }, 577 + 3 * 145 },
                   { "336", "100", { 336, 336 }, { 1, 1 }, 577 + 145 } };
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        call c = start();
        set(&c, "width", images[i].width);
        set(&c, "height", images[i].height);
        DLTensor *size = run(&c, "partition", "size"), *grid = run(&c, "partition", "grid");
        DLTensor *boxes = run(&c, "partition", "boxes"), *offsets = run(&c, "partition", "offsets");
        const int64_t *box = boxes->data;
        int64_t tiles = images[i].grid[0] * images[i].grid[1], area = 0;
        ck_assert_mem_eq(size->data, images[i].size, sizeof images[i].size);
        ck_assert_mem_eq(grid->data, images[i].grid, sizeof images[i].grid);
        ck_assert_int_eq(((int64_t *)offsets->data)[tiles + 1], images[i].tokens);
        for (int64_t t = 1; t <= tiles; t++) {
            area += (box[4 * t + 2] - box[4 * t]) * (box[4 * t + 3] - box[4 * t + 1]);
        }
        ck_assert_int_eq(area, box[2] * box[3]);
        ck_assert_int_eq(area, images[i].size[0] * images[i].size[1]);
        ga_tensor_destroy(context, size);
        ga_tensor_destroy(context, grid);
        ga_tensor_destroy(context, boxes);
        ga_tensor_destroy(context, offsets);
    }
}
END_TEST

/* ---- object-code ---- */

START_TEST(codes_have_the_wanted_cosines)
{
    call c = start();
    set(&c, "positions", "30");
    set(&c, "dim", "33");
    DLTensor *codes = run(&c, "object-code", "codes");
    const double *l = codes->data;
    static const double targets[] = { 1, 0.882497, 0.606531, 0.324652, 0.135335 };
    ck_assert_int_eq(codes->shape[1], 33);
    for (int i = 0; i < 30; i++) {
        for (int j = 0; j < 30; j++) {
            double sum = 0, want = exp(-(i - j) * (i - j) / 8.0);
            for (int k = 0; k < 33; k++) {
                sum += l[33 * i + k] * l[33 * j + k];
            }
            ck_assert_double_eq_tol(sum, want, 1e-12);
            ck_assert(abs(i - j) > 4 || fabs(want - targets[abs(i - j)]) < 1e-6);
        }
        ck_assert_double_eq(l[33 * i + 32], 0);
    }
    ga_tensor_destroy(context, codes);
}
END_TEST

/* ---- merge ---- */

START_TEST(one_side_may_be_empty)
{
    call c = start();
    double *o_a = add_numbers(&c, "o_a", 2, (int64_t[]){ 4, 2 }, 1),
           *lse_a = add(&c, "lse_a", 1, (int64_t[]){ 4 });
    double *o_b = add_numbers(&c, "o_b", 2, (int64_t[]){ 4, 2 }, 2),
           *lse_b = add(&c, "lse_b", 1, (int64_t[]){ 4 });
    lse_a[1] = lse_a[3] = lse_b[2] = lse_b[3] = -INFINITY;
    DLTensor *o = run(&c, "merge", "o"), *lse = run(&c, "merge", "lse");
    for (int i = 0; i < 8; i++) {
        double want = i < 2 ? (o_a[i] + o_b[i]) / 2 : i < 4 ? o_b[i] : i < 6 ? o_a[i] : 0;
        ck_assert_double_eq_tol(((double *)o->data)[i], want, 1e-15);
    }
    ck_assert_double_eq_tol(((double *)lse->data)[0], log(2), 1e-15);
    ck_assert_double_eq(((double *)lse->data)[1], 0);
    ck_assert_double_eq(((double *)lse->data)[2], 0);
    ck_assert_double_eq(((double *)lse->data)[3], -INFINITY);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, lse);
    finish(&c);
}
END_TEST

/* ---- influence: the loss is linear in the map, so that the change is exact ---- */

START_TEST(influence_is_the_change_of_the_loss)
{
    enum { N = 5 };
    call c = start();
    double *a = add_numbers(&c, "map", 2, (int64_t[]){ N, N }, 1),
           *g = add_numbers(&c, "grad_map", 2, (int64_t[]){ N, N }, 2);
    for (int i = 0; i < N; i++) { /* row 0 has one entry, the others i + 1 */
        double sum = 0;
        for (int j = 0; j < N; j++) {
            a[i * N + j] = j <= i ? exp(a[i * N + j]) : 0;
            sum += a[i * N + j];
        }
        for (int j = 0; j < N; j++) {
            a[i * N + j] /= sum;
        }
    }
    set(&c, "block", "2");
    c.call.tensors = c.tensors;
    c.call.parameters = c.parameters;
    ga_named_tensor out[] = { { "influence", NULL }, { "blocks", NULL } };
    ga_report report;
    test_ok(context, ga_analysis_run(context, "influence", &c.call, out, 2, &report));
    const double *e = out[0].tensor->data, *blocks = out[1].tensor->data;
    double all = 0, cells[9] = { 0 };
    for (int i = 0; i < N * N; i++) {
        int row = i / N, j = i % N;
        double before = 0, after = 0;
        for (int n = 0; n < N; n++) {
            before += g[row * N + n] * a[row * N + n];
            after += n == j ? 0 : g[row * N + n] * a[row * N + n] / (1 - a[i]);
        }
        double want = row == 0 && j == 0 ? -g[0] : after - before;
        ck_assert_double_eq_tol(e[i], want, 1e-13);
        all += fabs(want);
        cells[row / 2 * 3 + j / 2] += fabs(want);
    }
    for (int i = 0; i < 9; i++) {
        ck_assert_double_eq_tol(blocks[i], cells[i], 1e-13);
    }
    ck_assert_int_eq(report.count, 5);
    ck_assert_str_eq(report.rows[3].name, "influence_sum");
    ck_assert_double_eq_tol(report.rows[3].real, all, 1e-12);
    ga_tensor_destroy(context, out[0].tensor);
    ga_tensor_destroy(context, out[1].tensor);
    finish(&c);
}
END_TEST

static void setup(void)
{
    context = test_threads_context(2);
}

static void teardown(void)
{
    ga_context_destroy(context);
}

/* Weights e^lse over their sum; a part that saw no key has none, and rows that no part saw are 0. */
START_TEST(partial_results_join)
{
    call c = start();
    const double o[3][2][2] = { { { 1, 2 }, { 7, 7 } }, { { 3, -2 }, { 7, 7 } }, { { 9, 9 }, { 7, 7 } } };
    const double lse[3][2] = { { log(1), -INFINITY }, { log(3), -INFINITY }, { -INFINITY, -INFINITY } };
    memcpy(add(&c, "o", 3, (int64_t[]){ 3, 2, 2 }), o, sizeof o);
    memcpy(add(&c, "lse", 2, (int64_t[]){ 3, 2 }), lse, sizeof lse);
    DLTensor *joined = run(&c, "merge-partials", "o"), *total = run(&c, "merge-partials", "lse");
    const double *y = joined->data, *z = total->data;
    ck_assert_double_eq_tol(y[0], 2.5, 1e-14);
    ck_assert_double_eq_tol(y[1], -1, 1e-14);
    ck_assert(y[2] == 0 && y[3] == 0);
    ck_assert_double_eq_tol(z[0], log(4), 1e-14);
    ck_assert(z[1] == -INFINITY);
    ga_tensor_destroy(context, joined);
    ga_tensor_destroy(context, total);
    finish(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("blocks_values");
    TCase *tests = tcase_create("blocks_values");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, gate_of_nothing_is_a_half);
    tcase_add_test(tests, segments_are_images);
    tcase_add_test(tests, convolutions_by_definition);
    tcase_add_test(tests, bumps_have_the_published_values);
    tcase_add_test(tests, parts_of_an_expansion_add_up);
    tcase_add_test(tests, scale_moves_with_time);
    tcase_add_test(tests, pixels_read_their_token);
    tcase_add_test(tests, images_are_laid_out);
    tcase_add_test(tests, codes_have_the_wanted_cosines);
    tcase_add_test(tests, one_side_may_be_empty);
    tcase_add_test(tests, influence_is_the_change_of_the_loss);
    tcase_add_test(tests, partial_results_join);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
