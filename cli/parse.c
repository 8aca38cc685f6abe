/* parse.c - from the words of a command line to settings. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

typedef struct parsing {
    session asking; /* only for messages */
    char **words;
    int count, at;
    settings *values;
} parsing;

/* ---- values ---- */

/* "--name", or "-x" when the option was written so; for messages. */
typedef struct spelling {
    char text[64];
} spelling;

static spelling spelled(const option *o, bool by_letter)
{
    spelling s;
    if (by_letter) {
        snprintf(s.text, sizeof s.text, "-%c", o->letter);
    } else {
        snprintf(s.text, sizeof s.text, "--%s", o->name);
    }
    return s;
}

static int set_switch(parsing *p, const spelling *s, const char *value, bool *to)
{
    static const char *const yes[] = { "yes", "true", "1" }, *const no[] = { "no", "false", "0" };
    for (int i = 0; value && i < 3; i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *to = strcmp(value, yes[i]) == 0;
            return 0;
        }
    }
    if (value) {
        return usage_error(&p->asking, "%s: found \"%s\", expected yes or no", s->text, value);
    }
    *to = true;
    return 0;
}

static int set_truth(parsing *p, const option *o, const spelling *s, const char *value)
{
    bool truth = false;
    int bad = set_switch(p, s, value, &truth);
    *(const char **)((char *)p->values + o->at) = truth ? "true" : "false";
    return bad;
}

static const char *word_at(const void *user, int i)
{
    const char *const *words = user;
    return words[i];
}

static int set_word(parsing *p, const option *o, const spelling *s, const char *value)
{
    for (int i = 0; o->words[i]; i++) {
        if (strcmp(o->words[i], value) == 0) {
            *(int *)((char *)p->values + o->at) = i;
            return 0;
        }
    }
    char list[256] = "";
    for (int i = 0; o->words[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? "|" : "", o->words[i]);
    }
    const char *near = nearest_word(value, word_at, o->words);
    if (near) {
        return usage_error(&p->asking, "%s: found \"%s\", did you mean %s? (expected %s)", s->text, value,
                           near, list);
    }
    return usage_error(&p->asking, "%s: found \"%s\", expected %s", s->text, value, list);
}

/* Digits, perhaps with a minus sign; nothing else, not even blanks. errno is ERANGE when they do not fit. */
static bool to_unsigned(const char *text, uint64_t *value, char **end)
{
    errno = 0;
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    *value = strtoull(text, end, 10);
    return errno == 0;
}

static int refuse_number(parsing *p, const option *o, const spelling *s, const char *value)
{
    if (o->high > 0) {
        return usage_error(&p->asking, "%s: found \"%s\", expected an integer from %lld to %lld", s->text,
                           value, (long long)o->low, (long long)o->high);
    }
    return usage_error(&p->asking, "%s: found \"%s\", expected an integer of at least %lld", s->text, value,
                       (long long)o->low);
}

static int set_integer(parsing *p, const option *o, const spelling *s, const char *value)
{
    int64_t high = o->high > 0 ? o->high : INT64_MAX;
    uint64_t number;
    char *end;
    if (!to_unsigned(value, &number, &end) || *end || number > (uint64_t)high || (int64_t)number < o->low) {
        return refuse_number(p, o, s, value);
    }
    *(int64_t *)((char *)p->values + o->at) = (int64_t)number;
    return 0;
}

static int set_unsigned(parsing *p, const option *o, const spelling *s, const char *value)
{
    uint64_t number;
    char *end;
    if (!to_unsigned(value, &number, &end) || *end) {
        return usage_error(&p->asking, "%s: found \"%s\", expected an integer from 0 to 18446744073709551615",
                           s->text, value);
    }
    *(uint64_t *)((char *)p->values + o->at) = number;
    return 0;
}

static int set_size(parsing *p, const option *o, const spelling *s, const char *value)
{
    static const char units[] = "KMGT";
    uint64_t number;
    char *end;
    int64_t bytes = 0;
    bool good = to_unsigned(value, &number, &end) && number <= INT64_MAX;
    if (good) {
        const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
        int64_t scale = unit ? INT64_C(1) << (10 * (unit - units + 1)) : 1;
        good = (!*end || (unit && !end[1])) && ga__mul((int64_t)number, scale, &bytes) && bytes >= o->low;
    }
    if (!good) {
        return usage_error(&p->asking, "%s: found \"%s\", expected a number of bytes such as 500000000 or 2G",
                           s->text, value);
    }
    *(int64_t *)((char *)p->values + o->at) = bytes;
    return 0;
}

static int set_real(parsing *p, const option *o, const spelling *s, const char *value)
{
    double number = 0;
    bool read = ga__parse_double(value, (int64_t)strlen(value), &number) && isfinite(number);
    bool good =
        read && (o->above ? number > o->least : number >= o->least) && (o->most == 0 || number <= o->most);
    if (!good && o->most != 0) {
        return usage_error(&p->asking, "%s: found \"%s\", expected a number from %g to %g", s->text, value,
                           o->least, o->most);
    }
    if (!good) {
        return usage_error(&p->asking, "%s: found \"%s\", expected a number %s %g", s->text, value,
                           o->above ? "greater than" : "of at least", o->least);
    }
    *(double *)((char *)p->values + o->at) = number;
    return 0;
}

static int set_text(parsing *p, const option *o, const spelling *s, const char *value)
{
    if (!*value) {
        return usage_error(&p->asking, "%s: found nothing, expected %s", s->text, o->argument);
    }
    *(const char **)((char *)p->values + o->at) = value;
    return 0;
}

static int add_text(parsing *p, const option *o, const spelling *s, const char *value)
{
    word_list *list = (word_list *)((char *)p->values + o->at);
    if (!*value) {
        return usage_error(&p->asking, "%s: found nothing, expected %s", s->text, o->argument);
    }
    if (!list->words) { /* no option stands more often than there are words */
        list->words = malloc((size_t)p->count * sizeof *list->words);
    }
    if (!list->words) {
        fprintf(stderr, "graphattn %s: out of memory\n", p->asking.what->name);
        return EXIT_FAILED;
    }
    list->words[list->count++] = value;
    return 0;
}

void free_lists(settings *values)
{
    free(values->set.words);
    free(values->tensor.words);
    free(values->returned.words);
}

static int set_value(parsing *p, const option *o, const spelling *s, const char *value)
{
    switch (o->kind) {
    case OPTION_SWITCH: return set_switch(p, s, value, (bool *)((char *)p->values + o->at));
    case OPTION_TRUTH: return set_truth(p, o, s, value);
    case OPTION_WORD: return set_word(p, o, s, value);
    case OPTION_INTEGER: return set_integer(p, o, s, value);
    case OPTION_UNSIGNED: return set_unsigned(p, o, s, value);
    case OPTION_SIZE: return set_size(p, o, s, value);
    case OPTION_REAL: return set_real(p, o, s, value);
    case OPTION_TEXT: return set_text(p, o, s, value);
    case OPTION_LIST: return add_text(p, o, s, value);
    }
    return EXIT_USAGE;
}

/* ---- names ---- */

/* The i-th option of a command over all its groups; NULL at the end. */
static const option *option_at(const command *what, int i)
{
    for (const option_group *const *g = what->groups; *g; g++) {
        for (const option *o = (*g)->rows; o->name; o++) {
            if (i-- == 0) {
                return o;
            }
        }
    }
    return NULL;
}

static const char *name_at(const void *user, int i)
{
    const option *o = option_at(user, i);
    return o ? o->name : NULL;
}

static int unknown_option(parsing *p, const char *name)
{
    const char *near = nearest_word(name, name_at, p->asking.what);
    if (near) {
        return usage_error(&p->asking, "unknown option --%s; did you mean --%s?", name, near);
    }
    return usage_error(&p->asking, "unknown option --%s", name);
}

/* Exact names win; else a beginning that fits one option only. */
static int find_long(parsing *p, const char *name, const option **found)
{
    const option *o;
    *found = NULL;
    for (int i = 0; (o = option_at(p->asking.what, i)) != NULL; i++) {
        if (strcmp(o->name, name) == 0) {
            *found = o;
            return 0;
        }
    }
    for (int i = 0; *name && (o = option_at(p->asking.what, i)) != NULL; i++) {
        if (strncmp(o->name, name, strlen(name)) == 0) {
            if (*found) {
                return usage_error(&p->asking, "--%s may be --%s or --%s", name, (*found)->name, o->name);
            }
            *found = o;
        }
    }
    return *found ? 0 : unknown_option(p, name);
}

static const option *find_letter(const command *what, char letter)
{
    const option *o;
    for (int i = 0; (o = option_at(what, i)) != NULL; i++) {
        if (o->letter == letter && letter) {
            return o;
        }
    }
    return NULL;
}

/* ---- words ---- */

static bool is_switch(const option *o)
{
    return o->kind == OPTION_SWITCH || o->kind == OPTION_TRUTH;
}

/* The value of an option that needs one: what stands in the same word, or the next word. */
static int take_value(parsing *p, const option *o, const spelling *s, const char *value)
{
    if (!value && !is_switch(o)) {
        if (p->at + 1 >= p->count) {
            return usage_error(&p->asking, "%s needs a value", s->text);
        }
        value = p->words[++p->at];
    }
    return set_value(p, o, s, value);
}

static int parse_long(parsing *p, const char *word)
{
    char name[64];
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const option *o;
    if (length >= sizeof name) {
        return usage_error(&p->asking, "unknown option --%.60s...", word);
    }
    memcpy(name, word, length);
    name[length] = '\0';
    int bad = find_long(p, name, &o);
    if (bad) {
        return bad;
    }
    spelling s = spelled(o, false);
    return take_value(p, o, &s, equals ? equals + 1 : NULL);
}

/* "-qr0.1": switches, then perhaps one option with its value in the rest of the word or in the next one. */
static int parse_letters(parsing *p, const char *letters)
{
    for (; *letters; letters++) {
        const option *o = find_letter(p->asking.what, *letters);
        if (!o) {
            return usage_error(&p->asking,
                               isprint((unsigned char)*letters) ? "unknown option -%c" : "unknown option",
                               *letters);
        }
        spelling s = spelled(o, true);
        bool alone = is_switch(o);
        int bad = take_value(p, o, &s, !alone && letters[1] ? letters + 1 : NULL);
        if (bad || !alone) {
            return bad;
        }
    }
    return 0;
}

int parse_options(const command *what, int count, char **words, settings *values, const char **operands,
                  int *used)
{
    parsing p = { { .what = what }, words, count, 0, values };
    bool ended = false;
    *used = 0;
    for (; p.at < count && !values->help; p.at++) {
        const char *word = words[p.at];
        int bad = 0;
        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
        } else if (!ended && word[0] == '-' && word[1] == '-') {
            bad = parse_long(&p, word + 2);
        } else if (!ended && word[0] == '-' && word[1]) {
            bad = parse_letters(&p, word + 1);
        } else {
            operands[(*used)++] = word;
        }
        if (bad) {
            return bad;
        }
    }
    return 0;
}
