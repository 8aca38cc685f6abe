/* region.c - overlapping regions whose text tokens are screened by a prior map, averaged (attention-static section 14).
 *
 * a_c(y, x) = prior / max prior of the token (1 for sinks), z = scale <q, k_c> + ln max(a_c, eps) over the tokens that
 * the region keeps, which are those with max a_c >= keep in it; o = mean over the regions that contain the pixel. */
#include "config.h"

#include <string.h>

#include "attention/linear/rows.h"
#include "attention/vision/region.h"

static const ga_parameter parameters[] = {
    { "shape", GA_PARAMETER_INT_LIST, NULL, "Hh,Ww", "query grid", GA__FROM(1), .required = true },
    { "region", GA_PARAMETER_INT_LIST, NULL, ">= 1", "region size R", GA__FROM(1), .required = true },
    { "stride", GA_PARAMETER_INT_LIST, NULL, ">= 1", "step between regions", GA__FROM(1), .required = true },
    { "keep", GA_PARAMETER_REAL, "0", "0..1",
      "tokens below it in the whole region are dropped (compared in f64)", GA__WITHIN(0, 1) },
    { "eps", GA_PARAMETER_REAL, "1e-6", "> 0", "floor of the gate", GA__ABOVE(0) },
    { "sinks", GA_PARAMETER_INT, "1", "0..Nt", "leading tokens that are never screened", GA__FROM(0) },
    { .name = NULL },
};

static const ga_tensor_slot pattern_tensors[] = {
    { "prior", "(Nt, h0, w0) >= 0", "low-resolution map per token", .optional = false },
    { .name = NULL },
};
static const ga_tensor_slot tensors[] = {
    { "prior", "(Nt, h0, w0) >= 0", "low-resolution map per token", .optional = false },
    { "k_region", "(regions, H_kv, Nr, D)", "the region's own tokens; with v_region", .optional = true },
    { "v_region", "(regions, H_kv, Nr, Dv)", "their values; with k_region", .optional = true },
    { .name = NULL },
};

static void close_screen(ga_context *context, ga__screen *s)
{
    ga_free(context, s->starts[0]);
    ga_free(context, s->starts[1]);
    ga_free(context, s->cell[0]);
    ga_free(context, s->cell[1]);
    ga_free(context, s->gate);
    ga_free(context, s->kept);
}

/* Starts 0, s, 2 s, ... below L - R, then L - R. */
static ga_status make_starts(ga_context *context, ga__screen *s, int axis, int64_t region, int64_t stride)
{
    ga_status status = GA_OK;
    s->side[axis] = ga__min(region, s->shape[axis]);
    int64_t last = s->shape[axis] - s->side[axis];
    s->count[axis] = last / stride + (last % stride != 0) + 1;
    GA_TRY(GA_NEW(context, s->count[axis], &s->starts[axis]));
    for (int64_t i = 0; i < s->count[axis]; i++) {
        s->starts[axis][i] = i + 1 < s->count[axis] ? i * stride : last;
    }
done:
    return status;
}

/* Gates of every token on the low-resolution grid. */
static ga_status make_gates(ga__job *run, ga__screen *s)
{
    ga_status status = GA_OK;
    ga__view prior;
    int slot = ga__slot_find(run, "prior");
    const int64_t dims[] = { run->keys, -1, -1 };
    GA_TRY(ga__slot_fits(run, slot, false, 3, dims));
    GA_TRY(ga__view_of(run->context, "prior", run->slots[slot].given, true, &prior));
    s->tokens = run->keys;
    s->low[0] = prior.rows;
    s->low[1] = prior.columns;
    int64_t cells = s->low[0] * s->low[1], size = 0;
    if (cells == 0 || !ga__mul(cells, s->tokens, &size)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "prior: expected a map of at least 1 x 1 for every token"));
    }
    GA_TRY(GA_NEW(run->context, size, &s->gate));
    for (int64_t c = 0; c < s->tokens; c++) {
        double *gate = s->gate + c * cells, most = 0;
        for (int64_t i = 0; i < cells; i++) {
            gate[i] = ga__view_get(&prior, 0, c, i / s->low[1], i % s->low[1]);
            if (!(gate[i] >= 0) || isinf(gate[i])) {
                GA_TRY(ga__fail(run->context, GA_INVALID, "prior: found %g for token %lld, expected >= 0",
                                gate[i], (long long)c));
            }
            most = gate[i] > most ? gate[i] : most;
        }
        for (int64_t i = 0; i < cells; i++) {
            gate[i] = c < s->sinks ? 1 : most > 0 ? gate[i] / most : 0;
        }
    }
done:
    return status;
}

static double gate_at(const ga__screen *s, int64_t token, int64_t y, int64_t x)
{
    return s->gate[(token * s->low[0] + s->cell[0][y]) * s->low[1] + s->cell[1][x]];
}

/* cell[a][y] = floor(y low / shape) */
static ga_status make_cells(ga_context *context, ga__screen *s)
{
    ga_status status = GA_OK;
    for (int a = 0; a < 2; a++) {
        GA_TRY(GA_NEW(context, s->shape[a], &s->cell[a]));
        for (int64_t y = 0; y < s->shape[a]; y++) {
            s->cell[a][y] = y * s->low[a] / s->shape[a];
        }
    }
done:
    return status;
}

/* Asks every cell under the region once. */
static bool keeps(const ga__screen *s, int64_t region, int64_t token, double keep)
{
    int64_t top = s->starts[0][region / s->count[1]], left = s->starts[1][region % s->count[1]];
    for (int64_t y = top; y < top + s->side[0]; y++) {
        if (y > top && s->cell[0][y] == s->cell[0][y - 1]) {
            continue;
        }
        for (int64_t x = left; x < left + s->side[1]; x++) {
            if (gate_at(s, token, y, x) >= keep) {
                return true;
            }
        }
    }
    return token < s->sinks;
}

static ga_status read_sizes(ga__job *run, const ga__part *part, ga__screen *s)
{
    ga_status status = GA_OK;
    int64_t region[2], stride[2], shape[3];
    int axes = 0;
    GA_TRY(ga__grid_shape(run, part, run->queries, &axes, shape));
    if (axes != 2) {
        GA_TRY(ga__part_refuse(part, "shape", "2 axes, Hh,Ww"));
    }
    GA_TRY(ga__part_axes(part, "region", 2, region));
    GA_TRY(ga__part_axes(part, "stride", 2, stride));
    s->sinks = ga__part_value(part, "sinks")->integer;
    s->eps = ga__part_value(part, "eps")->real;
    if (s->sinks > run->keys) {
        GA_TRY(ga__part_refuse(part, "sinks", "0..%lld, the number of tokens", (long long)run->keys));
    }
    for (int a = 0; a < 2; a++) {
        s->shape[a] = shape[a];
        GA_TRY(make_starts(run->context, s, a, region[a], stride[a]));
    }
done:
    return status;
}

/* To be closed in any case. */
static ga_status open_screen(ga__job *run, const ga__part *part, ga__screen *s)
{
    ga_status status = GA_OK;
    int64_t size = 0;
    *s = (ga__screen){ .tokens = 0 };
    GA_TRY(read_sizes(run, part, s));
    GA_TRY(make_gates(run, s));
    if (s->low[0] > (1 << 30) || s->low[1] > (1 << 30) || s->shape[0] > (1 << 30) ||
        s->shape[1] > (1 << 30)) {
        GA_TRY(ga__fail(run->context, GA_LIMIT, "region: at most 2^30 rows and columns"));
    }
    GA_TRY(make_cells(run->context, s));
    if (!ga__mul(s->count[0] * s->count[1], s->tokens, &size)) {
        GA_TRY(ga__fail(run->context, GA_OVERFLOW, "region: too many regions"));
    }
    GA_TRY(GA_NEW(run->context, size, &s->kept));
    for (int64_t i = 0; i < size; i++) {
        s->kept[i] = keeps(s, i / s->tokens, i % s->tokens, ga__part_value(part, "keep")->real);
    }
done:
    return status;
}

/* ---- a pixel ---- */

typedef struct pixel {
    double *q, *k, *z, *v, *o; /* z: of the tokens, then of the region's own */
} pixel;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void add_value(const ga__view *v, int64_t b, int64_t g, int64_t row, double weight, const pixel *p)
{
    ga__view_load_f64(v, b, g, row, p->v);
    for (int64_t c = 0; c < v->columns; c++) {
        p->o[c] += weight * p->v[c];
    }
}

/* Adds the softmax output of one region to p->o. */
static void add_region(const ga__region *t, int64_t b, int64_t g, int64_t region, const pixel *p)
{
    const uint8_t *kept = t->s->kept + region * t->s->tokens;
    int64_t tokens = t->s->tokens;
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < t->own; j++) {
        ga__view_load_f64(&t->k_region, region, g, j, p->k);
        p->z[tokens + j] = t->scale * dot(t->q.columns, p->q, p->k);
    }
    for (int64_t j = 0; j < tokens + t->own; j++) {
        if (j >= tokens || kept[j]) {
            most = p->z[j] > most || isnan(p->z[j]) ? p->z[j] : most;
        }
    }
    for (int64_t j = 0; j < tokens + t->own; j++) {
        sum += j >= tokens || kept[j] ? exp(p->z[j] - most) : 0;
    }
    for (int64_t j = 0; j < tokens; j++) {
        if (kept[j]) {
            add_value(&t->v, b, g, j, exp(p->z[j] - most) / sum, p);
        }
    }
    for (int64_t j = 0; j < t->own; j++) {
        add_value(&t->v_region, region, g, j, exp(p->z[tokens + j] - most) / sum, p);
    }
}

static void do_pixel(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const ga__region *t = user;
    const ga__screen *s = t->s;
    int64_t y = r / s->shape[1], x = r % s->shape[1], g = h / t->group, d = t->q.columns, covering = 0;
    pixel p = { .q = room, .k = room + d, .z = room + 2 * d };
    p.v = p.z + s->tokens + t->own;
    p.o = p.v + t->v.columns;
    ga__view_load_f64(&t->q, b, h, r, p.q);
    for (int64_t j = 0; j < s->tokens; j++) {
        double gate = gate_at(s, j, y, x);
        ga__view_load_f64(&t->k, b, g, j, p.k);
        p.z[j] = t->scale * dot(d, p.q, p.k) + log(gate > s->eps ? gate : s->eps);
    }
    memset(p.o, 0, (size_t)t->v.columns * sizeof *p.o);
    for (int64_t i = 0; i < s->count[0] * s->count[1]; i++) {
        int64_t top = s->starts[0][i / s->count[1]], left = s->starts[1][i % s->count[1]];
        if (y >= top && y < top + s->side[0] && x >= left && x < left + s->side[1]) {
            add_region(t, b, g, i, &p);
            covering++;
        }
    }
    for (int64_t c = 0; c < t->v.columns; c++) {
        p.o[c] /= (double)covering; /* at least 1 */
    }
    ga__view_store_f64(&t->o, b, h, r, p.o);
}

static ga_status open_own_tokens(ga__job *run, const ga__screen *s, ga__region *t)
{
    ga_status status = GA_OK;
    int k = ga__slot_find(run, "k_region"), v = ga__slot_find(run, "v_region");
    if ((k < 0) != (v < 0)) {
        return ga__fail(run->context, GA_INVALID, "region needs both k_region and v_region, or none");
    }
    if (k < 0) {
        return GA_OK;
    }
    int64_t regions = s->count[0] * s->count[1];
    GA_TRY(ga__slot_fits(run, k, false, 4, (const int64_t[]){ regions, run->kv_heads, -1, run->dim }));
    GA_TRY(ga__slot_view(run, k, &t->k_region));
    t->own = t->k_region.rows;
    GA_TRY(ga__slot_fits(run, v, false, 4, (const int64_t[]){ regions, run->kv_heads, t->own, run->dim_v }));
    status = ga__slot_view(run, v, &t->v_region);
done:
    return status;
}

/* Regions of an axis that contain a row or column. */
static int64_t covering(const ga__screen *s, int axis, int64_t at)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->count[axis]; i++) {
        count += at >= s->starts[axis][i] && at < s->starts[axis][i] + s->side[axis];
    }
    return count;
}

int64_t ga__region_covering(const ga__screen *s, int64_t y, int64_t x)
{
    return covering(s, 0, y) * covering(s, 1, x);
}

static ga_status forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    ga__screen s;
    ga__region t = { .s = &s, .scale = run->scale };
    (void)outputs;
    GA_TRY(open_screen(run, &run->own, &s));
    GA_TRY(open_own_tokens(run, &s, &t));
    if (!run->o) {
        goto done;
    }
    t.group = ga__max(run->heads / ga__max(run->kv_heads, 1), 1);
    GA_TRY(ga__view_of(run->context, "q", run->scan.q, true, &t.q));
    GA_TRY(ga__view_of(run->context, "k", run->scan.k, true, &t.k));
    GA_TRY(ga__view_of(run->context, "v", run->scan.v, true, &t.v));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &t.o));
    bool mixed = t.own > 0 && (t.k.type != t.k_region.type || t.v.type != t.v_region.type);
    if (run->working.bits == 32 && !mixed && run->batch > 0 && run->heads > 0 && run->dim > 0 &&
        run->dim_v > 0) {
        GA_TRY(ga__region_tiles(run, &t));
        goto done;
    }
    int64_t room = 2 * run->dim + s.tokens + t.own + 2 * run->dim_v;
    status = ga__rows(run, run->batch, run->heads, run->queries, room, do_pixel, &t);
done:
    close_screen(run->context, &s);
    return status;
}

/* "kept" (regions, Nt) */
static ga_status make_kept(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__screen s;
    const DLDataType u8 = { .code = kDLUInt, .bits = 8, .lanes = 1 };
    (void)name;
    GA_TRY(open_screen(run, &run->own, &s));
    const int64_t shape[] = { s.count[0] * s.count[1], s.tokens };
    GA_TRY(ga_tensor_create(run->context, u8, 2, shape, out));
    memcpy((*out)->data, s.kept, (size_t)(shape[0] * shape[1]));
done:
    close_screen(run->context, &s);
    return status;
}

/* ---- the pattern, for those who ask for it: the tokens that some region of the pixel keeps ---- */

typedef struct lists {
    const ga__screen *s;
    int64_t count;
    int64_t *indices; /* NULL: only counted */
} lists;

static void list_tokens(lists *l, int64_t query)
{
    const ga__screen *s = l->s;
    int64_t y = query / s->shape[1], x = query % s->shape[1];
    for (int64_t j = 0; j < s->tokens; j++) {
        bool seen = false;
        for (int64_t i = 0; i < s->count[0] * s->count[1] && !seen; i++) {
            int64_t top = s->starts[0][i / s->count[1]], left = s->starts[1][i % s->count[1]];
            seen = y >= top && y < top + s->side[0] && x >= left && x < left + s->side[1] &&
                   s->kept[i * s->tokens + j];
        }
        if (seen && l->indices) {
            l->indices[l->count] = j;
        }
        l->count += seen;
    }
}

static ga_status make(ga__job *run, const ga__part *part)
{
    ga_status status = GA_OK;
    ga__screen s = { .tokens = 0 };
    int64_t *offsets = NULL, *indices = NULL;
    if (ga__slot_find(run, "q") >= 0) {
        return GA_OK; /* a call computes without it */
    }
    GA_TRY(open_screen(run, part, &s));
    lists counted = { .s = &s }, listed = { .s = &s };
    GA_TRY(GA_NEW(run->context, run->queries + 1, &offsets));
    for (int64_t i = 0; i < run->queries; i++) {
        offsets[i] = counted.count;
        list_tokens(&counted, i);
    }
    offsets[run->queries] = counted.count;
    GA_TRY(GA_NEW(run->context, counted.count + 1, &indices));
    listed.indices = indices;
    for (int64_t i = 0; i < run->queries; i++) {
        list_tokens(&listed, i);
    }
    status =
        ga_pattern_csr(run->context, run->queries, run->keys, offsets, indices, false, false, &run->pattern);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, indices);
    close_screen(run->context, &s);
    return status;
}

static const ga__pattern_entry row = {
    .name = "region", .parameters = parameters, .tensors = pattern_tensors, .can = GA_CAN_CROSS, .make = make
};

static const ga__variant_ops ops = { .engine = GA__ENGINE_OWN,
                                     .pattern = &row,
                                     .normaliser = &ga__softmax_row,
                                     .own_forward = forward,
                                     .output = make_kept };

const ga_variant ga__region_variant = {
    .name = "region",
    .summary = "overlapping regions with text tokens screened by a prior map, averaged",
    .source = "C-Upscale, 2505.16976 (operator ours)",
    .family = "static",
    .plan =
        "pattern: dense query x kept tokens per region; score: scaled dot + ln(gate); normaliser: softmax per "
        "region; post: mean over covering regions",
    .outputs = "o, kept",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CROSS | GA_CAN_GROUP,
    .causality = { .rows = GA_ROWS_UNKNOWN, .sets = GA_SETS_TWO },
    .ops = &ops,
};
