/* landmark_blocks.c - which blocks there are, and which of them a row retrieves. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/landmark.h"
#include "lib/engine/units/units.h"

/* ---- blocks ---- */

/* What says which keys are landmarks: flags, or the position modulo block + 1. */
typedef struct mark_rule {
    const ga__selecting *s;
    ga__view flags; /* without data: there are none */
    int64_t block;
} mark_rule;

static bool is_landmark(const mark_rule *of, int64_t j)
{
    if (of->flags.data) {
        return ga__view_get_integer(&of->flags, 0, 0, j) != 0;
    }
    int64_t position = of->s->cache ? ga_cache_position(of->s->cache, of->s->cache_head, j) : j;
    return position % (of->block + 1) == of->block;
}

static ga_status take_flags(const ga__selecting *s, ga__view *flags)
{
    ga_status status = GA_OK;
    int slot = s->run ? ga__slot_find(s->run, "is_landmark") : -1;
    *flags = (ga__view){ .data = NULL };
    if (slot < 0) {
        goto done;
    }
    GA_TRY(ga__view_of(s->context, "is_landmark", s->run->slots[slot].given, false, flags));
    GA_TRY(ga__view_expect(s->context, "is_landmark", flags, 1, 1, 1, s->keys));
    if (flags->type <= GA__F64) {
        GA_TRY(ga__fail(s->context, GA_INVALID, "is_landmark: integers expected"));
    }
done:
    return status;
}

static ga_status make_blocks(ga__landmarks *m)
{
    ga_status status = GA_OK;
    mark_rule of = { .s = m->s,
                     .block = ga__min(ga__part_value(m->s->part, "block")->integer, INT64_MAX - 1) };
    int64_t keys = m->s->keys, at = 0;
    GA_TRY(take_flags(m->s, &of.flags));
    bool even = !of.flags.data && !m->s->cache; /* blocks of one length */
    m->count = even ? keys / (of.block + 1) : 0;
    for (int64_t j = 0; j < keys && !even; j++) {
        m->count += is_landmark(&of, j);
    }
    GA_TRY(GA_NEW_ZERO(m->s->context, m->count + 1, &m->first));
    GA_TRY(GA_NEW_ZERO(m->s->context, m->count, &m->mark));
    for (int64_t j = even ? of.block : 0; at < m->count; j += even ? of.block + 1 : 1) {
        if (even || is_landmark(&of, j)) {
            m->mark[at] = j;
            m->first[++at] = j + 1;
        }
    }
done:
    return status;
}

int64_t ga__landmarks_before(const ga__landmarks *m, int64_t j)
{
    int64_t low = 0, high = m->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (m->mark[middle] < j) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t ga__landmarks_cand(const ga__landmarks *m, int64_t position)
{
    return ga__landmarks_before(m, m->chunk > 0 ? position / m->chunk * m->chunk : position);
}

ga__span ga__landmarks_own(const ga__landmarks *m, int64_t position)
{
    int64_t c = ga__landmarks_before(m, ga__max(position, 0)), end = c < m->count ? m->mark[c] : m->s->keys;
    return position < 0 ? (ga__span){ 0, 0 } : (ga__span){ m->first[c], ga__min(position + 1, end) };
}

int64_t ga__landmarks_row(const ga__landmarks *m, int64_t batch, int64_t head, int64_t query, int32_t *blocks)
{
    int64_t position = ga__position(m->s, query), found = 0, c = 0;
    if (position < 0) {
        return 0;
    }
    if (m->picks) {
        const int32_t *picks = m->picks + ((batch * m->s->heads + head) * m->s->queries + query) * m->width;
        while (found < m->width && picks[found] >= 0) {
            blocks[found] = picks[found];
            found++;
        }
        c = m->cand ? m->cand[query] : ga__landmarks_cand(m, position);
    }
    for (int64_t end = ga__landmarks_before(m, position); c < end; c++) {
        if (!ga__landmarks_empty(m, c)) {
            blocks[found++] = (int32_t)c;
        }
    }
    return found;
}

/* ---- retrieving ---- */

typedef struct choice {
    ga__landmarks *m;
    const ga__units_kernels *kernels;
    int64_t groups;     /* units of a batch entry: rows, rows of all heads, or chunks of all heads */
    int64_t chunk0;     /* number of the first chunk */
    const void **marks; /* owned: keys of the landmarks, (batch, kv_heads, count), of this type */
    ga__type type;
    char *copies; /* owned: in the working precision, where they cannot be read as they are */
} choice;

static int64_t size_of(const ga__selecting *s)
{
    return s->wide ? sizeof(double) : sizeof(float);
}

static ga_status find_marks(choice *c)
{
    ga_status status = GA_OK;
    const ga__selecting *s = c->m->s;
    int64_t lines = s->batch * s->kv_heads * c->m->count, all = 0;
    bool direct = ga__keys_direct(&s->k, s->wide);
    if (!ga__mul(lines, s->dim, &all)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "landmark: too many landmarks"));
    }
    GA_TRY(GA_NEW(s->context, lines, &c->marks));
    GA_TRY(ga_alloc(s->context, direct ? 0 : all, (size_t)size_of(s), &c->copies));
    c->type = direct ? s->k.view.type : s->wide ? GA__F64 : GA__F32;
    for (int64_t i = 0; i < lines; i++) {
        int64_t line = i / c->m->count, key = c->m->mark[i % c->m->count];
        int64_t batch = line / s->kv_heads, head = line % s->kv_heads;
        char *to = c->copies + i * s->dim * size_of(s);
        if (!direct) {
            ga__keys_load(s->context, s->wide, &s->k, batch, head, key, 1, to);
        }
        c->marks[i] = direct ? ga__keys_row(&s->k, batch, head, key) : to;
    }
done:
    return status;
}

/* out_c = scale <q, landmark c>, c < n. room: a query and n scores of the working type. */
static void score(const choice *c, int64_t batch, int64_t head, int64_t query, int64_t n, double *room,
                  double *out)
{
    const ga__selecting *s = c->m->s;
    const void *const *marks = c->marks + (batch * s->kv_heads + head / s->group) * c->m->count;
    void *q = room, *scores = room + s->dim;
    if (s->wide) {
        ga__view_load_f64(&s->q, batch, head, query, q);
    } else {
        ga__view_load_f32(&s->q, batch, head, query, q);
    }
    c->kernels->dots_at[s->wide](1, n, s->dim, q, marks, c->type, scores, n);
    for (int64_t i = 0; i < n; i++) {
        out[i] = s->scale * (s->wide ? ((double *)scores)[i] : (double)((float *)scores)[i]);
    }
}

static void keep_most(int64_t n, const double *x, double *most)
{
    for (int64_t i = 0; i < n; i++) {
        most[i] = x[i] > most[i] || isnan(x[i]) ? x[i] : most[i];
    }
}

static void softmax(const choice *c, int64_t n, double *x)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        most = x[i] > most && !ga__landmarks_empty(c->m, i) ? x[i] : most;
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] = ga__landmarks_empty(c->m, i) ? 0 : exp(x[i] - most);
        sum += x[i];
    }
    for (int64_t i = 0; i < n; i++) {
        x[i] /= sum;
    }
}

/* The best of n candidates, for rows [from, to) of heads [head, last). */
static void put_picks(const choice *c, const ga__probe_room *room, int64_t batch, const int64_t heads[2],
                      const int64_t rows[2], int64_t n, double *most, double *scratch)
{
    const ga__landmarks *m = c->m;
    int32_t *list = ga__probe_numbers(room);
    for (int64_t i = 0; i < n; i++) {
        most[i] = ga__landmarks_empty(m, i) ? NAN : most[i];
    }
    int64_t found = ga__probe_best(room, most, n, m->top_k, list, scratch);
    for (int64_t h = heads[0]; h < heads[1]; h++) {
        for (int64_t i = rows[0]; i < rows[1]; i++) {
            int32_t *to = m->picks + ((batch * m->s->heads + h) * m->s->queries + i) * m->width;
            for (int64_t r = 0; r < m->width; r++) {
                to[r] = r < found ? list[r] : -1;
            }
        }
    }
}

static void pick(void *user, ga__probe_room *room, int64_t batch, int64_t unit)
{
    const choice *c = user;
    const ga__landmarks *m = c->m;
    const ga__selecting *s = m->s;
    double *most = ga__probe_values(room), *one = most + m->count, *scratch = one + m->count;
    int64_t group = unit % c->groups, heads[] = { unit / c->groups, unit / c->groups + 1 };
    int64_t rows[] = { group, group + 1 }, off = s->keys - s->queries;
    if (m->select == GA__LANDMARK_SHARED) {
        heads[1] = s->heads;
    } else if (m->select == GA__LANDMARK_HEAD) {
        rows[0] = ga__max((c->chunk0 + group) * m->chunk - off, 0);
        rows[1] = ga__min((c->chunk0 + group + 1) * m->chunk - off, s->queries);
    }
    int64_t n = rows[0] + off >= 0 ? ga__landmarks_cand(m, rows[0] + off) : 0;
    for (int64_t i = 0; i < n; i++) {
        most[i] = -INFINITY;
    }
    for (int64_t h = heads[0]; h < heads[1]; h++) {
        for (int64_t i = rows[0]; i < rows[1]; i++) {
            score(c, batch, h, i, n, scratch, one);
            if (m->select == GA__LANDMARK_HEAD) {
                softmax(c, n, one);
            }
            keep_most(n, one, most);
        }
    }
    put_picks(c, room, batch, heads, rows, n, most, scratch);
}

static ga_status pick_all(ga__landmarks *m)
{
    ga_status status = GA_OK;
    ga__selecting *s = m->s;
    choice c = { .m = m, .kernels = GA__CHOOSE(s->context, ga__units), .groups = s->queries };
    int64_t off = s->keys - s->queries, lines = s->batch * s->heads * s->queries, size = 0;
    ga__probe p = { .s = s, .numbers = m->width, .body = pick, .user = &c };
    m->width = ga__min(m->top_k, m->count);
    p.numbers = m->width;
    p.values = 3 * m->count + 2 * s->dim + m->width;
    if (m->select == GA__LANDMARK_HEAD) {
        /* chunks are counted by position; those before the first key have no candidates */
        c.chunk0 = off >= 0 ? off / m->chunk : -((-off + m->chunk - 1) / m->chunk);
        c.groups = s->queries == 0 ? 0 : (s->keys - 1 + (s->keys == 0)) / m->chunk - c.chunk0 + 1;
    }
    p.heads = m->select == GA__LANDMARK_SHARED ? c.groups : s->heads * c.groups;
    if (!ga__mul(lines, m->width, &size)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "landmark: too many blocks to retrieve"));
    }
    GA_TRY(GA_NEW(s->context, size, &m->picks));
    memset(m->picks, 0xff, (size_t)size * sizeof *m->picks); /* -1 */
    GA_TRY(find_marks(&c));
    s->flops += 2 * (double)lines * (double)m->count * (double)s->dim;
    s->bytes += (double)(s->batch * s->heads * m->count * s->dim) * (double)size_of(s);
    status = ga__probe_run(&p);
done:
    ga_free(s->context, c.marks);
    ga_free(s->context, c.copies);
    return status;
}

/* ---- both ---- */

ga_status ga__landmarks_check(const ga__part *part)
{
    return ga__part_value(part, "select")->integer == GA__LANDMARK_HEAD &&
                   ga__part_value(part, "chunk")->integer == 0
               ? ga__part_refuse(part, "select", "token or shared, or a chunk above 0")
               : GA_OK;
}

ga_status ga__landmarks_open(ga__selecting *s, ga__landmarks *m)
{
    ga_status status = GA_OK;
    *m = (ga__landmarks){ .s = s,
                          .keys = s->keys,
                          .retrieve = ga__part_value(s->part, "mode")->integer,
                          .top_k = ga__part_value(s->part, "top_k")->integer,
                          .chunk = ga__part_value(s->part, "chunk")->integer,
                          .select = (ga__landmark_select)ga__part_value(s->part, "select")->integer };
    if (!s->causal) {
        GA_TRY(ga__fail(s->context, GA_INVALID, "landmark knows earlier blocks only: needs --causal"));
    }
    GA_TRY(ga__landmarks_check(s->part));
    GA_TRY(make_blocks(m));
    if (m->retrieve) {
        GA_TRY(pick_all(m));
    }
done:
    return status;
}

ga_status ga__landmarks_renew(ga__selecting *s, ga__landmarks *m)
{
    ga_status status = GA_OK;
    if (m->picks && !m->cand) {
        GA_TRY(GA_NEW(s->context, s->queries, &m->cand));
        for (int64_t i = 0; i < s->queries; i++) {
            m->cand[i] = ga__landmarks_cand(m, i + m->keys - s->queries);
        }
    }
    ga_free(s->context, m->first);
    ga_free(s->context, m->mark);
    m->first = m->mark = NULL;
    m->s = s;
    m->keys = s->keys;
    status = make_blocks(m);
done:
    return status;
}

void ga__landmarks_close(ga_context *context, ga__landmarks *m)
{
    ga_free(context, m->first);
    ga_free(context, m->mark);
    ga_free(context, m->picks);
    ga_free(context, m->cand);
}
