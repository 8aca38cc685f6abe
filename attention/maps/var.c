/* var.c - weight of visual sinks moved to the other tokens of the image (attention-dynamic card B1).
 *
 * With the masses of a row on image sinks, text sinks and the rest of the image: chosen where sinks have at most the share
 * rho of the image and the image at least the mass summ; then sinks keep the share `keep` of their weight and the rest of
 * the image gets what they lose, each key in proportion to its weight. */
#include "config.h"

#include "attention/decode.h"
#include "attention/linear/rows.h"
#include "attention/maps/change.h"
#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "image_start", GA_PARAMETER_INT, "0", ">= 0", "first image key", GA__FROM(0) },
    { "image_end", GA_PARAMETER_INT, "0", ">= image_start", "end of the image", GA__FROM(0) },
    { "keep", GA_PARAMETER_REAL, "0.6", "0..1", "share of its weight that a sink keeps", GA__WITHIN(0, 1) },
    { "rho", GA_PARAMETER_REAL, "0.5", "0..1", "most share of sinks in the image's mass of a chosen row",
      GA__WITHIN(0, 1) },
    { "summ", GA_PARAMETER_REAL, "0.2", "0..1", "least mass of the image in a chosen row", GA__WITHIN(0, 1) },
    { "rows_from", GA_PARAMETER_INT, "-1", ">= -1", "first position that may be chosen; -1 = image_end",
      GA__FROM(-1) },
    { "tau", GA_PARAMETER_REAL, "20", "0..sqrt(D)", "phi above which a token is a sink", GA__FROM(0) },
    { "sink_dims", GA_PARAMETER_INT_LIST, NULL, ">= 0", "channels of the phi test of hidden", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "sink_mask", "u8 (B, Nk)", "sinks, in the image and in the text; or hidden", .optional = true },
    { "hidden", "(B, Nk, D)", "hidden states for the phi test; or sink_mask", .optional = true },
    { .name = NULL },
};

enum { REST, IMAGE_SINK, TEXT_SINK, IMAGE, CLASSES };

typedef struct var {
    int64_t heads, queries, keys, shift; /* shift: position of query 0 */
    int64_t start, end, from;
    double keep, rho, summ, tau;
    const ga__value *dims;
    ga__view mask, hidden; /* one of them has data */
    int32_t *classes;      /* owned: (batch, keys) */
    bool *applies;         /* owned: (batch): it has a sink in the image */
    uint8_t *chosen;       /* (batch, heads, queries) */
} var;

static ga_status open_hidden(ga__job *run, var *t)
{
    ga_status status = GA_OK;
    int slot;
    const int64_t dims[] = { run->batch, run->keys, -1 };
    GA_TRY(ga__slot_shaped(run, "hidden", 3, dims, &slot));
    GA_TRY(ga__slot_view(run, slot, &t->hidden));
    if (!t->mask.data == (slot < 0)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "var needs one of sink_mask and hidden"));
    }
    if (slot < 0) {
        return GA_OK;
    }
    if (t->dims->count == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "var: hidden needs sink_dims"));
    }
    for (int64_t i = 0; i < t->dims->count; i++) {
        if (t->dims->list[i] >= t->hidden.columns) {
            GA_TRY(
                ga__part_refuse(&run->own, "sink_dims", "channels below %lld", (long long)t->hidden.columns));
        }
    }
    if (t->tau * t->tau > (double)t->hidden.columns) {
        GA_TRY(ga__part_refuse(&run->own, "tau", "at most the root of %lld channels: phi is never larger",
                               (long long)t->hidden.columns));
    }
done:
    return status;
}

static ga_status open_var(ga__job *run, var *t)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    const int64_t of_mask[] = { run->batch, run->keys };
    *t = (var){ .heads = run->heads,
                .queries = run->queries,
                .keys = run->keys,
                .shift = run->keys - run->queries,
                .start = ga__part_value(own, "image_start")->integer,
                .end = ga__part_value(own, "image_end")->integer,
                .from = ga__part_value(own, "rows_from")->integer,
                .keep = ga__part_value(own, "keep")->real,
                .rho = ga__part_value(own, "rho")->real,
                .summ = ga__part_value(own, "summ")->real,
                .tau = ga__part_value(own, "tau")->real,
                .dims = ga__part_value(own, "sink_dims") };
    if (t->end < t->start) {
        GA_TRY(ga__part_refuse(own, "image_end", ">= image_start, %lld", (long long)t->start));
    }
    t->from = t->from < 0 ? t->end : t->from;
    GA_TRY(ga__flags(run, "sink_mask", 2, of_mask, &t->mask));
    status = open_hidden(run, t);
done:
    return status;
}

/* phi = max over sink_dims of |x_c| / sqrt(mean x^2 + 1e-6) > tau. */
static bool is_sink(const var *t, int64_t batch, int64_t key)
{
    double square = 0, largest = 0;
    if (t->mask.data) {
        return ga__flag(&t->mask, batch, key);
    }
    for (int64_t c = 0; c < t->hidden.columns; c++) {
        double x = ga__view_get(&t->hidden, 0, batch, key, c);
        square += x * x;
    }
    for (int64_t i = 0; i < t->dims->count; i++) {
        largest = fmax(largest, fabs(ga__view_get(&t->hidden, 0, batch, key, t->dims->list[i])));
    }
    return largest / sqrt(square / (double)t->hidden.columns + 1e-6) > t->tau;
}

static void label(void *user, int64_t batch, int64_t head, int64_t row, double *room)
{
    var *t = user;
    (void)head, (void)row, (void)room;
    t->applies[batch] = false;
    for (int64_t j = 0; j < t->keys; j++) {
        bool sink = is_sink(t, batch, j), image = j >= t->start && j < t->end;
        t->classes[batch * t->keys + j] = image ? (sink ? IMAGE_SINK : IMAGE) : sink ? TEXT_SINK : REST;
        t->applies[batch] = t->applies[batch] || (sink && image);
    }
}

static void factors(void *user, int64_t batch, int64_t head, int64_t query, const double *mass,
                    double *factor)
{
    const var *t = user;
    double image = mass[IMAGE_SINK] + mass[IMAGE];
    double share = mass[IMAGE_SINK] / (image + 1e-6 * (double)(t->end - t->start));
    bool chosen = t->applies[batch] && query + t->shift >= t->from && share <= t->rho && image >= t->summ &&
                  mass[IMAGE] > 0;
    t->chosen[(batch * t->heads + head) * t->queries + query] = chosen;
    if (chosen) {
        double moved = (1 - t->keep) * (mass[IMAGE_SINK] + mass[TEXT_SINK]);
        factor[IMAGE_SINK] = factor[TEXT_SINK] = t->keep;
        factor[IMAGE] = 1 + moved / mass[IMAGE];
    }
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    ga_attention_result wanted = *result;
    const int64_t rows[] = { run->batch, run->heads, run->queries };
    const int64_t o[] = { run->batch, run->heads, run->queries, run->dim_v };
    DLTensor *chosen = NULL, *spare = NULL;
    var t = { .classes = NULL };
    ga_post post = { .form = GA_POST_CLASSWISE,
                     .user = &t,
                     .class_count = CLASSES,
                     .class_stride_batch = run->keys,
                     .factors = factors };
    GA_TRY(open_var(run, &t));
    GA_TRY(GA_NEW(context, run->batch * run->keys, &t.classes));
    GA_TRY(GA_NEW(context, run->batch, &t.applies));
    GA_TRY(ga__change_output(run, "chosen", &ga__type_u8, 3, rows, &chosen));
    t.chosen = chosen->data;
    if (!wanted.o && !wanted.map) { /* rows are chosen where values are summed */
        GA_TRY(ga__tensor_new(run, 4, o, &spare));
        wanted.o = spare;
    }
    GA_TRY(ga__rows(run, run->batch, 1, 1, 0, label, &t));
    post.classes = t.classes;
    run->problem.post = &post;
    status = ga_attention_forward(context, &run->problem, GA_FAMILY_AUTO, &wanted, NULL);
done:
    run->problem.post = NULL;
    ga_tensor_destroy(context, spare);
    ga_free(context, t.classes);
    ga_free(context, t.applies);
    return status;
}

/* With earlier rows the image is not all there when they come. */
static ga_status decode(ga__job *run, ga__decode *how)
{
    int64_t from = ga__part_value(&run->own, "rows_from")->integer;
    (void)how;
    if (from >= 0 && from < ga__part_value(&run->own, "image_end")->integer) {
        return ga__part_refuse(&run->own, "rows_from", "image_end or later when decoding");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .forward = forward,
                                     .output = ga__change_take,
                                     .decode = decode };

const ga_variant ga__var_variant = {
    .name = "var",
    .summary = "moves weight from visual sinks to the other image tokens in image-centric heads",
    .source = "See What You Are Told: Visual Attention Sink in Large Multimodal Models, 2503.03321",
    .family = "dynamic",
    .plan =
        "pattern: all pairs; score: scaled dot; normaliser: softmax; post: weight moved by classes of keys, in the "
        "same pass",
    .outputs = "o, lse, map, chosen",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_DECODE,
    .ops = &ops,
};
