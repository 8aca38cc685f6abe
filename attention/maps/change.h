/* change.h - what variants that change a map share: flags as inputs, outputs of their own. */
#ifndef GA_ATTENTION_CHANGE_H
#define GA_ATTENTION_CHANGE_H

#include "attention/plan.h"

/* View of an integer input with these axes; without data when it was not given. */
ga_status ga__flags(ga__job *run, const char *name, int count, const int64_t *dims, ga__view *view);
/* True where element (row, column) of flags is not 0. */
static inline bool ga__flag(const ga__view *flags, int64_t row, int64_t column)
{
    return ga__view_get_integer(flags, 0, row, column) != 0;
}

/* An output that only the variant has; the run keeps it. type NULL = the working type. */
ga_status ga__change_output(ga__job *run, const char *name, const DLDataType *type, int ndim,
                            const int64_t *shape, DLTensor **out);
/* For ops->output: hands it out. */
ga_status ga__change_take(ga__job *run, const char *name, DLTensor **out);

#endif
