# libgraphattn-igraph: igraph's graphs and file formats. Linked by the command where igraph was found.
igraph_sources = graph/igraph/convert.c graph/igraph/formats.c graph/igraph/guard.c graph/igraph/guard.h \
	graph/igraph/watch.h graph/igraph/watch_graphml.c graph/igraph/watch_pajek.c
if HAVE_IGRAPH
gainclude_HEADERS += include/graphattn/igraph.h
pkgconfig_DATA += libgraphattn-igraph.pc
lib_LTLIBRARIES += libgraphattn-igraph.la
noinst_LTLIBRARIES += libga-igraph.la
libga_igraph_la_SOURCES = $(igraph_sources)
libga_igraph_la_CFLAGS = $(AM_CFLAGS) $(IGRAPH_CFLAGS)
libgraphattn_igraph_la_SOURCES =
libgraphattn_igraph_la_LIBADD = libga-igraph.la libgraphattn.la $(IGRAPH_LIBS)
libgraphattn_igraph_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(GA_LT_VERSION) -no-undefined
else
EXTRA_DIST += $(igraph_sources) include/graphattn/igraph.h
endif
