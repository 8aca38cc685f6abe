/* crc32c.h - the version without special instructions, for tests. */
#ifndef GA_LIB_BASE_CRC32C_H
#define GA_LIB_BASE_CRC32C_H

#include "lib/base/base.h"

uint32_t ga__crc32c_plain(uint32_t crc, const void *data, size_t size);

#endif
