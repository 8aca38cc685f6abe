/* graph_numbers.c - degrees, scales and coefficients: what depends on the graph alone, made once a graph. */
#include "config.h"

#include <math.h>

#include "gnn/messages.h"
#include "lib/base/workers.h"

enum { UNIT = 1 << 12 /* nodes */ };

typedef struct pass {
    ga_context *context;
    const ga__messages *m;
    ga__graph_kind kind;
    bool wide;
    double *degrees; /* set where data is NULL */
    void *data;
    int64_t next;
    int status;
} pass;

static double weight_at(const ga__messages *m, int64_t e)
{
    return m->weights ? m->weights[e] : 1;
}

static double scale_of(double degree)
{
    return degree > 0 ? 1 / sqrt(degree) : 0;
}

static void put(const pass *p, int64_t at, double value)
{
    if (p->wide) {
        ((double *)p->data)[at] = value;
    } else {
        ((float *)p->data)[at] = (float)value;
    }
}

static void do_node(const pass *p, int64_t i)
{
    const ga__messages *m = p->m;
    int64_t first = m->edges.offsets[i], last = m->edges.offsets[i + 1];
    if (!p->data) {
        p->degrees[i] = (double)(last - first);
        if (m->weights) {
            p->degrees[i] = 0;
            for (int64_t e = first; e < last; e++) {
                p->degrees[i] += m->weights[e];
            }
        }
        return;
    }
    double to = scale_of(p->degrees[i]);
    if (p->kind == GA__GRAPH_SCALES) {
        put(p, i, to);
        return;
    }
    for (int64_t e = first; e < last; e++) {
        double from = p->kind == GA__GRAPH_WEIGHTS ? 1 : to * scale_of(p->degrees[m->edges.sources[e]]);
        put(p, e, weight_at(m, e) * from);
    }
}

static void worker(void *user, int number)
{
    pass *p = user;
    (void)number;
    for (int64_t u;
         (u = ga__claim(&p->next)) * UNIT < p->m->edges.targets && !ga__stopped(p->context, &p->status);) {
        for (int64_t i = u * UNIT; i < ga__min(p->m->edges.targets, (u + 1) * UNIT); i++) {
            do_node(p, i);
        }
    }
}

static ga_status run(pass *p)
{
    ga__workers(p->context, ga__threads_for(p->context, p->m->edges.targets / UNIT + 1), worker, p);
    return ga__noted_status(&p->status);
}

ga_status ga__graph_degrees(ga_context *context, const ga__messages *m, const double **degrees)
{
    ga_status status = GA_OK;
    double *made = NULL;
    if (!m->numbers->degrees) {
        GA_TRY(GA_NEW(context, m->edges.targets, &made));
        pass p = { .context = context, .m = m, .degrees = made };
        GA_TRY(run(&p));
        m->numbers->degrees = made;
        made = NULL;
    }
    *degrees = m->numbers->degrees;
done:
    ga_free(context, made);
    return status;
}

ga_status ga__graph_numbers_of(ga_context *context, const ga__messages *m, ga__graph_kind kind, bool wide,
                               const DLTensor **numbers)
{
    ga_status status = GA_OK;
    DLTensor **kept = &m->numbers->of[kind][wide], *made = NULL;
    const DLDataType type = { .code = kDLFloat, .bits = wide ? 64 : 32, .lanes = 1 };
    const int64_t count = kind == GA__GRAPH_SCALES ? m->edges.targets : m->edges.count;
    const double *degrees = NULL;
    *numbers = NULL;
    if (kind == GA__GRAPH_WEIGHTS && !m->weights) {
        return GA_OK;
    }
    if (!*kept) {
        GA_TRY(ga__graph_degrees(context, m, &degrees));
        GA_TRY(ga_tensor_create(context, type, 1, &count, &made));
        pass p = { .context = context,
                   .m = m,
                   .kind = kind,
                   .wide = wide,
                   .degrees = m->numbers->degrees,
                   .data = made->data };
        GA_TRY(run(&p));
        *kept = made;
        made = NULL;
    }
    *numbers = *kept;
done:
    ga_tensor_destroy(context, made);
    return status;
}
