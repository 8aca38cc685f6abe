/* check_properties.c - what must hold for every variant of the registry. */
#include "config.h"

#include <graphattn.h>

#include <math.h>

#include "tests/reference/reference.h"
#include "tests/unit/support.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 };

/* ---- running a variant ---- */

static DLTensor *tensor_of(ga_context *context, const array *a, DLDataType dtype)
{
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, dtype, a->ndim, a->shape, &tensor));
    for (int64_t i = 0; i < array_count(a); i++) {
        if (dtype.code == kDLUInt) {
            ((uint8_t *)tensor->data)[i] = (uint8_t)a->data[i];
        } else if (dtype.bits == 64) {
            ((double *)tensor->data)[i] = a->data[i];
        } else {
            ((float *)tensor->data)[i] = (float)a->data[i];
        }
    }
    return tensor;
}

static double value_at(const DLTensor *tensor, int64_t i)
{
    return tensor->dtype.bits == 64 ? ((const double *)tensor->data)[i]
                                    : (double)((const float *)tensor->data)[i];
}

static int64_t count_of(const DLTensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

/* Fills wanted[] by ga_attend; the caller destroys its tensors. */
static ga_status run(ga_context *context, const problem *p, bool wide, ga_named_tensor *wanted, int64_t count)
{
    DLDataType dtype = wide ? f64 : f32;
    DLTensor *q = tensor_of(context, &p->q, dtype), *k = tensor_of(context, &p->k, dtype),
             *v = tensor_of(context, &p->v, dtype), *grad = tensor_of(context, &p->grad_o, dtype);
    ga_named_tensor tensors[REFERENCE_TENSORS];
    ga_graph *graph = NULL;
    for (int i = 0; i < p->tensor_count; i++) {
        const reference_tensor *t = &p->tensors[i];
        tensors[i] =
            (ga_named_tensor){ t->name, tensor_of(context, &t->values, t->dtype.bits ? t->dtype : dtype) };
    }
    if (p->edges >= 0) {
        int64_t nodes = p->queries > p->keys ? p->queries : p->keys;
        test_ok(context, ga_graph_from_edges(context, nodes, p->edges, p->edge_source, p->edge_target, NULL,
                                             GA_LOOPS_KEEP, GA_MULTI_COLLAPSE, &graph));
    }
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    call.q = q;
    call.k = k;
    call.v = v;
    call.parameters = p->parameters;
    call.parameter_count = p->parameter_count;
    call.tensors = tensors;
    call.tensor_count = p->tensor_count;
    call.causal = p->causal;
    call.scale = p->scale;
    call.graph = graph;
    call.grad_o = grad;
    call.f64 = wide;
    ga_status status = ga_attend(context, p->fixture->name, &call, wanted, count);
    for (int i = 0; i < p->tensor_count; i++) {
        ga_tensor_destroy(context, tensors[i].tensor);
    }
    ga_graph_destroy(context, graph);
    ga_tensor_destroy(context, q);
    ga_tensor_destroy(context, k);
    ga_tensor_destroy(context, v);
    ga_tensor_destroy(context, grad);
    return status;
}

/* One output, for which the variant must not fail. */
static DLTensor *output_of(ga_context *context, const problem *p, bool wide, const char *name)
{
    ga_named_tensor wanted = { name, NULL };
    ga_status status = run(context, p, wide, &wanted, 1);
    ck_assert_msg(status == GA_OK, "%s: %s: %s", p->fixture->name, name, ga_context_error(context));
    return wanted.tensor;
}

static void close_to(const problem *p, const char *what, double got, double want, double relative,
                     double absolute)
{
    bool same =
        (isnan(got) && isnan(want)) || got == want || fabs(got - want) <= absolute + relative * fabs(want);
    ck_assert_msg(same, "%s (%lld x %lld, dim %lld, %s): %s is %.9g, by definition %.9g", p->fixture->name,
                  (long long)p->queries, (long long)p->keys, (long long)p->dim,
                  p->causal ? "causal" : "not causal", what, got, want);
}

/* ---- the shapes ---- */

typedef struct shape {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
} shape;
static const shape shapes[] = { { 1, 1, 1, 1, 1, 1, 1 },     { 2, 4, 2, 7, 7, 3, 5 },
                                { 1, 2, 1, 13, 13, 8, 8 },   { 1, 2, 2, 5, 9, 4, 4 },
                                { 1, 1, 1, 9, 5, 4, 2 },     { 1, 3, 1, 70, 70, 16, 16 },
                                { 1, 1, 1, 130, 130, 20, 4 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* False when the variant cannot take that problem. */
static bool make(problem *p, const ga_variant *variant, const shape *s, bool causal, uint64_t seed)
{
    const fixture *f = find_fixture(variant->name);
    ck_assert_msg(f != NULL, "variant %s has no reference", variant->name);
    if ((causal && !(variant->can & GA_CAN_CAUSAL)) || (!causal && f->causal_only) ||
        (!causal && variant->can & GA_ALWAYS_CAUSAL) ||
        (s->queries != s->keys && !(variant->can & GA_CAN_CROSS && f->any_queries)) ||
        (s->heads != 1 && f->one_head) || (s->heads != s->kv_heads && !(variant->can & GA_CAN_GROUP))) {
        return false;
    }
    problem_make(p, f, s->batch, s->heads, s->kv_heads, s->queries, s->keys, s->dim, s->dim_v, causal, seed);
    return true;
}

/* Calls check for every variant, shape and causal flag. */
static void for_all(void (*check)(ga_context *context, const ga_variant *variant, problem *p),
                    int shape_count)
{
    ga_context *context = test_threads_context(2);
    for (const ga_variant *const *row = ga_variants(); *row; row++) {
        const ga_variant *variant = *row;
        for (int i = 0; i < shape_count; i++) {
            for (int causal = 0; causal < 2; causal++) {
                problem p;
                if (make(&p, variant, &shapes[i], causal == 1, (uint64_t)(3 * i + causal))) {
                    check(context, variant, &p);
                    problem_free(&p);
                }
            }
        }
    }
    test_context_done(context, NULL);
}

/* ---- the properties ---- */

static void check_definition(ga_context *context, const ga_variant *variant, problem *p)
{
    (void)variant;
    array want = array_make(4, (int64_t[]){ p->batch, p->heads, p->queries, p->dim_v });
    reference_attend(p, &want, NULL, NULL);
    for (int backend = GA_BACKEND_AUTO; backend <= GA_BACKEND_AVX512; backend++) {
        if (!ga_backend_available((ga_backend)backend)) {
            continue;
        }
        bool wide = backend == GA_BACKEND_AUTO;
        test_ok(context, ga_context_set_backend(context, (ga_backend)backend));
        DLTensor *o = output_of(context, p, wide, "o");
        for (int64_t i = 0; i < array_count(&want); i++) {
            close_to(p, "o", value_at(o, i), want.data[i], wide ? 1e-11 : 1e-4, wide ? 1e-12 : 1e-5);
        }
        ga_tensor_destroy(context, o);
    }
    test_ok(context, ga_context_set_backend(context, GA_BACKEND_AUTO));
    array_free(&want);
}

START_TEST(by_definition)
{
    for_all(check_definition, SHAPES);
}
END_TEST

/* With everything visible a pattern is no pattern. */
static void check_dense(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!p->fixture->make_dense || !(variant->can & GA_IS_PATTERN) ||
        (p->fixture->by_position && p->queries > p->keys)) {
        return;
    }
    p->fixture->make_dense(p);
    problem full = *p;
    full.fixture = find_fixture("full");
    full.parameter_count = full.tensor_count = 0;
    full.edges = -1;
    for (int i = 0; i < p->tensor_count; i++) {
        if (strcmp(p->tensors[i].name, "bias") == 0) {
            return;
        }
    }
    double cap = problem_number(p, "softcap", 0);
    if (cap > 0) {
        problem_set_number(&full, "softcap", cap);
    }
    DLTensor *got = output_of(context, p, false, "o"), *want = output_of(context, &full, false, "o");
    for (int64_t i = 0; i < count_of(got); i++) {
        close_to(p, "o with all keys", value_at(got, i), value_at(want, i), 1e-5, 1e-6);
    }
    ga_tensor_destroy(context, got);
    ga_tensor_destroy(context, want);
}

START_TEST(all_keys_is_dense)
{
    for_all(check_dense, SHAPES);
}
END_TEST

/* A map times the values is the output; under softmax its rows sum to one, or to zero where nothing is seen. */
static void check_map(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!strstr(variant->outputs, "map")) {
        return;
    }
    ga_named_tensor wanted[] = { { "o", NULL }, { "map", NULL }, { "lse", NULL } };
    bool softmax = strstr(variant->outputs, "lse") != NULL;
    test_ok(context, run(context, p, false, wanted, softmax ? 3 : 2));
    int64_t rows = p->batch * p->heads * p->queries;
    for (int64_t r = 0; r < rows; r++) {
        int64_t head = r / p->queries, b = head / p->heads, g = head % p->heads / (p->heads / p->kv_heads);
        double sum = 0;
        for (int64_t j = 0; j < p->keys; j++) {
            sum += value_at(wanted[1].tensor, r * p->keys + j);
        }
        if (softmax) {
            bool empty = isinf(value_at(wanted[2].tensor, r));
            close_to(p, "row sum", sum, empty ? 0 : 1, 0, 1e-5);
        }
        for (int64_t c = 0; c < p->dim_v && !p->fixture->map_alone; c++) {
            double o = 0;
            for (int64_t j = 0; j < p->keys; j++) {
                o += value_at(wanted[1].tensor, r * p->keys + j) * *array_at(&p->v, b, g, j, c);
            }
            close_to(p, "map times values", o, value_at(wanted[0].tensor, r * p->dim_v + c), 1e-4, 1e-5);
        }
    }
    for (int i = 0; i < 3; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
}

START_TEST(maps)
{
    for_all(check_map, SHAPES);
}
END_TEST

/* The last token's value, key and query change nothing before it. */
static void check_past(ga_context *context, const ga_variant *variant, problem *p)
{
    (void)variant;
    if (!p->causal || p->queries != p->keys || p->keys < 2 || p->rows_together) {
        return;
    }
    DLTensor *before = output_of(context, p, false, "o");
    for (int64_t h = 0; h < p->heads; h++) {
        for (int64_t c = 0; c < p->dim; c++) {
            *array_at(&p->q, 0, h, p->queries - 1, c) += 0.5;
            *array_at(&p->k, 0, h % p->kv_heads, p->keys - 1, c) -= 0.75;
        }
        *array_at(&p->v, 0, h % p->kv_heads, p->keys - 1, 0) += 3;
    }
    DLTensor *after = output_of(context, p, false, "o");
    for (int64_t i = 0; i < count_of(before); i++) {
        if (i / p->dim_v % p->queries < p->queries - 1) {
            close_to(p, "past", value_at(after, i), value_at(before, i), 0, 0);
        }
    }
    ga_tensor_destroy(context, before);
    ga_tensor_destroy(context, after);
}

START_TEST(future_leaves_past_alone)
{
    for_all(check_past, SHAPES);
}
END_TEST

/* The last query alone, with all keys there, gives what it gives among all queries. */
static void check_decode(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!p->causal || p->queries != p->keys || !(variant->can & GA_CAN_CROSS) || p->fixture->token_graph ||
        p->rows_together || p->fixture->query_tensors || strcmp(variant->name, "block-sparse") == 0 ||
        problem_find(p, "bias")) {
        return;
    }
    DLTensor *all = output_of(context, p, false, "o");
    problem last = *p;
    last.queries = 1;
    last.q = array_make(4, (int64_t[]){ p->batch, p->heads, 1, p->dim });
    last.grad_o = array_make(4, (int64_t[]){ p->batch, p->heads, 1, p->dim_v });
    for (int64_t i = 0; i < p->batch * p->heads * p->dim; i++) {
        int64_t head = i / p->dim;
        last.q.data[i] = p->q.data[(head * p->queries + p->queries - 1) * p->dim + i % p->dim];
    }
    DLTensor *one = output_of(context, &last, false, "o");
    for (int64_t i = 0; i < count_of(one); i++) {
        int64_t head = i / p->dim_v;
        close_to(p, "decoded", value_at(one, i),
                 value_at(all, (head * p->queries + p->queries - 1) * p->dim_v + i % p->dim_v), 1e-5, 1e-6);
    }
    array_free(&last.q);
    array_free(&last.grad_o);
    ga_tensor_destroy(context, all);
    ga_tensor_destroy(context, one);
}

START_TEST(decoding_equals_recomputing)
{
    for_all(check_decode, SHAPES);
}
END_TEST

/* Tokens in another order give rows in that order. */
static int64_t renamed(const problem *p, int64_t token)
{
    return (token * 3 + 1) % p->keys;
}

static array permuted(const problem *p, const array *a)
{
    array b = array_make(4, a->shape);
    for (int64_t i = 0; i < array_count(a); i++) {
        int64_t width = a->shape[3], row = i / width, token = row % a->shape[2];
        b.data[(row - token + renamed(p, token)) * width + i % width] = a->data[i];
    }
    return b;
}

static void check_permutation(ga_context *context, const ga_variant *variant, problem *p)
{
    (void)variant;
    if (!p->fixture->permutes || p->causal || p->queries != p->keys || p->keys % 3 == 0) {
        return;
    }
    DLTensor *before = output_of(context, p, false, "o");
    array q = permuted(p, &p->q), k = permuted(p, &p->k), v = permuted(p, &p->v);
    problem moved = *p;
    moved.q = q;
    moved.k = k;
    moved.v = v;
    for (int64_t e = 0; e < p->edges; e++) {
        moved.edge_source[e] = (uint32_t)renamed(p, p->edge_source[e]);
        moved.edge_target[e] = (uint32_t)renamed(p, p->edge_target[e]);
    }
    DLTensor *after = output_of(context, &moved, false, "o");
    for (int64_t i = 0; i < count_of(before); i++) {
        int64_t row = i / p->dim_v, token = row % p->queries;
        close_to(p, "renamed", value_at(after, (row - token + renamed(p, token)) * p->dim_v + i % p->dim_v),
                 value_at(before, i), 1e-4, 1e-5);
    }
    array_free(&q);
    array_free(&k);
    array_free(&v);
    ga_tensor_destroy(context, before);
    ga_tensor_destroy(context, after);
}

START_TEST(renaming_tokens)
{
    for_all(check_permutation, SHAPES);
}
END_TEST

/* Two halves of the keys, merged. */
START_TEST(split_keys_merge)
{
    ga_context *context = test_threads_context(1);
    problem p;
    problem_make(&p, find_fixture("full"), 1, 2, 1, 5, 20, 8, 8, false, 3);
    ga_named_tensor whole[] = { { "o", NULL }, { "lse", NULL } }, part[2][2];
    test_ok(context, run(context, &p, false, whole, 2));
    for (int half = 0; half < 2; half++) {
        problem cut = p;
        cut.keys = half ? 13 : 7;
        cut.k = array_make(4, (int64_t[]){ 1, 1, cut.keys, 8 });
        cut.v = array_make(4, (int64_t[]){ 1, 1, cut.keys, 8 });
        memcpy(cut.k.data, p.k.data + (half ? 7 : 0) * 8, (size_t)cut.keys * 8 * sizeof(double));
        memcpy(cut.v.data, p.v.data + (half ? 7 : 0) * 8, (size_t)cut.keys * 8 * sizeof(double));
        part[half][0] = (ga_named_tensor){ "o", NULL };
        part[half][1] = (ga_named_tensor){ "lse", NULL };
        test_ok(context, run(context, &cut, false, part[half], 2));
        array_free(&cut.k);
        array_free(&cut.v);
    }
    test_ok(context, ga_merge(context, part[0][0].tensor, part[0][1].tensor, part[1][0].tensor,
                              part[1][1].tensor, part[0][0].tensor, part[0][1].tensor));
    for (int which = 0; which < 2; which++) {
        for (int64_t i = 0; i < count_of(whole[which].tensor); i++) {
            close_to(&p, whole[which].name, value_at(part[0][which].tensor, i),
                     value_at(whole[which].tensor, i), 1e-5, 1e-6);
        }
        ga_tensor_destroy(context, whole[which].tensor);
        ga_tensor_destroy(context, part[0][which].tensor);
        ga_tensor_destroy(context, part[1][which].tensor);
    }
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* Something that is no number in one query stays in its row. */
static void check_nan(ga_context *context, const ga_variant *variant, problem *p)
{
    (void)variant;
    if (p->rows_together || p->heads_together) {
        return;
    }
    DLTensor *before = output_of(context, p, false, "o");
    int64_t row = p->queries / 2;
    *array_at(&p->q, 0, 0, row, 0) = NAN;
    DLTensor *after = output_of(context, p, false, "o");
    for (int64_t i = 0; i < count_of(before); i++) {
        if (i / p->dim_v != row) {
            close_to(p, "a row without NaN", value_at(after, i), value_at(before, i), 1e-5, 1e-6);
        }
    }
    ga_tensor_destroy(context, before);
    ga_tensor_destroy(context, after);
}

START_TEST(nan_stays_in_its_row)
{
    for_all(check_nan, SHAPES);
}
END_TEST

/* ---- gradients: central differences of sum(o * grad_o) in double precision ---- */

static double loss(ga_context *context, const problem *p)
{
    DLTensor *o = output_of(context, p, true, "o");
    double sum = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += value_at(o, i) * p->grad_o.data[i];
    }
    ga_tensor_destroy(context, o);
    return sum;
}

static void check_gradient(ga_context *context, problem *p, const char *name, const array *input)
{
    char full[64];
    snprintf(full, sizeof full, "grad_%s", name);
    DLTensor *wide = output_of(context, p, true, full), *narrow = output_of(context, p, false, full);
    ck_assert_int_eq(count_of(wide), array_count(input));
    int64_t count = array_count(input), step = count > 12 ? count / 12 : 1;
    for (int64_t i = 0; i < count; i += step) {
        const double h = 1e-5, at = input->data[i];
        input->data[i] = at + h;
        double up = loss(context, p);
        input->data[i] = at - h;
        double down = loss(context, p);
        input->data[i] = at;
        close_to(p, full, value_at(wide, i), (up - down) / (2 * h), 1e-5, 1e-7);
    }
    for (int64_t i = 0; i < count; i++) {
        close_to(p, full, value_at(narrow, i), value_at(wide, i), 2e-4, 2e-5);
    }
    ga_tensor_destroy(context, wide);
    ga_tensor_destroy(context, narrow);
}

static void check_backward(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!(variant->can & GA_CAN_BACKWARD) || p->forward_only || p->keys > 20) {
        return;
    }
    check_gradient(context, p, "q", &p->q);
    check_gradient(context, p, "k", &p->k);
    check_gradient(context, p, "v", &p->v);
    for (const ga_tensor_slot *slot = variant->tensors; slot && slot->name; slot++) {
        const array *input = problem_find(p, slot->name);
        if (slot->differentiable && input) {
            check_gradient(context, p, slot->name, input);
        }
    }
}

START_TEST(gradients)
{
    for_all(check_backward, SHAPES);
}
END_TEST

/* The same bits for any number of threads. */
static void check_threads(ga_context *context, const ga_variant *variant, problem *p)
{
    ga_named_tensor wanted[] = { { "o", NULL }, { "grad_q", NULL }, { "grad_k", NULL }, { "grad_v", NULL } },
                    again[4];
    int count = variant->can & GA_CAN_BACKWARD && !p->forward_only ? 4 : 1;
    test_set_threads(context, 1);
    test_ok(context, run(context, p, false, wanted, count));
    for (int threads = 2; threads <= 7; threads += 5) {
        memcpy(again, wanted, sizeof again);
        test_set_threads(context, threads);
        test_ok(context, run(context, p, false, again, count));
        for (int i = 0; i < count; i++) {
            ck_assert_msg(memcmp(again[i].tensor->data, wanted[i].tensor->data,
                                 (size_t)count_of(wanted[i].tensor) * sizeof(float)) == 0,
                          "%s: %s depends on the number of threads", variant->name, wanted[i].name);
            ga_tensor_destroy(context, again[i].tensor);
        }
    }
    for (int i = 0; i < count; i++) {
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    test_set_threads(context, 2);
}

START_TEST(threads_change_nothing)
{
    for_all(check_threads, SHAPES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("properties");
    TCase *all = tcase_create("properties");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, by_definition);
    tcase_add_test(all, all_keys_is_dense);
    tcase_add_test(all, maps);
    tcase_add_test(all, future_leaves_past_alone);
    tcase_add_test(all, decoding_equals_recomputing);
    tcase_add_test(all, renaming_tokens);
    tcase_add_test(all, split_keys_merge);
    tcase_add_test(all, nan_stays_in_its_row);
    tcase_add_test(all, gradients);
    tcase_add_test(all, threads_change_nothing);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
