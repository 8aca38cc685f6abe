/* report.c - what a selection keeps of full attention, and what it costs.
 *
 * Kept mass of a row = exp(lse over the kept keys - lse over all): two streaming passes, no map. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/dynamic/selector.h"
#include "attention/linear/rows.h"
#include "lib/engine/pattern/pattern.h"
#include "lib/engine/rowwise/rowwise.h"
#include "lib/engine/top_k/top_k.h"

enum { MOST_ROWS = 64, KEYS_AT_ONCE = 256 };

typedef struct reporting {
    ga__job run;
    ga__selecting s;
    const ga_selection *selection;
    const ga__rowwise_kernels *rowwise;
    const ga__top_k_kernels *top;
    ga_pattern **kept;              /* owned: of every batch entry */
    ga_pattern *all;                /* owned */
    DLTensor *o, *lse, *lse_all;    /* owned */
    double *recall;                 /* owned: of every sampled row, NaN where nothing was kept */
    int64_t rows;                   /* sampled rows of a head */
    double pairs, visible, touched; /* touched: keys that some query of a key head sees */
    double mass, least_mass, recall_sum, least_recall;
    int64_t mass_rows, recall_rows;
    double select_seconds, attend_seconds, dense_seconds;
} reporting;

static void close_report(reporting *r)
{
    ga_context *context = r->run.context;
    for (int64_t b = 0; r->kept && b < r->run.batch; b++) {
        ga_pattern_destroy(context, r->kept[b]);
    }
    ga_free(context, r->kept);
    ga_pattern_destroy(context, r->all);
    ga_tensor_destroy(context, r->o);
    ga_tensor_destroy(context, r->lse);
    ga_tensor_destroy(context, r->lse_all);
    ga_free(context, r->recall);
    ga__job_close(&r->run);
}

/* ---- the two passes ---- */

/* A batch entry of a contiguous tensor of the run, or of an input of at most four axes. */
static ga_status entry_of(const reporting *r, const DLTensor *tensor, int axes, int64_t entry, DLTensor *out,
                          int64_t shape[4])
{
    ga_status status = GA_OK;
    *out = *tensor;
    if (tensor->ndim == axes) {
        int64_t stride = 1;
        for (int i = axes - 1; i > 0; i--) {
            shape[i] = tensor->shape[i];
            stride *= tensor->shape[i];
        }
        shape[0] = 1;
        out->shape = shape;
        stride = tensor->strides ? tensor->strides[0] : stride;
        out->byte_offset += (uint64_t)(entry * stride * (tensor->dtype.bits / 8));
    } else if (entry > 0) {
        status = ga__fail(r->run.context, GA_INTERNAL, "report: a batch without an axis");
    }
    return status;
}

static ga_status attend_entry(const reporting *r, const ga_pattern *pattern, DLTensor *lse, int64_t entry)
{
    ga_status status = GA_OK;
    DLTensor q, k, v, o, part;
    int64_t shape[5][4];
    ga_attention problem = GA_ATTENTION_INIT;
    GA_TRY(entry_of(r, r->run.slots[GA__Q].tensor, 4, entry, &q, shape[0]));
    GA_TRY(entry_of(r, r->run.slots[GA__K].tensor, 4, entry, &k, shape[1]));
    GA_TRY(entry_of(r, r->run.slots[GA__V].tensor, 4, entry, &v, shape[2]));
    GA_TRY(entry_of(r, r->o, 4, entry, &o, shape[3]));
    GA_TRY(entry_of(r, lse, 3, entry, &part, shape[4]));
    problem.q = &q;
    problem.k = &k;
    problem.v = &v;
    problem.pattern = pattern;
    problem.score.scale = r->run.scale;
    status = ga_attention_forward(r->run.context, &problem, GA_FAMILY_AUTO,
                                  &(ga_attention_result){ .o = &o, .lse = &part }, NULL);
done:
    return status;
}

/* What a variant that computes by itself takes. */
static ga_status time_own(reporting *r)
{
    ga_status status = GA_OK;
    ga_named_tensor wanted = { "o", NULL };
    double start = ga__now();
    status = ga_attend(r->run.context, r->run.variant->name, r->run.call, &wanted, 1);
    r->attend_seconds = ga__now() - start;
    ga_tensor_destroy(r->run.context, wanted.tensor);
    return status;
}

static ga_status attend(reporting *r)
{
    ga_status status = GA_OK;
    const ga__job *run = &r->run;
    int64_t shape[] = { run->batch, run->heads, run->queries, run->dim_v };
    GA_TRY(ga_tensor_create(run->context, run->working, 4, shape, &r->o));
    GA_TRY(ga_tensor_create(run->context, run->working, 3, shape, &r->lse));
    GA_TRY(ga_tensor_create(run->context, run->working, 3, shape, &r->lse_all));
    GA_TRY(GA_NEW_ZERO(run->context, run->batch, &r->kept));
    GA_TRY(ga_pattern_full(run->context, run->queries, run->keys, run->causal, &r->all));
    for (int64_t b = 0; b < run->batch; b++) {
        GA_TRY(ga_pattern_selected(run->context, r->selection, b, &r->kept[b]));
        double start = ga__now();
        GA_TRY(attend_entry(r, r->kept[b], r->lse, b));
        double middle = ga__now();
        GA_TRY(attend_entry(r, r->all, r->lse_all, b));
        r->attend_seconds += middle - start;
        r->dense_seconds += ga__now() - middle;
    }
    if (run->engine == GA__ENGINE_OWN) {
        GA_TRY(time_own(r));
    }
done:
    return status;
}

static double number_at(const DLTensor *tensor, int64_t i)
{
    return tensor->dtype.bits == 64 ? ((const double *)tensor->data)[i]
                                    : (double)((const float *)tensor->data)[i];
}

static void weigh_rows(reporting *r)
{
    int64_t rows = r->run.batch * r->run.heads * r->run.queries;
    r->least_mass = INFINITY;
    for (int64_t i = 0; i < rows; i++) {
        double all = number_at(r->lse_all, i);
        if (all == -INFINITY) {
            continue;
        }
        double mass = fmin(exp(number_at(r->lse, i) - all), 1); /* rounding may give a little more */
        r->mass += mass;
        r->least_mass = mass < r->least_mass ? mass : r->least_mass;
        r->mass_rows++;
    }
}

/* ---- pairs ---- */

static void touch(uint8_t *seen, const ga__run *runs, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        memset(seen + runs[i].first, 1, (size_t)(runs[i].last - runs[i].first));
    }
}

static ga_status count_pairs(reporting *r)
{
    ga_status status = GA_OK;
    const ga__job *run = &r->run;
    uint8_t *seen = NULL;
    ga__run *runs = NULL;
    int64_t most = 1;
    for (int64_t b = 0; b < run->batch; b++) {
        most = ga__max(most, ga_pattern_most_runs(r->kept[b]));
    }
    GA_TRY(GA_NEW(run->context, run->keys, &seen));
    GA_TRY(GA_NEW(run->context, most, &runs));
    for (int64_t line = 0; line < run->batch * run->kv_heads; line++) {
        const ga_pattern *kept = r->kept[line / run->kv_heads];
        memset(seen, 0, (size_t)run->keys);
        for (int64_t i = 0; i < r->s.group * run->queries; i++) {
            int64_t head = line % run->kv_heads * r->s.group + i / run->queries, query = i % run->queries;
            int64_t count = ga__pattern_row(kept, ga__pattern_head(kept, head), query, runs);
            for (int64_t n = 0; n < count; n++) {
                r->pairs += (double)(runs[n].last - runs[n].first);
            }
            r->visible += (double)ga__pattern_length(r->all, 0, query);
            touch(seen, runs, count);
        }
        for (int64_t j = 0; j < run->keys; j++) {
            r->touched += seen[j];
        }
    }
done:
    ga_free(run->context, seen);
    ga_free(run->context, runs);
    return status;
}

/* ---- recall ---- */

/* Memory of a row, cut out of a block of doubles. */
typedef struct room {
    void *q, *keys, *scores, *heap; /* dim, KEYS_AT_ONCE x dim, keys, keys */
    int32_t *best;                  /* keys */
    ga__run *runs;
} room;

static int64_t room_of(const reporting *r, int64_t most)
{
    return r->run.dim * (KEYS_AT_ONCE + 1) + 3 * r->run.keys + 2 * most;
}

static room split(const reporting *r, double *at)
{
    room x = { .q = at, .keys = at + r->run.dim };
    x.scores = at + r->run.dim * (KEYS_AT_ONCE + 1);
    x.heap = (double *)x.scores + r->run.keys;
    x.best = (int32_t *)(void *)((double *)x.heap + r->run.keys);
    x.runs = (ga__run *)(void *)((double *)x.heap + 2 * r->run.keys);
    return x;
}

static void score_row(const reporting *r, const room *x, int64_t b, int64_t h, int64_t query)
{
    const ga__selecting *s = &r->s;
    int64_t size = s->wide ? sizeof(double) : sizeof(float);
    if (s->wide) {
        ga__view_load_f64(&s->q, b, h, query, x->q);
    } else {
        ga__view_load_f32(&s->q, b, h, query, x->q);
    }
    for (int64_t j = 0; j < s->keys; j += KEYS_AT_ONCE) {
        int64_t count = ga__min(KEYS_AT_ONCE, s->keys - j);
        if (s->wide) {
            ga__keys_load_f64(&s->k, b, h / s->group, j, count, x->keys);
        } else {
            ga__keys_load_f32(&s->k, b, h / s->group, j, count, x->keys);
        }
        r->rowwise->scores[s->wide](count, 1, s->dim, x->keys, x->q, NULL, (char *)x->scores + j * size);
    }
    for (int64_t j = 0; j < s->keys && s->scale < 0; j++) { /* the order is that of scale times these */
        if (s->wide) {
            ((double *)x->scores)[j] *= -1;
        } else {
            ((float *)x->scores)[j] *= -1;
        }
    }
}

/* Share of the n best visible keys that are among the n kept ones. */
static void recall_row(void *user, int64_t b, int64_t h, int64_t sample, double *space)
{
    reporting *r = user;
    room x = split(r, space);
    int64_t query = (2 * sample + 1) * r->run.queries / (2 * r->rows), hits = 0, kept = 0, at = 0;
    int64_t runs = ga__pattern_row(r->kept[b], ga__pattern_head(r->kept[b], h), query, x.runs);
    for (int64_t i = 0; i < runs; i++) {
        kept += x.runs[i].last - x.runs[i].first;
    }
    score_row(r, &x, b, h, query);
    int64_t best = r->top->select[r->s.wide](x.scores, r->s.wide ? GA__F64 : GA__F32,
                                             ga__pattern_length(r->all, 0, query), kept, x.best, x.heap);
    for (int64_t i = 0; i < best; i++) {
        while (at < runs && x.runs[at].last <= x.best[i]) {
            at++;
        }
        hits += at < runs && x.best[i] >= x.runs[at].first;
    }
    r->recall[(b * r->run.heads + h) * r->rows + sample] = best > 0 ? (double)hits / (double)best : NAN;
}

static ga_status recall_rows(reporting *r)
{
    ga_status status = GA_OK;
    ga__job *run = &r->run;
    int64_t most = 1, lines = run->batch * run->heads;
    r->rows = ga__min(run->queries, MOST_ROWS);
    r->least_recall = INFINITY;
    for (int64_t b = 0; b < run->batch; b++) {
        most = ga__max(most, ga_pattern_most_runs(r->kept[b]));
    }
    GA_TRY(GA_NEW(run->context, lines * r->rows, &r->recall));
    if (r->rows > 0 && lines > 0) {
        GA_TRY(ga__rows(run, run->batch, run->heads, r->rows, room_of(r, most), recall_row, r));
    }
    for (int64_t i = 0; i < lines * r->rows; i++) {
        if (!isnan(r->recall[i])) {
            r->recall_sum += r->recall[i];
            r->least_recall = fmin(r->least_recall, r->recall[i]);
            r->recall_rows++;
        }
    }
done:
    return status;
}

/* ---- the report ---- */

static void put_real(ga_report *report, const char *name, double value)
{
    report->rows[report->count++] = (ga_report_row){ name, false, 0, value };
}

static void put_integer(ga_report *report, const char *name, double value)
{
    report->rows[report->count++] = (ga_report_row){ name, true, (int64_t)value, 0 };
}

/* Bytes of q, o and the keys and values that are read. */
static double traffic(const reporting *r, double keys)
{
    double rows = (double)(r->run.batch * r->run.heads * r->run.queries);
    return (rows + keys) * (double)(r->run.dim + r->run.dim_v) * (r->run.working.bits / 8);
}

static void put_all(const reporting *r, ga_report *report)
{
    double operations = 2 * (double)(r->run.dim + r->run.dim_v) + 3;
    report->count = 0;
    put_integer(report, "pairs", r->pairs);
    put_integer(report, "visible_pairs", r->visible);
    put_real(report, "density", r->visible > 0 ? r->pairs / r->visible : NAN);
    put_real(report, "mass_mean", r->mass_rows > 0 ? r->mass / (double)r->mass_rows : NAN);
    put_real(report, "mass_least", r->mass_rows > 0 ? r->least_mass : NAN);
    put_real(report, "recall_mean", r->recall_rows > 0 ? r->recall_sum / (double)r->recall_rows : NAN);
    put_real(report, "recall_least", r->recall_rows > 0 ? r->least_recall : NAN);
    put_integer(report, "recall_rows", (double)r->recall_rows);
    put_real(report, "select_flops", r->run.select_flops);
    put_real(report, "select_bytes", r->run.select_bytes);
    put_real(report, "attend_flops", r->pairs * operations);
    put_real(report, "attend_bytes", traffic(r, r->touched));
    put_real(report, "dense_flops", r->visible * operations);
    put_real(report, "dense_bytes", traffic(r, (double)(r->run.batch * r->run.kv_heads * r->run.keys)));
    put_real(report, "select_seconds", r->select_seconds);
    put_real(report, "attend_seconds", r->attend_seconds);
    put_real(report, "dense_seconds", r->dense_seconds);
}

static ga_status check_selection(reporting *r)
{
    const ga_selection *s = r->selection;
    if (s->batch != r->run.batch || s->query_heads != r->run.heads || s->queries != r->run.queries ||
        s->keys != r->run.keys || s->causal != r->run.causal) {
        return ga__fail(
            r->run.context, GA_INVALID,
            "selection of %lld x %lld heads, %lld queries, %lld keys: the call has %lld x %lld, %lld, %lld",
            (long long)s->batch, (long long)s->query_heads, (long long)s->queries, (long long)s->keys,
            (long long)r->run.batch, (long long)r->run.heads, (long long)r->run.queries,
            (long long)r->run.keys);
    }
    return GA_OK;
}

ga_status ga_selection_report(ga_context *context, const char *variant, const ga_attend_call *call,
                              const ga_selection *selection, ga_report *report)
{
    ga_status status = GA_OK;
    reporting r = { .selection = selection };
    ga_attend_call with_v = *call;
    with_v.v = call->v ? call->v : call->k;
    ga__begin(context);
    r.rowwise = GA__CHOOSE(context, ga__rowwise);
    r.top = GA__CHOOSE(context, ga__top_k);
    GA_TRY(ga__job_open(context, variant, &with_v, &r.run));
    if (!(r.run.variant->can & GA_SELECTS)) {
        GA_TRY(ga__fail(context, GA_INVALID, "%s does not select keys", variant));
    }
    GA_TRY(ga__job_measure(&r.run));
    GA_TRY(ga__job_take_tensors(&r.run, false));
    GA_TRY(ga__job_pattern(&r.run));
    double start = ga__now();
    GA_TRY(ga__job_select(&r.run));
    r.select_seconds = ga__now() - start;
    GA_TRY(check_selection(&r));
    GA_TRY(ga__selecting_open(&r.run, &r.s));
    GA_TRY(attend(&r));
    weigh_rows(&r);
    GA_TRY(count_pairs(&r));
    GA_TRY(recall_rows(&r));
    put_all(&r, report);
done:
    close_report(&r);
    return status;
}
