/* block.c - graphattn block: one of the blocks that stand around attention, forward or backward; what it shares with
 * graphattn maps. */
#include "config.h"

#include <string.h>

#include "cli/session.h"

static const option rows[] = {
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE", .help = "a parameter of the block; may be repeated" },
    { "tensor", 0, OPTION_LIST, AT(tensor), "NAME=FILE", .help = "an input, as .npy; may be repeated" },
    GRAD_OUTPUT_ROW,
    PRECISION_ROW,
    BACKEND_ROW,
    { "list", 0, OPTION_SWITCH, AT(list_methods),
      .help = "list the blocks, their parameters, tensors and outputs, or those of NAME" },
    { 0 }
};
const option_group block_options = { "Block", rows };

static const option result_rows[] = {
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where y goes, as .npy, of blocks that have one (default: -, standard output)" },
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "another output: gate, codes, ..., grad_NAME of a tensor; may be repeated" },
    { 0 }
};
const option_group block_result_options = { "Result", result_rows };

/* ---- usage ---- */

static const char *block_at(const void *user, int i)
{
    const ga_block *const *table = user;
    return table[i] ? table[i]->name : NULL;
}

const ga_block *find_row(const ga_block *const *table, const char *name)
{
    int i = 0;
    while (table[i] && strcmp(table[i]->name, name) != 0) {
        i++;
    }
    return table[i];
}

int check_row(const session *s, const char *kind, const ga_block *const *table)
{
    const char *name = s->operands[0];
    if (s->operand_count == 0) {
        return s->is.list_methods ? 0 : usage_error(s, "needs a name; --list lists them");
    }
    if (find_row(table, name)) {
        return 0;
    }
    const char *near = nearest_word(name, block_at, table);
    if (near) {
        return usage_error(s, "no %s '%s'; did you mean %s?", kind, name, near);
    }
    return usage_error(s, "no %s '%s'; 'graphattn %s --list' lists them", kind, name, s->what->name);
}

int check_row_inputs(session *s)
{
    int bad = check_pairs(s, "--set", &s->is.set);
    bad = bad ? bad : check_pairs(s, "--tensor", &s->is.tensor);
    bad = bad ? bad : check_pairs(s, "--return", &s->is.returned);
    bad = bad ? bad : check_backend(s);
    if (!bad && (s->is.tensor.count > FILES - 4 || s->is.returned.count > FILES - 2)) {
        bad = usage_error(s, "too many files");
    }
    if (bad) {
        return bad;
    }
    reads(s, s->is.grad_output);
    for (int i = 0; i < s->is.tensor.count; i++) {
        const char *path;
        (void)split_pair(s->is.tensor.words[i], &path);
        reads(s, path);
    }
    return 0;
}

void writes_returned(session *s)
{
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *path;
        (void)split_pair(s->is.returned.words[i], &path);
        writes(s, path);
    }
}

/* y stands among the outputs. */
static bool has_y(const ga_block *block)
{
    return strcmp(block->outputs, "y") == 0 || strncmp(block->outputs, "y,", 2) == 0;
}

int block_check(session *s)
{
    int bad = check_row(s, "block", ga_blocks());
    if (!bad && s->is.list_methods) {
        writes(s, s->is.output);
        return 0;
    }
    bad = bad ? bad : check_row_inputs(s);
    if (bad) {
        return bad;
    }
    const ga_block *block = ga_block_find(s->operands[0]);
    if (has_y(block)) {
        writes(s, s->is.output);
    } else if (strcmp(s->is.output, "-") != 0) {
        return usage_error(s, "%s has no y for --output; --return NAME=FILE takes its outputs: %s",
                           block->name, block->outputs);
    } else if (s->is.returned.count == 0) {
        return usage_error(s, "needs --return NAME=FILE; the outputs of %s are %s", block->name,
                           block->outputs);
    }
    writes_returned(s);
    return 0;
}

/* ---- the list ---- */

static ga_status list_row(session *s, const char *kind, const ga_block *block, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "%s\t%s\t%s\t\t\t\t%s\n", block->name, kind, block->name,
                            block->summary));
    GA_TRY(print_tables(s, block->name, block->parameters, block->tensors, out));
    status = ga__output_print(s->context, out, "%s\toutput\t%s%s\t\t\t\t\n", block->name, block->outputs,
                              ga_block_has_gradients(block) ? ", grad_NAME" : "");
done:
    return status;
}

ga_status list_rows(session *s, const char *kind, const ga_block *const *table)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    const char *at;
    GA_TRY(place(s, s->is.output, &at));
    GA_TRY(ga__output_open(s->context, at, false, &out));
    GA_TRY(ga__output_print(s->context, out, "#%s\tkind\tname\ttype\tdefault\trange\tmeaning\n", kind));
    for (int i = 0; table[i]; i++) {
        if (s->operand_count == 0 || strcmp(s->operands[0], table[i]->name) == 0) {
            GA_TRY(list_row(s, kind, table[i], out));
        }
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- a run ---- */

ga_status read_row_call(session *s, row_call *in)
{
    ga_status status = GA_OK;
    *in = (row_call){ .call = GA_BLOCK_CALL_INIT };
    GA_TRY(set_backend(s));
    GA_TRY(read_named(s, &in->named));
    GA_TRY(read_tensor(s, s->is.grad_output, &in->grad));
    in->call.parameters = in->named.parameters;
    in->call.parameter_count = in->named.parameter_count;
    in->call.tensors = in->named.tensors;
    in->call.tensor_count = in->named.tensor_count;
    in->call.grad_y = in->grad;
    in->call.f64 = s->is.precision == PRECISION_F64;
done:
    return status;
}

void free_row_call(session *s, row_call *in)
{
    free_named(s, &in->named);
    ga_tensor_destroy(s->context, in->grad);
}

/* As .npy, or by its name as a picture. */
static ga_status write_result(session *s, const DLTensor *tensor, const char *path)
{
    size_t length = strlen(path);
    const char *at;
    if (length < 4 || strcmp(path + length - 4, ".png") != 0) {
        return write_tensor(s, tensor, path);
    }
    ga_status status = place(s, path, &at);
    status = status == GA_OK ? ga_matrix_draw(s->context, tensor, at) : status;
    s->wrong_usage = status == GA_INVALID;
    return status;
}

ga_status write_returned(session *s, const ga_named_tensor *wanted, bool to_standard)
{
    ga_status status = GA_OK;
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *path;
        (void)split_pair(s->is.returned.words[i], &path);
        if (is_standard(path) == to_standard) {
            GA_TRY(write_result(s, wanted[i + 1].tensor, path));
        }
    }
done:
    return status;
}

ga_status block_run(session *s)
{
    ga_status status = GA_OK;
    row_call in = { .call = GA_BLOCK_CALL_INIT };
    ga_named_tensor *wanted = NULL;
    if (s->is.list_methods) {
        return list_rows(s, "block", ga_blocks());
    }
    int first = has_y(ga_block_find(s->operands[0])) ? 0 : 1;
    GA_TRY(read_row_call(s, &in));
    GA_TRY(name_outputs(s, "y", &wanted));
    status =
        ga_block_run(s->context, s->operands[0], &in.call, wanted + first, s->is.returned.count + 1 - first);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    if (first == 0) {
        GA_TRY(write_outputs(s, wanted));
    } else {
        GA_TRY(write_returned(s, wanted, false));
        GA_TRY(write_returned(s, wanted, true));
    }
done:
    free_outputs(s, wanted);
    free_row_call(s, &in);
    return status;
}
