/* suggest.c - "did you mean": the nearest word of a list. */
#include "config.h"

#include <string.h>

#include "cli/options.h"

enum { LONGEST = 40 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b (optimal string alignment). */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    int row[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST) {
        return LONGEST;
    }
    for (int j = 0; j <= m; j++) {
        row[0][j] = j;
    }
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3];
        const int *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
    }
    return row[n % 3][m];
}

const char *nearest_word(const char *wrong, word_fn next, const void *user)
{
    const char *best = NULL, *word;
    int length = (int)strlen(wrong), most = length < 3 ? 1 : length < 6 ? 2 : 3;
    for (int i = 0; (word = next(user, i)) != NULL; i++) {
        int d = distance(wrong, word);
        if (d <= most && d < length && d < (int)strlen(word)) {
            most = d - 1;
            best = word;
        }
    }
    return best;
}
