// The entry points of the fake driver: those that runtime/cuda/driver.h declares, and no others. One lock around all of them.
#include "runtime/cuda/driver.h"

#include "tests/cuda/driver/memory.h"
#include "tests/cuda/driver/settings.h"
#include "tests/cuda/driver/work.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

using namespace penstock::cuda;
using namespace penstock::fake;

#define FAKE_DECLARE(name, ...) extern "C" __attribute__((visibility("default"))) CUresult name(__VA_ARGS__);
PENSTOCK_CUDA_FUNCTIONS(FAKE_DECLARE)

namespace {

std::recursive_mutex lock;
bool started = false;
thread_local bool current = false;
thread_local CUstream captured = nullptr; // by this thread
std::map<void *, std::size_t> hostMemory;

/// Begins a call: the lock, and the error that it has.
struct Call {
  explicit Call(const char *name) : held(lock), error(!started ? CUDA_ERROR_NOT_INITIALIZED : called(name)) {}
  const std::lock_guard<std::recursive_mutex> held;
  const CUresult error;
};

#define CALL()                                                                                                                             \
  const Call call(__func__);                                                                                                               \
  if (call.error != CUDA_SUCCESS) {                                                                                                        \
    return call.error;                                                                                                                     \
  }
#define CALL_IN_CONTEXT()                                                                                                                  \
  CALL()                                                                                                                                   \
  if (!current) {                                                                                                                          \
    return CUDA_ERROR_INVALID_CONTEXT;                                                                                                     \
  }
/// What a thread may not call while it captures, on whatever stream (CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).
#define CALL_OUTSIDE_OF_CAPTURES()                                                                                                         \
  CALL_IN_CONTEXT()                                                                                                                        \
  if (captured != nullptr) {                                                                                                               \
    captured->invalid = true;                                                                                                              \
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;                                                                                          \
  }

CUresult refuse(const std::string &why) {
  std::fprintf(stderr, "fake CUDA: %s\n", why.c_str());
  return CUDA_ERROR_INVALID_VALUE;
}

struct Named {
  CUresult error;
  const char *name, *text;
};
constexpr Named names[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_DEINITIALIZED, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const Named *nameOf(CUresult error) {
  const auto *const found = std::find_if(std::begin(names), std::end(names), [&](const Named &one) { return one.error == error; });
  return found != std::end(names) ? found : nullptr;
}

void *pointer(CUdeviceptr memory) { return reinterpret_cast<void *>(memory); }

/// What a wait says: what happened meanwhile.
CUresult waited(CUstream stream, std::int64_t number) {
  ++counts().waits;
  run(stream, number, INT64_MAX);
  return stuck();
}

/// A question lets some of the work run.
constexpr std::int64_t asked = 64;

} // namespace

extern "C" {

CUresult cuInit(unsigned) {
  const std::lock_guard held(lock);
  const CUresult error = called("cuInit");
  if (error != CUDA_SUCCESS) {
    return error;
  }
  if (settings().cards < 1) {
    return CUDA_ERROR_NO_DEVICE;
  }
  started = true;
  (void)counts();
  explainFaults();
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  const std::lock_guard held(lock);
  *version = 13000;
  return called("cuDriverGetVersion");
}

CUresult cuGetErrorName(CUresult error, const char **text) {
  const Named *const found = nameOf(error);
  *text = found != nullptr ? found->name : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
  const Named *const found = nameOf(error);
  *text = found != nullptr ? found->text : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetCount(int *count) {
  CALL()
  *count = settings().cards;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  CALL()
  *device = ordinal;
  return ordinal >= 0 && ordinal < settings().cards ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  CALL()
  std::snprintf(name, static_cast<std::size_t>(length), "Fake GPU %d", device);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
  CALL()
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
    *value = 1980000;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
    *value = 3201000;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
    *value = 6144;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = settings().multiprocessors;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = settings().architecture / 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = settings().architecture % 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = (settings().architecture >= 90 ? 227 : 163) << 10;
    return CUDA_SUCCESS;
  }
  return refuse("an attribute of the card that it does not know");
}

CUresult cuDeviceGetPCIBusId(char *id, int length, CUdevice device) {
  CALL()
  std::snprintf(id, static_cast<std::size_t>(length), "0000:%02x:00.0", device + 1);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  CALL()
  *context = reinterpret_cast<CUcontext>(static_cast<std::uintptr_t>(device) + 1);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  CALL()
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  CALL()
  current = context != nullptr;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
  CALL_OUTSIDE_OF_CAPTURES()
  ++counts().waits;
  runAll();
  return stuck();
}

CUresult cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
  CALL_IN_CONTEXT()
  *free = static_cast<std::size_t>(freeBytes());
  *total = static_cast<std::size_t>(settings().memory);
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *memory, std::size_t bytes) {
  CALL_OUTSIDE_OF_CAPTURES()
  if (bytes == 0) {
    return refuse("an allocation of no bytes");
  }
  void *const made = allocateDevice(bytes);
  *memory = reinterpret_cast<CUdeviceptr>(made);
  ++counts().allocations;
  return made != nullptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemFree_v2(CUdeviceptr memory) {
  CALL_OUTSIDE_OF_CAPTURES()
  runAll();
  ++counts().frees;
  return memory == 0 || freeDevice(pointer(memory)) ? stuck() : refuse("what is freed was not allocated");
}

CUresult cuMemHostAlloc(void **memory, std::size_t bytes, unsigned) {
  CALL_OUTSIDE_OF_CAPTURES()
  *memory = std::aligned_alloc(4096, (std::max<std::size_t>(bytes, 1) + 4095) / 4096 * 4096);
  if (*memory == nullptr) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  ++counts().hostAllocations;
  hostMemory.emplace(*memory, bytes);
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *memory) {
  CALL_OUTSIDE_OF_CAPTURES()
  if (hostMemory.erase(memory) == 0) {
    return refuse("the host's memory that is freed was not allocated here");
  }
  runAll();
  std::free(memory);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, std::size_t bytes, CUstream stream) {
  CALL_IN_CONTEXT()
  if (bytes > 0 && !onDevice(pointer(to), bytes)) {
    return refuse("a copy to the device that does not fit into an allocation");
  }
  Work work;
  work.kind = WorkKind::copyIn;
  work.to = pointer(to);
  work.from = from;
  work.bytes = bytes;
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
  CALL_IN_CONTEXT()
  if (bytes > 0 && !onDevice(pointer(from), bytes)) {
    return refuse("a copy from the device that does not lie in an allocation");
  }
  Work work;
  work.kind = WorkKind::copyOut;
  work.to = to;
  work.from = pointer(from);
  work.bytes = bytes;
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t bytes, CUstream stream) {
  CALL_IN_CONTEXT()
  if (bytes > 0 && !onDevice(pointer(to), bytes)) {
    return refuse("memory that is set does not lie in an allocation");
  }
  Work work;
  work.kind = WorkKind::set;
  work.to = pointer(to);
  work.value = value;
  work.bytes = bytes;
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  CALL_IN_CONTEXT()
  *stream = makeStream();
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  CALL_IN_CONTEXT()
  dropStream(stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
  CALL_OUTSIDE_OF_CAPTURES()
  const CUstream it = streamOf(stream);
  return waited(it, it->enqueued);
}

CUresult cuStreamQuery(CUstream stream) {
  CALL_OUTSIDE_OF_CAPTURES()
  const CUstream it = streamOf(stream);
  ++counts().queries;
  run(it, it->enqueued, asked);
  return stuck() != CUDA_SUCCESS ? stuck() : it->finished < it->enqueued ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  CALL_IN_CONTEXT()
  Work work;
  work.kind = WorkKind::wait;
  work.other = event->stream != streamOf(stream) ? event->stream : nullptr;
  work.number = event->number;
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  CALL_IN_CONTEXT()
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  CALL_IN_CONTEXT()
  if (event->stream != nullptr && !done(*event)) {
    run(event->stream, event->number, INT64_MAX);
  }
  delete event;
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  CALL_IN_CONTEXT()
  const CUstream it = streamOf(stream);
  Work work;
  work.kind = WorkKind::record;
  work.event = event;
  const CUresult result = enqueue(it, std::move(work));
  event->stream = it->capturing ? nullptr : it;
  event->number = it->enqueued;
  return result;
}

CUresult cuEventQuery(CUevent event) {
  CALL_OUTSIDE_OF_CAPTURES()
  ++counts().queries;
  if (!done(*event)) {
    run(event->stream, event->number, asked);
  }
  return stuck() != CUDA_SUCCESS ? stuck() : done(*event) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent event) {
  CALL_OUTSIDE_OF_CAPTURES()
  if (done(*event)) {
    ++counts().waits;
    return stuck();
  }
  return waited(event->stream, event->number);
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  CALL_IN_CONTEXT()
  if (!done(*begin) || !done(*end)) {
    return CUDA_ERROR_NOT_READY;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  CALL_OUTSIDE_OF_CAPTURES()
  ++counts().modules;
  return loadModule(*module, image);
}

CUresult cuModuleUnload(CUmodule module) {
  CALL_OUTSIDE_OF_CAPTURES()
  runAll();
  unloadModule(module);
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  CALL_IN_CONTEXT()
  return findFunction(*function, module, name);
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
  CALL_IN_CONTEXT()
  *value = attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ? static_cast<int>(function->mostShared) : 0;
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  CALL_IN_CONTEXT()
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
      value > (settings().architecture >= 90 ? 227 : 163) << 10) {
    return refuse("an attribute of a kernel that cannot be set so");
  }
  function->mostShared = static_cast<unsigned>(value);
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream, void **arguments, void **) {
  CALL_IN_CONTEXT()
  const std::string name = "the launch of `" + function->name + "`: ";
  if (gridX < 1 || gridY < 1 || gridZ < 1 || gridX > INT32_MAX || gridY > 65535 || gridZ > 65535) {
    return refuse(name + "a grid of " + std::to_string(gridX) + "," + std::to_string(gridY) + "," + std::to_string(gridZ));
  }
  if (blockX < 1 || blockY != 1 || blockZ != 1 || static_cast<int>(blockX) > function->mostThreads) {
    return refuse(name + "blocks of " + std::to_string(blockX) + " threads, the kernel takes " + std::to_string(function->mostThreads));
  }
  if (sharedBytes > function->mostShared) {
    return refuse(name + std::to_string(sharedBytes) + " bytes of shared memory, it may have " + std::to_string(function->mostShared));
  }
  Work work;
  work.function = function;
  work.grid[0] = gridX, work.grid[1] = gridY, work.grid[2] = gridZ;
  work.threads = blockX;
  work.sharedBytes = sharedBytes;
  for (std::size_t i = 0; i < function->sizes.size(); ++i) {
    const auto *const from = static_cast<const unsigned char *>(arguments[i]);
    work.arguments.emplace_back(from, from + function->sizes[i]);
  }
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  CALL_IN_CONTEXT()
  if (stream == nullptr || captured != nullptr) {
    return CUDA_ERROR_ILLEGAL_STATE;
  }
  captured = stream;
  stream->capturing = true;
  stream->invalid = false;
  stream->captured.clear();
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  CALL_IN_CONTEXT()
  if (stream == nullptr || !stream->capturing) {
    return CUDA_ERROR_ILLEGAL_STATE;
  }
  stream->capturing = false;
  captured = nullptr;
  ++counts().captures;
  if (stream->invalid) {
    *graph = nullptr;
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  }
  *graph = new CUgraph_st{std::move(stream->captured)};
  stream->captured.clear();
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *made, CUgraph graph, unsigned long long) {
  CALL_IN_CONTEXT()
  *made = new CUgraphExec_st{graph->nodes};
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream) {
  CALL_IN_CONTEXT()
  ++counts().graphLaunches;
  Work work;
  work.kind = WorkKind::graph;
  work.nodes = graph->nodes;
  return enqueue(streamOf(stream), std::move(work));
}

CUresult cuGraphExecDestroy(CUgraphExec graph) {
  CALL_IN_CONTEXT()
  delete graph;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  CALL_IN_CONTEXT()
  delete graph;
  return CUDA_SUCCESS;
}
}
