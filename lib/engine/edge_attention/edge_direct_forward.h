/* edge_direct_forward.h - the forward pass of edge_direct.h.
 *
 * The shift of a head's softmax is the largest score of the first edges, and a larger one later on only where a score is
 * more than DIRECT_SLACK above it: weights stay below e^8, and rows are seldom scaled down.
 */
#if GA__ISA != 0

#define DIRECT_SLACK 8.0f

/* Whether rows of y are written past the caches. */
static bool direct_streams(const ga__edge_run *run)
{
    return (uintptr_t)run->y % 64 == 0 && run->y_out_stride % 16 == 0 &&
           run->rows > ((int64_t)8 << 20) / (int64_t)sizeof(float) / run->y_out_stride;
}

typedef struct direct_sums {
    vf most, sum, acc[DIRECT_MOST];
} direct_sums;

/* What the scores of a group do to the shift. */
GA__INLINE void direct_shift(const direct_form form, const int H, const int P, vf scores, bool first,
                             direct_sums *t)
{
    if (!vm_any(vm_gt(scores, vf_add(t->most, vf_set(DIRECT_SLACK))))) {
        return;
    }
    vf before = t->most;
    t->most = vf_max(edges_most(H, vf_max(scores, before)), before); /* what is not a number is no maximum */
    if (!first) {
        vf by = vf_pick(vm_eq(before, t->most), vf_set(1), vf_exp(vf_sub(before, t->most)));
        t->sum = vf_mul(t->sum, by);
        direct_scale(form, H, P, by, t->acc);
    }
}

/* A part of a row leaves its sums. */
GA__INLINE void direct_leave(const direct_form form, const int H, const int P, const direct_columns *c,
                             const ga__edge_run *run, const direct_sums *t, float *state)
{
    forward_state f = forward_state_at(run, state);
    float lanes[VF];
    vf_store_n(f.most, t->most, H);
    vf_store(lanes, t->sum);
    memset(f.sum, 0, (size_t)(H * EB) * sizeof *f.sum);
    for (int h = 0; h < H; h++) {
        f.sum[h * EB] = lanes[h];
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        direct_store(form, P, c, f.acc, k, t->acc[k]);
    }
}

GA__INLINE void direct_write(const direct_form form, const int H, const int P, const direct_columns *c,
                             const ga__edge_run *run, int64_t row, direct_sums *t, bool stream)
{
    if (run->lse) {
        vf_store_n(run->lse + row * run->lse_stride, vf_add(t->most, vf_log_sum(t->sum)), H);
    }
    if (!run->y) {
        return;
    }
    float *y = (float *)run->y + row * run->y_out_stride;
    vf by = vf_pick(vm_eq(t->sum, vf_zero()), vf_zero(), vf_div(vf_set(1), t->sum));
    direct_scale(form, H, P, by, t->acc);
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        if (stream && form != DIRECT_TAIL) {
            vf_stream(y + k * VF, t->acc[k]);
        } else {
            direct_store(form, P, c, y, k, t->acc[k]);
        }
    }
}

GA__INLINE void direct_forward_row(const ga_edge_score score, const direct_form form, const int H,
                                   const int P, const direct_columns *c, const ga__edge_run *run, int64_t row,
                                   int64_t from, int64_t to, float *state, bool stream)
{
    const bool pairs = score != GA_EDGE_ADDITIVE;
    vf own[DIRECT_MOST], own_part = vf_zero(), raw;
    float keep = (run->keep_weights.bits ? run->keep_weights.scale : 1) *
                 (run->keep_values.bits ? run->keep_values.scale : 1);
    const direct_fetch f = { pairs && run->same ? NULL : run->other.y, run->other.y_stride };
    direct_sums t = { .most = vf_set(-INFINITY), .sum = vf_zero() };
    if (pairs) {
        direct_load(form, H, P, c, (const float *)run->own.x + row * run->own.x_stride, own);
    } else {
        own_part = heads_same(H, run->own.part + row * H);
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        t.acc[k] = vf_zero();
    }
    for (int64_t e = from; e < to; e += VF / H) {
        direct_group g;
        if (!pairs || !run->same) {
            direct_begin(READ_Y | (pairs ? READ_X : READ_PART), H, c, run, e, to, &g);
        } else {
            direct_begin(READ_X, H, c, run, e, to, &g);
        }
        vf part = pairs ? vf_zero() : heads_of(H, g.part);
        vf s = direct_scores(score, form, H, P, c, run, own, own_part, part, &g, &raw);
        s = vf_pick(vm_first(g.n * H), s, vf_set(-INFINITY));
        direct_shift(form, H, P, s, e == from, &t);
        vf w = vf_exp(vf_sub(s, vf_pick(vm_eq(t.most, vf_set(-INFINITY)), vf_zero(), t.most)));
        t.sum = vf_add(t.sum, w);
        if (run->keep_weights.bits) {
            w = vf_where(direct_kept_edges(H, run, &g, e), w);
        }
        if (run->keep_values.bits) {
            direct_add_kept(form, H, P, c, run->keep_values.bits, &g, &f, w, t.acc);
        } else {
            direct_add(form, H, P, c, &g, g.y, &f, w, t.acc);
        }
    }
    t.sum = edges_sum(H, t.sum);
    if (run->keep_weights.bits || run->keep_values.bits) {
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            t.acc[k] = vf_mul(t.acc[k], vf_set(keep));
        }
    }
    if (state) {
        direct_leave(form, H, P, c, run, &t, state);
    } else {
        direct_write(form, H, P, c, run, row, &t, stream);
    }
}

#endif
