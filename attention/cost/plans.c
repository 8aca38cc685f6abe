/* plans.c - the cascades of our plans and of the literature. */
#include "config.h"

#include <string.h>

#include "attention/cost/cascade.h"

#define INPUT(called, of) \
    { \
        .name = (called), .ranks = (of) \
    }
#define INPUTS \
    INPUT("Q", "pe"), { "K", "me", .shared = true }, \
    { \
        "V", "mf", .shared = true \
    }
#define SCORES(...) \
    { \
        "S", "pm", { "Q", "K", ##__VA_ARGS__ }, .work = 2 \
    }
/* One pass: maximum, sum and values are corrected whenever the maximum grows; the quotient waits for the end. */
#define ONLINE(s) \
    { "M", "p", { s }, .iterative = "m", .work = 1 }, \
        { "W", "pm", { s, "M" }, .iterative = "m", .work = 1 }, \
        { "Z", "p", { "W", "M" }, .iterative = "m", .work = 1 }, \
        { "A", "pf", { "W", "V", "M" }, .iterative = "m", .work = 2 }, \
        { "O", "pf", { "A", "Z" }, .work = 1 }, \
    { \
        .name = NULL \
    }
/* The finished softmax map with its maximum taken first. */
#define STABLE_MAP \
    SCORES(), { "M", "p", { "S" }, .work = 1 }, { "W", "pm", { "S", "M" }, .work = 1 }, \
        { "Z", "p", { "W" }, .work = 1 }, \
    { \
        "P", "pm", { "W", "Z" }, .work = 1 \
    }

/* ---- the literature ---- */

static const ga__einsum naive[] = { INPUTS,
                                    SCORES(),
                                    { "W", "pm", { "S" }, .work = 1 },
                                    { "Z", "p", { "W" }, .work = 1 },
                                    { "P", "pm", { "W", "Z" }, .work = 1 },
                                    { "O", "pf", { "P", "V" }, .work = 2 },
                                    { .name = NULL } };

/* Also weights without a maximum: softplus, relu, p-Laplacian messages. */
static const ga__einsum naive_deferred[] = { INPUTS,
                                             SCORES(),
                                             { "W", "pm", { "S" }, .work = 1 },
                                             { "Z", "p", { "W" }, .work = 1 },
                                             { "A", "pf", { "W", "V" }, .work = 2 },
                                             { "O", "pf", { "A", "Z" }, .work = 1 },
                                             { .name = NULL } };

static const ga__einsum stable[] = {
    INPUTS, STABLE_MAP, { "O", "pf", { "P", "V" }, .work = 2 }, { .name = NULL }
};

static const ga__einsum stable_deferred[] = { INPUTS,
                                              SCORES(),
                                              { "M", "p", { "S" }, .work = 1 },
                                              { "W", "pm", { "S", "M" }, .work = 1 },
                                              { "Z", "p", { "W" }, .work = 1 },
                                              { "A", "pf", { "W", "V" }, .work = 2 },
                                              { "O", "pf", { "A", "Z" }, .work = 1 },
                                              { .name = NULL } };

/* The k-th largest score of a row, what is not below it, softmax over that. */
static const ga__einsum row_topk[] = { INPUTS,
                                       SCORES(),
                                       { "T", "p", { "S" }, .work = 1 },
                                       { "C", "pm", { "S", "T" }, .work = 1 },
                                       { "M", "p", { "C" }, .work = 1 },
                                       { "W", "pm", { "C", "M" }, .work = 1 },
                                       { "Z", "p", { "W" }, .work = 1 },
                                       { "A", "pf", { "W", "V" }, .work = 2 },
                                       { "O", "pf", { "A", "Z" }, .work = 1 },
                                       { .name = NULL } };

/* Masses of the classes of keys in the finished map, the map changed by them, then the values. */
static const ga__einsum var_map[] = { INPUTS,
                                      INPUT("L", "mc"),
                                      STABLE_MAP,
                                      { "N", "pc", { "P", "L" }, .work = 2 },
                                      { "R", "pm", { "P", "N", "L" }, .work = 1 },
                                      { "O", "pf", { "R", "V" }, .work = 2 },
                                      { .name = NULL } };

/* The finished row is changed by something of all its weights, then the values. */
static const ga__einsum row_map[] = { INPUTS,
                                      STABLE_MAP,
                                      { "N", "p", { "P" }, .work = 1 },
                                      { "R", "pm", { "P", "N" }, .work = 1 },
                                      { "O", "pf", { "R", "V" }, .work = 2 },
                                      { .name = NULL } };

/* The same with something of all rows. */
static const ga__einsum full_map[] = { INPUTS,
                                       STABLE_MAP,
                                       { "N", "p", { "P" }, .work = 1 },
                                       { "H", "m", { "P" }, .work = 1 },
                                       { "R", "pm", { "P", "N", "H" }, .work = 1 },
                                       { "O", "pf", { "R", "V" }, .work = 2 },
                                       { .name = NULL } };

/* ---- softmax in one pass ---- */

static const ga__einsum online[] = { INPUTS, SCORES(), ONLINE("S") };

/* A factor or a summand of every column changes the scores. */
static const ga__einsum modified[] = { INPUTS,
                                       INPUT("G", "m"),
                                       { "X", "pm", { "Q", "K" }, .work = 2 },
                                       { "S", "pm", { "X", "G" }, .work = 1 },
                                       ONLINE("S") };

/* Sums and values by classes of keys; what the classes win or lose is decided at the end. */
static const ga__einsum classes[] = { INPUTS,
                                      INPUT("L", "mc"),
                                      SCORES(),
                                      { "M", "p", { "S" }, .iterative = "m", .work = 1 },
                                      { "W", "pm", { "S", "M" }, .iterative = "m", .work = 1 },
                                      { "Z", "pc", { "W", "L", "M" }, .iterative = "m", .work = 1 },
                                      { "A", "pfc", { "W", "V", "L", "M" }, .iterative = "m", .work = 2 },
                                      { "O", "pf", { "A", "Z" }, .work = 2 },
                                      { .name = NULL } };

/* Every part of the keys on its own, then the parts one after another. */
static const ga__einsum parts[] = { INPUTS,
                                    { "S", "pum", { "Q", "K" }, .work = 2 },
                                    { "MU", "pu", { "S" }, .iterative = "m", .work = 1 },
                                    { "W", "pum", { "S", "MU" }, .iterative = "m", .work = 1 },
                                    { "ZU", "pu", { "W", "MU" }, .iterative = "m", .work = 1 },
                                    { "AU", "puf", { "W", "V", "MU" }, .iterative = "m", .work = 2 },
                                    { "M", "p", { "MU" }, .iterative = "u", .work = 1 },
                                    { "Z", "p", { "ZU", "MU", "M" }, .iterative = "u", .work = 2 },
                                    { "A", "pf", { "AU", "MU", "M" }, .iterative = "u", .work = 2 },
                                    { "O", "pf", { "A", "Z" }, .work = 1 },
                                    { .name = NULL } };

/* An inner softmax in every block; its values enter the outer one with the weight of the block's landmark KL. */
static const ga__einsum landmark[] = { INPUTS,
                                       { "KL", "ue", .shared = true },
                                       { "S", "pum", { "Q", "K" }, .work = 2 },
                                       { "MU", "pu", { "S" }, .iterative = "m", .work = 1 },
                                       { "WU", "pum", { "S", "MU" }, .iterative = "m", .work = 1 },
                                       { "ZU", "pu", { "WU", "MU" }, .iterative = "m", .work = 1 },
                                       { "AU", "puf", { "WU", "V", "MU" }, .iterative = "m", .work = 2 },
                                       { "SL", "pu", { "Q", "KL" }, .work = 2 },
                                       { "M", "p", { "SL" }, .iterative = "u", .work = 1 },
                                       { "W", "pu", { "SL", "M" }, .iterative = "u", .work = 1 },
                                       { "Z", "p", { "W", "M" }, .iterative = "u", .work = 1 },
                                       { "A", "pf", { "W", "AU", "ZU", "M" }, .iterative = "u", .work = 2 },
                                       { "O", "pf", { "A", "Z" }, .work = 1 },
                                       { .name = NULL } };

/* The keys of the last full step, and the largest scores of this one for the next. */
static const ga__einsum recycled[] = {
    INPUTS, INPUT("C", "m"), SCORES("C"), { "N", "p", { "S" }, .iterative = "m", .work = 1 }, ONLINE("S")
};

/* The last row decides on the heads before the others are scaled: G from its output R and the reference B. */
static const ga__einsum head_gate[] = { INPUTS,
                                        INPUT("QR", "re"),
                                        INPUT("B", "rf"),
                                        { "SR", "rm", { "QR", "K" }, .work = 2 },
                                        { "MR", "r", { "SR" }, .iterative = "m", .work = 1 },
                                        { "WR", "rm", { "SR", "MR" }, .iterative = "m", .work = 1 },
                                        { "ZR", "r", { "WR", "MR" }, .iterative = "m", .work = 1 },
                                        { "AR", "rf", { "WR", "V", "MR" }, .iterative = "m", .work = 2 },
                                        { "R", "rf", { "AR", "ZR" }, .work = 1 },
                                        { "G", "", { "R", "B" }, .work = 2 },
                                        SCORES(),
                                        { "M", "p", { "S" }, .iterative = "m", .work = 1 },
                                        { "W", "pm", { "S", "M" }, .iterative = "m", .work = 1 },
                                        { "Z", "p", { "W", "M" }, .iterative = "m", .work = 1 },
                                        { "A", "pf", { "W", "V", "M" }, .iterative = "m", .work = 2 },
                                        { "O", "pf", { "A", "Z", "G" }, .work = 2 },
                                        { .name = NULL } };

/* ---- keys chosen first ---- */

/* Summaries of pages, scores of pages, those not below a row's threshold. */
static const ga__einsum pages[] = { INPUTS,
                                    { "KU", "ue", { "K" }, .work = 2 },
                                    { "B", "pu", { "Q", "KU" }, .work = 2 },
                                    { "T", "p", { "B" }, .work = 1 },
                                    { "C", "pu", { "B", "T" }, .work = 1 },
                                    SCORES("C"),
                                    ONLINE("S") };

/* The same by blocks of queries: p counts blocks, i their rows. */
static const ga__einsum blocks[] = { INPUT("Q", "pie"),
                                     { "K", "me", .shared = true },
                                     { "V", "mf", .shared = true },
                                     { "QP", "pe", { "Q" }, .work = 1 },
                                     { "KU", "ue", { "K" }, .work = 1 },
                                     { "B", "pu", { "QP", "KU" }, .work = 2 },
                                     { "T", "p", { "B" }, .work = 1 },
                                     { "C", "pu", { "B", "T" }, .work = 1 },
                                     { "S", "pim", { "Q", "K", "C" }, .work = 2 },
                                     { "M", "pi", { "S" }, .iterative = "m", .work = 1 },
                                     { "W", "pim", { "S", "M" }, .iterative = "m", .work = 1 },
                                     { "Z", "pi", { "W", "M" }, .iterative = "m", .work = 1 },
                                     { "A", "pif", { "W", "V", "M" }, .iterative = "m", .work = 2 },
                                     { "O", "pif", { "A", "Z" }, .work = 1 },
                                     { .name = NULL } };

/* Column sums of the finished map of probe rows, those not below a threshold. Blocks and diagonals are sums over keys,
 * too: no units of their own. */
static const ga__einsum probe[] = { INPUTS,
                                    INPUT("QR", "re"),
                                    { "SR", "rm", { "QR", "K" }, .work = 2 },
                                    { "MR", "r", { "SR" }, .iterative = "m", .work = 1 },
                                    { "WR", "rm", { "SR", "MR" }, .iterative = "m", .work = 1 },
                                    { "ZR", "r", { "WR", "MR" }, .iterative = "m", .work = 1 },
                                    { "PR", "rm", { "SR", "MR", "ZR" }, .work = 2 },
                                    { "H", "m", { "PR" }, .work = 1 },
                                    { "T", "", { "H" }, .work = 1 },
                                    { "C", "m", { "H", "T" }, .work = 1 },
                                    SCORES("C"),
                                    ONLINE("S") };

/* ---- more than a pass for other reasons ---- */

/* The mean that a key receives needs the finished map of all queries; in a second pass over them the weights are made
 * again and summed up by classes. */
static const ga__einsum received[] = { INPUTS,
                                       STABLE_MAP,
                                       { "H", "m", { "P" }, .work = 1 },
                                       { "L", "mc", { "H" }, .work = 1 },
                                       { "PC", "pmc", { "Q", "K", "M", "Z", "L" }, .work = 2 },
                                       { "N", "pc", { "PC" }, .work = 1 },
                                       { "A", "pfc", { "PC", "V" }, .work = 2 },
                                       { "O", "pf", { "A", "N" }, .work = 2 },
                                       { .name = NULL } };

/* Weights over their sum, raised to a power, and normalised once more. */
static const ga__einsum reweight[] = { INPUTS,
                                       SCORES(),
                                       { "W", "pm", { "S" }, .work = 1 },
                                       { "Z", "p", { "W" }, .work = 1 },
                                       { "R", "pm", { "W", "Z" }, .work = 1 },
                                       { "Y", "p", { "R" }, .work = 1 },
                                       { "A", "pf", { "R", "V" }, .work = 2 },
                                       { "O", "pf", { "A", "Y" }, .work = 1 },
                                       { .name = NULL } };

/* Edge weights from the finished softmax and the differences of values; their sum divides at the end. */
static const ga__einsum laplacian[] = { INPUTS,
                                        INPUT("VP", "pf"),
                                        SCORES(),
                                        { "M", "p", { "S" }, .iterative = "m", .work = 1 },
                                        { "W", "pm", { "S", "M" }, .iterative = "m", .work = 1 },
                                        { "Z", "p", { "W", "M" }, .iterative = "m", .work = 1 },
                                        { "D", "pm", { "VP", "V" }, .work = 2 },
                                        { "P", "pm", { "S", "M", "Z", "D" }, .work = 2 },
                                        { "Y", "p", { "P" }, .work = 1 },
                                        { "A", "pf", { "P", "V" }, .work = 2 },
                                        { "O", "pf", { "A", "Y" }, .work = 1 },
                                        { .name = NULL } };

/* ---- without a softmax ---- */

static const ga__einsum elementwise[] = { INPUTS,
                                          SCORES(),
                                          { "W", "pm", { "S" }, .work = 1 },
                                          { "O", "pf", { "W", "V" }, .work = 2 },
                                          { .name = NULL } };

/* A state of keys times values, and the sum of keys that normalises. */
static const ga__einsum state[] = { INPUTS,
                                    { "X", "ef", { "K", "V" }, .iterative = "m", .work = 2 },
                                    { "Y", "e", { "K" }, .iterative = "m", .work = 1 },
                                    { "A", "pf", { "Q", "X" }, .work = 2 },
                                    { "Z", "p", { "Q", "Y" }, .work = 2 },
                                    { "O", "pf", { "A", "Z" }, .work = 1 },
                                    { .name = NULL } };

/* A state that decays or is gated, read without a sum. */
static const ga__einsum recurrence[] = { INPUTS,
                                         INPUT("G", "me"),
                                         { "X", "ef", { "K", "V", "G" }, .iterative = "m", .work = 3 },
                                         { "O", "pf", { "Q", "X" }, .work = 2 },
                                         { .name = NULL } };

/* What the state says about a key (R, from the state before) is taken from its value before it is written. */
static const ga__einsum correction[] = { INPUTS,
                                         { "R", "mf", { "K", "V" }, .iterative = "m", .work = 2 },
                                         { "X", "ef", { "K", "R" }, .iterative = "m", .work = 2 },
                                         { "O", "pf", { "Q", "X" }, .work = 2 },
                                         { .name = NULL } };

/* Chunks summed up by a gate, softmax over chunks. */
static const ga__einsum chunks[] = { INPUTS,
                                     INPUT("G", "mf"),
                                     { "KU", "ue", { "K", "G" }, .iterative = "m", .work = 3 },
                                     { "VU", "uf", { "V", "G" }, .iterative = "m", .work = 3 },
                                     { "S", "pu", { "Q", "KU" }, .work = 2 },
                                     { "M", "p", { "S" }, .iterative = "u", .work = 1 },
                                     { "W", "pu", { "S", "M" }, .iterative = "u", .work = 1 },
                                     { "Z", "p", { "W", "M" }, .iterative = "u", .work = 1 },
                                     { "A", "pf", { "W", "VU", "M" }, .iterative = "u", .work = 2 },
                                     { "O", "pf", { "A", "Z" }, .work = 1 },
                                     { .name = NULL } };

/* ---- layers of graphs: m are the in-edges of a node ---- */

static const ga__einsum messages[] = {
    INPUT("E", "pm"), { "X", "mf", .shared = true }, { "O", "pf", { "E", "X" }, .work = 2 }, { .name = NULL }
};

/* Logits from a number of either end. */
static const ga__einsum edge_softmax[] = { INPUT("L", "p"),
                                           INPUT("R", "m"),
                                           { "V", "mf", .shared = true },
                                           { "S", "pm", { "L", "R" }, .work = 2 },
                                           ONLINE("S") };

/* Weights from the difference of features. */
static const ga__einsum differences[] = { INPUT("XP", "pf"),
                                          { "X", "mf", .shared = true },
                                          { "W", "pm", { "XP", "X" }, .work = 2 },
                                          { "Z", "p", { "W" }, .work = 1 },
                                          { "A", "pf", { "W", "X" }, .work = 2 },
                                          { "O", "pf", { "A", "Z" }, .work = 1 },
                                          { .name = NULL } };

const ga__plan ga__plans[] = {
    { "naive", naive, false },
    { "naive-deferred", naive_deferred, false },
    { "stable", stable, false },
    { "stable-deferred", stable_deferred, false },
    { "row-topk", row_topk, true },
    { "var-map", var_map, false },

    { "full", online, false },
    { "window", online, false },
    { "neighborhood", online, false },
    { "block-sparse", online, false },
    { "graph", online, false },
    { "dina", online, false },
    { "halo", online, false },
    { "maxvit-block", online, false },
    { "maxvit-grid", online, false },
    { "shifted-window", online, false },
    { "overlap-window", online, false },
    { "inward-window", online, false },
    { "radial", online, false },
    { "s2", online, false },
    { "moa", online, false },
    { "region", online, false },
    { "saliency-local", online, false },
    { "object", online, false },
    { "probe", online, false },

    { "sigmoid", elementwise, false },
    { "softplus", naive_deferred, false },
    { "softplus-reweight", reweight, false },
    { "linear", state, false },
    { "hedgehog", state, false },
    { "l2vit", state, false },
    { "based", state, false },
    { "mala", state, false },
    { "inline", state, false },
    { "norm-attention", recurrence, false },
    { "retention", recurrence, false },
    { "lightning", recurrence, false },
    { "gla", recurrence, false },
    { "ssm", recurrence, false },
    { "delta", correction, false },
    { "gated-delta", correction, false },
    { "titans", correction, false },
    { "rat", chunks, false },
    { "selective", modified, false },
    { "gated", online, false },
    { "p-adapter", laplacian, false },

    { "landmark", landmark, false },
    { "split-kv", parts, false },
    { "var", classes, false },
    { "paint", modified, false },
    { "dara", modified, false },
    { "head-mask", online, false },
    { "vhr", head_gate, false },
    { "act", received, false },
    { "recycled", recycled, true },
    { "vertical-slash", probe, true },
    { "flexprefill", probe, true },
    { "snapkv", probe, true },
    { "ada-snapkv", probe, true },
    { "quest", pages, true },
    { "block-topk", blocks, true },
    { "hip", blocks, true },
    { "dhsa", blocks, true },

    { "gcn", messages, false },
    { "sage", messages, false },
    { "appnp", messages, false },
    { "gprgnn", messages, false },
    { "gat", edge_softmax, false },
    { "gatv2", online, false },
    { "transformer", online, false },
    { "agnn", online, false },
    { "pgnn", differences, false },
    { .name = NULL },
};

const ga__plan *ga__plan_find(const char *name)
{
    for (const ga__plan *p = ga__plans; p->name; p++) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

const ga__plan *ga__plan_with_post(const ga__plan *plan, ga_post_form form)
{
    static const ga__plan posts[] = { [GA_POST_CLASSWISE] = { "classwise", classes, false },
                                      [GA_POST_ROW] = { "row", row_map, false },
                                      [GA_POST_FULL] = { "full", full_map, false } };
    return form == GA_POST_NONE ? plan : plan->einsums == online ? &posts[form] : NULL;
}

bool ga__plan_ranks(const ga__plan *plan, char rank)
{
    for (const ga__einsum *e = plan->einsums; e->name; e++) {
        if (strchr(e->ranks, rank)) {
            return true;
        }
    }
    return false;
}
