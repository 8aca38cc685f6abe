/* saliency_local.c - each query of a coarse grid sees its cell of a finer one (attention-static section 15).
 *
 * z_j = scale <q, k_j> + alpha ln max(saliency_j, eps), by one more column of q (1) and k (the second term). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "1..3 axes, each >= 1", "query grid", GA__FROM(1),
      .required = true },
    { "key_shape", GA_PARAMETER_INT_LIST, NULL, "same number of axes", "key grid", GA__FROM(1),
      .required = true },
    { "halo", GA_PARAMETER_INT_LIST, "0", ">= 0", "extra keys on each side", GA__FROM(0) },
    { "alpha", GA_PARAMETER_REAL, "1", NULL, "weight of the saliency", GA__ANY },
    { "eps", GA_PARAMETER_REAL, "1e-6", "> 0", "floor of the saliency", GA__ABOVE(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "saliency", "(B, Nk)", "weights in [0, 1]", .optional = true },
    { .name = NULL },
};

static ga_status key_grid(const ga__job *run, const ga__part *part, int axes, int64_t shape[3])
{
    const ga__value *value = ga__part_value(part, "key_shape");
    int64_t product = 1;
    if (value->count != axes) {
        return ga__part_refuse(part, "key_shape", "as many axes as shape, %d", axes);
    }
    for (int i = 0; i < axes; i++) {
        shape[i] = value->list[i];
        if (!ga__mul(product, shape[i], &product)) {
            return ga__fail(run->context, GA_OVERFLOW, "%s: the product of key_shape does not fit",
                            part->name);
        }
    }
    if (product != run->keys) {
        return ga__fail(run->context, GA_INVALID, "%s: key_shape has %lld tokens, input has %lld", part->name,
                        (long long)product, (long long)run->keys);
    }
    return GA_OK;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], key_shape[3], halo[3];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    GA_TRY(key_grid(run, part, o.axes, key_shape));
    GA_TRY(ga__part_axes(part, "halo", o.axes, halo));
    for (int i = 0; i < o.axes; i++) {
        o.axis[i].rule = GA_AXIS_CELL;
        o.axis[i].query_length = shape[i];
        o.axis[i].key_length = key_shape[i];
        o.axis[i].left = o.axis[i].right = ga__min(halo[i], key_shape[i]);
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

static const ga__pattern_entry row = {
    .name = "saliency-local", .parameters = parameters, .can = GA_CAN_CROSS, .make = make
};

/* ---- the saliency as a column ---- */

typedef struct saliency {
    ga__view values; /* (1, 1, B, Nk) */
    double alpha, eps;
} saliency;

static void fill_one(const void *user, int64_t b, int64_t h, int64_t r, const double *x, double *more)
{
    (void)user, (void)b, (void)h, (void)r, (void)x;
    *more = 1;
}

static void fill_saliency(const void *user, int64_t b, int64_t h, int64_t r, const double *x, double *more)
{
    const saliency *s = user;
    double value = ga__view_get(&s->values, 0, 0, b, r);
    (void)h, (void)x;
    *more = s->alpha * log(value < s->eps ? s->eps : value);
}

static ga_status widen_query(ga__job *run, ga__step *step)
{
    return ga__widen(run, step, 1, fill_one, NULL);
}

static ga_status widen_key(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    saliency s = { .alpha = ga__part_value(&run->own, "alpha")->real,
                   .eps = ga__part_value(&run->own, "eps")->real };
    const DLTensor *given = run->slots[ga__slot_find(run, "saliency")].given;
    GA_TRY(ga__view_of(run->context, "saliency", given, true, &s.values));
    status = ga__widen(run, step, 1, fill_saliency, &s);
done:
    return status;
}

static ga_status narrow(ga__job *run, ga__step *step)
{
    return ga__widen_back(run, step, NULL);
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, "saliency");
    if (slot < 0) {
        goto done;
    }
    GA_TRY(ga__slot_fits(run, slot, false, 2, (const int64_t[]){ run->batch, run->keys }));
    double scale = !isnan(run->scale) ? run->scale : run->dim > 0 ? 1 / sqrt((double)run->dim) : 1;
    run->scale = 1;
    ga__step_before(run, (ga__step){ widen_query, narrow, .slot = GA__Q, .gain = scale });
    ga__step_before(run, (ga__step){ widen_key, narrow, .slot = GA__K, .gain = 1 });
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &row, .normaliser = &ga__softmax_row, .plan = plan };

const ga_variant ga__saliency_local_variant = {
    .name = "saliency-local",
    .summary = "each coarse query attends to its cell of a finer key grid",
    .source = "Vision Remember, 2506.03928 (operator ours)",
    .family = "static",
    .plan =
        "pattern: product of intervals between two grids; score: scaled dot + alpha*ln(saliency); normaliser: "
        "softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD,
    .causality = { .rows = GA_ROWS_UNKNOWN, .sets = GA_SETS_TWO },
    .ops = &ops,
};
