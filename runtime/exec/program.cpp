#include "runtime/exec/program.h"

#include "runtime/base/checked.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/program_seal.h"
#include "runtime/exec/buffer.h"
#include "runtime/exec/initialize.h"
#include "runtime/exec/program_image.h"
#include "runtime/exec/program_table.h"
#include "runtime/exec/progress.h"
#include "runtime/kernels/kernel_table.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>

namespace penstock {

namespace {

// Code of the entries outside the pool's bodies runs on the calling thread: it must treat denormals as the pool does.
class FlushDenormals {
public:
  FlushDenormals() : before(_mm_getcsr()) { _mm_setcsr(before | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before); }

private:
  unsigned before;
};

Checked roundUp16(std::int64_t count) { return Checked(count / 16 + (count % 16 != 0 ? 1 : 0)) * Checked(16); }
/// The same of a count that is known to fit.
std::int64_t roundedUp16(std::int64_t count) { return (count + 15) / 16 * 16; }

class LoadedProgram final : public Program {
public:
  LoadedProgram(std::unique_ptr<ProgramImage> image, const PenstockProgram &program, ThreadPool &pool)
      : image(std::move(image)), program(program), pool(pool) {}

  Status prepare(const std::string &path);

  const PenstockProgram &table() const override { return program; }
  Level level() const override { return compiledFor; }

  int entry(std::string_view name, int objective) const override {
    for (int i = 0; i < program.entry_count; ++i) {
      if (name == program.entries[i].name && program.entries[i].objective == objective) {
        return i;
      }
    }
    return -1;
  }

  void initialize(std::uint64_t seed, const std::set<std::string> &except) override {
    forgetDeferred();
    // Pieces of a tensor, so that one large table does not keep the others waiting.
    struct Piece {
      const PenstockTensorInfo *tensor;
      std::int64_t begin, end;
    };
    constexpr std::int64_t size = 1 << 18;
    std::vector<Piece> pieces;
    for (int i = 0; i < program.tensor_count; ++i) {
      const PenstockTensorInfo &tensor = program.tensors[i];
      if (except.contains(tensor.name) || (untouched && tensor.initializer == PENSTOCK_INIT_ZEROS)) {
        continue;
      }
      for (std::int64_t at = 0; at < tensor.elements; at += size) {
        pieces.push_back({&tensor, at, std::min(tensor.elements, at + size)});
      }
    }
    auto fill = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const Piece &piece = pieces[static_cast<std::size_t>(i)];
        initializeTensor(*piece.tensor, seed, piece.begin, piece.end,
                         buffers[penstock_buffer_of(piece.tensor->tensor_class)].floats() + piece.tensor->offset + piece.begin);
      }
    };
    untouched = false;
    pool.parallelFor(
        [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) { (*static_cast<decltype(fill) *>(context))(begin, end); },
        &fill, static_cast<std::int64_t>(pieces.size()), 1);
  }

  std::vector<TensorView> tensors(TensorClass which) const override {
    std::vector<TensorView> views;
    for (int i = 0; i < program.tensor_count; ++i) {
      const PenstockTensorInfo &tensor = program.tensors[i];
      if (penstock_buffer_of(tensor.tensor_class) == static_cast<int>(which)) {
        views.push_back({tensor.name,
                         {tensor.shape, tensor.shape + tensor.rank},
                         buffers[static_cast<int>(which)].floats() + tensor.offset,
                         tensor.elements});
      }
    }
    return views;
  }

  Status load(TensorClass which, const SafetensorsFile &file) override {
    PENSTOCK_TRY(settle()); // of what is not replaced
    for (const TensorView &mine : tensors(which)) {
      const TensorView *found = file.find(mine.name);
      if (found == nullptr) {
        return environmentError("the weights do not belong to this program: `" + mine.name + "` is not among them");
      }
      if (found->shape != mine.shape) {
        return environmentError("the weights do not belong to this program: `" + mine.name + "` has another shape");
      }
    }
    for (int i = 0; i < program.tensor_count; ++i) {
      const PenstockTensorInfo &tensor = program.tensors[i];
      if (penstock_buffer_of(tensor.tensor_class) == static_cast<int>(which)) {
        std::memcpy(flat(which) + tensor.offset, file.find(tensor.name)->data, static_cast<std::size_t>(tensor.elements) * sizeof(float));
      }
    }
    return {};
  }

  float *flat(TensorClass which) override {
    untouched = false;
    return buffers[static_cast<int>(which)].floats();
  }
  std::size_t flatElements(TensorClass which) const override { return elements[static_cast<int>(which)]; }

  Status reserve(int entry, std::int64_t records, std::int64_t rows) override {
    PENSTOCK_ASSIGN(const std::size_t bytes, arenaBytes(program.entries[entry], records, [rows](int) { return rows; }));
    if (bytes > arena.size()) {
      PENSTOCK_ASSIGN(arena, Buffer::allocate(bytes, "the working memory of a step"));
    }
    return {};
  }
  Status run(int entry, const Step &step) override;
  Status settle() override;
  Status pack() override {
    const int index = entry("pack", 0);
    return index < 0 ? Status{} : run(index, {});
  }

  void observe(StepObserver *wanted) override { observer = wanted; }

  std::size_t memory() const override {
    std::size_t sum = arena.size() + deferred.size() + gradients.size();
    for (const Buffer &buffer : buffers) {
      sum += buffer.size();
    }
    return sum;
  }

private:
  Status runEntry(int index, const Step &step);
  Status statusOfKernels() const;
  void forgetDeferred() {
    if (owes) {
      std::memset(deferred.data(), 0, static_cast<std::size_t>(program.deferred_bytes));
      owes = false;
    }
  }
  Status growArena(const PenstockEntry &entry, const PenstockBatch *batch);
  void placeSections(const PenstockEntry &entry, const PenstockBatch &batch);
  template <typename Rows> Result<std::size_t> arenaBytes(const PenstockEntry &entry, std::int64_t records, const Rows &rows) const {
    Checked need = Checked(entry.arena.constant) + Checked(pool.workers()) * Checked(entry.arena.per_worker) +
                   roundUp16(records) * Checked(entry.arena.per_record);
    for (int i = 0; records > 0 && i < program.axis_count; ++i) {
      need += roundUp16(rows(i)) * Checked(entry.arena.per_row[i]);
    }
    return need.size("the working memory of a step");
  }

  std::unique_ptr<ProgramImage> image;
  const PenstockProgram &program;
  ThreadPool &pool;
  Level compiledFor = Level::avx2;
  std::vector<void *> symbols;
  std::vector<KernelHandle> kernels;
  std::vector<void *> handles;
  Buffer buffers[3];
  std::size_t elements[3] = {};
  bool untouched = true; // the buffers are all zeros, pages that nobody has
  Buffer arena, gradients;
  std::vector<std::int64_t> sections; // of the arena, of the entry that runs
  std::vector<PenstockAxisBatch> noRows;
  // What steps owe to the rows that they passed by, and the first and next step of that time.
  Buffer deferred;
  int settleEntry = -1;
  int lastObjective = 0; // whose train_step ran last
  bool owes = false;
  std::uint64_t deferredFirst = 0, nextStep = 0;
  StepObserver *observer = nullptr;
};

Status LoadedProgram::prepare(const std::string &path) {
  if (!image->holds(&program.struct_size, 1) || !image->holds(&program.abi_major, 1)) {
    return damagedFile(path, "its table does not lie in it", "the compiled program");
  }
  if (program.struct_size < sizeof(PenstockProgram) || program.abi_major != PENSTOCK_PROGRAM_ABI_MAJOR) {
    return environmentError("the compiled program `" + path + "` was made for version " + std::to_string(program.abi_major) +
                            " of the program interface, this is version " + std::to_string(PENSTOCK_PROGRAM_ABI_MAJOR) +
                            "; train it again or use the matching release");
  }
  PENSTOCK_TRY(checkProgramTable(program, *image, path));
  PENSTOCK_ASSIGN(compiledFor, parseLevel(program.level));
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  if (compiledFor > machine) {
    return environmentError("the compiled program `" + path + "` needs a machine of level `" + program.level + "`, this one is `" +
                            std::string(levelName(machine)) + "`; compile for it with `target.level` or on this machine");
  }
  const std::int64_t sizes[3] = {program.parameter_elements, program.state_elements, program.fitted_elements};
  std::copy(std::begin(sizes), std::end(sizes), std::begin(elements));
  for (int i = 0; i < program.symbol_count; ++i) {
    PENSTOCK_ASSIGN(void *address, kernelSymbol(program.symbols[i], compiledFor));
    symbols.push_back(address);
  }
  for (int i = 0; i < program.dispatch_count; ++i) {
    PENSTOCK_ASSIGN(KernelHandle handle, makeKernelHandle(program.dispatches[i], compiledFor));
    handles.push_back(handle.get());
    kernels.push_back(std::move(handle));
  }
  static constexpr const char *names[3] = {"the parameters", "the state of the optimizer", "the fitted values"};
  for (int i = 0; i < 3; ++i) {
    PENSTOCK_ASSIGN(buffers[i], Buffer::zeros(elements[i] * sizeof(float), names[i]));
  }
  if (program.gradient_elements > 0) {
    PENSTOCK_ASSIGN(gradients,
                    Buffer::allocate(static_cast<std::size_t>(program.gradient_elements) * sizeof(float), "the sums of gradients"));
  }
  if (program.deferred_bytes > 0) {
    settleEntry = entry("settle", 0);
    PENSTOCK_ASSIGN(deferred, Buffer::zeros(static_cast<std::size_t>(program.deferred_bytes), "updates of rows that are due later"));
  }
  return {};
}

Status LoadedProgram::growArena(const PenstockEntry &entry, const PenstockBatch *batch) {
  PENSTOCK_ASSIGN(const std::size_t bytes, arenaBytes(entry, batch->records, [batch](int i) { return batch->axes[i].rows; }));
  if (bytes > arena.size()) {
    // A quarter more, so that a run of slowly growing batches does not map memory at every one.
    arena = Buffer();
    PENSTOCK_ASSIGN(arena, Buffer::allocate(bytes + bytes / 4, "the working memory of a step"));
  }
  return {};
}

// Their sum is known to fit.
void LoadedProgram::placeSections(const PenstockEntry &entry, const PenstockBatch &batch) {
  sections.clear();
  std::int64_t begin = 0;
  for (int i = 0; i < program.axis_count; ++i) {
    sections.push_back(begin);
    begin += batch.records > 0 ? roundedUp16(batch.axes[i].rows) * entry.arena.per_row[i] : 0;
  }
  sections.push_back(begin);
  sections.push_back(begin + roundedUp16(batch.records) * entry.arena.per_record);
}

Status LoadedProgram::run(int index, const Step &step) {
  if (program.deferred_bytes == 0) {
    return runEntry(index, step);
  }
  const PenstockEntry &entry = program.entries[index];
  const bool trains = std::string_view(entry.name) == "train_step";
  // The next objective of the step that was begun.
  const bool goesOn = owes && trains && entry.objective > lastObjective && step.number + 1 == nextStep;
  if (!goesOn && (!trains || (owes && (step.number != nextStep ||
                                       step.number - deferredFirst >= static_cast<std::uint64_t>(program.deferred_steps))))) {
    PENSTOCK_TRY(settle());
  }
  if (!trains) {
    return runEntry(index, step);
  }
  lastObjective = entry.objective;
  if (!owes) {
    deferredFirst = step.number;
    owes = true;
  }
  nextStep = step.number + 1;
  return runEntry(index, step);
}

Status LoadedProgram::settle() {
  if (!owes) {
    return {};
  }
  owes = false;
  Step step;
  step.number = nextStep;
  return runEntry(settleEntry, step);
}

Status LoadedProgram::statusOfKernels() const {
  for (const void *handle : handles) {
    PENSTOCK_TRY(kernelHandleStatus(handle));
  }
  return {};
}

Status LoadedProgram::runEntry(int index, const Step &step) {
  untouched = false;
  const PenstockEntry &entry = program.entries[index];
  // What reads no batch still computes places from its rows: there are none.
  noRows.resize(static_cast<std::size_t>(program.axis_count));
  const PenstockBatch none = {0, nullptr, noRows.data(), nullptr};
  const PenstockBatch *const batch = step.batch == nullptr ? &none : step.batch;
  PENSTOCK_TRY(growArena(entry, batch));
  placeSections(entry, *batch);
  PenstockCall call{};
  call.struct_size = sizeof(call);
  call.workers = pool.workers();
  call.symbols = symbols.data();
  call.handles = handles.data();
  call.pool = &pool;
  call.parameters = buffers[0].floats();
  call.states = buffers[1].floats();
  call.fitted = buffers[2].floats();
  call.arena = static_cast<char *>(arena.data());
  call.batch = batch;
  call.outputs = step.outputs;
  call.seed = step.seed;
  call.step = step.number;
  call.learning_rate = step.learningRate;
  call.deferred = static_cast<char *>(deferred.data());
  call.deferred_first = deferredFirst;
  call.gradients = gradients.floats();
  call.part = step.part;
  call.weights = step.weights;
  call.arena_sections = sections.data();
  const FlushDenormals flush;
  if (observer == nullptr) {
    penstock_run_entry(&entry, &call);
    return statusOfKernels();
  }
  std::int64_t begin = monotonicNow();
  for (int i = 0; i < entry.step_count; ++i) {
    entry.steps[i].run(&call, entry.steps[i].numbers);
    const std::int64_t end = monotonicNow();
    observer->ran(entry, i, batch, begin, end);
    begin = monotonicNow();
  }
  return statusOfKernels();
}

} // namespace

int Program::output(const PenstockEntry &entry, std::string_view name) {
  for (int i = 0; i < entry.output_count; ++i) {
    if (name == entry.outputs[i].name) {
      return i;
    }
  }
  return -1;
}

Result<ProgramFile> ProgramFile::read(const std::string &path) {
  if (!fileExists(path)) {
    return environmentError("the compiled program `" + path + "` is not there");
  }
  ProgramFile file;
  file.path = path;
  PENSTOCK_ASSIGN(file.bytes, readWholeFile(path));
  return file;
}

std::string ProgramFile::hash() const { return hash64Hex(bytes); }

Status ProgramFile::forgetKey() {
  const std::optional<std::string_view> library = sealedLibrary(bytes);
  if (!library) {
    return damagedFile(path, "the seal at its end is not that of its bytes", "the compiled program");
  }
  const ProgramSeal seal = sealOf(*library, 0);
  bytes.replace(library->size(), std::string::npos, bytesOf(seal));
  return {};
}

Result<std::unique_ptr<Program>> Program::open(const std::string &path, ThreadPool &pool) {
  PENSTOCK_ASSIGN(const ProgramFile file, ProgramFile::read(path));
  return open(file, pool);
}

Result<std::unique_ptr<Program>> Program::open(const ProgramFile &file, ThreadPool &pool) {
  PENSTOCK_ASSIGN(std::unique_ptr<ProgramImage> image, ProgramImage::map(file.bytes, file.path));
  const PenstockProgram *const program = image->function()();
  auto loaded = std::make_unique<LoadedProgram>(std::move(image), *program, pool);
  PENSTOCK_TRY(loaded->prepare(file.path));
  return std::unique_ptr<Program>(std::move(loaded));
}

} // namespace penstock
