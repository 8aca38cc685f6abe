# p-Laplacian calibration of an attention map
libgraphattn_sources += \
	attention/laplacian/adapter.c attention/laplacian/adapter.h attention/laplacian/calibrate.c \
	attention/laplacian/calibrate.h attention/laplacian/calibrate_body.h attention/laplacian/p_adapter.c \
	attention/laplacian/step_body.h attention/laplacian/unit_body.h
engine_scalar_sources += attention/laplacian/calibrate_scalar.c
engine_avx2_sources += attention/laplacian/calibrate_avx2.c
engine_avx512_sources += attention/laplacian/calibrate_avx512.c
