/* output.c - results as rows name<TAB>value, or as one JSON object. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

ga_status rows_open(session *s, const char *path, rows_out *r)
{
    ga_status status = GA_OK;
    *r = (rows_out){ .context = s->context, .json = s->is.json };
    GA_TRY(ga__output_open(s->context, path, true, &r->output));
    status = ga__output_print(s->context, r->output, "%s", r->json ? "{" : "#name\tvalue\n");
done:
    return status;
}

/* value is written as it stands. */
static ga_status put(rows_out *r, const char *name, const char *value, bool quoted)
{
    const char *quote = quoted && r->json ? "\"" : "";
    const char *before = r->any ? ",\n " : "\n ";
    r->any = true;
    if (!r->json) {
        return ga__output_print(r->context, r->output, "%s\t%s\n", name, value);
    }
    return ga__output_print(r->context, r->output, "%s\"%s\": %s%s%s", before, name, quote, value, quote);
}

ga_status rows_integer(rows_out *r, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return put(r, name, text, false);
}

ga_status rows_unsigned(rows_out *r, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return put(r, name, text, false);
}

ga_status rows_real(rows_out *r, const char *name, double value)
{
    char text[32];
    if (r->json && !isfinite(value)) {
        return put(r, name, "null", false);
    }
    ga__format_double(text, value);
    return put(r, name, text, false);
}

ga_status rows_text(rows_out *r, const char *name, const char *value)
{
    return put(r, name, value, true);
}

ga_status rows_close(rows_out *r)
{
    ga_status status = GA_OK;
    if (r->json) {
        GA_TRY(ga__output_print(r->context, r->output, "\n}\n"));
    }
    status = ga__output_commit(r->context, r->output);
    r->output = NULL;
done:
    return status;
}

void rows_abort(rows_out *r)
{
    ga__output_abort(r->context, r->output);
    r->output = NULL;
}

int close_stdout(const char *name)
{
    bool bad = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) != 0 || bad) {
        int code = errno;
        if (caught_signal() == SIGPIPE) {
            return end_by_signal(SIGPIPE);
        }
        fprintf(stderr, "graphattn%s%s: standard output: %s\n", name ? " " : "", name ? name : "",
                code ? strerror(code) : "write error");
        return EXIT_FAILED;
    }
    return EXIT_GOOD;
}
