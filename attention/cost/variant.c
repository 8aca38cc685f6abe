/* variant.c - operations, bytes, passes and predicted time of a variant at a size, in f32.
 *
 * Operations and words are those of the plan's cascade (cascade.h) with the share of visible pairs that the variant's
 * pattern has: for softmax attention 2 dim + 2 dim_v + 3 operations a visible pair. seconds = max(flops / operations a
 * second, bytes / bytes a second), with what this machine reaches where the speeds are not given: a bound from below. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/cost/cascade.h"
#include "attention/cost/cost.h"
#include "lib/engine/limits/limits.h"

static const ga_parameter parameters[] = {
    { "variant", GA_PARAMETER_TEXT, NULL, "of a variant", "which one; its own parameters may follow",
      .required = true, GA__ANY },
    { "queries", GA_PARAMETER_INT, NULL, ">= 1", "number of queries", GA__FROM(1), .required = true },
    { "keys", GA_PARAMETER_INT, NULL, ">= 1", "number of keys", GA__FROM(1), .required = true },
    { "heads", GA_PARAMETER_INT, "1", ">= 1", "query heads", GA__FROM(1) },
    { "kv_heads", GA_PARAMETER_INT, "0", "0 = heads", "heads of keys and values", GA__FROM(0) },
    { "dim", GA_PARAMETER_INT, NULL, ">= 1", "channels of queries and keys", GA__FROM(1), .required = true },
    { "dim_v", GA_PARAMETER_INT, "0", "0 = dim", "channels of values", GA__FROM(0) },
    { "batch", GA_PARAMETER_INT, "1", ">= 1", "sequences", GA__FROM(1) },
    { "density", GA_PARAMETER_REAL, NULL, "0..1", "share of the pairs that is visible; default: counted",
      GA__WITHIN(0, 1) },
    { "tile", GA_PARAMETER_INT, "64", ">= 1", "side of the tiles that are counted, of units and blocks",
      GA__FROM(1) },
    { "flops_per_second", GA_PARAMETER_REAL, "0", "0 = measured", "speed of arithmetic", GA__FROM(0) },
    { "bytes_per_second", GA_PARAMETER_REAL, "0", "0 = measured", "speed of memory", GA__FROM(0) },
    { .name = NULL },
};

typedef struct size {
    const ga_variant *variant;
    const ga__plan *plan;
    int64_t queries, keys, heads, kv_heads, dim, dim_v, batch, tile;
    double density, tile_density; /* NAN = not known */
    ga__passes passes;
} size;

/* ---- the pattern ---- */

/* The caller's parameters but ours. */
static ga_status pass_on(ga__block_run *run, ga_attend_call *call, ga_named_text **owned)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(run->context, run->call->parameter_count, owned));
    for (int64_t i = 0; i < run->call->parameter_count; i++) {
        const ga_parameter *p = parameters;
        while (p->name && strcmp(p->name, run->call->parameters[i].name) != 0) {
            p++;
        }
        if (!p->name) {
            (*owned)[call->parameter_count++] = run->call->parameters[i];
        }
    }
    call->parameters = *owned;
    call->causal = run->call->causal;
done:
    return status;
}

/* Adds the tiles that the rows of a strip touch: cover counts the starts and ends of what rows touch. */
static int64_t touched(const ga_pattern *pattern, int64_t head, int64_t first, int64_t last, int64_t tile,
                       int64_t tiles, int64_t (*runs)[2], int64_t *cover)
{
    int64_t count = 0, open = 0;
    memset(cover, 0, (size_t)(tiles + 1) * sizeof *cover);
    for (int64_t i = first; i < last; i++) {
        int64_t n = ga_pattern_row_runs(pattern, head, i, runs);
        for (int64_t r = 0; r < n; r++) {
            cover[runs[r][0] / tile]++;
            cover[(runs[r][1] - 1) / tile + 1]--;
        }
    }
    for (int64_t t = 0; t < tiles; t++) {
        open += cover[t];
        count += open > 0;
    }
    return count;
}

static ga_status count_pairs(ga_context *context, size *s, const ga_pattern *pattern)
{
    ga_status status = GA_OK;
    int64_t tiles = (s->keys + s->tile - 1) / s->tile, strips = (s->queries + s->tile - 1) / s->tile;
    int64_t heads = ga_pattern_heads(pattern), *cover = NULL, (*runs)[2] = NULL;
    double pairs = 0, visited = 0;
    GA_TRY(GA_NEW(context, ga__max(ga_pattern_most_runs(pattern), 1), &runs));
    GA_TRY(GA_NEW(context, tiles + 1, &cover));
    for (int64_t h = 0; h < heads; h++) {
        pairs += (double)ga_pattern_nonzeros(pattern, h);
        for (int64_t t = 0; t < strips; t++) {
            GA_TRY(ga__check(context));
            visited += (double)touched(pattern, h, t * s->tile, ga__min((t + 1) * s->tile, s->queries),
                                       s->tile, tiles, runs, cover);
        }
    }
    s->density = pairs / (double)heads / (double)s->queries / (double)s->keys;
    s->tile_density = visited / (double)heads / (double)tiles / (double)strips;
done:
    ga_free(context, runs);
    ga_free(context, cover);
    return status;
}

static ga_status look_at_pattern(ga__block_run *run, size *s)
{
    ga_status status = GA_OK;
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    ga_named_text *own = NULL;
    ga_pattern *pattern = NULL;
    if (s->plan->chosen) {
        GA_TRY(ga__fail(run->context, GA_INVALID,
                        "%s chooses its keys by the data: say how many of the pairs by density=SHARE",
                        s->variant->name));
    }
    GA_TRY(pass_on(run, &call, &own));
    GA_TRY(ga_attend_pattern(run->context, s->variant->name, &call, s->heads, s->kv_heads, s->queries,
                             s->keys, &pattern));
    GA_TRY(count_pairs(run->context, s, pattern));
done:
    ga_pattern_destroy(run->context, pattern);
    ga_free(run->context, own);
    return status;
}

/* ---- the machine ---- */

static ga_status predict(ga__block_run *run, double operations, double bytes, double *seconds)
{
    enum { MEASURED_BYTES = 1 << 28 };
    ga_status status = GA_OK;
    double flops_per_second = ga__block_real(run, "flops_per_second");
    double bytes_per_second = ga__block_real(run, "bytes_per_second");
    if (flops_per_second == 0) {
        GA_TRY(ga__limit_fma(run->context, &flops_per_second));
    }
    if (bytes_per_second == 0) {
        GA_TRY(ga__limit_read(run->context, MEASURED_BYTES, &bytes_per_second));
    }
    *seconds = fmax(operations / flops_per_second, bytes / bytes_per_second);
done:
    return status;
}

/* ---- a run ---- */

static ga_status open_size(ga__block_run *run, size *s)
{
    ga_status status = GA_OK;
    const char *name = ga__part_value(&run->part, "variant")->text;
    s->variant = ga_variant_find(name);
    s->plan = s->variant ? ga__plan_find(name) : NULL;
    if (!s->plan) {
        GA_TRY(
            ga__part_refuse(&run->part, "variant", "the name of a variant; 'graphattn variants' lists them"));
    }
    s->queries = ga__block_integer(run, "queries");
    s->keys = ga__block_integer(run, "keys");
    s->heads = ga__block_integer(run, "heads");
    s->kv_heads = ga__block_integer(run, "kv_heads");
    s->kv_heads = s->kv_heads ? s->kv_heads : s->heads;
    s->dim = ga__block_integer(run, "dim");
    s->dim_v = ga__block_integer(run, "dim_v");
    s->dim_v = s->dim_v ? s->dim_v : s->dim;
    s->batch = ga__block_integer(run, "batch");
    s->tile = ga__min(ga__block_integer(run, "tile"), s->keys);
    if (s->heads % s->kv_heads != 0) {
        GA_TRY(ga__part_refuse(&run->part, "kv_heads", "a divisor of the %lld heads", (long long)s->heads));
    }
    s->density = s->tile_density = NAN;
    if (ga__part_value(&run->part, "density")->given) {
        s->density = ga__block_real(run, "density");
    } else if (!(s->variant->can & GA_CARRIES_STATE)) {
        GA_TRY(look_at_pattern(run, s));
    }
done:
    return status;
}

static ga_status analyse(ga__block_run *run, size *s)
{
    double tile = (double)s->tile, queries = (double)s->queries, units = ceil((double)s->keys / tile);
    bool by_blocks = ga__plan_ranks(s->plan, 'i');
    const ga__ranks ranks = { .queries = by_blocks ? ceil(queries / tile) : queries,
                              .rows = by_blocks ? queries / ceil(queries / tile) : 1,
                              .keys = (double)s->keys,
                              .units = units,
                              .probe = fmin(tile, queries),
                              .dim = (double)s->dim,
                              .dim_v = (double)s->dim_v,
                              .classes = 3,
                              .density = isnan(s->density) ? 1 : s->density,
                              .group = (double)(s->heads / s->kv_heads) };
    return ga__analyse(run->context, s->plan, &ranks, &s->passes);
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    size s = { .plan = NULL };
    double seconds;
    GA_TRY(open_size(run, &s));
    GA_TRY(analyse(run, &s));
    double heads = (double)s.batch * (double)s.heads;
    double operations = heads * s.passes.operations, bytes = 4 * heads * s.passes.moved;
    GA_TRY(predict(run, operations, bytes, &seconds));
    GA_TRY(ga__cost_real(run, "flops", operations));
    GA_TRY(ga__cost_real(run, "bytes", bytes));
    GA_TRY(ga__cost_integer(run, "passes", s.passes.keys));
    GA_TRY(ga__cost_integer(run, "query_passes", s.passes.queries));
    GA_TRY(ga__cost_integer(run, "unit_passes", s.passes.units));
    GA_TRY(ga__cost_real(run, "density", s.density));
    GA_TRY(ga__cost_real(run, "tile_density", s.tile_density));
    GA_TRY(ga__cost_real(run, "seconds", seconds));
done:
    return status;
}

static const ga__block_ops ops = { .causal = true, .more_parameters = true, .forward = forward };

const ga_block ga__cost_variant = {
    .name = "variant",
    .summary = "operations, bytes, passes and predicted time of a variant at a size",
    .source = "The Sparse Frontier, 2504.17768; FuseMax, 2406.10491",
    .plan = "its cascade at these sizes, pairs and tiles of its pattern, limits of this machine",
    .outputs = "flops, bytes, passes, query_passes, unit_passes, density, tile_density, seconds",
    .parameters = parameters,
    .ops = &ops,
};
