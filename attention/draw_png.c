/* draw_png.c - pictures as PNG, 8 bits of grey. */
#include "config.h"

#include <png.h>
#include <setjmp.h>

#include "attention/draw.h"

/* libpng ends a call that fails by a jump; what failed is noted here before. */
typedef struct writer {
    ga_context *context;
    ga__output *output;
    ga__line_fn line;
    const void *user;
    ga_status status;
} writer;

static void fail(png_structp png, png_const_charp text)
{
    writer *w = png_get_error_ptr(png);
    if (w->status == GA_OK) {
        w->status = ga__fail(w->context, GA_INTERNAL, "picture: %s", text);
    }
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp take(png_structp png, png_alloc_size_t size)
{
    writer *w = png_get_mem_ptr(png);
    void *block = NULL;
    ga_status status = ga_alloc(w->context, (int64_t)size, 1, &block);
    if (status != GA_OK) {
        w->status = status;
        return NULL;
    }
    return block;
}

static void release(png_structp png, png_voidp block)
{
    writer *w = png_get_mem_ptr(png);
    ga_free(w->context, block);
}

static void write_bytes(png_structp png, png_bytep data, size_t size)
{
    writer *w = png_get_io_ptr(png);
    w->status = ga__output_write(w->context, w->output, data, (int64_t)size);
    if (w->status != GA_OK) {
        png_error(png, "write");
    }
}

static void flush(png_structp png)
{
    (void)png;
}

/* Nothing that is read behind a jump changes after setjmp. */
static void write_picture(png_structp png, png_infop info, writer *w, const int64_t size[2], uint8_t *line)
{
    if (setjmp(png_jmpbuf(png))) {
        return;
    }
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(png, w, write_bytes, flush);
    png_set_IHDR(png, info, (png_uint_32)size[0], (png_uint_32)size[1], 8, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int64_t y = 0; y < size[1]; y++) {
        w->status = ga__check(w->context);
        if (w->status != GA_OK) {
            return;
        }
        w->line(w->user, y, line);
        png_write_row(png, line);
    }
    png_write_end(png, info);
}

ga_status ga__png_write(ga_context *context, int64_t width, int64_t height, ga__line_fn draw,
                        const void *user, ga__output *output)
{
    ga_status status = GA_OK;
    writer w = { context, output, draw, user, GA_OK };
    const int64_t size[] = { width, height };
    png_structp png = NULL;
    png_infop info = NULL;
    uint8_t *line = NULL;
    GA_TRY(GA_NEW(context, width, &line));
    png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &w, fail, ignore, &w, take, release);
    info = png ? png_create_info_struct(png) : NULL;
    if (info == NULL) {
        GA_TRY(w.status != GA_OK ? w.status
                                 : ga__fail(context, GA_INTERNAL, "picture: libpng does not start"));
    }
    write_picture(png, info, &w, size, line);
    status = w.status;
done:
    png_destroy_write_struct(&png, &info);
    ga_free(context, line);
    return status;
}

static void pattern_line(const void *user, int64_t y, uint8_t *line)
{
    ga__picture_line(user, y, line);
}

ga_status ga__picture_png(ga_context *context, const ga__picture *picture, ga__output *output)
{
    return ga__png_write(context, picture->width, picture->height, pattern_line, picture, output);
}
