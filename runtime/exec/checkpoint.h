// Checkpoints of a run: RUN/checkpoints/step-<12 digits>/{weights.safetensors, state.json}.
//
// A checkpoint is written into a folder of another name, made durable and renamed, so it is there whole or not at all. The
// last two are kept. state.json holds the hash of the weights and of itself.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/model.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

/// Everything of a run that is not a tensor: with the tensors it determines all that follows.
struct TrainState {
  std::int64_t step = 0; // steps done
  std::int64_t records = 0, tokens = 0;
  std::int64_t lastValidated = -1; // step of the last evaluation on dev
  double seconds = 0;              // wall time of training so far
  std::uint64_t seed = 0;
  std::string pipelineHash, dataHash;
  // The best weights so far, in checkpoints/<bestFile>; "" when there are none.
  std::int64_t bestStep = -1;
  double bestValue = 0;
  std::int64_t waited = 0; // evaluations since the best one
  std::string bestFile, bestHash;
};

class CheckpointStore {
public:
  /// `folder` is RUN/checkpoints; it is made at the first save.
  explicit CheckpointStore(std::string folder) : folder(std::move(folder)) {}

  /// Whether any checkpoint is there, good or bad.
  bool any() const;

  /// Writes parameters and states. After a failure the checkpoints of before are as they were.
  Status save(const Model &model, const TrainState &state);
  /// Writes the parameters as the best ones so far and names them in `state`; they stay until no kept checkpoint names them.
  Status saveBest(const std::vector<TensorView> &parameters, TrainState &state);

  struct Loaded {
    TrainState state;
    std::vector<std::string> skipped; // why newer checkpoints were not used
  };
  /// Loads the newest good checkpoint into the model and removes worse, newer ones, and what a kill kept from being removed; nothing
  /// where there is no checkpoint; an error where there are some but none is good.
  Result<std::optional<Loaded>> load(Model &model) const;

  /// Removes all of them, so that a kill leaves all or none.
  Status removeAll() const;

  std::string bestPath(const TrainState &state) const { return folder + "/" + state.bestFile; }

private:
  /// Removes checkpoints beyond those that are kept, and best weights that no kept one names.
  Status prune() const;

  std::string folder;
};

} // namespace penstock
