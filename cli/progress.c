/* progress.c - one line on standard error that says how far we are. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/session.h"

static void show(void *user, const char *stage, int64_t done, int64_t total)
{
    session *s = user;
    if (total > 0) {
        double share = 100.0 * (double)done / (double)total;
        fprintf(stderr, "\rgraphattn %s: %s %.0f %%\033[K", s->what->name, stage,
                share < 100 ? share : 100.0);
    } else {
        fprintf(stderr, "\rgraphattn %s: %s %lld\033[K", s->what->name, stage, (long long)done);
    }
    s->line_open = true;
}

void start_progress(session *s)
{
    enum { AUTO, ALWAYS, NEVER };
    s->started = ga__now();
    s->show_progress =
        s->is.progress == ALWAYS || (s->is.progress == AUTO && !s->is.quiet && isatty(STDERR_FILENO));
    if (s->show_progress) {
        ga_context_set_progress(s->context, show, s);
    }
}

void clear_line(session *s)
{
    if (s->line_open) {
        fputs("\r\033[K", stderr);
        s->line_open = false;
    }
}

void end_progress(session *s, bool good)
{
    clear_line(s);
    if (!s->show_progress || !good || s->nodes < 0) {
        return;
    }
    double seconds = ga__now() - s->started;
    fprintf(stderr, "graphattn %s: %lld nodes, %lld edges, %.2f s, %.3g edges/s\n", s->what->name,
            (long long)s->nodes, (long long)s->edges, seconds,
            seconds > 0 ? (double)s->edges / seconds : 0.0);
}
