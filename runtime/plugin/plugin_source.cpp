#include "runtime/base/printable.h"
#include "runtime/plugin/judged_columns.h"
#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/plugin_through.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

namespace penstock {

namespace {

// Limits of what a source may give; docs/design/plugins.md lists them.
constexpr std::size_t maximumColumns = std::size_t{1} << 16, maximumName = std::size_t{1} << 16, maximumProblems = std::size_t{1} << 16,
                      maximumSentence = 4096;
constexpr std::int64_t maximumRows = std::int64_t{1} << 20; // of one call

/// What is wrong with a column that a source describes, in words that follow "its column"; "" where it is sound and was copied.
std::string judgeField(const PenstockField &given, ColumnField &field) {
  if (!PENSTOCK_HAS(&given, PenstockField, fields)) {
    return fmt::format(" has {} bytes, fewer than the first version had", given.struct_size);
  }
  std::string reason;
  if (!judgeText(given.name, maximumName, reason)) {
    return " has a name that " + reason;
  }
  if (given.name.size == 0) {
    return " has no name";
  }
  field.name.assign(given.name.data, given.name.size);
  field.element = given.element;
  field.shape = given.shape;
  const bool text = field.element == PENSTOCK_TEXT, number = field.element == PENSTOCK_F64 || field.element == PENSTOCK_I64;
  const bool known = text || number || field.element == PENSTOCK_BOOL;
  if (!known || given.width != 1 || (field.shape != PENSTOCK_EACH && (field.shape != PENSTOCK_LIST || !text))) {
    return fmt::format(" `{}` has the element {}, the shape {} and the width {}, which no source gives", printable(field.name, 80),
                       field.element, field.shape, given.width);
  }
  return {};
}

class PluginSource final : public Source, public std::enable_shared_from_this<PluginSource> {
public:
  PluginSource(Bound given, void *self) : bound(std::move(given)), functions(bound.table<PenstockSource>()), self(self) {}
  ~PluginSource() override {
    endObject(bound, "destroy", [&](PenstockError *) {
      functions->destroy(self);
      return 0;
    });
  }
  Result<std::unique_ptr<SourceReader>> open(ReadBytes read) const override;

  const Bound bound;
  const PenstockSource *const functions;

private:
  void *self;
};

/// The file that a reader is lent, and the sinks that it is given: all of them are this object.
class Reader final : public SourceReader {
public:
  Reader(std::shared_ptr<const PluginSource> source, ReadBytes read)
      : source(std::move(source)), bound(this->source->bound), functions(this->source->functions), readBytes(std::move(read)) {
    file = {sizeof file, this, [](void *context, void *to, std::size_t size, std::size_t *got) {
              return with(context, [&](Reader &reader) { return reader.lendBytes(static_cast<char *>(to), size, got); });
            }};
  }
  ~Reader() override {
    if (reader != nullptr) {
      endObject(bound, "close", [&](PenstockError *) {
        functions->close(reader);
        return 0;
      });
    }
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  Status begin(const void *self) {
    PENSTOCK_ASSIGN(
        reader, makeObject(bound, "open", [&](void **made, PenstockError *error) { return functions->open(self, &file, made, error); }));
    const PenstockFieldSink sink = {sizeof sink, this, [](void *context, const PenstockField *given) {
                                      return with(context, [&](Reader &reader) { return reader.takeField(given); });
                                    }};
    return call("describe", [&](PenstockError *error) { return functions->describe(reader, &sink, error); });
  }

  const Schema &schema() const override { return fields; }

  Status select(const std::vector<int> &wanted) override {
    selected.clear();
    for (const int field : wanted) {
      selected.push_back(fields[static_cast<std::size_t>(field)]);
    }
    const std::vector<std::int32_t> places(wanted.begin(), wanted.end());
    return call("select", [&](PenstockError *error) {
      return functions->select(reader, places.data(), static_cast<std::int64_t>(places.size()), error);
    });
  }

  Result<bool> next(SourceRows &rows) override {
    if (rows.columns.size() != selected.size()) {
      rows.columns = columnsOf(selected);
    }
    for (Column &column : rows.columns) {
      column.clear();
    }
    rows.rows = 0;
    rows.lines.clear();
    rows.problems.clear();
    if (ended) {
      return false;
    }
    into = &rows;
    bytes = 0;
    const PenstockRowSink sink = {
        sizeof sink, this,
        [](void *context, const PenstockColumns *given) { return with(context, [&](Reader &reader) { return reader.takeRows(given); }); },
        [](void *context, const PenstockRowProblem *given) {
          return with(context, [&](Reader &reader) { return reader.takeProblem(given); });
        }};
    Status done = call("next", [&](PenstockError *error) { return functions->next(reader, &sink, error); });
    into = nullptr;
    PENSTOCK_TRY(std::move(done));
    const bool any = rows.rows > 0 || !rows.problems.empty();
    ended = ended || !any;
    return any;
  }

private:
  template <typename Work> static std::int32_t with(void *context, Work &&work) {
    auto *const found = ActiveSink::find<Reader>(context);
    return found == nullptr ? 1 : found->fault.guard([&] { return work(*found); });
  }

  /// What the host could not read is told before what the plugin made of it.
  template <typename Work> Status call(const char *entry, Work &&work) {
    Status done = callWithSink(bound, entry, this, fault, std::forward<Work>(work));
    return unread.ok() || !fault.none() ? std::move(done) : unread;
  }

  std::int32_t lendBytes(char *to, std::size_t size, std::size_t *got) {
    if (got == nullptr || (to == nullptr && size > 0)) {
      return fault.say("it reads to a null pointer");
    }
    *got = 0;
    if (fileEnded || size == 0) {
      return 0;
    }
    Result<std::size_t> read = unread.ok() ? readBytes(to, size) : Result<std::size_t>(unread);
    if (!read.ok()) {
      unread = read.status();
      return 1;
    }
    *got = *read;
    fileEnded = *got == 0;
    return 0;
  }

  std::int32_t takeField(const PenstockField *given) {
    if (given == nullptr || fields.size() == maximumColumns) {
      return fault.say(given == nullptr ? "it describes a column at a null pointer"
                                        : fmt::format("it describes more than {} columns", maximumColumns));
    }
    ColumnField field;
    if (const std::string reason = judgeField(*given, field); !reason.empty()) {
      return fault.say("its column" + reason);
    }
    if (!names.insert(field.name).second) {
      return fault.say("it describes two columns of one name");
    }
    fields.push_back(std::move(field));
    return 0;
  }

  std::int32_t takeRows(const PenstockColumns *given) {
    if (given == nullptr || into == nullptr) {
      return fault.say(given == nullptr ? "it gives rows at a null pointer" : "it gives rows before it is asked for them");
    }
    if (PENSTOCK_HAS(given, PenstockColumns, records) && given->records > maximumRows - into->rows) {
      return fault.say(fmt::format("it gives more than {} rows at once", maximumRows));
    }
    if (const std::string reason = takeColumns(*given, selected, {}, maximumRows, into->columns, bytes); !reason.empty()) {
      return fault.say("it " + reason);
    }
    const std::int64_t before = into->rows;
    into->rows += given->records;
    if ((given->first_rows != nullptr) != !into->lines.empty() && before > 0 && given->records > 0) {
      return fault.say("it says of some rows on which line they begin, and of others not");
    }
    if (given->first_rows != nullptr && given->records > 0) {
      if (std::any_of(given->first_rows, given->first_rows + given->records, [](std::int64_t line) { return line < 1; })) {
        return fault.say("it gives a row that begins on a line below 1");
      }
      into->lines.insert(into->lines.end(), given->first_rows, given->first_rows + given->records);
    }
    return 0;
  }

  std::int32_t takeProblem(const PenstockRowProblem *given) {
    if (given == nullptr || into == nullptr || !PENSTOCK_HAS(given, PenstockRowProblem, sentence)) {
      return fault.say("it gives a problem at a null pointer, of too few bytes, or before it is asked for rows");
    }
    if (into->problems.size() == maximumProblems || ended) {
      return fault.say(ended ? "it gives a problem behind its last"
                             : fmt::format("it gives more than {} problems at once", maximumProblems));
    }
    std::string reason;
    if (!judgeText(given->sentence, maximumSentence, reason)) {
      return fault.say("it gives a problem whose sentence " + reason);
    }
    if (given->sentence.size == 0 || given->line < 0 || given->column < 0) {
      return fault.say("it gives a problem without a sentence, or at a place below 0");
    }
    ended = given->last != 0;
    into->problems.push_back(
        {into->rows, given->line, given->column, std::string(given->sentence.data, given->sentence.size), given->last != 0});
    return 0;
  }

  const std::shared_ptr<const PluginSource> source;
  const Bound &bound;
  const PenstockSource *const functions;
  ReadBytes readBytes;
  PenstockSourceFile file{};
  void *reader = nullptr;
  Fault fault;
  Status unread; // why the file could not be read further
  bool fileEnded = false, ended = false;
  Schema fields, selected;
  std::unordered_set<std::string> names;
  SourceRows *into = nullptr;
  std::size_t bytes = 0;
};

Result<std::unique_ptr<SourceReader>> PluginSource::open(ReadBytes read) const {
  auto reader = std::make_unique<Reader>(shared_from_this(), std::move(read));
  PENSTOCK_TRY(reader->begin(self));
  return std::unique_ptr<SourceReader>(std::move(reader));
}

Result<std::shared_ptr<const Source>> sourceOf(Bound bound) {
  PENSTOCK_ASSIGN(void *const self, makeObject(bound, "create", [&](void **made, PenstockError *error) {
                    return bound.table<PenstockSource>()->create(bound.services, bound.parameters(), made, error);
                  }));
  return std::shared_ptr<const Source>(std::make_shared<PluginSource>(std::move(bound), self));
}

} // namespace

Result<std::shared_ptr<const Source>> makeSource(PluginHost &host, const std::string &plugin, const std::string &parametersJson) {
  PENSTOCK_ASSIGN(Bound bound, bindPlugin(host, plugin, PluginKind::source, parametersJson));
  return sourceOf(std::move(bound));
}

namespace {

void check(const PluginManifest &, const void *functions, Missing &missing) {
  const auto &f = *static_cast<const PenstockSource *>(functions);
  missing.need(f.create, "create");
  missing.need(f.destroy, "destroy");
  missing.need(f.open, "open");
  missing.need(f.close, "close");
  missing.need(f.describe, "describe");
  missing.need(f.select, "select");
  missing.need(f.next, "next");
}

Status trySource(const Bound &bound) {
  TAKE_UNLESS_REFUSED(source, sourceOf(bound));
  for (std::string_view text : {"", "a 1\nb 2\n"}) {
    TAKE_UNLESS_REFUSED(reader, source->open([&text](char *into, std::size_t size) -> Result<std::size_t> {
      const std::size_t count = text.copy(into, size);
      text.remove_prefix(count);
      return count;
    }));
    std::vector<int> all(reader->schema().size());
    std::iota(all.begin(), all.end(), 0);
    TRY_UNLESS_REFUSED(reader->select(all));
    SourceRows rows;
    bool more = true;
    for (int call = 0; more && call < 100; ++call) {
      TAKE_UNLESS_REFUSED(any, reader->next(rows));
      more = any;
    }
  }
  return Status::success();
}

const void *wrap(const void *functions) {
  static PenstockSource table;
  table = copyOf<PenstockSource>(functions);
  WRAP(table, PenstockSource, create);
  WRAP(table, PenstockSource, destroy);
  WRAP(table, PenstockSource, open);
  WRAP(table, PenstockSource, close);
  WRAP(table, PenstockSource, describe);
  WRAP(table, PenstockSource, select);
  WRAP(table, PenstockSource, next);
  return &table;
}

} // namespace

static_assert(static_cast<int>(PluginKind::source) == PENSTOCK_SOURCE);
const KindFunctions sourceFunctions = {PENSTOCK_SIZE_WITH(PenstockSource, next), check, trySource, wrap};

} // namespace penstock
