# p-Laplacian calibration of an attention map
libgraphattn_sources += attention/laplacian/adapter.c attention/laplacian/adapter.h attention/laplacian/p_adapter.c
