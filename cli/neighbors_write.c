/* neighbors_write.c - batches as rows, or as one graph file each. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/neighbors.h"

/* ---- rows ---- */

static uint64_t id_of(const neighbors_job *j, int64_t node)
{
    const uint64_t *ids = ga_graph_ids(j->graph);
    return ids ? ids[node] : (uint64_t)node;
}

/* The norm of every node once, before the first batch that has it. */
static ga_status print_norms(session *s, neighbors_job *j, const ga_batch *batch, ga__output *out)
{
    ga_status status = GA_OK;
    for (int64_t i = 0; batch->norms && i < batch->node_count; i++) {
        bool fresh;
        char text[32];
        GA_TRY(ga__set_add(&j->told, batch->nodes[i], &fresh));
        if (fresh) {
            text[ga__format_double(text, batch->norms[i])] = '\0';
            GA_TRY(ga__output_print(s->context, out, "# norm %llu %s\n",
                                    (unsigned long long)id_of(j, batch->nodes[i]), text));
        }
    }
done:
    return status;
}

static ga_status print_lone(session *s, const neighbors_job *j, const ga_batch *batch, ga__output *out)
{
    ga_status status = GA_OK;
    ga__set linked = { .bits = NULL };
    GA_TRY(ga__set_open(s->context, batch->node_count, batch->node_count, &linked));
    for (int64_t i = 0; i < batch->layer_count; i++) {
        const ga_batch_layer *layer = &batch->layers[i];
        for (int64_t e = 0; e < layer->edges; e++) {
            GA_TRY(ga__set_add(&linked, layer->sources[e], NULL));
            GA_TRY(ga__set_add(&linked, layer->targets[e], NULL));
        }
    }
    for (int64_t i = 0; i < batch->node_count; i++) {
        if (!ga__set_has(&linked, i)) {
            GA_TRY(ga__output_print(s->context, out, "# node %lld %llu\n", (long long)batch->number,
                                    (unsigned long long)id_of(j, batch->nodes[i])));
        }
    }
done:
    ga__set_clear(s->context, &linked);
    return status;
}

/* The text of a weight is made again only when it changes: rows of a target mostly agree. */
static ga_status print_layer(session *s, const neighbors_job *j, const ga_batch *batch,
                             const ga_batch_layer *layer, ga__output *out)
{
    ga_status status = GA_OK;
    char head[48], weight[32], line[160];
    int start = ga__format_u64(head, (uint64_t)batch->number), digits = 0;
    head[start++] = '\t';
    start += ga__format_u64(head + start, (uint64_t)layer->number);
    head[start++] = '\t';
    memcpy(line, head, (size_t)start);
    for (int64_t e = 0; e < layer->edges; e++) {
        int size = start;
        size += ga__format_u64(line + size, id_of(j, batch->nodes[layer->sources[e]]));
        line[size++] = '\t';
        size += ga__format_u64(line + size, id_of(j, batch->nodes[layer->targets[e]]));
        line[size++] = '\t';
        if (e == 0 || layer->weights[e] != layer->weights[e - 1]) {
            digits = ga__format_double(weight, layer->weights[e]);
        }
        memcpy(line + size, weight, (size_t)digits);
        size += digits;
        line[size++] = '\n';
        GA_TRY(ga__output_write(s->context, out, line, size));
    }
done:
    return status;
}

ga_status write_rows(session *s, const void *user, const char *path)
{
    ga_status status = GA_OK;
    neighbors_job *j = (neighbors_job *)(uintptr_t)user;
    ga__output *out = NULL;
    const ga_batch *batch;
    const char *at;
    GA_TRY(place(s, path, &at));
    GA_TRY(ga__output_open(s->context, at, true, &out));
    GA_TRY(ga__output_print(s->context, out, "#batch\tlayer\tsource\ttarget\tweight\n"));
    for (;;) {
        GA_TRY(ga_batches_next(s->context, j->batches, &batch));
        if (!batch) {
            break;
        }
        GA_TRY(print_norms(s, j, batch, out));
        GA_TRY(print_lone(s, j, batch, out));
        for (int64_t i = 0; i < batch->layer_count; i++) {
            GA_TRY(print_layer(s, j, batch, &batch->layers[i], out));
        }
    }
    status = ga__output_commit(s->context, out);
    out = NULL;
done:
    ga__output_abort(s->context, out);
    return status;
}

/* ---- one file a batch: all of them or none, so that they take their names when all are written ---- */

enum { TAIL = 64 }; /* of a name: number, suffix, what a staged one has behind it */

/* "x-7.gab" of x.gab. */
static void name_of_batch(const session *s, int64_t number, bool staged, char *name)
{
    size_t stem = strlen(s->is.output) - strlen(".gab");
    memcpy(name, s->is.output, stem);
    int end = snprintf(name + stem, TAIL, "-%lld.gab", (long long)number);
    if (staged) {
        snprintf(name + stem + end, TAIL - (size_t)end, ".part-%ld", (long)getpid());
    }
}

static ga_status check_free(session *s, const char *name)
{
    struct stat file, input;
    if (law_path(s) && strcmp(name, law_path(s)) == 0) {
        return complain(s, GA_INVALID, "%s: is the file of the probabilities and of a batch", name);
    }
    bool there = stat(name, &file) == 0;
    if (there && S_ISDIR(file.st_mode)) {
        return complain(s, GA_IO, "%s: is a directory", name);
    }
    for (int i = 0; there && i < s->ins; i++) {
        if (stat(s->in[i], &input) == 0 && input.st_dev == file.st_dev && input.st_ino == file.st_ino) {
            return complain(s, GA_INVALID, "%s: is an input as well as an output", name);
        }
    }
    return GA_OK;
}

static ga_status stage_batch(session *s, const neighbors_job *j, const ga_batch *batch, char *name)
{
    ga_status status = GA_OK;
    ga_graph *made = NULL;
    ga_write_options options = GA_WRITE_OPTIONS_INIT;
    options.format = GA_FORMAT_GAB;
    name_of_batch(s, batch->number, false, name);
    GA_TRY(check_free(s, name));
    GA_TRY(ga_batch_graph(s->context, j->graph, batch, &made));
    name_of_batch(s, batch->number, true, name);
    status = ga_graph_write(s->context, made, name, &options);
done:
    ga_graph_destroy(s->context, made);
    return status;
}

ga_status stage_batches(session *s, neighbors_job *j)
{
    ga_status status = GA_OK;
    const ga_batch *batch;
    GA_TRY(ga_alloc(s->context, (int64_t)strlen(s->is.output) + TAIL, 1, &j->name));
    GA_TRY(ga_alloc(s->context, (int64_t)strlen(s->is.output) + TAIL, 1, &j->final_name));
    for (;;) {
        GA_TRY(ga_batches_next(s->context, j->batches, &batch));
        if (!batch) {
            break;
        }
        GA_TRY(stage_batch(s, j, batch, j->name));
        j->staged++;
    }
done:
    return status;
}

ga_status commit_batches(session *s, neighbors_job *j)
{
    for (int64_t i = 0; i < j->staged; i++) {
        name_of_batch(s, i, true, j->name);
        name_of_batch(s, i, false, j->final_name);
        if (rename(j->name, j->final_name) != 0) {
            return complain(s, GA_IO, "%s: %s", j->final_name, strerror(errno));
        }
    }
    j->staged = 0;
    return GA_OK;
}

void drop_batches(const session *s, neighbors_job *j)
{
    for (int64_t i = 0; i < j->staged; i++) {
        name_of_batch(s, i, true, j->name);
        (void)unlink(j->name);
    }
    ga_free(s->context, j->name);
    ga_free(s->context, j->final_name);
}
