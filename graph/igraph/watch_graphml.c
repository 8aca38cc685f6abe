/* watch_graphml.c - the tags of a GraphML file, as it is read. */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

#include "graph/igraph/watch.h"

ga_status ga__watch_stop(ga__watch *watch, ga_status status, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    watch->status = status;
    (void)snprintf(watch->message, sizeof watch->message, "line %" PRId64 ": %s", watch->line, text);
    return status;
}

/* ---- tags ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The name in front, without its prefix. */
static bool is_called(const char *tag, const char *name)
{
    size_t size = strcspn(tag, " \t\n\r/");
    const char *colon = memchr(tag, ':', size);
    const char *begin = colon ? colon + 1 : tag;
    size -= (size_t)(begin - tag);
    return size == strlen(name) && memcmp(begin, name, size) == 0;
}

/* Value of an attribute, NULL when there is none; *size bytes. */
static const char *find_value(const char *tag, const char *name, size_t *size)
{
    size_t length = strlen(name);
    for (const char *c = tag; *c;) {
        if (*c == '"' || *c == '\'') {
            const char *end = strchr(c + 1, *c);
            c = end ? end + 1 : c + strlen(c);
        } else if (is_blank(*c) && strncmp(c + 1, name, length) == 0) {
            const char *at = c + 1 + length;
            at += strspn(at, " \t\n\r");
            const char *begin = *at == '=' ? at + 1 + strspn(at + 1, " \t\n\r") : "";
            const char *end = *begin == '"' || *begin == '\'' ? strchr(begin + 1, *begin) : NULL;
            if (end) {
                *size = (size_t)(end - begin - 1);
                return begin + 1;
            }
            c++;
        } else {
            c++;
        }
    }
    return NULL;
}

static bool has_value(const char *tag, const char *name, const char *first, const char *second)
{
    size_t size;
    const char *value = find_value(tag, name, &size);
    return value && ((size == strlen(first) && memcmp(value, first, size) == 0) ||
                     (size == strlen(second) && memcmp(value, second, size) == 0));
}

static ga_status look_at_tag(ga__graphml_watch *w)
{
    w->tag[w->length < (int64_t)sizeof w->tag ? w->length : (int64_t)sizeof w->tag - 1] = '\0';
    if (is_called(w->tag, "!ENTITY")) {
        return ga__watch_stop(&w->base, GA_FORMAT, "an entity is declared; entities are not expanded");
    }
    if (is_called(w->tag, "graph")) {
        w->directed = w->graphs == 0 ? has_value(w->tag, "edgedefault", "directed", "directed") : w->directed;
        w->graphs++;
    } else if (is_called(w->tag, "hyperedge")) {
        w->hyperedges++;
    } else if (is_called(w->tag, "edge") && w->graphs == 1 &&
               has_value(w->tag, "directed", w->directed ? "false" : "true", w->directed ? "0" : "1")) {
        return ga__watch_stop(&w->base, GA_UNSUPPORTED, "an edge with directed=\"%s\" in a graph of %s edges",
                              w->directed ? "false" : "true", w->directed ? "directed" : "undirected");
    }
    return GA_OK;
}

/* ---- text ---- */

static ga_status in_tag(ga__graphml_watch *w, char c)
{
    if (w->quote) {
        w->quote = c == w->quote ? '\0' : w->quote;
    } else if (c == '<') { /* inside <!DOCTYPE ... [ */
        w->length = 0;
        return GA_OK;
    } else if (c == '>') {
        w->at = GA__XML_TEXT;
        return look_at_tag(w);
    } else if (w->length > 0 && (c == '"' || c == '\'')) {
        w->quote = c;
    }
    if (w->length < (int64_t)sizeof w->tag) {
        w->tag[w->length] = c;
    }
    w->length++;
    if (w->length == 1 && c == '?') {
        w->at = GA__XML_PI;
    } else if (w->length == 3 && memcmp(w->tag, "!--", 3) == 0) {
        w->at = GA__XML_COMMENT;
    } else if (w->length == 8 && memcmp(w->tag, "![CDATA[", 8) == 0) {
        w->at = GA__XML_CDATA;
    }
    if (w->at != GA__XML_TAG) {
        w->length = 0;
        w->quote = '\0';
    }
    return GA_OK;
}

/* Comments end at -->, character data at ]]>, instructions at ?>. */
static void in_other(ga__graphml_watch *w, char c)
{
    bool two = w->length >= 2, ends = false;
    switch (w->at) {
    case GA__XML_COMMENT: ends = two && w->last[0] == '-' && w->last[1] == '-'; break;
    case GA__XML_CDATA: ends = two && w->last[0] == ']' && w->last[1] == ']'; break;
    default: ends = w->length >= 1 && w->last[1] == '?'; break;
    }
    if (c == '>' && ends) {
        w->at = GA__XML_TEXT;
        return;
    }
    w->last[0] = w->last[1];
    w->last[1] = c;
    w->length++;
}

static ga_status look(ga__graphml_watch *w, char c)
{
    if (c == '\0') {
        return ga__watch_stop(&w->base, GA_FORMAT, "a byte of zero, expected XML in UTF-8");
    }
    w->base.line += c == '\n';
    if (w->at == GA__XML_TAG) {
        return in_tag(w, c);
    }
    if (w->at != GA__XML_TEXT) {
        in_other(w, c);
    } else if (c == '<') {
        w->at = GA__XML_TAG;
        w->length = 0;
        w->quote = '\0';
    }
    return GA_OK;
}

static ssize_t read_watched(void *user, char *buffer, size_t size)
{
    ga__graphml_watch *w = user;
    size_t got = w->base.status == GA_OK ? fread(buffer, 1, size, w->base.in) : 0;
    for (size_t i = 0; i < got; i++) {
        if (look(w, buffer[i]) != GA_OK) {
            return 0;
        }
    }
    return (ssize_t)got;
}

FILE *ga__graphml_open(ga__graphml_watch *watch, FILE *in)
{
    *watch = (ga__graphml_watch){ .base = { .in = in, .line = 1 } };
    return fopencookie(watch, "r", (cookie_io_functions_t){ .read = read_watched });
}

void ga__graphml_end(ga__graphml_watch *watch)
{
    if (watch->base.status == GA_OK && (watch->graphs > 1 || watch->hyperedges > 0)) {
        (void)snprintf(watch->base.message, sizeof watch->base.message,
                       "only the first of %" PRId64 " graphs is read, without %" PRId64 " hyperedges",
                       watch->graphs, watch->hyperedges);
    }
}
