/* choose.c - a rounding that loses few edges, where the degrees are so large that some are lost. */
#include "config.h"

#include <string.h>

#include "sampling/rescale/plan.h"
#include "sampling/rescale/round.h"

enum { TRIALS = 4 };

/* Degrees of one side, ascending and within the degree cap, and how many nodes have them. */
typedef struct ends {
    int64_t count, sum;
    int64_t *degree, *size;
} ends;

/* What a rounding comes to by Gale and Ryser's theorem, the places of loops included: at most `placed` of
 * `edges`. */
typedef struct outlook {
    int64_t edges, placed;
    ga__cut cut; /* where it is tightest */
} outlook;

static void set_degrees(const ga__draft *draft, const ga__classes *classes, ends *e)
{
    e->count = classes->count;
    e->sum = 0;
    for (int64_t c = 0; c < e->count; c++) {
        e->degree[c] = ga__min(classes->degree[c], draft->degree_cap);
        e->sum += e->degree[c] * e->size[c];
    }
}

/* The balance to come: the largest nodes come down to the same level. What is left of excess is less than one
 * each. */
static void lower(ends *e, int64_t excess)
{
    int64_t wet = 0, c = e->count - 1, level = c < 0 ? 0 : e->degree[c];
    for (; c >= 0 && excess > 0; c--) {
        int64_t next = c > 0 ? e->degree[c - 1] : 0;
        wet += e->size[c];
        int64_t fall = wet > 0 ? ga__min(level - next, excess / wet) : level - next;
        excess -= wet * fall;
        level -= fall;
        if (level > next) {
            break;
        }
    }
    for (c = e->count - 1; c >= 0 && e->degree[c] > level; c--) {
        e->sum -= (e->degree[c] - level) * e->size[c];
        e->degree[c] = level;
    }
}

/* For the largest y in-nodes: every out-node reaches at most y of them, the others take what they can.
 * Between two classes that is a concave function of y, so the least stands at a class. */
static outlook look(const ends *out, const ends *in)
{
    int64_t y = 0, others = in->sum, reached = 0, beyond = 0, full;
    for (int64_t k = 0; k < out->count; k++) {
        beyond += out->size[k];
    }
    outlook least = { .edges = ga__min(out->sum, in->sum), .placed = INT64_MAX };
    for (int64_t l = in->count, k = 0;; l--) {
        for (; k < out->count && out->degree[k] <= y; k++) {
            reached += out->degree[k] * out->size[k];
            beyond -= out->size[k];
        }
        if (ga__mul(beyond, y, &full) && reached + others < least.placed - full) {
            least.placed = reached + full + others;
            least.cut = (ga__cut){ .out = y, .in = beyond };
        }
        if (l == 0) {
            break;
        }
        y += in->size[l - 1];
        others -= in->degree[l - 1] * in->size[l - 1];
    }
    least.placed = ga__min(least.placed, least.edges);
    return least;
}

static outlook outlook_of(const ga__draft *draft, const int64_t *entry, ends *out, ends *in)
{
    const ga_matrices *m = draft->original;
    memset(out->size, 0, (size_t)m->out.count * sizeof *out->size);
    memset(in->size, 0, (size_t)m->in.count * sizeof *in->size);
    for (int64_t c = 0; c < m->dcm.count; c++) {
        out->size[m->dcm.column[c]] += entry[c];
        in->size[m->dcm.row[c]] += entry[c];
    }
    set_degrees(draft, &m->out, out);
    set_degrees(draft, &m->in, in);
    lower(out->sum > in->sum ? out : in, out->sum > in->sum ? out->sum - in->sum : in->sum - out->sum);
    return look(out, in);
}

/* Edges that are missing, and edges that have to be dropped. */
static double badness(const ga__draft *draft, const outlook *o)
{
    double missing = draft->report->wanted_edges - (double)o->placed;
    return (missing > 0 ? missing : -missing) + (double)(o->edges - o->placed);
}

/* More than one edge in a thousand: less is not worth another rounding. */
static bool loses(const outlook *o)
{
    return o->edges - o->placed > o->edges / 1000;
}

/* Roundings that make the tightest place of the best one so far less tight, as long as that helps. */
static ga_status improve(ga_context *context, ga__draft *draft, ga__round_options *options, int64_t *entry)
{
    ga_status status = GA_OK;
    const ga_matrices *m = draft->original;
    ga_rescale_report *report = draft->report;
    ends out = { 0 }, in = { 0 };
    int64_t *trial = NULL, rounds;
    double l1;
    GA_TRY(GA_NEW(context, m->dcm.count, &trial));
    GA_TRY(GA_NEW(context, m->out.count, &out.degree));
    GA_TRY(GA_NEW(context, m->out.count, &out.size));
    GA_TRY(GA_NEW(context, m->in.count, &in.degree));
    GA_TRY(GA_NEW(context, m->in.count, &in.size));
    outlook best = outlook_of(draft, entry, &out, &in), now = best;
    for (int i = 0; i < TRIALS && loses(&best); i++) {
        options->cut = &now.cut;
        GA_TRY(ga__round_dcm(context, m, options, trial, &l1, &rounds));
        report->rounds += rounds;
        now = outlook_of(draft, trial, &out, &in);
        if (badness(draft, &now) >= badness(draft, &best)) {
            break;
        }
        best = now;
        report->dcm_l1_rounding = l1;
        memcpy(entry, trial, (size_t)m->dcm.count * sizeof *entry);
    }
done:
    ga_free(context, trial);
    ga_free(context, out.degree);
    ga_free(context, out.size);
    ga_free(context, in.degree);
    ga_free(context, in.size);
    return status;
}

ga_status ga__choose_rounding(ga_context *context, ga__draft *draft, int64_t *entry)
{
    ga_status status = GA_OK;
    const ga_rescale_options *o = draft->options;
    ga_rescale_report *report = draft->report;
    ga__round_options options = {
        draft->nodes, draft->ratio, o->rounding, o->steer, draft->degree_cap, NULL
    };
    GA_TRY(
        ga__round_dcm(context, draft->original, &options, entry, &report->dcm_l1_rounding, &report->rounds));
    if (o->steer && o->rounding == GA_ROUNDING_LAMINAR && o->multi != GA_MULTI_KEEP) {
        GA_TRY(improve(context, draft, &options, entry));
    }
done:
    return status;
}
