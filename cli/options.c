/* options.c - the options that several commands share, each defined once. */
#include "config.h"

#include "cli/options.h"

#include <graphattn.h>
#include <math.h>

/* The indices of these lists are the values of the library's enums. */
const char *const loops_words[] = {
    [GA_LOOPS_DROP] = "drop", [GA_LOOPS_KEEP] = "keep", [GA_LOOPS_ERROR] = "error", NULL
};
const char *const multi_words[] = {
    [GA_MULTI_COLLAPSE] = "collapse", [GA_MULTI_KEEP] = "keep", [GA_MULTI_ERROR] = "error", NULL
};
const char *const format_words[] = { [GA_FORMAT_AUTO] = "auto",
                                     [GA_FORMAT_TEXT] = "snap",
                                     [GA_FORMAT_MTX] = "mtx",
                                     [GA_FORMAT_METIS] = "metis",
                                     [GA_FORMAT_SG] = "sg",
                                     [GA_FORMAT_GAB] = "gab",
                                     [GA_FORMAT_GRAPHML] = "graphml",
                                     [GA_FORMAT_GML] = "gml",
                                     [GA_FORMAT_PAJEK] = "pajek",
                                     [GA_FORMAT_NCOL] = "ncol",
                                     [GA_FORMAT_LGL] = "lgl",
                                     [GA_FORMAT_LEDA] = "leda",
                                     NULL };
static const char *const progress_words[] = { "auto", "always", "never", NULL };

const settings default_settings = {
    .seed = 1,
    .output = "-",
    .device = "cpu",
    .method = "jdm",
    .nodes = -1,
    .wanted_nodes = -1,
    .edges = -1,
    .blocks = 4,
    .max_nodes = INT64_C(2147483648),
    .ratio = -1,
    .swaps_per_edge = -1,
    .lambda = 0.2,
    .degree_cap = 1,
    .triples = 0.05,
    .steer = true,
    .a = 0.57,
    .b = 0.19,
    .c = 0.19,
    .mixing = 0.1,
    .bench_tokens = 4096,
    .bench_keys = 131072,
    .bench_heads = 8,
    .bench_dim = 64,
    .bench_window = 256,
    .bench_reps = 5,
    .backend = -1,
    .queries = -1,
    .keys = -1,
    .heads = 1,
    .kv_heads = -1,
    .pixels = 1024,
    .tile = 64,
    .scale = NAN,
    .split_seed = -1,
    .stage = -1,
};

static const option general_rows[] = {
    { "help", 'h', OPTION_SWITCH, AT(help), .help = "show this text" },
    { "threads", '@', OPTION_INTEGER, AT(threads), "N",
      .help = "number of threads (default: all cores); results do not depend on it", .low = 1 },
    { "seed", 0, OPTION_UNSIGNED, AT(seed), "N", .help = "seed of all random choices (default: 1)" },
    { "device", 0, OPTION_TEXT, AT(device), "DEVICE",
      .help = "where to compute: cpu, cuda, cuda:N or auto (default: cpu)" },
    { "quiet", 'q', OPTION_SWITCH, AT(quiet), .help = "no notes, warnings and counts on standard error" },
    { "progress", 0, OPTION_WORD, AT(progress),
      .help = "progress on standard error (default: auto, on a terminal)", .words = progress_words },
    { "max-memory", 0, OPTION_SIZE, AT(max_memory), "SIZE",
      .help = "fail rather than take more memory; SIZE in bytes or with K, M, G, T", .low = 1 },
    { 0 }
};
const option_group general_options = { "General", general_rows };

static const option reading_rows[] = {
    { "from", 0, OPTION_WORD, AT(from), .help = "format of the input (default: auto, by content)",
      .words = format_words },
    { "strict", 0, OPTION_SWITCH, AT(strict), .help = "garbage after gzip data is an error, not a warning" },
    { "columns", 0, OPTION_SWITCH, AT(ignore_columns),
      .help = "ignore columns beyond the third in edge lists" },
    { "allow-nonfinite", 0, OPTION_SWITCH, AT(allow_nonfinite),
      .help = "weights may be infinite or not a number" },
    { "dense-ids", 0, OPTION_SWITCH, AT(dense_ids),
      .help = "ids are node numbers: every id up to the largest is a node" },
    { "max-nodes", 0, OPTION_INTEGER, AT(max_nodes), "N",
      .help = "refuse graphs of more nodes (default: 2147483648)", .low = 1 },
    { "max-edges", 0, OPTION_INTEGER, AT(max_edges), "N",
      .help = "refuse files of more edge lines (default: no limit)", .low = 1 },
    { 0 }
};
const option_group reading_options = { "Reading graphs", reading_rows };

static const option policy_rows[] = {
    { "loops", 0, OPTION_WORD, AT(loops), .help = "edges from a node to itself (default: drop)",
      .words = loops_words },
    { "multi", 0, OPTION_WORD, AT(multi), .help = "edges that stand more than once (default: collapse)",
      .words = multi_words },
    { "undirected", 0, OPTION_SWITCH, AT(undirected),
      .help = "every line is two edges, one in each direction" },
    { 0 }
};
const option_group policy_options = { "Edges of the graph", policy_rows };

static const option total_nodes_rows[] = {
    { "nodes", 0, OPTION_INTEGER, AT(nodes), "N",
      .help = "number of nodes, isolated ones included (default: from the file)" },
    { 0 }
};
const option_group total_nodes_option = { NULL, total_nodes_rows };

static const option writing_rows[] = {
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where the graph goes (default: -, standard output)" },
    { "to", 0, OPTION_WORD, AT(to), .help = "format of the output (default: auto, by suffix, else snap)",
      .words = format_words },
    { "in-edges", 0, OPTION_SWITCH, AT(in_edges), .help = "gab and sg: store the incoming edges, too" },
    { "in-place", 0, OPTION_SWITCH, AT(in_place), .help = "the output may be the file that was read" },
    { 0 }
};
const option_group writing_options = { "Writing graphs", writing_rows };

static const option result_rows[] = { { "output", 'o', OPTION_TEXT, AT(output), "FILE",
                                        .help = "where the result goes (default: -, standard output)" },
                                      { "json", 0, OPTION_SWITCH, AT(json),
                                        .help = "as JSON instead of tab-separated lines" },
                                      { 0 } };
const option_group result_options = { "Result", result_rows };
