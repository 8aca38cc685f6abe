/* units.c - sharing the groups among threads. */
#include "config.h"

#include "lib/base/workers.h"
#include "sampling/rewire/rewiring.h"

enum { UNIT = 1 << 13 }; /* edges that are worth a thread's coming back for more */

static bool is_large(const ga__rewiring *r, int64_t group)
{
    return r->edge[group + 1] - r->edge[group] > UNIT;
}

/* Large groups first, then small ones by the dozen. */
static int64_t list_units(ga__rewiring *r)
{
    int64_t units = 0;
    for (int64_t g = 0; g < r->groups; g++) {
        if (is_large(r, g)) {
            r->unit[units++] = (ga__unit){ (uint32_t)g, (uint32_t)g + 1 };
        }
    }
    for (int64_t g = 0; g < r->groups;) {
        int64_t first = g;
        while (g < r->groups && !is_large(r, g) && r->edge[g] - r->edge[first] < UNIT) {
            g++;
        }
        if (g > first) {
            r->unit[units++] = (ga__unit){ (uint32_t)first, (uint32_t)g };
        } else {
            g++;
        }
    }
    return units;
}

typedef struct sharing {
    ga__rewiring *r;
    ga__group_fn work;
    const void *user;
    int64_t units, next, sum;
    int status;
} sharing;

static void worker(void *user, int number)
{
    sharing *s = user;
    ga__rewiring *r = s->r;
    ga__desk *desk = &r->desk[number];
    int64_t sum = 0;
    desk->context = r->context;
    desk->status = &s->status;
    for (int64_t u; (u = ga__claim(&s->next)) < s->units && !ga__stopped(r->context, &s->status);) {
        for (int64_t g = r->unit[u].first; g < r->unit[u].last; g++) {
            sum += s->work(s->user, desk, g);
        }
    }
    (void)__atomic_fetch_add(&s->sum, sum, __ATOMIC_RELAXED);
}

ga_status ga__each_group(ga__rewiring *r, ga__group_fn work, const void *user, int64_t *sum)
{
    sharing s = { .r = r, .work = work, .user = user, .units = list_units(r) };
    ga__workers(r->context, (int)ga__min(r->threads, s.units), worker, &s);
    *sum += s.sum;
    return ga__noted_status(&s.status);
}
