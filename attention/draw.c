/* draw.c - a pattern as a picture, shrunk where it is large. */
#include "config.h"

#include <string.h>

#include <graphattn/attention.h>

#include "attention/draw.h"

/* Adds a run to the line. sums holds differences: the pairs of pixel x are the sum of entries 0 .. x, so that
 * pixels which the run covers as a whole cost nothing. */
static void add_run(const ga__picture *picture, int64_t first, int64_t last)
{
    int64_t cell = picture->cell, left = first / cell, right = (last - 1) / cell;
    if (left == right) {
        picture->sums[left] += last - first;
        picture->sums[left + 1] -= last - first;
        return;
    }
    int64_t head = (left + 1) * cell - first, tail = last - right * cell;
    picture->sums[left] += head;
    picture->sums[left + 1] += cell - head;
    picture->sums[right] -= cell - tail;
    picture->sums[right + 1] -= tail;
}

void ga__picture_line(const ga__picture *picture, int64_t y, uint8_t *line)
{
    const ga_pattern *pattern = picture->pattern;
    int64_t cell = picture->cell, first = y * cell, last = ga__min(first + cell, pattern->queries),
            visible = 0;
    memset(picture->sums, 0, (size_t)(picture->width + 1) * sizeof *picture->sums);
    for (int64_t i = first; i < last; i++) {
        int64_t count = ga_pattern_row_runs(pattern, picture->head, i, picture->runs);
        for (int64_t r = 0; r < count; r++) {
            add_run(picture, picture->runs[r][0], picture->runs[r][1]);
        }
    }
    for (int64_t x = 0; x < picture->width; x++) {
        double pairs = (double)(last - first) * (double)(ga__min((x + 1) * cell, pattern->keys) - x * cell);
        visible += picture->sums[x];
        line[x] = (uint8_t)(255.5 - 255 * ((double)visible / pairs));
    }
}

static ga_status choose_writer(ga_context *context, const char *path, bool *svg)
{
    size_t length = strlen(path);
    const char *suffix = length >= 4 ? path + length - 4 : "";
    *svg = strcmp(suffix, ".svg") == 0;
    if (!*svg && strcmp(suffix, ".png") != 0) {
        return ga__fail(context, GA_INVALID, "%s: expected a name that ends with .png or .svg", path);
    }
    return GA_OK;
}

static ga_status check(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t most)
{
    enum { MOST_PIXELS = 1000000 }; /* what readers of PNG take */
    if (head < 0 || head >= pattern->heads) {
        return ga__fail(context, GA_INVALID, "pattern: head %lld of %lld", (long long)head,
                        (long long)pattern->heads);
    }
    if (most < 1 || most > MOST_PIXELS) {
        return ga__fail(context, GA_INVALID, "picture: %lld pixels a side, expected 1 .. %d", (long long)most,
                        MOST_PIXELS);
    }
    if (pattern->queries == 0 || pattern->keys == 0) {
        return ga__fail(context, GA_INVALID, "picture: %lld queries and %lld keys, expected 1 or more",
                        (long long)pattern->queries, (long long)pattern->keys);
    }
    return GA_OK;
}

ga_status ga_pattern_draw(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t most,
                          const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    ga__picture picture = { .pattern = pattern, .head = head };
    bool svg = false;
    ga__begin(context);
    GA_TRY(choose_writer(context, path, &svg));
    GA_TRY(check(context, pattern, head, most));
    picture.cell = (ga__max(pattern->queries, pattern->keys) + most - 1) / most;
    picture.width = (pattern->keys + picture.cell - 1) / picture.cell;
    picture.height = (pattern->queries + picture.cell - 1) / picture.cell;
    GA_TRY(GA_NEW(context, pattern->most_runs, &picture.runs));
    GA_TRY(GA_NEW(context, picture.width + 1, &picture.sums));
    GA_TRY(ga__output_open(context, path, false, &output));
    GA_TRY((svg ? ga__picture_svg : ga__picture_png)(context, &picture, output));
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    ga_free(context, picture.runs);
    ga_free(context, picture.sums);
    return status;
}
