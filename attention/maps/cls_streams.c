/* cls_streams.c - local and summary image tokens from the vision encoder (card B3).
 *
 * local: the floor(local_ratio n) largest of first, and the floor(spatial_ratio n) largest of received; summary: last >
 * Q3 + 1.5 (Q3 - Q1). A token in both is summary only. */
#include "config.h"

#include <math.h>

#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "local_ratio", GA_PARAMETER_REAL, "0.25", "0..1", "share of local tokens", GA__WITHIN(0, 1) },
    { "spatial_ratio", GA_PARAMETER_REAL, "0", "0..1", "share of spatial tokens, from received",
      GA__WITHIN(0, 1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "first", "(B, n)", "CLS row of encoder layer 0, summed over heads", .optional = false },
    { "last", "(B, n)", "CLS row of the penultimate layer, summed over heads", .optional = false },
    { "received", "(B, n)", "mean received attention", .optional = true },
    { .name = NULL },
};

typedef struct streams {
    ga__view first, last, received;
    double local_ratio, spatial_ratio;
    ga__ranked *order;   /* n */
    double *values;      /* n */
    uint8_t *is_local;   /* n */
    uint8_t *is_summary; /* n */
} streams;

/* The floor(ratio n) largest of a row become local. */
static void take_top(const streams *s, const ga__view *from, int64_t row, double ratio)
{
    int64_t n = from->columns, count = (int64_t)floor(ratio * (double)n);
    ga__view_load_f64(from, 0, 0, row, s->values);
    ga__rank_falling(s->values, n, s->order);
    for (int64_t i = 0; i < count; i++) {
        s->is_local[s->order[i].index] = 1;
    }
}

static void take_outliers(const streams *s, int64_t row)
{
    int64_t n = s->last.columns;
    ga__view_load_f64(&s->last, 0, 0, row, s->values);
    ga__sort_rising(s->values, n);
    double low = ga__quantile(s->values, n, 0.25), high = ga__quantile(s->values, n, 0.75);
    double limit = high + 1.5 * (high - low);
    ga__view_load_f64(&s->last, 0, 0, row, s->values);
    for (int64_t j = 0; j < n; j++) {
        s->is_summary[j] = s->values[j] > limit;
    }
}

static void do_row(const streams *s, int64_t row, int64_t counts[2], const DLTensor *local,
                   const DLTensor *summary)
{
    int64_t n = s->first.columns;
    for (int64_t j = 0; j < n; j++) {
        s->is_local[j] = 0;
    }
    take_top(s, &s->first, row, s->local_ratio);
    if (s->received.data) {
        take_top(s, &s->received, row, s->spatial_ratio);
    }
    take_outliers(s, row);
    for (int64_t j = 0; j < n; j++) {
        bool only_local = s->is_local[j] && !s->is_summary[j];
        counts[0] += only_local;
        counts[1] += s->is_summary[j];
        if (local) {
            ga__u8_of(local)[row * n + j] = only_local;
        }
        if (summary) {
            ga__u8_of(summary)[row * n + j] = s->is_summary[j];
        }
    }
}

static ga_status open_rows(ga__block_run *run, streams *s)
{
    ga_status status = GA_OK;
    const bool spatial = ga__block_given(run, "received") != NULL;
    s->local_ratio = ga__block_real(run, "local_ratio");
    s->spatial_ratio = ga__block_real(run, "spatial_ratio");
    GA_TRY(ga__maps_view(run, "first", &s->first));
    GA_TRY(ga__maps_view(run, "last", &s->last));
    GA_TRY(ga__view_expect(run->context, "first", &s->first, 1, 1, -1, -1));
    GA_TRY(ga__view_expect(run->context, "last", &s->last, 1, 1, s->first.rows, s->first.columns));
    if (spatial) {
        GA_TRY(ga__maps_view(run, "received", &s->received));
        GA_TRY(
            ga__view_expect(run->context, "received", &s->received, 1, 1, s->first.rows, s->first.columns));
    } else if (s->spatial_ratio > 0) {
        GA_TRY(ga__part_refuse(&run->part, "spatial_ratio", "0 without received"));
    }
    GA_TRY(GA_NEW(run->context, s->first.columns, &s->order));
    GA_TRY(GA_NEW(run->context, s->first.columns, &s->values));
    GA_TRY(GA_NEW(run->context, s->first.columns, &s->is_local));
    GA_TRY(GA_NEW(run->context, s->first.columns, &s->is_summary));
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    streams s = { .order = NULL };
    DLTensor *local = NULL, *summary = NULL;
    int64_t counts[2] = { 0, 0 };
    GA_TRY(open_rows(run, &s));
    const int64_t shape[] = { s.first.rows, s.first.columns };
    GA_TRY(ga__maps_output(run, "local", &ga__type_u8, 2, shape, &local));
    GA_TRY(ga__maps_output(run, "summary", &ga__type_u8, 2, shape, &summary));
    for (int64_t row = 0; row < shape[0] && shape[1] > 0; row++) {
        GA_TRY(ga__check(run->context));
        do_row(&s, row, counts, local, summary);
    }
    ga__report_integer(run, "tokens", shape[0] * shape[1]);
    ga__report_integer(run, "local", counts[0]);
    ga__report_integer(run, "summary", counts[1]);
done:
    ga_free(run->context, s.order);
    ga_free(run->context, s.values);
    ga_free(run->context, s.is_local);
    ga_free(run->context, s.is_summary);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_cls_streams = {
    .name = "cls-streams",
    .summary = "local and summary image tokens from the vision encoder",
    .source = "PAINT, 2501.12206",
    .plan = "largest of a row, values above the upper fence of its quartiles",
    .outputs = "local, summary",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
