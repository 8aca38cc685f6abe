/* triangles.c - all triangles of the undirected view, each once, with the directions of its edges.
 *
 * Nodes are ranked by their number of neighbours; an edge is kept with its lower end, so that a node keeps at most
 * sqrt(2 m) of them, and a triangle is found from its lowest corner. Latapy, Main-memory triangle computations for very
 * large (sparse (power-law)) graphs, 2008.
 */
#include "config.h"

#include <string.h>

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { PIECE = 1 << 10, ROWS = 64, WALKS = 4 };

/* Edges upwards, by rank. */
typedef struct upward {
    const ga__study *study;
    ga__triangles *found;
    uint32_t *rank; /* of a node */
    uint32_t *node; /* of a rank */
    int64_t *offsets, longest;
    uint32_t *up;  /* ranks */
    uint8_t *bits; /* NULL when directions do not matter */
    uint64_t
        walks_of[64]; /* by the bits of edges from a corner, and of that between the others: WALKS bytes */
    struct scratch *scratch;
} upward;

/* Of one worker. */
typedef struct scratch {
    uint32_t *place;     /* by rank: 1 + place among the upward edges of the lowest corner, 0 = none */
    int64_t *at, *walks; /* by place: what is found at that corner */
    int64_t kinds[64];
} scratch;

/* ---- ranks ---- */

static ga_status rank_nodes(upward *u)
{
    ga_status status = GA_OK;
    const ga__study *study = u->study;
    int64_t *first = NULL;
    uint32_t most = 0;
    for (int64_t v = 0; v < study->nodes; v++) {
        most = study->near_degree[v] > most ? study->near_degree[v] : most;
    }
    GA_TRY(GA_NEW(study->context, study->nodes, &u->rank));
    GA_TRY(GA_NEW(study->context, study->nodes, &u->node));
    GA_TRY(GA_NEW_ZERO(study->context, (int64_t)most + 2, &first));
    for (int64_t v = 0; v < study->nodes; v++) {
        first[study->near_degree[v] + 1]++;
    }
    for (int64_t d = 0; d <= (int64_t)most; d++) {
        first[d + 1] += first[d];
    }
    for (int64_t v = 0; v < study->nodes; v++) {
        u->rank[v] = (uint32_t)first[study->near_degree[v]]++;
        u->node[u->rank[v]] = (uint32_t)v;
    }
done:
    ga_free(study->context, first);
    return status;
}

static void count_up(void *user, int worker, int64_t from, int64_t to)
{
    const upward *u = user;
    (void)worker;
    for (int64_t r = from; r < to; r++) {
        ga__near_walk walk = ga__near_begin(u->study, u->node[r]);
        uint32_t node;
        unsigned bits;
        int64_t count = 0;
        while (ga__near_next(&walk, &node, &bits)) {
            count += u->rank[node] > r;
        }
        u->offsets[r + 1] = count;
    }
}

static void list_up(void *user, int worker, int64_t from, int64_t to)
{
    const upward *u = user;
    (void)worker;
    for (int64_t r = from; r < to; r++) {
        ga__near_walk walk = ga__near_begin(u->study, u->node[r]);
        uint32_t node;
        unsigned bits;
        int64_t at = u->offsets[r];
        while (ga__near_next(&walk, &node, &bits)) {
            if (u->rank[node] > r) {
                if (u->bits) {
                    u->bits[at] = (uint8_t)bits;
                }
                u->up[at++] = u->rank[node];
            }
        }
    }
}

static ga_status make_upward(upward *u)
{
    ga_status status = GA_OK;
    const ga__study *study = u->study;
    GA_TRY(rank_nodes(u));
    GA_TRY(GA_NEW(study->context, study->nodes + 1, &u->offsets));
    GA_TRY(ga__pieces(study->context, study->nodes, PIECE, count_up, u));
    for (int64_t r = 0; r < study->nodes; r++) {
        u->longest = ga__max(u->longest, u->offsets[r + 1]);
    }
    GA_TRY(ga__prefix_sum(study->context, u->offsets, study->nodes));
    GA_TRY(GA_NEW(study->context, u->offsets[study->nodes], &u->up));
    if (study->wants_walks) {
        GA_TRY(GA_NEW(study->context, u->offsets[study->nodes], &u->bits));
    }
    status = ga__pieces(study->context, study->nodes, PIECE, list_up, u);
done:
    return status;
}

/* ---- triangles ---- */

/* Walks at a corner: a, b: bits of the edges to the others, c: of the edge from the first to the second. */
static uint64_t walks_at(unsigned a, unsigned b, unsigned c)
{
    unsigned vu = a & 1, uv = a >> 1, vw = b & 1, wv = b >> 1, uw = c & 1, wu = c >> 1;
    uint64_t cycle = vu * uw * wv + vw * wu * uv, middle = vu * wu * wv + vw * uw * uv;
    uint64_t in = uv * wv * (uw + wu), out = vu * vw * (uw + wu);
    return cycle | middle << 8 | in << 16 | out << 24;
}

static void add_walks(int64_t *to, uint64_t walks)
{
    for (int i = 0; i < WALKS; i++) {
        to[i] += (int64_t)(walks >> 8 * i & 0xff);
    }
}

/* Adds what was found at a corner to the sums, which other threads add to as well. */
static void settle(const upward *u, int64_t rank, int64_t at, const int64_t *walks)
{
    uint32_t v = u->node[rank];
    (void)__atomic_fetch_add(&u->found->at[v], at, __ATOMIC_RELAXED);
    for (int i = 0; walks && i < WALKS; i++) {
        (void)__atomic_fetch_add(&u->found->walks[i * u->study->nodes + v], walks[i], __ATOMIC_RELAXED);
    }
}

static int64_t plain_triangles(const upward *u, scratch *s, int64_t r)
{
    int64_t all = 0;
    for (int64_t i = u->offsets[r]; i < u->offsets[r + 1]; i++) {
        int64_t second = u->up[i], mine = 0;
        for (int64_t j = u->offsets[second]; j < u->offsets[second + 1]; j++) {
            uint32_t place = s->place[u->up[j]];
            s->at[place] += place > 0; /* [0] stays 0 */
            mine += place > 0;
        }
        s->at[1 + i - u->offsets[r]] += mine;
        all += mine;
    }
    return all;
}

/* walks: of the lowest corner. */
static int64_t directed_triangles(const upward *u, scratch *s, int64_t r, int64_t *walks)
{
    int64_t all = 0, first = u->offsets[r];
    for (int64_t i = first; i < u->offsets[r + 1]; i++) {
        int64_t second = u->up[i];
        unsigned a = u->bits[i];
        for (int64_t j = u->offsets[second]; j < u->offsets[second + 1]; j++) {
            uint32_t place = s->place[u->up[j]];
            if (place == 0) {
                continue;
            }
            unsigned b = u->bits[first + place - 1], c = u->bits[j];
            s->kinds[a | b << 2 | c << 4]++;
            s->at[place]++;
            s->at[1 + i - first]++;
            add_walks(walks, u->walks_of[a | b << 2 | c << 4]);
            add_walks(s->walks + (1 + i - first) * WALKS, u->walks_of[ga__turned(a) | c << 2 | b << 4]);
            add_walks(s->walks + place * WALKS, u->walks_of[ga__turned(b) | ga__turned(c) << 2 | a << 4]);
            all++;
        }
    }
    return all;
}

static void triangle_rows(void *user, int worker, int64_t from, int64_t to)
{
    const upward *u = user;
    scratch *s = &u->scratch[worker];
    for (int64_t r = from; r < to; r++) {
        int64_t first = u->offsets[r], degree = u->offsets[r + 1] - first, walks[WALKS] = { 0 };
        if (degree < 2) {
            continue;
        }
        for (int64_t i = 0; i < degree; i++) {
            s->place[u->up[first + i]] = (uint32_t)i + 1;
        }
        int64_t all = u->bits ? directed_triangles(u, s, r, walks) : plain_triangles(u, s, r);
        for (int64_t i = 0; i < degree; i++) {
            s->place[u->up[first + i]] = 0;
            if (s->at[i + 1] > 0) {
                settle(u, u->up[first + i], s->at[i + 1], u->bits ? s->walks + (i + 1) * WALKS : NULL);
                s->at[i + 1] = 0;
                if (u->bits) {
                    memset(s->walks + (i + 1) * WALKS, 0, WALKS * sizeof *s->walks);
                }
            }
        }
        if (all > 0) {
            settle(u, r, all, u->bits ? walks : NULL);
        }
    }
}

static ga_status find_triangles(upward *u)
{
    ga_status status = GA_OK;
    ga_context *context = u->study->context;
    int threads = ga__piece_threads(context, u->study->nodes, ROWS);
    GA_TRY(GA_NEW_ZERO(context, threads, &u->scratch));
    for (int i = 0; i < threads; i++) {
        scratch *s = &u->scratch[i];
        GA_TRY(GA_NEW_ZERO(context, u->study->nodes, &s->place));
        GA_TRY(GA_NEW_ZERO(context, u->longest + 1, &s->at));
        if (u->bits) {
            GA_TRY(GA_NEW_ZERO(context, (u->longest + 1) * WALKS, &s->walks));
        }
    }
    GA_TRY(ga__pieces(context, u->study->nodes, ROWS, triangle_rows, u));
    for (int i = 0; i < threads; i++) {
        for (int kind = 0; kind < 64; kind++) {
            u->found->kinds[kind] += u->scratch[i].kinds[kind];
        }
    }
done:
    for (int i = 0; i < threads && u->scratch; i++) {
        ga_free(context, u->scratch[i].place);
        ga_free(context, u->scratch[i].at);
        ga_free(context, u->scratch[i].walks);
    }
    ga_free(context, u->scratch);
    return status;
}

ga_status ga__study_triangles(ga__study *study)
{
    ga_status status = GA_OK;
    ga__triangles *t = &study->triangles;
    upward u = { .study = study, .found = t };
    if (t->counted) {
        return GA_OK;
    }
    for (unsigned i = 0; i < 64; i++) {
        u.walks_of[i] = walks_at(i & 3, i >> 2 & 3, i >> 4);
    }
    GA_TRY(ga__study_near(study));
    GA_TRY(GA_NEW_ZERO(study->context, study->nodes, &t->at));
    if (study->wants_walks) {
        GA_TRY(GA_NEW_ZERO(study->context, WALKS * study->nodes, &t->walks));
    }
    GA_TRY(make_upward(&u));
    GA_TRY(find_triangles(&u));
    t->counted = true;
    t->directed = study->wants_walks;
done:
    ga_free(study->context, u.rank);
    ga_free(study->context, u.node);
    ga_free(study->context, u.offsets);
    ga_free(study->context, u.up);
    ga_free(study->context, u.bits);
    return status;
}
