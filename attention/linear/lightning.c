/* lightning.c - linear attention with a fixed decay per head and layer, LRPE, norm and gate (attention-linear card 11).
 *
 * o_i = scale sum_{j <= p} exp(-slope (p - j)) phi(q_i) . phi(k_j) v_j. LRPE: x -> [x cos(theta p), x sin(theta p)], by
 * which q . k becomes sum_c q_c k_c cos(theta_c (i - j)). */
#include "config.h"

#include "attention/linear/rows.h"

enum { DECAY_ALIBI, DECAY_PAPER };
static const char *const decay_words[] = { [DECAY_ALIBI] = "alibi", [DECAY_PAPER] = "paper", NULL };

static const ga_parameter parameters[] = {
    { "decay_form", GA_PARAMETER_WORD, "alibi", NULL, "slopes when none are given", decay_words, GA__ANY },
    { "layer", GA_PARAMETER_INT, "0", "0..layers-1", "layer number", GA__FROM(0) },
    { "layers", GA_PARAMETER_INT, "1", ">= 1", "layers of the model", GA__FROM(1) },
    { "feature", GA_PARAMETER_WORD, "identity", NULL, "feature map; silu in TransNormer", ga__feature_words,
      GA__ANY },
    { "lrpe", GA_PARAMETER_BOOL, "0", NULL, "linearised relative position encoding", GA__ANY },
    { "start", GA_PARAMETER_INT, "0", ">= 0", "position of the first key (LRPE)", GA__FROM(0) },
    GA__CHUNK,
    GA__EPILOGUE_PARAMETERS,
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "slopes", "(G)", "decay exp(-slope) per token", .optional = true },
    { "theta", "(G, d)", "LRPE angles", .optional = true },
    { "initial_state", "(B, G, d or 2d, e)", "state to start from", .optional = true,
      .differentiable = true },
    GA__EPILOGUE_TENSORS,
    { .name = NULL },
};

/* Slopes of a power of two heads, then every second one of twice as many. */
static double alibi(int64_t head, int64_t heads)
{
    int64_t power = 1;
    while (2 * power <= heads) {
        power *= 2;
    }
    return head < power ? exp2(-8 * (double)(head + 1) / (double)power)
                        : exp2(-8 * (double)(2 * (head - power) + 1) / (double)(2 * power));
}

static double default_slope(const ga__job *run, int64_t head)
{
    double layer = (double)ga__part_value(&run->own, "layer")->integer;
    double layers = (double)ga__part_value(&run->own, "layers")->integer;
    if (ga__part_value(&run->own, "decay_form")->integer == DECAY_PAPER) {
        return 8 * (double)head / (double)run->kv_heads * (1 - layer / layers);
    }
    return alibi(head, run->kv_heads) * (1 - layer / fmax(layers - 1, 1) + 1e-5);
}

static ga_status make_decay(ga__job *run)
{
    ga_status status = GA_OK;
    int slot;
    DLTensor *decay = NULL;
    ga__view slopes, view;
    GA_TRY(ga__slot_shaped(run, "slopes", 1, &run->kv_heads, &slot));
    GA_TRY(ga__slot_view(run, slot, &slopes));
    GA_TRY(ga__tensor_new(run, 1, &run->kv_heads, &decay));
    GA_TRY(ga__view_of(run->context, "slopes", decay, true, &view));
    for (int64_t g = 0; g < run->kv_heads; g++) {
        double slope = slopes.data ? ga__view_get(&slopes, 0, 0, 0, g) : default_slope(run, g);
        if (slope < 0) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "slopes: found %g, expected >= 0", slope));
        }
        ga__view_set(&view, 0, 0, 0, g, -slope);
    }
    run->bound[GA__LOG_DECAY] = ga__slot_make(run, "log_decay", decay);
    decay = NULL;
done:
    ga_tensor_destroy(run->context, decay);
    return status;
}

/* ---- LRPE ---- */

typedef struct lrpe {
    int64_t dim, heads, group, first; /* position of row 0 */
    ga__view theta;                   /* without data: the default */
} lrpe;

static double angle(const lrpe *l, int64_t h, int64_t r, int64_t c)
{
    int64_t g = h / l->group;
    double theta = l->theta.data ? ga__view_get(&l->theta, 0, 0, g, c)
                                 : pow(10000, -2 * (double)(g * l->dim + c) / (double)(l->heads * l->dim));
    return theta * (double)(l->first + r);
}

static void rotate(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                   double *out, double *room)
{
    const lrpe *l = user;
    (void)b, (void)y, (void)room;
    for (int64_t c = 0; c < l->dim; c++) {
        double a = angle(l, h, r, c);
        out[c] = x[c] * cos(a);
        out[l->dim + c] = x[c] * sin(a);
    }
}

static void rotate_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                        double *out, double *room)
{
    const lrpe *l = user;
    (void)b, (void)x, (void)room;
    for (int64_t c = 0; c < l->dim; c++) {
        double a = angle(l, h, r, c);
        out[c] = y[c] * cos(a) + y[l->dim + c] * sin(a);
    }
}

static ga_status open_lrpe(ga__job *run, const ga__step *step, lrpe *l)
{
    bool query = step->slot == GA__Q;
    *l = (lrpe){ run->dim, run->kv_heads, query ? run->heads / ga__max(run->kv_heads, 1) : 1,
                 ga__part_value(&run->own, "start")->integer + (query ? run->keys - run->queries : 0),
                 .theta = { .data = NULL } };
    return ga__slot_view(run, ga__slot_find(run, "theta"), &l->theta);
}

static ga_status lrpe_forward(ga__job *run, ga__step *step)
{
    lrpe l;
    ga_status status = open_lrpe(run, step, &l);
    return status == GA_OK ? ga__map_forward(run, step, 2 * run->dim, 0, rotate, &l) : status;
}

static ga_status lrpe_backward(ga__job *run, ga__step *step)
{
    lrpe l;
    ga_status status = open_lrpe(run, step, &l);
    return status == GA_OK ? ga__map_backward(run, step, 0, rotate_back, &l) : status;
}

static ga_status plan(ga__job *run)
{
    ga_status status = GA_OK;
    const ga__part *own = &run->own;
    ga__feature feature = (ga__feature)ga__part_value(own, "feature")->integer;
    bool turned = ga__part_value(own, "lrpe")->integer;
    const int64_t state[] = { run->batch, run->kv_heads, turned ? 2 * run->dim : run->dim, run->dim_v };
    const int64_t theta[] = { run->kv_heads, run->dim };
    int64_t layers = ga__part_value(own, "layers")->integer;
    int slot;
    run->scan.chunk = ga__part_value(own, "chunk")->integer;
    run->scale = isnan(run->scale) ? 1 : run->scale;
    if (ga__part_value(own, "layer")->integer >= layers) {
        GA_TRY(ga__part_refuse(own, "layer", "0..%lld", (long long)(layers - 1)));
    }
    GA_TRY(make_decay(run));
    GA_TRY(ga__slot_shaped(run, "theta", 2, theta, &slot));
    for (int i = GA__Q; i <= GA__K; i++) {
        if (feature != GA__IDENTITY_FEATURE) {
            ga__step_before(run, ga__step_feature(i, feature, 1));
        }
        if (turned) {
            ga__step_before(run, (ga__step){ lrpe_forward, lrpe_backward, .slot = i });
        }
    }
    GA_TRY(ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state));
    status = ga__epilogue(run);
done:
    return status;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_SCAN, .plan = plan };

const ga_variant ga__lightning_variant = {
    .name = "lightning",
    .summary = "linear attention with fixed decay per head and layer, LRPE, norm, gate",
    .source = "Scaling TransNormer to 175 Billion Parameters, 2307.14995; Lightning Attention-2, 2401.04658",
    .family = "linear",
    .plan = "scan, scalar decay per head; pre: feature, LRPE; post: norm and gate",
    .outputs = "o, state",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_ALWAYS_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE |
           GA_CARRIES_STATE,
    .ops = &ops,
};
