/* format.c - numbers to text and back, always as in the C locale. */
#include "config.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/base.h"

int ga__format_u64(char *text, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (int i = 0; i < count; i++) {
        text[i] = digits[count - 1 - i];
    }
    return count;
}

/* ---- doubles to text ---- */

/* Whatever the locale puts between the digits becomes a point. Returns the new length. */
static int use_point(char *text)
{
    char *out = text;
    bool inside = false;
    for (const char *at = text; *at; at++) {
        bool usual = (*at >= '0' && *at <= '9') || *at == '-' || *at == '+' || *at == 'e';
        if (usual) {
            *out++ = *at;
        } else if (!inside) {
            *out++ = '.';
        }
        inside = !usual;
    }
    *out = '\0';
    return (int)(out - text);
}

static int format_whole(char *text, double value)
{
    int minus = value < 0;
    text[0] = '-';
    int size = minus + ga__format_u64(text + minus, (uint64_t)(minus ? -value : value));
    text[size] = '\0';
    return size;
}

int ga__format_double(char *text, double value)
{
    double again = 0;
    int size = 0;
    if (isnan(value) || isinf(value)) {
        strcpy(text, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return (int)strlen(text);
    }
    if (fabs(value) < 1e15 && value == floor(value) && !(value == 0 && signbit(value))) {
        return format_whole(text, value);
    }
    for (int digits = 15; digits <= 17; digits++) {
        char wide[64]; /* a locale's separator may have several bytes */
        (void)snprintf(wide, sizeof wide, "%.*g", digits, value);
        size = use_point(wide);
        memcpy(text, wide, (size_t)size + 1);
        if (digits == 17 || (ga__parse_double(text, size, &again) && again == value)) {
            break;
        }
    }
    return size;
}

/* ---- text to doubles ---- */

/* A decimal number taken apart: 0.DIGITS * 10^exponent. */
typedef struct decimal {
    bool minus;
    int count;
    int64_t exponent;
    char digits[800]; /* more can decide nothing but the last one, which then stands for the rest */
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void add_digit(decimal *d, char digit)
{
    enum { ROOM = sizeof d->digits - 1 };
    if (d->count < ROOM) {
        d->digits[d->count++] = digit;
    } else if (digit != '0') {
        d->digits[ROOM - 1] = '1';
    }
}

/* Digits before or after the point; returns the place behind them. */
static const char *read_digits(decimal *d, const char *at, const char *end, bool after_point)
{
    for (; at < end && is_digit(*at); at++) {
        bool leading = d->count == 0 && *at == '0';
        if (!leading) {
            add_digit(d, *at);
        }
        d->exponent += after_point ? -leading : !leading;
    }
    return at;
}

/* "e" and what follows; NULL when it is no exponent. */
static const char *read_exponent(decimal *d, const char *at, const char *end)
{
    int64_t exponent = 0;
    bool minus = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end || !is_digit(*at)) {
        return NULL;
    }
    for (; at < end && is_digit(*at); at++) {
        exponent = ga__min(exponent * 10 + (*at - '0'), (int64_t)1 << 50);
    }
    d->exponent += minus ? -exponent : exponent;
    return at;
}

static bool read_decimal(decimal *d, const char *at, const char *end)
{
    const char *start = at;
    at = read_digits(d, at, end, false);
    int64_t seen = at - start;
    if (at < end && *at == '.') {
        start = ++at;
        at = read_digits(d, at, end, true);
        seen += at - start;
    }
    if (seen == 0) {
        return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(d, at + 1, end);
    }
    return at == end;
}

/* Exact when digits and power of ten are exact doubles: one rounding. */
static bool convert_small(const decimal *d, double *value)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    int64_t power = d->exponent - d->count;
    uint64_t whole = 0;
    if (d->count > 15 || power > 22 || power < -22) {
        return false;
    }
    for (int i = 0; i < d->count; i++) {
        whole = whole * 10 + (uint64_t)(d->digits[i] - '0');
    }
    *value = power < 0 ? (double)whole / powers[-power] : (double)whole * powers[power];
    return true;
}

static bool convert_large(const decimal *d, double *value)
{
    char text[sizeof d->digits + 32];
    if (d->exponent > 400) {
        return false;
    }
    if (d->exponent < -400) {
        *value = 0;
        return true;
    }
    memcpy(text, d->digits, (size_t)d->count);
    (void)snprintf(text + d->count, sizeof text - (size_t)d->count, "e%d", (int)d->exponent - d->count);
    locale_t plain =
        newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a constant in the C library: costs nothing */
    if (!plain) {
        return false;
    }
    *value = strtod_l(text, NULL, plain);
    freelocale(plain);
    return !isinf(*value);
}

static bool word_value(const char *text, int64_t size, double *value)
{
    if (size == 3 && strncasecmp(text, "nan", 3) == 0) {
        *value = NAN;
    } else if ((size == 3 && strncasecmp(text, "inf", 3) == 0) ||
               (size == 8 && strncasecmp(text, "infinity", 8) == 0)) {
        *value = INFINITY;
    } else {
        return false;
    }
    return true;
}

bool ga__parse_double(const char *text, int64_t size, double *value)
{
    decimal d;
    double found = 0;
    const char *end = text + size;
    d.minus = size > 0 && *text == '-';
    d.count = 0;
    d.exponent = 0;
    text += size > 0 && (*text == '-' || *text == '+');
    if (!word_value(text, end - text, &found)) {
        if (!read_decimal(&d, text, end)) {
            return false;
        }
        if (d.count > 0 && !convert_small(&d, &found) && !convert_large(&d, &found)) {
            return false;
        }
    }
    *value = d.minus ? -found : found;
    return true;
}

bool ga__parse_i64(const unsigned char *text, const unsigned char *end, int64_t *value)
{
    bool negative = text < end && *text == '-';
    text += negative;
    if (text == end) {
        return false;
    }
    for (*value = 0; text < end; text++) {
        int digit = *text - '0';
        if (digit < 0 || digit > 9 || !ga__mul(*value, 10, value) ||
            !ga__add(*value, negative ? -digit : digit, value)) {
            return false;
        }
    }
    return true;
}
