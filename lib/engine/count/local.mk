# counts over the edges of a graph on a device: degrees, pairs of classes
libgraphattn_sources += lib/engine/count/count_device.h lib/engine/count/count_device.c lib/engine/count/count_call.h \
	lib/engine/count/count_kernels.h
cuda_sources += lib/engine/count/count_cuda.cu
emulated_sources += lib/engine/count/count_emulated.cc
