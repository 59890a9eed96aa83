// The parts of a date, in UTC: the year, the month from 1, the day from 1, the weekday from 0 (Monday), the hour, the minute. `cyclic`: all
// but the year as sine and cosine of their share of a turn, so that December is beside January.
#include "runtime/data/operators/operator.h"

#include <chrono>
#include <numbers>

namespace penstock::operators::date {

namespace {

/// Days that a calendar has a number for.
bool takes(double seconds) { return std::abs(seconds) < 8e11; }

struct Part {
  double value = 0, share = 0; // share: of a turn
};

Part partOf(const std::string &name, double seconds) {
  using namespace std::chrono;
  if (!takes(seconds)) { // a fit sees them before they are refused
    return {std::nan(""), std::nan("")};
  }
  const double whole = std::floor(seconds / 86400);
  const sys_days day{days(static_cast<int>(whole))};
  const year_month_day date(day);
  const double ofDay = seconds - whole * 86400;
  const auto turning = [](double value, double first, double turn) { return Part{value, (value - first) / turn}; };
  if (name == "year") {
    return {static_cast<double>(static_cast<int>(date.year())), 0};
  }
  if (name == "month") {
    return turning(static_cast<unsigned>(date.month()), 1, 12);
  }
  if (name == "day") {
    return turning(static_cast<unsigned>(date.day()), 1, 31);
  }
  if (name == "weekday") {
    return turning(weekday(day).iso_encoding() - 1, 0, 7);
  }
  if (name == "hour") {
    return turning(std::floor(ofDay / 3600), 0, 24);
  }
  return turning(std::floor(std::fmod(ofDay, 3600) / 60), 0, 60);
}

void apply(const NamedValues &parameters, const OperatorState &, std::span<const double> values, std::span<std::vector<double>> results) {
  const bool cyclic = parameterOr(parameters, "cyclic", false);
  std::size_t at = 0;
  for (const std::string &name : itemsOr<std::string>(parameters, "parts", {})) {
    const bool turns = cyclic && name != "year";
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Part part = partOf(name, values[i]);
      const double angle = 2 * std::numbers::pi * part.share;
      results[at][i] = turns ? std::sin(angle) : part.value;
      if (turns) {
        results[at + 1][i] = std::cos(angle);
      }
    }
    at += turns ? 2 : 1;
  }
}

} // namespace

extern const OperatorFunctions functions = {
    .apply = apply, .takes = [](const NamedValues &, double seconds) { return takes(seconds); }, .rule = "times within 25,000 years"};

} // namespace penstock::operators::date
