/* device_support.h - what tests of devices share: contexts on the emulated device, its schedules, calls that fail. */
#ifndef TESTS_DEVICE_SUPPORT_H
#define TESTS_DEVICE_SUPPORT_H

#include <graphattn/device.h>

#include "lib/engine/device/emulator.h"
#include "tests/unit/support.h"

/* Where the plug-ins of this build lie becomes $GRAPHATTN_PLUGIN_DIR, unless that is set. */
void test_plugin_folder(void);
/* Puts an existing context on the emulated device 0, in the default schedule. */
void test_use_emulated(ga_context *context);
/* A context on the emulated device; ga_context_destroy. */
ga_context *test_emulated_context(void);
/* How the emulated device runs from now on. */
void test_emulate(ga_context *context, const ga__emulator_settings *settings);
/* Calls that the device counted since test_emulate. */
int64_t test_device_calls(ga_context *context);

/* A tensor on the host as one on the device and back: NULL stays NULL. Returns owned. */
DLTensor *test_to_device(ga_context *context, const DLTensor *tensor);
DLTensor *test_to_host(ga_context *context, const DLTensor *tensor);

/* Runs body once for every schedule, {in turns, greedy} x {lazy, eager} x {forward, reverse, two seeds}, on 1 and on 2
 * threads of the system by turns. number: 0 to 15, to be named in what fails. */
typedef void (*test_schedule_body)(ga_context *context, int number, void *user);
void test_each_schedule(test_schedule_body body, void *user);
const char *test_schedule_name(int number);

/* Runs call with the k-th call to the device failing, k = 0, 1, 2, ..., until it succeeds: for each kind of call
 * (memory, copies, launches, waits) alone, as a failure of one call and as one that breaks the device. A failed call of
 * the first sort must be GA_NOMEM or GA_DEVICE_FAILED, with nothing left allocated on the host, and the context must
 * work afterwards; of the second sort GA_DEVICE_FAILED, and so must every later call be. The workspace is new each time.
 * Returns the number of failures that were tried; call frees what it made. */
int test_each_device_call(test_body call, void *user);
/* test_each_allocation for a call on the emulated device. */
int64_t test_each_device_allocation(test_body call, void *user);

#endif
