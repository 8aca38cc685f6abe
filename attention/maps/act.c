/* act.c - attention sinks damped, all but the first, and their weight spread over the row (attention-dynamic card B2).
 *
 * recv_j = sum of column j / rows that see j; a sink where recv_j > alpha / Nk; the one of lowest index is left alone. The
 * weight of the others is multiplied by beta, and what they lose goes to all other keys of the row in proportion. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/rows.h"
#include "attention/maps/change.h"
#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "alpha", GA_PARAMETER_REAL, "5", "> 0", "a sink receives more than alpha/Nk", GA__ABOVE(0) },
    { "beta", GA_PARAMETER_REAL, "0.4", "0..1", "share of its weight that a sink keeps", GA__WITHIN(0, 1) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "heads", "u8 (H)", "heads to calibrate; all without it", .optional = true },
    { "recv", "(B, H, Nk)", "received means, instead of those of this call", .optional = true },
    { .name = NULL },
};

enum { REST, SINK, CLASSES };

typedef struct act {
    int64_t heads, keys;
    double least, beta; /* a sink is above */
    ga__view calibrates, recv;
    uint8_t *sinks;
    int32_t *classes; /* owned: (batch, heads, keys) */
    bool *any;        /* owned: (batch, heads): something to do */
} act;

/* Rows of the call that see a key. */
static int64_t rows_of(const ga__job *run, int64_t key)
{
    int64_t hidden = run->causal ? ga__max(key - (run->keys - run->queries), 0) : 0;
    return ga__max(run->queries - hidden, 0);
}

/* Means of the columns, from a pass over the queries of its own. */
static ga_status receive(ga__job *run, const ga__view *recv)
{
    ga_status status = GA_OK;
    const DLDataType wide = { kDLFloat, 64, 1 };
    const int64_t shape[] = { run->batch, run->heads, run->keys };
    DLTensor *sums = NULL;
    ga__view from;
    GA_TRY(ga_tensor_create(run->context, wide, 3, shape, &sums));
    ga_row_statistics statistics = { .column_sum = sums };
    const ga_attention_result result = { .statistics = &statistics };
    GA_TRY(ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, &result, NULL));
    GA_TRY(ga__view_of(run->context, "recv", sums, true, &from));
    for (int64_t slice = 0; slice < run->batch * run->heads; slice++) {
        for (int64_t j = 0; j < run->keys; j++) {
            int64_t b = slice / run->heads, h = slice % run->heads, rows = rows_of(run, j);
            double sum = ga__view_get(&from, 0, b, h, j);
            ga__view_set(recv, 0, b, h, j, rows > 0 ? sum / (double)rows : 0);
        }
    }
done:
    ga_tensor_destroy(run->context, sums);
    return status;
}

static ga_status open_act(ga__job *run, act *t)
{
    ga_status status = GA_OK;
    DLTensor *recv = NULL, *sinks = NULL;
    int slot;
    const int64_t shape[] = { run->batch, run->heads, run->keys };
    int64_t count = 0;
    *t = (act){ .heads = run->heads,
                .keys = run->keys,
                .least = ga__part_value(&run->own, "alpha")->real / (double)run->keys,
                .beta = ga__part_value(&run->own, "beta")->real };
    GA_TRY(ga__flags(run, "heads", 1, &run->heads, &t->calibrates));
    GA_TRY(ga__slot_shaped(run, "recv", 3, shape, &slot));
    GA_TRY(ga__change_output(run, "recv", NULL, 3, shape, &recv));
    GA_TRY(ga__change_output(run, "sinks", &ga__type_u8, 3, shape, &sinks));
    GA_TRY(ga__view_of(run->context, "recv", recv, true, &t->recv));
    t->sinks = sinks->data;
    if (slot < 0) {
        GA_TRY(receive(run, &t->recv));
    } else {
        ga__view given;
        GA_TRY(ga__slot_view(run, slot, &given));
        for (int64_t i = 0; i < run->batch * run->heads * run->keys; i++) {
            int64_t slice = i / run->keys, j = i % run->keys;
            double value = ga__view_get(&given, 0, slice / run->heads, slice % run->heads, j);
            ga__view_set(&t->recv, 0, slice / run->heads, slice % run->heads, j, value);
        }
    }
    if (!ga__mul(run->batch * run->heads, run->keys, &count)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "act: too many keys"));
    }
    GA_TRY(GA_NEW(run->context, count, &t->classes));
    GA_TRY(GA_NEW(run->context, run->batch * run->heads, &t->any));
done:
    return status;
}

static void label(void *user, int64_t batch, int64_t head, int64_t row, double *room)
{
    act *t = user;
    int64_t slice = batch * t->heads + head, found = 0;
    bool calibrates = !t->calibrates.data || ga__flag(&t->calibrates, 0, head);
    (void)row, (void)room;
    t->any[slice] = false;
    for (int64_t j = 0; j < t->keys; j++) {
        bool sink = ga__view_get(&t->recv, 0, batch, head, j) > t->least;
        bool damped = sink && found > 0 && calibrates;
        found += sink;
        t->sinks[slice * t->keys + j] = sink;
        t->classes[slice * t->keys + j] = damped ? SINK : REST;
        t->any[slice] = t->any[slice] || damped;
    }
}

static void factors(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                    double *factor)
{
    const act *t = user;
    (void)batch, (void)head, (void)query;
    if (mass[REST] > 0) {
        factor[SINK] = t->beta;
        factor[REST] = 1 + (1 - t->beta) * mass[SINK] / mass[REST];
    }
}

static bool is_needed(const ga__job *run, const act *t)
{
    for (int64_t slice = 0; slice < run->batch * run->heads; slice++) {
        if (t->any[slice]) {
            return true;
        }
    }
    return false;
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    act t = { .classes = NULL };
    ga_post post = { .form = GA_POST_CLASSWISE,
                     .user = &t,
                     .class_count = CLASSES,
                     .class_stride_batch = run->heads * run->keys,
                     .class_stride_head = run->keys,
                     .factors = factors };
    GA_TRY(open_act(run, &t));
    GA_TRY(ga__rows(run, run->batch, run->heads, 1, 0, label, &t));
    if (result->o || result->lse || result->map || result->statistics) {
        post.classes = t.classes;
        run->problem.post = is_needed(run, &t) ? &post : NULL;
        status = ga_attention_forward(run->context, &run->problem, GA_FAMILY_AUTO, result, NULL);
    }
done:
    run->problem.post = NULL;
    ga_free(run->context, t.classes);
    ga_free(run->context, t.any);
    return status;
}

/* A threshold of all keys, which no step knows: means become infinite where they are above it, 0 elsewhere. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    ga_status status = GA_OK;
    const int64_t shape[] = { run->batch, run->heads, run->keys };
    double least = ga__part_value(&run->own, "alpha")->real / (double)run->keys;
    ga__view from, to;
    int slot;
    GA_TRY(ga__slot_shaped(run, "recv", 3, shape, &slot));
    if (slot < 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "act is decoded with recv: the means of this call need all of its queries"));
    }
    GA_TRY(ga__tensor_new(run, 3, shape, &how->made));
    how->tensor = "recv";
    GA_TRY(ga__slot_view(run, slot, &from));
    GA_TRY(ga__view_of(run->context, "recv", how->made, true, &to));
    for (int64_t i = 0; i < run->batch * run->heads * run->keys; i++) {
        int64_t slice = i / run->keys, b = slice / run->heads, h = slice % run->heads, j = i % run->keys;
        ga__view_set(&to, 0, b, h, j, ga__view_get(&from, 0, b, h, j) > least ? INFINITY : 0);
    }
done:
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .forward = forward,
                                     .output = ga__change_take,
                                     .decode = decode };

const ga_variant ga__act_variant = {
    .name = "act",
    .summary = "damps every attention sink but the first and spreads its weight over the row",
    .source = "Unveiling and Harnessing Hidden Attention Sinks, ACT, 2406.15765",
    .family = "dynamic",
    .plan =
        "pattern: all pairs; score: scaled dot; normaliser: softmax; post: column means in a pass of their own, then "
        "weight moved by classes of keys",
    .outputs = "o, lse, map, recv, sinks",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE,
    .causality = { .prefix = GA_PREFIX_SUPPORT, .rows = GA_ROWS_TOGETHER },
    .ops = &ops,
};
