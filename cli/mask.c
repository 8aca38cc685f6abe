/* mask.c - graphattn mask: the pattern of a variant as a graph or a picture. */
#include "config.h"

#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "queries", 0, OPTION_INTEGER, AT(queries), "N",
      .help = "number of queries (default: that of the keys, or the grid's)" },
    { "keys", 0, OPTION_INTEGER, AT(keys), "N",
      .help = "number of keys (default: that of the queries, or the grid's)" },
    { "heads", 0, OPTION_INTEGER, AT(heads), "N", .help = "number of query heads (default: 1)", .low = 1 },
    { "kv-heads", 0, OPTION_INTEGER, AT(kv_heads), "N",
      .help = "number of key heads (default: that of the queries)", .low = 1 },
    { "head", 0, OPTION_INTEGER, AT(head), "N", .help = "which head to write, from 0 (default: 0)" },
    { "pixels", 0, OPTION_INTEGER, AT(pixels), "N", .help = "pictures: most pixels a side (default: 1024)",
      .low = 1, .high = 32768 },
    { 0 }
};
const option_group mask_options = { "Pattern", rows };

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_picture(const session *s)
{
    return !s->is.to && (ends_with(s->is.output, ".png") || ends_with(s->is.output, ".svg"));
}

/* The product of the sides in "8,6" or "8x6", which stand up to a character that is no part of them; -1 when there is
 * none that fits. */
static int64_t tokens_of(const char *text, char separator)
{
    int64_t product = 1;
    for (;; text++) {
        int64_t side = 0;
        size_t digits = strspn(text, "0123456789");
        const unsigned char *at = (const unsigned char *)text;
        if (!ga__parse_i64(at, at + digits, &side) || !ga__mul(product, side, &product)) {
            return -1;
        }
        text += digits;
        if (*text != separator) {
            return product;
        }
    }
}

/* Number of tokens by the parameter shape of --pattern or of the variant; -1 without one. */
static int64_t tokens_by_shape(const session *s)
{
    const char *in_pattern = s->is.pattern ? strstr(s->is.pattern, "shape=") : NULL;
    int64_t tokens = in_pattern ? tokens_of(in_pattern + 6, 'x') : -1;
    for (int i = 0; !in_pattern && i < s->is.set.count; i++) {
        if (strncmp(s->is.set.words[i], "shape=", 6) == 0) {
            tokens = tokens_of(s->is.set.words[i] + 6, ',');
        }
    }
    return tokens;
}

static int settle_sizes(session *s)
{
    int64_t tokens = tokens_by_shape(s);
    if (s->is.queries < 0) {
        s->is.queries = s->is.keys >= 0 ? s->is.keys : tokens;
    }
    if (s->is.keys < 0) {
        s->is.keys = s->is.queries;
    }
    if (s->is.kv_heads < 0) {
        s->is.kv_heads = s->is.heads;
    }
    if (s->is.queries < 0) {
        return usage_error(s, "needs --queries or --keys");
    }
    if (s->is.head >= s->is.heads) {
        return usage_error(s, "--head: found %lld, expected a number below the %lld heads",
                           (long long)s->is.head, (long long)s->is.heads);
    }
    return 0;
}

int mask_check(session *s)
{
    int bad = check_inputs(s);
    bad = bad ? bad : settle_sizes(s);
    writes(s, s->is.output);
    if (bad || is_picture(s)) {
        return bad;
    }
    return check_graph_output(s);
}

ga_status mask_run(session *s)
{
    ga_status status = GA_OK;
    attend_inputs in = { .call = GA_ATTEND_CALL_INIT };
    ga_pattern *pattern = NULL;
    ga_graph *graph = NULL;
    const char *at = s->is.output;
    GA_TRY(read_inputs(s, &in));
    status = ga_attend_pattern(s->context, s->operands[0], &in.call, s->is.heads, s->is.kv_heads,
                               s->is.queries, s->is.keys, &pattern);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    if (is_picture(s)) {
        GA_TRY(place(s, s->is.output, &at));
        GA_TRY(ga_pattern_draw(s->context, pattern, s->is.head, s->is.pixels, at));
    } else {
        GA_TRY(ga_pattern_to_graph(s->context, pattern, s->is.head, &graph));
        GA_TRY(write_graph(s, graph, s->is.output));
    }
done:
    ga_graph_destroy(s->context, graph);
    ga_pattern_destroy(s->context, pattern);
    free_inputs(s, &in);
    return status;
}
