// What the data have wrong, as the facts list it (docs/design/data.md).
#pragma once

#include "runtime/base/printable.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace penstock {

constexpr std::int64_t problemsEach = 100; // of one id; the others are counted

/// A cell or name as an argument of a message: cut to what a line can show.
inline std::string shown(std::string_view text) {
  constexpr std::size_t most = 200; // characters
  return printable(text, most);
}

struct Place {
  std::string file;
  std::int64_t row = 0, line = 0, column = 0;
};

class Problems {
public:
  void add(const char *id, const std::string &place, const Place &at, nlohmann::json arguments) {
    errors = true;
    warn(id, place, at, std::move(arguments));
  }
  /// The same of what the registry of diagnostics calls a warning: the records are good all the same.
  void warn(const char *id, const std::string &place, const Place &at, nlohmann::json arguments) {
    if (++counts[id] > problemsEach) {
      return;
    }
    list.push_back({{"id", id},
                    {"place", place},
                    {"file", at.file},
                    {"row", at.row},
                    {"line", at.line},
                    {"column", at.column},
                    {"arguments", std::move(arguments)}});
  }
  bool onlyWarnings() const { return !errors; }
  /// Counts problems that are not listed.
  void count(const char *id, std::int64_t more) { counts[id] += more; }
  nlohmann::json list = nlohmann::json::array();
  nlohmann::json omitted() const {
    nlohmann::json more = nlohmann::json::object();
    for (const auto &[id, count] : counts) {
      if (count > problemsEach) {
        more[id] = count - problemsEach;
      }
    }
    return more;
  }

private:
  bool errors = false;
  std::map<std::string, std::int64_t> counts;
};

} // namespace penstock
