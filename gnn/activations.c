/* activations.c - activations of whole matrices on several threads. */
#include "config.h"

#include <math.h>

#include "gnn/model.h"
#include "gnn/passes.h"
#include "lib/base/workers.h"
#include "lib/engine/activate/activate.h"
#include "lib/engine/isa.h"

enum { PIECE = 1 << 13, ALONE = 1 << 16 /* numbers that one thread alone is through with sooner */ };

typedef struct pass {
    ga_context *context;
    const ga__activate_kernels *kernels;
    void *y;
    bool wide;
    int64_t count, pieces, next;
    int status;
} pass;

static void piece(const pass *p, int64_t from, int64_t count)
{
    if (!p->wide) {
        p->kernels->elu((float *)p->y + from, count);
        return;
    }
    for (double *y = (double *)p->y + from, *end = y + count; y < end; y++) {
        *y = *y > 0 ? *y : expm1(*y);
    }
}

static void worker(void *user, int number)
{
    pass *p = user;
    (void)number;
    for (int64_t w; (w = ga__claim(&p->next)) < p->pieces && !ga__stopped(p->context, &p->status);) {
        piece(p, w * PIECE, ga__min(PIECE, p->count - w * PIECE));
    }
}

static ga_status elu(ga_context *context, DLTensor *y)
{
    pass p = { .context = context,
               .kernels = GA__CHOOSE(context, ga__activate),
               .y = ga__data_of(y),
               .wide = y->dtype.bits == 64,
               .count = y->shape[0] * y->shape[1] };
    p.pieces = (p.count + PIECE - 1) / PIECE;
    ga__workers(context, p.count < ALONE ? 1 : ga__threads_for(context, p.pieces), worker, &p);
    return ga__noted_status(&p.status);
}

ga_status ga__activate(ga_context *context, ga__activation activation, DLTensor *y)
{
    switch (activation) {
    case GA__ACTIVATION_RELU: return ga__pass_relu(context, y, y);
    case GA__ACTIVATION_ELU: return elu(context, y);
    default: return GA_OK;
    }
}

ga_status ga__activation_backward(ga_context *context, ga__activation activation, const DLTensor *h,
                                  const DLTensor *g, DLTensor *out)
{
    const ga_keep all = { NULL, 1 };
    return ga__pass_finish(context, &all, 0, activation, h, g, out);
}
