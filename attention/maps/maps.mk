# analyses of attention maps and of heads
libgraphattn_sources += \
	attention/maps/attention_influence.c \
	attention/maps/carve.c \
	attention/maps/carve.h \
	attention/maps/carve_mask.c \
	attention/maps/cls_streams.c \
	attention/maps/draw_matrix.c \
	attention/maps/maps.c \
	attention/maps/maps.h \
	attention/maps/retrieval_score.c \
	attention/maps/sinks.c \
	attention/maps/vhd.c \
	attention/maps/act.c \
	attention/maps/change.c \
	attention/maps/change.h \
	attention/maps/dara.c \
	attention/maps/head_mask.c \
	attention/maps/paint.c \
	attention/maps/row_stats.c \
	attention/maps/var.c \
	attention/maps/vhr.c
