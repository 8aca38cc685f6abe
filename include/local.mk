include_HEADERS = include/graphattn.h
gaincludedir = $(includedir)/graphattn
gainclude_HEADERS = include/graphattn/base.h include/graphattn/batches.h include/graphattn/call.h include/graphattn/compare.h include/graphattn/device.h include/graphattn/engine.h include/graphattn/attention.h include/graphattn/gnn.h include/graphattn/graph.h include/graphattn/sampling.h include/graphattn/select.h include/graphattn/session.h include/graphattn/statistics.h \
	include/graphattn/tensor.h
