# Devices: kernels, plug-ins and the operators on them, all on the emulated device.
EXTRA_DIST += tests/unit/device/device_support.h
if HAVE_CUDA_EMULATION
check_LTLIBRARIES += tests/libdevice.la
tests_libdevice_la_SOURCES = tests/unit/device/device_support.c tests/unit/device/device_support.h
tests_libdevice_la_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_libdevice_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
# of a test that works on the emulated device; LDADD starts with $(device_libs)
device_cppflags = -DTEST_PLUGIN_DIR='"$(abs_top_builddir)/.libs"'
device_libs = tests/libdevice.la $(test_libs)

check_PROGRAMS += tests/unit/device/check_device
tests_unit_device_check_device_SOURCES = tests/unit/device/check_device.c
tests_unit_device_check_device_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_LDADD = $(device_libs) $(CHECK_LIBS)

# operators over edges
EXTRA_DIST += tests/unit/device/check_device_edges.h tests/unit/device/check_device_slopes.h
check_PROGRAMS += tests/unit/device/check_device_spmm
tests_unit_device_check_device_spmm_SOURCES = tests/unit/device/check_device_spmm.c
tests_unit_device_check_device_spmm_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_spmm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_spmm_LDADD = $(device_libs) $(CHECK_LIBS) -lm
check_PROGRAMS += tests/unit/device/check_device_sddmm
tests_unit_device_check_device_sddmm_SOURCES = tests/unit/device/check_device_sddmm.c
tests_unit_device_check_device_sddmm_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_sddmm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_sddmm_LDADD = $(device_libs) $(CHECK_LIBS) -lm
check_PROGRAMS += tests/unit/device/check_device_messages
tests_unit_device_check_device_messages_SOURCES = tests/unit/device/check_device_messages.c \
	tests/unit/check_edges_net.c
tests_unit_device_check_device_messages_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_messages_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_messages_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# counts over edges
check_PROGRAMS += tests/unit/device/check_device_count
tests_unit_device_check_device_count_SOURCES = tests/unit/device/check_device_count.c
tests_unit_device_check_device_count_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_count_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_count_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# partial results
check_PROGRAMS += tests/unit/device/check_device_merge
tests_unit_device_check_device_merge_SOURCES = tests/unit/device/check_device_merge.c
tests_unit_device_check_device_merge_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_merge_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_merge_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# the largest of rows
check_PROGRAMS += tests/unit/device/check_device_top_k
tests_unit_device_check_device_top_k_SOURCES = tests/unit/device/check_device_top_k.c
tests_unit_device_check_device_top_k_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_top_k_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_top_k_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# recurrences
check_PROGRAMS += tests/unit/device/check_device_scan
tests_unit_device_check_device_scan_SOURCES = tests/unit/device/check_device_scan.c tests/unit/check_scan_case.c
tests_unit_device_check_device_scan_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_scan_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_scan_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# attention by tiles
EXTRA_DIST += tests/unit/device/check_device_tiles.h
check_PROGRAMS += tests/unit/device/check_device_tiles
tests_unit_device_check_device_tiles_SOURCES = tests/unit/device/check_device_tiles.c
tests_unit_device_check_device_tiles_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_tiles_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_tiles_LDADD = $(device_libs) $(CHECK_LIBS) -lm
check_PROGRAMS += tests/unit/device/check_device_tiles_calls
tests_unit_device_check_device_tiles_calls_SOURCES = tests/unit/device/check_device_tiles_calls.c
tests_unit_device_check_device_tiles_calls_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_tiles_calls_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_tiles_calls_LDADD = $(device_libs) $(CHECK_LIBS) -lm

check_PROGRAMS += tests/unit/device/check_device_tiles_backward
tests_unit_device_check_device_tiles_backward_SOURCES = tests/unit/device/check_device_tiles_backward.c
tests_unit_device_check_device_tiles_backward_CPPFLAGS = $(AM_CPPFLAGS) $(device_cppflags)
tests_unit_device_check_device_tiles_backward_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_device_tiles_backward_LDADD = $(device_libs) $(CHECK_LIBS) -lm

# kernels of its own: the emulator is compiled with it
check_PROGRAMS += tests/unit/device/check_emulator
tests_unit_device_check_emulator_SOURCES = tests/unit/device/check_emulator.cc lib/engine/device/emulator.cc \
	lib/engine/device/emulator_warp.cc
tests_unit_device_check_emulator_CXXFLAGS = $(emulated_CXXFLAGS) $(CHECK_CFLAGS)
tests_unit_device_check_emulator_LDADD = libgraphattn-core.la $(CHECK_LIBS)

# plug-ins that must be refused
check_LTLIBRARIES += odd-none.la odd-older.la odd-abi.la odd-size.la
odd_ldflags = $(AM_LDFLAGS) -module -avoid-version -no-undefined -shared -rpath $(pkglibdir)
odd_none_la_SOURCES = tests/unit/device/odd_plugin.c
odd_none_la_CPPFLAGS = $(AM_CPPFLAGS) -DODD=0
odd_none_la_LDFLAGS = $(odd_ldflags)
odd_older_la_SOURCES = tests/unit/device/odd_plugin.c
odd_older_la_CPPFLAGS = $(AM_CPPFLAGS) -DODD=1
odd_older_la_LDFLAGS = $(odd_ldflags)
odd_abi_la_SOURCES = tests/unit/device/odd_plugin.c
odd_abi_la_CPPFLAGS = $(AM_CPPFLAGS) -DODD=2
odd_abi_la_LDFLAGS = $(odd_ldflags)
odd_size_la_SOURCES = tests/unit/device/odd_plugin.c
odd_size_la_CPPFLAGS = $(AM_CPPFLAGS) -DODD=3
odd_size_la_LDFLAGS = $(odd_ldflags)
endif
