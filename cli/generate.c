/* generate.c - graphattn generate: test graphs. */
#include "config.h"

#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "nodes", 'n', OPTION_INTEGER, AT(nodes), "N",
      .help = "number of nodes; grid: of a near square without --rows" },
    { "edges", 'm', OPTION_INTEGER, AT(edges), "M",
      .help = "number of edges of er, rmat, sbm; ba: M / N edges a new node, at least 1" },
    { "a", 0, OPTION_REAL, AT(a), "P", .help = "rmat: probability of the first quadrant (default: 0.57)",
      .most = 1 },
    { "b", 0, OPTION_REAL, AT(b), "P", .help = "rmat: of the second (default: 0.19)", .most = 1 },
    { "c", 0, OPTION_REAL, AT(c), "P", .help = "rmat: of the third (default: 0.19)", .most = 1 },
    { "keep-duplicates", 0, OPTION_SWITCH, AT(keep_duplicates),
      .help = "rmat: keep loops and repeated edges" },
    { "blocks", 0, OPTION_INTEGER, AT(blocks), "K", .help = "sbm: number of equal blocks (default: 4)",
      .low = 1 },
    { "mixing", 0, OPTION_REAL, AT(mixing), "P",
      .help = "sbm: share of edges that leave their block (default: 0.1)", .most = 1 },
    { "rows", 0, OPTION_INTEGER, AT(rows), "R", .help = "grid: number of rows", .low = 1 },
    { "columns", 0, OPTION_INTEGER, AT(columns), "C", .help = "grid: number of columns", .low = 1 },
    { "torus", 0, OPTION_SWITCH, AT(torus), .help = "grid: opposite borders are neighbours" },
    { "list-models", 0, OPTION_SWITCH, AT(list_methods), .help = "list the models and end" },
    { 0 }
};
const option_group generate_options = { "Model", rows };

static const char *model_at(const void *user, int i)
{
    (void)user;
    return ga_generate_models(NULL)[i].name;
}

static bool is_model(const char *name)
{
    const char *model;
    for (int i = 0; (model = model_at(NULL, i)) != NULL; i++) {
        if (strcmp(model, name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_sizes(session *s)
{
    const char *model = s->operands[0];
    bool grid = strcmp(model, "grid") == 0, ba = strcmp(model, "ba") == 0;
    if (grid && s->is.rows > 0 && s->is.columns > 0) {
        return 0;
    }
    if (s->is.nodes < 0) {
        return usage_error(s, grid ? "needs --rows and --columns, or --nodes" : "needs --nodes (-n)");
    }
    if (!grid && !ba && s->is.edges < 0) {
        return usage_error(s, "needs --edges (-m)");
    }
    return 0;
}

int generate_check(session *s)
{
    if (s->is.list_methods) {
        return 0;
    }
    if (s->operand_count == 0) {
        print_usage(s->what);
        return EXIT_USAGE;
    }
    if (!is_model(s->operands[0])) {
        const char *near = nearest_word(s->operands[0], model_at, NULL);
        return near ? usage_error(s, "unknown model \"%s\"; did you mean %s?", s->operands[0], near)
                    : usage_error(s, "unknown model \"%s\"; --list-models lists them", s->operands[0]);
    }
    writes(s, s->is.output);
    int bad = check_sizes(s);
    return bad ? bad : check_graph_output(s);
}

static ga_status list_models(void)
{
    for (const ga_generator_info *m = ga_generate_models(NULL); m->name; m++) {
        printf("%s\t%s\n", m->name, m->summary);
    }
    return GA_OK;
}

ga_status generate_run(session *s)
{
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    ga_generate_options o = GA_GENERATE_OPTIONS_INIT;
    if (s->is.list_methods) {
        return list_models();
    }
    o.model = s->operands[0];
    o.nodes = ga__max(s->is.nodes, 0);
    o.edges = ga__max(s->is.edges, 0);
    o.a = s->is.a;
    o.b = s->is.b;
    o.c = s->is.c;
    o.keep_duplicates = s->is.keep_duplicates;
    o.blocks = s->is.blocks;
    o.mixing = s->is.mixing;
    o.rows = s->is.rows;
    o.columns = s->is.columns;
    o.torus = s->is.torus;
    GA_TRY(ga_graph_generate(s->context, &o, &graph));
    status = write_graph(s, graph, s->is.output);
done:
    ga_graph_destroy(s->context, graph);
    return status;
}
