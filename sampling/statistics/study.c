/* study.c - what several groups of statistics need: degrees, and those of the undirected view. */
#include "config.h"

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { PIECE = 1 << 12 };

ga_status ga__study_in(ga__study *study)
{
    return study->in.offsets ? GA_OK : ga_graph_in(study->context, study->graph, &study->in);
}

ga_status ga__study_degrees(ga__study *study)
{
    ga_status status = GA_OK;
    if (!study->in_degree) {
        GA_TRY(GA_NEW(study->context, study->nodes, &study->out_degree));
        GA_TRY(GA_NEW(study->context, study->nodes, &study->in_degree));
        status = ga_graph_degrees(study->context, study->graph, study->out_degree, study->in_degree);
    }
done:
    return status;
}

static void near_piece(void *user, int worker, int64_t from, int64_t to)
{
    ga__study *study = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        ga__near_walk walk = ga__near_begin(study, v);
        uint32_t near = 0, mutual = 0, node;
        unsigned bits;
        while (ga__near_next(&walk, &node, &bits)) {
            near++;
            mutual += bits == GA__BOTH;
        }
        study->near_degree[v] = near;
        study->mutual[v] = mutual;
    }
}

ga_status ga__study_near(ga__study *study)
{
    ga_status status = GA_OK;
    if (study->mutual) {
        return GA_OK;
    }
    GA_TRY(ga__study_in(study));
    GA_TRY(GA_NEW(study->context, study->nodes, &study->near_degree));
    GA_TRY(GA_NEW(study->context, study->nodes, &study->mutual));
    status = ga__pieces(study->context, study->nodes, PIECE, near_piece, study);
done:
    return status;
}

int64_t ga__study_sum(const uint32_t *values, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum;
}

void ga__study_clear(ga__study *study)
{
    ga_context *context = study->context;
    ga_free(context, study->out_degree);
    ga_free(context, study->in_degree);
    ga_free(context, study->near_degree);
    ga_free(context, study->mutual);
    ga_free(context, study->triangles.at);
    ga_free(context, study->triangles.walks);
    ga_free(context, study->strong.of);
    ga_free(context, study->strong.sizes);
}
