// Lists in the cells of files that have no lists of their own: a text that is a JSON array of strings.
#include "runtime/data/rows.h"

#include <nlohmann/json.hpp>

#include <new>

namespace penstock {

namespace {

using Json = nlohmann::json;

/// Takes an array of strings as it is parsed.
class ArrayReader : public nlohmann::json_sax<Json> {
public:
  explicit ArrayReader(std::string &list) : list(list) {}
  bool isArray = false, onlyStrings = true;

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_unsigned(number_unsigned_t) override { return other(); }
  bool number_float(number_float_t, const string_t &) override { return other(); }
  bool binary(binary_t &) override { return other(); }
  bool string(string_t &value) override {
    list += value;
    list += listEnd;
    return true;
  }
  bool start_object(std::size_t) override { return other(); }
  bool key(string_t &) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override {
    onlyStrings = onlyStrings && !isArray;
    isArray = true;
    return true;
  }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override { return false; }

private:
  bool other() {
    onlyStrings = false;
    return true;
  }
  std::string &list;
};

enum class Shape { text, list, notWords, notAList };

/// What a cell's text is that begins with a bracket; `list` gets the items of a list, `what` says what else it is.
Shape readList(std::string_view text, std::string &list, const char *&what) {
  constexpr std::string_view blanks = " \t\r\n";
  text = text.substr(text.find_first_not_of(blanks));
  text = text.substr(0, text.find_last_not_of(blanks) + 1);
  const char open = text.front();
  const char close = open == '[' ? ']' : open == '{' ? '}' : ')';
  const bool closed = text.size() > 1 && text.back() == close;
  list.clear();
  if (open == '[') {
    ArrayReader reader(list);
    if (Json::sax_parse(text.begin(), text.end(), &reader)) {
      return reader.onlyStrings ? Shape::list : Shape::notWords;
    }
  }
  const std::size_t inside = text.find_first_not_of("[ \t", 1);
  const char first = inside == std::string_view::npos ? '\0' : text[inside];
  if (open == '[') {
    if (first == '\'') {
      what = "a list as Python writes it";
      return Shape::notAList;
    }
    if (first == '"') {
      what = closed ? "an array that is not JSON" : "an array that is cut off";
      return Shape::notAList;
    }
    // `[a] b [c]` and `[urgent]` are texts.
    if (closed && text.find_first_of("[]", 1) == text.size() - 1 && text.find(',') != std::string_view::npos) {
      what = "a list whose items have no quotes";
      return Shape::notAList;
    }
    return Shape::text;
  }
  if (closed && (first == '\'' || first == '"') && (open == '{' || text.find(',') != std::string_view::npos)) {
    what = open == '(' ? "a tuple as Python writes it" : first == '\'' ? "a set as Python writes it" : "a set or an object";
    return Shape::notAList;
  }
  return Shape::text;
}

class ListCells : public RowSource {
public:
  explicit ListCells(std::unique_ptr<RowSource> given) : rows(std::move(given)) {}

  Status begin() override { return rows->begin(); }
  const std::vector<std::string> &names() const override { return rows->names(); }
  bool ready() override { return rows->ready(); }

  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override {
    rows->select(columns, lists);
    places.clear();
    keys.clear();
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (lists[i]) {
        places.push_back(i);
        keys.push_back(columns[i]);
      }
    }
    texts.resize(places.size());
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step != RowStep::row || places.empty()) {
      return step;
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      Cell &cell = row.cells[places[i]];
      if (!cell.present || cell.list) {
        continue;
      }
      const std::size_t first = cell.text.find_first_not_of(" \t\r\n");
      if (first == std::string_view::npos || (cell.text[first] != '[' && cell.text[first] != '{' && cell.text[first] != '(')) {
        continue;
      }
      const char *what = "";
      Shape shape = Shape::text;
      try {
        shape = readList(cell.text, texts[i], what);
      } catch (const std::bad_alloc &) {
        return environmentError("not enough memory for one list of the data");
      }
      if (shape == Shape::list) {
        cell.text = texts[i];
        cell.list = true;
      } else if (shape != Shape::text) {
        error = {};
        error.kind = shape == Shape::notWords ? RowError::Kind::notWords : RowError::Kind::notAList;
        error.row = row.number;
        error.line = row.line;
        error.detail = keys[i];
        error.remedy = what;
        return RowStep::error;
      }
    }
    return RowStep::row;
  }

private:
  std::unique_ptr<RowSource> rows;
  std::vector<std::size_t> places; // of the cells that may hold lists
  std::vector<std::string> keys;   // their names
  std::vector<std::string> texts;  // the lists of the row
};

} // namespace

bool readsLikeList(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || std::string_view("[{(").find(text[first]) == std::string_view::npos) {
    return false;
  }
  std::string list;
  const char *what = nullptr;
  return readList(text, list, what) != Shape::text;
}

std::unique_ptr<RowSource> readListCells(std::unique_ptr<RowSource> rows) { return std::make_unique<ListCells>(std::move(rows)); }

} // namespace penstock
