/* realize.c - graphattn realize: a graph that has exactly the given matrices. */
#include "config.h"

#include "cli/session.h"

static const char *const loops_keep_words[] = { [GA_LOOPS_DROP] = "drop", [GA_LOOPS_KEEP] = "keep", NULL };
static const char *const multi_keep_words[] = {
    [GA_MULTI_COLLAPSE] = "collapse", [GA_MULTI_KEEP] = "keep", NULL
};

static const option rows[] = {
    { "jdm", 0, OPTION_TEXT, AT(jdm), "FILE", .help = "the joint degree matrix" },
    { "dcm", 0, OPTION_TEXT, AT(dcm), "FILE", .help = "the degree correlation matrix" },
    { "loops", 0, OPTION_WORD, AT(loops),
      .help = "keep: edges from a node to itself are allowed (default: drop)", .words = loops_keep_words },
    { "multi", 0, OPTION_WORD, AT(multi), .help = "keep: repeated edges are allowed (default: collapse)",
      .words = multi_keep_words },
    { "all-violations", 0, OPTION_SWITCH, AT(all_violations),
      .help = "say everything that is wrong with the matrices, not the first fault only" },
    { "out-labels", 0, OPTION_TEXT, AT(out_labels), "FILE",
      .help = "where the labels of the nodes go, one a line; for labelled matrices" },
    { "swaps-per-edge", 0, OPTION_REAL, AT(swaps_per_edge), "X",
      .help = "afterwards randomise by that many swaps for every edge (default: 0)" },
    { 0 }
};
const option_group realize_options = { "Matrices", rows };

int realize_check(session *s)
{
    if (!s->is.jdm || !s->is.dcm) {
        return usage_error(s, "needs --jdm and --dcm");
    }
    if (s->is.swaps_per_edge > 0 && (s->is.loops == GA_LOOPS_KEEP || s->is.multi == GA_MULTI_KEEP)) {
        return usage_error(s, "--swaps-per-edge needs a simple graph, without --loops=keep and --multi=keep");
    }
    reads(s, s->is.jdm);
    reads(s, s->is.dcm);
    writes(s, s->is.output);
    writes(s, s->is.out_labels);
    return check_graph_output(s);
}

typedef struct job {
    ga_graph *graph;
    int64_t *labels;
} job;

static ga_status write_the_graph(session *s, const void *user, const char *path)
{
    return write_graph(s, ((const job *)user)->graph, path);
}

static ga_status write_labels(session *s, const void *user, const char *path)
{
    const job *j = user;
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_integers_write(s->context, at, j->labels, ga_graph_nodes(j->graph)) : status;
}

/* Every violated condition but the first, which is the error message. */
typedef struct listing {
    session *s;
    int64_t count;
} listing;

static int print_violation(void *user, const char *text)
{
    listing *l = user;
    if (l->count++ > 0) {
        fprintf(stderr, "graphattn %s: %s\n", l->s->what->name, text);
    }
    return caught_signal() != 0;
}

static ga_status randomise(session *s, job *j)
{
    ga_status status = GA_OK;
    ga_graph *rewired = NULL;
    ga_rewire_options o = GA_REWIRE_OPTIONS_INIT;
    o.swaps_per_edge = s->is.swaps_per_edge;
    o.labels = j->labels;
    GA_TRY(ga_rewire(s->context, j->graph, &o, &rewired, NULL));
    ga_graph_destroy(s->context, j->graph);
    j->graph = rewired;
done:
    return status;
}

static ga_status make(session *s, const ga_matrices *matrices, job *j)
{
    ga_status status = GA_OK;
    ga_realize_options o = { (ga_loops)s->is.loops, (ga_multi)s->is.multi };
    if (s->is.all_violations) {
        listing l = { s, 0 };
        GA_TRY(ga_matrices_check(s->context, matrices, o.loops, o.multi, print_violation, &l));
    }
    GA_TRY(ga_realize(s->context, matrices, &o, &j->graph, &j->labels));
    if (s->is.swaps_per_edge > 0) {
        GA_TRY(randomise(s, j));
    }
    if (s->is.out_labels && !j->labels) {
        GA_TRY(complain(s, GA_INVALID, "--out-labels: the matrices have no labels"));
    }
done:
    return status;
}

ga_status realize_run(session *s)
{
    ga_status status = GA_OK;
    ga_matrices *matrices = NULL;
    job j = { NULL, NULL };
    writer writers[] = { { s->is.output, write_the_graph }, { s->is.out_labels, write_labels } };
    GA_TRY(ga_matrices_read(s->context, s->is.jdm, s->is.dcm, &matrices));
    GA_TRY(make(s, matrices, &j));
    status = write_all(s, writers, 2, &j);
done:
    ga_free(s->context, j.labels);
    ga_graph_destroy(s->context, j.graph);
    ga_matrices_destroy(s->context, matrices);
    return status;
}
