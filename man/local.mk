dist_man_MANS += man/graphattn.1 \
	man/graphattn-convert.1 man/graphattn-dcm.1 man/graphattn-generate.1 man/graphattn-info.1 \
	man/graphattn-jdm.1 man/graphattn-realize.1 man/graphattn-rescale.1 man/graphattn-rewire.1 \
	man/graphattn-sample.1 man/libgraphattn.3 man/graphattn-formats.5
