#include "runtime/kernels/kernel_table.h"

#include "runtime/base/checked.h"
#include "runtime/kernels/handles.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/onednn/onednn_matmul.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace penstock {
namespace {

template <class F> void *address(F *function) { return reinterpret_cast<void *>(function); }

using Table = PenstockLevelTable;

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

class PackedMatmul final : public MatmulObject {
public:
  PackedMatmul(const PenstockContractions &contractions, const WeightShape &weight, Floats room)
      : by(contractions), shape(weight), packed(std::move(room)) {}
  std::size_t bytes() const override { return static_cast<std::size_t>(by.packedFloats(shape.k, shape.n)) * sizeof(float); }
  void pack(const float *w, void *pool) override {
    by.pack(pool, w, shape.stride, shape.k, shape.n, shape.transposed ? 1 : 0, packed.get());
  }
  void run(const float *x, std::int64_t ldx, float *y, std::int64_t ldy, std::int64_t rows, const float *bias, bool accumulate) override {
    by.matmul(packed.get(), shape.k, shape.n, x, ldx, y, ldy, rows, bias, accumulate ? 1 : 0);
  }

private:
  const PenstockContractions &by;
  WeightShape shape;
  Floats packed;
};

class PackedWeightGradient final : public WeightGradientObject {
public:
  PackedWeightGradient(const PenstockContractions &contractions, std::int64_t inputs, std::int64_t outputs)
      : by(contractions), k(inputs), n(outputs) {}
  std::size_t bytes() const override { return 0; }
  void run(void *pool, const float *x, std::int64_t ldx, const float *dy, std::int64_t lddy, std::int64_t rows, float *dw,
           float *scratch) override {
    by.weightGradient(pool, k, n, x, ldx, dy, lddy, rows, dw, scratch);
  }

private:
  const PenstockContractions &by;
  std::int64_t k, n;
};

class PackedConv final : public ConvObject {
public:
  PackedConv(const Table &levelTable, const PenstockConv &sizes, Floats room, Floats flippedRoom)
      : table(levelTable), conv(sizes), packed(std::move(room)), packedFlipped(std::move(flippedRoom)) {
    conv.packed = packed.get();
    conv.packedFlipped = packedFlipped.get();
  }
  std::size_t bytes() const override {
    return static_cast<std::size_t>(table.contractions.packedFloats(conv.width * conv.k, conv.n) +
                                    table.contractions.packedFloats(conv.width * conv.n, conv.k)) *
           sizeof(float);
  }
  void pack(const float *w, void *pool) override { table.convPack(&conv, w, pool); }
  void run(const float *x, float *y, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias,
           float *scratch) override {
    table.convRun(&conv, x, y, offsets, begin, end, bias, scratch);
  }
  void gradientInput(const float *dy, float *dx, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, bool accumulate,
                     float *scratch) override {
    table.convGradientInput(&conv, dy, dx, offsets, begin, end, accumulate ? 1 : 0, scratch);
  }
  void gradientWeight(void *pool, const float *x, const float *dy, const std::int32_t *offsets, std::int64_t records, float *dw,
                      float *scratch) override {
    table.convGradientWeight(&conv, pool, x, dy, offsets, records, dw, scratch);
  }
  void max(const float *x, const std::int32_t *offsets, std::int64_t begin, std::int64_t end, const float *bias, float *out,
           std::int32_t *argmax, float *scratch) override {
    table.convMax(&conv, x, offsets, begin, end, bias, out, argmax, scratch);
  }
  void maxGradientInput(const float *w, const float *g, const std::int32_t *argmax, float *dx, const std::int32_t *offsets,
                        std::int64_t begin, std::int64_t end, bool accumulate) override {
    table.convMaxGradientInput(&conv, w, g, argmax, dx, offsets, begin, end, accumulate ? 1 : 0);
  }
  void maxGradientWeight(void *pool, const float *x, const float *g, const std::int32_t *argmax, const std::int32_t *offsets,
                         std::int64_t records, float *dw) override {
    table.convMaxGradientWeight(&conv, pool, x, g, argmax, offsets, records, dw);
  }

private:
  const Table &table;
  PenstockConv conv;
  Floats packed, packedFlipped;
};

/// The floats that packing needs. Sizes may come from a damaged artifact, so they are checked; no layout takes more than k and n
/// rounded up to 32.
Result<Floats> makePanels(const PenstockContractions &by, std::int64_t k, std::int64_t n) {
  const Result<std::int64_t> most = ((Checked(k) + 31) * (Checked(n) + 31)).get("a packed weight");
  return most.ok() ? makeFloats(by.packedFloats(k, n), "a packed weight") : most.status();
}

/// The last attribute of a contraction is its precision.
std::int64_t precisionOf(const PenstockDispatch &dispatch) {
  const std::string_view name = dispatch.kernel;
  const bool contracts = name == "matmul" || name == "weight_gradient";
  return contracts && dispatch.attribute_count > 0 ? dispatch.attributes[dispatch.attribute_count - 1] : 0;
}

Status checkSizes(const PenstockDispatch &dispatch, std::int32_t expected) {
  const std::string name = dispatch.kernel;
  if (dispatch.attribute_count != expected) {
    return invalidInput("the program asks for `" + name + "` with " + std::to_string(dispatch.attribute_count) + " attributes; it takes " +
                        std::to_string(expected) + "; compile the pipeline again");
  }
  for (std::int32_t i = 0; i < expected; ++i) {
    if (dispatch.attributes[i] < 0 || dispatch.attributes[i] > INT32_MAX) {
      return invalidInput("the program asks for `" + name + "` with the size " + std::to_string(dispatch.attributes[i]) +
                          "; sizes lie between 0 and 2147483647");
    }
  }
  return Status::success();
}

} // namespace

Result<Floats> makeFloats(std::int64_t count, const char *what) {
  PENSTOCK_ASSIGN(const std::size_t bytes, ((Checked(count) * 4 + 127)).size(what));
  std::size_t left = bytes;
  void *memory = std::calloc(bytes, 1), *at = memory;
  if (memory == nullptr) {
    return environmentError(std::string(what) + " of " + std::to_string(bytes) +
                            " bytes does not fit into memory; take a smaller model or a larger machine");
  }
  std::align(64, bytes - 63, at, left);
  return Floats(static_cast<float *>(at), FreeFloats{memory});
}

MadeObject<KernelObject> makePackedMatmul(const PenstockContractions &by, const WeightShape &shape) {
  PENSTOCK_ASSIGN(Floats packed, makePanels(by, shape.k, shape.n));
  return std::unique_ptr<KernelObject>(new (std::nothrow) PackedMatmul(by, shape, std::move(packed)));
}

MadeObject<KernelObject> makePackedWeightGradient(const PenstockContractions &by, std::int64_t k, std::int64_t n) {
  return std::unique_ptr<KernelObject>(new (std::nothrow) PackedWeightGradient(by, k, n));
}

MadeObject<KernelObject> makePackedConv(const Table &table, std::int64_t width, std::int64_t k, std::int64_t n) {
  PENSTOCK_ASSIGN(Floats packed, makePanels(table.contractions, width * k, n));
  PENSTOCK_ASSIGN(Floats flipped, makePanels(table.contractions, width * n, k));
  return std::unique_ptr<KernelObject>(new (std::nothrow)
                                           PackedConv(table, {width, k, n, nullptr, nullptr}, std::move(packed), std::move(flipped)));
}

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
  return environment != nullptr && *environment != '\0' ? environment : "packed";
}

std::string kernelsOf(const PenstockProgram &program, Level level) {
  const std::string chosen = chosenKernels();
  for (std::int32_t i = 0; i < program.dispatch_count; ++i) {
    if (precisionOf(program.dispatches[i]) == 1 && chosen != "emulated") {
      const std::string_view by = bf16Instructions(level);
      return chosen + (by.empty() ? ", bf16 in float32" : ", bf16 by " + std::string(by));
    }
  }
  return chosen;
}

KernelCounters kernelCounters() { return oneDnnCounters(); }

Result<KernelHandle> makeKernelHandle(const PenstockDispatch &dispatch, Level level, std::string_view force) {
  const std::string chosen = chosenKernels();
  if (force.empty()) {
    force = chosen;
  }
  if (force != "reference" && force != "packed" && force != "onednn" && force != "emulated") {
    return invalidInput("`" + std::string(force) +
                        "` is not an implementation of kernels; they are `reference`, `packed`, "
                        "`onednn` and `emulated`");
  }
  const std::string_view name = dispatch.kernel;
  const std::int64_t *sizes = dispatch.attributes;
  const Table &table = levelTable(level);
  const bool reference = force == "reference";
  MadeObject<KernelObject> made = invalidInput("the program asks for a handle of `" + std::string(name) +
                                               "`; handles exist for `matmul`, `weight_gradient` and `conv1d`");
  const std::int64_t precision = precisionOf(dispatch);
  if (precision != 0 && precision != 1) {
    return invalidInput("the program asks for `" + std::string(name) + "` of the precision " + std::to_string(precision) +
                        "; there are 0, float32, and 1, bf16");
  }
  const PenstockContractions *rounding = nullptr;
  if (precision == 1 && force == "onednn") {
    return invalidInput("`precision: bf16` is computed by our own kernels, and `PENSTOCK_KERNELS=onednn` asks for oneDNN's, which are "
                        "float32; unset it, or write `precision: fp32`");
  }
  if (precision == 1) {
    rounding = force == "emulated" ? &penstockEmulatedBf16 : bf16Contractions(level);
  }
  const PenstockContractions &contractions = rounding != nullptr ? *rounding : table.contractions;
  if (name == "matmul") {
    PENSTOCK_TRY(checkSizes(dispatch, 5));
    const WeightShape shape{sizes[0], sizes[1], sizes[2] != 0, sizes[3]};
    if (shape.stride < (shape.transposed ? shape.k : shape.n)) {
      return invalidInput("the program asks for a `matmul` by " + std::to_string(shape.k) + " x " + std::to_string(shape.n) +
                          " numbers in rows " + std::to_string(shape.stride) + " apart, which overlap; compile the pipeline again");
    }
    // oneDNN has no matmul of nothing; its own choice is never the default, see
    // docs/design/kernels.md.
    const bool oneDnn = force == "onednn" && sizes[0] > 0 && sizes[1] > 0;
    made = reference ? makeReferenceMatmul(shape) : oneDnn ? makeOneDnnMatmul(shape, level) : makePackedMatmul(contractions, shape);
  } else if (name == "weight_gradient") {
    PENSTOCK_TRY(checkSizes(dispatch, 3));
    made = reference ? makeReferenceWeightGradient(sizes[0], sizes[1]) : makePackedWeightGradient(contractions, sizes[0], sizes[1]);
  } else if (name == "conv1d") {
    PENSTOCK_TRY(checkSizes(dispatch, 3));
    const std::int64_t widest = sizes[1] > sizes[2] ? sizes[1] : sizes[2];
    PENSTOCK_ASSIGN(const std::int64_t window, (Checked(sizes[0]) * widest).get("a convolution's window"));
    if (sizes[0] < 1 || window > PENSTOCK_SCRATCH_FLOATS / 2) {
      return invalidInput("a `conv1d` of width " + std::to_string(sizes[0]) + " over " + std::to_string(sizes[1]) + " inputs and " +
                          std::to_string(sizes[2]) +
                          " maps is outside the limits; its width is at least 1, and width times "
                          "the larger of inputs "
                          "and maps at most " +
                          std::to_string(PENSTOCK_SCRATCH_FLOATS / 2));
    }
    made = reference ? makeReferenceConv(sizes[0], sizes[1], sizes[2]) : makePackedConv(table, sizes[0], sizes[1], sizes[2]);
  }
  if (!made.ok()) {
    return made.status();
  }
  if (*made == nullptr) {
    return environmentError("memory ran out while kernels were made; take a smaller model or a larger machine");
  }
  return KernelHandle(std::move(made).value().release());
}

} // namespace penstock
