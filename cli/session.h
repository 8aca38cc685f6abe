/* session.h - one run of a command: its settings, the context, messages, files. */
#ifndef GA_CLI_SESSION_H
#define GA_CLI_SESSION_H

#include <graphattn.h>
#include <signal.h>
#include <stdio.h>

#include "cli/options.h"
#include "lib/base/sheet.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* No command writes or reads more files. */
enum { FILES = 48 };

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
    bool wrong_usage; /* what failed is what was asked for: exit status 2 */
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

/* True when a file begins with these characters once decompressed; formats go by content. False for standard input, which
 * cannot be read twice. */
ga_status begins_with(session *s, const char *path, const char *magic, bool *begins);
/* The same with the banner of Matrix Market; features are .npy otherwise. */
ga_status is_market(session *s, const char *path, bool *market);

/* ---- graphs (graphs.c) ---- */

/* Lets the context read and write what igraph knows, where it was found. */
void know_formats(session *s);
/* The version of igraph, or "no". */
const char *formats_library(void);
/* The first operand, "-" if there is none. */
const char *input_path(const session *s);
/* Reads that graph by the settings and tells what was dropped. labels: NULL, or takes one label per node from --labels
 * (NULL without that option). report may be NULL. Returns owned. */
ga_status read_graph(session *s, ga_graph **graph, ga_read_report *report, int64_t **labels);
/* The same without labels for any path. */
ga_status read_graph_at(session *s, const char *path, ga_graph **graph, ga_read_report *report);
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

/* ---- tensors (tensors.c) ---- */

/* "NAME=VALUE" of --set, --tensor and --return in two; value points into text. False when it is none. */
bool split_pair(const char *text, const char **value);
/* All of a list are pairs: 0, or EXIT_USAGE after a message. */
int check_pairs(const session *s, const char *flag, const word_list *list);
/* The name of a pair. Returns owned. */
ga_status pair_name(session *s, const char *text, const char **name);
/* Rows OWNER<TAB>parameter|tensor<TAB>NAME<TAB>TYPE<TAB>DEFAULT<TAB>RANGE<TAB>HELP; either table may be NULL. */
ga_status print_tables(session *s, const char *owner, const ga_parameter *parameters,
                       const ga_tensor_slot *tensors, ga__output *out);
/* Reads .npy or, by suffix, one that is gzip'ed; NULL path gives NULL. Returns owned. */
ga_status read_tensor(session *s, const char *path, DLTensor **tensor);
ga_status write_tensor(session *s, const DLTensor *tensor, const char *path);
/* An edge list in the order of its lines. Returns owned arrays. */
typedef struct edge_file {
    ga_edge_rows rows;
    int64_t *keys, *queries, *lines;
    double *weights;
    bool weighted;   /* set by the caller: the third column is wanted, and repeated edges where graph is */
    ga_graph *graph; /* instead of rows: formats that keep no order of lines */
} edge_file;
ga_status read_edges(session *s, const char *path, edge_file *file);
/* The same with weights, and as rows whatever the format. */
ga_status read_graph_edges(session *s, const char *path, edge_file *file);
void free_edges(session *s, edge_file *file);
/* --set and --tensor. */
typedef struct named_inputs {
    ga_named_text *parameters;
    int64_t parameter_count;
    ga_named_tensor *tensors;
    int64_t tensor_count;
} named_inputs;
ga_status read_named(session *s, named_inputs *inputs);
void free_named(session *s, named_inputs *inputs);
/* --set, --tensor, --graph, --pattern and --normaliser as a call. --pattern graph:FILE is taken apart. */
typedef struct attend_inputs {
    ga_attend_call call;
    named_inputs named;
    DLTensor *q, *k, *v, *grad_o;
    edge_file edges;
} attend_inputs;
int check_inputs(session *s);
ga_status read_inputs(session *s, attend_inputs *inputs);
void free_inputs(session *s, attend_inputs *inputs);
/* The words of --backend, and what becomes of it and of $GRAPHATTN_BACKEND (attend.c): 0, or EXIT_USAGE after a
 * message; the context's kernels. */
extern const char *const backend_words[];
#define BACKEND_ROW \
    { \
        "backend", 0, OPTION_WORD, AT(backend), \
            .help = "instructions to use (default: $GRAPHATTN_BACKEND, else the best there are)", \
            .words = backend_words \
    }
int check_backend(const session *s);
ga_status set_backend(session *s);
/* f32 and f64, and the rows that commands of a call have in common. */
extern const char *const precision_words[];
enum { PRECISION_F32, PRECISION_F64 };
#define PRECISION_ROW \
    { \
        "precision", 0, OPTION_WORD, AT(precision), .help = "f32 (default), or everything in f64", \
                                                    .words = precision_words \
    }
#define GRAD_OUTPUT_ROW \
    { \
        "grad-output", 0, OPTION_TEXT, AT(grad_output), "FILE", \
            .help = "gradient of y, for --return grad_NAME" \
    }
/* Outputs of a call: the main one by --output, the others by --return. Names the files by writes(). */
void writes_outputs(session *s);
/* Room for 1 + the number of --return. Returns owned names and, later, tensors. */
ga_status name_outputs(session *s, const char *main, ga_named_tensor **wanted);
ga_status write_outputs(session *s, const ga_named_tensor *wanted);
void free_outputs(session *s, ga_named_tensor *wanted);
/* ---- blocks and analyses (block.c): rows of a table, named by the operand ---- */

/* A call of one of them from --set, --tensor, --grad-output and --precision. */
typedef struct row_call {
    ga_block_call call;
    named_inputs named;
    DLTensor *grad;
} row_call;
/* NULL if there is none of that name. */
const ga_block *find_row(const ga_block *const *table, const char *name);
/* 0 when the operand is in the table, or missing beside --list; else EXIT_USAGE after a message. */
int check_row(const session *s, const char *kind, const ga_block *const *table);
/* Likewise of the options; names the inputs by reads(). */
int check_row_inputs(session *s);
/* Names the files of --return by writes(). */
void writes_returned(session *s);
/* The table, or the row of the operand, on --output. */
ga_status list_rows(session *s, const char *kind, const ga_block *const *table);
ga_status read_row_call(session *s, row_call *in);
void free_row_call(session *s, row_call *in);
/* Writes the outputs of --return, wanted[1], ..., that go to standard output, or those that do not. */
ga_status write_returned(session *s, const ga_named_tensor *wanted, bool to_standard);
/* Runs one of them that gives a report (maps.c), and writes what is asked for. */
typedef ga_status (*report_fn)(ga_context *context, const char *name, const ga_block_call *call,
                               ga_named_tensor *wanted, int64_t wanted_count, ga_report *report);
ga_status run_and_report(session *s, report_fn run);
/* 0 when there is a variant of that name, else EXIT_USAGE after a message. */
int check_variant(const session *s);

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
int neighbors_check(session *s);
ga_status neighbors_run(session *s);
int stats_check(session *s);
ga_status stats_run(session *s);
int compare_check(session *s);
ga_status compare_run(session *s);
int report_check(session *s);
ga_status report_run(session *s);
int rewire_check(session *s);
ga_status rewire_run(session *s);
int sample_check(session *s);
ga_status sample_run(session *s);
int attend_check(session *s);
ga_status attend_run(session *s);
int block_check(session *s);
ga_status block_run(session *s);
int maps_check(session *s);
ga_status maps_run(session *s);
int cost_check(session *s);
ga_status cost_run(session *s);
int layer_check(session *s);
ga_status layer_run(session *s);
int train_check(session *s);
ga_status train_run(session *s);
int predict_check(session *s);
ga_status predict_run(session *s);
int embed_check(session *s);
ga_status embed_run(session *s);
int variants_check(session *s);
ga_status variants_run(session *s);
int select_check(session *s);
ga_status select_run(session *s);
int mask_check(session *s);
ga_status mask_run(session *s);
int bench_check(session *s);
ga_status bench_run(session *s);
int help_check(session *s);
ga_status help_run(session *s);

extern const option_group convert_options, generate_options, matrix_options, rescale_options, realize_options,
    rewire_options, stats_options, compare_options, contest_options, report_options, neighbors_options,
    batch_options, sample_options, classical_options, bench_options, help_options, attend_options,
    call_options, attend_result_options, variants_options, mask_options, select_options, layer_options,
    layer_result_options, block_options, block_result_options, maps_options, cost_options, train_options,
    train_result_options, predict_options, embed_options;

#endif
