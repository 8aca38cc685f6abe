/* tile_item.c - one item of the tiles' forward pass: its rows over all blocks that they see. */
#include "config.h"

#include "lib/engine/tile_attention/tile_item.h"

#include <string.h>

/* Weights normalised before they meet the values: what statistics and post steps look at. */
static void run_finished(const ga__tile_item *item, bool second)
{
    const ga__tiles *tiles = item->tiles;
    ga__tile_lse_store(item);
    ga__tile_final_start(item, second);
    if (tiles->statistics.wanted) {
        ga__tile_tally_start(item);
    }
    if (tiles->classwise) {
        memset(item->room->post_mass, 0,
               (size_t)(item->rows * tiles->classwise->class_count) * sizeof *item->room->post_mass);
        ga__tile_pass_run(item, GA__TILE_FINAL, second, GA__END_TALLY);
        ga__tile_post_factors(item);
        ga__tile_pass_run(item, GA__TILE_FINAL, second, GA__END_POST);
    } else {
        ga__tile_pass_run(item, GA__TILE_FINAL, second, GA__END_PLAIN);
    }
    if (tiles->statistics.wanted) {
        ga__tile_tally_store(item);
    }
    ga__tile_rows_store(item, false, second);
}

/* Each of two items that follow each other has lists of its own. */
static void list_box(const ga__tile_item *item)
{
    const ga__boxes *boxes = &item->tiles->boxes;
    int slot = (int)(item->number % 2);
    if (item->room->listed[slot] != item->number) {
        item->room->listed[slot] = item->number;
        ga__box_queries(boxes, &item->box, item->room->query[slot]);
        ga__box_places(boxes, &item->box, item->room->place[slot]);
    }
}

static ga_status list_runs(const ga__tile_item *item)
{
    const ga__tiles *tiles = item->tiles;
    if (tiles->boxed) {
        list_box(item);
        if (item->next) {
            list_box(item->next);
        }
        return ga__tile_runs_box(tiles->context, &tiles->boxes, &item->box, &item->room->runs);
    }
    return ga__tile_runs_list(tiles->context, tiles->a->pattern, item->head, item->heads, item->query,
                              item->queries, &item->room->runs);
}

static void run_item(const ga__tile_item *item)
{
    ga__tiles *tiles = item->tiles;
    ga_normaliser_kind kind = tiles->a->normaliser.kind;
    bool second = kind == GA_SOFTPLUS_REWEIGHT;
    bool finished =
        tiles->statistics.wanted || (tiles->classwise && tiles->classes == 0) || kind == GA_INLINE;
    ga_status status = list_runs(item);
    if (status != GA_OK) {
        ga__note_status(&tiles->status, status);
        return;
    }
    ga__tile_rows_start(item);
    if (second) {
        ga__tile_pass_run(item, GA__TILE_SUMS, false, GA__END_PLAIN);
        ga__tile_powers_start(item);
    }
    if (finished) {
        ga__tile_pass_run(item, GA__TILE_SUMS, second, GA__END_PLAIN);
        run_finished(item, second);
        return;
    }
    ga__tile_pass_run(item, GA__TILE_ONLINE, second, GA__END_PLAIN);
    if (tiles->splits > 1) {
        ga__tile_part_keep(item);
        return;
    }
    ga__tile_lse_store(item);
    ga__tile_rows_store(item, true, second);
}

void ga__tile_item_run(ga__tile_item *item)
{
    ga__panels *panels = &item->tiles->panels;
    item->panel =
        panels->panel ? ga__panel_take(panels, item->batch * item->tiles->a->kv_heads + item->kv) : NULL;
    run_item(item);
    if (item->panel) {
        ga__panel_release(panels, item->panel);
    }
}
