/* edge_direct_kernels.h - which of the kernels of edge_direct.h does a run, and the entry points of edge_body.h. */

/* A part of a row where state is given, else all rows first .. last - 1 that are no hubs. */
typedef struct direct_range {
    int64_t first, last, hub, from, to;
    float *state;
} direct_range;
typedef enum direct_way { DIRECT_FORWARD, DIRECT_TARGETS, DIRECT_SOURCES } direct_way;
typedef void (*direct_kernel)(const ga__edge_run *run, ga__edge_scratch *s, const direct_range *r);

#if GA__ISA != 0

/* A target row without edges leaves a record, too. */
static void direct_empty(const direct_way way, const ga__edge_run *run, ga__edge_scratch *s, int64_t row)
{
    if (way == DIRECT_FORWARD) {
        forward_empty(run, s, row);
    } else if (way == DIRECT_TARGETS && run->score != GA_EDGE_DISTANCE) {
        memset(s->state, 0, (size_t)ga__edge_state(run, true) * sizeof *s->state);
        direct_finish_target(run, s, row);
    } else {
        backward_empty(run, s, row);
    }
}

GA__INLINE void direct_rows(const direct_way way, const ga_edge_score score, const direct_form form,
                            const int H, const int P, const ga__edge_run *run, ga__edge_scratch *s,
                            const direct_range *r)
{
    const direct_columns c = { .width = run->width_v,
                               .all = run->width_v * H,
                               .rest = (int)(run->width_v - (P - 1) * VF) };
    bool stream = way == DIRECT_FORWARD && run->y && direct_streams(run);
    for (int64_t row = r->first; row < r->last; row++) {
        int64_t from = r->state ? r->from : run->offsets[row], to = r->state ? r->to : run->offsets[row + 1];
        if (to - from > r->hub) {
            continue;
        }
        if (from == to) {
            direct_empty(way, run, s, row);
        } else if (score == GA_EDGE_DISTANCE && way == DIRECT_FORWARD) {
            distance_forward_row(form, P, &c, run, row, from, to, r->state);
        } else if (score == GA_EDGE_DISTANCE) {
            distance_backward_row(way == DIRECT_SOURCES, form, P, &c, run, s, row, from, to, r->state);
        } else if (way == DIRECT_FORWARD) {
            direct_forward_row(score, form, H, P, &c, run, row, from, to, r->state, stream);
        } else if (way == DIRECT_TARGETS) {
            direct_target_row(score, form, H, P, &c, run, s, row, from, to, r->state);
        } else {
            direct_source_row(score, form, H, P, &c, run, s, row, from, to, r->state);
        }
    }
    if (stream) {
        vf_fence();
    }
}

/* Shapes that have kernels of their own: form, heads, vectors of a head; of all three scores, of the additive alone. */
#if GA__ISA == 512
#define PAIR_SHAPES(X) X(WHOLE, 1, 1) X(WHOLE, 1, 4) X(WHOLE, 4, 1) X(WHOLE, 8, 1) X(HALF, 8, 0) X(TAIL, 1, 1)
#define PART_SHAPES(X) X(HALF, 4, 0) X(TAIL, 1, 2)
#else
#define PAIR_SHAPES(X) \
    X(WHOLE, 1, 2) X(WHOLE, 1, 8) X(WHOLE, 4, 1) X(WHOLE, 4, 2) X(WHOLE, 8, 1) X(WHOLE, 8, 2) X(TAIL, 1, 1)
#define PART_SHAPES(X) X(TAIL, 1, 2)
#endif

#define DIRECT_KERNEL(form, H, P, way, score) \
    static void direct_##form##_##H##_##P##_##way##_##score(const ga__edge_run *run, ga__edge_scratch *s, \
                                                            const direct_range *r) \
    { \
        direct_rows(way, score, DIRECT_##form, H, P, run, s, r); \
    }
#define DIRECT_WAYS(form, H, P, score) \
    DIRECT_KERNEL(form, H, P, DIRECT_FORWARD, score) \
    DIRECT_KERNEL(form, H, P, DIRECT_TARGETS, score) \
    DIRECT_KERNEL(form, H, P, DIRECT_SOURCES, score)
#define PART_KERNELS(form, H, P) DIRECT_WAYS(form, H, P, GA_EDGE_ADDITIVE)
#define PAIR_KERNELS(form, H, P) \
    PART_KERNELS(form, H, P) DIRECT_WAYS(form, H, P, GA_EDGE_DOT) DIRECT_WAYS(form, H, P, GA_EDGE_GATV2)
PAIR_SHAPES(PAIR_KERNELS)
PART_SHAPES(PART_KERNELS)

/* Ends the search for a shape. */
#define DIRECT_SHAPE(form, H, P, score) \
    if (run->heads == H && direct_fits(DIRECT_##form, P, run->width_v)) { \
        return way == DIRECT_FORWARD   ? direct_##form##_##H##_##P##_DIRECT_FORWARD_##score \
               : way == DIRECT_TARGETS ? direct_##form##_##H##_##P##_DIRECT_TARGETS_##score \
                                       : direct_##form##_##H##_##P##_DIRECT_SOURCES_##score; \
    }
#define DOT_SHAPE(form, H, P) DIRECT_SHAPE(form, H, P, GA_EDGE_DOT)
#define GATV2_SHAPE(form, H, P) DIRECT_SHAPE(form, H, P, GA_EDGE_GATV2)
#define PART_SHAPE(form, H, P) DIRECT_SHAPE(form, H, P, GA_EDGE_ADDITIVE)

/* Of one head alone: the p-Laplacian. */
#if GA__ISA == 512
#define DISTANCE_SHAPES(X) X(WHOLE, 1, 1) X(WHOLE, 1, 4) X(TAIL, 1, 1) X(TAIL, 1, 2)
#else
#define DISTANCE_SHAPES(X) X(WHOLE, 1, 2) X(WHOLE, 1, 8) X(TAIL, 1, 1) X(TAIL, 1, 2)
#endif
#define DISTANCE_KERNELS(form, H, P) DIRECT_WAYS(form, H, P, GA_EDGE_DISTANCE)
#define DISTANCE_SHAPE(form, H, P) DIRECT_SHAPE(form, H, P, GA_EDGE_DISTANCE)
DISTANCE_SHAPES(DISTANCE_KERNELS)

static bool direct_fits(direct_form form, int P, int64_t width)
{
    return form == DIRECT_HALF    ? width == VF / 2
           : form == DIRECT_WHOLE ? width == P * VF
                                  : width > (P - 1) * VF && width < P * VF;
}

/* Nothing but what the kernels know. */
static bool direct_plain(const ga__edge_run *run, direct_way way, bool pairs)
{
    const ga__edge_side *own = &run->own, *other = &run->other;
    bool floats = other->y && other->y_type == GA__F32 &&
                  (!pairs || (own->x_type == GA__F32 && other->x_type == GA__F32));
    bool plain = !run->bias && !run->mask && !run->map && !run->dense.data && !run->distance_bias &&
                 run->softcap == 0 && run->y_factor == 1 &&
                 (run->swapped || !run->edge || !run->keep_weights.bits);
    return floats && plain && (!pairs || run->width == run->width_v) &&
           (way == DIRECT_FORWARD
                ? run->y_out_type == GA__F32
                : own->y_type == GA__F32 && !run->dbias && !run->ddense.data && !run->want_totals);
}

/* The kernel for a run, or NULL. */
static direct_kernel direct_of(const ga__edge_run *run, direct_way way)
{
    bool laplacian = run->kind == GA_P_LAPLACIAN && run->score == GA_EDGE_DISTANCE;
    bool gatv2 = run->score == GA_EDGE_GATV2 && run->slope >= 0 && run->slope <= 1;
    bool pairs = run->score == GA_EDGE_DOT || gatv2 || laplacian;
    if (!laplacian && (run->kind != GA_SOFTMAX || (!pairs && run->score != GA_EDGE_ADDITIVE) ||
                       (way == DIRECT_FORWARD && run->sums))) {
        return NULL;
    }
    if (!direct_plain(run, way, pairs)) {
        return NULL;
    }
    if (laplacian) {
        DISTANCE_SHAPES(DISTANCE_SHAPE)
    } else if (run->score == GA_EDGE_DOT) {
        PAIR_SHAPES(DOT_SHAPE)
    } else if (gatv2) {
        PAIR_SHAPES(GATV2_SHAPE)
    } else {
        PAIR_SHAPES(PART_SHAPE)
        PART_SHAPES(PART_SHAPE)
    }
    return NULL;
}

#else
static direct_kernel direct_of(const ga__edge_run *run, direct_way way)
{
    (void)run;
    (void)way;
    return NULL;
}
#endif

static bool direct_backward(const ga__edge_run *run)
{
    return direct_of(run, run->swapped ? DIRECT_SOURCES : DIRECT_TARGETS) != NULL;
}

/* Does the work if there is a kernel for it. */
static bool direct(const ga__edge_run *run, ga__edge_scratch *s, bool backward, direct_range r)
{
    direct_way way = !backward ? DIRECT_FORWARD : run->swapped ? DIRECT_SOURCES : DIRECT_TARGETS;
    direct_kernel kernel = backward && !run->direct ? NULL : direct_of(run, way);
    if (kernel) {
        kernel(run, s, &r);
    }
    return kernel != NULL;
}

static void forward_rows(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                         int64_t hub)
{
    if (!direct(run, s, false, (direct_range){ .first = first, .last = last, .hub = hub })) {
        forward_blocks(run, s, first, last, hub);
    }
}

static void forward_part(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                         float *state)
{
    direct_range r = { row, row + 1, INT64_MAX, from, to, state };
    if (!direct(run, s, false, r)) {
        forward_part_blocks(run, s, row, from, to, state);
    }
}

static void backward_rows(const ga__edge_run *run, ga__edge_scratch *s, int64_t first, int64_t last,
                          int64_t hub)
{
    if (!direct(run, s, true, (direct_range){ .first = first, .last = last, .hub = hub })) {
        backward_blocks(run, s, first, last, hub);
    }
}

static void backward_part(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, int64_t from, int64_t to,
                          float *state)
{
    direct_range r = { row, row + 1, INT64_MAX, from, to, state };
    if (!direct(run, s, true, r)) {
        backward_part_blocks(run, s, row, from, to, state);
    }
}

static void backward_merge(const ga__edge_run *run, ga__edge_scratch *s, int64_t row, const float *states,
                           int64_t parts, int64_t step)
{
    int64_t size = ga__edge_state(run, true);
    memcpy(s->state, states, (size_t)size * sizeof *states);
    for (int64_t k = 1; k < parts; k++) {
        for (int64_t i = 0; i < size; i++) {
            s->state[i] += states[k * step + i];
        }
    }
    begin_own(run, s, row);
    if (run->direct && !run->swapped && run->score != GA_EDGE_DISTANCE) {
        direct_finish_target(run, s, row);
    } else {
        backward_finish(run, s, row);
    }
}
