// Trains a program on a data set into a run folder. See docs/design/runtime.md.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"
#include "runtime/data/fitted_folder.h"
#include "runtime/exec/progress.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/safetensors.h"
#include "runtime/plugin/plugin_host.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

struct TrainRequest {
  RunConfig config;
  std::string facts; // JSON, of gatherFacts
  /// Path of the compiled program, with or without what a profile needs; not called where the run has its own.
  std::function<Result<std::string>(bool profiled)> program;
  /// In its place: a program that is linked into this process, and what tells it from others.
  const PenstockProgram *linked = nullptr;
  std::string linkedHash;
  /// What `train.from` names, where it lies in memory and is no run's folder.
  struct Earlier {
    std::shared_ptr<const SafetensorsFile> weights;
    FittedFolder fitted; // the files that are taken from it, all held; the caller keeps the bytes
  };
  std::optional<Earlier> earlier;
  std::string out;
  bool resume = false;
  std::string version;       // of penstock, for run.json
  std::string dataText;      // RunRecord::dataText
  std::string cache;         // id cache, "" = none
  std::string resumeCommand; // shown after Ctrl-C
  Progress::Mode progress = Progress::Mode::quiet;
  double checkpointSeconds = 30;
  bool keepCheckpoints = true; // after the end
  bool profile = false;        // measure every step of the program; writes profile.json
};

struct TrainOutcome {
  RunRecord record;
  std::vector<ExpectationResult> expectations;
  std::int64_t resumedAt = -1;    // step, where the run was continued
  std::vector<std::string> notes; // such as where the weights come from
  std::vector<std::string> warnings;
  std::string profile; // text, where it was asked for and a step was trained
};

/// Runs to the end, or returns: `interrupted` after Ctrl-C (a checkpoint was written; the message says how to continue);
/// `environment` where the folder, the disk or the machine fails (the last checkpoint stays good); `invalidInput` where the
/// loss is not finite. Bits of the result depend on the pipeline, the data and the program alone: not on threads, interrupts or
/// kills.
Result<TrainOutcome> trainRun(const TrainRequest &request, PluginHost &host);

} // namespace penstock
