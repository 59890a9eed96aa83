// A compiled program in use: the mapped library, its long-lived tensors, kernels and arena.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/device/thread_pool.h"
#include "runtime/exec/safetensors.h"
#include "runtime/kernels/kernel_table.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace penstock {

/// Which of the long-lived tensors a function means, by the flat buffer in which they lie: states of the model are among its parameters.
/// The numbers are those of PenstockTensorClass.
enum class TensorClass { parameter = 0, state = 1, fitted = 2 };

/// Sees every step of an entry that a program runs.
class StepObserver {
public:
  virtual ~StepObserver() = default;
  /// Step `index` of the entry ran on this batch from `begin` to `end`, nanoseconds of the monotonic clock.
  virtual void ran(const PenstockEntry &entry, int index, const PenstockBatch *batch, std::int64_t begin, std::int64_t end) = 0;
};

/// The file of a compiled program, read once: what is hashed, judged and mapped are these bytes.
struct ProgramFile {
  std::string path; // for messages
  std::string bytes;

  static Result<ProgramFile> read(const std::string &path);
  /// XXH64 of the bytes.
  std::string hash() const;
  /// Seals the bytes anew without the key that the compile cache put there: equal libraries are then equal files, whatever build of the
  /// compiler made them. An error where the seal does not fit.
  Status forgetKey();
};

/// One mapped program with memory of its own. Used by one thread at a time; steps allocate nothing once the arena has seen
/// the largest batch, and take no lock.
class Program {
public:
  /// Maps a private copy of the library, checks its form and ABI, that this machine can run its level, that its tables are sound, resolves
  /// its symbols and makes its kernels. The tensors are zero until `initialize` or `load`. The pool must outlive the program.
  static Result<std::unique_ptr<Program>> open(const ProgramFile &file, ThreadPool &pool);
  static Result<std::unique_ptr<Program>> open(const std::string &path, ThreadPool &pool);
  virtual ~Program() = default;

  virtual const PenstockProgram &table() const = 0;
  /// The level that its code was compiled for, which this machine has.
  virtual Level level() const = 0;

  /// Index of an entry or an output, -1 where there is none.
  virtual int entry(std::string_view name, int objective = 0) const = 0;
  static int output(const PenstockEntry &entry, std::string_view name);

  /// Fills parameters, states and fitted tensors by their initializers: Philox keyed by the seed and the tensor's name, so
  /// that a tensor's bits depend on no other tensor.
  /// Tensors named in `except` keep what they hold. The pool shares the work.
  virtual void initialize(std::uint64_t seed, const std::set<std::string> &except = {}) = 0;

  /// Views of all tensors of a class, in declaration order.
  virtual std::vector<TensorView> tensors(TensorClass which) const = 0;
  /// Copies every tensor of a class from the file; an error names the first that is absent or of another shape.
  virtual Status load(TensorClass which, const SafetensorsFile &file) = 0;
  /// The whole flat buffer of a class.
  virtual float *flat(TensorClass which) = 0;
  virtual std::size_t flatElements(TensorClass which) const = 0;

  /// One call of an entry. `outputs` has one address an output of the entry.
  struct Step {
    const PenstockBatch *batch = nullptr; // NULL for "pack"
    void *const *outputs = nullptr;
    std::uint64_t seed = 0;
    std::uint64_t number = 0;
    float learningRate = 0;
    std::int32_t part = 0;          // of "gradient"
    const float *weights = nullptr; // of "gradient", one a loss
  };
  /// Grows the arena for batches up to this many records, and rows of each axis; memory that is never used costs address
  /// space alone. A failure leaves the arena as it was.
  virtual Status reserve(int entry, std::int64_t records, std::int64_t rows) = 0;
  /// Grows the arena where this batch needs more than any before, then runs. Any entry but train_step settles first.
  /// Of several objectives all train_steps of one number are run, one after another.
  virtual Status run(int entry, const Step &step) = 0;
  /// From now on tells `observer`, which outlives the program or is taken away again by NULL, of every step.
  virtual void observe(StepObserver *observer) = 0;
  /// Runs "pack": call after the parameters changed outside of train_step, before evaluate and predict.
  virtual Status pack() = 0;

  /// Brings deferred rows up to date: call before parameters or states are read in another way than by an entry.
  virtual Status settle() = 0;

  /// Bytes of arena and long-lived tensors.
  virtual std::size_t memory() const = 0;
};

} // namespace penstock
