// The order of the checks, and what they leave behind.
#include "compiler/frontend/check/checker.h"

#include "compiler/frontend/check/record_program.h"

namespace penstock::frontend {

Checker::Checker(const Program &files, const std::vector<PluginManifest> &manifests, std::vector<Override> overrides, const Facts *known,
                 diagnostics::DiagnosticList &diagnostics)
    : program(files), facts(known), reporter(diagnostics), scopes(program, manifests, reporter),
      settings(program, std::move(overrides), reporter), evaluator(scopes, settings, reporter),
      values(program, scopes, settings, evaluator, reporter), records(program, facts, scopes, settings, evaluator, values, reporter),
      builder(scopes, records, reporter), encoders(facts, builder, settings, reporter),
      model(program, scopes, settings, evaluator, records, builder, encoders, reporter),
      measures(program, model, builder, records, scopes, settings, evaluator, values, reporter),
      training(program, model, builder, scopes, settings, evaluator, values, reporter) {
  evaluator.answerCalls(model);
}

bool Checker::isLibrary() const { return !program.main().ast.pipeline.has_value() && program.main().ast.blocks.empty(); }

void Checker::run() {
  scopes.checkShape();
  scopes.checkUses();
  values.readParams();
  records.readData();
  records.readFeatures();
  model.read();
  model.checkUnusedDefinitions();
  training.read();
  measures.read();
  if (training.trains()) {
    training.readKeep(measures);
  }
  training.readTarget();
  settings.reportUnused();
  if (model.good()) {
    records.reportUnused();
  }
  checkClasses();
}

/// A target needs two classes.
void Checker::checkClasses() {
  if (facts == nullptr) {
    return;
  }
  for (const auto &[name, span] : builder.targetUses()) {
    const Column *column = records.findColumn(name);
    const auto classes = facts->classes.find(name);
    if (column != nullptr && column->hasClasses() && !column->declared && classes != facts->classes.end() && classes->second.size() == 1) {
      reporter.report("one-class", column->span, {{"name", name}});
    }
  }
}

std::string Checker::recordProgram() const { return frontend::recordProgram(records, model, builder, training); }

std::string Checker::resolvedText(const std::string &name, const std::vector<ResolvedValue> &values) const {
  std::string text = "edition = 1\npipeline = " + quote(name) + "\n";
  // By key: in which order a file says things means nothing.
  std::map<std::string, const ResolvedValue *> byKey;
  for (const ResolvedValue &resolved : values) {
    byKey.emplace(resolved.key, &resolved);
  }
  for (const auto &[key, resolved] : byKey) {
    // The number of threads changes no result: a run may go on, and a cache may serve, with another.
    if (key != "target.threads") {
      text += key + " = " + resolved->value + "\n";
    }
  }
  const auto put = [&](const Attributes &attributes) {
    for (const auto &[attribute, value] : attributes) {
      text += " " + attribute + "=" + formatAttribute(value);
    }
  };
  for (const GraphNode &node : builder.graph.nodes) {
    text += "node " + node.path + " " + node.op;
    for (const int operand : node.operands) {
      text += " %" + std::to_string(operand);
    }
    put(node.attributes);
    text += " width=" + std::to_string(sizeOf(node.type)) + "\n";
  }
  for (const Answer &answer : builder.graph.answers) {
    if (answer.learner) { // which is no node
      text += "learner " + answer.name + " " + answer.decoder + " %" + std::to_string(answer.value);
      put(answer.decoderAttributes);
      text += "\n";
    }
  }
  return text;
}

TypedPipeline Checker::take() {
  const Unit &unit = program.main();
  TypedPipeline pipeline;
  pipeline.name = unit.ast.pipeline.value_or("");
  pipeline.title = unit.ast.title;
  pipeline.file = unit.file->path();
  pipeline.recordProgram = recordProgram();
  for (GraphNode &node : builder.graph.nodes) {
    node.type.width = node.type.width == unknownSize ? -1 : node.type.width;
    node.type.values = node.type.values == unknownSize ? -1 : node.type.values;
    for (auto &[name, attribute] : node.attributes) {
      if (auto *integer = std::get_if<std::int64_t>(&attribute); integer != nullptr && *integer == unknownSize) {
        *integer = -1;
      }
    }
  }
  pipeline.resolved = settings.resolved();
  pipeline.resolvedText = resolvedText(pipeline.name, pipeline.resolved);
  pipeline.encoders = encoders.encoders();
  pipeline.trains = training.trains();
  pipeline.train = training.config();
  pipeline.target = training.targetConfig();
  pipeline.metrics = measures.metrics();
  pipeline.confidence = measures.confidence();
  pipeline.expectations = measures.expectations();
  pipeline.model = std::move(builder.graph);
  return pipeline;
}

} // namespace penstock::frontend
