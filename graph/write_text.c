/* write_text.c - edge lists: blocks of edges are formatted by several threads and written in order. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/write.h"
#include "lib/base/workers.h"

enum { LINES_BLOCK = 1 << 14 }; /* edges */

static const char pairs_of_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static inline int digits_of(uint64_t value)
{
    static const uint64_t power[20] = { 0,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        UINT64_C(10000000000),
                                        UINT64_C(100000000000),
                                        UINT64_C(1000000000000),
                                        UINT64_C(10000000000000),
                                        UINT64_C(100000000000000),
                                        UINT64_C(1000000000000000),
                                        UINT64_C(10000000000000000),
                                        UINT64_C(100000000000000000),
                                        UINT64_C(1000000000000000000),
                                        UINT64_C(10000000000000000000) };
    int guess = (ga__bits(value) * 1233) >> 12; /* log10(2) */
    return guess + (value >= power[guess]);
}

char *ga__put_number(char *text, uint64_t value)
{
    int digits = value ? digits_of(value) : 1;
    char *at = text + digits;
    while (value >= 100) {
        uint64_t rest = value / 100;
        at -= 2;
        memcpy(at, pairs_of_digits + 2 * (value - 100 * rest), 2);
        value = rest;
    }
    if (value >= 10) {
        memcpy(text, pairs_of_digits + 2 * value, 2);
    } else {
        *text = (char)('0' + value);
    }
    return text + digits;
}

char *ga__put_float(char *text, float value)
{
    if (fabsf(value) < 16777216.0f && value == truncf(value) && !(value == 0 && signbit(value))) {
        if (value < 0) {
            *text++ = '-';
        }
        return ga__put_number(text, (uint64_t)fabsf(value));
    }
    for (int precision = 6; precision < 9 && isfinite(value); precision++) {
        double back;
        int size = snprintf(text, 32, "%.*g", precision, (double)value);
        for (int i = 0; i < size; i++) { /* the locale's decimal point */
            if ((text[i] < '0' || text[i] > '9') && text[i] != 'e' && text[i] != '-' && text[i] != '+') {
                text[i] = '.';
            }
        }
        if (ga__parse_double(text, size, &back) && (float)back == value) {
            return text + size;
        }
    }
    return text + ga__format_double(text, (double)value);
}

typedef struct lines {
    ga__writing *w;
    char separator;
    const uint64_t *ids;
    uint64_t shift;
    bool weights;
    int64_t blocks;
    char *buffers;
    int64_t stride;
    int64_t next;
    int status;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    int64_t turn; /* block that may be written next */
} lines;

static inline uint64_t name_of(const lines *l, uint32_t node)
{
    return (l->ids ? l->ids[node] : node) + l->shift;
}

static int64_t format_block(const lines *l, int64_t block, char *text)
{
    enum { LABEL = 24 };
    const ga_graph *g = l->w->graph;
    int64_t edge = block * LINES_BLOCK, end = ga__min(g->edges, edge + LINES_BLOCK);
    char *at = text;
    for (int64_t row = ga__row_of(g->out_offsets, g->nodes, edge); edge < end; row++) {
        char label[LABEL];
        char *label_end = ga__put_number(label, name_of(l, (uint32_t)row));
        *label_end++ = l->separator;
        for (int64_t stop = ga__min(end, g->out_offsets[row + 1]); edge < stop; edge++) {
            memcpy(at, label, LABEL); /* more than needed, but of fixed size */
            at = ga__put_number(at + (label_end - label), name_of(l, g->out_targets[edge]));
            if (l->weights) {
                *at++ = l->separator;
                at = ga__put_float(at, g->weights[edge]);
            }
            *at++ = '\n';
        }
    }
    return at - text;
}

/* Waits until all blocks before are written. */
static void write_block(lines *l, int64_t block, const char *text, int64_t size)
{
    pthread_mutex_lock(&l->lock);
    while (l->turn != block && ga__noted_status(&l->status) == GA_OK) {
        pthread_cond_wait(&l->turned, &l->lock);
    }
    if (ga__noted_status(&l->status) == GA_OK) {
        ga__note_status(&l->status, ga__output_write(l->w->context, l->w->output, text, size));
        ga__progress(l->w->context, "writing", block + 1, l->blocks);
    }
    l->turn++;
    pthread_cond_broadcast(&l->turned);
    pthread_mutex_unlock(&l->lock);
}

static void line_worker(void *user, int worker)
{
    lines *l = user;
    char *text = l->buffers + worker * l->stride;
    for (int64_t b; (b = ga__claim(&l->next)) < l->blocks;) {
        if (ga__cancelled(l->w->context)) {
            ga__note_status(&l->status, ga__check(l->w->context));
        }
        int64_t size = ga__noted_status(&l->status) == GA_OK ? format_block(l, b, text) : 0;
        write_block(l, b, text, size);
    }
}

ga_status ga__write_lines(ga__writing *w, char separator, const uint64_t *ids, uint64_t shift, bool weights)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    uint64_t largest = shift + (ids ? ids[ga__max(g->nodes, 1) - 1] : (uint64_t)g->nodes);
    lines l = { .w = w,
                .separator = separator,
                .ids = ids,
                .shift = shift,
                .weights = weights,
                .blocks = (g->edges + LINES_BLOCK - 1) / LINES_BLOCK };
    int threads = ga__threads_for(w->context, l.blocks);
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.turned, NULL);
    l.stride = LINES_BLOCK * (int64_t)(2 * digits_of(largest | 1) + 2 + (weights ? 32 : 0)) + 64;
    GA_TRY(ga_alloc(w->context, threads * l.stride, 1, &l.buffers));
    ga__workers(w->context, threads, line_worker, &l);
    status = ga__noted_status(&l.status);
done:
    ga_free(w->context, l.buffers);
    pthread_cond_destroy(&l.turned);
    pthread_mutex_destroy(&l.lock);
    return status;
}

/* A reader gives nodes without edges the smallest integers that are no ids; tells when that would change ids. */
static ga_status check_isolated_ids(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    uint8_t *named = NULL;
    int64_t named_before = 0, isolated = 0;
    GA_TRY(GA_NEW_ZERO(w->context, g->nodes, &named));
    for (int64_t v = 0; v < g->nodes; v++) {
        named[v] = g->out_offsets[v + 1] > g->out_offsets[v];
    }
    for (int64_t e = 0; e < g->edges; e++) {
        named[g->out_targets[e]] = 1;
    }
    for (int64_t v = 0; v < g->nodes; v++) {
        if (named[v]) {
            named_before++;
        } else if (g->ids[v] != (uint64_t)(isolated++ + named_before)) {
            ga__tell(w->context, GA_WARNING,
                     "%s: isolated node %llu: text keeps the number of isolated nodes but not such ids",
                     w->path, (unsigned long long)g->ids[v]);
            break;
        }
    }
done:
    ga_free(w->context, named);
    return status;
}

ga_status ga__write_text(ga__writing *w)
{
    ga_status status = GA_OK;
    const ga_graph *g = w->graph;
    if (g->ids) {
        GA_TRY(check_isolated_ids(w));
    }
    GA_TRY(ga__output_print(w->context, w->output, "# Nodes: %lld Edges: %lld\n", (long long)g->nodes,
                            (long long)g->edges));
    GA_TRY(ga__write_lines(w, '\t', g->ids, 0, g->weights != NULL));
done:
    return status;
}
