/* main.c - the program graphattn: the table of commands, and which of them is wanted. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"

#define GROUPS(...) ((const option_group *const[]){ __VA_ARGS__, &general_options, NULL })

const command commands[] = {
    { "convert", "Change the format of a graph.", "[IN]", 0, 1,
      GROUPS(&convert_options, &writing_options, &policy_options, &total_nodes_option, &reading_options),
      NULL, true, convert_check, convert_run, NULL },
    { "info", "Print the size of a graph, its loops, repeated edges, degrees and memory.", "[IN]", 0, 1,
      GROUPS(&result_options, &policy_options, &total_nodes_option, &reading_options), NULL, true, info_check,
      info_run, NULL },
    { "generate", "Make a test graph.", "MODEL", 0, 1, GROUPS(&generate_options, &writing_options), NULL,
      false, generate_check, generate_run, NULL },
    { "jdm", "Count the joint degree matrix: out-degree of the source, in-degree of the target, edges.",
      "[IN]", 0, 1,
      GROUPS(&result_options, &matrix_options, &policy_options, &total_nodes_option, &reading_options), NULL,
      true, matrix_check, jdm_run, NULL },
    { "dcm", "Count the degree correlation matrix: in-degree, out-degree, nodes.", "[IN]", 0, 1,
      GROUPS(&result_options, &matrix_options, &policy_options, &total_nodes_option, &reading_options), NULL,
      true, matrix_check, dcm_run, NULL },
    { "rescale", "Make realisable matrices nearest to RATIO times the given ones.", "", 0, 0,
      GROUPS(&rescale_options, &rescaling_options), "--jdm F --dcm F -r RATIO --out-jdm F --out-dcm F", false,
      rescale_check, rescale_run, NULL },
    { "realize", "Make a simple directed graph that has exactly the given matrices.", "", 0, 0,
      GROUPS(&realize_options, &writing_options), "--jdm F --dcm F", false, realize_check, realize_run,
      NULL },
    { "rewire", "Randomise a graph without changing its matrices or the degrees of any node.", "[IN]", 0, 1,
      GROUPS(&rewire_options, &preserve_options, &rewiring_options, &writing_options, &policy_options,
             &total_nodes_option, &reading_options),
      NULL, true, rewire_check, rewire_run, NULL },
    { "sample",
      "Make a smaller (or larger) graph with the rescaled degree matrices of a graph, or a part of it.",
      "[IN]", 0, 1,
      GROUPS(&sample_options, &classical_options, &rescaling_options, &rewiring_options, &writing_options,
             &policy_options, &reading_options),
      "-r RATIO", true, sample_check, sample_run, NULL },
    { "stats",
      "Print summary statistics: reciprocity, clustering, components, cores, PageRank, distances, triads, ...",
      "[IN]", 0, 1,
      GROUPS(&result_options, &stats_options, &policy_options, &total_nodes_option, &reading_options), NULL,
      true, stats_check, stats_run, NULL },
    { "compare", "Tell how far samples are from a graph.", "ORIGINAL SAMPLE...", 2, 1 << 20,
      GROUPS(&result_options, &contest_options, &compare_options, &policy_options, &reading_options), NULL,
      false, compare_check, compare_run, NULL },
    { "report", "Write a page with tables and pictures of a graph and its samples.", "ORIGINAL SAMPLE...", 2,
      1 << 20, GROUPS(&report_options, &contest_options, &policy_options, &reading_options), NULL, false,
      report_check, report_run, NULL },
    { "neighbors",
      "Make mini-batches of a graph for training: sampled neighbours of some nodes, or subgraphs.", "[IN]", 0,
      1, GROUPS(&neighbors_options, &batch_options, &policy_options, &total_nodes_option, &reading_options),
      "--method NAME --seeds FILE", true, neighbors_check, neighbors_run, NULL },
    { "attend", "Run an attention variant on tensors.", "VARIANT", 1, 1,
      GROUPS(&attend_options, &call_options, &attend_result_options), "-Q q.npy -K k.npy -V v.npy", false,
      attend_check, attend_run, NULL },
    { "layer", "Run a layer of a graph neural network on a graph and features.", "[NAME]", 0, 1,
      GROUPS(&layer_options, &layer_result_options), "--graph FILE --features FILE", false, layer_check,
      layer_run, NULL },
    { "block", "Run a block that stands around attention: gates, norms, expansions, layouts.", "[NAME]", 0, 1,
      GROUPS(&block_options, &block_result_options), "--tensor NAME=FILE", false, block_check, block_run,
      NULL },
    { "maps", "Analyse attention maps.", "[NAME]", 0, 1, GROUPS(&maps_options, &result_options),
      "--tensor NAME=FILE", false, maps_check, maps_run, NULL },
    { "cost", "Tell what attention costs: operations, bytes, passes, predicted time.", "[NAME]", 0, 1,
      GROUPS(&cost_options, &result_options), "--set NAME=VALUE", false, cost_check, cost_run, NULL },
    { "train", "Train a graph neural network on the labels of some nodes.", "[GRAPH]", 0, 1,
      GROUPS(&train_options, &train_result_options),
      "--features FILE --labels FILE --train-index FILE --model NAME", false, train_check, train_run, NULL },
    { "predict", "Tell the classes of nodes by a trained model.", "[GRAPH]", 0, 1, GROUPS(&predict_options),
      "--features FILE --load FILE", false, predict_check, predict_run, NULL },
    { "embed", "Write what a hidden layer of a trained model gives.", "[GRAPH]", 0, 1, GROUPS(&embed_options),
      "--features FILE --load FILE", false, embed_check, embed_run, NULL },
    { "mask", "Write the pattern of an attention variant as a graph, a picture or figures.", "VARIANT", 1, 1,
      GROUPS(&mask_options, &call_options, &writing_options), "--queries N --keys N", false, mask_check,
      mask_run, NULL },
    { "select",
      "Write the keys that a variant chooses from queries and keys as a graph, and what that keeps and costs.",
      "[VARIANT]", 0, 1, GROUPS(&select_options, &call_options, &writing_options), "-Q q.npy -K k.npy", false,
      select_check, select_run, NULL },
    { "variants", "List the attention variants, or describe one.", "[NAME]", 0, 1,
      GROUPS(&variants_options, &result_options), NULL, false, variants_check, variants_run, NULL },
    { "bench", "Time kernels on this machine beside its measured limits.", "[TASK]", 0, 1,
      GROUPS(&bench_options, &result_options), NULL, false, bench_check, bench_run, NULL },
    { "help", "Open the manual page of a command, or list commands and options.", "[COMMAND]", 0, 1,
      GROUPS(&help_options), NULL, false, help_check, help_run, NULL },
    { .name = NULL },
};

const command *find_command(const char *name)
{
    for (const command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

static const char *name_at(const void *user, int i)
{
    (void)user;
    return commands[i].name;
}

int unknown_command(const char *name)
{
    const char *near = nearest_word(name, name_at, NULL);
    if (near) {
        fprintf(stderr, "graphattn: unknown command \"%s\"; did you mean %s?\n", name, near);
    } else {
        fprintf(stderr, "graphattn: unknown command \"%s\"; 'graphattn --help' lists the commands\n", name);
    }
    return EXIT_USAGE;
}

void print_overview(void)
{
    printf("usage: graphattn COMMAND [OPTION]... [OPERAND]...\n\n"
           "Directed graphs: sampling and measuring them by their degree matrices.\n\nCommands\n");
    for (const command *c = commands; c->name; c++) {
        printf("  %-10s %s\n", c->name, c->summary);
    }
    printf("\n'graphattn COMMAND --help' lists the options of a command, 'graphattn help COMMAND' opens its\n"
           "manual page, 'graphattn --version' prints the version. Exit status: 0, 1 if the work failed,\n"
           "2 for wrong usage, 130 when interrupted.\n");
}

/* A file that we open must not land on a standard descriptor that was closed. Standard input becomes unreadable and
 * standard output unwritable: their use fails as it would have. */
static void open_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

static int short_usage(void)
{
    fputs("usage: graphattn COMMAND [OPTION]... [OPERAND]...\n'graphattn --help' lists the commands\n",
          stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    open_standard_files();
    if (argc < 2) {
        return short_usage();
    }
    const char *first = argv[1];
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        print_overview();
        return close_stdout(NULL);
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        printf("graphattn %s\n%s, igraph: %s\n", ga_version(), ga_build_info(), formats_library());
        return close_stdout(NULL);
    }
    if (first[0] == '-') {
        fprintf(stderr, "graphattn: unknown option %s before a command\n", first);
        return short_usage();
    }
    const command *what = find_command(first);
    return what ? run_command(what, argc - 2, argv + 2) : unknown_command(first);
}
