// What training, evaluating and predicting need to know of the pipeline, in a form that the run folder keeps (JSON, in
// run.json). The command converts the front end's typed pipeline into it; the runtime knows no language.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

struct ScheduleSpec {
  std::string kind = "constant"; // constant, linear, cosine; all after a linear warm-up
  double warmupFraction = 0;     // of all steps; or
  std::int64_t warmupSteps = -1; // when >= 0
};

/// The learning rate of step `step` (from 0) of `total`, for a peak `rate`. Warm-up over w steps: rate * (step + 1) / w for
/// step < w. After it with n = total - w and t = step - w: constant: rate; linear: rate * (n - t) / n;
/// cosine: rate * (1 + cos(pi * t / n)) / 2. A function of its arguments alone, so a resumed run needs no state of it.
float learningRate(const ScheduleSpec &schedule, double rate, std::int64_t step, std::int64_t total);

struct TrainSpec {
  ScheduleSpec schedule;
  double learningRate = 1e-3;
  double epochs = 1; // ignored when steps >= 0
  std::int64_t steps = -1;
  std::int64_t batch = 32;     // records a part of a step
  std::int64_t accumulate = 1; // parts a step, but for the last step of an epoch
  std::uint64_t seed = 42;
  std::int64_t logEvery = 1;
  double validateEpochs = 1;       // evaluate dev every so many epochs; 0: never
  std::int64_t validateSteps = -1; // or every so many steps, when > 0
  std::string keepMetric;          // "dev.f1_macro" for keep: best(dev.f1_macro); "" for keep: last
  bool keepHigher = true;
  std::int64_t patience = 0; // stop after so many evaluations without a better one; 0: never
  std::string from;          // folder of the run whose weights this one begins with; ""
};

/// An answer of the model and the plugin that decodes it.
struct AnswerSpec {
  std::string name;                      // "answer": its output in the program is `name`, or begins with `name.`
  std::string target;                    // column that it predicts; "" when none
  std::string targetType = "class";      // or "number", "set", "tags"; "" when it has no target
  std::string decoder;                   // "classify"
  std::string parameters = "{}";         // JSON text
  bool learner = false;                  // the decoder is a learner; its state is RUN/fitted/<name>.learner
  std::vector<std::string> classes = {}; // names of the target's classes, labels or tags; set when a run begins
};

struct MetricSpec {
  std::string split;             // "dev"
  std::string plugin;            // "f1"
  std::string parameters = "{}"; // JSON text
  std::string answer;
};

/// Intervals around results, by the bootstrap (bootstrap.h).
struct ConfidenceSpec {
  std::int64_t samples = 0; // 0: none
  double level = 0.95;
  std::uint64_t seed = 42;
  /// "[low, high]: 95 % bootstrap intervals, 1000 samples, seed 42"
  std::string text() const;
};
inline constexpr std::int64_t bootstrapSamples = 1000; // where nothing else is said

struct ExpectationSpec {
  std::string split, metric; // "test", "f1_macro"
  std::string comparison;    // ">=", ">", "<=", "<"
  double bound = 0;
  std::string place; // "file.pipe:12:3", for messages
};

/// What a parameter is in a folder of a pretrained model, where its first values come from: tensors side by side in its columns.
struct PretrainedSpec {
  std::string parameter, folder;    // folder: absolute; "" where the values are random
  std::vector<std::string> tensors; // as the folder's files name them
  bool transposed = false;          // the files have [outputs x inputs], the parameter [inputs x outputs]
  std::int64_t skippedRows = 0;     // of the tensor, before the parameter's first
};

/// An encoder that a folder of a pretrained model describes, or one with random weights.
struct EncoderSpec {
  std::string path, family, folder; // binding path, "bert", absolute or ""
  std::string config;               // text of its config.json, or of one that says the same
};

struct ResolvedSpec {
  std::string key, value, origin;
};

/// The `.pipe` files and the command line that a run was made from: `evaluate --set` and `predict --set` read them again.
struct RunSource {
  std::vector<std::pair<std::string, std::string>> files; // absolute path and text, the main one first
  std::vector<std::string> settings;                      // of `--set`
  std::string folder;                                     // what paths in them are relative to
};

struct RunConfig {
  std::string name, title, file;
  RunSource source;
  std::string recordProgram; // JSON text
  std::string facts;         // JSON text: what the data and models' folders decided about shapes (docs/design/record_program.md)
  std::string resolvedText;
  std::vector<ResolvedSpec> resolved;
  bool trains = true; // false: nothing to minimize, a run only fits and measures
  TrainSpec train;
  std::int64_t threads = 0;               // 0: one a core
  std::vector<std::string> pluginFolders; // of `use`, absolute
  std::vector<AnswerSpec> answers;
  std::vector<PretrainedSpec> pretrained;
  std::vector<EncoderSpec> encoders;
  std::vector<MetricSpec> metrics;
  ConfidenceSpec confidence;
  std::vector<ExpectationSpec> expectations;

  /// XXH64 of the resolved text, 16 hexadecimal digits.
  std::string hash() const;
  std::string toJson() const;
  static Result<RunConfig> fromJson(const std::string &text);
};

} // namespace penstock
