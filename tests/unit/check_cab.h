/* check_cab.h - small problems of the variants that the reference does not have, for check_cab.c. */
#ifndef TESTS_CHECK_CAB_H
#define TESTS_CHECK_CAB_H

#include <string.h>

#include "tests/reference/reference.h"

enum { SELF = 20, QUERIES = 11, KEYS = 20, DIM = 4, DIM_V = 3 };

/* ---- problems of variants that the reference does not have ---- */

static inline void no_more(problem *p, uint64_t seed)
{
    (void)p;
    (void)seed;
}

/* Some keys of every batch entry. */
static inline void key_mask(problem *p, const char *name, int64_t step)
{
    array *mask = problem_tensor(p, name, 2, (int64_t[]){ p->batch, p->keys });
    p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLUInt, 8, 1 };
    for (int64_t i = 0; i < array_count(mask); i++) {
        mask->data[i] = i % step == 1;
    }
}

static inline void var_make(problem *p, uint64_t seed)
{
    (void)seed;
    key_mask(p, "sink_mask", 4);
}

static inline void paint_make(problem *p, uint64_t seed)
{
    (void)seed;
    key_mask(p, "local", 3);
    key_mask(p, "summary", 5);
}

static inline void dara_make(problem *p, uint64_t seed)
{
    (void)seed;
    array *factors = problem_tensor(p, "factors", 2, (int64_t[]){ p->heads, p->keys });
    for (int64_t i = 0; i < array_count(factors); i++) {
        factors->data[i] = 1 + (double)(i % 5) / 4;
    }
}

/* Without given boundaries the queries decide on them. */
static inline void dhsa_make(problem *p, uint64_t seed)
{
    static const double cuts[] = { 0, 5, 9, 14, KEYS };
    (void)seed;
    array *boundaries = problem_tensor(p, "boundaries", 1, (int64_t[]){ 5 });
    p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLInt, 64, 1 };
    memcpy(boundaries->data, cuts, sizeof cuts);
}

static inline void head_mask_make(problem *p, uint64_t seed)
{
    (void)seed;
    array *modes = problem_tensor(p, "modes", 1, &p->heads);
    p->tensors[p->tensor_count - 1].dtype = (DLDataType){ kDLUInt, 8, 1 };
    for (int64_t h = 0; h < p->heads; h++) {
        modes->data[h] = (double)((h + 1) % 3);
    }
}

/* from: the property holds for rows from there on, and prefixes that reach it. */
typedef struct own {
    fixture fixture;
    ga_named_text parameters[6];
    int64_t from;
} own;

static const own others[] = {
    { { .name = "landmark", .make = no_more }, { { "block", "3" } }, 0 },
    { { .name = "hip", .make = no_more },
      { { "top_k", "4" },
        { "block_q", "4" },
        { "stride_q", "2" },
        { "block_k", "2" },
        { "sinks", "1" },
        { "window", "3" } },
      0 },
    { { .name = "dhsa", .make = dhsa_make },
      { { "block_q", "4" },
        { "budget", "6" },
        { "window", "2" },
        { "boundary_window", "2" },
        { "nms", "2" } },
      0 },
    { { .name = "recycled", .make = no_more }, { { "top_k", "4" }, { "stride", "3" } }, 0 },
    { { .name = "vertical-slash", .make = no_more },
      { { "columns", "4" }, { "slashes", "3" }, { "probe", "3" }, { "sinks", "1" }, { "window", "1" } },
      0 },
    { { .name = "block-topk", .make = no_more },
      { { "block", "3" }, { "block_q", "4" }, { "top_k", "3" } },
      0 },
    { { .name = "flexprefill", .make = no_more }, { { "block", "2" }, { "min_budget", "2" } }, 0 },
    { { .name = "snapkv", .make = no_more },
      { { "budget", "6" }, { "window", "2" }, { "kernel", "3" }, { "prompt", "14" } },
      14 },
    { { .name = "ada-snapkv", .make = no_more },
      { { "budget", "6" }, { "window", "2" }, { "kernel", "3" }, { "prompt", "14" } },
      14 },
    { { .name = "quest", .make = no_more },
      { { "block", "3" }, { "budget", "9" }, { "min_pages", "2" } },
      0 },
    { { .name = "split-kv", .make = no_more }, { { "parts", "3" } }, 0 },
    { { .name = "var", .make = var_make },
      { { "image_start", "1" }, { "image_end", "8" }, { "rho", "1" }, { "summ", "0" }, { "rows_from", "2" } },
      0 },
    { { .name = "act", .make = no_more }, { { "alpha", "1.2" } }, 0 },
    { { .name = "paint", .make = paint_make }, { { "rows", "all" } }, 0 },
    { { .name = "dara", .make = dara_make }, { { NULL, NULL } }, 0 },
    { { .name = "vhr", .make = no_more }, { { "image_start", "1" }, { "image_end", "6" } }, 0 },
    { { .name = "head-mask", .make = head_mask_make }, { { NULL, NULL } }, 0 },
};

static const own *find_own(const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(others[i].fixture.name, name) == 0) {
            return &others[i];
        }
    }
    return NULL;
}

#endif
