/* compare.c - graphattn compare: how far samples are from a graph. */
#include "config.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "cli/contest.h"

static const option rows[] = {
    { "plot", 0, OPTION_TEXT, AT(plot), "FILE",
      .help = "draw degrees, distances, clustering and joint degrees, as .svg, .png or .pdf" },
    { 0 }
};
const option_group compare_options = { "Pictures", rows };

int compare_check(session *s)
{
    int bad = contest_check(s);
    bad = bad ? bad : chart_check(s, s->is.plot);
    writes(s, s->is.plot);
    writes(s, s->is.output);
    return bad;
}

/* ---- one sample: rows of names and values ---- */

static ga_status print_value(ga__sheet *sheet, const char *name, const char *suffix, double value,
                             bool integer)
{
    char text[96];
    snprintf(text, sizeof text, "%s%s", name, suffix);
    return integer && fabs(value) < 0x1p53 ? ga__sheet_integer(sheet, text, (int64_t)value)
                                           : ga__sheet_real(sheet, text, value);
}

static ga_status print_statistics(ga__sheet *sheet, const ga_comparison *c)
{
    ga_status status = GA_OK;
    const ga_statistics *a = ga_comparison_statistics(c, 0), *b = ga_comparison_statistics(c, 1);
    for (int64_t i = 0; i < ga_statistics_count(a); i++) {
        const ga_statistic *of_a = ga_statistics_value(a, i), *of_b = ga_statistics_value(b, i);
        bool integer = of_a->integer && of_b->integer;
        GA_TRY(print_value(sheet, of_a->name, ".a", of_a->value, of_a->integer));
        GA_TRY(print_value(sheet, of_a->name, ".b", of_b->value, of_b->integer));
        GA_TRY(print_value(sheet, of_a->name, ".difference", of_b->value - of_a->value, integer));
    }
done:
    return status;
}

/* Only with --json: figures that differ from run to run. */
static ga_status print_seconds(ga__sheet *sheet, const ga_comparison *c)
{
    ga_status status = GA_OK;
    int groups;
    const ga_metric_info *metrics = ga_metrics(&groups);
    for (int64_t i = 0; i < ga_comparison_count(c); i++) {
        const ga_distance *d = ga_comparison_distance(c, i);
        GA_TRY(print_value(sheet, d->name, ".seconds", d->seconds, false));
    }
    for (int i = 0; i < groups; i++) {
        double a = ga_statistics_seconds(ga_comparison_statistics(c, 0), metrics[i].name);
        double b = ga_statistics_seconds(ga_comparison_statistics(c, 1), metrics[i].name);
        if (!isnan(a)) {
            GA_TRY(print_value(sheet, metrics[i].name, ".seconds", a + b, false));
        }
    }
done:
    return status;
}

static ga_status print_one(session *s, const contest *c, const char *at)
{
    ga_status status = GA_OK;
    ga__sheet sheet = { 0 };
    const ga_comparison *found = c->comparisons[0];
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    GA_TRY(ga__sheet_real(&sheet, "ratio", ga_comparison_ratio(found)));
    for (int64_t i = 0; i < ga_comparison_count(found); i++) {
        const ga_distance *d = ga_comparison_distance(found, i);
        GA_TRY(ga__sheet_real(&sheet, d->name, d->value));
    }
    GA_TRY(print_statistics(&sheet, found));
    if (s->is.json) {
        GA_TRY(print_seconds(&sheet, found));
    }
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

/* ---- several: a row each, the nearest first ---- */

static ga_status print_sample(session *s, const contest *c, int sample, ga__output *out)
{
    char number[32];
    const ga_comparison *found = c->comparisons[sample];
    ga__format_double(number, c->mean_place[sample]);
    ga_status status = ga__output_print(s->context, out, "%s\t%s", c->paths[sample + 1], number);
    for (int64_t i = 0; status == GA_OK && i < ga_comparison_count(found); i++) {
        ga__format_double(number, ga_comparison_distance(found, i)->value);
        status = ga__output_print(s->context, out, "\t%s", number);
    }
    return status == GA_OK ? ga__output_print(s->context, out, "\n") : status;
}

static ga_status print_rows(session *s, const contest *c, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "#sample\tmean_place"));
    for (int64_t i = 0; i < ga_comparison_count(c->comparisons[0]); i++) {
        GA_TRY(ga__output_print(s->context, out, "\t%s", ga_comparison_distance(c->comparisons[0], i)->name));
    }
    GA_TRY(ga__output_print(s->context, out, "\n"));
    for (int place = 0; place < c->samples; place++) {
        GA_TRY(print_sample(s, c, c->order[place], out));
    }
done:
    return status;
}

/* A failed json call gives NULL, which the next one refuses. */
static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *sample_object(const contest *c, int sample)
{
    const ga_comparison *found = c->comparisons[sample];
    json_t *object = json_pack("{s:s, s:o}", "sample", c->paths[sample + 1], "mean_place",
                               number_or_null(c->mean_place[sample]));
    for (int64_t i = 0; object && i < ga_comparison_count(found); i++) {
        const ga_distance *d = ga_comparison_distance(found, i);
        if (json_object_set_new(object, d->name, number_or_null(d->value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static ga_status print_array(session *s, const contest *c, ga__output *out)
{
    json_t *array = json_array();
    bool good = array != NULL;
    for (int place = 0; good && place < c->samples; place++) {
        good = json_array_append_new(array, sample_object(c, c->order[place])) == 0;
    }
    char *text = good ? json_dumps(array, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    ga_status status = text ? ga__output_print(s->context, out, "%s\n", text)
                            : complain(s, GA_NOMEM, "out of memory, or a file name that is not UTF-8");
    free(text);
    json_decref(array);
    return status;
}

static ga_status print_ranking(session *s, const contest *c, const char *at)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    GA_TRY(ga__output_open(s->context, at, true, &out));
    GA_TRY(s->is.json ? print_array(s, c, out) : print_rows(s, c, out));
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- the command ---- */

static ga_status write_table(session *s, const void *user, const char *path)
{
    const contest *c = user;
    const char *at;
    ga_status status = place(s, path, &at);
    if (status != GA_OK) {
        return status;
    }
    return c->samples == 1 ? print_one(s, c, at) : print_ranking(s, c, at);
}

static ga_status write_plot(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const char *at;
    pictures *drawn = NULL;
    int count;
    GA_TRY(place(s, path, &at));
    GA_TRY(pictures_make(user, &drawn));
    const chart_panel *panels = pictures_panels(drawn, &count);
    status = chart_write(s, path, at, panels, count, 2);
done:
    pictures_destroy(s, drawn);
    return status;
}

ga_status compare_run(session *s)
{
    contest c;
    writer writers[] = { { s->is.output, write_table }, { s->is.plot, write_plot } };
    ga_status status = contest_open(s, &c);
    if (status == GA_OK) {
        status = write_all(s, writers, 2, &c);
    }
    contest_clear(&c);
    return status;
}
