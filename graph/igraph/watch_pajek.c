/* watch_pajek.c - the headings of a Pajek file, as it is read. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#include "graph/igraph/watch.h"

enum { LONGEST_LINE = 1 << 20, BYTES_OF_A_VERTEX = 16 /* that igraph takes at least */ };

/* The next line with its end into buffer; false at the end of the file, and when it is too long. */
static bool next_line(ga__pajek_watch *w)
{
    int c;
    w->size = 0;
    while (w->size < LONGEST_LINE && (c = getc_unlocked(w->base.in)) != EOF) {
        if (c == '\n' && w->carriage && w->size == 0) { /* the second half of CR LF */
            w->carriage = false;
            continue;
        }
        w->carriage = c == '\r';
        w->buffer[w->size++] = c == '\r' ? '\n' : (char)c;
        if (c == '\n' || c == '\r') {
            break;
        }
    }
    w->base.line++;
    if (w->size == LONGEST_LINE) {
        ga__watch_stop(&w->base, GA_FORMAT, "a line of more than 1 MiB");
        return false;
    }
    return w->size > 0;
}

static bool starts_with(const char *text, int64_t size, const char *word)
{
    int64_t length = (int64_t)strlen(word);
    return size >= length && strncasecmp(text, word, (size_t)length) == 0;
}

/* ---- headings ---- */

static ga_status check_vertices(ga__pajek_watch *w, const char *text)
{
    char *end;
    errno = 0;
    long long nodes = strtoll(text, &end, 10);
    w->two_modes = strtoll(end, NULL, 10) > 0;
    if (end == text || nodes < 0 || errno == ERANGE) {
        return ga__watch_stop(&w->base, GA_FORMAT, "expected *Vertices and their number");
    }
    if (w->max_nodes > 0 && nodes > w->max_nodes) {
        return ga__watch_stop(&w->base, GA_LIMIT, "%lld nodes are more than --max-nodes %lld", nodes,
                              (long long)w->max_nodes);
    }
    long long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0 && nodes / (page / BYTES_OF_A_VERTEX) > pages) {
        return ga__watch_stop(&w->base, GA_NOMEM, "%lld nodes are more than the memory holds", nodes);
    }
    void *probe = NULL;
    ga_status status = ga_alloc(w->context, nodes, BYTES_OF_A_VERTEX, &probe);
    ga_free(w->context, probe);
    return status == GA_OK ? GA_OK : ga__watch_stop(&w->base, status, "%s", ga_context_error(w->context));
}

static void give(ga__pajek_watch *w, const char *from, int64_t size)
{
    w->pieces[w->count].from = from;
    w->pieces[w->count++].size = size;
}

/* Given when its first edge comes. Another one that was kept back leaves an empty line, so that igraph counts lines as
 * the file has them. */
static void begin_section(ga__pajek_watch *w, int section)
{
    if (w->kept_back) {
        give(w, "\n", 1);
    }
    w->section = section;
    w->kept_back = section != GA__PAJEK_OTHER && w->size < (int64_t)sizeof w->heading;
    if (w->kept_back) {
        memcpy(w->heading, w->buffer, (size_t)w->size);
        w->heading[w->size] = '\0';
    } else {
        give(w, w->buffer, w->size);
    }
}

static ga_status take_heading(ga__pajek_watch *w, const char *text, int64_t size)
{
    int section = GA__PAJEK_OTHER;
    if (starts_with(text, size, "*vertices")) {
        char number[64] = "";
        size_t digits = (size_t)size - 9 < sizeof number - 1 ? (size_t)size - 9 : sizeof number - 1;
        memcpy(number, text + 9, digits);
        if (check_vertices(w, number) != GA_OK) {
            return w->base.status;
        }
    } else if (starts_with(text, size, "*arcs")) {
        section = GA__PAJEK_ARCS;
    } else if (starts_with(text, size, "*edges")) {
        section = GA__PAJEK_EDGES;
    } else if (starts_with(text, size, "*matrix")) {
        section = w->two_modes ? GA__PAJEK_EDGES : GA__PAJEK_ARCS;
    }
    begin_section(w, section);
    return GA_OK;
}

static ga_status take_line(ga__pajek_watch *w)
{
    int64_t blanks = 0;
    while (blanks < w->size && memchr(" \t\n", w->buffer[blanks], 3)) {
        blanks++;
    }
    const char *text = w->buffer + blanks;
    int64_t size = w->size - blanks;
    if (size > 0 && *text == '*') {
        return take_heading(w, text, size);
    }
    if (size > 0 && *text != '%' && w->section != GA__PAJEK_OTHER) {
        if (w->seen != GA__PAJEK_OTHER && w->seen != w->section) {
            return ga__watch_stop(&w->base, GA_UNSUPPORTED, "edges below *Arcs and below *Edges in one file");
        }
        w->seen = w->section;
        if (w->kept_back) {
            w->kept_back = false;
            give(w, w->heading, (int64_t)strlen(w->heading));
        }
    }
    give(w, w->buffer, w->size);
    return GA_OK;
}

/* ---- the stream ---- */

static ssize_t read_watched(void *user, char *buffer, size_t size)
{
    ga__pajek_watch *w = user;
    while (w->at == w->count) {
        w->at = w->count = 0;
        if (w->base.status != GA_OK || !next_line(w) || take_line(w) != GA_OK) {
            return 0;
        }
    }
    int64_t left = w->pieces[w->at].size, part = left < (int64_t)size ? left : (int64_t)size;
    memcpy(buffer, w->pieces[w->at].from, (size_t)part);
    w->pieces[w->at].from += part;
    w->pieces[w->at].size -= part;
    w->at += part == left;
    return (ssize_t)part;
}

FILE *ga__pajek_open(ga__pajek_watch *watch, ga_context *context, const ga_read_options *options, FILE *in)
{
    *watch = (ga__pajek_watch){ .base = { .in = in }, .context = context, .max_nodes = options->max_nodes };
    if (ga_alloc(context, LONGEST_LINE, 1, &watch->buffer) != GA_OK) {
        return NULL;
    }
    return fopencookie(watch, "r", (cookie_io_functions_t){ .read = read_watched });
}

void ga__pajek_end(ga__pajek_watch *watch)
{
    ga_free(watch->context, watch->buffer);
}
