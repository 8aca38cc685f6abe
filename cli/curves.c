/* curves.c - loss and accuracy over the epochs of a training run, as SVG. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/node_data.h"

/* A panel: left and top of its axes, their size; all in pixels. */
enum {
    WIDTH = 860,
    HEIGHT = 360,
    LEFT = 64,
    TOP = 44,
    PANEL_WIDTH = 330,
    PANEL_HEIGHT = 250,
    PANEL_STEP = 430
};
enum { MOST_POINTS = 1000 }; /* of a curve: what a screen can show */

typedef double (*figure)(const ga_epoch *epoch);

static double train_loss(const ga_epoch *e)
{
    return e->train_loss;
}
static double val_loss(const ga_epoch *e)
{
    return e->val_loss;
}
static double train_accuracy(const ga_epoch *e)
{
    return e->train_accuracy;
}
static double val_accuracy(const ga_epoch *e)
{
    return e->val_accuracy;
}
static double test_accuracy(const ga_epoch *e)
{
    return e->test_accuracy;
}

typedef struct curve {
    const char *name, *colour;
    figure value;
} curve;

static const curve losses[] = { { "training", "#1f5fa8", train_loss },
                                { "validation", "#c2571a", val_loss } };
static const curve accuracies[] = { { "training", "#1f5fa8", train_accuracy },
                                    { "validation", "#c2571a", val_accuracy },
                                    { "test", "#3c7a34", test_accuracy } };

typedef struct panel {
    ga_context *context;
    ga__output *out;
    const history *h;
    const curve *curves;
    int curve_count;
    double left, keys; /* pixels: of its left axis, of the first line of its key */
    double low, high;  /* range of values */
    int64_t best_epoch;
} panel;

static double x_of(const panel *p, int64_t epoch)
{
    int64_t first = p->h->epochs[0].epoch, last = p->h->epochs[p->h->count - 1].epoch;
    return p->left + (last > first ? (double)(epoch - first) / (double)(last - first) : 0.5) * PANEL_WIDTH;
}

static double y_of(const panel *p, double value)
{
    return TOP + (1 - (value - p->low) / (p->high - p->low)) * PANEL_HEIGHT;
}

/* 1, 2 or 5 times a power of ten, about a quarter of the range. */
static double tick_step(double range)
{
    double power = pow(10, floor(log10(range / 4))), ratio = range / 4 / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

static bool find_range(panel *p, bool from_zero)
{
    p->low = from_zero ? 0 : INFINITY;
    p->high = -INFINITY;
    for (int64_t i = 0; i < p->h->count; i++) {
        for (int c = 0; c < p->curve_count; c++) {
            double value = p->curves[c].value(&p->h->epochs[i]);
            if (isfinite(value)) {
                p->low = fmin(p->low, value);
                p->high = fmax(p->high, value);
            }
        }
    }
    if (!(p->high >= p->low)) {
        return false;
    }
    p->high = p->high > p->low ? p->high : p->low + 1;
    double step = tick_step(p->high - p->low);
    p->low = floor(p->low / step) * step;
    p->high = ceil(p->high / step) * step;
    return true;
}

static ga_status draw_text(const panel *p, double x, double y, const char *anchor, const char *text)
{
    return ga__output_print(p->context, p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                            x, y, anchor, text);
}

static ga_status draw_value_ticks(const panel *p)
{
    ga_status status = GA_OK;
    double step = tick_step(p->high - p->low);
    for (int64_t i = 0; p->low + (double)i * step <= p->high + step / 2; i++) {
        char text[32];
        double value = p->low + (double)i * step, y = y_of(p, value);
        snprintf(text, sizeof text, "%.10g", fabs(value) < step * 1e-6 ? 0 : value);
        GA_TRY(ga__output_print(p->context, p->out, "<path class=\"grid\" d=\"M%.1f %.1fh%d\"/>\n", p->left,
                                y, PANEL_WIDTH));
        GA_TRY(draw_text(p, p->left - 6, y + 4, "end", text));
    }
done:
    return status;
}

static ga_status draw_epoch_ticks(const panel *p)
{
    ga_status status = GA_OK;
    int64_t first = p->h->epochs[0].epoch, last = p->h->epochs[p->h->count - 1].epoch;
    int64_t step = last > first ? (int64_t)fmax(1, tick_step((double)(last - first))) : 1;
    for (int64_t epoch = (first + step - 1) / step * step; epoch <= last; epoch += step) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)epoch);
        GA_TRY(ga__output_print(p->context, p->out, "<path class=\"axis\" d=\"M%.1f %dv4\"/>\n",
                                x_of(p, epoch), TOP + PANEL_HEIGHT));
        GA_TRY(draw_text(p, x_of(p, epoch), TOP + PANEL_HEIGHT + 18, "middle", text));
    }
    status = draw_text(p, p->left + PANEL_WIDTH / 2.0, TOP + PANEL_HEIGHT + 38, "middle", "epoch");
done:
    return status;
}

static ga_status draw_best(const panel *p)
{
    if (p->best_epoch < p->h->epochs[0].epoch || p->best_epoch > p->h->epochs[p->h->count - 1].epoch) {
        return GA_OK;
    }
    return ga__output_print(p->context, p->out,
                            "<path class=\"best\" d=\"M%.1f %dv%d\"><title>epoch %lld, kept</title></path>\n",
                            x_of(p, p->best_epoch), TOP, PANEL_HEIGHT, (long long)p->best_epoch);
}

/* Every so many epochs one point, the last one always. */
static ga_status draw_curve(const panel *p, const curve *c, int *drawn)
{
    ga_status status = GA_OK;
    int64_t stride = p->h->count / MOST_POINTS + 1;
    const char *move = "M";
    for (int64_t i = 0; i < p->h->count; i += stride) {
        int64_t at = i + stride < p->h->count ? i : p->h->count - 1;
        double value = c->value(&p->h->epochs[at]);
        if (!isfinite(value)) {
            continue;
        }
        if (*move == 'M') {
            GA_TRY(
                ga__output_print(p->context, p->out, "<path stroke=\"%s\" class=\"curve\" d=\"", c->colour));
        }
        GA_TRY(ga__output_print(p->context, p->out, "%s%.1f %.1f", move, x_of(p, p->h->epochs[at].epoch),
                                y_of(p, value)));
        move = "L";
    }
    if (*move == 'L') {
        double y = p->keys + 16 * (*drawn)++, x = p->left + PANEL_WIDTH - 8;
        GA_TRY(ga__output_print(p->context, p->out,
                                "\"/>\n<path stroke=\"%s\" class=\"curve\" d=\"M%.1f %.1fh-18\"/>\n",
                                c->colour, x, y - 4));
        GA_TRY(draw_text(p, x - 24, y, "end", c->name));
    }
done:
    return status;
}

static ga_status draw_panel(panel *p, const char *title, bool from_zero)
{
    ga_status status = GA_OK;
    int drawn = 0;
    GA_TRY(ga__output_print(p->context, p->out, "<text x=\"%.1f\" y=\"%d\" class=\"title\">%s</text>\n",
                            p->left, TOP - 14, title));
    if (!find_range(p, from_zero)) {
        return draw_text(p, p->left, TOP + 20, "start", "nothing to draw");
    }
    GA_TRY(draw_value_ticks(p));
    GA_TRY(draw_epoch_ticks(p));
    GA_TRY(ga__output_print(p->context, p->out, "<path class=\"axis\" d=\"M%.1f %dv%dh%d\"/>\n", p->left, TOP,
                            PANEL_HEIGHT, PANEL_WIDTH));
    GA_TRY(draw_best(p));
    for (int i = 0; i < p->curve_count; i++) {
        GA_TRY(draw_curve(p, &p->curves[i], &drawn));
    }
done:
    return status;
}

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
    "<style>text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}"
    ".curve{fill:none;stroke-width:1.6;stroke-linejoin:round}.axis{fill:none;stroke:#222}"
    ".grid{stroke:#ddd}.best{stroke:#888;stroke-dasharray:4 3}</style>\n"
    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n";

ga_status draw_curves(session *s, const history *h, int64_t best_epoch, const char *metric, const char *at)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    panel loss = { s->context, NULL, h, losses, 2, LEFT, TOP + 16, 0, 1, best_epoch };
    panel accuracy = { s->context, NULL, h,         accuracies, 3, LEFT + PANEL_STEP, TOP + PANEL_HEIGHT - 48,
                       0,          1,    best_epoch };
    GA_TRY(ga__output_open(s->context, at, true, &out));
    loss.out = accuracy.out = out;
    GA_TRY(ga__output_print(s->context, out, head, WIDTH, HEIGHT, WIDTH, HEIGHT));
    if (h->count > 0) {
        GA_TRY(draw_panel(&loss, "loss", true));
        GA_TRY(draw_panel(&accuracy, metric ? metric : "accuracy", false));
    }
    GA_TRY(ga__output_print(s->context, out, "</svg>\n"));
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}
