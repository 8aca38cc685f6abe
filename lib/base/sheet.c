/* sheet.c - reports as rows or as JSON. */
#include "config.h"

#include "lib/base/sheet.h"

#include <math.h>

ga_status ga__sheet_open(ga_context *context, const char *path, bool json, ga__sheet *sheet)
{
    ga_status status = GA_OK;
    *sheet = (ga__sheet){ .context = context, .json = json };
    GA_TRY(ga__output_open(context, path, true, &sheet->output));
    status = ga__output_print(context, sheet->output, "%s", json ? "{" : "#name\tvalue\n");
done:
    return status;
}

ga_status ga__sheet_begin(ga__sheet *sheet, const char *name, const char *value)
{
    const char *between = sheet->any ? "," : "", *space = !sheet->line ? "\n " : sheet->any ? " " : "";
    sheet->any = true;
    return sheet->json ? ga__output_print(sheet->context, sheet->output, "%s%s\"%s\": %s", between, space,
                                          name, value)
                       : ga__output_print(sheet->context, sheet->output, "%s\t%s\n", name, value);
}

ga_status ga__sheet_integer(ga__sheet *sheet, const char *name, int64_t value)
{
    char text[32];
    int at = value < 0;
    text[0] = '-';
    at += ga__format_u64(text + at, value < 0 ? -(uint64_t)value : (uint64_t)value);
    text[at] = '\0';
    return ga__sheet_begin(sheet, name, text);
}

ga_status ga__sheet_unsigned(ga__sheet *sheet, const char *name, uint64_t value)
{
    char text[32];
    text[ga__format_u64(text, value)] = '\0';
    return ga__sheet_begin(sheet, name, text);
}

ga_status ga__sheet_real(ga__sheet *sheet, const char *name, double value)
{
    char text[32];
    if (sheet->json && !isfinite(value)) {
        return ga__sheet_begin(sheet, name, "null");
    }
    ga__format_double(text, value);
    return ga__sheet_begin(sheet, name, text);
}

ga_status ga__sheet_text(ga__sheet *sheet, const char *name, const char *value)
{
    ga_status status = GA_OK;
    if (!sheet->json) {
        return ga__sheet_begin(sheet, name, value);
    }
    GA_TRY(ga__sheet_begin(sheet, name, "\""));
    status = ga__output_print(sheet->context, sheet->output, "%s\"", value);
done:
    return status;
}

ga_status ga__sheet_switch(ga__sheet *sheet, const char *name, bool value)
{
    return ga__sheet_begin(sheet, name, sheet->json ? (value ? "true" : "false") : (value ? "1" : "0"));
}

ga_status ga__sheet_close(ga__sheet *sheet)
{
    ga_status status = GA_OK;
    if (sheet->json) {
        GA_TRY(ga__output_print(sheet->context, sheet->output, "%s}\n", sheet->line ? "" : "\n"));
    }
    status = ga__output_commit(sheet->context, sheet->output);
    sheet->output = NULL;
done:
    return status;
}

void ga__sheet_abort(ga__sheet *sheet)
{
    ga__output_abort(sheet->context, sheet->output);
    sheet->output = NULL;
}
