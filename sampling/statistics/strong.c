/* strong.c - strongly connected components: Tarjan's search (1972) without recursion, in the form of Pearce (2016), where
 * a node's number serves as its low link and, when it is done, as its component. */
#include "config.h"

#include "sampling/statistics/study.h"

enum { ASK = 1 << 16 };

/* Numbers count up from 1 as nodes are met and components down from the top, so that a node of a finished component is
 * never lower than one that is still on the way. */
typedef struct search {
    const ga__study *study;
    uint32_t *low; /* 0 = not met */
    uint32_t *
        way; /* nodes from the start to the one at hand, from the left; met and not in a component, from the right */
    int64_t *edge;                      /* by node on the way: its next edge */
    int64_t depth, waiting, next, last; /* last: the component found last */
    bool *is_root;                      /* by node: no edge to a lower one yet */
} search;

static void meet(search *s, uint32_t v)
{
    s->low[v] = (uint32_t)s->next++;
    s->is_root[v] = true;
    s->edge[v] = s->study->out.offsets[v];
    s->way[s->depth++] = v;
}

static void lower(search *s, uint32_t v, uint32_t by)
{
    if (s->low[by] < s->low[v]) {
        s->low[v] = s->low[by];
        s->is_root[v] = false;
    }
}

/* The node at hand has no edge left. */
static void leave(search *s, uint32_t v)
{
    s->depth--;
    if (!s->is_root[v]) {
        s->way[--s->waiting] = v;
        return;
    }
    s->last--;
    s->next--;
    while (s->waiting < s->study->nodes && s->low[v] <= s->low[s->way[s->waiting]]) {
        s->low[s->way[s->waiting++]] = (uint32_t)s->last;
        s->next--;
    }
    s->low[v] = (uint32_t)s->last;
}

static void search_from(search *s, uint32_t start)
{
    ga_csr out = s->study->out;
    meet(s, start);
    while (s->depth > 0) {
        uint32_t v = s->way[s->depth - 1], below = 0;
        bool deeper = false;
        int64_t e = s->edge[v], end = out.offsets[v + 1];
        for (; e < end && !deeper; e++) {
            uint32_t w = out.targets[e];
            if (s->low[w] == 0) {
                deeper = true;
                below = w;
            } else {
                lower(s, v, w);
            }
        }
        s->edge[v] = e;
        if (deeper) {
            meet(s, below);
            continue;
        }
        leave(s, v);
        if (s->depth > 0) {
            lower(s, s->way[s->depth - 1], v);
        }
    }
}

/* Numbers of components from 0 on, in the order of their lowest nodes. */
static ga_status number_components(ga__study *study, const search *s)
{
    ga_status status = GA_OK;
    ga__strong *strong = &study->strong;
    uint32_t *number = NULL;
    int64_t top = UINT32_MAX, found = top - s->last;
    GA_TRY(GA_NEW_ZERO(study->context, found, &number)); /* 1 + number */
    GA_TRY(GA_NEW_ZERO(study->context, found, &strong->sizes));
    for (int64_t v = 0; v < study->nodes; v++) {
        uint32_t *of = &number[top - 1 - s->low[v]];
        if (*of == 0) {
            *of = (uint32_t)++strong->count;
        }
        strong->of[v] = *of - 1;
        strong->sizes[*of - 1]++;
    }
done:
    ga_free(study->context, number);
    return status;
}

ga_status ga__study_strong(ga__study *study)
{
    ga_status status = GA_OK;
    search s = { .study = study, .next = 1, .last = UINT32_MAX, .waiting = study->nodes };
    if (study->strong.found) {
        return GA_OK;
    }
    if (study->nodes >= UINT32_MAX / 2) { /* numbers of nodes and of components would meet */
        return ga__fail(study->context, GA_LIMIT, "scc: more than 2^31 nodes");
    }
    GA_TRY(GA_NEW_ZERO(study->context, study->nodes, &s.low));
    GA_TRY(GA_NEW(study->context, study->nodes, &s.way));
    GA_TRY(GA_NEW(study->context, study->nodes, &s.edge));
    GA_TRY(GA_NEW(study->context, study->nodes, &s.is_root));
    for (int64_t v = 0; v < study->nodes; v++) {
        if (s.low[v] == 0) {
            search_from(&s, (uint32_t)v);
        }
        if (v % ASK == 0) {
            GA_TRY(ga__check(study->context));
        }
    }
    GA_TRY(GA_NEW(study->context, study->nodes, &study->strong.of));
    GA_TRY(number_components(study, &s));
    study->strong.found = true;
done:
    ga_free(study->context, s.low);
    ga_free(study->context, s.way);
    ga_free(study->context, s.edge);
    ga_free(study->context, s.is_root);
    return status;
}
