# the registry of attention variants
libgraphattn_sources += \
	attention/attend.c attention/decode.c attention/decode.h attention/plan.h attention/registry.c attention/run.c \
	attention/steps.c attention/tensors.c \
	attention/linear/linear.c attention/linear/norm_attention.c \
	attention/normalisers/norm_attention.c attention/normalisers/relu_l1.c attention/normalisers/sigmoid.c \
	attention/normalisers/softmax.c attention/normalisers/softplus.c attention/normalisers/softplus.h \
	attention/normalisers/softplus_reweight.c \
	attention/patterns/block_sparse.c attention/patterns/full.c attention/patterns/graph.c \
	attention/patterns/neighborhood.c attention/patterns/window.c \
	attention/patterns/blocks.h attention/patterns/dina.c attention/patterns/halo.c attention/patterns/inward_window.c \
	attention/patterns/maxvit.c attention/patterns/moa.c attention/patterns/overlap_window.c \
	attention/patterns/radial.c attention/patterns/radial.h attention/patterns/radial_blocks.c attention/patterns/s2.c \
	attention/patterns/saliency_local.c attention/patterns/shifted_window.c attention/widen.c

include attention/draw.mk
include attention/laplacian/laplacian.mk
include attention/linear/linear.mk
include attention/vision/vision.mk
include attention/dynamic/dynamic.mk
include attention/maps/maps.mk
include attention/cost/cost.mk
