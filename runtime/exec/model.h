// A compiled program with its long-lived tensors on a device: what any number of sessions share (session.h).
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/device/device.h"
#include "runtime/device/thread_pool.h"
#include "runtime/exec/program_file.h"
#include "runtime/exec/safetensors.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/kernels/machine_speed.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

class ProgramImage;

/// Which of the long-lived tensors a function means, by the flat buffer in which they lie: states of the model are among its parameters.
/// The numbers are those of PenstockTensorClass.
enum class TensorClass { parameter = 0, state = 1, fitted = 2 };

/// The tensors of a class in the host's memory: the model's own where its device is the host, else a copy.
class HostTensors {
public:
  TensorClass which() const { return kind; }
  /// In declaration order; they point into `data`.
  const std::vector<TensorView> &views() const { return tensors; }
  float *data() const { return flat; }
  std::size_t elements() const { return count; }
  /// The place of a tensor to write to.
  float *of(const TensorView &view) const { return flat + (view.data - flat); }
  /// The same numbers in memory that is not the model's.
  Result<HostTensors> copy() const;

private:
  friend class Model;
  TensorClass kind = TensorClass::parameter;
  std::vector<TensorView> tensors;
  DeviceMemory memory; // where they are a copy
  float *flat = nullptr;
  std::size_t count = 0;
};

/// Sessions that predict and evaluate write nothing of it, so threads may share it, each with a session of its own. It is changed by one
/// thread: whoever makes it ready, or trains it, while no other session runs.
class Model {
public:
  /// Maps a private copy of the library, checks its form and ABI, that this machine can run its level, that its tables are sound, resolves
  /// its symbols and makes its kernels. The tensors are zero until they are given values. The device outlives the model.
  static Result<std::shared_ptr<Model>> open(const ProgramFile &file, Device &device);
  /// The same of a file that is mapped; `path` is for messages.
  static Result<std::shared_ptr<Model>> open(std::unique_ptr<ProgramImage> image, const std::string &path, Device &device);
  static Result<std::shared_ptr<Model>> open(const std::string &path, Device &device);
  /// Weights that lie ready in memory, which outlives the model: it only predicts.
  struct ReadyWeights {
    const float *parameters = nullptr; // from PenstockProgram.packed_elements on
    const float *fitted = nullptr;
    std::vector<std::string_view> packed; // of each dispatch, of the form of its kernel; empty of one that packs nothing
    std::vector<std::int32_t> formats;    // of each dispatch, see PackedForm
  };
  /// A program that is linked into this process, on the host. An error where the machine lacks its level.
  static Result<std::shared_ptr<Model>> open(const PenstockProgram &linked, const ReadyWeights &weights);
  /// The same with tensors of its own, which are zero until they are given values.
  static Result<std::shared_ptr<Model>> open(const PenstockProgram &linked, Device &device);
  ~Model();

  const PenstockProgram &table() const { return *program; }
  /// What computes it, see LoadedCode.
  std::string computedBy() const { return code->kernels(*program); }
  Result<MachineSpeed> speed(ThreadPool &pool) const { return code->speed(pool); }
  Device &device() const { return place; }

  /// Index of an entry or an output, -1 where there is none.
  int entry(std::string_view name, int objective = 0) const;
  static int output(const PenstockEntry &entry, std::string_view name);

  /// Fills parameters, states and fitted tensors by their initializers: Philox keyed by the seed and the tensor's name, so
  /// that a tensor's bits depend on no other tensor. Tensors named in `except` keep what they hold. The pool shares the work.
  Status initialize(std::uint64_t seed, ThreadPool &pool, const std::set<std::string> &except = {});
  /// The tensors of a class. An error while a training session is not complete.
  Result<HostTensors> fetch(TensorClass which) const;
  /// Gives the tensors of a class the values of `tensors`, which `fetch` gave and the caller changed, or a copy of them.
  Status store(const HostTensors &tensors);
  /// Copies every tensor of a class from the file; an error names the first that is absent or of another shape.
  Status load(TensorClass which, const SafetensorsFile &file);
  /// The kernels of the program's dispatches, in their order.
  const std::vector<void *> &dispatched() const { return handles; }
  /// Packs the parameters for the kernels, where they changed since they were packed: call before sessions predict or evaluate.
  Status pack(ThreadPool &pool);

private:
  friend class Session;
  friend class TrainingSession;
  Model(std::unique_ptr<ProgramImage> image, const PenstockProgram &program, Device &device);
  Status judge(const std::string &path);
  Status makeKernels(const std::string &name);
  Status makeBuffers();
  std::vector<TensorView> viewsOf(TensorClass which, const float *flat) const;
  Status statusOfKernels() const;
  /// What a call finds of the model.
  void describe(PenstockCall &call) const;

  std::unique_ptr<ProgramImage> image;
  const PenstockProgram *program;
  Device &place;
  std::shared_ptr<LoadedCode> code;
  std::vector<void *> symbols;
  std::vector<KernelHandle> kernels;
  std::vector<void *> handles;
  DeviceMemory buffers[3];
  std::size_t elements[3] = {};
  bool untouched = true;   // the buffers are all zeros, pages that nobody has
  bool packed = false;     // the kernels hold the parameters of now
  bool inTraining = false; // a training session wrote, and is not complete
};

} // namespace penstock
