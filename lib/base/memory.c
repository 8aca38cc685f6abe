/* memory.c - allocation: checked products, alignment, counted bytes, the limit. */
#include "config.h"

#include "lib/base/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A block begins with a header as long as the alignment; the caller sees what follows. */
enum { ALIGNMENT = 64 };
typedef struct header {
    size_t size; /* of the caller's part */
} header;
_Static_assert(sizeof(header) <= ALIGNMENT, "the header must fit before an aligned block");

/* Blocks of this size come straight from the system: zero already, and moved without copying when they grow.
 * AddressSanitizer sees more when every block is malloc's. */
#if defined __SANITIZE_ADDRESS__
#define MAPPED_SIZE SIZE_MAX
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define MAPPED_SIZE SIZE_MAX
#endif
#endif
#ifndef MAPPED_SIZE
#define MAPPED_SIZE ((size_t)4 << 20)
#endif

static bool is_mapped(const ga_context *context, size_t total)
{
    return total >= MAPPED_SIZE && context->hooks.allocate == ga__system_allocate;
}

void *ga__system_allocate(void *user, size_t alignment, size_t size)
{
    (void)user;
    if (size >= MAPPED_SIZE) {
        void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return block == MAP_FAILED ? NULL : block;
    }
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void ga__system_release(void *user, void *block, size_t size)
{
    (void)user;
    if (size >= MAPPED_SIZE) {
        (void)munmap(block, size);
    } else {
        free(block);
    }
}

void ga_context_set_memory_limit(ga_context *context, int64_t bytes)
{
    context->memory_limit = bytes > 0 ? bytes : 0;
}

void ga_context_memory(const ga_context *context, int64_t *now, int64_t *peak)
{
    if (now) {
        *now = __atomic_load_n(&context->memory_now, __ATOMIC_RELAXED);
    }
    if (peak) {
        *peak = __atomic_load_n(&context->memory_peak, __ATOMIC_RELAXED);
    }
}

int64_t ga__memory_left(const ga_context *context)
{
    if (context->memory_limit == 0) {
        return INT64_MAX;
    }
    return ga__max(0, context->memory_limit - __atomic_load_n(&context->memory_now, __ATOMIC_RELAXED));
}

static ga_status over_limit(ga_context *context, int64_t bytes)
{
    return ga__fail(context, GA_LIMIT,
                    "memory limit (max-memory) of %lld bytes: %lld bytes more are needed, %lld are in use",
                    (long long)context->memory_limit, (long long)bytes,
                    (long long)__atomic_load_n(&context->memory_now, __ATOMIC_RELAXED));
}

static void give_back(ga_context *context, int64_t bytes)
{
    (void)__atomic_fetch_sub(&context->memory_now, bytes, __ATOMIC_RELAXED);
}

/* Counts bytes as taken, if the limit allows it. */
static ga_status take(ga_context *context, int64_t bytes)
{
    int64_t limit = context->memory_limit, now = __atomic_load_n(&context->memory_now, __ATOMIC_RELAXED), sum;
    do {
        if (!ga__add(now, bytes, &sum) || (limit > 0 && sum > limit)) {
            return over_limit(context, bytes);
        }
    } while (!__atomic_compare_exchange_n(&context->memory_now, &now, sum, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    int64_t peak = __atomic_load_n(&context->memory_peak, __ATOMIC_RELAXED);
    while (peak < sum && !__atomic_compare_exchange_n(&context->memory_peak, &peak, sum, true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return GA_OK;
}

static ga_status out_of_memory(ga_context *context, size_t bytes)
{
    return ga__fail(context, GA_NOMEM, "out of memory: %zu bytes could not be allocated", bytes);
}

/* count * size without the header; also refuses what could never be allocated. */
static ga_status checked_bytes(ga_context *context, int64_t count, size_t size, size_t *bytes)
{
    if (count < 0) {
        return ga__fail(context, GA_INVALID, "negative number of elements: %lld", (long long)count);
    }
    if (__builtin_mul_overflow((size_t)count, size, bytes) || *bytes > (size_t)PTRDIFF_MAX - 4096) {
        return ga__fail(context, GA_OVERFLOW, "%lld elements of %zu bytes are more than can be addressed",
                        (long long)count, size);
    }
    return GA_OK;
}

ga_status ga_alloc(ga_context *context, int64_t count, size_t size, void *out)
{
    ga_status status = GA_OK;
    size_t bytes = 0;
    GA_TRY(checked_bytes(context, count, size, &bytes));
    GA_TRY(take(context, (int64_t)bytes));
    header *block = context->hooks.allocate(context->hooks.user, ALIGNMENT, bytes + ALIGNMENT);
    if (!block) {
        give_back(context, (int64_t)bytes);
        GA_TRY(out_of_memory(context, bytes));
    }
    block->size = bytes;
    void *data = (char *)block + ALIGNMENT;
    memcpy(out, &data, sizeof data); /* *out is a pointer of any type */
done:
    return status;
}

static header *header_of(void *data)
{
    return (header *)(void *)((char *)data - ALIGNMENT);
}

ga_status ga__alloc_zero(ga_context *context, int64_t count, size_t size, void *out)
{
    ga_status status = GA_OK;
    void *data;
    GA_TRY(ga_alloc(context, count, size, &data));
    size_t bytes = header_of(data)->size;
    if (!is_mapped(context, bytes + ALIGNMENT)) { /* fresh pages are zero */
        memset(data, 0, bytes);
    }
    memcpy(out, &data, sizeof data);
done:
    return status;
}

void ga_free(ga_context *context, void *block)
{
    if (!block) {
        return;
    }
    header *first = header_of(block);
    size_t bytes = first->size;
    context->hooks.release(context->hooks.user, first, bytes + ALIGNMENT);
    give_back(context, (int64_t)bytes);
}

/* Changes the size of a mapped block without touching its pages. */
static ga_status remap(ga_context *context, size_t new_bytes, void **data)
{
    ga_status status = GA_OK;
    header *block = header_of(*data);
    size_t old_bytes = block->size;
    int64_t more = (int64_t)new_bytes - (int64_t)old_bytes;
    if (more > 0) {
        GA_TRY(take(context, more));
    }
    header *moved = mremap(block, old_bytes + ALIGNMENT, new_bytes + ALIGNMENT, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        if (more > 0) {
            give_back(context, more);
        }
        GA_TRY(out_of_memory(context, new_bytes));
    }
    if (more < 0) {
        give_back(context, -more);
    }
    moved->size = new_bytes;
    *data = (char *)moved + ALIGNMENT;
done:
    return status;
}

ga_status ga__resize(ga_context *context, int64_t old_count, int64_t new_count, size_t size, void *inout)
{
    ga_status status = GA_OK;
    void *old = NULL, *data = NULL;
    size_t new_bytes = 0;
    memcpy(&old, inout, sizeof old);
    GA_TRY(checked_bytes(context, new_count, size, &new_bytes));
    if (old && is_mapped(context, header_of(old)->size + ALIGNMENT) &&
        is_mapped(context, new_bytes + ALIGNMENT)) {
        data = old;
        GA_TRY(remap(context, new_bytes, &data));
    } else {
        GA_TRY(ga_alloc(context, new_count, size, &data));
        if (old) {
            memcpy(data, old, (size_t)ga__min(old_count, new_count) * size);
        }
        ga_free(context, old);
    }
    memcpy(inout, &data, sizeof data);
done:
    return status;
}
