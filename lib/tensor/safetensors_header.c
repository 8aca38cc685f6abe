/* safetensors_header.c - what the JSON header of a safetensors file says, and whether it can be true. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/tensor/safetensors.h"

static const struct {
    const char *name;
    DLDataType dtype;
} types[] = {
    { "F32", { kDLFloat, 32, 1 } },   { "F64", { kDLFloat, 64, 1 } },   { "F16", { kDLFloat, 16, 1 } },
    { "BF16", { kDLBfloat, 16, 1 } }, { "I32", { kDLInt, 32, 1 } },     { "I64", { kDLInt, 64, 1 } },
    { "U8", { kDLUInt, 8, 1 } },      { "BOOL", { GA_DL_BOOL, 8, 1 } },
};
enum { TYPES = sizeof types / sizeof *types };

DLDataType ga__safetensors_dtype(const char *name)
{
    for (int i = 0; i < TYPES; i++) {
        if (strcmp(name, types[i].name) == 0) {
            return types[i].dtype;
        }
    }
    return (DLDataType){ 0, 0, 0 };
}

const char *ga__safetensors_dtype_name(DLDataType dtype)
{
    for (int i = 0; i < TYPES; i++) {
        if (types[i].dtype.code == dtype.code && types[i].dtype.bits == dtype.bits && dtype.lanes == 1) {
            return types[i].name;
        }
    }
    return NULL;
}

typedef struct parsing {
    ga_context *context;
    const char *file, *tensor;
} parsing;

static ga_status wrong(const parsing *p, const char *what)
{
    return ga__fail(p->context, GA_FORMAT, "%s: tensor \"%.100s\": %s", p->file, p->tensor, what);
}

/* A list of non-negative integers, at most `most`; their number in *count. */
static ga_status parse_list(const parsing *p, const json_t *list, const char *what, int most, int64_t *values,
                            int *count)
{
    if (!json_is_array(list) || json_array_size(list) > (size_t)most) {
        return wrong(p, what);
    }
    *count = (int)json_array_size(list);
    for (int i = 0; i < *count; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            return wrong(p, what);
        }
        values[i] = json_integer_value(value);
    }
    return GA_OK;
}

static ga_status parse_entry(const parsing *p, const json_t *value, ga__entry *entry)
{
    ga_status status = GA_OK;
    int64_t range[2] = { 0, 0 }, elements = 0;
    int ends = 0;
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    if (!json_is_object(value) || json_object_size(value) != 3 || !dtype) {
        return wrong(p, "expected an object of dtype, shape and data_offsets");
    }
    entry->dtype = ga__safetensors_dtype(dtype);
    int size = ga__dtype_size(entry->dtype);
    if (entry->dtype.bits == 0 || size == 0) {
        return ga__fail(p->context, GA_UNSUPPORTED, "%s: tensor \"%.100s\": dtype %.20s is not supported",
                        p->file, p->tensor, dtype);
    }
    GA_TRY(parse_list(p, json_object_get(value, "shape"), "shape is no list of sizes", GA__MAX_AXES,
                      entry->shape, &entry->ndim));
    GA_TRY(parse_list(p, json_object_get(value, "data_offsets"), "data_offsets is no pair of offsets", 2,
                      range, &ends));
    if (ends != 2 || range[0] > range[1]) {
        return wrong(p, "data_offsets is no pair of offsets");
    }
    GA_TRY(ga__count_elements(p->context, p->tensor, entry->ndim, entry->shape, size, &elements));
    if (range[1] - range[0] != elements * size) {
        return ga__fail(p->context, GA_FORMAT,
                        "%s: tensor \"%.100s\": %lld bytes of data, its dtype and shape make %lld", p->file,
                        p->tensor, (long long)(range[1] - range[0]), (long long)(elements * size));
    }
    entry->begin = range[0];
    entry->end = range[1];
done:
    return status;
}

static ga_status parse_metadata(ga_context *context, const char *name, const json_t *metadata)
{
    const char *key;
    json_t *value;
    bool good = json_is_object(metadata);
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
    {
        good = good && json_is_string(value);
    }
    return good ? GA_OK : ga__fail(context, GA_FORMAT, "%s: __metadata__ is no object of strings", name);
}

static int by_range(const void *left, const void *right)
{
    const ga__entry *a = *(ga__entry *const *)left, *b = *(ga__entry *const *)right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    return a->end < b->end ? -1 : a->end > b->end;
}

/* One tensor's data end where the next one's begin. */
static ga_status check_ranges(ga_context *context, const char *name, ga_safetensors *file, int64_t *bytes)
{
    ga_status status = GA_OK;
    int64_t end = 0;
    GA_TRY(GA_NEW(context, file->count, &file->order));
    ga__entry **order = file->order;
    for (int64_t i = 0; i < file->count; i++) {
        order[i] = &file->entries[i];
    }
    qsort(order, (size_t)file->count, sizeof *order, by_range);
    for (int64_t i = 0; i < file->count; i++) {
        if (order[i]->begin != end) {
            GA_TRY(ga__fail(context, GA_FORMAT, "%s: tensor \"%.100s\": its data begin at %lld, %s %lld",
                            name, order[i]->name, (long long)order[i]->begin,
                            order[i]->begin < end ? "the one before it ends at" : "leaving a hole from",
                            (long long)end));
        }
        end = order[i]->end;
    }
    *bytes = end;
done:
    return status;
}

ga_status ga__safetensors_parse(ga_context *context, const char *name, const char *text, int64_t size,
                                ga_safetensors *file, int64_t *bytes)
{
    ga_status status = GA_OK;
    json_error_t error;
    const char *key;
    json_t *value;
    file->header = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!file->header) {
        return json_error_code(&error) == json_error_out_of_memory
                   ? ga__fail(context, GA_NOMEM, "%s: out of memory", name)
                   : ga__fail(context, GA_FORMAT, "%s: header, byte %d: %s", name, error.position,
                              error.text);
    }
    if (!json_is_object(file->header)) {
        return ga__fail(context, GA_FORMAT, "%s: the header is no JSON object", name);
    }
    GA_TRY(GA_NEW_ZERO(context, (int64_t)json_object_size(file->header), &file->entries));
    json_object_foreach(file->header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            GA_TRY(parse_metadata(context, name, value));
            continue;
        }
        parsing p = { context, name, key };
        ga__entry *entry = &file->entries[file->count++];
        entry->name = key;
        GA_TRY(parse_entry(&p, value, entry));
    }
    status = check_ranges(context, name, file, bytes);
done:
    return status;
}
