/* landmark_step.c - landmark attention of the few queries of a decoding step, over keys where they lie.
 *
 * With the output o_c of a softmax over the ordinary keys of block c alone, landmark attention is a softmax over the own keys
 * of a row, with their values, and the landmarks of its blocks, with the values o_c (attention-dynamic A1, one pass). The
 * blocks of rows that look at the same ones are cut into pieces of about PIECE keys; a piece gives (m, z, acc) of every row,
 * and the pieces are joined in order: sums do not depend on pages or threads. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/landmark.h"
#include "lib/base/workers.h"
#include "lib/engine/paged_attention/paged.h"
#include "lib/engine/units/units.h"

enum { PIECE = GA__PAGED_ITEM, ROWS = GA__PAGED_ROWS };

/* Heads head .. head + heads - 1 of a token, and the blocks that they see; their own keys count as one more block. */
typedef struct set {
    int64_t token, head, heads;
    int64_t list, blocks; /* where they start among all lists, how many */
    int64_t piece, pieces;
} set;

typedef struct piece {
    int64_t set, from, to; /* blocks of the set */
} piece;

/* What a thread works with. */
typedef struct room {
    float *q, *padded, *s,
        *marks;          /* (ROWS, dim), (ROWS, stride_q), (ROWS, TILE), (ROWS, PIECE): scores of landmarks */
    float *m, *z, *acc;  /* of an item: (ROWS), (ROWS), (ROWS, stride_v) */
    double *inner, *row; /* of a block: (ROWS, width); (dim_v) */
    const void **k, **v; /* (PIECE) */
} room;

typedef struct run {
    ga_context *context;
    const ga__landmark_step *step;
    const ga__landmarks *m;
    const ga__paged_kernels *kernels;
    const ga__units_kernels *units;
    int64_t heads_of_set, stride_q, stride_v, width; /* width: of a row of a result, dim_v + 2 */
    set *sets;                                       /* owned, as all below */
    int32_t *lists;
    piece *pieces;
    double *results; /* (pieces, heads_of_set, width): acc, m, z */
    int64_t set_count, piece_count, piece_room, next;
    room *rooms;
    int threads, status;
} run;

static int64_t padded(int64_t n)
{
    return (n + 15) / 16 * 16;
}

/* ---- (m, z, acc) ---- */

static void clear_row(const run *r, double *row)
{
    memset(row, 0, (size_t)r->width * sizeof *row);
    row[r->width - 2] = -INFINITY;
}

/* Adds values `sum` of dim_v numbers, times share, of weight `weight` at the maximum m. A maximum or a weight that is no
 * number makes z none. */
static void fold(const run *r, double *row, double m, double weight, double share, const double *sum)
{
    double *most = &row[r->width - 2], *z = &row[r->width - 1];
    if (isnan(m) || isnan(weight)) {
        *z = NAN;
        return;
    }
    if (weight == 0 || m == -INFINITY) {
        return;
    }
    if (m > *most) {
        double factor = exp(*most - m);
        for (int64_t c = 0; c < r->width - 2; c++) {
            row[c] *= factor;
        }
        *z *= factor;
        *most = m;
    }
    double power = m == *most ? 1 : exp(m - *most);
    *z += power * weight;
    for (int64_t c = 0; c < r->width - 2; c++) {
        row[c] += power * share * sum[c];
    }
}

/* ---- a piece ---- */

static ga__span span_of(const run *r, const set *s, int64_t block)
{
    const ga__landmarks *m = r->m;
    int32_t c = block < s->blocks ? r->lists[s->list + block] : 0;
    return block < s->blocks ? (ga__span){ m->first[c], m->mark[c] }
                             : ga__landmarks_own(m, ga__position(m->s, s->token));
}

static void load_queries(const run *r, const set *s, const room *own)
{
    const ga__selecting *of = r->m->s;
    for (int64_t h = 0; h < s->heads; h++) {
        float *q = own->q + h * of->dim, *to = own->padded + h * r->stride_q;
        ga__view_load_f32(&of->q, 0, s->head + h, s->token, q);
        for (int64_t c = 0; c < of->dim; c++) {
            q[c] *= (float)of->scale;
        }
        memcpy(to, q, (size_t)of->dim * sizeof *to);
        memset(to + of->dim, 0, (size_t)(r->stride_q - of->dim) * sizeof *to);
    }
}

/* Softmax attention of the rows over some keys alone, to own->inner. */
static void attend_keys(const run *r, const set *s, ga__span keys, const room *own)
{
    const ga__selecting *of = r->m->s;
    int64_t kv = s->head / of->group;
    for (int64_t h = 0; h < s->heads; h++) {
        clear_row(r, own->inner + h * r->width);
    }
    for (int64_t at = keys.first; at < keys.last; at += PIECE) {
        int64_t count = ga__min(PIECE, keys.last - at);
        ga__keys_point(&of->k, 0, kv, at, count, own->k);
        ga__keys_point(&r->step->v, 0, kv, at, count, own->v);
        ga__paged_item item = { .rows = (int)s->heads,
                                .heads = (int)s->heads,
                                .count = (int)count,
                                .dim = of->dim,
                                .dim_v = r->width - 2,
                                .stride_q = r->stride_q,
                                .stride_v = r->stride_v,
                                .type_k = of->k.view.type,
                                .type_v = r->step->v.view.type,
                                .q = own->padded,
                                .k = own->k,
                                .v = own->v,
                                .s = own->s,
                                .m = own->m,
                                .z = own->z,
                                .acc = own->acc };
        r->kernels->run(&item);
        for (int64_t h = 0; h < s->heads; h++) {
            for (int64_t c = 0; c < r->width - 2; c++) {
                own->row[c] = own->acc[h * r->stride_v + c];
            }
            fold(r, own->inner + h * r->width, own->m[h], own->z[h], 1, own->row);
        }
    }
}

/* Scores of the landmarks of blocks p->from .. p->to - 1, the own keys have none. */
static void score_marks(const run *r, const piece *p, const set *s, const room *own)
{
    const ga__selecting *of = r->m->s;
    int64_t count = ga__min(p->to, s->blocks) - p->from;
    for (int64_t i = 0; i < count; i++) {
        own->k[i] = ga__keys_row(&of->k, 0, s->head / of->group, r->m->mark[r->lists[s->list + p->from + i]]);
    }
    if (count > 0) {
        r->units->dots_at[0](s->heads, count, of->dim, own->q, own->k, of->k.view.type, own->marks, PIECE);
    }
}

static void run_piece(const run *r, int64_t number, const room *own)
{
    const piece *p = &r->pieces[number];
    const set *s = &r->sets[p->set];
    double *result = r->results + number * r->heads_of_set * r->width;
    load_queries(r, s, own);
    score_marks(r, p, s, own);
    for (int64_t h = 0; h < s->heads; h++) {
        clear_row(r, result + h * r->width);
    }
    for (int64_t b = p->from; b < p->to; b++) {
        attend_keys(r, s, span_of(r, s, b), own);
        for (int64_t h = 0; h < s->heads; h++) {
            const double *inner = own->inner + h * r->width;
            double m = inner[r->width - 2], z = inner[r->width - 1];
            if (b == s->blocks) {
                fold(r, result + h * r->width, m, z, 1, inner);
            } else {
                fold(r, result + h * r->width, own->marks[h * PIECE + b - p->from], 1, z == 0 ? 0 : 1 / z,
                     inner);
            }
        }
    }
}

static void piece_worker(void *user, int worker)
{
    run *r = user;
    for (int64_t i; (i = ga__claim(&r->next)) < r->piece_count && !ga__stopped(r->context, &r->status);) {
        run_piece(r, i, &r->rooms[worker]);
    }
}

/* ---- joining ---- */

static void join_row(const run *r, const set *s, int64_t h, double *row)
{
    clear_row(r, row);
    for (int64_t i = s->piece; i < s->piece + s->pieces; i++) {
        const double *part = r->results + (i * r->heads_of_set + h) * r->width;
        fold(r, row, part[r->width - 2], part[r->width - 1], 1, part);
    }
    double z = row[r->width - 1];
    for (int64_t c = 0; c < r->width - 2 && z != 0; c++) {
        row[c] /= z;
    }
    if (r->step->o.data) {
        ga__view_store_f64(&r->step->o, 0, s->head + h, s->token, row);
    }
    if (r->step->lse.data) {
        ga__view_set(&r->step->lse, 0, 0, s->head + h, s->token,
                     z == 0 ? -INFINITY : row[r->width - 2] + log(z));
    }
}

/* ---- which blocks ---- */

/* A list for every set. Query heads that pick by themselves are sets of their own. */
static ga_status make_sets(run *r)
{
    ga_status status = GA_OK;
    const ga__selecting *s = r->m->s;
    bool alone = r->m->picks && r->m->select != GA__LANDMARK_SHARED;
    int64_t each = alone ? 1 : ga__min(ROWS, s->group), of_group = (s->group + each - 1) / each, most = 0;
    r->heads_of_set = each;
    if (!ga__mul(s->queries * s->kv_heads * of_group, ga__max(r->m->count, 1), &most)) {
        GA_TRY(ga__fail(r->context, GA_OVERFLOW, "landmark: too many blocks"));
    }
    GA_TRY(GA_NEW(r->context, s->queries * s->kv_heads * of_group, &r->sets));
    GA_TRY(GA_NEW(r->context, most, &r->lists));
    for (int64_t t = 0, at = 0; t < s->queries; t++) {
        for (int64_t i = 0; i < s->kv_heads * of_group; i++) {
            int64_t head = i / of_group * s->group + i % of_group * each;
            set *to = &r->sets[r->set_count++];
            *to = (set){ .token = t, .head = head, .list = at };
            to->heads = ga__min(each, (i / of_group + 1) * s->group - head);
            to->blocks = ga__landmarks_row(r->m, 0, head, t, r->lists + at);
            at += to->blocks;
        }
    }
done:
    return status;
}

static ga_status cut_sets(run *r)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; i < r->set_count; i++) {
        set *s = &r->sets[i];
        s->piece = r->piece_count;
        for (int64_t from = 0, to = 0; from <= s->blocks; from = to) {
            for (int64_t keys = 0; to <= s->blocks && keys < PIECE; to++) {
                ga__span span = span_of(r, s, to);
                keys += ga__max(span.last - span.first, 0);
            }
            if (r->piece_count == r->piece_room) {
                int64_t wider = 2 * r->piece_room + 16;
                GA_TRY(ga__resize(r->context, r->piece_room, wider, sizeof *r->pieces, &r->pieces));
                r->piece_room = wider;
            }
            r->pieces[r->piece_count++] = (piece){ i, from, to };
        }
        s->pieces = r->piece_count - s->piece;
    }
done:
    return status;
}

/* ---- the call ---- */

static ga_status make_room(const run *r, room *own)
{
    ga_status status = GA_OK;
    int64_t dim = r->m->s->dim;
    GA_TRY(GA_NEW(r->context, ROWS * dim, &own->q));
    GA_TRY(GA_NEW(r->context, ROWS * r->stride_q, &own->padded));
    GA_TRY(GA_NEW(r->context, ROWS * GA__PAGED_TILE, &own->s));
    GA_TRY(GA_NEW(r->context, ROWS * PIECE, &own->marks));
    GA_TRY(GA_NEW(r->context, ROWS, &own->m));
    GA_TRY(GA_NEW(r->context, ROWS, &own->z));
    GA_TRY(GA_NEW(r->context, ROWS * r->stride_v, &own->acc));
    GA_TRY(GA_NEW(r->context, ROWS * r->width, &own->inner));
    GA_TRY(GA_NEW(r->context, r->width, &own->row));
    GA_TRY(GA_NEW(r->context, PIECE, &own->k));
    GA_TRY(GA_NEW(r->context, PIECE, &own->v));
done:
    return status;
}

static void free_room(ga_context *context, room *own)
{
    void *const all[] = { own->q,   own->padded, own->s,   own->marks,     own->m,        own->z,
                          own->acc, own->inner,  own->row, (void *)own->k, (void *)own->v };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_free(context, all[i]);
    }
}

static void close_run(run *r)
{
    for (int i = 0; i < r->threads && r->rooms; i++) {
        free_room(r->context, &r->rooms[i]);
    }
    ga_free(r->context, r->rooms);
    ga_free(r->context, r->sets);
    ga_free(r->context, r->lists);
    ga_free(r->context, r->pieces);
    ga_free(r->context, r->results);
}

ga_status ga__landmark_attend(const ga__landmark_step *step)
{
    ga_status status = GA_OK;
    const ga__selecting *s = step->m->s;
    int64_t rows = 0, size = 0;
    run r = { .context = s->context,
              .step = step,
              .m = step->m,
              .kernels = GA__CHOOSE(s->context, ga__paged),
              .units = GA__CHOOSE(s->context, ga__units),
              .stride_q = padded(s->dim),
              .stride_v = padded(step->v.view.columns),
              .width = step->v.view.columns + 2 };
    GA_TRY(make_sets(&r));
    GA_TRY(cut_sets(&r));
    if (!ga__mul(r.piece_count, r.heads_of_set, &rows) || !ga__mul(rows, r.width, &size)) {
        GA_TRY(ga__fail(s->context, GA_OVERFLOW, "landmark: too many parts"));
    }
    GA_TRY(GA_NEW(s->context, size, &r.results));
    r.threads = ga__threads_for(s->context, r.piece_count);
    GA_TRY(GA_NEW_ZERO(s->context, r.threads, &r.rooms));
    for (int i = 0; i < r.threads; i++) {
        GA_TRY(make_room(&r, &r.rooms[i]));
    }
    ga__workers(s->context, r.threads, piece_worker, &r);
    GA_TRY(ga__noted_status(&r.status));
    for (int64_t i = 0; i < r.set_count; i++) {
        for (int64_t h = 0; h < r.sets[i].heads; h++) {
            join_row(&r, &r.sets[i], h, r.rooms[0].inner);
        }
    }
done:
    close_run(&r);
    return status;
}
