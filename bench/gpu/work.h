/* work.h - a workload of shapes.json: its tensors, one call of it, the same in double precision. */
#ifndef GA_BENCH_GPU_WORK_H
#define GA_BENCH_GPU_WORK_H

#include <graphattn.h>

typedef struct work {
    const char *name, *op; /* spmm, sddmm, gat, gatv2, dot, jdm, scan, attention, attention-backward */
    bool bf16, sigmoid, causal;
    int64_t nodes, edges; /* of graphs */
    int64_t batch, heads, tokens, width, window;
    uint64_t seed;
} work;

/* Tensors, pattern or edges of a workload where its context works. */
typedef struct prepared prepared;

ga_status work_prepare(ga_context *context, const work *w, prepared **out);
void work_destroy(ga_context *context, prepared *p);
/* One call; does not wait. */
ga_status work_run(ga_context *context, prepared *p);
/* The work on the device and, with the same inputs in f64, on the CPU. error: the largest difference, relative to the
 * largest value; NaN when the device left an output unwritten. */
ga_status work_compare(ga_context *device, ga_context *cpu, const work *w, double *error);

/* What must be moved and computed at least (spec: attention forward 4 B H Nq Nk D, halved when causal). */
int64_t work_bytes(const work *w);
int64_t work_flop(const work *w);

#endif
