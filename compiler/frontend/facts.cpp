#include "compiler/frontend/facts.h"

#include "compiler/diagnostics/registry.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>

namespace penstock::frontend {

using Json = nlohmann::json;

static constexpr const char *readKeys[] = {"version", "classes", "vocabularies", "splits", "models", "problems"};

Result<Facts> readFacts(const std::string &text) {
  try {
    // Of the rest, such as what is known of each number, no tree is made.
    const auto isRead = [](int depth, Json::parse_event_t event, Json &key) {
      return depth != 1 || event != Json::parse_event_t::key ||
             std::find(std::begin(readKeys), std::end(readKeys), key) != std::end(readKeys);
    };
    const Json json = Json::parse(text, isRead);
    Facts facts;
    if (json.at("version") != 1) {
      return invalidInput("the facts have another version than 1");
    }
    const Json nothing = Json::object();
    const Json classes = json.value("classes", nothing);
    for (const auto &[name, one] : classes.items()) {
      facts.classes[name] = one.at("names").get<std::vector<std::string>>();
      if (const auto counts = one.find("counts"); counts != one.end() && counts->contains("train")) {
        facts.trainCounts[name] = counts->at("train").get<std::vector<std::int64_t>>();
      }
    }
    const Json vocabularies = json.value("vocabularies", nothing);
    for (const auto &[name, one] : vocabularies.items()) {
      facts.vocabularies[name] = {one.at("size").get<std::int64_t>(), one.value("max", std::int64_t{0})};
    }
    const Json splits = json.value("splits", nothing);
    for (const auto &[name, one] : splits.items()) {
      if (one.contains("records")) {
        facts.records[name] = one["records"].get<std::int64_t>();
        facts.removed[name] = one.value("removed", std::map<std::string, std::int64_t>());
      }
    }
    const Json models = json.value("models", nothing);
    for (const auto &[folder, one] : models.items()) {
      Facts::Model &model = facts.models[folder];
      model.error = one.value("error", "");
      model.config = one.value("config", "");
      model.vectorWidth = one.value("width", std::int64_t{0});
      if (one.contains("tensors")) {
        model.tensors = one["tensors"].get<std::map<std::string, std::vector<std::int64_t>>>();
      }
      if (one.contains("unreadable")) {
        model.unreadable = one["unreadable"].get<std::map<std::string, std::string>>();
      }
    }
    if (const auto problems = json.find("problems"); problems != json.end() && !problems->empty()) {
      facts.problems = problems->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return facts;
  } catch (const std::exception &) {
    return invalidInput("the facts are not of the known form");
  }
}

namespace {

std::string textOf(const Json &value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_array()) {
    std::string list;
    std::size_t shown = 0;
    for (const Json &item : value) {
      if (++shown > 12) {
        return list + ", ...";
      }
      list += (list.empty() ? "`" : ", `") + textOf(item) + "`";
    }
    return list;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string percentOf(double share) {
  char text[32];
  std::snprintf(text, sizeof text, share < 0.001 ? "%.2g%%" : "%.1f%%", share * 100);
  return text;
}

SourceRange placeOf(const Places &places, const std::string &key) {
  const auto found = places.find(key), source = places.find("source");
  return found != places.end() ? found->second : source != places.end() ? source->second : SourceRange();
}

/// A header of one name with other delimiters in it is read with the wrong one.
std::string hintForColumn(const std::string &nearest, const Json &header) {
  const std::string only = header.is_array() && header.size() == 1 && header[0].is_string() ? header[0].get<std::string>() : "";
  for (const auto &[sign, written] : {std::pair(';', ";"), std::pair('\t', "\\t"), std::pair('|', "|"), std::pair(',', ",")}) {
    if (only.find(sign) != std::string::npos) {
      return std::string("write `csv(..., delimiter: \"") + written + "\")` where all files are so, or correct the file";
    }
  }
  return nearest.empty() ? "" : "did you mean `" + nearest + "`?";
}

} // namespace

void reportProblems(const std::string &problemList, const DeclaredRecords &declared, diagnostics::DiagnosticList &list) {
  if (problemList.empty()) {
    return;
  }
  try {
    const Json problems = Json::parse(problemList);
    const RecordsSpec &records = declared.records;
    const std::string source = records.sources.empty() ? "" : records.sources.front().kind;
    const bool csv = source == "csv", rowsAreLines = csv || source == "jsonl";
    for (const Json &problem : problems) {
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
      std::string &where = arguments["where"];
      where = arguments["file"];
      // A record of CoNLL has many lines, a line of a plugin's source many rows: the line says where, as compilers write it.
      const std::int64_t line = problem.value("line", std::int64_t{0});
      if (!rowsAreLines && line > 0) {
        where += ":" + std::to_string(line);
        const std::int64_t column = problem.value("column", std::int64_t{0});
        where += column > 0 ? ":" + std::to_string(column) : "";
      }
      for (const char *place : {"row", "column"}) {
        if (!rowsAreLines) {
          break;
        }
        if (problem.contains(place) && problem[place].is_number_integer() && problem[place].get<std::int64_t>() > 0) {
          where += std::string(", ") + place + " " + arguments[place];
        }
      }
      const Json given = problem.value("arguments", Json::object());
      for (const auto &[name, value] : given.items()) {
        const bool isShare = name == "share" && value.is_number();
        arguments[name] = isShare ? percentOf(value.get<double>()) : textOf(value);
      }
      const auto rename = [&](const char *from, const char *to) {
        if (const auto found = arguments.find(from); found != arguments.end() && !found->second.empty()) {
          arguments.emplace(to, found->second);
        }
      };
      rename("text", "detail");
      rename("header", "columns");
      rename("declared", "classes");
      if (id == "tag-sequence") { // an absent tag is an end of the record
        for (const auto &[tag, end] : {std::pair("value", "the end"), std::pair("before", "the beginning")}) {
          std::string &text = arguments[tag];
          text = text.empty() ? std::string(end) + " of the record" : "`" + text + "`";
        }
      }
      const Json candidates = given.value("candidates", Json::array());
      if (candidates.is_array() && !candidates.empty()) {
        arguments["nearest"] = textOf(candidates[0]);
      }
      if (id == "missing-column") {
        arguments["hint"] = hintForColumn(arguments["nearest"], csv ? given.value("header", Json::array()) : Json::array());
      }
      if (id == "missing-cell") { // other types than numbers have no word for it
        const std::string place = problem.value("place", "");
        for (const ColumnSpec &column : records.columns) {
          if (place == "columns." + column.name && column.type == ColumnSpec::Type::number) {
            arguments["hint"] = "write `number(missing: [\"\"])` and `" + column.name + " |> fill(median)`, or correct the data";
          } else if (place == "columns." + column.name && column.type == ColumnSpec::Type::classId) {
            arguments["hint"] = "write `class(missing: [\"\"])`, which makes it a class, or correct the data";
          }
        }
      }
      if (id == "not-utf8" && !arguments["encoding"].empty()) {
        arguments["hint"] =
            "write `" + arguments["source"] + "(..., encoding: " + arguments["encoding"] + ")`, where the text then reads right";
      }
      if (id == "missing-file") {
        arguments.emplace("detail", "there is no such file");
      }
      const diagnostics::DiagnosticInfo *info = diagnostics::findDiagnostic(id);
      if (info == nullptr || info->clause.empty() || info->clause[0] != 'F') {
        list.report("data-unreadable", placeOf(declared.places, problem.value("place", "source")),
                    {{"detail", "an unknown problem `" + id + "`"}});
        continue;
      }
      list.report(id, placeOf(declared.places, problem.value("place", "source")), arguments);
    }
  } catch (const std::exception &) {
    list.report("data-unreadable", {}, {{"detail", "the facts are not of the known form"}});
  }
}

} // namespace penstock::frontend
