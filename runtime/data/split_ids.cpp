#include "runtime/data/split_ids.h"

#include "runtime/base/printable.h"
#include "runtime/data/encode.h"
#include "runtime/data/no_such_column.h"
#include "runtime/data/ordered.h"
#include "runtime/data/series.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <unordered_set>

namespace penstock {

using Json = nlohmann::json;

namespace {

constexpr std::uint32_t formatVersion = 7;
constexpr std::uint64_t alignment = 64;

/// The entry's payload: sections, each aligned in the file, then a directory in JSON and its length
/// in 8 bytes.
class PayloadWriter {
public:
  explicit PayloadWriter(ScratchFile &file) : file(file) {}
  Status begin() {
    const CacheHeader blank = {};
    return file.append(&blank, sizeof(blank));
  }
  Status append(const void *bytes, std::size_t size) {
    hasher.add(bytes, size);
    return file.append(bytes, size);
  }
  Result<std::uint64_t> align() {
    const char zeros[alignment] = {};
    PENSTOCK_TRY(append(zeros, (alignment - file.size() % alignment) % alignment));
    return file.size();
  }
  Hash128 hash() const { return hasher.value(); }

private:
  ScratchFile &file;
  Hasher128 hasher;
};

struct Item {
  RowBlock block;
  std::vector<RowError> errors;
  std::vector<PreparedTexts> prepared;
  std::vector<EncodedTexts> encoded;
};

class Builder {
public:
  Builder(const SplitRequest &request, const DiskCache &cache)
      : request(request), program(*request.program), fitted(*request.fitted), cache(cache), paths(program.filesOf(request.split)) {}

  Result<SplitIds> run(const Hash128 &key);

private:
  Status open();
  Status consume(const Item &item);
  Status addCells(const RowBlock &block, std::size_t row);
  Status addTags(std::size_t column, const Cell &cell, const RowBlock &block, std::size_t row);
  Status addDerived(const RowBlock &block);
  Status addToUnit(const RowBlock &block, std::size_t row);
  Status writeUnits(Json &directory);
  std::int32_t indexOf(std::size_t column, std::string_view name);
  Result<std::unique_ptr<ScratchFile>> scratch() const { return ScratchFile::create(cache.enabled() ? cache.root() : ""); }
  Status cellError(const RowBlock &block, std::size_t row, const std::string &what) const {
    return invalidInput(fmt::format("{}:{}: {}", paths[static_cast<std::size_t>(block.files[row])], block.lines[row], what));
  }

  const SplitRequest &request;
  const RecordProgram &program;
  const Fitted &fitted;
  const DiskCache &cache;
  const std::vector<std::string> paths;

  std::unique_ptr<RowSource> rows;
  std::unique_ptr<ScratchFile> file;
  std::unique_ptr<PayloadWriter> writer;
  std::vector<std::unique_ptr<ScratchFile>> spools; // ids of all features but the first, which goes straight to `file`
  std::vector<std::vector<std::int64_t>> offsets;
  std::vector<std::vector<std::int32_t>> rowWord; // of features cut from words
  std::vector<std::vector<std::int32_t>> firsts;  // of pairs
  std::vector<std::int64_t> cut, longest;
  std::vector<std::unordered_map<std::string, std::int32_t>> classIndex;
  std::vector<std::vector<std::int32_t>> classes;
  std::vector<std::vector<double>> numbers; // missing ones are NaN
  std::vector<std::vector<float>> derived;  // records x width
  std::vector<std::vector<std::int32_t>> derivedIndices;
  bool anyRefused = false;
  std::vector<std::vector<std::uint8_t>> sets;
  std::vector<std::string_view> labels; // of one cell
  struct Tags {
    std::vector<std::int32_t> tags;
    std::vector<std::int64_t> offsets = {0};
  };
  std::vector<Tags> tags;
  std::vector<std::vector<std::string>> others; // see SplitIds
  struct OtherLabels {
    std::vector<std::int64_t> records;
    std::vector<std::int32_t> labels;
  };
  std::vector<OtherLabels> otherLabels;
  std::vector<std::string_view> items;
  std::int64_t records = 0;
  UnitCutter cutter;
  std::vector<std::int64_t> units, before; // of a series; see SplitIds
};

Status Builder::open() {
  for (const std::string &path : paths) {
    if (fileIsMissing(path)) {
      return invalidInput("no file `" + path + "`");
    }
  }
  PENSTOCK_ASSIGN(rows, program.openRows(paths, request.split));
  const std::vector<std::string> &names = rows->names();
  const std::string &path = paths.front();
  const std::unordered_set<std::string_view> known(names.begin(), names.end());
  for (const ColumnSpec &column : program.columns) {
    const bool checks = request.strict && program.source != RowFormat::jsonl && !names.empty();
    if (checks && !known.contains(column.from) && columnAt(names, column.from) < 0) {
      if (program.source == RowFormat::conll) {
        return invalidInput(fmt::format("{}:1: `columns` lists no column `{}`", path, column.from));
      }
      return noSuchColumn(path, column.from, names);
    }
  }
  PENSTOCK_ASSIGN(file, scratch());
  writer = std::make_unique<PayloadWriter>(*file);
  PENSTOCK_TRY(writer->begin());
  const std::size_t features = program.features.size();
  for (std::size_t i = 1; i < features; ++i) {
    PENSTOCK_ASSIGN(std::unique_ptr<ScratchFile> spool, scratch());
    spools.push_back(std::move(spool));
  }
  offsets.assign(features, {0});
  rowWord.resize(features);
  firsts.resize(features);
  cut.assign(features, 0);
  longest.assign(features, 0);
  const std::size_t columns = program.columns.size();
  classIndex.resize(columns);
  classes.resize(columns);
  numbers.resize(columns);
  derived.resize(program.derived.size());
  derivedIndices.resize(program.derived.size());
  sets.resize(columns);
  tags.resize(columns);
  others.resize(columns);
  otherLabels.resize(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    for (std::size_t k = 0; k < fitted.classes[i].size(); ++k) {
      classIndex[i].emplace(fitted.classes[i][k], static_cast<std::int32_t>(k));
    }
  }
  return Status::success();
}

Status Builder::addCells(const RowBlock &block, std::size_t row) {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const ColumnSpec &column = program.columns[i];
    const Cell cell = block.cell(row, i);
    double number = std::numeric_limits<double>::quiet_NaN();
    const CellState state = column.holdsNumbers() ? readNumber(column, cell, number) : judgeCell(column, cell);
    if (request.strict && state == CellState::missing) {
      return cellError(block, row, fmt::format("column `{}` has no value", column.from));
    }
    if (request.strict && state == CellState::bad) {
      return cellError(block, row,
                       fmt::format("`{}` in column `{}` is not a {}", printable(cell.text, 60), column.from,
                                   wordsOf(column.type)[static_cast<std::size_t>(column.type)]));
    }
    if (column.holdsNumbers()) {
      numbers[i].push_back(state == CellState::value ? number : std::numeric_limits<double>::quiet_NaN());
    } else if (column.type == ColumnSpec::Type::classId) {
      classes[i].push_back(state == CellState::value ? indexOf(i, classOf(column, cell)) : -1);
    } else if (column.type == ColumnSpec::Type::set) {
      const std::size_t begin = sets[i].size(), known = fitted.classes[i].size();
      sets[i].resize(begin + known);
      labelsOf(column, state == CellState::value ? cell : Cell{}, labels);
      for (const std::string_view label : labels) {
        const auto index = static_cast<std::size_t>(indexOf(i, label));
        if (index < known) {
          sets[i][begin + index] = 1;
        } else {
          otherLabels[i].records.push_back(records + static_cast<std::int64_t>(row));
          otherLabels[i].labels.push_back(static_cast<std::int32_t>(index - known));
        }
      }
    } else if (column.type == ColumnSpec::Type::tags) {
      PENSTOCK_TRY(addTags(i, cell, block, row));
    }
  }
  std::size_t counts[2];
  const int other = request.strict ? unequalList(program, block, row, items, counts) : -1;
  if (other >= 0) {
    return cellError(block, row,
                     fmt::format("column `{}` has {} items, the columns before it {}",
                                 program.columns[static_cast<std::size_t>(other)].from, counts[1], counts[0]));
  }
  return Status::success();
}

/// Rows come by unit and in their order.
Status Builder::addToUnit(const RowBlock &block, std::size_t row) {
  const auto order = static_cast<std::size_t>(program.seriesOrder);
  switch (cutter.add(block.cell(row, static_cast<std::size_t>(program.seriesBy)).text, numbers[order].back())) {
  case UnitCutter::Step::begins:
    units.push_back(records + static_cast<std::int64_t>(row));
    before.push_back(0);
    break;
  case UnitCutter::Step::repeats:
    if (request.strict) {
      return cellError(block, row, fmt::format("its unit has another row with the same `{}`", program.columns[order].from));
    }
    break;
  default:
    break;
  }
  before.back() += block.splits[row] == request.split ? 0 : 1;
  return {};
}

/// Of the last rows of `numbers`, which are those of the block. Without strictness what a step needs may not be there.
Status Builder::addDerived(const RowBlock &block) {
  for (std::size_t d = 0; request.strict && d < program.derived.size(); ++d) {
    const DerivedFeature &feature = program.derived[d];
    std::vector<ColumnValues> values(feature.steps.size() + 1);
    for (const int column : feature.columns) {
      const std::vector<double> &all = numbers[static_cast<std::size_t>(column)];
      values.front().emplace_back(all.end() - static_cast<std::ptrdiff_t>(block.rows()), all.end());
    }
    if (const auto refusal = applySteps(feature, fitted.derived[d], values)) {
      const auto column = static_cast<std::size_t>(feature.columns[refusal->column]);
      if (request.refused == nullptr) {
        return cellError(block, refusal->record, refusalSentence(feature, *refusal, program.columns[column].from));
      }
      anyRefused = true;
      const bool first = std::none_of(request.refused->begin(), request.refused->end(), [&](const auto &one) { return one.feature == d; });
      if (first) {
        request.refused->push_back({d, refusal->step, column, block.numbers[refusal->record], block.lines[refusal->record], refusal->value,
                                    block.files[refusal->record]});
      }
      continue;
    }
    if (!feature.isIndex) {
      appendRows(values.back(), derived[d]);
      continue;
    }
    for (const double index : values.back().front()) {
      derivedIndices[d].push_back(static_cast<std::int32_t>(index));
    }
  }
  return Status::success();
}

/// The index of a class, label or tag; one that train lacks gets the next.
std::int32_t Builder::indexOf(std::size_t column, std::string_view name) {
  const auto next = static_cast<std::int32_t>(classIndex[column].size());
  const auto [found, isNew] = classIndex[column].try_emplace(std::string(name), next);
  if (isNew) {
    others[column].emplace_back(name);
  }
  return found->second;
}

Status Builder::addTags(std::size_t index, const Cell &cell, const RowBlock &block, std::size_t row) {
  std::vector<TagProblem> problems;
  itemsOf(cell, items);
  const std::vector<std::string> converted = toIob2(program.columns[index].scheme, items, problems);
  for (const TagProblem &problem : problems) {
    if (request.strict && problem.malformed) {
      return cellError(block, row,
                       fmt::format("`{}` in column `{}` is no tag of its scheme", printable(problem.tag, 60), program.columns[index].from));
    }
  }
  Tags &out = tags[index];
  for (const std::string &tag : converted) {
    out.tags.push_back(indexOf(index, tag));
  }
  out.offsets.push_back(static_cast<std::int64_t>(out.tags.size()));
  return Status::success();
}

Status Builder::consume(const Item &item) {
  if (request.strict && !item.errors.empty()) {
    return rowErrorStatus(paths[static_cast<std::size_t>(item.errors.front().file)], item.errors.front());
  }
  for (std::size_t row = 0; row < item.block.rows(); ++row) {
    PENSTOCK_TRY(addCells(item.block, row));
    if (program.isSeries()) {
      PENSTOCK_TRY(addToUnit(item.block, row));
    }
  }
  PENSTOCK_TRY(addDerived(item.block));
  records += static_cast<std::int64_t>(item.block.rows());
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    const EncodedTexts &encoded = item.encoded[i];
    const std::size_t size = encoded.ids.size() * sizeof(std::int32_t);
    PENSTOCK_TRY(i == 0 ? writer->append(encoded.ids.data(), size) : spools[i - 1]->append(encoded.ids.data(), size));
    if (encoded.stuck >= 0) {
      return cellError(item.block, static_cast<std::size_t>(encoded.stuck), stuckSentence(program.features[i]));
    }
    firsts[i].insert(firsts[i].end(), encoded.firsts.begin(), encoded.firsts.end());
    for (const std::int32_t length : encoded.lengths) {
      offsets[i].push_back(offsets[i].back() + length);
      longest[i] = std::max<std::int64_t>(longest[i], length);
    }
    rowWord[i].insert(rowWord[i].end(), encoded.rowWord.begin(), encoded.rowWord.end());
    cut[i] += encoded.cut;
  }
  return Status::success();
}

/// The units of a series. False where they are not its rows, one after another, or one has none of its own.
template <typename Section> bool readUnits(const Json &directory, const Section &section, SplitIds &ids) {
  ids.unitCount = directory.at("unit_count").get<std::int64_t>();
  ids.units = reinterpret_cast<const std::int64_t *>(section(directory.at("units"), sizeof(std::int64_t), ids.unitCount + 1));
  ids.before = reinterpret_cast<const std::int64_t *>(section(directory.at("before"), sizeof(std::int64_t), ids.unitCount));
  bool covers = ids.units[0] == 0 && ids.units[ids.unitCount] == ids.records;
  for (std::int64_t unit = 0; covers && unit < ids.unitCount; ++unit) {
    covers = ids.before[unit] >= 0 && ids.before[unit] < ids.units[unit + 1] - ids.units[unit];
  }
  return covers;
}

/// Makes the columns of an entry from its directory. Damage is found by the hash; this guards
/// against an entry that another build wrote in another way.
Result<SplitIds> readEntry(const RecordProgram &program, const Fitted &fitted, std::shared_ptr<MappedFile> file) {
  const std::vector<std::size_t> labelCounts = fitted.classCounts();
  const Status wrong = internalError("an entry of the id cache has another shape");
  try {
    std::uint64_t length = 0;
    if (file->size() < sizeof(CacheHeader) + sizeof(length)) {
      return wrong;
    }
    const std::size_t end = file->size() - sizeof(length);
    std::memcpy(&length, file->data() + end, sizeof(length));
    if (length > end - sizeof(CacheHeader)) {
      return wrong;
    }
    const std::size_t begin = end - static_cast<std::size_t>(length);
    const Json directory = Json::parse(file->data() + begin, file->data() + end);
    SplitIds ids;
    ids.records = directory.at("records").get<std::int64_t>();
    const auto section = [&](const Json &json, std::size_t width, std::int64_t count) -> const char * {
      const auto offset = json.get<std::uint64_t>();
      const std::uint64_t space = begin;
      if (count < 0 || offset % alignment != 0 || offset > space || static_cast<std::uint64_t>(count) > (space - offset) / width) {
        throw std::runtime_error("out of bounds");
      }
      return file->data() + offset;
    };
    if (ids.records < 0 || directory.at("features").size() != program.features.size() ||
        directory.at("derived").size() != program.derived.size() || directory.at("columns").size() != program.columns.size()) {
      return wrong;
    }
    if (program.isSeries() && !readUnits(directory, section, ids)) {
      return wrong;
    }
    for (const Json &entry : directory["features"]) {
      SplitIds::Axis axis;
      axis.tokens = entry.at("tokens").get<std::int64_t>();
      axis.cut = entry.at("cut").get<std::int64_t>();
      axis.longest = entry.at("longest").get<std::int64_t>();
      axis.ids = reinterpret_cast<const std::int32_t *>(section(entry.at("ids"), sizeof(std::int32_t), axis.tokens));
      axis.offsets = reinterpret_cast<const std::int64_t *>(section(entry.at("offsets"), sizeof(std::int64_t), ids.records + 1));
      if (program.features[ids.features.size()].isPair()) {
        axis.firsts = reinterpret_cast<const std::int32_t *>(section(entry.at("firsts"), sizeof(std::int32_t), ids.records));
      }
      if (axis.offsets[0] != 0 || axis.offsets[ids.records] != axis.tokens) {
        return wrong;
      }
      if (program.features[ids.features.size()].cutFromWords) {
        axis.rowWord = reinterpret_cast<const std::int32_t *>(section(entry.at("row_word"), sizeof(std::int32_t), axis.tokens));
      }
      ids.features.push_back(axis);
    }
    for (const Json &entry : directory["derived"]) {
      const DerivedFeature &feature = program.derived[ids.derived.size()];
      const char *at = entry.is_null() ? nullptr : section(entry, sizeof(float) * static_cast<std::size_t>(feature.width), ids.records);
      ids.derived.push_back(feature.isIndex ? nullptr : reinterpret_cast<const float *>(at));
      ids.derivedIndices.push_back(feature.isIndex ? reinterpret_cast<const std::int32_t *>(at) : nullptr);
    }
    for (const Json &entry : directory["columns"]) {
      const std::string kind = entry.at("kind").get<std::string>();
      ids.classes.push_back(
          kind == "class" ? reinterpret_cast<const std::int32_t *>(section(entry.at("at"), sizeof(std::int32_t), ids.records)) : nullptr);
      ids.numbers.push_back(kind == "number" ? reinterpret_cast<const double *>(section(entry.at("at"), sizeof(double), ids.records))
                                             : nullptr);
      ids.sets.push_back(nullptr);
      ids.otherLabels.emplace_back();
      ids.others.push_back(entry.at("others").get<std::vector<std::string>>());
      if (kind == "set") {
        const auto labels = entry.at("labels").get<std::uint64_t>();
        if (labels != labelCounts[ids.sets.size() - 1]) {
          return wrong;
        }
        // A record takes `labels` bytes; with none there is nothing to read.
        const char *at =
            section(entry.at("at"), static_cast<std::size_t>(std::max<std::uint64_t>(labels, 1)), labels > 0 ? ids.records : 0);
        ids.sets.back() = reinterpret_cast<const std::uint8_t *>(at);
        SplitIds::OtherLabels &more = ids.otherLabels.back();
        more.count = entry.at("other_count").get<std::int64_t>();
        more.records = reinterpret_cast<const std::int64_t *>(section(entry.at("other_records"), sizeof(std::int64_t), more.count));
        more.labels = reinterpret_cast<const std::int32_t *>(section(entry.at("other_labels"), sizeof(std::int32_t), more.count));
      }
      SplitIds::Tags tags;
      if (kind == "tags") {
        const auto count = entry.at("count").get<std::int64_t>();
        tags.tags = reinterpret_cast<const std::int32_t *>(section(entry.at("at"), sizeof(std::int32_t), count));
        tags.offsets = reinterpret_cast<const std::int64_t *>(section(entry.at("offsets"), sizeof(std::int64_t), ids.records + 1));
        if (tags.offsets[0] != 0 || tags.offsets[ids.records] != count) {
          return wrong;
        }
      }
      ids.tags.push_back(std::move(tags));
    }
    ids.file = std::move(file);
    return ids;
  } catch (const std::exception &) {
    return wrong;
  }
}

Status Builder::writeUnits(Json &directory) {
  if (!program.isSeries()) {
    return {};
  }
  PENSTOCK_ASSIGN(const std::uint64_t at, writer->align());
  directory["units"] = at;
  directory["unit_count"] = units.size();
  units.push_back(records);
  PENSTOCK_TRY(writer->append(units.data(), units.size() * sizeof(std::int64_t)));
  PENSTOCK_ASSIGN(const std::uint64_t beforeAt, writer->align());
  directory["before"] = beforeAt;
  return writer->append(before.data(), before.size() * sizeof(std::int64_t));
}

Result<SplitIds> Builder::run(const Hash128 &key) {
  PENSTOCK_TRY(open());
  const std::size_t features = program.features.size();
  const auto produce = [&](Item &item) -> Result<bool> {
    item.errors.clear();
    return readBlock(program, *rows, request.split, request.split, item.block, item.errors);
  };
  const auto work = [&](Item &item) -> Status {
    item.prepared.resize(features);
    item.encoded.resize(features);
    for (std::size_t i = 0; i < features; ++i) {
      const LinkedFeature &feature = program.features[i];
      item.prepared[i].begin(feature);
      for (std::size_t row = 0; row < item.block.rows(); ++row) {
        for (std::size_t text = 0; text < feature.textsEach(); ++text) {
          const std::size_t column = feature.columnOf(text);
          item.prepared[i].add(program.columns[column], item.block.cell(row, column));
        }
      }
      item.prepared[i].finish();
      PENSTOCK_TRY(encodeTexts(program.features[i], *fitted.features[i].tokenizer, item.prepared[i], item.encoded[i]));
    }
    return Status::success();
  };
  PENSTOCK_TRY(runOrdered<Item>(request.threads, produce, work, [&](Item &item) { return consume(item); }));

  Json directory = {{"records", records}, {"features", Json::array()}, {"derived", Json::array()}, {"columns", Json::array()}};
  std::uint64_t idsAt = sizeof(CacheHeader);
  for (std::size_t i = 0; i < features; ++i) {
    if (i > 0) {
      PENSTOCK_ASSIGN(idsAt, writer->align());
      PENSTOCK_ASSIGN(const std::shared_ptr<MappedFile> spooled, spools[i - 1]->map());
      PENSTOCK_TRY(writer->append(spooled->data(), spooled->size()));
    }
    PENSTOCK_ASSIGN(const std::uint64_t offsetsAt, writer->align());
    PENSTOCK_TRY(writer->append(offsets[i].data(), offsets[i].size() * sizeof(std::int64_t)));
    Json entry = {{"name", program.features[i].name}, {"ids", idsAt},  {"offsets", offsetsAt},
                  {"tokens", offsets[i].back()},      {"cut", cut[i]}, {"longest", longest[i]}};
    if (program.features[i].cutFromWords) {
      PENSTOCK_ASSIGN(const std::uint64_t wordsAt, writer->align());
      PENSTOCK_TRY(writer->append(rowWord[i].data(), rowWord[i].size() * sizeof(std::int32_t)));
      entry["row_word"] = wordsAt;
    }
    if (program.features[i].isPair()) {
      PENSTOCK_ASSIGN(const std::uint64_t firstsAt, writer->align());
      PENSTOCK_TRY(writer->append(firsts[i].data(), firsts[i].size() * sizeof(std::int32_t)));
      entry["firsts"] = firstsAt;
    }
    directory["features"].push_back(std::move(entry));
  }
  PENSTOCK_TRY(writeUnits(directory));
  for (std::size_t d = 0; d < program.derived.size(); ++d) {
    PENSTOCK_ASSIGN(const std::uint64_t at, writer->align());
    PENSTOCK_TRY(writer->append(derived[d].data(), derived[d].size() * sizeof(float)));
    PENSTOCK_TRY(writer->append(derivedIndices[d].data(), derivedIndices[d].size() * sizeof(std::int32_t)));
    directory["derived"].push_back(request.strict && !anyRefused ? Json(at) : Json());
  }
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    PENSTOCK_ASSIGN(const std::uint64_t at, writer->align());
    const ColumnSpec::Type type = program.columns[i].type;
    const char *kind = type == ColumnSpec::Type::classId   ? "class"
                       : program.columns[i].holdsNumbers() ? "number"
                       : type == ColumnSpec::Type::set     ? "set"
                       : type == ColumnSpec::Type::tags    ? "tags"
                                                           : "";
    PENSTOCK_TRY(writer->append(classes[i].data(), classes[i].size() * sizeof(std::int32_t)));
    PENSTOCK_TRY(writer->append(numbers[i].data(), numbers[i].size() * sizeof(double)));
    PENSTOCK_TRY(writer->append(sets[i].data(), sets[i].size()));
    Json entry = {{"name", program.columns[i].name}, {"kind", kind}, {"at", at}, {"others", others[i]}};
    if (type == ColumnSpec::Type::tags) {
      PENSTOCK_TRY(writer->append(tags[i].tags.data(), tags[i].tags.size() * sizeof(std::int32_t)));
      PENSTOCK_ASSIGN(const std::uint64_t tagOffsets, writer->align());
      PENSTOCK_TRY(writer->append(tags[i].offsets.data(), tags[i].offsets.size() * sizeof(std::int64_t)));
      entry.update({{"offsets", tagOffsets}, {"count", tags[i].tags.size()}});
    }
    if (type == ColumnSpec::Type::set) {
      const OtherLabels &more = otherLabels[i];
      PENSTOCK_ASSIGN(const std::uint64_t recordsAt, writer->align());
      PENSTOCK_TRY(writer->append(more.records.data(), more.records.size() * sizeof(std::int64_t)));
      PENSTOCK_ASSIGN(const std::uint64_t labelsAt, writer->align());
      PENSTOCK_TRY(writer->append(more.labels.data(), more.labels.size() * sizeof(std::int32_t)));
      entry.update({{"labels", fitted.classes[i].size()},
                    {"other_count", more.labels.size()},
                    {"other_records", recordsAt},
                    {"other_labels", labelsAt}});
    }
    directory["columns"].push_back(std::move(entry));
  }
  PENSTOCK_TRY(writer->align().status());
  const std::string text = directory.dump();
  const std::uint64_t length = text.size();
  PENSTOCK_TRY(writer->append(text.data(), text.size()));
  PENSTOCK_TRY(writer->append(&length, sizeof(length)));
  PENSTOCK_ASSIGN(std::shared_ptr<MappedFile> mapped, file->map());
  if (cache.enabled() && request.strict && !anyRefused && stampOf(paths) == request.stamp) {
    // Without room for the entry the ids still serve this run.
    (void)cache.adopt("ids", formatVersion, key, writer->hash(), *file);
  }
  return readEntry(program, fitted, std::move(mapped));
}

} // namespace

Status rowErrorStatus(const std::string &file, const RowError &error) { return invalidInput(error.inFile(printable(file))); }

Result<SplitIds> openSplit(const SplitRequest &request, const DiskCache &cache) {
  const Hash128 key = request.fitted->idsKey(*request.program, request.split, request.content);
  if (std::shared_ptr<MappedFile> entry = cache.find("ids", formatVersion, key)) {
    Result<SplitIds> ids = readEntry(*request.program, *request.fitted, std::move(entry));
    if (ids.ok()) {
      return ids;
    }
  }
  PENSTOCK_TRY(makeTokenizers(*request.program, *request.fitted, *request.factory));
  try {
    return Builder(request, cache).run(key);
  } catch (const std::bad_alloc &) {
    return environmentError("not enough memory for the columns of the data");
  }
}

} // namespace penstock
