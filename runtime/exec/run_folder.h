// The run folder: what a run leaves, and what evaluate, predict and build need.
//
//   run.json           resolved pipeline, hashes, versions, plugins, machine, seeds, final metrics, configuration
//   metrics.jsonl      see metrics_log.h
//   fitted/            vocabularies, labels, statistics (runtime/data)
//   checkpoints/       see checkpoint.h
//   program.so         the compiled program
//   model.safetensors  the weights that evaluate and predict use
//   report.html        the run in one page
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/run_plugins.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// What run.json is written as. A change that this reader would not understand takes the next number.
inline constexpr int runFormat = 2;

/// The content of run.json.
struct RunRecord {
  RunConfig config;
  std::string version;               // of penstock
  std::string dataHash, programHash; // XXH64 of facts' content and of program.so
  std::string weightsHash;           // of model.safetensors; "" before the end
  std::vector<RunPlugin> plugins;
  std::string level;
  std::string kernels; // whose contractions computed, see kernelsOf in kernel_table.h
  int cores = 0, threads = 0;
  std::string started, ended; // ISO 8601, UTC
  bool finished = false;
  std::int64_t records = 0, stepsPerEpoch = 0, totalSteps = 0;
  double seconds = 0;               // of training
  std::int64_t keptStep = -1;       // step whose weights model.safetensors holds
  std::vector<SplitResult> results; // on the kept weights
};

Status writeRunRecord(const std::string &folder, const RunRecord &record);
/// An error says that the folder is not a run, that another release wrote it in another format, or which part of run.json is missing.
Result<RunRecord> readRunRecord(const std::string &folder);

/// The time now as "2026-11-23T17:33:54Z".
std::string timestamp();
/// XXH64 of a file's bytes.
Result<std::string> hashOfFile(const std::string &path);

/// Whether `prepare` could take the folder: the same refusals, but nothing is made or removed.
Status checkRunFolder(const std::string &path, bool resume);

/// A run folder that this process trains in, locked against others until it goes.
class RunFolder {
public:
  /// Makes the folder or takes it over. Without `resume` it must be absent or empty. With it, a folder without a checkpoint is
  /// cleared of what a killed run began; a folder that holds anything else is refused.
  static Result<std::unique_ptr<RunFolder>> prepare(const std::string &path, bool resume);
  ~RunFolder();
  RunFolder(const RunFolder &) = delete;
  RunFolder &operator=(const RunFolder &) = delete;

  const std::string &path() const { return folder; }
  std::string file(const std::string &name) const { return folder + "/" + name; }
  bool hasCheckpoint() const { return checkpoint; }

private:
  RunFolder() = default;
  std::string folder;
  int lock = -1;
  bool checkpoint = false;
};

/// Refuses to continue a run of another pipeline: names every value that differs. Threads may differ.
Status checkSamePipeline(const RunConfig &run, const RunConfig &now);

} // namespace penstock
