/* saint.c - subgraphs with weights that undo how likely they were drawn (Zeng et al., GraphSAINT, ICLR 2020): saint_node,
 * saint_edge, saint_walk, saint_mrw.
 *
 * alpha(u, v) = C(u, v) / C(v) and lambda(v) = C(v) / runs, where C counts in how many of `coverage` runs an edge and a node
 * were met. What no run has met is counted as if its batch were one run more, so that no weight is infinite. */
#include "config.h"

#include <pthread.h>

#include "lib/base/workers.h"
#include "sampling/batches/batches.h"

enum { CHECK = 1 << 12 };

typedef ga_status (*draw_fn)(ga__batch_worker *w, ga__random *stream);

static draw_fn draw_of(const ga_batches *all);

/* ---- runs ---- */

static uint64_t pair(uint32_t source, uint32_t target)
{
    return (uint64_t)source << 32 | target;
}

static int64_t runs_of(const ga__table *table, uint64_t key)
{
    const int64_t *count = ga__table_find(table, key);
    return count ? *count : 0;
}

static double weight_of(const ga_batches *all, uint32_t source, uint32_t target)
{
    int64_t node = runs_of(&all->node_runs, target), edge = runs_of(&all->edge_runs, pair(source, target));
    return edge > 0 ? (double)node / (double)edge : (double)node + 1;
}

static double norm_of(const ga_batches *all, uint32_t v)
{
    int64_t node = runs_of(&all->node_runs, v);
    return node > 0 ? (double)node / (double)all->runs : 1 / ((double)all->runs + 1);
}

typedef struct counting {
    ga_batches *all;
    pthread_mutex_t lock; /* of the tables */
    int64_t next;
    int status;
} counting;

static ga_status count_run(counting *c, const ga__made *made)
{
    ga_status status = GA_OK;
    int64_t *count;
    for (int64_t i = 0; i < made->node_count; i++) {
        GA_TRY(ga__table_at(&c->all->node_runs, (uint64_t)made->nodes[i], 0, &count));
        ++*count;
    }
    for (int64_t e = 0; e < made->edges; e++) {
        uint64_t key = pair((uint32_t)made->nodes[made->sources[e]], (uint32_t)made->nodes[made->targets[e]]);
        GA_TRY(ga__table_at(&c->all->edge_runs, key, 0, &count));
        ++*count;
    }
done:
    return status;
}

static ga_status make_run(counting *c, ga__batch_worker *w, int64_t run)
{
    ga_status status = GA_OK;
    ga__random stream = ga__batch_stream(ga__batch_key(c->all, GA__RANDOM_BATCH_RUN, run, 0), 0);
    ga__batch_begin(w, run);
    GA_TRY(draw_of(c->all)(w, &stream));
    GA_TRY(ga__batch_induce(w, NULL));
    pthread_mutex_lock(&c->lock);
    status = count_run(c, w->made);
    pthread_mutex_unlock(&c->lock);
done:
    ga__batch_end(w);
    return status;
}

/* Sums of ones: the order of the runs does not matter. */
static void count_runs(void *user, int worker)
{
    counting *c = user;
    ga__batch_worker *w = &c->all->workers[worker];
    w->made = &c->all->slots[worker];
    for (int64_t run;
         (run = ga__claim(&c->next)) < c->all->runs && !ga__stopped(c->all->context, &c->status);) {
        ga__progress(c->all->context, "runs for the norms", run, c->all->runs);
        ga__note_status(&c->status, make_run(c, w, run));
    }
}

static ga_status open_saint(ga_batches *all)
{
    counting c = { .all = all, .lock = PTHREAD_MUTEX_INITIALIZER };
    all->runs = ga__batch_integer(all, "coverage");
    int threads = ga__threads_for(all->context, all->runs);
    bool weights = all->edge_weights; /* only who was met counts */
    all->edge_weights = false;
    ga__workers(all->context, threads < all->slot_count ? threads : all->slot_count, count_runs, &c);
    all->edge_weights = weights;
    ga_status status = ga__noted_status(&c.status);
    pthread_mutex_destroy(&c.lock);
    return status == GA_OK ? ga__check(all->context) : status;
}

static ga_status make_saint(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    ga__made *m = w->made;
    ga__random stream = ga__batch_stream(ga__batch_key(w->all, GA__RANDOM_BATCH, number, 0), 0);
    GA_TRY(draw_of(w->all)(w, &stream));
    GA_TRY(ga__batch_induce(w, weight_of));
    GA_TRY(ga__batch_reserve(w->context, m->node_count, sizeof *m->norms, &m->norm_room, &m->norms));
    for (int64_t i = 0; i < m->node_count; i++) {
        m->norms[i] = norm_of(w->all, (uint32_t)m->nodes[i]);
    }
    m->batch.norms = m->norms;
done:
    return status;
}

/* ---- nodes by the norm of their column ---- */

static ga_status now_and_then(ga__batch_worker *w, int64_t i)
{
    return i % CHECK == CHECK - 1 ? ga__check(w->context) : GA_OK;
}

static ga_status draw_nodes(ga__batch_worker *w, ga__random *stream)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    int64_t budget = ga__batch_integer(all, "budget"), n = all->graph->nodes;
    uint32_t place;
    for (int64_t i = 0; i < budget && all->sums[n] > 0; i++) {
        GA_TRY(now_and_then(w, i));
        GA_TRY(ga__batch_place(w, (uint32_t)ga__batch_draw(all->sums, n, stream), &place));
    }
done:
    return status;
}

static ga_status open_node(ga_batches *all)
{
    ga_status status = ga__batch_column_norms(all);
    return status == GA_OK ? open_saint(all) : status;
}
const struct ga__batch_maker ga__saint_node_batches = { open_node, make_saint, ga__batch_column_law };

/* ---- edges, p(u, v) proportional to 1/d+(u) + 1/d-(v) ----
 *
 * The first terms sum to the number of nodes with outgoing edges, the second ones to that of nodes with incoming edges: an
 * edge is a uniform one of a uniform node of either kind. */

static ga_status draw_edges(ga__batch_worker *w, ga__random *stream)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    const ga_graph *g = all->graph;
    const ga__view *view = &all->view;
    int64_t budget = ga__batch_integer(all, "budget"), kinds = all->out_count + all->in_count;
    for (int64_t i = 0; i < budget && kinds > 0; i++) {
        int64_t one = (int64_t)ga__random_below(stream, (uint64_t)kinds);
        bool out = one < all->out_count;
        uint32_t v = out ? all->with_out[one] : all->with_in[one - all->out_count], place;
        int64_t degree = out ? ga__out_degree(g, v) : ga__in_degree(view, v);
        int64_t at = (int64_t)ga__random_below(stream, (uint64_t)degree);
        GA_TRY(now_and_then(w, i));
        GA_TRY(ga__batch_place(w, v, &place));
        GA_TRY(ga__batch_place(w,
                               out ? g->out_targets[g->out_offsets[v] + at]
                                   : view->transpose.in_sources[view->transpose.in_offsets[v] + at],
                               &place));
    }
done:
    return status;
}

static ga_status open_edge(ga_batches *all)
{
    ga_status status = GA_OK;
    const ga_graph *g = all->graph;
    GA_TRY(ga__view_transpose(&all->view));
    GA_TRY(GA_NEW(all->context, g->nodes, &all->with_out));
    GA_TRY(GA_NEW(all->context, g->nodes, &all->with_in));
    for (int64_t v = 0; v < g->nodes; v++) {
        if (ga__out_degree(g, v) > 0) {
            all->with_out[all->out_count++] = (uint32_t)v;
        }
        if (ga__in_degree(&all->view, v) > 0) {
            all->with_in[all->in_count++] = (uint32_t)v;
        }
    }
    status = open_saint(all);
done:
    return status;
}

static ga_status edge_law(ga__batch_worker *w, double **law, int64_t *count)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->all->graph;
    double kinds = (double)(w->all->out_count + w->all->in_count);
    GA_TRY(GA_NEW(w->context, g->edges, law));
    for (int64_t v = 0; v < g->nodes; v++) {
        for (int64_t e = g->out_offsets[v]; e < g->out_offsets[v + 1]; e++) {
            double in = (double)ga__in_degree(&w->all->view, g->out_targets[e]);
            (*law)[e] = (1 / (double)ga__out_degree(g, v) + 1 / in) / kinds;
        }
    }
    *count = g->edges;
done:
    return status;
}
const struct ga__batch_maker ga__saint_edge_batches = { open_edge, make_saint, edge_law };

/* ---- walks ---- */

static ga_status draw_walks(ga__batch_worker *w, ga__random *stream)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    int64_t roots = ga__batch_integer(all, "roots"), length = ga__batch_integer(all, "length");
    uint32_t place;
    for (int64_t i = 0; i < roots && all->graph->nodes > 0; i++) {
        uint32_t v = (uint32_t)ga__random_below(stream, (uint64_t)all->graph->nodes);
        bool found = true;
        GA_TRY(ga__batch_place(w, v, &place));
        for (int64_t step = 0; step < length; step++) {
            GA_TRY(now_and_then(w, i + step));
            GA_TRY(ga__view_draw(&w->view, stream, v, &v, &found));
            if (!found) {
                break;
            }
            GA_TRY(ga__batch_place(w, v, &place));
        }
    }
done:
    return status;
}
const struct ga__batch_maker ga__saint_walk_batches = { open_saint, make_saint, NULL };

/* ---- walkers: frontier sampling by the classical sampler ---- */

static ga_status count_linked(ga__batch_worker *w, int64_t most, int64_t *count)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->all->graph;
    const ga__view *view = &w->all->view;
    *count = 0;
    for (int64_t v = 0; v < g->nodes && *count < most; v++) {
        if (ga__out_degree(g, v) == 0 && ga__in_degree(view, v) == 0) {
            continue;
        }
        GA_TRY(ga__view_list_of(&w->view, (uint32_t)v, GA__BOTH, &w->near)); /* loops do not count */
        *count += w->near.count > 0;
    }
done:
    return status;
}

static ga_status draw_walkers(ga__batch_worker *w, ga__random *stream)
{
    ga_status status = GA_OK;
    const ga_batches *all = w->all;
    uint32_t place;
    ga__draw d = { .context = w->context, .graph = all->graph, .part = &all->part, .wanted = all->reachable };
    d.random = *stream;
    d.view = w->view; /* lent */
    if (d.wanted == 0) {
        goto done;
    }
    GA_TRY(ga__set_open(w->context, all->graph->nodes, d.wanted, &d.inside));
    GA_TRY(ga__set_open(w->context, all->graph->edges, d.wanted, &d.edges));
    GA_TRY(ga__frontier_walk(&d, 0));
    for (int64_t i = 0; i < d.count; i++) {
        GA_TRY(ga__batch_place(w, d.members[i], &place));
    }
done:
    w->view = d.view;
    ga__set_clear(w->context, &d.inside);
    ga__set_clear(w->context, &d.edges);
    ga_free(w->context, d.members);
    return status;
}

static ga_status open_walkers(ga_batches *all)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_transpose(&all->view));
    for (int i = 0; i < all->slot_count; i++) {
        all->workers[i].view.transpose = all->view.transpose;
    }
    GA_TRY(count_linked(&all->workers[0], ga__batch_integer(all, "budget"), &all->reachable));
    status = open_saint(all);
done:
    return status;
}
const struct ga__batch_maker ga__saint_mrw_batches = { open_walkers, make_saint, NULL };

static draw_fn draw_of(const ga_batches *all)
{
    const struct ga__batch_maker *maker = all->method->maker;
    return maker == &ga__saint_node_batches   ? draw_nodes
           : maker == &ga__saint_edge_batches ? draw_edges
           : maker == &ga__saint_walk_batches ? draw_walks
                                              : draw_walkers;
}
