#include "runtime/data/record_program.h"

#include "runtime/base/hash.h"
#include "runtime/base/splits.h"
#include "runtime/data/ordered_split.h"
#include "runtime/data/series.h"

#include <algorithm>
#include <unordered_map>

namespace penstock {

int splitIndex(std::string_view name) {
  for (std::size_t i = 0; i < splitNames.size(); ++i) {
    if (name == splitNames[i]) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

namespace {

/// Thrown and caught within this file.
struct Wrong {
  std::string what;
};

/// Places of named things in their list, the first of equal names.
class Names {
public:
  template <typename T> explicit Names(const std::vector<T> &items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      places.emplace(items[i].name, static_cast<int>(i));
    }
  }
  int at(const std::string &name) const {
    const auto found = places.find(name);
    return found != places.end() ? found->second : throw Wrong{"names no `" + name + "`"};
  }

private:
  std::unordered_map<std::string, int> places;
};

CleanOptions cleanOf(const StepSpec &step) {
  CleanOptions clean;
  for (const auto &[name, value] : step.parameters) {
    if (const auto *const flag = std::get_if<bool>(&value); flag != nullptr && name == "lowercase") {
      clean.lowercase = *flag;
    } else if (flag != nullptr && name == "strip") {
      clean.strip = *flag;
    } else if (flag != nullptr && name == "collapse") {
      clean.collapse = *flag;
    } else if (const auto *const form = std::get_if<std::string>(&value); form != nullptr && name == "unicode") {
      if (*form != "nfc" && *form != "nfkc" && *form != "none") {
        throw Wrong{"asks for Unicode form `" + *form + "`"};
      }
      clean.unicode = *form == "nfc"    ? CleanOptions::Unicode::nfc
                      : *form == "nfkc" ? CleanOptions::Unicode::nfkc
                                        : CleanOptions::Unicode::none;
    } else {
      throw Wrong{"cleans with `" + name + "`"};
    }
  }
  return clean;
}

LinkedFeature linkFeature(const FeatureSpec &spec, const std::vector<ColumnSpec> &columns, const Names &columnNames) {
  LinkedFeature feature;
  feature.name = spec.name;
  feature.axis = spec.axis.empty() ? spec.name : spec.axis;
  feature.column = columnNames.at(spec.columns.front());
  const ColumnSpec::Type type = columns[static_cast<std::size_t>(feature.column)].type;
  feature.cutFromWords = type == ColumnSpec::Type::words;
  if (type != ColumnSpec::Type::text && !feature.cutFromWords) {
    throw Wrong{"makes feature `" + feature.name + "` of a column that is no text"};
  }
  if (spec.columns.size() == 2) {
    feature.second = columnNames.at(spec.columns.back());
    if (feature.cutFromWords || columns[static_cast<std::size_t>(feature.second)].type != ColumnSpec::Type::text) {
      throw Wrong{"makes feature `" + feature.name + "` of a pair that is not two texts"};
    }
  } else if (spec.columns.size() != 1) {
    throw Wrong{"makes feature `" + feature.name + "` of more than two texts"};
  }
  for (const StepSpec &step : spec.steps) {
    if (!feature.plugin.empty()) {
      throw Wrong{"has a step `" + step.op + "` behind the tokenizer of `" + feature.name + "`"};
    }
    if (step.op == "clean") {
      feature.cleans.push_back(cleanOf(step));
    } else if (step.op == "tokenize") {
      feature.plugin = step.plugin;
      feature.parameters = jsonText(step.parameters);
      feature.maxLength = std::max<std::int64_t>(step.maxLength.value_or(-1), -1);
      feature.truncation = step.truncate;
      if (feature.maxLength == 0) {
        throw Wrong{"cuts feature `" + feature.name + "` to nothing"};
      }
    } else {
      throw Wrong{"has a step `" + step.op + "`"};
    }
  }
  if (feature.plugin.empty()) {
    throw Wrong{"gives feature `" + feature.name + "` no tokenizer"};
  }
  return feature;
}

/// Whether the feature is ids.
bool isOfTexts(const FeatureSpec &spec, const std::vector<ColumnSpec> &columns, const Names &columnNames) {
  if (spec.columns.empty()) {
    throw Wrong{"makes feature `" + spec.name + "` of nothing"};
  }
  const ColumnSpec &first = columns[static_cast<std::size_t>(columnNames.at(spec.columns.front()))];
  return !first.holdsNumbers();
}

DerivedFeature linkDerived(const FeatureSpec &spec, const std::vector<ColumnSpec> &columns, const Names &columnNames) {
  DerivedFeature feature;
  feature.name = spec.name;
  Flow flow = Flow::number;
  for (const std::string &name : spec.columns) {
    feature.columns.push_back(columnNames.at(name));
    const ColumnSpec &column = columns[static_cast<std::size_t>(feature.columns.back())];
    flow = columnTypeRows()[static_cast<std::size_t>(column.type)].holds;
    if (!column.holdsNumbers() || (flow != Flow::number && spec.columns.size() > 1)) {
      throw Wrong{"makes feature `" + spec.name + "` of a column that is no number"};
    }
  }
  feature.width = static_cast<std::int64_t>(spec.columns.size());
  for (const StepSpec &given : spec.steps) {
    DerivedStep &step = feature.steps.emplace_back();
    step.row = findFeatureOperator(given.op);
    step.functions = step.row == nullptr ? nullptr : functionsOf(*step.row);
    step.parameters = given.parameters;
    if (step.functions == nullptr || step.row->takes != flow || (step.row->single && feature.width != 1)) {
      throw Wrong{"has a step `" + given.op + "` of feature `" + spec.name + "` that cannot stand there"};
    }
    flow = step.row->gives;
    feature.width *= step.row->each(step.parameters);
  }
  feature.isIndex = flow == Flow::index;
  feature.ofSeries = !spec.axis.empty();
  if (flow != Flow::number && flow != Flow::index) {
    throw Wrong{"makes feature `" + spec.name + "` something that no batch holds"};
  }
  return feature;
}

/// The axis of a feature, or of the series; a new one where there is none.
int axisOf(RecordProgram &program, int feature) {
  const auto found = std::find(program.axes.begin(), program.axes.end(), feature);
  const auto axis = static_cast<int>(found - program.axes.begin());
  if (found == program.axes.end()) {
    program.axes.push_back(feature);
  }
  return axis;
}

void linkSeries(const SeriesSpec &series, const Names &columnNames, RecordProgram &program) {
  if (!series.any()) {
    return;
  }
  program.series = series;
  program.seriesBy = columnNames.at(series.by);
  program.seriesOrder = columnNames.at(series.order);
  const bool countsRows = series.length >= 0 && series.stride >= 1;
  if (!program.columns[static_cast<std::size_t>(program.seriesOrder)].holdsNumbers() || !countsRows) {
    throw Wrong{"has a series without an order, or of no rows"};
  }
  for (const ColumnSpec &column : program.columns) {
    if (column.mayHoldList()) {
      throw Wrong{"has a series and a column `" + column.name + "` of lists"};
    }
  }
  using SplitBy = RecordProgram::SplitBy;
  const bool byUnit = program.splitFrom == program.columns[static_cast<std::size_t>(program.seriesBy)].from;
  if ((program.splitBy == SplitBy::hash && !byUnit) || (program.splitBy == SplitBy::order && program.splitOrder != program.seriesOrder)) {
    throw Wrong{"splits the rows of a unit"};
  }
}

LinkedInput linkInput(const InputSpec &spec, RecordProgram &program, const Names &columnNames, const Names &featureNames) {
  using Kind = InputSpec::Kind;
  using Type = ColumnSpec::Type;
  LinkedInput input;
  input.name = spec.name;
  input.kind = spec.kind;
  input.target = spec.target;
  if (spec.kind == Kind::ids || spec.kind == Kind::tags) {
    input.feature = featureNames.at(spec.feature);
    input.axis = axisOf(program, input.feature);
  }
  if (spec.kind == Kind::ids) {
    return input;
  }
  if (!spec.feature.empty() && spec.kind != Kind::tags) {
    for (std::size_t i = 0; i < program.derived.size(); ++i) {
      input.derived = program.derived[i].name == spec.feature ? static_cast<int>(i) : input.derived;
    }
    const bool fits = input.derived >= 0 && (spec.kind == Kind::classId || spec.kind == Kind::number) &&
                      program.derived[static_cast<std::size_t>(input.derived)].isIndex == (spec.kind == Kind::classId);
    if (!fits) {
      throw Wrong{"has an input `" + input.name + "` of a feature that is none of its kind"};
    }
    const DerivedFeature &feature = program.derived[static_cast<std::size_t>(input.derived)];
    input.width = feature.width;
    if (feature.ofSeries != !spec.axis.empty() || (feature.ofSeries && (feature.isIndex || !program.isSeries()))) {
      throw Wrong{"has an input `" + input.name + "` that lies on another axis than its feature"};
    }
    if (feature.ofSeries) {
      input.axis = axisOf(program, seriesAxis);
    }
    return input;
  }
  if (spec.kind == Kind::noise) {
    input.width = spec.width;
    if (input.width < 1) {
      throw Wrong{"has noise `" + input.name + "` without numbers"};
    }
    return input;
  }
  input.column = columnNames.at(spec.column);
  const Type type = program.columns[static_cast<std::size_t>(input.column)].type;
  const bool cutFromWords = spec.kind == Kind::tags && program.features[static_cast<std::size_t>(input.feature)].cutFromWords;
  const bool fits = spec.kind == Kind::classId  ? type == Type::classId
                    : spec.kind == Kind::number ? type == Type::number
                    : spec.kind == Kind::set    ? type == Type::set
                                                : type == Type::tags && input.target && cutFromWords;
  if (!fits) {
    throw Wrong{"has an input `" + input.name + "` of another kind than its column"};
  }
  return input;
}

void linkSplit(const SplitSpec &split, const Names &columnNames, RecordProgram &program) {
  if (split.by == "file") {
    if (!program.files.empty() && program.files.size() != program.wanted.size()) {
      throw Wrong{"has files of other splits than there are"};
    }
    for (std::size_t i = 0; i < program.files.size(); ++i) {
      program.wanted[i] = !program.files[i].empty();
    }
    return; // a path without `{split}` is the file of every split
  }
  if (split.by == "order") {
    program.splitBy = RecordProgram::SplitBy::order;
    program.splitOrder = columnNames.at(split.column);
    if (!program.columns[static_cast<std::size_t>(program.splitOrder)].holdsNumbers()) {
      throw Wrong{"splits by the order of `" + split.column + "`, which has none"};
    }
  } else if (split.by == "hash") {
    program.splitBy = RecordProgram::SplitBy::hash;
    program.splitFrom = split.column;
    for (const ColumnSpec &column : program.columns) {
      if (column.name == program.splitFrom) {
        program.splitFrom = column.from;
        break;
      }
    }
  } else {
    throw Wrong{"splits by `" + split.by + "`"};
  }
  program.shares = {split.shares.train, split.shares.dev, split.shares.test};
  double sum = 0;
  for (std::size_t i = 0; i < program.shares.size(); ++i) {
    const double share = program.shares[i];
    if (!(share >= 0 && share <= 1)) {
      throw Wrong{std::string("gives split `") + splitNames[i] + "` a share that is none"};
    }
    program.wanted[i] = share > 0;
    sum += share;
  }
  if (sum > 1 + 1e-9) {
    throw Wrong{"has shares that add up to more than 1"};
  }
}

void linkSource(const SourceSpec &source, RecordProgram &program) {
  if (source.kind.empty()) {
    throw Wrong{"has a source without a name"};
  }
  program.sourceName = source.kind;
  program.source = source.kind == "csv"     ? RowFormat::csv
                   : source.kind == "jsonl" ? RowFormat::jsonl
                   : source.kind == "conll" ? RowFormat::conll
                                            : RowFormat::plugin;
  program.path = source.path;
  program.files = source.files;
  if (program.source == RowFormat::plugin) {
    return; // whose options are the plugin's parameters
  }
  const bool csv = program.source == RowFormat::csv, conll = program.source == RowFormat::conll;
  for (const auto &[name, value] : source.options) {
    const auto *const text = std::get_if<std::string>(&value);
    const auto *const names = std::get_if<std::vector<std::string>>(&value);
    if (conll && name == "columns" && names != nullptr) {
      program.conll.columns = *names;
    } else if (conll && name == "comment" && text != nullptr) {
      program.conll.comment = *text;
    } else if (csv && name == "quote" && text != nullptr && (*text == "double" || *text == "none")) {
      program.csv.quotes = *text == "double";
    } else if (csv && name == "delimiter" && text != nullptr && text->size() == 1 && static_cast<unsigned char>((*text)[0]) < 0x80 &&
               text->find_first_of("\"\n\r") == std::string::npos) {
      program.csv.delimiter = (*text)[0];
    } else {
      throw Wrong{"has an option `" + name + "` of its source, or a value of it, that there is not"};
    }
  }
  if (conll && program.conll.columns.empty()) {
    throw Wrong{"has a source `conll` without columns"};
  }
}

RecordProgram linked(const RecordsSpec &records) {
  RecordProgram program;
  if (records.sources.size() != 1) {
    throw Wrong{"has not one source"};
  }
  linkSource(records.sources.front(), program);
  program.fitted = records.fitted;
  program.grown = records.grown;
  program.columns = records.columns;
  for (ColumnSpec &column : program.columns) {
    column.from = column.from.empty() ? column.name : column.from;
    if (column.type == ColumnSpec::Type::set && column.separator.empty()) {
      throw Wrong{"has a set `" + column.name + "` without a separator"};
    }
    if (program.source == RowFormat::conll && !column.isList()) {
      throw Wrong{"has a column `" + column.name + "` that is no list, of a source whose columns are"};
    }
  }
  const Names columnNames(program.columns);
  linkSplit(records.split, columnNames, program);
  for (const StepSpec &step : records.sources.front().steps) {
    for (const auto &[column, what] : step.parameters) {
      if (step.op != "drop" || what != NamedValue(std::string("empty"))) {
        throw Wrong{"has a step `" + step.op + "` of its source that there is not"};
      }
      program.dropEmpty.push_back(columnNames.at(column));
    }
  }
  for (const FeatureSpec &feature : records.features) {
    if (isOfTexts(feature, program.columns, columnNames)) {
      program.features.push_back(linkFeature(feature, program.columns, columnNames));
    } else {
      program.derived.push_back(linkDerived(feature, program.columns, columnNames));
    }
  }
  linkSeries(records.series, columnNames, program);
  const Names featureNames(program.features);
  for (const InputSpec &input : records.inputs) {
    program.inputs.push_back(linkInput(input, program, columnNames, featureNames));
  }
  program.identity = recordsIdentity(records);
  return program;
}

} // namespace

Result<RecordProgram> RecordProgram::link(const RecordsSpec &records, DataPlugins *plugins) {
  try {
    RecordProgram program = linked(records);
    if (program.source == RowFormat::plugin && plugins != nullptr) {
      PENSTOCK_ASSIGN(MadeSource made, plugins->source(program.sourceName, jsonText(records.sources.front().options)));
      program.plugin = std::move(made.source);
      program.identity += "\n" + made.identity;
    }
    return program;
  } catch (const Wrong &wrong) {
    return internalError("the record program " + wrong.what);
  }
}

std::string RecordProgram::fileOf(int split) const {
  if (!files.empty()) {
    const std::vector<std::string> &given = files[static_cast<std::size_t>(split)];
    return given.empty() ? "" : given.front();
  }
  return fileOfSplit(path, splitNames[static_cast<std::size_t>(split)]);
}

int RecordProgram::splitOf(std::string_view cell) const {
  const double place = static_cast<double>(hash64(cell) >> 11) * 0x1p-53;
  double end = 0;
  int last = -1;
  for (int i = 0; i < static_cast<int>(shares.size()); ++i) {
    const double share = shares[static_cast<std::size_t>(i)];
    end += share;
    if (place < end) {
      return i;
    }
    last = share > 0 ? i : last;
  }
  return end > 1 - 1e-9 ? last : -1;
}

std::vector<std::string> RecordProgram::fileColumns() const {
  std::vector<std::string> names;
  for (const ColumnSpec &column : columns) {
    names.push_back(column.from);
  }
  if (splitBy == SplitBy::hash) {
    names.push_back(splitFrom);
  }
  return names;
}

std::vector<std::size_t> RecordProgram::modelColumns() const {
  std::vector<bool> needed(columns.size());
  for (const LinkedInput &one : inputs) {
    if (!one.target && one.feature >= 0) {
      const LinkedFeature &feature = features[static_cast<std::size_t>(one.feature)];
      for (std::size_t text = 0; text < feature.textsEach(); ++text) {
        needed[feature.columnOf(text)] = true;
      }
    } else if (!one.target && one.derived >= 0) {
      for (const int column : derived[static_cast<std::size_t>(one.derived)].columns) {
        needed[static_cast<std::size_t>(column)] = true;
      }
    } else if (!one.target && one.column >= 0) {
      needed[static_cast<std::size_t>(one.column)] = true;
    }
  }
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (needed[i]) {
      found.push_back(i);
    }
  }
  return found;
}

std::vector<std::size_t> RecordProgram::inputColumns() const {
  std::vector<std::size_t> found = modelColumns();
  for (const int column : {seriesBy, seriesOrder}) {
    if (isSeries()) {
      found.push_back(static_cast<std::size_t>(column));
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<bool> RecordProgram::listColumns() const {
  std::vector<bool> lists;
  for (const ColumnSpec &column : columns) {
    lists.push_back(column.mayHoldList());
  }
  if (splitBy == SplitBy::hash) {
    lists.push_back(false);
  }
  return lists;
}

bool RecordProgram::drops(const Row &row) const {
  return std::any_of(dropEmpty.begin(), dropEmpty.end(), [&](int column) {
    const Cell &cell = row.cells[static_cast<std::size_t>(column)];
    return !cell.present || cell.text.find_first_not_of(" \t") == std::string_view::npos;
  });
}

Result<std::unique_ptr<RowSource>> RecordProgram::openRows(const std::string &file, int split) const {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(file));
  if (source == RowFormat::plugin && plugin == nullptr) {
    return internalError("a file is read by a plugin that was not asked for");
  }
  std::unique_ptr<RowSource> rows = makeRows(std::move(bytes), rowOptions());
  PENSTOCK_TRY(rows->begin());
  if (splitBy == SplitBy::order) {
    rows = placeRows(std::move(rows), [this, split](const RowBlock &block) { return placeInSplits(*this, block, split); });
  } else if (isSeries()) {
    const auto order = static_cast<std::size_t>(seriesOrder);
    rows = sortRows(std::move(rows), columns[order], static_cast<std::size_t>(seriesBy), order);
  }
  rows->select(fileColumns(), listColumns());
  return rows;
}

} // namespace penstock
