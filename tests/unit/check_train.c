/* check_train.c - training: every model learns, the rule that stops and chooses, going on from a checkpoint, saved models,
 * threads, refusals, memory. */
#include "config.h"

#include "tests/unit/check_train.h"

static ga_context *context;
static planted graph;

static void open_all(void)
{
    context = test_threads_context(2);
    planted_make(&graph, 120, 8, 2);
    test_folder_make();
}

static void close_all(void)
{
    test_folder_remove();
    planted_free(&graph);
    test_context_done(context, NULL);
}

static const char *const models[] = { "gcn",  "sage",  "gat",    "gatv2", "transformer",
                                      "agnn", "appnp", "gprgnn", "pgnn",  "mlp" };
enum { MODELS = sizeof models / sizeof *models };

/* ---- learning ---- */

static ga_scores scores_of(ga_model *model, const ga_node_data *data, const int64_t *nodes, int64_t count)
{
    DLTensor *logits = NULL;
    ga_scores scores;
    test_ok(context, ga_model_predict(context, model, data, &logits));
    test_ok(context, ga_score_logits(context, logits, data, nodes, count, &scores));
    ga_tensor_destroy(context, logits);
    return scores;
}

/* What is saved, loaded and asked again says exactly what the report says. */
static void expect_report(const ga_model *model, const ga_train_report *report)
{
    const char *path = test_path("m.safetensors");
    ga_model *again = NULL;
    test_ok(context, ga_model_save(context, model, path));
    test_ok(context, ga_model_load(context, path, &again));
    ck_assert_ptr_eq(ga_model_kind(again), ga_model_kind(model));
    const ga_scores train = scores_of(again, &graph.data, graph.split.train, graph.split.train_count);
    const ga_scores val = scores_of(again, &graph.data, graph.split.val, graph.split.val_count);
    const ga_scores test = scores_of(again, &graph.data, graph.split.test, graph.split.test_count);
    const double found[] = { train.accuracy, train.loss, train.f1,      train.auc, val.accuracy, val.loss,
                             val.f1,         val.auc,    test.accuracy, test.f1,   test.auc };
    const double said[] = { report->train_accuracy, report->train_loss, report->train_f1, report->train_auc,
                            report->val_accuracy,   report->val_loss,   report->val_f1,   report->val_auc,
                            report->test_accuracy,  report->test_f1,    report->test_auc };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        ck_assert_msg(found[i] == said[i], "figure %zu: %.17g, reported %.17g", i, found[i], said[i]);
    }
    ga_model_destroy(context, again);
}

START_TEST(every_model_learns)
{
    ga_train_report report;
    ga_model *model = NULL;
    ga_train_options options = with(models[_i], "epochs=150 lr=0.02 dropout=0.2");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, &report));
    ck_assert_msg(report.test_accuracy > 0.95, "%s: %g of the test nodes", models[_i], report.test_accuracy);
    ck_assert_int_ge(report.best_epoch, 1);
    ck_assert_int_le(report.best_epoch, report.epochs);
    ck_assert_double_gt(report.seconds, 0);
    ck_assert_str_eq(ga_model_parameter(model, "epochs"), "150");
    expect_report(model, &report);
    ga_model_destroy(context, model);
    /* sparse features are the same features */
    ga_node_data sparse = graph.data;
    ga_train_report other;
    sparse.features = NULL;
    sparse.sparse = &graph.sparse;
    test_ok(context, ga_train(context, &sparse, &graph.split, &options, &model, &other));
    ck_assert_msg(other.test_accuracy > 0.95, "%s, sparse: %g of the test nodes", models[_i],
                  other.test_accuracy);
    ga_model_destroy(context, model);
}
END_TEST

START_TEST(several_labels_a_node)
{
    ga_train_report report;
    ga_model *model = NULL, *again = NULL;
    ga_node_data data = graph.data;
    data.labels = NULL;
    data.targets = &graph.targets;
    for (int auc = 0; auc < 2; auc++) {
        ga_train_options options =
            with("gcn", auc ? "epochs=100 lr=0.05 metric=roc_auc" : "epochs=100 lr=0.05 hidden=8");
        test_ok(context, ga_train(context, &data, &graph.split, &options, &model, &report));
        ck_assert_double_gt(report.test_accuracy, 0.95);
        ck_assert_double_gt(report.test_auc, 0.95);
        ck_assert(ga_model_multilabel(model));
        test_ok(context, ga_model_save(context, model, test_path("t.safetensors")));
        test_ok(context, ga_model_load(context, test_path("t.safetensors"), &again));
        ck_assert(ga_model_multilabel(again));
        ga_scores s = scores_of(again, &data, graph.split.test, graph.split.test_count);
        ck_assert(report.test_accuracy == (auc ? s.auc : s.accuracy) && report.test_f1 == s.f1);
        ga_model_destroy(context, model);
        ga_model_destroy(context, again);
    }
}
END_TEST

/* ---- DictionaryLookup (Brody et al., 2022): a target must look up its own key among sources of other keys ---- */

enum { GRAPHS = 100, KEYS = 10, PART = 2 * KEYS };

typedef struct lookup {
    planted p;
    double best;
    bool done;
} lookup;

static void lookup_make(lookup *l)
{
    int64_t nodes = GRAPHS * PART, columns = 2 * KEYS;
    memset(l, 0, sizeof *l);
    planted *p = &l->p;
    planted_make(p, nodes, columns, KEYS);
    p->rows.count = GRAPHS * KEYS * KEYS;
    free(p->keys);
    free(p->queries);
    p->rows.keys = p->keys = planted_room((size_t)p->rows.count * sizeof(int64_t));
    p->rows.queries = p->queries = planted_room((size_t)p->rows.count * sizeof(int64_t));
    memset(p->x, 0, (size_t)(nodes * columns) * sizeof(float));
    p->split.train_count = p->split.val_count = p->split.test_count = 0;
    for (int64_t g = 0; g < GRAPHS; g++) {
        int64_t first = g * PART, values[KEYS];
        ga__random stream = ga__random_at(5, GA__RANDOM_TEST, (uint64_t)g);
        for (int64_t i = 0; i < KEYS; i++) {
            int64_t j = (int64_t)ga__random_below(&stream, (uint64_t)i + 1);
            values[i] = values[j < i ? j : i];
            values[j] = i;
            if (j == i) {
                values[i] = i;
            }
        }
        for (int64_t i = 0; i < KEYS; i++) {
            int64_t source = first + i, target = first + KEYS + i;
            p->x[source * columns + i] = p->x[target * columns + i] = 1;
            p->x[source * columns + KEYS + values[i]] = 1;
            p->labels[source] = -1;
            p->labels[target] = values[i];
            p->split.train[p->split.train_count++] = target;
            for (int64_t j = 0; j < KEYS; j++) {
                p->keys[(g * KEYS + i) * KEYS + j] = first + j;
                p->queries[(g * KEYS + i) * KEYS + j] = target;
            }
        }
    }
    p->data.undirected = false;
}

static void watch(void *user, const ga_epoch *epoch)
{
    lookup *l = user;
    l->best = fmax(l->best, epoch->train_accuracy);
    l->done = l->best == 1;
}

static int is_done(void *user)
{
    return ((lookup *)user)->done;
}

START_TEST(dictionary_lookup)
{
    const char *name = _i ? "gat" : "gatv2";
    lookup l;
    ga_model *model = NULL;
    lookup_make(&l);
    ga_train_options options =
        with(name, "layers=1 heads=1 hidden=128 output=linear self_loops=keep dropout=0 "
                   "attn_dropout=0 weight_decay=0 lr=0.01 normalise=none epochs=300 patience=0");
    options.on_epoch = watch;
    options.user = &l;
    ga_context_set_cancel(context, is_done, &l);
    ga_status status = ga_train(context, &l.p.data, &l.p.split, &options, &model, NULL);
    ga_context_set_cancel(context, NULL, NULL);
    if (_i) {
        ck_assert_int_eq(status, GA_OK);
        ck_assert_msg(l.best <= 0.3, "gat: %g", l.best);
        ga_model_destroy(context, model);
    } else {
        ck_assert_msg(status == GA_CANCELLED && l.best == 1, "gatv2: %g: %s", l.best,
                      ga_context_error(context));
        ck_assert_ptr_null(model);
    }
    planted_free(&l.p);
}
END_TEST

/* ---- the rule that stops and chooses ---- */

enum { EPOCHS = 400 };
typedef struct epochs {
    ga_epoch list[EPOCHS];
    int64_t count, cancel_at;
} epochs;

static void keep_epoch(void *user, const ga_epoch *epoch)
{
    epochs *e = user;
    ck_assert_int_lt(e->count, EPOCHS);
    e->list[e->count++] = *epoch;
}

static int is_cancelled(void *user)
{
    const epochs *e = user;
    return e->cancel_at > 0 && e->count >= e->cancel_at;
}

/* Features that say nothing: what is learnt from them soon harms. */
static void make_noise(void)
{
    for (int64_t i = 0; i < graph.nodes * graph.columns; i++) {
        graph.x[i] = (float)planted_unit((uint64_t)(3000000 + i));
    }
}

/* Some validation nodes have wrong labels: accuracy comes to a level and stays there while the loss rises. */
static void make_level(void)
{
    for (int64_t i = 0; i < graph.split.val_count; i += 3) {
        graph.labels[graph.split.val[i]] ^= 1;
    }
}

/* The rule by its definition. */
static void expect_rule(const epochs *log, int select, int64_t patience, int64_t limit,
                        const ga_train_report *report)
{
    double accuracy = -1, loss = 1e300;
    int64_t stale = 0, chosen = 0, last = 0;
    for (int64_t i = 0; i < log->count && stale < patience; i++) {
        const ga_epoch *e = &log->list[i];
        ck_assert_int_eq(e->epoch, i + 1);
        bool more = e->val_accuracy >= accuracy, less = e->val_loss <= loss;
        bool choose = select == 0   ? more && less
                      : select == 1 ? e->val_accuracy > accuracy
                                    : e->val_loss < loss;
        chosen = choose ? i + 1 : chosen;
        stale = more || less ? 0 : stale + 1;
        accuracy = more ? e->val_accuracy : accuracy;
        loss = less ? e->val_loss : loss;
        last = i + 1;
    }
    ck_assert_int_eq(report->best_epoch, chosen);
    ck_assert_int_eq(report->epochs, last);
    ck_assert(last == limit || stale == patience);
    ck_assert(report->val_accuracy == log->list[chosen - 1].val_accuracy);
    ck_assert(report->train_loss == log->list[chosen - 1].train_loss);
}

START_TEST(the_rule_of_patience)
{
    static const char *const select[] = { "both", "accuracy", "loss" };
    static epochs log;
    ga_train_report report;
    ga_model *model = NULL;
    int64_t chosen[3];
    char text[128];
    ga_context_set_seed(context,
                        _i ? 5 : 1); /* a start from which accuracy comes to its level without a peak above */
    if (_i) {
        make_level();
    } else {
        make_noise();
    }
    for (int k = 0; k < 3; k++) {
        memset(&log, 0, sizeof log);
        (void)snprintf(text, sizeof text, "select=%s patience=7 epochs=%d lr=0.05 hidden=8", select[k],
                       _i ? 150 : EPOCHS);
        ga_train_options options = with(_i ? "gcn" : "mlp", text);
        options.on_epoch = keep_epoch;
        options.user = &log;
        test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, &report));
        expect_rule(&log, k, 7, _i ? 150 : EPOCHS, &report);
        expect_report(model, &report);
        chosen[k] = report.best_epoch;
        ga_model_destroy(context, model);
    }
    if (_i) { /* the level was held to the end, though the loss rose; its first epoch is not its last */
        ck_assert_int_eq(report.epochs, 150);
        ck_assert_int_lt(chosen[1], chosen[0]);
        ck_assert_int_lt(chosen[0], 100);
    } else {
        ck_assert_int_lt(report.epochs, EPOCHS);
    }
}
END_TEST

static void count_call(void *user)
{
    ++*(int *)user;
}

START_TEST(no_validation_nodes)
{
    int calls = 0;
    ga_node_data data = graph.data;
    data.edges_read = count_call;
    data.user = &calls;
    ga_train_report report;
    ga_model *model = NULL;
    ga_split blind = graph.split;
    blind.val_count = 0;
    ga_train_options options = with("gcn", "patience=2 epochs=20");
    test_ok(context, ga_train(context, &data, &blind, &options, &model, &report));
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(report.epochs, 20);
    ck_assert_int_eq(report.best_epoch, 20);
    ck_assert(isnan(report.val_accuracy) && isnan(report.val_loss) && !isnan(report.test_accuracy));
    ga_model_destroy(context, model);
}
END_TEST

/* ---- going on from a checkpoint ---- */

static void expect_same_file(const char *a, const char *b)
{
    size_t size_a, size_b;
    char *x = test_slurp(a, &size_a), *y = test_slurp(b, &size_b);
    ck_assert_uint_eq(size_a, size_b);
    ck_assert_mem_eq(x, y, size_a);
    free(x);
    free(y);
}

static const struct {
    const char *model, *parameters;
} resumed[] = {
    { "gat", "epochs=10" },
    { "gcn", "epochs=10 schedule=cosine warmup=3 optimiser=adamw clip=0.1 norm=batch" },
    { "sage", "epochs=10 batch=7 fanout=2 schedule=step step_epochs=2" },
    { "pgnn", "epochs=10 train_p=true" },
    { "mlp", "epochs=300 lr=0.05 patience=7 hidden=8" },
    { "appnp", "epochs=10 batch=16 fanout=3 schedule=linear select=loss" },
};

START_TEST(a_stopped_run_goes_on_bit_for_bit)
{
    ga_train_report whole, rest;
    ga_model *model = NULL;
    epochs log = { .count = 0 };
    bool patient = strstr(resumed[_i].parameters, "patience") != NULL;
    if (patient) {
        make_noise();
    }
    ga_train_options options = with(resumed[_i].model, resumed[_i].parameters);
    options.on_epoch = keep_epoch;
    options.user = &log;
    options.checkpoint = test_path("whole.ckpt");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, &whole));
    test_ok(context, ga_model_save(context, model, test_path("whole.safetensors")));
    ga_model_destroy(context, model);
    int64_t all = log.count;
    epochs part = { .cancel_at = patient ? all - 3 : 4 }; /* in the middle of its patience */
    ck_assert_int_lt(all, 300);
    ga_context_set_cancel(context, is_cancelled, &part);
    options.user = &part;
    options.checkpoint = test_path("part.ckpt");
    model = NULL;
    test_status(context, ga_train(context, &graph.data, &graph.split, &options, &model, &rest), GA_CANCELLED);
    ck_assert_ptr_null(model);
    ga_context_set_cancel(context, NULL, NULL);
    options.resume = options.checkpoint;
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, &rest));
    ck_assert_int_eq(part.count, all);
    for (int64_t i = 0; i < all; i++) {
        log.list[i].seconds = part.list[i].seconds = 0;
        ck_assert_mem_eq(&log.list[i], &part.list[i], sizeof *log.list);
    }
    ck_assert_int_eq(rest.best_epoch, whole.best_epoch);
    ck_assert_int_eq(rest.epochs, whole.epochs);
    ck_assert(rest.test_accuracy == whole.test_accuracy);
    test_ok(context, ga_model_save(context, model, test_path("part.safetensors")));
    expect_same_file(test_path("whole.ckpt"), test_path("part.ckpt"));
    expect_same_file(test_path("whole.safetensors"), test_path("part.safetensors"));
    ga_model_destroy(context, model);
    /* a finished run is finished */
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, &rest));
    ck_assert_int_eq(part.count, all);
    test_ok(context, ga_model_save(context, model, test_path("part.safetensors")));
    expect_same_file(test_path("whole.safetensors"), test_path("part.safetensors"));
    ga_model_destroy(context, model);
}
END_TEST

/* More epochs than the checkpoint's run had are the same as having asked for them at once. */
START_TEST(more_epochs_than_at_first)
{
    ga_train_report report;
    ga_model *model = NULL;
    ga_train_options few = with("gcn", "epochs=4"), many = with("gcn", "epochs=10");
    few.checkpoint = many.resume = test_path("c.ckpt");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &few, &model, &report));
    ga_model_destroy(context, model);
    test_ok(context, ga_train(context, &graph.data, &graph.split, &many, &model, &report));
    test_ok(context, ga_model_save(context, model, test_path("a.safetensors")));
    ga_model_destroy(context, model);
    many.resume = NULL;
    test_ok(context, ga_train(context, &graph.data, &graph.split, &many, &model, &report));
    test_ok(context, ga_model_save(context, model, test_path("b.safetensors")));
    ga_model_destroy(context, model);
    expect_same_file(test_path("a.safetensors"), test_path("b.safetensors"));
}
END_TEST

static void refuse_resume(const ga_node_data *data, const ga_split *split, ga_train_options options,
                          const char *words)
{
    ga_model *model = NULL;
    options.resume = test_path("c.ckpt");
    test_status(context, ga_train(context, data, split, &options, &model, NULL), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(model);
}

START_TEST(a_checkpoint_of_something_else)
{
    ga_model *model = NULL;
    ga_train_options first = with("gcn", "epochs=2 schedule=cosine");
    first.checkpoint = test_path("c.ckpt");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &first, &model, NULL));
    ga_node_data data = graph.data;
    ga_split split = graph.split;
    refuse_resume(&data, &split, with("gat", ""), "model=gcn, this one has model=gat");
    refuse_resume(&data, &split, with("gcn", "epochs=2 schedule=cosine hidden=9"),
                  "hidden=16, this one has hidden=9");
    refuse_resume(&data, &split, with("gcn", "epochs=3 schedule=cosine"), "epochs=2, this one has epochs=3");
    refuse_resume(&data, &split, with("gcn", "epochs=2 schedule=cosine lr=0.02"),
                  "lr=0.01, this one has lr=0.02");
    split.test_count--;
    refuse_resume(&data, &split, with("gcn", "epochs=2 schedule=cosine"), "test=60, this one has test=59");
    split.test_count++;
    graph.x[5] += 1;
    refuse_resume(&data, &split, with("gcn", "epochs=2 schedule=cosine"), "a run with data=");
    graph.x[5] -= 1;
    data.undirected = false;
    refuse_resume(&data, &split, with("gcn", "epochs=2 schedule=cosine"), "edges=");
    ga_context_set_seed(context, 2);
    refuse_resume(&graph.data, &split, with("gcn", "epochs=2 schedule=cosine"),
                  "seed=1, this one has seed=2");
    ga_context_set_seed(context, 1);
    test_ok(context, ga_model_save(context, model, test_path("c.ckpt")));
    ga_model_destroy(context, model);
    model = NULL;
    first.checkpoint = NULL;
    first.resume = test_path("c.ckpt");
    test_status(context, ga_train(context, &data, &split, &first, &model, NULL), GA_FORMAT);
    test_error_has(context, "format \"graphattn-gnn\" version \"1\", expected \"graphattn-gnn-checkpoint\"");
}
END_TEST

/* ---- threads ---- */

START_TEST(threads_give_the_same_bytes)
{
    static const int threads[] = { 1, 2, 3, 7 };
    planted large;
    planted_make(&large, 1500, 40, 3);
    for (int way = 0; way < 2; way++) {
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            ga_train_options options =
                with(models[_i], way ? "epochs=2 batch=100 fanout=3 clip=1" : "epochs=3 hidden=24 clip=1");
            ga_model *model = NULL;
            test_set_threads(context, threads[t]);
            test_ok(context, ga_train(context, &large.data, &large.split, &options, &model, NULL));
            test_ok(context, ga_model_save(context, model,
                                           test_path(t == 0 ? "one.safetensors" : "more.safetensors")));
            ga_model_destroy(context, model);
            if (t > 0) {
                expect_same_file(test_path("one.safetensors"), test_path("more.safetensors"));
            }
        }
    }
    test_set_threads(context, 2);
    planted_free(&large);
}
END_TEST

/* ---- other data ---- */

START_TEST(other_nodes_than_those_of_the_training)
{
    planted other;
    ga_model *model = NULL;
    DLTensor *hidden = NULL, *last = NULL;
    planted_make(&other, 300, 8, 2);
    ga_train_options options = with("sage", "epochs=100 lr=0.02 hidden=12");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, NULL));
    ck_assert_double_gt(scores_of(model, &other.data, other.split.test, other.split.test_count).accuracy,
                        0.9);
    test_ok(context, ga_model_embed(context, model, &other.data, 0, &hidden));
    test_ok(context, ga_model_embed(context, model, &other.data, -1, &last));
    ck_assert_int_eq(hidden->shape[0], 300);
    ck_assert_int_eq(hidden->shape[1], 12);
    ck_assert_mem_eq(hidden->data, last->data, 300 * 12 * sizeof(float));
    for (int64_t i = 0; i < 300 * 12; i++) {
        ck_assert_float_ge(((const float *)hidden->data)[i], 0); /* behind a ReLU */
    }
    ga_tensor_destroy(context, hidden);
    ga_tensor_destroy(context, last);
    hidden = NULL;
    test_status(context, ga_model_embed(context, model, &other.data, 1, &hidden), GA_INVALID);
    test_error_has(context, "hidden layer 1, this model sage has 1");
    test_status(context, ga_model_embed(context, model, &other.data, -2, &hidden), GA_INVALID);
    ck_assert_ptr_null(hidden);
    planted_free(&other);
    planted_make(&other, 30, 9, 2);
    test_status(context, ga_model_predict(context, model, &other.data, &hidden), GA_INVALID);
    test_error_has(context, "features: 9 columns, the model takes 8");
    planted_free(&other);
    ga_model_destroy(context, model);
}
END_TEST

/* ---- refusals ---- */

static void refuse(const ga_node_data *data, const ga_split *split, const char *model, const char *parameters,
                   const char *words)
{
    ga_model *made = NULL;
    ga_train_options options = with(model, parameters);
    test_status(context, ga_train(context, data, split, &options, &made, NULL), GA_INVALID);
    test_error_has(context, words);
    ck_assert_ptr_null(made);
}

START_TEST(bad_input_is_refused)
{
    ga_node_data data = graph.data;
    ga_split split = graph.split;
    refuse(&data, &split, "got", "", "no model 'got'");
    refuse(&data, &split, "gcn", "hiden=3", "no parameter 'hiden'");
    refuse(&data, &split, "gcn", "lr=0", "lr=0: expected a number, > 0");
    refuse(&data, &split, "gcn", "batch=9 fanout=0", "fanout=0: expected -1 (all) or at least 1");
    refuse(&data, &split, "gcn", "batch=9 fanout=2,3,4", "expected 1 or 2 values");
    refuse(&data, &split, "gcn", "lr=1e20 epochs=30 weight_decay=0", "the training loss is");
    graph.x[17] = NAN;
    refuse(&data, &split, "gcn", "", "features: row 2, column 1: nan is not finite");
    graph.x[17] = 0;
    graph.labels[3] = -2;
    refuse(&data, &split, "gcn", "", "labels: node 3 has -2, expected -1");
    graph.labels[3] = 5000000;
    refuse(&data, &split, "gcn", "", "labels: node 3 has 5000000");
    graph.labels[3] = 1;
    graph.keys[0] = 120;
    refuse(&data, &split, "gcn", "", "node 120, expected below 120");
    graph.keys[0] = 0;
    data.edges = NULL;
    refuse(&data, &split, "gcn", "", "model gcn needs a graph");
    data.edges = &graph.rows;
    split.train_count = 0;
    refuse(&data, &split, "gcn", "", "no training nodes: 0 were given");
    split.train_count = graph.split.train_count;
    graph.split.train[1] = 120;
    refuse(&data, &split, "gcn", "", "training node 120, expected below 120");
    graph.split.train[1] = graph.split.train[0];
    refuse(&data, &split, "gcn", "", "stands there twice");
    graph.split.train[1] = 1;
    data.sparse = &graph.sparse;
    refuse(&data, &split, "gcn", "", "features: both dense and sparse");
    data.features = NULL;
    graph.sparse.indices[1] = 8;
    refuse(&data, &split, "gcn", "", "features: row 0, column 8, expected ascending ones below 8");
    data = graph.data;
    data.targets = &graph.targets;
    refuse(&data, &split, "gcn", "", "labels and targets: both");
    data.labels = NULL;
    graph.marks[7] = 2;
    refuse(&data, &split, "gcn", "", "targets: node 3, class 1 has 2");
    graph.marks[7] = 1;
    graph.target_shape[0] = 119;
    refuse(&data, &split, "gcn", "",
           "targets: 2 axes and 119 rows, expected a contiguous u8 or bool tensor (120");
    graph.target_shape[0] = 120;
    for (int64_t i = 0; i < split.train_count; i++) {
        graph.labels[split.train[i]] = -1;
    }
    refuse(&graph.data, &split, "gcn", "", "none of them has a label");
    planted three;
    planted_make(&three, 30, 4, 3);
    refuse(&three.data, &three.split, "gcn", "metric=roc_auc", "there are 3 classes, roc_auc needs two");
    planted_free(&three);
}
END_TEST

/* ---- files that lie ---- */

static void change_file(const char *from, const char *to, const char *was, const char *is)
{
    size_t size;
    ck_assert_uint_eq(strlen(was), strlen(is));
    char *bytes = test_slurp(from, &size), *at = memmem(bytes, size, was, strlen(was));
    ck_assert_msg(at != NULL, "no %s", was);
    memcpy(at, is, strlen(is));
    (void)test_file(to, bytes, size);
    free(bytes);
}

START_TEST(saved_models_that_lie)
{
    static const struct {
        const char *was, *is, *words;
    } lies[] = {
        { "graphattn-gnn", "graphattn-gnm", "format \"graphattn-gnm\", expected \"graphattn-gnn\"" },
        { "\"version\":\"1\"", "\"version\":\"2\"", "version \"2\", expected \"1\"" },
        { "\"model\":\"gcn\"", "\"model\":\"gcm\"", "model \"gcm\", which is not known" },
        { "\"model\":\"gcn\"", "\"model\":\"gat\"", "\"layers.0.weight\": shape (8, 16), expected (8, 128)" },
        { "\"features\":\"8\"", "\"features\":\"9\"",
          "\"layers.0.weight\": shape (8, 16), expected (9, 16)" },
        { "\"features\":\"8\"", "\"features\":\"x\"", "features \"x\", expected a number from 1" },
        { "\"classes\":\"2\"", "\"classes\":\"3\"", "\"layers.1.weight\": shape (16, 2), expected (16, 3)" },
        { "\"layers.0.bias\"", "\"layers.0.bios\"", "no tensor \"layers.0.bias\", which model gcn has" },
        { "hidden\\\": 16", "hidden\\\": 17", "\"layers.0.weight\": shape (8, 16), expected (8, 17)" },
        { "hidden\\\": 16", "hidden\\\":9e5", "\"layers.0.weight\": shape (8, 16), expected (8, 900000)" },
        { "hidden\\\": 16", "hiddem\\\": 16", "no parameter 'hiddem'" },
        { "hidden\\\": 16", "hidden\\\": {}", "params: the value of \"hidden\"" },
    };
    ga_model *model = NULL, *again = NULL;
    ga_train_options options = with("gcn", "epochs=1");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, NULL));
    test_ok(context, ga_model_save(context, model, test_path("good.safetensors")));
    ga_model_destroy(context, model);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        change_file(test_path("good.safetensors"), "bad.safetensors", lies[i].was, lies[i].is);
        test_status(context, ga_model_load(context, test_path("bad.safetensors"), &again), GA_FORMAT);
        test_error_has(context, lies[i].words);
        ck_assert_ptr_null(again);
    }
}
END_TEST

/* ---- memory ---- */

static ga_status train_and_use(ga_context *its, void *user)
{
    ga_model *model = NULL;
    DLTensor *logits = NULL;
    ga_train_options options = with("gcn", user);
    ga_status status = ga_train(its, &graph.data, &graph.split, &options, &model, NULL);
    status = status == GA_OK ? ga_model_predict(its, model, &graph.data, &logits) : status;
    ga_tensor_destroy(its, logits);
    ga_model_destroy(its, model);
    return status;
}

/* What writes files: they are synchronised with the disk, so that the loop must be short. */
static ga_status save_and_load(ga_context *its, void *user)
{
    ga_model *model = NULL, *again = NULL;
    ga_train_options options = with("mlp", user);
    options.resume = test_path("first.ckpt");
    options.checkpoint = test_path("m.ckpt");
    ga_status status = ga_train(its, &graph.data, &graph.split, &options, &model, NULL);
    status = status == GA_OK ? ga_model_save(its, model, test_path("m.safetensors")) : status;
    status = status == GA_OK ? ga_model_load(its, test_path("m.safetensors"), &again) : status;
    ga_model_destroy(its, model);
    ga_model_destroy(its, again);
    return status;
}

START_TEST(memory_runs_out)
{
    static char whole[] = "epochs=2 clip=1 norm=batch hidden=4",
                batches[] = "epochs=2 batch=3 fanout=2 hidden=4", again[] = "epochs=2 hidden=4 layers=1";
    ga_model *model = NULL;
    planted_free(&graph);
    planted_make(&graph, 24, 4, 2);
    ck_assert_int_gt(test_each_allocation(train_and_use, whole, 2), 50);
    ck_assert_int_gt(test_each_allocation(train_and_use, batches, 2), 50);
    ga_train_options options = with("mlp", "epochs=1 hidden=4 layers=1");
    options.checkpoint = test_path("first.ckpt");
    test_ok(context, ga_train(context, &graph.data, &graph.split, &options, &model, NULL));
    ga_model_destroy(context, model);
    ck_assert_int_gt(test_each_allocation(save_and_load, again, 2), 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_loop_test(all, every_model_learns, 0, MODELS);
    tcase_add_test(all, several_labels_a_node);
    tcase_add_loop_test(all, dictionary_lookup, 0, 2);
    tcase_add_loop_test(all, the_rule_of_patience, 0, 2);
    tcase_add_test(all, no_validation_nodes);
    tcase_add_loop_test(all, a_stopped_run_goes_on_bit_for_bit, 0, (int)(sizeof resumed / sizeof *resumed));
    tcase_add_test(all, more_epochs_than_at_first);
    tcase_add_test(all, a_checkpoint_of_something_else);
    tcase_add_loop_test(all, threads_give_the_same_bytes, 0, MODELS);
    tcase_add_test(all, other_nodes_than_those_of_the_training);
    tcase_add_test(all, bad_input_is_refused);
    tcase_add_test(all, saved_models_that_lie);
    tcase_add_test(all, memory_runs_out);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
