/* rewire_report.c - the rows of a rewiring in a report. */
#include "config.h"

#include <math.h>

#include "sampling/rewire/rewire.h"

static ga_status print_count(ga_context *context, ga__output *output, bool json, const char *name,
                             int64_t value)
{
    return ga__output_print(context, output, json ? ",\n  \"%s\": %lld" : "%s\t%lld\n", name,
                            (long long)value);
}

/* JSON has no word for "not a number": null. */
static ga_status print_value(ga_context *context, ga__output *output, bool json, const char *name,
                             double value)
{
    char text[32];
    int size = ga__format_double(text, value);
    text[size] = '\0';
    return ga__output_print(context, output, json ? ",\n  \"%s\": %s" : "%s\t%s\n", name,
                            json && !isfinite(value) ? "null" : text);
}

ga_status ga__rewire_report_rows(ga_context *context, const ga_rewire_report *report, bool json,
                                 ga__output *output)
{
    ga_status status = GA_OK;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = { { "swap_attempts", report->attempts },
                   { "swap_accepted", report->accepted },
                   { "swap_supersteps", report->supersteps } };
    const struct {
        const char *name;
        double value;
    } values[] = {
        { "swap_acceptance", report->acceptance }, { "swap_changed_edges", report->changed_edges },
        { "swap_seconds", report->seconds },       { "reciprocity_before", report->reciprocity_before },
        { "reciprocity", report->reciprocity },    { "transitivity_before", report->transitivity_before },
        { "transitivity", report->transitivity }
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        GA_TRY(print_count(context, output, json, counts[i].name, counts[i].value));
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        GA_TRY(print_value(context, output, json, values[i].name, values[i].value));
    }
done:
    return status;
}
