/* reverse_body.h - the backward pass in single precision.
 *
 * With Sd = diag(exp g) S_{t-1}, S_t = Sd + k u', E the gradient of S_t with all reads of it, and dn the
 * gradient of the row that a query reads
 *   reading   dq = scale S dn,  E += scale q dn'          S = S_t, or S_{t-1} when the read is exclusive
 *   additive  dk = E v,  dv = E' k,  dSd = E
 *   delta     w = beta E' k,  dv = w,  dbeta = E' k . err,  dk = E u - Sd w,  dSd = E - k w'
 *   decay     dg = rowsum(dSd . Sd) = r - k . (E u + Sd w),  r_t = rowsum(E . S_t) = dg_{t+1} + q . dq
 * so that no sweep needs a state and its gradient together: one forwards gives dq and u, one backwards
 * E u and w, and the delta rule's second one forwards, segment by segment, Sd w. r is taken anew from the
 * states kept at the start of every segment of about sqrt(N) tokens, so that no error gathers.
 * Normalised rows have dn = (dO / den, -(dO . num) / den^2) over the values and the column of ones.
 *
 * Columns never meet but in the sums dq, dk, dg, dbeta and dbonus: an item takes some of the columns and
 * gives its part of these.
 */
#include "lib/engine/scan_attention/reverse_sweep.h"

typedef struct reverse_space {
    extent size;
    int64_t dp, matrix;   /* d up to 16; elements of a state */
    int64_t first, count; /* columns of v */
    bool keeps;           /* states are kept */
    int fade;             /* how the token at hand decays */
    float *state, *grad, *kept;
    float *us, *ws;       /* err of all tokens; beta E' k of those of a segment */
    float *along;         /* q . dq by token: of dp when the decay is a vector, else of 1 */
    float *shares;        /* 1 / den and the last of dn, by query row */
    float *sums, *others; /* E u of a segment; Sd w, or what the bonus adds to dk */
    float *k, *keep, *rest, *factor, *shift, *run, *bonus, *q, *dots; /* of dp */
    float *v, *dn, *num, *dv;                                         /* of padded */
    double *dbonus;
} reverse_space;

static bool wants_decay(const ga__scan_plan *p)
{
    return p->decay_kind != GA__DECAY_NONE && p->grad_decay.data;
}

static int64_t along_width(const ga__scan_plan *p, int64_t dp)
{
    return !wants_decay(p) ? 0 : p->decay_kind == GA__DECAY_VECTOR ? dp : 1;
}

static bool carve_reverse(const ga__scan_plan *p, reverse_space *s, char *base, int64_t *bytes)
{
    int64_t dp, padded, matrix, rows, at[12], last = 0;
    int64_t columns = ga__min(p->columns, p->e) + p->normalise;
    int nv = columns <= 2 * VF ? 2 : 4;
    if (!ga__add(p->d, 15, &dp) || !ga__add(columns, nv * VF, &padded)) {
        return false;
    }
    dp = ga__max(dp & ~(int64_t)15, 16);
    padded = ga__max((padded - 1) / (nv * VF), 1) * nv * VF;
    if (!ga__mul(dp, padded, &matrix) || !ga__mul(p->queries, ga__max(p->ratio, 1), &rows)) {
        return false;
    }
    bool keeps = p->delta || wants_decay(p);
    int64_t segment = ga__min(p->segment, p->keys), segments = (p->keys + p->segment - 1) / p->segment;
    const int64_t shapes[12][2] = { { 2, matrix },
                                    { keeps ? segments : 0, matrix },
                                    { p->delta ? p->keys : 1, padded },
                                    { p->delta ? segment : 1, padded },
                                    { p->keys, along_width(p, dp) },
                                    { p->normalise ? rows : 0, 2 },
                                    { segment, dp },
                                    { p->delta || p->bonus.data ? segment : 1, dp },
                                    { 9, dp },
                                    { 4, padded },
                                    { 2, dp },
                                    { 0, 0 } };
    for (int i = 0; i < 12; i++) {
        at[i] = last;
        if (!ga__scan_carve(&last, shapes[i][0], shapes[i][1], sizeof(float))) {
            return false;
        }
    }
    *bytes = ga__max(last, 64);
    if (!s) {
        return true;
    }
    float *block[12],
        **of_d[] = { &s->k, &s->keep, &s->rest, &s->factor, &s->shift, &s->run, &s->bonus, &s->q, &s->dots };
    float **of_columns[] = { &s->v, &s->dn, &s->num, &s->dv };
    for (int i = 0; i < 12; i++) {
        block[i] = (float *)(void *)(base + at[i]);
    }
    *s = (reverse_space){ .size = { (p->d + 3) & ~(int64_t)3, padded, nv },
                          .dp = dp,
                          .matrix = matrix,
                          .keeps = keeps,
                          .state = block[0],
                          .grad = block[0] + matrix,
                          .kept = block[1],
                          .us = block[2],
                          .ws = block[3],
                          .along = block[4],
                          .shares = block[5],
                          .sums = block[6],
                          .others = block[7],
                          .dbonus = (double *)(void *)block[10] };
    for (int i = 0; i < 9; i++) {
        *of_d[i] = block[8] + i * dp;
        fill(*of_d[i], dp, 0);
    }
    for (int i = 0; i < 4; i++) {
        *of_columns[i] = block[9] + i * padded;
        fill(*of_columns[i], padded, 0);
    }
    fill(s->keep, dp, 1);
    memset(s->dbonus, 0, (size_t)dp * sizeof *s->dbonus);
    return true;
}

static bool backward_space(const ga__scan_plan *p, int64_t *bytes)
{
    return carve_reverse(p, NULL, NULL, bytes);
}

/* ---- rows in and out ---- */

static void load_columns(const reverse_space *s, const ga__view *view, int64_t b, int64_t h, int64_t row,
                         float *out)
{
    load_row(out, ga__view_row(view, b, h, row), view->type, s->first, s->count, s->size.padded, 1);
}

static void load_query(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row)
{
    load_row(s->q, ga__view_row(&p->q, b, h, row), p->q.type, 0, p->d, s->dp, (float)p->scale);
}

/* keep, rest and fade from n logarithms standing in factor; n is 1 for all channels. False for one above
 * 0. */
static bool set_decay(reverse_space *s, int64_t n)
{
    bool good = find_factors(s->factor, s->shift, n == 1 ? VF : n);
    split_rows(s->keep, s->rest, s->factor, s->shift, n);
    s->fade = FADE_ROW;
    if (n == 1) {
        s->fade = s->keep[0] == 1 ? FADE_SLOW : FADE_FAST;
        fill(s->keep, s->dp, s->keep[0]);
        fill(s->rest, s->dp, s->rest[0]);
    }
    return good;
}

/* k and exp g. False for a log decay above 0. */
static bool load_key(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    load_row(s->k, ga__view_row(&p->k, b, g, t), p->k.type, 0, p->d, s->dp, 1);
    if (p->decay_kind == GA__DECAY_VECTOR) {
        load_row(s->factor, ga__view_row(&p->decay, b, g, t), p->decay.type, 0, p->d, s->dp, 1);
        return set_decay(s, s->dp);
    }
    if (p->decay_kind == GA__DECAY_TOKEN) {
        load_row(s->factor, ga__view_row(&p->decay, b, g, t), p->decay.type, 0, 1, VF, 1);
        return set_decay(s, 1);
    }
    return true; /* one for all tokens stands there */
}

static void load_head_decay(const ga__scan_plan *p, reverse_space *s, int64_t g)
{
    s->factor[0] = (float)ga__view_get(&p->decay, 0, 0, 0, g);
    (void)set_decay(s, 1);
}

static void load_value(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    load_columns(s, &p->v, b, g, t, s->v);
    if (p->normalise) {
        s->v[p->e] = 1;
    }
}

static float *matrix_row(const reverse_space *s, float *matrix, int64_t row, int64_t column)
{
    int64_t group = s->size.nv * VF;
    return matrix + column / group * group * s->size.rows + row * group + column % group;
}

static void load_matrix(const ga__scan_plan *p, reverse_space *s, const ga__view *view, int64_t b, int64_t g,
                        float *matrix)
{
    fill(matrix, s->matrix, 0);
    for (int64_t c = 0; view->data && c < p->d; c++) {
        load_columns(s, view, b, g, c, s->dv);
        if (p->normalise) {
            s->dv[p->e] = (float)ga__view_get(view, b, g, c, p->e);
        }
        for (int64_t x = 0; x < s->size.padded; x += VF) {
            vf_store(matrix_row(s, matrix, c, x), vf_load(s->dv + x));
        }
    }
}

static void store_matrix(const ga__scan_plan *p, reverse_space *s, const ga__view *view, int64_t b, int64_t g,
                         float *matrix)
{
    for (int64_t c = 0; c < p->d; c++) {
        for (int64_t x = 0; x < s->size.padded; x += VF) {
            vf_store(s->dv + x, vf_load(matrix_row(s, matrix, c, x)));
        }
        store_row(view, ga__view_row(view, b, g, c), s->first, s->count + p->normalise, s->dv);
    }
}

/* sum of q_c bonus_c k_c over c */
static float bonus_product(const reverse_space *s)
{
    float sum = 0;
    for (int64_t c = 0; c < s->dp; c++) {
        sum += s->q[c] * s->bonus[c] * s->k[c];
    }
    return sum;
}

/* ---- forwards: dq and u ---- */

/* 1 / den and -(dO . num) / den^2, from the row num that was read. */
static void find_shares(const ga__scan_plan *p, const reverse_space *s, float *shares)
{
    float den = s->num[p->e], along = row_dot(s->dn, s->num, s->size.padded);
    bool dead = fabs((double)den) <= p->eps;
    shares[0] = dead ? 0 : 1 / den;
    shares[1] = dead ? 0 : -along / (den * den);
}

static void load_gradient(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row)
{
    load_columns(s, &p->grad_o, b, h, row, s->dn);
}

static float *share_of(const ga__scan_plan *p, const reverse_space *s, int64_t h, int64_t row)
{
    return s->shares + (row * p->ratio + h % p->ratio) * 2;
}

static void share_gradient(const ga__scan_plan *p, reverse_space *s, int64_t h, int64_t row)
{
    if (p->normalise) {
        const float *shares = share_of(p, s, h, row);
        for (int64_t x = 0; x < p->e; x++) {
            s->dn[x] = shares[0] == 0 ? 0 : s->dn[x] * shares[0];
        }
        s->dn[p->e] = shares[1];
    }
}

/* q, dn of a row whose state is at hand; dq = what reading the state gives stands in dots afterwards. */
static void prepare_read(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row)
{
    load_query(p, s, b, h, row);
    load_gradient(p, s, b, h, row);
    if (p->normalise) {
        read_sweep(&s->size, s->state, s->q, s->num);
        float bonus = p->bonus.data ? bonus_product(s) : 0;
        for (int64_t x = 0; p->bonus.data && x < s->size.padded; x++) {
            s->num[x] += bonus * s->v[x];
        }
        find_shares(p, s, share_of(p, s, h, row));
        share_gradient(p, s, h, row);
    }
    fill(s->dots, s->dp, 0);
}

static void store_query(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row)
{
    row_scale(s->dots, (float)p->scale, s->dp);
    if (p->grad_q.data) {
        store_row(&p->grad_q, ga__view_row(&p->grad_q, b, h, row), 0, p->d, s->dots);
    }
}

static void finish_read(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row,
                        int64_t t, bool bonus)
{
    int64_t width = along_width(p, s->dp);
    if (width == 1) {
        s->along[t] += row_dot(s->q, s->dots, s->dp);
    }
    for (int64_t c = 0; c < width && width > 1; c++) {
        s->along[t * width + c] += s->q[c] * s->dots[c];
    }
    float weight = bonus ? row_dot(s->v, s->dn, s->size.padded) : 0;
    for (int64_t c = 0; bonus && c < s->dp; c++) {
        s->dots[c] += weight * s->bonus[c] * s->k[c];
    }
    store_query(p, s, b, h, row);
}

/* Queries of a row that read the state as it stands; t < 0: no token's. */
static void read_still(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t row, int64_t t,
                       int64_t from)
{
    for (int64_t r = from; r < p->ratio && row >= 0 && row < p->queries; r++) {
        prepare_read(p, s, b, g * p->ratio + r, row);
        dot_sweep(&s->size, s->state, s->dn, s->dots);
        if (t >= 0) {
            finish_read(p, s, b, g * p->ratio + r, row, t, p->bonus.data != NULL);
        } else {
            store_query(p, s, b, g * p->ratio + r, row);
        }
    }
}

/* v <- u = beta err of the delta rule. */
static void scale_error(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    vf beta = vf_set((float)ga__view_get(&p->beta, 0, b, g, t));
    for (int64_t x = 0; x < s->size.padded; x += VF) {
        vf_store(s->v + x, vf_mul(beta, vf_load(s->us + t * s->size.padded + x)));
    }
}

/* err = v - Sd' k of the token at hand; u takes the place of v. */
static void find_update(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    float *error = s->us + t * s->size.padded;
    for (int64_t c = 0; c < s->dp; c += VF) {
        vf factor = vf_add(vf_load(s->keep + c), vf_load(s->rest + c));
        vf_store(s->dots + c, vf_mul(factor, vf_load(s->k + c)));
    }
    read_sweep(&s->size, s->state, s->dots, error);
    for (int64_t x = 0; x < s->size.padded; x += VF) {
        vf_store(error + x, vf_sub(vf_load(s->v + x), vf_load(error + x)));
    }
    scale_error(p, s, b, g, t);
}

static token token_of(const reverse_space *s)
{
    return (token){ s->k, s->keep, s->rest, s->v };
}

/* Reads and the update of a token; the first head's read goes with the update. */
static void read_and_update(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    int64_t row = t - ga__scan_offset(p);
    bool reads = p->causal && row >= 0 && p->ratio > 0 && (p->grad_q.data || wants_decay(p) || p->normalise);
    bool fused = reads && !p->normalise, before = p->bonus.data != NULL;
    token now = token_of(s);
    if (reads && before) {
        read_still(p, s, b, g, row, t, fused);
    }
    if (fused) {
        prepare_read(p, s, b, g * p->ratio, row);
    }
    forward_sweep(&s->size, s->state, &now, s->dn, s->dots,
                  !fused   ? DOT_NONE
                  : before ? DOT_BEFORE
                           : DOT_AFTER,
                  s->fade);
    if (fused) {
        finish_read(p, s, b, g * p->ratio, row, t, before);
    }
    if (reads && !before) {
        read_still(p, s, b, g, row, t, fused);
    }
}

static bool forward_token(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t)
{
    int64_t width = along_width(p, s->dp);
    bool good = load_key(p, s, b, g, t);
    load_value(p, s, b, g, t);
    fill(s->along + t * width, width, 0);
    if (p->delta) {
        find_update(p, s, b, g, t);
    }
    read_and_update(p, s, b, g, t);
    return good;
}

static bool go_forward(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, ga_context *context,
                       int *shared)
{
    load_matrix(p, s, &p->initial, b, g, s->state);
    for (int64_t row = 0; p->causal && row < ga__min(p->queries, -ga__scan_offset(p)); row++) {
        read_still(p, s, b, g, row, -1, 0);
    }
    for (int64_t t = 0; t < p->keys; t++) {
        if (s->keeps && t % p->segment == 0) {
            memcpy(s->kept + t / p->segment * s->matrix, s->state, (size_t)s->matrix * sizeof(float));
        }
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return false;
        }
        if (!forward_token(p, s, b, g, t)) {
            ga__note_status(shared, GA_INVALID);
            return false;
        }
    }
    for (int64_t row = 0; !p->causal && row < p->queries; row++) {
        read_still(p, s, b, g, row, -1, 0);
    }
    return true;
}

/* ---- backwards ---- */

/* E += scale q dn' of a row for the heads from .. ratio - 1, or q and dn of it only. */
static void reverse_read(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t h, int64_t row,
                         bool add)
{
    token none = { s->k, s->keep, s->rest, NULL };
    load_query(p, s, b, h, row);
    load_gradient(p, s, b, h, row);
    share_gradient(p, s, h, row);
    if (add) {
        add_sweep(&s->size, s->grad, &none, s->q, s->dn);
    }
}

static void reverse_still(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t row,
                          int64_t from)
{
    for (int64_t r = from; r < p->ratio && row >= 0 && row < p->queries; r++) {
        reverse_read(p, s, b, g * p->ratio + r, row, true);
    }
}

/* What exclusive reads of a token add to dv, to `other` (dk) and to the bonus. */
static void reverse_bonus(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t row,
                          float *other)
{
    fill(other, s->dp, 0);
    for (int64_t r = 0; r < p->ratio && row >= 0 && row < p->queries; r++) {
        reverse_read(p, s, b, g * p->ratio + r, row, true);
        float weight = row_dot(s->v, s->dn, s->size.padded), own = bonus_product(s);
        for (int64_t x = 0; x < s->size.padded; x++) {
            s->dv[x] += own * s->dn[x];
        }
        for (int64_t c = 0; c < p->d; c++) {
            other[c] += weight * s->q[c] * s->bonus[c];
            s->dbonus[c] += (double)(weight * s->q[c] * s->k[c]);
        }
    }
}

/* The delta rule's w and dbeta; dv holds E' k and becomes w. */
static void reverse_delta(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t,
                          int64_t at, const token *now)
{
    float *w = s->ws + at * s->size.padded, beta = (float)ga__view_get(&p->beta, 0, b, g, t);
    if (p->grad_beta.data) {
        float sum = row_dot(s->dv, s->us + t * s->size.padded, s->size.padded);
        ga__view_set(&p->grad_beta, 0, b, g, t, (double)sum);
    }
    row_scale(s->dv, beta, s->size.padded);
    memcpy(w, s->dv, (size_t)s->size.padded * sizeof *w);
    error_sweep(&s->size, s->grad, now, w, s->sums + at * s->dp, s->fade);
}

/* dv and what E u is; leaves the gradient of the state before the token. */
static void reverse_token(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t,
                          int64_t at)
{
    int64_t row = t - ga__scan_offset(p);
    bool reads = p->causal && !p->bonus.data && row >= 0 && p->ratio > 0;
    float *sums = s->sums + at * s->dp;
    (void)load_key(p, s, b, g, t);
    if (p->delta) {
        scale_error(p, s, b, g, t);
    } else {
        load_value(p, s, b, g, t);
    }
    token now = token_of(s);
    fill(sums, s->dp, 0);
    fill(s->dv, s->size.padded, 0);
    if (reads) {
        reverse_still(p, s, b, g, row, 1);
        reverse_read(p, s, b, g * p->ratio, row, false);
    }
    reverse_sweep(&s->size, s->grad, &now, s->q, reads ? s->dn : NULL, s->dv, p->delta ? NULL : sums,
                  s->fade);
    if (p->delta) {
        reverse_delta(p, s, b, g, t, at, &now);
    }
    if (p->bonus.data) {
        reverse_bonus(p, s, b, g, row, s->others + at * s->dp);
    }
    if (p->grad_v.data) {
        store_row(&p->grad_v, ga__view_row(&p->grad_v, b, g, t), s->first, s->count, s->dv);
    }
}

/* others = Sd w of the tokens of a segment, its first state standing in state. */
static void forward_again(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t from,
                          int64_t to)
{
    for (int64_t t = from; t < to; t++) {
        float *others = s->others + (t - from) * s->dp;
        (void)load_key(p, s, b, g, t);
        scale_error(p, s, b, g, t);
        token now = token_of(s);
        fill(others, s->dp, 0);
        forward_sweep(&s->size, s->state, &now, s->ws + (t - from) * s->size.padded, others, DOT_BEFORE,
                      s->fade);
        for (int64_t c = 0; c < s->dp; c += VF) {
            vf factor = vf_add(vf_load(s->keep + c), vf_load(s->rest + c));
            vf_store(others + c, vf_mul(factor, vf_load(others + c)));
        }
    }
}

/* run = rowsum(E . S) between tokens, in all when the decay is one number. */
static void start_run(const ga__scan_plan *p, reverse_space *s, const float *state)
{
    int64_t width = along_width(p, s->dp), group = s->size.nv * VF;
    fill(s->run, s->dp, 0);
    for (int64_t x = 0; width > 0 && x < s->size.padded; x += group) {
        for (int64_t c = 0; c < s->size.rows; c++) {
            int64_t at = (x * s->size.rows + c * group);
            s->run[width > 1 ? c : 0] += row_dot(s->grad + at, state + at, group);
        }
    }
}

/* run is dg of the token behind, and becomes that of this one. `inner` is E u + Sd w. */
static void reverse_run(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t t,
                        const float *inner)
{
    int64_t width = along_width(p, s->dp);
    const float *along = s->along + t * width;
    bool before = p->bonus.data != NULL;
    float whole = width == 1 ? row_dot(s->k, inner, s->dp) : 0;
    for (int64_t c = 0; c < width; c++) {
        bool reset = s->keep[c] + s->rest[c] == 0;
        s->run[c] += before ? 0 : along[c];
        s->run[c] = reset ? 0 : s->run[c] - (width == 1 ? whole : s->k[c] * inner[c]);
    }
    if (p->decay_kind == GA__DECAY_VECTOR) {
        store_row(&p->grad_decay, ga__view_row(&p->grad_decay, b, g, t), 0, p->d, s->run);
    } else if (p->decay_kind == GA__DECAY_TOKEN) {
        ga__view_set(&p->grad_decay, b, g, t, 0, (double)s->run[0]);
    } else {
        p->part_decay[b * p->groups + g] += (double)s->run[0];
    }
    for (int64_t c = 0; c < width && before; c++) {
        s->run[c] += along[c];
    }
}

/* out = a + sign b, sign 0: b is not there. */
static void add_rows(float *out, const float *a, const float *b, int sign, int64_t n)
{
    if (sign == 0) {
        memcpy(out, a, (size_t)n * sizeof *out);
        return;
    }
    for (int64_t c = 0; c < n; c += VF) {
        vf_store(out + c, vf_fma(vf_set((float)sign), vf_load(b + c), vf_load(a + c)));
    }
}

/* dk and dg of a segment. */
static void finish_segment(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t from,
                           int64_t to)
{
    for (int64_t t = to - 1; t >= from; t--) {
        const float *sums = s->sums + (t - from) * s->dp, *others = s->others + (t - from) * s->dp;
        add_rows(s->dots, sums, others, p->delta ? -1 : p->bonus.data ? 1 : 0, s->dp);
        if (p->grad_k.data) {
            store_row(&p->grad_k, ga__view_row(&p->grad_k, b, g, t), 0, p->d, s->dots);
        }
        if (wants_decay(p)) {
            (void)load_key(p, s, b, g, t);
            add_rows(s->dots, sums, others, p->delta ? 1 : 0, s->dp);
            reverse_run(p, s, b, g, t, s->dots);
        }
    }
}

static bool reverse_segment(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, int64_t from,
                            int64_t to, ga_context *context, int *shared)
{
    start_run(p, s, to == p->keys ? s->state : s->kept + to / p->segment * s->matrix);
    for (int64_t t = to - 1; t >= from; t--) {
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return false;
        }
        reverse_token(p, s, b, g, t, t - from);
    }
    if (p->delta) {
        memcpy(s->state, s->kept + from / p->segment * s->matrix, (size_t)s->matrix * sizeof(float));
        forward_again(p, s, b, g, from, to);
    }
    finish_segment(p, s, b, g, from, to);
    return !ga__stopped(context, shared);
}

static bool go_back(const ga__scan_plan *p, reverse_space *s, int64_t b, int64_t g, ga_context *context,
                    int *shared)
{
    load_matrix(p, s, &p->grad_state, b, g, s->grad);
    for (int64_t row = 0; !p->causal && row < p->queries; row++) {
        reverse_still(p, s, b, g, row, 0);
    }
    int64_t segments = (p->keys + p->segment - 1) / p->segment;
    for (int64_t i = segments - 1; i >= 0; i--) {
        int64_t from = i * p->segment, to = ga__min(from + p->segment, p->keys);
        if (!reverse_segment(p, s, b, g, from, to, context, shared)) {
            return false;
        }
    }
    for (int64_t row = 0; p->causal && row < ga__min(p->queries, -ga__scan_offset(p)); row++) {
        reverse_still(p, s, b, g, row, 0);
    }
    return true;
}

/* ---- an item ---- */

/* The views of sums over columns hold one part after the other. */
static void aim(ga__view *view, int64_t tile)
{
    if (view->data && tile > 0) {
        view->data = (float *)view->data + tile * view->batch * view->heads * view->rows * view->columns;
    }
}

static void backward(const ga__scan_plan *plan, int64_t item, void *memory, ga_context *context, int *shared)
{
    ga__scan_plan part = *plan, *p = &part;
    reverse_space s;
    int64_t bytes, tile = item % p->tiles, b = item / p->tiles / p->groups, g = item / p->tiles % p->groups;
    (void)carve_reverse(p, &s, memory, &bytes);
    s.first = tile * p->columns;
    s.count = ga__max(0, ga__min(p->columns, p->e - s.first));
    aim(&p->grad_q, tile);
    aim(&p->grad_k, tile);
    aim(&p->grad_beta, tile);
    if (p->decay_kind != GA__DECAY_HEAD) {
        aim(&p->grad_decay, tile);
    }
    p->part_decay += tile * p->batch * p->groups;
    if (p->bonus.data) {
        load_row(s.bonus, ga__view_row(&p->bonus, 0, 0, g), p->bonus.type, 0, p->d, s.dp, 1);
        p->part_bonus += tile * p->batch * p->groups * p->d;
    }
    if (p->decay_kind == GA__DECAY_HEAD) {
        load_head_decay(p, &s, g);
    }
    if (!go_forward(p, &s, b, g, context, shared) || !go_back(p, &s, b, g, context, shared)) {
        return;
    }
    if (p->grad_initial.data) {
        store_matrix(p, &s, &p->grad_initial, b, g, s.grad);
    }
    for (int64_t c = 0; p->bonus.data && c < p->d; c++) {
        p->part_bonus[(b * p->groups + g) * p->d + c] = s.dbonus[c];
    }
}
