libgraphattn_sources += sampling/sample_methods.c sampling/classical/draw.h sampling/classical/draw.c \
	sampling/classical/table.h sampling/classical/table.c sampling/classical/view.h sampling/classical/view.c \
	sampling/classical/stuck.c sampling/classical/keys.c sampling/classical/build.c sampling/classical/classical.c \
	sampling/classical/nodes.c sampling/classical/power.h sampling/classical/pagerank.c sampling/classical/anderson.h \
	sampling/classical/anderson.c sampling/classical/feedback.h \
	sampling/classical/feedback.c sampling/classical/edges.c \
	sampling/classical/pies.c sampling/classical/walks.c sampling/classical/loop_erased.c sampling/classical/fire.c \
	sampling/classical/spikyball.c sampling/classical/expansion.c sampling/classical/shortest_path.c \
	sampling/classical/diffusion.c sampling/classical/frontier.c sampling/classical/ppr.c
