/* checkpoint.c - where a training run stands, as a safetensors file: weights, moments of Adam, the best weights so far,
 * and everything else in the header, in digits that read back exactly. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gnn/train.h"

enum { TEXT = 40, BLOCKS = 4, FIELDS = 40 };
static const char format_name[] = "graphattn-gnn-checkpoint", format_version[] = "1";

/* Blocks of numbers that are laid out as the weights are; a tensor's name is that of the block, a point, the weight's. */
typedef struct block {
    const char *name;
    float *values;
} block;

static void list_blocks(const ga_model *model, const ga__optimiser *optimiser, const ga__train_state *state,
                        block blocks[BLOCKS])
{
    blocks[0] = (block){ "weights", model->weights.values };
    blocks[1] = (block){ "first", optimiser->m };
    blocks[2] = (block){ "second", optimiser->v };
    blocks[3] = (block){ "best", state->best_values };
}

/* A number of the header and where it lives. */
typedef struct field {
    const char *key;
    int64_t *integer; /* or */
    double *real;
} field;

static int list_state(ga__train_state *state, int64_t *steps, field fields[FIELDS])
{
    const field all[] = { { "epoch", &state->epoch, NULL },
                          { "steps", steps, NULL },
                          { "stale", &state->stale, NULL },
                          { "best_accuracy", NULL, &state->best_accuracy },
                          { "best_loss", NULL, &state->best_loss },
                          { "best_epoch", &state->best.epoch, NULL },
                          { "best_train_loss", NULL, &state->best.train_loss },
                          { "best_train_accuracy", NULL, &state->best.train_accuracy },
                          { "best_val_loss", NULL, &state->best.val_loss },
                          { "best_val_accuracy", NULL, &state->best.val_accuracy },
                          { "best_test_accuracy", NULL, &state->best.test_accuracy } };
    memcpy(fields, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

/* What is the same in every checkpoint of a run, as text. */
typedef struct fact {
    const char *key;
    char text[TEXT];
} fact;
enum { FACTS = 10 };

static void list_facts(const ga_model *model, const ga__train_facts *facts, fact out[FACTS])
{
    const struct {
        const char *key;
        int64_t value;
    } counts[] = {
        { "features", model->features }, { "classes", model->classes }, { "multilabel", model->multilabel },
        { "nodes", facts->nodes },       { "edges", facts->edges },     { "train", facts->train },
        { "val", facts->val },           { "test", facts->test }
    };
    for (int i = 0; i < FACTS - 2; i++) {
        out[i].key = counts[i].key;
        (void)snprintf(out[i].text, TEXT, "%lld", (long long)counts[i].value);
    }
    out[FACTS - 2].key = "seed";
    (void)snprintf(out[FACTS - 2].text, TEXT, "%" PRIu64, facts->seed);
    out[FACTS - 1].key = "data";
    (void)snprintf(out[FACTS - 1].text, TEXT, "%08" PRIx32, facts->data);
}

/* ---- writing ---- */

typedef struct writing {
    ga_metadata metadata[FIELDS];
    char texts[FIELDS][TEXT];
    int count;
    const char **names;
    char *name_texts;
    DLTensor *views;
    const DLTensor **tensors;
} writing;

static void put(writing *w, const char *key, const char *value)
{
    w->metadata[w->count++] = (ga_metadata){ key, value };
}

static void put_fields(writing *w, const field *fields, int count)
{
    for (int i = 0; i < count; i++) {
        char *text = w->texts[w->count];
        if (fields[i].integer) {
            (void)snprintf(text, TEXT, "%lld", (long long)*fields[i].integer);
        } else {
            (void)ga__format_double(text, *fields[i].real);
        }
        put(w, fields[i].key, text);
    }
}

static ga_status list_tensors(ga_context *context, const ga_model *model, const block blocks[BLOCKS],
                              writing *w)
{
    ga_status status = GA_OK;
    int64_t count = BLOCKS * model->weights.count, room = 0;
    for (int64_t i = 0; i < model->weights.count; i++) {
        room += (int64_t)strlen(model->weights.list[i].name) + 12;
    }
    GA_TRY(GA_NEW(context, count, &w->names));
    GA_TRY(GA_NEW(context, count, &w->views));
    GA_TRY(GA_NEW(context, count, &w->tensors));
    GA_TRY(ga_alloc(context, BLOCKS * room, 1, &w->name_texts));
    char *to = w->name_texts;
    for (int64_t i = 0; i < count; i++) {
        const block *from = &blocks[i / model->weights.count];
        const ga__weight *weight = &model->weights.list[i % model->weights.count];
        w->names[i] = to;
        to += snprintf(to, strlen(weight->name) + 12, "%s.%s", from->name, weight->name) + 1;
        w->views[i] = weight->tensor;
        w->views[i].data = from->values + weight->first;
        w->tensors[i] = &w->views[i];
    }
done:
    return status;
}

ga_status ga__checkpoint_write(ga_context *context, const ga_model *model, const ga__optimiser *optimiser,
                               const ga__train_state *state, const ga__train_facts *facts, const char *path)
{
    ga_status status = GA_OK;
    ga__train_state copy = *state;
    int64_t steps = optimiser->steps;
    char *params = NULL;
    writing *w = NULL;
    block blocks[BLOCKS];
    field fields[FIELDS];
    fact same[FACTS];
    GA_TRY(GA_NEW_ZERO(context, 1, &w));
    GA_TRY(ga__parameters_to_json(context, model, &params));
    put(w, "format", format_name);
    put(w, "version", format_version);
    put(w, "model", model->info->name);
    put(w, "params", params);
    list_facts(model, facts, same);
    for (int i = 0; i < FACTS; i++) {
        put(w, same[i].key, same[i].text);
    }
    put_fields(w, fields, list_state(&copy, &steps, fields));
    list_blocks(model, optimiser, state, blocks);
    GA_TRY(list_tensors(context, model, blocks, w));
    status = ga_safetensors_write(context, path, BLOCKS * model->weights.count, w->names, w->tensors,
                                  w->count, w->metadata);
done:
    if (w) {
        ga_free(context, w->names);
        ga_free(context, w->views);
        ga_free(context, w->tensors);
        ga_free(context, w->name_texts);
    }
    ga_free(context, w);
    ga_free(context, params);
    return status;
}

/* ---- reading ---- */

typedef struct reading {
    ga_context *context;
    const char *path;
    ga_safetensors *file;
    const ga_model *model;
} reading;

static ga_status differs(const reading *r, const char *key, const char *found, const char *wanted)
{
    return ga__fail(r->context, GA_INVALID, "%s: a run with %s=%.100s, this one has %s=%.100s", r->path, key,
                    found ? found : "", key, wanted ? wanted : "");
}

static ga_status expect(const reading *r, const char *key, const char *wanted)
{
    const char *found = ga_safetensors_metadata(r->file, key);
    return found && strcmp(found, wanted) == 0 ? GA_OK : differs(r, key, found, wanted);
}

static ga_status expect_format(const reading *r)
{
    const char *format = ga_safetensors_metadata(r->file, "format");
    const char *version = ga_safetensors_metadata(r->file, "version");
    if (!format || strcmp(format, format_name) != 0 || !version || strcmp(version, format_version) != 0) {
        return ga__fail(r->context, GA_FORMAT,
                        "%s: format \"%.100s\" version \"%.100s\", expected \"%s\" \"%s\"", r->path,
                        format ? format : "", version ? version : "", format_name, format_version);
    }
    return GA_OK;
}

static bool same_value(const ga_parameter *p, const ga__value *a, const ga__value *b)
{
    bool same = a->given == b->given;
    if (p->type == GA_PARAMETER_INT_LIST) {
        same = same && a->count == b->count;
        for (int64_t i = 0; same && i < a->count; i++) {
            same = a->list[i] == b->list[i];
        }
        return same;
    }
    return same && (p->type == GA_PARAMETER_REAL ? !(a->real < b->real) && !(a->real > b->real)
                                                 : a->integer == b->integer);
}

/* Where the learning rate does not depend on their number, a run with more epochs begins as one with fewer. */
static bool may_differ(const ga_model *model, const char *name)
{
    int64_t schedule = ga__model_integer(model, "schedule");
    return strcmp(name, "epochs") == 0 &&
           (schedule == GA__SCHEDULE_CONSTANT || schedule == GA__SCHEDULE_STEP);
}

static ga_status expect_parameters(const reading *r)
{
    ga_status status = GA_OK;
    ga__parameter_list list = { .count = 0 };
    ga__part part;
    const ga_parameter *table = r->model->info->parameters;
    GA_TRY(ga__parameters_from_json(r->context, r->path, ga_safetensors_metadata(r->file, "params"), &list));
    GA_TRY(ga__part_open(r->context, "model ", r->model->info->name, table, &part));
    for (int64_t i = 0; i < list.count; i++) {
        GA_TRY(ga__part_set(&part, list.list[i].name, list.list[i].value, ','));
    }
    for (int i = 0; table[i].name; i++) {
        const char *found = "";
        for (int64_t k = 0; k < list.count; k++) {
            found = strcmp(list.list[k].name, table[i].name) == 0 ? list.list[k].value : found;
        }
        if (!same_value(&table[i], &part.values[i], &r->model->part.values[i]) &&
            !may_differ(r->model, table[i].name)) {
            GA_TRY(differs(r, table[i].name, found, ga_model_parameter(r->model, table[i].name)));
        }
    }
done:
    ga__parameter_list_clear(r->context, &list);
    return status;
}

static ga_status read_field(const reading *r, const field *f)
{
    const char *text = ga_safetensors_metadata(r->file, f->key);
    bool good = text && (f->integer ? ga__parse_i64((const unsigned char *)text,
                                                    (const unsigned char *)text + strlen(text), f->integer) &&
                                          *f->integer >= 0
                                    : ga__parse_double(text, (int64_t)strlen(text), f->real));
    return good ? GA_OK
                : ga__fail(r->context, GA_FORMAT, "%s: %s \"%.100s\", expected a number", r->path, f->key,
                           text ? text : "");
}

/* NULL with a message for a tensor that is missing or has another shape. */
static const float *find_block(const reading *r, const char *block_name, const ga__weight *weight)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s.%s", block_name, weight->name);
    const DLTensor *t = ga_safetensors_find(r->file, name);
    bool good = t && t->ndim == weight->ndim && t->dtype.code == kDLFloat && t->dtype.bits == 32;
    for (int i = 0; good && i < t->ndim; i++) {
        good = t->shape[i] == weight->shape[i];
    }
    if (!good) {
        (void)ga__fail(r->context, GA_FORMAT, "%s: tensor \"%s\" is missing or has another shape", r->path,
                       name);
        return NULL;
    }
    return t->data;
}

/* Looks at all tensors, or copies them. */
static ga_status take_blocks(const reading *r, const block blocks[BLOCKS], bool copy)
{
    for (int b = 0; b < BLOCKS; b++) {
        for (int64_t i = 0; i < r->model->weights.count; i++) {
            const ga__weight *weight = &r->model->weights.list[i];
            const float *from = find_block(r, blocks[b].name, weight);
            if (!from) {
                return GA_FORMAT;
            }
            if (copy) {
                memcpy(blocks[b].values + weight->first, from, (size_t)weight->count * sizeof *from);
            }
        }
    }
    return GA_OK;
}

ga_status ga__checkpoint_read(ga_context *context, ga_model *model, ga__optimiser *optimiser,
                              ga__train_state *state, const ga__train_facts *facts, const char *path)
{
    ga_status status = GA_OK;
    reading r = { .context = context, .path = path, .model = model };
    ga__train_state read = *state;
    int64_t steps = 0;
    block blocks[BLOCKS];
    field fields[FIELDS];
    fact same[FACTS];
    int count = list_state(&read, &steps, fields);
    GA_TRY(ga_safetensors_read(context, path, &r.file));
    GA_TRY(expect_format(&r));
    GA_TRY(expect(&r, "model", model->info->name));
    GA_TRY(expect_parameters(&r));
    list_facts(model, facts, same);
    for (int i = 0; i < FACTS; i++) {
        GA_TRY(expect(&r, same[i].key, same[i].text));
    }
    for (int i = 0; i < count; i++) {
        GA_TRY(read_field(&r, &fields[i]));
    }
    list_blocks(model, optimiser, state, blocks);
    GA_TRY(take_blocks(&r, blocks, false));
    GA_TRY(take_blocks(&r, blocks, true));
    *state = read;
    optimiser->steps = steps;
done:
    ga_safetensors_destroy(context, r.file);
    return status;
}
