/* check.c - reading the tensors of a linear recurrence. */
#include "config.h"

#include "lib/engine/scan_attention/scan.h"

static bool is_wide(const ga__view *view)
{
    return view->data && view->type == GA__F64;
}

/* ---- inputs ---- */

static ga_status check_core(ga_context *context, const ga_scan *problem, ga__scan_plan *p)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(context, "q", problem->q, true, &p->q));
    GA_TRY(ga__view_anywhere(context, "k", problem->k, true, &p->k));
    GA_TRY(ga__view_anywhere(context, "v", problem->v, true, &p->v));
    GA_TRY(ga__view_expect(context, "q", &p->q, -1, -1, -1, -1));
    GA_TRY(ga__view_expect(context, "k", &p->k, p->q.batch, -1, -1, p->q.columns));
    GA_TRY(ga__view_expect(context, "v", &p->v, p->q.batch, p->k.heads, p->k.rows, -1));
    p->batch = p->q.batch;
    p->heads = p->q.heads;
    p->groups = p->k.heads;
    p->queries = p->q.rows;
    p->keys = p->k.rows;
    p->d = p->q.columns;
    p->e = p->v.columns;
    p->width = p->e + problem->normalise;
    if (p->groups == 0 ? p->heads != 0 : p->heads % p->groups != 0) {
        return ga__fail(context, GA_INVALID, "k: %lld key/value heads do not divide the %lld heads of q",
                        (long long)p->groups, (long long)p->heads);
    }
    p->ratio = p->groups == 0 ? 0 : p->heads / p->groups;
done:
    return status;
}

static ga_status check_decay(ga_context *context, const ga_scan *problem, ga__scan_plan *p)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(context, "log_decay", problem->log_decay, true, &p->decay));
    if (!p->decay.data) {
        p->decay_kind = GA__DECAY_NONE;
    } else if (problem->log_decay->ndim == 1) {
        GA_TRY(ga__view_expect(context, "log_decay", &p->decay, 1, 1, 1, p->groups));
        p->decay_kind = GA__DECAY_HEAD;
    } else {
        bool vector = p->decay.columns != 1;
        GA_TRY(ga__view_expect(context, "log_decay", &p->decay, p->batch, p->groups, p->keys,
                               vector ? p->d : 1));
        p->decay_kind = vector ? GA__DECAY_VECTOR : GA__DECAY_TOKEN;
    }
done:
    return status;
}

static ga_status check_extras(ga_context *context, const ga_scan *problem, ga__scan_plan *p)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_anywhere(context, "beta", problem->beta, true, &p->beta));
    GA_TRY(ga__view_anywhere(context, "bonus", problem->bonus, true, &p->bonus));
    GA_TRY(ga__view_anywhere(context, "initial_state", problem->initial_state, true, &p->initial));
    if (p->delta) {
        GA_TRY(ga__view_expect(context, "beta", &p->beta, 1, p->batch, p->groups, p->keys));
    }
    if (p->bonus.data) {
        GA_TRY(ga__view_expect(context, "bonus", &p->bonus, 1, 1, p->groups, p->d));
    }
    if (p->initial.data) {
        GA_TRY(ga__view_expect(context, "initial_state", &p->initial, p->batch, p->groups, p->d, p->width));
    }
done:
    return status;
}

static ga_status check_choices(ga_context *context, const ga_scan *problem, const ga__scan_plan *p)
{
    if ((unsigned)problem->rule > GA_SCAN_DELTA || (unsigned)problem->form > GA_SCAN_CHUNKED) {
        return ga__fail(context, GA_INVALID, "scan: unknown rule or form");
    }
    if (problem->chunk < 0) {
        return ga__fail(context, GA_INVALID, "chunk: 0 or more expected, not %lld",
                        (long long)problem->chunk);
    }
    if (!(problem->eps >= 0) || !(problem->scale - problem->scale == 0)) {
        return ga__fail(context, GA_INVALID, "scan: eps must not be negative and scale must be finite");
    }
    if (p->beta.data && !p->delta) {
        return ga__fail(context, GA_INVALID, "beta: belongs to the delta rule only");
    }
    if (p->bonus.data && p->delta) {
        return ga__fail(context, GA_INVALID, "bonus: not with the delta rule");
    }
    if (!p->causal && (p->delta || p->decay.data || p->bonus.data)) {
        return ga__fail(context, GA_INVALID, "scan: decay, bonus and the delta rule are causal");
    }
    return GA_OK;
}

ga_status ga__scan_check(ga_context *context, const ga_scan *problem, ga__scan_plan *plan, bool *wide)
{
    ga_status status = GA_OK;
    *plan = (ga__scan_plan){ .delta = problem->rule == GA_SCAN_DELTA,
                             .causal = problem->causal,
                             .normalise = problem->normalise,
                             .eps = problem->eps,
                             .scale = problem->scale };
    GA_TRY(check_core(context, problem, plan));
    GA_TRY(check_decay(context, problem, plan));
    GA_TRY(check_extras(context, problem, plan));
    GA_TRY(check_choices(context, problem, plan));
    *wide = is_wide(&plan->q) || is_wide(&plan->k) || is_wide(&plan->v) || is_wide(&plan->decay) ||
            is_wide(&plan->beta) || is_wide(&plan->bonus) || is_wide(&plan->initial);
done:
    return status;
}

ga_status ga__scan_refuse_growth(ga_context *context, const ga__scan_plan *plan)
{
    const ga__view *g = &plan->decay;
    for (int64_t b = 0; g->data && b < g->batch; b++) {
        for (int64_t h = 0; h < g->heads; h++) {
            for (int64_t i = 0; i < g->rows; i++) {
                for (int64_t c = 0; c < g->columns; c++) {
                    double value = ga__view_get(g, b, h, i, c);
                    if (value > 0) {
                        return ga__fail(context, GA_INVALID,
                                        "log_decay: %g at (%lld, %lld, %lld, %lld), must not be above 0",
                                        value, (long long)b, (long long)h, (long long)i, (long long)c);
                    }
                }
            }
        }
    }
    return GA_OK;
}

/* ---- outputs ---- */

static ga_status check_output(ga_context *context, const char *name, const DLTensor *tensor, ga__view *view,
                              const int64_t shape[4])
{
    ga_status status = GA_OK;
    if (!tensor) {
        *view = (ga__view){ 0 };
        goto done;
    }
    GA_TRY(ga__view_anywhere(context, name, tensor, true, view));
    GA_TRY(ga__view_expect(context, name, view, shape[0], shape[1], shape[2], shape[3]));
    GA_TRY(ga__view_output(context, name, view, GA__F32, GA__F64));
done:
    return status;
}

ga_status ga__scan_check_outputs(ga_context *context, ga__scan_plan *p, const DLTensor *o,
                                 const DLTensor *state)
{
    int64_t of_o[] = { p->batch, p->heads, p->queries, p->e };
    int64_t of_state[] = { p->batch, p->groups, p->d, p->width };
    ga_status status = check_output(context, "o", o, &p->o, of_o);
    return status != GA_OK ? status : check_output(context, "state", state, &p->state, of_state);
}

/* The gradient of a tensor that was given has its shape; of one that was not given there is none. */
static ga_status check_gradient(ga_context *context, const char *name, const DLTensor *tensor,
                                const ga__view *input, ga__view *view)
{
    int64_t shape[] = { input->batch, input->heads, input->rows, input->columns };
    if (tensor && !input->data) {
        return ga__fail(context, GA_INVALID, "%s: gradient of a tensor that was not given", name);
    }
    return check_output(context, name, tensor, view, shape);
}

ga_status ga__scan_check_gradients(ga_context *context, ga__scan_plan *p, const ga_scan_gradients *g,
                                   bool *wide)
{
    ga_status status = GA_OK;
    ga__view zero_state = { 0 };
    GA_TRY(ga__view_of(context, "grad_o", g->grad_o, true, &p->grad_o));
    GA_TRY(ga__view_expect(context, "grad_o", &p->grad_o, p->batch, p->heads, p->queries, p->e));
    GA_TRY(ga__view_of(context, "grad_state", g->grad_state, true, &p->grad_state));
    if (p->grad_state.data) {
        GA_TRY(ga__view_expect(context, "grad_state", &p->grad_state, p->batch, p->groups, p->d, p->width));
    }
    GA_TRY(check_gradient(context, "grad_q", g->q, &p->q, &p->grad_q));
    GA_TRY(check_gradient(context, "grad_k", g->k, &p->k, &p->grad_k));
    GA_TRY(check_gradient(context, "grad_v", g->v, &p->v, &p->grad_v));
    GA_TRY(check_gradient(context, "grad_log_decay", g->log_decay, &p->decay, &p->grad_decay));
    GA_TRY(check_gradient(context, "grad_beta", g->beta, &p->beta, &p->grad_beta));
    GA_TRY(check_gradient(context, "grad_bonus", g->bonus, &p->bonus, &p->grad_bonus));
    /* that of a state of zeros may be asked for too */
    zero_state =
        (ga__view){ .data = p, .batch = p->batch, .heads = p->groups, .rows = p->d, .columns = p->width };
    GA_TRY(check_gradient(context, "grad_initial_state", g->initial_state, &zero_state, &p->grad_initial));
    *wide = *wide || is_wide(&p->grad_o) || is_wide(&p->grad_state);
done:
    return status;
}
