/* plan.c - from two matrices and a ratio to the sample's nodes and matrices: the order of things. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sampling/rescale/plan.h"

/* ---- what is wanted ---- */

static ga_status check_options(ga_context *context, const ga_rescale_options *o)
{
    if (o->nodes < 0) {
        return ga__fail(context, GA_INVALID, "--nodes %lld: a sample has at least one node",
                        (long long)o->nodes);
    }
    if (!(o->ratio > 0 || (o->ratio == 0 && o->nodes > 0)) || !isfinite(o->ratio)) {
        return ga__fail(context, GA_INVALID, "--ratio %g: expected a number above 0", o->ratio);
    }
    if (o->ratio > 0 && o->nodes > 0) {
        return ga__fail(context, GA_INVALID, "--ratio and --nodes exclude each other");
    }
    if (!(o->lambda >= 0) || !isfinite(o->lambda)) {
        return ga__fail(context, GA_INVALID, "--lambda %g: expected a number of at least 0", o->lambda);
    }
    if (!(o->degree_cap > 0 && o->degree_cap <= 1)) {
        return ga__fail(context, GA_INVALID, "--degree-cap %g: expected a number above 0 and at most 1",
                        o->degree_cap);
    }
    if (!(o->time_limit >= 0)) {
        return ga__fail(context, GA_INVALID, "--time-limit %g: expected seconds, at least 0", o->time_limit);
    }
    return GA_OK;
}

/* Both sums must agree: every edge has two ends. */
static ga_status check_target(ga_context *context, const ga_matrices *target)
{
    int64_t out = 0, in = 0;
    for (int64_t i = 0; i < target->dcm.count; i++) {
        int64_t nodes = target->dcm.entry[i], out_stubs, in_stubs;
        if (nodes < 0) {
            return ga__fail(context, GA_INFEASIBLE, "--target-dcm: C0 dcm cell %lld %lld: %lld nodes",
                            (long long)target->in.degree[target->dcm.row[i]],
                            (long long)target->out.degree[target->dcm.column[i]], (long long)nodes);
        }
        if (!ga__mul(nodes, target->out.degree[target->dcm.column[i]], &out_stubs) ||
            !ga__mul(nodes, target->in.degree[target->dcm.row[i]], &in_stubs) ||
            !ga__add(out, out_stubs, &out) || !ga__add(in, in_stubs, &in)) {
            return ga__fail(context, GA_OVERFLOW, "--target-dcm: more than 2^63 edges");
        }
    }
    if (out != in) {
        return ga__fail(context, GA_INFEASIBLE,
                        "--target-dcm: the in-degrees sum to %lld, the out-degrees to %lld", (long long)in,
                        (long long)out);
    }
    return GA_OK;
}

static ga_status find_nodes(ga_context *context, ga__draft *draft)
{
    const ga_rescale_options *o = draft->options;
    int64_t n = draft->original->dcm.total;
    if (n == 0 && (o->ratio <= 0 || o->target_dcm)) {
        return ga__fail(context, GA_INVALID, "the original has no nodes");
    }
    draft->ratio = o->ratio > 0 ? o->ratio : (double)o->nodes / (double)n;
    double wanted = draft->ratio * (double)n;
    if (wanted >= 0x1p62 || draft->ratio * (double)draft->original->jdm.total >= 0x1p62) {
        return ga__fail(context, GA_OVERFLOW, "--ratio %g: the sample would be too large", draft->ratio);
    }
    /* 1e-9: a ratio is written in decimals, and 0.7 * 45 must count as 31.5 */
    draft->nodes = o->target_dcm  ? o->target_dcm->dcm.total
                   : o->ratio > 0 ? (int64_t)floor(wanted + 0.5 + 1e-9)
                                  : o->nodes;
    draft->report->wanted_nodes = wanted;
    draft->report->wanted_edges = draft->ratio * (double)draft->original->jdm.total;
    if (draft->nodes <= 0 && n > 0) {
        return ga__fail(context, GA_INVALID, "--ratio %g: %g of %lld nodes leave no node", draft->ratio,
                        draft->ratio, (long long)n);
    }
    return GA_OK;
}

static void find_degree_cap(ga__draft *draft)
{
    const ga_rescale_options *o = draft->options;
    int64_t most = o->loops == GA_LOOPS_KEEP ? draft->nodes : draft->nodes - 1;
    draft->degree_cap = o->degree_cap < 1           ? (int64_t)floor(o->degree_cap * (double)most)
                        : o->multi == GA_MULTI_KEEP ? INT64_MAX
                                                    : most;
}

/* ---- stage 1 ---- */

static ga_status stage_one(ga_context *context, ga__draft *draft, const ga__cell_nodes *nodes)
{
    ga_status status = GA_OK;
    const ga_rescale_options *o = draft->options;
    int64_t *entry = NULL;
    if (o->target_dcm) {
        draft->report->dcm_l1_rounding = NAN;
        GA_TRY(ga__draw_donors(context, draft, NULL, o->target_dcm->dcm.entry));
    } else {
        ga__progress(context, "rescaling nodes", 0, 0);
        GA_TRY(GA_NEW(context, draft->original->dcm.count, &entry));
        GA_TRY(ga__choose_rounding(context, draft, entry));
        GA_TRY(ga__draw_donors(context, draft, nodes, entry));
    }
    GA_TRY(ga__balance(context, draft));
done:
    ga_free(context, entry);
    return status;
}

/* ---- stage 2 ---- */

/* A plan within the caps with the right sums, or *missing units that cannot be had. */
static ga_status feasible_plan(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                               bool given, ga__tally *plan, int64_t *missing)
{
    ga_status status = GA_OK;
    int64_t over;
    plan->count = 0;
    GA_TRY(given ? ga__given_plan(context, draft->options->plan_jdm, stage, plan)
                 : ga__quantile_plan(context, draft, stage, plan));
    GA_TRY(ga__cut_to_caps(context, stage, plan, &over));
    draft->report->rerouted = over;
    GA_TRY(ga__fill(context, stage, true, plan, missing));
done:
    return status;
}

/* Ends, since every round with something missing takes edges away. */
static ga_status stage_two(ga_context *context, ga__draft *draft, ga__stage *stage)
{
    ga_status status = GA_OK;
    ga__tally plan = { 0 };
    int64_t missing = 0;
    bool given = draft->options->plan_jdm != NULL;
    ga__progress(context, "rescaling edges", 0, 0);
    do {
        ga__stage_clear(context, stage);
        GA_TRY(ga__check(context));
        GA_TRY(ga__stage_count(context, draft, stage));
        GA_TRY(feasible_plan(context, draft, stage, given, &plan, &missing));
        if (missing > 0) {
            GA_TRY(ga__drop(context, draft, stage, &plan));
        }
        given = false; /* edges were dropped: the plan's sums are no longer right */
    } while (missing > 0);
    draft->deadline = draft->options->time_limit > 0 ? ga__now() + draft->options->time_limit : 0;
    GA_TRY(ga__best_jdm(context, draft, stage, &plan, &stage->jdm));
done:
    ga__tally_clear(context, &plan);
    return status;
}

/* ---- the result ---- */

static void put_side(const ga__side *side, ga__classes *classes)
{
    memcpy(classes->degree, side->degree, (size_t)side->count * sizeof *side->degree);
    if (side->label) {
        memcpy(classes->label, side->label, (size_t)side->count * sizeof *side->label);
    }
}

static void put_cells(const ga__tally *tally, ga__cells *cells)
{
    cells->total = 0;
    for (int64_t i = 0; i < tally->count; i++) {
        cells->row[i] = tally->row[i];
        cells->column[i] = tally->column[i];
        cells->entry[i] = tally->entry[i];
        cells->total += tally->entry[i];
    }
}

static ga_status put_matrices(ga_context *context, const ga__stage *stage, ga_matrices **matrices)
{
    ga_status status = ga__matrices_new(context, stage->out.count, stage->in.count, stage->out.label != NULL,
                                        stage->dcm.count, stage->jdm.count, matrices);
    if (status == GA_OK) {
        put_side(&stage->out, &(*matrices)->out);
        put_side(&stage->in, &(*matrices)->in);
        put_cells(&stage->dcm, &(*matrices)->dcm);
        put_cells(&stage->jdm, &(*matrices)->jdm);
    }
    return status;
}

static int64_t count_touched(const ga__draft *draft)
{
    const ga_matrices *base = draft->base;
    int64_t touched = 0;
    for (int64_t i = 0; i < draft->nodes; i++) {
        touched += draft->out[i] != base->out.degree[base->dcm.column[draft->cell[i]]] ||
                   draft->in[i] != base->in.degree[base->dcm.row[draft->cell[i]]];
    }
    return touched;
}

static ga_status plan_in_two_stages(ga_context *context, ga__draft *draft, const ga__cell_nodes *nodes,
                                    ga__plan *plan)
{
    ga_status status = GA_OK;
    ga__stage stage = { 0 };
    GA_TRY(stage_one(context, draft, nodes));
    GA_TRY(stage_two(context, draft, &stage));
    GA_TRY(put_matrices(context, &stage, &plan->matrices));
    draft->report->touched = count_touched(draft);
    plan->nodes = draft->nodes;
    plan->donor = draft->donor;
    plan->donor_cell = draft->cell;
    plan->out_class = stage.node_out;
    plan->in_class = stage.node_in;
    draft->donor = NULL;
    draft->cell = NULL;
    stage.node_out = stage.node_in = NULL;
done:
    ga__stage_clear(context, &stage);
    return status;
}

/* ---- whole ratios: r D and r J themselves ---- */

static bool is_whole(const ga__draft *draft)
{
    const ga_rescale_options *o = draft->options;
    if (draft->original->dcm.total == 0) {
        return true; /* any ratio times nothing */
    }
    return draft->ratio >= 1 && draft->ratio == floor(draft->ratio) && !o->target_dcm && !o->plan_jdm &&
           o->degree_cap >= 1;
}

static void multiply(const ga__cells *from, int64_t times, ga__cells *to)
{
    to->total = times * from->total;
    for (int64_t i = 0; i < from->count; i++) {
        to->row[i] = from->row[i];
        to->column[i] = from->column[i];
        to->entry[i] = times * from->entry[i];
    }
}

static ga_status multiply_nodes(ga_context *context, const ga__draft *draft, const ga__cell_nodes *nodes,
                                int64_t times, ga__plan *plan)
{
    ga_status status = GA_OK;
    const ga__cells *dcm = &draft->original->dcm;
    GA_TRY(GA_NEW(context, draft->nodes, &plan->donor));
    GA_TRY(GA_NEW(context, draft->nodes, &plan->donor_cell));
    GA_TRY(GA_NEW(context, draft->nodes, &plan->out_class));
    GA_TRY(GA_NEW(context, draft->nodes, &plan->in_class));
    for (int64_t c = 0; c < dcm->count; c++) {
        for (int64_t j = nodes->first[c]; j < nodes->first[c + 1]; j++) {
            for (int64_t i = times * nodes->node[j]; i < times * (nodes->node[j] + INT64_C(1)); i++) {
                plan->donor[i] = nodes->node[j];
                plan->donor_cell[i] = (int32_t)c;
                plan->out_class[i] = dcm->column[c];
                plan->in_class[i] = dcm->row[c];
            }
        }
    }
done:
    return status;
}

static ga_status plan_multiple(ga_context *context, const ga__draft *draft, const ga__cell_nodes *nodes,
                               ga__plan *plan)
{
    ga_status status = GA_OK;
    const ga_matrices *m = draft->original;
    int64_t times = (int64_t)draft->ratio;
    ga__side out = { .count = m->out.count, .degree = m->out.degree, .label = m->out.label };
    ga__side in = { .count = m->in.count, .degree = m->in.degree, .label = m->in.label };
    GA_TRY(ga__matrices_new(context, m->out.count, m->in.count, m->out.label != NULL, m->dcm.count,
                            m->jdm.count, &plan->matrices));
    put_side(&out, &plan->matrices->out);
    put_side(&in, &plan->matrices->in);
    multiply(&m->dcm, times, &plan->matrices->dcm);
    multiply(&m->jdm, times, &plan->matrices->jdm);
    plan->nodes = draft->nodes;
    double lambda = draft->options->objective == GA_OBJECTIVE_L1 ? 0 : draft->options->lambda;
    draft->report->objective_value = (2 + lambda) * (double)plan->matrices->jdm.total;
    if (nodes) {
        GA_TRY(multiply_nodes(context, draft, nodes, times, plan));
    }
done:
    return status;
}

/* ---- all of it ---- */

static int compare_labels(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* 1 without labels. */
static ga_status count_labels(ga_context *context, const ga__classes *classes, int64_t *labels)
{
    ga_status status = GA_OK;
    int64_t *list = NULL;
    *labels = 1;
    if (classes->label && classes->count > 0) {
        GA_TRY(GA_NEW(context, classes->count, &list));
        memcpy(list, classes->label, (size_t)classes->count * sizeof *list);
        qsort(list, (size_t)classes->count, sizeof *list, compare_labels);
        for (int64_t i = 1; i < classes->count; i++) {
            *labels += list[i] != list[i - 1];
        }
    }
done:
    ga_free(context, list);
    return status;
}

/* What the user should know even if nobody asks for the report. */
static ga_status warn(ga_context *context, const ga__draft *draft)
{
    ga_status status = GA_OK;
    ga_rescale_report *report = draft->report;
    GA_TRY(ga_matrices_r_min(context, draft->original, &report->r_min));
    if (draft->ratio < report->r_min.percent_5) {
        ga__tell(context, GA_WARNING,
                 "ratio %g is below r_min_5 = %g: more than 5 %% of the edges lie between degrees "
                 "that are too dense to be scaled",
                 draft->ratio, report->r_min.percent_5);
    }
    if (report->dropped > 0) {
        ga__tell(context, GA_WARNING, "%lld edge%s dropped: no simple graph with these degrees can hold more",
                 (long long)report->dropped, report->dropped == 1 ? " was" : "s were");
    }
done:
    return status;
}

static ga_status finish_report(ga_context *context, const ga__draft *draft, const ga__plan *plan,
                               double began)
{
    ga_status status = GA_OK;
    ga_rescale_report *report = draft->report;
    const ga_rescale_options *o = draft->options;
    int64_t labels;
    GA_TRY(ga__compare_plan(context, draft->original, plan->matrices, o, draft->ratio, report));
    GA_TRY(count_labels(context, &draft->original->out, &labels));
    report->ks_bound = o->target_dcm || plan->nodes == 0
                           ? NAN
                           : (1 + (double)labels + (double)report->touched) / (double)plan->nodes;
    report->ks_bound_in_only = o->rounding == GA_ROUNDING_SYSTEMATIC && !is_whole(draft);
    report->seed = ga_context_seed(context);
    report->seconds = ga__now() - began;
done:
    return status;
}

ga_status ga__plan_make(ga_context *context, const ga_matrices *original, const ga__cell_nodes *nodes,
                        const ga_rescale_options *options, ga__plan *plan, ga_rescale_report *report)
{
    ga_status status = GA_OK;
    double began = ga__now();
    ga_rescale_report figures = { 0 };
    ga__plan made = { 0 };
    ga__draft draft = { .original = original,
                        .base = options->target_dcm ? options->target_dcm : original,
                        .options = options,
                        .report = &figures };
    GA_TRY(check_options(context, options));
    if (options->target_dcm && nodes) {
        status = ga__fail(context, GA_INVALID,
                          "--target-dcm says nothing of donors: rescale takes it, sample does not");
        goto done;
    }
    if (options->target_dcm) {
        GA_TRY(check_target(context, options->target_dcm));
    }
    GA_TRY(find_nodes(context, &draft));
    find_degree_cap(&draft);
    GA_TRY(is_whole(&draft) ? plan_multiple(context, &draft, nodes, &made)
                            : plan_in_two_stages(context, &draft, nodes, &made));
    GA_TRY(warn(context, &draft));
    if (report) {
        GA_TRY(finish_report(context, &draft, &made, began));
        *report = figures;
        figures = (ga_rescale_report){ 0 };
    }
    *plan = made;
    made = (ga__plan){ 0 };
done:
    ga__plan_clear(context, &made);
    ga_rescale_report_clear(context, &figures);
    ga_free(context, draft.donor);
    ga_free(context, draft.cell);
    ga_free(context, draft.out);
    ga_free(context, draft.in);
    return status;
}

void ga__plan_clear(ga_context *context, ga__plan *plan)
{
    ga_matrices_destroy(context, plan->matrices);
    ga_free(context, plan->donor);
    ga_free(context, plan->donor_cell);
    ga_free(context, plan->out_class);
    ga_free(context, plan->in_class);
    *plan = (ga__plan){ 0 };
}
