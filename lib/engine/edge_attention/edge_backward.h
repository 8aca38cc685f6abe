/* edge_backward.h - gradients for edge_body.h.
 *
 * First pass, own rows are targets: gradients of q, r, att, biases. Second pass, own rows are sources: gradients of k,
 * v, l. Weights are computed again from the scores and the record of the target; a target's sum of w m c is <grad y, y>.
 */

typedef struct backward_state {
    float *dx, *dy;
    float *part; /* (heads, 16): gradient of part by lane */
} backward_state;

static backward_state backward_state_at(const ga__edge_run *run, float *state)
{
    backward_state b = { .dx = state };
    b.dy = b.dx + ga__edge_round(run->heads * run->width);
    b.part = b.dy + ga__edge_round(run->heads * run->width_v);
    return b;
}

#include "lib/engine/edge_attention/edge_records.h"

/* ---- blocks ---- */

static void own_parameters(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    const float *record = record_of(run, row);
    for (int64_t i = 0; i < run->parameters * run->heads; i++) {
        for (int g = 0; g < GROUPS; g++) {
            vf_store(s->parameter + i * EB + g * VF, vf_set(record[i]));
        }
    }
}

static void other_parameters(const ga__edge_run *run, ga__edge_scratch *s, int n)
{
    int64_t heads = run->heads, step = run->parameters * heads;
    for (int64_t k = 0; k < run->parameters; k++) {
        spread(run->record + k * heads, s->node, heads, step, n, s->parameter + k * heads * EB);
    }
}

GA__INLINE vf parameter(const ga__edge_run *run, const ga__edge_scratch *s, int k, int64_t at)
{
    return vf_load(s->parameter + k * run->heads * EB + at);
}

/* From scores and products <grad y, v>: weight = factor of grad y in the gradient of v, product = gradient of s. */
static void block_gradients(const ga__edge_run *run, ga__edge_scratch *s, int n)
{
    for (int64_t at = 0; at < run->heads * EB; at += VF) {
        vm lanes = block_lanes(n, (int)(at % EB / VF));
        vf first = parameter(run, s, GA__EDGE_FIRST, at), second = parameter(run, s, GA__EDGE_SECOND, at);
        vf third = parameter(run, s, GA__EDGE_THIRD, at), score = vf_load(s->score + at), w, slope;
        vf product = vf_load(s->product + at), mask = has_mask(run) ? vf_load(s->slope + at) : vf_set(1);
        if (run->kind == GA_SOFTPLUS_REWEIGHT) {
            vf ratio = parameter(run, s, GA__EDGE_RE_N_OVER_SUM, at);
            vf largest = parameter(run, s, GA__EDGE_RE_LARGEST, at);
            vf y = vf_mul(vf_softplus(vf_mul(score, first)), ratio);
            vf base = vf_div(positive(vf_sub(y, parameter(run, s, GA__EDGE_RE_OFFSET, at))), largest);
            vf g = reweight_gradient(run, base, product, second, third, largest);
            w = vf_mul(vf_power(base, run->power), vf_mul(second, vf_set(run->y_factor)));
            slope = plain_slope(run->kind, score, first, w);
            product = vf_mul(vf_mul(ratio, slope), vf_sub(g, parameter(run, s, GA__EDGE_RE_MEAN, at)));
        } else {
            vf a = plain_weight(run->kind, score, first), factor = vf_set(run->y_factor);
            slope = vf_mul(second, plain_slope(run->kind, score, first, a));
            mask = vf_mul(mask, factor);
            product = vf_mul(slope, vf_sub(vf_mul(mask, product), third));
            w = vf_mul(vf_mul(a, second), mask);
        }
        vf_store(s->weight + at, vf_pick(lanes, w, vf_zero()));
        vf_store(s->product + at, vf_pick(lanes, product, vf_zero()));
    }
}

/* The same for the p-Laplacian; product becomes kappa. */
static void laplacian_gradients(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int n)
{
    float w[EB];
    edge_weights(run, s, n, w);
    vf own_t = vf_set(run->own.scale ? run->own.scale[row] : 1);
    for (int64_t at = 0; at < run->heads * EB; at += VF) {
        int g = (int)(at % EB / VF);
        vm lanes = block_lanes(n, g);
        vf mask = run->mask ? vf_load(s->slope + at) : vf_set(1), we = vf_load(w + g * VF), tau;
        vf m = p_weight(run, vf_load(s->score + at), we, &tau);
        vf t = run->swapped ? own_t : vf_load(s->scale + g * VF);
        vf scale = vf_mul(mask, t);
        vf dm = vf_fma(scale, vf_load(s->product + at), parameter(run, s, GA__EDGE_THIRD, at));
        vf kappa = vf_div(vf_mul(vf_mul(vf_set((float)(run->p - 2)), vf_mul(m, dm)), we), tau);
        kappa = vf_pick(vm_eq(m, vf_zero()), vf_zero(), kappa);
        kappa = vf_pick(vm_eq(tau, vf_zero()), vf_zero(), kappa);
        if (run->want_p) {
            float ms[VF], taus[VF];
            vf_store(ms, vf_mul(m, dm));
            vf_store(taus, tau);
            for (int e = 0; e < VF && g * VF + e < n; e++) {
                s->totals[0] += ms[e] == 0 || taus[e] == 0 ? 0 : 0.5 * ms[e] * log(taus[e]);
            }
        }
        vf_store(s->weight + at, vf_pick(lanes, vf_mul(m, scale), vf_zero()));
        vf_store(s->product + at, vf_pick(lanes, kappa, vf_zero()));
    }
}

/* Gradients of biases that are added behind the soft cap or before leaky; product is the gradient there. */
static void bias_gradients(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int n)
{
    for (int e = 0; e < n; e++) {
        double sum = 0;
        for (int64_t h = 0; h < run->heads; h++) {
            float g = s->product[h * EB + e];
            sum += g;
            if (run->dbias && run->bias_heads > 1) {
                float *to = run->dbias + s->place[e] * run->bias_heads + h;
                *to = run->add_dbias ? *to + g : g;
            }
        }
        if (run->dbias && run->bias_heads == 1) {
            float *to = run->dbias + s->place[e];
            *to = run->add_dbias ? *to + (float)sum : (float)sum;
        }
        if (run->ddense.data) {
            double before = ga__view_get(&run->ddense, 0, 0, row, s->node[e]);
            ga__view_set(&run->ddense, 0, 0, row, s->node[e], before + sum);
        }
        if (run->want_totals) {
            s->totals[1] += sum;
            s->totals[2] -= sum * line_distance(run, row, s->node[e]);
        }
    }
}

/* product *= slope of what stands between the sum and the score. */
static void inner_slope(const ga__edge_run *run, ga__edge_scratch *s)
{
    for (int64_t at = 0; at < run->heads * EB; at += VF) {
        vf raw = vf_load(s->raw + at), g = vf_load(s->product + at);
        if (run->score == GA_EDGE_ADDITIVE) {
            g = vf_mul(g, vf_pick(vm_gt(raw, vf_zero()), vf_set(1), vf_set(run->slope)));
        } else {
            g = vf_mul(g, vf_fnma(raw, raw, vf_set(1)));
        }
        vf_store(s->product + at, g);
    }
}

/* Adds to the gradient of the own row of the score. */
static void add_dx(const ga__edge_run *run, ga__edge_scratch *s, backward_state *b, int n)
{
    int64_t heads = run->heads, width = run->width;
    if (run->score == GA_EDGE_GATV2) {
        add_pairs(PAIR_GATV2, b->dx, run->want_att ? s->att : NULL, s->own_x, s->product, run->slope,
                  s->scale, s->x, heads, width, n);
        return;
    }
    if (run->score == GA_EDGE_DISTANCE) {
        add_pairs(PAIR_DISTANCE, b->dx, NULL, s->own_x, s->product, 0, s->scale, s->x, heads, width, n);
        return;
    }
    if (run->score == GA_EDGE_COSINE) {
        spread(run->other.part, s->node, heads, heads, n, s->raw);
    }
    for (int64_t at = 0; at < heads * EB; at += VF) {
        vf g = vf_mul(vf_load(s->product + at), vf_set(run->scale));
        g = run->score == GA_EDGE_COSINE ? vf_mul(g, vf_load(s->raw + at)) : g;
        vf_store(s->product + at, g);
    }
    add_block(b->dx, s->product, s->x, NULL, heads, width, n);
}

static void backward_block(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int n)
{
    backward_state b = backward_state_at(run, s->state);
    bool scores =
        run->want_x || run->want_part || run->dbias || run->ddense.data || run->want_p || run->want_totals;
    begin_block(run, s, from, n);
    block_scores(run, s, row, n);
    if (run->swapped) {
        other_parameters(run, s, n);
    }
    pair_block(PAIR_DOT, s->own_y, NULL, 0, s->scale, s->y, s->fetch_y, run->heads, run->width_v, n,
               s->product);
    if (has_mask(run)) {
        block_mask(run, s, n, s->slope);
    }
    if (run->kind == GA_P_LAPLACIAN) {
        laplacian_gradients(run, s, row, n);
    } else {
        block_gradients(run, s, n);
    }
    if (run->want_y) {
        add_block(b.dy, s->weight, s->y, NULL, run->heads, run->width_v, n);
    }
    if (!scores) {
        return;
    }
    bool behind = run->score == GA_EDGE_ADDITIVE; /* the bias is added before leaky */
    if (behind) {
        inner_slope(run, s);
    }
    if (run->dbias || run->ddense.data || run->want_totals) {
        bias_gradients(run, s, row, n);
    }
    if (!behind && run->softcap > 0) {
        inner_slope(run, s);
    }
    if (run->want_part) {
        for (int64_t at = 0; at < run->heads * EB; at += VF) {
            vf_store(b.part + at, vf_add(vf_load(b.part + at), vf_load(s->product + at)));
        }
    }
    if (run->want_x) {
        add_dx(run, s, &b, n);
    }
}

/* ---- rows ---- */

static void backward_begin(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    memset(s->state, 0, (size_t)ga__edge_state(run, true) * sizeof *s->state);
    begin_own(run, s, row);
    if (!run->swapped) {
        own_parameters(run, s, row);
    }
}

static void store_gradient(float *to, const float *from, int64_t count, bool add)
{
    for (int64_t c = 0; c < count; c += VF) {
        int n = count - c < VF ? (int)(count - c) : VF;
        vf v = vf_load_n(from + c, n);
        vf_store_n(to + c, add ? vf_add(vf_load_n(to + c, n), v) : v, n);
    }
}

/* Through what stands between the sum over edges and the row: att, t, the norm. */
static void finish_dx(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float *dx)
{
    int64_t width = run->width;
    for (int64_t h = 0; h < run->heads; h++) {
        float *d = dx + h * width;
        const float *x = s->own_x + h * width;
        if (run->score == GA_EDGE_GATV2) {
            for (int64_t c = 0; c < width; c++) {
                d[c] *= run->att[h * width + c];
            }
        } else if (run->score == GA_EDGE_DISTANCE) {
            scale_floats(d, width, run->own.scale ? -run->own.scale[row] : -1);
        } else if (run->score == GA_EDGE_COSINE) {
            float by = run->own.part[row * run->heads + h];
            float along = by * by * pair_one(PAIR_DOT, x, NULL, 0, 1, d, 0, width);
            for (int64_t c = 0; c < width; c++) {
                d[c] = by == 0 ? 0 : by * (d[c] - along * x[c]);
            }
        }
    }
}

/* The gradient of v behind the sum over edges: dropout, then what comes through l and r; dpart is the gradient of l. */
static void finish_dy(const ga__edge_run *run, const float *dpart, int64_t row, float *dy)
{
    int64_t columns = run->heads * run->width_v;
    if (run->keep_values.bits) {
        drop_row(&run->keep_values, row * columns, columns, dy, dy);
    }
    for (int64_t h = 0; h < run->heads; h++) {
        for (int64_t c = h * run->width_v; run->att_source && c < (h + 1) * run->width_v; c++) {
            dy[c] += dpart[h] * run->att_source[c];
        }
        for (int64_t c = h * run->width_v; run->att_target && c < (h + 1) * run->width_v; c++) {
            dy[c] += run->dr[row * run->heads + h] * run->att_target[c];
        }
    }
}

/* att += gradients of att_source and att_target of a source, whose v is not dropped here. */
static void add_maps(const ga__edge_run *run, ga__edge_scratch *s, const float *dpart, int64_t row)
{
    int64_t columns = run->heads * run->width_v;
    load_row(s->row, run->own.y, row * run->own.y_stride, run->own.y_type, columns, 1);
    for (int64_t c = 0; c < columns; c++) {
        int64_t h = c / run->width_v;
        s->att[c] += run->want_part ? dpart[h] * s->row[c] : 0;
        s->att[columns + c] += run->dr ? run->dr[row * run->heads + h] * s->row[c] : 0;
    }
}

/* Behind the sums over edges, which may be changed: dx (NULL: done), dy, dpart (heads). */
static void finish_rows(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float *dx, float *dy,
                        const float *dpart)
{
    if (dx && run->want_x && run->dx) {
        finish_dx(run, s, row, dx);
        store_gradient(run->dx + row * run->dx_stride, dx, run->heads * run->width, run->add_dx);
    }
    if (run->swapped && run->want_att) {
        add_maps(run, s, dpart, row);
    }
    if (run->want_y) {
        finish_dy(run, dpart, row, dy);
        store_gradient(run->dy + row * run->dy_stride, dy, run->heads * run->width_v, run->add_dy);
    }
    if (run->want_part && run->dpart) {
        memcpy(run->dpart + row * run->heads, dpart, (size_t)run->heads * sizeof *dpart);
    }
}

static void backward_finish(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    backward_state b = backward_state_at(run, s->state);
    for (int64_t h = 0; h < run->heads; h++) {
        b.part[h] = lanes_sum(b.part + h * EB); /* behind the lanes of the heads before it */
    }
    finish_rows(run, s, row, b.dx, b.dy, b.part);
}

/* A row without edges: zeros, and what comes through r. */
static void backward_empty(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    memset(s->state, 0, (size_t)ga__edge_state(run, true) * sizeof *s->state);
    begin_own(run, s, row);
    if (run->want_x && run->dx && !run->add_dx) {
        store_gradient(run->dx + row * run->dx_stride, s->state, run->heads * run->width, false);
    }
    backward_state b = backward_state_at(run, s->state);
    finish_rows(run, s, row, NULL, b.dy, b.part);
}

static void backward_blocks(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                            int64_t hub)
{
    for (int64_t row = first; row < last; row++) {
        int64_t from = run->offsets[row], to = run->offsets[row + 1];
        if (to - from > hub) {
            continue;
        }
        if (from == to) {
            backward_empty(run, s, row);
            continue;
        }
        backward_begin(run, s, row);
        for (int64_t e = from; e < to; e += EB) {
            backward_block(run, s, row, e, (int)ga__min(EB, to - e));
        }
        backward_finish(run, s, row);
    }
}

static void backward_part_blocks(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from,
                                 int64_t to, float *state)
{
    backward_begin(run, s, row);
    for (int64_t e = from; e < to; e += EB) {
        backward_block(run, s, row, e, (int)ga__min(EB, to - e));
    }
    memcpy(state, s->state, (size_t)ga__edge_state(run, true) * sizeof *state);
}
