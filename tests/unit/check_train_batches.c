/* check_train_batches.c - data on their way into a model: sampled batches, normalised features. */
#include "config.h"

#include "tests/unit/check_train.h"

static ga_context *context;

static void open_all(void)
{
    context = test_threads_context(2);
}

static void close_all(void)
{
    test_context_done(context, NULL);
}

/* ---- batches ---- */

static ga__loader_options loader_of(const ga__prepared *whole, const planted *p, const ga_model *model,
                                    int64_t batch, const int64_t *fanout, int hops)
{
    return (ga__loader_options){ .whole = whole,
                                 .train = { p->split.train, p->split.train_count },
                                 .batch = batch,
                                 .fanout = fanout,
                                 .hops = hops,
                                 .weighted = ga__model_weighs(model),
                                 .seed = 9 };
}

static void gradient(ga_model *model, const ga__model_data *data, const ga__truth *truth,
                     const ga__nodes *nodes, double *loss)
{
    const DLTensor *logits = NULL;
    DLTensor *grad = NULL;
    test_ok(context, ga__model_forward(context, model, data, true, 1, 1, -1, &logits));
    test_ok(context, ga_tensor_create(context, (DLDataType){ kDLFloat, 32, 1 }, 2, logits->shape, &grad));
    test_ok(context, ga__loss(context, logits, truth, nodes, loss, grad));
    test_ok(context, ga__model_backward(context, model, grad));
    ga_tensor_destroy(context, grad);
}

static const char *const models[] = { "gcn",  "sage",  "gat",    "gatv2", "transformer",
                                      "agnn", "appnp", "gprgnn", "pgnn",  "mlp" };
enum { MODELS = sizeof models / sizeof *models };
/* without dropout, reaching over two hops */
static const char *const plain[MODELS] = { "dropout=0",
                                           "dropout=0",
                                           "dropout=0 attn_dropout=0",
                                           "dropout=0 attn_dropout=0",
                                           "dropout=0 attn_dropout=0",
                                           "dropout=0",
                                           "dropout=0 prop_dropout=0 k=2",
                                           "dropout=0 prop_dropout=0 k=2",
                                           "dropout=0 k=2 p=1.5",
                                           "dropout=0" };

/* All neighbours of all training nodes: the gradient is that of the whole graph, whatever degrees a layer needs, though the
 * batch does not hold the whole graph. */
START_TEST(the_whole_in_one_batch)
{
    static const int64_t all[] = { -1, -1 };
    planted p;
    planted_make(&p, 400, 9, 3);
    p.rows.count = 500; /* sparse enough that some nodes are out of reach */
    p.rows.weights = p.weights;
    p.split.train_count = 20;
    p.data.undirected = false;
    for (int sparse = 0; sparse < 2; sparse++) {
        ga__prepared whole;
        ga__loader *loader = NULL;
        const ga__batch *batch = NULL;
        double loss = 0, again = 0;
        int64_t numbers[400], seeds[400], labels[400];
        ga_model *model = model_of(context, models[_i], plain[_i], 9, 3);
        p.data.features = sparse ? NULL : &p.features;
        p.data.sparse = sparse ? &p.sparse : NULL;
        test_ok(context, ga__prepare(context, model, &p.data, &whole));
        ga__truth truth = { p.labels, NULL };
        ga__nodes train = { p.split.train, p.split.train_count };
        gradient(model, &whole.data, &truth, &train, &loss);
        float *expected = planted_room((size_t)model->weights.numbers * sizeof(float));
        memcpy(expected, model->weights.grads, (size_t)model->weights.numbers * sizeof(float));
        ga__loader_options options = loader_of(&whole, &p, model, 1000, all, whole.data.graph ? 2 : 0);
        options.batch = train.count;
        test_ok(context, ga__loader_open(context, &options, &loader));
        ga__loader_begin(loader, 1);
        test_ok(context, ga__loader_next(context, loader, &batch));
        ck_assert_ptr_nonnull(batch);
        ck_assert_int_eq(batch->seed_count, train.count);
        ck_assert_int_lt(batch->data.nodes, 390);
        for (int64_t i = 0; i < train.count; i++) {
            seeds[i] = i;
            numbers[i] = batch->nodes[i];
            labels[i] = p.labels[numbers[i]];
        }
        ga__truth local = { labels, NULL };
        ga__nodes some = { seeds, train.count };
        gradient(model, &batch->data, &local, &some, &again);
        ck_assert_double_eq_tol(loss, again, 1e-5);
        double size = 0;
        for (int64_t i = 0; i < model->weights.numbers; i++) {
            size = fmax(size, fabs((double)expected[i]));
        }
        for (int64_t i = 0; i < model->weights.numbers; i++) {
            double found = (double)model->weights.grads[i];
            ck_assert_msg(fabs(found - (double)expected[i]) <= 2e-5 * size,
                          "%s [%lld]: %.9g, whole graph %.9g", models[_i], (long long)i, found,
                          (double)expected[i]);
        }
        test_ok(context, ga__loader_next(context, loader, &batch));
        ck_assert_ptr_null(batch);
        ga__loader_close(context, loader);
        ga__prepared_close(context, &whole);
        ga_model_destroy(context, model);
        free(expected);
    }
    planted_free(&p);
}
END_TEST

/* Is source -> target an edge of the whole graph? Its weight. */
static bool find_edge(const ga__messages *m, int64_t source, int64_t target)
{
    for (int64_t e = m->edges.offsets[target]; e < m->edges.offsets[target + 1]; e++) {
        if (m->edges.sources[e] == source) {
            return true;
        }
    }
    return false;
}

static void check_batch(const ga__batch *batch, const ga__prepared *whole, int64_t fanout)
{
    const ga__messages *m = batch->data.graph, *all = &whole->messages;
    for (int64_t i = 0; i < batch->data.nodes; i++) {
        int64_t node = batch->nodes[i], begin = m->edges.offsets[i], count = m->edges.offsets[i + 1] - begin;
        int64_t loops = 0, degree = all->edges.offsets[node + 1] - all->edges.offsets[node] - 1;
        double weight = 0;
        for (int64_t e = begin; e < begin + count; e++) {
            ck_assert(e == begin || m->edges.sources[e - 1] < m->edges.sources[e]);
            ck_assert_int_lt(m->edges.sources[e], batch->data.nodes);
            ck_assert(find_edge(all, batch->nodes[m->edges.sources[e]], node));
            loops += m->edges.sources[e] == i;
            weight += m->weights[e];
        }
        ck_assert_int_eq(loops, 1);
        ck_assert_msg(count - 1 == ga__min(fanout, degree) || count == 1, "%lld of %lld", (long long)count,
                      (long long)degree);
        ck_assert_double_eq_tol(weight, (double)degree + 1, 1e-9); /* degrees are those of the whole graph */
        for (int64_t k = i + 1; k < batch->data.nodes; k++) {
            ck_assert_int_ne(batch->nodes[k], node);
        }
    }
}

START_TEST(batches_are_samples)
{
    static const int64_t fanout[] = { 2, 2 };
    planted p;
    ga__prepared whole;
    ga__loader *loader = NULL;
    const ga__batch *batch = NULL;
    planted_make(&p, 200, 5, 2);
    ga_model *model = model_of(context, "gcn", "", 5, 2);
    test_ok(context, ga__prepare(context, model, &p.data, &whole));
    ga__loader_options options = loader_of(&whole, &p, model, 8, fanout, 2);
    uint64_t sums[4] = { 0 };
    int first_order = 0;
    for (int turn = 0; turn < 4; turn++) { /* epochs 1, 2, 1 and 1 without a thread */
        test_hooks hooks;
        test_hooks_init(&hooks);
        hooks.fail_at[TEST_THREAD] = 0;
        ga_context *its = turn == 3 ? test_context(&hooks, true) : context;
        test_ok(its, ga__loader_open(its, &options, &loader));
        ga__loader_begin(loader, turn == 1 ? 2 : 1);
        int64_t seeds = 0, batches = 0;
        bool seen[200] = { false };
        for (;; batches++) {
            test_ok(its, ga__loader_next(its, loader, &batch));
            if (!batch) {
                break;
            }
            check_batch(batch, &whole, 2);
            for (int64_t i = 0; i < batch->seed_count; i++) {
                ck_assert(!seen[batch->nodes[i]]);
                seen[batch->nodes[i]] = true;
                seeds++;
            }
            for (int64_t i = 0; i < batch->data.nodes; i++) {
                sums[turn] = sums[turn] * 1000003 + (uint64_t)batch->nodes[i];
                ck_assert_mem_eq((const float *)batch->data.dense->data + i * 5,
                                 (const float *)whole.data.dense->data + batch->nodes[i] * 5,
                                 5 * sizeof(float));
            }
            first_order +=
                batches == 0 && turn == 0 && batch->nodes[batch->seed_count - 1] == p.split.train[7];
        }
        ck_assert_int_eq(seeds, p.split.train_count);
        ck_assert_int_eq(batches, (p.split.train_count + 7) / 8);
        ga__loader_close(its, loader);
        if (turn == 3) {
            test_context_done(its, &hooks);
        }
    }
    ck_assert_uint_eq(sums[0], sums[2]);
    ck_assert_uint_eq(sums[0], sums[3]);
    ck_assert_uint_ne(sums[0], sums[1]);
    ck_assert_int_eq(first_order, 0); /* shuffled */
    /* left in the middle of an epoch */
    test_ok(context, ga__loader_open(context, &options, &loader));
    ga__loader_begin(loader, 3);
    test_ok(context, ga__loader_next(context, loader, &batch));
    ga__loader_close(context, loader);
    ga__prepared_close(context, &whole);
    ga_model_destroy(context, model);
    planted_free(&p);
}
END_TEST

/* Every neighbour of a node is drawn equally often: 3 of 12 and, by the other method, 70 of 90. */
START_TEST(neighbours_are_drawn_alike)
{
    enum { LEAVES = 90, TURNS = 1000 };
    static const int64_t wanted[] = { 3, 70 }, leaves[] = { 12, LEAVES };
    for (int way = 0; way < 2; way++) {
        int64_t keys[LEAVES], queries[LEAVES], hub = 0, times[LEAVES + 1] = { 0 },
                                               shape[] = { LEAVES + 1, 1 };
        float x[LEAVES + 1] = { 0 };
        DLTensor features = matrix_of(x, shape);
        for (int64_t i = 0; i < LEAVES; i++) {
            keys[i] = i + 1;
            queries[i] = 0;
        }
        ga_edge_rows rows = { .name = "star", .count = leaves[way], .keys = keys, .queries = queries };
        ga_node_data data = GA_NODE_DATA_INIT;
        data.edges = &rows;
        data.features = &features;
        ga_model *model = model_of(context, "sage", "", 1, 2);
        ga__prepared whole;
        ga__loader *loader = NULL;
        const ga__batch *batch = NULL;
        test_ok(context, ga__prepare(context, model, &data, &whole));
        ga__loader_options options = {
            .whole = &whole, .train = { &hub, 1 }, .batch = 1, .fanout = &wanted[way], .hops = 1, .seed = 4
        };
        test_ok(context, ga__loader_open(context, &options, &loader));
        for (int64_t turn = 1; turn <= TURNS; turn++) {
            ga__loader_begin(loader, turn);
            test_ok(context, ga__loader_next(context, loader, &batch));
            ck_assert_int_eq(batch->data.nodes, wanted[way] + 1);
            for (int64_t i = 1; i < batch->data.nodes; i++) {
                times[batch->nodes[i]]++;
            }
            test_ok(context, ga__loader_next(context, loader, &batch));
        }
        double chance = (double)wanted[way] / (double)leaves[way], mean = chance * TURNS;
        for (int64_t i = 1; i <= leaves[way]; i++) { /* five standard deviations */
            ck_assert_msg(fabs((double)times[i] - mean) < 5 * sqrt(mean * (1 - chance)),
                          "leaf %lld: %lld, mean %g", (long long)i, (long long)times[i], mean);
        }
        ga__loader_close(context, loader);
        ga__prepared_close(context, &whole);
        ga_model_destroy(context, model);
    }
}
END_TEST

/* ---- features ---- */

START_TEST(features_are_normalised)
{
    float x[] = { 1, 3, 0, 0, 3, 4, -1, 1 };
    int64_t shape[] = { 4, 2 }, offsets[] = { 0, 2, 2, 4, 6 };
    uint32_t columns[] = { 0, 1, 0, 1, 0, 1 };
    float stored[] = { 1, 3, 3, 4, -1, 1 };
    static const double expected[3][8] = { { 0.25, 0.75, 0, 0, 3.0 / 7, 4.0 / 7, -1, 1 },
                                           { 0.316227766, 0.948683298, 0, 0, 0.6, 0.8, -0.707106781,
                                             0.707106781 },
                                           { 1, 3, 0, 0, 3, 4, -1, 1 } };
    static const char *const words[] = { "normalise=rows", "normalise=l2", "normalise=none" };
    DLTensor features = matrix_of(x, shape);
    ga_sparse sparse = { 4, 2, offsets, columns, stored, false };
    for (int k = 0; k < 3; k++) {
        ga_model *model = model_of(context, "mlp", words[k], 2, 2);
        ga__prepared p;
        ga_node_data data = GA_NODE_DATA_INIT;
        data.features = &features;
        test_ok(context, ga__prepare(context, model, &data, &p));
        for (int i = 0; i < 8; i++) {
            ck_assert_double_eq_tol((double)((const float *)p.data.dense->data)[i], expected[k][i], 1e-7);
        }
        ck_assert_int_eq(p.data.dense->data == x, k == 2); /* borrowed where nothing changes */
        ga__prepared_close(context, &p);
        data.features = NULL;
        data.sparse = &sparse;
        for (int values = 0; values < 2; values++) {
            sparse.values = values ? stored : NULL;
            test_ok(context, ga__prepare(context, model, &data, &p));
            const float *made = p.data.sparse->values ? p.data.sparse->values->data : NULL;
            ck_assert_int_eq(made == NULL, !values && k == 2);
            for (int i = 0; made && i < 6; i++) {
                double wanted = values ? expected[k][i < 2 ? i : i + 2] : k == 0 ? 0.5 : 0.707106781;
                ck_assert_double_eq_tol((double)made[i], wanted, 1e-7);
            }
            ga__prepared_close(context, &p);
        }
        ga_model_destroy(context, model);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_batches");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_loop_test(all, the_whole_in_one_batch, 0, MODELS);
    tcase_add_test(all, batches_are_samples);
    tcase_add_test(all, neighbours_are_drawn_alike);
    tcase_add_test(all, features_are_normalised);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
