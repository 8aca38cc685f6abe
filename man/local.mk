dist_man_MANS += man/graphattn.1 man/graphattn-attend.1 man/graphattn-bench.1 man/graphattn-block.1 man/graphattn-cost.1 man/graphattn-maps.1 man/graphattn-mask.1 man/graphattn-variants.1 \
	man/graphattn-variants.7 \
	man/graphattn-convert.1 man/graphattn-dcm.1 man/graphattn-generate.1 man/graphattn-info.1 \
	man/graphattn-jdm.1 man/graphattn-layer.1 man/graphattn-realize.1 man/graphattn-rescale.1 man/graphattn-rewire.1 \
	man/graphattn-sample.1 man/graphattn-train.1 man/graphattn-predict.1 man/graphattn-embed.1 man/libgraphattn.3 man/graphattn-formats.5
dist_man_MANS += man/graphattn-select.1
dist_man_MANS += man/graphattn-neighbors.1 man/graphattn-stats.1 man/graphattn-compare.1 man/graphattn-report.1 \
	man/graphattn-pipelines.7
EXTRA_DIST += man/make-variants-page
