// How a host finds kernels: symbols by name and handles by dispatch, for a named level.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/device/thread_pool.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The instruction-set levels that code is made for, lowest first.
enum class Level { avx2, avx512, amx };

/// The best level of this machine, or an error that says which instructions are missing (below AVX2 + FMA).
/// PENSTOCK_LEVEL in the environment lowers it (never raises it above the machine).
Result<Level> machineLevel();
Result<Level> parseLevel(std::string_view name);
std::string_view levelName(Level level);

/// What computes programs of precision bf16 at `level` on this machine: "amx", "avx512_bf16", or "" where they are computed in
/// float32.
std::string_view bf16Instructions(Level level);

/// Address of the kernel `name` for `level`; an error names an unknown one.
Result<void *> kernelSymbol(std::string_view name, Level level);

/// Releases a handle.
struct KernelHandleDelete {
  void operator()(void *handle) const;
};
using KernelHandle = std::unique_ptr<void, KernelHandleDelete>;

/// Which implementation to take: "" is what PENSTOCK_KERNELS says, or "auto", that which the dispatch names; "reference", "packed" and
/// "onednn" force one (for tests and comparisons), "emulated" too, which is "packed" but for precision bf16: AMX's bits without its
/// instructions. Where a kind has no such implementation, ours serves.
Result<KernelHandle> makeKernelHandle(const PenstockDispatch &dispatch, Level level, std::string_view force = "");

struct MachineSpeed; // machine_speed.h

/// Whether products of the program are of precision bf16.
bool asksForBf16(const PenstockProgram &program);

/// What computes a program beside its own code, made where the program is loaded. Outlives the handles and the calls.
class LoadedCode {
public:
  virtual ~LoadedCode() = default;
  /// The address of a symbol of the program; an error names an unknown one.
  virtual Result<void *> symbol(std::string_view name) = 0;
  virtual Result<KernelHandle> handle(const PenstockDispatch &dispatch) = 0;
  /// What computes the program: a run keeps it, since others have other bits.
  virtual std::string kernels(const PenstockProgram &program) const = 0;
  /// What a profile compares with.
  virtual Result<MachineSpeed> speed(ThreadPool &pool) const = 0;
};
/// The CPU's. An error where this machine cannot run the program's level; `name` is the program's.
Result<std::shared_ptr<LoadedCode>> loadForCpu(const PenstockProgram &program, const std::string &name);

/// What `makeKernelHandle` takes where nothing is forced: PENSTOCK_KERNELS, or "auto".
std::string chosenKernels();
/// What computes a program then: "packed", ours, with those of its kinds that the program gives to others, and with what
/// computes its contractions of precision bf16 on this machine, where it has some, since other instructions add in another order:
/// "packed, bf16 by amx", "packed, bf16 in float32", "packed, matmul by onednn 2.6.3".
std::string kernelsOf(const PenstockProgram &program, Level level);

/// A packed weight as it may lie in a file. `format` is the number of its layout, the same for every machine of a level: what one handle
/// packed, another of the same kind, numbers and format adopts. 0: it is not to be kept.
struct PackedForm {
  std::size_t bytes = 0, alignment = 1;
  std::int32_t format = 0;
};
PackedForm kernelPackedForm(const void *handle);
/// Packs a weight into `into`, of the form's bytes and alignment; the handle goes on with the one that it has. A mistake of ours where the
/// form has no number.
Status kernelPackInto(const void *handle, const float *weight, ThreadPool &pool, void *into);
/// The packed weight that the handle computes with, of the form's bytes; NULL where it has none.
const void *kernelPacked(const void *handle);
/// From now on the handle computes with the packed weight at `from`, which outlives it, until one is packed again.
Status kernelAdopt(void *handle, const void *from);

/// Names of what can make handles of a kind; "packed" is ours.
std::vector<std::string_view> kernelImplementations(std::string_view kind);

/// Bytes that the handle holds (packed weights, primitives' scratch).
std::size_t kernelHandleBytes(const void *handle);

/// Whether everything that the handle computed so far succeeded; a library's kernel may fail in a step, which has nobody to tell.
Status kernelHandleStatus(const void *handle);

/// The version of oneDNN that programs would call, or why there is none.
Result<std::string> oneDnnVersion();

/// All levels' kernels count what happens inside them, for the test of the step's promises.
struct KernelCounters {
  long onednnPrimitivesCreated = 0, onednnExecutes = 0;
};
KernelCounters kernelCounters();

} // namespace penstock
