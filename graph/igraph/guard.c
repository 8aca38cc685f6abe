/* guard.c - igraph's handlers, which abort the program unless they are replaced. */
#include "config.h"

#include "graph/igraph/guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>

/* igraph's handlers get no pointer of ours, and they are the process's: one caller at a time, one text. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char error_text[GA__IGRAPH_TEXT], warning_text[GA__IGRAPH_TEXT];
static igraph_error_t error_code;
static jmp_buf after_fatal;
static bool catches_fatal;

/* ---- what igraph says ---- */

/* One line, without control characters: what files say stands in it. */
static void keep_text(char *kept, const char *text)
{
    size_t size = 0;
    for (; text[size] && size + 1 < GA__IGRAPH_TEXT; size++) {
        unsigned char c = (unsigned char)text[size];
        kept[size] = c < ' ' || c == 0x7f ? ' ' : text[size];
    }
    while (size > 0 && (kept[size - 1] == ' ' || kept[size - 1] == '.')) {
        size--;
    }
    kept[size] = '\0';
}

/* The first failure is the cause; the functions above it report again, without words. */
static void take_error(const char *reason, const char *file, int line, igraph_error_t code)
{
    (void)file;
    (void)line;
    if (error_code == IGRAPH_SUCCESS) {
        error_code = code;
    }
    if (!error_text[0]) {
        keep_text(error_text, reason);
    }
    IGRAPH_FINALLY_FREE();
}

static void take_warning(const char *reason, const char *file, int line)
{
    (void)file;
    (void)line;
    if (!warning_text[0]) {
        keep_text(warning_text, reason);
    }
}

/* igraph's scanners end here when they get no memory, and whoever comes upon a bug of igraph. */
static void take_fatal(const char *reason, const char *file, int line)
{
    if (!catches_fatal) {
        igraph_fatal_handler_abort(reason, file, line);
    }
    error_code = IGRAPH_EINTERNAL;
    error_text[0] = '\0';
    keep_text(error_text, reason);
    longjmp(after_fatal, 1);
}

igraph_error_t ga__igraph_call(igraph_error_t (*work)(void *of), void *of)
{
    igraph_error_t code = IGRAPH_EINTERNAL;
    catches_fatal = true;
    if (setjmp(after_fatal) == 0) {
        code = work(of);
    }
    catches_fatal = false;
    return code;
}

/* ---- entering and leaving ---- */

static void mark_unwound(void *guard)
{
    ((ga__igraph_guard *)guard)->unwound = true;
}

void ga__igraph_enter(ga__igraph_guard *guard)
{
    pthread_mutex_lock(&lock);
    error_text[0] = warning_text[0] = '\0';
    error_code = IGRAPH_SUCCESS;
    /* a constant in the C library: never fails, nothing to free */
    guard->locale = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    guard->unwound = false;
    guard->error = igraph_set_error_handler(take_error);
    guard->warning = igraph_set_warning_handler(take_warning);
    guard->fatal = igraph_set_fatal_handler(take_fatal);
    guard->attributes = igraph_set_attribute_table(&igraph_cattribute_table);
    guard->plain_attributes = guard->attributes == &igraph_cattribute_table;
    /* A level of clean-up calls of our own, so that a failure leaves those of a caller alone; its first entry tells when
     * all above it are gone. */
    IGRAPH_FINALLY_ENTER();
    IGRAPH_FINALLY(mark_unwound, guard);
}

void ga__igraph_leave(ga__igraph_guard *guard)
{
    /* After a fatal error there may be further levels. */
    for (IGRAPH_FINALLY_FREE(); !guard->unwound; IGRAPH_FINALLY_FREE()) {
        IGRAPH_FINALLY_EXIT();
    }
    IGRAPH_FINALLY_EXIT();
    igraph_set_attribute_table(guard->attributes);
    igraph_set_fatal_handler(guard->fatal);
    igraph_set_warning_handler(guard->warning);
    igraph_set_error_handler(guard->error);
    uselocale(guard->locale);
    pthread_mutex_unlock(&lock);
}

void ga__igraph_their_attributes(const ga__igraph_guard *guard)
{
    igraph_set_attribute_table(guard->attributes);
}

ga_status ga__igraph_status(igraph_error_t code)
{
    switch (code == IGRAPH_SUCCESS || error_code == IGRAPH_SUCCESS ? code : error_code) {
    case IGRAPH_SUCCESS: return GA_OK;
    case IGRAPH_ENOMEM: return GA_NOMEM;
    case IGRAPH_PARSEERROR: return GA_FORMAT;
    case IGRAPH_EFILE: return GA_IO;
    case IGRAPH_EOVERFLOW:
    case IGRAPH_EUNDERFLOW: return GA_OVERFLOW;
    case IGRAPH_UNIMPLEMENTED: return GA_UNSUPPORTED;
    case IGRAPH_INTERRUPTED: return GA_CANCELLED;
    case IGRAPH_EINTERNAL: return GA_INTERNAL;
    default: return GA_INVALID;
    }
}

const char *ga__igraph_text(void)
{
    return error_text[0] ? error_text : "no reason given";
}

const char *ga__igraph_warning(void)
{
    return warning_text;
}
