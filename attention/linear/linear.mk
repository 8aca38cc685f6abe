# linear and recurrent attention
libgraphattn_sources += \
	attention/linear/rows.c attention/linear/rows.h attention/linear/epilogue.c attention/linear/retention.c \
	attention/linear/gla.c attention/linear/delta.c attention/linear/gated_delta.c \
	attention/linear/lightning.c attention/linear/moments.c attention/linear/moments.h attention/linear/image.c \
	attention/linear/inline.c attention/linear/mala.c attention/linear/hedgehog.c attention/linear/hedgehog.h attention/linear/hedgehog_distill.c attention/linear/l2vit.c \
	attention/linear/based.c attention/linear/ssm.c attention/linear/ssm.h attention/linear/ssm_scan.c attention/linear/rat.c \
	attention/linear/titans.c attention/linear/titans.h attention/linear/titans_backward.c \
	attention/linear/titans_memory.c attention/linear/titans_modes.c \
	attention/linear/local_concentration.c attention/linear/norm_block.c \
	attention/normalisers/selective.c attention/normalisers/gated.c
