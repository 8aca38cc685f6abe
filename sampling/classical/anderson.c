/* anderson.c - Anderson's acceleration; see anderson.h. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/workers.h"
#include "sampling/classical/anderson.h"

enum { DEPTH = GA__ANDERSON_DEPTH, BLOCK = 512, SUMS = 2 * DEPTH };

typedef struct pass {
    ga__anderson *a;
    double *x;
    const double *image;
    int kept; /* differences */
    double weight[DEPTH];
} pass;

ga_status ga__anderson_open(ga_context *context, int64_t count, ga__anderson *a)
{
    ga_status status = GA_OK;
    *a = (ga__anderson){ .context = context, .count = count };
    for (int i = 0; i < DEPTH; i++) {
        GA_TRY(GA_NEW(context, count, &a->residual[i]));
        GA_TRY(GA_NEW(context, count, &a->image[i]));
    }
    status = GA_NEW(context, (count + BLOCK - 1) / BLOCK * SUMS, &a->partial);
done:
    return status;
}

void ga__anderson_close(ga__anderson *a)
{
    for (int i = 0; i < DEPTH; i++) {
        ga_free(a->context, a->residual[i]);
        ga_free(a->context, a->image[i]);
    }
    ga_free(a->context, a->partial);
}

/* Sums of products with a, in pairs that can be added side by side. */
static void dots(const double *a, const double *b, const double *c, int64_t count, double *ab, double *ac)
{
    double sum[4] = { 0, 0, 0, 0 };
    int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
        sum[0] += a[i] * b[i];
        sum[1] += a[i + 1] * b[i + 1];
        sum[2] += a[i] * c[i];
        sum[3] += a[i + 1] * c[i + 1];
    }
    if (i < count) {
        sum[0] += a[i] * b[i];
        sum[2] += a[i] * c[i];
    }
    *ab = sum[0] + sum[1];
    *ac = sum[2] + sum[3];
}

/* The newest difference, and the products of all differences with it and with the residual. */
static void compare_block(void *user, int worker, int64_t from, int64_t to)
{
    const pass *p = user;
    const ga__anderson *a = p->a;
    double residual[BLOCK], *sums = a->partial + from / BLOCK * SUMS;
    double *last_residual = a->residual[a->newest] + from, *last_image = a->image[a->newest] + from;
    const double *image = p->image + from, *x = p->x + from;
    int64_t count = to - from;
    (void)worker;
    for (int64_t i = 0; i < count; i++) {
        residual[i] = image[i] - x[i];
        last_residual[i] = residual[i] - last_residual[i];
        last_image[i] = image[i] - last_image[i];
    }
    for (int j = 0; j < p->kept; j++) {
        dots(a->residual[j] + from, last_residual, residual, count, &sums[j], &sums[DEPTH + j]);
    }
}

static void mix_block(void *user, int worker, int64_t from, int64_t to)
{
    const pass *p = user;
    const ga__anderson *a = p->a;
    (void)worker;
    int slot = p->kept ? (a->newest + 1) % DEPTH : 0;
    for (int64_t i = from; i < to; i++) {
        double next = p->image[i], residual = p->image[i] - p->x[i];
        for (int j = 0; j < p->kept; j++) {
            next -= p->weight[j] * a->image[j][i];
        }
        a->residual[slot][i] = residual;
        a->image[slot][i] = p->image[i];
        p->x[i] = next;
    }
}

/* Weights that take most of the residual away, by Cholesky's way through the products, newest difference first; a
 * difference that the others make up but for rounding is left out. */
static void weigh(const ga__anderson *a, const double *right, pass *p)
{
    double lower[DEPTH][DEPTH], along[DEPTH];
    int at[DEPTH], rank = 0;
    for (int i = 0; i < p->kept; i++) {
        int slot = (a->newest + DEPTH - i) % DEPTH;
        double row[DEPTH], left = a->products[slot][slot], sum = right[slot];
        for (int j = 0; j < rank; j++) {
            row[j] = a->products[slot][at[j]];
            for (int k = 0; k < j; k++) {
                row[j] -= row[k] * lower[j][k];
            }
            row[j] /= lower[j][j];
            left -= row[j] * row[j];
            sum -= row[j] * along[j];
        }
        p->weight[slot] = 0;
        if (left > 1e-10 * a->products[slot][slot]) {
            memcpy(lower[rank], row, sizeof row);
            lower[rank][rank] = sqrt(left);
            along[rank] = sum / lower[rank][rank];
            at[rank++] = slot;
        }
    }
    for (int i = rank - 1; i >= 0; i--) {
        for (int k = i + 1; k < rank; k++) {
            along[i] -= lower[k][i] * p->weight[at[k]];
        }
        p->weight[at[i]] = along[i] / lower[i][i];
    }
}

ga_status ga__anderson_next(ga__anderson *a, double *x, const double *image)
{
    ga_status status = GA_OK;
    pass p = { .a = a, .x = x, .image = image, .kept = a->steps < DEPTH ? a->steps : DEPTH };
    if (p.kept > 0) {
        double sums[SUMS] = { 0 };
        GA_TRY(ga__pieces(a->context, a->count, BLOCK, compare_block, &p));
        for (int64_t b = 0; b < (a->count + BLOCK - 1) / BLOCK; b++) {
            for (int j = 0; j < p.kept; j++) {
                sums[j] += a->partial[b * SUMS + j];
                sums[DEPTH + j] += a->partial[b * SUMS + DEPTH + j];
            }
        }
        for (int j = 0; j < p.kept; j++) {
            a->products[j][a->newest] = a->products[a->newest][j] = sums[j];
        }
        weigh(a, sums + DEPTH, &p);
    }
    GA_TRY(ga__pieces(a->context, a->count, BLOCK, mix_block, &p));
    a->newest = p.kept ? (a->newest + 1) % DEPTH : 0;
    a->steps++;
done:
    return status;
}
