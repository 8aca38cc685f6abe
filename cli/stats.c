/* stats.c - graphattn stats: summary statistics of a graph. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "metrics", 0, OPTION_TEXT, AT(metrics), "LIST",
      .help = "groups of statistics, joined by commas, or all (default: those that --list-methods marks)" },
    { "list-methods", 0, OPTION_SWITCH, AT(list_methods), .help = "list the groups and end" },
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE",
      .help = "labels: the label of each node, in the order of ids, -1 where it is not known" },
    { "alpha", 0, OPTION_TEXT, AT(of_method.alpha), "X",
      .help = "pagerank: probability of following an edge (default: 0.85)" },
    { "hop-sources", 0, OPTION_INTEGER, AT(hop_sources), "N",
      .help = "hop_plot: nodes that distances are measured from, above 20,000 nodes (default: 512)",
      .low = 1 },
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "write an array as .npy; --list-methods names them" },
    { 0 }
};
const option_group stats_options = { "Statistics", rows };

int stats_check(session *s)
{
    int bad = check_pairs(s, "--return", &s->is.returned);
    if (bad || s->is.list_methods) {
        writes(s, s->is.list_methods ? s->is.output : NULL);
        return bad;
    }
    if (s->is.returned.count > FILES - 4) {
        return usage_error(s, "too many files");
    }
    reads(s, input_path(s));
    reads(s, s->is.labels);
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *path = NULL;
        (void)split_pair(s->is.returned.words[i], &path);
        writes(s, path);
    }
    writes(s, s->is.output);
    return 0;
}

/* ---- the list ---- */

static ga_status list_groups(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    int count;
    const ga_metric_info *metrics = ga_metrics(&count);
    GA_TRY(ga__output_open(s->context, s->is.output, true, &out));
    for (int i = 0; i < count; i++) {
        const ga_metric_info *m = &metrics[i];
        GA_TRY(ga__output_print(s->context, out, "%s\t%s\tO(%s)\t%s\t", m->name,
                                m->standard ? "standard" : "-", m->cost, m->summary));
        for (int a = 0; m->arrays[a]; a++) {
            GA_TRY(ga__output_print(s->context, out, a ? ",%s" : "%s", m->arrays[a]));
        }
        GA_TRY(ga__output_print(s->context, out, m->arrays[0] ? "\n" : "-\n"));
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- what is asked for ---- */

/* The group that has the array NAME of --return NAME=FILE, or NULL. */
static const char *group_of_array(const char *pair, size_t length)
{
    int count;
    const ga_metric_info *metrics = ga_metrics(&count);
    for (int i = 0; i < count; i++) {
        for (int a = 0; metrics[i].arrays[a]; a++) {
            if (strlen(metrics[i].arrays[a]) == length && memcmp(metrics[i].arrays[a], pair, length) == 0) {
                return metrics[i].name;
            }
        }
    }
    return NULL;
}

static ga_status check_arrays(session *s)
{
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *pair = s->is.returned.words[i];
        size_t length = strcspn(pair, "=");
        if (!group_of_array(pair, length)) {
            s->wrong_usage = true;
            return complain(s, GA_INVALID, "--return: no array \"%.*s\"; --list-methods names them",
                            (int)length, pair);
        }
    }
    return GA_OK;
}

static ga_status read_alpha(session *s, double *alpha)
{
    const char *text = s->is.of_method.alpha;
    if (text && !ga__parse_double(text, (int64_t)strlen(text), alpha)) {
        s->wrong_usage = true;
        return complain(s, GA_INVALID, "--alpha: found \"%s\", expected a number", text);
    }
    return GA_OK;
}

/* labels: any pointer stands for those that will be read. */
static ga_status take_options(session *s, const int64_t *labels, ga_statistics_options *o)
{
    ga_status status = GA_OK;
    *o = (ga_statistics_options)GA_STATISTICS_OPTIONS_INIT;
    o->metrics = s->is.metrics;
    o->labels = labels;
    if (s->is.hop_sources > 0) {
        o->hop_sources = s->is.hop_sources;
    }
    GA_TRY(read_alpha(s, &o->alpha));
    status = ga_statistics_check(s->context, o);
    s->wrong_usage = status == GA_INVALID;
done:
    return status;
}

/* ---- writing ---- */

static ga_status write_array(session *s, const ga_statistics *found, const char *pair)
{
    ga_status status = GA_OK;
    const char *name = NULL, *path = NULL, *at;
    (void)split_pair(pair, &path);
    GA_TRY(pair_name(s, pair, &name));
    const DLTensor *array = ga_statistics_array(found, name);
    if (!array) {
        GA_TRY(complain(s, GA_INVALID, "--return %s: its group %s is not among the --metrics", name,
                        group_of_array(name, strlen(name))));
    }
    GA_TRY(place(s, path, &at));
    status = ga_npy_write(s->context, array, at);
done:
    ga_free(s->context, (void *)(uintptr_t)name);
    return status;
}

static ga_status print_value(ga__sheet *sheet, const ga_statistic *value)
{
    bool whole = value->integer && fabs(value->value) < 0x1p63;
    return whole ? ga__sheet_integer(sheet, value->name, (int64_t)value->value)
                 : ga__sheet_real(sheet, value->name, value->value);
}

static ga_status write_rows(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const ga_statistics *found = user;
    const char *at;
    ga__sheet sheet = { 0 };
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    for (int64_t i = 0; i < ga_statistics_count(found); i++) {
        GA_TRY(print_value(&sheet, ga_statistics_value(found, i)));
    }
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

static void tell_estimates(session *s, const ga_statistics *found, int64_t sources)
{
    const ga_statistic *diameter = ga_statistics_find(found, "diameter");
    if (diameter && diameter->estimated) {
        ga__tell(s->context, GA_NOTE, "hop_plot: estimated from %lld sources; the diameter is at least that",
                 (long long)sources);
    }
}

ga_status stats_run(session *s)
{
    static const int64_t some = 0;
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    int64_t *labels = NULL;
    ga_statistics *found = NULL;
    ga_statistics_options o;
    writer writers[] = { { s->is.output, write_rows } };
    if (s->is.list_methods) {
        return list_groups(s);
    }
    GA_TRY(check_arrays(s));
    GA_TRY(take_options(s, s->is.labels ? &some : NULL, &o));
    GA_TRY(read_graph(s, &graph, NULL, &labels));
    GA_TRY(take_options(s, labels, &o));
    GA_TRY(ga_statistics_compute(s->context, graph, &o, &found));
    tell_estimates(s, found, o.hop_sources);
    for (int i = 0; i < s->is.returned.count; i++) {
        GA_TRY(write_array(s, found, s->is.returned.words[i]));
    }
    status = write_all(s, writers, 1, found);
done:
    ga_statistics_destroy(s->context, found);
    ga_free(s->context, labels);
    ga_graph_destroy(s->context, graph);
    return status;
}
