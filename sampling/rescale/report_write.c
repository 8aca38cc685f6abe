/* report_write.c - the report of a rescaling as rows or as JSON. */
#include "config.h"

#include "sampling/rescale/rescale.h"

static ga_status dropped(ga__sheet *w, const ga_rescale_report *report)
{
    ga_status status = GA_OK;
    if (w->json) {
        GA_TRY(ga__sheet_begin(w, "dropped_edges", "["));
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

static ga_status counts(ga__sheet *w, const ga_rescale_report *r)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_integer(w, "nodes", r->nodes));
    GA_TRY(ga__sheet_integer(w, "edges", r->edges));
    GA_TRY(ga__sheet_real(w, "wanted_nodes", r->wanted_nodes));
    GA_TRY(ga__sheet_real(w, "wanted_edges", r->wanted_edges));
    GA_TRY(ga__sheet_integer(w, "clipped", r->clipped));
    GA_TRY(ga__sheet_integer(w, "balanced_nodes", r->balanced_nodes));
    GA_TRY(ga__sheet_integer(w, "delta", r->delta));
    GA_TRY(ga__sheet_integer(w, "touched", r->touched));
    GA_TRY(ga__sheet_integer(w, "rerouted", r->rerouted));
    GA_TRY(ga__sheet_integer(w, "dropped", r->dropped));
done:
    return status;
}

static ga_status distances(ga__sheet *w, const ga_rescale_report *r)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_real(w, "dcm_l1", r->dcm_l1));
    GA_TRY(ga__sheet_real(w, "dcm_l1_rounding", r->dcm_l1_rounding));
    GA_TRY(ga__sheet_real(w, "jdm_l1", r->jdm_l1));
    GA_TRY(ga__sheet_real(w, "jdm_l1_bound", r->jdm_l1_bound));
    GA_TRY(ga__sheet_real(w, "objective_value", r->objective_value));
    GA_TRY(ga__sheet_real(w, "ks_in", r->ks_in));
    GA_TRY(ga__sheet_real(w, "ks_out", r->ks_out));
    GA_TRY(ga__sheet_real(w, "ks_bound", r->ks_bound));
    GA_TRY(ga__sheet_text(w, "ks_bound_sides", r->ks_bound_in_only ? "in" : "both"));
    GA_TRY(ga__sheet_real(w, "jdd_tv", r->jdd_tv));
    GA_TRY(ga__sheet_real(w, "jdd_tv_log2", r->jdd_tv_log2));
    GA_TRY(ga__sheet_real(w, "dcd_tv", r->dcd_tv));
    GA_TRY(ga__sheet_real(w, "dcd_tv_log2", r->dcd_tv_log2));
done:
    return status;
}

ga_status ga__rescale_report_rows(ga__sheet *sheet, const ga_rescale_report *report)
{
    ga_status status = GA_OK;
    GA_TRY(counts(sheet, report));
    GA_TRY(distances(sheet, report));
    GA_TRY(ga__sheet_real(sheet, "r_min", report->r_min.all));
    GA_TRY(ga__sheet_real(sheet, "r_min_1", report->r_min.percent_1));
    GA_TRY(ga__sheet_real(sheet, "r_min_5", report->r_min.percent_5));
    GA_TRY(ga__sheet_unsigned(sheet, "seed", report->seed));
    GA_TRY(ga__sheet_integer(sheet, "rounds", report->rounds));
    GA_TRY(ga__sheet_real(sheet, "seconds", report->seconds));
    GA_TRY(ga__sheet_switch(sheet, "time_limit_hit", report->time_limit_hit));
    GA_TRY(dropped(sheet, report));
done:
    return status;
}

ga_status ga_rescale_report_write(ga_context *context, const ga_rescale_report *report, bool json,
                                  const char *path)
{
    ga_status status = GA_OK;
    ga__sheet sheet = { .context = context };
    if (!context) {
        return GA_INVALID;
    }
    ga__begin(context);
    if (!report || !path) {
        return ga__fail(context, GA_INVALID, "a report and a path are needed");
    }
    GA_TRY(ga__sheet_open(context, path, json, &sheet));
    GA_TRY(ga__rescale_report_rows(&sheet, report));
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

void ga_rescale_report_clear(ga_context *context, ga_rescale_report *report)
{
    if (report) {
        ga_free(context, report->dropped_edges);
        *report = (ga_rescale_report){ 0 };
    }
}
