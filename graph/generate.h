/* generate.h - test graphs; one function a model. */
#ifndef GA_GRAPH_GENERATE_H
#define GA_GRAPH_GENERATE_H

#include "graph/csr.h"

/* Models set *result (owned) and may change *nodes. Options are checked for what all models share. */
ga_status ga__generate_rmat(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                            ga__csr_result *result);
ga_status ga__generate_er(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                          ga__csr_result *result);
ga_status ga__generate_ba(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                          ga__csr_result *result);
ga_status ga__generate_sbm(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                           ga__csr_result *result);
ga_status ga__generate_grid(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                            ga__csr_result *result);

/* ---- random pairs ---- */

/* A set of ordered pairs without loops: all, those inside one of `blocks` equal blocks, or those between them. */
typedef enum ga__family_kind { GA__PAIRS_ALL, GA__PAIRS_INSIDE, GA__PAIRS_BETWEEN } ga__family_kind;
typedef struct ga__family {
    ga__family_kind kind;
    uint64_t nodes, blocks;
} ga__family;

uint64_t ga__family_size(const ga__family *family);

/* Draw number `index`; the same for the same seed. */
typedef struct ga__drawing {
    uint64_t seed;
    ga__pair (*draw)(const struct ga__drawing *d, uint64_t index);
    const void *model;
    uint64_t models_draws; /* draws from here on are uniform in family */
    ga__family family;
} ga__drawing;

/* One uniform draw from the family. */
ga__pair ga__family_draw(const ga__family *family, uint64_t seed, ga__purpose purpose, uint64_t index);

/* Distinct pairs of `draws` draws; with repetitions and loops when raw. */
ga_status ga__draw_rows(ga_context *context, const ga__drawing *d, int64_t draws, bool raw,
                        ga__csr_result *result);
/* Removes all but `edges` edges, chosen by a hash. */
ga_status ga__thin_rows(ga_context *context, int64_t nodes, int64_t edges, uint64_t seed,
                        ga__csr_result *result);
/* Adds pairs of the family that are not there, chosen uniformly, until there are `edges`. Takes time proportional to
 * the family's size. */
ga_status ga__fill_rows(ga_context *context, const ga__family *family, int64_t edges, uint64_t seed,
                        ga__csr_result *result);
/* Uniform among all sets of `edges` pairs of the family. */
ga_status ga__uniform_rows(ga_context *context, const ga__family *family, int64_t edges, uint64_t seed,
                           ga__csr_result *result);
void ga__csr_result_clear(ga_context *context, ga__csr_result *result);

#endif
