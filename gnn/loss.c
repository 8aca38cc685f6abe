/* loss.c - the mean loss of some nodes and its gradient. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "gnn/train.h"
#include "lib/base/workers.h"
#include "lib/engine/isa.h"
#include "lib/engine/learn/learn.h"

enum { ROWS = 256 }; /* nodes whose losses are added up before the sums are */

typedef struct pass {
    const ga__learn_kernels *kernels;
    const float *logits;
    float *grad; /* NULL = the loss alone */
    int64_t rows, classes;
    const ga__truth *truth;
    const ga__nodes *nodes;
    float scale;
    double *sums; /* (pieces) */
    int64_t pieces, next;
    bool clearing; /* the gradient of all rows becomes 0 */
} pass;

static double loss_of(const pass *p, int64_t node)
{
    const float *x = p->logits + node * p->classes;
    float *grad = p->grad ? p->grad + node * p->classes : NULL;
    return p->truth->labels
               ? p->kernels->cross_entropy(x, p->classes, p->truth->labels[node], p->scale, grad)
               : p->kernels->binary(x, p->truth->targets + node * p->classes, p->classes, p->scale, grad);
}

static void pass_worker(void *user, int worker)
{
    pass *p = user;
    (void)worker;
    for (int64_t piece; (piece = ga__claim(&p->next)) < p->pieces;) {
        int64_t from = piece * ROWS, to = ga__min(p->clearing ? p->rows : p->nodes->count, from + ROWS);
        if (p->clearing) {
            memset(p->grad + from * p->classes, 0, (size_t)((to - from) * p->classes) * sizeof(float));
            continue;
        }
        double sum = 0;
        for (int64_t i = from; i < to; i++) {
            sum += loss_of(p, p->nodes->list[i]);
        }
        p->sums[piece] = sum;
    }
}

static void run(ga_context *context, pass *p, int64_t items, bool clearing)
{
    enum { WORTH = 1 << 15 }; /* numbers, for another thread */
    p->clearing = clearing;
    p->pieces = (items + ROWS - 1) / ROWS;
    p->next = 0;
    ga__workers(context, ga__threads_for(context, ga__min(p->pieces, items * p->classes / WORTH + 1)),
                pass_worker, p);
}

ga_status ga__loss(ga_context *context, const DLTensor *logits, const ga__truth *truth,
                   const ga__nodes *nodes, double *loss, DLTensor *grad)
{
    ga_status status = GA_OK;
    double terms = (double)nodes->count * (truth->labels ? 1 : (double)logits->shape[1]), sum = 0;
    pass p = { .kernels = GA__CHOOSE(context, ga__learn),
               .logits = logits->data,
               .grad = grad ? grad->data : NULL,
               .rows = logits->shape[0],
               .classes = logits->shape[1],
               .truth = truth,
               .nodes = nodes,
               .scale = (float)(1 / terms) };
    GA_TRY(GA_NEW(context, nodes->count / ROWS + 1, &p.sums));
    if (grad) {
        run(context, &p, p.rows, true);
    }
    run(context, &p, nodes->count, false);
    for (int64_t i = 0; i < p.pieces; i++) {
        sum += p.sums[i];
    }
    *loss = nodes->count > 0 ? sum / terms : (double)NAN;
done:
    ga_free(context, p.sums);
    return status;
}
