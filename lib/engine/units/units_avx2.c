/* units_avx2.c - summaries and scores of units: see units_loops.h. */
#include "config.h"

#define GA__ISA 2
#include "lib/engine/units/units_body.h"
