#include "runtime/exec/program_table.h"

#include "runtime/base/checked.h"
#include "runtime/base/file.h"

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

  std::string arrays() const {
    const bool good = image.holdsText(program.level) && image.holds(program.axes, program.axis_count) &&
                      image.holds(program.inputs, program.input_count) && image.holds(program.tensors, program.tensor_count) &&
                      image.holds(program.dispatches, program.dispatch_count) && texts(program.symbols, program.symbol_count) &&
                      program.entry_count > 0 && image.holds(program.entries, program.entry_count);
    return good ? "" : "its tables have no sound sizes";
  }

  std::string sizes() const {
    for (const std::int64_t one : {program.parameter_elements, program.state_elements, program.fitted_elements}) {
      if (one < 0 || one > mostElements) {
        return "its tensors have no sound sizes";
      }
    }
    bool settles = false;
    for (int i = 0; i < program.entry_count; ++i) {
      settles |= image.holdsText(program.entries[i].name) && program.entries[i].name == std::string_view("settle");
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
    for (int i = 0; i < program.tensor_count; ++i) {
      const PenstockTensorInfo &tensor = program.tensors[i];
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
    if (!image.holds(program.notices, program.notice_count)) {
      return "its notices have no sound number";
    }
    for (int i = 0; i < program.notice_count; ++i) {
      const PenstockNotice &notice = program.notices[i];
      const bool counts = notice.tensor >= 0 && notice.tensor < program.tensor_count &&
                          program.tensors[notice.tensor].tensor_class == PENSTOCK_STATE && program.tensors[notice.tensor].elements == 1;
      if (!counts || !image.holdsText(notice.text)) {
        return "a notice has no sound count or text";
      }
    }
    return "";
  }

  bool sound(const PenstockAxis &axis, int place) const {
    bool good = axis.struct_size >= sizeof axis && image.holdsText(axis.name) && axis.parent >= PENSTOCK_RECORDS && axis.parent < place &&
                axis.extent_count >= 0 && axis.extent_count <= mostExtents && image.holds(axis.extents, axis.extent_count);
    Checked rows = 1;
    for (int i = 0; good && i < axis.extent_count; ++i) {
      good = axis.extents[i] > 0;
      rows *= Checked(axis.extents[i]);
    }
    return good && rows.ok() && *rows.get("an axis") <= INT32_MAX;
  }

  bool sound(const PenstockValueType *type) const {
    if (!image.holds(type, 1) || type->struct_size < sizeof *type) {
      return false;
    }
    const bool onAxis = type->rows == PENSTOCK_ROWS_AXIS;
    return type->rows >= PENSTOCK_ROWS_ONE && type->rows <= PENSTOCK_ROWS_FIXED && penstock_element_bytes(type->element) > 0 &&
           type->width > 0 && type->fixed_rows >= 0 && type->width <= mostElements / std::max<std::int64_t>(type->fixed_rows, 1) &&
           (onAxis ? type->axis >= 0 && type->axis < program.axis_count : type->axis == -1);
  }

  std::string interface() const {
    for (int i = 0; i < program.axis_count; ++i) {
      if (!sound(program.axes[i], i)) {
        return "an axis has no sound name, parent or extents";
      }
    }
    for (int i = 0; i < program.input_count; ++i) {
      const PenstockInputInfo &input = program.inputs[i];
      if (!image.holdsText(input.name)) {
        return "an input has no sound name";
      }
      if (!sound(input.type)) {
        return "the input `" + std::string(input.name) + "` has no sound type";
      }
    }
    for (int i = 0; i < program.dispatch_count; ++i) {
      const PenstockDispatch &dispatch = program.dispatches[i];
      if (!image.holdsText(dispatch.kernel) || !image.holdsText(dispatch.implementation) ||
          !image.holds(dispatch.attributes, dispatch.attribute_count)) {
        return "a kernel has no sound name or numbers";
      }
    }
    return "";
  }

  bool sound(const PenstockAmount &amount) const {
    return image.holds(amount.per_row, program.axis_count) && image.holds(amount.per_pair, program.axis_count);
  }

  std::string entries() const {
    for (int i = 0; i < program.entry_count; ++i) {
      const PenstockEntry &entry = program.entries[i];
      if (!image.holdsText(entry.name)) {
        return "an entry has no sound name";
      }
      const std::string unsound = "the entry `" + std::string(entry.name) + "` has no sound ";
      if (!image.holds(entry.steps, entry.step_count)) {
        return unsound + "steps";
      }
      for (int k = 0; k < entry.step_count; ++k) {
        const PenstockStep &step = entry.steps[k];
        const PenstockStepWork *const work = step.work;
        if (!image.holdsCode(step.run) || (step.numbers != nullptr && !image.holds(step.numbers, 1)) ||
            (work != nullptr && (!image.holds(work, 1) || !image.holdsText(work->kind) || !image.holdsText(work->what) ||
                                 !image.holdsText(work->where) || !sound(work->flops) || !sound(work->bytes)))) {
          return unsound + "steps";
        }
      }
      bool memory = entry.arena.constant >= 0 && entry.arena.per_record >= 0 && entry.arena.per_worker >= 0 &&
                    image.holds(entry.arena.per_row, program.axis_count);
      for (int axis = 0; memory && axis < program.axis_count; ++axis) {
        memory = entry.arena.per_row[axis] >= 0;
      }
      if (!memory) {
        return unsound + "size of its working memory";
      }
      if (!image.holds(entry.outputs, entry.output_count)) {
        return unsound + "outputs";
      }
      for (int k = 0; k < entry.output_count; ++k) {
        const PenstockOutputInfo &output = entry.outputs[k];
        if (!image.holdsText(output.name) || !sound(output.type) || output.type->rows == PENSTOCK_ROWS_FIXED) {
          return unsound + "outputs";
        }
      }
    }
    return "";
  }

  /// Behind `entries`.
  std::string losses() const {
    if (!image.holds(program.losses, program.loss_count)) {
      return "its losses have no sound number";
    }
    for (int i = 0; i < program.loss_count; ++i) {
      const PenstockLossInfo &loss = program.losses[i];
      if (!std::isfinite(loss.coefficient) || loss.objective < (i == 0 ? 0 : program.losses[i - 1].objective)) {
        return "a loss has no sound coefficient or objective";
      }
    }
    for (int i = 0; i < program.entry_count; ++i) {
      const PenstockEntry &entry = program.entries[i];
      const std::string_view name = entry.name;
      const bool one = name == "weights";
      if (!one && name != "evaluate") {
        continue;
      }
      const auto losses = std::count_if(program.losses, program.losses + program.loss_count,
                                        [&](const PenstockLossInfo &loss) { return !one || loss.objective == entry.objective; });
      const std::int64_t outputs = (one ? 1 : 2) * losses;
      if (entry.output_count < outputs) {
        return "the entry `" + std::string(name) + "` has no sound outputs of the losses";
      }
      for (int k = 0; k < outputs; ++k) {
        const PenstockValueType &type = *entry.outputs[k].type;
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

Status checkProgramTable(const PenstockProgram &program, const ProgramImage &image, const std::string &path) {
  const std::string wrong = image.holds(&program, 1) ? Table(program, image).judge() : "its table does not lie in it";
  return wrong.empty() ? Status() : damagedFile(path, wrong, "the compiled program");
}

} // namespace penstock
