#include "runtime/exec/run_folder.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/printable.h"
#include "runtime/base/temporary_name.h"
#include "runtime/data/run_text.h"
#include "runtime/data/sealed_json.h"
#include "runtime/exec/checkpoint.h"
#include "runtime/exec/run_places.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>

namespace penstock {

using Json = nlohmann::ordered_json;

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Status writeRunRecord(const std::string &folder, const RunRecord &record, bool durable) {
  const RunConfig &config = record.config;
  Json json;
  json["format"] = runFormat;
  json["penstock"] = record.version;
  json["pipeline"] = {{"name", config.name}, {"title", config.title}, {"file", config.file}, {"hash", config.hash()}};
  json["data_hash"] = record.dataHash;
  json["seed"] = config.train.seed;
  json["machine"] = {{"level", record.level}, {"kernels", record.kernels}, {"cores", record.cores}, {"threads", record.threads}};
  json["program"] = {{"file", "program.so"}, {"hash", record.programHash}, {"profiled", record.profiled}};
  json["weights"] = {{"file", "model.safetensors"}, {"hash", record.weightsHash}};
  json["fitted"] = record.fitted;
  json["fits"] = Json::array();
  for (const Fit &fit : record.fits) {
    json["fits"].push_back(
        {{"name", fit.name}, {"what", fit.what}, {"time", nameOf(fit.time)}, {"by", fit.by}, {"split", fit.split}, {"file", fit.file}});
  }
  json["plugins"] = Json::array();
  for (const RunPlugin &plugin : record.plugins) {
    json["plugins"].push_back({{"kind", plugin.kind}, {"name", plugin.name}, {"version", plugin.version}, {"hash", plugin.hash}});
  }
  if (!record.dataText.empty()) {
    json["data"] = record.dataText;
  }
  json["started"] = record.started;
  json["ended"] = record.ended;
  json["finished"] = record.finished;
  json["train"] = {{"records", record.records},
                   {"steps_per_epoch", record.stepsPerEpoch},
                   {"steps", record.totalSteps},
                   {"seconds", record.seconds},
                   {"kept_step", record.keptStep}};
  Json results = Json::array();
  Json metrics = Json::object();
  for (const SplitResult &result : record.results) {
    Json values = Json::object();
    for (const auto &[name, value] : result.values) {
      values[name] = value;
    }
    metrics[result.split] = values;
    results.push_back({{"split", result.split},
                       {"records", result.records},
                       {"loss", result.hasLoss ? Json(result.loss) : Json()},
                       {"metrics", values},
                       {"texts", result.texts}});
    if (!result.intervals.empty()) {
      Json &intervals = results.back()["intervals"];
      for (const Interval &interval : result.intervals) {
        intervals[interval.name] = {interval.low, interval.high};
      }
    }
  }
  json["metrics"] = std::move(metrics);
  json["results"] = std::move(results);
  Json expectations = Json::array();
  for (const ExpectationResult &checked : checkExpectations(config, record.results)) {
    expectations.push_back({{"expect", checked.text()}, {"holds", checked.holds}});
  }
  json["expectations"] = std::move(expectations);
  json["config"] = Json::parse(config.toJson());
  RunPlaces(folder).keep(json);
  AtomicFile file(folder + "/run.json");
  PENSTOCK_TRY(file.open());
  PENSTOCK_TRY(file.write(sealedText(std::move(json))));
  return durable ? file.commit() : file.publish();
}

Result<RunRecord> readRunRecord(const std::string &folder) {
  const std::string path = folder + "/run.json";
  if (!fileExists(path)) {
    return environmentError("`" + folder + "` is not the folder of a run: it holds no `run.json`; `penstock train` makes one");
  }
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(path));
  PENSTOCK_ASSIGN(Json json, openRunText(path, text));
  RunPlaces(folder).restore(json);
  RunRecord record;
  const std::string again = "; train again into another folder";
  const Result<RunConfig> config = RunConfig::fromJson(json.contains("config") ? json["config"].dump() : "");
  if (!config.ok()) {
    return damagedFile(path, config.status().message() + again);
  }
  record.config = *config;
  try {
    json.at("penstock").get_to(record.version);
    json.at("data_hash").get_to(record.dataHash);
    json.at("program").at("hash").get_to(record.programHash);
    json.at("program").at("profiled").get_to(record.profiled);
    json.at("weights").at("hash").get_to(record.weightsHash);
    json.at("fitted").get_to(record.fitted);
    for (const auto &[name, hash] : record.fitted) {
      if (const std::filesystem::path file = name; file.is_absolute() || file.lexically_normal() != file || name.starts_with("..")) {
        return damagedFile(path, "it names a file of `fitted` that lies elsewhere" + again);
      }
    }
    for (const Json &fit : json.value("fits", Json::array())) { // earlier releases kept none
      const FitTime time = fit.at("time") == nameOf(FitTime::weights) ? FitTime::weights : FitTime::data;
      record.fits.push_back({fit.at("name"), fit.at("what"), time, fit.at("by"), fit.at("split"), fit.at("file")});
    }
    for (const Json &plugin : json.at("plugins")) {
      record.plugins.push_back({plugin.at("kind"), plugin.at("name"), plugin.at("version"), plugin.at("hash")});
    }
    json.at("machine").at("level").get_to(record.level);
    json.at("machine").at("kernels").get_to(record.kernels);
    json.at("machine").at("cores").get_to(record.cores);
    json.at("machine").at("threads").get_to(record.threads);
    record.dataText = json.value("data", "");
    json.at("started").get_to(record.started);
    json.at("ended").get_to(record.ended);
    json.at("finished").get_to(record.finished);
    const Json &train = json.at("train");
    train.at("records").get_to(record.records);
    train.at("steps_per_epoch").get_to(record.stepsPerEpoch);
    train.at("steps").get_to(record.totalSteps);
    train.at("seconds").get_to(record.seconds);
    train.at("kept_step").get_to(record.keptStep);
    for (const Json &result : json.at("results")) {
      SplitResult split;
      result.at("split").get_to(split.split);
      result.at("records").get_to(split.records);
      split.hasLoss = result.at("loss").is_number();
      split.loss = split.hasLoss ? result.at("loss").get<double>() : 0;
      for (const auto &[name, value] : result.at("metrics").items()) {
        if (value.is_number()) {
          split.values.emplace_back(name, value.get<double>());
        }
      }
      result.at("texts").get_to(split.texts);
      if (result.contains("intervals")) {
        for (const auto &[name, ends] : result.at("intervals").items()) {
          split.intervals.push_back({name, ends.at(0).get<double>(), ends.at(1).get<double>()});
        }
      }
      record.results.push_back(std::move(split));
    }
  } catch (const nlohmann::json::exception &) {
    return damagedFile(path, "it lacks a part of what a run keeps, or holds another thing there" + again);
  }
  if (record.finished && (record.fitted.empty() || record.weightsHash.empty() || record.programHash.empty())) {
    return damagedFile(path, "it lacks hashes of a finished run" + again);
  }
  return record;
}

// What a run writes at the top of its folder.
static bool ofARun(const std::string &name) {
  static constexpr const char *names[] = {"run.json",   "metrics.jsonl",     "fitted",      "checkpoints",
                                          "program.so", "model.safetensors", "report.html", "profile.json"};
  return isTemporaryName(name) || std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Whether a run of any release wrote run.json, whatever became of it.
static bool isMarked(const std::string &folder) {
  const Result<std::string> text = readWholeFile(folder + "/run.json");
  const std::optional<Json> json = text.ok() ? parseObject(*text) : std::nullopt;
  return json && json->contains("penstock") && json->contains("format");
}

// What stands in a folder, and what can be done with it.
struct FolderState {
  bool empty = false, checkpoint = false;
  bool ended = false;  // of a run that has no checkpoint any more, or never had one as it trains nothing
  bool begun = false;  // a run was killed there before its first checkpoint; it can be cleared
  std::string foreign; // a name that is no run's
};

static FolderState stateOf(const std::string &path) {
  FolderState state;
  std::vector<std::string> names = listFolder(path);
  const bool any = !names.empty();
  std::erase_if(names, isTemporaryName);
  state.empty = names.empty();
  state.checkpoint = CheckpointStore(path + "/checkpoints").any();
  for (const std::string &name : names) {
    state.foreign = state.foreign.empty() && !ofARun(name) ? name : state.foreign;
  }
  if (state.empty) {
    state.begun = any;
    return state;
  }
  if (!state.checkpoint && state.foreign.empty() && isMarked(path)) {
    const bool model = fileExists(path + "/model.safetensors");
    const Result<RunRecord> record = model ? readRunRecord(path) : Result<RunRecord>(Status());
    state.ended = record.ok() && (record->finished || !record->config.trains());
    state.begun = !model;
  }
  return state;
}

Status checkRunFolder(const std::string &path, bool resume) {
  if (fileExists(path)) {
    return environmentError("`" + path + "` is a file; `--out` names a folder");
  }
  const FolderState state = stateOf(path);
  if (state.empty || state.begun || (resume && (state.checkpoint || state.ended))) {
    return {};
  }
  if (!resume) {
    return environmentError("the folder `" + path +
                            "` is not empty, and a run starts in an empty one; name another folder, "
                            "or continue the run there with `--resume`");
  }
  if (!state.foreign.empty()) {
    return environmentError("`" + path + "` holds `" + printable(state.foreign, 80) + "`, which is no part of a run; name another folder");
  }
  if (fileExists(path + "/model.safetensors")) {
    if (isMarked(path)) {
      PENSTOCK_TRY(readRunRecord(path).status());
    }
    return environmentError("`" + path + "` holds a trained model but no checkpoint to continue from; name another folder");
  }
  return environmentError("`" + path + "` holds no `run.json` of a run, so what is there is left alone; name another folder");
}

Result<std::unique_ptr<RunFolder>> RunFolder::prepare(const std::string &path, bool resume) {
  std::unique_ptr<RunFolder> run(new RunFolder);
  run->folder = path;
  while (run->folder.size() > 1 && run->folder.back() == '/') {
    run->folder.pop_back();
  }
  PENSTOCK_TRY(checkRunFolder(run->folder, resume));
  PENSTOCK_TRY(makeFolders(run->folder));
  run->lock = ::open(run->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (run->lock < 0) {
    return systemError("open the folder", path, errno);
  }
  if (::flock(run->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return environmentError("another process is training in `" + path + "`");
  }
  PENSTOCK_TRY(checkRunFolder(run->folder, resume)); // again, now that nobody else changes it
  for (const char *below : {"", "/fitted", "/checkpoints"}) {
    PENSTOCK_TRY(removeTemporaries(run->folder + below));
  }
  const FolderState state = stateOf(run->folder);
  run->begun = state.checkpoint || state.ended;
  return run;
}

Status RunFolder::clear() {
  std::vector<std::string> names = listFolder(folder);
  std::erase(names, "run.json");
  names.push_back("run.json");
  for (const std::string &name : names) {
    PENSTOCK_TRY(removeAll(file(name)));
  }
  return {};
}

RunFolder::~RunFolder() {
  if (lock >= 0) {
    ::close(lock);
  }
}

Status checkSamePipeline(const RunConfig &run, const RunConfig &now) {
  const std::string changes = changesOf(run, now, fixedInAResumedRun);
  if (!changes.empty()) {
    return environmentError("this run was begun with another pipeline, and a resumed run must be the same one:" + changes +
                            "\nundo the change, or train into another folder");
  }
  return {};
}

} // namespace penstock
