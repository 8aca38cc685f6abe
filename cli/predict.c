/* predict.c - graphattn predict and graphattn embed: a trained model on a graph, perhaps another one. */
#include "config.h"

#include <string.h>

#include "cli/node_data.h"
#include "cli/session.h"

#define INPUT_ROWS \
    { "features",   0,      OPTION_TEXT, \
      AT(features), "FILE", .help = "features of the nodes (n, F), as .npy or Matrix Market" }, \
        { "load", 0, OPTION_TEXT, AT(load), "FILE", .help = "the model, as graphattn train --save wrote it" }, \
        { "undirected", 0, OPTION_SWITCH, AT(undirected), \
          .help = "every line is two edges, one in each direction" }, \
        BACKEND_ROW

static const option predict_rows[] = {
    INPUT_ROWS,
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help =
          "the class of every node, one a line (default: -, standard output); with several labels a node a table "
          "of 0 and 1 as .npy" },
    { "logits", 0, OPTION_TEXT, AT(logits), "FILE", .help = "what the last layer gives, (n, C) as .npy" },
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE", .help = "the true classes, for --report" },
    { "index", 0, OPTION_TEXT, AT(index), "FILE",
      .help = "nodes to report on (default: all that have a label)" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "accuracy, macro F1, area under the ROC curve, loss, as rows name and value" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON, in one line" },
    { 0 }
};
const option_group predict_options = { "Prediction", predict_rows };

static const option embed_rows[] = {
    INPUT_ROWS,
    { "layer", 0, OPTION_INTEGER, AT(stage), "N",
      .help = "which hidden layer, 0 for the first (default: the last one)", .low = 0 },
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "what the layer gives, (n, width) as .npy (default: -, standard output)" },
    { 0 }
};
const option_group embed_options = { "Embedding", embed_rows };

typedef struct job {
    node_inputs in;
    ga_model *model;
    DLTensor *result; /* logits or embedding */
    int64_t *nodes, node_count;
} job;

/* ---- usage ---- */

static int check_common(session *s)
{
    if (!s->is.features || !s->is.load) {
        return usage_error(s, "needs %s", s->is.features ? "--load" : "--features");
    }
    reads_node_data(s);
    reads(s, s->is.load);
    return check_backend(s);
}

int predict_check(session *s)
{
    const settings *is = &s->is;
    if (is->report && !is->labels) {
        return usage_error(s, "--report needs --labels");
    }
    if ((is->index || is->labels) && !is->report) {
        return usage_error(s, "--%s needs --report", is->index ? "index" : "labels");
    }
    int bad = check_common(s);
    reads(s, is->index);
    writes(s, is->output);
    writes(s, is->logits);
    writes(s, is->report);
    return bad;
}

int embed_check(session *s)
{
    int bad = check_common(s);
    writes(s, s->is.output);
    return bad;
}

/* ---- running ---- */

static ga_status open_job(session *s, job *j)
{
    ga_status status = GA_OK;
    GA_TRY(set_backend(s));
    GA_TRY(ga_model_load(s->context, s->is.load, &j->model));
    if (s->operand_count == 0 && ga_model_kind(j->model)->takes_graph) {
        s->wrong_usage = true;
        GA_TRY(complain(s, GA_INVALID, "model %s needs a graph", ga_model_kind(j->model)->name));
    }
    status = read_node_data(s, &j->in);
done:
    return status;
}

static void close_job(session *s, job *j)
{
    ga_tensor_destroy(s->context, j->result);
    ga_model_destroy(s->context, j->model);
    ga_free(s->context, j->nodes);
    free_node_data(s, &j->in);
}

static const float *row_of(const job *j, int64_t node)
{
    return (const float *)j->result->data + node * j->result->shape[1];
}

/* Largest logit, ties to the lowest class. */
static int64_t class_of(const job *j, int64_t node)
{
    const float *row = row_of(j, node);
    int64_t best = 0;
    for (int64_t c = 1; c < j->result->shape[1]; c++) {
        best = row[c] > row[best] ? c : best;
    }
    return best;
}

static ga_status write_table(session *s, const job *j, const char *at)
{
    ga_status status = GA_OK;
    DLTensor *table = NULL;
    const DLDataType byte = { .code = kDLUInt, .bits = 8, .lanes = 1 };
    GA_TRY(ga_tensor_create(s->context, byte, 2, j->result->shape, &table));
    for (int64_t i = 0; i < j->result->shape[0]; i++) {
        uint8_t *to = (uint8_t *)table->data + i * table->shape[1];
        for (int64_t c = 0; c < table->shape[1]; c++) {
            to[c] = row_of(j, i)[c] > 0;
        }
    }
    status = ga_npy_write(s->context, table, at);
done:
    ga_tensor_destroy(s->context, table);
    return status;
}

static ga_status write_classes(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const char *at;
    int64_t *classes = NULL;
    GA_TRY(place(s, path, &at));
    if (ga_model_multilabel(j->model)) {
        return write_table(s, j, at);
    }
    GA_TRY(GA_NEW(s->context, j->in.nodes, &classes));
    for (int64_t i = 0; i < j->in.nodes; i++) {
        classes[i] = class_of(j, i);
    }
    status = ga_integers_write(s->context, at, classes, j->in.nodes);
done:
    ga_free(s->context, classes);
    return status;
}

static ga_status write_result(session *s, const void *user, const char *path)
{
    return write_tensor(s, ((const job *)user)->result, path);
}

static ga_status write_scores(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const char *at;
    ga_scores scores;
    ga__sheet sheet = { 0 };
    GA_TRY(ga_score_logits(s->context, j->result, &j->in.data, j->nodes, j->node_count, &scores));
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    sheet.line = true;
    GA_TRY(ga__sheet_integer(&sheet, "nodes", j->node_count));
    GA_TRY(ga__sheet_real(&sheet, "accuracy", scores.accuracy));
    GA_TRY(ga__sheet_real(&sheet, "f1", scores.f1));
    GA_TRY(ga__sheet_real(&sheet, "auc", scores.auc));
    GA_TRY(ga__sheet_real(&sheet, "loss", scores.loss));
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

/* Those of --index that have a label, or all that have one. */
static ga_status find_nodes(session *s, job *j)
{
    ga_status status = GA_OK;
    int64_t kept = 0;
    if (s->is.index) {
        GA_TRY(read_node_list(s, s->is.index, j->in.nodes, &j->nodes, &j->node_count));
    } else {
        GA_TRY(GA_NEW(s->context, j->in.nodes, &j->nodes));
        for (; j->node_count < j->in.nodes; j->node_count++) {
            j->nodes[j->node_count] = j->node_count;
        }
    }
    for (int64_t i = 0; i < j->node_count; i++) {
        int64_t node = j->nodes[i];
        if (!j->in.labels || j->in.labels[node] >= 0) {
            j->nodes[kept++] = node;
        }
    }
    j->node_count = kept;
done:
    return status;
}

ga_status predict_run(session *s)
{
    ga_status status = GA_OK;
    job j = { .model = NULL };
    writer writers[] = { { s->is.output, write_classes },
                         { s->is.logits, write_result },
                         { s->is.report, write_scores } };
    GA_TRY(open_job(s, &j));
    GA_TRY(ga_model_predict(s->context, j.model, &j.in.data, &j.result));
    if (s->is.report) {
        GA_TRY(find_nodes(s, &j));
    }
    status = write_all(s, writers, 3, &j);
done:
    close_job(s, &j);
    return status;
}

ga_status embed_run(session *s)
{
    ga_status status = GA_OK;
    job j = { .model = NULL };
    GA_TRY(open_job(s, &j));
    GA_TRY(ga_model_embed(s->context, j.model, &j.in.data, s->is.stage, &j.result));
    status = write_tensor(s, j.result, s->is.output);
done:
    close_job(s, &j);
    return status;
}
