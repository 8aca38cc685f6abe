/* bench.h - what the tasks of graphattn bench share. */
#ifndef GA_CLI_BENCH_H
#define GA_CLI_BENCH_H

#include "cli/session.h"
#include "lib/engine/limits/limits.h"

typedef struct bench {
    session *s;
    ga__output *output;
    int lines;
    double fma, bf16; /* operations a second; 0: the machine has none */
    ga_graph *graph;
    ga_edges edges;
    ga_transposed transposed;
} bench;

/* Runs it --reps times and prints a line. work: floating-point operations, bytes or tokens of one run, in the unit; limit
 * in 1e9 of them a second, 0 = none. */
ga_status bench_time(bench *b, const char *task, const char *detail, ga_status (*run)(bench *, void *),
                     void *user, double work, const char *unit, double limit);
/* b->edges and b->transposed are there. */
ga_status bench_edges(bench *b);
/* Measures and prints how fast rows of that many floats can be gathered along b->edges. */
ga_status bench_gather(bench *b, int64_t width, double *bytes_per_second);
/* Numbers in (-1, 1); f32 or bf16. Returns owned. */
ga_status bench_tensor(bench *b, DLDataType dtype, int ndim, const int64_t *shape, DLTensor **out);

/* The tasks (bench_dense.c, bench_sparse.c). */
ga_status bench_attention(bench *b);
ga_status bench_attention_backward(bench *b);
ga_status bench_bf16(bench *b);
ga_status bench_scan(bench *b);
ga_status bench_gemm(bench *b);
ga_status bench_spmm(bench *b);
ga_status bench_graph(bench *b);
ga_status bench_graph_backward(bench *b);

/* A command's run of its own (bench_crossover.c, bench_growth.c, bench_select.c, bench_variants.c). */
ga_status bench_crossover(session *s);
ga_status bench_growth(session *s);
ga_status bench_select(session *s);
ga_status bench_variants(session *s);

#endif
