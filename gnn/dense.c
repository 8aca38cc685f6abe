/* dense.c - z = x W + b and its gradients, of plain matrices and of a run's input. */
#include "config.h"

#include "gnn/layer.h"
#include "gnn/passes.h"

enum { BLOCK = 1 << 18 /* numbers of a block of rows that dropout is applied to */ };

ga_status ga__linear(ga__layer_run *run, const DLTensor *x, const char *weight, const char *bias,
                     DLTensor **z)
{
    ga_status status = GA_OK;
    const DLTensor *w = ga__tensor(run, weight), *b = bias ? ga__tensor(run, bias) : NULL;
    const int64_t of_weight[] = { x->shape[1], -1 }, of_bias[] = { w->ndim ? ga__columns(w) : 1 };
    GA_TRY(ga__fits(run, weight, 2, of_weight));
    GA_TRY(bias ? ga__fits(run, bias, 1, of_bias) : GA_OK);
    GA_TRY(ga__temp(run, x->shape[0], ga__columns(w), z));
    GA_TRY(ga_gemm(run->context, false, false, 1, x, w, 0, *z));
    if (b) {
        GA_TRY(ga__add_row(run->context, b, *z));
    }
done:
    return status;
}

ga_status ga__linear_backward(ga__layer_run *run, const DLTensor *x, const DLTensor *dz, const char *weight,
                              const char *bias, double beta, DLTensor *dx)
{
    ga_status status = GA_OK;
    DLTensor *dw = ga__grad(run, weight), *db = bias ? ga__grad(run, bias) : NULL;
    if (dw) {
        GA_TRY(ga_gemm(run->context, true, false, 1, x, dz, 0, dw));
    }
    if (db) {
        GA_TRY(ga__sum_rows(run->context, 1, dz, db));
    }
    if (dx) {
        GA_TRY(ga_gemm(run->context, false, true, 1, dz, ga__tensor(run, weight), beta, dx));
    }
done:
    return status;
}

/* ---- the run's input ---- */

ga_status ga__map_check(ga__layer_run *run, const char *weight, const char *bias, int64_t *columns)
{
    ga_status status = GA_OK;
    const DLTensor *w = ga__tensor(run, weight);
    int64_t count = w ? ga__columns(w) : 0;
    const int64_t of_weight[] = { run->width, -1 };
    GA_TRY(ga__fits(run, weight, 2, of_weight));
    GA_TRY(bias ? ga__fits(run, bias, 1, &count) : GA_OK);
    if (columns) {
        *columns = count;
    }
done:
    return status;
}

/* Rows of the input with dropout: block is a part of it, or of the scratch. */
typedef struct blocks {
    const DLTensor *x;
    const ga_keep *keep;
    DLTensor *scratch; /* NULL without dropout */
    int64_t step;
    DLTensor block;
    int64_t shape[2];
} blocks;

static ga_status open_blocks(ga__layer_run *run, bool cut, blocks *b)
{
    const ga__layer_input *in = run->input;
    *b = (blocks){ .x = in->dense, .keep = &in->keep };
    b->step = ga__max(1, BLOCK / ga__max(1, run->width) / 32) * 32;
    if (run->nodes <= 2 * b->step || !(cut || in->keep.bits)) {
        b->step = ga__max(1, run->nodes);
    }
    return in->keep.bits ? ga__temp(run, b->step, run->width, &b->scratch) : GA_OK;
}

static ga_status take_block(ga__layer_run *run, blocks *b, int64_t first)
{
    int64_t rows = ga__min(b->step, run->nodes - first), shape[2];
    if (!b->scratch) {
        b->block = ga__part_of_rows(b->x, first, rows, b->shape);
        return GA_OK;
    }
    DLTensor part = ga__part_of_rows(b->x, first, rows, shape);
    b->block = ga__part_of_rows(b->scratch, 0, rows, b->shape);
    return ga__pass_drop(run->context, b->keep, first * run->width, &part, &b->block);
}

static void widen(const DLTensor *from, DLTensor *to)
{
    const float *values = from ? ga__data_of(from) : NULL;
    for (int64_t i = 0; i < to->shape[0]; i++) {
        ((double *)to->data)[i] = values ? (double)values[i] : 1;
    }
}

/* The values of sparse input with dropout, of the working type where there is any; NULL where all are 1. */
static ga_status sparse_values(ga__layer_run *run, const DLTensor **values)
{
    ga_status status = GA_OK;
    const ga__layer_input *in = run->input;
    DLTensor *made = NULL;
    *values = in->sparse->values;
    if (in->keep.bits) {
        GA_TRY(ga__temp_numbers(run, run->working, in->sparse->edges.count, &made));
        if (run->working.bits == 64) {
            widen(*values, made);
            *values = made;
        }
        GA_TRY(ga__pass_drop(run->context, &in->keep, 0, *values, made));
        *values = made;
    }
done:
    return status;
}

static ga_status map_sparse(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    const DLTensor *values = NULL;
    DLTensor *sum = NULL;
    GA_TRY(sparse_values(run, &values));
    for (int i = 0; i < count; i++) {
        sum = maps[i].z;
        if (maps[i].add) {
            GA_TRY(ga__temp(run, run->nodes, maps[i].z->shape[1], &sum));
        }
        GA_TRY(ga_spmm(run->context, &run->input->sparse->edges, values, ga__tensor(run, maps[i].weight),
                       GA_SUM, sum, NULL));
        if (maps[i].add) {
            GA_TRY(ga__axpby(run->context, 1, sum, 1, maps[i].z));
        }
    }
done:
    return status;
}

static ga_status map_dense(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    int64_t shape[2];
    blocks b;
    GA_TRY(open_blocks(run, false, &b));
    for (int64_t first = 0; first < run->nodes; first += b.step) {
        GA_TRY(take_block(run, &b, first));
        for (int i = 0; i < count; i++) {
            DLTensor z = ga__part_of_rows(maps[i].z, first, b.block.shape[0], shape);
            GA_TRY(ga_gemm(run->context, false, false, 1, &b.block, ga__tensor(run, maps[i].weight),
                           maps[i].add ? 1 : 0, &z));
        }
    }
done:
    return status;
}

ga_status ga__map_input(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    for (int i = 0; i < count; i++) {
        GA_TRY(ga__map_check(run, maps[i].weight, maps[i].bias, NULL));
    }
    GA_TRY((run->input->sparse ? map_sparse : map_dense)(run, maps, count));
    for (int i = 0; i < count; i++) {
        const DLTensor *b = maps[i].bias ? ga__tensor(run, maps[i].bias) : NULL;
        GA_TRY(b ? ga__add_row(run->context, b, maps[i].z) : GA_OK);
    }
done:
    return status;
}

static ga_status sparse_backward(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    const ga__sparse_input *sparse = run->input->sparse;
    const DLTensor *values = NULL;
    GA_TRY(sparse_values(run, &values));
    for (int i = 0; i < count; i++) {
        DLTensor *dw = ga__grad(run, maps[i].weight);
        GA_TRY(dw ? ga_spmm_backward(run->context, &sparse->edges, &sparse->transposed, values, NULL, GA_SUM,
                                     NULL, maps[i].dz, dw, NULL)
                  : GA_OK);
    }
done:
    return status;
}

static ga_status block_backward(ga__layer_run *run, const ga__map *maps, int count, const blocks *b,
                                int64_t first)
{
    ga_status status = GA_OK;
    int64_t rows = b->block.shape[0], shapes[3][2];
    for (int i = 0; i < count; i++) {
        DLTensor *dw = ga__grad(run, maps[i].weight),
                 dz = ga__part_of_rows(maps[i].dz, first, rows, shapes[0]);
        GA_TRY(dw ? ga_gemm(run->context, true, false, 1, &b->block, &dz, first ? 1 : 0, dw) : GA_OK);
    }
    if (!run->grad_x) {
        goto done;
    }
    DLTensor to = ga__part_of_rows(run->grad_x, first, rows, shapes[1]), *sum = &to;
    DLTensor value = ga__part_of_rows(b->x, first, rows, shapes[2]);
    if (run->input->activation != GA__ACTIVATION_NONE) { /* its slope needs the block that may stand there */
        int64_t next = run->temp_next;
        GA_TRY(ga__temp(run, rows, run->width, &sum));
        run->temp_next = next; /* the next block takes it again */
    }
    for (int i = 0; i < count; i++) {
        DLTensor dz = ga__part_of_rows(maps[i].dz, first, rows, shapes[0]);
        GA_TRY(ga_gemm(run->context, false, true, 1, &dz, ga__tensor(run, maps[i].weight), i ? 1 : 0, sum));
    }
    status =
        ga__pass_finish(run->context, b->keep, first * run->width, run->input->activation, &value, sum, &to);
done:
    return status;
}

static ga_status dense_backward(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    blocks b;
    GA_TRY(open_blocks(run, run->grad_x != NULL, &b));
    for (int64_t first = 0; first < run->nodes; first += b.step) {
        GA_TRY(take_block(run, &b, first));
        GA_TRY(block_backward(run, maps, count, &b, first));
    }
    for (int i = 0; run->nodes == 0 && i < count; i++) {
        DLTensor *dw = ga__grad(run, maps[i].weight);
        GA_TRY(dw ? ga__fill_zero(run->context, dw) : GA_OK);
    }
done:
    return status;
}

ga_status ga__map_input_backward(ga__layer_run *run, const ga__map *maps, int count)
{
    ga_status status = GA_OK;
    for (int i = 0; i < count; i++) {
        DLTensor *db = maps[i].bias ? ga__grad(run, maps[i].bias) : NULL;
        GA_TRY(db ? ga__sum_rows(run->context, 1, maps[i].dz, db) : GA_OK);
    }
    status = (run->input->sparse ? sparse_backward : dense_backward)(run, maps, count);
done:
    return status;
}

/* ---- as a plain matrix ---- */

static double number_at(const DLTensor *numbers, int64_t i)
{
    const void *data = ga__data_of(numbers);
    return numbers->dtype.bits == 64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static ga_status make_dense(ga__layer_run *run, DLTensor *x)
{
    ga_status status = GA_OK;
    const ga_edges *edges = &run->input->sparse->edges;
    const DLTensor *values = NULL;
    GA_TRY(sparse_values(run, &values));
    GA_TRY(ga__fill_zero(run->context, x));
    for (int64_t i = 0; i < run->nodes; i++) {
        for (int64_t e = edges->offsets[i]; e < edges->offsets[i + 1]; e++) {
            int64_t at = i * run->width + edges->sources[e];
            double value = values ? number_at(values, e) : 1;
            if (run->working.bits == 64) {
                ((double *)x->data)[at] = value;
            } else {
                ((float *)x->data)[at] = (float)value;
            }
        }
    }
done:
    return status;
}

ga_status ga__input_matrix(ga__layer_run *run, const DLTensor **x)
{
    ga_status status = GA_OK;
    const ga__layer_input *in = run->input;
    DLTensor *made = NULL;
    *x = in->dense;
    if (in->dense && !in->keep.bits) {
        return GA_OK;
    }
    GA_TRY(ga__temp(run, run->nodes, run->width, &made));
    GA_TRY(in->dense ? ga__pass_drop(run->context, &in->keep, 0, in->dense, made) : make_dense(run, made));
    *x = made;
done:
    return status;
}

ga_status ga__input_gradient(ga__layer_run *run, const DLTensor *from)
{
    const ga__layer_input *in = run->input;
    return ga__pass_finish(run->context, &in->keep, 0, in->activation, in->dense, from, run->grad_x);
}

ga_status ga__input_gradient_room(ga__layer_run *run, DLTensor **room)
{
    *room = run->grad_x;
    return run->grad_x && run->grad_x == run->input->dense ? ga__temp(run, run->nodes, run->width, room)
                                                           : GA_OK;
}
