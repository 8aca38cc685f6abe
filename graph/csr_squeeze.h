/* csr_squeeze.h - body: sorted elements to targets, the policies applied. Include with ELEMENT, KEY(e), NAME(x),
 * WEIGHTED defined. */

typedef struct tally {
    int64_t loops, duplicates;
} tally;

/* Whether an edge that is a loop, or was there before, stays. */
static bool keeps(ga__build *b, uint64_t key, bool loop, bool again, tally *t)
{
    if (loop) {
        t->loops += !again;
        if (b->policy->loops != GA_LOOPS_KEEP) {
            if (b->policy->loops == GA_LOOPS_ERROR) {
                ga__build_refuse(b, key, true);
            }
            return false;
        }
    } else {
        t->duplicates += again;
    }
    if (again && b->policy->multi == GA_MULTI_ERROR) {
        ga__build_refuse(b, key, false);
    }
    return !again || b->policy->multi == GA_MULTI_KEEP;
}

/* A kept edge at place `kept`: never beyond the elements already read. */
static inline void put(char *squeezed, int64_t kept, uint32_t target, float weight)
{
#if WEIGHTED
    memcpy(squeezed + 8 * kept, &target, sizeof target);
    memcpy(squeezed + 8 * kept + 4, &weight, sizeof weight);
#else
    (void)weight;
    memcpy(squeezed + 4 * kept, &target, sizeof target);
#endif
}

static void squeeze(ga__build *b, ga__unit *unit, const ELEMENT *elements)
{
    const uint64_t mask = (UINT64_C(1) << b->bits) - 1;
    uint64_t previous = 0;
    bool any = false, first_row = true;
    int64_t kept = 0, row_begin = 0;
    uint32_t row = 0;
    char *squeezed = unit->elements;
    tally t = { 0, 0 };
#if WEIGHTED
    double sum = 0;
#endif
    for (int64_t i = 0; i < unit->count; i++) {
        uint64_t key = KEY(elements[i]);
        uint32_t source = (uint32_t)(key >> b->bits), target = (uint32_t)(key & mask);
        bool loop = source == target, again = any && key == previous;
        float weight = 0;
        any = true;
        previous = key;
#if WEIGHTED
        weight = elements[i].weight;
        sum = again ? sum + (double)weight : (double)weight;
#endif
        if ((loop || again) && !keeps(b, key, loop, again, &t)) {
#if WEIGHTED
            if (again && kept > row_begin && b->policy->multi == GA_MULTI_COLLAPSE &&
                (!loop || b->policy->loops == GA_LOOPS_KEEP)) {
                put(squeezed, kept - 1, target, (float)sum);
            }
#endif
            continue;
        }
        if (source != row || kept == 0) {
            if (kept > row_begin) {
                ga__build_row(b, row, kept - row_begin, first_row);
                first_row = false;
            }
            row = source;
            row_begin = kept;
        }
        put(squeezed, kept++, target, weight);
    }
    if (kept > row_begin) {
        ga__build_row(b, row, kept - row_begin, true);
    }
    unit->kept = kept;
    (void)__atomic_fetch_add(&b->loops, t.loops, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&b->duplicates, t.duplicates, __ATOMIC_RELAXED);
}

void NAME(ga__unit)(ga__build *b, ga__unit *unit, void *scratch)
{
    ELEMENT *elements = unit->elements;
    if (!unit->uniform) {
        elements = sort_unit(elements, unit->count, scratch);
    }
    squeeze(b, unit, elements);
}
