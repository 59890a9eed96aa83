#include "tools/command_line/train_output.h"

#include "runtime/base/printable.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock {

using Json = nlohmann::ordered_json;

std::string shellWord(const std::string &argument) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) {
    return argument;
  }
  std::string text = "'";
  for (const char c : argument) {
    text += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return text + "'";
}

void printTrainedJson(const std::string &what, const std::string &out, const TrainOutcome &outcome) {
  Json json;
  json[what] = out;
  json["steps"] = outcome.record.totalSteps;
  json["kept_step"] = outcome.record.keptStep;
  json["seconds"] = outcome.record.seconds;
  json["metrics"] = Json::object();
  for (const SplitResult &result : outcome.record.results) {
    Json values = Json::object();
    for (const auto &[name, value] : result.values) {
      values[name] = std::isfinite(value) ? Json(value) : Json();
    }
    json["metrics"][result.split] = std::move(values);
    for (const Interval &interval : result.intervals) {
      json["intervals"][result.split][interval.name] = {interval.low, interval.high};
    }
  }
  json["expectations"] = Json::array();
  for (const ExpectationResult &checked : outcome.expectations) {
    json["expectations"].push_back({{"expect", checked.text()}, {"holds", checked.holds}});
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

static void printResults(const TrainOutcome &outcome) {
  const RunRecord &record = outcome.record;
  fmt::print("trained {} step{} in {:.1f} s, kept the weights of step {}\n", record.totalSteps, record.totalSteps == 1 ? "" : "s",
             record.seconds, record.keptStep);
  for (const SplitResult &result : record.results) {
    fmt::print("{}:", result.split);
    if (result.hasLoss) {
      fmt::print(" loss {:.4f}", result.loss);
    }
    for (const auto &[name, value] : result.values) {
      if (name.find('[') == std::string::npos) { // of one class: in the report
        fmt::print("  {} {}", printable(name), result.shown(name, value));
      }
    }
    fmt::print("\n");
    for (const std::string &text : result.texts) {
      fmt::print("\n{}{}\n", printableLines(text), text.ends_with('\n') ? "" : "\n");
    }
  }
  if (record.config.confidence.samples > 0) {
    fmt::print("{}\n", confidenceText(record.config.confidence));
  }
  for (const ExpectationResult &checked : outcome.expectations) {
    fmt::print("{}\n", printable(checked.text()));
  }
}

void printTrained(const std::string &what, const std::string &out, const TrainOutcome &outcome, bool quiet) {
  if (!quiet) {
    printResults(outcome);
  }
  fmt::print("the {} is in {}\n", what, printable(out));
}

} // namespace penstock
