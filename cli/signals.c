/* signals.c - stopping on request: the library is asked to give up, so that temporary files vanish. */
#include "config.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/session.h"

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
}

/* The second signal of a kind does what it does by default. Reads and writes are interrupted. */
static void catch_one(int number, int flags)
{
    struct sigaction action, old;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN && number != SIGPIPE) {
        return; /* nohup, or a job in the background of a shell without job control */
    }
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

void catch_signals(void)
{
    catch_one(SIGINT, (int)SA_RESETHAND);
    catch_one(SIGTERM, (int)SA_RESETHAND);
    catch_one(SIGHUP, (int)SA_RESETHAND);
    /* writing to a closed pipe fails with EPIPE; we clean up and die by the signal afterwards */
    catch_one(SIGPIPE, 0);
    /* a limit of the file size is an error like a full disk */
    (void)signal(SIGXFSZ, SIG_IGN);
}

int caught_signal(void)
{
    return caught;
}

int end_by_signal(int number)
{
    if (number == SIGPIPE) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    return 128 + number;
}
