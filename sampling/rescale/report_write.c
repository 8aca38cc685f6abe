/* report_write.c - the report of a rescaling as rows or as JSON. */
#include "config.h"

#include <math.h>

#include "sampling/rescale/rescale.h"

typedef struct writing {
    ga_context *context;
    ga__output *output;
    bool json;
    const char *between; /* comes before the next member of the object */
} writing;

static ga_status row(writing *w, const char *name, const char *value)
{
    ga_status status = w->json
                           ? ga__output_print(w->context, w->output, "%s \"%s\": %s", w->between, name, value)
                           : ga__output_print(w->context, w->output, "%s\t%s\n", name, value);
    w->between = ",\n";
    return status;
}

static ga_status whole(writing *w, const char *name, int64_t value)
{
    char text[32];
    int at = value < 0;
    text[0] = '-';
    at += ga__format_u64(text + at, value < 0 ? -(uint64_t)value : (uint64_t)value);
    text[at] = 0;
    return row(w, name, text);
}

static ga_status real(writing *w, const char *name, double value)
{
    char text[32];
    if (w->json && !isfinite(value)) {
        return row(w, name, "null");
    }
    ga__format_double(text, value);
    return row(w, name, text);
}

static ga_status dropped(writing *w, const ga_rescale_report *report)
{
    ga_status status = GA_OK;
    if (w->json) {
        GA_TRY(row(w, "dropped_edges", "["));
    }
    for (int64_t i = 0; i < report->dropped_classes; i++) {
        const ga_dropped *d = &report->dropped_edges[i];
        const char *before = !w->json ? "dropped_edges\t" : i > 0 ? ", [" : "[";
        GA_TRY(ga__output_print(w->context, w->output,
                                w->json ? "%s%lld, %lld, %lld]" : "%s%lld\t%lld\t%lld\n", before,
                                (long long)d->out_degree, (long long)d->in_degree, (long long)d->edges));
    }
    if (w->json) {
        GA_TRY(ga__output_print(w->context, w->output, "]"));
    }
done:
    return status;
}

static ga_status counts(writing *w, const ga_rescale_report *r)
{
    ga_status status = GA_OK;
    GA_TRY(whole(w, "nodes", r->nodes));
    GA_TRY(whole(w, "edges", r->edges));
    GA_TRY(real(w, "wanted_nodes", r->wanted_nodes));
    GA_TRY(real(w, "wanted_edges", r->wanted_edges));
    GA_TRY(whole(w, "clipped", r->clipped));
    GA_TRY(whole(w, "balanced_nodes", r->balanced_nodes));
    GA_TRY(whole(w, "delta", r->delta));
    GA_TRY(whole(w, "touched", r->touched));
    GA_TRY(whole(w, "rerouted", r->rerouted));
    GA_TRY(whole(w, "dropped", r->dropped));
done:
    return status;
}

static ga_status distances(writing *w, const ga_rescale_report *r)
{
    ga_status status = GA_OK;
    GA_TRY(real(w, "dcm_l1", r->dcm_l1));
    GA_TRY(real(w, "dcm_l1_rounding", r->dcm_l1_rounding));
    GA_TRY(real(w, "jdm_l1", r->jdm_l1));
    GA_TRY(real(w, "jdm_l1_bound", r->jdm_l1_bound));
    GA_TRY(real(w, "objective_value", r->objective_value));
    GA_TRY(real(w, "ks_in", r->ks_in));
    GA_TRY(real(w, "ks_out", r->ks_out));
    GA_TRY(real(w, "ks_bound", r->ks_bound));
    GA_TRY(row(w, "ks_bound_sides",
               r->ks_bound_in_only ? (w->json ? "\"in\"" : "in")
               : w->json           ? "\"both\""
                                   : "both"));
    GA_TRY(real(w, "jdd_tv", r->jdd_tv));
    GA_TRY(real(w, "jdd_tv_log2", r->jdd_tv_log2));
    GA_TRY(real(w, "dcd_tv", r->dcd_tv));
    GA_TRY(real(w, "dcd_tv_log2", r->dcd_tv_log2));
done:
    return status;
}

ga_status ga__rescale_report_rows(ga_context *context, const ga_rescale_report *report, bool json,
                                  ga__output *output)
{
    ga_status status = GA_OK;
    writing w = { context, output, json, "" };
    char seed[32];
    GA_TRY(counts(&w, report));
    GA_TRY(distances(&w, report));
    GA_TRY(real(&w, "r_min", report->r_min.all));
    GA_TRY(real(&w, "r_min_1", report->r_min.percent_1));
    GA_TRY(real(&w, "r_min_5", report->r_min.percent_5));
    seed[ga__format_u64(seed, report->seed)] = 0;
    GA_TRY(row(&w, "seed", seed));
    GA_TRY(whole(&w, "rounds", report->rounds));
    GA_TRY(real(&w, "seconds", report->seconds));
    GA_TRY(row(&w, "time_limit_hit",
               json ? (report->time_limit_hit ? "true" : "false") : (report->time_limit_hit ? "1" : "0")));
    GA_TRY(dropped(&w, report));
done:
    return status;
}

ga_status ga_rescale_report_write(ga_context *context, const ga_rescale_report *report, bool json,
                                  const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    if (!context) {
        return GA_INVALID;
    }
    ga__begin(context);
    if (!report || !path) {
        return ga__fail(context, GA_INVALID, "a report and a path are needed");
    }
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(ga__output_print(context, output, json ? "{\n" : "#name\tvalue\n"));
    GA_TRY(ga__rescale_report_rows(context, report, json, output));
    if (json) {
        GA_TRY(ga__output_print(context, output, "\n}\n"));
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}

void ga_rescale_report_clear(ga_context *context, ga_rescale_report *report)
{
    if (report) {
        ga_free(context, report->dropped_edges);
        *report = (ga_rescale_report){ 0 };
    }
}
