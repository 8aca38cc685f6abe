/* backward_rows.c - row constants of the tiles' backward pass, for every normaliser. */
#include "config.h"

#include <math.h>

#include "lib/engine/tile_attention/backward_item.h"

/* <dO, o> without the head's factor, which o contains. */
static double dot_of_outputs(const ga__back_part *part, int64_t head, int64_t query)
{
    const ga__back *back = part->back;
    const float *x = part->room->values, *y = x + back->a->dim_v;
    double sum = 0;
    if (back->grad_o.type == GA__F32 && back->o.type == GA__F32) {
        x = ga__view_row(&back->grad_o, part->batch, head, query);
        y = ga__view_row(&back->o, part->batch, head, query);
    } else {
        ga__view_load_f32(&back->grad_o, part->batch, head, query, part->room->values);
        ga__view_load_f32(&back->o, part->batch, head, query, part->room->values + back->a->dim_v);
    }
    for (int64_t c = 0; c < back->a->dim_v; c++) {
        sum += (double)x[c] * (double)y[c];
    }
    return sum;
}

static void take_given(const ga__back_part *part, int64_t head, int64_t query, ga__back_row *row)
{
    double lse = ga__view_get(&part->back->lse, 0, part->batch, head, query);
    bool empty = lse == -INFINITY;
    row->shift = empty ? 0 : (float)-lse;
    row->delta = empty ? 0 : (float)dot_of_outputs(part, head, query);
}

static void start_row(const ga__back_part *part, int64_t head, int64_t query, ga__back_row *row)
{
    const ga__attention *a = part->back->a;
    const ga_normaliser *normaliser = &a->normaliser;
    int64_t n = ga__pattern_length(a->pattern, ga__pattern_head(a->pattern, head), query);
    *row = (ga__back_row){ .inverse = 1, .length = (float)n };
    switch (normaliser->kind) {
    case GA_SOFTMAX:
        row->max = -INFINITY;
        if (part->back->o.data) {
            take_given(part, head, query, row);
        }
        break;
    case GA_SIGMOID: row->shift = n > 0 ? (float)ga__row_shift(a, n) : 0; break;
    case GA_SOFTPLUS_REWEIGHT: row->offset = n > normaliser->free_rows ? (float)normaliser->offset : 0;
    /* fall through */
    case GA_SOFTPLUS: row->factor = n > 0 ? (float)ga__row_factor(a, n) : 0; break;
    case GA_NORM_ATTENTION: row->inverse = (float)ga__row_eta(a, part->batch, head, query); break;
    default: break;
    }
}

void ga__back_rows_start(const ga__back_part *part, int64_t member)
{
    ga__back_row *row = part->room->row + member * ga__back_chunk_rows(part->back);
    for (int64_t i = 0; i < part->rows; i++) {
        start_row(part, part->kv * part->back->a->group + member, part->first + i, row + i);
    }
}

static void end_softmax(ga__back_row *row)
{
    bool empty = row->sum == 0;
    row->shift = empty ? 0 : (float)-(row->max + log(row->sum));
    row->delta = empty ? 0 : (float)(row->dot / row->sum);
}

/* Where the divisor is eps it is a constant, and nothing comes back through the sum. */
static void end_relu(ga__back_row *row, double eps)
{
    bool constant = row->sum <= eps;
    row->inverse = constant ? (eps > 0 ? (float)(1 / eps) : 0) : (float)(1 / row->sum);
    row->delta = constant ? 0 : (float)(row->dot / row->sum);
}

static void end_softplus(ga__back_row *row)
{
    row->inverse = row->sum == 0 ? 0 : (float)(1 / row->sum);
    row->delta = row->sum == 0 ? 0 : (float)(row->dot / row->sum);
}

static void end_shares(ga__back_row *row, double eps)
{
    double most = row->sum == 0 ? 0 : (double)row->length * row->max / row->sum - (double)row->offset;
    row->inverse = row->sum == 0 ? 0 : (float)(1 / row->sum);
    row->peak = most <= eps ? 0 : (float)(1 / most);
}

/* d eta_logits = -(sum w D) times 1 | sigma / eta | 1 - eta. */
static void store_eta(const ga__back_part *part, int64_t head, int64_t query, const ga__back_row *row)
{
    const ga__back *back = part->back;
    const ga__attention *a = back->a;
    double factor = 1, inverse = ga__row_eta(a, part->batch, head, query);
    double logit = ga__view_get(&a->eta, 0, part->batch, head, query);
    if (a->normaliser.eta == GA_ETA_SOFTPLUS) {
        factor = inverse / (1 + exp(-logit));
    } else if (a->normaliser.eta == GA_ETA_SIGMOID) {
        factor = 1 / (1 + exp(logit));
    }
    ga__view_set(&back->eta, 0, part->batch, head, query, row->dot == 0 ? 0 : -row->dot * inverse * factor);
}

void ga__back_rows_first(const ga__back_part *part, int64_t member)
{
    const ga__back *back = part->back;
    const ga_normaliser *normaliser = &back->a->normaliser;
    ga__back_row *row = part->room->row + member * ga__back_chunk_rows(back);
    int64_t head = part->kv * back->a->group + member;
    for (int64_t i = 0; i < part->rows; i++, row++) {
        switch (normaliser->kind) {
        case GA_SOFTMAX: end_softmax(row); break;
        case GA_RELU_L1: end_relu(row, normaliser->eps); break;
        case GA_SOFTPLUS: end_softplus(row); break;
        case GA_SOFTPLUS_REWEIGHT: end_shares(row, normaliser->eps); break;
        case GA_INLINE:
            row->shift = row->length > 0 ? (float)((1 - row->sum) / (double)row->length) : 0;
            row->delta = row->length > 0 ? (float)(row->dot / (double)row->length) : 0;
            break;
        case GA_NORM_ATTENTION: store_eta(part, head, part->first + i, row); break;
        default: break;
        }
    }
}

/* dP = p n peak u / sum r (D - delta), and softplus subtracts sum dP P. */
void ga__back_rows_second(const ga__back_part *part, int64_t member)
{
    const ga__back *back = part->back;
    ga__back_row *row = part->room->row + member * ga__back_chunk_rows(back);
    for (int64_t i = 0; i < part->rows; i++, row++) {
        if (row->power_sum == 0) {
            row->peak = 0;
            continue;
        }
        double delta = row->power_dot / row->power_sum;
        double steep = back->a->normaliser.power * (double)row->length * (double)row->peak / row->power_sum;
        row->delta = (float)delta;
        row->power_inverse = (float)(1 / row->power_sum);
        row->lean = (float)(steep * (row->pull_dot - delta * row->pull));
    }
}
