/* objective.c - the JDM of greatest reward within caps and marginals, by minimum-cost flow. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "sampling/flow/flow.h"
#include "sampling/rescale/objective.h"

/* Cells without reward may be most of all cells, as with many labels. Where they would take too much memory
 * they are left out at first: the hub takes what rewarded cells do not, at no cost and without caps, and its
 * flow is spread over the cells afterwards. If the caps allow that, the result is as good as any; else all
 * cells become arcs. */
enum { MANY = 1 << 18, TOO_MANY = 1 << 23 };

/* Rewards as integers: 2^21 to be within 2^-20 with rounding and favours, less where the sums with prices
 * would not fit 62 bits. */
static double find_scale(double lambda, int64_t edges)
{
    double scale = 0x1p21;
    while ((2 + lambda) * scale * (double)(edges + 1) > 0x1p57 && scale > 0x1p-40) {
        scale /= 2;
    }
    return scale;
}

/* One segment an arc, three more where there is a reward. */
static ga_status make_room(ga_context *context, ga__problem *p, int64_t arcs)
{
    ga_status status = GA_OK;
    int64_t segments = arcs + 3 * p->grid->count;
    GA_TRY(GA_NEW(context, arcs, &p->tail));
    GA_TRY(GA_NEW(context, arcs, &p->head));
    GA_TRY(GA_NEW(context, arcs, &p->flow));
    GA_TRY(GA_NEW(context, arcs + 1, &p->first));
    GA_TRY(GA_NEW(context, segments, &p->width));
    GA_TRY(GA_NEW(context, segments, &p->slope));
    p->first[0] = 0;
done:
    return status;
}

static void clear_room(ga_context *context, ga__problem *p)
{
    ga_free(context, p->tail);
    ga_free(context, p->head);
    ga_free(context, p->flow);
    ga_free(context, p->first);
    ga_free(context, p->width);
    ga_free(context, p->slope);
    ga_free(context, p->price);
    p->tail = p->head = NULL;
    p->flow = p->first = p->width = p->slope = p->price = NULL;
    p->arcs = p->cells = p->segments = 0;
}

static void add_segment(ga__problem *p, int64_t width, double reward)
{
    p->width[p->segments] = width;
    p->slope[p->segments++] = -llrint(reward * p->scale);
}

/* Breakpoints floor(target), floor(target) + 1, plan, limit. */
static void add_cell(ga__problem *p, int64_t tail, int64_t head, double target, int64_t plan, int64_t limit,
                     int64_t flow)
{
    double whole = floor(target);
    int64_t at = 0, base = whole < (double)limit ? (int64_t)whole : limit;
    int64_t stop[3] = { base, ga__min(limit, base + (target > whole)), ga__min(limit, plan) };
    while (at < limit) {
        int64_t next = limit;
        for (int s = 0; s < 3; s++) {
            next = stop[s] > at ? ga__min(next, stop[s]) : next;
        }
        double overlap = at < base ? 1 : (double)at < target ? target - whole : 0;
        add_segment(p, next - at, 2 * overlap + (at < plan ? p->lambda : 0));
        at = next;
    }
    p->tail[p->arcs] = (int32_t)tail;
    p->head[p->arcs] = (int32_t)head;
    p->flow[p->arcs++] = flow;
    p->first[p->arcs] = p->segments;
}

/* near: the prices are near the best ones. Most cells can be left out then, if they are many. */
static ga_status solve(ga_context *context, const ga__draft *draft, ga__problem *p, bool near)
{
    ga__flow_report done = { 0 };
    ga__network network = { (int32_t)(p->stage->out.count + p->stage->in.count + 1), p->arcs, p->tail,
                            p->head };
    ga__costs costs = { p->first, p->width, p->slope };
    ga__shift_slopes(p);
    ga_status status = near && p->arcs > MANY
                           ? ga__solve_sifted(context, p, draft->deadline, &done)
                           : ga__min_cost_flow(context, &network, &costs, draft->deadline, p->flow, &done);
    draft->report->rounds += done.pivots;
    draft->report->time_limit_hit |= done.stopped;
    return status;
}

/* ---- rewarded cells and the hub ---- */

static int64_t rewarded(const ga__problem *p, int64_t c)
{
    double target = ceil(p->grid->target[c]);
    int64_t top = target < (double)p->grid->cap[c] ? (int64_t)target : p->grid->cap[c];
    return ga__min(p->grid->cap[c], p->lambda > 0 ? ga__max(top, p->grid->plan[c]) : top);
}

/* The hub carries row[k] units from k and column[l] units to l. */
static void add_hub(ga__problem *p, const int64_t *row, const int64_t *column)
{
    int64_t rows = p->stage->out.count, hub = rows + p->stage->in.count;
    for (int64_t v = 0; v < hub; v++) {
        int64_t stubs = v < rows ? p->stage->out.stubs[v] : p->stage->in.stubs[v - rows];
        add_segment(p, stubs, 0);
        p->tail[p->arcs] = (int32_t)(v < rows ? v : hub);
        p->head[p->arcs] = (int32_t)(v < rows ? hub : v);
        p->flow[p->arcs++] = v < rows ? row[v] : column[v - rows];
        p->first[p->arcs] = p->segments;
    }
}

/* Stubs of both sides into new arrays. */
static ga_status copy_stubs(ga_context *context, const ga__stage *stage, int64_t **out, int64_t **in)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, stage->out.count, out));
    GA_TRY(GA_NEW(context, stage->in.count, in));
    memcpy(*out, stage->out.stubs, (size_t)stage->out.count * sizeof **out);
    memcpy(*in, stage->in.stubs, (size_t)stage->in.count * sizeof **in);
done:
    return status;
}

/* The cells' flow as a sorted JDM. */
static ga_status read_flow(ga_context *context, const ga__problem *p, ga__tally *jdm)
{
    ga_status status = GA_OK;
    int64_t rows = p->stage->out.count;
    jdm->count = 0;
    for (int64_t a = 0; a < p->cells; a++) {
        if (p->flow[a] > 0) {
            GA_TRY(ga__tally_add(context, jdm, p->tail[a], p->head[a] - rows, p->flow[a]));
        }
    }
done:
    return status;
}

static ga_status solve_with_hub(ga_context *context, const ga__draft *draft, ga__problem *p, ga__tally *jdm)
{
    ga_status status = GA_OK;
    const ga__grid *grid = p->grid;
    int64_t rows = p->stage->out.count, columns = p->stage->in.count, *left_out = NULL, *left_in = NULL;
    p->hub = true;
    GA_TRY(copy_stubs(context, p->stage, &left_out, &left_in));
    GA_TRY(make_room(context, p, grid->count + rows + columns));
    for (int64_t c = 0; c < grid->count; c++) {
        add_cell(p, grid->row[c], rows + grid->column[c], grid->target[c], grid->plan[c], rewarded(p, c), 0);
    }
    p->cells = p->arcs;
    GA_TRY(ga__good_start(context, p, left_out, left_in));
    add_hub(p, left_out, left_in);
    GA_TRY(solve(context, draft, p, false));
    GA_TRY(read_flow(context, p, jdm));
done:
    ga_free(context, left_out);
    ga_free(context, left_in);
    return status;
}

/* ---- all cells ---- */

static ga_status add_all_cells(ga_context *context, ga__problem *p)
{
    ga_status status = GA_OK;
    const ga__grid *grid = p->grid;
    int64_t rows = p->stage->out.count, columns = p->stage->in.count, g = 0, *room = NULL, all;
    if (!ga__mul(rows, columns, &all)) {
        return ga__fail(context, GA_OVERFLOW, "the JDM has too many cells");
    }
    GA_TRY(GA_NEW(context, columns, &room));
    GA_TRY(make_room(context, p, all));
    for (int64_t k = 0; k < rows; k++) {
        GA_TRY(ga__check(context));
        ga__stage_caps(p->stage, k, room);
        for (int64_t l = 0; l < columns; l++) {
            bool wish = g < grid->count && grid->row[g] == k && grid->column[g] == l;
            if (room[l] > 0) {
                add_cell(p, k, rows + l, wish ? grid->target[g] : 0, wish ? grid->plan[g] : 0, room[l], 0);
            }
            g += wish;
        }
    }
    p->cells = p->arcs;
done:
    ga_free(context, room);
    return status;
}

/* The flow of the sorted JDM. */
static void set_flow(ga__problem *p, const ga__tally *jdm)
{
    int64_t rows = p->stage->out.count, at = 0;
    for (int64_t a = 0; a < p->cells; a++) {
        bool here = at < jdm->count && jdm->row[at] == p->tail[a] && jdm->column[at] == p->head[a] - rows;
        p->flow[a] = here ? jdm->entry[at] : 0;
        at += here;
    }
}

enum { BINS = 65 };

/* Blocks of log2 bins of the degrees: the edges that they have too few of, and what a unit there is worth
 * more, in units of scale: -1, 0 or 1, which only decides among flows of equal reward. */
typedef struct blocks {
    double lacking[BINS][BINS];
    int8_t favour[BINS][BINS];
} blocks;

/* Returns the sum of what is too little and too much. */
static double find_lacking(const ga__problem *p, const ga_matrices *original, blocks *b)
{
    const ga__stage *stage = p->stage;
    double share = (double)stage->edges / (double)ga__max(1, original->jdm.total), sum = 0;
    int64_t rows = stage->out.count;
    memset(b->lacking, 0, sizeof b->lacking);
    for (int64_t i = 0; i < original->jdm.count; i++) {
        int64_t k = original->out.degree[original->jdm.row[i]],
                l = original->in.degree[original->jdm.column[i]];
        b->lacking[ga__log2_bin(k)][ga__log2_bin(l)] += share * (double)original->jdm.entry[i];
    }
    for (int64_t a = 0; a < p->cells; a++) {
        int64_t k = stage->out.degree[p->tail[a]], l = stage->in.degree[p->head[a] - rows];
        b->lacking[ga__log2_bin(k)][ga__log2_bin(l)] -= (double)p->flow[a];
    }
    for (int i = 0; i < BINS * BINS; i++) {
        sum += fabs(b->lacking[i / BINS][i % BINS]);
    }
    return sum;
}

/* One step for every block towards what it lacks. */
static void favour_blocks(ga__problem *p, blocks *b)
{
    const ga__stage *stage = p->stage;
    int8_t step[BINS][BINS];
    for (int i = 0; i < BINS; i++) {
        for (int j = 0; j < BINS; j++) {
            double lack = b->lacking[i][j];
            int8_t favour = (int8_t)ga__max(-1, ga__min(1, b->favour[i][j] + (lack > 0) - (lack < 0)));
            step[i][j] = (int8_t)(favour - b->favour[i][j]);
            b->favour[i][j] = favour;
        }
    }
    for (int64_t a = 0; a < p->cells; a++) {
        int64_t k = stage->out.degree[p->tail[a]], l = stage->in.degree[p->head[a] - stage->out.count];
        for (int64_t s = p->first[a]; s < p->first[a + 1]; s++) {
            p->slope[s] -= step[ga__log2_bin(k)][ga__log2_bin(l)];
        }
    }
}

/* From the plan to a flow near the best one, if there is time for it. Rows and columns have fixed sums: their
 * prices, which ga__shift_slopes adds to all slopes, change the cost of every flow alike. */
static ga_status come_near(ga_context *context, const ga__draft *draft, ga__problem *p, bool *found)
{
    ga_status status = GA_OK;
    int64_t rows = p->stage->out.count, columns = p->stage->in.count, *stubs = NULL;
    ga__network network = { (int32_t)(rows + columns), p->arcs, p->tail, p->head };
    ga__costs costs = { p->first, p->width, p->slope };
    GA_TRY(GA_NEW(context, rows + columns, &stubs));
    GA_TRY(GA_NEW_ZERO(context, rows + columns + 1, &p->price));
    memcpy(stubs, p->stage->out.stubs, (size_t)rows * sizeof *stubs);
    memcpy(stubs + rows, p->stage->in.stubs, (size_t)columns * sizeof *stubs);
    GA_TRY(ga__near_transport(context, &network, &costs, (int32_t)rows, stubs, draft->deadline, p->flow,
                              p->price, found));
    for (int64_t l = 0; l < columns; l++) {
        p->price[rows + l] *= -1;
    }
done:
    ga_free(context, stubs);
    return status;
}

/* From the best flow to an equal one with fewer edges in the wrong blocks, if that can be seen from here. */
static ga_status favour_again(ga_context *context, const ga__draft *draft, ga__problem *p, blocks *b,
                              ga__tally *jdm)
{
    ga_status status = GA_OK;
    double before = find_lacking(p, draft->original, b);
    favour_blocks(p, b);
    memset(p->price, 0, (size_t)(p->stage->out.count + p->stage->in.count) * sizeof *p->price);
    GA_TRY(solve(context, draft, p, false));
    if (find_lacking(p, draft->original, b) < before) {
        GA_TRY(read_flow(context, p, jdm));
    }
done:
    return status;
}

static ga_status solve_in_full(ga_context *context, const ga__draft *draft, ga__problem *p,
                               const ga__tally *plan, ga__tally *jdm)
{
    ga_status status = GA_OK;
    bool found;
    blocks b = { 0 };
    p->hub = false;
    GA_TRY(add_all_cells(context, p));
    set_flow(p, plan);
    GA_TRY(come_near(context, draft, p, &found));
    find_lacking(p, draft->original, &b);
    favour_blocks(p, &b);
    GA_TRY(solve(context, draft, p, found));
    GA_TRY(read_flow(context, p, jdm));
    if (p->arcs <= MANY && !draft->report->time_limit_hit) {
        GA_TRY(favour_again(context, draft, p, &b, jdm));
    }
done:
    return status;
}

static ga_status copy(ga_context *context, const ga__tally *from, ga__tally *to)
{
    ga_status status = GA_OK;
    to->count = 0;
    GA_TRY(ga__tally_reserve(context, to, from->count));
    for (int64_t i = 0; i < from->count; i++) {
        if (from->entry[i] > 0) {
            GA_TRY(ga__tally_add(context, to, from->row[i], from->column[i], from->entry[i]));
        }
    }
done:
    return status;
}

static ga_status optimise(ga_context *context, const ga__draft *draft, ga__problem *p, const ga__tally *plan,
                          ga__tally *jdm)
{
    ga_status status = GA_OK;
    double all = (double)p->stage->out.count * (double)p->stage->in.count;
    int64_t missing = 1;
    if (all > TOO_MANY && all > 4 * (double)p->grid->count) {
        GA_TRY(solve_with_hub(context, draft, p, jdm));
        clear_room(context, p);
        GA_TRY(ga__fill(context, p->stage, false, jdm, &missing));
    }
    if (missing > 0 && !draft->report->time_limit_hit) {
        GA_TRY(solve_in_full(context, draft, p, plan, jdm));
    } else {
        GA_TRY(ga__fill(context, p->stage, true, jdm, &missing));
    }
    if (ga__grid_value(p->grid, p->lambda, plan) > ga__grid_value(p->grid, p->lambda, jdm)) {
        GA_TRY(copy(context, plan, jdm)); /* only when the time was up */
    }
done:
    return status;
}

ga_status ga__best_jdm(ga_context *context, const ga__draft *draft, const ga__stage *stage,
                       const ga__tally *plan, ga__tally *jdm)
{
    ga_status status = GA_OK;
    ga__grid grid = { 0 };
    ga_objective objective = draft->options->objective;
    double lambda = objective == GA_OBJECTIVE_L1 ? 0 : draft->options->lambda;
    ga__problem p = {
        .stage = stage, .grid = &grid, .lambda = lambda, .scale = find_scale(lambda, stage->edges)
    };
    GA_TRY(ga__grid_make(context, draft, stage, plan, &grid));
    if (objective == GA_OBJECTIVE_QUANTILE) {
        GA_TRY(copy(context, plan, jdm));
    } else {
        GA_TRY(optimise(context, draft, &p, plan, jdm));
    }
    draft->report->objective_value = ga__grid_value(&grid, lambda, jdm);
done:
    clear_room(context, &p);
    ga__grid_clear(context, &grid);
    return status;
}
