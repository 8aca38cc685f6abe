/* target.c - where an output goes: a temporary file beside the final one, a device, or standard output. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/context.h"
#include "lib/base/output.h"

static ga_status system_failure(ga_context *context, const ga__target *target)
{
    return ga__fail(context, GA_IO, "%s: %s", target->name, strerror(errno));
}

static ga_status copy_text(ga_context *context, const char *text, char **out)
{
    ga_status status = ga_alloc(context, (int64_t)strlen(text) + 1, 1, out);
    if (status == GA_OK) {
        strcpy(*out, text);
    }
    return status;
}

/* ---- the temporary file ---- */

/* "PATH.tmp-XXXXXX" with a name that is short enough; the six last letters are filled in later. */
static ga_status temp_name(ga_context *context, const char *path, char **out)
{
    static const char tail[] = ".tmp-XXXXXX";
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0, name = strlen(path) - folder;
    if (name > NAME_MAX - (sizeof tail - 1)) {
        name = NAME_MAX - (sizeof tail - 1);
    }
    char *text;
    ga_status status = ga_alloc(context, (int64_t)(folder + name + sizeof tail), 1, &text);
    if (status == GA_OK) {
        memcpy(text, path, folder + name);
        memcpy(text + folder + name, tail, sizeof tail);
        *out = text;
    }
    return status;
}

/* Fills in six letters that nobody else is likely to use. */
static void vary(char *temp)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint64_t bits = 0;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits) {
        bits = ((uint64_t)now.tv_nsec << 24) ^ (uint64_t)getpid();
    }
    for (char *at = temp + strlen(temp) - 6; *at; at++) {
        *at = letters[bits % 36];
        bits /= 36;
    }
}

/* mode: of the file that will be replaced, 0 when there is none. */
static ga_status open_temp(ga_context *context, ga__target *target, mode_t mode)
{
    enum { TRIES = 100 };
    ga_status status = GA_OK;
    char *temp = NULL;
    GA_TRY(temp_name(context, target->path, &temp));
    for (int i = 0; i < TRIES && target->fd < 0; i++) {
        vary(temp);
        target->fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode ? 0600 : 0666);
        if (target->fd < 0 && errno != EEXIST && errno != EINTR) {
            break;
        }
    }
    if (target->fd < 0) {
        GA_TRY(system_failure(context, target));
    }
    target->own_fd = true;
    target->temp = temp;
    temp = NULL;
    if (mode) { /* who may read it stays as it was; file systems without permissions refuse, which is no harm */
        (void)fchmod(target->fd, mode & 0777);
    }
done:
    ga_free(context, temp);
    return status;
}

/* ---- opening ---- */

int ga__descriptor_of(const char *path)
{
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
    if (strcmp(path, "/dev/stdout") == 0) {
        return STDOUT_FILENO;
    }
    if (strcmp(path, "/dev/stderr") == 0) {
        return STDERR_FILENO;
    }
    for (int i = 0; i < 2; i++) {
        if (strncmp(path, folders[i], strlen(folders[i])) == 0) {
            const char *number = path + strlen(folders[i]);
            size_t digits = strspn(number, "0123456789");
            return digits > 0 && digits < 9 && !number[digits] ? atoi(number) : -1;
        }
    }
    return -1;
}

/* Written to where that descriptor stands, not to a new file in place of the one behind it. */
static ga_status open_descriptor(ga_context *context, ga__target *target, int fd)
{
    target->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (target->fd < 0) {
        return system_failure(context, target);
    }
    target->own_fd = true;
    return GA_OK;
}

/* What the symbolic link at *path points to takes the place of *path, which is owned. */
static ga_status follow_link(ga_context *context, char **path)
{
    ga_status status = GA_OK;
    char *to = NULL, *joined = NULL;
    const char *slash = strrchr(*path, '/');
    size_t folder = slash ? (size_t)(slash - *path) + 1 : 0;
    GA_TRY(ga_alloc(context, PATH_MAX, 1, &to));
    ssize_t size = readlink(*path, to, PATH_MAX - 1);
    if (size < 0) {
        goto done; /* it went away just now */
    }
    to[size] = '\0';
    if (*to == '/') {
        folder = 0;
    }
    GA_TRY(ga_alloc(context, (int64_t)(folder + (size_t)size + 1), 1, &joined));
    memcpy(joined, *path, folder);
    memcpy(joined + folder, to, (size_t)size + 1);
    ga_free(context, *path);
    *path = joined;
done:
    ga_free(context, to);
    return status;
}

/* A symbolic link stays, what it points to is replaced or made. */
static ga_status final_path(ga_context *context, ga__target *target)
{
    enum { MOST_LINKS = 40 }; /* as the kernel */
    ga_status status = GA_OK;
    struct stat facts;
    GA_TRY(copy_text(context, target->name, &target->path));
    for (int i = 0; lstat(target->path, &facts) == 0 && S_ISLNK(facts.st_mode); i++) {
        if (i == MOST_LINKS) {
            errno = ELOOP;
            GA_TRY(system_failure(context, target));
        }
        GA_TRY(follow_link(context, &target->path));
    }
done:
    return status;
}

static ga_status open_in_place(ga_context *context, ga__target *target)
{
    while ((target->fd = open(target->name, O_WRONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
        if (errno != EINTR) {
            return system_failure(context, target);
        }
        if (ga__check(context) != GA_OK) {
            return GA_CANCELLED;
        }
    }
    target->own_fd = true;
    return GA_OK;
}

static bool may_block(int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && (S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode) || isatty(fd));
}

ga_status ga__target_open(ga_context *context, const char *path, ga__target *target)
{
    ga_status status = GA_OK;
    struct stat facts;
    *target = (ga__target){ .fd = -1 };
    int fd = ga__descriptor_of(path);
    bool standard = strcmp(path, "-") == 0 || fd == STDOUT_FILENO;
    GA_TRY(copy_text(context, standard ? "standard output" : path, &target->name));
    if (standard) {
        target->fd = STDOUT_FILENO;
        goto done;
    }
    if (fd >= 0) {
        GA_TRY(open_descriptor(context, target, fd));
        goto done;
    }
    size_t size = strlen(path);
    bool exists = stat(path, &facts) == 0;
    if ((exists && S_ISDIR(facts.st_mode)) || (size > 0 && path[size - 1] == '/')) {
        GA_TRY(ga__fail(context, GA_IO, "%s: is a directory", path));
    }
    if (!exists && (errno != ENOENT || size == 0)) {
        GA_TRY(system_failure(context, target));
    }
    if (exists && !S_ISREG(facts.st_mode)) {
        GA_TRY(open_in_place(context, target));
        goto done;
    }
    if (exists && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0) { /* protected by its owner */
        GA_TRY(system_failure(context, target));
    }
    GA_TRY(final_path(context, target));
    GA_TRY(open_temp(context, target, exists ? facts.st_mode : 0));
done:
    target->blocks = status == GA_OK && may_block(target->fd);
    return status;
}

/* ---- writing ---- */

static ga_status wait_for_room(ga_context *context, int fd)
{
    ga_status status = GA_OK;
    struct pollfd wanted = { .fd = fd, .events = POLLOUT };
    for (int ready; (ready = poll(&wanted, 1, 100)) == 0 || (ready < 0 && errno == EINTR);) {
        GA_TRY(ga__check(context));
    }
done:
    return status;
}

ga_status ga__target_write(ga_context *context, ga__target *target, const void *data, int64_t size)
{
    /* Between two looks at the cancel callback. A pipe that is ready takes PIPE_BUF bytes without waiting; more could
     * leave a thread, which need not be the one that signals interrupt, waiting for a reader for ever. */
    enum { MOST = 1 << 24 };
    int64_t most = target->blocks ? PIPE_BUF : MOST;
    const ga_hooks *hooks = &context->hooks;
    ga_status status = GA_OK;
    const unsigned char *at = data;
    while (size > 0) {
        GA_TRY(ga__check(context));
        if (target->blocks) {
            GA_TRY(wait_for_room(context, target->fd));
        }
        long long bytes = hooks->write(hooks->user, target->fd, at, (size_t)ga__min(size, most));
        if (bytes > 0) {
            at += bytes;
            size -= bytes;
        } else if (bytes == 0) {
            errno = ENOSPC;
            GA_TRY(system_failure(context, target));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            GA_TRY(wait_for_room(context, target->fd));
        } else if (errno != EINTR) {
            GA_TRY(system_failure(context, target));
        }
    }
done:
    return status;
}

/* ---- ending ---- */

/* Makes the new name last through a power cut. The file is complete already, so a failure is no failure of ours. */
static void sync_folder(ga_context *context, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = NULL;
    size_t size = slash ? (size_t)(slash - path) + 1 : 0;
    if (size > 0) {
        folder = strndup(path, size);
    }
    int fd = size > 0 && !folder ? -1 : open(folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)context->hooks.fsync(context->hooks.user, fd);
        (void)close(fd);
    }
    free(folder);
}

static ga_status close_file(ga_context *context, ga__target *target)
{
    int fd = target->fd;
    if (!target->own_fd) {
        return GA_OK;
    }
    target->fd = -1; /* closed whatever close returns */
    if (context->hooks.close(context->hooks.user, fd) != 0 && errno != EINTR) {
        return system_failure(context, target);
    }
    return GA_OK;
}

ga_status ga__target_commit(ga_context *context, ga__target *target)
{
    const ga_hooks *hooks = &context->hooks;
    ga_status status = GA_OK;
    while (target->temp && hooks->fsync(hooks->user, target->fd) != 0) {
        /* some file systems know no fsync */
        if (errno == EINVAL || errno == ENOTSUP) {
            break;
        }
        if (errno != EINTR) {
            GA_TRY(system_failure(context, target));
        }
    }
    GA_TRY(close_file(context, target));
    if (target->temp) {
        GA_TRY(ga__check(context));
        if (hooks->rename(hooks->user, target->temp, target->path) != 0) {
            GA_TRY(system_failure(context, target));
        }
        ga_free(context, target->temp);
        target->temp = NULL;
        sync_folder(context, target->path);
    }
done:
    return status;
}

void ga__target_drop(ga_context *context, ga__target *target)
{
    if (target->own_fd && target->fd >= 0) {
        (void)context->hooks.close(context->hooks.user, target->fd);
        target->fd = -1;
    }
    if (target->temp) {
        (void)unlink(target->temp);
        ga_free(context, target->temp);
        target->temp = NULL;
    }
}

void ga__target_free(ga_context *context, ga__target *target)
{
    ga_free(context, target->name);
    ga_free(context, target->path);
}
