/* system.c - the hooks that are used where a context has none of its own: the system calls. */
#include "config.h"

#include "lib/base/context.h"

#include <stdio.h>
#include <unistd.h>

static long long system_read(void *user, int fd, void *buffer, size_t size)
{
    (void)user;
    return read(fd, buffer, size);
}

static long long system_write(void *user, int fd, const void *buffer, size_t size)
{
    (void)user;
    return write(fd, buffer, size);
}

static int system_fsync(void *user, int fd)
{
    (void)user;
    return fsync(fd);
}

static int system_close(void *user, int fd)
{
    (void)user;
    return close(fd);
}

static int system_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return rename(from, to);
}

const ga_hooks ga__system_hooks = {
    .allocate = ga__system_allocate,
    .release = ga__system_release,
    .read = system_read,
    .write = system_write,
    .fsync = system_fsync,
    .close = system_close,
    .rename = system_rename,
};
