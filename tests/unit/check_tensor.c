/* check_tensor.c - tensors and NumPy files. */
#include "config.h"

#include <graphattn/tensor.h>

#include <zlib.h>

#include "lib/tensor/npy.h"
#include "tests/unit/support.h"

static const DLDataType f16 = { kDLFloat, 16, 1 }, f32 = { kDLFloat, 32, 1 }, f64 = { kDLFloat, 64, 1 },
                        bf16 = { kDLBfloat, 16, 1 }, i32 = { kDLInt, 32, 1 }, i64 = { kDLInt, 64, 1 },
                        u8 = { kDLUInt, 8, 1 }, boolean = { GA_DL_BOOL, 8, 1 };

/* A file with the given dictionary, length field and data, as NumPy lays it out. */
static const char *npy_file(const char *name, int version, const char *dictionary, const void *data,
                            size_t size)
{
    unsigned char bytes[4096];
    size_t before = version == 1 ? 10 : 12, at = before + strlen(dictionary);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    memcpy(bytes + before, dictionary, strlen(dictionary));
    while ((at + 1) % 64 != 0) {
        bytes[at++] = ' ';
    }
    bytes[at++] = '\n';
    memset(bytes + 8, 0, before - 8);
    bytes[8] = (unsigned char)(at - before);
    bytes[9] = (unsigned char)((at - before) >> 8);
    memcpy(bytes + at, data, size);
    return test_file(name, bytes, at + size);
}

static bool same_type(DLDataType a, DLDataType b)
{
    return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

START_TEST(creating)
{
    ga_context *context = test_threads_context(1);
    static const int64_t shape[] = { 2, 3, 4 }, none[] = { 3, 0, 2 }, bad[] = { 2, -1 };
    static const int64_t huge[] = { (int64_t)1 << 32, (int64_t)1 << 31 };
    static const int64_t empty_but_huge[] = { 0, (int64_t)1 << 62, (int64_t)1 << 62 };
    DLTensor *tensor = NULL;
    test_ok(context, ga_tensor_create(context, f32, 3, shape, &tensor));
    ck_assert_int_eq(tensor->ndim, 3);
    ck_assert_int_eq(memcmp(tensor->shape, shape, sizeof shape), 0);
    ck_assert_int_eq(tensor->strides[0], 12);
    ck_assert_int_eq(tensor->strides[1], 4);
    ck_assert_int_eq(tensor->strides[2], 1);
    ck_assert_int_eq(tensor->device.device_type, kDLCPU);
    ck_assert_uint_eq(tensor->byte_offset, 0);
    ck_assert(same_type(tensor->dtype, f32));
    memset(tensor->data, 0, 2 * 3 * 4 * 4);
    ga_tensor_destroy(context, tensor);
    test_ok(context, ga_tensor_create(context, f64, 0, NULL, &tensor));
    ga_tensor_destroy(context, tensor);
    test_ok(context, ga_tensor_create(context, f64, 3, none, &tensor));
    ga_tensor_destroy(context, tensor);
    ga_tensor_destroy(context, NULL);
    tensor = NULL;
    test_status(context, ga_tensor_create(context, f32, 2, bad, &tensor), GA_INVALID);
    test_status(context, ga_tensor_create(context, f32, -1, shape, &tensor), GA_INVALID);
    test_status(context, ga_tensor_create(context, f32, 65, shape, &tensor), GA_INVALID);
    test_status(context, ga_tensor_create(context, f32, 2, huge, &tensor), GA_OVERFLOW);
    test_status(context, ga_tensor_create(context, u8, 3, empty_but_huge, &tensor), GA_OVERFLOW);
    DLDataType odd[] = { { kDLFloat, 8, 1 }, { kDLInt, 16, 1 }, { kDLFloat, 32, 4 }, { kDLComplex, 64, 1 } };
    for (int i = 0; i < 4; i++) {
        test_status(context, ga_tensor_create(context, odd[i], 1, shape, &tensor), GA_UNSUPPORTED);
    }
    ck_assert_ptr_null(tensor);
    test_context_done(context, NULL);
}
END_TEST

/* What NumPy 1.24 writes for np.arange(6, dtype='f4').reshape(2, 3), byte for byte. */
static size_t numpy_example(unsigned char *bytes)
{
    static const float values[] = { 0, 1, 2, 3, 4, 5 };
    memset(bytes, ' ', 128);
    memcpy(bytes, "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 69);
    bytes[127] = '\n';
    memcpy(bytes + 128, values, sizeof values);
    return 128 + sizeof values;
}

START_TEST(as_numpy_writes_it)
{
    ga_context *context = test_threads_context(1);
    unsigned char expected[256];
    size_t size = numpy_example(expected), found_size;
    DLTensor *tensor = NULL;
    test_ok(context, ga_npy_read(context, test_file("in.npy", expected, size), false, &tensor));
    ck_assert(same_type(tensor->dtype, f32));
    ck_assert_int_eq(tensor->ndim, 2);
    ck_assert_int_eq(tensor->shape[0], 2);
    ck_assert_int_eq(tensor->shape[1], 3);
    for (int i = 0; i < 6; i++) {
        ck_assert(((float *)tensor->data)[i] == (float)i);
    }
    test_ok(context, ga_npy_write(context, tensor, test_path("out.npy")));
    char *found = test_slurp(test_path("out.npy"), &found_size);
    ck_assert_uint_eq(found_size, size);
    ck_assert_int_eq(memcmp(found, expected, size), 0);
    free(found);
    ga_tensor_destroy(context, tensor);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(types_and_orders)
{
    static const struct {
        const char *little, *big;
        DLDataType dtype;
    } types[] = {
        { "<f2", ">f2", { kDLFloat, 16, 1 } },  { "<f4", ">f4", { kDLFloat, 32, 1 } },
        { "<f8", ">f8", { kDLFloat, 64, 1 } },  { "<i4", ">i4", { kDLInt, 32, 1 } },
        { "<i8", ">i8", { kDLInt, 64, 1 } },    { "|u1", ">u1", { kDLUInt, 8, 1 } },
        { "|b1", ">b1", { GA_DL_BOOL, 8, 1 } }, { "<u2", ">u2", { kDLBfloat, 16, 1 } },
    };
    ga_context *context = test_threads_context(1);
    for (int t = 0; t < 8; t++) {
        for (int version = 1; version <= 3; version++) {
            int size = types[t].dtype.bits / 8;
            unsigned char data[4 * 8], swapped[4 * 8];
            char little[128], big[128];
            for (int i = 0; i < 4 * size; i++) {
                data[i] = (unsigned char)(size == 1 ? i % 2 : 7 * i + 1);
                swapped[i / size * size + size - 1 - i % size] = data[i];
            }
            (void)snprintf(little, sizeof little, "{'descr': '%s', 'fortran_order': False, 'shape': (4,), }",
                           types[t].little);
            (void)snprintf(big, sizeof big, "{ \"shape\":(2,2), 'descr':'%s', \"fortran_order\" : False}",
                           types[t].big);
            for (int order = 0; order < 2; order++) {
                DLTensor *tensor = NULL;
                const char *path = npy_file("t.npy", version, order ? big : little, order ? swapped : data,
                                            (size_t)size * 4);
                test_ok(context, ga_npy_read(context, path, true, &tensor));
                ck_assert(same_type(tensor->dtype, types[t].dtype));
                ck_assert_int_eq(tensor->ndim, order + 1);
                ck_assert_int_eq(memcmp(tensor->data, data, (size_t)size * 4), 0);
                ga_tensor_destroy(context, tensor);
            }
        }
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(fortran_order)
{
    ga_context *context = test_threads_context(1);
    int32_t data[24];
    DLTensor *tensor = NULL;
    for (int a = 0; a < 2; a++) {
        for (int b = 0; b < 3; b++) {
            for (int c = 0; c < 4; c++) {
                data[a + 2 * (b + 3 * c)] = 100 * a + 10 * b + c;
            }
        }
    }
    const char *path = npy_file("f.npy", 1, "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3, 4), }",
                                data, sizeof data);
    test_ok(context, ga_npy_read(context, path, false, &tensor));
    for (int i = 0; i < 24; i++) {
        ck_assert_int_eq(((int32_t *)tensor->data)[i], 100 * (i / 12) + 10 * (i / 4 % 3) + i % 4);
    }
    ga_tensor_destroy(context, tensor);
    path = npy_file("f.npy", 1, "{'descr': '<i4', 'fortran_order': True, 'shape': (1, 24, 1), }", data,
                    sizeof data);
    test_ok(context, ga_npy_read(context, path, false, &tensor));
    ck_assert_int_eq(memcmp(tensor->data, data, sizeof data), 0);
    ga_tensor_destroy(context, tensor);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(scalars_and_empty)
{
    ga_context *context = test_threads_context(1);
    static const char *const shapes[] = { "()", "(0,)", "(3, 0, 2)", "(0, 0)" };
    for (int i = 0; i < 4; i++) {
        char text[128];
        double value = 2.5;
        size_t size;
        DLTensor *tensor = NULL;
        (void)snprintf(text, sizeof text, "{'descr': '<f8', 'fortran_order': %s, 'shape': %s, }",
                       i % 2 ? "True" : "False", shapes[i]);
        test_ok(context, ga_npy_read(context, npy_file("s.npy", 1, text, &value, i ? 0 : 8), false, &tensor));
        ck_assert(i > 0 || *(double *)tensor->data == 2.5);
        test_ok(context, ga_npy_write(context, tensor, test_path("out.npy")));
        ga_tensor_destroy(context, tensor);
        char *found = test_slurp(test_path("out.npy"), &size);
        ck_assert_uint_eq(size, i ? 128 : 136);
        ck_assert_ptr_nonnull(strstr(found + 10, shapes[i]));
        free(found);
    }
    test_context_done(context, NULL);
}
END_TEST

/* A transposed, reversed and offset view is written in C order. */
START_TEST(strided_views)
{
    ga_context *context = test_threads_context(1);
    enum { ROWS = 300, COLUMNS = 500 };
    int64_t *base = malloc(sizeof(int64_t) * ROWS * COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        base[i] = i;
    }
    int64_t shape[] = { COLUMNS / 2, ROWS }, strides[] = { -2, COLUMNS };
    DLTensor view = {
        .data = base,
        .device = { kDLCPU, 0 },
        .ndim = 2,
        .dtype = i64,
        .shape = shape,
        .strides = strides,
        .byte_offset = (COLUMNS - 1) * sizeof(int64_t),
    };
    DLTensor *back = NULL;
    test_ok(context, ga_npy_write(context, &view, test_path("v.npy")));
    test_ok(context, ga_npy_read(context, test_path("v.npy"), false, &back));
    int64_t wrong = 0;
    for (int i = 0; i < COLUMNS / 2; i++) {
        for (int j = 0; j < ROWS; j++) {
            wrong += ((int64_t *)back->data)[i * ROWS + j] != j * COLUMNS + COLUMNS - 1 - 2 * i;
        }
    }
    ck_assert_int_eq(wrong, 0);
    ga_tensor_destroy(context, back);
    view.strides = NULL; /* compact */
    view.byte_offset = 0;
    test_ok(context, ga_npy_write(context, &view, test_path("v.npy.gz")));
    test_ok(context, ga_npy_read(context, test_path("v.npy.gz"), false, &back));
    ck_assert_int_eq(memcmp(back->data, base, sizeof(int64_t) * ROWS * COLUMNS / 2), 0);
    ga_tensor_destroy(context, back);
    view.device.device_type = kDLCUDA;
    test_status(context, ga_npy_write(context, &view, test_path("w.npy")), GA_UNSUPPORTED);
    view.device.device_type = kDLCPU;
    view.dtype.lanes = 2;
    test_status(context, ga_npy_write(context, &view, test_path("w.npy")), GA_UNSUPPORTED);
    ck_assert(!test_exists(test_path("w.npy")));
    free(base);
    test_context_done(context, NULL);
}
END_TEST

START_TEST(all_types_are_written)
{
    ga_context *context = test_threads_context(1);
    const DLDataType types[] = { f16, f32, f64, bf16, i32, i64, u8, boolean };
    static const int64_t shape[] = { 5 };
    for (int t = 0; t < 8; t++) {
        DLTensor *tensor = NULL, *back = NULL;
        size_t size = (size_t)types[t].bits / 8 * 5;
        test_ok(context, ga_tensor_create(context, types[t], 1, shape, &tensor));
        for (size_t i = 0; i < size; i++) {
            ((unsigned char *)tensor->data)[i] = (unsigned char)(i % 2);
        }
        test_ok(context, ga_npy_write(context, tensor, test_path("t.npy")));
        test_ok(context, ga_npy_read(context, test_path("t.npy"), true, &back));
        ck_assert(same_type(back->dtype, types[t]));
        ck_assert_int_eq(memcmp(back->data, tensor->data, size), 0);
        ga_tensor_destroy(context, tensor);
        ga_tensor_destroy(context, back);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(bad_headers)
{
    static const struct {
        const char *text;
        ga_status status;
        const char *words;
    } cases[] = {
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "objects" },
        { "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "<f16" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "<c8" },
        { "{'descr': '', 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "element type" },
        { "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "<u2" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", GA_UNSUPPORTED, "fields" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", GA_FORMAT, "extent" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1), }", GA_FORMAT, "comma" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", GA_FORMAT, "parentheses" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", GA_FORMAT, "True or False" },
        { "{'descr': '<f4', 'shape': (1,), }", GA_FORMAT, "fortran_order" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", GA_FORMAT,
          "each once" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", GA_FORMAT, "each once" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", GA_FORMAT, "nothing else" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", GA_FORMAT, "expected" },
        { "", GA_FORMAT, "dictionary" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", GA_OVERFLOW,
          "product" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", GA_OVERFLOW,
          "extent" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", GA_FORMAT, "expects" },
    };
    ga_context *context = test_threads_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float value = 1;
        DLTensor *tensor = NULL;
        const char *path = npy_file("bad.npy", 1, cases[i].text, &value, sizeof value);
        test_status(context, ga_npy_read(context, path, false, &tensor), cases[i].status);
        test_error_has(context, cases[i].words);
        test_error_has(context, "bad.npy");
        ck_assert_ptr_null(tensor);
    }
    test_context_done(context, NULL);
}
END_TEST

START_TEST(cut_and_damaged)
{
    ga_context *context = test_threads_context(1);
    unsigned char bytes[256];
    size_t size = numpy_example(bytes);
    DLTensor *tensor = NULL;
    for (size_t cut = 0; cut < size; cut++) {
        test_status(context, ga_npy_read(context, test_file("cut.npy", bytes, cut), false, &tensor),
                    GA_FORMAT);
    }
    test_status(context, ga_npy_read(context, test_file("long.npy", bytes, size + 1), false, &tensor),
                GA_FORMAT);
    bytes[127] = ' ';
    test_status(context, ga_npy_read(context, test_file("line.npy", bytes, size), false, &tensor), GA_FORMAT);
    test_error_has(context, "newline");
    bytes[127] = '\n';
    bytes[6] = 4;
    test_status(context, ga_npy_read(context, test_file("four.npy", bytes, size), false, &tensor),
                GA_UNSUPPORTED);
    bytes[6] = 2; /* the length has four bytes now, two of them text */
    test_status(context, ga_npy_read(context, test_file("two.npy", bytes, size), false, &tensor), GA_FORMAT);
    test_status(context, ga_npy_read(context, test_text_file("text.npy", "no npy file"), false, &tensor),
                GA_FORMAT);
    const char *path =
        npy_file("bool.npy", 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "\1\2", 2);
    test_status(context, ga_npy_read(context, path, false, &tensor), GA_FORMAT);
    test_status(context, ga_npy_read(context, test_path("missing"), false, &tensor), GA_IO);
    ck_assert_ptr_null(tensor);
    test_context_done(context, NULL);
}
END_TEST

/* A compressed header that promises a terabyte takes no more memory than its data. */
START_TEST(promises)
{
    ga_context *context = test_threads_context(1);
    DLTensor *tensor = NULL;
    int64_t peak;
    const char *path = npy_file(
        "p.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", "1234", 4);
    size_t size;
    char *data = test_slurp(path, &size);
    gzFile file = gzopen(test_path("p.npy.gz"), "wb");
    ck_assert_int_eq(gzwrite(file, data, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
    free(data);
    test_status(context, ga_npy_read(context, test_path("p.npy.gz"), false, &tensor), GA_FORMAT);
    test_error_has(context, "in the middle of its data");
    ga_context_memory(context, NULL, &peak);
    ck_assert_int_lt(peak, 32 << 20);
    test_context_done(context, NULL);
}
END_TEST

static ga_status read_and_write(ga_context *context, void *user)
{
    ga_status status = GA_OK;
    DLTensor *tensor = NULL;
    GA_TRY(ga_npy_read(context, user, false, &tensor));
    GA_TRY(ga_npy_write(context, tensor, test_path("copy.npy")));
done:
    ck_assert_int_eq(test_exists(test_path("copy.npy")), status == GA_OK);
    (void)remove(test_path("copy.npy"));
    ga_tensor_destroy(context, tensor);
    return status;
}

START_TEST(every_allocation_fails)
{
    int32_t data[24] = { 0 };
    char path[1024];
    strcpy(path, npy_file("f.npy", 1, "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3, 4), }", data,
                          sizeof data));
    ck_assert_int_gt(test_each_allocation(read_and_write, path, 1), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensor");
    TCase *all = tcase_create("tensor");
    tcase_add_checked_fixture(all, test_folder_make, test_folder_remove);
    tcase_add_test(all, creating);
    tcase_add_test(all, as_numpy_writes_it);
    tcase_add_test(all, types_and_orders);
    tcase_add_test(all, fortran_order);
    tcase_add_test(all, scalars_and_empty);
    tcase_add_test(all, strided_views);
    tcase_add_test(all, all_types_are_written);
    tcase_add_test(all, bad_headers);
    tcase_add_test(all, cut_and_damaged);
    tcase_add_test(all, promises);
    tcase_add_test(all, every_allocation_fails);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
