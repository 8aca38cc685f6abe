/* convolution.c - 3 x 3 convolutions, image by image: the nine shifts of every channel are rows of a matrix. */
#include "config.h"

#include <string.h>

#include "attention/vision/convolution.h"

enum { TAPS = 9 };

typedef struct shifts {
    int64_t height, width, bytes; /* bytes of an element */
    const char *x;                /* one image (in, H, W) */
    char *columns;                /* (in * 9, H W) */
} shifts;

/* Row (c, i, j): element (y, x) is x[c, y + i - 1, x + j - 1], 0 outside. */
static void shift_channel(void *user, int64_t unit, double *room)
{
    const shifts *s = user;
    int64_t i = unit / 3 % 3 - 1, j = unit % 3 - 1, line = s->width * s->bytes;
    const char *from = s->x + unit / TAPS * s->height * line;
    char *to = s->columns + unit * s->height * line;
    (void)room;
    for (int64_t y = 0; y < s->height; y++, to += line) {
        memset(to, 0, (size_t)line);
        if (y + i >= 0 && y + i < s->height && (s->width > 1 || j == 0)) {
            const char *source = from + (y + i) * line;
            memcpy(to + (j < 0 ? s->bytes : 0), source + (j > 0 ? s->bytes : 0),
                   (size_t)(line - (j ? s->bytes : 0)));
        }
    }
}

static char *data_of(const DLTensor *t, int64_t at)
{
    return (char *)t->data + t->byte_offset + at * (t->dtype.bits / 8);
}

static ga_status shift(ga__block_run *run, ga__image size, const DLTensor *x, int64_t channels, int64_t image,
                       DLTensor *columns)
{
    shifts s = { size.height, size.width, x->dtype.bits / 8,
                 data_of(x, image * channels * size.height * size.width), columns->data };
    return ga__units(run->context, channels * TAPS, 0, shift_channel, &s);
}

/* ---- bias ---- */

typedef struct planes {
    int64_t channels, pixels, images;
    const DLTensor *b, *y;
    DLTensor *db;
} planes;

static void add_bias(void *user, int64_t unit, double *room)
{
    const planes *p = user;
    double b = ga__element(p->b, unit % p->channels);
    (void)room;
    for (int64_t i = unit * p->pixels; i < (unit + 1) * p->pixels; i++) {
        ga__set_element(p->y, i, ga__element(p->y, i) + b);
    }
}

static void sum_bias(void *user, int64_t unit, double *room)
{
    const planes *p = user;
    double sum = 0;
    (void)room;
    for (int64_t image = 0; image < p->images; image++) {
        int64_t first = (image * p->channels + unit) * p->pixels;
        for (int64_t i = first; i < first + p->pixels; i++) {
            sum += ga__element(p->y, i);
        }
    }
    ga__set_element(p->db, unit, sum);
}

ga_status ga__convolve(ga__block_run *run, ga__image size, const DLTensor *x, const DLTensor *w,
                       const DLTensor *b, DLTensor *y)
{
    ga_status status = GA_OK;
    int64_t out = w->shape[0], in = w->shape[1], pixels = size.height * size.width, shapes[2][2];
    DLTensor *columns = NULL, weights = ga__as_matrix(w, out, in * TAPS, shapes[0]);
    DLTensor all = ga__as_matrix(y, size.images * out, pixels, shapes[1]);
    const int64_t room[] = { in * TAPS, pixels };
    GA_TRY(ga_tensor_create(run->context, run->working, 2, room, &columns));
    for (int64_t image = 0; image < size.images; image++) {
        int64_t shape[2];
        DLTensor part = ga__some_rows(&all, image * out, out, shape);
        GA_TRY(shift(run, size, x, in, image, columns));
        GA_TRY(ga_gemm(run->context, false, false, 1, &weights, columns, 0, &part));
    }
    planes p = { .channels = out, .pixels = pixels, .images = size.images, .b = b, .y = y };
    status = ga__units(run->context, size.images * out, 0, add_bias, &p);
done:
    ga_tensor_destroy(run->context, columns);
    return status;
}

/* ---- backward ---- */

typedef struct gather {
    int64_t height, width;
    const DLTensor *columns; /* gradient of the shifts */
    DLTensor *dx;
    int64_t first; /* element of dx where the image starts */
} gather;

/* dx[c, y, x] = sum over the nine shifts of what they made of it. */
static void gather_channel(void *user, int64_t channel, double *room)
{
    const gather *g = user;
    int64_t pixels = g->height * g->width;
    (void)room;
    for (int64_t at = 0; at < pixels; at++) {
        double sum = 0;
        for (int64_t tap = 0; tap < TAPS; tap++) {
            int64_t y = at / g->width - tap / 3 + 1, x = at % g->width - tap % 3 + 1;
            if (y >= 0 && y < g->height && x >= 0 && x < g->width) {
                sum += ga__element(g->columns, (channel * TAPS + tap) * pixels + y * g->width + x);
            }
        }
        ga__set_element(g->dx, g->first + channel * pixels + at, sum);
    }
}

ga_status ga__convolve_backward(ga__block_run *run, ga__image size, const DLTensor *x, const DLTensor *w,
                                const DLTensor *dy, DLTensor *dx, DLTensor *dw, DLTensor *db)
{
    ga_status status = GA_OK;
    int64_t out = w->shape[0], in = w->shape[1], pixels = size.height * size.width, shapes[3][2];
    DLTensor *columns = NULL, weights = ga__as_matrix(w, out, in * TAPS, shapes[0]);
    DLTensor all = ga__as_matrix(dy, size.images * out, pixels, shapes[1]), of_dw = { .data = NULL };
    const int64_t room[] = { in * TAPS, pixels };
    if (dw) {
        of_dw = ga__as_matrix(dw, out, in * TAPS, shapes[2]);
        memset(dw->data, 0, (size_t)(out * in * TAPS) * (dw->dtype.bits / 8));
    }
    GA_TRY(ga_tensor_create(run->context, run->working, 2, room, &columns));
    for (int64_t image = 0; image < size.images; image++) {
        int64_t shape[2];
        DLTensor part = ga__some_rows(&all, image * out, out, shape);
        if (dw) {
            GA_TRY(shift(run, size, x, in, image, columns));
            GA_TRY(ga_gemm(run->context, false, true, 1, &part, columns, 1, &of_dw));
        }
        if (dx) {
            gather g = { size.height, size.width, columns, dx, image * in * pixels };
            GA_TRY(ga_gemm(run->context, true, false, 1, &weights, &part, 0, columns));
            GA_TRY(ga__units(run->context, in, 0, gather_channel, &g));
        }
    }
    if (db) {
        planes p = { .channels = out, .pixels = pixels, .images = size.images, .y = dy, .db = db };
        GA_TRY(ga__units(run->context, out, 0, sum_bias, &p));
    }
done:
    ga_tensor_destroy(run->context, columns);
    return status;
}
