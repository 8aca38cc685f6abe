/* methods.c - the table of methods that make batches. */
#include "config.h"

#include <string.h>

#include "sampling/batches/batches.h"

/* ---- parameters that several methods have ---- */

/* The words stand in the order of ga__direction. */
static const char *const directions[] = { "out", "in", "both", NULL };
static const char *const weights[] = { "none", "edge", NULL };
static const char *const norms[] = { "row", "sym", NULL };

#define DIRECTION \
    { \
        .name = "direction", .type = GA_PARAMETER_WORD, .initial = "in", .words = directions, \
        .help = "neighbours of a node: ends of its outgoing edges, of incoming ones, or both" \
    }
#define WEIGHTS \
    { \
        .name = "weights", .type = GA_PARAMETER_WORD, .initial = "none", .words = weights, \
        .help = "edge: weights are multiplied by those of the graph's edges" \
    }
#define FANOUT(value) \
    { \
        .name = "fanout", .type = GA_PARAMETER_INT_LIST, .initial = (value), .range = "-1 = all, else >= 1", \
        .help = "neighbours of a target, layer by layer", GA__FROM(-1) \
    }
#define COUNT(word, value, text) \
    { \
        .name = (word), .type = GA_PARAMETER_INT, .initial = (value), .range = ">= 1", .help = (text), \
        GA__FROM(1) \
    }
#define LAYER_SIZE \
    { \
        .name = "layer_size", .type = GA_PARAMETER_INT_LIST, .initial = "512", .range = ">= 1", \
        .help = "nodes drawn for a layer, layer by layer", GA__FROM(1) \
    }
#define NORM \
    { \
        .name = "norm", .type = GA_PARAMETER_WORD, .initial = "row", .words = norms, \
        .help = \
            "row: 1/d over the neighbours; sym: symmetric, of the undirected view with a loop at each node" \
    }
#define COVERAGE COUNT("coverage", "50", "runs from which weights and norms are counted")
#define END \
    { \
        .name = NULL \
    }

/* ---- the parameters of each ---- */

static const ga_parameter fanout[] = {
    FANOUT("15,10"),
    { .name = "replace", .type = GA_PARAMETER_BOOL, .initial = "false", .help = "draw with replacement" },
    DIRECTION,
    WEIGHTS,
    END
};
static const ga_parameter labor[] = { FANOUT("15,10"), DIRECTION, WEIGHTS, END };
static const ga_parameter vrgcn[] = { FANOUT("2,2"), DIRECTION, WEIGHTS, END };
static const ga_parameter layered[] = { LAYER_SIZE, NORM, DIRECTION, WEIGHTS, END };
static const ga_parameter saint_node[] = { COUNT("budget", "6000", "draws of nodes"), COVERAGE, DIRECTION,
                                           WEIGHTS, END };
static const ga_parameter saint_edge[] = { COUNT("budget", "4000", "draws of edges"), COVERAGE, DIRECTION,
                                           WEIGHTS, END };
static const ga_parameter saint_walk[] = { COUNT("roots", "3000", "walks"),
                                           COUNT("length", "2", "steps of a walk"),
                                           COVERAGE,
                                           DIRECTION,
                                           WEIGHTS,
                                           END };
static const ga_parameter saint_mrw[] = { COUNT("walkers", "300", "number of walkers"),
                                          COUNT("budget", "6000", "nodes of a batch"),
                                          COVERAGE,
                                          DIRECTION,
                                          WEIGHTS,
                                          END };
static const ga_parameter cluster[] = { COUNT("parts", "50", "parts of the graph, unless they are given"),
                                        COUNT("parts_per_batch", "1", "parts that make a batch"), DIRECTION,
                                        WEIGHTS, END };
static const ga_parameter shadow[] = { COUNT("depth", "2", "rounds"), FANOUT("10,5"), DIRECTION, WEIGHTS,
                                       END };
static const ga_parameter ppr[] = { { .name = "alpha",
                                      .type = GA_PARAMETER_REAL,
                                      .initial = "0.15",
                                      .range = "(0, 1]",
                                      .help = "probability of returning to the seed",
                                      .least = 0,
                                      .most = 1,
                                      .above = true },
                                    COUNT("top_k", "32", "sources of a seed"),
                                    { .name = "epsilon",
                                      .type = GA_PARAMETER_REAL,
                                      .initial = "1e-7",
                                      .range = "(0, 1]",
                                      .help = "what may rest at a node, for each of its neighbours",
                                      .least = 0,
                                      .most = 1,
                                      .above = true },
                                    DIRECTION,
                                    END };

/* ---- the table ---- */

static const ga_batch_method methods[] = {
    { "fanout", "uniform neighbours of each target (GraphSAGE)", fanout, &ga__fanout_batches },
    { "labor", "the same number of neighbours on average, shared by the targets (LABOR)", labor,
      &ga__labor_batches },
    { "ladies", "nodes of a layer by importance for its targets (LADIES)", layered, &ga__ladies_batches },
    { "fastgcn", "nodes of a layer by importance for all nodes (FastGCN)", layered, &ga__fastgcn_batches },
    { "vrgcn", "few neighbours, and all whose history is needed (VR-GCN)", vrgcn, &ga__vrgcn_batches },
    { "saint_node", "subgraphs of nodes by importance (GraphSAINT)", saint_node, &ga__saint_node_batches },
    { "saint_edge", "subgraphs of edges by degree (GraphSAINT)", saint_edge, &ga__saint_edge_batches },
    { "saint_walk", "subgraphs of walks (GraphSAINT)", saint_walk, &ga__saint_walk_batches },
    { "saint_mrw", "subgraphs of several walkers chosen by degree (GraphSAINT)", saint_mrw,
      &ga__saint_mrw_batches },
    { "cluster", "unions of parts with few edges between them (Cluster-GCN)", cluster, &ga__cluster_batches },
    { "shadow", "subgraphs around the seeds (ShaDow)", shadow, &ga__shadow_batches },
    { "ppr", "nodes of largest personalised PageRank of each seed", ppr, &ga__ppr_batches },
};
enum { METHODS = sizeof methods / sizeof *methods };

const ga_batch_method *ga_batch_methods(int *count)
{
    if (count) {
        *count = METHODS;
    }
    return methods;
}

const ga_batch_method *ga_batch_method_find(const char *name)
{
    for (int i = 0; name && i < METHODS; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}
