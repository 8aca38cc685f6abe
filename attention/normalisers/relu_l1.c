/* relu_l1.c - the normaliser relu-l1: w = max(s, 0) / max(sum of max(s, 0), eps). */
#include "config.h"

#include "attention/plan.h"

static const ga_parameter parameters[] = {
    { "eps", GA_PARAMETER_REAL, "1e-6", "> 0", "least divisor", GA__ABOVE(0) },
    { .name = NULL },
};

static ga_status make(ga__job *run, const ga__part *part)
{
    run->problem.normaliser.eps = ga__part_value(part, "eps")->real;
    return GA_OK;
}

const ga__normaliser_entry ga__relu_l1_row = {
    .name = "relu-l1", .parameters = parameters, .kind = GA_RELU_L1, .make = make
};
