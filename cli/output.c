/* output.c - the end of standard output. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

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
