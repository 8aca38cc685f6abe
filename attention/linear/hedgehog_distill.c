/* hedgehog_distill.c - the loss that makes learned features mimic a softmax, and its gradients (attention-linear card 6).
 *
 * loss = - mean over rows of sum_j P_j ln max(s_j / sum s, 1e-12), P the softmax of q . k / sqrt d, s_j the product of
 * features. ds_j = (A / sum s - P_j / s_j) / rows over the terms above the floor, A the sum of their P_j (the second
 * term is 0 below the floor); d features of q = sum_j ds_j features of k, and the other way round. */
#include "config.h"

#include <string.h>

#include "attention/linear/hedgehog.h"

static const double floor_of_weights = 1e-12;

typedef struct distilling {
    const ga__job *run;
    ga__view q, k, features_q, features_k;
    ga__view loss, d_q, d_k; /* loss of every row; gradients of the features; without data: not wanted */
    int64_t width;           /* of the features */
} distilling;

static double dot(const ga__view *x, const ga__view *y, int64_t b, int64_t h, int64_t g, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t c = 0; c < x->columns; c++) {
        sum += ga__view_get(x, b, h, i, c) * ga__view_get(y, b, g, j, c);
    }
    return sum;
}

static int64_t visible(const ga__job *run, int64_t row)
{
    return run->causal ? ga__max(0, row + run->keys - run->queries + 1) : run->keys;
}

/* Weights of the softmax, and the products of features with their sum. */
static double compare(const distilling *t, int64_t b, int64_t h, int64_t r, double *teacher, double *student)
{
    const ga__job *run = t->run;
    double sums[2] = { 0, 0 }, most = -INFINITY;
    int64_t g = h / (run->heads / run->kv_heads), n = visible(run, r);
    for (int64_t j = 0; j < n; j++) {
        teacher[j] = dot(&t->q, &t->k, b, h, g, r, j) / sqrt((double)run->dim);
        student[j] = dot(&t->features_q, &t->features_k, b, h, g, r, j);
        most = fmax(most, teacher[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        teacher[j] = exp(teacher[j] - most);
        sums[0] += teacher[j];
        sums[1] += student[j];
    }
    for (int64_t j = 0; j < n; j++) {
        teacher[j] /= sums[0];
    }
    return sums[1];
}

static void loss_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const distilling *t = user;
    double *teacher = room, *student = room + t->run->keys, sum = compare(t, b, h, r, teacher, student),
           loss = 0;
    for (int64_t j = 0; j < visible(t->run, r); j++) {
        loss -= teacher[j] * log(fmax(student[j] / sum, floor_of_weights));
    }
    ga__view_set(&t->loss, b, h, r, 0, loss);
}

/* ds in the place of student. */
static void score_gradients(const distilling *t, int64_t b, int64_t h, int64_t r, double *teacher,
                            double *student)
{
    const ga__job *run = t->run;
    double sum = compare(t, b, h, r, teacher, student), above = 0;
    double rows = (double)(run->batch * run->heads * run->queries);
    for (int64_t j = 0; j < visible(run, r); j++) {
        above += student[j] / sum > floor_of_weights ? teacher[j] : 0;
    }
    for (int64_t j = 0; j < visible(run, r); j++) {
        double own = student[j] / sum > floor_of_weights ? teacher[j] / student[j] : 0;
        student[j] = (above / sum - own) / rows;
    }
}

static void query_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const distilling *t = user;
    double *teacher = room, *student = teacher + t->run->keys, *d = student + t->run->keys;
    int64_t g = h / (t->run->heads / t->run->kv_heads);
    score_gradients(t, b, h, r, teacher, student);
    memset(d, 0, (size_t)t->width * sizeof *d);
    for (int64_t j = 0; j < visible(t->run, r); j++) {
        for (int64_t c = 0; c < t->width; c++) {
            d[c] += student[j] * ga__view_get(&t->features_k, b, g, j, c);
        }
    }
    ga__view_store_f64(&t->d_q, b, h, r, d);
}

/* All keys of a key/value head, whose query heads add up in their order. */
static void key_group(void *user, int64_t b, int64_t g, int64_t row, double *room)
{
    const distilling *t = user;
    const ga__job *run = t->run;
    double *teacher = room, *student = teacher + run->keys, *d = student + run->keys;
    int64_t group = run->heads / run->kv_heads;
    (void)row;
    memset(d, 0, (size_t)(run->keys * t->width) * sizeof *d);
    for (int64_t i = 0; i < group * run->queries; i++) {
        int64_t h = g * group + i / run->queries, r = i % run->queries;
        score_gradients(t, b, h, r, teacher, student);
        for (int64_t j = 0; j < visible(run, r); j++) {
            for (int64_t c = 0; c < t->width; c++) {
                d[j * t->width + c] += student[j] * ga__view_get(&t->features_q, b, h, r, c);
            }
        }
    }
    for (int64_t j = 0; j < run->keys; j++) {
        ga__view_store_f64(&t->d_k, b, g, j, d + j * t->width);
    }
}

static ga_status open_distilling(ga__job *run, const char *name, distilling *t)
{
    ga_status status = GA_OK;
    *t = (distilling){ .run = run };
    GA_TRY(ga__view_of(run->context, name, run->before[0].before_view, true, &t->q));
    GA_TRY(ga__view_of(run->context, name, run->before[1].before_view, true, &t->k));
    GA_TRY(ga__slot_view(run, GA__Q, &t->features_q));
    GA_TRY(ga__slot_view(run, GA__K, &t->features_k));
    t->width = t->features_q.columns;
done:
    return status;
}

static ga_status loss_of(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    distilling t;
    DLTensor *rows = NULL, *made = NULL;
    const int64_t shape[] = { run->batch, run->heads, run->queries, 1 }, one[] = { 1 };
    ga__view to;
    double sum = 0;
    int64_t count = run->batch * run->heads * run->queries;
    GA_TRY(open_distilling(run, name, &t));
    GA_TRY(ga_tensor_create(run->context, (DLDataType){ kDLFloat, 64, 1 }, 4, shape, &rows));
    GA_TRY(ga__view_of(run->context, name, rows, true, &t.loss));
    GA_TRY(ga__tensor_new(run, 1, one, &made));
    GA_TRY(ga__view_of(run->context, name, made, true, &to));
    GA_TRY(ga__rows(run, run->batch, run->heads, run->queries, 2 * run->keys, loss_row, &t));
    for (int64_t i = 0; i < count; i++) {
        sum += ((const double *)rows->data)[i];
    }
    ga__view_set(&to, 0, 0, 0, 0, count ? sum / (double)count : 0);
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, rows);
    ga_tensor_destroy(run->context, made);
    return status;
}

/* keys: of w_k or b_k, else of w_q or b_q. */
static ga_status gradient_of(ga__job *run, const char *name, bool keys, bool bias, DLTensor **out)
{
    ga_status status = GA_OK;
    distilling t;
    DLTensor *features = NULL, *made = NULL;
    const ga__step *step = &run->before[keys ? 1 : 0];
    int64_t heads = keys ? run->kv_heads : run->heads, room = 0;
    GA_TRY(open_distilling(run, name, &t));
    const int64_t of_features[] = { run->batch, heads, keys ? run->keys : run->queries, t.width };
    const int64_t of_weight[] = { heads, run->dim, t.width / 2 }, of_bias[] = { heads, t.width / 2 };
    GA_TRY(ga__tensor_new(run, 4, of_features, &features));
    GA_TRY(ga__view_of(run->context, name, features, true, keys ? &t.d_k : &t.d_q));
    if (!ga__mul(keys ? run->keys : 1, t.width, &room) || !ga__add(room, 2 * run->keys, &room)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "%s: too many keys", name));
    }
    if (keys) {
        GA_TRY(ga__rows(run, run->batch, run->kv_heads, 1, room, key_group, &t));
    } else {
        GA_TRY(ga__rows(run, run->batch, run->heads, run->queries, room, query_row, &t));
    }
    GA_TRY(ga__tensor_new(run, bias ? 2 : 3, bias ? of_bias : of_weight, &made));
    GA_TRY(ga__hedgehog_weights_back(run, step, features, bias ? NULL : made, bias ? made : NULL));
    *out = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, features);
    ga_tensor_destroy(run->context, made);
    return status;
}

ga_status ga__hedgehog_distill(ga__job *run, const char *name, DLTensor **out)
{
    const char *of = name + strlen("distill");
    if (!*of) {
        return loss_of(run, name, out);
    }
    return gradient_of(run, name, of[3] == 'k', of[1] == 'b', out);
}
