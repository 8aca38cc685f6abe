/* emulator.cc - fibers, blocks and launches of the emulator, and its settings. */
#include "lib/engine/device/emulator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace ga__emulator
{

thread_local block *now;

enum { MOST_THREADS = 1024, MOST_SHARED = 232448, MOST_SYSTEM_THREADS = 16 };
static const size_t stack_bytes = 64 << 10;
static const uint64_t canary = 0x6a09e667f3bcc908u;

/* ---- what all launches share ---- */

static struct machine {
    pthread_mutex_t lock; /* guards all but calls and broken */
    ga__emulator_settings settings;
    int64_t calls;
    int broken; /* a sticky error, 0 = none */
    char words[512];
    block *idle[MOST_SYSTEM_THREADS]; /* kept for the next launch */
    int idle_count;
} machine = { PTHREAD_MUTEX_INITIALIZER, GA__EMULATOR_SETTINGS_INIT, 0, 0, "", {}, 0 };

static void note_fault(const char *words)
{
    pthread_mutex_lock(&machine.lock);
    snprintf(machine.words, sizeof machine.words, "%s", words);
    pthread_mutex_unlock(&machine.lock);
    __atomic_store_n(&machine.broken, (int)GA__EMULATOR_FAULT, __ATOMIC_RELAXED);
}

/* ---- switching between fibers ---- */

#ifndef GA__EMULATOR_UCONTEXT
/* Saves what a called function must keep, exchanges stack pointers, restores. */
extern "C" void ga__emulator_switch(void **save, void *to);
asm(".text\n"
    ".globl ga__emulator_switch\n"
    ".hidden ga__emulator_switch\n"
    ".type ga__emulator_switch,@function\n"
    "ga__emulator_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size ga__emulator_switch,.-ga__emulator_switch\n");
#endif

static char *stack_of(const block *b, const fiber *f)
{
    return b->stacks + (size_t)f->number * stack_bytes;
}

/* NULL = whoever started the block. */
static void jump(block *b, fiber *from, fiber *to)
{
#if defined __SANITIZE_ADDRESS__
    void **keep = from ? (from->is == DONE ? nullptr : &from->fake_stack) : &b->caller_fake;
    __sanitizer_start_switch_fiber(keep, to ? stack_of(b, to) : b->caller_stack,
                                   to ? stack_bytes : b->caller_size);
#endif
    b->current = to;
#ifdef GA__EMULATOR_UCONTEXT
    swapcontext(from ? &from->place : &b->caller, to ? &to->place : &b->caller);
#else
    ga__emulator_switch(from ? &from->place : &b->caller, to ? to->place : b->caller);
#endif
#if defined __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from ? from->fake_stack : b->caller_fake, nullptr, nullptr);
#endif
}

static void set_ready(block *b, fiber *f)
{
    f->is = READY;
    b->ready[f->turn >> 6] |= (uint64_t)1 << (f->turn & 63);
}

static void set_waiting(block *b, fiber *f, state is, const char *where)
{
    f->is = is;
    f->where = where;
    b->ready[f->turn >> 6] &= ~((uint64_t)1 << (f->turn & 63));
}

/* The first ready fiber from that turn on, cyclically. */
static fiber *next_ready(block *b, int turn)
{
    int words = (b->count + 63) / 64, at = turn >> 6;
    uint64_t mask = ~(uint64_t)0 << (turn & 63);
    for (int i = 0; i <= words; i++) {
        uint64_t found = at < words ? b->ready[at] & mask : 0;
        if (found) {
            return &b->fibers[(size_t)b->order[(size_t)(at * 64 + __builtin_ctzll(found))]];
        }
        at = at + 1 < words ? at + 1 : 0;
        mask = ~(uint64_t)0;
    }
    return nullptr;
}

static fiber *next_after(block *b, const fiber *f)
{
    int turn = b->greedy || f->turn + 1 == b->count ? 0 : f->turn + 1;
    return next_ready(b, turn);
}

[[noreturn]] void fault(const char *words)
{
    block *b = now;
    fiber *me = b->current;
    char text[512];
    int used = snprintf(text, sizeof text, "%s (block %u,%u,%u thread %u,%u,%u)", words, b->index.x,
                        b->index.y, b->index.z, me->thread.x, me->thread.y, me->thread.z);
    int named = 0;
    for (const fiber &f : b->fibers) {
        if ((f.is == WAITS || f.is == WAITS_AT_BARRIER) && named < 4 && used > 0 && used < (int)sizeof text) {
            used += snprintf(text + used, sizeof text - (size_t)used, "; thread %d waits in %s", f.number,
                             f.where);
            named++;
        }
    }
    note_fault(text);
    b->failed = true;
    me->is = DONE;
    jump(b, me, nullptr);
    abort(); /* nobody comes back here: the block has ended */
}

static void block_me(state is, const char *where)
{
    block *b = now;
    fiber *me = b->current;
    set_waiting(b, me, is, where);
    fiber *to = next_after(b, me);
    if (!to) {
        fault("deadlock: every thread that is left waits");
    }
    jump(b, me, to);
}

/* ---- barriers and collectives ---- */

static void release_barrier(block *b)
{
    b->at_barrier = 0;
    b->result = b->votes;
    b->votes = 0;
    for (fiber &f : b->fibers) {
        if (f.is == WAITS_AT_BARRIER) {
            set_ready(b, &f);
        }
    }
}

int barrier(const char *name, bool vote)
{
    block *b = now;
    b->votes += vote;
    if (++b->at_barrier == b->alive) {
        release_barrier(b);
    } else {
        block_me(WAITS_AT_BARRIER, name);
    }
    return b->result;
}

static meeting *find_meeting(warp &w, collective_fn body, const char *name, unsigned mask)
{
    for (meeting &m : w.open) {
        if (m.arrived && m.mask == mask) {
            return &m;
        }
    }
    for (meeting &m : w.open) {
        if (!m.arrived) {
            m.body = body;
            m.name = name;
            m.mask = mask;
            return &m;
        }
    }
    fault("too many operations of one warp at a time, with different masks");
}

void meet(collective_fn body, const char *name, unsigned mask, const void *in, void *out, int parameter)
{
    block *b = now;
    fiber *me = b->current;
    int lane = me->number & 31, first = me->number & ~31;
    if (!(mask >> lane & 1)) {
        fault("a lane is not in the mask that it gives");
    }
    meeting *m = find_meeting(b->warps[(size_t)(me->number >> 5)], body, name, mask);
    if (m->body != body) {
        fault("lanes of one mask call different operations");
    }
    m->in[lane] = in;
    m->out[lane] = out;
    m->parameter[lane] = parameter;
    m->arrived |= 1u << lane;
    if (m->arrived != mask) {
        block_me(WAITS, name);
        return;
    }
    body(*m);
    m->arrived = 0;
    for (int i = 0; i < 32; i++) {
        if ((mask >> i & 1) && i != lane) {
            set_ready(b, &b->fibers[(size_t)(first + i)]);
        }
    }
}

/* ---- asynchronous copies ---- */

void copy_16(void *to, const void *from)
{
    block *b = now;
    if ((((uintptr_t)to | (uintptr_t)from) & 15) != 0) {
        fault("cp.async: an address is not aligned to 16 bytes");
    }
    if (b->eager) {
        memcpy(to, from, 16);
    } else {
        b->current->copies.push_back({ to, from, 16 });
    }
}

void commit()
{
    fiber *me = now->current;
    me->groups.push_back(me->copies.size());
}

void wait(int groups)
{
    fiber *me = now->current;
    if ((int)me->groups.size() <= groups) {
        return;
    }
    size_t done = me->groups.size() - (size_t)groups, landed = me->groups[done - 1];
    for (size_t i = 0; i < landed; i++) {
        memcpy(me->copies[i].to, me->copies[i].from, (size_t)me->copies[i].bytes);
    }
    me->copies.erase(me->copies.begin(), me->copies.begin() + (long)landed);
    me->groups.erase(me->groups.begin(), me->groups.begin() + (long)done);
    for (size_t &end : me->groups) {
        end -= landed;
    }
}

/* ---- a block ---- */

static void fiber_main()
{
    block *b = now;
#if defined __SANITIZE_ADDRESS__
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
    if (!b->caller_stack) { /* the first fiber comes from the caller */
        b->caller_stack = bottom;
        b->caller_size = size;
    }
#endif
    b->body(b->arguments);
    fiber *me = b->current;
    if (!me->copies.empty()) {
        fault("a thread ends before its cp.async was waited for");
    }
    set_waiting(b, me, DONE, "");
    b->alive--;
    if (b->alive && b->at_barrier == b->alive) {
        release_barrier(b);
    }
    fiber *to = next_after(b, me);
    if (!to && b->alive) {
        fault("deadlock: threads wait for one that has ended");
    }
    jump(b, me, to);
    abort(); /* a fiber that is done is not resumed */
}

static void start_fiber(block *b, int number)
{
    fiber *f = &b->fibers[(size_t)number];
    unsigned n = (unsigned)number, x = b->threads.x, y = b->threads.y;
    f->number = number;
    f->fake_stack = nullptr;
    f->where = "";
    f->copies.clear();
    f->groups.clear();
    f->thread = dim3(n % x, n / x % y, n / (x * y));
    char *stack = stack_of(b, f);
    memcpy(stack, &canary, sizeof canary);
#ifdef GA__EMULATOR_UCONTEXT
    getcontext(&f->place);
    f->place.uc_stack.ss_sp = stack;
    f->place.uc_stack.ss_size = stack_bytes;
    f->place.uc_link = nullptr;
    makecontext(&f->place, fiber_main, 0);
#else
    void **top = (void **)(stack + stack_bytes - 16);
    *--top = nullptr;
    *--top = (void *)fiber_main;
    for (int i = 0; i < 6; i++) {
        *--top = nullptr;
    }
    f->place = top;
#endif
    set_ready(b, f);
}

static void choose_order(block *b, const ga__emulator_settings *settings, int64_t number)
{
    int n = b->count;
    for (int i = 0; i < n; i++) {
        b->order[(size_t)i] = settings->order == GA__ORDER_REVERSE ? n - 1 - i : i;
    }
    if (settings->order == GA__ORDER_SHUFFLED) {
        uint64_t x = (settings->seed * 0x9e3779b97f4a7c15u + (uint64_t)number + 1) * 0xbf58476d1ce4e5b9u | 1;
        for (int i = n - 1; i > 0; i--) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            std::swap(b->order[(size_t)i], b->order[x % (uint64_t)(i + 1)]);
        }
    }
    for (int i = 0; i < n; i++) {
        b->fibers[(size_t)b->order[(size_t)i]].turn = i;
    }
}

static void check_stacks(block *b)
{
    for (const fiber &f : b->fibers) {
        if (memcmp(stack_of(b, &f), &canary, sizeof canary) != 0 && !b->failed) {
            note_fault("the stack of a thread overflowed");
            b->failed = true;
        }
    }
}

static void run_block(block *b, const ga__emulator_settings *settings, int64_t number)
{
#if defined __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(b->stacks, (size_t)b->count * stack_bytes);
#endif
    b->alive = b->count;
    b->at_barrier = b->votes = 0;
    b->current = nullptr;
    b->failed = false;
    memset(b->shared, 0xff, b->shared_bytes); /* NaN */
    memset(b->ready, 0, sizeof b->ready);
    for (warp &w : b->warps) {
        for (meeting &m : w.open) {
            m.arrived = 0;
        }
    }
    choose_order(b, settings, number);
    for (int i = 0; i < b->count; i++) {
        start_fiber(b, i);
    }
    now = b;
    jump(b, nullptr, next_ready(b, 0));
    now = nullptr;
    check_stacks(b);
}

/* ---- a launch ---- */

struct grid {
    dim3 blocks, threads;
    size_t shared_bytes;
    void (*body)(const void *);
    const void *arguments;
    ga__emulator_settings settings;
    int64_t count, next; /* next is atomic */
    int error;           /* atomic */
};

static void destroy_block(block *b)
{
    if (b) {
        if (b->stacks) {
            munmap(b->stacks, MOST_THREADS * stack_bytes);
        }
        free(b->shared);
        delete b;
    }
}

/* Stacks and shared memory for the largest block; kept between launches. NULL = no memory. */
static block *take_block()
{
    block *b = nullptr;
    pthread_mutex_lock(&machine.lock);
    if (machine.idle_count > 0) {
        b = machine.idle[--machine.idle_count];
    }
    pthread_mutex_unlock(&machine.lock);
    if (b) {
        return b;
    }
    b = new (std::nothrow) block();
    if (b) {
        void *stacks = mmap(nullptr, MOST_THREADS * stack_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        b->stacks = stacks == MAP_FAILED ? nullptr : (char *)stacks;
    }
    if (!b || !b->stacks) {
        destroy_block(b);
        return nullptr;
    }
    return b;
}

static void return_block(block *b)
{
    pthread_mutex_lock(&machine.lock);
    bool full = machine.idle_count == MOST_SYSTEM_THREADS;
    if (!full) {
        machine.idle[machine.idle_count++] = b;
    }
    pthread_mutex_unlock(&machine.lock);
    if (full) {
        destroy_block(b);
    }
}

static bool prepare_block(block *b, const grid *g)
{
    int count = (int)(g->threads.x * g->threads.y * g->threads.z);
    b->count = count;
    b->fibers.resize((size_t)count);
    b->order.resize((size_t)count);
    b->warps.resize((size_t)(count + 31) / 32);
    b->threads = g->threads;
    b->blocks = g->blocks;
    b->greedy = g->settings.greedy;
    b->eager = g->settings.eager;
    b->body = g->body;
    b->arguments = g->arguments;
    b->caller_stack = nullptr;
    b->shared_bytes = g->shared_bytes;
    free(b->shared); /* of exactly this size, so that AddressSanitizer sees its end */
    void *shared = nullptr;
    if (posix_memalign(&shared, 128, g->shared_bytes ? g->shared_bytes : 1) != 0) {
        shared = nullptr;
    }
    b->shared = (unsigned char *)shared;
    return shared != nullptr;
}

static void *run_blocks(void *user)
{
    grid *g = (grid *)user;
    block *b = take_block();
    if (!b || !prepare_block(b, g)) {
        __atomic_store_n(&g->error, (int)GA__EMULATOR_MEMORY, __ATOMIC_RELAXED);
    }
    while (__atomic_load_n(&g->error, __ATOMIC_RELAXED) == 0) {
        int64_t i = __atomic_fetch_add(&g->next, 1, __ATOMIC_RELAXED);
        if (i >= g->count) {
            break;
        }
        int64_t plane = (int64_t)g->blocks.x * g->blocks.y;
        b->index = dim3((unsigned)(i % g->blocks.x), (unsigned)(i / g->blocks.x % g->blocks.y),
                        (unsigned)(i / plane));
        run_block(b, &g->settings, i);
        if (b->failed) {
            __atomic_store_n(&g->error, (int)GA__EMULATOR_FAULT, __ATOMIC_RELAXED);
        }
    }
    if (b) {
        return_block(b);
    }
    return nullptr;
}

static bool possible(dim3 blocks, dim3 threads, size_t shared_bytes)
{
    uint64_t count = (uint64_t)threads.x * threads.y * threads.z;
    return count >= 1 && threads.x <= 1024 && threads.y <= 1024 && threads.z <= 64 && count <= MOST_THREADS &&
           shared_bytes <= MOST_SHARED && blocks.x >= 1 && blocks.x <= 0x7fffffff && blocks.y >= 1 &&
           blocks.y <= 65535 && blocks.z >= 1 && blocks.z <= 65535;
}

static int system_threads(const grid *g)
{
    int64_t wanted = g->settings.threads;
    if (wanted <= 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        wanted = cores > 4 ? 4 : cores;
    }
    wanted = wanted > MOST_SYSTEM_THREADS ? (int64_t)MOST_SYSTEM_THREADS : wanted;
    return (int)(wanted > g->count ? g->count : wanted < 1 ? 1 : wanted);
}

int run(dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(const void *), const void *arguments)
{
    int error = ga__emulator_call(GA__CALL_LAUNCH);
    if (error) {
        return error;
    }
    if (now || !possible(blocks, threads, shared_bytes)) {
        return GA__EMULATOR_CONFIGURATION;
    }
    pthread_mutex_lock(&machine.lock);
    ga__emulator_settings settings = machine.settings;
    pthread_mutex_unlock(&machine.lock);
    grid g = {
        blocks, threads, shared_bytes, body, arguments, settings, (int64_t)blocks.x * blocks.y * blocks.z,
        0,      0
    };
    pthread_t helpers[MOST_SYSTEM_THREADS];
    int wanted = system_threads(&g), started = 0;
    while (started < wanted - 1 && pthread_create(&helpers[started], nullptr, run_blocks, &g) == 0) {
        started++;
    }
    run_blocks(&g);
    for (int i = 0; i < started; i++) {
        pthread_join(helpers[i], nullptr);
    }
    return g.error;
}

} // namespace ga__emulator

/* ---- the C side ---- */

using ga__emulator::machine;

void ga__emulator_set(const ga__emulator_settings *settings)
{
    pthread_mutex_lock(&machine.lock);
    machine.settings = *settings;
    machine.words[0] = '\0';
    pthread_mutex_unlock(&machine.lock);
    __atomic_store_n(&machine.calls, (int64_t)0, __ATOMIC_RELAXED);
    __atomic_store_n(&machine.broken, 0, __ATOMIC_RELAXED);
}

const char *ga__emulator_words(int error)
{
    switch (error) {
    case GA__EMULATOR_OK: return "no error";
    case GA__EMULATOR_INVALID: return "invalid argument";
    case GA__EMULATOR_MEMORY: return "out of memory";
    case GA__EMULATOR_CONFIGURATION: return "invalid configuration argument";
    case GA__EMULATOR_DEVICE: return "invalid device ordinal";
    case GA__EMULATOR_FAULT: return machine.words[0] ? machine.words : "unspecified launch failure";
    default: return "unrecognized error code";
    }
}

int ga__emulator_call(int kind)
{
    const ga__emulator_settings *is = &machine.settings;
    int broken = __atomic_load_n(&machine.broken, __ATOMIC_RELAXED);
    if (broken) {
        return broken;
    }
    if ((is->fail_kinds & kind) == 0) {
        return GA__EMULATOR_OK;
    }
    int64_t number = __atomic_fetch_add(&machine.calls, 1, __ATOMIC_RELAXED);
    if (number != is->fail_at) {
        return GA__EMULATOR_OK;
    }
    if (is->fail_sticky) {
        __atomic_store_n(&machine.broken, (int)GA__EMULATOR_FAULT, __ATOMIC_RELAXED);
        return GA__EMULATOR_FAULT;
    }
    return kind == GA__CALL_MEMORY ? GA__EMULATOR_MEMORY : GA__EMULATOR_INVALID;
}

int64_t ga__emulator_calls(void)
{
    return __atomic_load_n(&machine.calls, __ATOMIC_RELAXED);
}
