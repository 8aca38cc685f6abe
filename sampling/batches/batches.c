/* batches.c - the iterator: as many batches ahead as there are threads. */
#include "config.h"

#include "lib/base/workers.h"
#include "sampling/batches/batches.h"

/* ---- parameters ---- */

static ga_status find_method(ga_context *context, const char *name, const ga_batch_method **method)
{
    *method = ga_batch_method_find(name);
    return *method ? GA_OK
                   : ga__fail(context, GA_INVALID, "no method \"%s\" that makes batches", name ? name : "");
}

static ga_status read_parameters(ga_context *context, const ga_batch_method *method,
                                 const ga_batch_options *options, ga__part *part)
{
    ga_status status = GA_OK;
    GA_TRY(ga__part_open(context, "", method->name, method->parameters, part));
    for (int64_t i = 0; i < options->parameter_count; i++) {
        GA_TRY(ga__part_set(part, options->parameters[i].name, options->parameters[i].value, ','));
    }
    const ga__value *fanout = ga__part_value(part, "fanout");
    for (int64_t i = 0; i < fanout->count; i++) {
        if (fanout->list[i] == 0) {
            GA_TRY(ga__part_refuse(part, "fanout", "-1 for all neighbours, or 1 and more"));
        }
    }
    if (options->batch < 0) {
        GA_TRY(ga__fail(context, GA_INVALID, "batches of %lld seeds, expected 1 or more, or 0 for all",
                        (long long)options->batch));
    }
    if (options->parts && method->maker != &ga__cluster_batches) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s takes no parts, cluster does", method->name));
    }
    status = ga__part_check(part);
done:
    return status;
}

ga_status ga_batches_check(ga_context *context, const char *name, const ga_batch_options *options)
{
    ga_status status = GA_OK;
    const ga_batch_method *method;
    ga__part part;
    ga__begin(context);
    GA_TRY(find_method(context, name, &method));
    status = read_parameters(context, method, options, &part);
done:
    return status;
}

/* ---- life ---- */

static ga_status take_seeds(ga_batches *all, const int64_t *seeds, int64_t count, int64_t size)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(all->context, count, &all->seeds));
    for (int64_t i = 0; i < count; i++) {
        if (seeds[i] < 0 || seeds[i] >= all->graph->nodes) {
            GA_TRY(ga__fail(all->context, GA_INVALID, "seed %lld: node %lld, the graph has %lld",
                            (long long)i, (long long)seeds[i], (long long)all->graph->nodes));
        }
        all->seeds[i] = (uint32_t)seeds[i];
    }
    all->seed_count = count;
    all->size = size > 0 ? ga__min(size, ga__max(count, 1)) : ga__max(count, 1);
    all->count = count / all->size + (count % all->size > 0);
done:
    return status;
}

static ga_status open_view(ga_batches *all)
{
    const ga__value *norm = ga__part_value(&all->part, "norm");
    bool both = norm->given && norm->integer == GA__NORM_SYM;
    ga__direction direction = (ga__direction)ga__batch_integer(all, "direction");
    return ga__view_open(all->context, all->graph, both ? GA__BOTH : direction, &all->view);
}

static ga_status open_workers(ga_batches *all)
{
    ga_status status = GA_OK;
    all->slot_count = ga__threads(all->context);
    GA_TRY(GA_NEW_ZERO(all->context, all->slot_count, &all->slots));
    GA_TRY(GA_NEW_ZERO(all->context, all->slot_count, &all->workers));
    for (int i = 0; i < all->slot_count; i++) {
        ga__batch_worker *w = &all->workers[i];
        *w = (ga__batch_worker){
            .context = all->context, .all = all, .made = &all->slots[i], .view = all->view
        };
        w->view.degrees = (ga__table){ .context = all->context };
        w->found.context = all->context;
        w->places = (ga__places){ .context = all->context, .limit = all->graph->nodes };
        w->places.table.context = all->context;
    }
done:
    return status;
}

static ga_status open_all(ga_batches *all, const ga_batch_options *options, const int64_t *seeds,
                          int64_t count)
{
    ga_status status = GA_OK;
    ga_context *context = all->context;
    if (all->graph->nodes >= UINT32_MAX) {
        GA_TRY(ga__fail(context, GA_UNSUPPORTED, "a graph of %lld nodes, expected fewer than 2^32 - 1",
                        (long long)all->graph->nodes));
    }
    GA_TRY(read_parameters(context, all->method, options, &all->part));
    GA_TRY(take_seeds(all, seeds, count, options->batch));
    const ga__value *weights = ga__part_value(&all->part, "weights");
    all->edge_weights = weights->given && weights->integer;
    all->given_parts = options->parts;
    GA_TRY(open_view(all));
    GA_TRY(open_workers(all));
    if (all->method->maker->open) {
        GA_TRY(all->method->maker->open(all));
    }
    all->given_parts = NULL;
done:
    return status;
}

ga_status ga_batches_create(ga_context *context, const ga_graph *graph, const char *name,
                            const ga_batch_options *options, const int64_t *seeds, int64_t seed_count,
                            ga_batches **batches)
{
    ga_status status = GA_OK;
    ga_batches *all = NULL;
    const ga_batch_method *method;
    ga__begin(context);
    GA_TRY(find_method(context, name, &method));
    GA_TRY(GA_NEW_ZERO(context, 1, &all));
    *all = (ga_batches){ .context = context, .graph = graph, .method = method };
    all->seed = ga_context_seed(context);
    all->node_runs.context = context;
    all->edge_runs.context = context;
    GA_TRY(open_all(all, options, seeds, seed_count));
    *batches = all;
    all = NULL;
done:
    ga_batches_destroy(context, all);
    return status;
}

static void clear_worker(ga__batch_worker *w)
{
    ga_context *context = w->context;
    if (!context) {
        return;
    }
    ga__table_clear(&w->view.degrees); /* all else of the view is the iterator's */
    ga__list_clear(context, &w->near);
    ga__list_clear(context, &w->self);
    ga__table_clear(&w->places.table);
    ga__table_clear(&w->found);
    ga_free(context, w->places.dense);
    ga_free(context, w->values);
    ga_free(context, w->draws);
    ga_free(context, w->nodes);
    ga_free(context, w->mass);
    ga_free(context, w->rest);
    ga_free(context, w->queue[0]);
    ga_free(context, w->queue[1]);
}

void ga_batches_destroy(ga_context *context, ga_batches *all)
{
    if (!all) {
        return;
    }
    for (int i = 0; all->workers && i < all->slot_count; i++) {
        clear_worker(&all->workers[i]);
    }
    for (int i = 0; all->slots && i < all->slot_count; i++) {
        ga__made_clear(context, &all->slots[i]);
    }
    ga__view_clear(&all->view);
    ga__table_clear(&all->node_runs);
    ga__table_clear(&all->edge_runs);
    void *const arrays[] = { all->seeds,    all->workers, all->slots,      all->norms,      all->sums,
                             all->with_out, all->with_in, all->part_begin, all->part_nodes, all->part_order };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        ga_free(context, arrays[i]);
    }
    ga_free(context, all);
}

int64_t ga_batches_count(const ga_batches *all)
{
    return all->count;
}

/* ---- one after the other ---- */

typedef struct filling {
    ga_batches *all;
    int64_t wanted, next;
    int status;
} filling;

static ga_status make_one(ga__batch_worker *w, int64_t number)
{
    ga__table_clear(&w->view.degrees); /* or they would become those of all nodes */
    ga__batch_begin(w, number);
    ga_status status = w->all->method->maker->make(w, number);
    ga__batch_end(w);
    return status;
}

static void fill_slots(void *user, int worker)
{
    filling *f = user;
    ga__batch_worker *w = &f->all->workers[worker];
    for (int64_t i; (i = ga__claim(&f->next)) < f->wanted && !ga__stopped(f->all->context, &f->status);) {
        w->made = &f->all->slots[i];
        ga__note_status(&f->status, make_one(w, f->all->first + i));
    }
}

static ga_status fill(ga_batches *all)
{
    ga_status status = GA_OK;
    filling f = { .all = all, .wanted = ga__min(all->slot_count, all->count - all->next) };
    all->first = all->next;
    all->filled = 0;
    ga__progress(all->context, "batches", all->next, all->count);
    int threads = ga__threads_for(all->context, f.wanted);
    ga__workers(all->context, threads < all->slot_count ? threads : all->slot_count, fill_slots, &f);
    GA_TRY(ga__noted_status(&f.status));
    GA_TRY(ga__check(all->context));
    all->filled = f.wanted;
done:
    return status;
}

ga_status ga_batches_next(ga_context *context, ga_batches *all, const ga_batch **batch)
{
    ga_status status = GA_OK;
    ga__begin(context);
    if (all->next >= all->count) {
        *batch = NULL;
        goto done;
    }
    if (all->next < all->first || all->next >= all->first + all->filled) {
        GA_TRY(fill(all));
    }
    *batch = &all->slots[all->next++ - all->first].batch;
done:
    return status;
}

ga_status ga_batches_seek(ga_context *context, ga_batches *all, int64_t number)
{
    ga__begin(context);
    if (number < 0 || number > all->count) {
        return ga__fail(context, GA_INVALID, "batch %lld, there are %lld", (long long)number,
                        (long long)all->count);
    }
    all->next = number;
    return GA_OK;
}

ga_status ga_batches_probabilities(ga_context *context, ga_batches *all, double **probabilities,
                                   int64_t *count)
{
    ga__begin(context);
    if (!all->method->maker->law) {
        return ga__fail(context, GA_UNSUPPORTED,
                        "%s: no probabilities, ladies, fastgcn, saint_node and saint_edge have them",
                        all->method->name);
    }
    ga__batch_worker *w = &all->workers[0];
    w->made = &all->slots[0];
    all->filled = 0; /* the slot is used */
    ga__batch_begin(w, 0);
    ga_status status = all->method->maker->law(w, probabilities, count);
    ga__batch_end(w);
    return status;
}
