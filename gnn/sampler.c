/* sampler.c - fan-out sampling (Hamilton et al., 2017) over incoming edges. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "gnn/sampler.h"

/* An edge of the row being made; place keeps edges of one pair in their order. */
typedef struct ga__drawn {
    uint32_t source; /* number in the batch */
    int64_t place;
    double weight;
} ga__drawn;

ga_status ga__sampler_open(ga_context *context, const ga__loader_options *options, ga__sampler *sampler)
{
    ga_status status = GA_OK;
    int64_t *fanout = NULL;
    *sampler = (ga__sampler){ .options = *options };
    sampler->options.fanout = NULL;
    GA_TRY(GA_NEW(context, options->hops, &fanout));
    for (int i = 0; i < options->hops; i++) {
        fanout[i] = options->fanout[i];
    }
    sampler->options.fanout = fanout;
    GA_TRY(GA_NEW_ZERO(context, options->whole->data.nodes, &sampler->local));
    if (options->weighted && options->whole->data.graph) {
        GA_TRY(ga__graph_degrees(context, options->whole->data.graph, &sampler->degrees));
    }
done:
    return status;
}

void ga__sampler_close(ga_context *context, ga__sampler *sampler)
{
    ga_free(context, (void *)(uintptr_t)sampler->options.fanout);
    ga_free(context, sampler->local);
    ga_free(context, sampler->row);
    ga_free(context, sampler->draws);
}

void ga__sampled_clear(ga_context *context, ga__sampled *s)
{
    ga_free(context, s->nodes);
    ga_free(context, s->offsets);
    ga_free(context, s->sources);
    ga_free(context, s->weights);
    ga_free(context, s->entry_offsets);
    ga_free(context, s->columns);
    ga_free(context, s->values);
    *s = (ga__sampled){ .nodes = NULL };
}

/* Room for `wanted` elements in an array that grows by half at least. */
static ga_status reserve(ga_context *context, int64_t wanted, size_t size, int64_t *room, void *array)
{
    ga_status status = GA_OK;
    if (wanted > *room) {
        int64_t more = ga__max(wanted, *room + *room / 2);
        GA_TRY(ga__resize(context, *room, more, size, array));
        *room = more;
    }
done:
    return status;
}

/* ---- drawing ---- */

/* The first of sources[from .. to - 1], which ascend, that is not below the node. */
static int64_t first_from(const uint32_t *sources, int64_t from, int64_t to, uint64_t node)
{
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (sources[middle] < node) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static ga_status number_of(ga_context *context, ga__sampler *s, int64_t node, ga__sampled *out,
                           uint32_t *number)
{
    ga_status status = GA_OK;
    if (s->local[node] == 0) {
        GA_TRY(reserve(context, out->node_count + 1, sizeof *out->nodes, &out->node_room, &out->nodes));
        out->nodes[out->node_count++] = node;
        s->local[node] = (uint32_t)out->node_count;
    }
    *number = s->local[node] - 1;
done:
    return status;
}

static int by_source(const void *a, const void *b)
{
    const ga__drawn *x = a, *y = b;
    return x->source != y->source ? (x->source > y->source) - (x->source < y->source)
                                  : (x->place > y->place) - (x->place < y->place);
}

static ga_status put_row(ga_context *context, ga__sampler *s, int64_t count, ga__sampled *out)
{
    ga_status status = GA_OK;
    int64_t end = out->edge_count + count, room = ga__max(end, 1), weight_room = out->edge_room;
    if (count > 1) {
        qsort(s->row, (size_t)count, sizeof *s->row, by_source);
    }
    GA_TRY(s->degrees ? reserve(context, room, sizeof *out->weights, &weight_room, &out->weights) : GA_OK);
    GA_TRY(reserve(context, room, sizeof *out->sources, &out->edge_room, &out->sources));
    for (int64_t i = 0; i < count; i++) {
        out->sources[out->edge_count + i] = s->row[i].source;
        if (s->degrees) {
            out->weights[out->edge_count + i] = s->row[i].weight;
        }
    }
    out->edge_count = end;
done:
    return status;
}

/* The incoming edges of node number `target` of the batch: all loops, and `most` of the others (-1 = all, -2 = none). */
static ga_status draw_row(ga_context *context, ga__sampler *s, int64_t target, int64_t most, ga__sampled *out)
{
    ga_status status = GA_OK;
    const ga__messages *m = s->options.whole->data.graph;
    const uint32_t *sources = m->edges.sources;
    int64_t node = out->nodes[target], from = m->edges.offsets[node], to = m->edges.offsets[node + 1];
    int64_t loop = first_from(sources, from, to, (uint64_t)node);
    int64_t loops = first_from(sources, loop, to, (uint64_t)node + 1) - loop, others = to - from - loops;
    int64_t k = most == -1 ? others : most < 0 ? 0 : ga__min(most, others), count = 0;
    GA_TRY(reserve(context, k + loops + 1, sizeof *s->row, &s->row_room, &s->row));
    GA_TRY(reserve(context, k, sizeof *s->draws, &s->draw_room, &s->draws));
    if (k > 0 && k < others) {
        ga__random stream =
            ga__random_at(s->options.seed, GA__RANDOM_NEIGHBOURS, (uint64_t)s->epoch << 32 | (uint64_t)node);
        ga__random_choose(&stream, others, k, s->draws);
    }
    for (int64_t i = 0; i < k; i++) {
        int64_t e = from + (k < others ? s->draws[i] : i);
        e += e >= loop ? loops : 0;
        ga__drawn *edge = &s->row[count++];
        GA_TRY(number_of(context, s, sources[e], out, &edge->source));
        edge->place = e;
        edge->weight = (m->weights ? m->weights[e] : 1) * ((double)others / (double)k);
    }
    for (int64_t e = loop; e < loop + loops; e++) {
        s->row[count++] = (ga__drawn){ (uint32_t)target, e, m->weights ? m->weights[e] : 1 };
    }
    if (most == -2 && s->degrees &&
        to > from) { /* one loop stands for all edges: the degree is that of the whole graph */
        s->row[0] = (ga__drawn){ (uint32_t)target, from, s->degrees[node] };
        count = 1;
    }
    status = put_row(context, s, count, out);
done:
    return status;
}

/* Nodes are numbered as they are found, so that those of a hop lie between two bounds, and rows come in their order. */
static ga_status draw_edges(ga_context *context, ga__sampler *s, ga__sampled *out)
{
    ga_status status = GA_OK;
    int64_t hop = 0, end = out->node_count; /* of this hop */
    out->edge_count = 0;
    GA_TRY(put_row(context, s, 0, out)); /* arrays even without an edge */
    for (int64_t i = 0; i < out->node_count; i++) {
        if (i == end) {
            hop++;
            end = out->node_count;
        }
        GA_TRY(reserve(context, i + 2, sizeof *out->offsets, &out->offset_room, &out->offsets));
        out->offsets[i] = out->edge_count;
        GA_TRY(draw_row(context, s, i, hop < s->options.hops ? s->options.fanout[hop] : -2, out));
    }
    out->offsets[out->node_count] = out->edge_count;
done:
    return status;
}

/* ---- features ---- */

static ga_status copy_dense(ga_context *context, const DLTensor *dense, ga__sampled *out)
{
    ga_status status = GA_OK;
    int64_t columns = dense->shape[1], numbers = 0;
    if (!ga__mul(out->node_count, columns, &numbers)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "a batch of %lld nodes", (long long)out->node_count));
    }
    GA_TRY(reserve(context, numbers, sizeof *out->values, &out->value_room, &out->values));
    for (int64_t i = 0; i < out->node_count; i++) {
        memcpy(out->values + i * columns, (const float *)dense->data + out->nodes[i] * columns,
               (size_t)columns * sizeof(float));
    }
done:
    return status;
}

static ga_status copy_sparse(ga_context *context, const ga__sparse_input *sparse, ga__sampled *out)
{
    ga_status status = GA_OK;
    const ga_edges *e = &sparse->edges;
    const float *values = sparse->values ? sparse->values->data : NULL;
    GA_TRY(reserve(context, out->node_count + 1, sizeof *out->entry_offsets, &out->entry_offset_room,
                   &out->entry_offsets));
    out->entry_offsets[0] = 0;
    for (int64_t i = 0; i < out->node_count; i++) {
        out->entry_offsets[i + 1] =
            out->entry_offsets[i] + e->offsets[out->nodes[i] + 1] - e->offsets[out->nodes[i]];
    }
    out->entry_count = out->entry_offsets[out->node_count];
    GA_TRY(reserve(context, out->entry_count, sizeof *out->columns, &out->column_room, &out->columns));
    GA_TRY(values ? reserve(context, out->entry_count, sizeof *out->values, &out->value_room, &out->values)
                  : GA_OK);
    for (int64_t i = 0; i < out->node_count; i++) {
        int64_t from = e->offsets[out->nodes[i]], to = out->entry_offsets[i];
        size_t count = (size_t)(out->entry_offsets[i + 1] - to);
        if (count > 0) {
            memcpy(out->columns + to, e->sources + from, count * sizeof *e->sources);
        }
        if (values && count > 0) {
            memcpy(out->values + to, values + from, count * sizeof *values);
        }
    }
done:
    return status;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

ga_status ga__sample(ga_context *context, ga__sampler *s, const ga__nodes *seeds, ga__sampled *out)
{
    ga_status status = GA_OK;
    const ga__model_data *whole = &s->options.whole->data;
    uint32_t number;
    out->node_count = 0;
    out->seed_count = seeds->count;
    GA_TRY(reserve(context, seeds->count, sizeof *out->nodes, &out->node_room, &out->nodes));
    memcpy(out->nodes, seeds->list, (size_t)seeds->count * sizeof *out->nodes);
    qsort(out->nodes, (size_t)seeds->count, sizeof *out->nodes, ascending);
    for (int64_t i = 0; i < seeds->count; i++) {
        GA_TRY(number_of(context, s, out->nodes[i], out, &number));
    }
    GA_TRY(whole->graph ? draw_edges(context, s, out) : GA_OK);
    status =
        whole->sparse ? copy_sparse(context, whole->sparse, out) : copy_dense(context, whole->dense, out);
done:
    for (int64_t i = 0; i < out->node_count; i++) {
        s->local[out->nodes[i]] = 0;
    }
    return status;
}
