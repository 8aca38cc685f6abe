/* parameters.c - parameters as text, resolved against their tables. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/tensor/parameters.h"

/* ---- what was expected ---- */

static void join_words(const char *const *words, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; words[i]; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? "|" : "", words[i]);
    }
}

static void describe(const ga_parameter *p, char separator, char *text, size_t size)
{
    const char *range = p->range ? p->range : "", *comma = range[0] ? ", " : "";
    switch (p->type) {
    case GA_PARAMETER_BOOL: snprintf(text, size, "0, 1, false or true"); break;
    case GA_PARAMETER_INT: snprintf(text, size, "an integer%s%s", comma, range); break;
    case GA_PARAMETER_REAL: snprintf(text, size, "a number%s%s", comma, range); break;
    case GA_PARAMETER_WORD: join_words(p->words, text, size); break;
    case GA_PARAMETER_INT_LIST:
        snprintf(text, size, "integers joined by '%c'%s%s", separator, comma, range);
        break;
    case GA_PARAMETER_TEXT: snprintf(text, size, "a name%s%s", comma, range); break;
    }
}

/* ---- values ---- */

/* What is infinite must be a bound of the range. */
static bool in_range(const ga_parameter *p, double value)
{
    if (p->least > p->most) {
        return isfinite(value);
    }
    return (value >= p->least && value <= p->most && !(p->above && value <= p->least));
}

static bool parse_integer(const char *text, size_t size, int64_t *value)
{
    return ga__parse_i64((const unsigned char *)text, (const unsigned char *)text + size, value);
}

static bool parse_bool(const char *text, int64_t *value)
{
    static const char *const words[] = { "0", "1", "false", "true" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i & 1;
            return true;
        }
    }
    return false;
}

static bool parse_real(const char *text, double *value)
{
    bool minus = text[0] == '-';
    if (strcmp(text + minus, "inf") == 0) {
        *value = minus ? -INFINITY : INFINITY;
        return true;
    }
    return ga__parse_double(text, (int64_t)strlen(text), value) && isfinite(*value);
}

static bool parse_word(const ga_parameter *p, const char *text, int64_t *value)
{
    for (int i = 0; p->words[i]; i++) {
        if (strcmp(p->words[i], text) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool parse_list(const ga_parameter *p, const char *text, char separator, ga__value *value)
{
    value->count = 0;
    for (const char *at = text;;) {
        const char *end = strchr(at, separator);
        size_t size = end ? (size_t)(end - at) : strlen(at);
        int64_t *to = &value->list[value->count];
        if (value->count == GA__LIST || !parse_integer(at, size, to) || !in_range(p, (double)*to)) {
            return false;
        }
        value->count++;
        if (!end) {
            return true;
        }
        at = end + 1;
    }
}

static bool parse(const ga_parameter *p, const char *text, char separator, ga__value *value)
{
    switch (p->type) {
    case GA_PARAMETER_BOOL: return parse_bool(text, &value->integer);
    case GA_PARAMETER_INT:
        return parse_integer(text, strlen(text), &value->integer) && in_range(p, (double)value->integer);
    case GA_PARAMETER_REAL: return parse_real(text, &value->real) && in_range(p, value->real);
    case GA_PARAMETER_WORD: return parse_word(p, text, &value->integer);
    case GA_PARAMETER_INT_LIST: return parse_list(p, text, separator, value);
    case GA_PARAMETER_TEXT: value->text = text; return text[0] != '\0';
    }
    return false;
}

/* ---- parts ---- */

static int find(const ga_parameter *parameters, const char *name)
{
    for (int i = 0; parameters && parameters[i].name; i++) {
        if (strcmp(parameters[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

ga_status ga__part_open(ga_context *context, const char *kind, const char *name,
                        const ga_parameter *parameters, ga__part *part)
{
    *part = (ga__part){ .context = context, .kind = kind, .name = name, .parameters = parameters };
    for (int i = 0; parameters && parameters[i].name; i++) {
        if (i == GA__PARAMETERS) {
            return ga__fail(context, GA_INTERNAL, "%s%s: too many parameters", kind, name);
        }
        const ga_parameter *p = &parameters[i];
        part->values[i].given = p->initial != NULL;
        if (p->initial && !parse(p, p->initial, ',', &part->values[i])) {
            return ga__fail(context, GA_INTERNAL, "%s%s: the default of %s", kind, name, p->name);
        }
    }
    return GA_OK;
}

ga_status ga__part_set(ga__part *part, const char *name, const char *text, char separator)
{
    char expected[256];
    int i = name ? find(part->parameters, name) : -1;
    if (i < 0) {
        return ga__fail(part->context, GA_INVALID, "%s%s has no parameter '%s'", part->kind, part->name,
                        name ? name : "");
    }
    ga__value value = { .given = true };
    if (!text || !parse(&part->parameters[i], text, separator, &value)) {
        describe(&part->parameters[i], separator, expected, sizeof expected);
        return ga__fail(part->context, GA_INVALID, "%s%s: %s=%s: expected %s", part->kind, part->name, name,
                        text ? text : "", expected);
    }
    part->values[i] = value;
    return GA_OK;
}

/* "k=v" in place. */
static ga_status set_item(ga__part *part, char *item)
{
    char *equals = strchr(item, '=');
    if (!equals) {
        return ga__fail(part->context, GA_INVALID, "%s%s: found '%s', expected NAME=VALUE", part->kind,
                        part->name, item);
    }
    *equals = '\0';
    return ga__part_set(part, item, equals + 1, 'x');
}

ga_status ga__part_set_all(ga__part *part, const char *text)
{
    ga_status status = GA_OK;
    char *copy = NULL;
    const char *colon = strchr(text, ':');
    if (!colon) {
        goto done;
    }
    GA_TRY(ga_alloc(part->context, (int64_t)strlen(colon), 1, &copy));
    memcpy(copy, colon + 1, strlen(colon));
    for (char *at = copy, *next; at; at = next) {
        next = strchr(at, ',');
        if (next) {
            *next++ = '\0';
        }
        GA_TRY(set_item(part, at));
    }
done:
    ga_free(part->context, copy);
    return status;
}

ga_status ga__part_check(const ga__part *part)
{
    for (int i = 0; part->parameters && part->parameters[i].name; i++) {
        if (part->parameters[i].required && !part->values[i].given) {
            return ga__fail(part->context, GA_INVALID, "%s%s needs %s", part->kind, part->name,
                            part->parameters[i].name);
        }
    }
    return GA_OK;
}

const ga__value *ga__part_value(const ga__part *part, const char *name)
{
    static const ga__value none = { .given = false };
    int i = find(part->parameters, name);
    return i < 0 ? &none : &part->values[i];
}

/* A value as it would be written. */
static void print_value(const ga_parameter *p, const ga__value *value, char *text, size_t size)
{
    text[0] = '\0';
    switch (p->type) {
    case GA_PARAMETER_BOOL:
    case GA_PARAMETER_INT: snprintf(text, size, "%lld", (long long)value->integer); break;
    case GA_PARAMETER_REAL: snprintf(text, size, "%g", value->real); break;
    case GA_PARAMETER_WORD: snprintf(text, size, "%s", p->words[value->integer]); break;
    case GA_PARAMETER_INT_LIST:
        for (int64_t i = 0; i < value->count; i++) {
            size_t used = strlen(text);
            snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)value->list[i]);
        }
        break;
    case GA_PARAMETER_TEXT: snprintf(text, size, "%s", value->text ? value->text : ""); break;
    }
}

ga_status ga__part_refuse(const ga__part *part, const char *name, const char *expected, ...)
{
    char text[256], value[256] = "";
    int i = find(part->parameters, name);
    va_list list;
    va_start(list, expected);
    vsnprintf(text, sizeof text, expected, list);
    va_end(list);
    if (i >= 0) {
        print_value(&part->parameters[i], &part->values[i], value, sizeof value);
    }
    return ga__fail(part->context, GA_INVALID, "%s%s: %s=%s: expected %s", part->kind, part->name, name,
                    value, text);
}

ga_status ga__part_axes(const ga__part *part, const char *name, int axes, int64_t *out)
{
    const ga__value *value = ga__part_value(part, name);
    if (value->count != 1 && value->count != axes) {
        return axes == 1 ? ga__part_refuse(part, name, "1 value, the grid has 1 axis")
                         : ga__part_refuse(part, name, "1 or %d values, the grid has %d axes", axes, axes);
    }
    for (int i = 0; i < axes; i++) {
        out[i] = value->list[value->count == 1 ? 0 : i];
    }
    return GA_OK;
}
