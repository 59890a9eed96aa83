// The order of the checks, and what they leave behind.
#include "compiler/frontend/check/checker.h"

#include "compiler/frontend/check/declared_records.h"

namespace penstock::frontend {

Checker::Checker(const Program &files, const std::vector<PluginManifest> &manifests, std::vector<Override> overrides, const Facts *known,
                 diagnostics::DiagnosticList &diagnostics)
    : program(files), facts(known), reporter(diagnostics), scopes(program, manifests, reporter),
      settings(program, std::move(overrides), reporter), evaluator(scopes, settings, reporter),
      values(program, scopes, settings, evaluator, reporter), records(program, facts, scopes, settings, evaluator, values, reporter),
      builder(scopes, records, reporter), encoders(facts, builder, settings, reporter),
      model(program, scopes, settings, evaluator, records, builder, encoders, reporter),
      measures(program, model, builder, records, scopes, settings, evaluator, values, reporter),
      expectations(program, records, measures, scopes, settings, evaluator, values, reporter),
      training(program, model, builder, scopes, settings, evaluator, values, reporter) {
  evaluator.answerCalls(model);
}

bool Checker::isLibrary() const { return !program.main().ast.pipeline.has_value() && program.main().ast.blocks.empty(); }

void Checker::run(bool declares) {
  settings.forgetResolved(declares);
  scopes.checkShape();
  scopes.checkUses();
  values.readParams();
  records.readData();
  records.readFeatures();
  model.read();
  model.checkUnusedDefinitions();
  training.read(records.hasRecords("dev"));
  measures.read(training.config().objectives);
  expectations.read();
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

/// A target needs two classes, and only of one are classes merged.
void Checker::checkClasses() {
  for (const auto &column : records.data().columns) {
    for (const StepSpec &step : column->steps) {
      const CellOperator *const row = findCellOperator(step.op);
      if (const auto read = builder.readAt(column->name); row != nullptr && row->ofClasses && read) {
        reporter.report("bad-cell-operator", column->span,
                        {{"detail", "the model reads `" + column->name + "`, and `" + step.op + "` is for targets"},
                         {"rule", std::string("`") + row->name + "`: " + row->help},
                         {"hint", "leave it out"}},
                        {{read->range(), "read here"}});
      }
    }
  }
  if (facts == nullptr) {
    return;
  }
  for (const auto &[name, span] : builder.targetUses()) {
    const Column *column = records.findColumn(name);
    const auto classes = facts->classes.find(name);
    if (column != nullptr && column->hasClasses() && !column->declared && classes != facts->classes.end() && classes->second.size() == 1) {
      reporter.report("one-class", column->span, {{"name", name}});
    }
    if (column != nullptr && (column->type == "class" || column->type == "set") && classes != facts->classes.end()) {
      reportRare(*column, classes->second);
    }
  }
}

/// Classes with one or two records in train, where others have more.
void Checker::reportRare(const Column &column, const std::vector<std::string> &classes) {
  constexpr std::int64_t few = 2, enough = 5;
  constexpr std::size_t shown = 8;
  const auto counts = facts->trainCounts.find(column.name);
  if (counts == facts->trainCounts.end() || counts->second.size() != classes.size() ||
      std::none_of(counts->second.begin(), counts->second.end(), [](std::int64_t count) { return count >= enough; })) {
    return;
  }
  std::string names;
  std::size_t rare = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (counts->second[i] >= 1 && counts->second[i] <= few && ++rare <= shown) {
      names += (names.empty() ? "`" : ", `") + classes[i].substr(0, 80) + "` (" + std::to_string(counts->second[i]) + ")";
    }
  }
  if (rare > 0) {
    reporter.report("rare-class", column.span,
                    {{"name", column.name},
                     {"what", column.type == "set" ? "labels" : "classes"},
                     {"classes", names + (rare > shown ? " and " + std::to_string(rare - shown) + " more" : "")}});
  }
}

DeclaredRecords Checker::declaredRecords() const { return frontend::declaredRecords(records, model, builder, training); }

/// "class", "number", "set" or "tags"; "" of an answer without a target.
static std::string targetTypeOf(const Answer &answer, const ModelGraph &model) {
  if (!answer.feature.empty()) {
    return "number";
  }
  for (const GraphNode &node : model.nodes) {
    if (node.kind == GraphNode::Kind::input && node.op == answer.target) {
      return node.column;
    }
  }
  return answer.target.empty() ? "" : "class";
}

TypedPipeline Checker::take() {
  const Unit &unit = program.main();
  TypedPipeline pipeline;
  pipeline.name = unit.ast.pipeline.value_or("");
  pipeline.title = unit.ast.title;
  pipeline.file = unit.file->path();
  DeclaredRecords declared = declaredRecords();
  pipeline.records = std::move(declared.records);
  pipeline.places = std::move(declared.places);
  for (GraphNode &node : builder.graph.nodes) {
    node.type.width = node.type.width == unknownSize ? -1 : node.type.width;
    node.type.values = node.type.values == unknownSize ? -1 : node.type.values;
    for (auto &[name, attribute] : node.attributes) {
      if (auto *integer = std::get_if<std::int64_t>(&attribute); integer != nullptr && *integer == unknownSize) {
        *integer = -1;
      }
    }
  }
  pipeline.resolved = settings.takeResolved();
  pipeline.encoders = encoders.encoders();
  pipeline.train = training.config();
  pipeline.target = training.targetConfig();
  pipeline.metrics = measures.metrics();
  pipeline.confidence = measures.confidence();
  pipeline.lastOnly = measures.lastOnly();
  pipeline.expectations = expectations.ofEvaluate();
  pipeline.deploy = expectations.ofDeploy();
  for (Answer &answer : builder.graph.answers) {
    answer.targetType = targetTypeOf(answer, builder.graph);
    pipeline.answers.push_back(answer);
  }
  pipeline.model = std::move(builder.graph);
  return pipeline;
}

} // namespace penstock::frontend
