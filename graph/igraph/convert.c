/* convert.c - graphs to and from igraph. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/igraph/guard.h"

/* ---- from igraph ---- */

/* Fails inside the adapter: words for the caller. */
static ga_status refuse(ga_foreign_graph *found, ga_status status, const char *text)
{
    snprintf(found->message, sizeof found->message, "%s", text);
    return status;
}

static bool read_id(const char *text, uint64_t *id)
{
    uint64_t value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value)) {
            return false;
        }
    }
    *id = value;
    return *text != '\0';
}

static bool number_of_vertex(const igraph_t *from, const char *name, bool text, igraph_integer_t v,
                             uint64_t *id)
{
    if (text) {
        return read_id(igraph_cattribute_VAS(from, name, v), id);
    }
    double value = igraph_cattribute_VAN(from, name, v);
    if (!(value >= 0 && value < 0x1p53 && value == floor(value))) {
        return false;
    }
    *id = (uint64_t)value;
    return true;
}

/* Type of an attribute of vertices or edges; IGRAPH_ATTRIBUTE_UNSPECIFIED when there is none of that name. */
static igraph_error_t find_type(const igraph_t *from, bool of_edges, const char *name,
                                igraph_attribute_type_t *type)
{
    igraph_strvector_t names[3];
    igraph_vector_int_t types[3];
    *type = IGRAPH_ATTRIBUTE_UNSPECIFIED;
    for (int i = 0; i < 3; i++) {
        IGRAPH_CHECK(igraph_strvector_init(&names[i], 0));
        IGRAPH_FINALLY(igraph_strvector_destroy, &names[i]);
        IGRAPH_CHECK(igraph_vector_int_init(&types[i], 0));
        IGRAPH_FINALLY(igraph_vector_int_destroy, &types[i]);
    }
    IGRAPH_CHECK(
        igraph_cattribute_list(from, &names[0], &types[0], &names[1], &types[1], &names[2], &types[2]));
    int part = of_edges ? 2 : 1;
    for (igraph_integer_t i = 0; i < igraph_strvector_size(&names[part]); i++) {
        if (strcmp(igraph_strvector_get(&names[part], i), name) == 0) {
            *type = (igraph_attribute_type_t)VECTOR(types[part])[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        igraph_vector_int_destroy(&types[i]);
        igraph_strvector_destroy(&names[i]);
    }
    IGRAPH_FINALLY_CLEAN(6);
    return IGRAPH_SUCCESS;
}

typedef struct named {
    uint64_t id;
    uint32_t vertex;
} named;

static int by_id(const void *a, const void *b)
{
    const named *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The vertices by the numbers in an attribute of theirs; false when these are no distinct numbers. */
static bool list_by_number(const igraph_t *from, const char *name, bool text, int64_t nodes, named *list)
{
    for (int64_t v = 0; v < nodes; v++) {
        list[v].vertex = (uint32_t)v;
        if (!number_of_vertex(from, name, text, v, &list[v].id)) {
            return false;
        }
    }
    qsort(list, (size_t)nodes, sizeof *list, by_id);
    for (int64_t i = 1; i < nodes; i++) {
        if (list[i].id == list[i - 1].id) {
            return false;
        }
    }
    return true;
}

/* The vertices in the order of the ids that they are called by, in "name" or else in "id". *numbered is false, and a note
 * says so, when they have names that are none. */
static ga_status order_by_id(const igraph_t *from, ga_foreign_graph *found, named *list, bool *numbered)
{
    static const char *const known[] = { "name", "id" };
    bool seen = false;
    *numbered = false;
    for (int i = 0; i < 2 && !*numbered; i++) {
        igraph_attribute_type_t type;
        igraph_error_t code = find_type(from, false, known[i], &type);
        if (code != IGRAPH_SUCCESS) {
            return refuse(found, ga__igraph_status(code), ga__igraph_text());
        }
        if (type == IGRAPH_ATTRIBUTE_STRING || type == IGRAPH_ATTRIBUTE_NUMERIC) {
            seen = true;
            *numbered = list_by_number(from, known[i], type == IGRAPH_ATTRIBUTE_STRING, found->nodes, list);
        }
    }
    if (seen && !*numbered) {
        snprintf(
            found->message, sizeof found->message,
            "names of nodes are no distinct numbers: nodes are numbered from 0 in the order of the file");
    }
    return GA_OK;
}

/* Ids from names: node_of says which node a vertex becomes; NULL when vertices are nodes as they stand. */
static ga_status take_ids(ga_context *context, const igraph_t *from, ga_foreign_graph *found,
                          uint32_t **node_of)
{
    named *list = NULL;
    bool numbered = false;
    ga_status status = ga_alloc(context, found->nodes, sizeof *list, &list);
    status = status == GA_OK ? order_by_id(from, found, list, &numbered) : status;
    if (status == GA_OK && numbered) {
        status = ga_alloc(context, found->nodes, sizeof **node_of, node_of);
        status = status == GA_OK ? ga_alloc(context, found->nodes, sizeof *found->ids, &found->ids) : status;
        for (int64_t i = 0; status == GA_OK && i < found->nodes; i++) {
            found->ids[i] = list[i].id;
            (*node_of)[list[i].vertex] = (uint32_t)i;
        }
    }
    ga_free(context, list);
    return status;
}

static ga_status take_weights(ga_context *context, const igraph_t *from, ga_foreign_graph *found)
{
    igraph_attribute_type_t type;
    igraph_error_t code = find_type(from, true, "weight", &type);
    if (code != IGRAPH_SUCCESS) {
        return refuse(found, ga__igraph_status(code), ga__igraph_text());
    }
    if (type == IGRAPH_ATTRIBUTE_UNSPECIFIED) {
        return GA_OK;
    }
    if (type != IGRAPH_ATTRIBUTE_NUMERIC) {
        return refuse(found, GA_INVALID, "the edge attribute \"weight\" is not numeric");
    }
    ga_status status = ga_alloc(context, found->edges, sizeof *found->weights, &found->weights);
    for (int64_t e = 0; status == GA_OK && e < found->edges; e++) {
        double weight = igraph_cattribute_EAN(from, "weight", e);
        found->weights[e] = (float)weight;
        if (isfinite(weight) && !isfinite(found->weights[e])) {
            snprintf(found->message, sizeof found->message,
                     "the weight %g of edge %" PRId64 " of %" PRId64 " is beyond single precision", weight,
                     e + 1, found->edges);
            status = GA_OVERFLOW;
        }
    }
    return status;
}

ga_status ga__igraph_take(ga_context *context, const igraph_t *from, bool attributes, bool weights,
                          ga_foreign_graph *found)
{
    uint32_t *node_of = NULL;
    *found = (ga_foreign_graph){ .nodes = igraph_vcount(from),
                                 .edges = igraph_ecount(from),
                                 .undirected = !igraph_is_directed(from) };
    if (found->nodes > INT64_C(4294967295)) {
        return refuse(found, GA_LIMIT, "more nodes than 2^32 - 1");
    }
    ga_status status = ga_alloc(context, found->edges, sizeof *found->sources, &found->sources);
    status =
        status == GA_OK ? ga_alloc(context, found->edges, sizeof *found->targets, &found->targets) : status;
    if (attributes && from->attr) {
        status = status == GA_OK ? take_ids(context, from, found, &node_of) : status;
        status = status == GA_OK && weights ? take_weights(context, from, found) : status;
    }
    for (int64_t e = 0; status == GA_OK && e < found->edges; e++) {
        uint32_t source = (uint32_t)IGRAPH_FROM(from, e), target = (uint32_t)IGRAPH_TO(from, e);
        found->sources[e] = node_of ? node_of[source] : source;
        found->targets[e] = node_of ? node_of[target] : target;
    }
    ga_free(context, node_of);
    if (status != GA_OK && !found->message[0]) {
        refuse(found, status, ga_context_error(context));
    }
    return status;
}

/* ---- to igraph ---- */

static igraph_error_t put_names(const ga_graph *graph, const char *names, igraph_t *to)
{
    const uint64_t *ids = ga_graph_ids(graph);
    for (int64_t v = 0; v < ga_graph_nodes(graph); v++) {
        char text[32];
        snprintf(text, sizeof text, "%" PRIu64, ids ? ids[v] : (uint64_t)v);
        IGRAPH_CHECK(igraph_cattribute_VAS_set(to, names, v, text));
    }
    return IGRAPH_SUCCESS;
}

static igraph_error_t put_weights(const ga_graph *graph, igraph_t *to)
{
    igraph_vector_t weights;
    ga_csr out = ga_graph_out(graph);
    IGRAPH_CHECK(igraph_vector_init(&weights, out.nonzeros));
    IGRAPH_FINALLY(igraph_vector_destroy, &weights);
    for (int64_t e = 0; e < out.nonzeros; e++) {
        VECTOR(weights)[e] = (double)out.weights[e];
    }
    IGRAPH_CHECK(igraph_cattribute_EAN_setv(to, "weight", &weights));
    igraph_vector_destroy(&weights);
    IGRAPH_FINALLY_CLEAN(1);
    return IGRAPH_SUCCESS;
}

igraph_error_t ga__igraph_make(const ga_graph *graph, const char *names, bool weights, igraph_t *to)
{
    igraph_vector_int_t ends;
    igraph_t made;
    ga_csr out = ga_graph_out(graph);
    if (out.nonzeros > INT64_MAX / 2) {
        IGRAPH_ERROR("too many edges", IGRAPH_EOVERFLOW);
    }
    IGRAPH_CHECK(igraph_vector_int_init(&ends, 2 * out.nonzeros));
    IGRAPH_FINALLY(igraph_vector_int_destroy, &ends);
    for (int64_t v = 0; v < out.rows; v++) {
        for (int64_t e = out.offsets[v]; e < out.offsets[v + 1]; e++) {
            VECTOR(ends)[2 * e] = v;
            VECTOR(ends)[2 * e + 1] = out.targets[e];
        }
    }
    IGRAPH_CHECK(igraph_create(&made, &ends, ga_graph_nodes(graph), IGRAPH_DIRECTED));
    IGRAPH_FINALLY(igraph_destroy, &made);
    if (names) {
        IGRAPH_CHECK(put_names(graph, names, &made));
    }
    if (weights && out.weights) {
        IGRAPH_CHECK(put_weights(graph, &made));
    }
    IGRAPH_FINALLY_CLEAN(1);
    igraph_vector_int_destroy(&ends);
    IGRAPH_FINALLY_CLEAN(1);
    *to = made;
    return IGRAPH_SUCCESS;
}

/* ---- the public calls ---- */

typedef struct making {
    const ga_graph *graph;
    bool attributes;
    igraph_t *to;
} making;

static igraph_error_t make(void *of)
{
    const making *m = of;
    const char *names = m->attributes && ga_graph_ids(m->graph) ? "name" : NULL;
    return ga__igraph_make(m->graph, names, m->attributes, m->to);
}

ga_status ga_graph_to_igraph(ga_context *context, const ga_graph *graph, igraph_t *to)
{
    ga__igraph_guard guard;
    char text[GA__IGRAPH_TEXT + 16];
    ga__igraph_enter(&guard);
    ga__igraph_their_attributes(&guard);
    making m = { graph, guard.plain_attributes, to };
    ga_status status = ga__igraph_status(ga__igraph_call(make, &m));
    snprintf(text, sizeof text, "igraph: %s", ga__igraph_text());
    ga__igraph_leave(&guard);
    return status == GA_OK ? GA_OK : ga_context_fail(context, status, text);
}

static ga_status build(ga_context *context, const ga_foreign_graph *found, ga_loops loops, ga_multi multi,
                       ga_graph **graph)
{
    return ga_graph_from_weighted_edges(context, found->nodes, found->edges, found->sources, found->targets,
                                        found->weights, found->undirected, found->ids, loops, multi, graph);
}

ga_status ga_graph_from_igraph(ga_context *context, const igraph_t *from, bool weights, ga_loops loops,
                               ga_multi multi, ga_graph **graph)
{
    ga__igraph_guard guard;
    ga_foreign_graph found;
    ga_context_fail(context, GA_OK, "");
    ga__igraph_enter(&guard);
    ga_status status = ga__igraph_take(context, from, guard.plain_attributes, weights, &found);
    ga__igraph_leave(&guard);
    if (status != GA_OK) {
        ga_context_fail(context, status, found.message);
    } else {
        status = build(context, &found, loops, multi, graph);
    }
    ga_free(context, found.sources);
    ga_free(context, found.targets);
    ga_free(context, found.weights);
    ga_free(context, found.ids);
    return status;
}
