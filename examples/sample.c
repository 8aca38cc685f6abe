/* sample.c - a sample of a graph, and how near it came: sample GRAPH RATIO OUTPUT
 *
 * cc sample.c $(pkg-config --cflags --libs libgraphattn) -o sample
 */
#include <graphattn.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const ga_rescale_report *report)
{
    printf("%lld nodes (wanted %.1f), %lld edges (wanted %.1f)\n", (long long)report->nodes,
           report->wanted_nodes, (long long)report->edges, report->wanted_edges);
    printf("degrees: KS %.6f in, %.6f out, at most %.6f\n", report->ks_in, report->ks_out, report->ks_bound);
    printf("joint degrees: %.1f edges off, no less than %.1f possible, %lld dropped\n", report->jdm_l1,
           report->jdm_l1_bound, (long long)report->dropped);
}

static ga_status sample(ga_context *context, const char *from, double ratio, const char *to)
{
    ga_graph *graph = NULL, *small = NULL;
    int64_t *donors = NULL;
    ga_sample_report report = { 0 };
    ga_sample_options options = GA_SAMPLE_OPTIONS_INIT;
    ga_status status = ga_graph_read(context, from, NULL, &graph, NULL);

    options.rescale.ratio = ratio;
    if (status == GA_OK) {
        status = ga_sample(context, graph, &options, &small, &donors, &report);
    }
    if (status == GA_OK) {
        status = ga_graph_write(context, small, to, NULL);
    }
    if (status == GA_OK) {
        show(&report.rescale);
        printf("node 0 stands for node %lld of the original\n", (long long)donors[0]);
    }
    ga_sample_report_clear(context, &report);
    ga_free(context, donors);
    ga_graph_destroy(context, small);
    ga_graph_destroy(context, graph);
    return status;
}

int main(int argc, char **argv)
{
    ga_context *context = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: sample GRAPH RATIO OUTPUT\n");
        return 2;
    }
    if (ga_context_create(&context) != GA_OK) {
        fprintf(stderr, "sample: out of memory\n");
        return 1;
    }
    ga_status status = sample(context, argv[1], atof(argv[2]), argv[3]);
    if (status != GA_OK) {
        fprintf(stderr, "sample: %s: %s\n", ga_status_name(status), ga_context_error(context));
    }
    ga_context_destroy(context);
    return status != GA_OK;
}
