/* plugin.h - the operators of the table, declared and filled in; for plugin_cuda.cu and plugin_emulated.cc. */
#ifndef GA_LIB_ENGINE_DEVICE_PLUGIN_H
#define GA_LIB_ENGINE_DEVICE_PLUGIN_H

#include "lib/engine/device/table.h"

#define GA__DEVICE_DECLARE(op) \
    extern "C" int ga__##op##_launch(const struct ga__##op##_launch_args *args, void *stream);
GA__DEVICE_OPERATORS(GA__DEVICE_DECLARE)
#undef GA__DEVICE_DECLARE

static inline void ga__fill_operators(ga__device_table *table)
{
#define GA__DEVICE_FILL(op) table->op = ga__##op##_launch;
    GA__DEVICE_OPERATORS(GA__DEVICE_FILL)
#undef GA__DEVICE_FILL
    (void)table;
}

#define GA__PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))

#endif
