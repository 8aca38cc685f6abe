/* noise.c - dropout inside a layer: bits by site, the same again in the backward pass. */
#include "config.h"

#include "gnn/layer.h"
#include "gnn/passes.h"

uint64_t ga__noise_stream(int64_t epoch, int64_t layer, int site)
{
    return ((uint64_t)epoch << 16) + ((uint64_t)layer << 6) + (uint64_t)site;
}

ga_status ga__noise_redraw(const ga__layer_run *run, int site, double rate, int64_t elements, uint32_t *bits,
                           ga_keep *keep)
{
    ga_status status = GA_OK;
    const ga__layer_noise *noise = run->noise;
    GA_TRY(ga_keep_draw(run->context, noise->seed, ga__noise_stream(noise->epoch, noise->layer, site),
                        elements, rate, bits));
    *keep = (ga_keep){ bits, 1 / (1 - rate) };
done:
    return status;
}

ga_status ga__noise_draw(ga__layer_run *run, int site, double rate, int64_t elements, ga_keep *keep)
{
    ga_status status = GA_OK;
    DLTensor *words = NULL;
    *keep = (ga_keep){ NULL, 1 };
    if (!run->noise || rate == 0) {
        return GA_OK;
    }
    GA_TRY(ga__temp_numbers(run, (DLDataType){ .code = kDLInt, .bits = 32, .lanes = 1 },
                            ga_keep_words(elements), &words));
    status = ga__noise_redraw(run, site, rate, elements, words->data, keep);
done:
    return status;
}

ga_status ga__noise_apply(ga_context *context, const ga_keep *keep, const DLTensor *from, DLTensor *to)
{
    return ga__pass_drop(context, keep, 0, from, to);
}
