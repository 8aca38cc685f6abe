/* norm_attention.c - the normaliser norm-attention: w = s / eta_i, eta a function of logits per row. */
#include "config.h"

#include "attention/plan.h"

static const char *const eta_words[] = {
    [GA_ETA_EXP] = "exp", [GA_ETA_SOFTPLUS] = "softplus", [GA_ETA_SIGMOID] = "sigmoid", NULL
};

static const ga_parameter parameters[] = {
    { "eta", GA_PARAMETER_WORD, "exp", NULL, "function of the logits", eta_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "eta_logits", "(B, H, Nq)", "logits of the divisor of a row", .differentiable = true },
    { .name = NULL },
};

static ga_status make(ga__job *run, const ga__part *part)
{
    const int64_t dims[] = { run->batch, run->heads, run->queries };
    run->problem.normaliser.eta = (ga_eta)ga__part_value(part, "eta")->integer;
    return ga__bind(run, GA__ETA_LOGITS, "eta_logits", false, 3, dims);
}

const ga__normaliser_entry ga__norm_attention_row = { .name = "norm-attention",
                                                      .parameters = parameters,
                                                      .tensors = tensors,
                                                      .kind = GA_NORM_ATTENTION,
                                                      .make = make };
