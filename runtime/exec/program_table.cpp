#include "runtime/exec/program_table.h"

#include "runtime/base/checked.h"
#include "runtime/base/file.h"
#include "runtime/base/program_rows.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace penstock {
namespace {

constexpr std::int32_t mostExtents = 8;
// 16 TiB of floats: more is no model.
constexpr std::int64_t mostElements = std::int64_t{1} << 42;

class Table {
public:
  Table(const PenstockProgram &program, const ProgramImage &image) : program(program), image(image) {}

  /// What is wrong, or "".
  std::string judge() const {
    for (const auto part :
         {&Table::arrays, &Table::sizes, &Table::tensors, &Table::notices, &Table::interface, &Table::entries, &Table::losses}) {
      if (std::string wrong = (this->*part)(); !wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }

private:
  bool texts(const char *const *first, std::int64_t count) const {
    if (!image.holds(first, count)) {
      return false;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (!image.holdsText(first[i])) {
        return false;
      }
    }
    return true;
  }

  /// Whether rows of `Row`, which have at least so many bytes, lie in the image.
  template <typename Row> bool rows(const PenstockTable &table, std::size_t least) const {
    return table.count == 0 || (table.count > 0 && table.stride >= least && table.stride % alignof(Row) == 0 &&
                                reinterpret_cast<std::uintptr_t>(table.first) % alignof(Row) == 0 &&
                                image.holds(static_cast<const char *>(table.first), std::int64_t{table.count} * table.stride));
  }
  /// Whether a struct that says its size, of at least so many bytes, lies in the image.
  template <typename Struct> bool sized(const Struct *one, std::size_t least) const {
    return image.holds(one, 1) && one->struct_size >= least;
  }

  std::string arrays() const {
    const bool good = image.holdsText(program.level) && texts(program.symbols, program.symbol_count) &&
                      rows<PenstockAxis>(program.axes, PENSTOCK_SIZE_WITH(PenstockAxis, extents)) &&
                      rows<PenstockInputInfo>(program.inputs, PENSTOCK_SIZE_WITH(PenstockInputInfo, type)) &&
                      rows<PenstockTensorInfo>(program.tensors, PENSTOCK_SIZE_WITH(PenstockTensorInfo, init_scale)) &&
                      rows<PenstockDispatch>(program.dispatches, PENSTOCK_SIZE_WITH(PenstockDispatch, attributes)) &&
                      rows<PenstockDeviceCode>(program.code, PENSTOCK_SIZE_WITH(PenstockDeviceCode, shared_bytes)) &&
                      rows<PenstockEntry>(program.entries, PENSTOCK_SIZE_WITH(PenstockEntry, arena)) && program.entries.count > 0 &&
                      rows<PenstockLossInfo>(program.losses, PENSTOCK_SIZE_WITH(PenstockLossInfo, coefficient)) &&
                      rows<PenstockNotice>(program.notices, PENSTOCK_SIZE_WITH(PenstockNotice, text));
    return good ? "" : "its tables have no sound sizes";
  }

  std::string sizes() const {
    for (const std::int64_t one : {program.parameter_elements, program.state_elements, program.fitted_elements}) {
      if (one < 0 || one > mostElements) {
        return "its tensors have no sound sizes";
      }
    }
    bool settles = false;
    for (const PenstockEntry &entry : entriesOf(program)) {
      settles |= image.holdsText(entry.name) && entry.name == std::string_view("settle");
    }
    if (program.deferred_bytes < 0 || program.deferred_bytes > mostElements ||
        (program.deferred_bytes > 0 && (program.deferred_steps <= 0 || !settles))) {
      return "it defers updates and cannot settle them";
    }
    if (program.gradient_elements < 0 || program.gradient_elements > program.parameter_elements) {
      return "its gradients have no sound size";
    }
    return "";
  }

  std::string tensors() const {
    const std::int64_t sizes[3] = {program.parameter_elements, program.state_elements, program.fitted_elements};
    for (const PenstockTensorInfo &tensor : tensorsOf(program)) {
      if (!image.holdsText(tensor.name) || !image.holds(tensor.shape, tensor.rank)) {
        return "a tensor has no sound name or shape";
      }
      Checked count = 1;
      bool negative = false;
      for (int axis = 0; axis < tensor.rank; ++axis) {
        count *= Checked(tensor.shape[axis]);
        negative |= tensor.shape[axis] < 0;
      }
      if (negative || tensor.tensor_class < 0 || tensor.tensor_class > PENSTOCK_MODEL_STATE || tensor.offset < 0 || tensor.elements < 0 ||
          tensor.offset % 64 != 0 || tensor.initializer < PENSTOCK_INIT_ZEROS || tensor.initializer > PENSTOCK_INIT_CONSTANT ||
          !std::isfinite(tensor.init_scale) || !count.ok() || *count.get("a tensor") != tensor.elements ||
          tensor.offset > sizes[penstock_buffer_of(tensor.tensor_class)] ||
          tensor.elements > sizes[penstock_buffer_of(tensor.tensor_class)] - tensor.offset) {
        return "the tensor `" + std::string(tensor.name) + "` has no sound place";
      }
    }
    return "";
  }

  /// Behind `tensors`.
  std::string notices() const {
    const auto tensors = tensorsOf(program);
    for (const PenstockNotice &notice : noticesOf(program)) {
      const bool counts = notice.tensor >= 0 && notice.tensor < program.tensors.count &&
                          tensors[notice.tensor].tensor_class == PENSTOCK_STATE && tensors[notice.tensor].elements == 1;
      if (!counts || !image.holdsText(notice.text)) {
        return "a notice has no sound count or text";
      }
    }
    return "";
  }

  bool sound(const PenstockAxis &axis, int place) const {
    bool good = axis.struct_size >= PENSTOCK_SIZE_WITH(PenstockAxis, extents) && image.holdsText(axis.name) &&
                axis.parent >= PENSTOCK_RECORDS && axis.parent < place && axis.extent_count >= 0 && axis.extent_count <= mostExtents &&
                image.holds(axis.extents, axis.extent_count);
    Checked rows = 1;
    for (int i = 0; good && i < axis.extent_count; ++i) {
      good = axis.extents[i] > 0;
      rows *= Checked(axis.extents[i]);
    }
    return good && rows.ok() && *rows.get("an axis") <= INT32_MAX;
  }

  bool sound(const PenstockValueType *type) const {
    if (!sized(type, PENSTOCK_SIZE_WITH(PenstockValueType, width))) {
      return false;
    }
    const bool onAxis = type->rows == PENSTOCK_ROWS_AXIS;
    return type->rows >= PENSTOCK_ROWS_ONE && type->rows <= PENSTOCK_ROWS_FIXED && penstock_element_bytes(type->element) > 0 &&
           type->width > 0 && type->fixed_rows >= 0 && type->width <= mostElements / std::max<std::int64_t>(type->fixed_rows, 1) &&
           (onAxis ? type->axis >= 0 && type->axis < program.axes.count : type->axis == -1);
  }

  std::string interface() const {
    for (int i = 0; i < program.axes.count; ++i) {
      if (!sound(axesOf(program)[i], i)) {
        return "an axis has no sound name, parent or extents";
      }
    }
    for (const PenstockInputInfo &input : inputsOf(program)) {
      if (!image.holdsText(input.name)) {
        return "an input has no sound name";
      }
      if (!sound(input.type)) {
        return "the input `" + std::string(input.name) + "` has no sound type";
      }
    }
    for (const PenstockDispatch &dispatch : dispatchesOf(program)) {
      if (!image.holdsText(dispatch.kernel) || !image.holdsText(dispatch.implementation) ||
          !image.holds(dispatch.attributes, dispatch.attribute_count)) {
        return "a kernel has no sound name or numbers";
      }
    }
    for (const PenstockDeviceCode &code : codeOf(program)) {
      if (!image.holdsText(code.name) || !image.holds(static_cast<const char *>(code.code), code.code_bytes)) {
        return "a function of a device has no sound name or code";
      }
    }
    return "";
  }

  bool sound(const PenstockAmount *amount) const {
    return sized(amount, PENSTOCK_SIZE_WITH(PenstockAmount, per_pair)) && image.holds(amount->per_row, program.axes.count) &&
           image.holds(amount->per_pair, program.axes.count);
  }
  bool sound(const PenstockStepWork *work) const {
    return sized(work, PENSTOCK_SIZE_WITH(PenstockStepWork, bytes)) && image.holdsText(work->kind) && image.holdsText(work->what) &&
           image.holdsText(work->where) && sound(work->flops) && sound(work->bytes);
  }
  bool sound(const PenstockArena *arena) const {
    return sized(arena, PENSTOCK_SIZE_WITH(PenstockArena, per_worker)) && arena->constant >= 0 && arena->per_record >= 0 &&
           arena->per_worker >= 0 && image.holds(arena->per_row, program.axes.count) &&
           std::all_of(arena->per_row, arena->per_row + program.axes.count, [](std::int64_t bytes) { return bytes >= 0; });
  }

  std::string entries() const {
    for (const PenstockEntry &entry : entriesOf(program)) {
      if (!image.holdsText(entry.name)) {
        return "an entry has no sound name";
      }
      const std::string unsound = "the entry `" + std::string(entry.name) + "` has no sound ";
      if (!rows<PenstockStep>(entry.steps, PENSTOCK_SIZE_WITH(PenstockStep, work))) {
        return unsound + "steps";
      }
      for (const PenstockStep &step : stepsOf(entry)) {
        if (!image.holdsCode(step.run) || (step.numbers != nullptr && !image.holds(step.numbers, 1)) ||
            (step.work != nullptr && !sound(step.work))) {
          return unsound + "steps";
        }
      }
      if (!sound(entry.arena)) {
        return unsound + "size of its working memory";
      }
      if (!rows<PenstockOutputInfo>(entry.outputs, PENSTOCK_SIZE_WITH(PenstockOutputInfo, type))) {
        return unsound + "outputs";
      }
      for (const PenstockOutputInfo &output : outputsOf(entry)) {
        if (!image.holdsText(output.name) || !sound(output.type) || output.type->rows == PENSTOCK_ROWS_FIXED) {
          return unsound + "outputs";
        }
      }
    }
    return "";
  }

  /// Behind `entries`.
  std::string losses() const {
    const auto losses = lossesOf(program);
    std::int32_t last = 0;
    for (const PenstockLossInfo &loss : losses) {
      if (!std::isfinite(loss.coefficient) || loss.objective < last) {
        return "a loss has no sound coefficient or objective";
      }
      last = loss.objective;
    }
    for (const PenstockEntry &entry : entriesOf(program)) {
      const std::string_view name = entry.name;
      const bool one = name == "weights";
      if (!one && name != "evaluate") {
        continue;
      }
      const auto count = std::count_if(losses.begin(), losses.end(),
                                       [&](const PenstockLossInfo &loss) { return !one || loss.objective == entry.objective; });
      const std::int64_t outputs = (one ? 1 : 2) * count;
      if (entry.outputs.count < outputs) {
        return "the entry `" + std::string(name) + "` has no sound outputs of the losses";
      }
      for (std::int64_t k = 0; k < outputs; ++k) {
        const PenstockValueType &type = *outputsOf(entry)[k].type;
        if (type.width != 1 || type.element != PENSTOCK_F32 || (one && type.rows != PENSTOCK_ROWS_ONE)) {
          return "the entry `" + std::string(name) + "` has no sound outputs of the losses";
        }
      }
    }
    return "";
  }

  const PenstockProgram &program;
  const ProgramImage &image;
};

} // namespace

Result<bool> isOfThisInterface(const PenstockProgram &program, const ProgramImage &image, const std::string &path) {
  if (!image.holds(&program.struct_size, 1) || !image.holds(&program.abi_major, 2)) {
    return damagedFile(path, "its table does not lie in it", "the compiled program");
  }
  return program.abi_major == PENSTOCK_PROGRAM_ABI_MAJOR && program.abi_minor <= PENSTOCK_PROGRAM_ABI_MINOR &&
         program.struct_size >= PENSTOCK_SIZE_WITH(PenstockProgram, deferred_steps);
}

Status checkProgramTable(const PenstockProgram &program, const ProgramImage &image, const std::string &path) {
  const std::string wrong = image.holds(&program, 1) ? Table(program, image).judge() : "its table does not lie in it";
  return wrong.empty() ? Status() : damagedFile(path, wrong, "the compiled program");
}

} // namespace penstock
