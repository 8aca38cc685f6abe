/* edge_reweight.h - softplus-reweight for edge_body.h: the sum of a row comes before its weights. */

/* Adds up softplus of the scores of a row; *largest is the largest of them. */
static float reweight_sum(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, float factor,
                          float *largest)
{
    vf sum = vf_zero(), most = vf_zero();
    for (int64_t e = run->offsets[row], end = run->offsets[row + 1]; e < end; e += EB) {
        int n = (int)ga__min(EB, end - e);
        begin_block(run, s, e, n);
        block_scores(run, s, row, n);
        for (int g = 0; g < GROUPS; g++) {
            vf a = vf_softplus(vf_mul(vf_load(s->score + g * VF), vf_set(factor)));
            a = vf_pick(block_lanes(n, g), a, vf_zero());
            sum = vf_add(sum, a);
            most = vf_max(a, most);
        }
    }
    *largest = vf_most(most);
    return vf_sum(sum);
}

typedef struct reweight {
    float factor, n_over_sum, offset, largest;
    bool flat;
} reweight;

static reweight reweight_of(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    int64_t n = run->offsets[row + 1] - run->offsets[row];
    reweight r = { .factor = run->row_first ? run->row_first[row] : 1 };
    float largest = 0, sum = reweight_sum(run, s, row, r.factor, &largest);
    r.n_over_sum = sum == 0 ? 0 : (float)n / sum;
    r.offset = n > run->free_rows ? (float)run->reweight_offset : 0;
    r.largest = r.n_over_sum * largest - r.offset;
    r.flat = r.largest <= run->eps || sum == 0;
    return r;
}

/* (y / largest)^power of a block's scores; *base is y / largest. */
GA__INLINE vf reweighted(const ga__edge_run *run, const reweight *r, vf score, vf *base)
{
    vf a = vf_softplus(vf_mul(score, vf_set(r->factor)));
    vf y = positive(vf_sub(vf_mul(a, vf_set(r->n_over_sum)), vf_set(r->offset)));
    *base = vf_div(y, vf_set(r->largest));
    return vf_power(*base, run->power);
}

static void reweight_forward(const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    forward_state f = forward_state_at(run, s->state);
    reweight r = reweight_of(run, s, row);
    for (int64_t e = run->offsets[row], end = run->offsets[row + 1]; e < end && !r.flat; e += EB) {
        int n = (int)ga__min(EB, end - e);
        begin_block(run, s, e, n);
        block_scores(run, s, row, n);
        for (int g = 0; g < GROUPS; g++) {
            vf base, w = reweighted(run, &r, vf_load(s->score + g * VF), &base);
            w = vf_pick(block_lanes(n, g), w, vf_zero());
            vf_store(f.sum + g * VF, vf_add(vf_load(f.sum + g * VF), w));
            vf_store(s->weight + g * VF, w);
        }
        add_block(f.acc, s->weight, s->y, s->fetch_y, run->heads, run->width_v, n);
    }
    forward_finish(run, s, row);
}
