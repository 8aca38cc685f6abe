/* chart.h - panels with curves or boxes, as SVG or as a script for gnuplot. */
#ifndef GA_CLI_CHART_H
#define GA_CLI_CHART_H

#include <math.h>

#include "cli/session.h"

/* Points that are not finite, or not positive on a logarithmic axis, are left out. Arrays are borrowed. */
typedef struct chart_curve {
    const char *name; /* NULL: not in the key */
    const char *colour;
    bool steps; /* horizontal up to the next point */
    int64_t count;
    const double *x, *y;
} chart_curve;

/* A filled box from (x0, y0) to (x1, y1); depth in [0, 1] chooses its colour. */
typedef struct chart_box {
    double x0, y0, x1, y1, depth;
} chart_box;

enum { MOST_CURVES = 20 };
typedef struct chart_panel {
    const char *title, *x_label, *y_label; /* y_label may be NULL */
    bool log_x, log_y;
    bool whole_x;   /* ticks of x at integers only */
    bool from_zero; /* the linear y axis begins at 0 */
    bool key_below; /* the key stands at the bottom */
    int curve_count;
    chart_curve curves[MOST_CURVES];
    int64_t box_count;
    const chart_box *boxes;
    double mark; /* a vertical line there, NaN = none */
    char mark_title[64];
} chart_panel;

/* Smallest and largest of what a panel shows, widened to ticks. False when there is nothing to show. */
typedef struct chart_range {
    double x_low, x_high, y_low, y_high;
} chart_range;
static inline bool chart_can_show(double value, bool logarithmic)
{
    return isfinite(value) && (!logarithmic || value > 0);
}
bool chart_find_range(const chart_panel *panel, chart_range *range);
/* 1, 2 or 5 times a power of ten, about a quarter of the range. */
double chart_step(double range);
/* Colour of a box, 0xRRGGBB. */
unsigned chart_colour(double depth);

/* One <svg> element with the panels in rows of `columns`. */
ga_status chart_svg(ga_context *context, ga__output *output, const chart_panel *panels, int count,
                    int columns);
/* The same drawn by the program gnuplot; terminal: "pngcairo" or "pdfcairo". GA_UNSUPPORTED where there is none. */
ga_status chart_gnuplot(session *s, const char *terminal, const chart_panel *panels, int count, int columns,
                        ga__output *output);
/* The words of --plot: its suffix is one that can be drawn: 0, or EXIT_USAGE after a message. */
int chart_check(const session *s, const char *path);
/* Draws to `at`: SVG by itself, PNG and PDF through gnuplot; path: the name that was asked for. */
ga_status chart_write(session *s, const char *path, const char *at, const chart_panel *panels, int count,
                      int columns);

#endif
