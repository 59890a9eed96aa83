#include "runtime/exec/model.h"

#include "runtime/base/file.h"
#include "runtime/base/program_rows.h"
#include "runtime/exec/initialize.h"
#include "runtime/exec/program_image.h"
#include "runtime/exec/program_table.h"
#include "runtime/exec/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace penstock {

Result<HostTensors> HostTensors::copy() const {
  HostTensors other;
  other.kind = kind;
  other.count = count;
  PENSTOCK_ASSIGN(other.memory, DeviceMemory::allocate(hostDevice(), count * sizeof(float), "a copy of the weights"));
  other.flat = other.memory.floats();
  if (count > 0) {
    std::memcpy(other.flat, flat, count * sizeof(float));
  }
  other.tensors = tensors;
  for (TensorView &view : other.tensors) {
    view.data = other.flat + (view.data - flat);
  }
  return other;
}

Model::Model(std::unique_ptr<ProgramImage> mapped, const PenstockProgram &table, Device &device)
    : image(std::move(mapped)), program(&table), place(device) {}
Model::~Model() = default;

Result<std::shared_ptr<Model>> Model::open(const std::string &path, Device &device) {
  PENSTOCK_ASSIGN(const ProgramFile file, ProgramFile::read(path));
  return open(file, device);
}

Result<std::shared_ptr<Model>> Model::open(const ProgramFile &file, Device &device) {
  PENSTOCK_ASSIGN(std::unique_ptr<ProgramImage> image, ProgramImage::map(file.bytes, file.path));
  return open(std::move(image), file.path, device);
}

Result<std::shared_ptr<Model>> Model::open(std::unique_ptr<ProgramImage> image, const std::string &path, Device &device) {
  const PenstockProgram *const program = image->function()();
  std::shared_ptr<Model> model(new Model(std::move(image), *program, device));
  PENSTOCK_TRY(model->judge(path));
  PENSTOCK_TRY(model->makeKernels("the compiled program `" + path + "`"));
  PENSTOCK_TRY(model->makeBuffers());
  return model;
}

Result<std::shared_ptr<Model>> Model::open(const PenstockProgram &linked, Device &device) {
  std::shared_ptr<Model> model(new Model(nullptr, linked, device));
  PENSTOCK_TRY(model->makeKernels("this artifact"));
  PENSTOCK_TRY(model->makeBuffers());
  return model;
}

Result<std::shared_ptr<Model>> Model::open(const PenstockProgram &linked, const ReadyWeights &weights) {
  std::shared_ptr<Model> model(new Model(nullptr, linked, hostDevice()));
  PENSTOCK_TRY(model->makeKernels("this artifact"));
  for (std::size_t i = 0; i < model->handles.size(); ++i) {
    const std::string_view packed = i < weights.packed.size() ? weights.packed[i] : std::string_view();
    const PackedForm form = kernelPackedForm(model->handles[i]);
    if (i >= weights.formats.size() || weights.formats[i] != form.format) {
      return environmentError("the weights of this artifact are packed for other instructions than `" + std::string(linked.level) +
                              "` has on this machine: build it here, with `--precision fp32`, or, where it was built with `--level all`, "
                              "take the code for a lesser "
                              "level by PENSTOCK_LEVEL");
    }
    if (packed.size() != form.bytes) {
      return environmentError("the packed weights have another size than the kernels of this artifact");
    }
    if (!packed.empty()) {
      PENSTOCK_TRY(kernelAdopt(model->handles[i], packed.data()));
    }
  }
  // Nothing that predicts reads the parameters before these, or writes any.
  const std::uintptr_t parameters =
      reinterpret_cast<std::uintptr_t>(weights.parameters) - static_cast<std::uintptr_t>(linked.packed_elements) * sizeof(float);
  model->buffers[0] = DeviceMemory::lent(reinterpret_cast<void *>(parameters), 0);
  model->buffers[2] = DeviceMemory::lent(const_cast<float *>(weights.fitted), 0);
  model->untouched = false;
  model->packed = true;
  return model;
}

Status Model::judge(const std::string &path) {
  const PenstockProgram &table = *program;
  PENSTOCK_ASSIGN(const bool readable, isOfThisInterface(table, *image, path));
  if (!readable) {
    return environmentError(fmt::format("the compiled program `{}` was made for version {}.{} of the program interface, this is version "
                                        "{}.{}; compile it again, by `penstock predict --recompile` of a run, or use the matching release",
                                        path, table.abi_major, table.abi_minor, PENSTOCK_PROGRAM_ABI_MAJOR, PENSTOCK_PROGRAM_ABI_MINOR));
  }
  return checkProgramTable(table, *image, path);
}

Status Model::makeKernels(const std::string &name) {
  const PenstockProgram &table = *program;
  PENSTOCK_ASSIGN(code, place.load(table, name));
  if (code == nullptr) {
    PENSTOCK_ASSIGN(code, loadForCpu(table, name));
  }
  for (int i = 0; i < table.symbol_count; ++i) {
    PENSTOCK_ASSIGN(void *address, code->symbol(table.symbols[i]));
    symbols.push_back(address);
  }
  for (const PenstockDispatch &dispatch : dispatchesOf(table)) {
    PENSTOCK_ASSIGN(KernelHandle handle, code->handle(dispatch));
    handles.push_back(handle.get());
    kernels.push_back(std::move(handle));
  }
  return {};
}

Status Model::makeBuffers() {
  const std::int64_t sizes[3] = {program->parameter_elements, program->state_elements, program->fitted_elements};
  std::copy(std::begin(sizes), std::end(sizes), std::begin(elements));
  static constexpr const char *names[3] = {"the parameters", "the state of the optimizer", "the fitted values"};
  for (int i = 0; i < 3; ++i) {
    PENSTOCK_ASSIGN(buffers[i], DeviceMemory::zeros(place, elements[i] * sizeof(float), names[i]));
  }
  return {};
}

int Model::entry(std::string_view name, int objective) const {
  return placeOf(entriesOf(*program), [&](const PenstockEntry &entry) { return name == entry.name && entry.objective == objective; });
}

int Model::output(const PenstockEntry &entry, std::string_view name) {
  return placeOf(outputsOf(entry), [&](const PenstockOutputInfo &output) { return name == output.name; });
}

Status Model::initialize(std::uint64_t seed, ThreadPool &pool, const std::set<std::string> &except) {
  HostTensors held[3];
  const bool wasUntouched = untouched;
  for (int i = 0; i < 3; ++i) {
    PENSTOCK_ASSIGN(held[i], fetch(static_cast<TensorClass>(i)));
  }
  // Pieces of a tensor, so that one large table does not keep the others waiting.
  struct Piece {
    const PenstockTensorInfo *tensor;
    std::int64_t begin, end;
  };
  constexpr std::int64_t size = 1 << 18;
  std::vector<Piece> pieces;
  for (const PenstockTensorInfo &tensor : tensorsOf(*program)) {
    if (except.contains(tensor.name) || (wasUntouched && tensor.initializer == PENSTOCK_INIT_ZEROS)) {
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
                       held[penstock_buffer_of(piece.tensor->tensor_class)].data() + piece.tensor->offset + piece.begin);
    }
  };
  pool.parallelFor(
      [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) { (*static_cast<decltype(fill) *>(context))(begin, end); },
      &fill, static_cast<std::int64_t>(pieces.size()), 1);
  for (const HostTensors &tensors : held) {
    PENSTOCK_TRY(store(tensors));
  }
  return {};
}

std::vector<TensorView> Model::viewsOf(TensorClass which, const float *flat) const {
  std::vector<TensorView> views;
  for (const PenstockTensorInfo &tensor : tensorsOf(*program)) {
    if (penstock_buffer_of(tensor.tensor_class) == static_cast<int>(which)) {
      views.push_back({tensor.name, {tensor.shape, tensor.shape + tensor.rank}, flat + tensor.offset, tensor.elements});
    }
  }
  return views;
}

Result<HostTensors> Model::fetch(TensorClass which) const {
  if (inTraining) {
    return internalError("tensors were read while steps wrote them; please report this");
  }
  const auto index = static_cast<int>(which);
  HostTensors held;
  held.kind = which;
  held.count = elements[index];
  if (place.isHost()) {
    held.flat = buffers[index].floats();
  } else {
    const std::size_t bytes = held.count * sizeof(float);
    PENSTOCK_ASSIGN(held.memory, DeviceMemory::zeros(hostDevice(), bytes, "a copy of the weights"));
    held.flat = held.memory.floats();
    if (bytes > 0 && !untouched) {
      PENSTOCK_ASSIGN(const std::unique_ptr<Stream> stream, place.openStream());
      PENSTOCK_TRY(stream->copyOut(held.flat, buffers[index].data(), bytes));
      PENSTOCK_TRY(stream->wait(stream->ticket()));
    }
  }
  held.tensors = viewsOf(which, held.flat);
  return held;
}

Status Model::store(const HostTensors &tensors) {
  const auto index = static_cast<int>(tensors.which());
  const std::size_t bytes = elements[index] * sizeof(float);
  untouched = false;
  packed &= tensors.which() != TensorClass::parameter;
  if (tensors.elements() != elements[index]) {
    return internalError("weights of another model were stored; please report this");
  }
  if (bytes == 0 || tensors.data() == buffers[index].floats()) {
    return {};
  }
  if (place.isHost()) {
    std::memcpy(buffers[index].data(), tensors.data(), bytes);
    return {};
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<Stream> stream, place.openStream());
  PENSTOCK_TRY(stream->copyIn(buffers[index].data(), tensors.data(), bytes));
  return stream->wait(stream->ticket());
}

Status Model::load(TensorClass which, const SafetensorsFile &file) {
  PENSTOCK_ASSIGN(const HostTensors held, fetch(which));
  for (const TensorView &mine : held.views()) {
    const TensorView *found = file.find(mine.name);
    if (found == nullptr) {
      return environmentError("the weights do not belong to this program: `" + mine.name + "` is not among them");
    }
    if (found->shape != mine.shape) {
      return environmentError("the weights do not belong to this program: `" + mine.name + "` has another shape");
    }
  }
  for (const TensorView &mine : held.views()) {
    std::memcpy(held.of(mine), file.find(mine.name)->data, static_cast<std::size_t>(mine.elements) * sizeof(float));
  }
  return store(held);
}

Status Model::pack(ThreadPool &pool) {
  if (packed) {
    return {};
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<TrainingSession> session, TrainingSession::open(*this, nullptr, pool));
  return session->complete();
}

Status Model::statusOfKernels() const {
  for (const void *handle : handles) {
    PENSTOCK_TRY(kernelHandleStatus(handle));
  }
  return {};
}

void Model::describe(PenstockCall &call) const {
  call.symbols = symbols.data();
  call.handles = handles.data();
  call.parameters = buffers[0].floats();
  call.states = buffers[1].floats();
  call.fitted = buffers[2].floats();
}

} // namespace penstock
