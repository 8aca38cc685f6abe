/* contest.c - an original and its samples: reading, comparing, ranking. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/contest.h"

static const option rows[] = {
    { "metrics", 0, OPTION_TEXT, AT(metrics), "LIST",
      .help =
          "groups of statistics, joined by commas, or all (default: those marked in graphattn-stats(1))" },
    { "ratio", 'r', OPTION_REAL, AT(ratio), "R",
      .help = "compare counts with R times the original's (default: ratio of the nodes)", .above = true },
    { 0 }
};
const option_group contest_options = { "Comparison", rows };

int contest_check(session *s)
{
    if (s->operand_count > 1 + MOST_SAMPLES) {
        return usage_error(s, "%d graphs are too many: at most %d beside the original", s->operand_count,
                           MOST_SAMPLES);
    }
    for (int i = 0; i < s->operand_count; i++) {
        reads(s, s->operands[i]);
    }
    return 0;
}

/* Places 1, 2, ... by one distance; equal ones share the mean of theirs. NaN, a distance without a value, stands last. */
static void add_places(const contest *c, int64_t distance, double *sum)
{
    for (int i = 0; i < c->samples; i++) {
        double mine = ga_comparison_distance(c->comparisons[i], distance)->value, before = 0, equal = 0;
        for (int j = 0; j < c->samples; j++) {
            double other = ga_comparison_distance(c->comparisons[j], distance)->value;
            before += other < mine || (isnan(mine) && !isnan(other));
            equal += other == mine || (isnan(mine) && isnan(other));
        }
        sum[i] += before + (equal + 1) / 2;
    }
}

static void rank_samples(contest *c)
{
    int64_t count = ga_comparison_count(c->comparisons[0]);
    for (int64_t d = 0; d < count; d++) {
        add_places(c, d, c->mean_place);
    }
    for (int i = 0; i < c->samples; i++) {
        int at = i;
        c->mean_place[i] /= (double)count;
        for (; at > 0 && c->mean_place[c->order[at - 1]] > c->mean_place[i]; at--) {
            c->order[at] = c->order[at - 1];
        }
        c->order[at] = i;
    }
}

ga_status contest_open(session *s, contest *c)
{
    ga_status status = GA_OK;
    ga_compare_options options = GA_COMPARE_OPTIONS_INIT;
    *c = (contest){ .s = s, .samples = s->operand_count - 1 };
    options.ratio = s->is.ratio > 0 ? s->is.ratio : 0;
    options.statistics.metrics = s->is.metrics;
    status = ga_statistics_check(s->context, &options.statistics);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    for (int i = 0; i <= c->samples; i++) {
        c->paths[i] = s->operands[i];
        GA_TRY(read_graph_at(s, c->paths[i], &c->graphs[i], NULL));
    }
    for (int i = 0; i < c->samples; i++) {
        GA_TRY(ga_compare(s->context, c->graphs[0], c->graphs[i + 1], &options, &c->comparisons[i]));
    }
    rank_samples(c);
done:
    return status;
}

void contest_clear(contest *c)
{
    for (int i = 0; i < c->samples; i++) {
        ga_comparison_destroy(c->s->context, c->comparisons[i]);
    }
    for (int i = 0; i <= c->samples; i++) {
        ga_graph_destroy(c->s->context, c->graphs[i]);
    }
}
