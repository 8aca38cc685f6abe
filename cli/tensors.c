/* tensors.c - tensors, edges and parameters of a call of an attention variant, from the command line. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/session.h"
#include "graph/lines.h"
#include "graph/read.h"
#include "graph/text_in.h"

const char *const precision_words[] = { "f32", "f64", NULL };

/* ---- NAME=VALUE ---- */

bool split_pair(const char *text, const char **value)
{
    const char *equals = strchr(text, '=');
    *value = equals ? equals + 1 : NULL;
    return equals && equals > text && equals[1];
}

int check_pairs(const session *s, const char *flag, const word_list *list)
{
    const char *value;
    for (int i = 0; i < list->count; i++) {
        if (!split_pair(list->words[i], &value)) {
            return usage_error(s, "%s: found \"%s\", expected NAME=VALUE", flag, list->words[i]);
        }
    }
    return 0;
}

/* The characters from .. end - 1. Returns owned. */
static ga_status copy_part(session *s, const char *from, const char *end, const char **out)
{
    char *copy = NULL;
    size_t length = (size_t)(end - from);
    ga_status status = ga_alloc(s->context, (int64_t)length + 1, 1, &copy);
    if (status == GA_OK) {
        memcpy(copy, from, length);
        copy[length] = '\0';
        *out = copy;
    }
    return status;
}

ga_status pair_name(session *s, const char *text, const char **name)
{
    return copy_part(s, text, text + strcspn(text, "="), name);
}

/* ---- rows of lists ---- */

static const char *const type_names[] = {
    [GA_PARAMETER_BOOL] = "bool", [GA_PARAMETER_INT] = "int",           [GA_PARAMETER_REAL] = "float",
    [GA_PARAMETER_WORD] = "word", [GA_PARAMETER_INT_LIST] = "int list", [GA_PARAMETER_TEXT] = "string",
};

static ga_status print_parameter(session *s, const char *owner, const ga_parameter *p, ga__output *out)
{
    ga_status status = GA_OK;
    GA_TRY(ga__output_print(s->context, out, "%s\tparameter\t%s\t%s\t%s\t", owner, p->name,
                            type_names[p->type],
                            p->initial    ? p->initial
                            : p->required ? "required"
                                          : ""));
    GA_TRY(ga__output_print(s->context, out, "%s", p->range ? p->range : ""));
    for (int i = 0; p->type == GA_PARAMETER_WORD && p->words[i]; i++) {
        GA_TRY(ga__output_print(s->context, out, "%s%s", i ? "|" : "", p->words[i]));
    }
    status = ga__output_print(s->context, out, "\t%s\n", p->help);
done:
    return status;
}

ga_status print_tables(session *s, const char *owner, const ga_parameter *parameters,
                       const ga_tensor_slot *tensors, ga__output *out)
{
    ga_status status = GA_OK;
    for (const ga_parameter *p = parameters; p && p->name; p++) {
        GA_TRY(print_parameter(s, owner, p, out));
    }
    for (const ga_tensor_slot *t = tensors; t && t->name; t++) {
        GA_TRY(ga__output_print(s->context, out, "%s\ttensor\t%s\t%s\t%s\t\t%s\n", owner, t->name, t->shape,
                                t->optional ? "optional" : "required", t->help));
    }
done:
    return status;
}

/* ---- tensors ---- */

ga_status read_tensor(session *s, const char *path, DLTensor **tensor)
{
    return path ? ga_npy_read(s->context, path, false, tensor) : GA_OK;
}

ga_status write_tensor(session *s, const DLTensor *tensor, const char *path)
{
    const char *at;
    ga_status status = place(s, path, &at);
    return status == GA_OK ? ga_npy_write(s->context, tensor, at) : status;
}

/* ---- edges in the order of their lines ---- */

static ga_status keep_edge(session *s, edge_file *file, int64_t *room, int64_t line, const int64_t edge[2],
                           double weight)
{
    ga_status status = GA_OK;
    int64_t count = file->rows.count;
    if (count == *room) {
        int64_t more = *room ? 2 * *room : 1024;
        GA_TRY(ga__resize(s->context, *room, more, sizeof *file->keys, &file->keys));
        GA_TRY(ga__resize(s->context, *room, more, sizeof *file->queries, &file->queries));
        GA_TRY(ga__resize(s->context, *room, more, sizeof *file->lines, &file->lines));
        if (file->weighted) {
            GA_TRY(ga__resize(s->context, *room, more, sizeof *file->weights, &file->weights));
        }
        *room = more;
    }
    file->keys[count] = edge[0];
    file->queries[count] = edge[1];
    file->lines[count] = line;
    if (file->weighted) {
        file->weights[count] = weight;
    }
    file->rows.count++;
done:
    return status;
}

static const unsigned char *skip(const unsigned char *at, const unsigned char *end, bool blanks)
{
    while (at < end && (*at == ' ' || *at == '\t') == blanks) {
        at++;
    }
    return at;
}

/* Two ids, perhaps a weight behind them, which is looked at when it is wanted (NULL = not); false when the line is
 * something else. *bad is where. */
static bool parse_edge(const unsigned char *at, const unsigned char *end, int64_t edge[2], double *weight,
                       const unsigned char **bad)
{
    for (int i = 0; i < 2; i++) {
        const unsigned char *stop = skip(at, end, false);
        *bad = at;
        if (!ga__parse_i64(at, stop, &edge[i]) || edge[i] < 0) {
            return false;
        }
        at = skip(stop, end, true);
    }
    const unsigned char *stop = skip(at, end, false);
    *bad = at;
    if (weight) {
        *weight = 1;
    }
    if (weight && at < stop &&
        !(ga__parse_double((const char *)at, stop - at, weight) && isfinite(*weight))) {
        return false;
    }
    return skip(stop, end, true) == end;
}

static ga_status read_lines(session *s, ga__text_in *text, edge_file *file)
{
    ga_status status = GA_OK;
    int64_t room = 0, size, edge[2];
    double weight = 1;
    const unsigned char *line = NULL, *bad;
    for (;;) {
        int64_t number = text->line;
        GA_TRY(ga__text_in_line(text, &line, &size));
        if (size < 0) {
            break;
        }
        const unsigned char *at = line, *end = line + size;
        if (number == 1 && size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            at += 3; /* byte order mark */
        }
        at = skip(at, end, true);
        if (at == end || *at == '#' || *at == '%') {
            continue;
        }
        if (!parse_edge(at, end, edge, file->weighted ? &weight : NULL, &bad)) {
            char found[64];
            ga__quote(found, sizeof found, bad, end);
            GA_TRY(complain(s, GA_FORMAT, "%s:%lld: found %s, expected %s", file->rows.name,
                            (long long)number, found,
                            file->weighted ? "src<TAB>dst, perhaps a weight" : "key<TAB>query"));
        }
        GA_TRY(keep_edge(s, file, &room, number, edge, weight));
    }
done:
    return status;
}

static ga_status read_text(session *s, const char *path, edge_file *file)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    ga__text_in text = { .buffer = NULL };
    GA_TRY(ga__input_open(s->context, path, false, &input));
    file->rows.name = strcmp(path, "-") == 0 ? "standard input" : path;
    GA_TRY(ga__text_in_open(s->context, input, &text));
    GA_TRY(read_lines(s, &text, file));
    file->rows.keys = file->keys;
    file->rows.queries = file->queries;
    file->rows.lines = file->lines;
    file->rows.weights = file->weights;
done:
    ga__text_in_close(&text);
    ga__input_close(s->context, input);
    return status;
}

ga_status read_edges(session *s, const char *path, edge_file *file)
{
    ga_read_options options = GA_READ_OPTIONS_INIT;
    ga_format format = ga__format_of_suffix(path);
    if (format == GA_FORMAT_AUTO || format == GA_FORMAT_TEXT) {
        return read_text(s, path, file);
    }
    options.loops = GA_LOOPS_KEEP;
    options.weights = file->weighted;
    options.multi = file->weighted ? GA_MULTI_KEEP : GA_MULTI_COLLAPSE;
    return ga_graph_read(s->context, path, &options, &file->graph, NULL);
}

/* The edges of a format that keeps no order of lines, by source. */
static ga_status spread_graph(session *s, const char *path, edge_file *file)
{
    ga_status status = GA_OK;
    ga_csr out = ga_graph_out(file->graph);
    const uint64_t *ids = ga_graph_ids(file->graph);
    GA_TRY(GA_NEW(s->context, out.nonzeros, &file->keys));
    GA_TRY(GA_NEW(s->context, out.nonzeros, &file->queries));
    if (out.weights) {
        GA_TRY(GA_NEW(s->context, out.nonzeros, &file->weights));
    }
    for (int64_t i = 0; i < out.rows; i++) {
        for (int64_t e = out.offsets[i]; e < out.offsets[i + 1]; e++) {
            uint32_t j = out.targets[e];
            file->keys[e] = ids ? (int64_t)ids[i] : i;
            file->queries[e] = ids ? (int64_t)ids[j] : (int64_t)j;
            if (out.weights) {
                file->weights[e] = (double)out.weights[e];
            }
        }
    }
    file->rows = (ga_edge_rows){ .name = path,
                                 .count = out.nonzeros,
                                 .keys = file->keys,
                                 .queries = file->queries,
                                 .weights = file->weights };
    ga_graph_destroy(s->context, file->graph);
    file->graph = NULL;
done:
    return status;
}

ga_status read_graph_edges(session *s, const char *path, edge_file *file)
{
    ga_status status = GA_OK;
    file->weighted = true;
    GA_TRY(read_edges(s, path, file));
    if (file->graph) {
        GA_TRY(spread_graph(s, path, file));
    }
done:
    return status;
}

void free_edges(session *s, edge_file *file)
{
    ga_free(s->context, file->keys);
    ga_free(s->context, file->queries);
    ga_free(s->context, file->lines);
    ga_free(s->context, file->weights);
    ga_graph_destroy(s->context, file->graph);
}

/* ---- a call ---- */

static const option call_rows[] = {
    { "set", 0, OPTION_LIST, AT(set), "NAME=VALUE", .help = "a parameter of the variant; may be repeated" },
    { "tensor", 0, OPTION_LIST, AT(tensor), "NAME=FILE",
      .help = "another input of the variant, as .npy; may be repeated" },
    { "graph", 0, OPTION_TEXT, AT(graph), "FILE",
      .help = "edges key<TAB>query, for variants that take them" },
    { "causal", 0, OPTION_SWITCH, AT(causal), .help = "query r of Nq sees keys up to r + Nk - Nq only" },
    { "pattern", 0, OPTION_TEXT, AT(pattern), "P",
      .help =
          "NAME[:k=v,...]: which keys a query sees, instead of the variant's own; graph:FILE for any graph" },
    { 0 }
};
const option_group call_options = { "Call", call_rows };

static const char *pattern_file(const session *s)
{
    const char *pattern = s->is.pattern;
    return pattern && strncmp(pattern, "graph:", 6) == 0 ? pattern + 6 : NULL;
}

static const char *variant_at(const void *user, int i)
{
    const ga_variant *const *variants = user;
    return variants[i] ? variants[i]->name : NULL;
}

int check_variant(const session *s)
{
    const char *name = s->operands[0];
    if (ga_variant_find(name)) {
        return 0;
    }
    const char *near = nearest_word(name, variant_at, ga_variants());
    if (near) {
        return usage_error(s, "no variant '%s'; did you mean %s?", name, near);
    }
    return usage_error(s, "no variant '%s'; 'graphattn variants' lists them", name);
}

int check_inputs(session *s)
{
    const char *file = pattern_file(s);
    int bad = check_variant(s);
    bad = bad ? bad : check_pairs(s, "--set", &s->is.set);
    bad = bad ? bad : check_pairs(s, "--tensor", &s->is.tensor);
    if (!bad && file && s->is.graph) {
        bad = usage_error(s, "either --graph or --pattern graph:FILE");
    }
    if (!bad && s->is.tensor.count + s->is.returned.count > FILES / 2) {
        bad = usage_error(s, "too many files");
    }
    for (int i = 0; !bad && i < s->is.tensor.count; i++) {
        const char *path;
        (void)split_pair(s->is.tensor.words[i], &path);
        reads(s, path);
    }
    reads(s, s->is.graph);
    reads(s, file && *file ? file : NULL);
    return bad;
}

/* The comma in "a=1,b=2" behind which another pair begins; NULL when there is none. A list as in "fanout=10,5" is one
 * value. */
static const char *next_pair(const char *text)
{
    for (const char *comma = strchr(text, ','); comma; comma = strchr(comma + 1, ',')) {
        size_t name = strspn(comma + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (name > 0 && comma[1 + name] == '=') {
            return comma;
        }
    }
    return NULL;
}

/* Adds the pairs of one --set. */
static ga_status read_set(session *s, const char *text, int64_t *room, named_inputs *in)
{
    ga_status status = GA_OK;
    for (const char *end; text; text = end ? end + 1 : NULL) {
        end = next_pair(text);
        if (in->parameter_count == *room) {
            int64_t more = *room ? 2 * *room : 16;
            GA_TRY(ga__resize(s->context, *room, more, sizeof *in->parameters, &in->parameters));
            *room = more;
        }
        const char *equals = strchr(text, '=');
        ga_named_text *p = &in->parameters[in->parameter_count];
        *p = (ga_named_text){ .name = NULL };
        in->parameter_count++;
        GA_TRY(copy_part(s, text, equals, &p->name));
        GA_TRY(copy_part(s, equals + 1, end ? end : text + strlen(text), &p->value));
    }
done:
    return status;
}

ga_status read_named(session *s, named_inputs *in)
{
    ga_status status = GA_OK;
    const word_list *set = &s->is.set, *tensor = &s->is.tensor;
    int64_t room = 0;
    for (int i = 0; i < set->count; i++) {
        GA_TRY(read_set(s, set->words[i], &room, in));
    }
    GA_TRY(GA_NEW_ZERO(s->context, tensor->count, &in->tensors));
    for (int i = 0; i < tensor->count; i++) {
        const char *path;
        ga_named_tensor *t = &in->tensors[in->tensor_count++];
        (void)split_pair(tensor->words[i], &path);
        GA_TRY(pair_name(s, tensor->words[i], &t->name));
        GA_TRY(read_tensor(s, path, &t->tensor));
    }
done:
    return status;
}

ga_status read_inputs(session *s, attend_inputs *in)
{
    ga_status status = GA_OK;
    const char *file = pattern_file(s), *graph = file ? file : s->is.graph;
    *in = (attend_inputs){ .call = GA_ATTEND_CALL_INIT };
    in->call.causal = s->is.causal;
    in->call.pattern = file ? "graph" : s->is.pattern;
    in->call.normaliser = s->is.normaliser;
    GA_TRY(read_named(s, &in->named));
    in->call.parameters = in->named.parameters;
    in->call.parameter_count = in->named.parameter_count;
    in->call.tensors = in->named.tensors;
    in->call.tensor_count = in->named.tensor_count;
    if (graph && *graph) {
        GA_TRY(read_edges(s, graph, &in->edges));
        in->call.graph = in->edges.graph;
        in->call.graph_name = graph;
        in->call.edges = in->edges.graph ? NULL : &in->edges.rows;
    }
    GA_TRY(read_tensor(s, s->is.q, &in->q));
    GA_TRY(read_tensor(s, s->is.k, &in->k));
    GA_TRY(read_tensor(s, s->is.v, &in->v));
    GA_TRY(read_tensor(s, s->is.grad_output, &in->grad_o));
    in->call.q = in->q;
    in->call.k = in->k;
    in->call.v = in->v;
    in->call.grad_o = in->grad_o;
done:
    return status;
}

void free_named(session *s, named_inputs *in)
{
    for (int64_t i = 0; i < in->parameter_count; i++) {
        ga_free(s->context, (void *)in->parameters[i].name);
        ga_free(s->context, (void *)in->parameters[i].value);
    }
    for (int64_t i = 0; i < in->tensor_count; i++) {
        ga_free(s->context, (void *)in->tensors[i].name);
        ga_tensor_destroy(s->context, in->tensors[i].tensor);
    }
    ga_free(s->context, in->parameters);
    ga_free(s->context, in->tensors);
}

void free_inputs(session *s, attend_inputs *in)
{
    free_named(s, &in->named);
    ga_tensor_destroy(s->context, in->q);
    ga_tensor_destroy(s->context, in->k);
    ga_tensor_destroy(s->context, in->v);
    ga_tensor_destroy(s->context, in->grad_o);
    free_edges(s, &in->edges);
}
