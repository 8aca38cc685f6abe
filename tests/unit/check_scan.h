/* check_scan.h - recurrences with random or closed data, and their plain formula in double precision. */
#ifndef TESTS_CHECK_SCAN_H
#define TESTS_CHECK_SCAN_H

#include <math.h>

#include <graphattn/engine.h>

#include "lib/engine/scan_attention/shapes.h"
#include "tests/unit/support.h"

typedef enum scan_decay { DECAY_NONE, DECAY_HEAD, DECAY_TOKEN, DECAY_VECTOR, DECAYS } scan_decay;
typedef enum scan_type { TYPE_F32, TYPE_F64, TYPE_BF16, TYPE_F16 } scan_type;

/* A tensor and the doubles it was made from; all of them are exact in every type. */
typedef struct scan_tensor {
    DLTensor tensor;
    int64_t shape[4], count;
    double *value;
    void *data;
} scan_tensor;

enum { Q, K, V, G, BETA, BONUS, FIRST, INPUTS };

typedef struct scan_case {
    ga__scan_shape shape;
    scan_decay decay;
    ga_scan problem;
    scan_tensor input[INPUTS]; /* value NULL: not given */
} scan_case;

typedef struct scan_choice {
    scan_decay decay;
    bool delta, bonus, normalise, full, first; /* first: an initial state */
} scan_choice;

static const scan_choice scan_choices[] = {
    { DECAY_NONE, false, false, false, false, false }, { DECAY_HEAD, false, false, false, false, true },
    { DECAY_TOKEN, false, false, false, false, true }, { DECAY_VECTOR, false, false, false, false, true },
    { DECAY_NONE, true, false, false, false, true },   { DECAY_HEAD, true, false, false, false, false },
    { DECAY_TOKEN, true, false, false, false, true },  { DECAY_VECTOR, true, false, false, false, true },
    { DECAY_VECTOR, false, true, false, false, true }, { DECAY_TOKEN, false, true, true, false, true },
    { DECAY_NONE, false, false, true, false, false },  { DECAY_VECTOR, true, false, true, false, true },
    { DECAY_HEAD, false, false, true, false, true },   { DECAY_NONE, false, false, false, true, true },
    { DECAY_NONE, false, false, true, true, true },
};
enum { SCAN_CHOICES = sizeof scan_choices / sizeof *scan_choices };

/* Returns owned (scan_case_free). Random multiples of 1/64; keys of about unit length, beta in 0 .. 1. */
scan_case *scan_case_new(ga__scan_shape shape, scan_choice choice, uint64_t seed);
/* Copies the values to tensors of a type; call again after changing values. */
void scan_case_store(scan_case *c, scan_type type);
void scan_case_free(scan_case *c);

/* f32 or f64, values NaN. */
void scan_tensor_make(scan_tensor *t, int ndim, const int64_t shape[4], scan_type type);
void scan_tensor_free(scan_tensor *t);
double scan_tensor_at(const scan_tensor *t, int64_t i);

int64_t scan_o_count(const scan_case *c);
int64_t scan_state_count(const scan_case *c);
void scan_o_make(const scan_case *c, scan_tensor *o, scan_type type);
void scan_state_make(const scan_case *c, scan_tensor *state, scan_type type);

/* The recurrence, straight from its definition. */
void scan_formula(const scan_case *c, double *o, double *state);

/* Runs as it stands, into tensors of type out; the larger distance of output and state to the formula. */
double scan_gap(ga_context *context, const scan_case *c, scan_type out);

/* Largest |got - want| / (1 + |want|); NaN in both counts as equal. */
double scan_distance(const scan_tensor *got, const double *want);

#endif
