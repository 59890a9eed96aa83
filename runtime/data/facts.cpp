#include "runtime/data/facts.h"

#include "runtime/base/file.h"
#include "runtime/base/nearest.h"
#include "runtime/data/gatherer.h"
#include "runtime/data/ordered.h"
#include "runtime/data/record_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace penstock {

using Json = nlohmann::json;

namespace {

constexpr std::uint32_t factsVersion = 11;   // of the cache entries
constexpr std::uint32_t contentVersion = 9;  // of what the facts' `hash` is of, which a resumed run compares
constexpr std::int64_t errorsPerFile = 1000; // rows with mistakes, after which a file is not read on
constexpr std::size_t classLimit = 1000000;  // distinct values of a class column

} // namespace

Result<Hash128> Gatherer::key() {
  // What is read, for the facts' `hash`, and where it lies, which the facts name as well.
  Hasher128 content, places;
  content.addPart(fmt::format("facts {}", contentVersion));
  content.addPart(program.identity);
  if (program.splitBy == RecordProgram::SplitBy::hash) {
    content.addPart("keys 2"); // of a cleaned text, since this
  }
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    PENSTOCK_ASSIGN(const TokenizerInfo info, factory.info(program.features[i].plugin));
    PENSTOCK_ASSIGN(const std::string identity, tokenizerIdentity(program.features[i], program.features[i].parameters, info));
    content.addPart(identity);
    PENSTOCK_ASSIGN(const auto paths, pathsIn(program.features[i].parameters, info));
    for (const GivenPath &given : paths) {
      places.addPart(given.path);
    }
    infos.push_back(info);
    identities.push_back(identity);
  }
  if (held != nullptr) {
    for (const auto &[name, bytes] : held->held) {
      content.addPart(name);
      content.addPart(bytes);
    }
  } else if (!program.fitted.empty()) {
    const Result<Hash128> earlier = hashPath(program.fitted);
    places.addPart(program.fitted);
    content.addPart(earlier.ok() ? earlier.value().hex() : "missing");
  }
  const auto add = [&](const std::vector<std::string> &paths, int split) -> Status {
    FileFacts file;
    file.paths = paths;
    file.split = split;
    for (const std::string &path : paths) {
      places.addPart(path);
      if (fileIsMissing(path)) {
        file.lacking.emplace_back(path, "");
      } else if (const Result<Descriptor> opened = openRegularFile(path); !opened.ok()) {
        const std::string prefix = "could not read `" + path + "`: ";
        std::string why = opened.status().message();
        why.erase(0, why.starts_with(prefix) ? prefix.size() : 0);
        file.lacking.emplace_back(path, why);
      }
    }
    file.missing = !file.lacking.empty();
    if (!file.missing) {
      file.stamp = stampOf(paths);
      PENSTOCK_ASSIGN(file.content, hashOf(paths));
    }
    content.addPart(file.missing ? "missing " + file.lacking.front().second : file.content.hex());
    files.push_back(std::move(file));
    return Status::success();
  };
  if (program.isOneFile()) {
    PENSTOCK_TRY(add(program.filesOf(-1), -1));
  }
  for (int split = 0; split < 3; ++split) {
    content.addPart(wanted(split) ? "1" : "0");
    if (!program.isOneFile() && wanted(split)) {
      fileIndex[static_cast<std::size_t>(split)] = files.size();
      PENSTOCK_TRY(add(program.filesOf(split), split));
    }
  }
  contentHash = content.value();
  places.addPart(contentHash.hex());
  return places.value();
}

/// The facts of an earlier run, if they and the states that they name are still whole.
std::string Gatherer::cached(const Hash128 &key) const {
  const std::shared_ptr<MappedFile> entry = cache.find("facts", factsVersion, key);
  if (entry == nullptr) {
    return {};
  }
  try {
    std::string text(DiskCache::payloadOf(*entry));
    const Json kept = Json::parse(text);
    for (const auto &[feature, path] : kept.at("fitted").items()) {
      if (DiskCache::open(path.get<std::string>(), "state", stateVersion) == nullptr) {
        return {};
      }
    }
    return text;
  } catch (const std::exception &) {
    return {};
  }
}

/// What an earlier run fitted stands in for what train would give: its ids and classes keep their meaning.
Status Gatherer::readEarlier() {
  if (program.fitted.empty()) {
    return Status::success();
  }
  if (held == nullptr && fileIsMissing(program.fitted + "/tokenizers.json")) {
    const std::string run = std::filesystem::path(program.fitted).parent_path().string();
    problems.add("missing-file", "train.from", {run}, {{"path", run}, {"detail", "there is no run in it to begin from"}});
    return Status::success(); // train is fitted anew, for the other checks
  }
  FittedFolder folder;
  if (held == nullptr) {
    PENSTOCK_ASSIGN(folder, fittedOfRun(std::filesystem::path(program.fitted).parent_path().string()));
  }
  PENSTOCK_ASSIGN(earlier, readFitted(program, held != nullptr ? *held : folder, factory));
  hasEarlier = true;
  return Status::success();
}

Status Gatherer::beginFits() {
  std::vector<bool> seen(program.columns.size());
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    const LinkedFeature &feature = program.features[i];
    bool isFirst = false; // of one of its columns
    for (std::size_t text = 0; text < feature.textsEach(); ++text) {
      isFirst = isFirst || !seen[feature.columnOf(text)];
      seen[feature.columnOf(text)] = true;
    }
    prepares.push_back(infos[i].fits || isFirst);
    fits.emplace_back();
    PENSTOCK_ASSIGN(const auto paths, pathsIn(feature.parameters, infos[i]));
    const bool whole = std::none_of(paths.begin(), paths.end(), [](const GivenPath &given) { return fileIsMissing(given.path); });
    if (infos[i].fits && wanted(trainSplit) && whole && !hasEarlier) { // a missing file is a problem of its own: finishFits
      PENSTOCK_ASSIGN(fits.back(), factory.fit(feature.plugin, feature.parameters));
      for (const PluginNote &note : fits.back()->notes()) {
        const std::string place = "features." + feature.name + (note.parameter.empty() ? "" : "." + note.parameter);
        problems.warn("tokenizer-remark", place, {}, {{"plugin", feature.plugin}, {"detail", note.text}});
      }
    }
  }
  return Status::success();
}

Status Gatherer::work(Item &item) const {
  const std::size_t features = program.features.size();
  item.prepared.resize(features);
  struct Source {
    int feature = -1;
    std::size_t text = 0; // of the feature's
  };
  std::vector<Source> textOfColumn(program.columns.size());
  for (std::size_t i = features; i-- > 0;) {
    const LinkedFeature &feature = program.features[i];
    item.prepared[i].begin(feature);
    if (!prepares[i]) {
      continue;
    }
    for (std::size_t row = 0; row < item.block.rows(); ++row) {
      for (std::size_t text = 0; text < feature.textsEach(); ++text) {
        const std::size_t column = feature.columnOf(text);
        item.prepared[i].add(program.columns[column], item.block.cell(row, column));
      }
    }
    item.prepared[i].finish();
    for (std::size_t text = feature.textsEach(); text-- > 0;) {
      textOfColumn[feature.columnOf(text)] = {static_cast<int>(i), text}; // the first feature of the column wins
    }
  }

  const std::vector<bool> compared = sameColumns(program);
  std::string whole;
  std::vector<std::size_t> nextWord(features);
  item.hashes.clear();
  for (std::size_t row = 0; row < item.block.rows(); ++row) {
    whole.clear();
    bool anyText = false, told = false;
    const auto appendText = [&](std::string_view text) {
      anyText = true;
      told = told || !RecordKeys::isEmpty(text);
      appendPart(text, whole);
    };
    for (std::size_t i = 0; i < program.columns.size(); ++i) {
      if (!compared[i]) {
        continue;
      }
      const Source &source = textOfColumn[i];
      const bool isText = program.columns[i].type == ColumnSpec::Type::text || program.columns[i].type == ColumnSpec::Type::words;
      if (source.feature < 0) {
        isText ? appendText(item.block.cell(row, i).text) : appendPart(item.block.cell(row, i).text, whole);
        continue;
      }
      const auto feature = static_cast<std::size_t>(source.feature);
      const PreparedTexts &prepared = item.prepared[feature];
      if (!program.features[feature].cutFromWords) {
        appendText(prepared.texts[row * program.features[feature].textsEach() + source.text]);
        continue;
      }
      appendPart(std::to_string(prepared.wordCounts[row]), whole);
      for (std::int32_t word = 0; word < prepared.wordCounts[row]; ++word) {
        appendText(prepared.texts[nextWord[feature]++]);
      }
    }
    if (anyText && !told) { // records without a text are not the same
      appendPart(std::to_string(item.block.splits[row]) + " " + std::to_string(item.block.numbers[row]), whole);
    }
    item.hashes.push_back(hash128(whole));
  }
  return Status::success();
}

void Gatherer::rowProblem(const FileFacts &file, const RowError &error) {
  const Place place = {file.paths[static_cast<std::size_t>(error.file)], error.row, error.line, error.column};
  if (error.kind == RowError::Kind::notUtf8) {
    problems.add("not-utf8", "source", place,
                 {{"byte", error.byte}, {"value", error.value}, {"encoding", error.detail}, {"source", program.sourceName}});
    return;
  }
  if (error.kind == RowError::Kind::notText) {
    problems.add("not-text", "source", place, {{"what", error.detail}, {"remedy", error.remedy}});
    return;
  }
  if (error.kind == RowError::Kind::notWords || error.kind == RowError::Kind::notAList) {
    const auto column =
        std::find_if(program.columns.begin(), program.columns.end(), [&](const auto &one) { return one.from == error.detail; });
    problems.add("bad-list", column == program.columns.end() ? "source" : "columns." + column->name, place,
                 {{"name", shown(error.detail)}, {"reason", error.reason()}, {"text", error.sentence()}});
    return;
  }
  const bool quote = error.kind == RowError::Kind::strayQuote || error.kind == RowError::Kind::unterminatedQuote;
  Json arguments = {{"reason", error.reason()},
                    {"text", error.sentence() + (quote ? "; where quotes are plain characters write `csv(..., quote: none)`" : "")}};
  if (error.kind == RowError::Kind::fieldCount) {
    arguments["expected"] = error.expected;
    arguments["found"] = error.found;
  }
  problems.add("malformed-row", "source", place, std::move(arguments));
}

/// A class of a row, or one of its labels.
Status Gatherer::countClass(std::size_t index, std::string_view name, int split, const Place &place) {
  auto &values = columns[index].values;
  const auto [found, isNew] = values.try_emplace(std::string(name));
  ++found->second.rows[static_cast<std::size_t>(split)];
  if (program.isSeries()) { // it has no lists, so this is the class of the row
    rowClasses.emplace_back(&found->second);
  } else {
    ++found->second.counts[static_cast<std::size_t>(split)];
  }
  if (isNew) {
    found->second.first = place;
    found->second.firstSplit = split;
    if (values.size() > classLimit) {
      return invalidInput(fmt::format("{}: column `{}` has more than {} different values; a class or set column must have few", place.file,
                                      program.columns[index].from, classLimit));
    }
  }
  return Status::success();
}

Status Gatherer::addCells(const RowBlock &block, std::size_t row, const FileFacts &file) {
  const int split = block.splits[row];
  rowClasses.clear();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const ColumnSpec &column = program.columns[i];
    const Cell cell = block.cell(row, i);
    const Place place = placeOf(file, block, row);
    if (columns[i].isAbsentFrom(place.file)) {
      continue;
    }
    double number = 0;
    const bool isNumber = column.holdsNumbers();
    const CellState state = isNumber ? readNumber(column, cell, number) : judgeCell(column, cell);
    if (isNumber && split == trainSplit) { // missing ones too, so that columns stay side by side
      columns[i].train.push_back(state == CellState::value ? number : std::numeric_limits<double>::quiet_NaN());
    }
    if (state == CellState::value && static_cast<int>(i) == program.weightColumn() && number < 0) {
      problems.add("bad-weight", "columns." + column.name, place, {{"value", shown(cell.text)}});
    }
    if (countsAsMissing(column, cell, state)) {
      ++columns[i].missing[static_cast<std::size_t>(split)];
    }
    if (state == CellState::missing && program.source == RowFormat::jsonl) {
      ++columns[i].gapCount;
      if (columns[i].gapCount <= problemsEach) {
        columns[i].gaps.push_back(place);
      }
    } else if (state == CellState::missing) {
      problems.add("missing-cell", "columns." + column.name, place, {{"name", column.from}, {"column", column.name}});
    } else if (state == CellState::bad) {
      problems.add("bad-number", "columns." + column.name, place,
                   {{"name", column.from},
                    {"column", column.name},
                    {"value", shown(cell.text)},
                    {"type", wordsOf(column.type)[static_cast<std::size_t>(column.type)]}});
    } else if (state == CellState::value && column.type == ColumnSpec::Type::classId) {
      PENSTOCK_TRY(countClass(i, classOf(column, cell), split, place));
    } else if (state == CellState::value && column.type == ColumnSpec::Type::set) {
      labelsOf(column, cell, labels);
      for (const std::string_view label : labels) {
        PENSTOCK_TRY(countClass(i, label, split, place));
      }
    } else if (state == CellState::value && column.type == ColumnSpec::Type::tags) {
      PENSTOCK_TRY(addTags(i, cell, split, place));
    }
  }
  std::size_t counts[2];
  if (const int other = unequalList(program, block, row, items, counts); other >= 0) {
    const ColumnSpec &column = program.columns[static_cast<std::size_t>(other)];
    problems.add("unequal-lists", "columns." + column.name, placeOf(file, block, row),
                 {{"name", column.from}, {"found", counts[1]}, {"expected", counts[0]}});
  }
  return Status::success();
}

/// Where the rows of splits that follow each other stand.
void Gatherer::addPlace(const RowBlock &block, std::size_t row) {
  const auto order = static_cast<std::size_t>(program.splitOrder);
  double place = 0;
  if (readNumber(program.columns[order], block.cell(row, order), place) != CellState::value) {
    ++unplaced; // said of the cell
    return;
  }
  lowest = std::min(lowest, place);
  highest = std::max(highest, place);
}

Status Gatherer::addTags(std::size_t index, const Cell &cell, int split, Place place) {
  const ColumnSpec &column = program.columns[index];
  const std::int64_t firstLine = place.line;
  std::vector<TagProblem> wrong;
  itemsOf(cell, items);
  const std::vector<std::string> tags = toIob2(column.scheme, items, wrong);
  // Only where a word has a line of its own can its place be told.
  const auto lineOf = [&](std::size_t word) {
    return program.source == RowFormat::conll ? firstLine + static_cast<std::int64_t>(word) : firstLine;
  };
  for (const TagProblem &problem : wrong) {
    place.line = lineOf(std::min(problem.word, tags.size() - 1));
    const auto report = problem.malformed ? &Problems::add : &Problems::warn;
    (problems.*report)(problem.malformed ? "bad-tag" : "tag-sequence", "columns." + column.name, place,
                       {{"name", column.from},
                        {"column", column.name},
                        {"value", shown(problem.tag)},
                        {"before", shown(problem.before)},
                        {"word", problem.word + 1}});
  }
  for (std::size_t word = 0; word < tags.size(); ++word) {
    place.line = lineOf(word);
    PENSTOCK_TRY(countClass(index, tags[word], split, place));
  }
  return Status::success();
}

Status Gatherer::consume(const Item &item, FileFacts &file) {
  for (const RowError &error : item.errors) {
    const bool mayGo = program.skipBad > 0 && !error.last;
    if (!mayGo) {
      rowProblem(file, error);
    } else if (++bad <= errorsPerFile) {
      badRows.emplace_back(&file, error);
    }
  }
  file.errors += static_cast<std::int64_t>(item.errors.size());
  file.stopped = file.errors >= errorsPerFile;
  for (const auto &[row, span] : item.block.spanning) {
    // One that reads like several rows is the better example.
    if (++spanning == 1 || (span == Row::Span::rows && spanExample != Row::Span::rows)) {
      spanExample = span;
      firstSpanning = placeOf(file, item.block, row);
    }
  }
  for (std::size_t step = 0; step < removed.size(); ++step) {
    for (std::size_t split = 0; split < records.size(); ++split) {
      removed[step][split] += item.block.removed[step][split];
    }
  }
  std::vector<std::size_t> rowsOfTrain;
  for (std::size_t row = 0; row < item.block.rows(); ++row) {
    const int split = item.block.splits[row];
    if (split < 0 || !wanted(split)) {
      continue;
    }
    ++records[static_cast<std::size_t>(split)];
    if (split == trainSplit) {
      rowsOfTrain.push_back(row);
    }
    PENSTOCK_TRY(addCells(item.block, row, file));
    if (program.splitOrder >= 0) {
      addPlace(item.block, row);
    }
    if (program.isSeries()) { // its rows are no records that could lie in two splits
      addToUnit(item, row, file);
      continue;
    }
    PENSTOCK_TRY(overlap.add(item.hashes[row], split, placeInFiles(item.block.files[row], item.block.numbers[row])));
  }
  trainRows += static_cast<std::int64_t>(rowsOfTrain.size());
  for (std::size_t i = 0; i < fits.size() && !rowsOfTrain.empty(); ++i) {
    if (fits[i] == nullptr) {
      continue;
    }
    if (rowsOfTrain.size() == item.block.rows()) {
      PENSTOCK_TRY(fits[i]->add(item.prepared[i].texts));
      continue;
    }
    const PreparedTexts &prepared = item.prepared[i];
    std::vector<std::string_view> texts;
    std::size_t first = 0; // text of `row`
    for (std::size_t row = 0, next = 0; row < item.block.rows(); ++row) {
      const std::size_t count =
          program.features[i].cutFromWords ? static_cast<std::size_t>(prepared.wordCounts[row]) : program.features[i].textsEach();
      if (next < rowsOfTrain.size() && rowsOfTrain[next] == row) {
        ++next;
        texts.insert(texts.end(), prepared.texts.begin() + static_cast<std::ptrdiff_t>(first),
                     prepared.texts.begin() + static_cast<std::ptrdiff_t>(first + count));
      }
      first += count;
    }
    PENSTOCK_TRY(fits[i]->add(texts));
  }
  return Status::success();
}

/// That the header of each file has the columns.
Status Gatherer::findColumns(const FileFacts &file) {
  for (const std::string &path : file.paths) {
    PENSTOCK_ASSIGN(const std::unique_ptr<RowSource> rows, program.openFile(path));
    PENSTOCK_TRY(rows->begin());
    if (!rows->names().empty()) {
      missingColumns(path, rows->names());
    }
  }
  return {};
}

void Gatherer::missingColumns(const std::string &path, const std::vector<std::string> &names) {
  const std::unordered_set<std::string_view> known(names.begin(), names.end());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!known.contains(program.columns[i].from) && columnAt(names, program.columns[i].from) < 0) {
      columns[i].absentHeader = columns[i].absentFrom.empty() ? names : columns[i].absentHeader;
      columns[i].absentFrom.push_back(path);
    }
  }
  const std::string &by = program.splitFrom;
  if (!by.empty() && columnAt(names, by) < 0) {
    std::vector<std::string> meant = names;
    for (const ColumnSpec &column : program.columns) {
      meant.push_back(column.name);
    }
    problems.add("missing-column", "split", {path}, {{"name", by}, {"candidates", nearest(by, meant)}, {"header", names}});
  }
}

/// The missing cells of columns that some record of the file has.
void Gatherer::reportGaps(const FileFacts &file) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnFacts &column = columns[i];
    if (!column.isAbsentFrom(file.path())) {
      for (const Place &place : column.gaps) {
        problems.add("missing-cell", "columns." + program.columns[i].name, place,
                     {{"name", program.columns[i].from}, {"column", program.columns[i].name}});
      }
      problems.count("missing-cell", column.gapCount - static_cast<std::int64_t>(column.gaps.size()));
    }
    column.gaps.clear();
    column.gapCount = 0;
  }
}

Status Gatherer::scan(FileFacts &file) {
  cutter = {};
  if (file.missing) {
    for (const auto &[path, why] : file.lacking) {
      problems.add("missing-file", "source", {path},
                   {{"path", path}, {"split", file.split < 0 ? "" : splitNames[static_cast<std::size_t>(file.split)]}});
      if (!why.empty()) {
        problems.list.back()["arguments"]["detail"] = why;
      }
    }
    return Status::success();
  }
  // What is packed may be damaged, which shows as it is read.
  const auto damaged = [&](const Status &status) {
    problems.add("missing-file", "source", {file.path()}, {{"path", file.path()}, {"split", ""}, {"detail", status.message()}});
  };
  Result<std::unique_ptr<RowSource>> opened = program.openRows(file.split);
  if (!opened.ok() && opened.status().code() == ErrorCode::invalidInput) {
    damaged(opened.status());
    return {};
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<RowSource> rows, std::move(opened));
  const bool hasHeader = program.source != RowFormat::jsonl; // JSON Lines: the keys are known when all is read
  if (hasHeader && file.paths.size() > 1) {
    PENSTOCK_TRY(findColumns(file));
  } else if (hasHeader && !rows->names().empty()) {
    missingColumns(file.path(), rows->names());
  }
  Status unread;
  const auto produce = [&](Item &item) -> Result<bool> {
    item.errors.clear();
    if (file.stopped) {
      return false;
    }
    Result<bool> more = readBlock(program, *rows, file.split, -1, item.block, item.errors, false);
    if (!more.ok() && more.status().code() == ErrorCode::invalidInput) {
      unread = more.status();
      item.block.clear(program.fileColumns().size());
      return false;
    }
    return more;
  };
  PENSTOCK_TRY(runOrdered<Item>(threads, produce, [&](Item &item) { return work(item); }, [&](Item &item) { return consume(item, file); }));
  if (!unread.ok()) {
    damaged(unread);
  }
  endUnit();
  if (!hasHeader) {
    const std::int64_t gaps = std::accumulate(columns.begin(), columns.end(), std::int64_t{0},
                                              [](std::int64_t sum, const ColumnFacts &column) { return sum + column.gapCount; });
    if (!rows->names().empty() || gaps > 0) {
      missingColumns(file.path(), rows->names());
    }
    reportGaps(file);
  }
  if (header.empty()) {
    header = rows->names();
  }
  return Status::success();
}

Status Gatherer::finishFits() {
  facts["fitted"] = Json::object();
  facts["tokenizers"] = Json::object();
  facts["vocabularies"] = Json::object();
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    const LinkedFeature &feature = program.features[i];
    const std::string &parameters = hasEarlier ? earlier.features[i].parameters : feature.parameters;
    std::vector<GivenPath> paths;
    if (held == nullptr) { // else the state is all that the plugin needs
      PENSTOCK_ASSIGN(paths, pathsIn(parameters, infos[i]));
    }
    Json &entry = facts["tokenizers"][feature.name];
    entry = {{"version", infos[i].version}, {"fits", infos[i].fits}, {"paths", Json::object()}};
    bool lacksFile = false;
    for (const auto &[name, path, folder, files] : paths) {
      entry["paths"][name] = path;
      if (!files.empty()) {
        entry["files"][name] = {{"folder", folder}, {"names", files}};
      }
      if (fileIsMissing(path)) {
        lacksFile = true;
        problems.add("missing-file", "features." + feature.name, {path}, {{"path", path}, {"split", ""}, {"parameter", name}});
      }
    }
    FittedFeature fit;
    fit.version = infos[i].version;
    fit.parameters = parameters;
    fit.identity = hasEarlier ? earlier.features[i].identity : identities[i];
    if (infos[i].fits) {
      if (!hasEarlier && (fits[i] == nullptr || records[trainSplit] == 0)) {
        fitted.features.push_back(std::move(fit));
        continue;
      }
      if (hasEarlier) {
        fit.state = earlier.features[i].state;
      } else {
        PENSTOCK_ASSIGN(fit.state, fits[i]->end());
        fits[i].reset();
      }
      const Hash128 key = hash128(fit.state);
      if (cache.enabled() && cache.store("state", stateVersion, key, fit.state).ok()) {
        facts["fitted"][feature.name] = cache.pathOf("state", key);
      } else {
        std::string hex;
        for (const char byte : fit.state) {
          hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
        }
        facts["states"][feature.name] = std::move(hex);
      }
    }
    if (!lacksFile) {
      PENSTOCK_ASSIGN(fit.tokenizer, factory.make(feature.plugin, fit.parameters, fit.state));
      facts["vocabularies"][feature.name] = {
          {"size", fit.tokenizer->vocabularySize()}, {"tokens", Json::object()}, {"max", 0}, {"cut", Json::object()}};
    }
    fitted.features.push_back(std::move(fit));
  }
  return Status::success();
}

/// Fits the operators of derived features on the values of train. Call before the columns are judged, which forgets these.
void Gatherer::fitDerived() {
  for (std::size_t d = 0; d < program.derived.size(); ++d) {
    const DerivedFeature &feature = program.derived[d];
    ColumnValues train;
    for (const int column : feature.columns) {
      train.push_back(columns[static_cast<std::size_t>(column)].train);
      if (train.back().size() != train.front().size()) {
        return; // a column is missing, which is said
      }
    }
    const DerivedStates states = hasEarlier ? earlier.derived[d] : fitSteps(feature, std::move(train));
    std::string text;
    for (std::size_t s = 0; s < states.size(); ++s) {
      std::string ofStep;
      for (std::size_t i = 0; i < states[s].size(); ++i) {
        std::string numbers;
        for (const double value : states[s][i]) {
          numbers += (numbers.empty() ? "" : ",") + numberText(value);
        }
        ofStep += (i == 0 ? "[" : ",[") + numbers + "]";
        const DerivedStep &step = feature.steps[s];
        const std::string remark = step.functions->remark == nullptr || hasEarlier || records[trainSplit] == 0
                                       ? ""
                                       : step.functions->remark(step.parameters, states[s][i]);
        if (!remark.empty()) {
          const ColumnSpec &column =
              program.columns[static_cast<std::size_t>(feature.columns[i * feature.columns.size() / states[s].size()])];
          problems.warn("operator-remark", "features." + feature.name, {fileOf(trainSplit).path()},
                        {{"operator", step.row->name}, {"name", column.from}, {"detail", remark}});
        }
      }
      text += (s == 0 ? "[" : ",[") + ofStep + "]";
    }
    operators.emplace_back(feature.name, "[" + text + "]");
    fitted.derived.push_back(states);
  }
}

/// Where an operator does not take every number, the splits are read once more to see whether it takes theirs.
Status Gatherer::judgeDerived() {
  const bool refuses = std::any_of(program.derived.begin(), program.derived.end(), [](const DerivedFeature &one) { return one.refuses(); });
  const bool whole = fitted.derived.size() == program.derived.size() && problems.onlyWarnings();
  for (int split = 0; refuses && whole && split < 3; ++split) {
    if (!wanted(split) || records[static_cast<std::size_t>(split)] == 0) {
      continue;
    }
    std::vector<RefusedNumber> refused;
    SplitRequest request = requestOf(split);
    request.refused = &refused;
    PENSTOCK_TRY(openSplit(request, cache).status());
    for (const RefusedNumber &one : refused) {
      const DerivedStep &step = program.derived[one.feature].steps[one.step];
      problems.add("operator-domain", "features." + program.derived[one.feature].name,
                   {fileOf(split).paths[static_cast<std::size_t>(one.file)], one.row, one.line, 0},
                   {{"operator", step.row->name},
                    {"name", program.columns[one.column].from},
                    {"value", numberText(one.value)},
                    {"rule", step.functions->rule}});
    }
  }
  return Status::success();
}

SplitRequest Gatherer::requestOf(int split) {
  SplitRequest request;
  request.program = &program;
  request.fitted = &fitted;
  request.factory = &factory;
  request.split = split;
  request.content = fileOf(split).content;
  if (program.comparesFiles()) {
    Hasher128 all;
    for (int before = 0; before <= split; ++before) {
      all.addPart(wanted(before) ? fileOf(before).content.hex() : "");
    }
    request.content = all.value();
  }
  request.stamp = fileOf(split).stamp;
  request.threads = threads;
  request.strict = problems.onlyWarnings();
  return request;
}

/// What inputs to come are compared with.
void Gatherer::countInputs() {
  std::vector<ColumnCounts> counts(columns.size());
  for (const std::size_t i : program.modelColumns()) {
    counts[i].missing = columns[i].missing[trainSplit];
    counts[i].least = columns[i].least;
    counts[i].greatest = columns[i].greatest;
    const std::unordered_set<std::string_view> known(fitted.classes[i].begin(), fitted.classes[i].end());
    for (const auto &[name, about] : columns[i].values) {
      counts[i].unknown += known.contains(name) ? 0 : about.rows[trainSplit];
    }
  }
  inputs = countsText(program, trainRows, counts, trainTokens);
}

std::string Gatherer::factsText() {
  std::string text;
  for (const auto &[key, value] : facts.items()) {
    text += (text.empty() ? "{" : ",") + Json(key).dump() + ":";
    if (key == "inputs") {
      text += inputs;
      continue;
    }
    if (key != "numbers" && key != "operators") {
      text += value.dump(-1, ' ', false, Json::error_handler_t::replace);
      continue;
    }
    auto &written = key == "numbers" ? numbers : operators;
    std::sort(written.begin(), written.end());
    std::string list;
    for (const auto &[name, about] : written) {
      list += (list.empty() ? "" : ",") + Json(name).dump(-1, ' ', false, Json::error_handler_t::replace) + ":" + about;
    }
    text += "{" + list + "}";
  }
  return text + "}";
}

Result<std::string> Gatherer::run() {
  PENSTOCK_ASSIGN(const Hash128 hash, key());
  if (std::string text = cached(hash); !text.empty()) {
    return text;
  }
  facts = {
      {"version", 1}, {"hash", contentHash.hex()}, {"classes", Json::object()}, {"numbers", Json::object()}, {"operators", Json::object()}};
  fitted.classes.resize(columns.size());
  PENSTOCK_TRY(readEarlier());
  PENSTOCK_TRY(beginFits());
  for (const auto &[column, error] : program.tableErrors) {
    const std::string &name = program.columns[static_cast<std::size_t>(column)].name;
    problems.add(
        "bad-table", "columns." + name, {},
        {{"name", name},
         {"line", error.line},
         {"text", error.kind == RowError::Kind::fieldCount ? fmt::format("the line has {} columns", error.found) : error.sentence()}});
  }
  for (FileFacts &file : files) {
    PENSTOCK_TRY(scan(file));
  }
  if (spanning > 0) {
    problems.warn("quoted-line-end", "source", firstSpanning,
                  {{"records", spanning},
                   {"like", spanExample == Row::Span::rows ? "reads like several records in one cell" : "has line ends in a cell"}});
  }
  if (program.isSeries()) {
    countSeries();
  }
  judgeRows();
  judgeSplits();
  fitDerived();
  judgeColumns();
  PENSTOCK_TRY(judgeOverlap());
  PENSTOCK_TRY(finishFits());
  PENSTOCK_TRY(judgeDerived());
  PENSTOCK_TRY(countTokens());
  countInputs();
  facts["inputs"] = nullptr; // written apart
  facts["header"] = header;
  facts["problems"] = problems.list;
  facts["omitted"] = problems.omitted();
  const std::string text = factsText();
  const bool unchanged =
      std::all_of(files.begin(), files.end(), [](const FileFacts &file) { return file.missing || stampOf(file.paths) == file.stamp; });
  if (cache.enabled() && unchanged) {
    // Facts that cannot be kept are gathered again next time.
    (void)cache.store("facts", factsVersion, hash, text);
  }
  return text;
}

Result<std::string> gatherFactsWith(const RecordsSpec &records, DataPlugins &factory, const FactsOptions &options) {
  PENSTOCK_ASSIGN(const RecordProgram program, RecordProgram::link(records, &factory));
  try {
    return Gatherer(program, factory, options).run();
  } catch (const std::bad_alloc &) {
    return environmentError("not enough memory to gather the facts about the data");
  } catch (const std::exception &) {
    return internalError("the facts about the data could not be gathered; please report this with the file");
  }
}

} // namespace penstock
