/* csr_sort.h - body: sorts a unit by key. Include with ELEMENT and KEY(e) defined. */

enum { FEW = 40, MOST_DIGITS = 8, DIGIT_BITS = 11 };

static void sort_few(ELEMENT *elements, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        ELEMENT e = elements[i];
        int64_t j = i;
        for (; j > 0 && KEY(elements[j - 1]) > KEY(e); j--) {
            elements[j] = elements[j - 1];
        }
        elements[j] = e;
    }
}

/* Bits that differ anywhere; *sorted: already in order. */
static uint64_t varying_bits(const ELEMENT *elements, int64_t count, bool *sorted)
{
    uint64_t first = KEY(elements[0]), varying = 0, previous = first, falls = 0;
    for (int64_t i = 1; i < count; i++) {
        uint64_t key = KEY(elements[i]);
        varying |= key ^ first;
        falls |= (uint64_t)(key < previous);
        previous = key;
    }
    *sorted = falls == 0;
    return varying;
}

/* One stable pass by the digit at shift; false when all elements have the same digit. */
static bool sort_pass(const ELEMENT *from, ELEMENT *to, int64_t count, int shift, int bits)
{
    int64_t place[1 << DIGIT_BITS] = { 0 };
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    for (int64_t i = 0; i < count; i++) {
        place[KEY(from[i]) >> shift & mask]++;
    }
    if (place[KEY(from[0]) >> shift & mask] == count) {
        return false;
    }
    for (int64_t i = 0, sum = 0; i <= (int64_t)mask; i++) {
        int64_t size = place[i];
        place[i] = sum;
        sum += size;
    }
    for (int64_t i = 0; i < count; i++) {
        ELEMENT e = from[i];
        to[place[KEY(e) >> shift & mask]++] = e;
    }
    return true;
}

/* Returns where the sorted elements are: in place or in scratch (room for count). */
static ELEMENT *sort_unit(ELEMENT *elements, int64_t count, ELEMENT *scratch)
{
    bool sorted;
    if (count <= FEW) {
        sort_few(elements, count);
        return elements;
    }
    uint64_t varying = varying_bits(elements, count, &sorted);
    if (sorted) {
        return elements;
    }
    int low = __builtin_ctzll(varying), width = ga__bits(varying) - low, most = count < 4096 ? 8 : DIGIT_BITS;
    int passes = (width + most - 1) / most, digit = (width + passes - 1) / passes;
    ELEMENT *from = elements, *to = scratch;
    for (int p = 0; p < passes; p++) {
        int shift = low + p * digit;
        if (sort_pass(from, to, count, shift, digit < 64 - shift ? digit : 64 - shift)) {
            ELEMENT *other = from;
            from = to;
            to = other;
        }
    }
    return from;
}
