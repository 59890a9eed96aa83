// The run folder: what a run leaves, and what evaluate, predict and build need.
//
//   run.json           the first file of a run and its mark: resolved pipeline, hashes of all files that decide an answer and of itself,
//                      versions, plugins, machine, seeds, final metrics, configuration
//   metrics.jsonl      see metrics_log.h
//   fitted/            vocabularies, labels, statistics (runtime/data)
//   checkpoints/       see checkpoint.h
//   program.so         the compiled program
//   model.safetensors  the weights that evaluate and predict use
//   report.html        the run in one page
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/evaluate.h"
#include "runtime/exec/fits.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/run_plugins.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// The content of run.json.
struct RunRecord {
  RunConfig config;
  std::string version;                       // of penstock
  std::string dataHash, programHash;         // XXH64 of facts' content and of program.so
  std::string weightsHash;                   // of model.safetensors; "" before the end
  bool profiled = false;                     // program.so says what its steps do
  std::map<std::string, std::string> fitted; // XXH64 of the files of fitted/; none before they are written, learners at the end
  std::vector<Fit> fits;                     // what they hold, and from when on
  std::vector<RunPlugin> plugins;
  std::string level;
  std::string kernels; // whose contractions computed, see kernelsOf in kernel_table.h
  int cores = 0, threads = 0;
  std::string started, ended; // ISO 8601, UTC
  bool finished = false;
  std::string dataText; // for people: the records of each split, and rows that are none; ""
  std::int64_t records = 0, stepsPerEpoch = 0, totalSteps = 0;
  double seconds = 0;               // of training
  std::int64_t keptStep = -1;       // step whose weights model.safetensors holds
  std::vector<SplitResult> results; // on the kept weights
};

/// `durable`: a crash of the machine leaves it, too.
Status writeRunRecord(const std::string &folder, const RunRecord &record, bool durable = true);
/// An error says that the folder is not a run, that another release wrote it in another format, or that run.json is damaged.
Result<RunRecord> readRunRecord(const std::string &folder);

/// The time now as "2026-11-23T17:33:54Z".
std::string timestamp();
/// Whether `prepare` could take the folder: the same refusals, but nothing is made or removed.
Status checkRunFolder(const std::string &path, bool resume);

/// A run folder that this process trains in, locked against others until it goes.
class RunFolder {
public:
  /// Makes the folder or takes it over, and removes what killed processes left half-written. Without `resume` it must be absent, empty, or
  /// hold no more than a run that was killed before its first checkpoint. A folder that holds anything else is refused.
  static Result<std::unique_ptr<RunFolder>> prepare(const std::string &path, bool resume);
  /// Removes what a killed run began, its run.json last: the mark by which it is known to be one.
  Status clear();
  ~RunFolder();
  RunFolder(const RunFolder &) = delete;
  RunFolder &operator=(const RunFolder &) = delete;

  const std::string &path() const { return folder; }
  std::string file(const std::string &name) const { return folder + "/" + name; }
  /// Whether there is a run to go on with: a checkpoint, or the end of a run that has none any more.
  bool continues() const { return begun; }

private:
  RunFolder() = default;
  std::string folder;
  int lock = -1;
  bool begun = false;
};

/// Refuses to continue a run of another pipeline: names every value that differs. Threads may differ.
Status checkSamePipeline(const RunConfig &run, const RunConfig &now);

} // namespace penstock
