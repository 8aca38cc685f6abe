# patterns as graphs and as pictures
libgraphattn_sources += attention/pattern_graph.c attention/draw.h attention/draw.c attention/draw_png.c \
	attention/draw_svg.c
