/* read_metis.c - METIS .graph files: line i holds the neighbours of node i, numbered from 1; every edge stands in
 * both its lines. Sizes and weights of nodes are checked and skipped. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "graph/facts.h"
#include "graph/lines.h"
#include "graph/text_in.h"

typedef struct metis {
    ga__reading *r;
    ga__text_in text;
    int64_t nodes, edges; /* of the header; edges count once */
    int64_t skipped;      /* numbers before the neighbours of a line */
    bool weighted;        /* a weight after each neighbour */
    int64_t entries, room;
    int64_t *offsets;
    uint32_t *targets;
    float *weights;
} metis;

static ga_status bad_line(const metis *m, const char *what)
{
    return ga__fail(m->r->context, GA_FORMAT, "%s:%lld: %s", m->r->name, (long long)m->text.line, what);
}

/* The next number of the line; *there false at its end. */
static ga_status next_number(metis *m, int64_t *value, bool *there)
{
    ga_status status = GA_OK;
    int byte;
    *there = false;
    *value = 0;
    for (;;) {
        GA_TRY(ga__text_in_peek(&m->text, &byte));
        if (byte >= '0' && byte <= '9') {
            if (!ga__mul(*value, 10, value) || !ga__add(*value, byte - '0', value)) {
                GA_TRY(bad_line(m, "a number beyond 2^63 - 1"));
            }
            *there = true;
        } else if (byte == ' ' || byte == '\t') {
            if (*there) {
                break;
            }
        } else if (byte == '\n' || byte == -1) {
            break;
        } else {
            char text[64];
            unsigned char found = (unsigned char)byte;
            ga__quote(text, sizeof text, &found, &found + 1);
            GA_TRY(ga__fail(m->r->context, GA_FORMAT, "%s:%lld: found %s, expected a number", m->r->name,
                            (long long)m->text.line, text));
        }
        ga__text_in_take(&m->text);
    }
done:
    return status;
}

/* Takes the end of the line, if there is one. */
static ga_status end_line(metis *m)
{
    int byte = 0;
    ga_status status = ga__text_in_peek(&m->text, &byte);
    if (status == GA_OK && byte == '\n') {
        ga__text_in_take(&m->text);
    }
    return status;
}

/* Comment lines start with %. */
static ga_status skip_comments(metis *m)
{
    ga_status status = GA_OK;
    for (;;) {
        int byte;
        GA_TRY(ga__text_in_peek(&m->text, &byte));
        if (byte != '%') {
            break;
        }
        while (byte != '\n' && byte != -1) {
            ga__text_in_take(&m->text);
            GA_TRY(ga__text_in_peek(&m->text, &byte));
        }
        if (byte == '\n') {
            ga__text_in_take(&m->text);
        }
    }
done:
    return status;
}

/* nodes edges [format [constraints]]; format is three binary digits: node sizes, node weights, edge weights. */
static ga_status read_header(metis *m)
{
    ga_status status = GA_OK;
    int64_t field[4] = { 0, 0, 0, 1 }, more;
    int count = 0;
    bool there = true;
    GA_TRY(skip_comments(m));
    while (count < 4 && there) {
        GA_TRY(next_number(m, &more, &there));
        if (there) {
            field[count++] = more;
        }
    }
    if (count == 4) {
        GA_TRY(next_number(m, &more, &there));
    }
    int64_t format = field[2];
    if (count < 2 || there || format > 111 || format % 10 > 1 || format / 10 % 10 > 1) {
        GA_TRY(bad_line(
            m, "expected the header: nodes, edges, and at most a format of digits 0 and 1 and a number "
               "of weights"));
    }
    m->nodes = field[0];
    m->edges = field[1];
    m->weighted = format % 10 == 1;
    m->skipped = format / 100 + (format / 10 % 10 ? field[3] : 0);
    GA_TRY(ga__reading_limits(m->r, m->nodes, m->edges));
    if (m->edges > INT64_MAX / 2) {
        GA_TRY(bad_line(m, "too many edges"));
    }
    GA_TRY(end_line(m));
done:
    return status;
}

static ga_status add_entry(metis *m, int64_t neighbour, int64_t weight)
{
    ga_status status = GA_OK;
    if (m->entries == m->room) {
        int64_t room = m->room ? 2 * m->room : 1 << 12;
        GA_TRY(ga__resize(m->r->context, m->room, room, sizeof *m->targets, &m->targets));
        if (m->r->options->weights) {
            GA_TRY(ga__resize(m->r->context, m->room, room, sizeof *m->weights, &m->weights));
        }
        m->room = room;
    }
    m->targets[m->entries] = (uint32_t)(neighbour - 1);
    if (m->weights) {
        m->weights[m->entries] = (float)weight;
    }
    m->entries++;
done:
    return status;
}

static ga_status read_node(metis *m, int64_t node)
{
    ga_status status = GA_OK;
    int64_t value, weight = 1;
    bool there;
    for (int64_t i = 0; i < m->skipped; i++) {
        GA_TRY(next_number(m, &value, &there));
        if (!there) {
            GA_TRY(ga__fail(m->r->context, GA_FORMAT, "%s:%lld: node %lld has %lld of %lld sizes and weights",
                            m->r->name, (long long)m->text.line, (long long)node, (long long)i,
                            (long long)m->skipped));
        }
    }
    for (;;) {
        GA_TRY(next_number(m, &value, &there));
        if (!there) {
            break;
        }
        if (value < 1 || value > m->nodes) {
            GA_TRY(ga__fail(m->r->context, GA_FORMAT,
                            "%s:%lld: node %lld has neighbour %lld, expected 1 to %lld", m->r->name,
                            (long long)m->text.line, (long long)node, (long long)value, (long long)m->nodes));
        }
        if (m->weighted) {
            GA_TRY(next_number(m, &weight, &there));
            if (!there) {
                GA_TRY(bad_line(m, "a neighbour without its edge weight"));
            }
        }
        GA_TRY(add_entry(m, value, weight));
    }
done:
    return status;
}

static ga_status read_nodes(metis *m)
{
    ga_status status = GA_OK;
    int64_t room = 1 << 12;
    GA_TRY(GA_NEW(m->r->context, room, &m->offsets));
    m->offsets[0] = 0;
    for (int64_t node = 0; node < m->nodes; node++) {
        GA_TRY(skip_comments(m));
        int byte;
        GA_TRY(ga__text_in_peek(&m->text, &byte));
        if (byte == -1) {
            GA_TRY(ga__fail(m->r->context, GA_FORMAT, "%s:%lld: lines for %lld nodes, the header says %lld",
                            m->r->name, (long long)m->text.line, (long long)node, (long long)m->nodes));
        }
        GA_TRY(read_node(m, node + 1));
        if (node + 1 == room) {
            GA_TRY(ga__resize(m->r->context, room, 2 * room, sizeof *m->offsets, &m->offsets));
            room *= 2;
        }
        m->offsets[node + 1] = m->entries;
        GA_TRY(end_line(m));
    }
    for (int byte = '\n'; byte != -1;) { /* nothing but blank lines and comments may follow */
        int64_t value;
        bool there;
        GA_TRY(skip_comments(m));
        GA_TRY(next_number(m, &value, &there));
        if (there) {
            GA_TRY(ga__fail(m->r->context, GA_FORMAT, "%s:%lld: a line after those of all %lld nodes",
                            m->r->name, (long long)m->text.line, (long long)m->nodes));
        }
        GA_TRY(ga__text_in_peek(&m->text, &byte));
        if (byte == '\n') {
            ga__text_in_take(&m->text);
        }
    }
done:
    return status;
}

/* Every edge has its reverse just if the rows are those of the transpose. */
static ga_status check_both_ways(const metis *m)
{
    ga_status status = GA_OK;
    ga__csr_policy policy = { GA_LOOPS_KEEP, GA_MULTI_KEEP, false, NULL };
    ga__csr_result out = { 0 }, in = { 0 };
    ga__rows rows = { m->nodes, m->offsets, m->targets, NULL, false, false };
    ga__edge_source source = ga__rows_source(&rows);
    GA_TRY(ga__csr_build(m->r->context, m->nodes, &source, &policy, &out));
    rows.swap = true;
    GA_TRY(ga__csr_build(m->r->context, m->nodes, &source, &policy, &in));
    for (int64_t v = 0; v < m->nodes; v++) {
        int64_t a = out.offsets[v], b = in.offsets[v];
        while (a < out.offsets[v + 1] && b < in.offsets[v + 1] && out.targets[a] == in.targets[b]) {
            a++;
            b++;
        }
        bool more_out = a < out.offsets[v + 1], more_in = b < in.offsets[v + 1];
        if (!more_out && !more_in) {
            continue;
        }
        bool lists = more_out && (!more_in || out.targets[a] < in.targets[b]);
        long long other = lists ? out.targets[a] : in.targets[b], node = v;
        GA_TRY(ga__fail(m->r->context, GA_FORMAT,
                        "%s: node %lld lists neighbour %lld, which does not list it", m->r->name,
                        (lists ? node : other) + 1, (lists ? other : node) + 1));
    }
done:
    ga_free(m->r->context, out.offsets);
    ga_free(m->r->context, out.targets);
    ga_free(m->r->context, in.offsets);
    ga_free(m->r->context, in.targets);
    return status;
}

ga_status ga__read_metis(ga__reading *r)
{
    ga_status status = GA_OK;
    metis m = { .r = r };
    ga_graph *graph = NULL;
    GA_TRY(ga__text_in_open(r->context, r->input, &m.text));
    GA_TRY(read_header(&m));
    GA_TRY(read_nodes(&m));
    if (m.entries != 2 * m.edges) {
        GA_TRY(ga__fail(r->context, GA_FORMAT, "%s: %lld entries for %lld edges, expected %lld", r->name,
                        (long long)m.entries, (long long)m.edges, (long long)(2 * m.edges)));
    }
    GA_TRY(check_both_ways(&m));
    r->report.bytes = m.text.consumed + m.text.at;
    r->report.declared_nodes = m.nodes;
    GA_TRY(ga__graph_adopt(r->context, m.nodes, m.entries, m.offsets, m.targets, NULL, &graph));
    graph->weights = m.weights;
    m.offsets = NULL;
    m.targets = NULL;
    m.weights = NULL;
    status = ga__reading_take(r, graph);
done:
    if (m.text.buffer) {
        ga__text_in_close(&m.text);
    }
    ga_free(r->context, m.offsets);
    ga_free(r->context, m.targets);
    ga_free(r->context, m.weights);
    return status;
}
