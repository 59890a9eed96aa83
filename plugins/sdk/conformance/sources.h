// The promises of sources: what is read of a file does not depend on how its bytes come, and no bytes at all do harm.
#pragma once

#include "hard_texts.h"

#include <penstock/sdk/columns.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace penstock::conformance::detail {

/// A file in memory, lent in pieces; what was read of it.
class SourceRead {
public:
  struct Way {                                                                 // how it is read
    std::size_t piece = std::size_t{1} << 20;                                  // bytes of a read, at most
    std::size_t failsAt = SIZE_MAX;                                            // where the file cannot be read further
    bool stops = false;                                                        // the sink takes no rows
    std::function<bool(std::size_t)> wants = [](std::size_t) { return true; }; // a column, by its place
  };

  SourceRead(const PenstockSource &f, const void *self, std::string_view text, const Way &way) : text(text), way(way) {
    const PenstockSourceFile file = {sizeof file, this, give};
    void *reader = nullptr;
    PenstockError error{};
    if (f.open(self, &file, &reader, &error) != 0) {
      fail(error, "open");
      return;
    }
    if (const PenstockFieldSink sink = {sizeof sink, this, takeField}; f.describe(reader, &sink, &error) != 0) {
      fail(error, "describe");
    } else {
      read(f, reader);
    }
    f.close(reader);
  }
  SourceRead(const SourceRead &) = delete;
  SourceRead &operator=(const SourceRead &) = delete;

  std::vector<std::string> names;
  std::vector<std::string> rows;     // the cells of each that were wanted; "!" a problem
  std::string failure;               // of a call, "" where all went well
  bool silent = false;               // ... which had no reason
  bool afterLast = false;            // something came behind the last problem, or behind the end
  bool endless = false, met = false; // met: the place where the file cannot be read, or the sink that stops

private:
  void read(const PenstockSource &f, void *reader) {
    PenstockError error{};
    std::vector<std::int32_t> fields;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (way.wants(i)) {
        fields.push_back(static_cast<std::int32_t>(i));
      }
    }
    if (f.select(reader, fields.data(), static_cast<std::int64_t>(fields.size()), &error) != 0) {
      return fail(error, "select");
    }
    const PenstockRowSink sink = {sizeof sink, this, takeRows, takeProblem};
    constexpr std::size_t most = std::size_t{1} << 22;
    for (std::size_t before = rows.size();; before = rows.size()) {
      if (f.next(reader, &sink, &error) != 0) {
        return fail(error, "next");
      }
      if (rows.size() == before) {
        break;
      }
      if (ended || rows.size() > most) {
        endless = rows.size() > most;
        return;
      }
    }
    const std::size_t all = rows.size();
    afterLast = afterLast || (f.next(reader, &sink, &error) == 0 && rows.size() > all);
  }
  void fail(const PenstockError &error, const char *call) {
    silent = error.text[0] == '\0';
    failure = std::string(call) + " failed: " + std::string(error.text, strnlen(error.text, sizeof error.text));
  }

  static std::int32_t give(void *context, void *to, std::size_t size, std::size_t *got) {
    auto &self = *static_cast<SourceRead *>(context);
    const std::size_t end = std::min(self.text.size(), self.way.failsAt);
    *got = std::min({size, self.way.piece, end - self.at});
    self.met = self.met || (*got == 0 && end == self.way.failsAt);
    if (*got == 0 && end == self.way.failsAt) {
      return 1;
    }
    self.text.copy(static_cast<char *>(to), *got, self.at);
    self.at += *got;
    return 0;
  }
  static std::int32_t takeField(void *context, const PenstockField *field) {
    static_cast<SourceRead *>(context)->names.emplace_back(sdk::view(field->name));
    return 0;
  }
  static std::int32_t takeRows(void *context, const PenstockColumns *given) {
    auto &self = *static_cast<SourceRead *>(context);
    self.met = self.met || self.way.stops;
    self.afterLast = self.afterLast || self.ended;
    for (std::int64_t r = 0; r < given->records; ++r) {
      std::string row = given->first_rows == nullptr ? "" : std::to_string(given->first_rows[r]);
      for (std::int32_t c = 0; c < given->columns.count; ++c) {
        row += "\t" + cell(sdk::rowOf<PenstockColumn>(given->columns, c), r);
      }
      self.rows.push_back(std::move(row));
    }
    return self.way.stops ? 1 : 0;
  }
  static std::int32_t takeProblem(void *context, const PenstockRowProblem *given) {
    auto &self = *static_cast<SourceRead *>(context);
    self.afterLast = self.afterLast || self.ended;
    self.ended = given->last != 0;
    self.rows.push_back("!" + std::to_string(given->line) + ":" + std::to_string(given->column) + " " +
                        std::string(sdk::view(given->sentence)));
    return 0;
  }
  static std::string cell(const PenstockColumn &column, std::int64_t row) {
    if (column.present != nullptr && column.present[row] == 0) {
      return "-";
    }
    if (column.field->element != PENSTOCK_TEXT) {
      return std::to_string(sdk::numberAt(column, row));
    }
    const auto *const texts = static_cast<const PenstockString *>(column.values);
    if (column.field->shape != PENSTOCK_LIST) {
      return std::string(sdk::view(texts[row]));
    }
    std::string list;
    for (std::int64_t i = column.offsets[row]; i < column.offsets[row + 1]; ++i) {
      list += std::string(sdk::view(texts[i])) + "\x1F";
    }
    return list;
  }

  std::string_view text;
  const Way way;
  std::size_t at = 0;
  bool ended = false; // by a last problem
};

/// What a source may be given beside files of its own.
inline std::vector<std::string> strangeFiles() {
  std::vector<std::string> files = {"",          "\n", "a", "\xEF\xBB\xBF", "a,b\n1,2\n", "a b\r\n1 x\r\n", "{\"a\": 1}\n", "\x1F\x8B\x08",
                                    "PK\x03\x04"};
  std::string all;
  for (const std::string &text : hardTexts()) {
    all += text + "\n";
  }
  files.push_back(std::move(all));
  std::mt19937_64 draw(7);
  std::string bytes(4096, ' ');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(draw()); });
  files.push_back(std::move(bytes));
  return files;
}

/// `expect(holds, promise)` is told what holds and what does not.
template <typename Expect>
void checkSource(const PenstockSource &f, const PenstockHost &host, const PenstockParameters *parameters,
                 const std::vector<std::string> &own, Expect &&expect) {
  using Way = SourceRead::Way;
  PenstockError error{};
  void *self = nullptr;
  if (f.create(&host, parameters, &self, &error) != 0) {
    return expect(false, std::string("create failed: ") + error.text);
  }
  {
    const PenstockSourceFile unread = {sizeof unread, nullptr,
                                       [](void *, void *, std::size_t, std::size_t *) -> std::int32_t { return 1; }};
    void *reader = nullptr;
    if (f.open(self, &unread, &reader, &error) == 0) {
      f.close(reader);
    }
  }
  std::vector<std::string> files = strangeFiles();
  files.insert(files.end(), own.begin(), own.end());
  for (const std::string &text : files) {
    const SourceRead whole(f, self, text, {});
    const auto same = [&](const SourceRead &other, const std::string &promise) {
      expect(other.names == whole.names && other.rows == whole.rows && other.failure == whole.failure, promise);
    };
    expect(!whole.silent, "a failure has no reason: " + whole.failure);
    expect(!whole.afterLast, "rows or problems come behind the end, or behind the last problem");
    expect(!whole.endless, "reading does not end");
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
      const std::string begin = text.substr(0, std::size_t{1} << 16);
      const SourceRead atOnce(f, self, begin, {}), inPieces(f, self, begin, Way{piece});
      expect(atOnce.names == inPieces.names && atOnce.rows == inPieces.rows && atOnce.failure == inPieces.failure,
             "what is read depends on the pieces in which the bytes come");
    }
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<SourceRead>> found(3);
    for (auto &mine : found) {
      threads.emplace_back([&] { mine = std::make_unique<SourceRead>(f, self, text, Way{}); });
    }
    for (std::thread &thread : threads) {
      thread.join();
    }
    for (const auto &mine : found) {
      same(*mine, "threads that read at once get other rows");
    }
    const SourceRead none(f, self, text, Way{.wants = [](std::size_t) { return false; }});
    expect(none.rows.size() == whole.rows.size(), "without a column there are other rows");
    if (!whole.names.empty()) {
      const SourceRead first(f, self, text, Way{.wants = [](std::size_t field) { return field == 0; }});
      bool equal = first.rows.size() == whole.rows.size();
      for (std::size_t i = 0; equal && i < whole.rows.size(); ++i) {
        equal = whole.rows[i] == first.rows[i] || whole.rows[i].starts_with(first.rows[i] + "\t");
      }
      expect(equal, "a column that is selected alone has other cells");
    }
    const SourceRead stopped(f, self, text, Way{.stops = true});
    expect(!stopped.met || !stopped.failure.empty(), "next goes on after the sink has stopped it");
    for (const std::size_t place : {std::size_t{0}, text.size() / 2, text.size()}) {
      const SourceRead unread(f, self, text, Way{.failsAt = place});
      expect(!unread.met || !unread.failure.empty(), "reading goes on although the file cannot be read further");
    }
  }
  std::mt19937_64 draw(11);
  for (const std::string &text : own) {
    for (int trial = 0; trial < 200 && !text.empty(); ++trial) {
      std::string damaged = text.substr(0, trial % 2 == 0 ? text.size() : draw() % text.size());
      for (std::uint64_t i = 0; i < 1 + draw() % 4 && !damaged.empty(); ++i) {
        damaged[draw() % damaged.size()] = static_cast<char>(draw());
      }
      const SourceRead read(f, self, damaged, {});
      expect(!read.silent && !read.endless && !read.afterLast, "a damaged file is read without an end, or fails without a reason");
    }
  }
  f.destroy(self);
}

} // namespace penstock::conformance::detail
