/* landmark_tile.c - landmark attention by tiles of queries: scores as dense products, a softmax for every block.
 *
 * a = softmax of S over the own keys of a row and the landmarks of its blocks; W_j = a_c u_j, u the softmax of S over block
 * c. The own keys are a block of their own with the "score" ln sum exp(S). */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/landmark_tile.h"

/* ---- memory ---- */

ga_status ga__landmark_tile_make(const ga__landmark_call *call, bool backward, ga__landmark_tile *tile)
{
    ga_status status = GA_OK;
    ga_context *context = call->run->context;
    const ga__landmarks *m = &call->m;
    const int64_t rows = GA__LANDMARK_ROWS;
    const ga__gemm largest = { .m = GA__GEMM_ROWS, .n = GA__GEMM_COLUMNS, .k = GA__GEMM_DEPTH };
    size_t size = (size_t)call->size;
    int64_t pairs = 0, dims = call->run->dim + call->run->dim_v;
    *tile = (ga__landmark_tile){ .call = call };
    if (!ga__mul(rows, call->run->keys, &pairs)) {
        GA_TRY(ga__fail(context, GA_OVERFLOW, "landmark: too many keys"));
    }
    GA_TRY(ga_alloc(context, rows * call->run->dim, size, &tile->q));
    GA_TRY(ga_alloc(context, pairs, size, &tile->s));
    GA_TRY(ga_alloc(context, backward ? pairs : 0, size, &tile->t));
    GA_TRY(ga_alloc(context, rows * dims, size, &tile->o));
    GA_TRY(ga_alloc(context, ga__gemm_scratch(&largest, GA__GEMM_ROWS), size, &tile->scratch));
    GA_TRY(GA_NEW(context, rows * m->count, &tile->blocks));
    GA_TRY(GA_NEW(context, rows, &tile->counts));
    GA_TRY(GA_NEW(context, rows * (m->count + 1), &tile->mass));
    GA_TRY(GA_NEW(context, rows, &tile->lse));
    GA_TRY(GA_NEW(context, m->count + 1, &tile->needed));
    GA_TRY(GA_NEW(context, m->count + 1, &tile->spans));
done:
    return status;
}

void ga__landmark_tile_free(ga__landmark_tile *tile)
{
    void *const blocks[] = { tile->q,      tile->s,    tile->t,   tile->o,      tile->scratch, tile->blocks,
                             tile->counts, tile->mass, tile->lse, tile->needed, tile->spans };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        ga_free(tile->call->run->context, blocks[i]);
    }
}

/* ---- products ---- */

void ga__landmark_multiply(const ga__landmark_tile *tile, const ga__landmark_product *p)
{
    const ga__landmark_call *call = tile->call;
    ga__gemm g = { p->transpose_a, p->transpose_b, call->wide, p->alpha, p->beta, p->m,
                   p->n,           p->k,           p->lda,     p->ldb,   p->ldc };
    if (p->k == 0) { /* only scores of no columns: c is all new */
        for (int64_t i = 0; i < p->m; i++) {
            memset((char *)p->c + i * p->ldc * call->size, 0, (size_t)(p->n * call->size));
        }
    }
    for (int64_t j = 0; j < p->n && p->k > 0; j += GA__GEMM_COLUMNS) {
        for (int64_t i = 0; i < p->m; i += GA__GEMM_ROWS) {
            ga__block block = { i, ga__min(i + GA__GEMM_ROWS, p->m), j, ga__min(j + GA__GEMM_COLUMNS, p->n) };
            call->gemm->block[call->wide](&g, &block, p->a, p->b, p->c, tile->scratch);
        }
    }
}

/* ---- which keys ---- */

static int64_t position_of(const ga__landmark_tile *tile, int64_t row)
{
    return ga__position(&tile->call->s, tile->query + row);
}

ga__span ga__landmark_own(const ga__landmark_tile *tile, int64_t row)
{
    return ga__landmarks_own(&tile->call->m, position_of(tile, row));
}

/* The chosen blocks of every row, and the spans of keys that the tile needs. */
static void choose(ga__landmark_tile *tile)
{
    const ga__landmarks *m = &tile->call->m;
    tile->limit = ga__max(position_of(tile, tile->rows - 1) + 1, 0);
    tile->span_count = 0;
    memset(tile->needed, 0, (size_t)(m->count + 1));
    for (int64_t r = 0; r < tile->rows; r++) {
        int32_t *blocks = tile->blocks + r * m->count;
        tile->counts[r] = ga__landmarks_row(m, tile->batch, tile->head, tile->query + r, blocks);
        for (int64_t i = 0; i < tile->counts[r]; i++) {
            tile->needed[blocks[i]] = 1;
        }
        tile->needed[ga__landmarks_before(m, ga__max(position_of(tile, r), 0))] = 1;
    }
    for (int64_t c = 0; c <= m->count && m->first[c] < tile->limit; c++) {
        int64_t end = ga__min(c < m->count ? m->mark[c] + 1 : tile->limit, tile->limit);
        if (!tile->needed[c]) {
            continue;
        }
        if (tile->span_count > 0 && tile->spans[tile->span_count - 1].last == m->first[c]) {
            tile->spans[tile->span_count - 1].last = end;
        } else {
            tile->spans[tile->span_count++] = (ga__span){ m->first[c], end };
        }
    }
}

/* ---- weights ---- */

static double number_at(const ga__landmark_tile *tile, const char *row, int64_t j)
{
    return tile->call->wide ? ((const double *)(const void *)row)[j]
                            : (double)((const float *)(const void *)row)[j];
}

/* ln (e^own + sum e^score) over the landmarks of the row. */
static double outer_lse(const ga__landmark_tile *tile, int64_t row, const char *s, double own)
{
    const ga__landmarks *m = &tile->call->m;
    const int32_t *blocks = tile->blocks + row * m->count;
    double most = own, sum = 0;
    for (int64_t i = 0; i < tile->counts[row]; i++) {
        double score = number_at(tile, s, m->mark[blocks[i]]);
        most = score > most || isnan(score) ? score : most;
    }
    if (most == -INFINITY) {
        return most;
    }
    sum = exp(own - most);
    for (int64_t i = 0; i < tile->counts[row]; i++) {
        sum += exp(number_at(tile, s, m->mark[blocks[i]]) - most);
    }
    return most + log(sum);
}

static void clear(const ga__landmark_tile *tile, char *s, int64_t first, int64_t last)
{
    if (first < last) {
        memset(s + first * tile->call->size, 0, (size_t)((last - first) * tile->call->size));
    }
}

/* Zeros between what has weight: the gaps in the spans before `first`; *at is where the last one ended. */
static void clear_gap(const ga__landmark_tile *tile, char *s, int64_t *at, int64_t first, int64_t last)
{
    for (int64_t i = 0; i < tile->span_count; i++) {
        clear(tile, s, ga__max(*at, tile->spans[i].first), ga__min(first, tile->spans[i].last));
    }
    *at = last;
}

static void weigh_row(ga__landmark_tile *tile, int64_t row)
{
    const ga__landmark_call *call = tile->call;
    const ga__landmarks *m = &call->m;
    const int32_t *blocks = tile->blocks + row * m->count;
    char *s = tile->s + row * call->run->keys * call->size;
    double *mass = tile->mass + row * (m->count + 1);
    ga__span own = ga__landmark_own(tile, row);
    int64_t at = 0, n = ga__max(own.last - own.first, 0);
    char *own_s = s + own.first * call->size;
    double own_lse = call->grouped->softmax[call->wide](n, 1, own_s);
    double lse = tile->lse[row] = outer_lse(tile, row, s, own_lse);
    for (int64_t i = 0; i < tile->counts[row]; i++) {
        int64_t first = m->first[blocks[i]], mark = m->mark[blocks[i]];
        mass[i] = exp(number_at(tile, s, mark) - lse);
        (void)call->grouped->softmax[call->wide](mark - first, mass[i], s + first * call->size);
        clear_gap(tile, s, &at, first, mark);
    }
    mass[m->count] = n > 0 ? exp(own_lse - lse) : 0;
    call->rowwise->combine[call->wide](n, mass[m->count], own_s, 0, own_s);
    clear_gap(tile, s, &at, own.first, own.first + n);
    clear_gap(tile, s, &at, call->run->keys, call->run->keys);
}

void ga__landmark_weigh(ga__landmark_tile *tile, int64_t batch, int64_t head, int64_t number)
{
    const ga__landmark_call *call = tile->call;
    int64_t dim = call->run->dim, keys = call->run->keys;
    tile->batch = batch;
    tile->head = head;
    tile->query = number * GA__LANDMARK_ROWS;
    tile->rows = ga__min(GA__LANDMARK_ROWS, call->run->queries - tile->query);
    choose(tile);
    for (int64_t r = 0; r < tile->rows; r++) {
        memcpy(tile->q + r * dim * call->size, ga__view_row(&call->q, batch, head, tile->query + r),
               (size_t)(dim * call->size));
    }
    for (int64_t i = 0; i < tile->span_count; i++) {
        ga__span span = tile->spans[i];
        ga__landmark_multiply(tile, &(ga__landmark_product){
                                        .transpose_b = true,
                                        .alpha = call->run->scale,
                                        .m = tile->rows,
                                        .n = span.last - span.first,
                                        .k = dim,
                                        .a = tile->q,
                                        .lda = dim,
                                        .b = ga__view_row(&call->k, batch, head / call->s.group, span.first),
                                        .ldb = call->k.stride_row,
                                        .c = tile->s + span.first * call->size,
                                        .ldc = keys });
    }
    for (int64_t r = 0; r < tile->rows; r++) {
        weigh_row(tile, r);
    }
}

/* ---- forward ---- */

typedef struct forward {
    ga__landmark_call call;
    ga__view o, lse, map;
    int64_t next;
    int failed;
} forward;

/* o = W v without what has no weight. */
static void sum_carefully(const ga__landmark_tile *tile, int64_t row, double *o)
{
    const ga__landmark_call *call = tile->call;
    const char *s = tile->s + row * call->run->keys * call->size;
    memset(o, 0, (size_t)call->run->dim_v * sizeof *o);
    for (int64_t i = 0; i < tile->span_count; i++) {
        for (int64_t j = tile->spans[i].first; j < tile->spans[i].last; j++) {
            double w = number_at(tile, s, j);
            for (int64_t c = 0; c < call->run->dim_v && w != 0; c++) {
                o[c] += w * ga__view_get(&call->v, tile->batch, tile->head / call->s.group, j, c);
            }
        }
    }
}

static void sum_values(const ga__landmark_tile *tile)
{
    const ga__landmark_call *call = tile->call;
    int64_t width = call->run->dim_v;
    memset(tile->o, 0, (size_t)(tile->rows * width * call->size));
    for (int64_t i = 0; i < tile->span_count && width > 0; i++) {
        ga__span span = tile->spans[i];
        ga__landmark_multiply(
            tile, &(ga__landmark_product){
                      .alpha = 1,
                      .beta = 1,
                      .m = tile->rows,
                      .n = width,
                      .k = span.last - span.first,
                      .a = tile->s + span.first * call->size,
                      .lda = call->run->keys,
                      .b = ga__view_row(&call->v, tile->batch, tile->head / call->s.group, span.first),
                      .ldb = call->v.stride_row,
                      .c = tile->o,
                      .ldc = width });
    }
}

static void store(const forward *f, const ga__landmark_tile *tile, double *room)
{
    const ga__landmark_call *call = tile->call;
    if (f->o.data && !call->careful) {
        sum_values(tile);
    }
    for (int64_t r = 0; r < tile->rows; r++) {
        int64_t i = tile->query + r;
        const char *s = tile->s + r * call->run->keys * call->size;
        if (f->lse.data) {
            /* three axes are (1, batch, heads, queries) to a view */
            ga__view_set(&f->lse, 0, tile->batch, tile->head, i, tile->lse[r]);
        }
        for (int64_t n = 0; n < tile->span_count && f->map.data; n++) {
            int64_t from = tile->spans[n].first;
            memcpy((char *)ga__view_row(&f->map, tile->batch, tile->head, i) + from * call->size,
                   s + from * call->size, (size_t)((tile->spans[n].last - from) * call->size));
        }
        if (f->o.data && call->careful) {
            sum_carefully(tile, r, room);
            ga__view_store_f64(&f->o, tile->batch, tile->head, i, room);
        } else if (f->o.data) {
            memcpy(ga__view_row(&f->o, tile->batch, tile->head, i),
                   tile->o + r * call->run->dim_v * call->size, (size_t)(call->run->dim_v * call->size));
        }
    }
}

static void work(void *user, int worker)
{
    forward *f = user;
    ga__landmark_tile tile;
    ga_context *context = f->call.run->context;
    double *room = NULL;
    int64_t heads = f->call.run->heads, items = f->call.run->batch * heads * f->call.tiles;
    (void)worker;
    ga__note_status(&f->failed, ga__landmark_tile_make(&f->call, false, &tile));
    ga__note_status(&f->failed, GA_NEW(context, f->call.run->dim_v, &room));
    while (!ga__stopped(context, &f->failed)) {
        int64_t item = ga__claim(&f->next), line = item / ga__max(f->call.tiles, 1);
        if (item >= items) {
            break;
        }
        /* the last tiles are the longest */
        ga__landmark_weigh(&tile, line / heads, line % heads, f->call.tiles - 1 - item % f->call.tiles);
        store(f, &tile, room);
    }
    ga_free(context, room);
    ga__landmark_tile_free(&tile);
}

ga_status ga__landmark_forward(ga__job *run, ga__own_outputs *outputs)
{
    ga_status status = GA_OK;
    forward f = { .next = 0 };
    GA_TRY(ga__landmark_open(run, &f.call));
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &f.o));
    GA_TRY(ga__view_of(run->context, "lse", outputs->lse, true, &f.lse));
    GA_TRY(ga__view_of(run->context, "map", outputs->map, true, &f.map));
    if (f.map.data) {
        memset(f.map.data, 0, (size_t)(f.map.batch * f.map.heads * f.map.rows * f.map.columns * f.call.size));
    }
    if (f.o.data || f.lse.data || f.map.data) {
        int64_t items = run->batch * run->heads * f.call.tiles;
        ga__workers(run->context, ga__threads_for(run->context, items), work, &f);
        status = ga__noted_status(&f.failed);
        status = status == GA_CANCELLED ? ga__check(run->context) : status;
    }
done:
    ga__landmark_close(&f.call);
    return status;
}
