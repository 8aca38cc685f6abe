/* info.c - graphattn info: what a graph file holds. */
#include "config.h"

#include "cli/session.h"
#include "sampling/matrices.h"

/* Smallest and largest of each side, and nodes without any edge. */
typedef struct degree_facts {
    int64_t isolated;
    uint32_t least_out, most_out, least_in, most_in;
} degree_facts;

typedef struct facts {
    ga_read_report file;
    ga_graph *graph;
    degree_facts degrees;
    ga_matrices *matrices;
    ga_r_min r_min;
    int64_t out_classes, in_classes, memory;
} facts;

int info_check(session *s)
{
    reads(s, input_path(s));
    writes(s, s->is.output);
    return 0;
}

static ga_status find_degrees(session *s, const ga_graph *graph, degree_facts *d)
{
    ga_status status = GA_OK;
    uint32_t *out = NULL, *in = NULL;
    int64_t nodes = ga_graph_nodes(graph);
    GA_TRY(GA_NEW(s->context, nodes, &out));
    GA_TRY(GA_NEW(s->context, nodes, &in));
    GA_TRY(ga_graph_degrees(s->context, graph, out, in));
    *d = (degree_facts){ 0, UINT32_MAX, 0, UINT32_MAX, 0 };
    for (int64_t v = 0; v < nodes; v++) {
        d->isolated += out[v] == 0 && in[v] == 0;
        d->least_out = out[v] < d->least_out ? out[v] : d->least_out;
        d->most_out = out[v] > d->most_out ? out[v] : d->most_out;
        d->least_in = in[v] < d->least_in ? in[v] : d->least_in;
        d->most_in = in[v] > d->most_in ? in[v] : d->most_in;
    }
    if (nodes == 0) {
        d->least_out = d->least_in = 0;
    }
done:
    ga_free(s->context, out);
    ga_free(s->context, in);
    return status;
}

static ga_status find_facts(session *s, facts *f)
{
    ga_status status = GA_OK;
    GA_TRY(read_graph(s, &f->graph, &f->file, NULL));
    ga_context_memory(s->context, &f->memory, NULL);
    GA_TRY(find_degrees(s, f->graph, &f->degrees));
    GA_TRY(ga_matrices_count(s->context, f->graph, NULL, &f->matrices));
    GA_TRY(ga_matrices_r_min(s->context, f->matrices, &f->r_min));
    status = ga__count_edge_classes(s->context, f->matrices, &f->out_classes, &f->in_classes);
done:
    return status;
}

static ga_status print_file(ga__sheet *r, const facts *f)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_text(r, "format", ga_format_name(f->file.format)));
    GA_TRY(ga__sheet_text(r, "gzip", f->file.gzip ? "yes" : "no"));
    GA_TRY(ga__sheet_integer(r, "bytes", f->file.bytes));
    GA_TRY(ga__sheet_integer(r, "edge_lines", f->file.edge_lines));
    GA_TRY(ga__sheet_integer(r, "loops", f->file.loops));
    GA_TRY(ga__sheet_integer(r, "duplicates", f->file.duplicates));
    status = ga__sheet_integer(r, "memory", f->memory);
done:
    return status;
}

static ga_status print_graph(ga__sheet *r, const facts *f)
{
    ga_status status = GA_OK;
    int64_t nodes = ga_graph_nodes(f->graph), edges = ga_graph_edges(f->graph);
    GA_TRY(ga__sheet_integer(r, "nodes", nodes));
    GA_TRY(ga__sheet_integer(r, "edges", edges));
    GA_TRY(ga__sheet_integer(r, "isolated", f->degrees.isolated));
    GA_TRY(ga__sheet_real(r, "mean_degree", nodes ? (double)edges / (double)nodes : 0.0));
    GA_TRY(ga__sheet_integer(r, "min_in_degree", f->degrees.least_in));
    GA_TRY(ga__sheet_integer(r, "max_in_degree", f->degrees.most_in));
    GA_TRY(ga__sheet_integer(r, "min_out_degree", f->degrees.least_out));
    status = ga__sheet_integer(r, "max_out_degree", f->degrees.most_out);
done:
    return status;
}

static ga_status print_matrices(ga__sheet *r, const facts *f)
{
    ga_status status = GA_OK;
    GA_TRY(ga__sheet_integer(r, "in_classes", f->in_classes));
    GA_TRY(ga__sheet_integer(r, "out_classes", f->out_classes));
    GA_TRY(ga__sheet_integer(r, "nnz_jdm", ga_matrices_jdm(f->matrices).cells));
    GA_TRY(ga__sheet_integer(r, "nnz_dcm", ga_matrices_dcm(f->matrices).cells));
    GA_TRY(ga__sheet_real(r, "r_min", f->r_min.all));
    GA_TRY(ga__sheet_real(r, "r_min_1", f->r_min.percent_1));
    status = ga__sheet_real(r, "r_min_5", f->r_min.percent_5);
done:
    return status;
}

ga_status info_run(session *s)
{
    ga_status status = GA_OK;
    facts f = { .graph = NULL };
    ga__sheet r = { 0 };
    GA_TRY(find_facts(s, &f));
    GA_TRY(ga__sheet_open(s->context, s->is.output, s->is.json, &r));
    GA_TRY(print_graph(&r, &f));
    GA_TRY(print_matrices(&r, &f));
    GA_TRY(print_file(&r, &f));
    status = ga__sheet_close(&r);
done:
    ga__sheet_abort(&r);
    ga_matrices_destroy(s->context, f.matrices);
    ga_graph_destroy(s->context, f.graph);
    return status;
}
