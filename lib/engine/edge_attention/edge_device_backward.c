/* edge_device_backward.c - gradients of message passing on the context's device.
 *
 * Scores by the forward kernels, <grad y, v> by those of sddmm, gradients of the scores from both; then a pass over the
 * targets for q, r and att and one over the sources for k, v and l, each of which owns what it writes.
 */
#include "config.h"

#include "lib/engine/edge_attention/edge_device_call.h"
#include "lib/engine/sddmm/dots_device.h"
#include "lib/engine/spmm/gather_device.h"

typedef struct backward {
    ga__edge_call *call;
    const ga__edge_slopes *s;
    const ga_transposed *transposed;
    ga__split by_target, by_source;
    bool sources; /* something of them is wanted */
    ga__traffic traffic;
    ga__edge_forward_launch_args forward; /* lists by target, formula, rows, statistics */
    ga__edge_lists source_lists;
    ga__edge_rows_on_device grad_y;
    float *score, *dot; /* (count, heads): gradients of scores, factors of grad y */
    float *dl, *dr;     /* NULL where nobody needs them */
} backward;

static ga__edge_rows_on_device plain_rows(const float *data, int64_t columns)
{
    return (ga__edge_rows_on_device){ .data = data, .type = GA__F32, .stride = columns };
}

static ga_status slot_room(backward *b, const ga__edge_lists *lists, int64_t columns, float **out)
{
    return lists->slots > 0 ? ga__edge_room(&b->traffic, lists->slots, columns, out) : GA_OK;
}

/* ---- gradients of scores ---- */

static ga_status run_scores(backward *b)
{
    const ga__edge_problem *p = &b->call->problem;
    ga__edge_forward_launch_args *f = &b->forward;
    ga_status status = GA_OK;
    int64_t count = p->edges->count;
    if (b->s->bias.data && p->bias_heads == p->heads) {
        GA_TRY(ga__traffic_out_view(&b->traffic, &b->s->bias, &b->score));
    } else {
        GA_TRY(ga__edge_room(&b->traffic, count, p->heads, &b->score));
    }
    if (!f->stat) {
        GA_TRY(ga__edge_room(&b->traffic, p->edges->targets, 2 * p->heads, &f->stat));
    }
    f->map = b->score;
    f->scores = 1;
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_forward(f, b->traffic.stream)));
done:
    return status;
}

/* The values as the sums saw them. */
static ga_status dropped_values(backward *b, ga__edge_rows_on_device *v)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_formula *is = &b->forward.is;
    ga_status status = GA_OK;
    float *out = NULL;
    *v = b->forward.v;
    if (!is->keep_values) {
        return GA_OK;
    }
    GA_TRY(ga__edge_room(&b->traffic, p->edges->sources_count, p->v.columns, &out));
    ga__edge_rows_launch_args args = { .rows = p->edges->sources_count,
                                       .heads = p->heads,
                                       .width = p->width_v,
                                       .x = b->forward.v,
                                       .keep = is->keep_values,
                                       .keep_scale = is->keep_values_scale,
                                       .out = out };
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_rows(&args, b->traffic.stream)));
    *v = plain_rows(out, p->v.columns);
done:
    return status;
}

static ga_status run_dots(backward *b)
{
    const ga__edge_problem *p = &b->call->problem;
    ga__edge_rows_on_device v;
    ga_status status = GA_OK;
    GA_TRY(dropped_values(b, &v));
    GA_TRY(ga__edge_room(&b->traffic, p->edges->count, p->heads, &b->dot));
    ga__dots_launch_args args = { .lists = b->forward.lists,
                                  .heads = p->heads,
                                  .width = p->width_v,
                                  .a = b->grad_y.data,
                                  .b = v.data,
                                  .a_type = b->grad_y.type,
                                  .b_type = v.type,
                                  .a_stride = b->grad_y.stride,
                                  .b_stride = v.stride,
                                  .s = b->dot };
    status = ga__traffic_check(&b->traffic, b->traffic.table->dots(&args, b->traffic.stream));
done:
    return status;
}

static ga_status run_slopes(backward *b)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_lists *lists = &b->forward.lists;
    ga_status status = GA_OK;
    ga__edge_slopes_launch_args args = {
        .lists = *lists, .is = b->forward.is, .stat = b->forward.stat, .score = b->score, .dot = b->dot
    };
    GA_TRY(ga__edge_bring_flat(b->call, &b->traffic, "grad_sums", &b->s->grad_sums, &args.grad_sums));
    GA_TRY(ga__edge_room(&b->traffic, lists->rows, p->heads, &args.mean));
    GA_TRY(slot_room(b, lists, p->heads, &args.slot_mean));
    if (p->bias_heads != p->heads) {
        GA_TRY(ga__traffic_out_view(&b->traffic, &b->s->bias, &args.bias));
    }
    if (b->s->p.data) {
        int64_t units = lists->rows + lists->pieces;
        GA_TRY(ga__traffic_out_view(&b->traffic, &b->s->p, &args.p));
        GA_TRY(ga__edge_room(&b->traffic, units, p->heads, &args.p_part));
        GA_TRY(ga__traffic_clear(&b->traffic, args.p_part, units * p->heads * (int64_t)sizeof *args.p_part));
    }
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_slopes(&args, b->traffic.stream)));
done:
    return status;
}

/* ---- passes over either end ---- */

/* Sums of the gradients of scores by row, into out or, where only the maps need them, into scratch. */
static ga_status run_sums(backward *b, const ga__edge_lists *lists, const ga__view *out, bool needed,
                          float **sum)
{
    int64_t heads = b->call->problem.heads;
    ga_status status = GA_OK;
    ga__edge_sums_launch_args args = { .lists = *lists, .heads = heads, .value = b->score };
    if (!out->data && !needed) {
        return GA_OK;
    }
    if (out->data) {
        GA_TRY(ga__traffic_out_view(&b->traffic, out, &args.sum));
    } else {
        GA_TRY(ga__edge_room(&b->traffic, lists->rows, heads, &args.sum));
    }
    GA_TRY(slot_room(b, lists, heads, &args.slot_sum));
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_sums(&args, b->traffic.stream)));
    *sum = args.sum;
done:
    return status;
}

/* Sums of the columns of rows, of every head times its factor. */
static ga_status run_columns(backward *b, int64_t rows, int64_t width, ga__edge_rows_on_device x,
                             const float *factor, const ga__view *out)
{
    int64_t heads = b->call->problem.heads;
    ga_status status = GA_OK;
    ga__edge_columns_launch_args args = {
        .rows = rows, .heads = heads, .width = width, .x = x, .factor = factor
    };
    GA_TRY(ga__traffic_out_view(&b->traffic, out, &args.out));
    GA_TRY(ga__edge_room(&b->traffic, (rows + GA__EDGE_COLUMN_ROWS - 1) / GA__EDGE_COLUMN_ROWS, heads * width,
                         &args.part));
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_columns(&args, b->traffic.stream)));
done:
    return status;
}

/* Gradients of q or k into out, and of att by target. */
static ga_status run_pairs(backward *b, bool by_source, float *out, bool add, bool want_att)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_lists *lists = by_source ? &b->source_lists : &b->forward.lists;
    const ga__edge_formula *is = &b->forward.is;
    int64_t columns = p->q.columns, other_rows = by_source ? p->edges->targets : p->edges->sources_count;
    ga_status status = GA_OK;
    ga__edge_pairs_launch_args args = { .lists = *lists,
                                        .is = *is,
                                        .own = by_source ? b->forward.k : b->forward.q,
                                        .other = by_source ? b->forward.q : b->forward.k,
                                        .other_rows = other_rows,
                                        .own_scale = by_source ? is->source_scale : is->target_scale,
                                        .other_scale = by_source ? is->target_scale : is->source_scale,
                                        .ds = b->score,
                                        .out = out,
                                        .add = add };
    GA_TRY(slot_room(b, lists, columns, &args.slot_out));
    if (is->score == GA_EDGE_COSINE) {
        GA_TRY(ga__edge_room(&b->traffic, lists->rows, p->heads, &args.own_norm));
        GA_TRY(ga__edge_room(&b->traffic, other_rows, p->heads, &args.other_norm));
        GA_TRY(ga__edge_room(&b->traffic, lists->rows, columns, &args.turned));
    }
    if (want_att) {
        GA_TRY(ga__edge_room(&b->traffic, lists->rows, columns, &args.att));
        GA_TRY(slot_room(b, lists, columns, &args.slot_att));
    }
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_pairs(&args, b->traffic.stream)));
    if (want_att) {
        GA_TRY(run_columns(b, lists->rows, p->width, plain_rows(args.att, columns), NULL, &b->s->att));
    }
done:
    return status;
}

static ga_status target_pass(backward *b)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_slopes *s = b->s;
    bool maps = s->att_target.data || (s->v.data && p->att_target.data);
    ga_status status = GA_OK;
    float *dq = NULL;
    GA_TRY(run_sums(b, &b->forward.lists, &s->r, maps, &b->dr));
    if (s->q.data || s->att.data) {
        GA_TRY(ga__traffic_out_view(&b->traffic, &s->q, &dq));
        GA_TRY(run_pairs(b, false, dq, false, s->att.data != NULL));
    }
done:
    return status;
}

/* Gradients of the values: gathered, dropped as the values were, with what comes through l and r. */
static ga_status run_values(backward *b, float *dv)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_formula *is = &b->forward.is;
    ga_status status = GA_OK;
    ga__gather_launch_args gather = { .lists = b->source_lists,
                                      .heads = p->heads,
                                      .width = p->width_v,
                                      .x = b->grad_y.data,
                                      .x_type = b->grad_y.type,
                                      .x_stride = b->grad_y.stride,
                                      .weights = b->dot,
                                      .weight_stride = p->heads,
                                      .y = dv };
    ga__edge_rows_launch_args more = { .rows = p->edges->sources_count,
                                       .heads = p->heads,
                                       .width = p->width_v,
                                       .x = plain_rows(dv, p->v.columns),
                                       .keep = is->keep_values,
                                       .keep_scale = is->keep_values_scale,
                                       .l = b->dl,
                                       .r = b->dr,
                                       .out = dv };
    GA_TRY(ga__edge_bring_flat(b->call, &b->traffic, "att_source", &p->att_source, &more.att_source));
    GA_TRY(ga__edge_bring_flat(b->call, &b->traffic, "att_target", &p->att_target, &more.att_target));
    GA_TRY(slot_room(b, &b->source_lists, p->v.columns, &gather.slot_y));
    GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->gather(&gather, b->traffic.stream)));
    if (more.keep || more.att_source || more.att_target) {
        GA_TRY(ga__traffic_check(&b->traffic, b->traffic.table->edge_rows(&more, b->traffic.stream)));
    }
done:
    return status;
}

static ga_status source_pass(backward *b)
{
    const ga__edge_problem *p = &b->call->problem;
    const ga__edge_slopes *s = b->s;
    int64_t sources = p->edges->sources_count;
    bool maps = s->att_source.data || (s->v.data && p->att_source.data);
    ga_status status = GA_OK;
    float *dv = NULL, *dk = NULL;
    if (!b->sources) {
        return GA_OK;
    }
    GA_TRY(ga__lists_in(&b->traffic, &b->by_source, &b->source_lists));
    GA_TRY(run_sums(b, &b->source_lists, &s->l, maps, &b->dl));
    /* before the gradient of v may take the place of v */
    if (s->att_source.data) {
        GA_TRY(run_columns(b, sources, p->width_v, b->forward.v, b->dl, &s->att_source));
    }
    if (s->att_target.data) {
        GA_TRY(run_columns(b, sources, p->width_v, b->forward.v, b->dr, &s->att_target));
    }
    if (s->v.data) {
        GA_TRY(ga__traffic_out_view(&b->traffic, &s->v, &dv));
        GA_TRY(run_values(b, dv));
    }
    if (s->k.data) {
        bool add = s->k.data == s->v.data; /* one tensor for k and v: their gradients are added */
        dk = dv;
        if (!add) {
            GA_TRY(ga__traffic_out_view(&b->traffic, &s->k, &dk));
        }
        GA_TRY(run_pairs(b, true, dk, add, false));
    }
done:
    return status;
}

/* ---- the call ---- */

static ga_status run(backward *b)
{
    ga_status status = GA_OK;
    if ((status = ga__traffic_open(b->call->context, "edge attention", &b->traffic)) != GA_OK) {
        return status;
    }
    GA_TRY(ga__edge_bring(b->call, &b->traffic, &b->by_target, &b->forward));
    GA_TRY(ga__edge_bring_rows(&b->traffic, &b->s->grad_y, &b->grad_y));
    GA_TRY(run_scores(b));
    GA_TRY(run_dots(b));
    GA_TRY(run_slopes(b));
    GA_TRY(target_pass(b));
    GA_TRY(source_pass(b));
done:
    return ga__traffic_close(&b->traffic, status);
}

ga_status ga__edge_backward_on_device(ga__edge_call *c, const ga_transposed *transposed,
                                      const ga__edge_slopes *s, bool wide)
{
    const ga__edge_problem *p = &c->problem;
    const ga_edges *edges = p->edges;
    ga_status status = GA_OK;
    backward b = { .call = c, .s = s, .transposed = transposed };
    b.sources = s->k.data || s->v.data || s->l.data || s->att_source.data || s->att_target.data;
    GA_TRY(
        ga__lists_refuse(c->context, "edge attention", wide, p->heads, ga__max(p->v.columns, p->q.columns)));
    GA_TRY(ga__split_edges(c->context, "edges", edges->targets, edges->count, edges->offsets, &b.by_target));
    if (b.sources) {
        GA_TRY(ga__split_edges(c->context, "transposed", edges->sources_count, edges->count,
                               transposed->offsets, &b.by_source));
        GA_TRY(ga__lists_check(c->context, "transposed", transposed->targets, transposed->edge, edges->count,
                               edges->targets));
        b.source_lists = (ga__edge_lists){ .rows = edges->sources_count,
                                           .count = edges->count,
                                           .offsets = transposed->offsets,
                                           .ids = transposed->targets,
                                           .edge = transposed->edge };
    }
    status = run(&b);
done:
    ga__split_free(c->context, &b.by_target);
    ga__split_free(c->context, &b.by_source);
    return status;
}
