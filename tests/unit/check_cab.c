/* check_cab.c - what every variant says about causality: the matrix of CAB as it is written down, and as it runs. */
#include "config.h"

#include <jansson.h>
#include <math.h>

#include <graphattn/attention.h>

#include "tests/unit/check_cab.h"
#include "tests/unit/support.h"

/* ---- the matrix ---- */

static void expect_word(const char *variant, const char *member, const char *found, const json_t *entry)
{
    const char *expected = json_string_value(json_object_get(entry, member));
    ck_assert_msg(expected && found ? strcmp(found, expected) == 0 : !expected && !found,
                  "%s: %s is %s, expected %s", variant, member, found ? found : "null",
                  expected ? expected : "null");
}

static void expect_answer(const char *variant, const char *member, ga_cab_answer found, const json_t *entry)
{
    const json_t *value = json_object_get(entry, member);
    ga_cab_answer expected = json_is_true(value)    ? GA_CAB_YES
                             : json_is_false(value) ? GA_CAB_NO
                                                    : GA_CAB_UNKNOWN;
    ck_assert_ptr_nonnull(value);
    ck_assert_msg(found == expected, "%s: %s is %d, expected %d", variant, member, (int)found, (int)expected);
}

START_TEST(matrix_is_as_it_is_written)
{
    const char *path = test_shared("golden/attention-dynamic/cab.json");
    json_error_t error;
    if (!path) {
        printf("no golden/attention-dynamic/cab.json: the matrix is not compared\n");
        return;
    }
    json_t *all = json_load_file(path, 0, &error);
    const json_t *variants = json_object_get(all, "variants");
    ck_assert_msg(json_is_object(variants), "%s: %s", path, error.text);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        const char *name = (*v)->name;
        const json_t *entry = json_object_get(variants, name);
        ga_cab c = ga_variant_cab(*v);
        ck_assert_msg(entry != NULL, "%s is not in the matrix", name);
        expect_answer(name, "NS", c.self ? GA_CAB_YES : GA_CAB_NO, entry);
        expect_answer(name, "CS", c.causal_self ? GA_CAB_YES : GA_CAB_NO, entry);
        expect_answer(name, "NC", c.cross ? GA_CAB_YES : GA_CAB_NO, entry);
        expect_answer(name, "CC", c.causal_cross, entry);
        expect_word(name, "prefix", c.prefix, entry);
        expect_word(name, "unit", c.unit, entry);
        expect_word(name, "cc_unit", c.cross_unit, entry);
    }
    json_decref(all);
}
END_TEST

/* Spans that do not grow with the number of keys, which a prefix has fewer of. */
static void still_spans(problem *p)
{
    const array *spans = problem_find(p, "spans");
    problem_set(p, "form", "plan");
    for (int64_t h = 0; h < p->heads; h++) {
        spans->data[2 * h + 1] = 0;
    }
}

static void make_problem(problem *p, const ga_variant *v, int64_t queries, int64_t keys, bool causal)
{
    const own *mine = find_own(v->name);
    const fixture *f = mine ? &mine->fixture : find_fixture(v->name);
    ck_assert_msg(f != NULL, "%s has neither a reference nor a problem here", v->name);
    int64_t heads = f->one_head ? 1 : 2, kv_heads = v->can & GA_CAN_GROUP ? 1 : heads;
    problem_make(p, f, 1, heads, kv_heads, queries, keys, DIM, DIM_V, causal, 4);
    for (int i = 0; mine && i < 6 && mine->parameters[i].name; i++) {
        problem_set(p, mine->parameters[i].name, mine->parameters[i].value);
    }
    if (strcmp(v->name, "moa") == 0) {
        still_spans(p);
    }
}

/* ---- the first queries and keys of a problem ---- */

/* The first elements along every axis, so many. */
static array cut(const array *a, const int64_t *part)
{
    array b = array_make(a->ndim, part);
    for (int64_t i = 0; i < array_count(&b); i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int axis = a->ndim - 1; axis >= 0; axis--) {
            at += rest % part[axis] * step;
            rest /= part[axis];
            step *= a->shape[axis];
        }
        b.data[i] = a->data[at];
    }
    return b;
}

static array cut_axis(const array *a, int axis, int64_t length)
{
    int64_t part[REFERENCE_AXES];
    memcpy(part, a->shape, sizeof part);
    part[axis] = length;
    return cut(a, part);
}

/* Axes of a tensor follow queries and keys by their length; of a block map they are blocks. */
static array cut_tensor(const problem *p, const reference_tensor *t, int64_t queries, int64_t keys)
{
    int64_t part[REFERENCE_AXES];
    memcpy(part, t->values.shape, sizeof part);
    if (strcmp(t->name, "block_map") == 0) {
        int64_t rows = (int64_t)problem_number(p, "block_q", 64),
                columns = (int64_t)problem_number(p, "block_k", 64);
        part[1] = (queries + rows - 1) / rows;
        part[2] = (keys + columns - 1) / columns;
        return cut(&t->values, part);
    }
    for (int axis = 0; axis < t->values.ndim; axis++) {
        part[axis] = part[axis] == p->keys ? keys : part[axis] == p->queries ? queries : part[axis];
    }
    return cut(&t->values, part);
}

/* Borrows the parameters of p. */
static void cut_problem(problem *part, const problem *p, int64_t queries, int64_t keys)
{
    *part = *p;
    part->queries = queries;
    part->keys = keys;
    part->q = cut_axis(&p->q, 2, queries);
    part->grad_o = cut_axis(&p->grad_o, 2, queries);
    part->k = cut_axis(&p->k, 2, keys);
    part->v = cut_axis(&p->v, 2, keys);
    for (int i = 0; i < p->tensor_count; i++) {
        part->tensors[i].values = cut_tensor(p, &p->tensors[i], queries, keys);
    }
    part->edge_source = part->edge_target = NULL;
    if (p->edges >= 0) {
        part->edges = 0;
        part->edge_source = calloc((size_t)p->edges + 1, sizeof *part->edge_source);
        part->edge_target = calloc((size_t)p->edges + 1, sizeof *part->edge_target);
        for (int64_t e = 0; e < p->edges; e++) {
            if (p->edge_source[e] < keys && p->edge_target[e] < queries) {
                part->edge_source[part->edges] = p->edge_source[e];
                part->edge_target[part->edges++] = p->edge_target[e];
            }
        }
    }
}

/* ---- running ---- */

static DLTensor *tensor_of(ga_context *context, const array *a, DLDataType given)
{
    DLTensor *tensor = NULL;
    DLDataType dtype = given.bits ? given : (DLDataType){ kDLFloat, 64, 1 };
    test_ok(context, ga_tensor_create(context, dtype, a->ndim, a->shape, &tensor));
    for (int64_t i = 0; i < array_count(a); i++) {
        if (dtype.code == kDLUInt) {
            ((uint8_t *)tensor->data)[i] = (uint8_t)a->data[i];
        } else if (dtype.bits == 64 && dtype.code == kDLInt) {
            ((int64_t *)tensor->data)[i] = (int64_t)a->data[i];
        } else if (dtype.bits == 64) {
            ((double *)tensor->data)[i] = a->data[i];
        } else {
            ((float *)tensor->data)[i] = (float)a->data[i];
        }
    }
    return tensor;
}

/* *out is NULL when it is refused. */
static ga_status run(ga_context *context, const problem *p, const char *output, DLTensor **out)
{
    const DLDataType same = { 0, 0, 0 };
    ga_named_tensor tensors[REFERENCE_TENSORS], wanted = { output, NULL };
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    ga_graph *graph = NULL;
    DLTensor *q = tensor_of(context, &p->q, same), *k = tensor_of(context, &p->k, same),
             *v = tensor_of(context, &p->v, same);
    for (int i = 0; i < p->tensor_count; i++) {
        tensors[i] = (ga_named_tensor){ p->tensors[i].name,
                                        tensor_of(context, &p->tensors[i].values, p->tensors[i].dtype) };
    }
    if (p->edges >= 0) {
        test_ok(context, ga_graph_from_edges(context, p->queries > p->keys ? p->queries : p->keys, p->edges,
                                             p->edge_source, p->edge_target, NULL, GA_LOOPS_KEEP,
                                             GA_MULTI_COLLAPSE, &graph));
    }
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
    call.f64 = true;
    ga_status status = ga_attend(context, p->fixture->name, &call, &wanted, 1);
    *out = wanted.tensor;
    for (int i = 0; i < p->tensor_count; i++) {
        ga_tensor_destroy(context, tensors[i].tensor);
    }
    ga_graph_destroy(context, graph);
    ga_tensor_destroy(context, q);
    ga_tensor_destroy(context, k);
    ga_tensor_destroy(context, v);
    return status;
}

static DLTensor *output_of(ga_context *context, const problem *p, const char *name)
{
    DLTensor *out;
    ga_status status = run(context, p, name, &out);
    ck_assert_msg(status == GA_OK, "%s (%lld x %lld, %s): %s: %s", p->fixture->name, (long long)p->queries,
                  (long long)p->keys, p->causal ? "causal" : "not causal", name, ga_context_error(context));
    return out;
}

static double at(const DLTensor *t, int64_t head, int64_t row, int64_t column)
{
    const int64_t *shape = t->shape + t->ndim - 3;
    return ((const double *)t->data)[(head * shape[1] + row) * shape[2] + column];
}

/* ---- the properties ---- */

/* Rows from .. n - 1 of the run on the first n queries and so many keys. */
static void expect_rows(ga_context *context, const problem *p, const DLTensor *whole, int64_t n, int64_t keys,
                        int64_t from)
{
    problem part;
    cut_problem(&part, p, n, keys);
    DLTensor *o = output_of(context, &part, "o");
    for (int64_t h = 0; h < o->shape[o->ndim - 3]; h++) {
        for (int64_t i = from; i < n; i++) {
            for (int64_t c = 0; c < o->shape[o->ndim - 1]; c++) {
                double got = at(o, h, i, c), want = at(whole, h, i, c);
                ck_assert_msg(
                    fabs(got - want) <= 1e-11 * (1 + fabs(want)),
                    "%s, %s: the first %lld of %lld queries: o[%lld][%lld][%lld] is %.15g, of all %.15g",
                    p->fixture->name, p->causal ? "causal" : "not causal", (long long)n,
                    (long long)p->queries, (long long)h, (long long)i, (long long)c, got, want);
            }
        }
    }
    ga_tensor_destroy(context, o);
    problem_free(&part);
}

/* What a parameter of the variant is in this problem. */
static int64_t unit_of(const problem *p, const ga_variant *v, const char *name)
{
    const ga_parameter *row = v->parameters;
    if (!name) {
        return 1;
    }
    while (strcmp(row->name, name) != 0) {
        row++;
    }
    return (int64_t)problem_number(p, name, strtod(row->initial, NULL));
}

/* Queries and keys below which the variant refuses the problem or has nothing to say. */
static int64_t least_keys(const problem *p)
{
    const own *mine = find_own(p->fixture->name);
    return mine                                            ? mine->from
           : strcmp(p->fixture->name, "neighborhood") == 0 ? (int64_t)problem_number(p, "window", 1)
                                                           : 0;
}

static void expect_prefixes(ga_context *context, const ga_variant *v, const problem *p, const char *unit,
                            bool cut_keys)
{
    const own *mine = find_own(v->name);
    int64_t least = least_keys(p), from = mine ? mine->from : 0, step = unit_of(p, v, unit), tried = 0;
    DLTensor *whole = output_of(context, p, "o");
    for (int64_t n = step; n < p->queries; n += step) {
        int64_t keys = cut_keys ? p->keys - p->queries + n : p->keys;
        if (keys >= least) {
            int64_t first = from - (p->keys - p->queries);
            expect_rows(context, p, whole, n, keys, first > 0 ? first : 0);
            tried++;
        }
    }
    ck_assert_int_ge(tried, 2);
    ga_tensor_destroy(context, whole);
}

/* Rows 0 .. n - 1 when the queries from n on are others. Patterns of positions are meant for the whole key set: fewer
 * queries would be queries at other positions. */
static void expect_unmoved(ga_context *context, const problem *p)
{
    const int64_t n = QUERIES / 2;
    problem other = *p;
    DLTensor *whole = output_of(context, p, "o");
    other.q = cut_axis(&p->q, 2, p->queries);
    for (int64_t i = 0; i < array_count(&other.q); i++) {
        other.q.data[i] += i / p->dim % p->queries >= n ? 0.75 : 0;
    }
    DLTensor *o = output_of(context, &other, "o");
    bool moved = false;
    for (int64_t h = 0; h < o->shape[o->ndim - 3]; h++) {
        for (int64_t i = 0; i < p->queries; i++) {
            for (int64_t c = 0; c < o->shape[o->ndim - 1]; c++) {
                bool same = at(o, h, i, c) == at(whole, h, i, c);
                ck_assert_msg(same || i >= n, "%s: row %lld depends on a later query", p->fixture->name,
                              (long long)i);
                moved = moved || !same;
            }
        }
    }
    ck_assert(moved);
    array_free(&other.q);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, whole);
}

static void expect_support(ga_context *context, const problem *p)
{
    DLTensor *map = output_of(context, p, "map");
    for (int64_t h = 0; h < p->heads; h++) {
        for (int64_t i = 0; i < p->queries; i++) {
            for (int64_t j = i + p->keys - p->queries + 1; j < p->keys; j++) {
                ck_assert_msg(at(map, h, i, j) == 0, "%s: weight of query %lld on key %lld", p->fixture->name,
                              (long long)i, (long long)j);
            }
        }
    }
    ga_tensor_destroy(context, map);
}

static void check_causal(ga_context *context, const ga_variant *v, const ga_cab *cab, int64_t queries)
{
    problem p;
    make_problem(&p, v, queries, KEYS, true);
    if (strcmp(cab->prefix, "support") == 0) {
        expect_support(context, &p);
    } else {
        expect_prefixes(context, v, &p, cab->unit, true);
    }
    problem_free(&p);
}

START_TEST(prefix_is_what_it_says)
{
    ga_context *context = test_threads_context(2);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        ga_cab cab = ga_variant_cab(*v);
        if (cab.causal_self) {
            check_causal(context, *v, &cab, SELF);
        }
        const own *mine = find_own((*v)->name);
        if (cab.causal_self && (*v)->can & GA_CAN_CROSS && (mine || find_fixture((*v)->name)->any_queries)) {
            check_causal(context, *v, &cab, QUERIES);
        }
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(rows_are_apart)
{
    ga_context *context = test_threads_context(2);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        ga_cab cab = ga_variant_cab(*v);
        const own *mine = find_own((*v)->name);
        problem p;
        if (cab.causal_cross == GA_CAB_YES && (mine || find_fixture((*v)->name)->any_queries)) {
            make_problem(&p, *v, QUERIES, KEYS, false);
            if (strcmp((*v)->family, "static") == 0) {
                expect_unmoved(context, &p);
            } else {
                expect_prefixes(context, *v, &p, cab.cross_unit, false);
            }
            problem_free(&p);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- what is taken and what is refused ---- */

static void expect_taken(ga_context *context, const ga_variant *v, int64_t queries, bool causal, bool taken)
{
    problem p;
    DLTensor *o;
    make_problem(&p, v, queries, KEYS, causal);
    if (!causal && strcmp(v->name, "vertical-slash") == 0) {
        problem_set(&p, "slashes", "0");
        problem_set(&p, "window", "0");
    }
    ga_status status = run(context, &p, "o", &o);
    ck_assert_msg(status == (taken ? GA_OK : GA_INVALID), "%s (%lld x %d, %s): %s %s", v->name,
                  (long long)queries, KEYS, causal ? "causal" : "not causal", ga_status_name(status),
                  ga_context_error(context));
    ck_assert_int_eq(o != NULL, taken);
    ck_assert(taken || ga_context_error(context)[0] != '\0');
    ga_tensor_destroy(context, o);
    problem_free(&p);
}

/* What is always causal need not be told. */
static void expect_implied(ga_context *context, const ga_variant *v)
{
    problem p;
    make_problem(&p, v, SELF, KEYS, true);
    DLTensor *told = output_of(context, &p, "o");
    p.causal = false;
    DLTensor *implied = output_of(context, &p, "o");
    int64_t count = 1;
    for (int i = 0; i < told->ndim; i++) {
        count *= told->shape[i];
    }
    ck_assert_msg(memcmp(told->data, implied->data, (size_t)count * sizeof(double)) == 0,
                  "%s without --causal is something else", v->name);
    ga_tensor_destroy(context, told);
    ga_tensor_destroy(context, implied);
    problem_free(&p);
}

START_TEST(calls_are_taken_or_refused)
{
    ga_context *context = test_threads_context(2);
    for (const ga_variant *const *v = ga_variants(); *v; v++) {
        ga_cab cab = ga_variant_cab(*v);
        const own *mine = find_own((*v)->name);
        bool two_sets = (*v)->causality.sets == GA_SETS_TWO;
        bool any = mine || find_fixture((*v)->name)->any_queries;
        if ((*v)->can & GA_ALWAYS_CAUSAL) {
            expect_implied(context, *v);
        } else if (!two_sets) {
            expect_taken(context, *v, SELF, false, cab.self);
            expect_taken(context, *v, SELF, true, cab.causal_self);
        }
        if (!((*v)->can & GA_ALWAYS_CAUSAL) && (any || !cab.cross)) {
            expect_taken(context, *v, QUERIES, false, cab.cross);
        }
    }
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cab");
    TCase *all = tcase_create("cab");
    tcase_set_timeout(all, 0);
    tcase_add_test(all, matrix_is_as_it_is_written);
    tcase_add_test(all, prefix_is_what_it_says);
    tcase_add_test(all, rows_are_apart);
    tcase_add_test(all, calls_are_taken_or_refused);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
