# What is written is true: manual pages, completions, README, examples.
docs_tests = tests/docs/options-in-pages.sh tests/docs/examples-run.sh tests/docs/lint.sh tests/docs/completions.sh \
	tests/docs/readme.sh tests/docs/examples-programs.sh tests/docs/variants-page.sh
EXTRA_DIST += tests/docs/options-in-pages.sh tests/docs/examples-run.sh tests/docs/lint.sh tests/docs/completions.sh \
	tests/docs/readme.sh tests/docs/examples-programs.sh tests/docs/variants-page.sh \
	tests/docs/readme-program.sh tests/docs/pages.awk \
	doc/make-degree-figure doc/degrees.svg doc/quality.svg
if !SANITIZED
docs_tests += tests/docs/readme-program.sh
endif
TESTS += $(docs_tests)

tests/docs/examples-programs.log: $(example_programs)
