/* tile_panel.h - keys and values of a (batch, key/value head), packed once for all items that read them.
 *
 * There are as many panels as threads, so that the memory is that of the heads in work. A thread that starts
 * an item takes the panel of its head, or one that nobody uses; blocks are packed by the thread that needs
 * them first. Nobody waits: who meets a block that another thread is packing packs it for itself, to the same
 * bits.
 */
#ifndef GA_LIB_ENGINE_TILE_PANEL_H
#define GA_LIB_ENGINE_TILE_PANEL_H

#include <pthread.h>

#include "lib/engine/tile_attention/tiles.h"

typedef enum ga__block_state { GA__BLOCK_OPEN = 0, GA__BLOCK_BUSY, GA__BLOCK_READY } ga__block_state;

/* What is known of the values of a block. */
typedef enum ga__block_values {
    GA__VALUES_UNKNOWN = 0,
    GA__VALUES_FINITE,
    GA__VALUES_NOT_FINITE
} ga__block_values;

typedef struct ga__panel {
    int64_t slice, users; /* slice: -1 for none; under the lock */
    float *k, *v; /* blocks of (depth, 64) and (64 / paired, stride_v); v NULL = used where they are */
    uint8_t *state, *values;
} ga__panel;

typedef struct ga__panels {
    ga__panel *panel;                      /* NULL = items pack for themselves */
    int64_t count, blocks, size_k, size_v; /* sizes of a block in floats; size_v 0 = used where they are */
    pthread_mutex_t lock;
} ga__panels;

ga_status ga__panels_make(ga_context *context, int64_t count, int64_t blocks, int64_t size_k, int64_t size_v,
                          ga__panels *panels);
void ga__panels_free(ga_context *context, ga__panels *panels);
/* The panel of a slice until it is released; at most `count` at a time. */
ga__panel *ga__panel_take(ga__panels *panels, int64_t slice);
void ga__panel_release(ga__panels *panels, ga__panel *panel);

/* True for the one caller that has to pack the block, and then to call ga__panel_packed. */
bool ga__panel_claim(ga__panel *panel, int64_t block);
void ga__panel_packed(ga__panel *panel, int64_t block);
bool ga__panel_ready(const ga__panel *panel, int64_t block);

#endif
