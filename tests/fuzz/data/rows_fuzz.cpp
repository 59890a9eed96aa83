// libFuzzer target of the CSV, JSON Lines, CoNLL and plain-line readers, and of what makes tags of one scheme. The first byte of the input
// chooses the reader and how the bytes arrive. What must hold beside not crashing: reading ends, rows and lines only grow, cells are UTF-8
// and as many as were asked for, and it does not matter in which pieces the bytes come.
#include "runtime/base/utf8.h"
#include "runtime/data/rows.h"
#include "runtime/data/tags.h"
#include "runtime/text/clean.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace penstock;

namespace {

void require(bool good, const char *what) {
  if (!good) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

class Pieces : public ByteSource {
public:
  Pieces(std::string_view text, std::size_t piece) : text(text), piece(piece) {}
  Result<std::size_t> read(char *into, std::size_t size) override {
    const std::size_t count = std::min({size, piece, text.size()});
    text.copy(into, count);
    text.remove_prefix(count);
    return count;
  }

private:
  std::string_view text;
  std::size_t piece;
};

/// Everything that came out, as one text to compare.
std::string readAll(std::string_view text, int kind, std::size_t piece) {
  auto bytes = std::make_unique<Pieces>(text, piece);
  std::unique_ptr<RowSource> rows;
  switch (kind) {
  case 0:
    rows = makeCsvRows(std::move(bytes), {});
    break;
  case 1:
    rows = makeCsvRows(std::move(bytes), {';'});
    break;
  case 2:
    rows = makeJsonLines(std::move(bytes));
    break;
  case 3:
    rows = makeConllRows(std::move(bytes), {{"text", "tag"}, "#"});
    break;
  default:
    rows = makePlainLines(std::move(bytes));
  }
  require(rows->begin().ok(), "begin failed");
  std::vector<std::string> columns = rows->names();
  columns.resize(std::min<std::size_t>(columns.size(), 100));
  columns.push_back("text");
  rows->select(columns, std::vector<bool>(columns.size(), kind == 2 || kind == 3));
  std::string all;
  Row row;
  RowError error;
  CleanScratch scratch;
  CleanOptions clean;
  clean.unicode = CleanOptions::Unicode::nfkc;
  clean.lowercase = clean.collapse = true;
  std::int64_t number = -1, line = 0;
  for (std::size_t steps = 0;; ++steps) {
    require(steps <= text.size() + 1, "more rows than bytes");
    const Result<RowStep> step = rows->next(row, error);
    require(step.ok(), "reading failed");
    if (step.value() == RowStep::end) {
      return all;
    }
    const bool bad = step.value() == RowStep::error;
    require((bad ? error.row : row.number) >= number, "row numbers go back");
    number = bad ? error.row : row.number;
    if (bad) {
      require(error.line >= 1 && error.column >= 1 && !error.sentence().empty(), "an error without a place");
      all += "! " + error.sentence() + " " + std::to_string(error.line) + ":" + std::to_string(error.column) + "\n";
      continue;
    }
    require(row.line > line, "lines do not grow");
    line = row.line;
    require(row.cells.size() == columns.size(), "another number of cells");
    for (const Cell &cell : row.cells) {
      std::vector<std::string_view> items;
      itemsOf(cell, items);
      items.push_back(cell.list ? std::string_view() : cell.text);
      for (const std::string_view item : items) {
        require(findInvalidUtf8(item) == std::string_view::npos, "a cell is not UTF-8");
        const std::string_view cleaned = cleanText(item, clean, scratch);
        require(findInvalidUtf8(cleaned) == std::string_view::npos, "a cleaned cell is not UTF-8");
      }
      for (const TagScheme scheme : {TagScheme::iob1, TagScheme::iob2, TagScheme::iobes}) {
        std::vector<TagProblem> problems;
        const std::vector<std::string> tags = toIob2(scheme, items, problems);
        std::vector<TagProblem> again;
        require(tags.size() == items.size() && toIob2(TagScheme::iob2, {tags.begin(), tags.end()}, again) == tags && again.empty(),
                "the tags are not IOB2");
      }
      all += cell.present ? "[" : "-";
      all += cell.text;
      all += "]";
    }
    all += std::to_string(row.number) + ":" + std::to_string(row.line) + "\n";
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char *>(data) + 1, size - 1);
  const int kind = data[0] & 7;
  const std::size_t piece = 1U + (data[0] >> 3);
  require(readAll(text, kind, size) == readAll(text, kind, piece), "the pieces matter");
  return 0;
}
