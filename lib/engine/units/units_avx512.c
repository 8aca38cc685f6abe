/* units_avx512.c - summaries and scores of units: see units_loops.h. */
#include "config.h"

#define GA__ISA 512
#include "lib/engine/units/units_body.h"
