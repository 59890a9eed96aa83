#include "runtime/cuda/cuda_device.h"

#include "runtime/cuda/library.h"
#include "runtime/device/devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

namespace penstock::cuda {

namespace {

constexpr std::size_t unit = 256;             // of memory
constexpr std::size_t sharedOfAll = 48 << 10; // what a block may have without being allowed more
constexpr int leastArchitecture = 80;

/// In the order in which they were made, which is that of their numbers.
std::vector<const LibraryKernel *> &registered() {
  static std::vector<const LibraryKernel *> all;
  return all;
}

std::size_t mib(std::size_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

const char *hintOf(CUresult result) {
  switch (result) {
  case CUDA_ERROR_OUT_OF_MEMORY:
    return "take a smaller `train.batch` or model, or a card that others do not use";
  case CUDA_ERROR_INVALID_IMAGE:
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
  case CUDA_ERROR_INVALID_PTX:
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    return "update the driver: it must know CUDA 11.8 or later";
  case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
  case CUDA_ERROR_INVALID_VALUE:
  case CUDA_ERROR_NOT_FOUND:
    return "please report this";
  case CUDA_ERROR_ILLEGAL_ADDRESS:
  case CUDA_ERROR_LAUNCH_FAILED:
    return "run again, of a training by `--resume`; where it comes back, please report it";
  default:
    return "run again, of a training by `--resume`; where it comes back, see what `nvidia-smi` and the system's log say of the card";
  }
}

Result<Device *> openCard(int number) {
  PENSTOCK_ASSIGN(CudaDevice *const device, CudaDevice::open(number));
  return static_cast<Device *>(device);
}

const DeviceKind kind("cuda", openCard);

} // namespace

LibraryKernel::LibraryKernel(const char *name) : named(name), number(static_cast<int>(registered().size())) {
  registered().push_back(this);
}

std::int64_t bucketOf(std::int64_t rows) {
  if (rows <= 0) {
    return 0;
  }
  const auto below = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(rows)));
  const std::int64_t step = std::max<std::int64_t>(16, below / 8);
  return (rows + step - 1) / step * step;
}

CudaDevice::CudaDevice(const Driver &driver, int ordinal)
    : calls(driver), ordinal(ordinal), named(ordinal == 0 ? "cuda" : fmt::format("cuda({})", ordinal)), functions(registered().size()),
      shared(registered().size()) {}

Result<CudaDevice *> CudaDevice::open(int ordinal) {
  static std::mutex mutex;
  // Never destroyed: memory of a card may be released until the process ends.
  static auto &opened = *new std::map<int, std::unique_ptr<CudaDevice>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<CudaDevice> &device = opened[ordinal];
  if (device == nullptr) {
    PENSTOCK_ASSIGN(const Driver *const driver, cuda::driver());
    std::unique_ptr<CudaDevice> made(new CudaDevice(*driver, ordinal));
    PENSTOCK_TRY(made->start());
    device = std::move(made);
  }
  return device.get();
}

Status CudaDevice::start() {
  int count = 0;
  PENSTOCK_TRY(judge(calls.cuDeviceGetCount(&count), "while cards were counted"));
  if (ordinal >= count) {
    return environmentError(fmt::format("there is no card `{}`: the NVIDIA driver shows {}, counted from 0; see `penstock doctor`, and "
                                        "`CUDA_VISIBLE_DEVICES` where it is set",
                                        named,
                                        count == 0   ? "none"
                                        : count == 1 ? "1 card"
                                                     : fmt::format("{} cards", count)));
  }
  int major = 0, minor = 0;
  PENSTOCK_TRY(judge(calls.cuDeviceGet(&card, ordinal), "while a card was opened"));
  PENSTOCK_TRY(
      judge(calls.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, card), "while a card was asked what it is"));
  PENSTOCK_TRY(
      judge(calls.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, card), "while a card was asked what it is"));
  compute = major * 10 + minor;
  if (compute < leastArchitecture) {
    return environmentError(fmt::format("the card `{}` has compute capability {}.{}; 8.0 or later is needed, take another card, or "
                                        "compute on the CPU by `--set target.device=cpu`",
                                        named, major, minor));
  }
  PENSTOCK_TRY(judge(calls.cuDevicePrimaryCtxRetain(&context, card), "while a card was opened"));
  use();
  return judge(calls.cuStreamCreate(&clearing, CU_STREAM_NON_BLOCKING), "while a stream was made");
}

Status CudaDevice::judge(CUresult result, std::string_view doing) const {
  if (result == CUDA_SUCCESS) {
    return {};
  }
  return environmentError(fmt::format("the NVIDIA driver said `{}` {}; {}", errorName(calls, result), doing, hintOf(result)));
}

Result<void *> CudaDevice::allocate(std::size_t &bytes, const char *what, bool zeros) {
  use();
  const std::size_t wanted = bytes;
  bytes = (std::max<std::size_t>(bytes, 1) + unit - 1) / unit * unit;
  CUdeviceptr memory = 0;
  const CUresult result = bytes < wanted ? CUDA_ERROR_OUT_OF_MEMORY : calls.cuMemAlloc_v2(&memory, bytes);
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    std::size_t free = 0, total = 0;
    (void)calls.cuMemGetInfo_v2(&free, &total);
    return environmentError(fmt::format("not enough memory of the card `{}` for {}: {} MiB wanted, {} of its {} MiB are free; {}", named,
                                        what, mib(wanted), free >> 20, total >> 20, hintOf(result)));
  }
  PENSTOCK_TRY(judge(result, "while memory was taken"));
  if (zeros) {
    CUresult cleared = calls.cuMemsetD8Async(memory, 0, bytes, clearing);
    cleared = cleared == CUDA_SUCCESS ? calls.cuStreamSynchronize(clearing) : cleared;
    if (cleared != CUDA_SUCCESS) {
      (void)calls.cuMemFree_v2(memory);
      return judge(cleared, "while memory was cleared");
    }
  }
  return reinterpret_cast<void *>(memory);
}

std::size_t CudaDevice::freeBytes() {
  use();
  std::size_t free = 0, total = 0;
  return calls.cuMemGetInfo_v2(&free, &total) == CUDA_SUCCESS ? free : 0;
}

void CudaDevice::release(void *memory, std::size_t) {
  use();
  (void)calls.cuMemFree_v2(reinterpret_cast<CUdeviceptr>(memory));
}

Result<void *> CudaDevice::Pinned::allocate(std::size_t &bytes, const char *what, bool zeros) {
  device.use();
  bytes = std::max<std::size_t>(bytes, 1);
  void *memory = nullptr;
  const CUresult result = device.calls.cuMemHostAlloc(&memory, bytes, CU_MEMHOSTALLOC_PORTABLE);
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    return environmentError(fmt::format("not enough pinned memory of the host for {}: {} MiB wanted; take a smaller `train.batch`, or a "
                                        "machine with more memory",
                                        what, mib(bytes)));
  }
  PENSTOCK_TRY(device.judge(result, "while pinned memory of the host was taken"));
  if (zeros) {
    std::memset(memory, 0, bytes);
  }
  return memory;
}

void CudaDevice::Pinned::release(void *memory, std::size_t) {
  device.use();
  (void)device.calls.cuMemFreeHost(memory);
}

Result<std::unique_ptr<Stream>> CudaDevice::openStream() {
  use();
  CUstream stream = nullptr;
  PENSTOCK_TRY(judge(calls.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "while a stream was made"));
  return std::unique_ptr<Stream>(std::make_unique<CudaStream>(*this, stream));
}

Result<LoadedKernel> CudaDevice::kernel(const LibraryKernel &kernel, std::size_t sharedBytes) {
  const auto index = static_cast<std::size_t>(kernel.index());
  std::atomic<CUfunction> &place = functions[index];
  CUfunction function = place.load(std::memory_order_acquire);
  if (function == nullptr) {
    const std::lock_guard lock(loading);
    PENSTOCK_ASSIGN(function, find(kernel));
    place.store(function, std::memory_order_release);
  }
  if (sharedBytes > shared[index].load(std::memory_order_acquire)) {
    const std::lock_guard lock(loading);
    if (sharedBytes > shared[index].load(std::memory_order_relaxed)) {
      PENSTOCK_TRY(allowShared(function, sharedBytes));
      shared[index].store(sharedBytes, std::memory_order_release);
    }
  }
  return LoadedKernel{function};
}

// The driver compiles a module as a whole: none is loaded but for what is in it.
Result<CUfunction> CudaDevice::find(const LibraryKernel &kernel) {
  modules.resize(libraryModules().size());
  const std::string entry = fmt::format(".entry {}(", kernel.name());
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const LibraryModule &from = libraryModules()[i];
    if (std::string_view(from.ptx).find(entry) == std::string_view::npos) {
      continue;
    }
    if (modules[i] == nullptr) {
      PENSTOCK_TRY(judge(calls.cuModuleLoadData(&modules[i], from.ptx), fmt::format("while the kernels `{}` were loaded", from.name)));
    }
    CUfunction function = nullptr;
    PENSTOCK_TRY(judge(calls.cuModuleGetFunction(&function, modules[i], kernel.name()),
                       fmt::format("while the kernel `{}` was loaded", kernel.name())));
    return function;
  }
  return internalError(fmt::format("the library has no kernel `{}`; please report this", kernel.name()));
}

MachineSpeed CudaDevice::speed() const {
  const auto number = [&](CUdevice_attribute attribute) {
    int value = 0;
    return calls.cuDeviceGetAttribute(&value, attribute, card) == CUDA_SUCCESS ? static_cast<double>(value) : 0.0;
  };
  // Of one multiprocessor and clock (NVIDIA's tables of throughput by compute capability): multiply-adds in float32, and those of tensor
  // cores in bf16.
  const double adds = compute == 80 ? 64 : 128, rounded = compute == 80 ? 1024 : compute < 90 ? 512 : 2048;
  const double clocks = number(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) * number(CU_DEVICE_ATTRIBUTE_CLOCK_RATE) * 1e3;
  MachineSpeed speed;
  char text[256] = "";
  (void)calls.cuDeviceGetName(text, sizeof text - 1, card);
  speed.device = *text == '\0' ? named : text;
  speed.fp32 = 2 * adds * clocks;
  speed.bf16 = 2 * rounded * clocks;
  speed.stream = 2 * number(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) * 1e3 * number(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8;
  return speed;
}

Status CudaDevice::allowShared(CUfunction function, std::size_t bytes) const {
  if (bytes <= sharedOfAll) {
    return {};
  }
  return judge(calls.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(bytes)),
               "while shared memory was asked for");
}

Result<std::shared_ptr<LoadedCode>> CudaDevice::load(const PenstockProgram &program, const std::string &name) {
  const auto code = std::make_shared<CudaCode>(*this);
  PENSTOCK_TRY(code->load(program, name));
  return std::shared_ptr<LoadedCode>(code);
}

} // namespace penstock::cuda
