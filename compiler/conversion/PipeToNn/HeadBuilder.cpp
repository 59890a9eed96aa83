#include "compiler/conversion/PipeToNn/HeadBuilder.h"

#include "runtime/abi/program_abi.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

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

Building &of(void *context) { return *static_cast<Building *>(context); }

std::string text(PenstockString s) { return s.data ? std::string(s.data, s.size) : std::string(); }

frontend::Attributes attributesOf(const PenstockAttribute *attributes, int32_t count) {
  frontend::Attributes result;
  for (int32_t i = 0; i < count; ++i) {
    const PenstockAttribute &a = attributes[i];
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
                   const PenstockAttribute *attributes, int32_t attributeCount) {
  Building &building = of(context);
  SmallVector<Value> values;
  for (int32_t i = 0; i < operandCount; ++i) {
    values.push_back(building.get(operands[i]));
    if (!values.back()) {
      return 0;
    }
  }
  const std::string op = text(name);
  return building.make(
      op, [&] { return building.model.op(op, values, attributesOf(attributes, attributeCount), building.path, building.loc); });
}

PenstockNode addParameter(void *context, PenstockString name, const int64_t *shape, int32_t rank, int32_t initializer, double scale,
                          int32_t decays) {
  Building &building = of(context);
  const char *initializers[] = {"zeros", "ones", "uniform", "normal", "constant"};
  static_assert(PENSTOCK_INIT_ZEROS == 0 && PENSTOCK_INIT_ONES == 1 && PENSTOCK_INIT_UNIFORM == 2 && PENSTOCK_INIT_NORMAL == 3 &&
                PENSTOCK_INIT_CONSTANT == 4);
  if (initializer < 0 || initializer >= static_cast<int32_t>(std::size(initializers))) {
    building.fail("asks for an initializer that does not exist");
    return 0;
  }
  if (rank < 1 || rank > 8) {
    building.fail("asks for a parameter of rank " + Twine(rank));
    return 0;
  }
  const std::string parameter = text(name);
  return building.make(parameter, [&] {
    return building.model.parameter({building.path + "." + parameter, std::vector<int64_t>(shape, shape + rank), initializers[initializer],
                                     scale, decays != 0, building.learning},
                                    building.loc);
  });
}

int64_t widthOfNode(void *context, PenstockNode node) {
  Value value = of(context).get(node);
  return value ? nn::widthOf(value.getType()) : 0;
}

int32_t isSequenceNode(void *context, PenstockNode node) {
  Value value = of(context).get(node);
  return value && nn::isOnAxis(value.getType()) ? 1 : 0;
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
                                const frontend::Attributes &parameters, Value input, Value target, int64_t classes, const std::string &path,
                                const frontend::Learning &learning, Location loc) {
  if (!build) {
    emitError(loc, "head plugin `") << plugin << "` cannot be built here: no plugin host is given";
    return failure();
  }
  Building building{model, plugin, path, learning, loc, {}};
  PenstockNode inputNode = building.add(input);
  PenstockNode targetNode = target ? building.add(target) : 0;
  PenstockGraphBuilder functions{sizeof(PenstockGraphBuilder), &building, addOp, addParameter, widthOfNode, isSequenceNode, failBuild};
  PenstockHeadGraph graph{sizeof(PenstockHeadGraph), 0, 0, 0};
  Status status = build(plugin, parameters, &functions, inputNode, targetNode, classes, &graph);
  if (building.failed) {
    return failure(); // reported where it happened
  }
  if (!status.ok()) {
    emitError(loc, status.message());
    return failure();
  }
  HeadValues values;
  values.answer = building.get(graph.answer);
  if (!values.answer) {
    return failure();
  }
  nn::RowsOf rows = nn::rowsOf(values.answer.getType());
  bool tags = target && nn::isOnAxis(target.getType());
  bool fits = tags ? rows == nn::rowsOf(target.getType()) : rows.kind == nn::RowsOf::Kind::records;
  if (!fits || !nn::elementTypeOf(values.answer.getType()).isF32()) {
    building.fail(tags ? "gives an answer that is not one row a token" : "gives an answer that is not one row a record");
    return failure();
  }
  if (target) {
    values.loss = building.get(graph.loss);
    if (!values.loss) {
      return failure();
    }
    if (graph.weight != 0) {
      Value weight = building.get(graph.weight);
      if (!weight) {
        return failure();
      }
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
  }
  return values;
}

} // namespace penstock
