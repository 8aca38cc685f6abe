/* load.c - finding and loading plug-ins: $GRAPHATTN_PLUGIN_DIR, then the library's folder, nowhere else. */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/engine/device/device.h"

enum { KINDS = GA_DEVICE_EMULATED + 1 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const ga__device_table *loaded[KINDS];

static ga_status query(ga_context *context, const char *path, void *library, const char *name,
                       const ga__device_table **table)
{
    ga__device_query_fn ask = NULL;
    void *symbol = dlsym(library, "ga__device_query");
    memcpy(&ask, &symbol, sizeof ask);
    if (!ask) {
        return ga__fail(context, GA_UNSUPPORTED, "%s: not a plug-in of graphattn: it has no ga__device_query",
                        path);
    }
    const ga__device_table *found = ask(GA__DEVICE_ABI);
    if (!found || found->abi != GA__DEVICE_ABI || found->size != sizeof *found) {
        return ga__fail(context, GA_UNSUPPORTED,
                        "%s: a plug-in for another version of the library: interface %u of %u bytes expected",
                        path, (unsigned)GA__DEVICE_ABI, (unsigned)sizeof *found);
    }
    if (strcmp(found->name, name) != 0) {
        return ga__fail(context, GA_UNSUPPORTED, "%s: holds the plug-in \"%s\"", path, found->name);
    }
    *table = found;
    return GA_OK;
}

/* *table stays NULL when there is no such file. */
static ga_status try_folder(ga_context *context, const char *folder, const char *name,
                            const ga__device_table **table)
{
    ga_status status = GA_OK;
    char path[4352];
    int length = snprintf(path, sizeof path, "%s/graphattn-%s.so", folder, name);
    if (length < 0 || length >= (int)sizeof path) {
        return ga__fail(context, GA_INVALID, "the name of the folder of plug-ins is too long");
    }
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return GA_OK;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *words = dlerror();
        return ga__fail(context, GA_UNSUPPORTED, "%s: cannot be loaded: %s", path,
                        words ? words : "no reason given");
    }
    status = query(context, path, library, name, table);
    if (status != GA_OK) {
        dlclose(library);
    }
    return status;
}

static ga_status load(ga_context *context, const char *name, const ga__device_table **table)
{
    const char *folder = getenv("GRAPHATTN_PLUGIN_DIR");
    ga_status status = GA_OK;
    *table = NULL;
    if (folder && *folder) {
        if (folder[0] != '/') {
            return ga__fail(context, GA_INVALID, "GRAPHATTN_PLUGIN_DIR: an absolute path expected, not %s",
                            folder);
        }
        GA_TRY(try_folder(context, folder, name, table));
    }
    if (!*table) {
        GA_TRY(try_folder(context, GA__PLUGIN_DIR, name, table));
    }
    if (!*table) {
        bool also = folder && *folder;
        status = ga__fail(context, GA_UNSUPPORTED, "%s: there is no plug-in graphattn-%s.so in %s%s%s", name,
                          name, also ? folder : "", also ? " or " : "", GA__PLUGIN_DIR);
    }
done:
    return status;
}

ga_status ga__device_load(ga_context *context, ga_device_kind kind, const ga__device_table **table)
{
    ga_status status = GA_OK;
    pthread_mutex_lock(&lock);
    if (!loaded[kind]) {
        status = load(context, ga_device_name(kind), &loaded[kind]);
    }
    *table = loaded[kind];
    pthread_mutex_unlock(&lock);
    return status;
}
