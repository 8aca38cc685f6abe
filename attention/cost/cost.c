/* cost.c - what the cost models share. */
#include "config.h"

#include "attention/cost/cost.h"

ga_status ga__cost_real(ga__block_run *run, const char *name, double value)
{
    ga_status status = GA_OK;
    DLTensor *out;
    if (ga__block_wants(run, name)) {
        GA_TRY(ga__block_output_make(run, name, 0, NULL, &out));
        ga__set_element(out, 0, value);
    }
    ga__report_real(run, name, value);
done:
    return status;
}

ga_status ga__cost_integer(ga__block_run *run, const char *name, int64_t value)
{
    ga_status status = GA_OK;
    DLTensor *out;
    if (ga__block_wants(run, name)) {
        GA_TRY(ga__block_output_of(run, name, ga__type_i64, 0, NULL, &out));
        *(int64_t *)(void *)((char *)out->data + out->byte_offset) = value;
    }
    ga__report_integer(run, name, value);
done:
    return status;
}

ga_status ga__cost_heads(ga__block_run *run)
{
    int64_t heads = ga__block_integer(run, "heads");
    return heads % ga__block_integer(run, "kv_heads") == 0
               ? GA_OK
               : ga__part_refuse(&run->part, "kv_heads", "a divisor of the %lld heads", (long long)heads);
}
