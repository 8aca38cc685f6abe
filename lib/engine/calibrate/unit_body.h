/* unit_body.h - one unit of a calibration in one precision: packing, blocks of rows forward and backward. */
#define NAME(x) GA__REALNAME(x)
#if GA__REAL == 64
#define LOAD_ROW ga__view_load_f64
#define STORE_ROW ga__view_store_f64
#else
#define LOAD_ROW ga__view_load_f32
#define STORE_ROW ga__view_store_f32
#endif
#define WORK(which) ((real *)workspace + cut->at[which])

/* Mean of the rows that a pooled column covers; room: a row. */
static void NAME(load_pooled)(const ga__view *view, int64_t b, int64_t h, int64_t t, int64_t pool, real *out,
                              real *room)
{
    int64_t first, end;
    ga__pool_window(t, pool, view->rows, &first, &end);
    for (int64_t j = first; j < end; j++) {
        LOAD_ROW(view, b, h, j, room);
        for (int64_t c = 0; c < view->columns; c++) {
            out[c] += room[c] / (real)(end - first);
        }
    }
}

/* Keys and nodes of a head. */
static void NAME(load_head)(const block *at, void *workspace)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    real *keys = WORK(GA__WORK_KEYS), *nodes = WORK(GA__WORK_NODES), *panels = WORK(GA__WORK_PANELS);
    int64_t key_head = head_of(c, &c->k, at->head), node_head = head_of(c, &c->nodes_v, at->head);
    for (int64_t j = 0; j < c->k.rows; j++) {
        LOAD_ROW(&c->k, at->batch, key_head, j, keys + j * c->k.columns);
    }
    memset(nodes, 0, (size_t)(cut->nodes * cut->pitch) * sizeof *nodes);
    memset(panels, 0, (size_t)(whole_lanes(cut->nodes) * cut->width) * sizeof *panels);
    for (int64_t j = 0; j < cut->nodes; j++) {
        real *node = nodes + j * cut->pitch, *lane = panels + j / GA__LANES * cut->width * GA__LANES;
        if (cut->pooled) {
            NAME(load_pooled)(&c->nodes_v, at->batch, node_head, j, cut->nodes, node, WORK(GA__WORK_OUT));
        } else {
            LOAD_ROW(&c->nodes_v, at->batch, node_head, j, node);
        }
        for (int64_t x = 0; x < cut->width; x++) {
            lane[x * GA__LANES + j % GA__LANES] = node[x];
        }
    }
}

/* A from P: averaged, without its diagonal, or as it is. */
static void NAME(load_a)(const block *at, int64_t query, const real *p, real *a)
{
    const ga__cut *cut = at->cut;
    int64_t columns = whole_lanes(at->nodes), keys = at->c->k.rows, seen = seen_by(at->c, query);
    memset(a, 0, (size_t)columns * sizeof *a);
    if (!cut->pooled) {
        memcpy(a, p, (size_t)seen * sizeof *a);
        if (at->c->mask_diagonal && query < seen) {
            a[query] = 0;
        }
        return;
    }
    for (int64_t t = 0; t < cut->nodes; t++) {
        int64_t first, end;
        real sum = 0;
        ga__pool_window(t, cut->nodes, keys, &first, &end);
        for (int64_t j = first; j < ga__min(end, seen); j++) {
            sum += p[j];
        }
        a[t] = sum / (real)(end - first);
    }
}

/* q, F^q and scores of a block, P and A of its rows. Rows behind the last are 0. */
static void NAME(load_block)(const block *at, void *workspace)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    real *q = WORK(GA__WORK_Q), *fq = WORK(GA__WORK_FQ), *map = WORK(GA__WORK_MAP), *a = WORK(GA__WORK_A);
    int64_t columns = whole_lanes(at->keys), d = c->q.columns;
    memset(fq, 0, (size_t)(cut->rows * cut->pitch) * sizeof *fq);
    memset(a, 0, (size_t)(cut->rows * cut->ld) * sizeof *a);
    for (int64_t i = 0; i < at->count; i++) {
        int64_t head = c->self ? head_of(c, &c->nodes_v, at->head) : at->head;
        LOAD_ROW(&c->q, at->batch, at->head, at->first + i, q + i * d);
        LOAD_ROW(c->self ? &c->nodes_v : &c->nodes_q, at->batch, head, at->first + i, fq + i * cut->pitch);
    }
    ga__gemm scores = { .transpose_b = true,
                        .wide = GA__REAL == 64,
                        .alpha = c->scale,
                        .m = at->count,
                        .n = at->keys,
                        .k = d,
                        .lda = d,
                        .ldb = d,
                        .ldc = cut->ld };
    memset(map, 0, (size_t)(cut->rows * cut->ld) * sizeof *map);
    product(at->gemm, scores, q, WORK(GA__WORK_KEYS), map, WORK(GA__WORK_GEMM));
    for (int64_t i = 0; i < at->count; i++) {
        real *row = map + i * cut->ld;
        int64_t query = at->first + i, seen = seen_by(c, query);
        double lse = -INFINITY;
        if (seen > 0) {
            lse = NAME(softmax_row)(seen, columns, row);
            NAME(load_a)(at, query, row, a + i * cut->ld);
        } else {
            memset(row, 0, (size_t)columns * sizeof *row);
        }
        if (c->lse.data) {
            ga__view_set(&c->lse, 0, at->batch, at->head, query, lse);
        }
    }
}

static bool NAME(all_finite)(int64_t count, const real *x)
{
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i])) {
            return false;
        }
    }
    return true;
}

/* c = a b, where row i of a is 0 from column seen_by(i) on. What a row does not see must not reach it, and 0 times what
 * is not finite is not 0: then every row is a product of its own. */
static void NAME(seen_product)(const block *at, ga__gemm all, const real *a, const real *b, real *c,
                               void *scratch)
{
    int64_t least = seen_by(at->c, at->first);
    if (at->cut->pooled || least >= all.k ||
        NAME(all_finite)((all.k - least) * all.ldb, b + least * all.ldb)) {
        product(at->gemm, all, a, b, c, scratch);
        return;
    }
    for (int64_t i = 0; i < at->count; i++) {
        ga__gemm one = all;
        one.m = 1;
        one.k = ga__min(all.k, seen_by(at->c, at->first + i));
        if (one.k > 0) {
            product(at->gemm, one, a + i * all.lda, b, c + i * all.ldc, scratch);
        }
    }
}

/* x_j = value in the columns that a row does not see. */
static void NAME(set_unseen)(const block *at, int64_t i, real value, real *x)
{
    int64_t columns = whole_lanes(at->nodes);
    for (int64_t j = seen_by(at->c, at->first + i); j < columns && !at->cut->pooled; j++) {
        x[j] = value;
    }
}

/* Weights of a block and F+; rows that see nothing get alpha 0. */
static void NAME(calibrate_block)(const block *at, bool backward, void *workspace)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    real *a = WORK(GA__WORK_A), *root = WORK(GA__WORK_ROOT), *square = WORK(GA__WORK_SQUARE),
         *weight = WORK(GA__WORK_WEIGHT), *bar = WORK(GA__WORK_BAR), *alpha = WORK(GA__WORK_ALPHA),
         *fq = WORK(GA__WORK_FQ), *out = WORK(GA__WORK_OUT);
    int64_t columns = whole_lanes(at->nodes);
    real share = (real)(2 * c->mu / c->p), eps = (real)c->eps;
    for (int64_t i = 0; i < cut->rows; i++) {
        NAME(root_row)(columns, eps, a + i * cut->ld, root + i * cut->ld);
    }
    NAME(all_distances)
    ((at->count + 3) / 4 * 4, columns, WORK(GA__WORK_PANELS), cut->width, fq, cut->pitch, root, square,
     backward ? WORK(GA__WORK_ALONG) : NULL, cut->ld, eps);
    for (int64_t i = 0; i < at->count; i++) {
        int64_t row = i * cut->ld;
        NAME(set_unseen)(at, i, 1, square + row);
        if (backward) {
            NAME(set_unseen)(at, i, 0, WORK(GA__WORK_ALONG) + row);
        }
        NAME(weight_row)(columns, c->p, square + row, weight + row);
        real sum = NAME(bar_row)(columns, a + row, weight + row, bar + row);
        alpha[i] = seen_by(c, at->first + i) > 0 ? 1 / (sum + share) : 0;
    }
    ga__gemm sums = { .wide = GA__REAL == 64,
                      .alpha = 1,
                      .m = at->count,
                      .n = cut->width,
                      .k = at->nodes,
                      .lda = cut->ld,
                      .ldb = cut->pitch,
                      .ldc = cut->pitch };
    memset(out, 0, (size_t)(cut->rows * cut->pitch) * sizeof *out);
    NAME(seen_product)(at, sums, bar, WORK(GA__WORK_NODES), out, WORK(GA__WORK_GEMM));
    for (int64_t i = 0; i < at->count; i++) {
        real more = c->source_term ? share : 0;
        for (int64_t x = i * cut->pitch; x < i * cut->pitch + cut->width; x++) {
            out[x] = alpha[i] == 0 ? 0 : alpha[i] * (out[x] + more * fq[x]);
        }
    }
}

static void NAME(forward)(const ga__calibration *c, const ga__cut *cut, const ga__gemm_kernels *gemm,
                          int64_t unit, void *workspace)
{
    int64_t start = unit % cut->slabs * cut->slab, end = ga__min(c->q.rows, start + cut->slab);
    block at = block_at(c, cut, gemm, unit, start, start);
    NAME(load_head)(&at, workspace);
    for (int64_t first = start; first < end; first += cut->rows) {
        at = block_at(c, cut, gemm, unit, first, end);
        NAME(load_block)(&at, workspace);
        NAME(calibrate_block)(&at, false, workspace);
        for (int64_t i = 0; i < at.count; i++) {
            STORE_ROW(&c->out, at.batch, at.head, first + i, WORK(GA__WORK_OUT) + i * cut->pitch);
        }
    }
}

/* ---- backward ---- */

/* One row: from <g, F^v> to dA and what multiplies the differences; the sums of d_p and d_c. */
static void NAME(step_back)(const block *at, int64_t i, void *workspace, double *sums)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    int64_t columns = whole_lanes(at->nodes), query = at->first + i, row = i * cut->ld;
    const real *g = WORK(GA__WORK_G) + i * cut->pitch, *fq = WORK(GA__WORK_FQ) + i * cut->pitch,
               *out = WORK(GA__WORK_OUT) + i * cut->pitch;
    NAME(back)
    r = { .alpha = WORK(GA__WORK_ALPHA)[i],
          .less = NAME(row_dot)(cut->pitch, g, out),
          .eps = (real)c->eps,
          .power = (real)(c->p - 2),
          .weight = WORK(GA__WORK_WEIGHT) + row,
          .square = WORK(GA__WORK_SQUARE) + row,
          .dots = WORK(GA__WORK_DOTS) + row,
          .along = WORK(GA__WORK_ALONG) + row,
          .root = WORK(GA__WORK_ROOT) + row,
          .bar = WORK(GA__WORK_BAR) + row };
    NAME(set_unseen)(at, i, 0, r.dots);
    real own = c->self && query < at->keys ? r.dots[query] : 0;
    double source = c->source_term ? (double)NAME(row_dot)(cut->pitch, g, fq) : 0;
    sums[1] += (double)r.alpha * (source - (double)r.less);
    sums[0] += c->want_dp ? NAME(log_sum)(columns, &r) / 2 : 0;
    NAME(back_row)(columns, &r);
    if (c->self && query < at->keys) { /* F_i - F_i gives nothing, whatever kappa is */
        r.dots[query] = c->mask_diagonal ? 0 : r.weight[query] * r.alpha * (own - r.less);
        r.along[query] = r.root[query] = 0;
    }
}

/* dA of a row to that of P: every key of a pooled column gets its share. */
static void NAME(spread_pool)(const block *at, const real *d_a, real *d_p)
{
    memset(d_p, 0, (size_t)whole_lanes(at->keys) * sizeof *d_p);
    for (int64_t t = 0; t < at->cut->nodes; t++) {
        int64_t first, end;
        ga__pool_window(t, at->cut->nodes, at->c->k.rows, &first, &end);
        for (int64_t j = first; j < ga__min(end, at->keys); j++) {
            d_p[j] += d_a[t] / (real)(end - first);
        }
    }
}

/* Gradients of the nodes of a block: partial_v (nodes, pitch) is added to, that of F^q is written. */
static void NAME(nodes_back)(const block *at, void *workspace, real *partial_v)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    real *g = WORK(GA__WORK_G), *d_fq = WORK(GA__WORK_D_FQ), *alpha = WORK(GA__WORK_ALPHA);
    real share = c->source_term ? (real)(2 * c->mu / c->p) : 0;
    ga__gemm sums = { .transpose_a = true,
                      .wide = GA__REAL == 64,
                      .alpha = 1,
                      .beta = 1,
                      .m = at->nodes,
                      .n = cut->width,
                      .k = at->count,
                      .lda = cut->ld,
                      .ldb = cut->pitch,
                      .ldc = cut->pitch };
    product(at->gemm, sums, WORK(GA__WORK_BAR), g, partial_v, WORK(GA__WORK_GEMM));
    for (int64_t i = 0; i < at->count; i++) {
        for (int64_t x = i * cut->pitch; x < (i + 1) * cut->pitch; x++) {
            d_fq[x] = share * alpha[i] * g[x];
        }
    }
    for (int64_t j = 0; j < at->nodes && c->p != 2; j++) {
        int64_t sees = at->first + c->k.rows - c->q.rows; /* node that the first row sees last, if causal */
        int64_t first = c->causal && !cut->pooled ? ga__max(0, j - sees) : 0;
        NAME(spread_node)
        (first, at->count, (cut->width + VR - 1) / VR * VR, cut->pitch, cut->ld, WORK(GA__WORK_ALONG) + j,
         WORK(GA__WORK_ROOT) + j, WORK(GA__WORK_NODES) + j * cut->pitch, WORK(GA__WORK_FQ),
         partial_v + j * cut->pitch, d_fq);
    }
    for (int64_t i = 0; i < at->count; i++) {
        const real *from = d_fq + i * cut->pitch;
        if (!c->self && c->d_nodes_q.data) {
            STORE_ROW(&c->d_nodes_q, at->batch, at->head, at->first + i, from);
        }
        for (int64_t x = 0; x < cut->width && c->self; x++) {
            partial_v[(at->first + i) * cut->pitch + x] += from[x];
        }
    }
}

/* Through the softmax into q and k. */
static void NAME(scores_back)(const block *at, void *workspace, real *partial_k)
{
    const ga__calibration *c = at->c;
    const ga__cut *cut = at->cut;
    real *ds = cut->pooled ? WORK(GA__WORK_D_MAP) : WORK(GA__WORK_DOTS), *d_q = WORK(GA__WORK_D_Q);
    int64_t d = c->q.columns;
    for (int64_t i = 0; i < at->count; i++) {
        if (cut->pooled) {
            NAME(spread_pool)(at, WORK(GA__WORK_DOTS) + i * cut->ld, ds + i * cut->ld);
        }
        NAME(softmax_back)(whole_lanes(at->keys), WORK(GA__WORK_MAP) + i * cut->ld, ds + i * cut->ld);
    }
    ga__gemm of_q = { .wide = GA__REAL == 64,
                      .alpha = c->scale,
                      .m = at->count,
                      .n = d,
                      .k = at->keys,
                      .lda = cut->ld,
                      .ldb = d,
                      .ldc = d };
    ga__gemm of_k = { .transpose_a = true,
                      .wide = GA__REAL == 64,
                      .alpha = c->scale,
                      .beta = 1,
                      .m = at->keys,
                      .n = d,
                      .k = at->count,
                      .lda = cut->ld,
                      .ldb = d,
                      .ldc = d };
    memset(d_q, 0, (size_t)(at->count * d) * sizeof *d_q);
    NAME(seen_product)(at, of_q, ds, WORK(GA__WORK_KEYS), d_q, WORK(GA__WORK_GEMM));
    product(at->gemm, of_k, ds, WORK(GA__WORK_Q), partial_k, WORK(GA__WORK_GEMM));
    for (int64_t i = 0; i < at->count && c->d_q.data; i++) {
        STORE_ROW(&c->d_q, at->batch, at->head, at->first + i, d_q + i * d);
    }
}

static void NAME(backward)(const ga__calibration *c, const ga__cut *cut, const ga__gemm_kernels *gemm,
                           int64_t unit, void *workspace, void *partial_k, void *partial_v, double *sums)
{
    int64_t start = unit % cut->slabs * cut->slab, end = ga__min(c->q.rows, start + cut->slab);
    block at = block_at(c, cut, gemm, unit, start, start);
    real *g = WORK(GA__WORK_G);
    NAME(load_head)(&at, workspace);
    memset(partial_k, 0, (size_t)cut->partial_k * sizeof(real));
    memset(partial_v, 0, (size_t)cut->partial_v * sizeof(real));
    sums[0] = sums[1] = 0;
    for (int64_t first = start; first < end; first += cut->rows) {
        at = block_at(c, cut, gemm, unit, first, end);
        NAME(load_block)(&at, workspace);
        NAME(calibrate_block)(&at, true, workspace);
        memset(g, 0, (size_t)(cut->rows * cut->pitch) * sizeof *g);
        for (int64_t i = 0; i < at.count; i++) {
            if (seen_by(c, first + i) > 0) {
                LOAD_ROW(&c->grad, at.batch, at.head, first + i, g + i * cut->pitch);
            }
        }
        ga__gemm dots = { .transpose_b = true,
                          .wide = GA__REAL == 64,
                          .alpha = 1,
                          .m = at.count,
                          .n = at.nodes,
                          .k = cut->width,
                          .lda = cut->pitch,
                          .ldb = cut->pitch,
                          .ldc = cut->ld };
        memset(WORK(GA__WORK_DOTS), 0, (size_t)(cut->rows * cut->ld) * sizeof(real));
        product(gemm, dots, g, WORK(GA__WORK_NODES), WORK(GA__WORK_DOTS), WORK(GA__WORK_GEMM));
        for (int64_t i = 0; i < at.count; i++) {
            NAME(step_back)(&at, i, workspace, sums);
        }
        NAME(nodes_back)(&at, workspace, partial_v);
        NAME(scores_back)(&at, workspace, partial_k);
    }
}

/* Adds row j of a unit's sums to out; of pooled nodes its share of every column that covers key j. */
static void NAME(add_row)(const ga__cut *cut, bool pooled, int64_t keys, const real *from, int64_t pitch,
                          int64_t j, int64_t width, real *out)
{
    int64_t guess = pooled ? j * cut->nodes / keys : j;
    for (int64_t t = ga__max(0, pooled ? guess - 1 : j);
         t <= guess + pooled && t < (pooled ? cut->nodes : keys); t++) {
        int64_t first = t, end = t + 1;
        if (pooled) {
            ga__pool_window(t, cut->nodes, keys, &first, &end);
        }
        for (int64_t x = 0; x < width && first <= j && j < end; x++) {
            out[x] += from[t * pitch + x] / (real)(end - first);
        }
    }
}

static void NAME(gather)(const ga__calibration *c, const ga__cut *cut, bool nodes, const void *partials,
                         int64_t b, int64_t head, int64_t j, void *room)
{
    const ga__view *to = nodes ? &c->d_nodes_v : &c->d_k;
    int64_t size = nodes ? cut->partial_v : cut->partial_k, group = c->q.heads / to->heads;
    real *out = room;
    memset(out, 0, (size_t)to->columns * sizeof *out);
    for (int64_t h = head * group; h < (head + 1) * group; h++) {
        for (int64_t s = 0; s < cut->slabs; s++) {
            const real *from = (const real *)partials + ((b * c->q.heads + h) * cut->slabs + s) * size;
            NAME(add_row)
            (cut, nodes && cut->pooled, c->k.rows, from, nodes ? cut->pitch : c->k.columns, j, to->columns,
             out);
        }
    }
    STORE_ROW(to, b, head, j, out);
}

#undef NAME
#undef LOAD_ROW
#undef STORE_ROW
#undef WORK
