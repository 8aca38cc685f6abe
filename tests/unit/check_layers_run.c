/* check_layers_run.c - layers that are opened once and run again and again: the same bits every time, dropout inside and
 * in front, sparse features, gradients in the place of the input, threads, memory. */
#include "config.h"

#include "gnn/layer.h"
#include "lib/engine/view.h"
#include "tests/unit/check_layers.h"

/* A layer with one of two graphs and what belongs to them. */
typedef struct world {
    problem p;
    bool wide, noisy;
    ga__layer_run run;
    ga__messages graph;
    DLTensor *before, *dense; /* dense = activation of before */
    DLTensor *grad_y, *grad_x, *grads[TENSORS];
    uint32_t *bits;
    ga__layer_input input;
    ga__layer_noise noise;
} world;

static const double rate = 0.375;

static DLDataType type_of(bool wide)
{
    return (DLDataType){ .code = kDLFloat, .bits = wide ? 64 : 32, .lanes = 1 };
}

static double get(const DLTensor *t, int64_t i)
{
    return t->dtype.bits == 64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

static void put(DLTensor *t, int64_t i, double value)
{
    if (t->dtype.bits == 64) {
        ((double *)t->data)[i] = value;
    } else {
        ((float *)t->data)[i] = (float)value;
    }
}

static double activated(ga__activation activation, double x)
{
    return x > 0 || activation == GA__ACTIVATION_NONE ? x : activation == GA__ACTIVATION_ELU ? expm1(x) : 0;
}

static void activate(world *w)
{
    for (int64_t i = 0; i < count_of(w->before); i++) {
        put(w->dense, i, activated(w->input.activation, get(w->before, i)));
    }
}

static bool has_edge_features(const fixture *of)
{
    for (int i = 0; i < TENSORS && of->tensors[i].name; i++) {
        if (strcmp(of->tensors[i].name, "edge_features") == 0) {
            return true;
        }
    }
    return false;
}

static const double *line_weights(const problem *p)
{
    for (int64_t i = 0; i < p->call.tensor_count; i++) {
        if (strcmp(p->tensors[i].name, "edge_weight") == 0) {
            return numbers_of(p->tensors[i].tensor);
        }
    }
    return NULL;
}

static ga__policy policy_of(const world *w)
{
    return (ga__policy){ .undirected = w->p.of->undirected,
                         .duplicates = (ga__duplicate_policy)ga__integer(&w->run, "duplicates"),
                         .loops = (ga__loop_policy)ga__integer(&w->run, "self_loops"),
                         .lines = true };
}

/* The problem's tensors belong to the context of the tests, all else to `with`. */
static ga_status open_layer(ga_context *with, world *w)
{
    ga_status status = GA_OK;
    const problem *p = &w->p;
    GA_TRY(ga__layer_open(with, ga_layer_find(p->of->layer), p->call.parameters, p->call.parameter_count,
                          w->wide, &w->run));
    for (int64_t i = 0; i < p->call.tensor_count; i++) {
        const DLTensor *t = p->tensors[i].tensor;
        if (differentiable(p->of, p->tensors[i].name)) {
            GA_TRY(ga_tensor_create(with, type_of(w->wide), t->ndim, t->shape, &w->grads[i]));
        }
        GA_TRY(ga__layer_bind(&w->run, p->tensors[i].name, t, w->grads[i]));
    }
    if (w->run.layer->takes_graph) {
        ga__policy policy = policy_of(w);
        GA_TRY(ga__messages_make(with, &p->edges, line_weights(p), p->n, &policy, &w->graph));
    }
done:
    return status;
}

static ga_status open_data(ga_context *with, world *w)
{
    ga_status status = GA_OK;
    int64_t elements = w->p.n * F;
    GA_TRY(ga__tensor_cast(with, "x", w->p.features, type_of(w->wide), &w->before));
    GA_TRY(ga__tensor_cast(with, "x", w->p.features, type_of(w->wide), &w->dense));
    GA_TRY(ga__tensor_cast(with, "x", w->p.features, type_of(w->wide), &w->grad_x));
    GA_TRY(GA_NEW(with, ga_keep_words(elements), &w->bits));
    GA_TRY(ga_keep_draw(with, 77, ga__noise_stream(3, 1, GA__SITE_INPUT), elements, rate, w->bits));
    w->input = (ga__layer_input){ .dense = w->dense, .keep = { NULL, 1 }, .activation = GA__ACTIVATION_ELU };
    if (w->noisy) {
        w->input.keep = (ga_keep){ w->bits, 1 / (1 - rate) };
    }
    w->noise = (ga__layer_noise){
        .seed = 77, .epoch = 3, .layer = 1, .weight_rate = rate, .value_rate = rate, .step_rate = rate
    };
    activate(w);
done:
    return status;
}

static const ga__layer_noise *noise_of(const world *w)
{
    return w->noisy && !has_edge_features(w->p.of) ? &w->noise : NULL;
}

static ga_status forward(world *w)
{
    return ga__layer_forward(&w->run, &w->input, w->run.layer->takes_graph ? &w->graph : NULL, noise_of(w));
}

static ga_status make_grad_y(ga_context *with, world *w)
{
    ga_status status = GA_OK;
    ga__random random = ga__random_at(12, GA__RANDOM_TEST, 1);
    GA_TRY(w->grad_y ? GA_OK : ga_tensor_create(with, w->run.y->dtype, 2, w->run.y->shape, &w->grad_y));
    for (int64_t i = 0; i < count_of(w->grad_y); i++) {
        put(w->grad_y, i, (float)(2 * ga__random_unit(&random) - 1));
    }
done:
    return status;
}

/* Forward and backward; grad_x may be the input. */
static ga_status both(ga_context *with, world *w, DLTensor *grad_x)
{
    ga_status status = GA_OK;
    activate(w);
    GA_TRY(forward(w));
    GA_TRY(make_grad_y(with, w));
    status = ga__layer_backward(&w->run, w->grad_y, grad_x);
done:
    return status;
}

static void close_data(ga_context *with, world *w)
{
    DLTensor **const all[] = { &w->before, &w->dense, &w->grad_x, &w->grad_y };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_tensor_destroy(with, *all[i]);
        *all[i] = NULL;
    }
    ga_free(with, w->bits);
    w->bits = NULL;
    ga__messages_free(with, &w->graph);
}

static void close_layer(ga_context *with, world *w)
{
    ga__layer_close(&w->run);
    for (int i = 0; i < TENSORS; i++) {
        ga_tensor_destroy(with, w->grads[i]);
        w->grads[i] = NULL;
    }
}

static void world_make(world *w, const fixture *of, int64_t n, int64_t lines, uint64_t seed, bool wide,
                       bool noisy)
{
    *w = (world){ .wide = wide, .noisy = noisy };
    problem_make(&w->p, of, n, lines, seed);
    test_ok(context, open_layer(context, w));
    test_ok(context, open_data(context, w));
}

static void world_free(world *w)
{
    close_data(context, w);
    close_layer(context, w);
    problem_free(&w->p);
}

/* Everything that a run gives, one behind the other. */
typedef struct outcome {
    double *numbers;
    int64_t count;
} outcome;

static void add(outcome *o, const DLTensor *t)
{
    int64_t count = t ? count_of(t) : 0;
    o->numbers = realloc(o->numbers, (size_t)(o->count + count + 1) * sizeof *o->numbers);
    for (int64_t i = 0; i < count; i++) {
        o->numbers[o->count++] = get(t, i);
    }
}

/* y is taken before the backward pass, which is free to use its room. */
static outcome outcome_of(world *w, bool in_place)
{
    outcome o = { NULL, 0 };
    activate(w);
    test_ok(context, forward(w));
    add(&o, w->run.y);
    DLTensor *grad_x = w->input.sparse ? NULL : in_place ? w->dense : w->grad_x;
    if (!w->input.sparse) {
        test_ok(context, both(context, w, grad_x));
    } else {
        test_ok(context, make_grad_y(context, w));
        test_ok(context, ga__layer_backward(&w->run, w->grad_y, NULL));
    }
    for (int i = 0; i < TENSORS; i++) {
        add(&o, w->grads[i]);
    }
    add(&o, grad_x);
    return o;
}

static void expect_same_bits(const outcome *a, const outcome *b, const char *what)
{
    ck_assert_int_eq(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        if (memcmp(&a->numbers[i], &b->numbers[i], sizeof *a->numbers) != 0) {
            ck_abort_msg("%s [%lld]: %.17g, %.17g", what, (long long)i, a->numbers[i], b->numbers[i]);
        }
    }
}

/* ---- again and again ---- */

START_TEST(every_run_is_the_first)
{
    world a, b;
    world_make(&a, &fixtures[_i], 40, 200, 4, false, true);
    world_make(&b, &fixtures[_i], 67, 200, 5, false, true);
    outcome first = outcome_of(&a, false), other = outcome_of(&b, false);
    /* the layer of a on the data of b, in between */
    ga__layer_run kept = b.run;
    b.run = a.run;
    for (int i = 0; i < TENSORS; i++) {
        DLTensor *grad = a.grads[i];
        a.grads[i] = b.grads[i];
        b.grads[i] = grad;
        if (i < a.p.call.tensor_count) {
            test_ok(context, ga__layer_bind(&b.run, b.p.tensors[i].name, b.p.tensors[i].tensor, b.grads[i]));
        }
    }
    outcome between = outcome_of(&b, false);
    for (int i = 0; i < a.p.call.tensor_count; i++) {
        test_ok(context, ga__layer_bind(&b.run, a.p.tensors[i].name, a.p.tensors[i].tensor, b.grads[i]));
    }
    for (int i = 0; i < TENSORS; i++) {
        DLTensor *grad = a.grads[i];
        a.grads[i] = b.grads[i];
        b.grads[i] = grad;
    }
    a.run = b.run;
    b.run = kept;
    int64_t now = 0, later = 0;
    ga_context_memory(context, &now, NULL);
    outcome again = outcome_of(&a, false);
    ga_context_memory(context, &later, NULL);
    expect_same_bits(&other, &between, "of the second graph");
    expect_same_bits(&first, &again, "again");
    ck_assert_int_eq(now, later); /* rooms are used again */
    free(first.numbers);
    free(other.numbers);
    free(between.numbers);
    free(again.numbers);
    world_free(&a);
    world_free(&b);
}
END_TEST

START_TEST(another_epoch_drops_others)
{
    world w;
    world_make(&w, &fixtures[_i], 40, 200, 4, true, true);
    w.input.keep = (ga_keep){ NULL, 1 };
    outcome first = outcome_of(&w, false);
    w.noise.epoch++;
    outcome second = outcome_of(&w, false);
    bool noise =
        noise_of(&w) && (strcmp(w.p.of->layer, "gat") == 0 || strcmp(w.p.of->layer, "gatv2") == 0 ||
                         strcmp(w.p.of->layer, "transformer") == 0 || strcmp(w.p.of->layer, "appnp") == 0);
    bool same = memcmp(first.numbers, second.numbers, (size_t)first.count * sizeof *first.numbers) == 0;
    ck_assert_msg(same != noise, "%s", w.p.of->layer);
    free(first.numbers);
    free(second.numbers);
    world_free(&w);
}
END_TEST

START_TEST(threads_give_the_same_bits)
{
    static const int threads[] = { 1, 2, 3, 7 };
    outcome first = { NULL, 0 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        world w;
        test_set_threads(context, threads[t]);
        world_make(&w, &fixtures[_i], 1500, 9000, 6, false, true);
        outcome o = outcome_of(&w, false);
        if (t == 0) {
            first = o;
        } else {
            expect_same_bits(&first, &o, w.p.of->layer);
            free(o.numbers);
        }
        world_free(&w);
    }
    free(first.numbers);
}
END_TEST

/* ---- gradients ---- */

static double loss_of(world *w)
{
    double sum = 0;
    activate(w);
    test_ok(context, forward(w));
    for (int64_t i = 0; i < count_of(w->run.y); i++) {
        sum += get(w->run.y, i) * get(w->grad_y, i);
    }
    return sum;
}

static void expect_slopes(world *w, const char *name, DLTensor *input, const double *found)
{
    const double step = 1e-5;
    for (int64_t i = 0; i < count_of(input); i++) {
        double kept = get(input, i);
        put(input, i, kept + step);
        double more = loss_of(w);
        put(input, i, kept - step);
        double expected = (more - loss_of(w)) / (2 * step);
        put(input, i, kept);
        if (!(fabs(found[i] - expected) <= 3e-7 * (1 + fabs(expected)))) {
            ck_abort_msg("%s %s[%lld]: %.12g, differences %.12g", w->p.of->layer, name, (long long)i,
                         found[i], expected);
        }
    }
}

/* Weights of edges are part of the graph, which these runs make once: their gradient is tested with calls by name. */
static void gradients(const fixture *of, ga__activation activation)
{
    world w;
    world_make(&w, of, 9, 31, 3, true, true);
    w.input.activation = activation;
    test_ok(context, both(context, &w, w.grad_x));
    outcome o = { NULL, 0 };
    add(&o, w.grad_x);
    expect_slopes(&w, "x", w.before, o.numbers);
    for (int64_t i = 0; i < w.p.call.tensor_count; i++) {
        if (w.grads[i] && strcmp(w.p.tensors[i].name, "edge_weight") != 0) {
            expect_slopes(&w, w.p.tensors[i].name, w.p.tensors[i].tensor, numbers_of(w.grads[i]));
        }
    }
    free(o.numbers);
    world_free(&w);
}

START_TEST(gradients_with_dropout_are_differences)
{
    gradients(&fixtures[_i], GA__ACTIVATION_ELU);
}
END_TEST

START_TEST(gradients_pass_relu_and_nothing)
{
    gradients(&fixtures[_i], GA__ACTIVATION_RELU);
    gradients(&fixtures[_i], GA__ACTIVATION_NONE);
}
END_TEST

START_TEST(gradient_may_take_the_place_of_the_input)
{
    for (int activation = GA__ACTIVATION_NONE; activation <= GA__ACTIVATION_ELU; activation++) {
        for (int noisy = 0; noisy < 2; noisy++) {
            world w;
            world_make(&w, &fixtures[_i], 53, 300, 8, false, noisy);
            if (!w.run.layer->ops->linear_input) {
                world_free(&w);
                return;
            }
            w.input.activation = (ga__activation)activation;
            outcome apart = outcome_of(&w, false), inside = outcome_of(&w, true);
            expect_same_bits(&apart, &inside, w.p.of->layer);
            free(apart.numbers);
            free(inside.numbers);
            world_free(&w);
        }
    }
}
END_TEST

/* ---- sparse features ---- */

typedef struct sparse {
    int64_t offsets[64];
    uint32_t columns[64 * F];
    DLTensor *values;
    uint32_t bits[64];
    ga__sparse_input input;
} sparse;

/* About half of the features become 0; the bits of the stored ones are those that dense has. */
static void make_sparse(world *w, sparse *s, bool ones)
{
    int64_t count = 0;
    *s = (sparse){ .offsets = { 0 } };
    w->input.activation = GA__ACTIVATION_NONE;
    for (int64_t i = 0; i < w->p.n * F; i++) {
        bool stored = i % 3 == 1 || i % 7 == 2, kept = w->bits[i / 32] >> (i % 32) & 1;
        put(w->before, i, !stored ? 0 : ones ? 1 : get(w->before, i));
        if (stored) {
            s->bits[count / 32] |= (uint32_t)kept << (count % 32);
            s->columns[count++] = (uint32_t)(i % F);
        }
        s->offsets[i / F + 1] = count;
    }
    test_ok(context, ga_tensor_create(context, type_of(false), 1, &count, &s->values));
    for (int64_t i = 0, at = 0; i < w->p.n * F; i++) {
        if (i % 3 == 1 || i % 7 == 2) {
            put(s->values, at++, get(w->before, i));
        }
    }
    s->input = (ga__sparse_input){ .edges = { w->p.n, F, count, s->offsets, s->columns },
                                   .values = ones ? NULL : s->values };
    test_ok(context, ga_edges_transpose(context, &s->input.edges, &s->input.transposed));
}

START_TEST(sparse_features_are_dense_ones)
{
    for (int form = 0; form < 4; form++) {
        world w;
        sparse s;
        bool ones = form & 1, noisy = form & 2;
        world_make(&w, &fixtures[_i], 50, 200, 9, true, noisy);
        make_sparse(&w, &s, ones);
        outcome dense = outcome_of(&w, false), thin;
        w.input = (ga__layer_input){ .sparse = &s.input, .keep = { noisy ? s.bits : NULL, 1 / (1 - rate) } };
        thin = outcome_of(&w, false);
        ck_assert_int_eq(dense.count, thin.count + count_of(w.grad_x));
        for (int64_t i = 0; i < thin.count; i++) {
            if (!(fabs(dense.numbers[i] - thin.numbers[i]) <= 1e-12 * (1 + fabs(dense.numbers[i])))) {
                ck_abort_msg("%s form %d [%lld]: %.15g, dense %.15g", w.p.of->layer, form, (long long)i,
                             thin.numbers[i], dense.numbers[i]);
            }
        }
        test_ok(context, forward(&w));
        test_status(context, ga__layer_backward(&w.run, w.grad_y, w.grad_x), GA_UNSUPPORTED);
        free(dense.numbers);
        free(thin.numbers);
        ga_transposed_destroy(context, &s.input.transposed);
        ga_tensor_destroy(context, s.values);
        world_free(&w);
    }
}
END_TEST

/* More rows than a block that dropout is applied to has. */
START_TEST(blocks_of_rows_join)
{
    static const fixture gat = {
        "gat", { { "heads", "2" } }, { { "weight", F, 6 }, { "att_src", 2, 3 }, { "att_dst", 2, 3 } }, false
    };
    world w;
    world_make(&w, &gat, 140000, 4, 6, true, true);
    test_ok(context, both(context, &w, w.grad_x));
    outcome found = outcome_of(&w, true);
    /* dropout in front of the layer by hand */
    DLTensor *gradient = NULL;
    test_ok(context, ga__tensor_cast(context, "x", w.grad_x, type_of(true), &gradient));
    double scale = w.input.keep.scale;
    activate(&w);
    for (int64_t i = 0; i < count_of(w.dense); i++) {
        bool kept = w.bits[i / 32] >> (i % 32) & 1;
        put(w.before, i, kept ? scale * get(w.dense, i) : 0);
        put(gradient, i, kept ? scale * (get(w.dense, i) > 0 ? 1 : get(w.dense, i) + 1) : 0);
    }
    w.input.keep = (ga_keep){ NULL, 1 };
    w.input.activation = GA__ACTIVATION_NONE;
    outcome plain = outcome_of(&w, false);
    int64_t last = plain.count - count_of(w.grad_x);
    for (int64_t i = 0; i < plain.count; i++) {
        double expected = plain.numbers[i] * (i < last ? 1 : get(gradient, i - last));
        if (!(fabs(found.numbers[i] - expected) <= 1e-9 * (1 + fabs(expected)))) {
            ck_abort_msg("[%lld] %.15g, %.15g", (long long)i, found.numbers[i], expected);
        }
    }
    free(found.numbers);
    free(plain.numbers);
    ga_tensor_destroy(context, gradient);
    world_free(&w);
}
END_TEST

/* ---- refusals ---- */

START_TEST(what_does_not_go_together_is_refused)
{
    world w;
    world_make(&w, &fixtures[_i], 20, 60, 2, true, true);
    ga__messages *graph = w.run.layer->takes_graph ? &w.graph : NULL;
    ga__layer_input none = { .keep = { NULL, 1 } };
    ga__begin(context);
    test_status(context, ga__layer_bind(&w.run, "gewicht", w.dense, NULL), GA_INVALID);
    ga__begin(context);
    test_status(context, ga__layer_bind(&w.run, w.run.layer->tensors[0].name, NULL, NULL), GA_INVALID);
    ga__begin(context);
    test_status(context, ga__layer_forward(&w.run, &none, graph, NULL), GA_INVALID);
    test_error_has(context, "features: missing");
    if (has_edge_features(w.p.of)) {
        ga__begin(context);
        test_status(context, ga__layer_forward(&w.run, &w.input, graph, &w.noise), GA_UNSUPPORTED);
        test_error_has(context, "no dropout where edges have features");
    }
    if (graph) {
        ga__begin(context);
        test_status(context, ga__layer_forward(&w.run, &w.input, NULL, NULL), GA_INVALID);
        test_error_has(context, "needs a graph");
        w.graph.edges.targets--;
        ga__begin(context);
        test_status(context, ga__layer_forward(&w.run, &w.input, graph, NULL), GA_INVALID);
        test_error_has(context, "a graph of 19 nodes, features of 20");
        w.graph.edges.targets++;
    }
    test_ok(context, forward(&w));
    ga__begin(context);
    test_status(context, ga__layer_backward(&w.run, w.bits ? w.dense : NULL, NULL),
                w.run.y->shape[1] == F ? GA_OK : GA_INVALID);
    DLTensor *narrow = NULL;
    test_ok(context, ga__tensor_cast(context, "x", w.dense, type_of(false), &narrow));
    w.input.dense = narrow;
    ga__begin(context);
    test_status(context, forward(&w), GA_INVALID);
    test_error_has(context, "working type");
    w.input.dense = w.dense;
    w.input.keep.scale = NAN;
    ga__begin(context);
    test_status(context, forward(&w), GA_INVALID);
    ga_tensor_destroy(context, narrow);
    world_free(&w);
}
END_TEST

START_TEST(steps_with_dropout_have_their_limit)
{
    static const fixture many = { "appnp", { { "k", "62" } }, { { 0 } }, false };
    static const fixture enough = { "appnp", { { "k", "61" } }, { { 0 } }, false };
    world w;
    world_make(&w, &enough, 12, 40, 2, true, true);
    test_ok(context, forward(&w));
    world_free(&w);
    world_make(&w, &many, 12, 40, 2, true, true);
    ga__begin(context);
    test_status(context, forward(&w), GA_UNSUPPORTED);
    test_error_has(context, "k=62, at most 61 steps with dropout");
    world_free(&w);
}
END_TEST

/* ---- memory ---- */

static ga_status memory_body(ga_context *with, void *user)
{
    ga_status status = GA_OK;
    world *of = user, w = { .p = of->p, .noisy = true };
    w.run.context = with;
    GA_TRY(open_layer(with, &w));
    GA_TRY(open_data(with, &w));
    for (int turn = 0; turn < 2; turn++) {
        GA_TRY(both(with, &w, w.grad_x));
        w.input.keep = (ga_keep){ NULL, 1 };
    }
done:
    close_data(with, &w);
    close_layer(with, &w);
    return status;
}

START_TEST(memory_may_end_in_any_run)
{
    world w = { .wide = false };
    problem_make(&w.p, &fixtures[_i], 6, 12, 3);
    ck_assert_int_gt(test_each_allocation(memory_body, &w, 2), 20);
    problem_free(&w.p);
}
END_TEST

/* What a gat layer takes beyond its input and its result: z and a few numbers a head of a node. */
START_TEST(gat_takes_one_matrix)
{
    static const fixture gat = {
        "gat",
        { { "heads", "8" } },
        { { "weight", F, 256 }, { "att_src", 8, 32 }, { "att_dst", 8, 32 }, { "bias", 0, 256 } },
        false
    };
    world w;
    int64_t before = 0, after = 0;
    world_make(&w, &gat, 3000, 3000, 5, false, false);
    ga_context_memory(context, &before, NULL);
    test_ok(context, both(context, &w, w.grad_x));
    ga_context_memory(context, &after, NULL);
    int64_t matrix = 3000 * 256 * 4, heads = 3000 * 8 * 4;
    ck_assert_int_le(after - before, 3 * matrix /* y, z, grad_y of the test */ + 8 * heads);
    world_free(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers again and again");
    TCase *tests = tcase_create("runs");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, every_run_is_the_first, 0, FIXTURES);
    tcase_add_loop_test(tests, another_epoch_drops_others, 0, FIXTURES);
    tcase_add_loop_test(tests, threads_give_the_same_bits, 0, FIXTURES);
    tcase_add_loop_test(tests, gradients_with_dropout_are_differences, 0, FIXTURES);
    tcase_add_loop_test(tests, gradients_pass_relu_and_nothing, 0, FIXTURES);
    tcase_add_loop_test(tests, gradient_may_take_the_place_of_the_input, 0, FIXTURES);
    tcase_add_loop_test(tests, sparse_features_are_dense_ones, 0, FIXTURES);
    tcase_add_test(tests, blocks_of_rows_join);
    tcase_add_loop_test(tests, what_does_not_go_together_is_refused, 0, FIXTURES);
    tcase_add_test(tests, steps_with_dropout_have_their_limit);
    tcase_add_loop_test(tests, memory_may_end_in_any_run, 0, FIXTURES);
    tcase_add_test(tests, gat_takes_one_matrix);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
