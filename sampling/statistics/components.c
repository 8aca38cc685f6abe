/* components.c - weakly connected components: a forest of nodes that several threads join at once. */
#include "config.h"

#include <stdlib.h>

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { PIECE = 1 << 12 };

/* A node's parent has no higher number; a root is its own. Which nodes are in one tree does not depend on the order. */
typedef struct forest {
    const ga__study *study;
    uint32_t *parent;
} forest;

static uint32_t parent_of(const forest *f, uint32_t v)
{
    return __atomic_load_n(&f->parent[v], __ATOMIC_RELAXED);
}

/* Shortens the way for those who come later. */
static uint32_t root_of(const forest *f, uint32_t v)
{
    for (uint32_t up = parent_of(f, v); up != v; up = parent_of(f, v)) {
        uint32_t next = parent_of(f, up);
        if (next != up) {
            __atomic_store_n(&f->parent[v], next, __ATOMIC_RELAXED);
        }
        v = up;
    }
    return v;
}

static void join(const forest *f, uint32_t u, uint32_t v)
{
    for (;;) {
        u = root_of(f, u);
        v = root_of(f, v);
        if (u == v) {
            return;
        }
        uint32_t high = u > v ? u : v, low = u > v ? v : u, was = high;
        if (__atomic_compare_exchange_n(&f->parent[high], &was, low, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            return;
        }
    }
}

static void plant(void *user, int worker, int64_t from, int64_t to)
{
    const forest *f = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        f->parent[v] = (uint32_t)v;
    }
}

static void join_piece(void *user, int worker, int64_t from, int64_t to)
{
    const forest *f = user;
    ga_csr out = f->study->out;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        uint32_t root = root_of(f, (uint32_t)v);
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            if (parent_of(f, out.targets[e]) != root) { /* mostly they are joined already */
                join(f, root, out.targets[e]);
                root = root_of(f, root);
            }
        }
    }
}

static int larger_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

ga_status ga__measure_wcc(ga__study *study)
{
    ga_status status = GA_OK;
    forest f = { study, NULL };
    int64_t count = 0, *sizes = NULL;
    uint32_t *size = NULL;
    GA_TRY(GA_NEW(study->context, study->nodes, &f.parent));
    GA_TRY(ga__pieces(study->context, study->nodes, PIECE, plant, &f));
    GA_TRY(ga__pieces(study->context, study->nodes, PIECE, join_piece, &f));
    GA_TRY(GA_NEW_ZERO(study->context, study->nodes, &size));
    for (int64_t v = 0; v < study->nodes; v++) {
        count += size[root_of(&f, (uint32_t)v)]++ == 0;
    }
    GA_TRY(ga__study_integers(study, "wcc_sizes", count, &sizes));
    for (int64_t v = 0, at = 0; v < study->nodes; v++) {
        if (size[v] > 0) {
            sizes[at++] = size[v];
        }
    }
    qsort(sizes, (size_t)count, sizeof *sizes, larger_first);
    GA_TRY(ga__study_integer(study, "wcc.count", count));
    status = ga__study_integer(study, "wcc.largest", count ? sizes[0] : 0);
done:
    ga_free(study->context, f.parent);
    ga_free(study->context, size);
    return status;
}

ga_status ga__measure_scc(ga__study *study)
{
    ga_status status = GA_OK;
    int64_t *sizes = NULL;
    GA_TRY(ga__study_strong(study));
    int64_t count = study->strong.count;
    GA_TRY(ga__study_integers(study, "scc_sizes", count, &sizes));
    for (int64_t i = 0; i < count; i++) {
        sizes[i] = study->strong.sizes[i];
    }
    qsort(sizes, (size_t)count, sizeof *sizes, larger_first);
    GA_TRY(ga__study_integer(study, "scc.count", count));
    status = ga__study_integer(study, "scc.largest", count ? sizes[0] : 0);
done:
    return status;
}

/* ---- bow tie ---- */

/* Nodes outside a component that can be reached from it along the rows of a matrix. seen, queue: (nodes). */
static int64_t reach(const ga__study *study, ga_csr along, uint32_t component, uint8_t *seen, uint32_t *queue)
{
    int64_t head = 0, tail = 0, inside;
    for (int64_t v = 0; v < study->nodes; v++) {
        seen[v] = study->strong.of[v] == component;
        if (seen[v]) {
            queue[tail++] = (uint32_t)v;
        }
    }
    for (inside = tail; head < tail; head++) {
        for (int64_t e = along.offsets[queue[head]]; e < along.offsets[queue[head] + 1]; e++) {
            uint32_t w = along.targets[e];
            if (!seen[w]) {
                seen[w] = 1;
                queue[tail++] = w;
            }
        }
    }
    return tail - inside;
}

/* Of components of the same size the one with the lowest node. */
static uint32_t largest_component(const ga__study *study)
{
    uint32_t best = study->nodes ? study->strong.of[0] : 0;
    for (int64_t v = 0; v < study->nodes; v++) {
        if (study->strong.sizes[study->strong.of[v]] > study->strong.sizes[best]) {
            best = study->strong.of[v];
        }
    }
    return best;
}

/* Broder et al., Graph structure in the Web, 2000. */
ga_status ga__measure_bowtie(ga__study *study)
{
    ga_status status = GA_OK;
    uint8_t *seen = NULL;
    uint32_t *queue = NULL;
    GA_TRY(ga__study_strong(study));
    GA_TRY(ga__study_in(study));
    GA_TRY(GA_NEW(study->context, study->nodes, &seen));
    GA_TRY(GA_NEW(study->context, study->nodes, &queue));
    uint32_t core = largest_component(study);
    int64_t size = study->nodes ? study->strong.sizes[core] : 0;
    int64_t in = reach(study, study->in, core, seen, queue),
            out = reach(study, study->out, core, seen, queue);
    GA_TRY(ga__study_integer(study, "bowtie.scc", size));
    GA_TRY(ga__study_integer(study, "bowtie.in", in));
    GA_TRY(ga__study_integer(study, "bowtie.out", out));
    status = ga__study_integer(study, "bowtie.other", study->nodes - size - in - out);
done:
    ga_free(study->context, seen);
    ga_free(study->context, queue);
    return status;
}
