# which keys a query sees
libgraphattn_sources += lib/engine/pattern/pattern.h lib/engine/pattern/planning.h lib/engine/pattern/axis.h lib/engine/pattern/source.h \
	lib/engine/pattern/box.h lib/engine/pattern/box.c lib/engine/pattern/box_plan.c \
	lib/engine/pattern/axis.c lib/engine/pattern/product.c lib/engine/pattern/blocks.c \
	lib/engine/pattern/explicit.c lib/engine/pattern/pattern.c lib/engine/pattern/selected.c
