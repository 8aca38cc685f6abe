/* check_safetensors.c - safetensors files: what is written is read again, and what lies is refused. */
#include "config.h"

#include <graphattn/tensor.h>

#include "lib/base/base.h"
#include "tests/unit/support.h"

static const DLDataType f32 = { kDLFloat, 32, 1 }, i64 = { kDLInt, 64, 1 }, bf16 = { kDLBfloat, 16, 1 },
                        u8 = { kDLUInt, 8, 1 };

/* A file of this header and so many bytes 0, 1, 2, ... of data. */
static const char *file_of(const char *name, const char *header, size_t bytes)
{
    static unsigned char content[1 << 16];
    size_t size = strlen(header);
    memset(content, 0, 8);
    for (int i = 0; i < 8; i++) {
        content[i] = (unsigned char)((uint64_t)size >> 8 * i);
    }
    memcpy(content + 8, header, size);
    for (size_t i = 0; i < bytes; i++) {
        content[8 + size + i] = (unsigned char)i;
    }
    return test_file(name, content, 8 + size + bytes);
}

START_TEST(round_trip)
{
    ga_context *context = test_threads_context(1);
    static const int64_t shape[] = { 2, 3 }, one[] = { 5 }, none[] = { 0, 7 };
    DLTensor *a = NULL, *b = NULL, *c = NULL, *d = NULL;
    test_ok(context, ga_tensor_create(context, f32, 2, shape, &a));
    test_ok(context, ga_tensor_create(context, i64, 1, one, &b));
    test_ok(context, ga_tensor_create(context, bf16, 2, none, &c));
    test_ok(context, ga_tensor_create(context, u8, 0, NULL, &d));
    for (int i = 0; i < 6; i++) {
        ((float *)a->data)[i] = (float)i * 0.5f;
    }
    for (int i = 0; i < 5; i++) {
        ((int64_t *)b->data)[i] = -((int64_t)i << 40);
    }
    *(uint8_t *)d->data = 77;
    const char *names[] = { "layer.0/weight \"q\"", "b\xc3\xa4", "nothing", "scalar" };
    const DLTensor *tensors[] = { a, b, c, d };
    const ga_metadata metadata[] = { { "model", "gat" }, { "config", "{\"heads\": 8}\n" } };
    const char *path = test_path("w.safetensors");
    test_ok(context, ga_safetensors_write(context, path, 4, names, tensors, 2, metadata));
    size_t size;
    char *bytes = test_slurp(path, &size);
    uint64_t header = 0;
    memcpy(&header, bytes, 8);
    ck_assert_uint_eq(header % 8, 0);
    ck_assert_uint_eq(size, 8 + header + 24 + 40 + 1);
    free(bytes);
    ga_safetensors *file = NULL;
    test_ok(context, ga_safetensors_read(context, path, &file));
    ck_assert_int_eq(ga_safetensors_count(file), 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(ga_safetensors_name(file, i), names[i]);
        const DLTensor *got = ga_safetensors_find(file, names[i]);
        ck_assert_ptr_eq(got, ga_safetensors_at(file, i));
        ck_assert_int_eq(got->ndim, tensors[i]->ndim);
        ck_assert_int_eq(got->dtype.code, tensors[i]->dtype.code);
        ck_assert_int_eq(got->dtype.bits, tensors[i]->dtype.bits);
    }
    ck_assert_mem_eq(ga_safetensors_find(file, names[0])->data, a->data, 24);
    ck_assert_mem_eq(ga_safetensors_find(file, names[1])->data, b->data, 40);
    ck_assert_int_eq(*(const uint8_t *)ga_safetensors_find(file, "scalar")->data, 77);
    ck_assert_ptr_null(ga_safetensors_find(file, "nobody"));
    ck_assert_str_eq(ga_safetensors_metadata(file, "config"), "{\"heads\": 8}\n");
    ck_assert_ptr_null(ga_safetensors_metadata(file, "nobody"));
    ga_safetensors_destroy(context, file);
    const char *twice[] = { "x", "x", "y", "z" };
    test_status(context, ga_safetensors_write(context, path, 4, twice, tensors, 0, NULL), GA_INVALID);
    test_error_has(context, "\"x\"");
    const char *reserved[] = { "__metadata__", "x", "y", "z" };
    test_status(context, ga_safetensors_write(context, path, 4, reserved, tensors, 0, NULL), GA_INVALID);
    const char *odd[] = { "\xff\xfe", "x", "y", "z" };
    test_status(context, ga_safetensors_write(context, path, 4, odd, tensors, 0, NULL), GA_INVALID);
    for (int i = 0; i < 4; i++) {
        ga_tensor_destroy(context, (DLTensor *)(uintptr_t)tensors[i]);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Ranges may stand in another order than the names, and empty tensors between them. */
START_TEST(any_order)
{
    ga_context *context = test_threads_context(1);
    ga_safetensors *file = NULL;
    const char *path = file_of("o.safetensors",
                               "{\"z\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]},"
                               "\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[4,4]},"
                               "\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                               6);
    test_ok(context, ga_safetensors_read(context, path, &file));
    ck_assert_str_eq(ga_safetensors_name(file, 0), "z");
    ck_assert_int_eq(((const uint8_t *)ga_safetensors_at(file, 0)->data)[1], 5);
    ck_assert_int_eq(*(const int32_t *)ga_safetensors_find(file, "a")->data, 0x03020100);
    ga_safetensors_destroy(context, file);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(lies)
{
    static const struct {
        const char *header, *words;
        size_t bytes;
        ga_status status;
    } bad[] = {
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "\"t\": 4 bytes of data", 4,
          GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "ends at byte", 3, GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "more data", 5, GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "\"t\": its data begin at 4", 8,
          GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
          "\"u\": its data begin at 2", 6, GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
          "duplicate", 8, GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", "\"t\": dtype F8_E4M3", 4,
          GA_UNSUPPORTED },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", "t", 0,
          GA_OVERFLOW },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "\"t\": shape", 4, GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", "\"t\": shape", 4,
          GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "\"t\": data_offsets", 4,
          GA_FORMAT },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "\"t\": data_offsets", 4,
          GA_FORMAT },
        { "{\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}}", "\"t\": expected", 4, GA_FORMAT },
        { "{\"t\":7}", "\"t\": expected", 0, GA_FORMAT },
        { "{\"__metadata__\":{\"a\":1}}", "__metadata__", 0, GA_FORMAT },
        { "[1]", "no JSON object", 0, GA_FORMAT },
        { "{\"t\":", "header, byte", 0, GA_FORMAT },
        { "", "header, byte", 0, GA_FORMAT },
    };
    ga_context *context = test_threads_context(1);
    ga_safetensors *file = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = file_of("bad.safetensors", bad[i].header, bad[i].bytes);
        test_status(context, ga_safetensors_read(context, path, &file), bad[i].status);
        test_error_has(context, bad[i].words);
        ck_assert_ptr_null(file);
    }
    test_context_done(context, NULL);
}
END_TEST

/* Brackets in brackets, a header longer than its file, one longer than any may be, and none. */
START_TEST(bombs)
{
    ga_context *context = test_threads_context(1);
    ga_safetensors *file = NULL;
    char deep[20001];
    memset(deep, '[', 20000);
    deep[20000] = '\0';
    test_status(context, ga_safetensors_read(context, file_of("deep", deep, 0), &file), GA_FORMAT);
    unsigned char length[16] = { 0, 0, 0, 5 };
    test_status(context, ga_safetensors_read(context, test_file("long", length, 16), &file), GA_FORMAT);
    test_error_has(context, "ends at byte 16");
    memset(length, 0xff, 8);
    test_status(context, ga_safetensors_read(context, test_file("huge", length, 16), &file), GA_FORMAT);
    test_error_has(context, "at most 100000000");
    test_status(context, ga_safetensors_read(context, test_file("short", length, 3), &file), GA_FORMAT);
    int64_t peak;
    ga_context_memory(context, NULL, &peak);
    ck_assert_int_lt(peak, 1 << 20);
    test_context_done(context, NULL);
}
END_TEST

static ga_status read_and_write(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    ga_safetensors *file = NULL;
    GA_TRY(ga_safetensors_read(context, user, &file));
    const char *name = ga_safetensors_name(file, 0);
    const DLTensor *tensor = ga_safetensors_at(file, 0);
    GA_TRY(ga_safetensors_write(context, test_path("copy"), 1, &name, &tensor, 0, NULL));
done:
    ck_assert_int_eq(test_exists(test_path("copy")), status == GA_OK);
    (void)remove(test_path("copy"));
    ga_safetensors_destroy(context, file);
    return status;
}

START_TEST(every_allocation_fails)
{
    char path[1024];
    strcpy(path, file_of("f", "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4));
    ck_assert_int_gt(test_each_allocation(read_and_write, path, 1), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *all = tcase_create("safetensors");
    tcase_add_checked_fixture(all, test_folder_make, test_folder_remove);
    tcase_add_test(all, round_trip);
    tcase_add_test(all, any_order);
    tcase_add_test(all, lies);
    tcase_add_test(all, bombs);
    tcase_add_test(all, every_allocation_fails);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
