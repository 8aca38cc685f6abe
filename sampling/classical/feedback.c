/* feedback.c - the rows that are iterated on; see feedback.h. */
#include "config.h"

#include "lib/base/workers.h"
#include "sampling/classical/feedback.h"

enum { PIECE = 4096, LONG = 64 };

typedef struct search {
    const ga__links *links;
    double follow;
    ga__feedback *f;
    uint32_t *row;     /* of a node, where it has one */
    uint32_t *length;  /* of the row of a node */
    uint8_t *entered;  /* there are links into the node */
    int64_t *pieces;   /* rows, then links of rows, before each piece of nodes */
    int64_t *of_links; /* the same of links */
} search;

double ga__start_of(const ga__links *links, int64_t v)
{
    return links->start ? links->start[v] : 1 / (double)links->nodes;
}

static bool has_row(const search *s, int64_t v)
{
    return s->entered[v] && s->links->degree[v] > 0;
}

static void see_piece(void *user, int worker, int64_t from, int64_t to)
{
    const search *s = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        s->entered[v] = s->links->offsets[v + 1] > s->links->offsets[v];
    }
}

static void measure_piece(void *user, int worker, int64_t from, int64_t to)
{
    const search *s = user;
    const ga__links *links = s->links;
    int64_t rows = 0, all = 0;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        uint32_t length = 0;
        if (has_row(s, v)) {
            for (int64_t e = links->offsets[v]; e < links->offsets[v + 1]; e++) {
                length += s->entered[links->sources[e]];
            }
            rows++;
            all += length;
        }
        s->length[v] = length;
    }
    s->pieces[from / PIECE] = rows;
    s->of_links[from / PIECE] = all;
}

/* Rows of equal length in succession: that spares the processor most of the wrong guesses of where a row ends, which take
 * longer than the sums. */
static void number_piece(void *user, int worker, int64_t from, int64_t to)
{
    const search *s = user;
    ga__feedback *f = s->f;
    int64_t at[LONG + 1] = { 0 }, next = s->pieces[from / PIECE], end = s->pieces[from / PIECE + 1];
    (void)worker;
    int64_t row = next, link = s->of_links[from / PIECE];
    for (int64_t v = from; v < to; v++) {
        at[ga__min(s->length[v], LONG)] += has_row(s, v);
    }
    for (int i = 0; i <= LONG; i++) {
        int64_t count = at[i];
        at[i] = next;
        next += count;
    }
    for (int64_t v = from; v < to; v++) {
        if (has_row(s, v)) {
            int64_t place = at[ga__min(s->length[v], LONG)]++;
            f->node[place] = (uint32_t)v;
            s->row[v] = (uint32_t)place;
        }
    }
    for (; row < end; row++) {
        f->offsets[row] = link;
        link += s->length[f->node[row]];
    }
}

static void fill_piece(void *user, int worker, int64_t from, int64_t to)
{
    const search *s = user;
    const ga__links *links = s->links;
    ga__feedback *f = s->f;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        int64_t v = f->node[i], place = f->offsets[i];
        double fixed = 0, each = 1 / (double)links->degree[v];
        for (int64_t e = links->offsets[v]; e < links->offsets[v + 1]; e++) {
            uint32_t u = links->sources[e];
            if (s->entered[u]) {
                f->sources[place++] = s->row[u];
            } else {
                fixed += ga__start_of(links, u) / (double)links->degree[u];
            }
        }
        f->scale[i] = s->follow * each;
        f->fixed[i] = (s->follow * fixed + ga__start_of(links, v)) * each;
    }
}

/* What stands before each, and the sum behind the last. */
static void accumulate(int64_t *values, int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i <= count; i++) {
        int64_t value = i < count ? values[i] : 0;
        values[i] = sum;
        sum += value;
    }
}

static ga_status build(ga_context *context, search *s)
{
    ga_status status = GA_OK;
    ga__feedback *f = s->f;
    int64_t nodes = s->links->nodes, pieces = (nodes + PIECE - 1) / PIECE;
    GA_TRY(ga__pieces(context, nodes, PIECE, see_piece, s));
    GA_TRY(ga__pieces(context, nodes, PIECE, measure_piece, s));
    accumulate(s->pieces, pieces);
    accumulate(s->of_links, pieces);
    f->rows = s->pieces[pieces];
    GA_TRY(GA_NEW(context, f->rows, &f->node));
    GA_TRY(GA_NEW(context, f->rows + 1, &f->offsets));
    GA_TRY(GA_NEW(context, f->rows, &f->scale));
    GA_TRY(GA_NEW(context, f->rows, &f->fixed));
    GA_TRY(GA_NEW(context, s->of_links[pieces], &f->sources));
    f->offsets[f->rows] = s->of_links[pieces];
    GA_TRY(ga__pieces(context, nodes, PIECE, number_piece, s));
    status = ga__pieces(context, f->rows, PIECE, fill_piece, s);
done:
    return status;
}

ga_status ga__feedback_find(ga_context *context, const ga__links *links, double follow, ga__feedback *f)
{
    ga_status status = GA_OK;
    search s = { .links = links, .follow = follow, .f = f };
    int64_t pieces = (links->nodes + PIECE - 1) / PIECE;
    *f = (ga__feedback){ .rows = 0 };
    GA_TRY(GA_NEW(context, links->nodes, &s.row));
    GA_TRY(GA_NEW(context, links->nodes, &s.length));
    GA_TRY(GA_NEW(context, links->nodes, &s.entered));
    GA_TRY(GA_NEW(context, pieces + 1, &s.pieces));
    GA_TRY(GA_NEW(context, pieces + 1, &s.of_links));
    status = build(context, &s);
done:
    ga_free(context, s.row);
    ga_free(context, s.length);
    ga_free(context, s.entered);
    ga_free(context, s.pieces);
    ga_free(context, s.of_links);
    return status;
}

void ga__feedback_free(ga_context *context, ga__feedback *f)
{
    ga_free(context, f->node);
    ga_free(context, f->offsets);
    ga_free(context, f->sources);
    ga_free(context, f->scale);
    ga_free(context, f->fixed);
}
