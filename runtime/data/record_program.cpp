#include "runtime/data/record_program.h"

#include "runtime/base/hash.h"
#include "runtime/base/printable.h"
#include "runtime/base/splits.h"
#include "runtime/data/cell_operators/cell_operator.h"
#include "runtime/data/changed_cells.h"
#include "runtime/data/hash_split.h"
#include "runtime/data/ordered_split.h"
#include "runtime/data/row_steps.h"
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

/// How a text of the column becomes words where no tags stand beside it, of a pipeline that has tags or not.
TextWords textWordsOf(const ColumnSpec &column, bool hasTags) {
  const auto given = column.parameters.find("split");
  const auto *const said = given == column.parameters.end() ? nullptr : std::get_if<std::string>(&given->second);
  return (said == nullptr ? hasTags : *said == "punctuation") ? TextWords::punctuation : TextWords::space;
}

bool haveTags(const std::vector<ColumnSpec> &columns) {
  return std::any_of(columns.begin(), columns.end(), [](const ColumnSpec &one) { return one.type == ColumnSpec::Type::tags; });
}
/// Beside tags a text has its words as these are written: with spaces between them.
TextWords wordsOfSplits(const ColumnSpec &column, const std::vector<ColumnSpec> &columns) {
  return haveTags(columns) ? TextWords::space : textWordsOf(column, false);
}

LinkedFeature linkFeature(const FeatureSpec &spec, const std::vector<ColumnSpec> &columns, const Names &columnNames) {
  LinkedFeature feature;
  feature.name = spec.name;
  feature.axis = spec.axis.empty() ? spec.name : spec.axis;
  feature.column = columnNames.at(spec.columns.front());
  const ColumnSpec::Type type = columns[static_cast<std::size_t>(feature.column)].type;
  feature.cutFromWords = type == ColumnSpec::Type::words;
  const ColumnSpec &first = columns[static_cast<std::size_t>(feature.column)];
  feature.wordsAlone = textWordsOf(first, haveTags(columns));
  feature.words = wordsOfSplits(first, columns);
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
  const bool byUnit = program.splitColumn == program.seriesBy && program.stratify < 0;
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
  input.weighs = spec.weighs;
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
    if (!program.files.empty() && program.files.size() != program.wanted.size()) { // a list a split
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
    const auto declared =
        std::find_if(program.columns.begin(), program.columns.end(), [&](const ColumnSpec &column) { return column.name == split.column; });
    if (declared != program.columns.end()) {
      program.splitColumn = static_cast<int>(declared - program.columns.begin());
      program.splitFrom.clear();
    }
    if (!split.stratify.empty()) {
      program.stratify = columnNames.at(split.stratify);
      if (program.columns[static_cast<std::size_t>(program.stratify)].type != ColumnSpec::Type::classId) {
        throw Wrong{"splits by the classes of `" + split.stratify + "`, which has none"};
      }
    }
  } else {
    throw Wrong{"splits by `" + split.by + "`"};
  }
  program.shares = {split.shares.train, split.shares.dev, split.shares.test};
  if (split.folds != 0) {
    program.folds = split.folds;
    program.fold = std::max<std::int64_t>(split.fold, 0);
    const double each = program.fold < split.folds ? (1 - split.shares.test) / static_cast<double>(split.folds) : 0;
    program.shares = {1 - split.shares.test - each, each, split.shares.test};
    if (program.splitBy != RecordProgram::SplitBy::hash || split.folds < 2 || program.fold > split.folds) {
      throw Wrong{"has folds that there are not"};
    }
  }
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

std::optional<Encoding> encodingOf(const std::string &name) {
  const auto names = wordsOf(Encoding::utf8);
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<Encoding>(found - names.begin()));
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
  if (program.files.size() == 1 && program.files.front().size() == 1) {
    program.path = program.files.front().front();
    program.files.clear();
  }
  if (program.source == RowFormat::plugin) {
    return; // whose options are the plugin's parameters
  }
  const bool csv = program.source == RowFormat::csv, conll = program.source == RowFormat::conll;
  for (const auto &[name, value] : source.options) {
    const auto *const text = std::get_if<std::string>(&value);
    const auto *const names = std::get_if<std::vector<std::string>>(&value);
    const auto *const count = std::get_if<std::int64_t>(&value);
    const auto *const flag = std::get_if<bool>(&value);
    if (name == "encoding" && text != nullptr && encodingOf(*text)) {
      program.encoding = *encodingOf(*text);
    } else if (name == "skip_bad" && count != nullptr && *count >= 0) {
      program.skipBad = *count;
    } else if (csv && name == "skip" && count != nullptr && *count >= 0) {
      program.csv.skip = *count;
    } else if (csv && name == "header" && flag != nullptr) {
      program.csv.header = *flag;
    } else if (csv && name == "decimal" && text != nullptr && (*text == "." || *text == ",")) {
      program.csv.decimal = (*text)[0];
    } else if (conll && name == "columns" && names != nullptr) {
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

/// What stands in a table becomes pairs. Lines with a mistake are left out of it: whoever gathers facts tells.
void linkCellSteps(RecordProgram &program) {
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    for (StepSpec &step : program.columns[i].steps) {
      const CellOperator *const row = findCellOperator(step.op);
      if (row == nullptr || cellFunctionsOf(*row) == nullptr) {
        throw Wrong{"has a step `" + step.op + "` of cells that there is not"};
      }
      const auto table = step.parameters.find("table");
      if (table == step.parameters.end()) {
        continue;
      }
      const auto *const text = std::get_if<std::string>(&table->second);
      Result<std::vector<std::string>> pairs =
          text == nullptr ? internalError("has a table that is no text") : readPairs(*text, static_cast<int>(i), program.tableErrors);
      if (!pairs.ok()) {
        throw Wrong{"has a table that could not be read: " + pairs.status().message()};
      }
      step.parameters = {{"pairs", *std::move(pairs)}};
    }
  }
}

LinkedRowStep linkRowStep(const StepSpec &step, const Names &columnNames) {
  LinkedRowStep linked;
  linked.row = findRowOperator(step.op);
  if (linked.row == nullptr || judgeOf(*linked.row) == nullptr) {
    throw Wrong{"has a step `" + step.op + "` of its source that there is not"};
  }
  if (linked.row->takes == RowOperator::Takes::columns) {
    for (const std::string &column : itemsOr<std::string>(step.parameters, "columns", {})) {
      linked.columns.push_back(static_cast<std::size_t>(columnNames.at(column)));
    }
    return linked;
  }
  for (const auto &[column, what] : step.parameters) {
    LinkedRowStep::Cells cells;
    cells.column = static_cast<std::size_t>(columnNames.at(column));
    const auto *const texts = std::get_if<std::vector<std::string>>(&what);
    cells.empty = linked.row->takesEmpty && what == NamedValue(std::string(emptyCell));
    if (texts == nullptr && !cells.empty) {
      throw Wrong{"has a step `" + step.op + "` of its source that names no cells"};
    }
    cells.texts = texts == nullptr ? std::vector<std::string>() : *texts;
    linked.cells.push_back(std::move(cells));
  }
  return linked;
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
    program.textWords.push_back(wordsOfSplits(column, records.columns));
    if (column.type == ColumnSpec::Type::number) {
      program.csv.numbers.push_back(column.from);
    }
  }
  linkCellSteps(program);
  const Names columnNames(program.columns);
  linkSplit(records.split, columnNames, program);
  for (const StepSpec &step : records.sources.front().steps) {
    program.rowSteps.push_back(linkRowStep(step, columnNames));
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

int RecordProgram::weightColumn() const {
  const auto found = std::find_if(inputs.begin(), inputs.end(), [](const LinkedInput &input) { return input.weighs; });
  return found == inputs.end() ? -1 : found->column;
}

std::vector<std::string> RecordProgram::filesOf(int split) const {
  if (!files.empty()) {
    return files[isOneFile() ? 0 : static_cast<std::size_t>(split)];
  }
  return {isOneFile() ? path : fileOfSplit(path, splitNames[static_cast<std::size_t>(split)])};
}

std::string RecordProgram::fileOf(int split) const {
  const std::vector<std::string> all = filesOf(split);
  return all.empty() ? "" : all.front();
}

std::size_t RecordProgram::parts() const { return folds == 0 ? shares.size() : static_cast<std::size_t>(folds) + 1; }

double RecordProgram::shareOfPart(std::size_t part) const {
  return folds == 0 ? shares[part] : part < static_cast<std::size_t>(folds) ? (1 - shares[2]) / static_cast<double>(folds) : shares[2];
}

int RecordProgram::splitOfPart(std::size_t part) const {
  constexpr int dev = 1, test = 2;
  return folds == 0                                ? static_cast<int>(part)
         : part == static_cast<std::size_t>(folds) ? test
         : part == static_cast<std::size_t>(fold)  ? dev
                                                   : trainSplit;
}

int RecordProgram::splitOf(std::string_view key) const {
  const double place = static_cast<double>(hash64(key) >> 11) * 0x1p-53;
  double end = 0;
  int last = -1;
  for (std::size_t i = 0; i < parts(); ++i) {
    const double share = shareOfPart(i);
    end += share;
    if (place < end) {
      return splitOfPart(i);
    }
    last = share > 0 ? splitOfPart(i) : last;
  }
  return end > 1 - 1e-9 ? last : -1;
}

std::vector<std::string> RecordProgram::fileColumns() const {
  std::vector<std::string> names;
  for (const ColumnSpec &column : columns) {
    names.push_back(column.from);
  }
  if (!splitFrom.empty()) {
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
  if (!splitFrom.empty()) {
    lists.push_back(false);
  }
  return lists;
}

bool RecordProgram::comparesFiles() const {
  return !isOneFile() && std::any_of(rowSteps.begin(), rowSteps.end(), [](const LinkedRowStep &step) { return step.row->comparesRows; });
}

Result<std::unique_ptr<RowSource>> RecordProgram::openFile(const std::string &file) const {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(file));
  if (source == RowFormat::plugin && plugin == nullptr) {
    return internalError("a file is read by a plugin that was not asked for");
  }
  std::vector<ChangedColumn> changed;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    changed.push_back({&columns[i], textWords[i]});
  }
  const std::string name = "`" + printable(file) + "`";
  bytes = unpacked(std::move(bytes), name);
  if (source != RowFormat::plugin) {
    bytes = decoded(std::move(bytes), encoding, name);
  }
  return changeCells(makeRows(std::move(bytes), rowOptions()), changed);
}

Result<std::unique_ptr<RowSource>> RecordProgram::openFiles(const std::vector<std::string> &paths) const {
  std::unique_ptr<RowSource> rows;
  if (paths.size() == 1) {
    PENSTOCK_ASSIGN(rows, openFile(paths.front()));
  } else if (paths.empty()) {
    return internalError("a split without files is read");
  } else {
    rows = makeChainedRows(paths, [this](const std::string &path) { return openFile(path); });
  }
  PENSTOCK_TRY(rows->begin());
  rows->select(fileColumns(), listColumns());
  return rows;
}

Result<std::unique_ptr<RowSource>> RecordProgram::openRows(int split) const {
  PENSTOCK_ASSIGN(std::unique_ptr<RowSource> rows, openFiles(filesOf(std::max(split, 0))));
  if (!rowSteps.empty()) {
    auto steps = std::make_unique<RowSteps>(*this);
    for (int before = 0; comparesFiles() && before < split; ++before) {
      if (!wanted[static_cast<std::size_t>(before)] || filesOf(before) == filesOf(split)) { // one file may be every split
        continue;
      }
      PENSTOCK_ASSIGN(const std::unique_ptr<RowSource> earlier, openFiles(filesOf(before)));
      PENSTOCK_TRY(steps->see(*earlier));
    }
    rows = markRows(std::move(rows), std::move(steps));
  }
  const auto place = [&](auto &&how) {
    rows = placeRows(std::move(rows), [this, split, how](const RowBlock &block) { return how(*this, block, split); });
  };
  if (isSeries() && splitBy != SplitBy::order) {
    const auto order = static_cast<std::size_t>(seriesOrder);
    rows = sortRows(std::move(rows), columns[order], static_cast<std::size_t>(seriesBy), order);
  }
  if (splitBy == SplitBy::order) {
    place(placeInSplits);
  } else if (stratify >= 0) {
    place(placeByClass);
  } else if (splitBy == SplitBy::hash) {
    rows = splitRows(std::move(rows), *this, split);
  }
  rows->select(fileColumns(), listColumns()); // of all that stand around the reader
  return rows;
}

FileStamp stampOf(const std::vector<std::string> &paths) {
  FileStamp all = paths.empty() ? FileStamp() : stampOf(paths.front());
  for (std::size_t i = 1; i < paths.size(); ++i) {
    const FileStamp one = stampOf(paths[i]);
    all.size += one.size;
    all.modified = std::max(all.modified, one.modified);
    all.inode = all.inode * 31 + one.inode;
  }
  return all;
}

Result<Hash128> hashOf(const std::vector<std::string> &paths) {
  if (paths.size() == 1) {
    return hashPath(paths.front());
  }
  Hasher128 all;
  for (const std::string &path : paths) {
    PENSTOCK_ASSIGN(const Hash128 one, hashPath(path));
    all.addPart(one.hex());
  }
  return all.value();
}

} // namespace penstock
