/* bench_sparse.c - timing message passing on a graph. */
#include "config.h"

#include "cli/bench.h"

static const DLDataType f32 = { kDLFloat, 32, 1 };

/* ---- products ---- */

typedef struct spmm_job {
    DLTensor *x, *y;
} spmm_job;

static ga_status multiply(bench *b, void *user)
{
    spmm_job *job = user;
    return ga_spmm(b->s->context, &b->edges, NULL, job->x, GA_SUM, job->y, NULL);
}

ga_status bench_spmm(bench *b)
{
    ga_status status = GA_OK;
    spmm_job job = { NULL, NULL };
    GA_TRY(bench_edges(b));
    for (int64_t width = 64; width <= 256; width *= 2) {
        double limit = 0, bytes = 4.0 * (double)width * (double)b->edges.count;
        char detail[64];
        snprintf(detail, sizeof detail, "F=%lld", (long long)width);
        GA_TRY(bench_tensor(b, f32, 2, (int64_t[]){ b->edges.targets, width }, &job.x));
        GA_TRY(bench_tensor(b, f32, 2, (int64_t[]){ b->edges.targets, width }, &job.y));
        GA_TRY(bench_gather(b, width, &limit));
        GA_TRY(bench_time(b, "spmm", detail, multiply, &job, bytes, "GB/s", limit / 1e9));
        ga_tensor_destroy(b->s->context, job.x);
        ga_tensor_destroy(b->s->context, job.y);
        job = (spmm_job){ NULL, NULL };
    }
done:
    ga_tensor_destroy(b->s->context, job.x);
    ga_tensor_destroy(b->s->context, job.y);
    return status;
}

/* ---- graph attention: 4 heads of 16 ---- */

enum { HEADS = 4, WIDTH = 16, F = HEADS * WIDTH };

typedef enum tensor_role {
    Q,
    K,
    L,
    R,
    ATT,
    Y,
    LSE,
    GRAD,
    GRAD_Q,
    GRAD_K,
    GRAD_V,
    GRAD_L,
    GRAD_R,
    GRAD_ATT,
    ROLES
} tensor_role;

typedef struct graph_job {
    DLTensor *t[ROLES];
    ga_edge_attention problem;
} graph_job;

static ga_status graph_make(bench *b, graph_job *job)
{
    static const bool wide[ROLES] = {
        [Q] = true, [K] = true, [Y] = true, [GRAD] = true, [GRAD_Q] = true, [GRAD_K] = true, [GRAD_V] = true
    };
    ga_status status = GA_OK;
    int64_t n = b->edges.targets;
    for (int i = 0; i < ROLES; i++) {
        bool att = i == ATT || i == GRAD_ATT;
        int64_t shape[] = { att ? HEADS : n, att ? WIDTH : wide[i] ? F : HEADS };
        GA_TRY(bench_tensor(b, f32, 2, shape, &job->t[i]));
    }
    job->problem.edges = &b->edges;
    job->problem.heads = HEADS;
    job->problem.scale = 0.25;
    job->problem.slope = 0.2;
    job->problem.normaliser = (ga_normaliser)GA_NORMALISER_INIT;
    job->problem.q = job->t[Q];
    job->problem.k = job->problem.v = job->t[K];
done:
    return status;
}

static void graph_free(bench *b, graph_job *job)
{
    for (int i = 0; i < ROLES; i++) {
        ga_tensor_destroy(b->s->context, job->t[i]);
    }
}

static void set_score(graph_job *job, ga_edge_score score)
{
    job->problem.score = score;
    job->problem.l = score == GA_EDGE_ADDITIVE ? job->t[L] : NULL;
    job->problem.r = score == GA_EDGE_ADDITIVE ? job->t[R] : NULL;
    job->problem.att = score == GA_EDGE_GATV2 ? job->t[ATT] : NULL;
    job->problem.q = score == GA_EDGE_ADDITIVE ? NULL : job->t[Q];
    job->problem.k = score == GA_EDGE_ADDITIVE ? NULL : job->t[K];
}

static ga_status graph_forward(bench *b, void *user)
{
    graph_job *job = user;
    return ga_edge_attention_forward(b->s->context, &job->problem, job->t[Y], job->t[LSE], NULL, NULL);
}

static ga_status graph_backward(bench *b, void *user)
{
    graph_job *job = user;
    bool additive = job->problem.score == GA_EDGE_ADDITIVE;
    ga_edge_gradients g = { .grad_y = job->t[GRAD], .y = job->t[Y], .lse = job->t[LSE] };
    g.v = job->t[GRAD_V];
    g.k = additive ? NULL : job->t[GRAD_K];
    g.q = additive ? NULL : job->t[GRAD_Q];
    g.l = additive ? job->t[GRAD_L] : NULL;
    g.r = additive ? job->t[GRAD_R] : NULL;
    g.att = job->problem.score == GA_EDGE_GATV2 ? job->t[GRAD_ATT] : NULL;
    return ga_edge_attention_backward(b->s->context, &job->problem, &b->transposed, &g);
}

static ga_status time_graph(bench *b, const char *task, bool backward)
{
    static const struct {
        ga_edge_score score;
        const char *detail;
    } scores[] = { { GA_EDGE_ADDITIVE, "GAT H=4 D=16" },
                   { GA_EDGE_GATV2, "GATv2 H=4 D=16" },
                   { GA_EDGE_DOT, "dot product H=4 D=16" } };
    ga_status status = GA_OK;
    graph_job job = { .t = { NULL } };
    double limit = 0;
    GA_TRY(bench_edges(b));
    GA_TRY(graph_make(b, &job));
    GA_TRY(bench_gather(b, F, &limit));
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        set_score(&job, scores[i].score);
        if (backward) {
            GA_TRY(graph_forward(b, &job));
        }
        GA_TRY(bench_time(b, task, scores[i].detail, backward ? graph_backward : graph_forward, &job,
                          4.0 * F * (double)b->edges.count, "GB/s", limit / 1e9));
    }
done:
    graph_free(b, &job);
    return status;
}

ga_status bench_graph(bench *b)
{
    return time_graph(b, "graph", false);
}

ga_status bench_graph_backward(bench *b)
{
    return time_graph(b, "graph-backward", true);
}
