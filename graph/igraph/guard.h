/* guard.h - igraph under our rules: its failures become statuses, its settings are put back. */
#ifndef GA_GRAPH_IGRAPH_GUARD_H
#define GA_GRAPH_IGRAPH_GUARD_H

#include <graphattn/igraph.h>
#include <locale.h>

enum { GA__IGRAPH_TEXT = 400 };

typedef struct ga__igraph_guard {
    igraph_error_handler_t *error;
    igraph_warning_handler_t *warning;
    igraph_fatal_handler_t *fatal;
    igraph_attribute_table_t *attributes;
    bool plain_attributes; /* igraph's own C table was in place already */
    locale_t locale;
    bool unwound; /* igraph's stack of clean-up calls is down to the caller's */
} ga__igraph_guard;

/* Waits for other callers, then replaces the handlers and igraph's table of attributes, the latter by its plain C one,
 * and numbers are read and written as in the C locale. Nothing of ours may be called between the two that calls igraph
 * by another guard. The guard must not move. */
void ga__igraph_enter(ga__igraph_guard *guard);
void ga__igraph_leave(ga__igraph_guard *guard);

/* Puts the table of attributes of the caller back already, for graphs that are theirs. */
void ga__igraph_their_attributes(const ga__igraph_guard *guard);

/* Calls work(of), which may end in igraph's fatal handler, after which no destructor has run: only for igraph's own
 * memory. */
igraph_error_t ga__igraph_call(igraph_error_t (*work)(void *of), void *of);

/* Status of an igraph error code; where igraph told of a failure before, of that one's. */
ga_status ga__igraph_status(igraph_error_t code);
/* What igraph said about its first failure under the guard. */
const char *ga__igraph_text(void);
/* What it warned of since ga__igraph_enter, the first one; "" for nothing. */
const char *ga__igraph_warning(void);

/* The vertices of a graph and its edges as our arrays. Under the guard; attributes: those of igraph's C table may be
 * looked at. found is cleared first; on failure its message says why and the caller frees the arrays. */
ga_status ga__igraph_take(ga_context *context, const igraph_t *from, bool attributes, bool weights,
                          ga_foreign_graph *found);
/* The other direction: vertices get their ids, or numbers, as the attribute `names`, NULL for none, and edges "weight"
 * where weights is set and there are some. *to is made on success only. */
igraph_error_t ga__igraph_make(const ga_graph *graph, const char *names, bool weights, igraph_t *to);

#endif
