/* csr_plain.c - splitting, sorting and squeezing edges without weights. */
#include "config.h"

#include <string.h>

#include "graph/csr_build.h"

#define ELEMENT uint64_t
#define KEY(e) (e)
#define NAME(x) x##_plain
#define WEIGHTED 0
#include "graph/csr_sort.h"
#include "graph/csr_split.h"
#include "graph/csr_squeeze.h"
