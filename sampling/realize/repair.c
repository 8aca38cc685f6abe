/* repair.c - other edges in place of loops.
 *
 * A loop at u, of out-class k and in-class l, goes; an edge v -> w that is not there yet comes, v of out-class k, w of
 * in-class l; then u takes over one target of v, and one source of w, which makes up for what it lost. Degrees and
 * cells stay. There is always such an edge, since the cell has room for all its edges without loops, and always such a
 * target and source: v has one target more than u then, and w one source more.
 */
#include "config.h"

#include <string.h>

#include "sampling/realize/building.h"

enum { PROBES = 64 };

typedef struct repair {
    ga__building *b;
    ga__random random;
    /* Sources of every node, made when first needed and kept up to date: rows in no order. */
    int64_t *in_offsets;
    uint32_t *in_sources;
    int64_t looped_left;
} repair;

/* ---- edges ---- */

/* First position in u's row whose target is not below v. */
static int64_t find(const repair *r, uint32_t u, uint32_t v)
{
    int64_t low = r->b->offsets[u], high = r->b->offsets[u + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (r->b->targets[middle] < v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_edge(const repair *r, uint32_t u, uint32_t v)
{
    int64_t at = find(r, u, v);
    return at < r->b->offsets[u + 1] && r->b->targets[at] == v;
}

/* u -> old becomes u -> new; the row stays sorted. */
static void retarget(repair *r, uint32_t u, uint32_t old, uint32_t new)
{
    uint32_t *t = r->b->targets;
    int64_t from = find(r, u, old), to = find(r, u, new);
    if (to > from) {
        to--;
        memmove(t + from, t + from + 1, (size_t)(to - from) * sizeof *t);
    } else {
        memmove(t + to + 1, t + to, (size_t)(from - to) * sizeof *t);
    }
    t[to] = new;
}

/* Among v's sources, `new` takes the place of `old`. */
static void resource(repair *r, uint32_t v, uint32_t old, uint32_t new)
{
    if (r->in_offsets) {
        int64_t i = r->in_offsets[v];
        while (r->in_sources[i] != old) {
            i++;
        }
        r->in_sources[i] = new;
    }
}

static ga_status need_sources(repair *r)
{
    ga_status status = GA_OK;
    ga__building *b = r->b;
    int64_t *offsets = NULL;
    uint32_t *sources = NULL;
    if (r->in_offsets) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(b->context, b->nodes + 1, &offsets));
    GA_TRY(GA_NEW(b->context, b->edges, &sources));
    int64_t sum = 0;
    for (int64_t v = 0; v < b->nodes; v++) {
        offsets[v] = sum;
        sum += b->m->in.degree[b->in_class[v]];
    }
    for (int64_t u = 0; u < b->nodes; u++) {
        for (int64_t e = b->offsets[u]; e < b->offsets[u + 1]; e++) {
            sources[offsets[b->targets[e]]++] = (uint32_t)u;
        }
    }
    memmove(offsets + 1, offsets, (size_t)b->nodes * sizeof *offsets);
    offsets[0] = 0;
    r->in_offsets = offsets;
    r->in_sources = sources;
    offsets = NULL;
    sources = NULL;
done:
    ga_free(b->context, offsets);
    ga_free(b->context, sources);
    return status;
}

/* ---- which edge comes ---- */

typedef struct class_nodes {
    const uint32_t *node;
    int64_t count;
} class_nodes;

static class_nodes same_class(const ga__order *order, int32_t class_)
{
    return (class_nodes){ order->node + order->first[class_],
                          order->first[class_ + 1] - order->first[class_] };
}

static uint32_t any(repair *r, const class_nodes *c)
{
    return c->node[ga__random_below(&r->random, (uint64_t)c->count)];
}

/* An edge v -> u that is not there: then no source of another node must change. */
static bool choose_source(repair *r, const class_nodes *sources, uint32_t u, uint32_t *v)
{
    for (int64_t i = -PROBES; i < sources->count; i++) {
        *v = i < 0 ? any(r, sources) : sources->node[i];
        if (*v != u && !is_edge(r, *v, u)) {
            return true;
        }
    }
    return false;
}

static bool choose_target(repair *r, const class_nodes *targets, uint32_t u, uint32_t *w)
{
    for (int64_t i = -PROBES; i < targets->count; i++) {
        *w = i < 0 ? any(r, targets) : targets->node[i];
        if (*w != u && !is_edge(r, u, *w)) {
            return true;
        }
    }
    return false;
}

static ga_status choose_both(repair *r, const class_nodes *sources, const class_nodes *targets, uint32_t *v,
                             uint32_t *w)
{
    for (int i = 0; i < PROBES; i++) {
        *v = any(r, sources);
        *w = any(r, targets);
        if (*v != *w && !is_edge(r, *v, *w)) {
            return GA_OK;
        }
    }
    for (int64_t i = 0; i < sources->count; i++) {
        ga_status status = ga__check(r->b->context);
        if (status != GA_OK) {
            return status;
        }
        for (int64_t j = 0; j < targets->count; j++) {
            *v = sources->node[i];
            *w = targets->node[j];
            if (*v != *w && !is_edge(r, *v, *w)) {
                return GA_OK;
            }
        }
    }
    return ga__fail(r->b->context, GA_INTERNAL, "no room to repair a loop");
}

static ga_status choose(repair *r, uint32_t u, uint32_t *v, uint32_t *w)
{
    class_nodes sources = same_class(&r->b->out, r->b->out_class[u]);
    class_nodes targets = same_class(&r->b->in, r->b->in_class[u]);
    *v = *w = u;
    if (choose_source(r, &sources, u, v)) {
        return GA_OK;
    }
    *v = u;
    if (choose_target(r, &targets, u, w)) {
        return GA_OK;
    }
    return choose_both(r, &sources, &targets, v, w);
}

/* ---- which source w gives to u ---- */

/* A source of w, not u and not one of u's, among those that the closed form gave w; most still have their edge. Spares
 * making the lists of sources. */
static bool dealt_source(const repair *r, uint32_t u, uint32_t w, uint32_t *x)
{
    const ga__building *b = r->b;
    const ga__cells *jdm = &b->m->jdm;
    int32_t l = b->in_class[w];
    const uint32_t *node = b->in.node + b->in.first[l];
    int64_t targets = b->in.first[l + 1] - b->in.first[l], place = 0;
    while (node[place] != w) {
        place++;
    }
    for (int64_t c = 0; c < jdm->count; c++) {
        if (jdm->column[c] != l) {
            continue;
        }
        int32_t k = jdm->row[c];
        int64_t sources = b->out.first[k + 1] - b->out.first[k], each = jdm->entry[c] / sources;
        int64_t longer = jdm->entry[c] % sources, turn = (b->cell_first[c] - b->row_first[k]) % sources;
        int64_t slot = (place - b->cell_pointer[c] + targets) % targets;
        for (; slot < jdm->entry[c]; slot += targets) {
            int64_t split = longer * (each + 1);
            int64_t source = slot < split ? slot / (each + 1) : longer + (slot - split) / each;
            *x = b->out.node[b->out.first[k] + (turn + source) % sources];
            if (*x != u && is_edge(r, *x, w) && !is_edge(r, *x, u)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- replacing a loop ---- */

/* The loop u -> u gives way to v -> w on the side of the sources; *v becomes u when u itself can have that edge. */
static bool replace_out(repair *r, uint32_t u, uint32_t *v, uint32_t w)
{
    const ga__building *b = r->b;
    for (int64_t e = b->offsets[*v]; *v != u && e < b->offsets[*v + 1]; e++) {
        uint32_t y = b->targets[e];
        if (y != u && !is_edge(r, u, y)) {
            retarget(r, u, u, y);
            retarget(r, *v, y, w);
            resource(r, y, *v, u);
            return true;
        }
    }
    if (w == u || is_edge(r, u, w)) {
        return false;
    }
    retarget(r, u, u, w);
    *v = u;
    return true;
}

/* v -> w is there now, one too many for w and one too few for u. */
static bool replace_in(repair *r, uint32_t u, uint32_t v, uint32_t w)
{
    if (w == u) {
        resource(r, u, u, v);
        return true;
    }
    for (int64_t i = r->in_offsets[w]; i < r->in_offsets[w + 1]; i++) {
        uint32_t x = r->in_sources[i];
        if (x != u && !is_edge(r, x, u)) {
            retarget(r, x, w, u);
            r->in_sources[i] = v;
            resource(r, u, u, x);
            return true;
        }
    }
    if (v == u || is_edge(r, v, u)) {
        return false;
    }
    retarget(r, v, w, u);
    resource(r, u, u, v);
    return true;
}

static ga_status replace_loop(repair *r, uint32_t u)
{
    ga_status status = GA_OK;
    uint32_t v, w, x;
    GA_TRY(choose(r, u, &v, &w));
    if (w != u && !r->in_offsets && dealt_source(r, u, w, &x)) {
        if (replace_out(r, u, &v, w)) { /* does not touch x -> w */
            retarget(r, x, w, u);
            goto done;
        }
        GA_TRY(ga__fail(r->b->context, GA_INTERNAL, "a loop could not be repaired"));
    }
    if (w != u) {
        GA_TRY(need_sources(r));
    }
    if (!replace_out(r, u, &v, w) || !replace_in(r, u, v, w)) {
        GA_TRY(ga__fail(r->b->context, GA_INTERNAL, "a loop could not be repaired"));
    }
done:
    return status;
}

/* ---- with repeated edges ---- */

/* u -> u and x -> y become u -> y and x -> u. */
static void exchange(repair *r, uint32_t u, uint32_t x, uint32_t y)
{
    retarget(r, u, u, y);
    retarget(r, x, y, u);
    resource(r, u, u, x);
    resource(r, y, x, u);
}

/* Exchanges a loop with an edge of the same out-class or in-class; the loop stays where all of these touch u. */
static ga_status exchange_loop(repair *r, uint32_t u)
{
    ga_status status = GA_OK;
    const ga__building *b = r->b;
    class_nodes sources = same_class(&b->out, b->out_class[u]), targets = same_class(&b->in, b->in_class[u]);
    for (int64_t i = -PROBES; i < sources.count; i++) {
        uint32_t x = i < 0 ? any(r, &sources) : sources.node[i];
        for (int64_t e = b->offsets[x]; x != u && e < b->offsets[x + 1]; e++) {
            if (b->targets[e] != u) {
                exchange(r, u, x, b->targets[e]);
                return GA_OK;
            }
        }
    }
    GA_TRY(need_sources(r));
    for (int64_t i = 0; i < targets.count; i++) {
        uint32_t y = targets.node[i];
        for (int64_t e = r->in_offsets[y]; y != u && e < r->in_offsets[y + 1]; e++) {
            if (r->in_sources[e] != u) {
                exchange(r, u, r->in_sources[e], y);
                return GA_OK;
            }
        }
    }
    r->looped_left++;
done:
    return status;
}

ga_status ga__repair_loops(ga__building *b)
{
    ga_status status = GA_OK;
    repair r = { .b = b };
    bool multi = b->multi == GA_MULTI_KEEP;
    for (int64_t i = 0; i < b->looped_count; i++) {
        uint32_t u = b->looped[i];
        int64_t left = r.looped_left;
        r.random = ga__random_at(ga_context_seed(b->context), GA__RANDOM_LOOPS, u);
        while (is_edge(&r, u, u) && left == r.looped_left) { /* an earlier repair may have removed it */
            GA_TRY(ga__check(b->context));
            GA_TRY(multi ? exchange_loop(&r, u) : replace_loop(&r, u));
        }
    }
    if (r.looped_left) {
        ga__tell(b->context, GA_WARNING, "loops stay at %lld nodes: no graph without them has these matrices",
                 (long long)r.looped_left);
    }
done:
    ga_free(b->context, r.in_offsets);
    ga_free(b->context, r.in_sources);
    return status;
}
