# lib: the base and tensors
libgraphattn_sources += \
	lib/base/base.h lib/base/context.c lib/base/context.h lib/base/crc32c.c lib/base/crc32c.h \
	lib/base/deflate.c lib/base/format.c lib/base/gunzip.c lib/base/gunzip_isal.c \
	lib/base/gunzip_zlib.c lib/base/input.c lib/base/input.h lib/base/memory.c lib/base/mersenne.c lib/base/mersenne.h lib/base/output.c \
	lib/base/output.h lib/base/pool.c lib/base/pool.h lib/base/progress.c lib/base/random.c lib/base/raw.c lib/base/ring.c lib/base/sheet.c lib/base/sheet.h \
	lib/base/status.c lib/base/system.c lib/base/target.c lib/base/threads.c lib/base/workers.c lib/base/workers.h \
	lib/tensor/content.c lib/tensor/content.h lib/tensor/market.c lib/tensor/market_write.c lib/tensor/npy.c lib/tensor/npy.h lib/tensor/npy_header.c lib/tensor/parameters.c \
	lib/tensor/parameters.h lib/tensor/tensor.c \
	lib/tensor/safetensors.h lib/tensor/safetensors_header.c lib/tensor/safetensors_read.c lib/tensor/safetensors_write.c \
	lib/tensor/tensor.h lib/tensor/walk.c lib/tensor/write.c
include lib/engine/local.mk
