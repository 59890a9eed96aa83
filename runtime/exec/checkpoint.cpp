#include "runtime/exec/checkpoint.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/last_checkpoint.h"
#include "runtime/data/sealed_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <set>

namespace penstock {

using Json = nlohmann::ordered_json;

static constexpr std::size_t keptCheckpoints = 2;

// Names sort by step.
static std::vector<std::string> checkpointsIn(const std::string &folder) {
  std::vector<std::string> names = listFolder(folder);
  std::erase_if(names, [](const std::string &name) { return !name.starts_with("step-"); });
  return names;
}

static Result<TrainState> readState(const std::string &path, std::string &weightsHash) {
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(path));
  const Status damaged = damagedFile(path, "it is not the state of a checkpoint");
  std::optional<Json> whole = parseObject(text);
  if (!whole || !unseal(*whole)) {
    return damaged;
  }
  const Json &json = *whole;
  TrainState state;
  try {
    if (json.at("version").get<int>() != 1) {
      return environmentError("`" + path + "` was written by another release");
    }
    json.at("step").get_to(state.step);
    json.at("records").get_to(state.records);
    json.at("tokens").get_to(state.tokens);
    json.at("last_validated").get_to(state.lastValidated);
    json.at("seconds").get_to(state.seconds);
    json.at("seed").get_to(state.seed);
    json.at("pipeline_hash").get_to(state.pipelineHash);
    json.at("data_hash").get_to(state.dataHash);
    json.at("best_step").get_to(state.bestStep);
    json.at("best_value").get_to(state.bestValue);
    json.at("waited").get_to(state.waited);
    json.at("best_file").get_to(state.bestFile);
    json.at("best_hash").get_to(state.bestHash);
    json.at("weights_hash").get_to(weightsHash);
  } catch (const nlohmann::json::exception &) {
    return damaged;
  }
  return state;
}

bool CheckpointStore::any() const { return !checkpointsIn(folder).empty(); }

Status CheckpointStore::save(const Model &model, const TrainState &state) {
  const std::string name = fmt::format("step-{:012}", state.step);
  const auto write = [&](const std::string &temporary) -> Status {
    PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
    PENSTOCK_ASSIGN(const HostTensors states, model.fetch(TensorClass::state));
    std::vector<TensorView> tensors = parameters.views();
    tensors.insert(tensors.end(), states.views().begin(), states.views().end());
    PENSTOCK_ASSIGN(const std::string weightsHash, writeSafetensors(temporary + "/weights.safetensors", tensors, {}, false));
    Json json;
    json["version"] = 1;
    json["step"] = state.step;
    json["records"] = state.records;
    json["tokens"] = state.tokens;
    json["last_validated"] = state.lastValidated;
    json["seconds"] = state.seconds;
    json["seed"] = state.seed;
    json["pipeline_hash"] = state.pipelineHash;
    json["data_hash"] = state.dataHash;
    json["best_step"] = state.bestStep;
    json["best_value"] = state.bestValue;
    json["waited"] = state.waited;
    json["best_file"] = state.bestFile;
    json["best_hash"] = state.bestHash;
    json["weights_hash"] = weightsHash;
    return writeFileAtomically(temporary + "/state.json", sealedText(std::move(json)), false);
  };
  PENSTOCK_TRY(writeFolderAtomically(folder + "/" + name, write));
  lastCheckpointStep.store(state.step, std::memory_order_relaxed);

  return prune();
}

Status CheckpointStore::prune() const {
  std::vector<std::string> names = checkpointsIn(folder);
  while (names.size() > keptCheckpoints) {
    PENSTOCK_TRY(removeAtOnce(folder + "/" + names.front()));
    names.erase(names.begin());
  }
  std::set<std::string> used;
  for (const std::string &kept : names) {
    std::string ignored;
    const Result<TrainState> state = readState(folder + "/" + kept + "/state.json", ignored);
    if (state.ok()) {
      used.insert(state->bestFile);
    }
  }
  for (const std::string &file : listFolder(folder)) {
    if (file.starts_with("best-") && !used.contains(file)) {
      PENSTOCK_TRY(penstock::removeAll(folder + "/" + file));
    }
  }
  return {};
}

Status CheckpointStore::removeAll() const {
  lastCheckpointStep.store(-1, std::memory_order_relaxed);
  return removeAtOnce(folder);
}

Status CheckpointStore::saveBest(const std::vector<TensorView> &parameters, TrainState &state) {
  PENSTOCK_TRY(makeFolders(folder));
  const std::string file = fmt::format("best-{:012}.safetensors", state.bestStep);
  PENSTOCK_ASSIGN(std::string hash, writeSafetensors(folder + "/" + file, parameters, {}));
  state.bestFile = file;
  state.bestHash = std::move(hash);
  return {};
}

Result<std::optional<CheckpointStore::Loaded>> CheckpointStore::load(Model &model) const {
  Loaded loaded;
  std::vector<std::string> names = checkpointsIn(folder);
  if (names.empty()) {
    return std::optional<Loaded>();
  }
  const auto tryOne = [&](const std::string &place) -> Status {
    std::string hash;
    PENSTOCK_ASSIGN(loaded.state, readState(place + "/state.json", hash));
    PENSTOCK_ASSIGN(const std::shared_ptr<const SafetensorsFile> weights, SafetensorsFile::open(place + "/weights.safetensors", hash));
    PENSTOCK_TRY(model.load(TensorClass::parameter, *weights));
    PENSTOCK_TRY(model.load(TensorClass::state, *weights));
    if (!loaded.state.bestFile.empty()) {
      PENSTOCK_ASSIGN(const auto best, SafetensorsFile::open(bestPath(loaded.state), loaded.state.bestHash));
    }
    return {};
  };
  std::vector<std::string> bad;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const Status status = tryOne(folder + "/" + *name);
    if (status.ok()) {
      for (const std::string &worse : bad) {
        PENSTOCK_TRY(removeAtOnce(folder + "/" + worse));
      }
      PENSTOCK_TRY(prune());
      lastCheckpointStep.store(loaded.state.step, std::memory_order_relaxed);
      return std::optional<Loaded>(std::move(loaded));
    }
    loaded.skipped.push_back(status.message());
    bad.push_back(*name);
  }
  std::string text = "no checkpoint in `" + folder + "` can be used:";
  for (const std::string &why : loaded.skipped) {
    text += "\n  " + why;
  }
  return environmentError(text + "\ntrain again into another folder");
}

} // namespace penstock
