/* places.c - keys and values by place: real keys, ghosts, extra keys; and their gradients back to where
 * they belong. */
#include "config.h"

#include "lib/engine/attention/places.h"

#include <string.h>

#include "lib/base/workers.h"
#include "lib/engine/device/device.h"

static bool has_border(const ga_pattern *pattern, ga_border border)
{
    if (pattern->source != GA__SOURCE_PRODUCT) {
        return false;
    }
    for (int i = 0; i < pattern->product.axes; i++) {
        const ga_axis *axis = &pattern->product.axis[i];
        if (axis->border == border && (axis->rule == GA_AXIS_BLOCK || axis->rule == GA_AXIS_HALO)) {
            return true;
        }
    }
    return false;
}

bool ga__attention_ghost_tensors(const ga_pattern *pattern)
{
    return has_border(pattern, GA_BORDER_BIAS);
}

/* ---- padding ---- */

typedef struct additions {
    ga__view extra, ghost;
    bool by_place; /* rows of ghost are places, not heads */
} additions;

static ga_status read_additions(ga_context *context, const ga__attention *a, const char *const names[2],
                                const DLTensor *extra, const DLTensor *ghost, int64_t width, bool key,
                                additions *out)
{
    ga_status status = GA_OK;
    const ga_pattern *p = a->pattern;
    GA_TRY(ga__view_of(context, names[0], extra, true, &out->extra));
    GA_TRY(ga__view_of(context, names[1], ghost, true, &out->ghost));
    if (p->extra > 0) {
        GA_TRY(ga__view_expect(context, names[0], &out->extra, a->batch, a->kv_heads, p->extra, width));
    } else if (extra) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s: the pattern has no extra keys", names[0]));
    }
    bool own = ga__attention_ghost_tensors(p);
    out->by_place = ghost && !own;
    if (out->by_place) {
        if (!key || !has_border(p, GA_BORDER_GHOST)) {
            GA_TRY(ga__fail(context, GA_INVALID, "%s: the pattern has no border=bias", names[1]));
        }
        GA_TRY(ga__view_expect(context, names[1], &out->ghost, 1, 1, a->places, width));
    } else if (ghost || (own && p->ghosts)) {
        GA_TRY(ga__view_expect(context, names[1], &out->ghost, 1, 1, a->heads, width));
    }
done:
    return status;
}

static ga__type padded_type(const ga__view *view, const additions *add)
{
    bool same = (!add->extra.data || add->extra.type == view->type) &&
                (!add->ghost.data || add->ghost.type == view->type);
    bool wide = view->type == GA__F64 || (add->extra.data && add->extra.type == GA__F64) ||
                (add->ghost.data && add->ghost.type == GA__F64);
    return same ? view->type : wide ? GA__F64 : GA__F32;
}

static const int type_size[] = { 4, 2, 2, 8 };

/* Source of a place: its tensor and the place of its row there; NULL for a row of zeros. */
static const ga__view *find_source(const ga__attention *a, const ga__view *from, const additions *add,
                                   int64_t place, int64_t *at)
{
    int64_t real = a->pattern->real ? a->pattern->real[place] : place;
    *at = real >= 0 ? real : -1 - real;
    return real >= 0 ? from : real != INT32_MIN ? &add->extra : add->ghost.data ? &add->ghost : NULL;
}

/* One row of the padded copy; row is scratch. */
static void fill_place(const ga__attention *a, const ga__view *from, const additions *add, const ga__view *to,
                       int64_t b, int64_t head, int64_t place, double *row)
{
    int64_t at = 0;
    const ga__view *source = find_source(a, from, add, place, &at);
    void *out = ga__view_row(to, b, head, place);
    if (!source) {
        memset(out, 0, (size_t)(to->columns * type_size[to->type]));
        return;
    }
    bool ghost = source == &add->ghost;
    int64_t slice = ghost ? 0 : b, kv = ghost ? 0 : head / (to->heads / from->heads);
    at = !ghost ? at : add->by_place ? place : head;
    if (source->type == to->type) {
        memcpy(out, ga__view_row(source, slice, kv, at), (size_t)(to->columns * type_size[to->type]));
    } else {
        ga__view_load_f64(source, slice, kv, at, row);
        ga__view_store_f64(to, b, head, place, row);
    }
}

enum { PADDED_AT_ONCE = 256 };

typedef struct padding {
    const ga__attention *a;
    const additions *add;
    const ga__view *from, *to;
    double *row; /* to->columns for each thread */
    int64_t next, rows;
} padding;

static void pad_worker(void *user, int worker)
{
    padding *p = user;
    for (int64_t piece; (piece = ga__claim(&p->next)) * PADDED_AT_ONCE < p->rows;) {
        int64_t last = ga__min((piece + 1) * PADDED_AT_ONCE, p->rows);
        for (int64_t at = piece * PADDED_AT_ONCE; at < last; at++) {
            int64_t slice = at / p->to->rows;
            fill_place(p->a, p->from, p->add, p->to, slice / p->to->heads, slice % p->to->heads,
                       at % p->to->rows, p->row + worker * p->to->columns);
        }
    }
}

static ga_status pad(ga_context *context, const ga__attention *a, int64_t heads, const additions *add,
                     ga__view *view, void **owned)
{
    ga_status status = GA_OK;
    padding p = { .a = a, .add = add, .from = view };
    int64_t rows = 0, count = 0, scratch = 0;
    int threads = 1;
    ga__view to = { .type = padded_type(view, add),
                    .batch = a->batch,
                    .heads = heads,
                    .rows = a->places,
                    .columns = view->columns };
    if (!ga__mul(a->batch, heads, &rows) || !ga__mul(rows, a->places, &rows) ||
        !ga__mul(rows, view->columns, &count)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "keys with their ghosts and extra keys: too many"));
    }
    GA_TRY(ga_alloc(context, count, (size_t)type_size[to.type], owned));
    ga__advise_large(*owned, count * type_size[to.type]);
    threads = ga__threads_for(context, (rows + PADDED_AT_ONCE - 1) / PADDED_AT_ONCE);
    if (!ga__mul(view->columns, threads, &scratch)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "keys with their ghosts and extra keys: too wide"));
    }
    GA_TRY(GA_NEW(context, scratch, &p.row));
    to.data = *owned;
    to.stride_row = to.columns;
    to.stride_head = to.rows * to.columns;
    to.stride_batch = to.heads * to.stride_head;
    p.to = &to;
    p.rows = rows;
    ga__workers(context, threads, pad_worker, &p);
    *view = to;
done:
    ga_free(context, p.row);
    return status;
}

ga_status ga__attention_pad(ga_context *context, ga__attention *a)
{
    static const char *const names_k[] = { "k_extra", "ghost_k" }, *const names_v[] = { "v_extra",
                                                                                        "ghost_v" };
    ga_status status = GA_OK;
    const ga_attention *problem = a->problem;
    additions k, v;
    GA_TRY(read_additions(context, a, names_k, problem->k_extra, problem->ghost_k, a->dim, true, &k));
    GA_TRY(read_additions(context, a, names_v, problem->v_extra, problem->ghost_v, a->dim_v, false, &v));
    if (a->pattern->real && (a->k.on_device || a->v.on_device)) {
        GA_TRY(ga__device_refuse(context, "attention", "add ghosts or extra keys to what lies there"));
    }
    if (a->pattern->real) {
        int64_t heads = a->pattern->ghosts && k.ghost.data && !k.by_place ? a->heads : a->kv_heads;
        GA_TRY(pad(context, a, heads, &k, &a->k, &a->padded_k));
        GA_TRY(pad(context, a, heads, &v, &a->v, &a->padded_v));
        a->kv_heads = heads;
        a->group = heads > 0 ? a->heads / heads : 1;
    }
done:
    return status;
}

/* ---- gradients of places ---- */

/* Where the gradient of one padded tensor comes from and goes to. */
typedef struct scatter {
    const ga__attention *a;
    const float *single;
    const double *wide;
    int64_t width;
    ga__view real, extra, ghost; /* empty where not asked for */
} scatter;

static void clear(const ga__view *view)
{
    for (int64_t b = 0; view->data && b < view->batch; b++) {
        for (int64_t h = 0; h < view->heads; h++) {
            for (int64_t r = 0; r < view->rows; r++) {
                for (int64_t c = 0; c < view->columns; c++) {
                    ga__view_set(view, b, h, r, c, 0);
                }
            }
        }
    }
}

static void add_place(const scatter *s, int64_t b, int64_t head, int64_t place, double *sum)
{
    const ga__attention *a = s->a;
    int64_t at = ((b * a->kv_heads + head) * a->places + place) * s->width;
    for (int64_t c = 0; c < s->width; c++) {
        sum[c] += s->wide ? s->wide[at + c] : (double)s->single[at + c];
    }
}

/* Real and extra places: each belongs to one row of one tensor, shared by the heads it was copied to. */
static void scatter_keys(const scatter *s, int64_t b, int64_t given, double *sum)
{
    const ga__attention *a = s->a;
    int64_t copies = a->kv_heads / a->given_kv_heads;
    for (int64_t place = 0; place < a->places; place++) {
        int64_t real = a->pattern->real ? a->pattern->real[place] : place;
        const ga__view *to = real >= 0 ? &s->real : &s->extra;
        if (real == INT32_MIN || !to->data) {
            continue;
        }
        memset(sum, 0, (size_t)s->width * sizeof *sum);
        for (int64_t copy = 0; copy < copies; copy++) {
            add_place(s, b, given * copies + copy, place, sum);
        }
        ga__view_store_f64(to, b, given, real >= 0 ? real : -1 - real, sum);
    }
}

static void scatter_ghosts(const scatter *s, int64_t head, double *sum)
{
    const ga__attention *a = s->a;
    memset(sum, 0, (size_t)s->width * sizeof *sum);
    for (int64_t b = 0; b < a->batch; b++) {
        for (int64_t place = 0; a->pattern->real && place < a->places; place++) {
            if (a->pattern->real[place] == INT32_MIN) {
                add_place(s, b, head, place, sum);
            }
        }
    }
    ga__view_store_f64(&s->ghost, 0, 0, head, sum);
}

static ga_status scatter_one(ga_context *context, const scatter *s)
{
    ga_status status = GA_OK;
    const ga__attention *a = s->a;
    double *sum = NULL;
    if (!s->single && !s->wide) {
        return GA_OK;
    }
    GA_TRY(GA_NEW(context, s->width, &sum));
    clear(&s->real);
    clear(&s->extra);
    for (int64_t slice = 0; slice < a->batch * a->given_kv_heads && (s->real.data || s->extra.data);
         slice++) {
        if (a->heads > 0) {
            scatter_keys(s, slice / a->given_kv_heads, slice % a->given_kv_heads, sum);
        }
    }
    for (int64_t head = 0; s->ghost.data && head < a->heads; head++) {
        scatter_ghosts(s, head, sum);
    }
done:
    ga_free(context, sum);
    return status;
}

static ga_status scatter_both(ga_context *context, scatter *k, scatter *v, const ga_attention_gradients *g)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(context, "gradient of k", g->k, true, &k->real));
    GA_TRY(ga__view_of(context, "gradient of v", g->v, true, &v->real));
    GA_TRY(ga__view_of(context, "gradient of k_extra", g->k_extra, true, &k->extra));
    GA_TRY(ga__view_of(context, "gradient of v_extra", g->v_extra, true, &v->extra));
    GA_TRY(ga__view_of(context, "gradient of ghost_k", g->ghost_k, true, &k->ghost));
    GA_TRY(ga__view_of(context, "gradient of ghost_v", g->ghost_v, true, &v->ghost));
    GA_TRY(scatter_one(context, k));
    GA_TRY(scatter_one(context, v));
done:
    return status;
}

ga_status ga__attention_scatter_places(ga_context *context, const ga__attention *a, const float *places_k,
                                       const float *places_v, const ga_attention_gradients *gradients)
{
    scatter k = { .a = a, .single = places_k, .width = a->dim },
            v = { .a = a, .single = places_v, .width = a->dim_v };
    return scatter_both(context, &k, &v, gradients);
}

ga_status ga__attention_scatter_places_f64(ga_context *context, const ga__attention *a,
                                           const double *places_k, const double *places_v,
                                           const ga_attention_gradients *gradients)
{
    scatter k = { .a = a, .wide = places_k, .width = a->dim },
            v = { .a = a, .wide = places_v, .width = a->dim_v };
    return scatter_both(context, &k, &v, gradients);
}
