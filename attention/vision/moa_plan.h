/* moa_plan.h - the search for the span rules of a layer. */
#ifndef GA_ATTENTION_VISION_MOA_PLAN_H
#define GA_ATTENTION_VISION_MOA_PLAN_H

#include "attention/blocks.h"

enum { GA__MOA_GOALS = 3, GA__MOA_HEADS = 256 };

/* A plan: two rules, and which heads have the second one. */
typedef struct ga__moa_choice {
    int64_t rule[2];
    uint8_t second[GA__MOA_HEADS];
    double loss[GA__MOA_GOALS];
} ga__moa_choice;

typedef struct ga__moa {
    ga_context *context;
    int64_t heads, block, most_rules, count;
    int length_count, goals, cuts;
    int64_t lengths[GA__LIST];                /* in blocks */
    double bound, least;                      /* of the mean density */
    double *rules;                            /* owned: (count, 2) */
    double *loss[GA__MOA_GOALS], *validation; /* owned: (count, heads) */
    double low[GA__MOA_GOALS],
        high[GA__MOA_GOALS]; /* of the losses of the plans that are best for one goal */
    ga__moa_choice *best;    /* owned: plans that no other one beats */
    int best_count, best_room;
    int64_t unfinished; /* trees that were left before their end */
} ga__moa;

/* Blocks of the last row among n that a rule shows. */
int64_t ga__moa_shown(const ga__moa *p, int64_t rule, int64_t n);
/* Fills low, high and best. GA_INFEASIBLE when no plan has the wanted densities. */
ga_status ga__moa_search(ga__moa *p);

#endif
