/* check_attention_arguments.c - arguments of attention that make no sense; zero sizes, memory, threads,
 * cancelling. */
#include "config.h"

#include "check_attention_outputs.h"

static ga_context *context;

static void setup(void)
{
    context = test_threads_context(1);
}

static void teardown(void)
{
    test_context_done(context, NULL);
}

/* ---- wrong arguments ---- */

static sample bad;
static outputs bad_out;

static void refuse(ga_status status, const char *words)
{
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                status);
    test_error_has(context, words);
    (void)sample_problem(&bad);
    ck_assert_msg(ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL) == GA_OK,
                  "after \"%s\": %s", words, ga_context_error(context));
}

/* The tensor of an input with one extent changed, once. */
static void refuse_shape(array *x, int axis, int64_t extent, const char *words)
{
    int64_t kept = x->shape[axis];
    x->shape[axis] = extent;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, words);
    x->shape[axis] = kept;
    test_ok(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL));
}

static void open_bad(shape_kind kind, ga_normaliser_kind normaliser, int flavour)
{
    ck_assert(sample_make(context, kind, normaliser, flavour, &bad));
    outputs_make(&bad, &bad_out);
    (void)sample_problem(&bad);
}

static void close_bad(void)
{
    outputs_done(&bad_out);
    sample_done(context, &bad);
}

START_TEST(wrong_shapes)
{
    open_bad(WINDOW, GA_SOFTMAX, 1);
    refuse_shape(&bad.q, 2, 5, "pattern: made for 6 queries and 9 keys, q and k have 5 and 9");
    refuse_shape(&bad.q, 1, 3, "k: its 2 heads must divide the 3 heads of q");
    refuse_shape(&bad.k, 0, 1, "k: shape (2, 9, 3), expected (2, *, *, 3)");
    refuse_shape(&bad.v, 2, 8, "v: shape (2, 2, 8, 5), expected (2, 2, 9, *)");
    refuse_shape(&bad.bias, 0, 2, "bias: shape (2, 6, 9), expected (4, 6, 9)");
    refuse_shape(&bad.table, 1, 5, "table: shape (4, 5), expected (4, 4)");
    refuse_shape(&bad.table, 0, 3, "table: shape (3, 4), expected (4, 4)");
    refuse_shape(&bad.slopes, 0, 3, "slopes: shape (3), expected (4)");
    refuse_shape(&bad.head_scale, 0, 5, "head_scale: shape (5), expected (4)");
    refuse_shape(&bad.k_extra, 2, 1, "k_extra: shape (2, 2, 1, 3), expected (2, 2, 2, 3)");
    refuse_shape(&bad.v_extra, 3, 4, "v_extra: shape (2, 2, 2, 4), expected (2, 2, 2, 5)");
    refuse_shape(&bad_out.o, 3, 4, "o: shape (2, 4, 6, 4), expected (2, 4, 6, 5)");
    refuse_shape(&bad_out.lse, 2, 5, "lse: shape (2, 4, 5), expected (2, 4, 6)");
    refuse_shape(&bad_out.map, 3, 8, "map: shape (2, 4, 6, 8), expected (2, 4, 6, 9)");
    refuse_shape(&bad_out.entropy, 2, 5, "entropy: shape");
    refuse_shape(&bad_out.class_mass, 3, 2, "class_mass: shape (2, 4, 6, 2), expected (2, 4, 6, 3)");
    refuse_shape(&bad_out.column_sum, 2, 8, "column_sum: shape");
    refuse_shape(&bad_out.top_weights, 3, 2, "top_weights: shape");
    close_bad();
    open_bad(LISTS, GA_NORM_ATTENTION, 1);
    refuse_shape(&bad.edge_bias, 1, 3, "edge_bias: shape (4, 3), expected (4, ");
    refuse_shape(&bad.eta, 2, 6, "eta_logits: shape (2, 4, 6), expected (2, 4, 7)");
    close_bad();
    open_bad(OWN_GHOSTS, GA_SOFTMAX, 0);
    refuse_shape(&bad.ghost_k, 0, 2, "ghost_k: shape (2, 3), expected (4, 3)");
    refuse_shape(&bad.ghost_v, 1, 2, "ghost_v: shape (4, 2), expected (4, 5)");
    close_bad();
    open_bad(BLOCKS, GA_SOFTMAX, 0);
    refuse_shape(&bad.q, 1, 2, "pattern: made for 4 heads, q has 2");
    close_bad();
}
END_TEST

START_TEST(wrong_combinations)
{
    open_bad(FULL, GA_SOFTMAX, 1);
    array row = array_make(1, 4, 0, 0, 0), pairs = array_make(2, 4, 3, 0, 0);
    bad.problem.pattern = NULL;
    refuse(GA_INVALID, "pattern: missing");
    bad.problem.q = NULL;
    refuse(GA_INVALID, "q: missing");
    bad.problem.k = NULL;
    refuse(GA_INVALID, "k: missing");
    bad.problem.v = NULL;
    refuse(GA_INVALID, "v: missing");
    bad.problem.score.table = tensor_of(&row);
    refuse(GA_INVALID, "table: this pattern has no relative table");
    bad.problem.score.edge_bias = tensor_of(&row);
    refuse(GA_INVALID, "edge_bias: only explicit patterns have edges");
    bad.problem.k_extra = tensor_of(&pairs);
    refuse(GA_INVALID, "k_extra: the pattern has no extra keys");
    bad.problem.ghost_v = tensor_of(&pairs);
    refuse(GA_INVALID, "ghost_v: the pattern has no border=bias");
    bad.problem.normaliser.eta_logits = tensor_of(&row);
    refuse(GA_INVALID, "eta_logits: normaliser softmax has none");
    bad.q.tensor.dtype = (DLDataType){ kDLInt, 64, 1 };
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "q: f32, f64, bf16 or f16 expected, not i64");
    bad.q.tensor.dtype = (DLDataType){ kDLFloat, 64, 1 };
    bad_out.lse.tensor.dtype = (DLDataType){ kDLBfloat, 16, 1 };
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "lse: element type f32 or f64 expected, not bf16");
    bad_out.lse.tensor.dtype = (DLDataType){ kDLFloat, 64, 1 };
    bad_out.argmax_tensor.dtype = (DLDataType){ kDLInt, 64, 1 };
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "argmax: element type i32 expected, not i64");
    bad_out.argmax_tensor.dtype = (DLDataType){ kDLInt, 32, 1 };
    test_status(context, ga_attention_forward(context, NULL, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, NULL, NULL), GA_INVALID);
    test_status(context, ga_attention_forward(context, &bad.problem, (ga_family)7, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "family: no family 7");
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_TILES, &bad_out.result, NULL),
                GA_UNSUPPORTED);
    test_error_has(context, "tiles cannot ");
    free(row.data);
    free(pairs.data);
    close_bad();
    for (int kind = GHOSTS; kind <= OWN_GHOSTS; kind++) {
        open_bad((shape_kind)kind, GA_SOFTMAX, 0);
        bad.problem.normaliser.kind = GA_SIGMOID;
        bad_out.result.lse = NULL;
        test_status(context,
                    ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                    GA_INVALID);
        test_error_has(context, kind == GHOSTS ? "border=ghost needs softmax" : "border=bias needs softmax");
        bad.problem.normaliser.kind = GA_SOFTMAX;
        if (kind == OWN_GHOSTS) {
            bad.problem.ghost_v = NULL;
            refuse(GA_INVALID, "ghost_v: missing, shape (4, 5) expected");
        }
        close_bad();
    }
}
END_TEST

static void refuse_number(double *number, double value, ga_status status, const char *words)
{
    double kept = *number;
    *number = value;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                status);
    test_error_has(context, words);
    *number = kept;
}

START_TEST(wrong_numbers)
{
    ga_normaliser *norm = &bad.problem.normaliser;
    open_bad(FULL, GA_SOFTPLUS_REWEIGHT, 0);
    refuse_number(&bad.problem.score.scale, NAN, GA_INVALID, "scale: a finite number expected");
    refuse_number(&bad.problem.score.softcap, -1, GA_INVALID,
                  "softcap: 0 or a positive number expected, not -1");
    refuse_number(&bad.problem.score.softcap, INFINITY, GA_INVALID, "softcap");
    refuse_number(&norm->power, 0, GA_INVALID, "normaliser softplus-reweight: power > 0");
    refuse_number(&norm->offset, NAN, GA_INVALID, "a finite offset");
    refuse_number(&norm->eps, -1, GA_INVALID, "normaliser softplus-reweight: eps >= 0 expected, not -1");
    norm->free_rows = -1;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    norm->free_rows = 3;
    bad_out.result.lse = tensor_of(&bad_out.lse);
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "normaliser softplus-reweight has no lse");
    bad_out.result.lse = NULL;
    norm->kind = GA_NORM_ATTENTION;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    test_error_has(context, "normaliser norm-attention needs eta_logits");
    norm->kind = GA_P_LAPLACIAN;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_UNSUPPORTED);
    norm->kind = (ga_normaliser_kind)17;
    test_status(context, ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL),
                GA_INVALID);
    norm->kind = GA_SIGMOID;
    refuse_number(&norm->bias, INFINITY, GA_INVALID, "normaliser sigmoid: bias must be finite");
    close_bad();
}
END_TEST

START_TEST(wrong_statistics_and_steps)
{
    const int32_t wrong[MOST_COLUMNS] = { 0, 1, 3 };
    ga_post post = {
        .form = GA_POST_CLASSWISE, .classes = labels, .class_count = 9, .factors = class_factors
    };
    open_bad(FULL, GA_SOFTMAX, 0);
    bad_out.statistics.classes = wrong;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID,
                  "class_mass: the class of key 2 is 3, not within 0 .. 2");
    bad_out.statistics.classes = NULL;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID, "class_mass: classes expected");
    bad_out.statistics.classes = labels;
    bad_out.statistics.top_k = 0;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID, "top_k: at least 1 expected, not 0");
    bad_out.statistics.top_k = TOP;
    bad.problem.post = &post;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID, "post: 1 to 8 classes expected, not 9");
    post.class_count = 2;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID,
                  "post: the class of key 1 is 2, not within 0 .. 1");
    post.factors = NULL;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID, "post: form 1 without its callback");
    post.form = (ga_post_form)9;
    refuse_number(&bad.problem.score.scale, 1, GA_INVALID, "post: form 9");
    close_bad();
}
END_TEST

/* ---- nothing to do, memory, threads, cancelling ---- */

START_TEST(zero_sizes)
{
    for (int zero = 0; zero < 6; zero++) { /* batch, heads, queries, keys, dim, dim_v */
        int64_t n[] = { 2, 2, 3, 4, 2, 3 };
        n[zero] = 0;
        array q = array_make(4, n[0], n[1], n[2], n[4]), k = array_make(4, n[0], n[1], n[3], n[4]);
        array v = array_make(4, n[0], n[1], n[3], n[5]), o = array_make(4, n[0], n[1], n[2], n[5]);
        array columns = array_make(3, n[0], n[1], n[3], 0);
        ga_attention problem = GA_ATTENTION_INIT;
        ga_pattern *pattern = NULL;
        test_ok(context, ga_pattern_full(context, n[2], n[3], false, &pattern));
        problem.q = tensor_of(&q);
        problem.k = tensor_of(&k);
        problem.v = tensor_of(&v);
        problem.pattern = pattern;
        ga_row_statistics statistics = { .column_sum = tensor_of(&columns) };
        ga_attention_result result = { .o = tensor_of(&o), .statistics = &statistics };
        test_ok(context, ga_attention_forward(context, &problem, GA_FAMILY_ROWS, &result, NULL));
        for (int64_t i = 0; zero == 3 && i < o.count; i++) {
            ck_assert_double_eq(o.data[i], 0);
        }
        for (int64_t i = 0; zero == 2 && i < columns.count; i++) {
            ck_assert_double_eq(columns.data[i], 0);
        }
        ga_pattern_destroy(context, pattern);
        free(q.data);
        free(k.data);
        free(v.data);
        free(o.data);
        free(columns.data);
    }
}
END_TEST

static ga_status call_forward(ga_context *own, void *user)
{
    (void)user;
    return ga_attention_forward(own, &bad.problem, GA_FAMILY_ROWS, &bad_out.result, NULL);
}

START_TEST(every_allocation)
{
    ga_post post = { .form = (ga_post_form)_i,
                     .classes = labels,
                     .class_count = CLASSES,
                     .factors = class_factors,
                     .row = change_row,
                     .full = change_map,
                     .full_limit = 10000 };
    open_bad(WINDOW, GA_SOFTMAX, 1);
    bad.problem.post = &post;
    ck_assert_int_gt(test_each_allocation(call_forward, NULL, _i == GA_POST_FULL ? 2 : 1), 8);
    close_bad();
}
END_TEST

START_TEST(threads_agree)
{
    static const int counts[] = { 1, 2, 3, 7 };
    static const shape_kind kinds[] = { CAUSAL, WINDOW, OWN_GHOSTS, LONG };
    for (int kind = 0; kind < 4; kind++) {
        outputs out[4];
        open_bad(kinds[kind], GA_SOFTMAX, 1);
        for (int i = 0; i < 4; i++) {
            outputs_make(&bad, &out[i]);
            test_set_threads(context, counts[i]);
            test_ok(context,
                    ga_attention_forward(context, &bad.problem, GA_FAMILY_ROWS, &out[i].result, NULL));
            ck_assert_mem_eq(out[i].o.data, out[0].o.data, (size_t)out[0].o.count * sizeof(double));
            ck_assert_mem_eq(out[i].map.data, out[0].map.data, (size_t)out[0].map.count * sizeof(double));
            ck_assert_mem_eq(out[i].column_sum.data, out[0].column_sum.data,
                             (size_t)out[0].column_sum.count * sizeof(double));
            ck_assert_mem_eq(out[i].entropy.data, out[0].entropy.data,
                             (size_t)out[0].entropy.count * sizeof(double));
        }
        for (int i = 0; i < 4; i++) {
            outputs_done(&out[i]);
        }
        close_bad();
    }
}
END_TEST

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(cancelled)
{
    ga_post post = { .form = GA_POST_FULL, .full = change_map, .full_limit = 10000 };
    open_bad(FULL, GA_SOFTMAX, 1);
    ga_context_set_cancel(context, stop, NULL);
    test_status(context, call_forward(context, NULL), GA_CANCELLED);
    bad_out.result.statistics = NULL;
    bad_out.result.lse = NULL;
    bad.problem.post = &post;
    test_status(context, call_forward(context, NULL), GA_CANCELLED);
    ga_context_set_cancel(context, NULL, NULL);
    close_bad();
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(ga_family_name(GA_FAMILY_AUTO), "auto");
    ck_assert_str_eq(ga_family_name(GA_FAMILY_ROWS), "rows");
    ck_assert_str_eq(ga_family_name(GA_FAMILY_TILES), "tiles");
    ck_assert_str_eq(ga_family_name(GA_FAMILY_EDGES), "edges");
    ck_assert_str_eq(ga_family_name((ga_family)9), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arguments of attention");
    TCase *tests = tcase_create("rows");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, wrong_shapes);
    tcase_add_test(tests, wrong_combinations);
    tcase_add_test(tests, wrong_numbers);
    tcase_add_test(tests, wrong_statistics_and_steps);
    tcase_add_test(tests, zero_sizes);
    tcase_add_loop_test(tests, every_allocation, GA_POST_NONE, GA_POST_FULL + 1);
    tcase_add_test(tests, threads_agree);
    tcase_add_test(tests, cancelled);
    tcase_add_test(tests, names);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
