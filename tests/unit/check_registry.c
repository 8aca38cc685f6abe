/* check_registry.c - the table of variants, and ga_attend: results by their formulas, gradients by differences, refusals. */
#include "config.h"

#include "tests/unit/check_registry.h"

/* ---- the table ---- */

static void check_parameters(const char *kind_name, const char *name, const ga_parameter *parameters)
{
    ga__part part;
    test_ok(NULL, ga__part_open(NULL, kind_name, name, parameters, &part));
    for (int i = 0; parameters && parameters[i].name; i++) {
        const ga_parameter *p = &parameters[i];
        ck_assert_msg(p->help && *p->help, "%s %s", name, p->name);
        ck_assert_msg((p->type == GA_PARAMETER_WORD) == (p->words != NULL), "%s %s", name, p->name);
        ck_assert_msg(!p->required || !p->initial, "%s %s", name, p->name);
        ck_assert_msg(p->least > p->most || p->type == GA_PARAMETER_WORD || p->range, "%s %s", name, p->name);
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(parameters[j].name, p->name);
        }
    }
}

START_TEST(table_is_sound)
{
    const ga_variant *const *all = ga_variants();
    int count = 0;
    for (; all[count]; count++) {
        const ga_variant *v = all[count];
        ck_assert_ptr_eq(ga_variant_find(v->name), v);
        ck_assert(v->summary && v->source && v->plan && v->outputs && v->ops);
        ck_assert(strcmp(v->family, "static") == 0 || strcmp(v->family, "linear") == 0 ||
                  strcmp(v->family, "dynamic") == 0 || strcmp(v->family, "gnn") == 0);
        check_parameters("", v->name, v->parameters);
        for (const ga_tensor_slot *t = v->tensors; t && t->name; t++) {
            ck_assert_msg(t->shape && t->help && *t->help, "%s %s", v->name, t->name);
        }
        for (int j = 0; j < count; j++) {
            ck_assert_str_ne(all[j]->name, v->name);
        }
        ck_assert_int_eq((v->can & GA_IS_PATTERN) != 0, ga__pattern_find(v->name) != NULL);
        ck_assert_int_eq((v->can & (GA_CARRIES_STATE | GA_SELECTS)) != 0, v->ops->pattern == NULL);
    }
    ck_assert_int_ge(count, 9);
    ck_assert_ptr_null(ga_variant_find("nothing"));
    ck_assert_ptr_null(ga_variant_find(NULL));
    for (int i = 0; ga__patterns[i]; i++) {
        check_parameters("pattern ", ga__patterns[i]->name, ga__patterns[i]->parameters);
    }
    for (int i = 0; ga__normalisers[i]; i++) {
        check_parameters("normaliser ", ga__normalisers[i]->name, ga__normalisers[i]->parameters);
    }
}
END_TEST

/* ---- results ---- */

/* o of full attention by its formula. */
static double plain_full(const setup *s, int64_t h, int64_t i, int64_t c)
{
    double sum = 0, o = 0;
    for (int64_t j = 0; j <= i; j++) {
        double score = 0;
        for (int64_t x = 0; x < DIM; x++) {
            score += s->q.f64[(h * N + i) * DIM + x] * s->k.f64[j * DIM + x];
        }
        double w = exp(score / 2); /* 1/sqrt(4) */
        sum += w;
        o += w * s->v.f64[j * DIM_V + c];
    }
    return o / sum;
}

START_TEST(full_by_its_formula)
{
    ga_context *context = test_threads_context(2);
    setup s;
    const DLDataType types[] = { type_f32, type_f64 };
    for (int t = 0; t < 2; t++) {
        setup_make(&s, &kinds[1], types[t]);
        DLTensor *o = output(context, &s, "o");
        ck_assert_int_eq(o->ndim, 4);
        ck_assert_int_eq(o->dtype.bits, types[t].bits);
        for (int64_t i = 0; i < HEADS * N * DIM_V; i++) {
            double want = plain_full(&s, i / DIM_V / N, i / DIM_V % N, i % DIM_V);
            ck_assert_double_eq_tol(value_at(o, i), want, t ? 1e-14 : 1e-6);
        }
        ga_tensor_destroy(context, o);
    }
    ga_context_destroy(context);
}
END_TEST

static double loss(ga_context *context, const setup *s)
{
    DLTensor *o = output(context, s, "o");
    double sum = 0;
    for (int64_t i = 0; i < count_of(o); i++) {
        sum += value_at(o, i) * s->grad.f64[i];
    }
    ga_tensor_destroy(context, o);
    return sum;
}

static void check_gradient(ga_context *context, setup *s, const char *name, array *input)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "grad_%s", name);
    s->call.grad_o = &s->grad.tensor;
    DLTensor *grad = output(context, s, wanted);
    s->call.grad_o = NULL;
    ck_assert_int_eq(grad->ndim, input->tensor.ndim);
    ck_assert_int_eq(count_of(grad), array_count(input));
    for (int64_t i = 0; i < array_count(input); i++) {
        double old = input->f64[i], step = 1e-5;
        input->f64[i] = old + step;
        double above = loss(context, s);
        input->f64[i] = old - step;
        double slope = (above - loss(context, s)) / (2 * step);
        input->f64[i] = old;
        ck_assert_msg(fabs(slope - value_at(grad, i)) < 1e-7 * (1 + fabs(slope)),
                      "%s: %s %lld: %g, by differences %g", s->what->variant, wanted, (long long)i,
                      value_at(grad, i), slope);
    }
    ga_tensor_destroy(context, grad);
}

/* True for an input of the variant that has no gradient. */
static bool is_constant(const char *variant, const char *name)
{
    for (const ga_tensor_slot *slot = ga_variant_find(variant)->tensors; slot && slot->name; slot++) {
        if (strcmp(slot->name, name) == 0) {
            return !slot->differentiable;
        }
    }
    return false;
}

START_TEST(gradients_by_differences)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    setup_make(&s, &kinds[_i], type_f64);
    check_gradient(context, &s, "q", &s.q);
    check_gradient(context, &s, "k", &s.k);
    check_gradient(context, &s, "v", &s.v);
    for (int64_t i = 0; i < s.call.tensor_count; i++) {
        if (s.extra[i].tensor.dtype.code == kDLFloat && !is_constant(s.what->variant, s.tensors[i].name)) {
            check_gradient(context, &s, s.tensors[i].name, &s.extra[i]);
        }
    }
    ga_context_destroy(context);
}
END_TEST

/* The gradient of a parameter: sigmoid's bias. */
START_TEST(gradient_of_a_parameter)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    setup_make(&s, &kinds[7], type_f64);
    s.call.grad_o = &s.grad.tensor;
    DLTensor *grad = output(context, &s, "grad_bias");
    ga_named_text above[] = { { "bias", "0.25001" }, { "bias_mode", "log_row" } };
    ga_named_text below[] = { { "bias", "0.24999" }, { "bias_mode", "log_row" } };
    s.call.parameters = above;
    double slope = loss(context, &s);
    s.call.parameters = below;
    slope = (slope - loss(context, &s)) / 2e-5;
    ck_assert_int_eq(count_of(grad), 1);
    ck_assert_double_eq_tol(value_at(grad, 0), slope, 1e-8);
    ga_tensor_destroy(context, grad);
    ga_context_destroy(context);
}
END_TEST

static void same_bits(const DLTensor *a, const DLTensor *b)
{
    ck_assert_int_eq(count_of(a), count_of(b));
    ck_assert_int_eq(memcmp(a->data, b->data, (size_t)(count_of(a) * a->dtype.bits / 8)), 0);
}

START_TEST(threads_and_instructions)
{
    static setup s;
    ga_context *one = test_threads_context(1);
    setup_make(&s, &kinds[_i], type_f32);
    s.call.grad_o = &s.grad.tensor;
    for (ga_backend b = GA_BACKEND_SCALAR; b <= GA_BACKEND_AVX512; b++) {
        if (!ga_backend_available(b)) {
            continue;
        }
        test_ok(one, ga_context_set_backend(one, b));
        DLTensor *o = output(one, &s, "o"), *grad = output(one, &s, "grad_k");
        for (int threads = 2; threads <= 7; threads += threads == 3 ? 4 : 1) {
            ga_context *more = test_threads_context(threads);
            test_ok(more, ga_context_set_backend(more, b));
            DLTensor *other = output(more, &s, "o"), *other_grad = output(more, &s, "grad_k");
            same_bits(o, other);
            same_bits(grad, other_grad);
            ga_tensor_destroy(more, other);
            ga_tensor_destroy(more, other_grad);
            ga_context_destroy(more);
        }
        ga_tensor_destroy(one, o);
        ga_tensor_destroy(one, grad);
    }
    ga_context_destroy(one);
}
END_TEST

START_TEST(nan_stays_in_its_row)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    setup_make(&s, &kinds[_i], type_f32);
    DLTensor *clean = output(context, &s, "o");
    s.q.f32[2 * DIM] = NAN; /* query 2 of head 0, which has keys everywhere */
    DLTensor *o = output(context, &s, "o");
    for (int64_t i = 0; i < count_of(o); i++) {
        bool ours = i / DIM_V == 2;
        ck_assert_msg(ours ? isnan(value_at(o, i)) : value_at(o, i) == value_at(clean, i),
                      "%s: value %lld is %g", s.what->variant, (long long)i, value_at(o, i));
    }
    ga_tensor_destroy(context, clean);
    ga_tensor_destroy(context, o);
    ga_context_destroy(context);
}
END_TEST

/* What a variant is made of gives the variant, bit for bit. */
START_TEST(own_parts_by_name)
{
    ga_context *context = test_threads_context(1);
    static const kind pairs[][2] = {
        { { .variant = "full" }, { "full", .pattern = "full", .normaliser = "softmax" } },
        { { "window", .causal = true, .set = { { "window", "3" } } },
          { "full", .causal = true, .pattern = "window:window=3" } },
        { { "window", .set = { { "window", "3" } } },
          { "window", .normaliser = "softmax", .set = { { "window", "3" } } } },
        { { "neighborhood", .set = { { "shape", "3,2" }, { "window", "3,1" } } },
          { "full", .pattern = "neighborhood:shape=3x2,window=3x1" } },
        { { "graph", .graph = true }, { "full", .pattern = "graph", .graph = true } },
        { { "sigmoid", .set = { { "bias", "-1" } } }, { "full", .normaliser = "sigmoid:bias=-1" } },
        { { "softplus", .set = { { "normalise_qk", "0" } } }, { "full", .normaliser = "softplus" } },
    };
    static setup a, b;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        setup_make(&a, &pairs[i][0], type_f32);
        setup_make(&b, &pairs[i][1], type_f32);
        DLTensor *of_a = output(context, &a, "o"), *of_b = output(context, &b, "o");
        same_bits(of_a, of_b);
        ga_tensor_destroy(context, of_a);
        ga_tensor_destroy(context, of_b);
    }
    ga_context_destroy(context);
}
END_TEST

/* Tokens in front of heads, as (batch, tokens, heads, dim) memory gives it, and fewer axes. */
START_TEST(strides_and_axes)
{
    ga_context *context = test_threads_context(1);
    static setup s, moved;
    setup_make(&s, &kinds[1], type_f32);
    setup_make(&moved, &kinds[1], type_f32);
    int64_t strides[] = { HEADS * N * DIM, DIM, HEADS * DIM, 1 };
    for (int64_t i = 0; i < HEADS * N * DIM; i++) {
        int64_t h = i / DIM / N, n = i / DIM % N;
        moved.q.f32[(n * HEADS + h) * DIM + i % DIM] = s.q.f32[i];
    }
    moved.q.tensor.strides = strides;
    moved.k.tensor.ndim = 2;
    moved.k.tensor.shape += 2;
    DLTensor *a = output(context, &s, "o"), *b = output(context, &moved, "o");
    same_bits(a, b);
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    moved.call.grad_o = &moved.grad.tensor;
    a = output(context, &moved, "grad_k");
    ck_assert_int_eq(a->ndim, 2);
    ga_tensor_destroy(context, a);
    ga_context_destroy(context);
}
END_TEST

START_TEST(statistics)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    setup_make(&s, &kinds[7], type_f32);
    ga_named_tensor w[] = { { "map", NULL }, { "stats", NULL },  { "entropy", NULL },
                            { "max", NULL }, { "argmax", NULL }, { "column_sum", NULL } };
    test_ok(context, ga_attend(context, "sigmoid", &s.call, w, 6));
    ck_assert(isnan(value_at(w[1].tensor, 0)));
    for (int64_t row = 0; row < HEADS * N; row++) {
        double entropy = 0, most = -1;
        for (int64_t j = 0; j <= row % N; j++) {
            double x = value_at(w[0].tensor, row * N + j);
            entropy -= x * log(x);
            most = x > most ? x : most;
        }
        ck_assert_double_eq_tol(value_at(w[1].tensor, 3 * row + 1), entropy, 1e-5);
        ck_assert_double_eq_tol(value_at(w[2].tensor, row), entropy, 1e-5);
        ck_assert_double_eq_tol(value_at(w[3].tensor, row), most, 1e-6);
        ck_assert_double_eq_tol(value_at(w[0].tensor, row * N + (int64_t)value_at(w[4].tensor, row)), most,
                                1e-6);
    }
    for (int i = 0; i < 6; i++) {
        ga_tensor_destroy(context, w[i].tensor);
    }
    ga_context_destroy(context);
}
END_TEST

/* ---- what is refused ---- */

static void refused(ga_context *context, const kind *what, const char *words)
{
    static setup s;
    setup_make(&s, what, type_f32);
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, words);
}

START_TEST(refused_in_words)
{
    ga_context *context = test_threads_context(1);
    static const struct {
        kind what;
        const char *words;
    } table[] = {
        { { .variant = "gloria" }, "no variant 'gloria'" },
        { { .variant = NULL }, "no variant ''" },
        { { "full", .set = { { "x", "1" } } }, "full has no parameter 'x'" },
        { { "full", .set = { { "softcap", "-1" } } },
          "full: softcap=-1: expected a number, 0 = off, else > 0" },
        { { "full", .set = { { "softcap", "nan" } } }, "full: softcap=nan" },
        { { "full", .set = { { "softcap", "1e999" } } }, "full: softcap=1e999" },
        { { "full", .set = { { "softcap", NULL } } }, "full: softcap=" },
        { { "window", .set = { { "window", "2.5" } } }, "window: window=2.5: expected an integer" },
        { { "window", .set = { { "window", "99999999999999999999" } } }, "expected an integer" },
        { { "window", .set = { { "sinks", "7" } } }, "window: sinks=7: expected at most the 6 keys" },
        { { "window", .set = { { "left", "3" } }, .tensors = { { "bias", 2, { 1, 4 } } } },
          "bias needs finite sides" },
        { { "window", .set = { { "window", "3" } }, .tensors = { { "bias", 2, { 1, 4 } } } },
          "bias: shape (1, 4), expected (2|1, 3)" },
        { { "softplus", .set = { { "length_scale", "2" } } },
          "length_scale=2: expected 0, 1, false or true" },
        { { "sigmoid", .set = { { "bias_mode", "log" } } }, "bias_mode=log: expected log_n|log_row|fixed" },
        { { .variant = "neighborhood" }, "neighborhood needs window" },
        { { "neighborhood", .set = { { "window", "7" } } }, "neighborhood: window=7: expected" },
        { { "neighborhood", .set = { { "window", "3,3" } } }, "expected 1 value" },
        { { "neighborhood", .set = { { "window", "" } } }, "neighborhood: window=: expected" },
        { { "neighborhood", .set = { { "window", "1" }, { "shape", "1,1,1,6" } } }, "1 to 3 axes" },
        { { "neighborhood", .set = { { "window", "1" }, { "shape", "4,2" } } },
          "shape has 8 tokens, input has 6" },
        { { "neighborhood", .set = { { "window", "1" } },
            .tensors = { { "k_extra", 4, { 1, KV, 2, DIM } } } },
          "both k_extra and v_extra" },
        { { .variant = "block-sparse" }, "block-sparse needs block_map" },
        { { "block-sparse", .tensors = { { "block_map", 2, { 2, 2 } } } },
          "block_map: shape (2, 2), expected" },
        { { .variant = "graph" }, "graph needs --graph" },
        { { "full", .graph = true }, "full takes no graph" },
        { { "full", .tensors = { { "gate", 1, { 1 } } } }, "full has no tensor 'gate'" },
        { { "full", .tensors = { { "bias", 3, { 1, N, N } }, { "bias", 3, { 1, N, N } } } },
          "bias is given twice" },
        { { "full", .tensors = { { "bias", 3, { 3, N, N } } } },
          "bias: shape (3, 6, 6), expected (2|1, 6, 6)" },
        { { "full", .pattern = "" }, "no pattern ''" },
        { { "full", .pattern = "near:x=1" }, "no pattern 'near'; the patterns are full, window" },
        { { "full", .pattern = "window:" }, "pattern window: found ''" },
        { { "full", .pattern = "window:wide=1" }, "pattern window has no parameter 'wide'" },
        { { "full", .pattern = "neighborhood:shape=6" }, "pattern neighborhood needs window" },
        { { "full", .pattern = "block-sparse" }, "pattern block-sparse needs block_map" },
        { { "full", .pattern = "graph" }, "pattern graph needs --graph" },
        { { "full", .normaliser = "inlined" }, "no normaliser 'inlined'" },
        { { "full", .normaliser = "relu-l1:eps=0" }, "normaliser relu-l1: eps=0: expected a number, > 0" },
        { { "full", .normaliser = "norm-attention" }, "normaliser norm-attention needs eta_logits" },
        { { "window", .pattern = "full" }, "window has its own pattern" },
        { { "linear", .pattern = "full" }, "linear carries a state and takes no pattern" },
        { { "linear", .normaliser = "softmax" }, "linear has its own normaliser" },
        { { "sigmoid", .normaliser = "sigmoid" }, "sigmoid has its own normaliser" },
        { { "linear", .tensors = { { "initial_state", 4, { 1, KV, DIM, DIM_V } } } },
          "initial_state: shape" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        refused(context, &table[i].what, table[i].words);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(refused_outputs)
{
    ga_context *context = test_threads_context(1);
    static const struct {
        const char *variant, *name, *words;
    } table[] = {
        { "full", "state", "full has no output 'state'" },
        { "linear", "map", "linear has no output 'map'" },
        { "linear", "entropy", "linear has no output 'entropy'" },
        { "sigmoid", "lse", "normaliser sigmoid has no lse" },
        { "full", "o", "output 'o' is wanted twice" },
        { "full", "", "full has no output ''" },
        { "full", "grad_q", "grad_q needs the gradient of o" },
        { "full", "grad_bias", "full got no differentiable input 'bias'" },
        { "full", "grad_", "no differentiable input ''" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        static setup s;
        kind what = { .variant = table[i].variant };
        setup_make(&s, &what, type_f32);
        test_status(context, refusal(context, &s, table[i].name), GA_INVALID);
        test_error_has(context, table[i].words);
    }
    ga_context_destroy(context);
}
END_TEST

START_TEST(refused_tensors)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    setup_make(&s, &kinds[1], type_f32);
    s.k.shape[3] = 3;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, "k: shape");
    setup_make(&s, &kinds[1], type_f32);
    s.v.shape[2] = N - 1;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    setup_make(&s, &kinds[1], type_f32);
    s.q.shape[1] = -1;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    s.q.shape[1] = INT64_MAX / 2;
    test_status(context, refusal(context, &s, NULL), GA_OVERFLOW);
    setup_make(&s, &kinds[1], type_f32);
    s.call.v = NULL;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    setup_make(&s, &kinds[1], type_f32);
    s.q.tensor.ndim = 5;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    setup_make(&s, &kinds[1], type_f32);
    s.q.tensor.dtype = type_u8;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    setup_make(&s, &kinds[1], type_f32);
    s.call.grad_o = &s.q.tensor;
    test_status(context, refusal(context, &s, "grad_q"), GA_INVALID);
    test_error_has(context, "grad_o: shape");
    s.call.f64 = s.call.bf16 = true;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    setup_make(&s, &kinds[1], type_f32);
    s.call.scale = INFINITY;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    kind three = { .variant = "full" };
    setup_make(&s, &three, type_f32);
    s.k.shape[1] = s.v.shape[1] = 2;
    s.q.shape[1] = 3;
    s.q.shape[2] = s.k.shape[2] = s.v.shape[2] = 2;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, "q has 3 heads, expected a multiple of the 2 heads of k and v");
    ga_context_destroy(context);
}
END_TEST

START_TEST(refused_edges)
{
    ga_context *context = test_threads_context(1);
    static setup s;
    int64_t keys[] = { 0, 1, 6 }, queries[] = { 0, 40, 1 }, lines[] = { 2, 4, 9 };
    ga_edge_rows rows = { "x.txt", 3, keys, queries, lines, NULL };
    kind what = { "full", .pattern = "graph", .graph = true };
    setup_make(&s, &what, type_f32);
    s.call.edges = &rows;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, "pattern graph: x.txt:4: query 40 of 6");
    queries[1] = 1;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, "pattern graph: x.txt:9: key 6 of 6");
    keys[2] = -1;
    rows.lines = NULL;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    test_error_has(context, "x.txt: edge 2: key -1 of 6");
    keys[2] = 1; /* (1, 1) twice: merged, but not where edges have a bias */
    test_ok(context, refusal(context, &s, NULL));
    kind biased = { "graph", .graph = true, .tensors = { { "edge_bias", 1, { 3 } } } };
    setup_make(&s, &biased, type_f32);
    s.call.edges = &rows;
    test_status(context, refusal(context, &s, NULL), GA_INVALID);
    ga_context_destroy(context);
}
END_TEST

/* ---- a graph instead of rows, lists, sizes of nothing, memory ---- */

START_TEST(graph_as_rows_and_lists)
{
    ga_context *context = test_threads_context(1);
    static setup s, of_graph;
    ga_graph *graph = NULL;
    uint32_t from[7], to[7];
    for (int i = 0; i < 7; i++) {
        from[i] = (uint32_t)edge_keys[i];
        to[i] = (uint32_t)edge_queries[i];
    }
    test_ok(context,
            ga_graph_from_edges(context, N, 7, from, to, NULL, GA_LOOPS_KEEP, GA_MULTI_COLLAPSE, &graph));
    kind what = { "graph", .graph = true };
    setup_make(&s, &what, type_f32);
    setup_make(&of_graph, &what, type_f32);
    of_graph.call.edges = NULL;
    of_graph.call.graph = graph;
    DLTensor *a = output(context, &s, "o"), *b = output(context, &of_graph, "o");
    same_bits(a, b);
    ga_tensor_destroy(context, a);
    ga_tensor_destroy(context, b);
    ga_graph_destroy(context, graph);
    ga_context_destroy(context);
}
END_TEST

START_TEST(nothing_to_do)
{
    ga_context *context = test_threads_context(2);
    static setup s;
    for (int axis = 0; axis < 3; axis++) {
        for (int i = 0; i < 3; i++) {
            const kind what[] = { { .variant = "full" }, { .variant = "sigmoid" }, { .variant = "linear" } };
            setup_make(&s, &what[i], type_f32);
            s.q.shape[axis] = 0;
            s.grad.shape[axis] = 0;
            if (axis < 2) {
                s.k.shape[axis] = s.v.shape[axis] = 0;
            }
            s.call.grad_o = &s.grad.tensor;
            DLTensor *o = output(context, &s, "o"), *grad = output(context, &s, "grad_k");
            ck_assert_int_eq(count_of(o), 0);
            for (int64_t x = 0; x < count_of(grad); x++) {
                ck_assert_double_eq(value_at(grad, x), 0);
            }
            ga_tensor_destroy(context, o);
            ga_tensor_destroy(context, grad);
        }
    }
    kind what = { .variant = "full" };
    setup_make(&s, &what, type_f32); /* queries without keys */
    s.k.shape[2] = s.v.shape[2] = 0;
    DLTensor *o = output(context, &s, "o"), *lse = output(context, &s, "lse");
    ck_assert_double_eq(value_at(o, 5), 0);
    ck_assert_double_eq(value_at(lse, 0), -INFINITY);
    ga_tensor_destroy(context, o);
    ga_tensor_destroy(context, lse);
    ga_context_destroy(context);
}
END_TEST

static ga_status everything(ga_context *context, void *user)
{
    setup *s = user;
    ga_named_tensor wanted[] = { { "o", NULL }, { "grad_q", NULL }, { "grad_k", NULL }, { NULL, NULL } };
    int64_t count = 3;
    char name[64];
    if (s->call.tensor_count > 0 && s->extra[0].tensor.dtype.code == kDLFloat &&
        !is_constant(s->what->variant, s->tensors[0].name)) {
        snprintf(name, sizeof name, "grad_%s", s->tensors[0].name);
        wanted[count++].name = name;
    }
    ga_status status = ga_attend(context, s->what->variant, &s->call, wanted, count);
    for (int64_t i = 0; i < count; i++) {
        ck_assert(status == GA_OK || !wanted[i].tensor);
        ga_tensor_destroy(context, wanted[i].tensor);
    }
    return status;
}

START_TEST(memory_runs_out)
{
    static setup s;
    setup_make(&s, &kinds[_i], _i % 2 ? type_f32 : type_f64);
    s.call.f64 = false; /* so that f64 is converted */
    s.call.bf16 = _i % 3 == 0;
    s.call.grad_o = &s.grad.tensor;
    ck_assert_int_gt(test_each_allocation(everything, &s, 1), 5);
}
END_TEST

static ga_status make_pattern(ga_context *context, void *user)
{
    const setup *s = user;
    ga_pattern *pattern = NULL;
    ga_status status = ga_attend_pattern(context, s->what->variant, &s->call, HEADS, KV, N, N, &pattern);
    ck_assert_int_eq(status == GA_OK, pattern != NULL);
    ga_pattern_destroy(context, pattern);
    return status;
}

START_TEST(patterns_alone)
{
    static setup s;
    ga_context *context = test_threads_context(1);
    setup_make(&s, &kinds[_i], type_f32);
    s.call.q = s.call.k = s.call.v = NULL;
    if (ga_variant_find(s.what->variant)->can & GA_CARRIES_STATE) {
        test_status(context, make_pattern(context, &s), GA_INVALID);
    } else {
        test_ok(context, make_pattern(context, &s));
        ga_pattern *pattern = NULL;
        test_status(context, ga_attend_pattern(context, s.what->variant, &s.call, 3, 2, N, N, &pattern),
                    GA_INVALID);
        ck_assert_int_gt(test_each_allocation(make_pattern, &s, 1), 0);
    }
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registry");
    TCase *table = tcase_create("table"), *results = tcase_create("results"),
          *refusals = tcase_create("refused");
    tcase_add_test(table, table_is_sound);
    tcase_add_test(results, full_by_its_formula);
    tcase_add_loop_test(results, gradients_by_differences, 0, KINDS);
    tcase_add_test(results, gradient_of_a_parameter);
    tcase_add_loop_test(results, threads_and_instructions, 0, KINDS);
    tcase_add_loop_test(results, nan_stays_in_its_row, 0, KINDS);
    tcase_add_test(results, own_parts_by_name);
    tcase_add_test(results, strides_and_axes);
    tcase_add_test(results, statistics);
    tcase_add_test(results, graph_as_rows_and_lists);
    tcase_add_test(results, nothing_to_do);
    tcase_add_loop_test(results, memory_runs_out, 0, KINDS);
    tcase_add_loop_test(results, patterns_alone, 0, KINDS);
    tcase_add_test(refusals, refused_in_words);
    tcase_add_test(refusals, refused_outputs);
    tcase_add_test(refusals, refused_tensors);
    tcase_add_test(refusals, refused_edges);
    suite_add_tcase(suite, table);
    suite_add_tcase(suite, results);
    suite_add_tcase(suite, refusals);
    return test_run(suite);
}
