/* ssm_scan.c - form s6 of ssm as a linear recurrence with decay (attention-linear card 14). */
#include "config.h"

#include "attention/linear/ssm.h"

/* All owned, by value head: q (B, H, N, n), where heads share one; keys delta k; log decays -delta A. */
typedef struct recurrence {
    const ga__ssm *s;
    DLTensor *q, *k, *decay;
    ga__view q_rows, k_rows, decay_rows;
} recurrence;

/* Channels share delta and A, and no step is negative: that would be growth. */
static bool is_recurrence(const ga__ssm *s)
{
    const ga__view *delta = &s->in[GA__SSM_DELTA];
    if (s->form != GA__SSM_S6 || s->run->working.bits != 32 || delta->columns != 1 ||
        s->in[GA__SSM_A_LOG].rows != 1) {
        return false;
    }
    for (int64_t i = 0; i < delta->batch * delta->heads * delta->rows && !s->softplus; i++) {
        int64_t h = i / delta->rows, t = i % delta->rows;
        if (!(ga__view_get(delta, h / delta->heads, h % delta->heads, t, 0) >= 0)) {
            return false;
        }
    }
    return true;
}

/* Token t of a head. room: 3 n numbers. */
static void fill_token(void *user, int64_t b, int64_t h, int64_t t, double *room)
{
    const recurrence *r = user;
    const ga__ssm *s = r->s;
    const ga__view *a = &s->in[GA__SSM_A_LOG];
    double *k = room, *decay = k + s->n, *q = decay + s->n,
           delta = ga__view_get(&s->in[GA__SSM_DELTA], b, h, t, 0);
    delta = s->softplus ? ga__softplus(delta) : delta;
    ga__view_load_f64(&s->k, b, ga__ssm_head_of(s, &s->k, h), t, k);
    for (int64_t j = 0; j < s->n; j++) {
        k[j] *= delta;
    }
    ga__view_store_f64(&r->k_rows, b, h, t, k);
    for (int64_t j = 0; j < r->decay_rows.columns; j++) {
        decay[j] = -delta * exp(ga__view_get(a, 0, ga__ssm_shared(a->heads, h), 0, j));
    }
    ga__view_store_f64(&r->decay_rows, b, h, t, decay);
    if (r->q) {
        ga__view_load_f64(&s->q, b, ga__ssm_head_of(s, &s->q, h), t, q);
        ga__view_store_f64(&r->q_rows, b, h, t, q);
    }
}

static ga_status make_rows(ga__job *run, const char *name, int64_t columns, DLTensor **made, ga__view *rows)
{
    const int64_t shape[] = { run->batch, run->heads, run->keys, columns };
    ga_status status = ga_tensor_create(run->context, run->working, 4, shape, made);
    return status != GA_OK ? status : ga__view_of(run->context, name, *made, true, rows);
}

/* o += skip u */
static void add_skip(void *user, int64_t b, int64_t h, int64_t t, double *room)
{
    const ga__ssm *s = user;
    double *u = room + s->e;
    ga__view_load_f64(&s->o, b, h, t, room);
    ga__view_load_f64(&s->u, b, h, t, u);
    for (int64_t c = 0; c < s->e; c++) {
        room[c] += ga__ssm_skip_of(s, h, c) * u[c];
    }
    ga__view_store_f64(&s->o, b, h, t, room);
}

static ga_status solve(ga__job *run, const ga__ssm *s, const recurrence *r, int initial, DLTensor *state)
{
    ga_status status = GA_OK;
    ga_scan scan = GA_SCAN_INIT;
    scan.q = r->q ? r->q : run->scan.q;
    scan.k = r->k;
    scan.v = run->scan.v;
    scan.log_decay = r->decay;
    scan.initial_state = initial >= 0 ? run->slots[initial].tensor : NULL;
    GA_TRY(ga_scan_forward(run->context, &scan, run->o, state));
    if (s->o.data && s->in[GA__SSM_SKIP].data) {
        ga__ssm copy = *s;
        status = ga__rows(run, run->batch, run->heads, run->keys, 2 * s->e, add_skip, &copy);
    }
done:
    return status;
}

ga_status ga__ssm_scan(ga__job *run, const ga__ssm *s, int initial, DLTensor *state, bool *done)
{
    ga_status status = GA_OK;
    recurrence r = { .s = s };
    *done = is_recurrence(s);
    if (!*done) {
        return GA_OK;
    }
    GA_TRY(make_rows(run, "k", s->n, &r.k, &r.k_rows));
    GA_TRY(make_rows(run, "delta", s->in[GA__SSM_A_LOG].columns == 1 ? 1 : s->n, &r.decay, &r.decay_rows));
    if (s->q.heads != run->heads) {
        GA_TRY(make_rows(run, "q", s->n, &r.q, &r.q_rows));
    }
    GA_TRY(ga__rows(run, run->batch, run->heads, run->keys, 3 * s->n, fill_token, &r));
    status = solve(run, s, &r, initial, state);
done:
    ga_tensor_destroy(run->context, r.q);
    ga_tensor_destroy(run->context, r.k);
    ga_tensor_destroy(run->context, r.decay);
    return status;
}
