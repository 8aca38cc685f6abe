/* overlap_window.c - query windows on larger key windows that overlap (attention-static section 7).
 *
 * Windows of M queries see M_o = M + floor(overlap M) places, (M_o - M) / 2 of them before the window. */
#include "config.h"

#include "attention/plan.h"
#include "lib/engine/pattern/planning.h"

enum { TABLE_NATURAL, TABLE_HAT };
static const char *const tables[] = { "natural", "hat", NULL };
static const char *const borders[] = { "ghost", "clip", NULL };

static const ga_parameter parameters[] = {
    GA__SHAPE("; default: one axis"),
    { "window", GA_PARAMETER_INT_LIST, "16", "divides L", "query window M", GA__FROM(1) },
    { "overlap", GA_PARAMETER_REAL, "0.5", ">= 0, M_o-M even", "M_o = M + floor(overlap*M)", GA__FROM(0) },
    { "table", GA_PARAMETER_WORD, "natural", "hat: 2-D, square",
      "order of the bias cells; hat reads released weights as stored", tables, GA__ANY },
    { "border", GA_PARAMETER_WORD, "ghost", NULL, "places outside the grid", borders, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, M+M_o-1 per axis)", "cell (k_win-q)+M-1", .optional = true, .differentiable = true },
    { .name = NULL },
};

static ga_status make_axis(const ga__part *part, int64_t length, int64_t window, ga_axis *axis)
{
    double more = floor(ga__part_value(part, "overlap")->real * (double)window);
    if (length % window != 0) {
        return ga__part_refuse(part, "window", "a divisor of the axis: %lld does not divide %lld",
                               (long long)window, (long long)length);
    }
    if (!(more <= 0x1p30) || (int64_t)more % 2 != 0) {
        return ga__part_refuse(part, "overlap", "an even number of further keys: floor(overlap*%lld) is %g",
                               (long long)window, more);
    }
    axis->rule = GA_AXIS_HALO;
    axis->query_length = axis->key_length = length;
    axis->stride = window;
    axis->left = axis->right = (int64_t)more / 2;
    axis->border = ga__part_value(part, "border")->integer ? GA_BORDER_CLIP : GA_BORDER_GHOST;
    return GA_OK;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    int64_t shape[3], window[3];
    GA_TRY(ga__grid_shape(run, part, run->queries, &o.axes, shape));
    GA_TRY(ga__part_axes(part, "window", o.axes, window));
    if (ga__part_value(part, "table")->integer == TABLE_HAT && (o.axes != 2 || window[0] != window[1])) {
        GA_TRY(ga__part_refuse(part, "table", "natural unless the grid has 2 axes with equal windows"));
    }
    for (int i = 0; i < o.axes; i++) {
        GA_TRY(make_axis(part, shape[i], window[i], &o.axis[i]));
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

static const ga__pattern_entry row = { .name = "overlap-window", .parameters = parameters, .make = make };

/* ---- the order of released tables: natural cell = (stored cell + (M_o - 2)(M + M_o)) mod cells ---- */

static ga_status reorder(ga__job *run, const DLTensor *from, int64_t shift, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    ga__view in, to;
    GA_TRY(ga__tensor_new(run, from->ndim, from->shape, &made));
    GA_TRY(ga__view_of(run->context, "bias", from, true, &in));
    GA_TRY(ga__view_of(run->context, "bias", made, true, &to));
    int64_t width = in.columns, cells = width * width;
    for (int64_t h = 0; h < in.heads; h++) {
        for (int64_t cell = 0; cell < cells; cell++) {
            int64_t at = (cell + shift) % cells;
            ga__view_set(&to, 0, h, at / width, at % width,
                         ga__view_get(&in, 0, h, cell / width, cell % width));
        }
    }
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* (M_o - 2)(M + M_o) modulo the cells, of which there are (M + M_o - 1)^2. */
static int64_t stored_shift(const ga__job *run)
{
    int64_t cells[3] = { 1 }, inner = ga__part_value(&run->own, "window")->list[0];
    (void)ga__pattern_table(run->pattern, cells);
    int64_t outer = cells[0] + 1 - inner, all = cells[0] * cells[0];
    return (((outer - 2) * (inner + outer)) % all + all) % all;
}

static ga_status hat_forward(ga__job *run, ga__step *step)
{
    DLTensor *made = NULL;
    ga_status status = reorder(run, run->slots[step->slot].tensor, stored_shift(run), &made);
    if (status == GA_OK) {
        ga__step_replace(run, step, made);
    }
    return status;
}

static ga_status hat_backward(ga__job *run, ga__step *step)
{
    ga__slot *slot = &run->slots[step->slot];
    DLTensor *made = NULL;
    int64_t width = slot->grad->shape[slot->grad->ndim - 1];
    ga_status status = reorder(run, slot->grad, width * width - stored_shift(run), &made);
    if (status == GA_OK) {
        ga_tensor_destroy(run->context, slot->grad);
        slot->grad = made;
    }
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    int slot = ga__slot_find(run, "bias");
    GA_TRY(ga__bind_pattern_table(run));
    if (slot >= 0 && ga__part_value(&run->own, "table")->integer == TABLE_HAT) {
        ga__step_before(run, (ga__step){ hat_forward, hat_backward, .slot = slot });
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &row, .normaliser = &ga__softmax_row, .plan = plan };

const ga_variant ga__overlap_window_variant = {
    .name = "overlap-window",
    .summary = "query windows on larger, overlapping key windows with zero ghosts",
    .source = "HAT overlapping cross attention, 2309.05239",
    .family = "static",
    .plan = "pattern: halo windows, b = M, h = (M_o-M)/2; score: scaled dot + table; normaliser: softmax "
            "including ghosts",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER,
    .ops = &ops,
};
