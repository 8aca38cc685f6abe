# patterns as graphs, as pictures and in figures
libgraphattn_sources += attention/pattern_graph.c attention/pattern_measure.c \
	attention/draw.h attention/draw.c attention/draw_png.c \
	attention/draw_svg.c
