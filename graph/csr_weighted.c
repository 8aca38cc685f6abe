/* csr_weighted.c - splitting, sorting and squeezing edges with weights. */
#include "config.h"

#include <string.h>

#include "graph/csr_build.h"

#define ELEMENT ga__weighted_key
#define KEY(e) ((e).key)
#define NAME(x) x##_weighted
#define WEIGHTED 1
#include "graph/csr_sort.h"
#include "graph/csr_split.h"
#include "graph/csr_squeeze.h"
