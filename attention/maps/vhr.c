/* vhr.c - heads whose output depends on the image multiplied (attention-dynamic card B4).
 *
 * a is the output of the last row, b that without the image: vhd_h = |a_h - b_h|, norm_h = |b_h|^2. Outliers, where both are
 * above mean + deviation over the heads, count as vhd 0; heads above the median are multiplied by alpha. */
#include "config.h"

#include "attention/linear/rows.h"
#include "attention/maps/change.h"
#include "attention/maps/maps.h"

static const ga_parameter parameters[] = {
    { "alpha", GA_PARAMETER_REAL, "2", "a finite number", "factor of the chosen heads", .least = -INFINITY,
      .most = INFINITY },
    { "image_start", GA_PARAMETER_INT, "0", ">= 0", "first image key; without reference", GA__FROM(0) },
    { "image_end", GA_PARAMETER_INT, "0", ">= image_start", "end of the image; without reference",
      GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "reference", "(B, H, Dv)", "outputs of the last row without the image; else its keys are hidden",
      .optional = true },
    { .name = NULL },
};

/* The last query, with the keys [from, to) hidden, as a problem of its own; *made is returned owned: (B, H, 1, Dv). */
static ga_status last_row(ga__job *run, int64_t from, int64_t to, DLTensor **made)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    ga_attention problem = run->problem;
    ga_pattern *pattern = NULL;
    ga__view q;
    int64_t *indices = NULL, offsets[] = { 0, 0 };
    int64_t shape[] = { run->batch, run->heads, 1, run->dim },
            o[] = { run->batch, run->heads, 1, run->dim_v };
    GA_TRY(ga__view_of(context, "q", problem.q, true, &q));
    int64_t strides[] = { q.stride_batch, q.stride_head, q.stride_row, 1 };
    DLTensor last = { .data = (void *)(uintptr_t)ga__view_row(&q, 0, 0, run->queries - 1),
                      .device = { kDLCPU, 0 },
                      .ndim = 4,
                      .dtype = problem.q->dtype,
                      .shape = shape,
                      .strides = strides };
    GA_TRY(GA_NEW(context, run->keys, &indices));
    for (int64_t j = 0; j < run->keys; j++) {
        if (j < from || j >= to) {
            indices[offsets[1]++] = j;
        }
    }
    GA_TRY(ga_pattern_csr(context, 1, run->keys, offsets, indices, false, false, &pattern));
    GA_TRY(ga__tensor_new(run, 4, o, made));
    problem.q = &last;
    problem.pattern = pattern;
    const ga_attention_result result = { .o = *made };
    status = ga_attention_forward(context, &problem, GA_FAMILY_AUTO, &result, NULL);
done:
    ga_pattern_destroy(context, pattern);
    ga_free(context, indices);
    return status;
}

typedef struct vhr {
    int64_t heads;
    ga__view with, without; /* (B, H, rows, Dv), of which the last counts; (1, B, H, Dv) or (B, H, 1, Dv) */
    bool by_head;           /* without: heads are an axis of their own, not rows */
    double alpha;
    double *vhd, *norm;     /* owned: (B, heads) */
    bool *outlier, *chosen; /* owned */
} vhr;

static void measure_head(void *user, int64_t b, int64_t h, int64_t row, double *room)
{
    vhr *t = user;
    double far = 0, size = 0;
    (void)row, (void)room;
    for (int64_t c = 0; c < t->with.columns; c++) {
        double x = ga__view_get(&t->with, b, h, t->with.rows - 1, c);
        double y = t->by_head ? ga__view_get(&t->without, b, h, 0, c) : ga__view_get(&t->without, 0, b, h, c);
        far += (x - y) * (x - y);
        size += y * y;
    }
    t->vhd[b * t->heads + h] = sqrt(far);
    t->norm[b * t->heads + h] = size;
}

/* room: of `heads` numbers. */
static void choose(vhr *t, int64_t b, double *room)
{
    const double *vhd = t->vhd + b * t->heads, *norm = t->norm + b * t->heads;
    double far = ga__outlier_level(vhd, t->heads), large = ga__outlier_level(norm, t->heads), median;
    for (int64_t h = 0; h < t->heads; h++) {
        t->outlier[b * t->heads + h] = vhd[h] > far && norm[h] > large;
        room[h] = t->outlier[b * t->heads + h] ? 0 : vhd[h];
    }
    ga__sort_rising(room, t->heads);
    median = ga__quantile(room, t->heads, 0.5);
    for (int64_t h = 0; h < t->heads; h++) {
        t->chosen[b * t->heads + h] = !t->outlier[b * t->heads + h] && vhd[h] > median;
    }
}

static ga_status store_selected(ga__job *run, const vhr *t)
{
    ga_status status = GA_OK;
    int64_t longest = 0;
    DLTensor *selected = NULL;
    for (int64_t b = 0; b < run->batch; b++) {
        int64_t count = 0;
        for (int64_t h = 0; h < t->heads; h++) {
            count += t->chosen[b * t->heads + h];
        }
        longest = ga__max(longest, count);
    }
    GA_TRY(
        ga__change_output(run, "selected", &ga__type_i32, 2, (int64_t[]){ run->batch, longest }, &selected));
    for (int64_t b = 0; b < run->batch; b++) {
        int32_t *row = ga__i32_of(selected) + b * longest;
        int64_t count = 0;
        for (int64_t h = 0; h < t->heads; h++) {
            if (t->chosen[b * t->heads + h]) {
                row[count++] = (int32_t)h;
            }
        }
        for (; count < longest; count++) {
            row[count] = -1;
        }
    }
done:
    return status;
}

static ga_status store(ga__job *run, const vhr *t)
{
    ga_status status = GA_OK;
    DLTensor *vhd = NULL, *outlier = NULL;
    const int64_t shape[] = { run->batch, run->heads };
    ga__view to;
    GA_TRY(ga__change_output(run, "vhd", NULL, 2, shape, &vhd));
    GA_TRY(ga__change_output(run, "outlier", &ga__type_u8, 2, shape, &outlier));
    GA_TRY(ga__view_of(run->context, "vhd", vhd, true, &to));
    for (int64_t i = 0; i < run->batch * run->heads; i++) {
        ga__view_set(&to, 0, 0, i / run->heads, i % run->heads, t->vhd[i]);
        ga__u8_of(outlier)[i] = t->outlier[i];
    }
    status = store_selected(run, t);
done:
    return status;
}

/* Both outputs of the last row; *own and *hidden are returned owned where they had to be made. */
static ga_status open_outputs(ga__job *run, const ga_attention_result *result, vhr *t, DLTensor **own,
                              DLTensor **hidden)
{
    ga_status status = GA_OK;
    const ga__part *part = &run->own;
    const int64_t dims[] = { run->batch, run->heads, run->dim_v };
    int64_t start = ga__part_value(part, "image_start")->integer,
            end = ga__part_value(part, "image_end")->integer;
    int slot;
    GA_TRY(ga__slot_shaped(run, "reference", 3, dims, &slot));
    if (end < start) {
        GA_TRY(ga__part_refuse(part, "image_end", ">= image_start, %lld", (long long)start));
    }
    if (slot < 0 && end == start) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "vhr needs reference, or the image's keys image_start and image_end"));
    }
    if (run->queries == 0) {
        goto done;
    }
    if (!result->o) {
        GA_TRY(last_row(run, 0, 0, own));
    }
    if (slot < 0) {
        GA_TRY(last_row(run, start, end, hidden));
    }
    t->by_head = slot < 0;
    GA_TRY(ga__view_of(run->context, "o", result->o ? result->o : *own, true, &t->with));
    GA_TRY(ga__view_of(run->context, "reference", slot < 0 ? *hidden : run->slots[slot].tensor, true,
                       &t->without));
    status = ga__rows(run, run->batch, run->heads, 1, 0, measure_head, t);
done:
    return status;
}

static void gate(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const vhr *t = user;
    if (t->chosen[b * t->heads + h]) {
        ga__view_load_f64(&t->with, b, h, r, room);
        for (int64_t c = 0; c < t->with.columns; c++) {
            room[c] *= t->alpha;
        }
        ga__view_store_f64(&t->with, b, h, r, room);
    }
}

static ga_status forward(ga__job *run, const ga_attention_result *result)
{
    ga_status status = GA_OK;
    ga_context *context = run->context;
    vhr t = { .heads = run->heads, .alpha = ga__part_value(&run->own, "alpha")->real };
    DLTensor *own = NULL, *hidden = NULL;
    int64_t all = run->batch * run->heads;
    double *room = NULL;
    GA_TRY(GA_NEW_ZERO(context, all, &t.vhd));
    GA_TRY(GA_NEW_ZERO(context, all, &t.norm));
    GA_TRY(GA_NEW_ZERO(context, all, &t.outlier));
    GA_TRY(GA_NEW_ZERO(context, all, &t.chosen));
    GA_TRY(GA_NEW(context, run->heads, &room));
    if (result->o || result->lse || result->map || result->statistics) {
        GA_TRY(ga_attention_forward(context, &run->problem, GA_FAMILY_AUTO, result, NULL));
    }
    GA_TRY(open_outputs(run, result, &t, &own, &hidden));
    for (int64_t b = 0; b < run->batch && run->heads > 0; b++) {
        choose(&t, b, room);
    }
    GA_TRY(store(run, &t));
    if (result->o && run->queries > 0) {
        status = ga__rows(run, run->batch, run->heads, run->queries, run->dim_v, gate, &t);
    }
done:
    ga_tensor_destroy(context, own);
    ga_tensor_destroy(context, hidden);
    ga_free(context, t.vhd);
    ga_free(context, t.norm);
    ga_free(context, t.outlier);
    ga_free(context, t.chosen);
    ga_free(context, room);
    return status;
}

static const ga__variant_ops ops = { .pattern = &ga__pattern_full_row,
                                     .normaliser = &ga__softmax_row,
                                     .forward = forward,
                                     .output = ga__change_take };

const ga_variant ga__vhr_variant = {
    .name = "vhr",
    .summary = "multiplies the heads whose output depends on the image",
    .source = "Cracking the Code of Hallucination in LVLMs with Vision-aware Head Divergence, 2412.13949",
    .family = "dynamic",
    .plan =
        "pattern: all pairs; score: scaled dot; normaliser: softmax; post: heads multiplied, after a second pass of the "
        "last row without the image",
    .outputs = "o, lse, map, vhd, outlier, selected",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP,
    .causality = { .prefix = GA_PREFIX_SUPPORT, .rows = GA_ROWS_TOGETHER },
    .ops = &ops,
};
