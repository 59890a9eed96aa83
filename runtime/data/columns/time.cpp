// A time as seconds since 1970-01-01T00:00 UTC: a number as it is, ISO 8601 (`2024-03-01`, `2024-03-01 06:30`,
// `2024-03-01T06:30:05.25+01:00`), or what `format` says. UTC where no offset is given.
#include "runtime/base/record_graph.h"
#include "runtime/data/columns/column.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>

namespace penstock::columns::time {

namespace {

/// Reads a text from its front.
class Reading {
public:
  explicit Reading(std::string_view text) : rest(text) {}

  bool sign(char c) {
    const bool here = !rest.empty() && rest.front() == c;
    rest.remove_prefix(here ? 1 : 0);
    return here;
  }
  /// So many digits, or as many as there are up to them.
  bool digits(std::size_t most, int &number, bool all) {
    std::size_t count = 0;
    for (number = 0; count < most && count < rest.size() && rest[count] >= '0' && rest[count] <= '9'; ++count) {
      number = number * 10 + (rest[count] - '0');
    }
    rest.remove_prefix(count);
    return all ? count == most : count > 0;
  }
  bool fraction(double &seconds) {
    double scale = 0.1;
    std::size_t count = 0;
    for (; count < rest.size() && rest[count] >= '0' && rest[count] <= '9'; ++count, scale /= 10) {
      seconds += scale * (rest[count] - '0');
    }
    rest.remove_prefix(count);
    return count > 0;
  }
  /// `Z`, `+01`, `+01:00`, `-0130`.
  bool offset(int &minutes) {
    minutes = 0;
    if (sign('Z')) {
      return true;
    }
    const bool west = sign('-');
    int hours = 0, rest = 0;
    if ((!west && !sign('+')) || !digits(2, hours, true)) {
      return false;
    }
    const bool colon = sign(':');
    if ((colon || !end()) && !digits(2, rest, true)) {
      return false;
    }
    minutes = (hours * 60 + rest) * (west ? -1 : 1);
    return hours < 24 && rest < 60;
  }
  bool end() const { return rest.empty(); }

private:
  std::string_view rest;
};

struct Parts {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, offset = 0; // offset: minutes east
  double fraction = 0;

  bool seconds(double &value) const {
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) {
      return false;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    value = static_cast<double>((static_cast<std::int64_t>(days) * 24 + hour) * 60 + minute - offset) * 60 + second + fraction;
    return true;
  }
};

bool readIso(Reading text, Parts &parts) {
  if (!text.digits(4, parts.year, true) || !text.sign('-') || !text.digits(2, parts.month, true) || !text.sign('-') ||
      !text.digits(2, parts.day, true)) {
    return false;
  }
  if (text.end()) {
    return true;
  }
  if ((!text.sign('T') && !text.sign(' ')) || !text.digits(2, parts.hour, true)) {
    return false;
  }
  if (text.sign(':')) {
    if (!text.digits(2, parts.minute, true)) {
      return false;
    }
    if (text.sign(':') && (!text.digits(2, parts.second, true) || (text.sign('.') && !text.fraction(parts.fraction)))) {
      return false;
    }
  }
  return text.end() || (text.offset(parts.offset) && text.end());
}

bool readAs(const std::string &format, Reading text, Parts &parts) {
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char what = format[i] == '%' && i + 1 < format.size() ? format[++i] : '\0';
    bool good = false;
    switch (what) {
    case '\0':
      good = text.sign(format[i]);
      break;
    case 'Y':
      good = text.digits(4, parts.year, true);
      break;
    case 'm':
      good = text.digits(2, parts.month, false);
      break;
    case 'd':
      good = text.digits(2, parts.day, false);
      break;
    case 'H':
      good = text.digits(2, parts.hour, false);
      break;
    case 'M':
      good = text.digits(2, parts.minute, false);
      break;
    case 'S':
      good = text.digits(2, parts.second, false);
      break;
    case 'f':
      good = text.fraction(parts.fraction);
      break;
    case 'z':
      good = text.offset(parts.offset);
      break;
    default:
      good = what == '%' && text.sign('%');
    }
    if (!good) {
      return false;
    }
  }
  return text.end();
}

} // namespace

bool readCell(const ColumnSpec &column, std::string_view text, double &value) {
  Parts parts;
  if (const auto *const format = parameterOf<std::string>(column.parameters, "format"); format != nullptr && !format->empty()) {
    return readAs(*format, Reading(text), parts) && parts.seconds(value);
  }
  const auto number = std::from_chars(text.data(), text.data() + text.size(), value);
  if (number.ec == std::errc() && number.ptr == text.data() + text.size()) {
    return std::isfinite(value);
  }
  return readIso(Reading(text), parts) && parts.seconds(value);
}

} // namespace penstock::columns::time
