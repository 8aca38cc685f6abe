/* curves.c - loss and accuracy over the epochs of a training run, as a picture. */
#include "config.h"

#include <math.h>

#include "cli/chart.h"
#include "cli/node_data.h"

typedef double (*figure)(const ga_epoch *epoch);

static double epoch_number(const ga_epoch *e)
{
    return (double)e->epoch;
}
static double train_loss(const ga_epoch *e)
{
    return e->train_loss;
}
static double val_loss(const ga_epoch *e)
{
    return e->val_loss;
}
static double train_accuracy(const ga_epoch *e)
{
    return e->train_accuracy;
}
static double val_accuracy(const ga_epoch *e)
{
    return e->val_accuracy;
}
static double test_accuracy(const ga_epoch *e)
{
    return e->test_accuracy;
}

static const char blue[] = "#1f5fa8", orange[] = "#c2571a", green[] = "#3c7a34";
static const struct {
    int panel;
    const char *name, *colour;
    figure value;
} drawn[] = { { 0, "training", blue, train_loss },
              { 0, "validation", orange, val_loss },
              { 1, "training", blue, train_accuracy },
              { 1, "validation", orange, val_accuracy },
              { 1, "test", green, test_accuracy } };
enum { DRAWN = sizeof drawn / sizeof *drawn };

ga_status draw_curves(session *s, const history *h, int64_t best_epoch, const char *metric, const char *path,
                      const char *at)
{
    ga_status status = GA_OK;
    double *values = NULL; /* the epochs, then the values of every curve */
    chart_panel panels[2] = {
        { .title = "loss",
          .x_label = "epoch",
          .whole_x = true,
          .from_zero = true,
          .mark = (double)best_epoch },
        { .title = metric ? metric : "accuracy",
          .x_label = "epoch",
          .whole_x = true,
          .key_below = true,
          .mark = (double)best_epoch },
    };
    GA_TRY(GA_NEW(s->context, (DRAWN + 1) * h->count, &values));
    for (int c = -1; c < DRAWN; c++) {
        figure value = c < 0 ? epoch_number : drawn[c].value;
        for (int64_t i = 0; i < h->count; i++) {
            values[(c + 1) * h->count + i] = value(&h->epochs[i]);
        }
        if (c >= 0) {
            chart_panel *p = &panels[drawn[c].panel];
            p->curves[p->curve_count++] = (chart_curve){ .name = drawn[c].name,
                                                         .colour = drawn[c].colour,
                                                         .count = h->count,
                                                         .x = values,
                                                         .y = values + (c + 1) * h->count };
        }
    }
    for (int p = 0; p < 2; p++) {
        snprintf(panels[p].mark_title, sizeof panels[p].mark_title, "epoch %lld, kept",
                 (long long)best_epoch);
    }
    status = chart_write(s, path, at, panels, 2, 2);
done:
    ga_free(s->context, values);
    return status;
}
