/* safetensors_write.c - writing safetensors files. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/tensor/safetensors.h"

/* Adds what the header says of one tensor; its data end at *end. */
static ga_status describe(ga_context *context, const char *path, json_t *header, const char *name,
                          const DLTensor *tensor, int64_t *end)
{
    int64_t elements = 0, begin = *end;
    const char *dtype = ga__safetensors_dtype_name(tensor->dtype);
    if (!dtype || tensor->device.device_type != kDLCPU) {
        return ga__fail(context, GA_UNSUPPORTED, "%s: tensor \"%.100s\" cannot be written: %s", path, name,
                        dtype ? "it is not in the CPU's memory" : "its element type has no name there");
    }
    int size = ga__dtype_size(tensor->dtype);
    ga_status status = ga__count_elements(context, name, tensor->ndim, tensor->shape, size, &elements);
    if (status != GA_OK) {
        return status;
    }
    if (strcmp(name, "__metadata__") == 0) {
        return ga__fail(context, GA_INVALID, "%s: no tensor can have the name %s", path, name);
    }
    if (json_object_get(header, name)) {
        return ga__fail(context, GA_INVALID, "%s: two tensors have the name \"%.100s\"", path, name);
    }
    if (!ga__add(begin, elements * size, end)) {
        return ga__fail(context, GA_OVERFLOW, "%s: too many bytes of data", path);
    }
    json_t *shape = json_array();
    bool good = shape != NULL;
    for (int i = 0; good && i < tensor->ndim; i++) {
        good = json_array_append_new(shape, json_integer(tensor->shape[i])) == 0;
    }
    if (!good) {
        json_decref(shape);
        return ga__fail(context, GA_NOMEM, "%s: out of memory", path);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape, "data_offsets",
                              (json_int_t)begin, (json_int_t)*end);
    return entry && json_object_set_new(header, name, entry) == 0
               ? GA_OK
               : ga__fail(context, GA_INVALID, "%s: the name \"%.100s\" is no UTF-8, or out of memory", path,
                          name);
}

static ga_status add_metadata(ga_context *context, const char *path, json_t *header, int64_t count,
                              const ga_metadata *metadata)
{
    json_t *map = count > 0 ? json_object() : NULL;
    for (int64_t i = 0; i < count; i++) {
        if (json_object_get(map, metadata[i].key) ||
            json_object_set_new(map, metadata[i].key, json_string(metadata[i].value)) != 0) {
            json_decref(map);
            return ga__fail(context, GA_INVALID,
                            "%s: metadata \"%.100s\" stands there twice, is no UTF-8, or out of memory", path,
                            metadata[i].key);
        }
    }
    if (map && json_object_set_new(header, "__metadata__", map) != 0) {
        return ga__fail(context, GA_NOMEM, "%s: out of memory", path);
    }
    return GA_OK;
}

/* The header's length, the header, and blanks so that the data begin at a multiple of 8. */
static ga_status write_header(ga_context *context, const char *path, ga__output *output, const json_t *header)
{
    ga_status status = GA_OK;
    unsigned char length[8];
    char *text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (!text) {
        return ga__fail(context, GA_NOMEM, "%s: out of memory", path);
    }
    int64_t size = (int64_t)strlen(text), padding = -size & 7;
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)((uint64_t)(size + padding) >> 8 * i);
    }
    GA_TRY(ga__output_write(context, output, length, sizeof length));
    GA_TRY(ga__output_write(context, output, text, size));
    status = ga__output_write(context, output, "        ", padding);
done:
    free(text);
    return status;
}

ga_status ga_safetensors_write(ga_context *context, const char *path, int64_t count, const char *const *names,
                               const DLTensor *const *tensors, int64_t metadata_count,
                               const ga_metadata *metadata)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    int64_t end = 0;
    ga__begin(context);
    json_t *header = json_object();
    if (!header) {
        GA_TRY(ga__fail(context, GA_NOMEM, "%s: out of memory", path));
    }
    GA_TRY(add_metadata(context, path, header, metadata_count, metadata));
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(describe(context, path, header, names[i], tensors[i], &end));
    }
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(write_header(context, path, output, header));
    for (int64_t i = 0; i < count; i++) {
        GA_TRY(ga__tensor_write(context, output, tensors[i]));
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    json_decref(header);
    return status;
}
