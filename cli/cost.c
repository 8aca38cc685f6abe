/* cost.c - graphattn cost: what something costs, in numbers. */
#include "config.h"

#include "cli/session.h"

static const option rows[] = {
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE", .help = "a parameter; may be repeated" },
    { "tensor", 0, OPTION_LIST, AT(tensor), "NAME=FILE", .help = "an input, as .npy; may be repeated" },
    { "causal", 0, OPTION_SWITCH, AT(causal),
      .help = "query r of Nq sees keys up to r + Nk - Nq only (variant)" },
    BACKEND_ROW,
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "one of the numbers, as .npy; may be repeated" },
    { "list", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the cost models, their parameters, tensors and outputs, or those of NAME" },
    { 0 }
};
const option_group cost_options = { "Cost", rows };

int cost_check(session *s)
{
    int bad = check_row(s, "cost", ga_costs());
    bad = bad || s->is.list_methods ? bad : check_row_inputs(s);
    if (bad) {
        return bad;
    }
    writes(s, s->is.output);
    if (!s->is.list_methods) {
        writes_returned(s);
    }
    return 0;
}

ga_status cost_run(session *s)
{
    return s->is.list_methods ? list_rows(s, "cost", ga_costs()) : run_and_report(s, ga_cost_run);
}
