#include "compiler/dialect/Pipe/Pipe.h"
#include "compiler/frontend/operations.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace penstock::pipe;

namespace {

LogicalResult verifyWeight(CallOp op, Attribute attribute) {
  auto weight = dyn_cast<DictionaryAttr>(attribute);
  if (!weight || !weight.getAs<StringAttr>("name") || !weight.getAs<DenseI64ArrayAttr>("shape") ||
      !weight.getAs<StringAttr>("initializer") || !weight.getAs<FloatAttr>("scale") || !weight.getAs<BoolAttr>("decays")) {
    return op.emitOpError("a weight is a dictionary of name, shape, initializer, scale and decays");
  }
  auto shape = weight.getAs<DenseI64ArrayAttr>("shape");
  for (int64_t extent : shape.asArrayRef()) {
    if (extent < 1) {
      return op.emitOpError("weight `") << weight.getAs<StringAttr>("name").getValue() << "` has an extent of " << extent;
    }
  }
  return success();
}

} // namespace

LogicalResult CallOp::verify() {
  std::optional<penstock::frontend::Arity> arity = penstock::frontend::arityOf(getName());
  if (!arity) {
    return emitOpError("names no built-in operation: `") << getName() << "`";
  }
  if (getInputs().size() < arity->operands || getInputs().size() > arity->mostOperands) {
    return emitOpError("`") << getName() << "` cannot have " << getInputs().size() << " operands";
  }
  size_t weights = getWeights() ? getWeights()->size() : 0;
  if (weights < arity->weights || weights > arity->mostWeights) {
    return emitOpError("`") << getName() << "` cannot have " << weights << " weights";
  }
  if (ArrayAttr items = getWeightsAttr()) {
    for (Attribute weight : items) {
      if (failed(verifyWeight(*this, weight))) {
        return failure();
      }
    }
  }
  return success();
}

LogicalResult HeadOp::verify() {
  if (getInputs().empty() || getInputs().size() > 2) {
    return emitOpError("a head has an input and at most one target");
  }
  if (getInputs().size() == 2 && !isa<ClassType, TagsType, NumberType, VectorType>(getInputs()[1].getType())) {
    return emitOpError("the target of a head is a class, tags, a number or a set, not ") << getInputs()[1].getType();
  }
  return success();
}

LogicalResult ObjectiveOp::verify() {
  if (!getOptimizer().getAs<StringAttr>("kind")) {
    return emitOpError("an optimizer has a kind");
  }
  return success();
}

LogicalResult PipelineOp::verifyRegions() {
  llvm::StringSet<> answers;
  llvm::DenseSet<int64_t> inputs;
  llvm::StringSet<> objectives;
  for (Operation &op : getBody().front()) {
    if (auto answer = dyn_cast<AnswerOp>(op)) {
      if (!answers.insert(answer.getName()).second) {
        return answer.emitOpError("is the second answer named `") << answer.getName() << "`";
      }
    } else if (auto objective = dyn_cast<ObjectiveOp>(op); objective && !objectives.insert(objective.getName()).second) {
      return objective.emitOpError("is the second objective named `") << objective.getName() << "`";
    }
    std::optional<int64_t> input;
    if (auto column = dyn_cast<ColumnOp>(op)) {
      input = column.getInput();
    } else if (auto feature = dyn_cast<FeatureOp>(op)) {
      input = feature.getInput();
    }
    if (input && !inputs.insert(*input).second) {
      return op.emitOpError("has the place of another input in the batch: ") << *input;
    }
  }
  return success();
}
