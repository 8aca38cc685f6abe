/* read_mtx.c - Matrix Market coordinate files: entry (i, j) is the edge from node i - 1 to node j - 1. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "graph/facts.h"
#include "graph/text_in.h"

typedef struct mtx {
    ga__reading *r;
    ga__text_in text;
    bool symmetric, pattern;
    int64_t rows, columns, entries;
} mtx;

static ga_status fail_at(const mtx *m, int64_t line, const char *what)
{
    return ga__fail(m->r->context, GA_FORMAT, "%s:%lld: %s", m->r->name, (long long)line, what);
}

/* The words of a line, at most `most`, each cut to 63 characters. Returns their number, most + 1 for more. */
static int split_words(const unsigned char *line, int64_t size, char words[][64], int most)
{
    int count = 0;
    for (int64_t i = 0; i < size;) {
        while (i < size && (line[i] == ' ' || line[i] == '\t')) {
            i++;
        }
        int64_t begin = i;
        while (i < size && line[i] != ' ' && line[i] != '\t') {
            i++;
        }
        if (i == begin) {
            break;
        }
        if (count == most) {
            return most + 1;
        }
        snprintf(words[count++], 64, "%.*s", (int)ga__min(i - begin, 63), (const char *)line + begin);
    }
    return count;
}

static ga_status unsupported(const mtx *m, const char *what, const char *expected)
{
    return ga__fail(m->r->context, GA_UNSUPPORTED, "%s:1: Matrix Market %s is not supported, expected %s",
                    m->r->name, what, expected);
}

static ga_status read_banner(mtx *m)
{
    ga_status status = GA_OK;
    char words[5][64];
    const unsigned char *line;
    int64_t size;
    GA_TRY(ga__text_in_line(&m->text, &line, &size));
    if (size < 0 || split_words(line, size, words, 5) != 5 || strcasecmp(words[0], "%%MatrixMarket") != 0) {
        GA_TRY(fail_at(m, 1, "expected the line %%MatrixMarket matrix coordinate FIELD SYMMETRY"));
    }
    if (strcasecmp(words[1], "matrix") != 0) {
        GA_TRY(unsupported(m, words[1], "matrix"));
    }
    if (strcasecmp(words[2], "coordinate") != 0) {
        GA_TRY(unsupported(m, words[2], "coordinate"));
    }
    m->pattern = strcasecmp(words[3], "pattern") == 0;
    if (!m->pattern && strcasecmp(words[3], "real") != 0 && strcasecmp(words[3], "integer") != 0) {
        GA_TRY(unsupported(m, words[3], "pattern, real or integer"));
    }
    m->symmetric = strcasecmp(words[4], "symmetric") == 0;
    if (!m->symmetric && strcasecmp(words[4], "general") != 0) {
        GA_TRY(unsupported(m, words[4], "general or symmetric"));
    }
done:
    return status;
}

static bool to_size(const char *word, int64_t *value)
{
    *value = 0;
    for (const char *c = word; *c; c++) {
        if (*c < '0' || *c > '9' || !ga__mul(*value, 10, value) || !ga__add(*value, *c - '0', value)) {
            return false;
        }
    }
    return *word != '\0';
}

static ga_status read_sizes(mtx *m)
{
    ga_status status = GA_OK;
    char words[3][64];
    const unsigned char *line = NULL;
    int64_t size, at;
    do {
        at = m->text.line;
        GA_TRY(ga__text_in_line(&m->text, &line, &size));
    } while (size >= 0 && (split_words(line, size, words, 1) == 0 || line[0] == '%'));
    if (size < 0 || split_words(line, size, words, 3) != 3 || !to_size(words[0], &m->rows) ||
        !to_size(words[1], &m->columns) || !to_size(words[2], &m->entries)) {
        GA_TRY(fail_at(m, at, "expected rows, columns and number of entries"));
    }
    if (m->rows != m->columns) {
        GA_TRY(ga__fail(m->r->context, GA_FORMAT,
                        "%s:%lld: %lld rows and %lld columns, a graph needs a square matrix", m->r->name,
                        (long long)at, (long long)m->rows, (long long)m->columns));
    }
    GA_TRY(ga__reading_limits(m->r, m->rows, m->entries));
done:
    return status;
}

static ga_status read_entries(mtx *m, ga__edge_list *list)
{
    ga_status status = GA_OK;
    const ga_read_options *options = m->r->options;
    ga__line_rules rules = { .allow_nonfinite = options->allow_nonfinite,
                             .weights = options->weights,
                             .matrix = true,
                             .columns = m->pattern ? 2 : 3,
                             .order = (uint64_t)m->rows,
                             .lower = m->symmetric };
    ga__line_input from = { .input = m->r->input,
                            .start = m->text.consumed + m->text.at,
                            .first_line = m->text.line };
    int fd;
    int64_t size;
    if (!ga__input_plain(m->r->input, &fd, &size)) {
        from.head = m->text.buffer + m->text.at;
        from.head_size = m->text.have - m->text.at;
    }
    GA_TRY(ga__edge_list_read(m->r->context, &from, &rules, options->max_edges, m->r->block_size, list));
    if (list->edges != m->entries) {
        GA_TRY(ga__fail(m->r->context, GA_FORMAT, "%s:%lld: %lld entries, the header says %lld", m->r->name,
                        (long long)(from.first_line - 1 + list->lines), (long long)list->edges,
                        (long long)m->entries));
    }
done:
    return status;
}

ga_status ga__read_mtx(ga__reading *r)
{
    ga_status status = GA_OK;
    mtx m = { .r = r };
    ga__edge_list list = { 0 };
    ga_read_options dense = *r->options;
    const ga_read_options *given = r->options;
    GA_TRY(ga__text_in_open(r->context, r->input, &m.text));
    GA_TRY(read_banner(&m));
    GA_TRY(read_sizes(&m));
    GA_TRY(read_entries(&m, &list));
    if (dense.nodes >= 0 && dense.nodes < m.rows) {
        GA_TRY(ga__fail(r->context, GA_INVALID, "--nodes %lld is less than the %lld nodes of %s",
                        (long long)dense.nodes, (long long)m.rows, r->name));
    }
    dense.dense_ids = true;
    list.declared = m.rows;
    r->options = &dense;
    status = ga__reading_build(r, &list, m.symmetric || given->undirected);
    r->options = given;
done:
    ga__edge_list_clear(r->context, &list);
    if (m.text.buffer) {
        ga__text_in_close(&m.text);
    }
    return status;
}
