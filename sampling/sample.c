/* sample.c - matrices, rescaling, construction and randomisation in one; other methods by their samplers. */
#include "config.h"

#include "graph/graph.h"
#include "sampling/classical/draw.h"
#include "sampling/realize/realize.h"
#include "sampling/rescale/rescale.h"

enum { TARGET_SWAPS = 10 }; /* swaps per edge when a target is set and no number is given */

static ga_status find_method(ga_context *context, const char *name, const ga_method_info **method)
{
    *method = ga_sample_method_find(name);
    return *method ? GA_OK
                   : ga__fail(context, GA_INVALID, "unknown sampling method \"%s\"", name ? name : "");
}

/* The method's parameters; jdm has its options in structs and none of these. */
static ga_status check_parameters(ga_context *context, const ga_sample_options *options,
                                  const ga_method_info *method)
{
    ga__part part;
    if (method->sampler) {
        return ga__classical_parameters(context, options, method, &part);
    }
    ga_status status = ga__part_open(context, "", method->name, NULL, &part);
    return status == GA_OK && options->parameter_count > 0
               ? ga__part_set(&part, options->parameters[0].name, options->parameters[0].value, ',')
               : status;
}

ga_status ga_sample_check(ga_context *context, const ga_sample_options *options)
{
    ga_status status = GA_OK;
    const ga_method_info *method;
    ga__begin(context);
    GA_TRY(find_method(context, options->method, &method));
    status = check_parameters(context, options, method);
done:
    return status;
}

static ga_status check_options(ga_context *context, const ga_graph *graph, const ga_sample_options *options)
{
    const ga_rescale_options *r = &options->rescale;
    if (options->keep_ids && (r->ratio > 0 ? r->ratio > 1 : r->nodes > graph->nodes)) {
        return ga__fail(context, GA_INVALID,
                        "a sample with more nodes than the graph cannot keep its node ids");
    }
    return GA_OK;
}

/* ---- what nodes take over from their donors ---- */

static ga_status donated_labels(ga_context *context, const ga__plan *plan, const int64_t *labels,
                                int64_t **taken)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, plan->nodes, taken));
    for (int64_t i = 0; i < plan->nodes; i++) {
        (*taken)[i] = labels[plan->donor[i]];
    }
done:
    return status;
}

/* The donors ascend, and so do their ids. */
static ga_status keep_ids(ga_context *context, const ga_graph *graph, const ga__plan *plan, ga_graph *sample)
{
    ga_status status = GA_OK;
    uint64_t *ids = NULL;
    bool differ = false;
    GA_TRY(GA_NEW(context, plan->nodes, &ids));
    for (int64_t i = 0; i < plan->nodes; i++) {
        ids[i] = graph->ids ? graph->ids[plan->donor[i]] : (uint64_t)plan->donor[i];
        differ |= ids[i] != (uint64_t)i;
        if (i > 0 && ids[i] <= ids[i - 1]) {
            GA_TRY(ga__fail(context, GA_INTERNAL, "node ids of the sample do not ascend"));
        }
    }
    if (differ) {
        sample->ids = ids;
        ids = NULL;
    }
done:
    ga_free(context, ids);
    return status;
}

/* ---- randomisation ---- */

static bool wants_target(const ga_rewire_options *options)
{
    return options->target_reciprocity >= 0 || options->target_transitivity >= 0;
}

static ga_status randomise(ga_context *context, const ga_sample_options *options, const ga__plan *plan,
                           ga_graph **sample, ga_rewire_report *report)
{
    ga_status status = GA_OK;
    ga_rewire_options rewire = options->rewire;
    ga_graph *rewired = NULL;
    int64_t *labels = NULL;
    if (rewire.swaps_per_edge <= 0 && wants_target(&rewire)) {
        rewire.swaps_per_edge = TARGET_SWAPS;
    }
    if (rewire.swaps_per_edge <= 0) {
        return GA_OK;
    }
    rewire.labels = NULL;
    if (options->labels) {
        GA_TRY(donated_labels(context, plan, options->labels, &labels));
        rewire.labels = labels;
    }
    GA_TRY(ga_rewire(context, *sample, &rewire, &rewired, report));
    ga_graph_destroy(context, *sample);
    *sample = rewired;
done:
    ga_free(context, labels);
    return status;
}

/* ---- all ---- */

static ga_status plan_sample(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                             ga__plan *plan, ga_rescale_report *report)
{
    ga_status status = GA_OK;
    ga__counted counted = { 0 };
    GA_TRY(ga__matrices_count(context, graph, options->labels, &counted));
    ga__cell_nodes nodes = { counted.first, counted.node };
    GA_TRY(ga__plan_make(context, counted.matrices, &nodes, &options->rescale, plan, report));
done:
    ga__counted_clear(context, &counted);
    return status;
}

static ga_status sample_jdm(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                            ga_graph **sample, int64_t **donors, ga_sample_report *report)
{
    ga_status status = GA_OK;
    ga__plan plan = { 0 };
    ga_graph *made = NULL;
    GA_TRY(check_options(context, graph, options));
    GA_TRY(plan_sample(context, graph, options, &plan, report ? &report->rescale : NULL));
    GA_TRY(ga__construct(context, plan.matrices, plan.nodes, plan.out_class, plan.in_class,
                         options->rescale.loops, options->rescale.multi, &made));
    GA_TRY(randomise(context, options, &plan, &made, report ? &report->rewire : NULL));
    if (options->keep_ids) {
        GA_TRY(keep_ids(context, graph, &plan, made));
    }
    *sample = made;
    made = NULL;
    *donors = plan.donor;
    plan.donor = NULL;
done:
    ga_graph_destroy(context, made);
    ga__plan_clear(context, &plan);
    return status;
}

ga_status ga_sample(ga_context *context, const ga_graph *graph, const ga_sample_options *options,
                    ga_graph **sample, int64_t **donors, ga_sample_report *report)
{
    ga_status status = GA_OK;
    const ga_method_info *method;
    int64_t *taken = NULL;
    ga_sample_report figures = { 0 };
    ga__begin(context);
    GA_TRY(find_method(context, options->method, &method));
    GA_TRY(check_parameters(context, options, method));
    GA_TRY(method->sampler ? ga__sample_classical(context, graph, options, method, sample, &taken)
                           : sample_jdm(context, graph, options, sample, &taken, report ? &figures : NULL));
    if (donors) {
        *donors = taken;
        taken = NULL;
    }
    if (report) {
        *report = figures;
        figures = (ga_sample_report){ 0 };
    }
done:
    ga_free(context, taken);
    ga_sample_report_clear(context, &figures);
    return status;
}
