/* degree_matrices.c - graphattn jdm and graphattn dcm. */
#include "config.h"

#include "cli/session.h"

static const option rows[] = {
    { "labels", 0, OPTION_TEXT, AT(labels), "FILE",
      .help = "one integer for every node, in the order of ids; classes are then (degree, label)" },
    { 0 }
};
const option_group matrix_options = { NULL, rows };

int matrix_check(session *s)
{
    reads(s, input_path(s));
    reads(s, s->is.labels);
    writes(s, s->is.output);
    return 0;
}

/* How the columns of a matrix are called and where they are. */
typedef struct form {
    bool dcm;
    ga_status (*write)(ga_context *context, const ga_matrices *matrices, const char *path);
} form;

static const char *column_names(const form *which, bool labels)
{
    if (which->dcm) {
        return labels ? "\"in_degree\", \"out_degree\", \"label\", \"nodes\""
                      : "\"in_degree\", \"out_degree\", \"nodes\"";
    }
    return labels ? "\"out_degree\", \"source_label\", \"in_degree\", \"target_label\", \"edges\""
                  : "\"out_degree\", \"in_degree\", \"edges\"";
}

static ga_status json_cell(session *s, ga__output *output, const form *which, const ga_matrix_view *m,
                           int64_t i)
{
    ga_status status = GA_OK;
    long long row = m->row_degree[m->row[i]], column = m->column_degree[m->column[i]];
    GA_TRY(ga__output_print(s->context, output, "%s[%lld, ", i ? ",\n  " : "\n  ", row));
    if (m->row_label && !which->dcm) {
        GA_TRY(ga__output_print(s->context, output, "%lld, ", (long long)m->row_label[m->row[i]]));
    }
    GA_TRY(ga__output_print(s->context, output, "%lld, ", column));
    if (m->column_label) { /* the only one of a DCM: both classes of a node have its label */
        GA_TRY(ga__output_print(s->context, output, "%lld, ", (long long)m->column_label[m->column[i]]));
    }
    status = ga__output_print(s->context, output, "%lld]", (long long)m->count[i]);
done:
    return status;
}

static ga_status write_json(session *s, const form *which, const ga_matrices *matrices)
{
    ga_status status = GA_OK;
    ga__output *output = NULL;
    ga_matrix_view m = which->dcm ? ga_matrices_dcm(matrices) : ga_matrices_jdm(matrices);
    GA_TRY(ga__output_open(s->context, s->is.output, true, &output));
    GA_TRY(ga__output_print(s->context, output, "{\n \"columns\": [%s],\n \"cells\": [",
                            column_names(which, m.row_label != NULL)));
    for (int64_t i = 0; i < m.cells; i++) {
        GA_TRY(json_cell(s, output, which, &m, i));
    }
    GA_TRY(ga__output_print(s->context, output, "\n ]\n}\n"));
    status = ga__output_commit(s->context, output);
    output = NULL;
done:
    ga__output_abort(s->context, output);
    return status;
}

static ga_status count_and_write(session *s, const form *which)
{
    ga_status status = GA_OK;
    ga_graph *graph = NULL;
    int64_t *labels = NULL;
    ga_matrices *matrices = NULL;
    GA_TRY(read_graph(s, &graph, NULL, &labels));
    GA_TRY(ga_matrices_count(s->context, graph, labels, &matrices));
    status = s->is.json ? write_json(s, which, matrices) : which->write(s->context, matrices, s->is.output);
done:
    ga_matrices_destroy(s->context, matrices);
    ga_free(s->context, labels);
    ga_graph_destroy(s->context, graph);
    return status;
}

ga_status jdm_run(session *s)
{
    static const form jdm = { false, ga_jdm_write };
    return count_and_write(s, &jdm);
}

ga_status dcm_run(session *s)
{
    static const form dcm = { true, ga_dcm_write };
    return count_and_write(s, &dcm);
}
