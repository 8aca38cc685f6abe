/* mask.c - graphattn mask: the pattern of a variant as a graph, a picture or figures. */
#include "config.h"

#include <math.h>
#include <stdio.h>
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
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "write figures of the pattern; without --output it is not written itself" },
    { "tile", 0, OPTION_INTEGER, AT(tile), "N",
      .help = "report: side of the tiles that are counted (default: 64)", .low = 1 },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON" },
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

/* The text of a parameter of --pattern, or of the variant; NULL without one. The last --set counts. */
static const char *parameter_text(const session *s, const char *name)
{
    size_t length = strlen(name);
    const char *found = NULL;
    for (const char *at = s->is.pattern; at && (at = strstr(at, name)); at += length) {
        if (at > s->is.pattern && strchr(":,", at[-1]) && at[length] == '=') {
            found = at + length + 1;
        }
    }
    for (int i = 0; !s->is.pattern && i < s->is.set.count; i++) {
        if (strncmp(s->is.set.words[i], name, length) == 0 && s->is.set.words[i][length] == '=') {
            found = s->is.set.words[i] + length + 1;
        }
    }
    return found;
}

/* Number of tokens by a parameter with the sides of a grid; -1 without one. */
static int64_t tokens_by(const session *s, const char *name)
{
    const char *text = parameter_text(s, name);
    return text ? tokens_of(text, s->is.pattern ? 'x' : ',') : -1;
}

static int settle_sizes(session *s)
{
    int64_t tokens = tokens_by(s, "shape"), of_keys = tokens_by(s, "key_shape");
    if (s->is.queries < 0) {
        s->is.queries = s->is.keys >= 0 && of_keys < 0 ? s->is.keys : tokens;
    }
    if (s->is.keys < 0) {
        s->is.keys = of_keys >= 0 ? of_keys : s->is.queries;
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

/* Without --output the report stands alone. */
static bool writes_pattern(const session *s)
{
    return !s->is.report || s->is.output != default_settings.output;
}

int mask_check(session *s)
{
    int bad = check_inputs(s);
    bad = bad ? bad : settle_sizes(s);
    if (writes_pattern(s)) {
        writes(s, s->is.output);
    }
    writes(s, s->is.report);
    if (bad || is_picture(s) || !writes_pattern(s)) {
        return bad;
    }
    return check_graph_output(s);
}

/* One pattern may serve all heads. */
static int64_t head_of(const session *s, const ga_pattern *pattern)
{
    return ga_pattern_heads(pattern) == 1 ? 0 : s->is.head;
}

/* ---- the report ---- */

typedef struct drawn {
    const ga_pattern *pattern;
    ga_pattern_facts facts;
    int64_t *head_pairs; /* owned: (heads of the pattern) */
    int64_t frames, tokens;
    int64_t *frame_pairs; /* owned: (frames); NULL without frames */
} drawn;

static ga_status measure(session *s, drawn *d)
{
    ga_status status = GA_OK;
    const ga_variant *variant = ga_variant_find(s->operands[0]);
    bool causal = s->is.causal || (!s->is.pattern && variant && (variant->can & GA_ALWAYS_CAUSAL));
    int64_t heads = ga_pattern_heads(d->pattern);
    GA_TRY(GA_NEW(s->context, heads, &d->head_pairs));
    GA_TRY(ga_pattern_measure(s->context, d->pattern, head_of(s, d->pattern), causal, s->is.tile, &d->facts,
                              d->head_pairs));
    d->frames = tokens_by(s, "frames");
    d->tokens = tokens_by(s, "tokens_per_frame");
    if (d->frames > 0 && d->tokens > 0) {
        GA_TRY(GA_NEW(s->context, d->frames, &d->frame_pairs));
        GA_TRY(ga_pattern_frames(s->context, d->pattern, head_of(s, d->pattern), d->frames, d->tokens,
                                 d->frame_pairs));
    }
done:
    return status;
}

static double share(int64_t part, int64_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

static ga_status write_pairs(const session *s, const drawn *d, ga__sheet *sheet)
{
    ga_status status = GA_OK;
    const ga_pattern_facts *f = &d->facts;
    double density = share(f->pairs, 1) / ((double)s->is.queries * (double)s->is.keys);
    GA_TRY(ga__sheet_integer(sheet, "queries", s->is.queries));
    GA_TRY(ga__sheet_integer(sheet, "keys", s->is.keys));
    GA_TRY(ga__sheet_integer(sheet, "heads", s->is.heads));
    GA_TRY(ga__sheet_integer(sheet, "head", s->is.head));
    GA_TRY(ga__sheet_integer(sheet, "pairs", f->pairs));
    GA_TRY(ga__sheet_real(sheet, "density", density));
    GA_TRY(ga__sheet_real(sheet, "sparsity", 1 - density));
    GA_TRY(ga__sheet_integer(sheet, "reachable_pairs", f->reachable));
    GA_TRY(ga__sheet_real(sheet, "reachable_share", share(f->pairs, f->reachable)));
    GA_TRY(ga__sheet_integer(sheet, "shortest_row", f->shortest_row));
    GA_TRY(ga__sheet_integer(sheet, "longest_row", f->longest_row));
    GA_TRY(ga__sheet_real(sheet, "mean_row", share(f->pairs, s->is.queries)));
    GA_TRY(ga__sheet_integer(sheet, "empty_rows", f->empty_rows));
    GA_TRY(ga__sheet_integer(sheet, "returning_keys", f->returning));
    GA_TRY(ga__sheet_integer(sheet, "tile", s->is.tile));
    GA_TRY(ga__sheet_integer(sheet, "tiles", f->tiles));
    GA_TRY(ga__sheet_integer(sheet, "tiles_visited", f->tiles_visited));
    GA_TRY(ga__sheet_integer(sheet, "tiles_full", f->tiles_full));
    GA_TRY(ga__sheet_real(sheet, "tile_sparsity", 1 - share(f->tiles_visited, f->tiles)));
    status = ga__sheet_real(sheet, "tile_bound", share(f->tiles, f->tiles_visited));
done:
    return status;
}

/* What the heads see together, and how even their work is. */
static ga_status write_heads(const drawn *d, ga__sheet *sheet)
{
    ga_status status = GA_OK;
    int64_t heads = ga_pattern_heads(d->pattern), most = 0, all = 0;
    GA_TRY(ga__sheet_integer(sheet, "covered_pairs", d->facts.covered));
    GA_TRY(ga__sheet_real(sheet, "coverage", share(d->facts.covered, d->facts.reachable)));
    for (int64_t h = 0; h < heads; h++) {
        most = d->head_pairs[h] > most ? d->head_pairs[h] : most;
        all += d->head_pairs[h];
    }
    GA_TRY(ga__sheet_real(sheet, "imbalance", (double)most / ((double)all / (double)heads) - 1));
    for (int64_t h = 0; h < heads && heads > 1; h++) {
        char name[48];
        snprintf(name, sizeof name, "head_%lld_pairs", (long long)h);
        GA_TRY(ga__sheet_integer(sheet, name, d->head_pairs[h]));
    }
done:
    return status;
}

/* Pairs of two frames by their distance, on average, and all against the bound 4 T n log2 f. */
static ga_status write_frames(const drawn *d, ga__sheet *sheet)
{
    ga_status status = GA_OK;
    int64_t all = 0;
    if (!d->frame_pairs) {
        goto done;
    }
    for (int64_t i = 0; i < d->frames; i++) {
        all += d->frame_pairs[i];
    }
    double video = (double)d->frames * (double)d->tokens;
    double bound = 4 * (double)d->tokens * video * log2((double)d->frames);
    GA_TRY(ga__sheet_integer(sheet, "frames", d->frames));
    GA_TRY(ga__sheet_integer(sheet, "tokens_per_frame", d->tokens));
    GA_TRY(ga__sheet_integer(sheet, "video_pairs", all));
    GA_TRY(ga__sheet_real(sheet, "video_sparsity", 1 - (double)all / (video * video)));
    GA_TRY(ga__sheet_real(sheet, "video_bound", bound));
    GA_TRY(ga__sheet_real(sheet, "video_bound_share", bound > 0 ? (double)all / bound : NAN));
    for (int64_t i = 0; i < d->frames; i++) {
        char name[48];
        int64_t frame_pairs = i == 0 ? d->frames : 2 * (d->frames - i);
        snprintf(name, sizeof name, "frame_distance_%lld", (long long)i);
        GA_TRY(ga__sheet_real(sheet, name, share(d->frame_pairs[i], frame_pairs)));
    }
done:
    return status;
}

static ga_status write_report(session *s, const void *job, const char *path)
{
    ga_status status = GA_OK;
    const drawn *d = job;
    ga__sheet sheet = { .output = NULL };
    const char *at;
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    GA_TRY(write_pairs(s, d, &sheet));
    GA_TRY(write_heads(d, &sheet));
    GA_TRY(write_frames(d, &sheet));
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

/* ---- the pattern ---- */

static ga_status write_pattern(session *s, const void *job, const char *path)
{
    ga_status status = GA_OK;
    const drawn *d = job;
    ga_graph *graph = NULL;
    const char *at = path;
    if (is_picture(s)) {
        GA_TRY(place(s, path, &at));
        GA_TRY(ga_pattern_draw(s->context, d->pattern, head_of(s, d->pattern), s->is.pixels, at));
    } else {
        GA_TRY(ga_pattern_to_graph(s->context, d->pattern, head_of(s, d->pattern), &graph));
        GA_TRY(write_graph(s, graph, path));
    }
done:
    ga_graph_destroy(s->context, graph);
    return status;
}

ga_status mask_run(session *s)
{
    ga_status status = GA_OK;
    attend_inputs in = { .call = GA_ATTEND_CALL_INIT };
    ga_pattern *pattern = NULL;
    drawn d = { .head_pairs = NULL };
    GA_TRY(read_inputs(s, &in));
    status = ga_attend_pattern(s->context, s->operands[0], &in.call, s->is.heads, s->is.kv_heads,
                               s->is.queries, s->is.keys, &pattern);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    d.pattern = pattern;
    if (s->is.report) {
        GA_TRY(measure(s, &d));
    }
    const writer writers[] = { { writes_pattern(s) ? s->is.output : NULL, write_pattern },
                               { s->is.report, write_report } };
    status = write_all(s, writers, 2, &d);
done:
    ga_free(s->context, d.head_pairs);
    ga_free(s->context, d.frame_pairs);
    ga_pattern_destroy(s->context, pattern);
    free_inputs(s, &in);
    return status;
}
