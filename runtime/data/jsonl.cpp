// JSON Lines: one object a line; blank lines are skipped. Strings give their text, numbers and
// booleans the text JSON writes for them, null nothing, arrays of strings lists. A name with dots is a key that has them, or leads into
// objects and arrays: `body.text`, `tags.0`.
#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"
#include "runtime/data/rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>

namespace penstock {

namespace {

using Json = nlohmann::json;

/// Takes the selected members of one object as it is parsed; makes no tree.
class ObjectReader : public nlohmann::json_sax<Json> {
public:
  std::vector<std::string> values;
  std::vector<bool> given, lists, isList, isText; // lists: where a list may stand; isList: where one does
  std::unordered_map<std::string, std::size_t> wanted;
  std::vector<std::string> names;
  std::unordered_map<std::string, bool> known;
  bool isObject = false, nested = false, notWords = false;
  bool failed = false, outOfRange = false, inString = false; // inString: the mistake is within a string
  std::string nestedKey;
  std::size_t position = 0; // of a mistake: behind its last byte

  void select() {
    paths.clear();
    for (const auto &[name, slot] : wanted) {
      if (name.find('.') != std::string::npos) {
        Path &path = paths.emplace_back();
        path.slot = slot;
        path.name = name;
      }
    }
    std::sort(paths.begin(), paths.end(), [](const Path &a, const Path &b) { return a.slot < b.slot; });
  }

  void reset() {
    std::fill(given.begin(), given.end(), false);
    isObject = nested = notWords = failed = inList = false;
    depth = 0;
    slot = none;
    frames.clear();
    for (Path &path : paths) {
      path.isKey = false;
    }
  }

  bool null() override {
    scalar({}, false, false);
    return inList ? wrongItem() : leave();
  }
  bool boolean(bool value) override { return inList ? wrongItem() : take(value ? "true" : "false", false); }
  bool number_integer(number_integer_t value) override { return inList ? wrongItem() : take(std::to_string(value), false); }
  bool number_unsigned(number_unsigned_t value) override { return inList ? wrongItem() : take(std::to_string(value), false); }
  bool number_float(number_float_t, const string_t &text) override { return inList ? wrongItem() : take(text, false); }
  bool string(string_t &value) override {
    if (inList && depth == listDepth) {
      scalar(value, true, true);
      values[listSlot] += value;
      values[listSlot] += listEnd;
      return true;
    }
    return inList ? true : take(value, true);
  }
  bool binary(binary_t &) override { return leave(); }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t &value) override {
    if (!frames.empty()) {
      frames.back().follow(value, paths);
    }
    if (depth != 1) {
      return true;
    }
    const auto found = wanted.find(value);
    if ((names.size() < maximumNames || found != wanted.end()) && known.emplace(value, true).second) {
      names.push_back(value);
    }
    slot = found == wanted.end() ? none : found->second;
    for (Path &path : paths) {
      path.isKey = path.isKey || path.slot == slot;
    }
    if (slot != none) {
      given[slot] = isList[slot] = false;
    }
    return true;
  }
  bool parse_error(std::size_t at, const std::string &token, const nlohmann::detail::exception &error) override {
    failed = true;
    outOfRange = dynamic_cast<const nlohmann::detail::out_of_range *>(&error) != nullptr;
    position = at;
    inString = token.starts_with('"') && token.find('"', 1) == std::string::npos;
    return false;
  }

private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  static constexpr std::size_t maximumNames = 10000;

  /// A wanted name with dots.
  struct Path {
    std::size_t slot = 0;
    std::string name;
    bool isKey = false; // the record has it as one key, which wins
  };
  /// How far the name of a path is used up: whole at its size.
  struct Reached {
    std::size_t path, used;
  };
  /// An object or array that is open.
  struct Frame {
    std::vector<Reached> here, next; // next: by the value that comes
    bool array = false;
    std::int64_t index = -1; // of the value that came last

    void follow(std::string_view key, const std::vector<Path> &paths) {
      next.clear();
      for (const Reached &one : here) {
        const std::string_view rest = std::string_view(paths[one.path].name).substr(one.used);
        if (rest.starts_with(key) && !key.empty() && (rest.size() == key.size() || rest[key.size()] == '.')) {
          next.push_back({one.path, one.used + key.size() + (rest.size() == key.size() ? 0 : 1)});
        }
      }
    }
  };

  bool isWhole(const Reached &one) const { return one.used == paths[one.path].name.size(); }
  /// Whether a value within objects or arrays is that of the path.
  bool takes(const Reached &one) const { return isWhole(one) && frames.size() > 1 && !paths[one.path].isKey; }

  void count() {
    if (!frames.empty() && frames.back().array) {
      frames.back().follow(std::to_string(++frames.back().index), paths);
    }
  }
  void name(const Path &path) {
    if (known.emplace(path.name, true).second) {
      names.push_back(path.name);
    }
  }
  /// A value that is no object and no array; `there`: not null.
  void scalar(const std::string &value, bool text, bool there) {
    count();
    if (frames.empty()) {
      return;
    }
    for (const Reached &one : frames.back().next) {
      if (const Path &path = paths[one.path]; takes(one)) {
        name(path);
        values[path.slot] = value;
        isText[path.slot] = text;
        isList[path.slot] = false;
        given[path.slot] = there;
      }
    }
  }
  void openFrame(bool object) {
    count();
    Frame made;
    made.array = !object;
    for (std::size_t i = 0; i < paths.size() && frames.empty(); ++i) {
      made.here.push_back({i, 0});
    }
    for (const Reached &one : frames.empty() ? std::vector<Reached>() : frames.back().next) {
      const Path &path = paths[one.path];
      if (!takes(one)) {
        made.here.push_back(one);
      } else if (name(path); !object && lists[path.slot] && !inList) {
        beginList(path.slot);
      } else if (!nested) {
        nested = true;
        nestedKey = path.name;
      }
    }
    frames.push_back(std::move(made));
  }
  void beginList(std::size_t at) {
    values[at].clear();
    given[at] = isList[at] = inList = true;
    listSlot = at;
    listDepth = depth + 1;
  }

  bool take(std::string value, bool text) {
    scalar(value, text, true);
    if (depth == 1 && slot != none) {
      values[slot] = std::move(value);
      isText[slot] = text;
      given[slot] = true;
    }
    return leave();
  }
  bool leave() {
    if (depth == 1) {
      slot = none;
    }
    return true;
  }
  bool open(bool object) {
    const bool wasInList = inList;
    if (!paths.empty()) {
      openFrame(object);
    }
    if (depth == 0) {
      isObject = object;
    } else if (depth == 1 && slot != none && !object && lists[slot]) {
      beginList(slot);
    } else if (depth == 1 && slot != none && !nested) {
      nested = true;
      nestedKey = nameOfSlot();
    } else if (wasInList) {
      wrongItem();
    }
    ++depth;
    return true;
  }
  bool close() {
    --depth;
    inList = inList && depth >= listDepth;
    if (!frames.empty()) {
      frames.pop_back();
    }
    return leave();
  }
  bool wrongItem() {
    if (!notWords) {
      notWords = true;
      nestedKey = nameOfSlot();
    }
    return true;
  }
  std::string nameOfSlot() const {
    for (const auto &[name, index] : wanted) {
      if (index == (inList ? listSlot : slot)) {
        return name;
      }
    }
    return {};
  }

  std::size_t depth = 0, slot = none;
  bool inList = false;
  std::size_t listSlot = none, listDepth = 0;
  std::vector<Path> paths;
  std::vector<Frame> frames; // where there are paths
};

/// What is wrong at byte `at` of a line, where the reader stopped.
std::string mistake(std::string_view text, std::size_t at, const ObjectReader &reader) {
  if (reader.outOfRange) {
    return "a number is too large";
  }
  if (at >= text.size()) {
    return reader.inString ? "it ends within a string" : "it ends before the object does";
  }
  const auto byte = static_cast<unsigned char>(text[at]);
  if (reader.inString) {
    return byte < 0x20 ? "a control character stands in a string; write it as an escape, such as \\t or \\n"
                       : "an escape in a string is not one of JSON's";
  }
  if (byte == '\'') {
    return "strings stand in double quotes";
  }
  // Values that JSON does not know are read letter by letter.
  for (const std::string_view word : {"NaN", "Infinity", "None", "True", "False", "undefined"}) {
    const std::size_t from = at >= word.size() ? at - word.size() : 0;
    if (const std::size_t found = text.find(word, from); found != std::string_view::npos && found <= at) {
      return fmt::format("`{}` is no value of JSON", word);
    }
  }
  std::size_t end = at + 1;
  while (end < text.size() && continuesUtf8(text[end])) {
    ++end;
  }
  return fmt::format("`{}` cannot stand here", printable(text.substr(at, end - at)));
}

class JsonLines : public RowSource {
public:
  explicit JsonLines(std::unique_ptr<ByteSource> bytes) : lines(makePlainLines(std::move(bytes))) { lines->select({""}); }

  Status begin() override { return lines->begin(); }
  const std::vector<std::string> &names() const override { return reader.names; }
  bool ready() override { return lines->ready(); }

  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override {
    reader.wanted.clear();
    slots.clear();
    for (const std::string &column : columns) {
      slots.push_back(reader.wanted.emplace(column, reader.wanted.size()).first->second);
    }
    reader.values.assign(reader.wanted.size(), {});
    reader.given.assign(reader.wanted.size(), false);
    reader.isList.assign(reader.wanted.size(), false);
    reader.isText.assign(reader.wanted.size(), false);
    reader.lists.assign(reader.wanted.size(), false);
    reader.select();
    for (std::size_t i = 0; i < lists.size(); ++i) {
      reader.lists[slots[i]] = reader.lists[slots[i]] || lists[i];
    }
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    for (;;) {
      PENSTOCK_ASSIGN(const RowStep step, lines->next(whole, error));
      if (step == RowStep::end) {
        return step;
      }
      if (step == RowStep::error) {
        error.row = error.last ? 0 : ++number;
        return step;
      }
      const std::string_view text = whole.cells[0].text;
      if (text.find_first_not_of(" \t") == std::string_view::npos) {
        continue;
      }
      ++number;
      reader.reset();
      Json::sax_parse(text.begin(), text.end(), &reader);
      error = {};
      error.row = number;
      error.line = whole.line;
      error.column = 1;
      if (reader.failed) {
        error.kind = RowError::Kind::notJson;
        const std::size_t at = reader.position > 0 ? reader.position - 1 : 0;
        error.column = countScalars(text.substr(0, std::min(at, text.size()))) + 1;
        error.detail = mistake(text, at, reader);
        return RowStep::error;
      }
      if (!reader.isObject) {
        error.kind = RowError::Kind::notAnObject;
        return RowStep::error;
      }
      if (reader.nested || reader.notWords) {
        error.kind = reader.nested ? RowError::Kind::nestedValue : RowError::Kind::notWords;
        error.detail = reader.nestedKey;
        return RowStep::error;
      }
      row.number = number;
      row.line = whole.line;
      row.cells.resize(slots.size());
      for (std::size_t i = 0; i < slots.size(); ++i) {
        const std::size_t slot = slots[i];
        const bool list = reader.isList[slot];
        row.cells[i] = reader.given[slot] ? Cell{reader.values[slot], true, list, !list && !reader.isText[slot]} : Cell{};
      }
      return RowStep::row;
    }
  }

private:
  std::unique_ptr<RowSource> lines;
  Row whole;
  ObjectReader reader;
  std::vector<std::size_t> slots;
  std::int64_t number = 0;
};

} // namespace

std::unique_ptr<RowSource> makeJsonLines(std::unique_ptr<ByteSource> bytes) { return std::make_unique<JsonLines>(std::move(bytes)); }

} // namespace penstock
