/* rat.c - a gated recurrence inside chunks, softmax attention over chunk ends (attention-linear card 12).
 *
 * kb_t = g_t kb_{t-1} + (1 - g_t) k_t, restarting at every chunk, vb likewise; token t attends to the last tokens of all
 * earlier chunks and to itself, keys and queries turned by their chunk index. Backward through the scan:
 * l_t = dh_t + g_{t+1} l_{t+1} (0 across a start), dx_t = (1 - g_t) l_t, dg_t = (h_{t-1} - x_t) l_t. */
#include "config.h"

#include <string.h>

#include "attention/linear/rows.h"
#include "lib/engine/device/device.h"
#include "lib/engine/scan_attention/memory.h"

static const ga_parameter parameters[] = {
    { "chunk", GA_PARAMETER_INT, "16", ">= 1", "chunk length; defines the model", NULL, GA__FROM(1) },
    { "rope", GA_PARAMETER_BOOL, "1", NULL, "rotate by chunk index", NULL, GA__ANY },
    { "rope_base", GA_PARAMETER_REAL, "10000", "> 0", "RoPE base", NULL, GA__ABOVE(0) },
    { "start", GA_PARAMETER_INT, "0", ">= 0", "tokens already in initial_state", NULL, GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "gate", "(B, H, N, d)", "logits of the scan of k (and of v when gate_v is absent)",
      .differentiable = true },
    { "gate_v", "(B, H, N, e)", "logits of the scan of v", .optional = true, .differentiable = true },
    { "output_gate", "(B, H, N, e)", "o * sigma", .optional = true, .differentiable = true },
    { "initial_state", "(B, H, m+1, d+e)", "state to start from", .optional = true },
    { .name = NULL },
};

typedef struct rat {
    const ga__job *run;
    const ga__memory_kernels *kernels;
    int64_t chunk, start, length, d, e, carried, group; /* carried: finished chunks of the initial state */
    bool rope;
    double base;
    ga__view q, k, v, gate, gate_v, output_gate, initial;
    ga__view o, lse, map, state; /* without data: not wanted */
    ga__view up, dq, dk, dv, d_gate, d_gate_v, d_output_gate;
} rat;

static int64_t chunk_of(const rat *r, int64_t t)
{
    return (r->start + t) / r->chunk;
}

static bool opens(const rat *r, int64_t t)
{
    return (r->start + t) % r->chunk == 0;
}

/* RoPE at one position at a time, which is the same for all tokens of a chunk; d/2 numbers each. */
typedef struct turner {
    int64_t position; /* that cosine and sine are of; -1: none yet */
    double *rate, *cosine, *sine;
} turner;

static int64_t pairs_of(const rat *r)
{
    return r->rope ? r->d / 2 : 0;
}

/* room: 2 d numbers. */
static turner open_turner(const rat *r, double *room)
{
    int64_t pairs = pairs_of(r);
    turner u = { -1, room, room + pairs, room + 2 * pairs };
    for (int64_t c = 0; c < pairs; c++) {
        u.rate[c] = pow(r->base, -2 * (double)c / (double)r->d);
    }
    return u;
}

/* Pairs (c, c + d/2) turned by position times base^(-2c/d). */
static void turn(const rat *r, turner *u, int64_t position, double sign, double *x)
{
    int64_t pairs = pairs_of(r);
    for (int64_t c = 0; c < pairs && u->position != position; c++) {
        u->cosine[c] = cos((double)position * u->rate[c]);
        u->sine[c] = sin((double)position * u->rate[c]);
    }
    u->position = position;
    for (int64_t c = 0; c < pairs; c++) {
        double a = x[c], b = x[c + pairs], sine = sign * u->sine[c];
        x[c] = a * u->cosine[c] - b * sine;
        x[c + pairs] = a * sine + b * u->cosine[c];
    }
}

/* Logit of the gate of column c of [k, v]. */
static double gate_at(const rat *r, int64_t b, int64_t h, int64_t t, int64_t c)
{
    if (c < r->d) {
        return ga__logistic(ga__view_get(&r->gate, b, h, t, c));
    }
    return ga__logistic(ga__view_get(r->gate_v.data ? &r->gate_v : &r->gate, b, h, t, c - r->d));
}

static double input_at(const rat *r, int64_t b, int64_t h, int64_t t, int64_t c)
{
    return c < r->d ? ga__view_get(&r->k, b, h / r->group, t, c)
                    : ga__view_get(&r->v, b, h / r->group, t, c - r->d);
}

/* The running pair before token t. */
static double before_at(const rat *r, int64_t b, int64_t h, int64_t t, int64_t c, const double *pairs)
{
    if (opens(r, t)) {
        return 0;
    }
    if (t > 0) {
        return pairs[(t - 1) * (r->d + r->e) + c];
    }
    return r->initial.data ? ga__view_get(&r->initial, b, h, r->carried, c) : 0;
}

/* pairs (length, d + e): [kb, vb] of every token, keys not turned. */
static void scan(const rat *r, int64_t b, int64_t h, double *pairs)
{
    int64_t width = r->d + r->e;
    for (int64_t t = 0; t < r->length; t++) {
        for (int64_t c = 0; c < width; c++) {
            double g = gate_at(r, b, h, t, c);
            pairs[t * width + c] = g * before_at(r, b, h, t, c, pairs) + (1 - g) * input_at(r, b, h, t, c);
        }
    }
}

static int64_t most_ends(const rat *r)
{
    return r->carried + r->length / r->chunk + 2;
}

/* Chunk ends are kept as keys, turned, and behind them values: (most_ends, d), (most_ends, e); carried ones first. */
static double *end_key(const rat *r, double *ends, int64_t i)
{
    return ends + i * r->d;
}

static double *end_value(const rat *r, double *ends, int64_t i)
{
    return ends + most_ends(r) * r->d + i * r->e;
}

static void set_end(const rat *r, double *ends, int64_t i, const double *pair)
{
    memcpy(end_key(r, ends, i), pair, (size_t)r->d * sizeof *ends);
    memcpy(end_value(r, ends, i), pair + r->d, (size_t)r->e * sizeof *ends);
}

/* pairs (length, d + e): all keys are turned in place. room: d + e numbers. Returns the number of ends. */
static int64_t collect_ends(const rat *r, turner *u, int64_t b, int64_t h, double *pairs, double *ends,
                            double *room)
{
    int64_t width = r->d + r->e, count = r->carried;
    for (int64_t i = 0; i < r->carried; i++) {
        ga__view_load_f64(&r->initial, b, h, i, room);
        set_end(r, ends, i, room);
    }
    for (int64_t t = 0; t < r->length; t++) {
        turn(r, u, chunk_of(r, t), 1, pairs + t * width);
        if (opens(r, t + 1)) {
            set_end(r, ends, count++, pairs + t * width);
        }
    }
    return count;
}

/* Weights of token t on the ends of earlier chunks and, last, on itself. Returns the lse. q: turned. */
static double weights(const rat *r, int64_t t, const double *q, double *ends, const double *pairs, double *w)
{
    int64_t n = chunk_of(r, t);
    double most = -INFINITY, sum = 0;
    r->kernels->from_right(n, r->d, end_key(r, ends, 0), q, w);
    r->kernels->from_right(1, r->d, pairs + t * (r->d + r->e), q, w + n);
    for (int64_t i = 0; i <= n; i++) {
        w[i] *= r->run->scale;
        most = w[i] > most || isnan(w[i]) ? w[i] : most;
    }
    for (int64_t i = 0; i <= n; i++) {
        w[i] = exp(w[i] - most);
        sum += w[i];
    }
    for (int64_t i = 0; i <= n; i++) {
        w[i] /= sum;
    }
    return most + log(sum);
}

static void mix(const rat *r, int64_t t, const double *w, double *ends, const double *pairs, double *o)
{
    int64_t n = chunk_of(r, t);
    const double *own = pairs + t * (r->d + r->e) + r->d;
    r->kernels->from_left(n, r->e, w, end_value(r, ends, 0), o);
    for (int64_t c = 0; c < r->e; c++) {
        o[c] += w[n] * own[c];
    }
}

/* Token of this call that end i stands for; negative: carried. */
static int64_t token_of(const rat *r, int64_t i)
{
    return i < r->carried ? -1 : (i + 1) * r->chunk - 1 - r->start;
}

static void store_map(const rat *r, int64_t b, int64_t h, int64_t t, const double *w)
{
    int64_t n = chunk_of(r, t);
    for (int64_t j = 0; j < r->length; j++) {
        ga__view_set(&r->map, b, h, t, j, 0);
    }
    for (int64_t i = r->carried; i <= n; i++) {
        ga__view_set(&r->map, b, h, t, i < n ? token_of(r, i) : t, w[i]);
    }
}

/* room: d + e numbers. */
static void store_state(const rat *r, int64_t b, int64_t h, double *ends, int64_t count, const double *last,
                        double *room)
{
    int64_t width = r->d + r->e;
    bool open = !opens(r, r->length);
    for (int64_t i = 0; i < count; i++) {
        memcpy(room, end_key(r, ends, i), (size_t)r->d * sizeof *room);
        memcpy(room + r->d, end_value(r, ends, i), (size_t)r->e * sizeof *room);
        ga__view_store_f64(&r->state, b, h, i, room);
    }
    for (int64_t c = 0; c < width; c++) {
        double carried =
            r->length == 0 && r->initial.data ? ga__view_get(&r->initial, b, h, r->carried, c) : 0;
        ga__view_set(&r->state, b, h, count, c, !open ? 0 : r->length > 0 ? last[c] : carried);
    }
}

static void forward_head(void *user, int64_t b, int64_t h, int64_t row, double *room)
{
    const rat *r = user;
    int64_t width = r->d + r->e;
    double *pairs = room, *ends = pairs + r->length * width, *w = ends + most_ends(r) * width;
    double *q = w + most_ends(r), *o = q + r->d, *last = o + r->e, *one = last + width;
    turner u = open_turner(r, one + width);
    (void)row;
    scan(r, b, h, pairs);
    if (r->length > 0) {
        memcpy(last, pairs + (r->length - 1) * width, (size_t)width * sizeof *last);
    }
    int64_t count = collect_ends(r, &u, b, h, pairs, ends, one);
    for (int64_t t = 0; t < r->length; t++) {
        ga__view_load_f64(&r->q, b, h, t, q);
        turn(r, &u, chunk_of(r, t), 1, q);
        double lse = weights(r, t, q, ends, pairs, w);
        mix(r, t, w, ends, pairs, o);
        for (int64_t c = 0; c < r->e && r->output_gate.data; c++) {
            o[c] *= ga__logistic(ga__view_get(&r->output_gate, b, h, t, c));
        }
        if (r->o.data) {
            ga__view_store_f64(&r->o, b, h, t, o);
        }
        if (r->lse.data) {
            ga__view_set(&r->lse, 0, b, h, t, lse);
        }
        if (r->map.data) {
            store_map(r, b, h, t, w);
        }
    }
    if (r->state.data) {
        store_state(r, b, h, ends, count, last, one);
    }
}

/* ---- backward ---- */

/* dO of token t through the output gate and the softmax into dq and d pairs (of turned keys). */
static void back_token(const rat *r, turner *u, int64_t b, int64_t h, int64_t t, double *ends,
                       const double *pairs, double *d_pairs, double *room)
{
    int64_t width = r->d + r->e, n = chunk_of(r, t);
    double *w = room, *q = w + most_ends(r), *o = q + r->d, *up = o + r->e, *dq = up + r->e, mean = 0;
    ga__view_load_f64(&r->q, b, h, t, q);
    turn(r, u, chunk_of(r, t), 1, q);
    (void)weights(r, t, q, ends, pairs, w);
    mix(r, t, w, ends, pairs, o);
    ga__view_load_f64(&r->up, b, h, t, up);
    for (int64_t c = 0; c < r->e; c++) {
        if (r->output_gate.data) {
            double s = ga__logistic(ga__view_get(&r->output_gate, b, h, t, c));
            if (r->d_output_gate.data) {
                ga__view_set(&r->d_output_gate, b, h, t, c, up[c] * o[c] * s * (1 - s));
            }
            up[c] *= s;
        }
        mean += up[c] * o[c];
    }
    memset(dq, 0, (size_t)r->d * sizeof *dq);
    for (int64_t i = 0; i <= n; i++) {
        const double *k = i < n ? end_key(r, ends, i) : pairs + t * width;
        const double *v = i < n ? end_value(r, ends, i) : pairs + t * width + r->d;
        int64_t token = i < n ? token_of(r, i) : t;
        double *to = token >= 0 ? d_pairs + token * width : NULL, along = 0;
        for (int64_t c = 0; c < r->e; c++) {
            along += up[c] * v[c];
            if (to) {
                to[r->d + c] += w[i] * up[c];
            }
        }
        double ds = r->run->scale * w[i] * (along - mean);
        for (int64_t c = 0; c < r->d; c++) {
            dq[c] += ds * k[c];
            if (to) {
                to[c] += ds * q[c];
            }
        }
    }
    turn(r, u, chunk_of(r, t), -1, dq);
    if (r->dq.data) {
        ga__view_store_f64(&r->dq, b, h, t, dq);
    }
}

static void give(const ga__view *view, int64_t b, int64_t h, int64_t t, int64_t c, double value)
{
    if (view->data) {
        ga__view_add(view, b, h, t, c, value);
    }
}

/* pairs: not turned; d_pairs: of those; both of one head. */
static void back_scan(const rat *r, int64_t b, int64_t h, const double *pairs, const double *d_pairs)
{
    for (int64_t c = 0; c < r->d + r->e; c++) {
        double later = 0;
        for (int64_t t = r->length - 1; t >= 0; t--) {
            double g = gate_at(r, b, h, t, c), x = input_at(r, b, h, t, c);
            double l = d_pairs[t * (r->d + r->e) + c] + later;
            double logit = (before_at(r, b, h, t, c, pairs) - x) * l * g * (1 - g);
            later = opens(r, t) ? 0 : g * l;
            if (c < r->d) {
                give(&r->dk, b, h / r->group, t, c, (1 - g) * l);
                give(&r->d_gate, b, h, t, c, logit);
            } else {
                give(&r->dv, b, h / r->group, t, c - r->d, (1 - g) * l);
                give(r->gate_v.data ? &r->d_gate_v : &r->d_gate, b, h, t, c - r->d, logit);
            }
        }
    }
}

/* The heads of a group add to the same keys. */
static void backward_group(void *user, int64_t b, int64_t g, int64_t row, double *room)
{
    const rat *r = user;
    int64_t width = r->d + r->e;
    double *pairs = room, *d_pairs = pairs + r->length * width, *ends = d_pairs + r->length * width;
    double *one = ends + most_ends(r) * width, *more = one + width + 2 * r->d;
    turner u = open_turner(r, one + width);
    (void)row;
    for (int64_t h = g * r->group; h < (g + 1) * r->group; h++) {
        scan(r, b, h, pairs);
        (void)collect_ends(r, &u, b, h, pairs, ends, one);
        memset(d_pairs, 0, (size_t)(r->length * width) * sizeof *d_pairs);
        for (int64_t t = 0; t < r->length; t++) {
            back_token(r, &u, b, h, t, ends, pairs, d_pairs, more);
        }
        for (int64_t t = 0; t < r->length; t++) {
            turn(r, &u, chunk_of(r, t), -1, pairs + t * width);
            turn(r, &u, chunk_of(r, t), -1, d_pairs + t * width);
        }
        back_scan(r, b, h, pairs, d_pairs);
    }
}

static ga_status open_rat(ga__job *run, rat *r)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    *r = (rat){ .run = run,
                .chunk = ga__part_value(own, "chunk")->integer,
                .start = ga__part_value(own, "start")->integer,
                .rope = ga__part_value(own, "rope")->integer,
                .base = ga__part_value(own, "rope_base")->real,
                .length = run->keys,
                .d = run->dim,
                .e = run->dim_v,
                .group = run->heads / ga__max(run->kv_heads, 1),
                .kernels = GA__CHOOSE(run->context, ga__memory_kernels) };
    GA_TRY(ga__device_refuse(run->context, "rat", "run recurrences"));
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &r->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &r->k));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &r->v));
    GA_TRY(ga__slot_view(run, ga__slot_find(run, "gate"), &r->gate));
    GA_TRY(ga__slot_view(run, ga__slot_find(run, "gate_v"), &r->gate_v));
    GA_TRY(ga__slot_view(run, ga__slot_find(run, "output_gate"), &r->output_gate));
    GA_TRY(ga__slot_view(run, ga__slot_find(run, "initial_state"), &r->initial));
    r->carried = r->initial.data ? r->start / r->chunk : 0;
done:
    return status;
}

static int64_t room_of(const rat *r)
{
    int64_t width = r->d + r->e;
    return 2 * r->length * width + most_ends(r) * (width + 1) + 7 * width;
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    rat r;
    GA_TRY(open_rat(run, &r));
    const int64_t state[] = { run->batch, run->heads, (r.start + r.length) / r.chunk + 1, r.d + r.e };
    if (outputs->want_state) {
        GA_TRY(ga__tensor_new(run, 4, state, &outputs->state));
    }
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &r.o));
    GA_TRY(ga__view_of(run->context, "lse", outputs->lse, true, &r.lse));
    GA_TRY(ga__view_of(run->context, "map", outputs->map, true, &r.map));
    GA_TRY(ga__view_of(run->context, "state", outputs->state, true, &r.state));
    status = ga__rows(run, run->batch, run->heads, 1, room_of(&r), forward_head, &r);
done:
    return status;
}

static ga_status backward(ga__job *run)
{
    ga_status status = GA_OK;
    rat r;
    GA_TRY(open_rat(run, &r));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &r.up));
    GA_TRY(ga__slot_grad_zero(run, GA__Q, &r.dq));
    GA_TRY(ga__slot_grad_zero(run, GA__K, &r.dk));
    GA_TRY(ga__slot_grad_zero(run, GA__V, &r.dv));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "gate"), &r.d_gate));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "gate_v"), &r.d_gate_v));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "output_gate"), &r.d_output_gate));
    status = ga__rows(run, run->batch, run->kv_heads, 1, room_of(&r), backward_group, &r);
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    int64_t start = ga__part_value(own, "start")->integer, chunk = ga__part_value(own, "chunk")->integer;
    const int64_t keys[] = { run->batch, run->heads, run->keys, run->dim };
    const int64_t values[] = { run->batch, run->heads, run->keys, run->dim_v };
    const int64_t state[] = { run->batch, run->heads, start / chunk + 1, run->dim + run->dim_v };
    int slot;
    GA_TRY(ga__slot_shaped(run, "gate", 4, keys, &slot));
    GA_TRY(ga__slot_shaped(run, "output_gate", 4, values, &slot));
    GA_TRY(ga__slot_shaped(run, "gate_v", 4, values, &slot));
    if (slot < 0 && run->dim != run->dim_v) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "rat needs gate_v, since v is %lld wide and k %lld",
                        (long long)run->dim_v, (long long)run->dim));
    }
    if (ga__part_value(own, "rope")->integer && run->dim % 2 != 0) {
        GA_TRY(ga__part_refuse(own, "rope", "an even width of q and k"));
    }
    GA_TRY(ga__slot_shaped(run, "initial_state", 4, state, &slot));
    if (slot < 0 && start > 0) {
        GA_TRY(ga__part_refuse(own, "start", "0 without initial_state"));
    }
done:
    return status;
}

static const ga__variant_ops ops = {
    .engine = GA__ENGINE_OWN, .plan = plan, .own_forward = forward, .own_backward = backward
};

const ga_variant ga__rat_variant = {
    .name = "rat",
    .summary = "gated recurrence inside chunks, softmax attention over chunk ends",
    .source = "RAT: Bridging RNN Efficiency and Attention Accuracy in Language Modeling, 2507.04416",
    .family = "linear",
    .plan =
        "pre: gated token scan, RoPE by chunk index; pattern: chunk-ends + self; normaliser: softmax; post: sigmoid "
        "gate",
    .outputs = "o, lse, map, state",
    .parameters = parameters,
    .tensors = tensors,
    .can =
        GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
