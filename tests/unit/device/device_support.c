/* device_support.c - contexts on the emulated device, its schedules, calls that fail. */
#include "config.h"

#include "tests/unit/device/device_support.h"

#include "lib/engine/device/device.h"

void test_plugin_folder(void)
{
    ck_assert_int_eq(setenv("GRAPHATTN_PLUGIN_DIR", TEST_PLUGIN_DIR, 0), 0);
}

void test_emulate(ga_context *context, const ga__emulator_settings *settings)
{
    ga__device_of(context)->table->emulate(settings);
}

int64_t test_device_calls(ga_context *context)
{
    return ga__device_of(context)->table->calls();
}

void test_use_emulated(ga_context *context)
{
    static const ga__emulator_settings plain = GA__EMULATOR_SETTINGS_INIT;
    test_plugin_folder();
    test_ok(context, ga_context_set_device(context, GA_DEVICE_EMULATED, 0));
    test_emulate(context, &plain);
}

ga_context *test_emulated_context(void)
{
    ga_context *context = NULL;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    test_use_emulated(context);
    return context;
}

DLTensor *test_to_device(ga_context *context, const DLTensor *tensor)
{
    DLTensor *out = NULL;
    if (tensor) {
        test_ok(context, ga_tensor_to_device(context, tensor, &out));
    }
    return out;
}

DLTensor *test_to_host(ga_context *context, const DLTensor *tensor)
{
    DLTensor *out = NULL;
    if (tensor) {
        test_ok(context, ga_tensor_to_host(context, tensor, &out));
    }
    return out;
}

/* ---- schedules ---- */

enum { SCHEDULES = 16 };

static ga__emulator_settings schedule(int number)
{
    static const struct {
        ga__emulator_order order;
        uint64_t seed;
    } orders[] = { { GA__ORDER_FORWARD, 0 },
                   { GA__ORDER_REVERSE, 0 },
                   { GA__ORDER_SHUFFLED, 1 },
                   { GA__ORDER_SHUFFLED, 2 } };
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
    is.order = orders[number & 3].order;
    is.seed = orders[number & 3].seed;
    is.eager = number & 4;
    is.greedy = number & 8;
    is.threads = 1 + (number & 1);
    return is;
}

const char *test_schedule_name(int number)
{
    static char name[64];
    ga__emulator_settings is = schedule(number);
    static const char *const orders[] = { "forward", "reverse", "shuffled" };
    (void)snprintf(name, sizeof name, "%s, %s, %s %d", is.greedy ? "greedy" : "in turns",
                   is.eager ? "eager" : "lazy", orders[is.order], (int)is.seed);
    return name;
}

void test_each_schedule(test_schedule_body body, void *user)
{
    ga_context *context = test_emulated_context();
    for (int i = 0; i < SCHEDULES; i++) {
        ga__emulator_settings is = schedule(i);
        test_emulate(context, &is);
        body(context, i, user);
    }
    ga_context_destroy(context);
}

/* ---- calls that fail ---- */

/* One failure: true when the call was reached. */
static bool one_failure(test_body call, void *user, int kind, int64_t at, bool sticky)
{
    test_hooks hooks;
    test_hooks_init(&hooks);
    ga_context *context = test_context(&hooks, false);
    test_use_emulated(context);
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT, plain = is;
    int64_t now = 0, before = 0;
    is.fail_kinds = kind;
    is.fail_at = at;
    is.fail_sticky = sticky;
    test_emulate(context, &is);
    ga_context_memory(context, &before, NULL);
    ga_status status = call(context, user);
    ga_context_memory(context, &now, NULL);
    ck_assert_msg(now == before, "%lld bytes left after call %lld of kind %d failed",
                  (long long)(now - before), (long long)at, kind);
    bool reached = test_device_calls(context) > at;
    if (!reached) {
        test_status(context, status, GA_OK);
    } else if (sticky) {
        test_status(context, status, GA_DEVICE_FAILED);
        test_status(context, call(context, user), GA_DEVICE_FAILED);
        test_error_has(context, "can no longer be used");
    } else {
        ck_assert_msg(status == GA_NOMEM || status == GA_DEVICE_FAILED, "%s: %s", ga_status_name(status),
                      ga_context_error(context));
        test_emulate(context, &plain);
        test_ok(context, call(context, user));
    }
    test_emulate(context, &plain);
    test_ok(context, ga_context_set_device(context, GA_DEVICE_CPU, 0));
    test_context_done(context, &hooks);
    return reached;
}

int test_each_device_call(test_body call, void *user)
{
    static const int kinds[] = { GA__CALL_MEMORY, GA__CALL_COPY, GA__CALL_LAUNCH, GA__CALL_WAIT };
    int tried = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            int64_t at = 0;
            while (one_failure(call, user, kinds[k], at, sticky)) {
                at++;
            }
            tried += (int)at;
        }
    }
    return tried;
}

typedef struct inner {
    test_body call;
    void *user;
} inner;

static ga_status call_on_device(ga_context *context, void *user)
{
    const inner *in = user;
    ga_status status = ga_context_set_device(context, GA_DEVICE_EMULATED, 0);
    if (status == GA_OK) {
        status = in->call(context, in->user);
        ga_status back = ga_context_set_device(context, GA_DEVICE_CPU, 0);
        status = status == GA_OK ? back : status;
    }
    return status;
}

int64_t test_each_device_allocation(test_body call, void *user)
{
    inner in = { call, user };
    test_plugin_folder();
    return test_each_allocation(call_on_device, &in, 1);
}
