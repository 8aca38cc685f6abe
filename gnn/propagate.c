/* propagate.c - the symmetrically normalised adjacency: C = D^-1/2 A D^-1/2 with in-degrees. */
#include "config.h"

#include <math.h>

#include "gnn/layer.h"
#include "lib/engine/view.h"

static double scale_of(double degree)
{
    return degree > 0 ? 1 / sqrt(degree) : 0;
}

ga_status ga__propagation_make(ga__layer_run *run, ga__propagation *p)
{
    ga_status status = GA_OK;
    GA_TRY(ga__graph_degrees(run->context, run->graph, &p->degree));
    GA_TRY(ga__graph_numbers_of(run->context, run->graph, GA__GRAPH_COEFFICIENTS, run->working.bits == 64,
                                &p->c));
done:
    return status;
}

ga_status ga__propagate(ga__layer_run *run, const ga__propagation *p, const DLTensor *x, DLTensor *y)
{
    return ga_spmm(run->context, &run->graph->edges, p->c, x, GA_SUM, y, NULL);
}

ga_status ga__propagate_backward(ga__layer_run *run, const ga__propagation *p, const DLTensor *dy,
                                 DLTensor *dx, const DLTensor *x, DLTensor *dc)
{
    return ga_spmm_backward(run->context, &run->graph->edges, &run->graph->transposed, p->c, x, GA_SUM, NULL,
                            dy, dx, x ? dc : NULL);
}

/* The degree's share goes to the target alone, since D is an in-degree: dw_e = s_i s_j g_e - T_i / (2 D_i), where T_v
 * sums g_e c_e over the edges into and out of v. */
ga_status ga__propagation_weights(ga__layer_run *run, const ga__propagation *p, const DLTensor *g)
{
    ga_status status = GA_OK;
    const ga__messages *m = run->graph;
    double *share = NULL, *dw = NULL;
    DLTensor *out = ga__grad(run, "edge_weight");
    ga__view gv, c, to;
    GA_TRY(GA_NEW_ZERO(run->context, run->nodes, &share));
    GA_TRY(GA_NEW_ZERO(run->context, m->edges.count, &dw));
    GA_TRY(ga__view_of(run->context, "g", g, true, &gv));
    GA_TRY(ga__view_of(run->context, "c", p->c, true, &c));
    GA_TRY(ga__view_of(run->context, "grad_edge_weight", out, true, &to));
    for (int64_t i = 0; i < run->nodes; i++) {
        for (int64_t e = m->edges.offsets[i]; e < m->edges.offsets[i + 1]; e++) {
            double part = ga__view_get(&gv, 0, 0, 0, e) * ga__view_get(&c, 0, 0, 0, e);
            share[i] += part;
            share[m->edges.sources[e]] += part;
        }
    }
    for (int64_t i = 0; i < run->nodes; i++) {
        double si = scale_of(p->degree[i]), mean = p->degree[i] > 0 ? share[i] / (2 * p->degree[i]) : 0;
        for (int64_t e = m->edges.offsets[i]; e < m->edges.offsets[i + 1]; e++) {
            double sj = scale_of(p->degree[m->edges.sources[e]]);
            dw[e] = si * sj * ga__view_get(&gv, 0, 0, 0, e) - mean;
        }
    }
    for (int64_t line = 0, each = m->lines ? m->arcs / m->lines : 0; line < m->lines; line++) {
        double sum = 0;
        for (int64_t a = line * each; a < (line + 1) * each; a++) {
            sum += m->arc_edge[a] < 0 ? 0 : dw[m->arc_edge[a]];
        }
        ga__view_set(&to, 0, 0, 0, line, sum);
    }
done:
    ga_free(run->context, share);
    ga_free(run->context, dw);
    return status;
}
