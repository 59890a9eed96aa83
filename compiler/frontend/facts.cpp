#include "compiler/frontend/facts.h"

#include "compiler/diagnostics/registry.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace penstock::frontend {

using Json = nlohmann::json;

Result<Facts> readFacts(const std::string &text) {
  try {
    const Json json = Json::parse(text);
    Facts facts;
    if (json.at("version") != 1) {
      return invalidInput("the facts have another version than 1");
    }
    const Json nothing = Json::object();
    for (const auto &[name, one] : json.value("classes", nothing).items()) {
      facts.classes[name] = one.at("names").get<std::vector<std::string>>();
    }
    for (const auto &[name, one] : json.value("vocabularies", nothing).items()) {
      facts.vocabularies[name] = {one.at("size").get<std::int64_t>(), one.value("max", std::int64_t{0})};
    }
    for (const auto &[name, one] : json.value("splits", nothing).items()) {
      if (one.contains("records")) {
        facts.records[name] = one["records"].get<std::int64_t>();
      }
    }
    return facts;
  } catch (const std::exception &error) {
    return invalidInput(std::string("the facts are not of the known form: ") + error.what());
  }
}

namespace {

std::string textOf(const Json &value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_array()) {
    std::vector<std::string> names;
    for (const Json &item : value) {
      names.push_back(textOf(item));
    }
    return diagnostics::quotedList(names);
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

diagnostics::SourceRange placeOf(const Json &places, const std::string &key) {
  diagnostics::SourceRange range;
  const Json *found = nullptr;
  for (const std::string &candidate : {key, std::string("source")}) {
    if (places.contains(candidate)) {
      found = &places[candidate];
      break;
    }
  }
  if (found == nullptr) {
    return range;
  }
  range.file = found->value("file", "");
  range.line = found->value("line", 1u);
  range.column = found->value("column", 1u);
  range.endLine = found->value("end_line", 1u);
  range.endColumn = found->value("end_column", 1u);
  range.begin = found->value("begin", 0u);
  range.end = found->value("end", 0u);
  return range;
}

} // namespace

void reportProblems(const std::string &factsJson, const std::string &recordProgram, diagnostics::DiagnosticList &list) {
  try {
    const Json facts = Json::parse(factsJson);
    const Json record = recordProgram.empty() ? Json::object() : Json::parse(recordProgram);
    const Json places = record.value("places", Json::object());
    for (const Json &problem : facts.value("problems", Json::array())) {
      const std::string id = problem.value("id", "");
      diagnostics::Arguments arguments;
      if (problem.contains("file")) {
        arguments["file"] = textOf(problem["file"]);
      }
      for (const char *place : {"row", "column"}) {
        if (problem.contains(place)) {
          arguments[place] = textOf(problem[place]);
        }
      }
      std::vector<std::string> candidates;
      const Json given = problem.value("arguments", Json::object());
      for (const auto &[name, value] : given.items()) {
        arguments[name] = textOf(value);
        if (name == "candidates" && value.is_array()) {
          for (const Json &candidate : value) {
            candidates.push_back(textOf(candidate));
          }
        }
      }
      if (!candidates.empty()) {
        arguments.emplace("columns", diagnostics::quotedList(candidates));
        arguments.emplace("classes", diagnostics::quotedList(candidates));
        const std::string &name = arguments.count("value") > 0 ? arguments["value"] : arguments["name"];
        arguments.emplace("nearest", diagnostics::nearest(name, candidates));
      }
      const diagnostics::DiagnosticInfo *info = diagnostics::findDiagnostic(id);
      if (info == nullptr || info->clause.empty() || info->clause[0] != 'F') {
        list.report("data-unreadable", placeOf(places, problem.value("place", "source")), {{"detail", "an unknown problem `" + id + "`"}});
        continue;
      }
      list.report(id, placeOf(places, problem.value("place", "source")), arguments);
    }
  } catch (const std::exception &error) {
    list.report("data-unreadable", {}, {{"detail", std::string("the facts are not of the known form: ") + error.what()}});
  }
}

} // namespace penstock::frontend
