/* edge_direct_backward.h - gradients of edge_direct.h.
 *
 * With da_e = <dO_i, v_j> through the dropouts and D_i = sum a_e da_e the gradient of a score is a_e (da_e - D_i). The pass
 * over targets finds D_i on its way: what a target sums over its edges with factors s_e is
 * sum a_e da_e s_e - D_i sum a_e s_e. It leaves a record for the pass over sources: -lse, r, D.
 */

/* Records of these kernels, (targets, DIRECT_RECORDS, heads). */
enum { DIRECT_SHIFT, DIRECT_PART, DIRECT_THIRD, DIRECT_RECORDS = GA__EDGE_DIRECT_RECORDS };

/* The state of a part of a target row behind that of all rows: a second sum of dx, two sums of the gradient of att; and
 * the first three lanes of a head's part: both sums of the gradient of r, D. */
static float *direct_second(const ga__edge_run *run, float *state)
{
    return backward_state_at(run, state).part + run->heads * EB;
}

/* A target row whose parts were added up. */
static void direct_finish_target(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    backward_state b = backward_state_at(run, s->state);
    int64_t heads = run->heads, size = ga__edge_round(heads * run->width);
    float *second = direct_second(run, s->state), *record = record_of(run, row);
    for (int64_t h = 0; h < heads; h++) {
        const float *lanes = b.part + h * EB;
        record[DIRECT_SHIFT * heads + h] = record_first(run, row, h);
        record[DIRECT_PART * heads + h] = run->own.part ? run->own.part[row * heads + h] : 0;
        record[DIRECT_THIRD * heads + h] = lanes[2];
        if (run->dpart) {
            run->dpart[row * heads + h] = lanes[0] - lanes[2] * lanes[1];
        }
        for (int64_t c = h * run->width; run->want_x && c < (h + 1) * run->width; c++) {
            float d = b.dx[c] - lanes[2] * second[c];
            if (run->dx) {
                float by = run->score == GA_EDGE_GATV2 ? run->att[c] : run->scale;
                float *to = run->dx + row * run->dx_stride + c;
                *to = run->add_dx ? *to + d * by : d * by;
            }
            if (run->want_att) {
                s->att[c] += second[size + c] - lanes[2] * second[2 * size + c];
            }
        }
    }
}

#if GA__ISA != 0

typedef struct direct_target {
    vf third, first_part, second_part;
    vf dx[DIRECT_MOST], second[DIRECT_MOST], att[DIRECT_MOST], second_att[DIRECT_MOST];
} direct_target;

/* For two weights, of gatv2: dx += w leaky'(u), att += w leaky(u) with u = own + row. */
GA__INLINE void direct_add_gatv2(const direct_form form, const int H, const int P, const direct_columns *c,
                                 const ga__edge_run *run, const vf *own, const direct_group *g, vf product,
                                 vf a, direct_target *t)
{
    direct_lanes first, second, first_low, second_low;
    vf slope = vf_set(run->slope);
    direct_lanes_set(form, product, &first);
    direct_lanes_set(form, a, &second);
    direct_lanes_set(form, vf_mul(product, slope), &first_low);
    direct_lanes_set(form, vf_mul(a, slope), &second_low);
    for (int e = 0; e < VF / H && e < g->n; e++) {
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            vf u = vf_add(own[k], direct_vector(form, P, c, g->x[e], k));
            vm high = vm_gt(u, vf_zero());
            vf w = vf_pick(high, direct_lanes_of(form, H, P, &first, e, k),
                           direct_lanes_of(form, H, P, &first_low, e, k));
            t->dx[k] = vf_add(t->dx[k], w);
            t->att[k] = vf_fma(w, u, t->att[k]);
            w = vf_pick(high, direct_lanes_of(form, H, P, &second, e, k),
                        direct_lanes_of(form, H, P, &second_low, e, k));
            t->second[k] = vf_add(t->second[k], w);
            t->second_att[k] = vf_fma(w, u, t->second_att[k]);
        }
    }
}

/* Of dot: dx += w row. */
GA__INLINE void direct_add_dot(const direct_form form, const int H, const int P, const direct_columns *c,
                               const direct_group *g, vf product, vf a, direct_target *t)
{
    direct_lanes first, second;
    direct_lanes_set(form, product, &first);
    direct_lanes_set(form, a, &second);
    for (int e = 0; e < VF / H && e < g->n; e++) {
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            vf x = direct_vector(form, P, c, g->x[e], k);
            t->dx[k] = vf_fma(direct_lanes_of(form, H, P, &first, e, k), x, t->dx[k]);
            t->second[k] = vf_fma(direct_lanes_of(form, H, P, &second, e, k), x, t->second[k]);
        }
    }
}

GA__INLINE void direct_add_target(const ga_edge_score score, const direct_form form, const int H, const int P,
                                  const direct_columns *c, const ga__edge_run *run, const vf *own,
                                  const direct_group *g, vf raw, vf a, vf product, direct_target *t)
{
    t->third = vf_add(t->third, product);
    if (score == GA_EDGE_ADDITIVE) {
        vf slope = vf_pick(vm_gt(raw, vf_zero()), vf_set(1), vf_set(run->slope));
        t->first_part = vf_fma(product, slope, t->first_part);
        t->second_part = vf_fma(a, slope, t->second_part);
    } else if (score == GA_EDGE_GATV2) {
        direct_add_gatv2(form, H, P, c, run, own, g, product, a, t);
    } else {
        direct_add_dot(form, H, P, c, g, product, a, t);
    }
}

GA__INLINE void direct_leave_target(const direct_form form, const int H, const int P, const direct_columns *c,
                                    const bool pairs, const ga__edge_run *run, const direct_target *t,
                                    float *state)
{
    backward_state b = backward_state_at(run, state);
    float *second = direct_second(run, state), lanes[3][VF];
    int64_t size = ga__edge_round(H * run->width);
    vf_store(lanes[0], t->first_part);
    vf_store(lanes[1], t->second_part);
    vf_store(lanes[2], t->third);
    memset(state, 0, (size_t)ga__edge_state(run, true) * sizeof *state);
    for (int h = 0; h < H; h++) {
        for (int i = 0; i < 3; i++) {
            b.part[h * EB + i] = lanes[i][h];
        }
    }
    if (!pairs) {
        return;
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        direct_store(form, P, c, b.dx, k, t->dx[k]);
        direct_store(form, P, c, second, k, t->second[k]);
        direct_store(form, P, c, second + size, k, t->att[k]);
        direct_store(form, P, c, second + 2 * size, k, t->second_att[k]);
    }
}

GA__INLINE void direct_write_target(const ga_edge_score score, const direct_form form, const int H,
                                    const int P, const direct_columns *c, const ga__edge_run *run,
                                    ga__edge_scratch *s, int64_t row, vf first, vf own_part, direct_target *t)
{
    float *record = record_of(run, row);
    vf_store_n(record + DIRECT_SHIFT * H, first, H);
    vf_store_n(record + DIRECT_PART * H, own_part, H);
    vf_store_n(record + DIRECT_THIRD * H, t->third, H);
    if (score == GA_EDGE_ADDITIVE) {
        if (run->dpart) {
            vf_store_n(run->dpart + row * H, vf_fnma(t->third, t->second_part, t->first_part), H);
        }
        return;
    }
    direct_lanes lanes;
    direct_lanes_set(form, t->third, &lanes);
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        vf third = direct_lanes_of(form, H, P, &lanes, 0, k);
        if (run->dx) {
            float *to = run->dx + row * run->dx_stride;
            vf by = score == GA_EDGE_GATV2 ? direct_vector(form, P, c, run->att, k) : vf_set(run->scale);
            vf d = vf_mul(vf_fnma(third, t->second[k], t->dx[k]), by);
            direct_store(form, P, c, to, k, run->add_dx ? vf_add(d, direct_vector(form, P, c, to, k)) : d);
        }
        if (score == GA_EDGE_GATV2 && run->want_att) {
            vf d = vf_fnma(third, t->second_att[k], t->att[k]);
            direct_store(form, P, c, s->att, k, vf_add(d, direct_vector(form, P, c, s->att, k)));
        }
    }
}

GA__INLINE void direct_target_row(const ga_edge_score score, const direct_form form, const int H, const int P,
                                  const direct_columns *c, const ga__edge_run *run, ga__edge_scratch *s,
                                  int64_t row, int64_t from, int64_t to, float *state)
{
    const bool pairs = score != GA_EDGE_ADDITIVE;
    vf own[DIRECT_MOST], own_y[DIRECT_MOST], own_part = vf_zero(), raw = vf_zero();
    vf keep = vf_set(run->keep_weights.scale), lse = heads_same(H, run->lse + row * run->lse_stride);
    vf first = vf_pick(vm_eq(lse, vf_set(-INFINITY)), vf_zero(), vf_sub(vf_zero(), lse));
    direct_target t = { .third = vf_zero(), .first_part = vf_zero(), .second_part = vf_zero() };
    direct_load(form, H, P, c, (const float *)run->own.y + row * run->own.y_stride, own_y);
    if (pairs) {
        direct_load(form, H, P, c, (const float *)run->own.x + row * run->own.x_stride, own);
    } else {
        own_part = heads_same(H, run->own.part + row * H);
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        t.dx[k] = t.second[k] = t.att[k] = t.second_att[k] = vf_zero();
        own_y[k] = run->keep_values.bits ? vf_mul(own_y[k], vf_set(run->keep_values.scale)) : own_y[k];
    }
    for (int64_t e = from; e < to; e += VF / H) {
        direct_group g;
        if (!pairs || !run->same) {
            direct_begin(READ_Y | (pairs ? READ_X : READ_PART), H, c, run, e, to, &g);
        } else {
            direct_begin(READ_X, H, c, run, e, to, &g);
        }
        vf part = pairs ? vf_zero() : heads_of(H, g.part);
        vf score_of = direct_scores(score, form, H, P, c, run, own, own_part, part, &g, &raw);
        vf da = direct_products(true, form, H, P, c, run, own_y, &g);
        if (run->keep_weights.bits) {
            da = vf_where(direct_kept_edges(H, run, &g, e), vf_mul(da, keep));
        }
        vm there = vm_first(g.n * H);
        vf a = vf_where(there, vf_exp(vf_add(score_of, first)));
        direct_add_target(score, form, H, P, c, run, own, &g, raw, a, vf_where(there, vf_mul(a, da)), &t);
    }
    t.third = edges_sum(H, t.third);
    t.first_part = edges_sum(H, t.first_part);
    t.second_part = edges_sum(H, t.second_part);
    if (state) {
        direct_leave_target(form, H, P, c, pairs, run, &t, state);
    } else {
        direct_write_target(score, form, H, P, c, run, s, row, first, own_part, &t);
    }
}

/* ---- sources ---- */

/* What records say of a group. */
GA__INLINE void direct_records(const int H, const direct_group *g, vf *first, vf *part, vf *third)
{
    if (H == 1) { /* records of four numbers: turned */
        vf quad[4];
        for (int i = 0; i < 4; i++) {
#if GA__ISA == 512
            vf v = _mm512_castps128_ps512(_mm_loadu_ps(g->record[i]));
            v = _mm512_insertf32x4(v, _mm_loadu_ps(g->record[i + 4]), 1);
            v = _mm512_insertf32x4(v, _mm_loadu_ps(g->record[i + 8]), 2);
            quad[i] = _mm512_insertf32x4(v, _mm_loadu_ps(g->record[i + 12]), 3);
#else
            vf v = _mm256_castps128_ps256(_mm_loadu_ps(g->record[i]));
            quad[i] = _mm256_insertf128_ps(v, _mm_loadu_ps(g->record[i + 4]), 1);
#endif
        }
        vf_turn_quads(quad, first, part, third);
        return;
    }
    const float *parts[VF], *thirds[VF];
    for (int e = 0; e < VF / H; e++) {
        parts[e] = g->record[e] + DIRECT_PART * H;
        thirds[e] = g->record[e] + DIRECT_THIRD * H;
    }
    *first = heads_of(H, g->record);
    *part = heads_of(H, parts);
    *third = heads_of(H, thirds);
}

/* Through l and r to v, and the gradients of their maps; dl, dr in lane h. */
GA__INLINE void direct_maps(const direct_form form, const int H, const int P, const direct_columns *c,
                            const ga__edge_run *run, ga__edge_scratch *s, int64_t row, vf dl, vf dr, vf *dy)
{
    const float *v = (const float *)run->own.y + row * run->own.y_stride;
    direct_lanes l, r;
    direct_lanes_set(form, dl, &l);
    direct_lanes_set(form, dr, &r);
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        vf by_l = direct_lanes_of(form, H, P, &l, 0, k), by_r = direct_lanes_of(form, H, P, &r, 0, k);
        if (run->att_source) {
            dy[k] = vf_fma(by_l, direct_vector(form, P, c, run->att_source, k), dy[k]);
        }
        if (run->att_target) {
            dy[k] = vf_fma(by_r, direct_vector(form, P, c, run->att_target, k), dy[k]);
        }
        if (run->want_att) {
            float *source = s->att, *target = s->att + c->all;
            vf x = direct_vector(form, P, c, v, k);
            direct_store(form, P, c, source, k, vf_fma(by_l, x, direct_vector(form, P, c, source, k)));
            direct_store(form, P, c, target, k, vf_fma(by_r, x, direct_vector(form, P, c, target, k)));
        }
    }
}

GA__INLINE void direct_put(const direct_form form, const int P, const direct_columns *c, float *to,
                           const int k, bool add, vf v)
{
    direct_store(form, P, c, to, k, add ? vf_add(v, direct_vector(form, P, c, to, k)) : v);
}

GA__INLINE void direct_write_source(const ga_edge_score score, const direct_form form, const int H,
                                    const int P, const direct_columns *c, const ga__edge_run *run,
                                    ga__edge_scratch *s, int64_t row, vf part, vf *dx, vf *dy)
{
    if (run->keep_values.bits) {
        vm kept[DIRECT_MOST];
        direct_kept(form, H, P, c, run->keep_values.bits, row * c->all, kept);
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            dy[k] = vf_where(kept[k], vf_mul(dy[k], vf_set(run->keep_values.scale)));
        }
    }
    if (score == GA_EDGE_ADDITIVE && (run->att_source || run->att_target || run->want_att)) {
        vf dr = run->dr ? heads_same(H, run->dr + row * H) : vf_zero();
        direct_maps(form, H, P, c, run, s, row, part, dr, dy);
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        if (score != GA_EDGE_ADDITIVE && run->want_x) {
            vf by = score == GA_EDGE_GATV2 ? direct_vector(form, P, c, run->att, k) : vf_set(run->scale);
            direct_put(form, P, c, run->dx + row * run->dx_stride, k, run->add_dx, vf_mul(dx[k], by));
        }
        if (run->want_y) {
            direct_put(form, P, c, run->dy + row * run->dy_stride, k, run->add_dy, dy[k]);
        }
    }
    if (run->want_part && run->dpart) {
        vf_store_n(run->dpart + row * H, part, H);
    }
}

/* A part of a row leaves its sums to backward_finish. */
GA__INLINE void direct_leave_source(const ga_edge_score score, const direct_form form, const int H,
                                    const int P, const direct_columns *c, const ga__edge_run *run, vf part,
                                    const vf *dx, const vf *dy, float *state)
{
    backward_state b = backward_state_at(run, state);
    float lanes[VF];
    vf_store(lanes, part);
    memset(b.part, 0, (size_t)(H * EB) * sizeof *b.part);
    for (int h = 0; h < H; h++) {
        b.part[h * EB] = lanes[h];
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        if (score != GA_EDGE_ADDITIVE) { /* what else belongs to dx comes in backward_finish */
            direct_store(form, P, c, b.dx, k,
                         score == GA_EDGE_DOT ? vf_mul(dx[k], vf_set(run->scale)) : dx[k]);
        }
        direct_store(form, P, c, b.dy, k, dy[k]);
    }
}

/* dx += w leaky'(own + row). */
GA__INLINE void direct_add_source_gatv2(const direct_form form, const int H, const int P,
                                        const direct_columns *c, const ga__edge_run *run, const vf *own,
                                        const direct_group *g, vf w, vf *dx)
{
    direct_lanes high, low;
    direct_lanes_set(form, w, &high);
    direct_lanes_set(form, vf_mul(w, vf_set(run->slope)), &low);
    for (int e = 0; e < VF / H && e < g->n; e++) {
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            vf u = vf_add(own[k], direct_vector(form, P, c, g->x[e], k));
            dx[k] = vf_add(dx[k], vf_pick(vm_gt(u, vf_zero()), direct_lanes_of(form, H, P, &high, e, k),
                                          direct_lanes_of(form, H, P, &low, e, k)));
        }
    }
}

GA__INLINE void direct_source_row(const ga_edge_score score, const direct_form form, const int H, const int P,
                                  const direct_columns *c, const ga__edge_run *run, ga__edge_scratch *s,
                                  int64_t row, int64_t from, int64_t to, float *state)
{
    const bool pairs = score != GA_EDGE_ADDITIVE;
    const direct_fetch none = { NULL, 0 };
    vf own[DIRECT_MOST], own_y[DIRECT_MOST], dx[DIRECT_MOST], dy[DIRECT_MOST];
    vf own_part = vf_zero(), raw = vf_zero(), part = vf_zero(), keep = vf_set(run->keep_weights.scale);
    direct_load(form, H, P, c, (const float *)run->own.y + row * run->own.y_stride, own_y);
    if (run->keep_values.bits) {
        vm kept[DIRECT_MOST];
        direct_kept(form, H, P, c, run->keep_values.bits, row * c->all, kept);
#pragma GCC unroll 16
        for (int k = 0; k < direct_vectors(form, H, P); k++) {
            own_y[k] = vf_where(kept[k], vf_mul(own_y[k], vf_set(run->keep_values.scale)));
        }
    }
    if (pairs) {
        direct_load(form, H, P, c, (const float *)run->own.x + row * run->own.x_stride, own);
    } else {
        own_part = heads_same(H, run->own.part + row * H);
    }
#pragma GCC unroll 16
    for (int k = 0; k < direct_vectors(form, H, P); k++) {
        dx[k] = dy[k] = vf_zero();
    }
    for (int64_t e = from; e < to; e += VF / H) {
        direct_group g;
        vf first, other_part, third;
        direct_begin(READ_Y | READ_RECORD | (pairs ? READ_X : 0), H, c, run, e, to, &g);
        direct_records(H, &g, &first, &other_part, &third);
        vf score_of = direct_scores(score, form, H, P, c, run, own, own_part, other_part, &g, &raw);
        vf da = direct_products(false, form, H, P, c, run, own_y, &g);
        vm there = vm_first(g.n * H);
        vf a = vf_where(there, vf_exp(vf_add(score_of, first))), w = a;
        if (run->keep_weights.bits) {
            vm kept = direct_kept_edges(H, run, &g, e);
            da = vf_where(kept, vf_mul(da, keep));
            w = vf_where(kept, vf_mul(a, keep));
        }
        vf ds = vf_where(there, vf_mul(a, vf_sub(da, third)));
        if (run->want_y) {
            direct_add(form, H, P, c, &g, g.y, &none, w, dy);
        }
        if (score == GA_EDGE_ADDITIVE) {
            part = vf_fma(ds, vf_pick(vm_gt(raw, vf_zero()), vf_set(1), vf_set(run->slope)), part);
        } else if (score == GA_EDGE_DOT) {
            direct_add(form, H, P, c, &g, g.x, &none, ds, dx);
        } else {
            direct_add_source_gatv2(form, H, P, c, run, own, &g, ds, dx);
        }
    }
    part = edges_sum(H, part);
    if (state) {
        direct_leave_source(score, form, H, P, c, run, part, dx, dy, state);
    } else {
        direct_write_source(score, form, H, P, c, run, s, row, part, dx, dy);
    }
}

#endif
