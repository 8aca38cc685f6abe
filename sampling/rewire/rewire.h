/* rewire.h - randomisation inside: what sample needs beyond ga_rewire. */
#ifndef GA_SAMPLING_REWIRE_H
#define GA_SAMPLING_REWIRE_H

#include "sampling/matrices.h"

/* Rows of the report for sample's own writer: appends to an open output. json: members, each preceded by a comma. */
struct ga__output;
ga_status ga__rewire_report_rows(ga_context *context, const ga_rewire_report *report, bool json,
                                 struct ga__output *output);

#endif
