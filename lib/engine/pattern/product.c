/* product.c - patterns that are products of axes: rows, counts, padded places, relative tables. */
#include "config.h"

#include "lib/engine/pattern/axis.h"
#include "lib/engine/pattern/source.h"

enum { AXES = 3, MOST_CELLS = 1 << 30 };

/* ---- rows ---- */

static void coordinates(const ga_pattern *pattern, int64_t query, int64_t y[AXES])
{
    for (int a = AXES - 1; a > 0; a--) {
        int64_t length = pattern->axes[a].axis.query_length;
        y[a] = query % length;
        query /= length;
    }
    y[0] = query;
}

/* Real keys below this one are not hidden by the flattened causal order. */
static int64_t causal_limit(const ga_pattern *pattern, int64_t query)
{
    if (pattern->causal && pattern->product.axes == 1) {
        int64_t position = ga__axis_position(&pattern->axes[AXES - 1].axis, query);
        return ga__min(ga__max(position + 1, 0), pattern->keys);
    }
    return ga__causal_limit(pattern, query);
}

static int64_t place_of(const ga_pattern *pattern, int64_t key)
{
    const struct ga__axis_state *axes = pattern->axes;
    int64_t y[AXES];
    for (int a = AXES - 1; a > 0; a--) {
        y[a] = key % axes[a].axis.key_length + axes[a].before;
        key /= axes[a].axis.key_length;
    }
    y[0] = key + axes[0].before;
    return (y[0] * axes[1].padded + y[1]) * axes[2].padded + y[2];
}

static int64_t grid_places(const ga_pattern *pattern)
{
    return pattern->places - pattern->extra;
}

void ga__product_append(ga__run_list *list, const ga__range range[AXES], const int64_t step[AXES],
                        const int64_t length[AXES])
{
    int64_t count[AXES], stride[AXES], start = 0, run = 1, line = 1;
    for (int a = AXES - 1; a >= 0; a--) {
        count[a] = range[a].count;
        stride[a] = line * step[a];
        start += range[a].first * line;
        line *= length[a];
    }
    for (int a = AXES - 1; a >= 0 && (step[a] == 1 || count[a] == 1); a--) {
        bool whole = count[a] == length[a];
        run *= count[a];
        count[a] = 1;
        if (!whole) {
            break;
        }
    }
    for (int64_t i = 0; i < count[0]; i++) {
        for (int64_t j = 0; j < count[1]; j++) {
            int64_t place = start + i * stride[0] + j * stride[1];
            for (int64_t k = 0; k < count[2]; k++, place += stride[2]) {
                if (place >= list->limit) {
                    return;
                }
                ga__run_append(list, place, place + run);
            }
        }
    }
}

int64_t ga__product_limit(const ga_pattern *pattern, int64_t query)
{
    int64_t limit = causal_limit(pattern, query);
    if (!pattern->ghosts) {
        return limit;
    }
    return limit == pattern->keys ? grid_places(pattern) : limit > 0 ? place_of(pattern, limit - 1) + 1 : 0;
}

int64_t ga__product_row(const ga_pattern *pattern, int64_t query, bool real, ga__run *runs)
{
    ga__run_list list = { runs, 0, causal_limit(pattern, query) };
    int64_t y[AXES], step[AXES], length[AXES];
    ga__range range[AXES];
    bool empty = false;
    coordinates(pattern, query, y);
    for (int a = 0; a < AXES; a++) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        range[a] = ga__axis_range(axis, y[a]);
        step[a] = axis->step;
        if (real) {
            range[a] = ga__range_cut(range[a], step[a], 0, axis->axis.key_length);
            length[a] = axis->axis.key_length;
        } else {
            range[a].first += axis->before;
            length[a] = axis->padded;
        }
        empty = empty || range[a].count == 0;
    }
    if (!real) {
        list.limit = ga__product_limit(pattern, query);
    }
    ga__run_append(&list, 0, pattern->product.always);
    if (!empty) {
        ga__product_append(&list, range, step, length);
    }
    if (!real && pattern->extra > 0) {
        list.limit = pattern->places;
        ga__run_append(&list, grid_places(pattern), pattern->places);
    }
    return list.count;
}

/* ---- counts ---- */

/* Keys of the product below key `limit`: those whose first axis is below the limit's, then those that agree
 * there and are below on the second, and so on. */
static int64_t count_below(const ga_pattern *pattern, const ga__range range[AXES], int64_t limit)
{
    const struct ga__axis_state *axes = pattern->axes;
    int64_t below = 0, line = range[0].count * range[1].count * range[2].count;
    if (limit >= pattern->keys || line == 0) {
        return line;
    }
    int64_t size = pattern->keys;
    for (int a = 0; a < AXES; a++) {
        size /= axes[a].axis.key_length;
        int64_t x = limit / size;
        int64_t lower = ga__range_below(range[a], axes[a].step, x);
        line /= range[a].count;
        below += lower * line;
        if (ga__range_below(range[a], axes[a].step, x + 1) == lower) {
            break;
        }
        limit %= size;
    }
    return below;
}

int64_t ga__product_length(const ga_pattern *pattern, int64_t query)
{
    int64_t y[AXES], limit = causal_limit(pattern, query);
    int64_t always = ga__min(pattern->product.always, limit);
    ga__range range[AXES];
    coordinates(pattern, query, y);
    for (int a = 0; a < AXES; a++) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        range[a] = ga__range_cut(ga__axis_range(axis, y[a]), axis->step, 0, axis->axis.key_length);
    }
    int64_t length = count_below(pattern, range, limit);
    if (always > 0) {
        length += always - count_below(pattern, range, always);
    }
    return length + pattern->extra;
}

int64_t ga__product_nonzeros(const ga_pattern *pattern)
{
    int64_t nonzeros = 0;
    if (pattern->product.always == 0 && (!pattern->causal || pattern->product.axes == 1)) {
        nonzeros = ga__axis_pairs(&pattern->axes[0]) * ga__axis_pairs(&pattern->axes[1]) *
                   ga__axis_pairs(&pattern->axes[2]);
        return nonzeros + pattern->queries * pattern->extra;
    }
    for (int64_t i = 0; i < pattern->queries; i++) {
        nonzeros += ga__product_length(pattern, i);
    }
    return nonzeros;
}

/* ---- making ---- */

/* Axes in front that the caller did not give have one query and one key. */
static ga_status prepare_axes(ga_context *context, ga_pattern *pattern)
{
    ga_status status = GA_OK;
    ga_product_options *product = &pattern->product;
    ga_axis one = GA_AXIS_INIT;
    one.query_length = one.key_length = 1;
    GA_TRY(GA_NEW(context, AXES, &pattern->axes));
    for (int a = 0; a < AXES; a++) {
        int number = a - (AXES - product->axes);
        GA_TRY(
            ga__axis_prepare(context, number, number < 0 ? &one : &product->axis[number], &pattern->axes[a]));
    }
done:
    return status;
}

static ga_status multiply(ga_context *context, int64_t factor, const char *what, int64_t *product)
{
    if (!ga__mul(*product, factor, product) || *product > GA__MOST_PLACES) {
        return ga__fail(context, GA_LIMIT, "pattern: more than %d %s", GA__MOST_PLACES, what);
    }
    return GA_OK;
}

static ga_status count_sizes(ga_context *context, ga_pattern *pattern)
{
    ga_status status = GA_OK;
    pattern->queries = pattern->keys = pattern->places = 1;
    for (int a = 0; a < AXES; a++) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        GA_TRY(multiply(context, axis->axis.query_length, "queries", &pattern->queries));
        GA_TRY(multiply(context, axis->axis.key_length, "keys", &pattern->keys));
        GA_TRY(multiply(context, axis->padded, "places", &pattern->places));
    }
    pattern->ghosts = pattern->places > pattern->keys;
    pattern->extra = pattern->product.extra;
    if (!ga__add(pattern->places, pattern->extra, &pattern->places) || pattern->places > GA__MOST_PLACES) {
        status = ga__fail(context, GA_LIMIT, "pattern: more than %d places", GA__MOST_PLACES);
    }
done:
    return status;
}

static ga_status check_together(ga_context *context, const ga_pattern *pattern)
{
    const ga_product_options *product = &pattern->product;
    bool ghost = false, bias = false, causal = false;
    for (int a = 0; a < product->axes; a++) {
        ghost = ghost || product->axis[a].border == GA_BORDER_GHOST;
        bias = bias || product->axis[a].border == GA_BORDER_BIAS;
        causal = causal || product->axis[a].causal;
    }
    if (ghost && bias) {
        return ga__fail(context, GA_INVALID, "pattern: axes have two kinds of ghosts");
    }
    if (product->always < 0 || product->always > pattern->keys) {
        return ga__fail(context, GA_INVALID, "pattern: always is %lld, expected 0 .. %lld",
                        (long long)product->always, (long long)pattern->keys);
    }
    if (product->always > 0 && (pattern->ghosts || (causal && product->axes > 1))) {
        return ga__fail(context, GA_UNSUPPORTED,
                        "pattern: keys that are always visible go neither with ghosts nor with causal axes");
    }
    return GA_OK;
}

/* Rows are longest in runs where every axis sees its most; an axis that is always seen as a whole joins its
 * lines. */
static int64_t most_runs(const ga_pattern *pattern)
{
    int64_t runs = 1;
    bool joined = true;
    for (int a = AXES - 1; a >= 0; a--) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        if (!joined || axis->step > 1) {
            runs *= ga__max(axis->most, 1);
        }
        joined = joined && axis->step == 1 && axis->axis.rule == GA_AXIS_ALL && !axis->axis.causal;
    }
    return runs + (pattern->product.always > 0) + (pattern->extra > 0);
}

static ga_status map_places(ga_context *context, ga_pattern *pattern)
{
    ga_status status = GA_OK;
    const struct ga__axis_state *axes = pattern->axes;
    int64_t place = 0;
    int32_t key = 0;
    if (!pattern->ghosts && pattern->extra == 0) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(context, pattern->places, &pattern->real));
    for (int64_t i = 0; i < axes[0].padded; i++) {
        for (int64_t j = 0; j < axes[1].padded; j++) {
            bool real = i >= axes[0].before && i - axes[0].before < axes[0].axis.key_length &&
                        j >= axes[1].before && j - axes[1].before < axes[1].axis.key_length;
            for (int64_t k = 0; k < axes[2].padded; k++) {
                bool inside = real && k >= axes[2].before && k - axes[2].before < axes[2].axis.key_length;
                pattern->real[place++] = inside ? key++ : INT32_MIN;
            }
        }
    }
    for (int32_t x = 0; place < pattern->places; x++) {
        pattern->real[place++] = -1 - x;
    }
done:
    return status;
}

/* ---- relative tables ---- */

/* False when the pattern has no table. weight: cells of the flattened table that a step along the axis skips.
 * Keys that are always visible could alias cells of their neighbours on any axis but a span alone. */
static bool plan_table(ga_pattern *pattern, int64_t weight[AXES])
{
    const ga_product_options *product = &pattern->product;
    int64_t cells = 1, reach = 0, origin_sum = 0;
    if (product->always > 0 && (product->axes > 1 || product->axis[0].rule != GA_AXIS_SPAN)) {
        return false;
    }
    for (int a = AXES - 1; a >= 0; a--) {
        const struct ga__axis_state *axis = &pattern->axes[a];
        int64_t origin = 0, number = a - (AXES - product->axes);
        int64_t count = number < 0 ? 1 : ga__axis_cells(&axis->axis, &origin);
        weight[a] = cells;
        if (count == 0 || count > MOST_CELLS || !ga__mul(cells, count, &cells) || cells > MOST_CELLS) {
            return false;
        }
        int64_t far = count + axis->padded + axis->axis.query_length;
        if (!ga__mul(far, weight[a], &far) || !ga__add(reach, far, &reach) || reach >= MOST_CELLS) {
            return false;
        }
        origin_sum += origin * weight[a];
        if (number >= 0) {
            pattern->table_shape[number] = count;
        }
    }
    pattern->cells = cells;
    pattern->origin = origin_sum;
    pattern->table_axes = product->axes;
    return true;
}

static void fill_key_cells(ga_pattern *pattern, const int64_t weight[AXES])
{
    const struct ga__axis_state *axes = pattern->axes;
    int64_t place = 0;
    for (int64_t i = 0; i < axes[0].padded; i++) {
        int64_t first = ga__axis_key_cell(&axes[0], i - axes[0].before) * weight[0];
        for (int64_t j = 0; j < axes[1].padded; j++) {
            int64_t second = first + ga__axis_key_cell(&axes[1], j - axes[1].before) * weight[1];
            for (int64_t k = 0; k < axes[2].padded; k++) {
                int64_t cell = second + ga__axis_key_cell(&axes[2], k - axes[2].before) * weight[2];
                pattern->key_cell[place++] = (int32_t)cell;
            }
        }
    }
    while (place < pattern->places) {
        pattern->key_cell[place++] = GA__NO_CELL;
    }
}

static void fill_query_cells(ga_pattern *pattern, const int64_t weight[AXES])
{
    for (int64_t i = 0; i < pattern->queries; i++) {
        int64_t y[AXES], cell = 0;
        coordinates(pattern, i, y);
        for (int a = 0; a < AXES; a++) {
            cell += ga__axis_query_cell(&pattern->axes[a], y[a]) * weight[a];
        }
        pattern->query_cell[i] = (int32_t)cell;
    }
}

static ga_status make_table(ga_context *context, ga_pattern *pattern)
{
    ga_status status = GA_OK;
    int64_t weight[AXES];
    if (!plan_table(pattern, weight)) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(context, pattern->places, &pattern->key_cell));
    GA_TRY(GA_NEW(context, pattern->queries, &pattern->query_cell));
    fill_key_cells(pattern, weight);
    fill_query_cells(pattern, weight);
done:
    return status;
}

ga_status ga_pattern_product(ga_context *context, const ga_product_options *options, ga_pattern **out)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    ga__begin(context);
    if (options->axes < 1 || options->axes > AXES) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: %d axes, expected 1 .. %d", options->axes, AXES));
    }
    if (options->extra < 0) {
        GA_TRY(ga__fail(context, GA_INVALID, "pattern: extra is %lld, expected 0 or more",
                        (long long)options->extra));
    }
    GA_TRY(GA_NEW_ZERO(context, 1, &pattern));
    pattern->source = GA__SOURCE_PRODUCT;
    pattern->heads = 1;
    pattern->product = *options;
    if (options->axes == 1) {
        pattern->product.causal = pattern->product.axis[0].causal =
            options->causal || options->axis[0].causal;
    }
    pattern->causal = pattern->product.causal;
    GA_TRY(prepare_axes(context, pattern));
    GA_TRY(count_sizes(context, pattern));
    GA_TRY(check_together(context, pattern));
    pattern->most_runs = most_runs(pattern);
    GA_TRY(map_places(context, pattern));
    GA_TRY(make_table(context, pattern));
    *out = pattern;
    pattern = NULL;
done:
    ga_pattern_destroy(context, pattern);
    return status;
}

ga_status ga_pattern_full(ga_context *context, int64_t queries, int64_t keys, bool causal,
                          ga_pattern **pattern)
{
    ga_product_options options = { .axes = 1, .axis = { GA_AXIS_INIT }, .causal = causal };
    options.axis[0].query_length = queries;
    options.axis[0].key_length = keys;
    return ga_pattern_product(context, &options, pattern);
}
