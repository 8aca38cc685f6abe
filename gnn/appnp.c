/* appnp.c - personalised PageRank propagation (Gasteiger et al.): h_(t+1) = (1 - alpha) C h_t + alpha h_0. */
#include "config.h"

#include "gnn/layer.h"

typedef struct state {
    ga__propagation p;
    DLTensor *steps; /* (k n, F): h_0 .. h_(k-1), where the gradient of edge weights is wanted */
    DLTensor *bits;  /* of one step; NULL = no dropout of entries */
    DLTensor *dropped;
    double rate;
} state;

static ga_status keep_steps(ga__layer_run *run, int64_t k, state *s)
{
    int64_t rows = 0;
    if (!ga__mul(k, run->nodes, &rows)) {
        return ga__fail(run->context, GA_OVERFLOW, "appnp: %lld steps of %lld nodes", (long long)k,
                        (long long)run->nodes);
    }
    return ga__temp(run, rows, run->width, &s->steps);
}

/* Entries of C are dropped anew in every step; every step has a site of its own. */
static ga_status open_noise(ga__layer_run *run, int64_t k, state *s)
{
    ga_status status = GA_OK;
    int64_t count = run->graph->edges.count;
    s->rate = run->noise ? run->noise->step_rate : 0;
    if (s->rate == 0) {
        return GA_OK;
    }
    if (GA__SITE_STEP + k > GA__NOISE_SITES) {
        return ga__fail(run->context, GA_UNSUPPORTED, "appnp: k=%lld, at most %d steps with dropout",
                        (long long)k, GA__NOISE_SITES - GA__SITE_STEP);
    }
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 32, .lanes = 1 }, ga_keep_words(count),
                            &s->bits));
    GA_TRY(ga__temp_numbers(run, run->working, count, &s->dropped));
done:
    return status;
}

/* *p: C of this step; *keep: what of it was kept, for the gradient of its entries. */
static ga_status entries_of(ga__layer_run *run, const state *s, int64_t t, ga__propagation *p, ga_keep *keep)
{
    ga_status status = GA_OK;
    *p = s->p;
    *keep = (ga_keep){ NULL, 1 };
    if (s->bits) {
        GA_TRY(ga__noise_redraw(run, (int)(GA__SITE_STEP + t), s->rate, run->graph->edges.count,
                                s->bits->data, keep));
        GA_TRY(ga__noise_apply(run->context, keep, s->p.c, s->dropped));
        p->c = s->dropped;
    }
done:
    return status;
}

static ga_status forward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    state *s = run->state;
    int64_t k = ga__integer(run, "k"), shape[2];
    double alpha = ga__real(run, "alpha");
    DLTensor *other = NULL;
    const DLTensor *h = run->x;
    ga__propagation p;
    ga_keep keep;
    GA_TRY(ga__make_y(run, run->width));
    GA_TRY(ga__propagation_make(run, &s->p));
    GA_TRY(open_noise(run, k, s));
    GA_TRY(ga__temp(run, run->nodes, run->width, &other));
    GA_TRY(ga__grad(run, "edge_weight") ? keep_steps(run, k, s) : GA_OK);
    for (int64_t t = 0; t < k; t++) {
        DLTensor *next = (k - 1 - t) % 2 ? other : run->y; /* the last one is y */
        if (s->steps) {
            DLTensor place = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
            GA_TRY(ga__axpby(run->context, 1, h, 0, &place));
        }
        GA_TRY(entries_of(run, s, t, &p, &keep));
        GA_TRY(ga__propagate(run, &p, h, next));
        GA_TRY(ga__axpby(run->context, alpha, run->x, 1 - alpha, next));
        h = next;
    }
    if (k == 0) {
        GA_TRY(ga__axpby(run->context, 1, run->x, 0, run->y));
    }
done:
    return status;
}

/* dc += factor <u at the target, h_t at the source>, of what was kept. */
static ga_status add_entries(ga__layer_run *run, const state *s, double factor, const ga_keep *keep,
                             DLTensor *part, DLTensor *dc)
{
    ga_status status = GA_OK;
    if (s->steps) {
        GA_TRY(keep->bits ? ga__noise_apply(run->context, keep, part, part) : GA_OK);
        GA_TRY(ga__axpby(run->context, factor, part, 1, dc));
    }
done:
    return status;
}

static ga_status open_entries(ga__layer_run *run, const state *s, DLTensor **dc, DLTensor **part)
{
    ga_status status = GA_OK;
    int64_t count = run->graph->edges.count;
    if (s->steps) {
        GA_TRY(ga__temp_numbers(run, run->working, count, dc));
        GA_TRY(ga__temp_numbers(run, run->working, count, part));
        GA_TRY(ga__fill_zero(run->context, *dc));
    }
done:
    return status;
}

/* With u_k = dy, u_t = C_t' u_(t+1), b = 1 - alpha: the gradient of h_t is b^(k-t) u_t; dx = sum over t > 0 of
 * alpha b^(k-t) u_t, and b^k u_0; dc_e sums b^(k-t) <u_(t+1) at the target, h_t at the source>. */
static ga_status backward(ga__layer_run *run)
{
    ga_status status = GA_OK;
    const state *s = run->state;
    int64_t k = ga__integer(run, "k"), shape[2];
    double alpha = ga__real(run, "alpha"), factor = 1;
    DLTensor *room[2] = { NULL, NULL }, *dc = NULL, *part = NULL, *dx = run->grad_x;
    const DLTensor *u = run->grad_y;
    ga__propagation p;
    ga_keep keep;
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[0]));
    GA_TRY(ga__temp(run, run->nodes, run->width, &room[1]));
    GA_TRY(open_entries(run, s, &dc, &part));
    for (int64_t t = k - 1; t >= 0; t--) {
        DLTensor h, *from = NULL, *next = room[t % 2];
        if (s->steps) {
            h = ga__part_of_rows(s->steps, t * run->nodes, run->nodes, shape);
            from = &h;
        }
        GA_TRY(dx ? ga__axpby(run->context, alpha * factor, u, t == k - 1 ? 0 : 1, dx) : GA_OK);
        factor *= 1 - alpha;
        GA_TRY(entries_of(run, s, t, &p, &keep));
        GA_TRY(ga__propagate_backward(run, &p, u, next, from, part));
        GA_TRY(add_entries(run, s, factor, &keep, part, dc));
        u = next;
    }
    GA_TRY(dx ? ga__axpby(run->context, factor, u, k == 0 ? 0 : 1, dx) : GA_OK);
    if (s->steps) {
        GA_TRY(ga__propagation_weights(run, &s->p, dc));
    }
done:
    return status;
}

static const ga_parameter parameters[] = {
    { .name = "k", .type = GA_PARAMETER_INT, .initial = "10", .range = ">= 0", GA__FROM(0), .help = "steps" },
    { .name = "alpha",
      .type = GA_PARAMETER_REAL,
      .initial = "0.1",
      .range = "0 to 1",
      GA__WITHIN(0, 1),
      .help = "teleport: share of the features in every step" },
    GA__SELF_LOOPS("add"),
    GA__DUPLICATES,
    { .name = NULL }
};

static const ga_tensor_slot tensors[] = {
    { "edge_weight", "(m)", "weights of the edges, instead of the graph's own", true, true }, { .name = NULL }
};

static const ga__layer_ops ops = { sizeof(state), true, false, forward, backward };

const ga_layer ga__layer_appnp = {
    .name = "appnp",
    .summary = "Personalised PageRank propagation, without weights of its own.",
    .source = "Gasteiger, Bojchevski & Guennemann, Predict then Propagate, arXiv 1810.05997",
    .plan = "k weighted sums over edges",
    .outputs = "y",
    .parameters = parameters,
    .tensors = tensors,
    .takes_graph = true,
    .ops = &ops,
};
