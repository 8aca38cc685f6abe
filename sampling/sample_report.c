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
    ga__sheet sheet = { .context = context };
    ga__begin(context);
    GA_TRY(ga__sheet_open(context, path, json, &sheet));
    GA_TRY(ga__rescale_report_rows(&sheet, &report->rescale));
    if (report->rewire.attempts > 0) {
        GA_TRY(ga__rewire_report_rows(&sheet, &report->rewire));
    }
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}
