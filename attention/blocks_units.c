/* blocks_units.c - what blocks do on several threads: units of their own, sums in a fixed order; layer norm of a row. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/blocks.h"
#include "lib/base/workers.h"

typedef struct unit_job {
    ga_context *context;
    int64_t count, room, next;
    ga__unit_fn body;
    void *user;
    int failed;
} unit_job;

static void work(void *user, int worker)
{
    unit_job *job = user;
    double *room = NULL;
    (void)worker;
    ga__note_status(&job->failed, GA_NEW(job->context, ga__max(job->room, 1), &room));
    while (!ga__stopped(job->context, &job->failed)) {
        int64_t unit = ga__claim(&job->next);
        if (unit >= job->count) {
            break;
        }
        job->body(job->user, unit, room);
    }
    ga_free(job->context, room);
}

ga_status ga__units(ga_context *context, int64_t count, int64_t room, ga__unit_fn body, void *user)
{
    unit_job job = { context, count, room, 0, body, user, GA_OK };
    ga__workers(context, ga__threads_for(context, ga__max(count, 1)), work, &job);
    ga_status status = ga__noted_status(&job.failed);
    return status == GA_CANCELLED ? ga__check(context) : status;
}

/* ---- sums over ranges of rows ---- */

enum { MOST_RANGES = 64, LEAST_ROWS = 16 };

typedef struct range_job {
    int64_t rows, range, width;
    ga__range_fn body;
    void *user;
    double *partial; /* (ranges, width) */
} range_job;

static void do_range(void *user, int64_t unit, double *room)
{
    const range_job *job = user;
    int64_t first = unit * job->range;
    job->body(job->user, first, ga__min(first + job->range, job->rows), job->partial + unit * job->width,
              room);
}

ga_status ga__sum_ranges(ga_context *context, int64_t rows, int64_t width, int64_t room, ga__range_fn body,
                         void *user, double *sums)
{
    ga_status status = GA_OK;
    range_job job = { .rows = rows, .width = width, .body = body, .user = user };
    int64_t size = 0;
    job.range = ga__max(LEAST_ROWS, (rows + MOST_RANGES - 1) / MOST_RANGES);
    int64_t ranges = (rows + job.range - 1) / job.range;
    if (!ga__mul(ranges, width, &size)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "sums of %lld numbers", (long long)width));
    }
    GA_TRY(GA_NEW_ZERO(context, size, &job.partial));
    GA_TRY(ga__units(context, ranges, room, do_range, &job));
    for (int64_t i = 0; i < width; i++) {
        sums[i] = 0;
        for (int64_t r = 0; r < ranges; r++) {
            sums[i] += job.partial[r * width + i];
        }
    }
done:
    ga_free(context, job.partial);
    return status;
}

/* ---- layer norm ---- */

double ga__layer_norm(int64_t n, double eps, const double *x, double *z)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) {
        mean += x[i];
    }
    mean /= (double)ga__max(n, 1);
    for (int64_t i = 0; i < n; i++) {
        square += (x[i] - mean) * (x[i] - mean);
    }
    double inverse = 1 / sqrt(square / (double)ga__max(n, 1) + eps);
    for (int64_t i = 0; i < n; i++) {
        z[i] = (x[i] - mean) * inverse;
    }
    return inverse;
}

/* dx = (dz - mean dz - z mean(z dz)) / sigma */
void ga__layer_norm_back(int64_t n, double inverse, const double *z, const double *dz, double *dx)
{
    double mean = 0, along = 0;
    for (int64_t i = 0; i < n; i++) {
        mean += dz[i];
        along += z[i] * dz[i];
    }
    mean /= (double)ga__max(n, 1);
    along /= (double)ga__max(n, 1);
    for (int64_t i = 0; i < n; i++) {
        dx[i] = (dz[i] - mean - z[i] * along) * inverse;
    }
}
