/* model_file.c - trained models as safetensors files: the weights by name, what the model is in the header. */
#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gnn/train.h"

static const char format_name[] = "graphattn-gnn", format_version[] = "1";

/* ---- parameters as JSON ---- */

enum { NUMBER_ROOM = 32 };

static int64_t room_for(const ga_parameter *p)
{
    int64_t value = NUMBER_ROOM;
    for (int i = 0; p->type == GA_PARAMETER_WORD && p->words[i]; i++) {
        value = ga__max(value, (int64_t)strlen(p->words[i]) + 3);
    }
    if (p->type == GA_PARAMETER_INT_LIST) {
        value = GA__LIST * NUMBER_ROOM;
    }
    return (int64_t)strlen(p->name) + value + 8;
}

/* A finite number as JSON has it; the others as strings. */
static int put_real(char *to, double value)
{
    char text[NUMBER_ROOM];
    (void)ga__format_double(text, value);
    return snprintf(to, NUMBER_ROOM + 8, isfinite(value) ? "%s" : "\"%s\"", text);
}

static char *put_list(char *to, const ga__value *value)
{
    *to++ = '[';
    for (int64_t i = 0; i < value->count; i++) {
        to += snprintf(to, NUMBER_ROOM, "%s%lld", i ? "," : "", (long long)value->list[i]);
    }
    *to++ = ']';
    return to;
}

static char *put_value(char *to, const ga_parameter *p, const ga__value *value)
{
    switch (p->type) {
    case GA_PARAMETER_BOOL: return to + snprintf(to, NUMBER_ROOM, value->integer ? "true" : "false");
    case GA_PARAMETER_INT: return to + snprintf(to, NUMBER_ROOM, "%lld", (long long)value->integer);
    case GA_PARAMETER_REAL: return to + put_real(to, value->real);
    case GA_PARAMETER_WORD:
        return to + snprintf(to, strlen(p->words[value->integer]) + 3, "\"%s\"", p->words[value->integer]);
    case GA_PARAMETER_INT_LIST: return put_list(to, value);
    case GA_PARAMETER_TEXT: break; /* no model has one */
    }
    return to;
}

ga_status ga__parameters_to_json(ga_context *context, const ga_model *model, char **text)
{
    ga_status status = GA_OK;
    const ga_parameter *table = model->info->parameters;
    int64_t room = 3;
    char *to;
    for (int i = 0; table[i].name; i++) {
        room += room_for(&table[i]);
    }
    GA_TRY(ga_alloc(context, room, 1, text));
    to = *text;
    *to++ = '{';
    for (int i = 0; table[i].name; i++) {
        const ga__value *value = ga__part_value(&model->part, table[i].name);
        if (value->given) {
            to += snprintf(to, strlen(table[i].name) + 8, "%s\"%s\": ", to[-1] == '{' ? "" : ", ",
                           table[i].name);
            to = put_value(to, &table[i], value);
        }
    }
    memcpy(to, "}", 2);
done:
    return status;
}

/* Room for a value as text; 0 for one that no parameter has. */
static size_t text_room(const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!json_is_integer(json_array_get(value, i))) {
                return 0;
            }
        }
        return NUMBER_ROOM * json_array_size(value) + 1;
    }
    return json_is_string(value)                             ? json_string_length(value) + 1
           : json_is_number(value) || json_is_boolean(value) ? (size_t)NUMBER_ROOM
                                                             : 0;
}

static void to_text(const json_t *value, char *to)
{
    to[0] = '\0';
    for (size_t i = 0; i < json_array_size(value); i++) {
        to += snprintf(to, NUMBER_ROOM, "%s%lld", i ? "," : "",
                       (long long)json_integer_value(json_array_get(value, i)));
    }
    if (json_is_string(value)) {
        memcpy(to, json_string_value(value), json_string_length(value) + 1);
    } else if (json_is_integer(value)) {
        (void)snprintf(to, NUMBER_ROOM, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)ga__format_double(to, json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(to, NUMBER_ROOM, json_is_true(value) ? "true" : "false");
    }
}

ga_status ga__parameters_from_json(ga_context *context, const char *name, const char *json,
                                   ga__parameter_list *out)
{
    ga_status status = GA_OK;
    json_error_t error;
    const char *key;
    json_t *value, *object = json ? json_loads(json, JSON_REJECT_DUPLICATES, &error) : NULL;
    size_t room = 0;
    *out = (ga__parameter_list){ .count = 0 };
    if (!json_is_object(object)) {
        GA_TRY(ga__fail(context, GA_FORMAT, "%s: params are no JSON object", name));
    }
    json_object_foreach(object, key, value)
    {
        if (text_room(value) == 0) {
            GA_TRY(ga__fail(context, GA_FORMAT,
                            "%s: params: the value of \"%.100s\" is none that a parameter has", name, key));
        }
        room += strlen(key) + 1 + text_room(value);
    }
    GA_TRY(GA_NEW(context, (int64_t)json_object_size(object), &out->list));
    GA_TRY(ga_alloc(context, (int64_t)room, 1, &out->texts));
    char *to = out->texts;
    json_object_foreach(object, key, value)
    {
        ga_named_text *entry = &out->list[out->count++];
        entry->name = to;
        to += snprintf(to, strlen(key) + 1, "%s", key) + 1;
        entry->value = to;
        to_text(value, to);
        to += text_room(value);
    }
done:
    json_decref(object);
    return status;
}

void ga__parameter_list_clear(ga_context *context, ga__parameter_list *list)
{
    ga_free(context, list->list);
    ga_free(context, list->texts);
    *list = (ga__parameter_list){ .count = 0 };
}

/* ---- saving ---- */

ga_status ga_model_save(ga_context *context, const ga_model *model, const char *path)
{
    ga_status status = GA_OK;
    char *params = NULL, features[NUMBER_ROOM], classes[NUMBER_ROOM];
    const char **names = NULL;
    const DLTensor **tensors = NULL;
    int64_t count = model->weights.count;
    ga__begin(context);
    GA_TRY(ga__parameters_to_json(context, model, &params));
    GA_TRY(GA_NEW(context, count, &names));
    GA_TRY(GA_NEW(context, count, &tensors));
    for (int64_t i = 0; i < count; i++) {
        names[i] = model->weights.list[i].name;
        tensors[i] = &model->weights.list[i].tensor;
    }
    (void)snprintf(features, sizeof features, "%lld", (long long)model->features);
    (void)snprintf(classes, sizeof classes, "%lld", (long long)model->classes);
    const ga_metadata metadata[] = {
        { "format", format_name }, { "version", format_version }, { "model", model->info->name },
        { "params", params },      { "features", features },      { "classes", classes },
        { "multilabel", "true" } /* of models for several labels a node alone */
    };
    status = ga_safetensors_write(context, path, count, names, tensors, model->multilabel ? 7 : 6, metadata);
done:
    ga_free(context, params);
    ga_free(context, names);
    ga_free(context, tensors);
    return status;
}

/* ---- loading ---- */

typedef struct loading {
    ga_context *context;
    const char *path;
    ga_safetensors *file;
    const ga_model_info *info;
    int64_t features, classes;
    bool multilabel;
    ga__parameter_list parameters;
    ga_model *model;
} loading;

static ga_status expect_word(const loading *l, const char *key, const char *expected)
{
    const char *found = ga_safetensors_metadata(l->file, key);
    if (!found || strcmp(found, expected) != 0) {
        return ga__fail(l->context, GA_FORMAT, "%s: %s \"%.100s\", expected \"%s\"", l->path, key,
                        found ? found : "", expected);
    }
    return GA_OK;
}

static ga_status read_count(const loading *l, const char *key, int64_t *count)
{
    const char *text = ga_safetensors_metadata(l->file, key);
    if (!text ||
        !ga__parse_i64((const unsigned char *)text, (const unsigned char *)text + strlen(text), count) ||
        *count < 1) {
        return ga__fail(l->context, GA_FORMAT, "%s: %s \"%.100s\", expected a number from 1", l->path, key,
                        text ? text : "");
    }
    return GA_OK;
}

static ga_status read_metadata(loading *l)
{
    ga_status status = GA_OK;
    GA_TRY(expect_word(l, "format", format_name));
    GA_TRY(expect_word(l, "version", format_version));
    const char *model = ga_safetensors_metadata(l->file, "model");
    if (!(l->info = ga_model_find(model))) {
        GA_TRY(ga__fail(l->context, GA_FORMAT, "%s: model \"%.100s\", which is not known", l->path,
                        model ? model : ""));
    }
    GA_TRY(ga__parameters_from_json(l->context, l->path, ga_safetensors_metadata(l->file, "params"),
                                    &l->parameters));
    GA_TRY(read_count(l, "features", &l->features));
    GA_TRY(read_count(l, "classes", &l->classes));
    if (ga_safetensors_metadata(l->file, "multilabel")) {
        GA_TRY(expect_word(l, "multilabel", "true"));
        l->multilabel = true;
    }
done:
    return status;
}

static void print_shape(char text[64], int ndim, const int64_t *shape)
{
    int size = snprintf(text, 64, "(");
    for (int i = 0; i < ndim && size < 40; i++) {
        size += snprintf(text + size, 64 - (size_t)size, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    (void)snprintf(text + size, 64 - (size_t)size, ")");
}

/* A header is a claim: the tensors of the file are compared with what the model wants before that is allocated. */
static ga_status check_weight(const loading *l, const ga__weight *weight)
{
    const DLTensor *found = ga_safetensors_find(l->file, weight->name);
    char has[64], wants[64];
    if (!found) {
        return ga__fail(l->context, GA_FORMAT, "%s: no tensor \"%s\", which model %s has", l->path,
                        weight->name, l->info->name);
    }
    if (found->dtype.code != kDLFloat || found->dtype.bits != 32) {
        return ga__fail(l->context, GA_FORMAT, "%s: tensor \"%s\": expected elements of type F32", l->path,
                        weight->name);
    }
    bool same = found->ndim == weight->ndim;
    for (int i = 0; same && i < weight->ndim; i++) {
        same = found->shape[i] == weight->shape[i];
    }
    if (!same) {
        print_shape(has, found->ndim, found->shape);
        print_shape(wants, weight->ndim, weight->shape);
        return ga__fail(l->context, GA_FORMAT, "%s: tensor \"%s\": shape %s, expected %s", l->path,
                        weight->name, has, wants);
    }
    const float *values = found->data;
    for (int64_t i = 0; i < weight->count; i++) {
        if (!isfinite(values[i])) {
            return ga__fail(l->context, GA_FORMAT, "%s: tensor \"%s\": element %lld is not finite", l->path,
                            weight->name, (long long)i);
        }
    }
    return GA_OK;
}

static ga_status check_weights(const loading *l)
{
    ga_status status = GA_OK;
    const ga__weights *weights = &l->model->weights;
    for (int64_t i = 0; i < weights->count; i++) {
        GA_TRY(check_weight(l, &weights->list[i]));
    }
    for (int64_t i = 0; i < ga_safetensors_count(l->file); i++) {
        const char *name = ga_safetensors_name(l->file, i);
        int64_t w = 0;
        while (w < weights->count && strcmp(weights->list[w].name, name) != 0) {
            w++;
        }
        if (w == weights->count) {
            GA_TRY(ga__fail(l->context, GA_FORMAT, "%s: tensor \"%.100s\", which model %s does not have",
                            l->path, name, l->info->name));
        }
    }
done:
    return status;
}

/* What the parameters of the file do not allow is the file's fault. */
static ga_status draft_model(loading *l)
{
    char words[1024];
    ga_status status = ga__model_draft(l->context, l->info, l->parameters.list, l->parameters.count,
                                       l->features, l->classes, l->multilabel, &l->model);
    if (status == GA_INVALID || status == GA_OVERFLOW) {
        (void)snprintf(words, sizeof words, "%s", ga_context_error(l->context));
        ga__begin(l->context);
        status = ga__fail(l->context, GA_FORMAT, "%s: %s", l->path, words);
    }
    return status;
}

static ga_status take_weights(const loading *l)
{
    ga_status status = GA_OK;
    const ga__weights *weights = &l->model->weights;
    GA_TRY(ga__model_fill(l->context, l->model, 0));
    for (int64_t i = 0; i < weights->count; i++) {
        const ga__weight *w = &weights->list[i];
        memcpy(weights->values + w->first, ga_safetensors_find(l->file, w->name)->data,
               (size_t)w->count * sizeof(float));
    }
done:
    return status;
}

ga_status ga_model_load(ga_context *context, const char *path, ga_model **model)
{
    ga_status status = GA_OK;
    loading l = { .context = context, .path = path };
    ga__begin(context);
    GA_TRY(ga_safetensors_read(context, path, &l.file));
    GA_TRY(read_metadata(&l));
    GA_TRY(draft_model(&l));
    GA_TRY(check_weights(&l));
    GA_TRY(take_weights(&l));
    *model = l.model;
    l.model = NULL;
done:
    ga_model_destroy(context, l.model);
    ga__parameter_list_clear(context, &l.parameters);
    ga_safetensors_destroy(context, l.file);
    return status;
}
