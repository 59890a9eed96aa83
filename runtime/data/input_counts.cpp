#include "runtime/data/input_counts.h"

#include "runtime/base/file.h"
#include "runtime/data/gathered.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace penstock {

using Json = nlohmann::ordered_json;

void TokenCounts::add(const LinkedFeature &feature, const Tokenizer &tokenizer, const std::int32_t *ids, std::int64_t count,
                      std::int64_t records) {
  tokens += count - records * specialTokensOf(feature, tokenizer);
  unknown += std::count(ids, ids + count, tokenizer.unknownId());
}

bool countsAsMissing(const ColumnSpec &column, const Cell &cell, CellState state) {
  const bool isClass = column.type == ColumnSpec::Type::classId && !column.missing.empty(); // which then has a class of such cells
  return isClass ? classOf(column, cell) == column.missing.front() : state == CellState::missing || state == CellState::filled;
}

std::string countsText(const RecordProgram &program, std::int64_t rows, const std::vector<ColumnCounts> &columns,
                       const std::vector<TokenCounts> &features) {
  // A library's tree for each of thousands of columns costs more than all else.
  std::string text = fmt::format(R"({{"rows":{},"columns":{{)", rows), separator;
  for (const std::size_t i : program.modelColumns()) {
    const ColumnCounts &one = columns[i];
    text += fmt::format(R"({}{}:{{"missing":{},"unknown":{},"range":)", separator, Json(program.columns[i].name).dump(), one.missing,
                        one.unknown);
    text += one.hasRange() ? fmt::format("[{},{}]}}", numberText(one.least), numberText(one.greatest)) : "null}";
    separator = ",";
  }
  text += R"(},"features":{)";
  separator.clear();
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    text += fmt::format(R"({}{}:{{"tokens":{},"unknown":{}}})", separator, Json(program.features[i].name).dump(), features[i].tokens,
                        features[i].unknown);
    separator = ",";
  }
  return text + "}}";
}

Result<std::unique_ptr<InputCounts>> InputCounts::open(const RecordProgram &program, const Fitted &fitted) {
  std::unique_ptr<InputCounts> made(new InputCounts(program, fitted));
  made->counted = program.modelColumns();
  made->columns.resize(program.columns.size());
  made->train.resize(program.columns.size());
  made->features.resize(program.features.size());
  made->trainFeatures.resize(program.features.size());
  const std::vector<std::size_t> cells = program.inputColumns();
  for (const std::size_t column : made->counted) {
    made->places.push_back(static_cast<std::size_t>(std::find(cells.begin(), cells.end(), column) - cells.begin()));
  }
  if (fitted.folder.holds(countsFile)) {
    PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted.folder, countsFile));
    PENSTOCK_TRY(made->readTrain(text));
  }
  return made;
}

Status InputCounts::readTrain(const std::string &text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    trainRows = json.at("rows").get<std::int64_t>();
    for (const std::size_t i : counted) {
      const Json &one = json.at("columns").at(program.columns[i].name);
      train[i].missing = one.at("missing").get<std::int64_t>();
      train[i].unknown = one.at("unknown").get<std::int64_t>();
      if (const Json &range = one.at("range"); !range.is_null()) {
        train[i].least = range.at(0).get<double>();
        train[i].greatest = range.at(1).get<double>();
      }
    }
    for (std::size_t i = 0; i < features.size(); ++i) {
      const Json &one = json.at("features").at(program.features[i].name);
      trainFeatures[i] = {one.at("tokens").get<std::int64_t>(), one.at("unknown").get<std::int64_t>()};
    }
  } catch (const nlohmann::json::exception &) {
    return damagedFile(fitted.folder.path + "/" + countsFile, "it does not hold what was counted in train");
  }
  return {};
}

void InputCounts::addRow(const std::vector<Cell> &cells, const std::function<bool(std::size_t column, const Cell &cell)> &isKnown) {
  ++rows;
  for (std::size_t k = 0; k < counted.size(); ++k) {
    const std::size_t i = counted[k];
    const ColumnSpec &column = program.columns[i];
    const Cell &cell = cells[places[k]];
    ColumnCounts &one = columns[i];
    double number = 0;
    const CellState state = column.holdsNumbers() ? readNumber(column, cell, number) : judgeCell(column, cell);
    one.missing += countsAsMissing(column, cell, state) ? 1 : 0;
    one.unknown += column.type == ColumnSpec::Type::classId && !isKnown(i, cell) ? 1 : 0;
    if (column.holdsNumbers() && state == CellState::value && train[i].hasRange()) {
      one.below += number < train[i].least ? 1 : 0;
      one.above += number > train[i].greatest ? 1 : 0;
    }
  }
}

void InputCounts::addTokens(std::size_t feature, const EncodedTexts &texts) {
  features[feature].add(program.features[feature], *fitted.features[feature].tokenizer, texts.ids.data(),
                        static_cast<std::int64_t>(texts.ids.size()), static_cast<std::int64_t>(texts.lengths.size()));
}

namespace {

Json shareOf(std::int64_t count, std::int64_t all) {
  return all > 0 ? Json(static_cast<double>(count) / static_cast<double>(all)) : Json();
}

} // namespace

std::string InputCounts::json() const {
  const bool known = trainRows >= 0;
  const auto counts = [&](std::int64_t count, std::int64_t all, std::int64_t ofTrain, std::int64_t allOfTrain) {
    return Json{{"count", count}, {"share", shareOf(count, all)}, {"train", known ? shareOf(ofTrain, allOfTrain) : Json()}};
  };
  Json out = {{"rows", rows}, {"train_rows", known ? Json(trainRows) : Json()}, {"columns", Json::object()}, {"features", Json::object()}};
  for (const std::size_t i : counted) {
    const ColumnSpec &column = program.columns[i];
    const ColumnCounts &one = columns[i], &before = train[i];
    Json &of = out["columns"][column.name];
    of["missing"] = counts(one.missing, rows, before.missing, trainRows);
    if (column.type == ColumnSpec::Type::classId) {
      of["unknown"] = counts(one.unknown, rows, before.unknown, trainRows);
    }
    if (column.holdsNumbers()) {
      const bool ranged = before.hasRange();
      of["outside"] = ranged ? counts(one.below + one.above, rows, 0, trainRows) : Json();
      of["below"] = ranged ? Json(one.below) : Json();
      of["above"] = ranged ? Json(one.above) : Json();
      of["range"] = ranged ? Json{before.least, before.greatest} : Json();
    }
  }
  for (std::size_t i = 0; i < features.size(); ++i) {
    Json &of = out["features"][program.features[i].name];
    of["tokens"] = features[i].tokens;
    of["unknown"] = counts(features[i].unknown, features[i].tokens, trainFeatures[i].unknown, trainFeatures[i].tokens);
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace penstock
