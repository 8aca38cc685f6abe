/* draw.h - pictures of patterns and matrices: what the writers of PNG and SVG share. For the files of attention/ that
 * draw. */
#ifndef GA_ATTENTION_DRAW_H
#define GA_ATTENTION_DRAW_H

#include "lib/engine/pattern/pattern.h"

/* One head as a picture of width x height pixels; a pixel stands for cell x cell pairs. */
typedef struct ga__picture {
    const ga_pattern *pattern;
    int64_t head, cell, width, height;
    int64_t (*runs)[2]; /* room for a row */
    int64_t *sums;      /* width + 1: work space of a line */
} ga__picture;

/* Grey values of line y, 0 = all pairs of the pixel are visible, 255 = none. */
void ga__picture_line(const ga__picture *picture, int64_t y, uint8_t *line);
/* Fills line y with grey values, 0 = black. */
typedef void (*ga__line_fn)(const void *user, int64_t y, uint8_t *line);
/* A picture of at least one pixel, line after line. */
ga_status ga__png_write(ga_context *context, int64_t width, int64_t height, ga__line_fn draw,
                        const void *user, ga__output *output);
ga_status ga__picture_png(ga_context *context, const ga__picture *picture, ga__output *output);
ga_status ga__picture_svg(ga_context *context, const ga__picture *picture, ga__output *output);

#endif
