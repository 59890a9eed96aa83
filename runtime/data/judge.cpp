// What the facts say of columns, splits and their overlap, when all files are read.
#include "runtime/base/nearest.h"
#include "runtime/data/gatherer.h"
#include "runtime/data/merged_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace penstock {

using Json = nlohmann::json;

void Gatherer::judgeColumns() {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ColumnSpec &column = program.columns[i];
    if (!columns[i].absentFrom.empty()) {
      problems.add("missing-column", "columns." + column.name, {columns[i].absentFrom.front()},
                   {{"name", column.from},
                    {"column", column.name},
                    {"candidates", nearest(column.from, columns[i].absentHeader)},
                    {"header", columns[i].absentHeader},
                    {"files", columns[i].absentFrom}});
    }
    if (column.hasClasses()) {
      judgeClasses(i);
    } else if (column.holdsNumbers()) {
      judgeNumbers(i);
    }
  }
}

/// Rows with mistakes are left out where the source allows so many; they are problems where there are more.
void Gatherer::judgeRows() {
  if (program.skipBad == 0) {
    return;
  }
  facts["bad_rows"] = bad;
  if (bad > 0 && bad <= program.skipBad) {
    const auto &[files, first] = badRows.front();
    problems.warn("bad-rows", "source", {files->paths[static_cast<std::size_t>(first.file)], first.row, first.line, first.column},
                  {{"records", bad}, {"allowed", program.skipBad}, {"text", first.sentence()}});
  }
  for (std::size_t i = 0; i < badRows.size() && bad > program.skipBad; ++i) {
    rowProblem(*badRows[i].first, badRows[i].second);
  }
}

void Gatherer::judgeSplits() {
  Json splits = Json::object();
  bool told = false;
  for (int split = 0; split < 3; ++split) {
    if (!wanted(split)) {
      continue;
    }
    const char *name = splitNames[static_cast<std::size_t>(split)];
    const FileFacts &file = fileOf(split);
    const std::int64_t count = records[static_cast<std::size_t>(split)];
    splits[name] = {{"records", count}, {"files", file.paths}};
    for (std::size_t step = 0; step < removed.size(); ++step) {
      Json &ofStep = splits[name]["removed"][program.rowSteps[step].row->name];
      ofStep = (ofStep.is_null() ? 0 : ofStep.get<std::int64_t>()) + removed[step][static_cast<std::size_t>(split)];
    }
    if (count == 0 && !file.missing && file.errors == 0 && units[static_cast<std::size_t>(split)].empty()) {
      judgeEmpty(split, std::exchange(told, true));
    }
  }
  facts["splits"] = std::move(splits);
}

/// A split without records. `again`: another one was told; of splits that follow each other in an order the first says it all.
void Gatherer::judgeEmpty(int split, bool again) {
  const char *name = splitNames[static_cast<std::size_t>(split)];
  const std::string &file = fileOf(split).path();
  if (program.splitOrder < 0 || (lowest > highest && unplaced == 0)) { // or there is no row at all
    problems.add("empty-split", "source", {file}, {{"split", name}});
    return;
  }
  const std::string &column = program.columns[static_cast<std::size_t>(program.splitOrder)].from;
  if (unplaced == 0 && !again) {
    problems.add("order-leaves-none", "source", {file},
                 {{"split", name},
                  {"name", column},
                  {"text", lowest == highest ? fmt::format("`{}` is {} in every row", column, numberText(lowest))
                                             : fmt::format("`{}` has too few values", column)}});
  }
}

/// One warning of all values of an input that train lacks: there may be thousands of them.
void Gatherer::reportNewClasses(std::size_t index, const std::vector<const std::pair<const std::string, ClassValue> *> &values) {
  std::int64_t count = 0;
  for (const auto *value : values) {
    count += std::accumulate(value->second.counts.begin(), value->second.counts.end(), std::int64_t{0});
  }
  if (count == 0 || (records[trainSplit] == 0 && !hasEarlier)) {
    return;
  }
  problems.warn(
      "new-class", "columns." + program.columns[index].name, values.front()->second.first,
      {{"name", program.columns[index].from}, {"value", shown(values.front()->first)}, {"values", values.size()}, {"records", count}});
}

/// Counts the values of a column that `merge` makes one as one.
void Gatherer::mergeClasses(std::size_t index) {
  const ColumnSpec &column = program.columns[index];
  const ClassMerge merge = mergeOf(column);
  if (!merge.any()) {
    return;
  }
  const bool isTags = column.type == ColumnSpec::Type::tags && column.scheme != TagScheme::none;
  auto &values = columns[index].values;
  std::unordered_map<std::string, std::int64_t> counts; // of train; a chunk begins with B-
  for (const auto &[name, about] : values) {
    const bool isCounted = !isTags || name.starts_with("B-");
    counts[std::string(mergedWhole(column, name))] += isCounted ? about.counts[trainSplit] : 0;
  }
  std::unordered_set<std::string_view> before;
  if (hasEarlier) {
    before.insert(earlier.classes[index].begin(), earlier.classes[index].end());
  }
  const auto isKept = [&](const std::string &name) {
    const std::string whole(mergedWhole(column, name));
    return whole.empty() || whole == merge.into || (hasEarlier ? before.contains(name) : counts.at(whole) >= merge.rare);
  };
  const auto isRare = [&](const auto &entry) { return !isKept(entry.first) && entry.second.rows[trainSplit] > 0; };
  const bool merges = hasEarlier ? before.contains(mergedName(column, merge, "B-")) : std::any_of(values.begin(), values.end(), isRare);
  if (!merges) {
    return;
  }
  std::unordered_map<std::string, ClassValue> merged;
  for (const auto &[name, about] : values) {
    const std::string becomes = isKept(name) ? name : mergedName(column, merge, name);
    const auto [found, isNew] = merged.try_emplace(becomes, about);
    if (isNew) {
      continue;
    }
    ClassValue &sum = found->second;
    for (std::size_t split = 0; split < sum.counts.size(); ++split) {
      sum.counts[split] += about.counts[split];
      sum.rows[split] += about.rows[split];
    }
    if (std::tie(about.firstSplit, about.first.row) < std::tie(sum.firstSplit, sum.first.row)) {
      sum.first = about.first;
      sum.firstSplit = about.firstSplit;
    }
  }
  values = std::move(merged);
}

/// `train { grow: true }`: what train has and the earlier run lacks, behind its classes and in the order that they would have.
void Gatherer::growClasses(std::size_t index, std::vector<std::string> &names) const {
  const bool isTarget = std::any_of(program.inputs.begin(), program.inputs.end(),
                                    [&](const LinkedInput &input) { return input.column == static_cast<int>(index) && input.target; });
  if (!program.grown || !isTarget) {
    return;
  }
  const std::unordered_set<std::string> known(names.begin(), names.end());
  const auto before = static_cast<std::ptrdiff_t>(names.size());
  for (const auto &[value, about] : columns[index].values) {
    if (about.rows[trainSplit] > 0 && !known.contains(value)) {
      names.push_back(value);
    }
  }
  std::sort(names.begin() + before, names.end());
}

/// Classes of train that the run whose weights this one begins with does not know.
void Gatherer::reportNewToRun(std::size_t index, const std::vector<const std::pair<const std::string, ClassValue> *> &values) {
  std::vector<std::string> names;
  Place first;
  for (const auto *value : values) {
    if (value->second.rows[trainSplit] > 0) {
      first = names.empty() ? value->second.first : first;
      names.push_back(shown(value->first));
    }
  }
  if (!names.empty()) {
    problems.add("class-new-to-run", "columns." + program.columns[index].name, first,
                 {{"name", program.columns[index].from}, {"classes", names}, {"known", earlier.classes[index]}});
  }
}

void Gatherer::judgeClasses(std::size_t index) {
  mergeClasses(index);
  const ColumnSpec &column = program.columns[index];
  const auto &values = columns[index].values;
  std::vector<std::string> names = column.classes.value_or(std::vector<std::string>());
  const bool isInput = std::any_of(program.inputs.begin(), program.inputs.end(),
                                   [&](const LinkedInput &input) { return input.column == static_cast<int>(index) && !input.target; });
  bool declared = column.classes.has_value();
  const bool ofRun = !declared && hasEarlier && !isInput; // as for train, a value of an input may be new
  if (!declared && hasEarlier) {
    names = earlier.classes[index];
    declared = !isInput;
    growClasses(index, names);
  } else if (!declared) {
    for (const auto &[value, about] : values) {
      if (about.rows[trainSplit] > 0) {
        names.push_back(value);
      }
    }
    std::sort(names.begin(), names.end()); // bytes of UTF-8 sort as code points do
  }
  Json counts = Json::object();
  for (std::size_t split = 0; split < 3; ++split) {
    if (!program.wanted[split]) {
      continue;
    }
    std::vector<std::int64_t> ofSplit;
    for (const std::string &name : names) {
      const auto found = values.find(name);
      ofSplit.push_back(found == values.end() ? 0 : found->second.counts[split]);
    }
    counts[splitNames[split]] = ofSplit;
  }
  facts["classes"][column.name] = {{"names", names}, {"counts", counts}};
  if (column.type == ColumnSpec::Type::classId && !column.classes.has_value()) {
    const auto list = std::find_if(names.begin(), names.end(), [](const std::string &name) { return readsLikeList(name); });
    const auto found = list == names.end() ? values.end() : values.find(*list);
    if (found != values.end()) {
      problems.warn("list-as-class", "columns." + column.name, found->second.first,
                    {{"column", column.name}, {"name", column.from}, {"value", shown(*list)}});
    }
  }
  fitted.classes[index] = names;

  std::vector<const std::pair<const std::string, ClassValue> *> foreign;
  const std::unordered_set<std::string_view> known(names.begin(), names.end());
  for (const auto &entry : values) {
    if (!known.contains(entry.first)) {
      foreign.push_back(&entry);
    }
  }
  std::sort(foreign.begin(), foreign.end(), [](auto *a, auto *b) { return a->first < b->first; });
  const std::vector<std::string> &lacking = columns[index].absentFrom;
  const bool hasTrain = records[trainSplit] > 0 && std::find(lacking.begin(), lacking.end(), fileOf(trainSplit).path()) == lacking.end();
  const bool fewNames = names.size() <= 1000;
  if (isInput && !declared) {
    reportNewClasses(index, foreign);
    return;
  }
  if (ofRun) {
    reportNewToRun(index, foreign);
  }
  for (const auto *entry : foreign) {
    const ClassValue &about = entry->second;
    if (ofRun && about.rows[trainSplit] > 0) {
      continue; // told
    }
    Json arguments = {{"column", column.name},
                      {"name", column.from},
                      {"value", shown(entry->first)},
                      {"split", splitNames[static_cast<std::size_t>(about.firstSplit)]},
                      {"records", about.counts[0] + about.counts[1] + about.counts[2]},
                      {"candidates", fewNames ? nearest(entry->first, names) : std::vector<std::string>()}};
    if (declared && !ofRun) {
      arguments["declared"] = names;
      problems.add("undeclared-class", "columns." + column.name, about.first, std::move(arguments));
    } else if (hasTrain) {
      problems.warn("class-absent-from-train", "columns." + column.name, about.first, std::move(arguments));
    }
  }
  if (!declared || !hasTrain) {
    return;
  }
  for (const std::string &name : names) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.rows[trainSplit] == 0) {
      const bool elsewhere = found != values.end();
      problems.warn("class-absent-from-train", "columns." + column.name, elsewhere ? found->second.first : Place{fileOf(trainSplit).path()},
                    {{"column", column.name},
                     {"name", column.from},
                     {"value", shown(name)},
                     {"split", elsewhere ? splitNames[static_cast<std::size_t>(found->second.firstSplit)] : ""},
                     {"records", elsewhere ? found->second.counts[1] + found->second.counts[2] : 0},
                     {"candidates", Json::array()}});
    }
  }
}

std::string numberText(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  char text[32];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  return std::string(digits) + (digits.find_first_of(".e") == std::string_view::npos ? ".0" : "");
}

void Gatherer::judgeNumbers(std::size_t index) {
  std::vector<double> &values = columns[index].train;
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (!values.empty()) {
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    columns[index].least = *least;
    columns[index].greatest = *greatest;
  }
  double mean = 0, deviation = 0, median = 0;
  const auto count = static_cast<double>(values.size());
  if (!values.empty()) {
    double squares = 0, seen = 0;
    for (const double value : values) {
      seen += 1;
      const double step = value - mean;
      mean += step / seen;
      squares += step * (value - mean);
    }
    deviation = std::sqrt(squares / count);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    median = *middle;
    if (values.size() % 2 == 0) {
      median = std::midpoint(*std::max_element(values.begin(), middle), *middle);
    }
  }
  std::string missing;
  for (const std::size_t split : {1, 2, 0}) { // sorted by name: dev, test, train
    if (program.wanted[split]) {
      missing += fmt::format("{}\"{}\":{}", missing.empty() ? "" : ",", splitNames[split], columns[index].missing[split]);
    }
  }
  numbers.emplace_back(program.columns[index].name, fmt::format(R"({{"mean":{},"median":{},"missing":{{{}}},"std":{}}})", numberText(mean),
                                                                numberText(median), missing, numberText(deviation)));
  std::vector<double>().swap(values);
}

Status Gatherer::judgeOverlap() {
  facts["overlap"] = Json::array();
  if (program.splitBy == RecordProgram::SplitBy::file) {
    judgeUnits();
  }
  PENSTOCK_ASSIGN(const OverlapFinder::Pairs pairs, overlap.finish());
  for (int a = 0; a < 3; ++a) {
    for (int b = a + 1; b < 3; ++b) {
      const OverlapFinder::Pair &pair = pairs[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
      // Without a column records look alike that are not.
      const bool whole = std::all_of(columns.begin(), columns.end(), [](const ColumnFacts &column) { return column.absentFrom.empty(); });
      if (pair.records == 0 || !whole) {
        continue;
      }
      const Place at = penstock::placeOf(fileOf(b), pair.example);
      PENSTOCK_ASSIGN(const std::string example, exampleOf(program, at.file, at.row));
      const char *first = splitNames[static_cast<std::size_t>(a)];
      const char *second = splitNames[static_cast<std::size_t>(b)];
      const double share = static_cast<double>(pair.records) / static_cast<double>(records[static_cast<std::size_t>(b)]);
      facts["overlap"].push_back({{"a", first}, {"b", second}, {"records", pair.records}, {"example", example}});
      problems.warn("leakage", "source", at,
                    {{"a", first}, {"b", second}, {"records", pair.records}, {"share", share}, {"example", example}});
    }
  }
  return Status::success();
}

} // namespace penstock
