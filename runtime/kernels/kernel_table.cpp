#include "runtime/kernels/kernel_table.h"

#include "runtime/base/checked.h"
#include "runtime/base/kernel_choices.h"
#include "runtime/base/program_rows.h"
#include "runtime/kernels/handles.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/machine_speed.h"
#include "runtime/kernels/onednn/onednn_matmul.h"

#include <algorithm>
#include <cstdlib>

namespace penstock {
namespace {

template <class F> void *address(F *function) { return reinterpret_cast<void *>(function); }

/// A row with the function that serves it at a level.
struct Symbol {
  const KernelRow &row;
  void *(*at)(const LevelKernels &level);
};
const Symbol symbols[] = {
#define PENSTOCK_LEVEL_KERNEL(kernel, function, ...) {kernels::kernel, [](const LevelKernels &level) { return address(level.kernel); }},
#define PENSTOCK_ONE_KERNEL(kernel, ...) {kernels::kernel, [](const LevelKernels &) { return address(penstock_##kernel); }},
#include "runtime/base/kernel_rows.def"
};

using Numbers = const std::int64_t *; // of a dispatch, checked

/// What computes in the precision of a dispatch at a level.
const PenstockContractions &contractionsOf(std::int64_t precision, Level level) {
  const PenstockContractions *rounding = precision == 1 ? bf16Contractions(level) : nullptr;
  return rounding != nullptr ? *rounding : levelTable(level).contractions;
}
const PenstockContractions &emulatedContractions(std::int64_t precision, Level level) {
  return precision == 1 ? penstockEmulatedBf16 : levelTable(level).contractions;
}
WeightShape weightOf(Numbers numbers) { return {numbers[0], numbers[1], numbers[2] != 0, numbers[3]}; }

/// What makes a kind of handle, by name: "packed", ours, serves every kind, level and shape.
struct Implementation {
  std::string_view kind, name;
  MadeObject<KernelObject> (*make)(Numbers numbers, Level level);
};
const Implementation implementations[] = {
    {"matmul", "packed", [](Numbers n, Level level) { return makePackedMatmul(contractionsOf(n[4], level), weightOf(n)); }},
    {"matmul", "emulated", [](Numbers n, Level level) { return makePackedMatmul(emulatedContractions(n[4], level), weightOf(n)); }},
    {"matmul", "onednn", [](Numbers n, Level level) { return makeOneDnnMatmul(weightOf(n), level); }},
    {"matmul", "reference", [](Numbers n, Level) { return makeReferenceMatmul(weightOf(n)); }},
    {"weight_gradient", "packed", [](Numbers n, Level level) { return makePackedWeightGradient(contractionsOf(n[2], level), n[0], n[1]); }},
    {"weight_gradient", "emulated",
     [](Numbers n, Level level) { return makePackedWeightGradient(emulatedContractions(n[2], level), n[0], n[1]); }},
    {"weight_gradient", "reference", [](Numbers n, Level) { return makeReferenceWeightGradient(n[0], n[1]); }},
    {"conv1d", "packed", [](Numbers n, Level level) { return makePackedConv(levelTable(level), n[0], n[1], n[2]); }},
    {"conv1d", "reference", [](Numbers n, Level) { return makeReferenceConv(n[0], n[1], n[2]); }},
};

const Implementation *findImplementation(std::string_view kind, std::string_view name) {
  for (const Implementation &implementation : implementations) {
    if (implementation.kind == kind && implementation.name == name) {
      return &implementation;
    }
  }
  return nullptr;
}

/// Who computes it, as the program says.
std::string_view implementationOf(const PenstockDispatch &dispatch) {
  return dispatch.implementation == nullptr || *dispatch.implementation == '\0' ? ownKernels : dispatch.implementation;
}

bool isImplementation(std::string_view name) {
  return std::any_of(std::begin(implementations), std::end(implementations), [&](const Implementation &i) { return i.name == name; });
}

/// The number `precision` of a dispatch, 0 where its kind has none.
std::int64_t precisionOf(const KernelHandleKind &kind, const PenstockDispatch &dispatch) {
  for (int i = 0; i < std::min(countNumbers(kind), dispatch.attribute_count); ++i) {
    if (std::string_view(kind.numbers[i]) == "precision") {
      return dispatch.attributes[i];
    }
  }
  return 0;
}

Status checkNumbers(const PenstockDispatch &dispatch, const KernelHandleKind &kind) {
  const std::string name = dispatch.kernel;
  if (dispatch.attribute_count != countNumbers(kind)) {
    return invalidInput("the program asks for `" + name + "` with " + std::to_string(dispatch.attribute_count) + " attributes; it takes " +
                        std::to_string(countNumbers(kind)) + "; compile the pipeline again");
  }
  for (std::int32_t i = 0; i < dispatch.attribute_count; ++i) {
    if (dispatch.attributes[i] < 0 || dispatch.attributes[i] > INT32_MAX) {
      return invalidInput("the program asks for `" + name + "` with the size " + std::to_string(dispatch.attributes[i]) +
                          "; sizes lie between 0 and 2147483647");
    }
  }
  if (const std::int64_t precision = precisionOf(kind, dispatch); precision > 1) {
    return invalidInput("the program asks for `" + name + "` of the precision " + std::to_string(precision) +
                        "; there are 0, float32, and 1, bf16");
  }
  return {};
}

/// What a kind asks of its numbers beyond their ranges.
Status checkShape(std::string_view kind, Numbers numbers) {
  if (kind == "matmul") {
    const WeightShape shape = weightOf(numbers);
    if (shape.stride < (shape.transposed ? shape.k : shape.n)) {
      return invalidInput("the program asks for a `matmul` by " + std::to_string(shape.k) + " x " + std::to_string(shape.n) +
                          " numbers in rows " + std::to_string(shape.stride) + " apart, which overlap; compile the pipeline again");
    }
  } else if (kind == "conv1d") {
    PENSTOCK_ASSIGN(const std::int64_t window, (Checked(numbers[0]) * std::max(numbers[1], numbers[2])).get("a convolution's window"));
    if (numbers[0] < 1 || window > PENSTOCK_SCRATCH_FLOATS / 2) {
      return invalidInput("a `conv1d` of width " + std::to_string(numbers[0]) + " over " + std::to_string(numbers[1]) + " inputs and " +
                          std::to_string(numbers[2]) +
                          " maps is outside the limits; its width is at least 1, and width times the larger of "
                          "inputs and maps at most " +
                          std::to_string(PENSTOCK_SCRATCH_FLOATS / 2));
    }
  }
  return {};
}

} // namespace

Result<void *> kernelSymbol(std::string_view name, Level level) {
  constexpr std::string_view prefix = "penstock_";
  if (name == "penstock_parallel_for") {
    return address(penstock_parallel_for);
  }
  const bool known = name.starts_with(prefix);
  for (const Symbol &symbol : symbols) {
    if (known && name.substr(prefix.size()) == symbol.row.name) {
      return symbol.at(levelTable(level).kernels);
    }
  }
  return invalidInput("the program needs the kernel `" + std::string(name) +
                      "`, which this version does not have; compile the pipeline again, or use the version that "
                      "compiled it");
}

void KernelHandleDelete::operator()(void *handle) const { delete static_cast<KernelObject *>(handle); }

std::size_t kernelHandleBytes(const void *handle) { return static_cast<const KernelObject *>(handle)->bytes(); }

Status kernelHandleStatus(const void *handle) { return static_cast<const KernelObject *>(handle)->status(); }

std::string chosenKernels() {
  const char *environment = std::getenv("PENSTOCK_KERNELS");
  return environment != nullptr && *environment != '\0' ? environment : "auto";
}

bool asksForBf16(const PenstockProgram &program) {
  const auto dispatches = dispatchesOf(program);
  return std::any_of(dispatches.begin(), dispatches.end(), [](const PenstockDispatch &dispatch) {
    const KernelHandleKind *const kind = findKernelHandleKind(dispatch.kernel);
    return kind != nullptr && precisionOf(*kind, dispatch) == 1;
  });
}

std::string kernelsOf(const PenstockProgram &program, Level level) {
  const std::string asked = chosenKernels();
  // The order of a library's sums is its version's.
  const auto shown = [](std::string_view name) {
    const Result<std::string> version = name == "onednn" ? oneDnnVersion() : std::string();
    return std::string(name) + (version.ok() && !version->empty() ? " " + *version : "");
  };
  std::string others, bf16;
  if (asked != "emulated" && asksForBf16(program)) {
    const std::string_view by = bf16Instructions(level);
    bf16 = by.empty() ? ", bf16 in float32" : ", bf16 by " + std::string(by);
  }
  for (const PenstockDispatch &dispatch : dispatchesOf(program)) {
    const std::string_view name = asked == "auto" ? implementationOf(dispatch) : ownKernels;
    const std::string other = ", " + std::string(dispatch.kernel) + " by " + shown(name);
    if (name != ownKernels && others.find(other) == std::string::npos) {
      others += other;
    }
  }
  return shown(asked == "auto" ? ownKernels : std::string_view(asked)) + others + bf16;
}

namespace {

class CpuCode final : public LoadedCode {
public:
  explicit CpuCode(Level level) : level(level) {}
  Result<void *> symbol(std::string_view name) override { return kernelSymbol(name, level); }
  Result<KernelHandle> handle(const PenstockDispatch &dispatch) override { return makeKernelHandle(dispatch, level); }
  std::string kernels(const PenstockProgram &program) const override { return kernelsOf(program, level); }
  Result<MachineSpeed> speed(ThreadPool &pool) const override { return measureMachine(level, pool); }

private:
  Level level;
};

} // namespace

Result<std::shared_ptr<LoadedCode>> loadForCpu(const PenstockProgram &program, const std::string &name) {
  PENSTOCK_ASSIGN(const Level level, parseLevel(program.level));
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  if (level > machine) {
    return environmentError(name + " needs a machine of level `" + program.level + "`, this one is `" + std::string(levelName(machine)) +
                            "`; compile for it with `target.level` or on this machine");
  }
  return std::shared_ptr<LoadedCode>(std::make_shared<CpuCode>(level));
}

KernelCounters kernelCounters() { return oneDnnCounters(); }

std::vector<std::string_view> kernelImplementations(std::string_view kind) {
  std::vector<std::string_view> names;
  for (const Implementation &implementation : implementations) {
    if (implementation.kind == kind) {
      names.push_back(implementation.name);
    }
  }
  return names;
}

Result<const KernelHandleKind *> checkDispatch(const PenstockDispatch &dispatch) {
  const KernelHandleKind *kind = findKernelHandleKind(dispatch.kernel);
  if (kind == nullptr) {
    std::string kinds;
    for (const KernelHandleKind *one : kernelHandleKinds()) {
      kinds += (kinds.empty() ? "`" : ", `") + std::string(one->name) + "`";
    }
    return invalidInput("the program asks for a handle of `" + std::string(dispatch.kernel) + "`; handles exist for " + kinds);
  }
  PENSTOCK_TRY(checkNumbers(dispatch, *kind));
  PENSTOCK_TRY(checkShape(kind->name, dispatch.attributes));
  return kind;
}

Result<KernelHandle> makeKernelHandle(const PenstockDispatch &dispatch, Level level, std::string_view force) {
  const std::string chosen = chosenKernels();
  const std::string_view asked = force.empty() ? std::string_view(chosen) : force;
  if (asked != "auto" && !isImplementation(asked)) {
    return invalidInput("`" + std::string(asked) + "` is not an implementation of kernels; they are `auto`, `reference`, `packed`, " +
                        "`onednn` and `emulated`");
  }
  PENSTOCK_ASSIGN(const KernelHandleKind *const kind, checkDispatch(dispatch));
  if (asked == "onednn" && precisionOf(*kind, dispatch) == 1) {
    return invalidInput("`precision: bf16` is computed by our own kernels, and `PENSTOCK_KERNELS=onednn` asks for oneDNN's, which are "
                        "float32; unset it, or write `precision: fp32`");
  }
  const std::string_view name = asked == "auto" ? implementationOf(dispatch) : asked;
  const Implementation *implementation = findImplementation(kind->name, name);
  if (implementation == nullptr && asked == "auto") {
    return invalidInput("the program asks for `" + std::string(kind->name) + "` by `" + std::string(name) +
                        "`, which this version does not have; compile the pipeline again, or use the version that compiled it");
  }
  // oneDNN has no matmul of nothing, and nobody but us has every kind.
  const bool nothing = dispatch.attributes[0] == 0 || dispatch.attributes[1] == 0;
  if (implementation == nullptr || (name == "onednn" && nothing)) {
    implementation = findImplementation(kind->name, ownKernels);
  }
  PENSTOCK_ASSIGN(std::unique_ptr<KernelObject> made, implementation->make(dispatch.attributes, level));
  if (made == nullptr) {
    return environmentError("memory ran out while kernels were made; take a smaller model or a larger machine");
  }
  return KernelHandle(made.release());
}

PackedForm kernelPackedForm(const void *handle) { return static_cast<const KernelObject *>(handle)->form(); }

Status kernelPackInto(const void *handle, const float *weight, ThreadPool &pool, void *into) {
  const KernelObject &object = *static_cast<const KernelObject *>(handle);
  if (object.form().format == 0) {
    return internalError("a weight was to be packed for a file by kernels whose form has no number");
  }
  object.packInto(weight, &pool, static_cast<float *>(into));
  return {};
}

const void *kernelPacked(const void *handle) { return static_cast<const KernelObject *>(handle)->packed(); }

Status kernelAdopt(void *handle, const void *from) {
  KernelObject &object = *static_cast<KernelObject *>(handle);
  if (object.form().format == 0 || reinterpret_cast<std::uintptr_t>(from) % object.form().alignment != 0) {
    return internalError("a packed weight was given to kernels whose form has no number, or at a place that is not aligned");
  }
  object.adopt(static_cast<const float *>(from));
  return {};
}

} // namespace penstock
