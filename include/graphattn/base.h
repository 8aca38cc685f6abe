/* base.h - status codes, the context, memory, hooks.
 *
 * Every heavy call takes a ga_context first. Contexts are independent of each other; one context serves one
 * calling thread at a time (the library itself uses several threads inside a call). No call prints, exits,
 * aborts, changes the locale or touches signal handlers.
 */
#ifndef GRAPHATTN_BASE_H
#define GRAPHATTN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined __GNUC__
#define GA_API __attribute__((visibility("default")))
#define GA_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define GA_API
#define GA_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call came to. On anything but GA_OK the outputs are untouched and ga_context_error() has the details. */
typedef enum ga_status {
    GA_OK = 0,
    GA_INVALID,     /* an argument is out of its range, or two contradict each other */
    GA_NOMEM,       /* the allocator said no */
    GA_LIMIT,       /* a limit that the caller set (memory, nodes, edges) would be exceeded */
    GA_OVERFLOW,    /* a size does not fit its type */
    GA_IO,          /* open, read, write, fsync, close or rename failed; the message has errno's text */
    GA_FORMAT,      /* a file is not what it claims to be; the message has file, line or offset, and cause */
    GA_INFEASIBLE,  /* no object with the wanted properties exists */
    GA_UNSUPPORTED, /* a known thing that this build or this machine cannot do */
    GA_CANCELLED,   /* the cancel callback said stop */
    GA_INTERNAL,    /* a broken invariant: our bug */
    GA_DEVICE_FAILED /* a call to a device failed, or the device can no longer be used; the message has its words */
} ga_status;

/* A short English name of a status ("out of memory"); never NULL. */
GA_API const char *ga_status_name(ga_status status);

/* Library version "MAJOR.MINOR.PATCH", and a line about what it was built with (compiler, zlib, ISA-L). */
GA_API const char *ga_version(void);
GA_API const char *ga_build_info(void);

typedef struct ga_context ga_context;

/* Returns owned context with the defaults: all cores, seed 1, no limits, no callbacks, system calls as hooks.
 * GA_NOMEM if there is no memory for it. */
GA_API ga_status ga_context_create(ga_context **context);
/* Accepts NULL. Everything allocated through the context must have been freed before. */
GA_API void ga_context_destroy(ga_context *context);

/* Text of the last failure in this context; "" when there was none. Valid until the next call with it. */
GA_API const char *ga_context_error(const ga_context *context);

/* Keeps the text as the context's error in place of an earlier one and returns status; GA_OK: forgets the earlier one. For
 * libraries that extend this one. */
GA_API ga_status ga_context_fail(ga_context *context, ga_status status, const char *text);

/* Number of threads for later calls, >= 1; 0 means all cores. More than ga_context_max_threads() is capped with
 * a note; where threads cannot be created fewer are used, also with a note. Results never depend on it. */
GA_API ga_status ga_context_set_threads(ga_context *context, int64_t threads);
GA_API int ga_context_threads(const ga_context *context);
GA_API int ga_context_max_threads(void);

GA_API void ga_context_set_seed(ga_context *context, uint64_t seed);
GA_API uint64_t ga_context_seed(const ga_context *context);

/* Upper limit in bytes for what the context's allocations may sum up to; 0 = none. */
GA_API void ga_context_set_memory_limit(ga_context *context, int64_t bytes);
/* Bytes allocated now and at most since creation. Either pointer may be NULL. */
GA_API void ga_context_memory(const ga_context *context, int64_t *now, int64_t *peak);

typedef enum ga_severity { GA_NOTE, GA_WARNING } ga_severity;
/* text is one line without newline and without program name. Called on the calling thread. */
typedef void (*ga_message_fn)(void *user, ga_severity severity, const char *text);
GA_API void ga_context_set_messages(ga_context *context, ga_message_fn function, void *user);

/* stage is a short verb phrase ("reading"); total is 0 when unknown. At most ten calls a second, one at a time. */
typedef void (*ga_progress_fn)(void *user, const char *stage, int64_t done, int64_t total);
GA_API void ga_context_set_progress(ga_context *context, ga_progress_fn function, void *user);

/* Asked often from any thread; non-zero makes the running call fail with GA_CANCELLED. Must be quick and may be
 * called concurrently: reading a sig_atomic_t is the intended body. */
typedef int (*ga_cancel_fn)(void *user);
GA_API void ga_context_set_cancel(ga_context *context, ga_cancel_fn function, void *user);

/* Replacements for what the library asks of the system; a NULL member keeps the default. Signatures and errno
 * follow the system calls. allocate returns memory aligned to alignment (a power of two) or NULL. thread is asked
 * before threads are used and returns 0 or an errno value, as pthread_create would. */
typedef struct ga_hooks {
    void *user;
    void *(*allocate)(void *user, size_t alignment, size_t size);
    void (*release)(void *user, void *block, size_t size);
    long long (*read)(void *user, int fd, void *buffer, size_t size);
    long long (*write)(void *user, int fd, const void *buffer, size_t size);
    int (*fsync)(void *user, int fd);
    int (*close)(void *user, int fd);
    int (*rename)(void *user, const char *from, const char *to);
    int (*thread)(void *user);
} ga_hooks;
/* Copies *hooks; set before anything was allocated. */
GA_API ga_status ga_context_set_hooks(ga_context *context, const ga_hooks *hooks);

/* count * size bytes aligned to 64, uninitialised, into *(void **)out: the product is checked (GA_OVERFLOW), the
 * limit obeyed (GA_LIMIT), bytes counted (GA_NOMEM). count or size 0 gives a valid pointer to no bytes. */
GA_API ga_status ga_alloc(ga_context *context, int64_t count, size_t size, void *out);
/* Frees what ga_alloc or a "returns owned" array gave; accepts NULL. */
GA_API void ga_free(ga_context *context, void *block);

#ifdef __cplusplus
}
#endif

#endif
