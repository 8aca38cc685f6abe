/* generate.c - the table of models. */
#include "config.h"

#include "graph/generate.h"

#include <string.h>

typedef ga_status (*generator)(ga_context *context, const ga_generate_options *options, int64_t *nodes,
                               ga__csr_result *result);

static const ga_generator_info models[] = {
    { "rmat",
      "recursive matrix (Graph500 probabilities), scrambled names, exactly the wanted number of edges" },
    { "er", "Erdos-Renyi: uniform among simple directed graphs with these nodes and edges" },
    { "ba", "Barabasi-Albert: each new node points to earlier ones with probability proportional to degree" },
    { "sbm", "stochastic block model: equal blocks, a given share of edges between blocks" },
    { "grid", "lattice of rows and columns, both directions of every link, or a torus" },
    { NULL, NULL },
};

enum { MODELS = sizeof models / sizeof *models - 1 };

static const generator generators[MODELS] = { ga__generate_rmat, ga__generate_er, ga__generate_ba,
                                              ga__generate_sbm, ga__generate_grid };

const ga_generator_info *ga_generate_models(int *count)
{
    if (count) {
        *count = MODELS;
    }
    return models;
}

static ga_status find_model(ga_context *context, const char *name, generator *generate)
{
    for (int i = 0; name && i < MODELS; i++) {
        if (strcmp(models[i].name, name) == 0) {
            *generate = generators[i];
            return GA_OK;
        }
    }
    return ga__fail(context, GA_INVALID, "unknown model \"%s\", expected rmat, er, ba, sbm or grid",
                    name ? name : "");
}

static ga_status check_sizes(ga_context *context, const ga_generate_options *o)
{
    if (o->nodes < 0 || o->nodes > INT64_C(4294967296) || o->edges < 0) {
        return ga__fail(context, GA_INVALID,
                        "%lld nodes and %lld edges, expected 0 to 2^32 nodes and 0 or more edges",
                        (long long)o->nodes, (long long)o->edges);
    }
    return GA_OK;
}

ga_status ga_graph_generate(ga_context *context, const ga_generate_options *options, ga_graph **graph)
{
    ga_status status = GA_OK;
    ga__csr_result result = { 0 };
    generator generate = NULL;
    ga__begin(context);
    int64_t nodes = options->nodes;
    GA_TRY(find_model(context, options->model, &generate));
    GA_TRY(check_sizes(context, options));
    GA_TRY(generate(context, options, &nodes, &result));
    GA_TRY(ga__graph_adopt(context, nodes, result.edges, result.offsets, result.targets, NULL, graph));
    result = (ga__csr_result){ 0 };
done:
    ga__csr_result_clear(context, &result);
    return status;
}
