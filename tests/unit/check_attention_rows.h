/* check_attention_rows.h - random attention problems in double precision, and what they come to by the
 * formulas with whole matrices: the real keys, then the extra keys, then the ghosts are the columns. */
#ifndef TESTS_CHECK_ATTENTION_ROWS_H
#define TESTS_CHECK_ATTENTION_ROWS_H

#include <math.h>

#include <graphattn/engine.h>

#include "lib/engine/view.h"
#include "support.h"

enum { MOST_QUERIES = 72, MOST_COLUMNS = 80, NORMALISERS = GA_P_LAPLACIAN };

/* LONG: a window again, with more queries than threads take at once. */
typedef enum shape_kind {
    FULL,
    CAUSAL,
    WINDOW,
    LISTS,
    BLOCKS,
    GHOSTS,
    OWN_GHOSTS,
    SHAPES,
    LONG = SHAPES
} shape_kind;

typedef struct array {
    DLTensor tensor;
    int64_t shape[4], count;
    double *data;
} array;

typedef struct sample {
    shape_kind kind;
    int64_t batch, heads, groups, queries, keys, dim, dim_v, extra, ghosts, columns;
    bool sees[4][MOST_QUERIES][MOST_COLUMNS];
    int edge[MOST_QUERIES][MOST_COLUMNS], cell[MOST_QUERIES][MOST_COLUMNS]; /* -1: none */
    ga_pattern *pattern;
    array q, k, v, k_extra, v_extra, ghost_k, ghost_v, bias, table, edge_bias, slopes, eta, head_scale,
        grad_o;
    ga_attention problem;
} sample;

static ga__random stream;

static inline double draw(void)
{
    return 2 * ga__random_unit(&stream) - 1;
}

static inline array array_make(int ndim, int64_t a, int64_t b, int64_t c, int64_t d)
{
    array x = { .shape = { a, b, c, d }, .count = 1 };
    for (int i = 0; i < ndim; i++) {
        x.count *= x.shape[i];
    }
    x.data = malloc((size_t)(x.count + 1) * sizeof *x.data);
    ck_assert_ptr_nonnull(x.data);
    for (int64_t i = 0; i < x.count; i++) {
        x.data[i] = draw();
    }
    x.tensor = (DLTensor){ .device = { kDLCPU, 0 }, .ndim = ndim, .dtype = { kDLFloat, 64, 1 } };
    return x;
}

/* The descriptor, pointing to where the array is now; NULL for an array that was not made. */
static inline DLTensor *tensor_of(array *x)
{
    x->tensor.data = x->data;
    x->tensor.shape = x->shape;
    return x->data ? &x->tensor : NULL;
}

/* ---- patterns ---- */

static inline bool has_ghosts(shape_kind kind)
{
    return kind == GHOSTS || kind == OWN_GHOSTS;
}

static inline bool is_window(shape_kind kind)
{
    return kind == WINDOW || kind == LONG;
}

/* Queries 4 and 5 see nothing. */
static inline bool block_visible(void *user, int64_t head, int64_t bq, int64_t bk)
{
    (void)user;
    return bq < 2 && (head + 2 * bq + bk) % 3 != 0;
}

/* Where a column of GHOSTS or OWN_GHOSTS stands on the line of keys: ghosts before and behind them, or
 * behind alone. */
static inline int64_t position(const sample *s, int64_t c)
{
    return s->kind == GHOSTS && c >= s->keys ? (c < s->keys + 2 ? c - s->keys - 2 : s->keys) : c;
}

static inline bool definition(const sample *s, int64_t h, int64_t i, int64_t c)
{
    int64_t p = i + s->keys - s->queries;
    switch (s->kind) {
    case FULL: return true;
    case CAUSAL: return c <= p;
    case WINDOW:
    case LONG: return c >= s->keys || (c >= p - 2 && c <= p + 1);
    case LISTS: return i != 2 && (5 * i + 3 * c) % 7 < 3;
    case BLOCKS: return block_visible(NULL, h, i / 2, c / 3);
    case GHOSTS: return position(s, c) >= i / 5 * 5 - 2 && position(s, c) < i / 5 * 5 + 6;
    case OWN_GHOSTS: break;
    }
    return c / 4 == i / 4;
}

static inline void make_lists(ga_context *context, sample *s)
{
    int64_t offsets[17] = { 0 }, indices[256], count = 0;
    for (int64_t i = 0; i < s->queries; i++) {
        for (int64_t step = 0; step < s->keys;
             step++) { /* a scrambled order: 5 and the number of keys are coprime */
            int64_t j = (3 + 5 * step) % s->keys;
            if (s->sees[0][i][j]) {
                s->edge[i][j] = (int)count;
                indices[count++] = j;
            }
        }
        offsets[i + 1] = count;
    }
    test_ok(context,
            ga_pattern_csr(context, s->queries, s->keys, offsets, indices, false, false, &s->pattern));
}

static inline void make_pattern(ga_context *context, sample *s)
{
    ga_product_options product = { .axes = 1, .axis = { GA_AXIS_INIT }, .extra = s->extra };
    ga_axis *axis = &product.axis[0];
    axis->query_length = s->queries;
    axis->key_length = s->keys;
    if (s->kind == FULL || s->kind == CAUSAL) {
        test_ok(context, ga_pattern_full(context, s->queries, s->keys, s->kind == CAUSAL, &s->pattern));
    } else if (s->kind == LISTS) {
        make_lists(context, s);
    } else if (s->kind == BLOCKS) {
        test_ok(context, ga_pattern_blocks(context, s->heads, s->queries, s->keys, 2, 3, block_visible, NULL,
                                           false, &s->pattern));
    } else if (is_window(s->kind)) {
        axis->rule = GA_AXIS_SPAN;
        axis->left = 2;
        axis->right = 1;
        test_ok(context, ga_pattern_product(context, &product, &s->pattern));
    } else {
        axis->rule = s->kind == GHOSTS ? GA_AXIS_HALO : GA_AXIS_BLOCK;
        axis->border = s->kind == GHOSTS ? GA_BORDER_GHOST : GA_BORDER_BIAS;
        axis->stride = 5;
        axis->left = s->kind == GHOSTS ? 2 : 0; /* where the first window of BLOCK starts */
        axis->right = 1;
        axis->window = 4;
        test_ok(context, ga_pattern_product(context, &product, &s->pattern));
    }
}

static inline void define_pattern(ga_context *context, sample *s)
{
    for (int64_t i = 0; i < s->queries; i++) {
        for (int64_t c = 0; c < s->columns; c++) {
            int64_t p = i + s->keys - s->queries;
            s->edge[i][c] = -1;
            s->cell[i][c] = -1;
            for (int64_t h = 0; h < s->heads; h++) {
                s->sees[h][i][c] = definition(s, h, i, c);
            }
            if (is_window(s->kind) && c < s->keys && s->sees[0][i][c]) {
                s->cell[i][c] = (int)(c - p + 2);
            } else if (has_ghosts(s->kind)) {
                s->cell[i][c] = (int)(position(s, c) - i + (s->kind == GHOSTS ? 6 : 3));
            }
        }
    }
    make_pattern(context, s);
}

/* ---- problems ---- */

static inline void add_bias_tensors(sample *s, int flavour)
{
    bool shared = flavour == 2;
    ga_score *score = &s->problem.score;
    s->bias = array_make(3, shared ? 1 : s->heads, s->queries, s->keys, 0);
    s->slopes = array_make(1, s->heads, 0, 0, 0);
    s->head_scale = array_make(1, s->heads, 0, 0, 0);
    score->softcap = 1.5;
    if (is_window(s->kind) || has_ghosts(s->kind)) {
        int64_t cells = is_window(s->kind) ? 4 : s->kind == GHOSTS ? 12 : 7;
        s->table = array_make(2, shared ? 1 : s->heads, cells, 0, 0);
    }
    if (s->kind == LISTS) {
        int64_t edges = ga_pattern_nonzeros(s->pattern, 0);
        s->edge_bias = shared ? array_make(1, edges, 0, 0, 0) : array_make(2, s->heads, edges, 0, 0);
    }
}

/* Sets the pointers of the problem to the arrays; needed where the sample was moved or arrays were
 * replaced. */
static inline ga_attention *sample_problem(sample *s)
{
    ga_attention *p = &s->problem;
    p->q = tensor_of(&s->q);
    p->k = tensor_of(&s->k);
    p->v = tensor_of(&s->v);
    p->pattern = s->pattern;
    p->score.bias = tensor_of(&s->bias);
    p->score.table = tensor_of(&s->table);
    p->score.edge_bias = tensor_of(&s->edge_bias);
    p->score.slopes = tensor_of(&s->slopes);
    p->normaliser.eta_logits = tensor_of(&s->eta);
    p->k_extra = tensor_of(&s->k_extra);
    p->v_extra = tensor_of(&s->v_extra);
    p->ghost_k = tensor_of(&s->ghost_k);
    p->ghost_v = tensor_of(&s->ghost_v);
    p->head_scale = tensor_of(&s->head_scale);
    return p;
}

static inline void sample_normaliser(sample *s, ga_normaliser_kind kind, int flavour)
{
    ga_normaliser *n = &s->problem.normaliser;
    n->kind = kind;
    n->bias = kind == GA_SIGMOID ? 0.3 : 0;
    n->bias_mode = (ga_bias_mode)flavour;
    n->length_scale = flavour != 1;
    n->power = flavour == 1 ? 1.5 : 3;
    n->eps = kind == GA_RELU_L1 && flavour == 1 ? 1.5 : 1e-5;
    n->eta = (ga_eta)flavour;
    if (kind == GA_NORM_ATTENTION) {
        s->eta = array_make(3, s->batch, s->heads, s->queries, 0);
    }
}

/* flavour 0: products alone; 1: with every bias, per head; 2: shared by the heads. Returns false where
 * ghosts would meet another normaliser than softmax. */
static inline bool sample_make(ga_context *context, shape_kind kind, ga_normaliser_kind normaliser,
                               int flavour, sample *s)
{
    static const int64_t queries[] = { 5, 9, 6, 7, 6, 10, 10, 70 }, keys[] = { 8, 6, 9, 8, 9, 10, 10, 75 };
    memset(s, 0, sizeof *s);
    if (has_ghosts(kind) && normaliser != GA_SOFTMAX) {
        return false;
    }
    stream = ga__random_at(1, GA__RANDOM_TEST, (uint64_t)(kind * 100 + (int)normaliser * 10 + flavour));
    s->problem = (ga_attention)GA_ATTENTION_INIT;
    s->problem.score.scale = 0.9;
    s->kind = kind;
    s->batch = 2;
    s->heads = kind == LONG ? 2 : 4;
    s->groups = kind == LONG ? 1 : 2;
    s->queries = queries[kind];
    s->keys = keys[kind];
    s->dim = 3;
    s->dim_v = 5;
    s->extra = is_window(kind) ? 2 : 0;
    s->ghosts = kind == GHOSTS ? 3 : kind == OWN_GHOSTS ? 2 : 0;
    s->columns = s->keys + s->extra + s->ghosts;
    define_pattern(context, s);
    s->q = array_make(4, s->batch, s->heads, s->queries, s->dim);
    s->k = array_make(4, s->batch, s->groups, s->keys, s->dim);
    s->v = array_make(4, s->batch, s->groups, s->keys, s->dim_v);
    s->grad_o = array_make(4, s->batch, s->heads, s->queries, s->dim_v);
    if (s->extra > 0) {
        s->k_extra = array_make(4, s->batch, s->groups, s->extra, s->dim);
        s->v_extra = array_make(4, s->batch, s->groups, s->extra, s->dim_v);
    }
    if (kind == OWN_GHOSTS) {
        s->ghost_k = array_make(2, s->heads, s->dim, 0, 0);
        s->ghost_v = array_make(2, s->heads, s->dim_v, 0, 0);
    }
    if (flavour > 0) {
        add_bias_tensors(s, flavour);
    }
    sample_normaliser(s, normaliser, flavour);
    (void)sample_problem(s);
    return true;
}

static inline void sample_done(ga_context *context, sample *s)
{
    array *const all[] = { &s->q,       &s->k,       &s->v,          &s->k_extra, &s->v_extra,
                           &s->ghost_k, &s->ghost_v, &s->bias,       &s->table,   &s->edge_bias,
                           &s->slopes,  &s->eta,     &s->head_scale, &s->grad_o };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]->data);
        all[i]->data = NULL;
    }
    ga_pattern_destroy(context, s->pattern);
    s->pattern = NULL;
}

/* ---- the formulas ---- */

static inline const double *column_of(const array *real, const array *extra, const array *ghost,
                                      const sample *s, int64_t b, int64_t h, int64_t c, int64_t width)
{
    static const double zeros[8];
    int64_t slice = b * s->groups + h / (s->heads / s->groups);
    return c < s->keys              ? real->data + (slice * s->keys + c) * width
           : c < s->keys + s->extra ? extra->data + (slice * s->extra + c - s->keys) * width
           : s->kind == OWN_GHOSTS  ? ghost->data + h * width
                                    : zeros;
}

static inline double score_of(const sample *s, int64_t b, int64_t h, int64_t i, int64_t c)
{
    const ga_score *score = &s->problem.score;
    const double *q = s->q.data + ((b * s->heads + h) * s->queries + i) * s->dim;
    const double *k = column_of(&s->k, &s->k_extra, &s->ghost_k, s, b, h, c, s->dim);
    double z = 0;
    for (int64_t x = 0; x < s->dim; x++) {
        z += q[x] * k[x];
    }
    z *= score->scale;
    z = score->softcap > 0 ? score->softcap * tanh(z / score->softcap) : z;
    bool real = c < s->keys;
    if (s->bias.data && real) {
        z += s->bias.data[((s->bias.shape[0] == 1 ? 0 : h) * s->queries + i) * s->keys + c];
    }
    if (s->table.data && s->cell[i][c] >= 0) {
        z += s->table.data[(s->table.shape[0] == 1 ? 0 : h) * s->table.shape[1] + s->cell[i][c]];
    }
    if (s->edge_bias.data) {
        z += s->edge_bias
                 .data[(s->edge_bias.tensor.ndim == 1 ? 0 : h * s->edge_bias.shape[1]) + s->edge[i][c]];
    }
    if (s->slopes.data && real) {
        z -= s->slopes.data[h] * fabs((double)(i + s->keys - s->queries - c));
    }
    return z;
}

/* The weights of composed.md from the n scores of what a row sees. */
static inline void formula_weights(const sample *s, int64_t n, const double *z, double logit, double *w)
{
    const ga_normaliser *norm = &s->problem.normaliser;
    double total = 0, most = 0, mean = 0;
    double factor = norm->length_scale ? log((double)s->dim) * log((double)n) : 1;
    double b = norm->bias_mode == GA_BIAS_LOG_N     ? -log((double)s->keys)
               : norm->bias_mode == GA_BIAS_LOG_ROW ? -log((double)n)
                                                    : 0;
    double eta = norm->eta == GA_ETA_EXP        ? exp(logit)
                 : norm->eta == GA_ETA_SOFTPLUS ? log(1 + exp(logit))
                                                : 1 / (1 + exp(-logit));
    for (int64_t t = 0; t < n; t++) {
        mean += z[t] / (double)n;
        w[t] = norm->kind == GA_SOFTMAX             ? exp(z[t])
               : norm->kind == GA_SIGMOID           ? 1 / (1 + exp(-(z[t] + norm->bias + b)))
               : norm->kind == GA_SOFTPLUS          ? log(1 + exp(factor * z[t]))
               : norm->kind == GA_SOFTPLUS_REWEIGHT ? log(1 + exp(factor * z[t]))
               : norm->kind == GA_RELU_L1           ? fmax(z[t], 0)
               : norm->kind == GA_NORM_ATTENTION    ? z[t] / eta
                                                    : z[t];
        total += w[t];
    }
    double again = 0;
    for (int64_t t = 0; t < n; t++) {
        if (norm->kind == GA_SOFTMAX || norm->kind == GA_SOFTPLUS || norm->kind == GA_SOFTPLUS_REWEIGHT) {
            w[t] /= total;
        } else if (norm->kind == GA_RELU_L1) {
            w[t] /= fmax(total, norm->eps);
        } else if (norm->kind == GA_INLINE) {
            w[t] += 1 / (double)n - mean;
        }
        if (norm->kind == GA_SOFTPLUS_REWEIGHT) {
            double y = fmax(0, (double)n * w[t] - (n > norm->free_rows ? norm->offset : 0));
            most = fmax(most, y);
            w[t] = pow(y, norm->power);
            again += w[t];
        }
    }
    for (int64_t t = 0; t < n && norm->kind == GA_SOFTPLUS_REWEIGHT; t++) {
        w[t] = most > norm->eps ? w[t] / again : 0;
    }
}

/* Weights of a row for every column, 0 where not visible; returns lse. */
static inline double formula_row(const sample *s, int64_t b, int64_t h, int64_t i, double *w)
{
    double z[MOST_COLUMNS], dense[MOST_COLUMNS], sum = 0;
    int64_t n = 0;
    for (int64_t c = 0; c < s->columns; c++) {
        w[c] = 0;
        if (s->sees[h][i][c]) {
            z[n] = score_of(s, b, h, i, c);
            sum += exp(z[n++]);
        }
    }
    formula_weights(s, n, z, s->eta.data ? s->eta.data[(b * s->heads + h) * s->queries + i] : 0, dense);
    n = 0;
    for (int64_t c = 0; c < s->columns; c++) {
        if (s->sees[h][i][c]) {
            w[c] = dense[n++];
        }
    }
    return log(sum);
}

/* o of a row from the weights of its columns. */
static inline void formula_output(const sample *s, int64_t b, int64_t h, const double *w, double *o)
{
    for (int64_t x = 0; x < s->dim_v; x++) {
        o[x] = 0;
        for (int64_t c = 0; c < s->columns; c++) {
            o[x] += w[c] * column_of(&s->v, &s->v_extra, &s->ghost_v, s, b, h, c, s->dim_v)[x];
        }
        o[x] *= s->head_scale.data ? s->head_scale.data[h] : 1;
    }
}

/* Asserting writes to Check's file, so only a failure does. */
#define assert_near(found, wanted, tolerance) \
    do { \
        double near_found = (found), near_wanted = (wanted); \
        if (near_found != near_wanted && \
            !(fabs(near_found - near_wanted) <= (tolerance) * (1 + fabs(near_wanted)))) { \
            ck_abort_msg("%s: %.17g, not %.17g (line %d)", #found, near_found, near_wanted, __LINE__); \
        } \
    } while (0)

#endif
