/* edge_direct_distance.h - the p-Laplacian of one head: as many edges at a time as a vector has lanes, lane e for edge e.
 *
 * D_e = t_j f_j - t_i f_i, tau_e = w_e |D_e|^2 + guard, M_e = w_e tau_e^((p - 2) / 2); backward kappa_e =
 * (p - 2) M_e dM_e w_e / tau_e. The gradient of an end is its t times the sum of -kappa_e (t' f' - t f) over its edges.
 */
#if GA__ISA != 0

/* What the edges of a group bring: t of the other ends, w. */
typedef struct distance_group {
    direct_group g;
    direct_lanes t;
    vf w, tau, m;
} distance_group;

GA__INLINE void distance_begin(const direct_form form, const int P, const direct_columns *c,
                               const ga__edge_run *run, const vf *own, int64_t from, int64_t to,
                               distance_group *d)
{
    const ga__edge_side *o = &run->other;
    const bool y = !run->same;
    const direct_fetch fetch = { o->x, o->x_stride };
    vf sum[VF];
    if (y) {
        direct_begin(READ_X | READ_Y, 1, c, run, from, to, &d->g);
    } else {
        direct_begin(READ_X, 1, c, run, from, to, &d->g);
    }
    int n = d->g.n;
    direct_lanes_set(form, o->scale ? direct_numbers(o->scale, d->g.ids, n) : vf_set(1), &d->t);
    d->w = vf_set(1);
    if (run->edge_weight) {
        float lanes[VF] = { 0 };
        for (int e = 0; e < n; e++) {
            lanes[e] = run->edge_weight[run->edge ? run->edge[from + e] : from + e];
        }
        d->w = vf_load(lanes);
    }
    for (int i = 0; i < VF / 4; i++) {
        if (4 * i >= n) {
            sum[i] = vf_zero();
            continue;
        }
        vf s[4];
#pragma GCC unroll 4
        for (int e = 0; e < 4; e++) {
            vf t = vf_set(d->t.each[4 * i + e]);
            s[e] = vf_zero();
            direct_fetch_row(form, 1, P, &fetch, &d->g, 4 * i + e);
#pragma GCC unroll 16
            for (int k = 0; k < P; k++) {
                vf u = vf_sub(vf_mul(t, direct_vector(form, P, c, d->g.x[4 * i + e], k)), own[k]);
                s[e] = vf_fma(u, u, s[e]);
            }
        }
        sum[i] = vf_quad(s[0], s[1], s[2], s[3]);
    }
    d->m = vf_where(vm_first(n), p_weight(run, vf_quads(sum), d->w, &d->tau));
}

/* The own row times its t. */
GA__INLINE float distance_own(const direct_form form, const int P, const direct_columns *c,
                              const ga__edge_run *run, int64_t row, vf *own)
{
    float t = run->own.scale ? run->own.scale[row] : 1;
    direct_load(form, 1, P, c, (const float *)run->own.x + row * run->own.x_stride, own);
#pragma GCC unroll 16
    for (int k = 0; k < P; k++) {
        own[k] = vf_mul(own[k], vf_set(t));
    }
    return t;
}

GA__INLINE void distance_forward_row(const direct_form form, const int P, const direct_columns *c,
                                     const ga__edge_run *run, int64_t row, int64_t from, int64_t to,
                                     float *state)
{
    const direct_fetch fetch = { run->same ? NULL : run->other.y, run->other.y_stride };
    vf own[DIRECT_MOST], acc[DIRECT_MOST], sum = vf_zero();
    (void)distance_own(form, P, c, run, row, own);
#pragma GCC unroll 16
    for (int k = 0; k < P; k++) {
        acc[k] = vf_zero();
    }
    for (int64_t e = from; e < to; e += VF) {
        distance_group d;
        distance_begin(form, P, c, run, own, e, to, &d);
        sum = vf_add(sum, d.m);
        direct_add(form, 1, P, c, &d.g, d.g.y, &fetch, vf_mul(d.m, d.t.v), acc);
    }
    if (state) {
        direct_sums t = { .most = vf_zero(), .sum = edges_sum(1, sum) };
#pragma GCC unroll 16
        for (int k = 0; k < P; k++) {
            t.acc[k] = acc[k];
        }
        direct_leave(form, 1, P, c, run, &t, state);
        return;
    }
    if (run->sums) {
        run->sums[row * run->lse_stride] = vf_sum(sum);
    }
    if (!run->y) {
        return;
    }
#pragma GCC unroll 16
    for (int k = 0; k < P; k++) {
        direct_store(form, P, c, (float *)run->y + row * run->y_out_stride, k, acc[k]);
    }
}

/* 1/2 M dM ln tau, of the gradient of p. */
static void distance_power(const ga__edge_run *run, ga__edge_scratch *s, int n, vf m, vf dm, vf tau)
{
    float ms[VF], taus[VF];
    vf_store(ms, vf_mul(m, dm));
    vf_store(taus, tau);
    for (int e = 0; run->want_p && e < n; e++) {
        s->totals[0] += ms[e] == 0 || taus[e] == 0 ? 0 : 0.5 * ms[e] * log(taus[e]);
    }
}

/* Either pass; where own rows are sources, M t times the rows of grad y, too. */
GA__INLINE void distance_backward_row(const bool swapped, const direct_form form, const int P,
                                      const direct_columns *c, const ga__edge_run *run, ga__edge_scratch *s,
                                      int64_t row, int64_t from, int64_t to, float *state)
{
    const direct_fetch none = { NULL, 0 };
    vf own[DIRECT_MOST], own_y[DIRECT_MOST], dx[DIRECT_MOST], dy[DIRECT_MOST];
    vf own_t = vf_set(distance_own(form, P, c, run, row, own));
    vf third = vf_set(!swapped && run->sums ? run->sums[row] : 0);
    direct_load(form, 1, P, c, (const float *)run->own.y + row * run->own.y_stride, own_y);
#pragma GCC unroll 16
    for (int k = 0; k < P; k++) {
        dx[k] = dy[k] = vf_zero();
    }
    for (int64_t e = from; e < to; e += VF) {
        distance_group d;
        distance_begin(form, P, c, run, own, e, to, &d);
        vf product = direct_products(false, form, 1, P, c, run, own_y, &d.g), t = swapped ? own_t : d.t.v;
        if (swapped && run->sums) {
            third = direct_numbers(run->sums, d.g.ids, d.g.n);
        }
        vf dm = vf_where(vm_first(d.g.n), vf_fma(t, product, third));
        vf kappa = vf_div(vf_mul(vf_mul(vf_set((float)(run->p - 2)), vf_mul(d.m, dm)), d.w), d.tau);
        vm none_here = vm_eq(d.m, vf_zero());
        kappa = vf_pick(none_here, vf_zero(), vf_pick(vm_eq(d.tau, vf_zero()), vf_zero(), kappa));
        if (run->want_p) {
            distance_power(run, s, d.g.n, d.m, dm, d.tau);
        }
        direct_lanes by;
        direct_lanes_set(form, kappa, &by);
        for (int i = 0; run->want_x && i < VF && i < d.g.n; i++) {
#pragma GCC unroll 16
            for (int k = 0; k < P; k++) {
                vf x = direct_vector(form, P, c, d.g.x[i], k);
                vf u = vf_sub(vf_mul(vf_set(d.t.each[i]), x), own[k]);
                dx[k] = vf_fma(vf_set(by.each[i]), u, dx[k]);
            }
        }
        if (swapped && run->want_y) {
            direct_add(form, 1, P, c, &d.g, d.g.y, &none, vf_mul(d.m, t), dy);
        }
    }
    if (state) {
        direct_leave_source(GA_EDGE_DISTANCE, form, 1, P, c, run, vf_zero(), dx, dy, state);
        return;
    }
#pragma GCC unroll 16
    for (int k = 0; k < P; k++) {
        if (run->want_x && run->dx) {
            direct_put(form, P, c, run->dx + row * run->dx_stride, k, run->add_dx,
                       vf_mul(dx[k], vf_sub(vf_zero(), own_t)));
        }
        if (swapped && run->want_y) {
            direct_put(form, P, c, run->dy + row * run->dy_stride, k, run->add_dy, dy[k]);
        }
    }
}

#endif
