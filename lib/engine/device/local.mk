# Devices: the plug-ins with the kernels, and what the core library needs to load and use one.
#
# Every operator appends its .cu files to cuda_sources and its .cc files to emulated_sources; both include the same
# kernels. graphattn-cuda.so is installed beside the library; graphattn-emulated.so belongs to the tests.
libgraphattn_sources += lib/engine/device/table.h lib/engine/device/plugin.h lib/engine/device/kernel.h \
	lib/engine/device/kernel_cuda.h lib/engine/device/kernel_emulated.h lib/engine/device/emulator.h \
	lib/engine/device/device.h lib/engine/device/device.c lib/engine/device/matrix.h lib/engine/device/traffic.h lib/engine/device/traffic.c \
	lib/engine/device/tensors.c
# apart, since it alone knows the folder where plug-ins are installed
noinst_LTLIBRARIES += libga-load.la
libgraphattn_convenience += libga-load.la
libga_load_la_SOURCES = lib/engine/device/load.c
libga_load_la_CPPFLAGS = $(AM_CPPFLAGS) -DGA__PLUGIN_DIR='"$(pkglibdir)"'
cuda_sources += lib/engine/device/plugin_cuda.cu
emulated_sources += lib/engine/device/plugin_emulated.cc lib/engine/device/emulator.cc lib/engine/device/emulator_warp.cc
EXTRA_DIST += $(cuda_sources)

if HAVE_CUDA
# libtool wants one object for every file; what ptxas says of registers and spills is kept beside it
pkglib_LTLIBRARIES = graphattn-cuda.la
cuda_objects = $(cuda_sources:.cu=.lo)
graphattn_cuda_la_SOURCES =
graphattn_cuda_la_LIBADD = $(cuda_objects) $(CUDART_LIBS)
graphattn_cuda_la_DEPENDENCIES = $(cuda_objects)
graphattn_cuda_la_LDFLAGS = -module -avoid-version -no-undefined -export-symbols-regex '^ga__device_query$$'
AM_NVCCFLAGS = -std=c++17 -I$(top_srcdir)/include -I$(top_srcdir) -forward-unknown-to-host-compiler \
	-fvisibility=hidden -Xptxas -v
cuda_compile = $(LIBTOOL) $(AM_V_lt) --tag=CC --mode=compile $(NVCC) $(AM_NVCCFLAGS) $(CUDA_GENCODE) $(NVCCFLAGS)
AM_V_NVCC = $(am__v_NVCC_@AM_V@)
am__v_NVCC_ = $(am__v_NVCC_@AM_DEFAULT_V@)
am__v_NVCC_0 = @echo "  NVCC    " $@;
am__v_NVCC_1 =
SUFFIXES = .cu
.cu.lo:
	$(AM_V_at)$(MKDIR_P) $(@D)
	$(AM_V_NVCC)$(cuda_compile) -MD -MF $*.cu.d -MT $@ -c -o $@ $< >$*.cu.ptxas 2>&1 || { cat $*.cu.ptxas >&2; exit 1; }
-include $(cuda_sources:.cu=.cu.d)
CLEANFILES += $(cuda_sources:.cu=.cu.ptxas) $(cuda_sources:.cu=.cu.d)
endif

if HAVE_CUDA_EMULATION
check_LTLIBRARIES += graphattn-emulated.la
graphattn_emulated_la_SOURCES = $(emulated_sources)
graphattn_emulated_la_CXXFLAGS = $(emulated_CXXFLAGS)
graphattn_emulated_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -no-undefined -shared -rpath $(pkglibdir) \
	-export-symbols-regex '^ga__device_query$$'
endif
# also for tests that contain kernels of their own
emulated_CXXFLAGS = -std=c++17 -O2 -ftree-vectorize $(WARNING_CXXFLAGS) $(VISIBILITY_CFLAGS) $(SANITIZE_CFLAGS)
