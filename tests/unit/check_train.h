/* check_train.h - a planted graph of two communities and what is trained on it; for check_train*.c. */
#ifndef TESTS_CHECK_TRAIN_H
#define TESTS_CHECK_TRAIN_H

#include <graphattn.h>
#include <math.h>

#include "gnn/train.h"
#include "tests/unit/support.h"

enum { MOST_PARAMETERS = 12 };

/* Nodes i have class i % classes; features say so with noise, and most edges join equal classes. */
typedef struct planted {
    int64_t nodes, columns, classes;
    ga_edge_rows rows;
    int64_t *keys, *queries, *labels;
    double *weights;
    float *x;
    uint8_t *marks; /* (nodes, classes): targets */
    int64_t feature_shape[2], target_shape[2];
    DLTensor features, targets;
    ga_sparse sparse; /* the same features */
    ga_node_data data;
    ga_split split;
} planted;

static inline double planted_unit(uint64_t index)
{
    uint64_t bits[2];
    ga__random_block(77, GA__RANDOM_TEST, index, 0, bits);
    return (double)(bits[0] >> 11) * 0x1p-53;
}

static inline void *planted_room(size_t bytes)
{
    void *block = calloc(1, bytes);
    ck_assert_ptr_nonnull(block);
    return block;
}

static inline void planted_features(planted *p)
{
    int64_t all = p->nodes * p->columns;
    p->sparse = (ga_sparse){ .rows = p->nodes, .columns = p->columns };
    p->sparse.offsets = planted_room((size_t)(p->nodes + 1) * sizeof(int64_t));
    p->sparse.indices = planted_room((size_t)all * sizeof(uint32_t));
    p->sparse.values = planted_room((size_t)all * sizeof(float));
    for (int64_t i = 0, at = 0; i < p->nodes; i++) {
        for (int64_t c = 0; c < p->columns; c++) {
            bool own = c % p->classes == i % p->classes;
            double u = planted_unit((uint64_t)(i * p->columns + c));
            float value = own ? (float)(0.4 + 0.6 * u) : u < 0.4 ? 0 : (float)(0.6 * u);
            p->x[i * p->columns + c] = value;
            if (value > 0) {
                p->sparse.indices[at] = (uint32_t)c;
                p->sparse.values[at++] = value;
            }
        }
        p->sparse.offsets[i + 1] = at;
    }
}

static inline void planted_edges(planted *p, int64_t degree)
{
    p->rows = (ga_edge_rows){ .name = "planted", .count = p->nodes * degree };
    p->keys = planted_room((size_t)p->rows.count * sizeof(int64_t));
    p->queries = planted_room((size_t)p->rows.count * sizeof(int64_t));
    p->weights = planted_room((size_t)p->rows.count * sizeof(double));
    for (int64_t e = 0; e < p->rows.count; e++) {
        int64_t to = e / degree, away = (int64_t)(planted_unit((uint64_t)(1000000 + e)) * (double)p->nodes);
        int64_t same = away - away % p->classes + to % p->classes;
        p->keys[e] = e % degree > 0 && same < p->nodes ? same : away;
        p->queries[e] = to;
        p->weights[e] = 0.5 + planted_unit((uint64_t)(2000000 + e));
    }
    p->rows.keys = p->keys;
    p->rows.queries = p->queries;
}

static inline void planted_split(planted *p)
{
    int64_t **lists[] = { &p->split.train, &p->split.val, &p->split.test };
    int64_t *counts[] = { &p->split.train_count, &p->split.val_count, &p->split.test_count };
    for (int s = 0; s < 3; s++) {
        *lists[s] = planted_room((size_t)p->nodes * sizeof(int64_t));
        for (int64_t i = 0; i < p->nodes; i++) {
            int64_t part = i / p->classes % 4;
            if (part == s || (s == 2 && part == 3)) {
                (*lists[s])[(*counts[s])++] = i;
            }
        }
    }
}

static inline void planted_make(planted *p, int64_t nodes, int64_t columns, int64_t classes)
{
    memset(p, 0, sizeof *p);
    p->nodes = nodes;
    p->columns = columns;
    p->classes = classes;
    p->labels = planted_room((size_t)nodes * sizeof(int64_t));
    p->x = planted_room((size_t)(nodes * columns) * sizeof(float));
    p->marks = planted_room((size_t)(nodes * classes));
    for (int64_t i = 0; i < nodes; i++) {
        p->labels[i] = i % classes;
        p->marks[i * classes + i % classes] = 1;
        p->marks[i * classes] = 1; /* a second label for most */
    }
    planted_features(p);
    planted_edges(p, 4);
    planted_split(p);
    p->feature_shape[0] = p->target_shape[0] = nodes;
    p->feature_shape[1] = columns;
    p->target_shape[1] = classes;
    p->features = (DLTensor){ .data = p->x,
                              .device = { .device_type = kDLCPU },
                              .ndim = 2,
                              .dtype = { kDLFloat, 32, 1 },
                              .shape = p->feature_shape };
    p->targets = (DLTensor){ .data = p->marks,
                             .device = { .device_type = kDLCPU },
                             .ndim = 2,
                             .dtype = { kDLUInt, 8, 1 },
                             .shape = p->target_shape };
    p->data = (ga_node_data){
        .edges = &p->rows, .undirected = true, .features = &p->features, .labels = p->labels
    };
}

static inline void planted_free(planted *p)
{
    free(p->labels);
    free(p->x);
    free(p->marks);
    free(p->keys);
    free(p->queries);
    free(p->weights);
    free(p->sparse.offsets);
    free(p->sparse.indices);
    free(p->sparse.values);
    free(p->split.train);
    free(p->split.val);
    free(p->split.test);
}

/* "k=v k=v" as a list, kept until the next four calls. */
static inline ga_train_options with(const char *model, const char *parameters)
{
    static char texts[4][512];
    static ga_named_text lists[4][MOST_PARAMETERS];
    static int turn;
    int at = turn++ % 4;
    ga_train_options options = GA_TRAIN_OPTIONS_INIT;
    ck_assert_int_lt(snprintf(texts[at], sizeof texts[at], "%s", parameters), (int)sizeof texts[at]);
    options.model = model;
    options.parameters = lists[at];
    char *save = NULL;
    for (char *word = strtok_r(texts[at], " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        ck_assert_ptr_nonnull(equals);
        ck_assert_int_lt((int)options.parameter_count, MOST_PARAMETERS);
        *equals = '\0';
        lists[at][options.parameter_count++] = (ga_named_text){ word, equals + 1 };
    }
    return options;
}

/* A matrix over numbers of the caller's. */
static inline DLTensor matrix_of(float *data, int64_t *shape)
{
    return (DLTensor){ .data = data,
                       .device = { .device_type = kDLCPU },
                       .ndim = 2,
                       .dtype = { kDLFloat, 32, 1 },
                       .shape = shape };
}

/* A model that is not trained yet. */
static inline ga_model *model_of(ga_context *context, const char *name, const char *parameters,
                                 int64_t features, int64_t classes)
{
    ga_model *model = NULL;
    ga_train_options options = with(name, parameters);
    test_ok(context, ga__model_make(context, ga_model_find(name), options.parameters, options.parameter_count,
                                    features, classes, false, 3, &model));
    return model;
}

#endif
