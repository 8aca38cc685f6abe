/* check_decode.c - token by token is the whole call, for every variant of the registry that can be decoded; sequences cut
 * anywhere, with the state between. */
#include "config.h"

#include "tests/unit/check_linear.h"

typedef struct shape {
    int64_t batch, heads, kv_heads, queries, keys, dim, dim_v;
} shape;
static const shape shapes[] = {
    { 2, 4, 2, 11, 11, 3, 5 }, { 1, 2, 2, 5, 9, 4, 4 }, { 1, 1, 1, 1, 1, 2, 3 }, { 1, 3, 1, 37, 37, 8, 2 }
};
enum { SHAPES = sizeof shapes / sizeof *shapes, SEEDS = 6 };

/* False when the variant cannot take that problem. */
static bool make(problem *p, const ga_variant *variant, const shape *s, uint64_t seed)
{
    if (!(variant->can & GA_CAN_DECODE)) {
        return false;
    }
    const fixture *f = find_fixture(variant->name);
    ck_assert_msg(f != NULL, "variant %s has no reference", variant->name);
    if (!(variant->can & (GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL)) ||
        (s->queries != s->keys && !(variant->can & GA_CAN_CROSS && f->any_queries)) ||
        (s->heads != s->kv_heads && !(variant->can & GA_CAN_GROUP))) {
        return false;
    }
    problem_make(p, f, s->batch, s->heads, s->kv_heads, s->queries, s->keys, s->dim, s->dim_v, true, seed);
    if (p->edges >= 0 || p->rows_together) {
        problem_free(p);
        return false;
    }
    return true;
}

static void for_all(void (*check)(ga_context *context, const ga_variant *variant, problem *p))
{
    ga_context *context = test_threads_context(2);
    int checked = 0;
    for (const ga_variant *const *row = ga_variants(); *row; row++) {
        for (int i = 0; i < SHAPES * SEEDS; i++) {
            problem p;
            if (make(&p, *row, &shapes[i % SHAPES], (uint64_t)(i + i / SHAPES))) {
                check(context, *row, &p);
                problem_free(&p);
                checked++;
            }
        }
    }
    ck_assert_int_gt(checked, 200);
    test_context_done(context, NULL);
}

static void check_decoded(ga_context *context, const ga_variant *variant, problem *p)
{
    for (int wide = 0; wide < 2; wide++) {
        DLTensor *all = output_of(context, p, wide, ga_attend, "o"),
                 *one = output_of(context, p, wide, ga_attend_decode, "o");
        same_tensors(variant->name, "o token by token", one, all, wide ? 1e-9 : 2e-5, wide ? 1e-10 : 5e-6);
        ga_tensor_destroy(context, all);
        ga_tensor_destroy(context, one);
    }
}

START_TEST(every_variant)
{
    for_all(check_decoded);
}
END_TEST

static bool has_state(const problem *p)
{
    return strstr(ga_variant_find(p->fixture->name)->outputs, "state") != NULL &&
           !(strcmp(p->fixture->name, "based") == 0 &&
             strcmp(problem_text(p, "mode", "taylor"), "taylor") != 0);
}

static void check_last_state(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!has_state(p)) {
        return;
    }
    ga_named_tensor all[] = { { "state", NULL }, { "o", NULL } },
                    one[] = { { "o", NULL }, { "state", NULL } };
    test_ok(context, call_of(context, p, false, ga_attend, all, 2));
    test_ok(context, call_of(context, p, false, ga_attend_decode, one, 2));
    same_tensors(variant->name, "state token by token", one[1].tensor, all[0].tensor, 2e-5, 5e-6);
    for (int i = 0; i < 2; i++) {
        ga_tensor_destroy(context, all[i].tensor);
        ga_tensor_destroy(context, one[i].tensor);
    }
}

START_TEST(last_state)
{
    for_all(check_last_state);
}
END_TEST

/* ---- cut anywhere ---- */

/* The third axis of these runs along the tokens: 11 of them, which nothing else counts. */
static bool along_tokens(const problem *p, const array *a)
{
    return a->ndim >= 3 && a->shape[2] == p->keys;
}

static array part_of(const array *a, int64_t from, int64_t to)
{
    int64_t extents[REFERENCE_AXES] = { 0 }, width = a->ndim > 3 ? a->shape[3] : 1;
    memcpy(extents, a->shape, sizeof extents);
    extents[2] = to - from;
    array part = array_make(a->ndim, extents);
    for (int64_t h = 0; h < a->shape[0] * a->shape[1]; h++) {
        memcpy(part.data + h * (to - from) * width, a->data + (h * a->shape[2] + from) * width,
               (size_t)((to - from) * width) * sizeof(double));
    }
    return part;
}

static array whole_of(const array *a)
{
    array b = array_make(a->ndim, a->shape);
    memcpy(b.data, a->data, (size_t)array_count(a) * sizeof(double));
    return b;
}

static array array_of(const DLTensor *tensor)
{
    array a = array_make(tensor->ndim, tensor->shape);
    for (int64_t i = 0; i < array_count(&a); i++) {
        a.data[i] = value_at(tensor, i);
    }
    return a;
}

/* Tokens from .. to - 1 as a problem of their own, from a state (NULL: the problem's). */
static problem cut(const problem *p, int64_t from, int64_t to, const DLTensor *state)
{
    problem part = *p;
    part.queries = part.keys = to - from;
    part.q = part_of(&p->q, from, to);
    part.k = part_of(&p->k, from, to);
    part.v = part_of(&p->v, from, to);
    part.grad_o = part_of(&p->grad_o, from, to);
    part.tensor_count = 0;
    part.edge_source = part.edge_target = NULL;
    for (int i = 0; i < p->tensor_count; i++) {
        const reference_tensor *t = &p->tensors[i];
        if (strcmp(t->name, "initial_state") == 0 && state) {
            continue;
        }
        bool cuts = along_tokens(p, &t->values) && strcmp(t->name, "initial_state") != 0;
        part.tensors[part.tensor_count].name = t->name;
        part.tensors[part.tensor_count].dtype = t->dtype;
        part.tensors[part.tensor_count++].values =
            cuts ? part_of(&t->values, from, to) : whole_of(&t->values);
    }
    if (state) {
        part.tensors[part.tensor_count].name = "initial_state";
        part.tensors[part.tensor_count].dtype.bits = 0;
        part.tensors[part.tensor_count++].values = array_of(state);
    }
    if (state && strcmp(p->fixture->name, "rat") == 0) {
        static char start[32]; /* of the last cut */
        snprintf(start, sizeof start, "%lld", (long long)from);
        problem_set(&part, "start", start);
    }
    return part;
}

static void check_part(const problem *p, const DLTensor *whole, const DLTensor *part, int64_t from)
{
    int64_t rows = part->shape[2];
    for (int64_t i = 0; i < count_of(part); i++) {
        int64_t c = i % p->dim_v, r = i / p->dim_v % rows, h = i / p->dim_v / rows;
        close_to(p->fixture->name, "o behind a cut", value_at(part, i),
                 value_at(whole, (h * p->keys + from + r) * p->dim_v + c), 1e-9, 1e-11);
    }
}

static void check_cuts(ga_context *context, const ga_variant *variant, problem *p)
{
    if (!has_state(p) || p->queries != p->keys || p->keys != 11) {
        return;
    }
    if (variant->can & GA_SELECTS) {
        return; /* its state sums up the keys, it does not stand for them */
    }
    bool titans = strcmp(variant->name, "titans") == 0;
    int64_t unit = titans ? (int64_t)problem_number(p, "chunk", 1) : 1;
    ga_named_tensor whole[] = { { "o", NULL }, { "state", NULL } };
    test_ok(context, call_of(context, p, true, ga_attend, whole, 2));
    for (int64_t at = 0; at <= p->keys; at += unit) {
        ga_named_tensor parts[2][2] = { { { "o", NULL }, { "state", NULL } },
                                        { { "o", NULL }, { "state", NULL } } };
        problem first = cut(p, 0, at, NULL);
        test_ok(context, call_of(context, &first, true, ga_attend, parts[0], 2));
        problem second = cut(p, at, p->keys, parts[0][1].tensor);
        test_ok(context, call_of(context, &second, true, ga_attend, parts[1], 2));
        check_part(p, whole[0].tensor, parts[0][0].tensor, 0);
        check_part(p, whole[0].tensor, parts[1][0].tensor, at);
        same_tensors(variant->name, "state behind a cut", parts[1][1].tensor, whole[1].tensor, 1e-9, 1e-11);
        for (int i = 0; i < 4; i++) {
            ga_tensor_destroy(context, parts[i / 2][i % 2].tensor);
        }
        problem_free(&first);
        problem_free(&second);
    }
    ga_tensor_destroy(context, whole[0].tensor);
    ga_tensor_destroy(context, whole[1].tensor);
}

START_TEST(cut_anywhere)
{
    for_all(check_cuts);
}
END_TEST

/* ---- what cannot be decoded ---- */

static void refused(ga_context *context, const problem *p, const ga_attend_call *with, const char *output,
                    const char *words)
{
    ga_named_tensor wanted = { output, NULL };
    ready r;
    ready_make(context, p, false, &r);
    r.call.pattern = with->pattern;
    r.call.normaliser = with->normaliser;
    test_status(context, ga_attend_decode(context, p->fixture->name, &r.call, &wanted, 1), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(wanted.tensor);
    ready_free(context, &r);
}

START_TEST(refusals)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ga_attend_call with = GA_ATTEND_CALL_INIT;
    problem_make(&p, find_fixture("neighborhood"), 1, 1, 1, 6, 6, 2, 2, true, 1);
    refused(context, &p, &with, "o", "neighborhood cannot be decoded token by token");
    problem_free(&p);
    problem_make(&p, find_fixture("full"), 1, 1, 1, 6, 6, 2, 2, true, 0);
    refused(context, &p, &with, "map", "decoding gives o and state, not 'map'");
    refused(context, &p, &with, "state", "full has no state");
    refused(context, &p, &with, "grad_q", "not 'grad_q'");
    with.pattern = "neighborhood:window=3";
    refused(context, &p, &with, "o", "pattern neighborhood cannot be decoded");
    with.pattern = "window:window=3,sinks=1";
    refused(context, &p, &with, "o", "decoding takes no sinks");
    with.pattern = NULL;
    with.normaliser = "sigmoid";
    refused(context, &p, &with, "o", "bias_mode=log_n needs all keys");
    problem_free(&p);
    with = (ga_attend_call)GA_ATTEND_CALL_INIT;
    problem_make(&p, find_fixture("full"), 1, 1, 1, 6, 5, 2, 2, true, 0);
    refused(context, &p, &with, "o", "expected at least as many keys");
    problem_free(&p);
    problem_make(&p, find_fixture("gla"), 1, 1, 1, 6, 6, 2, 2, true, 1);
    array_free(&p.tensors[0].values);
    p.tensors[0].values = array_make(4, (int64_t[]){ 1, 1, 4, 2 });
    refused(context, &p, &with, "o", "log_decay: 4 tokens, expected 6");
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(wanted_twice)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ga_named_tensor wanted[] = { { "o", NULL }, { "state", NULL }, { "o", NULL } };
    problem_make(&p, find_fixture("linear"), 1, 1, 1, 3, 3, 2, 2, true, 0);
    test_status(context, call_of(context, &p, false, ga_attend_decode, wanted, 3), GA_INVALID);
    test_error_has(context, "output 'o' is wanted twice");
    wanted[2].name = "state";
    test_status(context, call_of(context, &p, false, ga_attend_decode, wanted, 3), GA_INVALID);
    test_error_has(context, "output 'state' is wanted twice");
    test_status(context, call_of(context, &p, false, ga_attend_decode, wanted + 1, 0), GA_OK);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* Parts by name where that works: a window by pattern, bias_mode log_row by normaliser. */
START_TEST(composed)
{
    ga_context *context = test_threads_context(1);
    problem p;
    problem_make(&p, find_fixture("full"), 1, 2, 1, 9, 9, 3, 2, true, 0);
    DLTensor *o[2];
    for (int i = 0; i < 2; i++) {
        ga_named_tensor wanted = { "o", NULL };
        ready r;
        ready_make(context, &p, true, &r);
        r.call.pattern = "window:window=4";
        r.call.normaliser = "sigmoid:bias_mode=log_row";
        attend_fn attend = i ? ga_attend_decode : ga_attend;
        test_ok(context, attend(context, "full", &r.call, &wanted, 1));
        o[i] = wanted.tensor;
        ready_free(context, &r);
    }
    same_tensors("full", "o of parts by name", o[1], o[0], 1e-12, 1e-13);
    ga_tensor_destroy(context, o[0]);
    ga_tensor_destroy(context, o[1]);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

/* No query: o is empty, the state the one behind all keys. */
START_TEST(no_queries)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ga_named_tensor wanted[] = { { "o", NULL }, { "state", NULL } };
    problem_make(&p, find_fixture("linear"), 1, 1, 1, 0, 3, 2, 2, true, 0);
    test_ok(context, call_of(context, &p, false, ga_attend_decode, wanted, 2));
    ck_assert_int_eq(count_of(wanted[0].tensor), 0);
    ck_assert_int_eq(count_of(wanted[1].tensor), 6);
    ga_tensor_destroy(context, wanted[0].tensor);
    ga_tensor_destroy(context, wanted[1].tensor);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

static ga_status memory_body(ga_context *context, void *user)
{
    const ready *r = user;
    ga_named_tensor wanted[] = { { "o", NULL }, { "state", NULL } };
    ga_status status = ga_attend_decode(context, "gla", &r->call, wanted, 2);
    ga_tensor_destroy(context, wanted[0].tensor);
    ga_tensor_destroy(context, wanted[1].tensor);
    return status;
}

static ga_status moa_body(ga_context *context, void *user)
{
    const ready *r = user;
    ga_named_tensor wanted = { "o", NULL };
    ga_status status = ga_attend_decode(context, "moa", &r->call, &wanted, 1);
    ga_tensor_destroy(context, wanted.tensor);
    return status;
}

START_TEST(memory_may_end_anywhere)
{
    ga_context *context = test_threads_context(1);
    problem p;
    ready r;
    problem_make(&p, find_fixture("gla"), 1, 2, 1, 2, 4, 2, 2, true, 1);
    ready_make(context, &p, false, &r);
    ck_assert_int_gt(test_each_allocation(memory_body, &r, 1), 5);
    ready_free(context, &r);
    problem_free(&p);
    problem_make(&p, find_fixture("moa"), 1, 2, 1, 2, 2, 2, 2, true, 1);
    ready_make(context, &p, false, &r);
    ck_assert_int_gt(test_each_allocation(moa_body, &r, 1), 5);
    ready_free(context, &r);
    problem_free(&p);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *all = tcase_create("decode");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, every_variant);
    tcase_add_test(all, last_state);
    tcase_add_test(all, cut_anywhere);
    tcase_add_test(all, refusals);
    tcase_add_test(all, wanted_twice);
    tcase_add_test(all, composed);
    tcase_add_test(all, no_queries);
    tcase_add_test(all, memory_may_end_anywhere);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
