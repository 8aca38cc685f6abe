/* edge_forward.h - the forward pass of edge_body.h. */

typedef struct forward_state {
    float *acc;    /* (heads, width_v): sum of weighted values */
    float *values; /* sum of values: inline */
    float *most;   /* (heads): largest score, softplus-reweight: largest weight */
    float *sum;    /* (heads, 16): sums of weights by lane */
} forward_state;

static forward_state forward_state_at(const ga__edge_run *run, float *state)
{
    int64_t acc = ga__edge_round(run->heads * run->width_v);
    forward_state f = { .acc = state, .values = state + acc };
    f.most = f.values + (run->kind == GA_INLINE ? acc : 0);
    f.sum = f.most + ga__edge_round(run->heads);
    return f;
}

static void begin_own(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    const ga__edge_side *own = &run->own;
    float t = own->scale && run->score == GA_EDGE_DISTANCE ? own->scale[row] : 1;
    if (own->x && own->x_type == GA__F32 && t == 1) {
        s->own_x = (const float *)own->x + row * own->x_stride;
    } else if (own->x) {
        load_row(s->room_x, own->x, row * own->x_stride, own->x_type, run->heads * run->width, t);
        s->own_x = s->room_x;
    }
    if (own->y && own->y_type == GA__F32) {
        s->own_y = (const float *)own->y + row * own->y_stride;
    } else if (own->y) {
        load_row(s->room_y, own->y, row * own->y_stride, own->y_type, run->heads * run->width_v, 1);
        s->own_y = s->room_y;
    }
    if (own->y && run->swapped && run->keep_values.bits) {
        int64_t columns = run->heads * run->width_v;
        drop_row(&run->keep_values, row * columns, columns, s->own_y, s->room_y);
        s->own_y = s->room_y;
    }
}

static void forward_begin(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    forward_state f = forward_state_at(run, s->state);
    memset(s->state, 0, (size_t)((f.sum - s->state) + run->heads * EB) * sizeof *s->state);
    for (int64_t h = 0; h < run->heads; h++) {
        f.most[h] = run->kind == GA_SOFTMAX ? -INFINITY : 0;
    }
    begin_own(run, s, row);
}

static void scale_floats(float *p, int64_t count, float factor)
{
    vf f = vf_set(factor);
    int64_t c = 0;
    for (; c + VF <= count; c += VF) {
        vf_store(p + c, vf_mul(vf_load(p + c), f));
    }
    if (c < count) {
        int n = (int)(count - c);
        vf_store_n(p + c, vf_mul(vf_load_n(p + c, n), f), n);
    }
}

GA__INLINE float exp_one(float x)
{
    float lanes[VF];
    vf_store(lanes, vf_exp(vf_set(x)));
    return lanes[0];
}

static void softmax_weights(const ga__edge_run *run, const ga__edge_scratch *s, forward_state *f, int n)
{
    for (int64_t h = 0; h < run->heads; h++) {
        vf score[GROUPS], largest = vf_set(f->most[h]);
        for (int g = 0; g < GROUPS; g++) {
            score[g] = vf_pick(block_lanes(n, g), vf_load(s->score + h * EB + g * VF), vf_set(-INFINITY));
            largest = vf_max(score[g], largest); /* what is not a number does not become the maximum */
        }
        float most = vf_most(largest), before = f->most[h];
        if (most > before) {
            if (before > -INFINITY) {
                float factor = exp_one(before - most);
                scale_floats(f->sum + h * EB, EB, factor);
                scale_floats(f->acc + h * run->width_v, run->width_v, factor);
            }
            f->most[h] = most;
        }
        vf shift = vf_set(most == -INFINITY ? 0 : -most);
        for (int g = 0; g < GROUPS; g++) {
            float *sum = f->sum + h * EB + g * VF;
            vf a = vf_exp(vf_add(score[g], shift));
            vf_store(sum, vf_add(vf_load(sum), a));
            vf_store(s->weight + h * EB + g * VF, a);
        }
    }
}

/* Weights before division of the other normalisers, and their sums. */
static void other_weights(const ga__edge_run *run, const ga__edge_scratch *s, forward_state *f, int64_t row,
                          int n)
{
    vf first = vf_set(run->row_first && run->kind != GA_INLINE ? run->row_first[row] : 0);
    float w[EB];
    if (run->kind == GA_P_LAPLACIAN) {
        edge_weights(run, s, n, w);
    }
    for (int64_t h = 0; h < run->heads; h++) {
        for (int g = 0; g < GROUPS; g++) {
            int64_t at = h * EB + g * VF;
            vf score = vf_load(s->score + at), a, tau;
            if (run->kind == GA_P_LAPLACIAN) {
                a = p_weight(run, score, vf_load(w + g * VF), &tau);
            } else {
                a = plain_weight(run->kind, score, first);
            }
            a = vf_pick(block_lanes(n, g), a, vf_zero());
            vf_store(f->sum + at, vf_add(vf_load(f->sum + at), a));
            vf_store(s->weight + at, a);
        }
    }
}

/* map[place][h] = score of softmax, weight before division of the others: divided at the end of the row. */
static void keep_map(const ga__edge_run *run, const ga__edge_scratch *s, int n)
{
    const float *from = run->kind == GA_SOFTMAX ? s->score : s->weight;
    for (int e = 0; e < n; e++) {
        float *to = run->map + s->place[e] * run->heads;
        for (int64_t h = 0; h < run->heads; h++) {
            to[h] = from[h * EB + e];
        }
    }
}

/* weight *= edge scale, t of the source. */
static void scale_weights(const ga__edge_run *run, const ga__edge_scratch *s, int n)
{
    if (has_mask(run)) {
        block_mask(run, s, n, s->raw);
        for (int64_t i = 0; i < run->heads * EB; i += VF) {
            vf_store(s->weight + i, vf_mul(vf_load(s->weight + i), vf_load(s->raw + i)));
        }
    }
    if (run->other.scale && run->kind == GA_P_LAPLACIAN) {
        for (int64_t i = 0; i < run->heads * EB; i += VF) {
            vf_store(s->weight + i, vf_mul(vf_load(s->weight + i), vf_load(s->scale + i % EB)));
        }
    }
}

static void forward_block(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int n)
{
    forward_state f = forward_state_at(run, s->state);
    begin_block(run, s, from, n);
    block_scores(run, s, row, n);
    if (run->kind == GA_SOFTMAX) {
        softmax_weights(run, s, &f, n);
    } else {
        other_weights(run, s, &f, row, n);
    }
    if (run->map) {
        keep_map(run, s, n);
    }
    scale_weights(run, s, n);
    add_block(f.acc, s->weight, s->y, s->fetch_y, run->heads, run->width_v, n);
    if (run->kind == GA_INLINE) {
        for (int64_t i = 0; i < run->heads * EB; i++) {
            s->slope[i] = 1;
        }
        add_block(f.values, s->slope, s->y, NULL, run->heads, run->width_v, n);
    }
}

GA__INLINE float lanes_sum(const float *lanes)
{
    vf sum = vf_load(lanes);
    for (int g = 1; g < GROUPS; g++) {
        sum = vf_add(sum, vf_load(lanes + g * VF));
    }
    return vf_sum(sum);
}

GA__INLINE float lanes_most(const float *lanes)
{
    vf most = vf_load(lanes);
    for (int g = 1; g < GROUPS; g++) {
        most = vf_max(most, vf_load(lanes + g * VF));
    }
    return vf_most(most);
}

/* What the sum of a row divides its output by, as a factor. */
static float row_factor(const ga__edge_run *run, int64_t row, float sum)
{
    switch (run->kind) {
    case GA_SOFTMAX:
    case GA_SOFTPLUS:
    case GA_SOFTPLUS_REWEIGHT: return sum == 0 ? 0 : 1 / sum;
    case GA_RELU_L1: return sum > run->eps || sum != sum ? 1 / sum : run->eps > 0 ? (float)(1 / run->eps) : 0;
    case GA_NORM_ATTENTION: return run->row_second ? run->row_second[row] : 1;
    case GA_SIGMOID:
    case GA_IDENTITY:
    case GA_INLINE:
    case GA_P_LAPLACIAN: break;
    }
    return 1;
}

static void finish_map(const ga__edge_run *run, int64_t row, int64_t h, float lse, float factor)
{
    for (int64_t e = run->offsets[row]; e < run->offsets[row + 1]; e++) {
        int64_t at = (run->edge ? run->edge[e] : e) * run->heads + h;
        float w = run->map[at];
        w = run->kind == GA_SOFTMAX ? (lse == -INFINITY ? 0 : exp_one(w - lse)) : w * factor;
        w = run->mask ? w * run->mask[at] : w;
        const ga__edge_keep *keep = &run->keep_weights;
        run->map[at] = !keep->bits ? w : ga__kept(keep->bits, at) ? w * keep->scale : 0;
    }
}

static void write_row(const ga__edge_run *run, const ga__edge_scratch *s, int64_t row)
{
    store_row(run->y, row * run->y_out_stride, run->y_out_type, s->row, run->heads * run->width_v);
}

static void forward_finish(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    forward_state f = forward_state_at(run, s->state);
    int64_t n = run->offsets[row + 1] - run->offsets[row];
    for (int64_t h = 0; h < run->heads; h++) {
        float sum = lanes_sum(f.sum + h * EB), factor = row_factor(run, row, sum);
        float lse = run->kind != GA_SOFTMAX ? 0 : sum == 0 ? -INFINITY : f.most[h] + logf(sum);
        const float *acc = f.acc + h * run->width_v, *values = f.values + h * run->width_v;
        float *to = s->row + h * run->width_v;
        if (run->kind == GA_INLINE) {
            float shift = n ? (1 - sum) / (float)n : 0;
            for (int64_t c = 0; c < run->width_v; c++) {
                to[c] = (acc[c] + shift * values[c]) * run->y_factor;
            }
        } else if (run->y) {
            vf by = vf_set(factor * run->y_factor);
            int64_t c = 0;
            for (; c + VF <= run->width_v; c += VF) {
                vf_store(to + c, vf_mul(vf_load(acc + c), by));
            }
            if (c < run->width_v) {
                int left = (int)(run->width_v - c);
                vf_store_n(to + c, vf_mul(vf_load_n(acc + c, left), by), left);
            }
        }
        if (run->lse) {
            run->lse[row * run->lse_stride + h] = lse;
        }
        if (run->sums) {
            run->sums[row * run->lse_stride + h] = run->kind == GA_SOFTMAX ? sum * exp_one(f.most[h]) : sum;
        }
        if (run->map) {
            finish_map(run, row, h, lse, factor);
        }
    }
    if (run->y) {
        write_row(run, s, row);
    }
}

#include "lib/engine/edge_attention/edge_reweight.h"

static void forward_empty(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    memset(s->row, 0, (size_t)(run->heads * run->width_v) * sizeof *s->row);
    for (int64_t h = 0; h < run->heads; h++) {
        if (run->lse) {
            run->lse[row * run->lse_stride + h] = run->kind == GA_SOFTMAX ? -INFINITY : 0;
        }
        if (run->sums) {
            run->sums[row * run->lse_stride + h] = 0;
        }
    }
    if (run->y) {
        write_row(run, s, row);
    }
}

static void forward_blocks(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                           int64_t hub)
{
    for (int64_t row = first; row < last; row++) {
        int64_t from = run->offsets[row], to = run->offsets[row + 1];
        if (to - from > hub) {
            continue;
        }
        if (from == to) {
            forward_empty(run, s, row);
            continue;
        }
        forward_begin(run, s, row);
        if (run->kind == GA_SOFTPLUS_REWEIGHT) {
            reweight_forward(run, s, row);
            continue;
        }
        for (int64_t e = from; e < to; e += EB) {
            forward_block(run, s, row, e, (int)ga__min(EB, to - e));
        }
        forward_finish(run, s, row);
    }
}

static void forward_part_blocks(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from,
                                int64_t to, float *state)
{
    forward_begin(run, s, row);
    for (int64_t e = from; e < to; e += EB) {
        forward_block(run, s, row, e, (int)ga__min(EB, to - e));
    }
    memcpy(state, s->state, (size_t)ga__edge_state(run, false) * sizeof *state);
}

static void merge_head(const ga__edge_run *run, forward_state *into, const forward_state *part, int64_t h)
{
    float by_into = 1, by_part = 1;
    if (run->kind == GA_SOFTMAX) {
        float most = part->most[h] > into->most[h] ? part->most[h] : into->most[h];
        by_into = into->most[h] == most ? 1 : exp_one(into->most[h] - most);
        by_part = part->most[h] == most ? 1 : exp_one(part->most[h] - most);
        into->most[h] = most;
    }
    for (int k = 0; k < EB; k++) {
        float *sum = into->sum + h * EB + k;
        *sum = *sum * by_into + part->sum[h * EB + k] * by_part;
    }
    for (int64_t c = h * run->width_v; c < (h + 1) * run->width_v; c++) {
        into->acc[c] = into->acc[c] * by_into + part->acc[c] * by_part;
        if (run->kind == GA_INLINE) {
            into->values[c] += part->values[c];
        }
    }
}

static void forward_merge(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, const float *states,
                          int64_t parts, int64_t step)
{
    memcpy(s->state, states, (size_t)ga__edge_state(run, false) * sizeof *states);
    forward_state into = forward_state_at(run, s->state);
    for (int64_t k = 1; k < parts; k++) {
        forward_state part = forward_state_at(run, (float *)(uintptr_t)(states + k * step));
        for (int64_t h = 0; h < run->heads; h++) {
            merge_head(run, &into, &part, h);
        }
    }
    forward_finish(run, s, row);
}
