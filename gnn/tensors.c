/* tensors.c - the inputs of a run by name, and the matrices that it makes. */
#include "config.h"

#include <string.h>

#include "gnn/layer.h"
#include "lib/base/workers.h"
#include "lib/tensor/tensor.h"

static int64_t find(const ga__layer_run *run, const char *name)
{
    for (int64_t i = 0; i < run->slot_count; i++) {
        if (strcmp(run->slots[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const DLTensor *ga__tensor(const ga__layer_run *run, const char *name)
{
    int64_t i = find(run, name);
    return i < 0 ? NULL : run->slots[i].tensor;
}

DLTensor *ga__grad(const ga__layer_run *run, const char *name)
{
    int64_t i = find(run, name);
    return i < 0 ? NULL : run->slots[i].grad;
}

ga_status ga__fits(ga__layer_run *run, const char *name, int count, const int64_t *axes)
{
    int64_t i = find(run, name);
    return i < 0 ? GA_OK : ga__tensor_fits(run->context, name, run->slots[i].given, count, axes);
}

int64_t ga__columns(const DLTensor *tensor)
{
    return tensor->ndim ? tensor->shape[tensor->ndim - 1] : 1;
}

static ga_status next_place(ga__layer_run *run, ga__temp_place **place)
{
    ga_status status = GA_OK;
    ga__temp_place *made = NULL;
    if (run->temp_next == run->temp_room) {
        int64_t more = run->temp_room ? 2 * run->temp_room : 32;
        GA_TRY(ga__resize(run->context, run->temp_room, more, sizeof(ga__temp_place *), &run->temps));
        run->temp_room = more;
    }
    if (run->temp_next == run->temp_count) {
        GA_TRY(GA_NEW_ZERO(run->context, 1, &made));
        run->temps[run->temp_count++] = made;
    }
    *place = run->temps[run->temp_next++];
done:
    return status;
}

static ga_status keep(ga__layer_run *run, DLDataType type, int ndim, const int64_t *shape, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__temp_place *place = NULL;
    int64_t elements = 0, size = type.bits / 8, bytes = 0;
    GA_TRY(ga__count_elements(run->context, "matrix", ndim, shape, (int)size, &elements));
    GA_TRY(next_place(run, &place));
    bytes = elements * size;
    if (bytes > place->bytes || !place->tensor.data) {
        ga_free(run->context, place->tensor.data);
        place->tensor.data = NULL;
        place->bytes = 0;
        GA_TRY(ga_alloc(run->context, bytes, 1, &place->tensor.data));
        ga__advise_large(place->tensor.data, bytes);
        place->bytes = bytes;
    }
    place->tensor = (DLTensor){ .data = place->tensor.data,
                                .device = { .device_type = kDLCPU, .device_id = 0 },
                                .ndim = ndim,
                                .dtype = type,
                                .shape = place->shape };
    memcpy(place->shape, shape, (size_t)ndim * sizeof *shape);
    *out = &place->tensor;
done:
    return status;
}

ga_status ga__temp(ga__layer_run *run, int64_t rows, int64_t columns, DLTensor **out)
{
    const int64_t shape[] = { rows, columns };
    return keep(run, run->working, 2, shape, out);
}

ga_status ga__temp_of(ga__layer_run *run, DLDataType type, int64_t rows, int64_t columns, DLTensor **out)
{
    const int64_t shape[] = { rows, columns };
    return keep(run, type, 2, shape, out);
}

ga_status ga__temp_numbers(ga__layer_run *run, DLDataType type, int64_t count, DLTensor **out)
{
    return keep(run, type, 1, &count, out);
}

DLTensor ga__part_of_rows(const DLTensor *matrix, int64_t first, int64_t rows, int64_t shape[2])
{
    DLTensor part = *matrix;
    shape[0] = rows;
    shape[1] = matrix->shape[1];
    part.shape = shape;
    part.strides = NULL;
    part.byte_offset += (uint64_t)(first * shape[1]) * (uint64_t)(matrix->dtype.bits / 8);
    return part;
}

ga_status ga__make_y(ga__layer_run *run, int64_t columns)
{
    const int64_t shape[] = { run->nodes, columns };
    int64_t bytes = 0;
    ga_status status = GA_OK;
    GA_TRY(ga__count_elements(run->context, "y", 2, shape, run->working.bits / 8, &bytes));
    bytes *= run->working.bits / 8;
    if (run->y && bytes <= run->y_bytes) {
        memcpy(run->y->shape, shape, sizeof shape);
        run->y->strides[0] = ga__max(columns, 1);
        return GA_OK;
    }
    ga_tensor_destroy(run->context, run->y);
    run->y = NULL;
    GA_TRY(ga_tensor_create(run->context, run->working, 2, shape, &run->y));
    run->y_bytes = bytes;
done:
    return status;
}

ga_status ga__make_map(ga__layer_run *run, int64_t heads)
{
    const int64_t shape[] = { run->graph->edges.count, heads };
    ga_tensor_destroy(run->context, run->map);
    run->map = NULL;
    return run->want_map ? ga_tensor_create(run->context, run->working, 2, shape, &run->map) : GA_OK;
}

ga_status ga__check_grad_y(ga__layer_run *run)
{
    return ga__tensor_fits(run->context, "grad_y", run->grad_y, 2, run->y->shape);
}
