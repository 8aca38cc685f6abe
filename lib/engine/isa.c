/* isa.c - which instruction sets there are, and which one a context uses. */
#include "config.h"

#include "lib/engine/isa.h"

#include <string.h>

#include "lib/base/context.h"

static const char *const names[] = { "auto", "scalar", "avx2", "avx512" };

const char *ga_backend_name(ga_backend backend)
{
    return (unsigned)backend < sizeof names / sizeof *names ? names[backend] : "?";
}

ga_status ga_backend_from_name(const char *name, ga_backend *backend)
{
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *backend = (ga_backend)i;
            return GA_OK;
        }
    }
    return GA_INVALID;
}

bool ga_backend_available(ga_backend backend)
{
    switch (backend) {
    case GA_BACKEND_AUTO:
    case GA_BACKEND_SCALAR: return true;
#ifdef HAVE_AVX2
    case GA_BACKEND_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("f16c");
#endif
#ifdef HAVE_AVX512
    case GA_BACKEND_AVX512:
        return ga_backend_available(GA_BACKEND_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    default: return false;
    }
}

ga_status ga_context_set_backend(ga_context *context, ga_backend backend)
{
    ga__begin(context);
    if (!ga_backend_available(backend)) {
        return ga__fail(context, GA_UNSUPPORTED, "backend %s is not available on this machine",
                        ga_backend_name(backend));
    }
    context->backend = (int)backend;
    return GA_OK;
}

ga_backend ga_context_backend(const ga_context *context)
{
    if (context->backend != GA_BACKEND_AUTO) {
        return (ga_backend)context->backend;
    }
    return ga_backend_available(GA_BACKEND_AVX512) ? GA_BACKEND_AVX512
           : ga_backend_available(GA_BACKEND_AVX2) ? GA_BACKEND_AVX2
                                                   : GA_BACKEND_SCALAR;
}

bool ga__machine_has_bf16(void)
{
#ifdef HAVE_AVX512BF16
    return ga_backend_available(GA_BACKEND_AVX512) && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}
