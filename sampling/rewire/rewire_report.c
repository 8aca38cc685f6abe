/* rewire_report.c - the rows of a rewiring in a report. */
#include "config.h"

#include "sampling/rewire/rewire.h"

ga_status ga__rewire_report_rows(ga__sheet *sheet, const ga_rewire_report *report)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_integer(sheet, "swap_attempts", report->attempts));
    GA_TRY(ga__sheet_integer(sheet, "swap_accepted", report->accepted));
    GA_TRY(ga__sheet_integer(sheet, "swap_supersteps", report->supersteps));
    GA_TRY(ga__sheet_real(sheet, "swap_acceptance", report->acceptance));
    GA_TRY(ga__sheet_real(sheet, "swap_changed_edges", report->changed_edges));
    GA_TRY(ga__sheet_real(sheet, "swap_seconds", report->seconds));
    GA_TRY(ga__sheet_real(sheet, "reciprocity_before", report->reciprocity_before));
    GA_TRY(ga__sheet_real(sheet, "reciprocity", report->reciprocity));
    GA_TRY(ga__sheet_real(sheet, "transitivity_before", report->transitivity_before));
    status = ga__sheet_real(sheet, "transitivity", report->transitivity);
done:
    return status;
}
