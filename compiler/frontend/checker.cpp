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

Json placeOf(const Span &span) {
  const SourceRange range = span.range();
  return Json{
      {"file", range.file},   {"line", range.line}, {"column", range.column}, {"end_line", range.endLine}, {"end_column", range.endColumn},
      {"begin", range.begin}, {"end", range.end}};
}

Json jsonOf(const Attribute &attribute) {
  return std::visit([](const auto &value) { return Json(value); }, attribute);
}

} // namespace

std::string Checker::recordProgram() const {
  if (!dataBlock.good || dataBlock.columns.empty()) {
    return {};
  }
  Json out;
  out["version"] = 1;
  if (!pipeline.train.from.empty()) {
    out["fitted"] = pipeline.train.from + "/fitted";
  }
  out["source"] = {{"kind", dataBlock.source}, {"path", dataBlock.path}, {"options", Json::object()}};
  if (dataBlock.source == "conll") {
    out["source"]["options"]["columns"] = dataBlock.lineColumns;
    if (!dataBlock.comment.empty()) {
      out["source"]["options"]["comment"] = dataBlock.comment;
    }
  }
  if (!dataBlock.delimiter.empty() && dataBlock.delimiter != ",") {
    out["source"]["options"]["delimiter"] = dataBlock.delimiter;
  }
  if (dataBlock.quote == "none") {
    out["source"]["options"]["quote"] = "none";
  }
  if (dataBlock.splitBy.empty()) {
    out["split"] = {{"by", "file"}};
  } else {
    Json shares = Json::object();
    const char *names[3] = {"train", "dev", "test"};
    for (int i = 0; i < 3; ++i) {
      if (dataBlock.shares[i] > 0) {
        shares[names[i]] = dataBlock.shares[i];
      }
    }
    out["split"] = {{"by", "hash"}, {"column", dataBlock.splitBy}, {"shares", shares}};
  }
  Json places = Json::object();
  places["source"] = placeOf(dataBlock.sourceSpan);
  if (!pipeline.train.from.empty()) {
    places["train.from"] = placeOf(fromSpan);
  }
  out["columns"] = Json::array();
  for (const Column &column : dataBlock.columns) {
    if (column.type.empty()) {
      continue;
    }
    Json one = {{"name", column.name}, {"type", column.type}, {"from", column.from}};
    if (column.type == "set") {
      one["separator"] = column.separator;
    }
    if (column.type == "tags") {
      one["scheme"] = column.scheme;
    }
    if (column.hasClasses()) {
      one["classes"] = column.declared ? Json(column.classes) : Json(nullptr);
    }
    if (column.type == "number" && column.fill != "none") {
      one["missing"] = column.missing.empty() ? std::vector<std::string>{""} : column.missing;
      one["fill"] = column.fill;
    }
    out["columns"].push_back(std::move(one));
    places["columns." + column.name] = placeOf(column.span);
  }
  out["features"] = Json::array();
  std::set<std::string> made;
  for (const Feature &feature : featureList) {
    const auto typeOf = [&](const std::string &name) {
      const Column *column = dataBlock.find(name);
      return column == nullptr ? std::string() : column->type;
    };
    const bool isPair = !feature.draft.second.empty();
    const bool isText = typeOf(feature.draft.column) == "text" && (!isPair || typeOf(feature.draft.second) == "text");
    const bool isWords = typeOf(feature.draft.column) == "words" && !isPair;
    if ((modelGood && !feature.used) || (!isText && !isWords)) {
      continue;
    }
    Json steps = Json::array();
    if (isPair) {
      steps.push_back({{"op", "pair"}, {"column", feature.draft.second}});
    }
    for (const FeatureDraft::Step &step : feature.draft.steps) {
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
    out["features"].push_back(
        {{"name", feature.name}, {"column", feature.draft.column}, {"axis", feature.name}, {"steps", std::move(steps)}});
    made.insert(feature.name);
    places["features." + feature.name] = placeOf(feature.span);
    places["features." + feature.name + ".max_length"] =
        placeOf(feature.draft.maxLengthSpan.file != nullptr ? feature.draft.maxLengthSpan : feature.span);
  }
  out["inputs"] = Json::array();
  for (const GraphNode &node : graph.nodes) {
    if (node.kind != GraphNode::Kind::input) {
      continue;
    }
    if (node.type.kind == ValueType::Kind::ids) {
      if (made.count(node.op) > 0) {
        out["inputs"].push_back({{"name", node.op}, {"kind", "ids"}, {"axis", node.op}, {"feature", node.op}, {"target", false}});
      }
    } else if (node.type.kind == ValueType::Kind::tags) {
      if (made.count(node.type.axis) > 0) {
        out["inputs"].push_back({{"name", node.op},
                                 {"kind", "tags"},
                                 {"axis", node.type.axis},
                                 {"feature", node.type.axis},
                                 {"column", node.op},
                                 {"target", true}});
      }
    } else {
      out["inputs"].push_back({{"name", node.op},
                               {"kind", node.type.kind == ValueType::Kind::classId ? "class"
                                        : node.type.kind == ValueType::Kind::set   ? "set"
                                                                                   : "number"},
                               {"column", node.op},
                               {"target", targetUses.count(node.op) > 0}});
    }
  }
  out["places"] = std::move(places);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
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
