/* layers.c - batches that grow from their seeds layer by layer: fanout, vrgcn, labor, shadow. */
#include "config.h"

#include <stdlib.h>

#include "sampling/batches/batches.h"

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* ---- fan-out (Hamilton, Ying, Leskovec, NeurIPS 2017) ---- */

/* Which of d neighbours are kept, as places in their list: count numbers in w->draws, or all of them if that is d and none
 * was drawn. */
static ga_status keep(ga__batch_worker *w, ga__random *stream, int64_t d, int64_t most, bool *all,
                      int64_t *count)
{
    ga_status status = GA_OK;
    bool replace = ga__batch_integer(w->all, "replace") && most >= 0;
    *all = most < 0 || (!replace && d <= most);
    *count = *all || d == 0 ? d : most;
    if (*all || d == 0) {
        goto done;
    }
    GA_TRY(ga__batch_reserve(w->context, most, sizeof *w->draws, &w->draw_room, &w->draws));
    if (!replace) {
        ga__random_choose(stream, d, most, w->draws);
        goto done;
    }
    for (int64_t i = 0; i < most; i++) {
        w->draws[i] = (int64_t)ga__random_below(stream, (uint64_t)d);
    }
    qsort(w->draws, (size_t)most, sizeof *w->draws, ascending);
done:
    return status;
}

/* Draws for one target; rows false: the neighbours only join. */
static ga_status fan(ga__batch_worker *w, uint64_t key, int64_t target, int64_t most, bool rows)
{
    ga_status status = GA_OK;
    uint32_t v = (uint32_t)w->made->nodes[target], place;
    ga__random stream = ga__batch_stream(key, v);
    bool all;
    int64_t count;
    GA_TRY(ga__batch_near(w, v));
    GA_TRY(keep(w, &stream, w->near.count, most, &all, &count));
    for (int64_t i = 0; i < count; i++) {
        uint32_t u = w->near.nodes[all ? i : w->draws[i]];
        GA_TRY(rows ? ga__batch_row(w, u, (uint32_t)target, (double)w->near.count / (double)count)
                    : ga__batch_place(w, u, &place));
    }
done:
    return status;
}

/* One layer after the other; *targets: how many nodes were targets of the last. */
static ga_status fan_out(ga__batch_worker *w, int64_t number, int64_t layers, bool rows, int64_t *targets)
{
    ga_status status = GA_OK;
    *targets = 0;
    GA_TRY(ga__batch_seeds(w, number));
    for (int64_t i = 0; i < layers; i++) {
        uint64_t key = ga__batch_key(w->all, GA__RANDOM_BATCH, number, i + 1);
        int64_t most = ga__batch_listed(w->all, "fanout", i);
        *targets = w->made->node_count;
        if (rows) {
            ga__batch_layer(w, i + 1);
        }
        for (int64_t t = 0; t < *targets; t++) {
            GA_TRY(fan(w, key, t, most, rows));
        }
    }
done:
    return status;
}

static ga_status make_fanout(ga__batch_worker *w, int64_t number)
{
    int64_t targets;
    return fan_out(w, number, ga__part_value(&w->all->part, "fanout")->count, true, &targets);
}
const struct ga__batch_maker ga__fanout_batches = { NULL, make_fanout, NULL };

/* ---- vrgcn (Chen, Zhu, Song, ICML 2018): layer 0 names all neighbours of every target, whose history is needed ---- */

static ga_status make_vrgcn(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    int64_t targets;
    GA_TRY(fan_out(w, number, ga__part_value(&w->all->part, "fanout")->count, true, &targets));
    ga__batch_layer(w, 0);
    for (int64_t t = 0; t < targets; t++) {
        GA_TRY(ga__batch_near(w, (uint32_t)w->made->nodes[t]));
        for (int64_t i = 0; i < w->near.count; i++) {
            GA_TRY(ga__batch_row(w, w->near.nodes[i], (uint32_t)t, 1 / (double)w->near.count));
        }
    }
done:
    return status;
}
const struct ga__batch_maker ga__vrgcn_batches = { NULL, make_vrgcn, NULL };

/* ---- shadow (Zeng et al., NeurIPS 2021) ---- */

static ga_status make_shadow(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    int64_t targets;
    GA_TRY(fan_out(w, number, ga__batch_integer(w->all, "depth"), false, &targets));
    status = ga__batch_induce(w, NULL);
done:
    return status;
}
const struct ga__batch_maker ga__shadow_batches = { NULL, make_shadow, NULL };

/* ---- labor (Balin, Catalyurek, NeurIPS 2023): LABOR-0 ---- */

/* u is kept for v if r(u) < f / d(v), with one r(u) for all targets and layers of a batch. */
static ga_status share(ga__batch_worker *w, uint64_t key, int64_t target, int64_t most)
{
    ga_status status = GA_OK;
    GA_TRY(ga__batch_near(w, (uint32_t)w->made->nodes[target]));
    int64_t d = w->near.count;
    double chance = most < 0 || d <= most ? 1 : (double)most / (double)d;
    for (int64_t i = 0; i < d; i++) {
        uint32_t u = w->near.nodes[i];
        if (chance >= 1 || ga__batch_unit(key, u) < chance) {
            GA_TRY(ga__batch_row(w, u, (uint32_t)target, 1 / chance));
        }
    }
done:
    return status;
}

static ga_status make_labor(ga__batch_worker *w, int64_t number)
{
    ga_status status = GA_OK;
    uint64_t key = ga__batch_key(w->all, GA__RANDOM_BATCH, number, 0);
    int64_t layers = ga__part_value(&w->all->part, "fanout")->count;
    GA_TRY(ga__batch_seeds(w, number));
    for (int64_t i = 0; i < layers; i++) {
        int64_t targets = w->made->node_count, most = ga__batch_listed(w->all, "fanout", i);
        ga__batch_layer(w, i + 1);
        for (int64_t t = 0; t < targets; t++) {
            GA_TRY(share(w, key, t, most));
        }
    }
done:
    return status;
}
const struct ga__batch_maker ga__labor_batches = { NULL, make_labor, NULL };
