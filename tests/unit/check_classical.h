/* check_classical.h - what the tests of classical samplers share. */
#ifndef CHECK_CLASSICAL_H
#define CHECK_CLASSICAL_H

#include <math.h>

#include "check_sampling.h"
#include "sampling/classical/draw.h"

enum { MOST_GIVEN = 6 };

/* "name=value" words as parameters; NULL at the end. */
typedef struct call {
    ga_sample_options options;
    ga_named_text given[MOST_GIVEN];
    char text[MOST_GIVEN][64];
} call;

/* parameters: "a=1 b=2", or "". */
static inline void call_of(call *c, const char *method, const char *parameters)
{
    static const ga_sample_options initial = GA_SAMPLE_OPTIONS_INIT;
    c->options = initial;
    c->options.method = method;
    c->options.parameters = c->given;
    for (const char *at = parameters; *at;) {
        size_t size = strcspn(at, " ");
        int64_t i = c->options.parameter_count++;
        ck_assert(i < MOST_GIVEN && size < sizeof c->text[0]);
        memcpy(c->text[i], at, size);
        c->text[i][size] = '\0';
        char *equals = strchr(c->text[i], '=');
        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        c->given[i] = (ga_named_text){ c->text[i], equals + 1 };
        at += size + (at[size] == ' ');
    }
}

static inline void must_sample(ga_context *context, const ga_graph *graph, const call *c, ga_graph **sample,
                               int64_t **donors)
{
    ga_status status = ga_sample(context, graph, &c->options, sample, donors, NULL);
    ck_assert_msg(status == GA_OK, "%s: %s: %s", c->options.method, ga_status_name(status),
                  ga_context_error(context));
}

static inline bool counts_edges(const char *method)
{
    return ga_sample_method_find(method)->sampler->counts_edges;
}

static inline bool has_edge(const ga_graph *g, int64_t u, int64_t v)
{
    for (int64_t e = g->out_offsets[u]; e < g->out_offsets[u + 1]; e++) {
        if (g->out_targets[e] == v) {
            return true;
        }
    }
    return false;
}

#endif
