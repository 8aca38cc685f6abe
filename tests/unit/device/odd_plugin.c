/* odd_plugin.c - plug-ins that must be refused; ODD says which one. */
#include "lib/engine/device/table.h"

#define EXPORT __attribute__((visibility("default")))

#if ODD == 0 /* no plug-in at all */
EXPORT int answer(void);
int answer(void)
{
    return 42;
}
#else
EXPORT const ga__device_table *ga__device_query(uint32_t abi);
const ga__device_table *ga__device_query(uint32_t abi)
{
    static ga__device_table table = { .abi = GA__DEVICE_ABI, .size = sizeof table, .name = "cuda" };
    if (ODD == 1) { /* knows older versions */
        return abi < GA__DEVICE_ABI ? &table : 0;
    }
    table.abi += ODD == 2;
    table.size -= ODD == 3;
    return &table;
}
#endif
