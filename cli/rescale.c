/* rescale.c - graphattn rescale: realisable matrices near RATIO times the given ones. */
#include "config.h"

#include "cli/session.h"

static const char *const keep_words[] = { [GA_LOOPS_DROP] = "drop", [GA_LOOPS_KEEP] = "keep", NULL };
static const char *const multi_keep_words[] = {
    [GA_MULTI_COLLAPSE] = "collapse", [GA_MULTI_KEEP] = "keep", NULL
};

static const option rows[] = {
    { "jdm", 0, OPTION_TEXT, AT(jdm), "FILE", .help = "the joint degree matrix" },
    { "dcm", 0, OPTION_TEXT, AT(dcm), "FILE", .help = "the degree correlation matrix" },
    { "out-jdm", 0, OPTION_TEXT, AT(out_jdm), "FILE", .help = "where the rescaled joint degree matrix goes" },
    { "out-dcm", 0, OPTION_TEXT, AT(out_dcm), "FILE",
      .help = "where the rescaled degree correlation matrix goes" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "deviations and their bounds, as rows name and value" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON" },
    { "target-dcm", 0, OPTION_TEXT, AT(target_dcm), "FILE",
      .help = "this instead of rounding the degree correlation matrix" },
    { "plan-jdm", 0, OPTION_TEXT, AT(plan_jdm), "FILE", .help = "this instead of the quantile plan" },
    { "loops", 0, OPTION_WORD, AT(loops),
      .help = "drop: no loops in the result; keep: they may be (default: drop)", .words = keep_words },
    { "multi", 0, OPTION_WORD, AT(multi),
      .help = "keep: repeated edges may be in the result (default: collapse)", .words = multi_keep_words },
    { 0 }
};
const option_group rescale_options = { "Files", rows };

int rescale_check(session *s)
{
    const settings *is = &s->is;
    if (!is->jdm || !is->dcm) {
        return usage_error(s, "needs --jdm and --dcm");
    }
    if (!is->out_jdm && !is->out_dcm && !is->report) {
        return usage_error(s, "needs --out-jdm, --out-dcm or --report");
    }
    reads(s, is->jdm);
    reads(s, is->dcm);
    reads(s, is->target_dcm);
    reads(s, is->plan_jdm);
    writes(s, is->out_jdm);
    writes(s, is->out_dcm);
    writes(s, is->report);
    return check_size(s);
}

typedef struct job {
    ga_matrices *rescaled;
    ga_rescale_report report;
} job;

static ga_status write_jdm(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_jdm_write(s->context, j->rescaled, at) : status;
}

static ga_status write_dcm(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_dcm_write(s->context, j->rescaled, at) : status;
}

static ga_status write_report(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_rescale_report_write(s->context, &j->report, s->is.json, at) : status;
}

static ga_status write_results(session *s, const job *j)
{
    writer writers[] = { { s->is.out_jdm, write_jdm },
                         { s->is.out_dcm, write_dcm },
                         { s->is.report, write_report } };
    s->nodes = j->report.nodes;
    s->edges = j->report.edges;
    return write_all(s, writers, 3, j);
}

ga_status rescale_run(session *s)
{
    ga_status status = GA_OK;
    ga_matrices *given = NULL, *target = NULL, *plan = NULL;
    job j = { .rescaled = NULL };
    ga_rescale_options o = rescale_settings(s);
    GA_TRY(ga_matrices_read(s->context, s->is.jdm, s->is.dcm, &given));
    if (s->is.target_dcm) {
        GA_TRY(ga_matrices_read(s->context, NULL, s->is.target_dcm, &target));
    }
    if (s->is.plan_jdm) {
        GA_TRY(ga_matrices_read(s->context, s->is.plan_jdm, NULL, &plan));
    }
    o.target_dcm = target;
    o.plan_jdm = plan;
    GA_TRY(ga_rescale(s->context, given, &o, &j.rescaled, &j.report));
    status = write_results(s, &j);
done:
    ga_rescale_report_clear(s->context, &j.report);
    ga_matrices_destroy(s->context, j.rescaled);
    ga_matrices_destroy(s->context, plan);
    ga_matrices_destroy(s->context, target);
    ga_matrices_destroy(s->context, given);
    return status;
}
