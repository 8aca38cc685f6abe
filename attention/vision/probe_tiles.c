/* probe_tiles.c - probes in single precision, on the engine.
 *
 * Some probes at a time are the queries: their values are the tokens themselves with W_V, where o_m = W_m y_m, else the
 * columns of v that belong to them together, of which every probe keeps its own. Tokens are sorted by segment; segments
 * of few tokens share a problem, where every probe of a segment has a row that lists its tokens. */
#include "config.h"

#include "attention/vision/probe.h"

#include <string.h>

#include "attention/vision/slab.h"

enum {
    MOST_PROBES = 32,       /* at a time */
    MOST_NUMBERS = 1 << 22, /* of y, where more than one group fits */
    MOST_PAIRS = 1 << 15    /* listed in a problem of several segments */
};

/* Some groups under some probes. */
typedef struct part {
    const ga__probe *p;
    bool backward;
    int64_t most; /* groups of a part */
    void *x, *v;  /* owned: tokens sorted by segment */
    void *q;      /* owned: (groups, probes, D): the probes of every segment */
    ga__view sorted_x, sorted_v;
    float *y, *lse, *dy, *dq, *dk, *dv, *small; /* owned */
    /* of the part */
    int64_t first, groups, probe, probes, token, tokens, columns;
    ga_pattern *pattern; /* owned */
} part;

bool ga__probe_suits_tiles(const ga__job *run, const ga__probe *p)
{
    return run->working.bits == 32 && p->groups > 0 && p->probes > 0 && p->tokens > 0 && p->dim > 0 &&
           p->width > 0;
}

static void close_part(part *t)
{
    ga_context *context = t->p->context;
    void *const all[] = { t->x, t->v, t->q, t->y, t->lse, t->dy, t->dq, t->dk, t->dv, t->small };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ga_free(context, all[i]);
    }
    ga_pattern_destroy(context, t->pattern);
}

/* ---- tokens by segment ---- */

static ga_status sort_rows(const ga__probe *p, const ga__view *from, void **to, ga__view *view)
{
    ga_status status = GA_OK;
    *view = *from;
    if (!p->segmented || !from->data) {
        return GA_OK;
    }
    int64_t size = 0;
    if (!ga__mul(p->tokens, from->columns, &size)) {
        return ga__fail(p->context, GA_OVERFLOW, "probe: too many tokens");
    }
    GA_TRY(ga_alloc(p->context, size, (size_t)ga__slab_size(from->type), to));
    ga__slab_gather(from, 0, 1, p->tokens, p->segments.order, p->tokens, *to);
    view->data = *to;
    view->stride_row = from->columns;
done:
    return status;
}

static int64_t columns_of(const ga__probe *p, int64_t probes)
{
    return p->w.data ? p->dim : probes * p->width;
}

/* To be closed in any case. */
static ga_status open_part(const ga__probe *p, bool backward, part *t)
{
    ga_status status = GA_OK;
    ga_context *context = p->context;
    int64_t probes = ga__min(p->probes, MOST_PROBES), columns = columns_of(p, probes), size = 0, of_k = 0;
    *t = (part){ .p = p, .backward = backward };
    t->most = ga__min(p->groups, ga__max(MOST_NUMBERS / (probes * ga__max(columns, p->dim)), 1));
    GA_TRY(sort_rows(p, &p->x, &t->x, &t->sorted_x));
    GA_TRY(sort_rows(p, &p->v, &t->v, &t->sorted_v));
    if (!ga__mul(probes * t->most, columns, &size) || !ga__mul(p->tokens, ga__max(columns, p->dim), &of_k) ||
        !ga__mul(of_k, p->segmented ? 1 : t->most, &of_k)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "probe: too many tokens"));
    }
    if (p->segmented) {
        GA_TRY(ga_alloc(context, probes * t->most * p->dim, (size_t)ga__slab_size(p->q.type), &t->q));
    }
    GA_TRY(GA_NEW(context, size, &t->y));
    GA_TRY(GA_NEW(context, probes * t->most, &t->lse));
    GA_TRY(GA_NEW(context, probes * t->most * p->width, &t->small));
    if (backward) {
        GA_TRY(GA_NEW(context, size, &t->dy));
        GA_TRY(GA_NEW(context, probes * t->most * p->dim, &t->dq));
        GA_TRY(GA_NEW(context, of_k, &t->dk));
        GA_TRY(GA_NEW(context, of_k, &t->dv));
    }
done:
    return status;
}

/* ---- the problem of a part ---- */

/* Number of (group, probe) in y: (groups, probes). */
static int64_t place_of(const part *t, int64_t group, int64_t probe)
{
    return group * t->probes + probe;
}

/* Segments from the first that share a problem: at least one. */
static int64_t segments_at(const part *t)
{
    const int64_t *offsets = t->p->segments.offsets + t->first;
    int64_t probes = ga__min(t->p->probes, MOST_PROBES), most = ga__min(t->most, t->p->groups - t->first);
    int64_t count = 1;
    while (count < most && (offsets[count + 1] - offsets[0]) <= MOST_PAIRS / probes) {
        count++;
    }
    return count;
}

/* Every row (segment, probe) lists the tokens of its segment. */
static ga_status list_tokens(part *t)
{
    ga_status status = GA_OK;
    const ga__probe *p = t->p;
    const int64_t *from = p->segments.offsets + t->first;
    int64_t *offsets = NULL, *indices = NULL, at = 0, rows = t->groups * t->probes;
    GA_TRY(GA_NEW(p->context, rows + 1, &offsets));
    GA_TRY(GA_NEW(p->context, t->tokens * t->probes + 1, &indices));
    for (int64_t row = 0; row < rows; row++) {
        int64_t group = row / t->probes;
        offsets[row] = at;
        for (int64_t i = from[group] - from[0]; i < from[group + 1] - from[0]; i++) {
            indices[at++] = i;
        }
    }
    offsets[rows] = at;
    status = ga_pattern_csr(p->context, rows, t->tokens, offsets, indices, false, false, &t->pattern);
done:
    ga_free(p->context, offsets);
    ga_free(p->context, indices);
    return status;
}

static ga_status make_pattern(part *t)
{
    const ga__probe *p = t->p;
    ga_pattern_destroy(p->context, t->pattern);
    t->pattern = NULL;
    t->token = p->segmented ? p->segments.offsets[t->first] : 0;
    t->tokens = p->segmented ? p->segments.offsets[t->first + t->groups] - t->token : p->tokens;
    if (p->segmented && t->groups > 1) {
        return list_tokens(t);
    }
    return ga_pattern_full(p->context, t->probes, t->tokens, false, &t->pattern);
}

typedef struct problem {
    ga__slab q, x, v, y, lse, dy, dq, dk, dv;
    ga_attention attention;
} problem;

static void describe_queries(const part *t, ga__slab *q)
{
    const ga__probe *p = t->p;
    int64_t rows = t->groups * t->probes;
    ga__slab_open(q, &p->q);
    ga__slab_cut(q, 2, t->probe, t->probes);
    if (p->segmented && t->groups > 1) {
        for (int64_t i = 0; i < t->groups; i++) {
            ga__view some = p->q;
            some.data = q->tensor.data;
            ga__slab_gather(&some, 0, 1, t->probes, NULL, t->probes,
                            (char *)t->q + i * t->probes * p->dim * ga__slab_size(p->q.type));
        }
        ga__slab_over_type(q, t->q, p->q.type, (const int64_t[]){ 1, 1, rows, p->dim });
    } else if (!p->segmented && p->q.batch > 1) {
        ga__slab_cut(q, 0, t->first, t->groups);
    } else if (!p->segmented) {
        ga__slab_repeat(q, 0, t->groups);
    }
}

/* The borrowed descriptors of the part. */
static void describe(const part *t, problem *d)
{
    const ga__probe *p = t->p;
    int64_t batch = p->segmented ? 1 : t->groups, rows = t->groups * t->probes / batch;
    describe_queries(t, &d->q);
    ga__slab_open(&d->x, &t->sorted_x);
    ga__slab_open(&d->v, p->w.data ? &t->sorted_x : &t->sorted_v);
    ga__slab *const both[] = { &d->x, &d->v };
    for (int i = 0; i < 2; i++) {
        ga__slab_cut(both[i], 0, p->segmented ? 0 : t->first, batch);
        ga__slab_cut(both[i], 2, t->token, t->tokens);
    }
    if (!p->w.data) {
        ga__slab_cut(&d->v, 3, t->probe * p->width, t->columns);
    }
    const int64_t of_y[] = { batch, 1, rows, t->columns }, of_lse[] = { 1, batch, 1, rows };
    const int64_t of_q[] = { batch, 1, rows, p->dim };
    const int64_t of_k[] = { batch, 1, t->tokens, p->dim }, of_v[] = { batch, 1, t->tokens, t->columns };
    ga__slab_over(&d->y, t->y, of_y);
    ga__slab_over(&d->lse, t->lse, of_lse);
    ga__slab_over(&d->dy, t->dy, of_y);
    ga__slab_over(&d->dq, t->dq, of_q);
    ga__slab_over(&d->dk, t->dk, of_k);
    ga__slab_over(&d->dv, t->dv, of_v);
    d->attention = (ga_attention)GA_ATTENTION_INIT;
    d->attention.q = &d->q.tensor;
    d->attention.k = &d->x.tensor;
    d->attention.v = &d->v.tensor;
    d->attention.pattern = t->pattern;
    d->attention.score.scale = p->scale;
}

/* y and lse of the part; y is not wanted where only lse is. */
static ga_status attend(const part *t, problem *d, bool y)
{
    const ga_attention_result result = { .o = y ? &d->y.tensor : NULL, .lse = &d->lse.tensor };
    return ga_attention_forward(t->p->context, &d->attention, GA_FAMILY_AUTO, &result, NULL);
}

/* Rows of y, or of its gradient, of one probe after another, every row a group: (probes, groups, columns). */
static void open_by_probe(const part *t, float *y, int64_t columns, ga__slab *slab)
{
    ga__slab_over(slab, y, (const int64_t[]){ 1, t->probes, t->groups, columns });
    slab->strides[1] = columns;
    slab->strides[2] = t->probes * columns;
}

/* W_V of the probes: (probes, c, D). */
static void open_weights(const part *t, ga__slab *slab)
{
    ga__view w = t->p->w;
    w.heads = t->probes;
    w.rows = t->p->width;
    w.stride_head = w.rows * w.stride_row;
    w.data = ga__view_row(&t->p->w, 0, 0, t->probe * t->p->width);
    ga__slab_open(slab, &w);
}

/* ---- forward ---- */

/* small (probes, groups, c) = y_m W_m' */
static ga_status project(const part *t)
{
    ga__slab y, w, o;
    open_by_probe(t, t->y, t->columns, &y);
    open_weights(t, &w);
    ga__slab_over(&o, t->small, (const int64_t[]){ 1, t->probes, t->groups, t->p->width });
    return ga_gemm(t->p->context, false, true, 1, &y.tensor, &w.tensor, 0, &o.tensor);
}

static void store_outputs(const part *t)
{
    const ga__probe *p = t->p;
    for (int64_t i = 0; i < t->groups; i++) {
        for (int64_t m = 0; m < t->probes; m++) {
            int64_t at = place_of(t, i, m);
            const float *own =
                p->w.data ? t->small + (m * t->groups + i) * p->width : t->y + at * t->columns + m * p->width;
            if (p->o.data) {
                ga__view_store_f32(&p->o, t->first + i, 0, t->probe + m, own);
            }
            if (p->lse.data) { /* three axes are (1, batch, heads, queries) to a view */
                ga__view_set(&p->lse, 0, t->first + i, 0, t->probe + m, (double)t->lse[at]);
            }
        }
    }
}

static ga_status forward_part(part *t)
{
    ga_status status = GA_OK;
    problem d;
    bool y = t->p->o.data;
    describe(t, &d);
    GA_TRY(attend(t, &d, y));
    if (y && t->p->w.data) {
        GA_TRY(project(t));
    }
    store_outputs(t);
done:
    return status;
}

/* ---- backward ---- */

/* dy: u_m = dO_m W_m of every group, or dO_m at the columns of probe m. Leaves dO in small, (probes, groups, c). */
static ga_status fill_upstream(const part *t)
{
    const ga__probe *p = t->p;
    ga__slab grad, w, dy;
    for (int64_t m = 0; m < t->probes; m++) {
        for (int64_t i = 0; i < t->groups; i++) {
            ga__view_load_f32(&p->grad, t->first + i, 0, t->probe + m,
                              t->small + (m * t->groups + i) * p->width);
        }
    }
    if (p->w.data) {
        /* a product is written in C order: (probes, groups, D), sent to its places behind */
        ga__slab_over(&grad, t->small, (const int64_t[]){ 1, t->probes, t->groups, p->width });
        open_weights(t, &w);
        ga__slab_over(&dy, t->dq, (const int64_t[]){ 1, t->probes, t->groups, p->dim });
        ga_status status = ga_gemm(p->context, false, false, 1, &grad.tensor, &w.tensor, 0, &dy.tensor);
        for (int64_t m = 0; status == GA_OK && m < t->probes; m++) {
            for (int64_t i = 0; i < t->groups; i++) {
                memcpy(t->dy + place_of(t, i, m) * p->dim, t->dq + (m * t->groups + i) * p->dim,
                       (size_t)p->dim * sizeof *t->dy);
            }
        }
        return status;
    }
    memset(t->dy, 0, (size_t)(t->probes * t->groups * t->columns) * sizeof *t->dy);
    for (int64_t m = 0; m < t->probes; m++) {
        for (int64_t i = 0; i < t->groups; i++) {
            memcpy(t->dy + place_of(t, i, m) * t->columns + m * p->width,
                   t->small + (m * t->groups + i) * p->width, (size_t)p->width * sizeof *t->dy);
        }
    }
    return GA_OK;
}

/* dW_m += dO_m' y_m */
static ga_status add_weights(const part *t)
{
    const ga__probe *p = t->p;
    ga__slab grad, y, dw;
    ga__slab_over(&grad, t->small, (const int64_t[]){ 1, t->probes, t->groups, p->width });
    open_by_probe(t, t->y, t->columns, &y);
    ga__slab_over(&dw, ga__view_row(&p->dw, 0, 0, t->probe * p->width),
                  (const int64_t[]){ 1, t->probes, p->width, p->dim });
    return ga_gemm(p->context, true, false, 1, &grad.tensor, &y.tensor, 1, &dw.tensor);
}

static void add_row(float *to, const float *from, int64_t count)
{
    for (int64_t c = 0; c < count; c++) {
        to[c] += from[c];
    }
}

/* dq of all groups that share the probes, else of every group. */
static void add_queries(const part *t)
{
    const ga__probe *p = t->p;
    for (int64_t i = 0; i < t->groups; i++) {
        for (int64_t m = 0; m < t->probes; m++) {
            int64_t b = p->segmented || p->dq.batch == 1 ? 0 : t->first + i;
            add_row(ga__view_row(&p->dq, b, 0, t->probe + m), t->dq + place_of(t, i, m) * p->dim, p->dim);
        }
    }
}

/* dx and dv of the tokens of the part, at the places where the tokens were given. */
static void add_tokens(const part *t)
{
    const ga__probe *p = t->p;
    int64_t entries = p->segmented ? 1 : t->groups;
    for (int64_t i = 0; i < entries * t->tokens; i++) {
        int64_t b = p->segmented ? 0 : t->first + i / t->tokens, row = t->token + i % t->tokens;
        row = p->segmented ? p->segments.order[row] : row;
        if (p->dx.data) {
            float *dx = ga__view_row(&p->dx, b, 0, row);
            add_row(dx, t->dk + i * p->dim, p->dim);
            if (p->w.data) {
                add_row(dx, t->dv + i * p->dim, p->dim);
            }
        }
        if (p->dv.data) {
            float *dv = ga__view_row(&p->dv, b, 0, row);
            memcpy(dv + t->probe * p->width, t->dv + i * t->columns, (size_t)t->columns * sizeof *dv);
        }
    }
}

static ga_status backward_part(part *t)
{
    ga_status status = GA_OK;
    const ga__probe *p = t->p;
    bool of_v = p->w.data ? p->dx.data != NULL : p->dv.data != NULL;
    problem d;
    describe(t, &d);
    GA_TRY(attend(t, &d, true));
    GA_TRY(fill_upstream(t));
    if (p->dw.data) {
        GA_TRY(add_weights(t));
    }
    if (p->dq.data || p->dx.data || p->dv.data) {
        const ga_attention_gradients g = { .grad_o = &d.dy.tensor,
                                           .o = &d.y.tensor,
                                           .lse = &d.lse.tensor,
                                           .q = p->dq.data ? &d.dq.tensor : NULL,
                                           .k = p->dx.data ? &d.dk.tensor : NULL,
                                           .v = of_v ? &d.dv.tensor : NULL };
        GA_TRY(ga_attention_backward(p->context, &d.attention, GA_FAMILY_AUTO, &g, NULL));
    }
    if (p->dq.data) {
        add_queries(t);
    }
    if (p->dx.data || p->dv.data) {
        add_tokens(t);
    }
done:
    return status;
}

/* ---- the call ---- */

static ga_status for_all_parts(part *t)
{
    ga_status status = GA_OK;
    const ga__probe *p = t->p;
    for (t->first = 0; t->first < p->groups; t->first += t->groups) {
        GA_TRY(ga__check(p->context));
        t->groups = p->segmented ? segments_at(t) : ga__min(t->most, p->groups - t->first);
        for (t->probe = 0; t->probe < p->probes; t->probe += t->probes) {
            t->probes = ga__min(MOST_PROBES, p->probes - t->probe);
            t->columns = columns_of(p, t->probes);
            GA_TRY(make_pattern(t));
            GA_TRY(t->backward ? backward_part(t) : forward_part(t));
        }
    }
done:
    return status;
}

ga_status ga__probe_tiles(const ga__probe *p)
{
    part t;
    ga_status status = open_part(p, false, &t);
    if (status == GA_OK) {
        status = for_all_parts(&t);
    }
    close_part(&t);
    return status;
}

static void clear(const ga__view *grad)
{
    if (grad->data) {
        int64_t count = grad->batch * grad->heads * grad->rows * grad->columns; /* C order */
        memset(grad->data, 0, (size_t)count * sizeof(float));
    }
}

ga_status ga__probe_tiles_backward(const ga__probe *p)
{
    part t;
    clear(&p->dq);
    clear(&p->dx);
    clear(&p->dw);
    ga_status status = open_part(p, true, &t);
    if (status == GA_OK) {
        status = for_all_parts(&t);
    }
    close_part(&t);
    return status;
}
