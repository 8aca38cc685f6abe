/* axis.c - the rules of an axis: checks, visible coordinates, table cells. */
#include "config.h"

#include "lib/engine/pattern/axis.h"

/* ---- ranges ---- */

int64_t ga__range_below(ga__range range, int64_t step, int64_t x)
{
    if (x <= range.first) {
        return 0;
    }
    return ga__min((x - range.first + step - 1) / step, range.count);
}

ga__range ga__range_cut(ga__range range, int64_t step, int64_t low, int64_t high)
{
    int64_t dropped = ga__range_below(range, step, low), kept = ga__range_below(range, step, high);
    return (ga__range){ range.first + dropped * step, ga__max(kept - dropped, 0) };
}

/* ---- visible coordinates ---- */

int64_t ga__axis_position(const ga_axis *axis, int64_t y)
{
    switch (axis->rule) {
    case GA_AXIS_ALL:
    case GA_AXIS_SPAN: return y + axis->key_length - axis->query_length;
    case GA_AXIS_HALO: return y * axis->dilation;
    default: return y;
    }
}

static ga__range span(const ga_axis *axis, int64_t y)
{
    int64_t p = ga__axis_position(axis, y), last = axis->key_length - 1;
    int64_t low = axis->left < 0 || axis->left > p ? 0 : p - axis->left;
    int64_t high = axis->right < 0 || axis->right > last - p ? last : p + axis->right;
    return (ga__range){ low, ga__max(high - low + 1, 0) };
}

/* attention-static section 3, in steps u of the group of coordinates with equal remainder: the centre is that
 * of the queries' stride, clamped so that the window fits. */
static ga__range neighbour(const ga_axis *axis, int64_t y)
{
    int64_t w = axis->window, s = axis->stride, t = axis->dilation;
    int64_t group = y % t, u = y / t, length = (axis->key_length - group + t - 1) / t;
    int64_t before = w / 2, after = w - 1 - before, low, high;
    if (axis->causal) {
        int64_t lead = ga__min(u / s * s + s - 1, length - 1);
        low = ga__max(lead - w + 1, 0);
        high = u;
    } else {
        int64_t lead = ga__min(u / s * s + s / 2, length - 1);
        int64_t centre = ga__min(ga__max(lead, before), length - 1 - after);
        low = centre - before;
        high = centre + after;
    }
    return (ga__range){ group + t * low, high - low + 1 };
}

static ga__range inward(const ga_axis *axis, int64_t y)
{
    int64_t length = axis->key_length, d = axis->left;
    int64_t up = ga__max(y + d - length + 1, 0), down = ga__max(d - y, 0);
    int64_t low = ga__max(0, y - d - up), high = ga__min(length - 1, y + d + down);
    return (ga__range){ low, high - low + 1 };
}

static bool has_ghosts(const ga_axis *axis)
{
    return axis->border == GA_BORDER_GHOST || axis->border == GA_BORDER_BIAS;
}

/* Cell y of the query grid, laid over the grid of the keys, with its margins. */
static ga__range cell(const ga_axis *axis, int64_t y)
{
    int64_t keys = axis->key_length, queries = axis->query_length;
    int64_t low = ga__max(y * keys / queries - axis->left, 0);
    int64_t high = ga__min(((y + 1) * keys + queries - 1) / queries + axis->right, keys);
    return (ga__range){ low, high - low };
}

/* A window that may reach over the ends. */
static ga__range bordered(const ga_axis *axis, int64_t first, int64_t count)
{
    ga__range range = { first, count };
    return has_ghosts(axis) ? range : ga__range_cut(range, 1, 0, axis->key_length);
}

ga__range ga__axis_range(const struct ga__axis_state *state, int64_t y)
{
    const ga_axis *axis = &state->axis;
    ga__range range = { 0, axis->key_length };
    switch (axis->rule) {
    case GA_AXIS_ALL: break;
    case GA_AXIS_SPAN: range = span(axis, y); break;
    case GA_AXIS_NEIGHBOUR: return neighbour(axis, y);
    case GA_AXIS_BLOCK: {
        int64_t shift = ga__max(axis->left, 0);
        range = bordered(axis, (y + shift) / axis->window * axis->window - shift, axis->window);
        break;
    }
    case GA_AXIS_GRID: range = (ga__range){ y % state->step, axis->window }; break;
    case GA_AXIS_HALO:
        range = bordered(axis, ga__axis_position(axis, y) / axis->stride * axis->stride - axis->left,
                         axis->stride + axis->left + axis->right);
        break;
    case GA_AXIS_INWARD: range = inward(axis, y); break;
    case GA_AXIS_CELL: range = cell(axis, y); break;
    }
    if (axis->causal) {
        range.count = ga__range_below(range, state->step, ga__axis_position(axis, y) + 1);
    }
    return range;
}

int64_t ga__axis_pairs(const struct ga__axis_state *state)
{
    const ga_axis *axis = &state->axis;
    int64_t pairs = 0;
    if (axis->rule == GA_AXIS_ALL && !axis->causal) {
        return axis->query_length * axis->key_length;
    }
    for (int64_t y = 0; y < axis->query_length; y++) {
        pairs += ga__range_cut(ga__axis_range(state, y), state->step, 0, axis->key_length).count;
    }
    return pairs;
}

/* ---- tables ---- */

int64_t ga__axis_cells(const ga_axis *axis, int64_t *origin)
{
    int64_t cells = 0;
    switch (axis->rule) {
    case GA_AXIS_SPAN:
        *origin = axis->left;
        if (axis->left < 0 || axis->right < 0 || !ga__add(axis->left, axis->right, &cells) ||
            !ga__add(cells, 1, &cells)) {
            return 0;
        }
        return cells;
    case GA_AXIS_NEIGHBOUR:
    case GA_AXIS_BLOCK:
    case GA_AXIS_GRID: *origin = axis->window - 1; return 2 * axis->window - 1;
    case GA_AXIS_HALO:
        *origin = axis->left + axis->stride - 1;
        return 2 * axis->stride + axis->left + axis->right - 1;
    default: return 0;
    }
}

static int64_t cell_of(const struct ga__axis_state *state, int64_t coordinate)
{
    return state->step == 1 ? coordinate : coordinate / state->step;
}

int64_t ga__axis_key_cell(const struct ga__axis_state *state, int64_t k)
{
    return cell_of(state, k);
}

int64_t ga__axis_query_cell(const struct ga__axis_state *state, int64_t y)
{
    return cell_of(state, ga__axis_position(&state->axis, y));
}

/* ---- checks ---- */

enum { MOST = INT32_MAX - 1 };

static ga_status check_value(ga_context *context, int number, const char *name, int64_t value, int64_t least,
                             int64_t most)
{
    if (value < least || value > most) {
        return ga__fail(context, GA_INVALID, "pattern: axis %d: %s is %lld, expected %lld .. %lld", number,
                        name, (long long)value, (long long)least, (long long)most);
    }
    return GA_OK;
}

static ga_status check_lengths(ga_context *context, int number, const ga_axis *axis)
{
    if (axis->query_length < 0 || axis->key_length < 0) {
        return ga__fail(context, GA_INVALID, "pattern: axis %d has a negative length", number);
    }
    if (axis->query_length > MOST || axis->key_length > MOST) {
        return ga__fail(context, GA_LIMIT,
                        "pattern: axis %d has %lld queries and %lld keys, at most %d are possible", number,
                        (long long)axis->query_length, (long long)axis->key_length, MOST);
    }
    return GA_OK;
}

static ga_status check_same_grid(ga_context *context, int number, const ga_axis *axis)
{
    if (axis->query_length != axis->key_length) {
        return ga__fail(context, GA_INVALID,
                        "pattern: axis %d has %lld queries and %lld keys, expected as many", number,
                        (long long)axis->query_length, (long long)axis->key_length);
    }
    return GA_OK;
}

static ga_status check_neighbour(ga_context *context, int number, const ga_axis *axis)
{
    ga_status status = GA_OK;
    GA_TRY(check_value(context, number, "window", axis->window, 1, MOST));
    GA_TRY(check_value(context, number, "stride", axis->stride, 1, axis->window));
    GA_TRY(check_value(context, number, "dilation", axis->dilation, 1, MOST));
    if (axis->key_length > 0 && axis->window * axis->dilation > axis->key_length) {
        status =
            ga__fail(context, GA_INVALID,
                     "pattern: axis %d: window %lld times dilation %lld is more than the %lld tokens", number,
                     (long long)axis->window, (long long)axis->dilation, (long long)axis->key_length);
    }
done:
    return status;
}

static ga_status check_halo(ga_context *context, int number, const ga_axis *axis)
{
    ga_status status = GA_OK;
    GA_TRY(check_value(context, number, "stride", axis->stride, 1, MOST));
    GA_TRY(check_value(context, number, "dilation", axis->dilation, 1, MOST));
    GA_TRY(check_value(context, number, "left", axis->left, 0, MOST));
    GA_TRY(check_value(context, number, "right", axis->right, 0, MOST));
    int64_t queries = axis->key_length / axis->dilation + (axis->key_length % axis->dilation != 0);
    if (axis->query_length != queries) {
        status =
            ga__fail(context, GA_INVALID, "pattern: axis %d has %lld queries, expected %lld for %lld keys",
                     number, (long long)axis->query_length, (long long)queries, (long long)axis->key_length);
    }
done:
    return status;
}

/* Which borders a rule knows: shift and clip say nothing new where a window never reaches over the ends. */
static ga_status check_border(ga_context *context, int number, const ga_axis *axis)
{
    bool reaches = axis->rule == GA_AXIS_BLOCK || axis->rule == GA_AXIS_HALO;
    if ((unsigned)axis->border > GA_BORDER_BIAS || (reaches && axis->border == GA_BORDER_SHIFT) ||
        (!reaches && has_ghosts(axis))) {
        return ga__fail(context, GA_INVALID, "pattern: axis %d: the border does not go with the rule",
                        number);
    }
    return GA_OK;
}

static ga_status check_rule(ga_context *context, int number, const ga_axis *axis)
{
    ga_status status = GA_OK;
    switch (axis->rule) {
    case GA_AXIS_ALL: break;
    case GA_AXIS_SPAN:
        GA_TRY(check_value(context, number, "left", axis->left, -1, INT64_MAX));
        GA_TRY(check_value(context, number, "right", axis->right, -1, INT64_MAX));
        break;
    case GA_AXIS_NEIGHBOUR:
        GA_TRY(check_same_grid(context, number, axis));
        GA_TRY(check_neighbour(context, number, axis));
        break;
    case GA_AXIS_BLOCK:
        GA_TRY(check_same_grid(context, number, axis));
        GA_TRY(check_value(context, number, "window", axis->window, 1, MOST));
        GA_TRY(check_value(context, number, "left", axis->left, -1, axis->window - 1));
        break;
    case GA_AXIS_GRID:
        GA_TRY(check_same_grid(context, number, axis));
        GA_TRY(check_value(context, number, "window", axis->window, 1, MOST));
        if (axis->key_length % axis->window != 0) {
            status =
                ga__fail(context, GA_INVALID, "pattern: axis %d: window %lld does not divide %lld tokens",
                         number, (long long)axis->window, (long long)axis->key_length);
        }
        break;
    case GA_AXIS_HALO: GA_TRY(check_halo(context, number, axis)); break;
    case GA_AXIS_INWARD:
        GA_TRY(check_same_grid(context, number, axis));
        GA_TRY(check_value(context, number, "left", axis->left, 0, MOST));
        break;
    case GA_AXIS_CELL:
        GA_TRY(check_value(context, number, "left", axis->left, 0, MOST));
        GA_TRY(check_value(context, number, "right", axis->right, 0, MOST));
        break;
    default: status = ga__fail(context, GA_INVALID, "pattern: axis %d: unknown rule", number); break;
    }
done:
    return status;
}

static int64_t most_places(const struct ga__axis_state *state)
{
    const ga_axis *axis = &state->axis;
    switch (axis->rule) {
    case GA_AXIS_SPAN:
        if (axis->left < 0 || axis->right < 0 || axis->left > state->padded || axis->right > state->padded) {
            return state->padded;
        }
        return ga__min(axis->left + axis->right + 1, state->padded);
    case GA_AXIS_NEIGHBOUR:
    case GA_AXIS_BLOCK:
    case GA_AXIS_GRID: return ga__min(axis->window, state->padded);
    case GA_AXIS_HALO: return ga__min(axis->stride + axis->left + axis->right, state->padded);
    case GA_AXIS_INWARD: return ga__min(2 * axis->left + 1, state->padded);
    case GA_AXIS_CELL:
        return ga__min(axis->key_length / ga__max(axis->query_length, 1) + 2 + axis->left + axis->right,
                       state->padded);
    default: return state->padded;
    }
}

static int64_t step_of(const ga_axis *axis)
{
    switch (axis->rule) {
    case GA_AXIS_NEIGHBOUR: return axis->dilation;
    case GA_AXIS_GRID: return ga__max(axis->key_length / axis->window, 1);
    default: return 1;
    }
}

ga_status ga__axis_prepare(ga_context *context, int number, const ga_axis *axis, struct ga__axis_state *state)
{
    ga_status status = GA_OK;
    GA_TRY(check_lengths(context, number, axis));
    GA_TRY(check_rule(context, number, axis));
    GA_TRY(check_border(context, number, axis));
    *state = (struct ga__axis_state){ .axis = *axis, .step = step_of(axis), .padded = axis->key_length };
    if (has_ghosts(axis) && axis->query_length > 0) {
        /* both ends of a window never move back as y grows */
        ga__range lowest = ga__axis_range(state, 0), highest = ga__axis_range(state, axis->query_length - 1);
        state->before = ga__max(-lowest.first, 0);
        state->padded += state->before + ga__max(highest.first + highest.count - axis->key_length, 0);
    }
    state->most = most_places(state);
done:
    return status;
}
