/* check_pattern.c - products of axes against their definitions, pair by pair. */
#include "config.h"

#include "lib/engine/pattern/axis.h"
#include "tests/unit/check_pattern.h"

/* ---- definitions ---- */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t position(const ga_axis *x, int64_t y)
{
    if (x->rule == GA_AXIS_HALO) {
        return y * x->dilation;
    }
    return x->rule == GA_AXIS_ALL || x->rule == GA_AXIS_SPAN ? y + x->key_length - x->query_length : y;
}

static bool neighbour_sees(const ga_axis *x, int64_t y, int64_t k)
{
    int64_t w = x->window, members = 0, u = y / x->dilation;
    if (k % x->dilation != y % x->dilation) {
        return false;
    }
    for (int64_t c = y % x->dilation; c < x->key_length; c += x->dilation) {
        members++;
    }
    int64_t leader = u - u % x->stride + (x->causal ? x->stride - 1 : x->stride / 2),
            member = k / x->dilation;
    if (leader > members - 1) {
        leader = members - 1;
    }
    if (x->causal) {
        return member <= u && member > leader - w;
    }
    int64_t start = leader - w / 2;
    start = start + w > members ? members - w : start;
    start = start < 0 ? 0 : start;
    return member >= start && member < start + w;
}

static bool inward_sees(const ga_axis *x, int64_t y, int64_t k)
{
    int64_t d = x->left, up = y + d - x->key_length + 1, down = d - y;
    return k >= y - d - (up > 0 ? up : 0) && k <= y + d + (down > 0 ? down : 0);
}

/* k may be a coordinate outside the axis: is it a place of the query's window? */
static bool axis_sees(const ga_axis *x, int64_t y, int64_t k)
{
    bool inside = k >= 0 && k < x->key_length, sees = inside;
    bool ghosts = x->border == GA_BORDER_GHOST || x->border == GA_BORDER_BIAS;
    int64_t p = position(x, y), window;
    switch (x->rule) {
    case GA_AXIS_ALL: break;
    case GA_AXIS_SPAN:
        sees = inside && (x->left < 0 || k >= p - x->left) && (x->right < 0 || k <= p + x->right);
        break;
    case GA_AXIS_NEIGHBOUR: sees = inside && neighbour_sees(x, y, k); break;
    case GA_AXIS_BLOCK: sees = floor_divide(k, x->window) == y / x->window && (inside || ghosts); break;
    case GA_AXIS_GRID: sees = inside && (k - y) % (x->key_length / x->window) == 0; break;
    case GA_AXIS_HALO:
        window = k - (p / x->stride * x->stride - x->left);
        sees = window >= 0 && window < x->stride + x->left + x->right && (inside || ghosts);
        break;
    case GA_AXIS_INWARD: sees = inside && inward_sees(x, y, k); break;
    case GA_AXIS_CELL:
        sees = inside && (k + x->left) >= y * x->key_length / x->query_length &&
               k - x->right < ((y + 1) * x->key_length + x->query_length - 1) / x->query_length;
        break;
    }
    return sees && (!x->causal || k <= p);
}

/* Cell of the table and cells of the axis, 0: no table. */
static int64_t axis_cell(const ga_axis *x, int64_t y, int64_t k, int64_t *cells)
{
    int64_t p = position(x, y), w = x->window, step;
    switch (x->rule) {
    case GA_AXIS_SPAN:
        *cells = x->left < 0 || x->right < 0 ? 0 : x->left + x->right + 1;
        return k - p + x->left;
    case GA_AXIS_NEIGHBOUR: *cells = 2 * w - 1; return (k - y) / x->dilation + w - 1;
    case GA_AXIS_BLOCK: *cells = 2 * w - 1; return (k + w) % w - y % w + w - 1;
    case GA_AXIS_GRID:
        *cells = 2 * w - 1;
        step = x->key_length / w;
        return k / step - y / step + w - 1;
    case GA_AXIS_HALO:
        *cells = x->stride + (x->left + x->stride + x->right) - 1;
        step = p / x->stride * x->stride;
        return (k - (step - x->left)) - (p - step) + x->stride - 1;
    default: *cells = 0; return 0;
    }
}

/* ---- comparing ---- */

typedef struct grid {
    int axes;
    int64_t length[3], before[3];
} grid;

/* Row-major coordinates of a place, or query; -1 when one is outside the keys. */
static int64_t decode(const ga_product_options *o, const grid *g, int64_t place, int64_t k[3])
{
    int64_t key = 0;
    bool inside = true;
    for (int a = o->axes - 1; a >= 0; a--) {
        k[a] = place % g->length[a] - g->before[a];
        place /= g->length[a];
    }
    for (int a = 0; a < o->axes; a++) {
        key = key * o->axis[a].key_length + k[a];
        inside = inside && k[a] >= 0 && k[a] < o->axis[a].key_length;
    }
    return inside ? key : -1;
}

typedef struct expectation {
    const ga_product_options *o;
    const ga_pattern *pattern;
    grid keys, queries;
    int64_t grid_places;
    uint8_t *seen, *seen_keys; /* of one query */
} expectation;

/* Number of coordinates of the window by the definition, far outside the axis too: no ghost may lack a
 * place. */
static int64_t window_size(const ga_axis *x, int64_t y)
{
    int64_t size = 0;
    for (int64_t k = -50; k < x->key_length + 50; k++) {
        size += axis_sees(x, y, k);
    }
    return size;
}

static void expect_row(expectation *e, int64_t query)
{
    const ga_product_options *o = e->o;
    int64_t y[3], k[3], keys = e->pattern->keys, last_key = keys - 1, window = 1, found = 0;
    int64_t reach = query + keys - e->pattern->queries;
    bool causal = o->causal || (o->axes == 1 && o->axis[0].causal);
    (void)decode(o, &e->queries, query, y);
    if (o->axes == 1) {
        reach = position(&o->axis[0], query);
    }
    bool hidden = causal && reach < last_key;
    memset(e->seen, 0, (size_t)e->pattern->places + 1);
    memset(e->seen_keys, 0, (size_t)keys + 1);
    for (int64_t j = 0, before = 0; j < e->grid_places; j++) {
        int64_t key = decode(o, &e->keys, j, k);
        bool sees = true;
        for (int a = 0; a < o->axes; a++) {
            ga_axis x = o->axis[a];
            x.causal = x.causal || (o->axes == 1 && causal);
            sees = sees && axis_sees(&x, y[a], k[a]);
        }
        found += sees;
        before += key >= 0; /* keys up to this place, a ghost belongs to those behind it */
        bool in_time = !hidden || (key >= 0 ? key <= reach : before <= reach);
        sees = (sees || (key >= 0 && key < o->always)) && in_time;
        e->seen[j] = sees;
        if (sees && key >= 0) {
            e->seen_keys[key] = 1;
        }
    }
    for (int a = 0; a < o->axes; a++) {
        ga_axis x = o->axis[a];
        x.causal = x.causal || (o->axes == 1 && causal);
        window *= window_size(&x, y[a]);
    }
    expect(found == window);
    memset(e->seen + e->grid_places, 1, (size_t)o->extra);
}

static int64_t count_bytes(const uint8_t *bytes, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    return sum;
}

static void compare_runs(const ga__run *runs, int64_t count, int64_t most, const uint8_t *seen,
                         int64_t places)
{
    expect(count <= most);
    int64_t r = 0;
    for (int64_t j = 0; j < places; j++) {
        bool inside = r < count && j >= runs[r].first && j < runs[r].last;
        expect(inside == seen[j]);
        r += r < count && j + 1 == runs[r].last;
    }
    expect(r == count);
    for (int64_t i = 1; i < count; i++) {
        expect(runs[i - 1].last < runs[i].first);
    }
}

static void compare_cells(const expectation *e, int64_t query)
{
    const ga_product_options *o = e->o;
    const ga_pattern *pattern = e->pattern;
    int64_t y[3], k[3], cells = 0;
    bool table = o->always == 0 || (o->axes == 1 && o->axis[0].rule == GA_AXIS_SPAN);
    (void)decode(o, &e->queries, query, y);
    for (int a = 0; a < o->axes; a++) {
        (void)axis_cell(&o->axis[a], 0, 0, &cells);
        table = table && cells > 0;
    }
    expect(table == (pattern->key_cell != NULL));
    expect(table == (pattern->query_cell != NULL));
    if (!table) {
        return;
    }
    expect(pattern->table_axes == (o->axes));
    for (int a = 0; a < o->axes; a++) {
        (void)axis_cell(&o->axis[a], 0, 0, &cells);
        expect(pattern->table_shape[a] == cells);
    }
    for (int64_t j = 0; j < pattern->places; j++) {
        if (!e->seen[j]) {
            continue;
        }
        int64_t flat = 0;
        if (j < e->grid_places) {
            (void)decode(o, &e->keys, j, k);
        }
        for (int a = 0; a < o->axes && j < e->grid_places; a++) {
            int64_t cell = axis_cell(&o->axis[a], y[a], k[a], &cells);
            if (axis_sees(&o->axis[a], y[a], k[a])) {
                expect(cell >= 0 && cell < cells);
            } else if (cell < 0 || cell >= cells) { /* a key that is always visible */
                expect(o->axes == 1);
                flat = -1;
                break;
            }
            flat = flat * cells + cell;
        }
        expect(ga__pattern_cell(pattern, query, j) == (j < e->grid_places ? flat : -1));
    }
}

static void compare_places(const expectation *e)
{
    const ga_pattern *pattern = e->pattern;
    int64_t k[3];
    expect((pattern->real == NULL) == (e->grid_places == pattern->keys && pattern->extra == 0));
    expect(pattern->ghosts == (e->grid_places > pattern->keys));
    for (int64_t j = 0; j < pattern->places && pattern->real; j++) {
        int64_t key = j < e->grid_places ? decode(e->o, &e->keys, j, k) : -1;
        int64_t expected = j >= e->grid_places ? -1 - (j - e->grid_places) : key < 0 ? INT32_MIN : key;
        expect(pattern->real[j] == expected);
    }
}

static void check_product(ga_context *context, const ga_product_options *o)
{
    ga_pattern *pattern = NULL;
    test_ok(context, ga_pattern_product(context, o, &pattern));
    expectation e = { .o = o, .pattern = pattern, .grid_places = 1 };
    int64_t nonzeros = 0, *offsets = NULL;
    uint32_t *indices = NULL;
    for (int a = 0; a < o->axes; a++) {
        const struct ga__axis_state *state = &pattern->axes[3 - o->axes + a];
        e.queries.length[a] = o->axis[a].query_length;
        e.keys.length[a] = state->padded;
        e.keys.before[a] = state->before;
        e.grid_places *= state->padded;
    }
    expect(pattern->places == (e.grid_places + o->extra));
    e.seen = malloc((size_t)pattern->places + 1);
    e.seen_keys = malloc((size_t)pattern->keys + 1);
    ga__run *runs = malloc((size_t)(pattern->most_runs + 1) * sizeof *runs);
    compare_places(&e);
    test_ok(context, ga_pattern_to_csr(context, pattern, 0, &offsets, &indices));
    for (int64_t i = 0; i < pattern->queries; i++) {
        expect_row(&e, i);
        compare_runs(runs, ga__pattern_row(pattern, 0, i, runs), pattern->most_runs, e.seen, pattern->places);
        compare_runs(runs, ga_pattern_row_runs(pattern, 0, i, (int64_t(*)[2])(void *)runs),
                     pattern->most_runs, e.seen_keys, pattern->keys);
        int64_t length = count_bytes(e.seen_keys, pattern->keys), at = offsets[i];
        expect(ga_pattern_row_length(pattern, 0, i) == (length + o->extra));
        expect(offsets[i + 1] - offsets[i] == length);
        for (int64_t j = 0; j < pattern->keys; j++) {
            expect(!e.seen_keys[j] || indices[at++] == j);
        }
        nonzeros += length + o->extra;
        compare_cells(&e, i);
    }
    expect(ga_pattern_nonzeros(pattern, 0) == nonzeros);
    free(e.seen);
    free(e.seen_keys);
    free(runs);
    ga_free(context, offsets);
    ga_free(context, indices);
    ga_pattern_destroy(context, pattern);
}

static void check_axis(ga_context *context, ga_axis axis)
{
    ga_product_options options = product_of(1, &axis);
    for (int causal = 0; causal < 2; causal++) {
        options.axis[0].causal = causal == 1;
        check_product(context, &options);
    }
}

/* ---- every rule on one axis ---- */

START_TEST(spans)
{
    ga_context *context = test_threads_context(1);
    for (int queries = 0; queries < 6; queries++) {
        for (int keys = 0; keys < 8; keys++) {
            ga_axis axis = axis_of(GA_AXIS_ALL, 0);
            axis.query_length = queries;
            axis.key_length = keys;
            check_axis(context, axis);
            axis.rule = GA_AXIS_SPAN;
            for (axis.left = -1; axis.left < 9; axis.left++) {
                for (axis.right = -1; axis.right < 9; axis.right++) {
                    check_axis(context, axis);
                    ga_product_options options = product_of(1, &axis);
                    options.always = keys / 2;
                    options.extra = axis.left < 2 ? 2 : 0;
                    check_product(context, &options);
                    options.causal = true;
                    check_product(context, &options);
                }
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(neighbours)
{
    ga_context *context = test_threads_context(1);
    for (int length = 1; length < 13; length++) {
        for (int window = 1; window <= length; window++) {
            for (int stride = 1; stride <= window; stride++) {
                for (int dilation = 1; window * dilation <= length; dilation++) {
                    check_axis(context, neighbour_axis(length, window, stride, dilation, false));
                }
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(blocks_and_grids)
{
    ga_context *context = test_threads_context(1);
    for (int length = 0; length < 13; length++) {
        for (int window = 1; window < 15; window++) {
            for (ga_border border = GA_BORDER_CLIP; border <= GA_BORDER_BIAS; border++) {
                check_axis(context, block_axis(length, window, border));
            }
            if (length % window == 0) {
                check_axis(context, grid_axis(length, window));
            }
            check_axis(context, inward_axis(length, window - 1));
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(halos)
{
    ga_context *context = test_threads_context(1);
    for (int length = 0; length < 11; length++) {
        for (int block = 1; block < 7; block++) {
            for (int halo = 0; halo < 4; halo++) {
                for (ga_border border = GA_BORDER_CLIP; border <= GA_BORDER_BIAS; border++) {
                    ga_axis axis = halo_axis(length, block, halo, border);
                    check_axis(context, axis);
                    axis.right = 2;
                    check_axis(context, axis);
                    for (axis.dilation = 2; axis.dilation < 5; axis.dilation++) {
                        axis.query_length = (length + axis.dilation - 1) / axis.dilation;
                        check_axis(context, axis);
                    }
                }
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- several axes ---- */

static int64_t draw(ga__random *stream, int64_t low, int64_t high)
{
    return low + (int64_t)ga__random_below(stream, (uint64_t)(high - low + 1));
}

static ga_axis random_axis(ga__random *stream, int64_t longest, ga_border ghost)
{
    int64_t length = draw(stream, 1, longest);
    ga_axis axis = axis_of((ga_axis_rule)draw(stream, GA_AXIS_ALL, GA_AXIS_CELL), length);
    ga_border border = draw(stream, 0, 1) ? ghost : GA_BORDER_CLIP;
    switch (axis.rule) {
    case GA_AXIS_ALL:
    case GA_AXIS_SPAN:
        axis.query_length = draw(stream, 1, longest);
        axis.left = draw(stream, -1, 3);
        axis.right = draw(stream, -1, 3);
        break;
    case GA_AXIS_NEIGHBOUR:
        axis.window = draw(stream, 1, length);
        axis.stride = draw(stream, 1, axis.window);
        axis.dilation = draw(stream, 1, length / axis.window);
        break;
    case GA_AXIS_BLOCK:
        axis.window = draw(stream, 1, 5);
        axis.border = border;
        break;
    case GA_AXIS_GRID: do { axis.window = draw(stream, 1, length);
        } while (length % axis.window != 0);
        break;
    case GA_AXIS_HALO:
        axis = halo_axis(length, draw(stream, 1, 4), draw(stream, 0, 2), border);
        axis.dilation = draw(stream, 1, 2);
        axis.query_length = (length + axis.dilation - 1) / axis.dilation;
        break;
    case GA_AXIS_INWARD: axis.left = draw(stream, 0, 3); break;
    case GA_AXIS_CELL:
        axis.query_length = draw(stream, 1, longest);
        axis.left = draw(stream, 0, 2);
        axis.right = draw(stream, 0, 2);
        break;
    }
    axis.causal = axis.rule != GA_AXIS_CELL && draw(stream, 0, 3) == 0;
    return axis;
}

START_TEST(several_axes)
{
    ga_context *context = test_threads_context(1);
    for (uint64_t round = 0; round < 1500; round++) {
        ga__random stream = ga__random_at(7, GA__RANDOM_TEST, round);
        ga_product_options options = { .axes = round % 3 == 0 ? 3 : 2, .causal = draw(&stream, 0, 2) == 0 };
        ga_border ghost = draw(&stream, 0, 1) ? GA_BORDER_GHOST : GA_BORDER_BIAS;
        int64_t keys = 1;
        bool plain = true;
        for (int a = 0; a < options.axes; a++) {
            ga_axis *axis = &options.axis[a];
            *axis = random_axis(&stream, options.axes == 3 ? 4 : 7, ghost);
            keys *= axis->key_length;
            plain = plain && !axis->causal && axis->border == GA_BORDER_CLIP;
        }
        options.extra = draw(&stream, 0, 5) == 0 ? 3 : 0;
        options.always = plain && draw(&stream, 0, 1) ? draw(&stream, 0, keys) : 0;
        check_product(context, &options);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- memory ---- */

static ga_status make_and_list(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    int64_t *offsets = NULL;
    uint32_t *indices = NULL;
    GA_TRY(ga_pattern_product(context, user, &pattern));
    GA_TRY(ga_pattern_to_csr(context, pattern, 0, &offsets, &indices));
done:
    ga_free(context, offsets);
    ga_free(context, indices);
    ga_pattern_destroy(context, pattern);
    return status;
}

START_TEST(memory_runs_out)
{
    ga_axis axes[2] = { halo_axis(5, 2, 1, GA_BORDER_GHOST), neighbour_axis(6, 3, 1, 2, false) };
    ga_product_options options = product_of(2, axes);
    options.extra = 2;
    ck_assert_int_ge(test_each_allocation(make_and_list, &options, 2), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, spans);
    tcase_add_test(test, neighbours);
    tcase_add_test(test, blocks_and_grids);
    tcase_add_test(test, halos);
    tcase_add_test(test, several_axes);
    tcase_add_test(test, memory_runs_out);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
