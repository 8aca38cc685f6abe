/* check_sampling.h - what the tests of matrices, construction and sampling share: counting by definition. */
#ifndef CHECK_SAMPLING_H
#define CHECK_SAMPLING_H

#include "check_graph.h"
#include "sampling/matrices.h"

/* Small numbers for test data; not the library's own. */
static uint64_t luck = 88172645463325252u;
static inline uint64_t lucky(uint64_t bound)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return luck % bound;
}

static inline ga_graph *graph_of(ga_context *context, int64_t nodes, int64_t edges, const uint32_t *sources,
                                 const uint32_t *targets, ga_loops loops, ga_multi multi)
{
    ga_graph *graph = NULL;
    ck_assert_int_eq(ga_graph_from_edges(context, nodes, edges, sources, targets, NULL, loops, multi, &graph),
                     GA_OK);
    return graph;
}

/* Draws `edges` pairs, nodes of low number more often. */
static inline ga_graph *skewed_graph(ga_context *context, int64_t nodes, int64_t edges, ga_loops loops,
                                     ga_multi multi)
{
    uint32_t *s = malloc((size_t)(edges + 1) * 4), *t = malloc((size_t)(edges + 1) * 4);
    for (int64_t i = 0; i < edges; i++) {
        s[i] = (uint32_t)lucky(lucky((uint64_t)nodes) + 1);
        t[i] = (uint32_t)lucky(lucky((uint64_t)nodes) + 1);
    }
    ga_graph *graph = graph_of(context, nodes, edges, s, t, loops, multi);
    free(s);
    free(t);
    return graph;
}

static inline int64_t out_degree(const ga_graph *g, int64_t v)
{
    return g->out_offsets[v + 1] - g->out_offsets[v];
}

/* In-degrees of all nodes, to be freed. */
static inline int64_t *in_degrees(const ga_graph *g)
{
    int64_t *in = calloc((size_t)g->nodes + 1, sizeof *in);
    for (int64_t e = 0; e < g->edges; e++) {
        in[g->out_targets[e]]++;
    }
    return in;
}

static inline bool is_simple(const ga_graph *g)
{
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            if (g->out_targets[e] == v ||
                (e > g->out_offsets[v] && g->out_targets[e] <= g->out_targets[e - 1])) {
                return false;
            }
        }
    }
    return true;
}

static inline bool has_loop(const ga_graph *g)
{
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            if (g->out_targets[e] == v) {
                return true;
            }
        }
    }
    return false;
}

/* Five numbers as a key: a cell of either matrix, and how often it was met. */
typedef struct cell {
    int64_t key[4], count;
} cell;

static inline int compare_cells_of_test(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    for (int i = 0; i < 4; i++) {
        if (x->key[i] != y->key[i]) {
            return x->key[i] < y->key[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Sorts cells of count 1 and joins equal ones; returns how many are left. */
static inline int64_t join_cells(cell *cells, int64_t count)
{
    int64_t joined = 0;
    qsort(cells, (size_t)count, sizeof *cells, compare_cells_of_test);
    for (int64_t i = 0; i < count; i++) {
        if (joined > 0 && compare_cells_of_test(&cells[joined - 1], &cells[i]) == 0) {
            cells[joined - 1].count += cells[i].count;
        } else {
            cells[joined++] = cells[i];
        }
    }
    return joined;
}

static inline void view_equals(const ga_matrix_view *view, const cell *cells, int64_t count)
{
    int64_t total = 0, wrong = -1; /* an assertion for each cell would take most of the time */
    ck_assert_int_eq(view->cells, count);
    for (int64_t c = 0; c < count; c++) {
        int32_t r = view->row[c], l = view->column[c];
        bool right = view->row_degree[r] == cells[c].key[0] &&
                     (view->row_label ? view->row_label[r] : 0) == cells[c].key[1] &&
                     view->column_degree[l] == cells[c].key[2] &&
                     (view->column_label ? view->column_label[l] : 0) == cells[c].key[3] &&
                     view->count[c] == cells[c].count;
        wrong = right || wrong >= 0 ? wrong : c;
        total += cells[c].count;
    }
    ck_assert_int_eq(wrong, -1);
    ck_assert_int_eq(view->total, total);
}

/* The matrices are those of the graph, by definition. */
static inline void matrices_of_graph(const ga_matrices *m, const ga_graph *g, const int64_t *labels)
{
    int64_t *in = in_degrees(g), edges = 0;
    cell *jdm = calloc((size_t)g->edges + 1, sizeof *jdm), *dcm = calloc((size_t)g->nodes + 1, sizeof *dcm);
    for (int64_t v = 0; v < g->nodes; v++) {
        int64_t label = labels ? labels[v] : 0;
        dcm[v] = (cell){ { in[v], label, out_degree(g, v), label }, 1 };
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            uint32_t w = g->out_targets[e];
            jdm[edges++] = (cell){ { out_degree(g, v), label, in[w], labels ? labels[w] : 0 }, 1 };
        }
    }
    ga_matrix_view j = ga_matrices_jdm(m), d = ga_matrices_dcm(m);
    ck_assert_int_eq(!j.row_label, !labels);
    view_equals(&j, jdm, join_cells(jdm, edges));
    view_equals(&d, dcm, join_cells(dcm, g->nodes));
    free(in);
    free(jdm);
    free(dcm);
}

static inline void same_cells(const ga__cells *a, const ga__cells *b)
{
    ck_assert_int_eq(a->count, b->count);
    ck_assert_int_eq(a->total, b->total);
    ck_assert_int_eq(memcmp(a->row, b->row, (size_t)a->count * sizeof *a->row), 0);
    ck_assert_int_eq(memcmp(a->column, b->column, (size_t)a->count * sizeof *a->column), 0);
    ck_assert_int_eq(memcmp(a->entry, b->entry, (size_t)a->count * sizeof *a->entry), 0);
}

static inline void same_classes(const ga__classes *a, const ga__classes *b)
{
    ck_assert_int_eq(a->count, b->count);
    ck_assert_int_eq(memcmp(a->degree, b->degree, (size_t)a->count * sizeof *a->degree), 0);
    ck_assert_int_eq(!a->label, !b->label);
    ck_assert(!a->label || memcmp(a->label, b->label, (size_t)a->count * sizeof *a->label) == 0);
}

static inline void same_matrices(const ga_matrices *a, const ga_matrices *b)
{
    same_classes(&a->out, &b->out);
    same_classes(&a->in, &b->in);
    same_cells(&a->jdm, &b->jdm);
    same_cells(&a->dcm, &b->dcm);
}

/* A file in the folder that golden cases and graphs lie in, or NULL when there is none. */
static inline const char *shared_file(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    const char *shared = getenv("GRAPHATTN_SHARED");
    snprintf(path, sizeof paths[0], "%s/%s", shared ? shared : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* The k-th allocation fails for k = 0, 1, 2, ..., with all later ones or alone, until body succeeds. body returns the
 * call's status, has freed what a success gave, and has checked that a failure gave nothing. */
typedef ga_status (*starved_fn)(ga_context *context, void *user);
static inline void starve(starved_fn body, void *user)
{
    for (int once = 0; once < 2; once++) {
        for (int64_t k = 0;; k++) {
            meter m = { .fail_at = -1, .once = once };
            ga_context *context = metered_context(&m);
            ck_assert_int_eq(ga_context_set_threads(context, 2), GA_OK);
            m.fail_at = __atomic_load_n(&m.calls, __ATOMIC_RELAXED) + k;
            ga_status status = body(context, user);
            ck_assert_msg(status == GA_OK || status == GA_NOMEM, "k = %lld: %s", (long long)k,
                          ga_context_error(context));
            done_with(context);
            ck_assert_int_eq(m.blocks, 0);
            if (status == GA_OK) {
                break;
            }
        }
    }
}

#endif
