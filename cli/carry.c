/* carry.c - features of nodes that a sample takes over from the nodes it stands for. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "cli/carry.h"

/* ---- reading ---- */

#define MOST_EXACT 16777216 /* integers up to here are kept by 32-bit floats */

static ga_status read_market(session *s, const char *path, ga_sparse *sparse)
{
    ga_status status = GA_OK;
    GA_TRY(ga_market_read(s->context, path, sparse));
    for (int64_t i = 0; sparse->integers && i < sparse->offsets[sparse->rows]; i++) {
        if (fabsf(sparse->values[i]) >= MOST_EXACT) {
            GA_TRY(complain(s, GA_UNSUPPORTED, "%s: integer %.0f, expected ones below 2^24", path,
                            (double)sparse->values[i]));
        }
    }
done:
    return status;
}

ga_status read_feature_rows(session *s, const ga_graph *graph, feature_rows *rows)
{
    ga_status status = GA_OK;
    const char *path = s->is.features;
    int64_t nodes = ga_graph_nodes(graph), found;
    bool market = false;
    if (!path) {
        goto done;
    }
    GA_TRY(is_market(s, path, &market));
    if (market) {
        GA_TRY(read_market(s, path, &rows->sparse));
        found = rows->sparse.rows;
    } else {
        GA_TRY(ga_npy_read(s->context, path, true, &rows->dense));
        found = rows->dense->ndim > 0 ? rows->dense->shape[0] : 1;
    }
    if (found != nodes) {
        GA_TRY(complain(s, GA_FORMAT, "%s: %lld rows, expected one for each of the %lld nodes", path,
                        (long long)found, (long long)nodes));
    }
done:
    return status;
}

void free_feature_rows(session *s, feature_rows *rows)
{
    ga_tensor_destroy(s->context, rows->dense);
    ga_sparse_clear(s->context, &rows->sparse);
    rows->dense = NULL;
}

/* ---- writing ---- */

static ga_status write_dense(session *s, const DLTensor *from, const int64_t *donors, int64_t count,
                             const char *at)
{
    ga_status status = GA_OK;
    DLTensor *taken = NULL;
    int64_t *shape = NULL, size = from->dtype.bits / 8;
    int axes = from->ndim > 0 ? from->ndim : 1;
    GA_TRY(GA_NEW(s->context, axes, &shape));
    shape[0] = count;
    for (int i = 1; i < axes; i++) {
        shape[i] = from->shape[i];
        size *= shape[i];
    }
    GA_TRY(ga_tensor_create(s->context, from->dtype, axes, shape, &taken));
    for (int64_t i = 0; i < count && size > 0; i++) { /* .npy is read in C order */
        memcpy((char *)taken->data + i * size, (const char *)from->data + donors[i] * size, (size_t)size);
    }
    status = ga_npy_write(s->context, taken, at);
done:
    ga_tensor_destroy(s->context, taken);
    ga_free(s->context, shape);
    return status;
}

static ga_status write_sparse(session *s, const ga_sparse *from, const int64_t *donors, int64_t count,
                              const char *at)
{
    ga_status status = GA_OK;
    ga_sparse taken = { .rows = count, .columns = from->columns, .integers = from->integers };
    GA_TRY(GA_NEW(s->context, count + 1, &taken.offsets));
    taken.offsets[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = from->offsets[donors[i] + 1] - from->offsets[donors[i]];
        taken.offsets[i + 1] = taken.offsets[i] + length;
    }
    GA_TRY(GA_NEW(s->context, taken.offsets[count], &taken.indices));
    if (from->values) {
        GA_TRY(GA_NEW(s->context, taken.offsets[count], &taken.values));
    }
    for (int64_t i = 0; i < count; i++) {
        size_t length = (size_t)(taken.offsets[i + 1] - taken.offsets[i]);
        int64_t first = from->offsets[donors[i]];
        memcpy(taken.indices + taken.offsets[i], from->indices + first, length * sizeof *taken.indices);
        if (from->values) {
            memcpy(taken.values + taken.offsets[i], from->values + first, length * sizeof *taken.values);
        }
    }
    status = ga_market_write(s->context, &taken, at);
done:
    ga_sparse_clear(s->context, &taken);
    return status;
}

ga_status write_feature_rows(session *s, const feature_rows *rows, const int64_t *donors, int64_t count,
                             const char *path)
{
    const char *at;
    ga_status status = place(s, path, &at);
    if (status != GA_OK) {
        return status;
    }
    return rows->dense ? write_dense(s, rows->dense, donors, count, at)
                       : write_sparse(s, &rows->sparse, donors, count, at);
}
