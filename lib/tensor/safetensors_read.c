/* safetensors_read.c - reading safetensors files. */
#include "config.h"

#include <string.h>

#include "lib/tensor/content.h"
#include "lib/tensor/safetensors.h"

/* The 8 bytes of the header's length, then the header. */
static ga_status read_header(ga__content *from, ga_safetensors *file, int64_t *bytes)
{
    enum { MOST = 100000000 };
    ga_status status = GA_OK;
    unsigned char length[8], *text = NULL;
    uint64_t size = 0;
    GA_TRY(ga__content_read(from, length, sizeof length, "header's length"));
    for (int i = 7; i >= 0; i--) {
        size = size << 8 | length[i];
    }
    if (size > MOST) {
        GA_TRY(ga__fail(from->context, GA_FORMAT,
                        "%s: a safetensors header of %llu bytes; at most %d are possible", from->name,
                        (unsigned long long)size, (int)MOST));
    }
    GA_TRY(ga__content_take(from, (int64_t)size, &text));
    status = ga__safetensors_parse(from->context, from->name, (const char *)text, (int64_t)size, file, bytes);
done:
    ga_free(from->context, text);
    return status;
}

/* The ranges have no holes between them. */
static ga_status read_tensors(ga__content *from, ga_safetensors *file, int64_t bytes)
{
    ga_status status = GA_OK;
    unsigned char *data = NULL;
    GA_TRY(ga__content_expect(from, bytes));
    for (int64_t i = 0; i < file->count; i++) {
        ga__entry *entry = file->order[i];
        GA_TRY(ga__content_take(from, entry->end - entry->begin, &data));
        GA_TRY(ga__tensor_wrap(from->context, entry->dtype, entry->ndim, entry->shape, data, &entry->tensor));
        data = NULL;
    }
    status = ga__content_end(from);
done:
    ga_free(from->context, data);
    return status;
}

ga_status ga_safetensors_read(ga_context *context, const char *path, ga_safetensors **out)
{
    ga_status status = GA_OK;
    ga__content from = { .context = context };
    ga_safetensors *file = NULL;
    int64_t bytes = 0;
    ga__begin(context);
    GA_TRY(ga__input_open(context, path, true, &from.input));
    from.name = ga__input_name(from.input);
    GA_TRY(GA_NEW_ZERO(context, 1, &file));
    GA_TRY(read_header(&from, file, &bytes));
    GA_TRY(read_tensors(&from, file, bytes));
    *out = file;
    file = NULL;
done:
    ga_safetensors_destroy(context, file);
    ga__input_close(context, from.input);
    return status;
}

void ga_safetensors_destroy(ga_context *context, ga_safetensors *file)
{
    if (file) {
        for (int64_t i = 0; i < file->count; i++) {
            ga_tensor_destroy(context, file->entries[i].tensor);
        }
        ga_free(context, file->order);
        ga_free(context, file->entries);
        json_decref(file->header);
        ga_free(context, file);
    }
}

int64_t ga_safetensors_count(const ga_safetensors *file)
{
    return file->count;
}

const char *ga_safetensors_name(const ga_safetensors *file, int64_t i)
{
    return file->entries[i].name;
}

const DLTensor *ga_safetensors_at(const ga_safetensors *file, int64_t i)
{
    return file->entries[i].tensor;
}

const DLTensor *ga_safetensors_find(const ga_safetensors *file, const char *name)
{
    for (int64_t i = 0; i < file->count; i++) {
        if (strcmp(file->entries[i].name, name) == 0) {
            return file->entries[i].tensor;
        }
    }
    return NULL;
}

const char *ga_safetensors_metadata(const ga_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
