#include "runtime/artifact/c_session.h"

#include "runtime/base/utf8.h"
#include "runtime/data/record_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#include <variant>

namespace penstock {
namespace {

constexpr std::int64_t batchRecords = 64;
constexpr const char *recordsName = "the records";

template <typename T> T read(const char *from, std::size_t offset) {
  T value;
  std::memcpy(&value, from + offset, sizeof value);
  return value;
}
template <typename T> void write(char *to, std::size_t offset, const T &value) { std::memcpy(to + offset, &value, sizeof value); }

struct Text {
  const char *data;
  std::size_t size;
};

} // namespace

char *AnswerMemory::take(std::size_t bytes) {
  bytes = (bytes + 7) / 8 * 8;
  while (block < blocks.size() && blocks[block].size - used < bytes) {
    ++block;
    used = 0;
  }
  if (block == blocks.size()) {
    const std::size_t size = std::max<std::size_t>(bytes, std::size_t{1} << 14);
    blocks.push_back({std::make_unique<char[]>(size), size});
  }
  char *const taken = blocks[block].bytes.get() + used;
  used += bytes;
  return taken;
}

const char *AnswerMemory::keep(std::string_view text) {
  char *const kept = take(text.size() + 1);
  std::memcpy(kept, text.data(), text.size());
  kept[text.size()] = '\0';
  return kept;
}

/// Rows that lie in memory as structs. Between calls it has none, and never an end, so that a reader goes on with it.
class CSession::Rows final : public RowSource {
public:
  explicit Rows(const CLayout &layout) : layout(layout), texts(layout.columns.size()) {}

  /// Records that are a row each.
  void give(const char *from, std::size_t count) {
    at = from;
    left = count;
    step = layout.record.stride();
  }
  /// Units: `count` records, whose rows follow one another; behind them is the end. `cell`: which of a row's cells names the unit.
  void giveUnits(const char *from, std::size_t count, std::ptrdiff_t cell) {
    units = from;
    unitCount = count;
    unitCell = cell;
  }
  /// The unit of a row that was given; rows count from 1.
  std::size_t unitOf(std::int64_t row) const {
    return static_cast<std::size_t>(std::upper_bound(unitEnds.begin(), unitEnds.end(), row - 1) - unitEnds.begin());
  }

  Status begin() override { return {}; }
  const std::vector<std::string> &names() const override { return none; }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &) override { selected = columns.size(); }
  bool ready() override { return left > 0 || unit < unitCount; }
  Result<RowStep> next(Row &row, RowError &error) override {
    while (left == 0 && unit < unitCount) {
      const char *const record = units + unit * layout.record.stride();
      at = read<const char *>(record, layout.rows);
      left = at == nullptr ? 0 : read<std::size_t>(record, layout.rowCount);
      step = layout.row.stride();
      unitEnds.push_back((unitEnds.empty() ? 0 : unitEnds.back()) + static_cast<std::int64_t>(left));
      unitName = std::to_string(unit++);
    }
    if (left == 0) {
      return RowStep::end;
    }
    row.number = row.line = ++number;
    row.cells.resize(selected);
    row.span = Row::Span::none;
    std::size_t column = 0;
    for (Cell &cell : row.cells) {
      if (&cell - row.cells.data() == unitCell) {
        cell = {unitName, true, false};
        continue;
      }
      cell = cellOf(layout.columns[column], texts[column]);
      ++column;
    }
    at += step;
    --left;
    if (!malformed.empty()) {
      error = {};
      error.kind = RowError::Kind::notUtf8;
      error.row = error.line = number;
      error.byte = static_cast<std::int64_t>(findInvalidUtf8(malformed));
      error.value = static_cast<unsigned char>(malformed[static_cast<std::size_t>(error.byte)]);
      malformed = {};
      return RowStep::error;
    }
    return RowStep::row;
  }

private:
  Cell cellOf(const CColumn &column, std::string &text) {
    if (column.kind == CColumn::Kind::number) {
      const auto value = read<double>(at, column.offset);
      if (std::isnan(value)) {
        return {};
      }
      text.resize(32);
      text.resize(static_cast<std::size_t>(std::to_chars(text.data(), text.data() + text.size(), value).ptr - text.data()));
      return {text, true, false};
    }
    if (column.kind == CColumn::Kind::words) {
      const auto *const words = read<const Text *>(at, column.offset);
      const auto count = words == nullptr ? 0 : read<std::size_t>(at, column.count);
      text.clear();
      for (std::size_t i = 0; i < count; ++i) {
        const std::string_view word = words[i].data == nullptr ? std::string_view() : std::string_view(words[i].data, words[i].size);
        check(word);
        text += word;
        text += listEnd;
      }
      return {text, true, true};
    }
    const auto value = read<Text>(at, column.offset);
    if (value.data == nullptr) {
      return {};
    }
    check({value.data, value.size});
    return {{value.data, value.size}, true, false};
  }

  /// Nobody has looked at what a caller hands over.
  void check(std::string_view text) {
    if (malformed.empty() && !isUtf8(text)) {
      malformed = text;
    }
  }

  const CLayout &layout;
  std::vector<std::string> texts, none;
  const char *at = nullptr, *units = nullptr;
  std::size_t left = 0, step = 0, selected = 0, unit = 0, unitCount = 0;
  std::ptrdiff_t unitCell = -1;
  std::string unitName;
  std::vector<std::int64_t> unitEnds; // rows up to the end of each unit
  std::int64_t number = 0;
  std::string_view malformed; // the first text of the row that is not UTF-8
};

CSession::~CSession() = default;

Status CSession::predict(const void *records, std::size_t count, void *answers) {
  memory.clear();
  if (count == 0) {
    return {};
  }
  if (records == nullptr || answers == nullptr) {
    return usageError("the records or the answers are NULL");
  }
  std::memset(answers, 0, count * layout.answer.stride());
  const auto *const from = static_cast<const char *>(records);
  auto *const to = static_cast<char *>(answers);
  return layout.row.name.empty() ? predictRows(from, count, to) : predictUnits(from, count, to);
}

Status CSession::predictRows(const char *records, std::size_t count, char *answers) {
  if (answered == nullptr) {
    auto source = std::make_unique<Rows>(layout);
    rows = source.get();
    RecordInput input;
    input.path = recordsName;
    input.rows = std::move(source);
    PENSTOCK_ASSIGN(answered, AnsweredRecords::open(predictor, session, std::move(input)));
  }
  rows->give(records, count);
  const std::size_t stride = layout.answer.stride();
  for (std::size_t done = 0; done < count;) {
    const auto wanted = std::min<std::int64_t>(batchRecords, static_cast<std::int64_t>(count - done));
    Result<const RecordReader::Part *> part = answered->next(wanted);
    if (!part.ok() || *part == nullptr) {
      answered.reset(); // the next call begins anew
      before = 0;
      return part.ok() ? internalError("a record was lost; please report this") : part.status();
    }
    const auto at = [&](std::int64_t record) { return answers + static_cast<std::size_t>(record - before - 1) * stride; };
    for (std::size_t i = 0; i < (*part)->records.size(); ++i) {
      writeAnswer(*answered, static_cast<std::int64_t>(i), at((*part)->records[i]));
    }
    for (const RecordReader::Failure &failure : (*part)->failures) {
      writeFailure(at(failure.record), failure.text);
    }
    done += (*part)->records.size() + (*part)->failures.size();
  }
  before += static_cast<std::int64_t>(count);
  return {};
}

Status CSession::predictUnits(const char *records, std::size_t count, char *answers) {
  auto source = std::make_unique<Rows>(layout);
  Rows &given = *source;
  const RecordProgram &program = predictor.records().program;
  const std::vector<std::size_t> columns = program.inputColumns();
  const auto by = std::find(columns.begin(), columns.end(), static_cast<std::size_t>(program.seriesBy));
  given.giveUnits(records, count, by - columns.begin());
  RecordInput input;
  input.path = recordsName;
  input.rows = std::move(source);
  input.sort = true;
  PENSTOCK_ASSIGN(const std::unique_ptr<AnsweredRecords> units, AnsweredRecords::open(predictor, session, std::move(input)));
  const std::size_t stride = layout.answer.stride();
  std::vector<bool> isAnswered(count);
  for (;;) {
    PENSTOCK_ASSIGN(const RecordReader::Part *const part, units->next(batchRecords));
    if (part == nullptr) {
      break;
    }
    for (std::size_t i = 0; i < part->records.size(); ++i) { // of a unit the last one stays
      const auto unit = static_cast<std::size_t>(std::strtoull(part->units[i].c_str(), nullptr, 10));
      writeAnswer(*units, static_cast<std::int64_t>(i), answers + unit * stride);
      isAnswered[unit] = true;
    }
    for (const RecordReader::Failure &failure : part->failures) {
      if (const std::size_t unit = given.unitOf(failure.record); unit < count) {
        writeFailure(answers + unit * stride, failure.text);
        isAnswered[unit] = true;
      }
    }
  }
  for (std::size_t unit = 0; unit < count; ++unit) {
    if (!isAnswered[unit]) {
      writeFailure(answers + unit * stride, "it has fewer rows than a record of this pipeline");
    }
  }
  return {};
}

void CSession::writeFailure(char *answer, std::string_view text) {
  std::memset(answer, 0, layout.answer.bytes);
  for (const CAnswer &one : layout.answers) {
    for (const CField &field : one.fields) {
      writeMissing(field, answer);
    }
  }
  // Which record it is, its place says; the reader counts those of earlier calls.
  if (text.starts_with(recordsName)) {
    const std::size_t place = text.find(": ");
    text = place == std::string_view::npos ? text : text.substr(place + 2);
  }
  write(answer, layout.error, memory.keep(text));
}

/// What stands where there is no value: NaN, -1, "", no elements.
void CSession::writeMissing(const CField &field, char *to) {
  const ColumnField &described = *field.field;
  if (described.shape == PENSTOCK_LIST) {
    return; // zeros
  }
  for (const CField &inner : field.fields) {
    writeMissing(inner, to);
  }
  for (std::int64_t element = 0; described.element != PENSTOCK_STRUCT && element < described.width; ++element) {
    char *const at = to + field.value + static_cast<std::size_t>(element) * field.stride;
    switch (described.element) {
    case PENSTOCK_F32:
      write(at, 0, std::numeric_limits<float>::quiet_NaN());
      break;
    case PENSTOCK_F64:
      write(at, 0, std::numeric_limits<double>::quiet_NaN());
      break;
    case PENSTOCK_I64:
      write(at, 0, std::int64_t{-1});
      break;
    case PENSTOCK_BOOL:
    case PENSTOCK_TEXT:
      break; // zeros
    default:
      write(at, 0, std::int32_t{-1});
    }
  }
  if (described.element == PENSTOCK_CLASS && described.shape == PENSTOCK_EACH) {
    write(to, field.name, static_cast<const char *>(""));
  }
}

void CSession::writeAnswer(const AnsweredRecords &from, std::int64_t row, char *answer) {
  for (std::size_t i = 0; i < layout.answers.size(); ++i) {
    writeFields(layout.answers[i].fields, from.columns()[i], row, answer);
  }
}

void CSession::writeFields(const std::vector<CField> &fields, const std::vector<Column> &columns, std::int64_t row, char *to) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const CField &field = fields[i];
    const ColumnField &described = *field.field;
    const Column &column = columns[i];
    const auto [first, last] = column.elementsOf(described, row);
    if (described.shape == PENSTOCK_LIST) {
      const auto count = static_cast<std::size_t>(last - first);
      char *const list = memory.take(count * field.stride);
      for (std::int64_t element = first; element < last; ++element) {
        char *const at = list + static_cast<std::size_t>(element - first) * field.stride;
        if (described.element == PENSTOCK_STRUCT) {
          std::memset(at, 0, field.stride);
          writeFields(field.fields, column.children, element, at);
        } else {
          writeElement(column, element, at);
        }
      }
      write(to, field.value, list);
      write(to, field.count, count);
    } else if (described.element == PENSTOCK_STRUCT) {
      writeFields(field.fields, column.children, row, to);
    } else {
      if (!column.isThere(row)) {
        writeMissing(field, to);
        continue;
      }
      for (std::int64_t element = first; element < last; ++element) {
        writeElement(column, element, to + field.value + static_cast<std::size_t>(element - first) * field.stride);
      }
      if (described.element == PENSTOCK_CLASS && described.shape == PENSTOCK_EACH) {
        const std::int32_t index = column.of<std::int32_t>()[static_cast<std::size_t>(first)];
        write(to, field.name, index < 0 ? "" : described.classes[static_cast<std::size_t>(index)].c_str());
      }
    }
  }
}

void CSession::writeElement(const Column &column, std::int64_t element, char *to) {
  std::visit(
      [&]<typename Held>(const Held &all) {
        const auto value = all[static_cast<std::size_t>(element)];
        if constexpr (std::is_same_v<Held, TextValues>) {
          write(to, 0, Text{memory.keep(value), value.size()});
        } else {
          write(to, 0, value);
        }
      },
      column.values);
}

} // namespace penstock
