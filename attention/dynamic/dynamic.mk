# selectors: which keys a query attends to, decided from the data
libgraphattn_sources += attention/dynamic/selector.h attention/dynamic/selector.c attention/dynamic/selected.c
# judged by a few rows of the map
libgraphattn_sources += attention/dynamic/probe_rows.h attention/dynamic/probe_rows.c attention/dynamic/vertical_slash.c \
	attention/dynamic/flexprefill.c attention/dynamic/snap.h attention/dynamic/snap.c attention/dynamic/snapkv.c \
	attention/dynamic/ada_snapkv.c
# judged by summaries of units of keys
libgraphattn_sources += attention/dynamic/summaries.h attention/dynamic/summaries.c attention/dynamic/choose.h \
	attention/dynamic/choose.c attention/dynamic/quest.c attention/dynamic/block_topk.c attention/dynamic/hip.c \
	attention/dynamic/dhsa.h attention/dynamic/dhsa.c attention/dynamic/dhsa_cuts.c
# landmark attention
libgraphattn_sources += attention/dynamic/landmark.h attention/dynamic/landmark.c attention/dynamic/landmark_blocks.c \
	attention/dynamic/landmark_tile.h attention/dynamic/landmark_tile.c attention/dynamic/landmark_backward.c attention/dynamic/landmark_step.c
# caches, decoding sessions, and what is computed in parts or steps
libgraphattn_sources += attention/dynamic/cache.h attention/dynamic/cache.c attention/dynamic/session.h \
	attention/dynamic/session.c attention/dynamic/session_step.c attention/dynamic/recycled.h \
	attention/dynamic/recycled.c attention/dynamic/recycled_weights.c attention/dynamic/recycled_step.c \
	attention/dynamic/split_kv.c attention/dynamic/merge_partials.c
# what a selection keeps and costs
libgraphattn_sources += attention/dynamic/report.c
