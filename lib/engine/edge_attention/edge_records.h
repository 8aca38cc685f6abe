/* edge_records.h - what a target's row leaves for its gradients, for edge_backward.h. */

static float *record_of(const ga__edge_run *run, int64_t row)
{
    return run->record + row * run->parameters * run->heads;
}

/* Sums over the edges of a row that inline and softplus-reweight need; one head. */
static void record_inline(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float *record)
{
    vf sum = vf_zero(), product = vf_zero();
    int64_t from = run->offsets[row], end = run->offsets[row + 1], count = end - from;
    for (int64_t e = from; e < end; e += EB) {
        int n = (int)ga__min(EB, end - e);
        begin_block(run, s, e, n);
        block_scores(run, s, row, n);
        pair_block(PAIR_DOT, s->own_y, NULL, 0, s->scale, s->y, s->fetch_y, 1, run->width_v, n, s->product);
        for (int g = 0; g < GROUPS; g++) {
            vm lanes = block_lanes(n, g);
            sum = vf_add(sum, vf_pick(lanes, vf_load(s->score + g * VF), vf_zero()));
            product = vf_add(product, vf_pick(lanes, vf_load(s->product + g * VF), vf_zero()));
        }
    }
    record[GA__EDGE_FIRST] = count ? (1 - vf_sum(sum)) / (float)count : 0;
    record[GA__EDGE_SECOND] = 1;
    record[GA__EDGE_THIRD] = count ? run->y_factor * vf_sum(product) / (float)count : 0;
}

static float record_first(const ga__edge_run *run, int64_t row, int64_t h)
{
    if (run->kind == GA_SOFTMAX) {
        float lse = run->lse[row * run->lse_stride + h];
        return lse == -INFINITY ? 0 : -lse;
    }
    return run->row_first ? run->row_first[row] : 0;
}

/* relu-l1, softplus, and softmax without y: the sum of weights and the mean of m c over them, in double precision, where
 * products are exact: with a single positive weight the mean is its m c, and its gradient 0. */
static void record_sums(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float *record)
{
    int64_t end = run->offsets[row + 1], heads = run->heads;
    double *sums = s->sums;
    memset(sums, 0, (size_t)(2 * heads) * sizeof *sums);
    for (int64_t e = run->offsets[row]; e < end; e += EB) {
        int n = (int)ga__min(EB, end - e);
        begin_block(run, s, e, n);
        block_scores(run, s, row, n);
        pair_block(PAIR_DOT, s->own_y, NULL, 0, s->scale, s->y, s->fetch_y, heads, run->width_v, n,
                   s->product);
        if (has_mask(run)) {
            block_mask(run, s, n, s->slope);
        }
        for (int64_t at = 0; at < heads * EB; at += VF) {
            vf a = plain_weight(run->kind, vf_load(s->score + at), vf_set(record_first(run, row, at / EB))),
               c = vf_load(s->product + at);
            vf mask = vf_mul(has_mask(run) ? vf_load(s->slope + at) : vf_set(1), vf_set(run->y_factor));
            vf_store(s->weight + at, a);
            vf_store(s->product + at, vf_mul(mask, c));
        }
        for (int64_t h = 0; h < heads; h++) {
            for (int k = 0; k < n; k++) {
                double a = s->weight[h * EB + k];
                sums[2 * h] += a;
                sums[2 * h + 1] += a * s->product[h * EB + k];
            }
        }
    }
    for (int64_t h = 0; h < heads; h++) {
        double sum = sums[2 * h];
        bool none = sum == 0 || (run->kind == GA_RELU_L1 && sum <= run->eps),
             softmax = run->kind == GA_SOFTMAX;
        record[GA__EDGE_FIRST * heads + h] = record_first(run, row, h);
        record[GA__EDGE_SECOND * heads + h] = softmax ? 1 : row_factor(run, row, (float)sum);
        record[GA__EDGE_THIRD * heads + h] =
            none ? 0 : (float)(softmax ? sums[2 * h + 1] : sums[2 * h + 1] / sum);
    }
}

/* Gradient of y / largest, before the mean is taken off: (f c - third) second power base^(power - 1) / largest. */
GA__INLINE vf reweight_gradient(const ga__edge_run *run, vf base, vf product, vf second, vf third, vf largest)
{
    vf g = vf_mul(vf_sub(vf_mul(product, vf_set(run->y_factor)), third), second);
    g = vf_div(vf_mul(g, vf_mul(vf_set((float)run->power), vf_power(base, run->power - 1))), largest);
    return vf_pick(vm_gt(base, vf_zero()), g, vf_zero());
}

static void record_reweight(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float third,
                            float *record)
{
    reweight r = reweight_of(run, s, row);
    vf sum = vf_zero(), mean = vf_zero();
    float divisor = 0;
    for (int pass = 0; pass < 2 && !r.flat; pass++) {
        for (int64_t e = run->offsets[row], end = run->offsets[row + 1]; e < end; e += EB) {
            int n = (int)ga__min(EB, end - e);
            begin_block(run, s, e, n);
            block_scores(run, s, row, n);
            if (pass == 1) {
                pair_block(PAIR_DOT, s->own_y, NULL, 0, s->scale, s->y, s->fetch_y, 1, run->width_v, n,
                           s->product);
            }
            for (int g = 0; g < GROUPS; g++) {
                vm lanes = block_lanes(n, g);
                vf score = vf_load(s->score + g * VF), base, w = reweighted(run, &r, score, &base);
                if (pass == 0) {
                    sum = vf_add(sum, vf_pick(lanes, w, vf_zero()));
                    continue;
                }
                vf z = reweight_gradient(run, base, vf_load(s->product + g * VF), vf_set(divisor),
                                         vf_set(third), vf_set(r.largest));
                z = vf_mul(z, vf_softplus(vf_mul(score, vf_set(r.factor))));
                mean = vf_add(mean, vf_pick(lanes, z, vf_zero()));
            }
        }
        divisor = pass == 0 ? row_factor(run, row, vf_sum(sum)) : divisor;
    }
    int64_t count = run->offsets[row + 1] - run->offsets[row];
    record[GA__EDGE_FIRST] = r.factor;
    record[GA__EDGE_SECOND] = divisor;
    record[GA__EDGE_THIRD] = third;
    record[GA__EDGE_RE_N_OVER_SUM] = r.flat ? 0 : r.n_over_sum;
    record[GA__EDGE_RE_OFFSET] = r.offset;
    record[GA__EDGE_RE_LARGEST] = r.flat ? 1 : r.largest;
    record[GA__EDGE_RE_MEAN] = count ? vf_sum(mean) * record[GA__EDGE_RE_N_OVER_SUM] / (float)count : 0;
}

static void record_row(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    float *record = record_of(run, row);
    int64_t heads = run->heads;
    begin_own(run, s, row);
    if (run->y) {
        load_row(s->row, run->y, row * run->y_out_stride, run->y_out_type, heads * run->width_v, 1);
    }
    for (int64_t h = 0; h < heads; h++) {
        float first = record_first(run, row, h), second = 1, third = 0;
        float sum = run->sums ? run->sums[row * run->lse_stride + h] : 0;
        if (run->y) {
            int64_t at = h * run->width_v;
            third = pair_one(PAIR_DOT, s->own_y, NULL, 0, 1, s->row, at, run->width_v);
        }
        switch (run->kind) {
        case GA_SOFTMAX:
            if (!run->y && !run->no_third) {
                record_sums(run, s, row, record);
                return;
            }
            break;
        case GA_SOFTPLUS:
        case GA_RELU_L1: record_sums(run, s, row, record); return;
        case GA_NORM_ATTENTION:
            second = row_factor(run, row, 0);
            third = 0;
            break;
        case GA_P_LAPLACIAN: third = sum; break; /* here the gradient of the row's sum */
        case GA_SOFTPLUS_REWEIGHT: record_reweight(run, s, row, third, record); return;
        case GA_INLINE: record_inline(run, s, row, record); return;
        case GA_SIGMOID:
        case GA_IDENTITY: third = 0; break;
        }
        record[GA__EDGE_FIRST * heads + h] = first;
        record[GA__EDGE_SECOND * heads + h] = second;
        record[GA__EDGE_THIRD * heads + h] = third;
    }
}

static void records(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last)
{
    for (int64_t row = first; row < last; row++) {
        record_row(run, s, row);
    }
}
