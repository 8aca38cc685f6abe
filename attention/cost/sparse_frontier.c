/* sparse_frontier.c - operations of a prefill and traffic of a decoding step of a transformer (card A6).
 *
 * Prefill of one sequence of L tokens, N layers of h heads, rho the share of the pairs that is kept:
 *
 *   2 L d + N (2 L d (2 d + 2 dim kv_heads) + rho h L^2 (4 dim + 3)) + 2 N L mlp (3 d + 1) + 2 L d |V|
 *
 * rho scales the L^2 term alone, which is attention_flops. A step reads N (4 d^2 + 3 d mlp) + d (|V| + 1) weights and
 * 2 batch N L dim kv_heads rho elements of keys and values. */
#include "config.h"

#include "attention/cost/cost.h"

static const ga_parameter parameters[] = {
    { "model_dim", GA_PARAMETER_INT, NULL, ">= 1", "channels of the model", GA__FROM(1), .required = true },
    { "heads", GA_PARAMETER_INT, NULL, ">= 1", "query heads", GA__FROM(1), .required = true },
    { "kv_heads", GA_PARAMETER_INT, NULL, ">= 1", "heads of keys and values", GA__FROM(1), .required = true },
    { "dim", GA_PARAMETER_INT, NULL, ">= 1", "channels of a head", GA__FROM(1), .required = true },
    { "layers", GA_PARAMETER_INT, NULL, ">= 1", "layers", GA__FROM(1), .required = true },
    { "mlp_dim", GA_PARAMETER_INT, NULL, ">= 0", "channels inside the MLP", GA__FROM(0), .required = true },
    { "vocabulary", GA_PARAMETER_INT, NULL, ">= 0", "tokens of the vocabulary", GA__FROM(0),
      .required = true },
    { "length", GA_PARAMETER_INT, NULL, ">= 1", "tokens of a sequence", GA__FROM(1), .required = true },
    { "batch", GA_PARAMETER_INT, "1", ">= 1", "sequences of a decoding step", GA__FROM(1) },
    { "density", GA_PARAMETER_REAL, "1", "0..1", "share of the pairs that is kept", GA__WITHIN(0, 1) },
    { .name = NULL },
};

static double number(const ga__block_run *run, const char *name)
{
    return (double)ga__block_integer(run, name);
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    GA_TRY(ga__cost_heads(run));
    double d = number(run, "model_dim"), dim = number(run, "dim"), kv = number(run, "kv_heads");
    double layers = number(run, "layers"), mlp = number(run, "mlp_dim"), words = number(run, "vocabulary");
    double length = number(run, "length"), density = ga__block_real(run, "density");
    double pairs = layers * number(run, "heads") * length * length * (4 * dim + 3);
    double rest = 2 * length * d + layers * 2 * length * d * (2 * d + 2 * dim * kv) +
                  2 * layers * length * mlp * (3 * d + 1) + 2 * length * d * words;
    double prefill = rest + density * pairs;
    double weights = layers * (4 * d * d + 3 * d * mlp) + d * (words + 1);
    double cache = number(run, "batch") * 2 * layers * length * dim * kv * density;
    GA_TRY(ga__cost_real(run, "prefill_flops", prefill));
    GA_TRY(ga__cost_real(run, "attention_flops", density * pairs));
    GA_TRY(ga__cost_real(run, "attention_share", density * pairs / prefill));
    GA_TRY(ga__cost_real(run, "prefill_speedup", (rest + pairs) / prefill));
    GA_TRY(ga__cost_real(run, "decode_weights", weights));
    GA_TRY(ga__cost_real(run, "decode_kv", cache));
    GA_TRY(ga__cost_real(run, "kv_share", cache / (weights + cache)));
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__cost_sparse_frontier = {
    .name = "sparse-frontier",
    .summary = "operations of a prefill and traffic of a decoding step",
    .source = "The Sparse Frontier, 2504.17768",
    .plan = "formulas; density scales the L^2 term alone",
    .outputs = "prefill_flops, attention_flops, attention_share, prefill_speedup, decode_weights, decode_kv, "
               "kv_share",
    .parameters = parameters,
    .ops = &ops,
};
