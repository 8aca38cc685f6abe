/* read.c - which format a file has, and what is the same for all of them. */
#include "config.h"

#include "graph/read.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- formats ---- */

typedef struct format_row {
    ga_format format;
    const char *name;
    const char *suffixes[5];
    ga_status (*read)(ga__reading *r);
} format_row;

static const format_row formats[] = {
    { GA_FORMAT_AUTO, "auto", { NULL }, NULL },
    { GA_FORMAT_TEXT, "snap", { ".txt", ".el", ".snap", ".tsv", NULL }, ga__read_text },
    { GA_FORMAT_MTX, "mtx", { ".mtx", NULL }, ga__read_mtx },
    { GA_FORMAT_METIS, "metis", { ".graph", ".metis", NULL }, ga__read_metis },
    { GA_FORMAT_SG, "sg", { ".sg", NULL }, ga__read_sg },
    { GA_FORMAT_GAB, "gab", { ".gab", NULL }, ga__read_gab },
    { GA_FORMAT_GRAPHML, "graphml", { ".graphml", NULL }, ga__read_foreign },
    { GA_FORMAT_GML, "gml", { ".gml", NULL }, ga__read_foreign },
    { GA_FORMAT_PAJEK, "pajek", { ".net", ".paj", NULL }, ga__read_foreign },
    { GA_FORMAT_NCOL, "ncol", { ".ncol", NULL }, ga__read_foreign },
    { GA_FORMAT_LGL, "lgl", { ".lgl", NULL }, ga__read_foreign },
    { GA_FORMAT_LEDA, "leda", { ".leda", ".lgr", ".gw", NULL }, ga__read_foreign },
};

enum { FORMATS = sizeof formats / sizeof *formats };

static const format_row *row_of(ga_format format)
{
    for (int i = 0; i < FORMATS; i++) {
        if (formats[i].format == format) {
            return &formats[i];
        }
    }
    return NULL;
}

const char *ga_format_name(ga_format format)
{
    const format_row *row = row_of(format);
    return row ? row->name : "unknown";
}

ga_status ga_format_from_name(const char *name, ga_format *format)
{
    for (int i = 0; i < FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *format = formats[i].format;
            return GA_OK;
        }
    }
    return GA_INVALID;
}

ga_format ga__format_of_suffix(const char *path)
{
    size_t length = strlen(path);
    if (length > 3 && strcmp(path + length - 3, ".gz") == 0) {
        length -= 3;
    }
    for (int i = 0; i < FORMATS; i++) {
        for (const char *const *s = formats[i].suffixes; *s; s++) {
            size_t size = strlen(*s);
            if (length > size && strncasecmp(path + length - size, *s, size) == 0) {
                return formats[i].format;
            }
        }
    }
    return GA_FORMAT_AUTO;
}

static bool starts_with(const unsigned char *text, int64_t size, const char *word)
{
    int64_t length = (int64_t)strlen(word);
    return size >= length && strncasecmp((const char *)text, word, (size_t)length) == 0;
}

/* "graph", blanks, "[" */
static bool is_gml(const unsigned char *text, int64_t size, ga_format *format)
{
    int64_t at = 5;
    if (!starts_with(text, size, "graph")) {
        return false;
    }
    while (at < size && memchr(" \t\r\n", text[at], 4)) {
        at++;
    }
    *format = at < size && text[at] == '[' ? GA_FORMAT_GML : *format;
    return at < size && text[at] == '[';
}

const char *ga__foreign_format(const unsigned char *text, int64_t size, ga_format *format)
{
    static const struct {
        const char *begins, *name;
        ga_format format;
    } looks[] = {
        { "<?xml", "XML (GraphML?)", GA_FORMAT_GRAPHML },
        { "<graphml", "GraphML", GA_FORMAT_GRAPHML },
        { "Creator ", "GML", GA_FORMAT_GML },
        { "*Vertices", "Pajek", GA_FORMAT_PAJEK },
        { "*Network", "Pajek", GA_FORMAT_PAJEK },
        { "LEDA.GRAPH", "LEDA", GA_FORMAT_LEDA },
        { "digraph", "DOT", GA_FORMAT_AUTO },
        { "{", "JSON", GA_FORMAT_AUTO },
        { "\x93NUMPY", "NumPy", GA_FORMAT_AUTO },
        { "1BAG", ".gab of another byte order", GA_FORMAT_AUTO },
    };
    int64_t mark = starts_with(text, size, "\xEF\xBB\xBF") ? 3 : 0;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (starts_with(text + mark, size - mark, looks[i].begins)) {
            *format = looks[i].format;
            return looks[i].name;
        }
    }
    return is_gml(text + mark, size - mark, format) ? "GML" : NULL;
}

/* A GAP file has no magic number, but its first byte is 0 or 1, which no text has, and it has its own suffix. */
static ga_format guess_format(const unsigned char *text, int64_t size, const char *path)
{
    if (starts_with(text, size, "GAB1")) {
        return GA_FORMAT_GAB;
    }
    if (starts_with(text, size, "%%MatrixMarket")) {
        return GA_FORMAT_MTX;
    }
    ga_format named = ga__format_of_suffix(path);
    if (named != GA_FORMAT_AUTO && named != GA_FORMAT_TEXT) {
        return named;
    }
    return size > 17 && text[0] <= 1 ? GA_FORMAT_SG : GA_FORMAT_TEXT;
}

/* ---- policies ---- */

ga_status ga__reading_build(ga__reading *r, ga__edge_list *list, bool both)
{
    ga_status status = GA_OK;
    ga__mapping mapping = { 0 };
    ga__csr_result built = { 0 };
    ga__csr_policy policy = { r->options->loops, r->options->multi, r->options->weights, NULL };
    r->report.bytes = list->bytes;
    r->report.declared_nodes = list->declared;
    GA_TRY(ga__edge_list_map(r->context, list, r->options, r->name, &mapping));
    bool mapped = mapping.ranks.bits != NULL;
    GA_TRY(ga__edge_list_build(r->context, list, &mapping, both, &policy, &built));
    if (built.refused) { /* ranks: the edge has its original ids already */
        GA_TRY(ga__refused(r->context, r->name, &built, mapped ? NULL : mapping.ids));
    }
    r->report.edge_lines = built.listed;
    r->report.loops = built.loops;
    r->report.duplicates = built.duplicates;
    GA_TRY(ga__graph_adopt(r->context, mapping.nodes, built.edges, built.offsets, built.targets, mapping.ids,
                           &r->graph));
    r->graph->weights = built.weights;
    built = (ga__csr_result){ 0 };
    mapping.ids = NULL;
done:
    ga_free(r->context, built.offsets);
    ga_free(r->context, built.targets);
    ga_free(r->context, built.weights);
    ga__mapping_clear(r->context, &mapping);
    return status;
}

ga_status ga__read_text(ga__reading *r)
{
    ga_status status = GA_OK;
    ga__edge_list list = { 0 };
    ga__line_rules rules = { .ignore_columns = r->options->ignore_columns,
                             .allow_nonfinite = r->options->allow_nonfinite,
                             .weights = r->options->weights };
    ga__line_input from = { .input = r->input, .first_line = 1 };
    GA_TRY(ga__edge_list_read(r->context, &from, &rules, r->options->max_edges, r->block_size, &list));
    if (list.edges == 0) {
        ga__tell(r->context, GA_NOTE, "%s: no edges", r->name);
    }
    GA_TRY(ga__reading_build(r, &list, r->options->undirected));
done:
    ga__edge_list_clear(r->context, &list);
    return status;
}

/* ---- reading ---- */

static void remember_file(const ga__reading *r)
{
    struct stat file;
    if (strcmp(r->path, "-") != 0 && stat(r->path, &file) == 0) {
        r->graph->file_device = (uint64_t)file.st_dev;
        r->graph->file_inode = (uint64_t)file.st_ino;
    }
}

ga_status ga__graph_read(ga_context *context, const char *path, const ga_read_options *options,
                         int64_t block_size, ga_graph **graph, ga_read_report *report)
{
    static const ga_read_options defaults = GA_READ_OPTIONS_INIT;
    ga_status status = GA_OK;
    ga__reading r = { .context = context,
                      .path = path,
                      .options = options ? options : &defaults,
                      .block_size = block_size,
                      .report = { .declared_nodes = -1 } };
    const unsigned char *head;
    int64_t size;
    ga__begin(context);
    GA_TRY(ga__input_open(context, path, r.options->strict, &r.input));
    r.name = ga__input_name(r.input);
    GA_TRY(ga__input_peek(context, r.input, 4096, &head, &size));
    r.report.format = r.options->format;
    if (r.report.format == GA_FORMAT_AUTO) {
        const char *foreign = ga__foreign_format(head, size, &r.report.format);
        if (foreign && r.report.format == GA_FORMAT_AUTO) {
            GA_TRY(ga__fail(context, GA_FORMAT,
                            "%s: looks like %s, expected a graph in one of the formats of --from", r.name,
                            foreign));
        }
        if (!foreign) {
            r.report.format = guess_format(head, size, path);
        }
    }
    r.report.gzip = ga__input_is_gzip(r.input);
    const format_row *row = row_of(r.report.format);
    if (!row || !row->read) {
        GA_TRY(ga__fail(context, GA_INVALID, "unknown format %d", (int)r.report.format));
    }
    GA_TRY(row->read(&r));
    remember_file(&r);
    *graph = r.graph;
    if (report) {
        *report = r.report;
    }
done:
    ga__input_close(context, r.input);
    return status;
}

ga_status ga_graph_read(ga_context *context, const char *path, const ga_read_options *options,
                        ga_graph **graph, ga_read_report *report)
{
    return ga__graph_read(context, path, options, 0, graph, report);
}
