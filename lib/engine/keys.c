/* keys.c - rows of keys in single or double precision. */
#include "config.h"

#include "lib/engine/keys.h"
#include "lib/engine/units/units.h"

/* The rows from `row` on that lie together, as a view of one head. */
static ga__view together(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count)
{
    ga__view v = keys->view;
    v.data = (void *)(uintptr_t)ga__keys_row(keys, batch, head, row);
    v.batch = v.heads = 1;
    v.rows = ga__min(count, ga__keys_together(keys, row));
    v.stride_row = ga__keys_stride(keys);
    return v;
}

void ga__keys_point(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                    const void **to)
{
    while (count > 0) {
        ga__view v = together(keys, batch, head, row, count);
        const char *first = v.data;
        int64_t bytes = (const char *)ga__view_row(&v, 0, 0, 1) - first;
        for (int64_t i = 0; i < v.rows; i++) {
            *to++ = first + i * bytes;
        }
        row += v.rows;
        count -= v.rows;
    }
}

void ga__keys_load_f32(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                       float *out)
{
    while (count > 0) {
        ga__view v = together(keys, batch, head, row, count);
        for (int64_t i = 0; i < v.rows; i++) {
            ga__view_load_f32(&v, 0, 0, i, out + i * v.columns);
        }
        out += v.rows * v.columns;
        row += v.rows;
        count -= v.rows;
    }
}

void ga__keys_load_f64(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                       double *out)
{
    while (count > 0) {
        ga__view v = together(keys, batch, head, row, count);
        for (int64_t i = 0; i < v.rows; i++) {
            ga__view_load_f64(&v, 0, 0, i, out + i * v.columns);
        }
        out += v.rows * v.columns;
        row += v.rows;
        count -= v.rows;
    }
}

void ga__keys_load(const ga_context *context, bool wide, const ga__keys *keys, int64_t batch, int64_t head,
                   int64_t row, int64_t count, void *out)
{
    if (wide) {
        ga__keys_load_f64(keys, batch, head, row, count, out);
        return;
    }
    if (!ga__keys_direct(keys, false)) {
        ga__keys_load_f32(keys, batch, head, row, count, out);
        return;
    }
    const ga__units_kernels *kernels = GA__CHOOSE(context, ga__units);
    for (float *to = out; count > 0;) {
        int64_t rows = ga__min(count, ga__keys_together(keys, row)), columns = keys->view.columns;
        kernels->widen(rows, columns, ga__keys_stride(keys), ga__keys_row(keys, batch, head, row),
                       keys->view.type, to);
        to += rows * columns;
        row += rows;
        count -= rows;
    }
}

static void multiply(bool wide, int64_t count, double scale, void *x)
{
    for (int64_t i = 0; i < count; i++) {
        if (wide) {
            ((double *)x)[i] *= scale;
        } else {
            ((float *)x)[i] *= (float)scale;
        }
    }
}

void ga__keys_dots(const ga_context *context, bool wide, const ga__keys *keys, int64_t batch, int64_t head,
                   int64_t row, int64_t count, double scale, int64_t rows, const void *a, void *out,
                   int64_t ld)
{
    enum { AT_ONCE = 128 };
    const ga__units_kernels *kernels = GA__CHOOSE(context, ga__units);
    int64_t size = wide ? sizeof(double) : sizeof(float);
    const void *place[AT_ONCE];
    for (int64_t from = 0; from < count; from += AT_ONCE) {
        int64_t some = ga__min(AT_ONCE, count - from);
        char *to = (char *)out + from * size;
        for (int64_t j = 0; j < some; j++) {
            place[j] = ga__keys_row(keys, batch, head, row + from + j);
        }
        kernels->dots_at[wide](rows, some, keys->view.columns, a, place, keys->view.type, to, ld);
        for (int64_t i = 0; i < rows && scale != 1; i++) {
            multiply(wide, some, scale, to + i * ld * size);
        }
    }
}
