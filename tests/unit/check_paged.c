/* check_paged.c - attention of few queries over rows of keys where they lie: tensors, pages, chosen keys. */
#include "config.h"

#include "lib/engine/paged_attention/paged.h"
#include "tests/unit/check_products.h"

/* ---- problems ---- */

typedef struct sizes {
    int64_t batch, heads, kv_heads, tokens, keys, dim, dim_v;
} sizes;

/* Tensors of a problem, and the same keys in pages. */
typedef struct problem {
    sizes n;
    DLTensor *q, *k, *v, *o, *lse;
    ga_pattern *pattern;
    ga__paged paged;
    void **pages[2]; /* of k and v */
    int64_t page_count;
} problem;

static DLTensor *random_tensor(ga_context *context, DLDataType type, const int64_t *shape, uint64_t seed)
{
    DLTensor *made = tensor_new(context, type, 4, shape);
    for (int64_t i = 0; i < count_of(made); i++) {
        set(made, i, noise(&seed));
    }
    return made;
}

static void open_problem(ga_context *context, problem *p, sizes n, DLDataType type)
{
    const int64_t q[] = { n.batch, n.heads, n.tokens, n.dim }, k[] = { n.batch, n.kv_heads, n.keys, n.dim },
                  v[] = { n.batch, n.kv_heads, n.keys, n.dim_v },
                  o[] = { n.batch, n.heads, n.tokens, n.dim_v };
    *p = (problem){ .n = n };
    p->q = random_tensor(context, f32, q, 3);
    p->k = random_tensor(context, type, k, 4);
    p->v = random_tensor(context, type, v, 5);
    p->o = tensor_new(context, f32, 4, o);
    p->lse = tensor_new(context, f32, 3, o);
    ga__view of_k = view_of(context, p->k), of_v = view_of(context, p->v);
    p->paged = (ga__paged){ .q = view_of(context, p->q),
                            .k = ga__keys_of_view(&of_k),
                            .v = ga__keys_of_view(&of_v),
                            .scale = 0.7,
                            .o = view_of(context, p->o),
                            .lse = view_of(context, p->lse) };
}

static void close_problem(ga_context *context, problem *p)
{
    DLTensor *all[] = { p->q, p->k, p->v, p->o, p->lse };
    for (int i = 0; i < 5; i++) {
        ga_tensor_destroy(context, all[i]);
    }
    ga_pattern_destroy(context, p->pattern);
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < p->page_count; i++) {
            free(p->pages[side][i]);
        }
        free(p->pages[side]);
    }
}

/* The rows of a tensor, copied into pages of so many rows. */
static void to_pages(problem *p, int side, ga__keys *keys, int64_t rows)
{
    ga__view view = keys->view;
    size_t bytes = (size_t)view.columns * (view.type == GA__F32 ? 4 : 2);
    int64_t lines = view.batch * view.heads, pages = (view.rows + rows - 1) / rows;
    p->page_count = lines * pages;
    p->pages[side] = calloc((size_t)p->page_count, sizeof(void *));
    for (int64_t i = 0; i < p->page_count; i++) {
        p->pages[side][i] = malloc((size_t)rows * bytes);
    }
    for (int64_t line = 0; line < lines; line++) {
        for (int64_t j = 0; j < view.rows; j++) {
            memcpy((char *)p->pages[side][line * pages + j / rows] + (size_t)(j % rows) * bytes,
                   ga__view_row(&view, line / view.heads, line % view.heads, j), bytes);
        }
    }
    keys->page = (const void *const *)p->pages[side];
    keys->page_rows = rows;
    keys->pages = pages;
}

/* ---- by definition, in double precision ---- */

static bool sees(const problem *p, int64_t head, int64_t query, int64_t key)
{
    int64_t(*runs)[2] = malloc((size_t)ga_pattern_most_runs(p->pattern) * sizeof *runs);
    int64_t count =
        ga_pattern_row_runs(p->pattern, ga_pattern_heads(p->pattern) == 1 ? 0 : head, query, runs);
    bool found = false;
    for (int64_t i = 0; i < count; i++) {
        found |= key >= runs[i][0] && key < runs[i][1];
    }
    free(runs);
    return found;
}

/* o and lse of a row; returns the number of visible keys. */
static int64_t row_of(const problem *p, int64_t b, int64_t h, int64_t i, double *o, double *lse)
{
    const sizes *n = &p->n;
    int64_t kv = h / (n->heads / n->kv_heads), count = 0;
    double most = -INFINITY, sum = 0, *s = malloc((size_t)n->keys * sizeof *s);
    for (int64_t j = 0; j < n->keys; j++) {
        s[j] = -INFINITY;
        if (sees(p, h, i, j)) {
            s[j] = 0;
            for (int64_t c = 0; c < n->dim; c++) {
                s[j] += 0.7 * get(p->q, ((b * n->heads + h) * n->tokens + i) * n->dim + c) *
                        get(p->k, ((b * n->kv_heads + kv) * n->keys + j) * n->dim + c);
            }
            most = s[j] > most ? s[j] : most;
            count++;
        }
    }
    memset(o, 0, (size_t)n->dim_v * sizeof *o);
    for (int64_t j = 0; j < n->keys; j++) {
        double w = count > 0 ? exp(s[j] - most) : 0;
        sum += w;
        for (int64_t c = 0; c < n->dim_v; c++) {
            o[c] += w * get(p->v, ((b * n->kv_heads + kv) * n->keys + j) * n->dim_v + c);
        }
    }
    for (int64_t c = 0; c < n->dim_v && count > 0; c++) {
        o[c] /= sum;
    }
    *lse = count > 0 ? most + log(sum) : -INFINITY;
    free(s);
    return count;
}

static void compare(const problem *p, const char *what)
{
    const sizes *n = &p->n;
    double *o = malloc((size_t)(n->dim_v + 1) * sizeof *o), lse;
    for (int64_t row = 0; row < n->batch * n->heads * n->tokens; row++) {
        int64_t i = row % n->tokens, h = row / n->tokens % n->heads, b = row / n->tokens / n->heads;
        row_of(p, b, h, i, o, &lse);
        for (int64_t c = 0; c < n->dim_v; c++) {
            double found = get(p->o, row * n->dim_v + c);
            expect(fabs(found - o[c]) <= 2e-6, "%s: row %lld, column %lld: %g, not %g", what, (long long)row,
                   (long long)c, found, o[c]);
        }
        double found = get(p->lse, row);
        expect(found == lse || fabs(found - lse) <= 4e-6, "%s: row %lld: lse %g, not %g", what,
               (long long)row, found, lse);
    }
    free(o);
}

/* ---- patterns ---- */

/* Lists of units of 3 keys for every head and query, or shared; list 1 is empty. */
static ga_selection *some_lists(ga_context *context, const sizes *n, int64_t heads, bool causal)
{
    ga_selection *s = NULL;
    uint64_t state = 9;
    int64_t units = (n->keys + 2) / 3, at = 0, lists = heads * n->tokens;
    test_ok(context, GA_NEW_ZERO(context, 1, &s));
    *s = (ga_selection){ .batch = 1,
                         .heads = heads,
                         .query_heads = n->heads,
                         .queries = n->tokens,
                         .keys = n->keys,
                         .causal = causal,
                         .block_query = 1,
                         .first_block = 1,
                         .lists = n->tokens,
                         .unit = 3,
                         .open_from = n->keys };
    test_ok(context, GA_NEW_ZERO(context, lists + 1, &s->offsets));
    test_ok(context, GA_NEW(context, lists * units, &s->units));
    for (int64_t l = 0; l < lists; l++) {
        for (int64_t u = 0; u < units && l != 1; u++) {
            if (noise(&state) > 0.3) {
                s->units[at++] = (int32_t)u;
            }
        }
        s->offsets[l + 1] = at;
    }
    return s;
}

static const sizes shapes[] = {
    { 1, 1, 1, 1, 1, 1, 1 },    { 1, 1, 1, 1, 33, 16, 16 },   { 2, 4, 2, 2, 100, 8, 5 },
    { 1, 6, 2, 8, 70, 24, 40 }, { 1, 8, 1, 3, 1100, 20, 16 }, { 1, 2, 2, 1, 2300, 64, 64 },
    { 1, 12, 1, 8, 65, 7, 3 },  { 1, 3, 1, 4, 31, 33, 80 },   { 1, 2, 1, 8, 4, 4, 4 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_problem(ga_context *context, problem *p, const char *what)
{
    ga_backend list[3];
    int count = backends(list);
    for (int b = 0; b < count; b++) {
        test_ok(context, ga_context_set_backend(context, list[b]));
        test_ok(context, ga__paged_attend(context, &p->paged));
        compare(p, what);
    }
}

START_TEST(agrees_with_the_definition)
{
    const DLDataType types[] = { f32, bf16, f16 };
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < SHAPES; s++) {
        for (int t = 0; t < 3; t++) {
            problem p;
            open_problem(context, &p, shapes[s], types[t]);
            test_ok(context, ga_pattern_full(context, p.n.tokens, p.n.keys, t != 1, &p.pattern));
            p.paged.pattern = p.pattern;
            check_problem(context, &p, "full");
            close_problem(context, &p);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(agrees_where_keys_are_chosen)
{
    ga_context *context = test_threads_context(2);
    for (int s = 0; s < SHAPES; s++) {
        const int64_t heads[] = { 1, shapes[s].kv_heads, shapes[s].heads };
        for (int h = 0; h < 3 && shapes[s].batch == 1; h++) {
            problem p;
            open_problem(context, &p, shapes[s], h == 1 ? f16 : f32);
            ga_selection *lists = some_lists(context, &p.n, heads[h], h != 0);
            test_ok(context, ga_pattern_selected(context, lists, 0, &p.pattern));
            p.paged.pattern = p.pattern;
            check_problem(context, &p, "chosen");
            close_problem(context, &p);
            ga_selection_destroy(context, lists);
        }
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- what must not change a bit ---- */

static char *bytes_of(const DLTensor *tensor)
{
    size_t bytes = (size_t)count_of(tensor) * tensor->dtype.bits / 8;
    char *copy = malloc(bytes + 1);
    memcpy(copy, tensor->data, bytes);
    return copy;
}

static void same_bytes(const DLTensor *tensor, const char *bytes, const char *what, int64_t number)
{
    expect(memcmp(tensor->data, bytes, (size_t)count_of(tensor) * tensor->dtype.bits / 8) == 0, "%s %lld",
           what, (long long)number);
}

START_TEST(pages_and_threads_change_nothing)
{
    static const int64_t rows[] = { 1, 3, 7, 64, 1000, 5000 };
    static const int threads[] = { 1, 2, 3, 7 };
    ga_context *context = test_threads_context(1);
    problem p;
    open_problem(context, &p, (sizes){ 1, 4, 2, 3, 3500, 20, 24 }, f16);
    test_ok(context, ga_pattern_full(context, 3, 3500, true, &p.pattern));
    p.paged.pattern = p.pattern;
    test_ok(context, ga__paged_attend(context, &p.paged));
    char *o = bytes_of(p.o), *lse = bytes_of(p.lse);
    for (int i = 0; i < 6; i++) {
        problem other = p;
        to_pages(&other, 0, &other.paged.k, rows[i]);
        to_pages(&other, 1, &other.paged.v, rows[i]);
        for (int t = 0; t < 4; t++) {
            test_set_threads(context, threads[t]);
            memset(p.o->data, 0xff, (size_t)count_of(p.o) * 4);
            test_ok(context, ga__paged_attend(context, &other.paged));
            same_bytes(p.o, o, "pages of", rows[i]);
            same_bytes(p.lse, lse, "lse, pages of", rows[i]);
        }
        for (int side = 0; side < 2; side++) {
            for (int64_t k = 0; k < other.page_count; k++) {
                free(other.pages[side][k]);
            }
            free(other.pages[side]);
        }
    }
    free(o);
    free(lse);
    close_problem(context, &p);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(scores_are_those_of_visible_keys)
{
    ga_context *context = test_threads_context(2);
    problem p;
    open_problem(context, &p, (sizes){ 2, 6, 3, 1, 3300, 12, 4 }, f32);
    ga_selection *lists = some_lists(context, &p.n, 3, true);
    test_ok(context, ga_pattern_selected(context, lists, 0, &p.pattern));
    p.paged.pattern = p.pattern;
    p.paged.scores = calloc(12 * 3400, sizeof(float));
    p.paged.score_stride = 3400;
    test_ok(context, ga__paged_attend(context, &p.paged));
    for (int64_t row = 0; row < 12; row++) {
        int64_t seen = 0, head = row % 6, kv = row / 6 * 3 + head / 2;
        for (int64_t j = 0; j < 3300; j++) {
            double dot = 0;
            if (!sees(&p, head, 0, j)) {
                continue;
            }
            for (int64_t c = 0; c < 12; c++) {
                dot += 0.7 * get(p.q, row * 12 + c) * get(p.k, (kv * 3300 + j) * 12 + c);
            }
            double found = (double)p.paged.scores[row * 3400 + seen++];
            expect(fabs(found - dot) < 3e-6, "row %lld, key %lld: %g, not %g", (long long)row, (long long)j,
                   found, dot);
        }
        ck_assert_int_eq(seen > 0, head / 2 != 1); /* list 1 is empty */
        expect(p.paged.scores[row * 3400 + seen] == 0, "row %lld: more than %lld", (long long)row,
               (long long)seen);
    }
    free(p.paged.scores);
    close_problem(context, &p);
    ga_selection_destroy(context, lists);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(what_is_no_number_stays_so)
{
    ga_context *context = test_threads_context(1);
    for (int all = 0; all < 2; all++) {
        problem p;
        open_problem(context, &p, (sizes){ 1, 2, 1, 1, 300, 8, 8 }, f32);
        test_ok(context, ga_pattern_full(context, 1, 300, true, &p.pattern));
        p.paged.pattern = p.pattern;
        for (int64_t i = 0; i < (all ? 300 * 8 : 1); i++) {
            set(p.k, i, NAN);
        }
        test_ok(context, ga__paged_attend(context, &p.paged));
        for (int64_t i = 0; i < count_of(p.o); i++) {
            expect(isnan(get(p.o, i)), "element %lld: %g", (long long)i, get(p.o, i));
        }
        close_problem(context, &p);
    }
    test_context_done(context, NULL);
}
END_TEST

/* ---- the engine's own choice ---- */

START_TEST(forward_takes_few_queries_here)
{
    ga_context *context = test_threads_context(2);
    for (int64_t tokens = 1; tokens <= 3; tokens++) {
        problem p;
        open_problem(context, &p, (sizes){ 1, 2, 2, tokens, 700, 16, 16 }, f32);
        test_ok(context, ga_pattern_full(context, tokens, 700, true, &p.pattern));
        ga_attention a = GA_ATTENTION_INIT;
        ga_attention_result result = { .o = p.o, .lse = p.lse };
        ga_family used = GA_FAMILY_AUTO;
        a.q = p.q;
        a.k = p.k;
        a.v = p.v;
        a.pattern = p.pattern;
        a.score.scale = 0.7;
        test_ok(context, ga_attention_forward(context, &a, GA_FAMILY_AUTO, &result, &used));
        ck_assert_int_eq(used, GA_FAMILY_TILES);
        compare(&p, "auto");
        if (tokens == 1) {
            char *o = bytes_of(p.o);
            p.paged.pattern = p.pattern;
            test_ok(context, ga__paged_attend(context, &p.paged));
            same_bytes(p.o, o, "tokens", tokens);
            free(o);
        }
        close_problem(context, &p);
    }
    test_context_done(context, NULL);
}
END_TEST

static ga_status one_call(ga_context *context, void *user)
{
    return ga__paged_attend(context, user);
}

START_TEST(gives_back_what_it_took)
{
    ga_context *context = test_threads_context(1);
    problem p;
    open_problem(context, &p, (sizes){ 1, 2, 1, 1, 500, 4, 4 }, f16);
    ga_selection *lists = some_lists(context, &p.n, 1, true);
    test_ok(context, ga_pattern_selected(context, lists, 0, &p.pattern));
    p.paged.pattern = p.pattern;
    p.paged.scores = calloc(2 * 500, sizeof(float));
    p.paged.score_stride = 500;
    ck_assert_int_ge(test_each_allocation(one_call, &p.paged, 2), 8);
    free(p.paged.scores);
    close_problem(context, &p);
    ga_selection_destroy(context, lists);
    test_context_done(context, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paged");
    TCase *paged = tcase_create("paged");
    tcase_set_timeout(paged, 300);
    tcase_add_test(paged, agrees_with_the_definition);
    tcase_add_test(paged, agrees_where_keys_are_chosen);
    tcase_add_test(paged, pages_and_threads_change_nothing);
    tcase_add_test(paged, scores_are_those_of_visible_keys);
    tcase_add_test(paged, what_is_no_number_stays_so);
    tcase_add_test(paged, forward_takes_few_queries_here);
    tcase_add_test(paged, gives_back_what_it_took);
    suite_add_tcase(suite, paged);
    return test_run(suite);
}
