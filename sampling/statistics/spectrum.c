/* spectrum.c - the largest singular values and the spectral radius of the adjacency matrix.
 *
 * Singular values: bidiagonalisation of Golub and Kahan (1965) with full orthogonalisation, begun anew where it ends early.
 * Radius: the matrix is not negative, so that its largest eigenvalue is that of one of its strongly connected components;
 * Arnoldi's method (1951) on all of them together, begun anew with the vector that it found.
 */
#include "config.h"

#include <math.h>

#include "sampling/statistics/krylov.h"

enum { SINGULAR = 5, SMALL = 300, MOST = 400, CHECK = 6, STEPS = 48, RESTARTS = 200 };

/* A V = U B, B upper bidiagonal: diagonal alpha, above it beta. */
typedef struct bidiagonal {
    ga__study *study;
    ga__basis u, v;
    double alpha[MOST], beta[MOST];
    int64_t count;
} bidiagonal;

/* A random vector, the same for any thread. */
static void fill(const ga__study *study, int64_t number, double *x)
{
    ga__random stream = ga__random_at(ga_context_seed(study->context), GA__RANDOM_SPECTRUM, (uint64_t)number);
    for (int64_t v = 0; v < study->nodes; v++) {
        x[v] = 2 * ga__random_unit(&stream) - 1;
    }
}

/* The next vector of a side from x, which has room for it: x without its parts along the others, or, where nothing is left
 * of it, a random one of these with length 0 noted. False through *full when the side spans everything. */
static ga_status next_vector(const ga__study *study, ga__basis *basis, double scale, double *length,
                             bool *full)
{
    ga_status status = GA_OK;
    double *x = basis->vector[basis->count - 1], found;
    GA_TRY(ga__krylov_orthogonal(basis, basis->count - 1, x, NULL, &found));
    *length = found;
    *full = false;
    if (found <= 1e-12 * scale) {
        found = *length = 0;
        *full = basis->count > study->nodes;
        for (int attempt = 0; attempt < 8 && !*full && found <= 1e-10; attempt++) {
            fill(study, basis->count * 8 + attempt, x);
            GA_TRY(ga__krylov_orthogonal(basis, basis->count - 1, x, NULL, &found));
        }
        *full = *full || found <= 1e-10;
    }
    if (!*full) {
        status = ga__krylov_scale(study, 1 / found, x);
    }
done:
    return status;
}

/* One column more; *full when there is none. */
static ga_status extend(bidiagonal *b, double scale, bool *full)
{
    ga_status status = GA_OK;
    ga__study *study = b->study;
    int64_t k = b->count;
    double *u, *v;
    GA_TRY(ga__basis_add(&b->v, &v));
    if (k == 0) {
        fill(study, 0, v);
    } else {
        GA_TRY(ga__krylov_product(study, study->in, NULL, b->u.vector[k - 1], v));
    }
    double length;
    GA_TRY(next_vector(study, &b->v, scale, &length, full));
    if (*full) {
        goto done;
    }
    if (k > 0) {
        b->beta[k - 1] = length;
    }
    GA_TRY(ga__basis_add(&b->u, &u));
    GA_TRY(ga__krylov_product(study, study->out, NULL, v, u));
    GA_TRY(next_vector(study, &b->u, scale, &b->alpha[k], full));
    b->count += !*full;
done:
    return status;
}

/* Singular values of B above x: eigenvalues above x of the symmetric matrix with zero diagonal and alpha_0 beta_0 alpha_1
 * .. beside it, by the signs of its pivots. */
static int64_t count_above(const bidiagonal *b, double x)
{
    double pivot = -x;
    int64_t above = 0;
    for (int64_t i = 1; i < 2 * b->count; i++) {
        double side = i % 2 ? b->alpha[i / 2] : b->beta[i / 2 - 1];
        pivot = fabs(pivot) < 1e-300 ? -1e-300 : pivot;
        above += pivot > 0;
        pivot = -x - side * side / pivot;
    }
    return above + (pivot > 0);
}

static double singular_value(const bidiagonal *b, int64_t rank, double bound)
{
    double low = 0, high = bound;
    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;
        if (count_above(b, middle) > rank) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (low + high) / 2;
}

/* sqrt of the largest column sum times the largest row sum bounds the norm. */
static double norm_bound(const ga__study *study)
{
    double in = 0, out = 0;
    for (int64_t v = 0; v < study->nodes; v++) {
        in = fmax(in, study->in_degree[v]);
        out = fmax(out, study->out_degree[v]);
    }
    return sqrt(in * out);
}

/* Until two checks agree to the last digits but few; small matrices to the end. values: (SINGULAR), descending. */
static ga_status find_singular(bidiagonal *b, double *values)
{
    ga_status status = GA_OK;
    double bound = norm_bound(b->study);
    int64_t most = b->study->nodes <= SMALL ? b->study->nodes : MOST;
    int steady = 0;
    bool full = bound == 0;
    while (!full && b->count < most && steady < 2) {
        GA_TRY(extend(b, bound, &full));
        GA_TRY(ga__check(b->study->context));
        if (b->count % CHECK == 0 && b->study->nodes > SMALL) {
            bool same = b->count >= 4 * SINGULAR;
            for (int i = 0; i < SINGULAR; i++) {
                double value = singular_value(b, i, bound * (1 + 1e-12));
                same = same && fabs(value - values[i]) <= 1e-13 * value;
                values[i] = value;
            }
            steady = same ? steady + 1 : 0;
        }
    }
    for (int i = 0; i < SINGULAR; i++) {
        values[i] = b->count > i ? singular_value(b, i, bound * (1 + 1e-12)) : 0;
        values[i] = values[i] < 1e-12 * bound ? 0 : values[i];
    }
    if (b->study->nodes > SMALL && b->count == most && steady < 2) {
        GA_TRY(ga__fail(b->study->context, GA_LIMIT, "spectrum: singular values did not converge in %d steps",
                        MOST));
    }
done:
    return status;
}

/* ---- the radius ---- */

typedef struct arnoldi {
    ga__study *study;
    ga__basis basis;
    double matrix[STEPS + 1][STEPS]; /* row i, column k: part of A v_k along v_i */
    double ritz[STEPS];
} arnoldi;

/* From basis vector 0 on; *steps: columns that were made, *left: length of the rest behind the last. */
static ga_status run_arnoldi(arnoldi *a, int64_t *steps, double *left)
{
    ga_status status = GA_OK;
    ga__study *study = a->study;
    *steps = 0;
    *left = 0;
    for (int64_t k = 0; k < STEPS; k++) {
        double along[STEPS + 1] = { 0 }, *x = a->basis.vector[k + 1];
        GA_TRY(ga__krylov_product(study, study->in, study->strong.of, a->basis.vector[k], x));
        GA_TRY(ga__krylov_orthogonal(&a->basis, k + 1, x, along, left));
        double whole = *left * *left;
        for (int64_t i = 0; i <= k; i++) {
            a->matrix[i][k] = along[i];
            whole += along[i] * along[i];
        }
        a->matrix[k + 1][k] = *left;
        *steps = k + 1;
        if (*left * *left <= 1e-26 * whole || *steps == study->nodes) {
            *left = 0;
            break;
        }
        GA_TRY(ga__krylov_scale(study, 1 / *left, x));
        GA_TRY(ga__check(study->context));
    }
done:
    return status;
}

/* Vector 0 becomes the combination of the others that was found. */
static ga_status begin_anew(arnoldi *a, int64_t steps, double *fresh)
{
    ga_status status = GA_OK;
    double length;
    for (int64_t v = 0; v < a->study->nodes; v++) {
        fresh[v] = 0;
    }
    for (int64_t i = 0; i < steps; i++) {
        GA_TRY(ga__krylov_add(a->study, a->ritz[i], a->basis.vector[i], fresh));
    }
    GA_TRY(ga__krylov_dot(a->study, fresh, fresh, &length));
    GA_TRY(ga__krylov_scale(a->study, 1 / sqrt(length), fresh));
    for (int64_t v = 0; v < a->study->nodes; v++) {
        a->basis.vector[0][v] = fresh[v];
    }
done:
    return status;
}

static ga_status find_radius(arnoldi *a, double *radius)
{
    ga_status status = GA_OK;
    ga__study *study = a->study;
    double *fresh = NULL, left = 1, start = 0;
    for (int i = 0; i <= STEPS; i++) {
        double *made;
        GA_TRY(ga__basis_add(&a->basis, &made));
    }
    GA_TRY(GA_NEW(study->context, study->nodes, &fresh));
    for (int64_t v = 0; v < study->nodes; v++) { /* one where there is a cycle */
        fresh[v] = study->strong.sizes[study->strong.of[v]] > 1;
        start += fresh[v];
    }
    for (int64_t v = 0; v < study->nodes; v++) {
        a->basis.vector[0][v] = fresh[v] / sqrt(start);
    }
    for (int round = 0;; round++) {
        int64_t steps;
        GA_TRY(run_arnoldi(a, &steps, &left));
        GA_TRY(ga__hessenberg_largest(study->context, a->matrix[0], STEPS, steps, radius, a->ritz));
        if (left * fabs(a->ritz[steps - 1]) <= 1e-13 * *radius) {
            break;
        }
        if (round == RESTARTS) {
            GA_TRY(ga__fail(study->context, GA_LIMIT, "spectrum: the spectral radius did not converge"));
        }
        GA_TRY(begin_anew(a, steps, fresh));
    }
done:
    ga_free(study->context, fresh);
    return status;
}

static bool has_cycle(const ga__study *study)
{
    for (int64_t i = 0; i < study->strong.count; i++) {
        if (study->strong.sizes[i] > 1) {
            return true;
        }
    }
    return false;
}

static ga_status measure_radius(ga__study *study)
{
    ga_status status = GA_OK;
    double radius = 0;
    arnoldi *a = NULL;
    GA_TRY(ga__study_strong(study));
    GA_TRY(GA_NEW_ZERO(study->context, 1, &a));
    a->study = study;
    a->basis.study = study;
    if (has_cycle(study)) {
        GA_TRY(find_radius(a, &radius));
    }
    status = ga__study_real(study, "spectral_radius", radius);
done:
    if (a) {
        ga__basis_clear(&a->basis);
    }
    ga_free(study->context, a);
    return status;
}

static ga_status measure_singular(ga__study *study)
{
    static const char *const names[SINGULAR] = { "singular.1", "singular.2", "singular.3", "singular.4",
                                                 "singular.5" };
    ga_status status = GA_OK;
    bidiagonal *b = NULL;
    double *values = NULL;
    GA_TRY(ga__study_degrees(study));
    GA_TRY(GA_NEW_ZERO(study->context, 1, &b));
    b->study = study;
    b->u.study = b->v.study = study;
    GA_TRY(ga__study_reals(study, "singular_values", SINGULAR, &values));
    GA_TRY(find_singular(b, values));
    for (int i = 0; i < SINGULAR; i++) {
        GA_TRY(ga__study_real(study, names[i], values[i]));
    }
done:
    if (b) {
        ga__basis_clear(&b->u);
        ga__basis_clear(&b->v);
    }
    ga_free(study->context, b);
    return status;
}

ga_status ga__measure_spectrum(ga__study *study)
{
    ga_status status = GA_OK;
    GA_TRY(ga__study_in(study));
    GA_TRY(measure_radius(study));
    status = measure_singular(study);
done:
    return status;
}
