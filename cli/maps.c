/* maps.c - graphattn maps: one analysis of attention maps, and its report; what it shares with graphattn cost. */
#include "config.h"

#include "cli/session.h"

static const option rows[] = {
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE", .help = "a parameter of the analysis; may be repeated" },
    { "tensor", 0, OPTION_LIST, AT(tensor), "NAME=FILE", .help = "an input, as .npy; may be repeated" },
    { "causal", 0, OPTION_SWITCH, AT(causal),
      .help = "query r of Nq sees keys up to r + Nk - Nq only, for analyses that ask" },
    PRECISION_ROW,
    BACKEND_ROW,
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "an output of the analysis, as .npy; may be repeated" },
    { "list", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the analyses, their parameters, tensors and outputs, or those of NAME" },
    { 0 }
};
const option_group maps_options = { "Analysis", rows };

int maps_check(session *s)
{
    int bad = check_row(s, "analysis", ga_analyses());
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

static ga_status write_report(session *s, const ga_report *report)
{
    ga_status status = GA_OK;
    ga__sheet sheet = { .output = NULL };
    const char *at;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__sheet_open(s->context, at, s->is.json, &sheet));
    for (int i = 0; i < report->count; i++) {
        const ga_report_row *row = &report->rows[i];
        GA_TRY(row->is_integer ? ga__sheet_integer(&sheet, row->name, row->integer)
                               : ga__sheet_real(&sheet, row->name, row->real));
    }
    status = ga__sheet_close(&sheet);
done:
    ga__sheet_abort(&sheet);
    return status;
}

ga_status run_and_report(session *s, report_fn run)
{
    ga_status status = GA_OK;
    row_call in = { .call = GA_BLOCK_CALL_INIT };
    ga_named_tensor *wanted = NULL;
    ga_report report = { .count = 0 };
    GA_TRY(read_row_call(s, &in));
    in.call.causal = s->is.causal;
    GA_TRY(name_outputs(s, "", &wanted));
    status = run(s->context, s->operands[0], &in.call, wanted + 1, s->is.returned.count, &report);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    GA_TRY(write_returned(s, wanted, false));
    if (!is_standard(s->is.output)) {
        GA_TRY(write_report(s, &report));
    }
    GA_TRY(write_returned(s, wanted, true));
    if (is_standard(s->is.output)) {
        GA_TRY(write_report(s, &report));
    }
done:
    free_outputs(s, wanted);
    free_row_call(s, &in);
    return status;
}

ga_status maps_run(session *s)
{
    return s->is.list_methods ? list_rows(s, "analysis", ga_analyses()) : run_and_report(s, ga_analysis_run);
}
