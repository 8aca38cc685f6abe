/* scan_body.h - the forward pass in single precision.
 *
 * A chunk of n tokens at once. With G the running sum of log decays from the chunk's start and rows i >= j
 *   A_ij = sum_c q_ic k_jc exp(G_ic - G_jc),   T_ij = sum_c k_ic k_jc exp(G_ic - G_jc)  (i > j)
 *   u_i  = v_i, or by the delta rule beta_i (v_i - (k_i exp G_i) S - sum_{j<i} T_ij u_j)
 *   O    = (Q exp G) S + A U,   S' = exp(G_last) S + (K exp(G_last - G))' U
 * Only products of factors exp(g) <= 1 are formed, never exp of a difference: a reset (factor 0) needs no
 * care. Keys of earlier blocks of four tokens are carried decayed to the start of the current block, so
 * that a block multiplies them once. The exclusive read takes exp(G_{i-1}) for queries, and q_i . (bonus *
 * k_i) on the diagonal.
 *
 * A slow decay acts through 1 - exp(g), which exp(g) in single precision has lost most of. One number for
 * all channels is kept beside the state, which stands for gamma S, in double precision: queries take
 * gamma, keys 1 / gamma, and only when gamma falls below one half the state itself is multiplied. With a
 * number per channel the state is multiplied by keep + rest, keep 1 and rest = expm1 of the sum where the
 * product is above one half, else keep 0 and rest the product.
 *
 * Four tokens a chunk, the usual case, take a way of their own through the same algebra: scan_block.h.
 *
 * The state is kept in groups of GW columns: group, row, column. Each column of S and each query row takes
 * part in sums of its own, in an order that depends on the chunk alone.
 */
#include "lib/engine/scan_attention/scan_ahead.h"
#include "lib/engine/scan_attention/scan_block.h"
#include "lib/engine/scan_attention/scan_chunk.h"
#include "lib/engine/scan_attention/scan_sweep.h"

/* ---- a chunk on one group of columns ---- */

static void read_all(const float *state, int64_t d, const float *q, int64_t rows, int64_t dp, float *out,
                     int64_t stride)
{
    if (rows == 1) {
        sweep_read(state, d, q, dp, out, stride, 1);
        return;
    }
    for (int64_t r = 0; r < rows; r += 4) {
        sweep_read(state, d, q + r * dp, dp, out + r * stride, stride, 4);
    }
}

/* u_i <- beta_i (u_i - y_i - sum_{j<i} T_ij u_j), y = (k exp G) S standing in out. */
static void solve(const scan_space *s, int64_t count, int64_t ts, float *u, const float *y, int64_t stride)
{
    for (int64_t i = 0; i < count; i++) {
        vf a = vf_sub(vf_load(u + i * stride), vf_load(y + i * stride));
        vf b = vf_sub(vf_load(u + i * stride + VF), vf_load(y + i * stride + VF));
        for (int64_t j = 0; j < i; j++) {
            vf t = vf_set(s->t[i * ts + j]);
            a = vf_fnma(t, vf_load(u + j * stride), a);
            b = vf_fnma(t, vf_load(u + j * stride + VF), b);
        }
        vf_store(u + i * stride, vf_mul(vf_set(s->beta[i]), a));
        vf_store(u + i * stride + VF, vf_mul(vf_set(s->beta[i]), b));
    }
}

/* out += A U, keys of later tokens left alone. */
static void mix(const scan_space *s, int64_t rows, int64_t ratio, int64_t as, const float *u, int64_t us,
                float *out, int64_t stride)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *a = s->a + r * as;
        vf x = vf_load(out + r * stride), y = vf_load(out + r * stride + VF);
        for (int64_t j = 0; j <= r / ratio; j++) {
            vf w = vf_set(a[j]);
            x = vf_fma(w, vf_load(u + j * us), x);
            y = vf_fma(w, vf_load(u + j * us + VF), y);
        }
        vf_store(out + r * stride, x);
        vf_store(out + r * stride + VF, y);
    }
}

static void apply_group(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t column)
{
    int64_t dp = s->dp, stride = p->columns, d = p->d, as = (p->chunk + 3) & ~(int64_t)3;
    float *state = s->state + column * dp, *out = s->out + column;
    const float *u = x->u + column;
    int64_t us = x->u_stride;
    int kind = s->kind;
    int64_t rows = x->rows;
    s->ahead = s->line + column / GW * d;
    if (p->delta) {
        read_all(state, d, s->read, x->count, dp, out, stride);
        solve(s, x->count, as, s->u + column, out, stride);
    }
    if (rows > 4 || x->count > 4) {
        read_all(state, d, s->q, rows, dp, out, stride);
        rows = 0;
    }
    if (x->count == 1) {
        both_one(state, d, s->q, rows, s->k, dp, u, us, out, stride, s, kind);
    } else if (x->count <= 4) {
        both_four(state, d, s->q, rows, s->k, dp, u, us, out, stride, s, kind);
    } else {
        update_all(state, d, s->k, dp, u, us, x->count, s, kind);
    }
    mix(s, x->rows, p->ratio, as, u, us, out, stride);
}

/* ---- in and out ---- */

/* Divides by the row sums and writes columns first .. first + count - 1 of the chunk's queries. */
static void store_rows(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t first, int64_t count)
{
    for (int64_t r = 0; r < x->rows; r++) {
        float *out = s->out + r * p->columns;
        if (p->normalise) {
            bool dead = fabs((double)s->divisor[r]) <= p->eps;
            float inverse = dead ? 0 : 1 / s->divisor[r];
            for (int64_t c = 0; c < count; c++) {
                out[c] = dead ? 0 : out[c] * inverse;
            }
        }
        void *row = ga__view_row(&p->o, x->b, x->g * p->ratio + r % p->ratio,
                                 x->first + r / p->ratio - ga__scan_offset(p));
        store_row(&p->o, row, first, count, out);
    }
}

static void load_state(const ga__scan_plan *p, scan_space *s, int64_t b, int64_t g, int64_t first,
                       int64_t count)
{
    memset(s->state, 0, (size_t)(s->dp * p->columns) * sizeof *s->state);
    fill(s->z, s->dp, 0);
    for (int64_t c = 0; p->initial.data && c < p->d; c++) {
        const void *row = ga__view_row(&p->initial, b, g, c);
        for (int64_t x = 0; x < count; x += GW) {
            load_row(s->state + x * s->dp + c * GW, row, p->initial.type, first + x, ga__min(GW, count - x),
                     GW, 1);
        }
        if (p->normalise) {
            s->z[c] = (float)ga__view_get(&p->initial, b, g, c, p->e);
        }
    }
}

static void store_state(const ga__scan_plan *p, scan_space *s, int64_t b, int64_t g, int64_t first,
                        int64_t count)
{
    for (int64_t c = 0; c < p->d; c++) {
        void *row = ga__view_row(&p->state, b, g, c);
        for (int64_t x = 0; s->gamma < 1 && x < p->columns; x++) {
            s->state[x / GW * GW * s->dp + c * GW + x % GW] *= (float)s->gamma;
        }
        for (int64_t x = 0; x < count; x += GW) {
            store_row(&p->state, row, first + x, ga__min(GW, count - x), s->state + x * s->dp + c * GW);
        }
        if (p->normalise && first == 0) {
            float z[VF] = { s->z[c] };
            store_row(&p->state, row, p->e, 1, z);
        }
    }
}

/* ---- an item ---- */

/* Queries that read the state as it is: without keys of their own, or because all read the final state. */
static void read_rows(const ga__scan_plan *p, scan_space *s, chunk *x, int64_t first, int64_t count)
{
    for (int64_t r = 0; r < x->rows; r++) {
        load_row(s->q + r * s->dp, query_row(p, x, r), p->q.type, 0, p->d, s->dp, (float)p->scale);
        s->divisor[r] = row_dot(s->q + r * s->dp, s->z, s->dp);
    }
    clear_tail(s->q, x->rows, s->dp);
    for (int64_t c = 0; c < p->columns; c += GW) {
        read_all(s->state + c * s->dp, p->d, s->q, x->rows, s->dp, s->out + c, p->columns);
    }
    store_rows(p, s, x, first, count);
}

static void read_span(const ga__scan_plan *p, scan_space *s, chunk x, int64_t from, int64_t to, int64_t first,
                      int64_t count, ga_context *context, int *shared)
{
    for (int64_t i = from; i < to && !((i - from) % 256 == 0 && ga__stopped(context, shared)); i += x.count) {
        x.count = ga__min(ga__min(p->chunk, to - i), 256 - (i - from) % 256);
        x.first = i + ga__scan_offset(p);
        x.rows = x.count * p->ratio;
        read_rows(p, s, &x, first, count);
    }
}

/* Values of single precision that fill the columns are read where they lie. */
static void load_values(const ga__scan_plan *p, scan_space *s, chunk *x, int64_t first, int64_t count)
{
    bool whole = x->count == 1 || x->count % 4 == 0;
    if (!p->delta && p->v.type == GA__F32 && count == p->columns && whole) {
        x->u = (const float *)ga__view_row(&p->v, x->b, x->g, x->first) + first;
        x->u_stride = p->v.stride_row;
        return;
    }
    for (int64_t i = 0; i < x->count; i++) {
        const void *row = ga__view_row(&p->v, x->b, x->g, x->first + i);
        load_row(s->u + i * p->columns, row, p->v.type, first, count, p->columns, 1);
    }
    clear_tail(s->u, x->count, p->columns);
    x->u = s->u;
    x->u_stride = p->columns;
}

static bool advance(const ga__scan_plan *p, scan_space *s, chunk *x, int64_t first, int64_t count)
{
    bool good = prepare(p, s, x);
    load_values(p, s, x, first, count);
    for (int64_t c = 0; c < p->columns; c += GW) {
        apply_group(p, s, x, c);
    }
    if (x->read) {
        store_rows(p, s, x, first, count);
    }
    return good;
}

/* A reset of all channels by one number: nothing of the state is left, not even what is not a number. */
static bool is_reset(const ga__scan_plan *p, const scan_space *s, const chunk *x, int64_t t)
{
    if (p->decay_kind == GA__DECAY_TOKEN) {
        return p->decay.type == GA__F32
                   ? *(const float *)ga__view_row(&p->decay, x->b, x->g, t) < (float)GA__SCAN_RESET
                   : ga__view_get(&p->decay, x->b, x->g, t, 0) < GA__SCAN_RESET;
    }
    return s->one_factor[0] == 0;
}

/* Tokens of the next chunk, which starts with a reset or has none. */
static int64_t count_of(const ga__scan_plan *p, scan_space *s, const chunk *x, int64_t most)
{
    int64_t count = ga__min(1, most);
    if (p->decay_kind == GA__DECAY_NONE || p->decay_kind == GA__DECAY_VECTOR || p->bonus.data) {
        return most;
    }
    if (is_reset(p, s, x, x->first)) {
        memset(s->state, 0, (size_t)(s->dp * p->columns) * sizeof *s->state);
        fill(s->z, s->dp, 0);
        s->gamma = 1;
    }
    while (count < most && !is_reset(p, s, x, x->first + count)) {
        count++;
    }
    return count;
}

static void forward(const ga__scan_plan *p, int64_t item, void *memory, ga_context *context, int *shared)
{
    scan_space s = { 0 };
    int64_t bytes, tiles = ga__max(1, (p->e + p->columns - 1) / p->columns);
    int64_t first = item % tiles * p->columns, count = ga__min(p->columns, p->e - first);
    int64_t offset = ga__scan_offset(p);
    chunk x = { .b = item / tiles / p->groups, .g = item / tiles % p->groups };
    bool wanted = p->o.data != NULL, blocks = in_blocks(p), good = true;
    (void)carve(p, &s, memory, &bytes);
    s.gamma = 1;
    fill(s.age, 4, 1);
    load_state(p, &s, x.b, x.g, first, count);
    if (p->bonus.data) {
        load_row(s.bonus, ga__view_row(&p->bonus, 0, 0, x.g), p->bonus.type, 0, p->d, s.dp, 1);
    }
    if (p->decay_kind == GA__DECAY_HEAD) {
        load_number(p, &s, x.g);
    }
    if (wanted && p->causal) {
        read_span(p, &s, x, 0, ga__min(p->queries, -offset), first, count, context, shared);
    }
    if (blocks) {
        block_open(p, &s);
    }
    note_lines(p, &s, &x, first, count);
    int64_t turns = 0;
    for (int64_t t = 0; t < p->keys && good; t += x.count, turns++) {
        if (turns % 16 == 0 && ga__stopped(context, shared)) {
            return;
        }
        x.read = wanted && p->causal && t >= offset;
        x.first = t;
        x.count =
            count_of(p, &s, &x, ga__min(p->chunk, (t < offset ? ga__min(offset, p->keys) : p->keys) - t));
        x.rows = x.read ? x.count * p->ratio : 0;
        move_lines(&s, t);
        good = blocks ? block_advance(p, &s, &x, first, count) : advance(p, &s, &x, first, count);
    }
    if (!good) {
        ga__note_status(shared, GA_INVALID);
        return;
    }
    if (wanted && !p->causal) {
        read_span(p, &s, x, 0, p->queries, first, count, context, shared);
    }
    if (blocks) {
        block_close(p, &s);
    }
    if (p->state.data) {
        store_state(p, &s, x.b, x.g, first, count);
    }
}
