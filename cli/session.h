/* session.h - one run of a command: its settings, the context, messages, files. */
#ifndef GA_CLI_SESSION_H
#define GA_CLI_SESSION_H

#include <graphattn.h>
#include <signal.h>
#include <stdio.h>

#include "cli/options.h"
#include "lib/base/sheet.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* The graph, a map, labels, a report, two matrices: no command writes or reads more files. */
enum { FILES = 8 };

/* A file to be written. Where there are several, each is written under another name first and all are renamed at
 * the end, so that a failure leaves none of them. */
typedef struct out_file {
    const char *path;
    char *staged; /* owned; NULL = written directly */
    char *final;  /* owned: path, or what it links to */
} out_file;

typedef struct session {
    const command *what;
    settings is;
    const char **operands;
    int operand_count;
    ga_context *context;
    const char *in[FILES];
    out_file out[FILES];
    int ins, outs;
    int64_t nodes, edges; /* of the last graph, for the closing line of --progress */
    bool show_progress, line_open;
    double started;
} session;

struct command {
    const char *name, *summary, *operands; /* operands as in the usage line */
    int least, most;                       /* number of operands */
    const option_group *const *groups;     /* NULL at the end */
    const char *required;                  /* options to show in the usage line; NULL = none */
    bool reads_operand;                    /* the operand is a file, standard input when missing */
    /* Complains about settings that do not go together: EXIT_USAGE after usage_error(), or 0. NULL = nothing to check.
     * Names the files by reads() and writes(). */
    int (*check)(session *s);
    ga_status (*run)(session *s);
    const char *more; /* closing lines of the help; NULL = none */
};

/* The table of commands in main.c; name NULL at the end. */
extern const command commands[];
/* NULL if there is none of that name. */
const command *find_command(const char *name);
/* A message with the nearest name; EXIT_USAGE. */
int unknown_command(const char *name);
/* The help of the program itself on standard output. */
void print_overview(void);

/* "graphattn NAME: TEXT" and a hint where help is, on standard error. Returns EXIT_USAGE. */
int usage_error(const session *s, const char *format, ...) GA_PRINTF(2, 3);
/* Keeps the text as the context's error, whatever stood there, and returns status. */
ga_status complain(session *s, ga_status status, const char *format, ...) GA_PRINTF(3, 4);
/* Parses the words after the command's name and runs it. Returns the exit status. */
int run_command(const command *what, int count, char **words);

/* ---- files (files.c) ---- */

/* "-" or /dev/stdout. */
bool is_standard(const char *path);
/* Registers an input or output; NULL is ignored. */
void reads(session *s, const char *path);
void writes(session *s, const char *path);
/* Refuses an input that is read twice from standard input, two outputs of one name (EXIT_USAGE with a message). */
int check_names(const session *s);
/* Refuses an output that is an input, unless --in-place, and outputs that are one file. */
ga_status check_files(session *s);
/* Where an output is to be written now. */
ga_status place(session *s, const char *path, const char **at);
/* Renames what was staged. */
ga_status commit_files(session *s);
/* Removes what was staged and not committed. */
void drop_files(session *s);

/* ---- graphs (graphs.c) ---- */

/* The first operand, "-" if there is none. */
const char *input_path(const session *s);
/* Reads that graph by the settings and tells what was dropped. labels: NULL, or takes one label per node from --labels
 * (NULL without that option). report may be NULL. Returns owned. */
ga_status read_graph(session *s, ga_graph **graph, ga_read_report *report, int64_t **labels);
ga_status write_graph(session *s, const ga_graph *graph, const char *path);
/* Refuses an output whose suffix promises what we do not write (EXIT_USAGE with a message). */
int check_graph_output(const session *s);

/* Runs the writers of files, standard output last: what fails must fail before data flow into a pipe. */
typedef struct writer {
    const char *path; /* NULL = not wanted */
    ga_status (*write)(session *s, const void *job, const char *at);
} writer;
ga_status write_all(session *s, const writer *writers, int count, const void *job);

/* ---- standard output (output.c) ---- */

/* Prints a line of help or of a list on standard output through stdio. */
int close_stdout(const char *name);

/* ---- signals and progress (signals.c, progress.c) ---- */

void catch_signals(void);
/* 0, or the signal that asked us to stop. */
int caught_signal(void);
/* Dies by SIGPIPE if that was it, else gives the exit status for what was caught. */
int end_by_signal(int signal);

void start_progress(session *s);
/* The closing line. */
void end_progress(session *s, bool good);
/* Starts a fresh line on standard error. */
void clear_line(session *s);

/* ---- what several commands share (rescaling.c) ---- */

extern const option_group rescaling_options, rewiring_options, preserve_options;
/* Exactly one of --ratio, --nodes and --edges. */
int check_size(const session *s);
/* The settings as options of the library; target_dcm and plan_jdm are left NULL. */
ga_rescale_options rescale_settings(const session *s);
/* --target is understood. */
int check_target(const session *s);
ga_rewire_options rewire_settings(const session *s, double default_swaps);

/* ---- the commands ---- */

int convert_check(session *s);
ga_status convert_run(session *s);
int info_check(session *s);
ga_status info_run(session *s);
int generate_check(session *s);
ga_status generate_run(session *s);
int matrix_check(session *s);
ga_status jdm_run(session *s);
ga_status dcm_run(session *s);
int rescale_check(session *s);
ga_status rescale_run(session *s);
int realize_check(session *s);
ga_status realize_run(session *s);
int rewire_check(session *s);
ga_status rewire_run(session *s);
int sample_check(session *s);
ga_status sample_run(session *s);
int help_check(session *s);
ga_status help_run(session *s);

extern const option_group convert_options, generate_options, matrix_options, rescale_options, realize_options,
    rewire_options, sample_options, help_options;

#endif
