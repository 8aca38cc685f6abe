/* sample_methods.c - the table of sampling methods. */
#include "config.h"

#include <string.h>

#include "sampling/classical/draw.h"

/* ---- parameters that several methods have ---- */

#define BELOW_1 0x1.fffffffffffffp-1
#define DIRECTION \
    { \
        .name = "direction", .type = GA_PARAMETER_WORD, .initial = "both", .words = directions, \
        .help = "which edges lead on: outgoing, incoming or both" \
    }
#define NO_DIRECTION \
    { \
        .name = "direction", .type = GA_PARAMETER_WORD, .initial = "both", .words = directions, \
        .help = "without effect on this method" \
    }
#define START \
    { \
        .name = "start", .type = GA_PARAMETER_INT_LIST, .range = "ids of nodes", \
        .help = "where to start (default: a uniform node)" \
    }
#define INDUCED \
    { \
        .name = "induced", .type = GA_PARAMETER_BOOL, .initial = "true", \
        .help = "all edges between the nodes of the sample, else those that were used" \
    }
#define NOT_INDUCED \
    { \
        .name = "induced", .type = GA_PARAMETER_BOOL, .initial = "false", \
        .help = "all edges between the nodes of the sample, else those that were drawn" \
    }
#define END \
    { \
        .name = NULL \
    }
#define PROBABILITY(word, value, text) \
    { \
        .name = (word), .type = GA_PARAMETER_REAL, .initial = (value), .range = "[0, 1]", .help = (text), \
        GA__WITHIN(0, 1) \
    }
#define PROBABILITY_BELOW_1(word, value, text) \
    { \
        .name = (word), .type = GA_PARAMETER_REAL, .initial = (value), .range = "[0, 1)", .help = (text), \
        GA__WITHIN(0, BELOW_1) \
    }
#define COUNT(word, value, text) \
    { \
        .name = (word), .type = GA_PARAMETER_INT, .initial = (value), .range = ">= 1", .help = (text), \
        GA__FROM(1) \
    }

static const char *const directions[] = { "out", "in", "both", NULL };
static const char *const modes[] = { "edgeball", "hubball", "fireball", "coreball", "firecoreball", NULL };
static const char *const sides[] = { "total", "in", "out", NULL };

/* ---- the parameters of each ---- */

static const ga_parameter still[] = { NO_DIRECTION, INDUCED, END };
static const ga_parameter still_edges[] = { NO_DIRECTION, NOT_INDUCED, END };
static const ga_parameter moving[] = { DIRECTION, START, INDUCED, END };

static const ga_parameter degree[] = { { .name = "side",
                                         .type = GA_PARAMETER_WORD,
                                         .initial = "total",
                                         .words = sides,
                                         .help = "degree that counts" },
                                       NO_DIRECTION,
                                       INDUCED,
                                       END };
static const ga_parameter pagerank[] = {
    PROBABILITY_BELOW_1("alpha", "0.85", "probability of following an edge"), NO_DIRECTION, INDUCED, END
};
static const ga_parameter hybrid_edge[] = { PROBABILITY("probability", "0.8",
                                                        "share of the steps that draw a node first"),
                                            NO_DIRECTION, NOT_INDUCED, END };
static const ga_parameter restart_walk[] = { PROBABILITY_BELOW_1("restart", "0.15",
                                                                 "probability of going back to the start"),
                                             DIRECTION, START, INDUCED, END };
static const ga_parameter jump_walk[] = {
    PROBABILITY("jump", "0.15", "probability of a jump to a uniform node"), DIRECTION, START, INDUCED, END
};
static const ga_parameter metropolis_walk[] = {
    { .name = "alpha",
      .type = GA_PARAMETER_REAL,
      .initial = "1",
      .range = ">= 0",
      .help = "exponent of the acceptance; 1: nodes are visited equally often",
      GA__FROM(0) },
    DIRECTION,
    START,
    INDUCED,
    END
};
static const ga_parameter forest_fire[] = {
    PROBABILITY_BELOW_1("forward", "0.7", "burning probability along edges: p/(1-p) of them on average"),
    PROBABILITY_BELOW_1("backward", "0", "that against edges, as a multiple of forward"),
    NO_DIRECTION,
    START,
    INDUCED,
    END
};
static const ga_parameter snowball[] = { COUNT("fanout", "50", "most new neighbours of a node"), DIRECTION,
                                         START, INDUCED, END };

static const ga_parameter pies[] = { NO_DIRECTION,
                                     { .name = "induced",
                                       .type = GA_PARAMETER_BOOL,
                                       .initial = "false",
                                       .help = "false: the method keeps edges of its own" },
                                     END };
static const ga_parameter spikyball[] = { { .name = "mode",
                                            .type = GA_PARAMETER_WORD,
                                            .initial = "fireball",
                                            .words = modes,
                                            .help = "what a layer grows from, and towards what" },
                                          { .name = "probability",
                                            .type = GA_PARAMETER_REAL,
                                            .initial = "0.2",
                                            .range = "(0, 1]",
                                            .help = "share of the candidates that join",
                                            .least = 0,
                                            .most = 1,
                                            .above = true },
                                          DIRECTION,
                                          START,
                                          INDUCED,
                                          END };
static const ga_parameter pairs[] = { DIRECTION, INDUCED, END };
static const ga_parameter diffusion_tree[] = {
    DIRECTION,
    START,
    { .name = "induced",
      .type = GA_PARAMETER_BOOL,
      .initial = "false",
      .help = "all edges between the nodes of the sample, else those by which they joined" },
    END
};
static const ga_parameter frontier[] = { COUNT("walkers", "10", "number of walkers"), DIRECTION, START,
                                         NOT_INDUCED, END };
static const ga_parameter directed_frontier[] = {
    COUNT("walkers", "10", "number of walkers"),
    { .name = "jump_weight",
      .type = GA_PARAMETER_REAL,
      .initial = "1",
      .range = ">= 0",
      .help = "weight of jumps to uniform nodes beside a walker's degree",
      GA__FROM(0) },
    NO_DIRECTION,
    START,
    NOT_INDUCED,
    END
};
static const ga_parameter ppr[] = { { .name = "alpha",
                                      .type = GA_PARAMETER_REAL,
                                      .initial = "0.15",
                                      .range = "(0, 1]",
                                      .help = "probability of returning to the start",
                                      .least = 0,
                                      .most = 1,
                                      .above = true },
                                    { .name = "tolerance",
                                      .type = GA_PARAMETER_REAL,
                                      .initial = "1e-10",
                                      .range = "> 0",
                                      .help = "change of the scores in L1 at which they have converged",
                                      GA__ABOVE(0) },
                                    DIRECTION,
                                    START,
                                    INDUCED,
                                    END };

/* ---- the table ---- */

static const ga_method_info methods[] = {
    { "jdm", "rescaled joint degree and degree correlation matrices, constructed exactly", NULL, NULL },
    { "node", "uniform nodes", still, &ga__node_sampler },
    { "degree", "nodes by degree", degree, &ga__degree_sampler },
    { "pagerank", "nodes by PageRank", pagerank, &ga__pagerank_sampler },
    { "edge", "uniform edges", still_edges, &ga__edge_sampler },
    { "node_edge", "a uniform edge of a uniform node, again and again", still_edges, &ga__node_edge_sampler },
    { "hybrid_edge", "steps of node_edge mixed with uniform edges", hybrid_edge, &ga__hybrid_edge_sampler },
    { "ties", "the ends of uniform edges", still, &ga__ties_sampler },
    { "pies", "a stream of edges, by which later nodes replace earlier ones", pies, &ga__pies_sampler },
    { "node_neighbour", "uniform nodes with all their neighbours", moving, &ga__node_neighbour_sampler },
    { "random_walk", "a walk to uniform neighbours", moving, &ga__random_walk_sampler },
    { "restart_walk", "a walk that returns to its start now and then", restart_walk,
      &ga__restart_walk_sampler },
    { "jump_walk", "a walk that jumps to uniform nodes now and then", jump_walk, &ga__jump_walk_sampler },
    { "metropolis_walk", "a walk that avoids nodes of high degree so as to be uniform", metropolis_walk,
      &ga__metropolis_walk_sampler },
    { "non_backtracking_walk", "a walk that does not turn back", moving, &ga__non_backtracking_walk_sampler },
    { "circulated_walk", "a walk that uses the ways on in turn", moving, &ga__circulated_walk_sampler },
    { "common_neighbour_walk", "a walk that prefers neighbours with few neighbours in common", moving,
      &ga__common_neighbour_walk_sampler },
    { "loop_erased_walk", "walks without their loops, from unsampled nodes to the sample", moving,
      &ga__loop_erased_walk_sampler },
    { "forest_fire", "fires that burn random numbers of neighbours", forest_fire, &ga__forest_fire_sampler },
    { "snowball", "breadth first, a limited number of neighbours of each node", snowball,
      &ga__snowball_sampler },
    { "bfs", "breadth first", moving, &ga__bfs_sampler },
    { "dfs", "depth first", moving, &ga__dfs_sampler },
    { "spikyball", "layers of neighbours drawn by weight", spikyball, &ga__spikyball_sampler },
    { "expansion", "the neighbour with most neighbours that are new, again and again", moving,
      &ga__expansion_sampler },
    { "shortest_path", "nodes on shortest paths between uniform pairs", pairs, &ga__shortest_path_sampler },
    { "diffusion", "uniform neighbours of uniform members", moving, &ga__diffusion_sampler },
    { "diffusion_tree", "the same with the edges by which nodes joined only", diffusion_tree,
      &ga__diffusion_sampler },
    { "frontier", "edges of several walkers chosen by degree", frontier, &ga__frontier_sampler },
    { "directed_frontier", "the same with jumps", directed_frontier, &ga__directed_frontier_sampler },
    { "ppr", "nodes of largest personalised PageRank of the start", ppr, &ga__ppr_sampler },
};
enum { METHODS = sizeof methods / sizeof *methods };

const ga_method_info *ga_sample_methods(int *count)
{
    if (count) {
        *count = METHODS;
    }
    return methods;
}

const ga_method_info *ga_sample_method_find(const char *name)
{
    for (int i = 0; name && i < METHODS; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}
