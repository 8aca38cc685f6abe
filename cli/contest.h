/* contest.h - an original and what is to be like it: what the commands compare and report have in common. */
#ifndef GA_CLI_CONTEST_H
#define GA_CLI_CONTEST_H

#include "cli/chart.h"

enum { MOST_SAMPLES = 16 };

/* Operand 0 is the original, the others are its samples. */
typedef struct contest {
    session *s;
    int samples;
    const char *paths[1 + MOST_SAMPLES];
    ga_graph *graphs[1 + MOST_SAMPLES];
    ga_comparison *comparisons[MOST_SAMPLES];
    int order[MOST_SAMPLES];         /* samples, the nearest one first */
    double mean_place[MOST_SAMPLES]; /* over all distances; 1 = nearest in each */
} contest;

/* Names the operands by reads(); EXIT_USAGE when there are too many. */
int contest_check(session *s);
/* Reads the graphs, compares every sample with the original, ranks them. On failure, too, contest_clear is due. */
ga_status contest_open(session *s, contest *c);
void contest_clear(contest *c);

/* Pictures of all graphs (pictures.c): in- and out-degrees, distances, clustering by degree, joint degree matrices. */
typedef struct pictures pictures;
ga_status pictures_make(const contest *c, pictures **made);
const chart_panel *pictures_panels(const pictures *p, int *count);
void pictures_destroy(session *s, pictures *p);

#endif
