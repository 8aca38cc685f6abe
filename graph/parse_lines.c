/* parse_lines.c - lines of text to pairs of ids: a fast path for "digits blank digits newline", and a careful one for
 * everything else. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "graph/lines.h"

const unsigned char *ga__line_after(const unsigned char *p, const unsigned char *end, bool last)
{
    while (p < end && *p != '\n' && *p != '\r') {
        p++;
    }
    if (p == end) {
        return NULL;
    }
    if (*p == '\n') {
        return p + 1;
    }
    if (p + 1 == end) {
        return last ? end : NULL;
    }
    return p + (p[1] == '\n' ? 2 : 1);
}

static inline bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

static inline bool is_digit(unsigned char c)
{
    return (unsigned)c - '0' < 10;
}

void ga__quote(char *text, size_t size, const unsigned char *p, const unsigned char *end)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    text[at++] = '"';
    for (; p < end && !is_blank(*p) && at + 8 < size && at < 40; p++) {
        if (*p > ' ' && *p < 127) {
            text[at++] = (char)*p;
        } else {
            text[at++] = '\\';
            text[at++] = 'x';
            text[at++] = hex[*p >> 4];
            text[at++] = hex[*p & 15];
        }
    }
    if (p < end && !is_blank(*p)) {
        memcpy(text + at, "...", 3);
        at += 3;
    }
    text[at++] = '"';
    text[at] = '\0';
}

/* ---- the careful path ---- */

static ga__parsed bad(ga__parse *p, const unsigned char *at, const unsigned char *end, const char *expected)
{
    char found[64];
    ga__quote(found, sizeof found, at, end);
    if (at == end) {
        snprintf(p->bad, sizeof p->bad, "line ends, expected %s", expected);
    } else {
        snprintf(p->bad, sizeof p->bad, "found %s, expected %s", found, expected);
    }
    p->bad_column = at - p->next + 1;
    return GA__PARSED_BAD;
}

/* The figure of "Nodes: N" in a comment, as the pattern \b[Nn]odes:?[ \t]+(\d+); -1 if there is none. */
static int64_t declared_nodes(const unsigned char *at, const unsigned char *end)
{
    for (const unsigned char *q = at + 1; q + 6 < end; q++) {
        unsigned char before = q[-1];
        bool word = is_digit(before) || before == '_' || (before | 32) - 'a' + 0u < 26;
        if (word || (*q | 32) != 'n' || memcmp(q + 1, "odes", 4) != 0) {
            continue;
        }
        const unsigned char *d = q + 5 + (q[5] == ':');
        const unsigned char *digits = d;
        while (digits < end && is_blank(*digits)) {
            digits++;
        }
        if (digits == d || digits == end || !is_digit(*digits)) {
            continue;
        }
        int64_t nodes = 0;
        for (; digits < end && is_digit(*digits); digits++) {
            if (!ga__mul(nodes, 10, &nodes) || !ga__add(nodes, *digits - '0', &nodes)) {
                return INT64_MAX;
            }
        }
        return nodes;
    }
    return -1;
}

/* Reads digits; false when the number is beyond 2^64 - 1. */
static bool read_id(const unsigned char **at, const unsigned char *end, uint64_t *id)
{
    uint64_t value = 0;
    bool fits = true;
    const unsigned char *q = *at;
    for (; q < end && is_digit(*q); q++) {
        unsigned digit = *q - (unsigned)'0';
        fits = fits && value <= (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    *at = q;
    *id = value;
    return fits;
}

static const char *expected_id(const ga__parse *p)
{
    return p->rules->matrix ? "an index" : "a node id (an integer from 0 to 18446744073709551615)";
}

static ga__parsed parse_id(ga__parse *p, const unsigned char **at, const unsigned char *end, uint64_t *id)
{
    const unsigned char *begin = *at;
    if (!read_id(at, end, id) || *at == begin || (*at < end && !is_blank(**at))) {
        return bad(p, begin, end, expected_id(p));
    }
    if (p->rules->matrix) {
        if (*id == 0) {
            p->bad_column = begin - p->next + 1;
            snprintf(p->bad, sizeof p->bad, "index 0 in a 1-based file");
            return GA__PARSED_BAD;
        }
        if (*id > p->rules->order) {
            p->bad_column = begin - p->next + 1;
            snprintf(p->bad, sizeof p->bad, "index %llu in a matrix of %llu rows", (unsigned long long)*id,
                     (unsigned long long)p->rules->order);
            return GA__PARSED_BAD;
        }
        --*id;
    }
    return GA__PARSED_ALL;
}

static const unsigned char *skip_blanks(const unsigned char *at, const unsigned char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    return at;
}

static ga__parsed parse_weight(ga__parse *p, const unsigned char **at, const unsigned char *end,
                               float *weight)
{
    const unsigned char *begin = *at, *stop = begin;
    double value;
    while (stop < end && !is_blank(*stop)) {
        stop++;
    }
    if (!ga__parse_double((const char *)begin, stop - begin, &value)) {
        return bad(p, begin, end, "a weight (a number within the range of doubles)");
    }
    if (!isfinite(value) && !p->rules->allow_nonfinite) {
        return bad(p, begin, end, "a finite weight (--allow-nonfinite)");
    }
    if (p->rules->weights && isfinite(value) && fabs(value) > (double)FLT_MAX) {
        return bad(p, begin, end, "a weight within the range of 32-bit floats");
    }
    *weight = (float)value;
    *at = stop;
    return GA__PARSED_ALL;
}

/* What follows the two ids of a line. */
static ga__parsed parse_rest(ga__parse *p, const unsigned char *at, const unsigned char *end, float *weight)
{
    const ga__line_rules *rules = p->rules;
    bool wanted = rules->matrix && rules->columns == 3;
    at = skip_blanks(at, end);
    if (at == end) {
        return wanted ? bad(p, at, end, "a value") : GA__PARSED_ALL;
    }
    if (rules->matrix && !wanted) {
        return bad(p, at, end, "the end of the line (the matrix is a pattern)");
    }
    ga__parsed result = parse_weight(p, &at, end, weight);
    if (result != GA__PARSED_ALL) {
        return result;
    }
    at = skip_blanks(at, end);
    if (at < end && !rules->ignore_columns) {
        return bad(p, at, end,
                   rules->matrix ? "the end of the line" : "at most 3 columns (--columns to ignore more)");
    }
    return GA__PARSED_ALL;
}

static void store(ga__parse *p, uint64_t source, uint64_t target, float weight)
{
    uint64_t larger = source > target ? source : target;
    p->largest = larger > p->largest ? larger : p->largest;
    if (p->narrow) {
        uint64_t key = source << 32 | target;
        p->narrow[p->count] = (ga__pair){ (uint32_t)source, (uint32_t)target };
        p->sorted = p->sorted && key >= p->previous;
        p->distinct = p->distinct && key != p->previous && source != target;
        p->previous = key;
    } else {
        p->wide[2 * p->count] = source;
        p->wide[2 * p->count + 1] = target;
    }
    if (p->weights) {
        p->weights[p->count] = weight;
    }
    p->count++;
    p->edges_seen = true;
}

static ga__parsed parse_edge(ga__parse *p, const unsigned char *at, const unsigned char *end)
{
    uint64_t source, target;
    float weight = 1;
    ga__parsed result = parse_id(p, &at, end, &source);
    if (result != GA__PARSED_ALL) {
        return result;
    }
    at = skip_blanks(at, end);
    result = parse_id(p, &at, end, &target);
    if (result != GA__PARSED_ALL) {
        return result;
    }
    result = parse_rest(p, at, end, &weight);
    if (result != GA__PARSED_ALL) {
        return result;
    }
    if (p->rules->lower && target > source) {
        p->bad_column = 0;
        snprintf(p->bad, sizeof p->bad,
                 "entry above the diagonal of a symmetric matrix, expected the lower triangle only");
        return GA__PARSED_BAD;
    }
    if (p->narrow && (source | target) > UINT32_MAX) {
        return GA__PARSED_WIDE;
    }
    if (p->count == p->room) {
        return GA__PARSED_FULL;
    }
    store(p, source, target, weight);
    return GA__PARSED_ALL;
}

/* One line of any kind; GA__PARSED_ALL when it was consumed. */
static ga__parsed parse_line(ga__parse *p)
{
    const unsigned char *begin = p->next, *after = ga__line_after(begin, p->end, true),
                        *end = after ? after : p->end;
    ga__parsed result = GA__PARSED_ALL;
    after = end;
    while (end > begin && (end[-1] == '\n' || end[-1] == '\r')) {
        end--;
    }
    if (end - begin > GA__LINE_LIMIT) {
        p->bad_column = 0;
        snprintf(p->bad, sizeof p->bad, "line longer than %d bytes", GA__LINE_LIMIT);
        return GA__PARSED_BAD;
    }
    const unsigned char *at = skip_blanks(begin, end);
    if (at == end) {
        p->other_lines++;
    } else if ((*at == '#' && !p->rules->matrix) || *at == '%') {
        p->other_lines++;
        if (!p->edges_seen && p->declared < 0 && *begin == '#') {
            p->declared = declared_nodes(begin, end);
        }
    } else {
        result = parse_edge(p, at, end);
    }
    if (result == GA__PARSED_ALL) {
        p->next = after;
    }
    return result;
}

/* ---- the fast path ---- */

#if defined __SSE2__ && defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#define ONE_EACH (UINT64_C(1) << 32 | 1)

typedef struct masks {
    uint64_t breaks, newlines,
        blanks; /* bytes that are no digits; those of them that are newlines; blanks or tabs */
} masks;

static inline masks find_breaks(const unsigned char *text)
{
    masks m = { 0, 0, 0 };
    for (int i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(text + 16 * i));
        __m128i newline = _mm_cmpeq_epi8(x, _mm_set1_epi8('\n'));
        __m128i blank =
            _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\t')), _mm_cmpeq_epi8(x, _mm_set1_epi8(' ')));
        /* digits are 0x30 .. 0x39: moved to the lowest signed bytes */
        __m128i digit =
            _mm_cmplt_epi8(_mm_add_epi8(x, _mm_set1_epi8((char)(0x80 - 0x30))), _mm_set1_epi8((char)0x8a));
        m.newlines |= (uint64_t)(uint32_t)_mm_movemask_epi8(newline) << 16 * i;
        m.blanks |= (uint64_t)(uint32_t)_mm_movemask_epi8(blank) << 16 * i;
        m.breaks |= (uint64_t)(uint32_t)(~_mm_movemask_epi8(digit) & 0xffff) << 16 * i;
    }
    return m;
}

/* The value of the `size` digits at text, 1 <= size <= 8: leading zeros are shifted in, then neighbours are added. */
static inline uint32_t eight_digits(const unsigned char *text, int size)
{
    uint64_t x;
    memcpy(&x, text, 8);
    x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) << (64 - 8 * size);
    x = (x * 2561 >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x * 6553601 >> 16) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(x * UINT64_C(42949672960001) >> 32);
}

/* 9 or 10 digits may need more than 32 bits. */
static inline uint64_t ten_digits(const unsigned char *text, int size)
{
    if (size <= 8) {
        return eight_digits(text, size);
    }
    uint64_t value = eight_digits(text, 8);
    for (int i = 8; i < size; i++) {
        value = value * 10 + (text[i] - (unsigned)'0');
    }
    return value;
}

/* As many lines as have the usual form. Leaves next at the first other line. */
static void parse_fast(ga__parse *p)
{
    const unsigned char *text = p->next;
    ga__pair *pairs = p->narrow + p->count, *const full = p->narrow + p->room - 32;
    const uint64_t one = p->rules->matrix, shift = one ? ONE_EACH : 0; /* indices here are still 1-based */
    uint64_t largest = p->largest + one, previous = p->previous + shift, falls = 0, alike = 0;
    bool usual = true;
    while (usual && p->end - text >= 64 && pairs <= full) {
        masks m = find_breaks(text);
        int begin = 0;
        if (!m.newlines) {
            break;
        }
        for (uint64_t left = m.newlines; left; left &= left - 1) {
            int blank = __builtin_ctzll(m.breaks);
            m.breaks &= m.breaks - 1;
            if (!m.breaks) {
                usual = false;
                break;
            }
            int newline = __builtin_ctzll(m.breaks);
            m.breaks &= m.breaks - 1;
            int last = newline;
            if (text[newline] == '\r' && m.breaks >> 1 >> newline & 1) {
                last++;
                m.breaks &= m.breaks - 1;
            }
            unsigned first = (unsigned)(blank - begin), second = (unsigned)(newline - blank - 1);
            if (!(m.blanks >> blank & m.newlines >> last & 1) || first - 1 >= 10 || second - 1 >= 10) {
                usual = false;
                break;
            }
            uint64_t source, target;
            if (first <= 8 && second <= 8) {
                source = eight_digits(text + begin, (int)first);
                target = eight_digits(text + blank + 1, (int)second);
            } else {
                source = ten_digits(text + begin, (int)first);
                target = ten_digits(text + blank + 1, (int)second);
                if ((source | target) > UINT32_MAX) {
                    usual = false;
                    break;
                }
            }
            uint64_t key = source << 32 | target;
            uint64_t larger = source > target ? source : target;
            largest = larger > largest ? larger : largest;
            falls |= (uint64_t)(key < previous);
            alike |= (uint64_t)(key == previous) | (uint64_t)(source == target);
            previous = key;
            *pairs++ = (ga__pair){ (uint32_t)source, (uint32_t)target };
            begin = last + 1;
        }
        text += begin;
    }
    p->next = text;
    p->edges_seen = p->edges_seen || pairs > p->narrow + p->count;
    p->count = pairs - p->narrow;
    p->largest = largest - one;
    p->previous = previous - shift;
    p->sorted = p->sorted && !falls;
    p->distinct = p->distinct && !alike;
}

static bool has_fast_path(const ga__parse *p)
{
    return p->narrow && !p->weights && !(p->rules->matrix && p->rules->columns == 3);
}

#else

static void parse_fast(ga__parse *p)
{
    (void)p;
}

static bool has_fast_path(const ga__parse *p)
{
    (void)p;
    return false;
}

#endif

/* Makes the indices from `from` on 0-based; false if one is out of place. */
static bool shift_indices(const ga__parse *p, int64_t from)
{
    bool right = true;
    for (int64_t i = from; i < p->count; i++) {
        ga__pair *pair = &p->narrow[i];
        right = right && pair->source && pair->target && pair->source <= p->rules->order &&
                pair->target <= p->rules->order && !(p->rules->lower && pair->target > pair->source);
        pair->source--;
        pair->target--;
    }
    return right;
}

ga__parsed ga__parse_lines(ga__parse *p)
{
    bool fast = has_fast_path(p);
    while (p->next < p->end) {
        if (fast && p->room - p->count >= 32 && p->end - p->next >= 64) {
            ga__parse before = *p;
            parse_fast(p);
            if (p->rules->matrix && !shift_indices(p, before.count)) {
                *p = before; /* the careful path will say what is wrong */
                fast = false;
            }
            if (p->next == p->end) {
                break;
            }
        }
        ga__parsed result = parse_line(p);
        if (result != GA__PARSED_ALL) {
            return result;
        }
    }
    return GA__PARSED_ALL;
}
