/* market.c - sparse matrices from Matrix Market coordinate files: a line names the format, one has rows, columns and the
 * number of entries, and every other one is an entry, its indices counted from 1. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <graphattn/tensor.h>

#include "lib/base/base.h"

enum { LINE_LIMIT = 1 << 20, PIECE = 1 << 16, ROOM = LINE_LIMIT + PIECE, FIRST_ENTRIES = 1 << 12, WORD = 64 };

typedef struct entry {
    uint32_t row, column;
    float value;
} entry;

/* Blank lines in front of an entry. */
typedef struct gap {
    int64_t entry, lines;
} gap;

typedef struct span {
    const unsigned char *at, *end;
} span;

typedef struct market {
    ga_context *context;
    ga__input *input;
    const char *name;
    unsigned char *buffer; /* ROOM bytes; at .. have are still to be read */
    int64_t at, have;
    int64_t line; /* number of the last line, from 1 */
    bool ended;
    bool pattern, integer;
    int64_t rows, columns, claimed; /* what the header says */
    entry *entries;                 /* in the order of the file */
    int64_t room, count;
    int64_t entries_line; /* of the sizes: entries begin behind it */
    gap *gaps;
    int64_t gap_room, gap_count;
} market;

static ga_status fail_at(const market *m, int64_t line, const char *what)
{
    return ga__fail(m->context, GA_FORMAT, "%s:%lld: %s", m->name, (long long)line, what);
}

static ga_status refill(market *m)
{
    ga_status status = GA_OK;
    int64_t got = 0, left = m->have - m->at;
    memmove(m->buffer, m->buffer + m->at, (size_t)left);
    m->at = 0;
    m->have = left;
    GA_TRY(ga__check(m->context));
    GA_TRY(ga__input_read(m->context, m->input, m->buffer + left, ga__min(ROOM - left, PIECE), &got));
    m->have += got;
    m->ended = got < ga__min(ROOM - left, PIECE);
done:
    return status;
}

/* The next line without its end, "\n", "\r\n" or "\r"; at NULL behind the last one. Valid until the next call. */
static ga_status next_line(market *m, span *line)
{
    ga_status status = GA_OK;
    int64_t scan = m->at;
    *line = (span){ NULL, NULL };
    for (;; scan++) {
        /* a "\r" needs the byte behind it */
        if (scan + 1 >= m->have && !m->ended) {
            int64_t seen = scan - m->at;
            if (seen > LINE_LIMIT) {
                GA_TRY(fail_at(m, m->line + 1, "line longer than 1048576 bytes"));
            }
            GA_TRY(refill(m));
            scan = m->at + seen;
        }
        if (scan >= m->have || m->buffer[scan] == '\n' || m->buffer[scan] == '\r') {
            break;
        }
    }
    if (m->at == m->have) {
        goto done;
    }
    *line = (span){ m->buffer + m->at, m->buffer + scan };
    scan += scan + 1 < m->have && m->buffer[scan] == '\r' && m->buffer[scan + 1] == '\n';
    m->at = ga__min(scan + 1, m->have);
    m->line++;
done:
    return status;
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word of a line; empty at its end. */
static span next_word(span *line)
{
    while (line->at < line->end && is_blank(*line->at)) {
        line->at++;
    }
    span word = { line->at, line->at };
    while (word.end < line->end && !is_blank(*word.end)) {
        word.end++;
    }
    line->at = word.end;
    return word;
}

/* For messages: printable and cut. */
static const char *quote(char text[WORD], span word)
{
    int64_t size = ga__min(word.end - word.at, WORD - 1);
    for (int64_t i = 0; i < size; i++) {
        text[i] = (char)(word.at[i] > ' ' && word.at[i] < 0x7f ? word.at[i] : '?');
    }
    text[size] = '\0';
    return text;
}

static ga_status unsupported(const market *m, const char *what, const char *expected)
{
    return ga__fail(m->context, GA_UNSUPPORTED, "%s:1: Matrix Market %s is not supported, expected %s",
                    m->name, what, expected);
}

static ga_status read_banner(market *m)
{
    ga_status status = GA_OK;
    char words[5][WORD];
    span line;
    GA_TRY(next_line(m, &line));
    for (int i = 0; i < 5; i++) {
        (void)quote(words[i], next_word(&line));
    }
    if (strcasecmp(words[0], "%%MatrixMarket") != 0 || !words[4][0] || next_word(&line).at < line.end) {
        GA_TRY(fail_at(m, 1, "expected the line %%MatrixMarket matrix coordinate FIELD SYMMETRY"));
    }
    if (strcasecmp(words[1], "matrix") != 0) {
        GA_TRY(unsupported(m, words[1], "matrix"));
    }
    if (strcasecmp(words[2], "coordinate") != 0) {
        GA_TRY(unsupported(m, words[2], "coordinate"));
    }
    m->pattern = strcasecmp(words[3], "pattern") == 0;
    m->integer = strcasecmp(words[3], "integer") == 0;
    if (!m->pattern && !m->integer && strcasecmp(words[3], "real") != 0) {
        GA_TRY(unsupported(m, words[3], "pattern, integer or real"));
    }
    if (strcasecmp(words[4], "general") != 0) {
        GA_TRY(unsupported(m, words[4], "general: every entry written out"));
    }
done:
    return status;
}

static bool to_count(span word, int64_t *value)
{
    return ga__parse_i64(word.at, word.end, value) && *value >= 0;
}

static ga_status read_sizes(market *m)
{
    ga_status status = GA_OK;
    span line;
    do {
        GA_TRY(next_line(m, &line));
    } while (line.at && (*line.at == '%' || next_word(&(span){ line.at, line.end }).at == line.end));
    if (!line.at || !to_count(next_word(&line), &m->rows) || !to_count(next_word(&line), &m->columns) ||
        !to_count(next_word(&line), &m->claimed) || next_word(&line).at < line.end) {
        GA_TRY(fail_at(m, ga__max(m->line, 1), "expected rows, columns and number of entries"));
    }
    if (m->rows > INT64_C(1) << 32 || m->columns > INT64_C(1) << 32) {
        GA_TRY(ga__fail(m->context, GA_LIMIT,
                        "%s:%lld: %lld rows and %lld columns, expected at most 2^32 each", m->name,
                        (long long)m->line, (long long)m->rows, (long long)m->columns));
    }
done:
    return status;
}

static ga_status read_index(const market *m, span *line, int column, int64_t most, uint32_t *index)
{
    static const char *const what[] = { "row", "column" };
    char text[WORD];
    int64_t value = 0;
    span word = next_word(line);
    if (!ga__parse_i64(word.at, word.end, &value)) {
        return ga__fail(m->context, GA_FORMAT, "%s:%lld: column %d: found '%s', expected a %s number",
                        m->name, (long long)m->line, column + 1, quote(text, word), what[column]);
    }
    if (value == 0) {
        return ga__fail(m->context, GA_FORMAT, "%s:%lld: column %d: index 0 in a 1-based file", m->name,
                        (long long)m->line, column + 1);
    }
    if (value < 0 || value > most) {
        return ga__fail(m->context, GA_FORMAT, "%s:%lld: column %d: %s %lld, the header has 1 to %lld",
                        m->name, (long long)m->line, column + 1, what[column], (long long)value,
                        (long long)most);
    }
    *index = (uint32_t)(value - 1);
    return GA_OK;
}

static ga_status read_value(const market *m, span *line, float *value)
{
    char text[WORD];
    double real = 0;
    int64_t whole = 0;
    span word = next_word(line);
    bool good = m->integer ? ga__parse_i64(word.at, word.end, &whole)
                           : ga__parse_double((const char *)word.at, word.end - word.at, &real);
    *value = m->integer ? (float)whole : (float)real;
    if (!good || !isfinite(*value)) {
        return ga__fail(m->context, GA_FORMAT, "%s:%lld: column 3: found '%s', expected %s", m->name,
                        (long long)m->line, quote(text, word),
                        m->integer ? "an integer" : "a finite number of single precision");
    }
    return GA_OK;
}

static ga_status read_entry(market *m, span line)
{
    ga_status status = GA_OK;
    entry e = { .value = 1 };
    GA_TRY(read_index(m, &line, 0, m->rows, &e.row));
    GA_TRY(read_index(m, &line, 1, m->columns, &e.column));
    if (!m->pattern) {
        GA_TRY(read_value(m, &line, &e.value));
    }
    if (next_word(&line).at < line.end) {
        GA_TRY(ga__fail(m->context, GA_FORMAT, "%s:%lld: more than %d columns", m->name, (long long)m->line,
                        m->pattern ? 2 : 3));
    }
    if (m->count < m->claimed) { /* what lies beyond is counted, for the message */
        if (m->count == m->room) {
            int64_t more = ga__min(m->claimed, ga__max(FIRST_ENTRIES, 2 * m->room));
            GA_TRY(ga__resize(m->context, m->room, more, sizeof *m->entries, &m->entries));
            m->room = more;
        }
        m->entries[m->count] = e;
    }
    m->count++;
done:
    return status;
}

static ga_status note_blank(market *m)
{
    if (m->gap_count > 0 && m->gaps[m->gap_count - 1].entry == m->count) {
        m->gaps[m->gap_count - 1].lines++;
        return GA_OK;
    }
    if (m->gap_count == m->gap_room) {
        int64_t more = 2 * m->gap_room + 1;
        ga_status status = ga__resize(m->context, m->gap_room, more, sizeof *m->gaps, &m->gaps);
        if (status != GA_OK) {
            return status;
        }
        m->gap_room = more;
    }
    m->gaps[m->gap_count++] = (gap){ m->count, 1 };
    return GA_OK;
}

static ga_status read_entries(market *m)
{
    ga_status status = GA_OK;
    span line;
    m->entries_line = m->line;
    GA_TRY(GA_NEW(m->context, 0, &m->entries));
    GA_TRY(GA_NEW(m->context, 0, &m->gaps));
    for (;;) {
        GA_TRY(next_line(m, &line));
        if (!line.at) {
            break;
        }
        span rest = line;
        GA_TRY(next_word(&rest).at < line.end ? read_entry(m, line) : note_blank(m));
        if (m->line % (1 << 16) == 0) {
            ga__progress(m->context, "reading", m->count, m->claimed);
        }
    }
    if (m->count != m->claimed) {
        GA_TRY(ga__fail(m->context, GA_FORMAT, "%s:%lld: %lld entries, the header says %lld", m->name,
                        (long long)m->line, (long long)m->count, (long long)m->claimed));
    }
done:
    return status;
}

/* A header's rows are a claim: a matrix that is nearly all empty rows is none that anybody has. */
static ga_status check_rows(const market *m)
{
    enum { ALWAYS = 1 << 24, ROWS_PER_ENTRY = 64 };
    if (m->rows > ALWAYS && m->rows / ROWS_PER_ENTRY > m->count) {
        return ga__fail(m->context, GA_LIMIT,
                        "%s: %lld rows for %lld entries, expected at most %d rows an entry", m->name,
                        (long long)m->rows, (long long)m->count, ROWS_PER_ENTRY);
    }
    return GA_OK;
}

/* The line of the second of two equal entries. */
static int64_t line_of_second(const market *m, uint32_t row, uint32_t column)
{
    int64_t i = 0, line = m->entries_line + 1, g = 0;
    for (int seen = 0; i < m->count; i++) {
        seen += m->entries[i].row == row && m->entries[i].column == column;
        if (seen == 2) {
            break;
        }
    }
    for (line += i; g < m->gap_count && m->gaps[g].entry <= i; g++) {
        line += m->gaps[g].lines;
    }
    return line;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Keys are column << 32 | bits of the value. */
static ga_status sort_row(const market *m, ga_sparse *s, int64_t row, uint64_t *keys)
{
    int64_t begin = s->offsets[row], count = s->offsets[row + 1] - begin;
    bool ascends = true;
    for (int64_t i = 1; i < count; i++) {
        ascends = ascends && s->indices[begin + i - 1] < s->indices[begin + i];
    }
    if (ascends) {
        return GA_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = 0;
        if (s->values) {
            memcpy(&bits, &s->values[begin + i], sizeof bits);
        }
        keys[i] = (uint64_t)s->indices[begin + i] << 32 | bits;
    }
    qsort(keys, (size_t)count, sizeof *keys, by_key);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)keys[i];
        s->indices[begin + i] = (uint32_t)(keys[i] >> 32);
        if (s->values) {
            memcpy(&s->values[begin + i], &bits, sizeof bits);
        }
        if (i > 0 && keys[i] >> 32 == keys[i - 1] >> 32) {
            uint32_t column = s->indices[begin + i];
            return ga__fail(m->context, GA_FORMAT, "%s:%lld: row %lld, column %lld stands there twice",
                            m->name, (long long)line_of_second(m, (uint32_t)row, column), (long long)row + 1,
                            (long long)column + 1);
        }
    }
    return GA_OK;
}

/* The entries by rows, in the order of the file inside each. */
static ga_status by_rows(const market *m, ga_sparse *s)
{
    ga_status status = GA_OK;
    int64_t widest = 0;
    uint64_t *keys = NULL;
    *s = (ga_sparse){ .rows = m->rows, .columns = m->columns, .integers = m->integer };
    GA_TRY(GA_NEW_ZERO(m->context, m->rows + 2, &s->offsets));
    GA_TRY(GA_NEW(m->context, m->count, &s->indices));
    if (!m->pattern) {
        GA_TRY(GA_NEW(m->context, m->count, &s->values));
    }
    for (int64_t i = 0; i < m->count; i++) {
        s->offsets[m->entries[i].row + 2]++;
    }
    for (int64_t row = 0; row < m->rows; row++) {
        widest = ga__max(widest, s->offsets[row + 2]);
        s->offsets[row + 2] += s->offsets[row + 1];
    }
    for (int64_t i = 0; i < m->count; i++) {
        int64_t to = s->offsets[m->entries[i].row + 1]++;
        s->indices[to] = m->entries[i].column;
        if (s->values) {
            s->values[to] = m->entries[i].value;
        }
    }
    GA_TRY(GA_NEW(m->context, widest, &keys));
    for (int64_t row = 0; row < m->rows; row++) {
        GA_TRY(sort_row(m, s, row, keys));
    }
done:
    ga_free(m->context, keys);
    return status;
}

ga_status ga_market_read(ga_context *context, const char *path, ga_sparse *matrix)
{
    ga_status status = GA_OK;
    market m = { .context = context };
    ga_sparse made = { .rows = 0 };
    ga__begin(context);
    GA_TRY(ga__input_open(context, path, true, &m.input));
    m.name = ga__input_name(m.input);
    GA_TRY(ga_alloc(context, ROOM, 1, &m.buffer));
    GA_TRY(read_banner(&m));
    GA_TRY(read_sizes(&m));
    GA_TRY(read_entries(&m));
    GA_TRY(check_rows(&m));
    GA_TRY(by_rows(&m, &made));
    *matrix = made;
    made = (ga_sparse){ .rows = 0 };
done:
    ga_sparse_clear(context, &made);
    ga_free(context, m.entries);
    ga_free(context, m.gaps);
    ga_free(context, m.buffer);
    ga__input_close(context, m.input);
    return status;
}

void ga_sparse_clear(ga_context *context, ga_sparse *matrix)
{
    ga_free(context, matrix->offsets);
    ga_free(context, matrix->indices);
    ga_free(context, matrix->values);
    *matrix = (ga_sparse){ .rows = 0 };
}
