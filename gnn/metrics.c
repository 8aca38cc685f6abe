/* metrics.c - how good logits are: accuracy, macro F1, area under the ROC curve. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "gnn/train.h"

typedef struct tally {
    int64_t right, wrong, missed; /* of a class: true positives, false positives, false negatives */
} tally;

typedef struct marks {
    const float *logits;
    int64_t classes;
    const ga__truth *truth;
    const ga__nodes *nodes;
} marks;

/* The largest logit, ties to the lowest class; -1 when one is no number. */
static int64_t best_class(const float *x, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (isnan(x[c])) {
            return -1;
        }
        best = x[c] > x[best] ? c : best;
    }
    return best;
}

static double count_labels(const marks *m, tally *tallies)
{
    int64_t right = 0;
    for (int64_t i = 0; i < m->nodes->count; i++) {
        int64_t node = m->nodes->list[i], label = m->truth->labels[node];
        int64_t found = best_class(m->logits + node * m->classes, m->classes);
        right += found == label;
        if (tallies) {
            tallies[label].right += found == label;
            tallies[label].missed += found != label;
            if (found >= 0) {
                tallies[found].wrong += found != label;
            }
        }
    }
    return (double)right / (double)m->nodes->count;
}

static double count_targets(const marks *m, tally *tallies)
{
    int64_t right = 0;
    for (int64_t i = 0; i < m->nodes->count; i++) {
        int64_t at = m->nodes->list[i] * m->classes;
        for (int64_t c = 0; c < m->classes; c++) {
            bool found = m->logits[at + c] > 0, wanted = m->truth->targets[at + c] == 1;
            right += found == wanted;
            if (tallies) {
                tallies[c].right += found && wanted;
                tallies[c].wrong += found && !wanted;
                tallies[c].missed += wanted && !found;
            }
        }
    }
    return (double)right / (double)(m->nodes->count * m->classes);
}

/* Mean of 2 right / (2 right + wrong + missed) over the classes that some node has or was given. */
static double macro_f1(const tally *tallies, int64_t classes)
{
    double sum = 0;
    int64_t present = 0;
    for (int64_t c = 0; c < classes; c++) {
        int64_t all = 2 * tallies[c].right + tallies[c].wrong + tallies[c].missed;
        if (all > 0) {
            sum += 2 * (double)tallies[c].right / (double)all;
            present++;
        }
    }
    return present > 0 ? sum / (double)present : (double)NAN;
}

/* ---- area under the ROC curve ---- */

typedef struct scored {
    float score;
    bool positive;
} scored;

static int by_score(const void *a, const void *b)
{
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

/* The chance that a positive node has a higher score than a negative one, ties one half: (R - p (p + 1) / 2) / (p n), R
 * the sum of the ranks of the p positive ones, where nodes of equal score share their mean rank. NaN without both
 * kinds. */
static double area(scored *list, int64_t count)
{
    double ranks = 0;
    int64_t positive = 0;
    for (int64_t i = 0; i < count; i++) {
        positive += list[i].positive;
        if (isnan(list[i].score)) {
            return NAN;
        }
    }
    int64_t negative = count - positive;
    if (positive == 0 || negative == 0) {
        return NAN;
    }
    qsort(list, (size_t)count, sizeof *list, by_score);
    for (int64_t from = 0, to; from < count; from = to) {
        int64_t here = 0;
        for (to = from; to < count && list[to].score == list[from].score; to++) {
            here += list[to].positive;
        }
        ranks += (double)here * ((double)(from + 1 + to) / 2);
    }
    double least = (double)positive * ((double)positive + 1) / 2;
    return (ranks - least) / ((double)positive * (double)negative);
}

/* Of one class of targets; of two classes of labels, the second against the first. */
static double area_of(const marks *m, int64_t class, scored *list)
{
    for (int64_t i = 0; i < m->nodes->count; i++) {
        int64_t node = m->nodes->list[i];
        const float *x = m->logits + node * m->classes;
        list[i] = m->truth->labels ? (scored){ x[1] - x[0], m->truth->labels[node] == 1 }
                                   : (scored){ x[class], m->truth->targets[node * m->classes + class] == 1 };
    }
    return area(list, m->nodes->count);
}

static ga_status mean_area(ga_context *context, const marks *m, double *mean)
{
    ga_status status = GA_OK;
    scored *list = NULL;
    double sum = 0;
    int64_t classes = m->truth->labels ? m->classes == 2 : m->classes, defined = 0;
    GA_TRY(GA_NEW(context, m->nodes->count, &list));
    for (int64_t c = 0; c < classes; c++) {
        double one = area_of(m, c, list);
        sum += isnan(one) ? 0 : one;
        defined += !isnan(one);
    }
    *mean = defined > 0 ? sum / (double)defined : (double)NAN;
done:
    ga_free(context, list);
    return status;
}

ga_status ga__metrics(ga_context *context, const DLTensor *logits, const ga__truth *truth,
                      const ga__nodes *nodes, bool f1, bool auc, ga_scores *scores)
{
    ga_status status = GA_OK;
    tally *tallies = NULL;
    marks m = { .logits = logits->data, .classes = logits->shape[1], .truth = truth, .nodes = nodes };
    scores->accuracy = scores->f1 = scores->auc = NAN;
    if (nodes->count == 0) {
        goto done;
    }
    if (f1) {
        GA_TRY(GA_NEW_ZERO(context, m.classes, &tallies));
    }
    scores->accuracy = truth->labels ? count_labels(&m, tallies) : count_targets(&m, tallies);
    if (f1) {
        scores->f1 = macro_f1(tallies, m.classes);
    }
    if (auc) {
        GA_TRY(mean_area(context, &m, &scores->auc));
    }
done:
    ga_free(context, tallies);
    return status;
}
