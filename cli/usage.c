/* usage.c - help texts, printed from the tables. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/session.h"

enum { COLUMN = 28, WIDTH = 79 };

/* "FILE", or "drop|keep|error". */
static void argument_text(const option *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->argument) {
        snprintf(text, size, "%s", o->argument);
    }
    for (int i = 0; o->kind == OPTION_WORD && o->words[i]; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? "|" : "", o->words[i]);
    }
}

/* text at COLUMN, wrapped at WIDTH; at is the column where the line stands. */
static void print_wrapped(const char *text, int at)
{
    int room = WIDTH - COLUMN;
    if (at >= COLUMN) {
        putchar('\n');
        at = 0;
    }
    while (*text) {
        int length = (int)strlen(text), cut = length;
        if (length > room) {
            for (cut = room; cut > 0 && text[cut] != ' '; cut--) {
            }
            cut = cut > 0 ? cut : room;
        }
        printf("%*s%.*s\n", COLUMN - at, "", cut, text);
        text += cut;
        text += *text == ' ';
        at = 0;
    }
}

/* Prints as much of a long list of words as fits behind column at and ends the line; gives the rest. */
static const char *print_words(const char *words, int at)
{
    int cut = WIDTH - at;
    while (cut > 1 && words[cut - 1] != '|') {
        cut--;
    }
    printf("%.*s\n%*s", cut, words, COLUMN / 2, "");
    return words + cut;
}

static void print_option(const option *o)
{
    char argument[256];
    argument_text(o, argument, sizeof argument);
    const char *rest = argument;
    int letter = o->letter ? o->letter : ' ';
    int at = printf("  %c%c%c --%s%s", o->letter ? '-' : ' ', letter, o->letter ? ',' : ' ', o->name,
                    argument[0] ? "=" : "");
    while (at + (int)strlen(rest) > WIDTH) {
        rest = print_words(rest, at);
        at = COLUMN / 2;
    }
    at += printf("%s", rest);
    print_wrapped(o->help, at);
}

static void write_usage(FILE *to, const command *what)
{
    fprintf(to, "usage: graphattn %s%s%s%s%s [OPTION]...\n", what->name, what->operands[0] ? " " : "",
            what->operands, what->required ? " " : "", what->required ? what->required : "");
}

void print_usage(const command *what)
{
    write_usage(stderr, what);
    fprintf(stderr, "'graphattn %s --help' lists the options\n", what->name);
}

void print_help(const command *what)
{
    write_usage(stdout, what);
    printf("\n%s\n", what->summary);
    const char *title = NULL;
    for (const option_group *const *g = what->groups; *g; g++) {
        if ((*g)->title && (!title || strcmp(title, (*g)->title) != 0)) {
            printf("\n%s\n", (*g)->title);
            title = (*g)->title;
        }
        for (const option *o = (*g)->rows; o->name; o++) {
            print_option(o);
        }
    }
    printf("\n%s%sManual page: graphattn-%s(1)\n", what->more ? what->more : "", what->more ? "\n" : "",
           what->name);
}

void print_option_rows(const command *what)
{
    for (const option_group *const *g = what->groups; *g; g++) {
        for (const option *o = (*g)->rows; o->name; o++) {
            char argument[128];
            argument_text(o, argument, sizeof argument);
            if (o->letter) {
                printf("-%c\t%s\t%s\n", o->letter, argument, o->help);
            }
            printf("--%s\t%s\t%s\n", o->name, argument, o->help);
        }
    }
}
