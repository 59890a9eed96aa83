#include "compiler/frontend/check/record_program.h"

#include "runtime/base/splits.h"

#include <nlohmann/json.hpp>

namespace penstock::frontend {

using Json = nlohmann::json; // sorted: the ordered one finds a key by looking at all

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
  if (!node.column.empty()) {
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
  for (std::size_t i = 0; i < splitNames.size(); ++i) {
    if (data.shares[i] > 0) {
      shares[splitNames[i]] = data.shares[i];
    }
  }
  return {{"by", "hash"}, {"column", data.splitBy}, {"shares", shares}};
}

/// Writes the features that the model uses, each with the places of what it is made of; gives their names.
std::set<std::string> putFeatures(JsonText &out, JsonText &places, const Records &records, const Model &model) {
  std::set<std::string> made;
  out.key("features").open('[');
  for (const Feature &feature : records.features()) {
    const FeatureDraft &draft = feature.draft;
    const bool isPair = !draft.second.empty();
    const bool isText = records.typeOf(draft.column) == "text" && (!isPair || records.typeOf(draft.second) == "text");
    const bool isWords = records.typeOf(draft.column) == "words" && !isPair;
    if ((model.good() && !feature.used) || (!isText && !isWords)) {
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
  return made;
}

/// `features`: those that were written.
void putInputs(JsonText &out, const GraphBuilder &builder, const std::set<std::string> &features) {
  out.key("inputs").open('[');
  for (const GraphNode &node : builder.graph.nodes) {
    if (node.kind != GraphNode::Kind::input) {
      continue;
    }
    if (node.column.empty()) {
      if (features.count(node.op) > 0) {
        putInput(out, node, "ids", node.op, false);
      }
    } else if (node.column == "tags") {
      if (features.count(node.type.axis()) > 0) {
        putInput(out, node, "tags", node.type.axis(), true);
      }
    } else {
      putInput(out, node, node.column.c_str(), "", builder.targetUses().count(node.op) > 0);
    }
  }
  out.text += ']';
}

} // namespace

std::string recordProgram(const Records &records, const Model &model, const GraphBuilder &builder, const Training &training) {
  const DataBlock &data = records.data();
  if (!data.good || data.columns.empty()) {
    return {};
  }
  JsonText out, places;
  out.open('{');
  places.open('{');
  out.key("version").value(Json(1));
  if (const std::string &from = training.config().from; !from.empty()) {
    out.key("fitted").value(from + "/fitted");
    putPlace(places, "train.from", training.fromSpan());
  }
  out.key("source").value(sourceOf(data));
  out.key("split").value(splitOf(data));
  putPlace(places, "source", data.sourceSpan);
  out.key("columns").open('[');
  for (const auto &column : data.columns) {
    if (!column->type.empty()) {
      putColumn(out, *column);
      putPlace(places, "columns." + column->name, column->span);
    }
  }
  out.text += ']';
  putInputs(out, builder, putFeatures(out, places, records, model));
  places.text += '}';
  return out.text + ",\"places\":" + places.text + "}";
}

} // namespace penstock::frontend
