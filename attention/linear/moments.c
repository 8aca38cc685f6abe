/* moments.c - the scan over moments, and what is made of a row of it (see moments.h). */
#include "config.h"

#include "attention/linear/moments.h"

typedef struct moments {
    const ga__job *run;
    const ga__moments_form *form;
    double eps, scale;
    bool code;
    int64_t width;             /* of the token grid; 0 = features are not rotated */
    int64_t d, e, group, read; /* query heads of a group: the caller's, and of the scan */
    ga__view x, y;
} moments;

static void open_moments(const ga__job *run, const ga__step *step, moments *m)
{
    *m = (moments){ .run = run,
                    .form = step->user,
                    .eps = step->gain,
                    .scale = step->more,
                    .code = ga__part_value(&run->own, "scaling")->integer == 0,
                    .width = step->kind,
                    .d = run->dim,
                    .e = run->dim_v,
                    .group = run->heads / ga__max(run->kv_heads, 1) };
    m->read = m->group * (m->width ? 2 : 1) + 1;
}

static int64_t features_of(const moments *m)
{
    return m->width ? 2 * m->d + 1 : m->d + 1;
}

/* x turned by the place of its token, or back for sign -1: the first half of the channels by the row, the second by the
 * column, pairs (2m, 2m + 1) by 10000^(-m / (d/4 - 1)). y may be x. */
static void turn(const moments *m, int64_t token, double sign, const double *x, double *y)
{
    int64_t pairs = m->d / 4;
    for (int64_t i = 0; i < 2 * pairs; i++) {
        double at = (double)(i < pairs ? token / m->width : token % m->width);
        double steps = pairs > 1 ? (double)(i % pairs) / (double)(pairs - 1) : 0;
        double angle = sign * at * pow(10000, -steps), a = x[2 * i], b = x[2 * i + 1];
        y[2 * i] = a * cos(angle) - b * sin(angle);
        y[2 * i + 1] = a * sin(angle) + b * cos(angle);
    }
}

static void copy(int64_t n, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i];
    }
}

/* ---- queries ---- */

static void read_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const moments *m = user;
    int64_t g = h / m->read, i = h % m->read, columns = features_of(m);
    for (int64_t c = 0; c < columns; c++) {
        room[c] = 0;
    }
    if (i == m->read - 1) {
        room[columns - 1] = 1;
    } else if (i < m->group) {
        ga__view_load_f64(&m->x, b, g * m->group + i, r, room);
        if (m->width) {
            turn(m, r, 1, room, room);
        }
    } else {
        ga__view_load_f64(&m->x, b, g * m->group + i - m->group, r, room + m->d);
    }
    ga__view_store_f64(&m->y, b, h, r, room);
}

static ga_status queries_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    moments m;
    DLTensor *made = NULL;
    open_moments(run, step, &m);
    const int64_t shape[] = { run->batch, run->kv_heads * m.read, run->queries, features_of(&m) };
    GA_TRY(ga__slot_view(run, GA__Q, &m.x));
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "q", made, true, &m.y));
    GA_TRY(ga__rows(run, m.y.batch, m.y.heads, m.y.rows, m.y.columns, read_row, &m));
    ga__step_replace(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* x: gradient of the scan's queries. */
static void read_row_back(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const moments *m = user;
    int64_t head = h / m->group * m->read + h % m->group, columns = m->x.columns;
    double *other = room + columns;
    ga__view_load_f64(&m->x, b, head, r, room);
    if (m->width) {
        turn(m, r, -1, room, room);
        ga__view_load_f64(&m->x, b, head + m->group, r, other);
        for (int64_t c = 0; c < m->d; c++) {
            room[c] += other[m->d + c];
        }
    }
    ga__view_store_f64(&m->y, b, h, r, room);
}

static ga_status queries_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    moments m;
    DLTensor *made = NULL;
    const DLTensor *x = step->before_view;
    open_moments(run, step, &m);
    GA_TRY(ga__slot_grad_view(run, GA__Q, &m.x));
    GA_TRY(ga__tensor_new(run, x->ndim, x->shape, &made));
    GA_TRY(ga__view_of(run->context, "grad_q", made, true, &m.y));
    GA_TRY(ga__rows(run, m.y.batch, m.y.heads, m.y.rows, 2 * m.x.columns, read_row_back, &m));
    ga__step_replace_grad(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* ---- keys and values ---- */

static void key_row(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                    double *out, double *room)
{
    const moments *m = user;
    (void)b, (void)h, (void)y, (void)room;
    copy(m->d, x, out);
    if (m->width) {
        copy(m->d, x, out + m->d);
        turn(m, r, 1, x, out);
    }
    out[features_of(m) - 1] = 1;
}

static void key_row_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                         double *out, double *room)
{
    const moments *m = user;
    (void)b, (void)h, (void)x, (void)room;
    copy(m->d, y, out);
    if (m->width) {
        turn(m, r, -1, out, out);
        for (int64_t c = 0; c < m->d; c++) {
            out[c] += y[m->d + c];
        }
    }
}

static ga_status keys_forward(ga__job *run, ga__step *step)
{
    moments m;
    open_moments(run, step, &m);
    return ga__map_forward(run, step, features_of(&m), 0, key_row, &m);
}

static ga_status keys_backward(ga__job *run, ga__step *step)
{
    moments m;
    open_moments(run, step, &m);
    return ga__map_backward(run, step, 0, key_row_back, &m);
}

static void one_behind(const void *user, int64_t b, int64_t h, int64_t r, const double *x, const double *y,
                       double *out, double *room)
{
    const int64_t *e = user;
    (void)b, (void)h, (void)r, (void)y, (void)room;
    copy(*e, x, out);
    out[*e] = 1;
}

static void one_behind_back(const void *user, int64_t b, int64_t h, int64_t r, const double *x,
                            const double *y, double *out, double *room)
{
    (void)b, (void)h, (void)r, (void)x, (void)room;
    copy(*(const int64_t *)user, y, out);
}

static ga_status ones_forward(ga__job *run, ga__step *step)
{
    return ga__map_forward(run, step, run->dim_v + 1, 0, one_behind, &run->dim_v);
}

static ga_status ones_backward(ga__job *run, ga__step *step)
{
    return ga__map_backward(run, step, 0, one_behind_back, &run->dim_v);
}

ga__step ga__step_ones(int slot)
{
    return (ga__step){ ones_forward, ones_backward, .slot = slot };
}

/* ---- rows of the result ---- */

/* room: the rows of the scan that a row of head h needs, a first, v1 behind it. */
static ga__moments_row load_row(const moments *m, const ga__view *o, int64_t b, int64_t h, int64_t r,
                                double *room)
{
    int64_t g = h / m->group, at = g * m->read + h % m->group;
    double *v1 = room + m->e + 1;
    ga__moments_row row = { .e = m->e, .a = room, .v1 = v1, .scale = m->scale };
    ga__view_load_f64(o, b, at, r, room);
    ga__view_load_f64(o, b, g * m->read + m->read - 1, r, v1);
    row.z = m->width ? ga__view_get(o, b, at + m->group, r, m->e) : room[m->e];
    row.n = v1[m->e];
    row.c = m->code ? m->scale / row.n : 1;
    return row;
}

static void combine_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const moments *m = user;
    double *out = room + 2 * (m->e + 1), fa = 0, fv = 0;
    ga__moments_row row = load_row(m, &m->x, b, h, r, room);
    if (row.n > 0) {
        m->form->factors(&row, m->eps, &fa, &fv);
    }
    for (int64_t c = 0; c < m->e; c++) {
        out[c] = row.n > 0 ? fa * row.a[c] + fv * row.v1[c] : 0;
    }
    ga__view_store_f64(&m->y, b, h, r, out);
}

static ga_status combine_forward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    moments m;
    DLTensor *made = NULL;
    const int64_t shape[] = { run->batch, run->heads, run->queries, run->dim_v };
    open_moments(run, step, &m);
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &m.x));
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "o", made, true, &m.y));
    GA_TRY(ga__rows(run, m.y.batch, m.y.heads, m.y.rows, 3 * (m.e + 1), combine_row, &m));
    ga__step_replace_o(run, step, made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

typedef struct combine_back {
    moments m;
    ga__view o, grad, to; /* of the scan; given; of the scan */
} combine_back;

/* All heads of a group: they share the last one of the scan. */
static void combine_row_back(void *user, int64_t b, int64_t g, int64_t r, double *room)
{
    const combine_back *j = user;
    const moments *m = &j->m;
    int64_t width = m->e + 1, last = g * m->read + m->read - 1;
    double *up = room + 2 * width, *out = up + width, *dv1 = out + width;
    for (int64_t c = 0; c < width; c++) {
        dv1[c] = 0;
    }
    for (int64_t i = 0; i < m->group; i++) {
        double fa = 0, fv = 0, along_a = 0, along_v = 0, dz = 0;
        ga__moments_row row = load_row(m, &j->o, b, g * m->group + i, r, room);
        ga__view_load_f64(&j->grad, b, g * m->group + i, r, up);
        for (int64_t c = 0; c < m->e; c++) {
            along_a += row.a[c] * up[c];
            along_v += row.v1[c] * up[c];
        }
        if (row.n > 0) {
            m->form->factors(&row, m->eps, &fa, &fv);
            dz = m->form->grad_z(&row, m->eps, along_a, along_v);
        }
        for (int64_t c = 0; c < m->e; c++) {
            out[c] = row.n > 0 ? fa * up[c] : 0;
            dv1[c] += row.n > 0 ? fv * up[c] : 0;
        }
        out[m->e] = m->width ? 0 : dz;
        ga__view_store_f64(&j->to, b, g * m->read + i, r, out);
        for (int64_t c = 0; c < width && m->width; c++) {
            ga__view_set(&j->to, b, g * m->read + m->group + i, r, c, c == m->e ? dz : 0);
        }
    }
    ga__view_store_f64(&j->to, b, last, r, dv1);
}

static ga_status combine_backward(ga__job *run, ga__step *step)
{
    ga_status status = GA_OK;
    combine_back j;
    DLTensor *made = NULL;
    open_moments(run, step, &j.m);
    GA_TRY(ga__view_of(run->context, "o", step->before_view, true, &j.o));
    GA_TRY(ga__view_of(run->context, "grad_o", run->grad_o, true, &j.grad));
    GA_TRY(ga__tensor_new(run, 4, step->before_view->shape, &made));
    GA_TRY(ga__view_of(run->context, "grad_o", made, true, &j.to));
    GA_TRY(ga__rows(run, run->batch, run->kv_heads, run->queries, 5 * (j.m.e + 1), combine_row_back, &j));
    ga_tensor_destroy(run->context, run->grad_o);
    run->grad_o = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* ---- state ---- */

/* Between (d + 1, e + 1) as handed out and (2 d + 1, e + 1) of the scan: sum phi, the last column, has rows of its
 * own there. */
static void move_state(const moments *m, const ga__view *outside, const ga__view *inside, bool in)
{
    for (int64_t i = 0; i < outside->batch * outside->heads * (m->d + 1) * (m->e + 1); i++) {
        int64_t c = i % (m->e + 1), r = i / (m->e + 1) % (m->d + 1), head = i / (m->e + 1) / (m->d + 1);
        int64_t b = head / outside->heads, g = head % outside->heads;
        int64_t row = r == m->d ? 2 * m->d : c == m->e ? m->d + r : r;
        if (in) {
            ga__view_set(inside, b, g, row, c, ga__view_get(outside, b, g, r, c));
        } else {
            ga__view_set(outside, b, g, r, c, ga__view_get(inside, b, g, row, c));
        }
    }
}

static ga_status widen_initial(ga__job *run, const moments *m, int slot)
{
    ga_status status = GA_OK;
    DLTensor *made = NULL;
    ga__view outside, inside;
    const int64_t shape[] = { run->batch, run->kv_heads, 2 * m->d + 1, m->e + 1 };
    GA_TRY(ga__slot_view(run, slot, &outside));
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "initial_state", made, true, &inside));
    for (int64_t i = 0; i < inside.batch * inside.heads * inside.rows * inside.columns; i++) {
        int64_t row = i / inside.columns, head = row / inside.rows;
        ga__view_set(&inside, head / inside.heads, head % inside.heads, row % inside.rows, i % inside.columns,
                     0);
    }
    move_state(m, &outside, &inside, true);
    run->bound[GA__INITIAL_STATE] = ga__slot_make(run, "initial_state", made);
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

ga_status ga__moments_state(ga__job *run, DLTensor **state)
{
    ga_status status = GA_OK;
    moments m;
    DLTensor *made = NULL;
    ga__view outside, inside;
    const int64_t shape[] = { run->batch, run->kv_heads, run->dim + 1, run->dim_v + 1 };
    open_moments(run, &run->behind[0], &m);
    if (!m.width) {
        goto done;
    }
    GA_TRY(ga__tensor_new(run, 4, shape, &made));
    GA_TRY(ga__view_of(run->context, "state", made, true, &outside));
    GA_TRY(ga__view_of(run->context, "state", *state, true, &inside));
    move_state(&m, &outside, &inside, false);
    ga_tensor_destroy(run->context, *state);
    *state = made;
    made = NULL;
done:
    ga_tensor_destroy(run->context, made);
    return status;
}

/* ---- map ---- */

typedef struct map_job {
    moments m;
    ga__view o, q, k, map; /* of the scan; features */
} map_job;

/* o = factor_a phi~(q) S + factor_v v1, so the weight of a key is factor_a phi~(q) . phi~(k) + factor_v. */
static void map_row(void *user, int64_t b, int64_t h, int64_t r, double *room)
{
    const map_job *j = user;
    const moments *m = &j->m;
    const ga__job *run = m->run;
    double *q = room + 2 * (m->e + 1), *k = q + m->d, fa = 0, fv = 0;
    ga__moments_row row = load_row(m, &j->o, b, h, r, room);
    int64_t visible = run->causal ? r + run->keys - run->queries + 1 : run->keys;
    if (row.n > 0) {
        m->form->factors(&row, m->eps, &fa, &fv);
    }
    ga__view_load_f64(&j->q, b, h, r, q);
    if (m->width) {
        turn(m, r, 1, q, q);
    }
    for (int64_t i = 0; i < run->keys; i++) {
        double dot = 0;
        ga__view_load_f64(&j->k, b, h / m->group, i, k);
        if (m->width) {
            turn(m, i, 1, k, k);
        }
        for (int64_t c = 0; c < m->d; c++) {
            dot += q[c] * k[c];
        }
        ga__view_set(&j->map, b, h, r, i, i < visible ? fa * dot + fv : 0);
    }
}

/* What the step that made queries or keys of the scan got. */
static const DLTensor *features(const ga__job *run, int slot)
{
    const DLTensor *found = NULL;
    for (int i = 0; i < run->before_count; i++) {
        found = run->before[i].slot == slot ? run->before[i].before_view : found;
    }
    return found;
}

ga_status ga__moments_map(ga__job *run, DLTensor *map)
{
    ga_status status = GA_OK;
    map_job j;
    open_moments(run, &run->behind[0], &j.m);
    GA_TRY(ga__view_of(run->context, "o", run->o, true, &j.o));
    GA_TRY(ga__view_of(run->context, "q", features(run, GA__Q), true, &j.q));
    GA_TRY(ga__view_of(run->context, "k", features(run, GA__K), true, &j.k));
    GA_TRY(ga__view_of(run->context, "map", map, true, &j.map));
    status = ga__rows(run, run->batch, run->heads, run->queries, 2 * (j.m.e + 1) + 2 * j.m.d, map_row, &j);
done:
    return status;
}

ga_status ga__moments_plan(ga__job *run, const ga__moments_form *form, ga__feature feature, double gain,
                           double eps, int64_t width)
{
    ga_status status = GA_OK;
    moments m;
    double scale = isnan(run->scale) ? 1 / sqrt(fmax((double)run->dim, 1)) : run->scale;
    ga__step step = { .kind = (int)width, .gain = eps, .more = scale, .user = form };
    const int64_t state[] = { run->batch, run->kv_heads, run->dim + 1, run->dim_v + 1 };
    int slot;
    run->scale = 1;
    run->scan.chunk = ga__part_value(&run->own, "chunk")->integer;
    for (int i = GA__Q; i <= GA__K; i++) {
        if (feature != GA__IDENTITY_FEATURE) {
            ga__step_before(run, ga__step_feature(i, feature, gain));
        }
        step.slot = i;
        step.forward = i == GA__Q ? queries_forward : keys_forward;
        step.backward = i == GA__Q ? queries_backward : keys_backward;
        ga__step_before(run, step);
    }
    ga__step_before(run, ga__step_ones(GA__V));
    step.forward = combine_forward;
    step.backward = combine_backward;
    ga__step_behind(run, step);
    open_moments(run, &step, &m);
    GA_TRY(ga__slot_shaped(run, "initial_state", 4, state, &slot));
    if (width && slot >= 0) {
        GA_TRY(widen_initial(run, &m, slot));
    } else {
        GA_TRY(ga__bind(run, GA__INITIAL_STATE, "initial_state", false, 4, state));
    }
done:
    return status;
}
