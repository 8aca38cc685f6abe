/* parameters.h - parameters as text, resolved against their tables. */
#ifndef GA_LIB_TENSOR_PARAMETERS_H
#define GA_LIB_TENSOR_PARAMETERS_H

#include <float.h>
#include <graphattn/call.h>
#include <math.h>

#include "lib/base/base.h"

enum { GA__LIST = 8, GA__PARAMETERS = 48 };

/* Limits of ga_parameter. */
#define GA__ANY .least = 1, .most = 0
#define GA__FROM(low) .least = (low), .most = DBL_MAX
#define GA__ABOVE(low) .least = (low), .most = DBL_MAX, .above = true
#define GA__WITHIN(low, high) .least = (low), .most = (high)

typedef struct ga__value {
    bool given;      /* false: neither a default nor a value */
    int64_t integer; /* INT; 0 or 1 of BOOL; index of WORD */
    double real;
    int64_t count, list[GA__LIST];
    const char *text; /* of TEXT; as it was given to ga__part_set, or the default */
} ga__value;

/* Something with parameters: a variant, a layer, or a pattern or normaliser that was named in a call. */
typedef struct ga__part {
    ga_context *context;
    const char *kind; /* "", "pattern " or "normaliser ": how messages start */
    const char *name;
    const ga_parameter *parameters;
    ga__value values[GA__PARAMETERS];
} ga__part;

/* Defaults. parameters NULL: none. */
ga_status ga__part_open(ga_context *context, const char *kind, const char *name,
                        const ga_parameter *parameters, ga__part *part);
/* Sets one by its text; lists are joined by separator. GA_INVALID in the words of composed.md. */
ga_status ga__part_set(ga__part *part, const char *name, const char *text, char separator);
/* Sets what stands behind NAME in "NAME:k=v,k=v". */
ga_status ga__part_set_all(ga__part *part, const char *text);
/* GA_INVALID when a required one has no value. */
ga_status ga__part_check(const ga__part *part);
/* By name, which must be in the table. */
const ga__value *ga__part_value(const ga__part *part, const char *name);
/* "PART: NAME=VALUE: expected ..." for a value that does not fit the input. */
ga_status ga__part_refuse(const ga__part *part, const char *name, const char *expected, ...) GA_PRINTF(3, 4);
/* A list as one number an axis: one value serves all. GA_INVALID unless it has 1 or `axes` values. */
ga_status ga__part_axes(const ga__part *part, const char *name, int axes, int64_t *out);

#endif
