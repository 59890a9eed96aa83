#include "compiler/conversion/PipeToNn/PipeToNn.h"

#include "compiler/conversion/Passes.h"
#include "compiler/conversion/PipeToNn/HeadBuilder.h"
#include "compiler/conversion/PipeToNn/ModelBuilder.h"
#include "compiler/conversion/PipeToNn/RecordWeights.h"
#include "compiler/dialect/Pipe/Pipe.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace penstock {

#define GEN_PASS_DEF_PIPETONNPASS
#include "compiler/conversion/Passes.h.inc"

namespace {

/// Lowers one pipeline.
class Lowering {
public:
  Lowering(pipe::PipelineOp pipeline, func::FuncOp function, const ImportOptions &options)
      : pipeline(pipeline), function(function), options(options), model(pipeline->getParentOfType<ModuleOp>(), function) {}

  LogicalResult run() {
    for (Operation &op : pipeline.getBody().front()) {
      LogicalResult result = success();
      if (auto column = dyn_cast<pipe::ColumnOp>(op)) {
        result = lowerInput(column, column.getName(), column.getInput(), column.getTarget());
        recordWeights = column.getWeighs() ? values.lookup(column.getResult()) : recordWeights;
      } else if (auto feature = dyn_cast<pipe::FeatureOp>(op)) {
        result = lowerInput(feature, feature.getName(), feature.getInput(), feature.getTarget());
      } else if (auto call = dyn_cast<pipe::CallOp>(op)) {
        result = lowerCall(call);
      } else if (auto head = dyn_cast<pipe::HeadOp>(op)) {
        result = lowerHead(head);
      }
      if (failed(result)) {
        return failure();
      }
    }
    if (recordWeights && failed(weighRecords(function, recordWeights))) {
      return failure();
    }
    if (failed(writeOutputs()) || failed(model.finish())) {
      return failure();
    }
    writeAttributes();
    return success();
  }

private:
  FailureOr<Type> typeOf(Type type, Location loc) {
    MLIRContext *context = pipeline.getContext();
    Builder b(context);
    if (auto ids = dyn_cast<pipe::IdsType>(type)) {
      return Type(nn::RowsType::get(context, b.getArrayAttr({ids.getAxis()}), 1, b.getI32Type()));
    }
    if (auto tags = dyn_cast<pipe::TagsType>(type)) {
      return Type(nn::RowsType::get(context, b.getArrayAttr({tags.getAxis()}), 1, b.getI32Type()));
    }
    if (isa<pipe::ClassType>(type)) {
      return Type(nn::recordsOf(context, 1, b.getI32Type()));
    }
    if (isa<pipe::NumberType>(type)) {
      return Type(nn::recordsOf(context, 1));
    }
    if (auto labels = dyn_cast<pipe::VectorType>(type)) { // a set
      return Type(nn::recordsOf(context, labels.getWidth()));
    }
    if (auto rows = dyn_cast<pipe::SequenceType>(type)) { // of a series
      return Type(nn::RowsType::get(context, b.getArrayAttr({rows.getAxis()}), rows.getWidth(), b.getF32Type()));
    }
    emitError(loc, "the model cannot read a value of type ") << type;
    return failure();
  }

  LogicalResult lowerInput(Operation *op, StringRef name, std::optional<uint64_t> index, bool target) {
    Value value = op->getResult(0);
    if (!index) {
      if (!value.use_empty()) {
        return op->emitError("`") << name << "` is read by the model but has no place in the batch";
      }
      return success();
    }
    FailureOr<Type> type = typeOf(value.getType(), op->getLoc());
    if (failed(type)) {
      return failure();
    }
    Builder b(op->getContext());
    inputs[static_cast<int64_t>(*index)] =
        b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(name)), b.getNamedAttr("target", b.getBoolAttr(target)),
                             b.getNamedAttr("type", TypeAttr::get(*type))});
    values[value] = model.input(name, static_cast<int64_t>(*index), *type, op->getLoc());
    return success();
  }

  FailureOr<SmallVector<Value>> operandsOf(Operation *op) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      Value value = values.lookup(operand);
      if (!value) {
        op->emitError("reads a value that the tensor program does not have");
        return failure();
      }
      operands.push_back(value);
    }
    return operands;
  }

  LogicalResult lowerCall(pipe::CallOp op) {
    if (op.getName() == "answer_of" || op.getName() == "loss_of") {
      auto found = heads.find(op.getInputs()[0]);
      Value value = found == heads.end() ? Value() : op.getName() == "answer_of" ? found->second.answer : found->second.loss;
      if (!value) {
        return op.emitError("`") << op.getName() << "` reads what the head does not give";
      }
      values[op.getResult()] = value;
      return checkType(op, value);
    }
    FailureOr<SmallVector<Value>> operands = operandsOf(op);
    if (failed(operands)) {
      return failure();
    }
    frontend::Attributes attributes = fromDictionary(op.getArgumentsAttr());
    if (ArrayAttr weights = op.getWeightsAttr()) {
      for (Attribute item : weights) {
        auto weight = cast<DictionaryAttr>(item);
        auto shape = weight.getAs<DenseI64ArrayAttr>("shape");
        FailureOr<Value> value = model.parameter(
            {(op.getPath() + "." + weight.getAs<StringAttr>("name").getValue()).str(), std::vector<int64_t>(shape.asArrayRef()),
             weight.getAs<StringAttr>("initializer").getValue().str(), weight.getAs<FloatAttr>("scale").getValueAsDouble(),
             weight.getAs<BoolAttr>("decays").getValue(), learningFrom(weight.getAs<DictionaryAttr>("learning")),
             weight.contains("state") ? "model_state"
             : weight.contains("fit") ? "fitted"
                                      : "parameter"},
            op.getLoc());
        if (failed(value)) {
          return failure();
        }
        operands->push_back(*value);
      }
    }
    if (!op.getInputs().empty()) { // how many values an index has is no part of its type in Nn
      if (auto ids = dyn_cast<pipe::IdsType>(op.getInputs()[0].getType())) {
        attributes["values"] = ids.getVocabulary();
      } else if (auto one = dyn_cast<pipe::ClassType>(op.getInputs()[0].getType())) {
        attributes["values"] = one.getClasses();
      }
    }
    FailureOr<Value> result = model.op(op.getName(), *operands, attributes, op.getPath(), op.getLoc());
    if (failed(result)) {
      return failure();
    }
    values[op.getResult()] = *result;
    return checkType(op, *result);
  }

  /// The width that the front end computed is the one that was built.
  LogicalResult checkType(pipe::CallOp op, Value value) {
    int64_t width = 0;
    if (auto vector = dyn_cast<pipe::VectorType>(op.getType())) {
      width = vector.getWidth();
    } else if (auto sequence = dyn_cast<pipe::SequenceType>(op.getType())) {
      width = sequence.getWidth();
    } else {
      return success();
    }
    if (nn::widthOf(value.getType()) != width) {
      return op.emitError("`") << op.getName() << "` is declared " << width << " wide and built " << nn::widthOf(value.getType())
                               << " wide";
    }
    return success();
  }

  LogicalResult lowerHead(pipe::HeadOp op) {
    FailureOr<SmallVector<Value>> operands = operandsOf(op);
    if (failed(operands)) {
      return failure();
    }
    PenstockField column{};
    if (op.getInputs().size() == 2) {
      const auto bind = [&](StringRef meaning, int32_t shape, int64_t classes) {
        column.struct_size = sizeof column;
        column.meaning = {meaning.data(), meaning.size()};
        column.element = classes > 0 ? PENSTOCK_CLASS : PENSTOCK_F64;
        column.shape = shape;
        column.width = 1;
        column.class_count = column.trained = classes;
      };
      Type type = op.getInputs()[1].getType();
      if (auto classId = dyn_cast<pipe::ClassType>(type)) {
        bind("class", PENSTOCK_EACH, classId.getClasses());
      } else if (auto labels = dyn_cast<pipe::VectorType>(type)) {
        bind("set", PENSTOCK_LIST, labels.getWidth());
      } else if (auto tags = dyn_cast<pipe::TagsType>(type)) {
        bind("tags", PENSTOCK_LIST, tags.getClasses());
      } else {
        bind("number", PENSTOCK_EACH, 0);
      }
    }
    FailureOr<HeadValues> built =
        buildHead(model, options.buildHead, op.getPlugin().str(), fromDictionary(op.getArgumentsAttr()), (*operands)[0],
                  operands->size() == 2 ? (*operands)[1] : Value(), operands->size() == 2 ? &column : nullptr, op.getPath().str(),
                  learningFrom(op.getLearningAttr()), op.getLoc());
    if (failed(built)) {
      return failure();
    }
    heads[op.getResult()] = *built;
    return success();
  }

  LogicalResult writeOutputs() {
    int64_t index = 0;
    for (auto objective : pipeline.getBody().getOps<pipe::ObjectiveOp>()) {
      FailureOr<SmallVector<Value>> operands = operandsOf(objective);
      if (failed(operands)) {
        return failure();
      }
      model.output(nn::lossOutput(objective.getName()), index++, (*operands)[0], objective.getLoc());
    }
    for (auto answer : pipeline.getBody().getOps<pipe::AnswerOp>()) {
      FailureOr<SmallVector<Value>> operands = operandsOf(answer);
      if (failed(operands)) {
        return failure();
      }
      model.output(answer.getName(), index++, (*operands)[0], answer.getLoc());
    }
    return success();
  }

  void writeAttributes() {
    auto module = pipeline->getParentOfType<ModuleOp>();
    Builder b(pipeline.getContext());
    SmallVector<Attribute> layout;
    for (const auto &[index, input] : inputs) {
      layout.push_back(input);
    }
    module->setAttr("nn.inputs", b.getArrayAttr(layout));
    SmallVector<Attribute> objectives;
    for (auto objective : pipeline.getBody().getOps<pipe::ObjectiveOp>()) {
      NamedAttrList attributes(objective.getOptimizer());
      attributes.set("clip_norm", objective.getClipNormAttr());
      if (!objective.getName().empty()) {
        attributes.set("name", objective.getNameAttr());
      }
      objectives.push_back(attributes.getDictionary(b.getContext()));
    }
    if (!objectives.empty()) {
      module->setAttr("nn.objectives", b.getArrayAttr(objectives));
    }
    if (pipeline.getInParts()) {
      module->setAttr("nn.accumulate", b.getUnitAttr());
    }
  }

  pipe::PipelineOp pipeline;
  func::FuncOp function;
  Value recordWeights; // null where all count alike
  const ImportOptions &options;
  ModelBuilder model;
  llvm::DenseMap<Value, Value> values;
  llvm::DenseMap<Value, HeadValues> heads;
  std::map<int64_t, Attribute> inputs;
};

struct PipeToNnPass : impl::PipeToNnPassBase<PipeToNnPass> {
  void runOnOperation() final {
    if (failed(lowerPipeToNn(getOperation(), {}))) {
      signalPassFailure();
    }
  }
};

} // namespace

LogicalResult lowerPipeToNn(ModuleOp module, const ImportOptions &options) {
  module.getContext()->loadDialect<nn::NnDialect, func::FuncDialect>();
  SmallVector<pipe::PipelineOp> pipelines(module.getOps<pipe::PipelineOp>());
  if (pipelines.size() != 1) {
    return module.emitError("a module to lower has one pipeline, this one has ") << pipelines.size();
  }
  pipe::PipelineOp pipeline = pipelines.front();
  OpBuilder builder(pipeline);
  auto function = func::FuncOp::create(builder, pipeline.getLoc(), "model", builder.getFunctionType({}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  func::ReturnOp::create(builder, pipeline.getLoc());
  if (failed(Lowering(pipeline, function, options).run())) {
    return failure();
  }
  pipeline.erase();
  return verify(module);
}

} // namespace penstock
