#include "compiler/conversion/FrontendToPipe/FrontendToPipe.h"

#include "compiler/dialect/Pipe/Pipe.h"

#include "mlir/IR/Verifier.h"
#include "llvm/Support/JSON.h"

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
    auto op = pipe::PipelineOp::create(builder, top, pipeline.name, pipeline.edition, pipeline.title);
    builder.createBlock(&op.getBody());
    if (failed(importRecords(top)) || failed(importModel())) {
      return failure();
    }
    importSettings(top);
    if (failed(verify(*module))) {
      return failure();
    }
    return module;
  }

private:
  Location at(const frontend::SourceRange &range) {
    return FileLineColLoc::get(&context, range.file.empty() ? pipeline.file : range.file, range.line, range.column);
  }

  Attribute fromJson(const llvm::json::Value &value) {
    if (auto boolean = value.getAsBoolean()) {
      return builder.getBoolAttr(*boolean);
    }
    if (auto integer = value.getAsInteger()) {
      return builder.getI64IntegerAttr(*integer);
    }
    if (auto number = value.getAsNumber()) {
      return builder.getF64FloatAttr(*number);
    }
    if (auto string = value.getAsString()) {
      return builder.getStringAttr(*string);
    }
    if (const llvm::json::Array *array = value.getAsArray()) {
      return fromJson(*array);
    }
    if (const llvm::json::Object *object = value.getAsObject()) {
      return fromJson(*object, {});
    }
    return builder.getUnitAttr();
  }

  ArrayAttr fromJson(const llvm::json::Array &array) {
    SmallVector<Attribute> items;
    for (const llvm::json::Value &item : array) {
      items.push_back(fromJson(item));
    }
    return builder.getArrayAttr(items);
  }

  /// The members of `object` that are not null and not among `without`.
  DictionaryAttr fromJson(const llvm::json::Object &object, ArrayRef<StringRef> without) {
    SmallVector<NamedAttribute> items;
    for (const auto &[key, value] : object) {
      if (!value.getAsNull() && !llvm::is_contained(without, StringRef(key))) {
        items.push_back(builder.getNamedAttr(StringRef(key), fromJson(value)));
      }
    }
    return builder.getDictionaryAttr(items);
  }

  DictionaryAttr optional(DictionaryAttr dictionary) { return dictionary.empty() ? DictionaryAttr() : dictionary; }

  /// Where a declaration of the record program stands, by its key in `places`.
  Location place(const llvm::json::Object &program, const std::string &key, Location fallback) {
    const llvm::json::Object *places = program.getObject("places");
    const llvm::json::Object *found = places ? places->getObject(key) : nullptr;
    if (!found) {
      return fallback;
    }
    StringRef file = found->getString("file").value_or(pipeline.file);
    return FileLineColLoc::get(&context, file, static_cast<unsigned>(found->getInteger("line").value_or(1)),
                               static_cast<unsigned>(found->getInteger("column").value_or(1)));
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
    llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(pipeline.recordProgram);
    if (!parsed) {
      return emitError(top, "the record program is no JSON: ") << llvm::toString(parsed.takeError());
    }
    const llvm::json::Object *program = parsed->getAsObject();
    if (!program) {
      return emitError(top, "the record program is no JSON object");
    }
    if (const llvm::json::Object *source = program->getObject("source")) {
      const llvm::json::Object *split = program->getObject("split");
      const llvm::json::Object *options = source->getObject("options");
      pipe::SourceOp::create(builder, place(*program, "source", top), source->getString("kind").value_or(""),
                             source->getString("path").value_or(""), split ? fromJson(*split, {}) : builder.getDictionaryAttr({}),
                             options ? optional(fromJson(*options, {})) : DictionaryAttr());
    }
    struct Place {
      int64_t index;
      bool target;
    };
    std::map<std::string, Place> places; // of inputs by the name of their column or feature
    if (const llvm::json::Array *inputs = program->getArray("inputs")) {
      for (const auto &[i, value] : llvm::enumerate(*inputs)) {
        const llvm::json::Object *input = value.getAsObject();
        if (!input) {
          return emitError(top, "an input of the record program is no object");
        }
        // Tags name the feature whose words they belong to beside their column.
        StringRef name = input->getString("column").value_or(input->getString("feature").value_or(""));
        places[name.str()] = {static_cast<int64_t>(i), input->getBoolean("target").value_or(false)};
      }
    }
    auto index = [&](const std::string &name) {
      auto found = places.find(name);
      return found == places.end() ? IntegerAttr() : builder.getI64IntegerAttr(found->second.index);
    };
    if (const llvm::json::Array *columns = program->getArray("columns")) {
      for (const llvm::json::Value &value : *columns) {
        const llvm::json::Object *column = value.getAsObject();
        if (!column) {
          return emitError(top, "a column of the record program is no object");
        }
        std::string name = column->getString("name").value_or("").str();
        StringRef type = column->getString("type").value_or("");
        Type result = modelType(name);
        if (!result) {
          result = type == "class"    ? Type(pipe::ClassType::get(&context, 0))
                   : type == "tags"   ? Type(pipe::TagsType::get(&context, builder.getStringAttr(""), 0))
                   : type == "number" ? Type(pipe::NumberType::get(&context))
                                      : Type(pipe::TextType::get(&context));
        }
        auto op = pipe::ColumnOp::create(builder, place(*program, "columns." + name, top), result, builder.getStringAttr(name),
                                         builder.getStringAttr(column->getString("from").value_or(name)),
                                         optional(fromJson(*column, {"name", "type", "from"})), index(name),
                                         builder.getBoolAttr(places.count(name) != 0 && places[name].target));
        named[name] = op.getResult();
      }
    }
    if (const llvm::json::Array *features = program->getArray("features")) {
      for (const llvm::json::Value &value : *features) {
        const llvm::json::Object *feature = value.getAsObject();
        const llvm::json::Array *steps = feature ? feature->getArray("steps") : nullptr;
        if (!feature || !steps) {
          return emitError(top, "a feature of the record program is no object with steps");
        }
        std::string name = feature->getString("name").value_or("").str();
        std::string column = feature->getString("column").value_or("").str();
        Location loc = place(*program, "features." + name, top);
        if (!named.contains(column)) {
          return emitError(loc, "feature `") << name << "` reads `" << column << "`, which is no column";
        }
        Type result = modelType(name);
        if (!result) {
          result = pipe::IdsType::get(&context, builder.getStringAttr(feature->getString("axis").value_or(name)), 0);
        }
        auto op = pipe::FeatureOp::create(builder, loc, result, builder.getStringAttr(name), named[column], fromJson(*steps), index(name));
        named[name] = op.getResult();
      }
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
    if (node.column == "number") {
      return pipe::NumberType::get(&context);
    }
    return type.onAxis() ? Type(pipe::SequenceType::get(&context, axis, type.width)) : Type(pipe::VectorType::get(&context, type.width));
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
      if (weight.rate != 1) {
        members.push_back(builder.getNamedAttr("rate", builder.getF64FloatAttr(weight.rate)));
      }
      if (weight.frozen) {
        members.push_back(builder.getNamedAttr("frozen", builder.getBoolAttr(true)));
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
      values.push_back(pipe::HeadOp::create(builder, loc, typeOf(node), name, operands, path, attributes,
                                            builder.getF64FloatAttr(node.rate), builder.getBoolAttr(node.frozen)));
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
                             builder.getStringAttr(answer.decoder), optional(toDictionary(context, answer.decoderAttributes)));
    }
    if (pipeline.model.objective >= 0) {
      FailureOr<Value> value = node(pipeline.model.objective, "objective");
      if (failed(value)) {
        return failure();
      }
      pipe::ObjectiveOp::create(builder, value->getLoc(), *value);
    }
    return success();
  }

  void importSettings(Location top) {
    if (pipeline.trains) {
      const frontend::TrainConfig &train = pipeline.train;
      const frontend::OptimizerConfig &optimizer = train.optimizer;
      auto number = [&](const char *name, double value) { return builder.getNamedAttr(name, builder.getF64FloatAttr(value)); };
      auto optimizerAttr = builder.getDictionaryAttr({builder.getNamedAttr("kind", builder.getStringAttr(optimizer.kind)),
                                                      number("lr", optimizer.lr), number("momentum", optimizer.momentum),
                                                      number("beta1", optimizer.beta1), number("beta2", optimizer.beta2),
                                                      number("epsilon", optimizer.epsilon), number("weight_decay", optimizer.weightDecay),
                                                      builder.getNamedAttr("nesterov", builder.getBoolAttr(optimizer.nesterov))});
      auto scheduleAttr =
          builder.getDictionaryAttr({builder.getNamedAttr("kind", builder.getStringAttr(train.schedule.kind)),
                                     number("warmup_fraction", train.schedule.warmupFraction),
                                     builder.getNamedAttr("warmup_steps", builder.getI64IntegerAttr(train.schedule.warmupSteps))});
      pipe::TrainOp::create(builder, rangeOf("train.", top), optimizerAttr, scheduleAttr, builder.getF64FloatAttr(train.epochs),
                            builder.getI64IntegerAttr(train.steps), builder.getI64IntegerAttr(train.batch),
                            builder.getI64IntegerAttr(static_cast<int64_t>(train.seed)), builder.getF64FloatAttr(train.clipNorm),
                            builder.getI64IntegerAttr(train.logEvery), builder.getF64FloatAttr(train.validateEpochs),
                            builder.getI64IntegerAttr(train.validateSteps), builder.getStringAttr(train.keepMetric),
                            builder.getBoolAttr(train.keepHigher), builder.getI64IntegerAttr(train.accumulate),
                            builder.getI64IntegerAttr(train.patience), builder.getStringAttr(train.from));
    }
    for (const frontend::MetricUse &metric : pipeline.metrics) {
      pipe::MetricOp::create(builder, at(metric.range), builder.getStringAttr(metric.plugin), builder.getStringAttr(metric.split),
                             builder.getStringAttr(metric.answer), optional(toDictionary(context, metric.parameters)));
    }
    for (const frontend::Expectation &expect : pipeline.expectations) {
      pipe::ExpectOp::create(builder, at(expect.range), builder.getStringAttr(expect.split), builder.getStringAttr(expect.metric),
                             builder.getStringAttr(expect.comparison), builder.getF64FloatAttr(expect.bound));
    }
    pipe::TargetOp::create(builder, rangeOf("target.", top), builder.getStringAttr(pipeline.target.device),
                           builder.getStringAttr(pipeline.target.level), builder.getStringAttr(pipeline.target.precision),
                           builder.getI64IntegerAttr(pipeline.target.threads));
  }

  /// The place of the first setting of a block that the file gives.
  Location rangeOf(StringRef prefix, Location fallback) {
    for (const frontend::ResolvedValue &value : pipeline.resolved) {
      if (value.origin == "file" && StringRef(value.key).starts_with(prefix)) {
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
