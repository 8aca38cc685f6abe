/* blocks_tensors.c - the tensors of a block by name: shapes, outputs, matrices on the way; the report. */
#include "config.h"

#include <string.h>

#include "attention/blocks.h"
#include "lib/tensor/tensor.h"

const DLDataType ga__type_i64 = { .code = kDLInt, .bits = 64, .lanes = 1 };

static const ga__block_input *find(const ga__block_run *run, const char *name)
{
    for (int i = 0; i < run->input_count; i++) {
        if (strcmp(run->inputs[i].name, name) == 0) {
            return &run->inputs[i];
        }
    }
    return NULL;
}

const DLTensor *ga__block_tensor(const ga__block_run *run, const char *name)
{
    const ga__block_input *input = find(run, name);
    return input ? input->tensor : NULL;
}

const DLTensor *ga__block_given(const ga__block_run *run, const char *name)
{
    const ga__block_input *input = find(run, name);
    return input ? input->given : NULL;
}

DLTensor *ga__block_grad(const ga__block_run *run, const char *name)
{
    const ga__block_input *input = find(run, name);
    return input ? input->grad : NULL;
}

int64_t ga__axis_from_last(const DLTensor *tensor, int axis)
{
    return axis < tensor->ndim ? tensor->shape[tensor->ndim - 1 - axis] : 1;
}

/* ---- shapes ---- */

ga_status ga__block_fits(ga__block_run *run, const char *name, int count, const int64_t *axes)
{
    const DLTensor *t = ga__block_given(run, name);
    return t ? ga__tensor_fits(run->context, name, t, count, axes) : GA_OK;
}

ga_status ga__block_together(ga__block_run *run, const char *const *names, bool *any)
{
    const char *missing = NULL, *there = NULL;
    for (int i = 0; names[i]; i++) {
        if (ga__block_given(run, names[i])) {
            there = there ? there : names[i];
        } else {
            missing = missing ? missing : names[i];
        }
    }
    *any = there != NULL;
    if (there && missing) {
        return ga__fail(run->context, GA_INVALID, "%s: %s needs %s", run->block->name, there, missing);
    }
    return GA_OK;
}

ga_status ga__block_integers(ga__block_run *run, const char *name, int64_t count, int64_t **out)
{
    ga_status status = GA_OK;
    ga__view view;
    GA_TRY(ga__block_fits(run, name, 1, &count));
    GA_TRY(ga__view_of(run->context, name, ga__block_given(run, name), false, &view));
    if (view.type <= GA__F64) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "%s: integers expected", name));
    }
    GA_TRY(GA_NEW(run->context, count, out));
    for (int64_t i = 0; i < count; i++) {
        (*out)[i] = view.type == GA__I64   ? ((const int64_t *)view.data)[i]
                    : view.type == GA__I32 ? ((const int32_t *)view.data)[i]
                                           : ((const uint8_t *)view.data)[i];
    }
done:
    return status;
}

/* ---- outputs, and matrices on the way ---- */

static ga__block_output *find_output(const ga__block_run *run, const char *name)
{
    for (int i = 0; i < run->output_count; i++) {
        if (strcmp(run->outputs[i].name, name) == 0) {
            return (ga__block_output *)&run->outputs[i];
        }
    }
    return NULL;
}

bool ga__block_wants(const ga__block_run *run, const char *name)
{
    return find_output(run, name) != NULL;
}

ga_status ga__block_output_of(ga__block_run *run, const char *name, DLDataType type, int ndim,
                              const int64_t *shape, DLTensor **out)
{
    ga__block_output *output = find_output(run, name);
    ga_status status = ga_tensor_create(run->context, type, ndim, shape, &output->tensor);
    *out = output->tensor;
    return status;
}

ga_status ga__block_output_make(ga__block_run *run, const char *name, int ndim, const int64_t *shape,
                                DLTensor **out)
{
    return ga__block_output_of(run, name, run->working, ndim, shape, out);
}

ga_status ga__block_temp(ga__block_run *run, int64_t rows, int64_t columns, DLTensor **out)
{
    const int64_t shape[] = { rows, columns };
    if (run->temp_count == GA__BLOCK_TEMPS) {
        return ga__fail(run->context, GA_INTERNAL, "%s: too many matrices", run->block->name);
    }
    ga_status status = ga_tensor_create(run->context, run->working, 2, shape, out);
    if (status == GA_OK) {
        run->temps[run->temp_count++] = *out;
    }
    return status;
}

DLTensor ga__as_matrix(const DLTensor *tensor, int64_t rows, int64_t columns, int64_t shape[2])
{
    DLTensor matrix = *tensor;
    shape[0] = rows;
    shape[1] = columns;
    matrix.ndim = 2;
    matrix.shape = shape;
    matrix.strides = NULL;
    return matrix;
}

DLTensor ga__some_rows(const DLTensor *matrix, int64_t first, int64_t rows, int64_t shape[2])
{
    DLTensor part = ga__as_matrix(matrix, rows, matrix->shape[1], shape);
    part.byte_offset += (uint64_t)(first * shape[1]) * (uint64_t)(matrix->dtype.bits / 8);
    return part;
}

void ga__store_numbers(const double *numbers, int64_t count, const DLTensor *out)
{
    for (int64_t i = 0; i < count; i++) {
        ga__set_element(out, i, numbers[i]);
    }
}

/* ---- the report ---- */

static ga_report_row *new_row(ga__block_run *run, const char *name)
{
    ga_report *report = run->report;
    if (!report || report->count == GA_REPORT_ROWS) {
        return NULL;
    }
    ga_report_row *row = &report->rows[report->count++];
    *row = (ga_report_row){ .name = name };
    return row;
}

void ga__report_real(ga__block_run *run, const char *name, double value)
{
    ga_report_row *row = new_row(run, name);
    if (row) {
        row->real = value;
    }
}

void ga__report_integer(ga__block_run *run, const char *name, int64_t value)
{
    ga_report_row *row = new_row(run, name);
    if (row) {
        row->is_integer = true;
        row->integer = value;
        row->real = (double)value;
    }
}
