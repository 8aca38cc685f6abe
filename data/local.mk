# The bundled graph, installed under $(datadir)/graphattn.

debiandatadir = $(datadir)/graphattn
dist_debiandata_DATA = \
	data/debian-packages.txt.gz \
	data/debian-packages.names.txt.gz \
	data/debian-packages.labels.txt.gz \
	data/debian-packages.sections.tsv \
	data/debian-packages.features.mtx.gz

EXTRA_DIST += \
	data/README.md \
	data/SHA256SUMS \
	data/make-debian-graph
