/* keys.h - keys or values by (batch, head, row): rows of a tensor, or of the pages of a cache. */
#ifndef GA_LIB_ENGINE_KEYS_H
#define GA_LIB_ENGINE_KEYS_H

#include "lib/engine/view.h"

/* Rows of a page lie one after another, `columns` elements each; a tensor is one page with strides of its own. */
typedef struct ga__keys {
    ga__view view;           /* extents and type; data, strides only without pages */
    const void *const *page; /* (batch, heads, pages): NULL = view */
    int64_t page_rows, pages;
} ga__keys;

static inline ga__keys ga__keys_of_view(const ga__view *view)
{
    return (ga__keys){ *view, NULL, 0, 0 };
}

static inline const void *ga__keys_row(const ga__keys *keys, int64_t batch, int64_t head, int64_t row)
{
    static const int size[] = { 4, 2, 2, 8, 4, 8, 1 };
    const ga__view *v = &keys->view;
    if (!keys->page) {
        return ga__view_row(v, batch, head, row);
    }
    int64_t line = batch * v->heads + head;
    const char *page = keys->page[line * keys->pages + row / keys->page_rows];
    return page + row % keys->page_rows * v->columns * size[v->type];
}

/* Elements from a row to the next, and how many rows from this one on lie so, at most to the end. */
static inline int64_t ga__keys_stride(const ga__keys *keys)
{
    return keys->page ? keys->view.columns : keys->view.stride_row;
}
static inline int64_t ga__keys_together(const ga__keys *keys, int64_t row)
{
    int64_t left = keys->view.rows - row;
    return keys->page ? ga__min(left, keys->page_rows - row % keys->page_rows) : left;
}

/* Where `count` rows from `row` on lie. (keys.c) */
void ga__keys_point(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                    const void **to);
/* `count` rows of f32, bf16, f16 or f64 as f32, one behind the other. (keys.c) */
void ga__keys_load_f32(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                       float *out);
void ga__keys_load_f64(const ga__keys *keys, int64_t batch, int64_t head, int64_t row, int64_t count,
                       double *out);
/* The same as f64 where `wide`, else as f32, by the kernels of the context's backend. */
void ga__keys_load(const ga_context *context, bool wide, const ga__keys *keys, int64_t batch, int64_t head,
                   int64_t row, int64_t count, void *out);

/* Whether kernels of that precision read the rows where they are. */
static inline bool ga__keys_direct(const ga__keys *keys, bool wide)
{
    ga__type type = keys->view.type;
    return wide ? type == GA__F64 : type == GA__F32 || type == GA__BF16 || type == GA__F16;
}
/* out[i * ld + j] = scale <a_i, key row + j>, i < rows, j < count, of keys that are read where they are: for few rows a,
 * which lie one behind the other. */
void ga__keys_dots(const ga_context *context, bool wide, const ga__keys *keys, int64_t batch, int64_t head,
                   int64_t row, int64_t count, double scale, int64_t rows, const void *a, void *out,
                   int64_t ld);

#endif
