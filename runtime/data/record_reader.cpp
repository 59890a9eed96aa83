#include "runtime/data/record_reader.h"

#include "runtime/base/philox.h"

#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"
#include "runtime/data/batch_buffers.h"
#include "runtime/data/changed_cells.h"
#include "runtime/data/encode.h"
#include "runtime/data/fitted.h"
#include "runtime/data/input_counts.h"
#include "runtime/data/input_format.h"
#include "runtime/data/no_such_column.h"
#include "runtime/data/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace penstock {

namespace {

/// A source whose beginning was looked at already.
class Peeked : public ByteSource {
public:
  explicit Peeked(std::unique_ptr<ByteSource> source) : source(std::move(source)) {}

  /// Reads until `enough`, or the end.
  template <typename Enough> Status peek(std::string &head, Enough enough) {
    while (!enough()) {
      const std::size_t size = head.size();
      head.resize(size + (std::size_t{64} << 10));
      const Result<std::size_t> got = source->read(head.data() + size, head.size() - size);
      head.resize(size + (got.ok() ? *got : 0));
      PENSTOCK_TRY(got.status());
      if (*got == 0) {
        break;
      }
    }
    kept = head;
    return {};
  }

  Result<std::size_t> read(char *into, std::size_t size) override {
    if (at == kept.size()) {
      return source->read(into, size);
    }
    const std::size_t count = kept.copy(into, size, at);
    at += count;
    return count;
  }
  bool ready() override { return at < kept.size() || source->ready(); }

private:
  std::unique_ptr<ByteSource> source;
  std::string kept;
  std::size_t at = 0;
};

std::string nameOfInput(const std::string &path) { return path.empty() ? "standard input" : printable(path); }

class Reader : public RecordReader {
public:
  explicit Reader(std::shared_ptr<const ReadyRecords> records)
      : ready(std::move(records)), program(ready->program), fitted(ready->fitted), batch(program, fitted.classCounts()),
        prepared(program.features.size()), encoded(program.features.size()), stepValues(program.derived.size()) {}

  /// Finds out which columns inputs need, how the source is to be read, and that it has them.
  Status begin(RecordInput input) {
    columns = program.inputColumns();
    seed = input.seed;
    inputName = nameOfInput(input.path);
    sorted = program.isSeries() && input.sort;
    if (input.counts) {
      PENSTOCK_ASSIGN(counts, InputCounts::open(program, fitted));
    }
    PENSTOCK_ASSIGN(RecordRows opened, openRecordRows(*ready, std::move(input)));
    rows = std::move(opened.rows);
    names = std::move(opened.names);
    format = opened.format;
    echo = std::move(opened.echoed);
    for (std::size_t i = 0; i < echo.gold.size(); ++i) {
      if (echo.gold[i].type == ColumnSpec::Type::tags) {
        goldTags.push_back(columns.size() + echo.ids.size() + i);
      }
    }
    return Status::success();
  }

  Result<const Part *> next(std::int64_t limit) override {
    try {
      return program.isSeries() ? readSeries(limit) : read(limit);
    } catch (const std::bad_alloc &) {
      return environmentError("not enough memory for a batch of records");
    }
  }

  const Echoed &echoed() const override { return echo; }

  std::string remark() const override {
    std::string text;
    const std::vector<std::string> &seen = rows->names();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string &name = names[i];
      const bool echoes = i >= columns.size() && i < firstWith(); // nobody asked for it
      if (echoes || format != RowFormat::jsonl || taken == 0 || std::find(seen.begin(), seen.end(), name) != seen.end()) {
        continue;
      }
      const std::vector<std::string> meant = nearest(name, seen);
      text += fmt::format("{}no record of {} has the key `{}`{}", text.empty() ? "" : "; ", inputName, printable(name, nameLimit),
                          meant.empty() ? "" : fmt::format("; did you mean `{}`?", printable(meant[0], nameLimit)));
    }
    if (newClasses > 0) {
      text += fmt::format("{}{} value{} of {} that train lacks, the first {}: {} read as none of train's", text.empty() ? "" : "; ",
                          newClasses, newClasses == 1 ? "" : "s", inputName, firstNewClass, newClasses == 1 ? "it is" : "they are");
    }
    if (spanning > 0) {
      text += fmt::format(
          "{}{} record{} of {} read{} like several in one quoted cell, the first at line {}: a quote too many takes the lines behind "
          "it into its cell",
          text.empty() ? "" : "; ", spanning, spanning == 1 ? "" : "s", inputName, spanning == 1 ? "s" : "", firstSpanning);
    }
    return text;
  }

  std::string statistics() const override { return counts == nullptr ? "" : counts->json(); }

private:
  static constexpr std::size_t nameLimit = 60; // characters of a name or cell that a message shows

  /// Of the cells of a row, the first that is handed on by name.
  std::size_t firstWith() const { return columns.size() + echo.ids.size() + echo.gold.size(); }
  /// Whether no tags stand beside the words of a record.
  bool isAlone(std::size_t row) const {
    return std::none_of(goldTags.begin(), goldTags.end(), [&](std::size_t place) { return block.cell(row, place).present; });
  }

  /// Of the records of the batch: what is handed on, and what is counted.
  void finishPart() {
    part.batch = &batch;
    part.records = block.numbers;
    done += static_cast<std::int64_t>(block.rows());
    for (const int feature : program.axes) {
      if (counts != nullptr && feature != seriesAxis) {
        counts->addTokens(static_cast<std::size_t>(feature), encoded[static_cast<std::size_t>(feature)]);
      }
    }
    part.with.clear();
    part.echoed.clear();
    for (std::size_t row = 0; row < block.rows(); ++row) {
      for (std::size_t i = columns.size(); i < names.size(); ++i) {
        (i < firstWith() ? part.echoed : part.with).push_back(block.cell(row, i));
      }
    }
  }

  Result<const Part *> read(std::int64_t limit) {
    part.batch = nullptr;
    part.records.clear();
    part.failures.clear();
    block.clear(names.size());
    PENSTOCK_TRY(std::exchange(broken, Status{}));
    // Who writes a record into a pipe may want its answer before the next: what is here is answered before anything is waited for.
    const auto some = [&] { return block.rows() + part.failures.size(); };
    while (static_cast<std::int64_t>(some()) < limit && !ended && (some() == 0 || rows->ready())) {
      if (nextRow(current)) {
        takeRow(current, block);
      }
    }
    if (block.rows() == 0 && part.failures.empty()) {
      PENSTOCK_TRY(std::exchange(broken, Status{}));
      return static_cast<const Part *>(nullptr);
    }
    PENSTOCK_TRY(makeBatch());
    std::sort(part.failures.begin(), part.failures.end(), [](const Failure &a, const Failure &b) { return a.record < b.record; });
    return static_cast<const Part *>(&part);
  }

  const ColumnSpec &orderColumn() const { return program.columns[static_cast<std::size_t>(program.seriesOrder)]; }

  /// The next records of the unit whose rows are here, else those of the next unit.
  Result<const Part *> readSeries(std::int64_t limit) {
    part = {};
    for (;;) {
      if (nextRecord < unitRecords.size()) {
        PENSTOCK_TRY(makeSeriesBatch(limit));
        return static_cast<const Part *>(&part);
      }
      if (!part.failures.empty()) {
        std::sort(part.failures.begin(), part.failures.end(), [](const Failure &a, const Failure &b) { return a.record < b.record; });
        return static_cast<const Part *>(&part);
      }
      if (ended && carried.rows() == 0) {
        PENSTOCK_TRY(std::exchange(broken, Status{}));
        return static_cast<const Part *>(nullptr);
      }
      PENSTOCK_TRY(readUnit());
    }
  }

  /// Reads the rows of one unit, and the first of the next.
  Status readUnit() {
    constexpr std::size_t first = 0;
    const std::size_t by = placeOf(static_cast<std::size_t>(program.seriesBy));
    const std::size_t failuresBefore = part.failures.size();
    unitBlock.clear(names.size());
    unitRecords.clear();
    nextRecord = 0;
    unitName.clear();
    bool any = carried.rows() > 0;
    Row row;
    if (any) {
      carried.read(first, row);
      unitName = row.cells[by].text;
      takeRow(row, unitBlock, ofUnit);
      carried.clear(names.size());
    }
    while (!ended) {
      if (!nextRow(row, ofUnit)) {
        continue;
      }
      if (any && row.cells[by].text != unitName) {
        carried.clear(names.size());
        carried.add(row, 0);
        break;
      }
      any = true;
      unitName = row.cells[by].text;
      takeRow(row, unitBlock, ofUnit);
    }
    if (any && !seenUnits.insert(unitName).second) {
      const std::int64_t line = unitBlock.rows() > 0 ? unitBlock.lines[first] : 0;
      broken = invalidInput(fmt::format("{}:{}: rows of `{}` stand in several places, and a record needs them together; `--sort` reads all "
                                        "rows first, and sorts them",
                                        inputName, line, printable(unitName, nameLimit)));
      ended = true;
      carried.clear(names.size());
      return {};
    }
    const bool whole = broken.ok() && part.failures.size() == failuresBefore;
    return whole && unitBlock.rows() > 0 ? cutUnit() : Status{};
  }

  /// Sorts the rows of the unit, computes their numbers and cuts them into records.
  Status cutUnit() {
    const std::size_t order = placeOf(static_cast<std::size_t>(program.seriesOrder));
    const std::vector<std::size_t> sequence =
        seriesOrder(unitBlock, orderColumn(), placeOf(static_cast<std::size_t>(program.seriesBy)), order);
    RowBlock inOrder;
    inOrder.clear(names.size());
    UnitCutter cutter;
    for (const std::size_t row : sequence) {
      double place = 0;
      readNumber(orderColumn(), unitBlock.cell(row, order), place);
      if (cutter.add(unitName, place) == UnitCutter::Step::repeats) {
        fail(unitBlock.numbers[row], fmt::format("{}:{}: `{}` has another row with this `{}`{}", inputName, unitBlock.lines[row],
                                                 printable(unitName, nameLimit), printable(orderColumn().from, nameLimit), ofUnit));
        return {};
      }
      inOrder.add(unitBlock, row);
    }
    unitBlock = std::move(inOrder);
    const auto rowCount = static_cast<std::int64_t>(unitBlock.rows());
    addRecords(program.series, program.series.take, {0, 0, rowCount}, unitRecords);
    if (unitRecords.empty()) {
      fail(unitBlock.numbers.back(),
           fmt::format("{}:{}: `{}` has {} row{}, and a record of this model has {}", inputName, unitBlock.lines.back(),
                       printable(unitName, nameLimit), rowCount, rowCount == 1 ? "" : "s", program.series.length));
      return {};
    }
    unitValues.assign(program.derived.size(), {});
    for (const LinkedInput &input : program.inputs) {
      if (input.target || input.derived < 0 || input.axis < 0) {
        continue;
      }
      const Result<const ColumnValues *> values = derivedOf(input, unitBlock);
      if (!values.ok()) {
        fail(unitBlock.numbers.back(), fmt::format("{}:{}: {}{}", inputName, unitBlock.lines.back(), values.status().message(), ofUnit));
        unitRecords.clear();
        return {};
      }
      appendRows(**values, unitValues[static_cast<std::size_t>(input.derived)]);
    }
    return {};
  }

  Status makeSeriesBatch(std::int64_t limit) {
    const std::size_t end = std::min(unitRecords.size(), nextRecord + static_cast<std::size_t>(std::max<std::int64_t>(limit, 1)));
    chunk.assign(unitRecords.begin() + static_cast<std::ptrdiff_t>(nextRecord), unitRecords.begin() + static_cast<std::ptrdiff_t>(end));
    nextRecord = end;
    block.clear(names.size());
    for (const SeriesRecord &record : chunk) {
      block.add(unitBlock, static_cast<std::size_t>(record.last));
    }
    const Status status = encode();
    if (!status.ok() && status.code() != ErrorCode::invalidInput) {
      return status;
    }
    if (!status.ok() && chunk.size() > 1) { // only one of them may be what it does not take
      nextRecord -= chunk.size();
      return makeSeriesBatch(1);
    }
    if (!status.ok()) {
      fail(block.numbers.front(), fmt::format("{}:{}: {}", inputName, block.lines.front(), status.message()));
      return {};
    }
    finishPart();
    for (const SeriesRecord &record : chunk) {
      part.firsts.push_back(unitBlock.numbers[static_cast<std::size_t>(record.first())]);
      part.units.push_back(unitName);
    }
    return {};
  }

  void fail(std::int64_t record, std::string text) {
    ++taken;
    lastFailed = record;
    part.failures.push_back({record, std::move(text)});
  }

  /// The next row. False where there is none: a malformed one became a failure, with `more` behind its text, or the input ended.
  bool nextRow(Row &row, const char *more = "") {
    RowError error;
    const Result<RowStep> step = rows->next(row, error);
    if (!step.ok()) {
      broken = step.status(); // what was read before is answered first
      ended = true;
    } else if (*step == RowStep::end) {
      ended = true;
    } else if (*step == RowStep::error && (error.last || sorted)) { // sorted rows cannot tell which unit lacks one
      broken = invalidInput(error.inFile(inputName));
      ended = true;
    } else if (*step == RowStep::error && error.row != lastFailed) { // of a record of many lines the first mistake stands for all
      fail(error.row, error.inFile(inputName) + more);
    }
    return step.ok() && *step == RowStep::row;
  }

  /// Adds a row to a block; one whose cells have a mistake becomes a failure.
  void takeRow(const Row &row, RowBlock &to, const char *more = "") {
    if (counts != nullptr) {
      counts->addRow(row.cells, [this](std::size_t column, const Cell &cell) { return classIndex(column, cell) >= 0; });
    }
    if (const std::string wrong = mistakeOf(row); !wrong.empty()) {
      fail(row.number, fmt::format("{}:{}: {}{}", inputName, row.line, wrong, more));
      return;
    }
    to.add(row, 0);
    countNewClasses(row);
    ++taken;
    if (row.span == Row::Span::rows && ++spanning == 1) {
      firstSpanning = row.line;
    }
  }

  /// What is wrong with the cells of a record, or "".
  std::string mistakeOf(const Row &row) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const ColumnSpec &column = program.columns[columns[i]];
      const Cell &cell = row.cells[i];
      const CellState state = judgeCell(column, cell);
      if (state == CellState::missing) {
        return fmt::format("column `{}` has no value", printable(column.from, nameLimit));
      }
      if (state == CellState::bad) {
        return fmt::format("column `{}` holds `{}`, which is not a {}", printable(column.from, nameLimit), printable(cell.text, nameLimit),
                           wordsOf(column.type)[static_cast<std::size_t>(column.type)]);
      }
    }
    return {};
  }

  /// Makes the batch of the block's rows; those that no tokenizer takes become failures.
  Status makeBatch() {
    if (block.rows() > 0 && !encode().ok()) {
      std::vector<bool> kept;
      const RowBlock all = block;
      for (std::size_t row = 0; row < all.rows(); ++row) {
        std::vector<bool> alone(all.rows());
        alone[row] = true;
        block = all;
        block.keep(alone);
        const Status status = encode();
        kept.push_back(status.ok());
        if (!status.ok() && status.code() != ErrorCode::invalidInput) {
          return status;
        }
        if (!status.ok()) {
          part.failures.push_back({all.numbers[row], fmt::format("{}:{}: {}", inputName, all.lines[row], status.message())});
        }
      }
      block = all;
      block.keep(kept);
      PENSTOCK_TRY(block.rows() > 0 ? encode() : Status{});
    }
    if (block.rows() > 0) {
      finishPart();
    }
    return {};
  }

  Status encode() {
    const auto count = static_cast<std::int64_t>(block.rows());
    batch.begin(count);
    batch.words.resize(program.axes.size());
    for (std::int64_t i = 0; i < count; ++i) {
      batch.records[static_cast<std::size_t>(i)] = done + i;
      batch.recordNumbers()[i] = static_cast<std::uint64_t>(done + i);
    }
    for (std::size_t a = 0; a < program.axes.size(); ++a) {
      if (program.isSeriesAxis(a)) {
        batch.addSeries(a, chunk);
      } else {
        PENSTOCK_TRY(fillAxis(a));
      }
    }
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
      if (!program.inputs[i].target && program.inputs[i].derived >= 0 && program.inputs[i].axis >= 0) {
        batch.fillSeries(i, chunk, unitValues[static_cast<std::size_t>(program.inputs[i].derived)].data());
      } else if (!program.inputs[i].target && program.inputs[i].derived >= 0) {
        PENSTOCK_TRY(fillDerived(i));
      } else if (!program.inputs[i].target && program.inputs[i].column >= 0) {
        fillInput(i);
      }
    }
    batch.drawNoise(seed, noStep);
    batch.finish(false);
    return {};
  }

  /// Of a column's cells in `block`.
  std::size_t placeOf(std::size_t column) const {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), column) - columns.begin());
  }
  Cell cellOf(std::size_t row, int column) const { return block.cell(row, placeOf(static_cast<std::size_t>(column))); }

  Status fillAxis(std::size_t axis) {
    const auto index = static_cast<std::size_t>(program.axes[axis]);
    const LinkedFeature &feature = program.features[index];
    prepared[index].begin(feature);
    for (std::size_t row = 0; row < block.rows(); ++row) {
      for (std::size_t text = 0; text < feature.textsEach(); ++text) {
        const std::size_t which = feature.columnOf(text);
        prepared[index].add(program.columns[which], cellOf(row, static_cast<int>(which)), isAlone(row));
      }
    }
    if (feature.cutFromWords) {
      fillWords(feature, batch.words[axis]);
    }
    prepared[index].finish();
    EncodedTexts &texts = encoded[index];
    PENSTOCK_TRY(encodeTexts(feature, *fitted.features[index].tokenizer, prepared[index], texts));
    if (texts.stuck >= 0) {
      return invalidInput(stuckSentence(feature));
    }
    if (texts.ids.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      return invalidInput("it has more tokens than can be numbered; set `max_length`");
    }
    batch.setRows(axis, static_cast<std::int64_t>(texts.ids.size()));
    std::size_t at = 0;
    for (std::size_t record = 0; record < texts.lengths.size(); ++record) {
      batch.addRows(axis, texts.ids.data() + at, texts.lengths[record], feature.cutFromWords ? texts.rowWord.data() + at : nullptr,
                    feature.isPair() ? texts.firsts[record] : -1);
      at += static_cast<std::size_t>(texts.lengths[record]);
    }
    return Status::success();
  }

  void fillWords(const LinkedFeature &feature, BatchWords &out) {
    out.offsets.assign(1, 0);
    out.words.clear();
    out.texts.clear();
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const Cell cell = cellOf(row, feature.column);
      itemsOf(cell, items, isAlone(row) ? feature.wordsAlone : feature.words);
      out.words.insert(out.words.end(), items.begin(), items.end());
      out.offsets.push_back(static_cast<std::int64_t>(out.words.size()));
      // An empty view marks a list: an empty text has no words to place.
      out.texts.push_back(cell.list ? std::string_view{} : cell.text);
    }
  }

  /// What the operators of an input make of the rows.
  Result<const ColumnValues *> derivedOf(const LinkedInput &input, const RowBlock &from) {
    const auto index = static_cast<std::size_t>(input.derived);
    const DerivedFeature &feature = program.derived[index];
    std::vector<ColumnValues> &values = stepValues[index];
    values.resize(feature.steps.size() + 1);
    values.front().resize(feature.columns.size());
    for (std::size_t i = 0; i < feature.columns.size(); ++i) {
      const int which = feature.columns[i];
      const std::size_t place = placeOf(static_cast<std::size_t>(which));
      std::vector<double> &ofColumn = values.front()[i];
      ofColumn.resize(from.rows());
      for (std::size_t row = 0; row < from.rows(); ++row) {
        readNumber(program.columns[static_cast<std::size_t>(which)], from.cell(row, place), ofColumn[row]);
      }
    }
    if (const auto refusal = applySteps(feature, fitted.derived[index], values)) {
      const ColumnSpec &column = program.columns[static_cast<std::size_t>(feature.columns[refusal->column])];
      return invalidInput(refusalSentence(feature, *refusal, printable(column.from, nameLimit)));
    }
    return &values.back();
  }

  Status fillDerived(std::size_t index) {
    const LinkedInput &input = program.inputs[index];
    const DerivedFeature &feature = program.derived[static_cast<std::size_t>(input.derived)];
    PENSTOCK_ASSIGN(const ColumnValues *const values, derivedOf(input, block));
    for (std::size_t row = 0, at = 0; row < block.rows(); ++row) {
      for (const std::vector<double> &one : *values) {
        if (feature.isIndex) {
          batch.classesOf(index)[row] = static_cast<std::int32_t>(one[row]);
        } else {
          batch.numbersOf(index)[at++] = static_cast<float>(one[row]);
        }
      }
    }
    return {};
  }

  void fillInput(std::size_t index) {
    const LinkedInput &input = program.inputs[index];
    const auto which = static_cast<std::size_t>(input.column);
    const ColumnSpec &column = program.columns[which];
    const std::size_t place = placeOf(which);
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const Cell cell = block.cell(row, place);
      if (input.kind == InputSpec::Kind::number) {
        double number = 0;
        readNumber(column, cell, number);
        batch.numbersOf(index)[row] = static_cast<float>(number);
        continue;
      }
      batch.classesOf(index)[row] = classIndex(which, block.cell(row, place));
    }
  }

  /// -1 of a value that train lacks.
  std::int32_t classIndex(std::size_t column, const Cell &cell) {
    auto &known = classIndices[column];
    if (known.empty()) {
      for (const std::string &name : fitted.classes[column]) {
        known.emplace(name, static_cast<std::int32_t>(known.size()));
      }
    }
    const auto found = known.find(classOf(program.columns[column], cell));
    return found == known.end() ? -1 : found->second;
  }

  void countNewClasses(const Row &row) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const ColumnSpec &column = program.columns[columns[i]];
      if (column.type == ColumnSpec::Type::classId && classIndex(columns[i], row.cells[i]) < 0 && ++newClasses == 1) {
        firstNewClass = fmt::format("`{}` in column `{}` at line {}", printable(classOf(column, row.cells[i]), nameLimit),
                                    printable(column.from, nameLimit), row.line);
      }
    }
  }

  const std::shared_ptr<const ReadyRecords> ready;
  const RecordProgram &program;
  const Fitted &fitted;
  std::unique_ptr<RowSource> rows;
  RowFormat format = RowFormat::lines;
  std::string inputName; // for people
  std::uint64_t seed = 0;
  BatchBuffers batch;
  std::vector<std::size_t> columns; // of the record program, that inputs need: the first cells of `block`
  std::vector<std::string> names;   // RecordRows::names
  Echoed echo;
  std::vector<std::size_t> goldTags;   // places of their cells
  std::unique_ptr<InputCounts> counts; // where they are wanted
  Row current;
  RowBlock block;
  std::vector<PreparedTexts> prepared;
  std::vector<EncodedTexts> encoded;
  std::vector<std::string_view> items;               // of a cell
  std::vector<std::vector<ColumnValues>> stepValues; // of each derived feature
  Part part;
  Status broken; // why nothing more can be read, to be said when all before it is answered
  bool ended = false;
  std::int64_t done = 0, taken = 0; // records of batches; all that were read
  std::int64_t lastFailed = 0, spanning = 0, firstSpanning = 0;
  std::unordered_map<std::size_t, std::unordered_map<std::string_view, std::int32_t>> classIndices; // by column; views of `fitted`
  // Of a series: the unit whose rows are here, in their order, and the first row of the next.
  static constexpr const char *ofUnit = "; its unit is left out";
  bool sorted = false; // the rows of the input were
  RowBlock unitBlock, carried;
  std::string unitName;
  std::unordered_set<std::string> seenUnits;
  std::vector<SeriesRecord> unitRecords, chunk; // chunk: those of the batch
  std::size_t nextRecord = 0;
  std::vector<std::vector<float>> unitValues; // one a derived feature
  std::int64_t newClasses = 0;                // values of records
  std::string firstNewClass;
};

} // namespace

Result<std::shared_ptr<const ReadyRecords>> readyRecordsWith(const RecordsSpec &records, const FittedFolder &fitted, DataPlugins &plugins) {
  PENSTOCK_ASSIGN(RecordProgram program, RecordProgram::link(records, &plugins));
  PENSTOCK_ASSIGN(Fitted read, readFitted(program, fitted, plugins));
  PENSTOCK_TRY(makeTokenizers(program, read, plugins));
  return std::make_shared<const ReadyRecords>(ReadyRecords{std::move(program), std::move(read)});
}

namespace {

/// That the input has the columns to be handed on. JSON Lines show their keys as they come: remark().
Status checkWith(const RecordInput &input, const RecordRows &opened) {
  const std::vector<std::string> &header = opened.format == RowFormat::lines ? opened.names : opened.rows->names();
  for (const std::string &name : input.with) {
    // A header with a mistake has no names, and says so when rows are read.
    if (opened.format == RowFormat::jsonl || header.empty() || columnAt(header, name) >= 0) {
      continue;
    }
    return usageError(fmt::format("`--with` copies columns of the input, and {} has {}", nameOfInput(input.path), noColumn(name, header)));
  }
  return {};
}

/// What names the records of an input, and what the model is to predict of them, where the input has it.
RecordReader::Echoed echoedOf(const RecordProgram &program, const RecordRows &opened) {
  RecordReader::Echoed found;
  for (std::size_t i = 0; i < program.columns.size() && opened.format != RowFormat::lines; ++i) {
    const ColumnSpec &column = program.columns[i];
    const bool isTarget = std::any_of(program.inputs.begin(), program.inputs.end(), [&](const LinkedInput &input) {
      const auto which = static_cast<int>(i);
      if (input.weighs) {
        return false;
      }
      if (!input.target || input.derived < 0) {
        return input.target && input.column == which;
      }
      const std::vector<int> &from = program.derived[static_cast<std::size_t>(input.derived)].columns;
      return std::find(from.begin(), from.end(), which) != from.end();
    });
    if ((isTarget || column.type == ColumnSpec::Type::id) &&
        (opened.format == RowFormat::jsonl || columnAt(opened.rows->names(), column.from) >= 0)) {
      (isTarget ? found.gold : found.ids).push_back(column);
    }
  }
  return found;
}

/// The cells of an input in their order, as changeCells() wants them. Texts become words as those of splits do where tags stand beside
/// them.
std::vector<ChangedColumn> changedInput(const RecordProgram &program, const std::vector<std::size_t> &columns,
                                        const RecordReader::Echoed &echoed) {
  std::vector<std::size_t> all = columns;
  for (const auto *const some : {&echoed.ids, &echoed.gold}) {
    for (const ColumnSpec &column : *some) {
      const auto found =
          std::find_if(program.columns.begin(), program.columns.end(), [&](const auto &one) { return one.name == column.name; });
      all.push_back(static_cast<std::size_t>(found - program.columns.begin()));
    }
  }
  const bool tagged =
      std::any_of(echoed.gold.begin(), echoed.gold.end(), [](const ColumnSpec &one) { return one.type == ColumnSpec::Type::tags; });
  std::vector<ChangedColumn> changed;
  for (const std::size_t column : all) {
    const auto feature = std::find_if(program.features.begin(), program.features.end(),
                                      [&](const LinkedFeature &one) { return one.cutFromWords && one.column == static_cast<int>(column); });
    const bool alone = feature != program.features.end() && !tagged;
    changed.push_back({&program.columns[column], alone ? feature->wordsAlone : program.textWords[column]});
  }
  return changed;
}

} // namespace

Result<RecordRows> openRecordRows(const ReadyRecords &ready, RecordInput input, bool change) {
  const RecordProgram &program = ready.program;
  const std::vector<std::size_t> columns = program.inputColumns();
  RecordRows opened;
  std::vector<bool> lists;
  for (const std::size_t column : columns) {
    opened.names.push_back(program.columns[column].from);
    lists.push_back(program.columns[column].mayHoldList());
  }
  opened.rows = std::move(input.rows);
  if (opened.rows == nullptr) {
    InputFacts facts = {input.path, input.format, {}, input.standing, input.encoding};
    PENSTOCK_ASSIGN(const Encoding encoding, encodingOf(facts, program));
    const std::string name = shownInput(input.path);
    auto bytes = std::make_unique<Peeked>(decoded(unpacked(std::move(input.bytes), name), encoding, name));
    PENSTOCK_TRY(bytes->peek(facts.head, [&] { return headIsEnough(facts, program); }));
    PENSTOCK_ASSIGN(const RowOptions options, chooseFormat(facts, program, ready.fitted, opened.names));
    opened.format = options.format;
    opened.rows = makeRows(std::move(bytes), options);
  }
  PENSTOCK_TRY(opened.rows->begin());
  PENSTOCK_TRY(checkWith(input, opened));
  if (input.echoes) {
    opened.echoed = echoedOf(program, opened);
  }
  for (const auto *const some : {&opened.echoed.ids, &opened.echoed.gold}) {
    for (const ColumnSpec &column : *some) {
      opened.names.push_back(column.from);
      lists.push_back(column.mayHoldList());
    }
  }
  if (change) {
    opened.rows = changeCells(std::move(opened.rows), changedInput(program, columns, opened.echoed));
  }
  if (program.isSeries() && input.sort) {
    const auto place = [&](int column) {
      return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), static_cast<std::size_t>(column)) - columns.begin());
    };
    opened.rows = sortRows(std::move(opened.rows), program.columns[static_cast<std::size_t>(program.seriesOrder)], place(program.seriesBy),
                           place(program.seriesOrder));
  }
  opened.names.insert(opened.names.end(), input.with.begin(), input.with.end());
  lists.resize(opened.names.size());
  opened.rows->select(opened.names, lists);
  return opened;
}

Result<std::unique_ptr<RecordReader>> RecordReader::open(std::shared_ptr<const ReadyRecords> records, RecordInput input) {
  auto reader = std::make_unique<Reader>(std::move(records));
  PENSTOCK_TRY(reader->begin(std::move(input)));
  return std::unique_ptr<RecordReader>(std::move(reader));
}

} // namespace penstock
