/* sheet.h - a report being written: rows name<TAB>value after a header, or one JSON object. */
#ifndef GA_LIB_BASE_SHEET_H
#define GA_LIB_BASE_SHEET_H

#include "lib/base/base.h"

typedef struct ga__sheet {
    ga_context *context;
    ga__output *output;
    bool json, line, any; /* line: the object in one line, set after opening; any: a row was written */
} ga__sheet;

ga_status ga__sheet_open(ga_context *context, const char *path, bool json, ga__sheet *sheet);
ga_status ga__sheet_integer(ga__sheet *sheet, const char *name, int64_t value);
ga_status ga__sheet_unsigned(ga__sheet *sheet, const char *name, uint64_t value);
/* Digits that read back exactly; not a number and infinite values are null in JSON, which has no word for them. */
ga_status ga__sheet_real(ga__sheet *sheet, const char *name, double value);
/* value needs no escapes. */
ga_status ga__sheet_text(ga__sheet *sheet, const char *name, const char *value);
/* true and false, or 1 and 0. */
ga_status ga__sheet_switch(ga__sheet *sheet, const char *name, bool value);
/* value as it stands: the caller goes on with sheet->output. */
ga_status ga__sheet_begin(ga__sheet *sheet, const char *name, const char *value);
/* Commits the output. */
ga_status ga__sheet_close(ga__sheet *sheet);
/* For failures; harmless after ga__sheet_close. */
void ga__sheet_abort(ga__sheet *sheet);

#endif
