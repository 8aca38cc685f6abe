/* replay.c - feeds the corpus, a few long inputs, and mutations of every seed to the readers. */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/gab.h"
#include "tests/fuzz/readers.h"

enum { MUTATIONS = 300, MOST = 1 << 16 };

typedef struct counts {
    long seeds, inputs, accepted;
} counts;

static uint64_t state = 1;
static uint64_t draw(uint64_t bound)
{
    state ^=
        state << 13; /* xorshift64 (Marsaglia 2003): the library's own numbers are not to be trusted here */
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % bound;
}

/* ---- mutations ---- */

static size_t insert(uint8_t *data, size_t size, size_t at, const void *what, size_t length)
{
    if (size + length > MOST) {
        return size;
    }
    memmove(data + at + length, data + at, size - at);
    memcpy(data + at, what, length);
    return size + length;
}

static size_t mutate_once(uint8_t *data, size_t size)
{
    static const char *const words[] = { "4294967295",
                                         "4294967296",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "0",
                                         "-1",
                                         "\n",
                                         "\r",
                                         "\r\n",
                                         " ",
                                         "\t",
                                         "#",
                                         "%",
                                         "1e309",
                                         "nan",
                                         "1 2 3 4\n",
                                         "# Nodes: 99999999999999999999\n",
                                         "\xef\xbb\xbf" };
    static const uint64_t numbers[] = { 0,
                                        1,
                                        255,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        UINT64_C(1) << 32,
                                        INT64_MAX,
                                        UINT64_MAX,
                                        UINT64_C(1) << 63,
                                        UINT64_C(1) << 61 };
    size_t at = draw(size + 1), length = draw(size - at + 1) % 40;
    switch (draw(8)) {
    case 0:
        if (at < size) {
            data[at] ^= (uint8_t)(1 << draw(8));
        }
        return size;
    case 1:
        if (at < size) {
            data[at] = (uint8_t)draw(256);
        }
        return size;
    case 2: /* without a stretch */
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 3: { /* a stretch twice */
        uint8_t copy[40];
        memcpy(copy, data + at, length);
        return insert(data, size, at, copy, length);
    }
    case 4: {
        const char *word = words[draw(sizeof words / sizeof *words)];
        return insert(data, size, at, word, strlen(word));
    }
    case 5: {
        uint64_t number = numbers[draw(sizeof numbers / sizeof *numbers)] + draw(3) - 1;
        size_t width = draw(2) ? 8 : 4;
        if (at + width <= size) {
            memcpy(data + at, &number, width);
        }
        return size;
    }
    case 6: return at;
    default: return at < size ? insert(data, size, at, data + at, 1) : size;
    }
}

/* Checksums that fit, so that what they cover is looked at. */
static void mend_checksums(uint8_t *data, size_t size)
{
    ga__gab_header header;
    if (size < sizeof header) {
        return;
    }
    memcpy(&header, data, sizeof header);
    for (int i = 0; i < GA__GAB_KINDS; i++) {
        ga__gab_section *s = &header.section[i];
        if (s->offset <= size && s->length <= size - s->offset) {
            s->crc = s->length ? ga__crc32c(0, data + s->offset, s->length) : 0;
        }
    }
    header.crc = ga__gab_header_crc(&header);
    memcpy(data, &header, sizeof header);
}

static void feed(int reader, const uint8_t *data, size_t size, counts *c)
{
    uint8_t *exact = malloc(size ? size : 1); /* its own block: a sanitizer sees the first byte beyond it */
    if (!exact) {
        abort();
    }
    memcpy(exact, data, size);
    c->accepted += fuzz_read(reader, exact, size);
    c->inputs++;
    free(exact);
}

static void replay_seed(int reader, const uint8_t *seed, size_t size, counts *c)
{
    static uint8_t data[MOST];
    feed(reader, seed, size, c);
    c->seeds++;
    for (int i = 0; i < MUTATIONS; i++) {
        size_t now = size;
        memcpy(data, seed, size);
        for (uint64_t times = draw(2) ? 1 : draw(4) + 1; times > 0; times--) {
            now = mutate_once(data, now);
        }
        if (reader == FUZZ_GAB && i % 4 != 0) {
            mend_checksums(data, now);
        }
        feed(reader, data, now, c);
    }
}

/* ---- inputs that are too long to be kept ---- */

static void long_inputs(int reader, counts *c)
{
    enum { LONG = (1 << 20) + 200 };
    static const char *const heads[] = { "0 1\n", "%%MatrixMarket matrix coordinate pattern general\n9 9 1\n",
                                         "2 1\n" };
    static const char fills[] = { '7', ' ', '#', '\r', '\n', '\0' };
    uint8_t *data = malloc(LONG);
    if (!data || reader == FUZZ_SG || reader == FUZZ_GAB) {
        free(data);
        return;
    }
    for (size_t i = 0; i < sizeof fills; i++) {
        const char *head = reader < FUZZ_SG ? heads[reader] : "1\n";
        memset(data, fills[i], LONG);
        memcpy(data, head, strlen(head));
        feed(reader, data, LONG, c);
        feed(reader, data, LONG - 150, c);
        data[LONG - 1] = '\n';
        feed(reader, data, LONG, c);
    }
    free(data);
}

/* ---- the corpus ---- */

static size_t load(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(EXIT_FAILURE);
    }
    size_t size = fread(data, 1, MOST / 2, file);
    fclose(file);
    return size;
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_folder(int reader, const char *corpus, counts *c)
{
    static uint8_t seed[MOST];
    struct dirent **entries;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, fuzz_names[reader]);
    int count = scandir(path, &entries, no_dots, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", corpus, fuzz_names[reader], entries[i]->d_name);
        replay_seed(reader, seed, load(path, seed), c);
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int reader = 0; reader < FUZZ_READERS; reader++) {
        counts c = { 0, 0, 0 };
        replay_folder(reader, argc > 1 ? argv[1] : FUZZ_CORPUS, &c);
        long_inputs(reader, &c);
        printf("%s: %ld seeds, %ld inputs, %ld accepted\n", fuzz_names[reader], c.seeds, c.inputs,
               c.accepted);
        failed |= c.seeds == 0 || c.accepted == 0 || c.accepted == c.inputs;
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
