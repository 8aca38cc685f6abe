# blocks and analyses by name; what attention on images needs beside patterns
libgraphattn_sources += \
	attention/blocks.c attention/blocks.h attention/blocks_tensors.c attention/blocks_units.c \
	attention/vision/channel_attention.c attention/vision/convolution.c attention/vision/convolution.h \
	attention/vision/influence.c attention/vision/kan.c attention/vision/merge.c \
	attention/vision/moa_plan.c attention/vision/moa_plan.h attention/vision/moa_search.c \
	attention/vision/multires_fuse.c attention/vision/object.c attention/vision/object.h \
	attention/vision/object_code.c attention/vision/object_kernel.c attention/vision/object_tiles.c \
	attention/vision/partition.c attention/vision/probe.c attention/vision/probe.h \
	attention/vision/probe_tiles.c attention/vision/region.c \
	attention/vision/region.h attention/vision/region_tiles.c \
	attention/vision/segments.c attention/vision/segments.h attention/vision/slab.c \
	attention/vision/slab.h attention/vision/td_norm.c \
	attention/vision/tile_visits.c
