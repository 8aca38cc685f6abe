/* models.c - the table of models. */
#include "config.h"

#include <string.h>

#include "gnn/model.h"

static const ga_model_info *const models[] = { &ga__model_gcn,
                                               &ga__model_sage,
                                               &ga__model_gat,
                                               &ga__model_gatv2,
                                               &ga__model_transformer,
                                               &ga__model_agnn,
                                               &ga__model_appnp,
                                               &ga__model_gprgnn,
                                               &ga__model_pgnn,
                                               &ga__model_mlp,
                                               NULL };

const ga_model_info *const *ga_models(void)
{
    return models;
}

const ga_model_info *ga_model_find(const char *name)
{
    for (int i = 0; name && models[i]; i++) {
        if (strcmp(models[i]->name, name) == 0) {
            return models[i];
        }
    }
    return NULL;
}
