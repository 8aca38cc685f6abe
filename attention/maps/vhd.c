/* vhd.c - vision-aware head divergence (card B4): how much the output of a head changes when the image is taken away.
 *
 * vhd_i = |a_i - b_i|, norm_i = |b_i|^2. A head is an outlier when both exceed mean + standard deviation (of the
 * population) of the layer's heads; its divergence counts as 0. Heads above the median are selected; token is the sum
 * of the top_k largest. */
#include "config.h"

#include <math.h>

#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "top_k", GA_PARAMETER_INT, "2", ">= 1", "heads summed into the token score", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "with_image", "(..., H, D)", "head outputs", .optional = false },
    { "without_image", "(..., H, D)", "head outputs of the run without the image", .optional = false },
    { .name = NULL },
};

typedef struct divergence {
    ga__view with, without;
    int64_t top;
    DLTensor *vhd, *norm, *outlier, *selected, *token; /* may be NULL */
    int64_t *counts;                                   /* of a group: outliers, selected heads */
} divergence;

/* Fills vhd and norm of one group. */
static void measure(const divergence *d, int64_t group, double *vhd, double *norm, double *a, double *b)
{
    int64_t batch = group / d->with.heads, head = group % d->with.heads;
    for (int64_t i = 0; i < d->with.rows; i++) {
        double difference = 0, size = 0;
        ga__view_load_f64(&d->with, batch, head, i, a);
        ga__view_load_f64(&d->without, batch, head, i, b);
        for (int64_t c = 0; c < d->with.columns; c++) {
            difference += (a[c] - b[c]) * (a[c] - b[c]);
            size += b[c] * b[c];
        }
        vhd[i] = sqrt(difference);
        norm[i] = size;
    }
}

static void do_group(void *user, int64_t group, double *room)
{
    const divergence *d = user;
    int64_t n = d->with.rows, first = group * n;
    double *vhd = room, *norm = vhd + n, *sorted = norm + n, *a = sorted + n, *b = a + d->with.columns,
           sum = 0;
    measure(d, group, vhd, norm, a, b);
    double vhd_limit = ga__outlier_level(vhd, n), norm_limit = ga__outlier_level(norm, n);
    for (int64_t i = 0; i < n; i++) {
        bool outlier = vhd[i] > vhd_limit && norm[i] > norm_limit;
        if (d->vhd) {
            ga__set_element(d->vhd, first + i, vhd[i]);
        }
        if (d->norm) {
            ga__set_element(d->norm, first + i, norm[i]);
        }
        if (d->outlier) {
            ga__u8_of(d->outlier)[first + i] = outlier;
        }
        d->counts[2 * group] += outlier;
        vhd[i] = sorted[i] = outlier ? 0 : vhd[i];
    }
    ga__sort_rising(sorted, n);
    double median = ga__quantile(sorted, n, 0.5);
    for (int64_t i = 0; i < n; i++) {
        if (d->selected) {
            ga__u8_of(d->selected)[first + i] = vhd[i] > median;
        }
        d->counts[2 * group + 1] += vhd[i] > median;
    }
    for (int64_t k = 0; k < ga__min(d->top, n); k++) {
        sum += sorted[n - 1 - k];
    }
    if (d->token) {
        ga__set_element(d->token, group, sum);
    }
}

static ga_status open_outputs(ga__block_run *run, divergence *d)
{
    ga_status status = GA_OK;
    const DLTensor *given = ga__block_given(run, "with_image");
    int heads = given->ndim > 1 ? given->ndim - 1 : 0, groups = given->ndim > 2 ? given->ndim - 2 : 0;
    GA_TRY(ga__maps_output(run, "vhd", NULL, heads, given->shape, &d->vhd));
    GA_TRY(ga__maps_output(run, "norm", NULL, heads, given->shape, &d->norm));
    GA_TRY(ga__maps_output(run, "outlier", &ga__type_u8, heads, given->shape, &d->outlier));
    GA_TRY(ga__maps_output(run, "selected", &ga__type_u8, heads, given->shape, &d->selected));
    GA_TRY(ga__maps_output(run, "token", NULL, groups, given->shape, &d->token));
done:
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    divergence d = { .top = ga__block_integer(run, "top_k") };
    int64_t outliers = 0, selected = 0;
    GA_TRY(ga__maps_view(run, "with_image", &d.with));
    GA_TRY(ga__maps_view(run, "without_image", &d.without));
    GA_TRY(ga__view_expect(run->context, "without_image", &d.without, d.with.batch, d.with.heads, d.with.rows,
                           d.with.columns));
    if (d.with.rows == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "with_image: no head, expected 1 or more"));
    }
    int64_t groups = d.with.batch * d.with.heads;
    GA_TRY(open_outputs(run, &d));
    GA_TRY(GA_NEW_ZERO(run->context, 2 * groups, &d.counts));
    GA_TRY(ga__units(run->context, groups, 3 * d.with.rows + 2 * d.with.columns, do_group, &d));
    for (int64_t i = 0; i < groups; i++) {
        outliers += d.counts[2 * i];
        selected += d.counts[2 * i + 1];
    }
    ga__report_integer(run, "heads", groups * d.with.rows);
    ga__report_integer(run, "outliers", outliers);
    ga__report_integer(run, "selected", selected);
done:
    ga_free(run->context, d.counts);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_vhd = {
    .name = "vhd",
    .summary = "vision-aware head divergence",
    .source = "VHD, 2412.13949",
    .plan = "distance of head outputs with and without the image, outliers, median",
    .outputs = "vhd, norm, outlier, selected, token",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
