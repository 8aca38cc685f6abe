/* help.c - graphattn help: manual pages, and the tables for completions and tests. */
#include "config.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/session.h"

extern char **environ;

static const option rows[] = {
    { "list-commands", 0, OPTION_SWITCH, AT(list_commands),
      .help = "print the commands, one a line: name, summary" },
    { "list-options", 0, OPTION_SWITCH, AT(list_options),
      .help = "print the options of COMMAND, one spelling a line: option, argument, help" },
    { 0 }
};
const option_group help_options = { "Lists", rows };

/* Pages that are not about a command. */
static const char *const topics[] = { "formats", NULL };

static bool is_topic(const char *name)
{
    for (int i = 0; topics[i]; i++) {
        if (strcmp(topics[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int help_check(session *s)
{
    const char *name = s->operand_count ? s->operands[0] : NULL;
    if (s->is.list_options && !name) {
        return usage_error(s, "--list-options needs a COMMAND");
    }
    if (name && !find_command(name) && (s->is.list_options || !is_topic(name))) {
        return unknown_command(name);
    }
    return 0;
}

/* True if `man -w PAGE` finds it. */
static bool page_exists(const char *page)
{
    char *words[] = { (char *)"man", (char *)"-w", (char *)page, NULL };
    posix_spawn_file_actions_t actions;
    pid_t child;
    int result = -1;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return false;
    }
    bool ready = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                 posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
                 posix_spawnp(&child, "man", &actions, NULL, words, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return ready && waitpid(child, &result, 0) == child && WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

/* Comes back only if there is no such page. */
static void open_page(const char *name)
{
    char page[64];
    snprintf(page, sizeof page, "graphattn%s%s", name ? "-" : "", name ? name : "");
    if (page_exists(page)) {
        (void)execlp("man", "man", page, (char *)NULL);
    }
}

static void list_commands(void)
{
    for (const command *c = commands; c->name; c++) {
        printf("%s\t%s\n", c->name, c->summary);
    }
}

ga_status help_run(session *s)
{
    const char *name = s->operand_count ? s->operands[0] : NULL;
    const command *what = name ? find_command(name) : NULL;
    if (s->is.list_commands) {
        list_commands();
    } else if (s->is.list_options) {
        print_option_rows(what);
    } else {
        open_page(name);
        if (what) {
            print_help(what);
        } else if (name) {
            return complain(s, GA_UNSUPPORTED, "no manual page graphattn-%s is installed", name);
        } else {
            print_overview();
        }
    }
    return GA_OK;
}
