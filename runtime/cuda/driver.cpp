#include "runtime/cuda/driver.h"

#include <fmt/format.h>

#include <dlfcn.h>

#include <cstdlib>

namespace penstock::cuda {

namespace {

constexpr const char *usual = "libcuda.so.1";

Result<Driver> openDriver() {
  const std::string file = driverFile();
  void *const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char *const reason = ::dlerror();
    return environmentError(fmt::format("there is no NVIDIA driver: `{}` cannot be opened ({}); install the driver on a machine with an "
                                        "NVIDIA card, or compute on the CPU by `--set target.device=cpu`",
                                        file, reason != nullptr ? reason : "no reason was given"));
  }
  Driver found;
  const char *missing = nullptr;
  const auto find = [&]<class F>(F *&to, const char *name) {
    to = reinterpret_cast<F *>(::dlsym(library, name));
    missing = to == nullptr && missing == nullptr ? name : missing;
  };
#define PENSTOCK_CUDA_FIND(name, ...) find(found.name, #name);
  PENSTOCK_CUDA_FUNCTIONS(PENSTOCK_CUDA_FIND)
#undef PENSTOCK_CUDA_FIND
  if (missing != nullptr) {
    return environmentError(fmt::format("the NVIDIA driver is too old: `{}` has no `{}`; a driver for CUDA 11.8 or later is needed, "
                                        "update it, or compute on the CPU by `--set target.device=cpu`",
                                        file, missing));
  }
  const CUresult started = found.cuInit(0);
  if (started == CUDA_ERROR_NO_DEVICE) {
    const char *const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return environmentError(
        visible != nullptr
            ? fmt::format("the NVIDIA driver finds no card: `CUDA_VISIBLE_DEVICES` is `{}`, which shows it none; unset it, or name a card "
                          "that `nvidia-smi -L` lists",
                          visible)
            : "the NVIDIA driver finds no card (`CUDA_ERROR_NO_DEVICE`); see what `nvidia-smi -L` lists, or compute on the CPU by `--set "
              "target.device=cpu`");
  }
  if (started != CUDA_SUCCESS) {
    return environmentError(fmt::format("the NVIDIA driver does not start: `cuInit` says `{}`; see whether `nvidia-smi` runs, and whether "
                                        "the driver's library and its kernel module are of one version",
                                        errorName(found, started)));
  }
  return found;
}

} // namespace

std::string driverFile() {
  const char *const other = std::getenv("PENSTOCK_CUDA_DRIVER");
  return other != nullptr && *other != '\0' ? other : usual;
}

Result<const Driver *> driver() {
  static const Result<Driver> opened = openDriver();
  PENSTOCK_TRY(opened.status());
  return &*opened;
}

std::string errorName(const Driver &driver, CUresult error) {
  const char *name = nullptr;
  if (driver.cuGetErrorName(error, &name) != CUDA_SUCCESS || name == nullptr) {
    return fmt::format("error {}", static_cast<int>(error));
  }
  return name;
}

} // namespace penstock::cuda
