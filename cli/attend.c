/* attend.c - graphattn attend: one attention variant on tensors. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

enum { BACKEND_CUDA = GA_BACKEND_AVX512 + 1 };
const char *const backend_words[] = {
    [GA_BACKEND_AUTO] = "auto",     [GA_BACKEND_SCALAR] = "scalar", [GA_BACKEND_AVX2] = "avx2",
    [GA_BACKEND_AVX512] = "avx512", [BACKEND_CUDA] = "cuda",        NULL
};
enum { ATTEND_F32, ATTEND_BF16, ATTEND_F64 };
static const char *const attend_precisions[] = { "f32", "bf16", "f64", NULL };

static const option rows[] = {
    { "query", 'Q', OPTION_TEXT, AT(q), "FILE", .help = "queries (B, H, Nq, D), as .npy" },
    { "key", 'K', OPTION_TEXT, AT(k), "FILE", .help = "keys (B, H_kv, Nk, D)" },
    { "value", 'V', OPTION_TEXT, AT(v), "FILE", .help = "values (B, H_kv, Nk, Dv)" },
    { "grad-output", 0, OPTION_TEXT, AT(grad_output), "FILE",
      .help = "gradient of the output, for --return grad_NAME" },
    { "scale", 0, OPTION_REAL, AT(scale), "X",
      .help = "factor of the scores (default: the variant's, mostly 1/sqrt(D))", .least = -1e300 },
    { "normaliser", 0, OPTION_TEXT, AT(normaliser), "P",
      .help = "NAME[:k=v,...]: how scores become weights, instead of the variant's own" },
    { "decode", 0, OPTION_SWITCH, AT(decode),
      .help = "feed the tokens one by one, by a state or with growing keys; implies --causal" },
    { "precision", 0, OPTION_WORD, AT(precision),
      .help = "f32 (default), q, k, v in bf16, or everything in f64", .words = attend_precisions },
    BACKEND_ROW,
    { 0 }
};
const option_group attend_options = { "Attention", rows };

static const option result_rows[] = {
    { "output", 'o', OPTION_TEXT, AT(output), "FILE",
      .help = "where the output o goes, as .npy (default: -, standard output)" },
    { "return", 0, OPTION_LIST, AT(returned), "NAME=FILE",
      .help = "another output: lse, map, stats, state, grad_q, ...; may be repeated" },
    { 0 }
};
const option_group attend_result_options = { "Result", result_rows };

/* --backend or the environment; -1: neither, -2: an unknown word there. */
static int wanted_backend(const session *s)
{
    const char *word = getenv("GRAPHATTN_BACKEND");
    if (s->is.backend >= 0 || !word || !*word) {
        return s->is.backend;
    }
    for (int i = 0; backend_words[i]; i++) {
        if (strcmp(backend_words[i], word) == 0) {
            return i;
        }
    }
    return -2;
}

int check_backend(const session *s)
{
    if (wanted_backend(s) != -2) {
        return 0;
    }
    return usage_error(s, "GRAPHATTN_BACKEND: found \"%s\", expected auto|scalar|avx2|avx512|cuda",
                       getenv("GRAPHATTN_BACKEND"));
}

ga_status set_backend(session *s)
{
    int backend = wanted_backend(s);
    if (backend == BACKEND_CUDA) {
        return complain(s, GA_UNSUPPORTED, "--backend cuda: there is no CUDA in this build");
    }
    return ga_context_set_backend(s->context, backend < 0 ? GA_BACKEND_AUTO : (ga_backend)backend);
}

/* ---- outputs by name ---- */

void writes_outputs(session *s)
{
    writes(s, s->is.output);
    for (int i = 0; i < s->is.returned.count; i++) {
        const char *path;
        (void)split_pair(s->is.returned.words[i], &path);
        writes(s, path);
    }
}

ga_status name_outputs(session *s, const char *main, ga_named_tensor **wanted)
{
    ga_status status = GA_OK;
    const char *name = NULL;
    GA_TRY(GA_NEW_ZERO(s->context, s->is.returned.count + 1, wanted));
    (*wanted)[0].name = main;
    for (int i = 0; i < s->is.returned.count; i++) {
        GA_TRY(pair_name(s, s->is.returned.words[i], &name));
        (*wanted)[i + 1].name = name;
    }
done:
    return status;
}

/* Standard output last: what fails must fail before data flow into a pipe. */
ga_status write_outputs(session *s, const ga_named_tensor *wanted)
{
    ga_status status = GA_OK;
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i <= s->is.returned.count; i++) {
            const char *path = s->is.output;
            if (i > 0) {
                (void)split_pair(s->is.returned.words[i - 1], &path);
            }
            if (is_standard(path) == (turn == 1)) {
                GA_TRY(write_tensor(s, wanted[i].tensor, path));
            }
        }
    }
done:
    return status;
}

void free_outputs(session *s, ga_named_tensor *wanted)
{
    for (int i = 0; wanted && i <= s->is.returned.count; i++) {
        ga_tensor_destroy(s->context, wanted[i].tensor);
        if (i > 0) {
            ga_free(s->context, (void *)wanted[i].name);
        }
    }
    ga_free(s->context, wanted);
}

/* ---- the command ---- */

int attend_check(session *s)
{
    int bad = check_inputs(s);
    bad = bad ? bad : check_pairs(s, "--return", &s->is.returned);
    const ga_variant *variant = s->operand_count ? ga_variant_find(s->operands[0]) : NULL;
    bool alone = variant && variant->can & GA_QK_OPTIONAL,
         without_v = variant && variant->can & GA_V_OPTIONAL;
    if (!bad && ((!s->is.v && !without_v) || (!alone && (!s->is.q || !s->is.k)))) {
        bad = usage_error(s, "needs -Q, -K and -V");
    }
    bad = bad ? bad : check_backend(s);
    reads(s, s->is.q);
    reads(s, s->is.k);
    reads(s, s->is.v);
    reads(s, s->is.grad_output);
    if (!bad) {
        writes_outputs(s);
    }
    return bad;
}

ga_status attend_run(session *s)
{
    ga_status status = GA_OK;
    attend_inputs in = { .call = GA_ATTEND_CALL_INIT };
    ga_named_tensor *wanted = NULL;
    GA_TRY(set_backend(s));
    GA_TRY(read_inputs(s, &in));
    in.call.scale = s->is.scale;
    in.call.f64 = s->is.precision == ATTEND_F64;
    in.call.bf16 = s->is.precision == ATTEND_BF16;
    GA_TRY(name_outputs(s, "o", &wanted));
    status = (s->is.decode ? ga_attend_decode : ga_attend)(s->context, s->operands[0], &in.call, wanted,
                                                           s->is.returned.count + 1);
    s->wrong_usage = status == GA_INVALID;
    GA_TRY(status);
    GA_TRY(write_outputs(s, wanted));
done:
    free_outputs(s, wanted);
    free_inputs(s, &in);
    return status;
}
