// What training, evaluating and predicting need to know of the pipeline, in a form that the run folder keeps (JSON, in
// run.json): the value of the pipeline, and what a run keeps beside it.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

/// The learning rate of step `step` (from 0) of `total`, for a peak `rate`. Warm-up over w steps: rate * (step + 1) / w for
/// step < w. After it with n = total - w and t = step - w: constant: rate; linear: rate * (n - t) / n;
/// cosine: rate * (1 + cos(pi * t / n)) / 2. A function of its arguments alone, so a resumed run needs no state of it.
float learningRate(const ScheduleSpec &schedule, double rate, std::int64_t step, std::int64_t total);

/// "[low, high]: 95 % bootstrap intervals, 1000 samples, seed 42"
std::string confidenceText(const ConfidenceSpec &confidence);
inline constexpr std::int64_t bootstrapSamples = 1000; // where nothing else is said

/// What a parameter is in a folder of a pretrained model, where its first values come from: tensors side by side in its columns.
struct PretrainedSpec {
  std::string parameter, folder;    // folder: absolute; "" where the values are random
  std::vector<std::string> tensors; // as the folder's files name them
  bool transposed = false;          // the files have [outputs x inputs], the parameter [inputs x outputs]
  std::int64_t skippedRows = 0;     // of the tensor, before the parameter's first

  static constexpr auto fields() {
    return std::tuple(field("parameter", &PretrainedSpec::parameter, Role::weights),
                      field("folder", &PretrainedSpec::folder, Role::weights), field("tensors", &PretrainedSpec::tensors, Role::weights),
                      field("transposed", &PretrainedSpec::transposed, Role::weights),
                      field("skipped_rows", &PretrainedSpec::skippedRows, Role::weights));
  }
};

/// A table whose rows begin as a file of vectors says, where it has the token of a row.
struct VectorsSpec {
  std::string parameter, file, feature; // file: absolute; feature: whose tokenizer names the rows

  static constexpr auto fields() {
    return std::tuple(field("parameter", &VectorsSpec::parameter, Role::weights), field("file", &VectorsSpec::file, Role::weights),
                      field("feature", &VectorsSpec::feature, Role::weights));
  }
};

/// A tensor of the model that is made of a fit of train, before the first step, and then stays.
struct FittedTensorSpec {
  std::string tensor, fit, feature; // fit: Weight::fit of the front end

  static constexpr auto fields() {
    return std::tuple(field("tensor", &FittedTensorSpec::tensor, Role::code), field("fit", &FittedTensorSpec::fit, Role::code),
                      field("feature", &FittedTensorSpec::feature, Role::code));
  }
};

/// An encoder that a folder of a pretrained model describes, or one with random weights.
struct EncoderSpec {
  std::string path, family, folder; // binding path, "bert", absolute or ""
  std::string config;               // text of its config.json, or of one that says the same

  static constexpr auto fields() {
    return std::tuple(field("path", &EncoderSpec::path, Role::code), field("family", &EncoderSpec::family, Role::code),
                      field("folder", &EncoderSpec::folder, Role::weights), field("config", &EncoderSpec::config, Role::code));
  }
};

/// A value of the resolved form and where it came from.
struct ResolvedSpec {
  std::string key, value, origin;
  bool decides = false; // how a head's answer is decided, which no program knows

  /// What it decides.
  Role role() const { return decides ? Role::measurement : decidedBy(key); }

  static constexpr auto fields() {
    return std::tuple(field("key", &ResolvedSpec::key, Role::place), field("value", &ResolvedSpec::value, Role::place),
                      field("origin", &ResolvedSpec::origin, Role::place), field("decides", &ResolvedSpec::decides, Role::place));
  }
};

/// Names of the classes, labels or tags of an answer's target, in the order in which the model numbers them.
struct ClassNames {
  std::string answer;
  std::vector<std::string> names;

  static constexpr auto fields() {
    return std::tuple(field("answer", &ClassNames::answer, Role::weights), field("names", &ClassNames::names, Role::weights));
  }
};

/// The `.pipe` files and the command line that a run was made from: `evaluate --set` and `predict --set` read them again.
struct RunSource {
  struct File {
    std::string path, text; // path: absolute

    static constexpr auto fields() { return std::tuple(field("path", &File::path, Role::place), field("text", &File::text, Role::place)); }
  };
  std::vector<File> files;           // the main one first
  std::vector<std::string> settings; // of `--set`
  std::string folder;                // what paths in them are relative to

  static constexpr auto fields() {
    return std::tuple(part("files", &RunSource::files, "files"), field("settings", &RunSource::settings, Role::place),
                      field("folder", &RunSource::folder, Role::place));
  }
};

/// The pipeline's value, and what a run keeps beside it.
struct RunConfig : PipelineValue {
  RunSource source;
  std::string facts; // JSON text: what the data and models' folders decided about shapes (docs/design/record_program.md)
  std::string resolvedText;
  std::vector<ResolvedSpec> resolved;
  std::vector<PretrainedSpec> pretrained;
  std::vector<VectorsSpec> vectors;
  std::vector<FittedTensorSpec> fittedTensors;
  std::vector<EncoderSpec> encoders;
  std::vector<ClassNames> classes; // of the answers' targets; set when a run begins

  /// Those of an answer's target; empty where it has none.
  const std::vector<std::string> &classesOf(const AnswerSpec &answer) const;

  static constexpr auto fields() {
    return std::tuple_cat(
        PipelineValue::fields(),
        std::tuple(part("source", &RunConfig::source, "source"), field("facts", &RunConfig::facts, Role::weights),
                   field("resolved_text", &RunConfig::resolvedText, Role::place), part("resolved", &RunConfig::resolved, "resolved"),
                   part("pretrained", &RunConfig::pretrained, "pretrained"), part("vectors", &RunConfig::vectors, "vectors"),
                   part("fitted_tensors", &RunConfig::fittedTensors, "model"), part("encoders", &RunConfig::encoders, "encoders"),
                   part("classes", &RunConfig::classes, "classes")));
  }

  /// XXH64 of the resolved text, 16 hexadecimal digits.
  std::string hash() const;
  std::string toJson() const;
  static Result<RunConfig> fromJson(const std::string &text);
};

/// What differs between a run's pipeline and another one, of what has one of `roles`: "\n  `KEY`: `A` in the run, `B` now" for each. First
/// in the words of the resolved form; where these agree, the model; where that agrees, the values. "" for nothing.
std::string changesOf(const RunConfig &run, const RunConfig &now, Roles roles);

} // namespace penstock
