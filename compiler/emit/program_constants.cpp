#include "compiler/emit/program_constants.h"

#include "runtime/abi/program_abi.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <tuple>

namespace penstock {
namespace {

using llvm::Constant;

class Tables {
public:
  explicit Tables(llvm::Module &module) : module(module), context(module.getContext()) {}

  Constant *i32(std::int64_t value) { return llvm::ConstantInt::getSigned(llvm::Type::getInt32Ty(context), value); }
  Constant *i64(std::int64_t value) { return llvm::ConstantInt::getSigned(llvm::Type::getInt64Ty(context), value); }
  Constant *f64(double value) { return llvm::ConstantFP::get(llvm::Type::getDoubleTy(context), llvm::APFloat(value)); }
  Constant *null() { return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0)); }

  Constant *text(const std::string &value) {
    Constant *&known = texts[value];
    if (!known) {
      known = global(llvm::ConstantDataArray::getString(context, value, /*AddNull=*/true));
    }
    return known;
  }
  Constant *numbers(const std::vector<std::int64_t> &values) {
    std::vector<std::uint64_t> bits(values.begin(), values.end());
    return values.empty() ? null() : global(llvm::ConstantDataArray::get(context, bits));
  }
  /// The address of one number of such an array.
  Constant *element(Constant *numbers, std::int64_t place) {
    llvm::Type *number = llvm::Type::getInt64Ty(context);
    return numbers->isNullValue() ? numbers : llvm::ConstantExpr::getInBoundsGetElementPtr(number, numbers, i64(place));
  }
  /// The address of an array of these equally typed constants; null for none.
  Constant *array(const std::vector<Constant *> &items) {
    if (items.empty()) {
      return null();
    }
    auto *type = llvm::ArrayType::get(items.front()->getType(), items.size());
    return global(llvm::ConstantArray::get(type, items));
  }
  /// A PenstockTable of these rows.
  Constant *table(std::size_t stride, const std::vector<Constant *> &rows) {
    using S = PenstockTable;
    return record("PenstockTable", sizeof(S), {offsetof(S, count), offsetof(S, stride), offsetof(S, first)},
                  {i32(static_cast<std::int64_t>(rows.size())), i32(static_cast<std::int64_t>(stride)), array(rows)});
  }
  Constant *textArray(const std::vector<std::string> &values) {
    std::vector<Constant *> items;
    for (const std::string &value : values) {
      items.push_back(text(value));
    }
    return array(items);
  }
  Constant *global(Constant *value) {
    auto *variable = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage, value);
    return variable;
  }

  /// A struct of these members, which must lie where the C compiler puts them.
  Constant *record(const char *name, std::size_t size, const std::vector<std::size_t> &offsets, const std::vector<Constant *> &members) {
    Constant *value = llvm::ConstantStruct::getAnon(context, members);
    const llvm::StructLayout *layout = module.getDataLayout().getStructLayout(llvm::cast<llvm::StructType>(value->getType()));
    bool same = layout->getSizeInBytes() == size && offsets.size() == members.size();
    for (std::size_t i = 0; same && i < offsets.size(); ++i) {
      same = layout->getElementOffset(static_cast<unsigned>(i)) == offsets[i];
    }
    if (!same && problem.empty()) {
      problem = fmt::format("the layout of `{}` is not that of the C header", name);
    }
    return value;
  }

  std::string problem;

private:
  llvm::Module &module;
  llvm::LLVMContext &context;
  std::map<std::string, Constant *> texts;
};

Constant *amountOf(Tables &t, const ProgramTable::Amount &amount) {
  using S = PenstockAmount;
  return t.global(
      t.record("PenstockAmount", sizeof(S),
               {offsetof(S, struct_size), offsetof(S, constant), offsetof(S, per_record), offsetof(S, per_row), offsetof(S, per_pair)},
               {t.i32(sizeof(S)), t.i64(amount.constant), t.i64(amount.perRecord), t.numbers(amount.perRow), t.numbers(amount.perPair)}));
}

/// One struct for all values of one type.
class ValueTypes {
public:
  explicit ValueTypes(Tables &tables) : t(tables) {}

  Constant *of(const ProgramTable::ValueType &type) {
    Constant *&known = made[{type.rows, type.axis, type.element, type.fixedRows, type.width}];
    if (!known) {
      using S = PenstockValueType;
      known = t.global(
          t.record("PenstockValueType", sizeof(S),
                   {offsetof(S, struct_size), offsetof(S, rows), offsetof(S, axis), offsetof(S, element), offsetof(S, fixed_rows),
                    offsetof(S, width)},
                   {t.i32(sizeof(S)), t.i32(type.rows), t.i32(type.axis), t.i32(type.element), t.i64(type.fixedRows), t.i64(type.width)}));
    }
    return known;
  }

private:
  Tables &t;
  std::map<std::tuple<int, int, int, std::int64_t, std::int64_t>, Constant *> made;
};

Constant *workOf(Tables &t, const ProgramTable::Step &step) {
  if (!step.work) {
    return t.null();
  }
  using S = PenstockStepWork;
  return t.global(
      t.record("PenstockStepWork", sizeof(S),
               {offsetof(S, struct_size), offsetof(S, kind), offsetof(S, what), offsetof(S, where), offsetof(S, flops), offsetof(S, bytes)},
               {t.i32(sizeof(S)), t.text(step.work->kind), t.text(step.work->what), t.text(step.work->where), amountOf(t, step.work->flops),
                amountOf(t, step.work->bytes)}));
}

Status checkTable(const ProgramTable &table) {
  const auto contradiction = [](std::string what) {
    return internalError("the table of the compiled program contradicts itself: " + std::move(what));
  };
  int lastClass = PENSTOCK_PARAMETER;
  for (const ProgramTable::Tensor &tensor : table.tensors) {
    const std::int64_t total[] = {table.parameterElements, table.stateElements, table.fittedElements};
    if (tensor.tensorClass < lastClass || tensor.tensorClass > PENSTOCK_MODEL_STATE) {
      return contradiction(fmt::format("tensor `{}` stands among those of another class", tensor.name));
    }
    lastClass = tensor.tensorClass;
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) {
      if (size < 0 || __builtin_mul_overflow(elements, size, &elements)) {
        return contradiction(fmt::format("the shape of tensor `{}`", tensor.name));
      }
    }
    std::int64_t end = 0;
    if (elements != tensor.elements || tensor.offset < 0 || tensor.offset % 64 != 0 ||
        __builtin_add_overflow(tensor.offset, elements, &end) || end > total[penstock_buffer_of(tensor.tensorClass)]) {
      return contradiction(fmt::format("the place of tensor `{}`", tensor.name));
    }
  }
  for (std::size_t i = 0; i < table.axes.size(); ++i) {
    if (table.axes[i].parent < -1 || table.axes[i].parent >= static_cast<int>(i)) {
      return contradiction(fmt::format("axis `{}` stands before its parent", table.axes[i].name));
    }
  }
  const auto sound = [&](const ProgramTable::ValueType &type) {
    const bool onAxis = type.rows == PENSTOCK_ROWS_AXIS;
    return type.rows >= PENSTOCK_ROWS_ONE && type.rows <= PENSTOCK_ROWS_FIXED && penstock_element_bytes(type.element) > 0 &&
           type.width > 0 && (onAxis ? type.axis >= 0 && type.axis < static_cast<int>(table.axes.size()) : type.axis == -1);
  };
  for (const ProgramTable::Input &input : table.inputs) {
    if (!sound(input.type)) {
      return contradiction(fmt::format("the type of input `{}`", input.name));
    }
  }
  for (const ProgramTable::Entry &entry : table.entries) {
    if (entry.arena.perRow.size() != table.axes.size()) {
      return contradiction(fmt::format("the arena of entry `{}` does not count every axis", entry.name));
    }
    for (const ProgramTable::Output &output : entry.outputs) {
      if (!sound(output.type)) {
        return contradiction(fmt::format("the type of output `{}`", output.name));
      }
    }
  }
  return Status::success();
}

} // namespace

Status addProgramConstants(llvm::Module &module, const ProgramTable &table) {
  PENSTOCK_TRY(checkTable(table));
  Tables t(module);

  ValueTypes types(t);
  std::vector<Constant *> axes, inputs, tensors, dispatches, entries;
  for (const ProgramTable::Axis &axis : table.axes) {
    using S = PenstockAxis;
    axes.push_back(
        t.record("PenstockAxis", sizeof(S),
                 {offsetof(S, struct_size), offsetof(S, parent), offsetof(S, name), offsetof(S, extent_count), offsetof(S, extents)},
                 {t.i32(sizeof(S)), t.i32(axis.parent), t.text(axis.name), t.i32(static_cast<std::int64_t>(axis.extents.size())),
                  t.numbers(axis.extents)}));
  }
  for (const ProgramTable::Input &input : table.inputs) {
    using S = PenstockInputInfo;
    inputs.push_back(t.record("PenstockInputInfo", sizeof(S), {offsetof(S, name), offsetof(S, target), offsetof(S, type)},
                              {t.text(input.name), t.i32(input.target), types.of(input.type)}));
  }
  for (const ProgramTable::Tensor &tensor : table.tensors) {
    using S = PenstockTensorInfo;
    tensors.push_back(t.record("PenstockTensorInfo", sizeof(S),
                               {offsetof(S, name), offsetof(S, tensor_class), offsetof(S, rank), offsetof(S, shape), offsetof(S, offset),
                                offsetof(S, elements), offsetof(S, initializer), offsetof(S, decays), offsetof(S, init_scale)},
                               {t.text(tensor.name), t.i32(tensor.tensorClass), t.i32(static_cast<std::int64_t>(tensor.shape.size())),
                                t.numbers(tensor.shape), t.i64(tensor.offset), t.i64(tensor.elements), t.i32(tensor.initializer),
                                t.i32(tensor.decays), t.f64(static_cast<double>(tensor.scale))}));
  }
  for (const ProgramTable::Dispatch &dispatch : table.dispatches) {
    using S = PenstockDispatch;
    dispatches.push_back(t.record("PenstockDispatch", sizeof(S),
                                  {offsetof(S, kernel), offsetof(S, implementation), offsetof(S, attribute_count), offsetof(S, attributes)},
                                  {t.text(dispatch.kernel), t.text(dispatch.implementation),
                                   t.i32(static_cast<std::int64_t>(dispatch.attributes.size())), t.numbers(dispatch.attributes)}));
  }
  for (const ProgramTable::Entry &entry : table.entries) {
    // The numbers of all steps stand in one array.
    std::vector<std::int64_t> numbers;
    for (const ProgramTable::Step &step : entry.steps) {
      numbers.insert(numbers.end(), step.numbers.begin(), step.numbers.end());
    }
    Constant *allNumbers = t.numbers(numbers);
    std::vector<Constant *> steps;
    std::int64_t place = 0;
    for (const ProgramTable::Step &step : entry.steps) {
      llvm::Function *run = module.getFunction(step.function);
      if (!run || run->isDeclaration() || run->arg_size() != 2 || !run->getReturnType()->isVoidTy() ||
          !run->getArg(0)->getType()->isPointerTy() || !run->getArg(1)->getType()->isPointerTy()) {
        return internalError(fmt::format("a step of entry `{}` of the compiled program names `{}`, "
                                         "which is no function of a step",
                                         entry.name, step.function));
      }
      using S = PenstockStep;
      steps.push_back(t.record("PenstockStep", sizeof(S), {offsetof(S, run), offsetof(S, numbers), offsetof(S, work)},
                               {run, t.element(allNumbers, place), workOf(t, step)}));
      place += static_cast<std::int64_t>(step.numbers.size());
    }
    std::vector<Constant *> outputs;
    for (const ProgramTable::Output &output : entry.outputs) {
      using S = PenstockOutputInfo;
      outputs.push_back(
          t.record("PenstockOutputInfo", sizeof(S), {offsetof(S, name), offsetof(S, type)}, {t.text(output.name), types.of(output.type)}));
    }
    using A = PenstockArena;
    Constant *arena = t.global(
        t.record("PenstockArena", sizeof(A),
                 {offsetof(A, struct_size), offsetof(A, constant), offsetof(A, per_record), offsetof(A, per_row), offsetof(A, per_worker)},
                 {t.i32(sizeof(A)), t.i64(entry.arena.constant), t.i64(entry.arena.perRecord), t.numbers(entry.arena.perRow),
                  t.i64(entry.arena.perWorker)}));
    using S = PenstockEntry;
    entries.push_back(t.record("PenstockEntry", sizeof(S),
                               {offsetof(S, name), offsetof(S, objective), offsetof(S, steps), offsetof(S, outputs), offsetof(S, arena)},
                               {t.text(entry.name), t.i32(entry.objective), t.table(sizeof(PenstockStep), steps),
                                t.table(sizeof(PenstockOutputInfo), outputs), arena}));
  }

  std::vector<Constant *> losses;
  for (const ProgramTable::Loss &loss : table.losses) {
    using S = PenstockLossInfo;
    losses.push_back(t.record("PenstockLossInfo", sizeof(S), {offsetof(S, objective), offsetof(S, coefficient)},
                              {t.i32(loss.objective), t.f64(loss.coefficient)}));
  }

  std::vector<Constant *> notices;
  for (std::size_t i = 0; i < table.tensors.size(); ++i) {
    if (!table.tensors[i].notice.empty()) {
      using S = PenstockNotice;
      notices.push_back(t.record("PenstockNotice", sizeof(S), {offsetof(S, tensor), offsetof(S, text)},
                                 {t.i32(static_cast<std::int64_t>(i)), t.text(table.tensors[i].notice)}));
    }
  }

  std::vector<Constant *> code;
  for (const ProgramTable::DeviceImage &image : table.device.images) {
    Constant *const bytes = t.text(image.bytes);
    for (const ProgramTable::DeviceFunction &function : table.device.functions) {
      using S = PenstockDeviceCode;
      code.push_back(t.record("PenstockDeviceCode", sizeof(S),
                              {offsetof(S, name), offsetof(S, form), offsetof(S, architecture), offsetof(S, code), offsetof(S, code_bytes),
                               offsetof(S, threads), offsetof(S, shared_bytes)},
                              {t.text(function.name), t.i32(image.form), t.i32(image.architecture), bytes,
                               t.i64(static_cast<std::int64_t>(image.bytes.size() + 1)), t.i32(function.threads), t.i32(function.shared)}));
    }
  }

  using S = PenstockProgram;
  Constant *program = t.record("PenstockProgram", sizeof(S),
                               {offsetof(S, struct_size),
                                offsetof(S, abi_major),
                                offsetof(S, abi_minor),
                                offsetof(S, symbol_count),
                                offsetof(S, symbols),
                                offsetof(S, level),
                                offsetof(S, axes),
                                offsetof(S, inputs),
                                offsetof(S, tensors),
                                offsetof(S, dispatches),
                                offsetof(S, code),
                                offsetof(S, entries),
                                offsetof(S, losses),
                                offsetof(S, notices),
                                offsetof(S, parameter_elements),
                                offsetof(S, state_elements),
                                offsetof(S, fitted_elements),
                                offsetof(S, packed_elements),
                                offsetof(S, gradient_elements),
                                offsetof(S, deferred_bytes),
                                offsetof(S, deferred_steps)},
                               {t.i32(sizeof(S)),
                                t.i32(PENSTOCK_PROGRAM_ABI_MAJOR),
                                t.i32(PENSTOCK_PROGRAM_ABI_MINOR),
                                t.i32(static_cast<std::int64_t>(table.symbols.size())),
                                t.textArray(table.symbols),
                                t.text(table.level),
                                t.table(sizeof(PenstockAxis), axes),
                                t.table(sizeof(PenstockInputInfo), inputs),
                                t.table(sizeof(PenstockTensorInfo), tensors),
                                t.table(sizeof(PenstockDispatch), dispatches),
                                t.table(sizeof(PenstockDeviceCode), code),
                                t.table(sizeof(PenstockEntry), entries),
                                t.table(sizeof(PenstockLossInfo), losses),
                                t.table(sizeof(PenstockNotice), notices),
                                t.i64(table.parameterElements),
                                t.i64(table.stateElements),
                                t.i64(table.fittedElements),
                                t.i64(table.packedElements),
                                t.i64(table.accumulatedElements),
                                t.i64(table.deferredBytes),
                                t.i64(table.deferredSteps)});
  if (!t.problem.empty()) {
    return internalError(t.problem);
  }

  llvm::LLVMContext &context = module.getContext();
  auto *getter = llvm::Function::Create(llvm::FunctionType::get(llvm::PointerType::get(context, 0), false),
                                        llvm::GlobalValue::ExternalLinkage, "penstock_program", module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", getter));
  builder.CreateRet(t.global(program));
  return Status::success();
}

} // namespace penstock
