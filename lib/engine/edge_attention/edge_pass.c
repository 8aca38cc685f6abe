/* edge_pass.c - the work of a pass: rows by the prefix of edges and rows, hubs in parts, what parts leave merged in
 * order. Nothing here depends on the number of threads. */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/edge_attention/edge.h"

enum {
    UNIT = 2048,      /* edges and rows of a unit of work, all slices together */
    MOST_UNITS = 8192 /* units that keep sums of their own */
};

typedef struct pass {
    ga_context *context;
    const ga__edge_pass *given;
    const ga__edge_ops *ops;
    int64_t unit, units;         /* units of rows */
    int64_t hubs, parts;         /* rows in parts, parts of all of them */
    int64_t *hub_row, *hub_part; /* hubs; hubs + 1: first part */
    int64_t state;               /* floats of a state */
    float *states;               /* (parts, slices, state) */
    int64_t scratch_floats, att_size;
    float *scratch, *att; /* a block for each worker; (units + parts, att_size) */
    double *totals;       /* (units + parts, slices, GA__EDGE_TOTALS) */
    int64_t next, next_hub;
    int status;
} pass;

int64_t ga__edge_state(const ga__edge_run *run, bool backward)
{
    int64_t x = ga__edge_round(run->heads * run->width), y = ga__edge_round(run->heads * run->width_v);
    int64_t lanes = run->heads * GA__EDGE_BLOCK;
    if (backward) {
        return x + y + lanes + (run->direct && !run->swapped ? 3 * x : 0);
    }
    return y * (run->kind == GA_INLINE ? 2 : 1) + ga__edge_round(run->heads) + lanes;
}

const ga__edge_ops *ga__edge_ops_of(const ga_context *context)
{
    return GA__CHOOSE(context, ga__edge_ops);
}

/* Room of the scratch of a worker; with base, sets the pointers. */
static int64_t lay_out(const pass *p, float *base, ga__edge_scratch *s)
{
    const ga__edge_run *run = p->given->run;
    int64_t block = run->heads * GA__EDGE_BLOCK;
    int64_t x = ga__edge_round(run->heads * run->width), y = ga__edge_round(run->heads * run->width_v);
    int64_t many_x = run->other.x && run->other.x_type != GA__F32 ? GA__EDGE_BLOCK * x : 0;
    bool masked = run->keep_values.bits && !run->swapped;
    int64_t many_y = run->other.y && (run->other.y_type != GA__F32 || masked) ? GA__EDGE_BLOCK * y : 0;
    float **const to[] = { &s->score, &s->raw,    &s->product, &s->weight,  &s->slope,   &s->parameter,
                           &s->state, &s->room_x, &s->room_y,  &s->other_x, &s->other_y, &s->row };
    const int64_t size[] = { block,    block, block, block,  block,  block * GA__EDGE_MOST_PARAMETERS,
                             p->state, x,     y,     many_x, many_y, y };
    int64_t floats = 0;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        *to[i] = base ? base + floats : NULL;
        floats += size[i];
    }
    s->sums = base ? (double *)(void *)(base + floats)
                   : NULL; /* everything before it is in multiples of 16 floats */
    return floats + ga__edge_round(4 * run->heads) + 16;
}

/* First row whose prefix offsets[row] + row is not below `prefix`. */
static int64_t row_at(const ga__edge_run *run, int64_t prefix)
{
    int64_t low = 0, high = run->rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (run->offsets[middle] + middle < prefix) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int64_t row_length(const ga__edge_run *run, int64_t row)
{
    return run->offsets[row + 1] - run->offsets[row];
}

static ga_status find_hubs(pass *p)
{
    const ga__edge_run *run = p->given->run;
    int64_t hub = p->given->hub;
    ga_status status = GA_OK;
    for (int64_t row = 0; p->given->mode != GA__EDGE_RECORDS && run->count > hub && row < run->rows; row++) {
        p->hubs += row_length(run, row) > hub;
    }
    GA_TRY(GA_NEW(p->context, p->hubs, &p->hub_row));
    GA_TRY(GA_NEW(p->context, p->hubs + 1, &p->hub_part));
    for (int64_t row = 0, at = 0; at < p->hubs; row++) {
        if (row_length(run, row) > hub) {
            p->hub_row[at] = row;
            p->hub_part[at++] = p->parts;
            p->parts += (row_length(run, row) + hub - 1) / hub;
        }
    }
    p->hub_part[p->hubs] = p->parts;
done:
    return status;
}

static int64_t hub_of(const pass *p, int64_t part)
{
    int64_t low = 0, high = p->hubs;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (p->hub_part[middle] <= part) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void do_part(pass *p, const ga__edge_run *run, ga__edge_scratch *s, int64_t part, int64_t slice)
{
    int64_t h = hub_of(p, part), row = p->hub_row[h], hub = p->given->hub;
    int64_t from = run->offsets[row] + (part - p->hub_part[h]) * hub;
    int64_t to = ga__min(from + hub, run->offsets[row + 1]);
    bool backward = p->given->mode == GA__EDGE_BACKWARD;
    float *state = p->states + (part * p->given->slices + slice) * p->state;
    (backward ? p->ops->backward_part : p->ops->forward_part)(run, s, row, from, to, state);
}

static void do_rows(pass *p, const ga__edge_run *run, ga__edge_scratch *s, int64_t unit)
{
    int64_t first = row_at(run, unit * p->unit), last = row_at(run, (unit + 1) * p->unit);
    switch (p->given->mode) {
    case GA__EDGE_FORWARD: p->ops->forward_rows(run, s, first, last, p->given->hub); break;
    case GA__EDGE_RECORDS: p->ops->records(run, s, first, last); break;
    case GA__EDGE_BACKWARD: p->ops->backward_rows(run, s, first, last, p->given->hub); break;
    }
}

static void select_slice(const pass *p, ga__edge_run *run, int64_t slice)
{
    if (p->given->select) {
        p->given->select(run, slice, p->given->user);
    }
}

static void work(void *user, int worker)
{
    pass *p = user;
    ga__edge_run run = *p->given->run;
    ga__edge_scratch s = { .totals = NULL };
    (void)lay_out(p, p->scratch + worker * p->scratch_floats, &s);
    for (int64_t u;
         (u = ga__claim(&p->next)) < p->parts + p->units && !ga__stopped(p->context, &p->status);) {
        if (p->att) {
            s.att = p->att + u * p->att_size;
            memset(s.att, 0, (size_t)p->att_size * sizeof *s.att);
        }
        for (int64_t slice = 0; slice < p->given->slices; slice++) {
            select_slice(p, &run, slice);
            if (p->totals) {
                s.totals = p->totals + (u * p->given->slices + slice) * GA__EDGE_TOTALS;
            }
            if (u < p->parts) {
                do_part(p, &run, &s, u, slice);
            } else {
                do_rows(p, &run, &s, u - p->parts);
            }
        }
    }
}

static void merge(void *user, int worker)
{
    pass *p = user;
    ga__edge_run run = *p->given->run;
    ga__edge_scratch s = { .totals = NULL };
    bool backward = p->given->mode == GA__EDGE_BACKWARD;
    (void)lay_out(p, p->scratch + worker * p->scratch_floats, &s);
    for (int64_t h; (h = ga__claim(&p->next_hub)) < p->hubs && !ga__stopped(p->context, &p->status);) {
        for (int64_t slice = 0; slice < p->given->slices; slice++) {
            int64_t first = p->hub_part[h], step = p->given->slices * p->state;
            select_slice(p, &run, slice);
            s.att = p->att ? p->att + first * p->att_size : NULL; /* beside what its first part left there */
            (backward ? p->ops->backward_merge : p->ops->forward_merge)(
                &run, &s, p->hub_row[h], p->states + first * step + slice * p->state,
                p->hub_part[h + 1] - first, step);
        }
    }
}

static void sum_units(const pass *p)
{
    int64_t count = p->units + p->parts, totals = p->given->slices * GA__EDGE_TOTALS;
    for (int64_t i = 0; p->att && i < p->att_size; i++) {
        double sum = 0;
        for (int64_t u = 0; u < count; u++) {
            sum += p->att[u * p->att_size + i];
        }
        p->given->datt[i] = sum;
    }
    for (int64_t i = 0; p->totals && i < totals; i++) {
        double sum = 0;
        for (int64_t u = 0; u < count; u++) {
            sum += p->totals[u * totals + i];
        }
        p->given->totals[i] = sum;
    }
}

static ga_status take_room(pass *p, int threads)
{
    const ga__edge_pass *g = p->given;
    int64_t count = p->units + p->parts, size = 0, product = 0;
    ga_status status = GA_OK;
    if (!ga__mul(p->scratch_floats, threads, &size) || !ga__mul(p->parts * g->slices, p->state, &product)) {
        return ga__fail(p->context, GA_OVERFLOW, "edge attention: rows are too wide");
    }
    GA_TRY(GA_NEW(p->context, size, &p->scratch));
    GA_TRY(GA_NEW(p->context, product, &p->states));
    if (g->datt) {
        p->att_size = g->att_size;
        if (!ga__mul(count, p->att_size, &product)) {
            return ga__fail(p->context, GA_OVERFLOW, "edge attention: att is too wide");
        }
        GA_TRY(GA_NEW(p->context, product, &p->att));
    }
    if (g->totals) {
        GA_TRY(GA_NEW_ZERO(p->context, count * g->slices * GA__EDGE_TOTALS, &p->totals));
    }
done:
    return status;
}

ga_status ga__edge_pass_run(ga_context *context, const ga__edge_pass *given)
{
    ga_status status = GA_OK;
    pass p = { .context = context, .given = given, .ops = ga__edge_ops_of(context) };
    const ga__edge_run *run = given->run;
    int64_t all = run->rows ? run->offsets[run->rows] + run->rows : 0;
    int64_t unit = ga__max(1, UNIT / ga__max(1, given->slices));
    p.unit = given->datt || given->totals ? ga__max(unit, all / MOST_UNITS + 1) : unit;
    p.units = (all + p.unit - 1) / p.unit;
    p.state = ga__max(ga__edge_state(run, false), ga__edge_state(run, true));
    ga__edge_scratch none;
    p.scratch_floats = lay_out(&p, NULL, &none);
    GA_TRY(find_hubs(&p));
    int threads = ga__threads_for(context, p.units + p.parts);
    GA_TRY(take_room(&p, threads));
    ga__workers(context, threads, work, &p);
    GA_TRY(ga__noted_status(&p.status));
    if (p.hubs) {
        ga__workers(context, ga__threads_for(context, p.hubs), merge, &p);
        GA_TRY(ga__noted_status(&p.status));
    }
    sum_units(&p);
done:
    ga_free(context, p.hub_row);
    ga_free(context, p.hub_part);
    ga_free(context, p.states);
    ga_free(context, p.scratch);
    ga_free(context, p.att);
    ga_free(context, p.totals);
    return status;
}
