/* sample_methods.h - the methods of graphattn sample and their parameters, which are options. */
#ifndef GA_CLI_SAMPLE_METHODS_H
#define GA_CLI_SAMPLE_METHODS_H

#include "cli/session.h"

/* The method exists and goes together with the options that are not parameters: 0, or EXIT_USAGE after a message. */
int check_method(const session *s);
/* The parameters that were given. Room for METHOD_PARAMETERS. Returns how many. */
enum { METHOD_PARAMETERS = 16 };
int64_t method_parameters(const session *s, ga_named_text *given);
/* The number of the node that has an id; false if there is none. */
bool find_id(const ga_graph *graph, uint64_t id, int64_t *node);
ga_status list_methods(session *s);
/* pies: the edges of the graph in the order of the file's lines, where that can be read again and has an order; else
 * NULL. Returns owned. */
ga_status read_stream(session *s, const ga_graph *graph, ga_format format, int64_t **edges, int64_t *count);

#endif
