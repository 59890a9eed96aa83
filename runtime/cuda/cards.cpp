#include "runtime/cuda/cards.h"

#include "runtime/cuda/driver.h"

#include <fmt/format.h>

namespace penstock::cuda {

namespace {

Status judged(const Driver &driver, CUresult result, const char *call) {
  return result == CUDA_SUCCESS ? Status()
                                : environmentError(fmt::format("the NVIDIA driver does not say what cards there are: `{}` says `{}`; see "
                                                               "what `nvidia-smi` says",
                                                               call, errorName(driver, result)));
}

/// Memory is known in a context alone, which is given back.
Status readMemory(const Driver &driver, CUdevice device, Card &card) {
  CUcontext context = nullptr;
  PENSTOCK_TRY(judged(driver, driver.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain"));
  CUresult result = driver.cuCtxSetCurrent(context);
  result = result == CUDA_SUCCESS ? driver.cuMemGetInfo_v2(&card.free, &card.total) : result;
  (void)driver.cuDevicePrimaryCtxRelease_v2(device);
  return judged(driver, result, "cuMemGetInfo");
}

} // namespace

Result<Cards> findCards() {
  PENSTOCK_ASSIGN(const Driver *const found, driver());
  const Driver &driver = *found;
  Cards all;
  all.file = driverFile();
  int version = 0, count = 0;
  PENSTOCK_TRY(judged(driver, driver.cuDriverGetVersion(&version), "cuDriverGetVersion"));
  all.version = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  PENSTOCK_TRY(judged(driver, driver.cuDeviceGetCount(&count), "cuDeviceGetCount"));
  for (int number = 0; number < count; ++number) {
    Card &card = all.cards.emplace_back();
    CUdevice device = 0;
    char text[256] = "";
    PENSTOCK_TRY(judged(driver, driver.cuDeviceGet(&device, number), "cuDeviceGet"));
    PENSTOCK_TRY(judged(driver, driver.cuDeviceGetName(text, sizeof text - 1, device), "cuDeviceGetName"));
    card.name = text;
    PENSTOCK_TRY(judged(driver, driver.cuDeviceGetPCIBusId(text, sizeof text - 1, device), "cuDeviceGetPCIBusId"));
    card.bus = text;
    int major = 0, minor = 0;
    for (const auto &[attribute, value] :
         {std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major), std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor),
          std::pair(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &card.multiprocessors)}) {
      PENSTOCK_TRY(judged(driver, driver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute"));
    }
    card.architecture = major * 10 + minor;
    PENSTOCK_TRY(readMemory(driver, device, card));
  }
  return all;
}

} // namespace penstock::cuda
