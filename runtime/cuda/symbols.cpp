#include "runtime/cuda/symbols.h"

#include "runtime/base/kernel_rows.h"
#include "runtime/cuda/kernel_types.h"
#include "runtime/cuda/launch.h"

#include <fmt/format.h>

// One without a definition is null.
extern "C" {
#define PENSTOCK_KERNEL(kernel, ...) [[gnu::weak]] penstock::cuda::Function<penstock::kernels::kernel> penstock_cuda_##kernel;
#include "runtime/base/kernel_rows.def"
}

namespace penstock::cuda {

namespace {

struct Launcher {
  const KernelRow &row;
  void *address;
};
const Launcher launchers[] = {
#define PENSTOCK_KERNEL(kernel, ...) {kernels::kernel, reinterpret_cast<void *>(penstock_cuda_##kernel)},
#include "runtime/base/kernel_rows.def"
};

} // namespace

Result<void *> symbol(std::string_view name) {
  constexpr std::string_view prefix = "penstock_";
  if (name == "penstock_launch") {
    return reinterpret_cast<void *>(penstock_launch);
  }
  for (const Launcher &launcher : launchers) {
    if (name.starts_with(prefix) && name.substr(prefix.size()) == launcher.row.name && launcher.address != nullptr) {
      return launcher.address;
    }
  }
  return invalidInput(fmt::format("the program needs the kernel `{}`, which has no CUDA code in this version; compile the pipeline again, "
                                  "or compute on the CPU by `--set target.device=cpu`",
                                  name));
}

std::vector<std::string_view> kernelsWithoutCode() {
  std::vector<std::string_view> names;
  for (const Launcher &launcher : launchers) {
    if (launcher.address == nullptr) {
      names.push_back(launcher.row.name);
    }
  }
  return names;
}

} // namespace penstock::cuda
