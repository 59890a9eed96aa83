// How heads decide: numbers that no program knows, some of which are fitted on dev when the weights are final (docs/design/decisions.md).
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/fits.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/session.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

/// What was fitted, below fitted/.
inline constexpr const char *decisionsFile = "decisions.json";

/// Whether something of how the answer is decided is fitted.
bool fitsDecision(const AnswerSpec &answer);

/// The parameters of an answer's head as JSON: those of its graph, and those by which it decides. What is to be fitted is taken from
/// `fitted`; where that is NULL the weights are not final yet, and the head decides as it does without the parameter. An error where the
/// run has not fitted it.
Result<std::string> headParameters(const AnswerSpec &answer, const FittedFolder *fitted);

/// Fits what `fits` lists as decisions, of time `weights`, writes it to fitted/ and hashes it. `notes`: what was found, a sentence each.
Status fitDecisions(Session &session, const std::shared_ptr<const Dataset> &dev, const RunConfig &config, PluginHost &host,
                    FittedFolder &fitted, std::vector<std::string> &notes);

/// What a model gives for records, and what is right: a row of probabilities a record.
struct JudgedProbabilities {
  std::size_t width = 0;
  bool sets = false;                // probabilities of labels each, rather than of classes that add up to 1
  std::vector<float> probabilities; // records x width
  std::vector<std::int32_t> gold;   // of classes: one a record; -1: none of them
  std::vector<std::uint8_t> labels; // of sets: records x width

  std::size_t records() const { return width == 0 ? 0 : probabilities.size() / width; }
};

/// The number by which logits are divided so that the log loss is least, within 1/20 to 20; 1 where no record has one of the classes.
double fitTemperature(const JudgedProbabilities &judged);

/// Of one column the threshold of the best F1: a record is answered where its probability is at least that. It lies amid two probabilities;
/// of thresholds with one F1 it is the highest. Nothing where no record has the class. `f1`: what it gives.
std::optional<double> fitThreshold(const JudgedProbabilities &judged, std::size_t column, double *f1);

} // namespace penstock
