/* check_base_io.h - the two halves of check_io. */
#ifndef CHECK_BASE_IO_H
#define CHECK_BASE_IO_H

#include <check.h>

TCase *output_case(void);

#endif
