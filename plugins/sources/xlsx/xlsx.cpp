// A sheet of an Excel workbook: ECMA-376, SpreadsheetML. The file is read into memory, the sheet in it is unpacked as its rows are wanted.
// The first row that has a value is the header; rows without any are none. A formula is the value that was saved with it, an error (#N/A)
// is missing.
#include <penstock/sdk/source.h>

#include <expat.h>
#include <minizip/unzip.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>

namespace {

using namespace penstock;

constexpr std::size_t widest = 16384;                   // columns that a sheet can have
constexpr std::size_t longest = std::size_t{256} << 20; // of texts that cells share

/// The file as minizip wants it.
struct Memory {
  std::string bytes;
  std::size_t at = 0;

  static Memory &of(voidpf opaque) { return *static_cast<Memory *>(opaque); }
  static voidpf open(voidpf opaque, const void *, int) { return opaque; }
  static uLong read(voidpf opaque, voidpf, void *to, uLong size) {
    Memory &memory = of(opaque);
    const std::size_t count = std::min<std::size_t>(size, memory.bytes.size() - memory.at);
    std::memcpy(to, memory.bytes.data() + memory.at, count);
    memory.at += count;
    return count;
  }
  static uLong write(voidpf, voidpf, const void *, uLong) { return 0; }
  static ZPOS64_T tell(voidpf opaque, voidpf) { return of(opaque).at; }
  static long seek(voidpf opaque, voidpf, ZPOS64_T offset, int from) {
    Memory &memory = of(opaque);
    const std::size_t base = from == ZLIB_FILEFUNC_SEEK_SET ? 0 : from == ZLIB_FILEFUNC_SEEK_CUR ? memory.at : memory.bytes.size();
    if (offset > memory.bytes.size() - base) {
      return -1;
    }
    memory.at = base + offset;
    return 0;
  }
  static int nothing(voidpf, voidpf) { return 0; }
};

struct CloseZip {
  void operator()(void *zip) const { unzClose(zip); }
};
using Zip = std::unique_ptr<void, CloseZip>;
struct CloseParser {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

/// One XML file of the workbook, given element by element to handlers, a piece at a time.
class Part {
public:
  using Attributes = std::map<std::string_view, std::string_view>;
  virtual ~Part() = default;
  Part() : parser(XML_ParserCreate("UTF-8")) {
    if (parser == nullptr) {
      throw sdk::Failure("there is not enough memory for an XML parser");
    }
    XML_SetUserData(parser.get(), this);
    XML_SetElementHandler(
        parser.get(),
        [](void *self, const char *name, const char **given) {
          Attributes attributes;
          for (; *given != nullptr; given += 2) {
            attributes.emplace(local(given[0]), given[1]);
          }
          static_cast<Part *>(self)->begin(local(name), attributes);
        },
        [](void *self, const char *name) { static_cast<Part *>(self)->end(local(name)); });
    XML_SetCharacterDataHandler(parser.get(), [](void *self, const char *text, int size) {
      static_cast<Part *>(self)->text({text, static_cast<std::size_t>(size)});
    });
  }
  void parse(std::string_view bytes, bool last) {
    if (XML_Parse(parser.get(), bytes.data(), static_cast<int>(bytes.size()), last ? 1 : 0) != XML_STATUS_OK) {
      throw sdk::RowFailure(1, 0, std::string("the workbook is damaged: ") + XML_ErrorString(XML_GetErrorCode(parser.get())), true);
    }
  }

protected:
  virtual void begin(std::string_view name, const Attributes &attributes) = 0;
  virtual void end(std::string_view) {}
  virtual void text(std::string_view) {}
  static std::string_view valueOf(const Attributes &attributes, std::string_view name) {
    const auto found = attributes.find(name);
    return found == attributes.end() ? std::string_view() : found->second;
  }

private:
  /// `id` of `r:id`.
  static std::string_view local(std::string_view name) { return name.substr(name.rfind(':') + 1); }
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, CloseParser> parser;
};

std::int64_t numberOf(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = otherwise;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? value : otherwise;
}

struct Workbook final : Part {
  std::vector<std::pair<std::string, std::string>> sheets; // name, id of its place
  bool from1904 = false;
  void begin(std::string_view name, const Attributes &attributes) override {
    if (name == "sheet") {
      sheets.emplace_back(valueOf(attributes, "name"), valueOf(attributes, "id"));
    } else if (name == "workbookPr") {
      const std::string_view given = valueOf(attributes, "date1904");
      from1904 = given == "1" || given == "true";
    }
  }
};

struct Places final : Part {
  std::map<std::string, std::string> targets;
  void begin(std::string_view name, const Attributes &attributes) override {
    if (name == "Relationship") {
      targets.emplace(valueOf(attributes, "Id"), valueOf(attributes, "Target"));
    }
  }
};

/// Which styles of cells are dates.
struct Styles final : Part {
  std::map<std::int64_t, bool> formats;
  std::vector<bool> dates;
  bool inCells = false;

  static bool isDate(std::string_view code) {
    bool quoted = false;
    for (std::size_t i = 0; i < code.size(); ++i) {
      const char c = code[i];
      if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && c == '[') { // a colour or a condition; [h] is a duration
        i = std::min(code.find(']', i), code.size());
      } else if (!quoted && c == '\\') {
        ++i;
      } else if (!quoted && std::string_view("ymdhsYMDHS").find(c) != std::string_view::npos) {
        return true;
      }
    }
    return false;
  }
  static bool isBuiltIn(std::int64_t format) {
    return (format >= 14 && format <= 22) || (format >= 27 && format <= 36) || (format >= 45 && format <= 47) ||
           (format >= 50 && format <= 58);
  }
  void begin(std::string_view name, const Attributes &attributes) override {
    if (name == "numFmt") {
      formats[numberOf(valueOf(attributes, "numFmtId"), -1)] = isDate(valueOf(attributes, "formatCode"));
    } else if (name == "cellXfs") {
      inCells = true;
    } else if (name == "xf" && inCells) {
      const std::int64_t format = numberOf(valueOf(attributes, "numFmtId"), 0);
      const auto found = formats.find(format);
      dates.push_back(found == formats.end() ? isBuiltIn(format) : found->second);
    }
  }
  void end(std::string_view name) override { inCells = inCells && name != "cellXfs"; }
};

struct SharedTexts final : Part {
  std::vector<std::string> texts;
  std::size_t held = 0;
  bool inText = false, spoken = false;
  void begin(std::string_view name, const Attributes &) override {
    if (name == "si") {
      texts.emplace_back();
    }
    spoken = spoken || name == "rPh"; // how it is read aloud
    inText = name == "t" && !spoken && !texts.empty();
  }
  void end(std::string_view name) override {
    spoken = spoken && name != "rPh";
    inText = false;
  }
  void text(std::string_view more) override {
    if (inText) {
      held += more.size();
      if (held > longest) {
        throw sdk::RowFailure(1, 0, "the texts of the workbook are longer than 256 MiB", true);
      }
      texts.back() += more;
    }
  }
};

/// A serial number of Excel as ISO 8601: a date, a date and a time, or a time.
std::string dateOf(double serial, bool from1904) {
  constexpr double milliseconds = 86400000;
  const auto whole = static_cast<std::int64_t>(std::floor(serial));
  auto rest = static_cast<std::int64_t>(std::llround((serial - static_cast<double>(whole)) * milliseconds));
  std::int64_t days = whole + (rest == static_cast<std::int64_t>(milliseconds) ? 1 : 0);
  rest = rest == static_cast<std::int64_t>(milliseconds) ? 0 : rest;
  char time[32];
  std::snprintf(time, sizeof time, "%02d:%02d:%02d", static_cast<int>(rest / 3600000), static_cast<int>(rest / 60000 % 60),
                static_cast<int>(rest / 1000 % 60));
  std::string clock = time;
  if (rest % 1000 != 0) {
    std::snprintf(time, sizeof time, ".%03d", static_cast<int>(rest % 1000));
    clock += time;
  }
  if (days == 0 && !from1904) {
    return clock;
  }
  // Excel counts a 29 February 1900 that there was not.
  days += !from1904 && days < 60 ? 1 : 0;
  const std::int64_t since1970 = days - (from1904 ? 24107 : 25569);
  // Howard Hinnant's civil_from_days.
  const std::int64_t z = since1970 + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t ofEra = z - era * 146097, yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146096) / 365;
  const std::int64_t ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100), shifted = (5 * ofYear + 2) / 153;
  const int day = static_cast<int>(ofYear - (153 * shifted + 2) / 5 + 1),
            month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  const int year = static_cast<int>(yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
  char date[32];
  std::snprintf(date, sizeof date, "%04d-%02d-%02d", year, month, day);
  return std::string(date) + (rest == 0 ? "" : "T" + clock);
}

struct SheetRow {
  std::int64_t number = 0;
  std::vector<std::pair<std::size_t, std::string>> cells; // column, text; those that have a value
};

struct Sheet final : Part {
  Sheet(const std::vector<std::string> &shared, const std::vector<bool> &dates, bool from1904)
      : shared(shared), dates(dates), from1904(from1904) {}

  std::deque<SheetRow> rows; // that are whole

  void begin(std::string_view name, const Attributes &attributes) override {
    if (name == "row") {
      row = {};
      row.number = numberOf(valueOf(attributes, "r"), last + 1);
      last = row.number;
      column = 0;
    } else if (name == "c") {
      if (const std::string_view place = valueOf(attributes, "r"); !place.empty()) {
        column = 0;
        for (std::size_t i = 0; i < place.size() && place[i] >= 'A' && place[i] <= 'Z' && column <= widest; ++i) {
          column = column * 26 + static_cast<std::size_t>(place[i] - 'A') + 1;
        }
        column -= column > 0 ? 1 : 0;
      }
      type = valueOf(attributes, "t");
      style = numberOf(valueOf(attributes, "s"), -1);
      value.clear();
      has = false;
    }
    inValue = name == "v" || name == "t";
  }
  void end(std::string_view name) override {
    inValue = false;
    if (name == "c") {
      if (has && column < widest) {
        addCell();
      }
      ++column;
    } else if (name == "row" && !row.cells.empty()) {
      rows.push_back(std::move(row));
      row = {};
    }
  }
  void text(std::string_view more) override {
    if (inValue) {
      value += more;
      has = true;
    }
  }

private:
  void addCell() {
    if (type == "e") {
      return; // as #N/A: nothing is there
    }
    std::string cell;
    if (type == "s") {
      const std::int64_t index = numberOf(value, -1);
      if (index < 0 || index >= static_cast<std::int64_t>(shared.size())) {
        throw sdk::RowFailure(last, 0, "the workbook is damaged: a cell has the text " + value + " of " + std::to_string(shared.size()),
                              true);
      }
      cell = shared[static_cast<std::size_t>(index)];
    } else if (type == "str" || type == "inlineStr" || type == "d") {
      cell = value;
    } else if (type == "b") {
      cell = value == "1" ? "true" : "false";
    } else {
      cell = numberCell();
    }
    if (!cell.empty()) {
      row.cells.emplace_back(column, std::move(cell));
    }
  }
  std::string numberCell() const {
    double number = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) {
      return value;
    }
    constexpr double lastDay = 2958466; // 9999-12-31 and a day
    if (style >= 0 && style < static_cast<std::int64_t>(dates.size()) && dates[static_cast<std::size_t>(style)] && number >= 0 &&
        number < lastDay) {
      return dateOf(number, from1904);
    }
    char digits[32];
    return {digits, std::to_chars(digits, std::end(digits), number).ptr};
  }

  const std::vector<std::string> &shared;
  const std::vector<bool> &dates;
  const bool from1904;
  SheetRow row;
  std::int64_t last = 0, style = -1;
  std::size_t column = 0;
  std::string type, value;
  bool inValue = false, has = false;
};

class Xlsx {
public:
  explicit Xlsx(const sdk::Parameters &given) : sheet(given.integer("sheet")), skip(given.integer("skip")), name(given.text("name")) {}

  class Reader {
  public:
    Reader(const Xlsx &source, sdk::SourceBytes &bytes) : source(source), bytes(bytes) {}

    std::vector<sdk::Field> columns() {
      open();
      for (SheetRow row; nextRow(row);) {
        if (row.number > source.skip) {
          return fieldsOf(row);
        }
      }
      throw sdk::RowFailure(1, 0, "the sheet has no row for a header");
    }

    bool next(sdk::RowWriter &out) {
      bytes.ready = true; // all of it is here
      SheetRow row;
      if (!nextRow(row)) {
        return false;
      }
      for (const auto &[column, cell] : row.cells) {
        const auto found = fieldAt.find(column);
        if (found == fieldAt.end()) {
          throw sdk::RowFailure(row.number, static_cast<std::int64_t>(column) + 1, "the row has a cell behind the columns of the header");
        }
        if (out.wants(found->second)) {
          out[found->second].add(cell);
        }
      }
      out.endRow(row.number);
      return true;
    }

  private:
    void open() {
      constexpr std::size_t piece = std::size_t{1} << 20;
      for (std::size_t got = piece; got > 0;) {
        const std::size_t size = memory.bytes.size();
        memory.bytes.resize(size + piece);
        got = bytes.read(memory.bytes.data() + size, piece);
        memory.bytes.resize(size + got);
      }
      zlib_filefunc64_def functions = {Memory::open, Memory::read,    Memory::write,   Memory::tell,
                                       Memory::seek, Memory::nothing, Memory::nothing, &memory};
      zip.reset(unzOpen2_64("", &functions));
      if (zip == nullptr) {
        throw sdk::RowFailure(1, 0, "the file is no workbook of Excel (.xlsx)");
      }
      Workbook workbook;
      readWhole("xl/workbook.xml", workbook, true);
      Places places;
      readWhole("xl/_rels/workbook.xml.rels", places, true);
      Styles styles;
      readWhole("xl/styles.xml", styles, false);
      SharedTexts sharedTexts;
      readWhole("xl/sharedStrings.xml", sharedTexts, false);
      shared = std::move(sharedTexts.texts);
      dates = std::move(styles.dates);
      const std::string place = placeOf(workbook, places);
      if (unzLocateFile(zip.get(), place.c_str(), 1) != UNZ_OK || unzOpenCurrentFile(zip.get()) != UNZ_OK) {
        throw sdk::RowFailure(1, 0, "the workbook is damaged: it has no `" + place + "`");
      }
      rows = std::make_unique<Sheet>(shared, dates, workbook.from1904);
    }

    std::string placeOf(const Workbook &workbook, const Places &places) const {
      std::string names;
      const std::pair<std::string, std::string> *found = nullptr;
      for (std::size_t i = 0; i < workbook.sheets.size(); ++i) {
        const auto &one = workbook.sheets[i];
        names += (names.empty() ? "`" : ", `") + one.first + "`";
        const bool wanted = source.name.empty() ? static_cast<std::int64_t>(i) + 1 == source.sheet : one.first == source.name;
        found = wanted ? &one : found;
      }
      if (found == nullptr) {
        throw sdk::RowFailure(
            1, 0,
            (source.name.empty() ? "there is no sheet " + std::to_string(source.sheet) : "no sheet is called `" + source.name + "`") +
                "; the workbook has " + (names.empty() ? "none" : names));
      }
      const auto target = places.targets.find(found->second);
      std::string place = target == places.targets.end() ? "" : target->second;
      return place.starts_with('/') ? place.substr(1) : "xl/" + place;
    }

    void readWhole(const char *name, Part &part, bool needed) {
      if (unzLocateFile(zip.get(), name, 1) != UNZ_OK) {
        if (needed) {
          throw sdk::RowFailure(1, 0, "the file is no workbook of Excel (.xlsx): it has no `" + std::string(name) + "`");
        }
        return;
      }
      if (unzOpenCurrentFile(zip.get()) != UNZ_OK) {
        throw sdk::RowFailure(1, 0, "the workbook is damaged, or has a password");
      }
      while (feed(part)) {
      }
    }
    /// The next piece of the file that is open; false at its end.
    bool feed(Part &part) {
      char piece[std::size_t{1} << 16];
      const int got = unzReadCurrentFile(zip.get(), piece, sizeof piece);
      const bool end = got == 0;
      if (got < 0 || (end && unzCloseCurrentFile(zip.get()) != UNZ_OK)) {
        throw sdk::RowFailure(1, 0, "the workbook is damaged: a part of it cannot be unpacked", true);
      }
      part.parse({piece, static_cast<std::size_t>(got)}, end);
      return !end;
    }
    bool nextRow(SheetRow &row) {
      while (rows->rows.empty() && !ended) {
        ended = !feed(*rows);
      }
      if (rows->rows.empty()) {
        return false;
      }
      row = std::move(rows->rows.front());
      rows->rows.pop_front();
      return true;
    }

    std::vector<sdk::Field> fieldsOf(const SheetRow &header) {
      std::vector<sdk::Field> fields;
      std::set<std::string> seen;
      const std::size_t width = header.cells.back().first + 1;
      std::size_t next = 0;
      for (std::size_t column = 0; column < width; ++column) {
        const bool named = header.cells[next].first == column;
        const std::string name = named ? header.cells[next].second : "column " + std::to_string(column + 1);
        next += named ? 1 : 0;
        if (!seen.insert(name).second) {
          throw sdk::RowFailure(header.number, static_cast<std::int64_t>(column) + 1, "the header names `" + name + "` twice");
        }
        fieldAt[column] = fields.size();
        fields.push_back(sdk::Field::text(name));
      }
      return fields;
    }

    const Xlsx &source;
    sdk::SourceBytes &bytes;
    Memory memory;
    Zip zip;
    std::vector<std::string> shared;
    std::vector<bool> dates;
    std::unique_ptr<Sheet> rows;
    std::map<std::size_t, std::size_t> fieldAt; // by column of the sheet
    bool ended = false;
  };

private:
  const std::int64_t sheet, skip;
  const std::string name;
};

} // namespace

PENSTOCK_SOURCE(Xlsx, "xlsx", "1.0.0")
