/* report.c - graphattn report: one page of HTML about a graph and its samples, with everything in it. */
#include "config.h"

#include <string.h>

#include "cli/contest.h"

static const option rows[] = {
    { "output", 'o', OPTION_TEXT, AT(output), "FILE", .help = "where the page goes (default: -)" },
    { "title", 0, OPTION_TEXT, AT(title), "TEXT",
      .help = "heading of the page (default: the names of the files)" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "what graphattn sample --report wrote about the first sample: shown as a table" },
    { 0 }
};
const option_group report_options = { "Page", rows };

int report_check(session *s)
{
    int bad = contest_check(s);
    if (s->is.report) {
        reads(s, s->is.report);
    }
    writes(s, s->is.output);
    return bad;
}

typedef struct page {
    session *s;
    const contest *c;
    ga__output *out;
} page;

/* ---- text ---- */

#define PUT(p, ...) ga__output_print((p)->s->context, (p)->out, __VA_ARGS__)

/* Text with the characters of HTML and everything that is not printable as references. */
static ga_status put_text(const page *p, const char *text)
{
    ga_status status = GA_OK;
    for (const char *at = text; status == GA_OK && *at; at++) {
        unsigned char c = (unsigned char)*at;
        bool plain = c >= 128 || (c >= 32 && c != '<' && c != '>' && c != '&' && c != '"');
        status = plain ? ga__output_write(p->s->context, p->out, at, 1)
                       : PUT(p, "&#%d;", c >= 32 || c == '\t' ? c : '?');
    }
    return status;
}

static ga_status put_number(const page *p, const char *before, double value, bool integer)
{
    char text[40];
    if (isnan(value)) {
        snprintf(text, sizeof text, "-");
    } else if (integer && fabs(value) < 0x1p53) {
        snprintf(text, sizeof text, "%.0f", value);
    } else {
        snprintf(text, sizeof text, "%.5g", value);
    }
    return PUT(p, "%s%s", before, text);
}

/* ---- tables ---- */

static ga_status put_heads(const page *p, const char *first, bool original)
{
    ga_status status = GA_OK;
    GA_TRY(PUT(p, "<table>\n<tr><th>%s", first));
    if (original) {
        GA_TRY(PUT(p, "<th>"));
        GA_TRY(put_text(p, p->c->paths[0]));
    }
    for (int place = 0; place < p->c->samples; place++) {
        GA_TRY(PUT(p, "<th>"));
        GA_TRY(put_text(p, p->c->paths[p->c->order[place] + 1]));
    }
    status = PUT(p, "\n");
done:
    return status;
}

static ga_status put_distances(const page *p)
{
    ga_status status = GA_OK;
    const contest *c = p->c;
    GA_TRY(PUT(p, "<h2>Distances from the original</h2>\n<p>0: equal. The names are those of "
                  "graphattn-compare(1); the nearest sample stands first.</p>\n"));
    GA_TRY(put_heads(p, "distance", false));
    for (int64_t i = 0; i < ga_comparison_count(c->comparisons[0]); i++) {
        GA_TRY(PUT(p, "<tr><td>%s", ga_comparison_distance(c->comparisons[0], i)->name));
        for (int place = 0; place < c->samples; place++) {
            const ga_comparison *found = c->comparisons[c->order[place]];
            GA_TRY(put_number(p, "<td>", ga_comparison_distance(found, i)->value, false));
        }
        GA_TRY(PUT(p, "\n"));
    }
    if (c->samples > 1) {
        GA_TRY(PUT(p, "<tr class=\"sum\"><td>mean place"));
        for (int place = 0; place < c->samples; place++) {
            GA_TRY(put_number(p, "<td>", c->mean_place[c->order[place]], false));
        }
        GA_TRY(PUT(p, "\n"));
    }
    status = PUT(p, "</table>\n");
done:
    return status;
}

static ga_status put_statistics(const page *p)
{
    ga_status status = GA_OK;
    const ga_statistics *original = ga_comparison_statistics(p->c->comparisons[0], 0);
    GA_TRY(PUT(p, "<h2>Statistics</h2>\n"));
    GA_TRY(put_heads(p, "statistic", true));
    for (int64_t i = 0; i < ga_statistics_count(original); i++) {
        const ga_statistic *value = ga_statistics_value(original, i);
        GA_TRY(PUT(p, "<tr><td>%s", value->name));
        GA_TRY(put_number(p, "<td>", value->value, value->integer));
        for (int place = 0; place < p->c->samples; place++) {
            value =
                ga_statistics_value(ga_comparison_statistics(p->c->comparisons[p->c->order[place]], 1), i);
            GA_TRY(put_number(p, "<td>", value->value, value->integer));
        }
        GA_TRY(PUT(p, "\n"));
    }
    status = PUT(p, "</table>\n");
done:
    return status;
}

/* One line of the report of sample: name<TAB>value, or a comment. */
static ga_status put_line(const page *p, char *line)
{
    ga_status status = GA_OK;
    char *tab = strchr(line, '\t');
    if (line[0] == '#' || !tab) {
        return GA_OK;
    }
    *tab = '\0';
    GA_TRY(PUT(p, "<tr><td>"));
    GA_TRY(put_text(p, line));
    GA_TRY(PUT(p, "<td>"));
    GA_TRY(put_text(p, tab + 1));
    status = PUT(p, "\n");
done:
    return status;
}

static ga_status put_report(const page *p)
{
    ga_status status = GA_OK;
    enum { MOST = 1 << 20 };
    ga__input *in = NULL;
    char *text = NULL;
    int64_t got = 0;
    if (!p->s->is.report) {
        return GA_OK;
    }
    GA_TRY(ga__input_open(p->s->context, p->s->is.report, false, &in));
    GA_TRY(GA_NEW(p->s->context, MOST + 1, &text));
    GA_TRY(ga__input_read(p->s->context, in, text, MOST, &got));
    if (got == MOST || memchr(text, '\0', (size_t)got)) {
        GA_TRY(complain(p->s, GA_FORMAT, "%s: not a report of graphattn sample", p->s->is.report));
    }
    text[got] = '\0';
    GA_TRY(PUT(p, "<h2>How it was made</h2>\n<table>\n<tr><th>figure<th>value\n"));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        GA_TRY(put_line(p, line));
    }
    status = PUT(p, "</table>\n");
done:
    ga_free(p->s->context, text);
    ga__input_close(p->s->context, in);
    return status;
}

static ga_status put_pictures(const page *p)
{
    ga_status status = GA_OK;
    pictures *drawn = NULL;
    int count;
    GA_TRY(pictures_make(p->c, &drawn));
    const chart_panel *panels = pictures_panels(drawn, &count);
    GA_TRY(PUT(p, "<h2>Pictures</h2>\n"));
    status = chart_svg(p->s->context, p->out, panels, count, 2);
done:
    pictures_destroy(p->s, drawn);
    return status;
}

/* ---- the page ---- */

static ga_status put_title(const page *p)
{
    ga_status status = GA_OK;
    if (p->s->is.title) {
        return put_text(p, p->s->is.title);
    }
    GA_TRY(put_text(p, p->c->paths[0]));
    for (int i = 1; i <= p->c->samples; i++) {
        GA_TRY(PUT(p, i == 1 ? " and " : ", "));
        GA_TRY(put_text(p, p->c->paths[i]));
    }
done:
    return status;
}

static const char style[] =
    "body{font:15px/1.45 sans-serif;color:#222;max-width:62em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.15em .9em;text-align:right;border-bottom:1px solid #e4e4e4}"
    "th:first-child,td:first-child{text-align:left}th{border-bottom:1px solid #222}.sum td{font-weight:bold}"
    "svg{max-width:100%;height:auto}footer{margin-top:2em;color:#666}";

static ga_status put_page(const page *p)
{
    ga_status status = GA_OK;
    GA_TRY(PUT(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width\">\n<title>"));
    GA_TRY(put_title(p));
    GA_TRY(PUT(p, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style));
    GA_TRY(put_title(p));
    GA_TRY(PUT(p, "</h1>\n"));
    GA_TRY(put_distances(p));
    GA_TRY(put_pictures(p));
    GA_TRY(put_statistics(p));
    GA_TRY(put_report(p));
    status = PUT(p, "<footer>graphattn %s</footer>\n</body>\n</html>\n", ga_version());
done:
    return status;
}

static ga_status write_page(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const char *at;
    page p = { s, user, NULL };
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__output_open(s->context, at, true, &p.out));
    GA_TRY(put_page(&p));
    status = ga__output_commit(s->context, p.out);
    p.out = NULL;
done:
    ga__output_abort(s->context, p.out);
    return status;
}

ga_status report_run(session *s)
{
    contest c;
    writer writers[] = { { s->is.output, write_page } };
    ga_status status = contest_open(s, &c);
    if (status == GA_OK) {
        status = write_all(s, writers, 1, &c);
    }
    contest_clear(&c);
    return status;
}
