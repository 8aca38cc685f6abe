/* round_laminar.c - laminar rounding: least L1 distance, steered towards the edge mass or best of some
 * tie-breaks. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "sampling/rescale/round_laminar.h"

enum { TIES = 8, SOLVES = 40, STARTS = 3, COST = 0, IN, OUT };
enum { WEIGHT_BITS = 30 };
/* What an edge too many or too few counts in units of L1: from the first to the last round. */
#define LIGHTEST 0x1p-8
#define HEAVIEST 0x1p-4

ga__mass ga__mass_of(const ga_matrices *original, int64_t cap, const int64_t *entry)
{
    ga__mass m = { 0 };
    for (int64_t c = 0; c < original->dcm.count; c++) {
        m.in += entry[c] * ga__min(original->in.degree[original->dcm.row[c]], cap);
        m.out += entry[c] * ga__min(original->out.degree[original->dcm.column[c]], cap);
    }
    return m;
}

/* Prices of a degree on both sides; the rounding in hand is the one that the simplex method stands at. */
typedef struct solver {
    ga__laminar *l;
    int64_t *tie;                 /* by cell arc: seeded, in total below one unit of cost */
    int64_t *flow, *kept;         /* by arc; kept: the rounding to return */
    int64_t *weight[GA__WATCHED]; /* by arc: cost in units of 2^-WEIGHT_BITS, min(degree, cap) in and out */
    ga__watch watch;
    ga__mass low; /* of the lower ends of the cells */
    double target_in, target_out;
    double weight_of_edge, most_in, most_out;
    int side_in, side_out;
    int scale, tie_bits; /* a unit of L1 is 2^(scale + tie_bits) */
    int64_t solves;
} solver;

static void free_solver(solver *s)
{
    ga_context *context = s->l->context;
    ga_free(context, s->tie);
    ga_free(context, s->flow);
    ga_free(context, s->kept);
    for (int i = 0; i < GA__WATCHED; i++) {
        ga_free(context, s->weight[i]);
    }
}

/* Bits for the ties, so that they stay below one unit in total, and as many as are left for the costs, so
 * that sums over a path fit (slopes times 2 nodes + 4 below 2^61). False when none are: the degrees are too
 * large to be priced. */
static bool choose_scale(solver *s)
{
    int node_bits = 64 - __builtin_clzll(2 * (unsigned long long)s->l->network.nodes + 4);
    int price_bits = 1 + (int)ceil(log2(1 + s->weight_of_edge * (s->most_in + s->most_out)));
    s->tie_bits = 66 - __builtin_clzll((unsigned long long)s->l->cell_arcs + 1);
    s->scale = (int)ga__min(WEIGHT_BITS, 60 - node_bits - s->tie_bits - price_bits);
    return s->scale > 0;
}

static ga_status prepare(solver *s)
{
    ga_status status = GA_OK;
    const ga_matrices *o = s->l->original;
    int64_t arcs = s->l->cell_arcs, cap = s->l->options->degree_cap;
    GA_TRY(GA_NEW_ZERO(s->l->context, arcs, &s->tie));
    GA_TRY(GA_NEW(s->l->context, s->l->network.arcs, &s->flow));
    GA_TRY(GA_NEW(s->l->context, s->l->network.arcs, &s->kept));
    for (int i = 0; i < GA__WATCHED; i++) {
        GA_TRY(GA_NEW_ZERO(s->l->context, s->l->network.arcs, &s->weight[i]));
        s->watch.weight[i] = s->weight[i];
    }
    s->most_in = s->most_out = 1;
    for (int64_t a = 0; a < arcs; a++) {
        int64_t c = s->l->cell_of[a];
        s->weight[COST][a] = (int64_t)rint(ldexp(s->l->cost[a], WEIGHT_BITS));
        s->weight[IN][a] = ga__min(o->in.degree[o->dcm.row[c]], cap);
        s->weight[OUT][a] = ga__min(o->out.degree[o->dcm.column[c]], cap);
        s->most_in = fmax(s->most_in, (double)s->weight[IN][a]);
        s->most_out = fmax(s->most_out, (double)s->weight[OUT][a]);
    }
    for (int64_t c = 0; c < o->dcm.count; c++) {
        s->target_in += (double)o->dcm.entry[c] * (double)o->in.degree[o->dcm.row[c]];
        s->target_out += (double)o->dcm.entry[c] * (double)o->out.degree[o->dcm.column[c]];
    }
    s->low = ga__mass_of(o, cap, s->l->low);
    s->target_in = s->target_in * s->l->options->ratio - (double)s->low.in;
    s->target_out = s->target_out * s->l->options->ratio - (double)s->low.out;
done:
    return status;
}

static void draw_ties(solver *s, uint64_t index)
{
    ga__random stream = ga__random_at(ga_context_seed(s->l->context), GA__RANDOM_TIES, index);
    for (int64_t a = 0; a < s->l->cell_arcs; a++) {
        s->tie[a] = (int64_t)(ga__random_next(&stream) & 3); /* 3 * cell_arcs < 2^tie_bits */
    }
}

/* Sums over the rounding in hand, from scratch. */
static void count(solver *s)
{
    ga__simplex_flow(&s->l->simplex, s->flow);
    for (int i = 0; i < GA__WATCHED; i++) {
        s->watch.sum[i] = 0;
        for (int64_t a = 0; a < s->l->cell_arcs; a++) {
            s->watch.sum[i] += s->flow[a] * s->weight[i][a];
        }
    }
}

/* Too few edges weigh more than too many: the heavier side is lowered afterwards, so it is the lighter one
 * that says how many edges the sample will have. */
static double missed(double over)
{
    return over > 0 ? over : -1.25 * over;
}

/* L1 distance plus the edges that are missing or too many on both sides, at the present weight. */
static double badness(const solver *s, const int64_t *change)
{
    int64_t sum[GA__WATCHED];
    for (int i = 0; i < GA__WATCHED; i++) {
        sum[i] = s->watch.sum[i] + (change ? change[i] : 0);
    }
    return ldexp((double)sum[COST], -WEIGHT_BITS) +
           s->weight_of_edge *
               (missed((double)sum[IN] - s->target_in) + missed((double)sum[OUT] - s->target_out));
}

static bool accept(void *user, const int64_t *change)
{
    solver *s = user;
    return badness(s, change) < badness(s, NULL);
}

/* Which way a mass is to go: 1 it is too large, -1 too small, 0 as it should be. */
static int side(const solver *s, int i)
{
    double over = (double)s->watch.sum[i] - (i == IN ? s->target_in : s->target_out);
    return over > 0.5 ? 1 : over < -0.5 ? -1 : 0;
}

static bool moved(void *user)
{
    solver *s = user;
    return side(s, IN) != s->side_in || side(s, OUT) != s->side_out;
}

/* The cheapest rounding for the present prices and ties. */
static ga_status solve(solver *s, bool *stopped)
{
    ga__laminar *l = s->l;
    double unit = ldexp(1, s->scale), tie_unit = ldexp(1, s->tie_bits);
    double in = s->side_in * s->weight_of_edge, out = s->side_out * s->weight_of_edge;
    for (int64_t a = 0; a < l->cell_arcs; a++) {
        double price = l->cost[a] + in * (double)s->weight[IN][a] + out * (double)s->weight[OUT][a];
        l->slope[a] = (int64_t)(rint(price * unit) * tie_unit) + s->tie[a];
    }
    ga__simplex_reprice(&l->simplex);
    s->solves++;
    return ga__simplex_solve(&l->simplex, 0, stopped);
}

/* Descends with an edge at a given weight: prices follow the side on which the masses are, and a move that
 * overshoots by more than it gains is refused. */
static ga_status descend(solver *s, double weight_of_edge)
{
    ga_status status = GA_OK;
    s->weight_of_edge = weight_of_edge;
    bool stopped = choose_scale(s);
    while (stopped && s->solves < SOLVES) {
        s->side_in = side(s, IN);
        s->side_out = side(s, OUT);
        GA_TRY(solve(s, &stopped));
    }
done:
    return status;
}

/* From the least L1 distance towards the edge mass, the cheapest steps first. */
static ga_status steer_once(solver *s, uint64_t index)
{
    ga_status status = GA_OK;
    bool stopped;
    s->l->simplex.watch = NULL;
    s->solves = 0;
    s->side_in = s->side_out = 0;
    draw_ties(s, index);
    choose_scale(s);
    GA_TRY(solve(s, &stopped));
    count(s);
    s->l->simplex.watch = &s->watch;
    for (double weight = LIGHTEST; weight <= HEAVIEST; weight *= 4) {
        GA_TRY(descend(s, weight));
    }
    count(s);
done:
    return status;
}

/* How far the edge mass is from where it should be, by log2 bins of the degrees: the hubs that a bin has too
 * many or too few of are edges that will have to lie elsewhere. */
static double mass_by_bins(const solver *s)
{
    double over[2][65] = { { 0 } }, sum = 0;
    const ga_matrices *o = s->l->original;
    for (int64_t a = 0; a < s->l->cell_arcs; a++) {
        int64_t c = s->l->cell_of[a];
        double units = (double)s->flow[a] - 0.5 * (1 - s->l->cost[a]);
        over[0][ga__log2_bin(o->in.degree[o->dcm.row[c]])] += units * (double)s->weight[IN][a];
        over[1][ga__log2_bin(o->out.degree[o->dcm.column[c]])] += units * (double)s->weight[OUT][a];
    }
    for (int i = 0; i < 65; i++) {
        sum += fabs(over[0][i]) + fabs(over[1][i]);
    }
    return sum;
}

/* Another start is worth its time where hubs weigh much. Of few cells it takes little. */
static bool is_uneven(const solver *s, double by_bins)
{
    double both = s->target_in + s->target_out + (double)s->low.in + (double)s->low.out;
    return by_bins > both * (s->l->cell_arcs < 2048 ? 0.01 : 0.05);
}

static ga_status steer(solver *s)
{
    ga_status status = GA_OK;
    double least = INFINITY, by_bins = INFINITY;
    GA_TRY(GA_NEW(s->l->context, s->l->network.arcs, &s->l->simplex.barred));
    s->watch.accept = accept;
    s->watch.moved = moved;
    s->watch.user = s;
    for (uint64_t i = 0; i < STARTS && is_uneven(s, by_bins); i++) {
        GA_TRY(steer_once(s, i));
        by_bins = mass_by_bins(s);
        double miss = missed((double)s->watch.sum[IN] - s->target_in) +
                      missed((double)s->watch.sum[OUT] - s->target_out);
        if (by_bins + 2 * miss < least) {
            least = by_bins + 2 * miss;
            memcpy(s->kept, s->flow, sizeof *s->kept * (size_t)s->l->network.arcs);
        }
    }
done:
    return status;
}

/* In one step: what can be placed is worth an edge and a half, what cannot costs half a one. An edge end
 * within the cut is one more edge of those that can be placed, and half an edge of all; one beyond the cut is
 * the latter only. */
static ga_status widen(solver *s, const ga__cut *cut)
{
    ga_status status = GA_OK;
    bool stopped;
    for (int i = IN; i <= OUT; i++) {
        int64_t most = i == IN ? cut->in : cut->out;
        for (int64_t a = 0; a < s->l->cell_arcs; a++) {
            int64_t within = ga__min(s->weight[i][a], most);
            s->weight[i][a] -= 4 * within;
        }
    }
    s->side_in = s->side_out = 1;
    s->weight_of_edge = 4 * HEAVIEST; /* for the scale */
    draw_ties(s, 0);
    choose_scale(s);
    s->weight_of_edge = HEAVIEST / 2;
    GA_TRY(solve(s, &stopped));
    ga__simplex_flow(&s->l->simplex, s->kept);
done:
    return status;
}

/* The tie-break whose in-mass and out-mass differ least. */
static ga_status best_tie(solver *s)
{
    ga_status status = GA_OK;
    bool stopped;
    double least = INFINITY;
    choose_scale(s);
    for (uint64_t i = 0; i < TIES; i++) {
        draw_ties(s, i);
        GA_TRY(solve(s, &stopped));
        count(s);
        double miss = fabs((double)(s->watch.sum[IN] + s->low.in - s->watch.sum[OUT] - s->low.out));
        if (miss < least) {
            least = miss;
            memcpy(s->kept, s->flow, sizeof *s->kept * (size_t)s->l->network.arcs);
        }
    }
done:
    return status;
}

ga_status ga__round_laminar(ga_context *context, const ga_matrices *original,
                            const ga__round_options *options, int64_t *entry, int64_t *rounds)
{
    ga_status status = GA_OK;
    ga__laminar l = { .context = context, .original = original, .options = options };
    solver s = { .l = &l };
    status = ga__laminar_build(&l);
    if (status == GA_INFEASIBLE) { /* a share was taken for whole that is not */
        ga__laminar_free(&l);
        l = (ga__laminar){ .context = context, .original = original, .options = options, .exact = true };
        status = ga__laminar_build(&l);
    }
    if (status != GA_OK) {
        goto done;
    }
    GA_TRY(prepare(&s));
    GA_TRY(options->cut ? widen(&s, options->cut) : options->steer ? steer(&s) : best_tie(&s));
    for (int64_t a = 0; a < l.cell_arcs; a++) {
        l.low[l.cell_of[a]] += s.kept[a];
    }
    memcpy(entry, l.low, sizeof *entry * (size_t)original->dcm.count);
    *rounds = l.simplex.pivots;
done:
    free_solver(&s);
    ga__laminar_free(&l);
    return status;
}
