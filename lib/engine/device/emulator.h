/* emulator.h - the CUDA execution model on the CPU, for tests of kernels without a GPU.
 *
 * Every CUDA thread is a fiber; a block runs on one thread of the system, and blocks are spread over several. Operations
 * of a warp (shuffles, votes, ldmatrix, mma) are collectives: the lanes leave their operands, the last one to arrive
 * computes the results of all. Which fiber runs next and when an asynchronous copy lands is chosen by the settings, so
 * that a missing barrier or wait shows. What is wrong with a kernel (divergent barrier, operands that are not aligned, a
 * lane outside its own mask) ends the launch with an error number; ga__emulator_words() tells what and where. Not
 * emulated: the weak memory model, blocks that wait for each other, rounding inside tensor cores, limits of registers.
 *
 * The first half is C and belongs to tests and the plug-in; the second half is for kernel_emulated.h alone.
 */
#ifndef GA_LIB_ENGINE_DEVICE_EMULATOR_H
#define GA_LIB_ENGINE_DEVICE_EMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ga__emulator_order {
    GA__ORDER_FORWARD = 0, /* threads of a block in the order of their numbers */
    GA__ORDER_REVERSE,
    GA__ORDER_SHUFFLED /* by seed, another order for every block */
} ga__emulator_order;

/* Kinds of calls that can be told to fail. */
enum { GA__CALL_MEMORY = 1, GA__CALL_COPY = 2, GA__CALL_LAUNCH = 4, GA__CALL_WAIT = 8 };

typedef struct ga__emulator_settings {
    ga__emulator_order order;
    uint64_t seed;
    bool greedy;      /* one thread runs as far ahead as it can; otherwise they take turns */
    bool eager;       /* cp.async lands when it is issued; otherwise when it is waited for */
    int threads;      /* of the system; 0 = as many as there are cores, at most 4 */
    int fail_kinds;   /* which calls are counted for fail_at: a sum of the GA__CALL_ values */
    int64_t fail_at;  /* the number (from 0) of the call that fails; -1 = none */
    bool fail_sticky; /* it fails as a broken device does: every later call fails too */
} ga__emulator_settings;
#define GA__EMULATOR_SETTINGS_INIT \
    { \
        GA__ORDER_FORWARD, 1, false, false, 0, 0, -1, false \
    }

/* Error numbers, those of CUDA where it has one. */
enum {
    GA__EMULATOR_OK = 0,
    GA__EMULATOR_INVALID = 1,       /* an argument out of range */
    GA__EMULATOR_MEMORY = 2,        /* no memory */
    GA__EMULATOR_CONFIGURATION = 9, /* a launch with a block or shared memory that no device has */
    GA__EMULATOR_DEVICE = 101,      /* no such device */
    GA__EMULATOR_FAULT = 719        /* a kernel went wrong; sticky */
};

/* For all launches from now on; also forgets a sticky error and counts calls from 0. Not while kernels run. */
void ga__emulator_set(const ga__emulator_settings *settings);
/* Text of an error number; for GA__EMULATOR_FAULT what happened, in which block and thread. Valid until the next fault. */
const char *ga__emulator_words(int error);
/* Counts a call of that kind: 0, or the error with which it is to fail, a sticky one included. */
int ga__emulator_call(int kind);
/* Calls counted since ga__emulator_set, of the kinds in fail_kinds. */
int64_t ga__emulator_calls(void);

#ifdef __cplusplus
}

#include <tuple>
#include <utility>
#include <vector>

#if (!defined __x86_64__ && !defined GA__EMULATOR_UCONTEXT)
#define GA__EMULATOR_UCONTEXT 1
#endif
#ifdef GA__EMULATOR_UCONTEXT
#include <ucontext.h>
#endif

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c)
    {
    }
};

namespace ga__emulator
{

struct copy {
    void *to;
    const void *from;
    int bytes;
};

enum state { READY, WAITS, WAITS_AT_BARRIER, DONE };

struct fiber {
#ifdef GA__EMULATOR_UCONTEXT
    ucontext_t place;
#else
    void *place; /* its stack pointer while another one runs */
#endif
    dim3 thread;
    int number, turn; /* in the block; in the order of this block */
    state is;
    const char *where; /* what it waits in */
    void *fake_stack;  /* of AddressSanitizer */
    std::vector<copy> copies;
    std::vector<size_t> groups; /* copies before the end of each committed group */
};

/* What the lanes of one mask left for a collective. */
struct meeting;
typedef void (*collective_fn)(meeting &);
struct meeting {
    collective_fn body;
    const char *name;
    unsigned mask, arrived;
    const void *in[32];
    void *out[32];
    int parameter[32];
};
enum { MEETINGS = 4 }; /* of a warp at a time, with different masks */
struct warp {
    meeting open[MEETINGS];
};

struct block {
    std::vector<fiber> fibers;
    std::vector<warp> warps;
    std::vector<int> order;
    uint64_t ready[16]; /* by turn */
    int count, alive, at_barrier, votes;
    int result; /* of the last barrier with a vote */
    dim3 index, threads, blocks;
    char *stacks;
    unsigned char *shared;
    size_t shared_bytes;
    fiber *current;
    bool greedy, eager, failed;
    void (*body)(const void *);
    const void *arguments;
#ifdef GA__EMULATOR_UCONTEXT
    ucontext_t caller;
#else
    void *caller;
#endif
    void *caller_fake;
    const void *caller_stack;
    size_t caller_size;
};

/* The block that this thread of the system runs. */
extern thread_local block *now __attribute__((tls_model("initial-exec")));

/* Ends the launch with GA__EMULATOR_FAULT. */
[[noreturn]] void fault(const char *words);
/* Runs body(in, out, parameter of every lane in mask) once all of them are here. */
void meet(collective_fn body, const char *name, unsigned mask, const void *in, void *out, int parameter);
/* A barrier of the block. Returns the number of threads that voted. */
int barrier(const char *name, bool vote);
void copy_16(void *to, const void *from);
void commit();
/* Until at most so many of the newest groups are on their way. */
void wait(int groups);

/* Bodies of collectives. */
void sync(meeting &);
void ballot(meeting &);
void load_matrices(meeting &);
void load_matrices_transposed(meeting &);
void multiply_bf16(meeting &);
void multiply_f16(meeting &);

float from_half(uint16_t half);
uint16_t to_half(float value);

/* Runs body(arguments) in every thread of every block. Returns an error number. */
int run(dim3 blocks, dim3 threads, size_t shared_bytes, void (*body)(const void *), const void *arguments);

/* The arguments are evaluated once and converted to the kernel's parameters, as a launch does. */
template <class... P, class... A>
int launch(void (*kernel)(P...), dim3 blocks, dim3 threads, size_t shared_bytes, A &&...given)
{
    struct call {
        void (*kernel)(P...);
        std::tuple<P...> arguments;
    } c = { kernel, std::tuple<P...>(std::forward<A>(given)...) };
    return run(
        blocks, threads, shared_bytes,
        [](const void *p) { std::apply(((const call *)p)->kernel, ((const call *)p)->arguments); }, &c);
}

} // namespace ga__emulator
#endif

#endif
