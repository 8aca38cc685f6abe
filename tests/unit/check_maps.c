/* check_maps.c - changes of maps: rows that stay sums to 1, neutral parameters, labels, heads; statistics of rows. */
#include "config.h"

#include "tests/unit/check_linear.h"

static ga_context *context;

static void open_context(void)
{
    context = test_threads_context(2);
}
static void close_context(void)
{
    ga_context_destroy(context);
}

/* ---- problems ---- */

static const char *const changes[] = { "var", "act", "paint", "dara", "vhr", "head-mask" };
enum { CHANGES = sizeof changes / sizeof *changes };

static void make(problem *p, const char *name, bool causal, uint64_t seed)
{
    problem_make(p, find_fixture(name), 2, 4, 2, causal ? 23 : 31, 31, 8, 6, causal, seed);
}

static DLTensor *one(const problem *p, bool wide, const char *name)
{
    return output_of(context, p, wide, ga_attend, name);
}

static double reference_number(const problem *p, const char *name, int64_t i)
{
    return problem_find(p, name)->data[i];
}

/* The same problem under full attention. */
static problem plain(const problem *p)
{
    problem full = *p;
    full.fixture = find_fixture("full");
    full.parameter_count = full.tensor_count = 0;
    return full;
}

static void same(const char *what, const DLTensor *a, const DLTensor *b, double tolerance)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    for (int64_t i = 0; i < count_of(a); i++) {
        double x = value_at(a, i), y = value_at(b, i);
        if (!(x == y || fabs(x - y) <= tolerance)) {
            ck_abort_msg("%s[%lld] is %.17g, not %.17g", what, (long long)i, x, y);
        }
    }
}

/* ---- for all of them ---- */

START_TEST(rows_sum_to_one)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        for (int causal = 0; causal < 2; causal++) {
            problem p;
            make(&p, changes[_i], causal, seed);
            DLTensor *map = one(&p, true, "map");
            for (int64_t row = 0; row < 2 * 4 * p.queries; row++) {
                double sum = 0;
                int64_t head = row / p.queries % 4;
                bool zero = strcmp(changes[_i], "head-mask") == 0 && reference_number(&p, "modes", head) == 2;
                for (int64_t j = 0; j < p.keys; j++) {
                    sum += value_at(map, row * p.keys + j);
                }
                ck_assert_double_eq_tol(sum, zero ? 0 : 1, 1e-12);
            }
            ga_tensor_destroy(context, map);
            problem_free(&p);
        }
    }
}
END_TEST

/* Parameters or, for dara and head-mask, the tensor with which nothing is changed. */
static void make_neutral(problem *p)
{
    static const struct {
        const char *variant, *name, *value;
    } neutral[] = { { "var", "keep", "1" },
                    { "act", "beta", "1" },
                    { "paint", "alpha", "0" },
                    { "paint", "beta", "0" },
                    { "vhr", "alpha", "1" } };
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++) {
        if (strcmp(neutral[i].variant, p->fixture->name) == 0) {
            problem_set(p, neutral[i].name, neutral[i].value);
        }
    }
    bool factors = strcmp(p->fixture->name, "dara") == 0, modes = strcmp(p->fixture->name, "head-mask") == 0;
    for (int64_t i = 0; (factors || modes) && i < array_count(&p->tensors[0].values); i++) {
        p->tensors[0].values.data[i] = factors;
    }
}

/* Neutral parameters: the map of full attention, and its output but for the order of sums. */
START_TEST(neutral_is_full)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        for (int wide = 0; wide < 2; wide++) {
            problem p, full;
            make(&p, changes[_i], seed > 1, seed);
            make_neutral(&p);
            full = plain(&p);
            DLTensor *o = one(&p, wide, "o"), *want = one(&full, wide, "o");
            same(changes[_i], o, want, wide ? 1e-14 : 1e-6);
            ga_tensor_destroy(context, o);
            ga_tensor_destroy(context, want);
            o = one(&p, wide, "map");
            want = one(&full, wide, "map");
            same(changes[_i], o, want, wide ? 1e-15 : 1e-7);
            ga_tensor_destroy(context, o);
            ga_tensor_destroy(context, want);
            problem_free(&p);
        }
    }
}
END_TEST

typedef struct wish {
    const char *variant;
    const char *outputs[8];
} wish;

static const wish wishes[] = {
    { "var", { "o", "lse", "map", "chosen" } },
    { "act", { "o", "lse", "map", "recv", "sinks" } },
    { "paint", { "o", "lse", "map" } },
    { "dara", { "o", "lse", "map", "grad_q", "grad_k", "grad_v", "grad_factors" } },
    { "vhr", { "o", "lse", "map", "vhd", "outlier", "selected" } },
    { "head-mask", { "o", "lse", "map", "entropy", "grad_q", "grad_k", "grad_v" } },
};
enum { WISHES = sizeof wishes / sizeof *wishes };

static int wanted_of(const wish *w, ga_named_tensor *wanted)
{
    int count = 0;
    for (; count < 8 && w->outputs[count]; count++) {
        wanted[count] = (ga_named_tensor){ w->outputs[count], NULL };
    }
    return count;
}

static void destroy_all(ga_context *of, ga_named_tensor *wanted, int count)
{
    for (int i = 0; i < count; i++) {
        ga_tensor_destroy(of, wanted[i].tensor);
    }
}

typedef struct again {
    const wish *wish;
    ready ready;
    bool map;
} again;

static ga_status run_again(ga_context *of, void *user)
{
    again *c = user;
    ga_named_tensor wanted[8];
    int count = wanted_of(c->wish, wanted);
    if (!c->map) { /* tiles, not rows */
        memmove(wanted + 2, wanted + 3, sizeof *wanted * (size_t)(count - 3));
        count--;
    }
    ga_status status = ga_attend(of, c->wish->variant, &c->ready.call, wanted, count);
    destroy_all(of, wanted, count);
    return status;
}

START_TEST(memory)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        problem p;
        again c = { .wish = &wishes[_i], .map = seed % 2 };
        problem_make(&p, find_fixture(wishes[_i].variant), 1, 2, 1, 9, 11, 4, 3, seed > 1, seed);
        ready_make(context, &p, false, &c.ready);
        ck_assert_int_gt(test_each_allocation(run_again, &c, 2), 10);
        ready_free(context, &c.ready);
        problem_free(&p);
    }
}
END_TEST

START_TEST(threads)
{
    static const int counts[] = { 1, 2, 3, 7 };
    for (uint64_t seed = 0; seed < 2; seed++) {
        problem p;
        ready r;
        ga_named_tensor first[8], other[8];
        make(&p, wishes[_i].variant, true, seed);
        ready_make(context, &p, false, &r);
        int count = wanted_of(&wishes[_i], first);
        for (int t = 0; t < 4; t++) {
            ga_named_tensor *wanted = t == 0 ? first : other;
            (void)wanted_of(&wishes[_i], wanted);
            test_set_threads(context, counts[t]);
            test_ok(context, ga_attend(context, wishes[_i].variant, &r.call, wanted, count));
            for (int i = 0; i < count && t > 0; i++) {
                size_t bytes = (size_t)count_of(first[i].tensor) * first[i].tensor->dtype.bits / 8;
                ck_assert_int_eq(memcmp(first[i].tensor->data, other[i].tensor->data, bytes), 0);
            }
            if (t > 0) {
                destroy_all(context, other, count);
            }
        }
        destroy_all(context, first, count);
        ready_free(context, &r);
        problem_free(&p);
    }
}
END_TEST

/* ---- each of its own ---- */

/* Means that act found itself, handed back, give the same sinks and output; they are those of the map. */
START_TEST(act_by_its_own_means)
{
    for (int causal = 0; causal < 2; causal++) {
        problem p, full;
        make(&p, "act", causal, 1);
        full = plain(&p);
        ga_named_tensor first[] = { { "o", NULL }, { "recv", NULL }, { "sinks", NULL } }, second[3];
        memcpy(second, first, sizeof first);
        test_ok(context, call_of(context, &p, true, ga_attend, first, 3));
        DLTensor *map = one(&full, true, "map");
        for (int64_t i = 0; i < 2 * 4 * 31; i++) {
            double sum = 0, rows = 0;
            for (int64_t r = 0; r < p.queries; r++) {
                sum += value_at(map, (i / 31 * p.queries + r) * 31 + i % 31);
                rows += !causal || i % 31 <= r + 31 - p.queries;
            }
            ck_assert_double_eq_tol(value_at(first[1].tensor, i), sum / rows, 1e-13);
            ck_assert_int_eq(((uint8_t *)first[2].tensor->data)[i], sum / rows > 1.25 / 31);
        }
        array *recv = problem_tensor(&p, "recv", 3, (int64_t[]){ 2, 4, 31 });
        for (int64_t i = 0; i < array_count(recv); i++) {
            recv->data[i] = value_at(first[1].tensor, i);
        }
        test_ok(context, call_of(context, &p, true, ga_attend, second, 3));
        same("o", second[0].tensor, first[0].tensor, 0);
        ck_assert_int_eq(memcmp(first[2].tensor->data, second[2].tensor->data, 2 * 4 * 31), 0);
        destroy_all(context, first, 3);
        destroy_all(context, second, 3);
        ga_tensor_destroy(context, map);
        problem_free(&p);
    }
}
END_TEST

/* Sinks found from hidden states are those that maps sinks finds; chosen is the same with a map and without. */
START_TEST(var_by_hidden_states)
{
    problem p, masked;
    make(&p, "var", true, 3);
    const array *hidden = problem_find(&p, "hidden");
    DLTensor *states = tensor_of(context, hidden, f64);
    ga_named_tensor in = { "hidden", states }, sinks = { "sinks", NULL },
                    both[] = { { "chosen", NULL }, { "map", NULL } };
    const ga_named_text set[] = { { "tau", "1.3" }, { "sink_dims", "1,3" } };
    ga_block_call call = GA_BLOCK_CALL_INIT;
    call.tensors = &in;
    call.tensor_count = 1;
    call.parameters = set;
    call.parameter_count = 2;
    test_ok(context, ga_analysis_run(context, "sinks", &call, &sinks, 1, NULL));
    masked = p;
    masked.tensor_count = masked.parameter_count = 0;
    masked.parameter_count = p.parameter_count - 2; /* without tau and sink_dims */
    array *mask = problem_tensor(&masked, "sink_mask", 2, (int64_t[]){ 2, 31 });
    masked.tensors[0].dtype = (DLDataType){ kDLUInt, 8, 1 };
    int64_t found = 0;
    for (int64_t i = 0; i < 2 * 31; i++) {
        mask->data[i] = ((uint8_t *)sinks.tensor->data)[i];
        found += mask->data[i] != 0;
    }
    ck_assert(found > 5 && found < 57);
    DLTensor *chosen = one(&p, false, "chosen"), *o = one(&p, false, "o"), *want = one(&masked, false, "o");
    same("o", o, want, 0);
    test_ok(context, call_of(context, &p, true, ga_attend, both, 2));
    ck_assert_int_eq(memcmp(chosen->data, both[0].tensor->data, (size_t)count_of(chosen)), 0);
    ck_assert_ptr_nonnull(memchr(chosen->data, 1, (size_t)count_of(chosen)));
    ck_assert_ptr_nonnull(memchr(chosen->data, 0, (size_t)count_of(chosen)));
    destroy_all(context, both, 2);
    ga_tensor_destroy(context, chosen);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, want);
    ga_tensor_destroy(context, sinks.tensor);
    ga_tensor_destroy(context, states);
    array_free(mask);
    problem_free(&p);
}
END_TEST

/* rows=last: every row but the last is that of full attention, the last that of rows=all. */
START_TEST(paint_last_row)
{
    problem p, full;
    make(&p, "paint", true, 1);
    full = plain(&p);
    DLTensor *all = one(&p, false, "o"), *none = one(&full, false, "o");
    problem_set(&p, "rows", "last");
    DLTensor *last = one(&p, false, "o");
    for (int64_t i = 0; i < count_of(last); i++) {
        bool changed = i / p.dim_v % p.queries == p.queries - 1;
        ck_assert_double_eq_tol(value_at(last, i), value_at(changed ? all : none, i), 1e-6);
    }
    ga_tensor_destroy(context, all);
    ga_tensor_destroy(context, none);
    ga_tensor_destroy(context, last);
    problem_free(&p);
}
END_TEST

/* 1/Nk on what is visible; heads that stay have the bits of full attention; statistics are those of the map. */
START_TEST(heads_by_length)
{
    for (int wide = 0; wide < 2; wide++) {
        problem p, full;
        make(&p, "head-mask", true, 0); /* modes 0 1 2 0 */
        problem_set(&p, "uniform", "length");
        full = plain(&p);
        DLTensor *o = one(&p, wide, "o"), *want = one(&full, wide, "o"), *map = one(&p, wide, "map");
        ga_named_tensor s[] = {
            { "entropy", NULL }, { "max", NULL }, { "argmax", NULL }, { "column_sum", NULL }
        };
        test_ok(context, call_of(context, &p, wide, ga_attend, s, 4));
        for (int64_t row = 0; row < 2 * 4 * p.queries; row++) {
            int64_t head = row / p.queries % 4, n = row % p.queries + 31 - p.queries + 1;
            double entropy = 0;
            for (int64_t c = 0; c < p.dim_v && head % 3 == 0; c++) {
                ck_assert_double_eq(value_at(o, row * p.dim_v + c), value_at(want, row * p.dim_v + c));
            }
            for (int64_t j = 0; j < 31 && head % 3 != 0; j++) {
                double w = value_at(map, row * 31 + j);
                ck_assert_double_eq_tol(w, head == 1 && j < n ? 1.0 / 31 : 0, wide ? 1e-15 : 1e-8);
                entropy -= w > 0 ? w * log(w) : 0;
            }
            if (head % 3 != 0) {
                ck_assert_double_eq_tol(value_at(s[0].tensor, row), entropy, wide ? 1e-13 : 1e-5);
                ck_assert_double_eq_tol(value_at(s[1].tensor, row), head == 1 ? 1.0 / 31 : 0, 1e-8);
                ck_assert_int_eq(((int32_t *)s[2].tensor->data)[row], head == 1 ? 0 : -1);
            }
        }
        for (int64_t i = 0; i < 2 * 4 * 31; i++) {
            double sum = 0;
            for (int64_t r = 0; r < p.queries; r++) {
                sum += value_at(map, (i / 31 * p.queries + r) * 31 + i % 31);
            }
            ck_assert_double_eq_tol(value_at(s[3].tensor, i), sum, wide ? 1e-13 : 1e-5);
        }
        destroy_all(context, s, 4);
        ga_tensor_destroy(context, o);
        ga_tensor_destroy(context, want);
        ga_tensor_destroy(context, map);
        problem_free(&p);
    }
}
END_TEST

/* The divergence is the same whether o is wanted or not; with one head, or two, nothing sticks out. */
START_TEST(vhr_without_output)
{
    for (uint64_t seed = 0; seed < 2; seed++) {
        problem p;
        make(&p, "vhr", true, seed);
        ga_named_tensor all[] = { { "o", NULL }, { "vhd", NULL }, { "selected", NULL } };
        test_ok(context, call_of(context, &p, true, ga_attend, all, 3));
        DLTensor *vhd = one(&p, true, "vhd"), *selected = one(&p, true, "selected");
        same("vhd", vhd, all[1].tensor, 1e-15);
        ck_assert_int_eq(selected->ndim, 2);
        ck_assert_int_eq(selected->shape[1], all[2].tensor->shape[1]);
        ck_assert(selected->shape[1] >= 1 && selected->shape[1] <= 2);
        destroy_all(context, all, 3);
        ga_tensor_destroy(context, vhd);
        ga_tensor_destroy(context, selected);
        problem_free(&p);
    }
    for (uint64_t seed = 0; seed < 24; seed++) {
        problem two;
        DLTensor *selected;
        for (int heads = 1; heads <= 2; heads++) {
            problem_make(&two, find_fixture("vhr"), 1, heads, 1, 5, 9, 4, 3, true, seed);
            DLTensor *outlier = one(&two, false, "outlier");
            selected = one(&two, false, "selected");
            ck_assert_int_eq(selected->shape[1], heads - 1);
            for (int h = 0; h < heads; h++) {
                ck_assert_int_eq(((uint8_t *)outlier->data)[h], 0);
            }
            ga_tensor_destroy(context, outlier);
            ga_tensor_destroy(context, selected);
            problem_free(&two);
        }
    }
}
END_TEST

/* Of two heads the larger is mean + deviation exactly: rounding does not make it an outlier. */
START_TEST(vhr_of_two_heads)
{
    static const double values[] = { 0.7835780603414892, 0.8962834124604983 }, without[] = { 2.34, 2.33 };
    problem p;
    problem_make(&p, find_fixture("vhr"), 1, 2, 2, 1, 1, 2, 1, true, 0);
    for (int h = 0; h < 2; h++) {
        p.v.data[h] = values[h];
        p.tensors[0].values.data[h] = without[h];
    }
    DLTensor *outlier = one(&p, true, "outlier"), *selected = one(&p, true, "selected");
    ck_assert_int_eq(((uint8_t *)outlier->data)[0], 0);
    ck_assert_int_eq(selected->shape[1], 1);
    ck_assert_int_eq(((int32_t *)selected->data)[0], 0);
    ga_tensor_destroy(context, outlier);
    ga_tensor_destroy(context, selected);
    problem_free(&p);
}
END_TEST

/* ---- refusals ---- */

static void refuses(problem *p, attend_fn attend, const char *words)
{
    ga_named_tensor wanted = { "o", NULL };
    test_status(context, call_of(context, p, false, attend, &wanted, 1), GA_INVALID);
    ck_assert_ptr_null(wanted.tensor);
    test_error_has(context, words);
}

static void refuses_set(const char *variant, uint64_t seed, attend_fn attend, const char *name,
                        const char *value, const char *words)
{
    problem p;
    problem_make(&p, find_fixture(variant), 1, 2, 1, 8, 8, 4, 3, true, seed);
    problem_set(&p, name, value);
    refuses(&p, attend, words);
    problem_free(&p);
}

/* Tensor number 0 gets another name, values or shape. */
static void refuses_tensor(const char *variant, uint64_t seed, const char *name, double value,
                           const char *words)
{
    problem p;
    problem_make(&p, find_fixture(variant), 1, 2, 1, 8, 8, 4, 3, true, seed);
    p.tensors[0].values.data[1] = value;
    if (name && !*name) {
        array_free(&p.tensors[0].values);
        p.tensors[0] = p.tensors[--p.tensor_count];
        p.tensors[p.tensor_count] = (reference_tensor){ .name = NULL };
    } else if (name) {
        p.tensors[0].name = name;
    }
    refuses(&p, ga_attend, words);
    problem_free(&p);
}

START_TEST(refused)
{
    refuses_set("var", 0, ga_attend, "image_end", "0", "image_end");
    refuses_set("var", 0, ga_attend, "keep", "1.5", "keep");
    refuses_set("var", 1, ga_attend, "tau", "2.3", "never larger");
    refuses_set("var", 1, ga_attend, "sink_dims", "5", "channels below 5");
    refuses_set("vhr", 1, ga_attend, "image_end", "0", "image_end");
    refuses_tensor("vhr", 0, "", 0, "vhr needs reference");
    refuses_tensor("var", 0, "", 0, "one of sink_mask and hidden");
    refuses_tensor("var", 0, "hidden", 0, "hidden");
    refuses_tensor("head-mask", 0, NULL, 3, "modes: 3 for head 1");
    refuses_tensor("dara", 0, NULL, 0, "factors: 0 for key 1");
    refuses_tensor("dara", 0, NULL, NAN, "above 0");
    refuses_tensor("dara", 0, "", 0, "dara needs factors");
    refuses_tensor("paint", 0, "", 0, "paint needs local");
}
END_TEST

START_TEST(not_token_by_token)
{
    refuses_set("paint", 0, ga_attend_decode, "rows", "last", "rows=last");
    refuses_set("head-mask", 0, ga_attend_decode, "uniform", "length", "uniform=length");
    refuses_set("var", 0, ga_attend_decode, "rows_from", "0", "rows_from=0");
    refuses_set("act", 1, ga_attend_decode, "beta", "0.5", "act is decoded with recv");
    refuses_set("vhr", 0, ga_attend_decode, "alpha", "3", "cannot be decoded");
}
END_TEST

/* ---- statistics of rows ---- */

enum { STATS = 7, TOP = 4 };
static const char *const stat_names[] = { "entropy",    "argmax",      "max",         "class_mass",
                                          "column_sum", "top_indices", "top_weights", "lse" };

typedef struct stat_call {
    ga_block_call call;
    ga_named_tensor in[3], out[STATS + 1];
    ga_named_text top;
} stat_call;

static void stats_open(stat_call *c, bool from_map, const problem *p, bool wide)
{
    problem full = plain(p);
    array labels = array_make(1, &p->keys);
    *c = (stat_call){ .call = GA_BLOCK_CALL_INIT, .top = { "top_k", "4" } };
    int count = 0;
    if (from_map) {
        c->in[count++] = (ga_named_tensor){ "map", one(&full, wide, "map") };
    } else {
        c->in[count++] = (ga_named_tensor){ "q", tensor_of(context, &p->q, wide ? f64 : f32) };
        c->in[count++] = (ga_named_tensor){ "k", tensor_of(context, &p->k, wide ? f64 : f32) };
    }
    for (int64_t j = 0; j < p->keys; j++) {
        labels.data[j] = (double)(j * 7 % 3);
    }
    c->in[count++] =
        (ga_named_tensor){ "classes", tensor_of(context, &labels, (DLDataType){ kDLUInt, 8, 1 }) };
    array_free(&labels);
    for (int i = 0; i <= STATS; i++) {
        c->out[i] = (ga_named_tensor){ stat_names[i], NULL };
    }
    c->call.tensors = c->in;
    c->call.tensor_count = count;
    c->call.parameters = &c->top;
    c->call.parameter_count = 1;
    c->call.causal = !from_map && p->causal;
    c->call.f64 = wide;
}

static void stats_close(stat_call *c)
{
    destroy_all(context, c->in, (int)c->call.tensor_count);
    destroy_all(context, c->out, STATS + 1);
}

/* From q and k as from the map that they make. */
START_TEST(stats_of_scores_and_maps)
{
    for (int i = 0; i < 8; i++) {
        stat_call map, scores;
        problem p;
        bool wide = i & 1;
        problem_make(&p, find_fixture("full"), 2, 4, 2, i & 2 ? 5 : 40, i & 2 ? 9 : 30, 6, 6, i & 4, 3);
        stats_open(&map, true, &p, wide);
        stats_open(&scores, false, &p, wide);
        test_ok(context, ga_analysis_run(context, "row-stats", &map.call, map.out, STATS, NULL));
        test_ok(context, ga_analysis_run(context, "row-stats", &scores.call, scores.out, STATS + 1, NULL));
        for (int s = 0; s < STATS; s++) {
            const DLTensor *a = map.out[s].tensor, *b = scores.out[s].tensor;
            if (a->dtype.code == kDLInt) {
                ck_assert_int_eq(memcmp(a->data, b->data, (size_t)count_of(a) * 4), 0);
            } else {
                same(stat_names[s], b, a, wide ? 1e-12 : 2e-5);
            }
        }
        for (int64_t row = 0; row < 8 * p.queries; row++) { /* a row's largest weight is one of its top */
            double most = 0;
            for (int t = 0; t < TOP; t++) {
                most = fmax(most, value_at(map.out[6].tensor, row * TOP + t));
            }
            ck_assert_double_eq(most, value_at(map.out[2].tensor, row));
        }
        stats_close(&map);
        stats_close(&scores);
        problem_free(&p);
    }
}
END_TEST

/* Equal weights: the lower key; zeros are not listed; an empty row. */
START_TEST(stats_of_ties)
{
    static const double rows[] = { 0.25, 0, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0, 0.5, 0, 0.125, 0, 0.375 };
    static const int32_t argmax[] = { 0, -1, 0 }, top[] = { 0, 2, 3, -1, -1, -1, 0, 2, 4 };
    array a = array_make(2, (int64_t[]){ 3, 5 });
    memcpy(a.data, rows, sizeof rows);
    DLTensor *map = tensor_of(context, &a, f64);
    ga_named_tensor in = { "map", map },
                    out[] = { { "argmax", NULL }, { "top_indices", NULL }, { "entropy", NULL } };
    const ga_named_text k = { "top_k", "3" };
    ga_block_call call = GA_BLOCK_CALL_INIT;
    call.tensors = &in;
    call.tensor_count = 1;
    call.parameters = &k;
    call.parameter_count = 1;
    call.f64 = true;
    test_ok(context, ga_analysis_run(context, "row-stats", &call, out, 3, NULL));
    ck_assert_int_eq(memcmp(out[0].tensor->data, argmax, sizeof argmax), 0);
    ck_assert_int_eq(memcmp(out[1].tensor->data, top, sizeof top), 0);
    ck_assert_double_eq_tol(value_at(out[2].tensor, 0), log(4), 1e-15);
    ck_assert_double_eq(value_at(out[2].tensor, 1), 0);
    destroy_all(context, out, 3);
    ga_tensor_destroy(context, map);
    array_free(&a);
}
END_TEST

static ga_status stats_again(ga_context *of, void *user)
{
    stat_call *c = user;
    bool map = c->call.tensor_count == 2;
    ga_status status = ga_analysis_run(of, "row-stats", &c->call, c->out, map ? STATS : STATS + 1, NULL);
    for (int i = 0; i <= STATS; i++) {
        ga_tensor_destroy(of, c->out[i].tensor);
        c->out[i].tensor = NULL;
    }
    return status;
}

static void stats_refuse(stat_call *c, int first, const char *words)
{
    test_status(context, ga_analysis_run(context, "row-stats", &c->call, c->out + first, 1, NULL),
                GA_INVALID);
    test_error_has(context, words);
}

START_TEST(stats_memory_and_refusals)
{
    problem p;
    problem_make(&p, find_fixture("full"), 1, 2, 1, 5, 9, 4, 4, true, 3);
    for (int map = 0; map < 2; map++) {
        stat_call c;
        stats_open(&c, map, &p, false);
        ck_assert_int_gt(test_each_allocation(stats_again, &c, 2), 10);
        c.call.tensor_count--;
        stats_refuse(&c, 3, "class_mass needs classes");
        c.call.parameter_count = 0;
        stats_refuse(&c, 5, "top_k");
        c.call.causal = true;
        if (map) {
            stats_refuse(&c, 0, "causal goes with q and k");
            c.call.causal = false;
            stats_refuse(&c, 7, "only from q and k");
        }
        c.call.tensor_count = map ? 0 : 1;
        stats_refuse(&c, 0, "a map, or q and k");
        c.call.tensor_count = map ? 2 : 3;
        stats_close(&c);
    }
    problem_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("maps");
    TCase *tests = tcase_create("maps");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, open_context, close_context);
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, rows_sum_to_one, 0, CHANGES);
    tcase_add_loop_test(tests, neutral_is_full, 0, CHANGES);
    tcase_add_loop_test(tests, memory, 0, WISHES);
    tcase_add_loop_test(tests, threads, 0, WISHES);
    tcase_add_test(tests, act_by_its_own_means);
    tcase_add_test(tests, var_by_hidden_states);
    tcase_add_test(tests, paint_last_row);
    tcase_add_test(tests, heads_by_length);
    tcase_add_test(tests, vhr_without_output);
    tcase_add_test(tests, vhr_of_two_heads);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, not_token_by_token);
    tcase_add_test(tests, stats_of_scores_and_maps);
    tcase_add_test(tests, stats_of_ties);
    tcase_add_test(tests, stats_memory_and_refusals);
    return test_run(suite);
}
