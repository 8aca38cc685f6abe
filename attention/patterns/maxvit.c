/* maxvit.c - attention inside aligned windows, and over tokens spread evenly (attention-static section 6).
 *
 * Block: tokens with equal floor(y / P) on every axis. Grid: tokens with equal y mod (L / G). */
#include "config.h"

#include "attention/plan.h"

enum { BORDER_NONE, BORDER_CLIP, BORDER_GHOST, BORDER_BIAS };
static const char *const borders[] = { "none", "clip", "ghost", "bias", NULL };
static const char *const pattern_borders[] = { "none", "clip", NULL };

#define WINDOW \
    { \
        "window", GA_PARAMETER_INT_LIST, "7", ">= 1", "window side P", GA__FROM(1) \
    }
static const ga_parameter block_parameters[] = {
    GA__SHAPE("; default: one axis"),
    WINDOW,
    { "border", GA_PARAMETER_WORD, "none", "none: P must divide L", "what fills an incomplete window",
      borders, GA__ANY },
    { .name = NULL },
};
static const ga_parameter block_pattern_parameters[] = {
    GA__SHAPE("; default: one axis"),
    WINDOW,
    { "border", GA_PARAMETER_WORD, "none", "none: P must divide L", "what fills an incomplete window",
      pattern_borders, GA__ANY },
    { .name = NULL },
};
static const ga_parameter grid_parameters[] = {
    GA__SHAPE("; default: one axis"),
    { "grid", GA_PARAMETER_INT_LIST, "7", "divides L", "tokens per axis in a group", GA__FROM(1) },
    { .name = NULL },
};

static const ga_tensor_slot block_tensors[] = {
    { "bias", "(H|1, 2P-1 per axis)", "cell (k-q)+P-1 in the window", .optional = true,
      .differentiable = true },
    { "ghost_k", "(H, D)", "key of a padded token; with border=bias", .optional = true,
      .differentiable = true },
    { "ghost_v", "(H, Dv)", "its value; with border=bias", .optional = true, .differentiable = true },
    { .name = NULL },
};
static const ga_tensor_slot grid_tensors[] = {
    { "bias", "(H|1, 2G-1 per axis)", "cell (k-q)+G-1 in the group", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

/* divides: the side must divide the axis. */
static ga_status make_product(ga__job *run, const ga__part *part, const char *side, bool divides,
                              ga_axis_rule rule, ga_border border)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], window[3];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    GA_TRY(ga__part_axes(part, side, o.axes, window));
    for (int i = 0; i < o.axes; i++) {
        if (divides && shape[i] % window[i] != 0) {
            GA_TRY(ga__part_refuse(part, side, "a divisor of the axis: %lld does not divide %lld",
                                   (long long)window[i], (long long)shape[i]));
        }
        o.axis[i].rule = rule;
        o.axis[i].query_length = o.axis[i].key_length = shape[i];
        o.axis[i].window = window[i];
        o.axis[i].border = border;
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

static ga_status make_block(ga__job *run, const ga__part *part)
{
    static const ga_border kinds[] = { GA_BORDER_CLIP, GA_BORDER_CLIP, GA_BORDER_GHOST, GA_BORDER_BIAS };
    int64_t border = ga__part_value(part, "border")->integer;
    return make_product(run, part, "window", border == BORDER_NONE, GA_AXIS_BLOCK, kinds[border]);
}

static ga_status make_grid(ga__job *run, const ga__part *part)
{
    return make_product(run, part, "grid", true, GA_AXIS_GRID, GA_BORDER_CLIP);
}

static ga_status plan_block(ga__job *run)
{
    ga_status status = GA_OK;
    const int64_t k[] = { run->heads, run->dim }, v[] = { run->heads, run->dim_v };
    bool own = ga__part_value(&run->own, "border")->integer == BORDER_BIAS;
    static const char *const names[] = { "ghost_k", "ghost_v" };
    for (int i = 0; i < 2; i++) {
        bool given = ga__slot_find(run, names[i]) >= 0;
        if (own && !given) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "maxvit-block: border=bias needs %s", names[i]));
        }
        if (!own && given) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "maxvit-block: %s needs border=bias", names[i]));
        }
    }
    GA_TRY(ga__bind(run, GA__GHOST_K, "ghost_k", false, 2, k));
    GA_TRY(ga__bind(run, GA__GHOST_V, "ghost_v", false, 2, v));
    status = ga__bind_pattern_table(run);
done:
    return status;
}

const ga__pattern_entry ga__maxvit_block_row = { .name = "maxvit-block",
                                                 .parameters = block_pattern_parameters,
                                                 .make = make_block };
const ga__pattern_entry ga__maxvit_grid_row = { .name = "maxvit-grid",
                                                .parameters = grid_parameters,
                                                .make = make_grid };

static const ga__variant_ops block_ops = { .pattern = &ga__maxvit_block_row,
                                           .normaliser = &ga__softmax_row,
                                           .plan = plan_block };
static const ga__variant_ops grid_ops = { .pattern = &ga__maxvit_grid_row,
                                          .normaliser = &ga__softmax_row,
                                          .plan = ga__bind_pattern_table };

const ga_variant ga__maxvit_block_variant = {
    .name = "maxvit-block",
    .summary = "attention inside aligned windows",
    .source = "MaxViT, 2204.01697; with border=bias the local half of L2ViT, 2501.16182",
    .family = "static",
    .plan = "pattern: equal floor(y/P); score: scaled dot + table; normaliser: softmax, with ghosts for "
            "border=ghost and bias",
    .outputs = "o, lse, map",
    .parameters = block_parameters,
    .tensors = block_tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &block_ops,
};

const ga_variant ga__maxvit_grid_variant = {
    .name = "maxvit-grid",
    .summary = "attention over G tokens per axis spread evenly over the grid",
    .source = "MaxViT, 2204.01697",
    .family = "static",
    .plan = "pattern: equal y mod (L/G); score: scaled dot + table; normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = grid_parameters,
    .tensors = grid_tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &grid_ops,
};
