/* npy_header.c - the header of a NumPy file: a Python dictionary with three entries. */
#include "config.h"

#include "lib/tensor/npy.h"

#include <stdio.h>
#include <string.h>

typedef struct parser {
    ga_context *context;
    const char *name, *start, *at, *end;
} parser;

static ga_status expected(const parser *p, const char *what)
{
    return ga__fail(p->context, GA_FORMAT, "%s: npy header, character %lld: expected %s", p->name,
                    (long long)(p->at - p->start), what);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')) {
        p->at++;
    }
}

/* Takes the character if it comes next. */
static bool accept(parser *p, char c)
{
    skip_blanks(p);
    bool there = p->at < p->end && *p->at == c;
    p->at += there;
    return there;
}

/* A quoted text of at most size - 1 characters. */
static ga_status read_string(parser *p, char *text, int size)
{
    char quote = '\'';
    int have = 0;
    if (!accept(p, '\'')) {
        if (!accept(p, '"')) {
            return expected(p, "a quoted text");
        }
        quote = '"';
    }
    while (p->at < p->end && *p->at != quote && have < size - 1) {
        text[have++] = *p->at++;
    }
    text[have] = '\0';
    return accept(p, quote) ? GA_OK : expected(p, "the end of a quoted text");
}

static ga_status read_bool(parser *p, bool *value)
{
    skip_blanks(p);
    *value = p->end - p->at >= 4 && memcmp(p->at, "True", 4) == 0;
    if (*value) {
        p->at += 4;
        return GA_OK;
    }
    if (p->end - p->at >= 5 && memcmp(p->at, "False", 5) == 0) {
        p->at += 5;
        return GA_OK;
    }
    return expected(p, "True or False");
}

static ga_status read_extent(parser *p, int64_t *extent)
{
    skip_blanks(p);
    int64_t value = 0;
    const char *start = p->at;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (!ga__mul(value, 10, &value) || !ga__add(value, *p->at - '0', &value)) {
            return ga__fail(p->context, GA_OVERFLOW, "%s: npy header: an extent is too large", p->name);
        }
    }
    if (p->at == start) {
        return expected(p, "a non-negative extent");
    }
    p->at += p->at < p->end && *p->at == 'L'; /* as Python 2 wrote them */
    *extent = value;
    return GA_OK;
}

static ga_status read_shape(parser *p, ga__npy *npy)
{
    ga_status status = GA_OK;
    if (!accept(p, '(')) {
        GA_TRY(expected(p, "the shape in parentheses"));
    }
    npy->ndim = 0;
    while (!accept(p, ')')) {
        if (npy->ndim == GA__MAX_AXES) {
            GA_TRY(ga__fail(p->context, GA_UNSUPPORTED, "%s: more than %d axes", p->name, GA__MAX_AXES));
        }
        GA_TRY(read_extent(p, &npy->shape[npy->ndim++]));
        if (!accept(p, ',')) {
            if (!accept(p, ')') || npy->ndim == 1) { /* "(3)" is no tuple */
                GA_TRY(expected(p, "a comma"));
            }
            break;
        }
    }
done:
    return status;
}

static ga_status unsupported(const parser *p, const char *what)
{
    return ga__fail(p->context, GA_UNSUPPORTED,
                    "%s: element type %s is not supported, only f2 f4 f8 i4 i8 u1 b1", p->name, what);
}

/* Type names without their byte order. u2 is bf16 where the caller says so. */
static const struct {
    const char *name;
    DLDataType dtype;
} types[] = {
    { "f2", { kDLFloat, 16, 1 } },  { "f4", { kDLFloat, 32, 1 } },  { "f8", { kDLFloat, 64, 1 } },
    { "i4", { kDLInt, 32, 1 } },    { "i8", { kDLInt, 64, 1 } },    { "u1", { kDLUInt, 8, 1 } },
    { "b1", { GA_DL_BOOL, 8, 1 } }, { "u2", { kDLBfloat, 16, 1 } },
};
enum { TYPES = sizeof types / sizeof types[0] };

static ga_status read_type(parser *p, bool u2_is_bf16, ga__npy *npy)
{
    char text[64];
    ga_status status = GA_OK;
    skip_blanks(p);
    if (p->at < p->end && (*p->at == '[' || *p->at == '(')) {
        GA_TRY(unsupported(p, "with fields"));
    }
    GA_TRY(read_string(p, text, sizeof text));
    if (strchr(text, 'O')) {
        GA_TRY(
            ga__fail(p->context, GA_UNSUPPORTED, "%s: arrays of Python objects are not supported", p->name));
    }
    const char *name = strchr("<>|=", text[0]) && text[0] ? text + 1 : text;
    for (int i = 0; i < TYPES; i++) {
        if (strcmp(name, types[i].name) == 0 && (u2_is_bf16 || types[i].dtype.code != kDLBfloat)) {
            npy->dtype = types[i].dtype;
            npy->swapped = text[0] == '>' && types[i].dtype.bits > 8;
            goto done;
        }
    }
    status = unsupported(p, text);
done:
    return status;
}

enum { DESCR = 1, ORDER = 2, SHAPE = 4 };

static ga_status read_entry(parser *p, bool u2_is_bf16, ga__npy *npy, int *seen)
{
    char key[32];
    ga_status status = GA_OK;
    GA_TRY(read_string(p, key, sizeof key));
    if (!accept(p, ':')) {
        GA_TRY(expected(p, "a colon"));
    }
    int which = strcmp(key, "descr") == 0           ? DESCR
                : strcmp(key, "fortran_order") == 0 ? ORDER
                : strcmp(key, "shape") == 0         ? SHAPE
                                                    : 0;
    if (which == 0 || (*seen & which)) {
        GA_TRY(expected(p, "descr, fortran_order and shape, each once"));
    }
    *seen |= which;
    status = which == DESCR   ? read_type(p, u2_is_bf16, npy)
             : which == ORDER ? read_bool(p, &npy->fortran)
                              : read_shape(p, npy);
done:
    return status;
}

ga_status ga__npy_parse(ga_context *context, const char *name, const char *text, int64_t size,
                        bool u2_is_bf16, ga__npy *npy)
{
    ga_status status = GA_OK;
    parser p = { context, name, text, text, text + size };
    int seen = 0;
    if (size == 0 || text[size - 1] != '\n') {
        GA_TRY(ga__fail(context, GA_FORMAT, "%s: npy header does not end with a newline", name));
    }
    if (!accept(&p, '{')) {
        GA_TRY(expected(&p, "a dictionary"));
    }
    while (!accept(&p, '}')) {
        GA_TRY(read_entry(&p, u2_is_bf16, npy, &seen));
        if (!accept(&p, ',')) {
            if (!accept(&p, '}')) {
                GA_TRY(expected(&p, "a comma or the end of the dictionary"));
            }
            break;
        }
    }
    skip_blanks(&p);
    if (p.at < p.end || seen != (DESCR | ORDER | SHAPE)) {
        GA_TRY(expected(&p, "descr, fortran_order and shape and nothing else"));
    }
done:
    return status;
}

static const char *type_name(DLDataType dtype)
{
    for (int i = 0; i < TYPES; i++) {
        if (types[i].dtype.code == dtype.code && types[i].dtype.bits == dtype.bits) {
            return types[i].name;
        }
    }
    return "";
}

int ga__npy_format(DLDataType dtype, int ndim, const int64_t *shape, char *text)
{
    enum { BEFORE = 10, ALIGNMENT = 64 };
    char *at = text + BEFORE, *end = text + GA__NPY_ROOM;
    at += snprintf(at, (size_t)(end - at), "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                   dtype.bits == 8 ? '|' : '<', type_name(dtype));
    for (int i = 0; i < ndim; i++) {
        const char *after = i + 1 < ndim ? ", " : ndim == 1 ? "," : "";
        at += snprintf(at, (size_t)(end - at), "%lld%s", (long long)shape[i], after);
    }
    at += snprintf(at, (size_t)(end - at), "), }");
    while ((at - text + 1) % ALIGNMENT != 0) {
        *at++ = ' ';
    }
    *at++ = '\n';
    int length = (int)(at - text) - BEFORE;
    memcpy(text, "\x93NUMPY\x01\x00", 8);
    text[8] = (char)(length & 255);
    text[9] = (char)(length >> 8);
    return (int)(at - text);
}
