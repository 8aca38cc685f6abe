/* powerlaw.c - power laws fitted to degrees: Clauset, Shalizi and Newman, Power-law distributions in empirical data (2009).
 *
 * p(x) = x^-alpha / zeta(alpha, xmin) for whole x >= xmin; alpha by maximum likelihood, xmin with the least distance of
 * Kolmogorov and Smirnov between the data from xmin on and the law.
 */
#include "config.h"

#include <math.h>

#include "lib/base/workers.h"
#include "sampling/statistics/study.h"

enum { TERMS = 12 };

/* Sum of (k + x)^-a over k >= 0, for a > 1 and x > 0: Euler and Maclaurin. slope: takes its derivative by a, or NULL. */
static inline double zeta(double a, double x, double *slope)
{
    static const double coefficients[] = { 1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600,
                                           1.0 / 47900160 };
    double sum = 0, derivative = 0;
    for (; x < TERMS; x++) {
        double term = pow(x, -a);
        sum += term;
        derivative -= slope ? term * log(x) : 0;
    }
    double power = pow(x, -a), l = slope ? log(x) : 0, term = power * x / (a - 1);
    sum += term + power / 2;
    derivative += -term * (l + 1 / (a - 1)) - power * l / 2;
    double factor = a, by = 1 / a; /* a (a + 1) .. and the sum of 1 / those */
    power /= x;
    for (size_t i = 0; i < sizeof coefficients / sizeof *coefficients; i++) {
        term = coefficients[i] * factor * power;
        sum += term;
        derivative += term * (by - l);
        double next = a + 2 * (double)i + 1;
        factor *= next * (next + 1);
        by += slope ? 1 / next + 1 / (next + 1) : 0;
        power /= x * x;
    }
    if (slope) {
        *slope = derivative;
    }
    return sum;
}

/* Distinct degrees from 1 on, ascending, with the number and the logarithms of all nodes from each on. */
typedef struct tails {
    int64_t count;
    double *value, *number,
        *logarithms; /* owned: number[i], logarithms[i]: over nodes of value[i] and more */
    struct fit {
        double alpha, distance;
    } * fits; /* owned: with xmin = value[i] */
} tails;

/* Slope of the mean likelihood by alpha: the likelihood is concave. */
static double slope_at(double alpha, double x, double mean)
{
    double slope, sum = zeta(alpha, x, &slope);
    return -slope / sum - mean;
}

/* The zero of the slope between two points: chords, the end that stays counted half (the Illinois method). */
static double fit_alpha(double x, double mean)
{
    double low = 1 + 1e-9, high = 2, at_low = slope_at(low, x, mean), at_high = slope_at(high, x, mean);
    while (at_high > 0 && high < 1e6) {
        low = high;
        at_low = at_high;
        high = 2 * high - 1;
        at_high = slope_at(high, x, mean);
    }
    for (int i = 0, stays = 0; i < 100 && high - low > 1e-12 * high; i++) {
        double middle = (low * at_high - high * at_low) / (at_high - at_low);
        middle = middle > low && middle < high ? middle : (low + high) / 2;
        double found = slope_at(middle, x, mean);
        if (found > 0) {
            at_high /= stays == 1 ? 2 : 1;
            low = middle;
            at_low = found;
            stays = 1;
        } else {
            at_low /= stays == -1 ? 2 : 1;
            high = middle;
            at_high = found;
            stays = -1;
        }
        if (fabs(found) < 1e-14) {
            return middle;
        }
    }
    return (low + high) / 2;
}

/* Largest difference of the shares below each degree that occurs, as igraph has it. */
static double distance_of(const tails *t, int64_t first, double alpha)
{
    double all = zeta(alpha, t->value[first], NULL), most = 0;
    for (int64_t i = first + 1; i < t->count; i++) {
        double empirical = t->number[i] / t->number[first], law = zeta(alpha, t->value[i], NULL) / all;
        most = fmax(most, fabs(empirical - law));
    }
    return most;
}

static void fit_tails(void *user, int worker, int64_t from, int64_t to)
{
    tails *t = user;
    (void)worker;
    for (int64_t i = from; i < to; i++) {
        t->fits[i].alpha = fit_alpha(t->value[i], t->logarithms[i] / t->number[i]);
        t->fits[i].distance = distance_of(t, i, t->fits[i].alpha);
    }
}

static ga_status list_tails(ga__study *study, const uint32_t *degree, tails *t)
{
    ga_status status = GA_OK;
    int64_t *number = NULL, at;
    uint32_t most = 0;
    for (int64_t v = 0; v < study->nodes; v++) {
        most = degree[v] > most ? degree[v] : most;
    }
    GA_TRY(GA_NEW_ZERO(study->context, (int64_t)most + 1, &number));
    for (int64_t v = 0; v < study->nodes; v++) {
        t->count += number[degree[v]]++ == 0 && degree[v] > 0;
    }
    GA_TRY(GA_NEW(study->context, t->count, &t->value));
    GA_TRY(GA_NEW(study->context, t->count, &t->number));
    GA_TRY(GA_NEW(study->context, t->count, &t->logarithms));
    GA_TRY(GA_NEW_ZERO(study->context, t->count, &t->fits));
    at = t->count;
    for (int64_t d = most; d > 0; d--) {
        if (number[d] > 0) {
            bool last = at == t->count;
            at--;
            t->value[at] = (double)d;
            t->number[at] = (double)number[d] + (last ? 0 : t->number[at + 1]);
            t->logarithms[at] = (double)number[d] * log((double)d) + (last ? 0 : t->logarithms[at + 1]);
        }
    }
done:
    ga_free(study->context, number);
    return status;
}

/* names: of alpha, xmin and distance. With fewer than two degrees there is nothing to fit; a tail of one degree alone
 * fits any steep law and is not tried. */
static ga_status fit_side(ga__study *study, const uint32_t *degree, const char *const names[3])
{
    ga_status status = GA_OK;
    tails t = { .count = 0 };
    int64_t best = -1;
    GA_TRY(list_tails(study, degree, &t));
    GA_TRY(ga__pieces(study->context, ga__max(t.count - 1, 0), 4, fit_tails, &t));
    for (int64_t i = 0; i < t.count - 1; i++) {
        best = best < 0 || t.fits[i].distance < t.fits[best].distance ? i : best;
    }
    GA_TRY(ga__study_real(study, names[0], best < 0 ? NAN : t.fits[best].alpha));
    GA_TRY(ga__study_count(study, names[1], best < 0 ? NAN : t.value[best]));
    status = ga__study_real(study, names[2], best < 0 ? NAN : t.fits[best].distance);
done:
    ga_free(study->context, t.value);
    ga_free(study->context, t.number);
    ga_free(study->context, t.logarithms);
    ga_free(study->context, t.fits);
    return status;
}

ga_status ga__measure_powerlaw(ga__study *study)
{
    static const char *const in[] = { "powerlaw.in.alpha", "powerlaw.in.xmin", "powerlaw.in.ks" };
    static const char *const out[] = { "powerlaw.out.alpha", "powerlaw.out.xmin", "powerlaw.out.ks" };
    ga_status status = GA_OK;
    GA_TRY(ga__study_degrees(study));
    GA_TRY(fit_side(study, study->in_degree, in));
    status = fit_side(study, study->out_degree, out);
done:
    return status;
}
