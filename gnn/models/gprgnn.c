/* gprgnn.c - dense layers, then a trained polynomial of the adjacency over what they give. */
#include "config.h"

#include "gnn/models/plan.h"

enum { PPR, NPPR, RANDOM, SGC };

/* The coefficients of the authors: alpha (1 - alpha)^t with the rest at k; alpha^t; uniform within sqrt(3 / (k + 1)); k
 * alone. nppr and random are divided by the sum of their absolute values. */
static void give_gamma(const ga_model *model, const ga__weight *weight, uint64_t seed, int64_t number,
                       double *values)
{
    int64_t k = weight->count - 1, kind = ga__model_integer(model, "gamma_init");
    double alpha = ga__model_real(model, "alpha"), sum = 0;
    for (int64_t t = 0; t <= k; t++) {
        switch (kind) {
        case PPR: values[t] = (t < k ? alpha : 1) * pow(1 - alpha, (double)t); break;
        case NPPR: values[t] = pow(alpha, (double)t); break;
        case RANDOM:
            values[t] = sqrt(3.0 / (double)(k + 1)) * (2 * ga__weight_unit(seed, number, t) - 1);
            break;
        default: values[t] = t == k; break;
        }
        sum += fabs(values[t]);
    }
    for (int64_t t = 0; (kind == NPPR || kind == RANDOM) && t <= k; t++) {
        values[t] /= sum;
    }
}

static ga_status add_propagation(ga_context *context, ga_model *model)
{
    ga_status status = GA_OK;
    ga__stage *stage = NULL;
    int64_t width = ga__last_stage(model)->width, number = 0;
    GA_TRY(ga__stage_add(context, model, "", "gprgnn", &stage));
    stage->dropout = ga__model_real(model, "prop_dropout");
    stage->in = stage->width = width;
    GA_TRY(ga__weight_add(context, model, "gamma", NULL, 0, ga__model_integer(model, "k") + 1, GA__INIT_GIVEN,
                          &number));
    model->weights.list[number].give = give_gamma;
    model->weights.list[number].decays = false;
done:
    return status;
}

static ga_status plan(ga_context *context, ga_model *model)
{
    static const ga__layers_plan layers = { .layer = "mlp",
                                            .add = ga__plan_dense_layer,
                                            .activation = GA__ACTIVATION_RELU };
    ga_status status = GA_OK;
    GA_TRY(ga__plan_layers(context, model, &layers, model->features));
    GA_TRY(add_propagation(context, model));
    status = ga__plan_output(context, model);
done:
    return status;
}

static const char *const starts[] = {
    [PPR] = "ppr", [NPPR] = "nppr", [RANDOM] = "random", [SGC] = "sgc", NULL
};

static const ga_parameter parameters[] = {
    GA__HIDDEN("64"),
    GA__LAYERS("2", "dense layers before the propagation"),
    GA__DROPOUT("0.5"),
    GA__STEPS("10"),
    GA__TELEPORT("of the first coefficients"),
    { .name = "gamma_init",
      .type = GA_PARAMETER_WORD,
      .initial = "ppr",
      .words = starts,
      GA__ANY,
      .help = "first coefficients: personalised PageRank, powers of alpha, random, the last power alone" },
    GA__RATE("prop_dropout", "0.5",
             "share of the input of the propagation that a step of training leaves out"),
    GA__SELF_LOOPS("add"),
    GA__DUPLICATES,
    GA__TRAINING("0.01", "5e-4", "all", "1000", "100", "both", "rows", "glorot"),
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = { GA__DENSE_TENSORS,
                                          { "gamma", "(k+1)", "coefficients of the powers 0 .. k", false,
                                            true },
                                          GA__COMMON_TENSORS,
                                          GA__OUTPUT_TENSORS(true),
                                          { .name = NULL } };

static const ga__model_ops ops = { plan };

const ga_model_info ga__model_gprgnn = {
    .name = "gprgnn",
    .summary = "Dense layers whose result spreads by a trained polynomial of the adjacency.",
    .source = "Chien et al., Adaptive Universal Generalized PageRank Graph Neural Network, arXiv 2006.07988",
    .shape = "dropout, dense, ReLU, dropout, dense, dropout, propagation",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
