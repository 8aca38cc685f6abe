/* draw_matrix.c - a matrix as a picture: masks in black and white, reals in grey. */
#include "config.h"

#include <math.h>

#include "attention/draw.h"
#include "attention/maps/maps.h"

typedef struct picture {
    ga__view matrix;
    double low, scale; /* grey = (x - low) scale; of integers not read */
    double *row;
} picture;

static int64_t integer_at(const ga__view *v, int64_t row, int64_t column)
{
    const void *at = ga__view_row(v, 0, 0, row);
    return v->type == GA__I64   ? ((const int64_t *)at)[column]
           : v->type == GA__I32 ? ((const int32_t *)at)[column]
                                : ((const uint8_t *)at)[column];
}

static void draw_line(const void *user, int64_t y, uint8_t *line)
{
    const picture *p = user;
    if (p->matrix.type > GA__F64) {
        for (int64_t x = 0; x < p->matrix.columns; x++) {
            line[x] = integer_at(&p->matrix, y, x) ? 255 : 0;
        }
        return;
    }
    ga__view_load_f64(&p->matrix, 0, 0, y, p->row);
    for (int64_t x = 0; x < p->matrix.columns; x++) {
        double grey = (p->row[x] - p->low) * p->scale;
        line[x] = grey > 0 ? (uint8_t)(fmin(grey, 255) + 0.5) : 0;
    }
}

/* The range of the finite numbers. */
static void find_range(picture *p)
{
    double high = -INFINITY;
    p->low = INFINITY;
    for (int64_t y = 0; p->matrix.type <= GA__F64 && y < p->matrix.rows; y++) {
        ga__view_load_f64(&p->matrix, 0, 0, y, p->row);
        for (int64_t x = 0; x < p->matrix.columns; x++) {
            if (isfinite(p->row[x])) {
                p->low = fmin(p->low, p->row[x]);
                high = fmax(high, p->row[x]);
            }
        }
    }
    p->scale = high > p->low ? 255 / (high - p->low) : 0;
}

ga_status ga_matrix_draw(ga_context *context, const DLTensor *matrix, const char *path)
{
    enum { MOST_PIXELS = 1000000 }; /* what readers of PNG take */
    ga_status status = GA_OK;
    ga__output *output = NULL;
    picture p = { .row = NULL };
    ga__begin(context);
    if (!matrix || !path) {
        GA_TRY(ga__fail(context, GA_INVALID, "picture: a matrix and a path expected"));
    }
    GA_TRY(ga__view_of(context, "picture", matrix, false, &p.matrix));
    const ga__view *v = &p.matrix;
    if (v->batch != 1 || v->heads != 1 || v->rows < 1 || v->columns < 1 || v->rows > MOST_PIXELS ||
        v->columns > MOST_PIXELS) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "picture: shape (%lld, %lld, %lld, %lld), expected a matrix with sides 1 .. %d",
                        (long long)v->batch, (long long)v->heads, (long long)v->rows, (long long)v->columns,
                        MOST_PIXELS));
    }
    GA_TRY(GA_NEW(context, v->columns, &p.row));
    find_range(&p);
    GA_TRY(ga__output_open(context, path, false, &output));
    GA_TRY(ga__png_write(context, v->columns, v->rows, draw_line, &p, output));
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    ga_free(context, p.row);
    return status;
}
