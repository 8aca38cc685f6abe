/* units_scalar.c - summaries and scores of units: see units_loops.h. */
#include "config.h"

#define GA__ISA 0
#include "lib/engine/units/units_body.h"
