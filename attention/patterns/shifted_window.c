/* shifted_window.c - aligned windows of the rolled grid with region labels (attention-static section 7).
 *
 * Rolled coordinate y' = (y - s) mod L; windows of M places there; labels 0 for y' < L - M, 1 for y' < L - s, else 2.
 * Tokens of one window with equal labels on every axis see each other: on an axis these are the intervals
 * [0, s), [s, s + M), ..., [L - M + s, L). With a finite mask value all tokens of a window do, and pairs with different
 * labels get that value as a bias: explicit lists with a bias for every edge. */
#include "config.h"

#include "attention/plan.h"

enum { AXES = 3 };

static const ga_parameter parameters[] = {
    GA__SHAPE("; default: one axis"),
    { "window", GA_PARAMETER_INT_LIST, "16", "divides L", "window side M", GA__FROM(1) },
    { "shift", GA_PARAMETER_INT_LIST, "-1", "-1 = floor(M/2); 0..M-1",
      "roll; ignored on an axis with one window", GA__FROM(-1) },
    { "mask_value", GA_PARAMETER_REAL, "-inf", "<= 0",
      "score added to pairs with different labels; -inf hides them; the papers use -100",
      GA__WITHIN(-INFINITY, 0) },
    { .name = NULL },
};
static const ga_parameter pattern_parameters[] = {
    GA__SHAPE("; default: one axis"),
    { "window", GA_PARAMETER_INT_LIST, "16", "divides L", "window side M", GA__FROM(1) },
    { "shift", GA_PARAMETER_INT_LIST, "-1", "-1 = floor(M/2); 0..M-1",
      "roll; ignored on an axis with one window", GA__FROM(-1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "bias", "(H|1, 2M-1 per axis)", "cell (q-k)+M-1 in the window", .optional = true,
      .differentiable = true },
    { .name = NULL },
};

typedef struct windows {
    int axes;
    int64_t shape[AXES], side[AXES], shift[AXES];
    int64_t size; /* tokens of a window */
    double mask;  /* -INFINITY: hidden */
} windows;

static ga_status read_windows(ga__job *run, const ga__part *part, windows *w)
{
    ga_status status = GA_OK;
    const ga__value *mask = ga__part_value(part, "mask_value");
    *w = (windows){ .size = 1, .mask = mask->given ? mask->real : -INFINITY };
    GA_TRY(ga__grid_shape(run, part, run->queries, &w->axes, w->shape));
    GA_TRY(ga__part_axes(part, "window", w->axes, w->side));
    GA_TRY(ga__part_axes(part, "shift", w->axes, w->shift));
    for (int i = 0; i < w->axes; i++) {
        if (w->shape[i] % w->side[i] != 0) {
            GA_TRY(ga__part_refuse(part, "window", "a divisor of the axis: %lld does not divide %lld",
                                   (long long)w->side[i], (long long)w->shape[i]));
        }
        if (w->shift[i] >= w->side[i]) {
            GA_TRY(ga__part_refuse(part, "shift", "-1 or 0..%lld", (long long)w->side[i] - 1));
        }
        w->shift[i] = w->shape[i] == w->side[i] ? 0 : w->shift[i] < 0 ? w->side[i] / 2 : w->shift[i];
        w->size *= w->shape[i] > 0 ? w->side[i] : 0;
    }
done:
    return status;
}

/* ---- all tokens of a window ---- */

/* Place of a token: its window's first rolled coordinate, its coordinate there, its label, on each axis. */
typedef struct place {
    int64_t first[AXES], within[AXES];
    int label[AXES];
} place;

static void locate(const windows *w, int axis, int64_t y, place *p)
{
    int64_t length = w->shape[axis], rolled = (y - w->shift[axis] + length) % length;
    p->within[axis] = rolled % w->side[axis];
    p->first[axis] = rolled - p->within[axis];
    p->label[axis] = rolled < length - w->side[axis] ? 0 : rolled < length - w->shift[axis] ? 1 : 2;
}

static void locate_token(const windows *w, int64_t token, place *p)
{
    for (int i = w->axes - 1; i >= 0; i--) {
        locate(w, i, token % w->shape[i], p);
        token /= w->shape[i];
    }
}

/* The n-th token of the window that p lies in. */
static int64_t window_token(const windows *w, const place *p, int64_t n)
{
    int64_t token = 0, line = 1;
    for (int i = w->axes - 1; i >= 0; i--) {
        token += (p->first[i] + n % w->side[i] + w->shift[i]) % w->shape[i] * line;
        n /= w->side[i];
        line *= w->shape[i];
    }
    return token;
}

static ga_status make_lists(ga__job *run, const windows *w)
{
    ga_status status = GA_OK;
    int64_t *offsets = NULL, *keys = NULL, count = 0;
    place p;
    GA_TRY(ga__mul(run->queries, w->size, &count) ? GA_OK : GA_OVERFLOW);
    GA_TRY(GA_NEW_ZERO(run->context, run->queries + 1, &offsets));
    GA_TRY(GA_NEW(run->context, count, &keys));
    for (int64_t q = 0; q < run->queries; q++) {
        GA_TRY(q % 1024 == 0 ? ga__check(run->context) : GA_OK);
        locate_token(w, q, &p);
        for (int64_t n = 0; n < w->size; n++) {
            keys[offsets[q] + n] = window_token(w, &p, n);
        }
        offsets[q + 1] = offsets[q] + w->size;
    }
    status =
        ga_pattern_csr(run->context, run->queries, run->keys, offsets, keys, false, false, &run->pattern);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, keys);
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga_product_options o = { .axes = 1, .axis = { GA_AXIS_INIT, GA_AXIS_INIT, GA_AXIS_INIT } };
    windows w;
    GA_TRY(read_windows(run, part, &w));
    if (isfinite(w.mask)) {
        GA_TRY(make_lists(run, &w));
        goto done;
    }
    o.axes = w.axes;
    for (int i = 0; i < w.axes; i++) {
        o.axis[i].rule = GA_AXIS_BLOCK;
        o.axis[i].query_length = o.axis[i].key_length = w.shape[i];
        o.axis[i].window = w.side[i];
        o.axis[i].left = w.shift[i] > 0 ? w.side[i] - w.shift[i] : 0;
    }
    status = ga_pattern_product(run->context, &o, &run->pattern);
done:
    return status;
}

const ga__pattern_entry ga__shifted_window_row = { .name = "shifted-window",
                                                   .parameters = pattern_parameters,
                                                   .make = make };

/* ---- the table, cell (q - k) + M - 1: that of the pattern, back to front ---- */

static ga_status reverse(ga__job *run, int axes, const DLTensor *from, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    ga__view in, to;
    int64_t size[4];
    GA_TRY(ga__tensor_new(run, from->ndim, from->shape, &made));
    GA_TRY(ga__view_of(run->context, "bias", from, true, &in));
    GA_TRY(ga__view_of(run->context, "bias", made, true, &to));
    size[0] = in.batch, size[1] = in.heads, size[2] = in.rows, size[3] = in.columns;
    for (int64_t n = 0; n < size[0] * size[1] * size[2] * size[3]; n++) {
        int64_t at[4], other[4], rest = n;
        for (int i = 3; i >= 0; i--) {
            at[i] = rest % size[i];
            other[i] = i > 3 - axes ? size[i] - 1 - at[i] : at[i];
            rest /= size[i];
        }
        ga__view_set(&to, other[0], other[1], other[2], other[3],
                     ga__view_get(&in, at[0], at[1], at[2], at[3]));
    }
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status reverse_forward(ga__job *run, ga__step *step)
{
    DLTensor *made = NULL;
    ga_status status = reverse(run, step->kind, run->slots[step->slot].tensor, &made);
    if (status == GA_OK) {
        ga__step_replace(run, step, made);
    }
    return status;
}

static ga_status reverse_backward(ga__job *run, ga__step *step)
{
    ga__slot *slot = &run->slots[step->slot];
    DLTensor *made = NULL;
    ga_status status = reverse(run, step->kind, slot->grad, &made);
    if (status == GA_OK) {
        ga_tensor_destroy(run->context, slot->grad);
        slot->grad = made;
    }
    return status;
}

/* ---- the bias of the edges, in the order of make_lists ---- */

/* Coordinates of the cell of a pair on the axes; true when the labels differ on one of them. */
static bool pair_cell(const windows *w, const place *q, const place *k, int64_t cell[AXES])
{
    bool differ = false;
    for (int i = 0; i < w->axes; i++) {
        cell[i] = q->within[i] - k->within[i] + w->side[i] - 1;
        differ = differ || q->label[i] != k->label[i];
    }
    return differ;
}

/* Adds the bias of every edge of one head to edges, or the gradients of the edges to those of the cells, a view with the
 * cells on its last axes; cells NULL: there is no table. */
static void walk_edges(const windows *w, int64_t queries, const ga__view *cells, int64_t head, double *edges,
                       bool back)
{
    place q, k;
    int64_t cell[AXES] = { 0 }, e = 0;
    for (int64_t i = 0; i < queries; i++) {
        locate_token(w, i, &q);
        for (int64_t n = 0; n < w->size; n++, e++) {
            locate_token(w, window_token(w, &q, n), &k);
            bool differ = pair_cell(w, &q, &k, cell);
            int64_t at[4] = { 0, 0, 0, 0 };
            for (int a = 0; a < w->axes; a++) {
                at[4 - w->axes + a] = cell[a];
            }
            at[3 - w->axes] = head;
            if (back) {
                double sum = ga__view_get(cells, at[0], at[1], at[2], at[3]) + edges[e];
                ga__view_set(cells, at[0], at[1], at[2], at[3], sum);
            } else {
                edges[e] =
                    (cells ? ga__view_get(cells, at[0], at[1], at[2], at[3]) : 0) + (differ ? w->mask : 0);
            }
        }
    }
}

/* The edges' bias (heads, E) of a table, or without one (1, E). Returns owned. */
static ga_status make_edges(ga__job *run, const windows *w, const DLTensor *table, DLTensor **out)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    ga__view cells = { 0 }, to;
    double *edges = NULL;
    int64_t shape[] = { 1, run->queries * w->size };
    if (table) {
        shape[0] = table->ndim > w->axes ? table->shape[table->ndim - w->axes - 1] : 1;
        GA_TRY(ga__view_of(run->context, "bias", table, true, &cells));
    }
    GA_TRY(ga__tensor_new(run, 2, shape, &made));
    GA_TRY(ga__view_of(run->context, "bias", made, true, &to));
    GA_TRY(GA_NEW(run->context, shape[1], &edges));
    for (int64_t h = 0; h < shape[0]; h++) {
        walk_edges(w, run->queries, table ? &cells : NULL, h, edges, false);
        ga__view_store_f64(&to, 0, 0, h, edges);
    }
    *out = made;
    made = NULL;
done:
    ga_free(run->context, edges);
    ga_tensor_destroy(run->context, made);
    return status;
}

static ga_status edges_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    windows w;
    GA_TRY(read_windows(run, &run->own, &w));
    GA_TRY(make_edges(run, &w, run->slots[step->slot].tensor, &made));
    ga__step_replace(run, step, made);
done:
    return status;
}

static ga_status edges_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    DLDataType f64 = { .code = kDLFloat, .bits = 64, .lanes = 1 };
    ga__slot *slot = &run->slots[step->slot];
    const DLTensor *table = step->before_view;
    DLTensor *sums = NULL, *made = NULL;
    double *edges = NULL;
    ga__view from, to;
    windows w;
    GA_TRY(read_windows(run, &run->own, &w));
    GA_TRY(ga_tensor_create(run->context, f64, table->ndim, table->shape, &sums));
    GA_TRY(ga__view_of(run->context, "bias", sums, true, &to));
    GA_TRY(ga__view_of(run->context, "bias", slot->grad, true, &from));
    GA_TRY(GA_NEW(run->context, from.columns, &edges));
    for (int64_t i = 0; i < to.batch * to.heads * to.rows * to.columns; i++) {
        ((double *)sums->data)[i] = 0;
    }
    for (int64_t h = 0; h < from.rows; h++) {
        ga__view_load_f64(&from, 0, 0, h, edges);
        walk_edges(&w, run->queries, &to, h, edges, true);
    }
    GA_TRY(ga__tensor_cast(run->context, "bias", sums, run->working, &made));
    ga_tensor_destroy(run->context, slot->grad);
    slot->grad = made;
done:
    ga_free(run->context, edges);
    ga_tensor_destroy(run->context, sums);
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    windows w;
    DLTensor *made = NULL;
    int slot = ga__slot_find(run, "bias");
    int64_t dims[4] = { run->heads };
    GA_TRY(read_windows(run, &run->own, &w));
    for (int i = 0; i < w.axes; i++) {
        dims[i + 1] = 2 * w.side[i] - 1;
    }
    if (slot >= 0) {
        GA_TRY(ga__slot_fits(run, slot, true, w.axes + 1, dims));
        run->bound[isfinite(w.mask) ? GA__EDGE_BIAS : GA__TABLE] = slot;
        ga__step step = { reverse_forward, reverse_backward, .slot = slot, .kind = w.axes };
        ga__step soft = { edges_forward, edges_backward, .slot = slot };
        ga__step_before(run, isfinite(w.mask) ? soft : step);
    } else if (isfinite(w.mask)) {
        GA_TRY(make_edges(run, &w, NULL, &made));
        status = ga__bind_made(run, GA__EDGE_BIAS, "mask", made);
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__shifted_window_row,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan };

const ga_variant ga__shifted_window_variant = {
    .name = "shifted-window",
    .summary = "aligned windows of the rolled grid with region labels",
    .source = "Swin; HAT, 2309.05239",
    .family = "static",
    .plan =
        "pattern: equal windows after the roll, split by labels; score: scaled dot + table (+ mask_value); "
        "normaliser: softmax",
    .outputs = "o, lse, map",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_GROUP | GA_CAN_BACKWARD | GA_TAKES_NORMALISER | GA_IS_PATTERN,
    .ops = &ops,
};
