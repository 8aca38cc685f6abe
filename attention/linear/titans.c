/* titans.c - neural memory trained while reading, alone or with attention (attention-linear card 13). */
#include "config.h"

#include <string.h>

#include "attention/decode.h"
#include "attention/linear/titans.h"
#include "lib/engine/device/device.h"

static const char *const mode_words[] = { [GA__TITANS_MEMORY] = "memory",
                                          [GA__TITANS_MAC] = "mac",
                                          [GA__TITANS_MAG] = "mag",
                                          [GA__TITANS_MAL] = "mal",
                                          NULL };
enum { NET_LINEAR, NET_MLP };
static const char *const net_words[] = { [NET_LINEAR] = "linear", [NET_MLP] = "mlp", NULL };
static const char *const mix_words[] = {
    [GA__MIX_SIGMOID] = "sigmoid", [GA__MIX_PRODUCT] = "product", [GA__MIX_NORM] = "norm", NULL
};

static const ga_parameter parameters[] = {
    { "mode", GA_PARAMETER_WORD, "memory", NULL, "how memory and attention combine", mode_words, GA__ANY },
    { "memory", GA_PARAMETER_WORD, "linear", NULL, "the memory net", net_words, GA__ANY },
    { "chunk", GA_PARAMETER_INT, "1", ">= 1", "tokens with one frozen gradient; defines the model", NULL,
      GA__FROM(1) },
    { "window", GA_PARAMETER_INT, "0", ">= 0, 0 = all", "keys of the attention (mag, mal)", NULL,
      GA__FROM(0) },
    { "segment", GA_PARAMETER_INT, NULL, ">= 1", "tokens a segment (mac)", NULL, GA__FROM(1) },
    { "mix", GA_PARAMETER_WORD, "sigmoid", NULL, "how mac and mag join attention and memory", mix_words,
      GA__ANY },
    { .name = NULL },
};

enum { IN_MAC = 1 << GA__TITANS_MAC, IN_MAG = 1 << GA__TITANS_MAG, IN_MAL = 1 << GA__TITANS_MAL };

static const ga_tensor_slot tensors[] = {
    { "theta", "(B, H, N)", "step size", .differentiable = true },
    { "eta", "(B, H, N)", "momentum, 0..1", .differentiable = true },
    { "alpha", "(B, H, N)", "forgetting, 0..1", .differentiable = true },
    { "w1", "(H, f, d)", "first weights; mlp needs them", .optional = true },
    { "w2", "(H, e, f)", "second weights; mlp needs them", .optional = true },
    { "persistent_k", "(H, P, d)", "prefix keys (mac, mag, mal)", .optional = true },
    { "persistent_v", "(H, P, e)", "prefix values (mac, mag, mal)", .optional = true },
    { "memory_k", "(H, e, d)", "keys from memory (mac); absent: identity", .optional = true },
    { "memory_v", "(H, e, e)", "values from memory (mac); absent: identity", .optional = true },
    { "write_q", "(H, e, d)", "mac, mal; absent: identity", .optional = true },
    { "write_k", "(H, e, d)", "mac, mal; absent: identity", .optional = true },
    { "write_v", "(H, e, e)", "mac, mal; absent: identity", .optional = true },
    { "initial_state", "(B, H, 2d, e), mlp (B, H, 2, f d + e f)", "state to start from", .optional = true },
    { .name = NULL },
};

static const struct {
    const char *name;
    int modes;
    bool is_square; /* (H, e, e) */
} projections[GA__PROJECTIONS] = { [GA__WRITE_Q] = { "write_q", IN_MAC | IN_MAL, false },
                                   [GA__WRITE_K] = { "write_k", IN_MAC | IN_MAL, false },
                                   [GA__WRITE_V] = { "write_v", IN_MAC | IN_MAL, true },
                                   [GA__MEMORY_K] = { "memory_k", IN_MAC, false },
                                   [GA__MEMORY_V] = { "memory_v", IN_MAC, true } };

/* ---- a head ---- */

ga_status ga__titans_memory_numbers(const ga__titans *t, int64_t *count)
{
    *count = ga__memory_room(&t->memory);
    return ga__add_product(count, 3, t->memory.size)
               ? GA_OK
               : ga__fail(t->run->context, GA_OVERFLOW, "titans: the memory is too large");
}

/* Rows of a view one behind another. */
static void load_rows(const ga__view *view, int64_t b, int64_t h, double *to)
{
    for (int64_t i = 0; i < view->rows; i++) {
        ga__view_load_f64(view, b, h, i, to + i * view->columns);
    }
}

ga__memory ga__titans_start(const ga__titans *t, int64_t b, int64_t h, double *room)
{
    ga__memory memory = t->memory;
    memory.m = room;
    memory.s = memory.m + memory.size; /* as a state has them */
    memory.frozen = t->chunk == 1 ? memory.m : memory.s + memory.size;
    memory.room = memory.s + 2 * memory.size;
    memset(room, 0, 2 * (size_t)memory.size * sizeof *room);
    if (t->initial.data) {
        load_rows(&t->initial, b, h, memory.m);
    } else if (t->f > 0) {
        load_rows(&t->w1, 0, h, memory.m);
        load_rows(&t->w2, 0, h, memory.m + t->f * t->d);
    }
    return memory;
}

void ga__titans_learn(const ga__titans *t, ga__memory *memory, int64_t b, int64_t h, int64_t i, int64_t place,
                      const double *k, const double *v)
{
    ga__memory_learn(memory, place, k, v, ga__view_get(&t->theta, 0, b, h, i),
                     ga__view_get(&t->eta, 0, b, h, i), ga__view_get(&t->alpha, 0, b, h, i));
}

static void memory_head(const ga__titans *t, int64_t b, int64_t h, ga__memory *memory, double *room)
{
    double *q = room, *k = q + t->d, *v = k + t->d, *y = v + t->e;
    for (int64_t i = 0; i < t->length; i++) {
        ga__view_load_f64(&t->k, b, h / t->group, i, k);
        ga__view_load_f64(&t->v, b, h / t->group, i, v);
        ga__titans_learn(t, memory, b, h, i, i, k, v);
        if (t->o.data) {
            ga__view_load_f64(&t->q, b, h, i, q);
            ga__memory_read(memory, q, y);
            ga__view_store_f64(&t->o, b, h, i, y);
        }
    }
}

static void forward_head(void *user, int64_t b, int64_t h, int64_t row, double *room)
{
    const ga__titans *t = user;
    ga__memory memory = ga__titans_start(t, b, h, room);
    double *more = memory.room + ga__memory_room(&memory);
    (void)row;
    if (t->mode == GA__TITANS_MEMORY) {
        memory_head(t, b, h, &memory, more);
    } else {
        ga__titans_mode_head(t, b, h, &memory, more);
    }
    for (int64_t i = 0; i < t->state.rows && t->state.data; i++) {
        ga__view_store_f64(&t->state, b, h, i, memory.m + i * t->state.columns);
    }
}

/* ---- the call ---- */

static ga_status open_titans(ga__job *run, ga__titans *t)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    *t = (ga__titans){ .run = run,
                       .mode = (int)ga__part_value(own, "mode")->integer,
                       .mix = (int)ga__part_value(own, "mix")->integer,
                       .chunk = ga__part_value(own, "chunk")->integer,
                       .window = ga__part_value(own, "window")->integer,
                       .segment = ga__part_value(own, "segment")->integer,
                       .length = run->keys,
                       .d = run->dim,
                       .e = run->dim_v,
                       .group = run->heads / ga__max(run->kv_heads, 1) };
    GA_TRY(ga__device_refuse(run->context, "titans", "learn a memory"));
    const struct {
        const char *name;
        ga__view *view;
    } views[] = { { "theta", &t->theta },
                  { "eta", &t->eta },
                  { "alpha", &t->alpha },
                  { "w1", &t->w1 },
                  { "w2", &t->w2 },
                  { "initial_state", &t->initial },
                  { "persistent_k", &t->prefix_k },
                  { "persistent_v", &t->prefix_v } };
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &t->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &t->k));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &t->v));
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        GA_TRY(ga__slot_view(run, ga__slot_find(run, views[i].name), views[i].view));
    }
    for (int i = 0; i < GA__PROJECTIONS; i++) {
        GA_TRY(ga__slot_view(run, ga__slot_find(run, projections[i].name), &t->projection[i]));
    }
    t->f = t->w1.data ? t->w1.rows : 0;
    t->persistent = t->prefix_k.data ? t->prefix_k.rows : 0;
    t->memory.kernels = GA__CHOOSE(run->context, ga__memory_kernels);
    if (!ga__memory_size(&t->memory, t->d, t->e, t->f, t->chunk)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "titans: the memory is too large"));
    }
done:
    return status;
}

static ga_status head_numbers(const ga__titans *t, int64_t *count)
{
    ga_status status = GA_OK;
    int64_t more = 2 * (t->d + t->e);
    GA_TRY(ga__titans_memory_numbers(t, count));
    if (t->mode != GA__TITANS_MEMORY) {
        GA_TRY(ga__titans_mode_numbers(t, &more));
    }
    if (!ga__add(*count, more, count)) {
        GA_TRY(ga__fail(t->run->context, GA_OVERFLOW, "titans: too many tokens"));
    }
done:
    return status;
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    ga__titans t;
    int64_t count = 0;
    GA_TRY(open_titans(run, &t));
    const int64_t state[] = { run->batch, run->heads, t.f > 0 ? 2 : 2 * t.d, t.f > 0 ? t.memory.size : t.e };
    if (outputs->want_state) {
        GA_TRY(ga__tensor_new(run, 4, state, &outputs->state));
    }
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &t.o));
    GA_TRY(ga__view_of(run->context, "state", outputs->state, true, &t.state));
    GA_TRY(head_numbers(&t, &count));
    status = ga__rows(run, run->batch, run->heads, 1, count, forward_head, &t);
done:
    return status;
}

static ga_status backward(ga__job *run)
{
    ga_status status = GA_OK;
    ga__titans t;
    GA_TRY(open_titans(run, &t));
    if (t.mode != GA__TITANS_MEMORY || t.f > 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "titans has gradients only with mode=memory and memory=linear"));
    }
    status = ga__titans_backward(run, &t);
done:
    return status;
}

/* ---- the plan ---- */

static ga_status refuse(const ga__job *run, const char *what, const char *name)
{
    return ga__fail(run->context, GA_INVALID, "titans: %s %s", what, name);
}

/* Values of a gate in 0 .. most; NaN passes. */
static ga_status check_gate(ga__job *run, const char *name, double most)
{
    ga_status status = GA_OK;
    ga__view view;
    int slot;
    const int64_t dims[] = { run->batch, run->heads, run->keys };
    GA_TRY(ga__slot_shaped(run, name, 3, dims, &slot));
    GA_TRY(ga__slot_view(run, slot, &view));
    for (int64_t i = 0; i < run->batch * run->heads * run->keys; i++) {
        int64_t t = i % run->keys, h = i / run->keys % run->heads, b = i / run->keys / run->heads;
        double x = ga__view_get(&view, 0, b, h, t);
        if (x < 0 || x > most) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s: found %g, expected %s", name, x,
                            isinf(most) ? ">= 0" : "0 .. 1"));
        }
    }
done:
    return status;
}

/* The net, its weights and the state to start from. */
static ga_status plan_net(ga__job *run)
{
    ga_status status = GA_OK;
    bool mlp = ga__part_value(&run->own, "memory")->integer == NET_MLP;
    int w1 = ga__slot_find(run, "w1"), w2 = ga__slot_find(run, "w2"), slot;
    if (mlp && (w1 < 0 || w2 < 0)) {
        GA_TRY(refuse(run, "memory=mlp needs", w1 < 0 ? "w1" : "w2"));
    }
    if (!mlp && (w1 >= 0 || w2 >= 0)) {
        GA_TRY(refuse(run, "memory=linear takes no", w1 >= 0 ? "w1" : "w2"));
    }
    const DLTensor *first = w1 < 0 ? NULL : run->slots[w1].given;
    int64_t f = first && first->ndim > 1 ? first->shape[first->ndim - 2] : 1, numbers = 0;
    const int64_t of_w1[] = { run->heads, f, run->dim }, of_w2[] = { run->heads, run->dim_v, f };
    if (f < 1) {
        GA_TRY(refuse(run, "w1 without rows:", "f must be at least 1"));
    }
    GA_TRY(ga__slot_shaped(run, "w1", 3, of_w1, &slot));
    GA_TRY(ga__slot_shaped(run, "w2", 3, of_w2, &slot));
    if (!ga__add_product(&numbers, f, run->dim) || !ga__add_product(&numbers, run->dim_v, f)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "titans: the memory is too large"));
    }
    const int64_t state[] = { run->batch, run->heads, mlp ? 2 : 2 * run->dim, mlp ? numbers : run->dim_v };
    GA_TRY(ga__slot_shaped(run, "initial_state", 4, state, &slot));
done:
    return status;
}

/* Tensors that only some modes have, and what stands in for the absent ones. */
static ga_status plan_projections(ga__job *run, int mode)
{
    ga_status status = GA_OK;
    int slot;
    for (int i = 0; i < GA__PROJECTIONS; i++) {
        const char *name = projections[i].name;
        const int64_t dims[] = { run->heads, run->dim_v, projections[i].is_square ? run->dim_v : run->dim };
        bool taken = projections[i].modes >> mode & 1;
        GA_TRY(ga__slot_shaped(run, name, 3, dims, &slot));
        if (slot >= 0 && !taken) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "titans: mode=%s takes no %s", mode_words[mode], name));
        }
        if (slot < 0 && taken && dims[1] != dims[2]) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "titans needs %s, since v is %lld wide and k %lld",
                            name, (long long)run->dim_v, (long long)run->dim));
        }
    }
done:
    return status;
}

static ga_status plan_prefix(ga__job *run, int mode)
{
    ga_status status = GA_OK;
    int k = ga__slot_find(run, "persistent_k"), v = ga__slot_find(run, "persistent_v"), slot;
    const DLTensor *first = k < 0 ? NULL : run->slots[k].given;
    int64_t count = first && first->ndim > 1 ? first->shape[first->ndim - 2] : 1;
    const int64_t keys[] = { run->heads, count, run->dim }, values[] = { run->heads, count, run->dim_v };
    if ((k < 0) != (v < 0)) {
        GA_TRY(refuse(run, "persistent_k and persistent_v go together; missing:",
                      k < 0 ? "persistent_k" : "persistent_v"));
    }
    if (k >= 0 && mode == GA__TITANS_MEMORY) {
        GA_TRY(refuse(run, "mode=memory takes no", "persistent_k"));
    }
    GA_TRY(ga__slot_shaped(run, "persistent_k", 3, keys, &slot));
    GA_TRY(ga__slot_shaped(run, "persistent_v", 3, values, &slot));
done:
    return status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    int mode = (int)ga__part_value(own, "mode")->integer;
    bool segments = ga__part_value(own, "segment")->given;
    if (segments != (mode == GA__TITANS_MAC)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "titans: mode=%s %s", mode_words[mode],
                        segments ? "takes no segment" : "needs segment"));
    }
    if (ga__part_value(own, "window")->integer > 0 && mode != GA__TITANS_MAG && mode != GA__TITANS_MAL) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "titans: mode=%s takes no window", mode_words[mode]));
    }
    GA_TRY(check_gate(run, "theta", INFINITY));
    GA_TRY(check_gate(run, "eta", 1));
    GA_TRY(check_gate(run, "alpha", 1));
    GA_TRY(plan_net(run));
    GA_TRY(plan_projections(run, mode));
    GA_TRY(plan_prefix(run, mode));
done:
    return status;
}

/* The state can be taken between chunks, in mac between segments; attention beside the memory needs all keys. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    int64_t mode = ga__part_value(&run->own, "mode")->integer;
    how->kind = mode == GA__TITANS_MAG || mode == GA__TITANS_MAL ? GA__DECODE_PREFIX : GA__DECODE_STATE;
    how->unit = ga__part_value(&run->own, mode == GA__TITANS_MAC ? "segment" : "chunk")->integer;
    if (how->unit < 1) {
        return ga__fail(run->context, GA_INVALID, "titans: mode=mac needs segment");
    }
    return GA_OK;
}

static const ga__variant_ops ops = {
    .engine = GA__ENGINE_OWN, .plan = plan, .own_forward = forward, .own_backward = backward, .decode = decode
};

const ga_variant ga__titans_variant = {
    .name = "titans",
    .summary = "neural memory trained while reading, alone or with attention (MAC, MAG, MAL)",
    .source = "Titans: Learning to Memorize at Test Time, 2501.00663",
    .family = "linear",
    .plan = "scan with momentum and frozen gradient inside a chunk; modes add attention with prefix keys",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can =
        GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_CARRIES_STATE,
    .ops = &ops,
};
