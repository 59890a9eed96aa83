// `penstock evaluate RUN`: measures a trained run on a split, and holds it to what its file expects.
#include "tools/penstock/commands.h"
#include "tools/penstock/run_settings.h"
#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/train_set.h"
#endif

#include "runtime/base/disk_cache.h"
#include "runtime/base/printable.h"
#include "runtime/exec/interrupt.h"
#include "runtime/exec/trained_run.h"
#include "tools/command_line/transient.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>

namespace penstock {
namespace {

struct EvaluateOptions {
  std::string run, split = "test";
  std::string confidence;
  bool json = false, noExpect = false;
  int threads = -1;
  std::vector<std::string> settings;
};

/// "95%" or "0.95".
Result<double> parseLevel(const std::string &text) {
  const bool percent = text.ends_with('%');
  double level = 0;
  const char *end = text.data() + text.size() - (percent ? 1 : 0);
  const auto read = std::from_chars(text.data(), end, level);
  level /= percent ? 100 : 1;
  if (read.ec != std::errc() || read.ptr != end || !(level > 0 && level < 1)) {
    return usageError("`--confidence " + text + "` is not a level between 0 and 1; write `--confidence 95%`");
  }
  return level;
}

void printText(const SplitResult &result, const std::vector<ExpectationResult> &expectations, const ConfidenceSpec &confidence) {
  fmt::print("{}: {} record{}", result.split, result.records, result.records == 1 ? "" : "s");
  if (result.hasLoss) {
    fmt::print(", loss {:.4f}", result.loss);
  }
  fmt::print("\n");
  const auto shown = [](const std::string &name) { return name.find('[') == std::string::npos; }; // classes: in the report
  std::size_t width = 0;
  for (const auto &[name, value] : result.values) {
    width = std::max(width, shown(name) ? name.size() : 0);
  }
  for (const auto &[name, value] : result.values) {
    if (!shown(name)) {
      continue;
    }
    fmt::print("  {:<{}}  {}\n", printable(name), width, result.shown(name, value));
  }
  if (confidence.samples > 0) {
    fmt::print("  {}\n", confidenceText(confidence));
  }
  for (const std::string &text : result.texts) {
    fmt::print("\n{}{}", printableLines(text), text.ends_with('\n') ? "" : "\n");
  }
  for (std::size_t i = 0; i < expectations.size(); ++i) {
    fmt::print("{}{}\n", i == 0 ? "\n" : "", printable(expectations[i].text()));
  }
}

void printJson(const SplitResult &result, const std::vector<ExpectationResult> &expectations, const ConfidenceSpec &confidence) {
  nlohmann::ordered_json json;
  json["split"] = result.split;
  json["records"] = result.records;
  json["loss"] = result.hasLoss && std::isfinite(result.loss) ? nlohmann::ordered_json(result.loss) : nullptr;
  json["metrics"] = nlohmann::ordered_json::object();
  for (const auto &[name, value] : result.values) {
    json["metrics"][name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nullptr;
  }
  if (confidence.samples > 0) {
    json["confidence"] = {{"level", confidence.level}, {"samples", confidence.samples}, {"seed", confidence.seed}};
    json["intervals"] = nlohmann::ordered_json::object();
    for (const Interval &interval : result.intervals) {
      json["intervals"][interval.name] = {interval.low, interval.high};
    }
  }
  json["texts"] = result.texts;
  json["expectations"] = nlohmann::ordered_json::array();
  for (const ExpectationResult &checked : expectations) {
    json["expectations"].push_back({{"expect", checked.text()}, {"holds", checked.holds}});
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Status evaluate(const EvaluateOptions &options, const CommandContext &context) {
  catchInterrupts();
#ifdef PENSTOCK_HAS_DRIVER
  if (isRunSet(options.run)) {
    PENSTOCK_ASSIGN(const RunSet set, readRunSet(options.run));
    return printRunSet(options.run, set, options.json);
  }
#endif
  PENSTOCK_ASSIGN(const std::unique_ptr<TrainedRun> run, openRun(options.run, options.settings, options.threads, context));
  const Result<std::string> cache = cacheFolder(); // none where it cannot be made
  ConfidenceSpec confidence = run->record().config.confidence;
  if (!options.confidence.empty()) {
    PENSTOCK_ASSIGN(confidence.level, parseLevel(options.confidence));
    confidence.samples = confidence.samples > 0 ? confidence.samples : bootstrapSamples;
  }
  const auto measured = [&] {
    const Transient word("measuring " + options.split, false);
    return run->evaluate(options.split, cache.ok() ? *cache : "", confidence);
  };
  PENSTOCK_ASSIGN(const SplitResult result, measured());
  for (const std::string &warning : result.warnings) {
    std::fprintf(stderr, "penstock: warning: %s\n", warning.c_str());
  }
  const std::vector<ExpectationResult> expectations = checkExpectations(run->record().config, {result});
  (options.json ? printJson : printText)(result, expectations, confidence);
  std::string failed;
  for (const ExpectationResult &checked : expectations) {
    if (!checked.holds) {
      failed += (failed.empty() ? "" : "\n") + checked.expectation.place + ": " + checked.text();
    }
  }
  if (!failed.empty() && !options.noExpect) {
    return {ErrorCode::expectFailed, failed + "\n(`--no-expect` only measures)"};
  }
  return {};
}

} // namespace

void addEvaluateCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App *command = app.add_subcommand("evaluate", "measure a trained run on a split of its data");
  command->add_option("run", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  command->add_option("--split", options->split, "train, dev or test")
      ->check(CLI::IsMember({"train", "dev", "test"}))
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--confidence", options->confidence, "give each value a bootstrap interval of this level, such as 95%")
      ->type_name("LEVEL");
  command->add_flag("--json", options->json, "print one JSON object");
  command->add_flag("--no-expect", options->noExpect, "do not fail where an `expect` of the file does not hold");
  addRunSettings(*command, options->settings);
  command->add_option("--threads", options->threads, "threads to use, as `target.threads`; 0: one a core")->check(CLI::Range(0, 1024));
  command->callback([options, &context] {
    if (const Status status = evaluate(*options, context); !status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
