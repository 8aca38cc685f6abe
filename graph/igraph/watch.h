/* watch.h - a file on its way to igraph: what igraph would misread without a word is found here. */
#ifndef GA_GRAPH_IGRAPH_WATCH_H
#define GA_GRAPH_IGRAPH_WATCH_H

#include <graphattn/graph.h>

/* What was found. Where status is not GA_OK the text ended early, and that is the cause of whatever igraph says. */
typedef struct ga__watch {
    FILE *in;
    ga_status status;
    char message[400]; /* without the file's name; with status GA_OK a note, or "" */
    int64_t line;      /* being read, from 1 */
} ga__watch;

/* Words about the line at which the reading stops. Returns status. */
ga_status ga__watch_stop(ga__watch *watch, ga_status status, const char *format, ...) GA_PRINTF(3, 4);

/* GraphML: its text as it stands. Stops at declarations of entities, and at edges that go against the graph's
 * edgedefault, which igraph overlooks; notes further graphs and hyperedges, which it leaves out. */
typedef struct ga__graphml_watch {
    ga__watch base;
    enum { GA__XML_TEXT, GA__XML_TAG, GA__XML_COMMENT, GA__XML_CDATA, GA__XML_PI } at;
    char tag[4096]; /* its beginning */
    int64_t length; /* of the tag; behind <!--, <![CDATA[ and <? the bytes so far */
    int64_t tag_line;
    char quote, last[2];
    bool directed;
    int64_t graphs, hyperedges;
} ga__graphml_watch;
FILE *ga__graphml_open(ga__graphml_watch *watch, FILE *in);
/* Makes the note; behind the last byte. */
void ga__graphml_end(ga__graphml_watch *watch);

/* Pajek: for igraph the last heading says whether all edges are directed, so headings without any edge are left away, and
 * *Arcs beside *Edges stops. So does a number of vertices beyond the options' or the memory. */
typedef struct ga__pajek_watch {
    ga__watch base;
    ga_context *context;
    int64_t max_nodes;
    char *buffer; /* a line and its end */
    int64_t size; /* of it */
    bool carriage;
    enum { GA__PAJEK_OTHER, GA__PAJEK_ARCS, GA__PAJEK_EDGES } section, seen; /* seen: where edges were */
    bool two_modes;
    char heading[128];
    bool kept_back; /* heading, until an edge follows */
    struct {
        const char *from;
        int64_t size;
    } pieces[2]; /* what comes next */
    int count, at;
} ga__pajek_watch;
/* NULL when there is no memory. */
FILE *ga__pajek_open(ga__pajek_watch *watch, ga_context *context, const ga_read_options *options, FILE *in);
/* Behind fclose. */
void ga__pajek_end(ga__pajek_watch *watch);

#endif
