// What we use of NVIDIA's driver API, declared by ourselves: names, types and numbers are those of its documentation. Nothing of CUDA is
// needed to build, and the driver's library is opened by who asks for a card.
#pragma once

#include "runtime/base/status.h"

#include <cstddef>
#include <string>

namespace penstock::cuda {

using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;

enum CUresult : int {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_DEINITIALIZED = 4,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_ILLEGAL_STATE = 401,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_UNKNOWN = 999
};

enum CUdevice_attribute : int {
  CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13, // kHz
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,       // kHz
  CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37, // bits
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};
enum CUfunction_attribute : int {
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
  CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
  CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
};
enum CUstreamCaptureMode : int {
  CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
  CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
  CU_STREAM_CAPTURE_MODE_RELAXED = 2
};
inline constexpr unsigned CU_STREAM_NON_BLOCKING = 1;
inline constexpr unsigned CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2;
inline constexpr unsigned CU_MEMHOSTALLOC_PORTABLE = 1;

// The functions that we call: name in the library and arguments. All of them return a CUresult.
#define PENSTOCK_CUDA_FUNCTIONS(FUNCTION)                                                                                                  \
  FUNCTION(cuInit, unsigned flags)                                                                                                         \
  FUNCTION(cuDriverGetVersion, int *version)                                                                                               \
  FUNCTION(cuGetErrorName, CUresult error, const char **text)                                                                              \
  FUNCTION(cuGetErrorString, CUresult error, const char **text)                                                                            \
  FUNCTION(cuDeviceGetCount, int *count)                                                                                                   \
  FUNCTION(cuDeviceGet, CUdevice *device, int ordinal)                                                                                     \
  FUNCTION(cuDeviceGetName, char *name, int length, CUdevice device)                                                                       \
  FUNCTION(cuDeviceGetAttribute, int *value, CUdevice_attribute attribute, CUdevice device)                                                \
  FUNCTION(cuDeviceGetPCIBusId, char *id, int length, CUdevice device)                                                                     \
  FUNCTION(cuDevicePrimaryCtxRetain, CUcontext *context, CUdevice device)                                                                  \
  FUNCTION(cuDevicePrimaryCtxRelease_v2, CUdevice device)                                                                                  \
  FUNCTION(cuCtxSetCurrent, CUcontext context)                                                                                             \
  FUNCTION(cuCtxSynchronize)                                                                                                               \
  FUNCTION(cuMemGetInfo_v2, std::size_t *free, std::size_t *total)                                                                         \
  FUNCTION(cuMemAlloc_v2, CUdeviceptr *memory, std::size_t bytes)                                                                          \
  FUNCTION(cuMemFree_v2, CUdeviceptr memory)                                                                                               \
  FUNCTION(cuMemHostAlloc, void **memory, std::size_t bytes, unsigned flags)                                                               \
  FUNCTION(cuMemFreeHost, void *memory)                                                                                                    \
  FUNCTION(cuMemcpyHtoDAsync_v2, CUdeviceptr to, const void *from, std::size_t bytes, CUstream stream)                                     \
  FUNCTION(cuMemcpyDtoHAsync_v2, void *to, CUdeviceptr from, std::size_t bytes, CUstream stream)                                           \
  FUNCTION(cuMemsetD8Async, CUdeviceptr to, unsigned char value, std::size_t bytes, CUstream stream)                                       \
  FUNCTION(cuStreamCreate, CUstream *stream, unsigned flags)                                                                               \
  FUNCTION(cuStreamDestroy_v2, CUstream stream)                                                                                            \
  FUNCTION(cuStreamSynchronize, CUstream stream)                                                                                           \
  FUNCTION(cuStreamQuery, CUstream stream)                                                                                                 \
  FUNCTION(cuStreamWaitEvent, CUstream stream, CUevent event, unsigned flags)                                                              \
  FUNCTION(cuEventCreate, CUevent *event, unsigned flags)                                                                                  \
  FUNCTION(cuEventDestroy_v2, CUevent event)                                                                                               \
  FUNCTION(cuEventRecord, CUevent event, CUstream stream)                                                                                  \
  FUNCTION(cuEventQuery, CUevent event)                                                                                                    \
  FUNCTION(cuEventSynchronize, CUevent event)                                                                                              \
  FUNCTION(cuEventElapsedTime, float *milliseconds, CUevent begin, CUevent end)                                                            \
  FUNCTION(cuModuleLoadData, CUmodule *module, const void *image)                                                                          \
  FUNCTION(cuModuleUnload, CUmodule module)                                                                                                \
  FUNCTION(cuModuleGetFunction, CUfunction *function, CUmodule module, const char *name)                                                   \
  FUNCTION(cuFuncGetAttribute, int *value, CUfunction_attribute attribute, CUfunction function)                                            \
  FUNCTION(cuFuncSetAttribute, CUfunction function, CUfunction_attribute attribute, int value)                                             \
  FUNCTION(cuLaunchKernel, CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,          \
           unsigned blockZ, unsigned sharedBytes, CUstream stream, void **arguments, void **extra)                                         \
  FUNCTION(cuStreamBeginCapture_v2, CUstream stream, CUstreamCaptureMode mode)                                                             \
  FUNCTION(cuStreamEndCapture, CUstream stream, CUgraph *graph)                                                                            \
  FUNCTION(cuGraphInstantiateWithFlags, CUgraphExec *made, CUgraph graph, unsigned long long flags)                                        \
  FUNCTION(cuGraphLaunch, CUgraphExec graph, CUstream stream)                                                                              \
  FUNCTION(cuGraphExecDestroy, CUgraphExec graph)                                                                                          \
  FUNCTION(cuGraphDestroy, CUgraph graph)

/// The functions, by the names of the library.
struct Driver {
#define PENSTOCK_CUDA_MEMBER(name, ...) CUresult (*name)(__VA_ARGS__) = nullptr;
  PENSTOCK_CUDA_FUNCTIONS(PENSTOCK_CUDA_MEMBER)
#undef PENSTOCK_CUDA_MEMBER
};

/// The file that is opened: PENSTOCK_CUDA_DRIVER, or `libcuda.so.1`.
std::string driverFile();

/// The driver, opened and initialized once a process, or why there is none: no such library, one that is too old, one that finds no card
/// or does not start.
Result<const Driver *> driver();

/// "CUDA_ERROR_OUT_OF_MEMORY", or "error 12345" of one that the driver has no name for.
std::string errorName(const Driver &driver, CUresult error);

} // namespace penstock::cuda
