/* hops.c - pairs of nodes by directed distance: breadth-first searches from 64 or 512 sources at once, a bit each (Then et
 * al., The more the merrier: efficient multi-source graph traversal, 2014). */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum {
    FEW = 1,
    MANY = 8,
    SMALL = 1 << 18
}; /* words of a node's bits: many where all of them stay in the cache */

/* Of one worker: three sets of `words` words a node, and the nodes of the last step and of this one. */
typedef struct frontier {
    uint64_t *seen, *now, *next;
    uint32_t *list, *next_list;
    int64_t *pairs, room; /* by distance: pairs at it */
    int64_t longest;      /* pairs[0 .. longest] count */
    ga_status status;
} frontier;

typedef struct hop_search {
    const ga__study *study;
    int words;
    int64_t source_count;
    const uint32_t *sources; /* NULL = all nodes in turn */
    frontier *parts;
} hop_search;

static inline bool any(const uint64_t *bits, const int words)
{
    uint64_t all = 0;
    for (int i = 0; i < words; i++) {
        all |= bits[i];
    }
    return all != 0;
}

/* Sends the bits of all nodes in the list along their edges; the number of nodes that got some. */
static inline int64_t spread(const ga__study *study, frontier *f, int64_t count, const int words)
{
    ga_csr out = study->out;
    int64_t reached = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t *from = f->now + (int64_t)f->list[i] * words;
        for (int64_t e = out.offsets[f->list[i]]; e < out.offsets[f->list[i] + 1]; e++) {
            uint32_t w = out.targets[e];
            uint64_t *to = f->next + (int64_t)w * words;
            if (!any(to, words)) {
                f->next_list[reached++] = w;
            }
            for (int k = 0; k < words; k++) {
                to[k] |= from[k];
            }
        }
    }
    return reached;
}

/* Keeps the bits that are new to their node; the number of nodes that have any, *found of pairs. */
static inline int64_t keep_new(frontier *f, int64_t reached, const int words, int64_t *found)
{
    int64_t kept = 0, pairs = 0;
    for (int64_t i = 0; i < reached; i++) {
        uint32_t w = f->next_list[i];
        uint64_t *next = f->next + (int64_t)w * words, *seen = f->seen + (int64_t)w * words;
        for (int k = 0; k < words; k++) {
            next[k] &= ~seen[k];
            seen[k] |= next[k];
            pairs += __builtin_popcountll(next[k]);
        }
        if (any(next, words)) {
            f->next_list[kept++] = w;
        }
    }
    *found = pairs;
    return kept;
}

static ga_status note_pairs(const ga__study *study, frontier *f, int64_t distance, int64_t pairs)
{
    if (distance >= f->room) {
        int64_t wider = 2 * f->room + 64;
        ga_status status = ga__resize(study->context, f->room, wider, sizeof *f->pairs, &f->pairs);
        if (status != GA_OK) {
            return status;
        }
        memset(f->pairs + f->room, 0, (size_t)(wider - f->room) * sizeof *f->pairs);
        f->room = wider;
    }
    f->pairs[distance] += pairs;
    f->longest = ga__max(f->longest, distance);
    return GA_OK;
}

static inline ga_status search_from(const hop_search *h, frontier *f, int64_t first, int64_t last,
                                    const int words)
{
    ga_status status = GA_OK;
    int64_t count = last - first, pairs = last - first;
    size_t bytes = (size_t)h->study->nodes * (size_t)words * sizeof *f->seen;
    memset(f->seen, 0, bytes);
    memset(f->now, 0, bytes);
    memset(f->next, 0, bytes);
    for (int64_t i = 0; i < count; i++) {
        uint32_t v = h->sources ? h->sources[first + i] : (uint32_t)(first + i);
        f->now[(int64_t)v * words + i / 64] |= UINT64_C(1) << i % 64;
        f->seen[(int64_t)v * words + i / 64] |= UINT64_C(1) << i % 64;
        f->list[i] = v;
    }
    for (int64_t distance = 0; pairs > 0; distance++) {
        GA_TRY(note_pairs(h->study, f, distance, pairs));
        int64_t reached = spread(h->study, f, count, words);
        for (int64_t i = 0; i < count; i++) { /* is the next one's to write into */
            memset(f->now + (int64_t)f->list[i] * words, 0, (size_t)words * sizeof *f->now);
        }
        count = keep_new(f, reached, words, &pairs);
        uint64_t *bits = f->now;
        uint32_t *list = f->list;
        f->now = f->next;
        f->next = bits;
        f->list = f->next_list;
        f->next_list = list;
        if (ga__cancelled(h->study->context)) {
            break; /* whoever claims the next piece says so */
        }
    }
done:
    return status;
}

static void search_piece(void *user, int worker, int64_t from, int64_t to)
{
    const hop_search *h = user;
    frontier *f = &h->parts[worker];
    if (f->status == GA_OK) {
        f->status = h->words == MANY ? search_from(h, f, from, to, MANY) : search_from(h, f, from, to, FEW);
    }
}

/* A node may stand in the list of sources only once, and lists hold a node once. */
static ga_status make_parts(hop_search *h, int threads)
{
    ga_status status = GA_OK;
    ga_context *context = h->study->context;
    int64_t nodes = h->study->nodes, bits = 0;
    if (!ga__mul(nodes, h->words, &bits)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "hop_plot: too many nodes"));
    }
    GA_TRY(GA_NEW_ZERO(context, threads, &h->parts));
    for (int i = 0; i < threads; i++) {
        frontier *f = &h->parts[i];
        GA_TRY(GA_NEW(context, bits, &f->seen));
        GA_TRY(GA_NEW(context, bits, &f->now));
        GA_TRY(GA_NEW(context, bits, &f->next));
        GA_TRY(GA_NEW(context, nodes, &f->list));
        GA_TRY(GA_NEW(context, nodes, &f->next_list));
    }
done:
    return status;
}

static void clear_parts(hop_search *h, int threads)
{
    ga_context *context = h->study->context;
    for (int i = 0; i < threads && h->parts; i++) {
        ga_free(context, h->parts[i].seen);
        ga_free(context, h->parts[i].now);
        ga_free(context, h->parts[i].next);
        ga_free(context, h->parts[i].list);
        ga_free(context, h->parts[i].next_list);
        ga_free(context, h->parts[i].pairs);
    }
    ga_free(context, h->parts);
}

/* ---- what follows from the pairs ---- */

/* Pairs at a distance, over all workers. */
static int64_t pairs_at(const hop_search *h, int threads, int64_t distance)
{
    int64_t sum = 0;
    for (int i = 0; i < threads; i++) {
        sum += distance < h->parts[i].room ? h->parts[i].pairs[distance] : 0;
    }
    return sum;
}

/* plot[d]: pairs within distance d. The distance within which nine in ten are, with parts of a step by interpolation. */
static double effective_diameter(const double *plot, int64_t longest)
{
    double wanted = 0.9 * plot[longest];
    for (int64_t d = 0; d <= longest; d++) {
        if (plot[d] >= wanted) {
            return d == 0 ? 0 : (double)(d - 1) + (wanted - plot[d - 1]) / (plot[d] - plot[d - 1]);
        }
    }
    return NAN;
}

static ga_status put_plot(ga__study *study, const hop_search *h, int threads)
{
    ga_status status = GA_OK;
    int64_t longest = 0;
    bool estimated = h->sources != NULL;
    double *plot = NULL, sum = 0, steps = 0;
    double scale = estimated ? (double)study->nodes / (double)h->source_count : 1;
    for (int i = 0; i < threads; i++) {
        longest = ga__max(longest, h->parts[i].longest);
    }
    GA_TRY(ga__study_reals(study, "hop_plot", longest + 1, &plot));
    for (int64_t d = 0; d <= longest; d++) {
        double pairs = (double)pairs_at(h, threads, d) * scale;
        sum += pairs;
        steps += pairs * (double)d;
        plot[d] = sum;
    }
    bool none = study->nodes == 0;
    GA_TRY(ga__study_put(study, "diameter", none ? NAN : (double)longest, true, estimated));
    GA_TRY(ga__study_put(study, "effective_diameter", none ? NAN : effective_diameter(plot, longest), false,
                         estimated));
    GA_TRY(ga__study_put(study, "mean_distance", ga__ratio(steps, sum - plot[0]), false, estimated));
    status = ga__study_put(study, "hop_plot.pairs", sum, !estimated, estimated);
done:
    return status;
}

/* Distinct nodes, every choice equally likely. */
static ga_status draw_sources(const ga__study *study, int64_t count, uint32_t **sources)
{
    ga_status status = GA_OK;
    int64_t *chosen = NULL;
    ga__random stream = ga__random_at(ga_context_seed(study->context), GA__RANDOM_HOPS, 0);
    GA_TRY(GA_NEW(study->context, count, &chosen));
    GA_TRY(GA_NEW(study->context, count, sources));
    ga__random_choose(&stream, study->nodes, count, chosen);
    for (int64_t i = 0; i < count; i++) {
        (*sources)[i] = (uint32_t)chosen[i];
    }
done:
    ga_free(study->context, chosen);
    return status;
}

ga_status ga__measure_hop_plot(ga__study *study)
{
    ga_status status = GA_OK;
    const ga_statistics_options *o = study->options;
    uint32_t *sources = NULL;
    hop_search h = { .study = study,
                     .words = study->nodes <= SMALL ? MANY : FEW,
                     .source_count = study->nodes };
    if (study->nodes > o->hop_exact && study->nodes > o->hop_sources) {
        h.source_count = o->hop_sources;
        GA_TRY(draw_sources(study, h.source_count, &sources));
        h.sources = sources;
    }
    int threads = ga__piece_threads(study->context, h.source_count, 64 * h.words);
    GA_TRY(make_parts(&h, threads));
    GA_TRY(ga__pieces(study->context, h.source_count, 64 * h.words, search_piece, &h));
    for (int i = 0; i < threads; i++) {
        GA_TRY(h.parts[i].status);
    }
    GA_TRY(ga__check(study->context));
    status = put_plot(study, &h, threads);
done:
    clear_parts(&h, h.parts ? ga__piece_threads(study->context, h.source_count, 64 * h.words) : 0);
    ga_free(study->context, sources);
    return status;
}
