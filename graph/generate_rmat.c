/* generate_rmat.c - recursive matrices (Chakrabarti, Zhan, Faloutsos 2004) with the probabilities of Graph500. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "graph/generate.h"

enum {
    LEVELS = 4, /* of the recursion decided by one look into the table */
    CELLS = 1 << 2 * LEVELS,
    ATTEMPTS = 64 /* before a draw that leaves the nodes or is a loop is made uniform */
};

/* Alias table (Walker 1977) of the cells of LEVELS levels: 8 bits of a word choose a column, 24 bits decide. */
typedef struct rmat {
    uint32_t limit[CELLS];
    uint8_t alias[CELLS];
    uint8_t row[CELLS], column[CELLS];
    int scale, looks;
    uint64_t nodes, mask;
    uint64_t factor[3], addend[3]; /* of the scrambling */
    bool raw;
} rmat;

static void fill_table(rmat *m, const double quadrant[4])
{
    double share[CELLS];
    int small[CELLS], large[CELLS], smalls = 0, larges = 0;
    for (int cell = 0; cell < CELLS; cell++) {
        share[cell] = CELLS;
        m->row[cell] = m->column[cell] = 0;
        for (int level = 0; level < LEVELS; level++) {
            int q = cell >> 2 * level & 3;
            share[cell] *= quadrant[q];
            m->row[cell] = (uint8_t)(m->row[cell] << 1 | q >> 1);
            m->column[cell] = (uint8_t)(m->column[cell] << 1 | (q & 1));
        }
        m->limit[cell] = 1 << 24;
        m->alias[cell] = (uint8_t)cell;
    }
    for (int cell = 0; cell < CELLS; cell++) {
        if (share[cell] < 1) {
            small[smalls++] = cell;
        } else {
            large[larges++] = cell;
        }
    }
    while (smalls > 0 && larges > 0) {
        int low = small[--smalls], high = large[larges - 1];
        m->limit[low] = (uint32_t)lround(share[low] * (1 << 24));
        m->alias[low] = (uint8_t)high;
        share[high] -= 1 - share[low];
        if (share[high] < 1) {
            larges--;
            small[smalls++] = high;
        }
    }
}

/* A permutation of 0 .. mask, and of 0 .. nodes - 1 by walking on until it is hit. */
static inline uint64_t scramble(const rmat *m, uint64_t x)
{
    int half = (m->scale + 1) / 2;
    do {
        for (int i = 0; i < 3; i++) {
            x = (x * m->factor[i] + m->addend[i]) & m->mask;
            x ^= x >> half;
        }
    } while (x >= m->nodes);
    return x;
}

static void choose_scrambling(rmat *m, uint64_t seed)
{
    ga__random random = ga__random_at(seed, GA__RANDOM_GENERATE, UINT64_MAX - 1);
    for (int i = 0; i < 3; i++) {
        m->factor[i] = ga__random_next(&random) | 1;
        m->addend[i] = ga__random_next(&random);
    }
}

static inline void look(const rmat *m, uint32_t word, uint64_t *row, uint64_t *column)
{
    uint32_t cell = word & (CELLS - 1);
    cell = word >> 8 < m->limit[cell] ? cell : m->alias[cell];
    *row = *row << LEVELS | m->row[cell];
    *column = *column << LEVELS | m->column[cell];
}

static ga__pair draw(const ga__drawing *d, uint64_t index)
{
    const rmat *m = d->model;
    int excess = LEVELS * m->looks - m->scale;
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t words[4], row = 0, column = 0;
        ga__random_block(d->seed, GA__RANDOM_GENERATE, index, 2 * attempt, words);
        if (m->looks > 4) {
            ga__random_block(d->seed, GA__RANDOM_GENERATE, index, 2 * attempt + 1, words + 2);
        }
        for (int i = 0; i < m->looks; i++) {
            look(m, (uint32_t)(words[i / 2] >> (i % 2 ? 32 : 0)), &row, &column);
        }
        row >>= excess;
        column >>= excess;
        if (row < m->nodes && column < m->nodes && (m->raw || row != column)) {
            return (ga__pair){ (uint32_t)scramble(m, row), (uint32_t)scramble(m, column) };
        }
    }
    return m->nodes < 2 ? (ga__pair){ 0, 0 } : ga__family_draw(&d->family, d->seed, GA__RANDOM_TIES, index);
}

/* Distinct pairs that are no loops to be expected of `draws` draws: the sum over all kinds of cells (how often each
 * quadrant was taken) of their number times 1 - exp(-draws p). */
static double expected_pairs(const double quadrant[4], int scale, double draws)
{
    double sum = 0, loops = pow(quadrant[0] + quadrant[3], scale);
    for (int i = 0; i <= scale; i++) {
        for (int j = 0; i + j <= scale; j++) {
            for (int k = 0; i + j + k <= scale; k++) {
                int l = scale - i - j - k;
                if (j + k == 0) {
                    continue;
                }
                double cells =
                    lgamma(scale + 1) - lgamma(i + 1) - lgamma(j + 1) - lgamma(k + 1) - lgamma(l + 1);
                double p =
                    pow(quadrant[0], i) * pow(quadrant[1], j) * pow(quadrant[2], k) * pow(quadrant[3], l);
                sum += exp(cells) * -expm1(-draws * p / fmax(1 - loops, 1e-12));
            }
        }
    }
    return sum;
}

/* Draws that give `edges` distinct pairs with some to spare, at most `most`. */
static int64_t draws_for(const double quadrant[4], int scale, int64_t edges, int64_t most)
{
    double low = (double)edges, high = (double)most, wanted = (double)edges;
    wanted += 4 * sqrt(wanted) + 8;
    for (int i = 0; i < 40 && high - low > 1e-3 * low; i++) {
        double middle = (low + high) / 2;
        if (expected_pairs(quadrant, scale, middle) < wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return ga__min(most, (int64_t)high + 1);
}

static ga_status check(ga_context *context, const ga_generate_options *o, double quadrant[4])
{
    quadrant[0] = o->a;
    quadrant[1] = o->b;
    quadrant[2] = o->c;
    quadrant[3] = 1 - o->a - o->b - o->c;
    if (quadrant[3] < 0 && quadrant[3] > -1e-9) {
        quadrant[3] = 0;
    }
    if (!(o->a >= 0 && o->b >= 0 && o->c >= 0 && quadrant[3] >= 0)) {
        return ga__fail(context, GA_INVALID,
                        "rmat: probabilities %g, %g, %g, expected none negative and a sum of at "
                        "most 1",
                        o->a, o->b, o->c);
    }
    ga__family all = { GA__PAIRS_ALL, (uint64_t)o->nodes, 1 };
    if (!o->keep_duplicates && (uint64_t)o->edges > ga__family_size(&all)) {
        return ga__fail(context, GA_INVALID, "rmat: %lld edges, %lld nodes have at most %llu",
                        (long long)o->edges, (long long)o->nodes, (unsigned long long)ga__family_size(&all));
    }
    if (o->nodes == 0 && o->edges > 0) {
        return ga__fail(context, GA_INVALID, "rmat: %lld edges without nodes", (long long)o->edges);
    }
    return GA_OK;
}

/* What the model does not give in a reasonable number of draws is drawn uniformly. */
static ga_status top_up(ga_context *context, ga__drawing *d, int64_t count, int64_t edges,
                        ga__csr_result *rows)
{
    ga_status status = GA_OK;
    double size = (double)ga__family_size(&d->family);
    d->models_draws = (uint64_t)count;
    while (rows->edges < edges) {
        if ((double)edges > size / 4) {
            GA_TRY(ga__fill_rows(context, &d->family, edges, d->seed, rows));
            break;
        }
        double more = size * log((size - (double)rows->edges) / (size - (double)edges));
        count += (int64_t)(more + 5 * sqrt(more)) + 16;
        ga__csr_result_clear(context, rows);
        GA_TRY(ga__draw_rows(context, d, count, false, rows));
    }
    GA_TRY(ga__thin_rows(context, (int64_t)d->family.nodes, edges, d->seed, rows));
done:
    return status;
}

ga_status ga__generate_rmat(ga_context *context, const ga_generate_options *o, int64_t *nodes,
                            ga__csr_result *result)
{
    ga_status status = GA_OK;
    double quadrant[4];
    rmat m = { .nodes = (uint64_t)*nodes, .raw = o->keep_duplicates };
    ga__csr_result rows = { 0 };
    int64_t most;
    GA_TRY(check(context, o, quadrant));
    m.scale = *nodes > 1 ? ga__bits(m.nodes - 1) : 0;
    m.looks = (m.scale + LEVELS - 1) / LEVELS;
    m.mask = (UINT64_C(1) << m.scale) - 1;
    fill_table(&m, quadrant);
    choose_scrambling(&m, ga_context_seed(context));
    ga__drawing d = { .seed = ga_context_seed(context),
                      .draw = draw,
                      .model = &m,
                      .models_draws = UINT64_MAX,
                      .family = { GA__PAIRS_ALL, m.nodes, 1 } };
    if (o->keep_duplicates) {
        GA_TRY(ga__draw_rows(context, &d, o->edges, true, &rows));
    } else {
        if (!ga__mul(o->edges, 4, &most) || !ga__add(most, 64, &most)) {
            GA_TRY(ga__fail(context, GA_OVERFLOW, "rmat: %lld edges", (long long)o->edges));
        }
        int64_t count = draws_for(quadrant, m.scale, o->edges, most);
        GA_TRY(ga__draw_rows(context, &d, count, false, &rows));
        while (rows.edges < o->edges && count < most) { /* nodes no power of two: the estimate was rough */
            count = ga__min(most, count + 2 * (o->edges - rows.edges) + count / 64);
            ga__csr_result_clear(context, &rows);
            GA_TRY(ga__draw_rows(context, &d, count, false, &rows));
        }
        GA_TRY(top_up(context, &d, count, o->edges, &rows));
    }
    *result = rows;
    rows = (ga__csr_result){ 0 };
done:
    ga__csr_result_clear(context, &rows);
    return status;
}
