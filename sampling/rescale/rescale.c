/* rescale.c - the public call: realisable integer matrices near ratio times the given ones. */
#include "config.h"

#include "sampling/rescale/rescale.h"

/* The kind of classes must agree: degrees, or degrees with labels. */
static ga_status check_labels(ga_context *context, const ga_matrices *matrices, const ga_matrices *other,
                              const char *name)
{
    bool one = matrices->out.label != NULL, two = other && other->out.label != NULL;
    if (other && other->dcm.count + other->jdm.count > 0 && one != two) {
        return ga__fail(context, GA_INVALID, "%s %s labels, the matrices %s", name, two ? "has" : "has no",
                        one ? "have some" : "have none");
    }
    return GA_OK;
}

ga_status ga_rescale(ga_context *context, const ga_matrices *matrices, const ga_rescale_options *options,
                     ga_matrices **rescaled, ga_rescale_report *report)
{
    ga_status status = GA_OK;
    ga_rescale_options defaults = GA_RESCALE_OPTIONS_INIT;
    ga__plan plan = { 0 };
    if (!context) {
        return GA_INVALID;
    }
    ga__begin(context);
    options = options ? options : &defaults;
    if (!matrices || !rescaled) {
        return ga__fail(context, GA_INVALID, "matrices and a place for the rescaled ones are needed");
    }
    GA_TRY(check_labels(context, matrices, options->target_dcm, "--target-dcm"));
    GA_TRY(check_labels(context, matrices, options->plan_jdm, "--plan-jdm"));
    GA_TRY(ga_matrices_check(context, matrices, options->loops, options->multi, NULL, NULL));
    GA_TRY(ga__plan_make(context, matrices, NULL, options, &plan, report));
    *rescaled = plan.matrices;
    plan.matrices = NULL;
done:
    ga__plan_clear(context, &plan);
    return status;
}
