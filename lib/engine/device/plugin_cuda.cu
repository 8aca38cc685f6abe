/* plugin_cuda.cu - graphattn-cuda.so: the table of table.h on the CUDA run-time library. */
#include "lib/engine/device/plugin.h"

#include <cuda_runtime.h>
#include <stdio.h>

static const char *words(int error)
{
    return cudaGetErrorString((cudaError_t)error);
}

static int count(int *devices)
{
    return (int)cudaGetDeviceCount(devices);
}

static int facts(int device, ga_device_facts *facts)
{
    struct cudaDeviceProp is;
    cudaError_t error = cudaGetDeviceProperties(&is, device);
    if (error == cudaSuccess) {
        snprintf(facts->name, sizeof facts->name, "%s", is.name);
        facts->compute_capability = is.major * 10 + is.minor;
        facts->multiprocessors = is.multiProcessorCount;
        facts->memory = (int64_t)is.totalGlobalMem;
        facts->shared_memory = (int64_t)is.sharedMemPerBlockOptin;
    }
    return (int)error;
}

static int use(int device)
{
    return (int)cudaSetDevice(device);
}

/* The errors after which the run-time library refuses everything: the process has to end. */
static int is_sticky(int error)
{
    switch ((cudaError_t)error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorUnknown: return 1;
    default: return 0;
    }
}

static int allocate(size_t bytes, void **memory)
{
    cudaError_t error = cudaMalloc(memory, bytes);
    if (error != cudaSuccess) {
        (void)cudaGetLastError(); /* or the next launch would report it */
    }
    return (int)error;
}

static int release(void *memory)
{
    return (int)cudaFree(memory);
}

static int upload(void *to, const void *from, size_t bytes, void *stream)
{
    return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, (cudaStream_t)stream);
}

static int download(void *to, const void *from, size_t bytes, void *stream)
{
    return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, (cudaStream_t)stream);
}

static int copy(void *to, const void *from, size_t bytes, void *stream)
{
    return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, (cudaStream_t)stream);
}

static int clear(void *memory, size_t bytes, void *stream)
{
    return (int)cudaMemsetAsync(memory, 0, bytes, (cudaStream_t)stream);
}

static int synchronise(void *stream)
{
    return (int)cudaStreamSynchronize((cudaStream_t)stream);
}

static ga__device_table make_table()
{
    ga__device_table made = {};
    made.abi = GA__DEVICE_ABI;
    made.size = sizeof made;
    made.name = "cuda";
    made.words = words;
    made.count = count;
    made.facts = facts;
    made.use = use;
    made.is_sticky = is_sticky;
    made.allocate = allocate;
    made.release = release;
    made.upload = upload;
    made.download = download;
    made.copy = copy;
    made.clear = clear;
    made.synchronise = synchronise;
    ga__fill_operators(&made);
    return made;
}

GA__PLUGIN_EXPORT const ga__device_table *ga__device_query(uint32_t abi)
{
    static const ga__device_table table = make_table();
    return abi == GA__DEVICE_ABI ? &table : nullptr;
}
