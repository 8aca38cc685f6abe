/* output.h - the parts of an output: the file that is written, the compressor. For lib/base only. */
#ifndef GA_LIB_BASE_OUTPUT_H
#define GA_LIB_BASE_OUTPUT_H

#include "lib/base/base.h"

/* ---- where the bytes go ---- */

typedef struct ga__target {
    int fd;      /* -1: closed */
    bool own_fd; /* false for standard output */
    bool blocks; /* a pipe, socket or terminal: writing may wait for a reader */
    char *name;  /* for messages */
    char *path;  /* final path, NULL when the target is written in place */
    char *temp;  /* path of the temporary file, NULL when there is none (any more) */
} ga__target;

/* On failure *target holds what drop and free expect. */
ga_status ga__target_open(ga_context *context, const char *path, ga__target *target);
ga_status ga__target_write(ga_context *context, ga__target *target, const void *data, int64_t size);
/* fsync, close, rename. */
ga_status ga__target_commit(ga_context *context, ga__target *target);
/* Closes, and removes the temporary file if it is still there. */
void ga__target_drop(ga_context *context, ga__target *target);
void ga__target_free(ga_context *context, ga__target *target);

/* ---- gzip ---- */

typedef struct ga__deflate ga__deflate;

ga_status ga__deflate_create(ga_context *context, ga__deflate **out);
void ga__deflate_destroy(ga_context *context, ga__deflate *deflate);
ga_status ga__deflate_write(ga_context *context, ga__deflate *deflate, ga__target *target, const void *data,
                            int64_t size, bool last);

#endif
