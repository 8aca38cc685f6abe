# two graphs beside each other
libgraphattn_sources += sampling/compare/compare.c sampling/compare/degree_pair.c sampling/compare/degree_pair.h
