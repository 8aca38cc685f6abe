/* fixtures_static.c - attention on fixed patterns by its formulas, without ghosts. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reference/reference.h"

enum { AXES = 3 };

/* ---- grids ---- */

/* The grid that the fixtures lay out for a number of tokens; its axes. */
static int grid_of(int64_t tokens, int64_t shape[AXES])
{
    shape[0] = tokens == 70 ? 7 : tokens == 130 ? 10 : tokens;
    shape[1] = tokens / shape[0];
    return shape[1] > 1 ? 2 : 1;
}

static int64_t coordinate(int axes, const int64_t *shape, int64_t token, int axis)
{
    for (int a = axes - 1; a > axis; a--) {
        token /= shape[a];
    }
    return token % shape[axis];
}

/* Sets or changes a parameter; unlike problem_set its text is the problem's. */
static void set_list(problem *p, const char *name, int count, const int64_t *values)
{
    char text[32] = "";
    int at = 0;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%lld", i ? "," : "", (long long)values[i]);
    }
    while (at < p->parameter_count && strcmp(p->parameters[at].name, name) != 0) {
        at++;
    }
    p->parameter_count += at == p->parameter_count;
    memcpy(p->text[at], text, sizeof text);
    p->parameters[at] = (ga_named_text){ name, p->text[at] };
}

static void set_grid(problem *p)
{
    int64_t shape[AXES];
    int axes = grid_of(p->keys, shape);
    set_list(p, "shape", axes, shape);
}

static int64_t list_at(const problem *p, const char *name, int axis, int64_t otherwise)
{
    const char *text = problem_text(p, name, NULL);
    if (!text) {
        return otherwise;
    }
    for (const char *comma; axis > 0 && (comma = strchr(text, ',')); axis--) {
        text = comma + 1;
    }
    return strtoll(text, NULL, 10);
}

static void drop_tensors(problem *p)
{
    while (p->tensor_count > 0) {
        array_free(&p->tensors[--p->tensor_count].values);
    }
}

/* A table of so many cells an axis, filled at random. */
static void add_table(problem *p, const int64_t cells[AXES], uint64_t seed)
{
    int64_t shape[AXES], size[4] = { seed % 4 == 1 ? 1 : p->heads };
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        size[a + 1] = cells[a];
    }
    array *bias = problem_tensor(p, "bias", axes + 1, size);
    for (int64_t i = 0; i < array_count(bias); i++) {
        bias->data[i] = (double)(float)reference_draw(&seed);
    }
}

static double table_at(const problem *p, int64_t head, const int64_t cell[AXES])
{
    const array *bias = problem_find(p, "bias");
    int64_t at = bias->shape[0] == 1 ? 0 : head;
    for (int a = 1; a < bias->ndim; a++) {
        at = at * bias->shape[a] + cell[a - 1];
    }
    return bias->data[at];
}

/* Largest divisor of x that is at most `most`. */
static int64_t divisor(int64_t x, int64_t most)
{
    while (x % most != 0) {
        most--;
    }
    return most;
}

/* Coordinates of query and key on an axis. */
typedef struct pair {
    int64_t length, q, k;
} pair;

static int pairs_of(const problem *p, int64_t query, int64_t key, pair on[AXES])
{
    int64_t shape[AXES];
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        on[a] = (pair){ shape[a], coordinate(axes, shape, query, a), coordinate(axes, shape, key, a) };
    }
    return axes;
}

/* ---- dina ---- */

static void dina_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES], window[AXES], cells[AXES];
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        window[a] = shape[a] < 4 ? 1 : 2 + (int64_t)(seed % 3);
        cells[a] = 2 * window[a] - 1;
    }
    set_grid(p);
    set_list(p, "window", axes, window);
    set_list(p, "dilation", 1, (int64_t[]){ seed % 4 == 2 ? 1 : 0 });
    if (seed % 2) {
        add_table(p, cells, seed);
    }
}

static void dina_dense(problem *p)
{
    int64_t shape[AXES];
    drop_tensors(p);
    set_list(p, "window", grid_of(p->keys, shape), shape);
}

/* In steps of the dilation t among the keys of the same remainder: w keys around the query, moved inward. */
static bool dina_axis(const problem *p, int axis, pair y, int64_t *cell)
{
    int64_t w = list_at(p, "window", axis, 7), t = list_at(p, "dilation", 0, 0);
    t = t > 0 ? t : y.length / w > 1 ? y.length / w : 1;
    int64_t u = y.q / t, count = (y.length - y.q % t + t - 1) / t, first = u - w / 2;
    first = first > count - w ? count - w : first;
    first = first < 0 ? 0 : first;
    *cell = y.k / t - u + w - 1;
    return y.k % t == y.q % t && y.k / t >= first && y.k / t < first + w;
}

static bool dina_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int64_t cell;
    int axes = pairs_of(p, query, key, on);
    bool all = true;
    (void)head;
    for (int a = 0; a < axes; a++) {
        all = dina_axis(p, a, on[a], &cell) && all;
    }
    return all;
}

static double dina_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int64_t cell[AXES];
    int axes = pairs_of(p, query, key, on);
    for (int a = 0; a < axes; a++) {
        (void)dina_axis(p, a, on[a], &cell[a]);
    }
    return problem_find(p, "bias") ? table_at(p, head, cell) : 0;
}

/* ---- halo: |places| of the block and h around it; z += <q, sum_a R_a[k - y + h + M - 1]> ---- */

static const char *const rel_names[] = { "rel_0", "rel_1", "rel_2" };

static void halo_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES], block = 1 + (int64_t)(seed % 4), halo = (int64_t)(seed % 3);
    int axes = grid_of(p->keys, shape);
    set_grid(p);
    set_list(p, "block", 1, &block);
    set_list(p, "halo", 1, &halo);
    set_list(p, "centred", 1, (int64_t[]){ seed % 5 == 1 });
    problem_set(p, "border", "clip");
    problem_set(p, "rel_scaled", seed % 4 < 2 ? "1" : "0");
    for (int a = 0; a < axes && seed % 2; a++) {
        array *rel = problem_tensor(p, rel_names[a], 2, (int64_t[]){ 2 * (block + 2 * halo) - 1, p->dim });
        for (int64_t i = 0; i < array_count(rel); i++) {
            rel->data[i] = (double)(float)reference_draw(&seed);
        }
    }
}

static void halo_dense(problem *p)
{
    int64_t shape[AXES];
    drop_tensors(p);
    set_list(p, "block", grid_of(p->keys, shape), shape);
    set_list(p, "centred", 1, (int64_t[]){ 0 });
}

static bool halo_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    bool all = true, centred = list_at(p, "centred", 0, 0);
    (void)head;
    for (int a = 0; a < axes; a++) {
        int64_t b = list_at(p, "block", a, 8), h = list_at(p, "halo", a, 3), first = on[a].q / b * b;
        all = all && on[a].k >= first - h && on[a].k < first + b + h;
        all = all && (!centred || llabs(on[a].k - on[a].q) <= h);
    }
    return all;
}

static double halo_term(const problem *p, int64_t batch, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    double sum = 0, scale = isnan(p->scale) ? 1 / sqrt((double)p->dim) : p->scale;
    for (int a = 0; a < axes && problem_find(p, "rel_0"); a++) {
        int64_t b = list_at(p, "block", a, 8), h = list_at(p, "halo", a, 3);
        int64_t t = on[a].k - on[a].q / b * b + h, cell = t - on[a].q % b + b + 2 * h - 1;
        for (int64_t c = 0; c < p->dim; c++) {
            sum += *array_at(&p->q, batch, head, query, c) *
                   problem_find(p, rel_names[a])->data[cell * p->dim + c];
        }
    }
    return sum * (list_at(p, "rel_scaled", 0, 0) ? scale : 1);
}

/* ---- maxvit: equal floor(y / P), or equal y mod (L / G) ---- */

static void block_make(problem *p, uint64_t seed)
{
    int64_t window = 2 + (int64_t)(seed % 4), cells[AXES] = { 2 * window - 1, 2 * window - 1 };
    set_grid(p);
    set_list(p, "window", 1, &window);
    problem_set(p, "border", "clip");
    if (seed % 2) {
        add_table(p, cells, seed);
    }
}

static void window_dense(problem *p)
{
    int64_t shape[AXES];
    drop_tensors(p);
    set_list(p, "window", grid_of(p->keys, shape), shape);
}

static bool block_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    bool all = true;
    (void)head;
    for (int a = 0; a < axes; a++) {
        int64_t w = list_at(p, "window", a, 7);
        all = all && on[a].q / w == on[a].k / w;
    }
    return all;
}

static double block_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int64_t cell[AXES];
    int axes = pairs_of(p, query, key, on);
    for (int a = 0; a < axes; a++) {
        int64_t w = list_at(p, "window", a, 7);
        cell[a] = on[a].k % w - on[a].q % w + w - 1;
    }
    return problem_find(p, "bias") ? table_at(p, head, cell) : 0;
}

static void grid_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES], grid[AXES], cells[AXES];
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        grid[a] = divisor(shape[a], 2 + (int64_t)(seed % 4));
        cells[a] = 2 * grid[a] - 1;
    }
    set_grid(p);
    set_list(p, "grid", axes, grid);
    if (seed % 2) {
        add_table(p, cells, seed);
    }
}

static void grid_dense(problem *p)
{
    int64_t shape[AXES];
    drop_tensors(p);
    set_list(p, "grid", grid_of(p->keys, shape), shape);
}

static bool grid_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    bool all = true;
    (void)head;
    for (int a = 0; a < axes; a++) {
        int64_t step = on[a].length / list_at(p, "grid", a, 7);
        all = all && on[a].q % step == on[a].k % step;
    }
    return all;
}

static double grid_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int64_t cell[AXES];
    int axes = pairs_of(p, query, key, on);
    for (int a = 0; a < axes; a++) {
        int64_t g = list_at(p, "grid", a, 7), step = on[a].length / g;
        cell[a] = on[a].k / step - on[a].q / step + g - 1;
    }
    return problem_find(p, "bias") ? table_at(p, head, cell) : 0;
}

/* ---- shifted-window: windows of the rolled grid; labels that differ hide a pair, or cost mask_value ---- */

static void shifted_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES], window[AXES], cells[AXES];
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        window[a] = divisor(shape[a], shape[a] == 7 || shape[a] == 13 ? shape[a] : 5);
        cells[a] = 2 * window[a] - 1;
    }
    set_grid(p);
    set_list(p, "window", axes, window);
    if (seed % 4 > 1) {
        problem_set(p, "mask_value", "-1.5");
    }
    if (seed % 2) {
        add_table(p, cells, seed);
    }
}

/* Coordinate in its window, the window, the label. */
static void rolled(const problem *p, int axis, int64_t length, int64_t y, int64_t out[3])
{
    int64_t m = list_at(p, "window", axis, 16), s = m == length ? 0 : m / 2;
    y = ((y - s) % length + length) % length;
    out[0] = y % m;
    out[1] = y / m;
    out[2] = y < length - m ? 0 : y < length - s ? 1 : 2;
}

static void shifted_pair(const problem *p, int64_t query, int64_t key, bool *window, bool *label,
                         int64_t cell[AXES])
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    *window = *label = true;
    for (int a = 0; a < axes; a++) {
        int64_t q[3], k[3];
        rolled(p, a, on[a].length, on[a].q, q);
        rolled(p, a, on[a].length, on[a].k, k);
        *window = *window && q[1] == k[1];
        *label = *label && q[2] == k[2];
        cell[a] = q[0] - k[0] + list_at(p, "window", a, 16) - 1;
    }
}

static bool shifted_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t cell[AXES];
    bool window, label;
    (void)head;
    shifted_pair(p, query, key, &window, &label, cell);
    return window && (label || problem_text(p, "mask_value", NULL));
}

static double shifted_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t cell[AXES];
    bool window, label;
    shifted_pair(p, query, key, &window, &label, cell);
    return (problem_find(p, "bias") ? table_at(p, head, cell) : 0) +
           (label ? 0 : problem_number(p, "mask_value", 0));
}

/* ---- overlap-window: M queries see M + 2 M keys (overlap 2), M before the window ---- */

static void overlap_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES], window[AXES], cells[AXES];
    int axes = grid_of(p->keys, shape);
    for (int a = 0; a < axes; a++) {
        window[a] = divisor(shape[a], 5);
        cells[a] = window[a] + 3 * window[a] - 1;
    }
    set_grid(p);
    set_list(p, "window", axes, window);
    problem_set(p, "overlap", "2");
    problem_set(p, "border", "clip");
    if (seed % 2) {
        add_table(p, cells, seed);
    }
}

static bool overlap_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int axes = pairs_of(p, query, key, on);
    bool all = true;
    (void)head;
    for (int a = 0; a < axes; a++) {
        int64_t m = list_at(p, "window", a, 16), first = on[a].q / m * m - m;
        all = all && on[a].k >= first && on[a].k < first + 3 * m;
    }
    return all;
}

static double overlap_bias(const problem *p, int64_t head, int64_t query, int64_t key)
{
    pair on[AXES];
    int64_t cell[AXES];
    int axes = pairs_of(p, query, key, on);
    for (int a = 0; a < axes; a++) {
        int64_t m = list_at(p, "window", a, 16), first = on[a].q / m * m - m;
        cell[a] = on[a].k - first - on[a].q % m + m - 1;
    }
    return problem_find(p, "bias") ? table_at(p, head, cell) : 0;
}

/* ---- inward-window: all frames; on rows and columns the window of half width d moves inward ---- */

static void inward_shape(int64_t tokens, int64_t shape[AXES])
{
    shape[0] = tokens > 20 ? 2 : 1;
    shape[1] = tokens > 20 ? 5 : 1;
    shape[2] = tokens / shape[0] / shape[1];
}

static void inward_make(problem *p, uint64_t seed)
{
    int64_t shape[AXES];
    inward_shape(p->keys, shape);
    set_list(p, "shape", 3, shape);
    set_list(p, "half_window", 2, (int64_t[]){ 1 + (int64_t)(seed % 2), 1 + (int64_t)(seed % 3) });
}

static void inward_dense(problem *p)
{
    set_list(p, "half_window", 1, &p->keys);
}

static bool inward_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t shape[AXES];
    bool all = true;
    (void)head;
    inward_shape(p->keys, shape);
    for (int a = 1; a < AXES; a++) {
        int64_t y = coordinate(AXES, shape, query, a), k = coordinate(AXES, shape, key, a);
        int64_t d = list_at(p, "half_window", a - 1, 0), length = shape[a];
        int64_t up = y + d - length + 1 > 0 ? y + d - length + 1 : 0, down = d - y > 0 ? d - y : 0;
        all = all && k >= y - d - up && k <= y + d + down;
    }
    return all;
}

/* ---- radial ---- */

static void radial_make(problem *p, uint64_t seed)
{
    int64_t tokens = p->keys < 6 ? p->keys : p->keys / 6, frames = p->keys / tokens;
    set_list(p, "frames", 1, &frames);
    set_list(p, "tokens_per_frame", 1, &tokens);
    set_list(p, "sink", 1, (int64_t[]){ seed % 3 != 1 });
    if (seed % 2) {
        problem_set(p, "form", "block");
        set_list(p, "block", 1, (int64_t[]){ 2 + (int64_t)(seed % 3) });
        problem_set(p, "decay", "0.3");
        problem_set(p, "near", "0.5");
        problem_set(p, "thin", "6");
    }
}

static void radial_dense(problem *p)
{
    set_list(p, "frames", 1, (int64_t[]){ 1 });
    set_list(p, "tokens_per_frame", 1, &p->keys);
}

static int64_t half_down(int64_t x, int times)
{
    return times > 62 ? 0 : x >> times;
}

static bool radial_token(const problem *p, int64_t query, int64_t key, int64_t frames, int64_t tokens)
{
    if (query >= frames * tokens || key >= frames * tokens) {
        return true;
    }
    int64_t i = query / tokens, k = query % tokens, j = key / tokens, l = key % tokens, d = llabs(i - j);
    int64_t power = (int64_t)exp2(floor(log2((double)(d > 1 ? d : 1))));
    return (power <= tokens && (llabs(k - l) + 1) * power <= tokens) ||
           (k == l && d % ((power + tokens - 1) / tokens) == 0) || (list_at(p, "sink", 0, 1) && j == 0);
}

static int bits_of(int64_t x)
{
    int bits = 0;
    while (half_down(x, bits) > 0) {
        bits++;
    }
    return bits;
}

/* Element (r, c) of the mask of frames i, j. */
static bool radial_element(const problem *p, int64_t tokens, int64_t i, int64_t j, int64_t r, int64_t c)
{
    int64_t d = llabs(i - j);
    double t = (double)tokens, power = exp2(bits_of(tokens)), lam = power / exp2(bits_of(d));
    double thin = problem_number(p, "thin", 128), b = problem_number(p, "block", 128);
    if (list_at(p, "sink", 0, 1) && j == 0) {
        return true;
    }
    if (lam < thin && fmod((double)d, floor(thin / lam)) != 0) {
        return false;
    }
    double w = d == 0   ? t
               : d == 1 ? problem_number(p, "near", 1) * t
                        : fmax(problem_number(p, "decay", 1) * lam, b);
    return (double)llabs(r - c) <= w;
}

/* Block (u, v) of the mask of frames i, j, which starts at (iT mod b, jT mod b). */
static bool radial_pair_on(const problem *p, int64_t tokens, int64_t b, int64_t i, int64_t j, int64_t u,
                           int64_t v)
{
    int64_t any = 0, many = 0;
    for (int64_t x = v * b; x < (v + 1) * b; x++) {
        int64_t rows = 0;
        for (int64_t y = u * b; y < (u + 1) * b; y++) {
            int64_t r = y - i * tokens % b, c = x - j * tokens % b;
            rows += r >= 0 && r < tokens && c >= 0 && c < tokens && radial_element(p, tokens, i, j, r, c);
        }
        any += rows > 0;
        many += 3 * rows > b;
    }
    return 5 * many > 3 * any;
}

static bool radial_block(const problem *p, int64_t query, int64_t key, int64_t frames, int64_t tokens)
{
    int64_t b = list_at(p, "block", 0, 128), row = query / b, column = key / b, side = (tokens + b - 1) / b;
    if (row >= frames * tokens / b || column >= frames * tokens / b) {
        return true;
    }
    for (int64_t i = 0; i < frames; i++) {
        for (int64_t j = 0; j < frames; j++) {
            int64_t u = row - i * tokens / b, v = column - j * tokens / b;
            if (u >= 0 && u < side && v >= 0 && v < side && radial_pair_on(p, tokens, b, i, j, u, v)) {
                return true;
            }
        }
    }
    return false;
}

static bool radial_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t frames = list_at(p, "frames", 0, 0), tokens = list_at(p, "tokens_per_frame", 0, 0);
    (void)head;
    return problem_text(p, "form", NULL) ? radial_block(p, query, key, frames, tokens)
                                         : radial_token(p, query, key, frames, tokens);
}

/* ---- s2 ---- */

static void s2_make(problem *p, uint64_t seed)
{
    set_list(p, "block", 1, (int64_t[]){ 1 + (int64_t)(seed % 4) });
    set_list(p, "local_blocks", 1, (int64_t[]){ 1 + (int64_t)(seed % 2) });
    set_list(p, "stride", 1, (int64_t[]){ 2 + (int64_t)(seed % 5) });
    set_list(p, "offset", 1, (int64_t[]){ (int64_t)(seed % 3) });
    set_list(p, "dense_heads", 1, (int64_t[]){ seed % 7 == 1 });
    set_list(p, "homogeneous", 1, (int64_t[]){ seed % 7 == 2 });
    set_list(p, "local_right", 1, (int64_t[]){ 1 + (int64_t)(seed % 3) });
}

static void s2_dense(problem *p)
{
    set_list(p, "stride", 1, (int64_t[]){ 1 });
}

static bool s2_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t b = list_at(p, "block", 0, 64), local = list_at(p, "local_blocks", 0, 4),
            v = list_at(p, "stride", 0, 4), right = list_at(p, "local_right", 0, local);
    int64_t at = query + p->keys - p->queries, i = at / b, j = key / b;
    int64_t kv = head / (p->heads / p->kv_heads), step = v / p->heads > 1 ? v / p->heads : 1;
    int64_t phase = (list_at(p, "homogeneous", 0, 0) ? 0 : kv) * step + list_at(p, "offset", 0, 0);
    bool dense = kv >= p->kv_heads - list_at(p, "dense_heads", 0, 0);
    if (at < 0) {
        return false;
    }
    if (p->causal) {
        return i >= j && (i - j < local || (j + phase) % v == 0 || dense);
    }
    int64_t left = i - j - local + 1 > 0 ? i - j - local + 1 : 0,
            over = j - i - right + 1 > 0 ? j - i - right + 1 : 0;
    return (left + over) % v == 0 || dense;
}

/* ---- moa ---- */

static void moa_make(problem *p, uint64_t seed)
{
    array *spans = problem_tensor(p, "spans", 2, (int64_t[]){ p->heads, 2 });
    p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLFloat, 64, 1 };
    for (int64_t h = 0; h < p->heads; h++) {
        spans->data[2 * h] = 2 * (double)h - 1;
        spans->data[2 * h + 1] = 0.1 + 0.15 * (double)(seed % 4);
    }
    set_list(p, "block", 1, (int64_t[]){ 1 + (int64_t)(seed % 4) });
    problem_set(p, "form", seed % 2 ? "cache" : "plan");
}

static void moa_dense(problem *p)
{
    array *spans = &p->tensors[0].values;
    for (int64_t h = 0; h < p->heads; h++) {
        spans->data[2 * h] = 0;
        spans->data[2 * h + 1] = 1;
    }
    problem_set(p, "form", "plan");
}

static bool moa_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    const array *spans = problem_find(p, "spans");
    double alpha = spans->data[2 * head], beta = spans->data[2 * head + 1], n = (double)p->keys;
    double b = problem_number(p, "block", 64), at = (double)(query + p->keys - p->queries), j = (double)key;
    if (strcmp(problem_text(p, "form", "plan"), "plan") == 0) {
        double w = fmax(1, floor(floor(alpha / b) + beta * ceil(n / b)));
        double distance = floor(at / b) - floor(j / b);
        return distance >= 0 && (distance <= w - 1 || j < b);
    }
    double size = b * ceil(fmax(fmin(floor(alpha + beta * n), n), 2 * b) / b), first = fmin(b, size);
    return j <= at && (j < first || j > at - (size - first));
}

/* ---- saliency-local: keys of the query's cell; z += alpha ln max(saliency, eps) ---- */

static void saliency_make(problem *p, uint64_t seed)
{
    set_list(p, "shape", 1, &p->queries);
    set_list(p, "key_shape", 1, &p->keys);
    set_list(p, "halo", 1, (int64_t[]){ (int64_t)(seed % 3) });
    problem_set(p, "alpha", "0.5");
    if (seed % 2) {
        array *saliency = problem_tensor(p, "saliency", 2, (int64_t[]){ p->batch, p->keys });
        for (int64_t i = 0; i < array_count(saliency); i++) {
            saliency->data[i] = (double)(float)fabs(reference_draw(&seed));
        }
    }
}

static bool saliency_visible(const problem *p, int64_t head, int64_t query, int64_t key)
{
    double share = (double)p->keys / (double)p->queries, halo = problem_number(p, "halo", 0);
    (void)head;
    return (double)key >= floor((double)query * share + 1e-9) - halo &&
           (double)key < ceil((double)(query + 1) * share - 1e-9) + halo;
}

static double saliency_term(const problem *p, int64_t batch, int64_t head, int64_t query, int64_t key)
{
    const array *saliency = problem_find(p, "saliency");
    (void)head, (void)query;
    return saliency ? problem_number(p, "alpha", 1) * log(fmax(saliency->data[batch * p->keys + key], 1e-6))
                    : 0;
}

const fixture static_fixtures[] = {
    { .name = "dina",
      .make = dina_make,
      .make_dense = dina_dense,
      .visible = dina_visible,
      .bias = dina_bias },
    { .name = "halo",
      .make = halo_make,
      .make_dense = halo_dense,
      .visible = halo_visible,
      .term = halo_term },
    { .name = "maxvit-block",
      .make = block_make,
      .make_dense = window_dense,
      .visible = block_visible,
      .bias = block_bias },
    { .name = "maxvit-grid",
      .make = grid_make,
      .make_dense = grid_dense,
      .visible = grid_visible,
      .bias = grid_bias },
    { .name = "shifted-window",
      .make = shifted_make,
      .make_dense = window_dense,
      .visible = shifted_visible,
      .bias = shifted_bias },
    { .name = "overlap-window", .make = overlap_make, .visible = overlap_visible, .bias = overlap_bias },
    { .name = "inward-window", .make = inward_make, .make_dense = inward_dense, .visible = inward_visible },
    { .name = "radial", .make = radial_make, .make_dense = radial_dense, .visible = radial_visible },
    { .name = "s2",
      .make = s2_make,
      .make_dense = s2_dense,
      .visible = s2_visible,
      .by_position = true,
      .any_queries = true },
    { .name = "moa", .make = moa_make, .make_dense = moa_dense, .visible = moa_visible, .any_queries = true },
    { .name = "saliency-local",
      .make = saliency_make,
      .visible = saliency_visible,
      .term = saliency_term,
      .any_queries = true },
    { .name = NULL },
};
