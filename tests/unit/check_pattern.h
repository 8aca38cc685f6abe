/* check_pattern.h - what the tests of patterns share: making axes, comparing patterns. */
#ifndef TESTS_CHECK_PATTERN_H
#define TESTS_CHECK_PATTERN_H

#include <graphattn/attention.h>

#include "lib/engine/pattern/pattern.h"
#include "tests/unit/support.h"

/* For inner loops: Check writes to a pipe at every assertion. */
#define expect(condition) \
    do { \
        if (!(condition)) { \
            ck_abort_msg("not true: %s", #condition); \
        } \
    } while (0)

static inline ga_axis axis_of(ga_axis_rule rule, int64_t length)
{
    ga_axis axis = GA_AXIS_INIT;
    axis.rule = rule;
    axis.query_length = axis.key_length = length;
    return axis;
}

static inline ga_axis span_axis(int64_t length, int64_t left, int64_t right)
{
    ga_axis axis = axis_of(GA_AXIS_SPAN, length);
    axis.left = left;
    axis.right = right;
    return axis;
}

static inline ga_axis neighbour_axis(int64_t length, int64_t window, int64_t stride, int64_t dilation,
                                     bool causal)
{
    ga_axis axis = axis_of(GA_AXIS_NEIGHBOUR, length);
    axis.window = window;
    axis.stride = stride;
    axis.dilation = dilation;
    axis.causal = causal;
    return axis;
}

static inline ga_axis block_axis(int64_t length, int64_t window, ga_border border)
{
    ga_axis axis = axis_of(GA_AXIS_BLOCK, length);
    axis.window = window;
    axis.border = border;
    return axis;
}

static inline ga_axis grid_axis(int64_t length, int64_t window)
{
    ga_axis axis = axis_of(GA_AXIS_GRID, length);
    axis.window = window;
    return axis;
}

static inline ga_axis halo_axis(int64_t length, int64_t block, int64_t halo, ga_border border)
{
    ga_axis axis = axis_of(GA_AXIS_HALO, length);
    axis.stride = block;
    axis.left = axis.right = halo;
    axis.border = border;
    return axis;
}

static inline ga_axis inward_axis(int64_t length, int64_t half)
{
    ga_axis axis = axis_of(GA_AXIS_INWARD, length);
    axis.left = half;
    return axis;
}

static inline ga_product_options product_of(int axes, const ga_axis *axis)
{
    ga_product_options options = { .axes = axes };
    for (int a = 0; a < axes; a++) {
        options.axis[a] = axis[a];
    }
    return options;
}

/* Visible pairs of a head, one byte each (queries x keys), from the runs; to be freed. */
static inline uint8_t *pairs_of(const ga_pattern *pattern, int64_t head)
{
    int64_t keys = ga_pattern_keys(pattern), queries = ga_pattern_queries(pattern);
    uint8_t *pairs = calloc((size_t)(queries * keys) + 1, 1);
    int64_t(*runs)[2] = malloc((size_t)(ga_pattern_most_runs(pattern) + 1) * sizeof *runs);
    for (int64_t i = 0; i < queries; i++) {
        int64_t count = ga_pattern_row_runs(pattern, head, i, runs);
        expect(count <= ga_pattern_most_runs(pattern));
        for (int64_t r = 0; r < count; r++) {
            expect(runs[r][0] < runs[r][1] && runs[r][0] >= 0 && runs[r][1] <= keys);
            expect(r == 0 || runs[r - 1][1] < runs[r][0]);
            memset(pairs + i * keys + runs[r][0], 1, (size_t)(runs[r][1] - runs[r][0]));
        }
    }
    free(runs);
    return pairs;
}

#endif
