/* ssm.c - state-space recurrences (attention-linear card 14): h <- exp(l) h + w u, y = r h + skip u.
 *
 * s6 has n states a channel: l = -delta A, w = delta k, r = q. The other forms have one: l the logarithm of their decay, w
 * from the input gate, r = 1 or from the output gate. Backward, with dh the gradient of the state: dr = dy h, dw = dh u,
 * du = dh w, dl = dh h_before exp(l). */
#include "config.h"

#include <string.h>

#include "attention/linear/ssm.h"

static const char *const form_words[] = { [GA__SSM_S6] = "s6",
                                          [GA__SSM_RG_LRU] = "rg-lru",
                                          [GA__SSM_QLSTM] = "qlstm",
                                          [GA__SSM_REVERSED] = "qlstm-reversed",
                                          NULL };

static const ga_parameter parameters[] = {
    { "form", GA_PARAMETER_WORD, "s6", NULL, "recurrence; only s6 reads q and k (absent otherwise)",
      form_words, GA__ANY },
    { "delta_softplus", GA_PARAMETER_BOOL, "0", NULL, "softplus of delta", GA__ANY },
    { "c", GA_PARAMETER_REAL, "8", "> 0", "rg-lru exponent", GA__ABOVE(0) },
    GA__CHUNK,
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "delta", "(B, H, N, e or 1)", "step; s6 needs it", .optional = true, .differentiable = true },
    { "a_log", "(H or 1, e or 1, n or 1)", "ln A; s6 needs it", .optional = true, .differentiable = true },
    { "skip", "(H, e)", "D", .optional = true, .differentiable = true },
    { "log_a", "(H, e)", "decay parameter; rg-lru needs it", .optional = true, .differentiable = true },
    { "recurrence_gate", "(B, H, N, e)", "logits; rg-lru needs it", .optional = true,
      .differentiable = true },
    { "input_gate", "(B, H, N, e)", "logits; all but s6 need it", .optional = true, .differentiable = true },
    { "forget_gate", "(B, H, N, e)", "logits; qlstm needs it", .optional = true, .differentiable = true },
    { "output_gate", "(B, H, N, e)", "logits; qlstm needs it", .optional = true, .differentiable = true },
    { "alpha", "(H)", "exponent; qlstm-reversed needs it", .optional = true, .differentiable = true },
    { "initial_state", "(B, H, n or 1, e)", "state to start from", .optional = true, .differentiable = true },
    { .name = NULL },
};

static double a_log(const ga__ssm *s, int64_t h, int64_t c, int64_t j)
{
    const ga__view *a = &s->in[GA__SSM_A_LOG];
    return ga__view_get(a, 0, ga__ssm_shared(a->heads, h), ga__ssm_shared(a->rows, c),
                        ga__ssm_shared(a->columns, j));
}

static double gate(const ga__ssm *s, int which, int64_t b, int64_t h, int64_t t, int64_t c)
{
    const ga__view *view = &s->in[which];
    return ga__view_get(view, b, h, t, ga__ssm_shared(view->columns, c));
}

static double step_of(const ga__ssm *s, int64_t b, int64_t h, int64_t t, int64_t c)
{
    double x = gate(s, GA__SSM_DELTA, b, h, t, c);
    return s->softplus ? ga__softplus(x) : x;
}

/* l, w and r of state j of a channel. */
typedef struct terms {
    double l, w, r;
} terms;

static terms terms_of(const ga__ssm *s, int64_t b, int64_t h, int64_t t, int64_t c, int64_t j)
{
    terms x = { 0, 0, 1 };
    if (s->form == GA__SSM_S6) {
        double delta = step_of(s, b, h, t, c);
        x.l = -delta * exp(a_log(s, h, c, j));
        x.w = delta * ga__view_get(&s->k, b, ga__ssm_head_of(s, &s->k, h), t, j);
        x.r = ga__view_get(&s->q, b, ga__ssm_head_of(s, &s->q, h), t, j);
        return x;
    }
    x.w = ga__logistic(gate(s, GA__SSM_INPUT, b, h, t, c));
    if (s->form == GA__SSM_RG_LRU) {
        x.l = -s->c * ga__softplus(ga__view_get(&s->in[GA__SSM_LOG_A], 0, 0, h, c)) *
              ga__logistic(gate(s, GA__SSM_RECURRENCE, b, h, t, c));
        x.w *= sqrt(-expm1(2 * x.l));
        return x;
    }
    double forget = gate(s, GA__SSM_FORGET, b, h, t, c);
    x.r = ga__logistic(gate(s, GA__SSM_OUTPUT, b, h, t, c));
    x.l = s->form == GA__SSM_QLSTM
              ? -ga__softplus(-forget)
              : -fmax(ga__view_get(&s->in[GA__SSM_ALPHA], 0, 0, 0, h), 0) * ga__softplus(forget);
    return x;
}

static double start_of(const ga__ssm *s, int64_t b, int64_t h, int64_t j, int64_t c)
{
    return s->in[GA__SSM_INITIAL].data ? ga__view_get(&s->in[GA__SSM_INITIAL], b, h, j, c) : 0;
}

/* One channel: row c of the job. */
static void forward_channel(void *user, int64_t b, int64_t h, int64_t c, double *room)
{
    const ga__ssm *s = user;
    for (int64_t j = 0; j < s->n; j++) {
        room[j] = start_of(s, b, h, j, c);
    }
    for (int64_t t = 0; t < s->length; t++) {
        double u = ga__view_get(&s->u, b, h, t, c), y = ga__ssm_skip_of(s, h, c) * u;
        for (int64_t j = 0; j < s->n; j++) {
            terms x = terms_of(s, b, h, t, c, j);
            room[j] = exp(x.l) * room[j] + x.w * u;
            y += x.r * room[j];
        }
        if (s->o.data) {
            ga__view_set(&s->o, b, h, t, c, y);
        }
    }
    for (int64_t j = 0; j < s->n && s->state.data; j++) {
        ga__view_set(&s->state, b, h, j, c, room[j]);
    }
}

/* ---- backward ---- */

static void give(const ga__view *view, int64_t b, int64_t h, int64_t r, int64_t c, double value)
{
    if (view->data) {
        ga__view_add(view, b, h, r, c, value);
    }
}

/* Hands the gradients of l, w and r on to what they were made of. */
static void spread(const ga__ssm *s, int64_t b, int64_t h, int64_t t, int64_t c, int64_t j, terms x, terms d)
{
    const ga__view *g = s->grad;
    if (s->form == GA__SSM_S6) {
        double a = exp(a_log(s, h, c, j)), delta = step_of(s, b, h, t, c);
        double k = ga__view_get(&s->k, b, ga__ssm_head_of(s, &s->k, h), t, j), slope = d.w * k - d.l * a;
        slope *= s->softplus ? ga__logistic(gate(s, GA__SSM_DELTA, b, h, t, c)) : 1;
        give(&s->dq, b, ga__ssm_head_of(s, &s->q, h), t, j, d.r);
        give(&s->dk, b, ga__ssm_head_of(s, &s->k, h), t, j, d.w * delta);
        give(&g[GA__SSM_DELTA], b, h, t, ga__ssm_shared(s->in[GA__SSM_DELTA].columns, c), slope);
        give(&g[GA__SSM_A_LOG], 0, ga__ssm_shared(s->in[GA__SSM_A_LOG].heads, h),
             ga__ssm_shared(s->in[GA__SSM_A_LOG].rows, c), ga__ssm_shared(s->in[GA__SSM_A_LOG].columns, j),
             d.l * x.l);
        return;
    }
    double in = ga__logistic(gate(s, GA__SSM_INPUT, b, h, t, c));
    give(&g[GA__SSM_INPUT], b, h, t, c, d.w * x.w * (1 - in));
    if (s->form == GA__SSM_RG_LRU) {
        double r = ga__logistic(gate(s, GA__SSM_RECURRENCE, b, h, t, c)),
               p = ga__view_get(&s->in[GA__SSM_LOG_A], 0, 0, h, c);
        double m = sqrt(-expm1(2 * x.l)), dl = d.l - (m > 0 ? d.w * in * exp(2 * x.l) / m : 0);
        give(&g[GA__SSM_RECURRENCE], b, h, t, c, dl * x.l * (1 - r));
        give(&g[GA__SSM_LOG_A], 0, 0, h, c, -dl * s->c * r * ga__logistic(p));
        return;
    }
    double forget = gate(s, GA__SSM_FORGET, b, h, t, c);
    give(&g[GA__SSM_OUTPUT], b, h, t, c, d.r * x.r * (1 - x.r));
    if (s->form == GA__SSM_QLSTM) {
        give(&g[GA__SSM_FORGET], b, h, t, c, d.l * ga__logistic(-forget));
    } else {
        double alpha = ga__view_get(&s->in[GA__SSM_ALPHA], 0, 0, 0, h);
        give(&g[GA__SSM_FORGET], b, h, t, c, -d.l * fmax(alpha, 0) * ga__logistic(forget));
        give(&g[GA__SSM_ALPHA], 0, 0, 0, h, alpha > 0 ? -d.l * ga__softplus(forget) : 0);
    }
}

/* states: (length + 1, n) of a channel; dh: (n). */
static void backward_channel(const ga__ssm *s, int64_t b, int64_t h, int64_t c, double *states, double *dh)
{
    int64_t n = s->n;
    for (int64_t j = 0; j < n; j++) {
        states[j] = start_of(s, b, h, j, c);
        dh[j] = 0;
    }
    for (int64_t t = 0; t < s->length; t++) {
        double u = ga__view_get(&s->u, b, h, t, c);
        for (int64_t j = 0; j < n; j++) {
            terms x = terms_of(s, b, h, t, c, j);
            states[(t + 1) * n + j] = exp(x.l) * states[t * n + j] + x.w * u;
        }
    }
    for (int64_t t = s->length - 1; t >= 0; t--) {
        double up = ga__view_get(&s->up, b, h, t, c), u = ga__view_get(&s->u, b, h, t, c),
               du = ga__ssm_skip_of(s, h, c) * up;
        for (int64_t j = 0; j < n; j++) {
            terms x = terms_of(s, b, h, t, c, j), d = { 0, 0, up * states[(t + 1) * n + j] };
            dh[j] += x.r * up;
            d.w = dh[j] * u;
            du += dh[j] * x.w;
            dh[j] *= exp(x.l);
            d.l = dh[j] * states[t * n + j];
            spread(s, b, h, t, c, j, x, d);
        }
        give(&s->du, b, h, t, c, du);
        give(&s->grad[GA__SSM_SKIP], 0, 0, h, c, up * u);
    }
    for (int64_t j = 0; j < n; j++) {
        give(&s->grad[GA__SSM_INITIAL], b, h, j, c, dh[j]);
    }
}

static ga_status open_system(ga__job *run, ga__ssm *s)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    *s = (ga__ssm){ .run = run,
                    .form = (int)ga__part_value(own, "form")->integer,
                    .softplus = ga__part_value(own, "delta_softplus")->integer,
                    .c = ga__part_value(own, "c")->real,
                    .n = run->dim,
                    .e = run->dim_v,
                    .length = run->keys };
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &s->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &s->k));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &s->u));
    for (int i = 0; i < GA__SSM_TENSORS; i++) {
        GA_TRY(ga__slot_view(run, ga__slot_find(run, tensors[i].name), &s->in[i]));
    }
done:
    return status;
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    ga__ssm s;
    const int64_t state[] = { run->batch, run->heads, run->dim, run->dim_v };
    GA_TRY(open_system(run, &s));
    if (outputs->want_state) {
        GA_TRY(ga__tensor_new(run, 4, state, &outputs->state));
    }
    GA_TRY(ga__view_of(run->context, "state", outputs->state, true, &s.state));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &s.o));
    bool done_by_scan = false;
    GA_TRY(ga__ssm_scan(run, &s, ga__slot_find(run, "initial_state"), outputs->state, &done_by_scan));
    if (!done_by_scan) {
        status = ga__rows(run, run->batch, run->heads, run->dim_v, run->dim, forward_channel, &s);
    }
done:
    return status;
}

/* Channel by channel in a fixed order, since many of them share gradients. */
static ga_status backward(ga__job *run)
{
    ga_status status = GA_OK;
    ga__ssm s;
    double *room = NULL;
    int64_t size = 0;
    GA_TRY(open_system(run, &s));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &s.up));
    GA_TRY(ga__slot_grad_zero(run, GA__Q, &s.dq));
    GA_TRY(ga__slot_grad_zero(run, GA__K, &s.dk));
    GA_TRY(ga__slot_grad_zero(run, GA__V, &s.du));
    for (int i = 0; i < GA__SSM_TENSORS; i++) {
        GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, tensors[i].name), &s.grad[i]));
    }
    if (!ga__mul(s.length + 2, ga__max(s.n, 1), &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "v: too many tokens"));
    }
    GA_TRY(GA_NEW(run->context, size, &room));
    for (int64_t i = 0; i < run->batch * run->heads * run->dim_v; i++) {
        int64_t c = i % run->dim_v, h = i / run->dim_v % run->heads, b = i / run->dim_v / run->heads;
        GA_TRY(ga__check(run->context));
        backward_channel(&s, b, h, c, room + s.n, room);
    }
done:
    ga_free(run->context, room);
    return status;
}

/* ---- the variant ---- */

static ga_status measure_pair(ga__job *run)
{
    ga_status status = GA_OK;
    ga__view q, k;
    GA_TRY(ga__view_of(run->context, "q", run->call->q, true, &q));
    GA_TRY(ga__view_of(run->context, "k", run->call->k, true, &k));
    GA_TRY(ga__view_expect(run->context, "q", &q, run->batch, -1, run->keys, -1));
    GA_TRY(ga__view_expect(run->context, "k", &k, run->batch, -1, run->keys, q.columns));
    if ((q.heads == 0 ? run->heads != 0 : run->heads % q.heads != 0) ||
        (k.heads == 0 ? run->heads != 0 : run->heads % k.heads != 0)) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "v has %lld heads, expected a multiple of the %lld of q and the %lld of k",
                        (long long)run->heads, (long long)q.heads, (long long)k.heads));
    }
    run->dim = q.columns;
done:
    return status;
}

static ga_status measure(ga__job *run)
{
    ga_status status = GA_OK;
    ga__view v;
    int form = (int)ga__part_value(&run->own, "form")->integer;
    if (!run->call->v || (form == GA__SSM_S6 && (!run->call->q || !run->call->k))) {
        return ga__fail(run->context, GA_INVALID, "ssm needs v, and q and k in form s6");
    }
    if (form != GA__SSM_S6 && (run->call->q || run->call->k)) {
        return ga__fail(run->context, GA_INVALID, "ssm: form %s takes neither q nor k", form_words[form]);
    }
    GA_TRY(ga__view_of(run->context, "v", run->call->v, true, &v));
    run->batch = v.batch;
    run->heads = run->kv_heads = v.heads;
    run->queries = run->keys = v.rows;
    run->dim = 1;
    run->dim_v = v.columns;
    if (form == GA__SSM_S6) {
        GA_TRY(measure_pair(run));
    }
done:
    return status;
}

static int64_t last_or(const ga__job *run, int slot, int back, int64_t full)
{
    const DLTensor *t = slot < 0 ? NULL : run->slots[slot].given;
    return t && (t->ndim < back || t->shape[t->ndim - back] == 1) ? 1 : full;
}

static ga_status plan(ga__job *run)
{
    static const unsigned needs[] = {
        [GA__SSM_S6] = 1u << GA__SSM_DELTA | 1u << GA__SSM_A_LOG,
        [GA__SSM_RG_LRU] = 1u << GA__SSM_LOG_A | 1u << GA__SSM_RECURRENCE | 1u << GA__SSM_INPUT,
        [GA__SSM_QLSTM] = 1u << GA__SSM_INPUT | 1u << GA__SSM_FORGET | 1u << GA__SSM_OUTPUT,
        [GA__SSM_REVERSED] =
            1u << GA__SSM_INPUT | 1u << GA__SSM_FORGET | 1u << GA__SSM_OUTPUT | 1u << GA__SSM_ALPHA
    };
    ga_status status = GA_OK;
    int form = (int)ga__part_value(&run->own, "form")->integer, unused;
    int delta = ga__slot_find(run, "delta"), a = ga__slot_find(run, "a_log");
    const int64_t token[] = { run->batch, run->heads, run->keys, run->dim_v },
                  channel[] = { run->heads, run->dim_v };
    const int64_t of_delta[] = { run->batch, run->heads, run->keys, last_or(run, delta, 1, run->dim_v) };
    const int64_t of_a[] = { last_or(run, a, 3, run->heads), last_or(run, a, 2, run->dim_v),
                             last_or(run, a, 1, run->dim) };
    const int64_t state[] = { run->batch, run->heads, run->dim, run->dim_v };
    const int64_t *const dims[] = { of_delta, of_a,  channel, channel,     token,
                                    token,    token, token,   &run->heads, state };
    const int counts[] = { 4, 3, 2, 2, 4, 4, 4, 4, 1, 4 };
    for (int i = 0; i < GA__SSM_TENSORS; i++) {
        bool needed = needs[form] >> i & 1, given = ga__slot_find(run, tensors[i].name) >= 0;
        if (needed && !given) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "ssm: form %s needs %s", form_words[form],
                            tensors[i].name));
        }
        if (given && !needed && i != GA__SSM_SKIP && i != GA__SSM_INITIAL) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "ssm: form %s takes no %s", form_words[form],
                            tensors[i].name));
        }
        GA_TRY(ga__slot_shaped(run, tensors[i].name, counts[i], dims[i], &unused));
    }
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_OWN,
                                     .plan = plan,
                                     .measure = measure,
                                     .own_forward = forward,
                                     .own_backward = backward };

const ga_variant ga__ssm_variant = {
    .name = "ssm",
    .summary = "state-space recurrences: S6, SSD, RG-LRU, qLSTM",
    .source = "Understanding the differences in Foundation Models (DSF), 2405.15731",
    .family = "linear",
    .plan = "scan, diagonal decay",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE |
           GA_QK_OPTIONAL,
    .ops = &ops,
};
