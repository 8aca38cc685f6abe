/* plugin_emulated.cc - graphattn-emulated.so: the table of table.h on the emulator.
 *
 * Memory of the device is filled with NaN when it is allocated and is exactly as long as was asked for, so that
 * AddressSanitizer sees what reaches beyond it. Everything is done at once, whatever the stream.
 */
#include "lib/engine/device/plugin.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/engine/device/emulator.h"

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

enum { DEVICES = 2 };

static int count(int *devices)
{
    *devices = DEVICES;
    return GA__EMULATOR_OK;
}

static int facts(int device, ga_device_facts *facts)
{
    if (device < 0 || device >= DEVICES) {
        return GA__EMULATOR_DEVICE;
    }
    snprintf(facts->name, sizeof facts->name, "emulated device");
    facts->compute_capability = 0;
    facts->multiprocessors = 1;
    facts->memory = (int64_t)1 << 40;
    facts->shared_memory = 232448;
    return GA__EMULATOR_OK;
}

static int use(int device)
{
    return device >= 0 && device < DEVICES ? GA__EMULATOR_OK : GA__EMULATOR_DEVICE;
}

static int is_sticky(int error)
{
    return error == GA__EMULATOR_FAULT;
}

static int allocate(size_t bytes, void **memory)
{
    int error = ga__emulator_call(GA__CALL_MEMORY);
    void *made = nullptr;
    if (error) {
        return error;
    }
    if (posix_memalign(&made, 256, bytes ? bytes : 1) != 0) {
        return GA__EMULATOR_MEMORY;
    }
    memset(made, 0xff, bytes);
    *memory = made;
    return GA__EMULATOR_OK;
}

static int release(void *memory)
{
    free(memory);
    return GA__EMULATOR_OK;
}

static int move(void *to, const void *from, size_t bytes, void *)
{
    int error = ga__emulator_call(GA__CALL_COPY);
    if (!error && bytes > 0) {
        memmove(to, from, bytes);
    }
    return error;
}

static int clear(void *memory, size_t bytes, void *)
{
    int error = ga__emulator_call(GA__CALL_COPY);
    if (!error && bytes > 0) {
        memset(memory, 0, bytes);
    }
    return error;
}

static int synchronise(void *)
{
    return ga__emulator_call(GA__CALL_WAIT);
}

static void forbid(void *memory, size_t bytes, int forbidden)
{
#if defined __SANITIZE_ADDRESS__
    if (forbidden) {
        __asan_poison_memory_region(memory, bytes);
    } else {
        __asan_unpoison_memory_region(memory, bytes);
    }
#endif
    if (!forbidden) {
        memset(memory, 0xff, bytes);
    }
}

static ga__device_table make_table()
{
    ga__device_table made = {};
    made.abi = GA__DEVICE_ABI;
    made.size = sizeof made;
    made.name = "emulated";
    made.words = ga__emulator_words;
    made.count = count;
    made.facts = facts;
    made.use = use;
    made.is_sticky = is_sticky;
    made.allocate = allocate;
    made.release = release;
    made.upload = made.download = made.copy = move;
    made.clear = clear;
    made.synchronise = synchronise;
    made.emulate = ga__emulator_set;
    made.calls = ga__emulator_calls;
    made.forbid = forbid;
    ga__fill_operators(&made);
    return made;
}

/* $GRAPHATTN_EMULATED_BROKEN: a device on which no kernel can be started, for tests of the command. */
static bool break_device()
{
    const char *broken = getenv("GRAPHATTN_EMULATED_BROKEN");
    if (broken && *broken) {
        ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
        is.fail_kinds = GA__CALL_LAUNCH;
        is.fail_at = 0;
        is.fail_sticky = true;
        ga__emulator_set(&is);
    }
    return true;
}

GA__PLUGIN_EXPORT const ga__device_table *ga__device_query(uint32_t abi)
{
    static const ga__device_table table = make_table();
    static const bool asked = break_device();
    (void)asked;
    return abi == GA__DEVICE_ABI ? &table : nullptr;
}
