/* krylov.c - vectors over the nodes of a graph. */
#include "config.h"

#include <math.h>

#include "lib/base/workers.h"
#include "sampling/statistics/krylov.h"

enum { PIECE = 1 << 12 };

typedef struct vectors {
    const ga__study *study;
    ga_csr rows;
    const uint32_t *within;
    const double *x;
    double *y, *sums; /* sums: of each piece */
    double factor;
} vectors;

static void product_piece(void *user, int worker, int64_t from, int64_t to)
{
    const vectors *k = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        double sum = 0;
        for (int64_t e = k->rows.offsets[v]; e < k->rows.offsets[v + 1]; e++) {
            uint32_t w = k->rows.targets[e];
            sum += !k->within || k->within[w] == k->within[v] ? k->x[w] : 0;
        }
        k->y[v] = sum;
    }
}

static void dot_piece(void *user, int worker, int64_t from, int64_t to)
{
    const vectors *k = user;
    double sum = 0;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        sum += k->x[v] * k->y[v];
    }
    k->sums[from / PIECE] = sum;
}

static void add_piece(void *user, int worker, int64_t from, int64_t to)
{
    const vectors *k = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        k->y[v] += k->factor * k->x[v];
    }
}

static void scale_piece(void *user, int worker, int64_t from, int64_t to)
{
    const vectors *k = user;
    (void)worker;
    for (int64_t v = from; v < to; v++) {
        k->y[v] *= k->factor;
    }
}

static ga_status run(vectors *k, ga__piece_fn body)
{
    return ga__pieces(k->study->context, k->study->nodes, PIECE, body, k);
}

ga_status ga__krylov_product(const ga__study *study, ga_csr rows, const uint32_t *within, const double *x,
                             double *y)
{
    vectors k = { .study = study, .rows = rows, .within = within, .x = x, .y = y };
    return run(&k, product_piece);
}

ga_status ga__krylov_dot(const ga__study *study, const double *x, const double *y, double *dot)
{
    ga_status status = GA_OK;
    int64_t pieces = (study->nodes + PIECE - 1) / PIECE;
    vectors k = { .study = study, .x = x, .y = (double *)(uintptr_t)y };
    GA_TRY(GA_NEW(study->context, pieces, &k.sums));
    GA_TRY(run(&k, dot_piece));
    *dot = 0;
    for (int64_t i = 0; i < pieces; i++) {
        *dot += k.sums[i];
    }
done:
    ga_free(study->context, k.sums);
    return status;
}

ga_status ga__krylov_add(const ga__study *study, double factor, const double *x, double *y)
{
    vectors k = { .study = study, .x = x, .y = y, .factor = factor };
    return run(&k, add_piece);
}

ga_status ga__krylov_scale(const ga__study *study, double factor, double *x)
{
    vectors k = { .study = study, .y = x, .factor = factor };
    return run(&k, scale_piece);
}

ga_status ga__krylov_orthogonal(const ga__basis *basis, int64_t count, double *x, double *along,
                                double *length)
{
    ga_status status = GA_OK;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < count; i++) {
            double part;
            GA_TRY(ga__krylov_dot(basis->study, basis->vector[i], x, &part));
            GA_TRY(ga__krylov_add(basis->study, -part, basis->vector[i], x));
            if (along) {
                along[i] += part;
            }
        }
    }
    GA_TRY(ga__krylov_dot(basis->study, x, x, length));
    *length = sqrt(*length);
done:
    return status;
}

/* ---- a basis ---- */

ga_status ga__basis_add(ga__basis *basis, double **vector)
{
    ga_status status = GA_OK;
    if (basis->count == basis->room) {
        int64_t wider = 2 * basis->room + 16;
        GA_TRY(ga__resize(basis->study->context, basis->room, wider, sizeof *basis->vector, &basis->vector));
        basis->room = wider;
    }
    GA_TRY(GA_NEW(basis->study->context, basis->study->nodes, vector));
    basis->vector[basis->count++] = *vector;
done:
    return status;
}

void ga__basis_clear(ga__basis *basis)
{
    for (int64_t i = 0; i < basis->count; i++) {
        ga_free(basis->study->context, basis->vector[i]);
    }
    ga_free(basis->study->context, basis->vector);
}
