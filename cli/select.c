/* select.c - graphattn select: the keys that a variant chooses from q and k, as a graph, index lists and a report. */
#include "config.h"

#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "query", 'Q', OPTION_TEXT, AT(q), "FILE", .help = "queries (B, H, Nq, D), as .npy" },
    { "key", 'K', OPTION_TEXT, AT(k), "FILE", .help = "keys (B, H_kv, Nk, D)" },
    { "value", 'V', OPTION_TEXT, AT(v), "FILE",
      .help = "values (B, H_kv, Nk, Dv), for the report (default: the keys)" },
    { "scale", 0, OPTION_REAL, AT(scale), "X",
      .help = "factor of the scores (default: the variant's, mostly 1/sqrt(D))", .least = -1e300 },
    { "head", 0, OPTION_INTEGER, AT(head), "N", .help = "query head to write, from 0 (default: 0)" },
    { "entry", 0, OPTION_INTEGER, AT(entry), "B", .help = "batch entry to write, from 0 (default: 0)" },
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "an index list or flag of the variant, of all heads, as .npy; may be repeated" },
    { "report", 0, OPTION_TEXT, AT(report), "FILE",
      .help = "kept mass, recall, density, cost and times of all heads" },
    { "json", 0, OPTION_SWITCH, AT(json), .help = "the report as JSON instead of tab-separated lines" },
    PRECISION_ROW,
    BACKEND_ROW,
    { "list", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the variants that select, their parameters, tensors and outputs, or those of VARIANT" },
    { 0 }
};
const option_group select_options = { "Selection", rows };

/* ---- what goes together ---- */

static bool selects(const char *name)
{
    const ga_variant *variant = ga_variant_find(name);
    return variant && variant->can & GA_SELECTS;
}

/* Outputs of the choice; o, lse, map and gradients are attend's. */
static int check_returned(const session *s)
{
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *word = s->is.returned.words[i], *path;
        if (!split_pair(word, &path)) {
            return check_pairs(s, "--return", &s->is.returned);
        }
        static const char *const others[] = { "o",       "lse", "map",    "stats",
                                              "entropy", "max", "argmax", "column_sum" };
        size_t length = (size_t)(path - word) - 1;
        bool other = length > 5 && memcmp(word, "grad_", 5) == 0;
        for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
            other = other || (strlen(others[o]) == length && memcmp(others[o], word, length) == 0);
        }
        if (other) {
            return usage_error(s, "--return %s: expected a list of the choice; attend gives %.*s", word,
                               (int)length, word);
        }
    }
    return 0;
}

int select_check(session *s)
{
    int bad = s->operand_count ? check_inputs(s) : 0;
    writes(s, s->is.output);
    if (!bad && s->operand_count && !selects(s->operands[0])) {
        bad = usage_error(s, "%s does not select keys; 'graphattn select --list' lists those that do",
                          s->operands[0]);
    }
    if (bad || s->is.list_methods) {
        return bad;
    }
    if (!s->operand_count) {
        return usage_error(s, "needs VARIANT; --list lists them");
    }
    if (!s->is.q || !s->is.k) {
        return usage_error(s, "needs -Q and -K");
    }
    bad = check_returned(s);
    bad = bad ? bad : check_backend(s);
    bad = bad ? bad : check_graph_output(s);
    reads(s, s->is.q);
    reads(s, s->is.k);
    reads(s, s->is.v);
    writes(s, s->is.report);
    if (!bad) {
        writes_returned(s);
    }
    return bad;
}

/* ---- the list ---- */

static ga_status list_variants(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *at;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &out));
    GA_TRY(ga__output_print(s->context, out, "#variant\tkind\tname\ttype\tdefault\trange\tmeaning\n"));
    for (const ga_variant *const *row = ga_variants(); *row; row++) {
        const ga_variant *v = *row;
        bool wanted = s->operand_count == 0 || strcmp(s->operands[0], v->name) == 0;
        if (v->can & GA_SELECTS && wanted) {
            GA_TRY(ga__output_print(s->context, out, "%s\tvariant\t%s\t\t\t\t%s\n", v->name, v->name,
                                    v->summary));
            GA_TRY(print_tables(s, v->name, v->parameters, v->tensors, out));
            GA_TRY(ga__output_print(s->context, out, "%s\toutput\t%s\t\t\t\t\n", v->name, v->outputs));
        }
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- the choice ---- */

/* The head and the entry that were asked for, as a graph. */
static ga_status make_graph(session *s, const ga_selection *selection, ga_graph **graph)
{
    ga_status status = GA_OK;
    ga_pattern *pattern = NULL;
    if (s->is.head >= selection->query_heads || s->is.entry >= selection->batch) {
        s->wrong_usage = true;
        GA_TRY(complain(s, GA_INVALID,
                        "--head %lld, --entry %lld: expected numbers below the %lld heads and %lld entries",
                        (long long)s->is.head, (long long)s->is.entry, (long long)selection->query_heads,
                        (long long)selection->batch));
    }
    GA_TRY(ga_pattern_selected(s->context, selection, s->is.entry, &pattern));
    GA_TRY(ga_pattern_to_graph(s->context, pattern, ga_pattern_heads(pattern) == 1 ? 0 : s->is.head, graph));
done:
    ga_pattern_destroy(s->context, pattern);
    return status;
}

static ga_status write_figures(session *s, const ga_report *report)
{
    ga_status status = GA_OK;
    ga__sheet sheet = { .output = NULL };
    const char *at;
    GA_TRY(place(s, s->is.report, &at));
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

typedef struct results {
    ga_selection *selection;
    ga_graph *graph;
    ga_named_tensor *wanted; /* from 1 on */
    ga_report report;
} results;

/* Standard output last: what fails must fail before data flow into a pipe. */
static ga_status write_results(session *s, const results *r)
{
    ga_status status = GA_OK;
    for (int turn = 0; turn < 2; turn++) {
        bool standard = turn == 1;
        if (s->is.report && is_standard(s->is.report) == standard) {
            GA_TRY(write_figures(s, &r->report));
        }
        GA_TRY(write_returned(s, r->wanted, standard));
        if (is_standard(s->is.output) == standard) {
            GA_TRY(write_graph(s, r->graph, s->is.output));
        }
    }
done:
    return status;
}

static ga_status compute(session *s, const ga_attend_call *call, results *r)
{
    ga_status status = GA_OK;
    const char *variant = s->operands[0];
    ga_attend_call with_v = *call;
    with_v.v = call->v ? call->v : call->k;
    status = ga_select(s->context, variant, call, &r->selection);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    if (s->is.returned.count > 0) {
        status = ga_attend(s->context, variant, &with_v, r->wanted + 1, s->is.returned.count);
        s->wrong_usage = status == GA_INVALID;
        GA_TRY(status);
    }
    if (s->is.report) {
        GA_TRY(ga_selection_report(s->context, variant, call, r->selection, &r->report));
    }
    status = make_graph(s, r->selection, &r->graph);
done:
    return status;
}

ga_status select_run(session *s)
{
    ga_status status = GA_OK;
    attend_inputs in = { .call = GA_ATTEND_CALL_INIT };
    results r = { .selection = NULL };
    if (s->is.list_methods) {
        return list_variants(s);
    }
    GA_TRY(set_backend(s));
    GA_TRY(read_inputs(s, &in));
    in.call.scale = s->is.scale;
    in.call.f64 = s->is.precision == PRECISION_F64;
    GA_TRY(name_outputs(s, "", &r.wanted));
    GA_TRY(compute(s, &in.call, &r));
    GA_TRY(write_results(s, &r));
done:
    free_outputs(s, r.wanted);
    ga_graph_destroy(s->context, r.graph);
    ga_selection_destroy(s->context, r.selection);
    free_inputs(s, &in);
    return status;
}
