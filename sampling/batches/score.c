/* score.c - ppr: the neighbours of a seed are the nodes of largest personalised PageRank (Bojchevski et al., KDD 2020).
 *
 * Scores alpha (I - (1 - alpha) P^T)^-1 e_s by forward push (Andersen, Chung, Lang, FOCS 2006): a node whose rest exceeds
 * epsilon max(1, d) keeps the share alpha of it and gives the remainder to its neighbours in equal parts; without neighbours
 * the remainder is lost. Scores count to 9 decimals: what agrees there is equal, what is 0 there is not reached. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "sampling/batches/batches.h"

#define DECIMALS 1e9

/* ---- pushing: found nodes have scores in mass and rests in rest ---- */

static ga_status wait_in(ga__batch_worker *w, int queue, int64_t *count, int64_t number)
{
    ga_status status = GA_OK;
    GA_TRY(ga__batch_reserve(w->context, *count + 1, sizeof *w->queue[queue], &w->queue_room[queue],
                             &w->queue[queue]));
    w->queue[queue][(*count)++] = (uint32_t)number;
done:
    return status;
}

/* A node gets some rest; it waits in the queue from when that exceeds its threshold. */
static ga_status give(ga__batch_worker *w, uint32_t u, double share, double epsilon, int queue,
                      int64_t *count)
{
    ga_status status = GA_OK;
    int64_t number, degree;
    GA_TRY(ga__batch_found(w, u, &number));
    GA_TRY(ga__view_degree(&w->view, u, &degree));
    double before = w->rest[number], most = epsilon * (double)ga__max(1, degree);
    w->rest[number] = before + share;
    if (before <= most && before + share > most) {
        GA_TRY(wait_in(w, queue, count, number));
    }
done:
    return status;
}

static ga_status push(ga__batch_worker *w, int64_t number, double alpha, double epsilon, int queue,
                      int64_t *count)
{
    ga_status status = GA_OK;
    double rest = w->rest[number];
    w->rest[number] = 0;
    w->mass[number] += alpha * rest;
    GA_TRY(ga__batch_near(w, w->nodes[number]));
    double share = (1 - alpha) * rest / (double)ga__max(1, w->near.count);
    for (int64_t i = 0; i < w->near.count && share > 0; i++) {
        GA_TRY(give(w, w->near.nodes[i], share, epsilon, queue, count));
    }
done:
    return status;
}

/* Round by round; a node is in at most one of both queues, since its rest is 0 when it leaves one. */
static ga_status spread(ga__batch_worker *w, uint32_t seed)
{
    ga_status status = GA_OK;
    double alpha = ga__part_value(&w->all->part, "alpha")->real;
    double epsilon = ga__part_value(&w->all->part, "epsilon")->real;
    int64_t number, count = 0;
    ga__batch_found_clear(w);
    GA_TRY(ga__batch_found(w, seed, &number));
    w->rest[number] = 1; /* the seed is pushed whatever epsilon is */
    GA_TRY(wait_in(w, 0, &count, number));
    for (int queue = 0; count > 0; queue = !queue) {
        int64_t next = 0;
        for (int64_t i = 0; i < count; i++) {
            GA_TRY(push(w, w->queue[queue][i], alpha, epsilon, !queue, &next));
        }
        count = next;
    }
done:
    return status;
}

/* ---- the best ---- */

static int by_score(const void *a, const void *b)
{
    const ga__key *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->item > y->item) - (x->item < y->item);
}

static ga_status link_best(ga__batch_worker *w, int64_t target, int64_t most)
{
    ga_status status = GA_OK;
    ga__keys keys = { .heap = NULL };
    GA_TRY(ga__keys_open(w->context, ga__min(most, w->found_count), &keys));
    for (int64_t i = 0; i < w->found_count; i++) {
        double score = nearbyint(w->mass[i] * DECIMALS);
        if (score > 0) {
            ga__keys_offer(&keys, -score, w->nodes[i]);
        }
    }
    if (keys.count > 0) {
        qsort(keys.heap, (size_t)keys.count, sizeof *keys.heap, by_score);
    }
    for (int64_t i = 0; i < keys.count; i++) {
        const int64_t *number = ga__table_find(&w->found, (uint64_t)keys.heap[i].item);
        GA_TRY(ga__batch_row(w, (uint32_t)keys.heap[i].item, (uint32_t)target, w->mass[*number]));
    }
done:
    ga__keys_clear(w->context, &keys);
    return status;
}

static ga_status make_ppr(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    int64_t most = ga__batch_integer(w->all, "top_k");
    GA_TRY(ga__batch_seeds(w, number));
    int64_t targets = w->made->node_count;
    ga__batch_layer(w, 1);
    for (int64_t t = 0; t < targets; t++) {
        GA_TRY(spread(w, (uint32_t)w->made->nodes[t]));
        GA_TRY(link_best(w, t, most));
    }
done:
    ga__batch_found_clear(w);
    return status;
}
const struct ga__batch_maker ga__ppr_batches = { NULL, make_ppr, NULL };
