/* needle.c - what share of a planted needle every selector chooses, by depth and budget.
 *
 * Keys are noise; around the needle's place they lean towards one direction, which the query asks for. A sharp needle is
 * NEEDLE keys and nothing around them; a smooth one rises and falls over its neighbourhood, as keys of a text do, which the
 * tree search needs to come near it. A landmark leans as the best key of its block does, which is what training makes of
 * it; it has no weight of its own and is not among the keys to find. Prints selector, needle, keys, budget, depth, recall. */
#include <graphattn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADS = 4,
    KV_HEADS = 2,
    DIM = 64,
    NEEDLE = 16,
    ROWS = 32,
    SETTINGS = 6,
    DEPTHS = 9,
    MARKS = 16 /* tokens of a block with its landmark */
};

typedef struct method {
    const char *name;
    struct {
        const char *name, *value; /* value NULL: the budget divided */
        int divisor;
    } settings[SETTINGS];
    int rows; /* queries */
    enum {
        PLAIN,
        EVICTS,
        LANDMARKS,
        STEP
    } kind; /* STEP: by a decoding session, since its calls with few queries are dense */
} method;

static const method methods[] = {
    { "quest", { { "budget", NULL, 1 }, { "group_reduce", "max", 0 } }, 1 },
    { "block-topk",
      { { "block", "16", 0 }, { "block_q", "1", 0 }, { "top_k", NULL, 16 }, { "group_reduce", "mean", 0 } },
      1 },
    { "hip", { { "top_k", NULL, 2 }, { "window", NULL, 2 } }, 1 },
    { "dhsa", { { "budget", NULL, 1 } }, 1 },
    { "vertical-slash", { { "columns", NULL, 2 }, { "slashes", NULL, 2 } }, 1 },
    { "landmark",
      { { "block", "15", 0 }, { "mode", "retrieve", 0 }, { "top_k", NULL, MARKS } },
      1,
      LANDMARKS },
    { "flexprefill",
      { { "block", "16", 0 }, { "min_budget", NULL, 2 }, { "max_budget", NULL, 2 }, { "tau", "0", 0 } },
      1,
      STEP },
    { "recycled",
      { { "top_k", NULL, 1 } },
      2 }, /* the first step is full, the second one uses what it left */
    { "snapkv", { { "budget", NULL, 1 }, { "group_reduce", "max", 0 } }, ROWS, EVICTS },
    { "ada-snapkv", { { "budget", NULL, 1 } }, ROWS, EVICTS },
};

static double noise(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

static float direction(int64_t channel)
{
    return channel % 3 == 0 ? 1.0F : -0.5F;
}

static void fail(ga_context *context, const char *what)
{
    (void)fprintf(stderr, "needle: %s: %s\n", what, ga_context_error(context));
    exit(1);
}

static DLTensor *tensor(ga_context *context, int64_t heads, int64_t rows)
{
    static const DLDataType f32 = { kDLFloat, 32, 1 };
    const int64_t shape[] = { heads, rows, DIM };
    DLTensor *made = NULL;
    if (ga_tensor_create(context, f32, 3, shape, &made) != GA_OK) {
        fail(context, "memory");
    }
    return made;
}

/* How strongly a key leans towards the needle's direction. */
static double strength(int64_t key, int64_t first, int smooth)
{
    double far = key < first             ? (double)(first - key)
                 : key >= first + NEEDLE ? (double)(key - first - NEEDLE + 1)
                                         : 0;
    return smooth ? exp(-far * far / (2.0 * 24 * 24)) : far == 0;
}

/* The same of a landmark: the strongest of its block. */
static double strength_of_block(int64_t mark, int64_t first, int smooth)
{
    double most = 0;
    for (int64_t j = mark + 1 - MARKS; j < mark; j++) {
        double one = strength(j, first, smooth);
        most = one > most ? one : most;
    }
    return most;
}

static void plant(const method *m, DLTensor *q, DLTensor *k, int64_t keys, int64_t first, int smooth)
{
    uint64_t state = 7;
    float *to = k->data;
    for (int64_t i = 0; i < KV_HEADS * keys * DIM; i++) {
        int64_t key = i / DIM % keys;
        double some = m->kind == LANDMARKS && key % MARKS == MARKS - 1 ? strength_of_block(key, first, smooth)
                                                                       : strength(key, first, smooth);
        to[i] = (float)(noise(&state) + some * (double)direction(i % DIM));
    }
    to = q->data;
    for (int64_t i = 0; i < HEADS * q->shape[1] * DIM; i++) {
        to[i] = (float)(0.5 * noise(&state)) + direction(i % DIM);
    }
}

/* Share of the needle's keys that the last query sees, over all heads. */
static double recall(ga_context *context, const ga_selection *selection, int64_t first, int marks)
{
    ga_pattern *pattern = NULL;
    int64_t seen = 0;
    if (ga_pattern_selected(context, selection, 0, &pattern) != GA_OK) {
        fail(context, "pattern");
    }
    int64_t(*runs)[2] = malloc((size_t)ga_pattern_most_runs(pattern) * sizeof *runs);
    for (int64_t h = 0; h < HEADS; h++) {
        int64_t head = ga_pattern_heads(pattern) == 1 ? 0 : h;
        int64_t count = ga_pattern_row_runs(pattern, head, ga_pattern_queries(pattern) - 1, runs);
        for (int64_t i = 0; i < count; i++) {
            int64_t from = runs[i][0] > first ? runs[i][0] : first,
                    to = runs[i][1] < first + NEEDLE ? runs[i][1] : first + NEEDLE;
            seen += to > from ? to - from : 0;
        }
    }
    free(runs);
    ga_pattern_destroy(context, pattern);
    return (double)seen / (HEADS * (NEEDLE - marks * NEEDLE / MARKS));
}

/* What a step of a decoding session chooses. */
static double run_step(ga_context *context, const method *m, const ga_attend_call *call, int64_t first)
{
    ga_session_options options = GA_SESSION_OPTIONS_INIT;
    ga_session *session = NULL;
    options.cache = (ga_cache_options){ KV_HEADS, DIM, DIM, { kDLFloat, 32, 1 }, 0 };
    options.heads = HEADS;
    options.variant = m->name;
    options.parameters = call->parameters;
    options.parameter_count = call->parameter_count;
    if (ga_session_open(context, &options, &session) != GA_OK ||
        ga_session_append(context, session, call->k, call->k) != GA_OK ||
        ga_session_step(context, session, call->q, NULL, NULL) != GA_OK) {
        fail(context, m->name);
    }
    double found = recall(context, ga_session_selection(session, 0), first, 0);
    ga_session_close(context, session);
    return found;
}

/* snapkv and its kin choose at the prompt's end: one more key stands for the text behind it. */
static double run(ga_context *context, const method *m, int64_t keys, int64_t budget, int64_t first,
                  int smooth)
{
    ga_named_text settings[SETTINGS + 1];
    char text[SETTINGS + 1][24];
    ga_attend_call call = GA_ATTEND_CALL_INIT;
    ga_selection *selection = NULL;
    int evicts = m->kind == EVICTS;
    double found;
    DLTensor *q = tensor(context, HEADS, m->rows + evicts), *k = tensor(context, KV_HEADS, keys);
    plant(m, q, k, keys, first, smooth);
    for (int i = 0; i < SETTINGS && m->settings[i].name; i++) {
        (void)snprintf(text[i], sizeof text[i], "%lld",
                       (long long)(budget / (m->settings[i].divisor + !m->settings[i].divisor)));
        settings[i] =
            (ga_named_text){ m->settings[i].name, m->settings[i].value ? m->settings[i].value : text[i] };
        call.parameter_count = i + 1;
    }
    if (evicts) {
        (void)snprintf(text[SETTINGS], sizeof text[SETTINGS], "%lld", (long long)(keys - 1));
        settings[call.parameter_count++] = (ga_named_text){ "prompt", text[SETTINGS] };
    }
    call.q = q;
    call.k = k;
    call.causal = true;
    call.parameters = settings;
    if (m->kind == STEP) {
        found = run_step(context, m, &call, first);
    } else {
        if (ga_select(context, m->name, &call, &selection) != GA_OK) {
            fail(context, m->name);
        }
        found = recall(context, selection, first, m->kind == LANDMARKS);
    }
    ga_selection_destroy(context, selection);
    ga_tensor_destroy(context, q);
    ga_tensor_destroy(context, k);
    return found;
}

int main(int argc, char **argv)
{
    static const int shares[] = { 8, 16, 32, 64 };
    int64_t keys = argc > 1 ? atoll(argv[1]) : 16384;
    ga_context *context = NULL;
    if (keys < 4096 || ga_context_create(&context) != GA_OK) {
        (void)fprintf(stderr, "needle: usage: needle [keys, at least 4096]\n");
        return 2;
    }
    printf("# selector\tneedle\tkeys\tbudget\tdepth\trecall\n");
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        for (int smooth = 1; smooth >= 0; smooth--) {
            for (size_t b = 0; b < sizeof shares / sizeof *shares; b++) {
                for (int64_t d = 0; d < DEPTHS; d++) {
                    int64_t first = (keys - NEEDLE - 64) * d / (DEPTHS - 1), budget = keys / shares[b];
                    printf("%s\t%s\t%lld\t%lld\t%.3f\t%.3f\n", methods[m].name, smooth ? "smooth" : "sharp",
                           (long long)keys, (long long)budget, (double)d / (DEPTHS - 1),
                           run(context, &methods[m], keys, budget, first, smooth));
                }
            }
        }
    }
    ga_context_destroy(context);
    return 0;
}
