/* object.c - fixations on objects: a Gaussian kernel on positions, hidden keys, a stop column (attention-static section
 * 16).
 *
 * z_tj = scale (<q_t, k_j> + gain sum_a exp(-(pq_a - pk_a)^2 / (2 sigma^2))) over the valid keys, and a ghost with score 0
 * and value 0; pointer = softmax of [sum_h readout_h z^h_tj, 0]. */
#include "config.h"

#include <string.h>

#include "attention/linear/rows.h"
#include "attention/vision/object.h"
#include "lib/engine/device/device.h"

static const ga_parameter parameters[] = {
    { "sigma", GA_PARAMETER_REAL, "2", "> 0", "width of the kernel", GA__ABOVE(0) },
    { "gain", GA_PARAMETER_REAL, "1", ">= 0", "weight of the kernel", GA__FROM(0) },
    { "stop", GA_PARAMETER_BOOL, "1", NULL, "ghost with score 0 and value 0", GA__ANY },
    { .name = NULL },
};

#define VALID \
    { \
        "valid", "u8 (B, Nk)", "0 hides a key", .optional = true \
    }
static const ga_tensor_slot pattern_tensors[] = { VALID, { .name = NULL } };
static const ga_tensor_slot tensors[] = {
    { "q_pos", "i64 (Nq, A)", "positions of queries; with k_pos", .optional = true },
    { "k_pos", "i64 (Nk, A)", "positions of keys; with q_pos", .optional = true },
    VALID,
    { "readout", "(H)", "head weights; adds the output pointer", .optional = true },
    { .name = NULL },
};

static ga_status integers(ga__job *run, const char *name, int count, const int64_t *dims, ga__view *view)
{
    ga_status status = GA_OK;
    int slot;
    *view = (ga__view){ .data = NULL };
    GA_TRY(ga__slot_shaped(run, name, count, dims, &slot));
    if (slot >= 0) {
        GA_TRY(ga__view_of(run->context, name, run->slots[slot].given, false, view));
        if (view->type <= GA__F64) {
            GA_TRY(ga__fail(run->context, GA_INVALID, "%s: integers expected", name));
        }
    }
done:
    return status;
}

static ga_status open_object(ga__job *run, ga__object *t)
{
    ga_status status = GA_OK;
    int readout;
    const ga__part *own = &run->own;
    double sigma = ga__part_value(own, "sigma")->real;
    const int64_t of_valid[] = { run->batch, run->keys };
    *t = (ga__object){ .run = run,
                       .gain = ga__part_value(own, "gain")->real,
                       .width = 2 * sigma * sigma,
                       .stop = ga__part_value(own, "stop")->integer };
    t->group = ga__max(run->heads / ga__max(run->kv_heads, 1), 1);
    GA_TRY(ga__device_refuse(run->context, "object", "attend to objects"));
    GA_TRY(integers(run, "q_pos", 2, (const int64_t[]){ run->queries, -1 }, &t->q_pos));
    GA_TRY(integers(run, "k_pos", 2, (const int64_t[]){ run->keys, t->q_pos.data ? t->q_pos.columns : -1 },
                    &t->k_pos));
    GA_TRY(integers(run, "valid", 2, of_valid, &t->valid));
    GA_TRY(ga__slot_shaped(run, "readout", 1, &run->heads, &readout));
    GA_TRY(ga__slot_view(run, readout, &t->readout));
    if (!t->q_pos.data != !t->k_pos.data) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "object needs both q_pos and k_pos, or none"));
    }
done:
    return status;
}

static ga_status open_inputs(ga__job *run, ga__object *t)
{
    ga_status status = GA_OK;
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &t->q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &t->k));
    status = ga__view_of(run->context, "v", run->scan.v, true, &t->v);
done:
    return status;
}

static double kernel(const ga__object *t, int64_t query, int64_t key)
{
    double sum = 0;
    for (int64_t a = 0; a < t->q_pos.columns && t->q_pos.data; a++) {
        double distance = (double)ga__view_get_integer(&t->q_pos, 0, query, a) -
                          (double)ga__view_get_integer(&t->k_pos, 0, key, a);
        sum += distance == 0 ? 1 : exp(-distance * distance / t->width);
    }
    return sum;
}

/* z of all keys of a row, -inf where hidden; room: a row of q and of k. */
static void row_scores(const ga__object *t, int64_t b, int64_t h, int64_t r, double *z, double *room)
{
    int64_t d = t->q.columns;
    double *q = room, *k = room + d;
    ga__view_load_f64(&t->q, b, h, r, q);
    for (int64_t j = 0; j < t->run->keys; j++) {
        double sum = t->gain * kernel(t, r, j);
        if (!ga__object_is_valid(t, b, j)) {
            z[j] = -INFINITY;
            continue;
        }
        ga__view_load_f64(&t->k, b, h / t->group, j, k);
        for (int64_t c = 0; c < d; c++) {
            sum += q[c] * k[c];
        }
        z[j] = t->run->scale * sum;
    }
}

/* Scores, with a ghost of score 0 or without, to weights; the lse. Hidden keys, z = -inf, get 0. */
static double softmax(const ga__object *t, int64_t b, bool ghost, double *z)
{
    int64_t n = t->run->keys;
    double most = ghost ? 0 : -INFINITY, sum;
    for (int64_t j = 0; j < n; j++) {
        most = z[j] > most || isnan(z[j]) ? z[j] : most;
    }
    sum = ghost ? exp(-most) : 0;
    for (int64_t j = 0; j < n; j++) {
        z[j] = ga__object_is_valid(t, b, j) ? exp(z[j] - most) : 0;
        sum += z[j];
    }
    for (int64_t j = 0; j < n && sum != 0; j++) {
        z[j] /= sum;
    }
    return sum == 0 ? -INFINITY : most + log(sum);
}

static void do_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const ga__object *t = user;
    int64_t n = t->run->keys, e = t->v.columns;
    double *z = room, *o = room + n, *v = o + e, *more = v + e;
    row_scores(t, b, h, r, z, more);
    double lse = softmax(t, b, t->stop, z);
    if (t->lse.data) {
        ga__view_set(&t->lse, 0, b, h, r, lse); /* three axes are (1, batch, heads, queries) to a view */
    }
    if (t->map.data) {
        ga__view_store_f64(&t->map, b, h, r, z);
    }
    if (!t->o.data) {
        return;
    }
    memset(o, 0, (size_t)e * sizeof *o);
    for (int64_t j = 0; j < n; j++) {
        if (!ga__object_is_valid(t, b, j)) {
            continue;
        }
        ga__view_load_f64(&t->v, b, h / t->group, j, v);
        for (int64_t c = 0; c < e; c++) {
            o[c] += z[j] * v[c];
        }
    }
    ga__view_store_f64(&t->o, b, h, r, o);
}

static int64_t row_room(const ga__job *run)
{
    return 2 * run->keys + 1 + 2 * run->dim_v + 2 * run->dim;
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    ga__object t;
    GA_TRY(open_object(run, &t));
    GA_TRY(open_inputs(run, &t));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &t.o));
    GA_TRY(ga__view_of(run->context, "lse", outputs->lse, true, &t.lse));
    GA_TRY(ga__view_of(run->context, "map", outputs->map, true, &t.map));
    if (ga__object_suits_tiles(&t)) {
        GA_TRY(t.o.data || t.lse.data ? ga__object_tiles(run, &t) : GA_OK);
    } else if (t.o.data || t.lse.data || t.map.data) {
        status = ga__rows(run, run->batch, run->heads, run->queries, row_room(run), do_row, &t);
    }
done:
    return status;
}

/* ---- the pointer ---- */

static void point(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const ga__object *t = user;
    int64_t n = t->run->keys;
    double *sum = room, *z = room + n + 1, *more = z + n;
    (void)h;
    for (int64_t j = 0; j < n; j++) {
        sum[j] = ga__object_is_valid(t, b, j) ? 0 : -INFINITY;
    }
    for (int64_t head = 0; head < t->run->heads; head++) {
        double weight = ga__view_get(&t->readout, 0, 0, 0, head);
        row_scores(t, b, head, r, z, more);
        for (int64_t j = 0; j < n; j++) {
            sum[j] += ga__object_is_valid(t, b, j) ? weight * z[j] : 0;
        }
    }
    sum[n] = exp(-softmax(t, b, true, sum)); /* the stop column, of score 0 */
    ga__view_store_f64(&t->pointer, 0, b, r, sum);
}

static ga_status make_pointer(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__object t;
    const int64_t shape[] = { run->batch, run->queries, run->keys + 1 };
    GA_TRY(open_object(run, &t));
    GA_TRY(open_inputs(run, &t));
    if (!t.readout.data) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "object: the output %s needs readout", name));
    }
    GA_TRY(ga__tensor_new(run, 3, shape, out));
    GA_TRY(ga__view_of(run->context, name, *out, true, &t.pointer));
    status = ga__rows(run, run->batch, 1, run->queries, row_room(run), point, &t);
done:
    return status;
}

/* ---- the pattern, for those who ask for it ---- */

/* Every query sees every valid key. */
static ga_status make_valid(ga__job *run)
{
    ga_status status = GA_OK;
    ga__object t = { .run = run };
    int64_t *offsets = NULL, *indices = NULL, count = 0, size = 0;
    const int64_t of_valid[] = { 1, run->keys };
    GA_TRY(integers(run, "valid", 2, of_valid, &t.valid));
    for (int64_t j = 0; j < run->keys; j++) {
        count += ga__object_is_valid(&t, 0, j);
    }
    if (!ga__mul(count, run->queries, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "object: too many pairs"));
    }
    GA_TRY(GA_NEW(run->context, run->queries + 1, &offsets));
    GA_TRY(GA_NEW(run->context, size + 1, &indices));
    for (int64_t i = 0, at = 0; i <= run->queries; i++) {
        offsets[i] = i * count;
        for (int64_t j = 0; j < run->keys && i < run->queries; j++) {
            if (ga__object_is_valid(&t, 0, j)) {
                indices[at++] = j;
            }
        }
    }
    status =
        ga_pattern_csr(run->context, run->queries, run->keys, offsets, indices, false, false, &run->pattern);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, indices);
    return status;
}

static ga_status make(ga__job *run, const ga__part *part)
{
    (void)part;
    if (ga__slot_find(run, "q") >= 0) {
        return GA_OK; /* a call computes without it */
    }
    return ga__slot_find(run, "valid") >= 0
               ? make_valid(run)
               : ga_pattern_full(run->context, run->queries, run->keys, false, &run->pattern);
}

static const ga__pattern_entry row = {
    .name = "object", .tensors = pattern_tensors, .can = GA_CAN_CROSS, .make = make
};

static const ga__variant_ops ops = { .engine = GA__ENGINE_OWN,
                                     .pattern = &row,
                                     .normaliser = &ga__softmax_row,
                                     .own_forward = forward,
                                     .output = make_pointer };

const ga_variant ga__object_variant = {
    .name = "object",
    .summary = "fixations on objects with a distance kernel on positions and a stop column",
    .source = "OAT, 2407.13335",
    .family = "static",
    .plan =
        "pattern: bipartite, by valid keys; score: scaled (dot + gain * Gaussian of positions); normaliser: softmax "
        "with one ghost of score 0; post: pointer distribution from a head readout",
    .outputs = "o, lse, map, pointer",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CROSS | GA_CAN_GROUP,
    .causality = { .rows = GA_ROWS_UNKNOWN, .sets = GA_SETS_TWO },
    .ops = &ops,
};
