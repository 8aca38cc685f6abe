/* check_device_messages.c - message passing with edge attention on the emulated device, against its formulas. */
#include "config.h"

#include "tests/unit/check_edges.h"
#include "tests/unit/device/device_support.h"

#include "lib/engine/edge_attention/edge.h"
#include "lib/engine/edge_attention/shapes.h"
#include "lib/engine/spmm/pieces.h"

enum { SHAPES = sizeof ga__edge_shapes / sizeof *ga__edge_shapes, FORMULAS = 26 };

typedef struct formula {
    ga_edge_score score;
    ga_normaliser_kind kind;
} formula;

static formula formula_at(int i)
{
    static const ga_normaliser_kind kinds[] = { GA_SOFTMAX, GA_SIGMOID, GA_SOFTPLUS, GA_RELU_L1,
                                                GA_IDENTITY };
    return i == FORMULAS - 1 ? (formula){ GA_EDGE_DISTANCE, GA_P_LAPLACIAN }
                             : (formula){ (ga_edge_score)(i / 5), kinds[i % 5] };
}

static bool has_rows(ga_edge_score score)
{
    return score != GA_EDGE_ADDITIVE && score != GA_EDGE_CONSTANT;
}

static void compare(const char *what, const char *schedule, const net *n, const double *found,
                    const double *expected, int64_t count, double absolute)
{
    for (int64_t k = 0; k < count; k++) {
        if (!net_near(found[k], expected[k], absolute, absolute)) {
            ck_abort_msg("%s: score %d normaliser %d heads %d width %d, %s: [%d] %.9g, not %.9g", what,
                         n->score, n->normaliser.kind, (int)n->heads, (int)n->width, schedule, (int)k,
                         found[k], expected[k]);
        }
    }
}

/* ---- forward ---- */

static void check_forward(ga_context *context, const net *n, net_type type, double absolute,
                          const char *schedule)
{
    net_result expected, found;
    int64_t rows = n->edges.targets * n->heads;
    net_plain(n, &expected);
    test_ok(context, net_forward(context, n, type, GA__EDGE_HUB, &found));
    compare("y", schedule, n, found.y, expected.y, rows * n->width_v, absolute);
    if (!n->bare || n->normaliser.kind == GA_P_LAPLACIAN) {
        compare("sums", schedule, n, found.sums, expected.sums, rows, absolute * 4);
    }
    if (!n->bare) {
        compare("map", schedule, n, found.map, expected.map, n->edges.count * n->heads, absolute);
    }
    if (n->normaliser.kind == GA_SOFTMAX) {
        compare("lse", schedule, n, found.lse, expected.lse, rows, absolute);
    }
    net_result_drop(&found);
    net_result_drop(&expected);
}

static double scale_of(const net *n)
{
    return sqrt((double)n->width) * (n->score == GA_EDGE_DISTANCE ? (double)n->width : 4);
}

START_TEST(forward)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 13, 17, 45, 3);
    for (int shape = 0; shape < SHAPES; shape++) {
        for (int variant = 0; variant < 2; variant++) {
            n.bias_axes = variant + 1;
            n.shared = variant == 1 && has_rows(f.score);
            n.bare = shape % 4 == 3;
            n.drop[0] = shape % 3 == 1 ? 0.25 : 0;
            n.drop[1] = shape % 3 == 2 ? 0.25 : 0;
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width,
                     shape % 2 ? 3 : ga__edge_shapes[shape].width);
            check_forward(context, &n, NET_F32, 1e-5 * scale_of(&n), "default");
        }
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

/* Tiles: more heads than a warp holds, a head wider than one, columns at an odd place. */
START_TEST(forward_tiles)
{
    static const ga__edge_shape shapes[] = { { 40, 2 }, { 17, 4 }, { 2, 132 }, { 3, 33 }, { 1, 260 } };
    ga_context *context = test_emulated_context();
    net n;
    net_init(&n, 9, 9, 40, 5);
    for (int shape = 0; shape < 5; shape++) {
        for (int score = GA_EDGE_DOT; score <= GA_EDGE_COSINE; score++) {
            n.bias_axes = shape % 3;
            net_fill(&n, (ga_edge_score)score, GA_SOFTMAX, shapes[shape].heads, shapes[shape].width,
                     shapes[shape].width);
            check_forward(context, &n, NET_F32, 1e-5 * scale_of(&n), "default");
        }
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

START_TEST(half_storage)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 9, 9, 40, 5);
    for (int type = NET_BF16; type <= NET_F16; type++) {
        for (int shape = 0; shape < SHAPES; shape += 3) {
            n.shared = shape % 2 && has_rows(f.score);
            net_fill(&n, f.score, f.kind, ga__edge_shapes[shape].heads, ga__edge_shapes[shape].width, 8);
            net_round(&n, type);
            check_forward(context, &n, type, 2e-5 * (double)(n.width + 8), "default");
        }
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

/* A row that is cut into parts. */
START_TEST(forward_hubs)
{
    ga_context *context = test_emulated_context();
    formula f = formula_at(_i);
    net n;
    net_init(&n, 5, 7, GA__CHUNK + 100, 3);
    for (int variant = 0; variant < 2; variant++) {
        n.bias_axes = variant;
        n.bare = variant;
        net_fill(&n, f.score, f.kind, variant ? 1 : 3, 4, variant ? 5 : 4);
        check_forward(context, &n, NET_F32, 2e-5 * scale_of(&n) * (f.kind == GA_IDENTITY ? 8 : 1), "default");
    }
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

static void forward_in(ga_context *context, int number, void *user)
{
    const net *n = user;
    check_forward(context, n, NET_F32, 2e-5 * scale_of(n), test_schedule_name(number));
}

START_TEST(forward_schedules)
{
    formula f = formula_at(_i);
    net n;
    net_init(&n, 13, 17, 70, 3);
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 3, 8, 8);
    test_each_schedule(forward_in, &n);
    net_drop(&n);
    net_init(&n, 4, 5, GA__CHUNK + 40, 3);
    net_fill(&n, f.score, f.kind, 1, 3, 3);
    if (f.kind != GA_IDENTITY) {
        test_each_schedule(forward_in, &n);
    }
    net_drop(&n);
}
END_TEST

/* Not a bit depends on the schedule. */
static void same_bits(ga_context *context, int number, void *user)
{
    static net_result first;
    const net *n = user;
    net_result found;
    test_ok(context, net_forward(context, n, NET_F32, GA__EDGE_HUB, number ? &found : &first));
    if (number > 0) {
        size_t bytes = (size_t)(n->edges.targets * n->heads * n->width_v) * sizeof(double);
        ck_assert_msg(memcmp(found.y, first.y, bytes) == 0, "%s", test_schedule_name(number));
        net_result_drop(&found);
    }
    if (number == 15) {
        net_result_drop(&first);
    }
}

START_TEST(bits_stay)
{
    net n;
    net_init(&n, 6, 7, 2 * GA__CHUNK + 100, 3);
    net_fill(&n, GA_EDGE_GATV2, GA_SOFTMAX, 2, 6, 6);
    test_each_schedule(same_bits, &n);
    net_drop(&n);
}
END_TEST

#include "tests/unit/device/check_device_slopes.h"

/* ---- nothing to do, what is refused, what fails ---- */

START_TEST(no_elements)
{
    static const int64_t sizes[][2] = { { 0, 0 }, { 0, 5 }, { 4, 0 }, { 3, 2 } };
    ga_context *context = test_emulated_context();
    for (int i = 0; i < 4; i++) {
        net n;
        net_result r;
        net_init(&n, sizes[i][0], sizes[i][1], 2, 43);
        net_fill(&n, GA_EDGE_GATV2, GA_SOFTMAX, 2, i == 3 ? 0 : 4, 4);
        test_ok(context, net_forward(context, &n, NET_F32, 8, &r));
        net_result_drop(&r);
        net_slopes s;
        test_ok(context, net_backward(context, &n, NET_F32, 8, NET_NOTHING, &s));
        net_slopes_drop(&s);
        net_drop(&n);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(refusals)
{
    ga_context *context = test_emulated_context();
    net n;
    net_result r;
    net_init(&n, 4, 5, 6, 43);
    net_fill(&n, GA_EDGE_DOT, GA_SOFTMAX, 2, 4, 4);
    test_status(context, net_forward(context, &n, NET_F64, 8, &r), GA_UNSUPPORTED);
    test_error_has(context, "edge attention: the emulated device cannot compute in f64 yet");
    net_result_drop(&r);
    net_slopes s;
    test_status(context, net_backward(context, &n, NET_F64, 8, NET_NOTHING, &s), GA_UNSUPPORTED);
    test_error_has(context, "edge attention: the emulated device cannot compute in f64 yet");
    net_slopes_drop(&s);
    n.transposed.edge[0] = n.edges.count;
    test_status(context, net_backward(context, &n, NET_F32, 8, NET_NOTHING, &s), GA_INVALID);
    test_error_has(context, "transposed: an edge is not among");
    net_slopes_drop(&s);
    net_drop(&n);
    ga_context_destroy(context);
}
END_TEST

static ga_status forward_call(ga_context *context, void *user)
{
    net_result r;
    ga_status status = net_forward(context, user, NET_F32, GA__EDGE_HUB, &r);
    net_result_drop(&r);
    return status;
}

static ga_status backward_call(ga_context *context, void *user)
{
    net_slopes s;
    ga_status status = net_backward(context, user, NET_F32, GA__EDGE_HUB, NET_NOTHING, &s);
    net_slopes_drop(&s);
    return status;
}

START_TEST(backward_failures)
{
    formula f = formula_at(_i);
    net n;
    net_init(&n, 3, 4, 9, 41);
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 2, 3, 3);
    ck_assert_int_gt(test_each_device_call(backward_call, &n), 30);
    ck_assert_int_gt(test_each_device_allocation(backward_call, &n), 2);
    net_drop(&n);
}
END_TEST

START_TEST(failures)
{
    formula f = formula_at(_i);
    net n;
    net_init(&n, 3, 4, GA__CHUNK + 5, 41);
    n.bias_axes = 2;
    net_fill(&n, f.score, f.kind, 2, 3, 3);
    ck_assert_int_gt(test_each_device_call(forward_call, &n), 20);
    ck_assert_int_gt(test_each_device_allocation(forward_call, &n), 2);
    net_drop(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message passing on a device");
    TCase *tests = tcase_create("forward");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, forward, 0, FORMULAS);
    tcase_add_test(tests, forward_tiles);
    tcase_add_loop_test(tests, half_storage, 0, FORMULAS);
    tcase_add_loop_test(tests, forward_hubs, 0, FORMULAS);
    tcase_add_loop_test(tests, forward_schedules, 0, FORMULAS);
    tcase_add_test(tests, bits_stay);
    tcase_add_test(tests, no_elements);
    tcase_add_test(tests, refusals);
    tcase_add_loop_test(tests, failures, 0, FORMULAS);
    suite_add_tcase(suite, tests);
    TCase *slopes = tcase_create("backward");
    tcase_set_timeout(slopes, 600);
    tcase_add_loop_test(slopes, backward, 0, FORMULAS);
    tcase_add_loop_test(slopes, half_backward, 0, FORMULAS);
    tcase_add_test(slopes, backward_maps);
    tcase_add_loop_test(slopes, backward_hubs, 0, FORMULAS);
    tcase_add_loop_test(slopes, backward_schedules, 0, FORMULAS);
    tcase_add_test(slopes, slopes_stay);
    tcase_add_test(slopes, single_weight);
    tcase_add_loop_test(slopes, backward_failures, 0, FORMULAS);
    suite_add_tcase(suite, slopes);
    return test_run(suite);
}
