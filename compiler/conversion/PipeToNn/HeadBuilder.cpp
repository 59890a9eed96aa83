#include "compiler/conversion/PipeToNn/HeadBuilder.h"

#include "runtime/abi/program_abi.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

#include <deque>

using namespace mlir;

namespace penstock {

namespace {

/// The context of the C functions below. Node n of the plugin is values[n - 1].
struct Building {
  ModelBuilder &model;
  std::string plugin, path;
  frontend::Learning learning;
  Location loc;
  std::vector<Value> values;
  SmallVector<std::pair<Value, Value>> updates; // of states, and what they become
  Value answer, loss, weight;                   // as the head gives them
  std::vector<nn::RowsOf> axes;                 // of the nodes that were described, each behind its parent
  std::deque<std::string> names;                // of the axes
  std::vector<PenstockAxis> described;
  bool failed = false;

  PenstockNode add(Value value) {
    values.push_back(value);
    return static_cast<PenstockNode>(values.size());
  }
  Value get(PenstockNode node) {
    if (node == 0 || node > values.size()) {
      fail("names a value that does not exist");
      return {};
    }
    return values[node - 1];
  }
  void fail(const Twine &what) {
    emitError(loc, "`build` of the head `") << plugin << "` " << what;
    failed = true;
  }

  /// Adds what `work` makes of an operation or parameter `name`. Its errors are the head's: told with its name, and those of a
  /// verifier, which are for us, in other words.
  template <typename Work> PenstockNode make(StringRef name, Work &&work) {
    std::string said;
    FailureOr<Value> made = failure();
    {
      ScopedDiagnosticHandler listen(loc.getContext(), [&](Diagnostic &diagnostic) {
        if (said.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error) {
          said = diagnostic.str();
        }
        return success();
      });
      made = work();
      Operation *op = succeeded(made) ? made->getDefiningOp() : nullptr;
      if (op != nullptr && mlir::failed(verify(op))) {
        made = failure();
      }
    }
    if (succeeded(made)) {
      return add(*made);
    }
    const bool ours = said.empty() || said.front() == '\'';
    fail("asks for `" + name + "` in a way that there is not: " + (ours ? "its operands or attributes do not fit" : said));
    return 0;
  }
};

/// The place of an axis among those that were described.
int32_t axisIndex(Building &building, const nn::RowsOf &rows) {
  auto found = llvm::find(building.axes, rows);
  if (found != building.axes.end()) {
    return static_cast<int32_t>(found - building.axes.begin());
  }
  nn::RowsOf parent = nn::parentOf(rows);
  int32_t above = parent.kind == nn::RowsOf::Kind::axis ? axisIndex(building, parent) : PENSTOCK_RECORDS;
  ArrayRef<int64_t> extents = nn::extentsOf(rows);
  building.names.push_back(nn::nameOf(rows));
  building.axes.push_back(rows);
  building.described.push_back({sizeof(PenstockAxis), above, building.names.back().c_str(), static_cast<int32_t>(extents.size()),
                                extents.empty() ? nullptr : extents.data()});
  return static_cast<int32_t>(building.axes.size()) - 1;
}

Building &of(void *context) { return *static_cast<Building *>(context); }

std::string text(PenstockString s) { return s.data ? std::string(s.data, s.size) : std::string(); }

frontend::Attributes attributesOf(const PenstockTable &attributes) {
  frontend::Attributes result;
  for (int32_t i = 0; i < attributes.count; ++i) {
    const auto &a = *static_cast<const PenstockValue *>(penstock_table_row(&attributes, i));
    frontend::Attribute &value = result[text(a.name)];
    switch (a.kind) {
    case PENSTOCK_VALUE_BOOL:
      value = a.integer != 0;
      break;
    case PENSTOCK_VALUE_INT:
      value = a.integer;
      break;
    case PENSTOCK_VALUE_FLOAT:
      value = a.number;
      break;
    case PENSTOCK_VALUE_NUMBERS:
      value = a.numbers && a.count > 0 ? std::vector<double>(a.numbers, a.numbers + a.count) : std::vector<double>();
      break;
    default:
      value = text(a.string);
      break;
    }
  }
  return result;
}

PenstockNode addOp(void *context, PenstockString name, const PenstockNode *operands, int32_t operandCount,
                   const PenstockTable *attributes) {
  Building &building = of(context);
  SmallVector<Value> values;
  for (int32_t i = 0; i < operandCount; ++i) {
    values.push_back(building.get(operands[i]));
    if (!values.back()) {
      return 0;
    }
  }
  const std::string op = text(name);
  return building.make(op, [&] { return building.model.op(op, values, attributesOf(*attributes), building.path, building.loc); });
}

PenstockNode addTensor(void *context, const PenstockTensorSpec *spec, const char *tensorClass) {
  Building &building = of(context);
  const char *initializers[] = {"zeros", "ones", "uniform", "normal", "constant"};
  static_assert(PENSTOCK_INIT_ZEROS == 0 && PENSTOCK_INIT_ONES == 1 && PENSTOCK_INIT_UNIFORM == 2 && PENSTOCK_INIT_NORMAL == 3 &&
                PENSTOCK_INIT_CONSTANT == 4);
  if (spec->initializer < 0 || spec->initializer >= static_cast<int32_t>(std::size(initializers))) {
    building.fail("asks for an initializer that does not exist");
    return 0;
  }
  const std::string name = text(spec->name);
  return building.make(name, [&] {
    return building.model.parameter({building.path + "." + name, std::vector<int64_t>(spec->shape, spec->shape + spec->rank),
                                     initializers[spec->initializer], spec->scale, spec->decays != 0, building.learning, tensorClass},
                                    building.loc);
  });
}

PenstockNode addParameter(void *context, const PenstockTensorSpec *spec) { return addTensor(context, spec, "parameter"); }

PenstockNode addState(void *context, const PenstockTensorSpec *spec) {
  PenstockTensorSpec state = *spec;
  state.decays = 0;
  return addTensor(context, &state, "model_state");
}

int32_t updateState(void *context, PenstockNode state, PenstockNode value) {
  Building &building = of(context);
  Value before = building.get(state), next = building.get(value);
  if (!before || !next) {
    return 1;
  }
  if (before.getType() != next.getType()) {
    building.fail("updates a state of one shape with a value of another");
    return 1;
  }
  building.updates.emplace_back(before, next);
  return 0;
}

int32_t describeNode(void *context, PenstockNode node, PenstockValueType *type, PenstockTable *axes) {
  Building &building = of(context);
  Value value = building.get(node);
  if (!value) {
    return 1;
  }
  nn::RowsOf rows = nn::rowsOf(value.getType());
  const bool fixed = rows.kind == nn::RowsOf::Kind::fixed, onAxis = rows.kind == nn::RowsOf::Kind::axis;
  type->rows = fixed ? PENSTOCK_ROWS_FIXED : onAxis ? PENSTOCK_ROWS_AXIS : PENSTOCK_ROWS_RECORDS;
  type->axis = onAxis ? axisIndex(building, rows) : -1;
  type->element = nn::elementTypeOf(value.getType()).isF32() ? PENSTOCK_F32 : PENSTOCK_I32;
  type->fixed_rows = fixed ? rows.rows : 0;
  type->width = nn::widthOf(value.getType());
  *axes = {static_cast<int32_t>(building.described.size()), sizeof(PenstockAxis), building.described.data()};
  return 0;
}

int32_t giveAnswer(void *context, PenstockNode node) {
  Building &building = of(context);
  building.answer = building.get(node);
  return building.answer ? 0 : 1;
}

int32_t giveLoss(void *context, PenstockNode items, PenstockNode weight) {
  Building &building = of(context);
  building.loss = building.get(items);
  building.weight = weight == 0 ? Value() : building.get(weight);
  return building.loss && (weight == 0 || building.weight) ? 0 : 1;
}

bool readsParameters(Value value) {
  SetVector<Operation *> behind;
  BackwardSliceOptions options;
  options.inclusive = true;
  return failed(getBackwardSlice(value, &behind, options)) || llvm::any_of(behind, llvm::IsaPred<nn::ReadOp>);
}

void failBuild(void *context, PenstockString message) { of(context).fail("says: " + text(message)); }

} // namespace

FailureOr<HeadValues> buildHead(ModelBuilder &model, const BuildHead &build, const std::string &plugin,
                                const frontend::Attributes &parameters, Value input, Value target, const PenstockField *column,
                                const std::string &path, const frontend::Learning &learning, Location loc) {
  if (!build) {
    emitError(loc, "head plugin `") << plugin << "` cannot be built here: no plugin host is given";
    return failure();
  }
  Building building{model, plugin, path, learning, loc, {}, {}, {}, {}, {}, {}, {}, {}};
  PenstockNode inputNode = building.add(input);
  PenstockNode targetNode = target ? building.add(target) : 0;
  PenstockGraphBuilder functions{
      sizeof(PenstockGraphBuilder), &building, addOp, addParameter, addState, updateState, describeNode, giveAnswer, giveLoss, failBuild};
  Status status = build(plugin, parameters, &functions, inputNode, targetNode, column);
  if (building.failed) {
    return failure(); // reported where it happened
  }
  if (!status.ok()) {
    emitError(loc, status.message());
    return failure();
  }
  HeadValues values{building.answer, {}};
  if (!values.answer || (target && !building.loss)) {
    building.fail(values.answer ? "gives no loss" : "gives no answer");
    return failure();
  }
  nn::RowsOf rows = nn::rowsOf(values.answer.getType());
  bool tags = target && nn::isOnAxis(target.getType());
  bool fits = tags ? rows == nn::rowsOf(target.getType()) : rows.kind == nn::RowsOf::Kind::records;
  if (!fits || !nn::elementTypeOf(values.answer.getType()).isF32()) {
    building.fail(tags ? "gives an answer that is not one row a token" : "gives an answer that is not one row a record");
    return failure();
  }
  if (!target) {
    return values;
  }
  values.loss = building.loss;
  if (Value weight = building.weight) {
    if (!nn::elementTypeOf(values.loss.getType()).isF32() || !nn::elementTypeOf(weight.getType()).isF32()) {
      building.fail("gives a loss or a weight that is not made of numbers");
      return failure();
    }
    if (readsParameters(weight)) {
      building.fail("gives a weight of its loss that depends on what is trained; a weight follows from the target alone");
      return failure();
    }
    OpBuilder &b = model.at();
    values.loss = nn::MeanOp::create(b, loc, RankedTensorType::get({}, b.getF32Type()), values.loss, weight);
  }
  if (!nn::isScalar(values.loss.getType())) {
    building.fail("gives a loss that is not a scalar, and no weight of its items");
    return failure();
  }
  for (auto [state, next] : building.updates) {
    model.update(state, next, building.loss);
  }
  return values;
}

} // namespace penstock
