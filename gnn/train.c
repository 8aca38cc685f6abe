/* train.c - training: steps of the optimiser, evaluation after every epoch, which epoch is kept, when to stop. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gnn/train.h"

enum { TRAIN, VAL, TEST, SETS, HOPS = 64 };

typedef struct training {
    ga_context *context;
    const ga_train_options *options;
    ga_model *model;
    ga__optimiser optimiser;
    ga__prepared prepared;
    ga__truth truth;
    int64_t *lists[SETS]; /* owned */
    ga__nodes sets[SETS];
    ga__train_state state;
    ga__train_facts facts;
    ga__loader *loader; /* NULL = the whole graph in every step */
    DLTensor *grad;     /* of the logits; of the whole graph or of the largest batch so far */
    int64_t grad_room;
    int64_t *batch_labels, *batch_seeds; /* (batch) */
    uint8_t *batch_targets;
    double began;
} training;

/* ---- which nodes ---- */

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The nodes of a set that have a label, in ascending order. */
static ga_status take_set(training *t, int set, const int64_t *nodes, int64_t count)
{
    static const char *const names[] = { "training", "validation", "test" };
    ga_status status = GA_OK;
    int64_t kept = 0;
    if (count < 0 || (count > 0 && !nodes)) {
        GA_TRY(
            ga__fail(t->context, GA_INVALID, "%lld %s nodes without a list", (long long)count, names[set]));
    }
    GA_TRY(GA_NEW(t->context, count, &t->lists[set]));
    for (int64_t i = 0; i < count; i++) {
        if (nodes[i] < 0 || nodes[i] >= t->prepared.data.nodes) {
            GA_TRY(ga__fail(t->context, GA_INVALID, "%s node %lld, expected below %lld, the rows of features",
                            names[set], (long long)nodes[i], (long long)t->prepared.data.nodes));
        }
        if (!t->truth.labels || t->truth.labels[nodes[i]] >= 0) {
            t->lists[set][kept++] = nodes[i];
        }
    }
    qsort(t->lists[set], (size_t)kept, sizeof *nodes, ascending);
    for (int64_t i = 1; i < kept; i++) {
        if (t->lists[set][i] == t->lists[set][i - 1]) {
            GA_TRY(ga__fail(t->context, GA_INVALID, "%s node %lld stands there twice", names[set],
                            (long long)t->lists[set][i]));
        }
    }
    t->sets[set] = (ga__nodes){ t->lists[set], kept };
    if (set == TRAIN && kept == 0) {
        GA_TRY(ga__fail(t->context, GA_INVALID,
                        "no training nodes: %lld were given, none of them has a label", (long long)count));
    }
done:
    return status;
}

/* ---- evaluation ---- */

static double metric_of(const training *t, const ga_scores *scores)
{
    switch (ga__model_integer(t->model, "metric")) {
    case GA__METRIC_F1: return scores->f1;
    case GA__METRIC_ROC_AUC: return scores->auc;
    default: return scores->accuracy;
    }
}

/* All sets from one forward pass over the whole graph; scores[set] with what the metric needs, or everything. */
static ga_status evaluate(training *t, bool everything, ga_scores scores[SETS])
{
    ga_status status = GA_OK;
    const DLTensor *logits = NULL;
    int64_t metric = ga__model_integer(t->model, "metric");
    GA_TRY(ga__model_forward(t->context, t->model, &t->prepared.data, false, t->facts.seed,
                             t->optimiser.steps, -1, &logits));
    for (int set = 0; set < SETS; set++) {
        GA_TRY(ga__loss(t->context, logits, &t->truth, &t->sets[set], &scores[set].loss, NULL));
        GA_TRY(ga__metrics(t->context, logits, &t->truth, &t->sets[set],
                           everything || metric == GA__METRIC_F1, everything || metric == GA__METRIC_ROC_AUC,
                           &scores[set]));
    }
done:
    return status;
}

static ga_status measure(training *t, int64_t epoch, ga_epoch *e)
{
    ga_status status = GA_OK;
    ga_scores scores[SETS];
    GA_TRY(evaluate(t, false, scores));
    *e = (ga_epoch){ .epoch = epoch,
                     .train_loss = scores[TRAIN].loss,
                     .train_accuracy = metric_of(t, &scores[TRAIN]),
                     .val_loss = scores[VAL].loss,
                     .val_accuracy = metric_of(t, &scores[VAL]),
                     .test_accuracy = metric_of(t, &scores[TEST]),
                     .seconds = ga__now() - t->began };
    if (!isfinite(e->train_loss)) {
        GA_TRY(ga__fail(
            t->context, GA_INVALID,
            "epoch %lld: the training loss is %g; a lower learning rate (lr) or a limit of the gradient "
            "(clip) may help",
            (long long)epoch, e->train_loss));
    }
    if (t->sets[VAL].count > 0 && isnan(e->val_accuracy)) {
        GA_TRY(ga__part_refuse(&t->model->part, "metric",
                               "accuracy or f1: the validation nodes have one class"));
    }
done:
    return status;
}

/* ---- which epoch is kept ---- */

/* Should the weights of this epoch be kept? Notes progress: accuracy or loss at least as good as ever. Without validation
 * nodes every epoch is better than the one before. */
static bool judge(training *t, const ga_epoch *e)
{
    ga__train_state *s = &t->state;
    if (t->sets[VAL].count == 0) {
        return true;
    }
    bool accurate = e->val_accuracy >= s->best_accuracy, low = e->val_loss <= s->best_loss, keep = false;
    switch (ga__model_integer(t->model, "select")) {
    case GA__SELECT_BOTH: keep = accurate && low; break;
    case GA__SELECT_ACCURACY: keep = e->val_accuracy > s->best_accuracy; break;
    case GA__SELECT_LOSS: keep = e->val_loss < s->best_loss; break;
    }
    s->best_accuracy = fmax(s->best_accuracy, e->val_accuracy);
    s->best_loss = fmin(s->best_loss, e->val_loss);
    s->stale = accurate || low ? 0 : s->stale + 1;
    return keep;
}

static void note(training *t, const ga_epoch *e)
{
    t->state.epoch = e->epoch;
    if (judge(t, e)) {
        t->state.best = *e;
        memcpy(t->state.best_values, t->model->weights.values,
               (size_t)t->model->weights.numbers * sizeof(float));
    }
}

static bool finished(const training *t)
{
    int64_t patience = ga__model_integer(t->model, "patience");
    return t->state.epoch >= ga__model_integer(t->model, "epochs") ||
           (patience > 0 && t->state.stale >= patience);
}

/* ---- steps ---- */

static ga_status grad_like(training *t, const DLTensor *logits)
{
    static const DLDataType f32 = { .code = kDLFloat, .bits = 32, .lanes = 1 };
    ga_status status = GA_OK;
    if (!t->grad || t->grad_room < logits->shape[0]) {
        ga_tensor_destroy(t->context, t->grad);
        t->grad = NULL;
        GA_TRY(ga_tensor_create(t->context, f32, 2, logits->shape, &t->grad));
        t->grad_room = logits->shape[0];
    }
    t->grad->shape[0] = logits->shape[0];
done:
    return status;
}

static ga_status step(training *t, const ga__model_data *data, const ga__truth *truth, const ga__nodes *nodes,
                      double rate)
{
    ga_status status = GA_OK;
    const DLTensor *logits = NULL;
    double loss;
    GA_TRY(
        ga__model_forward(t->context, t->model, data, true, t->facts.seed, t->optimiser.steps, -1, &logits));
    GA_TRY(grad_like(t, logits));
    GA_TRY(ga__loss(t->context, logits, truth, nodes, &loss, t->grad));
    GA_TRY(ga__model_backward(t->context, t->model, t->grad));
    status = ga__optimiser_step(t->context, &t->optimiser, t->model, rate);
done:
    return status;
}

/* The seeds are the first nodes of a batch. */
static ga_status batch_step(training *t, const ga__batch *batch, double rate)
{
    int64_t classes = t->model->classes;
    for (int64_t i = 0; i < batch->seed_count; i++) {
        t->batch_seeds[i] = i;
        if (t->truth.labels) {
            t->batch_labels[i] = t->truth.labels[batch->nodes[i]];
        } else {
            memcpy(t->batch_targets + i * classes, t->truth.targets + batch->nodes[i] * classes,
                   (size_t)classes);
        }
    }
    ga__truth truth = { t->truth.labels ? t->batch_labels : NULL, t->truth.labels ? NULL : t->batch_targets };
    ga__nodes seeds = { t->batch_seeds, batch->seed_count };
    return step(t, &batch->data, &truth, &seeds, rate);
}

static ga_status train_epoch(training *t, int64_t epoch)
{
    ga_status status = GA_OK;
    double rate = ga__learning_rate(t->model, epoch);
    const ga__batch *batch = NULL;
    if (!t->loader) {
        return step(t, &t->prepared.data, &t->truth, &t->sets[TRAIN], rate);
    }
    ga__loader_begin(t->loader, epoch);
    for (;;) {
        GA_TRY(ga__check(t->context));
        GA_TRY(ga__loader_next(t->context, t->loader, &batch));
        if (!batch) {
            break;
        }
        GA_TRY(batch_step(t, batch, rate));
    }
done:
    return status;
}

/* ---- the run ---- */

/* How far the logits of a node reach into the graph. */
static int hops_of(const ga_model *model)
{
    const ga__value *k = ga__part_value(&model->part, "k");
    int64_t hops = 0;
    for (int64_t i = 0; i < model->stage_count; i++) {
        hops += model->stages[i].layer->takes_graph ? (k->given ? k->integer : 1) : 0;
    }
    return (int)ga__min(hops, INT32_MAX);
}

static ga_status open_loader(training *t)
{
    ga_status status = GA_OK;
    const ga__value *fanout = ga__part_value(&t->model->part, "fanout");
    int64_t batch = ga__model_integer(t->model, "batch"), each[HOPS];
    int hops = hops_of(t->model);
    if (batch == 0) {
        return GA_OK;
    }
    if (hops > HOPS || (fanout->count != 1 && fanout->count != hops)) {
        return ga__part_refuse(&t->model->part, "fanout", "1 or %d values, the layers reach over %d hops",
                               hops, hops);
    }
    for (int hop = 0; hop < hops; hop++) {
        each[hop] = fanout->list[fanout->count == 1 ? 0 : hop];
        if (each[hop] == 0) {
            return ga__part_refuse(&t->model->part, "fanout", "-1 (all) or at least 1");
        }
    }
    batch = ga__min(batch, t->sets[TRAIN].count);
    ga__loader_options options = { .whole = &t->prepared,
                                   .train = t->sets[TRAIN],
                                   .batch = batch,
                                   .fanout = each,
                                   .hops = hops,
                                   .weighted = ga__model_weighs(t->model),
                                   .seed = t->facts.seed };
    GA_TRY(GA_NEW(t->context, batch, &t->batch_seeds));
    GA_TRY(GA_NEW(t->context, batch, &t->batch_labels));
    GA_TRY(
        ga_alloc(t->context, batch, (size_t)(t->truth.targets ? t->model->classes : 0), &t->batch_targets));
    status = ga__loader_open(t->context, &options, &t->loader);
done:
    return status;
}

static uint32_t add_crc(uint32_t crc, const void *data, int64_t count, size_t size)
{
    return data && count > 0 ? ga__crc32c(crc, data, (size_t)count * size) : crc;
}

/* What tells this run's data from others. */
static void note_facts(training *t)
{
    const ga__prepared *p = &t->prepared;
    const ga_edges *edges = &p->messages.edges, *entries = &p->sparse.edges;
    int64_t nodes = p->data.nodes;
    uint32_t crc = 0;
    crc = add_crc(crc, edges->offsets, p->data.graph ? nodes + 1 : 0, sizeof *edges->offsets);
    crc = add_crc(crc, edges->sources, edges->count, sizeof *edges->sources);
    crc = add_crc(crc, p->messages.weights, edges->count, sizeof *p->messages.weights);
    crc = add_crc(crc, entries->offsets, p->data.sparse ? nodes + 1 : 0, sizeof *entries->offsets);
    crc = add_crc(crc, entries->sources, entries->count, sizeof *entries->sources);
    crc = add_crc(crc, p->values ? p->values->data : NULL, entries->count, sizeof(float));
    crc = add_crc(crc, p->data.dense ? p->data.dense->data : NULL, nodes * t->model->features, sizeof(float));
    crc = add_crc(crc, t->truth.labels, nodes, sizeof *t->truth.labels);
    crc = add_crc(crc, t->truth.targets, nodes * t->model->classes, 1);
    for (int set = 0; set < SETS; set++) {
        crc = add_crc(crc, t->sets[set].list, t->sets[set].count, sizeof *t->sets[set].list);
    }
    t->facts.nodes = nodes;
    t->facts.edges = edges->count;
    t->facts.train = t->sets[TRAIN].count;
    t->facts.val = t->sets[VAL].count;
    t->facts.test = t->sets[TEST].count;
    t->facts.data = crc;
}

static ga_status check_metric(const training *t)
{
    if (ga__model_integer(t->model, "metric") == GA__METRIC_ROC_AUC && t->truth.labels &&
        t->model->classes != 2) {
        return ga__part_refuse(&t->model->part, "metric",
                               "accuracy or f1: there are %lld classes, roc_auc needs two or targets",
                               (long long)t->model->classes);
    }
    return GA_OK;
}

static ga_status open_run(training *t, const ga_node_data *data, const ga_split *split)
{
    ga_status status = GA_OK;
    const ga_train_options *o = t->options;
    const ga_model_info *info = ga_model_find(o->model);
    int64_t nodes = 0, columns = 0, classes = 0;
    if (!info) {
        GA_TRY(ga__fail(t->context, GA_INVALID, "no model '%s'", o->model ? o->model : ""));
    }
    GA_TRY(ga__data_shape(t->context, data, &nodes, &columns));
    GA_TRY(ga__data_truth(t->context, data, nodes, &t->truth, &classes));
    t->facts.seed = ga_context_seed(t->context);
    GA_TRY(ga__model_make(t->context, info, o->parameters, o->parameter_count, columns, classes,
                          t->truth.targets != NULL, t->facts.seed, &t->model));
    GA_TRY(check_metric(t));
    GA_TRY(ga__prepare(t->context, t->model, data, &t->prepared));
    GA_TRY(take_set(t, TRAIN, split->train, split->train_count));
    GA_TRY(take_set(t, VAL, split->val, split->val_count));
    GA_TRY(take_set(t, TEST, split->test, split->test_count));
    GA_TRY(ga__optimiser_open(t->context, t->model, &t->optimiser));
    GA_TRY(GA_NEW_ZERO(t->context, t->model->weights.numbers, &t->state.best_values));
    t->state.best_accuracy = -INFINITY;
    t->state.best_loss = INFINITY;
    note_facts(t);
    GA_TRY(open_loader(t));
    if (o->resume) {
        GA_TRY(ga__checkpoint_read(t->context, t->model, &t->optimiser, &t->state, &t->facts, o->resume));
    }
done:
    return status;
}

static ga_status run_epochs(training *t)
{
    ga_status status = GA_OK;
    int64_t epochs = ga__model_integer(t->model, "epochs");
    ga_epoch e;
    while (!finished(t)) {
        GA_TRY(ga__check(t->context));
        GA_TRY(train_epoch(t, t->state.epoch + 1));
        GA_TRY(measure(t, t->state.epoch + 1, &e));
        note(t, &e);
        if (t->options->checkpoint) {
            GA_TRY(ga__checkpoint_write(t->context, t->model, &t->optimiser, &t->state, &t->facts,
                                        t->options->checkpoint));
        }
        if (t->options->on_epoch) {
            t->options->on_epoch(t->options->user, &e);
        }
        ga__progress(t->context, "training", e.epoch, epochs);
    }
    if (t->state.best.epoch == 0) {
        GA_TRY(ga__fail(t->context, GA_INVALID, "no epoch had a finite loss on the validation nodes"));
    }
done:
    return status;
}

/* The weights of the chosen epoch, and all that can be said of them. */
static ga_status report_on(training *t, int64_t epochs_here, ga_train_report *report)
{
    ga_status status = GA_OK;
    ga_scores scores[SETS];
    double seconds = ga__now() - t->began;
    const ga_epoch *best = &t->state.best;
    memcpy(t->model->weights.values, t->state.best_values, (size_t)t->model->weights.numbers * sizeof(float));
    GA_TRY(evaluate(t, true, scores));
    *report = (ga_train_report){ .epochs = t->state.epoch,
                                 .best_epoch = best->epoch,
                                 .train_loss = best->train_loss,
                                 .val_loss = best->val_loss,
                                 .train_accuracy = best->train_accuracy,
                                 .val_accuracy = best->val_accuracy,
                                 .test_accuracy = best->test_accuracy,
                                 .train_f1 = scores[TRAIN].f1,
                                 .val_f1 = scores[VAL].f1,
                                 .test_f1 = scores[TEST].f1,
                                 .train_auc = scores[TRAIN].auc,
                                 .val_auc = scores[VAL].auc,
                                 .test_auc = scores[TEST].auc,
                                 .seconds = seconds,
                                 .seconds_per_epoch = epochs_here > 0 ? seconds / (double)epochs_here : 0 };
    for (int64_t i = 0; i < t->model->weights.count; i++) {
        report->weights += t->model->weights.list[i].fixed ? 0 : t->model->weights.list[i].count;
    }
done:
    return status;
}

static void close_run(training *t)
{
    ga__loader_close(t->context, t->loader);
    ga__prepared_close(t->context, &t->prepared);
    ga__optimiser_close(t->context, &t->optimiser);
    for (int set = 0; set < SETS; set++) {
        ga_free(t->context, t->lists[set]);
    }
    ga_tensor_destroy(t->context, t->grad);
    ga_free(t->context, t->state.best_values);
    ga_free(t->context, t->batch_seeds);
    ga_free(t->context, t->batch_labels);
    ga_free(t->context, t->batch_targets);
    ga_model_destroy(t->context, t->model);
}

ga_status ga_train(ga_context *context, const ga_node_data *data, const ga_split *split,
                   const ga_train_options *options, ga_model **model, ga_train_report *report)
{
    ga_status status = GA_OK;
    training t = { .context = context, .options = options, .began = ga__now() };
    ga_train_report made;
    ga__begin(context);
    if (!data || !split || !options || !model) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "training: data, a split, options and a place for the model expected"));
    }
    GA_TRY(open_run(&t, data, split));
    int64_t before = t.state.epoch;
    GA_TRY(run_epochs(&t));
    GA_TRY(report_on(&t, t.state.epoch - before, &made));
    if (report) {
        *report = made;
    }
    *model = t.model;
    t.model = NULL;
done:
    close_run(&t);
    return status;
}
