/* splits.c - drawing which nodes are trained on, validated and tested on. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gnn/train.h"
#include "lib/base/mersenne.h"

void ga_split_clear(ga_context *context, ga_split *split)
{
    ga_free(context, split->train);
    ga_free(context, split->val);
    ga_free(context, split->test);
    *split = (ga_split)GA_SPLIT_INIT;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void give(int64_t *list, int64_t *count, const int64_t *nodes, int64_t more)
{
    if (more > 0) {
        memcpy(list + *count, nodes, (size_t)more * sizeof *list);
        *count += more;
    }
}

/* The first of a shuffled list are trained on, the next validated, the others tested. */
static void deal(ga_split *split, const int64_t *nodes, int64_t count, int64_t train, int64_t val)
{
    give(split->train, &split->train_count, nodes, train);
    give(split->val, &split->val_count, nodes + train, val);
    give(split->test, &split->test_count, nodes + train + val, count - train - val);
}

static ga_status take_room(ga_context *context, ga_split *split, int64_t nodes)
{
    ga_status status = GA_OK;
    GA_TRY(GA_NEW(context, nodes, &split->train));
    GA_TRY(GA_NEW(context, nodes, &split->val));
    GA_TRY(GA_NEW(context, nodes, &split->test));
done:
    return status;
}

static ga_status check_arguments(ga_context *context, ga_split_kind kind, double train, double val,
                                 const int64_t *labels, int64_t nodes)
{
    if (!(train > 0) || !(val >= 0) || !(train + val <= 1)) {
        return ga__fail(
            context, GA_INVALID,
            "a split with shares %g of training and %g of validation nodes: expected more than 0, and "
            "together at most 1",
            train, val);
    }
    if (kind != GA_SPLIT_RANDOM && kind != GA_SPLIT_BALANCED) {
        return ga__fail(context, GA_INVALID, "a split of kind %d, expected random or balanced", (int)kind);
    }
    if (nodes < 0 || (nodes > 0 && !labels)) {
        return ga__fail(context, GA_INVALID, "a split of %lld nodes without labels", (long long)nodes);
    }
    return GA_OK;
}

/* Labelled nodes in ascending order, by classes when balanced; ends[c]: behind the last one of class c. */
static ga_status list_nodes(ga_context *context, const int64_t *labels, int64_t nodes, bool by_class,
                            int64_t **list, int64_t **ends, int64_t *classes)
{
    ga_status status = GA_OK;
    GA_TRY(ga__count_classes(context, labels, nodes, classes));
    if (!by_class) {
        *classes = 1;
    }
    GA_TRY(GA_NEW(context, nodes, list));
    GA_TRY(GA_NEW_ZERO(context, *classes + 1, ends));
    for (int64_t i = 0; i < nodes; i++) {
        (*ends)[labels[i] < 0 ? *classes : by_class ? labels[i] : 0]++;
    }
    for (int64_t c = 0, sum = 0; c <= *classes; c++) {
        int64_t count = (*ends)[c];
        (*ends)[c] = sum;
        sum += count;
    }
    for (int64_t i = 0; i < nodes; i++) {
        (*list)[(*ends)[labels[i] < 0 ? *classes : by_class ? labels[i] : 0]++] = i;
    }
done:
    return status;
}

ga_status ga_split_draw(ga_context *context, ga_split_kind kind, double train, double val, uint32_t seed,
                        const int64_t *labels, int64_t nodes, ga_split *split)
{
    ga_status status = GA_OK;
    ga_split made = GA_SPLIT_INIT;
    ga__mersenne stream;
    int64_t *list = NULL, *ends = NULL, classes = 0;
    ga__begin(context);
    GA_TRY(check_arguments(context, kind, train, val, labels, nodes));
    GA_TRY(list_nodes(context, labels, nodes, kind == GA_SPLIT_BALANCED, &list, &ends, &classes));
    GA_TRY(take_room(context, &made, nodes));
    double each = classes > 0 ? (double)ends[classes - 1] / (double)classes : 0;
    int64_t train_each = (int64_t)floor(each * train), val_each = (int64_t)floor(each * val);
    ga__mersenne_seed(&stream, seed);
    for (int64_t c = 0, from = 0; c < classes; from = ends[c++]) {
        int64_t count = ends[c] - from;
        bool whole = kind == GA_SPLIT_BALANCED && count <= train_each + val_each;
        ga__mersenne_shuffle(&stream, list + from, count);
        deal(&made, list + from, count, whole ? 0 : train_each, whole ? 0 : val_each);
    }
    if (made.train_count == 0) {
        GA_TRY(ga__fail(context, GA_INVALID,
                        "a split of %lld labelled nodes with a share of %g has no training nodes",
                        (long long)(classes > 0 ? ends[classes - 1] : 0), train));
    }
    qsort(made.train, (size_t)made.train_count, sizeof *made.train, ascending);
    qsort(made.val, (size_t)made.val_count, sizeof *made.val, ascending);
    qsort(made.test, (size_t)made.test_count, sizeof *made.test, ascending);
    *split = made;
    made = (ga_split)GA_SPLIT_INIT;
done:
    ga_split_clear(context, &made);
    ga_free(context, list);
    ga_free(context, ends);
    return status;
}
