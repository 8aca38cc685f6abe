/* readers.h - one call for each reader of files. */
#ifndef FUZZ_READERS_H
#define FUZZ_READERS_H

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_TEXT, FUZZ_MTX, FUZZ_METIS, FUZZ_SG, FUZZ_GAB, FUZZ_INTEGERS, FUZZ_READERS };

/* Folder in the corpus, by number. */
extern const char *const fuzz_names[FUZZ_READERS];

/* Reads the bytes as a plain file and as a gzip'ed one; aborts when something is wrong: a graph that is none, two
 * results, memory kept, a failure without words. Returns whether they were accepted. */
int fuzz_read(int reader, const uint8_t *data, size_t size);

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
