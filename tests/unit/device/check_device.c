/* check_device.c - the device of a context: loading plug-ins, tensors, workspaces, traffic, failures. */
#include "config.h"

#include "tests/unit/device/device_support.h"

#include <unistd.h>

#include "lib/engine/device/traffic.h"

static const DLDataType f32 = { kDLFloat, 32, 1 };

static DLTensor *make_tensor(ga_context *context, int64_t rows, int64_t columns)
{
    DLTensor *made = NULL;
    int64_t shape[] = { rows, columns };
    test_ok(context, ga_tensor_create(context, f32, 2, shape, &made));
    for (int64_t i = 0; i < rows * columns; i++) {
        ((float *)made->data)[i] = (float)(i % 1000) - 500;
    }
    return made;
}

/* ---- loading ---- */

/* Copies a module of this build as the CUDA plug-in of a folder of its own. */
static void place_plugin(const char *module)
{
    char from[4096];
    size_t size = 0;
    (void)snprintf(from, sizeof from, "%s/%s.so", TEST_PLUGIN_DIR, module);
    char *content = test_slurp(from, &size);
    ck_assert_ptr_nonnull(content);
    test_file("graphattn-cuda.so", content, size);
    free(content);
}

static void expect_refusal(ga_status wanted, const char *words)
{
    ga_context *context = NULL;
    int count = 7;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    test_status(context, ga_context_set_device(context, GA_DEVICE_CUDA, 0), wanted);
    test_error_has(context, words);
    test_status(context, ga_device_count(context, GA_DEVICE_CUDA, &count), wanted);
    ck_assert_int_eq(count, 7);
    ck_assert_int_eq(ga_context_device(context, NULL), GA_DEVICE_CPU);
    ga_context_destroy(context);
}

static void with_folder(const char *folder, ga_status wanted, const char *words)
{
    ck_assert_int_eq(setenv("GRAPHATTN_PLUGIN_DIR", folder, 1), 0);
    expect_refusal(wanted, words);
    ck_assert_int_eq(unsetenv("GRAPHATTN_PLUGIN_DIR"), 0);
}

START_TEST(plugins_that_are_none)
{
    test_folder_make();
    test_text_file("graphattn-cuda.so", "not a shared object\n");
    with_folder(test_path("."), GA_UNSUPPORTED, "graphattn-cuda.so: cannot be loaded");
    place_plugin("odd-none");
    with_folder(test_path("."), GA_UNSUPPORTED, "it has no ga__device_query");
    test_folder_remove();
}
END_TEST

START_TEST(plugins_of_another_version)
{
    static const char *const modules[] = { "odd-older", "odd-abi", "odd-size" };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        test_folder_make();
        place_plugin(modules[i]);
        with_folder(test_path("."), GA_UNSUPPORTED, "a plug-in for another version of the library");
        test_folder_remove();
    }
    test_folder_make();
    place_plugin("graphattn-emulated");
    with_folder(test_path("."), GA_UNSUPPORTED, "holds the plug-in \"emulated\"");
    test_folder_remove();
}
END_TEST

/* Never the current folder, nor a relative one. */
START_TEST(plugins_elsewhere)
{
    char before[4096];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    test_folder_make();
    test_text_file("graphattn-cuda.so", "not a shared object\n");
    ck_assert_int_eq(chdir(test_path(".")), 0);
    with_folder(".", GA_INVALID, "an absolute path expected");
    with_folder("", GA_UNSUPPORTED, "cuda");
    ga_context *context = NULL;
    ck_assert_int_eq(ga_context_create(&context), GA_OK);
    ck_assert_int_ne(ga_context_set_device(context, GA_DEVICE_CUDA, 0), GA_OK);
    ck_assert_ptr_null(strstr(ga_context_error(context), "cannot be loaded"));
    ga_context_destroy(context);
    ck_assert_int_eq(chdir(before), 0);
    test_folder_remove();
}
END_TEST

START_TEST(choosing)
{
    ga_context *context = test_emulated_context();
    ga_device_facts facts = { .multiprocessors = -1 };
    int index = -1, count = 0;
    ck_assert_int_eq(ga_context_device(context, &index), GA_DEVICE_EMULATED);
    ck_assert_int_eq(index, 0);
    test_ok(context, ga_device_count(context, GA_DEVICE_EMULATED, &count));
    ck_assert_int_eq(count, 2);
    test_ok(context, ga_device_count(context, GA_DEVICE_CPU, &count));
    ck_assert_int_eq(count, 1);
    test_status(context, ga_device_count(context, (ga_device_kind)9, &count), GA_INVALID);
    test_ok(context, ga_device_facts_of(context, GA_DEVICE_EMULATED, 1, &facts));
    ck_assert_str_eq(facts.name, "emulated device");
    ck_assert_int_eq(facts.compute_capability, 0);
    ck_assert(facts.shared_memory > 48 << 10);
    test_status(context, ga_device_facts_of(context, GA_DEVICE_CPU, 0, &facts), GA_INVALID);
    test_status(context, ga_context_set_device(context, GA_DEVICE_EMULATED, 2), GA_INVALID);
    test_error_has(context, "emulated:2: there is no such device, their number is 2");
    test_status(context, ga_context_set_device(context, GA_DEVICE_EMULATED, -1), GA_INVALID);
    ck_assert_int_eq(ga_context_device(context, &index), GA_DEVICE_EMULATED);
    test_ok(context, ga_context_set_device(context, GA_DEVICE_EMULATED, 1));
    ck_assert_int_eq(ga_context_device(context, &index), GA_DEVICE_EMULATED);
    ck_assert_int_eq(index, 1);
    test_ok(context, ga_context_set_device(context, GA_DEVICE_CPU, 0));
    ck_assert_int_eq(ga_context_device(context, &index), GA_DEVICE_CPU);
    ck_assert_int_eq(ga__device_id(context), 0);
    ck_assert_str_eq(ga_device_name(GA_DEVICE_CUDA), "cuda");
    ga_context_destroy(context);
}
END_TEST

/* ---- tensors ---- */

static ga_status there_and_back(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    const DLTensor *tensor = user;
    DLTensor *on_device = NULL, *again = NULL, *back = NULL;
    GA_TRY(ga_tensor_to_device(context, tensor, &on_device));
    GA_TRY(ga_tensor_to_device(context, on_device, &again));
    GA_TRY(ga_stream_sync(context));
    GA_TRY(ga_tensor_to_host(context, again, &back));
    ck_assert_int_eq(on_device->device.device_type, kDLExtDev);
    ck_assert_int_eq(back->device.device_type, kDLCPU);
    ck_assert_int_eq(back->ndim, tensor->ndim);
    for (int64_t r = 0; r < tensor->shape[0]; r++) {
        for (int64_t c = 0; c < tensor->shape[1]; c++) {
            float was = ((const float *)tensor->data)[r * tensor->strides[0] + c * tensor->strides[1]];
            ck_assert(((const float *)back->data)[r * tensor->shape[1] + c] == was);
        }
    }
done:
    ga_tensor_destroy(context, on_device);
    ga_tensor_destroy(context, again);
    ga_tensor_destroy(context, back);
    return status;
}

START_TEST(tensors)
{
    ga_context *context = test_emulated_context();
    static const int64_t sizes[][2] = { { 1, 1 }, { 7, 33 }, { 0, 4 }, { 300, 500 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        DLTensor *made = make_tensor(context, sizes[i][0], sizes[i][1]);
        test_ok(context, there_and_back(context, made));
        ga_tensor_destroy(context, made);
    }
    DLTensor *made = make_tensor(context, 6, 8), strided = *made, *out = NULL;
    int64_t shape[] = { 3, 4 }, strides[] = { 16, 2 };
    strided.shape = shape;
    strided.strides = strides;
    test_ok(context, there_and_back(context, &strided));
    ck_assert_int_gt(test_each_device_call(there_and_back, &strided), 13);
    ck_assert_int_gt(test_each_device_allocation(there_and_back, &strided), 4);
    strided.dtype.bits = 8;
    test_status(context, ga_tensor_to_device(context, &strided, &out), GA_UNSUPPORTED);
    strided.dtype = f32;
    strided.device.device_type = kDLExtDev;
    test_status(context, ga_tensor_to_device(context, &strided, &out), GA_UNSUPPORTED);
    test_error_has(context, "C-contiguous");
    strided.device.device_id = 1;
    test_status(context, ga_tensor_to_host(context, &strided, &out), GA_UNSUPPORTED);
    test_error_has(context, "another device");
    test_ok(context, ga_context_set_device(context, GA_DEVICE_CPU, 0));
    test_status(context, ga_tensor_to_device(context, made, &out), GA_INVALID);
    test_ok(context, ga_tensor_to_host(context, made, &out));
    ga_tensor_destroy(context, out);
    ga_tensor_destroy(context, made);
    ga_context_destroy(context);
}
END_TEST

START_TEST(views)
{
    ga_context *context = test_emulated_context();
    DLTensor *made = make_tensor(context, 3, 5), *on_device = test_to_device(context, made);
    ga__view view;
    test_ok(context, ga__view_anywhere(context, "x", on_device, true, &view));
    ck_assert(view.on_device && view.data == on_device->data && view.rows == 3);
    test_ok(context, ga__view_anywhere(context, "x", made, true, &view));
    ck_assert(!view.on_device);
    test_status(context, ga__view_of(context, "x", on_device, true, &view), GA_UNSUPPORTED);
    test_error_has(context, "x: the tensor is not on the CPU");
    ga__begin(context);
    on_device->device.device_id = 1;
    test_status(context, ga__view_anywhere(context, "x", on_device, true, &view), GA_UNSUPPORTED);
    test_error_has(context, "x: the tensor lies on another device");
    on_device->device.device_id = 0;
    ga_tensor_destroy(context, on_device);
    ga_tensor_destroy(context, made);
    ga_context_destroy(context);
}
END_TEST

/* ---- traffic ---- */

/* An operator that copies: from host or device to host or device. */
typedef struct copy_job {
    const DLTensor *from;
    DLTensor *to;
    int64_t more; /* bytes of scratch memory beside it */
} copy_job;

static ga_status copy_there_and_back(ga_context *context, void *user)
{
    copy_job *job = user;
    ga_status status = GA_OK;
    ga__traffic traffic;
    ga__view from, to;
    void *in = NULL, *out = NULL, *scratch = NULL;
    ga__begin(context);
    GA_TRY(ga__traffic_open(context, "copy", &traffic));
    GA_TRY(ga__view_anywhere(context, "from", job->from, true, &from));
    GA_TRY(ga__view_anywhere(context, "to", job->to, true, &to));
    size_t bytes = (size_t)(to.rows * to.columns) * sizeof(float);
    GA_TRY(ga__traffic_in_view(&traffic, &from, &in));
    GA_TRY(ga__traffic_scratch(&traffic, job->more, &scratch));
    GA_TRY(ga__traffic_clear(&traffic, scratch, job->more));
    GA_TRY(ga__traffic_out_view(&traffic, &to, &out));
    ck_assert_uint_eq((uintptr_t)scratch % 256, 0);
    GA_TRY(ga__traffic_check(&traffic, traffic.table->copy(out, in, bytes, traffic.stream)));
done:
    return ga__traffic_close(&traffic, status);
}

START_TEST(traffic)
{
    ga_context *context = test_emulated_context();
    DLTensor *made = make_tensor(context, 40, 30), *to = make_tensor(context, 40, 30);
    DLTensor *from_device = test_to_device(context, made), *to_device = test_to_device(context, to);
    size_t bytes = 40 * 30 * sizeof(float);
    for (int where = 0; where < 4; where++) {
        copy_job job = { where & 1 ? from_device : made, where & 2 ? to_device : to, 5000 };
        memset(to->data, 0, bytes);
        memset(to_device->data, 0, bytes);
        test_ok(context, copy_there_and_back(context, &job));
        ck_assert_mem_eq(job.to->data, made->data, bytes);
    }
    copy_job job = { made, to, 3 << 20 };
    ck_assert_int_gt(test_each_device_call(copy_there_and_back, &job), 10);
    ck_assert_int_ge(test_each_device_allocation(copy_there_and_back, &job), 1);
    ga_tensor_destroy(context, from_device);
    ga_tensor_destroy(context, to_device);
    ga_tensor_destroy(context, to);
    ga_tensor_destroy(context, made);
    ga_context_destroy(context);
}
END_TEST

static void count_calls(ga_context *context, int kinds)
{
    ga__emulator_settings is = GA__EMULATOR_SETTINGS_INIT;
    is.fail_kinds = kinds;
    test_emulate(context, &is);
}

/* Nothing is allocated once the workspace has grown, and nothing is waited for when all tensors are on the device. */
START_TEST(quiet_calls)
{
    ga_context *context = test_emulated_context();
    DLTensor *made = make_tensor(context, 40, 30);
    DLTensor *from = test_to_device(context, made), *to = test_to_device(context, made);
    copy_job job = { from, to, 3 << 20 };
    count_calls(context, GA__CALL_MEMORY);
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 1);
    job.more = 9 << 20; /* a second piece, then both as one */
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 2);
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 3);
    count_calls(context, GA__CALL_MEMORY | GA__CALL_WAIT);
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 0);
    job.to = made;
    count_calls(context, GA__CALL_WAIT);
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 1);
    ga_tensor_destroy(context, from);
    ga_tensor_destroy(context, to);
    ga_tensor_destroy(context, made);
    ga_context_destroy(context);
}
END_TEST

START_TEST(workspaces)
{
    ga_context *context = test_emulated_context();
    int64_t size = 64 << 10;
    DLTensor *made = make_tensor(context, 40, 30);
    copy_job job = { made, made, 1000 };
    void *memory = NULL;
    test_ok(context, ga__device_new(context, size, &memory));
    test_status(context, ga_context_set_workspace(context, (char *)memory + 8, size), GA_INVALID);
    test_status(context, ga_context_set_workspace(context, memory, 0), GA_INVALID);
    test_ok(context, ga_context_set_workspace(context, memory, size));
    count_calls(context, GA__CALL_MEMORY);
    test_ok(context, copy_there_and_back(context, &job));
    ck_assert_int_eq(test_device_calls(context), 0);
    job.more = size;
    test_status(context, copy_there_and_back(context, &job), GA_LIMIT);
    test_error_has(context, "copy: the workspace of 65536 bytes is too small");
    job.more = 1000;
    test_ok(context, copy_there_and_back(context, &job));
    test_ok(context, ga_context_set_workspace(context, NULL, 0));
    job.more = size;
    test_ok(context, copy_there_and_back(context, &job));
    ga__device_free(context, ga__device_id(context), memory);
    test_ok(context, ga_context_set_stream(context, &size));
    test_ok(context, ga_context_set_stream(context, NULL));
    test_ok(context, ga_context_set_device(context, GA_DEVICE_CPU, 0));
    test_status(context, ga_context_set_workspace(context, NULL, 0), GA_INVALID);
    test_ok(context, ga_context_set_stream(context, &size));
    test_ok(context, ga_stream_sync(context));
    ga_tensor_destroy(context, made);
    ga_context_destroy(context);
}
END_TEST

START_TEST(misuse)
{
    ga_context *context = test_emulated_context();
    ga__traffic first, second;
    void *pointer = NULL;
    test_ok(context, ga__traffic_open(context, "one", &first));
    test_status(context, ga__traffic_open(context, "two", &second), GA_INTERNAL);
    test_status(context, ga__traffic_close(&second, GA_INTERNAL), GA_INTERNAL);
    ga__begin(context);
    test_status(context, ga__traffic_scratch(&first, INT64_MAX, &pointer), GA_OVERFLOW);
    ga__begin(context);
    test_status(context, ga__traffic_scratch(&first, -1, &pointer), GA_OVERFLOW);
    test_status(context, ga__traffic_close(&first, GA_OK), GA_OK);
    ga__begin(context);
    test_status(context, ga__device_refuse(context, "spmm", "return argmax"), GA_UNSUPPORTED);
    test_error_has(context, "spmm: the emulated device cannot return argmax yet");
    ga_context_destroy(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, plugins_that_are_none);
    tcase_add_test(tests, plugins_of_another_version);
    tcase_add_test(tests, plugins_elsewhere);
    tcase_add_test(tests, choosing);
    tcase_add_test(tests, tensors);
    tcase_add_test(tests, views);
    tcase_add_test(tests, traffic);
    tcase_add_test(tests, quiet_calls);
    tcase_add_test(tests, workspaces);
    tcase_add_test(tests, misuse);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
