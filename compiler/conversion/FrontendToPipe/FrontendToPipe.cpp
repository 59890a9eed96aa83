#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"

#include "compiler/dialect/Pipe/Pipe.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace penstock {

namespace {

class Importer {
public:
  Importer(MLIRContext &context, const frontend::TypedPipeline &pipeline) : context(context), pipeline(pipeline), builder(&context) {
    context.loadDialect<pipe::PipeDialect>();
  }

  FailureOr<OwningOpRef<ModuleOp>> run() {
    Location top = FileLineColLoc::get(&context, pipeline.file, 1, 1);
    OwningOpRef<ModuleOp> module = ModuleOp::create(top);
    builder.setInsertionPointToEnd(module->getBody());
    auto op = pipe::PipelineOp::create(builder, top, pipeline.name, pipeline.edition, pipeline.title, pipeline.train.accumulate > 1);
    builder.createBlock(&op.getBody());
    if (failed(importRecords(top)) || failed(importModel())) {
      return failure();
    }
    if (failed(verify(*module))) {
      return failure();
    }
    return module;
  }

private:
  Location at(const frontend::SourceRange &range) {
    return FileLineColLoc::get(&context, range.file.empty() ? pipeline.file : range.file.text(), range.line, range.column);
  }

  DictionaryAttr optional(DictionaryAttr dictionary) { return dictionary.empty() ? DictionaryAttr() : dictionary; }

  /// Where a declaration of the records stands.
  Location place(const std::string &key, Location fallback) {
    const auto found = pipeline.places.find(key);
    return found == pipeline.places.end() ? fallback : at(found->second);
  }

  /// The type that the model reads a column or feature with, or null where it does not.
  Type modelType(StringRef name) {
    if (inputTypes.empty()) { // a name may be asked for in each of thousands of columns
      for (const frontend::GraphNode &node : pipeline.model.nodes) {
        if (node.kind == frontend::GraphNode::Kind::input) {
          inputTypes.try_emplace(node.op, typeOf(node));
        }
      }
    }
    auto found = inputTypes.find(name.str());
    return found == inputTypes.end() ? Type() : found->second;
  }

  LogicalResult importRecords(Location top) {
    const RecordsSpec &records = pipeline.records;
    std::map<std::string, std::pair<int64_t, bool>> inputs; // place and whether it is a target, by the name of a column or feature
    for (const auto &[i, input] : llvm::enumerate(records.inputs)) {
      if (input.kind == InputSpec::Kind::noise) {
        Type type = pipe::VectorType::get(&context, input.width);
        named[input.name] = pipe::ColumnOp::create(builder, top, type, builder.getStringAttr(input.name),
                                                   builder.getI64IntegerAttr(static_cast<int64_t>(i)), builder.getBoolAttr(false));
        continue;
      }
      // Tags name the feature whose words they belong to beside their column.
      inputs[input.column.empty() ? input.feature : input.column] = {static_cast<int64_t>(i), input.target};
    }
    auto index = [&](const std::string &name) {
      auto found = inputs.find(name);
      return found == inputs.end() ? IntegerAttr() : builder.getI64IntegerAttr(found->second.first);
    };
    for (const ColumnSpec &column : records.columns) {
      Type result = modelType(column.name);
      if (!result) {
        using ColumnType = ColumnSpec::Type;
        result = column.type == ColumnType::classId  ? Type(pipe::ClassType::get(&context, 0))
                 : column.type == ColumnType::tags   ? Type(pipe::TagsType::get(&context, builder.getStringAttr(""), 0))
                 : column.type == ColumnType::number ? Type(pipe::NumberType::get(&context))
                                                     : Type(pipe::TextType::get(&context));
      }
      const auto input = inputs.find(column.name);
      auto op = pipe::ColumnOp::create(builder, place("columns." + column.name, top), result, builder.getStringAttr(column.name),
                                       index(column.name), builder.getBoolAttr(input != inputs.end() && input->second.second));
      op.setWeighs(std::any_of(records.inputs.begin(), records.inputs.end(),
                               [&](const InputSpec &spec) { return spec.weighs && spec.column == column.name; }));
      named[column.name] = op.getResult();
    }
    for (const FeatureSpec &feature : records.features) {
      Location loc = place("features." + feature.name, top);
      Type result = modelType(feature.name);
      if (!result) {
        continue; // nothing of the model reads it
      }
      const auto input = inputs.find(feature.name);
      auto op = pipe::FeatureOp::create(builder, loc, result, builder.getStringAttr(feature.name), index(feature.name),
                                        builder.getBoolAttr(input != inputs.end() && input->second.second));
      named[feature.name] = op.getResult();
    }
    return success();
  }

  Type typeOf(const frontend::GraphNode &node) {
    const frontend::ValueType &type = node.type;
    if (type.rows == frontend::ValueType::Rows::none) {
      return pipe::HeadType::get(&context);
    }
    if (type.rows == frontend::ValueType::Rows::one) {
      return pipe::ScalarType::get(&context);
    }
    StringAttr axis = builder.getStringAttr(type.axis());
    if (type.element == frontend::ValueType::Element::i32) {
      return !type.onAxis()        ? Type(pipe::ClassType::get(&context, type.values))
             : node.column.empty() ? Type(pipe::IdsType::get(&context, axis, type.values))
                                   : Type(pipe::TagsType::get(&context, axis, type.values));
    }
    const bool isInput = node.kind == frontend::GraphNode::Kind::input;
    if (node.column == "number" || (isInput && node.column.empty() && type.width == 1 && !type.onAxis())) {
      return pipe::NumberType::get(&context);
    }
    if (!type.onAxis()) {
      return pipe::VectorType::get(&context, type.width);
    }
    const std::vector<std::int64_t> &extents = type.axes.back().extents;
    return pipe::SequenceType::get(&context, extents.empty() ? Attribute(axis) : builder.getDenseI64ArrayAttr(extents), type.width);
  }

  ArrayAttr weightsOf(const frontend::GraphNode &node) {
    using Initializer = frontend::Weight::Initializer;
    SmallVector<Attribute> items;
    for (const frontend::Weight &weight : node.weights) {
      StringRef initializer = weight.initializer == Initializer::zeros     ? "zeros"
                              : weight.initializer == Initializer::ones    ? "ones"
                              : weight.initializer == Initializer::uniform ? "uniform"
                                                                           : "normal";
      SmallVector<NamedAttribute> members = {
          builder.getNamedAttr("name", builder.getStringAttr(weight.name)),
          builder.getNamedAttr("shape", builder.getDenseI64ArrayAttr(weight.shape)),
          builder.getNamedAttr("initializer", builder.getStringAttr(initializer)),
          builder.getNamedAttr("scale", builder.getF64FloatAttr(weight.scale)),
          builder.getNamedAttr("decays", builder.getBoolAttr(weight.decays)),
      };
      if (DictionaryAttr learning = toDictionary(context, weight.learning)) {
        members.push_back(builder.getNamedAttr("learning", learning));
      }
      if (weight.state) {
        members.push_back(builder.getNamedAttr("state", builder.getBoolAttr(true)));
      }
      if (!weight.fit.empty()) {
        members.push_back(builder.getNamedAttr("fit", builder.getStringAttr(weight.fit)));
      }
      items.push_back(builder.getDictionaryAttr(members));
    }
    return items.empty() ? ArrayAttr() : builder.getArrayAttr(items);
  }

  LogicalResult importNode(const frontend::GraphNode &node) {
    Location loc = at(node.range);
    if (node.kind == frontend::GraphNode::Kind::input) {
      auto found = named.find(node.op);
      if (found == named.end()) {
        return emitError(loc, "the model reads `") << node.op << "`, which is no column or feature";
      }
      values.push_back(found->second);
      return success();
    }
    SmallVector<Value> operands;
    for (int operand : node.operands) {
      if (operand < 0 || static_cast<size_t>(operand) >= values.size()) {
        return emitError(loc, "a node of the model reads one that does not stand before it");
      }
      operands.push_back(values[static_cast<size_t>(operand)]);
    }
    StringAttr path = builder.getStringAttr(node.path), name = builder.getStringAttr(node.op);
    DictionaryAttr attributes = optional(toDictionary(context, node.attributes));
    if (node.kind == frontend::GraphNode::Kind::head) {
      values.push_back(
          pipe::HeadOp::create(builder, loc, typeOf(node), name, operands, path, attributes, toDictionary(context, node.learning)));
    } else {
      values.push_back(pipe::CallOp::create(builder, loc, typeOf(node), name, operands, path, attributes, weightsOf(node)));
    }
    return success();
  }

  FailureOr<Value> node(int index, const char *what) {
    if (index < 0 || static_cast<size_t>(index) >= values.size()) {
      emitError(FileLineColLoc::get(&context, pipeline.file, 1, 1), "the model has no node for its ") << what;
      return failure();
    }
    return values[static_cast<size_t>(index)];
  }

  LogicalResult importModel() {
    for (const frontend::GraphNode &item : pipeline.model.nodes) {
      if (failed(importNode(item))) {
        return failure();
      }
    }
    for (const frontend::Answer &answer : pipeline.model.answers) {
      FailureOr<Value> value = node(answer.value, "answer");
      if (failed(value)) {
        return failure();
      }
      pipe::AnswerOp::create(builder, value->getLoc(), builder.getStringAttr(answer.name), *value, builder.getStringAttr(answer.target),
                             builder.getStringAttr(answer.decoder), optional(toDictionary(context, answer.parameters)));
    }
    for (const ObjectiveSpec &objective : pipeline.train.objectives) {
      FailureOr<Value> value = node(objective.loss, "objective");
      if (failed(value)) {
        return failure();
      }
      pipe::ObjectiveOp::create(builder, value->getLoc(), builder.getStringAttr(objective.name), *value, optimizerOf(objective),
                                builder.getF64FloatAttr(objective.clipNorm));
    }
    return success();
  }

  /// All of an optimizer but the learning rate, which comes with every step.
  DictionaryAttr optimizerOf(const ObjectiveSpec &objective) {
    const OptimizerSpec &optimizer = objective.optimizer;
    auto number = [&](const char *name, double value) { return builder.getNamedAttr(name, builder.getF64FloatAttr(value)); };
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("kind", builder.getStringAttr(optimizer.kind)), number("momentum", optimizer.momentum),
         number("beta1", optimizer.beta1), number("beta2", optimizer.beta2), number("epsilon", optimizer.epsilon),
         number("weight_decay", optimizer.weightDecay), builder.getNamedAttr("nesterov", builder.getBoolAttr(optimizer.nesterov))});
  }

  /// The place of the first setting of a block that the file gives.
  Location rangeOf(const std::string &prefix, Location fallback) {
    for (const frontend::ResolvedValue &value : pipeline.resolved) {
      if (value.origin == "file" && value.key.starts_with(prefix)) {
        return at(value.range);
      }
    }
    return fallback;
  }

  MLIRContext &context;
  const frontend::TypedPipeline &pipeline;
  OpBuilder builder;
  std::map<std::string, Type> inputTypes;
  std::map<std::string, Value> named;
  std::vector<Value> values; // of the graph's nodes
};

} // namespace

FailureOr<OwningOpRef<ModuleOp>> importPipeline(MLIRContext &context, const frontend::TypedPipeline &pipeline) {
  return Importer(context, pipeline).run();
}

} // namespace penstock
