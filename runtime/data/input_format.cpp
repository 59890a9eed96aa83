#include "runtime/data/input_format.h"

#include "runtime/data/memory_bytes.h"

#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock {

namespace {

constexpr std::size_t nameLimit = 60, lineLimit = 80; // characters of a name, of a line, that a message shows
constexpr std::size_t headLimit = std::size_t{64} << 10;
constexpr std::string_view blanks = " \t";
constexpr std::initializer_list<std::string_view> namedExtensions = {".csv",   ".tsv",    ".tab",   ".json",
                                                                     ".jsonl", ".ndjson", ".conll", ".conllu"};

/// ASCII letters only.
std::string lowerOf(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

/// ".csv" of `a/b.CSV`; "" where there is none.
std::string extensionOf(std::string_view path) {
  path = withoutPacking(path.substr(path.rfind('/') + 1)); // npos + 1 is 0
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0) {
    return {};
  }
  return lowerOf(path.substr(dot));
}

bool isOneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::vector<std::string_view> fieldsOf(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = line.find_first_not_of(blanks); begin != std::string_view::npos; begin = line.find_first_not_of(blanks, begin)) {
    const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return fields;
}

/// The lines of a text, the last one too where it has no end.
class Lines {
public:
  explicit Lines(std::string_view given) : text(given) { text.remove_prefix(text.starts_with("\xEF\xBB\xBF") ? 3 : 0); }
  bool next(std::string_view &line) {
    if (text.empty()) {
      return false;
    }
    const std::size_t end = text.find_first_of("\r\n");
    line = text.substr(0, end);
    ended = end != std::string_view::npos;
    text.remove_prefix(ended ? end + 1 : text.size());
    if (ended && line.data()[line.size()] == '\r' && text.starts_with('\n')) {
      text.remove_prefix(1);
    }
    return true;
  }
  bool ended = false; // the last line

private:
  std::string_view text;
};

/// The first line of a head that begins a record.
std::string_view firstRecord(const std::string &head, const ConllOptions &conll, bool &ended) {
  Lines lines(head);
  std::string_view line;
  while (lines.next(line)) {
    const std::size_t first = line.find_first_not_of(blanks);
    const bool skipped =
        first == std::string_view::npos || (!conll.comment.empty() && line.starts_with(conll.comment)) || fieldsOf(line)[0] == "-DOCSTART-";
    if (!skipped) {
      ended = lines.ended;
      return line;
    }
  }
  ended = false;
  return {};
}

/// Whether the run's own files have it.
bool isOwnExtension(const std::string &extension, const RecordProgram &program) {
  for (int split = 0; split < static_cast<int>(splitNames.size()) && !extension.empty(); ++split) {
    if (extensionOf(program.fileOf(split)) == extension) {
      return true;
    }
  }
  return false;
}

/// What is asked for by somebody, or by the pipeline where the name tells nothing.
std::string askedOf(const InputFacts &input, const RecordProgram &program) {
  const std::string extension = extensionOf(input.path);
  const bool tells = isOneOf(extension, namedExtensions) || extension == ".txt" || isOwnExtension(extension, program);
  return !input.asked.empty() || tells ? input.asked : input.standing;
}

class Chooser {
public:
  Chooser(const InputFacts &input, const RecordProgram &program, const Fitted &fitted, const std::vector<std::string> &columns)
      : input(input), program(program), fitted(fitted), columns(columns), extension(extensionOf(input.path)),
        asked(askedOf(input, program)) {}

  Result<RowOptions> choose() {
    if (ofPlugin() && (asked == program.sourceName || (asked.empty() && isOwnExtension(extension, program)))) {
      return program.rowOptions(); // whatever its bytes are
    }
    if (const ForeignFormat foreign = foreignFormat(input.head)) {
      return invalidInput(fmt::format("{} is {}; {}", quoted(), foreign.what, foreign.remedy));
    }
    if (asked == "lines") {
      return lines();
    }
    if (asked == "csv") {
      return csv(csvWays());
    }
    if (asked == "tsv") {
      return csv({tabs()});
    }
    if (asked == "jsonl") {
      return jsonl();
    }
    if (asked == "conll") {
      return conll();
    }
    if (!asked.empty()) {
      return usageError(fmt::format("`{}` is none: there are {}", asker(), formatNames()));
    }
    return tell();
  }

private:
  Result<RowOptions> tell() {
    if (isOwnExtension(extension, program)) {
      return extension == ".csv" && program.source == RowFormat::csv ? csv(csvWays()) : own();
    }
    if (extension == ".csv") {
      return csv(csvWays());
    }
    if (isOneOf(extension, {".tsv", ".tab"})) {
      return csv({tabs()});
    }
    if (isOneOf(extension, {".json", ".jsonl", ".ndjson"})) {
      return jsonl();
    }
    if (isOneOf(extension, {".conll", ".conllu"})) {
      return conll();
    }
    if (input.path.empty() || extension == ".txt") {
      PENSTOCK_TRY(checkIsText());
      return lines();
    }
    return own();
  }

  /// As the run reads its own data.
  Result<RowOptions> own() const {
    switch (program.source) {
    case RowFormat::csv:
      return csv({program.csv});
    case RowFormat::jsonl:
      return jsonl();
    case RowFormat::plugin:
      return program.rowOptions();
    case RowFormat::conll:
    case RowFormat::lines:
      break;
    }
    return conll();
  }

  bool ofPlugin() const { return program.source == RowFormat::plugin; }
  std::string formatNames() const {
    return ofPlugin() ? "lines, csv, tsv, jsonl, conll and, as the run's own data, " + program.sourceName
                      : "lines, csv, tsv, jsonl and conll";
  }

  Result<RowOptions> lines() const {
    const ColumnSpec *const only = columns.size() == 1 ? columnOf(columns[0]) : nullptr;
    if (only == nullptr || (only->type != ColumnSpec::Type::text && only->type != ColumnSpec::Type::words)) {
      return usageError(fmt::format("plain lines give one text, and this pipeline reads {} columns; "
                                    "give CSV or JSON Lines (`--format csv`, `--format jsonl`)",
                                    columns.size()));
    }
    return RowOptions{RowFormat::lines, {}, {}, {}};
  }

  /// The first of the ways in which the header has the columns.
  Result<RowOptions> csv(const std::vector<CsvOptions> &ways) const {
    const auto fits = std::find_if(ways.begin(), ways.end(), [&](const CsvOptions &way) { return lacking(way).empty(); });
    const std::string_view first = firstLine();
    if (fits != ways.end() || first.empty()) {
      return RowOptions{RowFormat::csv, fits != ways.end() ? *fits : ways.front(), {}, {}};
    }
    std::vector<std::string> names;
    for (const std::string &column : columns) {
      names.push_back("`" + printable(column, nameLimit) + "`");
    }
    const std::vector<std::string> meant = nearest(lacking(ways.front()).front(), headerOf(ways.front()));
    return cannotTell("CSV with a header", fmt::format("its first line, `{}`, has no column{} {} between {}{}", printable(first, lineLimit),
                                                       names.size() > 1 ? "s" : "", fmt::join(names, ", "), nameOf(ways),
                                                       meant.empty() ? "" : "; did you mean `" + printable(meant[0], nameLimit) + "`?"));
  }

  /// A usage error: what the name of the input or the run speaks for, and what speaks against it.
  Status cannotTell(std::string_view speaksFor, std::string_view against) const {
    if (!asked.empty()) {
      return usageError(fmt::format("{} is not {}, which `{}` asks for: {}{}", quoted(), speaksFor, asker(), against,
                                    input.asked.empty() ? "; say what it is with `--format`" : ""));
    }
    const bool named = isOneOf(extension, namedExtensions);
    return usageError(
        fmt::format("it cannot be told how to read {}: {} for {}, and {}; say how with `--format` (lines, csv, tsv, jsonl or conll)",
                    quoted(), named ? "its name speaks" : "the run's own data speak", speaksFor, against));
  }

  /// The first line that is not blank, or an empty one.
  std::string_view firstLine() const {
    Lines lines(input.head);
    std::string_view line;
    while (lines.next(line)) {
      if (line.find_first_not_of(blanks) != std::string_view::npos) {
        return line;
      }
    }
    return {};
  }
  template <typename Judge> bool anyLine(Judge judge) const {
    Lines lines(input.head);
    for (std::string_view line; lines.next(line);) {
      if (judge(line)) {
        return true;
      }
    }
    return false;
  }

  Result<RowOptions> jsonl() const {
    const std::string_view first = firstLine();
    const std::size_t begin = first.find_first_not_of(blanks);
    if (!asked.empty() || first.empty()) {
      return RowOptions{RowFormat::jsonl, {}, {}, {}};
    }
    if (first[begin] == '[' || first.substr(begin) == "{") {
      return usageError(fmt::format("{} holds {}, and records are read from lines with one object each; write it so, for example with "
                                    "`jq -c {}`, or say how to read it with `--format`",
                                    quoted(), first[begin] == '[' ? "a JSON array" : "an object over several lines",
                                    first[begin] == '[' ? "'.[]'" : "."));
    }
    const auto isObject = [](std::string_view line) {
      const std::size_t at = line.find_first_not_of(blanks);
      return at != std::string_view::npos && line[at] == '{';
    };
    return anyLine(isObject) ? Result<RowOptions>(RowOptions{RowFormat::jsonl, {}, {}, {}})
                             : cannotTell("JSON Lines", "no line at its beginning is an object");
  }

  /// The columns of the run's own lines, or only those up to the last that is read, where the first line has so many: words whose
  /// tags nobody knows yet.
  Result<RowOptions> conll() const {
    if (program.source != RowFormat::conll) {
      const std::string own = program.source == RowFormat::csv     ? "CSV"
                              : program.source == RowFormat::jsonl ? "JSON Lines"
                                                                   : "read by `" + program.sourceName + "`";
      return usageError(fmt::format("the columns of the CoNLL file {} are not known, because the run's own data are {}; give it as {}, and "
                                    "say so with `--format`",
                                    quoted(), own, ofPlugin() ? "these" : own));
    }
    RowOptions options{RowFormat::conll, {}, program.conll};
    std::vector<std::string> &names = options.conll.columns;
    std::size_t needed = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      needed = std::find(columns.begin(), columns.end(), names[i]) != columns.end() ? i + 1 : needed;
    }
    bool ended = false;
    const std::string_view first = firstRecord(input.head, program.conll, ended);
    const std::size_t found = fieldsOf(first).size();
    const bool certain = !asked.empty() || isOneOf(extension, {".conll", ".conllu"});
    const bool header =
        fieldsOf(first) == std::vector<std::string_view>(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(needed));
    if (certain && found == needed && (!header || !asked.empty())) {
      names.resize(needed);
      return options;
    }
    // A line of a word and its tag is also a text of two words.
    const auto fits = [&](std::string_view line) { return fieldsOf(line).size() == names.size(); };
    const bool good = certain ? !asked.empty() || anyLine(fits) : hasTags() ? looksTagged(first) : fits(first);
    if (found > 0 && !good) {
      return cannotTell(fmt::format("CoNLL with {} columns a line", names.size()),
                        fmt::format("its first line is `{}`", printable(first, lineLimit)));
    }
    return options;
  }

  /// Plain lines have no header: an error where the first one looks like that of another format.
  Status checkIsText() const {
    std::string_view first;
    if (columns.size() != 1 || !Lines(input.head).next(first)) {
      return {};
    }
    const std::string &column = columns[0];
    const std::string shown = printable(column, nameLimit);
    const auto looks = [&](std::string_view like, std::string_view format) {
      return usageError(
          fmt::format("the first line of {}, `{}`, looks like {}; say how to read it: `--format {}`, or `--format lines` where "
                      "it is a text",
                      quoted(), printable(first, lineLimit), like, format));
    };
    // A name alone on its line is one however it is written: `Text` is no note of a workshop.
    const std::size_t begin = std::min(first.find_first_not_of(blanks), first.size());
    const std::string alone = lowerOf(first.substr(begin, first.find_last_not_of(blanks) + 1 - begin));
    const std::vector<CsvOptions> ways = csvWays();
    if (alone == lowerOf(column) || std::any_of(ways.begin(), ways.end(), [&](const CsvOptions &way) { return lacking(way).empty(); })) {
      return looks(fmt::format("a header with the column `{}`", shown), "csv");
    }
    if (first.find_first_not_of(blanks) != std::string_view::npos && first[first.find_first_not_of(blanks)] == '{') {
      const auto json = nlohmann::json::parse(first, nullptr, false);
      if (json.is_object() && json.contains(column)) {
        return looks(fmt::format("JSON Lines with the key `{}`", shown), "jsonl");
      }
    }
    return looksTagged(first) ? looks("CoNLL, a word and its tag a line", "conll") : Status{};
  }

  /// Whether a column of the run's CoNLL holds tags.
  bool hasTags() const {
    return std::any_of(program.columns.begin(), program.columns.end(),
                       [](const ColumnSpec &column) { return column.type == ColumnSpec::Type::tags; });
  }

  bool looksTagged(std::string_view line) const {
    const std::vector<std::string_view> fields = fieldsOf(line);
    const std::vector<std::string> &names = program.conll.columns;
    if (program.source != RowFormat::conll || fields.empty() || names.size() < 2) {
      return false;
    }
    if (fields[0] == "-DOCSTART-") {
      return true;
    }
    for (std::size_t i = 0; i < names.size() && fields.size() == names.size(); ++i) {
      const ColumnSpec *const column = columnOf(names[i]);
      if (column == nullptr || column->type != ColumnSpec::Type::tags) {
        continue;
      }
      const std::vector<std::string> &known = fitted.classes[static_cast<std::size_t>(column - program.columns.data())];
      const std::string_view tag = fields[i];
      const std::string_view type = tag.size() > 2 && tag[1] == '-' ? tag.substr(1) : std::string_view();
      const bool isTag =
          (column->scheme != TagScheme::none && tag == "O") || std::any_of(known.begin(), known.end(), [&](const std::string &name) {
            return name == tag || (column->scheme != TagScheme::none && !type.empty() && name.ends_with(type));
          });
      if (isTag) {
        return true;
      }
    }
    return false;
  }

  std::vector<std::string> headerOf(const CsvOptions &way) const {
    const std::unique_ptr<RowSource> rows = makeCsvRows(std::make_unique<MemoryBytes>(input.head), way);
    return rows->begin().ok() ? rows->names() : std::vector<std::string>();
  }
  /// The columns of the run that the header does not have.
  std::vector<std::string> lacking(const CsvOptions &way) const {
    const std::vector<std::string> header = headerOf(way);
    std::vector<std::string> names = columns;
    std::erase_if(names, [&](const std::string &name) { return columnAt(header, name) >= 0; });
    return names;
  }
  const ColumnSpec *columnOf(const std::string &from) const {
    const auto found =
        std::find_if(program.columns.begin(), program.columns.end(), [&](const ColumnSpec &one) { return one.from == from; });
    return found == program.columns.end() ? nullptr : &*found;
  }
  /// The run's own way, then what spreadsheets write.
  std::vector<CsvOptions> csvWays() const {
    std::vector<CsvOptions> ways;
    if (program.source == RowFormat::csv) {
      ways.push_back(program.csv);
    }
    for (const char delimiter : {',', ';', '\t'}) {
      const bool isOwn = !ways.empty() && ways[0].delimiter == delimiter && ways[0].header && ways[0].skip == 0;
      if (!isOwn) {
        ways.emplace_back().delimiter = delimiter;
      }
    }
    return ways;
  }
  CsvOptions tabs() const {
    CsvOptions tabs = program.source == RowFormat::csv && program.csv.delimiter == '\t' ? program.csv : CsvOptions();
    tabs.delimiter = '\t';
    return tabs;
  }

  /// Who asks for the form.
  std::string asker() const {
    return input.asked.empty() ? "deploy { input: " + asked + " }" : "--format " + printable(input.asked, nameLimit);
  }
  std::string quoted() const { return shownInput(input.path); }
  static std::string nameOf(const std::vector<CsvOptions> &ways) {
    std::string text;
    for (const CsvOptions &way : ways) {
      const std::string name = way.delimiter == '\t' ? "tabs" : "`" + std::string(1, way.delimiter) + "`";
      text += text.find(name) != std::string::npos ? "" : (text.empty() ? "" : " or ") + name;
    }
    return text;
  }

  const InputFacts &input;
  const RecordProgram &program;
  const Fitted &fitted;
  const std::vector<std::string> &columns;
  const std::string extension, asked;
};

} // namespace

std::string shownInput(const std::string &path) { return path.empty() ? "standard input" : "`" + printable(path) + "`"; }

bool isStandardInput(std::string_view path) { return isOneOf(path, {"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}); }

bool headIsEnough(const InputFacts &input, const RecordProgram &program) {
  const std::string asked = askedOf(input, program);
  const bool byPlugin = program.source == RowFormat::plugin && asked == program.sourceName;
  if (byPlugin || isOneOf(asked, {"lines", "jsonl"}) || input.head.size() >= headLimit) {
    return true;
  }
  const bool text = asked.empty() && (input.path.empty() || extensionOf(input.path) == ".txt");
  bool ended = false;
  if (text) {
    std::string_view first;
    Lines lines(input.head);
    return lines.next(first) && lines.ended;
  }
  const std::string_view record = firstRecord(input.head, program.conll, ended);
  return !record.empty() && ended;
}

Result<Encoding> encodingOf(const InputFacts &input, const RecordProgram &program) {
  const auto names = wordsOf(Encoding::utf8);
  const auto found = std::find(names.begin(), names.end(), input.encoding);
  if (found != names.end()) {
    return static_cast<Encoding>(found - names.begin());
  }
  if (!input.encoding.empty()) {
    return usageError(fmt::format("`--encoding {}` is none: there are {}", printable(input.encoding, nameLimit), fmt::join(names, ", ")));
  }
  const std::string extension = extensionOf(input.path), asked = askedOf(input, program);
  const bool byName = asked.empty() && (isOwnExtension(extension, program) ||
                                        (program.source == RowFormat::csv && isOneOf(extension, {".csv", ".tsv", ".tab"})) ||
                                        (program.source == RowFormat::jsonl && isOneOf(extension, {".json", ".jsonl", ".ndjson"})) ||
                                        (program.source == RowFormat::conll && isOneOf(extension, {".conll", ".conllu"})));
  const bool own = byName || asked == program.sourceName || (asked == "tsv" && program.source == RowFormat::csv);
  return own ? program.encoding : Encoding::utf8;
}

Result<RowOptions> chooseFormat(const InputFacts &input, const RecordProgram &program, const Fitted &fitted,
                                const std::vector<std::string> &columns) {
  return Chooser(input, program, fitted, columns).choose();
}

} // namespace penstock
