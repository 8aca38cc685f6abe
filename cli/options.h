/* options.h - the options of all commands, how they are written and where they are kept. */
#ifndef GA_CLI_OPTIONS_H
#define GA_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values of an option that may stand more than once, in order. */
typedef struct word_list {
    const char **words; /* owned */
    int count;
} word_list;

/* What the options of a run say. One struct for all commands: a command lists the rows that it understands. */
typedef struct settings {
    bool help, json, quiet;
    bool undirected, strict, ignore_columns, allow_nonfinite, dense_ids, weights; /* reading */
    bool in_edges, in_place;                                                      /* writing */
    bool steer, keep_ids, list_methods, all_violations, keep_duplicates, torus;
    bool list_options, list_commands;
    bool causal, cab, decode;
    int progress, loops, multi, from, to, objective, rounding, balance, preserve,
        label_bins;   /* index of the word */
    int task, family; /* of bench: index of the word */
    bool limits;
    const char *bench_graph;
    int64_t threads, max_memory, max_nodes, max_edges;
    int64_t nodes, wanted_nodes, edges; /* -1 = not given */
    int64_t blocks, rows, columns;
    int64_t bench_tokens, bench_heads, bench_dim, bench_window, bench_reps, bench_keys;
    uint64_t seed;
    double ratio, swaps_per_edge; /* -1 = not given */
    double lambda, degree_cap, time_limit, triples, a, b, c, mixing;
    const char *output, *device, *method, *target;
    const char *map, *labels, *out_labels, *report; /* NULL = not given, here and below */
    int backend, precision;                         /* index of the word; backend -1 = not given */
    int64_t queries, keys, heads, kv_heads, head, entry, pixels, tile;
    double scale; /* NAN = not given */
    word_list set, tensor, returned;
    const char *q, *k, *v, *graph, *pattern, *normaliser, *grad_output, *features;
    const char *model, *train_index, *val_index, *test_index, *split, *save_split, *save, *load;
    const char *log, *plot, *checkpoint, *resume, *logits, *index;
    int64_t split_seed; /* -1 = --seed */
    int64_t stage;      /* of embed; -1 = the last */
    const char *jdm, *dcm, *out_jdm, *out_dcm, *target_dcm, *plan_jdm;
    struct {
        const char *alpha, *backward, *direction, *fanout, *forward, *induced, *jump, *jump_weight, *mode,
            *probability, *restart, *side, *start, *tolerance, *walkers;
    } of_method; /* parameters of sample's methods as text */
    struct {
        const char *method, *seeds, *parts_file;
        const char *budget, *coverage, *depth, *epsilon, *layer_size, *length, *norm, *parts,
            *parts_per_batch, *replace, *roots, *top_k, *weights;
        int64_t batch; /* 0 = all */
    } of_batches;      /* of neighbors */
    bool renumber;
    const char *metrics; /* of stats, compare and report */
    int64_t hop_sources; /* 0 = not set */
    const char *title;
    const char *out_features;
} settings;

extern const settings default_settings;

typedef enum option_kind {
    OPTION_SWITCH, /* --name, --name=yes, --name=no */
    OPTION_TRUTH,  /* the same, kept as the text "true" or "false" */
    OPTION_WORD,   /* one of a list */
    OPTION_INTEGER,
    OPTION_UNSIGNED, /* 64 bits */
    OPTION_SIZE,     /* bytes, with K, M, G or T for powers of 1024 */
    OPTION_REAL,
    OPTION_TEXT,
    OPTION_LIST /* text; every use adds one */
} option_kind;

typedef struct option {
    const char *name; /* without dashes; NULL ends a list */
    char letter;      /* 0 = none */
    option_kind kind;
    size_t at;            /* where in settings the value goes */
    const char *argument; /* its name in the help; NULL for switches and words */
    const char *help;
    const char *const *words; /* of OPTION_WORD, NULL at the end */
    int64_t low, high;        /* of integers; high 0 = no limit */
    double least, most;       /* of reals; most 0 = no limit */
    bool above;               /* the real must be greater than least */
} option;

#define AT(member) offsetof(settings, member)

/* Options that belong together, with the heading that they have in the help. */
typedef struct option_group {
    const char *title;
    const option *rows;
} option_group;

/* The words of --loops, --multi (of graphs that are read) and of formats. */
extern const char *const loops_words[], *const multi_words[], *const format_words[];

/* Shared by many commands. */
extern const option_group general_options;    /* help, threads, seed, device, quiet, progress, memory */
extern const option_group reading_options;    /* graph files: format, limits, what is tolerated */
extern const option_group policy_options;     /* loops, multi, undirected */
extern const option_group total_nodes_option; /* --nodes as the number of nodes of the graph that is read */
extern const option_group writing_options;    /* graph files: output, format */
extern const option_group result_options;     /* output of anything else, json */

typedef struct command command;

/* Reads the words after the command's name. Operands are collected in operands (room for count), in order; options
 * may stand among them and "--" ends them. Returns 0, or 2 after a message on standard error. */
int parse_options(const command *what, int count, char **words, settings *values, const char **operands,
                  int *used);

/* Frees the lists of settings. */
void free_lists(settings *values);

/* The help text of a command on standard output. */
void print_help(const command *what);
/* "usage: graphattn NAME ..." on standard error. */
void print_usage(const command *what);
/* Rows option<TAB>argument<TAB>help, one for every spelling, on standard output. */
void print_option_rows(const command *what);

/* The word that is most like a wrong one, or NULL if none is near. next(user, i) gives the words, NULL at the end. */
typedef const char *(*word_fn)(const void *user, int i);
const char *nearest_word(const char *wrong, word_fn next, const void *user);

#endif
