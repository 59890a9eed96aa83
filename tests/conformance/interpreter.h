// A float64 interpreter of Nn, written from the ops' descriptions alone: the oracle for derivatives and for compiled code.
// It is slow and simple on purpose and shares no code with the lowering or the kernels.
#pragma once

#include "compiler/dialect/Nn/Nn.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace penstock::conformance {

/// A value: rows x width, numbers in `f` or, of i32 types, in `i`.
struct Tensor {
  std::int64_t rows = 1, width = 1;
  std::vector<double> f;
  std::vector<std::int32_t> i;

  double at(std::int64_t row, std::int64_t column) const { return f[static_cast<std::size_t>(row * width + column)]; }
  double &at(std::int64_t row, std::int64_t column) { return f[static_cast<std::size_t>(row * width + column)]; }
};

struct Batch {
  std::int64_t records = 0;
  std::vector<std::uint64_t> recordNumbers;
  std::map<std::string, std::vector<std::int32_t>> offsets; // of axes, records + 1 entries
  std::map<std::int64_t, Tensor> inputs;                    // by their index
  std::vector<std::int32_t> rowWord;                        // of the axis that has tags: see PenstockAxisBatch
};

/// The segment of a row in these tests, by its place in the record.
inline std::int32_t segmentOf(std::int64_t position) { return position % 3 == 2 ? 1 : 0; }

using Globals = std::map<std::string, Tensor>;

class Interpreter {
public:
  Interpreter(const Batch &batch, const Globals &globals, std::uint64_t seed = 1, std::uint64_t step = 0)
      : batch(batch), globals(globals), seed(seed), step(step) {}

  /// Runs the ops of a function in order. False after an op that it does not know: `error()` names it. nn.apply does nothing.
  bool run(mlir::func::FuncOp function);

  const std::string &error() const { return message; }
  const Tensor &value(mlir::Value v) const { return values.at(v.getAsOpaquePointer()); }

  /// Moves each number that an op gives, or that it rounds on the way (a term of a sum, a probability of which a one is then taken away),
  /// by up to this share of it, at random: what rounding does, so that runs with other seeds differ by as much as a precision can know of
  /// the results.
  void roughen(double share, std::uint64_t by) {
    rough = share;
    randomState = by;
  }

  std::map<std::string, Tensor> outputs;   // of nn.output
  std::map<std::string, Tensor> gradients; // of nn.gradient
  std::map<std::string, Tensor> updates;   // of nn.update

private:
  friend struct Evaluation;

  double rounded(double value) {
    if (rough == 0) {
      return value;
    }
    randomState = randomState * 6364136223846793005U + 1442695040888963407U;
    return value * (1 + rough * (static_cast<double>(randomState >> 11) * 0x1p-52 - 1));
  }

  const Batch &batch;
  const Globals &globals;
  std::uint64_t seed, step;
  double rough = 0;
  std::uint64_t randomState = 0;
  std::map<const void *, Tensor> values;
  std::string message;
};

/// 1 / (1 - p) where an element is kept and 0 where it is dropped; see runtime/kernels/kernels.h.
double dropoutFactor(double p, std::uint64_t seed, std::uint64_t step, std::uint64_t key, std::uint64_t record, std::int64_t position,
                     std::int64_t element);
/// The same for attention's probabilities: element (head * length + query) * length + key of a record.
double attentionFactor(double p, std::uint64_t seed, std::uint64_t step, std::uint64_t key, std::uint64_t record, std::int64_t element);

} // namespace penstock::conformance
