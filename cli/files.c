/* files.c - which files a run touches: none twice by mistake, and all results or none.
 *
 * A single output is whole or absent by the library. Several are first written as PATH.part-PID in the folder of each
 * and renamed when all of them are complete; a process that is killed outright leaves such names behind. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/session.h"

bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0 || ga__descriptor_of(path) == STDOUT_FILENO;
}

void reads(session *s, const char *path)
{
    if (path && s->ins < FILES) {
        s->in[s->ins++] = path;
    }
}

void writes(session *s, const char *path)
{
    if (path && s->outs < FILES) {
        s->out[s->outs++] = (out_file){ .path = path };
    }
}

int check_names(const session *s)
{
    for (int i = 0; i < s->ins; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(s->in[i], "-") == 0 && strcmp(s->in[j], "-") == 0) {
                return usage_error(s, "standard input (-) can be read only once");
            }
        }
    }
    for (int i = 0; i < s->outs; i++) {
        for (int j = 0; j < i; j++) {
            bool both_standard = is_standard(s->out[i].path) && is_standard(s->out[j].path);
            bool alike = strcmp(s->out[i].path, s->out[j].path) == 0;
            if (both_standard || (alike && strcmp(s->out[i].path, "/dev/null") != 0)) {
                return usage_error(s, "two results would go to %s",
                                   is_standard(s->out[i].path) ? "standard output" : s->out[i].path);
            }
        }
    }
    return 0;
}

/* Of a regular file; false for what does not exist or is a terminal, pipe or device. */
static bool regular(const char *path, int standard, struct stat *file)
{
    int got = is_standard(path) ? fstat(standard, file) : stat(path, file);
    return got == 0 && S_ISREG(file->st_mode);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* "a/" of a/b, "." of b; owned. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

static const char *name_in_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool one_folder(const char *a, const char *b)
{
    struct stat of_a, of_b;
    char *folder_a = folder_of(a), *folder_b = folder_of(b);
    bool one = folder_a && folder_b && stat(folder_a, &of_a) == 0 && stat(folder_b, &of_b) == 0 &&
               same(&of_a, &of_b);
    free(folder_a);
    free(folder_b);
    return one;
}

/* Two spellings of one path, be there a file or not. */
static bool one_path(const char *a, const char *b)
{
    return strcmp(name_in_folder(a), name_in_folder(b)) == 0 && one_folder(a, b);
}

/* Standard output, a device, a pipe. */
static bool is_special(const char *path)
{
    struct stat file;
    return strcmp(path, "-") == 0 || ga__descriptor_of(path) >= 0 ||
           (stat(path, &file) == 0 && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode));
}

/* What would fail at the end fails now, before hours of work. */
static ga_status check_target_path(session *s, const char *path)
{
    ga_status status = GA_OK;
    struct stat file;
    char *folder = NULL;
    if (is_special(path)) {
        goto done;
    }
    bool exists = stat(path, &file) == 0;
    if (exists && S_ISDIR(file.st_mode)) {
        GA_TRY(complain(s, GA_IO, "%s: is a directory", path));
    }
    if (!exists && errno != ENOENT) {
        GA_TRY(complain(s, GA_IO, "%s: %s", path, strerror(errno)));
    }
    if (lstat(path, &file) == 0 && S_ISLNK(file.st_mode)) {
        goto done; /* its folder is another one */
    }
    folder = folder_of(path);
    if (!folder) {
        GA_TRY(complain(s, GA_NOMEM, "no memory for the folder of %s", path));
    }
    if (access(folder, W_OK | X_OK) != 0 || (exists && access(path, W_OK) != 0)) {
        GA_TRY(complain(s, GA_IO, "%s: %s", path, strerror(errno)));
    }
done:
    free(folder);
    return status;
}

ga_status check_files(session *s)
{
    ga_status status = GA_OK;
    struct stat a, b;
    for (int i = 0; i < s->outs; i++) {
        const char *path = s->out[i].path;
        GA_TRY(check_target_path(s, path));
        for (int j = 0; j < i; j++) {
            if (!is_special(path) && one_path(s->out[j].path, path)) {
                return complain(s, GA_INVALID, "%s and %s are one file", s->out[j].path, path);
            }
        }
        if (!regular(path, STDOUT_FILENO, &a)) {
            continue;
        }
        for (int j = 0; j < s->ins; j++) {
            bool allowed = s->is.in_place && path == s->is.output && !is_standard(path);
            if (!allowed && regular(s->in[j], STDIN_FILENO, &b) && same(&a, &b)) {
                return complain(s, GA_INVALID, "%s: is an input as well as an output%s", path,
                                is_standard(path) ? "" : " (--in-place to replace the graph)");
            }
        }
        for (int j = 0; j < i; j++) {
            if (regular(s->out[j].path, STDOUT_FILENO, &b) && same(&a, &b)) {
                return complain(s, GA_INVALID, "%s and %s are one file", s->out[j].path, path);
            }
        }
    }
done:
    return status;
}

/* The suffix by which the library goes: .gz makes it compress, the others choose a picture. */
static const char *telling_suffix(const char *path)
{
    static const char *const known[] = { ".gz", ".png", ".svg" };
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t end = strlen(known[i]);
        if (length > end && strcmp(path + length - end, known[i]) == 0) {
            return known[i];
        }
    }
    return "";
}

/* PATH.part-PID, shortened to what a folder takes (then with a number, since two long names may begin alike), and the
 * suffix that tells something. A link stays: what it points to is replaced. */
static ga_status stage(session *s, out_file *out)
{
    enum { TAIL = 40 };
    struct stat file;
    bool link = lstat(out->path, &file) == 0 && S_ISLNK(file.st_mode);
    out->final = link ? realpath(out->path, NULL) : strdup(out->path);
    out->staged = out->final ? malloc(strlen(out->final) + TAIL) : NULL;
    if (!out->staged) {
        return complain(s, GA_NOMEM, "no memory for the name of %s", out->path);
    }
    size_t name = strlen(name_in_folder(out->final));
    const char *end = telling_suffix(out->path);
    size_t folder = strlen(out->final) - name;
    if (name + TAIL <= NAME_MAX) {
        sprintf(out->staged, "%s.part-%ld%s", out->final, (long)getpid(), end);
    } else {
        sprintf(out->staged, "%.*s.part-%ld-%d%s", (int)(folder + NAME_MAX - TAIL), out->final,
                (long)getpid(), (int)(out - s->out), end);
    }
    return GA_OK;
}

/* Devices, pipes, folders and links to nothing are left to the library; with one output there is nothing to be kept in
 * step. */
static bool wants_stage(const session *s, const char *path)
{
    struct stat file;
    if (s->outs < 2 || is_special(path)) {
        return false;
    }
    return stat(path, &file) == 0 ? S_ISREG(file.st_mode) : lstat(path, &file) != 0;
}

ga_status place(session *s, const char *path, const char **at)
{
    ga_status status = GA_OK;
    *at = path;
    for (int i = 0; i < s->outs; i++) {
        out_file *out = &s->out[i];
        if (out->path == path && wants_stage(s, path)) {
            if (!out->staged) {
                GA_TRY(stage(s, out));
            }
            *at = out->staged;
        }
    }
done:
    return status;
}

ga_status commit_files(session *s)
{
    for (int i = 0; i < s->outs; i++) {
        out_file *out = &s->out[i];
        struct stat old;
        if (out->staged && stat(out->final, &old) == 0) { /* who may read it stays as it was */
            (void)chmod(out->staged, old.st_mode & 0777);
        }
        if (out->staged && rename(out->staged, out->final) != 0) {
            return complain(s, GA_IO, "%s: %s", out->path, strerror(errno));
        }
        free(out->staged);
        out->staged = NULL;
    }
    return GA_OK;
}

void drop_files(session *s)
{
    for (int i = 0; i < s->outs; i++) {
        if (s->out[i].staged) {
            (void)unlink(s->out[i].staged);
            free(s->out[i].staged);
            s->out[i].staged = NULL;
        }
        free(s->out[i].final);
        s->out[i].final = NULL;
    }
}

ga_status begins_with(session *s, const char *path, const char *magic, bool *begins)
{
    ga_status status = GA_OK;
    ga__input *input = NULL;
    const unsigned char *data;
    int64_t size = (int64_t)strlen(magic), got = 0;
    *begins = false;
    if (is_standard(path)) {
        goto done;
    }
    GA_TRY(ga__input_open(s->context, path, false, &input));
    GA_TRY(ga__input_peek(s->context, input, size, &data, &got));
    *begins = got >= size && memcmp(data, magic, (size_t)size) == 0;
done:
    ga__input_close(s->context, input);
    return status;
}

ga_status is_market(session *s, const char *path, bool *market)
{
    return begins_with(s, path, "%%MatrixMarket", market);
}
