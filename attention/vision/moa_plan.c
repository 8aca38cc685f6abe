/* moa_plan.c - the span rule of every head from the influence of its blocks (attention-static section 11).
 *
 * loss(c, h, N) = sum of the influence of the causal blocks that rule c = (alpha, beta) hides at length N; density(c, N) =
 * blocks of the last row / all of them. At most two rules; at every length of `lengths` the mean density lies in
 * [least bound, bound]. The losses of up to three lengths are minimised together: each alone, then each under all
 * combinations of limits to the others, their ranges cut in `cuts`. Of the plans that no other one beats everywhere the
 * one with the least loss on `validation` is chosen, else the one with the least sum of losses, each in its range.
 *
 * With two rules densities depend on the number m of heads with the second rule alone. For every pair of rules and m it
 * remains to choose m heads: by branch and bound, where the bound leaves the limits out. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention/vision/moa_plan.h"

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "64", ">= 1", "tokens a side of a block", GA__WITHIN(1, 1 << 20) },
    { "bound", GA_PARAMETER_REAL, "0.5", "0..1", "most mean density", GA__WITHIN(0, 1) },
    { "least", GA_PARAMETER_REAL, "0.9", "0..1", "least mean density, as a share of bound",
      GA__WITHIN(0, 1) },
    { "rules", GA_PARAMETER_INT, "2", "1..2", "different rules at most", GA__WITHIN(1, 2) },
    { "lengths", GA_PARAMETER_INT_LIST, "2048,4096,8192,16384", ">= 1", "where densities are limited",
      GA__WITHIN(1, 1 << 30) },
    { "cuts", GA_PARAMETER_INT, "4", ">= 1", "limits of a loss that are tried", GA__WITHIN(1, 64) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "blocks_0", "(H, n, n)", "influence of blocks at the first length n*block", .optional = false },
    { "blocks_1", "(H, n, n)", "at a second length", .optional = true },
    { "blocks_2", "(H, n, n)", "at a third length", .optional = true },
    { "validation", "(H, n, n)", "at the length that chooses among the plans", .optional = true },
    { "candidates", "(C, 2)",
      "alpha, beta of the rules; default: alpha -2048..8192 step 1024, beta 0..1 step 1/8",
      .optional = true },
    { .name = NULL },
};

/* ---- rules ---- */

/* Blocks of the span of the last row among n, the diagonal included. */
static int64_t span_of(const ga__moa *p, int64_t rule, int64_t n)
{
    double blocks = floor(floor(p->rules[2 * rule] / (double)p->block) + p->rules[2 * rule + 1] * (double)n);
    return blocks < 1 ? 1 : blocks < (double)n ? (int64_t)blocks : n;
}

int64_t ga__moa_shown(const ga__moa *p, int64_t rule, int64_t n)
{
    int64_t span = span_of(p, rule, n);
    return span < n ? span + 1 : n; /* the first block is seen, too */
}

static ga_status default_rules(ga__block_run *run, ga__moa *p)
{
    enum { ALPHAS = 11, BETAS = 9 };
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(run->context, 2 * ALPHAS * BETAS, &p->rules));
    for (int i = 0; i < ALPHAS * BETAS; i++) {
        double alpha = -2048 + 1024 * (double)(i / BETAS), beta = (double)(i % BETAS) / 8;
        if (alpha + beta * 8192 <= 8192 && alpha + beta * 16384 <= 16384 && alpha + beta * 2048 > 0) {
            p->rules[2 * p->count] = alpha;
            p->rules[2 * p->count + 1] = beta;
            p->count++;
        }
    }
done:
    return status;
}

static ga_status take_rules(ga__block_run *run, ga__moa *p)
{
    ga_status status = GA_OK;
    ga__view view;
    const int64_t shape[] = { -1, 2 };
    if (!ga__block_given(run, "candidates")) {
        return default_rules(run, p);
    }
    GA_TRY(ga__block_fits(run, "candidates", 2, shape));
    GA_TRY(ga__view_of(run->context, "candidates", ga__block_given(run, "candidates"), true, &view));
    if (view.rows < 1 || view.rows > 4096) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "candidates: %lld rules, expected 1 to 4096",
                        (long long)view.rows));
    }
    GA_TRY(GA_NEW(run->context, 2 * view.rows, &p->rules));
    p->count = view.rows;
    for (int64_t i = 0; i < 2 * view.rows; i++) {
        p->rules[i] = ga__view_get(&view, 0, 0, i / 2, i % 2);
        if (!isfinite(p->rules[i])) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "candidates: rule %lld is not finite",
                            (long long)(i / 2)));
        }
    }
done:
    return status;
}

/* ---- losses ---- */

typedef struct hidden {
    const ga__moa *p;
    ga__view blocks;
    double *loss; /* (rules, heads) */
} hidden;

static void rule_loss(void *user, int64_t unit, double *room)
{
    const hidden *t = user;
    int64_t rule = unit / t->p->heads, h = unit % t->p->heads, n = t->blocks.rows;
    int64_t span = span_of(t->p, rule, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        ga__view_load_f64(&t->blocks, 0, h, i, room);
        for (int64_t j = 1; j <= i - span; j++) {
            sum += room[j];
        }
    }
    t->loss[unit] = sum;
}

static ga_status take_losses(ga__block_run *run, ga__moa *p, const char *name, double **loss)
{
    ga_status status = GA_OK;
    hidden t = { .p = p };
    GA_TRY(ga__view_of(run->context, name, ga__block_given(run, name), true, &t.blocks));
    GA_TRY(ga__view_expect(run->context, name, &t.blocks, 1, p->heads, -1, t.blocks.rows));
    GA_TRY(GA_NEW(run->context, p->count * p->heads, loss));
    t.loss = *loss;
    GA_TRY(ga__units(run->context, p->count * p->heads, t.blocks.columns, rule_loss, &t));
    for (int64_t i = 0; i < p->count * p->heads; i++) {
        if (!(t.loss[i] >= 0) || isinf(t.loss[i])) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s: influences of at least 0 expected", name));
        }
    }
done:
    return status;
}

static ga_status open_plan(ga__block_run *run, ga__moa *p)
{
    static const char *const names[] = { "blocks_0", "blocks_1", "blocks_2" };
    ga_status status = GA_OK;
    ga__view first;
    const ga__value *lengths = ga__part_value(&run->part, "lengths");
    GA_TRY(ga__view_of(run->context, names[0], ga__block_given(run, names[0]), true, &first));
    p->heads = first.heads;
    p->block = ga__block_integer(run, "block");
    p->bound = ga__block_real(run, "bound");
    p->least = ga__block_real(run, "least") * p->bound;
    p->most_rules = ga__block_integer(run, "rules");
    p->length_count = (int)lengths->count;
    for (int i = 0; i < p->length_count; i++) {
        p->lengths[i] = (lengths->list[i] + p->block - 1) / p->block;
    }
    if (p->heads < 1 || p->heads > GA__MOA_HEADS) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "blocks_0: %lld heads, expected 1 to %d",
                        (long long)p->heads, GA__MOA_HEADS));
    }
    GA_TRY(take_rules(run, p));
    for (int i = 0; i < GA__MOA_GOALS; i++) {
        if (ga__block_given(run, names[i])) {
            GA_TRY(take_losses(run, p, names[i], &p->loss[p->goals++]));
        }
    }
    if (ga__block_given(run, "validation")) {
        GA_TRY(take_losses(run, p, "validation", &p->validation));
    }
done:
    return status;
}

/* ---- results ---- */

static double sum_of(const ga__moa *p, const double *loss, const ga__moa_choice *c)
{
    double sum = 0;
    for (int64_t h = 0; h < p->heads; h++) {
        sum += loss[c->rule[c->second[h]] * p->heads + h];
    }
    return sum;
}

/* Number of the plan that is chosen among the best ones. */
static int choose(const ga__moa *p)
{
    int chosen = 0;
    double least = INFINITY;
    for (int i = 0; i < p->best_count; i++) {
        const ga__moa_choice *c = &p->best[i];
        double value = 0;
        if (p->validation) {
            value = sum_of(p, p->validation, c);
        }
        for (int g = 0; g < p->goals && !p->validation; g++) {
            double range = p->high[g] - p->low[g];
            value += range > 0 ? (c->loss[g] - p->low[g]) / range : 0;
        }
        if (value < least) {
            least = value;
            chosen = i;
        }
    }
    return chosen;
}

static double density_of(const ga__moa *p, const ga__moa_choice *c, int length)
{
    double sum = 0;
    for (int64_t h = 0; h < p->heads; h++) {
        sum += (double)ga__moa_shown(p, c->rule[c->second[h]], p->lengths[length]);
    }
    return sum / (double)p->heads / (double)p->lengths[length];
}

static void write_spans(const ga__moa *p, const ga__moa_choice *c, DLTensor *out, int64_t first)
{
    for (int64_t h = 0; h < p->heads; h++) {
        for (int k = 0; k < 2; k++) {
            ga__set_element(out, first + 2 * h + k, p->rules[2 * c->rule[c->second[h]] + k]);
        }
    }
}

static ga_status write_results(ga__block_run *run, const ga__moa *p, int chosen)
{
    ga_status status = GA_OK;
    DLTensor *out = NULL;
    const int64_t spans[] = { p->heads, 2 }, plans[] = { p->best_count, p->heads, 2 };
    const int64_t losses[] = { p->best_count, p->goals };
    if (ga__block_wants(run, "spans")) {
        GA_TRY(ga__block_output_make(run, "spans", 2, spans, &out));
        write_spans(p, &p->best[chosen], out, 0);
    }
    if (ga__block_wants(run, "plans")) {
        GA_TRY(ga__block_output_make(run, "plans", 3, plans, &out));
        for (int i = 0; i < p->best_count; i++) {
            write_spans(p, &p->best[i], out, i * 2 * p->heads);
        }
    }
    if (ga__block_wants(run, "losses")) {
        GA_TRY(ga__block_output_make(run, "losses", 2, losses, &out));
        for (int64_t i = 0; i < losses[0] * losses[1]; i++) {
            ga__set_element(out, i, p->best[i / p->goals].loss[i % p->goals]);
        }
    }
done:
    return status;
}

static void report(ga__block_run *run, const ga__moa *p, int chosen)
{
    static const char *const losses[] = { "loss_0", "loss_1", "loss_2" };
    static const char *const densities[] = { "density_0", "density_1", "density_2", "density_3",
                                             "density_4", "density_5", "density_6", "density_7" };
    const ga__moa_choice *c = &p->best[chosen];
    bool both[2] = { false };
    for (int64_t h = 0; h < p->heads; h++) {
        both[c->second[h]] = true;
    }
    ga__report_integer(run, "candidates", p->count);
    ga__report_integer(run, "plans", p->best_count);
    ga__report_integer(run, "chosen", chosen);
    ga__report_integer(run, "unfinished", p->unfinished);
    ga__report_integer(run, "rules", both[0] + both[1]);
    for (int g = 0; g < p->goals; g++) {
        ga__report_real(run, losses[g], c->loss[g]);
    }
    if (p->validation) {
        ga__report_real(run, "validation_loss", sum_of(p, p->validation, c));
    }
    for (int i = 0; i < p->length_count; i++) {
        ga__report_real(run, densities[i], density_of(p, c, i));
    }
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    ga__moa p = { .context = run->context, .cuts = (int)ga__block_integer(run, "cuts") };
    GA_TRY(open_plan(run, &p));
    GA_TRY(ga__moa_search(&p));
    int chosen = choose(&p);
    GA_TRY(write_results(run, &p, chosen));
    report(run, &p, chosen);
done:
    for (int i = 0; i < GA__MOA_GOALS; i++) {
        ga_free(run->context, p.loss[i]);
    }
    ga_free(run->context, p.validation);
    ga_free(run->context, p.rules);
    ga_free(run->context, p.best);
    return status;
}

static const ga__block_ops ops = { .forward = forward };

const ga_block ga__analysis_moa_plan = {
    .name = "moa-plan",
    .summary = "span rules of the heads of a layer from the influence of their blocks",
    .source = "MoA, 2406.14909 (search ours)",
    .plan = "losses and densities of rules, choice of heads by branch and bound, non-dominated plans",
    .outputs = "spans, plans, losses",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
