/* optimiser.c - Adam (Kingma and Ba, 2015) with L2 in the gradient, AdamW (Loshchilov and Hutter, 2019), and how the
 * learning rate goes over the epochs. */
#include "config.h"

#include <math.h>

#include "gnn/train.h"
#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/learn/learn.h"

enum { PIECE = 1 << 13 }; /* numbers that one thread takes at once */

ga_status ga__optimiser_open(ga_context *context, const ga_model *model, ga__optimiser *optimiser)
{
    ga_status status = GA_OK;
    *optimiser = (ga__optimiser){ .decoupled = ga__model_integer(model, "optimiser") == GA__OPTIMISER_ADAMW,
                                  .first = ga__model_integer(model, "decay") == GA__DECAY_FIRST,
                                  .weight_decay = ga__model_real(model, "weight_decay"),
                                  .clip = ga__model_real(model, "clip") };
    GA_TRY(GA_NEW_ZERO(context, model->weights.numbers, &optimiser->m));
    GA_TRY(GA_NEW_ZERO(context, model->weights.numbers, &optimiser->v));
done:
    return status;
}

void ga__optimiser_close(ga_context *context, ga__optimiser *optimiser)
{
    ga_free(context, optimiser->m);
    ga_free(context, optimiser->v);
    *optimiser = (ga__optimiser){ .m = NULL };
}

/* A pass over all trained numbers, piece by piece: the pieces are the same for any number of threads. */
typedef struct update {
    ga_context *context;
    const ga__learn_kernels *kernels;
    const ga__optimiser *optimiser;
    ga__weights *weights;
    ga__adam adam;
    double *squares; /* (pieces): of the gradient; NULL = the step itself */
    int64_t pieces, next;
} update;

static int64_t pieces_of(const ga__weight *w)
{
    return w->fixed ? 0 : (w->count + PIECE - 1) / PIECE;
}

/* The weight that a piece belongs to; its own number among the weight's pieces goes to *piece. */
static const ga__weight *weight_of(const ga__weights *weights, int64_t *piece)
{
    const ga__weight *w = weights->list;
    for (; *piece >= pieces_of(w); w++) {
        *piece -= pieces_of(w);
    }
    return w;
}

static ga__adam step_of(const update *u, const ga__weight *w)
{
    ga__adam step = u->adam;
    bool decays = w->decays && (!u->optimiser->first || w == u->weights->list);
    if (!decays) {
        step.l2 = 0;
        step.shrink = 1;
    }
    return step;
}

static void update_worker(void *user, int worker)
{
    update *u = user;
    (void)worker;
    for (int64_t p; (p = ga__claim(&u->next)) < u->pieces;) {
        int64_t piece = p;
        const ga__weight *w = weight_of(u->weights, &piece);
        int64_t from = w->first + piece * PIECE, count = ga__min(PIECE, w->count - piece * PIECE);
        if (u->squares) {
            u->squares[p] = u->kernels->squares(u->weights->grads + from, count);
            continue;
        }
        ga__adam step = step_of(u, w);
        float *values = u->weights->values + from;
        u->kernels->adam(&step, u->weights->grads + from, u->optimiser->m + from, u->optimiser->v + from,
                         values, count);
        for (int64_t i = 0; w->least > -INFINITY && i < count; i++) {
            values[i] = fmaxf(values[i], (float)w->least);
        }
    }
}

static void run(update *u)
{
    u->next = 0;
    ga__workers(u->context, ga__threads_for(u->context, u->pieces), update_worker, u);
}

/* What the gradient is multiplied with so that its norm is at most clip. */
static ga_status clip_factor(update *u, double clip, double *factor)
{
    ga_status status = GA_OK;
    double sum = 0;
    GA_TRY(GA_NEW(u->context, u->pieces, &u->squares));
    run(u);
    for (int64_t p = 0; p < u->pieces; p++) {
        sum += u->squares[p];
    }
    *factor = sqrt(sum) > clip ? clip / sqrt(sum) : 1;
done:
    ga_free(u->context, u->squares);
    u->squares = NULL;
    return status;
}

ga_status ga__optimiser_step(ga_context *context, ga__optimiser *optimiser, ga_model *model, double rate)
{
    const double beta1 = 0.9, beta2 = 0.999;
    ga_status status = GA_OK;
    double clip = 1, steps = (double)(optimiser->steps + 1);
    update u = { .context = context,
                 .kernels = GA__CHOOSE(context, ga__learn),
                 .optimiser = optimiser,
                 .weights = &model->weights };
    for (int64_t i = 0; i < model->weights.count; i++) {
        u.pieces += pieces_of(&model->weights.list[i]);
    }
    if (optimiser->clip > 0) {
        GA_TRY(clip_factor(&u, optimiser->clip, &clip));
    }
    bool decoupled = optimiser->decoupled;
    u.adam = (ga__adam){ .beta1 = (float)beta1,
                         .rest1 = (float)(1 - beta1),
                         .beta2 = (float)beta2,
                         .rest2 = (float)(1 - beta2),
                         .rate = (float)(rate / (1 - pow(beta1, steps))),
                         .root = (float)(1 / sqrt(1 - pow(beta2, steps))),
                         .eps = 1e-8f,
                         .clip = (float)clip,
                         .l2 = decoupled ? 0 : (float)optimiser->weight_decay,
                         .shrink = decoupled ? (float)(1 - rate * optimiser->weight_decay) : 1 };
    run(&u);
    optimiser->steps++;
done:
    return status;
}

double ga__learning_rate(const ga_model *model, int64_t epoch)
{
    double rate = ga__model_real(model, "lr");
    int64_t warmup = ga__model_integer(model, "warmup"), epochs = ga__model_integer(model, "epochs");
    if (epoch <= warmup) {
        rate *= (double)epoch / (double)warmup;
    }
    double gone = epoch > warmup ? (double)(epoch - warmup - 1) / (double)(epochs - warmup) : 0;
    switch (ga__model_integer(model, "schedule")) {
    case GA__SCHEDULE_COSINE: return rate * 0.5 * (1 + cos(gone * 3.14159265358979323846));
    case GA__SCHEDULE_LINEAR: return rate * (1 - gone);
    case GA__SCHEDULE_STEP:
        return rate * pow(ga__model_real(model, "step_factor"),
                          (double)((epoch - 1) / ga__model_integer(model, "step_epochs")));
    default: return rate;
    }
}
