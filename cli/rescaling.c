/* rescaling.c - the options of rescaling and of rewiring, which are also those of sample. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/session.h"

static const char *const objective_words[] = {
    [GA_OBJECTIVE_BLEND] = "blend", [GA_OBJECTIVE_L1] = "l1", [GA_OBJECTIVE_QUANTILE] = "quantile", NULL
};
static const char *const rounding_words[] = {
    [GA_ROUNDING_LAMINAR] = "laminar", [GA_ROUNDING_SYSTEMATIC] = "systematic", NULL
};
static const char *const balance_words[] = {
    [GA_BALANCE_LOWER] = "lower", [GA_BALANCE_RAISE] = "raise", NULL
};
static const char *const label_bins_words[] = { "none", "log2", NULL };
static const char *const preserve_words[] = {
    [GA_PRESERVE_JDM] = "jdm", [GA_PRESERVE_DEGREES] = "degrees", NULL
};

static const option rescaling_rows[] = {
    { "ratio", 'r', OPTION_REAL, AT(ratio), "RATIO", .help = "share of the nodes; more than 1 enlarges",
      .above = true },
    { "nodes", 0, OPTION_INTEGER, AT(wanted_nodes), "N", .help = "number of nodes instead of a ratio",
      .low = 1 },
    { "objective", 0, OPTION_WORD, AT(objective),
      .help = "what the joint degree matrix shall be near to (default: blend)", .words = objective_words },
    { "lambda", 0, OPTION_REAL, AT(lambda), "X",
      .help = "blend: weight of the quantile plan (default: 0.2)" },
    { "dcm-rounding", 0, OPTION_WORD, AT(rounding),
      .help = "how node counts become whole (default: laminar); systematic draws every node equally often",
      .words = rounding_words },
    { "steer", 0, OPTION_SWITCH, AT(steer),
      .help = "laminar: aim at the number of edges, too (default: yes)" },
    { "balance", 0, OPTION_WORD, AT(balance),
      .help = "make both degree sums equal by lowering or raising the largest degrees (default: lower)",
      .words = balance_words },
    { "degree-cap", 0, OPTION_REAL, AT(degree_cap), "X",
      .help = "largest degree as a share of the other nodes (default: 1)", .most = 1, .above = true },
    { "time-limit", 0, OPTION_REAL, AT(time_limit), "SECONDS",
      .help = "stop improving then; the result depends on the machine's speed (default: 0, none)" },
    { "label-bins", 0, OPTION_WORD, AT(label_bins),
      .help = "labelled: coarsen the wanted degrees (default: none)", .words = label_bins_words },
    { 0 }
};
const option_group rescaling_options = { "Rescaling", rescaling_rows };

static const option rewiring_rows[] = {
    { "swaps-per-edge", 0, OPTION_REAL, AT(swaps_per_edge), "X",
      .help = "attempted swaps for every edge (default: rewire 10; sample 0, with --target 10)" },
    { "triples", 0, OPTION_REAL, AT(triples), "P",
      .help = "share of rotations of three edges (default: 0.05)", .most = 1 },
    { "target", 0, OPTION_TEXT, AT(target), "LIST",
      .help = "swap towards reciprocity=X,transitivity=Y (one of them or both, 0 to 1)" },
    { 0 }
};
const option_group rewiring_options = { "Random swaps", rewiring_rows };

static const option preserve_rows[] = {
    { "preserve", 0, OPTION_WORD, AT(preserve),
      .help = "what stays besides the degrees of every node (default: jdm)", .words = preserve_words },
    { 0 }
};
const option_group preserve_options = { "Random swaps", preserve_rows };

int check_size(const session *s)
{
    const settings *is = &s->is;
    int given = (is->ratio >= 0) + (is->wanted_nodes >= 0) + (is->edges >= 0);
    if (given == 0) {
        return usage_error(s, "needs --ratio (-r) or --nodes");
    }
    if (given > 1) {
        return usage_error(s, "%s and %s exclude each other", is->ratio >= 0 ? "--ratio" : "--nodes",
                           is->edges >= 0 ? "--edges" : "--nodes");
    }
    return 0;
}

ga_rescale_options rescale_settings(const session *s)
{
    ga_rescale_options o = GA_RESCALE_OPTIONS_INIT;
    o.ratio = s->is.ratio > 0 ? s->is.ratio : 0;
    o.nodes = s->is.wanted_nodes > 0 ? s->is.wanted_nodes : 0;
    o.objective = (ga_objective)s->is.objective;
    o.lambda = s->is.lambda;
    o.rounding = (ga_rounding)s->is.rounding;
    o.steer = s->is.steer;
    o.balance = (ga_balance)s->is.balance;
    o.degree_cap = s->is.degree_cap;
    o.time_limit = s->is.time_limit;
    o.loops = (ga_loops)s->is.loops;
    o.multi = (ga_multi)s->is.multi;
    o.label_bins_log2 = s->is.label_bins == 1;
    return o;
}

/* ---- --target ---- */

static const char *const target_names[] = { "reciprocity", "transitivity", NULL };

static const char *target_at(const void *user, int i)
{
    (void)user;
    return target_names[i];
}

/* One NAME=X of the list, size characters long, into goals[index of the name]. */
static int read_target(const session *s, const char *item, size_t size, double goals[2])
{
    char name[64];
    const char *equals = memchr(item, '=', size);
    size_t length = equals ? (size_t)(equals - item) : size;
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), item);
    for (int i = 0; i < 2; i++) {
        double value;
        if (strcmp(name, target_names[i]) != 0) {
            continue;
        }
        if (!equals || !ga__parse_double(equals + 1, (int64_t)(size - length - 1), &value) ||
            !(value >= 0 && value <= 1)) {
            return usage_error(s, "--target: found \"%.*s\", expected %s=X with X from 0 to 1", (int)size,
                               item, name);
        }
        goals[i] = value;
        return 0;
    }
    const char *near = nearest_word(name, target_at, NULL);
    return usage_error(s,
                       near ? "--target: unknown \"%s\"; did you mean %s?"
                            : "--target: unknown \"%s\", expected reciprocity=X or transitivity=Y",
                       name, near);
}

static int read_targets(const session *s, double goals[2])
{
    goals[0] = goals[1] = -1;
    for (const char *at = s->is.target; at;) {
        size_t size = strcspn(at, ",");
        int bad = read_target(s, at, size, goals);
        if (bad) {
            return bad;
        }
        at = at[size] ? at + size + 1 : NULL;
    }
    return 0;
}

int check_target(const session *s)
{
    double goals[2];
    return read_targets(s, goals);
}

ga_rewire_options rewire_settings(const session *s, double default_swaps)
{
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    double goals[2];
    (void)read_targets(s, goals); /* checked before */
    o.preserve = (ga_preserve)s->is.preserve;
    o.swaps_per_edge = s->is.swaps_per_edge >= 0 ? s->is.swaps_per_edge : s->is.target ? 10 : default_swaps;
    o.triples = s->is.triples;
    o.target_reciprocity = goals[0];
    o.target_transitivity = goals[1];
    o.time_limit = s->is.time_limit;
    return o;
}
