/* fill.c - keeping a JDM within its caps while its rows and columns come to their sums. */
#include "config.h"

#include <string.h>

#include "sampling/flow/flow.h"
#include "sampling/rescale/plan.h"

ga_status ga__cut_to_caps(ga_context *context, const ga__stage *stage, ga__tally *flow, int64_t *over)
{
    ga_status status = GA_OK;
    int64_t *room = NULL, at = 0;
    *over = 0;
    GA_TRY(GA_NEW(context, stage->in.count, &room));
    while (at < flow->count) {
        int32_t k = flow->row[at];
        ga__stage_caps(stage, k, room);
        for (; at < flow->count && flow->row[at] == k; at++) {
            int64_t kept = ga__min(flow->entry[at], room[flow->column[at]]);
            *over += flow->entry[at] - kept;
            flow->entry[at] = kept;
        }
    }
done:
    ga_free(context, room);
    return status;
}

/* A transport network source -> rows -> columns -> sink. With `whole`, all rows and columns and the present
 * flow; otherwise only those with something missing, and what may be added. */
typedef struct filling {
    const ga__stage *stage;
    const ga__tally *flow;
    bool whole;
    int64_t *row_left, *column_left, *first, *room;
    int64_t rows, columns, arcs, taken;
    int32_t *row, *column; /* classes of the network's rows and columns */
    int32_t *tail, *head;
    int64_t *capacity, *amount;
} filling;

static void find_missing(filling *f)
{
    const ga__stage *s = f->stage;
    memcpy(f->row_left, s->out.stubs, (size_t)s->out.count * sizeof *f->row_left);
    memcpy(f->column_left, s->in.stubs, (size_t)s->in.count * sizeof *f->column_left);
    for (int64_t i = 0; i < f->flow->count; i++) {
        f->row_left[f->flow->row[i]] -= f->flow->entry[i];
        f->column_left[f->flow->column[i]] -= f->flow->entry[i];
    }
}

static int64_t choose(const int64_t *left, const int64_t *stubs, int64_t count, bool whole, int32_t *chosen)
{
    int64_t found = 0;
    for (int64_t c = 0; c < count; c++) {
        if (whole ? stubs[c] > 0 : left[c] > 0) {
            chosen[found++] = (int32_t)c;
        }
    }
    return found;
}

/* Room of row k in every column into room; less what flows already unless the flow is to be in the network.
 * */
static void row_room(filling *f, int32_t k)
{
    ga__stage_caps(f->stage, k, f->room);
    for (int64_t i = f->first[k]; i < f->first[k + 1] && !f->whole; i++) {
        f->room[f->flow->column[i]] -= f->flow->entry[i];
    }
}

static void add_arc(filling *f, int64_t tail, int64_t head, int64_t capacity, int64_t amount)
{
    f->tail[f->arcs] = (int32_t)tail;
    f->head[f->arcs] = (int32_t)head;
    f->capacity[f->arcs] = capacity;
    f->amount[f->arcs++] = amount;
}

/* The row's arcs, filled greedily. */
static void add_row(filling *f, int64_t r)
{
    int32_t k = f->row[r];
    int64_t at = f->first[k];
    row_room(f, k);
    for (int64_t c = 0; c < f->columns; c++) {
        int32_t l = f->column[c];
        int64_t present = 0;
        for (; f->whole && at < f->first[k + 1] && f->flow->column[at] <= l; at++) {
            present = f->flow->column[at] == l ? f->flow->entry[at] : 0;
        }
        int64_t more = ga__min(f->room[l] - present, ga__min(f->row_left[k], f->column_left[l]));
        if (f->room[l] > 0) {
            add_arc(f, 1 + r, 1 + f->rows + c, f->room[l], present + more);
            f->row_left[k] -= more;
            f->column_left[l] -= more;
        }
    }
}

static int64_t missing_units(const filling *f)
{
    int64_t sum = 0;
    for (int64_t k = 0; k < f->stage->out.count; k++) {
        sum += f->row_left[k];
    }
    return sum;
}

/* ---- who goes without ---- */

enum { ALONE = 12 };

static ga_status flow_on(ga_context *context, filling *f, int64_t *value)
{
    int64_t sink = 1 + f->rows + f->columns;
    ga__network network = { (int32_t)(sink + 1), f->arcs, f->tail, f->head };
    return ga__max_flow(context, &network, f->capacity, 0, (int32_t)sink, f->amount, value);
}

/* Hubs first: arcs past the cells, from the largest rows to the sink, one by one and then in groups that
 * double, until everything is placed. What flows there is what the hub goes without; the maximum flow gives
 * it as much of the others' share as can be. The distribution of degrees suffers least so: it counts nodes,
 * and a hub alone can go without what would cost many others one or two each. */
static ga_status rows_yield(ga_context *context, filling *f, int64_t wanted, int64_t *value)
{
    ga_status status = GA_OK;
    int64_t sink = 1 + f->rows + f->columns, first = f->arcs, group = 1, tries = 0;
    for (int64_t r = f->rows; r > 0 && *value < wanted; group = ++tries < ALONE ? 1 : 2 * group) {
        for (int64_t i = 0; i < group && r > 0; i++, r--) {
            add_arc(f, r, sink, f->stage->out.stubs[f->row[r - 1]], 0);
        }
        GA_TRY(flow_on(context, f, value));
    }
    for (int64_t a = first; a < f->arcs; a++) {
        f->capacity[a] = f->amount[a]; /* the columns are not to change that */
    }
done:
    return status;
}

static ga_status columns_yield(ga_context *context, filling *f, int64_t wanted, int64_t *value)
{
    ga_status status = GA_OK;
    int64_t group = 1, tries = 0;
    for (int64_t c = f->columns; c > 0 && *value < wanted; group = ++tries < ALONE ? 1 : 2 * group) {
        for (int64_t i = 0; i < group && c > 0; i++, c--) {
            add_arc(f, 0, f->rows + c, f->stage->in.stubs[f->column[c - 1]], 0);
        }
        GA_TRY(flow_on(context, f, value));
    }
done:
    return status;
}

static ga_status choose_losers(ga_context *context, filling *f, int64_t value)
{
    ga_status status = GA_OK;
    int64_t lost = f->stage->edges - value, now = value;
    GA_TRY(rows_yield(context, f, value + lost, &now));
    GA_TRY(columns_yield(context, f, value + 2 * lost, &now));
done:
    return status;
}

/* Source and sink arcs: what a row may send is what it sends now and what it lacks. */
static ga_status solve(ga_context *context, filling *f)
{
    ga_status status = GA_OK;
    int64_t cells = f->arcs, value, *sent = NULL;
    int64_t sink = 1 + f->rows + f->columns;
    GA_TRY(GA_NEW_ZERO(context, sink, &sent));
    for (int64_t a = 0; a < cells; a++) {
        sent[f->tail[a]] += f->amount[a];
        sent[f->head[a]] += f->amount[a];
    }
    for (int64_t r = 0; r < f->rows; r++) {
        add_arc(f, 0, 1 + r, sent[1 + r] + f->row_left[f->row[r]], sent[1 + r]);
    }
    for (int64_t c = 0; c < f->columns; c++) {
        int64_t node = 1 + f->rows + c;
        add_arc(f, node, sink, sent[node] + f->column_left[f->column[c]], sent[node]);
    }
    GA_TRY(flow_on(context, f, &value));
    if (f->whole && value < f->stage->edges) {
        GA_TRY(choose_losers(context, f, value));
    }
    f->arcs = cells;
done:
    ga_free(context, sent);
    return status;
}

/* The network's flow into the list: in addition to it, or in its place. */
static ga_status put_back(ga_context *context, filling *f, ga__tally *flow)
{
    ga_status status = GA_OK;
    flow->count = f->whole ? 0 : flow->count;
    for (int64_t a = 0; a < f->arcs; a++) {
        if (f->amount[a] > 0) {
            GA_TRY(ga__tally_add(context, flow, f->row[f->tail[a] - 1], f->column[f->head[a] - 1 - f->rows],
                                 f->amount[a]));
        }
    }
    GA_TRY(ga__tally_sort(context, flow, f->stage->out.count, f->stage->in.count));
done:
    return status;
}

static ga_status network_room(ga_context *context, filling *f)
{
    ga_status status = GA_OK;
    const ga__stage *s = f->stage;
    GA_TRY(GA_NEW(context, s->out.count, &f->row));
    GA_TRY(GA_NEW(context, s->in.count, &f->column));
    f->rows = choose(f->row_left, s->out.stubs, s->out.count, f->whole, f->row);
    f->columns = choose(f->column_left, s->in.stubs, s->in.count, f->whole, f->column);
    int64_t arcs;
    if (f->rows + f->columns > INT32_MAX - 2 || !ga__mul(f->rows, f->columns, &arcs)) {
        return ga__fail(context, GA_OVERFLOW, "%lld x %lld classes are too many", (long long)f->rows,
                        (long long)f->columns);
    }
    arcs += 2 * (f->rows + f->columns); /* from the source, to the sink, and past the cells */
    GA_TRY(GA_NEW(context, arcs, &f->tail));
    GA_TRY(GA_NEW(context, arcs, &f->head));
    GA_TRY(GA_NEW(context, arcs, &f->capacity));
    GA_TRY(GA_NEW(context, arcs, &f->amount));
done:
    return status;
}

static ga_status fill(ga_context *context, const ga__stage *stage, bool whole, ga__tally *flow,
                      int64_t *missing)
{
    ga_status status = GA_OK;
    filling f = { .stage = stage, .flow = flow, .whole = whole };
    GA_TRY(GA_NEW(context, stage->out.count, &f.row_left));
    GA_TRY(GA_NEW(context, stage->in.count, &f.column_left));
    GA_TRY(GA_NEW(context, stage->out.count + 1, &f.first));
    GA_TRY(GA_NEW(context, stage->in.count, &f.room));
    find_missing(&f);
    *missing = missing_units(&f);
    if (*missing == 0) {
        goto done;
    }
    GA_TRY(network_room(context, &f));
    ga__tally_rows(flow, stage->out.count, f.first);
    for (int64_t r = 0; r < f.rows; r++) {
        GA_TRY(ga__check(context));
        add_row(&f, r);
    }
    if (missing_units(&f) > 0) {
        GA_TRY(solve(context, &f));
    }
    GA_TRY(put_back(context, &f, flow));
    find_missing(&f);
    *missing = missing_units(&f);
done:
    ga_free(context, f.row_left);
    ga_free(context, f.column_left);
    ga_free(context, f.first);
    ga_free(context, f.room);
    ga_free(context, f.row);
    ga_free(context, f.column);
    ga_free(context, f.tail);
    ga_free(context, f.head);
    ga_free(context, f.capacity);
    ga_free(context, f.amount);
    return status;
}

ga_status ga__fill(ga_context *context, const ga__stage *stage, bool reroute, ga__tally *flow,
                   int64_t *missing)
{
    ga_status status = fill(context, stage, false, flow, missing);
    if (status == GA_OK && *missing > 0 && reroute) {
        status = fill(context, stage, true, flow, missing);
    }
    return status;
}
