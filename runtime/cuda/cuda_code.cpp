#include "runtime/base/program_rows.h"
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/handles.h"
#include "runtime/cuda/symbols.h"

#include <fmt/format.h>

#include <map>

namespace penstock::cuda {

namespace {

/// What the card takes of the rows of one name: machine code of its own architecture before text, which the driver compiles.
const PenstockDeviceCode &bestOf(const PenstockProgram &program, const PenstockDeviceCode &wanted, int architecture) {
  const PenstockDeviceCode *best = &wanted;
  for (const PenstockDeviceCode &row : codeOf(program)) {
    if (std::string_view(row.name) == wanted.name && row.form == PENSTOCK_CODE_CUBIN && row.architecture == architecture) {
      best = &row;
    }
  }
  return *best;
}

} // namespace

Status CudaCode::load(const PenstockProgram &program, const std::string &name) {
  if (!device.runs(program.level)) {
    return environmentError(fmt::format("{} is for the CPU (level `{}`), and was to run on `{}`; compile the pipeline again", name,
                                        program.level, device.name()));
  }
  of = &program;
  device.use();
  const Driver &calls = device.driver();
  std::map<const void *, CUmodule> images; // many functions lie in one
  for (const PenstockDeviceCode &row : codeOf(program)) {
    if (row.form == PENSTOCK_CODE_CUBIN) {
      continue; // stands behind the rows that steps know by number, and is taken in their place
    }
    const PenstockDeviceCode &code = bestOf(program, row, device.architecture());
    CUmodule &module = images[code.code];
    if (module == nullptr) {
      PENSTOCK_TRY(device.judge(calls.cuModuleLoadData(&module, code.code), fmt::format("while the code of {} was loaded", name)));
      modules.push_back(module);
    }
    LoadedKernel kernel = {nullptr, code.threads, static_cast<std::size_t>(code.shared_bytes)};
    PENSTOCK_TRY(device.judge(calls.cuModuleGetFunction(&kernel.function, module, code.name),
                              fmt::format("while `{}` of {} was loaded", code.name, name)));
    PENSTOCK_TRY(device.allowShared(kernel.function, kernel.sharedBytes));
    loaded.push_back(kernel);
  }
  return {};
}

CudaCode::~CudaCode() {
  device.use();
  for (const CUmodule module : modules) {
    (void)device.driver().cuModuleUnload(module);
  }
}

Result<void *> CudaCode::symbol(std::string_view name) { return cuda::symbol(name); }

Result<KernelHandle> CudaCode::handle(const PenstockDispatch &dispatch) { return makeHandle(dispatch, device); }

Result<MachineSpeed> CudaCode::speed(ThreadPool &) const { return device.speed(); }

// Sums have one order on every card; the tensor cores' rounding is an architecture's own.
std::string CudaCode::kernels(const PenstockProgram &program) const {
  return fmt::format("cuda sm_{}{}", device.architecture(), asksForBf16(program) ? ", bf16 by tensor cores" : "");
}

} // namespace penstock::cuda
