/* draw_svg.c - a picture as SVG: rectangles of visible pairs, or grey ones where the picture is shrunk. */
#include "config.h"

#include "attention/draw.h"

static ga_status begin(ga_context *context, const ga__picture *picture, ga__output *output)
{
    long long width = picture->width, height = picture->height;
    return ga__output_print(context, output,
                            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%lld\" height=\"%lld\" "
                            "viewBox=\"0 0 %lld %lld\" shape-rendering=\"crispEdges\">\n"
                            "<rect width=\"%lld\" height=\"%lld\" fill=\"#fff\"/>\n",
                            width, height, width, height, width, height);
}

/* A rectangle of the one black path: a third of the bytes of an element of its own. */
static ga_status outline(ga_context *context, ga__output *output, int64_t x, int64_t y, int64_t width,
                         int64_t height)
{
    return ga__output_print(context, output, "M%lld %lldh%lldv%lldh-%lldz\n", (long long)x, (long long)y,
                            (long long)width, (long long)height, (long long)width);
}

/* A run and the row where it began: equal runs of rows below each other are one rectangle. */
typedef struct open_run {
    int64_t first, last, since;
} open_run;

/* Closes what is open and not among the runs of row y, and leaves those runs in next. Both are ascending. */
static ga_status advance(ga_context *context, ga__output *output, const open_run *open, int64_t open_count,
                         int64_t (*runs)[2], int64_t count, int64_t y, open_run *next)
{
    ga_status status = GA_OK;
    int64_t o = 0;
    for (int64_t r = 0; r < count; r++) {
        next[r] = (open_run){ runs[r][0], runs[r][1], y };
    }
    for (int64_t r = 0; o < open_count; o++) {
        while (r < count && next[r].first < open[o].first) {
            r++;
        }
        if (r < count && next[r].first == open[o].first && next[r].last == open[o].last) {
            next[r].since = open[o].since;
            continue;
        }
        GA_TRY(outline(context, output, open[o].first, open[o].since, open[o].last - open[o].first,
                       y - open[o].since));
    }
done:
    return status;
}

static ga_status write_runs(ga_context *context, const ga__picture *picture, ga__output *output)
{
    ga_status status = GA_OK;
    const ga_pattern *pattern = picture->pattern;
    open_run *open = NULL, *next = NULL;
    int64_t open_count = 0;
    GA_TRY(GA_NEW(context, pattern->most_runs, &open));
    GA_TRY(GA_NEW(context, pattern->most_runs, &next));
    GA_TRY(ga__output_print(context, output, "<path d=\"\n"));
    for (int64_t y = 0; y <= picture->height; y++) {
        int64_t count = 0;
        GA_TRY(ga__check(context));
        if (y < picture->height) {
            count = ga_pattern_row_runs(pattern, picture->head, y, picture->runs);
        }
        GA_TRY(advance(context, output, open, open_count, picture->runs, count, y, next));
        open_run *swap = open;
        open = next;
        next = swap;
        open_count = count;
    }
    GA_TRY(ga__output_print(context, output, "\"/>\n"));
done:
    ga_free(context, open);
    ga_free(context, next);
    return status;
}

static ga_status rectangle(ga_context *context, ga__output *output, int64_t x, int64_t y, int64_t width,
                           int64_t height, int grey)
{
    return ga__output_print(
        context, output,
        "<rect x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" fill=\"#%02x%02x%02x\"/>\n", (long long)x,
        (long long)y, (long long)width, (long long)height, grey, grey, grey);
}

static ga_status write_greys(ga_context *context, const ga__picture *picture, ga__output *output)
{
    ga_status status = GA_OK;
    uint8_t *line = NULL;
    GA_TRY(GA_NEW(context, picture->width, &line));
    for (int64_t y = 0; y < picture->height; y++) {
        GA_TRY(ga__check(context));
        ga__picture_line(picture, y, line);
        for (int64_t x = 0, end; x < picture->width; x = end) {
            for (end = x + 1; end < picture->width && line[end] == line[x]; end++) {
            }
            if (line[x] < 255) {
                GA_TRY(rectangle(context, output, x, y, end - x, 1, line[x]));
            }
        }
    }
done:
    ga_free(context, line);
    return status;
}

ga_status ga__picture_svg(ga_context *context, const ga__picture *picture, ga__output *output)
{
    ga_status status = GA_OK;
    GA_TRY(begin(context, picture, output));
    GA_TRY((picture->cell == 1 ? write_runs : write_greys)(context, picture, output));
    GA_TRY(ga__output_print(context, output, "</svg>\n"));
done:
    return status;
}
