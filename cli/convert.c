/* convert.c - graphattn convert: from one graph format to another. */
#include "config.h"

#include "cli/session.h"

static const option rows[] = { { "weights", 0, OPTION_SWITCH, AT(weights),
                                 .help = "keep weights (third column; summed when edges are collapsed)" },
                               { 0 } };
const option_group convert_options = { "Content", rows };

int convert_check(session *s)
{
    reads(s, input_path(s));
    writes(s, s->is.output);
    return check_graph_output(s);
}

ga_status convert_run(session *s)
{
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    GA_TRY(read_graph(s, &graph, NULL, NULL));
    status = write_graph(s, graph, s->is.output);
done:
    ga_graph_destroy(s->context, graph);
    return status;
}
