/* sinks.c - tokens that gather attention without meaning, by their hidden state or by what they receive (cards B1, B2).
 *
 * phi(j) = max over sink_dims of |x_jc| / sqrt(mean_c x_jc^2 + 1e-6), a sink where phi > tau; phi <= sqrt(D) always.
 * recv_j = sum of column j / rows that see j, a sink where recv_j > alpha / Nk. */
#include "config.h"

#include <math.h>

#include "attention/maps/maps.h"

enum { PHI, RECEIVED };
static const char *const methods[] = { "phi", "received", NULL };

static const ga_parameter parameters[] = {
    { "method", GA_PARAMETER_WORD, "phi", NULL, "from hidden states or from a map", methods, GA__ANY },
    { "sink_dims", GA_PARAMETER_INT_LIST, NULL, ">= 0", "channels of the phi test", GA__FROM(0) },
    { "tau", GA_PARAMETER_REAL, "20", "0..sqrt(D)", "phi above which a token is a sink", GA__FROM(0) },
    { "alpha", GA_PARAMETER_REAL, "5", "> 0", "a sink receives more than alpha/Nk", GA__ABOVE(0) },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "hidden", "(B, N, D)", "hidden states, for phi", .optional = true },
    { "map", "(B, H, Nq, Nk)", "attention map, for received; --causal as it was made", .optional = true },
    { .name = NULL },
};

typedef struct sinks {
    ga__view in;
    const ga__value *dims;
    double tau, least; /* a sink is above */
    bool causal;
    DLTensor *out, *mask; /* may be NULL */
    int64_t *found;       /* sinks of a unit */
    double *most;
} sinks;

/* What a unit found out about `count` tokens from `first` on. */
static void note(const sinks *s, int64_t unit, int64_t first, int64_t count, const double *values,
                 double limit)
{
    for (int64_t j = 0; j < count; j++) {
        bool sink = values[j] > limit;
        if (s->out) {
            ga__set_element(s->out, first + j, values[j]);
        }
        if (s->mask) {
            ga__u8_of(s->mask)[first + j] = sink;
        }
        s->found[unit] += sink;
        s->most[unit] = fmax(s->most[unit], values[j]);
    }
}

static void phi_of_token(void *user, int64_t unit, double *room)
{
    const sinks *s = user;
    double square = 0, largest = 0;
    ga__view_load_f64(&s->in, 0, unit / s->in.rows, unit % s->in.rows, room);
    for (int64_t c = 0; c < s->in.columns; c++) {
        square += room[c] * room[c];
    }
    for (int64_t k = 0; k < s->dims->count; k++) {
        double size = fabs(room[s->dims->list[k]]);
        largest = size > largest || isnan(size) ? size : largest;
    }
    double phi = largest / sqrt(square / (double)s->in.columns + 1e-6);
    note(s, unit, unit, 1, &phi, s->tau);
}

static void received_by_head(void *user, int64_t unit, double *room)
{
    const sinks *s = user;
    int64_t n = s->in.columns, off = n - s->in.rows;
    double *sum = room + n;
    for (int64_t j = 0; j < n; j++) {
        sum[j] = 0;
    }
    for (int64_t r = 0; r < s->in.rows; r++) {
        ga__view_load_f64(&s->in, unit / s->in.heads, unit % s->in.heads, r, room);
        for (int64_t j = 0; j < n; j++) {
            sum[j] += room[j];
        }
    }
    for (int64_t j = 0; j < n; j++) {
        int64_t seen = s->in.rows - (s->causal ? ga__max(j - off, 0) : 0);
        sum[j] = seen > 0 ? sum[j] / (double)seen : 0;
    }
    note(s, unit, unit * n, n, sum, s->least);
}

static ga_status open_phi(ga__block_run *run, sinks *s)
{
    ga_status status = GA_OK;
    GA_TRY(ga__maps_view(run, "hidden", &s->in));
    if (s->in.batch != 1) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "hidden: 4 axes, expected (B, N, D)"));
    }
    s->tau = ga__block_real(run, "tau");
    s->dims = ga__part_value(&run->part, "sink_dims");
    if (s->dims->count == 0) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "sinks needs sink_dims with method=phi"));
    }
    for (int64_t k = 0; k < s->dims->count; k++) {
        if (s->dims->list[k] >= s->in.columns) {
            GA_TRY(ga__part_refuse(&run->part, "sink_dims", "channels below %lld", (long long)s->in.columns));
        }
    }
    if (s->tau * s->tau > (double)s->in.columns) {
        GA_TRY(ga__part_refuse(&run->part, "tau",
                               "at most %g, the root of %lld channels: phi is never larger",
                               sqrt((double)s->in.columns), (long long)s->in.columns));
    }
done:
    return status;
}

static ga_status find(ga__block_run *run, sinks *s, bool phi)
{
    ga_status status = GA_OK;
    int64_t units = s->in.heads * (phi ? s->in.rows : s->in.batch), found = 0;
    double most = 0;
    GA_TRY(GA_NEW_ZERO(run->context, units, &s->found));
    GA_TRY(GA_NEW_ZERO(run->context, units, &s->most));
    GA_TRY(ga__units(run->context, units, 2 * s->in.columns, phi ? phi_of_token : received_by_head, s));
    for (int64_t i = 0; i < units; i++) {
        found += s->found[i];
        most = fmax(most, s->most[i]);
    }
    ga__report_integer(run, "tokens", units * (phi ? 1 : s->in.columns));
    ga__report_integer(run, "sinks", found);
    ga__report_real(run, phi ? "phi_max" : "recv_max", most);
done:
    ga_free(run->context, s->found);
    ga_free(run->context, s->most);
    return status;
}

static ga_status forward(ga__block_run *run)
{
    ga_status status = GA_OK;
    sinks s = { .causal = run->call->causal };
    bool phi = ga__block_integer(run, "method") == PHI;
    const char *input = phi ? "hidden" : "map", *mine = phi ? "phi" : "recv", *other = phi ? "recv" : "phi";
    if (!ga__block_given(run, input)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "sinks needs %s with method=%s", input, methods[!phi]));
    }
    if (ga__block_wants(run, other)) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "sinks gives %s with method=%s only", other, methods[phi]));
    }
    if (phi && s.causal) {
        GA_TRY(ga__fail(run->context, GA_INVALID, "sinks takes a causal mask with method=received only"));
    }
    if (phi) {
        GA_TRY(open_phi(run, &s));
    } else {
        GA_TRY(ga__maps_view(run, "map", &s.in));
        s.least = ga__block_real(run, "alpha") / (double)s.in.columns;
    }
    const int64_t shape[] = { s.in.batch, s.in.heads, phi ? s.in.rows : s.in.columns };
    GA_TRY(ga__maps_output(run, mine, NULL, phi ? 2 : 3, shape + phi, &s.out));
    GA_TRY(ga__maps_output(run, "sinks", &ga__type_u8, phi ? 2 : 3, shape + phi, &s.mask));
    GA_TRY(find(run, &s, phi));
done:
    return status;
}

static const ga__block_ops ops = { .forward = forward, .causal = true };

const ga_block ga__analysis_sinks = {
    .name = "sinks",
    .summary = "sink tokens by hidden state or by received attention",
    .source = "VAR, 2503.03321; ACT, 2406.15765",
    .plan = "largest of some channels over the root mean square, or column means of a map",
    .outputs = "phi, recv, sinks",
    .parameters = parameters,
    .tensors = tensors,
    .ops = &ops,
};
