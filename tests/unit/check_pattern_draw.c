/* check_pattern_draw.c - pictures of patterns, read again and compared with the pairs. */
#include "config.h"

#include <png.h>

#include "tests/unit/check_pattern.h"

typedef struct raster {
    int64_t width, height;
    uint8_t *grey; /* to be freed */
} raster;

static raster read_png(const char *path)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    ck_assert_msg(png_image_begin_read_from_file(&image, path), "%s", image.message);
    ck_assert_int_eq((int)image.format, PNG_FORMAT_GRAY);
    raster r = { image.width, image.height, malloc(PNG_IMAGE_SIZE(image)) };
    ck_assert_msg(png_image_finish_read(&image, NULL, r.grey, 0, NULL), "%s", image.message);
    return r;
}

/* The next element of its own, or the next part of the path. */
static const char *next_rectangle(const char *at, long long *x, long long *y, long long *width,
                                  long long *height, unsigned *grey)
{
    const char *element = strstr(at, "<rect "), *part = strchr(at, 'M');
    long long back;
    unsigned green, blue;
    if (element != NULL) {
        ck_assert_int_eq(
            sscanf(element,
                   "<rect x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" fill=\"#%2x%2x%2x\"/>", x, y,
                   width, height, grey, &green, &blue),
            7);
        ck_assert(*grey == green && *grey == blue);
        return element;
    }
    if (part != NULL) {
        *grey = 0;
        expect(sscanf(part, "M%lld %lldh%lldv%lldh-%lldz", x, y, width, height, &back) == 5 &&
               back == *width);
    }
    return part;
}

/* Paints the rectangles in their order; those after the background must not overlap. rectangles: their
 * number. */
static raster read_svg(const char *path, int64_t *rectangles)
{
    char *text = test_slurp(path, NULL);
    const char *at = text;
    long long width, height, x, y;
    unsigned grey;
    raster r = { 0, 0, NULL };
    ck_assert_int_eq(strncmp(text, "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 40), 0);
    ck_assert_int_eq(sscanf(text + 40, "width=\"%lld\" height=\"%lld\"", &width, &height), 2);
    r = (raster){ width, height, malloc((size_t)(width * height)) };
    memset(r.grey, 255, (size_t)(width * height));
    at = strstr(text, "<rect ");
    ck_assert_int_eq(sscanf(at, "<rect width=\"%lld\" height=\"%lld\" fill=\"#fff\"/>", &x, &y), 2);
    ck_assert(x == width && y == height);
    *rectangles = 0;
    while ((at = next_rectangle(at + 1, &x, &y, &width, &height, &grey)) != NULL) {
        expect(width > 0 && height > 0 && x + width <= r.width && y + height <= r.height);
        for (int64_t j = 0; j < height; j++) {
            for (int64_t i = 0; i < width; i++) {
                uint8_t *pixel = &r.grey[(y + j) * r.width + x + i];
                expect(*pixel == 255);
                *pixel = (uint8_t)grey;
            }
        }
        ++*rectangles;
    }
    size_t length = strlen(text);
    ck_assert_str_eq(text + length - 7, "</svg>\n");
    free(text);
    return r;
}

static void compare(const ga_pattern *pattern, int64_t head, int64_t most, raster r)
{
    int64_t queries = ga_pattern_queries(pattern), keys = ga_pattern_keys(pattern), cell = 1;
    uint8_t *pairs = pairs_of(pattern, head);
    while (cell * most < queries || cell * most < keys) {
        cell++;
    }
    ck_assert_int_eq(r.width, (keys + cell - 1) / cell);
    ck_assert_int_eq(r.height, (queries + cell - 1) / cell);
    for (int64_t y = 0; y < r.height; y++) {
        for (int64_t x = 0; x < r.width; x++) {
            int64_t all = 0, visible = 0;
            for (int64_t i = y * cell; i < (y + 1) * cell && i < queries; i++) {
                for (int64_t j = x * cell; j < (x + 1) * cell && j < keys; j++) {
                    all++;
                    visible += pairs[i * keys + j];
                }
            }
            double grey = 255 - 255.0 * (double)visible / (double)all, error = r.grey[y * r.width + x] - grey;
            expect(error >= -0.5001 && error <= 0.5001);
        }
    }
    free(pairs);
}

static void check_drawn(ga_context *context, const ga_pattern *pattern, int64_t head, int64_t most)
{
    const char *png = test_path("picture.png"), *svg = test_path("picture.svg");
    int64_t rectangles = 0;
    test_ok(context, ga_pattern_draw(context, pattern, head, most, png));
    test_ok(context, ga_pattern_draw(context, pattern, head, most, svg));
    ck_assert_int_eq(test_folder_entries(), 2);
    raster one = read_png(png), two = read_svg(svg, &rectangles);
    compare(pattern, head, most, one);
    compare(pattern, head, most, two);
    free(one.grey);
    free(two.grey);
}

static bool scattered(void *user, int64_t head, int64_t row, int64_t column)
{
    (void)user;
    return (row * row + 3 * column + head) % 5 < 2;
}

START_TEST(pictures_show_the_pairs)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    static const int64_t sides[6] = { 1, 2, 7, 24, 61, 1000 };
    ga_axis axes[2] = { neighbour_axis(5, 3, 1, 1, false), neighbour_axis(12, 3, 1, 2, false) };
    ga_product_options options = product_of(2, axes);
    test_folder_make();
    for (int s = 0; s < 6; s++) {
        test_ok(context, ga_pattern_product(context, &options, &pattern));
        check_drawn(context, pattern, 0, sides[s]);
        ga_pattern_destroy(context, pattern);
        for (int causal = 0; causal < 2; causal++) {
            test_ok(context, ga_pattern_blocks(context, 2, 31, 57, 3, 4, scattered, NULL, causal, &pattern));
            check_drawn(context, pattern, 1, sides[s]);
            ga_pattern_destroy(context, pattern);
            test_ok(context, ga_pattern_full(context, 64, 23, causal, &pattern));
            check_drawn(context, pattern, 0, sides[s]);
            ga_pattern_destroy(context, pattern);
        }
    }
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

/* Equal runs of neighbouring rows are one rectangle. */
START_TEST(rectangles_are_merged)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    ga_axis axis = block_axis(40, 8, GA_BORDER_CLIP);
    ga_product_options options = product_of(1, &axis);
    int64_t rectangles = 0;
    test_folder_make();
    const char *path = test_path("blocks.svg");
    test_ok(context, ga_pattern_product(context, &options, &pattern));
    test_ok(context, ga_pattern_draw(context, pattern, 0, 100, path));
    free(read_svg(path, &rectangles).grey);
    ck_assert_int_eq(rectangles, 5);
    ga_pattern_destroy(context, pattern);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

START_TEST(refused_pictures)
{
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL, *empty = NULL;
    static const char *const names[] = { "picture.gif", "picture", "", "-", "png", ".PNG", "picture.png.gz" };
    test_folder_make();
    test_ok(context, ga_pattern_full(context, 5, 7, false, &pattern));
    test_ok(context, ga_pattern_full(context, 0, 7, false, &empty));
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        test_status(context, ga_pattern_draw(context, pattern, 0, 100, *names[n] ? test_path(names[n]) : ""),
                    GA_INVALID);
        test_error_has(context, ".png or .svg");
    }
    test_status(context, ga_pattern_draw(context, pattern, 0, 0, test_path("a.png")), GA_INVALID);
    test_status(context, ga_pattern_draw(context, pattern, 0, INT64_MAX, test_path("a.png")), GA_INVALID);
    test_status(context, ga_pattern_draw(context, pattern, 1, 100, test_path("a.png")), GA_INVALID);
    test_error_has(context, "head 1 of 1");
    test_status(context, ga_pattern_draw(context, empty, 0, 100, test_path("a.png")), GA_INVALID);
    test_error_has(context, "0 queries");
    test_status(context, ga_pattern_draw(context, pattern, 0, 100, test_path("nowhere/a.png")), GA_IO);
    ck_assert_int_eq(test_folder_entries(), 0);
    ga_pattern_destroy(context, pattern);
    ga_pattern_destroy(context, empty);
    test_folder_remove();
    test_context_done(context, NULL);
}
END_TEST

static bool noise(void *user, int64_t head, int64_t row, int64_t column)
{
    uint64_t bits[2];
    (void)user;
    ga__random_block(11, GA__RANDOM_TEST, (uint64_t)row, (uint32_t)(column / 128 + head), bits);
    return bits[column / 64 % 2] >> (column % 64) & 1;
}

/* An older picture stays when a new one fails, whichever write it is; the picture is larger than any
 * buffer. */
START_TEST(whole_or_not_at_all)
{
    static const char *const names[2] = { "old.png", "old.svg" };
    static const test_call kinds[4] = { TEST_WRITE, TEST_FSYNC, TEST_CLOSE, TEST_RENAME };
    test_folder_make();
    for (int f = 0; f < 2; f++) {
        for (int k = 0; k < 4; k++) {
            test_hooks hooks;
            test_hooks_init(&hooks);
            ga_context *context = test_context(&hooks, true);
            ga_pattern *pattern = NULL;
            const char *path = test_text_file(names[f], "old");
            int64_t side = kinds[k] == TEST_WRITE ? 1700 : 100;
            test_ok(context, ga_pattern_blocks(context, 1, side, side, 1, 1, noise, NULL, false, &pattern));
            hooks.fail_at[kinds[k]] = 0;
            test_status(context, ga_pattern_draw(context, pattern, 0, side, path), GA_IO);
            char *text = test_slurp(path, NULL);
            ck_assert_str_eq(text, "old");
            free(text);
            ck_assert_int_eq(test_folder_entries(), f + 1);
            ga_pattern_destroy(context, pattern);
            test_context_done(context, &hooks);
        }
    }
    test_folder_remove();
}
END_TEST

static ga_status make_and_draw(ga_context *context, void *user)
{
    ga_pattern *pattern = NULL;
    ga_status status = ga_pattern_blocks(context, 1, 31, 57, 3, 4, scattered, NULL, false, &pattern);
    if (status == GA_OK) {
        status = ga_pattern_draw(context, pattern, 0, 100, user);
    }
    ga_pattern_destroy(context, pattern);
    return status;
}

static int stop(void *user)
{
    (void)user;
    return 1;
}

START_TEST(memory_and_cancelling)
{
    test_folder_make();
    char png[1024], svg[1024];
    (void)snprintf(png, sizeof png, "%s", test_path("a.png"));
    (void)snprintf(svg, sizeof svg, "%s", test_path("a.svg"));
    ck_assert_int_ge(test_each_allocation(make_and_draw, png, 1), 8);
    ck_assert_int_ge(test_each_allocation(make_and_draw, svg, 1), 6);
    ck_assert_int_eq(test_folder_entries(), 2);
    ga_context *context = test_threads_context(1);
    ga_pattern *pattern = NULL;
    test_ok(context, ga_pattern_full(context, 5, 7, false, &pattern));
    ga_context_set_cancel(context, stop, NULL);
    test_status(context, ga_pattern_draw(context, pattern, 0, 100, test_path("b.png")), GA_CANCELLED);
    test_status(context, ga_pattern_draw(context, pattern, 0, 100, test_path("b.svg")), GA_CANCELLED);
    ck_assert_int_eq(test_folder_entries(), 2);
    ga_pattern_destroy(context, pattern);
    test_context_done(context, NULL);
    test_folder_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pattern pictures");
    TCase *test = tcase_create("all");
    tcase_set_timeout(test, 300);
    tcase_add_test(test, pictures_show_the_pairs);
    tcase_add_test(test, rectangles_are_merged);
    tcase_add_test(test, refused_pictures);
    tcase_add_test(test, whole_or_not_at_all);
    tcase_add_test(test, memory_and_cancelling);
    suite_add_tcase(suite, test);
    return test_run(suite);
}
