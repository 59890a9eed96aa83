// Trains an artifact further on its user's machine: `train.from` of what it was built of, into a new artifact (docs/design/artifact.md).
#pragma once

#include "runtime/artifact/artifact.h"
#include "runtime/base/splits.h"
#include "runtime/base/status.h"
#include "runtime/exec/progress.h"
#include "runtime/exec/trainer.h"

#include <array>
#include <functional>
#include <string>

namespace penstock {

struct TrainArtifactRequest {
  std::array<std::string, std::size(splitNames)> files; // of each split; "" of one that is not given
  std::string out;                                      // folder of the new artifact
  bool resume = false;
  std::string resumeCommand; // shown after Ctrl-C
  int threads = -1;          // -1: those of the pipeline
  Progress::Mode progress = Progress::Mode::quiet;
  std::string version; // of what writes the new artifact
  /// Tells what is wrong with the data by their facts (gatherFacts), and refuses those with mistakes.
  std::function<Status(const RecordsSpec &records, const std::string &facts)> judge;
};

/// The run lies in `out`.training until it ends; what a killed one has left there goes on with `resume`. The new artifact is there whole or
/// not at all. It has the code of this one. Errors as of trainRun; environment where the artifact was not built to be trained.
Result<TrainOutcome> trainArtifact(const Artifact &artifact, const TrainArtifactRequest &request);

} // namespace penstock
