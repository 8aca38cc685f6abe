# Tests of the command, by running it.

cli_tests = \
	tests/cli/options.sh \
	tests/cli/pipeline.sh \
	tests/cli/threads.sh \
	tests/cli/faults-inputs.sh \
	tests/cli/faults-outputs.sh \
	tests/cli/formats.sh \
	tests/cli/faults-usage.sh \
	tests/cli/faults-attend.sh \
	tests/cli/golden.sh \
	tests/cli/classical.sh \
	tests/cli/neighbors.sh \
	tests/cli/stats.sh \
	tests/cli/compare.sh \
	tests/cli/report.sh \
	tests/cli/batch.sh \
	tests/cli/attend.sh \
	tests/cli/golden-attention.sh \
	tests/cli/select.sh \
	tests/cli/decode.sh \
	tests/cli/mask.sh \
	tests/cli/crossover.sh \
	tests/cli/growth.sh \
	tests/cli/device.sh \
	tests/cli/golden-device.sh \
	tests/cli/golden-gnn.sh \
	tests/cli/golden-blocks.sh \
	tests/cli/golden-costs.sh \
	tests/cli/bench-select.sh \
	tests/cli/bench-variants.sh \
	tests/cli/train.sh \
	tests/cli/faults-train.sh \
	tests/cli/real.sh
EXTRA_DIST += $(cli_tests) tests/cli/lib.sh
TESTS += $(cli_tests)
