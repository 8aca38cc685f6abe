/* check_scan_case.c - making recurrences, and the formula they are compared with. */
#include "config.h"

#include "tests/unit/check_scan.h"

#include "lib/engine/view.h"

/* ---- tensors ---- */

static void describe(scan_tensor *t, scan_type type)
{
    static const DLDataType types[] = {
        { kDLFloat, 32, 1 }, { kDLFloat, 64, 1 }, { kDLBfloat, 16, 1 }, { kDLFloat, 16, 1 }
    };
    t->tensor = (DLTensor){ .data = t->data,
                            .device = { kDLCPU, 0 },
                            .ndim = t->tensor.ndim,
                            .dtype = types[type],
                            .shape = t->shape };
}

static void put(scan_tensor *t, int64_t i, scan_type type, double value)
{
    switch (type) {
    case TYPE_F32: ((float *)t->data)[i] = (float)value; break;
    case TYPE_F64: ((double *)t->data)[i] = value; break;
    case TYPE_BF16: ((uint16_t *)t->data)[i] = ga__to_bf16((float)value); break;
    default: ((uint16_t *)t->data)[i] = ga__to_f16((float)value); break;
    }
}

void scan_tensor_make(scan_tensor *t, int ndim, const int64_t shape[4], scan_type type)
{
    *t = (scan_tensor){ .count = 1 };
    t->tensor.ndim = ndim;
    for (int i = 0; i < ndim; i++) {
        t->shape[i] = shape[i];
        t->count *= shape[i];
    }
    t->data = malloc((size_t)t->count * 8 + 8);
    ck_assert_ptr_nonnull(t->data);
    describe(t, type);
    for (int64_t i = 0; i < t->count; i++) {
        put(t, i, type, NAN);
    }
}

void scan_tensor_free(scan_tensor *t)
{
    free(t->data);
    free(t->value);
    *t = (scan_tensor){ .count = 0 };
}

double scan_tensor_at(const scan_tensor *t, int64_t i)
{
    return t->tensor.dtype.bits == 64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* ---- cases ---- */

static double grid(double x)
{
    return nearbyint(x * 64) / 64;
}

static double draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-52 - 1;
}

static void give(scan_case *c, int which, int ndim, int64_t s0, int64_t s1, int64_t s2, int64_t s3)
{
    scan_tensor_make(&c->input[which], ndim, (int64_t[]){ s0, s1, s2, s3 }, TYPE_F64);
    c->input[which].value = calloc((size_t)c->input[which].count + 1, sizeof(double));
    ck_assert_ptr_nonnull(c->input[which].value);
}

static void randomise(scan_case *c, int which, double low, double high, uint64_t *seed)
{
    scan_tensor *t = &c->input[which];
    for (int64_t i = 0; t->value && i < t->count; i++) {
        t->value[i] = grid(low + (high - low) * (draw(seed) + 1) / 2);
    }
}

scan_case *scan_case_new(ga__scan_shape s, scan_choice choice, uint64_t seed)
{
    scan_case *c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    c->shape = s;
    c->decay = choice.decay;
    c->problem = (ga_scan)GA_SCAN_INIT;
    c->problem.rule = choice.delta ? GA_SCAN_DELTA : GA_SCAN_ADD;
    c->problem.causal = !choice.full;
    c->problem.normalise = choice.normalise;
    c->problem.scale = 0.5;
    give(c, Q, 4, s.batch, s.heads, s.queries, s.d);
    give(c, K, 4, s.batch, s.groups, s.keys, s.d);
    give(c, V, 4, s.batch, s.groups, s.keys, s.e);
    if (choice.decay == DECAY_HEAD) {
        give(c, G, 1, s.groups, 0, 0, 0);
    } else if (choice.decay != DECAY_NONE) {
        give(c, G, 4, s.batch, s.groups, s.keys, choice.decay == DECAY_TOKEN ? 1 : s.d);
    }
    if (choice.delta) {
        give(c, BETA, 3, s.batch, s.groups, s.keys, 0);
    }
    if (choice.bonus) {
        give(c, BONUS, 2, s.groups, s.d, 0, 0);
    }
    if (choice.first) {
        give(c, FIRST, 4, s.batch, s.groups, s.d, s.e + choice.normalise);
    }
    double length = 1 / sqrt((double)s.d / 3 + 1e-9);
    bool positive = choice.normalise; /* row sums away from 0 */
    randomise(c, Q, positive ? 0.1 : -1, 1, &seed);
    randomise(c, K, positive ? 0.1 : -length, positive ? 1 : length, &seed);
    randomise(c, V, -1, 1, &seed);
    randomise(c, G, -1, 0, &seed);
    randomise(c, BETA, 0, choice.normalise ? 0.1 : 1, &seed);
    randomise(c, BONUS, 0, 1, &seed);
    randomise(c, FIRST, positive ? 0.1 : -1, 1, &seed);
    scan_case_store(c, TYPE_F32);
    return c;
}

void scan_case_store(scan_case *c, scan_type type)
{
    const DLTensor **slot[] = { &c->problem.q,
                                &c->problem.k,
                                &c->problem.v,
                                &c->problem.log_decay,
                                &c->problem.beta,
                                &c->problem.bonus,
                                &c->problem.initial_state };
    for (int which = 0; which < INPUTS; which++) {
        scan_tensor *t = &c->input[which];
        *slot[which] = t->value ? &t->tensor : NULL;
        if (t->value) {
            describe(t, type);
            for (int64_t i = 0; i < t->count; i++) {
                put(t, i, type, t->value[i]);
            }
        }
    }
}

void scan_case_free(scan_case *c)
{
    for (int which = 0; which < INPUTS; which++) {
        scan_tensor_free(&c->input[which]);
    }
    free(c);
}

int64_t scan_o_count(const scan_case *c)
{
    return c->shape.batch * c->shape.heads * c->shape.queries * c->shape.e;
}

int64_t scan_state_count(const scan_case *c)
{
    return c->shape.batch * c->shape.groups * c->shape.d * (c->shape.e + c->problem.normalise);
}

void scan_o_make(const scan_case *c, scan_tensor *o, scan_type type)
{
    scan_tensor_make(o, 4, (int64_t[]){ c->shape.batch, c->shape.heads, c->shape.queries, c->shape.e }, type);
}

void scan_state_make(const scan_case *c, scan_tensor *state, scan_type type)
{
    int64_t width = c->shape.e + c->problem.normalise;
    scan_tensor_make(state, 4, (int64_t[]){ c->shape.batch, c->shape.groups, c->shape.d, width }, type);
}

/* ---- the formula ---- */

typedef struct place {
    const scan_case *c;
    int64_t b, g, width;
    double *s; /* d x width */
} place;

static double decay_at(const place *at, int64_t t, int64_t i)
{
    const scan_case *c = at->c;
    int64_t token = (at->b * c->shape.groups + at->g) * c->shape.keys + t;
    switch (c->decay) {
    case DECAY_NONE: return 0;
    case DECAY_HEAD: return c->input[G].value[at->g];
    case DECAY_TOKEN: return c->input[G].value[token];
    default: return c->input[G].value[token * c->shape.d + i];
    }
}

static double value_at(const place *at, int64_t t, int64_t x)
{
    const ga__scan_shape *s = &at->c->shape;
    return x == s->e ? 1 : at->c->input[V].value[((at->b * s->groups + at->g) * s->keys + t) * s->e + x];
}

static void formula_update(const place *at, int64_t t)
{
    const ga__scan_shape *s = &at->c->shape;
    int64_t token = (at->b * s->groups + at->g) * s->keys + t;
    const double *k = at->c->input[K].value + token * s->d;
    for (int64_t x = 0; x < at->width; x++) {
        double u = value_at(at, t, x);
        for (int64_t i = 0; i < s->d; i++) {
            at->s[i * at->width + x] *= exp(decay_at(at, t, i));
        }
        if (at->c->problem.rule == GA_SCAN_DELTA) {
            for (int64_t i = 0; i < s->d; i++) {
                u -= at->s[i * at->width + x] * k[i];
            }
            u *= at->c->input[BETA].value[token];
        }
        for (int64_t i = 0; i < s->d; i++) {
            at->s[i * at->width + x] += k[i] * u;
        }
    }
}

/* Query row `row` reads the state, and the bonus of token t when that is not negative. */
static void formula_read(const place *at, int64_t row, int64_t t, double *o)
{
    const ga__scan_shape *s = &at->c->shape;
    const double *u = at->c->input[BONUS].value;
    int64_t ratio = s->heads / s->groups;
    for (int64_t h = at->g * ratio; h < (at->g + 1) * ratio; h++) {
        int64_t place_of_row = (at->b * s->heads + h) * s->queries + row;
        const double *q = at->c->input[Q].value + place_of_row * s->d;
        double sums[512] = { 0 };
        for (int64_t x = 0; x < at->width; x++) {
            for (int64_t i = 0; i < s->d; i++) {
                double state = at->s[i * at->width + x];
                if (u && t >= 0) {
                    int64_t token = (at->b * s->groups + at->g) * s->keys + t;
                    state +=
                        u[at->g * s->d + i] * at->c->input[K].value[token * s->d + i] * value_at(at, t, x);
                }
                sums[x] += at->c->problem.scale * q[i] * state;
            }
        }
        for (int64_t x = 0; x < s->e; x++) {
            double den = at->c->problem.normalise ? sums[s->e] : 1;
            o[place_of_row * s->e + x] =
                fabs(den) <= at->c->problem.eps && at->c->problem.normalise ? 0 : sums[x] / den;
        }
    }
}

static void formula_head(place *at, double *o)
{
    const ga__scan_shape *s = &at->c->shape;
    int64_t offset = s->keys - s->queries;
    bool exclusive = at->c->input[BONUS].value != NULL, causal = at->c->problem.causal;
    for (int64_t row = 0; causal && row < s->queries && row + offset < 0; row++) {
        formula_read(at, row, -1, o);
    }
    for (int64_t t = 0; t < s->keys; t++) {
        if (exclusive && t >= offset) {
            formula_read(at, t - offset, t, o);
        }
        formula_update(at, t);
        if (!exclusive && causal && t >= offset) {
            formula_read(at, t - offset, -1, o);
        }
    }
    for (int64_t row = 0; !causal && row < s->queries; row++) {
        formula_read(at, row, -1, o);
    }
}

void scan_formula(const scan_case *c, double *o, double *state)
{
    int64_t width = c->shape.e + c->problem.normalise;
    for (int64_t head = 0; head < c->shape.batch * c->shape.groups; head++) {
        place at = { c, head / c->shape.groups, head % c->shape.groups, width,
                     state + head * c->shape.d * width };
        for (int64_t i = 0; i < c->shape.d * width; i++) {
            at.s[i] = c->input[FIRST].value ? c->input[FIRST].value[head * c->shape.d * width + i] : 0;
        }
        formula_head(&at, o);
    }
}

double scan_distance(const scan_tensor *got, const double *want)
{
    double most = 0;
    for (int64_t i = 0; i < got->count; i++) {
        double found = scan_tensor_at(got, i), gap = fabs(found - want[i]) / (1 + fabs(want[i]));
        if (isnan(found) && isnan(want[i])) {
            continue;
        }
        most = gap <= most ? most : isnan(gap) ? INFINITY : gap;
    }
    return most;
}

double scan_gap(ga_context *context, const scan_case *c, scan_type out)
{
    scan_tensor o, state;
    double *want_o = calloc((size_t)scan_o_count(c) + 1, sizeof(double));
    double *want_state = calloc((size_t)scan_state_count(c) + 1, sizeof(double));
    scan_o_make(c, &o, out);
    scan_state_make(c, &state, out);
    test_ok(context, ga_scan_forward(context, &c->problem, &o.tensor, &state.tensor));
    scan_formula(c, want_o, want_state);
    double a = scan_distance(&o, want_o), b = scan_distance(&state, want_state);
    scan_tensor_free(&o);
    scan_tensor_free(&state);
    free(want_o);
    free(want_state);
    return a > b ? a : b;
}
