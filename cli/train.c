/* train.c - graphattn train: a model of a graph neural network is trained on the labels of some nodes. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/chart.h"
#include "cli/node_data.h"
#include "cli/session.h"
#include "lib/tensor/parameters.h"

static const option rows[] = {
    { "features", 0, OPTION_TEXT, AT(features), "FILE",
      .help = "features of the nodes (n, F), as .npy or Matrix Market" },
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE",
      .help = "a class for every node, -1 for none; or .npy (n, C) of type u1 or b1, several labels a node" },
    { "undirected", 0, OPTION_SWITCH, AT(undirected),
      .help = "every line is two edges, one in each direction" },
    { "train-index", 0, OPTION_TEXT, AT(train_index), "FILE", .help = "nodes to train on, one a line" },
    { "val-index", 0, OPTION_TEXT, AT(val_index), "FILE",
      .help = "nodes that decide when to stop and which epoch to keep" },
    { "test-index", 0, OPTION_TEXT, AT(test_index), "FILE", .help = "nodes to report on" },
    { "split", 0, OPTION_TEXT, AT(split), "KIND:TRAIN,VAL",
      .help =
          "draw the nodes instead: random:0.6,0.2 of all, balanced:0.025,0.025 of all / classes, per class" },
    { "split-seed", 0, OPTION_INTEGER, AT(split_seed), "N",
      .help = "seed of --split, that of NumPy's RandomState (default: --seed)", .low = 0,
      .high = INT64_C(4294967295) },
    { "save-split", 0, OPTION_TEXT, AT(save_split), "PREFIX",
      .help = "write the nodes to PREFIX.train.txt, PREFIX.val.txt and PREFIX.test.txt" },
    { "model", 0, OPTION_TEXT, AT(model), "NAME", .help = "the model; --list-models lists them" },
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE",
      .help = "a parameter of the model or of its training, several with commas; may be repeated" },
    { "checkpoint", 0, OPTION_TEXT, AT(checkpoint), "FILE", .help = "keep the state of every epoch there" },
    { "resume", 0, OPTION_TEXT, AT(resume), "FILE", .help = "go on from such a state" },
    BACKEND_ROW,
    { "list-models", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the models, their parameters and tensors, or those of --model" },
    { 0 }
};
const option_group train_options = { "Training", rows };

static const option result_rows[] = {
    { "save", 0, OPTION_TEXT, AT(save), "FILE", .help = "where the model goes, as safetensors" },
    { "log", 0, OPTION_TEXT, AT(log), "FILE", .help = "one line an epoch, written as it is trained" },
    { "plot", 0, OPTION_TEXT, AT(plot), "FILE",
      .help = "loss and accuracy over the epochs, as .svg, .png or .pdf" },
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where the report goes (default: -, standard output)" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON, in one line" },
    { 0 }
};
const option_group train_result_options = { "Result", result_rows };

/* ---- usage ---- */

static const char *model_at(const void *user, int i)
{
    const ga_model_info *const *models = user;
    return models[i] ? models[i]->name : NULL;
}

static int check_model(const session *s)
{
    const char *name = s->is.model;
    if (!name) {
        return s->is.list_methods ? 0 : usage_error(s, "needs --model; --list-models lists them");
    }
    if (ga_model_find(name)) {
        return 0;
    }
    const char *near = nearest_word(name, model_at, ga_models());
    return near ? usage_error(s, "no model '%s'; did you mean %s?", name, near)
                : usage_error(s, "no model '%s'; --list-models lists them", name);
}

/* "KIND:TRAIN,VAL" */
static bool parse_split(const char *text, ga_split_kind *kind, double *train, double *val)
{
    const char *colon = strchr(text, ':'), *comma = colon ? strchr(colon, ',') : NULL;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (!comma) {
        return false;
    }
    if (length == 6 && strncmp(text, "random", length) == 0) {
        *kind = GA_SPLIT_RANDOM;
    } else if (length == 8 && strncmp(text, "balanced", length) == 0) {
        *kind = GA_SPLIT_BALANCED;
    } else {
        return false;
    }
    return ga__parse_double(colon + 1, comma - colon - 1, train) &&
           ga__parse_double(comma + 1, (int64_t)strlen(comma + 1), val) && *train > 0 && *val >= 0 &&
           *train + *val <= 1;
}

static int check_nodes(const session *s)
{
    const settings *is = &s->is;
    bool lists = is->train_index || is->val_index || is->test_index;
    ga_split_kind kind;
    double train, val;
    if (is->split && lists) {
        return usage_error(s, "either --split or index files");
    }
    if (!is->split && !is->train_index) {
        return usage_error(s, "needs --train-index or --split");
    }
    if (is->split && !parse_split(is->split, &kind, &train, &val)) {
        return usage_error(
            s,
            "--split: found \"%s\", expected random:TRAIN,VAL or balanced:TRAIN,VAL with shares "
            "that sum to at most 1",
            is->split);
    }
    return 0;
}

static int check_needs(const session *s)
{
    const settings *is = &s->is;
    if (!is->features || !is->labels) {
        return usage_error(s, "needs %s", is->features ? "--labels" : "--features");
    }
    int bad = check_nodes(s);
    if (!bad && s->operand_count == 0 && ga_model_find(is->model)->takes_graph) {
        bad = usage_error(s, "model %s needs a graph", is->model);
    }
    bad = bad ? bad : check_pairs(s, "--set", &is->set);
    return bad ? bad : check_backend(s);
}

int train_check(session *s)
{
    const settings *is = &s->is;
    int bad = check_model(s);
    if (!bad && is->list_methods) {
        writes(s, is->output);
        return 0;
    }
    bad = bad ? bad : check_needs(s);
    bad = bad ? bad : chart_check(s, is->plot);
    if (bad) {
        return bad;
    }
    reads_node_data(s);
    reads(s, is->train_index);
    reads(s, is->val_index);
    reads(s, is->test_index);
    /* a run may go on from the file that it keeps its own state in */
    reads(s, is->resume && is->checkpoint && strcmp(is->resume, is->checkpoint) == 0 ? NULL : is->resume);
    writes(s, is->save);
    writes(s, is->log);
    writes(s, is->plot);
    writes(s, is->checkpoint);
    writes(s, is->output);
    return 0;
}

/* ---- the list of models ---- */

static ga_status list_model(session *s, const ga_model_info *model, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "%s\tmodel\t%s\t\t\t\t%s\n", model->name, model->name,
                            model->summary));
    GA_TRY(print_tables(s, model->name, model->parameters, model->tensors, out));
done:
    return status;
}

static ga_status list_models(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *at;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &out));
    GA_TRY(ga__output_print(s->context, out, "#model\tkind\tname\ttype\tdefault\trange\tmeaning\n"));
    for (const ga_model_info *const *model = ga_models(); *model; model++) {
        if (!s->is.model || strcmp(s->is.model, (*model)->name) == 0) {
            GA_TRY(list_model(s, *model, out));
        }
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- the nodes ---- */

static ga_status find_split(session *s, const node_inputs *in, ga_split *split)
{
    ga_status status = GA_OK;
    const settings *is = &s->is;
    if (is->split) {
        ga_split_kind kind = GA_SPLIT_RANDOM;
        double train = 0, val = 0;
        uint32_t seed = (uint32_t)(is->split_seed < 0 ? is->seed : (uint64_t)is->split_seed);
        (void)parse_split(is->split, &kind, &train, &val);
        if (!in->labels) {
            return complain(s, GA_INVALID, "--split needs one label a node");
        }
        return ga_split_draw(s->context, kind, train, val, seed, in->labels, in->nodes, split);
    }
    GA_TRY(read_node_list(s, is->train_index, in->nodes, &split->train, &split->train_count));
    GA_TRY(read_node_list(s, is->val_index, in->nodes, &split->val, &split->val_count));
    GA_TRY(read_node_list(s, is->test_index, in->nodes, &split->test, &split->test_count));
done:
    return status;
}

static ga_status save_list(session *s, const char *kind, const int64_t *list, int64_t count)
{
    ga_status status = GA_OK;
    char *path = NULL;
    size_t size = strlen(s->is.save_split) + 16;
    GA_TRY(ga_alloc(s->context, (int64_t)size, 1, &path));
    snprintf(path, size, "%s.%s.txt", s->is.save_split, kind);
    status = ga_integers_write(s->context, path, list, count);
done:
    ga_free(s->context, path);
    return status;
}

static ga_status save_split(session *s, const ga_split *split)
{
    ga_status status = GA_OK;
    if (!s->is.save_split) {
        return GA_OK;
    }
    GA_TRY(save_list(s, "train", split->train, split->train_count));
    GA_TRY(save_list(s, "val", split->val, split->val_count));
    GA_TRY(save_list(s, "test", split->test, split->test_count));
done:
    return status;
}

/* ---- epochs as they pass ---- */

typedef struct job {
    session *s;
    node_inputs in;
    named_inputs named;
    ga_split split;
    history history;
    FILE *log;
    ga_status late; /* of what went wrong between epochs */
    double shown;   /* when the progress line was last written */
    ga_model *model;
    ga_train_report report;
} job;

static ga_status open_log(job *j)
{
    const char *path = j->s->is.log;
    if (!path) {
        return GA_OK;
    }
    j->log = is_standard(path) ? stdout : fopen(path, j->s->is.resume ? "ae" : "we");
    if (!j->log) {
        return complain(j->s, GA_IO, "%s: %s", path, strerror(errno));
    }
    if (!j->s->is.resume || ftell(j->log) == 0) {
        fputs("epoch\ttrain_loss\ttrain_acc\tval_loss\tval_acc\ttest_acc\tseconds\n", j->log);
    }
    return GA_OK;
}

static void write_log(job *j, const ga_epoch *e)
{
    const double figures[] = { e->train_loss,   e->train_accuracy, e->val_loss,
                               e->val_accuracy, e->test_accuracy,  e->seconds };
    char text[32];
    if (!j->log) {
        return;
    }
    fprintf(j->log, "%lld", (long long)e->epoch);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        ga__format_double(text, figures[i]);
        fprintf(j->log, "\t%s", text);
    }
    fputc('\n', j->log);
    if (fflush(j->log) != 0 && j->late == GA_OK) {
        j->late = complain(j->s, GA_IO, "%s: %s", j->s->is.log, strerror(errno));
    }
}

static void keep_epoch(job *j, const ga_epoch *e)
{
    history *h = &j->history;
    if (!j->s->is.plot || j->late != GA_OK) {
        return;
    }
    if (h->count == h->room) {
        int64_t more = h->room ? 2 * h->room : 256;
        j->late = ga__resize(j->s->context, h->room, more, sizeof *h->epochs, &h->epochs);
        if (j->late != GA_OK) {
            return;
        }
        h->room = more;
    }
    h->epochs[h->count++] = *e;
}

static void show_epoch(job *j, const ga_epoch *e)
{
    double clock = ga__now();
    if (!j->s->show_progress || clock - j->shown < 0.1) {
        return;
    }
    j->shown = clock;
    fprintf(stderr, "\rgraphattn train: epoch %lld, loss %.4f, validation loss %.4f, accuracy %.4f\033[K",
            (long long)e->epoch, e->train_loss, e->val_loss, e->val_accuracy);
    j->s->line_open = true;
}

static void on_epoch(void *user, const ga_epoch *epoch)
{
    job *j = user;
    write_log(j, epoch);
    keep_epoch(j, epoch);
    show_epoch(j, epoch);
}

/* ---- the run ---- */

/* Wrong words are wrong usage, whatever else may be wrong with the data. */
static ga_status check_parameters(job *j)
{
    ga_status status = GA_OK;
    session *s = j->s;
    ga__part part;
    GA_TRY(ga__part_open(s->context, "model ", s->is.model, ga_model_find(s->is.model)->parameters, &part));
    for (int64_t i = 0; i < j->named.parameter_count; i++) {
        status = ga__part_set(&part, j->named.parameters[i].name, j->named.parameters[i].value, ',');
        s->wrong_usage = status == GA_INVALID;
        GA_TRY(status);
    }
done:
    return status;
}

static ga_status train(job *j)
{
    ga_status status = GA_OK;
    session *s = j->s;
    ga_train_options options = GA_TRAIN_OPTIONS_INIT;
    GA_TRY(set_backend(s));
    GA_TRY(read_named(s, &j->named));
    GA_TRY(check_parameters(j));
    GA_TRY(read_node_data(s, &j->in));
    GA_TRY(find_split(s, &j->in, &j->split));
    GA_TRY(save_split(s, &j->split));
    GA_TRY(open_log(j));
    options.model = s->is.model;
    options.parameters = j->named.parameters;
    options.parameter_count = j->named.parameter_count;
    options.checkpoint = s->is.checkpoint;
    options.resume = s->is.resume;
    options.on_epoch = on_epoch;
    options.user = j;
    ga_context_set_progress(s->context, NULL, NULL); /* show_epoch says more */
    GA_TRY(ga_train(s->context, &j->in.data, &j->split, &options, &j->model, &j->report));
    status = j->late;
done:
    return status;
}

static ga_status write_model(session *s, const void *user, const char *path)
{
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_model_save(s->context, ((const job *)user)->model, at) : status;
}

static ga_status write_plot(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    const char *metric = status == GA_OK ? ga_model_parameter(j->model, "metric") : NULL;
    return status == GA_OK ? draw_curves(s, &j->history, j->report.best_epoch, metric, path, at) : status;
}

static ga_status write_report(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const ga_train_report *r = &j->report;
    const struct {
        const char *name;
        double value;
    } figures[] = { { "train_loss", r->train_loss },
                    { "val_loss", r->val_loss },
                    { "train_accuracy", r->train_accuracy },
                    { "val_accuracy", r->val_accuracy },
                    { "test_accuracy", r->test_accuracy },
                    { "train_f1", r->train_f1 },
                    { "val_f1", r->val_f1 },
                    { "test_f1", r->test_f1 },
                    { "train_auc", r->train_auc },
                    { "val_auc", r->val_auc },
                    { "test_auc", r->test_auc },
                    { "seconds", r->seconds },
                    { "seconds_per_epoch", r->seconds_per_epoch } };
    const char *at;
    ga__sheet sheet = { 0 };
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    sheet.line = true;
    GA_TRY(ga__sheet_text(&sheet, "model", s->is.model));
    GA_TRY(ga__sheet_unsigned(&sheet, "seed", s->is.seed));
    GA_TRY(ga__sheet_integer(&sheet, "weights", r->weights));
    GA_TRY(ga__sheet_integer(&sheet, "epochs", r->epochs));
    GA_TRY(ga__sheet_integer(&sheet, "best_epoch", r->best_epoch));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        GA_TRY(ga__sheet_real(&sheet, figures[i].name, figures[i].value));
    }
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

static void free_job(session *s, job *j)
{
    if (j->log && j->log != stdout) {
        fclose(j->log);
    }
    ga_model_destroy(s->context, j->model);
    ga_split_clear(s->context, &j->split);
    ga_free(s->context, j->history.epochs);
    free_named(s, &j->named);
    free_node_data(s, &j->in);
}

ga_status train_run(session *s)
{
    ga_status status = GA_OK;
    job j = { .s = s };
    writer writers[] = { { s->is.save, write_model },
                         { s->is.plot, write_plot },
                         { s->is.output, write_report } };
    if (s->is.list_methods) {
        return list_models(s);
    }
    GA_TRY(train(&j));
    status = write_all(s, writers, 3, &j);
done:
    free_job(s, &j);
    return status;
}
