# The vectors of every instruction set, and the operators that multiply, merge and select.
check_PROGRAMS += tests/unit/check_simd tests/unit/check_spmm tests/unit/check_sddmm tests/unit/check_gemm \
	tests/unit/check_merge tests/unit/check_top_k

tests_unit_check_simd_SOURCES = tests/unit/check_simd.c tests/unit/check_simd.h tests/unit/check_simd_body.h \
	tests/unit/check_simd_scalar.c tests/unit/check_simd_avx2.c tests/unit/check_simd_avx512.c
tests_unit_check_simd_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_simd_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_spmm_SOURCES = tests/unit/check_spmm.c tests/unit/check_products.h
tests_unit_check_spmm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_spmm_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_sddmm_SOURCES = tests/unit/check_sddmm.c tests/unit/check_products.h
tests_unit_check_sddmm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_sddmm_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_gemm_SOURCES = tests/unit/check_gemm.c tests/unit/check_products.h
tests_unit_check_gemm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_gemm_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_merge_SOURCES = tests/unit/check_merge.c tests/unit/check_products.h
tests_unit_check_merge_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_merge_LDADD = $(test_libs) $(CHECK_LIBS) -lm

tests_unit_check_top_k_SOURCES = tests/unit/check_top_k.c tests/unit/check_products.h
tests_unit_check_top_k_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_check_top_k_LDADD = $(test_libs) $(CHECK_LIBS) -lm
