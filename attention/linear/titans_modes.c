/* titans_modes.c - the memory beside softmax attention (attention-linear card 13): as context, as gate, as layer.
 *
 * mag: attention over the last keys, joined with y = M(q). mal: attention over what projections make of y. mac: by
 * segments, keys and values in two parts, what the memory at the start of the segment says to the queries, and the
 * segment itself; what attention gives is written into the memory, and read with it again. Persistent keys lead. */
#include "config.h"

#include <string.h>

#include "attention/linear/titans.h"

/* Of one head. */
typedef struct one_head {
    const ga__titans *t;
    int64_t b, h;
    ga__memory *memory;
    double *projection[GA__PROJECTIONS]; /* NULL: identity */
    double *keys, *values, *weights;     /* persistent ones first */
    double *said, *mixed;                /* mac: of a segment (n, e): M(q) at its start; attention */
    double *q, *k, *v, *a, *y;           /* one token */
} one_head;

typedef struct range {
    int64_t from, to; /* keys */
} range;

static int64_t segment_of(const ga__titans *t)
{
    return ga__min(t->segment, t->length);
}

/* Keys and values at a time. */
static bool room_for_keys(const ga__titans *t, int64_t *keys)
{
    *keys = t->persistent;
    return ga__add_product(keys, t->mode == GA__TITANS_MAC ? 2 : 1,
                           t->mode == GA__TITANS_MAC ? segment_of(t) : t->length);
}

static int64_t projection_columns(const ga__titans *t, int which)
{
    return which == GA__WRITE_V || which == GA__MEMORY_V ? t->e : t->d;
}

ga_status ga__titans_mode_numbers(const ga__titans *t, int64_t *count)
{
    int64_t keys = 0, said = t->mode == GA__TITANS_MAC ? segment_of(t) : 0;
    *count = 2 * t->d + 3 * t->e;
    bool fits = room_for_keys(t, &keys) && ga__add_product(count, keys, t->d + t->e + 1) &&
                ga__add_product(count, 2 * t->e, said);
    for (int i = 0; i < GA__PROJECTIONS; i++) {
        fits = fits && (!t->projection[i].data || ga__add_product(count, t->e, projection_columns(t, i)));
    }
    return fits ? GA_OK
                : ga__fail(t->run->context, GA_OVERFLOW, "titans: too many tokens for attention in a head");
}

static one_head open_head(const ga__titans *t, int64_t b, int64_t h, ga__memory *memory, double *room)
{
    one_head head = { .t = t, .b = b, .h = h, .memory = memory };
    int64_t keys = 0;
    (void)room_for_keys(t, &keys);
    for (int i = 0; i < GA__PROJECTIONS; i++) {
        int64_t columns = projection_columns(t, i);
        if (t->projection[i].data) {
            head.projection[i] = room;
            room += t->e * columns;
        }
        for (int64_t r = 0; head.projection[i] && r < t->e; r++) {
            ga__view_load_f64(&t->projection[i], 0, h, r, head.projection[i] + r * columns);
        }
    }
    head.keys = room;
    head.values = head.keys + keys * t->d;
    head.weights = head.values + keys * t->e;
    head.q = head.weights + keys;
    head.k = head.q + t->d;
    head.v = head.k + t->d;
    head.a = head.v + t->e;
    head.y = head.a + t->e;
    head.said = head.y + t->e;
    head.mixed = head.said + (t->mode == GA__TITANS_MAC ? segment_of(t) * t->e : 0);
    for (int64_t i = 0; i < t->persistent; i++) {
        ga__view_load_f64(&t->prefix_k, 0, h, i, head.keys + i * t->d);
        ga__view_load_f64(&t->prefix_v, 0, h, i, head.values + i * t->e);
    }
    return head;
}

/* out = y times a projection. */
static void project(const one_head *head, int which, const double *y, double *out)
{
    const double *matrix = head->projection[which];
    int64_t columns = projection_columns(head->t, which);
    if (!matrix) {
        memcpy(out, y, (size_t)columns * sizeof *out);
        return;
    }
    memset(out, 0, (size_t)columns * sizeof *out);
    for (int64_t r = 0; r < head->t->e; r++) {
        for (int64_t c = 0; c < columns; c++) {
            out[c] += y[r] * matrix[r * columns + c];
        }
    }
}

/* Scores of q behind those that are there already, and the largest of all. */
static int64_t score(const one_head *head, const double *q, range keys, int64_t count, double *most)
{
    int64_t d = head->t->d;
    for (int64_t j = keys.from; j < keys.to; j++, count++) {
        double sum = 0;
        for (int64_t c = 0; c < d; c++) {
            sum += q[c] * head->keys[j * d + c];
        }
        sum *= head->t->run->scale;
        head->weights[count] = sum;
        *most = sum > *most || isnan(sum) ? sum : *most;
    }
    return count;
}

/* a = softmax attention of q to three ranges of keys. */
static void attend(const one_head *head, const double *q, const range keys[3], double *a)
{
    int64_t e = head->t->e, count = 0, at = 0;
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < 3; i++) {
        count = score(head, q, keys[i], count, &most);
    }
    memset(a, 0, (size_t)e * sizeof *a);
    for (int i = 0; i < 3; i++) {
        for (int64_t j = keys[i].from; j < keys[i].to; j++) {
            double w = exp(head->weights[at++] - most);
            sum += w;
            for (int64_t c = 0; c < e; c++) {
                a[c] += w * head->values[j * e + c];
            }
        }
    }
    for (int64_t c = 0; c < e; c++) {
        a[c] /= sum;
    }
}

/* a <- a sigma(y), a y, or srms(a) sigma(srms(y)); y is used up. */
static void join(const one_head *head, double *a, double *y)
{
    int64_t e = head->t->e;
    if (head->t->mix == GA__MIX_NORM) {
        (void)ga__norm_row(GA__NORM_SRMS, 1e-6, e, a, a);
        (void)ga__norm_row(GA__NORM_SRMS, 1e-6, e, y, y);
    }
    for (int64_t c = 0; c < e; c++) {
        a[c] *= head->t->mix == GA__MIX_PRODUCT ? y[c] : ga__logistic(y[c]);
    }
}

static void store(const one_head *head, int64_t i, const double *o)
{
    if (head->t->o.data) {
        ga__view_store_f64(&head->t->o, head->b, head->h, i, o);
    }
}

static void load(const one_head *head, int64_t i, double *q, double *k, double *v)
{
    const ga__titans *t = head->t;
    ga__view_load_f64(&t->q, head->b, head->h, i, q);
    ga__view_load_f64(&t->k, head->b, head->h / t->group, i, k);
    ga__view_load_f64(&t->v, head->b, head->h / t->group, i, v);
}

/* Token i of mag and mal: its key and value stand behind the persistent ones. */
static void token(const one_head *head, int64_t i)
{
    const ga__titans *t = head->t;
    bool layer = t->mode == GA__TITANS_MAL;
    int64_t at = t->persistent + i, first = t->window > 0 ? ga__max(i - t->window + 1, 0) : 0;
    double *k = head->keys + at * t->d, *v = head->values + at * t->e;
    const range keys[3] = { { 0, t->persistent }, { t->persistent + first, at + 1 } };
    load(head, i, head->q, k, v);
    ga__titans_learn(t, head->memory, head->b, head->h, i, i, k, v);
    ga__memory_read(head->memory, head->q, head->y);
    if (layer) {
        project(head, GA__WRITE_Q, head->y, head->q);
        project(head, GA__WRITE_K, head->y, k);
        project(head, GA__WRITE_V, head->y, v);
    }
    attend(head, head->q, keys, head->a);
    if (!layer) {
        join(head, head->a, head->y);
    }
    store(head, i, head->a);
}

/* mac: attention of a segment of n tokens; nothing is learnt yet. */
static void attend_segment(const one_head *head, int64_t first, int64_t n)
{
    const ga__titans *t = head->t;
    int64_t said = t->persistent, own = said + n;
    for (int64_t i = 0; i < n; i++) {
        const range keys[3] = { { 0, said }, { said, said + i + 1 }, { own, own + i + 1 } };
        load(head, first + i, head->q, head->keys + (own + i) * t->d, head->values + (own + i) * t->e);
        ga__memory_read(head->memory, head->q, head->said + i * t->e);
        project(head, GA__MEMORY_K, head->said + i * t->e, head->keys + (said + i) * t->d);
        project(head, GA__MEMORY_V, head->said + i * t->e, head->values + (said + i) * t->e);
        attend(head, head->q, keys, head->mixed + i * t->e);
    }
}

/* The memory reads what attention gave, token by token, and answers it. */
static void write_segment(const one_head *head, int64_t first, int64_t n)
{
    const ga__titans *t = head->t;
    for (int64_t i = 0; i < n; i++) {
        double *a = head->mixed + i * t->e;
        project(head, GA__WRITE_Q, a, head->q);
        project(head, GA__WRITE_K, a, head->k);
        project(head, GA__WRITE_V, a, head->v);
        ga__titans_learn(t, head->memory, head->b, head->h, first + i, i, head->k, head->v);
        ga__memory_read(head->memory, head->q, head->y);
        join(head, a, head->y);
        store(head, first + i, a);
    }
}

void ga__titans_mode_head(const ga__titans *t, int64_t b, int64_t h, ga__memory *memory, double *room)
{
    one_head head = open_head(t, b, h, memory, room);
    if (t->mode != GA__TITANS_MAC) {
        for (int64_t i = 0; i < t->length; i++) {
            token(&head, i);
        }
        return;
    }
    for (int64_t first = 0; first < t->length; first += t->segment) {
        int64_t n = ga__min(t->segment, t->length - first);
        attend_segment(&head, first, n);
        write_segment(&head, first, n);
        if (t->length - first <= t->segment) {
            break; /* first + segment may not fit */
        }
    }
}
