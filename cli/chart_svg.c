/* chart_svg.c - panels as SVG. */
#include "config.h"

#include <math.h>

#include "cli/chart.h"

/* Pixels: a panel's axes, the space from one panel to the next, the margins. */
enum { PANEL_WIDTH = 330, PANEL_HEIGHT = 250, STEP_X = 430, STEP_Y = 352, LEFT = 64, TOP = 44 };
enum { MOST_POINTS = 1000 }; /* of a curve: what a screen can show */

/* ---- drawing ---- */

typedef struct drawing {
    ga_context *context;
    ga__output *out;
    const chart_panel *panel;
    chart_range range;
    double left, top;
} drawing;

static double along(double value, double low, double high, bool logarithmic)
{
    if (logarithmic) {
        value = log(value);
        low = log(low);
        high = log(high);
    }
    return high > low ? (value - low) / (high - low) : 0.5;
}

static double x_of(const drawing *d, double x)
{
    return d->left + along(x, d->range.x_low, d->range.x_high, d->panel->log_x) * PANEL_WIDTH;
}

static double y_of(const drawing *d, double y)
{
    return d->top + (1 - along(y, d->range.y_low, d->range.y_high, d->panel->log_y)) * PANEL_HEIGHT;
}

static ga_status draw_text(const drawing *d, double x, double y, const char *anchor, const char *text)
{
    return ga__output_print(d->context, d->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                            x, y, anchor, text);
}

static ga_status draw_x_tick(const drawing *d, double value, const char *text)
{
    double x = x_of(d, value);
    ga_status status = ga__output_print(d->context, d->out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>\n", x,
                                        d->top + PANEL_HEIGHT);
    return status == GA_OK ? draw_text(d, x, d->top + PANEL_HEIGHT + 18, "middle", text) : status;
}

static ga_status draw_y_tick(const drawing *d, double value, const char *text)
{
    double y = y_of(d, value);
    ga_status status = ga__output_print(d->context, d->out, "<path class=\"grid\" d=\"M%.1f %.1fh%d\"/>\n",
                                        d->left, y, PANEL_WIDTH);
    return status == GA_OK ? draw_text(d, d->left - 6, y + 4, "end", text) : status;
}

/* Powers of ten, at most about six of them. */
static ga_status draw_log_ticks(const drawing *d, double low, double high,
                                ga_status (*tick)(const drawing *, double, const char *))
{
    ga_status status = GA_OK;
    int first = (int)lround(log10(low)), last = (int)lround(log10(high)), stride = (last - first) / 6 + 1;
    for (int power = first; power <= last; power += stride) {
        char text[64];
        if (power >= 0 && power <= 3) {
            snprintf(text, sizeof text, "%d", (int)lround(pow(10, power)));
        } else {
            snprintf(text, sizeof text, "10<tspan dy=\"-4\" font-size=\"9\">%d</tspan>", power);
        }
        GA_TRY(tick(d, pow(10, power), text));
    }
done:
    return status;
}

static ga_status draw_linear_ticks(const drawing *d, double low, double high, bool whole,
                                   ga_status (*tick)(const drawing *, double, const char *))
{
    ga_status status = GA_OK;
    double step = high > low ? chart_step(high - low) : 1;
    step = whole ? fmax(1, floor(step)) : step;
    for (double i = ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.10g", i == 0 ? 0 : i * step);
        GA_TRY(tick(d, i * step, text));
    }
done:
    return status;
}

static ga_status draw_axes(const drawing *d)
{
    ga_status status = GA_OK;
    const chart_panel *p = d->panel;
    const chart_range *r = &d->range;
    GA_TRY(p->log_y ? draw_log_ticks(d, r->y_low, r->y_high, draw_y_tick)
                    : draw_linear_ticks(d, r->y_low, r->y_high, false, draw_y_tick));
    GA_TRY(p->log_x ? draw_log_ticks(d, r->x_low, r->x_high, draw_x_tick)
                    : draw_linear_ticks(d, r->x_low, r->x_high, p->whole_x, draw_x_tick));
    GA_TRY(draw_text(d, d->left + PANEL_WIDTH / 2.0, d->top + PANEL_HEIGHT + 38, "middle", p->x_label));
    if (p->y_label) {
        GA_TRY(ga__output_print(
            d->context, d->out,
            "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            d->left - 48, d->top + PANEL_HEIGHT / 2.0, p->y_label));
    }
    status = ga__output_print(d->context, d->out, "<path class=\"axis\" d=\"M%.1f %.1fv%dh%d\"/>\n", d->left,
                              d->top, PANEL_HEIGHT, PANEL_WIDTH);
done:
    return status;
}

/* Every so many points one, the last one always. *any: something was drawn. */
static ga_status draw_line(const drawing *d, const chart_curve *c, bool *any)
{
    ga_status status = GA_OK;
    int64_t stride = c->count / MOST_POINTS + 1;
    double before = 0;
    *any = false;
    for (int64_t i = 0; i < c->count; i += stride) {
        int64_t at = i + stride < c->count ? i : c->count - 1;
        if (!chart_can_show(c->x[at], d->panel->log_x) || !chart_can_show(c->y[at], d->panel->log_y)) {
            continue;
        }
        double x = x_of(d, c->x[at]), y = y_of(d, c->y[at]);
        if (!*any) {
            GA_TRY(ga__output_print(d->context, d->out, "<path stroke=\"%s\" class=\"curve\" d=\"M%.1f %.1f",
                                    c->colour, x, y));
        } else if (c->steps) {
            GA_TRY(ga__output_print(d->context, d->out, "L%.1f %.1fL%.1f %.1f", x, before, x, y));
        } else {
            GA_TRY(ga__output_print(d->context, d->out, "L%.1f %.1f", x, y));
        }
        before = y;
        *any = true;
    }
    if (*any) {
        status = ga__output_print(d->context, d->out, "\"/>\n");
    }
done:
    return status;
}

static ga_status draw_curves_and_key(const drawing *d)
{
    ga_status status = GA_OK;
    int named = 0, line = 0;
    for (int c = 0; c < d->panel->curve_count; c++) {
        named += d->panel->curves[c].name != NULL;
    }
    for (int c = 0; c < d->panel->curve_count; c++) {
        const chart_curve *curve = &d->panel->curves[c];
        bool any;
        GA_TRY(draw_line(d, curve, &any));
        if (any && curve->name) {
            double y = d->panel->key_below ? d->top + PANEL_HEIGHT - 12 - 16 * (named - 1 - line)
                                           : d->top + 16 + 16 * line;
            double x = d->left + PANEL_WIDTH - 8;
            line++;
            GA_TRY(ga__output_print(d->context, d->out,
                                    "<path stroke=\"%s\" class=\"curve\" d=\"M%.1f %.1fh-18\"/>\n",
                                    curve->colour, x, y - 4));
            GA_TRY(draw_text(d, x - 24, y, "end", curve->name));
        }
    }
done:
    return status;
}

static ga_status draw_boxes(const drawing *d)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < d->panel->box_count; i++) {
        const chart_box *b = &d->panel->boxes[i];
        double x = x_of(d, b->x0), y = y_of(d, b->y1);
        GA_TRY(
            ga__output_print(d->context, d->out,
                             "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%06x\"/>\n",
                             x, y, x_of(d, b->x1) - x, y_of(d, b->y0) - y, chart_colour(b->depth)));
    }
done:
    return status;
}

static ga_status draw_mark(const drawing *d)
{
    double mark = d->panel->mark;
    if (isnan(mark) || mark < d->range.x_low || mark > d->range.x_high) {
        return GA_OK;
    }
    return ga__output_print(d->context, d->out,
                            "<path class=\"best\" d=\"M%.1f %.1fv%d\"><title>%s</title></path>\n",
                            x_of(d, mark), d->top, PANEL_HEIGHT, d->panel->mark_title);
}

static ga_status draw_panel(drawing *d)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(d->context, d->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"title\">%s</text>\n",
                            d->left, d->top - 14, d->panel->title));
    if (!chart_find_range(d->panel, &d->range)) {
        return draw_text(d, d->left, d->top + 20, "start", "nothing to draw");
    }
    GA_TRY(draw_boxes(d));
    GA_TRY(draw_axes(d));
    GA_TRY(draw_mark(d));
    status = draw_curves_and_key(d);
done:
    return status;
}

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
    "<style>text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}"
    ".curve{fill:none;stroke-width:1.6;stroke-linejoin:round}.axis{fill:none;stroke:#222}"
    ".grid{stroke:#ddd}.best{stroke:#888;stroke-dasharray:4 3}</style>\n"
    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n";

ga_status chart_svg(ga_context *context, ga__output *output, const chart_panel *panels, int count,
                    int columns)
{
    ga_status status = GA_OK;
    int rows = (count + columns - 1) / columns;
    int width = columns * STEP_X, height = rows > 0 ? rows * STEP_Y + 8 : STEP_Y;
    GA_TRY(ga__output_print(context, output, head, width, height, width, height));
    for (int i = 0; i < count; i++) {
        drawing d = { context,
                      output,
                      &panels[i],
                      { 0, 0, 0, 0 },
                      LEFT + STEP_X * (i % columns),
                      TOP + STEP_Y * (i / columns) };
        GA_TRY(draw_panel(&d));
    }
    status = ga__output_print(context, output, "</svg>\n");
done:
    return status;
}
