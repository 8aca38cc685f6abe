/* loader.c - batches ahead of the steps: a thread of its own fills a small ring of sampled surroundings. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gnn/sampler.h"
#include "gnn/train.h"
#include "lib/base/pool.h"

enum { SLOTS = 3 }; /* one in use, two ahead */

struct ga__loader {
    ga_context *context;
    ga__sampler sampler;
    ga__sampled slots[SLOTS];
    int64_t *order; /* training nodes in the order of this epoch, owned */
    int64_t batches;
    bool threaded, have_locks;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock: */
    int64_t wanted, made, used; /* batches of this epoch: to be made, made, given back */
    ga_status status;           /* what making them ended with */
    bool stop;
    /* of the caller: */
    bool holding; /* batch number `used` is in use */
    ga__batch batch;
    ga__messages messages;
    ga__sparse_input sparse;
    DLTensor features; /* dense rows, or the values of the sparse ones */
    int64_t shape[2];
};

/* ---- making them ---- */

static ga_status make_batch(ga__loader *l, int64_t number)
{
    const ga__loader_options *o = &l->sampler.options;
    int64_t from = number * o->batch;
    ga__nodes seeds = { l->order + from, ga__min(o->batch, o->train.count - from) };
    return ga__sample(l->context, &l->sampler, &seeds, &l->slots[number % SLOTS]);
}

static bool may_make(const ga__loader *l)
{
    return l->made < l->wanted && l->made - l->used < SLOTS && l->status == GA_OK;
}

static void *make_batches(void *user)
{
    ga__loader *l = user;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && !may_make(l)) {
            pthread_cond_wait(&l->changed, &l->lock);
        }
        if (l->stop) {
            break;
        }
        int64_t number = l->made;
        pthread_mutex_unlock(&l->lock);
        ga_status status = make_batch(l, number);
        pthread_mutex_lock(&l->lock);
        l->status = status;
        l->made += status == GA_OK;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Without a thread of its own a batch is made when it is asked for. */
static ga_status wait_for_batch(ga__loader *l, int64_t number)
{
    if (!l->threaded) {
        l->status = make_batch(l, number);
        l->made += l->status == GA_OK;
        return l->status;
    }
    pthread_mutex_lock(&l->lock);
    while (l->made <= number && l->status == GA_OK) {
        pthread_cond_wait(&l->changed, &l->lock);
    }
    ga_status status = l->made > number ? GA_OK : l->status;
    pthread_mutex_unlock(&l->lock);
    return status;
}

/* ---- life ---- */

static bool init_locks(ga__loader *l)
{
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        return false;
    }
    if (pthread_cond_init(&l->changed, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        return false;
    }
    return true;
}

ga_status ga__loader_open(ga_context *context, const ga__loader_options *options, ga__loader **loader)
{
    ga_status status = GA_OK;
    ga__loader *l = NULL;
    GA_TRY(GA_NEW_ZERO(context, 1, &l));
    l->context = context;
    l->batches = (options->train.count + options->batch - 1) / options->batch;
    GA_TRY(GA_NEW(context, options->train.count, &l->order));
    GA_TRY(ga__sampler_open(context, options, &l->sampler));
    l->have_locks = init_locks(l);
    l->threaded = l->have_locks && ga__thread_start(context, &l->thread, make_batches, l) == 0;
    *loader = l;
    l = NULL;
done:
    ga__loader_close(context, l);
    return status;
}

static void give_back(ga__loader *l)
{
    ga_transposed_destroy(l->context, &l->sparse.transposed);
    ga__messages_free(l->context, &l->messages);
    if (!l->holding) {
        return;
    }
    l->holding = false;
    if (!l->threaded) {
        l->used++;
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->used++;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void ga__loader_close(ga_context *context, ga__loader *loader)
{
    if (!loader) {
        return;
    }
    give_back(loader);
    if (loader->threaded) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        pthread_join(loader->thread, NULL);
    }
    if (loader->have_locks) {
        pthread_cond_destroy(&loader->changed);
        pthread_mutex_destroy(&loader->lock);
    }
    for (int i = 0; i < SLOTS; i++) {
        ga__sampled_clear(context, &loader->slots[i]);
    }
    ga__sampler_close(context, &loader->sampler);
    ga_free(context, loader->order);
    ga_free(context, loader);
}

/* ---- taking them ---- */

/* The thread has nothing to do between epochs. */
void ga__loader_begin(ga__loader *loader, int64_t epoch)
{
    const ga__loader_options *o = &loader->sampler.options;
    ga__random stream = ga__random_at(o->seed, GA__RANDOM_SEEDS, (uint64_t)epoch);
    memcpy(loader->order, o->train.list, (size_t)o->train.count * sizeof *loader->order);
    for (int64_t i = o->train.count - 1; i > 0; i--) {
        int64_t j = (int64_t)ga__random_below(&stream, (uint64_t)i + 1), kept = loader->order[i];
        loader->order[i] = loader->order[j];
        loader->order[j] = kept;
    }
    loader->sampler.epoch = epoch;
    if (loader->threaded) {
        pthread_mutex_lock(&loader->lock);
    }
    loader->made = loader->used = 0;
    loader->wanted = loader->batches;
    if (loader->threaded) {
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
    }
}

static DLTensor floats(float *data, int ndim, int64_t *shape)
{
    return (DLTensor){ .data = data,
                       .device = { .device_type = kDLCPU },
                       .ndim = ndim,
                       .dtype = { .code = kDLFloat, .bits = 32, .lanes = 1 },
                       .shape = shape };
}

/* Arrays of the sampler as a model takes them. */
static ga_status dress(ga__loader *l, ga__sampled *s)
{
    ga_status status = GA_OK;
    const ga__model_data *whole = &l->sampler.options.whole->data;
    l->batch = (ga__batch){ .data.nodes = s->node_count, .seed_count = s->seed_count, .nodes = s->nodes };
    if (whole->graph) {
        int64_t *offsets = s->offsets;
        uint32_t *sources = s->sources;
        double *weights = s->weights;
        s->offsets = NULL;
        s->sources = NULL;
        s->weights = NULL;
        s->edge_room = s->offset_room = 0;
        GA_TRY(ga__messages_adopt(l->context, s->node_count, offsets, sources, weights, &l->messages));
        l->batch.data.graph = &l->messages;
    }
    if (whole->sparse) {
        l->shape[0] = s->entry_count;
        l->features = floats(s->values, 1, l->shape);
        l->sparse = (ga__sparse_input){ .edges = { s->node_count, whole->sparse->edges.sources_count,
                                                   s->entry_count, s->entry_offsets, s->columns },
                                        .values = s->values ? &l->features : NULL };
        GA_TRY(ga_edges_transpose(l->context, &l->sparse.edges, &l->sparse.transposed));
        l->batch.data.sparse = &l->sparse;
    } else {
        l->shape[0] = s->node_count;
        l->shape[1] = whole->dense->shape[1];
        l->features = floats(s->values, 2, l->shape);
        l->batch.data.dense = &l->features;
    }
done:
    return status;
}

ga_status ga__loader_next(ga_context *context, ga__loader *loader, const ga__batch **batch)
{
    ga_status status = GA_OK;
    *batch = NULL;
    give_back(loader);
    int64_t number = loader->used; /* only this thread changes it */
    if (number == loader->batches) {
        goto done;
    }
    status = wait_for_batch(loader, number);
    if (status != GA_OK) { /* the words of the other thread may be gone */
        GA_TRY(ga__fail(context, status, "%s while a batch was sampled", ga_status_name(status)));
    }
    loader->holding = true;
    GA_TRY(dress(loader, &loader->slots[number % SLOTS]));
    *batch = &loader->batch;
done:
    return status;
}
