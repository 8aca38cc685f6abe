/* csr_split.h - body: splits elements by their leading key bits into units. Include with ELEMENT, KEY(e),
 * NAME(x) and WEIGHTED defined. */

enum { FLAT_BLOCK = 1 << 14 };

/* Elements still to be made by a source, or lying in memory. */
typedef struct feed {
    const ga__edge_source *source;
    const ELEMENT *flat;
    int64_t count, blocks;
} feed;

/* Blocks are split in groups of consecutive ones, each with its own places in the buckets: the order of equal
 * elements is then that of the feed, whoever does the work. */
typedef struct split {
    ga__build *b;
    feed from;
    uint64_t low, high; /* range of keys; while ranging, found so far */
    int shift;          /* key to bin */
    int64_t bins, buckets, groups;
    int64_t *histogram; /* bins of every group */
    int64_t *cursor;    /* buckets of every group */
    uint16_t *bucket;   /* of every bin */
    int64_t *begin;     /* of every bucket in out, and the end of the last */
    ELEMENT *out;
    char *scratch;
    int64_t stride;
    int64_t next;
} split;

static inline int64_t group_begin(const split *s, int64_t group)
{
    return s->from.blocks / s->groups * group + ga__min(group, s->from.blocks % s->groups);
}

static ga_status split_feed(ga__build *b, const feed *from, uint64_t low, uint64_t high);

/* Room for a block made by a source; flat blocks need none. */
static int64_t block_bytes(const feed *from)
{
    int64_t each = (int64_t)sizeof(ELEMENT) + (WEIGHTED ? (int64_t)(sizeof(uint64_t) + sizeof(float)) : 0);
    return from->source ? (from->source->widest * each + 63) / 64 * 64 : 0;
}

static int64_t load(const split *s, int64_t block, char *scratch, const ELEMENT **elements)
{
    const ga__edge_source *source = s->from.source;
    if (!source) {
        *elements = s->from.flat + block * FLAT_BLOCK;
        return ga__min(FLAT_BLOCK, s->from.count - block * FLAT_BLOCK);
    }
    ELEMENT *made = (ELEMENT *)(void *)scratch;
    *elements = made;
#if WEIGHTED
    uint64_t *keys = (uint64_t *)(void *)(made + source->widest);
    float *weights = (float *)(void *)(keys + source->widest);
    int64_t count = source->block(source->user, block, s->b->bits, keys, weights);
    for (int64_t i = 0; i < count; i++) {
        made[i] = (ELEMENT){ keys[i], weights[i], 0 };
    }
    return count;
#else
    return source->block(source->user, block, s->b->bits, made, NULL);
#endif
}

static void count_worker(void *user, int worker)
{
    split *s = user;
    const uint64_t low = s->low;
    const int shift = s->shift;
    for (int64_t g; (g = ga__claim(&s->next)) < s->groups;) {
        int64_t *histogram = s->histogram + g * s->bins;
        for (int64_t i = group_begin(s, g); i < group_begin(s, g + 1); i++) {
            const ELEMENT *elements;
            if (ga__stopped(s->b->context, &s->b->status)) {
                return;
            }
            int64_t count = load(s, i, s->scratch + worker * s->stride, &elements);
            for (int64_t j = 0; j < count; j++) {
                histogram[(KEY(elements[j]) - low) >> shift]++;
            }
        }
    }
}

/* Elements are gathered to full cache lines before they go to their bucket. */
typedef struct gatherer {
    ELEMENT *lines;
    uint8_t *filled;
    int64_t *cursor;
} gatherer;

static inline void flush(const split *s, const gatherer *to, size_t bucket, int count)
{
    memcpy(s->out + to->cursor[bucket], to->lines + bucket * GA__LINE, (size_t)count * sizeof(ELEMENT));
    to->cursor[bucket] += count;
}

static void scatter_block(const split *s, const gatherer *to, const ELEMENT *elements, int64_t count)
{
    const uint64_t low = s->low;
    const int shift = s->shift;
    const uint16_t *bucket = s->bucket;
    for (int64_t j = 0; j < count; j++) {
        ELEMENT e = elements[j];
        size_t k = bucket[(KEY(e) - low) >> shift];
        int at = to->filled[k];
        to->lines[k * GA__LINE + (size_t)at] = e;
        if (++at == GA__LINE) {
            flush(s, to, k, GA__LINE);
            at = 0;
        }
        to->filled[k] = (uint8_t)at;
    }
}

static int64_t gatherer_bytes(const split *s)
{
    return (s->buckets * (int64_t)(GA__LINE * sizeof(ELEMENT) + 1) + 63) / 64 * 64;
}

static void scatter_worker(void *user, int worker)
{
    split *s = user;
    char *scratch = s->scratch + worker * s->stride;
    gatherer to = { .lines = (ELEMENT *)(void *)scratch };
    to.filled = (uint8_t *)(to.lines + s->buckets * GA__LINE);
    for (int64_t g; (g = ga__claim(&s->next)) < s->groups;) {
        to.cursor = s->cursor + g * s->buckets;
        memset(to.filled, 0, (size_t)s->buckets);
        for (int64_t i = group_begin(s, g); i < group_begin(s, g + 1); i++) {
            const ELEMENT *elements;
            if (ga__stopped(s->b->context, &s->b->status)) {
                return;
            }
            int64_t count = load(s, i, scratch + gatherer_bytes(s), &elements);
            scatter_block(s, &to, elements, count);
            if (s->from.source && s->from.source->done) {
                s->from.source->done(s->from.source->user, i);
            }
        }
        for (int64_t k = 0; k < s->buckets; k++) {
            flush(s, &to, (size_t)k, to.filled[k]);
        }
    }
}

/* Consecutive bins make a bucket until it would exceed the size of a unit; a larger bin is a bucket by itself. */
static void group_bins(split *s)
{
    int64_t size = 0, sum = 0;
    s->buckets = 0;
    s->begin[0] = 0;
    for (int64_t i = 0; i < s->bins; i++) {
        int64_t count = 0;
        for (int64_t g = 0; g < s->groups; g++) {
            count += s->histogram[g * s->bins + i];
        }
        if (size > 0 && size + count > s->b->unit_size) {
            s->begin[++s->buckets] = sum;
            size = 0;
        }
        s->bucket[i] = (uint16_t)s->buckets;
        size += count;
        sum += count;
    }
    s->begin[++s->buckets] = sum;
}

/* Where each group writes in each bucket. */
static void place_groups(split *s)
{
    for (int64_t g = 0; g < s->groups; g++) {
        int64_t *cursor = s->cursor + g * s->buckets;
        memset(cursor, 0, (size_t)s->buckets * sizeof *cursor);
        for (int64_t i = 0; i < s->bins; i++) {
            cursor[s->bucket[i]] += s->histogram[g * s->bins + i];
        }
    }
    for (int64_t k = 0; k < s->buckets; k++) {
        int64_t at = s->begin[k];
        for (int64_t g = 0; g < s->groups; g++) {
            int64_t size = s->cursor[g * s->buckets + k];
            s->cursor[g * s->buckets + k] = at;
            at += size;
        }
    }
}

static void range_worker(void *user, int worker)
{
    split *s = user;
    uint64_t low = UINT64_MAX, high = 0;
    (void)worker;
    for (int64_t i;
         (i = ga__claim(&s->next)) < s->from.blocks && !ga__stopped(s->b->context, &s->b->status);) {
        const ELEMENT *elements;
        int64_t count = load(s, i, NULL, &elements);
        for (int64_t j = 0; j < count; j++) {
            uint64_t key = KEY(elements[j]);
            low = key < low ? key : low;
            high = key > high ? key : high;
        }
    }
    pthread_mutex_lock(&s->b->lock);
    s->low = low < s->low ? low : s->low;
    s->high = high > s->high ? high : s->high;
    pthread_mutex_unlock(&s->b->lock);
}

/* A bucket that is far too large: its keys share their leading bits, so it is split by what varies. */
static ga_status split_again(ga__build *b, ELEMENT *elements, int64_t count)
{
    split s = { .b = b,
                .from = { NULL, elements, count, (count + FLAT_BLOCK - 1) / FLAT_BLOCK },
                .low = UINT64_MAX };
    ga__workers(b->context, ga__threads_for(b->context, s.from.blocks), range_worker, &s);
    ga_status status = ga__noted_status(&b->status);
    if (status != GA_OK) {
        return status;
    }
    if (s.low == s.high) {
        return ga__build_add_unit(b, elements, count, true);
    }
    return split_feed(b, &s.from, s.low, s.high);
}

static ga_status add_buckets(split *s)
{
    ga_status status = GA_OK;
    for (int64_t k = 0; k < s->buckets; k++) {
        ELEMENT *elements = s->out + s->begin[k];
        int64_t count = s->begin[k + 1] - s->begin[k];
        if (count > 4 * s->b->unit_size) {
            GA_TRY(split_again(s->b, elements, count));
        } else if (count > 0) {
            GA_TRY(ga__build_add_unit(s->b, elements, count, false));
        }
    }
done:
    return status;
}

static ga_status count_bins(split *s, int threads)
{
    ga_status status = GA_OK;
    int64_t all;
    s->next = 0;
    s->stride = block_bytes(&s->from);
    if (!ga__mul(threads, s->stride, &all)) {
        GA_TRY(ga__fail(s->b->context, GA_OVERFLOW, "too many threads for %lld edges",
                        (long long)s->from.count));
    }
    GA_TRY(GA_NEW_ZERO(s->b->context, s->groups * s->bins, &s->histogram));
    GA_TRY(ga_alloc(s->b->context, all, 1, &s->scratch));
    ga__workers(s->b->context, threads, count_worker, s);
    GA_TRY(ga__noted_status(&s->b->status));
    group_bins(s);
    GA_TRY(GA_NEW(s->b->context, s->groups * s->buckets, &s->cursor));
    place_groups(s);
done:
    ga_free(s->b->context, s->scratch);
    ga_free(s->b->context, s->histogram);
    s->scratch = NULL;
    s->histogram = NULL;
    return status;
}

static ga_status scatter(split *s, int threads)
{
    ga_status status = GA_OK;
    s->next = 0;
    s->stride = gatherer_bytes(s) + block_bytes(&s->from);
    GA_TRY(GA_NEW(s->b->context, s->begin[s->buckets], &s->out));
    ga__advise_large(s->out, s->begin[s->buckets] * (int64_t)sizeof *s->out);
    GA_TRY(ga_alloc(s->b->context, threads * s->stride, 1, &s->scratch));
    ga__workers(s->b->context, threads, scatter_worker, s);
    GA_TRY(ga__noted_status(&s->b->status));
    GA_TRY(ga__build_add_buffer(s->b, s->out));
done:
    ga_free(s->b->context, s->scratch);
    if (status != GA_OK) {
        ga_free(s->b->context, s->out);
    }
    return status;
}

/* Recursion is at most as deep as a key has groups of GA__BIN_BITS bits. */
static ga_status split_feed(ga__build *b, const feed *from, uint64_t low, uint64_t high)
{
    ga_status status = GA_OK;
    split s = { .b = b, .from = *from, .low = low, .high = high };
    int bits = ga__bits(high - low), threads = ga__threads_for(b->context, from->blocks);
    s.groups = ga__min(from->blocks, threads > 1 ? 4 * threads : 1);
    s.shift = bits > GA__BIN_BITS ? bits - GA__BIN_BITS : 0;
    s.bins = (int64_t)((high - low) >> s.shift) + 1;
    GA_TRY(GA_NEW(b->context, s.bins, &s.bucket));
    GA_TRY(GA_NEW(b->context, s.bins + 1, &s.begin));
    GA_TRY(count_bins(&s, threads));
    GA_TRY(scatter(&s, threads));
    GA_TRY(add_buckets(&s));
done:
    ga_free(b->context, s.cursor);
    ga_free(b->context, s.begin);
    ga_free(b->context, s.bucket);
    return status;
}

/* Few edges: one unit as it is. */
static ga_status gather(ga__build *b, const feed *from)
{
    ga_status status = GA_OK;
    split s = { .b = b, .from = *from };
    int64_t all = 0;
    GA_TRY(GA_NEW(b->context, from->count, &s.out));
    GA_TRY(ga_alloc(b->context, block_bytes(from), 1, &s.scratch));
    for (int64_t i = 0; i < from->blocks; i++) {
        const ELEMENT *elements;
        int64_t count = load(&s, i, s.scratch, &elements);
        memcpy(s.out + all, elements, (size_t)count * sizeof *elements);
        all += count;
    }
    GA_TRY(ga__build_add_unit(b, s.out, all, false));
    GA_TRY(ga__build_add_buffer(b, s.out));
done:
    ga_free(b->context, s.scratch);
    if (status != GA_OK) {
        ga_free(b->context, s.out);
    }
    return status;
}

ga_status NAME(ga__split)(ga__build *b, const ga__edge_source *source)
{
    feed from = { source, NULL, source->edges, source->blocks };
    if (source->edges <= b->unit_size) {
        return gather(b, &from);
    }
    uint64_t largest = source->largest_id;
    return split_feed(b, &from, 0, largest << b->bits | largest);
}
