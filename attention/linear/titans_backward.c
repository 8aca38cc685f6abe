/* titans_backward.c - gradients of the linear memory (attention-linear card 13), for chunks of any length.
 *
 * With dM and dS the gradients of M_t and S_t, R the weights at the start of the chunk, err = k R - v, w = k dS:
 * dM += q' do, dq = M_t do, dS += dM; dtheta = -2 w . err, deta = <dS, S_{t-1}>, dalpha = -<dM, M_{t-1}>, dv = 2 theta w,
 * dk = -2 theta (dS err + R w), dR -= 2 theta k' w; then dM <- (1 - alpha) dM, dS <- eta dS, and at the first token of a
 * chunk dM += dR.
 *
 * Every sqrt(N) tokens M, S and R are kept on the way forward; the states between are made again block by block. */
#include "config.h"

#include <string.h>

#include "attention/linear/titans.h"

/* What a head needs; all of `size` numbers an entry. */
typedef struct tape {
    int64_t block, size; /* tokens a block */
    double *kept;        /* M, S, R at the start of every block */
    double *m, *s;       /* of a block: before its first token, then after each */
    double *dm, *ds, *dr;
    double *q, *k, *dq, *dk, *v, *up, *w, *err, *dv; /* one token */
    double *memory;
} tape;

static int64_t block_of(int64_t length)
{
    int64_t block = (int64_t)sqrt((double)length);
    return ga__max(block, 1);
}

static ga_status tape_numbers(const ga__titans *t, int64_t *count)
{
    int64_t block = block_of(t->length), size = t->memory.size;
    ga_status status = ga__titans_memory_numbers(t, count);
    if (status == GA_OK && (!ga__add_product(count, 3 * (t->length / block + 2) + 2 * (block + 2), size) ||
                            !ga__add_product(count, 5, t->d + t->e))) {
        status = ga__fail(t->run->context, GA_OVERFLOW, "titans: too many tokens for gradients");
    }
    return status;
}

static tape tape_in(const ga__titans *t, double *room)
{
    int64_t size = t->memory.size, block = block_of(t->length);
    tape p = { .block = block, .size = size };
    p.kept = room;
    p.m = p.kept + 3 * (t->length / block + 1) * size;
    p.s = p.m + (block + 1) * size;
    p.dm = p.s + (block + 1) * size;
    p.ds = p.dm + size;
    p.dr = p.ds + size;
    p.q = p.dr + size;
    p.k = p.q + t->d;
    p.dq = p.k + t->d;
    p.dk = p.dq + t->d;
    p.v = p.dk + t->d;
    p.up = p.v + t->e;
    p.w = p.up + t->e;
    p.err = p.w + t->e;
    p.dv = p.err + t->e;
    p.memory = p.dv + t->e;
    return p;
}

static void copy(double *to, const double *from, int64_t count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
}

static void load_pair(const ga__titans *t, const tape *p, int64_t b, int64_t h, int64_t i)
{
    ga__view_load_f64(&t->k, b, h / t->group, i, p->k);
    ga__view_load_f64(&t->v, b, h / t->group, i, p->v);
}

/* Leaves M, S and R before the first token of every block in p->kept. */
static void run_forward(const ga__titans *t, const tape *p, int64_t b, int64_t h)
{
    ga__memory memory = ga__titans_start(t, b, h, p->memory);
    for (int64_t i = 0; i < t->length; i++) {
        double *kept = p->kept + i / p->block * 3 * p->size;
        if (i % p->block == 0) {
            copy(kept, memory.m, p->size);
            copy(kept + p->size, memory.s, p->size);
            copy(kept + 2 * p->size, memory.frozen, p->size);
        }
        load_pair(t, p, b, h, i);
        ga__titans_learn(t, &memory, b, h, i, i, p->k, p->v);
    }
}

/* M and S before token `from` and after each up to `to`. */
static void run_block(const ga__titans *t, const tape *p, int64_t b, int64_t h, int64_t from, int64_t to)
{
    ga__memory memory = ga__titans_start(t, b, h, p->memory);
    const double *kept = p->kept + from / p->block * 3 * p->size;
    copy(memory.m, kept, p->size);
    copy(memory.s, kept + p->size, p->size);
    copy(memory.frozen, kept + 2 * p->size, p->size);
    copy(p->m, kept, p->size);
    copy(p->s, kept + p->size, p->size);
    for (int64_t i = from; i < to; i++) {
        load_pair(t, p, b, h, i);
        ga__titans_learn(t, &memory, b, h, i, i, p->k, p->v);
        copy(p->m + (i - from + 1) * p->size, memory.m, p->size);
        copy(p->s + (i - from + 1) * p->size, memory.s, p->size);
    }
}

static double inner(const ga__titans *t, int64_t count, const double *a, const double *b)
{
    double sum;
    t->memory.kernels->from_right(1, count, a, b, &sum);
    return sum;
}

/* w = k dS, err = k R - v, dv. */
static void token_errors(const ga__titans *t, const tape *p, const double *r, double theta)
{
    t->memory.kernels->from_left(t->d, t->e, p->k, p->ds, p->w);
    t->memory.kernels->from_left(t->d, t->e, p->k, r, p->err);
    for (int64_t c = 0; c < t->e; c++) {
        p->err[c] -= p->v[c];
        p->dv[c] = 2 * theta * p->w[c];
    }
}

static void give(const ga__view *view, int64_t b, int64_t h, int64_t i, const double *values)
{
    for (int64_t c = 0; view->data && c < view->columns; c++) {
        ga__view_add(view, b, h, i, c, values[c]);
    }
}

static void give_one(const ga__view *view, int64_t b, int64_t h, int64_t i, double value)
{
    if (view->data) {
        ga__view_set(view, 0, b, h, i, value);
    }
}

/* Token i with the states before and after it: at is its place in the block. */
static void back_token(const ga__titans *t, const tape *p, int64_t b, int64_t h, int64_t i, int64_t at,
                       const double *r)
{
    const double *before_m = p->m + at * p->size, *before_s = p->s + at * p->size,
                 *after = before_m + p->size;
    double theta = ga__view_get(&t->theta, 0, b, h, i), eta = ga__view_get(&t->eta, 0, b, h, i),
           keep = 1 - ga__view_get(&t->alpha, 0, b, h, i);
    load_pair(t, p, b, h, i);
    ga__view_load_f64(&t->q, b, h, i, p->q);
    ga__view_load_f64(&t->up, b, h, i, p->up);
    for (int64_t j = 0; j < t->d; j++) {
        p->dq[j] = inner(t, t->e, after + j * t->e, p->up);
        for (int64_t c = 0; c < t->e; c++) {
            p->dm[j * t->e + c] += p->q[j] * p->up[c];
            p->ds[j * t->e + c] += p->dm[j * t->e + c];
        }
    }
    token_errors(t, p, r, theta);
    give_one(&t->d_theta, b, h, i, -2 * inner(t, t->e, p->w, p->err));
    give_one(&t->d_eta, b, h, i, inner(t, p->size, p->ds, before_s));
    give_one(&t->d_alpha, b, h, i, -inner(t, p->size, p->dm, before_m));
    for (int64_t j = 0; j < t->d; j++) {
        const double *ds = p->ds + j * t->e;
        p->dk[j] = -2 * theta * (inner(t, t->e, ds, p->err) + inner(t, t->e, r + j * t->e, p->w));
        for (int64_t c = 0; c < t->e; c++) {
            int64_t place = j * t->e + c;
            p->dr[place] -= p->k[j] * p->dv[c];
            p->dm[place] = keep * p->dm[place] + (i % t->chunk == 0 ? p->dr[place] : 0);
            p->dr[place] = i % t->chunk == 0 ? 0 : p->dr[place];
            p->ds[place] *= eta;
        }
    }
    give(&t->dq, b, h, i, p->dq);
    give(&t->dk, b, h / t->group, i, p->dk);
    give(&t->dv, b, h / t->group, i, p->dv);
}

static void back_head(const ga__titans *t, const tape *p, int64_t b, int64_t h)
{
    run_forward(t, p, b, h);
    memset(p->dm, 0, 3 * (size_t)p->size * sizeof *p->dm);
    for (int64_t to = t->length; to > 0;) {
        int64_t from = (to - 1) / p->block * p->block;
        run_block(t, p, b, h, from, to);
        for (int64_t i = to - 1; i >= from; i--) {
            int64_t start = i - i % t->chunk;
            const double *r = start >= from ? p->m + (start - from) * p->size
                                            : p->kept + (from / p->block * 3 + 2) * p->size;
            back_token(t, p, b, h, i, i - from, r);
        }
        to = from;
    }
}

/* The heads of a group add to the same keys, in their order. */
static void back_group(void *user, int64_t b, int64_t g, int64_t row, double *room)
{
    const ga__titans *t = user;
    tape p = tape_in(t, room);
    (void)row;
    for (int64_t h = g * t->group; h < (g + 1) * t->group; h++) {
        back_head(t, &p, b, h);
    }
}

ga_status ga__titans_backward(ga__job *run, ga__titans *t)
{
    ga_status status = GA_OK;
    int64_t count = 0;
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &t->up));
    GA_TRY(ga__slot_grad_zero(run, GA__Q, &t->dq));
    GA_TRY(ga__slot_grad_zero(run, GA__K, &t->dk));
    GA_TRY(ga__slot_grad_zero(run, GA__V, &t->dv));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "theta"), &t->d_theta));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "eta"), &t->d_eta));
    GA_TRY(ga__slot_grad_zero(run, ga__slot_find(run, "alpha"), &t->d_alpha));
    GA_TRY(tape_numbers(t, &count));
    status = ga__rows(run, run->batch, run->kv_heads, 1, count, back_group, t);
done:
    return status;
}
