/* isa.h - one body compiled for several instruction sets, chosen at run time. */
#ifndef GA_LIB_ENGINE_ISA_H
#define GA_LIB_ENGINE_ISA_H

#include <graphattn/engine.h>

/* An operator has a table of entry points per instruction set: const struct op ga__op_scalar, ga__op_avx2, ga__op_avx512,
 * the latter two where the compiler can (HAVE_AVX2, HAVE_AVX512 in config.h). GA__CHOOSE(context, op) is the one to
 * use: the context's backend. */
#if defined HAVE_AVX2 && defined HAVE_AVX512
#define GA__CHOOSE(context, op) \
    (ga_context_backend(context) == GA_BACKEND_AVX512 ? &op##_avx512 \
     : ga_context_backend(context) == GA_BACKEND_AVX2 ? &op##_avx2 \
                                                      : &op##_scalar)
#elif defined HAVE_AVX2
#define GA__CHOOSE(context, op) (ga_context_backend(context) == GA_BACKEND_AVX2 ? &op##_avx2 : &op##_scalar)
#else
#define GA__CHOOSE(context, op) ((void)(context), &op##_scalar)
#endif

/* True when this machine has the bf16 dot products of AVX-512 (the build has them when HAVE_AVX512BF16 is defined). */
bool ga__machine_has_bf16(void);

#endif
