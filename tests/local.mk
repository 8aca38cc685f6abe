TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = GRAPHATTN=$(abs_top_builddir)/graphattn; export GRAPHATTN; \
	GRAPHATTN_PLUGIN_DIR=$(abs_top_builddir)/.libs; export GRAPHATTN_PLUGIN_DIR; \
	GRAPHATTN_SHARED=$${GRAPHATTN_SHARED:-$(abs_top_srcdir)/../shared}; export GRAPHATTN_SHARED; \
	LC_ALL=C; export LC_ALL;
EXTRA_DIST += tests/unit/support.h tests/unit/support.c tests/fuzz/corpus

if HAVE_CHECK
# What the unit tests share, compiled once. A program's LDADD starts with $(test_libs).
check_LTLIBRARIES += tests/libsupport.la
tests_libsupport_la_SOURCES = tests/unit/support.c tests/unit/support.h $(test_reference)
tests_libsupport_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
test_libs = tests/libsupport.la libgraphattn-core.la
# for programs that still name it among their sources
test_support = tests/unit/support.h
include tests/unit/base.mk
include tests/unit/graph.mk
include tests/unit/sampling.mk
include tests/unit/flow.mk
include tests/unit/rescale.mk
include tests/unit/rewire.mk
include tests/unit/classical.mk
include tests/unit/sampling/batches.mk
include tests/unit/properties.mk
include tests/unit/linear.mk
include tests/unit/p_adapter.mk
include tests/unit/gnn.mk
include tests/unit/models.mk
include tests/unit/static.mk
include tests/unit/blocks.mk
include tests/unit/cab.mk
include tests/unit/tiles.mk
include tests/unit/registry.mk
include tests/unit/edges.mk
include tests/unit/attention.mk
include tests/unit/pattern.mk
include tests/unit/products.mk
include tests/unit/keep.mk
include tests/unit/scan.mk
include tests/unit/selectors.mk
include tests/unit/session.mk
include tests/unit/probe.mk
include tests/unit/tiles_backward.mk
include tests/unit/columns.mk
include tests/unit/maps.mk
include tests/unit/market.mk
include tests/unit/igraph/igraph.mk
include tests/unit/train.mk
include tests/unit/device/local.mk
include tests/unit/statistics/local.mk
TESTS += $(check_PROGRAMS)
endif

include tests/cli.mk
include tests/docs.mk

build_tests = tests/build/headers.sh tests/build/layers.sh tests/build/spills.sh
# a sanitizer's run-time library brings symbols of its own, and its builds are not optimised
if !SANITIZED
build_tests += tests/build/exports.sh tests/build/quiet.sh tests/build/vectors.sh tests/build/installed.sh
endif
EXTRA_DIST += tests/build/spills.sh tests/build/headers.sh tests/build/layers.sh tests/build/vectors.sh tests/build/exports.sh tests/build/quiet.sh \
	tests/build/installed.sh
TESTS += $(build_tests)

# what was installed can be used
installcheck-local:
	srcdir='$(srcdir)' CC='$(CC)' bash '$(srcdir)/tests/build/installed.sh' '$(DESTDIR)' '$(libdir)' '$(bindir)'

# the programs in which several threads work at once, for a build with --enable-tsan
check-tsan: $(check_PROGRAMS)
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(check_PROGRAMS)"
.PHONY: check-tsan

# What a source archive is tried by: every program is built from it, and these find their files in it.
dist_tests = $(docs_tests) $(build_tests) tests/unit/check_base tests/cli/options.sh tests/cli/attend.sh tests/cli/train.sh
