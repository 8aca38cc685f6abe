/* sample_methods.c - the methods of graphattn sample and their parameters, which are options. */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/sample_methods.h"
#include "graph/text_in.h"

/* A parameter's name is that of its option with "_" for "-". */
#define OF_METHOD(member) AT(of_method.member)
static const option rows[] = {
    { "alpha", 0, OPTION_TEXT, OF_METHOD(alpha), "X",
      .help = "pagerank: probability of following an edge (default: 0.85); ppr: of returning to the start "
              "(default: 0.15); metropolis_walk: exponent (default: 1)" },
    { "backward", 0, OPTION_TEXT, OF_METHOD(backward), "P",
      .help = "forest_fire: burning probability against edges, as a multiple of --forward (default: 0)" },
    { "direction", 0, OPTION_TEXT, OF_METHOD(direction), "out|in|both",
      .help = "which edges lead on from a node (default: both)" },
    { "fanout", 0, OPTION_TEXT, OF_METHOD(fanout), "K",
      .help = "snowball: most new neighbours of a node (default: 50)" },
    { "forward", 0, OPTION_TEXT, OF_METHOD(forward), "P",
      .help = "forest_fire: burning probability along edges (default: 0.7)" },
    { "induced", 0, OPTION_TRUTH, OF_METHOD(induced),
      .help = "all edges between the sampled nodes (default, but for methods that sample edges)" },
    { "jump", 0, OPTION_TEXT, OF_METHOD(jump), "P",
      .help = "jump_walk: probability of a jump to a uniform node (default: 0.15)" },
    { "jump-weight", 0, OPTION_TEXT, OF_METHOD(jump_weight), "B",
      .help = "directed_frontier: weight of jumps beside a walker's degree (default: 1)" },
    { "mode", 0, OPTION_TEXT, OF_METHOD(mode), "edgeball|hubball|fireball|coreball|firecoreball",
      .help = "spikyball: what a layer grows from, and towards what (default: fireball)" },
    { "probability", 0, OPTION_TEXT, OF_METHOD(probability), "P",
      .help =
          "spikyball: share of the candidates that join (default: 0.2); hybrid_edge: share of the steps that "
          "draw a node first (default: 0.8)" },
    { "restart", 0, OPTION_TEXT, OF_METHOD(restart), "P",
      .help = "restart_walk: probability of going back to the start (default: 0.15)" },
    { "side", 0, OPTION_TEXT, OF_METHOD(side), "total|in|out",
      .help = "degree: the degree that counts (default: total)" },
    { "start", 0, OPTION_TEXT, OF_METHOD(start), "LIST",
      .help = "ids of the nodes to start from, joined by commas (default: uniform nodes)" },
    { "tolerance", 0, OPTION_TEXT, OF_METHOD(tolerance), "X",
      .help = "ppr: when the scores have converged (default: 1e-10)" },
    { "walkers", 0, OPTION_TEXT, OF_METHOD(walkers), "N",
      .help = "frontier, directed_frontier: number of walkers (default: 10)" },
    { 0 }
};
const option_group classical_options = { "Methods other than jdm", rows };

static const char *method_at(const void *user, int i)
{
    int count;
    const ga_method_info *methods = ga_sample_methods(&count);
    (void)user;
    return i < count ? methods[i].name : NULL;
}

/* ---- what belongs to jdm ---- */

static bool differs(const session *s, const option *o)
{
    const char *now = (const char *)&s->is + o->at, *before = (const char *)&default_settings + o->at;
    size_t size = sizeof(int64_t);
    switch (o->kind) {
    case OPTION_SWITCH: size = sizeof(bool); break;
    case OPTION_WORD: size = sizeof(int); break;
    case OPTION_REAL: return *(const double *)(const void *)now != *(const double *)(const void *)before;
    default: break;
    }
    return memcmp(now, before, size) != 0;
}

static int refuse_jdm_options(const session *s)
{
    static const option_group *const groups[] = { &rescaling_options, &rewiring_options };
    for (int i = 0; i < 2; i++) {
        for (const option *o = groups[i]->rows; o->name; o++) {
            bool size = o->at == AT(ratio) || o->at == AT(wanted_nodes);
            if (!size && differs(s, o)) {
                return usage_error(s, "--%s is for --method jdm, not for %s", o->name, s->is.method);
            }
        }
    }
    if (s->is.report) {
        return usage_error(s, "--report is for --method jdm, not for %s", s->is.method);
    }
    if (s->is.ratio > 1) {
        return usage_error(s, "--method %s needs a ratio of at most 1", s->is.method);
    }
    return 0;
}

int check_method(const session *s)
{
    const char *wanted = s->is.method;
    const ga_method_info *method = ga_sample_method_find(wanted);
    if (!method) {
        const char *near = nearest_word(wanted, method_at, NULL);
        return near ? usage_error(s, "unknown method \"%s\"; did you mean %s?", wanted, near)
                    : usage_error(s, "no method \"%s\" in this release; --list-methods lists them", wanted);
    }
    if (s->is.keep_ids && s->is.renumber) {
        return usage_error(s, "--keep-ids and --renumber exclude each other");
    }
    if (method->sampler) {
        return refuse_jdm_options(s);
    }
    if (s->is.weights) {
        return usage_error(s, "--weights: the edges of --method jdm are new ones and have no weights");
    }
    return 0;
}

/* ---- parameters ---- */

int64_t method_parameters(const session *s, ga_named_text *given)
{
    int64_t count = 0;
    for (const option *o = rows; o->name; o++) {
        const char *value = *(const char *const *)(const void *)((const char *)&s->is + o->at);
        const char *name = o->at == OF_METHOD(jump_weight) ? "jump_weight" : o->name;
        if (value) {
            given[count++] = (ga_named_text){ name, value };
        }
    }
    return count;
}

/* ---- the order of the lines ---- */

bool find_id(const ga_graph *graph, uint64_t id, int64_t *node)
{
    const uint64_t *ids = ga_graph_ids(graph);
    int64_t low = 0, high = ga_graph_nodes(graph);
    *node = id < (uint64_t)high ? (int64_t)id : high;
    while (ids && low < high) {
        int64_t middle = low + (high - low) / 2;
        if (ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *node = ids ? low : *node;
    return *node < ga_graph_nodes(graph) && (!ids || ids[*node] == id);
}

/* The number of an edge; false for what the graph has not, such as loops that were dropped. */
static bool find_edge(const ga_graph *graph, uint64_t source, uint64_t target, int64_t *edge)
{
    ga_csr out = ga_graph_out(graph);
    int64_t u, v;
    if (!find_id(graph, source, &u) || !find_id(graph, target, &v)) {
        return false;
    }
    int64_t low = out.offsets[u], end = out.offsets[u + 1], high = end;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (out.targets[middle] < v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *edge = low;
    return low < end && out.targets[low] == v;
}

/* The lines of a file that was read before. */
typedef struct stream {
    session *s;
    const ga_graph *graph;
    int64_t *edges; /* owned */
    int64_t count, room;
} stream;

static ga_status add_edge(stream *to, uint64_t source, uint64_t target)
{
    ga_status status = GA_OK;
    int64_t edge;
    if (!find_edge(to->graph, source, target, &edge)) {
        goto done;
    }
    if (to->count == to->room) {
        int64_t room = ga__max(1024, 2 * to->room);
        GA_TRY(ga__resize(to->s->context, to->room, room, sizeof *to->edges, &to->edges));
        to->room = room;
    }
    to->edges[to->count++] = edge;
done:
    return status;
}

/* Digits behind blanks; moves *at behind them. */
static bool take_id(const unsigned char **at, const unsigned char *end, uint64_t *id)
{
    const unsigned char *digit = *at;
    while (digit < end && (*digit == ' ' || *digit == '\t')) {
        digit++;
    }
    *at = digit;
    for (*id = 0; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
        *id = 10 * *id + (uint64_t)(*digit - '0');
    }
    bool found = digit > *at;
    *at = digit;
    return found;
}

static ga_status add_lines(stream *to, ga__text_in *text)
{
    ga_status status = GA_OK;
    const unsigned char *line;
    int64_t size;
    for (int64_t number = 1;; number++) {
        uint64_t source, target;
        GA_TRY(ga__text_in_line(text, &line, &size));
        if (size < 0) {
            break;
        }
        const unsigned char *at = line, *end = line + size;
        if (number == 1 && size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            at += 3; /* byte order mark */
        }
        if (take_id(&at, end, &source) && take_id(&at, end, &target)) { /* else blank or a comment */
            GA_TRY(add_edge(to, source, target));
            if (to->s->is.undirected) {
                GA_TRY(add_edge(to, target, source));
            }
        }
    }
done:
    return status;
}

/* Pipes give their content once. */
static bool can_read_again(const char *path)
{
    struct stat file;
    return !is_standard(path) && stat(path, &file) == 0 && S_ISREG(file.st_mode);
}

ga_status read_stream(session *s, const ga_graph *graph, ga_format format, int64_t **edges, int64_t *count)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    ga__text_in text = { .buffer = NULL };
    stream to = { .s = s, .graph = graph };
    if (strcmp(s->is.method, "pies") != 0) {
        goto done;
    }
    if (format != GA_FORMAT_TEXT || !can_read_again(input_path(s))) {
        ga__tell(s->context, GA_NOTE, "pies: edges pass by source and target, not by line");
        goto done;
    }
    GA_TRY(ga__input_open(s->context, input_path(s), false, &input));
    GA_TRY(ga__text_in_open(s->context, input, &text));
    GA_TRY(add_lines(&to, &text));
    *edges = to.edges;
    *count = to.count;
    to.edges = NULL;
done:
    ga__text_in_close(&text);
    ga__input_close(s->context, input);
    ga_free(s->context, to.edges);
    return status;
}

/* ---- the list ---- */

ga_status list_methods(session *s)
{
    ga_status status = GA_OK;
    ga__output *out = NULL;
    int count;
    const ga_method_info *methods = ga_sample_methods(&count);
    GA_TRY(ga__output_open(s->context, "-", false, &out));
    for (int i = 0; i < count; i++) {
        GA_TRY(ga__output_print(s->context, out, "%s\t%s\n", methods[i].name, methods[i].summary));
        GA_TRY(print_tables(s, methods[i].name, methods[i].parameters, NULL, out));
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}
