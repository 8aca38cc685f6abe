/* parameters.c - words of the parameters of training, in the order of the enumerations of train.h. */
#include "config.h"

#include "gnn/train.h"

const char *const ga__decay_words[] = { "all", "first", NULL };
const char *const ga__select_words[] = { "both", "accuracy", "loss", NULL };
const char *const ga__normalise_words[] = { "rows", "l2", "none", NULL };
const char *const ga__init_words[] = { "glorot", "uniform", NULL };
const char *const ga__output_words[] = { "layer", "linear", NULL };
const char *const ga__model_norm_words[] = { "none", "layer", "batch", NULL };
const char *const ga__metric_words[] = { "accuracy", "f1", "roc_auc", NULL };
const char *const ga__optimiser_words[] = { "adam", "adamw", NULL };
const char *const ga__schedule_words[] = { "constant", "cosine", "linear", "step", NULL };
