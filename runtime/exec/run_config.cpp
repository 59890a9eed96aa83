#include "runtime/exec/run_config.h"

#include "runtime/base/fields_json.h"
#include "runtime/base/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace penstock {

float learningRate(const ScheduleSpec &schedule, double rate, std::int64_t step, std::int64_t total) {
  std::int64_t warmup = schedule.warmupSteps;
  if (warmup < 0) {
    warmup = std::llround(std::clamp(schedule.warmupFraction, 0.0, 1.0) * static_cast<double>(total));
  }
  if (step < warmup) {
    return static_cast<float>(rate * static_cast<double>(step + 1) / static_cast<double>(warmup));
  }
  const double length = static_cast<double>(std::max<std::int64_t>(total - warmup, 1));
  const double at = std::min(static_cast<double>(step - warmup), length);
  if (schedule.kind == "linear") {
    return static_cast<float>(rate * (length - at) / length);
  }
  if (schedule.kind == "cosine") {
    return static_cast<float>(rate * (1 + std::cos(std::numbers::pi * at / length)) / 2);
  }
  return static_cast<float>(rate);
}

std::string confidenceText(const ConfidenceSpec &confidence) {
  return fmt::format("[low, high]: {:.10g} % bootstrap intervals, {} samples, seed {}", confidence.level * 100, confidence.samples,
                     confidence.seed);
}

std::string RunConfig::hash() const { return hash64Hex(resolvedText); }

const std::vector<std::string> &RunConfig::classesOf(const AnswerSpec &answer) const {
  static const std::vector<std::string> none;
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const ClassNames &one) { return one.answer == answer.name; });
  return found == classes.end() ? none : found->names;
}

namespace {

std::string change(const std::string &what, const std::string &before, const std::string &after) {
  const auto shown = [](const std::string &value) { return value.empty() ? "not set" : "`" + value + "`"; };
  return "\n  " + what + ": " + shown(before) + " in the run, " + shown(after) + " now";
}

/// The lines of a resolved text that describe the model.
std::vector<std::string> modelLines(const std::string &text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, 5, "node ") == 0 || text.compare(at, 8, "learner ") == 0) {
      lines.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return lines;
}

} // namespace

std::string changesOf(const RunConfig &run, const RunConfig &now, Roles roles) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const ResolvedSpec &value : run.resolved) {
    if (roles.has(value.role())) {
      values[value.key].first = value.value;
    }
  }
  for (const ResolvedSpec &value : now.resolved) {
    if (roles.has(value.role())) {
      values[value.key].second = value.value;
    }
  }
  std::string text;
  // Where a param's path leads is judged by what lies there: data and plugins by their hashes, runs and models by their own settings.
  const auto isPlace = [](const std::string &key, const std::string &value) {
    return key.find('.') == std::string::npos && value.starts_with("\"/");
  };
  for (const auto &[key, pair] : values) {
    if (isPlace(key, pair.first) && isPlace(key, pair.second)) {
      continue;
    }
    text += pair.first != pair.second ? change("`" + key + "`", pair.first, pair.second) : "";
  }
  if (text.empty()) {
    const std::vector<std::string> old = modelLines(run.resolvedText), fresh = modelLines(now.resolvedText);
    const auto differs = std::mismatch(old.begin(), old.end(), fresh.begin(), fresh.end());
    if (differs.first != old.end() || differs.second != fresh.end()) {
      text = change("the model", differs.first == old.end() ? "" : *differs.first, differs.second == fresh.end() ? "" : *differs.second);
    }
  }
  if (const auto differs = text.empty() ? differenceOf(run, now, roles) : std::nullopt) {
    text = change("`" + differs->path + "`", differs->before, differs->after);
  }
  return text;
}

std::string RunConfig::toJson() const { return jsonTextOf(*this); }

Result<RunConfig> RunConfig::fromJson(const std::string &text) {
  PENSTOCK_ASSIGN(RunConfig config, readJson<RunConfig>(FieldJson::parse(text, nullptr, false), "the run's configuration"));
  if (config.target.threads < 0 || config.target.threads > 4096) {
    return environmentError("the run's configuration holds a number of threads that is none");
  }
  if (config.train.batch < 1 || config.train.logEvery < 1 || config.train.accumulate < 1) {
    return environmentError("the run's configuration holds a `batch`, `accumulate` or `log_every` below 1");
  }
  return config;
}

} // namespace penstock
