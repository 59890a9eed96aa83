#include "compiler/frontend/check/declared_records.h"

namespace penstock::frontend {

namespace {

ColumnSpec specOf(const Column &column) {
  ColumnSpec spec;
  spec.name = column.name;
  spec.from = column.from == column.name ? "" : column.from;
  const auto words = wordsOf(spec.type);
  spec.type = static_cast<ColumnSpec::Type>(std::find(words.begin(), words.end(), column.type) - words.begin());
  spec.separator = column.separator;
  if (column.declared) {
    spec.classes = column.classes;
  }
  if (column.type == "tags") {
    const auto schemes = wordsOf(spec.scheme);
    spec.scheme = static_cast<TagScheme>(std::find(schemes.begin(), schemes.end(), column.scheme) - schemes.begin());
  }
  spec.missing = column.missing;
  spec.parameters = column.parameters;
  spec.steps = column.steps;
  return spec;
}

std::vector<StepSpec> stepsOf(const FeatureDraft &draft) {
  std::vector<StepSpec> steps;
  for (const FeatureDraft::Step &step : draft.steps) {
    if (step.row != nullptr && step.row->ofRows) {
      continue; // RecordsSpec::series
    }
    StepSpec &made = steps.emplace_back();
    made.op = step.row != nullptr ? step.row->name : "tokenize";
    made.plugin = step.plugin;
    made.parameters = step.attributes;
    if (step.maxLength > 0) {
      made.maxLength = step.maxLength;
    }
    if (draft.isPair() && step.row == nullptr) {
      made.truncate = step.truncate == "first"    ? Truncation::first
                      : step.truncate == "second" ? Truncation::second
                                                  : Truncation::longestFirst;
    }
  }
  return steps;
}

SourceSpec sourceOf(const DataBlock &data) {
  SourceSpec source;
  source.kind = data.source;
  source.path = data.path;
  source.files = data.files;
  source.options = data.parameters;
  source.steps = data.rowSteps;
  return source;
}

/// What an input of the model reads.
InputSpec inputOf(const GraphNode &node, bool target, const SeriesSpec &series) {
  InputSpec input;
  input.name = node.op;
  const bool feature = node.column.empty(), tags = node.column == "tags";
  if (node.column == "noise") {
    input.kind = InputSpec::Kind::noise;
    input.width = node.type.width;
    return input;
  }
  const ValueType &type = node.type;
  input.kind = tags                                                                  ? InputSpec::Kind::tags
               : feature && type.onAxis() && type.element == ValueType::Element::i32 ? InputSpec::Kind::ids
               : node.column == "set"                                                ? InputSpec::Kind::set
               : type.element == ValueType::Element::i32                             ? InputSpec::Kind::classId
                                                                                     : InputSpec::Kind::number;
  if (feature || tags) {
    input.feature = feature ? node.op : type.axis();
    input.axis = type.onAxis() && input.kind == InputSpec::Kind::number ? series.order : type.axis();
    input.width = input.kind == InputSpec::Kind::number ? type.width : 0;
  }
  if (!feature) {
    input.column = node.op;
  }
  input.target = tags || target;
  return input;
}

/// Adds the features that the model uses, each with the places of what it is made of; gives their names.
std::set<std::string> addFeatures(DeclaredRecords &declared, const Records &records, const Model &model) {
  std::set<std::string> made;
  for (const Feature &feature : records.features()) {
    const FeatureDraft &draft = feature.draft;
    const bool isRead = std::all_of(draft.columns.begin(), draft.columns.end(), [](const auto &column) { return !column->type.empty(); });
    if ((model.good() && !feature.used) || !isRead) {
      continue;
    }
    FeatureSpec &spec = declared.records.features.emplace_back();
    spec.name = feature.name;
    for (const auto &column : draft.columns) {
      spec.columns.push_back(column->name);
    }
    spec.axis = draft.ofSeries ? records.series().order : "";
    spec.steps = stepsOf(draft);
    made.insert(feature.name);
    const std::string key = "features." + feature.name;
    declared.places[key] = feature.span.range();
    if (draft.steps.empty()) {
      continue;
    }
    const FeatureDraft::Step &last = draft.steps.back();
    for (const auto &[name, attribute] : last.attributes) {
      const auto written = last.spans.find(name);
      declared.places[key + "." + name] = (written == last.spans.end() ? feature.span : written->second).range();
    }
    if (draft.flow == Flow::ids) {
      declared.places[key + ".max_length"] = (draft.maxLengthSpan.file != nullptr ? draft.maxLengthSpan : feature.span).range();
    }
  }
  return made;
}

} // namespace

DeclaredRecords declaredRecords(const Records &records, const Model &model, const GraphBuilder &builder, const Training &training) {
  DeclaredRecords declared;
  const DataBlock &data = records.data();
  if (!data.good || data.columns.empty()) {
    return declared;
  }
  if (const std::string &from = training.config().from; !from.empty()) {
    declared.records.fitted = from + "/fitted";
    declared.records.grown = training.config().grow;
    declared.places["train.from"] = training.fromSpan().range();
  }
  declared.records.sources = {sourceOf(data)};
  declared.records.split = data.split;
  if (data.split.by != "file") {
    declared.places["split"] = data.splitSpan.range();
  }
  declared.places["source"] = data.sourceSpan.range();
  declared.places.reserve(data.columns.size());
  declared.records.columns.reserve(data.columns.size());
  for (const auto &column : data.columns) {
    if (!column->type.empty()) {
      declared.records.columns.push_back(specOf(*column));
      declared.places["columns." + column->name] = column->span.range();
    }
  }
  declared.records.series = records.series();
  if (records.series().any()) {
    declared.places["series"] = records.seriesSpan().range();
  }
  const std::set<std::string> features = addFeatures(declared, records, model);
  for (const GraphNode &node : builder.graph.nodes) {
    if (node.kind == GraphNode::Kind::input) {
      const bool target = node.column.empty() ? !builder.readAt(node.op) : builder.targetUses().count(node.op) > 0;
      InputSpec input = inputOf(node, target, records.series());
      input.weighs = !training.config().weights.empty() && node.op == training.config().weights;
      input.target = input.target || (input.weighs && !builder.readAt(node.op));
      if (input.feature.empty() || features.count(input.feature) > 0) {
        declared.records.inputs.push_back(std::move(input));
      }
    }
  }
  return declared;
}

} // namespace penstock::frontend
