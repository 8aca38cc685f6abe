/* mersenne.h - MT19937 (Matsumoto and Nishimura, 1998) as NumPy's legacy RandomState uses it: for drawing again what others
 * have drawn, for nothing else. */
#ifndef GA_LIB_BASE_MERSENNE_H
#define GA_LIB_BASE_MERSENNE_H

#include "lib/base/base.h"

enum { GA__MERSENNE_WORDS = 624 };
typedef struct ga__mersenne {
    uint32_t words[GA__MERSENNE_WORDS];
    int used;
} ga__mersenne;

/* RandomState(seed). */
void ga__mersenne_seed(ga__mersenne *stream, uint32_t seed);
uint32_t ga__mersenne_next(ga__mersenne *stream);
/* Permutes like RandomState.permutation: from the last element to the second, each is swapped with one at or before it. */
void ga__mersenne_shuffle(ga__mersenne *stream, int64_t *list, int64_t count);

#endif
