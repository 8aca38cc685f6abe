/* chart.c - what charts show, and where they go. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/chart.h"

double chart_step(double range)
{
    double power = pow(10, floor(log10(range / 4))), ratio = range / 4 / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

unsigned chart_colour(double depth)
{
    /* from nearly white by blue to nearly black */
    static const double stops[][3] = {
        { 237, 243, 250 }, { 140, 182, 222 }, { 31, 95, 168 }, { 12, 24, 60 }
    };
    enum { PARTS = sizeof stops / sizeof *stops - 1 };
    double at = fmin(fmax(depth, 0), 1) * PARTS;
    int part = at >= PARTS ? PARTS - 1 : (int)at;
    unsigned colour = 0;
    for (int i = 0; i < 3; i++) {
        double from = stops[part][i], to = stops[part + 1][i];
        colour = colour << 8 | (unsigned)lround(from + (to - from) * (at - part));
    }
    return colour;
}

/* ---- ranges ---- */

static void include_point(const chart_panel *p, chart_range *r, double x, double y)
{
    if (chart_can_show(x, p->log_x) && chart_can_show(y, p->log_y)) {
        r->x_low = fmin(r->x_low, x);
        r->x_high = fmax(r->x_high, x);
        r->y_low = fmin(r->y_low, y);
        r->y_high = fmax(r->y_high, y);
    }
}

static void widen(double *low, double *high, bool logarithmic, bool to_ticks)
{
    if (logarithmic) {
        *low = pow(10, floor(log10(*low) + 1e-9));
        *high = pow(10, ceil(log10(*high) - 1e-9));
        *high = *high > *low ? *high : *low * 10;
    } else if (to_ticks) {
        *high = *high > *low ? *high : *low + 1;
        double step = chart_step(*high - *low);
        *low = floor(*low / step) * step;
        *high = ceil(*high / step) * step;
    }
}

bool chart_find_range(const chart_panel *p, chart_range *r)
{
    *r = (chart_range){ INFINITY, -INFINITY, INFINITY, -INFINITY };
    for (int c = 0; c < p->curve_count; c++) {
        for (int64_t i = 0; i < p->curves[c].count; i++) {
            include_point(p, r, p->curves[c].x[i], p->curves[c].y[i]);
        }
    }
    for (int64_t i = 0; i < p->box_count; i++) {
        include_point(p, r, p->boxes[i].x0, p->boxes[i].y0);
        include_point(p, r, p->boxes[i].x1, p->boxes[i].y1);
    }
    if (!(r->x_high >= r->x_low)) {
        return false;
    }
    if (p->from_zero && !p->log_y) {
        r->y_low = fmin(r->y_low, 0);
    }
    widen(&r->x_low, &r->x_high, p->log_x, false);
    widen(&r->y_low, &r->y_high, p->log_y, true);
    return true;
}

/* ---- files ---- */

static const char *suffix_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot : "";
}

int chart_check(const session *s, const char *path)
{
    static const char *const known[] = { ".svg", ".png", ".pdf" };
    for (size_t i = 0; path && i < sizeof known / sizeof *known; i++) {
        if (strcmp(suffix_of(path), known[i]) == 0) {
            return 0;
        }
    }
    return path ? usage_error(s, "--plot %s: expected a name that ends with .svg, .png or .pdf", path) : 0;
}

ga_status chart_write(session *s, const char *path, const char *at, const chart_panel *panels, int count,
                      int columns)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *suffix = suffix_of(path);
    GA_TRY(ga__output_open(s->context, at, true, &out));
    if (strcmp(suffix, ".svg") == 0) {
        GA_TRY(chart_svg(s->context, out, panels, count, columns));
    } else {
        GA_TRY(chart_gnuplot(s, strcmp(suffix, ".png") == 0 ? "pngcairo" : "pdfcairo", panels, count, columns,
                             out));
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}
