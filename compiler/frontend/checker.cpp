// The order of the checks, and what they leave behind.
#include "compiler/frontend/checker.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace penstock::frontend {

using diagnostics::nearest;
using Json = nlohmann::json; // sorted: the ordered one finds a key by looking at all

Checker::Checker(const Program &files, const std::vector<PluginManifest> &known, std::vector<Override> sets, const Facts *known_facts,
                 diagnostics::DiagnosticList &list)
    : program(files), manifests(known), overrides(std::move(sets)), facts(known_facts), diagnostics(list) {
  top.unit = &program.main();
}

bool Checker::isLibrary() const { return !program.main().ast.pipeline.has_value() && program.main().ast.blocks.empty(); }

void Checker::run() {
  checkShape();
  checkUses();
  readParams();
  readData();
  readFeatures();
  readModel();
  checkUnusedDefinitions();
  readTrain();
  readEvaluate();
  if (pipeline.trains) {
    const auto given = settings("train", blockOf("train"));
    const auto keep = given.find("keep");
    readKeep(keep == given.end() ? nullptr : &keep->second);
  }
  readTarget();
  reportUnusedOverrides();
  if (modelGood) {
    for (const Feature &feature : featureList) {
      if (!feature.used) {
        report("unused-feature", feature.nameSpan, {{"name", feature.name}});
      }
    }
  }
  checkFacts();
}

void Checker::checkShape() {
  const Unit &unit = program.main();
  for (const Block &block : unit.ast.blocks) {
    if (block.keyword == "deploy" || block.keyword == "tune") {
      report("not-in-edition", block.keywordSpan, {{"what", "the block `" + block.keyword + "`"}});
    }
  }
  if (!unit.clean) {
    return; // what is missing may only not have been understood
  }
  if (!unit.ast.pipeline.has_value()) {
    if (!unit.ast.blocks.empty()) {
      report("missing-pipeline", unit.ast.blocks.front().keywordSpan, {{"block", unit.ast.blocks.front().keyword}});
    }
    return;
  }
  for (const char *block : {"data", "model"}) {
    if (blockOf(block) == nullptr) {
      report("missing-block", unit.ast.pipelineSpan, {{"block", block}});
    }
  }
}

void Checker::checkUses() {
  const Scope nothing;
  for (const auto &unit : program.units) {
    for (const auto &[name, named] : unit->definitions) {
      const Callable::Kind kind = findCallable(name, nothing).kind;
      if (kind != Callable::Kind::none && kind != Callable::Kind::metric) {
        report("duplicate-name", named.declared, {{"name", name}});
      }
    }
    for (const Use &use : unit->ast.uses) {
      static const std::map<std::string, PluginKind> kinds = {{"tokenizer", PluginKind::tokenizer},
                                                              {"head", PluginKind::head},
                                                              {"metric", PluginKind::metric},
                                                              {"learner", PluginKind::learner}};
      const auto kindOf = kinds.find(use.kind);
      if (kindOf == kinds.end()) {
        report("unknown-choice", use.kindSpan,
               {{"value", use.kind},
                {"what", "a kind of plugin"},
                {"choices", "`tokenizer`, `head`, `metric` or `learner`"},
                {"nearest", nearest(use.kind, {"tokenizer", "head", "metric", "learner"})}});
        continue;
      }
      const PluginKind kind = kindOf->second;
      const std::string folder = joinPath(unit->folder, use.folder);
      const PluginManifest *found = nullptr;
      std::vector<std::string> names;
      for (const PluginManifest &manifest : manifests) {
        const bool below = manifest.folder == folder || manifest.folder.compare(0, folder.size() + 1, folder + "/") == 0 ||
                           (!folder.empty() && folder.back() == '/' && manifest.folder.compare(0, folder.size(), folder) == 0);
        if (manifest.kind == kind && below) {
          names.push_back(manifest.name);
          found = manifest.name == use.name ? &manifest : found;
        }
      }
      if (found == nullptr) {
        if (std::any_of(diagnostics.all().begin(), diagnostics.all().end(), [](const auto &one) { return one.id == "bad-manifest"; })) {
          continue;
        }
        report("plugin-not-found", use.nameSpan,
               {{"kind", use.kind}, {"name", use.name}, {"folder", use.folder}, {"nearest", nearest(use.name, names)}});
        continue;
      }
      std::int64_t major = -1;
      std::from_chars(found->version.data(), found->version.data() + found->version.size(), major);
      if (major != use.version) {
        report(
            "plugin-version", use.versionSpan,
            {{"name", use.name}, {"version", found->version}, {"wanted", std::to_string(use.version)}, {"major", std::to_string(major)}});
      }
    }
  }
}

void Checker::checkFacts() {
  if (facts == nullptr) {
    return;
  }
  for (const auto &[name, span] : targetUses) {
    const Column *column = dataBlock.find(name);
    const auto classes = facts->classes.find(name);
    if (column != nullptr && column->hasClasses() && !column->declared && classes != facts->classes.end() && classes->second.size() == 1) {
      report("one-class", column->span, {{"name", name}});
    }
  }
}

namespace {

/// Appends JSON. A file of thousands of columns has as many places: a tree of values for each costs more than all its checks.
class JsonText {
public:
  std::string text;

  /// Begins the member `name` of the object that is open.
  JsonText &key(const std::string &name) {
    separate();
    put(name);
    text += ':';
    return *this;
  }
  void value(const Json &json) { text += json.dump(-1, ' ', false, Json::error_handler_t::replace); }
  void value(const std::string &string) { put(string); }
  void value(const char *string) { put(string); }
  void value(std::uint32_t number) { text += std::to_string(number); }
  void value(bool flag) { text += flag ? "true" : "false"; }
  void open(char bracket) { text += bracket; }
  /// Before an item of a list or a member of an object.
  void separate() {
    if (text.back() != '[' && text.back() != '{') {
      text += ',';
    }
  }

private:
  void put(const std::string &string) {
    const bool plain = std::all_of(string.begin(), string.end(), [](char c) { return c >= ' ' && c < 127 && c != '"' && c != '\\'; });
    if (plain) {
      text += '"';
      text += string;
      text += '"';
    } else {
      value(Json(string));
    }
  }
};

void putPlace(JsonText &out, const std::string &key, const Span &span) {
  const SourceRange range = span.range();
  out.key(key).open('{');
  out.key("file").value(range.file);
  out.key("line").value(range.line);
  out.key("column").value(range.column);
  out.key("end_line").value(range.endLine);
  out.key("end_column").value(range.endColumn);
  out.key("begin").value(range.begin);
  out.key("end").value(range.end);
  out.text += '}';
}

void putColumn(JsonText &out, const Column &column) {
  out.separate();
  out.open('{');
  out.key("name").value(column.name);
  out.key("type").value(column.type);
  out.key("from").value(column.from);
  if (column.type == "set") {
    out.key("separator").value(column.separator);
  }
  if (column.type == "tags") {
    out.key("scheme").value(column.scheme);
  }
  if (column.hasClasses()) {
    out.key("classes").value(column.declared ? Json(column.classes) : Json(nullptr));
  }
  if (column.type == "number" && column.fill != "none") {
    out.key("missing").value(Json(column.missing.empty() ? std::vector<std::string>{""} : column.missing));
    out.key("fill").value(column.fill);
  }
  out.text += '}';
}

/// `axis`: of ids and tags, that of their words.
void putInput(JsonText &out, const GraphNode &node, const char *kind, const std::string &axis, bool target) {
  out.separate();
  out.open('{');
  out.key("name").value(node.op);
  out.key("kind").value(kind);
  if (!axis.empty()) {
    out.key("axis").value(axis);
    out.key("feature").value(axis);
  }
  if (node.type.kind != ValueType::Kind::ids) {
    out.key("column").value(node.op);
  }
  out.key("target").value(target);
  out.text += '}';
}

Json jsonOf(const Attribute &attribute) {
  return std::visit([](const auto &value) { return Json(value); }, attribute);
}

/// The steps from the column to ids.
Json stepsOf(const FeatureDraft &draft) {
  Json steps = Json::array();
  const bool isPair = !draft.second.empty();
  if (isPair) {
    steps.push_back({{"op", "pair"}, {"column", draft.second}});
  }
  for (const FeatureDraft::Step &step : draft.steps) {
    Json one = {{"op", step.op}};
    Json attributes = Json::object();
    for (const auto &[name, value] : step.attributes) {
      attributes[name] = jsonOf(value);
    }
    if (step.op == "clean") {
      one.update(attributes);
    } else {
      one["plugin"] = step.plugin;
      one["parameters"] = std::move(attributes);
      one["max_length"] = step.maxLength > 0 ? Json(step.maxLength) : Json(nullptr);
      if (isPair) {
        one["truncate"] = step.truncate;
      }
    }
    steps.push_back(std::move(one));
  }
  return steps;
}

Json sourceOf(const DataBlock &data) {
  Json source = {{"kind", data.source}, {"path", data.path}, {"options", Json::object()}};
  if (data.source == "conll") {
    source["options"]["columns"] = data.lineColumns;
    if (!data.comment.empty()) {
      source["options"]["comment"] = data.comment;
    }
  }
  if (!data.delimiter.empty() && data.delimiter != ",") {
    source["options"]["delimiter"] = data.delimiter;
  }
  if (data.quote == "none") {
    source["options"]["quote"] = "none";
  }
  return source;
}

Json splitOf(const DataBlock &data) {
  if (data.splitBy.empty()) {
    return {{"by", "file"}};
  }
  Json shares = Json::object();
  const char *names[3] = {"train", "dev", "test"};
  for (int i = 0; i < 3; ++i) {
    if (data.shares[i] > 0) {
      shares[names[i]] = data.shares[i];
    }
  }
  return {{"by", "hash"}, {"column", data.splitBy}, {"shares", shares}};
}

} // namespace

std::string Checker::recordProgram() const {
  if (!dataBlock.good || dataBlock.columns.empty()) {
    return {};
  }
  JsonText out, places;
  out.open('{');
  places.open('{');
  out.key("version").value(Json(1));
  if (!pipeline.train.from.empty()) {
    out.key("fitted").value(pipeline.train.from + "/fitted");
    putPlace(places, "train.from", fromSpan);
  }
  out.key("source").value(sourceOf(dataBlock));
  out.key("split").value(splitOf(dataBlock));
  putPlace(places, "source", dataBlock.sourceSpan);
  out.key("columns").open('[');
  for (const Column &column : dataBlock.columns) {
    if (!column.type.empty()) {
      putColumn(out, column);
      putPlace(places, "columns." + column.name, column.span);
    }
  }
  out.text += ']';
  out.key("features").open('[');
  std::set<std::string> made;
  for (const Feature &feature : featureList) {
    const FeatureDraft &draft = feature.draft;
    const auto typeOf = [&](const std::string &name) {
      const Column *column = dataBlock.find(name);
      return column == nullptr ? std::string() : column->type;
    };
    const bool isPair = !draft.second.empty();
    const bool isText = typeOf(draft.column) == "text" && (!isPair || typeOf(draft.second) == "text");
    const bool isWords = typeOf(draft.column) == "words" && !isPair;
    if ((modelGood && !feature.used) || (!isText && !isWords)) {
      continue;
    }
    out.separate();
    out.open('{');
    out.key("name").value(feature.name);
    out.key("column").value(draft.column);
    out.key("axis").value(feature.name);
    out.key("steps").value(stepsOf(draft));
    out.text += '}';
    made.insert(feature.name);
    putPlace(places, "features." + feature.name, feature.span);
    const FeatureDraft::Step &tokenizer = draft.steps.back();
    for (const auto &[name, attribute] : tokenizer.attributes) {
      const auto written = tokenizer.spans.find(name);
      putPlace(places, "features." + feature.name + "." + name, written == tokenizer.spans.end() ? feature.span : written->second);
    }
    putPlace(places, "features." + feature.name + ".max_length", draft.maxLengthSpan.file != nullptr ? draft.maxLengthSpan : feature.span);
  }
  out.text += ']';
  out.key("inputs").open('[');
  for (const GraphNode &node : graph.nodes) {
    if (node.kind != GraphNode::Kind::input) {
      continue;
    }
    if (node.type.kind == ValueType::Kind::ids) {
      if (made.count(node.op) > 0) {
        putInput(out, node, "ids", node.op, false);
      }
    } else if (node.type.kind == ValueType::Kind::tags) {
      if (made.count(node.type.axis) > 0) {
        putInput(out, node, "tags", node.type.axis, true);
      }
    } else {
      const char *const kind = node.type.kind == ValueType::Kind::classId ? "class"
                               : node.type.kind == ValueType::Kind::set   ? "set"
                                                                          : "number";
      putInput(out, node, kind, "", targetUses.count(node.op) > 0);
    }
  }
  out.text += ']';
  places.text += '}';
  return out.text + ",\"places\":" + places.text + "}";
}

TypedPipeline Checker::take() {
  const Unit &unit = program.main();
  pipeline.name = unit.ast.pipeline.value_or("");
  pipeline.title = unit.ast.title;
  pipeline.file = unit.file->path();
  pipeline.recordProgram = recordProgram();
  for (GraphNode &node : graph.nodes) {
    node.type.width = node.type.width == unknownSize ? -1 : node.type.width;
    for (auto &[name, attribute] : node.attributes) {
      if (auto *integer = std::get_if<std::int64_t>(&attribute); integer != nullptr && *integer == unknownSize) {
        *integer = -1;
      }
    }
  }
  std::string text = "edition = 1\npipeline = " + quote(pipeline.name) + "\n";
  // By key: in which order a file says things means nothing.
  std::map<std::string, const ResolvedValue *> byKey;
  for (const ResolvedValue &resolved : pipeline.resolved) {
    byKey.emplace(resolved.key, &resolved);
  }
  for (const auto &[key, resolved] : byKey) {
    // The number of threads changes no result: a run may go on, and a cache may serve, with another.
    if (key != "target.threads") {
      text += key + " = " + resolved->value + "\n";
    }
  }
  for (const GraphNode &node : graph.nodes) {
    text += "node " + node.path + " " + node.op;
    for (const int operand : node.operands) {
      text += " %" + std::to_string(operand);
    }
    for (const auto &[name, attribute] : node.attributes) {
      text += " " + name + "=" + formatAttribute(attribute);
    }
    text += " width=" + std::to_string(node.type.width) + "\n";
  }
  for (const Answer &answer : graph.answers) {
    if (answer.learner) { // which is no node
      text += "learner " + answer.name + " " + answer.decoder + " %" + std::to_string(answer.value);
      for (const auto &[name, attribute] : answer.decoderAttributes) {
        text += " " + name + "=" + formatAttribute(attribute);
      }
      text += "\n";
    }
  }
  pipeline.resolvedText = std::move(text);
  pipeline.model = std::move(graph);
  return std::move(pipeline);
}

} // namespace penstock::frontend
