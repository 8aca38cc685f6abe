/* rewire.h - randomisation inside: what sample needs beyond ga_rewire. */
#ifndef GA_SAMPLING_REWIRE_H
#define GA_SAMPLING_REWIRE_H

#include "lib/base/sheet.h"
#include "sampling/matrices.h"

/* Rows of the report, for sample's own. */
ga_status ga__rewire_report_rows(ga__sheet *sheet, const ga_rewire_report *report);

#endif
