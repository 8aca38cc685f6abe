/* check_device_tiles.c - attention by tiles on the emulated device against the rows in double precision. */
#include "config.h"

#include "tests/unit/device/check_device_tiles.h"

/* ---- agreement ---- */

static const ga_normaliser_kind kinds[] = { GA_SOFTMAX,        GA_SIGMOID,  GA_SOFTPLUS, GA_RELU_L1,
                                            GA_NORM_ATTENTION, GA_IDENTITY, GA_SOFTMAX };
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool fits(shape_of shape, const ga__tile_shape *n, ga_normaliser_kind kind)
{
    return !(shape == GHOST && (kind != GA_SOFTMAX || n->queries != n->keys)) && shape != NEIGHBOUR;
}

/* One element type: every shape with every pattern, the normalisers by turns, each with each pattern. */
START_TEST(agrees_with_the_rows)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    int tried = 0;
    for (int s = 0; s < GA__TILE_SHAPES; s++) {
        for (int shape = 0; shape < PATTERNS; shape++) {
            ga_normaliser_kind kind = kinds[(s + 2 * shape + _i) % KINDS];
            if (fits((shape_of)shape, &ga__tile_shapes[s], kind)) {
                tile_case c;
                make_case(&c, &ga__tile_shapes[s], (shape_of)shape, kind, types[_i]);
                find_wanted(&c);
                check_case(context, &c, "default");
                free_case(&c);
                tried++;
            }
        }
    }
    ck_assert_int_gt(tried, 65);
    ga_context_destroy(context);
}
END_TEST

/* All terms of a score, one after the other and then together. */
static void dress(tile_case *c, int which)
{
    const ga__tile_shape *n = &c->n;
    ga_score *s = &c->problem.score;
    bool all = which == 8;
    if (which == 0 || all) {
        s->bias = tensor_of(c, BIAS, all ? f32 : bf16, 1, 3, all ? n->heads : 1, n->queries, n->keys, 1);
    }
    if ((which == 1 || all) && c->pattern->query_cell) {
        const int64_t *cells = c->pattern->table_shape;
        s->table = tensor_of(c, TABLE, f32, 1, 1 + c->pattern->table_axes, all ? 1 : n->heads, cells[0],
                             cells[1], cells[2]);
    }
    if (which == 2 || all) {
        s->slopes = tensor_of(c, SLOPES, f32, 0.1, 1, n->heads, 1, 1, 1);
    }
    if (which == 3 || all) {
        s->softcap = 0.75;
    }
    if (which == 4 || all) {
        s->column_bias = tensor_of(c, COLUMN, f32, 1, 3, 1, n->heads, n->keys, 1);
    }
    if (which == 5 || all) {
        s->column_factor = tensor_of(c, FACTOR, f32, 1, 3, n->batch, 1, n->keys, 1);
    }
    if (which == 6 || all) {
        s->column_gain = tensor_of(c, GAIN, f32, 1, 3, n->batch, n->heads, n->keys, 1);
        s->gain_from = 5;
    }
    if (which == 7 || all) {
        c->problem.head_scale = tensor_of(c, SCALE, f32, 2, 1, n->heads, 1, 1, 1);
    }
}

START_TEST(dressed_scores)
{
    static const ga__tile_shape shape = { 2, 4, 2, 99, 99, 20, 12 };
    static const shape_of shapes[] = { NEIGHBOUR, CAUSAL, EXTRA, BLOCKS };
    ga_context *context = test_emulated_context();
    for (int which = 0; which < 9; which++) {
        for (int s = 0; s < 4; s++) {
            tile_case c;
            make_case(&c, &shape, shapes[s], kinds[(which + s) % KINDS], which % 2 ? f32 : bf16);
            dress(&c, which);
            find_wanted(&c);
            check_case(context, &c, "default");
            free_case(&c);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- schedules: values near the wanted ones in each, and the same bits in all ---- */

typedef struct first_bits {
    tile_case c;
    DLTensor *o;
} first_bits;

static void in_schedule(ga_context *context, int number, void *user)
{
    first_bits *f = user;
    check_case(context, &f->c, test_schedule_name(number));
    if (number == 0) {
        memcpy(f->o->data, f->c.t[O]->data, (size_t)count_of(f->o) * sizeof(float));
    }
    expect(same_data(f->o, f->c.t[O]), "%s, %s: other bits", f->c.name, test_schedule_name(number));
}

START_TEST(schedules)
{
    const struct {
        ga__tile_shape n;
        shape_of shape;
        ga_normaliser_kind kind;
        DLDataType type;
    } cases[] = { { { 1, 2, 1, 70, 200, 40, 24 }, CAUSAL, GA_SOFTMAX, f32 },
                  { { 1, 2, 1, 70, 200, 40, 24 }, CAUSAL, GA_SOFTMAX, bf16 },
                  { { 1, 2, 2, 65, 330, 64, 72 }, BLOCKS, GA_SIGMOID, f16 },
                  { { 1, 1, 1, 3, 1400, 16, 8 }, FULL, GA_SOFTMAX, bf16 },
                  { { 1, 1, 1, 3, 1400, 3, 5 }, WINDOW, GA_RELU_L1, f32 } };
    first_bits f;
    make_case(&f.c, &cases[_i].n, cases[_i].shape, cases[_i].kind, cases[_i].type);
    find_wanted(&f.c);
    f.o = tensor_new(f.c.cpu, f32, 4, f.c.t[O]->shape);
    test_each_schedule(in_schedule, &f);
    ga_tensor_destroy(f.c.cpu, f.o);
    free_case(&f.c);
}
END_TEST

/* ---- numbers that are none ---- */

/* A masked key whose values are not finite must not show; a query that is not a number must, in its rows alone. */
START_TEST(odd_values)
{
    static const ga__tile_shape shape = { 1, 2, 1, 70, 150, 16, 24 };
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_emulated_context();
    for (int kind = 0; kind < 4; kind++) {
        tile_case c;
        make_case(&c, &shape, CAUSAL, kinds[kind], types[_i]);
        set(c.t[V], 149 * 24 + 3, (double)INFINITY);
        set(c.t[V], 120 * 24 + 1, (double)NAN);
        set(c.t[Q], 7 * 16 + 2, (double)NAN);
        find_wanted(&c);
        check_case(context, &c, "default");
        ck_assert(isnan(get(c.t[O], 7 * 24)) && isfinite(get(c.t[O], 38 * 24 + 3)));
        free_case(&c);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(scores_without_bound)
{
    static const ga__tile_shape shape = { 1, 1, 1, 66, 70, 8, 8 };
    ga_context *context = test_emulated_context();
    tile_case c;
    make_case(&c, &shape, FULL, GA_SOFTMAX, f32);
    DLTensor *bias = tensor_of(&c, BIAS, f32, 1, 3, 1, 66, 70, 1);
    for (int64_t j = 0; j < 70; j++) {
        set(bias, 5 * 70 + j, (double)-INFINITY);        /* sees nothing */
        set(bias, 65 * 70 + j, j == 69 ? 1e4 : -1e4);    /* sees one */
        set(bias, 9 * 70 + j, j < 64 ? -INFINITY : 0.0); /* sees nothing in its first block */
    }
    c.problem.score.bias = bias;
    find_wanted(&c);
    check_case(context, &c, "default");
    ck_assert(isinf(get(c.t[LSE], 5)) && get(c.t[O], 5 * 8) == 0);
    free_case(&c);
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tiles on a device");
    TCase *tests = tcase_create("tiles");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, agrees_with_the_rows, 0, 3);
    tcase_add_test(tests, dressed_scores);
    tcase_add_loop_test(tests, schedules, 0, 5);
    tcase_add_loop_test(tests, odd_values, 0, 3);
    tcase_add_test(tests, scores_without_bound);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
