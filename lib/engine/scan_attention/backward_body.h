/* backward_body.h - one token of the recurrence, and the backward pass, in double precision: what
 * reverse_body.h is compared with.
 *
 * dS is the gradient of the state after token t. With Sd = diag(exp g) S_{t-1} and err = v - Sd' k
 *   reading   dq = scale S dn,  dS += scale q dn'        S = S_t, or S_{t-1} when the read is exclusive
 *   additive  dk = dS v,  dv = dS' k,  dSd = dS
 *   delta     w = dS' k,  dv = beta w,  dbeta = w . err,  dk = beta (dS err - Sd w),  dSd = dS - beta k w'
 *   decay     dg = rowsum(dSd . Sd),  dS <- exp(g) dSd
 * Normalised rows have dn = (dO / den, -(dO . num) / den^2) over the values and the column of ones.
 *
 * States are kept at the start of every segment of about sqrt(N) tokens; those inside are computed again.
 */
#include "lib/engine/scan_attention/scan.h"

#include <math.h>
#include <string.h>

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++) {
        sum += a[c] * b[c];
    }
    return sum;
}

static void add_times(double *restrict y, double factor, const double *restrict x, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        y[c] += factor * x[c];
    }
}

static void zero(double *x, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        x[c] = 0;
    }
}

/* ---- one token ---- */

/* Rows of ep >= width doubles; q, k, a, dq, dk, dg of d. */
typedef struct token_space {
    int64_t ep, matrix; /* elements of a state */
    double *k, *v, *a, *u, *q, *num;
    double *keep, *rest; /* exp g = keep + rest, rest small where it is near 1 */
    double *w, *err, *dn, *dq, *dk, *dv, *dg, *bonus;
    double *dbonus;
    double *state, *kept, *inside;
} token_space;

static bool carve_tokens(const ga__scan_plan *p, token_space *s, char *base, int64_t kept, int64_t inside,
                         int64_t *bytes)
{
    int64_t ep, matrix, at[19] = { 0 }, last = 0;
    if (!ga__add(p->width, 15, &ep) || !ga__mul(ep &= ~(int64_t)15, p->d, &matrix)) {
        return false;
    }
    const int64_t shapes[19][2] = { { 1, p->d },      { 1, ep },          { 1, p->d }, { 1, ep },
                                    { 1, p->d },      { 1, ep },          { 1, ep },   { 1, ep },
                                    { 1, ep },        { 1, p->d },        { 1, p->d }, { 1, ep },
                                    { 1, p->d },      { 1, p->d },        { 2, p->d }, { 1, matrix },
                                    { kept, matrix }, { inside, matrix }, { 2, p->d } };
    for (int i = 0; i < 19; i++) {
        at[i] = last;
        if (!ga__scan_carve(&last, shapes[i][0], shapes[i][1], sizeof(double))) {
            return false;
        }
    }
    *bytes = ga__max(last, 64);
    if (s) {
        double **all[] = { &s->k,   &s->v,     &s->a,    &s->u,      &s->q,   &s->num, &s->w,
                           &s->err, &s->dn,    &s->dq,   &s->dk,     &s->dv,  &s->dg,  &s->bonus,
                           NULL,    &s->state, &s->kept, &s->inside, &s->keep };
        s->ep = ep;
        s->matrix = matrix;
        for (int i = 0; i < 19; i++) {
            if (all[i]) {
                *all[i] = (double *)(void *)(base + at[i]);
            }
        }
        s->rest = s->keep + p->d;
        s->dbonus = (double *)(void *)(base + at[14]);
        zero(s->v, ep);
        zero(s->dn, ep);
    }
    return true;
}

/* k, v with its one, exp g. False for a log decay above 0. */
static bool load_token(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t t)
{
    bool good = true;
    ga__view_load_f64(&p->k, b, g, t, s->k);
    ga__view_load_f64(&p->v, b, g, t, s->v);
    if (p->normalise) {
        s->v[p->e] = 1;
    }
    if (p->decay_kind == GA__DECAY_VECTOR) {
        ga__view_load_f64(&p->decay, b, g, t, s->a);
    } else if (p->decay_kind != GA__DECAY_NONE) {
        bool head = p->decay_kind == GA__DECAY_HEAD;
        s->a[0] = (double)(head ? ga__view_get(&p->decay, 0, 0, 0, g) : ga__view_get(&p->decay, b, g, t, 0));
    }
    for (int64_t c = 0; c < p->d; c++) {
        bool own = p->decay_kind == GA__DECAY_VECTOR || (c == 0 && p->decay_kind != GA__DECAY_NONE);
        if (own) {
            double log = s->a[c] < (double)GA__SCAN_RESET ? -INFINITY : s->a[c];
            good = good && !(log > 0);
            s->a[c] = exp(log);
            s->keep[c] = s->a[c] > (double)0.5 ? 1 : 0;
            s->rest[c] = s->a[c] > (double)0.5 ? expm1(log) : s->a[c];
        } else {
            s->a[c] = p->decay_kind == GA__DECAY_NONE ? 1 : s->a[0];
            s->keep[c] = p->decay_kind == GA__DECAY_NONE ? 1 : s->keep[0];
            s->rest[c] = p->decay_kind == GA__DECAY_NONE ? 0 : s->rest[0];
        }
    }
    return good;
}

static double beta_of(const ga__scan_plan *p, int64_t b, int64_t g, int64_t t)
{
    return p->delta ? (double)ga__view_get(&p->beta, 0, b, g, t) : 1;
}

/* err = v - (diag(a) S)' k */
static void find_error(const ga__scan_plan *p, token_space *s, const double *state)
{
    memcpy(s->err, s->v, (size_t)s->ep * sizeof *s->v);
    for (int64_t c = 0; c < p->d; c++) {
        add_times(s->err, -s->k[c] * s->a[c], state + c * s->ep, s->ep);
    }
}

/* next = diag(a) state + k u'; next may be state. */
static void step(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t t, const double *state,
                 double *next)
{
    double beta = beta_of(p, b, g, t);
    if (p->delta) {
        find_error(p, s, state);
        for (int64_t x = 0; x < s->ep; x++) {
            s->u[x] = beta * s->err[x];
        }
    }
    const double *u = p->delta ? s->u : s->v;
    for (int64_t c = 0; c < p->d; c++) {
        const double *from = state + c * s->ep;
        double *to = next + c * s->ep, keep = s->keep[c], rest = s->rest[c], k = s->k[c];
        for (int64_t x = 0; x < s->ep; x++) {
            to[x] = keep * from[x] + (rest * from[x] + k * u[x]);
        }
    }
}

static void load_first(const ga__scan_plan *p, const token_space *s, int64_t b, int64_t g,
                       const ga__view *view, double *state)
{
    zero(state, s->matrix);
    for (int64_t c = 0; view->data && c < p->d; c++) {
        ga__view_load_f64(view, b, g, c, state + c * s->ep);
    }
}

/* sum over c of q_c u_c k_c, q scaled already. */
static double bonus_product(const ga__scan_plan *p, const token_space *s)
{
    double sum = 0;
    for (int64_t c = 0; c < p->d; c++) {
        sum += s->q[c] * s->bonus[c] * s->k[c];
    }
    return sum;
}

/* num = scale q S, and the bonus of the token at hand. */
static void read_state(const ga__scan_plan *p, token_space *s, int64_t b, int64_t h, int64_t row,
                       const double *state, bool bonus)
{
    ga__view_load_f64(&p->q, b, h, row, s->q);
    zero(s->num, s->ep);
    for (int64_t c = 0; c < p->d; c++) {
        s->q[c] *= (double)p->scale;
        add_times(s->num, s->q[c], state + c * s->ep, s->ep);
    }
    if (bonus) {
        add_times(s->num, bonus_product(p, s), s->v, s->ep);
    }
}

/* ---- the backward pass ---- */

static bool backward_space(const ga__scan_plan *p, int64_t *bytes)
{
    int64_t segments = (p->keys + p->segment - 1) / p->segment;
    return carve_tokens(p, NULL, NULL, segments, ga__min(p->segment, p->keys) + 1, bytes);
}

/* dn from the gradient of an output row; num stands ready when normalised. */
static void load_gradient(const ga__scan_plan *p, token_space *s, int64_t b, int64_t h, int64_t row)
{
    ga__view_load_f64(&p->grad_o, b, h, row, s->dn);
    if (!p->normalise) {
        return;
    }
    double den = s->num[p->e], along = 0;
    bool dead = fabs((double)den) <= p->eps;
    for (int64_t x = 0; x < p->e; x++) {
        along += s->dn[x] * s->num[x];
        s->dn[x] = dead ? 0 : s->dn[x] / den;
    }
    s->dn[p->e] = dead ? 0 : -along / (den * den);
}

/* One query row that reads `state`, whose gradient is s->state. */
static void reverse_query(const ga__scan_plan *p, token_space *s, int64_t b, int64_t h, int64_t row,
                          const double *state, bool bonus)
{
    if (p->normalise) {
        read_state(p, s, b, h, row, state, bonus);
    } else {
        ga__view_load_f64(&p->q, b, h, row, s->q);
        for (int64_t c = 0; c < p->d; c++) {
            s->q[c] *= (double)p->scale;
        }
    }
    load_gradient(p, s, b, h, row);
    double along = bonus ? dot(s->v, s->dn, s->ep) : 0;
    for (int64_t c = 0; c < p->d; c++) {
        s->dq[c] = (double)p->scale * dot(state + c * s->ep, s->dn, s->ep);
        add_times(s->state + c * s->ep, s->q[c], s->dn, s->ep);
    }
    if (bonus) {
        add_times(s->dv, bonus_product(p, s), s->dn, s->ep);
        for (int64_t c = 0; c < p->d; c++) {
            s->dq[c] += (double)p->scale * along * s->bonus[c] * s->k[c];
            s->dk[c] += along * s->q[c] * s->bonus[c];
            s->dbonus[c] += (double)(along * s->q[c] * s->k[c]);
        }
    }
    if (p->grad_q.data) {
        ga__view_store_f64(&p->grad_q, b, h, row, s->dq);
    }
}

static void reverse_queries(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t row,
                            const double *state, bool bonus)
{
    for (int64_t r = 0; r < p->ratio && row >= 0 && row < p->queries; r++) {
        reverse_query(p, s, b, g * p->ratio + r, row, state, bonus);
    }
}

/* dk, dv, dg, and dS before the token; previous is S_{t-1}. Returns dbeta. */
static double reverse_update(const ga__scan_plan *p, token_space *s, double beta, const double *previous)
{
    zero(s->dv, s->ep);
    for (int64_t c = 0; c < p->d; c++) {
        add_times(s->dv, s->k[c], s->state + c * s->ep, s->ep);
    }
    double dbeta = 0;
    if (p->delta) {
        find_error(p, s, previous);
        memcpy(s->w, s->dv, (size_t)s->ep * sizeof *s->w);
        dbeta = dot(s->w, s->err, s->ep);
        for (int64_t x = 0; x < s->ep; x++) {
            s->dv[x] *= beta;
        }
    }
    for (int64_t c = 0; c < p->d; c++) {
        double *row = s->state + c * s->ep, a = s->a[c];
        const double *before = previous + c * s->ep;
        if (p->delta) {
            s->dk[c] = beta * (dot(row, s->err, s->ep) - a * dot(before, s->w, s->ep));
            add_times(row, -beta * s->k[c], s->w, s->ep);
        } else {
            s->dk[c] = dot(row, s->v, s->ep);
        }
        if (p->decay_kind != GA__DECAY_NONE) {
            s->dg[c] = p->grad_decay.data ? a * dot(row, before, s->ep) : 0;
            for (int64_t x = 0; x < s->ep; x++) {
                row[x] = s->keep[c] * row[x] + s->rest[c] * row[x];
            }
        }
    }
    return dbeta;
}

static void store_decay(const ga__scan_plan *p, const token_space *s, int64_t b, int64_t g, int64_t t)
{
    double sum = 0;
    if (p->decay_kind == GA__DECAY_VECTOR) {
        ga__view_store_f64(&p->grad_decay, b, g, t, s->dg);
        return;
    }
    for (int64_t c = 0; c < p->d; c++) {
        sum += (double)s->dg[c];
    }
    if (p->decay_kind == GA__DECAY_HEAD) {
        p->part_decay[b * p->groups + g] += sum;
    } else {
        ga__view_set(&p->grad_decay, b, g, t, 0, sum);
    }
}

static void reverse_token(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t t,
                          const double *previous, const double *after)
{
    int64_t row = t - ga__scan_offset(p);
    bool bonus = p->bonus.data != NULL;
    (void)load_token(p, s, b, g, t);
    if (!bonus && p->causal) {
        reverse_queries(p, s, b, g, row, after, false);
    }
    double dbeta = reverse_update(p, s, beta_of(p, b, g, t), previous);
    if (bonus) {
        reverse_queries(p, s, b, g, row, previous, true);
    }
    if (p->grad_k.data) {
        ga__view_store_f64(&p->grad_k, b, g, t, s->dk);
    }
    if (p->grad_v.data) {
        ga__view_store_f64(&p->grad_v, b, g, t, s->dv);
    }
    if (p->grad_beta.data) {
        ga__view_set(&p->grad_beta, 0, b, g, t, (double)dbeta);
    }
    if (p->grad_decay.data) {
        store_decay(p, s, b, g, t);
    }
}

/* The states at the start of every segment; the last one is left in s->state. */
static bool keep_states(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, ga_context *context,
                        int *shared)
{
    load_first(p, s, b, g, &p->initial, s->state);
    for (int64_t t = 0; t < p->keys; t++) {
        if (t % p->segment == 0) {
            memcpy(s->kept + t / p->segment * s->matrix, s->state, (size_t)s->matrix * sizeof(double));
        }
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return false;
        }
        if (!load_token(p, s, b, g, t)) {
            ga__note_status(shared, GA_INVALID);
            return false;
        }
        step(p, s, b, g, t, s->state, s->state);
    }
    return true;
}

static bool reverse_segment(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t from,
                            int64_t to, ga_context *context, int *shared)
{
    memcpy(s->inside, s->kept + from / p->segment * s->matrix, (size_t)s->matrix * sizeof(double));
    for (int64_t t = from; t < to; t++) {
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return false;
        }
        (void)load_token(p, s, b, g, t);
        step(p, s, b, g, t, s->inside + (t - from) * s->matrix, s->inside + (t - from + 1) * s->matrix);
    }
    for (int64_t t = to - 1; t >= from; t--) {
        if (t % 64 == 0 && ga__stopped(context, shared)) {
            return false;
        }
        reverse_token(p, s, b, g, t, s->inside + (t - from) * s->matrix,
                      s->inside + (t - from + 1) * s->matrix);
    }
    return true;
}

/* Queries that read one state: the final one when not causal, the initial one when they stand before the
 * first key. */
static void reverse_still(const ga__scan_plan *p, token_space *s, int64_t b, int64_t g, int64_t count,
                          const double *state)
{
    for (int64_t row = 0; row < count; row++) {
        reverse_queries(p, s, b, g, row, state, false);
    }
}

static void backward(const ga__scan_plan *p, int64_t item, void *memory, ga_context *context, int *shared)
{
    token_space s = { 0 };
    int64_t bytes, b = item / p->groups, g = item % p->groups;
    int64_t segments = (p->keys + p->segment - 1) / p->segment;
    (void)carve_tokens(p, &s, memory, segments, ga__min(p->segment, p->keys) + 1, &bytes);
    if (p->bonus.data) {
        ga__view_load_f64(&p->bonus, 0, 0, g, s.bonus);
    }
    for (int64_t c = 0; c < p->d; c++) {
        s.dbonus[c] = 0;
    }
    if (!keep_states(p, &s, b, g, context, shared)) {
        return;
    }
    memcpy(s.inside, s.state, (size_t)s.matrix * sizeof(double));
    load_first(p, &s, b, g, &p->grad_state, s.state);
    if (!p->causal) {
        reverse_still(p, &s, b, g, p->queries, s.inside);
    }
    for (int64_t i = segments - 1; i >= 0; i--) {
        int64_t from = i * p->segment, to = ga__min(from + p->segment, p->keys);
        if (!reverse_segment(p, &s, b, g, from, to, context, shared)) {
            return;
        }
    }
    if (p->causal) {
        load_first(p, &s, b, g, &p->initial, s.inside);
        reverse_still(p, &s, b, g, ga__min(p->queries, -ga__scan_offset(p)), s.inside);
    }
    for (int64_t c = 0; p->grad_initial.data && c < p->d; c++) {
        ga__view_store_f64(&p->grad_initial, b, g, c, s.state + c * s.ep);
    }
    for (int64_t c = 0; p->bonus.data && c < p->d; c++) {
        p->part_bonus[(b * p->groups + g) * p->d + c] = s.dbonus[c];
    }
}
