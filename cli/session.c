/* session.c - one run of a command, from its words to its exit status. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"

int usage_error(const session *s, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "graphattn %s: ", s->what->name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\n'graphattn %s --help' lists the options\n", s->what->name);
    return EXIT_USAGE;
}

ga_status complain(session *s, ga_status status, const char *format, ...)
{
    char text[4608]; /* a path of any length and some words */
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ga__begin(s->context); /* forget what a call may have recovered from */
    return ga__fail(s->context, status, "%s", text);
}

static void on_message(void *user, ga_severity severity, const char *text)
{
    session *s = user;
    if (!s->is.quiet) {
        clear_line(s);
        fprintf(stderr, "graphattn %s: %s: %s\n", s->what->name, severity == GA_WARNING ? "warning" : "note",
                text);
    }
}

static int on_cancel(void *user)
{
    (void)user;
    return caught_signal() != 0;
}

static int print_failure(session *s, ga_status status)
{
    const char *text = s->context ? ga_context_error(s->context) : "";
    int signal = caught_signal();
    clear_line(s);
    if (signal) {
        if (signal != SIGPIPE) {
            fprintf(stderr, "graphattn %s: interrupted\n", s->what->name);
        }
        return 128 + signal;
    }
    fprintf(stderr, "graphattn %s: %s\n", s->what->name, text[0] ? text : ga_status_name(status));
    return s->wrong_usage ? EXIT_USAGE : EXIT_FAILED;
}

/* "cpu", "auto", or the name of a kind with ":N" behind it: false for anything else. */
static bool read_device(const char *text, ga_device_kind *kind, int *index)
{
    static const ga_device_kind kinds[] = { GA_DEVICE_CUDA, GA_DEVICE_EMULATED };
    *kind = GA_DEVICE_CPU;
    *index = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(ga_device_name(kinds[i]));
        if (strncmp(text, ga_device_name(kinds[i]), length) == 0 && (!text[length] || text[length] == ':')) {
            const char *digits = text + length + 1;
            *kind = kinds[i];
            if (!text[length]) {
                return true;
            }
            *index = atoi(digits);
            return *digits && strlen(digits) < 6 && strspn(digits, "0123456789") == strlen(digits);
        }
    }
    return strcmp(text, "cpu") == 0 || strcmp(text, "auto") == 0;
}

/* Commands on graphs and tables, which know the CPU alone. */
static bool is_of_cpu(const command *what)
{
    static const char *const names[] = { "convert",   "info",   "generate", "rescale", "realize",
                                         "rewire",    "sample", "stats",    "compare", "report",
                                         "neighbors", "mask",   "variants", "cost",    "help" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(what->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static ga_status set_device(session *s)
{
    ga_device_kind kind;
    int index;
    char words[4608];
    if (is_of_cpu(s->what)) {
        bool fits = strcmp(s->is.device, "cpu") == 0 || strcmp(s->is.device, "auto") == 0;
        return fits ? GA_OK
                    : complain(s, GA_UNSUPPORTED, "--device %s: %s runs on the CPU only", s->is.device,
                               s->what->name);
    }
    if (strcmp(s->is.device, "auto") == 0) {
        if (ga_context_set_device(s->context, GA_DEVICE_CUDA, 0) != GA_OK) {
            (void)snprintf(words, sizeof words, "%s", ga_context_error(s->context));
            ga__begin(s->context);
            ga__tell(s->context, GA_NOTE, "working on the CPU: %s", words);
        }
        return GA_OK;
    }
    (void)read_device(s->is.device, &kind, &index);
    ga_status status = kind == GA_DEVICE_CPU ? GA_OK : ga_context_set_device(s->context, kind, index);
    if (status != GA_OK) {
        (void)snprintf(words, sizeof words, "%s", ga_context_error(s->context));
        status = complain(s, status, "--device %s: %s", s->is.device, words);
    }
    return status;
}

static ga_status prepare(session *s)
{
    ga_status status = GA_OK;
    GA_TRY(ga_context_create(&s->context));
    know_formats(s);
    ga_context_set_messages(s->context, on_message, s);
    ga_context_set_cancel(s->context, on_cancel, s);
    ga_context_set_seed(s->context, s->is.seed);
    ga_context_set_memory_limit(s->context, s->is.max_memory);
    GA_TRY(ga_context_set_threads(s->context, s->is.threads));
    start_progress(s);
    GA_TRY(set_device(s));
    status = check_files(s);
done:
    return status;
}

static int work(session *s)
{
    ga_status status = GA_OK;
    int code = EXIT_GOOD;
    GA_TRY(prepare(s));
    GA_TRY(s->what->run(s));
    status = commit_files(s);
done:
    if (status != GA_OK) {
        code = print_failure(s, status);
    }
    end_progress(s, status == GA_OK);
    drop_files(s);
    ga_context_destroy(s->context);
    return code;
}

static int check_device(const session *s)
{
    ga_device_kind kind;
    int index;
    if (read_device(s->is.device, &kind, &index)) {
        return 0;
    }
    return usage_error(s, "--device: found \"%s\", expected cpu, cuda, cuda:N or auto", s->is.device);
}

static int check_operands(const session *s)
{
    const command *what = s->what;
    if (s->operand_count > what->most) {
        return usage_error(s, "unexpected operand \"%s\"", s->operands[what->most]);
    }
    bool nothing_to_read = what->least == 0 && what->most == 1 && s->operand_count == 0 &&
                           what->reads_operand && isatty(STDIN_FILENO);
    if (s->operand_count < what->least || nothing_to_read) {
        print_usage(what);
        return EXIT_USAGE;
    }
    return 0;
}

static int check_usage(session *s)
{
    int bad = check_operands(s);
    if (!bad) {
        bad = check_device(s);
    }
    if (!bad && s->what->check) {
        bad = s->what->check(s);
    }
    return bad ? bad : check_names(s);
}

static int run_session(session *s, int count, char **words)
{
    int code = parse_options(s->what, count, words, &s->is, s->operands, &s->operand_count);
    if (code) {
        return code;
    }
    if (s->is.help) {
        print_help(s->what);
        return close_stdout(s->what->name);
    }
    code = check_usage(s);
    if (code) {
        return code;
    }
    catch_signals();
    code = work(s);
    int late = close_stdout(s->what->name);
    if (code > 128) {
        return end_by_signal(code - 128);
    }
    return code ? code : late;
}

int run_command(const command *what, int count, char **words)
{
    session s = { .what = what, .is = default_settings, .nodes = -1 };
    s.operands = calloc((size_t)count + 1, sizeof *s.operands);
    if (!s.operands) {
        fprintf(stderr, "graphattn %s: out of memory\n", what->name);
        return EXIT_FAILED;
    }
    int code = run_session(&s, count, words);
    free_lists(&s.is);
    free(s.operands);
    return code;
}
