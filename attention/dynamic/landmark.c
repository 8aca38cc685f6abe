/* landmark.c - grouped softmax through landmark tokens, and retrieval of the best blocks (attention-dynamic A1). */
#include "config.h"

#include <math.h>
#include <string.h>

#include "attention/decode.h"
#include "attention/dynamic/landmark_tile.h"
#include "lib/engine/device/device.h"

static const char *const mode_words[] = { "train", "retrieve", NULL };
static const char *const select_words[] = { "token", "shared", "head", NULL };

static const ga_parameter parameters[] = {
    { "block", GA_PARAMETER_INT, "50", ">= 1", "ordinary tokens per block; the landmark follows them",
      GA__FROM(1) },
    { "mode", GA_PARAMETER_WORD, "train", NULL, "all earlier blocks, or the best", mode_words, GA__ANY },
    { "top_k", GA_PARAMETER_INT, "2", ">= 1", "blocks kept in retrieve", GA__FROM(1) },
    { "chunk", GA_PARAMETER_INT, "0", ">= 0",
      "length of the local chunk whose blocks are always kept; 0: none", GA__FROM(0) },
    { "select", GA_PARAMETER_WORD, "token", NULL, "who chooses", select_words, GA__ANY },
    { .name = NULL },
};

static const ga_tensor_slot tensors[] = {
    { "is_landmark", "u1 (Nk)", "marks landmarks instead of the fixed slots", .optional = true },
    { .name = NULL },
};

/* ---- a call ---- */

/* An input in the working type, with rows that lie as they come. */
static ga_status take_input(ga__landmark_call *call, int slot, const DLTensor *tensor, ga__view *view)
{
    ga_status status = GA_OK;
    ga__job *run = call->run;
    GA_TRY(ga__view_of(run->context, run->slots[slot].name, tensor, true, view));
    if (view->type != (call->wide ? GA__F64 : GA__F32)) {
        GA_TRY(ga__tensor_cast(run->context, run->slots[slot].name, tensor, run->working, &call->cast[slot]));
        GA_TRY(ga__view_of(run->context, run->slots[slot].name, call->cast[slot], true, view));
    }
done:
    return status;
}

static bool is_finite(const ga__view *view)
{
    for (int64_t i = 0; i < view->batch * view->heads * view->rows; i++) {
        const void *row =
            ga__view_row(view, i / view->rows / view->heads, i / view->rows % view->heads, i % view->rows);
        double sum = 0; /* 0, or NaN */
        for (int64_t c = 0; c < view->columns; c++) {
            sum += 0 * (view->type == GA__F64 ? ((const double *)row)[c] : (double)((const float *)row)[c]);
        }
        if (sum != 0) {
            return false;
        }
    }
    return true;
}

ga_status ga__landmark_open(ga__job *run, ga__landmark_call *call)
{
    ga_status status = GA_OK;
    *call = (ga__landmark_call){ .run = run, .wide = run->working.bits == 64 };
    call->m.s = &call->s;
    call->s.context = run->context;
    call->gemm = GA__CHOOSE(run->context, ga__gemm);
    call->grouped = GA__CHOOSE(run->context, ga__grouped);
    call->rowwise = GA__CHOOSE(run->context, ga__rowwise);
    call->size = call->wide ? sizeof(double) : sizeof(float);
    GA_TRY(ga__device_refuse(run->context, "landmark", "attend to landmarks"));
    call->tiles = (run->queries + GA__LANDMARK_ROWS - 1) / GA__LANDMARK_ROWS;
    GA_TRY(ga__selecting_open(run, &call->s));
    GA_TRY(take_input(call, GA__Q, run->scan.q, &call->q));
    GA_TRY(take_input(call, GA__K, run->scan.k, &call->k));
    GA_TRY(take_input(call, GA__V, run->scan.v, &call->v));
    GA_TRY(ga__landmarks_open(&call->s, &call->m));
    call->careful = !is_finite(&call->q) || !is_finite(&call->k) || !is_finite(&call->v);
done:
    return status;
}

void ga__landmark_close(ga__landmark_call *call)
{
    if (!call->run) {
        return;
    }
    for (int i = GA__Q; i <= GA__V; i++) {
        ga_tensor_destroy(call->run->context, call->cast[i]);
    }
    ga__landmarks_close(call->run->context, &call->m);
}

/* ---- what was chosen ---- */

static ga_status output(ga__job *run, const char *name, DLTensor **out)
{
    ga_status status = GA_OK;
    ga__selecting s = { .context = run->context };
    ga__landmarks m = { .s = &s };
    int64_t lists = run->batch * run->heads * run->queries, *offsets = NULL;
    int32_t *row = NULL, *units = NULL;
    (void)name; /* there is no other */
    GA_TRY(ga__selecting_open(run, &s));
    GA_TRY(ga__landmarks_open(&s, &m));
    GA_TRY(GA_NEW_ZERO(run->context, lists + 1, &offsets));
    GA_TRY(GA_NEW(run->context, m.count, &row));
    for (int turn = 0; turn < 2; turn++) { /* counts, then fills */
        for (int64_t i = 0; i < lists; i++) {
            int64_t line = i / run->queries;
            int32_t *to = turn ? units + offsets[i] : row;
            int64_t n = ga__landmarks_row(&m, line / run->heads, line % run->heads, i % run->queries, to);
            offsets[i + 1] = offsets[i] + n;
        }
        if (turn == 0) {
            GA_TRY(GA_NEW(run->context, offsets[lists] + m.count, &units));
        }
    }
    status = ga__lists_tensor(run->context, offsets, units, 0, 1, 3,
                              (const int64_t[]){ run->batch, run->heads, run->queries }, out);
done:
    ga_free(run->context, offsets);
    ga_free(run->context, row);
    ga_free(run->context, units);
    ga__landmarks_close(run->context, &m);
    return status;
}

/* Keys with weight: the ordinary keys of every closed block of a row, and of its own. Returns their number; keys may be
 * NULL. */
static int64_t row_keys(const ga__landmarks *m, int64_t batch, int64_t head, int64_t query, int32_t *blocks,
                        int32_t *keys)
{
    int64_t found = 0, count = ga__landmarks_row(m, batch, head, query, blocks);
    ga__span own = ga__landmarks_own(m, ga__position(m->s, query));
    for (int64_t i = 0; i <= count; i++) {
        ga__span keep = i < count ? (ga__span){ m->first[blocks[i]], m->mark[blocks[i]] } : own;
        for (int64_t j = keep.first; j < keep.last; j++, found++) {
            if (keys) {
                keys[found] = (int32_t)j;
            }
        }
    }
    return found;
}

static ga_status fill_rows(const ga__landmarks *m, ga_selection *made, int32_t *blocks)
{
    ga_status status = GA_OK;
    const ga__selecting *s = m->s;
    int64_t lists = s->batch * s->heads * s->queries;
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t i = 0; i < lists; i++) {
            int64_t line = i / s->queries;
            int32_t *to = turn ? made->units + made->offsets[i] : NULL;
            made->offsets[i + 1] =
                made->offsets[i] + row_keys(m, line / s->heads, line % s->heads, i % s->queries, blocks, to);
        }
        if (turn == 0) {
            GA_TRY(GA_NEW(s->context, made->offsets[lists], &made->units));
        }
    }
done:
    return status;
}

/* All blocks: one list of the ordinary keys serves every row, since a causal one ends at its own position. */
static ga_status fill_shared(const ga__landmarks *m, ga_selection *made)
{
    ga_status status = GA_OK;
    int64_t keys = m->s->keys - m->count, lists = m->s->batch * made->lists, at = 0;
    GA_TRY(GA_NEW(m->s->context, lists * keys, &made->units));
    for (int64_t i = 0; i < lists; i++) {
        for (int64_t c = 0; c <= m->count; c++) {
            int64_t end = c < m->count ? m->mark[c] : m->s->keys;
            for (int64_t j = m->first[c]; j < end; j++) {
                made->units[at++] = (int32_t)j;
            }
        }
        made->offsets[i + 1] = at;
    }
done:
    return status;
}

ga_status ga__landmarks_selection(const ga__landmarks *m, ga_selection **out)
{
    ga_status status = GA_OK;
    ga__selecting *s = m->s;
    ga_selection *made = NULL;
    int32_t *blocks = NULL;
    if (m->retrieve) {
        GA_TRY(ga__selection_new(s, s->heads, 1, 1, &made));
        GA_TRY(GA_NEW(s->context, m->count, &blocks));
        GA_TRY(fill_rows(m, made, blocks));
    } else {
        GA_TRY(ga__selection_new(s, 1, ga__max(s->queries, 1), ga__max(s->queries, 1), &made));
        GA_TRY(fill_shared(m, made));
    }
    *out = made;
    made = NULL;
done:
    ga_selection_destroy(s->context, made);
    ga_free(s->context, blocks);
    return status;
}

static ga_status select_keys(ga__selecting *s, ga_selection **out)
{
    ga_status status = GA_OK;
    ga__landmarks m = { .s = s };
    GA_TRY(ga__landmarks_open(s, &m));
    status = ga__landmarks_selection(&m, out);
done:
    ga__landmarks_close(s->context, &m);
    return status;
}

/* ---- positions ---- */

ga_status ga_landmark_positions(ga_context *context, int64_t block, int64_t top_k, int64_t blocks,
                                const int64_t *picks, int64_t count, int64_t *positions)
{
    ga_status status = GA_OK;
    ga__begin(context);
    if (block < 1 || top_k < 1 || blocks < 0 || count < 0 ||
        block > INT64_MAX / (ga__max(count, 1) + 1) - 1) {
        GA_TRY(ga__fail(
            context, GA_INVALID,
            "landmark positions: block %lld, top_k %lld, %lld of %lld blocks: expected block and top_k "
            "of 1 or more",
            (long long)block, (long long)top_k, (long long)count, (long long)blocks));
    }
    for (int64_t r = 0; r < count; r++) {
        if (picks[r] < 0 || picks[r] >= blocks || (r > 0 && picks[r] <= picks[r - 1])) {
            GA_TRY(ga__fail(context, GA_INVALID,
                            "landmark positions: pick %lld is %lld, expected ascending below %lld",
                            (long long)r, (long long)picks[r], (long long)blocks));
        }
        positions[r] = (r + (blocks - picks[r] <= top_k)) * (block + 1);
    }
done:
    return status;
}

/* ---- the variant ---- */

/* Refuses what cannot be computed before any output is made. */
static ga_status plan(ga__job *run)
{
    if (!run->causal) {
        return ga__fail(run->context, GA_INVALID, "landmark knows earlier blocks only: needs --causal");
    }
    return ga__landmarks_check(&run->own);
}

static ga_status decode(ga__job *run, ga__decode *how)
{
    bool head = ga__part_value(&run->own, "select")->integer == GA__LANDMARK_HEAD;
    how->kind = GA__DECODE_KEYS;
    if (head && ga__part_value(&run->own, "mode")->integer) {
        return ga__fail(
            run->context, GA_INVALID,
            "landmark with select=head cannot be decoded token by token: all rows of a chunk choose");
    }
    return GA_OK;
}

static const ga__variant_ops ops = { .engine = GA__ENGINE_OWN,
                                     .normaliser = &ga__softmax_row,
                                     .plan = plan,
                                     .own_forward = ga__landmark_forward,
                                     .own_backward = ga__landmark_backward,
                                     .output = output,
                                     .select = select_keys,
                                     .decode = decode };

const ga_variant ga__landmark_variant = {
    .name = "landmark",
    .summary = "grouped softmax through landmark tokens, and retrieval of the best blocks",
    .source = "Landmark Attention, 2305.16300",
    .family = "dynamic",
    .plan =
        "selector: own block and earlier blocks, all or the best by their landmarks; score: scaled dot; "
        "normaliser: softmax over own keys and landmarks, whose weight a softmax spreads over their block",
    .outputs = "o, lse, map, selected",
    .parameters = parameters,
    .tensors = tensors,
    .can = GA_CAN_CAUSAL | GA_CAN_CROSS | GA_CAN_GROUP | GA_CAN_BACKWARD | GA_CAN_DECODE | GA_SELECTS,
    .causality = { .needs_causal = true },
    .ops = &ops,
};
