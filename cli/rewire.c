/* rewire.c - graphattn rewire: a random graph with the same matrices. */
#include "config.h"

#include "cli/session.h"

static const option rows[] = {
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE",
      .help = "one integer for every node, in the order of ids; edges between labels stay, too" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "what was tried and changed, as rows name and value" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON" },
    { "time-limit", 0, OPTION_REAL, AT(time_limit), "SECONDS",
      .help = "give up on targets then; the result depends on the machine's speed (default: 0, none)" },
    { 0 }
};
const option_group rewire_options = { "Files", rows };

int rewire_check(session *s)
{
    if (s->is.loops == GA_LOOPS_KEEP || s->is.multi == GA_MULTI_KEEP) {
        return usage_error(s, "needs a simple graph: --loops=keep and --multi=keep cannot be had");
    }
    reads(s, input_path(s));
    reads(s, s->is.labels);
    writes(s, s->is.output);
    writes(s, s->is.report);
    int bad = check_target(s);
    return bad ? bad : check_graph_output(s);
}

typedef struct job {
    ga_graph *rewired;
    ga_rewire_report report;
} job;

static ga_status write_the_graph(session *s, const void *user, const char *path)
{
    return write_graph(s, ((const job *)user)->rewired, path);
}

static ga_status print_report(ga__sheet *r, const session *s, const ga_rewire_report *report)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_integer(r, "nodes", s->nodes));
    GA_TRY(ga__sheet_integer(r, "edges", s->edges));
    GA_TRY(ga__sheet_integer(r, "attempts", report->attempts));
    GA_TRY(ga__sheet_integer(r, "accepted", report->accepted));
    GA_TRY(ga__sheet_real(r, "acceptance", report->acceptance));
    GA_TRY(ga__sheet_real(r, "changed_edges", report->changed_edges));
    GA_TRY(ga__sheet_integer(r, "supersteps", report->supersteps));
    GA_TRY(ga__sheet_real(r, "reciprocity_before", report->reciprocity_before));
    GA_TRY(ga__sheet_real(r, "reciprocity", report->reciprocity));
    GA_TRY(ga__sheet_real(r, "transitivity_before", report->transitivity_before));
    GA_TRY(ga__sheet_real(r, "transitivity", report->transitivity));
    GA_TRY(ga__sheet_unsigned(r, "seed", s->is.seed));
    status = ga__sheet_real(r, "seconds", report->seconds);
done:
    return status;
}

static ga_status write_report(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    const job *j = user;
    const char *at;
    ga__sheet r = { 0 };
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &r));
    GA_TRY(print_report(&r, s, &j->report));
    status = ga__sheet_close(&r);
done:
    ga__sheet_abort(&r);
    return status;
}

ga_status rewire_run(session *s)
{
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    int64_t *labels = NULL;
    job j = { .rewired = NULL };
    ga_rewire_options o = rewire_settings(s, 10);
    writer writers[] = { { s->is.output, write_the_graph }, { s->is.report, write_report } };
    GA_TRY(read_graph(s, &graph, NULL, &labels));
    o.labels = labels;
    GA_TRY(ga_rewire(s->context, graph, &o, &j.rewired, &j.report));
    status = write_all(s, writers, 2, &j);
done:
    ga_graph_destroy(s->context, j.rewired);
    ga_free(s->context, labels);
    ga_graph_destroy(s->context, graph);
    return status;
}
