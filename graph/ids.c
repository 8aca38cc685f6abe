/* ids.c - node numbers for the ids of an edge list.
 *
 * Numbers ascend with ids. Nodes that are only declared have the smallest integers that are no ids. Most files name
 * ids from 0 to not much more than their number of nodes: then a bit per possible id is enough, and the number of
 * an id is the count of set bits below it. Ids that are spread wider are compacted (ids_sparse.c).
 */
#include "config.h"

#include <string.h>

#include "graph/edge_list.h"

enum {
    RANGE_PER_EDGE = 16, /* 3 bytes an edge for bits and counts */
    RANGE_SLACK = 1 << 20
};

void ga__mapping_clear(ga_context *context, ga__mapping *mapping)
{
    ga_free(context, mapping->ranks.bits);
    ga_free(context, mapping->ranks.before);
    ga_free(context, mapping->ids);
    *mapping = (ga__mapping){ 0 };
}

/* How many nodes there are to be. */
typedef struct wanted {
    ga_context *context;
    const ga_read_options *options;
    const char *name;
    int64_t declared; /* by the file; -1 = not */
} wanted;

/* The total for a file that names `ids` ids. */
static ga_status total_nodes(void *user, int64_t ids, int64_t *nodes)
{
    const wanted *w = user;
    *nodes = ids;
    if (w->options->nodes >= 0) {
        if (w->options->nodes < ids) {
            return ga__fail(w->context, GA_INVALID, "--nodes %lld is less than the %lld nodes that %s names",
                            (long long)w->options->nodes, (long long)ids, w->name);
        }
        *nodes = w->options->nodes;
    } else if (w->declared >= ids) {
        *nodes = w->declared;
    } else if (w->declared >= 0) {
        ga__tell(w->context, GA_WARNING, "%s: its header says %lld nodes but %lld are named: header ignored",
                 w->name, (long long)w->declared, (long long)ids);
    }
    if (w->options->max_nodes > 0 && *nodes > w->options->max_nodes) {
        return ga__fail(w->context, GA_LIMIT, "%s: %lld nodes are more than --max-nodes %lld", w->name,
                        (long long)*nodes, (long long)w->options->max_nodes);
    }
    if (*nodes > INT64_C(4294967296)) {
        return ga__fail(w->context, GA_UNSUPPORTED,
                        "%s: %lld nodes, at most 4294967296 have numbers of 32 bits", w->name,
                        (long long)*nodes);
    }
    return GA_OK;
}

/* ---- bits ---- */

typedef struct marking {
    ga_context *context;
    const ga__edge_list *list;
    uint64_t *bits;
    int64_t next;
    int status;
} marking;

/* Nearly all ids were seen before, so look before writing: threads then share the bits without disturbing. */
static inline void mark(uint64_t *bits, uint32_t id)
{
    uint64_t bit = UINT64_C(1) << (id & 63);
    if (!(__atomic_load_n(&bits[id >> 6], __ATOMIC_RELAXED) & bit)) {
        (void)__atomic_fetch_or(&bits[id >> 6], bit, __ATOMIC_RELAXED);
    }
}

static void mark_worker(void *user, int worker)
{
    marking *m = user;
    (void)worker;
    for (int64_t i;
         (i = ga__claim(&m->next)) < m->list->segment_count && !ga__stopped(m->context, &m->status);) {
        const ga__segment *s = &m->list->segments[i];
        for (int64_t j = 0; j < s->count; j++) {
            mark(m->bits, s->narrow[j].source);
            mark(m->bits, s->narrow[j].target);
        }
    }
}

static int64_t count_before(ga__ranks *ranks)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < ranks->words; i++) {
        ranks->before[i] = (uint32_t)sum;
        sum += ga__bit_count(ranks->bits[i]);
    }
    return sum;
}

/* Sets the lowest `missing` bits that are not set; there are as many. */
static void mark_declared(ga__ranks *ranks, int64_t missing)
{
    for (int64_t i = 0; missing > 0; i++) {
        while (~ranks->bits[i] && missing > 0) {
            ranks->bits[i] |= ranks->bits[i] + 1; /* the lowest zero */
            missing--;
        }
    }
}

static ga_status list_ids(ga_context *context, ga__mapping *mapping)
{
    ga_status status = GA_OK;
    int64_t count = 0;
    GA_TRY(GA_NEW(context, mapping->nodes, &mapping->ids));
    for (int64_t i = 0; i < mapping->ranks.words; i++) {
        for (uint64_t left = mapping->ranks.bits[i]; left; left &= left - 1) {
            mapping->ids[count++] = (uint64_t)i * 64 + (uint64_t)__builtin_ctzll(left);
        }
    }
done:
    return status;
}

static ga_status map_range(ga_context *context, const ga__edge_list *list, wanted *w, int64_t range,
                           ga__mapping *mapping)
{
    ga_status status = GA_OK;
    ga__ranks *ranks = &mapping->ranks;
    ranks->words = (range + 63) / 64;
    GA_TRY(GA_NEW_ZERO(context, ranks->words, &ranks->bits));
    GA_TRY(GA_NEW(context, ranks->words, &ranks->before));
    marking m = { .context = context, .list = list, .bits = ranks->bits };
    ga__workers(context, ga__threads_for(context, list->segment_count), mark_worker, &m);
    GA_TRY(ga__noted_status(&m.status));
    int64_t ids = count_before(ranks);
    GA_TRY(total_nodes(w, ids, &mapping->nodes));
    if (mapping->nodes >= range) { /* declared nodes fill every gap */
        ga_free(context, ranks->bits);
        ga_free(context, ranks->before);
        *ranks = (ga__ranks){ 0 };
        goto done;
    }
    if (mapping->nodes > ids) {
        mark_declared(ranks, mapping->nodes - ids);
        (void)count_before(ranks);
    }
    GA_TRY(list_ids(context, mapping));
done:
    return status;
}

/* ---- deciding ---- */

static ga_status map_dense(wanted *w, const ga__edge_list *list, ga__mapping *mapping)
{
    if (list->edges > 0 && w->options->max_nodes > 0 && list->largest >= (uint64_t)w->options->max_nodes) {
        return ga__fail(w->context, GA_LIMIT, "%s: node id %llu is beyond --max-nodes %lld (--dense-ids)",
                        w->name, (unsigned long long)list->largest, (long long)w->options->max_nodes);
    }
    if (list->edges > 0 && list->largest > UINT32_MAX) { /* max_nodes was set beyond what numbers can hold */
        return ga__fail(w->context, GA_UNSUPPORTED, "%s: node id %llu does not fit 32 bits", w->name,
                        (unsigned long long)list->largest);
    }
    return total_nodes(w, list->edges > 0 ? (int64_t)list->largest + 1 : 0, &mapping->nodes);
}

ga_status ga__edge_list_map(ga_context *context, ga__edge_list *list, const ga_read_options *options,
                            const char *name, ga__mapping *mapping)
{
    ga_status status = GA_OK;
    wanted w = { context, options, name, list->declared };
    ga__mapping made = { 0 };
    int64_t range = list->edges > 0 && list->largest < INT64_MAX ? (int64_t)list->largest + 1 : 0, most;
    int64_t declared = options->nodes >= 0 ? options->nodes : list->declared;
    if (!ga__mul(list->edges, RANGE_PER_EDGE, &most) || !ga__add(most, RANGE_SLACK, &most)) {
        most = INT64_MAX;
    }
    if (options->dense_ids) {
        GA_TRY(map_dense(&w, list, &made));
    } else if (!list->wide && declared >= range) {
        GA_TRY(total_nodes(&w, ga__min(range, declared), &made.nodes));
    } else if (!list->wide && range <= most) {
        GA_TRY(map_range(context, list, &w, range, &made));
    } else {
        GA_TRY(ga__edge_list_compact(context, list, total_nodes, &w, &made.ids, &made.nodes));
    }
    *mapping = made;
    made = (ga__mapping){ 0 };
done:
    ga__mapping_clear(context, &made);
    return status;
}
