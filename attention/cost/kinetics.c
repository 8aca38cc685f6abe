/* kinetics.c - eFLOPs of generation, dense or with the best key blocks (card A7).
 *
 * P parameters, D = 2 kv_heads dim layers elements of keys and values a token, r = heads / kv_heads, n trials that share
 * a prompt of L_in tokens and write L_out each. eFLOPs = compute + intensity memory; weights are left out of memory.
 *
 *   dense  compute = n (2 P L_out + r D (2 L_in L_out + L_out^2)),  memory = D (2 L_in L_out + n L_out^2)
 *   block  budget B = window + top_k block, T = tokens attended in all,
 *          compute = n (2 P L_out + 2 r D T + (r D / 2) (2 L_in + L_out) L_out / block)
 *          memory  = 2 n D T + (D / 2) (2 L_in + n L_out) L_out / block
 *
 * A token at position t of the answer attends to min(B, L_in + t): T = B L_out - (g x - x^2 / 2) with the gap
 * g = max(0, B - L_in) and x = min(g, L_out), which is B L_out - g^2 / 2 as long as the answer fills the budget. */
#include "config.h"

#include "attention/cost/cost.h"

static const char *const modes[] = { "dense", "block", NULL };
enum { DENSE, BLOCK };

static const ga_parameter parameters[] = {
    { "parameters", GA_PARAMETER_REAL, NULL, "> 0", "active parameters of the model", GA__ABOVE(0),
      .required = true },
    { "heads", GA_PARAMETER_INT, NULL, ">= 1", "query heads", GA__FROM(1), .required = true },
    { "kv_heads", GA_PARAMETER_INT, NULL, ">= 1", "heads of keys and values", GA__FROM(1), .required = true },
    { "dim", GA_PARAMETER_INT, NULL, ">= 1", "channels of a head", GA__FROM(1), .required = true },
    { "layers", GA_PARAMETER_INT, NULL, ">= 1", "layers", GA__FROM(1), .required = true },
    { "prompt", GA_PARAMETER_INT, NULL, ">= 0", "tokens of the prompt", GA__FROM(0), .required = true },
    { "generated", GA_PARAMETER_INT, NULL, ">= 1", "tokens that are written", GA__FROM(1), .required = true },
    { "trials", GA_PARAMETER_INT, "1", ">= 1", "answers that share the prompt", GA__FROM(1) },
    { "intensity", GA_PARAMETER_REAL, "562.5", "> 0", "operations a byte of the machine", GA__ABOVE(0) },
    { "mode", GA_PARAMETER_WORD, "dense", NULL, "all keys, or the best blocks", modes, GA__ANY },
    { "window", GA_PARAMETER_INT, "64", ">= 0", "local keys (block)", GA__FROM(0) },
    { "block", GA_PARAMETER_INT, "16", ">= 1", "keys of a block", GA__FROM(1) },
    { "top_k", GA_PARAMETER_INT, "60", ">= 0", "blocks kept", GA__FROM(0) },
    { .name = NULL },
};

static double number(const ga__block_run *run, const char *name)
{
    return (double)ga__block_integer(run, name);
}

/* T */
static double attended(double budget, double prompt, double generated)
{
    double gap = budget > prompt ? budget - prompt : 0, ramp = gap < generated ? gap : generated;
    return budget * generated - (gap * ramp - ramp * ramp / 2);
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    GA_TRY(ga__cost_heads(run));
    double in = number(run, "prompt"), out = number(run, "generated"), n = number(run, "trials");
    double d = 2 * number(run, "kv_heads") * number(run, "dim") * number(run, "layers");
    double r = number(run, "heads") / number(run, "kv_heads"), block = number(run, "block");
    double weights = n * 2 * ga__block_real(run, "parameters") * out, compute, memory;
    if (ga__block_integer(run, "mode") == DENSE) {
        compute = weights + n * r * d * (2 * in * out + out * out);
        memory = d * (2 * in * out + n * out * out);
    } else {
        double t = attended(number(run, "window") + number(run, "top_k") * block, in, out);
        compute = weights + n * (2 * r * d * t + r * d / 2 * (2 * in + out) * out / block);
        memory = n * 2 * d * t + d / 2 * (2 * in + n * out) * out / block;
    }
    double moved = ga__block_real(run, "intensity") * memory;
    GA_TRY(ga__cost_real(run, "compute", compute));
    GA_TRY(ga__cost_real(run, "memory", memory));
    GA_TRY(ga__cost_real(run, "eflops", compute + moved));
    GA_TRY(ga__cost_real(run, "attention_over_parameters", (compute - weights + moved) / weights));
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__cost_kinetics = {
    .name = "kinetics",
    .summary = "eFLOPs of generation, dense or block top-k",
    .source = "Kinetics, 2506.05333",
    .plan = "formulas",
    .outputs = "compute, memory, eflops, attention_over_parameters",
    .parameters = parameters,
    .ops = &ops,
};
