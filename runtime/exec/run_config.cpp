#include "runtime/exec/run_config.h"

#include "runtime/base/hash.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace penstock {

using Json = nlohmann::ordered_json;

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

std::string ConfidenceSpec::text() const {
  return fmt::format("[low, high]: {:.10g} % bootstrap intervals, {} samples, seed {}", level * 100, samples, seed);
}

std::string RunConfig::hash() const { return hash64Hex(resolvedText); }

std::string RunConfig::toJson() const {
  Json json;
  json["name"] = name;
  json["title"] = title;
  json["file"] = file;
  json["source"] = {{"files", Json::array()}, {"settings", source.settings}, {"folder", source.folder}};
  for (const auto &[path, text] : source.files) {
    json["source"]["files"].push_back({{"path", path}, {"text", text}});
  }
  json["record_program"] = recordProgram;
  json["facts"] = facts;
  json["resolved_text"] = resolvedText;
  json["resolved"] = Json::array();
  for (const ResolvedSpec &value : resolved) {
    json["resolved"].push_back({{"key", value.key}, {"value", value.value}, {"origin", value.origin}});
  }
  json["trains"] = trains;
  json["train"] = {
      {"schedule",
       {{"kind", train.schedule.kind}, {"warmup_fraction", train.schedule.warmupFraction}, {"warmup_steps", train.schedule.warmupSteps}}},
      {"learning_rate", train.learningRate},
      {"epochs", train.epochs},
      {"steps", train.steps},
      {"batch", train.batch},
      {"seed", train.seed},
      {"log_every", train.logEvery},
      {"validate_epochs", train.validateEpochs},
      {"validate_steps", train.validateSteps},
      {"keep_metric", train.keepMetric},
      {"keep_higher", train.keepHigher},
      {"accumulate", train.accumulate},
      {"patience", train.patience},
      {"from", train.from}};
  json["threads"] = threads;
  json["plugin_folders"] = pluginFolders;
  json["answers"] = Json::array();
  for (const AnswerSpec &answer : answers) {
    json["answers"].push_back({{"name", answer.name},
                               {"target", answer.target},
                               {"target_type", answer.targetType},
                               {"decoder", answer.decoder},
                               {"parameters", answer.parameters},
                               {"learner", answer.learner},
                               {"classes", answer.classes}});
  }
  json["pretrained"] = Json::array();
  for (const PretrainedSpec &weight : pretrained) {
    json["pretrained"].push_back({{"parameter", weight.parameter},
                                  {"folder", weight.folder},
                                  {"tensors", weight.tensors},
                                  {"transposed", weight.transposed},
                                  {"skipped_rows", weight.skippedRows}});
  }
  json["encoders"] = Json::array();
  for (const EncoderSpec &encoder : encoders) {
    json["encoders"].push_back(
        {{"path", encoder.path}, {"family", encoder.family}, {"folder", encoder.folder}, {"config", encoder.config}});
  }
  json["metrics"] = Json::array();
  for (const MetricSpec &metric : metrics) {
    json["metrics"].push_back(
        {{"split", metric.split}, {"plugin", metric.plugin}, {"parameters", metric.parameters}, {"answer", metric.answer}});
  }
  json["confidence"] = {{"samples", confidence.samples}, {"level", confidence.level}, {"seed", confidence.seed}};
  json["expectations"] = Json::array();
  for (const ExpectationSpec &expectation : expectations) {
    json["expectations"].push_back({{"split", expectation.split},
                                    {"metric", expectation.metric},
                                    {"comparison", expectation.comparison},
                                    {"bound", expectation.bound},
                                    {"place", expectation.place}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<RunConfig> RunConfig::fromJson(const std::string &text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return environmentError("the run's configuration is not JSON");
  }
  RunConfig config;
  try {
    json.at("name").get_to(config.name);
    json.at("title").get_to(config.title);
    json.at("file").get_to(config.file);
    for (const Json &file : json.at("source").at("files")) {
      config.source.files.emplace_back(file.at("path"), file.at("text"));
    }
    json.at("source").at("settings").get_to(config.source.settings);
    json.at("source").at("folder").get_to(config.source.folder);
    json.at("record_program").get_to(config.recordProgram);
    json.at("facts").get_to(config.facts);
    json.at("resolved_text").get_to(config.resolvedText);
    for (const Json &value : json.at("resolved")) {
      config.resolved.push_back({value.at("key"), value.at("value"), value.at("origin")});
    }
    json.at("trains").get_to(config.trains);
    const Json &train = json.at("train"), &schedule = train.at("schedule");
    schedule.at("kind").get_to(config.train.schedule.kind);
    schedule.at("warmup_fraction").get_to(config.train.schedule.warmupFraction);
    schedule.at("warmup_steps").get_to(config.train.schedule.warmupSteps);
    train.at("learning_rate").get_to(config.train.learningRate);
    train.at("epochs").get_to(config.train.epochs);
    train.at("steps").get_to(config.train.steps);
    train.at("batch").get_to(config.train.batch);
    train.at("seed").get_to(config.train.seed);
    train.at("log_every").get_to(config.train.logEvery);
    train.at("validate_epochs").get_to(config.train.validateEpochs);
    train.at("validate_steps").get_to(config.train.validateSteps);
    train.at("keep_metric").get_to(config.train.keepMetric);
    train.at("keep_higher").get_to(config.train.keepHigher);
    train.at("accumulate").get_to(config.train.accumulate);
    train.at("patience").get_to(config.train.patience);
    train.at("from").get_to(config.train.from);
    json.at("threads").get_to(config.threads);
    json.at("plugin_folders").get_to(config.pluginFolders);
    for (const Json &answer : json.at("answers")) {
      config.answers.push_back({answer.at("name"), answer.at("target"), answer.at("target_type"), answer.at("decoder"),
                                answer.at("parameters"), answer.at("learner"), answer.at("classes").get<std::vector<std::string>>()});
    }
    for (const Json &weight : json.at("pretrained")) {
      config.pretrained.push_back({weight.at("parameter"), weight.at("folder"), weight.at("tensors").get<std::vector<std::string>>(),
                                   weight.at("transposed"), weight.at("skipped_rows")});
    }
    for (const Json &encoder : json.at("encoders")) {
      config.encoders.push_back({encoder.at("path"), encoder.at("family"), encoder.at("folder"), encoder.at("config")});
    }
    for (const Json &metric : json.at("metrics")) {
      config.metrics.push_back({metric.at("split"), metric.at("plugin"), metric.at("parameters"), metric.at("answer")});
    }
    json.at("confidence").at("samples").get_to(config.confidence.samples);
    json.at("confidence").at("level").get_to(config.confidence.level);
    json.at("confidence").at("seed").get_to(config.confidence.seed);
    for (const Json &expectation : json.at("expectations")) {
      config.expectations.push_back({expectation.at("split"), expectation.at("metric"), expectation.at("comparison"),
                                     expectation.at("bound"), expectation.at("place")});
    }
  } catch (const nlohmann::json::exception &) {
    return environmentError("the run's configuration is incomplete");
  }
  if (config.threads < 0 || config.threads > 4096) {
    return environmentError("the run's configuration holds a number of threads that is none");
  }
  if (config.train.batch < 1 || config.train.logEvery < 1 || config.train.accumulate < 1) {
    return environmentError("the run's configuration holds a `batch`, `accumulate` or `log_every` below 1");
  }
  return config;
}

} // namespace penstock
