/* batches.c - mini-batches over the labelled nodes of a graph, epoch by epoch: batches GRAPH LABELS FANOUT BATCH EPOCHS
 *
 * A training would compute the features of the sources of the last layer, then of the layer before, down to the seeds. Here
 * one number stands for it: the share of the neighbours that have the label of their node, as the weights of the first layer
 * estimate it. With the fan-out -1 it is exact.
 *
 * cc batches.c $(pkg-config --cflags --libs libgraphattn) -o batches
 */
#include <graphattn.h>
#include <stdio.h>
#include <stdlib.h>

/* The nodes whose label is not -1, in an order that is another one in each epoch. */
static ga_status labelled_nodes(ga_context *context, const int64_t *labels, int64_t count, uint64_t epoch,
                                int64_t **seeds, int64_t *seed_count)
{
    ga_status status = ga_alloc(context, count, sizeof **seeds, seeds);
    uint64_t chance = 0x9e3779b97f4a7c15u * (epoch + 1);
    *seed_count = 0;
    for (int64_t v = 0; status == GA_OK && v < count; v++) {
        if (labels[v] >= 0) { /* each new one goes to some place among those before */
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            int64_t at = (int64_t)((chance >> 33) % (uint64_t)++ * seed_count);
            (*seeds)[*seed_count - 1] = (*seeds)[at];
            (*seeds)[at] = v;
        }
    }
    return status;
}

/* Adds a batch's estimates of neighbours, and of those of the same label. */
static void count_alike(const ga_batch *batch, const int64_t *labels, double *alike, double *all)
{
    const ga_batch_layer *first = &batch->layers[0]; /* its targets are the seeds */
    for (int64_t e = 0; e < first->edges; e++) {
        int64_t source = batch->nodes[first->sources[e]], target = batch->nodes[first->targets[e]];
        *all += first->weights[e];
        *alike += labels[source] == labels[target] ? first->weights[e] : 0;
    }
}

static ga_status epoch(ga_context *context, const ga_graph *graph, const int64_t *labels, uint64_t number,
                       const char *fanout, int64_t size)
{
    const ga_named_text parameters[] = { { "fanout", fanout } };
    ga_batch_options options = GA_BATCH_OPTIONS_INIT;
    int64_t *seeds = NULL, count = 0, met = 0;
    ga_batches *batches = NULL;
    const ga_batch *batch = NULL;
    double alike = 0, all = 0;
    ga_status status = labelled_nodes(context, labels, ga_graph_nodes(graph), number, &seeds, &count);

    options.batch = size;
    options.parameters = parameters;
    options.parameter_count = 1;
    if (status == GA_OK) {
        ga_context_set_seed(context, 1 + number); /* or all epochs would draw the same for a batch */
        status = ga_batches_create(context, graph, "fanout", &options, seeds, count, &batches);
    }
    while (status == GA_OK && (status = ga_batches_next(context, batches, &batch)) == GA_OK && batch) {
        count_alike(batch, labels, &alike, &all); /* a training would make its step here */
        met += batch->node_count;
    }
    if (status == GA_OK) {
        printf("epoch %llu: %lld seeds in %lld batches of %.1f nodes; %.4f of %.0f neighbours are alike\n",
               (unsigned long long)number, (long long)count, (long long)ga_batches_count(batches),
               (double)met / (double)(count > 0 ? ga_batches_count(batches) : 1), all > 0 ? alike / all : 0,
               all);
    }
    ga_batches_destroy(context, batches);
    ga_free(context, seeds);
    return status;
}

static ga_status run(ga_context *context, char **argument)
{
    ga_graph *graph = NULL;
    int64_t *labels = NULL, count = 0;
    ga_status status = ga_graph_read(context, argument[1], NULL, &graph, NULL);
    if (status == GA_OK) {
        status = ga_integers_read(context, argument[2], &labels, &count);
    }
    if (status == GA_OK && count != ga_graph_nodes(graph)) {
        fprintf(stderr, "batches: %lld labels for %lld nodes\n", (long long)count,
                (long long)ga_graph_nodes(graph));
        status = GA_INVALID;
    }
    for (int i = 0; status == GA_OK && i < atoi(argument[5]); i++) {
        status = epoch(context, graph, labels, (uint64_t)i, argument[3], atoll(argument[4]));
    }
    ga_free(context, labels);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    if (argc != 6) {
        fprintf(stderr, "usage: batches GRAPH LABELS FANOUT BATCH EPOCHS\n");
        return 2;
    }
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "batches: out of memory\n");
        return 1;
    }
    ga_status status = run(context, argv);
    if (status != GA_OK) {
        fprintf(stderr, "batches: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
