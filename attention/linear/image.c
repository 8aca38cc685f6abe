/* image.c - depthwise convolution of the values as an image, added to o (attention-linear cards 7 and 8). */
#include "config.h"

#include "attention/linear/moments.h"

typedef struct image {
    int64_t height, width, prefix, size; /* size: of the kernel */
    double sign;                         /* 1: cross-correlation, -1: its transpose */
    ga__view x, y, kernel, bias;         /* y is added to */
} image;

ga_status ga__image_shape(ga__job *run, int64_t tokens, int64_t shape[2])
{
    const ga__value *value = ga__part_value(&run->own, "shape");
    if (!value->given || value->count != 2 || value->list[0] < 1 || value->list[1] < 1 ||
        value->list[0] > tokens || value->list[0] * value->list[1] != tokens) {
        return ga__part_refuse(&run->own, "shape", "Y,X with Y*X = %lld tokens", (long long)tokens);
    }
    shape[0] = value->list[0];
    shape[1] = value->list[1];
    return GA_OK;
}

static double pixel(const image *m, int64_t b, int64_t h, int64_t y, int64_t x, int64_t c)
{
    double sum = 0;
    int64_t half = m->size / 2, channel = h * m->x.columns + c, of = m->kernel.batch == 1 ? 0 : b;
    for (int64_t i = 0; i < m->size; i++) {
        for (int64_t j = 0; j < m->size; j++) {
            int64_t yy = m->sign > 0 ? y + i - half : y - i + half;
            int64_t xx = m->sign > 0 ? x + j - half : x - j + half;
            if (yy >= 0 && yy < m->height && xx >= 0 && xx < m->width) {
                sum += ga__view_get(&m->kernel, of, channel, i, j) *
                       ga__view_get(&m->x, b, h, m->prefix + yy * m->width + xx, c);
            }
        }
    }
    return sum + (m->bias.data ? ga__view_get(&m->bias, 0, 0, 0, channel) : 0);
}

static void image_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const image *m = user;
    int64_t token = r - m->prefix;
    (void)room;
    for (int64_t c = 0; token >= 0 && c < m->x.columns; c++) {
        ga__view_add(&m->y, b, h, r, c, pixel(m, b, h, token / m->width, token % m->width, c));
    }
}

static ga_status open_image(ga__job *run, const ga__step *step, image *m)
{
    ga_status status = GA_OK;
    int64_t shape[2];
    *m = (image){ .prefix = step->kind, .sign = 1 };
    GA_TRY(ga__image_shape(run, run->keys - m->prefix, shape));
    m->height = shape[0];
    m->width = shape[1];
    GA_TRY(ga__slot_view(run, step->extra[0], &m->kernel));
    GA_TRY(ga__slot_view(run, step->extra[1], &m->bias));
    m->size = m->kernel.columns;
done:
    return status;
}

static ga_status forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    image m;
    DLTensor *made = NULL;
    GA_TRY(open_image(run, step, &m));
    GA_TRY(ga__tensor_cast(run->context, "o", run->o, run->working, &made));
    GA_TRY(ga__slot_view(run, GA__V, &m.x));
    m.x.columns = run->dim_v; /* without the column of ones */
    GA_TRY(ga__view_of(run->context, "o", made, true, &m.y));
    GA_TRY(ga__rows(run, run->batch, run->heads, run->queries, 1, image_row, &m));
    ga__step_replace_o(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* grad_o passes unchanged; what v gets by this way is added in the end. */
static ga_status backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    image m;
    ga__slot *v = &run->slots[GA__V];
    const int64_t shape[] = { run->batch, run->kv_heads, run->keys, run->dim_v };
    if (!v->grad) {
        goto done;
    }
    GA_TRY(open_image(run, step, &m));
    m.sign = -1;
    m.bias.data = NULL;
    GA_TRY(ga__tensor_new(run, 4, shape, &v->grad_more));
    GA_TRY(ga__view_of(run->context, "grad_v", v->grad_more, true, &m.y));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &m.x));
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2] * shape[3]; i++) {
        int64_t r = i / shape[3], h = r / shape[2];
        ga__view_set(&m.y, h / shape[1], h % shape[1], r % shape[2], i % shape[3], 0);
    }
    status = ga__rows(run, run->batch, run->kv_heads, run->keys, 1, image_row, &m);
done:
    return status;
}

ga_status ga__image_step(ga__job *run, int kernel, int bias, int64_t prefix)
{
    int64_t shape[2];
    if (run->heads != run->kv_heads) {
        return ga__fail(run->context, GA_INVALID, "%s: %s needs as many heads in v as in q",
                        run->variant->name, run->slots[kernel].name);
    }
    if (run->queries != run->keys) {
        return ga__fail(run->context, GA_INVALID, "%s: %s needs as many queries as keys", run->variant->name,
                        run->slots[kernel].name);
    }
    ga__step_behind(run, (ga__step){ forward, backward, .slot = GA__V, .kind = (int)prefix, .extra_count = 2,
                                     .extra = { kernel, bias } });
    return ga__image_shape(run, run->keys - prefix, shape);
}
