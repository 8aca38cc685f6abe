/* triangles.c - directed triangles are turned round: with one class for all, what exchanges of two cannot do. */
#include "config.h"

#include <string.h>

#include "sampling/rewire/rewiring.h"

enum { CHECK_EVERY = 1 << 12 };

/* Slots are in the order of the graph's rows, and rows in that of targets: the place of target v in row u, or where
 * it belongs. */
static int64_t place_in_row(const ga__rewiring *r, const ga_csr *out, uint32_t u, uint32_t v)
{
    int64_t low = out->offsets[u], high = out->offsets[u + (int64_t)1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (r->slot[middle].target < v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has(const ga__rewiring *r, const ga_csr *out, uint32_t u, uint32_t v)
{
    int64_t at = place_in_row(r, out, u, v);
    return at < out->offsets[u + (int64_t)1] && r->slot[at].target == v;
}

/* Row u gets v for old. */
static void replace(ga__rewiring *r, const ga_csr *out, uint32_t u, uint32_t old, uint32_t v)
{
    int64_t from = place_in_row(r, out, u, old), to = place_in_row(r, out, u, v);
    if (from < to) {
        to--;
        memmove(&r->slot[from], &r->slot[from + 1], (size_t)(to - from) * sizeof *r->slot);
    } else {
        memmove(&r->slot[to + 1], &r->slot[to], (size_t)(from - to) * sizeof *r->slot);
    }
    r->slot[to] = (ga__pair){ u, v };
}

/* A random edge (a, b), a random edge (b, c), and (c, a) if there is one: proposed as often as the triangle turned
 * round. */
static bool propose(ga__rewiring *r, const ga_csr *out, ga__random *random)
{
    int64_t e = (int64_t)ga__random_below(random, (uint64_t)r->edges);
    uint32_t a = r->slot[e].source, b = r->slot[e].target;
    int64_t degree = out->offsets[b + (int64_t)1] - out->offsets[b];
    if (degree == 0) {
        return false;
    }
    uint32_t c = r->slot[out->offsets[b] + (int64_t)ga__random_below(random, (uint64_t)degree)].target;
    if (c == a || !has(r, out, c, a) || has(r, out, a, c) || has(r, out, b, a) || has(r, out, c, b)) {
        return false;
    }
    replace(r, out, a, b, c);
    replace(r, out, b, c, a);
    replace(r, out, c, a, b);
    return true;
}

ga_status ga__triangles(ga__rewiring *r, int64_t count, uint64_t pass)
{
    ga_status status = GA_OK;
    ga_csr out = ga_graph_out(r->graph);
    ga__random random = ga__random_at(r->seed, GA__RANDOM_TRIPLES, pass);
    if (count <= 0 || r->edges < 3) {
        return status;
    }
    GA_TRY(ga__deal_rows(r));
    for (int64_t i = 0; i < count; i++) {
        r->report.accepted += propose(r, &out, &random);
        if (i % CHECK_EVERY == 0) {
            GA_TRY(ga__check(r->context));
        }
    }
done:
    return status;
}
