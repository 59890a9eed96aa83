#include "runtime/data/record_reader.h"

#include "runtime/data/batch_buffers.h"
#include "runtime/data/encode.h"
#include "runtime/data/fitted.h"
#include "runtime/data/no_such_column.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>

namespace penstock {

namespace {

class Reader : public RecordReader {
public:
  Reader(RecordProgram recordProgram, Fitted fittedOnTrain, std::unique_ptr<RowSource> source, std::string inputName)
      : program(std::move(recordProgram)), fitted(std::move(fittedOnTrain)), rows(std::move(source)), inputName(std::move(inputName)),
        batch(program, fitted.classCounts()), prepared(program.features.size()), encoded(program.features.size()) {}

  /// Finds out which columns inputs need, and that the source has them.
  Status begin(Format format) {
    PENSTOCK_TRY(rows->begin());
    std::vector<bool> needed(program.columns.size());
    for (const InputSpec &input : program.inputs) {
      if (!input.target && input.feature >= 0) {
        const FeatureSpec &feature = program.features[static_cast<std::size_t>(input.feature)];
        for (std::size_t text = 0; text < feature.textsEach(); ++text) {
          needed[feature.columnOf(text)] = true;
        }
      } else if (!input.target) {
        needed[static_cast<std::size_t>(input.column)] = true;
      }
    }
    std::vector<std::string> names;
    std::vector<bool> lists;
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (needed[i]) {
        columns.push_back(i);
        names.push_back(program.columns[i].from);
        lists.push_back(program.columns[i].isList());
      }
    }
    if (format == Format::lines && (columns.size() != 1 || (program.columns[columns[0]].type != ColumnSpec::Type::text &&
                                                            program.columns[columns[0]].type != ColumnSpec::Type::words))) {
      return usageError(fmt::format("plain lines give one text, and this pipeline reads {} columns; "
                                    "give CSV or JSON Lines (`--format csv`, `--format jsonl`)",
                                    columns.size()));
    }
    const std::vector<std::string> &header = rows->names();
    for (const std::string &name : names) {
      if (format == Format::csv && !header.empty() && std::find(header.begin(), header.end(), name) == header.end()) {
        return noSuchColumn(inputName, name, header);
      }
    }
    rows->select(names, lists);
    return Status::success();
  }

  Result<const Batch *> next(std::int64_t limit) override {
    try {
      return read(limit);
    } catch (const std::bad_alloc &) {
      return environmentError("not enough memory for a batch of records");
    }
  }

private:
  Result<const Batch *> read(std::int64_t limit) {
    block.clear(columns.size());
    Row row;
    RowError error;
    while (static_cast<std::int64_t>(block.rows()) < limit) {
      PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
      if (step == RowStep::end) {
        break;
      }
      if (step == RowStep::error) {
        return invalidInput(fmt::format("{}:{}:{}: {}", inputName, error.line, error.column, error.sentence()));
      }
      block.add(row, 0);
    }
    const auto count = static_cast<std::int64_t>(block.rows());
    if (count == 0) {
      return static_cast<const Batch *>(nullptr);
    }
    batch.begin(count);
    batch.words.resize(program.axes.size());
    for (std::int64_t i = 0; i < count; ++i) {
      batch.records[static_cast<std::size_t>(i)] = done + i;
      batch.recordNumbers()[i] = static_cast<std::uint64_t>(done + i);
    }
    done += count;
    PENSTOCK_TRY(checkCells());
    for (std::size_t a = 0; a < program.axes.size(); ++a) {
      PENSTOCK_TRY(fillAxis(a));
    }
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
      if (!program.inputs[i].target && program.inputs[i].column >= 0) {
        PENSTOCK_TRY(fillInput(i));
      }
    }
    batch.finish(false);
    return static_cast<const Batch *>(&batch);
  }

  Cell cellOf(std::size_t row, int column) const {
    const auto at = std::find(columns.begin(), columns.end(), static_cast<std::size_t>(column));
    return block.cell(row, static_cast<std::size_t>(at - columns.begin()));
  }

  Status cellError(std::size_t row, const ColumnSpec &column, const std::string &what) const {
    return invalidInput(fmt::format("{}:{}: column `{}` {}", inputName, block.lines[row], column.from, what));
  }

  Status checkCells() const {
    for (std::size_t row = 0; row < block.rows(); ++row) {
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const ColumnSpec &column = program.columns[columns[i]];
        const Cell cell = block.cell(row, i);
        const CellState state = judgeCell(column, cell);
        if (state == CellState::missing) {
          return cellError(row, column, "has no value");
        }
        if (state == CellState::bad) {
          return cellError(row, column, fmt::format("holds `{}`, which is not a number", cell.text));
        }
      }
    }
    return Status::success();
  }

  Status fillAxis(std::size_t axis) {
    const auto index = static_cast<std::size_t>(program.axes[axis]);
    const FeatureSpec &feature = program.features[index];
    prepared[index].begin(feature);
    for (std::size_t row = 0; row < block.rows(); ++row) {
      for (std::size_t text = 0; text < feature.textsEach(); ++text) {
        const std::size_t which = feature.columnOf(text);
        prepared[index].add(program.columns[which], cellOf(row, static_cast<int>(which)));
      }
    }
    if (feature.cutFromWords) {
      fillWords(feature, batch.words[axis]);
    }
    prepared[index].finish();
    EncodedTexts &texts = encoded[index];
    PENSTOCK_TRY(encodeTexts(feature, *fitted.features[index].tokenizer, prepared[index], texts));
    if (texts.stuck >= 0) {
      return invalidInput(fmt::format("{}:{}: {}", inputName, block.lines[static_cast<std::size_t>(texts.stuck)], stuckSentence(feature)));
    }
    if (texts.ids.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      return invalidInput(inputName + ": the records of one batch have too many tokens");
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

  void fillWords(const FeatureSpec &feature, BatchWords &out) {
    out.offsets.assign(1, 0);
    out.words.clear();
    out.texts.clear();
    std::vector<std::string_view> items;
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const Cell cell = cellOf(row, feature.column);
      itemsOf(cell, items);
      out.words.insert(out.words.end(), items.begin(), items.end());
      out.offsets.push_back(static_cast<std::int64_t>(out.words.size()));
      // An empty view marks a list: an empty text has no words to place.
      out.texts.push_back(cell.list ? std::string_view{} : cell.text);
    }
  }

  Status fillInput(std::size_t index) {
    const InputSpec &input = program.inputs[index];
    const auto which = static_cast<std::size_t>(input.column);
    const ColumnSpec &column = program.columns[which];
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const Cell cell = cellOf(row, input.column);
      if (input.kind == InputSpec::Kind::number) {
        double number = 0;
        const bool given = readNumber(column, cell, number) == CellState::value;
        batch.numbersOf(index)[row] = static_cast<float>(given ? number : fitted.fillOf(program, which));
        continue;
      }
      const std::vector<std::string> &names = fitted.classes[which];
      const auto found = std::find(names.begin(), names.end(), cell.text);
      if (found == names.end()) {
        return cellError(row, column, fmt::format("holds `{}`, which is no class of train", cell.text));
      }
      batch.classesOf(index)[row] = static_cast<std::int32_t>(found - names.begin());
    }
    return Status::success();
  }

  const RecordProgram program;
  const Fitted fitted;
  std::unique_ptr<RowSource> rows;
  std::string inputName;
  BatchBuffers batch;
  std::vector<std::size_t> columns; // of the record program, that inputs need: the cells of `block`
  RowBlock block;
  std::vector<PreparedTexts> prepared;
  std::vector<EncodedTexts> encoded;
  std::int64_t done = 0;
};

} // namespace

Result<std::unique_ptr<RecordReader>> openRecordsWith(const std::string &recordProgram, const FittedFolder &fittedFolder,
                                                      TokenizerFactory &factory, RecordReader::Format format, std::istream &input,
                                                      const std::string &inputName) {
  PENSTOCK_ASSIGN(RecordProgram program, RecordProgram::parse(recordProgram));
  PENSTOCK_ASSIGN(Fitted fitted, readFitted(program, fittedFolder, factory));
  PENSTOCK_TRY(makeTokenizers(program, fitted, factory));
  std::unique_ptr<ByteSource> bytes = makeStreamSource(input);
  std::unique_ptr<RowSource> rows;
  switch (format) {
  case RecordReader::Format::lines:
    rows = makePlainLines(std::move(bytes));
    break;
  case RecordReader::Format::csv:
    rows = makeCsvRows(std::move(bytes), program.csv);
    break;
  case RecordReader::Format::jsonl:
    rows = makeJsonLines(std::move(bytes));
    break;
  }
  auto reader = std::make_unique<Reader>(std::move(program), std::move(fitted), std::move(rows), inputName);
  PENSTOCK_TRY(reader->begin(format));
  return std::unique_ptr<RecordReader>(std::move(reader));
}

} // namespace penstock
