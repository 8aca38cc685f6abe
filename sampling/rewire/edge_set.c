/* edge_set.c - the rare paths of the set of edges. */
#include "config.h"

#include "sampling/rewire/edge_set.h"

#include <string.h>

#include "lib/base/workers.h"

ga_status ga__edge_set_create(ga_context *context, int64_t edges, ga__edge_set *set)
{
    int64_t lines = edges / 3 + 2; /* three of seven places used: one home in a hundred overflows */
    ga_status status = ga_alloc(context, lines, GA__SET_LINE * sizeof *set->lines, &set->lines);
    if (status == GA_OK) {
        set->count = (uint64_t)lines;
        ga__advise_large(set->lines, lines * GA__SET_LINE * (int64_t)sizeof *set->lines);
        memset(set->lines, 0, (size_t)lines * GA__SET_LINE * sizeof *set->lines);
    }
    return status;
}

void ga__edge_set_destroy(ga_context *context, ga__edge_set *set)
{
    ga_free(context, set->lines);
    set->lines = NULL;
}

static uint64_t *line_after(const ga__edge_set *set, const uint64_t *line)
{
    uint64_t *next = set->lines + (line - set->lines) + GA__SET_LINE;
    return next == set->lines + set->count * GA__SET_LINE ? set->lines : next;
}

bool ga__edge_set_search(const ga__edge_set *set, uint64_t key, const uint64_t *home)
{
    uint64_t away = home[0];
    for (const uint64_t *line = line_after(set, home); away > 0 && line != home;
         line = line_after(set, line)) {
        for (int i = 1; i < GA__SET_LINE; i++) {
            if (line[i] == key) {
                return true;
            }
            away -= line[i] != 0 && ga__edge_home(set, line[i]) == home;
        }
    }
    return false;
}

void ga__edge_set_insert_far(ga__edge_set *set, uint64_t key, uint64_t *home)
{
    uint64_t *line = home;
    home[0]++;
    do {
        line = line_after(set, line);
    } while (!ga__line_take(line, key));
}

void ga__edge_set_remove_far(ga__edge_set *set, uint64_t key, uint64_t *home)
{
    uint64_t *line = home;
    do {
        line = line_after(set, line);
    } while (!ga__line_drop(line, key));
    home[0]--;
}
