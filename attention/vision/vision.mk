# blocks and analyses by name; what attention on images needs beside patterns
libgraphattn_sources += \
	attention/blocks.c attention/blocks.h attention/blocks_tensors.c attention/blocks_units.c \
	attention/vision/channel_attention.c attention/vision/convolution.c attention/vision/convolution.h \
	attention/vision/influence.c attention/vision/kan.c attention/vision/merge.c \
	attention/vision/moa_plan.c attention/vision/moa_plan.h attention/vision/moa_search.c \
	attention/vision/multires_fuse.c attention/vision/object.c attention/vision/object_code.c \
	attention/vision/partition.c attention/vision/probe.c attention/vision/region.c \
	attention/vision/segments.c attention/vision/segments.h attention/vision/td_norm.c \
	attention/vision/tile_visits.c
