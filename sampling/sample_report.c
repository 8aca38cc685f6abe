/* sample_report.c - the report of a sample: that of the rescaling, then that of the randomisation if there was one. */
#include "config.h"

#include "sampling/rescale/rescale.h"
#include "sampling/rewire/rewire.h"

void ga_sample_report_clear(ga_context *context, ga_sample_report *report)
{
    if (report) {
        ga_rescale_report_clear(context, &report->rescale);
    }
}

ga_status ga_sample_report_write(ga_context *context, const ga_sample_report *report, bool json,
                                 const char *path)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    ga__begin(context);
    GA_TRY(ga__output_open(context, path, true, &output));
    GA_TRY(ga__output_print(context, output, json ? "{\n" : "#name\tvalue\n"));
    GA_TRY(ga__rescale_report_rows(context, &report->rescale, json, output));
    if (report->rewire.attempts > 0) {
        GA_TRY(ga__rewire_report_rows(context, &report->rewire, json, output));
    }
    if (json) {
        GA_TRY(ga__output_print(context, output, "\n}\n"));
    }
    status = ga__output_commit(context, output);
    output = NULL;
done:
    ga__output_abort(context, output);
    return status;
}
