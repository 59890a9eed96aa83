#include "runtime/data/encode.h"

#include "runtime/data/columns/column.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace penstock {

void RowBlock::clear(std::size_t columns) {
  width = columns;
  bytes.clear();
  places.clear();
  numbers.clear();
  lines.clear();
  splits.clear();
  files.clear();
  dropped = {};
  bad = 0;
  spanning.clear();
}

void RowBlock::add(const Row &row, int split) {
  if (row.span != Row::Span::none) {
    spanning.emplace_back(rows(), row.span);
  }
  for (const Cell &cell : row.cells) {
    places.push_back({bytes.size(), cell.text.size(), cell.present, cell.list, cell.literal});
    bytes.append(cell.text);
  }
  numbers.push_back(row.number);
  lines.push_back(row.line);
  splits.push_back(split);
  files.push_back(row.file);
}

void RowBlock::add(const RowBlock &from, std::size_t row) {
  for (std::size_t column = 0; column < width; ++column) {
    const Cell cell = from.cell(row, column);
    places.push_back({bytes.size(), cell.text.size(), cell.present, cell.list, cell.literal});
    bytes.append(cell.text);
  }
  numbers.push_back(from.numbers[row]);
  lines.push_back(from.lines[row]);
  splits.push_back(from.splits[row]);
  files.push_back(from.files[row]);
}

void RowBlock::keep(const std::vector<bool> &kept) {
  std::size_t to = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    if (!kept[row]) {
      continue;
    }
    std::copy_n(places.begin() + static_cast<std::ptrdiff_t>(row * width), width, places.begin() + static_cast<std::ptrdiff_t>(to * width));
    numbers[to] = numbers[row];
    lines[to] = lines[row];
    splits[to] = splits[row];
    files[to] = files[row];
    ++to;
  }
  places.resize(to * width);
  numbers.resize(to);
  lines.resize(to);
  splits.resize(to);
  files.resize(to);
  spanning.clear();
}

Cell RowBlock::cell(std::size_t row, std::size_t column) const {
  const Place &place = places[row * width + column];
  return {std::string_view(bytes).substr(place.offset, place.size), place.present, place.list, place.literal};
}

void RowBlock::read(std::size_t row, Row &to) const {
  to.number = numbers[row];
  to.line = lines[row];
  to.file = files[row];
  const auto found =
      std::lower_bound(spanning.begin(), spanning.end(), row, [](const auto &one, std::size_t wanted) { return one.first < wanted; });
  to.span = found != spanning.end() && found->first == row ? found->second : Row::Span::none;
  to.cells.clear();
  for (std::size_t column = 0; column < width; ++column) {
    to.cells.push_back(cell(row, column));
  }
}

Result<bool> readBlock(const RecordProgram &program, RowSource &rows, int fileSplit, int split, RowBlock &block,
                       std::vector<RowError> &errors, bool skips) {
  constexpr std::size_t rowLimit = 1024, byteLimit = std::size_t{256} << 10;
  block.clear(program.fileColumns().size());
  Row row;
  RowError error;
  const std::size_t errorsBefore = errors.size();
  while (block.rows() < rowLimit && block.bytesHeld() < byteLimit) {
    PENSTOCK_ASSIGN(const RowStep step, rows.next(row, error));
    if (step == RowStep::end) {
      return block.rows() > 0 || errors.size() > errorsBefore;
    }
    if (step == RowStep::error && skips && program.skipBad > 0 && !error.last) {
      ++block.bad; // no more than there may be, as the facts say
      continue;
    }
    if (step == RowStep::error) {
      errors.push_back(error);
      if (errors.size() - errorsBefore >= rowLimit) {
        return true;
      }
      continue;
    }
    const bool isPlaced = row.split >= 0; // then its source has chosen: rows of an earlier split may be needed as well
    const int rowSplit = isPlaced                                          ? row.split
                         : program.splitBy == RecordProgram::SplitBy::hash ? program.splitOf(row.cells.back().text)
                                                                           : fileSplit;
    if (split >= 0 && rowSplit != split && !isPlaced) {
      continue;
    }
    if (!program.drops(row)) {
      block.add(row, rowSplit);
    } else if (rowSplit >= 0) {
      ++block.dropped[static_cast<std::size_t>(rowSplit)];
    }
  }
  return true;
}

void PreparedTexts::begin(const LinkedFeature &spec) {
  feature = &spec;
  scratch.resize(spec.cleans.size());
  arena.clear();
  copied.clear();
  texts.clear();
  wordCounts.clear();
}

void PreparedTexts::add(const ColumnSpec &column, const Cell &cell, bool alone) {
  const Cell given = judgeCell(column, cell) == CellState::value ? cell : Cell{};
  if (!feature->cutFromWords) {
    addText(given.text);
    return;
  }
  itemsOf(given, items, alone ? feature->wordsAlone : feature->words);
  for (const std::string_view word : items) {
    addText(word);
  }
  wordCounts.push_back(static_cast<std::int32_t>(items.size()));
}

void PreparedTexts::addText(std::string_view raw) {
  std::string_view text = raw;
  for (std::size_t i = 0; i < scratch.size(); ++i) {
    text = cleanText(text, feature->cleans[i], scratch[i]);
  }
  const std::less<const char *> before;
  const bool inside = !before(text.data(), raw.data()) && !before(raw.data() + raw.size(), text.data());
  if (!inside) {
    copied.emplace_back(texts.size(), arena.size());
    arena.append(text);
  }
  texts.push_back(text);
}

void PreparedTexts::finish() {
  for (const auto &[index, offset] : copied) {
    texts[index] = std::string_view(arena).substr(offset, texts[index].size());
  }
}

std::int64_t specialTokensOf(const LinkedFeature &feature, const Tokenizer &tokenizer) {
  const Tokenizer::SpecialTokens &special = tokenizer.specialTokens();
  return static_cast<std::int64_t>(special.prefix.size() + special.suffix.size() + (feature.isPair() ? special.separator.size() : 0));
}

std::string stuckSentence(const LinkedFeature &feature) {
  const bool first = feature.truncation == Truncation::first;
  return fmt::format("the {} text of `{}` alone fills `max_length` {}, and `truncate: {}` cuts the {} one only; write "
                     "`truncate: longest_first`, or a larger `max_length`",
                     first ? "second" : "first", feature.name, feature.maxLength, first ? "first" : "second", first ? "first" : "second");
}

Status encodeTexts(const LinkedFeature &feature, const Tokenizer &tokenizer, const PreparedTexts &prepared, EncodedTexts &out) {
  out.ids.clear();
  out.lengths.clear();
  out.rowWord.clear();
  out.firsts.clear();
  out.cut = 0;
  out.stuck = -1;
  const Tokenizer::SpecialTokens &special = tokenizer.specialTokens();
  const std::int64_t specials = specialTokensOf(feature, tokenizer);
  const bool limited = feature.maxLength >= 0 && feature.maxLength < std::numeric_limits<std::int32_t>::max();
  if (limited && feature.maxLength < specials) {
    return invalidInput(fmt::format("feature `{}` has `max_length` {}, and the tokenizer `{}` puts {} special "
                                    "tokens into each record; give it room for them",
                                    feature.name, feature.maxLength, feature.plugin, specials));
  }
  const std::int64_t room = limited ? feature.maxLength - specials : std::numeric_limits<std::int64_t>::max();
  // One more than there is room for shows whether a text was longer; where two are cut depends on the whole of both.
  const std::int64_t most = limited && !feature.isPair() ? room + 1 : -1;
  PENSTOCK_TRY(tokenizer.encode(prepared.texts, most, false, out.tokens));
  if (out.tokens.offsets.size() != prepared.texts.size() + 1) {
    return environmentError(
        fmt::format("the tokenizer `{}` answered {} of {} texts", feature.plugin, out.tokens.offsets.size() - 1, prepared.texts.size()));
  }
  const std::int64_t vocabulary = tokenizer.vocabularySize();
  const auto put = [&](const std::vector<std::int32_t> &ids) { out.ids.insert(out.ids.end(), ids.begin(), ids.end()); };
  const auto putText = [&](std::size_t text, std::int64_t count) {
    const std::int32_t *ids = out.tokens.ids.data() + out.tokens.offsets[text];
    out.ids.insert(out.ids.end(), ids, ids + count);
  };
  const auto sizeOf = [&](std::size_t text) { return out.tokens.offsets[text + 1] - out.tokens.offsets[text]; };
  std::size_t text = 0;
  for (std::size_t record = 0; record < prepared.records(); ++record) {
    const std::size_t begin = out.ids.size();
    put(special.prefix);
    std::size_t texts = 1;
    if (feature.isPair()) {
      texts = 2;
      const std::int64_t first = sizeOf(text), second = sizeOf(text + 1);
      const auto kept = cutPair(feature.truncation, first, second, room);
      if (!kept) {
        out.ids.resize(begin);
        out.stuck = static_cast<std::int64_t>(record);
        break;
      }
      out.cut += kept->first < first || kept->second < second ? 1 : 0;
      putText(text, kept->first);
      put(special.separator);
      out.firsts.push_back(static_cast<std::int32_t>(out.ids.size() - begin));
      putText(text + 1, kept->second);
    } else {
      texts = feature.cutFromWords ? static_cast<std::size_t>(prepared.wordCounts[record]) : 1;
      std::int64_t left = room;
      bool whole = true;
      for (std::size_t word = 0; word < texts; ++word) {
        const std::int64_t given = sizeOf(text + word), taken = std::min(given, left);
        if (feature.cutFromWords && taken > 0) {
          out.rowWord.resize(out.ids.size(), -1);
          out.rowWord.push_back(static_cast<std::int32_t>(word));
        }
        putText(text + word, taken);
        left -= taken;
        whole = whole && taken == given;
      }
      out.cut += whole ? 0 : 1;
    }
    put(special.suffix);
    if (out.ids.size() == begin) {
      out.ids.push_back(tokenizer.unknownId());
      if (feature.cutFromWords) {
        out.rowWord.push_back(texts > 0 ? 0 : -1);
      }
      if (feature.isPair()) {
        out.firsts.back() = 1;
      }
    }
    if (feature.cutFromWords) {
      out.rowWord.resize(out.ids.size(), -1);
    }
    text += texts;
    const std::size_t length = out.ids.size() - begin;
    if (length > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      return invalidInput(fmt::format("a text of feature `{}` has {} tokens, more than can be "
                                      "numbered; set `max_length`",
                                      feature.name, length));
    }
    out.lengths.push_back(static_cast<std::int32_t>(length));
  }
  std::int32_t low = 0, high = 0;
  for (const std::int32_t id : out.ids) {
    low = std::min(low, id);
    high = std::max(high, id);
  }
  if (low < 0 || (high >= vocabulary && !out.ids.empty())) {
    return environmentError(fmt::format("the tokenizer `{}` gave the id {}, and its vocabulary has "
                                        "{} tokens; its ids must be below that",
                                        feature.plugin, low < 0 ? low : high, vocabulary));
  }
  return Status::success();
}

namespace {

bool isListed(const ColumnSpec &column, std::string_view text) {
  return std::find(column.missing.begin(), column.missing.end(), text) != column.missing.end();
}

/// By type: how a cell without blanks around it becomes a number; false where it is none. NULL of types that hold no numbers.
using ReadCell = bool (*)(const ColumnSpec &column, std::string_view text, double &value);
constexpr ReadCell cellReaders[] = {
#define COLUMN_TYPE(...) nullptr,
#define NUMBER_COLUMN_TYPE(ID, ...) columns::ID::readCell,
#include "runtime/base/column_types.def"
};

} // namespace

CellState judgeCell(const ColumnSpec &column, const Cell &cell) {
  double number;
  if (cellReaders[static_cast<std::size_t>(column.type)] != nullptr) {
    return readNumber(column, cell, number);
  }
  switch (column.type) {
  case ColumnSpec::Type::text:
    if (cell.present) {
      return isListed(column, cell.text) ? CellState::filled : CellState::value;
    }
    return CellState::missing;
  case ColumnSpec::Type::classId:
    if (!column.missing.empty() && (!cell.present || !cell.text.empty() || isListed(column, cell.text))) {
      return CellState::value;
    }
    if (cell.present && cell.text.empty() && column.classes &&
        std::find(column.classes->begin(), column.classes->end(), "") != column.classes->end()) {
      return CellState::value;
    }
    break;
  case ColumnSpec::Type::set: // an empty cell is a set without labels
    return cell.present && !isListed(column, cell.text) ? CellState::value : CellState::missing;
  case ColumnSpec::Type::words:
  case ColumnSpec::Type::tags:
    return cell.present ? CellState::value : CellState::missing;
  default:
    break;
  }
  return cell.present && !cell.text.empty() && !isListed(column, cell.text) ? CellState::value : CellState::missing;
}

std::string_view classOf(const ColumnSpec &column, const Cell &cell) {
  const bool missing = !column.missing.empty() && (!cell.present || isListed(column, cell.text));
  return missing ? std::string_view(column.missing.front()) : cell.text;
}

void labelsOf(const ColumnSpec &column, const Cell &cell, std::vector<std::string_view> &labels) {
  labels.clear();
  const std::string_view separator = cell.list ? std::string_view(&listEnd, 1) : std::string_view(column.separator);
  for (std::size_t at = 0; at <= cell.text.size();) {
    const std::size_t end = std::min(cell.text.find(separator, at), cell.text.size());
    std::string_view label = cell.text.substr(at, end - at);
    at = end + separator.size();
    const std::size_t first = label.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
      continue;
    }
    label = label.substr(first, label.find_last_not_of(" \t") - first + 1);
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) {
      labels.push_back(label);
    }
  }
}

CellState readNumber(const ColumnSpec &column, const Cell &cell, double &number) {
  number = std::numeric_limits<double>::quiet_NaN();
  if (cell.present ? isListed(column, cell.text) : !column.missing.empty()) {
    return CellState::filled;
  }
  std::string_view text = cell.present ? cell.text : std::string_view();
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  if (text.empty()) {
    return isListed(column, "") ? CellState::filled : CellState::missing;
  }
  return cellReaders[static_cast<std::size_t>(column.type)](column, text, number) ? CellState::value : CellState::bad;
}

std::string textOf(const ColumnSpec &column, const Cell &cell) {
  std::string text(judgeCell(column, cell) == CellState::value ? cell.text : std::string_view());
  if (cell.list && !text.empty()) {
    text.pop_back();
    std::replace(text.begin(), text.end(), listEnd, ' ');
  }
  return text;
}

int unequalList(const RecordProgram &program, const RowBlock &block, std::size_t row, std::vector<std::string_view> &scratch,
                std::size_t counts[2]) {
  bool first = true;
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const Cell cell = block.cell(row, i);
    if (!program.columns[i].isList() || !cell.present) {
      continue;
    }
    itemsOf(cell, scratch, program.textWords[i]);
    if (first) {
      counts[0] = scratch.size();
      first = false;
    } else if (scratch.size() != counts[0]) {
      counts[1] = scratch.size();
      return static_cast<int>(i);
    }
  }
  return -1;
}

} // namespace penstock
