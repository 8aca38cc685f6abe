/* lines.h - lines of text to pairs of ids. */
#ifndef GA_GRAPH_LINES_H
#define GA_GRAPH_LINES_H

#include "graph/graph.h"

enum {
    GA__LINE_LIMIT = 1 << 20, /* longest line */
    GA__LINE_SLACK = 64       /* readable bytes that must follow the text */
};

/* What the lines of a file may hold. */
typedef struct ga__line_rules {
    bool ignore_columns, allow_nonfinite, weights;
    /* Matrix Market entries: indices from 1 to order, no comments, a fixed number of columns */
    bool matrix;
    int columns; /* 2 or 3 */
    uint64_t order;
    bool lower; /* symmetric: only entries on or below the diagonal */
} ga__line_rules;

/* Where a parse stands. Ids go to narrow, or to wide (two words a pair) once one does not fit 32 bits. */
typedef struct ga__parse {
    const ga__line_rules *rules;
    const unsigned char *next, *end; /* whole lines */
    ga__pair *narrow;                /* NULL when wide is used */
    uint64_t *wide;
    float *weights; /* NULL unless rules->weights */
    int64_t count, room;
    uint64_t largest;    /* largest id so far */
    uint64_t previous;   /* last pair as source << 32 | target, for sorted */
    bool sorted;         /* narrow pairs ascend */
    bool distinct;       /* none is a loop or the same as the one before */
    int64_t other_lines; /* blank lines and comments so far */
    int64_t declared;    /* figure of the first "# Nodes: N" before any edge; -1 */
    bool edges_seen;
    int64_t bad_column; /* from 1; 0 when the whole line is meant */
    char bad[200];
} ga__parse;

typedef enum ga__parsed {
    GA__PARSED_ALL,  /* next == end */
    GA__PARSED_FULL, /* no room for another pair */
    GA__PARSED_WIDE, /* the next line has an id that needs wide */
    GA__PARSED_BAD   /* bad, bad_column say why; next is at the line */
} ga__parsed;

ga__parsed ga__parse_lines(ga__parse *p);

/* The start of the line after the one that holds *p: behind "\n", "\r\n" or a single "\r"; NULL if no line end was
 * found, or it is not yet clear (a "\r" at the very end while more may follow). */
const unsigned char *ga__line_after(const unsigned char *p, const unsigned char *end, bool last);

/* A quoted, printable, shortened form of the bytes at p up to the next blank, for messages. */
void ga__quote(char *text, size_t size, const unsigned char *p, const unsigned char *end);

#endif
