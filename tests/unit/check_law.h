/* check_law.h - how often outcomes were found beside how often they are to be expected. */
#ifndef CHECK_LAW_H
#define CHECK_LAW_H

#include <check.h>
#include <math.h>
#include <stdint.h>

enum { MOST_NODES = 8, SETS = 1 << MOST_NODES };

/* Outcomes are sets of numbers below MOST_NODES, nodes or edges, as bits. */
typedef struct law {
    double expected[SETS]; /* probabilities */
    int64_t found[SETS];
} law;

/* Wilson and Hilferty: the cube root of chi-square / k is nearly normal. */
static inline void check_law(const law *l, int64_t runs, const char *name)
{
    double x = 0, total = 0, rare = 0;
    int64_t cells = 0, rarely = 0;
    for (int i = 0; i < SETS; i++) {
        double wanted = l->expected[i] * (double)runs, difference = (double)l->found[i] - wanted;
        total += l->expected[i];
        ck_assert_msg(wanted > 1e-9 || l->found[i] == 0, "%s: outcome %x is impossible", name, (unsigned)i);
        if (wanted >= 5) {
            x += difference * difference / wanted;
            cells++;
        } else {
            rare += wanted;
            rarely += l->found[i];
        }
    }
    ck_assert_msg(fabs(total - 1) < 1e-9, "%s: probabilities sum to %.12g", name, total);
    ck_assert_msg((double)rarely < rare + 6 * sqrt(rare) + 6, "%s: rare outcomes are frequent", name);
    ck_assert_int_gt(cells, 1);
    double k = (double)cells - 1, z = (cbrt(x / k) - (1 - 2 / (9 * k))) / sqrt(2 / (9 * k));
    ck_assert_msg(z < 5, "%s: chi-square %g of %g, z = %g", name, x, k, z);
}

#endif
